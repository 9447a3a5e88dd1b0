package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// start is the first screen: what to do.
type start struct {
	w      *wizard
	keys   startKeys
	list   *picker
	items  []startItem
	ctx    context.Context
	cancel context.CancelFunc
	run    run

	looking bool // for unfinished setups
	busy    string
	err     error
}

type startItem struct {
	title string
	about string
	do    func() tea.Cmd // nil: to leave
}

type startKeys struct {
	Choose key.Binding
	Retry  key.Binding
	move   moveKeys
}

func (k *startKeys) ShortHelp() []key.Binding { return []key.Binding{k.Choose, k.Retry} }

func (k *startKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Choose, k.Retry}, k.move.all()}
}

type (
	unfinishedMsg struct {
		run
		list []steps.Unfinished
		err  error
	}
	resumedMsg struct {
		run
		from    steps.Unfinished
		answers state.Answers
		err     error
	}
	rehearseMsg struct {
		run
		cfg Config
		err error
	}
)

func newStart(w *wizard) Screen {
	ctx, cancel := context.WithCancel(w.ctx)
	s := &start{
		w: w, ctx: ctx, cancel: cancel, run: run(w.run), list: newPicker(nil), looking: true,
		keys: startKeys{
			Choose: bind("enter", "choose", "enter"),
			Retry:  bind("r", "look again", "r"),
			move:   newMoveKeys(),
		},
	}
	s.build(nil)
	return s
}

func (s *start) build(unfinished []steps.Unfinished) {
	s.items = []startItem{{
		"New setup", "Choose what Rewst may do, sign in, look at every change before it is made, apply, and see it proven.",
		func() tea.Cmd { s.w.enter(steps.StageAuthorize); s.w.open(pageIntegrations); return nil },
	}}
	for _, u := range unfinished {
		title := "Resume " + name(u.Name, u.TenantID)
		if len(u.Awaited) > 0 {
			title += ": customers' approvals"
		} else if u.About != "" {
			title += ": " + u.About
		}
		s.items = append(s.items, startItem{
			title,
			fmt.Sprintf("Last worked on %s. Left: %s", u.When.Format("2 Jan 2006 15:04"), u.Left),
			func() tea.Cmd { return s.resume(u) },
		})
	}
	s.items = append(s.items, startItem{
		"Service account", "The tenant made ready: the account that authorises in Rewst, its roles and multifactor authentication, Conditional Access, Azure and Exchange.",
		func() tea.Cmd { s.w.enter(steps.StageTenant); s.w.begin(); return nil },
	}, startItem{
		"GDAP", "Customers asked for delegated administration, followed until they approve, and the twelve roles given there. Also shows who has not approved yet.",
		func() tea.Cmd { s.w.enter(steps.StageGDAP); s.w.begin(); return nil },
	}, startItem{
		"Customers", "Customers against Rewst's organisations, the consent to the app in their tenants, and how each stands, with the reason. Sign in as the service account.",
		s.customers,
	})
	if s.w.cfg.Rehearse != nil {
		s.items = append(s.items, startItem{
			"Rehearse in the sandbox", "The same wizard against a simulated Microsoft cloud inside this program. Nothing reaches a real tenant.",
			s.rehearse,
		})
	}
	s.items = append(s.items, startItem{title: "Quit"})
	s.list.SetRows(make([]row, len(s.items)))
	s.keys.Retry.SetEnabled(s.err != nil)
}

// customers opens the stage about customers' tenants, unless there is nothing it could
// go by: then that is said before anybody signs in for it.
func (s *start) customers() tea.Cmd {
	s.w.enter(steps.StageCustomers)
	if s.w.account == nil && s.w.usable().NoApp && !s.w.cfg.Setup.Begun() {
		s.w.enter(steps.StageAuthorize)
		s.list.Select(0)
		s.err = setupFirst()
		return nil
	}
	s.w.begin()
	return nil
}

// setupFirst sends to the stage that says what customers consent to.
func setupFirst() *steps.Problem {
	return &steps.Problem{
		What: "New setup comes first", Cause: "It chooses Rewst's app and what it may do: that is what customers consent to, and what is looked for in their tenants",
		Do: "Go through New setup, then come back to Customers", Err: errSetupFirst,
	}
}

func name(title, id string) string {
	if title == "" {
		return id
	}
	return title
}

func (s *start) Init() tea.Cmd {
	setup, n := s.w.cfg.Setup, s.run
	return func() tea.Msg {
		list, err := setup.Unfinished()
		return unfinishedMsg{n, list, err}
	}
}

func (s *start) resume(u steps.Unfinished) tea.Cmd {
	setup, n := s.w.cfg.Setup, s.run
	s.busy = "Reading the answers of " + name(u.Name, u.TenantID)
	return func() tea.Msg {
		a, err := setup.Resume(u)
		return resumedMsg{n, u, a, err}
	}
}

// resumed goes on in the stage that was left.
func (s *start) resumed(msg resumedMsg) {
	if msg.from.Stage == steps.StageTenant || msg.from.Stage == steps.StageGDAP || msg.from.Stage == steps.StageCustomers {
		s.w.enter(msg.from.Stage)
		s.w.setAnswers(msg.answers)
		s.w.propose()
		s.w.awaited, s.w.resumed = msg.from.Awaited, true
		s.w.begin()
		return
	}
	s.w.enter(steps.StageAuthorize)
	s.w.setAnswers(msg.answers)
	s.w.open(pageAuthorize)
}

func (s *start) rehearse() tea.Cmd {
	rehearse, ctx, n := s.w.cfg.Rehearse, s.ctx, s.run
	s.busy = "Preparing the simulated cloud"
	return func() tea.Msg {
		cfg, err := rehearse(ctx)
		return rehearseMsg{n, cfg, err}
	}
}

func (s *start) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case unfinishedMsg:
		s.looking, s.err = false, msg.err
		at := s.list.Current()
		s.build(msg.list)
		if at <= 0 {
			at = s.left(msg.list)
		}
		s.list.Select(at)
	case resumedMsg:
		s.busy = ""
		if s.err = msg.err; msg.err == nil {
			s.resumed(msg)
		}
	case rehearseMsg:
		s.busy, s.err = "", msg.err
	case tea.KeyPressMsg:
		if errors.Is(s.err, errSetupFirst) {
			s.err = nil
		}
		switch {
		case s.busy != "" || s.list.Update(msg, s.keys.move):
		case pressed(msg, &s.keys.Choose) && s.list.Current() >= 0:
			s.err = nil
			do := s.items[s.list.Current()].do
			if s.w.quits = do == nil; s.w.quits {
				return nil
			}
			cmd := do()
			s.keys.Retry.SetEnabled(false)
			return cmd
		case pressed(msg, &s.keys.Retry):
			s.looking, s.err = true, nil
			s.keys.Retry.SetEnabled(false)
			return s.Init()
		}
	}
	s.keys.Retry.SetEnabled(s.err != nil && !errors.Is(s.err, errSetupFirst))
	return nil
}

// left is the line to resume what was left of the tenant that is signed in to, or left
// last while nobody is signed in; the first one when there is none.
func (s *start) left(unfinished []steps.Unfinished) int {
	if s.w.account == nil {
		return min(len(unfinished), 1)
	}
	return slices.IndexFunc(unfinished, func(u steps.Unfinished) bool { return u.TenantID == s.w.account.TenantID }) + 1
}

func (s *start) View(f Frame) string {
	t := f.Theme
	lines := t.lines(t.Plain, "Sets up the Microsoft side of Rewst's Microsoft Cloud Integration Bundle: the app registration, its permissions and its consent.", f.Width)
	lines = append(lines, "")
	if s.w.cfg.Sandbox != "" {
		lines = append(lines, t.lines(t.Warn, "Rehearsal ("+s.w.cfg.Sandbox+"): a simulated Microsoft cloud. Nothing here reaches a real tenant.", f.Width)...)
		lines = append(lines, "")
	}
	room := min(max(f.Height-len(lines)-7, 3), len(s.items))
	lines = append(lines, f.sized(f.Width, room).list(s.list, func(i int, current bool, w int) string {
		return t.cursorAt(current) + t.row(clip(s.items[i].title, w-2), current)
	})...)
	lines = append(lines, "")
	switch i := s.list.Current(); {
	case s.err != nil:
		lines = append(lines, f.problem(problemOf(s.err))...)
	case s.busy != "":
		lines = append(lines, t.Accent.Render(s.w.spin())+" "+clip(s.busy, f.Width-2))
	case i >= 0:
		lines = append(lines, t.lines(t.Muted, s.items[i].about, f.Width)...)
		if s.w.cfg.StateDir != "" {
			lines = append(lines, "")
			lines = append(lines, t.lines(t.Muted, "Answers and the journal of changes are kept in "+s.w.cfg.StateDir+"; never a secret.", f.Width)...)
		}
		if s.looking {
			lines = append(lines, "", t.Muted.Render(s.w.spin()+" Looking for unfinished setups"))
		}
	}
	return f.fill(lines)
}

func (s *start) every() time.Duration {
	if s.looking || s.busy != "" {
		return s.w.pace()
	}
	return 0
}

func (s *start) Keys() help.KeyMap { return &s.keys }
func (s *start) Close()            { s.cancel() }
