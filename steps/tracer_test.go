package steps

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
	"msbundle/state"
)

// Each way is broken at one link, and that one is named.
func TestTraceNamesTheBrokenLink(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string]struct{ link, says string }{
		"trace-whole":             {"", ""},
		"trace-no-account":        {LinkAccount, "no account rewst@contoso.onmicrosoft.com"},
		"trace-disabled":          {LinkEnabled, "disabled"},
		"trace-no-mfa":            {LinkMFA, "Nothing demands it"},
		"trace-not-agent":         {LinkAgent, "Admin agent"},
		"trace-no-group":          {LinkGroup, "no group for Exchange Administrator"},
		"trace-not-member":        {LinkMember, "not in the group"},
		"trace-no-relationship":   {LinkRelationship, "none with Fabrikam"},
		"trace-migrated":          {LinkRelationship, "MLT_"},
		"trace-pending":           {LinkState, "granularAdminRelationships/"},
		"trace-ended":             {LinkState, "was ended"},
		"trace-role-missing":      {LinkRole, "does not carry Exchange Administrator"},
		"trace-not-assigned":      {LinkAssignment, "No group has Exchange Administrator"},
		"trace-group-remade":      {LinkAssignment, "deleted and made again"},
		"trace-assignment-failed": {LinkActive, "failed"},
		"trace-no-consent":        {LinkConsent, "nobody has consented"},
		"trace-policy":            {LinkPolicy, "Block sign-ins from outside the offices"},
		"trace-no-licence":        {LinkLicence, "Exchange Online"},
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud, err := sandbox.New(sandbox.Options{Scenario: scenario, Approve: sandbox.ApproveNow})
				if err != nil {
					t.Fatal(err)
				}
				a := state.DefaultAnswers()
				s := visit{}.signIn(t, cloud, a)
				got, err := s.TraceCustomer(t.Context(), a, "Fabrikam", []string{catalog.RoleExchangeAdministrator}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Links) != len(linkTitles) {
					t.Errorf("%d links, want all %d: %+v", len(got.Links), len(linkTitles), got.Links)
				}
				if slices.ContainsFunc(cloud.Requests(), func(r sandbox.Request) bool { return r.Write }) {
					t.Error("following a way wrote")
				}
				var first Link
				broken := Broken(got.Links)
				if len(broken) > 0 {
					first = broken[0]
				}
				if first.ID != want.link || len(broken) != min(len(want.link), 1) {
					t.Fatalf("broken: got %+v, want %q\n%+v", broken, want.link, got.Links)
				}
				if !strings.Contains(first.Evidence+" "+first.Fix, want.says) || want.link != "" && first.Fix == "" {
					t.Errorf("it says %q and %q, want %q", first.Evidence, first.Fix, want.says)
				}
				for _, l := range got.Links {
					if l.Title == "" || l.Evidence == "" || l.State == Passed && l.Fix != "" {
						t.Errorf("incomplete: %+v", l)
					}
					if l.State == Unknown && want.link == "" {
						t.Errorf("not told: %+v", l)
					}
				}
			})
		})
	}
}

// What 'msbundle undo' ended is not put down to the customers.
func TestOwnEndsAreOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 2})
		w.untilReady()
		w.undo(OfferTerminate)
		time.Sleep(time.Hour)
		s := w.run()
		f, err := s.InspectTenant(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		p := MakePlan(w.answers, f, gdapStage)
		if says(p, "declined, lapsed or was ended") || !says(p, "2 customers: ") || !says(p, "ended here, by 'msbundle undo'") {
			t.Errorf("notes: %v", p.Notes)
		}
		way, err := s.TraceCustomer(t.Context(), w.answers, f.Delegation.Customers[0].TenantID, nil, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		if !slices.ContainsFunc(Broken(way.Links), func(l Link) bool { return l.ID == LinkState && strings.Contains(l.Evidence, "ended here") }) {
			t.Errorf("the way: %+v", Broken(way.Links))
		}
	})
}

// The checks of the stage and the tracer say the same of the account.
func TestChecksAgreeWithTheTracer(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string]struct {
		check string
		state CheckState
	}{
		"trace-whole":    {"account-mfa", Passed},
		"trace-no-mfa":   {"account-mfa", Warned},
		"trace-disabled": {CheckDelegate, Failed},
	} {
		synctest.Test(t, func(t *testing.T) {
			cloud, err := sandbox.New(sandbox.Options{Scenario: scenario, Approve: sandbox.ApproveNow})
			if err != nil {
				t.Fatal(err)
			}
			a, gdap, account := state.DefaultAnswers(), state.DefaultGDAP(), state.DefaultServiceAccount()
			a.NoApp, a.GDAP = true, &gdap
			if want.check == "account-mfa" {
				account.Roles, account.MFA = state.RolesLeave, state.MFALeave
				a.ServiceAccount = &account
			}
			f, err := visit{}.signIn(t, cloud, a).Inspect(t.Context(), a, nil)
			if err != nil {
				t.Fatal(err)
			}
			checks := Preflight(a, f, PlanOptions{Stage: StageRest})
			i := slices.IndexFunc(checks, func(c Check) bool { return c.ID == want.check })
			if i < 0 || checks[i].State != want.state || (checks[i].Fix == "") != (want.state == Passed) || checks[i].Blocks {
				t.Errorf("%s: %+v", scenario, checks)
			}
		})
	}
}

// Where nobody looked at the policies, nobody says that they do not demand it.
func TestPoliciesNotLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, err := sandbox.New(sandbox.Options{Scenario: "trace-whole", Approve: sandbox.ApproveNow})
		if err != nil {
			t.Fatal(err)
		}
		a, account := state.DefaultAnswers(), state.DefaultServiceAccount()
		account.Roles, account.MFA = state.RolesLeave, state.MFALeave
		a.NoApp, a.ServiceAccount = true, &account
		f, err := visit{}.signIn(t, cloud, a).InspectTenant(t.Context(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c := checkAccountMFA(a, f); c.State != Passed || !strings.Contains(c.Evidence, "no policy was looked at") {
			t.Errorf("%+v", c)
		}
	})
}

func TestGivenRole(t *testing.T) {
	t.Parallel()
	const role = catalog.RoleExchangeAdministrator
	own := func(status string) Access { return Access{Group: "OURS", Status: status, Roles: []string{role}} }
	other := func(status string) Access { return Access{Group: "theirs", Status: status, Roles: []string{role}} }
	for name, c := range map[string]struct {
		access []Access
		own    bool
		status string
	}{
		"nothing":              {nil, false, ""},
		"in force":             {[]Access{own("error"), own("active"), own("deleted")}, true, "active"},
		"deleted stays listed": {[]Access{own("deleted"), own("deleting")}, false, ""},
		"deleted, and another": {[]Access{own("deleted"), other("active")}, false, "active"},
		"ours comes first":     {[]Access{other("active"), own("pending")}, true, "pending"},
		"failed":               {[]Access{own("error"), other("active")}, true, "error"},
		"another role":         {[]Access{{Group: "ours", Status: "active", Roles: []string{catalog.RoleGlobalAdministrator}}}, false, ""},
	} {
		tr := trace{d: &Delegation{Groups: map[string]*RoleGroup{role: {ID: "ours"}}}, chosen: &Relationship{Access: c.access}}
		if own, status := tr.given(role); own != c.own || status != c.status {
			t.Errorf("%s: got %v %q, want %v %q", name, own, status, c.own, c.status)
		}
	}
}

// The way leads through the relationship that carries the role, even where another
// one is in force; and what is broken besides is not hidden by the first.
func TestTraceChoosesRelationship(t *testing.T) {
	t.Parallel()
	const role = catalog.RoleExchangeAdministrator
	some := func(name, status string, day int, roles ...string) Relationship {
		return Relationship{ID: name, Name: name, Status: status, Tenant: "1", Roles: roles, Created: time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)}
	}
	for name, c := range map[string]struct {
		want string
		list []Relationship
	}{
		"waiting with the role":   {"with", []Relationship{some("helpdesk", RelationActive, 9, roleUserAdministrator), some("with", RelationPending, 1, role)}},
		"active with the role":    {"with", []Relationship{some("asked", RelationPending, 9, role), some("with", RelationActive, 1, role)}},
		"the nearest":             {"helpdesk", []Relationship{some("helpdesk", RelationActive, 1, roleUserAdministrator), some("asked", RelationPending, 9, roleUserAdministrator)}},
		"in force, and one over":  {"helpdesk", []Relationship{some("helpdesk", RelationActive, 1, roleUserAdministrator), some("over", "terminated", 9, role)}},
		"ending, and one over":    {"ending", []Relationship{some("ending", "expiring", 1, role), some("over", "expired", 9, role)}},
		"waiting, and one ending": {"with", []Relationship{some("ending", "expiring", 9, role), some("with", RelationPending, 1, role)}},
		"the last one over":       {"last", []Relationship{some("first", "terminated", 1, role), some("last", "expired", 9, role), some("MLT_1", RelationActive, 9, role)}},
	} {
		f := &Findings{Delegation: &Delegation{Relationships: c.list, UPN: "rewst@contoso.com"}, Ready: &Readiness{}, Around: Around{Unread: map[Part]Unread{}}}
		a := Traced(state.DefaultAnswers())
		links := Trace(a, f, Customer{TenantID: "1", Name: "Fabrikam"}, CustomerSide{}, []string{role})
		i := slices.IndexFunc(links, func(l Link) bool { return l.ID == LinkRelationship })
		if got := links[i].Evidence; got != `"`+c.want+`"` {
			t.Errorf("%s: got %s, want %q", name, got, c.want)
		}
		broken := Broken(links)
		if broken[0].ID != LinkAccount || c.want == "with" && !slices.ContainsFunc(broken, func(l Link) bool { return l.ID == LinkGroup }) {
			t.Errorf("%s: broken: %+v", name, broken)
		}
		if waits := slices.ContainsFunc(broken, func(l Link) bool { return l.ID == LinkState && strings.Contains(l.Fix, InvitationLink("with")) }); waits != strings.Contains(name, "waiting") {
			t.Errorf("%s: the missing approval is named: %v\n%+v", name, waits, broken)
		}
	}
}

func TestFindCustomer(t *testing.T) {
	t.Parallel()
	list := everyCustomer(&Delegation{Relationships: []Relationship{
		{Tenant: "6666", Customer: "Tailspin Toys"}, {Tenant: "1111", Customer: "Known"}, {Tenant: "6666", Customer: "Twice"}, {},
	}, Customers: []Customer{
		{"1111", "Fabrikam", "fabrikam.com"},
		{"2222", "Fabrikam Research", "research.fabrikam.com"},
		{"3333", "Contoso", "one.example"},
		{"4444", "contoso", "two.example"},
		{"5555", "Wingtip Toys", "wingtiptoys.com"},
	}})
	for text, want := range map[string]string{
		"fabrikam": "1111", " FABRIKAM.com ": "1111", "2222": "2222", "fabrikam r": "2222", "wing": "5555", "two.example": "4444", "tailspin": "6666",
		"fab": "", "contoso": "", "nobody": "", "": "", "Known": "", "Twice": "",
	} {
		got, err := findCustomer(list, text)
		if got.TenantID != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got.TenantID, err, want)
		}
	}
	for text, want := range map[string]string{"fab": "2 customers have names that begin with", "contoso": "2 customers are called"} {
		if _, err := findCustomer(list, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v does not say %q", text, err, want)
		}
	}
}

// Of a customer's policies only those count that reach people of this partner.
func TestReachesProvider(t *testing.T) {
	t.Parallel()
	const partner = "024072f6-9f6f-4b0d-b84a-a91d1cc637d7"
	provider := func(tenants string) string {
		return `{"guestOrExternalUserTypes":"internalGuest,serviceProvider","externalTenants":` + tenants + `}`
	}
	everybody, us, others := provider(`{"membershipKind":"all"}`), provider(`{"membershipKind":"enumerated","members":["`+strings.ToUpper(partner)+`"]}`), provider(`{"membershipKind":"enumerated","members":["x"]}`)
	for name, c := range map[string]struct {
		users string
		want  bool
	}{
		"everybody":             {`{"includeUsers":["All"]}`, true},
		"everybody but them":    {`{"includeUsers":["All"],"excludeGuestsOrExternalUsers":` + everybody + `}`, false},
		"everybody but us":      {`{"includeUsers":["All"],"excludeGuestsOrExternalUsers":` + us + `}`, false},
		"everybody but another": {`{"includeUsers":["All"],"excludeGuestsOrExternalUsers":` + others + `}`, true},
		"all guests":            {`{"includeUsers":["GuestsOrExternalUsers"]}`, true},
		"service providers":     {`{"includeUsers":[],"includeGuestsOrExternalUsers":` + everybody + `}`, true},
		"another provider":      {`{"includeUsers":[],"includeGuestsOrExternalUsers":` + others + `}`, false},
		"plain guests":          {`{"includeUsers":[],"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationGuest","externalTenants":{"membershipKind":"all"}}}`, false},
		"somebody else":         {`{"includeUsers":["adele"],"includeGuestsOrExternalUsers":null}`, false},
	} {
		list, err := accessPolicies([]json.RawMessage{json.RawMessage(`{"state":"enabled","conditions":{"users":` + c.users + `,"applications":{"includeApplications":["All"]}}}`)})
		if err != nil {
			t.Fatal(err)
		}
		if got := list[0].reachesProvider(partner); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
