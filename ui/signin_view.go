package ui

import (
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"msbundle/steps"
)

// block is a few lines of a screen that is drawn as a whole. Where the room is
// short the blanks between blocks go first, then the blocks of the highest rank.
type block struct {
	rank  int // 0 stays
	air   int // how much a blank before it is worth
	lines []string
}

// blocks lays blocks out in the frame.
func (f Frame) blocks(all []block) []string {
	const top = 3
	for limit := top; ; limit-- {
		var kept []block
		rows := 0
		for _, b := range all {
			if b.rank <= limit && len(b.lines) > 0 {
				kept = append(kept, b)
				rows += len(b.lines)
			}
		}
		if rows > f.Height && limit > 0 {
			continue
		}
		return spaced(kept, f.Height-rows)
	}
}

// spaced joins blocks with so many blanks at most, where they are worth most.
func spaced(blocks []block, blanks int) []string {
	order := make([]int, 0, len(blocks))
	for i := 1; i < len(blocks); i++ {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return blocks[b].air - blocks[a].air })
	order = order[:min(max(blanks, 0), len(order))]
	var lines []string
	for i, b := range blocks {
		if slices.Contains(order, i) {
			lines = append(lines, "")
		}
		lines = append(lines, b.lines...)
	}
	return lines
}

// View draws what the person has to do.
func (s *panel) View(f Frame) string {
	switch s.view {
	case viewMethods:
		return f.fill(s.methods(f))
	case viewAsking:
		return f.fill(s.question(f))
	case viewFound:
		return f.fill(s.meaning(f))
	case viewAddress:
		return f.fill(s.whole(f))
	}
	switch {
	case s.prompt.Err != nil:
		return f.fill(f.blocks([]block{{rank: 1, lines: s.why(f)}, {lines: f.problem(problemOf(s.prompt.Err))}, {lines: s.choicesAfter(f)}}))
	case s.given:
		return f.fill(f.Theme.lines(f.Theme.Plain, s.w.spin()+" Going on without this sign-in.", f.Width))
	case s.fresh:
		return f.fill(f.Theme.lines(f.Theme.Plain, s.w.spin()+" Asking Microsoft for a new "+s.kind()+". This usually takes a second or two; "+elapsed(s.w.now.Sub(s.began))+" so far.", f.Width))
	case s.prompt.Method == steps.ByDevice:
		return f.fill(s.showCode(f))
	}
	return f.fill(f.blocks(s.page(f)))
}

func (s *panel) kind() string {
	if s.prompt.Method == steps.ByDevice {
		return "code"
	}
	return "sign-in page"
}

// why says what the sign-in is for.
func (s *panel) why(f Frame) []string {
	t := f.Theme
	lines := t.lines(t.Strong, sentence(s.prompt.Why), f.Width)
	if s.prompt.Skip {
		lines = append(lines, t.lines(t.Muted, "Optional: esc goes on without it; its checks then say \"could not check\".", f.Width)...)
	}
	return lines
}

// who says which account is expected, and how Microsoft's page calls this program:
// a person must be able to tell it from somebody else's.
func (s *panel) who(f Frame) []string {
	return append(f.labelled("Account", s.account(), 11), f.labelled("Page says", s.prompt.App, 11)...)
}

func (s *panel) account() string {
	if s.prompt.Account == "" {
		return "whoever signs in"
	}
	return s.prompt.Account
}

// showCode draws the code and, where there is room for it, the QR code of the
// address beside it.
func (s *panel) showCode(f Frame) []string {
	const gap = 3
	var picture []string
	if s.w.cfg.Sandbox == "" {
		picture = qrCode(f.Theme, clean(s.address()))
	}
	side := f.sized(f.Width-widest(picture)-gap, f.Height)
	if len(picture) == 0 || len(picture) > f.Height || side.Width < 38 || bigText(clean(s.prompt.Code.UserCode), side.Width) == nil {
		return f.blocks(s.code(f))
	}
	lines := exactly(f.blocks(s.code(side)), f.Height)
	for i, p := range picture {
		lines[i] = pad(lines[i], side.Width+gap) + p
	}
	return lines
}

func widest(lines []string) int {
	n := 0
	for _, l := range lines {
		n = max(n, ansi.StringWidth(l))
	}
	return n
}

// code tells what to do with a code.
func (s *panel) code(f Frame) []block {
	t, code := f.Theme, clean(s.prompt.Code.UserCode)
	open := []string{t.Plain.Render("Open, on any device,")}
	switch {
	case s.played():
		open = t.lines(t.Plain, "Rehearsal: the simulated administrator enters it by itself. In earnest you open, on any device,", f.Width)
	case s.w.cfg.DevicePage != "":
		open = t.lines(t.Plain, sandboxPage, f.Width)
	}
	open = append(open, t.link(t.Strong, clip(s.address(), f.Width), s.address()))
	enter := []string{t.Plain.Render("Enter this code")}
	return []block{
		{rank: 2, lines: s.why(f)},
		{air: 2, lines: open},
		{air: 4, lines: enter},
		{rank: 1, lines: s.big(f, code)},
		{air: 3, lines: []string{t.Strong.Render(code)}},
		{rank: 3, air: 1, lines: s.who(f)},
		{air: 5, lines: append([]string{s.countdown(t)}, s.warning(f)...)},
	}
}

func (s *panel) countdown(t *Theme) string {
	if s.prompt.Code.Renews.IsZero() {
		return t.Accent.Render(s.w.spin()) + " Waiting. " + t.Muted.Render("The last code, valid for ") + clock(s.prompt.Code.Expires.Sub(s.w.now))
	}
	return t.Accent.Render(s.w.spin()) + " Waiting. " + t.Muted.Render("New code in ") + clock(s.prompt.Code.Renews.Sub(s.w.now)) + t.Muted.Render(", by itself")
}

// big draws the code large; where the room is narrow it is at least spaced out.
func (s *panel) big(f Frame, code string) []string {
	t, width := f.Theme, f.Width
	if f.Height < 22 { // letters five lines high would push something else out
		width = min(width, 60)
	}
	lines := bigText(code, width)
	if lines == nil {
		lines = []string{strings.Join(strings.Split(code, ""), " ")}
	}
	for i := range lines {
		lines[i] = t.Accent.Render(lines[i])
	}
	return lines
}

// warning keeps people from signing in for somebody else, and asks after a while
// whether there is an error this program cannot see.
func (s *panel) warning(f Frame) []string {
	t, text := f.Theme, "! "+onlyYourPage
	if s.prompt.Method == steps.ByDevice {
		text = "! " + onlyYourCode
	}
	lines := t.lines(t.Warn, text, f.Width)
	if s.w.now.Sub(s.began) >= askAfter {
		lines = append(lines, t.lines(t.Strong, "Does the browser show an error? Press e.", f.Width)...)
	}
	return lines
}

// page tells what to do with a sign-in page that comes back to this machine.
func (s *panel) page(f Frame) []block {
	t := f.Theme
	waiting := append(t.lines(t.Plain, s.w.spin()+" Waiting for the browser to come back; "+elapsed(s.w.now.Sub(s.began))+" so far.", f.Width), s.warning(f)...)
	if s.prompt.Method == steps.ByBrowser && s.played() {
		return []block{
			{rank: 2, lines: s.why(f)},
			{rank: 3, lines: s.who(f)},
			{lines: t.lines(t.Plain, playedPage, f.Width)},
			{lines: waiting},
		}
	}
	all := []block{{rank: 2, lines: s.why(f)}, {rank: 3, lines: s.who(f)}}
	if s.prompt.Method == steps.ByTunnel {
		all = append(all,
			block{air: 1, lines: t.lines(t.Plain, runThere, f.Width)},
			block{air: 2, lines: s.flush(f, s.command())},
			block{air: 1, lines: t.lines(t.Plain, openThere, f.Width)})
	} else {
		all = append(all, block{air: 1, lines: t.lines(t.Plain, openHere, f.Width)})
	}
	address := s.flush(f, s.address())
	rows, needed := len(waiting)+len(address), len(waiting)+len(address)
	for _, b := range all {
		rows += len(b.lines)
		if b.rank == 0 {
			needed += len(b.lines)
		}
	}
	switch {
	case needed > f.Height:
		address = []string{
			t.link(t.Strong, clip(s.address(), f.Width), s.address()),
			t.Key.Render("v") + " shows all of it, " + t.Key.Render("a") + " copies it.",
		}
	case rows > f.Height:
		all[1].lines = []string{clip("Account "+s.account()+", page says "+s.prompt.App, f.Width)}
	}
	return append(all, block{air: 2, lines: address}, block{air: 2, lines: waiting})
}

// flush breaks a text into lines without blanks at their ends: it is selected
// with the mouse and pasted elsewhere.
func (s *panel) flush(f Frame, text string) []string {
	t := f.Theme
	lines := strings.Split(ansi.Hardwrap(clean(text), f.Width+2*margin, true), "\n")
	for i, l := range lines {
		lines[i] = flushMark + t.link(t.Strong, l, text)
	}
	return lines
}

// link makes a text lead to an address in terminals that can do that.
func (t *Theme) link(style lipgloss.Style, text, address string) string {
	if isPage(address) {
		style = style.Hyperlink(address)
	}
	return style.Render(text)
}

// whole shows the address and nothing else.
func (s *panel) whole(f Frame) []string {
	if lines := s.flush(f, s.address()); len(lines) <= f.Height {
		return lines
	}
	return s.scroll.View(f, s.flush(f.sized(f.Width-2-2*margin, f.Height), s.address()))
}

// choicesAfter says what can be done after a failure.
func (s *panel) choicesAfter(f Frame) []string {
	t := f.Theme
	var lines []string
	for _, b := range s.keys.ShortHelp() {
		if b.Enabled() {
			lines = append(lines, "  "+t.Key.Render(pad(b.Help().Key, 5))+b.Help().Desc)
		}
	}
	back := "go back"
	if s.call.kind != callSignIn {
		back = s.leaves()
	}
	return append(lines, "  "+t.Key.Render(pad("esc", 5))+back)
}

// methods lists the ways to sign in.
func (s *panel) methods(f Frame) []string {
	t := f.Theme
	lines := []string{t.Strong.Render("How do you want to sign in?"), ""}
	for i, m := range s.prompt.Methods {
		current := i == s.choices.Current()
		name := steps.UpperFirst(methodName(m))
		if m == s.prompt.Method {
			name += " (the one in use)"
		}
		lines = append(lines, t.cursorAt(current)+t.row(clip(name, f.Width-2), current))
		for _, l := range t.lines(t.Muted, methodHelps(m), f.Width-2) {
			lines = append(lines, "  "+l)
		}
		lines = append(lines, "")
	}
	return lines
}

// question asks what the browser shows.
func (s *panel) question(f Frame) []string {
	t := f.Theme
	lines := []string{t.Strong.Render("What does the browser show?"), ""}
	lines = append(lines, t.lines(t.Plain, "Type the number after AADSTS, or paste the message.", f.Width)...)
	return append(lines, "", t.Accent.Render("› ")+s.asking.View(t, min(f.Width-2, 60)), "",
		t.Muted.Render("The sign-in goes on waiting meanwhile."))
}

// meaning explains what the browser shows.
func (s *panel) meaning(f Frame) []string {
	t, e := f.Theme, s.found
	if !e.Found {
		lines := t.lines(t.Strong, unknownError, f.Width)
		return append(append(lines, ""), t.lines(t.Plain, lookItUp+" "+s.wayOn(), f.Width)...)
	}
	title := e.Code
	if title == "" {
		title = "What is behind it"
	}
	cause := append(t.lines(t.Strong, title, f.Width), t.lines(t.Plain, e.Rule.Cause, f.Width)...)
	fix := f.labelled("What to do", e.Rule.DoHere(), 14)
	fix = append(fix, f.labelled("Who can", string(e.Rule.Who), 14)...)
	return f.blocks([]block{{lines: cause}, {lines: fix}, {lines: t.lines(t.Plain, s.wayOn(), f.Width)}})
}

// wayOn says which key leads on from an error of the browser.
func (s *panel) wayOn() string {
	if m, ok := s.instead(); ok {
		return "Press b for " + methodName(m) + ", which may work where a code does not; n begins again with a new code, esc goes on waiting."
	}
	text := "Press n to begin again with a new " + s.kind()
	if s.keys.Methods.Enabled() {
		text += ", m to sign in another way"
	}
	return text + ", or esc to go on waiting."
}
