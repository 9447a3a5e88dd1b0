package ui

import (
	"errors"
	"testing"
	"time"
)

// Sign-ins that turn out to be needed in the middle of the work.

func TestOptionalSignInIsSkipped(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.inspectAsks = new(azure) }, func(s *story) {
		s.toPreflight()
		s.sees("Preflight › Sign in", "Azure Resource Manager", "Microsoft Azure CLI", fakeAccount().Username, "Optional: esc goes on without it", "esc go on without it")
		s.keys("r", "enter") // keys of the screen behind
		if len(s.f.inspected) != 1 {
			t.Errorf("got %d looks at the tenant", len(s.f.inspected))
		}
		s.keys("esc")
		s.unasked()
		s.on(pagePreflight)
		s.sees("checks passed")
		if s.f.skips != 1 {
			t.Errorf("got %d skips want 1", s.f.skips)
		}
	})
	tell(t, func(f *fake, _ *Config) { f.inspectAsks, f.inspect = new(azure), make(chan error) }, func(s *story) {
		s.toPreflight()
		s.signs(errors.New("refused"))
		s.sees("n try again", "esc go on without it")
		s.misses("somebody else")
		s.keys("n")
		s.signs(nil)
		s.unasked()
		s.sees("Signed in. Going on.", "Looking at the tenant.")
		s.f.inspect <- nil
		s.settle()
		s.sees("checks passed")
	})
}

// TestSkippingTakesAWhile has the engine end a sign-in that was given up a little
// later: nothing can be chosen about it any more.
func TestSkippingTakesAWhile(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.inspectAsks = new(azure) }, func(s *story) {
		s.toPreflight()
		s.signs(blocked)
		s.panel().skip() // as esc does, before what the engine says of it arrives
		s.sees("Going on without this sign-in.")
		for _, k := range []string{"n", "m", "b", "s", "e", "c"} {
			s.send(keyPress(k))
		}
		if len(s.f.used) > 0 {
			t.Errorf("got %q chosen about a sign-in that was given up", s.f.used)
		}
		s.settle()
		s.unasked()
	})
}

func TestSignInWhileApplying(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.applyAsks = new(stepUp) }, func(s *story) {
		s.toApply()
		s.sees("Apply › Sign in", "asks for a new sign-in", "Enter this code")
		s.keys("p", "r")
		if s.app.w.apply.gate.Paused() {
			t.Error("a key of the screen behind did something")
		}
		s.keys("esc")
		s.sees("Give up this sign-in?")
		s.keys("n")
		s.sees("Enter this code")
		s.keys("esc")
		s.signs(nil) // on a telephone, while the question is asked
		s.on(pageResult)
		s.misses("Give up")
		if s.f.skips != 0 || s.app.Outcome() != Done {
			t.Errorf("got %d skips, outcome %d want 0, Done", s.f.skips, s.app.Outcome())
		}
	})
}

func TestSignInWhileApplyingIsGivenUp(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.applyAsks = new(stepUp) }, func(s *story) {
		s.toApply()
		s.signs(blocked)
		s.keys("esc", "y")
		s.unasked()
		s.on(pageApply)
		if s.f.skips != 1 || s.app.Outcome() != Partial {
			t.Errorf("got %d skips, outcome %d want 1, Partial", s.f.skips, s.app.Outcome())
		}
		s.f.applyAsks = nil
		s.press(s.app.screen.(*apply).keys.Again)
		s.on(pagePreflight)
	})
}

// TestSignInWhileLookingAtThePlan has a sign-in come up over a page that is not
// the apply's own.
func TestSignInWhileLookingAtThePlan(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.applyAsks, f.step = new(stepUp), make(chan struct{}) }, func(s *story) {
		s.toApply()
		s.keys("esc")
		s.on(pagePlan)
		s.steps(1)
		s.sees("Plan › Sign in")
		s.keys("ctrl+c")
		s.sees("Leave while changes are being written?")
		s.keys("y")
		s.unasked()
		if !s.ended {
			t.Errorf("the program did not end:\n%s", s.text())
		}
	})
}

func TestLatePromptsAreDropped(t *testing.T) {
	tell(t, waits, func(s *story) {
		s.toSignIn()
		late := asked{prompt: s.panel().prompt, call: s.panel().call}
		s.keys("esc")
		s.on(pageAuthorize)
		late.prompt.N++
		s.send(promptsMsg{from: s.app.w.prompts, items: []asked{late, {prompt: late.prompt}}})
		s.settle()
		s.unasked()
		if len(s.paper) != 1 {
			t.Errorf("got %q on the normal screen want only what was asked for in time", s.paper)
		}
		elsewhere := asked{late.prompt, &call{ctx: t.Context()}} // of a wizard that was left for the rehearsal
		s.send(promptsMsg{from: newPrompts(), items: []asked{elsewhere}})
		s.unasked()
		s.send(signedInMsg{run: run(s.app.w.run - 1), try: 1, account: fakeAccount()})
		s.send(inspectedMsg{run: run(s.app.w.run - 1), findings: fakeFindings()})
		s.on(pageAuthorize)
		if s.app.w.findings != nil {
			t.Error("what an earlier screen had asked for was taken")
		}
		// The engine goes on as whoever signed in, so the wizard has to know.
		if s.app.w.account == nil {
			t.Error("a sign-in that was given up at its last moment is not known")
		}
	})
}

func TestKeysRestAfterAPromptCameByItself(t *testing.T) {
	tell(t, func(f *fake, c *Config) { f.inspectAsks, c.Grace = new(azure), time.Second }, func(s *story) {
		s.toAuthorize()
		s.keys("enter", "esc", "esc") // meant for what was there before
		s.sees("Enter this code")
		s.jump(2 * time.Second)
		s.keys("esc")
		if s.f.skips != 1 {
			t.Errorf("got %d skips want 1", s.f.skips)
		}
	})
}
