package ui

import (
	"slices"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// bind makes a binding. shown is how help names the keys.
func bind(shown, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(shown, does))
}

// pressed tells whether a key is one of a binding that can be used. It stands for
// key.Matches, which the compiler copies into each of the many places that ask.
func pressed(msg tea.KeyPressMsg, b *key.Binding) bool {
	return b.Enabled() && slices.Contains(b.Keys(), msg.String())
}

// globalKeys work on every screen.
type globalKeys struct {
	Back key.Binding
	Help key.Binding
	Quit key.Binding
}

func newGlobalKeys() globalKeys {
	return globalKeys{
		Back: bind("esc", "back", "esc"),
		Help: bind("?", "keys", "?"),
		Quit: bind("ctrl+c", "quit", "ctrl+c"),
	}
}

// moveKeys move through a list.
type moveKeys struct {
	Up, Down, PageUp, PageDown, First, Last key.Binding
}

func newMoveKeys() moveKeys {
	return moveKeys{
		Up:       bind("↑", "up", "up", "k"),
		Down:     bind("↓", "down", "down", "j"),
		PageUp:   bind("pgup", "ten up", "pgup", "ctrl+b"),
		PageDown: bind("pgdn", "ten down", "pgdown", "ctrl+f"),
		First:    bind("home", "first", "home", "g"),
		Last:     bind("end", "last", "end", "G"),
	}
}

func (k moveKeys) all() []key.Binding {
	return []key.Binding{k.Up, k.Down, k.PageUp, k.PageDown, k.First, k.Last}
}

// keyList is the keys of a view, besides those that move in it.
type keyList []key.Binding

// ShortHelp are those of the last line.
func (k keyList) ShortHelp() []key.Binding { return k }

// FullHelp are all of them.
func (k keyList) FullHelp() [][]key.Binding { return [][]key.Binding{k, newMoveKeys().all()} }
