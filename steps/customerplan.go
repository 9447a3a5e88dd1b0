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
// partner's tenant and, so far, of theirs. It is a pure function.
func MakeCustomersPlan(a state.Answers, partner *Findings, found []CustomerFound) *CustomersPlan {
	p, shared := &CustomersPlan{at: map[string]int{}}, share(a, partner)
	for _, x := range found {
		p.at[x.Customer.TenantID] = len(p.Customers)
		p.Customers = append(p.Customers, CustomerPlan{Customer: x.Customer, shared: shared})
		p.Customers[len(p.Customers)-1].take(x)
	}
	return p
}

// take takes up what was read of a customer.
func (c *CustomerPlan) take(x CustomerFound) {
	c.Shield, c.Skipped = x.Shield, x.Skipped
	if x.Findings == nil {
		return
	}
	f := *x.Findings
	if f.place == nil {
		f.place = &place{seen: map[string]seen{}}
	}
	c.found(&f)
}

// found takes up what was read: how many writes there are, and whether some take the
// sign-in with the app. Of whom nothing is to be written little is remembered.
func (c *CustomerPlan) found(f *Findings) {
	c.findings, c.there, c.domains = f, f.Principal != nil, f.Org.Domains
	p := c.Plan()
	c.writes, c.notes = len(p.Changes), p.Notes
	c.asApp = slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == KindConsent || scopesOf[c.Kind] != "" })
	if c.writes == 0 {
		c.findings = nil
	}
}

// Later tells at how many customers what is to be written shows only once the app is
// signed in with: whether the app has its role for Exchange Online, and which policies
// stand in the way.
func (p *CustomersPlan) Later() (roles, policies int) {
	for _, c := range p.Customers {
		if c.Skipped != "" {
			continue
		}
		if c.there && c.shared.gives && c.Shield.part(ProofExchange).State == Unknown {
			roles++
		}
		if c.shared.excludes && c.Shield.Spared.IsZero() {
			policies++
		}
	}
	return roles, policies
}
