package steps

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/state"
)

func customerRow(n int, name string, domains ...string) CustomerRow {
	r := CustomerRow{Customer: Customer{TenantID: fmt.Sprintf("%08d-2222-4333-8444-555555555555", n), Name: name}, Domains: domains}
	if len(domains) > 0 {
		r.Domain = domains[0]
	}
	return r
}

func organizationsOf(names ...string) []state.Organization {
	var list []state.Organization
	for i, n := range names {
		list = append(list, state.Organization{Name: n, Line: i + 2})
	}
	return list
}

func matched(names, organizations []string) *Mapping {
	var rows []CustomerRow
	for i, n := range names {
		rows = append(rows, customerRow(i, n))
	}
	return MatchCustomers(rows, organizationsOf(organizations...), state.Mapping{})
}

// guessOf is what a row is suggested: the organisation, with ! when that is certain.
func guessOf(m *Mapping, row int) string {
	s := m.Rows()[row].Suggested
	if s == nil {
		return ""
	}
	name := m.Organizations()[s.Organization].Name
	if s.Certain {
		name += "!"
	}
	return name
}

// What may be preselected by names, and what must not.
func TestNamesThatMatch(t *testing.T) {
	for _, c := range []struct {
		customers, organizations, want string // separated by semicolons
	}{
		{"Contoso Ltd.", "CONTOSO LIMITED", "CONTOSO LIMITED!"},
		{"Contoso", "Contoso GmbH & Co. KG", "Contoso GmbH & Co. KG!"},
		{"Contoso S. à r. l.", "contoso", "contoso!"},
		{"Contoso Sp. z o.o.", "Contoso", "Contoso!"},
		{"A. Datum Corporation", "Adatum Corp", "Adatum Corp!"},
		{"Trey Research and Mfg", "Trey Research & Manufacturing", "Trey Research & Manufacturing!"},
		{"Traders, Northwind", "Northwind Traders Inc", "Northwind Traders Inc!"},
		{"North Wind Traders", "Northwind Traders", "Northwind Traders!"},
		{"Margies Travel", "Margie’s Travel", "Margie’s Travel!"},
		{"Möbel Südwind", "Moebel Suedwind", "Moebel Suedwind!"},
		{"Café Élan", "CAFE ELAN", "CAFE ELAN!"},
		{"Fabrikam Denatl", "Fabrikam Dental", "Fabrikam Dental!"},
		{"The Phone Company", "Phone Co", "Phone Co!"},
		{"東京商事株式会社", "東京商事株式会社", "東京商事株式会社!"},

		{"Contoso South", "Contoso North", ""},
		{"Contoso North; Contoso South", "Contoso North", "Contoso North!;"},
		{"Fabrikam 2", "Fabrikam 1", ""},
		{"Fabrikam Two", "Fabrikam 02", "Fabrikam 02!"},
		{"Fabrikam B", "Fabrikam A", ""},
		{"Contoso UK", "Contoso USA", ""},
		{"Contoso Seattle", "Contoso Portland", "Contoso Portland?"},
		{"Contoso Seattle", "Contoso", "Contoso?"},
		{"Contoso GmbH", "Contoso Ltd", "Contoso Ltd"},
		{"Bauer Legal", "Baur Legal", "Baur Legal?"},
		{"Dallas Dental", "Dalles Dental", "Dalles Dental"},
		{"Contoso Ltd; Contoso Inc", "Contoso", "Contoso;Contoso"},
		{"Contoso", "Contoso Ltd; Contoso Inc", "Contoso Ltd?"},
		{"Contoso; Contoso Ltd", "Contoso Ltd", "?;Contoso Ltd!"},
		{"Contoso; Contoso", "Contoso", "Contoso;Contoso"},
		{"Walsham Legal; Walsham Dental", "Walsam Legal; Walsam Farms", "Walsam Legal;?"}, // both are words
		{"Litware", "Contoso", ""},
		{"", "Contoso", ""},
		{"!!!", "Contoso", ""},
	} {
		t.Run(c.customers+" and "+c.organizations, func(t *testing.T) {
			m := matched(strings.Split(c.customers, "; "), strings.Split(c.organizations, "; "))
			for i, want := range strings.Split(c.want, ";") {
				got := guessOf(m, i)
				if strings.HasSuffix(want, "?") { // whether it is suggested is not the point
					if strings.HasSuffix(got, "!") {
						t.Errorf("row %d: %q is preselected", i, got)
					}
				} else if got != want {
					t.Errorf("row %d: got %q want %q", i, got, want)
				}
			}
		})
	}
}

// Ids come before domains and those before names; what Rewst has under another
// tenant is nobody else's.
func TestWhatMatchesFirst(t *testing.T) {
	rows := []CustomerRow{
		customerRow(0, "Contoso", "contoso.com"),
		customerRow(1, "Fabrikam", "fabrikam.onmicrosoft.com", "fabrikam.com", "fabrikam.de"),
		customerRow(2, "Northwind Traders", "gmail.com"),
		customerRow(3, "Litware", "litware.com"),
		customerRow(4, "Proseware", "proseware.com", "wingtip.com"),
		customerRow(5, "Tailspin Toys", "tailspin.com"),
		customerRow(6, "Lucerne"),
		customerRow(7, "", "nameless.com"),
		customerRow(8, "Coho 2", "coho.com"),
	}
	list := []state.Organization{
		{Name: "One", TenantID: rows[0].TenantID},
		{Name: "Two", TenantID: strings.ToUpper(rows[0].TenantID)},
		{Name: "FBK", Domain: "www.fabrikam.de"},
		{Name: "Contoso", Domain: "contoso.com"},
		{Name: "Somebody", Domain: "gmail.com"},
		{Name: "Litware", TenantID: "99999999-2222-4333-8444-555555555555"},
		{Name: "Proseware 1", Domain: "proseware.com"},
		{Name: "Proseware 2", Domain: "wingtip.com"},
		{Name: "Adventure Works", Domain: "tailspin.com"},
		{Name: "Tailspin Toys"},
		{Name: "Lucerne"},
		{Name: "Nod", Domain: "nameless.com"},
		{Name: "Coho 1", Domain: "coho.com"},
	}
	m := MatchCustomers(rows, list, state.Mapping{})
	want := []string{"One!", "FBK!", "", "", "Proseware 1", "Adventure Works", "Lucerne!", "Nod!", "Coho 1"}
	for i, w := range want {
		if got := guessOf(m, i); got != w {
			t.Errorf("%s: got %q want %q (%+v)", rows[i].Name, got, w, m.Rows()[i].Suggested)
		}
	}
	s := m.Rows()[0].Suggested
	if diff := cmp.Diff(&Suggestion{Organization: 0, Also: []int{1}, Confidence: 1, Reason: "same tenant id", Certain: true}, s); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, words := range map[int]string{1: "same domain fabrikam.de", 4: "which 2 organisations have", 5: "but Tailspin Toys has the name", 6: "same name"} {
		if got := m.Rows()[i].Suggested.Reason; !strings.Contains(got, words) {
			t.Errorf("%s: got %q, want %q", rows[i].Name, got, words)
		}
	}
	if n := m.AcceptCertain(); n != 4 || m.Count(RowLinked) != 4 || len(m.Rows()[0].Organizations) != 2 || m.Rows()[0].ByHand {
		t.Errorf("%d were accepted, %d are linked", n, m.Count(RowLinked))
	}
}

// Two customers on one organisation is an error on both rows; one customer on
// several is none.
func TestSharedOrganizations(t *testing.T) {
	m := matched([]string{"Contoso", "Fabrikam", "Litware"}, []string{"One", "Two"})
	states := func() (out []RowState) {
		for i := range m.Rows() {
			out = append(out, m.State(i))
		}
		return out
	}
	check := func(want ...RowState) {
		t.Helper()
		if diff := cmp.Diff(want, states()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	m.Link(0, 0)
	m.Link(0, 1)
	m.Link(0, 1)
	check(RowLinked, RowOpen, RowOpen)
	m.Link(1, 1)
	check(RowShared, RowShared, RowOpen)
	for row, other := range map[int]string{0: "Fabrikam", 1: "Contoso"} {
		if got := m.Errors(row); len(got) != 1 || !strings.Contains(got[0], "Two is linked to "+other+" too") {
			t.Errorf("row %d: %q", row, got)
		}
	}
	m.Link(2, 1)
	check(RowShared, RowShared, RowShared)
	if got := m.Errors(2); len(got) != 1 || !strings.Contains(got[0], "Contoso and 1 more too") {
		t.Errorf("got %q", got)
	}
	m.Unlink(0, 1)
	check(RowLinked, RowShared, RowShared)
	m.Unlink(2, 1) // which leaves the other; nobody said that it is to have none
	check(RowLinked, RowLinked, RowOpen)
	m.Unlink(2, 1)
	m.Decline(2)
	m.Decline(1)
	check(RowLinked, RowDeclined, RowDeclined)
	m.Forget(0)
	check(RowOpen, RowDeclined, RowDeclined)
	if m.Count(RowOpen) != 1 || m.Count(RowDeclined) != 2 || m.Count(RowShared) != 0 || len(m.Errors(0)) != 0 {
		t.Error("what was counted is not what stands there")
	}
}

// What somebody else has is not suggested, and is again when it is free.
func TestSuggestionsOfTakenOrganizations(t *testing.T) {
	m := matched([]string{"Contoso", "Fabrikam"}, []string{"Contoso", "Litware"})
	m.Link(1, 0)
	if m.State(0) != RowOpen || m.Rows()[0].Suggested != nil || m.Accept(0) || m.AcceptCertain() != 0 {
		t.Errorf("Contoso is Fabrikam's by hand; got %v", m.State(0))
	}
	m.Unlink(1, 0)
	if m.State(0) != RowCertain || !m.Accept(0) || !m.Rows()[0].ByHand || m.State(0) != RowLinked || m.Accept(0) {
		t.Errorf("got %v", m.State(0))
	}
	m.Unlink(0, 0)
	if m.State(0) != RowDeclined || m.AcceptCertain() != 0 || m.Accept(0) {
		t.Errorf("what a person took away stays away; got %v", m.State(0))
	}
	m.Forget(0)
	if m.State(0) != RowCertain {
		t.Errorf("got %v", m.State(0))
	}
}

// Choices come through another list, another order and a customer that is not there
// for a while; an organisation that went is said.
func TestKeptChoices(t *testing.T) {
	rows := []CustomerRow{customerRow(0, "Contoso"), customerRow(1, "Fabrikam"), customerRow(2, "Litware"), customerRow(3, "Proseware"), customerRow(4, "Tailspin")}
	list := []state.Organization{{ID: "a", Name: "Alpha"}, {ID: "b", Name: "Beta"}, {Name: "Gamma"}, {Name: "Tailspin"}}
	m := MatchCustomers(rows, list, state.Mapping{})
	m.Link(0, 0)
	m.Link(1, 1)
	m.Link(2, 2)
	typed, err := m.Add(state.Organization{Name: " Delta ", Domain: "delta.com"})
	if err != nil {
		t.Fatal(err)
	}
	m.Link(2, typed)
	m.Decline(3)
	m.AcceptCertain()
	kept := m.Kept()

	again := MatchCustomers(rows[:3], []state.Organization{{Name: "gamma"}, {ID: "b", Name: "Beta, renamed"}}, kept)
	names := func(m *Mapping, row int) (out []string) {
		for _, n := range m.Rows()[row].Organizations {
			out = append(out, m.Organizations()[n].Name)
		}
		return out
	}
	for row, want := range [][]string{{"Alpha"}, {"Beta, renamed"}, {"gamma", "Delta"}} {
		if diff := cmp.Diff(want, names(again, row)); diff != "" || !again.Rows()[row].ByHand {
			t.Errorf("row %d (-want +got):\n%s", row, diff)
		}
	}
	if again.State(0) != RowMissing || len(again.Errors(0)) != 1 || !strings.Contains(again.Errors(0)[0], "Alpha is not among") {
		t.Errorf("got %v %q", again.State(0), again.Errors(0))
	}
	if n, err := again.Add(state.Organization{Name: "alpha"}); err != nil || again.State(0) != RowLinked || again.Missing(n) {
		t.Errorf("typing it again makes it known: %v, %v", again.State(0), err)
	}
	if diff := cmp.Diff(kept.Links[strings.ToLower(rows[4].TenantID)], again.Kept().Links[strings.ToLower(rows[4].TenantID)]); diff != "" {
		t.Errorf("who is not there (-want +got):\n%s", diff)
	}
	back := MatchCustomers(rows, list, again.Kept())
	if back.State(3) != RowDeclined || back.State(4) != RowLinked || back.Rows()[4].ByHand || back.State(0) != RowLinked {
		t.Errorf("got %v, %v and %v", back.State(3), back.State(4), back.State(0))
	}
	if diff := cmp.Diff(kept.Typed, m.Kept().Typed); diff != "" || len(kept.Typed) != 1 || kept.Typed[0].Domain != "delta.com" {
		t.Errorf("typed: %v", kept.Typed)
	}
}

// One with another id is another organisation, whatever its name.
func TestKeptChoicesGoByID(t *testing.T) {
	kept := state.Mapping{Links: map[string]state.Link{
		customerRow(0, "").TenantID: {Organizations: []state.OrganizationRef{{ID: "a", Name: "Alpha"}}, ByHand: true},
	}}
	m := MatchCustomers([]CustomerRow{customerRow(0, "Contoso")}, []state.Organization{{ID: "z", Name: "Alpha"}}, kept)
	if m.State(0) != RowMissing {
		t.Errorf("got %v", m.State(0))
	}
	if m = MatchCustomers([]CustomerRow{customerRow(0, "Contoso")}, []state.Organization{{Name: "Alpha"}}, kept); m.State(0) != RowLinked {
		t.Errorf("a list without ids: got %v", m.State(0))
	}
}

func TestAddOrganizations(t *testing.T) {
	m := matched([]string{"Contoso"}, []string{"Alpha"})
	for _, bad := range []string{"", "  ", "a\x1bb", strings.Repeat("x", 256), "a\xff"} {
		if _, err := m.Add(state.Organization{Name: bad}); err == nil {
			t.Errorf("%q was added", bad)
		}
	}
	if n, err := m.Add(state.Organization{Name: "ALPHA"}); n != 0 || err != nil || len(m.Organizations()) != 1 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestFilterMapping(t *testing.T) {
	rows := []CustomerRow{customerRow(0, "Müller Dental", "mueller.example.com"), customerRow(1, "Contoso North"), customerRow(2, "Contoso South")}
	m := MatchCustomers(rows, organizationsOf("Éclair", "Contoso South"), state.Mapping{})
	m.Link(1, 0)
	m.SetShield(2, Shield{Shade: Green})
	for _, c := range []struct {
		f    MappingFilter
		want []int
	}{
		{MappingFilter{}, []int{0, 1, 2}},
		{MappingFilter{Text: "MULLER example"}, []int{0}},
		{MappingFilter{Text: "contoso"}, []int{1, 2}},
		{MappingFilter{Text: "south contoso"}, []int{2}},
		{MappingFilter{Text: "eclair contoso"}, []int{1}},
		{MappingFilter{Text: "00000002-2222"}, []int{2}},
		{MappingFilter{States: []RowState{RowOpen, RowCertain}}, []int{0, 2}},
		{MappingFilter{Shades: []Shade{Green}}, []int{2}},
		{MappingFilter{Text: "contoso", Shades: []Shade{Unseen}, States: []RowState{RowLinked}}, []int{1}},
		{MappingFilter{Text: "nobody"}, nil},
	} {
		if diff := cmp.Diff(c.want, m.Filter(nil, c.f)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.f, diff)
		}
	}
	if m.Find(strings.ToUpper(rows[2].TenantID)) != 2 || m.Find("nobody") != -1 {
		t.Error("a customer is found by its tenant")
	}
}

// Whatever is done in whatever order, states, counts and errors are what a mapping
// made anew of the same choices has.
func TestMappingStaysConsistent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := makePairs(3, 30)
	p.organizations = p.organizations[:12] // few, so that they are shared
	m := MatchCustomers(p.rows, p.organizations, state.Mapping{})
	for step := range 3000 {
		row, n := r.IntN(len(p.rows)), r.IntN(len(p.organizations))
		switch r.IntN(6) {
		case 0, 1, 2:
			m.Link(row, n)
		case 3:
			m.Unlink(row, n)
		case 4:
			m.Accept(row)
		case 5:
			if r.IntN(2) == 0 {
				m.Forget(row)
			} else {
				m.Decline(row)
			}
		}
		if step%10 > 0 {
			continue
		}
		again := MatchCustomers(p.rows, p.organizations, m.Kept())
		for i := range p.rows {
			a, b := m.State(i), again.State(i)
			if open := func(s RowState) bool { return s <= RowCertain }; a != b && !(open(a) && open(b)) {
				t.Fatalf("step %d, row %d: %v, made anew %v", step, i, a, b)
			}
			if (len(m.Errors(i)) > 0) != (a == RowShared) {
				t.Fatalf("step %d, row %d: %v with errors %q", step, i, a, m.Errors(i))
			}
		}
		for s := range rowStateCount {
			n := 0
			for i := range p.rows {
				if m.State(i) == s {
					n++
				}
			}
			if n != m.Count(s) {
				t.Fatalf("step %d: %d rows are %v, counted %d", step, n, s, m.Count(s))
			}
		}
	}
}

// many are customers and organisations in large numbers; likeNames makes all of one
// name and a number.
func many(n int, likeNames bool) ([]CustomerRow, []state.Organization) {
	if !likeNames {
		p := makePairs(9, n)
		return p.rows[:n], p.organizations
	}
	var rows []CustomerRow
	var list []state.Organization
	for i := range n {
		rows = append(rows, customerRow(i, fmt.Sprintf("Contoso Customer %05d Ltd", i)))
		list = append(list, state.Organization{Name: fmt.Sprintf("Contoso Customer %05d", n-i), Line: i + 2})
	}
	return rows, list
}

// Ten thousand against ten thousand does not mean comparing all with all. The bound
// is generous: it is for a machine that does other things too.
func TestManyCustomersAreMatchedFast(t *testing.T) {
	rows, list := many(10_000, true)
	start := time.Now()
	m := MatchCustomers(rows, list, state.Mapping{})
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %v", took)
	}
	if m.Count(RowCertain) != 9_999 {
		t.Errorf("%d of 10,000 are certain", m.Count(RowCertain))
	}
}

func BenchmarkMatchCustomers(b *testing.B) {
	for _, n := range []int{500, 10_000} {
		for _, like := range []bool{false, true} {
			rows, list := many(n, like)
			b.Run(fmt.Sprintf("%d/alike=%v", n, like), func(b *testing.B) {
				for b.Loop() {
					MatchCustomers(rows, list, state.Mapping{})
				}
			})
		}
	}
}

// One change to a row, as a key press makes it.
func BenchmarkMappingEdit(b *testing.B) {
	rows, list := many(10_000, false)
	m := MatchCustomers(rows, list, state.Mapping{})
	i := 0
	for b.Loop() {
		row := i % len(rows)
		m.Link(row, i%7)
		m.Unlink(row, i%7)
		m.Forget(row)
		m.Accept(row)
		m.Errors(row)
		m.Forget(row)
		i++
	}
}

// The same where every other row is on the one organisation.
func BenchmarkMappingEditShared(b *testing.B) {
	rows, list := many(10_000, false)
	m := MatchCustomers(rows, list, state.Mapping{})
	for row := range rows {
		m.Link(row, 0)
	}
	i := 0
	for b.Loop() {
		m.Unlink(i%len(rows), 0)
		m.Link(i%len(rows), 0)
		m.Errors(i % len(rows))
		i++
	}
}

func BenchmarkMappingFilter(b *testing.B) {
	rows, list := many(10_000, false)
	m := MatchCustomers(rows, list, state.Mapping{})
	m.AcceptCertain()
	var out []int
	for _, f := range []MappingFilter{{Text: "dental"}, {Text: "zzzz nobody"}, {Text: "o e a"}, {Text: "den", States: []RowState{RowLinked}}} {
		b.Run(strings.ReplaceAll(f.Text, " ", "_"), func(b *testing.B) {
			for b.Loop() {
				out = m.Filter(out[:0], f)
			}
		})
	}
}
