package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// interrupt is ctrl+c: it asks while changes are being written, or when something
// would be lost, and ends the program otherwise. Pressed a second time it no longer
// asks.
func (a *App) interrupt() tea.Cmd {
	gone := a.w.fleeting()
	// ask puts a question; over is what it says of a rehearsal that ends with the program.
	ask := func(title, text, over, yes string) tea.Cmd {
		if gone {
			text = over
		}
		a.w.ask = &question{title: title, text: text, yes: yes, no: "stay", agree: a.leave}
		return nil
	}
	const isOver = " The rehearsal is over then: nothing of it is left."
	switch {
	case a.leaving:
		a.hurried = true
		return tea.Quit
	case a.w.ask != nil:
		a.w.ask = nil
		return a.leave()
	case len(a.w.invitations()) > 0:
		return ask("Leave while customers are waited for?",
			"Nothing is lost. Who approves meanwhile gets the roles as soon as msbundle runs again: choose Resume then.",
			"The rehearsal is over then: nobody can approve any more, and nothing of it is left. To go on with it later on, stay and press f.", "leave")
	case a.w.atCustomers() && !a.w.atClients().work.writing():
		const text = "It is closed first, and it is read back that nothing of it is left: up to a minute. Nothing else is written."
		return ask("Leave? The app's own sign-in is open", text, text+isOver, "close it and leave")
	case a.w.apply.running(), a.w.atCustomers():
		return ask("Leave while changes are being written?",
			"The write in flight is finished first. What was done is kept; start msbundle again and choose Resume to do the rest.",
			"The write in flight is finished first."+isOver, "leave")
	case a.w.rehearsed():
		a.w.ask = a.w.endRehearsal(a.leave)
		return nil
	}
	if h, losing := a.w.losing(); losing {
		a.w.ask = h.question(a.leave)
		return nil
	}
	return a.leave()
}

// Stop ends everything the wizard still does and waits for a write in flight, but
// no longer than given, and not at all for somebody who would not wait. Call it after the program has ended.
func (a *App) Stop(wait time.Duration) {
	a.screen.Close()
	a.cancel()
	if a.hurried {
		wait = 0
	}
	limit := time.After(wait)
	if p := a.w.apply; p != nil {
		p.stop()
		p.abandon()
		select {
		case <-p.ended:
		case <-limit:
		}
	}
	for _, c := range a.w.courses {
		if !a.hurried {
			c.clients.stop(a.w, limit)
		}
		c.clients.flush(a.w.cfg.Setup)
	}
}

// Finishing says what Stop waits for and how not to, where that takes longer than a
// moment; nothing otherwise.
func (a *App) Finishing() string {
	if a.hurried || !a.w.atCustomers() {
		return ""
	}
	return "What is being written is finished, and the app's own sign-in closed: seconds as a rule, three minutes at most. Ctrl+C ends at once and leaves it open."
}

// Stale clears off the terminal's normal screen what a sign-in that is over left there;
// it is to be written after the program has ended, before anything else.
func (a *App) Stale() string {
	if a.w.panel != nil {
		return ""
	}
	return a.w.paper.takeBack()
}

// Outcome says how the wizard ended.
func (a *App) Outcome() Outcome { return a.w.outcome() }

// Err is what the wizard failed with, when it was left on a failure.
func (a *App) Err() error { return a.w.failure() }

// Summary is what to print after the program has ended: the alternate screen is
// gone by then.
func (a *App) Summary() string { return a.w.summary(a.at > 0 || a.w.outcome() != Left) }
