package ui

import (
	"errors"
	"strings"

	"msbundle/state"
	"msbundle/steps"
)

const (
	secretLost = "The client secret was neither shown nor copied. The next run replaces it."
	runItAgain = "Run it again"
)

// outcome says how the wizard ended.
func (w *wizard) outcome() Outcome {
	var waits *steps.Waiting
	switch {
	case w.apply != nil && errors.As(w.apply.err, &waits):
		return Waits
	case w.failure() != nil:
		return Partial
	case w.result != nil && w.result.Done():
		return Done
	case w.result != nil && w.answers.Registration.Kind == state.KindConnector:
		return Waits // for the vendor, or for Microsoft to show what it granted
	case w.result != nil:
		return Partial
	case w.apply != nil:
		return Interrupted
	case w.wrote: // and was about to do the rest
		return Partial
	case w.noSignIn:
		return NoSignIn
	}
	return Left
}

// failure is what the apply failed with, when the wizard was left on that.
func (w *wizard) failure() error {
	if w.apply != nil && w.apply.err != nil && !cancelled(w.apply.err) {
		return w.apply.err
	}
	return nil
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
	outcome := w.outcome()
	switch outcome {
	case Done, Partial, Waits:
		if r := w.result; r != nil {
			for _, l := range resultSummary(r) {
				line(l)
			}
		} else {
			line("Not everything was done.")
			line(w.rest())
		}
		if err := w.failure(); err != nil {
			p := problemOf(err)
			var said []string
			for _, text := range []string{p.What, p.Cause, p.Do} {
				if text != "" {
					said = append(said, sentence(text))
				}
			}
			line(strings.Join(said, " "))
		}
		if w.unfinishedSecret() {
			line(secretLost)
		}
	case Interrupted:
		line("Stopped while changes were being written.")
		line(w.rest())
	case NoSignIn:
		line("Nothing was changed: there was no sign-in.")
	case Left:
		if begun {
			line("Nothing was changed.")
		}
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

// fleeting tells whether everything is gone with the program: a rehearsal in it.
func (w *wizard) fleeting() bool { return w.cfg.Sandbox != "" && w.cfg.Again == nil }

// rest says how to do what is left.
func (w *wizard) rest() string {
	if w.fleeting() {
		return "In earnest what was done is kept, and Resume does the rest."
	}
	return "What was done is kept. Start msbundle again and choose Resume to do the rest."
}
