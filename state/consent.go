package state

// Customers is the section about customers' tenants: which Rewst organisation each
// belongs to, and the consent to the app there.
type Customers struct {
	All     bool     // consent to the app at every customer
	Consent []string // otherwise at these: tenant ids or domains; none means that customers are only looked at
	Mapping string   // CSV file of Rewst's organisations; empty for none
	Exclude bool     // take the partner out of the customers' Conditional Access policies that would keep it out
	Direct  bool     // without delegated administration: an administrator of each customer signs in there
}

// Organization is a customer's place in Rewst.
type Organization struct {
	ID       string // Rewst's own; empty when it is not known
	Name     string
	Domain   string
	TenantID string // of its Microsoft tenant, as Rewst has it; empty when it is not linked
	Line     int    // of the file it stands in; 0 when it was typed
}
