package msclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
)

// passphrase is a lock that opens quickly.
func passphrase(word string) *Passphrase { return &Passphrase{Word: NewSecret(word), WorkFactor: 8} }

func openSessions(t *testing.T, dir string, lock Lock) *Sessions {
	t.Helper()
	s := NewSessions(dir)
	if err := s.Open(lock, false); err != nil {
		t.Fatal(err)
	}
	return s
}

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

// holding is a cache of MSAL's with refresh tokens of one account.
func holding(account string, tokens ...string) string {
	entries := map[string]any{}
	for _, name := range tokens {
		entries[name] = map[string]string{"home_account_id": account, "secret": canary + "-" + name}
	}
	return jsonText(map[string]any{
		"Account":      map[string]any{account: map[string]string{"home_account_id": account}},
		"RefreshToken": entries,
	})
}

const client = catalog.GraphCommandLineTools

func export(t *testing.T, s *Sessions, text string) {
	t.Helper()
	if err := s.Cache(client).Export(context.Background(), &blob{data: []byte(text)}, cache.ExportHints{}); err != nil {
		t.Errorf("a request would have failed: %v", err)
	}
}

// load gives what MSAL is told to load; nothing when it has it already.
func load(t *testing.T, s *Sessions) string {
	t.Helper()
	var b blob
	if err := s.Cache(client).Replace(context.Background(), &b, cache.ReplaceHints{}); err != nil {
		t.Errorf("a request would have failed: %v", err)
	}
	return string(b.data)
}

func loads(t *testing.T, dir string, lock Lock, want string) {
	t.Helper()
	if got := load(t, openSessions(t, dir, lock)); got != want {
		t.Errorf("read by another run: got %q, want %q", got, want)
	}
}

// locks are the two ways to keep a key.
func locks() map[Keeping]Lock {
	return map[Keeping]Lock{UnderPassphrase: passphrase("correct horse"), InKeyring: fakeKeyring()}
}

func TestSessionsRoundTrip(t *testing.T) {
	for keeping, lock := range locks() {
		t.Run(string(keeping), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state", "sign-ins")
			ring, _ := lock.(*Keyring)
			if was, err := NewSessions(dir).Remove(ring); was || err != nil {
				t.Errorf("removing before there is anything: got %t, %v", was, err)
			}
			s := openSessions(t, dir, lock)
			if got := load(t, s); got != "" || s.Kept() != NotKept {
				t.Errorf("before there is one: got %q, kept %q", got, s.Kept())
			}
			if files := filesIn(t, dir); len(files) > 0 {
				t.Errorf("written before there was anything to keep: %v", names(files))
			}
			one, two := holding("a", "one"), holding("a", "one", "two")
			export(t, s, one)
			if s.Kept() != keeping || s.Err() != nil {
				t.Errorf("kept %q, %v", s.Kept(), s.Err())
			}
			loads(t, dir, lock, one)

			// What MSAL has already is not read or written again.
			if got := load(t, s); got != "" {
				t.Errorf("read again: got %q", got)
			}
			before := filesIn(t, dir)
			export(t, s, one)
			if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
				t.Errorf("the same session was written twice:\n%s", diff)
			}
			export(t, s, two)
			loads(t, dir, lock, two)

			other := openSessions(t, dir, lock).Cache(catalog.AzureCLI)
			var b blob
			if err := other.Replace(t.Context(), &b, cache.ReplaceHints{}); err != nil || b.data != nil {
				t.Errorf("another client has its own: got %q, %v", b.data, err)
			}
			if err := other.Export(t.Context(), &blob{data: []byte(one)}, cache.ExportHints{}); err != nil {
				t.Error(err)
			}
			loads(t, dir, lock, two)

			for name, data := range filesIn(t, dir) {
				for _, word := range []string{canary, "RefreshToken", "correct horse", "SECRET-KEY"} {
					if strings.Contains(data, word) {
						t.Errorf("%s holds %q in clear", name, word)
					}
				}
			}
			if was, err := NewSessions(dir).Remove(ring); !was || err != nil {
				t.Errorf("removing: got %t, %v", was, err)
			}
			if files := filesIn(t, dir); len(files) > 0 || s.Kept() != NotKept {
				t.Errorf("left behind: %v", names(files))
			}
			if ring != nil {
				if _, err := ring.read(dir); err == nil {
					t.Error("the key is still in the keyring")
				}
			}
			if was, err := NewSessions(dir).Remove(ring); was || err != nil {
				t.Errorf("removing again: got %t, %v", was, err)
			}
		})
	}
}

// filesIn reads a folder, the empty file that processes lock apart.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() != lockName || len(data) > 0 {
			out[e.Name()] = string(data)
		}
	}
	return out
}

func names(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }

// damage is what can happen to a file.
func damage(whole []byte) map[string][]byte {
	flip := func(i int) []byte {
		out := bytes.Clone(whole)
		out[i] ^= 1
		return out
	}
	mac := bytes.Index(whole, []byte("---"))
	return map[string][]byte{
		"empty": {}, "not ours": []byte("{}"), "in clear": []byte(holding("a", "one")), "cut short": whole[:len(whole)-5],
		"a bit flipped": flip(len(whole) - 1), "a bit of the header flipped": flip(mac + 6), "header only": whole[:mac], "longer": append(bytes.Clone(whole), 'x'),
	}
}

func TestSessionsThatCannotBeOpened(t *testing.T) {
	type broken struct {
		name  string
		files map[string][]byte
		lock  Lock
		want  error
	}
	for keeping, lock := range locks() {
		base := t.TempDir()
		s := openSessions(t, base, lock)
		export(t, s, holding("a", "one"))
		good := map[string][]byte{}
		for name, data := range filesIn(t, base) {
			good[name] = []byte(data)
		}
		var cases []broken
		for name := range good {
			for how, data := range damage(good[name]) {
				files := map[string][]byte{name: data}
				for other, data := range good {
					if other != name {
						files[other] = data
					}
				}
				cases = append(cases, broken{name + " " + how, files, lock, ErrDamaged})
			}
		}
		switch keeping {
		case UnderPassphrase:
			cases = append(cases, broken{"another passphrase", good, passphrase("canary horse"), ErrPassphrase},
				broken{"no passphrase", good, passphrase(""), ErrPassphrase})
		case InKeyring:
			cases = append(cases, broken{"another keyring", good, fakeKeyring(), ErrKeyLost})
		}
		for _, tt := range cases {
			t.Run(string(keeping)+" "+tt.name, func(t *testing.T) {
				// The folder's own name is part of what the keyring files the key under.
				dir := base
				for name, data := range tt.files {
					if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				t.Cleanup(func() {
					if _, err := NewSessions(dir).Remove(nil); err != nil {
						t.Fatal(err)
					}
				})
				before := filesIn(t, dir)
				for range 2 { // the second time is no better
					s := NewSessions(dir)
					err := s.Open(tt.lock, false)
					if !errors.Is(err, tt.want) || !strings.HasPrefix(err.Error(), dir) || strings.Contains(err.Error(), canary) {
						t.Errorf("got %v, want %v", err, tt.want)
					}
					if got := load(t, s); got != "" {
						t.Errorf("loaded %q", got)
					}
					export(t, s, holding("b", "new")) // the run goes on in memory
				}
				if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
					t.Errorf("the files were changed:\n%s", diff)
				}
				again := NewSessions(dir)
				err := again.Open(tt.lock, true)
				if tt.want == ErrPassphrase {
					if !errors.Is(err, tt.want) {
						t.Errorf("to be kept anew: got %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := load(t, again); got != "" {
					t.Errorf("loaded %q", got)
				}
				if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
					t.Errorf("changed before there was a new sign-in:\n%s", diff)
				}
				export(t, again, holding("b", "new"))
				if again.Err() != nil {
					t.Error(again.Err())
				}
				loads(t, dir, tt.lock, holding("b", "new"))
				for name, data := range before {
					if now := filesIn(t, dir); now[name] != data && now[name+asideExt] != data {
						t.Errorf("%s is lost", name)
					}
				}
			})
		}
	}
}

// Nothing that befalls the files later fails a request: the run goes on with what
// it has in memory, and says why that is not kept.
func TestSessionsAreGivenUpNotInTheWay(t *testing.T) {
	one, two := holding("a", "one"), holding("a", "one", "two")
	for name, tt := range map[string]struct {
		befall func(dir, path string) error
		want   error
	}{
		"forgotten":        {func(dir, _ string) error { _, err := NewSessions(dir).Remove(nil); return err }, ErrForgotten},
		"file deleted":     {func(_, path string) error { return os.Remove(path) }, ErrForgotten},
		"folder deleted":   {func(dir, _ string) error { return os.RemoveAll(dir) }, nil},
		"a folder instead": {func(_, path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, nil},
		"damaged":          {func(_, path string) error { return os.WriteFile(path, []byte(canary), 0o600) }, ErrForgotten},
		"key replaced":     {func(dir, _ string) error { return os.WriteFile(filepath.Join(dir, keyName), []byte(canary), 0o600) }, ErrForgotten},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openSessions(t, dir, passphrase("p"))
			export(t, s, one)
			path := filepath.Join(dir, client+sessionExt)
			if err := tt.befall(dir, path); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got := load(t, s); got != "" {
					t.Errorf("loaded %q", got)
				}
				export(t, s, two)
			}
			if err := s.Err(); err == nil || tt.want != nil && !errors.Is(err, tt.want) || strings.Contains(err.Error(), canary) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if data, err := os.ReadFile(path); err == nil && string(data) != canary && tt.want == nil {
				t.Errorf("written: %q", data)
			}
		})
	}
	t.Run("only this client's file deleted", func(t *testing.T) {
		dir := t.TempDir()
		s := openSessions(t, dir, passphrase("p"))
		export(t, s, one)
		if err := s.Cache(catalog.AzureCLI).Export(t.Context(), &blob{data: []byte(one)}, cache.ExportHints{}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, client+sessionExt)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		export(t, s, two)
		if !errors.Is(s.Err(), ErrForgotten) || exists(path) {
			t.Errorf("got %v", s.Err())
		}
	})
	t.Run("forgotten before another client signs in", func(t *testing.T) {
		dir, ring := t.TempDir(), fakeKeyring()
		s := openSessions(t, dir, ring)
		export(t, s, one)
		if _, err := NewSessions(dir).Remove(ring); err != nil {
			t.Fatal(err)
		}
		if err := s.Cache(catalog.AzureCLI).Export(t.Context(), &blob{data: []byte(one)}, cache.ExportHints{}); err != nil {
			t.Fatal(err)
		}
		if files := filesIn(t, dir); !errors.Is(s.Err(), ErrForgotten) || len(files) > 0 {
			t.Errorf("got %v, %v", s.Err(), names(files))
		}
	})
	t.Run("content MSAL cannot read", func(t *testing.T) {
		dir := t.TempDir()
		export(t, openSessions(t, dir, passphrase("p")), canary+", no JSON")
		s := openSessions(t, dir, passphrase("p"))
		for range 2 {
			if err := s.Cache(client).Replace(t.Context(), &blob{err: errors.New(canary)}, cache.ReplaceHints{}); err != nil {
				t.Error(err)
			}
		}
		if err := s.Err(); !errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), canary) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("MSAL has nothing to give", func(t *testing.T) {
		s := openSessions(t, t.TempDir(), passphrase("p"))
		if err := s.Cache(client).Export(t.Context(), &blob{err: errors.New("x")}, cache.ExportHints{}); err != nil || s.Err() == nil {
			t.Errorf("got %v, %v", err, s.Err())
		}
	})
	t.Run("busy", func(t *testing.T) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			s := openSessions(t, dir, passphrase("p"))
			release, err := s.claim()
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			export(t, s, one)
			for what, err := range map[string]error{"keeping": s.Err(), "opening": NewSessions(dir).Open(passphrase("p"), true)} {
				if err == nil || !strings.Contains(err.Error(), "another msbundle") {
					t.Errorf("%s: got %v", what, err)
				}
			}
		})
	})
}

// A folder that cannot be used is told before anybody signs in.
func TestSessionsFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"a file": file, "below a file": filepath.Join(file, "x")} {
		if err := NewSessions(dir).Open(passphrase("p"), true); err == nil || !strings.HasPrefix(err.Error(), file+": ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink(file, filepath.Join(dir, client+sessionExt)); err == nil {
		if err := NewSessions(dir).Open(passphrase("p"), true); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("a link: got %v", err)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	dir = t.TempDir()
	export(t, openSessions(t, dir, passphrase("p")), holding("a", "one"))
	for _, name := range append(names(filesIn(t, dir)), lockName, ".") {
		if err := os.Chmod(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	loads(t, dir, passphrase("p"), holding("a", "one"))
	modes(t, dir)
}

// modes makes sure that nobody else can look into a folder.
func modes(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 3 {
		t.Fatalf("only %v, %v", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().String() != "-rw-------" {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().String() != "drwx------" {
		t.Errorf("%s: %v, %v", dir, info.Mode(), err)
	}
}

// The passphrase costs a second each time it is used, on purpose.
func TestThePassphraseIsUsedOnceARun(t *testing.T) {
	dir := t.TempDir()
	count := &counted{Lock: passphrase("p")}
	s := openSessions(t, dir, count)
	for i := range 5 {
		export(t, s, holding("a", fmt.Sprint(i)))
		load(t, s)
	}
	if count.times != 1 {
		t.Errorf("used %d times to keep it", count.times)
	}
	count.times = 0
	s = openSessions(t, dir, count)
	for i := range 5 {
		export(t, s, holding("a", fmt.Sprint(i)))
	}
	if count.times != 1 || s.Err() != nil {
		t.Errorf("used %d times to take it up; %v", count.times, s.Err())
	}
}

type counted struct {
	Lock
	times int
}

func (c *counted) open(dir string, file []byte) (Secret, error) {
	c.times++
	return c.Lock.open(dir, file)
}

func (c *counted) newKey(dir string) (Secret, []byte, error) {
	c.times++
	return c.Lock.newKey(dir)
}

// However sessions are printed, no key and no passphrase shows.
func TestSessionsPrintNoSecret(t *testing.T) {
	lock := passphrase(canary)
	s := openSessions(t, t.TempDir(), lock)
	export(t, s, holding("a", "one"))
	for _, v := range []any{s, *lock, lock, s.Cache(client), *s.Cache(client).(*sessionCache), fakeKeyring()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, canary) || strings.Contains(text, s.key.Reveal()) {
				t.Errorf("%T: %s", v, text)
			}
		}
	}
}
