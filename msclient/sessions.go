package msclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/gofrs/flock"
)

// Sessions keeps sign-ins between runs in a folder of its own, one encrypted file
// for each public client. All of them are sealed to one key, which a Lock keeps:
// costly to open once, cheap to use after that.
//
// Once it is open it never fails a request: what cannot be read or written any
// more is given up, the run goes on with what is in memory, and Err says why.
type Sessions struct {
	dir string

	mu     sync.Mutex
	lock   Lock
	key    Secret // an age identity; zero until Open
	file   []byte // the key file that belongs to it; nil when the key is kept elsewhere
	found  []byte // the key file at Open
	stored bool   // the key is kept
	anew   bool   // what cannot be read may be put aside
	caches map[string]*sessionCache
	err    error
	frozen bool // nothing is written any more
}

// Lock keeps the key of the sessions: a *Passphrase or a *Keyring.
type Lock interface {
	// open gives the key that is kept. file is what newKey gave with it.
	open(dir string, file []byte) (Secret, error)
	// newKey makes a key, and the file to keep with the sessions.
	newKey(dir string) (key Secret, file []byte, err error)
	// store keeps a new key, unless another run was quicker: it gives the one that
	// is kept.
	store(dir string, key Secret) (Secret, error)
}

// Keeping is how sign-ins are kept.
type Keeping string

// The ways.
const (
	NotKept         Keeping = ""
	UnderPassphrase Keeping = "passphrase" // the key lies beside them, under a passphrase
	InKeyring       Keeping = "keyring"    // the key is in the system's keyring
)

// Why sign-ins cannot be taken up or kept. Each comes with the file or folder
// before it.
var (
	ErrPassphrase = errors.New("the remembered sign-in cannot be opened: the passphrase is another one, or the file is damaged")
	ErrDamaged    = errors.New("the remembered sign-in cannot be read: the file is damaged, or belongs to another key or program")
	ErrKeyLost    = errors.New("the remembered sign-in cannot be opened: its key is not in this machine's keyring any more")
	ErrKeyring    = errors.New("this machine's keyring cannot be used")
	ErrForgotten  = errors.New("the remembered sign-in was forgotten or replaced while this ran")
)

// sessionError says which file or folder is meant.
type sessionError struct {
	path string
	err  error
}

func (e *sessionError) Error() string { return e.path + ": " + e.err.Error() }

func (e *sessionError) Unwrap() error { return e.err }

// Names in the folder of the sessions.
const (
	sessionExt = ".age"
	keyName    = "key.scrypt"
	lockName   = "lock"
	asideExt   = ".unreadable"
)

// claimWait is for how long another process may be busy with the folder.
const claimWait = 10 * time.Second

// NewSessions is for the sign-ins kept in a folder, which nobody else uses.
func NewSessions(dir string) *Sessions {
	return &Sessions{dir: dir, caches: map[string]*sessionCache{}}
}

// Dir is where the sign-ins are kept.
func (s *Sessions) Dir() string { return s.dir }

// Kept tells whether any sign-in is kept, and how.
func (s *Sessions) Kept() Keeping {
	switch {
	case len(s.sealed()) == 0:
		return NotKept
	case exists(s.keyPath()):
		return UnderPassphrase
	}
	return InKeyring
}

// Keeping tells how this run keeps its sign-in, once it is open.
func (s *Sessions) Keeping() Keeping {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return InKeyring
	}
	return UnderPassphrase
}

// Freeze leaves what is kept as it is from now on: what this run still learns ends
// with it.
func (s *Sessions) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = true
}

// Err tells why this run's sign-in is not kept any more. It is nil while all is
// well.
func (s *Sessions) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Open unlocks what is kept, or prepares to keep something: nothing is written
// before there is a sign-in. With anew everything that cannot be read, a wrong
// passphrase apart, counts as absent; when its place is needed it is renamed, so
// that it is still there.
func (s *Sessions) Open(lock Lock, anew bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sealed, err := s.look()
	if err != nil {
		return s.because(err)
	}
	s.lock, s.anew = lock, anew
	if len(sealed) > 0 {
		err := s.unlock(sealed)
		if err == nil {
			return nil
		}
		if !anew || errors.Is(err, ErrPassphrase) {
			return s.because(err)
		}
	}
	s.key, s.file, err = lock.newKey(s.dir)
	return s.because(err)
}

// look reads the folder as it is at one moment: the sessions, and the key file as
// found.
func (s *Sessions) look() (sealed map[string][]byte, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	if err := s.tighten(); err != nil {
		return nil, err
	}
	release, err := s.claim()
	if err != nil {
		return nil, err
	}
	defer release()
	if s.found, err = readFile(s.keyPath()); err != nil {
		return nil, err
	}
	sealed = map[string][]byte{}
	for _, path := range s.sealed() {
		if sealed[path], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return sealed, nil
}

// unlock opens the key, and every session with it: what is damaged is to be known
// before anybody signs in.
func (s *Sessions) unlock(sealed map[string][]byte) error {
	key, err := s.lock.open(s.dir, s.found)
	if err != nil {
		return err
	}
	for path, data := range sealed {
		if _, err := unseal(data, key); err != nil && !s.anew {
			return &sessionError{path, err}
		}
	}
	s.key, s.file, s.stored = key, s.found, true
	return nil
}

// because names the folder in an error that names no file.
func (s *Sessions) because(err error) error {
	var named *sessionError
	var file *fs.PathError
	switch {
	case err == nil || errors.As(err, &named):
		return err
	case errors.As(err, &file):
		return &sessionError{file.Path, fmt.Errorf("%s: %w", file.Op, file.Err)}
	}
	return &sessionError{s.dir, err}
}

// tighten makes sure that only the owner can read the folder and what is in it.
// Windows gives a profile's folders to their owner by themselves.
func (s *Sessions) tighten() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	if err := tighten(s.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return s.because(err)
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		if !e.Type().IsRegular() {
			return &sessionError{path, errors.New("this is no regular file; move it away")}
		}
		if err := tighten(path, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func tighten(path string, mode fs.FileMode) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another process has just renamed it
	}
	if err == nil && info.Mode().Perm()&^mode != 0 {
		err = os.Chmod(path, mode)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &sessionError{path, fmt.Errorf("others can read it, and that cannot be changed: %w; move it away or name another folder", err)}
	}
	return nil
}

// Cache is where the tokens of a public client are kept. Every call gives the
// same one for the same client.
func (s *Sessions) Cache(clientID string) cache.ExportReplace {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.caches[clientID]
	if c == nil {
		c = &sessionCache{sessions: s, path: filepath.Join(s.dir, filepath.Base(clientID)+sessionExt)}
		s.caches[clientID] = c
	}
	return c
}

// Remove forgets everything that is kept, and what could not be read. The key is
// taken out of the keyring too; nil leaves that alone. It reports whether there
// was anything.
func (s *Sessions) Remove(ring *Keyring) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !exists(s.dir) {
		return false, nil
	}
	release, err := s.claim()
	if err != nil {
		return false, err
	}
	defer release()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return false, s.because(err)
	}
	was, inRing := false, s.Kept() == InKeyring
	var errs []error
	for _, e := range entries {
		if e.Name() == lockName { // others may be waiting for it
			continue
		}
		was = true
		inRing = inRing || strings.HasSuffix(e.Name(), sessionExt+asideExt) // it may have been
		errs = append(errs, os.Remove(filepath.Join(s.dir, e.Name())))
	}
	if inRing && ring != nil {
		errs = append(errs, ring.remove(s.dir))
	}
	s.key = Secret{}
	return was, s.because(errors.Join(errs...))
}

// fail gives up keeping. The first reason is the one to tell. The caller holds mu.
func (s *Sessions) fail(err error) {
	if s.err == nil {
		s.err = s.because(err)
	}
}

// serving tells whether sign-ins are read and written. The caller holds mu.
func (s *Sessions) serving() bool { return s.err == nil && !s.key.IsZero() }

// settle makes sure that what is about to be sealed can be opened later: the key
// is kept with the first session, and after that still the one this run knows.
// The caller holds mu and has claimed the folder.
func (s *Sessions) settle() error {
	now, err := readFile(s.keyPath())
	if err != nil {
		return err
	}
	switch {
	case s.stored && (!bytes.Equal(now, s.file) || len(s.sealed()) == 0):
		return ErrForgotten
	case s.stored:
		return nil
	case !bytes.Equal(now, s.found): // another run was quicker
		if s.key, err = s.lock.open(s.dir, now); err != nil {
			return err
		}
		s.file, s.stored = now, true
		return nil
	}
	if now != nil {
		if err := putAside(s.keyPath()); err != nil {
			return err
		}
	}
	if s.key, err = s.lock.store(s.dir, s.key); err != nil {
		return err
	}
	if s.file != nil {
		if err := writeFile(s.keyPath(), s.file); err != nil {
			return err
		}
	}
	s.stored = true
	return nil
}

// claim keeps other processes out of the folder until release.
func (s *Sessions) claim() (release func(), err error) {
	lock := flock.New(filepath.Join(s.dir, lockName), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), claimWait)
	defer cancel()
	_, err = lock.TryLockContext(ctx, 10*time.Millisecond)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("another msbundle has been busy with it for %s", claimWait)
	}
	if err != nil {
		return nil, s.because(err)
	}
	return func() { _ = lock.Unlock() }, nil
}

func (s *Sessions) keyPath() string { return filepath.Join(s.dir, keyName) }

// sealed lists the files of the sessions.
func (s *Sessions) sealed() []string {
	entries, _ := os.ReadDir(s.dir)
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), sessionExt) {
			files = append(files, filepath.Join(s.dir, e.Name()))
		}
	}
	return files
}
