package ui

import (
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/state"
)

// clientDirect tells how a customer is set up without delegated administration: a
// file, and the command that takes it.
type clientDirect struct {
	still
	s      *customers
	at     int
	scroll scroller
	keys   directKeys
}

type directKeys struct {
	Command, File key.Binding
	move          moveKeys
}

func newClientDirect(s *customers, at int) *clientDirect {
	return &clientDirect{s: s, at: at, keys: directKeys{
		Command: bind("c", "copy the command", "c"), File: bind("f", "copy the file", "f"), move: newMoveKeys(),
	}}
}

func (v *clientDirect) Keys() help.KeyMap { return keyList{v.keys.File, v.keys.Command} }

// directFile is what the file is called.
const directFile = "direct.yaml"

// file is the setup file.
func (v *clientDirect) file() []string {
	w := v.s.w
	r := w.clients.row(v.at)
	who := strings.ToLower(r.Domain)
	if who == "" || strings.Trim(who, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		who = r.TenantID
	}
	return []string{"version: 1", "region: " + w.answers.Region, "customers:", "  route: direct", "  consent: [" + who + "]"}
}

// command sets the customer's own tenant up.
func (v *clientDirect) command() string {
	command := "msbundle apply -f " + directFile
	if again := v.s.w.cfg.Again; again != nil {
		command = again(directFile, state.Answers{NoApp: true})
	}
	return command + " --password-out password.txt"
}

func (v *clientDirect) press(msg tea.KeyPressMsg) tea.Cmd {
	switch {
	case pressed(msg, &v.keys.Command):
		v.s.w.say("•", "Sent the command to the clipboard.")
		return v.s.w.copyText(v.command())
	case pressed(msg, &v.keys.File):
		v.s.w.say("•", "Sent what the file holds to the clipboard.")
		return v.s.w.copyText(strings.Join(v.file(), "\n") + "\n")
	}
	v.scroll.Update(msg, v.keys.move)
	return nil
}

func (v *clientDirect) View(f Frame) []string {
	t, r := f.Theme, v.s.w.clients.row(v.at)
	head := []string{t.Title.Render(clip("Directly at "+shownName(r.Customer), f.Width)), ""}
	in := f.sized(f.Width-2, f.Height-len(head))
	lines := t.lines(t.Plain, "Without a CSP contract or delegated administration, an administrator of the customer signs in to the customer's own tenant, and Rewst's connector and the service account are set up there. Put this into a file "+directFile+":", in.Width)
	lines = append(lines, "")
	for _, l := range v.file() {
		lines = append(lines, flushMark+t.Accent.Render(clean(l)))
	}
	lines = append(lines, "")
	lines = append(lines, t.lines(t.Plain, "Then quit msbundle, and run this next to it. The new account's password goes into password.txt:", in.Width)...)
	lines = append(lines, "", flushMark+t.Accent.Render(clean(v.command())), "")
	lines = append(lines, t.lines(t.Warn, "Use one way for a customer, not both: Rewst then meets AADSTS65001.", in.Width)...)
	return append(head, v.scroll.View(f.sized(f.Width, in.Height), lines)...)
}
