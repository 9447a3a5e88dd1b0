package msclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"filippo.io/age"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
)

// SessionFile keeps a sign-in between runs, encrypted under a passphrase. It is
// written when MSAL's cache changes and readable by its owner only.
type SessionFile struct {
	Path       string
	Passphrase Secret
	// WorkFactor is scrypt's cost as a power of two; 0 means age's default,
	// about a second.
	WorkFactor int

	mu     sync.Mutex // MSAL loads from several goroutines at once
	sealed []byte     // what the file holds, so that it is not opened again and again
	plain  [sha256.Size]byte
}

var _ cache.ExportReplace = (*SessionFile)(nil)

// ErrPassphrase means that a session file cannot be opened with this passphrase.
var ErrPassphrase = errors.New("the remembered sign-in cannot be opened: the passphrase is another one, or the file is damaged; " +
	"give the one it was kept under, or delete it to sign in anew")

// sessionError is a session file that cannot be read or written.
type sessionError struct {
	path string
	err  error
}

func (e *sessionError) Error() string { return e.path + ": " + e.err.Error() }

func (e *sessionError) Unwrap() error { return e.err }

// Replace loads the session into MSAL's cache.
func (f *SessionFile) Replace(_ context.Context, into cache.Unmarshaler, _ cache.ReplaceHints) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	sealed, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &sessionError{f.Path, fmt.Errorf("the remembered sign-in cannot be read: %w", err)}
	}
	if f.sealed != nil && bytes.Equal(sealed, f.sealed) {
		return nil // MSAL's cache has it already
	}
	plain, err := f.open(sealed)
	if err == nil {
		err = into.Unmarshal(plain)
	}
	if err != nil { // which of the two it was cannot be told
		return &sessionError{f.Path, ErrPassphrase}
	}
	f.sealed, f.plain = sealed, sha256.Sum256(plain)
	return nil
}

func (f *SessionFile) open(sealed []byte) ([]byte, error) {
	id, err := age.NewScryptIdentity(f.Passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Export writes the session when MSAL's cache has changed.
func (f *SessionFile) Export(_ context.Context, from cache.Marshaler, _ cache.ExportHints) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	plain, err := from.Marshal()
	if err != nil {
		return &sessionError{f.Path, fmt.Errorf("the sign-in cannot be kept: %w", err)}
	}
	sum := sha256.Sum256(plain)
	if f.sealed != nil && sum == f.plain {
		return nil
	}
	sealed, err := f.seal(plain)
	if err == nil {
		err = f.write(sealed)
	}
	if err != nil {
		return &sessionError{f.Path, fmt.Errorf("the sign-in cannot be kept: %w", err)}
	}
	f.sealed, f.plain = sealed, sum
	return nil
}

func (f *SessionFile) seal(plain []byte) ([]byte, error) {
	to, err := age.NewScryptRecipient(f.Passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	if f.WorkFactor > 0 {
		to.SetWorkFactor(f.WorkFactor)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(plain); err == nil {
		err = w.Close() // writes the last part
	}
	return sealed.Bytes(), err
}

func (f *SessionFile) write(sealed []byte) error {
	dir := filepath.Dir(f.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".session-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(sealed)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = rename(tmp.Name(), f.Path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// rename puts a file in another's place. Windows refuses while another process
// reads the other one, so there it is tried for a while.
func rename(from, to string) error {
	for try := 1; ; try++ {
		err := os.Rename(from, to)
		if runtime.GOOS != "windows" || try == 20 || !errors.Is(err, fs.ErrPermission) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Remove forgets the session. It reports whether there was one.
func (f *SessionFile) Remove() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealed = nil
	err := os.Remove(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
