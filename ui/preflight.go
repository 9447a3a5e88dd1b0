package ui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// preflight looks at the tenant and shows what stands in the way.
type preflight struct {
	looking
	keys   preflightKeys
	checks []steps.Check
	offers map[string]steps.Offer // of the plan, by id
	list   *picker
	whole  bool // the check under the cursor fills the screen
	scroll scroller

	choosing bool // among apps of the chosen name
	apps     *picker
	rename   field
}

type preflightKeys struct {
	Next, Again, Choose, Adopt, Rename, Apply key.Binding
	Fix, Account, Whole                       key.Binding
	move                                      moveKeys
}

func (k *preflightKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Apply, k.Adopt, k.Rename, k.Next, k.Choose, k.Fix, k.Again, k.Account}
}

func (k *preflightKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Apply, k.Adopt, k.Next, k.Choose, k.Rename, k.Fix, k.Again, k.Account, k.Whole}, k.move.all()}
}

func newPreflight(w *wizard) Screen {
	s := &preflight{
		looking: newLooking(w), list: newPicker(nil), apps: newPicker(nil),
		rename: newField(w.answers.Registration.Name, "Rewst Integration"),
		keys: preflightKeys{
			Next:    bind("enter", "continue", "enter"),
			Again:   bind("r", "look again", "r"),
			Choose:  bind("u", "which app", "u"),
			Adopt:   bind("enter", "use this app", "enter"),
			Rename:  bind("n", "another name", "n"),
			Apply:   bind("enter", "use this name", "enter"),
			Fix:     bind("f", "fix it for me", "f"),
			Account: bind("s", "sign in again", "s"),
			Whole:   bind("v", "whole text", "v"),
			move:    newMoveKeys(),
		},
	}
	if w.findings != nil {
		s.show()
	}
	s.settle()
	return s
}

func (s *preflight) Init() tea.Cmd {
	if s.w.findings != nil {
		return nil
	}
	return s.inspect()
}

func (s *preflight) inspect() tea.Cmd {
	s.choosing, s.whole = false, false
	s.w.forgetFindings()
	cmd := s.begin(s.w.asked(), s.w.cfg.Setup.Inspect)
	s.settle()
	return cmd
}

// show turns findings into checks and puts the cursor on the first that needs
// somebody.
func (s *preflight) show() {
	f := s.w.findings
	s.checks = steps.Preflight(s.w.asked(), f, s.w.options())
	if s.w.existing && f.App == nil && len(f.SameName) == 0 {
		s.checks = append(s.checks, steps.Check{
			ID: "existing-app", Title: "The app to use", State: steps.Warned,
			Evidence: "There is no app called " + s.w.answers.Registration.Name + " in this tenant.",
			Fix:      "Going on creates it. To use another one, go back and give its exact name or its client id.",
		})
	}
	s.offers = map[string]steps.Offer{}
	if slices.ContainsFunc(s.checks, func(c steps.Check) bool { return c.Offer != "" }) {
		for _, o := range steps.MakePlan(s.w.asked(), f, s.w.options()).Offers {
			s.offers[o.ID] = o
		}
	}
	s.list.SetRows(make([]row, len(s.checks)))
	at := s.blocking()
	for _, state := range []steps.CheckState{steps.Failed, steps.Warned, steps.Unknown} {
		if at < 0 {
			at = slices.IndexFunc(s.checks, func(c steps.Check) bool { return c.State == state })
		}
	}
	s.list.Select(max(at, 0))
	s.apps.SetRows(make([]row, len(f.SameName)))
}

// blocking is the first check that stops the setup, -1 when there is none.
func (s *preflight) blocking() int {
	return slices.IndexFunc(s.checks, func(c steps.Check) bool { return c.Blocks && c.State == steps.Failed })
}

func (s *preflight) sameName() bool {
	return slices.ContainsFunc(s.checks, func(c steps.Check) bool {
		return c.ID == steps.CheckSameName && c.State != steps.Passed
	})
}

// offer is what mends the check under the cursor, when the plan offers it.
func (s *preflight) offer() (steps.Offer, bool) {
	at := s.list.Current()
	if at < 0 {
		return steps.Offer{}, false
	}
	o, ok := s.offers[s.checks[at].Offer]
	return o, ok
}

func (s *preflight) settle() {
	k := &s.keys
	ready := s.looked()
	list := ready && !s.choosing
	_, mends := s.offer()
	k.Next.SetEnabled(list)
	k.Again.SetEnabled(!s.loading && !s.choosing)
	k.Choose.SetEnabled(list && s.sameName())
	k.Fix.SetEnabled(list && mends)
	k.Account.SetEnabled(!s.loading && !s.choosing)
	k.Whole.SetEnabled(list && !s.whole && len(s.checks) > 0)
	k.Adopt.SetEnabled(ready && s.choosing && !s.rename.Focused() && len(s.apps.rows) > 0)
	k.Rename.SetEnabled(ready && s.choosing && !s.rename.Focused())
	k.Apply.SetEnabled(ready && s.choosing && s.rename.Focused())
}

func (s *preflight) Update(msg tea.Msg) tea.Cmd {
	defer s.settle()
	switch msg := msg.(type) {
	case tea.PasteMsg:
		if s.rename.Focused() {
			s.rename.Update(msg)
		}
	case tea.KeyPressMsg:
		return s.press(msg)
	}
	found, cmd := s.heard(msg)
	if found != nil {
		s.w.findings = found
		s.show()
	}
	return cmd
}

func (s *preflight) press(msg tea.KeyPressMsg) tea.Cmd {
	switch {
	case pressed(msg, &s.keys.Apply):
		return s.useName()
	case s.rename.Focused():
		s.rename.Update(msg)
	case pressed(msg, &s.keys.Adopt):
		return s.adopt()
	case pressed(msg, &s.keys.Rename):
		s.rename.Focus()
	case s.choosing:
		s.apps.Update(msg, s.keys.move)
	case pressed(msg, &s.keys.Again):
		return s.inspect()
	case pressed(msg, &s.keys.Account):
		s.w.open(pageSignIn)
	case s.loading || s.err != nil:
	case pressed(msg, &s.keys.Choose):
		s.choosing = true
	case pressed(msg, &s.keys.Fix):
		s.fix()
	case pressed(msg, &s.keys.Whole):
		s.whole, s.scroll = true, scroller{}
	case s.whole && s.scroll.Update(msg, s.keys.move):
	case pressed(msg, &s.keys.Next):
		s.next()
	default:
		s.list.Update(msg, s.keys.move)
	}
	return nil
}

// fix takes the offer that mends the check under the cursor into the plan, or
// leaves it out again.
func (s *preflight) fix() {
	o, _ := s.offer()
	s.w.ticked[o.ID] = !s.w.ticked[o.ID]
	if s.w.ticked[o.ID] {
		s.w.say("✓", "The plan has it: "+o.Title+".")
		return
	}
	s.w.say("•", "Left out of the plan: "+o.Title+".")
}

func (s *preflight) next() {
	at := s.blocking()
	switch {
	case at < 0:
		s.w.open(pagePlan)
	case s.checks[at].ID == steps.CheckSameName:
		s.choosing = true
	default:
		s.list.Select(at)
		s.whole = false
		again := "Then press r to look again."
		if s.checks[at].SignIn {
			again = "Then press s to sign in again, with this account or another."
		}
		s.w.say("✗", "This has to be mended first: "+s.checks[at].Title+". "+again)
	}
}

// adopt takes the app under the cursor and looks at the tenant again.
func (s *preflight) adopt() tea.Cmd {
	app := s.w.findings.SameName[s.apps.Current()]
	a := s.w.answers.Clone()
	a.Registration.AppID = app.AppID
	s.w.setAnswers(a)
	s.w.say("•", "Using the existing app "+app.Name+".")
	return tea.Batch(s.inspect(), s.w.saveAnswers())
}

// useName takes another name for the app and looks at the tenant again.
func (s *preflight) useName() tea.Cmd {
	text := s.rename.Value()
	if bad := state.CheckAppName(text); bad != "" {
		s.w.say("✗", sentence(bad))
		return nil
	}
	s.rename.Blur()
	a := s.w.answers.Clone()
	a.Registration.Name, a.Registration.AppID = text, ""
	s.w.setAnswers(a)
	return tea.Batch(s.inspect(), s.w.saveAnswers())
}

func (s *preflight) View(f Frame) string {
	t := f.Theme
	switch {
	case !s.looked():
		return f.fill(s.lines(f, "Reads the organisation, your roles, policies, the app and what was granted to it. This usually takes 5 to 20 seconds",
			"Then you see what stands in the way, if anything."))
	case s.choosing:
		return f.fill(s.chooser(f))
	case len(s.checks) == 0:
		return f.fill([]string{t.Good.Render("✓") + " Nothing stands in the way.", "", t.Key.Render("enter") + " shows the plan."})
	}
	head := []string{s.verdict(t, f.Width), ""}
	in := f.sized(f.Width, f.Height-len(head))
	if s.whole {
		return f.fill(append(head, s.scroll.View(in, s.details(in.sized(in.Width-2, in.Height)))...))
	}
	return f.fill(append(head, in.split(8, s.table, s.details)...))
}

func (s *preflight) verdict(t *Theme, width int) string {
	mark := t.Good.Render("✓ ")
	switch {
	case s.blocking() >= 0:
		mark = t.Bad.Render("✗ ")
	case slices.ContainsFunc(s.checks, func(c steps.Check) bool { return c.State != steps.Passed }):
		mark = t.Warn.Render("! ")
	}
	return mark + clip(s.tally(), width-2)
}

// tally says how the checks came out and whether one can go on.
func (s *preflight) tally() string {
	failed, warned, unknown := 0, 0, 0
	for _, c := range s.checks {
		switch c.State {
		case steps.Failed:
			failed++
		case steps.Warned:
			warned++
		case steps.Unknown:
			unknown++
		}
	}
	text := fmt.Sprintf("%d of %s passed", len(s.checks)-failed-warned-unknown, count(len(s.checks), "check", "checks"))
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	if warned > 0 {
		text += ", " + count(warned, "warning", "warnings")
	}
	if unknown > 0 {
		text += fmt.Sprintf(", %d could not be checked", unknown)
	}
	switch {
	case s.blocking() >= 0:
		return text + ". Mend that first."
	case failed+warned+unknown > 0:
		return text + ". You can go on."
	}
	return text + "."
}

func (s *preflight) table(f Frame) []string {
	t := f.Theme
	return f.list(s.list, func(i int, current bool, w int) string {
		c := s.checks[i]
		title := c.Title
		if s.w.ticked[c.Offer] && c.State != steps.Passed {
			title += ", mended by the plan"
		}
		return t.cursorAt(current) + pad(t.row(clip(title, w-21), current), w-20) + t.state(c.State)
	})
}

// state says how a check came out, as mark and word.
func (t *Theme) state(c steps.CheckState) string {
	switch c {
	case steps.Passed:
		return t.Good.Render("✓ " + c.String())
	case steps.Warned:
		return t.Warn.Render("! " + c.String())
	case steps.Failed:
		return t.Bad.Render("✗ " + c.String())
	}
	return t.Muted.Render("? " + c.String())
}

func (s *preflight) details(f Frame) []string {
	t, at := f.Theme, s.list.Current()
	if at < 0 {
		return nil
	}
	c := s.checks[at]
	lines := t.lines(t.Strong, c.Title, f.Width)
	if o, mends := s.offer(); mends {
		does := "takes this into the plan: "
		if s.w.ticked[o.ID] {
			does = "leaves this out of the plan again: "
		}
		lines = append(lines, f.labelled("f", does+o.Title, 8)...)
	}
	lines = append(lines, f.labelled("Seen", c.Evidence, 8)...)
	if c.Fix != "" {
		lines = append(lines, f.labelled("Do", c.Fix, 8)...)
	}
	if c.ID == steps.CheckSameName && c.State != steps.Passed {
		lines = append(lines, strings.Repeat(" ", 8)+t.Key.Render("u")+" shows these apps: use one, or choose another name")
	}
	if len(lines) > f.Height && !s.whole {
		lines = append(lines[:max(f.Height-1, 0)], strings.Repeat(" ", 8)+t.Key.Render("v")+" shows the whole text")
	}
	return lines
}

// appFacts are what a person recognises an app by.
func appFacts(app steps.AppSummary) string {
	made := "made on " + day(app.Created)
	if app.Created.IsZero() {
		made = "age unknown"
	}
	owner := "not made by this program"
	if app.Ours {
		owner = "made by this program"
	}
	return fmt.Sprintf("%s, %s, %s", made, owner, count(app.Secrets, "client secret", "client secrets"))
}

// chooser lists the apps of the chosen name.
func (s *preflight) chooser(f Frame) []string {
	t := f.Theme
	lines := t.lines(t.Strong, count(len(s.apps.rows), "app is", "apps are")+" called "+s.w.answers.Registration.Name+" already", f.Width)
	lines = append(lines, t.lines(t.Plain, "Use an existing app: it is brought in line and keeps its id and its secrets. Or give the new app another name. Or go back and stop here; nothing was changed.", f.Width)...)
	lines = append(lines, "")
	if s.rename.Focused() {
		lines = append(lines, t.Accent.Render("› ")+"Name  "+s.rename.View(t, min(f.Width-8, 60)))
		if bad := state.CheckAppName(s.rename.Value()); bad != "" {
			lines = append(lines, t.lines(t.Bad, "  ✗ "+sentence(bad), f.Width)...)
		}
		return append(lines, "", t.Muted.Render("enter looks at the tenant again with this name, esc goes back to the list"))
	}
	return append(lines, f.sized(f.Width, (f.Height-len(lines))/3*3).tall(s.apps, 3, func(i int, current bool, w int) []string {
		app := s.w.findings.SameName[i]
		return []string{
			t.cursorAt(current) + t.row(clip(app.Name, w-2), current),
			"  " + t.Muted.Render(clip(appFacts(app), w-2)),
			"  " + t.Muted.Render(clip("client id "+app.AppID, w-2)),
		}
	})...)
}

func (s *preflight) typing() bool { return s.rename.Focused() }
func (s *preflight) closes() bool { return s.choosing || s.whole }

func (s *preflight) escape() {
	switch {
	case s.rename.Focused():
		s.rename.Blur()
	case s.choosing:
		s.choosing = false
	default:
		s.whole = false
	}
	s.settle()
}

func (s *preflight) Keys() help.KeyMap { return &s.keys }
