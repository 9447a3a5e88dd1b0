package ui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// permissions is the screen where every permission is chosen or left out.
type permissions struct {
	w    *wizard
	keys permissionsKeys

	sel    steps.Selection
	meter  steps.Meter
	groups []permGroup
	rows   []permRow // of the list, headings included
	list   *picker
	filter field

	pending  *removal             // waits for a second press
	proposal []catalog.Permission // what Shorten would leave out
	enough   bool                 // whether that is enough
	after    steps.Meter          // what the meters would say then
	scroll   scroller             // through the proposal
	extras   []extra              // entries the catalogue does not know
}

// permGroup is an API with its permissions.
type permGroup struct {
	title      string
	on, of     int
	extraGroup bool
}

// permRow is a permission name with the kinds it has, or a group's heading.
type permRow struct {
	group int
	head  bool
	name  string
	kinds map[catalog.Kind]catalog.Permission
	extra int // index into extras, -1 for a permission of the catalogue
}

type extra struct {
	entry steps.Entry
	on    bool
}

// removal is a recommended permission about to be left out.
type removal struct {
	key   string
	kinds []catalog.Kind
	row   int
}

type permissionsKeys struct {
	Next                                 key.Binding
	Toggle, Fold, Delegated, Application key.Binding
	Minimum, Recommended, Stock          key.Binding
	ReadOnly, Shorten, Filter            key.Binding
	Collapse, Expand                     key.Binding
	Accept, Done                         key.Binding
	move                                 moveKeys
}

func (k *permissionsKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Accept, k.Done, k.Shorten, k.Next, k.Toggle, k.Fold, k.Filter, k.Recommended, k.Stock}
}

func (k *permissionsKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{
		{k.Accept, k.Done, k.Next, k.Toggle, k.Fold, k.Delegated, k.Application, k.Filter},
		{k.Minimum, k.Recommended, k.Stock, k.ReadOnly, k.Shorten, k.Collapse, k.Expand},
		k.move.all(),
	}
}

func newPermissions(w *wizard) Screen {
	s := &permissions{
		w: w, list: newPicker(nil), filter: newField("", "type part of a name, an API or a use"),
		keys: permissionsKeys{
			Next:        bind("enter", "continue", "enter"),
			Toggle:      bind("space", "choose", "space"),
			Fold:        bind("space", "close or open", "space"),
			Delegated:   bind("d", "delegated only", "d"),
			Application: bind("a", "application only", "a"),
			Minimum:     bind("m/c", "clear to the minimum", "m", "c"),
			Recommended: bind("r", "recommended", "r"),
			Stock:       bind("s", "all stock", "s"),
			ReadOnly:    bind("o", "read only", "o"),
			Shorten:     bind("x", "shorten", "x"),
			Filter:      bind("/", "find", "/"),
			Collapse:    bind("←", "close the group", "left", "h"),
			Expand:      bind("→", "open the group", "right", "l"),
			Accept:      bind("enter", "leave these out", "enter"),
			Done:        bind("enter", "to the list", "enter"),
			move:        newMoveKeys(),
		},
	}
	sel, bad := steps.Select(w.answers)
	s.sel = sel
	for _, e := range sel.Extra() {
		s.extras = append(s.extras, extra{e, true})
	}
	if len(bad) > 0 {
		w.say("!", "Left out, because it cannot be used: "+bad[0].Text)
	}
	s.build()
	s.recount()
	s.settle()
	return s
}

// build lays the rows out: a heading for each API, then a row for each name.
func (s *permissions) build() {
	var rows []row
	at := map[string]int{}
	add := func(r permRow, search string) {
		s.rows = append(s.rows, r)
		rows = append(rows, row{group: r.group, head: r.head, search: search})
	}
	for _, res := range catalog.Resources() {
		g := len(s.groups)
		for _, p := range s.sel.Available() {
			if p.Resource != res.AppID {
				continue
			}
			if len(s.groups) == g {
				s.groups = append(s.groups, permGroup{title: res.Name})
				add(permRow{group: g, head: true, extra: -1}, "")
			}
			id := res.AppID + "/" + p.Name
			if i, ok := at[id]; ok {
				s.rows[i].kinds[p.Kind] = p
				continue
			}
			at[id] = len(s.rows)
			add(permRow{group: g, name: p.Name, extra: -1, kinds: map[catalog.Kind]catalog.Permission{p.Kind: p}},
				strings.ToLower(p.Name+" "+res.Name+" "+p.UsedFor+" "+p.Tier.String()))
		}
	}
	if len(s.extras) > 0 {
		g := len(s.groups)
		s.groups = append(s.groups, permGroup{title: "Added by you, not in the catalogue", extraGroup: true})
		add(permRow{group: g, head: true, extra: -1}, "")
		for i, e := range s.extras {
			add(permRow{group: g, name: e.entry.String(), extra: i}, strings.ToLower(e.entry.String()))
		}
	}
	s.list.SetRows(rows)
	s.list.Move(1)
}

// recount works out everything that follows from the selection and keeps it in
// the answers.
func (s *permissions) recount() {
	s.meter = s.sel.Meter()
	for i := range s.groups {
		s.groups[i].on, s.groups[i].of = 0, 0
	}
	for _, r := range s.rows {
		g := &s.groups[r.group]
		for _, p := range r.kinds {
			g.of++
			if s.sel.Has(p) {
				g.on++
			}
		}
		if r.extra >= 0 {
			g.of++
			if s.extras[r.extra].on {
				g.on++
			}
		}
	}
	a := s.w.answers.Clone()
	a.Permissions = s.sel.Answers()
	s.w.setAnswers(a)
}

// settle enables the keys that do something just now.
func (s *permissions) settle() {
	k := &s.keys
	list := s.proposal == nil && !s.filter.Focused()
	at := s.list.Current()
	onRow := list && at >= 0 && !s.rows[at].head
	k.Accept.SetEnabled(s.proposal != nil)
	k.Done.SetEnabled(s.filter.Focused())
	k.Toggle.SetEnabled(onRow)
	k.Fold.SetEnabled(list && at >= 0 && s.rows[at].head)
	k.Delegated.SetEnabled(onRow && s.has(at, catalog.Delegated))
	k.Application.SetEnabled(onRow && s.has(at, catalog.Application))
	for _, b := range []*key.Binding{&k.Next, &k.Minimum, &k.Recommended, &k.Stock, &k.ReadOnly, &k.Filter, &k.Collapse, &k.Expand} {
		b.SetEnabled(list)
	}
	k.Shorten.SetEnabled(list && !s.meter.Fits())
}

func (s *permissions) has(i int, kind catalog.Kind) bool {
	_, ok := s.rows[i].kinds[kind]
	return ok
}

func (s *permissions) Init() tea.Cmd { return nil }

func (s *permissions) Update(msg tea.Msg) tea.Cmd {
	press, ok := msg.(tea.KeyPressMsg)
	switch {
	case s.filter.Focused():
		s.find(msg)
	case !ok:
	case s.proposal != nil:
		s.propose(press)
	default:
		s.press(press)
	}
	s.settle()
	return nil
}

// find edits the filter; keys that print nothing still move the list.
func (s *permissions) find(msg tea.Msg) {
	press, ok := msg.(tea.KeyPressMsg)
	switch {
	case ok && pressed(press, &s.keys.Done):
		s.filter.Blur()
	case ok && press.Text == "" && s.list.Update(press, s.keys.move):
	default:
		s.filter.Update(msg)
		s.list.Filter(s.filter.Value())
	}
}

func (s *permissions) press(press tea.KeyPressMsg) {
	pending := s.pending
	s.pending = nil
	k := s.keys
	switch {
	case s.list.Update(press, k.move):
	case pressed(press, &k.Fold):
		s.list.Collapse(!s.list.Collapsed(s.rows[s.list.Current()].group))
	case pressed(press, &k.Toggle):
		s.toggle(press.String(), []catalog.Kind{catalog.Delegated, catalog.Application}, pending)
	case pressed(press, &k.Delegated):
		s.toggle(press.String(), []catalog.Kind{catalog.Delegated}, pending)
	case pressed(press, &k.Application):
		s.toggle(press.String(), []catalog.Kind{catalog.Application}, pending)
	case pressed(press, &k.Minimum):
		s.base(catalog.Minimum)
	case pressed(press, &k.Recommended):
		s.base(catalog.Recommended)
	case pressed(press, &k.Stock):
		s.base(catalog.Stock)
	case pressed(press, &k.ReadOnly):
		s.readOnly()
	case pressed(press, &k.Shorten):
		s.shorten()
	case pressed(press, &k.Filter):
		s.filter.Focus()
	case pressed(press, &k.Collapse):
		s.list.Collapse(true)
	case pressed(press, &k.Expand):
		s.list.Collapse(false)
	case pressed(press, &k.Next):
		s.next()
	}
}

// base starts over from a tier.
func (s *permissions) base(tier catalog.Tier) {
	text := map[catalog.Tier]string{
		catalog.Minimum:     "Only what is required is chosen. ",
		catalog.Recommended: "Required and recommended permissions are chosen.",
		catalog.Stock:       "Everything Rewst preselects is chosen.",
	}[tier]
	s.sel.SetBase(tier)
	for i := range s.extras {
		s.extras[i].on = false
	}
	s.recount()
	s.w.say("•", strings.TrimSpace(text+s.broken()))
}

func (s *permissions) readOnly() {
	s.sel.ReadOnly()
	s.recount()
	s.w.say("•", strings.TrimSpace("Permissions that can change something are left out, except required ones. "+s.broken()))
}

// broken warns of recommended permissions that are left out.
func (s *permissions) broken() string {
	n := 0
	for _, p := range s.sel.Available() {
		if p.Tier == catalog.Recommended && !s.sel.Has(p) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("Without %s Rewst's own check refuses the app.", count(n, "recommended one", "recommended ones"))
}

// toggle chooses the kinds of the row under the cursor, or leaves them out when
// all of them are chosen.
func (s *permissions) toggle(pressed string, kinds []catalog.Kind, pending *removal) {
	at := s.list.Current()
	r := s.rows[at]
	if r.extra >= 0 {
		s.toggleExtra(r.extra)
		return
	}
	all := true
	for _, kind := range kinds {
		if p, ok := r.kinds[kind]; ok && !s.sel.Has(p) {
			all = false
		}
	}
	if all && s.loses(r, kinds) && (pending == nil || pending.row != at || pending.key != pressed) {
		s.pending = &removal{pressed, kinds, at}
		return
	}
	s.set(r, kinds, !all)
}

// set chooses the kinds of a row or leaves them out, except what is required.
func (s *permissions) set(r permRow, kinds []catalog.Kind, on bool) {
	stays := false
	for _, kind := range kinds {
		if p, ok := r.kinds[kind]; ok && !s.sel.Set(p, on) {
			stays = true
		}
	}
	if stays {
		s.w.say("•", r.name+" is required. "+steps.Loss(catalog.Permission{Tier: catalog.Minimum}))
	}
	s.recount()
}

// loses tells whether leaving the kinds out breaks what the vendor relies on.
func (s *permissions) loses(r permRow, kinds []catalog.Kind) bool {
	for _, kind := range kinds {
		if p, ok := r.kinds[kind]; ok && p.Tier == catalog.Recommended {
			return true
		}
	}
	return false
}

func (s *permissions) toggleExtra(i int) {
	s.extras[i].on = !s.extras[i].on
	a := s.w.answers.Clone()
	a.Permissions = s.sel.Answers()
	text := s.extras[i].entry.String()
	a.Permissions.Add = slices.DeleteFunc(a.Permissions.Add, func(e string) bool { return e == text })
	if s.extras[i].on {
		a.Permissions.Add = append(a.Permissions.Add, text)
	}
	s.sel, _ = steps.Select(a)
	s.recount()
}

func (s *permissions) shorten() {
	s.proposal, s.enough = s.sel.Shorten()
	if len(s.proposal) == 0 {
		s.proposal = nil
		s.w.say("!", "Nothing can go without loss: no chosen permission is covered by another. Leave out what Rewst is not to use.")
		return
	}
	trial := s.sel.Clone()
	for _, p := range s.proposal {
		trial.Set(p, false)
	}
	s.after, s.scroll = trial.Meter(), scroller{}
}

func (s *permissions) propose(press tea.KeyPressMsg) {
	switch {
	case pressed(press, &s.keys.Accept):
		s.accept()
	default:
		s.scroll.Update(press, s.keys.move)
	}
}

// accept leaves out what was proposed.
func (s *permissions) accept() {
	for _, p := range s.proposal {
		s.sel.Set(p, false)
	}
	n := len(s.proposal)
	s.proposal = nil
	s.recount()
	s.w.say("✓", "Left out "+count(n, "permission", "permissions")+" that others cover.")
}

func (s *permissions) next() {
	if over := s.over(); over != "" {
		if s.meter.Total <= catalog.ManifestPermissionLimit {
			over += " Press x to see what can go without loss."
		}
		s.w.say("✗", over)
		return
	}
	s.w.open(pageAuthorize)
}

// over says which limit is broken and what to do; empty when all are kept.
func (s *permissions) over() string {
	m := s.meter
	switch {
	case m.Total > catalog.ManifestPermissionLimit:
		return fmt.Sprintf("%s too many for one app. Leave out what Rewst is not to use.",
			count(m.Total-catalog.ManifestPermissionLimit, "permission", "permissions"))
	case m.Chars > catalog.ScopeCharLimit:
		return fmt.Sprintf("The delegated scope string is %s too long for Microsoft Graph.",
			count(m.Chars-catalog.ScopeCharLimit, "character", "characters"))
	case m.Bytes > catalog.ScopeByteLimit:
		return fmt.Sprintf("The delegated scope string is %s too long for the sign-in.",
			count(m.Bytes-catalog.ScopeByteLimit, "byte", "bytes"))
	}
	return ""
}

func (s *permissions) typing() bool { return s.filter.Focused() }

func (s *permissions) closes() bool {
	return s.filter.Focused() || s.proposal != nil || s.list.filter != "" || s.pending != nil
}

func (s *permissions) escape() {
	switch {
	case s.proposal != nil:
		s.proposal = nil
	case s.pending != nil:
		s.pending = nil
	default:
		s.filter.Set("")
		s.filter.Blur()
		s.list.Filter("")
	}
	s.settle()
}

func (s *permissions) Keys() help.KeyMap { return &s.keys }
func (s *permissions) Close()            {}

// baseName says in words which selection is the base.
func baseName(p state.Permissions) string {
	text := map[string]string{
		"minimum": "Minimum", "recommended": "Recommended", "stock": "All stock",
	}[p.Base]
	if len(p.Add) > 0 {
		text += fmt.Sprintf(", %d added", len(p.Add))
	}
	if len(p.Remove) > 0 {
		text += fmt.Sprintf(", %d left out", len(p.Remove))
	}
	return text
}
