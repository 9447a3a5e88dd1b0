package ui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

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
			if slices.Contains(these, i) {
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
	on(&k.Back, len(c.linked) > 0 || c.before != nil)
	back := "take links back"
	if c.before != nil {
		back = "take the list back"
	}
	k.Back.SetHelp("z", back)
	busy := c.work.running()
	on(&k.Close, !busy && t.leftOpen())
	on(&k.None, some && state != steps.RowDeclined)
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
		"? suggested, to be looked at      ✗ another one has it too, or it is gone",
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
		c.mapping.Accept(at)
		return t.onward(at)
	case pressed(msg, &k.AcceptAll):
		n := c.mapping.AcceptCertain()
		s.w.say("✓", count(n, "suggestion that needs no look was", "suggestions that need no look were")+" taken. The others are for you: v shows them.")
		return c.edited()
	case pressed(msg, &k.Unlink):
		c.unlink(at)
		return c.edited()
	case pressed(msg, &k.Back) && c.before != nil:
		return s.w.unlist(s.run)
	case pressed(msg, &k.Back):
		s.w.say("•", count(len(c.linked), "link was", "links were")+" taken back; what was suggested stands there again, and A takes it.")
		c.unlinkCertain()
		return c.edited()
	case pressed(msg, &k.Close):
		s.askClose()
	case pressed(msg, &k.None):
		c.mapping.Decline(at)
		return t.onward(at)
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
		return s.start(workLook, workPlace{tenants: c.tenants(c.broken())})
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

func (t *clientTable) View(f Frame) []string {
	th, c := f.Theme, t.clients()
	lines := []string{th.Plain.Render(clip("Shields: "+shadeTally(c.shades)+".", f.Width)), th.Plain.Render(clip("Mapping: "+mappingTally(c.mapping)+".", f.Width))}
	if t.leftOpen() && !c.work.running() {
		who := "An earlier run left the app's own sign-in open"
		if c.ajar {
			who = "The app's own sign-in could not be closed"
		}
		lines = append(lines, th.Warn.Render(clip("! "+who+": C closes it.", f.Width)))
	}
	switch x := c.work; {
	case x.running():
		lines = append(lines, x.line(th, t.s.w, f.Width))
	case c.keepErr != nil:
		lines = append(lines, th.Bad.Render(clip("✗ "+problemOf(c.keepErr).What, f.Width)))
	case t.typing() || t.find.Value() != "":
	default:
		lines = append(lines, "")
	}
	if t.typing() || t.find.Value() != "" {
		lines = append(lines, th.Key.Render("/ ")+t.find.View(th, f.Width-2))
	}
	rest := f.sized(f.Width, f.Height-len(lines))
	under := min(6, rest.Height/3)
	top := rest.sized(rest.Width, rest.Height-under-1)
	lines = append(lines, exactly(t.rows(top), top.Height)...)
	rule := t.foot()
	rule += strings.Repeat("─", max(f.Width-ansi.StringWidth(rule), 0))
	lines = append(lines, th.Muted.Render(clip(rule, f.Width)))
	about := t.details(rest.sized(rest.Width, under))
	if len(about) > under && under > 0 {
		const more = "… i shows all"
		last := about[under-1]
		if ansi.StringWidth(last)+1+ansi.StringWidth(more) <= f.Width {
			last += " "
		}
		about[under-1] = ansi.Truncate(last, f.Width-ansi.StringWidth(more), "") + th.Muted.Render(more)
	}
	return append(lines, exactly(about, under)...)
}

// foot says under the table what its marks mean, and what of it is shown and chosen.
func (t *clientTable) foot() string {
	m := t.clients().mapping
	var parts []string
	add := func(when bool, text string) {
		if when {
			parts = append(parts, text)
		}
	}
	add(t.pass.name != "", "only "+t.pass.name+": "+count(len(t.shown), "customer", "customers"))
	if n := len(t.chosen); n > 0 {
		text := number(n) + " chosen"
		if hidden := t.hidden(); hidden > 0 {
			text += ", " + number(hidden) + " of them hidden"
		}
		parts = append(parts, text)
	}
	add(m.Count(steps.RowSuggested) > 0, "? suggested, to be looked at")
	add(m.Count(steps.RowCertain) > 0, "≈ suggested, certain")
	if len(parts) == 0 {
		return ""
	}
	return "── " + strings.Join(parts, " · ") + " "
}

// hidden is how many chosen customers a filter hides.
func (t *clientTable) hidden() int {
	n := len(t.chosen)
	if len(t.shown) == len(t.clients().mapping.Rows()) {
		return 0
	}
	for _, i := range t.shown {
		if t.chosen[i] {
			n--
		}
	}
	return n
}
