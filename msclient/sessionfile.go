package msclient

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"

	"filippo.io/age"
)

// seal encrypts to a key.
func seal(plain, key Secret) ([]byte, error) {
	id, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	return encrypt(plain, id.Recipient())
}

// unseal is the opposite of seal.
func unseal(sealed []byte, key Secret) (Secret, error) {
	id, err := parseKey(key)
	if err != nil {
		return Secret{}, err
	}
	plain, err := decrypt(sealed, id)
	if err != nil {
		return Secret{}, ErrDamaged
	}
	return plain, nil
}

// newKey makes a key at random.
func newKey() (Secret, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return Secret{}, err
	}
	return NewSecret(id.String()), nil
}

func parseKey(key Secret) (*age.X25519Identity, error) {
	id, err := age.ParseX25519Identity(key.Reveal())
	if err != nil {
		return nil, ErrDamaged // the reason may quote it
	}
	return id, nil
}

func encrypt(plain Secret, to age.Recipient) ([]byte, error) {
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		return nil, err
	}
	if _, err = io.WriteString(w, plain.Reveal()); err == nil {
		err = w.Close() // writes the last part
	}
	return sealed.Bytes(), err
}

func decrypt(sealed []byte, id age.Identity) (Secret, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		return Secret{}, err
	}
	plain, err := io.ReadAll(r)
	return NewSecret(string(plain)), err
}

// readFile reads a file; nil when there is none.
func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// writeFile puts a file of mode 0600 in its place in one step. The caller has
// claimed the folder, so a half-written one of the same name is of a run that was
// killed.
func writeFile(path string, data []byte) error {
	half := path + ".new"
	f, err := os.OpenFile(half, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = rename(half, path)
	}
	if err != nil {
		_ = os.Remove(half)
	}
	return err
}

// putAside renames a file that cannot be read, so that another can take its place.
func putAside(path string) error { return rename(path, path+asideExt) }

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

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
