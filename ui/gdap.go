package ui

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// gdap is the page of delegated administration: which customers are asked, for
// which roles, and how everything is called.
type gdap struct {
	w      *wizard
	keys   gdapKeys
	run    run
	ctx    context.Context
	cancel context.CancelFunc

	loading bool
	asked   bool // by enter: going on took another look
	began   time.Time
	wait    *steps.Wait
	err     error

	items   []gdapSpot // the lines that can have focus
	from    basis      // of checks
	seen    viewBasis  // of views
	focus   gdapSpot
	touched map[gdapSpot]bool // left once, so that its fault is told
	fields  map[gdapItem]*field
	checks  []steps.Check
	views   []steps.CustomerView

	customers *customerTable // in front of the questions
	roles     *roleList      // likewise
	whole     bool           // what explains the line fills the screen
	scroll    scroller
}

// gdapSpot is a line of the page that can have focus.
type gdapSpot struct {
	item gdapItem
	id   string
}

// viewBasis is what the customers' states follow from.
type viewBasis struct {
	roles    []string
	extend   bool
	findings *steps.Findings
}

type gdapKeys struct {
	Next, Read   key.Binding
	Down, Up     key.Binding
	Left, Right  key.Binding
	Show         key.Binding
	Again, Other key.Binding
	Whole        key.Binding
	Tick         key.Binding // in the table and the list of roles
	All, None    key.Binding
	Find, Done   key.Binding
	move         moveKeys
}

func (k gdapKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Tick, k.Find, k.Done, k.All, k.None, k.Right, k.Show, k.Read, k.Next, k.Down, k.Again}
}

func (k gdapKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{
		k.Next, k.Read, k.Down, k.Up, k.Right, k.Left, k.Show, k.Tick, k.All, k.None, k.Find, k.Done, k.Again, k.Other, k.Whole,
	}, k.move.all()}
}

func newGDAP(w *wizard) Screen {
	ctx, cancel := context.WithCancel(w.ctx)
	s := &gdap{
		w: w, run: run(w.run), ctx: ctx, cancel: cancel, touched: map[gdapSpot]bool{}, fields: map[gdapItem]*field{},
		keys: gdapKeys{
			Next:  bind("enter", "continue", "enter"),
			Read:  bind("enter", "read the tenant", "enter"),
			Down:  bind("tab/↓", "next", "tab", "down"),
			Up:    bind("↑", "previous", "shift+tab", "up"),
			Left:  bind("←", "previous choice", "left"),
			Right: bind("←/→", "change", "right", "space"),
			Show:  bind("space", "show them", "space", "right"),
			Again: bind("r", "look again", "r"),
			Other: bind("s", "sign in as somebody else", "s"),
			Whole: bind("v", "whole text", "v"),
			Tick:  bind("space", "take or leave", "space"),
			All:   bind("a", "all shown", "a"),
			None:  bind("u", "none shown", "u"),
			Find:  bind("/", "filter", "/"),
			Done:  bind("enter", "done", "enter"),
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
func (s *gdap) Init() tea.Cmd {
	if !s.w.stale() {
		return nil
	}
	return s.inspect()
}

func (s *gdap) inspect() tea.Cmd {
	s.loading, s.err, s.wait, s.began, s.whole = true, nil, nil, s.w.now, false
	s.customers, s.roles = nil, nil
	s.w.findings, s.w.read, s.w.plan = nil, nil, nil
	s.settle()
	ctx, cancel := context.WithCancel(s.ctx)
	setup, answers, n := s.w.cfg.Setup, s.w.toLook(), s.run
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
func (s *gdap) spots() []gdapSpot {
	var out []gdapSpot
	for _, i := range s.w.gdapAsked() {
		out = append(out, gdapSpot{item: i})
	}
	passed := false
	for _, c := range s.checks {
		if c.State != steps.Passed {
			out = append(out, gdapSpot{gdapCheck, c.ID})
		}
		passed = passed || c.State == steps.Passed
	}
	if passed {
		out = append(out, gdapSpot{item: gdapPassed})
	}
	return out
}

// settle brings focus, keys and what follows from the answers in order after
// anything changed.
func (s *gdap) settle() {
	if s.customers == nil && s.roles == nil {
		s.follow()
	}
	if !slices.Contains(s.items, s.focus) {
		s.focus = s.items[0]
	}
	for _, at := range s.items {
		if f := s.field(at); f != nil && at == s.focus && s.form() {
			f.Focus()
		} else if f != nil {
			f.Blur()
		}
	}
	s.enable()
}

// follow works out what follows from the answers. With a thousand customers that
// takes too long for every key, so it waits until a list in front is closed, and
// how relationships are called has no part in it.
func (s *gdap) follow() {
	now := basis{s.w.asked(), s.w.findings, maps.Clone(s.w.ticked), ""}
	now.answers.GDAP.RelationshipName, now.answers.GDAP.Days = "", 0
	if s.items == nil || !reflect.DeepEqual(now, s.from) {
		s.from = now
		s.checks = s.w.gdapChecks()
		s.items = s.spots()
	}
	g := s.w.gdap()
	if now := (viewBasis{g.Roles, g.AutoExtend, s.w.findings}); !reflect.DeepEqual(now, s.seen) || s.w.stale() {
		s.seen, s.views = now, s.w.customerViews()
	}
}

func (s *gdap) enable() {
	g, k, form := s.w.gdap(), &s.keys, s.form()
	_, choice := s.w.gdapChoice(s.focus.item)
	k.Next.SetEnabled(form && !s.w.stale())
	k.Read.SetEnabled(form && s.w.stale())
	k.Down.SetEnabled(form)
	k.Up.SetEnabled(form)
	k.Left.SetEnabled(form && choice)
	k.Right.SetEnabled(form && choice)
	k.Show.SetEnabled(form && (s.focus.item == gdapRoles || s.focus.item == gdapTable && len(s.views) > 0))
	table, typing := s.customers != nil, s.typing()
	picks := table && !g.All && g.File == ""
	k.Tick.SetEnabled(!typing && (picks || s.roles != nil))
	k.All.SetEnabled(!typing && picks)
	k.None.SetEnabled(!typing && picks)
	k.Find.SetEnabled(!typing && table)
	k.Done.SetEnabled(table || s.roles != nil)
	for _, b := range []*key.Binding{&k.move.Up, &k.move.Down, &k.move.PageUp, &k.move.PageDown, &k.move.First, &k.move.Last} {
		b.SetEnabled(s.closes())
	}
	k.Again.SetEnabled(!s.loading && !s.closes() && !typing)
	k.Other.SetEnabled(!s.loading && !s.closes() && !typing)
	k.Whole.SetEnabled(form && !typing)
}

// form tells whether the questions are on screen.
func (s *gdap) form() bool { return !s.loading && s.err == nil && !s.closes() }

// field is the text field of a line; nil when it has none.
func (s *gdap) field(at gdapSpot) *field {
	text, ok := s.w.gdapText(at.item)
	if !ok {
		return nil
	}
	f, made := s.fields[at.item]
	if !made {
		n := newField(text.now, text.hint)
		f = &n
		s.fields[at.item] = f
	}
	return f
}

func (s *gdap) Update(msg tea.Msg) tea.Cmd {
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
func (s *gdap) found(f *steps.Findings) {
	a := s.w.toLook()
	s.w.findings, s.w.read = f, &a
	s.settle()
	switch at := slices.IndexFunc(s.checks, blocks); {
	case at >= 0:
		s.focus = s.mends(s.checks[at])
	case s.asked:
		s.w.say("✓", "The tenant was read for this. enter goes on to the plan.")
	}
	s.asked = false
}

// mends is the line where something can be done about a check.
func (s *gdap) mends(c steps.Check) gdapSpot {
	at, known := map[string]gdapSpot{steps.CheckDelegate: {item: gdapAccount}, steps.CheckCustomers: {item: gdapTable}}[c.ID]
	if known && slices.Contains(s.items, at) {
		return at
	}
	return gdapSpot{gdapCheck, c.ID}
}

// edit changes the text that has focus, and keeps it.
func (s *gdap) edit(msg tea.Msg) {
	if s.customers != nil {
		s.customers.edit(msg)
		return
	}
	f := s.field(s.focus)
	if f == nil || !s.form() {
		return
	}
	f.Update(msg)
	q, _ := s.w.gdapText(s.focus.item)
	s.w.answerGDAP(func(a *state.Answers) { q.with(a, f.Value()) })
}

func (s *gdap) press(msg tea.KeyPressMsg) tea.Cmd {
	k := s.keys
	switch {
	case s.loading:
	case s.customers != nil:
		s.pressTable(msg)
	case s.roles != nil:
		s.pressRoles(msg)
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
	case key.Matches(msg, k.Show):
		s.show()
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

// show opens the table of customers, or the list of roles.
func (s *gdap) show() {
	if s.focus.item == gdapRoles {
		s.roles = newRoleList()
		return
	}
	s.views = s.w.customerViews() // the names that were typed since are in it
	s.customers = newCustomerTable(s.views)
}

func (s *gdap) step(n int) {
	s.touched[s.focus] = true
	s.focus = turn(s.items, s.focus, n)
}

func (s *gdap) change(n int) {
	c, _ := s.w.gdapChoice(s.focus.item)
	at := (c.at + n + len(c.names)) % len(c.names)
	s.w.answerGDAP(func(a *state.Answers) { c.with(a, at) })
}

// next goes on to the plan, by way of reading what has not been read.
func (s *gdap) next() tea.Cmd {
	for _, at := range s.items {
		if s.w.gdapFault(at.item) != "" && (at.item != gdapTable || !s.w.stale()) {
			s.touched[at], s.focus = true, at
			s.w.say("✗", "Mend this first: "+gdapLabel(at.item)+".")
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

func (s *gdap) typing() bool {
	return s.customers != nil && s.customers.filter.Focused() || s.form() && s.field(s.focus) != nil
}

func (s *gdap) closes() bool { return s.customers != nil || s.roles != nil || s.whole }

// escape closes what stands in front, a filter before its table.
func (s *gdap) escape() {
	if s.customers != nil && s.customers.unfilter() {
		s.settle()
		return
	}
	s.customers, s.roles, s.whole = nil, nil, false
	s.settle()
}

func (s *gdap) every() time.Duration {
	if s.loading {
		return s.w.pace()
	}
	return 0
}

func (s *gdap) Keys() help.KeyMap { return s.keys }
func (s *gdap) Close()            { s.cancel() }
