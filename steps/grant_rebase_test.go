package steps

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// Somebody gives the app more at a customer between the look and the write: that
// stays, and is not taken for ours later.
func TestScopesGivenMeanwhileStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		const ours, theirs = "TeamSettings.ReadWrite.All", "Printer.Read.All"
		name := w.first()
		if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		time.Sleep(time.Hour)
		w.answers.Permissions.Remove = []string{ours}
		s := w.run()
		c, p := w.look(t.Context(), s)
		dir := w.dir
		w.dir, w.setup = t.TempDir(), nil // elsewhere
		w.somebody(name, theirs)
		w.dir, w.setup = dir, s
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		failed, err := s.ApplyCustomers(t.Context(), w.answers, c, p, FleetOptions{})
		if err := errors.Join(err, s.CloseApp(t.Context(), c.App, ApplyOptions{})); err != nil || len(failed) > 0 {
			t.Fatal(failed, whole(err))
		}
		if has, _ := w.has(name, ours, ""); has {
			t.Errorf("%s is there, which was to be taken back", ours)
		}
		if has, _ := w.has(name, theirs, ""); !has {
			t.Fatalf("%s was taken away, which somebody else gave", theirs)
		}
		time.Sleep(time.Hour)
		if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 || len(o.planned) > 0 {
			t.Error(whole(o.err), o.failed, o.planned)
		}
		if has, _ := w.has(name, theirs, ""); !has {
			t.Errorf("%s was taken away later", theirs)
		}
	})
}

// What is added to a grant, and taken from it, is added to what it holds by now, and
// taken from that.
func TestGrantsAreRebased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-consented", Customers: 3})
		const name = "Fabrikam"
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		i := slices.IndexFunc(c.Rows, func(r CustomerRow) bool { return r.Name == name })
		there, err := s.at(c.Rows[i].Customer, false, false)
		if err != nil {
			t.Fatal(whole(err))
		}
		shared := share(w.answers, c.Findings)
		f, err := there.lookCustomer(t.Context(), shared, journaled{}, "")
		if err != nil {
			t.Fatal(whole(err))
		}
		at := slices.IndexFunc(f.Principal.Grants, func(g Grant) bool { return g.ResourceID == f.Resources[catalog.GraphAppID].ObjectID })
		g := f.Principal.Grants[at]
		now := strings.Join(g.Scopes, " ")
		before := func(scopes string) json.RawMessage {
			return encode(map[string]string{"id": g.ID, "clientId": f.Principal.ObjectID, "resourceId": g.ResourceID, "scope": scopes})
		}
		e := there.engineFor(makeCustomerPlan(shared, c.Rows[i].Customer, f), ApplyOptions{})
		for _, tt := range []struct {
			name         string
			method       string
			before, body string
			wantMethod   string
			want         string
			wantBefore   string
		}{
			{"nothing happened", "PATCH", now, now + " X", "PATCH", now + " X", now},
			{"somebody added", "PATCH", g.Scopes[0], g.Scopes[0] + " X", "PATCH", now + " X", now},
			{"somebody added, and one is to go", "PATCH", strings.Join(g.Scopes[:2], " "), g.Scopes[1], "PATCH", strings.Join(g.Scopes[1:], " "), now},
			{"somebody took away what is not", "PATCH", now + " B", now + " B X", "PATCH", now + " X", now},
			{"all of it goes", "DELETE", now, "", "DELETE", "", now},
			{"all of it goes that was there", "DELETE", g.Scopes[0], "", "PATCH", strings.Join(g.Scopes[1:], " "), now},
			{"nothing is left of it", "PATCH", now + " B", "B", "DELETE", "", now},
		} {
			c := Change{Kind: KindGrant, Action: Update, Method: tt.method, Path: grants + "/" + g.ID, Before: before(tt.before), Name: "another API"}
			if tt.method == "DELETE" {
				c.Action = Remove
			} else {
				c.Body = encode(map[string]string{"scope": tt.body})
			}
			got, err := e.rebase(t.Context(), []Change{c})
			if err != nil || len(got) != 1 {
				t.Fatal(tt.name, got, whole(err))
			}
			if got[0].Method != tt.wantMethod || written(got[0].Body).Scope != tt.want || written(got[0].Before).Scope != tt.wantBefore || written(got[0].Before).ClientID != f.Principal.ObjectID {
				t.Errorf("%s: %s\n%s\nbefore %s", tt.name, got[0].Method, got[0].Body, got[0].Before)
			}
		}
		// What is wanted is not left out because somebody took it away a moment ago.
		change := Change{
			Kind: KindGrant, Action: Update, Method: "PATCH", Path: grants + "/" + g.ID, Name: catalog.GraphAppID,
			Before: before(now + " Gone"), Body: encode(map[string]string{"scope": now + " Gone"}),
		}
		e.plan.want.permissions = map[string][]wanted{catalog.GraphAppID: {{"Gone", "id", catalog.Delegated}}}
		if got, err := e.rebase(t.Context(), []Change{change}); err != nil || written(got[0].Body).Scope != now+" Gone" || written(got[0].Before).Scope != now {
			t.Error(got, whole(err))
		}
		// An old tenant holds two grants for one pair. The second goes: what it holds by now
		// is not lost.
		other := f.Principal.Grants[slices.IndexFunc(f.Principal.Grants, func(g Grant) bool { return g.ResourceID != f.Principal.Grants[at].ResourceID })]
		g.ResourceID = other.ResourceID // as if it were for the same API
		change.Before, change.Body = before(now), encode(map[string]string{"scope": now + " X"})
		if got, err := e.rebase(t.Context(), []Change{change}); err != nil || !sameSet(strings.Fields(written(got[0].Body).Scope), append(union(g.Scopes, other.Scopes), "X")) {
			t.Error(got, whole(err))
		}
	})
}

// What stood in a second grant for the same API is not ours because it is in the
// first one now.
func TestScopesOfASecondGrantStayTheirs(t *testing.T) {
	t.Parallel()
	f := bare()
	grant := func(id, scopes string) Grant {
		return Grant{ID: id, ResourceID: "sp-graph", Scopes: strings.Fields(scopes), Raw: encode(map[string]string{"id": id, "clientId": "sp", "resourceId": "sp-graph", "scope": scopes})}
	}
	f.Principal = &Principal{ObjectID: "sp", Grants: []Grant{grant("first", "User.Read"), grant("second", "Printer.Read.All User.Read")}}
	p := MakePlan(state.DefaultAnswers(), f, PlanOptions{})
	k := journaled{made: map[string]bool{}}
	for n, c := range p.Changes {
		if c.Kind == KindGrant {
			e := entry(n, c.Kind, c.Action, c.Method, c.Path, string(c.Body), string(c.Before))
			e.Name = c.Name
			k.learn(e)
		}
	}
	if len(k.made) == 0 {
		t.Error("nothing is ours")
	}
	for _, scope := range []string{"Printer.Read.All", "User.Read"} {
		if k.made[madeScope("sp", catalog.GraphAppID, scope)] {
			t.Errorf("%s counts as ours", scope)
		}
	}
	for _, c := range p.Changes {
		if c.Kind == KindGrant && c.Method == "PATCH" && !strings.Contains(written(c.Body).Scope, "Printer.Read.All") {
			t.Errorf("it is lost: %s", c.Body)
		}
	}
}

// A consent that somebody else gave meanwhile, as ours would have been: what is added
// to it is ours and can be taken back, what it held is not.
func TestAddedToAConsentOfAnother(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string]bool{"not chosen any more": false, "undone": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
				w.answers.Integrations = []string{"graph", "csp"}
				const ours = "TeamSettings.ReadWrite.All"
				name := w.first()
				s := w.run()
				c, p := w.look(t.Context(), s)
				tenant := c.Tenants(func(r CustomerRow) bool { return r.Name == name })[0]
				if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
					t.Fatal(whole(err))
				}
				_, err := s.client.Partner().Do(t.Context(), msclient.Request{Method: http.MethodPost, Path: "/v1/customers/" + tenant + "/applicationconsents", Body: map[string]any{
					"applicationId": c.Findings.App.AppID, "displayName": c.Findings.App.Name,
					"applicationGrants": []any{map[string]string{"enterpriseApplicationId": catalog.GraphAppID, "scope": strings.Join(bootstrapScopes, ",")}},
				}})
				if err != nil {
					t.Fatal(whole(err))
				}
				before := w.appAt(name)
				failed, err := s.ApplyCustomers(t.Context(), w.answers, c, p, FleetOptions{})
				if err := errors.Join(err, s.CloseApp(t.Context(), c.App, ApplyOptions{})); err != nil || len(failed) > 0 {
					t.Fatal(failed, whole(err))
				}
				if has, _ := w.has(name, ours, ""); !has {
					t.Fatalf("%s is not there", ours)
				}
				time.Sleep(time.Hour)
				if !undo {
					w.answers.Permissions.Remove = []string{ours}
					if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
						t.Fatal(whole(o.err), o.failed)
					}
					if has, _ := w.has(name, ours, ""); has {
						t.Errorf("%s stays, which we gave", ours)
					}
					return
				}
				s = w.run()
				list, err := s.InspectCustomersUndo(t.Context(), FleetOptions{})
				if err != nil {
					t.Fatal(whole(err))
				}
				list = slices.DeleteFunc(list, func(u CustomerUndo) bool { return u.Customer.TenantID != tenant })
				if failed, err := s.UndoCustomers(t.Context(), list, FleetOptions{}); err != nil || len(failed) > 0 || len(list) != 1 {
					t.Fatal(list, failed, whole(err))
				}
				if diff := cmp.Diff(before, w.appAt(name)); diff != "" {
					t.Errorf("taken back (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// A policy that was switched off meanwhile, or does not reach the partner any more, is
// left alone.
func TestPolicyChangedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-policies", Customers: 3})
		w.answers.Customers.Exclude = true
		w.answers.Permissions.Add = append(w.answers.Permissions.Add, "Policy.ReadWrite.ConditionalAccess")
		const name = "Fabrikam"
		if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		time.Sleep(time.Hour)
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		tenants := c.Tenants(func(r CustomerRow) bool { return r.Name == name })
		p, err := s.InspectCustomers(t.Context(), w.answers, c, tenants, FleetOptions{})
		if err != nil {
			t.Fatal(whole(err))
		}
		there, err := s.at(Customer{TenantID: tenants[0], Name: name}, true, false)
		if err != nil {
			t.Fatal(whole(err))
		}
		meanwhile := map[string]map[string]any{
			"Sign in every hour":               {"state": policyOff},
			"Sign in every three days":         {"state": "enabledForReportingButNotEnforced"},
			"Sign in every day from elsewhere": {"conditions": map[string]any{"users": map[string]any{"includeUsers": []string{"None"}}}},
		}
		changed := 0
		for _, x := range p.Customers[0].Plan().Changes {
			if body := meanwhile[x.Name]; body != nil {
				changed++
				if _, err := there.graph.Do(t.Context(), msclient.Request{Method: http.MethodPatch, Path: x.Path, Body: body}); err != nil {
					t.Fatal(whole(err))
				}
				time.Sleep(2 * time.Second)
			}
		}
		if changed != len(meanwhile) {
			t.Fatalf("%d policies were changed meanwhile", changed)
		}
		before := w.policiesOf(name)
		failed, err := s.ApplyCustomers(t.Context(), w.answers, c, p, FleetOptions{})
		if err := errors.Join(err, s.CloseApp(t.Context(), c.App, ApplyOptions{})); err != nil || len(failed) > 0 {
			t.Fatal(whole(err), failed)
		}
		after := w.policiesOf(name)
		for title := range meanwhile {
			if diff := cmp.Diff(before[title], after[title]); diff != "" {
				t.Errorf("%s was changed:\n%s", title, diff)
			}
		}
		if cmp.Equal(before, after) {
			t.Error("no other policy was changed")
		}
	})
}

// What a customer's journal left open is not settled by what another tenant shows.
func TestAnotherTenantSettlesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-consented", Customers: 3})
		const name, other = "Fabrikam", "22222222-2222-4222-8222-222222222222"
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		row := c.Rows[slices.IndexFunc(c.Rows, func(r CustomerRow) bool { return r.Name == name })]
		open := func() (n int) {
			there, err := s.at(row.Customer, false, true)
			if err != nil {
				t.Fatal(whole(err))
			}
			for _, e := range there.store.Entries() {
				if e.Open() {
					n++
				}
			}
			if err := there.leave(); err != nil {
				t.Fatal(whole(err))
			}
			return n
		}
		there, err := s.at(row.Customer, false, true)
		if err != nil {
			t.Fatal(whole(err))
		}
		err = there.store.Append(state.Record{
			Kind: state.RecordIntent, At: time.Now(), Intent: "i", What: string(KindConsent), Action: string(Create), Step: stepCustomers, Name: c.Findings.App.AppID, Method: "POST",
		})
		if err := errors.Join(err, there.leave()); err != nil {
			t.Fatal(err)
		}
		var elsewhere atomic.Bool
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				res, err := next.RoundTrip(req)
				if elsewhere.Load() && err == nil && strings.HasSuffix(req.URL.Path, "/$batch") {
					body, _ := io.ReadAll(res.Body)
					res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte(row.TenantID), []byte(other)))), -1
				}
				return res, err
			})
		}
		for _, leads := range []bool{true, false} {
			s = w.run()
			if c, err = s.LookClientele(t.Context(), w.answers, nil); err != nil {
				t.Fatal(whole(err))
			}
			elsewhere.Store(leads)
			p, err := s.InspectCustomers(t.Context(), w.answers, c, []string{row.TenantID}, FleetOptions{})
			if err != nil {
				t.Fatal(whole(err))
			}
			elsewhere.Store(false)
			if n := open(); (n == 1) != leads {
				t.Errorf("elsewhere %v: %d left open; %s", leads, n, p.Customers[0].Shield.told())
			}
		}
	})
}
