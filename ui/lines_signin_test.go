package ui

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/steps"
)

// signs ends the attempt under way.
func (x *talk) signs(err error) {
	x.heard = len(x.all())
	x.f.signIn <- err
	synctest.Wait()
}

// While the sign-in waits it says so, and what is typed is answered.
func TestLinesSignInWaits(t *testing.T) {
	talking(t, waitsInLines, func(x *talk) {
		x.toSignIn()
		x.hears("Open this address, on any device: https://microsoft.com/devicelogin Enter this code: FJC3T9Q2W", "It serves for another 15 minutes")
		x.pass(14 * time.Second)
		if got := x.last(); got != "" {
			t.Errorf("said after 14 seconds: %q", got)
		}
		x.pass(time.Second)
		x.hears("Still waiting for the sign-in, 15 seconds so far; the code serves for another 14 minutes 45 seconds.")
		x.pass(time.Minute)
		x.hears("1 minute 15 seconds so far", "Does the browser show an error? Type e.")
		x.types("")
		x.hears("Still waiting for the sign-in")
		x.types("hello")
		x.hears("That is not understood.", "n for a new code", "m for another way")
		x.types("?")
		x.hears("Enter this code: FJC3T9Q2W")
		x.types("n")
		x.hears("The sign-in begins again, with a code on any device.", "Enter this code: NEW000002")
		x.misses("The one before serves")
		x.heard = len(x.all())
		x.f.renew <- struct{}{}
		synctest.Wait()
		x.hears("Here is a new code. The one before serves, too, until it expires.", "NEW000003")
		x.misses("Sign-in for")
		x.signs(nil)
		x.hears("Signed in as admin@contoso.onmicrosoft.com.", "Passed: Account.")
	})
}

// What the browser shows is explained, and leads to a way that works.
func TestLinesBrowserError(t *testing.T) {
	talking(t, waitsInLines, func(x *talk) {
		x.toSignIn()
		x.types("e")
		x.hears("Type the number after AADSTS")
		x.types("AADSTS53003: Access has been blocked")
		x.hears("AADSTS53003:", "What to do:", "Who can:", "Type m 2 to sign in with a browser on this computer instead")
		x.types("e 99999999")
		x.hears("This error is not known here.")
		x.types("m")
		x.hears("m 1: A code on any device, the one in use.", "m 3: A browser on another computer.", "Type m and a number.")
		x.types("m 3")
		x.hears("ssh -N -L 43211:127.0.0.1:43211 alex@server", "Then open this address there: https://login.microsoftonline.com/", "Only go on there if you started this sign-in yourself.")
		x.types("m 2")
		x.hears("Your browser was asked to open the sign-in page.")
		if want := []steps.Method{steps.ByDevice, steps.ByTunnel, steps.ByBrowser}; !slices.Equal(x.f.used, want) {
			t.Errorf("used %v, want %v", x.f.used, want)
		}
		x.signs(nil)
		x.hears("Signed in as")
	})
}

// A sign-in that failed waits for what to do about it.
func TestLinesSignInFails(t *testing.T) {
	talking(t, waitsInLines, func(x *talk) {
		x.toSignIn()
		x.signs(blocked)
		x.hears("Problem: Nobody was signed in.", "What to do: Try another way.", "Details: AADSTS53003", "n to try again")
		x.pass(time.Minute)
		if got := x.last(); got != "" {
			t.Errorf("said while the person thinks: %q", got)
		}
		x.types("n")
		x.hears("NEW000002")
		x.signs(nil)
		x.hears("Signed in as")
	})
	for word, want := range map[string]Outcome{"q": NoSignIn, "quit": NoSignIn} {
		talking(t, waitsInLines, func(x *talk) {
			x.toSignIn()
			x.signs(blocked)
			x.types(word)
			x.leaves(want)
			x.hears("Nothing was changed: there was no sign-in.")
		})
		talking(t, waitsInLines, func(x *talk) {
			x.toSignIn()
			x.types(word)
			x.leaves(want)
		})
	}
	talking(t, waitsInLines, func(x *talk) {
		x.toSignIn()
		x.signs(blocked)
		x.types("back")
		x.hears("Sign in now?")
		x.types("yes")
		x.hears("Enter this code")
	})
	talking(t, func(f *fake, _ *Config, _ *Console) { f.earlyErr = errors.New("the tenant could not be found") }, func(x *talk) {
		x.toSignIn()
		x.hears("Problem:", "Press Enter to try again, or type back or quit:")
		x.f.mu.Lock()
		x.f.earlyErr = nil
		x.f.mu.Unlock()
		x.types("")
		x.hears("Signed in as")
	})
}

// A line from a pipe that says nothing to the sign-in answers the question after
// it; a line from a keyboard never does.
func TestLinesFromAPipeAreKept(t *testing.T) {
	talking(t, func(f *fake, c *Config, con *Console) {
		waitsInLines(f, c, con)
		con.Keyboard = false
	}, func(x *talk) {
		x.toSignIn()
		x.types("again")
		x.misses("not understood")
		select {
		case x.in <- "too early":
			t.Error("another line was taken before the kept one had its question")
		default:
		}
		x.signs(nil)
		x.hears("account to sign in again, back or quit: again", "Looking at the tenant.")
		if n := len(x.f.inspected); n != 2 {
			t.Errorf("looked %d times, want 2", n)
		}
	})
	talking(t, waitsInLines, func(x *talk) {
		x.toSignIn()
		x.types("again")
		x.hears("not understood")
		x.signs(nil)
		if n := len(x.f.inspected); n != 1 {
			t.Errorf("looked %d times, want 1", n)
		}
	})
}

// A sign-in that can be left out is, by s; the checks go on.
func TestLinesOptionalSignIn(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) {
		f.inspectAsks, f.moreDone = new(azure), make(chan error)
	}, func(x *talk) {
		x.toSignIn()
		x.hears("Sign-in for Azure Resource Manager, to look for subscriptions.", "The sign-in page will name Microsoft Azure CLI.", "s to go on without it")
		x.types("s")
		x.hears("Going on without this sign-in.", "checks passed")
		if x.f.skips != 1 {
			t.Errorf("skipped %d times, want once", x.f.skips)
		}
	})
}

// A sign-in in the middle of the changes goes on with them, or stops them.
func TestLinesSignInWhileApplying(t *testing.T) {
	asks := func(f *fake, _ *Config, _ *Console) {
		f.applyAsks, f.moreDone = new(stepUp), make(chan error)
	}
	talking(t, asks, func(x *talk) {
		x.toApply()
		x.hears("Sign-in for Microsoft Graph asks for a new sign-in before it goes on.", "quit to give up, which stops the changes")
		x.types("back")
		x.hears("There is no way back while changes are being written.")
		x.types("s")
		x.hears("This sign-in cannot be left out.")
		x.heard = len(x.all())
		x.f.moreDone <- nil
		synctest.Wait()
		x.hears("Signed in. Going on.", "Authorised.")
	})
	for _, end := range []func(*talk){
		func(x *talk) { x.types("q") },
		func(x *talk) { close(x.in); synctest.Wait() },
	} {
		talking(t, asks, func(x *talk) {
			x.toApply()
			end(x)
			x.hears("Problem:", "What was done is kept.")
			if x.f.skips != 1 {
				t.Errorf("gave up %d times, want once", x.f.skips)
			}
		})
	}
}
