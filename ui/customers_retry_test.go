package ui

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/steps"
)

// failTwo has a consent be refused at one customer, and another one shut.
func failTwo(f *fake, _ *Config) {
	f.clients.refuse = map[string]*steps.Problem{customerID(1): agentsMissing}
	f.clients.shut = map[string]steps.Shield{customerID(4): noWayIn()}
}

// A retry that is looked at and left again leaves everything as it was.
func TestCustomersRetryLeft(t *testing.T) {
	tell(t, failTwo, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter", "A")
		s.sees("2 customers failed.", "Fabrikam: The account is not a member of AdminAgents")
		was := s.text()
		for range 2 {
			s.keys("f")
			s.sees("at 1 of 2 customers; 1 is left out", "Tailspin Toys: The relationship is terminated.")
			s.keys("esc")
			s.sees("Nothing was written.")
			if now := s.text(); !strings.Contains(now, "Fabrikam: The account is not a member of AdminAgents") ||
				strings.Count(now, "\n") != strings.Count(was, "\n") || !strings.Contains(now, "4 green, 2 red") {
				t.Fatalf("before:\n%s\nnow:\n%s", was, now)
			}
		}
		// From the table it is the same.
		s.keys("esc")
		s.sees("4 green, 2 red")
		s.keys("home", "r")
		s.sees("4 green, 2 red", "Failed. The account is not a member of AdminAgents")
		if n := len(s.app.w.clients.failures()); n != 2 {
			t.Errorf("%d failures, want 2", n)
		}
	})
}

// A retry begins with the relationships as they are by now.
func TestCustomersRetryListsAnew(t *testing.T) {
	tell(t, func(f *fake, c *Config) {
		failTwo(f, c)
		f.clients.rows[4].Relationship = "terminated"
	}, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter", "A")
		if n := s.f.clients.listed; n != 1 {
			t.Fatalf("listed %d times", n)
		}
		delete(s.f.clients.shut, customerID(4))
		s.f.clients.rows[4].Relationship = steps.RelationActive
		s.keys("f")
		s.sees("at 2 customers.")
		if n := s.f.clients.listed; n != 2 {
			t.Errorf("listed %d times", n)
		}
		if r := s.app.w.clients.row(4); r.Relationship != steps.RelationActive {
			t.Errorf("the relationship is %s", r.Relationship)
		}
		s.keys("esc")
		s.sees("1 customer failed, 1 lacks something that was chosen.", "Tailspin Toys: The app is not consented to there.")
		s.keys("f", "A")
		s.sees("1 customer failed.", "5 green, 1 red")
		delete(s.f.clients.refuse, customerID(1))
		s.keys("f", "A")
		s.sees("Every customer is green.")
	})
}

// A customer that is new in the list moves the others, and no choice with them.
func TestCustomersRetryFindsMore(t *testing.T) {
	tell(t, failTwo, func(s *story) {
		s.toCustomers()
		s.keys("n", "*", "c", "down", "enter", "A", "esc", "space")
		more := clientRows(7)
		more[6].Name = "A first one"
		s.f.clients.rows = append([]steps.CustomerRow{more[6]}, s.f.clients.rows...)
		s.keys("q", "f", "esc", "esc")
		m := s.app.w.clients.mapping
		if m.State(1) != steps.RowDeclined || m.State(0) == steps.RowDeclined || len(s.app.screen.(*customers).table.chosen) > 0 {
			t.Errorf("states %v and %v, chosen %v", m.State(0), m.State(1), s.app.screen.(*customers).table.chosen)
		}
		s.sees("4 green, 2 red, 1 not looked at")
	})
}

// What an ended run left open is shown, and closed with a plan that is agreed to.
func TestCustomersLeftByAnEarlierRun(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.clients.left = true }, func(s *story) {
		s.size(80, 24)
		s.toCustomers()
		s.sees("An earlier run left the app's own sign-in open", "C close it")
		s.keys("C")
		s.sees("1 write in your own tenant closes", "left open")
		s.keys("esc")
		if len(s.f.clients.did) > 0 {
			t.Fatalf("done: %v", s.f.clients.did)
		}
		s.keys("C", "A")
		s.sees("The app's own sign-in is closed", "Adatum")
		s.misses("An earlier run left")
		if got := s.f.clients.did; !slices.Equal(got, []string{"close"}) {
			t.Errorf("done: %v", got)
		}
		s.keys("ctrl+c")
		if !s.ended {
			t.Error("it goes on")
		}
	})
}

// What could not be closed is tried again: by hand, and when the wizard is left.
func TestCustomersNotClosed(t *testing.T) {
	refused := &steps.Problem{What: "the sign-in with the app could not be closed", Do: "Try again.", Err: errors.New("no")}
	for _, quit := range []string{"q", "ctrl+c"} {
		tell(t, func(f *fake, _ *Config) { f.clients.closeErr = refused }, func(s *story) {
			s.toCustomers()
			s.keys("c", "down", "enter", "A")
			s.sees("Not closed", "C closes it")
			s.keys("C")
			s.sees("writes in your own tenant close the app's own sign-in")
			s.keys("A")
			s.sees("could not be closed")
			s.f.clients.closeErr = nil
			s.keys(quit)
			if quit == "ctrl+c" {
				s.keys("y")
			}
			if got := s.f.clients.did; !s.ended || len(got) != 5 || got[4] != "close" {
				t.Errorf("%s: ended %v, done: %v", quit, s.ended, got)
			}
		})
	}
}

// Who leaves while it is closed is told that, and how to leave at once.
func TestCustomersClosingOnTheWayOut(t *testing.T) {
	tell(t, somePolicies, func(s *story) {
		s.toCustomers()
		s.keys("c", "x", "down", "enter", "A")
		s.f.clients.closing = make(chan struct{})
		s.keys("ctrl+c")
		s.sees("The app's own sign-in is open")
		s.keys("y")
		s.sees("Closing the app's own sign-in", "ctrl+c once more leaves it open")
		close(s.f.clients.closing)
		s.settle()
		if !s.ended {
			t.Error("it goes on")
		}
	})
	// The second time nothing is waited for.
	begun := time.Time{}
	var took time.Duration
	tell(t, somePolicies, func(s *story) {
		s.toCustomers()
		s.keys("c", "x", "down", "enter", "A")
		s.f.clients.closing = make(chan struct{})
		s.keys("ctrl+c", "y", "ctrl+c")
		if !s.ended {
			t.Error("it goes on")
		}
		if text := s.app.Summary(); !strings.Contains(text, "own sign-in may still be open") {
			t.Errorf("summary:\n%s", text)
		}
		begun = time.Now()
		s.app.Stop(time.Hour)
		took = time.Since(begun)
		close(s.f.clients.closing)
	})
	if took > 0 {
		t.Errorf("it was waited for %s", took)
	}
}

// A rehearsal is gone with the program, so that is asked; and esc leads where the
// person came from.
func TestCustomersRehearsalEnds(t *testing.T) {
	tell(t, func(_ *fake, c *Config) { c.Sandbox, c.Again = "simulated", nil }, func(s *story) {
		s.toCustomers()
		s.keys("q", "q")
		s.sees("End the rehearsal?")
		s.keys("n", "s")
		s.on(pageStart)
		s.keys("down", "down", "down", "enter", "q", "q", "y")
		if !s.ended {
			t.Error("it goes on")
		}
	})
}

func TestBackWhereOneCameFrom(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toApply()
		s.on(pageResult)
		s.keys("r", "n") // on with the next stage
		s.on(pageAccount)
		s.keys("esc")
		s.on(pageResult)
		s.keys("s")
		s.on(pageStart)
		s.keys("home", "down", "enter")
		s.on(pageAccount)
		s.keys("esc")
		s.on(pageStart)
	})
}
