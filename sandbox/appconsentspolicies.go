package sandbox

import (
	"slices"
	"strings"

	"msbundle/catalog"
)

// What Conditional Access calls the two kinds of people from elsewhere that there
// are.
const (
	serviceProvider = "serviceProvider"
	invitedGuest    = "b2bCollaborationGuest"
)

// standing is who somebody is to the Conditional Access policies of a tenant.
type standing struct {
	id            any
	roles, groups []any
	external      string // kind of person from elsewhere; "" for the tenant's own
	home          string // tenant of a service provider
}

// visits tells whether somebody is in a tenant without an account there: as the
// partner's, by delegated administration.
func (t *tenant) visits(user *entity) bool { return t.find(kindUser, user.id) == nil }

func (c *Cloud) standing(t *tenant, user *entity) standing {
	v := c.master()
	s := standing{id: user.id}
	held := t.effectiveRoles(v, user.id)
	switch {
	case t.visits(user):
		s.external, s.home, held = serviceProvider, c.order[0].id, c.delegatedRoles(c.order[0], user.id, t.id)
	case str(user.read(v), "userType") == "Guest":
		s.external = invitedGuest
	}
	s.roles = anys(held)
	for _, g := range t.groupsOf(v, user.id) {
		s.groups = append(s.groups, g.id)
	}
	return s
}

// listed tells whether one side of a policy's users is about somebody.
func (s standing) listed(users object, side string) bool {
	names := func(list string, who ...any) bool {
		ids, _ := users[side+list].([]any)
		return slices.ContainsFunc(who, func(w any) bool { return slices.Contains(ids, w) })
	}
	return names("Users", "All", s.id) || s.external != "" && names("Users", "GuestsOrExternalUsers") ||
		names("Roles", s.roles...) || names("Groups", s.groups...) || s.among(part(users, side+"GuestsOrExternalUsers"))
}

// among tells whether somebody is one of some kinds of people from elsewhere, of
// all tenants or of those that are named.
// https://learn.microsoft.com/graph/api/resources/conditionalaccessguestsorexternalusers
func (s standing) among(kinds object) bool {
	named := strings.Split(strings.ReplaceAll(str(kinds, "guestOrExternalUserTypes"), " ", ""), ",")
	if s.external == "" || !slices.Contains(named, s.external) {
		return false
	}
	tenants := part(kinds, "externalTenants")
	members, _ := tenants["members"].([]any)
	return str(tenants, "membershipKind") != "enumerated" || slices.ContainsFunc(members, func(m any) bool { return same(m, s.home) })
}

// part is an object inside an object, nil when it is not there.
func part(o object, name string) object {
	child, _ := o[name].(object)
	return child
}

// keptOut is the refusal of somebody of the partner by a customer's policies; nil
// when they are let in. No device of the partner is one of the customer's; of the
// demands only the second factor from home is met.
// https://learn.microsoft.com/entra/external-id/authentication-conditional-access
func (c *Cloud) keptOut(s *session, t *tenant, user *entity, resource string) *stsError {
	for _, e := range c.policiesFor(t, user) {
		p := e.read(c.master())
		if !isAbout(part(p, "conditions"), resource) {
			continue
		}
		if err := unmet(part(p, "grantControls"), slices.Contains(s.amr, "mfa"), resource); err != nil {
			err.claims = policyClaims(e.id)
			return err
		}
	}
	return nil
}

// isAbout tells whether the conditions of a policy other than its users hold for
// a visitor's program: on a device nobody knows, at no risk, and where the customer
// lets people sign in from. The vendor's program may be elsewhere. What is about
// device codes is looked at where they are.
func isAbout(conditions object, resource string) bool {
	holds := func(o object, list string, want ...any) bool {
		items, _ := o[list].([]any)
		return slices.ContainsFunc(want, func(w any) bool { return slices.Contains(items, w) })
	}
	apps, places, platforms := part(conditions, "applications"), part(conditions, "locations"), part(conditions, "platforms")
	named := holds(apps, "includeApplications", "All", resource) || inOffice(resource) && holds(apps, "includeApplications", "Office365")
	flows := str(part(conditions, "authenticationFlows"), "transferMethods")
	switch {
	case !named || holds(apps, "excludeApplications", resource), flows != "" && flows != "none", part(conditions, "clientApplications") != nil:
		return false
	case !holds(conditions, "clientAppTypes", "all", "browser", "mobileAppsAndDesktopClients"):
		return false // about programs that sign in with nothing but a password
	case places != nil && (!holds(places, "includeLocations", "All") || filled(places, "excludeLocations")):
		return false
	case platforms != nil && (!holds(platforms, "includePlatforms", "all") || filled(platforms, "excludePlatforms")):
		return false
	case str(part(part(conditions, "devices"), "deviceFilter"), "mode") == "include":
		return false
	}
	return !filled(conditions, "userRiskLevels") && !filled(conditions, "signInRiskLevels")
}

// inOffice tells whether an API is one of those that policies call Office365.
func inOffice(resource string) bool {
	return slices.Contains([]string{catalog.ExchangeAppID, sharePointAppID, teamsAdminAppID}, resource)
}

// unmet is what of a policy's demands a visitor does not meet; nil when it is
// nothing.
// https://learn.microsoft.com/graph/api/resources/conditionalaccessgrantcontrols
func unmet(controls object, mfa bool, resource string) *stsError {
	demands, _ := controls["builtInControls"].([]any)
	demands = slices.Clone(demands)
	if controls["authenticationStrength"] != nil {
		demands = append(demands, "mfa")
	}
	if filled(controls, "customAuthenticationFactors") || filled(controls, "termsOfUse") {
		demands = append(demands, "elsewhere")
	}
	var first *stsError
	for _, control := range demands {
		switch {
		case control != "mfa" || !mfa:
			if first == nil {
				first = demanded(control, resource)
			}
		case str(controls, "operator") == "OR":
			return nil
		}
	}
	return first
}

// demanded is the refusal of somebody who does not meet a control.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func demanded(control any, resource string) *stsError {
	err := refuse("invalid_grant", 53003, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.")
	err.sub = "message_only"
	switch control {
	case "mfa":
		err.sub, err.code = "basic_action", 50076
		err.text = "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '" + resource + "'."
	case "compliantDevice":
		err.code, err.text = 53000, "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant. The user must enroll their device with an approved MDM provider like Intune."
	case "domainJoinedDevice":
		err.code, err.text = 53001, "Device is not in required device state: domain_joined. Conditional Access policy requires a domain joined device, and the device is not domain joined."
	case "approvedApplication":
		err.code, err.text = 53002, "The app used isn't an approved app for Conditional Access. User needs to use one of the apps from the list of approved applications to use in order to get access."
	case "compliantApplication":
		err.code, err.text = 53009, "Application needs to enforce Intune protection policies."
	case "elsewhere":
		err.sub, err.code = "basic_action", 50158
		err.text = "External security challenge not satisfied. User will be redirected to another page or authentication provider to satisfy additional authentication challenges."
	}
	return err
}
