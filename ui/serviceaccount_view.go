package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"msbundle/steps"
)

func (s *account) View(f Frame) string {
	t := f.Theme
	switch {
	case s.loading:
		lines := []string{t.Accent.Render(s.w.spin()) + " Looking at the tenant. Nothing is changed.", ""}
		lines = append(lines, t.lines(t.Muted, "Reads the account, its roles and what it can sign in with, the Conditional Access policies, and Azure where it is asked for. This usually takes 5 to 20 seconds; "+
			elapsed(s.w.now.Sub(s.began))+" so far. The first time Microsoft asks you to allow more than before.", f.Width-2)...)
		if s.wait != nil {
			lines = append(lines, "")
			lines = append(lines, f.waiting(s.w, s.wait)...)
		}
		return f.fill(lines)
	case s.err != nil:
		lines := f.problem(problemOf(s.err))
		return f.fill(append(lines, "", "  "+t.Key.Render("r")+" looks again, "+t.Key.Render("s")+" signs in again, "+t.Key.Render("esc")+" goes back."))
	case s.policies != nil:
		return f.fill(s.policies.View(f))
	}
	if s.whole {
		return f.fill(s.scroll.View(f, s.details(f.sized(f.Width-2, f.Height))))
	}
	rows := 7
	if f.Height < 17 {
		rows = 5
	}
	return f.fill(f.split(rows, s.form, func(f Frame) []string {
		lines := s.details(f)
		if len(lines) > f.Height && s.keys.Whole.Enabled() {
			lines = append(lines[:max(f.Height-1, 0)], t.Key.Render("v")+t.Muted.Render(" shows the whole text"))
		}
		return lines
	}))
}

// readyWidth is the room for the names of the questions; those of a part stand a
// little to the right of its head.
const readyWidth, readyIndent = 22, 2

// form lists the questions, with what was found under them, around the one that
// has focus.
func (s *account) form(f Frame) []string {
	t := f.Theme
	var lines []string
	focus := 0
	for _, at := range s.items {
		current := at == s.focus
		head := slices.Contains(heads, at.item)
		switch {
		case head && len(lines) > 0:
			lines = append(lines, "")
		case at == s.firstCheck():
			lines = append(lines, "", t.Muted.Render("  Checks"))
		}
		if current {
			focus = len(lines)
		}
		lines = append(lines, s.line(t, at, f.Width-2))
		for _, note := range s.notes(at, current) {
			for n, l := range wrap(note.text, f.Width-2-readyWidth-2) {
				mark := "  "
				if n == 0 {
					mark = note.style(t).Render(note.mark) + " "
				}
				lines = append(lines, strings.Repeat(" ", readyWidth)+mark+note.style(t).Render(l))
			}
		}
	}
	if s.stale() {
		lines = append(lines, "", "  "+t.Key.Render("enter")+t.Muted.Render(" reads the tenant for this; then the checks are shown here"))
	}
	return f.window(lines, focus)
}

// window shows the lines around one of them, with marks where more lie outside.
func (f Frame) window(lines []string, focus int) []string {
	from := min(max(focus-f.Height/2, 0), max(len(lines)-f.Height, 0))
	s := scroller{top: from}
	return s.View(f, lines)
}

func (s *account) firstCheck() spot {
	i := slices.IndexFunc(s.items, func(at spot) bool { return at.item == readyCheck || at.item == readyPassed })
	if i < 0 {
		return spot{item: -1}
	}
	return s.items[i]
}

// line draws one line that can have focus.
func (s *account) line(t *Theme, at spot, width int) string {
	current := at == s.focus
	cursor := t.cursorAt(current)
	switch at.item {
	case readyOffer:
		o := s.offer(at.id)
		return cursor + strings.Repeat(" ", readyWidth-2) + t.tick(s.w.ticked[at.id]) + " " + t.row(clip(o.Title, width-readyWidth-4), current)
	case readyCheck:
		c := s.check(at.id)
		return cursor + pad(t.row(clip(c.Title, width-21), current), width-20) + t.state(c.State)
	case readyPassed:
		n := 0
		for _, c := range s.checks {
			if c.State == steps.Passed {
				n++
			}
		}
		return cursor + pad(t.row(count(n, "check", "checks"), current), width-20) + t.state(steps.Passed)
	}
	head := slices.Contains(heads, at.item)
	indent := ""
	if !head {
		indent = strings.Repeat(" ", readyIndent)
	}
	label := pad(indent+readyLabel(at.item), readyWidth-2)
	switch {
	case current:
		label = t.Title.Render(label)
	case head:
		label = t.Strong.Render(label)
	}
	return cursor + label + s.value(t, at, width-readyWidth)
}

func (s *account) value(t *Theme, at spot, width int) string {
	if f := s.field(at); f != nil {
		return f.View(t, width)
	}
	if at.item == readyPolicies {
		return clip(policyTally(s.views), width)
	}
	c, _ := s.w.readyChoice(at.item)
	return t.choice(width, at == s.focus, c.names, c.at)
}

// note is a line under a question.
type note struct{ mark, text string }

func (n note) style(t *Theme) lipgloss.Style {
	switch n.mark {
	case "✗":
		return t.Bad
	case "!":
		return t.Warn
	case "✓":
		return t.Good
	}
	return t.Muted
}

// notes say under a question what was found, and what is wrong with the answer.
func (s *account) notes(at spot, current bool) []note {
	a := s.w.asked()
	if text := s.w.readyFault(a, at.item); text != "" && (s.touched[at] || !current) {
		return []note{{"✗", sentence(text)}}
	}
	switch {
	case at.item == readyUser && !s.w.stale():
		mark, text := s.w.found()
		return []note{{mark, text}}
	case at.item == readyAccess && a.ConditionalAccess != nil:
		if text, none := s.w.noAccess(); none {
			return []note{{"•", text}}
		}
	case at.item == readyAzure && a.Azure != nil && !s.w.stale():
		mark, text := s.w.foundAzure()
		return []note{{mark, text}}
	case at.item == readyInsist && s.w.insist != "" && s.w.insist == s.w.tenantName():
		return []note{{"!", "Global Administrator will be taken away all the same."}}
	}
	return nil
}

func (s *account) offer(id string) steps.Offer {
	for _, o := range s.offers {
		if o.ID == id {
			return o
		}
	}
	return steps.Offer{}
}

func (s *account) check(id string) steps.Check {
	for _, c := range s.checks {
		if c.ID == id {
			return c
		}
	}
	return steps.Check{}
}

// details explains the line that has focus.
func (s *account) details(f Frame) []string {
	t, at := f.Theme, s.focus
	switch at.item {
	case readyOffer:
		o := s.offer(at.id)
		return append(t.lines(t.Strong, o.Title, f.Width), t.lines(t.Plain, o.Why, f.Width)...)
	case readyCheck:
		return checkDetails(f, s.check(at.id))
	case readyPassed:
		lines := []string{t.Strong.Render("Passed")}
		for _, c := range s.checks {
			if c.State == steps.Passed {
				lines = append(lines, f.labelled("✓", c.Title+": "+c.Evidence, 2)...)
			}
		}
		return lines
	case readyPolicies:
		return append([]string{t.Strong.Render(readyLabel(at.item))}, t.lines(t.Plain,
			"The tenant's Conditional Access policies: which of them reach the account, what they ask for, and what is proposed. space shows them.", f.Width)...)
	}
	if c, choice := s.w.readyChoice(at.item); choice {
		if c.at < 0 {
			return []string{t.Strong.Render(readyLabel(at.item))}
		}
		lines := t.lines(t.Strong, readyLabel(at.item)+": "+c.names[c.at], f.Width)
		return append(lines, t.lines(t.Plain, c.each[c.at], f.Width)...)
	}
	lines := []string{t.Strong.Render(readyLabel(at.item))}
	lines = append(lines, t.lines(t.Plain, s.w.readyText(at.item).about, f.Width)...)
	if at.item == readyUser {
		if c := s.check(steps.CheckServiceAccount); c.ID != "" && c.State != steps.Passed {
			lines = append(lines, checkDetails(f, c)[1:]...)
		}
	}
	if at.item == readyInsist {
		if c := s.check(steps.CheckStepDown); c.ID != "" {
			lines = append(lines, f.labelled("Seen", c.Evidence, 8)...)
		}
	}
	return lines
}

func checkDetails(f Frame, c steps.Check) []string {
	t := f.Theme
	lines := t.lines(t.Strong, c.Title, f.Width)
	lines = append(lines, f.labelled("Seen", c.Evidence, 8)...)
	if c.Fix != "" {
		lines = append(lines, f.labelled("Do", c.Fix, 8)...)
	}
	return lines
}

// policyList shows the tenant's Conditional Access policies as the account meets
// them.
type policyList struct {
	views []steps.PolicyView
	list  *picker
}

func newPolicyList(views []steps.PolicyView) *policyList {
	return &policyList{views, newPicker(make([]row, len(views)))}
}

func (p *policyList) Update(msg tea.KeyPressMsg, k moveKeys) { p.list.Update(msg, k) }

func (p *policyList) View(f Frame) []string {
	t := f.Theme
	head := t.lines(t.Plain, policyTally(p.views)+". Nothing is changed before you have seen the plan. esc goes back to the questions.", f.Width)
	head = append(head, "")
	rest := f.sized(f.Width, f.Height-len(head))
	return append(head, rest.split(8, p.table, p.details)...)
}

func (p *policyList) table(f Frame) []string {
	t := f.Theme
	return f.list(p.list, func(i int, current bool, w int) string {
		v := p.views[i]
		reaches, _, _ := strings.Cut(v.Reaches, ":")
		mark := t.Muted.Render("· " + pad("not reached", 14))
		if reaches != "No" {
			mark = t.Plain.Render("→ " + pad("reaches it", 14))
		}
		return t.cursorAt(current) + pad(t.row(clip(v.Name, w-33), current), w-32) + mark + t.Muted.Render(pad(v.State, 14))
	})
}

func (p *policyList) details(f Frame) []string {
	t, at := f.Theme, p.list.Current()
	if at < 0 {
		return nil
	}
	v := p.views[at]
	name := v.Name
	if v.Managed {
		name += " (Microsoft's own)"
	}
	lines := t.lines(t.Strong, name, f.Width)
	lines = append(lines, f.labelled("Reaches", v.Reaches, 10)...)
	lines = append(lines, f.labelled("Does", v.Does, 10)...)
	return append(lines, f.labelled("Proposal", v.Proposal, 10)...)
}
