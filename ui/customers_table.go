package ui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// clientTable shows the customers: which organisation each is, and how it stands.
type clientTable struct {
	s      *customers
	keys   clientKeys
	shown  []int // places of the customers that pass the filter
	list   *picker
	find   field
	pass   rowFilter
	chosen map[int]bool // by place
	failed int          // customers
}

type clientKeys struct {
	Link, Accept, AcceptAll, Unlink, None  key.Binding
	Back, Close                            key.Binding
	Take, TakeAll, Consent, Exclude        key.Binding
	Look, LookFailed, LookAll, Pause       key.Binding
	Find, Show, Detail, Direct, Web        key.Binding
	List, Export, Other, Result, Done, Off key.Binding
	move                                   moveKeys

	first string // those that matter most just now, by their letters
}

func (k *clientKeys) ShortHelp() []key.Binding {
	out, all := []key.Binding{k.Done, k.Pause, k.Close}, k.FullHelp()
	for n, letter := range k.first {
		if strings.ContainsRune(k.first[:n], letter) {
			continue
		}
		shown := string(letter)
		if letter == ' ' {
			shown = "space"
		}
		for _, group := range all {
			for at := range group {
				if group[at].Help().Key == shown {
					out = append(out, group[at])
				}
			}
		}
	}
	return out
}

func (k *clientKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{
		{k.Link, k.Accept, k.AcceptAll, k.Unlink, k.None, k.Back, k.List, k.Export},
		{k.Take, k.TakeAll, k.Consent, k.Exclude, k.Close, k.Direct, k.Web},
		{k.Look, k.LookFailed, k.LookAll, k.Pause, k.Off, k.Find, k.Show, k.Detail, k.Other, k.Result},
		k.move.all(),
	}
}

func newClientTable(s *customers) *clientTable {
	move := newMoveKeys()
	t := &clientTable{
		s: s, chosen: map[int]bool{}, list: newPicker(nil), find: newField("", "part of a name, a domain, a tenant id or an organisation"),
		keys: clientKeys{
			Link:       bind("m", "organisation", "m", "enter"),
			Accept:     bind("a", "take it", "a"),
			AcceptAll:  bind("A", "take all certain ones", "A"),
			Unlink:     bind("u", "unlink", "u"),
			None:       bind("n", "has none", "n"),
			Back:       bind("z", "take links back", "z"),
			Close:      bind("C", "close it", "C"),
			Take:       bind("space", "choose", "space"),
			TakeAll:    bind("*", "choose all shown", "*"),
			Consent:    bind("c", "consent", "c"),
			Exclude:    bind("x", "exclude from policies", "x"),
			Look:       bind("r", "look", "r"),
			LookFailed: bind("f", "look at the failed", "f"),
			LookAll:    bind("R", "look at all", "R"),
			Pause:      bind("p", "pause", "p"),
			Off:        bind("P", "stop looking", "P"),
			Find:       bind("/", "filter", "/"),
			Show:       bind("v", "show only", "v"),
			Detail:     bind("i", "details", "i"),
			Direct:     bind("d", "direct route", "d"),
			Web:        bind("w", "open Rewst", "w"),
			List:       bind("o", "file", "o"),
			Export:     bind("e", "export", "e"),
			Other:      bind("S", "sign in as somebody else", "S"),
			Result:     bind("q", "result", "q"),
			Done:       bind("enter", "done", "enter"),
			move:       move,
		},
	}
	t.filter()
	t.settle()
	return t
}

func (t *clientTable) clients() *clients { return t.s.w.clients }

// filter works out which customers are shown, and keeps the cursor on its one.
func (t *clientTable) filter() {
	at := t.current()
	t.shown = t.clients().mapping.Filter(t.shown[:0], steps.MappingFilter{Text: t.find.Value(), States: t.pass.states, Shades: t.pass.shades})
	if t.pass.of != nil {
		these, n := t.pass.of(t.clients()), 0
		for _, i := range t.shown {
			if _, is := slices.BinarySearch(these, i); is {
				t.shown[n] = i
				n++
			}
		}
		t.shown = t.shown[:n]
	}
	t.list.SetRows(make([]row, len(t.shown)))
	t.list.cursor = 0
	for n, i := range t.shown {
		if i == at {
			t.list.cursor = n
			break
		}
	}
}

// toFailed shows only the customers something failed at.
func (t *clientTable) toFailed() {
	failed := rowFilterList[len(rowFilterList)-1]
	switch {
	case t.clients().failedNow() > 0:
		t.pass = failed
	case t.pass.name == failed.name && len(t.clients().broken()) == 0: // it would show nobody
		t.pass = rowFilter{}
	default:
		return
	}
	t.filter()
	t.list.cursor = 0
}

// chooseRetriable chooses those a consent can be given at, and tells how many.
func (t *clientTable) chooseRetriable() int {
	list := t.clients().retriable()
	if len(list) > 0 {
		clear(t.chosen)
	}
	for _, i := range list {
		t.chosen[i] = true
	}
	return len(list)
}

// current is the customer under the cursor; -1 when there is none.
func (t *clientTable) current() int {
	if at := t.list.Current(); at >= 0 && at < len(t.shown) {
		return t.shown[at]
	}
	return -1
}

func (t *clientTable) settle() {
	free, at, c := !t.typing(), t.current(), t.clients()
	k := &t.keys
	on := func(b *key.Binding, when bool) { b.SetEnabled(free && when) }
	some := at >= 0
	var r steps.CustomerRow
	state := steps.RowOpen
	if some {
		r, state = *c.row(at), c.mapping.State(at)
	}
	for _, b := range []*key.Binding{&k.Link, &k.Take, &k.TakeAll, &k.Detail, &k.Direct} {
		on(b, some)
	}
	on(&k.Accept, some && (state == steps.RowSuggested || state == steps.RowCertain))
	on(&k.AcceptAll, c.mapping.Count(steps.RowCertain) > 0)
	on(&k.Unlink, some && len(r.Organizations) > 0)
	on(&k.Back, len(c.linked) > 0 || c.before != nil || c.last != nil)
	back := "take links back"
	switch {
	case c.last != nil:
		back = "take it back"
	case c.before != nil:
		back = "take the list back"
	}
	k.Back.SetHelp("z", back)
	busy := c.work.running()
	on(&k.Close, !busy && t.leftOpen())
	on(&k.None, some)
	k.None.SetHelp("n", map[bool]string{true: "no longer none", false: "has none"}[state == steps.RowDeclined])
	on(&k.Consent, some && !busy)
	on(&k.Look, some && !busy)
	on(&k.LookFailed, !busy && (c.shades[steps.Red] > 0 || c.failing() > 0))
	on(&k.LookAll, !busy)
	on(&k.Other, !busy)
	on(&k.Result, !busy)
	on(&k.Exclude, !busy && !t.s.w.connector())
	on(&k.Pause, busy)
	on(&k.Off, busy)
	on(&k.Web, t.s.w.cfg.OpenURL != nil)
	on(&k.Find, true)
	on(&k.Show, true)
	on(&k.List, true)
	on(&k.Export, true)
	k.Done.SetEnabled(!free)
	word := map[bool]string{true: "go on", false: "pause"}[busy && c.work.gate.Paused()]
	k.Pause.SetHelp("p", word)
	n := ""
	if len(t.chosen) > 0 {
		n = " " + number(len(t.chosen))
	}
	k.Consent.SetHelp("c", "consent"+n)
	k.Look.SetHelp("r", "look"+n)
	t.failed = c.failedNow()
	k.first = t.first()
}

// first are the keys that matter most with things as they are, by their letters: a
// small terminal has room for some six.
func (t *clientTable) first() string {
	k, c := &t.keys, t.clients()
	out := ""
	add := func(when bool, keys string) {
		if when {
			out += keys
		}
	}
	suggested := k.Accept.Enabled()
	add(t.wrong(t.current()), "um")
	add(suggested, "a")
	add(len(c.mapping.Organizations()) == 0, "o")
	add(len(t.chosen) > 0, "cr")
	add(suggested, "m")
	add(c.shades[steps.Unseen] > 0, "R")
	add(k.LookFailed.Enabled(), "f")
	add(len(t.chosen) == 0, "c")
	add(c.written || c.failing() > 0, "q")
	add(c.shades[steps.Unseen] < len(c.mapping.Rows()), "i")
	add(c.mapping.Count(steps.RowLinked) > 0, "e")
	return out + "mqouvn */rei"
}

// leftOpen tells whether the app's own sign-in is open though nothing goes on.
func (t *clientTable) leftOpen() bool {
	c := t.clients()
	return c.ajar || len(c.clientele.App.Left.Changes) > 0
}

// legend explains the marks of the table.
func (t *clientTable) legend() []string {
	return []string{
		"≈ suggested, and certain: tenant id, domain or name leave no doubt",
		"? suggested, to be confirmed      ✗ another one has it too, or it is gone",
	}
}

func (t *clientTable) Keys() help.KeyMap { return &t.keys }
func (t *clientTable) typing() bool      { return t.find.Focused() }

func (t *clientTable) paste(msg tea.PasteMsg) {
	if t.typing() {
		t.find.Update(msg)
		t.filter()
	}
}

func (t *clientTable) closes() bool {
	return t.typing() || t.find.Value() != "" || t.pass.name != "" || len(t.chosen) > 0
}

// escape takes the filter away, then what was chosen.
func (t *clientTable) escape() bool {
	switch {
	case t.typing() || t.find.Value() != "":
		t.find.Set("")
		t.find.Blur()
		t.filter()
	case t.pass.name != "":
		t.pass = rowFilter{}
		t.filter()
	default:
		clear(t.chosen)
	}
	return false
}

// picked are the chosen customers, or the one under the cursor when none is.
func (t *clientTable) picked() []int {
	if len(t.chosen) == 0 {
		if at := t.current(); at >= 0 {
			return []int{at}
		}
		return nil
	}
	out := make([]int, 0, len(t.chosen))
	for i := range t.clients().mapping.Rows() {
		if t.chosen[i] {
			out = append(out, i)
		}
	}
	return out
}

func (t *clientTable) press(msg tea.KeyPressMsg) tea.Cmd {
	defer t.settle()
	k, at, c, s := t.keys, t.current(), t.clients(), t.s
	switch {
	case t.typing() && pressed(msg, &k.Done):
		t.find.Blur()
	case t.typing():
		if msg.Text != "" || !t.list.Update(msg, k.move) {
			was := t.find.Value()
			if t.find.Update(msg); t.find.Value() != was {
				t.filter()
				t.list.cursor = 0
			}
		}
	case pressed(msg, &k.Find):
		t.find.Focus()
	case pressed(msg, &k.Show):
		s.push(newRowFilters(t))
	case pressed(msg, &k.Link):
		s.push(newLinker(s, at))
	case pressed(msg, &k.Accept):
		c.edit(at, func() { c.mapping.Accept(at) })
		return t.onward(at)
	case pressed(msg, &k.AcceptAll):
		n := c.mapping.AcceptCertain()
		s.w.say("✓", count(n, "certain suggestion was", "certain suggestions were")+" taken. The others are for you: v shows them.")
		return c.edited()
	case pressed(msg, &k.Unlink):
		t.change(at, func() { c.unlink(at) })
		return c.edited()
	case pressed(msg, &k.Back) && c.last != nil:
		s.w.say("•", c.undo())
		t.filter()
		return c.edited()
	case pressed(msg, &k.Back) && c.before != nil:
		return s.w.unlist(s.run)
	case pressed(msg, &k.Back):
		s.w.say("•", count(len(c.linked), "link was", "links were")+" taken back; what was suggested stands there again, and A takes it.")
		c.unlinkCertain()
		return c.edited()
	case pressed(msg, &k.Close):
		s.askClose()
	case pressed(msg, &k.None) && c.mapping.State(at) != steps.RowDeclined:
		t.change(at, func() { c.mapping.Decline(at) })
		return c.edited()
	case pressed(msg, &k.None): // pressed twice it changes nothing
		if e := c.last; e != nil && e.file == nil && e.at == at {
			s.w.say("•", c.undo())
		} else {
			t.change(at, func() { c.mapping.Forget(at) })
		}
		return c.edited()
	case pressed(msg, &k.Take):
		t.take(at)
		t.list.Move(1)
	case pressed(msg, &k.TakeAll):
		t.takeAll()
	case pressed(msg, &k.Consent):
		s.push(newClientNotice(s, t.picked()))
	case pressed(msg, &k.Exclude):
		s.w.say("•", s.w.exclude())
	case pressed(msg, &k.Look):
		return s.start(workLook, workPlace{tenants: c.tenants(t.picked())})
	case pressed(msg, &k.LookFailed):
		return s.start(workLook, workPlace{tenants: c.tenants(c.broken()), failed: true})
	case pressed(msg, &k.LookAll):
		return s.start(workLook, workPlace{tenants: c.tenants(c.all())})
	case pressed(msg, &k.Pause):
		c.work.turn()
	case pressed(msg, &k.Off):
		c.work.cancel()
	case pressed(msg, &k.Detail):
		s.push(&clientDetail{s: s, at: at})
	case pressed(msg, &k.Direct):
		s.push(newClientDirect(s, at))
	case pressed(msg, &k.Web):
		return s.w.openRewst()
	case pressed(msg, &k.List):
		s.push(newAsking(s, "Rewst's organisations, a CSV file ", name(c.file, s.w.customersAnswers().Mapping), "for example organizations.csv", s.list))
	case pressed(msg, &k.Export):
		s.askExport()
	case pressed(msg, &k.Other):
		s.w.as = c.reaches()
		s.w.open(pageSignIn)
	case pressed(msg, &k.Result):
		s.push(&clientResult{s: s})
	default:
		t.list.Update(msg, k.move)
	}
	return nil
}

// onward keeps an edit of a customer, and goes to the next one unless something is
// wrong with it.
func (t *clientTable) onward(at int) tea.Cmd {
	c := t.clients()
	if errs := c.mapping.Errors(at); len(errs) > 0 {
		t.s.w.say("✗", sentence(errs[0]))
	} else {
		t.list.Move(1)
	}
	return c.edited()
}

func (t *clientTable) take(i int) {
	if t.chosen[i] {
		delete(t.chosen, i)
	} else {
		t.chosen[i] = true
	}
}

// takeAll chooses all that are shown, or none when all of them are.
func (t *clientTable) takeAll() {
	all := true
	for _, i := range t.shown {
		all = all && t.chosen[i]
	}
	for _, i := range t.shown {
		if all {
			delete(t.chosen, i)
		} else {
			t.chosen[i] = true
		}
	}
}
