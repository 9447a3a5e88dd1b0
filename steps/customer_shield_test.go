package steps

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// at finds a customer by its name.
func (o outing) at(name string) CustomerPlan {
	for _, c := range o.plan.Customers {
		if c.Customer.Name == name {
			return c
		}
	}
	return CustomerPlan{}
}

// told is how a shield reads, one line for the whole and one for each read.
func (s Shield) told() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s %s\n", s.Shade, s.Reason, s.Fix)
	for _, c := range s.Checks {
		fmt.Fprintf(&out, "  %s %s: %s %s\n", c.Proof, c.State, c.Evidence, c.Fix)
	}
	return out.String()
}

// Every way a customer can stand has its colour, a reason and what to do.
func TestShieldsOfEverySort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		scenario string
		answers  func(*state.Answers)
		consent  bool // else it is only looked at
		shade    Shade
		says     []string
		checks   map[string]CheckState // of some proofs
	}{
		{name: "ready", scenario: "customers-ready", shade: Blue, says: []string{"not consented", "Rewst"}, checks: map[string]CheckState{
			ProofToken: Passed, ProofOrganization: Passed, ProofRoles: Passed, ProofUsers: Passed, ProofExchange: Unknown, ProofGrants: Failed,
		}},
		{name: "consented", scenario: "customers-ready", consent: true, shade: Green, checks: map[string]CheckState{
			ProofToken: Passed, ProofOrganization: Passed, ProofRoles: Passed, ProofUsers: Passed, ProofExchange: Passed, ProofGrants: Passed,
		}},
		{name: "consented by Rewst", scenario: "customer-consented", shade: Amber, says: []string{"not tried"}, checks: map[string]CheckState{
			ProofRoles: Passed, ProofExchange: Unknown, ProofGrants: Passed,
		}},
		{name: "without Exchange among the integrations", scenario: "customer-consented", answers: func(a *state.Answers) { a.Integrations = []string{"graph", "csp"} }, shade: Green},
		{name: "drifted", scenario: "customer-drifted", shade: Amber, says: []string{"away from what was chosen"}, checks: map[string]CheckState{ProofGrants: Failed}},
		{name: "drifted and mended", scenario: "customer-drifted", consent: true, shade: Green},
		{name: "an old app", scenario: "customer-old-principal", shade: Blue, says: []string{"not consented"}},
		{name: "an old app, consented", scenario: "customer-old-principal", consent: true, shade: Green},
		{name: "a role is missing", scenario: "customer-unassigned", shade: Red, says: []string{"cannot be consented to", "Application Administrator", "GDAP"}, checks: map[string]CheckState{ProofRoles: Failed, ProofGrants: Failed}},
		{name: "no relationship", scenario: "customer-no-relationship", shade: Blue, says: []string{"no delegated administration", "GDAP"}},
		{name: "an ended one", scenario: "customer-ended", shade: Red, says: []string{"terminated", "GDAP"}},
		{name: "Microsoft's own", scenario: "customer-mlt-only", shade: Blue, says: []string{"Microsoft made", "all roles"}},
		{name: "no Exchange", scenario: "customer-no-exchange", consent: true, shade: Amber, says: []string{"Exchange"}, checks: map[string]CheckState{ProofExchange: Failed, ProofGrants: Passed}},
		{name: "an API that is not offered", scenario: "customer-api-missing", consent: true, shade: Green},
		{name: "kept out", scenario: "customer-ca-blocks", consent: true, shade: Red, says: []string{"Conditional Access", "Service provider users"}, checks: map[string]CheckState{ProofToken: Failed}},
		{name: "policies", scenario: "customer-policies", consent: true, shade: Green},
		{name: "the vendor's connector", scenario: "customers-ready", answers: connector, shade: Blue},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: tt.scenario, Customers: 3})
				w.checked(1)
				if tt.answers != nil {
					tt.answers(&w.answers)
				}
				if w.answers.Registration.Kind == state.KindConnector {
					w.connectorThere()
				}
				name := w.first()
				var s Shield
				if tt.consent {
					o := w.visit(t.Context(), 0, name)
					if o.err != nil {
						t.Fatal(whole(o.err))
					}
					s = o.at(name).Shield
				} else {
					c, p := w.look(t.Context(), w.run())
					i := slices.IndexFunc(c.Rows, func(r CustomerRow) bool { return r.Name == name })
					if s = c.Rows[i].Shield; p.Of(c.Rows[i].TenantID).Shield.Shade != s.Shade {
						t.Error("the row has another colour than the plan")
					}
				}
				text := s.told()
				if s.Shade != tt.shade || s.Shade != Green && (s.Reason == "" || s.Fix == "") || s.Shade == Green && s.Reason+s.Fix != "" || s.At.IsZero() {
					t.Errorf("want %s, got %s", tt.shade, text)
				}
				for _, part := range tt.says {
					if !strings.Contains(s.Reason+" "+s.Fix, part) {
						t.Errorf("%q is not said: %s", part, text)
					}
				}
				for proof, want := range tt.checks {
					if got := s.part(proof); got.State != want || got.Evidence == "" || got.At.IsZero() || want == Failed && got.Fix == "" {
						t.Errorf("%s is not %s: %s", proof, want, text)
					}
				}
			})
		})
	}
}

// first is the customer the scenario is about.
func (w *clientele) first() string {
	w.Helper()
	c, err := w.run().LookClientele(w.Context(), w.answers, nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	for _, r := range c.Rows {
		if strings.HasPrefix(r.Name, "Fabrikam") {
			return r.Name
		}
	}
	return c.Rows[0].Name
}

// connectorThere authorises the vendor's connector at the partner.
func (w *clientele) connectorThere() {
	w.Helper()
	act(w.T, w.cloud, "rewst@contoso.onmicrosoft.com", http.MethodPost, principals, map[string]string{"appId": catalog.VendorConnector})
}

// What was seen is kept: the next run has it before it looks, and a look at some
// leaves that of the others alone. What is kept and cannot be read counts as nothing.
func TestShieldsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		name := w.first()
		o := w.visit(t.Context(), 0, name)
		if o.err != nil || o.at(name).Shield.Shade != Green {
			t.Fatal(whole(o.err), o.at(name).Shield.told())
		}
		kept := o.at(name).Shield
		time.Sleep(time.Hour)
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		others := c.Tenants(func(r CustomerRow) bool { return r.Name != name })
		if _, err := s.InspectCustomers(t.Context(), w.answers, c, others, FleetOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		if c, err = w.run().LookClientele(t.Context(), w.answers, nil); err != nil {
			t.Fatal(whole(err))
		}
		for _, r := range c.Rows {
			switch {
			case r.Name != name && (r.Shield.Shade != Blue || r.Shield.At.Equal(kept.At)):
				t.Errorf("%s has %s", r.Name, r.Shield.told())
			case r.Name == name:
				if diff := cmp.Diff(kept, r.Shield); diff != "" || len(r.Domains) < 1 {
					t.Errorf("%v (-seen +kept):\n%s", r.Domains, diff)
				}
			}
		}
		// Without the app's sign-in Exchange cannot be tried: what was seen still counts.
		_, p := w.look(t.Context(), w.run())
		for _, c := range p.Customers {
			if x := c.Shield.part(ProofExchange); c.Customer.Name == name && (c.Shield.Shade != Green || !cmp.Equal(x, kept.part(ProofExchange))) {
				t.Errorf("looked at again: %s", c.Shield.told())
			}
		}
		if err := w.setup.store.SaveShields([]byte("{")); err != nil {
			t.Fatal(err)
		}
		if c, err = w.run().LookClientele(t.Context(), w.answers, nil); err != nil || c.Rows[0].Shield.Shade != Unseen {
			t.Errorf("%v, %s", err, c.Rows[0].Shield.told())
		}
	})
}

// appAt is the app in a customer's tenant.
func (w *clientele) appAt(name string) sandbox.PrincipalDigest {
	for _, p := range w.cloud.Digest().Tenants[name].ServicePrincipals {
		if p.Name == "Rewst Integration" {
			return p
		}
	}
	return sandbox.PrincipalDigest{}
}

func (w *clientele) has(name, scope, role string) (delegated, application bool) {
	app := w.appAt(name)
	for _, g := range app.Delegated {
		delegated = delegated || g.ConsentType == "AllPrincipals" && slices.Contains(g.Scopes, scope)
	}
	for _, list := range app.Roles {
		application = application || slices.Contains(list, role)
	}
	return delegated, application
}

// Permissions that are chosen later are added to what is there, and what we gave is
// taken back when it is chosen no longer; what others gave stays.
func TestConsentAnewWithOtherPermissions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.checked(1)
		name := w.first()
		visit := func() []string {
			t.Helper()
			o := w.visit(t.Context(), 0, name)
			if o.err != nil || len(o.failed) > 0 {
				t.Fatal(whole(o.err), o.failed)
			}
			if c := o.at(name); c.Shield.Shade != Green {
				t.Errorf("it is %s", c.Shield.told())
			}
			time.Sleep(time.Hour)
			return nil
		}
		expect := func(scope string, delegated bool, role string, application bool) {
			t.Helper()
			if d, a := w.has(name, scope, role); d != delegated || a != application {
				t.Errorf("%s %v, %s %v", scope, d, role, a)
			}
		}
		const first, second = "TeamSettings.Read.All", "TeamSettings.ReadWrite.All"
		w.answers.Permissions.Remove = []string{first, second}
		visit()
		app := w.appAt(name)
		expect(first, false, first, false)
		w.answers.Permissions.Remove = []string{second}
		visit()
		expect(first, true, first, true)
		w.somebody(name, second) // gives the app more
		expect(second, true, second, true)
		w.answers.Permissions.Remove = []string{first, second}
		visit()
		expect(first, false, first, false)
		expect(second, true, second, true)
		if now := w.appAt(name); len(now.Delegated) != len(app.Delegated) {
			t.Errorf("the app has %d grants, before it had %d", len(now.Delegated), len(app.Delegated))
		}
		since := len(w.cloud.Requests())
		visit()
		if c := w.cost(since); c.writes > 0 {
			t.Errorf("once more: %+v", c)
		}
	})
}

// somebody gives the app more at a customer, with rights of the partner there.
func (w *clientele) somebody(name, permission string) {
	w.Helper()
	s := w.run()
	var tenant string
	c, err := s.LookClientele(w.Context(), w.answers, nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	for _, r := range c.Rows {
		if r.Name == name {
			tenant = r.TenantID
		}
	}
	there, err := s.at(Customer{TenantID: tenant, Name: name}, false, false)
	if err != nil {
		w.Fatal(whole(err))
	}
	f, err := there.lookCustomer(w.Context(), share(w.answers, c.Findings), journaled{}, "")
	if err != nil || f.Principal == nil {
		w.Fatal(whole(err))
	}
	graph := f.Resources[catalog.GraphAppID]
	role, ok := graph.PermissionID(permission, catalog.Application)
	if !ok {
		w.Fatal("there is no such permission")
	}
	i := slices.IndexFunc(f.Principal.Grants, func(g Grant) bool { return g.ResourceID == graph.ObjectID })
	scope, _ := json.Marshal(map[string]string{"scope": strings.Join(append(slices.Clone(f.Principal.Grants[i].Scopes), permission), " ")})
	for _, r := range []msclient.Request{
		{Method: http.MethodPatch, Path: grants + "/" + f.Principal.Grants[i].ID, Body: json.RawMessage(scope)},
		{Method: http.MethodPost, Path: principals + "/" + graph.ObjectID + "/appRoleAssignedTo", Body: map[string]string{
			"principalId": f.Principal.ObjectID, "resourceId": graph.ObjectID, "appRoleId": role,
		}},
	} {
		if _, err := there.graph.Do(w.Context(), r); err != nil {
			w.Fatal(whole(err))
		}
	}
	if err := there.leave(); err != nil && !os.IsNotExist(err) {
		w.Fatal(err)
	}
}
