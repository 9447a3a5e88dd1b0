package msclient

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
	"github.com/google/go-cmp/cmp"
)

func sessionFile(path, passphrase string) *SessionFile {
	return &SessionFile{Path: path, Passphrase: NewSecret(passphrase), WorkFactor: 8}
}

type kept struct{ *SessionFile }

func (k kept) Cache(string) cache.ExportReplace { return k.SessionFile }

// blob plays MSAL's cache.
type blob struct {
	data []byte
	err  error
}

func (b *blob) Marshal() ([]byte, error) { return b.data, b.err }

func (b *blob) Unmarshal(data []byte) error {
	b.data = data
	return b.err
}

func export(t *testing.T, f *SessionFile, text string) {
	t.Helper()
	if err := f.Export(context.Background(), &blob{data: []byte(text)}, cache.ExportHints{}); err != nil {
		t.Fatal(err)
	}
}

func load(f *SessionFile) (string, error) {
	var b blob
	err := f.Replace(context.Background(), &b, cache.ReplaceHints{})
	return string(b.data), err
}

func TestSessionFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "session")
	const text = `{"RefreshToken":"canary-rt"}`
	f := sessionFile(path, "correct horse")
	if got, err := load(f); got != "" || err != nil {
		t.Errorf("before there is one: got %q, %v", got, err)
	}
	export(t, f, text)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{canary, "RefreshToken", "correct horse"} {
		if bytes.Contains(data, []byte(word)) {
			t.Errorf("the file holds %q in clear", word)
		}
	}
	if got, err := load(sessionFile(path, "correct horse")); got != text || err != nil {
		t.Errorf("read by another process: got %q, %v", got, err)
	}
	// What MSAL has already is not opened or sealed again.
	if got, err := load(f); got != "" || err != nil {
		t.Errorf("read again: got %q, %v", got, err)
	}
	export(t, f, text)
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, data) {
		t.Error("the same session was written twice")
	}
	export(t, f, "another")
	if got, err := load(sessionFile(path, "correct horse")); got != "another" || err != nil {
		t.Errorf("changed: got %q, %v", got, err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if runtime.GOOS != "windows" {
		for p, want := range map[string]string{path: "-rw-------", filepath.Dir(path): "drwx------"} {
			if info, err := os.Stat(p); err != nil || info.Mode().String() != want {
				t.Errorf("%s: mode %s, %v", p, info.Mode(), err)
			}
		}
	}
	if was, err := f.Remove(); !was || err != nil {
		t.Errorf("removing: got %t, %v", was, err)
	}
	if was, err := f.Remove(); was || err != nil {
		t.Errorf("removing again: got %t, %v", was, err)
	}
	export(t, f, "another") // after a removal it is written even if it did not change
	if got, err := load(sessionFile(path, "correct horse")); got != "another" || err != nil {
		t.Errorf("kept again: got %q, %v", got, err)
	}
}

func TestASessionFileThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "session")
	export(t, sessionFile(path, "correct horse"), `{"RefreshToken":"canary-rt"}`)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flip := bytes.Clone(whole)
	flip[len(flip)-1] ^= 1
	for _, tt := range []struct {
		name, passphrase string
		data             []byte
	}{
		{"another passphrase", "canary horse", whole},
		{"no passphrase", "", whole},
		{"empty file", "correct horse", nil},
		{"not ours", "correct horse", []byte("{}")},
		{"cut short", "correct horse", whole[:len(whole)-5]},
		{"a bit flipped", "correct horse", flip},
		{"header only", "correct horse", whole[:bytes.Index(whole, []byte("---"))]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			f := sessionFile(path, tt.passphrase)
			for range 2 { // the second time is no better
				got, err := load(f)
				if got != "" || !errors.Is(err, ErrPassphrase) || !strings.HasPrefix(err.Error(), path+": ") || strings.Contains(err.Error(), canary) {
					t.Errorf("got %q, %v", got, err)
				}
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, tt.data) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("content MSAL cannot read", func(t *testing.T) {
		export(t, sessionFile(path, "correct horse"), "canary, no JSON")
		f := sessionFile(path, "correct horse")
		for range 2 {
			if err := f.Replace(context.Background(), &blob{err: errors.New("canary")}, cache.ReplaceHints{}); !errors.Is(err, ErrPassphrase) || strings.Contains(err.Error(), canary) {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("a folder", func(t *testing.T) {
		f := sessionFile(dir, "correct horse")
		if _, err := load(f); err == nil || !strings.HasPrefix(err.Error(), dir+": the remembered sign-in cannot be read: ") {
			t.Errorf("reading: got %v", err)
		}
		err := f.Export(context.Background(), &blob{}, cache.ExportHints{})
		if err == nil || !strings.HasPrefix(err.Error(), dir+": the sign-in cannot be kept: ") {
			t.Errorf("writing: got %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".session-*")); left != nil {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("MSAL has nothing to give", func(t *testing.T) {
		f := sessionFile(path, "correct horse")
		if err := f.Export(context.Background(), &blob{err: errors.New("x")}, cache.ExportHints{}); err == nil {
			t.Error("no error")
		}
	})
}

func TestASessionIsTakenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session")
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		first := s.client(Options{Sessions: kept{sessionFile(path, "correct horse")}})
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
			c := s.client(Options{Sessions: kept{sessionFile(path, "correct horse")}})
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
		c := s.client(Options{Sessions: kept{sessionFile(path, "correct horse")}})
		_, ok, err := c.Restore(t.Context(), Wish{Scopes: []string{"Mail.Read"}})
		var refused *AuthError
		if ok || !errors.As(err, &refused) || !slices.Contains(refused.Codes, 70008) {
			t.Errorf("revoked: got %t, %v", ok, err)
		}
	})
}

// Nobody types a code in vain: a session that cannot be opened is told before.
func TestTheSessionIsOpenedBeforeTheSignIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session")
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.signIn(s.client(Options{Sessions: kept{sessionFile(path, "correct horse")}}))
		c := s.client(Options{Sessions: kept{sessionFile(path, "wrong")}})
		if _, _, err := c.Restore(t.Context(), Wish{Scopes: scopes}); !errors.Is(err, ErrPassphrase) {
			t.Errorf("restoring: got %v", err)
		}
		_, err := byCode(c, t.Context(), "", scopes, func(DeviceCode) { t.Error("a code was shown") })
		if !errors.Is(err, ErrPassphrase) {
			t.Errorf("signing in: got %v", err)
		}
	})
}

// A second sign-in to the same file replaces the first person's.
func TestASessionIsOnePersons(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session")
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.signIn(s.client(Options{Sessions: kept{sessionFile(path, "p")}}))
		s.user = "00000000-0000-0000-0000-0000000000f2"
		s.signIn(s.client(Options{Sessions: kept{sessionFile(path, "p")}}))
		for range 5 {
			got, ok, err := s.client(Options{Sessions: kept{sessionFile(path, "p")}}).Restore(t.Context(), Wish{Scopes: scopes})
			if !ok || err != nil || got.ObjectID != s.user {
				t.Errorf("got %+v, %t, %v", got, ok, err)
			}
		}
	})
}

// MSAL loads the session from several goroutines at once.
func TestASessionFileIsSafeForConcurrentUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session")
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.signIn(s.client(Options{Sessions: kept{sessionFile(path, "p")}}))
		c := s.client(Options{Sessions: kept{sessionFile(path, "p")}})
		together(8, func() {
			if _, ok, err := c.Restore(t.Context(), Wish{Scopes: scopes}); !ok || err != nil {
				t.Errorf("got %t, %v", ok, err)
			}
		})
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
