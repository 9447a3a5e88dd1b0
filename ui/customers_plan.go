package ui

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// clientPlan shows what is written at customers before it is: a line for each, and
// each write in full.
type clientPlan struct {
	still
	s      *customers
	kind   workKind
	plan   *steps.CustomersPlan
	keys   clientPlanKeys
	rows   []clientPlanRow
	list   *picker
	writes int
	at     int      // customers written to
	alone  []alikes // what is left alone, once for all of whom the same is said
	left   int      // things left alone
	leftAt int      // customers where they are
	out    []alikes // customers left out, by the reason
	outAt  int      // how many
	may    bool     // policies are to be changed where they are in the way, and can be
	made   map[int]steps.Plan

	opened steps.Plan // of the customer that is open
	title  string
	why    string   // nothing is written there; empty when something is, or has not to be
	do     string   // about that
	notes  []string // what is told of it besides
	within *picker  // its writes and notes; nil when none is open
	full   *plan    // one write in full; nil when none is
}

// clientPlanRow is a line: the app's sign-in, a customer, the heading of those
// nothing is written at, or the button.
type clientPlanRow struct {
	app      bool
	customer int // place in the plan
	head     string
	button   bool
}

type clientPlanKeys struct {
	Apply, Press, Open, Leave key.Binding
	move                      moveKeys
}

func newClientPlan(s *customers, p *steps.CustomersPlan, kind workKind) *clientPlan {
	v := &clientPlan{
		s: s, plan: p, kind: kind, may: s.w.customersAnswers().Exclude && s.w.mayExclude(), list: newPicker(nil), made: map[int]steps.Plan{},
		keys: clientPlanKeys{
			Apply: bind("A", "apply", "A"), Press: bind("enter", "apply", "enter"), Open: bind("enter", "show", "enter"),
			Leave: bind("n", "leave it as it is", "n"), move: newMoveKeys(),
		},
	}
	v.writes, v.at = p.Writes()
	if len(v.app().Changes) > 0 {
		v.rows = append(v.rows, clientPlanRow{app: true})
	}
	var none []clientPlanRow
	for i, c := range p.Customers {
		if n := len(c.Shield.Notes); n > 0 {
			v.left, v.leftAt = v.left+n, v.leftAt+1
			v.alone = s.w.clients.addNotes(v.alone, c.Customer, c.Shield.Notes)
		}
		if c.Skipped != "" && c.Shield.Shade != steps.Green {
			v.outAt++
			v.out = addAlike(v.out, sentence(c.Skipped), s.w.clients.mapping.Find(c.Customer.TenantID))
		}
		if c.Writes() > 0 {
			v.rows = append(v.rows, clientPlanRow{customer: i})
		} else {
			none = append(none, clientPlanRow{customer: i})
		}
	}
	if len(none) > 0 {
		v.rows = append(append(v.rows, clientPlanRow{head: "Nothing is written at " + count(len(none), "customer", "customers")}), none...)
	}
	if !v.empty() {
		v.rows = append(v.rows, clientPlanRow{button: true})
	}
	v.list.SetRows(make([]row, len(v.rows)))
	if v.row().head != "" {
		v.list.Move(1)
	}
	v.settle()
	return v
}

// opens tells whether somebody has to sign in with the app.
func (v *clientPlan) opens() bool {
	return v.kind == workConsent && v.s.w.clients.clientele.Findings.App != nil && (v.plan.Consents() || v.plan.Untried())
}

// empty tells whether nothing at all is written.
func (v *clientPlan) empty() bool { return v.writes+len(v.app().Changes) == 0 }

// app is what is written in the partner's own tenant.
func (v *clientPlan) app() steps.Plan {
	a := v.s.w.clients.clientele.App
	p := a.Left
	switch {
	case v.kind == workExclude, v.kind == workTidy && v.s.w.clients.ajar:
		p = a.Close
	case v.opens():
		p = a.Open
		p.Changes = a.Lines()
	}
	return p
}

func (v *clientPlan) row() clientPlanRow {
	if at := v.list.Current(); at >= 0 && at < len(v.rows) {
		return v.rows[at]
	}
	return clientPlanRow{head: " "}
}

func (v *clientPlan) settle() {
	r := v.row()
	v.keys.Apply.SetEnabled(!v.empty() && v.within == nil)
	v.keys.Leave.SetEnabled(v.kind == workExclude && v.within == nil)
	v.keys.Press.SetEnabled(v.within == nil && r.button)
	v.keys.Open.SetEnabled(v.full == nil && (v.within == nil && !r.button && r.head == "" || v.within != nil && v.write() >= 0))
}

func (v *clientPlan) Keys() help.KeyMap {
	return keyList{v.keys.Press, v.keys.Open, v.keys.Apply, v.keys.Leave}
}

// write is the write under the cursor at the customer that is open; -1 when it is a
// note.
func (v *clientPlan) write() int {
	if at := v.within.Current(); at < len(v.opened.Changes) {
		return at
	}
	return -1
}

func (v *clientPlan) escape() bool {
	defer v.settle()
	switch {
	case v.full != nil:
		v.full = nil
	case v.within != nil:
		v.within = nil
	case v.kind == workExclude: // the app's sign-in is open: it is closed, whatever else
		v.s.w.say("!", "The app's sign-in is still open. A writes this, n leaves it as it is; either closes it.")
	default:
		v.s.w.say("•", "Nothing was written.")
		return true
	}
	return false
}

func (v *clientPlan) press(msg tea.KeyPressMsg) tea.Cmd {
	defer v.settle()
	switch {
	case v.full != nil:
		v.full.scroll.Update(msg, v.keys.move)
	case v.within != nil && pressed(msg, &v.keys.Open):
		v.full = &plan{w: v.s.w, plan: v.opened, opened: &v.opened.Changes[v.write()]}
	case v.within != nil:
		v.within.Update(msg, v.keys.move)
	case pressed(msg, &v.keys.Apply), pressed(msg, &v.keys.Press):
		return v.apply()
	case pressed(msg, &v.keys.Leave):
		v.s.pop()
		return v.s.start(workClose, workPlace{})
	case pressed(msg, &v.keys.Open):
		v.open()
	default:
		v.list.Update(msg, v.keys.move)
	}
	return nil
}

// apply begins to write.
func (v *clientPlan) apply() tea.Cmd {
	v.s.pop()
	v.s.w.wrote = true
	if v.kind != workTidy {
		v.s.w.agreeConsent()
	}
	return v.s.start(v.kind, workPlace{plan: v.plan, tenants: v.tenants(), opens: v.opens()})
}

// tenants are the customers something is written at.
func (v *clientPlan) tenants() []string {
	var out []string
	for _, c := range v.plan.Customers {
		if c.Writes() > 0 {
			out = append(out, c.Customer.TenantID)
		}
	}
	return out
}

// of is the plan of a customer, worked out once.
func (v *clientPlan) of(i int) steps.Plan {
	p, known := v.made[i]
	if !known {
		p = v.plan.Customers[i].Plan()
		v.made[i] = p
	}
	return p
}

func (v *clientPlan) open() {
	r := v.row()
	if r.app {
		v.opened, v.title, v.notes, v.why, v.do = v.app(), "The app's own sign-in", nil, "", ""
	} else {
		v.why, v.do = v.refusal(r.customer)
		v.opened, v.title = v.of(r.customer), shownName(v.plan.Customers[r.customer].Customer)
		v.notes = v.told(r.customer, v.opened.Notes)
	}
	v.within = newPicker(make([]row, len(v.opened.Changes)+len(v.notes)))
}

// refusal says why nothing is written at a customer though something is missing there,
// and what to do about it.
func (v *clientPlan) refusal(i int) (why, do string) {
	c := v.plan.Customers[i]
	switch {
	case c.Skipped == "":
		return "", ""
	case alike(c.Skipped, c.Shield.Reason):
		do = c.Shield.Fix
	}
	for _, p := range c.Shield.Checks {
		if do == "" && alike(c.Skipped, p.Evidence) {
			do = p.Fix
		}
	}
	return sentence(c.Skipped), v.s.w.clients.fix(do)
}

// told is what is said of a customer besides its writes: what is left alone there,
// and what is behind a write.
func (v *clientPlan) told(i int, notes []steps.Note) []string {
	out := slices.Clip(v.plan.Customers[i].Shield.Notes)
	for _, n := range notes {
		if n.Done { // the shield does not tell it
			out = append(out, n.Text)
		}
	}
	return out
}

// intro says what the plan comes to.
func (v *clientPlan) intro() string {
	text := v.sums()
	if v.left > 0 {
		text += " " + leftAlone(v.left, v.leftAt) + ": enter shows them."
	}
	return text
}

// longestReason is how many lines a reason takes above a plan.
const longestReason = 3

// reasons say who is left out and what is left alone, as far as there is room.
func (v *clientPlan) reasons(f Frame) []string {
	var out []string
	said := v.alone
	if v.writes > 0 { // else those left out stand below, and nothing else does
		said = append(slices.Clip(v.out), said...)
	}
	for n := range said {
		most := longestReason
		if n < len(said)-len(v.alone) { // the rows have it in full
			most = 1
		}
		more := wrap(said[n].who(v.s.w.clients)+": "+said[n].text, f.Width-2)
		if len(more) > most {
			more = more[:most]
			more[most-1] = clip(more[most-1]+" …", f.Width-2)
		}
		if len(out)+len(more) > max(f.Height/3, longestReason) {
			break
		}
		for _, l := range more {
			out = append(out, "  "+f.Theme.Warn.Render(l))
		}
	}
	return out
}

func (v *clientPlan) sums() string {
	switch {
	case v.kind == workTidy && !v.empty():
		return count(len(v.app().Changes), "write in your own tenant closes", "writes in your own tenant close") + " the app's own sign-in, which was left open. Nothing else is written."
	case v.empty():
		return "There is nothing to write" + v.nothing()
	case v.writes == 0 && v.opens():
		return "Nothing is written at customers. " + steps.UpperFirst(count(len(v.app().Changes), "write", "writes")) + " in your own tenant open and close the app's own sign-in, to look at what only the app can see. A browser opens for it."
	case v.kind == workExclude:
		return fmt.Sprintf("Seen as the app: %s at %s, such as a policy that keeps you out. An exclusion is for service providers of your tenant alone, and can be taken back.", count(v.writes, "more write", "more writes"), count(v.at, "customer", "customers"))
	}
	text := fmt.Sprintf("%s at %s.", count(v.writes, "write", "writes"), count(v.at, "customer", "customers"))
	if all := len(v.plan.Customers); v.outAt > 0 {
		text = fmt.Sprintf("%s at %s of %s; %s left out, see below.", count(v.writes, "write", "writes"), number(v.at), count(all, "customer", "customers"), count(v.outAt, "is", "are"))
	}
	if n := len(v.app().Changes); n > 0 {
		text += " " + count(n, "write", "writes") + " in your own tenant."
	}
	if v.opens() {
		text += " A browser opens for a sign-in with the app itself."
	}
	switch roles, _ := v.plan.Later(); {
	case !v.opens():
	case v.may:
		text += " Conditional Access is looked at after that, and shown before any of it is changed."
	case roles > 0:
		text += " The app's roles are looked at after that, and shown before one is given."
	}
	return text
}

// nothing says why nothing is written.
func (v *clientPlan) nothing() string {
	for i := range v.plan.Customers {
		if v.plan.Customers[i].Skipped != "" {
			return ": look below for the reason at each customer."
		}
	}
	if v.left > 0 {
		return "."
	}
	return ": every customer holds what was chosen."
}

func lowerOf(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return strings.ToLower(s[:size]) + s[size:]
}

func (v *clientPlan) View(f Frame) []string {
	switch {
	case v.full != nil:
		return v.full.full(f)
	case v.within != nil:
		return v.inside(f)
	}
	head := append(f.Theme.lines(f.Theme.Plain, v.intro(), f.Width), v.reasons(f)...)
	return append(head, f.sized(f.Width, f.Height-len(head)).split(5, v.table, v.details)...)
}

func (v *clientPlan) table(f Frame) []string {
	t := f.Theme
	return f.list(v.list, func(i int, current bool, w int) string {
		r := v.rows[i]
		lead := t.cursorAt(current)
		switch {
		case r.app:
			return ends(lead+t.row(clip("Your own tenant: the app's own sign-in, "+map[bool]string{true: "opened and closed", false: "closed"}[v.opens()], w-14), current), t.Muted.Render(count(len(v.app().Changes), "write", "writes")), w)
		case r.head != "":
			return lead + t.Strong.Render(clip(r.head, w-2))
		case r.button:
			text := "[ Apply " + count(v.writes+len(v.app().Changes), "write", "writes") + " ]"
			if current {
				return lead + t.Badge.Render(text)
			}
			return lead + t.Accent.Render(text)
		}
		c := v.plan.Customers[r.customer]
		right := count(c.Writes(), "write", "writes")
		if c.Writes() == 0 {
			right = name(c.Skipped, "complete")
			if n := len(c.Shield.Notes); n > 0 && c.Skipped == "" {
				right = thingsLeft(n)
			}
		}
		right = clip(right, w/2)
		return ends(lead+t.row(clip(shownName(c.Customer), w-4-len([]rune(right))), current), t.Muted.Render(right), w)
	})
}

func (v *clientPlan) details(f Frame) []string {
	t, r := f.Theme, v.row()
	switch {
	case r.app && v.kind == workTidy:
		return t.lines(t.Plain, "A client secret, and the way back to this computer, are taken away from the app. A sign-in in Rewst does not need them. enter shows each.", f.Width)
	case r.app:
		return t.lines(t.Plain, "Partner Center takes a consent only from the app itself. For that a way back to this computer and a secret for a day are added to the app, and both are taken away again at the end. enter shows each.", f.Width)
	case r.button && v.kind != workTidy:
		return t.lines(t.Plain, "Rewst's shields still have to be pressed afterwards.", f.Width)
	case r.head != "", r.button:
		return nil
	}
	c := v.plan.Customers[r.customer]
	p := v.of(r.customer)
	notes := v.told(r.customer, p.Notes)
	var parts []string
	for _, g := range p.Groups() {
		parts = append(parts, fmt.Sprintf("%s (%d)", g.Title, len(g.Changes)))
	}
	text := strings.Join(parts, ", ") + ". enter shows each write."
	switch {
	case c.Writes() > 0:
	case len(notes) > 0:
		text = name(c.Skipped, thingsLeft(len(notes))+"; enter shows all of it.")
	default:
		text = name(c.Skipped, "Nothing is missing there.")
	}
	lines := t.lines(t.Plain, text, f.Width)
	if _, do := v.refusal(r.customer); do != "" {
		lines = append(lines, f.labelled("Do", do, 4)...)
	}
	for _, note := range notes {
		lines = append(lines, t.lines(t.Muted, note, f.Width)...)
	}
	return lines
}

// inside lists the writes at one customer, and what is left alone there.
func (v *clientPlan) inside(f Frame) []string {
	t, writes := f.Theme, v.opened.Changes
	title := v.title + ": " + count(len(writes), "write", "writes")
	if len(writes) == 0 {
		title = v.title + ": nothing is written"
	}
	if n := len(v.notes); n > 0 {
		title += ", " + count(n, "note", "notes")
	}
	lines := []string{t.Title.Render(clip(title, f.Width)), ""}
	if v.why != "" {
		lines = append(lines, f.labelled("Why", v.why, 8)...)
		if v.do != "" {
			lines = append(lines, f.labelled("Do", v.do, 8)...)
		}
		lines = append(lines, "")
	}
	switch {
	case len(writes)+len(v.notes) > 0:
	case v.why != "":
		return lines
	default:
		return append(lines, t.Muted.Render("Nothing is missing there."))
	}
	at, under := v.write(), 5
	if at < 0 { // a note is longer, and stands nowhere else
		under = f.Height / 2
	}
	lines = append(lines, f.sized(f.Width, f.Height-len(lines)-under).list(v.within, func(i int, current bool, w int) string {
		if i >= len(writes) {
			return t.cursorAt(current) + t.row(clip(v.notes[i-len(writes)], w-2), current)
		}
		return ends(t.cursorAt(current)+t.row(clip(writes[i].Describe(), w-11), current), t.riskWord(writes[i].Risk), w)
	})...)
	lines = append(exactly(lines, f.Height-under), t.Muted.Render(strings.Repeat("─", f.Width)))
	if at < 0 {
		return append(lines, t.lines(t.Plain, v.notes[v.within.Current()-len(writes)], f.Width)...)
	}
	c := writes[at]
	what := t.lines(t.Plain, c.Describe(), f.Width)
	return append(append(lines, what[:min(len(what), 2)]...), t.lines(t.Muted, c.Method+" "+c.Path, f.Width)...)
}
