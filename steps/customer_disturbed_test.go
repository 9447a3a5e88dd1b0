package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
	"msbundle/sandbox/conform"
)

// six are customers of customers-mixed. Two of them fail for good: Partner Center
// sells nothing to Nod Publishers, and policies keep the partner out of Humongous
// Insurance.
var six = []string{"Fabrikam", "Northwind Traders", "Tailspin Toys", "Woodgrove Bank North", "Nod Publishers", "Humongous Insurance"}

func sixCustomers(t *testing.T, seed int64, repeats int) *clientele {
	t.Helper()
	w := clienteleOf(t, sandbox.Options{Scenario: "customers-mixed", Customers: 23, Delays: sandbox.DelaysRealistic, Seed: seed})
	w.checked(repeats)
	w.refuses(six[4])
	return w
}

// refuses has Partner Center take no consent for a customer, whom it has no reseller
// relationship with.
func (w *clientele) refuses(name string) {
	w.unsold = name
	was := w.wrap
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		if was != nil {
			next = was(next)
		}
		refused := answering(403, "20002", "The partner has no commerce relationship with the customer.")(next)
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if tenant, _ := w.unsoldID.Load().(string); tenant != "" && strings.Contains(req.URL.Path, tenant) {
				return refused.RoundTrip(req)
			}
			return next.RoundTrip(req)
		})
	}
}

// outing is one run at customers from its beginning to its end.
type outing struct {
	plan    *CustomersPlan
	planned []Change // at the first customer, before anything was written there
	failed  []CustomerFailure
	err     error
}

// ready tells whether all is done that can be done.
func (o outing) ready() bool { return o.err == nil && o.untold() == nil }

// untold are the customers that are not green, but for the two.
func (o outing) untold() []string {
	var out []string
	for _, c := range o.plan.Customers {
		if c.Customer.Name != six[4] && c.Customer.Name != six[5] && c.Shield.Shade != Green {
			out = append(out, fmt.Sprintf("%s is %s: %s", c.Customer.Name, c.Shield.Shade, c.Shield.Reason))
		}
	}
	return out
}

// visit looks at customers and consents where it is to be done, as a person does
// who agrees to everything.
func (w *clientele) visit(ctx context.Context, workers int, names ...string) (o outing) {
	w.Helper()
	s := w.run()
	c, err := s.LookClientele(ctx, w.answers, nil)
	if err != nil {
		return outing{err: err}
	}
	defer func() { o.err = errors.Join(o.err, s.CloseApp(ctx, c.App, ApplyOptions{})) }()
	for _, r := range c.Rows {
		if r.Name == w.unsold {
			w.unsoldID.Store(r.TenantID)
		}
	}
	tenants := c.Tenants(func(r CustomerRow) bool { return len(names) == 0 || slices.Contains(names, r.Name) })
	fleet := FleetOptions{Workers: workers}
	if o.plan, o.err = s.InspectCustomers(ctx, w.answers, c, tenants, fleet); o.err != nil {
		return o
	}
	if o.plan.Consents() || o.plan.Untried() {
		if o.err = s.OpenApp(ctx, c.App, ApplyOptions{}); o.err != nil {
			return o
		}
		if o.plan, o.err = s.InspectCustomers(ctx, w.answers, c, tenants, fleet); o.err != nil {
			return o
		}
	}
	o.planned = o.plan.Customers[0].Plan().Changes
	o.failed, o.err = s.ApplyCustomers(ctx, w.answers, c, o.plan, fleet)
	return o
}

// untilDone goes on until nothing is left to be done, as somebody would who is told
// to try again.
func (w *clientele) untilDone(workers int, names ...string) (o outing) {
	w.Helper()
	for range 8 {
		if o = w.visit(w.Context(), workers, names...); o.ready() {
			return o
		}
		time.Sleep(time.Hour)
	}
	w.Fatalf("it did not come to an end: %v %v", whole(o.err), o.untold())
	return o
}

// checked holds what is sent against the services' descriptions, where they are to
// be had: every so many requests of a sort.
func (w *clientele) checked(repeats int) {
	w.Helper()
	if os.Getenv(conform.Env) == "" {
		return // the sandbox's own conformance test says how to set it
	}
	c, err := descriptions()
	if err != nil {
		w.Fatal(err)
	}
	checker := c.Fresh()
	checker.OneOf = repeats
	w.wrap = checker.Wrap
	w.Cleanup(func() {
		for _, v := range checker.Violations() {
			w.Errorf("against the official description: %s", v)
		}
		if checker.Count() == 0 {
			w.Error("nothing was checked against the official descriptions")
		}
	})
}

// twoFailed tells of what is wrong with how the two are told that fail for good.
func (w *clientele) twoFailed(o outing) {
	w.Helper()
	for _, c := range o.plan.Customers {
		want := map[string]string{six[4]: "reseller relationship", six[5]: "Service provider users"}[c.Customer.Name]
		if want == "" {
			continue
		}
		text := c.Skipped + " " + c.Shield.told()
		if i := slices.IndexFunc(o.failed, func(f CustomerFailure) bool { return f.Customer.TenantID == c.Customer.TenantID }); i >= 0 {
			text += " " + whole(o.failed[i].Problem)
		}
		if c.Shield.Shade != Red || c.Shield.Fix == "" || !strings.Contains(text, want) {
			w.Errorf("%s is %s and says: %s", c.Customer.Name, c.Shield.Shade, text)
		}
	}
}

// end is what the partner and the six hold. What Microsoft's clients leave behind
// where somebody signs in is not ours.
func (w *clientele) end() map[string]sandbox.TenantDigest {
	all := w.cloud.Digest().Tenants
	maps.DeleteFunc(all, func(name string, _ sandbox.TenantDigest) bool {
		return name != "Contoso" && !slices.Contains(six, name)
	})
	for name, d := range all {
		d.Clients = nil
		all[name] = d
	}
	return all
}

// closed finds what is left of the app's own sign-in.
func (w *clientele) closed() {
	w.Helper()
	for _, app := range w.cloud.Digest().Tenants["Contoso"].Applications {
		if app.Secrets > 1 || slices.Contains(app.RedirectURIs, ClientRedirect) {
			w.Errorf("%s has %d secrets and comes back to %v", app.Name, app.Secrets, app.RedirectURIs)
		}
	}
}

// stopped is a program that ends at a write: no answer reaches it any more, and
// nothing leaves it.
type stopped struct {
	next  http.RoundTripper
	at    int
	after bool // the write is carried out
	end   context.CancelFunc

	mu     sync.Mutex
	writes int
	dead   bool
}

func (k *stopped) RoundTrip(req *http.Request) (*http.Response, error) {
	write := writesThere(req)
	k.mu.Lock()
	if write {
		k.writes++
	}
	due := write && k.writes == k.at
	dead := k.dead
	k.dead = dead || due
	k.mu.Unlock()
	switch {
	case dead:
		return nil, errKilled
	case !due:
		return k.next.RoundTrip(req)
	}
	if k.after {
		if res, err := k.next.RoundTrip(req); err == nil {
			_ = res.Body.Close()
		}
	}
	k.end()
	return nil, errKilled
}

// wrapped puts it around all else that is sent through, until it is undone.
func (w *clientele) wrapped(k *stopped) (undo func()) {
	was := w.wrap
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		if k.next = next; was != nil {
			k.next = was(next)
		}
		return k
	}
	return func() { w.wrap = was }
}

// writesThere tells whether a request changes something in Graph or Partner Center.
func writesThere(req *http.Request) bool {
	return writesGraph(req) || strings.HasSuffix(req.URL.Path, "/applicationconsents")
}

// endedAt goes on until the nth write, and tells whether there was one.
func (w *clientele) endedAt(n int, after bool, workers int, names ...string) bool {
	w.Helper()
	ctx, end := context.WithCancel(w.Context())
	defer end()
	k := &stopped{at: n, after: after, end: end}
	defer w.wrapped(k)()
	if o := w.visit(ctx, workers, names...); !k.dead && o.err != nil {
		w.Fatal(whole(o.err))
	}
	return k.dead
}

// undisturbedSix is what the six come to that nothing happens to, and in how many
// writes.
func undisturbedSix(t *testing.T, workers int) (end map[string]sandbox.TenantDigest, writes int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := sixCustomers(t, 0, 1)
		k := &stopped{}
		w.wrapped(k)
		if o := w.visit(t.Context(), workers, six...); o.err != nil || len(o.failed) != 1 {
			t.Fatal(whole(o.err), o.failed)
		}
		w.closed()
		writes = k.writes
		w.twoFailed(w.untilDone(workers, six...))
		w.closed()
		end = w.end()
	})
	return end, writes
}

// A run that ends at any write is taken up by the next, and what it leads to is the
// same: nothing is there twice, and nobody can sign in with the app on this computer
// any more.
func TestConsentEndedAtEveryWrite(t *testing.T) {
	t.Parallel()
	want, writes := undisturbedSix(t, 1)
	if writes < 20 {
		t.Errorf("%d writes; there are more", writes)
	}
	t.Logf("%d writes", writes)
	for n := 1; n <= writes; n += stride {
		for _, after := range sides(n / stride) {
			workers := 1
			if after {
				workers = 16
			}
			t.Run(fmt.Sprintf("write %d carried out %v", n, after), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := sixCustomers(t, 0, 20)
					if !w.endedAt(n, after, workers, six...) && workers == 1 {
						t.Error("there was no such write")
					}
					w.twoFailed(w.untilDone(workers, six...))
					w.closed()
					if diff := cmp.Diff(want, w.end()); diff != "" {
						t.Errorf("(-undisturbed +ended):\n%s", diff)
					}
				})
			})
		}
	}
}

// What a run left open that ended while it closed the app's sign-in is closed by the
// next one, though that has nothing to consent to; and once more nothing is written.
func TestWhatWasLeftOpenIsClosed(t *testing.T) {
	t.Parallel()
	world := func(t *testing.T) *clientele {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3, Delays: sandbox.DelaysRealistic})
		w.answers.Integrations = []string{"graph", "csp"}
		w.checked(1)
		return w
	}
	writes := 0
	synctest.Test(t, func(t *testing.T) {
		w := world(t)
		k := &stopped{}
		w.wrapped(k)
		if o := w.visit(t.Context(), 1); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		writes = k.writes
	})
	for _, n := range []int{1, 2, writes - 1, writes} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d of %d carried out %v", n, writes, after), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := world(t)
					if !w.endedAt(n, after, 1) {
						t.Fatal("there was no such write")
					}
					time.Sleep(time.Hour)
					if n <= 2 { // nobody wants the consent any more
						w.answers.Customers.All = false
					}
					since := len(w.cloud.Requests())
					if o := w.visit(t.Context(), 1); o.err != nil || len(o.failed) > 0 {
						t.Fatal(whole(o.err), o.failed)
					}
					w.closed()
					if c := w.cost(since); c.writes > 2 {
						t.Errorf("the next run wrote %d times", c.writes)
					}
					time.Sleep(time.Hour)
					since = len(w.cloud.Requests())
					if o := w.visit(t.Context(), 1); o.err != nil || w.cost(since).writes > 0 {
						t.Errorf("once more: %v, %d writes", whole(o.err), w.cost(since).writes)
					}
				})
			})
		}
	}
}

// consentFaults are the faults of networks and services, at Graph and at Partner
// Center.
func consentFaults(t *testing.T) []sandbox.Fault {
	t.Helper()
	faults, err := sandbox.ParseFaults([]byte(`[
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.05, "when": "before", "do": "500"},
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.05, "when": "before", "do": "429", "for": "3s"},
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.05, "when": "before", "do": "reset"},
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.05, "when": "after", "do": "reset"},
		{"match": {"path": "/servicePrincipals|/oauth2PermissionGrants|/organization|/users", "inner": true}, "rate": 0.03, "when": "before", "do": "500"},
		{"match": {"path": "/servicePrincipals|/oauth2PermissionGrants", "inner": true}, "rate": 0.03, "when": "after", "do": "500"},
		{"match": {"path": "/servicePrincipals|/oauth2PermissionGrants", "inner": true}, "rate": 0.03, "when": "before", "do": "429", "for": "2s"},
		{"match": {"path": "/applicationconsents"}, "rate": 0.08, "when": "before", "do": "500"},
		{"match": {"path": "/applicationconsents"}, "rate": 0.08, "when": "after", "do": "reset"},
		{"match": {"path": "/applicationconsents"}, "rate": 0.08, "when": "after", "do": "500"},
		{"match": {"path": "/applicationconsents"}, "rate": 0.08, "when": "before", "do": "429", "for": "2s"},
		{"match": {"path": "/adminapi/"}, "rate": 0.1, "when": "before", "do": "500"},
		{"match": {"path": "^/v1.0/"}, "rate": 0.02, "do": "stale", "for": "40s"}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func TestConsentThroughFaults(t *testing.T) {
	t.Parallel()
	want, _ := undisturbedSix(t, 0)
	for seed := range int64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := sixCustomers(t, seed, 20)
				w.run()
				w.cloud.SetFaults(consentFaults(t))
				w.twoFailed(w.untilDone(0, six...))
				w.closed()
				w.cloud.SetFaults(nil)
				if diff := cmp.Diff(want, w.end()); diff != "" {
					t.Errorf("(-undisturbed +disturbed):\n%s", diff)
				}
			})
		})
	}
}
