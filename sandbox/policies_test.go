package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const accessPolicies = "/identity/conditionalAccess/policies"

func TestSecurityDefaultsAndAuthorizationPolicy(t *testing.T) {
	for scenario, want := range map[string][2]bool{ // security defaults, members register apps
		"happy": {false, true}, "security-defaults": {true, true}, "no-role": {false, false},
	} {
		w := start(t, sandbox.Options{Scenario: scenario, Approve: sandbox.ApproveManual})
		admin := w.cloud.Tenant().Admin
		if scenario == "no-role" {
			admin = "owner@contoso.onmicrosoft.com"
		}
		w.token = w.signInAs(admin, gct, everything)
		defaults := w.do("GET", "/policies/identitySecurityDefaultsEnforcementPolicy?$select=isEnabled", nil).want(200).body["isEnabled"]
		permissions := w.do("GET", "/policies/authorizationPolicy", nil).want(200).body["defaultUserRolePermissions"].(map[string]any)
		if defaults != want[0] || permissions["allowedToCreateApps"] != want[1] {
			t.Errorf("%s: security defaults %v, members register apps %v", scenario, defaults, permissions["allowedToCreateApps"])
		}
	}
	// The scope alone is not enough, and neither is the role.
	w := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	w.token = w.signInAs(w.cloud.Tenant().Admin, azureCLI, "https://graph.microsoft.com/.default")
	for _, path := range []string{accessPolicies, accessPolicies + "/11111111-1111-4111-8111-111111111111", "/policies/identitySecurityDefaultsEnforcementPolicy"} {
		w.do("GET", path, nil).fails(403, "AccessDenied", "required scopes are missing in the token")
	}
	w.do("GET", "/policies/authorizationPolicy", nil).fails(403, "Authorization_RequestDenied", "")
	w = start(t, sandbox.Options{Scenario: "eligible-role", Approve: sandbox.ApproveNow})
	w.token = w.signIn(gct, "User.Read Policy.Read.All openid")["access_token"].(string)
	for _, path := range []string{accessPolicies, "/policies/identitySecurityDefaultsEnforcementPolicy"} {
		w.do("GET", path, nil).fails(403, "AccessDenied", "required scopes are missing in the token")
	}
	w.do("GET", "/policies/authorizationPolicy", nil).want(200)
}

func TestConditionalAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := signedIn(t, sandbox.Options{Scenario: "policies"})
		admin := w.do("GET", "/me?$select=id", nil).want(200).id()
		list := w.do("GET", accessPolicies, nil).want(200).values()
		var seen []string
		for _, p := range list {
			conditions := p["conditions"].(map[string]any)
			users := conditions["users"].(map[string]any)
			line := fmt.Sprint(p["displayName"], " ", p["state"], " ", users["includeUsers"], " ", slices.Contains(users["excludeUsers"].([]any), any(admin)))
			if flows, ok := conditions["authenticationFlows"].(map[string]any); ok {
				line += fmt.Sprint(" ", flows["transferMethods"])
			}
			if places, ok := conditions["locations"].(map[string]any); ok {
				line += fmt.Sprint(" ", places["includeLocations"], " but ", places["excludeLocations"])
			}
			if grant, ok := p["grantControls"].(map[string]any); ok {
				line += fmt.Sprint(" ", grant["builtInControls"])
			}
			if session, ok := p["sessionControls"].(map[string]any); ok {
				frequency := session["signInFrequency"].(map[string]any)
				line += fmt.Sprint(" ", frequency["value"], " ", frequency["type"])
			}
			if p["templateId"] != nil {
				line += " template"
			}
			seen = append(seen, line)
		}
		want := []string{
			"Microsoft-managed: Block device code flow enabled [All] true deviceCodeFlow [block] template",
			"Require a compliant device for everybody enabled [All] true [compliantDevice]",
			"Block sign-ins from outside the offices enabled [All] true [All] but [AllTrusted] [block]",
			"Sign in every hour enabled [All] false 1 hours",
			"Require multifactor authentication for administrators enabledForReportingButNotEnforced [] false [mfa]",
		}
		if !slices.Equal(seen, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
		}

		// One request a second for the tenant, in batches too, and no word on when to
		// come back.
		r := w.do("GET", accessPolicies+"/"+list[0]["id"].(string), nil).fails(429, "TooManyRequests", "")
		if r.header.Get("Retry-After") != "" {
			t.Error("the service says when to come back")
		}
		time.Sleep(time.Second)
		item := map[string]any{"id": "1", "method": "GET", "url": accessPolicies}
		batch := w.do("POST", "/$batch", map[string]any{"requests": []any{item, map[string]any{"id": "2", "method": "GET", "url": accessPolicies}}}).want(200)
		status := map[any]any{}
		for _, v := range batch.body["responses"].([]any) {
			status[v.(map[string]any)["id"]] = v.(map[string]any)["status"]
		}
		if status["1"] != 200.0 || status["2"] != 429.0 {
			t.Errorf("two items of a batch: %v", status)
		}
		time.Sleep(time.Second)
		w.do("GET", accessPolicies+"/"+list[0]["id"].(string), nil).want(200)
		time.Sleep(time.Second)
		w.do("GET", accessPolicies+"/11111111-1111-4111-8111-111111111111", nil).fails(404, "ResourceNotFound", "")
		time.Sleep(time.Second)
		if got := w.do("GET", accessPolicies+"?$filter=state eq 'enabled'&$select=id", nil).want(200).values(); len(got) != 4 {
			t.Errorf("%d policies are enabled", len(got))
		}
	})
}

// A tenant that blocks device codes says so to whoever gets in another way.
func TestDeviceCodeBlockIsAPolicy(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "device-code-blocked", Approve: sandbox.ApproveManual})
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", gct, "scope", everything).want(200).body
	if err := w.cloud.Approve(code["user_code"].(string), ""); err == nil || !strings.Contains(err.Error(), "53003") {
		t.Errorf("the browser shows %v", err)
	}
}

func TestLicences(t *testing.T) {
	for scenario, want := range map[string]struct {
		sku      string
		premium  []string
		policies int
		eligible int
	}{
		"happy":         {"SPE_E5", []string{"AAD_PREMIUM", "AAD_PREMIUM_P2"}, 200, 200},
		"single-tenant": {"SPB", []string{"AAD_PREMIUM"}, 200, 400},
		"no-p1":         {"O365_BUSINESS_PREMIUM", nil, 403, 400},
	} {
		w := signedIn(t, sandbox.Options{Scenario: scenario})
		w.token = w.signIn(gct, everything+" RoleManagement.Read.Directory")["access_token"].(string)
		sku := w.do("GET", "/subscribedSkus", nil).want(200).values()[0]
		var premium []string
		assigned := 0
		for _, p := range sku["servicePlans"].([]any) {
			if name := p.(map[string]any)["servicePlanName"].(string); strings.HasPrefix(name, "AAD_PREMIUM") {
				premium = append(premium, name)
			}
		}
		for _, p := range w.do("GET", "/organization", nil).want(200).values()[0]["assignedPlans"].([]any) {
			if p.(map[string]any)["service"] == "AADPremiumService" {
				assigned++
			}
		}
		if sku["skuPartNumber"] != want.sku || !slices.Equal(premium, want.premium) || assigned != len(premium) {
			t.Errorf("%s: %v with %v, %d assigned", scenario, sku["skuPartNumber"], premium, assigned)
		}
		if r := w.do("GET", accessPolicies, nil); want.policies == 403 {
			r.fails(403, "AccessDenied", "not licensed for this feature")
		} else {
			r.want(200)
		}
		for _, path := range []string{"", "/filterByCurrentUser(on='principal')"} {
			if r := w.do("GET", "/roleManagement/directory/roleEligibilityScheduleInstances"+path, nil); want.eligible == 400 {
				r.fails(400, "AadPremiumLicenseRequired", "Microsoft Entra ID P2")
			} else {
				r.want(200)
			}
		}
	}
}

func TestEligibility(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "eligible-role", Approve: sandbox.ApproveManual})
	const path = "/roleManagement/directory/roleEligibilityScheduleInstances"
	admin := w.cloud.Tenant().Admin
	const owner, scope = "owner@contoso.onmicrosoft.com", "User.Read RoleManagement.Read.Directory openid"
	w.token = w.signInAs(owner, gct, scope)
	all := w.do("GET", path+"?$expand=roleDefinition,principal", nil).want(200).values()
	if len(all) != 1 || all[0]["roleDefinition"].(map[string]any)["displayName"] != "Global Administrator" {
		t.Fatalf("eligible: %v", all)
	}
	if mine := w.do("GET", path+"/filterByCurrentUser(on='principal')", nil).want(200).values(); len(mine) != 0 {
		t.Errorf("%s is eligible for %v", owner, mine)
	}
	w.token = w.signInAs(admin, gct, scope)
	mine := w.do("GET", path+"/filterByCurrentUser(on='principal')", nil).want(200).values()
	if len(mine) != 1 || mine[0]["roleDefinitionId"] != catalog.RoleGlobalAdministrator {
		t.Errorf("%s is eligible for %v", admin, mine)
	}
	w.do("GET", path, nil).fails(403, "Authorization_RequestDenied", "")
	w.do("GET", path+"/filterByCurrentUser(on='nonsense')", nil).fails(400, "Request_BadRequest", "nonsense")
	w.token = w.signInAs(admin, azureCLI, "https://graph.microsoft.com/.default")
	w.do("GET", path+"/filterByCurrentUser(on='principal')", nil).fails(403, "Authorization_RequestDenied", "")
}

// What somebody is a member of comes with its id only when the token may not read
// such objects.
func TestMemberships(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	w.token = w.signIn(gct, "User.Read openid")["access_token"].(string)
	const groups = "/me/transitiveMemberOf/microsoft.graph.group"
	hidden := w.do("GET", groups, nil).want(200).values()
	if len(hidden) != 1 || hidden[0]["id"] == "" || hidden[0]["displayName"] != nil || hidden[0]["securityEnabled"] != nil {
		t.Fatalf("groups: %v", hidden)
	}
	if got := w.do("GET", groups+"?$filter=displayName eq 'AdminAgents'", nil).want(200).values(); len(got) != 0 {
		t.Errorf("found by a name that may not be read: %v", got)
	}
	for _, v := range w.do("GET", "/me/memberOf", nil).want(200).values() {
		if v["displayName"] != nil || v["@odata.type"] == nil {
			t.Errorf("a membership: %v", v)
		}
	}
	id := hidden[0]["id"].(string)
	in := w.do("POST", "/me/checkMemberGroups", map[string]any{"groupIds": []string{id, "11111111-1111-4111-8111-111111111111"}}).want(200).body["value"].([]any)
	if !slices.Equal(in, []any{id}) {
		t.Errorf("checkMemberGroups: %v", in)
	}
	w.do("POST", "/me/checkMemberGroups", map[string]any{"groupIds": make([]string, 21)}).fails(400, "Request_BadRequest", "At most 20")
	for _, r := range w.cloud.Requests() {
		if r.Write {
			t.Errorf("%s %s counts as a write", r.Method, r.URL)
		}
	}
	for _, scope := range []string{"GroupMember.Read.All", "Directory.Read.All"} {
		w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
		w.token = w.signIn(gct, "User.Read openid "+scope)["access_token"].(string)
		if got := w.do("GET", groups+"?$filter=displayName eq 'AdminAgents'", nil).want(200).values(); len(got) != 1 {
			t.Errorf("%s: %v", scope, got)
		}
	}
	w = start(t, sandbox.Options{Scenario: "not-admin-agent", Approve: sandbox.ApproveNow})
	w.token = w.signIn(gct, everything)["access_token"].(string)
	if got := w.do("GET", groups, nil).want(200).values(); len(got) != 0 {
		t.Errorf("not an agent, but in %v", got)
	}
}

func TestPartnersAndLegacyApps(t *testing.T) {
	for scenario, want := range map[string]any{
		"happy": "resellerPartnerDelegatedAdmin", "indirect-reseller": "valueAddedResellerPartnerDelegatedAdmin", "single-tenant": nil,
	} {
		w := signedIn(t, sandbox.Options{Scenario: scenario})
		if got := w.do("GET", "/organization?$select=partnerTenantType", nil).want(200).values()[0]["partnerTenantType"]; got != want {
			t.Errorf("%s: partnerTenantType %v", scenario, got)
		}
	}
	w := signedIn(t, sandbox.Options{Scenario: "legacy-apps"})
	for id, name := range map[string]string{
		"9359814a-7403-4af9-9113-d5c8cab020ed": "Rewst CSP Connector", "06bfda05-2d5e-4b3b-ac5d-79f07e402973": "Rewst Prod",
		"c19d36e8-6537-4998-9872-ea8b962bd0b6": "Rewst Azure Integration",
	} {
		found := w.do("GET", "/servicePrincipals(appId='"+id+"')", nil).want(200).body
		if found["displayName"] != name || found["appOwnerOrganizationId"] == w.cloud.Tenant().ID {
			t.Errorf("%s: %v of %v", id, found["displayName"], found["appOwnerOrganizationId"])
		}
	}
}
