package state

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/gofrs/flock"
)

const journalSchema = "msbundle.journal/1"

// File names inside a tenant's folder.
const (
	answersFile  = "setup.yaml"
	journalFile  = "journal.jsonl"
	evidenceFile = "evidence.jsonl"
	lockFile     = "lock"
)

// Identity says whose state a folder holds.
type Identity struct {
	Cloud      string // catalog.Cloud.ID, or "sandbox"
	Tenant     string // tenant id
	TenantName string
}

// Store is one tenant's folder, owned by this process until Close.
type Store struct {
	dir  string
	lock *flock.Flock

	mu      sync.Mutex
	journal *os.File
	records []Record
}

// DirError says why a state folder cannot be used, and what to do.
type DirError struct {
	Dir  string
	Text string
	Err  error
}

func (e *DirError) Error() string { return fmt.Sprintf("state folder %s: %s", e.Dir, e.Text) }

func (e *DirError) Unwrap() error { return e.Err }

// dirError turns an error of the file system into what to do about it.
func dirError(dir string, err error) error {
	text := err.Error()
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		text = "the disk is full; free some space or choose another folder with --state-dir; what was written so far is kept"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		text = "it cannot be written to; change its permissions or choose another folder with --state-dir"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		text = "a file stands where the folder should be; choose another folder with --state-dir"
	}
	return &DirError{Dir: dir, Text: text, Err: err}
}

// Dir is where a tenant's state lies under the state folder root.
func Dir(root string, id Identity) string { return filepath.Join(root, id.Cloud, id.Tenant) }

// Open takes a tenant's folder into possession, making it when absent. It fails
// with a *DirError when the folder cannot be used, is in use by another process,
// or holds another tenant's journal.
func Open(root string, id Identity) (*Store, error) {
	dir := Dir(root, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, dirError(dir, err)
	}
	s := &Store{dir: dir, lock: flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))}
	got, err := s.lock.TryLock()
	if err != nil {
		return nil, dirError(dir, err)
	}
	if !got {
		return nil, &DirError{Dir: dir, Text: "another msbundle is working on this tenant; wait for it to end"}
	}
	if err := s.openJournal(id); err != nil {
		_ = s.lock.Unlock()
		return nil, err
	}
	return s, nil
}

func (s *Store) openJournal(id Identity) error {
	path := filepath.Join(s.dir, journalFile)
	records, good, err := readJournal(path)
	if err != nil {
		return err
	}
	if len(records) > 0 {
		h := records[0]
		switch {
		case h.Kind != RecordHeader || h.Schema != journalSchema:
			return &DirError{Dir: s.dir, Text: journalFile + " is not a journal this program can read; move it away or use a newer msbundle"}
		case h.Tenant != id.Tenant || h.Cloud != id.Cloud:
			return &DirError{Dir: s.dir, Text: fmt.Sprintf(
				"%s belongs to tenant %s (%s), not to %s (%s); move it back to where it came from", journalFile, h.Tenant, h.Cloud, id.Tenant, id.Cloud)}
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return dirError(s.dir, err)
	}
	// A killed process may leave half a line: nothing was sent on the strength of
	// it, so it is cut off.
	if err := f.Truncate(good); err != nil {
		_ = f.Close()
		return dirError(s.dir, err)
	}
	if _, err := f.Seek(good, 0); err != nil {
		_ = f.Close()
		return dirError(s.dir, err)
	}
	s.journal, s.records = f, records
	if len(records) == 0 {
		if err := s.Append(Record{
			Kind: RecordHeader, Schema: journalSchema, Cloud: id.Cloud, Tenant: id.Tenant, TenantName: id.TenantName,
		}); err != nil {
			_ = f.Close()
			return err
		}
	}
	return nil
}

// readJournal reads whole lines; good is where the last of them ends.
func readJournal(path string) (records []Record, good int64, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, dirError(filepath.Dir(path), err)
	}
	for line := 1; len(data) > 0; line++ {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			break
		}
		var r Record
		if err := json.Unmarshal(data[:end], &r); err != nil {
			return nil, 0, &DirError{Dir: filepath.Dir(path), Err: err, Text: fmt.Sprintf(
				"%s, line %d is damaged; move the file away to start a new journal (undo will then not know of what it held)", journalFile, line)}
		}
		records = append(records, r)
		data, good = data[end+1:], good+int64(end)+1
	}
	return records, good, nil
}

// Append makes records durable: when it returns nil they survive a crash.
func (s *Store) Append(records ...Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := appendLines(s.journal, records); err != nil {
		return dirError(s.dir, err)
	}
	s.records = append(s.records, records...)
	return nil
}

func appendLines[T any](f *os.File, lines []T) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	at, err := f.Seek(0, 1)
	if err != nil {
		return err
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		// Half a record must not stand in the middle of the journal.
		_ = f.Truncate(at)
		_, _ = f.Seek(at, 0)
		return err
	}
	return f.Sync()
}

// Entries lists the journal's writes with what became of them.
func (s *Store) Entries() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Entries(s.records)
}

// AddEvidence makes a proof durable.
func (s *Store) AddEvidence(e Evidence) error {
	f, err := os.OpenFile(filepath.Join(s.dir, evidenceFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return dirError(s.dir, err)
	}
	defer f.Close()
	if err := appendLines(f, []Evidence{e}); err != nil {
		return dirError(s.dir, err)
	}
	return nil
}

// SaveAnswers writes the tenant's setup.yaml and tells where it lies.
func (s *Store) SaveAnswers(a Answers) (string, error) {
	path := filepath.Join(s.dir, answersFile)
	return path, WriteFile(path, a.Encode())
}

// Close gives the folder up.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.journal.Close(), s.lock.Unlock())
}

// WriteFile replaces a file with mode 0600 in one step: after a crash there is
// the old content or the new, never a part.
func WriteFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return dirError(dir, err)
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return dirError(dir, err)
	}
	defer os.Remove(f.Name())
	w := bufio.NewWriter(f)
	_, err = w.Write(data)
	err = errors.Join(err, w.Flush(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return dirError(dir, err)
	}
	return nil
}

// Tenant is what lies on disk about one tenant, read without taking possession.
type Tenant struct {
	Identity
	Dir     string
	Answers string // path of its setup.yaml; empty when there is none
	Records []Record
}

// Tenants lists the tenants of one cloud under a state folder. Folders that
// cannot be read are left out.
func Tenants(root, cloud string) []Tenant {
	var out []Tenant
	dirs, err := os.ReadDir(filepath.Join(root, cloud))
	if err != nil {
		return nil
	}
	for _, d := range dirs {
		dir := filepath.Join(root, cloud, d.Name())
		records, _, err := readJournal(filepath.Join(dir, journalFile))
		if err != nil || len(records) == 0 {
			continue
		}
		t := Tenant{Identity: Identity{cloud, records[0].Tenant, records[0].TenantName}, Dir: dir, Records: records}
		for _, r := range records { // the name is learnt after the journal was begun
			if r.TenantName != "" {
				t.TenantName = r.TenantName
			}
		}
		if path := filepath.Join(dir, answersFile); fileExists(path) {
			t.Answers = path
		}
		out = append(out, t)
	}
	return out
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
