package steps

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

func exchangeSection(a *state.Answers) {
	x := state.DefaultExchange()
	a.Exchange = &x
}

func TestPlanOfExchange(t *testing.T) {
	const write = "POST /roleManagement/directory/roleAssignments " + catalog.RoleExchangeAdministrator
	held := func(role string) *AppRoles {
		return &AppRoles{ObjectID: "sp-object", Name: "Rewst Integration", Roles: []RoleGiven{{RoleID: role, Scope: "/"}}}
	}
	for _, c := range []struct {
		name   string
		change func(*state.Answers, *Findings)
		stage  Stage
		want   []string // writes of the step
		body   string   // part of one
		check  CheckState
		note   string
	}{
		{name: "no section", change: func(a *state.Answers, _ *Findings) { a.Exchange = nil }},
		{name: "not asked for", change: func(a *state.Answers, _ *Findings) { a.Exchange.Administrator = false }},
		{name: "the app is there", stage: StageTenant, want: []string{write}, body: `"principalId":"sp-object"`},
		{name: "the app has it", stage: StageTenant, change: func(_ *state.Answers, f *Findings) { f.Ready.App = held(catalog.RoleExchangeAdministrator) }},
		{name: "a greater role", stage: StageTenant, change: func(_ *state.Answers, f *Findings) { f.Ready.App = held(catalog.RoleGlobalAdministrator) }},
		{name: "another role", stage: StageTenant, change: func(_ *state.Answers, f *Findings) { f.Ready.App = held(roleUserAdministrator) }, want: []string{write}},
		{name: "for a part only", stage: StageTenant, change: func(_ *state.Answers, f *Findings) {
			f.Ready.App = held(catalog.RoleExchangeAdministrator)
			f.Ready.App.Roles[0].Scope = "/administrativeUnits/x"
		}, want: []string{write}},
		{
			name: "the app is made in the same plan", change: func(_ *state.Answers, f *Findings) { f.App, f.Principal, f.Ready.App = nil, nil, nil },
			want: []string{write}, body: `"principalId":"${sp.id}"`,
		},
		{
			name: "there is no app", stage: StageTenant, change: func(_ *state.Answers, f *Findings) { f.App, f.Principal, f.Ready.App = nil, nil, nil },
			check: Failed, note: "There is no app of the setup",
		},
		{name: "the connector", change: func(a *state.Answers, _ *Findings) { connector(a) }},
		{name: "no plan with mailboxes", stage: StageTenant, change: func(_ *state.Answers, f *Findings) { f.Plans = nil }, want: []string{write}, check: Warned},
		{
			name: "without the permission", stage: StageTenant, change: func(a *state.Answers, _ *Findings) { a.Integrations = []string{catalog.Graph} },
			want: []string{write}, check: Warned,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := everything("minimum")
			exchangeSection(&a)
			f := done(t, MakePlan(a, bare(), PlanOptions{}))
			f.Ready = &Readiness{App: &AppRoles{ObjectID: "sp-object", Name: "Rewst Integration"}}
			if c.change != nil {
				c.change(&a, f)
			}
			p := MakePlan(a, f, PlanOptions{Stage: c.stage})
			var got []string
			for i, w := range writesOf(p) {
				if p.Changes[i].Step != stepExchange {
					continue
				}
				got = append(got, w)
				if !strings.Contains(string(p.Changes[i].Body), c.body) || !strings.Contains(string(p.Changes[i].Body), `"directoryScopeId":"/"`) {
					t.Errorf("sends %s", p.Changes[i].Body)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for _, k := range exchangeChecks(a, f, PlanOptions{Stage: c.stage}) {
				if k.State != c.check || k.Evidence == "" || (k.State == Passed) != (k.Fix == "") {
					t.Errorf("the check: %+v", k)
				}
			}
			if c.note != "" && (len(p.Notes) != 1 || !strings.Contains(p.Notes[0].Text, c.note)) {
				t.Errorf("notes: %v", p.Notes)
			}
			if left := exchangeLeft(a, f, PlanOptions{Stage: c.stage}); (len(left) > 0) != (c.check == Failed) {
				t.Errorf("left for a person: %q", left)
			}
		})
	}
}

func TestExchangeLags(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{&msclient.Error{Status: 401}, true},
		{&msclient.Error{Status: 403, Message: "The cmdlet is not present in the role definition of the current user."}, true},
		{&msclient.Error{Status: 403, Message: "Forbidden"}, false},
		{&msclient.Error{Status: 400, Message: "the subscription within the tenant has lapsed"}, false},
		{&msclient.AuthError{OAuth: "invalid_client", Codes: []int{7000215}}, true},
		{&msclient.AuthError{OAuth: "unauthorized_client", Codes: []int{700016}}, true},
		{&msclient.AuthError{OAuth: "access_denied", Codes: []int{53003}}, false},
		{errors.New("lost"), false},
	} {
		if got := exchangeLags(c.err); got != c.want {
			t.Errorf("%v: got %v", c.err, got)
		}
	}
}

// The role is proven by asking Exchange as the app, in the run that has the secret;
// in any other one it is said that this could not be tried.
func TestExchangeInItsScenarios(t *testing.T) {
	const role = "Exchange Administrator; "
	for name, v := range map[string]struct {
		scenario, delays, want string
		lacks                  bool // the permission
		faults                 []sandbox.Fault
		calls                  int // to Exchange
	}{
		"in force":          {scenario: "happy", want: "tried: Exchange answered for contoso.onmicrosoft.com", calls: 1},
		"not in force yet":  {scenario: "happy", delays: sandbox.DelaysRealistic, want: "not in force yet; Microsoft takes up to an hour", calls: 7},
		"no plan":           {scenario: "no-exchange", want: "tried, and refused. ", calls: 1},
		"no permission":     {scenario: "happy", lacks: true, want: "not tried: the app does not have Exchange.ManageAsApp"},
		"it fails for good": {scenario: "happy", faults: []sandbox.Fault{{Match: sandbox.Match{Path: "InvokeCommand"}, Do: "500"}}, want: "tried, and refused. ", calls: 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := sandbox.New(sandbox.Options{Scenario: v.scenario, Approve: sandbox.ApproveNow, Delays: v.delays})
				if err != nil {
					t.Fatal(err)
				}
				a := everything("minimum")
				exchangeSection(&a)
				if v.lacks {
					a.Integrations = []string{catalog.Graph}
				}
				s := visit{}.signIn(t, c, a)
				run := func(o PlanOptions) (*Result, Plan) {
					t.Helper()
					f, err := s.Inspect(t.Context(), a, nil)
					if err != nil {
						t.Fatal(err)
					}
					p := MakePlan(a, f, o)
					r, err := s.Apply(t.Context(), p, ApplyOptions{Deliver: func(Secret) error { return nil }})
					if err != nil {
						t.Fatal(err)
					}
					return r, p
				}
				c.SetFaults(v.faults)
				begun := len(c.Requests())
				r, _ := run(PlanOptions{Secret: true})
				if !strings.HasPrefix(r.Tenant.Exchange, role+v.want) {
					t.Errorf("got %q, want %q", r.Tenant.Exchange, role+v.want)
				}
				calls := 0
				for _, request := range asked(c, begun) {
					if strings.Contains(request, "InvokeCommand") {
						calls++
					}
				}
				if calls != v.calls {
					t.Errorf("%d calls of Exchange, want %d", calls, v.calls)
				}
				t.Logf("%q after %d calls", r.Tenant.Exchange, calls)
				if v.calls == 1 { // a later stage of the same process knows the secret too
					if later, _ := run(PlanOptions{Secret: true}); later.Tenant.Exchange != r.Tenant.Exchange {
						t.Errorf("in the same process: got %q, want %q", later.Tenant.Exchange, r.Tenant.Exchange)
					}
				}
				s.made = ownSecret{} // as another process
				again, p := run(PlanOptions{Secret: true})
				if !p.Empty() {
					t.Errorf("the second plan is not empty: %q", writesOf(p))
				}
				if want := role + "could not be tried: the client secret is not known here"; !v.lacks && again.Tenant.Exchange != want {
					t.Errorf("the second time: got %q, want %q", again.Tenant.Exchange, want)
				}
			})
		})
	}
}

// In the stage about the tenant alone the app has to be there.
func TestExchangeWithoutAnApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := sandbox.New(sandbox.Options{Scenario: "happy", Approve: sandbox.ApproveNow})
		if err != nil {
			t.Fatal(err)
		}
		a := everything("minimum")
		exchangeSection(&a)
		s := visit{}.signIn(t, c, a)
		f, err := s.InspectTenant(t.Context(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Apply(t.Context(), MakePlan(a, f, PlanOptions{Stage: StageTenant}), ApplyOptions{})
		if err != nil || r.Written != 0 || r.Tenant.Exchange != "" || len(r.Tenant.Left) != 1 {
			t.Errorf("got %v, %+v", err, r)
		}
	})
}
