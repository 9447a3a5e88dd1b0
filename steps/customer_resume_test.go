package steps

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
	"msbundle/state"
)

// resumes is what the first screen of a later run offers to go on with, in words.
func (w *clientele) resumes() []string {
	w.Helper()
	all, err := w.setup.Unfinished()
	if err != nil {
		w.Fatal(whole(err))
	}
	var out []string
	for _, u := range all {
		out = append(out, string(u.Stage)+": "+u.About+": "+u.Left)
	}
	return out
}

// Consents that failed are gone on with in a later run, until they are mended, not
// asked for any more, or taken back.
func TestFailedConsentsAreResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-mixed", Customers: 23})
		w.refuses("Nod Publishers")
		names := []string{"Fabrikam", "Nod Publishers", "Humongous Insurance"}
		expect := func(when, want string) {
			t.Helper()
			s := w.run()
			if _, err := s.Save(w.answers); err != nil {
				t.Fatal(whole(err))
			}
			if got := strings.Join(w.resumes(), " | "); got != want {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		expect("at first", "")
		if o := w.visit(t.Context(), 0, names...); o.err != nil || len(o.failed) != 1 {
			t.Fatal(whole(o.err), o.failed)
		}
		time.Sleep(time.Hour)
		const two, one = "customers: consent at 2 customers: what failed there", "customers: consent at 1 customer: what failed there"
		expect("after the run", two)

		w.answers.Customers = &state.Customers{Consent: []string{"fabrikam.onmicrosoft.com"}}
		expect("asked for elsewhere", "")
		w.answers.Customers = &state.Customers{}
		expect("only looked at", "")
		w.answers.Customers = &state.Customers{All: true}

		c, err := w.run().LookClientele(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		if err := w.setup.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		expect("with the sign-in open", two+", and the app's own sign-in, which is still open")
		w.answers.Customers = &state.Customers{}
		expect("with the sign-in alone", "customers: close the app's sign-in: the app's own sign-in, which is still open")
		w.answers.Customers = &state.Customers{All: true}
		s := w.run()
		if c, err = s.LookClientele(t.Context(), w.answers, nil); err != nil {
			t.Fatal(whole(err))
		}
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}

		w.unsoldID.Store("")
		w.unsold = ""
		if o := w.visit(t.Context(), 0, names...); o.err != nil || len(o.failed) != 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		time.Sleep(time.Hour)
		expect("with one mended", one)

		s = w.run()
		if c, err = s.LookClientele(t.Context(), w.answers, nil); err != nil {
			t.Fatal(whole(err))
		}
		left := c.Rows[:0]
		for _, r := range c.Rows {
			if r.Name != "Humongous Insurance" {
				left = append(left, r)
			}
		}
		kept := s.store.Shields()
		c.Rows = left
		if _, err := s.InspectCustomers(t.Context(), w.answers, c, nil, FleetOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		expect("of a customer that has left", "")
		if err := w.run().store.SaveShields(kept); err != nil {
			t.Fatal(err)
		}
		expect("of one that is there after all", one)

		traces, err := w.run().InspectUndo(t.Context(), "", nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		if _, err := w.setup.Undo(t.Context(), MakeUndoPlan(traces, PlanOptions{}), ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		expect("after an undo", "")
		w.look(t.Context(), w.run())
		expect("looked at after it", "")
		if o := w.visit(t.Context(), 0, "Tailspin Toys"); o.err != nil || len(o.failed) != 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		if got := w.resumes(); len(got) != 1 || !strings.Contains(got[0], "what failed there") {
			t.Errorf("after another run: %q", got)
		}
	})
}

// That something failed is told by what is kept, also where nothing was refused, and no
// longer than until it is seen that it would work.
func TestFailedIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		name := w.first()
		var lost atomic.Bool
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				if lost.Load() && strings.HasSuffix(req.URL.Path, "/applicationconsents") {
					return nil, errKilled
				}
				return next.RoundTrip(req)
			})
		}
		lost.Store(true)
		o := w.visit(t.Context(), 0, name)
		if len(o.failed) != 1 {
			t.Fatal(whole(o.err), o.failed)
		}
		tenant := o.at(name).Customer.TenantID
		lost.Store(false)
		if x := w.run().LastShield(tenant); !x.Failed() || x.Refused != nil {
			t.Errorf("in a later run: %s", x.told())
		}
		if x := w.shieldAt(name); x.Failed() || x.Shade != Blue {
			t.Errorf("looked at: %s", x.told())
		}
	})
	for _, x := range []struct {
		s    Shield
		want bool
	}{
		{Shield{}, false},
		{Shield{Shade: Red}, true},
		{Shield{Shade: Blue}, false},
		{Shield{Shade: Amber}, false},
		{Shield{Shade: Green}, false},
		{Shield{Shade: Blue, Refused: &Refusal{}}, true},
		{Shield{Shade: Amber, Refused: &Refusal{}}, true},
	} {
		if x.s.Failed() != x.want {
			t.Errorf("%s, %v: failed %v", x.s.Shade, x.s.Refused, x.s.Failed())
		}
	}
}
