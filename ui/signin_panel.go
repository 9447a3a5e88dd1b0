package ui

import (
	"slices"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
	"msbundle/steps"
)

// askAfter is when the panel asks by itself about errors in the browser: the
// service keeps saying "pending" while the person looks at a refusal.
const askAfter = 75 * time.Second

// panel is a sign-in under way: what the person has to do, and what they can
// choose. It stands in front of whichever screen is open until it is over.
type panel struct {
	w    *wizard
	keys panelKeys
	call *call
	// other has somebody else sign in; nil when it has to be the same person.
	other func() tea.Cmd

	prompt steps.Prompt
	began  time.Time    // of the attempt
	fresh  bool         // another code or page was asked for and is not there yet
	given  bool         // the person goes on without this sign-in
	ask    *question    // whether to give it up
	rule   catalog.Rule // behind a failure, when it is known

	view    panelView
	asking  field // what the browser shows
	found   catalog.Explanation
	choices *picker // of methods
	scroll  scroller
}

// panelView is what the panel shows.
type panelView int

const (
	viewPrompt  panelView = iota
	viewMethods           // to choose from
	viewAsking            // what the browser shows
	viewFound             // what that means
	viewAddress           // the whole address
)

type panelKeys struct {
	Copy, Address, Open, Error, Methods, Again, Other, Browser, Whole key.Binding
	Pick, Explain                                                     key.Binding
	move                                                              moveKeys
}

func (k *panelKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Pick, k.Explain, k.Browser, k.Copy, k.Address, k.Open, k.Error, k.Methods, k.Again, k.Whole, k.Other}
}

func (k *panelKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{k.ShortHelp(), k.move.all()}
}

func newPanel(w *wizard, c *call, other func() tea.Cmd) *panel {
	return &panel{
		w: w, call: c, other: other, asking: newField("", "for example AADSTS53003"), choices: newPicker(nil),
		keys: panelKeys{
			Copy:    bind("c", "copy code", "c"),
			Address: bind("a", "copy address", "a"),
			Open:    bind("o", "open", "o"),
			Whole:   bind("v", "whole address", "v"),
			Error:   bind("e", "browser error", "e"),
			Methods: bind("m", "other ways", "m"),
			Again:   bind("n", "new code", "n"),
			Other:   bind("s", "somebody else", "s"),
			Browser: bind("b", "sign in with a browser instead", "b"),
			Pick:    bind("enter", "sign in this way", "enter"),
			Explain: bind("enter", "explain", "enter"),
			move:    newMoveKeys(),
		},
	}
}

func (s *panel) Init() tea.Cmd { return nil }

// take brings the panel up to a prompt.
func (s *panel) take(p steps.Prompt) tea.Cmd {
	renewed := !s.fresh && s.prompt.Err == nil && s.prompt.Code.UserCode != "" && p.Code.UserCode != "" && s.prompt.Code != p.Code
	if s.fresh || s.prompt.N == 0 {
		s.began = s.w.now
	}
	s.prompt, s.fresh = p, false
	s.w.method = p.Method
	if s.rule = (catalog.Rule{}); p.Err != nil {
		s.rule, _ = catalog.RuleByID(problemOf(p.Err).Rule)
	}
	if s.call.kind == callSignIn {
		s.w.noSignIn = p.Err != nil
	}
	if p.Err != nil && s.view != viewAsking { // somebody who is typing is not interrupted
		s.view = viewPrompt
	}
	s.choices.SetRows(make([]row, len(p.Methods)))
	s.settle()
	switch {
	case p.Err != nil:
		return nil
	case renewed:
		s.w.say("•", "Here is a new code. The one before serves, too, until it expires.")
	}
	cmds := []tea.Cmd{s.onPaper()}
	if p.Method == steps.ByBrowser {
		cmds = append(cmds, openWith(s.w.cfg.Browse, p.URL))
	}
	return tea.Batch(cmds...)
}

// use begins the attempt again, by a method.
func (s *panel) use(m steps.Method) {
	s.fresh, s.began, s.view = true, s.w.now, viewPrompt
	s.prompt.Err, s.prompt.Code, s.prompt.URL, s.prompt.Method = nil, steps.DeviceCode{}, "", m
	if s.call.kind == callSignIn {
		s.w.noSignIn = false
	}
	s.w.use(s.prompt.N, m)
}

// leave goes on without the sign-in. Where changes are being written it asks
// first, because they stop then.
func (s *panel) leave() {
	if s.call.kind != callApply || s.prompt.Skip {
		s.skip()
		return
	}
	s.ask = &question{
		title: "Give up this sign-in?",
		text:  "The changes cannot go on without it. They stop here; what was done is kept, and you can do the rest later.",
		yes:   "stop here", no: "stay", agree: func() tea.Cmd { s.skip(); return nil },
	}
	s.w.ask = s.ask
}

func (s *panel) skip() {
	s.given, s.fresh, s.view = true, true, viewPrompt
	s.prompt.Err, s.rule = nil, catalog.Rule{}
	s.settle()
	s.w.cfg.Setup.Skip(s.prompt.N)
}

// leaves says what leaving the panel does.
func (s *panel) leaves() string {
	if s.prompt.Skip {
		return "go on without it"
	}
	return "give up"
}

// waiting tells whether the person has something to do elsewhere.
func (s *panel) waiting() bool { return !s.fresh && s.prompt.Err == nil }

// byCode and byPage tell what the person has to do.
func (s *panel) byCode() bool { return s.waiting() && s.prompt.Method == steps.ByDevice }
func (s *panel) byPage() bool { return s.waiting() && s.prompt.Method != steps.ByDevice }

// instead is the browser method that may work where this one does not.
func (s *panel) instead() (steps.Method, bool) {
	rule := s.rule
	if s.view == viewFound {
		rule = s.found.Rule
	}
	if rule.Method != catalog.MethodBrowser || s.prompt.Method != steps.ByDevice {
		return "", false
	}
	return withBrowser(s.prompt.Methods)
}

func (s *panel) settle() {
	k, front := &s.keys, s.view == viewPrompt || s.view == viewFound
	on := func(b *key.Binding, when bool) { b.SetEnabled(when) }
	prompt := s.view == viewPrompt
	on(&k.Copy, prompt && (s.byCode() || s.byPage() && s.command() != ""))
	on(&k.Address, (prompt || s.view == viewAddress) && s.waiting())
	on(&k.Open, prompt && s.waiting() && s.opener() != nil && isPage(s.address()))
	on(&k.Whole, prompt && s.byPage())
	on(&k.Error, front && s.waiting())
	on(&k.Methods, front && !s.given && len(s.prompt.Methods) > 1)
	on(&k.Again, front && !s.fresh)
	on(&k.Other, prompt && !s.given && s.other != nil && (s.prompt.Account != "" || s.prompt.Err != nil))
	_, better := s.instead()
	on(&k.Browser, front && better)
	on(&k.Pick, s.view == viewMethods)
	on(&k.Explain, s.view == viewAsking)
	for _, b := range []*key.Binding{&k.move.Up, &k.move.Down, &k.move.PageUp, &k.move.PageDown, &k.move.First, &k.move.Last} {
		on(b, s.view == viewMethods || s.view == viewAddress)
	}

	k.Copy.SetHelp("c", "copy code")
	if s.byPage() {
		k.Copy.SetHelp("c", "copy command")
	}
	switch {
	case s.prompt.Err != nil:
		k.Again.SetHelp("n", "try again")
	case s.prompt.Method == steps.ByDevice:
		k.Again.SetHelp("n", "new code")
	default:
		k.Again.SetHelp("n", "new page")
	}
}

func (s *panel) Update(msg tea.Msg) tea.Cmd {
	defer s.settle()
	switch msg := msg.(type) {
	case tea.PasteMsg:
		if s.view == viewAsking {
			s.asking.Update(msg)
		}
	case tea.KeyPressMsg:
		return s.press(msg)
	}
	return nil
}

func (s *panel) press(msg tea.KeyPressMsg) tea.Cmd {
	k := s.keys
	switch {
	case pressed(msg, &k.Explain):
		s.found, s.view = catalog.Explain(catalog.Clues{Text: s.asking.Value()}), viewFound
		s.asking.Blur()
	case s.view == viewAsking:
		s.asking.Update(msg)
	case pressed(msg, &k.Pick):
		s.use(s.prompt.Methods[s.choices.Current()])
	case s.view == viewMethods:
		s.choices.Update(msg, k.move)
	case pressed(msg, &k.Browser):
		m, _ := s.instead()
		s.use(m)
	case pressed(msg, &k.Copy):
		return s.copy()
	case pressed(msg, &k.Address):
		return s.copied("the address", s.address())
	case pressed(msg, &k.Open):
		s.w.say("•", "Asked the browser to open the page. If nothing opened, open the address yourself.")
		return openWith(s.opener(), s.address())
	case pressed(msg, &k.Whole):
		s.view, s.scroll = viewAddress, scroller{}
	case pressed(msg, &k.Error):
		s.view = viewAsking
		s.asking.Set("")
		s.asking.Focus()
	case pressed(msg, &k.Methods):
		s.view = viewMethods
		s.choices.Select(max(slices.Index(s.prompt.Methods, s.prompt.Method), 0))
	case pressed(msg, &k.Again):
		s.use(s.prompt.Method)
	case pressed(msg, &k.Other):
		return s.other()
	case s.view == viewAddress:
		s.scroll.Update(msg, k.move)
	}
	return nil
}

func (s *panel) copy() tea.Cmd {
	if s.byCode() {
		return s.copied("the code", s.prompt.Code.UserCode)
	}
	return s.copied("the command", s.command())
}

// copied puts a text on the clipboard. No terminal tells whether that worked.
func (s *panel) copied(what, text string) tea.Cmd {
	s.w.say("•", "Sent "+what+" to the terminal's clipboard. If pasting brings something else, type it.")
	return s.w.copyText(clean(text))
}

// address is the page the person opens.
func (s *panel) address() string {
	switch {
	case s.prompt.Method != steps.ByDevice:
		return s.prompt.URL
	case s.w.cfg.DevicePage != "":
		return s.w.cfg.DevicePage
	}
	return s.prompt.Code.URL
}

// command leads a browser on another computer back here; empty where none is
// needed.
func (s *panel) command() string {
	if s.prompt.Method != steps.ByTunnel || s.w.cfg.Tunnel == nil {
		return ""
	}
	return s.w.cfg.Tunnel(s.prompt.Port)
}

// opener opens the page of the prompt, where that is of any use.
func (s *panel) opener() func(string) error {
	switch s.prompt.Method {
	case steps.ByBrowser:
		return s.w.cfg.Browse
	case steps.ByTunnel:
		return nil
	}
	if s.played() {
		return nil
	}
	return s.w.cfg.OpenURL
}

// played tells of a rehearsal in which the simulated administrator signs in by
// itself.
func (s *panel) played() bool { return s.w.cfg.Sandbox != "" && s.w.cfg.DevicePage == "" }

func (s *panel) typing() bool { return s.view == viewAsking }
func (s *panel) closes() bool { return s.view != viewPrompt }

func (s *panel) escape() {
	s.asking.Blur()
	s.view = viewPrompt
	s.settle()
}

func (s *panel) every() time.Duration {
	if s.prompt.Err != nil {
		return 0
	}
	return s.w.pace()
}

func (s *panel) Keys() help.KeyMap { return &s.keys }
func (s *panel) Close()            {}
