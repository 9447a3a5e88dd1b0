package steps

import (
	"strings"
	"testing"

	"msbundle/state"
)

// Who is taken off an organisation stands as before: with its suggestion, also when
// the link is one of an earlier run. Only what it would get again at once stays away.
func TestUnlinkBringsSuggestionsBack(t *testing.T) {
	rows := []CustomerRow{customerRow(0, "Contoso"), customerRow(1, "Fabrikam"), customerRow(2, "Litware"), customerRow(3, "Tailspin Toys"), customerRow(4, "Tailspin Toys")}
	list := organizationsOf("Contoso", "Fabrikam", "Lit", "Tailspin Toys")
	first := MatchCustomers(rows, list, state.Mapping{})
	first.AcceptCertain()
	first.Forget(1)
	first.Link(1, 0) // Contoso's
	first.Link(2, 2)
	first.Link(3, 3)
	first.Link(4, 3)
	for name, m := range map[string]*Mapping{"at once": first, "in the next run": MatchCustomers(rows, list, first.Kept())} {
		t.Run(name, func(t *testing.T) {
			state := func(row int, want RowState, guess string) {
				t.Helper()
				if got := m.State(row); got != want || guessOf(m, row) != guess {
					t.Errorf("%s: %v, suggested %q; want %v, %q", rows[row].Name, got, guessOf(m, row), want, guess)
				}
			}
			state(1, RowShared, "Fabrikam!")
			m.Unlink(1, 0)
			state(1, RowSuggested, "Fabrikam!") // for a person to decide on
			state(0, RowLinked, "Contoso!")
			m.Link(1, 0)
			m.Unlink(0, 0) // the wrong one of the two
			state(0, RowOpen, "")
			m.Unlink(1, 0)
			state(0, RowSuggested, "Contoso!")
			m.Accept(0)
			m.Unlink(0, 0)
			state(0, RowDeclined, "")
			m.Unlink(2, 2)
			state(2, RowSuggested, "Lit")
			m.Unlink(4, 3)
			state(4, RowOpen, "")
			state(3, RowLinked, "Tailspin Toys")
			m.Unlink(3, 3)
			state(4, RowSuggested, "Tailspin Toys")
		})
	}
}

// What was linked because it was certain, and is taken away, does not come back by
// another way.
func TestUnlinkedIsNotLinkedAgain(t *testing.T) {
	rows := []CustomerRow{customerRow(0, "Contoso", "contoso.com")}
	m := MatchCustomers(rows, []state.Organization{{Name: "Contoso"}}, state.Mapping{})
	m.AcceptCertain()
	list := []state.Organization{{Name: "Contoso"}, {Name: "Something else", Domain: "contoso.com"}}
	m = MatchCustomers(rows, list, m.Kept())
	m.Unlink(0, 0)
	if m = MatchCustomers(rows, list[:1], m.Kept()); m.State(0) != RowDeclined || !m.Rows()[0].ByHand || m.AcceptCertain() != 0 {
		t.Errorf("got %v", m.State(0))
	}
}

// What is certain is linked at once; looking again makes nothing more certain, though
// those that are linked are in nobody's way any more.
func TestLookingAgainLinksNoMore(t *testing.T) {
	for seed := range uint64(5) {
		p := makePairs(seed, 300)
		m := MatchCustomers(p.rows, p.organizations, state.Mapping{})
		m.AcceptCertain()
		if m = MatchCustomers(p.rows, p.organizations, m.Kept()); m.Count(RowCertain) > 0 {
			row := m.Filter(nil, MappingFilter{States: []RowState{RowCertain}})[0]
			t.Errorf("seed %d: %d more, %s is %+v", seed, m.Count(RowCertain), p.rows[row].Name, m.Rows()[row].Suggested)
		}
	}
}

// Without a list nobody knows whether an organisation is still there.
func TestNothingIsMissingWithoutAList(t *testing.T) {
	rows := []CustomerRow{customerRow(0, "Contoso")}
	m := MatchCustomers(rows, organizationsOf("Alpha"), state.Mapping{})
	m.Link(0, 0)
	if m = MatchCustomers(rows, nil, m.Kept()); m.State(0) != RowLinked || m.Missing(0) || len(m.Errors(0)) > 0 {
		t.Errorf("got %v, %q", m.State(0), m.Errors(0))
	}
}

// Two customers of one name are told apart.
func TestErrorsNameCustomersApart(t *testing.T) {
	rows := []CustomerRow{customerRow(0, "Tailspin Toys", "tailspin.com"), customerRow(1, "TAILSPIN toys"), customerRow(2, "Wingtip", "wingtip.com"), customerRow(3, "", "nameless.com")}
	m := MatchCustomers(rows, organizationsOf("Tailspin Toys", "Wing", "None"), state.Mapping{})
	for row, n := range []int{0, 0, 1, 1} {
		m.Link(row, n)
	}
	for row, words := range []string{
		"Tailspin Toys is linked to TAILSPIN toys (" + rows[1].TenantID + ") too;", "Tailspin Toys is linked to Tailspin Toys (tailspin.com) too;",
		"Wing is linked to nameless.com too;", "Wing is linked to Wingtip too;",
	} {
		if got := m.Errors(row); len(got) != 1 || !strings.HasPrefix(got[0], words) {
			t.Errorf("row %d: got %q, want %q", row, got, words)
		}
	}
	m = matched([]string{"Contoso", "Contoso"}, []string{"Contoso"})
	if s := m.Rows()[0].Suggested; s == nil || !strings.Contains(s.Reason, "as the customer Contoso ("+m.Rows()[1].TenantID+") has") {
		t.Errorf("suggested %+v", s)
	}
}

// Nobody whom a person took off an organisation is linked by itself, however that came
// about: at once, in the next run, or by another list.
func TestUnlinkedByHandStaysSo(t *testing.T) {
	rows := []CustomerRow{customerRow(0, "Contoso"), customerRow(1, "Fabrikam"), customerRow(2, "Litware"), customerRow(3, "Wingtip")}
	list := organizationsOf("Contoso", "Fabrikam", "Litware", "Something else")
	m := MatchCustomers(rows, list, state.Mapping{})
	m.AcceptCertain()
	m.Link(1, 0)
	m.Unlink(0, 0) // both had it, and it was the wrong one
	m.Unlink(1, 0)
	m.Unlink(1, 1)
	m.Forget(2)
	m.Link(2, 3)
	m.Unlink(2, 3) // chosen by hand
	for _, again := range []*Mapping{m, MatchCustomers(rows, list, m.Kept()), MatchCustomers(rows, list, MatchCustomers(rows, organizationsOf("Other"), m.Kept()).Kept())} {
		if n := again.AcceptCertain(); n > 0 || again.Count(RowLinked) > 0 {
			t.Errorf("%d linked", n)
		}
		if again.State(0) != RowSuggested || again.State(2) != RowSuggested || !again.Accept(0) {
			t.Errorf("%v and %v, though there is a suggestion", again.State(0), again.State(2))
		}
		again.Unlink(0, 0)
		again.Forget(2)
		if again.State(2) != RowCertain {
			t.Errorf("forgotten: %v", again.State(2))
		}
	}
}

// A customer whose organisation another one has is told who.
func TestTakenBy(t *testing.T) {
	rows := []CustomerRow{customerRow(0, "Bellows College", "bellows.edu"), customerRow(1, "Fabrikam"), customerRow(2, "FABRIKAM"), customerRow(3, "Nobody")}
	list := organizationsOf("Bellows College", "Fabrikam Ltd", "Else")
	m := MatchCustomers(rows, list, state.Mapping{})
	for row := range rows {
		if m.TakenBy(row) != "" {
			t.Errorf("%s: %q", rows[row].Name, m.TakenBy(row))
		}
	}
	m.Link(3, 0)
	m.Link(1, 1)
	want := []string{"Bellows College is like it, but Nobody has that one", "", "Fabrikam Ltd is like it, but Fabrikam (" + rows[1].TenantID + ") has that one", ""}
	for _, m := range []*Mapping{m, MatchCustomers(rows, list, m.Kept())} {
		for row := range rows {
			if got := m.TakenBy(row); got != want[row] {
				t.Errorf("%s: %q", rows[row].Name, got)
			}
		}
	}
	// Also where nobody chose anything: by its domain it is certainly another one's.
	m = MatchCustomers([]CustomerRow{customerRow(0, "Bellows College"), customerRow(1, "Bellows College", "bellows.edu")}, []state.Organization{{Name: "Bellows College", Domain: "bellows.edu"}}, state.Mapping{})
	m.AcceptCertain()
	if got := m.TakenBy(0); got != "Bellows College is like it, but Bellows College (bellows.edu) has that one" {
		t.Errorf("got %q", got)
	}
}
