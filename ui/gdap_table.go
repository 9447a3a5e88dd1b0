package ui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// customerTable shows the tenant's customers, to be looked at or chosen from.
type customerTable struct {
	views  []steps.CustomerView
	list   *picker
	filter field
}

func newCustomerTable(views []steps.CustomerView) *customerTable {
	t := &customerTable{views: views, filter: newField("", "part of a name, a domain or a state")}
	rows := make([]row, len(views))
	for i, v := range views {
		rows[i].search = strings.ToLower(strings.Join([]string{v.Customer.Name, v.Domain, v.TenantID, v.State, v.Proposal}, "\n"))
	}
	t.list = newPicker(rows)
	return t
}

func (t *customerTable) edit(msg tea.Msg) {
	if t.filter.Focused() {
		t.filter.Update(msg)
		t.list.Filter(t.filter.Value())
	}
}

// unfilter shows all rows again; false when they were shown.
func (t *customerTable) unfilter() bool {
	if !t.filter.Focused() && t.list.filter == "" {
		return false
	}
	t.filter.Set("")
	t.filter.Blur()
	t.list.Filter("")
	return true
}

// shown are the customers that pass the filter.
func (t *customerTable) shown() []steps.Customer {
	out := make([]steps.Customer, len(t.list.visible))
	for n, i := range t.list.visible {
		out[n] = t.views[i].Customer
	}
	return out
}

func (s *gdap) pressTable(msg tea.KeyPressMsg) {
	t, k := s.customers, s.keys
	at := t.list.Current()
	switch {
	case t.filter.Focused() && key.Matches(msg, k.Done):
		t.filter.Blur()
	case t.filter.Focused():
		if msg.Text != "" || !t.list.Update(msg, k.move) {
			t.edit(msg)
		}
	case key.Matches(msg, k.Done):
		s.customers = nil
	case key.Matches(msg, k.Find):
		t.filter.Focus()
	case key.Matches(msg, k.Tick) && at >= 0:
		c := t.views[at].Customer
		s.w.pickCustomers(!picks(s.w.gdap(), c), c)
	case key.Matches(msg, k.All):
		s.w.pickCustomers(true, t.shown()...)
	case key.Matches(msg, k.None):
		s.w.pickCustomers(false, t.shown()...)
	default:
		t.list.Update(msg, k.move)
	}
}

// glyph is a customer's state at a glance; the words beside it say the same.
func (t *Theme) glyph(c steps.CheckState) string {
	switch c {
	case steps.Passed:
		return t.Good.Render("✓")
	case steps.Warned:
		return t.Warn.Render("!")
	case steps.Failed:
		return t.Bad.Render("✗")
	}
	return t.Accent.Render("…")
}

func (t *customerTable) View(f Frame, g state.GDAP) []string {
	th := f.Theme
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
	rows := min(6, rest.Height/3)
	top := rest.sized(rest.Width, rest.Height-rows-1)
	lines := append(head, exactly(t.table(top, g), top.Height)...)
	lines = append(lines, th.Muted.Render(strings.Repeat("─", f.Width)))
	return append(lines, exactly(t.details(rest.sized(rest.Width, rows)), rows)...)
}

// columns are the widths of a table's columns.
func (f Frame) columns() (name, domain, state, proposal int) {
	w := f.Width - 2 - 8 // cursor, box, glyph
	if f.Width < wide {
		name = w * 38 / 100
		state = w * 31 / 100
		return name, 0, state, w - name - state
	}
	name, domain, state = w*28/100, w*23/100, w*26/100
	return name, domain, state, w - name - domain - state
}

func (t *customerTable) table(f Frame, g state.GDAP) []string {
	th := f.Theme
	name, domain, state, proposal := f.columns()
	line := func(lead, a, b, c, d string) string {
		return lead + pad(clip(a, name-1), name) + pad(clip(b, domain-1), domain) + pad(clip(c, state-1), state) + clip(d, proposal)
	}
	chosen := choiceOfCustomers(g)
	head := th.Muted.Render(line(strings.Repeat(" ", 8), "Customer", "Domain", "Relationship", "Proposed"))
	if len(t.list.visible) == 0 {
		return []string{head, "", th.Muted.Render("        No customer matches. esc shows all.")}
	}
	return append([]string{head}, f.sized(f.Width, f.Height-1).list(t.list, func(i int, current bool, _ int) string {
		v := t.views[i]
		lead := th.cursorAt(current) + th.tick(chosen.has(v.Customer)) + " " + th.glyph(v.Status) + " "
		proposal := v.Proposal
		if !chosen.has(v.Customer) {
			proposal = "not chosen"
		}
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
	lines = append(lines, f.labelled("Proposed", proposal, 14)...)
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
type roleList struct{ list *picker }

func newRoleList() *roleList { return &roleList{newPicker(make([]row, len(catalog.ServiceRoles())))} }

func (s *gdap) pressRoles(msg tea.KeyPressMsg) {
	k := s.keys
	switch {
	case key.Matches(msg, k.Done):
		s.roles = nil
	case key.Matches(msg, k.Tick):
		s.w.turnRole(catalog.ServiceRoles()[s.roles.list.Current()])
	default:
		s.roles.list.Update(msg, k.move)
	}
}

const addLater = "Microsoft lets no role be added to a relationship: adding one later takes a new relationship, which the customer has to approve again."

func (r *roleList) View(f Frame, g state.GDAP) []string {
	t := f.Theme
	head := t.lines(t.Plain, "Roles asked for: "+roleTally(g)+". "+addLater, f.Width)
	head = append(head, "")
	return append(head, f.sized(f.Width, f.Height-len(head)).list(r.list, func(i int, current bool, w int) string {
		role := catalog.ServiceRoles()[i]
		return t.cursorAt(current) + t.tick(hasRole(g, role)) + " " + t.row(clip(role.Name, w-6), current)
	})...)
}
