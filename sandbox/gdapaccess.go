package sandbox

import (
	"slices"
	"strings"
)

// delegatedRoles are the directory roles somebody of the partner has in a
// customer's tenant: by an active relationship, an active mapping and a group they
// are in. Without any there is no way in.
// https://learn.microsoft.com/partner-center/customers/gdap-introduction
func (c *Cloud) delegatedRoles(home *tenant, person, customer string) []string {
	if home != c.order[0] {
		return nil
	}
	c.settle()
	var roles []string
	v, groups := c.master(), c.look()
	for _, rel := range c.gdap.byCustomer[customer] {
		data := rel.live(v)
		if !grantsAccess(data) {
			continue
		}
		for _, e := range c.partsOf(kindMapping, rel) {
			m := e.live(v)
			members, _ := home.seen(groups, kindGroup, containerOf(m))["_members"].([]any)
			if str(m, "status") == mapActive && slices.Contains(members, any(person)) {
				roles = append(roles, carried(m)...)
			}
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// issuerOf is how tokens name the tenant an account is at home in.
func issuerOf(t *tenant) string { return "https://sts.windows.net/" + t.id + "/" }

// stillDelegated refuses the token of somebody from the partner whose way into the
// customer's tenant has been closed since.
func (c *Cloud) stillDelegated(tok *token) error {
	if tok.Provider == "" {
		return nil
	}
	home := c.tenants[strings.Trim(strings.TrimPrefix(tok.Provider, "https://sts.windows.net"), "/")]
	if home == nil || len(c.delegatedRoles(home, tok.ObjectID, tok.Tenant)) == 0 {
		return badRequest("Unsupported token. Unable to initialize the authorization context.")
	}
	return nil
}
