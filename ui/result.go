package ui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// result shows what came of it, read back, and hands the values over.
type result struct {
	w    *wizard
	got  *steps.Result
	keys resultKeys
	run  run

	rows   []resultRow
	list   *picker
	scroll scroller

	shown    bool // the secret, just now
	revealed bool // it was shown once and is not shown again
	noted    bool // the delivery was recorded
	err      error
}

// resultRow is a value to carry over.
type resultRow struct {
	label, value, where string
	secret              bool
}

type resultKeys struct {
	Reveal, Hide, Copy, Open, Again, Finish key.Binding
	move                                    moveKeys
}

func (k resultKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Reveal, k.Hide, k.Copy, k.Again, k.Finish, k.Open}
}

func (k resultKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Reveal, k.Hide, k.Copy, k.Open, k.Again, k.Finish}, k.move.all()}
}

type deliveredMsg struct {
	run
	err error
}

func newResult(w *wizard) Screen {
	s := &result{
		w: w, got: w.result, run: run(w.run), list: newPicker(nil),
		keys: resultKeys{
			Reveal: bind("r", "show the secret once", "r"),
			Hide:   bind("r", "hide the secret", "r"),
			Copy:   bind("c", "copy this value", "c"),
			Open:   bind("o", "open the portal", "o"),
			Again:  bind("a", "look again", "a"),
			Finish: bind("q", "finish", "q", "enter"),
			move:   newMoveKeys(),
		},
	}
	s.keys.move.PageUp.SetHelp("pgup", "details up")
	s.keys.move.PageDown.SetHelp("pgdn", "details down")
	for _, v := range s.got.Values {
		s.rows = append(s.rows, resultRow{label: v.Label, value: v.Value, where: v.Where})
	}
	if !s.got.Secret.IsZero() {
		s.rows = append(s.rows, resultRow{label: "Client secret", where: "Client Secret (the value, not the secret id)", secret: true})
	}
	s.list.SetRows(make([]row, len(s.rows)))
	s.list.Move(len(s.rows)) // onto the secret, which is what is wanted first
	s.settle()
	return s
}

func (s *result) Init() tea.Cmd { return nil }

func (s *result) settle() {
	r := s.got
	s.keys.Reveal.SetEnabled(!r.Secret.IsZero() && !s.revealed)
	s.keys.Hide.SetEnabled(s.shown)
	s.keys.Copy.SetEnabled(len(s.rows) > 0)
	s.keys.Open.SetEnabled(r.PortalURL != "" && s.w.cfg.OpenURL != nil)
	s.keys.Again.SetEnabled(!r.Done())
}

func (s *result) Update(msg tea.Msg) tea.Cmd {
	defer s.settle()
	switch msg := msg.(type) {
	case deliveredMsg:
		s.err = msg.err
		s.noted = msg.err == nil
	case tea.KeyPressMsg:
		return s.press(msg)
	}
	return nil
}

func (s *result) press(msg tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(msg, s.keys.Reveal):
		s.shown, s.revealed = true, true
		return s.delivered()
	case key.Matches(msg, s.keys.Hide):
		s.shown = false
		s.w.say("•", "The secret is hidden now and not shown again. You can still copy it until you leave.")
	case key.Matches(msg, s.keys.Copy):
		return s.copy()
	case key.Matches(msg, s.keys.Open):
		s.w.say("•", "Asked the browser to open the portal. If nothing opened, open the link yourself.")
		return s.w.openURL(s.got.PortalURL)
	case key.Matches(msg, s.keys.Again):
		s.leave(func() tea.Cmd { s.w.again(); return nil })
	case key.Matches(msg, s.keys.Finish):
		return s.leave(func() tea.Cmd { return tea.Quit })
	case key.Matches(msg, s.keys.move.PageUp, s.keys.move.PageDown):
		s.scroll.by(3, msg, s.keys.move)
	default:
		s.list.Update(msg, s.keys.move)
	}
	return nil
}

// leave asks once when the secret would be lost.
func (s *result) leave(then func() tea.Cmd) tea.Cmd {
	if s.w.unfinishedSecret() {
		s.w.ask = secretQuestion(then)
		return nil
	}
	return then()
}

func secretQuestion(then func() tea.Cmd) *question {
	return &question{
		title: "Leave without the client secret?",
		text:  "The client secret was neither shown nor copied. It cannot be read again later: the next run removes it and makes a new one.",
		yes:   "leave", no: "stay", agree: then,
	}
}

func (s *result) copy() tea.Cmd {
	r := s.rows[s.list.Current()]
	s.w.say("•", "Sent "+r.label+" to the clipboard. If pasting brings something else, show it and copy it by hand.")
	if !r.secret {
		return s.w.copyText(r.value)
	}
	return tea.Batch(s.w.copyText(s.got.Secret.Reveal()), s.delivered())
}

// delivered records that the person took the secret.
func (s *result) delivered() tea.Cmd {
	s.w.taken = true
	if s.noted {
		return nil
	}
	setup, n := s.w.cfg.Setup, s.run
	return func() tea.Msg { return deliveredMsg{n, setup.SecretDelivered()} }
}

func (s *result) View(f Frame) string {
	t, r := f.Theme, s.got
	lines := s.verdict(f)
	if s.err != nil {
		lines = append(lines, f.problem(problemOf(s.err))...)
	} else if s.w.apply != nil && s.w.apply.err != nil {
		lines = append(lines, f.problem(problemOf(s.w.apply.err))...)
	}
	lines = append(lines, "")
	lines = append(lines, s.integrations(f)...)
	lines = append(lines, "")
	lines = append(lines, s.values(f)...)
	if r.SecretNote != "" {
		lines = append(lines, t.lines(t.Muted, r.SecretNote, f.Width)...)
	}
	lines = append(lines, "")
	for len(lines) > f.Height-4 && slices.Contains(lines, "") { // the details keep a few lines
		i := slices.Index(lines, "")
		lines = slices.Delete(lines, i, i+1)
	}
	facts := s.facts(f.sized(f.Width-2, f.Height))
	return f.fill(append(lines, s.scroll.View(f.sized(f.Width, f.Height-len(lines)), facts)...))
}

func (s *result) verdict(f Frame) []string {
	t, r := f.Theme, s.got
	mark := t.Warn.Render("! ")
	if r.Done() {
		mark = t.Good.Render("✓ ")
	}
	return []string{mark + t.Strong.Render(verdictOf(r)+".") + " " + t.Muted.Render(s.proof())}
}

func verdictOf(r *steps.Result) string {
	if r.Done() {
		return "Authorised"
	}
	return "Not everything is authorised"
}

func (s *result) proof() string {
	r := s.got
	return fmt.Sprintf("%s, read back %s in a row", count(r.Written, "write", "writes"), count(r.Proof.Reads, "time", "times"))
}

func (s *result) integrations(f Frame) []string {
	t := f.Theme
	var lines []string
	for _, i := range s.got.Integrations {
		mark, word := t.Good.Render("✓"), "authorised"
		if !i.Authorized {
			mark, word = t.Bad.Render("✗"), "incomplete"
		}
		text := fmt.Sprintf("%s of %s", number(i.Granted), number(i.Wanted))
		if f.Width > 70 {
			text = fmt.Sprintf("%s of %s", number(i.Granted), count(i.Wanted, "permission", "permissions"))
		}
		lines = append(lines, mark+" "+pad(clip(i.Name, 30), 32)+pad(word, 12)+t.Muted.Render(text))
		if len(i.Missing) > 0 {
			missing := t.lines(t.Warn, "missing: "+strings.Join(i.Missing, ", "), f.Width-2)
			for _, l := range missing[:min(len(missing), 2)] {
				lines = append(lines, "  "+l)
			}
		}
	}
	return lines
}

const pasteHere = "Paste into Rewst, under Marketplace > Integrations > Microsoft Cloud Bundle"

// values are what goes into Rewst's form.
func (s *result) values(f Frame) []string {
	t, r := f.Theme, s.got
	if len(s.rows) == 0 {
		return nil
	}
	lines := t.lines(t.Strong, pasteHere, f.Width)
	for i, v := range s.rows {
		current := i == s.list.Current()
		value := v.value
		if v.secret {
			value = "••••••••••••"
			if s.shown {
				value = r.Secret.Reveal()
			}
		}
		line := t.cursorAt(current) + t.row(pad(clip(v.label, 15), 16), current)
		if v.secret && s.shown { // never cut: half a secret is worse than none
			lines = append(lines, line+t.Strong.Render(clean(value)))
			continue
		}
		where := ""
		if f.Width >= wide && !strings.EqualFold(v.where, v.label) {
			where = t.Muted.Render("  into " + v.where)
		}
		if where != "" {
			value = pad(clip(value, 40), 40)
		}
		lines = append(lines, line+t.Strong.Render(clip(value, f.Width-18))+where)
	}
	if !r.Secret.IsZero() && !r.SecretExpires.IsZero() {
		text := secretEnds(r)
		if s.shown {
			text += " Press r to hide it; it is not shown again."
		}
		lines = append(lines, t.lines(t.Muted, text, f.Width)...)
	}
	return lines
}

func secretEnds(r *steps.Result) string {
	return "The secret expires on " + day(r.SecretExpires) + ". Note it: Rewst stops working then."
}

// fact is something worth knowing, by name.
type fact struct{ label, text string }

// Names of facts.
const (
	factNext  = "Next"
	factFile  = "Your answers"
	factAgain = "Run again"
)

func (s *result) facts(f Frame) []string {
	var lines []string
	for _, k := range s.known() {
		lines = append(lines, f.labelled(k.label, k.text, 17)...)
	}
	return lines
}

// known lists what else there is to say, what comes next first.
func (s *result) known() []fact {
	r := s.got
	var facts []fact
	add := func(label, text string) {
		if text != "" {
			facts = append(facts, fact{label, text})
		}
	}
	if s.w.answers.Registration.Kind == state.KindOwned {
		region, _ := catalog.RegionByID(s.w.answers.Region)
		add(factNext, "Paste the values in Rewst ("+region.WebApp+") and authorize there with the same account. A new app can take a minute or two to be known.")
	}
	add("Authorised by", r.Account.Username)
	add("Tenant", strings.TrimSpace(r.Org.Name+"  "+r.Org.ID))
	add("Enterprise app", strings.TrimSpace(r.AppName+"  "+r.PrincipalID))
	if s.w.save.path != "" {
		add(factFile, s.w.save.path)
		if again := s.w.runAgain(); again != "" {
			add(factAgain, again)
		}
	}
	add("Redirect URI", r.RedirectURI)
	add("Portal", r.PortalURL)
	for _, n := range r.Notes {
		add("Note", noteText(n))
	}
	return facts
}

// resultSummary is what is printed after the program has ended. It never holds
// the secret.
func resultSummary(r *steps.Result) []string {
	lines := []string{fmt.Sprintf("%s: %s in %s (%s).", verdictOf(r), r.AppName, name(r.Org.Name, r.Org.ID), count(r.Written, "write", "writes"))}
	for _, i := range r.Integrations {
		line := fmt.Sprintf("  %s: %s of %s", i.Name, number(i.Granted), count(i.Wanted, "permission", "permissions"))
		if len(i.Missing) > 0 {
			line += "; missing: " + strings.Join(i.Missing, ", ")
		}
		lines = append(lines, line)
	}
	for _, v := range r.Values {
		lines = append(lines, "  "+v.Label+": "+v.Value)
	}
	if r.PortalURL != "" {
		lines = append(lines, "  Enterprise application: "+r.PortalURL)
	}
	return lines
}

func (s *result) Keys() help.KeyMap { return s.keys }
func (s *result) Close()            { s.shown = false }
