package steps

import (
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

func checkAPIs(a state.Answers, f *Findings) Check {
	c := Check{ID: "apis", Title: "Microsoft APIs"}
	var missing, refused []string
	sel, _ := Select(a)
	for _, r := range catalog.Resources() {
		wanted := slices.ContainsFunc(sel.Chosen(), func(p catalog.Permission) bool { return p.Resource == r.AppID })
		if !wanted {
			continue
		}
		if _, no := f.Refused[r.AppID]; no {
			refused = append(refused, r.Name)
		} else if _, ok := f.Resources[r.AppID]; !ok {
			missing = append(missing, r.Name)
		}
	}
	switch {
	case len(refused) > 0:
		c.State, c.Evidence = Warned, "Not offered in this tenant: "+strings.Join(refused, ", ")
		c.Fix = "Their permissions are left out. A licence or subscription may be missing; add it and run again, or leave the integration out."
	case slices.Contains(missing, partnerCenter()):
		c.State, c.Evidence = Warned, "Microsoft Partner Center is not in this tenant, which a partner's tenant has"
		c.Fix = "When this is no Microsoft partner (CSP), leave Microsoft CSP out. Otherwise go on: the plan asks for the API, and Microsoft may say no."
	case len(missing) > 0:
		c.Evidence = "Not in this tenant yet, so the plan provisions them: " + strings.Join(missing, ", ")
	default:
		c.Evidence = "All there"
	}
	return c
}

func partnerCenter() string {
	r, _ := catalog.ResourceByAppID(catalog.PartnerCenterAppID)
	return r.Name
}

func checkPermissions(a state.Answers, f *Findings) Check {
	c := Check{ID: "permissions", Title: "Permissions"}
	d := desire(a, f)
	total := 0
	for _, list := range d.permissions {
		total += len(list)
	}
	c.Evidence = fmt.Sprintf("%d, each looked up in this tenant", total)
	var out []string
	for _, n := range d.skipped {
		if n.Permission != "" {
			out = append(out, n.Permission)
		}
	}
	if len(out) > 0 {
		c.State = Warned
		c.Evidence = fmt.Sprintf("%d; left out: %s", total, strings.Join(out, ", "))
		c.Fix = "This tenant does not publish them: the name is unknown, was retired, or its API is not offered. The plan gives the reason for each."
	}
	return c
}

// checkLength holds the longest scope string, with what others granted already,
// against the limits.
func checkLength(a state.Answers, f *Findings) Check {
	c := Check{ID: "length", Title: "Length of the delegated permissions"}
	p := Plan{findings: f, want: desire(a, f)}
	longest, total, api := 0, 0, ""
	for _, id := range p.want.resources {
		var existing []string
		for _, g := range p.grantsFor(id) {
			existing = append(existing, g.Scopes...)
		}
		total += len(p.want.permissions[id])
		if n := len([]rune(strings.Join(p.mergeScopes(id, existing, p.want.scopes(id)), " "))); n > longest {
			r, _ := catalog.ResourceByAppID(id)
			longest, api = n, r.Name
		}
	}
	c.Evidence = fmt.Sprintf("%d of %d characters (%d of %d bytes) for %s", longest, catalog.ScopeCharLimit, 2*longest, catalog.ScopeByteLimit, api)
	switch {
	case longest > catalog.ScopeCharLimit || 2*longest > catalog.ScopeByteLimit:
		c.State, c.Blocks = Failed, true
		c.Fix = "Go back to the permissions and leave some delegated ones out; those a chosen ReadWrite covers come first."
	case total > catalog.ManifestPermissionLimit:
		c.State, c.Blocks = Failed, true
		c.Evidence = fmt.Sprintf("%d permissions; an app may list %d", total, catalog.ManifestPermissionLimit)
		c.Fix = "Go back to the permissions and leave some out."
	}
	return c
}

// checkLookAlike tells of the APIs that are taken for Partner Center: whether the
// app lists one. That the tenant has them is usual.
func checkLookAlike(f *Findings) Check {
	c := Check{ID: "look-alike", Title: "The right Partner Center API", Evidence: "The app lists no other in its place"}
	var here []string
	for _, l := range catalog.LookAlikes() {
		name := fmt.Sprintf("%s (%s)", l.Name, l.AppID)
		if _, present := f.Resources[l.AppID]; present {
			here = append(here, name)
		}
		if f.App != nil && slices.ContainsFunc(f.App.Required, func(r RequiredAccess) bool { return r.ResourceAppID == l.AppID }) {
			c.State, c.Offer = Warned, OfferSwap
			c.Evidence = fmt.Sprintf("The app lists %s, which does not work with Rewst", name)
			c.Fix = "The right one is added when CSP is chosen; the plan offers to take the wrong one off."
			return c
		}
	}
	if len(here) > 0 {
		c.Evidence += ". In the tenant, and easily taken for it: " + strings.Join(here, ", ")
	}
	return c
}

// checkConnector tells of the vendor's connector: needed when it was chosen, and
// one more way in when it was not.
func checkConnector(a state.Answers, f *Findings) Check {
	c := Check{ID: "connector", Title: catalog.VendorConnectorName, Evidence: "The enterprise application is in this tenant"}
	if a.Registration.Kind == state.KindConnector {
		if f.Connector == nil {
			c.State, c.Evidence = Warned, "The enterprise application is not in this tenant yet"
			c.Fix = "Authorise it in Rewst (Marketplace, Integrations, Microsoft Cloud Bundle), then look again."
		}
		return c
	}
	if u, missing := f.unread(PartVendorApps); missing {
		return c.unknown(u)
	}
	if f.VendorApp == nil {
		c.Evidence = "Not in this tenant, and not needed beside an app of your own"
		return c
	}
	c.State, c.Evidence = Warned, "In this tenant: Rewst was authorised with it before"
	c.Fix = "Rewst uses one or the other. Choose Owned App Registration there and authorise again; when that works, delete the connector's enterprise application. Nothing is deleted here."
	return c
}

// checkLegacy tells of the vendor's apps from before the bundle.
func checkLegacy(f *Findings) Check {
	c := Check{ID: "legacy", Title: "Rewst apps of before", Evidence: "None in this tenant"}
	if u, missing := f.unread(PartVendorApps); missing {
		return c.unknown(u)
	}
	var names, keep []string
	for _, l := range catalog.LegacyApps() {
		if slices.ContainsFunc(f.Leftovers, func(p Principal) bool { return p.AppID == l.AppID }) {
			names = append(names, fmt.Sprintf("%s (%s)", l.Name, l.AppID))
			if l.Still != "" {
				keep = append(keep, fmt.Sprintf("%s is still used for %s.", l.Name, l.Still))
			}
		}
	}
	if len(names) > 0 {
		c.State, c.Evidence = Warned, "Enterprise applications: "+strings.Join(names, ", ")
		c.Fix = strings.Join(append(keep, "Leave them until the bundle works; then ask Rewst which can go. Nothing is deleted here."), " ")
	}
	return c
}

// checkFootprint tells what the client people sign in through has in the tenant.
func checkFootprint(f *Findings) Check {
	c := Check{ID: "footprint", Title: "What the sign-in leaves behind", Evidence: "Nothing: Microsoft Graph Command Line Tools is not in this tenant"}
	if u, missing := f.unread(PartVendorApps, PartSignInApp); missing {
		return c.unknown(u)
	}
	if app := f.SignInApp; app != nil {
		c.Evidence = fmt.Sprintf("The enterprise application %s, with %s for this account and %d for every user",
			app.Name, plural(len(app.Mine), "delegated permission"), len(app.Everyone))
	}
	return c
}
