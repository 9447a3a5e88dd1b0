package ui

import (
	"slices"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
)

// What a person is told before a consent.
const (
	consentFirst  = "Rewst does not learn of a consent that is given here: its own shield still has to be pressed for every customer, in Rewst. That is its consent, and Rewst acts at a customer only after it."
	consentSecond = "A consent given here puts the app into the customer's tenant with exactly what was chosen, and proves it. Pressing the shield later finds the app there: Microsoft then answers that it already exists, and nobody has documented what Rewst makes of that. Unless you have a reason, leave the consent to Rewst."
	consentThird  = "Rewst's connector is consented to in Rewst only: press the customer's shield there, then have it looked at here."
)

// rewst is the address of Rewst in the region of the answers.
func (w *wizard) rewst() string {
	region, _ := catalog.RegionByID(w.answers.Region)
	return "https://" + region.WebApp
}

// clientNotice says what a consent means before anything is read for it.
type clientNotice struct {
	still
	s    *customers
	rows []int
	list *picker // the choices
	keys noticeKeys
	may  bool // policies can be changed
}

type noticeKeys struct {
	Choose, Exclude, Web key.Binding
	move                 moveKeys
}

func newClientNotice(s *customers, rows []int) *clientNotice {
	n := &clientNotice{s: s, rows: rows, may: s.w.mayExclude(), keys: noticeKeys{
		Choose: bind("enter", "go on", "enter"), Exclude: bind("x", "exclude from policies", "x"), Web: bind("w", "open Rewst", "w"), move: newMoveKeys(),
	}}
	n.list = newPicker(make([]row, len(n.choices())))
	if c := s.w.clients; !slices.ContainsFunc(rows, func(i int) bool { return c.standing(i) == stands }) {
		n.list.Select(1) // a consent was given there, and failed; there is no second choice for the connector
	}
	n.keys.Exclude.SetEnabled(!s.w.connector())
	n.keys.Web.SetEnabled(s.w.cfg.OpenURL != nil)
	return n
}

func (n *clientNotice) Keys() help.KeyMap { return keyList{n.keys.Choose, n.keys.Exclude, n.keys.Web} }

func (n *clientNotice) choices() []string {
	out := []string{"Leave the consent to Rewst, and only look at what is there"}
	if !n.s.w.connector() {
		out = append(out, "Consent here, through Partner Center; the plan is shown first")
	}
	return out
}

func (n *clientNotice) press(msg tea.KeyPressMsg) tea.Cmd {
	s, c := n.s, n.s.w.clients
	switch {
	case pressed(msg, &n.keys.Exclude):
		s.w.say("•", s.w.exclude())
	case pressed(msg, &n.keys.Web):
		return s.w.openRewst()
	case n.list.Update(msg, n.keys.move):
	case pressed(msg, &n.keys.Choose) && n.list.Current() == 0:
		s.pop()
		return s.start(workLook, workPlace{tenants: c.tenants(n.rows)})
	case pressed(msg, &n.keys.Choose): // it stays behind the plan, to come back to
		return s.consent(n.rows)
	}
	return nil
}

// consent reads customers to plan a consent there.
func (s *customers) consent(rows []int) tea.Cmd {
	s.w.chooseConsent(rows)
	return s.start(workPlan, workPlace{tenants: s.w.clients.tenants(rows)})
}

func (n *clientNotice) View(f Frame) []string {
	t, s := f.Theme, n.s
	who := count(len(n.rows), "customer", "customers")
	if len(n.rows) == 1 {
		who = shownName(s.w.clients.row(n.rows[0]).Customer)
	}
	lines := []string{t.Title.Render(clip("Consent at "+who, f.Width)), ""}
	if s.w.connector() {
		lines = append(lines, t.lines(t.Plain, consentThird, f.Width)...)
	} else {
		lines = append(lines, t.lines(t.Warn, consentFirst, f.Width)...)
		lines = append(lines, "")
		lines = append(lines, t.lines(t.Plain, consentSecond, f.Width)...)
	}
	lines = append(lines, "")
	for i, text := range n.choices() {
		lines = append(lines, t.cursorAt(i == n.list.Current())+t.row(clip(text, f.Width-2), i == n.list.Current()))
	}
	if !s.w.connector() {
		text, style := "left alone.", t.Muted
		switch {
		case !s.w.customersAnswers().Exclude:
		case n.may:
			text = "policies in the way get an exclusion, shown first."
		default:
			text, style = "nothing can be excluded without the permission "+policyPermission+".", t.Warn
		}
		lines = append(lines, "")
		lines = append(lines, t.lines(style, "Conditional Access of the customers: "+text, f.Width)...)
	}
	return lines
}
