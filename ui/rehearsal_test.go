package ui

import (
	"errors"
	"strings"
	"testing"
	"time"

	"msbundle/steps"
)

// inside is a rehearsal that is gone with the program.
func inside(_ *fake, c *Config) {
	c.Sandbox, c.Again, c.Undo, c.Invitations = "sandbox, happy", nil, "", ""
}

// A rehearsal in the program is over with it: that is asked wherever something was set
// up, and nowhere else.
func TestRehearsalAsksBeforeItsEnd(t *testing.T) {
	tell(t, inside, func(s *story) { // nothing yet
		s.toPreflight()
		s.keys("ctrl+c")
		if !s.ended {
			t.Errorf("it asks:\n%s", s.text())
		}
	})
	tell(t, inside, func(s *story) { // mapped by hand
		s.toCustomers()
		s.keys("n")
		s.pass(time.Second)
		s.keys("ctrl+c")
		s.sees("End the rehearsal?", "is gone with the program")
		s.keys("n")
		s.misses("End the rehearsal?")
		s.keys("ctrl+c", "ctrl+c")
		if !s.ended {
			t.Error("the second ctrl+c does not end it")
		}
	})
	for _, keys := range [][]string{{"ctrl+c"}, {"end", "enter"}} { // after a whole setup, on Start
		tell(t, inside, func(s *story) {
			s.toApply()
			s.keys("s", "y")
			s.on(pageStart)
			s.keys(keys...)
			s.sees("End the rehearsal?")
			if s.ended {
				t.Fatal("it ended unasked")
			}
			s.keys("y")
			if text := s.app.Summary(); !s.ended || !strings.Contains(text, "nothing of it exists") {
				t.Errorf("ended %v\n%s", s.ended, text)
			}
		})
	}
	tell(t, nil, func(s *story) { // in earnest what was done is kept
		s.toApply()
		s.keys("s", "y")
		s.on(pageStart)
		s.keys("end", "enter")
		if !s.ended {
			t.Errorf("it asks:\n%s", s.text())
		}
	})
}

// The same in lines, of somebody who types; a pipe is asked nothing more than before.
func TestLinesRehearsalAsksBeforeItsEnd(t *testing.T) {
	for _, keyboard := range []bool{true, false} {
		talking(t, func(f *fake, c *Config, con *Console) { inside(f, c); con.Keyboard = keyboard }, func(x *talk) {
			x.types("4", "none 1", "quit")
			if !keyboard {
				x.leaves(Left)
				return
			}
			x.hears("End the rehearsal?", "Type yes or no:")
			x.types("no")
			x.hears("Type list, look, consent")
			x.types("")
			x.hears("End the rehearsal?")
			x.types("yes")
			x.leaves(Left)
		})
	}
	talking(t, func(f *fake, c *Config, _ *Console) { f.applyErr = errors.New("lost"); inside(f, c) }, func(x *talk) {
		x.toApply()
		x.hears("That did not work.")
		x.types("quit")
		x.hears("End the rehearsal?")
		x.types("no")
		x.hears("Looking at the tenant.")
		if n := len(x.f.applied); n != 1 {
			t.Errorf("applied %d times", n)
		}
		x.types("quit", "quit")
		x.leaves(Partial)
	})
}

// What leaving means is said as it is there: no later run finds the rehearsal.
func TestRehearsalPromisesNothing(t *testing.T) {
	tell(t, func(f *fake, c *Config) { approving(5)(f); inside(f, c) }, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.steps(2)
		s.misses("or come back")
		s.keys("ctrl+c")
		s.sees("nobody can approve any more", "press f")
		s.misses("Resume")
		s.keys("y")
		s.settle()
		if text := s.app.Summary(); strings.Contains(text, "Resume") {
			t.Errorf("summary:\n%s", text)
		}
	})
	tell(t, func(f *fake, c *Config) { f.step = make(chan struct{}); inside(f, c) }, func(s *story) {
		s.toApply()
		s.keys("ctrl+c")
		s.sees("The write in flight is finished first. The rehearsal is over then")
		s.misses("Resume")
	})
	tell(t, func(f *fake, c *Config) { somePolicies(f, c); inside(f, c) }, func(s *story) {
		s.toCustomers()
		s.keys("c", "x", "down", "enter", "A", "ctrl+c")
		s.sees("It is closed first", "The rehearsal is over then")
	})
}

// Where nothing was set up yet, customers are not signed in for.
func TestCustomersBeforeASetup(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.new = true }, func(s *story) {
		s.keys("down", "down", "down", "enter")
		s.on(pageStart)
		s.sees("› New setup", "New setup comes first.", "Go through New setup, then come back to Customers.")
		if len(s.f.signIns) > 0 {
			t.Error("somebody had to sign in for it")
		}
		s.keys("down")
		s.misses("comes first")
		s.keys("up", "enter")
		s.on(pageIntegrations)
	})
	talking(t, func(f *fake, _ *Config, _ *Console) { f.new = true }, func(x *talk) {
		x.types("4")
		x.hears("New setup comes first", "What do you want to do?")
		x.types("1")
		x.hears("Choose the parts of the bundle")
	})
}

// asAdmin has customers reached by a service account while the administrator is signed in.
func asAdmin(f *fake) {
	f.findings.Delegation = fakeDelegation()
	f.clients.shut = map[string]steps.Shield{customerID(1): {
		Shade: steps.Red, Reason: "admin@contoso.onmicrosoft.com is not let into the tenant.", Fix: "Sign in as the service account, or give the groups their roles.", At: epoch,
	}}
}

// Who reaches customers, and the key that signs in as that, stand where somebody else
// is signed in and where a customer was refused for it.
func TestCustomersAsSomebodyElse(t *testing.T) {
	var played []string
	tell(t, func(f *fake, c *Config) {
		asAdmin(f)
		c.Play = func(account string) { played = append(played, account) }
	}, func(s *story) {
		s.toCustomers()
		s.sees("! Not the service account: S signs in as rewst@contoso.onmicrosoft.com.")
		s.keys("down", "c", "down", "enter")
		s.sees("There is nothing to write", "Sign in as rewst@contoso.onmicrosoft.com (S on the list of customers), or give")
		s.keys("enter")
		s.sees("Fabrikam: nothing is written", "Why admin@contoso.onmicrosoft.com is not let into the tenant.", "Do Sign in as rewst@contoso.onmicrosoft.com (S on the list of customers), or give the groups their roles.")
		s.keys("esc", "esc", "esc")
		s.sees("Sign in as rewst@contoso.onmicrosoft.com (S on the list")
		s.f.account.Username = "rewst@contoso.onmicrosoft.com"
		s.f.findings.Account.Username = "rewst@contoso.onmicrosoft.com"
		s.f.signIn = make(chan error)
		s.keys("S")
		s.sees("Account rewst@contoso.onmicrosoft.com")
		if !s.app.w.panel.keys.Other.Enabled() {
			t.Error("nobody else can sign in")
		}
		s.f.signIn <- nil
		s.settle()
		s.pass(time.Second)
		s.on(pageCustomers)
		s.misses("Not the service account")
		s.keys("S") // now it is about anybody
		if got := s.f.signIns; len(got) != 3 || got[1] != "rewst@contoso.onmicrosoft.com" || got[2] != "" {
			t.Errorf("expected %q", got)
		}
		if len(played) != 2 || played[0] != "rewst@contoso.onmicrosoft.com" || played[1] != "" {
			t.Errorf("played %q", played)
		}
	})
	talking(t, func(f *fake, _ *Config, _ *Console) { asAdmin(f) }, func(x *talk) {
		x.types("4")
		x.hears("account signs in as rewst@contoso.onmicrosoft.com.")
		x.types("account")
		if got := x.f.signIns; len(got) != 2 || got[1] != "rewst@contoso.onmicrosoft.com" {
			t.Errorf("expected %q", got)
		}
	})
}

// The result says where the links are, and has them all.
func TestResultHasTheLinks(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.outcome = delegationResult(2) }, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.on(pageResult)
		s.sees("c copies all")
		s.keys("c")
		list := fakeInvitations(2)
		if want := "Litware 0000\t" + list[0].Link + "\nLitware 0001\t" + list[1].Link + "\n"; len(s.clip) == 0 || s.clip[0] != want {
			t.Errorf("copied %q want %q", s.clip, want)
		}
	})
}

// A low window shows several customers, and the way out.
func TestInboxInALowWindow(t *testing.T) {
	tell(t, func(f *fake, c *Config) { approving(25)(f); inside(f, c) }, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.steps(2)
		s.size(60, 20)
		s.sees("Litware 0000", "Litware 0004", "answer for the customer at this link.", "f finish for now")
	})
}
