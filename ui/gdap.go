package ui

import (
	"reflect"
	"slices"

	"msbundle/steps"
)

// gdap is the page of delegated administration: which customers are asked, for
// which roles, and how everything is called.
type gdap struct {
	form
	gdapSheet
	seen  viewBasis // of views
	views []steps.CustomerView
}

// viewBasis is what the customers' states follow from.
type viewBasis struct {
	roles    []string
	extend   bool
	findings *steps.Findings
}

func newGDAP(w *wizard) Screen {
	s := &gdap{gdapSheet: gdapSheet{w}}
	s.form = newForm(w, s)
	s.settle()
	return s
}

func (s *gdap) reads() string {
	return "Reads the customers, the relationships with them, the groups and who is in them. This usually takes 5 to 20 seconds, with a thousand customers up to a minute"
}

func (s *gdap) idle() string { return "" }

// follow leaves out how relationships are called: with a thousand customers that
// would take too long for every key.
func (s *gdap) follow() bool {
	g := s.gdap()
	if now := (viewBasis{g.Roles, g.AutoExtend, s.findings}); !reflect.DeepEqual(now, s.seen) {
		s.seen, s.views = now, s.customerViews()
	}
	now := s.basis()
	now.answers.GDAP.RelationshipName, now.answers.GDAP.Days = "", 0
	if !s.changed(now) {
		return false
	}
	s.checks = s.gdapChecks()
	return true
}

// opens is the table of customers, or the list of roles.
func (s *gdap) opens(i formItem) func() front {
	switch {
	case i == gdapRoles:
		return func() front { return newRoleList(s.wizard) }
	case i == gdapTable && len(s.views) > 0: // with the names that were typed since
		return func() front { return newCustomerTable(s.wizard, s.customerViews()) }
	}
	return nil
}

// mends is the line where something can be done about a check.
func (s *gdap) mends(c steps.Check) spot {
	switch c.ID {
	case steps.CheckDelegate:
		return spot{item: gdapAccount}
	case steps.CheckCustomers:
		return spot{item: gdapTable}
	}
	return spot{formCheck, c.ID}
}

func (s *gdap) value(t *Theme, i formItem, width int) string {
	g := s.gdap()
	switch {
	case i == gdapRoles:
		return clip(roleTally(g), width)
	case i == gdapCustomers:
		return clip("from the file "+g.File, width)
	case s.findings == nil:
		return t.Muted.Render("not read yet")
	case slices.ContainsFunc(s.checks, hopeless):
		return t.Muted.Render("none can be looked at here")
	}
	return clip(customerTally(g, s.views), width)
}

// notes say what an answer leads to.
func (s *gdap) notes(at spot, current bool) []note {
	if !current { // working it out takes a while with many customers
		return nil
	}
	if text := s.example(at.item); text != "" {
		return []note{{"·", text}}
	}
	return nil
}

func (s *gdap) more(f Frame, i formItem) []string {
	t := f.Theme
	switch i {
	case gdapTable:
		var tally []string
		if s.findings != nil {
			tally = t.lines(t.Plain, customerTally(s.gdap(), s.views)+".", f.Width)
		}
		return append(tally, t.lines(t.Plain, "The tenant's customers, with the relationship there is with each and what is proposed. A good relationship is left as it is; none is ever ended. space shows them.", f.Width)...)
	case gdapRoles:
		return t.lines(t.Plain, "What Rewst may do at a customer, one group for each role. "+addLater+" space shows them.", f.Width)
	case gdapCustomers: // no choice then
		return t.lines(t.Plain, "The customers are named by a file of the setup. Change it there.", f.Width)
	case gdapAccount:
		return s.failing(f, steps.CheckDelegate)
	}
	return nil
}
