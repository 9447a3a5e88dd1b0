package ui

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/state"
	"msbundle/steps"
)

// What is certain is linked as soon as the list is there, kept, and can be taken
// back.
func TestCustomersCertain(t *testing.T) {
	path := organizationsFile(t)
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.sees("there is no list of organisations")
		s.listed(path)
		s.sees("5 organisations read. 3 customers were linked", "z takes that back")
		if got := s.mapped(0); !slices.Equal(got, []string{"Adatum"}) {
			t.Errorf("linked %q", got)
		}
		s.pass(time.Second)
		if kept := s.f.clients.kept; len(kept) != 1 || len(kept[0].Links) != 3 || kept[0].Links[customerID(0)].ByHand {
			t.Fatalf("kept: %+v", kept)
		}
		s.keys("z")
		m := s.app.w.clients.mapping
		if m.Count(steps.RowLinked) != 0 || m.Count(steps.RowCertain) != 3 {
			t.Errorf("%d linked, %d certain", m.Count(steps.RowLinked), m.Count(steps.RowCertain))
		}
		s.sees("≈ Adatum", "≈ suggested, certain")
		s.keys("R") // shows no reason to link them again
		if m := s.app.w.clients.mapping; m.Count(steps.RowLinked) != 0 {
			t.Error("linked again")
		}
		s.keys("A", "home", "n")
		s.keys("home", "m") // another one than the certain one takes its place
		s.types("bellows")
		s.keys("enter")
		if got := s.mapped(0); !slices.Equal(got, []string{"Bellows"}) {
			t.Errorf("linked %q", got)
		}
		s.keys("home", "down", "m")
		s.types("northwind")
		s.keys("enter")
		if got := s.mapped(1); !slices.Equal(got, []string{"Northwind"}) {
			t.Errorf("linked %q", got)
		}
	})
	// The list of the answers as well.
	tell(t, func(f *fake, c *Config) {
		customers := state.DefaultCustomers()
		customers.Mapping = path
		c.Answers.Customers = &customers
	}, func(s *story) {
		s.toCustomers()
		s.sees("3 customers were linked", "3 of 6 have an organisation")
		s.pass(time.Second)
		if kept := s.f.clients.kept; len(kept) != 1 {
			t.Errorf("kept %d times", len(kept))
		}
	})
}

// What unlinking takes from a customer with a mistake is the mistake.
func TestCustomersUnlinkTheShared(t *testing.T) {
	path := organizationsFile(t)
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed(path)
		s.keys("home", "down", "m")
		s.types("adatum")
		s.keys("tab", "esc", "esc")
		m := s.app.w.clients.mapping
		if m.Count(steps.RowShared) != 2 {
			t.Fatalf("%d shared", m.Count(steps.RowShared))
		}
		s.keys("u")
		if got := s.mapped(1); !slices.Equal(got, []string{"Fabrikam Inc"}) || m.Count(steps.RowShared) != 0 {
			t.Errorf("linked %q", got)
		}
	})
}

// The file is asked for with what was typed last, and a relative path says from
// where.
func TestCustomersFileAgain(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed("no-such.csv")
		here, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(strings.Fields(s.text()), ""); !strings.Contains(text, "Thereisnofile"+here+"/no-such.csv.") {
			t.Errorf("where it was looked for is not said:\n%s", s.text())
		}
		s.keys("o")
		s.sees("no-such.csv")
		s.keys("esc")
	})
}

// What was chosen and is hidden by a filter is counted.
func TestCustomersChosenHidden(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("*", "/")
		s.types("toys")
		s.keys("enter")
		s.sees("6 chosen, 4 of them hidden")
	})
}

// The keys that matter now are in the last line of a small terminal.
func TestCustomersKeys(t *testing.T) {
	path := organizationsFile(t)
	tell(t, failTwo, func(s *story) {
		last := func(want ...string) {
			t.Helper()
			lines := strings.Split(s.text(), "\n")
			for _, w := range want {
				if !strings.Contains(lines[len(lines)-1], w) {
					t.Errorf("the keys are %q, want %q among them", lines[len(lines)-1], w)
				}
			}
		}
		s.size(80, 24)
		s.toCustomers()
		last("o file", "R look at all", "c consent", "q result", "? keys")
		s.listed(path)
		s.keys("home", "down", "down")
		last("a take it", "m organisation")
		s.keys("a", "R")
		last("e export", "c consent", "i details")
		s.keys("*", "c")
		last("enter go on")
		s.keys("down", "enter", "A")
		last("f retry", "e export", "s start", "q finish")
		s.keys("e")
		s.sees("Export to")
		s.keys("enter")
		s.sees("mapping.csv, mapping.json are in")
		s.keys("esc")
		last("f look at the failed")
		s.keys("?")
		s.sees("≈", "suggested, and certain", "to be confirmed")
	})
}

// The choice before a consent goes to its ends, and stays there.
func TestCustomersNoticeEnds(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("c")
		for _, k := range []string{"end", "pgdown", "down", "end"} {
			s.keys(k)
			s.sees("› Consent here")
		}
		s.keys("home")
		s.sees("› Leave the consent to Rewst")
		s.keys("up")
		s.sees("› Leave the consent to Rewst")
	})
}

// A reason is told once.
func TestCustomersReasonOnce(t *testing.T) {
	tell(t, failTwo, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter", "A", "esc", "home", "i")
		if n := strings.Count(s.text(), "not a member of AdminAgents"); n != 1 {
			t.Errorf("told %d times:\n%s", n, s.text())
		}
		s.keys("esc", "down", "i")
		if n := strings.Count(s.text(), "The relationship is terminated"); n != 1 {
			t.Errorf("told %d times:\n%s", n, s.text())
		}
	})
}
