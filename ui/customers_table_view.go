package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"msbundle/steps"
)

func (t *clientTable) View(f Frame) []string {
	th, c := f.Theme, t.clients()
	lines := []string{th.Plain.Render(clip("Shields: "+shadeTally(c.shades)+".", f.Width)), th.Plain.Render(clip("Mapping: "+mappingTally(c.mapping)+".", f.Width))}
	if t.leftOpen() && !c.work.running() {
		who := "An earlier run left the app's own sign-in open"
		if c.ajar {
			who = "The app's own sign-in could not be closed"
		}
		lines = append(lines, th.Warn.Render(clip("! "+who+": C closes it.", f.Width)))
	}
	switch x := c.work; {
	case x.running():
		lines = append(lines, x.line(th, t.s.w, f.Width))
	case c.keepErr != nil:
		lines = append(lines, th.Bad.Render(clip("✗ "+problemOf(c.keepErr).What, f.Width)))
	case t.typing() || t.find.Value() != "":
	case c.strange():
		lines = append(lines, th.Warn.Render(clip("! Not the service account: S signs in as "+c.reaches()+".", f.Width)))
	case t.failed > 0:
		text := count(t.failed, "customer", "customers") + " failed: f looks again, c then consents."
		lines = append(lines, th.Warn.Render(clip("! "+text, f.Width)))
	default:
		lines = append(lines, "")
	}
	if t.typing() || t.find.Value() != "" {
		lines = append(lines, th.Key.Render("/ ")+t.find.View(th, f.Width-2))
	}
	rest := f.sized(f.Width, f.Height-len(lines))
	under := min(6, rest.Height/3)
	top := rest.sized(rest.Width, rest.Height-under-1)
	lines = append(lines, exactly(t.rows(top), top.Height)...)
	rule := t.foot()
	rule += strings.Repeat("─", max(f.Width-ansi.StringWidth(rule), 0))
	lines = append(lines, th.Muted.Render(clip(rule, f.Width)))
	about := t.details(rest.sized(rest.Width, under))
	if len(about) > under && under > 0 {
		const more = "… i shows all"
		last := about[under-1]
		if ansi.StringWidth(last)+1+ansi.StringWidth(more) <= f.Width {
			last += " "
		}
		about[under-1] = ansi.Truncate(last, f.Width-ansi.StringWidth(more), "") + th.Muted.Render(more)
	}
	return append(lines, exactly(about, under)...)
}

// wrong tells whether something is wrong with the organisation of a customer.
func (t *clientTable) wrong(i int) bool {
	if i < 0 {
		return false
	}
	s := t.clients().mapping.State(i)
	return s == steps.RowShared || s == steps.RowMissing
}

// foot says under the table what its marks mean, and what of it is shown and chosen.
func (t *clientTable) foot() string {
	m := t.clients().mapping
	var parts []string
	add := func(when bool, text string) {
		if when {
			parts = append(parts, text)
		}
	}
	add(t.pass.name != "", "only "+t.pass.name+": "+count(len(t.shown), "customer", "customers"))
	if n := len(t.chosen); n > 0 {
		text := number(n) + " chosen"
		if hidden := t.hidden(); hidden > 0 {
			text += ", " + number(hidden) + " of them hidden"
		}
		parts = append(parts, text)
	}
	var seen [steps.RowShared + 1]bool
	for _, i := range t.shown {
		seen[m.State(i)] = true
	}
	add(seen[steps.RowShared] || seen[steps.RowMissing], "✗ shared or gone")
	add(seen[steps.RowSuggested], "? suggested, to be confirmed")
	add(seen[steps.RowCertain], "≈ suggested, certain")
	if len(parts) == 0 {
		return ""
	}
	return "── " + strings.Join(parts, " · ") + " "
}

// hidden is how many chosen customers a filter hides.
func (t *clientTable) hidden() int {
	n := len(t.chosen)
	if len(t.shown) == len(t.clients().mapping.Rows()) {
		return 0
	}
	for _, i := range t.shown {
		if t.chosen[i] {
			n--
		}
	}
	return n
}
