package msclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
)

const ownApp = "00000000-0000-0000-0000-0000000000a9"

func tenantOf(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// delegated signs the person in with the partner's own app, as if a browser had come
// back.
func (s *service) delegated(c *Client) {
	s.t.Helper()
	d, err := c.newDelegate(App{TenantID: homeTenant, ClientID: ownApp, Secret: NewSecret(canary + "-secret")}, "Rewst Owned App")
	if err != nil {
		s.t.Fatal(err)
	}
	w := wish{signer: d, tenant: homeTenant, scopes: []string{c.scopeOf(catalog.GraphAppID)}}
	r, err := d.msal.byCode(context.Background(), canary+"-code", "http://localhost:1", strings.Repeat("v", 43), w)
	if err != nil {
		s.t.Fatal(err)
	}
	d.signedIn(r, w.scopes)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.use(d)
}

// at lists the token requests at a tenant.
func (s *service) at(tenant string) []sent {
	return slices.DeleteFunc(s.to("/token"), func(r sent) bool { return !strings.HasPrefix(r.path, "/"+tenant+"/") })
}

func get(t *testing.T, g *Graph) {
	t.Helper()
	if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
		t.Error(err)
	}
}

// The first customers ask for one sign-in together; the others go on with it.
func TestCustomersAreReadByAzureCLI(t *testing.T) {
	for name, own := range map[string]string{"Microsoft's clients": "", "a client of one's own": "00000000-0000-0000-0000-00000000c11e"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				c := s.client(Options{ClientID: own, Unattended: "there is no terminal"})
				s.signIn(c)
				var a asked
				c.Prompts(a.show, false)
				var group sync.WaitGroup
				for n := range 30 {
					group.Go(func() { get(t, c.Reader(tenantOf(n))) })
				}
				group.Wait()
				get(t, c.Customer(tenantOf(30)))
				if diff := cmp.Diff([]string{azureTools + " by device: CODE2", "ended"}, a.story()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for n := range 31 {
					tokens := s.at(tenantOf(n))
					if len(tokens) != 1 {
						t.Fatalf("%d tokens for one customer", len(tokens))
					}
					form := tokens[0].form
					if form.Get("client_id") != catalog.AzureCLI || form.Get("grant_type") != "refresh_token" || !strings.HasPrefix(form.Get("scope"), "https://graph.microsoft.com/.default ") {
						t.Errorf("asked with %v", form)
					}
				}
				for _, r := range s.to(app) {
					if tenant, _, _ := strings.Cut(tokenOf(r.token), "#"); len(s.at(tenant)) != 1 {
						t.Errorf("a request carried a token of %s", tenant)
					}
				}
			})
		})
	}
}

// A sign-in that did not come about is asked for once in work at many tenants, and is
// told apart from what a customer's tenant refuses.
func TestCustomersAskOnce(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		s.polls = pollScript(oauth("authorization_declined", 70018))
		var a asked
		c.Prompts(a.show, false)
		look := func() {
			t.Helper()
			ctx := AskingOnce(t.Context())
			var group sync.WaitGroup
			for n := range 10 {
				group.Go(func() {
					_, err := c.Reader(tenantOf(n)).Do(ctx, Request{Path: app})
					var own *SignInError
					var refused *AuthError
					if !errors.As(err, &own) || !errors.As(err, &refused) || !slices.Contains(refused.Codes, 70018) {
						t.Errorf("got %v", err)
					}
				})
			}
			group.Wait()
		}
		for looks := 1; looks <= 2; looks++ { // whoever looks again is asked again
			look()
			look := []string{fmt.Sprintf("%s by device: CODE%d", azureTools, looks+1), "ended"}
			if got := a.story(); len(got) != 2*looks || !slices.Equal(got[2*looks-2:], look) {
				t.Errorf("look %d: asked %v", looks, got)
			}
		}
		s.polls = pollScript(granted)
		get(t, c.Reader(tenantOf(0)))
		s.redeem = func(sent) reply { return oauth("invalid_grant", 53003) }
		_, err := c.Reader(tenantOf(1)).Do(AskingOnce(t.Context()), Request{Path: app})
		var own *SignInError
		var refused *AuthError
		if errors.As(err, &own) || !errors.As(err, &refused) {
			t.Errorf("what a customer refuses: got %v", err)
		}
	})
}

func TestCustomersNeedSomebodySignedIn(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		for _, g := range []*Graph{c.Reader(otherTenant), c.Customer(otherTenant)} {
			if _, err := g.Do(t.Context(), Request{Path: app}); err == nil || !strings.Contains(err.Error(), "nobody is signed in") || s.count() != 0 {
				t.Errorf("got %v", err)
			}
			if _, err := g.Roles(t.Context()); err == nil || !strings.Contains(err.Error(), "nobody is signed in") {
				t.Errorf("roles: got %v", err)
			}
		}
	})
}

// A kept sign-in serves the customers too, and nothing of theirs is kept.
func TestCustomersTokensStayInMemory(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(Options{Sessions: openSessions(t, dir, passphrase("p"))})
		s.signIn(c)
		get(t, c.Reader(tenantOf(0)))
		kept := files(t, dir)
		c = s.client(Options{Sessions: openSessions(t, dir, passphrase("p"))})
		if _, ok, err := c.Restore(t.Context(), Wish{Scopes: scopes}); !ok || err != nil {
			t.Fatalf("got %t, %v", ok, err)
		}
		var a asked
		c.Prompts(a.show, false)
		var group sync.WaitGroup
		for n := range 20 {
			group.Go(func() { get(t, c.Reader(tenantOf(n))) })
		}
		group.Wait()
		for path, data := range files(t, dir) {
			if strings.Contains(path, catalog.AzureCLI) && !bytes.Equal(kept[path], data) {
				t.Errorf("%s was written again", path)
			}
		}
		if len(a.all()) != 0 {
			t.Errorf("asked: %v", a.story())
		}
		cli, _ := c.signerOf(catalog.AzureCLI)
		accounts, err := cli.msal.Accounts(t.Context())
		for _, a := range accounts {
			if a.Realm != homeTenant && a.Realm != anyTenant {
				t.Errorf("the cache of the sign-in knows tenant %s", a.Realm)
			}
		}
		if err != nil || len(accounts) == 0 {
			t.Errorf("it knows %v, %v", accounts, err)
		}
	})
}

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = data
	}
	return out
}

// Of refresh tokens the last one is used, wherever it came from.
func TestTheLastRefreshTokenIsUsed(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		for n := range 3 {
			get(t, c.Reader(tenantOf(n)))
		}
		var got []string
		for n := range 3 {
			got = append(got, s.at(tenantOf(n))[0].form.Get("refresh_token"))
		}
		if diff := cmp.Diff([]string{canary + "-rt-2", canary + "-rt-3", canary + "-rt-4"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestATokenIsTakenOnceAndForgotten(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		first, second := tenantOf(1), tenantOf(2)
		for range 3 {
			for _, tenant := range []string{first, second} {
				roles, err := c.Reader(tenant).Roles(t.Context())
				if diff := cmp.Diff([]string{"role at " + tenant}, roles); diff != "" || err != nil {
					t.Errorf("%v\n%s", err, diff)
				}
				get(t, c.Reader(tenant))
			}
		}
		if a, b := len(s.at(first)), len(s.at(second)); a != 1 || b != 1 {
			t.Fatalf("%d and %d tokens", a, b)
		}
		old := c.Reader(first)
		c.Forget(first)
		get(t, c.Reader(first))
		get(t, old)
		get(t, c.Reader(second))
		if a, b := len(s.at(first)), len(s.at(second)); a != 2 || b != 1 {
			t.Errorf("%d and %d tokens", a, b)
		}
		time.Sleep(56 * time.Minute)
		get(t, c.Reader(second))
		if n := len(s.at(second)); n != 2 {
			t.Errorf("%d tokens after an hour", n)
		}
	})
}

// What a customer's tenant refuses is no reason to ask the person again; that the
// sign-in is over is one, once for all.
func TestOnlyTheEndOfTheSignInIsAskedAbout(t *testing.T) {
	for code, asks := range map[int]int{53003: 0, 50076: 0, 65001: 0, 50020: 0, 50173: 1, 700082: 1} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				s.signIn(c)
				get(t, c.Reader(tenantOf(0)))
				over := true
				s.redeem = func(r sent) reply {
					if r.form.Get("grant_type") == "refresh_token" && over {
						return oauth("invalid_grant", code)
					}
					return reply{}
				}
				var a asked
				c.Prompts(func(p Prompt) {
					a.show(p)
					s.mu.Lock()
					defer s.mu.Unlock()
					over = false
				}, false)
				var group sync.WaitGroup
				for n := range 10 {
					group.Go(func() {
						_, err := c.Reader(tenantOf(n+1)).Do(t.Context(), Request{Path: app})
						var refused *AuthError
						if good := errors.As(err, &refused) && slices.Contains(refused.Codes, code); good != (asks == 0) {
							t.Errorf("got %v", err)
						}
					})
				}
				group.Wait()
				if got := len(a.all()) / 2; got != asks {
					t.Errorf("asked %d times: %v", got, a.story())
				}
			})
		})
	}
}

// The delegate is refused where nobody has consented; the reader is not.
func TestTheDelegateReadsWhereTheAppIsConsentedTo(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		s.delegated(c)
		there, not := tenantOf(1), tenantOf(2)
		s.redeem = func(r sent) reply {
			if r.form.Get("client_id") == ownApp && strings.HasPrefix(r.path, "/"+not+"/") {
				return oauth("invalid_grant", 65001)
			}
			return reply{}
		}
		get(t, c.Customer(there))
		form := s.at(there)[0].form
		if form.Get("client_id") != ownApp || form.Get("client_secret") != canary+"-secret" || form.Get("grant_type") != "refresh_token" {
			t.Errorf("asked with %v", form)
		}
		_, err := c.Customer(not).Do(t.Context(), Request{Path: app})
		var refused *AuthError
		if !errors.As(err, &refused) || !slices.Contains(refused.Codes, 65001) {
			t.Errorf("got %v", err)
		}
		get(t, c.Reader(not))
		if roles, err := c.Customer(there).Roles(t.Context()); err != nil || !slices.Contains(roles, "role at "+there) {
			t.Errorf("got %v, %v", roles, err)
		}
		c.Undelegate()
		get(t, c.Customer(there))
		if got := s.at(there)[1].form.Get("client_id"); got != catalog.AzureCLI {
			t.Errorf("without the delegate %s reads", got)
		}
	})
}

// A customer's tenant is sent a few requests at a time, whoever asks, and others do
// not wait for it.
func TestACustomerIsSentAFewRequestsAtATime(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		s.delegated(c)
		busy := tenantOf(1)
		for _, g := range []*Graph{c.Reader(busy), c.Customer(busy), c.Reader(tenantOf(2))} {
			get(t, g)
		}
		begun := time.Since(s.begun)
		s.graph = func(sent) reply { return reply{status: 200, body: "{}", after: second} }
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() { get(t, []*Graph{c.Reader(busy), c.Customer(busy)}[i%2]) })
		}
		group.Go(func() {
			get(t, c.Reader(tenantOf(2)))
			if took := time.Since(s.begun) - begun; took != second {
				t.Errorf("another customer waited %s", took)
			}
		})
		group.Wait()
		if took := time.Since(s.begun) - begun; took != 5*second {
			t.Errorf("20 requests of a second took %s", took)
		}
	})
}

// Conditional access takes one request a second of each tenant.
func TestConditionalAccessIsSpacedByTenant(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		s.delegated(c)
		const policies = "/v1.0/identity/conditionalAccess/policies"
		tenants := []string{tenantOf(1), tenantOf(2), tenantOf(3)}
		for _, tenant := range tenants {
			get(t, c.Reader(tenant))
			get(t, c.Customer(tenant))
		}
		begun := time.Since(s.begun)
		var group sync.WaitGroup
		for _, tenant := range tenants {
			for i := range 4 {
				group.Go(func() {
					if _, err := []*Graph{c.Reader(tenant), c.Customer(tenant)}[i%2].Do(t.Context(), Request{Path: policies}); err != nil {
						t.Error(err)
					}
				})
			}
		}
		group.Wait()
		at := map[string][]time.Duration{}
		for _, r := range s.to(policies) {
			tenant, _, _ := strings.Cut(tokenOf(r.token), "#")
			at[tenant] = append(at[tenant], r.at-begun)
		}
		gap := throttleClasses[0].gap
		for _, tenant := range tenants {
			if diff := cmp.Diff([]time.Duration{0, gap, 2 * gap, 3 * gap}, at[tenant]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
}

// A token a customer's tenant does not take is replaced once, with the claims it
// wants, and they stay wanted.
func TestACustomersChallengeIsMet(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		tenant := tenantOf(1)
		claims := `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`
		s.graph = script(reply{status: 401, header: map[string]string{
			"WWW-Authenticate": `Bearer realm="", error="insufficient_claims", claims="` + stdB64(claims) + `"`,
		}}, ok("{}"))
		get(t, c.Reader(tenant))
		get(t, c.Reader(tenant))
		tokens := s.at(tenant)
		if len(tokens) != 2 || !strings.Contains(tokens[1].form.Get("claims"), `"nbf"`) || len(s.to(app)) != 3 {
			t.Errorf("%d tokens, %d requests", len(tokens), len(s.to(app)))
		}
	})
}

// Whoever signs in next has nothing of the one before at the customers either.
func TestASecondPersonHasTheirOwnCustomers(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		s.delegated(c)
		tenant := tenantOf(1)
		get(t, c.Reader(tenant))
		s.user = "00000000-0000-0000-0000-0000000000f2"
		s.signIn(c)
		if c.Delegated() != "" {
			t.Error("the delegate is still there")
		}
		get(t, c.Customer(tenant))
		tokens := s.at(tenant)
		if got, want := tokens[len(tokens)-1].form.Get("refresh_token"), canary+"-rt-6"; got != want {
			t.Errorf("redeemed %s, not that of the new sign-in, %s", got, want)
		}
		cli, _ := c.signerOf(catalog.AzureCLI)
		if cli.account.LocalAccountID != s.user {
			t.Errorf("Azure CLI goes on as %s", cli.account.LocalAccountID)
		}
	})
}

// A seed holds what is needed to redeem, and renews what it knows.
func TestASeedHoldsRefreshTokensOnly(t *testing.T) {
	known := &seed{}
	if err := known.learn([]byte(`{"RefreshToken":{"a":{"secret":"1"},"c":{"secret":"4"}},"AccessToken":{"x":{}},"IdToken":{"y":{}},"AppMetadata":{"m":{}}}`), false); err != nil {
		t.Fatal(err)
	}
	if err := known.learn([]byte(`{"RefreshToken":{"a":{"secret":"2"},"b":{"secret":"3"}},"AppMetadata":{"m":{}}}`), true); err != nil {
		t.Fatal(err)
	}
	want := `{"AppMetadata":{"m":{}},"RefreshToken":{"a":{"secret":"2"},"c":{"secret":"4"}}}`
	if got := known.data.Reveal(); got != want {
		t.Errorf("holds %s, want %s", got, want)
	}
	if text := fmt.Sprintf("%v %+v %#v", known, known, known); strings.Contains(text, "secret") {
		t.Errorf("printed: %s", text)
	}
	if err := known.learn([]byte(`{"RefreshToken":`), false); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if err := known.learn([]byte(`{}`), true); err != nil || known.data.Reveal() != want {
		t.Errorf("holds %s, %v", known.data.Reveal(), err)
	}
}

// All that is asked of a customer's tenant before the first request: where its
// tokens are, once, and one token for each who reads it.
func TestACustomerCostsFewRequests(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.hosts = map[string]func(sent) reply{"outlook.office365.com": script(ok(`{"value":[]}`))}
		s.signIn(c)
		s.delegated(c)
		get(t, c.Reader(tenantOf(0)))
		before := s.count()
		tenant := tenantOf(1)
		get(t, c.Reader(tenant))
		get(t, c.Customer(tenant))
		x, err := c.Exchange(App{TenantID: tenant, ClientID: ownApp, Secret: NewSecret("x")})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Read(t.Context(), "Get-OrganizationConfig", &[]any{}); err != nil {
			t.Fatal(err)
		}
		if n := s.count() - before; n != 1+3+3 {
			t.Errorf("%d requests: %v", n, s.to("")[before:])
		}
	})
}
