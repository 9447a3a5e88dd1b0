package steps

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
)

// The secret of the app's sign-in lives a day from when it is made, however long ago
// the look was.
func TestTheAppsSecretLivesADayFromItsMaking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		var ends []time.Time
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return watching(next, "/addPassword", func(body []byte) {
				var in struct {
					Password struct {
						End time.Time `json:"endDateTime"`
					} `json:"passwordCredential"`
				}
				if err := json.Unmarshal(body, &in); err != nil {
					t.Error(err)
				}
				ends = append(ends, in.Password.End)
			})
		}
		s := w.run()
		c, _ := w.look(t.Context(), s)
		time.Sleep(30 * time.Hour)
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		now := s.client.Now()
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		if len(ends) != 1 || ends[0].Sub(now) < 23*time.Hour || ends[0].Sub(now) > 25*time.Hour {
			t.Errorf("made at about %s, it ends at %v", now, ends)
		}
		if i := slices.IndexFunc(c.App.Open.Changes, func(x Change) bool { return x.ID == appSecret }); !strings.Contains(string(c.App.Open.Changes[i].Body), "a day after it is made") {
			t.Errorf("the plan says %s", c.App.Open.Changes[i].Body)
		}
	})
}

// watching tells of the body of each request to an address.
func watching(next http.RoundTripper, suffix string, tell func([]byte)) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, suffix) {
			data, err := io.ReadAll(req.Body)
			if err != nil {
				return nil, err
			}
			tell(data)
			req = req.Clone(req.Context())
			req.Body = io.NopCloser(bytes.NewReader(data))
		}
		return next.RoundTrip(req)
	})
}

// A secret of the app's sign-in whose answer was lost is taken away by the same run,
// whether another one could be made after it or not.
func TestTheAppsSecretWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lost  int  // answers
		blind bool // what became of it cannot be read while it is opened
		opens bool
	}{
		"once": {lost: 1, opens: true}, "for good": {lost: 100}, "and it cannot be looked for": {lost: 1, blind: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
				var lost, mended atomic.Int32
				w.wrap = func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(req *http.Request) (*http.Response, error) {
						away := strings.HasSuffix(req.URL.Path, "/addPassword") && int(lost.Add(1)) <= tt.lost
						if tt.blind && lost.Load() > 0 && mended.Load() == 0 && strings.Contains(req.URL.Path, "/applications/") && req.Method == http.MethodGet {
							return nil, errKilled
						}
						res, err := next.RoundTrip(req)
						if away && err == nil {
							_ = res.Body.Close()
							return nil, errKilled
						}
						return res, err
					})
				}
				s := w.run()
				c, _ := w.look(t.Context(), s)
				if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); (err == nil) != tt.opens {
					t.Errorf("opened: %v", whole(err))
				}
				mended.Store(1)
				if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
					t.Error(whole(err))
				}
				w.closed()
				time.Sleep(time.Hour)
				if c, err := w.run().LookClientele(t.Context(), w.answers, nil); err != nil || !c.App.Left.Empty() {
					t.Errorf("%v, left: %+v", whole(err), c.App.Left.Changes)
				}
			})
		})
	}
}

// An undo that ended with the app's sign-in open leaves that in the journal: the next
// look at the customers has what closes it.
func TestAnUndoThatLeftTheSignInOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		name := w.first()
		if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		time.Sleep(time.Hour)
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err != nil || !c.App.Left.Empty() {
			t.Fatal(whole(err), c.App.Left.Changes)
		}
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		if _, err := s.InspectCustomersUndo(t.Context(), FleetOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		time.Sleep(time.Minute)
		s = w.run() // the first one ended here
		if c, err = s.LookClientele(t.Context(), w.answers, nil); err != nil || len(c.App.Left.Changes) != 2 {
			t.Fatalf("%v, left: %+v", whole(err), c.App.Left.Changes)
		}
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		w.closed()
		time.Sleep(time.Hour)
		if c, err = w.run().LookClientele(t.Context(), w.answers, nil); err != nil || !c.App.Left.Empty() {
			t.Errorf("%v, left: %+v", whole(err), c.App.Left.Changes)
		}
	})
}

// Looked at anew, a customer's relationship is as it is by now.
func TestRelationshipsAreListedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-ended", Customers: 3})
		s := w.run()
		shield := func() Shield {
			t.Helper()
			c, p := w.look(t.Context(), s)
			for _, r := range c.Rows {
				if r.Name == "Fabrikam" {
					return p.Of(r.TenantID).Shield
				}
			}
			t.Fatal("it is not listed")
			return Shield{}
		}
		if x := shield(); x.Shade != Red || !strings.Contains(x.Reason, "terminated") {
			t.Error(x.told())
		}
		f, err := s.Inspect(t.Context(), w.answers, func(Event) {})
		if err != nil {
			t.Fatal(whole(err))
		}
		p := MakePlan(w.answers, f, PlanOptions{Stage: StageGDAP})
		if _, err := s.Apply(t.Context(), p, ApplyOptions{}); err != nil {
			t.Log(whole(err)) // it waits for the customer
		}
		if x := shield(); x.Shade != Blue || strings.Contains(x.Reason, "terminated") {
			t.Errorf("in the same run: %s", x.told())
		}
	})
}

// Undone in the partner's tenant is what stands there of the app's sign-in: what was
// opened and closed again has nothing that would still have to show.
func TestAnUndoDoesNotWaitForAClosedSignIn(t *testing.T) {
	t.Parallel()
	for name, opened := range map[string]int{"once": 1, "twice": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
				s := w.run()
				for range opened {
					c, err := s.LookClientele(t.Context(), w.answers, nil)
					if err != nil {
						t.Fatal(whole(err))
					}
					if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
						t.Fatal(whole(err))
					}
					if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
						t.Fatal(whole(err))
					}
				}
				var waits []string
				begun := time.Now()
				traces, err := s.InspectUndo(t.Context(), "", func(e Event) {
					if e.Wait != nil {
						waits = append(waits, e.Wait.For+", then "+e.Wait.Then)
					}
				})
				if err != nil {
					t.Fatal(whole(err))
				}
				if took := time.Since(begun); took > 0 || len(waits) > 0 {
					t.Errorf("%s was waited: %q", took, waits)
				}
				if p := MakeUndoPlan(traces, PlanOptions{}); !p.Empty() {
					t.Errorf("to be taken back: %+v", p.Changes)
				}
			})
		})
	}
}
