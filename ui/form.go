package ui

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// form is a page that puts the questions of a stage, shows what was found under
// them and how the checks came out, and goes on to the plan by way of reading what
// has not been read.
type form struct {
	looking
	keys  formKeys
	page  formPage
	asked bool // by enter: going on took another look

	items   []spot // the lines that can have focus
	from    basis  // of items, offers, checks and what the page adds
	focus   spot
	touched map[spot]bool // left once, so that its fault is told
	fields  map[formItem]*field
	offers  []steps.Offer
	under   formItem // the question they stand under
	checks  []steps.Check
	front   front // stands in front of the questions; nil when nothing does
}

// formPage is what sets one form apart from another.
type formPage interface {
	sheet
	reads() string // what a look reads, and how long that takes
	idle() string  // why there is nothing to read or to plan; empty when there is
	follow() bool  // works out what follows from the answers; false when nothing of it has changed
	value(t *Theme, i formItem, width int) string
	notes(at spot, current bool) []note
	more(f Frame, i formItem) []string // what explains a question beyond its text
	opens(i formItem) func() front     // the list it shows; nil for none
	mends(c steps.Check) spot
}

// front stands in front of a form's questions until it is closed.
type front interface {
	press(tea.KeyPressMsg) (done bool)
	paste(tea.PasteMsg)
	escape() (done bool) // not done when it closes something of its own first
	typing() bool
	View(Frame) []string
	Keys() help.KeyMap
}

// spot is a line of a form that can have focus. Several offers and checks are told
// apart by their ids.
type spot struct {
	item formItem
	id   string
}

// basis is what everything on a form follows from. Working that out takes a while
// in a tenant of many policies or customers, too long for every key.
type basis struct {
	answers  state.Answers
	findings *steps.Findings
	ticked   map[string]bool
	insist   string
}

type formKeys struct {
	Next, Read  key.Binding
	Down, Up    key.Binding
	Left, Right key.Binding
	Tick, Show  key.Binding
	Again       key.Binding
	Other       key.Binding
	Whole       key.Binding
}

func (k *formKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Right, k.Tick, k.Show, k.Read, k.Next, k.Down, k.Again}
}

func (k *formKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Next, k.Read, k.Down, k.Up, k.Right, k.Left, k.Tick, k.Show, k.Again, k.Other, k.Whole}}
}

func newForm(w *wizard, page formPage) form {
	if w.proposed == nil {
		w.propose()
	}
	return form{
		looking: newLooking(w), page: page, touched: map[spot]bool{}, fields: map[formItem]*field{},
		keys: formKeys{
			Next:  bind("enter", "continue", "enter"),
			Read:  bind("enter", "read the tenant", "enter"),
			Down:  bind("tab/↓", "next", "tab", "down"),
			Up:    bind("↑", "previous", "shift+tab", "up"),
			Left:  bind("←", "previous choice", "left"),
			Right: bind("←/→", "change", "right", "space"),
			Tick:  bind("space", "take or leave", "space", "right", "left"),
			Show:  bind("space", "show them", "space", "right"),
			Again: bind("r", "look again", "r"),
			Other: bind("s", "sign in as somebody else", "s"),
			Whole: bind("v", "whole text", "v"),
		},
	}
}

// Init reads the tenant, unless it was read for these answers.
func (s *form) Init() tea.Cmd {
	if !s.stale() {
		return nil
	}
	return s.inspect()
}

func (s *form) inspect() tea.Cmd {
	s.front = nil
	s.w.findings, s.w.read, s.w.plan = nil, nil, nil
	cmd := s.begin(s.w.toLook(), s.w.cfg.Setup.InspectTenant)
	s.settle()
	return cmd
}

// spots are the lines that can have focus, from top to bottom.
func (s *form) spots() []spot {
	var out []spot
	for _, i := range s.page.questions() {
		out = append(out, spot{item: i})
		if i == s.under {
			for _, o := range s.offers {
				out = append(out, spot{formOffer, o.ID})
			}
		}
	}
	for _, c := range s.checks {
		if c.State != steps.Passed {
			out = append(out, spot{formCheck, c.ID})
		}
	}
	if s.passed() > 0 {
		out = append(out, spot{item: formPassed})
	}
	return out
}

func (s *form) passed() int {
	n := 0
	for _, c := range s.checks {
		if c.State == steps.Passed {
			n++
		}
	}
	return n
}

// basis is what the form follows from just now.
func (s *form) basis() basis {
	return basis{s.w.asked(), s.w.findings, maps.Clone(s.w.ticked), s.w.insist}
}

// changed takes a basis over; false when it is the one of before.
func (s *form) changed(now basis) bool {
	if s.items != nil && reflect.DeepEqual(now, s.from) {
		return false
	}
	s.from = now
	return true
}

// settle brings focus, keys and what follows from the answers in order after
// anything changed.
func (s *form) settle() {
	if s.front == nil && s.page.follow() {
		s.items = s.spots()
	}
	if !slices.Contains(s.items, s.focus) {
		s.focus = s.items[0]
	}
	form, k := s.looked() && s.front == nil, &s.keys
	for _, at := range s.items {
		if f := s.field(at); f != nil && at == s.focus && form {
			f.Focus()
		} else if f != nil {
			f.Blur()
		}
	}
	_, choice := s.page.choice(s.focus.item)
	k.Next.SetEnabled(form && !s.stale() && !slices.ContainsFunc(s.checks, hopeless))
	k.Read.SetEnabled(form && s.stale())
	k.Down.SetEnabled(form)
	k.Up.SetEnabled(form)
	k.Left.SetEnabled(form && choice)
	k.Right.SetEnabled(form && choice)
	k.Tick.SetEnabled(form && s.focus.item == formOffer)
	k.Show.SetEnabled(form && s.page.opens(s.focus.item) != nil)
	k.Again.SetEnabled(!s.loading && !s.typing())
	k.Other.SetEnabled(!s.loading && !s.typing())
	k.Whole.SetEnabled(form && !s.typing())
}

// stale tells whether enter reads before it goes on.
func (s *form) stale() bool { return s.w.stale() && s.page.idle() == "" }

// field is the text field of a line; nil when it has none.
func (s *form) field(at spot) *field {
	text, ok := s.page.text(at.item)
	if !ok {
		return nil
	}
	f, made := s.fields[at.item]
	if !made || text.key == "" && f.Value() != strings.TrimSpace(clean(text.now)) { // it was forgotten meanwhile
		n := newField(text.now, "")
		f = &n
		s.fields[at.item] = f
	}
	f.hint = text.hint
	return f
}

func (s *form) Update(msg tea.Msg) tea.Cmd {
	defer s.settle()
	switch msg := msg.(type) {
	case tea.PasteMsg:
		if s.front != nil {
			s.front.paste(msg)
			return nil
		}
		s.edit(msg)
	case tea.KeyPressMsg:
		return s.press(msg)
	}
	found, cmd := s.heard(msg)
	if found != nil {
		s.found(found)
	}
	return cmd
}

// found takes what was read, and puts the cursor on what needs somebody.
func (s *form) found(f *steps.Findings) {
	s.w.looked(f, s.w.toLook())
	s.settle()
	switch at := slices.IndexFunc(s.checks, blocks); {
	case at >= 0:
		s.focus = s.mending(s.checks[at])
	case s.asked:
		s.w.say("✓", "The tenant was read for this. enter goes on to the plan.")
	}
	s.asked = false
}

// hopeless tells whether a check fails that nothing on the page, nor another sign-in
// to the same cloud, can mend.
func hopeless(c steps.Check) bool {
	return c.ID == steps.CheckRelationships && blocks(c) && !c.SignIn
}

// mending is the line where something can be done about a check.
func (s *form) mending(c steps.Check) spot {
	if at := s.page.mends(c); slices.Contains(s.items, at) {
		return at
	}
	return spot{formCheck, c.ID}
}

// edit changes the text that has focus, and keeps it.
func (s *form) edit(msg tea.Msg) {
	f := s.field(s.focus)
	if f == nil || !s.looked() {
		return
	}
	f.Update(msg)
	q, _ := s.page.text(s.focus.item)
	s.w.answer(s.page, func(a *state.Answers) { q.with(a, f.Value()) })
}

func (s *form) press(msg tea.KeyPressMsg) tea.Cmd {
	k := s.keys
	switch {
	case s.loading:
	case s.front != nil:
		if s.front.press(msg) {
			s.front = nil
		}
	case pressed(msg, &k.Whole):
		s.front = &wholeText{lines: s.details, keys: listKeys{newMoveKeys()}}
	case pressed(msg, &k.Again):
		return s.inspect()
	case pressed(msg, &k.Other):
		s.w.open(pageSignIn)
	case s.err != nil:
	case pressed(msg, &k.Next), pressed(msg, &k.Read):
		return s.next()
	case pressed(msg, &k.Tick):
		s.w.ticked[s.focus.id] = !s.w.ticked[s.focus.id]
	case pressed(msg, &k.Show):
		s.front = s.page.opens(s.focus.item)()
	case pressed(msg, &k.Down):
		s.step(1)
	case pressed(msg, &k.Up):
		s.step(-1)
	case pressed(msg, &k.Left):
		s.change(-1)
	case pressed(msg, &k.Right):
		s.change(1)
	default:
		s.edit(msg)
	}
	return nil
}

func (s *form) step(n int) {
	s.touched[s.focus] = true
	s.focus = turn(s.items, s.focus, n)
}

func (s *form) change(n int) {
	c, _ := s.page.choice(s.focus.item)
	at := (max(c.at, 0) + n + len(c.names)) % len(c.names)
	s.w.answer(s.page, func(a *state.Answers) { c.with(a, at) })
}

// next goes on to the plan, by way of reading what has not been read.
func (s *form) next() tea.Cmd {
	if why := s.page.idle(); why != "" {
		s.w.say("✗", why)
		return nil
	}
	a := s.w.asked()
	for _, at := range s.items {
		if s.page.fault(a, at.item) != "" {
			s.touched[at], s.focus = true, at
			s.w.say("✗", "Mend this first: "+s.page.label(at.item)+".")
			return nil
		}
	}
	if s.w.stale() {
		s.asked = true
		return s.inspect()
	}
	if at := slices.IndexFunc(s.checks, blocks); at >= 0 {
		s.focus = s.mending(s.checks[at])
		s.w.say("✗", "This has to be mended first: "+s.checks[at].Title+".")
		return nil
	}
	s.w.accept()
	s.w.open(pagePlan)
	return nil
}

func (s *form) typing() bool {
	if s.front != nil {
		return s.front.typing()
	}
	return s.looked() && s.field(s.focus) != nil
}

func (s *form) closes() bool { return s.front != nil }

func (s *form) escape() {
	if s.front.escape() {
		s.front = nil
	}
	s.settle()
}

func (s *form) Keys() help.KeyMap {
	if s.front != nil {
		return s.front.Keys()
	}
	return &s.keys
}
