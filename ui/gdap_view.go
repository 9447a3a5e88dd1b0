package ui

import (
	"slices"
	"strings"

	"msbundle/steps"
)

func (s *gdap) View(f Frame) string {
	t := f.Theme
	switch {
	case s.loading:
		lines := []string{t.Accent.Render(s.w.spin()) + " Looking at the tenant and its customers. Nothing is changed.", ""}
		lines = append(lines, t.lines(t.Muted, "Reads the customers, the relationships with them, the groups and who is in them. This usually takes 5 to 20 seconds, with a thousand customers up to a minute; "+
			elapsed(s.w.now.Sub(s.began))+" so far. The first time Microsoft asks you to allow more than before.", f.Width-2)...)
		if s.wait != nil {
			lines = append(lines, "")
			lines = append(lines, f.waiting(s.w, s.wait)...)
		}
		return f.fill(lines)
	case s.err != nil:
		lines := f.problem(problemOf(s.err))
		return f.fill(append(lines, "", "  "+t.Key.Render("r")+" looks again, "+t.Key.Render("s")+" signs in again, "+t.Key.Render("esc")+" goes back."))
	case s.customers != nil:
		return f.fill(s.customers.View(f, s.w.gdap()))
	case s.roles != nil:
		return f.fill(s.roles.View(f, s.w.gdap()))
	case s.whole:
		return f.fill(s.scroll.View(f, s.details(f.sized(f.Width-2, f.Height))))
	}
	rows := 7
	if f.Height < 17 {
		rows = 4
	}
	return f.fill(f.split(rows, s.lines, func(f Frame) []string {
		lines := s.details(f)
		if len(lines) > f.Height && s.keys.Whole.Enabled() {
			lines = append(lines[:max(f.Height-1, 0)], t.Key.Render("v")+t.Muted.Render(" shows the whole text"))
		}
		return lines
	}))
}

// lines lists the questions, with what was found under them, around the one that
// has focus.
func (s *gdap) lines(f Frame) []string {
	t := f.Theme
	var lines []string
	focus := 0
	checks := slices.IndexFunc(s.items, func(at gdapSpot) bool { return at.item == gdapCheck || at.item == gdapPassed })
	for i, at := range s.items {
		current := at == s.focus
		if i == checks {
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
	if s.w.stale() {
		lines = append(lines, "", "  "+t.Key.Render("enter")+t.Muted.Render(" reads the tenant for this; then the checks are shown here"))
	}
	return f.window(lines, focus)
}

// line draws one line that can have focus.
func (s *gdap) line(t *Theme, at gdapSpot, width int) string {
	current := at == s.focus
	cursor := t.cursorAt(current)
	switch at.item {
	case gdapCheck:
		c := s.check(at.id)
		return cursor + pad(t.row(clip(c.Title, width-21), current), width-20) + t.state(c.State)
	case gdapPassed:
		n := 0
		for _, c := range s.checks {
			if c.State == steps.Passed {
				n++
			}
		}
		return cursor + pad(t.row(count(n, "check", "checks"), current), width-20) + t.state(steps.Passed)
	}
	label := pad(gdapLabel(at.item), readyWidth-2)
	if current {
		label = t.Title.Render(label)
	}
	return cursor + label + s.value(t, at, width-readyWidth)
}

func (s *gdap) value(t *Theme, at gdapSpot, width int) string {
	g := s.w.gdap()
	if f := s.field(at); f != nil {
		return f.View(t, width)
	}
	switch {
	case at.item == gdapRoles:
		return clip(roleTally(g), width)
	case at.item == gdapTable && s.w.stale():
		return t.Muted.Render("not read yet")
	case at.item == gdapTable:
		return clip(customerTally(g, s.views), width)
	case at.item == gdapCustomers && g.File != "":
		return clip("from the file "+g.File, width)
	}
	c, _ := s.w.gdapChoice(at.item)
	return t.choice(width, at == s.focus, c.names, c.at)
}

// notes say under a question what is wrong with the answer, or what it leads to.
func (s *gdap) notes(at gdapSpot, current bool) []note {
	if text := s.w.gdapFault(at.item); text != "" && (s.touched[at] || !current || at.item == gdapTable) {
		return []note{{"✗", sentence(text)}}
	}
	if text := s.w.example(at.item); text != "" && current {
		return []note{{"·", text}}
	}
	return nil
}

func (s *gdap) check(id string) steps.Check {
	i := slices.IndexFunc(s.checks, func(c steps.Check) bool { return c.ID == id })
	if i < 0 {
		return steps.Check{}
	}
	return s.checks[i]
}

// details explains the line that has focus.
func (s *gdap) details(f Frame) []string {
	t, at := f.Theme, s.focus
	title := t.Strong.Render(gdapLabel(at.item))
	switch at.item {
	case gdapCheck:
		return checkDetails(f, s.check(at.id))
	case gdapPassed:
		lines := []string{t.Strong.Render("Passed")}
		for _, c := range s.checks {
			if c.State == steps.Passed {
				lines = append(lines, f.labelled("✓", c.Title+": "+c.Evidence, 2)...)
			}
		}
		return lines
	case gdapTable:
		return append([]string{title}, t.lines(t.Plain,
			"The tenant's customers, with the relationship there is with each and what is proposed. A good relationship is left as it is; none is ever ended. space shows them.", f.Width)...)
	case gdapRoles:
		return append([]string{title}, t.lines(t.Plain, "What Rewst may do at a customer, one group for each role. "+addLater+" space shows them.", f.Width)...)
	case gdapCustomers:
		if s.w.gdap().File != "" {
			return append([]string{title}, t.lines(t.Plain, "The customers are named by a file of the setup. Change it there.", f.Width)...)
		}
	}
	if c, choice := s.w.gdapChoice(at.item); choice {
		lines := t.lines(t.Strong, gdapLabel(at.item)+": "+c.names[c.at], f.Width)
		return append(lines, t.lines(t.Plain, c.each[c.at], f.Width)...)
	}
	q, _ := s.w.gdapText(at.item)
	lines := append([]string{title}, t.lines(t.Plain, q.about, f.Width)...)
	if c := s.check(steps.CheckDelegate); at.item == gdapAccount && c.ID != "" && c.State != steps.Passed {
		lines = append(lines, checkDetails(f, c)[1:]...)
	}
	return lines
}
