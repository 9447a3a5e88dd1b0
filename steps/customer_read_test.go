package steps

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
)

// What could not be read is not taken for absent: nothing is planned from it.
func TestUnreadIsNotAbsent(t *testing.T) {
	t.Parallel()
	for _, path := range []string{`/servicePrincipals\(appId`, "/servicePrincipals$", "/oauth2PermissionGrants", "/appRoleAssignments"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customer-consented", Customers: 3})
				name := w.first()
				s := w.run()
				c, err := s.LookClientele(t.Context(), w.answers, nil)
				if err != nil {
					t.Fatal(whole(err))
				}
				tenants := c.Tenants(func(r CustomerRow) bool { return r.Name == name })
				faults, err := sandbox.ParseFaults(fmt.Appendf(nil, `[{"match": {"path": %q, "inner": true}, "rate": 1, "when": "before", "do": "500"}]`, path))
				if err != nil {
					t.Fatal(err)
				}
				w.cloud.SetFaults(faults)
				p, err := s.InspectCustomers(t.Context(), w.answers, c, tenants, FleetOptions{})
				if err != nil {
					t.Fatal(whole(err))
				}
				one := p.Customers[0]
				if one.Writes() > 0 || one.Skipped == "" || one.Shield.Shade != Red || !strings.Contains(one.Shield.Reason, "cannot be read") {
					t.Errorf("%d writes, skipped %q, %s", one.Writes(), one.Skipped, one.Shield.told())
				}
			})
		})
	}
}

// A client secret that waits for its owner is not one an earlier sign-in with the
// app left, and is what is delivered in the end.
func TestTheAppsSignInLeavesOtherSecretsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		s := w.run()
		f, err := s.Inspect(t.Context(), w.answers, func(Event) {})
		if err != nil {
			t.Fatal(whole(err))
		}
		o := PlanOptions{Stage: StageAuthorize, Secret: true, Ticked: map[string]bool{OfferSecret: true}}
		if _, err := s.Apply(t.Context(), MakePlan(w.answers, f, o), ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		secrets := func() int {
			apps := w.cloud.Digest().Tenants["Contoso"].Applications
			return apps[slices.IndexFunc(apps, func(a sandbox.ApplicationDigest) bool { return a.Name == "Rewst Integration" })].Secrets
		}
		before, made := secrets(), s.made
		if _, failed, err := w.consent(t.Context(), s); err != nil || len(failed) > 0 {
			t.Fatal(failed, whole(err))
		}
		if now := secrets(); now != before {
			t.Errorf("the app had %d secrets and has %d", before, now)
		}
		if s.made != made {
			t.Error("the secret of the sign-in is remembered though it is gone")
		}
		if err := s.SecretDelivered(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if f, err = s.Inspect(t.Context(), w.answers, func(Event) {}); err != nil || len(f.Left) > 0 {
			t.Errorf("nobody received %v: %v", f.Left, whole(err))
		}
	})
}

// Whoever consented between the look and the write keeps what they chose.
func TestConsentByAnotherMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		const theirs = "TeamSettings.ReadWrite.All"
		w.answers.Permissions.Remove = []string{theirs}
		name := w.first()
		s := w.run()
		c, p := w.look(t.Context(), s)
		tenant := c.Tenants(func(r CustomerRow) bool { return r.Name == name })[0]
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		_, err := s.client.Partner().Do(t.Context(), msclient.Request{Method: http.MethodPost, Path: "/v1/customers/" + tenant + "/applicationconsents", Body: map[string]any{
			"applicationId": c.Findings.App.AppID, "displayName": c.Findings.App.Name,
			"applicationGrants": []any{map[string]string{"enterpriseApplicationId": catalog.GraphAppID, "scope": strings.Join(append(slices.Clone(bootstrapScopes), theirs), ",")}},
		}})
		if err != nil {
			t.Fatal(whole(err))
		}
		failed, err := s.ApplyCustomers(t.Context(), w.answers, c, p, FleetOptions{})
		if err != nil || len(failed) > 0 {
			t.Error(failed, whole(err))
		}
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Error(whole(err))
		}
		if has, _ := w.has(name, theirs, ""); !has {
			t.Errorf("%s was taken away, which somebody else consented to", theirs)
		}
		if x := p.Of(tenant); x.Shield.Shade != Green {
			t.Error(x.Shield.told())
		}
	})
}

// Without the permission to give the app its role, Exchange Online is no failure, and
// the fix is not a consent that would not give the role.
func TestExchangeFixIsTrue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.answers.Permissions.Base = "recommended"
		name := w.first()
		o := w.visit(t.Context(), 0, name)
		if o.err != nil || len(o.failed) > 0 {
			t.Fatal(o.failed, whole(o.err))
		}
		shield := o.at(name).Shield
		got := shield.part(ProofExchange)
		if got.State != Warned || strings.Contains(got.Fix, "given then") || !strings.Contains(got.Fix, scopesOf[KindRoleGiven]) {
			t.Errorf("%+v", got)
		}
		if shield.Shade != Amber || shield.Missing() {
			t.Errorf("%+v", shield)
		}
	})
}

// A consent that came to its end leaves nothing to resume; one that ended before the
// app's sign-in was closed is resumed where that is done.
func TestUnfinishedSignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		s := w.run()
		if _, err := s.Save(w.answers); err != nil {
			t.Fatal(err)
		}
		c, _ := w.look(t.Context(), s)
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		if all, err := s.Unfinished(); err != nil || len(all) != 1 || all[0].Stage != StageCustomers {
			t.Errorf("while it is open: %+v, %v", all, err)
		}
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		if all, err := s.Unfinished(); err != nil || len(all) > 0 {
			t.Errorf("once it is closed: %+v, %v", all, err)
		}
	})
}

// An app that may too little at a customer to give itself the rest is given it by
// the partner's own account there.
func TestConsentOfTooLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-consented", Customers: 3})
		name := w.first()
		s := w.run()
		c, _ := w.look(t.Context(), s)
		tenant := c.Tenants(func(r CustomerRow) bool { return r.Name == name })[0]
		there, err := s.at(Customer{TenantID: tenant, Name: name}, false, false)
		if err != nil {
			t.Fatal(whole(err))
		}
		f, err := there.lookCustomer(t.Context(), share(w.answers, c.Findings), journaled{}, "")
		if err != nil || f.Principal == nil {
			t.Fatal(whole(err))
		}
		graph := f.Resources[catalog.GraphAppID].ObjectID
		grant := f.Principal.Grants[slices.IndexFunc(f.Principal.Grants, func(g Grant) bool { return g.ResourceID == graph })]
		role := f.Principal.Assignments[slices.IndexFunc(f.Principal.Assignments, func(a Assignment) bool { return a.ResourceID == graph })]
		for _, r := range []msclient.Request{
			{Method: http.MethodPatch, Path: grants + "/" + grant.ID, Body: map[string]string{"scope": "User.Read"}},
			{Method: http.MethodDelete, Path: principals + "/" + graph + "/appRoleAssignedTo/" + role.ID},
		} {
			if _, err := there.graph.Do(t.Context(), r); err != nil {
				t.Fatal(whole(err))
			}
		}
		time.Sleep(time.Hour)
		o := w.visit(t.Context(), 0, name)
		if o.err != nil || len(o.failed) > 0 || o.at(name).Shield.Shade != Green {
			t.Error(o.failed, whole(o.err), o.at(name).Shield.told())
			for _, f := range o.failed {
				t.Errorf("%+v", f.Problem)
			}
		}
	})
}

// An address somebody gives the app while its sign-in is open stays.
func TestRedirectOfAnotherMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		s := w.run()
		c, _ := w.look(t.Context(), s)
		app := c.Findings.App
		theirs := []string{"https://contoso.example/one", "https://contoso.example/two"}
		meanwhile := func(uris ...string) {
			t.Helper()
			if _, err := s.graph.Do(t.Context(), msclient.Request{Method: http.MethodPatch, Path: applications + "/" + app.ObjectID, Body: map[string]any{"web": webOf(app, uris)}}); err != nil {
				t.Fatal(whole(err))
			}
		}
		meanwhile(append(slices.Clone(app.RedirectURIs), theirs[0])...)
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		meanwhile(append(slices.Clone(app.RedirectURIs), theirs[0], ClientRedirect, theirs[1])...)
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		w.closed()
		for _, a := range w.cloud.Digest().Tenants["Contoso"].Applications {
			if a.Name == app.Name && !sameSet(a.RedirectURIs, append(slices.Clone(app.RedirectURIs), theirs...)) {
				t.Errorf("its sign-ins come back to %v", a.RedirectURIs)
			}
		}
	})
}
