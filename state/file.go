package state

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// DirError says why a state folder, or a file written for the person, cannot be
// used, and what to do.
type DirError struct {
	Dir  string
	File string // path of the file that was to be written; empty when the state folder is meant
	Text string
	Err  error
}

func (e *DirError) Error() string {
	if e.File != "" {
		return e.File + ": " + e.Text
	}
	return fmt.Sprintf("state folder %s: %s", e.Dir, e.Text)
}

func (e *DirError) Unwrap() error { return e.Err }

// dirError turns an error of the file system into what to do about it.
func dirError(dir string, err error) error {
	const elsewhere = "choose another folder with --state-dir"
	text := reason(err, elsewhere)
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		text = "a file stands where the folder should be; " + elsewhere
	}
	return &DirError{Dir: dir, Text: text, Err: err}
}

// fileError does so for a file at a place the person chose.
func fileError(path string, err error) error {
	const elsewhere = "choose another place"
	text := reason(err, elsewhere)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		text = "a file stands where its folder should be; " + elsewhere
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.EISDIR):
		text = "a folder of this name is there already; name a file"
	}
	return &DirError{Dir: filepath.Dir(path), File: path, Text: text, Err: err}
}

func reason(err error, elsewhere string) string {
	switch {
	case diskFull(err):
		return "the disk is full, or a limit set on it is reached; free some space or " + elsewhere + "; what was written so far is kept"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "it cannot be written to; change its permissions or " + elsewhere
	}
	return err.Error() + "; mend that or " + elsewhere
}

// makeDir makes a folder of mode 0700 with those above it, so that they survive
// a power cut.
func makeDir(dir string) error {
	var absent []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		absent = append(absent, d)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range absent { // a folder is as durable as the entry that names it
		if err := syncDir(filepath.Dir(d)); err != nil {
			return err
		}
	}
	return nil
}

// openLines opens a file of lines to append to, making it when absent. What
// stands behind the first size bytes is cut off.
func openLines(path string, size int64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err = f.Truncate(size); err == nil && size == 0 {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// appendLines writes values as lines of JSON and syncs them: either all of them
// are durable or none is there.
func appendLines[T any](f *os.File, lines []T) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err = f.Write(b.Bytes()); err == nil {
		err = f.Sync()
	}
	if err == nil {
		return nil
	}
	if f.Truncate(end) != nil {
		// Half a line stands at the end. Writing on would make it damage in the
		// middle; left there, the next start cuts it off.
		_ = f.Close()
	}
	return err
}

// WriteFile replaces a file with mode 0600 in one step: after a crash there is
// the old content or the new, never a part. It fails with a *DirError.
func WriteFile(path string, data []byte) error {
	return StreamFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// StreamFile is WriteFile for what is too much to be in memory at once.
func StreamFile(path string, write func(io.Writer) error) error {
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return fileError(path, err)
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return fileError(path, err)
	}
	w := bufio.NewWriter(f)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fileError(path, err)
	}
	if err := syncDir(dir); err != nil {
		return fileError(path, err)
	}
	return nil
}

// rename puts a file in another's place. Windows refuses while any process has
// the other one open, a virus scanner for instance, so there it is tried for a
// while.
func rename(from, to string) error {
	for try := 1; ; try++ {
		err := os.Rename(from, to)
		if runtime.GOOS != "windows" || try == 20 || !errors.Is(err, fs.ErrPermission) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}
