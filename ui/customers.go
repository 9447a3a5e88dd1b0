package ui

import (
	"context"
	"errors"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// customers is the page about customers' tenants: which Rewst organisation each is,
// the consent to the app there, and how each stands.
type customers struct {
	looking
	keys  lookKeys
	table *clientTable
	open  []clientView // what stands before the table, the last one in front
}

// clientView stands before the table of customers until it is closed.
type clientView interface {
	press(tea.KeyPressMsg) tea.Cmd
	paste(tea.PasteMsg)
	escape() (done bool) // not done when it closes something of its own first, or cannot be left
	typing() bool
	View(Frame) []string
	Keys() help.KeyMap
}

// still is a clientView that takes no text, and that esc closes.
type still struct{}

func (still) typing() bool       { return false }
func (still) paste(tea.PasteMsg) {}
func (still) escape() bool       { return true }

type lookKeys struct{ Setup, Again, Other key.Binding }

func (k *lookKeys) ShortHelp() []key.Binding  { return []key.Binding{k.Setup, k.Again, k.Other} }
func (k *lookKeys) FullHelp() [][]key.Binding { return [][]key.Binding{k.ShortHelp()} }

type clientsFoundMsg struct {
	run
	found *foundClients
	err   error
}

func newCustomers(w *wizard) Screen {
	s := &customers{looking: newLooking(w), keys: lookKeys{
		Setup: bind("enter", "go to New setup", "enter"),
		Again: bind("r", "look again", "r"),
		Other: bind("s", "sign in as somebody else", "s"),
	}}
	if w.clients != nil {
		s.table = newClientTable(s)
		if w.clients.work.running() {
			s.push(&clientProgress{s: s})
		} else {
			s.table.toFailed()
		}
	}
	s.settle()
	return s
}

func (s *customers) Init() tea.Cmd {
	if s.table != nil {
		return nil
	}
	return s.look()
}

// look lists the customers.
func (s *customers) look() tea.Cmd {
	setup, a := s.w.cfg.Setup, s.w.asked()
	n := s.run
	s.loading, s.err, s.wait, s.began = true, nil, nil, s.w.now
	ctx, cancel := context.WithCancel(s.ctx)
	events := make(chan steps.Event, 8)
	return tea.Batch(func() tea.Msg {
		defer cancel()
		found, err := findClients(ctx, setup, a, func(e steps.Event) {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		})
		return clientsFoundMsg{n, found, err}
	}, nextLook(ctx, events, n))
}

func (s *customers) settle() {
	s.keys.Setup.SetEnabled(errors.Is(s.err, errSetupFirst))
	s.keys.Again.SetEnabled(s.err != nil)
	s.keys.Other.SetEnabled(s.err != nil)
	if s.table != nil {
		s.table.settle()
	}
}

func (s *customers) push(v clientView) { s.open = append(s.open, v) }

// pop closes what stands in front.
func (s *customers) pop() {
	if len(s.open) > 0 {
		s.open = s.open[:len(s.open)-1]
	}
}

// front is what gets the keys; nil while the customers are not known.
func (s *customers) front() clientView {
	switch {
	case len(s.open) > 0:
		return s.open[len(s.open)-1]
	case s.table != nil:
		return s.table
	}
	return nil
}

func (s *customers) Update(msg tea.Msg) tea.Cmd {
	defer s.settle()
	switch msg := msg.(type) {
	case clientsFoundMsg:
		s.loading, s.err = false, msg.err
		if msg.err == nil {
			c := newClients(msg.found)
			s.w.clients, s.w.findings = c, msg.found.clientele.Findings
			s.table = newClientTable(s)
			if s.w.resumed {
				s.table.toFailed()
			}
			return s.w.tellLinked("")
		}
	case tea.KeyPressMsg:
		return s.press(msg)
	case tea.PasteMsg:
		if v := s.front(); v != nil {
			v.paste(msg)
		}
	case listedMsg:
		return s.listed(msg)
	default:
		_, cmd := s.heard(msg)
		return cmd
	}
	return nil
}

func (s *customers) press(msg tea.KeyPressMsg) tea.Cmd {
	v := s.front()
	switch {
	case v != nil:
		return v.press(msg)
	case s.err == nil:
	case pressed(msg, &s.keys.Setup): // where the app is chosen, and what it may do
		s.w.enter(steps.StageAuthorize)
		s.w.open(pageIntegrations)
	case pressed(msg, &s.keys.Again):
		return s.look()
	case pressed(msg, &s.keys.Other):
		s.w.open(pageSignIn)
	}
	return nil
}

// worked goes on when work at customers has ended.
func (s *customers) worked(x *clientWork) {
	defer s.settle()
	if !x.over {
		return
	}
	if _, progress := s.front().(*clientProgress); progress {
		s.pop()
	}
	c := s.w.clients
	if end := x.end.close; x.kind == workTidy {
		if end != nil {
			s.w.say("✗", sentence(problemOf(end).Error()))
		} else {
			s.w.say("✓", "The app's own sign-in is closed: it was read back that nothing of it is left.")
		}
		return
	}
	switch {
	case x.kind == workPlan && x.end.err == nil:
		s.push(newClientPlan(s, c.plan, workConsent))
	case x.end.more:
		s.push(newClientPlan(s, c.plan, workExclude))
	case x.kind.writes():
		clear(s.table.chosen)
		s.table.toFailed()
		s.open = []clientView{&clientResult{s: s}}
	case x.end.err != nil && !cancelled(x.end.err):
		s.w.say("✗", sentence(problemOf(x.end.err).Error()))
	case cancelled(x.end.err):
		s.w.say("•", "Stopped. What was read is kept.")
	default:
		text := "Looked at " + count(x.of, "customer", "customers") + ": " + shadeTally(x.shades) + "."
		if x.again {
			if s.table.pass.of != nil {
				s.table.toFailed()
			}
			if n := s.table.chooseRetriable(); n > 0 {
				text += " " + count(n, "of them can be consented to, and is chosen: c does that.", "of them can be consented to, and are chosen: c does that.")
			}
		}
		s.w.say("✓", text)
	}
	s.table.filter()
}

// matched shows the customers as they were set against the organisations anew.
func (s *customers) matched() {
	if c := s.w.clients; c.moved {
		c.moved = false
		clear(s.table.chosen)
		var left []clientView
		for _, v := range s.open {
			switch v.(type) {
			case *clientResult, *clientProgress, *clientPlan:
				left = append(left, v)
			}
		}
		s.open = left // the others know a customer by its place
	}
	s.table.filter()
	s.settle()
}

// askExport asks for a folder to export the mapping to.
func (s *customers) askExport() {
	s.push(newAsking(s, "Export to ", s.w.mappingDir(), "a folder", s.export))
}

// askClose shows what closes the app's sign-in that was left open.
func (s *customers) askClose() { s.push(newClientPlan(s, &steps.CustomersPlan{}, workTidy)) }

// start begins work, and shows how it goes where nothing else is to be done
// meanwhile.
func (s *customers) start(kind workKind, p workPlace) tea.Cmd {
	c := s.w.clients
	if c.work.running() {
		s.w.say("!", "Customers are being looked at just now. p pauses that.")
		return nil
	}
	if len(p.tenants) == 0 && !kind.writes() {
		s.w.say("•", "There is no such customer.")
		return nil
	}
	p.relist = !kind.writes() && (c.stale || c.broke(p.tenants))
	cmd := s.w.startWork(kind, p)
	if kind != workLook {
		s.push(&clientProgress{s: s})
	}
	return cmd
}

func (s *customers) View(f Frame) string {
	if v := s.front(); v != nil {
		return f.fill(v.View(f))
	}
	return f.fill(s.lines(f, "Reads the customers and the relationships with them in your own tenant. This usually takes 5 to 20 seconds, with a thousand customers up to a minute",
		"The customers' own tenants are read when you ask for it."))
}

func (s *customers) every() time.Duration {
	if s.w.clients != nil && s.w.clients.work.running() {
		return s.w.pace()
	}
	return s.looking.every()
}

func (s *customers) typing() bool {
	v := s.front()
	return v != nil && v.typing()
}

// closes tells whether esc does something here. While something is written it does
// not: that is stopped by a key of its own.
func (s *customers) closes() bool {
	if p, progress := s.front().(*clientProgress); progress {
		return !p.work().kind.writes()
	}
	return len(s.open) > 0 || s.table != nil && s.table.closes()
}

// clears says what esc does to the table; nothing while something stands before it.
func (s *customers) clears() string {
	switch t := s.table; {
	case len(s.open) > 0 || t == nil:
	case t.typing(), t.find.Value() != "", t.pass.name != "":
		return "clear filter"
	case len(t.chosen) > 0:
		return "choose none"
	}
	return ""
}

// legend explains the marks of what stands in front.
func (s *customers) legend() []string {
	if v, ok := s.front().(interface{ legend() []string }); ok {
		return v.legend()
	}
	return nil
}

func (s *customers) escape() {
	if v := s.front(); v != nil && v.escape() && len(s.open) > 0 {
		s.pop()
	}
	s.settle()
}

func (s *customers) Keys() help.KeyMap {
	if v := s.front(); v != nil {
		return v.Keys()
	}
	return &s.keys
}

// Close keeps what was edited: nobody waits for it any more.
func (s *customers) Close() {
	s.cancel()
	if x := s.w.clients; x != nil && x.work.running() && !x.work.writing() {
		x.work.cancel()
	}
}
