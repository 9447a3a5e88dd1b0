package ui

import "time"

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
	return "What is being written is finished, and the app's own sign-in closed: up to a minute. Ctrl+C ends at once and leaves it open."
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
func (a *App) Summary() string { return a.w.summary(a.at > 0) }
