package ui

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"msbundle/steps"
)

// A mapping that was exported can be given where the list is.
func TestCustomersGivenBack(t *testing.T) {
	path, back := organizationsFile(t), filepath.Join(t.TempDir(), steps.MappingTable)
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed(path)
		s.keys("home", "u", "home", "down", "down", "m")
		s.types("Somewhere new")
		s.keys("enter")
		if err := os.WriteFile(back, s.app.w.clients.mapping.Table(), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed(path)
		if got := s.mapped(0); !slices.Equal(got, []string{"Adatum"}) {
			t.Errorf("linked %q", got)
		}
		s.keys("o", "ctrl+u") // the list was given last
		s.types(back)
		s.keys("enter")
		s.sees("1 customer linked, 1 set to none as the file says", "z takes the file back")
		m := s.app.w.clients.mapping
		if got := s.mapped(2); m.State(0) != steps.RowDeclined || !slices.Equal(got, []string{"Somewhere new"}) || !m.Rows()[2].ByHand {
			t.Errorf("%v, %q", m.State(0), got)
		}
		s.pass(time.Second)
		if kept := s.f.clients.kept; len(kept) == 0 || !kept[len(kept)-1].Links[customerID(0)].ByHand {
			t.Errorf("kept: %+v", kept)
		}
		if file := s.app.w.answers.Customers.Mapping; file != path {
			t.Errorf("the list is %s", file)
		}
		s.keys("z")
		s.sees("The links are as they were before the file: 3 of 6")
		if got := s.mapped(0); !slices.Equal(got, []string{"Adatum"}) || len(s.mapped(2)) > 0 {
			t.Errorf("linked %q and %q", got, s.mapped(2))
		}
		s.keys("z") // and before that the links that were made by themselves
		s.sees("3 links were taken back")
	})
}
