package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	contoso  = Identity{Cloud: "global", Tenant: "11111111-1111-1111-1111-111111111111"}
	fabrikam = Identity{Cloud: "global", Tenant: "22222222-2222-2222-2222-222222222222"}
	noon     = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

func open(t *testing.T, root string, id Identity) *Store {
	t.Helper()
	s, err := Open(root, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func intent(id string) Record { return Record{Kind: RecordIntent, At: noon, Intent: id} }

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// wantDirError checks that an error is a *DirError that holds all parts.
func wantDirError(t *testing.T, err error, parts ...string) {
	t.Helper()
	var dir *DirError
	if !errors.As(err, &dir) {
		t.Errorf("got %v (%T), want a *DirError", err, err)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want it to say %q", err, part)
		}
	}
}

func intents(entries []Entry) []string {
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Intent)
	}
	return out
}

func TestEntriesPairIntentsWithOutcomes(t *testing.T) {
	refs := map[string]string{"app.id": "1"}
	records := []Record{
		{Kind: RecordHeader, Schema: journalSchema},
		intent("a"), intent("b"), intent("c"), intent("d"), intent("e"),
		{Kind: RecordReceipt, Intent: "a", Refs: refs},
		{Kind: RecordRefused, Intent: "b", Code: "Request_BadRequest"},
		{Kind: RecordReceipt, Intent: "never intended"},
		{Kind: RecordAbsent, Intent: "d"},
		{Kind: RecordDelivered, Intent: "a"},
		{Kind: RecordDelivered, Intent: "never intended"},
		{Kind: "of a later version", Intent: "c"},
		{Kind: RecordRefused, Intent: "e"}, // busy, then sent again
		{Kind: RecordReceipt, Intent: "e"},
		{Kind: RecordFinished},
	}
	want := []Entry{
		{Record: intent("a"), Outcome: records[6], Delivered: true},
		{Record: intent("b"), Outcome: records[7]},
		{Record: intent("c")},
		{Record: intent("d"), Outcome: records[9]},
		{Record: intent("e"), Outcome: records[14]},
	}
	got := Entries(records)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var unknown []string
	for _, e := range got {
		if e.Open() {
			unknown = append(unknown, e.Intent)
		}
	}
	if diff := cmp.Diff([]string{"c"}, unknown); diff != "" {
		t.Errorf("of unknown outcome (-want +got):\n%s", diff)
	}
	if got := Entries(nil); got != nil {
		t.Errorf("of no records: got %v", got)
	}
}

func TestJournalSurvivesClosing(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, contoso)
	full := Record{
		Kind: RecordIntent, At: noon, Intent: "a", Change: "app", What: "application", Action: "create", Object: "the app \u202e\"x\"\u2028 <&>",
		Method: "POST", Path: "/v1.0/applications", Body: json.RawMessage(`{"displayName":"Ü<&>"}`), Before: json.RawMessage(`null`), Name: "Ü\n",
	}
	if err := s.Append(full, intent("b")); err != nil {
		t.Fatal(err)
	}
	receipt := Record{Kind: RecordReceipt, At: noon, Intent: "a", Refs: map[string]string{"app.id": "1"}, RequestID: "r"}
	if err := s.Append(receipt); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(); err != nil { // nothing to say is no line
		t.Fatal(err)
	}
	want := []Entry{{Record: full, Outcome: receipt}, {Record: intent("b")}}
	if diff := cmp.Diff(want, s.Entries()); diff != "" {
		t.Errorf("before closing (-want +got):\n%s", diff)
	}
	closeStore(t, s)
	if diff := cmp.Diff(want, open(t, root, contoso).Entries()); diff != "" {
		t.Errorf("after opening again (-want +got):\n%s", diff)
	}
	lines := strings.Split(read(t, filepath.Join(Dir(root, contoso), journalFile)), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], `{"kind":"journal",`) || strings.Contains(lines[0], "0001-01-01") {
		t.Errorf("journal has %d lines and begins %s", len(lines)-1, lines[0])
	}
}

func TestATornLastLineIsCutOff(t *testing.T) {
	for _, torn := range []string{`{"kind":"int`, `{"kind":"intent","intent":"torn"}`, "\x00\x00\x00\x00", " "} {
		root := t.TempDir()
		path := filepath.Join(Dir(root, contoso), journalFile)
		s := open(t, root, contoso)
		if err := s.Append(intent("a")); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		whole := read(t, path)
		write(t, path, whole+torn)
		s = open(t, root, contoso)
		if diff := cmp.Diff([]string{"a"}, intents(s.Entries())); diff != "" {
			t.Errorf("%q (-want +got):\n%s", torn, diff)
		}
		if got := read(t, path); got != whole {
			t.Errorf("%q: the file holds %q", torn, got)
		}
		if err := s.Append(intent("b")); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		if diff := cmp.Diff([]string{"a", "b"}, intents(open(t, root, contoso).Entries())); diff != "" {
			t.Errorf("%q, written on (-want +got):\n%s", torn, diff)
		}
	}
}

// A crash can tear the very first line.
func TestATornHeaderIsWrittenAnew(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(Dir(root, contoso), journalFile)
	for _, text := range []string{"", `{"kind":"journal","sche`} {
		write(t, path, text)
		s := open(t, root, contoso)
		if err := s.Append(intent("a")); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		s = open(t, root, contoso)
		if diff := cmp.Diff([]string{"a"}, intents(s.Entries())); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		closeStore(t, s)
	}
}

func TestJournalsThatAreRefused(t *testing.T) {
	header := func(schema, cloud, tenant string) string {
		return fmt.Sprintf(`{"kind":"journal","at":"2026-11-20T12:00:00Z","schema":%q,"cloud":%q,"tenant":%q}`+"\n", schema, cloud, tenant)
	}
	const entry = `{"kind":"intent","at":"2026-11-20T12:00:00Z","intent":"a"}` + "\n"
	good := header(journalSchema, contoso.Cloud, contoso.Tenant)
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"damaged middle", good + entry + "{\"kind\":\"int\n" + entry, []string{"journal.jsonl, line 3 is damaged", "move the file away to start a new journal"}},
		{"damaged first", "garbage\n" + good, []string{"journal.jsonl, line 1 is damaged"}},
		{"damaged last, whole line", good + entry + "garbage\n", []string{"journal.jsonl, line 3 is damaged"}},
		{"lines glued", good + strings.TrimSuffix(entry, "\n") + entry, []string{"journal.jsonl, line 2 is damaged"}},
		{"empty line", good + "\n" + entry, []string{"journal.jsonl, line 2 is damaged"}},
		{"other tenant", header(journalSchema, contoso.Cloud, fabrikam.Tenant) + entry, []string{"belongs to tenant " + fabrikam.Tenant, "not to " + contoso.Tenant, "move it back"}},
		{"other cloud", header(journalSchema, "usgov", contoso.Tenant) + entry, []string{"(usgov), not to", "(global)"}},
		{"sandbox's", header(journalSchema, "sandbox", contoso.Tenant), []string{"(sandbox), not to"}},
		{"newer schema", header("msbundle.journal/2", contoso.Cloud, contoso.Tenant) + entry, []string{"use a newer msbundle"}},
		{"newer schema, other records", header("msbundle.journal/2", contoso.Cloud, contoso.Tenant) + `{"kind":7}` + "\n", []string{"use a newer msbundle"}},
		{"no header", entry + entry, []string{"is not a journal this program can read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			path := filepath.Join(Dir(root, contoso), journalFile)
			write(t, path, tt.text)
			_, err := Open(root, contoso)
			wantDirError(t, err, append(tt.want, "state folder "+Dir(root, contoso)+": ")...)
			if got := read(t, path); got != tt.text {
				t.Errorf("the refused journal was changed to %q", got)
			}
			// A refusal leaves no lock behind.
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			open(t, root, contoso)
		})
	}
}

// Microsoft writes ids in either case.
func TestTenantIDsAreComparedWithoutCase(t *testing.T) {
	root := t.TempDir()
	id := Identity{Cloud: "global", Tenant: "aaaaaaaa-1111-1111-1111-111111111111"}
	upper := strings.ToUpper(id.Tenant)
	write(t, filepath.Join(Dir(root, id), journalFile), fmt.Sprintf(`{"kind":"journal","schema":%q,"cloud":"global","tenant":%q}`+"\n", journalSchema, upper))
	open(t, root, id)
}

func TestOpenRefusesWhatIsNoTenant(t *testing.T) {
	root := t.TempDir()
	for _, tenant := range []string{"", ".", "..", "../x", "a/b", ".hidden"} {
		_, err := Open(root, Identity{Cloud: "global", Tenant: tenant})
		wantDirError(t, err, "is no tenant id")
	}
	if files, err := os.ReadDir(root); err != nil || len(files) != 0 {
		t.Errorf("files were made: %v, %v", files, err)
	}
}

func TestOneStoreAtATime(t *testing.T) {
	root := t.TempDir()
	first := open(t, root, contoso)
	_, err := Open(root, contoso)
	wantDirError(t, err, "another msbundle is working on this tenant; wait for it to end")
	open(t, root, fabrikam) // another tenant is free
	closeStore(t, first)
	second := open(t, root, contoso)
	closeStore(t, first) // closing twice does not free what another holds
	_, err = Open(root, contoso)
	wantDirError(t, err, "another msbundle")
	closeStore(t, second)
}

func TestNothingIsWrittenAfterClose(t *testing.T) {
	s := open(t, t.TempDir(), contoso)
	if err := s.AddEvidence(Evidence{What: "x"}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	wantDirError(t, s.Append(intent("a")))
	wantDirError(t, s.AddEvidence(Evidence{What: "y"}))
	if got := intents(s.Entries()); len(got) != 0 {
		t.Errorf("entries: got %v", got)
	}
}

func TestAppendFromManyGoroutines(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, contoso)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 5 {
				if err := s.Append(intent(fmt.Sprintf("%d.%d", i, j))); err != nil {
					t.Error(err)
				}
				if err := s.AddEvidence(Evidence{At: noon, What: fmt.Sprint(i, j)}); err != nil {
					t.Error(err)
				}
				_ = s.Entries()
			}
		})
	}
	group.Wait()
	before := intents(s.Entries())
	closeStore(t, s)
	after := intents(open(t, root, contoso).Entries())
	if diff := cmp.Diff(before, after); diff != "" || len(after) != 40 {
		t.Errorf("got %d entries (-memory +file):\n%s", len(after), diff)
	}
	if lines := strings.Count(read(t, filepath.Join(Dir(root, contoso), evidenceFile)), "\n"); lines != 40 {
		t.Errorf("got %d proofs, want 40", lines)
	}
}

func evidence(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(read(t, filepath.Join(Dir(root, contoso), evidenceFile))) {
		var e Evidence
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		out = append(out, e.What)
	}
	return out
}

func TestEvidenceIsKept(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(Dir(root, contoso), evidenceFile)
	for i, what := range []string{"one", "two", "three"} {
		s := open(t, root, contoso)
		if err := s.AddEvidence(Evidence{At: noon, What: what, Good: true, RequestIDs: []string{"r"}}); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		if i == 1 { // a crash tears the last line
			write(t, path, read(t, path)+`{"at":"2026`)
		}
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, evidence(t, root)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" { // which has none
		return
	}
	root := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, root, contoso)
	if err := s.AddEvidence(Evidence{What: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveAnswers(DefaultAnswers()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.WalkDir(filepath.Dir(root), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		got[d.Name()] = info.Mode().String()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "drwx------", "b": "drwx------", "global": "drwx------", contoso.Tenant: "drwx------",
		lockFile: "-rw-------", journalFile: "-rw-------", evidenceFile: "-rw-------", answersFile: "-rw-------",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteFileReplacesInOneStep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "plan.json")
	if err := WriteFile(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil { // somebody else's file
		t.Fatal(err)
	}
	old, err := os.Open(path) // a reader sees the old content or the new, never a part
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		_ = old.Close()
	} else {
		defer old.Close()
	}
	if err := WriteFile(path, []byte("two, longer")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "two, longer" {
		t.Errorf("got %q", got)
	}
	if runtime.GOOS != "windows" {
		data := make([]byte, 20)
		if n, _ := old.Read(data); string(data[:n]) != "one" {
			t.Errorf("the open file reads %q", data[:n])
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("mode: got %v, %v", info.Mode(), err)
		}
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestPlacesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "x")
	_, err := Open(file, contoso)
	wantDirError(t, err, "a file stands where the folder should be; choose another folder with --state-dir")
	err = WriteFile(filepath.Join(file, "plan.json"), nil)
	wantDirError(t, err, filepath.Join(file, "plan.json")+": a file stands where its folder should be; choose another place")
	if strings.Contains(err.Error(), "--state-dir") {
		t.Errorf("the person did not choose a state folder: %v", err)
	}
	err = WriteFile(dir, nil)
	wantDirError(t, err, dir+": a folder of this name is there already; name a file")
	if files, _ := os.ReadDir(filepath.Dir(dir)); slices.ContainsFunc(files, func(f os.DirEntry) bool { return strings.HasPrefix(f.Name(), ".") }) {
		t.Errorf("left behind: %v", files)
	}
}

func TestTenantsLists(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, contoso)
	if err := s.Append(Record{Kind: RecordIntent, At: noon, Intent: "a", TenantName: "Contoso"}); err != nil {
		t.Fatal(err)
	}
	path, err := s.SaveAnswers(DefaultAnswers())
	if err != nil {
		t.Fatal(err)
	}
	other := fabrikam
	other.TenantName = "Fabrikam"
	closeStore(t, open(t, root, other))
	// What does not count: another cloud's, a damaged one, a draft, an empty folder.
	closeStore(t, open(t, root, Identity{Cloud: "sandbox", Tenant: contoso.Tenant}))
	write(t, filepath.Join(root, "global", "33333333-3333-3333-3333-333333333333", journalFile), "garbage\n")
	write(t, filepath.Join(root, "global", "44444444-4444-4444-4444-444444444444", answersFile), "version: 1\n")
	write(t, filepath.Join(root, "global", "draft.yaml"), "version: 1\n")

	type row struct{ Tenant, Name, Answers string }
	var got []row
	for _, tenant := range Tenants(root, "global") { // while a store is open
		got = append(got, row{tenant.Tenant, tenant.TenantName, tenant.Answers})
	}
	want := []row{{contoso.Tenant, "Contoso", path}, {fabrikam.Tenant, "Fabrikam", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Tenants(root, "usgov"); got != nil {
		t.Errorf("of a cloud without state: got %v", got)
	}
	if !Kept(root, "global") || Kept(root, "sandbox") || Kept(root, "usgov") {
		t.Error("answers are kept in one cloud alone")
	}
	if a, err := LoadAnswers(path); err != nil || !cmp.Equal(a, DefaultAnswers()) {
		t.Errorf("saved answers: got %+v, %v", a, err)
	}
}

// Whoever only looks takes nothing into possession, leaves nothing behind, and
// sees what whoever works there has written.
func TestLook(t *testing.T) {
	root := t.TempDir()
	id := Identity{Cloud: "global", Tenant: "11111111-1111-1111-1111-111111111111"}
	looked, err := Look(root, id)
	if err != nil || len(looked.Entries()) > 0 {
		t.Fatalf("of nothing: %v, %v", looked, err)
	}
	if _, found, err := looked.Answers(); found || err != nil {
		t.Errorf("answers of nothing: %v, %v", found, err)
	}
	if left, _ := os.ReadDir(root); len(left) > 0 {
		t.Errorf("looking made %v", left)
	}
	owner, err := Open(root, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Append(Record{Kind: RecordIntent, Intent: "1", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if looked, err = Look(root, id); err != nil || len(looked.Entries()) != 1 {
		t.Fatalf("beside its owner: %v, %v", looked, err)
	}
	if err := looked.Append(Record{Kind: RecordReceipt, Intent: "1", At: time.Now()}); err != nil || looked.Entries()[0].Open() {
		t.Errorf("what is found out serves as long as it is looked: %v", err)
	}
	if err := errors.Join(looked.Close(), owner.Close()); err != nil {
		t.Error(err)
	}
	if again, err := Look(root, id); err != nil || !again.Entries()[0].Open() {
		t.Errorf("looking wrote: %v", err)
	}
	if _, err := Look(root, Identity{Cloud: "china", Tenant: id.Tenant}); err != nil {
		t.Errorf("of another cloud: %v", err)
	}
	if err := os.Rename(filepath.Join(root, "global"), filepath.Join(root, "china")); err != nil {
		t.Fatal(err)
	}
	_, err = Look(root, Identity{Cloud: "china", Tenant: id.Tenant})
	wantDirError(t, err, "belongs to tenant")
}
