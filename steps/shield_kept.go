package steps

import (
	"encoding/json"

	"msbundle/state"
)

// keptCustomer is what is remembered of a customer.
type keptCustomer struct {
	Shield  Shield   `json:"shield"`
	Domains []string `json:"domains,omitempty"` // verified ones
}

// keepShields remembers how customers stand, over what was known of others, and
// puts it into the rows.
func (s *Setup) keepShields(clientele *Clientele, p *CustomersPlan) error {
	kept := customersIn(s.store)
	for tenant, c := range kept {
		if c.Shield.Failed() { // who is no customer any more has nothing to be mended
			delete(kept, tenant)
		}
	}
	for i := range clientele.Rows {
		row := &clientele.Rows[i]
		if c := p.Of(row.TenantID); c != nil && !c.Shield.At.IsZero() {
			row.Shield = c.Shield
			row.Domains = union(row.Domains, c.domains)
		}
		if !row.Shield.At.IsZero() {
			kept[row.TenantID] = keptCustomer{row.Shield, row.Domains}
		}
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return problem(s.store.SaveShields(data), "how the customers stand could not be kept")
}

// LastShield is how a customer stood when it was looked at last; its zero when it
// never was.
func (s *Setup) LastShield(tenant string) Shield {
	if s.store == nil {
		return Shield{}
	}
	return customersIn(s.store)[tenant].Shield
}

// customersIn are what is remembered of customers, by tenant id. What cannot be read
// counts as nothing: it can be looked at again.
func customersIn(store *state.Store) map[string]keptCustomer {
	out := map[string]keptCustomer{}
	if err := json.Unmarshal(store.Shields(), &out); err != nil {
		return map[string]keptCustomer{}
	}
	return out
}

// under is what a shield that was seen before says when this is chosen. What had
// what was chosen then has to be looked at again; what failed still did.
func (s Shield) under(chosen string) Shield {
	if s.Chosen != "" && s.Chosen != chosen && s.Shade >= Amber && s.Refused == nil {
		s.Shade, s.Reason, s.Fix = Unseen, "What the app is to have was chosen anew since this was seen.", "Look again, then consent."
	}
	return s
}
