package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"msbundle/steps"
)

// onPaper writes what to do on the terminal's normal screen, too. The wizard's own
// screen vanishes when it ends, and cannot be scrolled back.
func (s *panel) onPaper() tea.Cmd {
	text := s.paper()
	if text == "" {
		return nil
	}
	// Both screens are the terminal's; the renderer knows of one. Going to the other
	// and back leaves this one empty, so it is drawn anew. In one write, nothing of
	// it is seen.
	return tea.Sequence(
		tea.Raw(ansi.ResetModeAltScreenSaveCursor+ansi.ResetStyle+"\r"+text+"\r\n"+ansi.SetModeAltScreenSaveCursor+ansi.CursorHomePosition),
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
