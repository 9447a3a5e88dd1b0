package msclient

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zalando/go-keyring"
)

// fakeKeyring is a keyring in memory.
func fakeKeyring() *Keyring {
	keys := map[string]string{}
	return &Keyring{
		reachable: func() bool { return true }, limit: keyringLimit,
		get: func(service, user string) (string, error) {
			if key, ok := keys[service+user]; ok {
				return key, nil
			}
			return "", keyring.ErrNotFound
		},
		set:  func(service, user, key string) error { keys[service+user] = key; return nil },
		drop: func(service, user string) error { delete(keys, service+user); return nil },
	}
}

// The library's own stand-in serves too, so the system's is asked the right way.
func TestSystemKeyring(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	keyring.MockInit()
	dir := t.TempDir()
	export(t, openSessions(t, dir, SystemKeyring()), holding("a", "one"))
	loads(t, dir, SystemKeyring(), holding("a", "one"))
	if _, err := keyring.Get("msbundle", keyringAccount(dir)); err != nil {
		t.Error(err)
	}
	if was, err := NewSessions(dir).Remove(SystemKeyring()); !was || err != nil {
		t.Errorf("got %t, %v", was, err)
	}
	if _, err := keyring.Get("msbundle", keyringAccount(dir)); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("the key is still there: %v", err)
	}
}

func TestAKeyringThatCannotBeUsed(t *testing.T) {
	for name, tt := range map[string]struct {
		get  func(service, user string) (string, error)
		want error
		says string
	}{
		"locked":     {func(string, string) (string, error) { return "", errors.New("failed to unlock") }, ErrKeyring, "unlock it"},
		"cut off":    {func(string, string) (string, error) { panic("nil signal") }, ErrKeyring, "makes no sense"},
		"other text": {func(string, string) (string, error) { return "hello " + canary, nil }, ErrDamaged, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ring := fakeKeyring()
			dir := t.TempDir()
			export(t, openSessions(t, dir, ring), holding("a", "one"))
			ring.get = tt.get
			err := NewSessions(dir).Open(ring, false)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), canary) {
				t.Errorf("got %v", err)
			}
			if err := NewSessions(t.TempDir()).Open(ring, true); tt.want == ErrKeyring && !errors.Is(err, ErrKeyring) {
				t.Errorf("before a first sign-in: got %v", err)
			}
		})
	}
	t.Run("no answer", func(t *testing.T) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			hang := make(chan bool)
			defer close(hang)
			ring := fakeKeyring()
			ring.get = func(string, string) (string, error) { <-hang; return "", keyring.ErrNotFound }
			begun := time.Now()
			err := NewSessions(dir).Open(ring, true)
			if !errors.Is(err, ErrKeyring) || !strings.Contains(err.Error(), "no answer within 3s") || time.Since(begun) != 3*time.Second {
				t.Errorf("after %s: %v", time.Since(begun), err)
			}
		})
	})
	t.Run("it takes nothing", func(t *testing.T) {
		ring := fakeKeyring()
		ring.set = func(string, string, string) error { return errors.New("full") }
		dir := t.TempDir()
		s := openSessions(t, dir, ring)
		export(t, s, holding("a", "one"))
		if !errors.Is(s.Err(), ErrKeyring) || s.Kept() != NotKept {
			t.Errorf("got %v, kept %q", s.Err(), s.Kept())
		}
	})
	t.Run("it gives nothing back", func(t *testing.T) {
		ring := fakeKeyring()
		dir := t.TempDir()
		export(t, openSessions(t, dir, ring), holding("a", "one"))
		ring.drop = func(string, string) error { return errors.New("locked") }
		was, err := NewSessions(dir).Remove(ring)
		if !was || !errors.Is(err, ErrKeyring) || len(filesIn(t, dir)) > 0 {
			t.Errorf("got %t, %v", was, err)
		}
	})
}

// Without a session bus nothing is asked: the library would start one.
func TestNoKeyringWithoutASessionBus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus")
	for _, address := range []string{"", "autolaunch:"} {
		if sessionBus(address, socket) {
			t.Errorf("address %q: a bus would be started", address)
		}
	}
	if !sessionBus("unix:path=/somewhere", socket) {
		t.Error("the address in the environment was not believed")
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !sessionBus("", socket) {
		t.Error("the socket of the person's session was not seen")
	}
	ring := fakeKeyring()
	ring.reachable = func() bool { return false }
	ring.get = func(string, string) (string, error) { t.Error("asked"); return "", keyring.ErrNotFound }
	if err := NewSessions(t.TempDir()).Open(ring, true); !errors.Is(err, ErrKeyring) || !strings.Contains(err.Error(), "this session has none") {
		t.Errorf("got %v", err)
	}
}

func TestKeyringAccount(t *testing.T) {
	dir := t.TempDir()
	name := keyringAccount(dir)
	if name != keyringAccount(filepath.Join(dir, "x", "..")) || name == keyringAccount(filepath.Join(dir, "x")) {
		t.Errorf("got %s", name)
	}
	if len(name) > 40 || strings.Contains(name, string(filepath.Separator)) {
		t.Errorf("got %s", name)
	}
}
