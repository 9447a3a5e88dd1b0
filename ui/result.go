package ui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

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

	secret  steps.Secret // zero when there is none to hand over
	handing handing
	shown   bool // the secret, just now
	noted   bool // the delivery was recorded
	reading bool // the hand-over text fills the screen
	err     error
}

// resultRow is a value to carry over.
type resultRow struct {
	label, value, where string
	secret              bool
	text                bool // of several lines
}

type resultKeys struct {
	Reveal, Hide, Copy, Text, Open, Again, Next, Start, Finish, Links key.Binding
	move                                                              moveKeys
}

func (k *resultKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Reveal, k.Hide, k.Copy, k.Text, k.Again, k.Next, k.Start, k.Finish, k.Links, k.Open}
}

func (k *resultKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Reveal, k.Hide, k.Copy, k.Text, k.Open, k.Again, k.Next, k.Start, k.Finish, k.Links}, k.move.all()}
}

type deliveredMsg struct {
	run
	err error
}

func newResult(w *wizard) Screen {
	s := &result{w: w, got: w.result, run: run(w.run), list: newPicker(nil)}
	s.secret, s.handing = w.secret()
	s.keys = resultKeys{
		Reveal: bind("r", "show the "+s.handing.short+" once", "r"),
		Hide:   bind("r", "hide the "+s.handing.short, "r"),
		Copy:   bind("c", "copy", "c"),
		Text:   bind("v", "show the text", "v"),
		Open:   bind("o", "open the portal", "o"),
		Again:  bind("a", "look again", "a"),
		Next:   bind("n", nextStage(w.stage), "n"),
		Start:  bind("s", "start", "s"),
		Finish: bind("q", "finish", "q"),
		Links:  bind("c", "copy the links", "c"),
		move:   newMoveKeys(),
	}
	s.keys.move.PageUp.SetHelp("pgup", "details up")
	s.keys.move.PageDown.SetHelp("pgdn", "details down")
	if w.stage == steps.StageTenant {
		s.rows = recordRows(s.got)
	} else {
		for _, v := range s.got.Values {
			s.rows = append(s.rows, resultRow{label: v.Label, value: v.Value, where: v.Where})
		}
	}
	if !s.secret.IsZero() {
		s.rows = append(s.rows, resultRow{label: s.handing.label, where: s.handing.where, secret: true})
	}
	s.list.SetRows(make([]row, len(s.rows)))
	s.list.Move(len(s.rows)) // onto the secret, which is what is wanted first
	s.settle()
	return s
}

func (s *result) Init() tea.Cmd { return nil }

func (s *result) settle() {
	r := s.got
	s.keys.Reveal.SetEnabled(!s.secret.IsZero() && !s.w.revealed && !s.reading)
	s.keys.Hide.SetEnabled(s.shown && !s.reading)
	s.keys.Copy.SetEnabled(len(s.rows) > 0)
	s.keys.Links.SetEnabled(len(s.invitations()) > 0)
	s.keys.Text.SetEnabled(!s.reading && slices.ContainsFunc(s.rows, func(r resultRow) bool { return r.text }))
	s.keys.Open.SetEnabled(r.PortalURL != "" && s.w.cfg.OpenURL != nil && !s.reading)
	s.keys.Again.SetEnabled(s.unfinished() && !s.reading)
	s.keys.Next.SetEnabled(!s.reading && nextStage(s.w.stage) != "")
	s.keys.Start.SetEnabled(!s.reading)
	s.keys.Finish.SetEnabled(!s.reading)
}

// rest is how many writes were left for a plan that shows them.
func (s *result) rest() int {
	if s.w.plan == nil {
		return 0
	}
	return s.w.plan.Rest
}

// unfinished tells whether another look at the tenant leads to something.
func (s *result) unfinished() bool { return !s.got.Done() || s.rest() > 0 }

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
	case s.reading && s.scroll.Update(msg, s.keys.move):
	case pressed(msg, &s.keys.Text):
		s.reading, s.scroll = true, scroller{}
		s.list.Select(slices.IndexFunc(s.rows, func(r resultRow) bool { return r.text }))
	case pressed(msg, &s.keys.Reveal):
		s.shown, s.w.revealed = true, true
		return s.delivered()
	case pressed(msg, &s.keys.Hide):
		s.shown = false
		s.w.say("•", "The "+s.handing.short+" is hidden now and not shown again. You can still copy it until you leave.")
	case pressed(msg, &s.keys.Copy):
		return s.copy()
	case pressed(msg, &s.keys.Links):
		return s.copyLinks()
	case pressed(msg, &s.keys.Open):
		s.w.say("•", "Asked the browser to open the portal. If nothing opened, open the link yourself.")
		return s.w.openURL(s.got.PortalURL)
	case pressed(msg, &s.keys.Again):
		s.leave(func() tea.Cmd { s.w.again(); return nil })
	case pressed(msg, &s.keys.Next):
		s.leave(func() tea.Cmd { s.w.next(); return nil })
	case pressed(msg, &s.keys.Start):
		s.leave(func() tea.Cmd { s.w.open(pageStart); return nil })
	case pressed(msg, &s.keys.Finish):
		return s.finish()
	case len(s.rows) == 0 || pressed(msg, &s.keys.move.PageUp) || pressed(msg, &s.keys.move.PageDown):
		s.scroll.by(s.scroll.page, msg, s.keys.move)
	default:
		s.list.Update(msg, s.keys.move)
	}
	return nil
}

// leave asks once when the secret would be lost.
func (s *result) leave(then func() tea.Cmd) tea.Cmd {
	if s.w.unfinishedSecret() {
		s.w.ask = s.handing.question(func() tea.Cmd { s.w.waived = true; return then() })
		return nil
	}
	return then()
}

// endRehearsal asks before a rehearsal is gone.
func (w *wizard) endRehearsal(then func() tea.Cmd) *question {
	return &question{
		title: "End the rehearsal?",
		text:  "What was set up in it is gone with the program. Stay to rehearse the other parts with it, from the first screen.",
		yes:   "end it", no: "stay", agree: then,
	}
}

// finish ends the program, with what another stage has to hand over in mind, too.
func (s *result) finish() tea.Cmd {
	then := func() tea.Cmd { return tea.Quit }
	if s.w.fleeting() {
		s.w.ask = s.w.endRehearsal(then)
		return nil
	}
	if h, losing := s.w.losing(); losing {
		s.w.ask = h.question(then)
		return nil
	}
	return then()
}

func (s *result) copy() tea.Cmd {
	r := s.rows[s.list.Current()]
	s.w.say("•", "Sent "+r.label+" to the clipboard. If pasting brings something else, show it and copy it by hand.")
	if !r.secret {
		return s.w.copyText(r.value)
	}
	return tea.Batch(s.w.copyText(s.secret.Reveal()), s.delivered())
}

// copyLinks copies where each customer approves.
func (s *result) copyLinks() tea.Cmd {
	var text strings.Builder
	for _, i := range s.invitations() {
		text.WriteString(shownName(i.Customer) + "\t" + i.Link + "\n")
	}
	s.w.say("•", "Sent "+count(len(s.invitations()), "link", "links")+" to the clipboard, each behind its customer.")
	return s.w.copyText(text.String())
}

// delivered records that the person took the secret.
func (s *result) delivered() tea.Cmd {
	s.w.taken = true
	if s.noted {
		return nil
	}
	setup, n, store := s.w.cfg.Setup, s.run, s.handing.store
	return func() tea.Msg { return deliveredMsg{n, store(setup)} }
}

func (s *result) View(f Frame) string {
	t, r := f.Theme, s.got
	if s.reading {
		return f.fill(s.handover(f))
	}
	lines := s.verdict(f)
	if s.err != nil {
		lines = append(lines, f.problem(problemOf(s.err))...)
	} else if s.w.apply != nil && s.w.apply.err != nil && !s.w.told() {
		lines = append(lines, f.problem(problemOf(s.w.apply.err))...)
	}
	lines = append(lines, "")
	if s.w.stage == steps.StageAuthorize {
		lines = append(lines, s.integrations(f)...)
		lines = append(lines, "")
	}
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
	text := verdictOf(s.w.stage, r) + "."
	var lines []string
	for _, l := range wrap(text, f.Width-2) {
		lines = append(lines, mark+t.Strong.Render(l))
		mark = "  "
	}
	if proof := s.proof(); ansi.StringWidth(text+proof)+3 <= f.Width {
		lines[0] += " " + t.Muted.Render(proof)
	} else {
		lines = append(lines, "  "+t.Muted.Render(clip(proof, f.Width-2)))
	}
	return lines
}

func verdictOf(stage steps.Stage, r *steps.Result) string {
	switch {
	case stage == steps.StageGDAP:
		return delegationVerdict(r)
	case stage == steps.StageTenant && r.Done():
		return "Ready"
	case stage == steps.StageTenant:
		return "Not everything is ready"
	case r.Done():
		return "Authorised"
	}
	return "Not everything is authorised"
}

func (s *result) proof() string {
	r := s.got
	return fmt.Sprintf("%s, read back %s in a row", count(r.Written, "write", "writes"), count(r.Proof.Reads, "time", "times"))
}

// authorised are the integrations the stage was about.
func (s *result) authorised() []steps.IntegrationResult {
	if s.w.stage != steps.StageAuthorize {
		return nil
	}
	return s.got.Integrations
}

func (s *result) integrations(f Frame) []string {
	t := f.Theme
	var lines []string
	for _, i := range s.authorised() {
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
	lines := t.lines(t.Strong, s.heading(), f.Width)
	for i, v := range s.rows {
		current := i == s.list.Current()
		value := v.value
		if v.secret {
			value = "••••••••••••"
			if s.shown {
				value = s.secret.Reveal()
			}
		}
		if v.text {
			value = count(strings.Count(v.value, "\n"), "line", "lines") + " for your documentation, without the password"
		}
		line := t.cursorAt(current) + t.row(pad(clip(v.label, 15), 16), current)
		if v.secret && s.shown { // never cut: half a secret is worse than none
			lines = append(lines, line+t.Strong.Render(clean(value)))
			continue
		}
		where := ""
		if f.Width >= wide && v.where != "" && !strings.EqualFold(v.where, v.label) {
			where = t.Muted.Render("  into " + v.where)
		}
		if where != "" {
			value = pad(clip(value, 40), 40)
		}
		lines = append(lines, line+t.Strong.Render(clip(value, f.Width-18))+where)
	}
	if text := s.ends(r); text != "" {
		if s.shown {
			text += " Press r to hide it; it is not shown again."
		}
		lines = append(lines, t.lines(t.Muted, text, f.Width)...)
	}
	return lines
}

// heading says what the values are for.
func (s *result) heading() string {
	if s.w.stage == steps.StageTenant {
		return "For your records"
	}
	return pasteHere
}

// ends says how long the secret serves.
func (s *result) ends(r *steps.Result) string {
	switch {
	case s.secret.IsZero():
		return ""
	case s.w.stage == steps.StageTenant:
		return "The password is in no file and in no record. " + keepSecret
	case r.SecretExpires.IsZero():
		return ""
	}
	return secretEnds(r)
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
	factSend  = "Left for you"
	factUndo  = "Take it back"
)

func (s *result) facts(f Frame) []string {
	var lines []string
	for _, k := range s.known() {
		if k.label == factSend && len(s.invitations()) > 0 {
			k.text = sendByKeys
		}
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
	if s.w.stage == steps.StageTenant {
		facts = tenantFacts(r)
	} else if s.w.stage == steps.StageGDAP {
		if n := s.rest(); n > 0 {
			add("Not planned yet", count(n, "other write", "other writes")+" about customers. Look again shows them in a plan before anything is written.")
		}
		facts = append(facts, delegationFacts(r)...)
	} else if s.w.answers.Registration.Kind == state.KindOwned {
		region, _ := catalog.RegionByID(s.w.answers.Region)
		add(factNext, "Paste the values in Rewst ("+region.WebApp+") and authorise there with the same account. A new app can take a minute or two to be known.")
	}
	if r.Behind > 0 {
		add("Customers", count(r.Behind, "customer was", "customers were")+" seen with what was chosen before. The stage Customers shows what the new choice takes there, and has it consented to.")
	}
	add(doneBy(s.w.stage), r.Account.Username)
	add("Tenant", strings.TrimSpace(r.Org.Name+"  "+r.Org.ID))
	add("Enterprise app", strings.TrimSpace(r.AppName+"  "+r.PrincipalID))
	if s.w.save.path != "" {
		add(factFile, s.w.save.path)
		if again := s.w.runAgain(); again != "" {
			add(factAgain, again)
		}
	}
	if r.Written > 0 && s.w.cfg.Undo != "" {
		add(factUndo, s.w.cfg.Undo+" shows everything that was written here, and takes it back when you agree")
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
func resultSummary(stage steps.Stage, r *steps.Result, invitations string) []string {
	switch stage {
	case steps.StageTenant:
		return tenantSummary(r)
	case steps.StageGDAP:
		return delegationSummary(r, invitations)
	}
	lines := []string{fmt.Sprintf("%s: %s in %s (%s).", verdictOf(stage, r), r.AppName, name(r.Org.Name, r.Org.ID), count(r.Written, "write", "writes"))}
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

func (s *result) closes() bool { return s.reading }

func (s *result) escape() {
	s.reading, s.scroll = false, scroller{}
	s.settle()
}

func (s *result) Keys() help.KeyMap { return &s.keys }
func (s *result) Close()            { s.shown = false }
