package ui

import (
	"context"
	"slices"
	"time"

	"charm.land/bubbles/v2/help"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"msbundle/steps"
)

// Screen is one page of the wizard.
type Screen interface {
	Init() tea.Cmd
	Update(tea.Msg) tea.Cmd
	View(Frame) string
	Keys() help.KeyMap
	Close() // cancels the screen's context
}

// What a screen may do beyond that.
type (
	// typist has a text field that may own the printable keys.
	typist interface{ typing() bool }
	// escaper may have something open that esc closes before it goes back.
	escaper interface {
		closes() bool
		escape()
	}
	// animated wants to be drawn again after a while.
	animated interface{ every() time.Duration }
)

// tickMsg makes time pass on screens that show it.
type tickMsg struct{}

// App is the wizard's only tea.Model.
type App struct {
	w      *wizard
	pages  []place
	at     int
	screen Screen
	keys   globalKeys

	theme         *Theme
	dark          bool
	width, height int

	help      bool
	ticking   bool
	leaving   bool // waits for the write in flight, then ends
	hurried   bool // that was not waited for
	quietTill time.Time
	from      int                 // the page the sign-in was opened from
	came      map[steps.Stage]int // the page each stage was gone to from

	ctx    context.Context
	cancel context.CancelFunc
}

// New makes the wizard, showing its first screen.
func New(cfg Config) *App {
	ctx, cancel := context.WithCancel(context.Background())
	a := &App{pages: places(), came: map[steps.Stage]int{}, keys: newGlobalKeys(), dark: true, ctx: ctx, cancel: cancel}
	a.theme = newTheme(true, !cfg.NoColor)
	a.w = newWizard(ctx, cfg)
	a.screen = a.pages[0].open(a.w)
	return a
}

// Init starts the first screen and asks the terminal how it looks.
func (a *App) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, a.w.prompts.next(a.w.ctx), a.screen.Init(), a.tick())
}

// Update takes a message to where it belongs.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	a.w.now = a.w.cfg.Now()
	cmds := []tea.Cmd{a.route(msg), a.follow()}
	if a.w.goes {
		a.w.goes = false
		cmds = append(cmds, a.leave())
	}
	if a.w.quits {
		a.w.quits = false
		cmds = append(cmds, a.interrupt())
	}
	if p := a.w.panel; p != nil && p.call.over() {
		a.closePanel()
		if p.call.kind != callSignIn {
			a.hush()
		}
	}
	return a, tea.Batch(append(cmds, a.tick())...)
}

func (a *App) route(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 {
			a.width, a.height = msg.Width, msg.Height
			a.w.paper.fit(msg.Width)
		}
		return nil
	case tea.BackgroundColorMsg:
		a.dark = msg.IsDark()
		a.theme = newTheme(a.dark, a.theme.colour)
		return nil
	case tea.ColorProfileMsg:
		a.theme = newTheme(a.dark, !a.w.cfg.NoColor && msg.Profile > colorprofile.ASCII)
		return nil
	case tickMsg:
		a.ticking = false
	case savedMsg:
		cmd := a.w.saved(msg)
		if a.leaving && !a.w.apply.running() && !a.w.atCustomers() && !a.w.save.busy {
			return tea.Quit
		}
		return cmd
	case rehearseMsg:
		if int(msg.run) == a.w.run && msg.err == nil {
			return a.restart(msg.cfg)
		}
	case applyMsg:
		return a.applied(msg)
	case clientsMsg:
		return a.worked(msg)
	case keepMsg:
		if msg.clients.edits == msg.edits {
			return msg.clients.keep(a.w.cfg.Setup)
		}
		return nil
	case rematchedMsg:
		cmd := msg.clients.rematched(msg)
		if s, ok := a.screen.(*customers); ok && s.table != nil {
			s.matched()
		}
		return cmd
	case keptMsg:
		msg.clients.keeping, msg.clients.keepErr = false, msg.err
		return msg.clients.keep(a.w.cfg.Setup)
	case promptsMsg:
		return a.prompted(msg)
	case tea.KeyPressMsg:
		return a.press(msg)
	case tea.PasteMsg:
		if a.covered() {
			return nil
		}
		return a.front().Update(msg)
	}
	if s, ok := msg.(stamped); ok && int(s.stamp()) != a.w.run {
		if late, ok := msg.(signedInMsg); ok && late.err == nil { // left at its last moment: it counts all the same
			a.w.signedIn(late.account, late.saved)
			if id := a.pages[a.at].id; id == pagePreflight || id == pageAccount || id == pagePlan {
				a.w.openByItself(lookPage(a.w.stage)) // what is on screen was made for somebody else
			}
		}
		return nil
	}
	return a.screen.Update(msg)
}

// covered tells whether something stands in front of the screen.
func (a *App) covered() bool {
	return a.leaving || a.help || a.w.ask != nil || a.tooSmall() || a.w.now.Before(a.quietTill)
}

func (a *App) tooSmall() bool { return a.width < MinWidth || a.height < MinHeight }

func (a *App) press(msg tea.KeyPressMsg) tea.Cmd {
	if pressed(msg, &a.keys.Quit) {
		return a.interrupt()
	}
	if a.leaving || a.tooSmall() {
		return nil
	}
	if a.w.now.Before(a.quietTill) {
		a.w.say("•", "The screen had just changed, so that key was not taken. Press "+msg.String()+" again.")
		return nil
	}
	if a.w.ask != nil {
		return a.answer(msg)
	}
	if a.help {
		a.help = false
		return nil
	}
	a.w.notice = notice{}
	if !a.typing() && pressed(msg, &a.keys.Help) {
		a.help = true
		return nil
	}
	if pressed(msg, &a.keys.Back) {
		if e, ok := a.front().(escaper); ok && e.closes() {
			e.escape()
			return nil
		}
		if a.w.panel != nil && a.w.panel.call.kind != callSignIn {
			a.w.panel.leave()
			return nil
		}
		a.back()
		return nil
	}
	return a.front().Update(msg)
}

func (a *App) typing() bool {
	t, ok := a.front().(typist)
	return ok && t.typing()
}

func (a *App) answer(msg tea.KeyPressMsg) tea.Cmd {
	q := a.w.ask
	switch msg.String() {
	case "y":
		a.w.ask = nil
		return q.agree()
	case "n", "esc":
		a.w.ask = nil
	}
	return nil
}

// backTo is the page esc leads to, -1 when there is none.
func (a *App) backTo() int {
	here, look := a.pages[a.at].id, a.index(lookPage(a.w.stage))
	stop := 0
	switch {
	case here == pageSignIn && a.w.account != nil: // as the account of before
		return a.from
	case here == pageSignIn && a.w.wrote:
		return look
	case here == pageResult, a.w.clients.busy():
		return -1
	case here == pageApply && a.w.apply == nil: // who is waited for is looked at
		return a.index(pageStart)
	case a.w.apply.running() && here != pageApply:
		return -1
	case a.w.apply != nil && !a.w.apply.running(): // it failed: what is left is planned anew
		return -1
	case a.w.wrote && a.at == look && a.w.stage != steps.StageAuthorize: // its questions are here, and nothing is lost by leaving
		return a.index(pageStart)
	case a.w.wrote:
		stop = look
	case a.at == look && a.w.stage != steps.StageAuthorize:
		if p := a.pages[a.came[a.w.stage]]; p.id == pageResult && a.w.here(p.stage) {
			return a.came[a.w.stage]
		}
		return a.index(pageStart)
	}
	for i := a.at - 1; i >= stop; i-- {
		p := a.pages[i]
		if !p.passing && (p.stage == a.pages[a.at].stage || p.stage == "" || p.id == pageResult && a.w.here(p.stage)) {
			return i
		}
	}
	return -1
}

// index finds a page of the open stage, or the first one.
func (a *App) index(id string) int {
	return slices.IndexFunc(a.pages, func(p place) bool { return p.id == id && (p.stage == a.w.stage || p.stage == "") })
}

func (a *App) back() {
	to := a.backTo()
	if to < 0 {
		return
	}
	if stage := a.pages[to].stage; stage != "" && stage != a.w.stage {
		a.w.revisit(stage)
	}
	a.w.open(a.pages[to].id)
}

// follow goes where a screen wishes to go.
func (a *App) follow() tea.Cmd {
	var cmds []tea.Cmd
	for a.w.move != nil {
		m := a.w.move
		a.w.move = nil
		cmds = append(cmds, a.openPage(a.index(m.to)))
		if m.byItself {
			a.hush()
		}
	}
	return tea.Batch(cmds...)
}

func (a *App) openPage(i int) tea.Cmd {
	a.screen.Close()
	forward := i > a.at && a.at > 0
	if a.pages[i].id == pageSignIn {
		a.from = a.at
	}
	if stage := a.pages[i].stage; forward && stage != a.pages[a.at].stage || a.at == 0 {
		a.came[stage] = a.at
	}
	a.at = i
	a.w.run++
	a.w.notice = notice{}
	a.screen = a.pages[i].open(a.w)
	cmds := []tea.Cmd{a.screen.Init()}
	if forward {
		cmds = append(cmds, a.w.saveAnswers())
	}
	return tea.Batch(cmds...)
}

// tick keeps one timer going while the screen shows time.
func (a *App) tick() tea.Cmd {
	s, ok := a.front().(animated)
	if !ok || a.ticking {
		return nil
	}
	d := s.every()
	if d <= 0 {
		return nil
	}
	a.ticking = true
	return tea.Tick(d, func(time.Time) tea.Msg { return tickMsg{} })
}

// restart begins again with another configuration: the rehearsal.
func (a *App) restart(cfg Config) tea.Cmd {
	old := a.w.cfg
	if cfg.Now == nil {
		cfg.Now = old.Now
	}
	cfg.NoColor, cfg.Grace = old.NoColor, old.Grace
	n := a.w.run
	a.screen.Close()
	a.w.cancel()
	a.w = newWizard(a.ctx, cfg)
	a.w.run, a.at = n+1, 0
	a.screen = a.pages[0].open(a.w)
	a.w.openByItself(pageIntegrations)
	return a.w.prompts.next(a.w.ctx)
}

// front is what gets the keys: the sign-in under way, else the screen.
func (a *App) front() Screen {
	if a.w.panel != nil {
		return a.w.panel
	}
	return a.screen
}

// prompted takes what the engine asks of the person.
func (a *App) prompted(msg promptsMsg) tea.Cmd {
	if msg.from != a.w.prompts {
		return nil
	}
	cmds := []tea.Cmd{a.w.prompts.next(a.w.ctx)}
	for _, i := range msg.items {
		if i.call.over() {
			continue
		}
		p := a.w.panel
		same := p != nil && p.prompt.N == i.prompt.N
		switch {
		case i.prompt.Ended && same:
			if !p.given && p.call.kind != callSignIn {
				a.w.say("✓", "Signed in. Going on.")
			}
			a.closePanel()
			a.hush()
			continue
		case i.prompt.Ended:
			continue
		case !same:
			a.closePanel()
			a.w.panel, a.help = newPanel(a.w, i.call, a.somebodyElse()), false
		}
		if i.prompt.Err != nil || !same {
			a.hush()
		}
		cmds = append(cmds, a.w.panel.take(i.prompt))
	}
	return tea.Batch(cmds...)
}

// somebodyElse begins the sign-in of the open page anew; nil on other pages, where
// it has to be the same person.
func (a *App) somebodyElse() func() tea.Cmd {
	if s, ok := a.screen.(*signin); ok {
		return s.other
	}
	return nil
}

// closePanel takes the sign-in off the screen, with what it asked.
func (a *App) closePanel() {
	p := a.w.panel
	if p == nil {
		return
	}
	if p.ask != nil && a.w.ask == p.ask {
		a.w.ask = nil
	}
	a.w.panel, a.help = nil, false
}

// hush has keys ignored for a moment, because the screen changed by itself.
func (a *App) hush() { a.quietTill = a.w.now.Add(a.w.cfg.Grace) }

// leave ends the program, after the write in flight and after the answers were
// saved.
func (a *App) leave() tea.Cmd {
	if a.w.panel != nil {
		a.w.paper.rows = 0 // what was to be done stays to be seen
	}
	if a.w.apply.running() {
		a.leaving = true
		a.w.apply.stop()
		return nil
	}
	if a.w.atCustomers() {
		a.leaving = true
		return a.w.leaveCustomers()
	}
	a.screen.Close()
	a.leaving = true
	if a.at > 0 {
		if cmd := a.w.saveAnswers(); a.w.save.busy {
			return cmd
		}
	}
	return tea.Quit
}

// applied takes progress of the apply, whichever screen is open.
func (a *App) applied(msg applyMsg) tea.Cmd {
	if a.w.apply == nil || msg.apply != a.w.apply {
		return nil
	}
	waited := len(a.w.invitations()) > 0
	cmd := a.w.apply.take(a.w, msg)
	if len(a.w.invitations()) > 0 != waited { // the page becomes the inbox, or the progress again
		a.hush()
	}
	a.w.wrote = a.w.wrote || a.w.apply.started
	if a.pages[a.at].id == pageApply {
		a.screen.Update(msg)
	}
	if a.w.apply.running() {
		return cmd
	}
	if a.leaving {
		return tea.Batch(cmd, tea.Quit)
	}
	if a.w.result != nil {
		a.w.openByItself(pageResult)
	} else if a.pages[a.at].id != pageApply {
		a.w.openByItself(pageApply)
	}
	return cmd
}
