package msclient

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"
)

const (
	// keyringService is what our keys are filed under.
	keyringService = "msbundle"
	// keyringLimit is how long the keyring has for an answer. One that is locked may
	// wait for ever for a person where there is none.
	keyringLimit = 3 * time.Second
)

// Keyring is a Lock that leaves the key to the operating system: the keychain of
// macOS, the credential manager of Windows, the secret service elsewhere. The
// sign-ins themselves would not fit in there.
type Keyring struct {
	reachable func() bool
	limit     time.Duration
	get       func(service, user string) (string, error)
	set       func(service, user, password string) error
	drop      func(service, user string) error
}

// SystemKeyring is this machine's keyring, for the person who runs the program.
func SystemKeyring() *Keyring {
	return &Keyring{reachable: keyringReachable, limit: keyringLimit, get: keyring.Get, set: keyring.Set, drop: keyring.Delete}
}

func (k *Keyring) open(dir string, _ []byte) (Secret, error) {
	key, err := k.read(dir)
	if errors.Is(err, keyring.ErrNotFound) {
		return Secret{}, ErrKeyLost
	}
	return key, err
}

// newKey also finds out whether the keyring answers, before anybody signs in.
func (k *Keyring) newKey(dir string) (Secret, []byte, error) {
	key, err := k.read(dir)
	if errors.Is(err, keyring.ErrNotFound) || errors.Is(err, ErrDamaged) {
		key, err = newKey()
	}
	return key, nil, err
}

func (k *Keyring) store(dir string, key Secret) (Secret, error) {
	there, err := k.read(dir)
	if !errors.Is(err, keyring.ErrNotFound) && !errors.Is(err, ErrDamaged) {
		return there, err
	}
	_, err = k.ask(func() (string, error) { return "", k.set(keyringService, keyringAccount(dir), key.Reveal()) })
	return key, err
}

func (k *Keyring) read(dir string) (Secret, error) {
	text, err := k.ask(func() (string, error) { return k.get(keyringService, keyringAccount(dir)) })
	if err != nil {
		return Secret{}, err
	}
	key := NewSecret(text)
	_, err = parseKey(key)
	return key, err
}

func (k *Keyring) remove(dir string) error {
	_, err := k.ask(func() (string, error) { return "", k.drop(keyringService, keyringAccount(dir)) })
	if errors.Is(err, keyring.ErrNotFound) {
		return nil
	}
	return err
}

// ask puts a question to the keyring. One that gets no answer is left behind: it
// cannot be taken back.
func (k *Keyring) ask(question func() (string, error)) (string, error) {
	if !k.reachable() {
		return "", fmt.Errorf("%w: this session has none", ErrKeyring)
	}
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() {
			// The library takes a connection that is cut for an answer.
			if recover() != nil {
				done <- answer{err: errors.New("its answer makes no sense")}
			}
		}()
		text, err := question()
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		if a.err != nil && !errors.Is(a.err, keyring.ErrNotFound) {
			return "", fmt.Errorf("%w: %w; if it is locked, unlock it", ErrKeyring, a.err)
		}
		return a.text, a.err
	case <-time.After(k.limit):
		return "", fmt.Errorf("%w: it gave no answer within %s; if it asks something, answer that and start again", ErrKeyring, k.limit)
	}
}

// keyringReachable tells whether the system's keyring may be asked at all.
func keyringReachable() bool {
	switch runtime.GOOS {
	case "windows", "darwin":
		return true
	}
	return sessionBus(os.Getenv("DBUS_SESSION_BUS_ADDRESS"), fmt.Sprintf("/run/user/%d/bus", os.Getuid()))
}

// sessionBus tells whether there is a session bus, looking where the library
// does: where that finds none it starts one, and a keyring, and both stay behind.
func sessionBus(address, socket string) bool {
	return address != "" && address != "autolaunch:" || exists(socket)
}

// keyringAccount is the name of a folder's key: keyrings limit its length and
// characters, so it is not the path itself.
func keyringAccount(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if straight, err := filepath.EvalSymlinks(dir); err == nil {
		dir = straight
	}
	sum := sha256.Sum256([]byte(dir))
	return "sign-ins " + hex.EncodeToString(sum[:8])
}
