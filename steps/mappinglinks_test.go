package steps

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"msbundle/state"
)

// What a table says is linked by hand; what it says nothing of, or what is so
// already, stays as it is.
func TestTakeLinks(t *testing.T) {
	rows := []CustomerRow{
		{Customer: Customer{TenantID: "a", Name: "Fabrikam"}}, {Customer: Customer{TenantID: "b", Name: "Northwind Traders"}}, {Customer: Customer{TenantID: "c", Name: "Litware"}},
	}
	m := MatchCustomers(rows, []state.Organization{{ID: "1", Name: "Fabrikam"}, {ID: "2", Name: "Northwind Traders"}, {ID: "3", Name: "Lit"}}, state.Mapping{})
	m.AcceptCertain()
	link := func(tenant, id, name string) state.CustomerLink {
		return state.CustomerLink{Tenant: tenant, Organization: state.OrganizationRef{ID: id, Name: name}, Line: 2}
	}
	got, err := m.Take([]state.CustomerLink{link("a", "1", "Fabrikam"), link("B", "", "lit"), link("b", "", "New one"), link("z", "", "Lit")})
	if diff := cmp.Diff(Taken{Linked: 1, New: []string{"New one"}, Strangers: []string{"line 2: z"}}, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if m.Rows()[0].ByHand || len(m.Rows()[0].Organizations) != 1 {
		t.Errorf("what was so already: %+v", m.Rows()[0])
	}
	var names []string
	for _, o := range m.Rows()[1].Organizations {
		names = append(names, m.Organizations()[o].Name)
	}
	if got := strings.Join(names, ","); got != "Lit,New one" || !m.Rows()[1].ByHand {
		t.Errorf("got %s", got)
	}
	if len(m.Rows()[2].Organizations) > 0 {
		t.Errorf("what the table does not name: %+v", m.Rows()[2])
	}
	if got, _ := m.Take([]state.CustomerLink{link("b", "", "Lit"), link("b", "", "New one")}); got.Linked != 0 {
		t.Errorf("the same again: %+v", got)
	}
}

// tabled is a mapping that has everything a table can say, with the list of Rewst's
// organisations it was made with.
func tabled(t *testing.T) (rows []CustomerRow, list []state.Organization, m *Mapping) {
	t.Helper()
	for i, name := range []string{
		"Certain", "Certain by hand", "Hand", "Typed", "Nobody", "None", "Bellows College", "Gone", "Several", "Shared", "Shared", "Contoso North", "Tricky", "None of its own", "Certain but taken away",
	} {
		rows = append(rows, customerRow(i, name))
	}
	before := append(organizationsOf("Old"), state.Organization{ID: "o-7", Name: "Older"})
	m = MatchCustomers(rows, before, state.Mapping{})
	m.Link(7, 0)
	list = append(organizationsOf(
		"Certain", "Certain by hand", "Alpha", "Bellows Coll.", "Contoso", "Beta", "Gamma", "Delta", "None of its own", "\u202e=egnp", "Certain but taken away"), state.Organization{ID: "o-1", Name: "=cmd|x"})
	m = MatchCustomers(rows, list, m.Kept())
	m.Accept(1)
	m.Accept(11)
	m.AcceptCertain()
	named := func(name string) int {
		n, found := m.find(state.OrganizationRef{Name: name})
		if !found {
			t.Fatalf("no %q", name)
		}
		return n
	}
	m.Link(2, named("Alpha"))
	for _, name := range []string{"Typed & new", "'tis"} {
		n, err := m.Add(state.Organization{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		m.Link(3, n)
	}
	m.Decline(5)
	m.Link(8, named("Beta"))
	m.Link(8, named("Gamma"))
	m.Link(9, named("Delta"))
	m.Link(10, named("Delta"))
	m.Link(12, named("\u202e=egnp"))
	m.Link(12, named("=cmd|x"))
	m.Decline(13)
	m.Forget(14)
	m.Link(14, named("Contoso"))
	return rows, list, m
}

// giveBack gives a mapping a table.
func giveBack(t *testing.T, m *Mapping, table []byte) Taken {
	t.Helper()
	path := filepath.Join(t.TempDir(), MappingTable)
	if err := os.WriteFile(path, table, 0o600); err != nil {
		t.Fatal(err)
	}
	links, err := state.LoadLinks(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Take(links)
	if err != nil || len(got.Strangers) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	return got
}

// An exported mapping that is given back is the same mapping: to who made it, to
// somebody who begins, and to somebody who does not even have Rewst's list.
func TestTablesComeBack(t *testing.T) {
	rows, list, m := tabled(t)
	for _, s := range []RowState{RowOpen, RowSuggested, RowLinked, RowDeclined, RowMissing, RowShared} {
		if m.Count(s) == 0 {
			t.Errorf("no row is %q", s)
		}
	}
	table, want := m.Table(), m.Kept()
	if got := giveBack(t, m, table); got.Linked+got.Unlinked+got.None+len(got.New) > 0 || cmp.Diff(want, m.Kept()) != "" {
		t.Errorf("to who made it: %+v\n%s", got, cmp.Diff(want, m.Kept()))
	}
	fresh := MatchCustomers(rows, list, state.Mapping{})
	fresh.AcceptCertain()
	giveBack(t, fresh, table)
	if diff := cmp.Diff(want, fresh.Kept()); diff != "" {
		t.Errorf("to somebody who begins (-want +got):\n%s", diff)
	}
	if !bytes.Equal(table, fresh.Table()) {
		t.Errorf("it is exported otherwise:\n%s", cmp.Diff(string(table), string(fresh.Table())))
	}
	alone := MatchCustomers(rows, nil, state.Mapping{})
	giveBack(t, alone, table)
	again := MatchCustomers(rows, list, alone.Kept())
	if diff := cmp.Diff(want, again.Kept()); diff != "" {
		t.Errorf("without the list (-want +got):\n%s", diff)
	}
	if files := alone.NewOrganizations(); len(files) != 1 || bytes.Contains(files[0], []byte("Alpha")) || !bytes.Contains(files[0], []byte("Typed & new")) {
		t.Errorf("without the list Rewst is to make:\n%s", files)
	}
}

// What somebody changes in an exported mapping is changed, and nothing else.
func TestEditedTables(t *testing.T) {
	rows, list, m := tabled(t)
	names := func(m *Mapping, row int) string {
		var out []string
		for _, n := range m.Rows()[row].Organizations {
			out = append(out, m.Organizations()[n].Name)
		}
		return strings.Join(out, ",")
	}
	lines := readTable(t, m.Table())
	var edited [][]string
	for _, cells := range lines[1:] {
		switch cells[0] {
		case "Certain", "Hand", "Certain but taken away":
			cells[3] = "" // emptied
		case "Several":
			if cells[3] == "Beta" {
				cells[3] = ""
			}
		case "Nobody":
			cells[6] = "None, by hand"
		case "None":
			cells[3] = "Brand new"
		case "None of its own":
			cells[6] = "none"
		case "Bellows College":
			cells[3] = "bellows coll."
		case "Typed":
			continue // not in the table
		case "Gone":
			cells[3] = "Something else"
		}
		edited = append(edited, cells)
	}
	got := giveBack(t, m, tableOf(lines[0], edited))
	if diff := cmp.Diff(Taken{Linked: 4, Unlinked: 2, None: 3, New: []string{"Something else", "Brand new"}}, got, cmp.Transformer("sorted", func(l []string) map[string]bool {
		set := map[string]bool{}
		for _, s := range l {
			set[s] = true
		}
		return set
	})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if said := got.Said(); said != "4 customers linked, 2 unlinked, 3 set to none" {
		t.Errorf("it says %q", said)
	}
	m.AcceptCertain()
	for row, want := range map[int]struct {
		names  string
		state  RowState
		byHand bool
	}{
		0: {"", RowDeclined, true}, 2: {"", RowOpen, true}, 3: {"Typed & new,'tis", RowLinked, true}, 4: {"", RowDeclined, true}, 5: {"Brand new", RowLinked, true},
		6: {"Bellows Coll.", RowLinked, true}, 7: {"Something else", RowLinked, true}, 8: {"Gamma", RowLinked, true}, 14: {"", RowDeclined, true}, 13: {"None of its own", RowLinked, false},
	} {
		if r := m.Rows()[row]; names(m, row) != want.names || m.State(row) != want.state || r.ByHand != want.byHand {
			t.Errorf("%s: %q, %v, by hand %t; want %+v", r.Name, names(m, row), m.State(row), r.ByHand, want)
		}
	}
	fresh := MatchCustomers(rows, list, state.Mapping{})
	if _, err := fresh.Take([]state.CustomerLink{{Tenant: rows[0].TenantID, State: "nonsense", Line: 7}}); err == nil || !strings.Contains(err.Error(), "line 7: \"nonsense\" is not a state") {
		t.Errorf("got %v", err)
	}
}

// A table that was exported before something was chosen by hand, and in which nobody
// changed a thing, takes nothing of that back.
func TestOlderTablesTakeNothingBack(t *testing.T) {
	rows := []CustomerRow{customerRow(0, "Open"), customerRow(1, "Bellows College"), customerRow(2, "Another"), customerRow(3, "To have none"), customerRow(4, "Linked"), customerRow(5, "Linked too")}
	list := organizationsOf("Alpha", "Bellows Coll.", "Beta", "Linked", "Linked too")
	m := MatchCustomers(rows, list, state.Mapping{})
	m.AcceptCertain()
	for row, want := range []RowState{RowOpen, RowSuggested, RowOpen, RowOpen, RowLinked, RowLinked} {
		if m.State(row) != want {
			t.Fatalf("%s is %v", rows[row].Name, m.State(row))
		}
	}
	table := readTable(t, m.Table())
	m.Link(0, 0)
	m.Accept(1)
	m.Decline(3)
	m.Forget(4)
	m.Link(4, 2)
	want := m.Kept()
	rest := table[1:5] // of the others it says what they are linked to
	if got := giveBack(t, m, tableOf(table[0], rest)); got.Linked+got.Unlinked+got.None > 0 || cmp.Diff(want, m.Kept()) != "" {
		t.Errorf("%+v (-want +got):\n%s", got, cmp.Diff(want, m.Kept()))
	}
	for _, cells := range table[5:] {
		cells[3] = "" // what was emptied is taken away all the same
	}
	if got := giveBack(t, m, tableOf(table[0], table[5:])); got.Unlinked > 0 || got.None != 2 || len(m.Rows()[4].Organizations)+len(m.Rows()[5].Organizations) > 0 {
		t.Errorf("emptied: %+v, %+v", got, m.Rows()[4:])
	}
}
