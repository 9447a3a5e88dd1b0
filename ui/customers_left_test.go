package ui

import (
	"strings"
	"testing"

	"msbundle/steps"
)

// What is left alone at customers is told where nothing is written, too.
func TestCustomersLeftAlone(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { someNotes(f) }, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter")
		s.sees("3 things are left alone at 2 customers")
		s.keys("A")
		s.sees("Every customer is green.", "3 things are left alone at 2 customers: in the list v shows them")
		s.keys("esc", "v")
		s.sees("with something left alone")
		s.keys("end", "up", "enter")
		s.sees("Fabrikam", "Tailspin Toys", "what is left alone")
		s.misses("Adatum")
		s.keys("i")
		s.sees("Left alone", "Guests need MFA")
		s.keys("end")
		s.sees("Exchange Online at Fabrikam")
		s.keys("esc", "esc", "*", "c", "down", "enter")
		s.sees("There is nothing to write.", "3 things are left alone at 2 customers", "1 thing is left alone", "complete")
		s.misses("holds what was chosen")
		s.keys("home", "down")
		for !strings.Contains(s.text(), "› Fabrikam") {
			s.keys("down")
		}
		s.sees("Guests need MFA")
		s.keys("enter")
		s.sees("Fabrikam: nothing is written, 2 notes", "Guests need MFA")
		s.keys("down")
		s.sees("The app is not given the role for Exchange Online at Fabrikam.")
		s.keys("enter") // there is no write to be shown
		s.sees("Fabrikam: nothing is written")
		s.keys("esc", "esc")
		s.sees("Nothing was written.")
	})
}

func TestLinesCustomersLeftAlone(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) { someNotes(f) }, func(x *talk) {
		x.toCustomers()
		x.types("consent 2 5", "here")
		x.hears("3 things are left alone at 2 customers: show and a number says them.", "2. Fabrikam: 7 writes; 2 things are left alone.", "5. Tailspin Toys:")
		x.types("show 5")
		x.hears("Method: POST", "Left alone: CSP is not offered to Tailspin Toys")
		x.types("yes")
		x.hears("3 things are left alone at 2 customers: list with something left alone says them")
		x.types("consent 2 5", "here")
		x.hears("There is nothing to write. 3 things are left alone", "2. Fabrikam: nothing is written; 2 things are left alone.")
		x.types("list with something left alone")
		x.hears("2. Fabrikam", "5. Tailspin Toys")
		x.types("show 2")
		x.hears("Left alone: The policy", "Left alone: The app is not given the role")
	})
}

// A retry that does not get to a customer mends nothing there.
func TestCustomersRetryNotBegun(t *testing.T) {
	refused := &steps.Problem{What: "the sign-in with the app was skipped", Do: "Try again."}
	tell(t, failTwo, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter", "A")
		s.sees("2 customers failed.", "4 green, 2 red")
		delete(s.f.clients.refuse, customerID(1))
		s.f.clients.openErr = refused
		s.keys("f", "A")
		s.sees("2 customers failed.", "The sign-in with the app was skipped", "Fabrikam: The account is not a member of AdminAgents")
		s.f.clients.openErr = nil
		s.f.clients.step = make(chan struct{}, 2)
		s.f.clients.step <- struct{}{} // both are looked at
		s.f.clients.step <- struct{}{}
		s.keys("f", "A", "s") // stopped before it was done
		s.sees("2 customers failed.", "Fabrikam: The account is not a member of AdminAgents")
		s.f.clients.step = nil
		s.keys("f", "A")
		s.sees("1 customer failed.", "5 green, 1 red")
		s.misses("AdminAgents")
	})
}

// A look that is stopped leaves those it did not read as they were.
func TestCustomersLookStopped(t *testing.T) {
	tell(t, failTwo, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter", "A", "esc")
		was := *s.app.w.clients.row(1)
		// By now it has been consented to, and would be found mended.
		s.f.did(customerID(1))
		s.f.clients.rows[1].Shield = shieldFor(steps.Amber, epoch)
		s.f.clients.step = make(chan struct{}, 2)
		s.f.clients.step <- struct{}{}
		s.keys("R", "P")
		s.sees("Stopped. What was read is kept.", "4 green, 2 red")
		if now := s.app.w.clients.row(1); now.Shield.Reason != was.Shield.Reason || s.app.w.clients.failing() != 2 {
			t.Errorf("%+v, %d failing", now.Shield, s.app.w.clients.failing())
		}
		s.f.clients.step <- struct{}{}
		s.f.clients.step <- struct{}{}
		s.keys("R", "P")
		s.sees("Stopped. What was read is kept.", "5 green, 1 red")
		if n := s.app.w.clients.failing(); n != 1 {
			t.Errorf("%d failing, want 1", n)
		}
	})
}

// Without the permission to change policies nothing can be excluded, which is said
// before a consent.
func TestCustomersNothingToExclude(t *testing.T) {
	const told, short = "Nothing can be excluded", "nothing can be excluded without the permission Policy.ReadWrite.ConditionalAccess"
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("c")
		s.misses(short)
		s.keys("x")
		s.sees(told, short)
		s.keys("down", "enter")
		s.misses("Conditional Access is looked at after that")
	})
	tell(t, somePolicies, func(s *story) {
		s.toCustomers()
		s.keys("c", "x")
		s.misses(short)
		s.keys("down", "enter")
		s.sees("Conditional Access is looked at after that")
	})
	talking(t, nil, func(x *talk) {
		x.toCustomers()
		x.types("exclude")
		x.hears(told)
	})
}

// First letters may be of any language, or missing.
func TestFirstLetters(t *testing.T) {
	for text, want := range map[string][2]string{"": {"", ""}, "élan": {"Élan", "élan"}, "Über": {"Über", "über"}, "work": {"Work", "work"}} {
		if upper, lower := steps.UpperFirst(text), lowerOf(text); upper != want[0] || lower != want[1] {
			t.Errorf("%q: %q, %q", text, upper, lower)
		}
	}
}
