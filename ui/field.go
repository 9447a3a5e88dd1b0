package ui

import (
	"strings"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// field is one line of text a person edits. Editing is the text input's; drawing
// is done here, because the input's own window depends on what happened before.
type field struct {
	input textinput.Model
	hint  string // shown while empty
}

func newField(value, hint string) field {
	in := textinput.New()
	in.Prompt = ""
	in.CharLimit = 1024
	in.SetValue(clean(value))
	in.CursorEnd()
	return field{input: in, hint: hint}
}

func (f *field) Focus()        { f.input.Focus() }
func (f *field) Blur()         { f.input.Blur() }
func (f *field) Focused() bool { return f.input.Focused() }

// Value is the text without blanks around it: a pasted id often brings some.
func (f *field) Value() string { return strings.TrimSpace(f.input.Value()) }

func (f *field) Set(value string) {
	f.input.SetValue(clean(value))
	f.input.CursorEnd()
}

// Update edits the text. Pasted characters that act on a terminal are dropped.
// The input's commands are dropped too: the cursor is the terminal's, and asking
// the system's clipboard would be I/O behind the wizard's back.
func (f *field) Update(msg tea.Msg) {
	switch m := msg.(type) {
	case tea.KeyPressMsg:
		m.Text = strings.ReplaceAll(clean(m.Text), "\uFFFD", "")
		msg = m
	case tea.PasteMsg:
		m.Content = strings.ReplaceAll(clean(m.Content), "\uFFFD", "")
		msg = m
	default:
		return
	}
	f.input, _ = f.input.Update(msg)
}

// View draws the part of the text around the cursor.
func (f *field) View(t *Theme, width int) string {
	value := []rune(clean(f.input.Value()))
	pos := min(f.input.Position(), len(value))
	if !f.Focused() {
		if len(value) == 0 {
			return t.Muted.Render(clip(f.hint, width))
		}
		return t.Plain.Render(clip(string(value), width))
	}
	// The cursor stays in sight with the text before it; one cell is its own.
	before, after := string(value[:pos]), string(value[pos:])
	if w := ansi.StringWidth(before); w > width-1 {
		before = ansi.TruncateLeft(before, w-(width-2), "…")
	}
	room := width - ansi.StringWidth(before)
	after = ansi.Truncate(after, max(room, 0), "…")
	if len(value) == 0 {
		after = clip(f.hint, room)
		return cursorMark + t.Muted.Underline(true).Render(pad(after, room))
	}
	return t.Field.Render(before) + cursorMark + t.Field.Render(pad(after, room))
}
