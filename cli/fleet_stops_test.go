package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
	"msbundle/steps"
)

// formOf reads the form of a request, which can still be sent.
func formOf(r *http.Request) url.Values {
	if r.Body == nil || r.Method != http.MethodPost {
		return nil
	}
	data, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(data)))
	form, _ := url.ParseQuery(string(data))
	return form
}

// answering has the sign-in service answer so to whoever waits for a code of the client
// that reads customers, and counts those codes.
func (w *world) answering(body string) *atomic.Int64 {
	var codes atomic.Int64
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return trip(func(r *http.Request) (*http.Response, error) {
			form := formOf(r)
			switch {
			case form.Get("client_id") != catalog.AzureCLI:
			case strings.HasSuffix(r.URL.Path, "/devicecode"):
				codes.Add(1)
			case form.Get("device_code") != "":
				return &http.Response{
					StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
					Body: io.NopCloser(strings.NewReader(body)),
				}, nil
			}
			return next.RoundTrip(r)
		})
	}
	return &codes
}

const (
	declinedAnswer = `{"error":"authorization_declined","error_description":"AADSTS70018: declined","error_codes":[70018]}`
	blockedAnswer  = `{"error":"invalid_grant","error_description":"AADSTS53003: blocked","error_codes":[53003]}`
	pendingAnswer  = `{"error":"authorization_pending"}`
)

// A sign-in of our own that does not come about is asked for once, is no customer's
// doing, and leaves their shields as they were.
func TestSignInThatFailsStopsTheFleet(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"declined": declinedAnswer, "blocked": blockedAnswer, "nobody comes": pendingAnswer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
				file := w.consenting("consent: all")
				if name == "blocked" {
					w.run("apply", "-f", file, "--yes").must(t, exitDone)
				}
				before := w.run("customers", "-f", file)
				codes, begun := w.answering(answer), time.Now()
				r := w.run("customers", "-f", file, "--look", "all").must(t, exitNoSignIn)
				if took := time.Since(begun); took > 2*time.Hour || name != "nobody comes" && codes.Load() != 1 || strings.Contains(r.err, "FAILED at") || strings.Contains(r.err, "of the customer") {
					t.Errorf("%d codes in %s:\n%s", codes.Load(), took, r.err)
				}
				if n := codes.Load(); name != "nobody comes" {
					w.run("customers", "-f", file, "--look", "failed,all").must(t, exitNoSignIn)
					if codes.Load() != n+1 {
						t.Errorf("the next run asks for %d codes", codes.Load()-n)
					}
				}
				w.run("apply", "-f", file, "--yes").must(t, exitNoSignIn)
				w.wrap = nil
				if after := w.run("customers", "-f", file).must(t, exitDone); after.out != before.out {
					t.Errorf("before:\n%s\nafter:\n%s", before.out, after.out)
				}
			})
		})
	}
}

// Skipping the sign-in that reads customers is asked for once, looks at nobody, and the
// next look asks again.
func TestSkippedSignInStopsTheFleet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 5})
		a := w.app(strings.NewReader(""), io.Discard, io.Discard)
		a.input = &lines{}
		defer a.close()
		root := a.root()
		root.SetArgs([]string{"completion", "bash", "--sandbox", "--state-dir", w.state})
		root.SetOut(io.Discard)
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		file := w.consenting("consent: all")
		data, err := a.read(file)
		if err != nil {
			t.Fatal(err)
		}
		answers, err := a.answers(file, data)
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := a.signedIn(t.Context(), answers, false)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.LookClientele(t.Context(), answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		prompts := map[int]bool{}
		s.Prompts(func(p steps.Prompt) {
			mu.Lock()
			defer mu.Unlock()
			if !p.Ended && !prompts[p.N] {
				prompts[p.N] = true
				s.Skip(p.N)
			}
		}, true)
		everybody := c.Tenants(func(steps.CustomerRow) bool { return true })
		for look := 1; look <= 2; look++ {
			p, err := s.InspectCustomers(t.Context(), answers, c, everybody, steps.FleetOptions{})
			if err == nil || !strings.Contains(failure(err).Do, "sign in when you are asked") || len(prompts) != look {
				t.Errorf("look %d: %d prompts, %v", look, len(prompts), err)
			}
			for _, x := range p.Customers {
				if x.Shield.Shade != steps.Unseen {
					t.Errorf("look %d: %s is %s", look, x.Customer.Name, x.Shield.Shade)
				}
			}
		}
	})
}

// cutting has no connection be made for those requests.
func (w *world) cutting(cut func(*http.Request) bool) {
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return trip(func(r *http.Request) (*http.Response, error) {
			if cut(r) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("network is unreachable")}
			}
			return next.RoundTrip(r)
		})
	}
}

// A connection that cannot be made once ends nothing: what did not leave is sent again.
func TestConnectionThatFailsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 1})
		file := w.consenting("consent: all")
		var mu sync.Mutex
		cut := map[string]bool{}
		w.cutting(func(r *http.Request) bool {
			write := path.Base(r.URL.Path)
			switch write {
			case "addPassword", "applicationconsents", "removePassword":
			case "$batch":
				data, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(strings.NewReader(string(data)))
				if !strings.Contains(string(data), `"POST"`) {
					return false
				}
			default:
				return false
			}
			mu.Lock()
			defer mu.Unlock()
			first := !cut[write]
			cut[write] = true
			return first
		})
		r := w.run("apply", "-f", file, "--yes").must(t, exitDone).says(t, "waiting for the network: no connection can be made")
		if len(cut) != 4 || strings.Count(r.err, "no connection can be made") != 2 {
			t.Errorf("%v were cut off:\n%s", cut, r.err)
		}
	})
}

// The network that goes away is no customer's doing: the others are not begun, and
// nobody's shield turns red.
func TestNetworkThatGoesStopsTheFleet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 4})
		file := w.consenting("consent: all")
		var gone atomic.Bool
		var consents atomic.Int64
		w.cutting(func(r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/applicationconsents") && consents.Add(1) > 1 {
				gone.Store(true)
			}
			return gone.Load()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		r := w.runContext(ctx, "apply", "-f", file, "--yes", "--workers", "1").must(t, exitFailed)
		for _, words := range []string{"could not be reached", "Check the network", "blue, left out", "left open"} {
			if !strings.Contains(r.err, words) {
				t.Errorf("it does not say %q", words)
			}
		}
		if strings.Contains(r.err, "FAILED at") || strings.Contains(r.err, " red") || t.Failed() {
			t.Errorf("%s", r.err)
		}
		w.wrap = nil
		if list := w.run("customers", "-f", file).must(t, exitDone); strings.Contains(list.out, "red") {
			t.Errorf("the list:\n%s", list.out)
		}
	})
}

// Nor is it when only a part of what a customer is judged by could not be reached.
func TestNetworkThatGoesShowsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 1})
		file := w.consenting("exclude: true, consent: all")
		w.run("apply", "-f", file, "--yes").must(t, exitDone)
		before := w.run("customers", "-f", file).must(t, exitDone)
		var look atomic.Bool
		w.cutting(func(r *http.Request) bool {
			look.Store(look.Load() || strings.HasSuffix(r.URL.Path, "/$batch"))
			return look.Load() && strings.HasSuffix(r.URL.Path, "/conditionalAccess/policies")
		})
		w.run("customers", "-f", file, "--look", "all").must(t, exitFailed).says(t, "could not be reached")
		w.wrap = nil
		if after := w.run("customers", "-f", file).must(t, exitDone); after.out != before.out {
			t.Errorf("before:\n%s\nafter:\n%s", before.out, after.out)
		}
	})
}
