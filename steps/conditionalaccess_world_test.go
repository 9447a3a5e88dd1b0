package steps

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// tenantVisit is the stage about the tenant in a simulated one: the account, its
// multifactor authentication and the policies.
type tenantVisit struct {
	*sandbox.Cloud
	setup   *Setup
	answers state.Answers
	plan    Plan
}

func visitTenant(t *testing.T, o sandbox.Options, change func(*state.Answers)) *tenantVisit {
	t.Helper()
	o.Approve = sandbox.ApproveNow
	c, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	a := everything("minimum")
	account, policies := state.DefaultServiceAccount(), state.DefaultConditionalAccess()
	a.ServiceAccount, a.ConditionalAccess = &account, &policies
	if change != nil {
		change(&a)
	}
	return &tenantVisit{Cloud: c, setup: visit{}.signIn(t, c, a), answers: a}
}

// look plans what the tenant needs.
func (v *tenantVisit) look(t *testing.T) *Findings {
	t.Helper()
	f, err := v.setup.InspectTenant(t.Context(), v.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	v.plan = MakePlan(v.answers, f, PlanOptions{Stage: StageTenant, Password: true})
	return f
}

// run carries the plan out; writes counts what that sent.
func (v *tenantVisit) run(t *testing.T) (r *Result, writes int, err error) {
	t.Helper()
	v.look(t)
	before := len(v.Requests())
	r, err = v.setup.Apply(t.Context(), v.plan, ApplyOptions{DeliverPassword: func(Secret) error { return nil }})
	for _, req := range v.Requests()[before:] {
		if req.Write {
			writes++
		}
	}
	return r, writes, err
}

// tenant is the tenant's digest.
func (v *tenantVisit) tenant() sandbox.TenantDigest {
	return v.Digest().Tenants[v.Tenant().Name]
}

// policies are the tenant's policies in a few words: state, whom they include and
// exclude, what they demand.
func (v *tenantVisit) policies(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, p := range v.tenant().Policies {
		users, err := json.Marshal(p.Conditions["users"])
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := out[p.Name]; twice {
			t.Errorf("there are two policies %s", p.Name)
		}
		out[p.Name] = fmt.Sprintf("%s %s %v", p.State, users, p.Grant["builtInControls"])
	}
	return out
}

func (v *tenantVisit) user(name string) sandbox.UserDigest {
	for _, u := range v.tenant().Users {
		if u.Name == name {
			return u
		}
	}
	return sandbox.UserDigest{}
}

// done makes sure that nothing is left to do.
func (v *tenantVisit) finished(t *testing.T) {
	t.Helper()
	if v.look(t); !v.plan.Empty() {
		t.Errorf("a second plan holds %v", writesOf(v.plan))
	}
}

const policyForRewst = `enabled {"includeUsers":["` + rewst + `"]} [mfa]`

func TestFivePolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitTenant(t, sandbox.Options{Scenario: "five-policies"}, nil)
		before := v.policies(t)
		r, _, err := v.run(t)
		if err != nil {
			t.Fatal(err)
		}
		const admin = "admin@contoso.onmicrosoft.com"
		want := map[string]string{
			"Microsoft-managed: Block device code flow":        `enabled {"excludeUsers":["` + admin + `"],"includeUsers":["All"]} [block]`,
			"Require a compliant device for everybody":         `enabled {"excludeUsers":["` + admin + `","` + rewst + `"],"includeUsers":["All"]} [compliantDevice]`,
			"Automation accounts sign in every hour":           `enabled {"excludeUsers":["` + rewst + `"],"includeGroups":["Contoso Automation Accounts"]} <nil>`,
			"Block sign-ins from outside the offices":          `enabled {"excludeUsers":["` + admin + `","` + rewst + `"],"includeUsers":["All"]} [block]`,
			"Require multifactor authentication for everybody": `enabled {"includeUsers":["All"]} [mfa]`,
			accessPolicyName: policyForRewst,
		}
		if diff := cmp.Diff(want, v.policies(t)); diff != "" {
			t.Errorf("policies (-want +got):\n%s\nbefore: %v", diff, before)
		}
		if u := v.user(rewst); u.MFA != "" {
			t.Errorf("the per-user state is %s beside Conditional Access", u.MFA)
		}
		if !strings.Contains(r.Tenant.MFA, accessPolicyName) || len(r.Tenant.Policies) != 4 || r.Proof.Reads != proofReads {
			t.Errorf("the result says %+v, read %d times", r.Tenant, r.Proof.Reads)
		}
		v.finished(t)
	})
}

// Reads that lag neither make a second policy nor take a change back.
func TestPoliciesThatShowLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitTenant(t, sandbox.Options{Scenario: "five-policies", Delays: sandbox.DelaysRealistic}, nil)
		if _, _, err := v.run(t); err != nil {
			t.Fatal(err)
		}
		got := v.policies(t)
		if got[accessPolicyName] != policyForRewst || len(got) != 6 {
			t.Errorf("policies %v", got)
		}
		v.finished(t)
	})
}

// A new account is named in policies as soon as the service behind them knows it.
func TestPoliciesForANewAccount(t *testing.T) {
	for _, delays := range []string{sandbox.DelaysNone, sandbox.DelaysRealistic} {
		synctest.Test(t, func(t *testing.T) {
			v := visitTenant(t, sandbox.Options{Scenario: "policies", Delays: delays}, nil)
			if _, _, err := v.run(t); err != nil {
				t.Fatal(err)
			}
			got := v.policies(t)
			if got[accessPolicyName] != policyForRewst || !strings.Contains(got["Sign in every hour"], rewst) || !strings.Contains(got["Require a compliant device for everybody"], rewst) {
				t.Errorf("policies %v", got)
			}
			v.finished(t)
		})
	}
}

// Somebody else's edit between the plan and the write stays.
func TestPolicyEditedInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitTenant(t, sandbox.Options{Scenario: "five-policies"}, nil)
		v.look(t)
		const name = "Require a compliant device for everybody"
		id := found(t, v.Cloud, "", query(policiesPath, "$filter", "displayName eq "+quote(name))).ID
		adele := found(t, v.Cloud, "", query(users, "$filter", "startswith(userPrincipalName,'adele')")).ID
		var now struct {
			Conditions struct {
				Users struct{ ExcludeUsers []string }
			}
		}
		if err := json.Unmarshal(act(t, v.Cloud, "", http.MethodGet, policiesPath+"/"+id, nil), &now); err != nil {
			t.Fatal(err)
		}
		s := visit{}.signIn(t, v.Cloud, v.answers)
		edit := Change{Kind: KindPolicy, Method: http.MethodPatch, Path: policiesPath + "/" + id, Body: encodeAny(map[string]any{
			"conditions": map[string]any{"users": map[string]any{"includeUsers": []string{"All"}, "excludeUsers": append(now.Conditions.Users.ExcludeUsers, adele)}},
		})}
		e := &engine{Setup: s}
		if r := e.send(t.Context(), []attempt{{Change: edit, path: edit.Path, body: edit.Body}}); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		if _, err := v.setup.Apply(t.Context(), v.plan, ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := v.policies(t)[name]; !strings.Contains(got, "adele@") || !strings.Contains(got, rewst) || !strings.Contains(got, "admin@") {
			t.Errorf("it excludes %s", got)
		}
		for _, e := range v.setup.store.Entries() {
			if e.Name == name && (!strings.Contains(string(e.Before), adele) || !strings.Contains(string(e.Body), adele)) {
				t.Errorf("the journal has %s before and %s after", e.Before, e.Body)
			}
		}
		v.finished(t)
	})
}

// What somebody did by hand in between is not written again.
func TestPolicyDoneInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitTenant(t, sandbox.Options{Scenario: "five-policies"}, nil)
		v.look(t)
		plan := v.plan
		if _, _, err := v.run(t); err != nil {
			t.Fatal(err)
		}
		changes := slices.DeleteFunc(slices.Clone(plan.Changes), func(c Change) bool { return c.Method != "PATCH" })
		plan.Changes = changes
		before := len(v.Requests())
		if _, err := v.setup.Apply(t.Context(), plan, ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, r := range v.Requests()[before:] {
			if r.Write {
				t.Errorf("%s %s was sent", r.Method, r.URL)
			}
		}
	})
}

func TestSecurityDefaultsAndNoLicence(t *testing.T) {
	for _, tt := range []struct {
		scenario, per string
		says          string
	}{
		{"security-defaults", "", "demanded by security defaults"},
		{"no-p1", "enforced", "demanded by its per-user state (enforced)"},
	} {
		t.Run(tt.scenario, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := visitTenant(t, sandbox.Options{Scenario: tt.scenario}, nil)
				r, _, err := v.run(t)
				if err != nil {
					t.Fatal(err)
				}
				if got := v.policies(t); len(got) > 0 {
					t.Errorf("policies %v", got)
				}
				if u := v.user(rewst); u.MFA != tt.per {
					t.Errorf("the per-user state is %q", u.MFA)
				}
				if r.Tenant.MFA != tt.says {
					t.Errorf("the result says %q", r.Tenant.MFA)
				}
				v.finished(t)
			})
		})
	}
}

// Of what cannot be done the checks tell beforehand; without them the service
// refuses, which is explained, and the next run goes on.
func TestPoliciesThatCannotBe(t *testing.T) {
	demand := func(a *state.Answers) { a.ServiceAccount.MFA = state.MFAPolicy }
	for _, tt := range []struct {
		scenario string
		change   func(*state.Answers)
		check    string
	}{
		{"security-defaults", demand, "account-mfa"}, {"no-p1", demand, "account-mfa"}, {"policy-limit", nil, "policy-limit"},
	} {
		t.Run(tt.scenario, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := visitTenant(t, sandbox.Options{Scenario: tt.scenario}, tt.change)
				f := v.look(t)
				for _, c := range ReadyChecks(v.answers, f, PlanOptions{}) {
					if c.Blocks != (c.ID == tt.check) {
						t.Errorf("%s blocks: %v (%s)", c.ID, c.Blocks, c.Evidence)
					}
				}
			})
		})
	}
}

func TestOtherCompaniesMFA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitTenant(t, sandbox.Options{Scenario: "duo"}, nil)
		f := v.look(t)
		for _, c := range ReadyChecks(v.answers, f, PlanOptions{}) {
			if c.ID == "mfa-providers" && (c.State != Warned || !strings.Contains(c.Evidence, "RequireDuoMfa") || !strings.Contains(c.Evidence, `"Duo" is on`)) {
				t.Errorf("%s: %s", c.State, c.Evidence)
			}
		}
		if _, _, err := v.run(t); err != nil {
			t.Fatal(err)
		}
		if got := v.policies(t)["Require Duo for everybody"]; !strings.Contains(got, rewst) {
			t.Errorf("it excludes %s", got)
		}
	})
}

// Each refusal of the service says what helps, leaves nothing in doubt, and the
// next run does what is left.
func TestRefusedPolicies(t *testing.T) {
	for _, tt := range []struct {
		name, code, message string
		status              int
		rule                string
	}{
		{"limit", "BadRequest", "The number of Conditional Access policies exceeds the maximum of 240 for the tenant.", 400, "policy.limit"},
		{"security defaults", "BadRequest", "Security Defaults is enabled in the tenant. You must disable Security defaults before enabling a Conditional Access policy.", 400, "policy.security-defaults"},
		{"licence", "AccessDenied", "Your tenant is not licensed for this feature.", 403, "policy.no-premium"},
		{"scopes", "AccessDenied", "You cannot perform the requested operation, required scopes are missing in the token.", 403, "policy.scopes-missing"},
		{"validation", "BadRequest", "1007: Incoming ConditionalAccessPolicy object is null or does not match the schema of ConditionalAccessPolicy type.", 400, "policy.invalid"},
		{"another validation", "BadRequest", "1009: 'users' condition must include users, groups, roles, guests or external users.", 400, "policy.invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := visitTenant(t, sandbox.Options{Scenario: "five-policies"}, nil)
				refusing := true
				refuse := encodeAny(map[string]any{"error": map[string]string{"code": tt.code, "message": tt.message}})
				v.setup = visit{wrap: func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(r *http.Request) (*http.Response, error) {
						if !refusing || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, policiesPath) {
							return next.RoundTrip(r)
						}
						return &http.Response{
							StatusCode: tt.status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
							Body: io.NopCloser(bytes.NewReader(refuse)), ContentLength: int64(len(refuse)),
						}, nil
					})
				}}.signIn(t, v.Cloud, v.answers)
				before := v.policies(t)
				_, _, err := v.run(t)
				var p *Problem
				if !errors.As(err, &p) || p.Rule != tt.rule || p.Do == "" {
					t.Fatalf("got %+v", err)
				}
				if diff := cmp.Diff(before, v.policies(t)); diff != "" {
					t.Errorf("half done:\n%s", diff)
				}
				for _, e := range v.setup.store.Entries() {
					if e.Open() {
						t.Errorf("%s is in doubt", e.Change)
					}
				}
				refusing = false
				if _, _, err := v.run(t); err != nil {
					t.Fatal(err)
				}
				if got := v.policies(t)[accessPolicyName]; got != policyForRewst {
					t.Errorf("the policy is %s", got)
				}
			})
		})
	}
}

// An answer that is lost makes no second policy, neither in the same run nor in
// the next.
func TestLostAnswersAboutPolicies(t *testing.T) {
	lost := func(do string) []sandbox.Fault {
		return []sandbox.Fault{{Match: sandbox.Match{Method: "POST", Path: "conditionalAccess/policies$"}, Nth: 1, When: "after", Do: do}}
	}
	for _, delays := range []string{sandbox.DelaysNone, sandbox.DelaysRealistic} {
		for _, do := range []string{"500", "reset"} {
			t.Run(do+", "+delays, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := visitTenant(t, sandbox.Options{Scenario: "five-policies", Delays: delays}, nil)
					v.SetFaults(lost(do))
					if _, _, err := v.run(t); err != nil {
						t.Fatal(err)
					}
					if got := v.policies(t); got[accessPolicyName] != policyForRewst || len(got) != 6 {
						t.Errorf("policies %v", got)
					}
					v.finished(t)
				})
			})
		}
	}
}

// A run that ends right after the policy was made leaves one the next run finds,
// however late it shows.
func TestEndedAfterThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitTenant(t, sandbox.Options{Scenario: "five-policies", Delays: sandbox.DelaysRealistic}, nil)
		v.look(t)
		i := slices.IndexFunc(v.plan.Changes, func(c Change) bool { return c.ID == "conditionalaccess/policy" })
		e := &engine{Setup: v.setup, plan: v.plan, refs: map[string]string{}}
		intent := state.Record{At: v.setup.client.Now(), Name: accessPolicyName, Body: v.plan.Changes[i].Body}
		if err := e.unit(t.Context(), v.plan.Changes[i:i+1]); err != nil {
			t.Fatal(err)
		}
		if v.look(t); slices.ContainsFunc(v.plan.Changes, func(c Change) bool { return c.ID == "conditionalaccess/policy" }) {
			t.Error("it would be made again")
		}
		other := visit{}.signIn(t, v.Cloud, v.answers) // with another journal
		for _, later := range []time.Duration{0, time.Hour} {
			doubted := intent
			doubted.At = intent.At.Add(later)
			if refs, err := other.lookForPolicy(t.Context(), doubted); err != nil || (refs == nil) != (later > 0) {
				t.Errorf("a write %s later: found %v, %v", later, refs, err)
			}
		}
		if refs, err := v.setup.lookForPolicy(t.Context(), intent); refs != nil || err != nil {
			t.Errorf("what the journal accounts for is found again: %v, %v", refs, err)
		}
	})
}

// A list that a replica gave which lags lacks what we made and holds what we
// deleted a moment ago.
func TestCorrectPolicies(t *testing.T) {
	policies := func(ids ...string) (out []AccessPolicy) {
		for _, id := range ids {
			out = append(out, AccessPolicy{ID: id})
		}
		return out
	}
	k := journaled{access: policies("made", "seen"), deleted: map[string]bool{"gone": true}}
	f := bare()
	f.Policies = policies("other", "gone", "seen")
	k.forget(f)
	if diff := cmp.Diff(policies("other", "seen", "made"), f.Policies); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
}

// Of an account made in this run "invalid" may mean "not known yet".
func TestPolicyOfAFreshAccount(t *testing.T) {
	c := Change{Kind: KindPolicy, Action: Update, Method: "PATCH", Path: policiesPath + "/x", Body: json.RawMessage(`{"conditions":{}}`)}
	unknown := &msclient.Error{Status: 400, Code: "BadRequest", Message: "1100: 'users' condition contains invalid user ids: x."}
	for _, made := range []bool{false, true} {
		e := &engine{refs: map[string]string{}}
		want := forbidden
		if made {
			e.refs[refAccount+".id"], want = "x", lagging
		}
		if got := judge(c, unknown, e.fresh(c), false); got != want {
			t.Errorf("made %v: got %v, want %v", made, got, want)
		}
		on := &msclient.Error{Status: 400, Code: "BadRequest", Message: "Security Defaults is enabled in the tenant."}
		if got := judge(c, on, e.fresh(c), false); got != forbidden {
			t.Errorf("made %v: security defaults are %v", made, got)
		}
	}
}

// roundTrip answers requests by itself.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
