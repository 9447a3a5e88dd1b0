package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// apply shows an apply under way.
type apply struct {
	looking // for whom an earlier run waited
	keys    applyKeys
	inbox   *inbox
}

type applyKeys struct {
	Pause  key.Binding
	Resume key.Binding
	Again  key.Binding
	Other  key.Binding
}

func (k *applyKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Pause, k.Resume, k.Again, k.Other}
}

func (k *applyKeys) FullHelp() [][]key.Binding { return [][]key.Binding{k.ShortHelp()} }

func newApply(w *wizard) Screen {
	s := &apply{looking: newLooking(w), inbox: newInbox(w), keys: applyKeys{
		Pause:  bind("p", "pause", "p"),
		Resume: bind("p", "go on", "p"),
		Again:  bind("r", "look again and do the rest", "r"),
		Other:  bind("s", "sign in as somebody else", "s"),
	}}
	s.settle()
	return s
}

// Init starts the apply unless one is under way.
func (s *apply) Init() tea.Cmd {
	if s.w.apply.running() || s.w.apply != nil && s.w.apply.err != nil {
		return nil
	}
	if len(s.w.awaited) > 0 {
		return s.look()
	}
	return s.start()
}

func (s *apply) start() tea.Cmd {
	started, cmd := startApply(s.w, *s.w.plan)
	s.w.apply = started
	s.settle()
	return cmd
}

// look finds out who of those an earlier run waited for has approved.
func (s *apply) look() tea.Cmd {
	cmd := s.begin(s.w.toLook(), s.w.cfg.Setup.InspectTenant)
	s.settle()
	return cmd
}

// found goes on to wait for the others.
func (s *apply) found(f *steps.Findings) tea.Cmd {
	s.w.looked(f, s.w.toLook())
	a := s.w.asked()
	p := steps.MakePlan(a, s.w.scope(a), s.w.options())
	s.w.plan = &p
	return s.start()
}

func (s *apply) settle() {
	a := s.w.apply
	s.inbox.settle()
	held := a.running() && a.gate.Paused()
	s.keys.Pause.SetEnabled(a.running() && !held)
	s.keys.Resume.SetEnabled(held)
	s.keys.Again.SetEnabled(a != nil && a.over && a.err != nil || s.err != nil)
	s.keys.Other.SetEnabled(s.err != nil)
}

func (s *apply) Update(msg tea.Msg) tea.Cmd {
	s.settle()
	defer s.settle()
	press, ok := msg.(tea.KeyPressMsg)
	if !ok {
		s.inbox.take(msg)
		found, cmd := s.heard(msg)
		if found != nil {
			return s.found(found)
		}
		return cmd
	}
	if s.err != nil {
		switch {
		case pressed(press, &s.keys.Again):
			return s.look()
		case pressed(press, &s.keys.Other):
			s.w.open(pageSignIn)
		}
		return nil
	}
	if s.waits() {
		return s.inbox.press(press)
	}
	switch a := s.w.apply; {
	case pressed(press, &s.keys.Pause):
		a.gate.Pause()
	case pressed(press, &s.keys.Resume):
		a.gate.Resume()
	case pressed(press, &s.keys.Again):
		s.w.again()
	}
	return nil
}

func (s *apply) View(f Frame) string {
	a := s.w.apply
	if a == nil {
		return f.fill(s.lines(f, "Reads who has approved of those waited for. This usually takes 5 to 20 seconds, with a thousand customers up to a minute",
			"After that whoever has approved gets the roles; the others are waited for here."))
	}
	if s.waits() {
		return f.fill(s.inbox.View(f))
	}
	t := f.Theme
	var lines []string
	if a.over && a.err != nil {
		lines = append(lines, s.failed(f)...)
		lines = append(lines, "")
	}
	lines = append(lines, s.overall(f)...)
	lines = append(lines, "")
	for i := range a.groups {
		lines = append(lines, s.group(t, i, f.Width))
	}
	lines = append(lines, s.proofLine(t, f.Width), "")
	if a.running() {
		lines = append(lines, s.activity(f)...)
	}
	for _, n := range a.notes {
		lines = append(lines, t.lines(t.Muted, "• "+n, f.Width)...)
	}
	return f.fill(lines)
}

func (s *apply) failed(f Frame) []string {
	t, err := f.Theme, s.w.apply.err
	if cancelled(err) {
		return []string{t.Strong.Render("Stopped."), "What was done is kept. " + t.Key.Render("r") + " looks at the tenant again and applies the rest."}
	}
	p := problemOf(err)
	lines := f.problem(p)
	if p.Retry {
		return append(append(lines, ""), t.lines(t.Plain, "Press r to try again: the tenant is looked at and what is left is planned.", f.Width)...)
	}
	return append(append(lines, ""), t.lines(t.Plain, "Once that is mended, press r: the tenant is looked at and what is left is planned.", f.Width)...)
}

func (s *apply) overall(f Frame) []string {
	a, t := s.w.apply, f.Theme
	of := len(a.plan.Changes)
	if of == 0 {
		return []string{t.Strong.Render("Nothing to write; reading back what is there")}
	}
	style := t.Accent
	if a.over && a.err != nil {
		style = t.Bad
	}
	text := fmt.Sprintf("%s of %s", number(a.done), count(of, "write", "writes"))
	took := s.w.now.Sub(a.began)
	if a.over {
		took = a.end.Sub(a.began)
	}
	return []string{
		ends(t.Strong.Render(text), t.Muted.Render(elapsed(took)), f.Width),
		t.bar(style, a.done, of, f.Width),
	}
}

func (s *apply) group(t *Theme, i, width int) string {
	g := s.w.apply.groups[i]
	mark := t.Muted.Render("·")
	switch {
	case g.done == g.of:
		mark = t.Good.Render("✓")
	case s.w.apply.paused && s.first(i):
		mark = t.Warn.Render("‖")
	case s.w.apply.running() && s.first(i):
		mark = t.Accent.Render(s.w.spin())
	}
	title := mark + " " + clip(g.title, 34)
	bar := min(max(width-38-14, 0), 40)
	return pad(title, 38) + t.bar(t.Accent, g.done, g.of, bar) + pad(fmt.Sprintf("  %s/%s", number(g.done), number(g.of)), 14)
}

// first tells whether a group is the one being worked on.
func (s *apply) first(i int) bool {
	return i == slices.IndexFunc(s.w.apply.groups, func(g applyGroup) bool { return g.done < g.of })
}

func (s *apply) proofLine(t *Theme, width int) string {
	a := s.w.apply
	text := "not yet"
	mark := t.Muted.Render("·")
	if a.of > 0 {
		text = fmt.Sprintf("%d of %d good reads", a.proof, a.of)
		mark = t.Accent.Render(s.w.spin())
		if a.proof >= a.of {
			mark = t.Good.Render("✓")
		}
	}
	return pad(mark+" Proof by reading back", 38) + clip(text, width-38)
}

// activity says what is being done or waited for.
func (s *apply) activity(f Frame) []string {
	a, t := s.w.apply, f.Theme
	var lines []string
	switch {
	case a.paused:
		return []string{t.Warn.Render("‖ Paused.") + " Nothing is sent. " + t.Key.Render("p") + " goes on."}
	case a.gate.Paused():
		lines = append(lines, t.Warn.Render("‖ Pausing after the request in flight."), "")
	}
	if w := a.wait; w != nil {
		lines = append(lines, f.waiting(s.w, w)...)
		if left := a.waitAt.Add(w.Next).Sub(s.w.now); w.Next > 0 {
			lines = append(lines, f.labelled("Next look", "in "+elapsed(max(left, 0)), 16)...)
		}
		return lines
	}
	text := a.current
	if text == "" {
		text = "Reading back"
		if a.done < len(a.plan.Changes) {
			text = "Going on"
		}
	}
	return append(lines, t.lines(t.Plain, strings.TrimSpace(s.w.spin()+" "+text), f.Width)...)
}

func (s *apply) every() time.Duration {
	if s.w.apply.running() {
		return s.w.pace()
	}
	return s.looking.every()
}

// waits tells whether customers are waited for: then the page is their inbox.
func (s *apply) waits() bool { return len(s.w.invitations()) > 0 }

func (s *apply) typing() bool { return s.waits() && s.inbox.typing() }

func (s *apply) closes() bool { return s.waits() && s.inbox.closes() }

func (s *apply) escape() {
	s.inbox.escape()
	s.settle()
}

func (s *apply) Keys() help.KeyMap {
	if s.waits() {
		return &s.inbox.keys
	}
	return &s.keys
}
