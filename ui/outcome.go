package ui

import (
	"errors"
	"slices"
	"strings"

	"msbundle/state"
	"msbundle/steps"
)

const runItAgain = "Run it again"

// gravity orders the outcomes of stages: of several the gravest counts.
var gravity = []Outcome{Left, Done, Waits, Partial, Interrupted}

// outcome says how the wizard ended.
func (w *wizard) outcome() Outcome {
	gravest := Left
	for _, c := range w.gone() {
		if o := c.outcome(w.answers); slices.Index(gravity, o) > slices.Index(gravity, gravest) {
			gravest = o
		}
	}
	if gravest == Left && w.noSignIn {
		return NoSignIn
	}
	return gravest
}

// outcome says how a stage ended.
func (c *course) outcome(a state.Answers) Outcome {
	var waits *steps.Waiting
	if c.stage == steps.StageCustomers {
		return c.clients.outcome()
	}
	switch {
	case c.apply != nil && errors.As(c.apply.err, &waits):
		return Waits
	case c.failure() != nil:
		return Partial
	case c.result != nil && c.result.Done():
		return Done
	case c.result != nil && c.stage == steps.StageAuthorize && a.Registration.Kind == state.KindConnector:
		return Waits // for the vendor, or for Microsoft to show what it granted
	case c.result != nil:
		return Partial
	case c.apply != nil:
		return Interrupted
	}
	return Left
}

// failure is what the apply failed with, when the stage was left on that.
func (c *course) failure() error {
	if c.stage == steps.StageCustomers {
		return c.clients.failure()
	}
	if c.apply != nil && c.apply.err != nil && !cancelled(c.apply.err) {
		return c.apply.err
	}
	return nil
}

// failure is what the wizard failed with.
func (w *wizard) failure() error {
	var errs []error
	for _, c := range w.gone() {
		errs = append(errs, c.failure())
	}
	return errors.Join(errs...)
}

// summary is what remains to be said when nothing of the wizard is left on
// screen. begun tells whether anything was answered.
func (w *wizard) summary(begun bool) string {
	var b strings.Builder
	line := func(s string) {
		if s != "" {
			b.WriteString(clean(s) + "\n")
		}
	}
	for _, c := range w.gone() {
		for _, l := range c.summary(w) {
			line(l)
		}
	}
	outcome := w.outcome()
	switch {
	case outcome == NoSignIn:
		line("Nothing was changed: there was no sign-in.")
	case outcome == Left && begun:
		line("Nothing was changed.")
	}
	if outcome == Waits && slices.ContainsFunc(w.gone(), func(c *course) bool { return c.stage == steps.StageGDAP }) {
		line("The exit code is 8: somebody else has to act first.")
	}
	if begun && w.fleeting() {
		line("That was a rehearsal: nothing of it exists.")
		return b.String()
	}
	if begun && w.save.path != "" {
		line(factFile + ": " + w.save.path)
		if outcome != NoSignIn && outcome != Left {
			if again := w.runAgain(); again != "" {
				line(runItAgain + ": " + again)
			}
		}
	}
	return b.String()
}

// summary is what remains to be said of a stage; nothing when nothing was carried
// out.
func (c *course) summary(w *wizard) []string {
	if c.stage == steps.StageCustomers {
		return c.clients.summary()
	}
	var lines []string
	switch c.outcome(w.answers) {
	case Done, Partial, Waits:
		if c.result != nil {
			lines = append(lines, resultSummary(c.stage, c.result, w.cfg.Invitations)...)
		} else if waitsOnly(c.failure()) {
			if !w.fleeting() {
				lines = append(lines, comeBack)
			}
		} else {
			lines = append(lines, "Not everything was done.", w.rest())
		}
		if err := c.failure(); err != nil && (waitsOnly(err) || !c.told()) {
			p := problemOf(err)
			var said []string
			for _, text := range []string{p.What, p.Cause, p.Do} {
				if text != "" {
					said = append(said, sentence(text))
				}
			}
			lines = append(lines, strings.Join(said, " "))
		}
		if _, h := c.secret(); c.unfinishedSecret() {
			lines = append(lines, h.lost)
		}
	case Interrupted:
		lines = append(lines, "Stopped while changes were being written.", w.rest())
	}
	return lines
}

const comeBack = "Start msbundle again and choose Resume: whoever has approved by then gets the roles."

// rehearsed tells whether something was set up that is gone with the program.
func (w *wizard) rehearsed() bool {
	if !w.fleeting() {
		return false
	}
	for _, c := range w.courses {
		for ; c != nil; c = c.before {
			if c.wrote || c.clients != nil && c.clients.edits > 0 {
				return true
			}
		}
	}
	return false
}

// fleeting tells whether everything is gone with the program: a rehearsal in it.
func (w *wizard) fleeting() bool { return w.cfg.Sandbox != "" && w.cfg.Again == nil }

// rest says how to do what is left.
func (w *wizard) rest() string {
	if w.fleeting() {
		return "In earnest what was done is kept, and Resume does the rest."
	}
	return "What was done is kept. Start msbundle again and choose Resume to do the rest."
}
