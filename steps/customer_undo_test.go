package steps

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/msclient"
	"msbundle/sandbox"
)

// toTakeBack opens the app's sign-in and says what taking back takes at customers.
func (w *clientele) toTakeBack() (*Setup, []CustomerUndo, AppPlan) {
	w.Helper()
	s := w.run()
	c, err := s.LookClientele(w.Context(), w.answers, nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	if err := s.OpenApp(w.Context(), c.App, ApplyOptions{}); err != nil {
		w.Fatal(whole(err))
	}
	list, err := s.InspectCustomersUndo(w.Context(), FleetOptions{})
	if err != nil {
		w.Fatal(whole(err))
	}
	return s, list, c.App
}

func noEntry(req *http.Request) *http.Response {
	return &http.Response{
		StatusCode: 403, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(`{"error":{"code":"AccessDenied","message":"You cannot perform the requested operation."}}`)),
	}
}

// What was taken back at a customer is not told as there any more, from the first
// write on; where nothing was begun it is as it was.
func TestShieldsOfWhatWasTakenBack(t *testing.T) {
	t.Parallel()
	w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 4})
	if o := w.visit(t.Context(), 0); o.err != nil || len(o.failed) > 0 {
		t.Fatal(whole(o.err), o.failed)
	}
	var closed string // a customer nobody is let into any more
	var mu sync.Mutex
	var refused string // a service principal that is not to be deleted
	early := 0
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			gone := req.Method == http.MethodDelete && strings.Contains(req.URL.Path, "/servicePrincipals/")
			switch {
			case closed != "" && strings.Contains(req.URL.Path, closed) && strings.HasSuffix(req.URL.Path, "/token"):
				return noEntry(req), nil
			case gone && refused == "":
				refused = req.URL.Path
				for _, x := range customersIn(w.setup.store) {
					if x.Shield.Shade == Green {
						early++
					}
				}
			}
			if gone && refused == req.URL.Path {
				return noEntry(req), nil
			}
			return next.RoundTrip(req)
		})
	}
	s, list, app := w.toTakeBack()
	if len(list) != 4 {
		t.Fatalf("%d customers", len(list))
	}
	for _, u := range list {
		if u.Plan.traces != nil || u.Plan.undone != nil || u.Plan.Empty() {
			t.Errorf("%s: what the plan was made from is kept", u.Customer.Name)
		}
	}
	mu.Lock()
	closed = list[3].Customer.TenantID
	mu.Unlock()
	was := s.LastShield(closed)
	if was.Shade != Green || was.part(ProofExchange).State != Passed {
		t.Fatal(was.told())
	}
	failed, err := s.UndoCustomers(t.Context(), list, FleetOptions{Workers: 1})
	if err != nil || len(failed) != 2 {
		t.Fatal(whole(err), failed)
	}
	if early > 0 {
		t.Errorf("%d were green while they were taken back", early)
	}
	if diff := cmp.Diff(was, s.LastShield(closed)); diff != "" {
		t.Errorf("where nothing was begun (-before +after):\n%s", diff)
	}
	begun := 0
	for _, u := range list[:3] {
		x := s.LastShield(u.Customer.TenantID)
		if x.Shade != Unseen || x.Reason == "" || x.Fix == "" || x.Checks != nil || x.Refused != nil || x.Notes != nil || !x.Spared.IsZero() {
			t.Errorf("%s: %s", u.Customer.Name, x.told())
		}
		if strings.Contains(x.Reason, "begun") {
			begun++
		}
	}
	if begun != 1 {
		t.Errorf("at %d it was only begun, want 1", begun)
	}
	if err := s.CloseApp(t.Context(), app, ApplyOptions{}); err != nil {
		t.Error(whole(err))
	}
	c, err := s.LookClientele(t.Context(), w.answers, nil)
	if err != nil || len(c.Rows) != 4 || slices.ContainsFunc(c.Rows, func(r CustomerRow) bool { return len(r.Domains) == 0 }) {
		t.Errorf("%v, %+v", whole(err), c)
	}
}

// An exclusion that was taken out by somebody else is nothing that is left; one that
// cannot be read is, whatever else the app takes back.
func TestWhatOfPoliciesIsLeft(t *testing.T) {
	t.Parallel()
	for _, hidden := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := clienteleOf(t, sandbox.Options{Scenario: "customer-policies", Customers: 3})
			if !hidden { // then the app has no role either, and nothing else of its own to be taken back
				w.answers.Integrations = []string{"graph", "csp"}
			}
			w.answers.Customers.Exclude = true
			w.answers.Permissions.Add = append(w.answers.Permissions.Add, scopesOf[KindPolicy])
			const name = "Fabrikam"
			before := w.policiesOf(name)
			for range 2 { // the second one sees the policies
				if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
					t.Fatal(whole(o.err), o.failed)
				}
			}
			time.Sleep(time.Hour)
			excluded := w.policiesOf(name)
			if cmp.Equal(before, excluded) {
				t.Fatal("nothing was excluded")
			}
			if hidden {
				w.wrap = func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(req *http.Request) (*http.Response, error) {
						if strings.Contains(req.URL.Path, "/conditionalAccess/policies") {
							return noEntry(req), nil
						}
						return next.RoundTrip(req)
					})
				}
			}
			s, list, app := w.toTakeBack()
			if len(list) != 1 {
				t.Fatalf("%d customers", len(list))
			}
			if !hidden { // an administrator of the customer
				there, err := s.at(list[0].Customer, true, false)
				if err != nil {
					t.Fatal(whole(err))
				}
				for _, c := range list[0].Plan.Changes {
					if c.Kind != KindPolicy {
						continue
					}
					if _, err := there.graph.Do(t.Context(), msclient.Request{Method: c.Method, Path: c.Path, Body: c.Body}); err != nil {
						t.Fatal(whole(err))
					}
					time.Sleep(2 * time.Second)
				}
				if err := there.leave(); err != nil {
					t.Fatal(whole(err))
				}
			}
			failed, err := s.UndoCustomers(t.Context(), list, FleetOptions{})
			if err := errors.Join(err, s.CloseApp(t.Context(), app, ApplyOptions{})); err != nil {
				t.Fatal(whole(err))
			}
			if hidden == (len(failed) == 0) || hidden && !strings.Contains(failed[0].Problem.What, "Sign in every hour") {
				t.Errorf("failed: %v", failed)
			}
			if want := map[bool]map[string]sandbox.PolicyDigest{true: excluded, false: before}[hidden]; !cmp.Equal(want, w.policiesOf(name)) {
				t.Errorf("the policies:\n%s", cmp.Diff(want, w.policiesOf(name)))
			}
			time.Sleep(time.Hour)
			list, err = s.InspectCustomersUndo(t.Context(), FleetOptions{})
			if err != nil || hidden != (len(list) == 1) {
				t.Fatal(whole(err), list)
			}
			if hidden && (!list[0].Plan.Empty() || !slices.ContainsFunc(list[0].Plan.Notes, func(n Note) bool { return strings.Contains(n.Text, "Conditional Access") })) {
				t.Errorf("what is left is not told: %+v", list[0].Plan)
			}
		})
	}
}

// Without the app its role goes with its enterprise application, or is left, which is
// told; one that is gone is neither.
func TestTheAppsRoleWithoutTheApp(t *testing.T) {
	role := named(entry(3, KindRoleGiven, Add, "POST", roleAssignments, `{"roleDefinitionId":"role","principalId":"sp","directoryScopeId":"/"}`, "", "id", "given"), "role", "Exchange Administrator to the app at Fabrikam")
	for name, c := range map[string]struct {
		traces *Traces
		writes int
		left   bool
	}{
		"it goes with it":   {there(createdPrincipal(1), role), 1, false},
		"it was not ours":   {there(role), 0, true},
		"it is gone":        {there(role).but(func(t *Traces) { clear(t.principals) }), 0, false},
		"taken away before": {there(), 0, false},
	} {
		c.traces.reader = true
		p := MakeUndoPlan(c.traces, PlanOptions{})
		left := p.leftToApp()
		if len(p.Changes) != c.writes || (left != nil) != c.left || c.left != slices.ContainsFunc(p.Notes, func(n Note) bool { return strings.HasPrefix(n.Text, "Kept: ") }) {
			t.Errorf("%s: %v, %v, %+v", name, p.Changes, left, p.Notes)
		}
	}
}
