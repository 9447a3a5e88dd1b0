package steps

import (
	"fmt"
	"strings"
)

// checkPartner tells whether the tenant is a Microsoft partner's: by what the
// directory says of it, and by whether Partner Center knows it.
func checkPartner(f *Findings) Check {
	c := Check{ID: "partner", Title: "Microsoft partner"}
	u, unread := f.unread(PartPartner)
	switch {
	case f.Partner.Name != "":
		c.Evidence = "Partner Center knows it as " + f.Partner.Name
	case f.Partner.Refused && f.Org.PartnerType == "":
		c.State, c.Evidence = Failed, "Neither the directory nor Partner Center knows it as a partner's tenant"
		c.Fix = "Leave Microsoft CSP out: customers are then set up one by one. Or sign in to the partner's tenant."
	case f.Partner.Refused:
		c.State, c.Evidence = Warned, fmt.Sprintf("The directory says so (%s), and Partner Center shows nothing to this account", f.Org.PartnerType)
		c.Fix = "Make the account an admin agent in Partner Center (Account settings, User management) and sign in again."
	case f.Org.PartnerType != "":
		c.Evidence = fmt.Sprintf("The directory says so (%s). Partner Center was not asked: %s", f.Org.PartnerType, lowerFirst(u.Why))
	case unread:
		c = c.unknown(u)
		c.Evidence = "The directory does not say so. Partner Center was not asked: " + lowerFirst(u.Why)
	}
	return c
}

// checkIndirect: an indirect reseller's provider holds the relation to the
// customers, and Microsoft's partner API is closed to the reseller.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-customers
func checkIndirect(f *Findings) Check {
	c := Check{ID: "indirect", Title: "Access to customers"}
	if u, missing := f.unread(PartPartner, PartCustomers); missing {
		return c.unknown(u)
	}
	switch {
	case f.Partner.Refused:
		return c.unknown(Unread{"Partner Center shows nothing to this account", "It takes an account in AdminAgents of a partner's tenant. The setup goes on without this check."})
	case f.Partner.Unlisted:
		c.State, c.Evidence = Failed, "Partner Center does not show the customers, as to an indirect reseller: they are its provider's"
		c.Fix = "Leave Microsoft CSP out and set customers up one by one, or ask the provider. When you buy from Microsoft directly, the account lacks the right: make it an admin agent."
	default:
		c.Evidence = fmt.Sprintf("Partner Center lists %s", plural(f.Partner.Customers, "customer"))
	}
	return c
}

// subscriptions are the names of those that can be used, and of the others with
// what is wrong with them.
func (f *Findings) subscriptions() (usable, others []string) {
	for _, s := range f.Subscriptions {
		switch {
		case s.Usable:
			usable = append(usable, s.Name)
		case s.State == "Enabled":
			others = append(others, s.Name+" (of another tenant)")
		default:
			others = append(others, fmt.Sprintf("%s (%s)", s.Name, strings.ToLower(s.State)))
		}
	}
	return usable, others
}

// checkSubscription: the vendor's Azure part signs in to a subscription of this
// tenant. A role of the directory gives none there.
func checkSubscription(f *Findings) Check {
	c := Check{ID: "subscription", Title: "Azure subscription"}
	if u, missing := f.unread(PartAzure); missing {
		return c.unknown(u)
	}
	usable, others := f.subscriptions()
	switch {
	case len(usable) > 0:
		c.Evidence = "Usable: " + some(usable)
	case len(others) > 0:
		c.State, c.Evidence = Failed, "None that can be used: "+some(others)
		c.Fix = "Have one switched on again, or leave Microsoft Azure out: Rewst's authorisation fails without."
	default:
		c.State, c.Evidence = Failed, "The account can see none"
		c.Fix = "Give the account that authorises in Rewst a role in a subscription (Azure portal, Subscriptions, Access control): roles of the directory do not count there. " +
			"Or leave Microsoft Azure out."
	}
	return c
}

// checkVault: without a key vault the vendor's authorisation ends in
// "invalid_client", whatever is in it.
func checkVault(f *Findings) Check {
	c := Check{ID: "vault", Title: "Azure key vault"}
	if u, missing := f.unread(PartAzure, PartVaults); missing {
		return c.unknown(u)
	}
	var vaults []string
	usable := false
	for _, s := range f.Subscriptions {
		usable = usable || s.Usable
		for _, v := range s.Vaults {
			vaults = append(vaults, fmt.Sprintf("%s in %s", v, s.Name))
		}
	}
	switch {
	case len(vaults) > 0:
		c.Evidence = some(vaults)
	case !usable:
		c.State, c.Evidence = Failed, "There is no subscription to look in"
		c.Fix = "It takes a subscription first."
	default:
		c.State, c.Evidence = Failed, "There is none the account can see"
		c.Fix = "Make an empty one in the Azure portal; it costs nothing. Rewst's authorisation fails without."
	}
	return c
}
