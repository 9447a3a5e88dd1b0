package ui

import (
	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
	"msbundle/steps"
)

// integrations is where the parts of the bundle are chosen.
type integrations struct {
	w    *wizard
	keys integrationsKeys
	list *picker
	all  []catalog.Integration
}

type integrationsKeys struct {
	Next   key.Binding
	Toggle key.Binding
	move   moveKeys
}

func (k *integrationsKeys) ShortHelp() []key.Binding { return []key.Binding{k.Toggle, k.Next} }

func (k *integrationsKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Toggle, k.Next}, k.move.all()}
}

func newIntegrations(w *wizard) Screen {
	s := &integrations{
		w: w, all: catalog.Integrations(),
		keys: integrationsKeys{
			Next:   bind("enter", "continue", "enter"),
			Toggle: bind("space", "choose or leave out", "space", "x"),
			move:   newMoveKeys(),
		},
	}
	s.list = newPicker(make([]row, len(s.all)))
	return s
}

func (s *integrations) Init() tea.Cmd { return nil }

func (s *integrations) Update(msg tea.Msg) tea.Cmd {
	press, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return nil
	}
	switch {
	case s.list.Update(press, s.keys.move):
	case pressed(press, &s.keys.Toggle):
		answers, text := steps.ToggleIntegration(s.w.answers, s.all[s.list.Current()].ID)
		s.w.setAnswers(answers)
		s.w.say("•", text)
	case pressed(press, &s.keys.Next):
		s.w.open(pageRegistration)
	}
	return nil
}

func (s *integrations) View(f Frame) string {
	t := f.Theme
	intro := t.lines(t.Plain, "Choose the parts of the bundle Rewst is to use. Each brings its own permissions; you can change this later and run again.", f.Width)
	intro = append(intro, "")
	rest := f.sized(f.Width, f.Height-len(intro))
	return f.fill(append(intro, rest.split(7, s.rows, s.details)...))
}

func (s *integrations) rows(f Frame) []string {
	t := f.Theme
	return f.list(s.list, func(i int, current bool, w int) string {
		in := s.all[i]
		line := t.cursorAt(current) + t.tick(s.w.answers.Has(in.ID)) + " " + t.row(in.Name, current)
		if in.Required {
			line += t.Muted.Render("  always part of it")
		}
		return line
	})
}

func (s *integrations) details(f Frame) []string {
	t, in := f.Theme, s.all[s.list.Current()]
	lines := []string{t.Strong.Render(in.Name)}
	lines = append(lines, f.labelled("Gives", in.Gives, 7)...)
	needs := in.Needs
	if needs == "" {
		needs = "Nothing beyond the tenant."
	}
	return append(lines, f.labelled("Needs", needs, 7)...)
}

func (s *integrations) Keys() help.KeyMap { return &s.keys }
func (s *integrations) Close()            {}
