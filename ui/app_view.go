package ui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// margin is the blank at either side of everything.
const margin = 2

// View draws the whole terminal.
func (a *App) View() tea.View {
	v := tea.NewView("")
	v.AltScreen = true
	v.WindowTitle = "msbundle: " + a.pages[a.at].name()
	if a.width == 0 {
		return v
	}
	content, x, y, ok := takeCursor(a.content())
	v.Content = content
	if ok {
		v.Cursor = tea.NewCursor(x, y)
		v.Cursor.Shape = tea.CursorBar
	}
	if a.w.apply.running() {
		v.ProgressBar = a.w.apply.progressBar()
	} else if c := a.w.clients; c != nil && c.work.running() {
		v.ProgressBar = c.work.progressBar()
	}
	return v
}

func (a *App) content() string {
	if a.tooSmall() {
		text := fmt.Sprintf("Please make the window at least %d x %d.", MinWidth, MinHeight)
		if ansi.StringWidth(text) > a.width {
			text = fmt.Sprintf("%d x %d needed", MinWidth, MinHeight)
		}
		return a.centred(text)
	}
	foot := a.footer(a.width - 2*margin)
	f := Frame{Width: a.width - 2*margin, Height: a.height - 3 - len(foot), Theme: a.theme}
	lines := make([]string, 0, a.height)
	lines = append(lines, a.header(), a.rule(), "")
	blank := strings.Repeat(" ", margin)
	body := exactly(strings.Split(f.fill(strings.Split(a.body(f), "\n")), "\n"), f.Height)
	for _, l := range append(body, foot...) {
		if whole, ok := strings.CutPrefix(l, flushMark); ok {
			l = whole
		} else if l != "" {
			l = blank + l
		}
		lines = append(lines, l)
	}
	return strings.Join(lines, "\n")
}

func (a *App) body(f Frame) string {
	switch {
	case a.leaving && !a.w.apply.running() && !a.w.atCustomers():
		return f.dialog("Saving your answers", nil, "")
	case a.leaving && a.w.closing():
		return f.dialog("Closing the app's own sign-in", []string{
			"The client secret and the way back to this computer are taken away from the app, and it is read back that they are gone. That takes up to a minute.",
			"ctrl+c once more leaves it open and ends at once: start msbundle again and choose Customers to close it.",
		}, "")
	case a.leaving:
		return f.dialog("Finishing the write in flight", []string{
			"Microsoft's answer to the last request is awaited, so that nothing is left in doubt.",
			"ctrl+c once more leaves at once; the next run then looks what became of it.",
		}, "")
	case a.w.ask != nil:
		q := a.w.ask
		return f.dialog(q.title, []string{q.text},
			a.theme.Key.Render("y")+" "+a.theme.Muted.Render(q.yes)+"   "+a.theme.Key.Render("n")+" "+a.theme.Muted.Render(q.no))
	case a.help:
		return f.fill(a.helpLines(f))
	}
	return a.front().View(f)
}

// dialog draws a few sentences in the middle of the frame.
func (f Frame) dialog(title string, text []string, keys string) string {
	width := min(f.Width, 64)
	t := f.Theme
	lines := []string{t.Title.Render(clip(title, width)), ""}
	for _, s := range text {
		lines = append(lines, t.lines(t.Plain, s, width)...)
		lines = append(lines, "")
	}
	if keys != "" {
		lines = append(lines, keys)
	}
	left := strings.Repeat(" ", max(0, (f.Width-width)/2))
	out := make([]string, max(0, (f.Height-len(lines))/2), f.Height+len(lines))
	for _, l := range lines {
		out = append(out, left+l)
	}
	return f.fill(out)
}

func (a *App) centred(text string) string {
	text = ansi.Truncate(text, a.width, "…")
	return strings.Repeat("\n", max(0, (a.height-1)/2)) + strings.Repeat(" ", max(0, (a.width-ansi.StringWidth(text))/2)) + text
}

// header says where one is: the step, and on whose tenant.
func (a *App) header() string {
	t := a.theme
	blank := strings.Repeat(" ", margin)
	left := blank + t.Title.Render("msbundle") + t.Muted.Render(" › ") + t.Strong.Render(a.pages[a.at].name())
	if a.w.panel != nil && a.pages[a.at].id != pageSignIn {
		left += t.Muted.Render(" › ") + t.Strong.Render("Sign in")
	}
	right := blank
	if p := a.pages[a.at]; p.n > 0 && p.of > 1 {
		right = t.Muted.Render(fmt.Sprintf("%d of %d", p.n, p.of)) + blank
	}
	if a.w.cfg.Sandbox != "" {
		right = t.Badge.Render(" REHEARSAL ") + "  " + right
	}
	if where := a.where(); where != "" {
		room := a.width - ansi.StringWidth(left) - ansi.StringWidth(right) - 4
		if room >= 8 {
			right = t.Muted.Render(clip(where, room)) + "  " + right
		}
	}
	return ends(left, right, a.width)
}

// where names the tenant and the account, as far as they are known.
func (a *App) where() string {
	var parts []string
	if apply := a.w.apply; apply.running() && a.pages[a.at].id != pageApply {
		parts = append(parts, fmt.Sprintf("applying %d of %d", apply.done, len(apply.plan.Changes)))
	}
	switch {
	case a.w.findings != nil && a.w.findings.Org.Name != "":
		parts = append(parts, a.w.findings.Org.Name)
	case a.w.account == nil && a.w.answers.Tenant != "" && a.at > 0:
		parts = append(parts, a.w.answers.Tenant)
	}
	if a.w.account != nil {
		parts = append(parts, a.w.account.Username)
	}
	return strings.Join(parts, " · ")
}

// rule is the line under the header; its heavy part is the way gone so far.
func (a *App) rule() string {
	gone := 0
	if p := a.pages[a.at]; p.n > 0 {
		gone = a.width * p.n / p.of
	}
	return a.theme.Accent.Render(strings.Repeat("━", gone)) + a.theme.Muted.Render(strings.Repeat("─", a.width-gone))
}

// footer holds the notice and the main keys. A long notice takes a second line
// rather than being cut.
func (a *App) footer(width int) []string {
	t := a.theme
	var lines []string
	if n := a.w.notice; n.text != "" {
		style := t.Plain
		switch n.mark {
		case "!":
			style = t.Warn
		case "✗":
			style = t.Bad
		case "✓":
			style = t.Good
		}
		for i, l := range wrap(n.text, width-2) {
			mark := "  "
			if i == 0 {
				mark = style.Render(pad(n.mark, 2))
			}
			if i < 3 {
				lines = append(lines, mark+style.Render(l))
			}
		}
	} else {
		lines = append(lines, "")
	}
	return append(lines, a.keyLine(width))
}

func (a *App) keyLine(width int) string {
	if a.w.ask != nil || a.leaving {
		return ""
	}
	if a.help {
		return a.theme.Muted.Render("any key closes this")
	}
	bindings := append(a.front().Keys().ShortHelp(), a.global()...)
	if p := a.w.panel; p != nil && p.call.kind != callSignIn { // the way past it must be seen
		bindings = append([]key.Binding{a.global()[0]}, append(p.keys.ShortHelp(), a.global()[1:]...)...)
	}
	return a.keysIn(bindings, width)
}

// keysIn writes as many keys as fit. Where some do not, the last one is always
// the key that shows all of them.
func (a *App) keysIn(bindings []key.Binding, width int) string {
	t := a.theme
	write := func(b key.Binding) string {
		return t.Help.ShortKey.Render(b.Help().Key) + " " + t.Help.ShortDesc.Render(b.Help().Desc)
	}
	var items []string
	total := 0
	for _, b := range bindings {
		if b.Enabled() {
			items = append(items, write(b))
			total += ansi.StringWidth(items[len(items)-1]) + 2
		}
	}
	if total-2 <= width {
		return strings.Join(items, "  ")
	}
	// The way back and the list of all keys are always there.
	var last []string
	for _, b := range bindings {
		if b.Enabled() && b.Help().Key == a.keys.Back.Help().Key {
			last = append(last, write(b))
		}
	}
	if !a.typing() {
		last = append(last, write(a.keys.Help))
	}
	end := strings.Join(last, "  ")
	var line strings.Builder
	room := width - ansi.StringWidth(end)
	for _, item := range items {
		if slices.Contains(last, item) {
			continue
		}
		if room -= ansi.StringWidth(item) + 2; room < 0 {
			break
		}
		line.WriteString(item + "  ")
	}
	return ansi.Truncate(line.String()+end, width, "")
}

// global lists the keys that work everywhere, as far as they do just now.
func (a *App) global() []key.Binding {
	k := a.keys
	e, closes := a.front().(escaper)
	open := closes && e.closes()
	k.Back.SetEnabled(a.backTo() >= 0 || a.w.panel != nil || open)
	k.Help.SetEnabled(!a.typing())
	c, does := a.front().(interface{ clears() string })
	switch p := a.w.panel; {
	case open && does && c.clears() != "":
		k.Back.SetHelp("esc", c.clears())
	case open:
	case p != nil && p.call.kind != callSignIn:
		k.Back.SetHelp("esc", p.leaves())
	case a.pages[a.at].id == pageApply && a.w.apply != nil:
		k.Back.SetHelp("esc", "the plan")
	}
	return []key.Binding{k.Back, k.Help, k.Quit}
}

// helpLines shows every key of the screen in as many columns as fit.
func (a *App) helpLines(f Frame) []string {
	t := f.Theme
	var bindings []key.Binding
	for _, group := range append(a.front().Keys().FullHelp(), a.global()) {
		for _, b := range group {
			if b.Enabled() {
				bindings = append(bindings, b)
			}
		}
	}
	const keyWidth = 9
	cols := max(1, f.Width/28)
	rows := (len(bindings) + cols - 1) / cols
	lines := []string{t.Title.Render("Keys on this screen"), ""}
	var signs []string
	if s, ok := a.front().(interface{ legend() []string }); ok {
		signs = s.legend()
	}
	for r := range rows {
		var b strings.Builder
		for c := range cols {
			if i := c*rows + r; i < len(bindings) {
				h := bindings[i].Help()
				b.WriteString(pad(t.Key.Render(pad(h.Key, keyWidth))+t.Plain.Render(h.Desc), f.Width/cols))
			}
		}
		lines = append(lines, b.String())
	}
	if len(signs) > 0 {
		lines = append(append(lines, ""), signs...)
	}
	return lines
}
