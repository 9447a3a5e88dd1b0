package ui

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/steps"
)

// fileOf writes a file of these lines.
func fileOf(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "some.csv")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A table of tenants and organisations is a mapping where the list is asked for, as
// it is for the command: wrong ids are told, and change nothing.
func TestCustomersMappingOfTwoColumns(t *testing.T) {
	path := organizationsFile(t)
	const head = "tenantId,organizationName"
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed(path)
		before := s.app.w.clients.mapping
		unchanged := func() {
			t.Helper()
			if c := s.app.w.clients; c.mapping != before || c.list == nil || s.app.w.answers.Customers.Mapping != path {
				t.Error("something is changed")
			}
		}
		s.keys("o", "ctrl+u")
		s.types(fileOf(t, head, customerID(5)+",Bellows", "11111111-2222-4333-8444-555555555555,Adatum"))
		s.keys("enter")
		s.sees("✗ The mapping cannot be taken: ", "not among the customers: line 3: 11111111-2222-4333-8444-555555555555")
		unchanged()
		s.keys("o", "ctrl+u")
		s.types(fileOf(t, head, customerID(5)+",Bellows", "nonsense,Adatum"))
		s.keys("enter")
		s.sees("✗ The mapping cannot be taken: ", "line 3: \"nonsense\" is not a tenant id")
		unchanged()
		s.keys("o", "ctrl+u")
		s.types(fileOf(t, head, customerID(5)+",Bellows"))
		s.keys("enter")
		s.sees("✓ 1 customer linked as the file says")
		if got := s.mapped(5); !slices.Equal(got, []string{"Bellows"}) || s.app.w.clients.mapping.Count(steps.RowMissing) > 0 {
			t.Errorf("linked %q", got)
		}
		if c := s.app.w.clients; len(c.list) != 5 || s.app.w.answers.Customers.Mapping != path {
			t.Error("the list is another one")
		}
	})
}

// A list that lacks organisations customers have is told apart from a good one, keeps
// the links, and can be taken back.
func TestCustomersListThatLacks(t *testing.T) {
	path, other := organizationsFile(t), fileOf(t, "organizationName,domain", "Bellows,", "Tailspin Toys,")
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed(path)
		s.keys("home", "down", "down", "m")
		s.types("Somewhere new")
		s.keys("enter")
		s.pass(time.Second)
		before := s.app.w.clients.mapping.Kept()
		s.keys("o", "ctrl+u")
		s.types(other)
		s.keys("enter")
		m := s.app.w.clients.mapping
		s.sees("! 2 organisations read, and what 3 customers are linked to is not among them", "z takes the list back")
		if m.Count(steps.RowMissing) != 3 || !slices.Equal(s.mapped(0), []string{"Adatum"}) {
			t.Errorf("%d missing, linked %q", m.Count(steps.RowMissing), s.mapped(0))
		}
		if got := s.mapped(4); !slices.Equal(got, []string{"Tailspin Toys"}) {
			t.Errorf("linked %q", got)
		}
		s.keys("z")
		s.sees("as before", "4 of 6 have an organisation")
		m = s.app.w.clients.mapping
		if m.Count(steps.RowMissing) > 0 || len(s.mapped(4)) > 0 || s.app.w.answers.Customers.Mapping != path || len(m.Kept().Links) != len(before.Links) {
			t.Errorf("%d missing, %q, %s", m.Count(steps.RowMissing), s.mapped(4), s.app.w.answers.Customers.Mapping)
		}
		s.pass(time.Second)
		if kept := s.f.clients.kept; len(kept[len(kept)-1].Links) != 4 {
			t.Errorf("kept %+v", kept[len(kept)-1])
		}
		s.keys("o") // the file is the one before
		s.sees(filepath.Base(path))
	})
}

// What was unlinked by hand is not linked again by the same file.
func TestCustomersUnlinkedStaysSo(t *testing.T) {
	path := organizationsFile(t)
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed(path)
		s.keys("home", "u", "down", "m")
		s.types("bellows")
		s.keys("enter")
		s.keys("home", "down", "u")
		s.keys("o", "enter")
		s.sees("5 organisations read.")
		if len(s.mapped(0))+len(s.mapped(1)) > 0 {
			t.Errorf("linked %q and %q", s.mapped(0), s.mapped(1))
		}
		s.sees("? Fabrikam Inc")
	})
}

// The pane says who has what would fit, and no name twice.
func TestCustomersPaneSaysWhoHasIt(t *testing.T) {
	path := organizationsFile(t)
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed(path)
		s.keys("home", "u", "down", "m")
		s.types("adatum")
		s.keys("enter", "home")
		s.keys("m") // it is to have one after all
		s.types("bellows")
		s.keys("enter", "home", "u")
		s.sees("Adatum is like it, but Fabrikam has that one")
		s.keys("o", "ctrl+u")
		s.types(fileOf(t, "organizationName,domain", "Else,"))
		s.keys("enter", "home", "down")
		if n := strings.Count(s.text(), "Adatum is not among Rewst's"); n != 1 || strings.Contains(s.text(), "Adatum. Adatum") {
			t.Errorf("told %d times:\n%s", n, s.text())
		}
	})
}

// The same in lines.
func TestLinesListThatLacks(t *testing.T) {
	path, other := organizationsFile(t), fileOf(t, "organizationName", "Bellows")
	talking(t, nil, func(x *talk) {
		x.toCustomers()
		x.types("file " + path)
		x.hears("5 organisations read")
		x.types("earlier file")
		x.hears("not understood")
		x.types("file " + fileOf(t, "tenantId,organizationName", "nonsense,Bellows"))
		x.hears("The mapping cannot be taken", "line 2: \"nonsense\" is not a tenant id")
		x.types("file " + other)
		x.hears("what 3 customers are linked to is not among them", "Type earlier file to take the list back.")
		x.types("earlier file")
		x.hears("the links are as before: 3 of 6 have an organisation")
	})
}
