package msclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
)

func TestASessionIsTakenUp(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		client := func() *Client { return s.client(Options{Sessions: openSessions(t, dir, passphrase("correct horse"))}) }
		first := client()
		if _, ok, err := first.Restore(t.Context(), Wish{Scopes: scopes}); ok || err != nil {
			t.Errorf("before the sign-in: got %t, %v", ok, err)
		}
		s.signIn(first)
		// Tokens for customers are kept too; they do not make another account.
		for _, tenant := range []string{otherTenant, "00000000-0000-0000-0000-000000000001", "ffffffff-0000-0000-0000-000000000001"} {
			if _, err := first.Graph(tenant).Do(t.Context(), Request{Path: app}); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 { // MSAL lists accounts in no order
			c := client()
			before := len(s.to("/devicecode"))
			got, ok, err := c.Restore(t.Context(), Wish{Scopes: scopes})
			if !ok || err != nil {
				t.Fatalf("got %t, %v", ok, err)
			}
			want := Account{Username: "admin@contoso.com", ObjectID: person, TenantID: homeTenant, MFA: true, Scopes: scopes}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(s.to("/devicecode")) != before {
				t.Error("somebody was asked")
			}
			if _, err := c.Graph(homeTenant).Do(t.Context(), Request{Path: "/v1.0/me"}); err != nil {
				t.Error(err)
			}
		}
		s.redeem = func(sent) reply { return oauth("invalid_grant", 70008) }
		_, ok, err := client().Restore(t.Context(), Wish{Scopes: []string{"Mail.Read"}})
		var refused *AuthError
		if ok || !errors.As(err, &refused) || !slices.Contains(refused.Codes, 70008) {
			t.Errorf("revoked: got %t, %v", ok, err)
		}
	})
}

// A second sign-in replaces the first person's. A run that works as the first one
// goes on with what it has, and does not put that back.
func TestASessionIsOnePersons(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		kept := openSessions(t, dir, passphrase("p"))
		first := s.client(Options{Sessions: kept})
		s.signIn(first)
		s.user = "00000000-0000-0000-0000-0000000000f2"
		s.signIn(s.client(Options{Sessions: openSessions(t, dir, passphrase("p"))}))
		s.user = person
		if _, err := first.Graph(otherTenant).Do(t.Context(), Request{Path: app}); err != nil {
			t.Errorf("the first run: %v", err)
		}
		if !errors.Is(kept.Err(), ErrForgotten) {
			t.Errorf("the first run: %v", kept.Err())
		}
		s.user = "00000000-0000-0000-0000-0000000000f2"
		for range 5 {
			got, ok, err := s.client(Options{Sessions: openSessions(t, dir, passphrase("p"))}).Restore(t.Context(), Wish{Scopes: scopes})
			if !ok || err != nil || got.ObjectID != s.user {
				t.Errorf("got %+v, %t, %v", got, ok, err)
			}
		}
	})
}

// What was forgotten while a run goes on is not written again by it.
func TestAForgottenSessionStaysForgotten(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		kept := openSessions(t, dir, passphrase("p"))
		c := s.client(Options{Sessions: kept})
		s.signIn(c)
		if was, err := NewSessions(dir).Remove(nil); !was || err != nil {
			t.Fatalf("got %t, %v", was, err)
		}
		if _, err := c.Graph(otherTenant).Do(t.Context(), Request{Path: app}); err != nil {
			t.Error(err)
		}
		if files := filesIn(t, dir); len(files) > 0 || !errors.Is(kept.Err(), ErrForgotten) {
			t.Errorf("got %v, %v", names(files), kept.Err())
		}
	})
}

// MSAL loads the session from several goroutines at once.
func TestSessionsAreSafeForConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.signIn(s.client(Options{Sessions: openSessions(t, dir, passphrase("p"))}))
		c := s.client(Options{Sessions: openSessions(t, dir, passphrase("p"))})
		together(8, func() {
			if _, ok, err := c.Restore(t.Context(), Wish{Scopes: scopes}); !ok || err != nil {
				t.Errorf("got %t, %v", ok, err)
			}
		})
	})
}

// MSAL writes what merge expects: were that to change, two runs at once would
// lose each other's tokens.
func TestMSALsCacheIsWhatMergeExpects(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		kept := openSessions(t, dir, passphrase("p"))
		s.signIn(s.client(Options{Sessions: kept}))
		plain := kept.Cache(client).(*sessionCache).plain
		// An entry nobody touches keeps its bytes, in another run too.
		again := openSessions(t, dir, passphrase("p"))
		c := s.client(Options{Sessions: again})
		if _, ok, err := c.Restore(t.Context(), Wish{Scopes: scopes}); !ok || err != nil {
			t.Fatalf("got %t, %v", ok, err)
		}
		before, err := parseContract(plain)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Graph(otherTenant).Do(t.Context(), Request{Path: app}); err != nil {
			t.Fatal(err)
		}
		after, err := parseContract(again.Cache(client).(*sessionCache).plain)
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		for kind, entries := range before {
			for key, entry := range entries {
				if kind != "RefreshToken" && kind != "AppMetadata" && bytes.Equal(after[kind][key], entry) {
					same++
				}
			}
		}
		if same < 3 {
			t.Errorf("only %d entries are as they were", same)
		}
		var kinds map[string]map[string]struct {
			ID string `json:"home_account_id"`
		}
		if err := json.Unmarshal([]byte(plain.Reveal()), &kinds); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"AccessToken", "RefreshToken", "IdToken", "Account"} {
			if len(kinds[kind]) == 0 {
				t.Errorf("no %s", kind)
			}
			for key, entry := range kinds[kind] {
				if entry.ID != person+"."+homeTenant {
					t.Errorf("%s %s is of account %q", kind, key, entry.ID)
				}
			}
		}
	})
}

func TestOfSignIn(t *testing.T) {
	account := func(realm string) public.Account {
		return public.Account{HomeAccountID: person + "." + homeTenant, Environment: "login.windows.net", Realm: realm}
	}
	for _, tt := range []struct {
		realms []string
		want   string
	}{
		{[]string{otherTenant, homeTenant, anyTenant}, anyTenant},
		{[]string{otherTenant, homeTenant}, homeTenant},
		{[]string{otherTenant}, otherTenant},
		{[]string{"c", otherTenant, "b"}, otherTenant},
	} {
		var accounts []public.Account
		for _, r := range tt.realms {
			accounts = append(accounts, account(r))
		}
		if got := ofSignIn(accounts); got.Realm != tt.want {
			t.Errorf("of %v: got %s", tt.realms, got.Realm)
		}
	}
}

// What is remembered of a sign-in at one tenant gives tokens of the tenant they are
// asked for.
func TestARememberedSignInServesTheTenantItIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		run := func(tenant string) (codes int, token string) {
			global, _ := catalog.CloudByID("global")
			before := len(s.to("/devicecode"))
			c, err := New(Options{Cloud: global, Sessions: openSessions(t, dir, passphrase("p")), Transport: azure(s, func(r sent) reply {
				token = r.token
				return ok("{}")
			})})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok, err := c.Restore(t.Context(), Wish{Tenant: tenant, Scopes: scopes}); err != nil {
				t.Fatal(err)
			} else if !ok {
				if _, err := byCode(c, t.Context(), tenant, scopes, func(DeviceCode) {}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := c.Azure(tenant).Do(t.Context(), Request{Path: "/subscriptions"}); err != nil {
				t.Fatal(err)
			}
			got, _, _ := strings.Cut(tokenOf(token), "#")
			return len(s.to("/devicecode")) - before, got
		}
		if codes, got := run(homeTenant); codes != 2 || got != homeTenant {
			t.Errorf("first: %d codes, token of %s", codes, got)
		}
		for _, tenant := range []string{otherTenant, homeTenant, otherTenant} {
			if codes, got := run(tenant); codes != 0 || got != tenant {
				t.Errorf("%s: %d codes, token of %s", tenant, codes, got)
			}
		}
	})
}

// A run that may not remember changes nothing of what is.
func TestAFrozenSessionStaysAsItIs(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.signIn(s.client(Options{Sessions: openSessions(t, dir, passphrase("p"))}))
		before := filesIn(t, dir)
		sessions := openSessions(t, dir, passphrase("p"))
		c := s.client(Options{Sessions: sessions})
		sessions.Freeze()
		s.user = "00000000-0000-0000-0000-0000000000f2"
		if got := s.signIn(c); got == nil {
			t.Fatal("no sign-in")
		}
		if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
			t.Errorf("the files changed:\n%s", diff)
		}
	})
}
