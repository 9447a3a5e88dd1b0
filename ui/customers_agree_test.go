package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/state"
	"msbundle/steps"
)

// noExchange has the app come without its role for Exchange Online to most customers.
func noExchange(f *fake, _ *Config) {
	f.clients.lack = map[string]steps.Shield{}
	f.clients.notes = map[string][]string{}
	for i := range 4 {
		s := shieldFor(steps.Amber, epoch)
		s.Reason, s.Fix = "The app does not have the role Exchange Administrator there.", "Choose the permission as well."
		s.Checks[4].State, s.Checks[4].Evidence, s.Checks[4].Fix = steps.Failed, s.Reason, s.Fix
		s.Checks[5].State, s.Checks[5].Evidence, s.Checks[5].Fix = steps.Passed, "It was seen.", ""
		f.clients.lack[customerID(i)] = s
		f.clients.notes[customerID(i)] = []string{"The app is not given the role for Exchange Online at " + fakeNames[i] + ": a permission is not chosen."}
	}
}

// counts looks for how many customers a filter has.
func (s *story) counts(filter string, want int) {
	s.t.Helper()
	for l := range strings.SplitSeq(s.text(), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[len(f)-2] == filter && f[len(f)-1] == number(want) {
			return
		}
	}
	s.t.Errorf("not %d %s:\n%s", want, filter, s.text())
}

// What is not there after a consent counts, as it does for the commands, and is told
// before anything is written.
func TestCustomersLacking(t *testing.T) {
	tell(t, noExchange, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter")
		s.sees("4 things are left alone at 4 customers", "4 customers: The app is not given the role for Exchange Online at the customer: a permission is not chosen.")
		s.keys("A")
		s.sees("4 customers lack something that was chosen.", "Lacking", "4 customers: The app does not have the role Exchange Administrator there. Choose the permission", "2 green, 4 amber")
		if s.app.Outcome() != Partial || s.app.Err() == nil || !strings.Contains(s.app.Summary(), "4 customers: The app does not have the role") {
			t.Errorf("outcome %d, %v\n%s", s.app.Outcome(), s.app.Err(), s.app.Summary())
		}
		s.keys("esc", "v", "end")
		s.counts("failed", 4)
	})
	talking(t, func(f *fake, c *Config, _ *Console) { noExchange(f, c) }, func(x *talk) {
		x.toCustomers()
		x.types("consent all", "here")
		x.hears("4 customers: The app is not given the role for Exchange Online at the customer")
		x.types("yes")
		x.hears("4 customers lack something that was chosen.", "4 customers: The app does not have the role")
	})
}

// earlier are customers that an earlier run asked a consent for: one refused it, one
// has not approved delegated administration, one lacks a role, one is as it was asked.
func earlier(f *fake, c *Config) {
	c.Answers.Customers = &state.Customers{Consent: []string{customerID(0), customerID(1), customerID(2), customerID(3)}}
	at := func(i int, s steps.Shield) { f.clients.rows[i].Shield = s }
	noExchange(f, c)
	at(0, f.clients.lack[customerID(0)])
	at(1, noWayIn())
	blue := shieldFor(steps.Blue, epoch)
	blue.Reason, blue.Fix = "The relationship waits for the customer's approval.", "Send the link again."
	at(2, blue)
	f.clients.rows[2].Relationship = steps.RelationPending
	at(3, shieldFor(steps.Green, epoch))
	at(4, shieldFor(steps.Blue, epoch)) // nobody asked for anything here
}

// A later run says the same of what failed as the one that tried.
func TestCustomersFailedBefore(t *testing.T) {
	tell(t, earlier, func(s *story) {
		s.toCustomers()
		s.size(120, 30)
		s.sees("f look at the failed", "q result")
		s.keys("v", "end")
		s.counts("failed", 3)
		s.keys("esc", "q")
		s.sees("1 customer failed, 1 lacks something that was chosen, 1 has to approve delegated administration.",
			"Fabrikam: The relationship is terminated", "Adatum: The app does not have the role", "Northwind Traders: The relationship waits for the customer's approval. Send the link again.")
		if s.app.Outcome() != Left {
			t.Errorf("outcome %d, though nothing was done", s.app.Outcome())
		}
		s.keys("f")
		if last := s.f.clients.looked[0]; !slices.Equal(last, []string{customerID(0), customerID(1), customerID(2)}) {
			t.Errorf("looked at %q", last)
		}
	})
}

// After a retry was opened and left, a customer is as its shield says.
func TestCustomersRetryWaits(t *testing.T) {
	tell(t, failTwo, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter", "A")
		s.sees("2 customers failed.")
		blue := shieldFor(steps.Blue, epoch)
		blue.Reason, blue.Fix = "The relationship waits for the customer's approval.", "Send the link again."
		s.f.clients.shut[customerID(4)] = blue
		s.f.clients.rows[4].Relationship = steps.RelationPending
		s.keys("f", "esc")
		s.sees("1 customer failed, 1 has to approve delegated administration.", "Tailspin Toys: The relationship waits for the customer's approval.")
		s.misses("Nothing is in the way")
		delete(s.f.clients.refuse, customerID(1))
		s.keys("f", "A")
		s.sees("1 customer has to approve delegated administration.")
		if s.app.Outcome() != Waits {
			t.Errorf("outcome %d", s.app.Outcome())
		}
	})
}

// The list is kept while other things are done, and its path at once.
func TestCustomersListStays(t *testing.T) {
	path := organizationsFile(t)
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed(path)
		if a := s.f.saved[len(s.f.saved)-1]; a.Customers == nil || a.Customers.Mapping != path {
			t.Errorf("saved: %+v", a.Customers)
		}
		was := s.text()
		s.keys("esc")
		s.on(pageStart)
		s.keys("down", "down", "down", "enter")
		for _, l := range []string{"Bellows", "≈", "?"} {
			if strings.Contains(was, l) != strings.Contains(s.text(), l) {
				t.Errorf("before:\n%s\nnow:\n%s", was, s.text())
			}
		}
	})
}

// A key that comes as the screen changes by itself is not taken, and that is said.
func TestCustomersKeyTooSoon(t *testing.T) {
	tell(t, func(_ *fake, c *Config) { c.Grace = time.Second }, func(s *story) {
		s.toCustomers()
		s.pass(2 * time.Second)
		s.keys("*", "c", "down", "enter", "A")
		s.sees("Press A again", "at 6 customers.")
		if len(s.f.clients.did) > 0 {
			t.Error("it was taken")
		}
		s.pass(2 * time.Second)
		s.keys("A")
		if len(s.f.clients.did) == 0 {
			t.Error("it is not taken at all")
		}
	})
}

// esc goes back one step: from the plan to the choice, from a filter to the list.
func TestCustomersBackOneStep(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("*")
		s.sees("esc choose none")
		s.keys("c", "down", "enter", "esc")
		s.sees("Nothing was written.", "› Consent here")
		s.keys("enter", "A", "esc", "/")
		s.types("toys")
		s.sees("esc clear filter")
		s.keys("enter")
		s.sees("esc clear filter")
		s.keys("esc")
		s.sees("Adatum", "esc back")
	})
}

// What makes two customers claim one organisation is said while the cursor is on the
// one it was done at; otherwise an answer goes on to the next.
func TestCustomersConflictStays(t *testing.T) {
	tell(t, mixedClientsOf, func(s *story) {
		s.toCustomers()
		at := func(want int) {
			t.Helper()
			if got := s.app.screen.(*customers).table.current(); got != want {
				t.Errorf("the cursor is on %d, want %d", got, want)
			}
		}
		s.keys("home", "n") // which stays, so that pressed twice it hits nobody else
		at(0)
		s.keys("down", "down", "down", "down", "m")
		s.types("fabri")
		s.keys("enter")
		s.sees("Fabrikam Inc", "✗")
		at(4)
		s.keys("u", "m")
		s.types("bellows")
		s.keys("enter")
		at(5)
	})
}

func mixedClientsOf(f *fake, _ *Config) { mixedClients(f) }

// What does not fit under the table is not cut without a word.
func TestCustomersPaneCut(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		s := noWayIn()
		s.Reason = strings.Repeat("A policy of the customer keeps everybody out. ", 6)
		f.clients.shut = map[string]steps.Shield{customerID(0): s}
	}, func(s *story) {
		s.size(80, 24)
		s.toCustomers()
		s.misses("i shows all")
		s.keys("home", "r")
		s.sees("… i shows all")
		s.keys("i")
		s.sees("Ask the customer for a new one")
	})
}

// What cannot be an account does not leave its form.
func TestInvalidAccountStays(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toAuthorize()
		s.types("no body@")
		s.keys("tab")
		s.sees("✗")
		if a := s.app.w.answers.Account; a != "" {
			t.Errorf("the answers have %q", a)
		}
		s.keys("enter")
		s.on(pageAuthorize)
	})
}

// Without Authorize there is nothing a customer could consent to.
func TestLinesCustomersWithoutAnswers(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) {
		f.clients.lookErr = &steps.Problem{What: "the answers do not say it", Err: steps.ErrNoPermissions}
	}, func(x *talk) {
		x.toCustomers()
		x.hears("New setup comes first", "Press Enter to go to New setup")
		x.types("")
		x.hears("Select integrations")
	})
}
