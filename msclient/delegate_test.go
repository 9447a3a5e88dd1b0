package msclient

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	partnerHost = "api.partnercenter.microsoft.com"
	consents    = "/v1/customers/x/applicationconsents"
)

// delegating has a person sign in with the partner's own app by a browser, on real
// sockets. The page's address goes to browse, which comes back from it.
func delegating(t *testing.T, s *service, o Options, browse func(b back)) (*Client, []Prompt, Account, error) {
	t.Helper()
	c := s.client(o)
	s.signIn(c)
	var a asked
	var browsing sync.WaitGroup
	c.Prompts(func(p Prompt) {
		a.show(p)
		if p.URL == "" {
			return
		}
		u, err := url.Parse(p.URL)
		if err != nil {
			t.Error(err)
			return
		}
		browsing.Go(func() { browse(back{u.Query(), fmt.Sprint(p.Port)}) })
	}, false)
	got, err := c.Delegate(t.Context(), App{TenantID: homeTenant, ClientID: ownApp, Secret: NewSecret(canary + "-secret")}, "Rewst Owned App", Wish{Why: "consents"})
	browsing.Wait()
	if text := s.log.String() + fmt.Sprintf("%v %+v %#v", c, c, err); strings.Contains(text, canary) {
		t.Errorf("a secret is told:\n%s", text)
	}
	return c, a.all(), got, err
}

func TestThePersonSignsInWithThePartnersOwnApp(t *testing.T) {
	s := newService(t)
	s.interval = 0
	var page url.Values
	both := Options{Method: ByDevice, Methods: []Method{ByDevice, ByBrowser, ByTunnel}}
	c, prompts, got, err := delegating(t, s, both, func(b back) {
		page = b.query
		b.send(t, url.Values{"code": {canary + "-code"}, "state": {b.query.Get("state")}}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Account{Username: "admin@contoso.com", ObjectID: person, TenantID: homeTenant, MFA: true, Scopes: scopes, Method: ByBrowser}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"client_id": ownApp, "response_mode": "form_post", "code_challenge_method": "S256", "login_hint": "admin@contoso.com", "prompt": "", "claims": demandMFA,
		"scope": "https://graph.microsoft.com/.default openid offline_access profile",
	} {
		if got := page.Get(name); got != want {
			t.Errorf("page: %s is %q, want %q", name, got, want)
		}
	}
	p := prompts[0]
	if p.App != "Rewst Owned App" || p.Why != "consents" || p.Account != "admin@contoso.com" || p.Skip || !slices.Equal(p.Methods, []Method{ByBrowser, ByTunnel}) {
		t.Errorf("asked with %+v", p)
	}
	form := s.to("/token")[1].form
	if form.Get("client_secret") != canary+"-secret" || form.Get("code") != canary+"-code" || len(form.Get("code_verifier")) < 43 || form.Get("grant_type") != "authorization_code" {
		t.Errorf("redeemed with %v", form)
	}
	if c.Delegated() != ownApp {
		t.Errorf("the delegate is %q", c.Delegated())
	}
}

// A machine without a browser has the person forward a port: a code is nothing for
// an app with a secret.
func TestTheOwnAppIsNeverSignedInToByACode(t *testing.T) {
	s := newService(t)
	s.interval = 0
	_, prompts, got, err := delegating(t, s, Options{}, func(b back) {
		b.send(t, url.Values{"code": {canary + "-code"}, "state": {b.query.Get("state")}}, nil)
	})
	if err != nil || got.Method != ByTunnel || prompts[0].Method != ByTunnel {
		t.Errorf("by %s, %v", got.Method, err)
	}
	if n := len(s.to("/devicecode")); n != 1 { // of the first sign-in
		t.Errorf("%d codes", n)
	}
}

func TestWhoDoesNotServeAsADelegate(t *testing.T) {
	good := func(b back) {
		b.send(t, url.Values{"code": {canary + "-code"}, "state": {b.query.Get("state")}}, nil)
	}
	var other *OtherAccountError
	var refused *AuthError
	for _, tt := range []struct {
		name   string
		change func(s *service)
		browse func(b back)
		good   func(err error) bool
	}{
		{"without a second factor", func(s *service) { s.password = true }, good, func(err error) bool { return errors.Is(err, ErrNoMFA) }},
		{"somebody else", func(s *service) { s.user = "00000000-0000-0000-0000-0000000000f2" }, good, func(err error) bool { return errors.As(err, &other) }},
		{"who declines", nil, func(b back) {
			b.send(t, url.Values{"error": {"access_denied"}, "error_description": {"AADSTS65004: declined"}, "state": {b.query.Get("state")}}, nil)
		}, func(err error) bool { return errors.As(err, &refused) && slices.Contains(refused.Codes, 65004) }},
		{"with an expired secret", func(s *service) { s.redeem = func(sent) reply { return oauth("invalid_client", 7000222) } }, good, func(err error) bool {
			return errors.As(err, &refused) && slices.Contains(refused.Codes, 7000222)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t)
			s.interval = 0
			c, _, _, err := delegating(t, s, Options{}, func(b back) {
				if tt.change != nil {
					s.mu.Lock()
					tt.change(s)
					s.mu.Unlock()
				}
				tt.browse(b)
			})
			if !tt.good(err) || c.Delegated() != "" {
				t.Errorf("got %v, delegate %q", err, c.Delegated())
			}
			if _, err := c.Partner().Do(t.Context(), Request{Path: consents}); !errors.Is(err, ErrNoDelegate) {
				t.Errorf("Partner Center: got %v", err)
			}
		})
	}
	test(t, func(t *testing.T, s *service, c *Client) {
		if _, err := c.Delegate(t.Context(), App{TenantID: homeTenant, ClientID: ownApp, Secret: NewSecret("x")}, "x", Wish{}); err == nil || s.count() != 0 {
			t.Errorf("with nobody signed in: got %v", err)
		}
		s.signIn(c)
		if _, err := c.Delegate(t.Context(), App{TenantID: homeTenant, ClientID: ownApp}, "x", Wish{}); err == nil {
			t.Error("an empty secret is taken")
		}
	})
}

// told counts the waits a caller was told of.
type told struct {
	mu    sync.Mutex
	waits int
}

func (w *told) wait(time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits++
}

// A secret that was just made is not known everywhere at once.
func TestANewSecretIsWaitedFor(t *testing.T) {
	for _, tt := range []struct {
		known time.Duration // after the first request
		good  bool
	}{{0, true}, {5 * second, true}, {50 * second, true}, {time.Hour, false}} {
		t.Run(tt.known.String(), func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				s.signIn(c)
				s.delegated(c)
				begun := time.Now()
				s.redeem = func(sent) reply {
					if time.Since(begun) < tt.known {
						return oauth("invalid_client", 7000215)
					}
					return reply{}
				}
				var w told
				_, err := c.Customer(otherTenant).Do(WithWaiting(t.Context(), w.wait), Request{Path: app})
				if (err == nil) != tt.good || time.Since(begun) > time.Minute || (w.waits > 0) != (tt.known > 0) {
					t.Errorf("after %s and %d waits: %v", time.Since(begun), w.waits, err)
				}
				var refused *AuthError
				if !tt.good && (!errors.As(err, &refused) || !slices.Contains(refused.Codes, 7000215)) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// Neither is a redirect. One that does not come is told instead of being left to the
// browser, and without having anybody sign in.
func TestAMissingRedirectIsTold(t *testing.T) {
	for _, tt := range []struct {
		known time.Duration
		good  bool
	}{{0, true}, {20 * second, true}, {time.Hour, false}} {
		t.Run(tt.known.String(), func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				begun := time.Now()
				s.page = func(q url.Values) reply {
					switch {
					case q.Get("prompt") != "none" || q.Get("redirect_uri") != "http://localhost:1234":
						t.Errorf("asked with %v", q)
					case time.Since(begun) < tt.known:
						return ok("<html>AADSTS50011: The redirect URI does not match</html>")
					}
					return ok("<html>AADSTS50058: nobody is signed in</html>")
				}
				var w told
				err := c.awaitRedirect(WithWaiting(t.Context(), w.wait), "https://login.microsoftonline.com/"+homeTenant+"/oauth2/v2.0/authorize?prompt=login&redirect_uri=http%3A%2F%2Flocalhost%3A1234")
				if (err == nil) != tt.good || errors.Is(err, ErrNoRedirect) == tt.good || time.Since(begun) > time.Minute || (w.waits > 0) != (tt.known > 0) {
					t.Errorf("after %s and %d waits: %v", time.Since(begun), w.waits, err)
				}
				if !tt.good && !strings.Contains(err.Error(), "AADSTS50011") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// partner is Partner Center to a delegate.
func partner(t *testing.T, answer func(sent) reply, run func(t *testing.T, s *service, c *Client)) {
	t.Helper()
	test(t, func(t *testing.T, s *service, c *Client) {
		s.hosts = map[string]func(sent) reply{partnerHost: answer}
		s.signIn(c)
		s.delegated(c)
		run(t, s, c)
	})
}

// A request has one id, however often it is sent; the next has another.
func TestARequestToPartnerCenterKeepsItsID(t *testing.T) {
	answers := script(throttled("3"), reply{status: 401, body: `{}`}, throttled("2"), reply{status: 201, body: `{}`})
	partner(t, answers, func(t *testing.T, s *service, c *Client) {
		own := Request{Method: "POST", Path: consents, Body: map[string]string{"applicationId": ownApp}}
		for range 2 {
			if _, err := c.Partner().Do(t.Context(), own); err != nil {
				t.Fatal(err)
			}
		}
		calls := s.to(consents)
		if len(calls) != 5 {
			t.Fatalf("%d requests", len(calls))
		}
		id := func(i int) string { return calls[i].header.Get("MS-RequestId") }
		if id(0) == "" || id(1) != id(0) || id(2) != id(0) || id(3) != id(0) || id(4) == id(0) {
			t.Errorf("ids %s %s %s %s %s", id(0), id(1), id(2), id(3), id(4))
		}
		for _, r := range calls {
			if r.header.Get("Accept") != "application/json" || r.header.Get("ValidateMfa") != "true" || r.header.Get("MS-CorrelationId") != calls[0].header.Get("MS-CorrelationId") || r.header.Get("MS-CorrelationId") == "" {
				t.Errorf("sent %v", r.header)
			}
		}
		if own.Header != nil {
			t.Error("the caller's request was changed")
		}
		for _, r := range s.to("/token") {
			if scope := r.form.Get("scope"); strings.Contains(scope, partnerHost) && r.form.Get("client_id") != ownApp {
				t.Errorf("Partner Center's token is of %s", r.form.Get("client_id"))
			}
		}
	})
}

func TestPartnerCentersRefusalsAreRead(t *testing.T) {
	for name, tt := range map[string]struct {
		answer        reply
		code, message string
	}{
		"text":    {reply{status: 403, body: `{"code":"900308","description":"Insufficient privileges","data":[],"source":"x"}`}, "900308", "Insufficient privileges"},
		"number":  {reply{status: 403, body: `{"code":20002,"description":"No relationship"}`}, "20002", "No relationship"},
		"message": {reply{status: 401, body: `{"code":900420,"message":"Wrong audience"}`}, "900420", "Wrong audience"},
		"no MFA": {
			reply{status: 401, header: map[string]string{"isMfaCompliant": "false"}, body: `{"code":"Unauthorized","description":"MFA required"}`},
			"Unauthorized", "MFA required (isMfaCompliant: false)",
		},
		"no MFA, no words":  {reply{status: 401, header: map[string]string{"isMfaCompliant": "False"}}, "", "(isMfaCompliant: false)"},
		"as Graph words it": {reply{status: 404, body: graphError("60003", "Tenant not found")}, "60003", "Tenant not found"},
		"null":              {reply{status: 404, body: `{"code":null,"description":"Not there"}`}, "", "Not there"},
		"no JSON":           {reply{status: 404, body: `<html>`}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			partner(t, script(tt.answer), func(t *testing.T, s *service, c *Client) {
				for _, p := range []*Service{c.Partner(), c.PartnerCenter(homeTenant)} {
					_, err := p.Do(t.Context(), Request{Method: "POST", Path: consents})
					var failed *Error
					if !errors.As(err, &failed) || failed.Code != tt.code || failed.Message != tt.message || failed.Status != tt.answer.status {
						t.Errorf("got %+v", err)
					}
				}
			})
		})
	}
}

// A consent whose answer is lost may be there: it is not sent again.
func TestAConsentInDoubtIsNotRepeated(t *testing.T) {
	for name, a := range map[string]reply{"500": status(500), "lost": {err: errReset}} {
		t.Run(name, func(t *testing.T) {
			partner(t, script(a), func(t *testing.T, s *service, c *Client) {
				_, err := c.Partner().Do(t.Context(), Request{Method: "POST", Path: consents})
				var failed *Error
				if !errors.As(err, &failed) || !failed.InDoubt() || len(s.to(consents)) != 1 {
					t.Errorf("got %v after %d requests", err, len(s.to(consents)))
				}
			})
		})
	}
}

// Partner Center takes fifty consents a second from an app, and not many fewer are
// sent.
func TestConsentsStayWithinPartnerCentersBudget(t *testing.T) {
	partner(t, script(ok("{}")), func(t *testing.T, s *service, c *Client) {
		begun := time.Now()
		var group sync.WaitGroup
		for range 300 {
			group.Go(func() {
				if _, err := c.Partner().Do(t.Context(), Request{Method: "POST", Path: consents}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if took := time.Since(begun); took > 7*second {
			t.Errorf("300 took %s", took)
		}
		at := times(s.to(consents))
		slices.Sort(at)
		for i := 50; i < len(at); i++ {
			if at[i]-at[i-50] < second {
				t.Fatalf("51 within %s", at[i]-at[i-50])
			}
		}
	})
}
