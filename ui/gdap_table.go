package ui

import (
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// customerTable shows the tenant's customers, to be looked at or chosen from.
type customerTable struct {
	w      *wizard
	keys   tableKeys
	views  []steps.CustomerView
	list   *picker
	filter field

	state, proposal int // the widest there are
}

type tableKeys struct {
	Tick, All, None key.Binding
	Find, Done      key.Binding
	move            moveKeys
}

func newTableKeys() tableKeys {
	return tableKeys{
		Tick: bind("space", "take or leave", "space"),
		All:  bind("a", "all shown", "a"),
		None: bind("u", "none shown", "u"),
		Find: bind("/", "filter", "/"),
		Done: bind("enter", "done", "enter"),
		move: newMoveKeys(),
	}
}

func (k *tableKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Tick, k.Find, k.Done, k.All, k.None}
}

func (k *tableKeys) FullHelp() [][]key.Binding { return [][]key.Binding{k.ShortHelp(), k.move.all()} }

func newCustomerTable(w *wizard, views []steps.CustomerView) *customerTable {
	t := &customerTable{w: w, keys: newTableKeys(), views: views, filter: newField("", "part of a name, a domain or a state")}
	rows := make([]row, len(views))
	for i, v := range views {
		rows[i].search = strings.ToLower(strings.Join([]string{v.Customer.Name, v.Domain, v.TenantID, v.State, v.Proposal, tallied[v.Status]}, "\n"))
		t.state, t.proposal = max(t.state, ansi.StringWidth(v.State)+1), max(t.proposal, ansi.StringWidth(v.Proposal))
	}
	t.list = newPicker(rows)
	t.settle()
	return t
}

func (t *customerTable) settle() {
	g, free := t.w.gdap(), !t.typing()
	picks := free && !g.All && g.File == ""
	t.keys.Tick.SetEnabled(picks)
	t.keys.All.SetEnabled(picks)
	t.keys.None.SetEnabled(picks)
	t.keys.Find.SetEnabled(free)
}

func (t *customerTable) Keys() help.KeyMap { return &t.keys }

func (t *customerTable) typing() bool { return t.filter.Focused() }

func (t *customerTable) paste(msg tea.PasteMsg) { t.find(msg) }

func (t *customerTable) find(msg tea.Msg) {
	if t.typing() {
		t.filter.Update(msg)
		t.list.Filter(t.filter.Value())
	}
}

// escape closes the filter before the table.
func (t *customerTable) escape() bool {
	defer t.settle()
	done := !t.typing() && t.list.filter == ""
	t.filter.Set("")
	t.filter.Blur()
	t.list.Filter("")
	return done
}

// shown are the customers that pass the filter.
func (t *customerTable) shown() []steps.Customer {
	out := make([]steps.Customer, len(t.list.visible))
	for n, i := range t.list.visible {
		out[n] = t.views[i].Customer
	}
	return out
}

func (t *customerTable) press(msg tea.KeyPressMsg) bool {
	defer t.settle()
	k, at := t.keys, t.list.Current()
	switch {
	case t.typing() && pressed(msg, &k.Done):
		t.filter.Blur()
	case t.typing():
		if msg.Text != "" || !t.list.Update(msg, k.move) {
			t.find(msg)
		}
	case pressed(msg, &k.Done):
		return true
	case pressed(msg, &k.Find):
		t.filter.Focus()
	case pressed(msg, &k.Tick) && at >= 0:
		c := t.views[at].Customer
		t.w.pickCustomers(!picks(t.w.gdap(), c), c)
	case pressed(msg, &k.All):
		t.w.pickCustomers(true, t.shown()...)
	case pressed(msg, &k.None):
		t.w.pickCustomers(false, t.shown()...)
	default:
		t.list.Update(msg, k.move)
	}
	return false
}

// glyph is a customer's state at a glance; the words beside it say the same.
func (t *Theme) glyph(c steps.CheckState, chosen bool) string {
	switch {
	case !chosen:
		return t.Muted.Render("·")
	case c == steps.Passed:
		return t.Good.Render("✓")
	case c == steps.Warned:
		return t.Warn.Render("!")
	case c == steps.Failed: // nothing has gone wrong: the customer is to be asked
		return t.Accent.Render("+")
	}
	return t.Accent.Render("…")
}

func (t *customerTable) View(f Frame) []string {
	th, g := f.Theme, t.w.gdap()
	about := customerTally(g, t.views) + "."
	if g.All {
		about += " All are taken: choose \"Chosen ones\" to leave some out."
	} else if g.File != "" {
		about += " They come from the file " + g.File + "."
	}
	head := th.lines(th.Plain, about, f.Width)
	if t.filter.Focused() || t.list.filter != "" {
		head = append(head, th.Key.Render("/ ")+t.filter.View(th, f.Width-2))
	}
	rest := f.sized(f.Width, f.Height-len(head))
	rows := min(7, rest.Height*2/5)
	top := rest.sized(rest.Width, rest.Height-rows-1)
	lines := append(head, exactly(t.table(top, g), top.Height)...)
	lines = append(lines, th.Muted.Render(strings.Repeat("─", f.Width)))
	return append(lines, exactly(t.details(rest.sized(rest.Width, rows)), rows)...)
}

// columns are the widths of the table's columns. What is long in the middle ones
// takes room from the names, which the details have whole.
func (t *customerTable) columns(f Frame) (name, domain, state, proposal int) {
	w := f.Width - 2 - 8 // cursor, box, glyph
	if f.Width >= wide {
		domain = w * 20 / 100
	}
	least := w * 27 / 100
	proposal = min(max(t.proposal, len("not chosen")), w*32/100)
	state = min(max(t.state, len("Relationship")+1), w-domain-least-proposal)
	proposal = min(max(t.proposal, proposal), w-domain-least-state)
	return w - domain - state - proposal, domain, state, proposal
}

func (t *customerTable) table(f Frame, g state.GDAP) []string {
	th := f.Theme
	name, domain, state, proposal := t.columns(f)
	line := func(lead, a, b, c, d string) string {
		return lead + pad(clip(a, name-1), name) + pad(clip(b, domain-1), domain) + pad(clip(c, state-1), state) + clip(d, proposal)
	}
	chosen := choiceOfCustomers(g)
	head := th.Muted.Render(line(strings.Repeat(" ", 8), "Customer", "Domain", "Relationship", "Proposed"))
	if len(t.list.visible) == 0 {
		return []string{head, "", th.Muted.Render("        No customer matches. esc shows all.")}
	}
	return append([]string{head}, f.sized(f.Width, f.Height-1).list(t.list, func(i int, current bool, _ int) string {
		v, proposal := t.views[i], "not chosen"
		on := chosen.has(v.Customer)
		if on {
			proposal = v.Proposal
		}
		lead := th.cursorAt(current) + th.tick(on) + " " + th.glyph(v.Status, on) + " "
		text := line("", shownName(v.Customer), v.Domain, v.State, proposal)
		return lead + th.row(text, current)
	})...)
}

// shownName is what a customer is called; its domain or id when it has no name.
func shownName(c steps.Customer) string { return name(c.Name, name(c.Domain, c.TenantID)) }

func (t *customerTable) details(f Frame) []string {
	at := t.list.Current()
	if at < 0 {
		return nil
	}
	v := t.views[at]
	lines := f.Theme.lines(f.Theme.Strong, shownName(v.Customer)+"  "+v.Domain, f.Width)
	lines = append(lines, f.labelled("Tenant", v.TenantID, 14)...)
	state := v.State
	if v.Name != "" {
		state = v.Name + ": " + state
	}
	proposal := v.Proposal
	if v.NewName != "" {
		proposal += ": " + v.NewName
	}
	lines = append(lines, f.labelled("Relationship", state, 14)...)
	label := "Proposed"
	if !picks(t.w.gdap(), v.Customer) {
		label = "If chosen"
	}
	lines = append(lines, f.labelled(label, proposal, 14)...)
	if len(v.Lacks) > 0 {
		lines = append(lines, f.labelled("Lacks", strings.Join(v.Lacks, ", "), 14)...)
	}
	for n, text := range v.More {
		label := "Besides"
		if n > 0 {
			label = ""
		}
		lines = append(lines, f.labelled(label, text, 14)...)
	}
	return lines
}

// roleList has roles ticked.
type roleList struct {
	w    *wizard
	keys tableKeys
	list *picker
}

func newRoleList(w *wizard) *roleList {
	r := &roleList{w, newTableKeys(), newPicker(make([]row, len(catalog.ServiceRoles())))}
	for _, k := range []*key.Binding{&r.keys.All, &r.keys.None, &r.keys.Find} {
		k.SetEnabled(false)
	}
	return r
}

func (r *roleList) press(msg tea.KeyPressMsg) bool {
	switch {
	case pressed(msg, &r.keys.Done):
		return true
	case pressed(msg, &r.keys.Tick):
		r.w.turnRole(catalog.ServiceRoles()[r.list.Current()])
	default:
		r.list.Update(msg, r.keys.move)
	}
	return false
}

func (r *roleList) paste(tea.PasteMsg) {}
func (r *roleList) escape() bool       { return true }
func (r *roleList) typing() bool       { return false }
func (r *roleList) Keys() help.KeyMap  { return &r.keys }

const addLater = "Microsoft lets no role be added to a relationship: adding one later takes a new relationship, which the customer has to approve again."

func (r *roleList) View(f Frame) []string {
	t, g := f.Theme, r.w.gdap()
	head := t.lines(t.Plain, "Roles asked for: "+roleTally(g)+". "+addLater, f.Width)
	head = append(head, "")
	return append(head, f.sized(f.Width, f.Height-len(head)).list(r.list, func(i int, current bool, w int) string {
		role := catalog.ServiceRoles()[i]
		return t.cursorAt(current) + t.tick(hasRole(g, role)) + " " + t.row(clip(role.Name, w-6), current)
	})...)
}
