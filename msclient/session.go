package msclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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

	sealed []byte // what the file holds, so that it is not opened again and again
	plain  []byte
}

var _ cache.ExportReplace = (*SessionFile)(nil)

// ErrPassphrase means that a session file cannot be opened with this passphrase.
var ErrPassphrase = errors.New("the remembered sign-in cannot be opened: the passphrase is another one, or the file is damaged")

// Replace loads the session into MSAL's cache.
func (f *SessionFile) Replace(_ context.Context, into cache.Unmarshaler, _ cache.ReplaceHints) error {
	sealed, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the remembered sign-in: %w", err)
	}
	if bytes.Equal(sealed, f.sealed) {
		return nil // MSAL's cache has it already
	}
	id, err := age.NewScryptIdentity(f.Passphrase.Reveal())
	if err != nil {
		return ErrPassphrase
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		return ErrPassphrase
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return ErrPassphrase
	}
	f.sealed, f.plain = sealed, plain
	return into.Unmarshal(plain)
}

// Export writes the session when MSAL's cache has changed.
func (f *SessionFile) Export(_ context.Context, from cache.Marshaler, _ cache.ExportHints) error {
	plain, err := from.Marshal()
	if err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	if bytes.Equal(plain, f.plain) {
		return nil
	}
	to, err := age.NewScryptRecipient(f.Passphrase.Reveal())
	if err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	if f.WorkFactor > 0 {
		to.SetWorkFactor(f.WorkFactor)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err == nil {
		_, err = w.Write(plain)
		err = errors.Join(err, w.Close())
	}
	if err == nil {
		err = f.write(sealed.Bytes())
	}
	if err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	f.sealed, f.plain = sealed.Bytes(), plain
	return nil
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
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(sealed)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), f.Path)
}

// Remove forgets the session. It reports whether there was one.
func (f *SessionFile) Remove() (bool, error) {
	err := os.Remove(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
