package ui

import (
	"context"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// signin has somebody sign in. What they have to do stands on the panel in front
// of it; the screen itself shows what comes before and after, and a failure that
// is none of a sign-in, such as a tenant that cannot be found.
type signin struct {
	w      *wizard
	keys   signinKeys
	run    run
	cancel context.CancelFunc

	try    int    // of this screen; results of an earlier one are dropped
	anyone bool   // whoever signs in is taken, whatever the answers expect
	as     string // and who is to, though; empty when nobody in particular is
	began  time.Time
	err    error
}

type signinKeys struct{ Again key.Binding }

func (k *signinKeys) ShortHelp() []key.Binding  { return []key.Binding{k.Again} }
func (k *signinKeys) FullHelp() [][]key.Binding { return [][]key.Binding{{k.Again}} }

type signedInMsg struct {
	run
	try     int
	account steps.Account
	saved   *state.Answers // kept for the tenant, when they were wanted
	err     error
}

func newSignIn(w *wizard) Screen {
	s := &signin{
		w: w, run: run(w.run), cancel: func() {},
		// Somebody is signed in, so this is about somebody else.
		anyone: w.account != nil, as: w.as,
		keys: signinKeys{Again: bind("n", "try again", "n")},
	}
	w.as = ""
	s.settle()
	return s
}

func (s *signin) Init() tea.Cmd { return s.start() }

// start begins a sign-in, ending the one before it.
func (s *signin) start() tea.Cmd {
	s.cancel()
	ctx, cancel := context.WithCancel(s.w.ctx)
	s.cancel = cancel
	s.try++
	s.err, s.began, s.w.noSignIn = nil, s.w.now, false
	s.settle()

	setup, answers, n, try := s.w.cfg.Setup, s.expecting(), s.run, s.try
	wanted := s.w.wantsSaved()
	return func() tea.Msg {
		defer cancel()
		account, saved, err := signInAndLoad(ctx, setup, answers, wanted)
		return signedInMsg{n, try, account, saved, err}
	}
}

// expecting are the answers to sign in with.
func (s *signin) expecting() state.Answers {
	if play := s.w.cfg.Play; play != nil && s.as != s.w.played {
		s.w.played = s.as
		play(s.as)
	}
	a := s.w.asked()
	if s.anyone {
		a.Account = s.as
	}
	return a
}

// wantsSaved tells whether the answers kept for a tenant are to be taken up: the
// stage builds on what earlier stages asked, and nothing was answered here.
func (w *wizard) wantsSaved() bool { return w.stage != steps.StageAuthorize && !w.chosen }

// load takes up answers kept for the tenant, for whoever was expected to sign in.
func (w *wizard) load(saved *state.Answers) {
	if saved == nil {
		return
	}
	a := saved.Clone()
	a.Tenant, a.Account = name(w.answers.Tenant, a.Tenant), name(w.answers.Account, a.Account)
	w.answers, w.chosen = a, true
	w.propose()
}

// signInAndLoad signs in, and loads the answers kept for that tenant if they are
// wanted.
func signInAndLoad(ctx context.Context, setup Setup, a state.Answers, wanted bool) (steps.Account, *state.Answers, error) {
	account, err := setup.SignIn(ctx, a)
	if err != nil || !wanted {
		return account, nil, err
	}
	saved, ok, err := setup.Saved()
	if !ok {
		return account, nil, err
	}
	return account, &saved, nil
}

// other begins again and takes whoever signs in.
func (s *signin) other() tea.Cmd {
	s.anyone, s.as = true, ""
	return s.start()
}

func (s *signin) settle() { s.keys.Again.SetEnabled(s.err != nil) }

func (s *signin) Update(msg tea.Msg) tea.Cmd {
	defer s.settle()
	switch msg := msg.(type) {
	case signedInMsg:
		if msg.try == s.try && !cancelled(msg.err) {
			s.done(msg)
		}
	case tea.KeyPressMsg:
		if pressed(msg, &s.keys.Again) {
			return s.start()
		}
	}
	return nil
}

func (s *signin) done(msg signedInMsg) {
	if msg.err != nil {
		s.err, s.w.noSignIn = msg.err, true
		return
	}
	s.w.noSignIn = false
	s.w.signedIn(msg.account, msg.saved)
	if s.anyone && s.w.answers.Account != "" {
		s.w.answers.Account = msg.account.Username
	}
	if s.w.proposed != nil {
		s.w.propose() // for whoever signed in
	}
	s.w.save.last = nil // what was a draft now belongs to the tenant
	s.w.openByItself(s.w.firstPage())
}

func (s *signin) View(f Frame) string {
	t := f.Theme
	if s.err != nil {
		lines := f.problem(problemOf(s.err))
		return f.fill(append(lines, "", "  "+t.Key.Render("n")+" tries again, "+t.Key.Render("esc")+" goes back."))
	}
	return f.fill(t.lines(t.Plain, s.w.spin()+" Signing in. Microsoft usually answers within a second or two; "+elapsed(s.w.now.Sub(s.began))+" so far.", f.Width))
}

func (s *signin) every() time.Duration {
	if s.err != nil {
		return 0
	}
	return s.w.pace()
}

func (s *signin) Keys() help.KeyMap { return &s.keys }
func (s *signin) Close()            { s.cancel() }
