package msclient

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestA401TakesOneNewToken(t *testing.T) {
	unauthorized := reply{status: 401, body: graphError("InvalidAuthenticationToken", "expired")}
	for _, tenant := range []string{homeTenant, otherTenant} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(tenant+" "+method, func(t *testing.T) {
				test(t, func(t *testing.T, s *service, c *Client) {
					s.signIn(c)
					g := c.Graph(tenant)
					s.graph = script(ok("{}"), unauthorized, ok("{}"), ok("{}"))
					for range 3 {
						if _, err := g.Do(t.Context(), Request{Method: method, Path: app}); err != nil {
							t.Fatal(err)
						}
					}
					var got []string
					for _, r := range s.to(app) {
						got = append(got, tokenOf(r.token))
					}
					// The home tenant begins with the token of the sign-in, number 1.
					want := []string{tenant + "#1", tenant + "#1", tenant + "#2", tenant + "#2"}
					if tenant == otherTenant {
						want = []string{tenant + "#2", tenant + "#2", tenant + "#3", tenant + "#3"}
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("tokens (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
	t.Run("again and again", func(t *testing.T) {
		test(t, func(t *testing.T, s *service, c *Client) {
			g := s.signIn(c)
			s.graph = script(unauthorized)
			_, err := g.Do(t.Context(), Request{Path: app})
			var failed *Error
			if !errors.As(err, &failed) || failed.Status != 401 || len(s.to(app)) != 2 || len(s.to("/token")) != 2 {
				t.Errorf("got %v after %d requests, %d tokens", err, len(s.to(app)), len(s.to("/token")))
			}
		})
	})
	t.Run("many at once", func(t *testing.T) {
		test(t, func(t *testing.T, s *service, c *Client) {
			g := s.signIn(c)
			s.graph = func(r sent) reply {
				if tokenOf(r.token) == homeTenant+"#1" {
					return unauthorized
				}
				return reply{status: 200, body: "{}", after: second}
			}
			together(10, func() {
				if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
					t.Error(err)
				}
			})
			if n := len(s.to("/token")); n > 3 {
				t.Errorf("%d tokens were asked for", n)
			}
		})
	})
}

// Continuous access evaluation: the challenge's claims go into the new token.
func TestAClaimsChallengeIsMet(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		claims := `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`
		s.graph = script(reply{status: 401, header: map[string]string{
			"WWW-Authenticate": `Bearer realm="", error="insufficient_claims", claims="` + stdB64(claims) + `"`,
		}}, ok("{}"))
		if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
			t.Fatal(err)
		}
		all := s.to("/token")
		if got := all[len(all)-1].form.Get("claims"); !strings.Contains(got, `"nbf":{"essential":true,"value":"1"}`) || !strings.Contains(got, "xms_cc") {
			t.Errorf("claims sent: %s", got)
		}
		if n := len(s.to(app)); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

func together(n int, do func()) {
	var group sync.WaitGroup
	for range n {
		group.Go(do)
	}
	group.Wait()
}

func TestTokensStayInTheirTenant(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		s.graph = func(sent) reply { return reply{status: 200, body: "{}", after: second} }
		var group sync.WaitGroup
		for i := range 20 {
			tenant := []string{homeTenant, otherTenant}[i%2]
			group.Go(func() {
				for range 5 {
					if _, err := c.Graph(tenant).Do(t.Context(), Request{Path: "/v1.0/" + tenant}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		requests := s.to("/v1.0/0000")
		for _, r := range requests {
			if tenant, _, _ := strings.Cut(tokenOf(r.token), "#"); "/v1.0/"+tenant != r.path {
				t.Errorf("%s carried a token of %s", r.path, tenant)
			}
		}
		if len(requests) != 100 {
			t.Errorf("%d requests", len(requests))
		}
		// One token for all that wait: one of the sign-in, one for the other tenant.
		if n := len(s.to("/token")); n != 2 {
			t.Errorf("%d tokens were asked for", n)
		}
		if form := s.to("/token")[1].form; form.Get("scope") != "https://graph.microsoft.com/.default openid offline_access profile" {
			t.Errorf("asked the other tenant for %q", form.Get("scope"))
		}
	})
}

// An hour later the token has run out.
func TestTokensAreRenewed(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		for range 3 {
			if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(56 * time.Minute)
		}
		var got []string
		for _, r := range s.to(app) {
			got = append(got, tokenOf(r.token))
		}
		if diff := cmp.Diff([]string{homeTenant + "#1", homeTenant + "#2", homeTenant + "#3"}, got); diff != "" {
			t.Errorf("tokens (-want +got):\n%s", diff)
		}
	})
}

// The next person's requests carry the next person's token.
func TestASecondSignInReplacesTheFirst(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		s.user = "00000000-0000-0000-0000-0000000000f2"
		g := s.signIn(c)
		if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
			t.Fatal(err)
		}
		if got := tokenOf(s.to(app)[0].token); got != homeTenant+"#2" {
			t.Errorf("token: got %s", got)
		}
		accounts, err := graphSigner(t, c).msal.Accounts(t.Context())
		if err != nil || len(accounts) != 1 || accounts[0].LocalAccountID != s.user {
			t.Errorf("accounts: got %+v, %v", accounts, err)
		}
	})
}

// A request that got no token was not sent: its outcome is no open question.
func TestWithoutATokenNothingIsSent(t *testing.T) {
	for name, a := range map[string]reply{"reset": {err: errReset}, "503": status(503), "no host": {err: errDNS}, "no answer": {hang: true}, "no JSON": ok("<html>")} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				s.signIn(c)
				s.redeem = func(sent) reply { return a }
				_, err := c.Graph(otherTenant).Do(t.Context(), Request{Method: "POST", Path: app})
				var failed *Error
				if !errors.As(err, &failed) || failed.Status != 0 || failed.InDoubt() || !strings.HasPrefix(err.Error(), "POST /v1.0/applications: not sent: ") {
					t.Errorf("got %v (%T)", err, err)
				}
				if len(s.to(app)) != 0 {
					t.Error("it was sent")
				}
			})
		})
	}
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		s.redeem = func(sent) reply { return oauth("invalid_grant", 50020) }
		_, err := c.Graph(otherTenant).Do(t.Context(), Request{Method: "POST", Path: app})
		var refused *AuthError
		if !errors.As(err, &refused) || !slices.Contains(refused.Codes, 50020) || err.Error() != "POST /v1.0/applications: AADSTS50020: words" {
			t.Errorf("refused: got %v", err)
		}
	})
	test(t, func(t *testing.T, s *service, c *Client) {
		_, err := c.Graph(homeTenant).Do(t.Context(), Request{Path: app})
		if err == nil || !strings.Contains(err.Error(), "nobody is signed in") || s.count() != 0 {
			t.Errorf("before the sign-in: got %v", err)
		}
	})
}
