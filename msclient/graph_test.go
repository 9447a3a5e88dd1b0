package msclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const app = "/v1.0/applications"

func TestWhatIsRepeated(t *testing.T) {
	good := ok(`{"id":"1"}`)
	for _, tt := range []struct {
		name    string
		method  string
		replies []reply
		tries   int
		code    int  // status of the error; -1 for no error
		doubt   bool // the error leaves the outcome open
	}{
		{"GET, 500", "GET", []reply{status(500), good}, 2, -1, false},
		{"GET, 408, 502, 503, 504", "GET", []reply{status(408), status(502), status(503), status(504), good}, 5, -1, false},
		{"GET, 429", "GET", []reply{throttled("1"), good}, 2, -1, false},
		{"GET, reset", "GET", []reply{{err: errReset}, good}, 2, -1, false},
		{"GET, no such host", "GET", []reply{{err: errDNS}, good}, 2, -1, false},
		{"GET, no answer", "GET", []reply{{hang: true}, good}, 2, -1, false},
		{"GET, always 500", "GET", []reply{status(500)}, maxRetries + 1, 500, true},
		{"GET, always 429", "GET", []reply{throttled("1")}, maxRetries + 1, 429, false},
		{"GET, 400", "GET", []reply{status(400)}, 1, 400, false},
		{"GET, 404", "GET", []reply{status(404)}, 1, 404, false},
		{"PATCH, 500", "PATCH", []reply{status(500), good}, 2, -1, false},
		{"DELETE, reset", "DELETE", []reply{{err: errReset}, status(204)}, 2, -1, false},
		{"PUT, 503", "PUT", []reply{status(503), good}, 2, -1, false},

		{"POST, 429", "POST", []reply{throttled("1"), throttled("1"), good}, 3, -1, false},
		{"POST, 500", "POST", []reply{status(500), good}, 1, 500, true},
		{"POST, 502", "POST", []reply{status(502), good}, 1, 502, true},
		{"POST, 503", "POST", []reply{status(503), good}, 1, 503, true},
		{"POST, 503 with a time", "POST", []reply{{status: 503, header: map[string]string{"Retry-After": "1"}}, good}, 1, 503, true},
		{"POST, 504", "POST", []reply{status(504), good}, 1, 504, true},
		{"POST, 408", "POST", []reply{status(408), good}, 1, 408, true},
		{"POST, reset", "POST", []reply{{err: errReset}, good}, 1, 0, true},
		{"POST, no answer", "POST", []reply{{hang: true}, good}, 1, 0, true},
		{"POST, refused connection", "POST", []reply{{err: errRefused}, good}, 2, -1, false},
		{"POST, no such host", "POST", []reply{{err: errDNS}, good}, 2, -1, false},
		{"POST, host stays away", "POST", []reply{{err: errRefused}}, maxRetries + 1, 0, false},
		{"POST, 400", "POST", []reply{status(400)}, 1, 400, false},
		{"POST, 409", "POST", []reply{status(409)}, 1, 409, false},
		{"POST, refused, then reset", "POST", []reply{{err: errDNS}, {err: errReset}, good}, 2, 0, true},
		{"POST, sent elsewhere", "POST", []reply{{status: 307, header: map[string]string{"Location": "https://evil.example/"}}}, 1, 307, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				g := s.signIn(c)
				s.graph = script(tt.replies...)
				res, err := g.Do(t.Context(), Request{Method: tt.method, Path: app + "?$select=id", Body: map[string]string{"name": "x"}})
				if n := len(s.to(app)); n != tt.tries {
					t.Errorf("sent %d times, want %d", n, tt.tries)
				}
				for _, r := range s.to(app) {
					if r.body != `{"name":"x"}` || r.method != tt.method {
						t.Errorf("sent %s with body %q", r.method, r.body)
					}
				}
				if tt.code == -1 {
					if err != nil || res.RequestID == "" {
						t.Errorf("got %+v, %v", res, err)
					}
					return
				}
				var failed *Error
				if !errors.As(err, &failed) || failed.Status != tt.code || failed.InDoubt() != tt.doubt {
					t.Fatalf("got %#v, want status %d, in doubt %t", err, tt.code, tt.doubt)
				}
				if failed.Op != tt.method+" "+app {
					t.Errorf("op: got %q", failed.Op)
				}
			})
		})
	}
}

func TestRetryAfterIsHonouredToTheSecond(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header map[string]string
		want   time.Duration // 0: not repeated
	}{
		{"short", map[string]string{"Retry-After": "7"}, 7 * second},
		{"two minutes", map[string]string{"Retry-After": "120"}, 120 * second},
		{"five minutes", map[string]string{"Retry-After": "300"}, 300 * second},
		{"milliseconds", map[string]string{"retry-after-ms": "250"}, 250 * time.Millisecond},
		{"longer than anyone waits", map[string]string{"Retry-After": "301"}, 0},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(tt.name+", "+method, func(t *testing.T) {
				test(t, func(t *testing.T, s *service, c *Client) {
					g := s.signIn(c)
					s.graph = script(reply{status: 429, header: tt.header}, ok("{}"))
					_, err := g.Do(t.Context(), Request{Method: method, Path: app})
					if tt.want == 0 {
						var failed *Error
						if !errors.As(err, &failed) || !failed.Throttled() || failed.RetryAfter != 301*second || len(s.to(app)) != 1 {
							t.Errorf("got %v after %d tries", err, len(s.to(app)))
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff([]time.Duration{tt.want}, gaps(times(s.to(app)))); diff != "" {
						t.Errorf("gaps (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

func TestRetryAfterAsDate(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		at := time.Now().Add(40 * second).UTC()
		s.graph = script(reply{status: 429, header: map[string]string{"Retry-After": at.Format(http.TimeFormat)}}, ok("{}"))
		if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
			t.Fatal(err)
		}
		if got := gaps(times(s.to(app)))[0]; got < 39*second || got > 40*second {
			t.Errorf("waited %s", got)
		}
	})
}

func TestGraphHonoursTheContext(t *testing.T) {
	for name, a := range map[string]reply{"waiting to repeat": throttled("120"), "without an answer": {hang: true}, "backing off": {err: errRefused}} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				g := s.signIn(c)
				s.graph = script(a)
				ctx, cancel := context.WithCancel(t.Context())
				begun := time.Now()
				time.AfterFunc(500*time.Millisecond, cancel)
				_, err := g.Do(ctx, Request{Path: app})
				if !errors.Is(err, context.Canceled) || time.Since(begun) != 500*time.Millisecond {
					t.Errorf("got %v after %s", err, time.Since(begun))
				}
			})
		})
	}
}

func TestRequestsAreMarked(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.graph = script(throttled("1"), ok("{}"))
		if _, err := g.Do(t.Context(), Request{Path: app, Header: http.Header{"Consistencylevel": {"eventual"}}}); err != nil {
			t.Fatal(err)
		}
		for _, r := range s.to(app) {
			if r.header.Get("client-request-id") == "" || r.header.Get("ConsistencyLevel") != "eventual" ||
				r.header.Get("Accept") != "application/json" || !strings.HasPrefix(r.header.Get("User-Agent"), "msbundle ") {
				t.Errorf("header: %v", r.header)
			}
		}
	})
}

func TestErrorsTellWhatTheServiceSaid(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		for _, tt := range []struct {
			reply reply
			want  Error
			text  string
		}{
			{
				reply{status: 409, body: `{"error":{"code":"Conflict","message":"exists","details":[{"code":"ObjectConflict","message":"m","target":"t"}]}}`},
				Error{Op: "GET " + app, Status: 409, Code: "Conflict", Message: "exists", Details: []Detail{{"ObjectConflict", "m", "t"}}},
				"GET /v1.0/applications: 409 Conflict: exists",
			},
			{reply{status: 403, body: "<html>no</html>"}, Error{Op: "GET " + app, Status: 403}, "GET /v1.0/applications: 403"},
			{reply{status: 418, body: `{"error":{"code":"Teapot"}}`}, Error{Op: "GET " + app, Status: 418, Code: "Teapot"}, "GET /v1.0/applications: 418 Teapot"},
			{reply{status: 400, body: `{"error":"words"}`}, Error{Op: "GET " + app, Status: 400}, "GET /v1.0/applications: 400"},
			{reply{status: 404, header: map[string]string{"request-id": ""}, body: graphError("Gone", "m")}, Error{Op: "GET " + app, Status: 404, Code: "Gone", Message: "m", RequestID: "inner-id"}, "GET /v1.0/applications: 404 Gone: m"},
		} {
			s.graph = script(tt.reply)
			_, err := g.Do(t.Context(), Request{Path: app + "?$filter=displayName eq 'x'"})
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if tt.want.RequestID == "" && got.RequestID != "" { // from the header, of a varying number
				tt.want.RequestID = got.RequestID
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err.Error() != tt.text || got.RequestID == "" {
				t.Errorf("text: got %q, request id %q", err, got.RequestID)
			}
		}
	})
}

func collect[T any](t *testing.T, g *Graph, path string) ([]T, error) {
	t.Helper()
	var out []T
	for v, err := range List[T](t.Context(), g, path) {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

func page(next string, values ...int) reply {
	if next != "" && !strings.Contains(next, ":") {
		next = "https://graph.microsoft.com" + next
	}
	return ok(jsonText(map[string]any{"value": slices.Concat([]int{}, values), "@odata.nextLink": next}))
}

func TestList(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pages map[string]reply
		want  []int
		err   string
		asked int
	}{
		{"one page", map[string]reply{"/v1.0/x": page("", 1, 2)}, []int{1, 2}, "", 1},
		{"three pages", map[string]reply{
			"/v1.0/x": page("/v1.0/x?$skiptoken=a%20b", 1), "/v1.0/x?$skiptoken=a%20b": page("/v1.0/x?$skiptoken=c", 2), "/v1.0/x?$skiptoken=c": page("", 3),
		}, []int{1, 2, 3}, "", 3},
		{"empty page in between", map[string]reply{"/v1.0/x": page("/v1.0/x?2"), "/v1.0/x?2": page("/v1.0/x?3"), "/v1.0/x?3": page("", 3)}, []int{3}, "", 3},
		{"nothing", map[string]reply{"/v1.0/x": page("")}, nil, "", 1},
		{"other host", map[string]reply{"/v1.0/x": page("https://evil.example/v1.0/x", 1)}, []int{1}, "the service named a next page outside graph.microsoft.com", 1},
		{"host in front", map[string]reply{"/v1.0/x": page("https://graph.microsoft.com@evil.example/v1.0/x", 1)}, []int{1}, "outside graph.microsoft.com", 1},
		{"host with more", map[string]reply{"/v1.0/x": page("https://graph.microsoft.com.evil.example/v1.0/x", 1)}, []int{1}, "outside graph.microsoft.com", 1},
		{"other port", map[string]reply{"/v1.0/x": page("https://graph.microsoft.com:444/v1.0/x", 1)}, []int{1}, "outside graph.microsoft.com", 1},
		{"no TLS", map[string]reply{"/v1.0/x": page("http://graph.microsoft.com/v1.0/x", 1)}, []int{1}, "outside graph.microsoft.com", 1},
		{"no address", map[string]reply{"/v1.0/x": page("::", 1)}, []int{1}, "outside graph.microsoft.com", 1},
		{"the same page again", map[string]reply{"/v1.0/x": page("/v1.0/x", 1)}, []int{1}, "GET /v1.0/x: the service named the same page again", 1},
		{"refused on the way", map[string]reply{"/v1.0/x": page("/v1.0/x?2", 1), "/v1.0/x?2": status(403)}, []int{1}, "GET /v1.0/x: 403", 2},
		{"no JSON", map[string]reply{"/v1.0/x": ok("<html>")}, nil, "read the service's answer: invalid character", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				g := s.signIn(c)
				s.graph = func(r sent) reply { return tt.pages[r.path] }
				got, err := collect[int](t, g, "/v1.0/x")
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				if n := len(s.to("/v1.0/x")); n != tt.asked {
					t.Errorf("asked %d times, want %d", n, tt.asked)
				}
			})
		})
	}
}

func TestListStopsWhenItsReaderDoes(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.graph = func(r sent) reply { return page(fmt.Sprintf("/v1.0/x?%d", s.issued), 1, 2) }
		for range List[int](t.Context(), g, "/v1.0/x") {
			break
		}
		if n := len(s.to("/v1.0/x")); n != 1 {
			t.Errorf("%d pages were read", n)
		}
	})
}

func TestRest(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.graph = script(page("", 3, 4))
		first := Page[int]{Value: []int{1, 2}, NextLink: "https://graph.microsoft.com/v1.0/x?2"}
		got, err := Rest(t.Context(), g, first)
		if diff := cmp.Diff([]int{1, 2, 3, 4}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		first.NextLink = ""
		if got, err := Rest(t.Context(), g, first); len(got) != 2 || err != nil {
			t.Errorf("one page: got %v, %v", got, err)
		}
		first.NextLink = "https://evil.example/"
		if _, err := Rest(t.Context(), g, first); err == nil {
			t.Error("another host was not refused")
		}
	})
}

// Conditional access takes a request a second, repeated ones included, and sends
// no Retry-After.
func TestConditionalAccessIsSpaced(t *testing.T) {
	const policies = "/v1.0/identity/conditionalAccess/policies"
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		n := 0
		s.graph = func(sent) reply {
			if n++; n == 2 {
				return status(429)
			}
			return ok("{}")
		}
		together(4, func() {
			if _, err := g.Do(t.Context(), Request{Path: policies}); err != nil {
				t.Error(err)
			}
		})
		at := times(s.to(policies))
		if len(at) != 5 {
			t.Errorf("sent %d times", len(at))
		}
		for _, gap := range gaps(at) {
			if gap < 1100*time.Millisecond {
				t.Errorf("a gap of %s", gap)
			}
		}
		// Others are not held up.
		begun := time.Now()
		if _, err := g.Do(t.Context(), Request{Path: app}); err != nil || time.Since(begun) != 0 {
			t.Errorf("another request took %s, %v", time.Since(begun), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _ = g.Do(t.Context(), Request{Path: policies})
		if _, err := g.Do(ctx, Request{Path: policies}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for a turn: got %v", err)
		}
	})
}

func TestTheServicesClockIsLearnt(t *testing.T) {
	for _, skew := range []time.Duration{0, 900 * time.Millisecond, 10 * time.Minute, -3 * time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				if c.Skew() != 0 {
					t.Errorf("before any answer: got %s", c.Skew())
				}
				s.skew = skew
				g := s.signIn(c)
				check := func(when string, want time.Duration) {
					t.Helper()
					if want.Abs() < 2*second {
						want = 0
					}
					if d := (c.Skew() - want).Abs(); d > second || want == 0 && d != 0 {
						t.Errorf("%s: got %s, want %s", when, c.Skew(), want)
					}
					if d := time.Until(c.Now()) - c.Skew(); d != 0 {
						t.Errorf("%s: Now is off by %s", when, d)
					}
				}
				check("from the sign-in", skew)
				s.skew = 2 * skew // somebody sets this machine's clock
				if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
					t.Fatal(err)
				}
				check("from Graph", 2*skew)
				s.graph = script(reply{status: 200, body: "{}", header: map[string]string{"Date": "yesterday"}})
				if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
					t.Fatal(err)
				}
				check("from an answer without a time", 2*skew)
			})
		})
	}
}
