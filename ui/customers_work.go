package ui

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// clientWork is work at many customers. It belongs to the wizard, not to a screen:
// what is being written goes on wherever the person looks.
type clientWork struct {
	kind    workKind
	plan    *steps.CustomersPlan // that is carried out; nil for looks
	gate    *steps.Gate
	cancel  context.CancelFunc
	items   chan clientItem
	gone    chan struct{} // closed when nobody listens any more
	ended   chan struct{} // closed when the work has returned
	leaving sync.Once

	came workEnd // what it came to, from when ended is closed

	over     bool
	end      workEnd           // the same, once it was heard of
	phase    string            // what goes on besides the customers; empty while they are worked on
	detail   string            // of that
	doing    map[string]string // by customer: what happens there
	begun    []string          // the customers in doing, in the order they were begun
	again    bool              // they are customers something failed at
	left, of int
	rate     float64
	rest     time.Duration
	told     time.Time // when rest was
	failed   []steps.CustomerFailure
	back     map[string]bool      // customers that nothing failed at, of the work itself
	shades   [steps.Green + 1]int // of those that are done
	began    time.Time
	stopped  time.Time
}

// workKind is what is done at customers.
type workKind int

const (
	workLook    workKind = iota // reading them
	workPlan                    // reading them to plan a consent
	workConsent                 // writing there
	workExclude                 // the second part of that: what only the app could see
	workClose                   // closing the sign-in with the app
	workTidy                    // the same, of one that was left open
)

// writes tells whether work of a kind must be seen through.
func (k workKind) writes() bool { return k >= workConsent }

// closes tells whether work does nothing but close the app's sign-in.
func (k workKind) closes() bool { return k >= workClose }

// workEnd is what work came to.
type workEnd struct {
	plan   *steps.CustomersPlan
	failed []steps.CustomerFailure
	more   bool             // plan is a second one, to be agreed to before the app's sign-in is closed
	open   bool             // the app's sign-in is open
	relist *steps.Clientele // the customers as they were listed anew; nil when they were not
	err    error
	shut   bool  // closing the app's sign-in was tried
	close  error // and failed with that
}

// clientItem is news of work.
type clientItem struct {
	fleet *steps.FleetEvent
	event *steps.Event
	phase *string
	end   *workEnd
}

type clientsMsg struct {
	work  *clientWork
	items []clientItem
}

// workPlace is what work at customers needs.
type workPlace struct {
	setup     Setup
	answers   state.Answers
	clientele *steps.Clientele
	plan      *steps.CustomersPlan
	tenants   []string
	opens     bool // the app's sign-in is opened first
	failed    bool // they are those something failed at
	relist    bool // the customers are listed anew first: what was in the way may be gone
	gate      *steps.Gate
	tell      func(clientItem)
}

func (p workPlace) fleet() steps.FleetOptions {
	return steps.FleetOptions{Gate: p.gate, Observe: func(e steps.FleetEvent) { p.tell(clientItem{fleet: &e}) }}
}

func (p workPlace) options() steps.ApplyOptions {
	return steps.ApplyOptions{Gate: p.gate, Observe: func(e steps.Event) { p.tell(clientItem{event: &e}) }}
}

func (p workPlace) phase(text string) { p.tell(clientItem{phase: &text}) }

// look reads customers.
func (p workPlace) look(ctx context.Context) (end workEnd) {
	if p.relist {
		p.phase("Reading the relationships anew")
		end.relist, end.err = clienteleByName(ctx, p.setup, p.answers, p.options().Observe)
		if end.err != nil {
			end.relist = nil
			return end
		}
		p.phase("")
		p.clientele = end.relist
	}
	end.plan, end.err = p.setup.InspectCustomers(ctx, p.answers, p.clientele, p.tenants, p.fleet())
	return end
}

// consent carries a plan out. Where only the app can see what is missing, such as a
// policy in the way, it comes back with a second plan, and the app's sign-in stays
// open for that.
func (p workPlace) consent(ctx context.Context) workEnd {
	var end workEnd
	if p.opens {
		p.phase("Opening the app's own sign-in")
		end.err = p.setup.OpenApp(ctx, p.clientele.App, p.options())
	}
	if end.err == nil {
		p.phase("")
		end.failed, end.err = p.setup.ApplyCustomers(ctx, p.answers, p.clientele, p.plan, p.fleet())
		end.plan = p.plan
	}
	tenants := p.plan.Again(func(tenant string) bool {
		return slices.ContainsFunc(end.failed, func(f steps.CustomerFailure) bool { return f.Customer.TenantID == tenant })
	})
	if end.err == nil && p.opens && len(tenants) > 0 {
		p.phase("Looking again, as the app: at what only it can see")
		more, err := p.setup.InspectCustomers(ctx, p.answers, p.clientele, tenants, p.fleet())
		end.err = err
		if n := 0; err == nil {
			if n, _ = more.Writes(); n > 0 {
				end.plan, end.more, end.open = more, true, true
				return end
			}
		}
	}
	return p.closed(ctx, end)
}

// exclude carries out a second plan, and closes the app's sign-in.
func (p workPlace) exclude(ctx context.Context) workEnd {
	p.phase("")
	failed, err := p.setup.ApplyCustomers(ctx, p.answers, p.clientele, p.plan, p.fleet())
	return p.closed(ctx, workEnd{plan: p.plan, failed: failed, err: err})
}

const closingPhase = "Closing the app's own sign-in"

// StopLimit is how long Stop is to wait: everything it waits for has ended by then,
// or gives up. A write is seen through first, and then the app's sign-in is closed.
const StopLimit = steps.WriteLimit + steps.CloseLimit + 5*time.Second

// closed closes the app's sign-in, whatever became of the rest.
func (p workPlace) closed(ctx context.Context, end workEnd) workEnd {
	p.phase(closingPhase)
	end.close = p.setup.CloseApp(ctx, p.clientele.App, steps.ApplyOptions{Observe: p.options().Observe})
	end.open, end.shut = false, true
	return end
}

// startWork begins work at customers.
func (w *wizard) startWork(kind workKind, p workPlace) tea.Cmd {
	c := w.clients
	parent := w.ctx
	if kind.writes() { // it is seen through when the wizard ends
		parent = context.WithoutCancel(w.ctx)
	}
	ctx, cancel := context.WithCancel(parent)
	x := newClientWork(kind, w.now, len(p.tenants))
	x.cancel, x.plan, x.again, c.work = cancel, p.plan, p.failed, x
	p.setup, p.answers, p.clientele, p.gate, p.tell = w.cfg.Setup, w.answersFor(kind), c.clientele, x.gate, x.send
	run := func() tea.Msg {
		end := p.run(ctx, kind)
		cancel()
		x.came = end
		close(x.ended)
		x.send(clientItem{end: &end})
		return nil
	}
	return tea.Batch(run, x.next())
}

func (p workPlace) run(ctx context.Context, kind workKind) workEnd {
	switch kind {
	case workConsent:
		return p.consent(ctx)
	case workExclude:
		return p.exclude(ctx)
	case workClose, workTidy:
		return p.closed(ctx, workEnd{})
	}
	return p.look(ctx)
}

func newClientWork(kind workKind, now time.Time, of int) *clientWork {
	return &clientWork{
		kind: kind, gate: &steps.Gate{}, cancel: func() {}, items: make(chan clientItem, 64), gone: make(chan struct{}), ended: make(chan struct{}),
		doing: map[string]string{}, back: map[string]bool{}, left: of, of: of, began: now,
	}
}

func (x *clientWork) send(i clientItem) {
	select {
	case x.items <- i:
	case <-x.gone:
	}
}

// next waits for something to happen and takes along what else has.
func (x *clientWork) next() tea.Cmd {
	return func() tea.Msg {
		select {
		case <-x.gone:
			return nil
		case first := <-x.items:
			msg := clientsMsg{x, []clientItem{first}}
			for {
				select {
				case more := <-x.items:
					msg.items = append(msg.items, more)
				default:
					return msg
				}
			}
		}
	}
}

func (x *clientWork) running() bool { return x != nil && !x.over }

// writing tells whether something is being written at customers.
func (x *clientWork) writing() bool { return x.running() && x.kind.writes() }

func (x *clientWork) abandon() { x.leaving.Do(func() { close(x.gone) }) }

// take brings news into what is shown.
func (c *clients) take(i clientItem, now time.Time) {
	x := c.work
	switch {
	case i.phase != nil:
		x.phase, x.detail = *i.phase, ""
	case i.event != nil:
		x.detail = i.event.Text
		if wait := i.event.Wait; wait != nil {
			x.detail = "waiting for " + wait.For
		}
	case i.fleet != nil:
		if s := i.fleet.Shield; s != nil {
			stands := *s
			if !x.kind.writes() {
				stands = c.refused(i.fleet.Tenant, stands)
			}
			c.seen(i.fleet.Tenant, stands)
			i.fleet.Shield = &stands
		}
		x.fleet(*i.fleet, now)
	case i.end != nil:
		c.ended(*i.end, now)
	}
}

func (x *clientWork) fleet(e steps.FleetEvent, now time.Time) {
	x.left, x.of, x.rate, x.rest, x.told = e.Left, e.Of, e.Rate, e.Rest, now
	if e.Tenant == "" {
		return
	}
	if _, known := x.doing[e.Tenant]; !known && !e.Done {
		x.begun = append(x.begun, e.Tenant)
	}
	if !e.Done {
		if e.What != "" {
			x.doing[e.Tenant] = e.What
		}
		return
	}
	delete(x.doing, e.Tenant)
	if at := slices.Index(x.begun, e.Tenant); at >= 0 {
		x.begun = slices.Delete(x.begun, at, at+1)
	}
	if e.Shield != nil {
		x.shades[e.Shield.Shade]++
	}
	if e.Err == nil && x.phase == "" {
		x.back[e.Tenant] = true
	}
	if e.Err != nil && !errors.Is(e.Err, context.Canceled) {
		x.failed = append(x.failed, steps.CustomerFailure{Customer: steps.Customer{TenantID: e.Tenant}, Problem: problemOf(e.Err)})
	}
}

// ended keeps what work came to.
func (c *clients) ended(end workEnd, now time.Time) {
	x := c.work
	x.over, x.end, x.stopped, x.phase = true, end, now, ""
	c.open = end.open
	if end.relist != nil {
		c.clientele, c.stale, c.relisted = end.relist, false, true
	}
	if end.shut {
		c.ajar, c.stale = end.close != nil, true
		if !c.ajar {
			c.clientele.App.Left.Changes = nil
		}
	}
	if end.plan != nil {
		c.plan = end.plan
		if !x.kind.writes() {
			c.mended(end.plan)
		}
	}
	if x.kind != workConsent && x.kind != workExclude {
		return
	}
	c.written = true
	for tenant := range x.back { // the others were not got to, so nothing is mended there
		delete(c.failed, tenant)
	}
	for _, f := range end.failed {
		c.failed[f.Customer.TenantID] = f.Problem
	}
}

// done is how many customers are done.
func (x *clientWork) done() int { return x.of - x.left }

// remaining is the time left, as measured; 0 when that is not known.
func (x *clientWork) remaining(now time.Time) time.Duration {
	if x.rest == 0 || x.gate.Paused() || x.done() < 3 { // one or two say little
		return 0
	}
	return max(x.rest-now.Sub(x.told), time.Second)
}

// progressBar is what terminals that can show in their frame or task bar.
func (x *clientWork) progressBar() *tea.ProgressBar {
	state, percent := tea.ProgressBarDefault, 0
	if x.gate.Paused() {
		state = tea.ProgressBarWarning
	}
	if x.of > 0 {
		percent = 100 * x.done() / x.of
	}
	return tea.NewProgressBar(state, percent)
}
