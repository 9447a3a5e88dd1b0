package steps

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// shieldAt looks at the customers and says how one of them stands.
func (w *clientele) shieldAt(name string) Shield {
	w.Helper()
	_, p := w.look(w.Context(), w.run())
	for _, c := range p.Customers {
		if c.Customer.Name == name {
			return c.Shield
		}
	}
	w.Fatalf("%s is not listed", name)
	return Shield{}
}

// A look that is given up leaves the customers it did not get to the end of as they
// were, whether the reading failed by that or part of it only is missing.
func TestALookGivenUpLeavesShieldsAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		passes bool // the answer on its way comes
		after  int32
	}{{"cut off", false, 10}, {"cut off after an answer", true, 10}, {"one later", true, 11}, {"two later", true, 12}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customers-consented", Customers: 30})
				_, _ = w.look(t.Context(), w.run())
				time.Sleep(time.Hour)
				rows := func() map[string]Shield {
					t.Helper()
					c, err := w.run().LookClientele(t.Context(), w.answers, nil)
					if err != nil {
						t.Fatal(whole(err))
					}
					out := map[string]Shield{}
					for _, r := range c.Rows {
						out[r.Name] = r.Shield
					}
					return out
				}
				before := rows()
				var n atomic.Int32
				ctx, cancel := context.WithCancel(t.Context())
				w.wrap = func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(req *http.Request) (*http.Response, error) {
						if !strings.HasSuffix(req.URL.Path, "/$batch") || n.Add(1) <= tt.after {
							return next.RoundTrip(req)
						}
						if !tt.passes {
							cancel()
							return nil, ctx.Err()
						}
						defer cancel()
						return next.RoundTrip(req)
					})
				}
				s := w.run()
				c, err := s.LookClientele(t.Context(), w.answers, nil)
				if err != nil {
					t.Fatal(whole(err))
				}
				told := map[bool]int{}
				p, err := s.InspectCustomers(ctx, w.answers, c, c.Tenants(func(CustomerRow) bool { return true }), FleetOptions{Workers: 4, Observe: func(ev FleetEvent) {
					if ev.Done {
						told[ev.Shield != nil]++
					}
				}})
				if !errors.Is(err, context.Canceled) || told[false] == 0 {
					t.Errorf("%v, %v", whole(err), told)
				}
				w.wrap = nil
				looked := 0
				for name, x := range rows() {
					if x.At.Equal(before[name].At) {
						if diff := cmp.Diff(before[name], x); diff != "" {
							t.Errorf("%s (-before +after):\n%s", name, diff)
						}
						continue
					}
					looked++
					if x.told() != before[name].told() {
						t.Errorf("%s was %s and is %s", name, before[name].told(), x.told())
					}
				}
				if looked != told[true] || len(p.Customers) != 30 {
					t.Errorf("%d looked at, told of %v", looked, told)
				}
			})
		})
	}
}

// So does one that is given up in its last request, when all else was read.
func TestALookGivenUpAtItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-consented", Customers: 3})
		const name = "Fabrikam"
		before := w.shieldAt(name)
		time.Sleep(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				if strings.Contains(req.URL.Host, "outlook.office365.com") {
					cancel()
					return nil, ctx.Err()
				}
				return next.RoundTrip(req)
			})
		}
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err == nil {
			err = s.OpenApp(t.Context(), c.App, ApplyOptions{})
		}
		if err != nil {
			t.Fatal(whole(err))
		}
		tenants := c.Tenants(func(r CustomerRow) bool { return r.Name == name })
		p, err := s.InspectCustomers(ctx, w.answers, c, tenants, FleetOptions{})
		if !errors.Is(err, context.Canceled) {
			t.Error(whole(err))
		}
		for _, x := range []Shield{p.Customers[0].Shield, s.LastShield(tenants[0])} {
			if diff := cmp.Diff(before, x); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		}
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Error(whole(err))
		}
	})
}

// That Exchange Online answered counts for a month from when it did, whatever is
// looked at or fails meanwhile.
func TestExchangeProofIsAsOldAsItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		name := w.first()
		o := w.visit(t.Context(), 0, name)
		if o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		proof := o.at(name).Shield.part(ProofExchange)
		time.Sleep(10 * 24 * time.Hour)
		expect := func(when string) {
			t.Helper()
			if diff := cmp.Diff(proof, w.shieldAt(name).part(ProofExchange)); diff != "" || proof.State != Passed {
				t.Errorf("%s (-proven +looked at):\n%s", when, diff)
			}
		}
		expect("after ten days")

		// A look that fails, then a write that does.
		var broken atomic.Bool
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				if broken.Load() && strings.HasSuffix(req.URL.Path, "/$batch") {
					return nil, errKilled
				}
				return next.RoundTrip(req)
			})
		}
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		broken.Store(true)
		p, err := s.InspectCustomers(t.Context(), w.answers, c, c.Tenants(func(r CustomerRow) bool { return r.Name == name }), FleetOptions{})
		if err != nil || p.Customers[0].Shield.Shade != Red {
			t.Fatal(whole(err), p.Customers[0].Shield.told())
		}
		w.wrap = nil
		expect("after a look that failed")
		w.answers.Permissions.Remove = []string{"TeamSettings.ReadWrite.All"}
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				if req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/oauth2PermissionGrants/") {
					return &http.Response{StatusCode: 403, Header: http.Header{}, Request: req, Body: http.NoBody}, nil
				}
				return next.RoundTrip(req)
			})
		}
		if o = w.visit(t.Context(), 0, name); len(o.failed) != 1 || o.at(name).Shield.Shade != Red {
			t.Fatal(whole(o.err), o.failed, o.at(name).Shield.told())
		}
		w.wrap = nil
		w.answers.Permissions.Remove = nil
		expect("after a write that failed")

		time.Sleep(21 * 24 * time.Hour)
		if x := w.shieldAt(name); x.Shade != Amber || x.part(ProofExchange).State != Unknown {
			t.Errorf("after a month: %s", x.told())
		}
	})
}

// The proof is also kept while there is no way in, or it cannot be read what is there.
func TestExchangeProofWhileNothingIsSeen(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	proof := ShieldPart{Proof: ProofExchange, State: Passed, Evidence: "It answered.", At: at}
	for name, tt := range map[string]struct {
		place  place
		gone   bool
		after  time.Duration
		passed bool
	}{
		"seen":         {after: time.Hour, passed: true},
		"closed":       {place: place{token: &msclient.AuthError{Codes: []int{53003}}}, after: time.Hour, passed: true},
		"unread":       {place: place{seen: map[string]seen{ProofGrants: {err: errKilled}}}, gone: true, after: time.Hour, passed: true},
		"the app went": {gone: true, after: time.Hour},
		"too old":      {after: 31 * 24 * time.Hour},
	} {
		x := shieldFacts{
			customer: Customer{TenantID: "c"}, shared: &sharedPlan{want: desired{permissions: map[string][]wanted{}}}, partner: &Findings{}, now: at.Add(tt.after),
			answers: consenting(), before: Shield{Checks: []ShieldPart{proof}}, found: &Findings{Org: Organization{ID: "c"}, Principal: &Principal{ObjectID: "sp"}, place: &tt.place},
		}
		tt.place.RolesFrom = rolesOfTheToken // which does not tell the app's
		if tt.gone {
			x.found.Principal = nil
		}
		got := shieldOf(x).part(ProofExchange)
		if passed := cmp.Equal(got, proof); passed != tt.passed || !passed && got.State != Unknown {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// An exclusion that was refused is told until it is seen, as the app, that none is
// needed, or none is asked for any more.
func TestARefusedExclusionIsNotForgotten(t *testing.T) {
	t.Parallel()
	for _, integrations := range [][]string{{"graph", "csp"}, {"graph", "exchange", "csp"}} {
		synctest.Test(t, func(t *testing.T) {
			w := clienteleOf(t, sandbox.Options{Scenario: "customer-policies", Customers: 3})
			w.answers.Integrations = integrations
			w.answers.Customers.Exclude = true
			w.answers.Permissions.Add = append(w.answers.Permissions.Add, scopesOf[KindPolicy])
			const name = "Fabrikam"
			if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
				t.Fatal(whole(o.err), o.failed)
			}
			w.wrap = func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/conditionalAccess/policies/") {
						return &http.Response{StatusCode: 403, Header: http.Header{"Content-Type": {"application/json"}}, Request: req, Body: http.NoBody}, nil
					}
					return next.RoundTrip(req)
				})
			}
			o := w.visit(t.Context(), 0, name)
			if x := o.at(name).Shield; o.err != nil || len(o.failed) != 1 || x.Shade != Red || x.Refused == nil || x.Refused.Kind != KindPolicy {
				t.Fatal(whole(o.err), o.failed, x.told())
			}
			for range 2 {
				time.Sleep(time.Hour)
				x := w.shieldAt(name)
				if x.Shade != Amber || x.Refused == nil || !x.Missing() || x.part(ProofGrants).State != Passed || len(integrations) == 2 && !strings.Contains(x.Reason, "Conditional Access policy") {
					t.Errorf("looked at again: %s", x.told())
				}
			}
			w.wrap = nil
			w.answers.Customers.Exclude = false
			if x := w.shieldAt(name); x.Refused != nil || x.part(ProofGrants).State != Passed || strings.Contains(x.Reason, "Conditional Access") {
				t.Errorf("nobody asks for it any more: %s", x.told())
			}
			w.answers.Customers.Exclude = true
			if o = w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 || o.at(name).Shield.Shade != Green || o.at(name).Shield.Refused != nil {
				t.Errorf("%v, %v, %s", whole(o.err), o.failed, o.at(name).Shield.told())
			}
		})
	}
}

// Only a look as the app, after the refusal, shows that no exclusion is missing.
func TestARefusedExclusionIsMendedByALookAsTheApp(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	unread := &msclient.Error{Status: 403, Code: "AccessDenied"}
	for name, tt := range map[string]struct {
		spared time.Time
		place  place
		stands bool
	}{
		"as the person":              {place: place{PoliciesNo: unread}, stands: true},
		"known from before":          {place: place{PoliciesNo: unread}, spared: at.Add(-time.Hour), stands: true},
		"not let in":                 {place: place{token: &msclient.AuthError{Codes: []int{53003}}}, stands: true},
		"as the app, nothing in way": {place: place{asApp: true}},
	} {
		x := shieldFacts{
			customer: Customer{TenantID: "c"}, shared: &sharedPlan{policies: true, excludes: true, want: desired{permissions: map[string][]wanted{}}}, partner: &Findings{}, now: at.Add(time.Hour),
			before: Shield{Spared: tt.spared, Refused: &Refusal{Reason: "It was refused.", Kind: KindPolicy, At: at}},
			found:  &Findings{Org: Organization{ID: "c"}, Principal: &Principal{ObjectID: "sp"}, place: &tt.place},
		}
		if s := shieldOf(x); (s.Refused != nil) != tt.stands || (s.Shade == Green) == tt.stands {
			t.Errorf("%s: %+v, %s", name, s.Refused, s.told())
		}
	}
}

// Closing comes before looking for what may never have been made: the time for it is
// that of whoever gave up.
func TestClosingUnderADeadline(t *testing.T) {
	t.Parallel()
	for name, opened := range map[string]bool{"the only secret": false, "another one before": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
				var lose atomic.Bool
				gone, cancel := context.WithCancel(t.Context())
				w.wrap = func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(req *http.Request) (*http.Response, error) {
						if lose.Load() && strings.HasSuffix(req.URL.Path, "/addPassword") {
							cancel() // the person gives up, and the write never arrives
							return nil, errKilled
						}
						return next.RoundTrip(req)
					})
				}
				s := w.run()
				s.settle = CloseLimit + time.Second // a moment more than the program has then
				c, _ := w.look(t.Context(), s)
				if opened {
					if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
						t.Fatal(whole(err))
					}
				}
				lose.Store(true)
				if err := s.OpenApp(gone, c.App, ApplyOptions{}); err == nil {
					t.Fatal("it was opened")
				}
				err := s.CloseApp(gone, c.App, ApplyOptions{})
				if err == nil || !strings.Contains(err.Error(), "is not known") {
					t.Errorf("it is not said what is not known: %v", whole(err))
				}
				w.closed()
				lose.Store(false)
				if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil { // with all the time it takes
					t.Error(whole(err))
				}
				time.Sleep(time.Hour)
				if c, err := w.run().LookClientele(t.Context(), w.answers, nil); err != nil || !c.App.Left.Empty() {
					t.Errorf("%v, left: %+v", whole(err), c.App.Left.Changes)
				}
			})
		})
	}
}

// Whoever does not consent there is not measured by whether they could.
func TestMissingRightsOfWhoeverOnlyLooks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answers func(*state.Answers)
		want    Shade
	}{
		"ours":            {func(*state.Answers) {}, Red},
		"ours, by domain": {func(a *state.Answers) { a.Customers = &state.Customers{Consent: []string{"fabrikam.onmicrosoft.com"}} }, Red},
		"another's":       {func(a *state.Answers) { a.Customers = &state.Customers{Consent: []string{"northwind.onmicrosoft.com"}} }, Blue},
		"only looked at":  {func(a *state.Answers) { a.Customers = &state.Customers{} }, Blue},
		"the connector's": {connector, Blue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customer-unassigned", Customers: 3})
				tt.answers(&w.answers)
				if w.answers.Registration.Kind == state.KindConnector {
					w.connectorThere()
				}
				x := w.shieldAt("Fabrikam")
				if x.Shade != tt.want || strings.Contains(x.Reason, "cannot be consented to") != (tt.want == Red) || x.Fix == "" || len(x.Notes) > 0 {
					t.Errorf("%v, %s", x.Notes, x.told())
				}
			})
		})
	}
}

// What was lost on the way, or came from a service that was busy, is no refusal: the
// next look says how the customer stands. What was refused before stays.
func TestOnlyRefusalsAreRemembered(t *testing.T) {
	t.Parallel()
	consents := func(answer func() (*http.Response, error)) func(http.RoundTripper) http.RoundTripper {
		return func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				if strings.HasSuffix(req.URL.Path, "/applicationconsents") {
					return answer()
				}
				return next.RoundTrip(req)
			})
		}
	}
	for name, tt := range map[string]struct {
		wrap    func(http.RoundTripper) http.RoundTripper
		refused bool
	}{
		"refused":   {answering(403, "20002", "no"), true},
		"cut off":   {consents(func() (*http.Response, error) { return nil, errKilled }), false},
		"throttled": {answering(429, "", "Too many requests."), false},
		"broken":    {answering(503, "", "Service unavailable."), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
				customer := w.first()
				w.wrap = tt.wrap
				o := w.visit(t.Context(), 0, customer)
				if x := o.at(customer).Shield; o.err != nil || len(o.failed) != 1 || x.Shade != Red || (x.Refused != nil) != tt.refused {
					t.Fatal(whole(o.err), o.failed, x.told())
				}
				w.wrap = nil
				time.Sleep(24 * time.Hour)
				want := Blue
				if tt.refused {
					want = Red
				}
				if x := w.shieldAt(customer); x.Shade != want || strings.Contains(x.Reason, "The last try failed") != tt.refused {
					t.Errorf("a day later: %s", x.told())
				}
				if !tt.refused {
					return
				}
				w.wrap = consents(func() (*http.Response, error) { return nil, errKilled })
				if o := w.visit(t.Context(), 0, customer); len(o.failed) != 1 {
					t.Fatal(whole(o.err), o.failed)
				}
				w.wrap = nil
				if x := w.shieldAt(customer); x.Shade != Red || x.Refused == nil || !strings.Contains(x.Reason, "no reseller relationship") {
					t.Errorf("tried once more, and cut off: %s", x.told())
				}
			})
		})
	}
}

// What is left alone at a customer is told with its shield, also where nothing is
// written, and what only the app can see stays told until it sees it again.
func TestShieldsSayWhatIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-policies", Customers: 3})
		w.answers.Integrations = []string{"graph", "csp"}
		w.answers.Customers.Exclude = true
		w.answers.Permissions.Add = append(w.answers.Permissions.Add, scopesOf[KindPolicy])
		const name, theirs, ours = "Fabrikam", "Printer.Read.All", "TeamSettings.ReadWrite.All"
		for range 2 { // the consent, then the exclusions
			if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
				t.Fatal(whole(o.err), o.failed)
			}
			time.Sleep(time.Hour)
		}
		w.somebody(name, theirs)
		time.Sleep(time.Hour)
		expect := func(when string, parts ...string) {
			t.Helper()
			text := strings.Join(w.shieldAt(name).Notes, "\n")
			for _, part := range parts {
				if !strings.Contains(text, part) {
					t.Errorf("%s %q is not said:\n%s", when, part, text)
				}
			}
			if n := len(strings.Split(text, "\n")); strings.Contains(text, "Taken back") || strings.Count(text, `"Sign in every week"`) > 1 || len(parts) == 0 && text != "" {
				t.Errorf("%s %d notes:\n%s", when, n, text)
			}
		}
		policies := []string{`"Sign in every week" of Fabrikam is left alone`, "only reports so far"}
		expect("as the person", append(slices.Clone(policies), theirs)...)
		expect("once more", append(slices.Clone(policies), theirs)...)
		w.answers.Permissions.Remove = []string{ours}
		expect("with something to take back", append(slices.Clone(policies), theirs)...)
		w.answers.Permissions.Remove = nil
		w.answers.Customers.Exclude = false
		if text := fmt.Sprint(w.shieldAt(name).Notes); strings.Contains(text, "Sign in every week") || !strings.Contains(text, theirs) {
			t.Errorf("policies are not looked at any more: %s", text)
		}
	})
}

// That the app was seen to have no role for Exchange Online stands until the roles are
// read again: a person looking, who cannot read them, knows no better, whether a
// command is sent or not.
func TestThatThereIsNoRoleIsNotForgotten(t *testing.T) {
	t.Parallel()
	for name, sends := range map[string]bool{"a command is sent": true, "none is": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
				w.answers.Permissions.Base = "recommended"
				s := w.run()
				c, p := w.look(t.Context(), s)
				if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
					t.Fatal(whole(err))
				}
				if failed, err := s.ApplyCustomers(t.Context(), w.answers, c, p, FleetOptions{}); err != nil || len(failed) > 0 {
					t.Fatal(failed, whole(err))
				}
				seen := p.Customers[0].Shield.part(ProofExchange)
				if seen.State != Warned || !strings.Contains(seen.Evidence, "does not have the role") || p.Untried() {
					t.Fatalf("as the app: %+v", seen)
				}
				s.client.Undelegate()
				if !sends { // the secret is from this sitting, else
					s.made = ownSecret{}
				}
				for range 2 {
					time.Sleep(time.Minute)
					p, err := s.InspectCustomers(t.Context(), w.answers, c, c.Tenants(func(CustomerRow) bool { return true }), FleetOptions{})
					if err != nil {
						t.Fatal(whole(err))
					}
					if diff := cmp.Diff(seen, p.Customers[0].Shield.part(ProofExchange)); diff != "" {
						t.Errorf("looked at by a person (-before +now):\n%s", diff)
					}
					if p.Untried() {
						t.Error("nothing that was chosen is missing, and somebody is to sign in with the app")
					}
				}
				if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
					t.Fatal(whole(err))
				}
			})
		})
	}
}
