package steps

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
)

// Words of a policy's condition about guests and people from outside.
// https://learn.microsoft.com/graph/api/resources/conditionalaccessguestsorexternalusers
const (
	serviceProvider     = "serviceProvider"
	guestsOrExternal    = "GuestsOrExternalUsers"
	allExternalTenants  = "#microsoft.graph.conditionalAccessAllExternalTenants"
	someExternalTenants = "#microsoft.graph.conditionalAccessEnumeratedExternalTenants"
)

// wireOutsiders is the condition itself.
type wireOutsiders struct {
	Types   string `json:"guestOrExternalUserTypes"` // joined by commas
	Tenants *struct {
		Type    string   `json:"@odata.type"`
		Kind    string   `json:"membershipKind"`
		Members []string `json:"members"`
	} `json:"externalTenants"`
}

func (w wireOutsiders) types() []string {
	var out []string
	for t := range strings.SplitSeq(w.Types, ",") {
		if t = strings.TrimSpace(t); t != "" && t != "none" {
			out = append(out, t)
		}
	}
	return out
}

// about tells whether it is about somebody of the partner who acts as its
// customers' service provider.
func (w wireOutsiders) about(partner string) bool {
	if !containsFold(w.types(), serviceProvider) {
		return false
	}
	return w.Tenants == nil || w.Tenants.Type == allExternalTenants || w.Tenants.Kind == "all" || containsFold(w.Tenants.Members, partner)
}

func outsiders(raw json.RawMessage) wireOutsiders {
	var w wireOutsiders
	_ = json.Unmarshal(raw, &w) // it was read from the service
	return w
}

// providers tells whether a policy of a customer is about the partner's people.
func (p AccessPolicy) providers(partner string, roles []string) (reach, string) {
	u := p.Conditions.Users
	in, because := spared, ""
	switch {
	case containsFold(u.Include, "All"):
		in, because = reached, "it is about all users"
	case containsFold(u.Include, guestsOrExternal):
		in, because = reached, "it is about guests and people from outside"
	case present(u.IncludeGuests) && outsiders(u.IncludeGuests).about(partner):
		in, because = reached, "it is about service providers"
	case common(u.IncludeRoles, roles):
		in, because = reached, "it is about a role the partner has there"
	}
	switch {
	case containsFold(u.Exclude, guestsOrExternal), present(u.ExcludeGuests) && outsiders(u.ExcludeGuests).about(partner), common(u.ExcludeRoles, roles):
		return spared, "it excludes the partner"
	}
	return in, because
}

// legacyOnly tells whether a policy is only about programs that sign in with a
// password alone, which nothing of the setup does.
func (p AccessPolicy) legacyOnly() bool {
	c := p.Conditions.Clients
	return len(c) > 0 && !containsFold(c, "all") && !containsFold(c, "browser") && !containsFold(c, "mobileAppsAndDesktopClients")
}

// planExclusionsAt takes the partner's people out of each policy of a customer
// that would keep them out, and out of no other.
// https://learn.microsoft.com/graph/api/conditionalaccesspolicy-update
func (p *Plan) planExclusionsAt(c Customer) {
	w, partner := p.findings.place, p.customer.shared.partner
	if !p.customer.shared.policies || w == nil {
		return
	}
	if need := "Policy.ReadWrite.ConditionalAccess"; !slices.Contains(p.want.scopes(catalog.GraphAppID), need) {
		p.note("The Conditional Access policies of %s are left alone: changing them takes the delegated permission %s, which is not among the chosen ones.", c.called(), need)
		return
	}
	if w.PoliciesNo != nil {
		given := slices.ContainsFunc(p.grantsFor(catalog.GraphAppID), func(g Grant) bool { return containsFold(g.Scopes, scopesOf[KindPolicy]) })
		if w.asApp && given && !unlicensed(w.PoliciesNo) { // nobody but the app can read them, and without the licence there is none
			p.note("The Conditional Access policies of %s could not be read, so no exclusion is planned: %s", c.called(), reasonOf(w.PoliciesNo))
			p.customer.general = len(p.Notes) // it holds for this look alone
		}
		return
	}
	for _, x := range w.Policies {
		in, because := x.providers(partner, w.Roles)
		harm := x.harm()
		switch {
		case in == spared, harm == "", x.State == policyOff, x.legacyOnly():
			continue
		case x.State != policyOn:
			p.note("The policy %q of %s only reports so far. Once it is switched on it %s: exclude the partner before that.", x.Name, c.called(), harm)
			continue
		case x.onRiskOnly():
			p.note("The policy %q of %s is left alone: it %s, and then protects the customer.", x.Name, c.called(), harm)
			continue
		}
		exclude, exact := withProvider(x.Conditions.Users.ExcludeGuests, partner)
		if !exact {
			p.note("The policy %q of %s is left alone, though it reaches the partner's account (%s) and %s: it excludes %s of other tenants already, and the service takes one list of kinds and one of tenants, so it would exclude more people than this partner's. "+
				"An administrator of the customer decides: either add the kind Service provider users and the tenant id %s to that exclusion all the same, or leave it and have a second policy for one of the two.",
				x.Name, c.called(), because, harm, together(outsiders(x.Conditions.Users.ExcludeGuests).types()), partner)
			continue
		}
		whom := " Only people of this partner, acting as service provider, are excluded by that."
		if x.managed() {
			whom += " Microsoft manages this policy; who it excludes may be changed."
		}
		p.add(Change{
			ID: "access/" + x.ID, Kind: KindPolicy, Action: Update,
			Object: fmt.Sprintf("Conditional Access policy %q of %s: service providers of this partner excluded", x.Name, c.called()),
			Why:    fmt.Sprintf("The policy reaches the partner's account (%s) and %s.%s", because, harm, whom),
			Method: "PATCH", Path: policiesPath + "/" + x.ID, Risk: RiskHigh, Reversible: true, Name: x.Name,
			Before: withExclusion(x, nil),
		}, withExclusion(x, exclude))
	}
}

// withProvider adds the partner's service providers to whom a policy excludes, and
// takes nobody from them. It is exact when nobody else is excluded by that: each kind
// of the one list counts for each tenant of the other.
func withProvider(raw json.RawMessage, partner string) (exclude map[string]any, exact bool) {
	w := outsiders(raw)
	types, members := w.types(), []string{}
	if len(types) > 0 {
		if w.Tenants == nil || w.Tenants.Type != someExternalTenants && w.Tenants.Kind != "enumerated" {
			return nil, false
		}
		members = slices.Clone(w.Tenants.Members)
	}
	providers := len(types) == 1 && strings.EqualFold(types[0], serviceProvider)
	ours := len(members) == 1 && strings.EqualFold(members[0], partner)
	if len(types) > 0 && !providers && !ours {
		return nil, false
	}
	if !containsFold(types, serviceProvider) {
		types = append(types, serviceProvider)
	}
	if !containsFold(members, partner) {
		members = append(members, partner)
	}
	return map[string]any{
		"guestOrExternalUserTypes": strings.Join(types, ","),
		"externalTenants":          map[string]any{"@odata.type": someExternalTenants, "membershipKind": "enumerated", "members": members},
	}, true
}

// rebaseExclusion brings an exclusion to what the policy is by now. Nothing is left of
// it when it would not be planned any more: the policy is off, or the partner excluded.
func (e *engine) rebaseExclusion(c Change, raw json.RawMessage) ([]Change, error) {
	list, err := accessPolicies([]json.RawMessage{raw})
	if err != nil {
		return nil, err
	}
	f, w := *e.plan.findings, *e.plan.findings.place
	w.Policies, w.PoliciesNo, f.place = list, nil, &w
	p := Plan{want: e.plan.want, customer: e.plan.customer, findings: &f}
	p.planExclusionsAt(p.customer.customer)
	if len(p.Changes) == 0 {
		e.tell(Event{Kind: EventNote, Text: fmt.Sprintf("The policy %q was left alone: it was changed meanwhile", c.Name)})
		return nil, nil
	}
	c.Before, c.Body = p.Changes[0].Before, p.Changes[0].Body
	return []Change{c}, nil
}

// withExclusion is whom a policy is about, with an exclusion of people from outside in
// place of the one it has; without one it stays.
func withExclusion(p AccessPolicy, outside map[string]any) json.RawMessage {
	users := filled(p.parts().users)
	if outside != nil {
		users["excludeGuestsOrExternalUsers"] = outside
	}
	return encodeAny(map[string]any{"conditions": map[string]any{"users": users}})
}
