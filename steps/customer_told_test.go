package steps

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
	"msbundle/state"
)

// at looks at the customers, as a person, and says what one of them takes.
func (w *clientele) at(name string) CustomerPlan {
	w.Helper()
	_, p := w.look(w.Context(), w.run())
	i := slices.IndexFunc(p.Customers, func(c CustomerPlan) bool { return c.Customer.Name == name })
	if i < 0 {
		w.Fatalf("%s is not listed", name)
	}
	return p.Customers[i]
}

func (w *clientele) visited(name string) Shield {
	w.Helper()
	o := w.visit(w.Context(), 0, name)
	if o.err != nil || len(o.failed) > 0 {
		w.Fatal(whole(o.err), o.failed)
	}
	time.Sleep(time.Hour)
	return o.at(name).Shield
}

// That the app has no role for Exchange Online is known from the last look: what gives
// it is planned before the app is signed in with, and so is agreed to with the rest.
func TestARoleSeenToBeMissingIsPlanned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.answers.Permissions.Base = "recommended"
		name := w.first()
		if got := w.visited(name).part(ProofExchange); got.Evidence != noExchangeRole {
			t.Fatalf("%+v", got)
		}
		given := func(c Change) bool { return c.Kind == KindRoleGiven }
		if c := w.at(name); slices.ContainsFunc(c.Plan().Changes, given) {
			t.Error("it is planned without the permission it takes")
		}
		w.answers.Permissions.Base = "stock"
		c := w.at(name)
		if !slices.ContainsFunc(c.Plan().Changes, given) || !c.asApp {
			t.Errorf("it is not among %d writes", c.Writes())
		}
		if x := w.visited(name); x.Shade != Green {
			t.Error(x.told())
		}
		if c := w.at(name); c.Writes() > 0 || c.Shield.Shade != Green {
			t.Errorf("%d writes are left: %s", c.Writes(), c.Shield.told())
		}
	})
}

// Whether the app has the role is not known where it was never looked at as the app.
func TestWhatIsLookedAtLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-consented", Customers: 3})
		later := func() [2]int {
			_, p := w.look(t.Context(), w.run())
			roles, policies := p.Later()
			return [2]int{roles, policies}
		}
		if got := later(); got != [2]int{1, 0} {
			t.Error(got)
		}
		w.answers.Integrations = []string{"graph", "csp"}
		if got := later(); got != [2]int{0, 0} {
			t.Error(got)
		}
		w.excluding(true)
		if got := later(); got != [2]int{0, 3} {
			t.Error(got)
		}
	})
}

// What changing policies took stays at a customer, whether or not they are to be
// changed this time.
func TestWhatExclusionsTookStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.excluding(true)
		name := w.first()
		if x := w.visited(name); x.Shade != Green {
			t.Fatal(x.told())
		}
		w.answers.Customers.Exclude = false
		c := w.at(name)
		if c.Writes() > 0 || c.Shield.Shade != Green || len(c.Plan().Notes) > 0 {
			t.Errorf("%d writes, %v, %s", c.Writes(), c.Plan().Notes, c.Shield.told())
		}
	})
}

// What only takes back something is not missing, and the fix says so.
func TestMoreThanChosen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		name := w.first()
		if x := w.visited(name); x.Shade != Green {
			t.Fatal(x.told())
		}
		w.answers.Permissions.Remove = []string{"TeamSettings.ReadWrite.All"}
		x := w.at(name).Shield
		got := x.part(ProofGrants)
		if got.State != Warned || x.Missing() || x.Failed() || !strings.Contains(got.Evidence, "The app has what was chosen, and more: 2 writes would take back") || !strings.Contains(got.Fix, "takes it back") {
			t.Error(x.told())
		}
		w.answers.Permissions.Remove = nil
		w.answers.Permissions.Add = []string{"Printer.Read.All"}
		if got := w.at(name).Shield.part(ProofGrants); got.State != Failed {
			t.Errorf("%+v", got)
		}
	})
}

// That policies could not be read, as the app, holds for that look: the next one is as
// a person, who cannot, and the app's sign-in after it reads them.
func TestPoliciesUnreadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.excluding(true)
		name := w.first()
		w.visited(name)
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				if strings.HasSuffix(req.URL.Path, policiesPath) {
					return refusing(req, 403, `{"error": {"code": "AccessDenied", "message": "You cannot perform the requested operation, required scopes are missing in the token."}}`, ""), nil
				}
				return next.RoundTrip(req)
			})
		}
		s := w.run()
		c, _ := w.look(t.Context(), s)
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		_, p := w.look(t.Context(), s)
		i := slices.IndexFunc(p.Customers, func(c CustomerPlan) bool { return c.Customer.Name == name })
		if x := p.Customers[i].Shield; len(x.Notes) != 1 || !strings.Contains(x.Notes[0], "could not be read, so no exclusion is planned") {
			t.Errorf("as the app: %v", x.Notes)
		}
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		w.wrap = nil
		if x := w.at(name).Shield; len(x.Notes) > 0 {
			t.Errorf("as a person: %v", x.Notes)
		}
	})
}

// What is waited for while the app's new secret spreads is no busy service.
func TestWhatSpreadsIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		var made time.Time
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				if made.IsZero() || !strings.HasSuffix(req.URL.Path, "/token") || time.Since(made) > 5*time.Second {
					return next.RoundTrip(req)
				}
				return refusing(req, 401, `{"error": "invalid_client", "error_codes": [7000215], "error_description": "AADSTS7000215: Invalid client secret provided."}`, ""), nil
			})
		}
		s := w.run()
		c, p := w.look(t.Context(), s)
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		made = time.Now()
		told := map[string]int{}
		failed, err := s.ApplyCustomers(t.Context(), w.answers, c, p, FleetOptions{Observe: func(ev FleetEvent) { told[ev.What]++ }})
		if err != nil || len(failed) > 0 || told["waiting for "+spreading] == 0 || told["waiting for Microsoft's service, which is busy or gave no answer"] > 0 {
			t.Error(whole(err), failed, told)
		}
		if len("waiting for "+spreading) > 46 {
			t.Error("it does not fit beside a name")
		}
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Error(whole(err))
		}
	})
}

// A secret that an earlier run left is told from the one of this run.
func TestWhoseSecretIsRemoved(t *testing.T) {
	t.Parallel()
	f := &Findings{App: &Application{AppSummary: AppSummary{ObjectID: "app", Name: "Rewst Integration"}}, Left: []PasswordFound{{KeyID: "k", Name: secretPrefix + "old"}}}
	var told []string
	for _, c := range MakeAppPlan(state.DefaultAnswers(), f).Lines() {
		if c.Action == Remove {
			told = append(told, c.Describe())
		}
	}
	if want := []string{"Remove client secret of an earlier run", "Remove client secret of this run"}; !slices.Equal(told, want) {
		t.Error(told)
	}
}
