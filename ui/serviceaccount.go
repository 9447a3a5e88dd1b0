package ui

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// account is the page of the service account and what it needs of the tenant: it
// shows what is there, and asks what to make of it.
type account struct {
	w      *wizard
	keys   accountKeys
	run    run
	ctx    context.Context
	cancel context.CancelFunc

	loading bool
	asked   bool // by enter: going on took another look
	began   time.Time
	wait    *steps.Wait // for an earlier write whose outcome is unknown
	err     error

	items   []spot // the lines that can have focus
	from    basis  // of items, offers, checks and views
	focus   spot
	touched map[spot]bool // left once, so that its fault is told
	fields  map[readyItem]*field
	offers  []steps.Offer
	checks  []steps.Check
	views   []steps.PolicyView

	policies *policyList // in front of the questions
	whole    bool        // what explains the line fills the screen
	scroll   scroller
}

// spot is a line of the page that can have focus. Several offers and checks are
// told apart by their ids.
type spot struct {
	item readyItem
	id   string
}

type accountKeys struct {
	Next, Read  key.Binding
	Down, Up    key.Binding
	Left, Right key.Binding
	Tick, Show  key.Binding
	Again       key.Binding
	Other       key.Binding
	Whole       key.Binding
	move        moveKeys
}

func (k accountKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Right, k.Tick, k.Show, k.Read, k.Next, k.Down, k.Again}
}

func (k accountKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Next, k.Read, k.Down, k.Up, k.Right, k.Left, k.Tick, k.Show, k.Again, k.Other, k.Whole}, k.move.all()}
}

func newAccount(w *wizard) Screen {
	ctx, cancel := context.WithCancel(w.ctx)
	s := &account{
		w: w, run: run(w.run), ctx: ctx, cancel: cancel, touched: map[spot]bool{}, fields: map[readyItem]*field{},
		keys: accountKeys{
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
			move:  newMoveKeys(),
		},
	}
	if w.proposed == nil {
		w.propose()
	}
	s.settle()
	return s
}

// Init reads the tenant, unless it was read for these answers.
func (s *account) Init() tea.Cmd {
	if !s.w.stale() || !s.w.asked().Ready() {
		return nil
	}
	return s.inspect()
}

func (s *account) inspect() tea.Cmd {
	s.loading, s.err, s.wait, s.began, s.policies, s.whole = true, nil, nil, s.w.now, nil, false
	s.w.findings, s.w.read, s.w.plan = nil, nil, nil
	s.settle()
	ctx, cancel := context.WithCancel(s.ctx)
	setup, answers, n := s.w.cfg.Setup, s.w.asked(), s.run
	events := make(chan steps.Event, 8)
	look := func() tea.Msg {
		defer cancel()
		f, err := setup.InspectTenant(ctx, answers, func(e steps.Event) {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		})
		return inspectedMsg{n, f, err}
	}
	return tea.Batch(look, nextLook(ctx, events, n))
}

// spots are the lines that can have focus, from top to bottom.
func (s *account) spots() []spot {
	var out []spot
	for _, i := range s.w.readyAsked() {
		out = append(out, spot{item: i})
		if i == readyUser {
			for _, o := range s.offers {
				out = append(out, spot{readyOffer, o.ID})
			}
		}
	}
	passed := false
	for _, c := range s.checks {
		if c.State != steps.Passed {
			out = append(out, spot{readyCheck, c.ID})
		}
		passed = passed || c.State == steps.Passed
	}
	if passed {
		out = append(out, spot{item: readyPassed})
	}
	return out
}

// settle brings focus, keys and what follows from the answers in order after
// anything changed.
func (s *account) settle() {
	if now := s.basis(); s.items == nil || !reflect.DeepEqual(now, s.from) {
		s.from = now
		s.offers, s.checks, s.views = s.w.readyOffers(), s.w.readyChecks(), s.w.policyViews()
		s.items = s.spots()
	}
	if !slices.Contains(s.items, s.focus) {
		s.focus = s.items[0]
	}
	for _, at := range s.items {
		if f := s.field(at); f != nil && at == s.focus && s.ready() {
			f.Focus()
		} else if f != nil {
			f.Blur()
		}
	}
	_, choice := s.w.readyChoice(s.focus.item)
	form, k := s.ready() && !s.closes(), &s.keys
	k.Next.SetEnabled(form && !s.stale())
	k.Read.SetEnabled(form && s.stale())
	k.Down.SetEnabled(form)
	k.Up.SetEnabled(form)
	k.Left.SetEnabled(form && choice)
	k.Right.SetEnabled(form && choice)
	k.Tick.SetEnabled(form && s.focus.item == readyOffer)
	k.Show.SetEnabled(form && s.focus.item == readyPolicies)
	for _, b := range []*key.Binding{&k.move.Up, &k.move.Down, &k.move.PageUp, &k.move.PageDown, &k.move.First, &k.move.Last} {
		b.SetEnabled(s.closes())
	}
	k.Again.SetEnabled(!s.loading && !s.closes() && !s.typing())
	k.Other.SetEnabled(!s.loading && !s.closes() && !s.typing())
	k.Whole.SetEnabled(form && !s.typing())
}

// basis is what everything on the page follows from. Working that out takes a
// while in a tenant of many policies, too long for every key.
type basis struct {
	answers  state.Answers
	findings *steps.Findings
	ticked   map[string]bool
	insist   string
}

func (s *account) basis() basis {
	return basis{s.w.asked(), s.w.findings, maps.Clone(s.w.ticked), s.w.insist}
}

// ready tells whether the questions are on screen.
func (s *account) ready() bool { return !s.loading && s.err == nil }

// stale tells whether enter reads before it goes on.
func (s *account) stale() bool { return s.w.stale() && s.w.asked().Ready() }

// field is the text field of a line; nil when it has none.
func (s *account) field(at spot) *field {
	switch at.item {
	case readyUser, readyName, readyInsist, readyVault, readyGroup, readyLocation:
	default:
		return nil
	}
	text := s.w.readyText(at.item)
	f, ok := s.fields[at.item]
	if !ok || f.Value() != strings.TrimSpace(clean(text.now)) {
		made := newField(text.now, text.hint)
		f = &made
		s.fields[at.item] = f
	}
	return f
}

func (s *account) Update(msg tea.Msg) tea.Cmd {
	defer s.settle()
	switch msg := msg.(type) {
	case inspectedMsg:
		s.loading, s.err = false, msg.err
		if msg.err == nil {
			s.found(msg.findings)
		}
	case lookMsg:
		if msg.event.Wait != nil {
			s.wait = msg.event.Wait
		}
		return nextLook(msg.ctx, msg.events, s.run)
	case tea.PasteMsg:
		s.edit(msg)
	case tea.KeyPressMsg:
		return s.press(msg)
	}
	return nil
}

// found takes what was read, and puts the cursor on what needs somebody.
func (s *account) found(f *steps.Findings) {
	s.w.looked(f, s.w.asked())
	s.fields = map[readyItem]*field{} // hints follow from what was found
	s.settle()
	at := slices.IndexFunc(s.checks, blocks)
	switch {
	case at >= 0:
		s.focus = s.mends(s.checks[at])
	case s.asked:
		s.w.say("✓", "The tenant was read for this. enter goes on to the plan.")
	}
	s.asked = false
}

// mends is the line where something can be done about a check.
func (s *account) mends(c steps.Check) spot {
	switch {
	case c.Offer != "":
		return spot{readyOffer, c.Offer}
	case c.ID == steps.CheckStepDown:
		return spot{item: readyInsist}
	case c.ID == steps.CheckServiceAccount:
		return spot{item: readyUser}
	}
	return spot{readyCheck, c.ID}
}

// edit changes the text that has focus, and keeps it.
func (s *account) edit(msg tea.Msg) {
	f := s.field(s.focus)
	if f == nil || !s.ready() {
		return
	}
	f.Update(msg)
	s.w.write(s.focus.item, f.Value())
}

// write takes the text of a question.
func (w *wizard) write(i readyItem, text string) {
	if i == readyInsist {
		w.insist, w.insistFor = text, w.stepDownWhy()
		return
	}
	a := w.asked()
	w.readyText(i).with(&a, text)
	w.setReady(a)
}

func (s *account) press(msg tea.KeyPressMsg) tea.Cmd {
	k := s.keys
	switch {
	case s.loading:
	case s.policies != nil:
		s.policies.Update(msg, k.move)
	case s.whole:
		s.scroll.Update(msg, k.move)
	case key.Matches(msg, k.Whole):
		s.whole, s.scroll = true, scroller{}
	case key.Matches(msg, k.Again):
		return s.inspect()
	case key.Matches(msg, k.Other):
		s.w.open(pageSignIn)
	case s.err != nil:
	case key.Matches(msg, k.Next), key.Matches(msg, k.Read):
		return s.next()
	case key.Matches(msg, k.Tick):
		s.w.ticked[s.focus.id] = !s.w.ticked[s.focus.id]
	case key.Matches(msg, k.Show):
		s.policies = newPolicyList(s.views)
	case key.Matches(msg, k.Down):
		s.step(1)
	case key.Matches(msg, k.Up):
		s.step(-1)
	case key.Matches(msg, k.Left):
		s.change(-1)
	case key.Matches(msg, k.Right):
		s.change(1)
	default:
		s.edit(msg)
	}
	return nil
}

func (s *account) step(n int) {
	s.touched[s.focus] = true
	s.focus = turn(s.items, s.focus, n)
}

func (s *account) change(n int) {
	c, _ := s.w.readyChoice(s.focus.item)
	at := (max(c.at, 0) + n + len(c.names)) % len(c.names)
	s.w.choose(s.focus.item, at)
}

// next goes on to the plan, by way of reading what has not been read.
func (s *account) next() tea.Cmd {
	if !s.w.asked().Ready() {
		s.w.say("✗", nothingAsked)
		return nil
	}
	a := s.w.asked()
	for _, at := range s.items {
		if s.w.readyFault(a, at.item) != "" {
			s.touched[at], s.focus = true, at
			s.w.say("✗", "Mend this first: "+readyLabel(at.item)+".")
			return nil
		}
	}
	if s.w.stale() {
		s.asked = true
		return s.inspect()
	}
	if at := slices.IndexFunc(s.checks, blocks); at >= 0 {
		s.focus = s.mends(s.checks[at])
		s.w.say("✗", "This has to be mended first: "+s.checks[at].Title+".")
		return nil
	}
	s.w.accept()
	s.w.open(pagePlan)
	return nil
}

func (s *account) typing() bool {
	return s.ready() && !s.closes() && s.field(s.focus) != nil
}

func (s *account) closes() bool { return s.policies != nil || s.whole }

func (s *account) escape() {
	s.policies, s.whole = nil, false
	s.settle()
}

func (s *account) every() time.Duration {
	if s.loading {
		return s.w.pace()
	}
	return 0
}

func (s *account) Keys() help.KeyMap { return s.keys }
func (s *account) Close()            { s.cancel() }
