package steps

import (
	"bytes"
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

	"msbundle/sandbox"
	"msbundle/state"
)

// asked lists what was asked of services since, without sign-ins: methods, and the
// part of the address behind the host.
func asked(c *sandbox.Cloud, since int) []string {
	var out []string
	for _, r := range c.Requests()[since:] {
		if !strings.Contains(r.URL, "/oauth2/") && !strings.Contains(r.URL, "/.well-known/") && !strings.Contains(r.URL, "/discovery/") {
			out = append(out, r.Method+" "+r.URL)
		}
	}
	return out
}

func ofAzure(requests []string) []string {
	return slices.DeleteFunc(slices.Clone(requests), func(r string) bool { return !strings.Contains(r, "management.azure.com") })
}

// azureCase goes through the stage about the tenant with a section about Azure.
type azureCase struct {
	scenario string
	as       string
	change   func(*state.Answers)
	fail     string // code of the error the apply ends with

	reads  int      // requests to Azure of an inspection, at most
	proofs int      // and of an apply and its proof, without the writes
	checks []string // that do not pass
	result []string
	left   int
	writes int // to Azure
}

func azureSection(a *state.Answers) {
	s, z := state.DefaultServiceAccount(), state.DefaultAzure()
	s.Roles, s.MFA = state.RolesLeave, state.MFALeave
	a.ServiceAccount, a.Azure = &s, &z
}

func TestAzureInItsScenarios(t *testing.T) {
	t.Parallel()
	const sub = "Subscription Contoso production"
	for name, v := range map[string]azureCase{
		"an empty subscription": {
			scenario: "empty-tenant", reads: 5, writes: 4, proofs: 9, result: []string{sub, "Key vault rewst-contoso", "Contributor for " + rewst},
		},
		"no vault": {
			scenario: "no-vault", reads: 6, writes: 3, proofs: 7, result: []string{sub, "Key vault rewst-contoso", "Contributor for " + rewst},
		},
		"a vault": {
			scenario: "happy", reads: 3, writes: 1, proofs: 3, result: []string{sub, "Key vault contoso-rewst", "Contributor for " + rewst},
		},
		"not registered": {
			scenario: "provider-missing", reads: 5, writes: 4, proofs: 9, result: []string{sub, "Key vault rewst-contoso", "Contributor for " + rewst},
		},
		"a deleted vault has the name": {
			scenario: "vault-name-deleted", reads: 7, writes: 3, proofs: 7, result: []string{sub, "Key vault rewst-contoso-2", "Contributor for " + rewst},
		},
		"a deleted vault has the name of the answers": {
			scenario: "vault-name-deleted", change: func(a *state.Answers) { a.Azure.Vault = "Rewst-Contoso" }, reads: 7, writes: 1, proofs: 3, left: 1,
			checks: []string{"azure-vault"}, result: []string{sub, "Contributor for " + rewst},
		},
		"somebody's vault has the name": {
			scenario: "vault-name-taken", reads: 7, writes: 3, proofs: 7, result: []string{sub, "Key vault rewst-contoso-2", "Contributor for " + rewst},
		},
		"a reader": {
			scenario: "azure-reader", reads: 3, left: 2, checks: []string{"azure-vault", "azure-role"}, result: []string{sub},
		},
		"the owner instead": {
			scenario: "azure-reader", as: owner, reads: 6, writes: 3, proofs: 7, result: []string{sub, "Key vault rewst-contoso", "Contributor for " + rewst},
		},
		"no subscription": {scenario: "no-subscription", reads: 1, left: 1, checks: []string{"azure-subscription"}},
		"no such region": {
			scenario: "no-vault", change: func(a *state.Answers) { a.Azure.Location = "atlantis" }, reads: 6, writes: 1, proofs: 3, left: 1,
			checks: []string{"azure-vault"}, result: []string{sub, "Contributor for " + rewst},
		},
		"a policy": {scenario: "azure-policy", reads: 6, fail: "RequestDisallowedByPolicy", writes: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { v.run(t) })
		})
	}
}

func (v azureCase) run(t *testing.T) {
	c, err := sandbox.New(sandbox.Options{Scenario: v.scenario, Approve: sandbox.ApproveNow})
	if err != nil {
		t.Fatal(err)
	}
	a := everything("minimum")
	azureSection(&a)
	if v.change != nil {
		v.change(&a)
	}
	s := visit{as: v.as}.signIn(t, c, a)
	inspect := func() *Findings {
		t.Helper()
		begun := len(c.Requests())
		f, err := s.InspectTenant(t.Context(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := asked(c, begun); len(ofAzure(got)) > v.reads || len(got) > 12 {
			t.Errorf("%d requests, of them %d to Azure:\n%s", len(got), len(ofAzure(got)), strings.Join(got, "\n"))
		}
		return f
	}
	f := inspect()
	var bad []string
	for _, k := range azureChecks(a, f) {
		if k.State != Passed {
			bad = append(bad, k.ID)
		}
	}
	if diff := cmp.Diff(v.checks, bad); diff != "" {
		t.Errorf("checks that do not pass (-want +got):\n%s", diff)
	}
	begun := len(c.Requests())
	o := PlanOptions{Stage: StageTenant}
	r, err := s.Apply(t.Context(), MakePlan(a, f, o), ApplyOptions{})
	sent := asked(c, begun)
	writes := slices.DeleteFunc(ofAzure(sent), func(r string) bool {
		return strings.HasPrefix(r, http.MethodGet) || strings.Contains(r, "checkNameAvailability")
	})
	if len(writes) != v.writes {
		t.Errorf("%d writes to Azure, want %d:\n%s", len(writes), v.writes, strings.Join(writes, "\n"))
	}
	if len(sent) > 45 {
		t.Errorf("%d requests to apply and prove:\n%s", len(sent), strings.Join(sent, "\n"))
	}
	if v.fail != "" {
		var p *Problem
		if !errors.As(err, &p) || p.Code != v.fail || p.Do == "" || p.Rule == "" {
			t.Fatalf("got %#v, want %s", err, v.fail)
		}
		if f = inspect(); f.Ready.Azure.Group == "" && f.Ready.Azure.Vault != "" {
			t.Errorf("half done: %+v", f.Ready.Azure)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v: %s", err, fmt.Sprintf("%+v", err))
	}
	if diff := cmp.Diff(len(v.result), len(r.Tenant.Azure)); diff != "" {
		t.Errorf("got %q, want %q", r.Tenant.Azure, v.result)
	} else {
		for i, want := range v.result {
			if !strings.HasPrefix(r.Tenant.Azure[i], want) {
				t.Errorf("got %q, want %q", r.Tenant.Azure, v.result)
			}
		}
	}
	if left := azureLeft(a, f); len(left) != v.left {
		t.Errorf("left for a person: %q", left)
	}
	if proofs := len(ofAzure(sent)) - len(writes); proofs > v.proofs {
		t.Errorf("%d requests to Azure besides the writes, want %d at most:\n%s", proofs, v.proofs, strings.Join(ofAzure(sent), "\n"))
	}
	if p := MakePlan(a, inspect(), o); !p.Empty() {
		t.Errorf("the second plan is not empty: %q", writesOf(p))
	}
}

// Whatever becomes of the answers of the writes, the end is the same and nothing is
// there twice. In slow directories too.
func TestAzureEndsTheSameWhateverIsLost(t *testing.T) {
	t.Parallel()
	end := func(t *testing.T, delays string, faults ...sandbox.Fault) (digest string, azure *sandbox.AzureDigest) {
		c, err := sandbox.New(sandbox.Options{Scenario: "empty-tenant", Approve: sandbox.ApproveNow, Delays: delays})
		if err != nil {
			t.Fatal(err)
		}
		a := everything("minimum")
		azureSection(&a)
		s := visit{}.signIn(t, c, a)
		for tries := 0; ; tries++ {
			f, err := s.InspectTenant(t.Context(), a, nil)
			if err != nil {
				t.Fatal(err)
			}
			p := MakePlan(a, f, PlanOptions{Stage: StageTenant})
			if tries == 0 {
				c.SetFaults(faults)
			}
			if _, err = s.Apply(t.Context(), p, ApplyOptions{}); err == nil {
				break
			}
			if tries > 2 {
				t.Fatal(err)
			}
		}
		d := c.Digest()
		for _, r := range c.Requests() {
			if strings.Contains(r.URL, "management.azure.com") && r.Status == http.StatusConflict {
				t.Errorf("Azure was not waited for: %s %s", r.Method, r.URL)
			}
		}
		return d.SHA256, d.Tenants[c.Tenant().Name].Azure
	}
	want := ""
	synctest.Test(t, func(t *testing.T) {
		var azure *sandbox.AzureDigest
		want, azure = end(t, sandbox.DelaysNone)
		if azure == nil || len(azure.Vaults) != 1 || azure.Vaults[0].Name != "rewst-contoso" || !azure.Vaults[0].RBAC || len(azure.ResourceGroups) != 1 || len(azure.RoleAssignments) != 2 {
			t.Errorf("Azure holds %+v", azure)
		}
	})
	for _, what := range []string{"register", "resourceGroups/rewst$", "vaults/rewst-contoso$", "roleAssignments/"} {
		for _, when := range []string{"before", "after"} {
			for _, do := range []string{"500", "reset", "429"} {
				if do == "429" && when == "after" {
					continue
				}
				t.Run(fmt.Sprint(what, " ", do, " ", when), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						got, azure := end(t, sandbox.DelaysNone, sandbox.Fault{Match: sandbox.Match{Path: "(?i)" + what}, Nth: 1, When: when, Do: do})
						if got != want {
							t.Errorf("the end is another: %+v", azure)
						}
					})
				})
			}
		}
	}
	t.Run("slow", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if got, azure := end(t, sandbox.DelaysRealistic); got != want {
				t.Errorf("the end is another: %+v", azure)
			}
		})
	})
}

// A run that ended while the answer about the vault was on its way is gone on with,
// although no list shows the vault yet.
func TestAVaultOfOursIsNoStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := sandbox.New(sandbox.Options{Scenario: "no-vault", Approve: sandbox.ApproveNow})
		if err != nil {
			t.Fatal(err)
		}
		a := everything("minimum")
		azureSection(&a)
		hide := false
		s := visit{wrap: func(next http.RoundTripper) http.RoundTripper {
			return transport{next, func(r *http.Request, body []byte) []byte {
				if hide && strings.HasSuffix(r.URL.Path, "/vaults") {
					return []byte(`{"value":[]}`)
				}
				return body
			}}
		}}.signIn(t, c, a)
		look := func() *Findings {
			t.Helper()
			f, err := s.InspectTenant(t.Context(), a, nil)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		p := MakePlan(a, look(), PlanOptions{Stage: StageTenant})
		at := slices.IndexFunc(p.Changes, func(c Change) bool { return c.Kind == KindVault })
		p.Changes = p.Changes[:at+1]
		c.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Path: "vaults/rewst-contoso$"}, Nth: 1, When: "after", Do: "500"}})
		e := &engine{Setup: s, plan: p, refs: map[string]string{}}
		ctx := t.Context()
		if err := e.run(ctx); err != nil {
			t.Fatal(err)
		}
		hide = true
		if f := look(); f.Ready.Azure.Vault != "rewst-contoso" {
			t.Errorf("a name of our own is taken for a stranger's: %+v", f.Ready.Azure)
		}
		c.Advance(replicationHorizon + time.Minute)
		if f := look(); f.Ready.Azure.Vault != "" || f.Ready.Azure.Name != "rewst-contoso-2" {
			t.Errorf("later on it counts as gone, and its name as taken: %+v", f.Ready.Azure)
		}
	})
}

// A name that turns out to be taken once the subscription is registered is a
// problem that helps, and the next run takes another one.
func TestANameThatTurnsOutToBeTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := sandbox.New(sandbox.Options{Scenario: "empty-tenant", Approve: sandbox.ApproveNow})
		if err != nil {
			t.Fatal(err)
		}
		a := everything("minimum")
		azureSection(&a)
		s := visit{wrap: func(next http.RoundTripper) http.RoundTripper { return taken{next, "rewst-contoso"} }}.signIn(t, c, a)
		run := func() (*Result, error) {
			t.Helper()
			f, err := s.InspectTenant(t.Context(), a, nil)
			if err != nil {
				t.Fatal(err)
			}
			return s.Apply(t.Context(), MakePlan(a, f, PlanOptions{Stage: StageTenant}), ApplyOptions{})
		}
		var p *Problem
		if _, err := run(); !errors.As(err, &p) || p.Rule != "azure.vault-name-taken" {
			t.Fatalf("got %v", err)
		}
		if r, err := run(); err != nil || len(r.Tenant.Azure) != 3 || r.Tenant.Azure[1] != "Key vault rewst-contoso-2" {
			t.Errorf("got %v, %+v", err, r)
		}
	})
}

// Azure's parts learn of a registration one after another: what it refuses right
// after one is tried again. Before there is one, some refuse to list anything.
func TestARegistrationThatIsNotKnownEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := sandbox.New(sandbox.Options{Scenario: "empty-tenant", Approve: sandbox.ApproveNow})
		if err != nil {
			t.Fatal(err)
		}
		a := everything("minimum")
		azureSection(&a)
		u := &unaware{lists: 1, writes: 3}
		s := visit{wrap: func(next http.RoundTripper) http.RoundTripper { u.next = next; return u }}.signIn(t, c, a)
		f, err := s.InspectTenant(t.Context(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Apply(t.Context(), MakePlan(a, f, PlanOptions{Stage: StageTenant}), ApplyOptions{})
		if err != nil || len(r.Tenant.Azure) != 3 || u.lists != 0 || u.writes != 0 {
			t.Errorf("got %v, %+v; %d and %d refusals are left", err, r, u.lists, u.writes)
		}
	})
}

// unaware refuses to list and to make key vaults a few times.
type unaware struct {
	next          http.RoundTripper
	lists, writes int
}

func (u *unaware) RoundTrip(r *http.Request) (*http.Response, error) {
	left := &u.writes
	switch {
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/Microsoft.KeyVault/vaults"):
		left = &u.lists
	case r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/vaults/"):
		return u.next.RoundTrip(r)
	}
	if *left == 0 {
		return u.next.RoundTrip(r)
	}
	*left--
	return answered(r, 409, `{"error":{"code":"MissingSubscriptionRegistration","message":"The subscription is not registered to use namespace 'Microsoft.KeyVault'."}}`)
}

func answered(r *http.Request, status int, text string) (*http.Response, error) {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r,
	}, nil
}

// taken has a name of a key vault be somebody's.
type taken struct {
	next http.RoundTripper
	name string
}

func (t taken) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/vaults/"+t.name):
		return answered(r, 409, `{"error":{"code":"VaultAlreadyExists","message":"The vault name is already in use."}}`)
	case strings.HasSuffix(r.URL.Path, "/checkNameAvailability"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(body), `"`+t.name+`"`) {
			return answered(r, 200, `{"nameAvailable":false,"reason":"AlreadyExists","message":"taken"}`)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return t.next.RoundTrip(r)
}

// Whoever leaves the sign-in to Azure out gets everything else.
func TestAzureWithoutItsSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := sandbox.New(sandbox.Options{Scenario: "empty-tenant", Approve: sandbox.ApproveNow})
		if err != nil {
			t.Fatal(err)
		}
		a := everything("minimum")
		azureSection(&a)
		s := visit{skip: true}.signIn(t, c, a)
		f, err := s.InspectTenant(t.Context(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Apply(t.Context(), MakePlan(a, f, PlanOptions{Stage: StageTenant}), ApplyOptions{})
		if err != nil || r.Tenant.Account != rewst || len(r.Tenant.Azure) != 0 || !slices.ContainsFunc(r.Tenant.Left, func(l string) bool { return strings.HasPrefix(l, "Azure was left out. It takes one more sign-in") }) {
			t.Errorf("got %v, %+v", err, r)
		}
	})
}

// An inspection of everything asks for Azure once, whether the integration is
// chosen or the section is there.
func TestAzureIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := sandbox.New(sandbox.Options{Scenario: "no-vault", Approve: sandbox.ApproveNow})
		if err != nil {
			t.Fatal(err)
		}
		a := everything("minimum")
		azureSection(&a)
		s := visit{}.signIn(t, c, a)
		none, err := sandbox.New(sandbox.Options{Scenario: "no-subscription", Approve: sandbox.ApproveNow})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (visit{}).signIn(t, none, a).Inspect(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
		if got := ofAzure(asked(none, 0)); len(got) != 1 {
			t.Errorf("without a subscription: asked\n%s", strings.Join(got, "\n"))
		}
		for _, with := range []bool{true, false} {
			if !with {
				a.Integrations = slices.DeleteFunc(a.Integrations, func(i string) bool { return i == "azure" })
			}
			begun := len(c.Requests())
			f, err := s.Inspect(t.Context(), a, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := ofAzure(asked(c, begun)); len(got) > 6 || f.Ready.Azure.Name != "rewst-contoso" {
				t.Errorf("integration %v: asked\n%s\nand found %+v", with, strings.Join(got, "\n"), f.Ready.Azure)
			}
		}
	})
}
