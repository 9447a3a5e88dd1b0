package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"msbundle/steps"
)

// paper is what was written on the terminal's normal screen of the last sign-in.
type paper struct {
	width, rows int
	of          *panel
}

func (p *paper) add(text string) {
	for line := range strings.SplitSeq(text, "\r\n") {
		p.rows += (ansi.StringWidth(line) + p.width - 1) / max(p.width, 1)
	}
}

// fit takes note of the width of the terminal. On another one lines may break
// elsewhere, so that what stands there is left alone.
func (p *paper) fit(width int) {
	if width != p.width {
		p.width, p.rows = width, 0
	}
}

// takeBack clears it off the normal screen.
func (p *paper) takeBack() string {
	if p.rows == 0 {
		return ""
	}
	return ansi.CursorUp(p.rows) + "\r" + ansi.EraseScreenBelow
}

// onPaper writes what to do on the terminal's normal screen, too. The wizard's own
// screen vanishes when it ends, and cannot be scrolled back.
func (s *panel) onPaper() tea.Cmd {
	text := s.paper()
	if text == "" {
		return nil
	}
	before, p := "", &s.w.paper
	if p.of != s {
		before = p.takeBack()
		p.of, p.rows = s, 0
	}
	p.add(text)
	// Both screens are the terminal's; the renderer knows of one. Going to the other
	// and back leaves this one empty, so it is drawn anew. In one write, nothing of
	// it is seen.
	return tea.Sequence(
		tea.Raw(ansi.ResetModeAltScreenSaveCursor+ansi.ResetStyle+before+"\r"+text+"\r\n"+ansi.SetModeAltScreenSaveCursor+ansi.CursorHomePosition),
		tea.ClearScreen,
	)
}

// paper is what to do in a line; empty when there is nothing to do.
func (s *panel) paper() string {
	if s.played() {
		return ""
	}
	head := "msbundle sign-in: "
	if s.w.cfg.Sandbox != "" {
		head = "msbundle sign-in (rehearsal): "
	}
	address := clean(s.address())
	switch s.prompt.Method {
	case steps.ByDevice:
		return head + "open " + address + " and enter " + clean(s.prompt.Code.UserCode) + " (valid until " + s.prompt.Code.Expires.Format("15:04") + ")"
	case steps.ByTunnel:
		return strings.Join([]string{head + "on the computer with the browser, run", clean(s.command()), "and open", address}, "\r\n")
	}
	return head + "open " + address
}
