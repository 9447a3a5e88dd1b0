package ui

import (
	"slices"
	"sort"
	"strings"

	"msbundle/steps"
)

// A plan of many writes is shown with its long groups closed.
const (
	manyWrites = 60
	fewWrites  = 14
)

// groups are the parts the plan is shown in.
func (s *plan) groups() []steps.Group {
	if s.byCustomer {
		return s.customerGroups()
	}
	var out []steps.Group
	for _, g := range s.plan.Groups() {
		at := slices.IndexFunc(g.Changes, func(c steps.Change) bool { return c.After != "" })
		if at < 0 {
			out = append(out, g)
			continue
		}
		if at > 0 {
			out = append(out, steps.Group{Title: g.Title, Changes: g.Changes[:at]})
		}
		out = append(out, steps.Group{Title: g.Title + ", once they approve", Changes: g.Changes[at:]})
	}
	return out
}

// customerGroups puts the writes under the customers they are about.
func (s *plan) customerGroups() []steps.Group {
	title := map[string]string{"": "For all customers"}
	if f := s.w.findings; f != nil && f.Delegation != nil {
		for _, c := range f.Delegation.Customers {
			title[c.TenantID] = shownName(c)
		}
	}
	at := map[string]int{}
	var out []steps.Group
	for _, c := range s.plan.Changes {
		id := c.Customer
		n, known := at[id]
		if !known {
			n = len(out)
			at[id] = n
			out = append(out, steps.Group{Title: name(title[id], id)})
		}
		out[n].Changes = append(out[n].Changes, c)
	}
	general := func(g *steps.Group) bool { return g.Changes[0].Customer == "" }
	sort.SliceStable(out, func(i, j int) bool { // slices' own would be compiled anew for groups
		a, b := &out[i], &out[j]
		if general(a) || general(b) {
			return general(a)
		}
		return strings.ToLower(a.Title) < strings.ToLower(b.Title)
	})
	return out
}

// sort shows the writes by customer, or by kind again.
func (s *plan) sort() {
	s.byCustomer = !s.byCustomer
	s.keys.Sort.SetHelp("c", map[bool]string{false: "by customer", true: "by kind"}[s.byCustomer])
	s.list = newPicker(nil)
	s.build()
	s.list.refresh(0)
}

// waitsFor says how much of the plan comes only after somebody approved; empty when
// nothing does.
func waitsFor(changes []steps.Change) string {
	later, who := 0, map[string]bool{}
	for i := range changes {
		if after := changes[i].After; after != "" {
			later++
			who[after] = true
		}
	}
	if later == 0 { // nobody is
		return ""
	}
	return " " + number(later) + " of them wait until " + count(len(who), "customer has", "customers have") + " approved."
}
