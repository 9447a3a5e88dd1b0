package state

import (
	"fmt"
	"slices"
	"strings"
)

// Routes to customers' tenants.
const (
	RouteGDAP   = "gdap"   // delegated administration
	RouteDirect = "direct" // an administrator of each customer signs in there
)

// Customers is the section about customers' tenants: which Rewst organisation each
// belongs to, and the consent to the app there.
type Customers struct {
	All     bool     // consent to the app at every customer
	Consent []string // otherwise at these: tenant ids or domains; none means that customers are only looked at
	Mapping string   // CSV file of Rewst's organisations; empty for none
	Exclude bool     // take the partner out of the customers' Conditional Access policies that would keep it out
	Direct  bool     // without delegated administration: an administrator of each customer signs in there
}

// DefaultCustomers is the section as it is without its keys: customers are looked
// at, and nothing is written.
func DefaultCustomers() Customers { return Customers{} }

// Consents tells whether the app is to be consented to at any customer.
func (c Customers) Consents() bool { return c.All || len(c.Consent) > 0 }

// Route is the word for how customers are reached.
func (c Customers) Route() string {
	if c.Direct {
		return RouteDirect
	}
	return RouteGDAP
}

func (a Answers) validateCustomers() []Invalid {
	c := a.Customers
	if c == nil {
		return nil
	}
	var out []Invalid
	bad := func(key, format string, args ...any) {
		out = append(out, Invalid{"customers." + key, fmt.Sprintf(format, args...)})
	}
	for _, name := range c.Consent {
		switch {
		case name == "all":
			bad("consent", "all stands alone, not in a list: consent: all")
		case CheckTenant(name) != "" || name == "":
			bad("consent", "%s is neither a tenant id nor a domain, such as fabrikam.onmicrosoft.com", quote(name))
		}
	}
	return out
}

// Chosen tells whether the app is to be consented to at a customer, by its tenant
// id or one of its domains.
func (c *Customers) Chosen(tenant string, domains []string) bool {
	if c == nil || c.All {
		return c != nil
	}
	return slices.ContainsFunc(c.Consent, func(s string) bool {
		return strings.EqualFold(s, tenant) || slices.ContainsFunc(domains, func(d string) bool { return strings.EqualFold(s, d) })
	})
}
