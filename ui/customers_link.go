package ui

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// linker has organisations chosen for a customer.
type linker struct {
	s    *customers
	at   int
	was  steps.Choice
	keys linkKeys
	find field
	list *picker
	rows []int // organisations shown; -1 is the one that is typed
}

type linkKeys struct {
	Choose, More key.Binding
	move         moveKeys
}

func newLinker(s *customers, at int) *linker {
	l := &linker{
		s: s, at: at, was: s.w.clients.mapping.Choice(at), find: newField("", "type a part of its name, or a new one"), list: newPicker(nil),
		keys: linkKeys{Choose: bind("enter", "choose it", "enter"), More: bind("tab", "choose or leave, and stay", "tab"), move: newMoveKeys()},
	}
	l.find.Focus()
	l.filter()
	return l
}

// filter lists what matches: those it has first, then what is suggested, then the
// others by name, last the one that is typed when it is a new one.
func (l *linker) filter() {
	c := l.s.w.clients
	m, r := c.mapping, c.row(l.at)
	order, names := c.organizations()
	typed := l.find.Value()
	text, exact := strings.ToLower(typed), false
	l.rows = l.rows[:0]
	first := map[int]bool{}
	add := func(n int) {
		if n < len(names) && !first[n] && strings.Contains(names[n], text) {
			first[n] = true
			l.rows = append(l.rows, n)
		}
	}
	for _, n := range r.Organizations {
		add(n)
	}
	if s := r.Suggested; s != nil {
		add(s.Organization)
		for _, n := range s.Also {
			add(n)
		}
	}
	head := len(l.rows)
	for _, n := range order {
		if !strings.Contains(names[n], text) {
			continue
		}
		exact = exact || names[n] == text
		if head == 0 || !first[n] {
			l.rows = append(l.rows, n)
		}
	}
	for _, n := range l.rows[:head] {
		exact = exact || strings.EqualFold(m.Organizations()[n].Name, typed)
	}
	if typed != "" && !exact {
		l.rows = append(l.rows, -1)
	}
	l.list.SetRows(make([]row, len(l.rows)))
	l.list.cursor = 0
}

func (l *linker) Keys() help.KeyMap { return keyList{l.keys.Choose, l.keys.More} }
func (l *linker) typing() bool      { return true }

func (l *linker) paste(msg tea.PasteMsg) {
	l.find.Update(msg)
	l.filter()
}

// escape empties the text before the list is closed.
func (l *linker) escape() bool {
	if l.find.Value() == "" {
		return true
	}
	l.find.Set("")
	l.filter()
	return false
}

func (l *linker) press(msg tea.KeyPressMsg) tea.Cmd {
	switch {
	case pressed(msg, &l.keys.Choose):
		return l.choose(false)
	case pressed(msg, &l.keys.More):
		return l.choose(true)
	case msg.Text != "" || !l.list.Update(msg, l.keys.move):
		was := l.find.Value()
		if l.find.Update(msg); l.find.Value() != was {
			l.filter()
		}
	}
	return nil
}

// choose links what is under the cursor. When the person stays it is left again
// where it is linked already.
func (l *linker) choose(stay bool) tea.Cmd {
	at := l.list.Current()
	if at < 0 {
		return nil
	}
	c, n := l.s.w.clients, l.rows[at]
	if n < 0 {
		var err error
		if n, err = c.mapping.Add(state.Organization{Name: l.find.Value()}); err != nil {
			l.s.w.say("✗", sentence(err.Error()))
			return nil
		}
		c.order = nil
	}
	c.last = &edit{at: l.at, was: l.was}
	if stay && c.has(l.at, n) {
		c.mapping.Unlink(l.at, n)
	} else {
		if !stay && !c.row(l.at).ByHand { // in place of what nobody chose
			c.mapping.Forget(l.at)
		}
		c.mapping.Link(l.at, n)
	}
	if !stay {
		l.s.pop()
		return l.s.table.onward(l.at)
	}
	if l.rows[at] < 0 {
		l.find.Set("")
		l.filter()
	}
	if errs := c.mapping.Errors(l.at); len(errs) > 0 {
		l.s.w.say("✗", sentence(errs[0]))
	}
	return c.edited()
}

// has tells whether a customer is linked to an organisation.
func (c *clients) has(row, organization int) bool {
	return slices.Contains(c.row(row).Organizations, organization)
}

func (l *linker) View(f Frame) []string {
	t, c := f.Theme, l.s.w.clients
	m, r := c.mapping, c.row(l.at)
	lines := []string{t.Title.Render(clip("Which organisation in Rewst is "+shownName(r.Customer)+"?", f.Width))}
	about := strings.TrimSpace(r.Domain + "  " + r.TenantID)
	lines = append(lines, t.Muted.Render(clip(about, f.Width)))
	lines = append(lines, t.lines(t.Muted, "One organisation has one customer. A customer may serve several organisations: tab chooses more than one.", f.Width)...)
	lines = append(lines, "", t.Key.Render("› ")+l.find.View(t, f.Width-2), "")
	if len(l.rows) == 0 {
		text := "No organisations are known yet. Type the name of one, or give the file with esc and o."
		return append(lines, t.lines(t.Muted, text, f.Width)...)
	}
	return append(lines, f.sized(f.Width, f.Height-len(lines)).list(l.list, func(n int, current bool, w int) string {
		o := l.rows[n]
		if o < 0 {
			return t.cursorAt(current) + t.Accent.Render("+   ") + t.row(clip("a new organisation: "+l.find.Value(), w-6), current)
		}
		right := ""
		switch s := r.Suggested; {
		case m.Missing(o):
			right = "not in the list any more"
		case s != nil && (s.Organization == o || slices.Contains(s.Also, o)):
			right = fmt.Sprintf("suggested, %d %%: %s", int(s.Confidence*100), s.Reason)
		}
		for _, u := range m.Users(o) {
			if int(u) != l.at {
				right = "has " + shownName(c.row(int(u)).Customer)
				break
			}
		}
		right = clip(right, w*45/100)
		return ends(t.cursorAt(current)+t.tick(c.has(l.at, o))+" "+t.row(clip(m.Organizations()[o].Name, w-8-len([]rune(right))), current), t.Muted.Render(right), w)
	})...)
}

// rowFilter chooses customers by how they stand.
type rowFilter struct {
	name   string // empty for all
	states []steps.RowState
	shades []steps.Shade
	of     func(*clients) []int // in their order; nil when the others say it
}

var rowFilterList = []rowFilter{
	{},
	{name: "without an organisation", states: []steps.RowState{steps.RowOpen}},
	{name: "suggested", states: []steps.RowState{steps.RowSuggested, steps.RowCertain}},
	{name: "wrong in the mapping", states: []steps.RowState{steps.RowShared, steps.RowMissing}},
	{name: "linked", states: []steps.RowState{steps.RowLinked}},
	{name: "to have none", states: []steps.RowState{steps.RowDeclined}},
	{name: "green", shades: []steps.Shade{steps.Green}},
	{name: "amber", shades: []steps.Shade{steps.Amber}},
	{name: "blue", shades: []steps.Shade{steps.Blue}},
	{name: "red", shades: []steps.Shade{steps.Red}},
	{name: "not looked at", shades: []steps.Shade{steps.Unseen}},
	{name: "with something left alone", of: (*clients).noted},
	{name: "failed", of: (*clients).broken},
}

// count is how many customers a filter lets through.
func (p rowFilter) count(c *clients) int {
	n := 0
	for _, s := range p.states {
		n += c.mapping.Count(s)
	}
	for _, s := range p.shades {
		n += c.shades[s]
	}
	switch {
	case p.of != nil:
		return len(p.of(c))
	case p.name == "":
		return len(c.mapping.Rows())
	}
	return n
}

// rowFilters has one of the filters chosen.
type rowFilters struct {
	still
	t      *clientTable
	list   *picker
	counts []int
	keys   linkKeys
}

func newRowFilters(t *clientTable) *rowFilters {
	v := &rowFilters{t: t, list: newPicker(make([]row, len(rowFilterList))), keys: linkKeys{Choose: bind("enter", "show these", "enter"), move: newMoveKeys()}}
	for n, p := range rowFilterList {
		v.counts = append(v.counts, p.count(t.clients()))
		if p.name == t.pass.name {
			v.list.cursor = n
		}
	}
	return v
}

func (v *rowFilters) Keys() help.KeyMap { return keyList{v.keys.Choose} }

func (v *rowFilters) press(msg tea.KeyPressMsg) tea.Cmd {
	if pressed(msg, &v.keys.Choose) {
		v.t.pass = rowFilterList[v.list.Current()]
		v.t.filter()
		v.t.list.cursor = 0
		v.t.s.pop()
		return nil
	}
	v.list.Update(msg, v.keys.move)
	return nil
}

func (v *rowFilters) View(f Frame) []string {
	t := f.Theme
	lines := []string{t.Title.Render("Which customers are shown?"), ""}
	return append(lines, f.sized(f.Width, f.Height-len(lines)).list(v.list, func(i int, current bool, w int) string {
		return ends(t.cursorAt(current)+t.row(name(rowFilterList[i].name, "all"), current), t.Muted.Render(number(v.counts[i])), min(w, 40))
	})...)
}

// asking has one line of text typed.
type asking struct {
	s     *customers
	label string
	text  field
	keys  linkKeys
	then  func(string) tea.Cmd
}

func newAsking(s *customers, label, value, hint string, then func(string) tea.Cmd) *asking {
	a := &asking{s: s, label: label, text: newField(value, hint), then: then, keys: linkKeys{Choose: bind("enter", "go on", "enter")}}
	a.text.Focus()
	return a
}

func (a *asking) Keys() help.KeyMap      { return keyList{a.keys.Choose} }
func (a *asking) typing() bool           { return true }
func (a *asking) paste(msg tea.PasteMsg) { a.text.Update(msg) }
func (a *asking) escape() bool           { return true }

func (a *asking) press(msg tea.KeyPressMsg) tea.Cmd {
	if !pressed(msg, &a.keys.Choose) {
		a.text.Update(msg)
		return nil
	}
	if a.text.Value() == "" {
		a.s.w.say("✗", "Type something, or press esc.")
		return nil
	}
	a.s.pop()
	return a.then(a.text.Value())
}

func (a *asking) View(f Frame) []string {
	lines := a.s.table.View(f.sized(f.Width, f.Height-2))
	return append(exactly(lines, f.Height-2), f.Theme.Muted.Render(strings.Repeat("─", f.Width)), f.Theme.Key.Render(a.label)+a.text.View(f.Theme, f.Width-len([]rune(a.label))))
}

// listedMsg brings another list of organisations.
type listedMsg struct {
	run
	file    string
	list    []state.Organization
	edits   int // of the mapping when it was asked for
	mapping *steps.Mapping
	linked  []int
	taken   *steps.Taken // of a mapping; nil when it was a list
	back    bool         // it is the list before, as it was asked for
	err     error
}

// listBefore is what organisations there were before others came.
type listBefore struct {
	list []state.Organization
	file string
	asIs bool
}

// list takes the organisations of a file, in place of those there were.
func (s *customers) list(file string) tea.Cmd {
	return s.w.listFrom(s.run, file)
}

// listFrom sets the customers against the organisations of a file.
func (w *wizard) listFrom(n run, file string) tea.Cmd {
	c, a := w.clients, w.asked()
	c.file, file = file, wholePath(file)
	a.Customers.Mapping = file
	rows, kept, edits, before := c.mapping.Rows(), c.mapping.Kept(), c.edits, c.list
	rows = append([]steps.CustomerRow(nil), rows...)
	return func() tea.Msg {
		if state.IsMapping(file) {
			m, _ := matched(rows, before, kept)
			got, err := m.TakeFile(file)
			return listedMsg{run: n, file: file, edits: edits, mapping: m, taken: &got, err: err}
		}
		list, err := steps.ListedOrganizations(a)
		if _, none := os.Stat(file); errors.Is(none, fs.ErrNotExist) {
			err = &steps.Problem{What: "there is no file " + file}
		}
		if err != nil {
			return listedMsg{run: n, file: file, err: err}
		}
		m, linked := matched(rows, list, kept)
		return listedMsg{run: n, file: file, list: list, edits: edits, mapping: m, linked: linked}
	}
}

// unlist goes back to the organisations there were before: links by hand stay, others
// are as they were.
func (w *wizard) unlist(n run) tea.Cmd {
	c := w.clients
	c.unlinkCertain()
	rows, kept, edits, before := slices.Clone(c.mapping.Rows()), c.mapping.Kept(), c.edits, c.before
	return func() tea.Msg {
		return listedMsg{run: n, file: before.file, list: before.list, edits: edits, mapping: steps.MatchCustomers(rows, before.list, kept), back: true}
	}
}

func (s *customers) listed(msg listedMsg) tea.Cmd {
	cmd := tea.Batch(s.w.tookList(msg), s.w.saveAnswers())
	if s.table != nil {
		s.table.filter()
	}
	return cmd
}

// tookList takes the organisations of a file over, and says so.
func (w *wizard) tookList(msg listedMsg) tea.Cmd {
	c := w.clients
	switch {
	case msg.err != nil:
		w.say("✗", sentence(problemOf(msg.err).Error()))
	case c == nil:
	case c.edits != msg.edits:
		w.say("!", "The mapping was edited meanwhile, so the file was not taken. Give it again.")
	case msg.taken != nil:
		before := &edit{file: c.mapping, linked: c.linked, asIs: c.asIs}
		c.asIs = false
		c.setMapping(msg.mapping, nil)
		c.last = before
		w.say("✓", msg.taken.Said()+" as the file says. "+sentence(steps.UpperFirst(mappingTally(c.mapping)))+" z takes the file back.")
		return c.edited()
	default:
		before := &listBefore{c.list, w.customersAnswers().Mapping, c.asIs}
		lost := msg.mapping.Count(steps.RowMissing) - c.mapping.Count(steps.RowMissing)
		c.asIs = msg.back && c.before.asIs
		c.list, c.before = msg.list, nil
		c.setMapping(msg.mapping, msg.linked)
		w.setCustomers(func(x *state.Customers) { x.Mapping = msg.file })
		read := count(len(msg.list), "organisation", "organisations") + " read"
		switch {
		case msg.back:
			c.file = msg.file
			w.say("•", "The list is the one before, and the links are as before: "+mappingTally(c.mapping)+".")
		case lost > 0:
			c.before = before
			w.say("!", read+", and what "+count(lost, "customer is", "customers are")+" linked to is not among them. These links are kept, and wrong by this list. z takes the list back.")
		default:
			return w.tellLinked(read + ". ")
		}
		return c.edited()
	}
	return nil
}

// wholePath is a path as a person types it, from where the program was started, so
// that it holds from elsewhere, too.
func wholePath(path string) string {
	if rest, home := strings.CutPrefix(path, "~/"); home {
		if dir, err := os.UserHomeDir(); err == nil {
			return filepath.Join(dir, rest)
		}
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// tellLinked says, after something else, who was linked just now, and has that kept.
func (w *wizard) tellLinked(before string) tea.Cmd {
	c := w.clients
	switch {
	case len(c.linked) > 0:
		w.say("✓", before+c.linkedText()+"z takes that back.")
		return c.edited()
	case before != "":
		w.say("✓", before+sentence(steps.UpperFirst(mappingTally(c.mapping))))
	}
	return nil
}

// mappingDir is where the mapping is exported to unless another folder is named.
func (w *wizard) mappingDir() string {
	if w.fleeting() { // what is kept there is gone with the program
		return "mapping"
	}
	return w.cfg.Setup.MappingDir()
}

// export writes the mapping into a folder. It takes a while with many customers,
// but nothing may change meanwhile, so it is not done in the background.
func (s *customers) export(dir string) tea.Cmd {
	s.w.exportMapping(dir)
	return nil
}

func (w *wizard) exportMapping(dir string) {
	paths, err := w.cfg.Setup.ExportMapping(w.clients.mapping, dir)
	if err != nil {
		w.say("✗", sentence(problemOf(err).Error()))
		return
	}
	for n := range paths {
		paths[n] = filepath.Base(paths[n])
	}
	w.say("✓", strings.Join(paths, ", ")+" are in "+dir+". "+w.clients.mapping.Lacking())
}

// openRewst opens Rewst where its shields are.
func (w *wizard) openRewst() tea.Cmd {
	url := w.rewst()
	w.say("•", "Asked the browser to open "+url+". The shields stand under Marketplace, Integrations, Microsoft Cloud Bundle.")
	return w.openURL(url)
}
