package ui

import (
	"fmt"
	"strings"

	"msbundle/steps"
)

// shadeGlyph is how a customer stands at a glance, with the word for it.
func (t *Theme) shadeGlyph(s steps.Shade, width int) string {
	switch s {
	case steps.Green:
		return t.Good.Render(pad("✓ green", width))
	case steps.Amber:
		return t.Warn.Render(pad("! amber", width))
	case steps.Blue:
		return t.Accent.Render(pad("○ blue", width))
	case steps.Red:
		return t.Bad.Render(pad("✗ red", width))
	}
	return t.Muted.Render(pad("· not seen", width))
}

// shadeTally says how many customers stand how.
func shadeTally(n [steps.Green + 1]int) string {
	var parts []string
	for _, s := range []steps.Shade{steps.Green, steps.Amber, steps.Blue, steps.Red, steps.Unseen} {
		if n[s] > 0 {
			parts = append(parts, number(n[s])+" "+s.String())
		}
	}
	if len(parts) == 0 {
		return "no customers"
	}
	return strings.Join(parts, ", ")
}

// leftAlone says how many things are left alone at how many customers.
func leftAlone(things, at int) string {
	return thingsLeft(things) + " at " + count(at, "customer", "customers")
}

func thingsLeft(n int) string { return count(n, "thing is left alone", "things are left alone") }

// mappingTally says how many customers have an organisation.
func mappingTally(m *steps.Mapping) string {
	have := map[bool]string{true: "has", false: "have"}[m.Count(steps.RowLinked) == 1]
	parts := []string{fmt.Sprintf("%s of %s %s an organisation", number(m.Count(steps.RowLinked)), number(len(m.Rows())), have)}
	for _, part := range []struct {
		n    int
		word string
	}{
		{m.Count(steps.RowCertain) + m.Count(steps.RowSuggested), "suggested"},
		{m.Count(steps.RowDeclined), "set to none"},
		{m.Count(steps.RowShared) + m.Count(steps.RowMissing), "wrong"},
	} {
		if part.n > 0 {
			parts = append(parts, number(part.n)+" "+part.word)
		}
	}
	return strings.Join(parts, ", ")
}

// organization says in one cell what a customer is linked to.
func (t *clientTable) organization(th *Theme, i, width int) (string, func(...string) string) {
	m := t.clients().mapping
	r := &m.Rows()[i]
	var names []string
	for _, n := range r.Organizations {
		names = append(names, m.Organizations()[n].Name)
		if len(names) > 3 { // no more fit
			break
		}
	}
	text := strings.Join(names, ", ")
	switch m.State(i) {
	case steps.RowShared, steps.RowMissing:
		return clip("✗ "+text, width), th.Bad.Render
	case steps.RowLinked:
		return clip(text, width), th.Plain.Render
	case steps.RowDeclined:
		return clip("none, by hand", width), th.Muted.Render
	case steps.RowCertain, steps.RowSuggested:
		mark := "? "
		if m.State(i) == steps.RowCertain {
			mark = "≈ "
		}
		return clip(mark+m.Organizations()[r.Suggested.Organization].Name, width), th.Accent.Render
	}
	return "-", th.Muted.Render
}

// mappingText says in a sentence what a customer is linked to, and what is wrong.
func mappingText(m *steps.Mapping, i int) string {
	r := &m.Rows()[i]
	var names []string
	for _, n := range r.Organizations {
		if !m.Wrong(n) { // what is wrong is named with it
			names = append(names, m.Organizations()[n].Name)
		}
	}
	text := strings.Join(names, ", ")
	switch m.State(i) {
	case steps.RowDeclined:
		text = "none, by hand"
	case steps.RowOpen:
		text = "none yet, and nothing in the list is like it"
		if who := m.TakenBy(i); who != "" {
			text = "none yet: " + who
		} else if len(m.Organizations()) == 0 {
			text = "none yet: there is no list of organisations"
		}
	case steps.RowCertain, steps.RowSuggested:
		sure := "to be confirmed"
		if m.State(i) == steps.RowCertain {
			sure = "certain"
		}
		text = fmt.Sprintf("suggested: %s (%d %%, %s; %s)", m.Organizations()[r.Suggested.Organization].Name, int(r.Suggested.Confidence*100), r.Suggested.Reason, sure)
		if more := len(r.Suggested.Also); more > 0 {
			text += ", and " + number(more) + " more of the same tenant"
		}
	}
	errs := m.Errors(i)
	if text != "" {
		errs = append([]string{text}, errs...)
	}
	return strings.Join(errs, ". ")
}

func (t *clientTable) details(f Frame) []string {
	at, c := t.current(), t.clients()
	if at < 0 {
		return nil
	}
	th, r := f.Theme, c.row(at)
	lines := []string{th.Strong.Render(clip(shownName(r.Customer)+"  "+r.Domain+"  "+r.TenantID, f.Width))}
	mapped := f.labelled("Organisation", mappingText(c.mapping, at), 14)
	wrong := c.mapping.Errors(at) != nil
	if wrong { // that is what has to be mended first
		for n := range mapped {
			mapped[n] = th.Bad.Render(mapped[n])
		}
		lines = append(lines, mapped...)
	}
	shield, fix := steps.UpperFirst(r.Shield.Shade.String())+". "+r.Shield.Reason, r.Shield.Fix
	if p := c.trouble(at); p != nil {
		shield, fix = "Failed. "+sentence(name(p.Cause, p.What)), p.Do
	} else if r.Shield.Shade == steps.Unseen && r.Shield.Reason == "" {
		fix = "Press r to have it looked at."
	}
	lines = append(lines, f.labelled("Shield", strings.TrimSpace(shield), 14)...)
	if fix != "" {
		lines = append(lines, f.labelled("Do", sentence(c.fix(fix)), 14)...)
	}
	if !wrong {
		lines = append(lines, mapped...)
	}
	if f.Height > len(lines) && !r.Shield.At.IsZero() {
		text := r.Shield.At.Format("2 Jan 2006 15:04") + "; i shows "
		seen := f.labelled("Looked at", text+"what was seen", 14)
		if len(r.Shield.Notes) > 0 {
			seen = f.labelled("Looked at", text+"what was seen, and what is left alone", 14)
		}
		if len(lines)+len(seen) > f.Height {
			seen = f.labelled("Looked at", text+"all", 14)
		}
		lines = append(lines, seen...)
	}
	return lines
}

// clientColumns are the widths of the table's columns.
type clientColumns struct{ name, tenant, organization, shield, reason int }

func (f Frame) clientColumns() clientColumns {
	w := f.Width - 2 - 6 // marks of more rows, cursor and box
	c := clientColumns{shield: 11}
	if f.Width < wide { // the rest stands under the table
		c.name = (w - c.shield) * 52 / 100
		c.organization = w - c.shield - c.name
		return c
	}
	c.tenant = 10
	left := w - c.tenant - c.shield
	c.name = left * 36 / 100
	c.organization = left * 34 / 100
	c.reason = left - c.name - c.organization
	return c
}

func (t *clientTable) rows(f Frame) []string {
	th, c := f.Theme, t.clients()
	w := f.clientColumns()
	head := th.Muted.Render(strings.Repeat(" ", 6) + pad("Customer", w.name) + pad("Tenant", w.tenant) + pad("Organisation", w.organization) + pad("Shield", w.shield) + clip("Reason", w.reason))
	if len(t.shown) == 0 {
		text := "No customer matches. esc shows all."
		if len(c.mapping.Rows()) == 0 {
			text = "There are no customers."
		}
		return []string{head, "", th.Muted.Render("      " + text)}
	}
	return append([]string{head}, f.sized(f.Width, f.Height-1).list(t.list, func(n int, current bool, _ int) string {
		i := t.shown[n]
		r := c.row(i)
		what, style := t.organization(th, i, w.organization-1)
		shield, reason := th.shadeGlyph(r.Shield.Shade, w.shield), clip(r.Shield.Reason, w.reason)
		if p := c.trouble(i); p != nil {
			reason = clip(name(p.Cause, p.What), w.reason)
		}
		if x := c.work; x.running() {
			if doing, busy := x.doing[r.TenantID]; busy {
				reason = clip(doing, w.reason)
				shield = th.Accent.Render(pad(t.s.w.spin()+" at work", w.shield-1)) + " "
			}
		}
		line := th.cursorAt(current) + th.tick(t.chosen[i]) + " " + th.row(pad(clip(shownName(r.Customer), w.name-1), w.name), current)
		return line + th.Muted.Render(pad(clip(r.TenantID, w.tenant-1), w.tenant)) + style(pad(what, w.organization)) + shield + reason
	})...)
}
