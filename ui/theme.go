package ui

import (
	"image/color"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Theme holds every style. One accent colour marks where one is; the three
// signal colours only ever repeat what a word or mark already says.
type Theme struct {
	Plain, Muted, Strong, Accent, Title lipgloss.Style
	Good, Warn, Bad                     lipgloss.Style
	Badge, Field, Key, QR               lipgloss.Style
	Help                                help.Styles

	colour, dark bool
	ticks        [2]string // drawn once: every row of a long list has some
	risks        [5]string
}

func newTheme(dark, colour bool) *Theme {
	pick := lipgloss.LightDark(dark)
	style := func(light, darkColour string) lipgloss.Style {
		s := lipgloss.NewStyle()
		if !colour {
			return s
		}
		return s.Foreground(pick(lipgloss.Color(light), lipgloss.Color(darkColour)))
	}
	t := &Theme{colour: colour, dark: dark}
	t.Plain = lipgloss.NewStyle()
	t.Muted = style("#6B6F7B", "#8A8F9E")
	t.Strong = lipgloss.NewStyle().Bold(true)
	t.Accent = style("#4338CA", "#A5B4FC")
	t.Title = t.Accent.Bold(true)
	t.Good = style("#15803D", "#86D9A0")
	t.Warn = style("#A16207", "#F2C76E")
	t.Bad = style("#B91C1C", "#FF8F8F").Bold(true)
	t.Key = style("#1F2330", "#D6D9E4").Bold(true)
	t.Field = lipgloss.NewStyle().Underline(true)
	t.Badge = lipgloss.NewStyle().Bold(true).Reverse(true)
	t.QR = lipgloss.NewStyle()
	if colour {
		badge := pick(lipgloss.Color("#A16207"), lipgloss.Color("#F2C76E"))
		t.Badge = lipgloss.NewStyle().Bold(true).Background(badge).Foreground(pick(lipgloss.Color("#FFFFFF"), lipgloss.Color("#1F2330")))
		t.QR = t.QR.Foreground(color.Black).Background(color.White)
	}
	t.Help = help.Styles{
		Ellipsis: t.Muted, ShortKey: t.Key, ShortDesc: t.Muted, ShortSeparator: t.Muted,
		FullKey: t.Key, FullDesc: t.Plain, FullSeparator: t.Muted,
	}
	t.ticks = [2]string{t.Muted.Render("[ ]"), t.Accent.Render("[✓]")}
	for n := range t.risks {
		t.risks[n] = t.drawRisk(n)
	}
	return t
}

// lines wraps text to a width and styles each line.
func (t *Theme) lines(style lipgloss.Style, text string, width int) []string {
	out := wrap(text, width)
	for i := range out {
		out[i] = style.Render(out[i])
	}
	return out
}

// pad fills a styled text with blanks to a width, cutting it when it is longer.
func pad(s string, width int) string {
	switch w := ansi.StringWidth(s); {
	case w > width:
		return ansi.Truncate(s, max(width, 0), "…")
	case w < width:
		return s + strings.Repeat(" ", width-w)
	}
	return s
}

// ends puts one text at the left and one at the right of a line; the left one
// gives way.
func ends(left, right string, width int) string {
	room := width - ansi.StringWidth(right)
	if right != "" && room < 1 {
		return ansi.Truncate(right, max(width, 0), "…")
	}
	if right != "" {
		left = ansi.Truncate(left, max(room-1, 0), "…")
	}
	return pad(left, room) + right
}

// bar draws a share of a whole, width cells wide.
func (t *Theme) bar(style lipgloss.Style, done, of, width int) string {
	full := 0
	if of > 0 {
		full = min(width, max(0, done)*width/of)
	}
	return style.Render(strings.Repeat("━", full)) + t.Muted.Render(strings.Repeat("─", width-full))
}
