package steps

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"msbundle/state"
)

// nasty are names that act in a terminal or a spreadsheet, or are in the way of a
// limit.
var nasty = []string{
	`=cmd|' /C calc'!A0`, "+1", "-2+3", "@SUM(A1)", "\t=1", "\x1b[2J\x1b]0;owned\x07Contoso", "Contoso\r\nFabrikam", "\u202egnp.exe",
	"شركة كونتوسو", strings.Repeat("ä", 300), "a\xffb", "", "\"quoted\", and more", "\u0085C1\u009b31m", "＝1+1", "%1", "|calc", "👩‍👩‍👧 Toys",
}

func nastyMapping() *Mapping {
	var rows []CustomerRow
	for i, n := range nasty {
		rows = append(rows, customerRow(i, n, fmt.Sprintf("n%d.onmicrosoft.com", i), fmt.Sprintf("n%d.example.com", i)))
	}
	return MatchCustomers(rows, nil, state.Mapping{})
}

func readTable(t *testing.T, data []byte) [][]string {
	t.Helper()
	if !utf8.Valid(data) {
		t.Errorf("not UTF-8: %q", data)
	}
	if i := bytes.IndexFunc(data, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) }); i >= 0 {
		t.Errorf("a control character at %d: %q", i, data[i:min(i+20, len(data))])
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for _, c := range r {
			if c != "" && strings.ContainsAny(firstRune(strings.TrimSpace(c)), "=+-@|%＝＋－＠") {
				t.Errorf("a formula: %q", c)
			}
		}
	}
	return rows
}

func TestExportsAreHarmless(t *testing.T) {
	m := nastyMapping()
	organization, err := m.Add(state.Organization{Name: "=1+1"})
	if err != nil {
		t.Fatal(err)
	}
	m.Link(1, organization)
	rows := readTable(t, m.Table())
	if len(rows) != len(nasty)+1 {
		t.Errorf("%d lines", len(rows))
	}
	if diff := cmp.Diff("'=cmd|' /C calc'!A0", rows[1][0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if rows[9][0] != nasty[8] || rows[2][3] != "'=1+1" || rows[2][5] != "yes" || rows[2][6] != "linked" || rows[2][7] != "yes" {
		t.Errorf("got %q and %q", rows[9], rows[2])
	}
	data := m.Document()
	readable := map[string]any{}
	if err := json.Unmarshal(data, &readable); err != nil || readable["schema"] != "msbundle.mapping/1" {
		t.Errorf("%v in %s", err, data)
	}
	if bytes.ContainsFunc(data, func(r rune) bool { return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) ||
		bytes.Contains(data, []byte(`\u001b`)) {
		t.Errorf("something acts in %q", data)
	}
}

// What Rewst refuses is not in its import.
func TestNewOrganizations(t *testing.T) {
	m := nastyMapping()
	files := m.NewOrganizations()
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	rows := readTable(t, files[0])
	if diff := cmp.Diff([]string{"organizationName", "domain"}, rows[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for i, r := range rows[1:] {
		name := strings.ToLower(r[0])
		if name == "" || utf8.RuneCountInString(r[0]) > 255 || seen[name] || strings.TrimSpace(r[0]) != r[0] {
			t.Errorf("%q is no name", r[0])
		}
		if seen[name] = true; r[1] != fmt.Sprintf("n%d.example.com", i) {
			t.Errorf("domain %q", r[1])
		}
	}
}

func TestNewOrganizationsHaveNamesOfTheirOwn(t *testing.T) {
	long := strings.Repeat("x", 255)
	m := MatchCustomers([]CustomerRow{
		customerRow(0, "contoso", "c0.example.com"), customerRow(1, "Contoso", "c1.example.com"), customerRow(2, "CONTOSO"), customerRow(3, "CONTOSO"),
		customerRow(4, "Litware"), customerRow(5, long), customerRow(6, long, "l.example.com"), customerRow(7, "=1"), customerRow(8, "'=1"),
	}, organizationsOf("Contoso GmbH", "Litware", "Contoso"), state.Mapping{})
	m.Link(0, 2)
	m.Link(1, 2)
	m.Link(4, 0)
	m.Unlink(1, 2)
	m.declined[2], m.declined[3] = false, false
	var got []string
	for _, r := range readTable(t, m.NewOrganizations()[0])[1:] {
		got = append(got, r[0])
	}
	want := []string{
		"Contoso (c1.example.com)", "CONTOSO (2)", "CONTOSO (3)", long, long[:255-len(" (l.example.com)")] + " (l.example.com)", "'=1", "'=1 (2)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Rewst is to make what somebody typed, by the name that was typed and once, and
// nothing for customers that are to have none, have a suggestion, or have something
// that only an older list knew.
func TestNewOrganizationsAreWhatIsLacking(t *testing.T) {
	rows := []CustomerRow{
		customerRow(0, "Contoso", "contoso.onmicrosoft.com", "contoso.com"), customerRow(1, "Fabrikam", "fabrikam.com"), customerRow(2, "Litware", "litware.com"),
		customerRow(3, "Proseware", "proseware.com"), customerRow(4, "Adatum", "adatum.com"), customerRow(5, "Wingtip"), customerRow(6, "Tailspin Toys"), customerRow(7, "Old", "old.com"),
	}
	m := MatchCustomers(rows, append(organizationsOf("Wingtip", "Old"), state.Organization{ID: "7", Name: "Older"}), state.Mapping{})
	add := func(o state.Organization, users ...int) {
		t.Helper()
		n, err := m.Add(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range users {
			m.Link(row, n)
		}
	}
	add(state.Organization{Name: "litware"}, 0)
	add(state.Organization{Name: "Shared", Domain: "own.example.com"}, 3, 4)
	add(state.Organization{Name: "Not used any more"})
	add(state.Organization{Name: "By its id", ID: "o-9"}, 4)
	m.Decline(1)
	m.Link(6, 1)
	m = MatchCustomers(rows, organizationsOf("Wingtip"), m.Kept()) // which has no Old
	if m.State(6) != RowMissing || m.State(5) != RowCertain {
		t.Fatalf("got %v and %v", m.State(6), m.State(5))
	}
	want := [][]string{{"organizationName", "domain"}, {"litware", "contoso.com"}, {"Shared", "own.example.com"}, {"Litware (litware.com)", "litware.com"}, {"Old (old.com)", "old.com"}}
	if diff := cmp.Diff(want, readTable(t, m.NewOrganizations()[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := m.Lacking(), "For Rewst to import: 4 organisations, 2 of them typed by hand, the others for customers without one; nothing yet for 1 customer with a suggestion to decide on."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	m.Unlink(6, m.Rows()[6].Organizations[0])
	if m.State(7) != RowOpen {
		t.Errorf("what is not there any more is suggested: %v", m.State(7))
	}
	m.Decline(6)
	m.Decline(7)
	m.Decline(2)
	m.Decline(5)
	m.Decline(0)
	m.Decline(3)
	m.Decline(4)
	if got := m.Lacking(); len(m.NewOrganizations()) > 0 || got != "Rewst lacks no organisation." {
		t.Errorf("got %q", got)
	}
}

// More than Rewst takes from one file becomes several, and what an earlier export
// left over goes.
func TestExportMapping(t *testing.T) {
	var rows []CustomerRow
	for i := range 2001 {
		rows = append(rows, customerRow(i, fmt.Sprintf("Customer %d", i)))
	}
	dir := filepath.Join(t.TempDir(), "out")
	names := func(m *Mapping) (out []string) {
		paths, err := m.Export(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			out = append(out, filepath.Base(p))
		}
		return out
	}
	m := MatchCustomers(rows, nil, state.Mapping{})
	files := []string{"mapping.csv", "mapping.json", "new-organizations-1.csv", "new-organizations-2.csv", "new-organizations-3.csv"}
	if diff := cmp.Diff(files, names(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	lines := 0
	for i, want := range []int{1001, 1001, 2} {
		data, err := os.ReadFile(filepath.Join(dir, files[2+i]))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(readTable(t, data)); n != want {
			t.Errorf("%s has %d lines, want %d", files[2+i], n, want)
		}
		lines += bytes.Count(data, []byte("\n"))
	}
	if lines != 2004 {
		t.Errorf("%d lines", lines)
	}
	m = MatchCustomers(rows[:1], nil, state.Mapping{})
	names(m)
	left, err := filepath.Glob(filepath.Join(dir, "new-organizations-*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left: %q, %v", left, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Export(filepath.Join(dir, "x")); err == nil || !strings.Contains(err.Error(), "could not be exported") {
		t.Errorf("got %v", err)
	}
}

// Rewst reads what it is given, as this program reads what Rewst exports.
func TestNewOrganizationsCanBeLoaded(t *testing.T) {
	dir := t.TempDir()
	if _, err := nastyMapping().Export(dir); err != nil {
		t.Fatal(err)
	}
	list, err := state.LoadOrganizations(filepath.Join(dir, "new-organizations-1.csv"))
	if err != nil || len(list) != len(nasty) {
		t.Errorf("%d organisations, %v", len(list), err)
	}
}

// A customer has the domain people know it by in whatever is written.
func TestExportsHaveTheOwnDomain(t *testing.T) {
	r := customerRow(0, "Contoso", "contoso.onmicrosoft.com", "contoso.com")
	m := MatchCustomers([]CustomerRow{r}, nil, state.Mapping{})
	for name, data := range map[string][]byte{"table": m.Table(), "document": m.Document(), "import": m.NewOrganizations()[0]} {
		if !bytes.Contains(data, []byte("contoso.com")) || bytes.Contains(data, []byte("onmicrosoft")) {
			t.Errorf("%s:\n%s", name, data)
		}
	}
}
