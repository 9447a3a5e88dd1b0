package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// number writes n with separators: 3,850.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count writes "1 write", "2 writes".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// elapsed writes a duration the way a person would say it.
func elapsed(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// clock writes what is left of a countdown: 14:05.
func clock(d time.Duration) string {
	s := int(max(d, 0).Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func day(t time.Time) string { return t.Format("2 Jan 2006") }

// spin is the spinner's frame at a time; it needs no state of its own.
func (w *wizard) spin() string {
	frames := []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
	return frames[w.now.UnixMilli()/100%int64(len(frames))]
}

// pace is how often a screen that waits is drawn again.
func (w *wizard) pace() time.Duration {
	return 100 * time.Millisecond
}

// sentence gives a text a capital and, unless it ends in a number, a full stop.
func sentence(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return s
	}
	r := []rune(s)
	if first, _, _ := strings.Cut(s, " "); !strings.Contains(first, "@") && first != "msbundle" { // names stay as they are
		s = string(unicode.ToUpper(r[0])) + string(r[1:])
	}
	if last := r[len(r)-1]; unicode.IsDigit(last) || strings.ContainsRune(".!?:)", last) {
		return s
	}
	return s + "."
}

// problem tells a failure: what happened, what to do, and what support needs.
func (f Frame) problem(p *steps.Problem) []string {
	t := f.Theme
	var lines []string
	for i, l := range wrap(sentence(p.What), f.Width-2) {
		mark := "  "
		if i == 0 {
			mark = t.Bad.Render("✗ ")
		}
		lines = append(lines, mark+t.Strong.Render(l))
	}
	indent := func(ls []string) {
		for _, l := range ls {
			lines = append(lines, "  "+l)
		}
	}
	indent(t.lines(t.Plain, sentence(p.Cause), f.Width-2))
	indent(t.lines(t.Plain, sentence(p.Do), f.Width-2))
	if p.Who != "" {
		indent(t.lines(t.Muted, "Who can put it right: "+p.Who, f.Width-2))
	}
	if p.Raw != "" {
		lines = append(lines, "")
		raw := t.lines(t.Muted, "Details: "+p.Raw, f.Width-2)
		indent(raw[:min(len(raw), 4)])
	}
	if p.RequestID != "" {
		indent(t.lines(t.Muted, "Request id for Microsoft's support: "+p.RequestID, f.Width-2))
	}
	return lines
}

// labelled writes a label and a text beside it, wrapped under itself.
func (f Frame) labelled(label, text string, width int) []string {
	t := f.Theme
	var out []string
	for i, l := range wrap(text, f.Width-width) {
		head := strings.Repeat(" ", width)
		if i == 0 {
			head = t.Muted.Render(pad(clip(label, width-1), width))
		}
		out = append(out, head+l)
	}
	return out
}

// cursorAt marks the row the cursor is on.
func (t *Theme) cursorAt(current bool) string {
	if current {
		return t.Accent.Render("› ")
	}
	return "  "
}

// rowStyle sets the row under the cursor apart.
func (t *Theme) row(text string, current bool) string {
	if current {
		return t.Title.Render(text)
	}
	return text
}

// tick draws a check box.
func (t *Theme) tick(on bool) string {
	if on {
		return t.ticks[1]
	}
	return t.ticks[0]
}

// list is a picker with the marks that say more rows lie above or below.
func (f Frame) list(p *picker, draw func(i int, current bool, width int) string) []string {
	above, below := p.hidden(f.Height)
	lines := p.View(f.Height, func(i int, current bool) string { return draw(i, current, f.Width-2) })
	for i := range lines {
		mark := "  "
		switch {
		case i == 0 && above > 0:
			mark = " ↑"
		case i == len(lines)-1 && below > 0:
			mark = " ↓"
		}
		lines[i] = pad(lines[i], f.Width-2) + f.Theme.Muted.Render(mark)
	}
	return lines
}

// scroller remembers how far down a long text a person has gone.
type scroller struct {
	top   int
	limit int // as far as the last drawing allows; only stops keys at the end
	page  int // lines of the last drawing, but one
}

func (s *scroller) Update(msg tea.KeyPressMsg, k moveKeys) bool { return s.by(10, msg, k) }

// by is Update with pages of a given size.
func (s *scroller) by(page int, msg tea.KeyPressMsg, k moveKeys) bool {
	switch {
	case pressed(msg, &k.Up):
		s.top--
	case pressed(msg, &k.Down):
		s.top++
	case pressed(msg, &k.PageUp):
		s.top -= page
	case pressed(msg, &k.PageDown):
		s.top += page
	case pressed(msg, &k.First):
		s.top = 0
	case pressed(msg, &k.Last):
		s.top = 1 << 20
	default:
		return false
	}
	s.top = min(max(s.top, 0), s.limit)
	return true
}

// View cuts the lines to the frame, with marks where more lie outside it.
func (s *scroller) View(f Frame, lines []string) []string {
	if f.Height <= 0 {
		return nil
	}
	s.limit, s.page = max(len(lines)-f.Height, 0), max(f.Height-1, 1)
	top := min(s.top, s.limit)
	end := min(top+f.Height, len(lines))
	out := make([]string, 0, f.Height)
	for i, l := range lines[top:end] {
		mark := "  "
		switch {
		case i == 0 && top > 0:
			mark = " ↑"
		case top+i == end-1 && end < len(lines):
			mark = " ↓"
		}
		out = append(out, pad(l, f.Width-2)+f.Theme.Muted.Render(mark))
	}
	return out
}

// tall is a list whose rows take several lines each.
func (f Frame) tall(p *picker, lines int, draw func(i int, current bool, width int) []string) []string {
	height := max(f.Height/lines, 1)
	above, below := p.hidden(height)
	var blocks [][]string
	p.View(height, func(i int, current bool) string {
		blocks = append(blocks, draw(i, current, f.Width-2))
		return ""
	})
	var out []string
	for n, b := range blocks {
		for i, l := range b {
			mark := "  "
			switch {
			case n == 0 && i == 0 && above > 0:
				mark = " ↑"
			case n == len(blocks)-1 && i == len(b)-1 && below > 0:
				mark = " ↓"
			}
			out = append(out, pad(l, f.Width-2)+f.Theme.Muted.Render(mark))
		}
	}
	return out
}

// pretty lays JSON out for reading; what is not JSON stays as it is.
func pretty(raw json.RawMessage, width int) []string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return wrap(string(raw), width)
	}
	var out []string
	for l := range strings.SplitSeq(b.String(), "\n") {
		out = append(out, wrap(l, width)...)
	}
	return out
}

// waiting says what is waited for, how long it usually takes, how long it has
// taken, and what happens then.
func (f Frame) waiting(w *wizard, wait *steps.Wait) []string {
	lines := f.Theme.lines(f.Theme.Plain, w.spin()+" Waiting for "+wait.For+".", f.Width)
	lines = append(lines, f.labelled("Usually takes", wait.Usual, 16)...)
	lines = append(lines, f.labelled("So far", elapsed(w.now.Sub(wait.Since)), 16)...)
	return append(lines, f.labelled("Then", wait.Then, 16)...)
}
