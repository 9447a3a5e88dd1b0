package ui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"msbundle/steps"
)

func (s *form) View(f Frame) string {
	t := f.Theme
	if !s.looked() {
		return f.fill(s.lines(f, s.page.reads(), "The first time Microsoft asks you to allow more than before."))
	}
	if s.front != nil {
		return f.fill(s.front.View(f))
	}
	rows := 7
	if f.Height < 17 {
		rows = 5
	}
	return f.fill(f.split(rows, s.list, func(f Frame) []string {
		lines := s.details(f)
		if len(lines) > f.Height && s.keys.Whole.Enabled() {
			lines = append(lines[:max(f.Height-1, 0)], t.Key.Render("v")+t.Muted.Render(" shows the whole text"))
		}
		return lines
	}))
}

// formWidth is the room for the names of the questions; those of a part stand a
// little to the right of its head.
const formWidth, formIndent = 22, 2

// list shows the questions, with what was found under them, around the one that has
// focus.
func (s *form) list(f Frame) []string {
	t := f.Theme
	var lines []string
	focus := 0
	checks := slices.IndexFunc(s.items, func(at spot) bool { return at.item == formCheck || at.item == formPassed })
	for i, at := range s.items {
		current := at == s.focus
		switch {
		case slices.Contains(heads, at.item) && len(lines) > 0:
			lines = append(lines, "")
		case i == checks:
			lines = append(lines, "", t.Muted.Render("  Checks"))
		}
		if current {
			focus = len(lines)
		}
		lines = append(lines, s.line(t, at, f.Width-2))
		for _, note := range s.notesAt(at, current) {
			for n, l := range wrap(note.text, f.Width-2-formWidth-2) {
				mark := "  "
				if n == 0 {
					mark = note.style(t).Render(note.mark) + " "
				}
				lines = append(lines, strings.Repeat(" ", formWidth)+mark+note.style(t).Render(l))
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

// line draws one line that can have focus.
func (s *form) line(t *Theme, at spot, width int) string {
	current := at == s.focus
	cursor := t.cursorAt(current)
	switch at.item {
	case formOffer:
		o := s.offer(at.id)
		return cursor + strings.Repeat(" ", formWidth-2) + t.tick(s.w.ticked[at.id]) + " " + t.row(clip(o.Title, width-formWidth-4), current)
	case formCheck:
		c := s.check(at.id)
		return cursor + pad(t.row(clip(c.Title, width-21), current), width-20) + t.state(c.State)
	case formPassed:
		return cursor + pad(t.row(count(s.passed(), "check", "checks"), current), width-20) + t.state(steps.Passed)
	}
	head, label := slices.Contains(heads, at.item), s.page.label(at.item)
	if !head && slices.Contains(heads, s.items[0].item) {
		label = strings.Repeat(" ", formIndent) + label
	}
	label = pad(label, formWidth-2)
	switch {
	case current:
		label = t.Title.Render(label)
	case head:
		label = t.Strong.Render(label)
	}
	return cursor + label + s.answerOf(t, at, width-formWidth)
}

func (s *form) answerOf(t *Theme, at spot, width int) string {
	if f := s.field(at); f != nil {
		return f.View(t, width)
	}
	if c, ok := s.page.choice(at.item); ok {
		return t.choice(width, at == s.focus, c.names, c.at)
	}
	return s.page.value(t, at.item, width)
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

// notesAt say under a question what is wrong with the answer, or what was found. A
// text is not found fault with while it is typed for the first time.
func (s *form) notesAt(at spot, current bool) []note {
	_, typed := s.page.text(at.item)
	if text := s.page.fault(s.w.asked(), at.item); text != "" && (s.touched[at] || !current || !typed) {
		return []note{{"✗", sentence(text)}}
	}
	return s.page.notes(at, current)
}

func (s *form) offer(id string) steps.Offer {
	at := slices.IndexFunc(s.offers, func(o steps.Offer) bool { return o.ID == id })
	if at < 0 {
		return steps.Offer{}
	}
	return s.offers[at]
}

func (s *form) check(id string) steps.Check {
	at := slices.IndexFunc(s.checks, func(c steps.Check) bool { return c.ID == id })
	if at < 0 {
		return steps.Check{}
	}
	return s.checks[at]
}

// details explains the line that has focus.
func (s *form) details(f Frame) []string {
	t, at := f.Theme, s.focus
	switch at.item {
	case formOffer:
		o := s.offer(at.id)
		return append(t.lines(t.Strong, o.Title, f.Width), t.lines(t.Plain, o.Why, f.Width)...)
	case formCheck:
		return checkDetails(f, s.check(at.id))
	case formPassed:
		lines := []string{t.Strong.Render("Passed")}
		for _, c := range s.checks {
			if c.State == steps.Passed {
				lines = append(lines, f.labelled("✓", c.Title+": "+c.Evidence, 2)...)
			}
		}
		return lines
	}
	label := s.page.label(at.item)
	if c, ok := s.page.choice(at.item); ok && c.at >= 0 {
		return append(t.lines(t.Strong, label+": "+c.names[c.at], f.Width), t.lines(t.Plain, c.each[c.at], f.Width)...)
	}
	lines := []string{t.Strong.Render(label)}
	if q, ok := s.page.text(at.item); ok {
		lines = append(lines, t.lines(t.Plain, q.about, f.Width)...)
	}
	return append(lines, s.page.more(f, at.item)...)
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

// failing says under a question how its check came out; nothing when it passed.
func (s *form) failing(f Frame, id string) []string {
	if c := s.check(id); c.ID != "" && c.State != steps.Passed {
		return checkDetails(f, c)[1:]
	}
	return nil
}

// wholeText is what explains a line, filling the screen.
type wholeText struct {
	lines  func(Frame) []string
	scroll scroller
	keys   listKeys
}

// listKeys are for what can only be looked through.
type listKeys struct{ move moveKeys }

func (k *listKeys) ShortHelp() []key.Binding  { return nil }
func (k *listKeys) FullHelp() [][]key.Binding { return [][]key.Binding{k.move.all()} }

func (w *wholeText) press(msg tea.KeyPressMsg) bool {
	w.scroll.Update(msg, w.keys.move)
	return false
}

func (w *wholeText) paste(tea.PasteMsg) {}
func (w *wholeText) escape() bool       { return true }
func (w *wholeText) typing() bool       { return false }
func (w *wholeText) Keys() help.KeyMap  { return &w.keys }

func (w *wholeText) View(f Frame) []string {
	return w.scroll.View(f, w.lines(f.sized(f.Width-2, f.Height)))
}
