package steps

import (
	"slices"

	"msbundle/state"
)

// CustomerFound is what was read of one customer.
type CustomerFound struct {
	Customer Customer
	Shield   Shield
	Findings *Findings // of the customer's tenant; nil when it could not be read
	Skipped  string    // why nothing is to be done there; empty when something is
}

// MakeCustomersPlan works out what customers take, from what was read of the
// partner's tenant and of theirs. It is a pure function.
func MakeCustomersPlan(a state.Answers, partner *Findings, found []CustomerFound) *CustomersPlan {
	p, shared := &CustomersPlan{at: map[string]int{}}, share(a, partner)
	for _, x := range found {
		c := CustomerPlan{Customer: x.Customer, Shield: x.Shield, Skipped: x.Skipped, shared: shared}
		if x.Findings != nil {
			f := *x.Findings
			if f.place == nil {
				f.place = &place{seen: map[string]seen{}}
			}
			c.found(&f)
		}
		p.at[x.Customer.TenantID] = len(p.Customers)
		p.Customers = append(p.Customers, c)
	}
	return p
}

// found takes up what was read: how many writes there are, and whether some take the
// sign-in with the app. Of whom nothing is to be written little is remembered.
func (c *CustomerPlan) found(f *Findings) {
	c.findings, c.there, c.domains = f, f.Principal != nil, f.place.Domains
	p := c.Plan()
	c.writes, c.notes = len(p.Changes), p.Notes
	c.asApp = slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == KindConsent || scopesOf[c.Kind] != "" })
	if c.writes == 0 {
		c.findings = nil
	}
}

// ExportMapping writes a mapping into a folder, and tells what it wrote.
func (s *Setup) ExportMapping(m *Mapping, dir string) ([]string, error) { return m.Export(dir) }

// Users are the customers linked to an organisation, by their rows. They are for
// reading.
func (m *Mapping) Users(organization int) []int32 { return m.users[organization] }
