package ui

import (
	"context"
	"strings"
	"time"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/charmbracelet/x/ansi"

	"msbundle/steps"
)

const (
	// renewals is how many codes are fetched without anyone pressing a key: a
	// terminal left alone must not ask Microsoft for codes all night.
	renewals = 8
	// nearExpiry is how close to its end a code counts as expired when the
	// sign-in fails: the service's clock and ours differ a little.
	nearExpiry = 5 * time.Second
	// takeover is how long after a code's end the engine, which fetches the next
	// one by itself, is waited for.
	takeover = 10 * time.Second
	// askAfter is when the screen mentions errors in the browser by itself: the
	// service keeps saying "pending" while the person looks at a refusal.
	askAfter = 75 * time.Second
)

// signin waits while somebody signs in on another page.
type signin struct {
	w      *wizard
	keys   signinKeys
	run    run
	cancel context.CancelFunc

	try     int // of this screen; results of an earlier one are dropped
	code    *steps.DeviceCode
	began   time.Time
	renewed int
	err     error
	expired bool // and no further code is fetched by itself

	asking field // what the browser shows
	found  string
}

type signinKeys struct {
	Copy, Open, Error, New key.Binding
	Explain                key.Binding
}

func (k signinKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Explain, k.Copy, k.Open, k.Error, k.New}
}

func (k signinKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Explain, k.Copy, k.Open, k.Error, k.New}}
}

type (
	codeMsg struct {
		run
		try   int
		code  steps.DeviceCode
		codes <-chan steps.DeviceCode
		ctx   context.Context
	}
	signedInMsg struct {
		run
		try     int
		account steps.Account
		err     error
	}
)

func newSignIn(w *wizard) Screen {
	s := &signin{
		w: w, run: run(w.run), cancel: func() {}, asking: newField("", "for example AADSTS53003"),
		keys: signinKeys{
			Copy:    bind("c", "copy the code", "c"),
			Open:    bind("o", "open the page", "o"),
			Error:   bind("e", "the browser shows an error", "e"),
			New:     bind("n", "new code", "n"),
			Explain: bind("enter", "explain", "enter"),
		},
	}
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
	s.code, s.err, s.expired, s.began = nil, nil, false, s.w.now
	s.w.noSignIn = false
	s.settle()

	setup, answers, n, try := s.w.cfg.Setup, s.w.answers.Clone(), s.run, s.try
	codes := make(chan steps.DeviceCode, 1)
	signIn := func() tea.Msg {
		defer cancel()
		setup.Prompts(func(p steps.Prompt) {
			if p.Code.UserCode == "" {
				return
			}
			select {
			case codes <- p.Code:
			case <-ctx.Done():
			}
		}, false)
		account, err := setup.SignIn(ctx, answers)
		return signedInMsg{n, try, account, err}
	}
	return tea.Batch(signIn, nextCode(ctx, codes, n, try))
}

// nextCode waits for a code to show.
func nextCode(ctx context.Context, codes <-chan steps.DeviceCode, n run, try int) tea.Cmd {
	return func() tea.Msg {
		select {
		case c := <-codes:
			return codeMsg{n, try, c, codes, ctx}
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *signin) settle() {
	k, typing := &s.keys, s.asking.Focused()
	waiting := s.err == nil && !s.expired
	k.Copy.SetEnabled(!typing && waiting && s.code != nil)
	k.Open.SetEnabled(!typing && waiting && s.code != nil && s.w.cfg.OpenURL != nil && (s.w.cfg.Sandbox == "" || s.w.cfg.DevicePage != ""))
	k.Error.SetEnabled(!typing && waiting)
	k.New.SetEnabled(!typing)
	k.Explain.SetEnabled(typing)
}

func (s *signin) Update(msg tea.Msg) tea.Cmd {
	defer s.settle()
	switch msg := msg.(type) {
	case codeMsg:
		if msg.try != s.try {
			return nil
		}
		s.code = &msg.code
		return nextCode(msg.ctx, msg.codes, s.run, s.try)
	case signedInMsg:
		if msg.try != s.try {
			return nil
		}
		return s.done(msg)
	case tickMsg:
		if s.code != nil && s.err == nil && !s.expired && !s.w.now.Before(s.code.Expires.Add(takeover)) {
			return s.renew()
		}
	case tea.PasteMsg:
		if s.asking.Focused() {
			s.asking.Update(msg)
		}
	case tea.KeyPressMsg:
		return s.press(msg)
	}
	return nil
}

func (s *signin) press(msg tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(msg, s.keys.Explain):
		s.found = s.asking.Value()
		s.asking.Blur()
	case s.asking.Focused():
		s.asking.Update(msg)
	case key.Matches(msg, s.keys.Copy):
		s.w.say("•", "Sent the code to the clipboard. If pasting brings something else, type it.")
		return s.w.copyText(s.code.UserCode)
	case key.Matches(msg, s.keys.Open):
		s.w.say("•", "Asked the browser to open the page. If nothing opened, open the address yourself.")
		return s.w.openURL(s.address())
	case key.Matches(msg, s.keys.Error):
		s.found = ""
		s.asking.Set("")
		s.asking.Focus()
	case key.Matches(msg, s.keys.New):
		s.renewed, s.found = 0, ""
		return s.start()
	}
	return nil
}

// renew fetches another code by itself, so often.
func (s *signin) renew() tea.Cmd {
	if s.renewed >= renewals {
		s.cancel()
		s.try++
		s.expired = true
		return nil
	}
	s.renewed++
	s.w.say("•", "The code expired, so here is a new one.")
	return s.start()
}

func (s *signin) done(msg signedInMsg) tea.Cmd {
	if msg.err != nil {
		if s.code != nil && !s.w.now.Add(nearExpiry).Before(s.code.Expires) && !cancelled(msg.err) {
			return s.renew()
		}
		s.err, s.w.noSignIn = msg.err, true
		return nil
	}
	account := msg.account
	s.w.account, s.w.noSignIn = &account, false
	s.w.save.last = nil // what was a draft now belongs to the tenant
	s.w.forgetFindings()
	s.w.openByItself(pagePreflight)
	return nil
}

// address is where the code is typed.
func (s *signin) address() string {
	if s.w.cfg.DevicePage != "" {
		return s.w.cfg.DevicePage
	}
	return s.code.URL
}

func (s *signin) View(f Frame) string {
	t := f.Theme
	switch {
	case s.err != nil:
		lines := f.problem(problemOf(s.err))
		return f.fill(append(lines, "", "  "+t.Key.Render("n")+" begins again with a new code, "+t.Key.Render("esc")+" goes back."))
	case s.expired:
		return f.fill([]string{
			t.Strong.Render("Nobody signed in, and the last code has expired."), "",
			t.Key.Render("n") + " fetches a new code, " + t.Key.Render("esc") + " goes back.",
		})
	case s.asking.Focused() || s.found != "":
		return f.fill(s.browser(f))
	case s.code == nil:
		return f.fill([]string{t.Accent.Render(s.w.spin()) + " Asking Microsoft for a code. This usually takes a second or two; " + elapsed(s.w.now.Sub(s.began)) + " so far."})
	}
	return f.fill(s.showCode(f))
}

// showCode draws the code, the address and, where there is room for it, the QR
// code of the address.
func (s *signin) showCode(f Frame) []string {
	t := f.Theme
	var picture []string
	if !s.w.cfg.Accessible && s.w.cfg.Sandbox == "" {
		if picture = qrCode(t, clean(s.code.URL)); len(picture) > f.Height {
			picture = nil
		}
	}
	text, gap := f, 3
	if picture != nil {
		side := f.sized(f.Width-quietWidth(picture)-gap, f.Height)
		if side.Width >= 38 && (s.w.cfg.Accessible || bigText(s.code.UserCode, side.Width) != nil) {
			text = side
		} else {
			picture = nil
		}
	}
	lines := s.codeLines(text)
	if picture == nil {
		return lines
	}
	lines = exactly(lines, f.Height)
	for i, p := range picture {
		lines[i] = pad(lines[i], text.Width+gap) + p
	}
	return lines
}

func (s *signin) codeLines(f Frame) []string {
	t := f.Theme
	code := clean(s.code.UserCode)
	lines := []string{t.Plain.Render("Enter this code")}
	lines = append(lines, "")
	if big := s.big(code, f.Width); big != nil {
		for _, l := range big {
			lines = append(lines, t.Accent.Render(l))
		}
		lines = append(lines, "")
	}
	lines = append(lines, t.Strong.Render(code), "")
	switch {
	case s.w.cfg.DevicePage != "":
		lines = append(lines, "Rehearsal: open", t.Strong.Render(clip(s.w.cfg.DevicePage, f.Width)))
		lines = append(lines, t.lines(t.Muted, "The code means nothing on Microsoft's real page.", f.Width)...)
	case s.w.cfg.Sandbox != "":
		lines = append(lines, t.lines(t.Plain, "Rehearsal: the simulated administrator enters it by itself, unless the scenario is about a sign-in that fails. In earnest it goes to", f.Width)...)
		lines = append(lines, clip(s.code.URL, f.Width))
	default:
		lines = append(lines, "at, on any device,", t.Strong.Render(clean(s.code.URL)))
	}
	lines = append(lines, "")
	left := s.code.Expires.Sub(s.w.now)
	lines = append(lines, t.Accent.Render(s.w.spin())+" Waiting for you. "+t.Muted.Render("New code in ")+clock(left))
	lines = append(lines, "")
	lines = append(lines, t.lines(t.Warn, "! Only enter this code if you started this sign-in yourself.", f.Width)...)
	if s.w.now.Sub(s.began) >= askAfter {
		lines = append(lines, t.lines(t.Plain, "Does the browser show an error? Press e.", f.Width)...)
	}
	return lines
}

// big draws the code large; where the room is narrow it is at least spaced out.
func (s *signin) big(code string, width int) []string {
	if s.w.cfg.Accessible {
		return nil
	}
	if big := bigText(code, width); big != nil {
		return big
	}
	return []string{strings.Join(strings.Split(code, ""), " ")}
}

func quietWidth(picture []string) int {
	n := 0
	for _, l := range picture {
		n = max(n, ansi.StringWidth(l))
	}
	return n
}

// browser explains what the sign-in page shows.
func (s *signin) browser(f Frame) []string {
	t := f.Theme
	if s.asking.Focused() {
		lines := []string{t.Strong.Render("What does the browser show?"), ""}
		lines = append(lines, t.lines(t.Plain, "Type the number after AADSTS, or paste the message.", f.Width)...)
		return append(lines, "", t.Accent.Render("› ")+s.asking.View(t, min(f.Width-2, 60)), "",
			t.Muted.Render("The sign-in goes on waiting meanwhile."))
	}
	e, number, ok := explain(s.found)
	if !ok {
		lines := t.lines(t.Strong, "Nothing is known here about \""+number+"\".", f.Width)
		lines = append(lines, "")
		return append(lines, t.lines(t.Plain, "Look it up at https://login.microsoftonline.com/error with the number. The page's \"More details\" names the request for Microsoft's support. Press n for a new code, or esc to go on waiting.", f.Width)...)
	}
	lines := []string{t.Strong.Render("AADSTS" + number), ""}
	lines = append(lines, t.lines(t.Plain, e.What, f.Width)...)
	lines = append(lines, "")
	lines = append(lines, f.labelled("What to do", e.Do, 12)...)
	return append(lines, "", t.Key.Render("n")+" new code   "+t.Key.Render("esc")+" go on waiting")
}

func (s *signin) typing() bool { return s.asking.Focused() }

func (s *signin) closes() bool { return s.asking.Focused() || s.found != "" }

func (s *signin) escape() {
	s.asking.Blur()
	s.found = ""
	s.settle()
}

func (s *signin) every() time.Duration {
	if s.err != nil || s.expired {
		return 0
	}
	return s.w.pace()
}

func (s *signin) Keys() help.KeyMap { return s.keys }
func (s *signin) Close()            { s.cancel() }
