package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// looking is a look at the tenant that a screen has under way, or why it failed.
type looking struct {
	w      *wizard
	run    run
	ctx    context.Context
	cancel context.CancelFunc

	loading bool
	began   time.Time
	wait    *steps.Wait // for an earlier write whose outcome is unknown
	err     error
}

type inspectedMsg struct {
	run
	findings *steps.Findings
	err      error
}

type lookMsg struct {
	run
	event  steps.Event
	ctx    context.Context
	events <-chan steps.Event
}

func newLooking(w *wizard) looking {
	ctx, cancel := context.WithCancel(w.ctx)
	return looking{w: w, run: run(w.run), ctx: ctx, cancel: cancel}
}

// begin looks with one of the engine's methods for that.
func (l *looking) begin(a state.Answers, inspect func(context.Context, state.Answers, func(steps.Event)) (*steps.Findings, error)) tea.Cmd {
	l.loading, l.err, l.wait, l.began = true, nil, nil, l.w.now
	ctx, cancel := context.WithCancel(l.ctx)
	n, events := l.run, make(chan steps.Event, 8)
	look := func() tea.Msg {
		defer cancel()
		f, err := inspect(ctx, a, func(e steps.Event) {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		})
		return inspectedMsg{n, f, err}
	}
	return tea.Batch(look, nextLook(ctx, events, n))
}

// nextLook waits for news of the reading.
func nextLook(ctx context.Context, events <-chan steps.Event, n run) tea.Cmd {
	return func() tea.Msg {
		select {
		case e := <-events:
			return lookMsg{n, e, ctx, events}
		case <-ctx.Done():
			return nil
		}
	}
}

// heard takes what a look brings: what was found once it has come to its end.
func (l *looking) heard(msg tea.Msg) (*steps.Findings, tea.Cmd) {
	switch msg := msg.(type) {
	case inspectedMsg:
		l.loading, l.err = false, msg.err
		return msg.findings, nil
	case lookMsg:
		if msg.event.Wait != nil {
			l.wait = msg.event.Wait
		}
		return nil, nextLook(msg.ctx, msg.events, l.run)
	}
	return nil, nil
}

// looked tells whether there is neither a look under way nor a failed one.
func (l *looking) looked() bool { return !l.loading && l.err == nil }

// lines tell of a look under way, or of the failed one. reads says what is read and
// how long that takes, then what comes after it.
func (l *looking) lines(f Frame, reads, then string) []string {
	t := f.Theme
	if l.err != nil {
		lines := f.problem(problemOf(l.err))
		return append(lines, "", "  "+t.Key.Render("r")+" looks again, "+t.Key.Render("s")+" signs in again, "+t.Key.Render("esc")+" goes back.")
	}
	lines := []string{t.Accent.Render(l.w.spin()) + " Looking at the tenant. Nothing is changed.", ""}
	lines = append(lines, t.lines(t.Muted, reads+"; "+elapsed(l.w.now.Sub(l.began))+" so far. "+then, f.Width-2)...)
	if l.wait != nil {
		lines = append(lines, "")
		lines = append(lines, f.waiting(l.w, l.wait)...)
	}
	return lines
}

func (l *looking) every() time.Duration {
	if l.loading {
		return l.w.pace()
	}
	return 0
}

func (l *looking) Close() { l.cancel() }
