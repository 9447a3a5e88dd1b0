package steps

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"msbundle/catalog"
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
			if len(c.domains) > 0 { // one it does not have any more may be another customer's
				row.Domains = c.domains
				if row.Domain != "" {
					row.Domains = union([]string{row.Domain}, c.domains)
				}
			}
		}
		if !row.Shield.At.IsZero() {
			kept[row.TenantID] = keptCustomer{row.Shield, row.Domains}
		}
	}
	return s.keepCustomers(kept)
}

func (s *Setup) keepCustomers(kept map[string]keptCustomer) error {
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return problem(s.store.SaveShields(data), "how the customers stand could not be kept")
}

// keepUnseen remembers customers, those of whom nothing that was seen holds any more
// with why that is.
func (s *Setup) keepUnseen(kept map[string]keptCustomer, since map[string]string) error {
	for tenant, reason := range since {
		if c, seen := kept[tenant]; seen {
			c.Shield = Shield{Reason: reason, Fix: "Look again."}
			kept[tenant] = c
		}
	}
	return s.keepCustomers(kept)
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
	if s.Shade >= Amber && s.Refused == nil && s.Chosen != "" && s.Chosen != chosen {
		s.Shade, s.Reason, s.Fix = Unseen, "What the app is to have was chosen anew since this was seen.", "Look again, then consent."
	}
	return s
}

// behind is how many customers were last seen to have what was chosen, when that was
// something else.
func behind(store *state.Store, chosen string) int {
	n := 0
	for _, c := range customersIn(store) {
		if c.Shield.Shade > Unseen && c.Shield.under(chosen).Shade == Unseen {
			n++
		}
	}
	return n
}

// choice stands, in a few letters, for an app and what it is to have at customers.
func choice(a state.Answers, app string) string {
	list := []string{app}
	sel, _ := Select(a)
	for _, p := range sel.Chosen() {
		if p.Resource != catalog.PartnerCenterAppID { // which has nothing to do there
			list = append(list, p.Key())
		}
	}
	for _, e := range sel.Extra() {
		list = append(list, e.String())
	}
	slices.Sort(list)
	sum := sha256.Sum256([]byte(strings.Join(list, "\n")))
	return hex.EncodeToString(sum[:8])
}
