package ui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Frame is the room a screen may fill and the styles it uses.
type Frame struct {
	Width, Height int
	Theme         *Theme
}

// The smallest terminal the wizard draws in, and the width from which details
// stand beside a list instead of under it.
const (
	MinWidth  = 60
	MinHeight = 20
	wide      = 104
)

// fill cuts lines to the frame. Blank lines go before any text does, the lowest
// first.
func (f Frame) fill(lines []string) string {
	for i := len(lines) - 1; i >= 0 && len(lines) > f.Height; i-- {
		if lines[i] == "" {
			lines = slices.Delete(lines, i, i+1)
		}
	}
	if len(lines) > f.Height {
		lines = lines[:max(f.Height, 0)]
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		width := max(f.Width, 0)
		if strings.HasPrefix(l, flushMark) {
			width += 2 * margin
		}
		out[i] = ansi.Truncate(l, width, "…")
	}
	return strings.Join(out, "\n")
}

// sized is the same frame with other measures.
func (f Frame) sized(width, height int) Frame {
	return Frame{Width: max(width, 0), Height: max(height, 0), Theme: f.Theme}
}

// split shows a main part with details: beside it where there is room, else
// under it in as many rows as given.
func (f Frame) split(rows int, main, details func(Frame) []string) []string {
	if f.Width >= wide {
		side := max(f.Width/3, 36)
		left := f.sized(f.Width-side-3, f.Height)
		return f.beside(main(left), details(f.sized(side, f.Height)), left.Width)
	}
	rows = min(rows, f.Height/2)
	top := f.sized(f.Width, f.Height-rows-1)
	lines := exactly(main(top), top.Height)
	lines = append(lines, f.Theme.Muted.Render(strings.Repeat("─", f.Width)))
	return append(lines, exactly(details(f.sized(f.Width, rows)), rows)...)
}

// beside joins two blocks with a line between them, full height.
func (f Frame) beside(left, right []string, leftWidth int) []string {
	left, right = exactly(left, f.Height), exactly(right, f.Height)
	rule := f.Theme.Muted.Render("│")
	for i := range left {
		left[i] = pad(left[i], leftWidth) + " " + rule + " " + right[i]
	}
	return left
}

// exactly cuts or fills lines to a number.
func exactly(lines []string, n int) []string {
	n = max(n, 0)
	if len(lines) > n {
		return lines[:n:n]
	}
	out := make([]string, n)
	copy(out, lines)
	return out
}

// cursorMark stands in a drawn text where the terminal's cursor belongs. It is an
// application command: no width, no effect should it ever reach a terminal, and
// never part of outside text, which loses its escape characters.
const cursorMark = "\x1b_cursor\x1b\\"

// flushMark begins a line that is drawn over the whole width of the terminal,
// margins too: what is selected with a mouse and pasted elsewhere must not bring
// blanks along.
const flushMark = "\x1b_flush\x1b\\"

// takeCursor removes the mark and says where it stood.
func takeCursor(content string) (text string, x, y int, ok bool) {
	before, after, ok := strings.Cut(content, cursorMark)
	if !ok {
		return content, 0, 0, false
	}
	y = strings.Count(before, "\n")
	x = ansi.StringWidth(before[strings.LastIndexByte(before, '\n')+1:])
	return before + strings.ReplaceAll(after, cursorMark, ""), x, y, true
}
