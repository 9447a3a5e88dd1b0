package sandbox

import (
	"fmt"
	"slices"
	"time"

	"msbundle/catalog"
)

// organization is the tenant itself.
// https://learn.microsoft.com/graph/api/organization-get
func (q *call) organization() (*result, error) {
	t := q.t
	domains := []any{}
	for _, d := range t.domains() {
		domains = append(domains, object{
			"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": d.isDefault, "isInitial": d.isInitial, "name": d.name, "type": d.signIn,
		})
	}
	plans := []any{}
	for _, p := range t.licence.plans {
		plans = append(plans, object{"assignedDateTime": founded, "capabilityStatus": "Enabled", "service": p.service, "servicePlanId": p.id})
	}
	partnerType := any(nil)
	switch {
	case t.partner && t.indirect:
		partnerType = "valueAddedResellerPartnerDelegatedAdmin"
	case t.partner:
		partnerType = "resellerPartnerDelegatedAdmin"
	}
	return q.list(listing{kind: "organization", context: "organization", source: fixed("organization", object{
		"id": t.id, "assignedPlans": plans, "businessPhones": []any{}, "city": "Redmond", "country": nil, "countryLetterCode": "US",
		"createdDateTime": founded, "defaultUsageLocation": nil, "deletedDateTime": nil, "displayName": t.name, "marketingNotificationEmails": []any{},
		"onPremisesLastSyncDateTime": nil, "onPremisesSyncEnabled": nil, "partnerTenantType": partnerType, "postalCode": "98052", "preferredLanguage": "en",
		"privacyProfile": nil, "provisionedPlans": []any{}, "securityComplianceNotificationMails": []any{}, "securityComplianceNotificationPhones": []any{},
		"state": "WA", "street": nil, "technicalNotificationMails": []any{t.admin}, "tenantType": "AAD", "verifiedDomains": domains,
	})})
}

type domain struct {
	name                 string
	isDefault, isInitial bool
	signIn               string // who asks its people for their password
}

// Where the people of a domain sign in: here, or at the organisation's own
// identity provider.
const (
	managedDomain   = "Managed"
	federatedDomain = "Federated"
)

// domains: the first domain of a tenant is its default, as in a tenant that
// sends no mail from a name of its own yet. One that is federated does, and others may.
func (t *tenant) domains() []domain {
	byDefault := t.defaultDomain()
	own := domain{t.vanity(), byDefault == t.vanity(), false, managedDomain}
	if t.federated {
		own.signIn = federatedDomain
	}
	return []domain{{t.domain, byDefault == t.domain, true, managedDomain}, own}
}

func (q *call) domains() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	var all []object
	for _, d := range q.t.domains() {
		all = append(all, object{
			"id": d.name, "authenticationType": d.signIn, "availabilityStatus": nil, "isAdminManaged": true, "isDefault": d.isDefault,
			"isInitial": d.isInitial, "isRoot": true, "isVerified": true, "manufacturer": nil, "model": nil, "passwordNotificationWindowInDays": nil,
			"passwordValidityPeriodInDays": 2147483647, "state": nil, "supportedServices": []any{"Email", "OfficeCommunicationsOnline"},
		})
	}
	return q.list(listing{kind: "domain", context: "domains", source: fixed("domain", all...)})
}

// licence is what a tenant has bought: one product and the services in it.
// https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference
type licence struct {
	id, name string
	plans    []servicePlan
}

type servicePlan struct{ id, name, service string }

var (
	premium1           = servicePlan{"41781fb2-bc02-4b7c-bd55-b576c07bb09d", "AAD_PREMIUM", "AADPremiumService"}
	premium2           = servicePlan{"eec0eb4f-6444-4f95-aba0-50c24d67f998", "AAD_PREMIUM_P2", "AADPremiumService"}
	exchangeStandard   = servicePlan{"9aaf7827-d63c-4b61-89c3-182f06f82e5c", "EXCHANGE_S_STANDARD", "exchange"}
	exchangeEnterprise = servicePlan{"efb87545-963c-4e0d-99df-69c6916d9eb0", "EXCHANGE_S_ENTERPRISE", "exchange"}
	sharePointStandard = servicePlan{"c7699d2e-19aa-44de-8edf-1736da088ca1", "SHAREPOINTSTANDARD", "SharePoint"}
	sharePoint         = servicePlan{"5dbe027f-2339-4123-9542-606e4d348a72", "SHAREPOINTENTERPRISE", "SharePoint"}
	teams              = servicePlan{"57ff2da0-773e-42df-b2af-ffb7a2317929", "TEAMS1", "TeamspaceAPI"}
	intune             = servicePlan{"c1ec4a95-1f05-45b3-a911-aa3fa01094f5", "INTUNE_A", "SCO"}
	cloudApps          = servicePlan{"2e2ddb96-6af9-4b1d-a3f0-d6ecfd22edb2", "ADALLOM_S_STANDALONE", "Adallom"}

	enterprise5      = licence{"06ebc4ee-1bb5-47dd-8120-11324bc54e06", "SPE_E5", []servicePlan{premium1, premium2, exchangeEnterprise, sharePoint, teams, intune, cloudApps}}
	businessPremium  = licence{"cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", "SPB", []servicePlan{premium1, exchangeStandard, sharePointStandard, teams, intune}}
	businessStandard = licence{"f245ecc8-75af-4f8e-b61f-27d8114de5f3", "O365_BUSINESS_PREMIUM", []servicePlan{exchangeStandard, sharePointStandard, teams}}
)

// has tells whether the tenant has bought a service.
func (t *tenant) has(plan string) bool {
	return slices.ContainsFunc(t.licence.plans, func(p servicePlan) bool { return p.name == plan })
}

func (q *call) subscribedSkus() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	plans := []any{}
	for _, p := range q.t.licence.plans {
		plans = append(plans, object{"appliesTo": "User", "provisioningStatus": "Success", "servicePlanId": p.id, "servicePlanName": p.name})
	}
	sku := q.t.licence.id
	return q.list(listing{kind: "subscribedSku", context: "subscribedSkus", source: fixed("subscribedSku", object{
		"id": q.t.id + "_" + sku, "accountId": q.t.id, "accountName": q.t.name, "appliesTo": "User", "capabilityStatus": "Enabled",
		"consumedUnits": 4, "prepaidUnits": object{"enabled": 25, "lockedOut": 0, "suspended": 0, "warning": 0}, "servicePlans": plans,
		"skuId": sku, "skuPartNumber": q.t.licence.name, "subscriptionIds": []any{},
	})})
}

// ---- app management policies

const (
	defaultPolicyID   = "00000000-0000-0000-0000-000000000000"
	defaultPolicyName = "Default app management tenant policy"
)

func isoDays(d time.Duration) string { return fmt.Sprintf("P%dD", int(d/(24*time.Hour))) }

// policyReaders may read the tenant's policies, besides the permission.
var policyReaders = append(slices.Clone(appRoles), roleGlobalReader, roleSecurityReader, roleSecurityAdmin, catalog.RolePrivilegedRoleAdministrator)

// defaultAppManagementPolicy is the tenant's rule for secrets.
// https://learn.microsoft.com/graph/api/tenantappmanagementpolicy-get
func (q *call) defaultAppManagementPolicy() (*result, error) {
	if err := q.person(policyReaders...); err != nil {
		return nil, err
	}
	restrictions := []any{}
	restrict := func(kind string, lifetime any, state string) {
		restrictions = append(restrictions, object{
			"maxLifetime": lifetime, "restrictForAppsCreatedAfterDateTime": q.t.policySince.Format(time.RFC3339), "restrictionType": kind, "state": state,
		})
	}
	if q.t.secretsForbidden {
		restrict("passwordAddition", nil, "enabled")
		restrict("customPasswordAddition", nil, "enabled")
	}
	if q.t.secretLifetime > 0 {
		restrict("passwordLifetime", isoDays(q.t.secretLifetime), "enabled")
	}
	enabled := len(restrictions) > 0
	part := func(passwords []any) object {
		return object{"keyCredentials": []any{}, "passwordCredentials": passwords}
	}
	data := object{
		"id": defaultPolicyID, "deletedDateTime": nil, "displayName": defaultPolicyName,
		"description": "Default tenant policy that enforces app management restrictions on applications and service principals.",
		"isEnabled":   enabled, "applicationRestrictions": part(restrictions), "servicePrincipalRestrictions": part([]any{}),
	}
	return q.one(fixed("policy", data)(q.v)[0], data, "tenantAppManagementPolicy", "policies/defaultAppManagementPolicy")
}

// listAppPolicies: no app has a policy of its own.
func (q *call) listAppPolicies() (*result, error) {
	if _, err := q.application(); err != nil {
		return nil, err
	}
	if err := q.person(policyReaders...); err != nil {
		return nil, err
	}
	return q.list(listing{kind: "appManagementPolicy", context: "policies/appManagementPolicies", source: fixed("appManagementPolicy")})
}
