package ui

import (
	"strings"

	"charm.land/bubbles/v2/help"
	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// account is the page of the service account and what it needs of the tenant: it
// shows what is there, and asks what to make of it.
type account struct {
	form
	readySheet
	views []steps.PolicyView
}

func newAccount(w *wizard) Screen {
	s := &account{readySheet: readySheet{w}}
	s.form = newForm(w, s)
	s.under = readyUser
	s.settle()
	return s
}

func (s *account) reads() string {
	return "Reads the account, its roles and what it can sign in with, the Conditional Access policies, and Azure where it is asked for. This usually takes 5 to 20 seconds"
}

func (s *account) idle() string {
	if !s.wizard.asked().Ready() {
		return nothingAsked
	}
	return ""
}

func (s *account) follow() bool {
	if !s.changed(s.basis()) {
		return false
	}
	s.offers, s.checks, s.views = s.readyOffers(), s.readyChecks(), s.policyViews()
	return true
}

// opens is the list of policies.
func (s *account) opens(i formItem) func() front {
	if i != readyPolicies {
		return nil
	}
	return func() front { return newPolicyList(s.views) }
}

// mends is the line where something can be done about a check.
func (s *account) mends(c steps.Check) spot {
	switch {
	case c.Offer != "":
		return spot{formOffer, c.Offer}
	case c.ID == steps.CheckStepDown:
		return spot{item: readyInsist}
	case c.ID == steps.CheckServiceAccount:
		return spot{item: readyUser}
	}
	return spot{formCheck, c.ID}
}

func (s *account) value(_ *Theme, _ formItem, width int) string {
	return clip(policyTally(s.views), width)
}

// notes say what was found.
func (s *account) notes(at spot, _ bool) []note {
	a, w := s.wizard.asked(), s.wizard
	switch {
	case at.item == readyUser && !w.stale():
		mark, text := w.found()
		return []note{{mark, text}}
	case at.item == readyAccess && a.ConditionalAccess != nil:
		if text, none := w.noAccess(); none {
			return []note{{"•", text}}
		}
	case at.item == readyAzure && a.Azure != nil && !w.stale():
		mark, text := w.foundAzure()
		return []note{{mark, text}}
	case at.item == readyInsist && w.insist != "" && w.insist == w.tenantName():
		return []note{{"!", "Global Administrator will be taken away all the same."}}
	}
	return nil
}

func (s *account) more(f Frame, i formItem) []string {
	t := f.Theme
	switch i {
	case readyPolicies:
		return t.lines(t.Plain, "The tenant's Conditional Access policies: which of them reach the account, what they ask for, and what is proposed. space shows them.", f.Width)
	case readyUser:
		return s.failing(f, steps.CheckServiceAccount)
	case readyInsist:
		if c := s.check(steps.CheckStepDown); c.ID != "" {
			return f.labelled("Seen", c.Evidence, 8)
		}
	}
	return nil
}

// policyList shows the tenant's Conditional Access policies as the account meets
// them.
type policyList struct {
	views []steps.PolicyView
	list  *picker
	keys  listKeys
}

func newPolicyList(views []steps.PolicyView) *policyList {
	return &policyList{views, newPicker(make([]row, len(views))), listKeys{newMoveKeys()}}
}

func (p *policyList) press(msg tea.KeyPressMsg) bool {
	p.list.Update(msg, p.keys.move)
	return false
}

func (p *policyList) paste(tea.PasteMsg) {}
func (p *policyList) escape() bool       { return true }
func (p *policyList) typing() bool       { return false }
func (p *policyList) Keys() help.KeyMap  { return &p.keys }

func (p *policyList) View(f Frame) []string {
	t := f.Theme
	head := t.lines(t.Plain, policyTally(p.views)+". Nothing is changed before you have seen the plan. esc goes back to the questions.", f.Width)
	head = append(head, "")
	rest := f.sized(f.Width, f.Height-len(head))
	return append(head, rest.split(8, p.table, p.details)...)
}

func (p *policyList) table(f Frame) []string {
	t := f.Theme
	return f.list(p.list, func(i int, current bool, w int) string {
		v := p.views[i]
		reaches, _, _ := strings.Cut(v.Reaches, ":")
		mark := t.Muted.Render("· " + pad("not reached", 14))
		if reaches != "No" {
			mark = t.Plain.Render("→ " + pad("reaches it", 14))
		}
		return t.cursorAt(current) + pad(t.row(clip(v.Name, w-33), current), w-32) + mark + t.Muted.Render(pad(v.State, 14))
	})
}

func (p *policyList) details(f Frame) []string {
	t, at := f.Theme, p.list.Current()
	if at < 0 {
		return nil
	}
	v := p.views[at]
	name := v.Name
	if v.Managed {
		name += " (Microsoft's own)"
	}
	lines := t.lines(t.Strong, name, f.Width)
	lines = append(lines, f.labelled("Reaches", v.Reaches, 10)...)
	lines = append(lines, f.labelled("Does", v.Does, 10)...)
	return append(lines, f.labelled("Proposal", v.Proposal, 10)...)
}
