package ui

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// gdapSheet holds the questions of the stage about customers.
type gdapSheet struct{ *wizard }

const (
	gdapCustomers formItem = iota + 200
	gdapTable
	gdapRoles
	gdapAccount
	gdapGroup
	gdapRelation
	gdapDays
	gdapExtend
)

func (w gdapSheet) label(i formItem) string {
	return map[formItem]string{
		gdapCustomers: "Customers", gdapTable: "Who is chosen", gdapRoles: "Roles", gdapAccount: "Service account", gdapGroup: "Group names",
		gdapRelation: "Relationship names", gdapDays: "Days", gdapExtend: "At its end",
	}[i]
}

func (w gdapSheet) questions() []formItem {
	items := []formItem{gdapCustomers, gdapTable, gdapRoles}
	if w.answers.ServiceAccount == nil { // answered in its own stage
		items = append(items, gdapAccount)
	}
	return append(items, gdapGroup, gdapRelation, gdapDays, gdapExtend)
}

func (w gdapSheet) set(a state.Answers) { w.setGDAP(*a.GDAP) }

// setGDAP takes answers of the stage about customers.
func (w *wizard) setGDAP(g state.GDAP) {
	if reflect.DeepEqual(*w.asked().GDAP, g) {
		return
	}
	w.answers.GDAP, w.proposed, w.chosen, w.plan = &g, nil, true, nil
}

// gdap are the answers of the stage about customers.
func (w *wizard) gdap() state.GDAP { return *w.asked().GDAP }

// toLook are the answers the stage looks at the tenant with: for all customers, so
// that some of them can be chosen.
func (w *wizard) toLook() state.Answers {
	a := w.asked()
	if g := a.GDAP; g != nil && g.File == "" {
		g.All, g.Customers = true, nil
	}
	return a
}

// scope is what was found, as far as the answers are about it.
func (w *wizard) scope(a state.Answers) *steps.Findings {
	if a.GDAP == nil {
		return w.findings
	}
	return w.findings.Choosing(*a.GDAP)
}

func (w *wizard) gdapChecks() []steps.Check {
	if w.stale() {
		return nil
	}
	a := w.asked()
	return steps.GDAPChecks(a, w.scope(a), w.options())
}

// customerViews are all customers there are to choose from, as they were seen last:
// which account and groups are wanted changes nothing about who they are.
func (w *wizard) customerViews() []steps.CustomerView {
	if w.findings == nil {
		return nil
	}
	a := w.asked()
	a.GDAP.All = true
	return steps.CustomerViews(a, w.findings)
}

// choice is which customers the answers choose; nil is all of them.
type choice map[string]bool

// choiceOfCustomers puts the answers' choice into a form that is quick to ask.
func choiceOfCustomers(g state.GDAP) choice {
	if g.All || g.File != "" {
		return nil
	}
	out := choice{}
	for _, s := range g.Customers {
		out[strings.ToLower(s)] = true
	}
	return out
}

// has tells whether a customer is chosen.
func (c choice) has(who steps.Customer) bool {
	return c == nil || c[strings.ToLower(who.TenantID)] || who.Domain != "" && c[strings.ToLower(who.Domain)]
}

// picks tells whether the answers choose a customer.
func picks(g state.GDAP, c steps.Customer) bool { return choiceOfCustomers(g).has(c) }

// pickCustomers chooses customers, or leaves them.
func (w *wizard) pickCustomers(on bool, list ...steps.Customer) {
	g, these := w.gdap(), map[string]bool{}
	for _, c := range list {
		these[strings.ToLower(c.TenantID)], these[strings.ToLower(c.Domain)] = true, true
	}
	g.Customers = slices.DeleteFunc(slices.Clone(g.Customers), func(s string) bool { return these[strings.ToLower(s)] })
	if on {
		for _, c := range list {
			g.Customers = append(g.Customers, c.TenantID)
		}
	}
	w.setGDAP(g)
}

// tallied is what customers of a state are called where they are counted; the filter
// of the table finds them by it, too.
var tallied = map[steps.CheckState]string{steps.Passed: "complete", steps.Unknown: "waiting", steps.Warned: "unfinished", steps.Failed: "to be asked"}

// customerTally says in one line how the chosen customers stand.
func customerTally(g state.GDAP, views []steps.CustomerView) string {
	n := map[steps.CheckState]int{}
	of, chosen := 0, choiceOfCustomers(g)
	for _, v := range views {
		if chosen.has(v.Customer) {
			n[v.Status]++
			of++
		}
	}
	text := count(of, "customer", "customers")
	if of < len(views) {
		text = fmt.Sprintf("%s of %s", number(of), count(len(views), "customer", "customers"))
	}
	var parts []string
	for _, c := range []steps.CheckState{steps.Passed, steps.Unknown, steps.Warned, steps.Failed} {
		if n[c] > 0 {
			parts = append(parts, number(n[c])+" "+tallied[c])
		}
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}

// hasRole tells whether a role is asked for.
func hasRole(g state.GDAP, role catalog.Role) bool {
	return slices.Contains(g.RoleIDs(), role.TemplateID)
}

// turnRole asks for a role, or leaves it. All of them are none in the answers, and
// the last one stays.
func (w *wizard) turnRole(role catalog.Role) {
	g := w.gdap()
	var chosen []string
	for _, r := range catalog.ServiceRoles() {
		if hasRole(g, r) != (r.TemplateID == role.TemplateID) {
			chosen = append(chosen, r.Name)
		}
	}
	switch len(chosen) {
	case 0:
		return
	case len(catalog.ServiceRoles()):
		chosen = nil
	}
	g.Roles = chosen
	w.setGDAP(g)
}

func roleTally(g state.GDAP) string {
	n, of := len(g.RoleIDs()), len(catalog.ServiceRoles())
	if n == of {
		return "all " + number(of) + " that Rewst asks for"
	}
	return fmt.Sprintf("%d of %d", n, of)
}

func (w gdapSheet) choice(i formItem) (formChoice, bool) {
	g := w.gdap()
	switch {
	case i == gdapCustomers && g.File == "":
		return either([]string{"All", "Chosen ones"}, []string{
			"Every customer of the tenant, those that come later too when this is run again.",
			"Only those you tick in the table under this. Nothing is done about the others.",
		}, g.All, func(a *state.Answers, all bool) { a.GDAP.All = all }), true
	case i == gdapExtend:
		return either([]string{"Extend by half a year", "Let it end"}, []string{
			"The relationship is extended by 180 days each time it would end. The customer can still end it at any time.",
			"After its days the relationship ends, and everything Rewst does at the customer with it. You are reminded 60 days before.",
		}, g.AutoExtend, func(a *state.Answers, extend bool) { a.GDAP.AutoExtend = extend }), true
	}
	return formChoice{}, false
}

func (w gdapSheet) text(i formItem) (formText, bool) {
	g := w.gdap()
	switch i {
	case gdapAccount:
		return formText{
			"gdap.account", state.DefaultUsername, "The user name of the account that Rewst works with. It becomes a member of each role's group.",
			g.Account, func(a *state.Answers, s string) { a.GDAP.Account = s },
		}, true
	case gdapGroup:
		return formText{
			"gdap.groupName", state.DefaultGroupName, "One group for each role; {role} stands for the role's name. Groups called so are adopted.",
			g.GroupName, func(a *state.Answers, s string) { a.GDAP.GroupName = s },
		}, true
	case gdapRelation:
		return formText{
			"gdap.relationshipName", state.DefaultRelationshipName,
			fmt.Sprintf("{customer} stands for the customer's name. At most %d characters together: a long name is shortened, and ends in letters made from the tenant id when it would be ambiguous.", state.MaxRelationshipName),
			g.RelationshipName, func(a *state.Answers, s string) { a.GDAP.RelationshipName = s },
		}, true
	case gdapDays:
		return formText{
			"gdap.days", number(state.DefaultDays), fmt.Sprintf("How long a relationship lasts: 1 to %d days from the approval.", state.MaxRelationshipDays),
			strconv.Itoa(g.Days), func(a *state.Answers, s string) { a.GDAP.Days, _ = strconv.Atoi(s) },
		}, true
	}
	return formText{}, false
}

// example shows what the answer to a question leads to; empty when there is
// nothing to show.
func (w gdapSheet) example(i formItem) string {
	a := w.asked()
	if w.fault(a, i) != "" {
		return ""
	}
	switch i {
	case gdapGroup:
		return "for example " + steps.GroupName(*a.GDAP, catalog.ServiceRoles()[0])
	case gdapRelation:
		var f *steps.Findings
		if !w.stale() {
			f = w.scope(a)
		}
		customer, name := steps.RelationshipName(*a.GDAP, f)
		return "for " + customer + ": " + name
	}
	return ""
}

func (w gdapSheet) fault(a state.Answers, i formItem) string {
	q, _ := w.text(i)
	if i != gdapTable {
		return faultAt(a, q.key)
	}
	text := faultAt(a, "gdap.customers")
	if text != "" && len(a.GDAP.Customers) == 0 {
		return "nobody is chosen yet: press space and tick at least one customer"
	}
	return text
}
