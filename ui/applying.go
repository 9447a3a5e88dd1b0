package ui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// applying is an apply under way. It belongs to the wizard, not to a screen:
// leaving the screen must not stop a write.
type applying struct {
	plan    steps.Plan
	gate    *steps.Gate
	cancel  context.CancelFunc
	items   chan applyItem
	gone    chan struct{} // closed when nobody listens any more
	ended   chan struct{} // closed when Apply has returned
	leaving sync.Once

	over     bool // Apply has returned and its outcome was taken
	started  bool // a write was sent
	err      error
	group    map[string]int // of each change, by id
	groups   []applyGroup
	finished map[string]bool
	done     int
	current  string // what is being written
	wait     *steps.Wait
	waitAt   time.Time // when the wait was last told of
	proof    int
	of       int
	paused   bool
	began    time.Time
	end      time.Time
	notes    []string

	invitations []steps.Invitation // what customers have yet to approve, as the last look showed it
	approved    []steps.Invitation // who has approved since it was begun
	roles       map[string]*tally  // given and to be given at each customer, by tenant
	at          map[string]*tally  // the same, by the id of a change that gives one
	enough      bool               // nobody is to be waited for any more
	stopWaiting chan struct{}      // closed with that
	look        chan struct{}      // asks for a look before its time
	looks       bool               // one was asked for and is under way
	failed      []steps.CustomerFailure
	nothing     []steps.CustomerEnd // with whom it came to nothing
}

// tally is how many of some are done.
type tally struct{ done, of int }

// longWait is how long customers are waited for while the wizard is open: until it
// is closed, or their invitations have lapsed.
const longWait = 90 * 24 * time.Hour

type applyGroup struct {
	title    string
	done, of int
}

// applyItem is an event, or the end.
type applyItem struct {
	event  steps.Event
	end    bool
	result *steps.Result
	err    error
}

// applyMsg brings what has happened since the last one, oldest first.
type applyMsg struct {
	apply *applying
	items []applyItem
}

func newApplying(p steps.Plan, now time.Time) *applying {
	a := &applying{
		plan: p, gate: &steps.Gate{}, began: now,
		items: make(chan applyItem, 64), gone: make(chan struct{}), ended: make(chan struct{}),
		group: map[string]int{}, roles: map[string]*tally{}, at: map[string]*tally{}, finished: map[string]bool{}, stopWaiting: make(chan struct{}), look: make(chan struct{}, 1),
	}
	for i, g := range p.Groups() {
		a.groups = append(a.groups, applyGroup{title: g.Title, of: len(g.Changes)})
		for _, c := range g.Changes {
			a.group[c.ID] = i
			if c.Kind == steps.KindAccess {
				if a.roles[c.Customer] == nil {
					a.roles[c.Customer] = &tally{}
				}
				a.roles[c.Customer].of++
				a.at[c.ID] = a.roles[c.Customer]
			}
		}
	}
	return a
}

// startApply begins to carry out a plan under a context of its own.
func startApply(w *wizard, p steps.Plan) (*applying, tea.Cmd) {
	ctx, cancel := context.WithCancel(w.ctx)
	a := newApplying(p, w.now)
	a.cancel = cancel
	setup := w.cfg.Setup
	run := func() tea.Msg {
		result, err := setup.Apply(ctx, p, steps.ApplyOptions{
			Gate: a.gate, Wait: longWait, Enough: a.stopWaiting, Look: a.look,
			Observe: func(e steps.Event) { a.send(applyItem{event: e}) },
		})
		cancel()
		close(a.ended)
		a.send(applyItem{end: true, result: result, err: err})
		return nil
	}
	return a, tea.Batch(run, a.next())
}

// send hands an item over, or drops it when the program has ended.
func (a *applying) send(i applyItem) {
	select {
	case a.items <- i:
	case <-a.gone:
	}
}

// next waits for something to happen and takes along what else has.
func (a *applying) next() tea.Cmd {
	return func() tea.Msg {
		select {
		case <-a.gone:
			return nil
		case first := <-a.items:
			msg := applyMsg{apply: a, items: []applyItem{first}}
			for {
				select {
				case more := <-a.items:
					msg.items = append(msg.items, more)
				default:
					return msg
				}
			}
		}
	}
}

// running tells whether changes are being carried out.
func (a *applying) running() bool { return a != nil && !a.over }

// stop ends the apply after the write in flight, paused or not.
func (a *applying) stop() { a.cancel() }

// finishWaiting has nobody waited for any more: what is there is proven and shown.
func (a *applying) finishWaiting() {
	if !a.enough {
		a.enough = true
		close(a.stopWaiting)
	}
}

// lookNow asks who has approved, before the time for that.
func (a *applying) lookNow() {
	select {
	case a.look <- struct{}{}:
		a.looks = true
	default: // it was asked already
	}
}

// customersLeft says that an apply was left while customers were waited for:
// nothing failed, and the next run goes on by itself.
func (a *applying) customersLeft(err error) error {
	n := len(a.invitations)
	if n == 0 || !cancelled(err) {
		return err
	}
	p := steps.Problem{What: count(n, "customer", "customers") + " did not approve yet" + a.others(), Do: "The next run takes up whoever has approved by then.", Retry: true}
	if failed := len(a.failed); failed > 0 {
		p.What = count(failed, "customer", "customers") + " failed, and " + p.What
		return &steps.CustomersFailed{Problem: p, Customers: a.failed}
	}
	return &steps.Waiting{Problem: p}
}

// others names those with whom it came to nothing, at the end of a sentence.
func (a *applying) others() string {
	if len(a.nothing) == 0 {
		return ""
	}
	var names []string
	for _, c := range a.nothing[:min(len(a.nothing), longestListed)] {
		names = append(names, shownName(c.Customer)+" "+c.How)
	}
	text := "; " + strings.Join(names, ", ")
	if more := len(a.nothing) - longestListed; more > 0 {
		text += " and " + number(more) + " more"
	}
	return text
}

// abandon stops listening.
func (a *applying) abandon() { a.leaving.Do(func() { close(a.gone) }) }

// take brings what has happened into what is shown.
func (a *applying) take(w *wizard, msg applyMsg) tea.Cmd {
	for _, i := range msg.items {
		if !i.end {
			a.event(i.event)
			continue
		}
		a.finish(w, i.result, i.err)
		return w.saveAnswers()
	}
	return a.next()
}

// finish keeps what the apply led to.
func (a *applying) finish(w *wizard, r *steps.Result, err error) {
	a.over, a.err, a.wait, a.current, a.end = true, a.customersLeft(err), nil, "", w.now
	if r != nil {
		w.result, w.taken, w.revealed, w.waived = r, false, false, false
	}
}

func (a *applying) event(e steps.Event) {
	switch e.Kind {
	case steps.EventStarted:
		a.started, a.wait, a.current = true, nil, e.Text
		if n := len(e.Changes); n > 1 {
			a.current += " and " + count(n-1, "more", "more")
		}
	case steps.EventDone:
		a.wait, a.current = nil, ""
		for _, id := range e.Changes {
			if i, ok := a.group[id]; ok && !a.finished[id] {
				a.finished[id] = true
				a.groups[i].done++
				a.done++
				if n := a.at[id]; n != nil {
					n.done++
				}
			}
		}
	case steps.EventWaiting:
		a.wait, a.waitAt, a.looks = e.Wait, e.At, false
		if e.Text != "" {
			a.current = e.Text
		}
	case steps.EventProof:
		a.wait, a.current, a.proof, a.of = nil, "", e.Proof, e.Of
	case steps.EventPaused:
		a.paused = true
	case steps.EventResumed:
		a.paused = false
	case steps.EventInvitations:
		a.invited(e.Invitations)
	case steps.EventNote:
		a.notes = append(a.notes, e.Text)
		if e.Failed != nil {
			a.failed = append(a.failed, *e.Failed)
		}
		if e.Ended != nil {
			a.nothing = append(a.nothing, *e.Ended)
		}
	}
}

// invited takes over who is waited for. Whoever was and is not any more has
// approved, unless it failed or came to nothing.
func (a *applying) invited(now []steps.Invitation) {
	out := map[string]bool{}
	for _, i := range now {
		out[i.Customer.TenantID] = true
	}
	a.approved = slices.DeleteFunc(a.approved, func(i steps.Invitation) bool { return out[i.Customer.TenantID] })
	for _, f := range a.failed {
		out[f.Customer.TenantID] = true
	}
	for _, c := range a.nothing {
		out[c.Customer.TenantID] = true
	}
	a.approved = slices.DeleteFunc(append(a.approved, a.invitations...), func(i steps.Invitation) bool { return out[i.Customer.TenantID] })
	a.invitations = now
}

// rolesAt says how far it has come with a customer who has approved.
func (a *applying) rolesAt(c steps.Customer) string {
	switch n := a.roles[c.TenantID]; {
	case n == nil:
		return "approved"
	case n.done < n.of:
		return fmt.Sprintf("approved, %s of %s given", number(n.done), count(n.of, "role", "roles"))
	default:
		return "approved, " + count(n.of, "role", "roles") + " given"
	}
}

// progressBar is what terminals that can show in their frame or task bar.
func (a *applying) progressBar() *tea.ProgressBar {
	state := tea.ProgressBarDefault
	if a.paused {
		state = tea.ProgressBarWarning
	}
	percent := 100
	if n := len(a.plan.Changes); n > 0 {
		percent = 100 * a.done / n
	}
	return tea.NewProgressBar(state, percent)
}
