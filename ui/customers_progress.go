package ui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"msbundle/steps"
)

// clientProgress shows work at customers that has to be waited for.
type clientProgress struct {
	still
	s      *customers
	scroll scroller
}

type progressKeys struct {
	Pause, Stop key.Binding
	move        moveKeys
}

func (v *clientProgress) work() *clientWork { return v.s.w.clients.work }

func (v *clientProgress) keys() progressKeys {
	x := v.work()
	k := progressKeys{Pause: bind("p", "pause", "p"), Stop: bind("s", "stop", "s"), move: newMoveKeys()}
	if x.gate.Paused() {
		k.Pause.SetHelp("p", "go on")
	}
	k.Pause.SetEnabled(x.running() && !x.kind.closes())
	k.Stop.SetEnabled(x.running() && !x.kind.closes())
	return k
}

func (v *clientProgress) Keys() help.KeyMap {
	k := v.keys()
	return keyList{k.Pause, k.Stop}
}

// escape ends what only reads.
func (v *clientProgress) escape() bool {
	v.work().cancel()
	return false
}

func (v *clientProgress) press(msg tea.KeyPressMsg) tea.Cmd {
	k, x := v.keys(), v.work()
	switch {
	case pressed(msg, &k.Pause):
		x.turn()
	case pressed(msg, &k.Stop):
		x.gate.Resume()
		x.cancel()
		v.s.w.say("•", "Stopping after what is under way. What was done is kept.")
	default:
		v.scroll.Update(msg, k.move)
	}
	return nil
}

// turn pauses work, or has it go on.
func (x *clientWork) turn() {
	if x.gate.Paused() {
		x.gate.Resume()
	} else {
		x.gate.Pause()
	}
}

// title says what work is done.
func (x *clientWork) title() string {
	switch x.kind {
	case workConsent:
		return "Consenting"
	case workExclude:
		return "Changing policies"
	case workClose, workTidy:
		return "Closing the app's own sign-in"
	case workPlan:
		return "Looking, to plan the consent"
	}
	return "Looking"
}

// tally says how far the work is, how fast, and for how long still.
func (x *clientWork) tally(now time.Time) string { return x.within(now, math.MaxInt) }

// within is the same in a width: of what it is made of the time left matters most.
func (x *clientWork) within(now time.Time, width int) string {
	of, rate, rest := " of "+count(x.of, "customer", "customers"), "", ""
	if x.rate > 0 {
		rate = fmt.Sprintf(", %s a minute", number(int(x.rate+0.5)))
	}
	if left := x.remaining(now); left > 0 && x.left > 0 {
		rest = ", about " + elapsed(left) + " left"
	}
	text := number(x.done()) + of + rate + rest
	if ansi.StringWidth(text) > width {
		text = number(x.done()) + of + rest
	}
	if ansi.StringWidth(text) > width {
		text = number(x.done()) + " of " + number(x.of) + rest
	}
	return text
}

// line tells of work in one line.
func (x *clientWork) line(t *Theme, w *wizard, width int) string {
	const paused, keys = "‖ Paused: ", ". p goes on, P stops."
	title := x.title() + ": "
	switch {
	case x.gate.Paused():
		return t.Warn.Render(clip(paused+x.within(w.now, width-ansi.StringWidth(paused+keys))+keys, width))
	case x.phase != "":
		return t.Accent.Render(w.spin()) + " " + t.Plain.Render(clip(title+lowerOf(x.phase)+".", width-2))
	}
	return t.Accent.Render(w.spin()) + " " + t.Plain.Render(clip(title+x.within(w.now, width-3-len(title))+".", width-2))
}

// sofar is how long work has taken.
func (x *clientWork) sofar(now time.Time) time.Duration {
	if x.over {
		now = x.stopped
	}
	return now.Sub(x.began)
}

func (v *clientProgress) View(f Frame) []string {
	t, x, w := f.Theme, v.work(), v.s.w
	title, sofar := x.title()+": ", elapsed(x.sofar(w.now))
	room := f.Width - len(sofar) - 2
	lines := []string{
		ends(t.Strong.Render(clip(title+x.within(w.now, room-len(title)), room)), t.Muted.Render(sofar), f.Width),
		t.bar(t.Accent, x.done(), x.of, f.Width),
	}
	switch {
	case x.gate.Paused():
		lines = append(lines, t.Warn.Render("‖ Paused.")+" What was begun is finished first. "+t.Key.Render("p")+" goes on.")
	case x.phase != "":
		lines = append(lines, t.Accent.Render(w.spin())+" "+clip(strings.TrimSuffix(x.phase+": "+x.detail, ": "), f.Width-2))
	default:
		lines = append(lines, clip(steps.UpperFirst(shadeTally(x.shades)), f.Width))
	}
	if x.done() == 0 && x.phase == "" {
		lines[2] = ""
	}
	lines = append(lines, "")
	doing := x.begun[:min(len(x.begun), max((f.Height-len(lines))/2, 4))]
	for _, tenant := range doing {
		lines = append(lines, t.Accent.Render(w.spin())+" "+pad(clip(v.name(tenant), 30), 32)+t.Muted.Render(clip(x.doing[tenant], f.Width-34)))
	}
	if more := len(x.begun) - len(doing); more > 0 {
		lines = append(lines, t.Muted.Render("  and "+number(more)+" more"))
	}
	if len(x.failed) == 0 {
		return lines
	}
	lines = append(lines, "", t.Bad.Render("Failed so far: "+number(len(x.failed))))
	var told []string
	for n := len(x.failed) - 1; n >= 0; n-- { // the latest first
		told = append(told, failureLines(f.sized(f.Width-2, f.Height), v.name(x.failed[n].Customer.TenantID), x.failed[n].Problem)...)
	}
	return append(lines, v.scroll.View(f.sized(f.Width, f.Height-len(lines)), told)...)
}

// name is what a customer is called.
func (v *clientProgress) name(tenant string) string { return v.s.w.clients.name(tenant) }

func (c *clients) name(tenant string) string {
	if i := c.mapping.Find(tenant); i >= 0 {
		return shownName(c.row(i).Customer)
	}
	return tenant
}

// failureLines tell what went wrong at a customer, and what to do.
func failureLines(f Frame, who string, p *steps.Problem) []string {
	t := f.Theme
	var out []string
	for n, l := range wrap(who+": "+sentence(name(p.Cause, p.What)), f.Width-2) {
		mark := "  "
		if n == 0 {
			mark = t.Bad.Render("✗ ")
		}
		out = append(out, mark+l)
	}
	if p.Do != "" {
		for _, l := range wrap(sentence(p.Do), f.Width-4) {
			out = append(out, "    "+t.Muted.Render(l))
		}
	}
	return out
}

// atClients is what the stage about customers' tenants has come to, whichever stage
// is open; nil when it was not gone to.
func (w *wizard) atClients() *clients {
	if c := w.courses[steps.StageCustomers]; c != nil {
		return c.clients
	}
	return nil
}

// busy tells whether something at customers, or in the app for them, has to be
// brought to an end before the person goes elsewhere.
func (c *clients) busy() bool { return c != nil && (c.work.writing() || c.open) }

// atCustomers tells whether that is to be done before the program ends.
func (w *wizard) atCustomers() bool {
	c := w.atClients()
	return c.busy() || c != nil && c.ajar
}

// closing tells whether the sign-in with the app is being closed.
func (w *wizard) closing() bool {
	c := w.atClients()
	return c != nil && c.work.writing() && (c.work.kind.closes() || c.work.phase == closingPhase)
}

// leaveCustomers brings it to an end: what is under way is finished, and the app's
// sign-in is closed.
func (w *wizard) leaveCustomers() tea.Cmd {
	c := w.atClients()
	if c.work.running() {
		c.work.gate.Resume()
		c.work.cancel()
		return nil
	}
	w.revisit(steps.StageCustomers)
	return w.startWork(workClose, workPlace{})
}

// stop ends work at customers and waits for it. An app's sign-in that is open then is
// closed.
func (c *clients) stop(w *wizard, limit <-chan time.Time) {
	if c == nil || c.work == nil {
		return
	}
	x := c.work
	x.gate.Resume()
	x.cancel()
	x.abandon()
	select {
	case <-x.ended:
	case <-limit:
		return
	}
	c.stopped = true
	if x.kind.writes() {
		c.open, c.ajar = x.came.open, x.came.close != nil
	}
	if !c.open && !c.ajar {
		return
	}
	p := workPlace{setup: w.cfg.Setup, clientele: c.clientele, gate: &steps.Gate{}, tell: func(clientItem) {}}
	done := make(chan workEnd, 1)
	go func() { done <- p.closed(w.ctx, workEnd{}) }()
	select {
	case end := <-done:
		c.open, c.ajar = false, end.close != nil
	case <-limit:
	}
}

// worked takes news of work at customers, whichever screen is open.
func (a *App) worked(msg clientsMsg) tea.Cmd {
	c := a.w.atClients()
	if c == nil || msg.work != c.work {
		return nil
	}
	for _, i := range msg.items {
		c.take(i, a.w.now)
	}
	if !c.work.over {
		return c.work.next()
	}
	a.hush()
	if a.leaving {
		if c.open || c.ajar && !c.work.kind.closes() {
			return a.w.leaveCustomers()
		}
		return tea.Batch(a.w.saveAnswers(), tea.Quit)
	}
	if relist := c.work.end.relist; relist != nil && a.w.clients == c {
		a.w.findings = relist.Findings
	}
	if s, ok := a.screen.(*customers); ok {
		s.worked(c.work)
	}
	return tea.Batch(a.w.saveAnswers(), c.rematch())
}
