package msclient

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
)

const second = time.Second

var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: syscall.ECONNREFUSED}
	errDNS     = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "graph.microsoft.com", IsNotFound: true}}
)

func pollScript(replies ...reply) func(int) reply {
	return func(n int) reply { return replies[min(n, len(replies))-1] }
}

var (
	pendingAnswer = oauth("authorization_pending", 70016)
	slowAnswer    = oauth("slow_down", 0)
	granted       = reply{}
)

func TestSignIn(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.polls = pollScript(pendingAnswer, granted)
		var shown []DeviceCode
		got, err := byCode(c, t.Context(), "", scopes, func(d DeviceCode) { shown = append(shown, d) })
		if err != nil {
			t.Fatal(err)
		}
		want := Account{Username: "admin@contoso.com", ObjectID: person, TenantID: homeTenant, MFA: true, Scopes: scopes, Method: ByDevice}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("account (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]DeviceCode{{"CODE1", "https://microsoft.com/devicelogin", s.begun.UTC().Add(900 * second), s.begun.UTC().Add(870 * second)}}, shown); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
		// The token of the sign-in serves the first requests; none is redeemed.
		if _, err := c.Graph(homeTenant).Do(t.Context(), Request{Path: "/v1.0/me"}); err != nil {
			t.Fatal(err)
		}
		if got := tokenOf(s.to("/v1.0/me")[0].token); got != homeTenant+"#1" {
			t.Errorf("token: got %s", got)
		}
		form := s.to("/devicecode")[0].form
		if got := form.Get("scope"); !strings.Contains(got, "https://graph.microsoft.com/User.Read") || form.Get("client_id") != catalog.GraphCommandLineTools {
			t.Errorf("asked for %q as %q", got, form.Get("client_id"))
		}
	})
}

func TestDeviceCodePolls(t *testing.T) {
	for _, tt := range []struct {
		name     string
		interval int
		polls    []reply
		want     []time.Duration // gaps
	}{
		{"interval kept", 7, []reply{pendingAnswer, pendingAnswer, pendingAnswer, granted}, []time.Duration{7 * second, 7 * second, 7 * second}},
		{"no interval named", 0, []reply{pendingAnswer, pendingAnswer, granted}, []time.Duration{5 * second, 5 * second}},
		{"slow_down stays", 5, []reply{slowAnswer, pendingAnswer, pendingAnswer, granted}, []time.Duration{10 * second, 10 * second, 10 * second}},
		{"slow_down twice", 5, []reply{pendingAnswer, slowAnswer, slowAnswer, pendingAnswer, granted}, []time.Duration{5 * second, 10 * second, 15 * second, 15 * second}},
		{"throttled", 5, []reply{status(429), granted}, []time.Duration{5 * second}},
		{"throttled, with a time", 5, []reply{throttled("30"), pendingAnswer, granted}, []time.Duration{30 * second, 5 * second}},
		{"failures absorbed", 5, []reply{status(500), status(503), {status: 502, body: "<html>"}, {status: 504}, {status: 408}, {err: errReset}, {err: errDNS}, {err: errRefused}, granted}, slices.Repeat([]time.Duration{5 * second}, 8)},
		{"no answer", 5, []reply{{hang: true}, granted}, []time.Duration{tokenTimeout + 150*time.Millisecond}},
		{"pending, other status", 5, []reply{{status: 401, body: pendingAnswer.body}, granted}, []time.Duration{5 * second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				s.interval, s.polls = tt.interval, pollScript(tt.polls...)
				shown := 0
				if _, err := byCode(c, t.Context(), "", scopes, func(DeviceCode) { shown++ }); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, gaps(s.polled())); diff != "" {
					t.Errorf("gaps (-want +got):\n%s", diff)
				}
				if shown != 1 {
					t.Errorf("%d codes were shown", shown)
				}
				if len(c.pacer.waits) != 0 {
					t.Errorf("a used code is kept: %d", len(c.pacer.waits))
				}
			})
		})
	}
}

func TestARefusedSignInEndsAtOnce(t *testing.T) {
	for _, tt := range []struct {
		oauth  string
		number int
	}{{"authorization_declined", 65004}, {"access_denied", 65004}, {"bad_verification_code", 70018}, {"invalid_grant", 53003}, {"invalid_client", 7000218}} {
		t.Run(tt.oauth, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				s.polls = pollScript(pendingAnswer, oauth(tt.oauth, tt.number))
				_, err := byCode(c, t.Context(), "", scopes, func(DeviceCode) {})
				var refused *AuthError
				if !errors.As(err, &refused) || refused.OAuth != tt.oauth || !slices.Contains(refused.Codes, tt.number) {
					t.Fatalf("got %v (%T)", err, err)
				}
				if len(s.polled()) != 2 || len(s.to("/devicecode")) != 1 {
					t.Errorf("%d polls, %d codes", len(s.polled()), len(s.to("/devicecode")))
				}
				if len(c.pacer.waits) != 0 {
					t.Error("a used code is kept")
				}
			})
		})
	}
}

// errors.As finds the refusal through what MSAL wraps round it.
func TestARefusalIsFoundThroughMSAL(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.codes = func(int) reply { return oauth("unauthorized_client", 700016) }
		_, err := graphSigner(t, c).msal.(publicFlow).AcquireTokenByDeviceCode(t.Context(), c.graphScopes(scopes))
		var refused *AuthError
		want := &AuthError{
			OAuth: "unauthorized_client", Codes: []int{700016}, Suberror: "basic_action", Claims: `{"c":1}`,
			Description: "AADSTS700016: words\r\nTrace ID: x", Correlation: "corr",
		}
		if !errors.As(err, &refused) {
			t.Fatalf("got %v (%T)", err, err)
		}
		if diff := cmp.Diff(want, refused); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if refused.Error() != "AADSTS700016: words" {
			t.Errorf("text: got %q", refused)
		}
	})
}

// A code is replaced before its end, and serves until then: the person may be
// half-way through with it.
func TestACodeIsReplacedBeforeItExpires(t *testing.T) {
	for _, tt := range []struct {
		name    string
		granted time.Duration
		which   string // code that is granted
		shown   []string
	}{
		{"the old one is used late", 115 * second, "-dc-1", []string{"CODE1", "CODE2"}},
		{"the new one is used", 130 * second, "-dc-2", []string{"CODE1", "CODE2"}},
		{"the third one is used", 190 * second, "-dc-3", []string{"CODE1", "CODE2", "CODE3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				s.lifetime = 120
				s.polls = func(int) reply {
					if time.Since(s.begun) >= tt.granted && strings.HasSuffix(s.requests[len(s.requests)-1].form.Get("device_code"), tt.which) {
						return granted
					}
					return pendingAnswer
				}
				var shown []string
				if _, err := byCode(c, t.Context(), "", scopes, func(d DeviceCode) { shown = append(shown, d.UserCode) }); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.shown, shown); diff != "" {
					t.Errorf("shown (-want +got):\n%s", diff)
				}
				polls := map[string][]time.Duration{}
				for _, r := range s.to("/token") {
					code := r.form.Get("device_code")
					polls[code] = append(polls[code], r.at)
				}
				for code, at := range polls {
					if n := slices.IndexFunc(gaps(at), func(d time.Duration) bool { return d != 5*second }); n >= 0 {
						t.Errorf("polls of %s: %v", code, at)
					}
				}
				if len(c.pacer.waits) != 0 {
					t.Errorf("%d used codes are kept", len(c.pacer.waits))
				}
			})
		})
	}
}

// The service may end a code before our clock does, and a new one comes then.
func TestACodeTheServiceEndsIsReplaced(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.polls = pollScript(pendingAnswer, oauth("expired_token", 70020), pendingAnswer, granted)
		var shown []string
		if _, err := byCode(c, t.Context(), "", scopes, func(d DeviceCode) { shown = append(shown, d.UserCode) }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"CODE1", "CODE2"}, shown); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
	})
}

// Nobody comes: the service is not asked for codes for ever, however it behaves.
func TestSignInGivesUpInTheEnd(t *testing.T) {
	for name, lifetime := range map[string]int{"quarter of an hour": 900, "expired when handed out": 0} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				s.lifetime, s.polls = lifetime, pollScript(pendingAnswer)
				_, err := byCode(c, t.Context(), "", scopes, func(DeviceCode) {})
				if !errors.Is(err, ErrSignInExpired) || len(s.to("/devicecode")) != maxCodes {
					t.Errorf("got %v after %d codes", err, len(s.to("/devicecode")))
				}
				if len(c.pacer.waits) > 0 {
					t.Errorf("%d expired codes are kept", len(c.pacer.waits))
				}
			})
		})
	}
}

func TestCancellingASignInReturnsAtOnce(t *testing.T) {
	for name, prepare := range map[string]func(*service){
		"between polls":          func(s *service) { s.polls = pollScript(pendingAnswer) },
		"in a poll":              func(s *service) { s.polls = pollScript(reply{hang: true}) },
		"starting":               func(s *service) { s.codes = func(int) reply { return reply{hang: true} } },
		"waiting to start again": func(s *service) { s.codes = func(int) reply { return throttled("60") } },
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				prepare(s)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*second, cancel)
				_, err := byCode(c, ctx, "", scopes, func(DeviceCode) {})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(s.begun); took != 3*second {
					t.Errorf("returned after %s", took)
				}
			})
		})
	}
}

// The caller's own deadline is no expired code.
func TestTheCallersDeadlineEndsASignIn(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.polls = pollScript(pendingAnswer)
		ctx, cancel := context.WithTimeout(t.Context(), 20*second)
		defer cancel()
		_, err := byCode(c, ctx, "", scopes, func(DeviceCode) {})
		if !errors.Is(err, context.DeadlineExceeded) || len(s.to("/devicecode")) != 1 || time.Since(s.begun) != 20*second {
			t.Errorf("got %v after %s and %d codes", err, time.Since(s.begun), len(s.to("/devicecode")))
		}
	})
}

func TestTheStartOfASignInIsRepeated(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first reply
		want  []time.Duration
	}{
		{"failure", status(503), []time.Duration{second}},
		{"throttled", throttled("40"), []time.Duration{40 * second}},
		{"reset", reply{err: errReset}, []time.Duration{second}},
		{"no answer", reply{hang: true}, []time.Duration{tokenTimeout + second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				s.codes = func(n int) reply {
					if n == 1 {
						return tt.first
					}
					return reply{}
				}
				if _, err := byCode(c, t.Context(), "", scopes, func(DeviceCode) {}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, gaps(times(s.to("/devicecode")))); diff != "" {
					t.Errorf("gaps (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAStartThatKeepsFailingEnds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		every reply
		want  string
		tries int
	}{
		{"failure", status(503), "answered 503 without saying why; try again, and look at the proxy settings", 4},
		{"throttled for an hour", throttled("3600"), "answered 429", 1},
		{"proxy's words", reply{status: 407, body: "<html>canary</html>"}, "answered 407", 1},
		{"sent elsewhere", reply{status: 307, header: map[string]string{"Location": "https://evil.example/"}}, "answered 307", 1},
		{"no such host", reply{err: errDNS}, "no such host", 1},
		{"reset", reply{err: errReset}, "connection reset", 4},
		{"refused", oauth("invalid_request", 900144), "AADSTS900144: words", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				s.codes = func(int) reply { return tt.every }
				_, err := byCode(c, t.Context(), "", scopes, func(DeviceCode) { t.Error("a code was shown") })
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), canary) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if n := len(s.to("/devicecode")); n != tt.tries {
					t.Errorf("%d tries, want %d", n, tt.tries)
				}
			})
		})
	}
}

func TestResolveTenant(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		if got, err := c.ResolveTenant(t.Context(), "contoso.com"); got.ID != homeTenant || err != nil {
			t.Errorf("domain: got %v, %v", got, err)
		}
		if got, err := c.ResolveTenant(t.Context(), otherTenant); got.ID != otherTenant || err != nil {
			t.Errorf("id: got %v, %v", got, err)
		}
		if got, err := c.ResolveTenant(t.Context(), "organizations"); got.ID != "" || err == nil {
			t.Errorf("no tenant: got %v, %v", got, err)
		}
		s.config = func(string) reply { return oauth("invalid_tenant", 90002) }
		_, err := c.ResolveTenant(t.Context(), "nowhere.example")
		var refused *AuthError
		if !errors.As(err, &refused) || !slices.Contains(refused.Codes, 90002) || !strings.HasPrefix(err.Error(), `look up tenant "nowhere.example": AADSTS90002`) {
			t.Errorf("unknown: got %v", err)
		}
		for _, a := range []reply{status(404), ok("no JSON"), ok(`{"issuer":"::"}`), ok("{}"), {err: errReset}, {hang: true}} {
			s.config = func(string) reply { return a }
			if got, err := c.ResolveTenant(t.Context(), "contoso.com"); got.ID != "" || err == nil || !strings.HasPrefix(err.Error(), `look up tenant "contoso.com": `) {
				t.Errorf("%+v: got %v, %v", a, got, err)
			}
		}
		// What stands in a path cannot leave it.
		s.config = nil
		before := s.count()
		_, _ = c.ResolveTenant(t.Context(), "../x?y=")
		if got := s.to("")[before].path; !strings.HasPrefix(got, "/..%2Fx%3Fy=/v2.0/") {
			t.Errorf("asked for %s", got)
		}
	})
}
