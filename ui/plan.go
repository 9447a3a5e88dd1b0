package ui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"msbundle/state"
	"msbundle/steps"
)

// plan shows every write before it happens.
type plan struct {
	w     *wizard
	keys  planKeys
	plan  steps.Plan
	lines []planLine
	list  *picker

	byCustomer bool   // the writes stand under the customers they are about
	critical   int    // writes that grant great power
	later      string // how much waits for customers

	opened *steps.Change // shown in full
	scroll scroller
}

// planLine is one line of the plan: a heading, a write, an offer, a note, or the
// button.
type planLine struct {
	head   string
	count  string
	change *steps.Change
	offer  *steps.Offer
	note   *steps.Note
	button bool
}

type planKeys struct {
	Apply, Press, Open, Tick key.Binding
	Fold, Collapse, Expand   key.Binding
	Other, Sort              key.Binding
	move                     moveKeys
}

func (k *planKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Press, k.Open, k.Tick, k.Fold, k.Apply, k.Sort}
}

func (k *planKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Apply, k.Press, k.Open, k.Tick, k.Fold, k.Collapse, k.Expand, k.Sort, k.Other}, k.move.all()}
}

func newPlan(w *wizard) Screen {
	s := &plan{
		w: w, list: newPicker(nil),
		keys: planKeys{
			Apply:    bind("A", "apply", "A"),
			Press:    bind("enter", "apply", "enter"),
			Open:     bind("enter", "show in full", "enter"),
			Tick:     bind("space", "take or leave", "space"),
			Fold:     bind("space", "close or open", "space", "enter"),
			Collapse: bind("←", "close the group", "left", "h"),
			Expand:   bind("→", "open the group", "right", "l"),
			Other:    bind("s", "sign in as somebody else", "s"),
			Sort:     bind("c", "by customer", "c"),
			move:     newMoveKeys(),
		},
	}
	if w.apply.running() {
		s.plan = w.apply.plan
		s.keys.Apply = bind("A", "back to the progress", "A")
		s.keys.Press.SetHelp("enter", "back to the progress")
	} else {
		s.make()
	}
	s.build()
	s.settle()
	return s
}

// make works the plan out from what was answered and found.
func (s *plan) make() {
	a := s.w.asked()
	s.plan = steps.MakePlan(a, s.w.scope(a), s.w.options())
	s.w.plan = &s.plan
}

func (s *plan) build() {
	at := s.list.Current()
	s.lines, s.critical, s.later = nil, 0, waitsFor(s.plan.Changes)
	for i := range s.plan.Changes {
		if c := &s.plan.Changes[i]; c.Risk == steps.RiskCritical && c.Action != steps.Remove {
			s.critical++
		}
	}
	var rows []row
	group := -1
	add := func(l planLine) {
		if l.head != "" || l.button {
			group++
		}
		s.lines = append(s.lines, l)
		rows = append(rows, row{group: group, head: l.head != ""})
	}
	groups := s.groups()
	many := len(s.plan.Changes) > manyWrites
	for n, g := range groups {
		if at < 0 && many && len(g.Changes) > fewWrites || s.byCustomer {
			s.list.collapsed[n] = true
		}
		add(planLine{head: g.Title, count: count(len(g.Changes), "write", "writes")})
		for i := range g.Changes {
			add(planLine{change: &g.Changes[i]})
		}
	}
	if len(s.plan.Offers) > 0 {
		add(planLine{head: "Offered, only if you tick it", count: count(len(s.plan.Offers), "offer", "offers")})
		for i := range s.plan.Offers {
			add(planLine{offer: &s.plan.Offers[i]})
		}
	}
	if len(s.plan.Notes) > 0 {
		add(planLine{head: "Worth knowing", count: count(len(s.plan.Notes), "note", "notes")})
		for i := range s.plan.Notes {
			add(planLine{note: &s.plan.Notes[i]})
		}
	}
	add(planLine{button: true})
	s.list.SetRows(rows)
	if at < 0 && many {
		s.list.refresh(0)
		return
	}
	if at < 0 {
		at = 1 // the first write, not its heading
		if s.plan.Empty() {
			at = len(rows) - 1
		}
	}
	s.list.Select(min(at, len(rows)-1))
}

// line is the one under the cursor.
func (s *plan) line() planLine {
	if at := s.list.Current(); at >= 0 {
		return s.lines[at]
	}
	return planLine{}
}

func (s *plan) settle() {
	k, l := &s.keys, s.line()
	closed := s.opened == nil
	k.Apply.SetEnabled(closed)
	k.Press.SetEnabled(closed && l.button)
	k.Open.SetEnabled(closed && l.change != nil)
	k.Tick.SetEnabled(closed && !s.w.apply.running() && l.offer != nil)
	k.Fold.SetEnabled(closed && l.head != "")
	k.Collapse.SetEnabled(closed)
	k.Expand.SetEnabled(closed)
	k.Other.SetEnabled(closed && !s.w.apply.running())
	k.Sort.SetEnabled(closed && s.w.stage == steps.StageGDAP && !s.plan.Empty())
}

func (s *plan) Init() tea.Cmd { return nil }

func (s *plan) Update(msg tea.Msg) tea.Cmd {
	press, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return nil
	}
	defer s.settle()
	switch {
	case s.opened != nil:
		s.scroll.Update(press, s.keys.move)
	case pressed(press, &s.keys.Apply), pressed(press, &s.keys.Press):
		s.apply()
	case pressed(press, &s.keys.Open):
		s.open()
	case pressed(press, &s.keys.Tick):
		s.tick()
	case pressed(press, &s.keys.Fold):
		s.list.Collapse(!s.list.Collapsed(s.list.rows[s.list.Current()].group))
	case pressed(press, &s.keys.Collapse):
		s.list.Collapse(true)
	case pressed(press, &s.keys.Expand):
		s.list.Collapse(false)
	case pressed(press, &s.keys.Other):
		s.w.open(pageSignIn)
	case pressed(press, &s.keys.Sort):
		s.sort()
	default:
		s.list.Update(press, s.keys.move)
	}
	return nil
}

func (s *plan) open() {
	s.opened, s.scroll = s.line().change, scroller{}
}

// tick takes or leaves an offer and plans again.
func (s *plan) tick() {
	id := s.line().offer.ID
	s.take(id)
	for i, l := range s.lines { // the offer may have moved
		if l.offer != nil && l.offer.ID == id {
			s.list.Select(i)
		}
	}
}

// take takes an offer, or leaves it again.
func (s *plan) take(id string) {
	s.w.ticked[id] = !s.w.ticked[id]
	s.make()
	s.build()
}

func noteText(n steps.Note) string {
	text := n.Text
	if n.Permission != "" && text == "" {
		text = n.Permission + " is left out"
	}
	if n.Reason != "" {
		text += ": " + n.Reason
	}
	return text
}

func (s *plan) View(f Frame) string {
	if s.opened != nil {
		return f.fill(s.full(f))
	}
	head := f.Theme.lines(f.Theme.Plain, s.intro(), f.Width)
	return f.fill(append(head, f.sized(f.Width, f.Height-len(head)).split(5, s.table, s.details)...))
}

func (s *plan) intro() string {
	switch {
	case s.w.apply.running() && s.w.apply.paused:
		return fmt.Sprintf("Paused: %d of %s done. Nothing is written until it is resumed on the apply screen.", s.w.apply.done, count(len(s.plan.Changes), "write", "writes"))
	case s.w.apply.running():
		return fmt.Sprintf("Being applied just now: %d of %s done. It goes on while you look.", s.w.apply.done, count(len(s.plan.Changes), "write", "writes"))
	case s.plan.Empty() && s.w.stage == steps.StageAuthorize && s.plan.Answers.Registration.Kind == state.KindConnector:
		return "Nothing is written for the connector: Rewst makes it. What was granted to it is read back."
	case s.plan.Empty():
		return "There is nothing to change: the tenant already holds what you chose. It is still read back and proven."
	}
	text := count(len(s.plan.Changes), "write", "writes") + " to " + name(s.plan.TenantName, s.plan.Tenant) + ". Nothing else is changed."
	if s.critical > 0 {
		text += fmt.Sprintf(" %s great power.", count(s.critical, "of them grants", "of them grant"))
	}
	return text + s.later
}

func (s *plan) table(f Frame) []string {
	t := f.Theme
	head := t.Muted.Render(ends("", "Risk    ", f.Width-2))
	return append([]string{head}, f.sized(f.Width, f.Height-1).list(s.list, func(i int, current bool, w int) string {
		l := s.lines[i]
		line := t.cursorAt(current)
		switch {
		case l.head != "":
			mark := "▾ "
			if s.list.Collapsed(s.list.rows[i].group) {
				mark = "▸ "
			}
			return line + t.Accent.Render(mark) + t.Strong.Render(clip(l.head, w-20)) + t.Muted.Render("  "+l.count)
		case l.change != nil:
			right := t.riskWord(l.change.Risk)
			return ends(line+"  "+t.row(clip(l.change.Describe(), w-13), current), right, w)
		case l.offer != nil:
			return ends(line+"  "+t.tick(s.w.ticked[l.offer.ID])+" "+t.row(clip(l.offer.Title, w-17), current), t.riskWord(l.offer.Risk), w)
		case l.note != nil:
			return line + "  " + t.row(clip(noteText(*l.note), w-4), current)
		}
		return line + s.button(t, current)
	})...)
}

func (s *plan) button(t *Theme, current bool) string {
	text := "Apply " + count(len(s.plan.Changes), "write", "writes")
	switch {
	case s.w.apply.running():
		text = "Back to the progress"
	case s.plan.Empty():
		text = "Read back and prove it"
	}
	if current {
		return t.Badge.Render("[ " + text + " ]")
	}
	return t.Accent.Render("[ " + text + " ]")
}

// riskWord rates a write in a column of its own.
func (t *Theme) riskWord(r steps.Risk) string {
	text := pad(r.String(), 8)
	switch r {
	case steps.RiskCritical:
		return t.Bad.Render(text)
	case steps.RiskHigh:
		return t.Warn.Render(text)
	}
	return t.Muted.Render(text)
}

func (s *plan) details(f Frame) []string {
	t, l := f.Theme, s.line()
	switch {
	case l.change != nil:
		lines := t.lines(t.Strong, l.change.Describe(), f.Width)
		lines = append(lines, t.lines(t.Plain, l.change.Why, f.Width)...)
		last := wrap(undoWord(*l.change)+" enter shows all of it.", f.Width)
		if room := f.Height - len(last); len(lines) > room {
			lines = lines[:max(room, 0)]
		}
		for _, s := range last {
			lines = append(lines, undoStyle(t, *l.change).Render(s))
		}
		return lines
	case l.offer != nil:
		return t.lines(t.Plain, l.offer.Why, f.Width)
	case l.note != nil:
		return t.lines(t.Plain, noteText(*l.note), f.Width)
	case l.button:
		if h, makes := makes(s.plan); makes {
			return t.lines(t.Plain, "The "+h.title+" is shown on the last screen, once. "+keepSecret, f.Width)
		}
		return t.lines(t.Plain, "Afterwards everything is read back until it is found right three times in a row.", f.Width)
	}
	return t.lines(t.Muted, "space closes and opens the group", f.Width)
}

// makes tells which secret a plan leads to, to be handed over at the end.
func makes(p steps.Plan) (handing, bool) {
	for _, c := range p.Changes {
		switch {
		case c.Kind == steps.KindSecret && c.Action == steps.Create:
			return clientSecret, true
		case c.Kind == steps.KindPassword, c.Kind == steps.KindUser && c.Action == steps.Create && strings.Contains(string(c.Body), steps.Generated):
			return password, true
		}
	}
	return handing{}, false
}

const keepSecret = "Have the place you keep it at hand."

func undoWord(c steps.Change) string {
	if c.Reversible {
		return "Can be undone."
	}
	return "! Cannot be undone."
}

func undoStyle(t *Theme, c steps.Change) lipgloss.Style {
	if c.Reversible {
		return t.Muted
	}
	return t.Warn
}

// full shows one write to the last letter.
func (s *plan) full(f Frame) []string {
	t, c := f.Theme, *s.opened
	head := t.lines(t.Title, c.Describe(), f.Width)
	head = append(head, "")
	in := f.sized(f.Width-2, f.Height)
	var lines []string
	lines = append(lines, in.labelled("Why", c.Why, 12)...)
	lines = append(lines, in.labelled("Difference", s.difference(c), 12)...)
	lines = append(lines, in.labelled("Risk", c.Risk.String(), 12)...)
	lines = append(lines, t.Muted.Render(pad("Undo", 12))+undoStyle(t, c).Render(undoWord(c)))
	lines = append(lines, in.labelled("Method", c.Method, 12)...)
	lines = append(lines, in.labelled("Path", c.Path, 12)...)
	if ids := s.plan.Meanings(c); len(ids) > 0 {
		lines = append(lines, "", t.Strong.Render("What the ids stand for"))
		for _, m := range ids {
			lines = append(lines, wrap(m.Name+": "+m.ID, in.Width)...)
		}
	}
	if len(c.Body) > 0 {
		lines = append(lines, "", t.Strong.Render("Body"))
		lines = append(lines, pretty(c.Body, in.Width)...)
	}
	if len(c.Before) > 0 {
		lines = append(lines, "", t.Strong.Render("As it is now"))
		lines = append(lines, pretty(c.Before, in.Width)...)
	}
	return append(head, s.scroll.View(f.sized(f.Width, f.Height-len(head)), lines)...)
}

func (s *plan) closes() bool { return s.opened != nil }

func (s *plan) escape() {
	s.opened = nil
	s.settle()
}

// apply goes on to the writing, and asks first when a role is taken away that
// carries everything.
func (s *plan) apply() {
	i := slices.IndexFunc(s.plan.Changes, func(c steps.Change) bool { return len(c.Proves) > 0 })
	if i < 0 || s.w.apply.running() {
		s.w.open(pageApply)
		return
	}
	s.w.ask = &question{
		title: s.plan.Changes[i].Describe() + "?",
		text:  "The roles that stay are proven first. Authorising in Rewst anew takes Global Administrator back: choose the roles for setting up then.",
		yes:   "apply", no: "stay", agree: func() tea.Cmd { s.w.open(pageApply); return nil },
	}
}

func (s *plan) Keys() help.KeyMap { return &s.keys }
func (s *plan) Close()            {}
