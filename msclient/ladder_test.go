package msclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
)

// asked collects the prompts of a client.
type asked struct {
	mu      sync.Mutex
	prompts []Prompt
}

func (a *asked) show(p Prompt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.prompts = append(a.prompts, p)
}

func (a *asked) all() []Prompt {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.prompts)
}

// story tells what was asked for, prompt by prompt.
func (a *asked) story() []string {
	var out []string
	for _, p := range a.all() {
		line := p.App + " by " + string(p.Method)
		switch {
		case p.Ended:
			line = "ended"
		case p.Err != nil:
			line += " failed: " + p.Err.Error()
		case p.Code.UserCode != "":
			line += ": " + p.Code.UserCode
		}
		if p.Skip {
			line += " (can be skipped)"
		}
		out = append(out, line)
	}
	return out
}

const graphTools, azureTools = "Microsoft Graph Command Line Tools", "Microsoft Azure CLI"

// A failed attempt waits for the person when they can choose.
func TestAFailedSignInIsHeld(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.polls = pollScript(oauth("authorization_declined", 65004), granted)
		var a asked
		c.Prompts(func(p Prompt) {
			a.show(p)
			if p.Err != nil {
				time.AfterFunc(time.Minute, func() { c.Use(p.N, ByDevice) })
			}
		}, true)
		got, err := c.SignIn(t.Context(), Wish{Scopes: scopes})
		if err != nil || got.ObjectID != person {
			t.Fatalf("got %+v, %v", got, err)
		}
		want := []string{
			graphTools + " by device: CODE1", graphTools + " by device failed: AADSTS65004: words", graphTools + " by device: CODE2", "ended",
		}
		if diff := cmp.Diff(want, a.story()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestAHeldSignInCanBeGivenUp(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.polls = pollScript(oauth("authorization_declined", 65004))
		c.Prompts(func(p Prompt) {
			if p.Err != nil {
				time.AfterFunc(time.Second, func() { c.Skip(p.N) })
			}
		}, true)
		_, err := c.SignIn(t.Context(), Wish{Scopes: scopes})
		var refused *AuthError
		if !errors.Is(err, ErrSkipped) || !errors.As(err, &refused) {
			t.Errorf("got %v", err)
		}
	})
	test(t, func(t *testing.T, s *service, c *Client) {
		s.polls = pollScript(oauth("authorization_declined", 65004))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		c.Prompts(func(Prompt) {}, true)
		if _, err := c.SignIn(ctx, Wish{Scopes: scopes}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// Somebody else than expected is refused, and not kept.
func TestTheWrongAccountIsRefused(t *testing.T) {
	refuse := errors.New("not this one")
	for name, w := range map[string]Wish{
		"other name": {Scopes: scopes, Username: "megan@contoso.com"},
		"by a check": {Scopes: scopes, Check: func(Account) error { return refuse }},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				c.Prompts(func(Prompt) {}, false)
				_, err := c.SignIn(t.Context(), w)
				var other *OtherAccountError
				if !errors.Is(err, refuse) && !errors.As(err, &other) {
					t.Errorf("got %v", err)
				}
				if accounts, err := graphSigner(t, c).msal.Accounts(t.Context()); err != nil || len(accounts) != 0 {
					t.Errorf("kept %d accounts, %v", len(accounts), err)
				}
				if _, err := c.Graph(homeTenant).Do(t.Context(), Request{Path: app}); err == nil {
					t.Error("a request left")
				}
			})
		})
	}
}

// stepUp is a service that wants a stronger sign-in from its third request on.
func stepUp(s *service) {
	challenge := reply{status: 401, header: map[string]string{
		"WWW-Authenticate": `Bearer realm="", error="insufficient_claims", claims="` + stdB64(`{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`) + `"`,
	}}
	strong := map[string]bool{} // tokens of a sign-in made since
	s.polls = func(int) reply {
		strong[fmt.Sprintf("%s#%d", homeTenant, s.issued+1)] = true
		return granted
	}
	s.graph = func(r sent) reply {
		if s.countLocked(app) >= 3 && !strong[tokenOf(r.token)] {
			return challenge
		}
		return ok("{}")
	}
	s.redeem = func(r sent) reply {
		if !strings.Contains(r.form.Get("claims"), "acrs") {
			return reply{}
		}
		if len(strong) == 0 {
			return oauth("interaction_required", 50076)
		}
		strong[fmt.Sprintf("%s#%d", homeTenant, s.issued+1)] = true
		return reply{}
	}
}

// A claims challenge that silence cannot meet brings the person back, and the
// request goes on, whatever it does.
func TestAChallengeBringsThePersonBack(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		var a asked
		g := s.signIn(c)
		c.Prompts(a.show, false)
		stepUp(s)
		for range 4 {
			if _, err := g.Do(t.Context(), Request{Method: "POST", Path: app}); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, r := range s.to(app) {
			got = append(got, tokenOf(r.token))
		}
		want := []string{homeTenant + "#1", homeTenant + "#1", homeTenant + "#1", homeTenant + "#2", homeTenant + "#2"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tokens (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{graphTools + " by device: CODE2", "ended"}, a.story()); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		if p := a.all()[0]; p.Account != "admin@contoso.com" || !strings.HasSuffix(p.Why, "before it goes on (a policy wants multifactor authentication)") {
			t.Errorf("prompt: %+v", p)
		}
		polls := s.to("/token")
		if got := polls[len(polls)-1].form.Get("claims"); !strings.Contains(got, `"acrs"`) {
			t.Errorf("claims of the sign-in: %s", got)
		}
	})
}

// Requests that wait for the same sign-in share it.
func TestManyRequestsShareASignIn(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		var a asked
		g := s.signIn(c)
		c.Prompts(a.show, false)
		stepUp(s)
		s.graph(sent{})
		together(10, func() {
			if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
				t.Error(err)
			}
		})
		if n := len(s.to("/devicecode")); n != 2 {
			t.Errorf("%d codes were handed out", n)
		}
	})
}

// Another person cannot take over in the middle of the work.
func TestAChallengeIsForTheSamePerson(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		c.Prompts(func(Prompt) {}, false)
		stepUp(s)
		s.user = "00000000-0000-0000-0000-0000000000f2"
		var err error
		for range 3 {
			_, err = g.Do(t.Context(), Request{Method: "POST", Path: app})
		}
		var other *OtherAccountError
		if !errors.As(err, &other) {
			t.Errorf("got %v", err)
		}
	})
}

// A write is seen through when its context ends, but nobody is waited for then.
func TestASignInEndsWithTheWorkItIsFor(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		c.Prompts(func(Prompt) {}, true)
		stepUp(s)
		s.polls = pollScript(pendingAnswer)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var err error
		for range 3 {
			_, err = g.Do(SeenThrough(ctx), Request{Method: "POST", Path: app})
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(s.begun).Round(time.Second) != time.Minute {
			t.Errorf("got %v after %s", err, time.Since(s.begun))
		}
	})
}

// azure lets a fake service have a second one.
func azure(s *service, answer func(sent) reply) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "management.azure.com" && r.URL.Host != "api.partnercenter.microsoft.com" {
			return s.RoundTrip(r)
		}
		a := answer(sent{token: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), path: r.URL.RequestURI()})
		return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Azure and Partner Center need another client of Microsoft's: one more sign-in
// for both, which says why and may be skipped.
func TestASecondClientIsAskedForOnce(t *testing.T) {
	run := func(t *testing.T, own string, skip bool) (codes int, story []string, err error) {
		synctest.Test(t, func(t *testing.T) {
			s := newService(t)
			global, _ := catalog.CloudByID("global")
			c, e := New(Options{Cloud: global, ClientID: own, Transport: azure(s, func(sent) reply { return ok("{}") })})
			if e != nil {
				t.Fatal(e)
			}
			s.signIn(c)
			var a asked
			c.Prompts(func(p Prompt) {
				a.show(p)
				if skip && !p.Ended {
					time.AfterFunc(time.Second, func() { c.Skip(p.N) })
				}
			}, false)
			if skip {
				s.polls = pollScript(pendingAnswer)
			}
			for _, service := range []*Service{c.Azure(homeTenant), c.PartnerCenter(homeTenant), c.Azure(homeTenant)} {
				if _, e := service.Do(t.Context(), Request{Path: "/x"}); e != nil {
					err = e
					break
				}
			}
			codes, story = len(s.to("/devicecode")), a.story()
		})
		return codes, story, err
	}
	codes, story, err := run(t, "", false)
	if diff := cmp.Diff([]string{azureTools + " by device: CODE2 (can be skipped)", "ended (can be skipped)"}, story); diff != "" || err != nil || codes != 2 {
		t.Errorf("%d codes, %v\n%s", codes, err, diff)
	}
	if codes, story, err := run(t, "00000000-0000-0000-0000-00000000c11e", false); codes != 1 || len(story) != 0 || err != nil {
		t.Errorf("own client: %d codes, %v, %v", codes, story, err)
	}
	if _, _, err := run(t, "", true); !errors.Is(err, ErrSkipped) {
		t.Errorf("skipped: got %v", err)
	}
}

// An app signs in with its secret, and reads without anybody.
func TestAnAppSignsInByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.redeem = func(r sent) reply {
			if r.form.Get("grant_type") != "client_credentials" || r.form.Get("client_secret") != canary+"-s" {
				return oauth("invalid_client", 7000215)
			}
			claims := jsonText(map[string]any{"tid": homeTenant, "oid": "app-object", "app_displayname": "Contoso reporting", "roles": []string{"Directory.Read.All"}})
			return ok(jsonText(map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": canary + "-at." + b64(claims) + ".1"}))
		}
		c := s.client(Options{App: &App{TenantID: homeTenant, ClientID: "00000000-0000-0000-0000-0000000000a9", Secret: NewSecret(canary + "-s")}})
		got, err := c.SignIn(t.Context(), Wish{})
		want := Account{Username: "Contoso reporting", ObjectID: "app-object", TenantID: homeTenant, Scopes: []string{"Directory.Read.All"}, App: true}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		if _, err := c.Graph(homeTenant).Do(t.Context(), Request{Path: app}); err != nil {
			t.Error(err)
		}
		if n := len(s.to("/token")); n != 1 {
			t.Errorf("%d tokens were asked for", n)
		}
		if strings.Contains(s.log.String(), canary) {
			t.Error("the log tells a secret")
		}
		wrong := s.client(Options{App: &App{TenantID: homeTenant, ClientID: "00000000-0000-0000-0000-0000000000a9", Secret: NewSecret(canary + "-x")}})
		_, err = wrong.SignIn(t.Context(), Wish{})
		var refused *AuthError
		if !errors.As(err, &refused) || !slices.Contains(refused.Codes, 7000215) {
			t.Errorf("wrong secret: got %v", err)
		}
	})
}

// back is a sign-in by browser under way: what its page was asked with, and the
// port that waits.
type back struct {
	query url.Values
	port  string
}

// byBrowser begins a sign-in with a browser, on real sockets, and gives what it
// ends with.
func byBrowser(t *testing.T, s *service) (back, <-chan error) {
	t.Helper()
	global, _ := catalog.CloudByID("global")
	c, err := New(Options{Cloud: global, Transport: s, Method: ByBrowser})
	if err != nil {
		t.Fatal(err)
	}
	pages := make(chan string, 1)
	c.Prompts(func(p Prompt) {
		if p.URL != "" {
			pages <- p.URL
		}
	}, false)
	ended := make(chan error, 1)
	go func() {
		_, err := c.SignIn(t.Context(), Wish{Tenant: homeTenant, Scopes: scopes})
		ended <- err
	}()
	u, err := url.Parse(<-pages)
	if err != nil {
		t.Fatal(err)
	}
	if u.Host != "login.microsoftonline.com" || u.Path != "/"+homeTenant+"/oauth2/v2.0/authorize" {
		t.Errorf("page %s", u)
	}
	redirect, err := url.Parse(u.Query().Get("redirect_uri"))
	if err != nil || redirect.Hostname() != "localhost" {
		t.Fatalf("redirect to %s", u.Query().Get("redirect_uri"))
	}
	return back{u.Query(), redirect.Port()}, ended
}

// send comes back from the page.
func (b back) send(t *testing.T, form url.Values, change func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:"+b.port+"/", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://login.microsoftonline.com")
	if change != nil {
		change(r)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

func TestSignInByBrowser(t *testing.T) {
	s := newService(t)
	b, ended := byBrowser(t, s)
	for name, want := range map[string]string{
		"response_mode": "form_post", "response_type": "code", "code_challenge_method": "S256", "prompt": "select_account", "client_id": catalog.GraphCommandLineTools,
	} {
		if got := b.query.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	good := url.Values{"code": {canary + "-code"}, "state": {b.query.Get("state")}}
	for _, tt := range []struct {
		name   string
		form   url.Values
		change func(*http.Request)
		want   int
	}{
		{"wrong state", url.Values{"code": {"x"}, "state": {"other"}}, nil, 400},
		{"no state", url.Values{"code": {"x"}}, nil, 400},
		{"another origin", good, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		{"an origin like ours", good, func(r *http.Request) { r.Header.Set("Origin", "https://login.microsoftonline.com.evil.example") }, 403},
		{"not encrypted", good, func(r *http.Request) { r.Header.Set("Origin", "http://login.microsoftonline.com") }, 403},
		{"another host", good, func(r *http.Request) { r.Host = "evil.example:" + b.port }, 421},
		{"another path", good, func(r *http.Request) { r.URL.Path = "/x" }, 404},
		{"by GET", nil, func(r *http.Request) { r.Method, r.Body, r.URL.RawQuery = "GET", nil, good.Encode() }, 405},
		{"too much", url.Values{"code": {strings.Repeat("x", 2<<20)}, "state": good["state"]}, nil, 400},
	} {
		if got, _ := b.send(t, tt.form, tt.change); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("the sign-in ended: %v", err)
	default:
	}
	if got, text := b.send(t, good, nil); got != 200 || !strings.Contains(text, "part is done.") {
		t.Errorf("got %d: %s", got, text)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	form := s.to("/token")[0].form
	if form.Get("grant_type") != "authorization_code" || form.Get("code") != canary+"-code" || len(form.Get("code_verifier")) < 43 || form.Get("redirect_uri") != b.query.Get("redirect_uri") {
		t.Errorf("redeemed with %v", form)
	}
}

func TestARefusalComesBackByBrowser(t *testing.T) {
	b, ended := byBrowser(t, newService(t))
	form := url.Values{"error": {"access_denied"}, "error_description": {"AADSTS65004: User declined to consent to access the app."}, "state": {b.query.Get("state")}}
	if got, text := b.send(t, form, nil); got != 200 || !strings.Contains(text, "AADSTS65004") {
		t.Errorf("got %d: %s", got, text)
	}
	var refused *AuthError
	if err := <-ended; !errors.As(err, &refused) || refused.OAuth != "access_denied" || !slices.Contains(refused.Codes, 65004) {
		t.Errorf("got %v", err)
	}
}

// A sign-in that is given up when it has just worked leaves everything as it was.
func TestASignInGivenUpAtTheLastMomentLeavesNoTrace(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.user = "00000000-0000-0000-0000-0000000000f2"
		ctx, cancel := context.WithCancel(t.Context())
		c.Prompts(func(Prompt) {}, true)
		_, err := c.SignIn(ctx, Wish{Scopes: scopes, Check: func(Account) error {
			cancel()
			return errors.New("never mind")
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := g.Do(t.Context(), Request{Path: app}); err != nil {
			t.Error(err)
		}
		if got := tokenOf(s.to(app)[0].token); got != homeTenant+"#1" {
			t.Errorf("token: got %s", got)
		}
		accounts, err := graphSigner(t, c).msal.Accounts(t.Context())
		if err != nil || len(accounts) != 1 || accounts[0].LocalAccountID != person {
			t.Errorf("accounts: %+v, %v", accounts, err)
		}
	})
}

// Whoever is refused and was remembered before stays remembered.
func TestARefusalForgetsNobodyKnownBefore(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		c.Prompts(func(Prompt) {}, false)
		if _, err := c.SignIn(t.Context(), Wish{Scopes: scopes, Username: "megan@contoso.com"}); err == nil {
			t.Error("taken")
		}
		if accounts, err := graphSigner(t, c).msal.Accounts(t.Context()); err != nil || len(accounts) == 0 {
			t.Errorf("accounts: %v, %v", accounts, err)
		}
	})
}

// A choice about a sign-in that is over does not touch the next one.
func TestALateChoiceIsDropped(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.polls = pollScript(pendingAnswer, granted)
		c.Prompts(func(p Prompt) {
			if !p.Ended {
				c.Skip(p.N - 1)
			}
		}, false)
		if _, err := c.SignIn(t.Context(), Wish{Scopes: scopes}); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// The code a browser brings back is used once, whatever becomes of the answer.
func TestACodeOfTheBrowserIsUsedOnce(t *testing.T) {
	s := newService(t)
	s.redeem = func(sent) reply { return status(502) }
	b, ended := byBrowser(t, s)
	b.send(t, url.Values{"code": {"x"}, "state": {b.query.Get("state")}}, nil)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("got %v", err)
	}
	if n := len(s.to("/token")); n != 1 {
		t.Errorf("sent %d times", n)
	}
}
