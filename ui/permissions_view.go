package ui

import (
	"fmt"
	"strings"

	"msbundle/catalog"
	"msbundle/steps"
)

func (s *permissions) View(f Frame) string {
	head := s.meters(f, s.meter)
	rest := f.sized(f.Width, f.Height-len(head)-1)
	if s.proposal != nil {
		return f.fill(append(append(head, ""), s.proposed(rest)...))
	}
	rows := 4
	if rest.Height < 12 {
		rows = 3
	}
	return f.fill(append(append(head, s.summary(f)), rest.split(rows, s.table, s.details)...))
}

// gauge is how much of a limit the selection uses.
type gauge struct {
	label    string
	n, limit int
	unit, of string
}

func gauges(m steps.Meter) []gauge {
	return []gauge{
		{"Scope string", m.Chars, catalog.ScopeCharLimit, "characters", "Graph's limit"},
		{"", m.Bytes, catalog.ScopeByteLimit, "bytes", "sign-in limit"},
		{"Permissions", m.Total, catalog.ManifestPermissionLimit, "permissions", "an app's limit"},
	}
}

func (g gauge) String() string {
	text := fmt.Sprintf("%s of %s %s, %s", number(g.n), number(g.limit), g.unit, g.of)
	if g.n > g.limit {
		return "OVER: " + text
	}
	return text
}

// meterLine shows how much of a limit the selection uses.
func (f Frame) meterLine(g gauge) string {
	t := f.Theme
	style, text := t.Accent, g.String()
	if g.n > g.limit {
		style = t.Bad
	}
	const labelled, texted = 14, 47
	barWidth := min(f.Width-labelled-texted-1, 40)
	line := t.Muted.Render(pad(g.label, labelled))
	if barWidth >= 6 {
		line += t.bar(style, g.n, g.limit, barWidth) + " "
	}
	if g.n > g.limit {
		return line + t.Bad.Render(text)
	}
	return line + text
}

func (s *permissions) meters(f Frame, m steps.Meter) []string {
	var lines []string
	for _, g := range gauges(m) {
		lines = append(lines, f.meterLine(g))
	}
	return lines
}

// summary is the line between meters and list: the base, and the filter.
func (s *permissions) summary(f Frame) string {
	t := f.Theme
	left := t.Strong.Render(baseName(s.w.answers.Permissions))
	switch {
	case s.filter.Focused():
		return left + t.Muted.Render("   find ") + s.filter.View(t, max(f.Width-len("   find ")-len(baseName(s.w.answers.Permissions)), 10))
	case s.list.filter != "":
		return ends(left, t.Muted.Render("found with ")+clip(s.list.filter, 30)+t.Muted.Render(", esc shows all"), f.Width)
	}
	return ends(left, t.Muted.Render("D delegated   A application"), f.Width)
}

const tierColumn, riskColumn = 12, 6

func (s *permissions) table(f Frame) []string {
	t := f.Theme
	name := max(f.Width-2-12-tierColumn-riskColumn, 12)
	head := t.Muted.Render(pad("   D   A", 12) + pad("Permission", name) + pad("Tier", tierColumn) + "Risk")
	if len(s.list.visible) == 0 {
		return []string{head, "", "  Nothing found. " + t.Muted.Render("esc shows all permissions again.")}
	}
	return append([]string{head}, f.sized(f.Width, f.Height-1).list(s.list, func(i int, current bool, w int) string {
		return s.row(t, s.rows[i], current, w)
	})...)
}

func (s *permissions) row(t *Theme, r permRow, current bool, width int) string {
	line := t.cursorAt(current)
	if r.head {
		g := s.groups[r.group]
		mark := "▾ "
		if s.list.Collapsed(r.group) {
			mark = "▸ "
		}
		return line + t.Accent.Render(mark) + t.row(t.Strong.Render(g.title), current) +
			t.Muted.Render(fmt.Sprintf("  %d/%d", g.on, g.of))
	}
	name := max(width-12-tierColumn-riskColumn, 12)
	if r.extra >= 0 {
		return line + t.tick(s.extras[r.extra].on) + strings.Repeat(" ", 9) + t.row(clip(r.name, width-16), current)
	}
	line += s.box(t, r, catalog.Delegated) + " " + s.box(t, r, catalog.Application) + "   "
	tier, risk := r.rating()
	mark := ""
	switch tier {
	case catalog.Minimum:
		mark = t.Strong.Render("required")
	case catalog.Recommended:
		mark = t.Accent.Render("recommended")
	case catalog.Stock:
		mark = t.Muted.Render("stock")
	}
	return line + pad(t.row(clip(r.name, name-1), current), name) + pad(mark, tierColumn) + t.risk(risk)
}

// box draws the tick of one kind: blank where the permission does not have it.
func (s *permissions) box(t *Theme, r permRow, kind catalog.Kind) string {
	p, ok := r.kinds[kind]
	if !ok {
		return "   "
	}
	return t.tick(s.sel.Has(p))
}

// rating is the strongest tier and the highest risk among the row's kinds.
func (r permRow) rating() (catalog.Tier, int) {
	tier, risk := catalog.Optional, 0
	for _, p := range r.kinds {
		tier, risk = min(tier, p.Tier), max(risk, p.Privilege)
	}
	return tier, risk
}

// risk draws Microsoft's rating, 1 to 4.
func (t *Theme) risk(n int) string { return t.risks[n] }

func (t *Theme) drawRisk(n int) string {
	if n == 0 {
		return t.Muted.Render("–")
	}
	style := t.Muted
	if n == 4 {
		style = t.Warn
	}
	return style.Render(fmt.Sprintf("%d ", n)) + style.Render(strings.Repeat("▮", n)) + t.Muted.Render(strings.Repeat("▯", 4-n))
}

var riskWords = map[int]string{1: "least powerful", 2: "low", 3: "high", 4: "most powerful"}

// details says why the permission under the cursor is there and what breaks
// without it.
func (s *permissions) details(f Frame) []string {
	t := f.Theme
	at := s.list.Current()
	if at < 0 {
		return nil
	}
	r := s.rows[at]
	g := s.groups[r.group]
	if s.pending != nil {
		return s.asked(f, r)
	}
	switch {
	case r.head && g.extraGroup:
		return append([]string{t.Strong.Render(g.title)}, t.lines(t.Muted, "They come from your setup file and are looked up in the tenant.", f.Width)...)
	case r.head:
		return []string{t.Strong.Render(g.title), fmt.Sprintf("%d of %d permissions chosen", g.on, g.of), t.Muted.Render("space closes and opens the group")}
	case r.extra >= 0:
		return append([]string{t.Strong.Render(clip(r.name, f.Width))}, t.lines(t.Muted, "Not in the catalogue. Its id is looked up in the tenant; a name the tenant does not know is reported on Preflight or in the plan.", f.Width)...)
	}
	first := r.first()
	lines := []string{t.Strong.Render(clip(r.name, f.Width))}
	if f.Width >= 30 && f.Height > 6 {
		lines = append(lines, t.Muted.Render(clip(g.title, f.Width)), "")
		lines = append(lines, s.kindLines(f, r)...)
		lines = append(lines, "")
	}
	for _, text := range reasons(first) {
		lines = append(lines, t.lines(t.Plain, text, f.Width)...)
	}
	if first.Note != "" {
		lines = append(lines, t.lines(t.Muted, "Note: "+first.Note+".", f.Width)...)
	}
	return lines
}

// reasons say why a permission is there and what breaks without it.
func reasons(p catalog.Permission) []string {
	switch loss := steps.Loss(p); {
	case loss == "":
		return []string{"Not preselected by Rewst. For: " + p.UsedFor + "."}
	case p.Tier == catalog.Minimum:
		return []string{"For " + p.UsedFor + ".", loss}
	default:
		return []string{loss}
	}
}

// first is the permission the row's texts are taken from: that of the stronger
// tier, delegated before application.
func (r permRow) first() catalog.Permission {
	d, hasDelegated := r.kinds[catalog.Delegated]
	a, hasApplication := r.kinds[catalog.Application]
	if hasDelegated && (!hasApplication || d.Tier <= a.Tier) {
		return d
	}
	return a
}

func (s *permissions) kindLines(f Frame, r permRow) []string {
	t := f.Theme
	var lines []string
	for _, k := range []struct {
		kind catalog.Kind
		does string
	}{{catalog.Delegated, "Delegated"}, {catalog.Application, "Application"}} {
		p, ok := r.kinds[k.kind]
		if !ok {
			lines = append(lines, t.Muted.Render("    "+pad(k.does, 12)+"– none of this kind"))
			continue
		}
		lines = append(lines, t.tick(s.sel.Has(p))+" "+pad(k.does, 12)+t.Muted.Render(riskText(p)))
	}
	return lines
}

func riskText(p catalog.Permission) string {
	if p.Privilege == 0 {
		return "not rated"
	}
	return fmt.Sprintf("risk %d of 4, %s", p.Privilege, riskWords[p.Privilege])
}

// asked is the question before a recommended permission goes.
func (s *permissions) asked(f Frame, r permRow) []string {
	t := f.Theme
	lines := t.lines(t.Warn, "! Leave out "+r.name+"?", f.Width)
	lines = append(lines, t.lines(t.Plain, steps.Loss(r.first()), f.Width)...)
	ask := t.lines(t.Strong, s.pending.key+" again leaves it out, any other key keeps it", f.Width)
	if room := f.Height - len(ask); len(lines) > room { // the question itself must stay in sight
		lines = lines[:max(room, 0)]
	}
	return append(lines, ask...)
}

// proposed lists what would go to keep the limits, with the sizes before and
// after.
func (s *permissions) proposed(f Frame) []string {
	t := f.Theme
	lines := []string{
		t.Title.Render("Leave out " + count(len(s.proposal), "permission", "permissions") + " that a chosen ReadWrite covers"),
	}
	lines = append(lines, t.lines(t.Plain, fmt.Sprintf("Scope string %s → %s characters, %s → %s bytes; in all %s → %s.",
		number(s.meter.Chars), number(s.after.Chars), number(s.meter.Bytes), number(s.after.Bytes), number(s.meter.Total), number(s.after.Total)), f.Width)...)
	if !s.enough {
		lines = append(lines, t.lines(t.Warn, "! This is not enough by itself; leave out more afterwards.", f.Width)...)
	}
	lines = append(lines, "")
	var names []string
	for _, p := range s.proposal {
		line := "  " + clip(p.Name, f.Width-4)
		if f.Width >= wide {
			line = pad(line, 50) + t.Muted.Render("covered by "+catalog.CoveredBy(p.Name))
		}
		names = append(names, line)
	}
	return append(lines, s.scroll.View(f.sized(f.Width, f.Height-len(lines)), names)...)
}
