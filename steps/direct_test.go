package steps

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/state"
)

const fabrikamID = "73678c95-98bb-4c0a-942d-f48ed6d63bed"

// read parses a setup file.
func answersIn(t *testing.T, text string) state.Answers {
	t.Helper()
	a, err := state.ParseAnswers("setup.yaml", []byte("version: 1\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What a customer's tenant is to hold comes from the partner's answers, without
// what only a partner has.
func TestDirectAnswers(t *testing.T) {
	const route = "customers: {route: direct, consent: [fabrikam.onmicrosoft.com]}\n"
	for name, c := range map[string]struct{ from, want string }{
		"nothing chosen: the guide's way": {
			route,
			"integrations: [graph]\nregistration: {kind: connector, audience: single}\npermissions: {base: stock}\nserviceAccount: {}\nconditionalAccess: {}\n",
		},
		"the connector": {
			route + "region: uk\nintegrations: [graph, csp, exchange]\nregistration: {kind: connector}\nserviceAccount: {username: rewst, roles: operate}\n",
			"region: uk\nintegrations: [graph, exchange]\nregistration: {kind: connector, audience: single}\npermissions: {base: stock}\nserviceAccount: {username: rewst, roles: operate}\n",
		},
		"an owned app": {
			route + "tenant: contoso.onmicrosoft.com\naccount: admin@contoso.com\nintegrations: [graph, csp]\nregistration: {name: Automation}\n" +
				"permissions: {base: minimum, add: [\"csp:user_impersonation\", Printer.Read.All], remove: [\"csp:user_impersonation\", Mail.Send]}\nserviceAccount: {username: svc@contoso.com}\nexchange: {}\n",
			"integrations: [graph]\nregistration: {name: Automation, audience: single}\npermissions: {base: stock, add: [Printer.Read.All], remove: [Mail.Send]}\nserviceAccount: {username: svc}\nexchange: {}\n",
		},
		"only the tenant": {
			route + "serviceAccount: {roles: operate}\n",
			"serviceAccount: {roles: operate}\n",
		},
	} {
		from := answersIn(t, c.from)
		before := string(from.Encode())
		got := DirectAnswers(from, Customer{TenantID: fabrikamID, Domain: "fabrikam.onmicrosoft.com"})
		if diff := cmp.Diff(string(answersIn(t, "tenant: "+fabrikamID+"\n"+c.want).Encode()), string(got.Encode())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(before, string(from.Encode())); diff != "" {
			t.Errorf("%s: the partner's answers changed:\n%s", name, diff)
		}
		if bad := CheckAnswers(got); len(bad) > 0 {
			t.Errorf("%s: %v", name, bad)
		}
	}
}

func TestDirectAnswersRefused(t *testing.T) {
	for text, want := range map[string]string{
		"customers: {route: direct}":                                                              "customers.consent",
		"customers: {route: direct, consent: all}":                                                "customers.consent",
		"customers: {route: direct, consent: [a.com], exclude: true}":                             "customers.exclude",
		"customers: {route: direct, consent: [a.com]}\ngdap: {}":                                  "gdap",
		"customers: {route: direct, consent: [a.com]}\nazure: {role: leave}":                      "azure",
		"customers: {route: direct, consent: [a.com]}\nregistration: {appId: " + fabrikamID + "}": "registration.appId",
		"customers: {route: direct, consent: [a.com]}":                                            "",
		"customers: {route: direct}\ntenant: fabrikam.com":                                        "",
		"customers: {route: gdap, consent: all, exclude: true}\ngdap: {}":                         "",
	} {
		var keys []string
		for _, bad := range CheckAnswers(answersIn(t, text+"\n")) {
			keys = append(keys, bad.Key)
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// A shield of the direct route is green only when everything was read back.
func TestDirectShield(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	var twelve []string
	for _, r := range catalog.ServiceRoles() {
		twelve = append(twelve, r.Name)
	}
	whole := func(change func(*state.Answers, *Result)) (state.Answers, *Result) {
		a := DirectAnswers(state.DefaultAnswers(), Customer{TenantID: fabrikamID})
		a.ServiceAccount = &state.ServiceAccount{Username: "rewst", Roles: state.RolesOperate}
		r := &Result{
			Account: Account{Username: "admin@fabrikam.com", TenantID: fabrikamID}, Org: Organization{ID: fabrikamID, Name: "Fabrikam"}, PrincipalID: "p",
			Integrations: []IntegrationResult{{ID: catalog.Graph, Authorized: true, Granted: 3, Wanted: 3}},
			Tenant:       &TenantResult{Account: "rewst@fabrikam.com", AccountID: "u", Roles: twelve},
		}
		if change != nil {
			change(&a, r)
		}
		return a, r
	}
	passed := Shield{Shade: Green, At: now.AddDate(0, 0, -1), Checks: []ShieldPart{
		{Proof: ProofGrants, State: Passed, Evidence: "The app had it.", At: now.AddDate(0, 0, -1)},
		{Proof: ProofExchange, State: Passed, Evidence: "Exchange answered.", At: now.AddDate(0, 0, -1)},
	}}
	waits := &Waiting{Problem{What: "not there yet"}}
	for name, c := range map[string]struct {
		change func(*state.Answers, *Result)
		err    error
		before Shield
		want   Shade
		says   string
	}{
		"whole":                {want: Green},
		"Global Administrator": {change: func(_ *state.Answers, r *Result) { r.Tenant.Roles = []string{"Global Administrator"} }, want: Amber, says: "Global Administrator, as authorising takes"},
		"both": {change: func(_ *state.Answers, r *Result) {
			r.Tenant.Roles = append([]string{"Global Administrator"}, twelve...)
		}, want: Amber, says: "as authorising takes"},
		"a role missing": {change: func(_ *state.Answers, r *Result) { r.Tenant.Roles = twelve[1:] }, want: Amber, says: "lacks 1 of 12 roles: " + twelve[0]},
		"another tenant": {change: func(_ *state.Answers, r *Result) { r.Org.ID = "elsewhere" }, want: Red, says: "another tenant"},
		"no connector": {change: func(a *state.Answers, r *Result) {
			a.Registration.Kind, r.PrincipalID, r.Integrations = state.KindConnector, "", nil
		}, err: waits, want: Blue, says: "not authorised there yet"},
		"permissions missing":   {change: func(_ *state.Answers, r *Result) { r.Integrations[0].Missing = []string{"User.Read"} }, want: Amber, says: "lacks 1 permission: User.Read"},
		"exchange not tried":    {change: func(a *state.Answers, _ *Result) { a.Integrations = append(a.Integrations, catalog.Exchange) }, want: Amber, says: "Exchange Online was not tried"},
		"exchange tried before": {change: func(a *state.Answers, _ *Result) { a.Integrations = append(a.Integrations, catalog.Exchange) }, before: passed, want: Green},
		"exchange answers": {change: func(a *state.Answers, r *Result) {
			a.Integrations, r.Tenant.Exchange = append(a.Integrations, catalog.Exchange), "Exchange Administrator; "+exchangeAnswered+" for fabrikam.com"
		}, want: Green},
		"exchange refuses": {change: func(a *state.Answers, r *Result) {
			a.Integrations, r.Tenant.Exchange = append(a.Integrations, catalog.Exchange), "Exchange Administrator; tried, and refused. No"
		}, want: Amber, says: "did not answer"},
		"app not looked at":      {change: func(a *state.Answers, r *Result) { a.NoApp, r.PrincipalID, r.Integrations = true, "", nil }, want: Amber, says: "not looked at"},
		"app looked at before":   {change: func(a *state.Answers, r *Result) { a.NoApp, r.PrincipalID, r.Integrations = true, "", nil }, before: passed, want: Green},
		"account not looked at":  {change: func(_ *state.Answers, r *Result) { r.Tenant = nil }, want: Amber, says: "was not looked at"},
		"something could not be": {change: func(_ *state.Answers, r *Result) { r.Tenant.Missing = []string{"It is disabled."} }, want: Amber, says: "could not be done"},
		"it failed":              {err: errors.New("refused"), before: passed, want: Red},
		"nothing was read back":  {change: func(_ *state.Answers, r *Result) { *r = Result{} }, want: Red},
	} {
		a, r := whole(c.change)
		if name == "nothing was read back" {
			r, c.err = nil, errors.New("down")
		}
		s := DirectShield(a, r, c.err, c.before, now)
		if s.Shade != c.want || !strings.Contains(s.Reason, c.says) || s.Shade == Green && s.Reason != "" || s.Shade != Green && s.Fix == "" || !s.At.Equal(now) {
			t.Errorf("%s: got %v, %q, %q; want %v, %q", name, s.Shade, s.Reason, s.Fix, c.want, c.says)
		}
	}
}

// A customer the app was consented to from the partner's level is warned of, and no
// other.
func TestDirectAlsoAtPartner(t *testing.T) {
	root, now := t.TempDir(), time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	const other, third = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	partner, err := state.Open(root, state.Identity{Cloud: "global", Tenant: other, TenantName: "Contoso"})
	if err != nil {
		t.Fatal(err)
	}
	if err := partner.SaveShields([]byte(`{"` + fabrikamID + `":{"shield":{"shade":"amber","reason":"","fix":"","checks":null,"at":"2026-05-04T10:00:00Z"}},` +
		`"` + third + `":{"shield":{"shade":"blue","reason":"","fix":"","checks":null,"at":"2026-05-04T10:00:00Z"}}}`)); err != nil {
		t.Fatal(err)
	}
	if err := partner.Close(); err != nil {
		t.Fatal(err)
	}
	s := &Setup{root: root, cloudID: "global"}
	got := s.AlsoAtPartner(Customer{TenantID: fabrikamID, Domain: "fabrikam.com"})
	for _, word := range []string{"fabrikam.com", "Contoso", now.Format(time.DateOnly), "AADSTS65001"} {
		if !strings.Contains(got, word) {
			t.Errorf("%q is not in %q", word, got)
		}
	}
	for _, tenant := range []string{third, other} {
		if got := s.AlsoAtPartner(Customer{TenantID: tenant}); got != "" {
			t.Errorf("%s: got %q", tenant, got)
		}
	}
}
