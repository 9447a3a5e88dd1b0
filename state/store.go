package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

const journalSchema = "msbundle.journal/1"

// File names inside a tenant's folder.
const (
	answersFile  = "setup.yaml"
	journalFile  = "journal.jsonl"
	evidenceFile = "evidence.jsonl"
	lockFile     = "lock"
	shieldsFile  = "shields.json"
	customersDir = "customers" // of a partner's folder: a folder for each customer
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
	id   Identity
	lock *flock.Flock // nil when the folder is only looked at, and for a customer's, which the partner's covers

	mu       sync.Mutex
	journal  *os.File
	evidence *os.File // opened with the first proof
	records  []Record
}

// Dir is where a tenant's state lies under the state folder root.
func Dir(root string, id Identity) string { return filepath.Join(root, id.Cloud, id.Tenant) }

// Open takes a tenant's folder into possession, making it when absent. It fails
// with a *DirError when the folder cannot be used, is in use by another process,
// or holds another tenant's journal.
func Open(root string, id Identity) (*Store, error) {
	dir, err := dirOf(root, id)
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, dirError(dir, err)
	}
	s := &Store{dir: dir, id: id, lock: flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))}
	got, err := s.lock.TryLock()
	if err != nil {
		return nil, dirError(dir, err)
	}
	if !got {
		return nil, &DirError{Dir: dir, Text: "another msbundle is working on this tenant; wait for it to end, or close it: a wizard that is left open holds the folder, too"}
	}
	if err := s.openJournal(id); err != nil {
		_ = s.lock.Unlock()
		return nil, err
	}
	return s, nil
}

// Customer opens what is kept of a customer's tenant under the partner's, making
// it when absent. One at a time may have it open; it is to be closed before the
// partner's.
func (s *Store) Customer(tenant, name string) (*Store, error) {
	if !IsGUID(tenant) {
		return nil, &DirError{Dir: s.dir, Text: fmt.Sprintf("%q is no tenant id to keep state under", tenant)}
	}
	id := Identity{Cloud: s.id.Cloud, Tenant: strings.ToLower(tenant), TenantName: name}
	c := &Store{dir: filepath.Join(s.dir, customersDir, id.Tenant), id: id}
	if err := makeDir(c.dir); err != nil {
		return nil, dirError(c.dir, err)
	}
	if err := c.openJournal(id); err != nil {
		return nil, err
	}
	return c, nil
}

// Customers lists the tenant ids of customers something was written at.
func (s *Store) Customers() []string {
	dirs, err := os.ReadDir(filepath.Join(s.dir, customersDir))
	if err != nil {
		return nil // nothing was written at any yet
	}
	var out []string
	for _, d := range dirs {
		if IsGUID(d.Name()) {
			out = append(out, d.Name())
		}
	}
	return out
}

// HasCustomer tells whether something was written at a customer.
func (s *Store) HasCustomer(tenant string) bool {
	if !IsGUID(tenant) {
		return false
	}
	_, err := os.Stat(filepath.Join(s.dir, customersDir, strings.ToLower(tenant)))
	return err == nil
}

// Look reads a tenant's folder without taking possession: another process may be
// at work there. It makes and writes nothing, and what is appended is forgotten.
func Look(root string, id Identity) (*Store, error) {
	dir, err := dirOf(root, id)
	if err != nil {
		return nil, err
	}
	records, _, err := journalOf(dir, id)
	return &Store{dir: dir, records: records}, err
}

// dirOf is where a tenant's state lies, if its id can name a folder.
func dirOf(root string, id Identity) (string, error) {
	if id.Tenant == "" || id.Tenant != filepath.Base(id.Tenant) || strings.HasPrefix(id.Tenant, ".") {
		return "", &DirError{Dir: root, Text: fmt.Sprintf("%q is no tenant id to keep state under; sign in again", id.Tenant)}
	}
	return Dir(root, id), nil
}

// journalOf reads the journal in a folder, which has to be this tenant's.
func journalOf(dir string, id Identity) (records []Record, good int64, err error) {
	records, good, err = readJournal(filepath.Join(dir, journalFile))
	if err == nil && len(records) > 0 {
		if h := records[0]; !strings.EqualFold(h.Tenant, id.Tenant) || h.Cloud != id.Cloud {
			err = &DirError{Dir: dir, Text: fmt.Sprintf(
				"%s belongs to tenant %s (%s), not to %s (%s); move it back to where it came from", journalFile, h.Tenant, h.Cloud, id.Tenant, id.Cloud)}
		}
	}
	return records, good, err
}

func (s *Store) openJournal(id Identity) error {
	path := filepath.Join(s.dir, journalFile)
	records, good, err := journalOf(s.dir, id)
	if err != nil {
		return err
	}
	// A killed process may leave half a line: nothing was sent on the strength of
	// it, so it is cut off.
	f, err := openLines(path, good)
	if err != nil {
		return dirError(s.dir, err)
	}
	s.journal, s.records = f, records
	if len(records) == 0 {
		if err := s.Append(Record{
			Kind: RecordHeader, At: time.Now().UTC(), Schema: journalSchema, Cloud: id.Cloud, Tenant: id.Tenant, TenantName: id.TenantName,
		}); err != nil {
			_ = f.Close()
			return err
		}
	}
	return nil
}

// readJournal reads whole lines; good is where the last of them ends. It fails
// with a *DirError when a line is damaged or the journal is of another format.
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
		if line == 1 && (r.Kind != RecordHeader || r.Schema != journalSchema) {
			return nil, 0, &DirError{Dir: filepath.Dir(path), Text: journalFile + " is not a journal this program can read; move it away or use a newer msbundle"}
		}
		records = append(records, r)
		data, good = data[end+1:], good+int64(end)+1
	}
	return records, good, nil
}

// Append makes records durable: when it returns nil they survive a crash.
func (s *Store) Append(records ...Record) error {
	if len(records) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal != nil {
		if err := appendLines(s.journal, records); err != nil {
			return dirError(s.dir, err)
		}
	}
	s.records = append(s.records, records...)
	return nil
}

// Entries lists the journal's writes with what became of them.
func (s *Store) Entries() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Entries(s.records)
}

// AddEvidence makes a proof durable.
func (s *Store) AddEvidence(e Evidence) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.evidence == nil {
		path := filepath.Join(s.dir, evidenceFile)
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return dirError(s.dir, err)
		}
		if s.evidence, err = openLines(path, int64(bytes.LastIndexByte(data, '\n')+1)); err != nil {
			return dirError(s.dir, err)
		}
	}
	if err := appendLines(s.evidence, []Evidence{e}); err != nil {
		return dirError(s.dir, err)
	}
	return nil
}

// SaveAnswers writes the tenant's setup.yaml and tells where it lies.
func (s *Store) SaveAnswers(a Answers) (string, error) {
	path := filepath.Join(s.dir, answersFile)
	return path, WriteFile(path, a.Encode())
}

// Answers loads the tenant's setup.yaml; false when there is none.
func (s *Store) Answers() (Answers, bool, error) {
	path := filepath.Join(s.dir, answersFile)
	if !fileExists(path) {
		return Answers{}, false, nil
	}
	a, err := LoadAnswers(path)
	return a, err == nil, err
}

// Close gives the folder up.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil { // only looked at
		return nil
	}
	var errs []error
	for _, f := range []*os.File{s.journal, s.evidence} {
		if f == nil {
			continue
		}
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	return errors.Join(errs...)
}

// Tenant is what lies on disk about one tenant, read without taking possession.
type Tenant struct {
	Identity
	Dir     string
	Answers string // path of its setup.yaml; empty when there is none
	Records []Record
	Waiting []string // relationships that customers had yet to approve when a run ended
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
		t := Tenant{Identity: Identity{cloud, records[0].Tenant, records[0].TenantName}, Dir: dir, Records: records, Waiting: waiting(dir)}
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

// Kept tells whether answers of any tenant of a cloud are kept.
func Kept(root, cloud string) bool {
	dirs, err := os.ReadDir(filepath.Join(root, cloud))
	return err == nil && slices.ContainsFunc(dirs, func(d os.DirEntry) bool { return fileExists(filepath.Join(root, cloud, d.Name(), answersFile)) })
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// SaveShields keeps how the customers were seen to stand: data that only who wrote
// it reads.
func (s *Store) SaveShields(data []byte) error {
	return WriteFile(filepath.Join(s.dir, shieldsFile), data)
}

// Shields is what SaveShields kept last; empty when there is nothing.
func (s *Store) Shields() []byte {
	data, _ := os.ReadFile(filepath.Join(s.dir, shieldsFile)) // it only helps memory
	return data
}
