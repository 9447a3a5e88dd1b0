package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
)

// Kinds of what decides about sign-ins and roles.
const (
	kindAccessPolicy = "conditionalAccessPolicy"
	kindEligibility  = "roleEligibilityScheduleInstance"
)

// ---- security defaults and what members may do

// accessReaders may read what decides about sign-ins, besides the permission.
// https://learn.microsoft.com/graph/api/conditionalaccessroot-list-policies
var accessReaders = []string{
	catalog.RoleGlobalAdministrator, roleGlobalReader, roleSecurityReader, roleSecurityAdmin, roleConditionalAccessAdmin,
}

// accessDenied is how the service behind Conditional Access says no.
func accessDenied() *graphError {
	return fail(http.StatusForbidden, "AccessDenied", "You cannot perform the requested operation, required scopes are missing in the token.")
}

// mayReadAccess: the service does not tell a missing role from a missing scope.
func (q *call) mayReadAccess() error {
	if q.person(accessReaders...) != nil {
		return accessDenied()
	}
	return nil
}

// securityDefaults tells whether the tenant has Microsoft's basic protection on.
// https://learn.microsoft.com/graph/api/identitysecuritydefaultsenforcementpolicy-get
func (q *call) securityDefaults() (*result, error) {
	if err := q.mayReadAccess(); err != nil {
		return nil, err
	}
	data := object{
		"id": "00000000-0000-0000-0000-000000000005", "deletedDateTime": nil, "displayName": "Security Defaults", "isEnabled": q.t.securityDefaults,
		"description": "Security defaults is a set of basic identity security mechanisms recommended by Microsoft.",
	}
	return q.one(fixed("policy", data)(q.v)[0], data, "identitySecurityDefaultsEnforcementPolicy", "policies/identitySecurityDefaultsEnforcementPolicy")
}

// restrictedGuest is the role of guests in the tenants: limited access.
const restrictedGuest = "10dae51f-b6af-4016-8d66-8c2a99b929b3"

// authorizationPolicy is what people without a role may do.
// https://learn.microsoft.com/graph/api/authorizationpolicy-get
func (q *call) authorizationPolicy() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	data := object{
		"id": "authorizationPolicy", "deletedDateTime": nil, "displayName": "Authorization Policy",
		"description":      "Used to manage authorization related settings across the company.",
		"allowInvitesFrom": "everyone", "allowUserConsentForRiskyApps": nil, "allowedToSignUpEmailBasedSubscriptions": true, "allowedToUseSSPR": true,
		"allowEmailVerifiedUsersToJoinOrganization": false, "blockMsolPowerShell": false, "guestUserRoleId": restrictedGuest,
		"defaultUserRolePermissions": object{
			"allowedToCreateApps": q.t.membersCreateApps, "allowedToCreateSecurityGroups": true, "allowedToCreateTenants": true,
			"allowedToReadBitlockerKeysForOwnedDevice": true, "allowedToReadOtherUsers": true,
			"permissionGrantPoliciesAssigned": []any{"ManagePermissionGrantsForSelf.microsoft-user-default-legacy"},
		},
	}
	return q.one(fixed("policy", data)(q.v)[0], data, "authorizationPolicy", "policies/authorizationPolicy")
}

// ---- Conditional Access

// accessInterval: the service takes one request a second for a tenant.
// https://learn.microsoft.com/graph/throttling-limits
const accessInterval = time.Second

// conditionalAccess says whether the service answers at all, and people with one
// of these roles.
func (q *call) conditionalAccess(roles []string) error {
	now := q.c.now()
	if now.Sub(q.t.accessAsked) < accessInterval {
		// This service does not say when to come back.
		return throttled()
	}
	q.t.accessAsked = now
	if q.person(roles...) != nil {
		return accessDenied()
	}
	if !q.t.has("AAD_PREMIUM") {
		return fail(http.StatusForbidden, "AccessDenied", "Your tenant is not licensed for this feature.")
	}
	return nil
}

func (q *call) accessPolicies() (*result, error) {
	if err := q.conditionalAccess(accessReaders); err != nil {
		return nil, err
	}
	return q.list(listing{
		kind: kindAccessPolicy, context: "identity/conditionalAccess/policies",
		filters: map[string]string{"id": "eq", "displayName": "eq startswith", "state": "eq"},
		source:  func(v view) []*entity { return q.t.all(v, kindAccessPolicy) },
	})
}

func (q *call) accessPolicy() (*result, error) {
	if err := q.conditionalAccess(accessReaders); err != nil {
		return nil, err
	}
	e, err := q.policyNamed()
	if err != nil {
		return nil, err
	}
	return q.one(e, e.read(q.v), kindAccessPolicy, "identity/conditionalAccess/policies")
}

// accessRule is a Conditional Access policy in the few words the scenarios need.
type accessRule struct {
	name     string
	state    string // "" is enabled
	managed  bool   // made by Microsoft
	exclude  []any  // users; everybody else is included
	roles    []any  // directory roles, instead of everybody
	groups   []any  // groups, instead of everybody
	flows    string // authentication flows it is about
	location bool   // everywhere but trusted locations
	controls []any  // what it demands
	factors  []any  // another company's multifactor authentication
	hours    int    // sign-in frequency
	clients  []any  // kinds of programs, instead of all
	// People from elsewhere: who is meant instead of everybody, and who is spared.
	strangers, spare object
}

// addAccessRule puts a policy into the tenant in the form the service sends,
// where what a policy does not use is there and empty.
// https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
func (c *Cloud) addAccessRule(t *tenant, r accessRule) {
	users := with(blankAccessPart("users"), object{
		"includeUsers": []any{"All"}, "excludeUsers": list(r.exclude), "includeGroups": list(r.groups), "includeRoles": list(r.roles),
	})
	if r.roles != nil || r.groups != nil || r.strangers != nil {
		users["includeUsers"] = []any{}
	}
	if r.strangers != nil {
		users["includeGuestsOrExternalUsers"] = r.strangers
	}
	if r.spare != nil {
		users["excludeGuestsOrExternalUsers"] = r.spare
	}
	conditions := with(blankConditions(), object{
		"applications":   with(blankAccessPart("applications"), object{"includeApplications": []any{"All"}}),
		"clientAppTypes": []any{"all"}, "users": users,
	})
	if r.clients != nil {
		conditions["clientAppTypes"] = r.clients
	}
	if r.flows != "" {
		conditions["authenticationFlows"] = object{"transferMethods": r.flows}
	}
	if r.location {
		conditions["locations"] = object{"includeLocations": []any{"All"}, "excludeLocations": []any{"AllTrusted"}}
	}
	data := object{
		"conditions": conditions, "createdDateTime": founded, "deletedDateTime": nil, "description": nil, "displayName": r.name, "grantControls": nil,
		"modifiedDateTime": nil, "sessionControls": nil, "state": "enabled", "templateId": nil,
	}
	if r.state != "" {
		data["state"] = r.state
	}
	if r.managed {
		data["displayName"], data["templateId"] = "Microsoft-managed: "+r.name, namedGUID("access template "+r.name)
	}
	if r.controls != nil || r.factors != nil {
		data["grantControls"] = with(blankGrantControls(), object{"operator": "OR", "builtInControls": list(r.controls), "customAuthenticationFactors": list(r.factors)})
	}
	if r.hours > 0 {
		data["sessionControls"] = with(blankSessionControls(), object{
			"signInFrequency": object{
				"authenticationType": "primaryAndSecondaryAuthentication", "frequencyInterval": "timeBased", "isEnabled": true, "type": "hours", "value": r.hours,
			},
		})
	}
	c.add(t, kindAccessPolicy, namedGUID(t.id+" access "+r.name), data, true)
}

// deviceCodeRule blocks signing in with a code, for all but these users.
func deviceCodeRule(exclude ...any) accessRule {
	return accessRule{name: "Block device code flow", managed: true, exclude: exclude, flows: "deviceCodeFlow", controls: []any{"block"}}
}

// setupPolicies: the account that signs in is exempt from what would keep it
// out, as the one of an administrator who made such policies is. Another one is
// not.
func setupPolicies(c *Cloud, t *tenant) {
	setupSecondAdmin(c, t)
	admin := t.userNamed(t.admin).id
	for _, r := range []accessRule{
		deviceCodeRule(admin),
		{name: "Require a compliant device for everybody", exclude: []any{admin}, controls: []any{"compliantDevice"}},
		{name: "Block sign-ins from outside the offices", exclude: []any{admin}, location: true, controls: []any{"block"}},
		{name: "Sign in every hour", hours: 1},
		{
			name: "Require multifactor authentication for administrators", state: "enabledForReportingButNotEnforced",
			roles: []any{catalog.RoleGlobalAdministrator}, controls: []any{"mfa"},
		},
	} {
		c.addAccessRule(t, r)
	}
}

// ---- roles that can be activated

// eligibilityReaders may read everybody's eligibility; of their own everybody may.
// https://learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityscheduleinstances
var eligibilityReaders = []string{
	catalog.RoleGlobalAdministrator, catalog.RolePrivilegedRoleAdministrator, roleGlobalReader, roleSecurityReader, roleSecurityAdmin,
}

// eligibility lists who could activate which role (Privileged Identity
// Management).
func (q *call) eligibility() (*result, error) {
	own := strings.Contains(q.path, "/filterByCurrentUser(")
	switch {
	case own && q.keys[0] != "principal":
		return nil, badRequest("Invalid value '%s' for the parameter 'on'.", q.keys[0])
	case own && q.tok.IDType == "app":
		return nil, badRequest("filterByCurrentUser is only valid with delegated authentication flow.")
	case !own && q.person(eligibilityReaders...) != nil:
		return nil, denied()
	case !q.t.has("AAD_PREMIUM_P2"):
		return nil, fail(http.StatusBadRequest, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.")
	}
	return q.list(listing{
		kind: "unifiedRoleEligibilityScheduleInstance", context: "roleManagement/directory/roleEligibilityScheduleInstances",
		filters: map[string]string{"principalId": "eq", "roleDefinitionId": "eq", "directoryScopeId": "eq"},
		source: func(v view) []*entity {
			return slices.DeleteFunc(q.t.all(v, kindEligibility), func(e *entity) bool { return own && str(e.read(v), "principalId") != q.tok.ObjectID })
		},
	})
}
