package sandbox_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// rule is the policy the vendor asks for.
func rule(name, user string) fields {
	return fields{
		"displayName": name, "state": "enabled", "grantControls": fields{"operator": "OR", "builtInControls": []string{"mfa"}},
		"conditions": fields{
			"clientAppTypes": []string{"all"}, "applications": fields{"includeApplications": []string{"All"}}, "users": fields{"includeUsers": []string{user}},
		},
	}
}

// access asks Conditional Access, not more than once a second.
func (w *world) access(method, path string, body any) reply {
	w.t.Helper()
	w.cloud.Advance(time.Second)
	return w.do(method, accessPolicies+path, body)
}

// users is what a policy that is read says of people.
func (r reply) users() map[string]any {
	return r.body["conditions"].(map[string]any)["users"].(map[string]any)
}

func TestWriteAccessPolicies(t *testing.T) {
	w := managing(t, "happy")
	admin := w.do("GET", "/me", nil).want(200).id()
	change := func(part string, value any) fields {
		r := rule("x", admin)
		if part == "" {
			return value.(fields)
		}
		if _, top := r[part]; top || part == "sessionControls" {
			r[part] = value
		} else {
			r["conditions"].(fields)[part] = value
		}
		return r
	}
	for _, bad := range []struct {
		part  string
		value any
		text  string
	}{
		{"", fields{}, "1007: Incoming ConditionalAccessPolicy object is null or does not match the schema of ConditionalAccessPolicy type."},
		{"state", "on", "1007: "},
		{"displayName", nil, "1007: "},
		{"platforms", nil, "1007: "},
		{"users", fields{"includeUsers": []string{"All"}, "excludeGuestsOrExternalUsers": nil}, "1007: "},
		{"users", fields{"includeUsers": "All"}, "1007: "},
		{"users", fields{}, "'users' condition must include"},
		{"users", fields{"includeUsers": []string{}, "excludeUsers": []string{admin}}, "'users' condition must include"},
		{"users", fields{"includeUsers": []string{unknownID}}, "invalid user ids: " + unknownID},
		{"users", fields{"includeUsers": []string{"Everybody"}}, "invalid user ids: Everybody"},
		{"users", fields{"includeGroups": []string{admin}}, "invalid group ids: " + admin},
		{"users", fields{"includeRoles": []string{"All"}}, "1102: 'users' condition contains invalid role ids: All."},
		{"users", fields{"includeUsers": []string{"All"}, "excludeUsers": []string{"GuestsOrExternalUsers"}, "excludeGuestsOrExternalUsers": fields{"guestOrExternalUserTypes": "serviceProvider"}}, "cannot be combined with guestOrExternalUsers"},
		{"applications", fields{}, "'applications' condition must include"},
		{"applications", fields{"includeApplications": []string{"All"}, "includeUserActions": []string{"urn:user:registersecurityinfo"}}, "1012: "},
		{"clientAppTypes", []string{}, "1007: "},
		{"grantControls", nil, "must have grant controls or session controls"},
		{"grantControls", fields{"operator": "OR", "builtInControls": []string{"block", "mfa"}}, "'block' cannot be combined"},
		{"grantControls", fields{"operator": "OR"}, "1007: "},
	} {
		w.access("POST", "", change(bad.part, bad.value)).fails(400, "BadRequest", bad.text)
	}
	made := w.access("POST", "", rule("Rewst Conditional Access Policy", admin)).want(201)
	if made.body["modifiedDateTime"] != nil || made.body["createdDateTime"] == nil || made.users()["excludeGroups"] == nil {
		t.Errorf("made: %s", made.raw)
	}
	w.do("GET", accessPolicies, nil).fails(429, "TooManyRequests", "") // writes count
	path := "/" + made.id()

	// A part of the conditions takes the place of the one before; the others stay.
	w.access("PATCH", path, fields{"conditions": fields{"users": fields{"includeUsers": []string{"All"}, "excludeUsers": []string{admin}}}}).want(204)
	seen := w.access("GET", path, nil).want(200)
	conditions := seen.body["conditions"].(map[string]any)
	if fmt.Sprint(seen.users()["includeUsers"], seen.users()["excludeUsers"], conditions["clientAppTypes"]) != "[All] ["+admin+"] [all]" || seen.body["modifiedDateTime"] == nil {
		t.Errorf("after: %s", seen.raw)
	}
	w.access("PATCH", path, fields{"conditions": fields{"users": fields{"includeUsers": []string{"All"}}}}).want(204)
	if got := w.access("GET", path, nil).want(200).users()["excludeUsers"]; len(got.([]any)) != 0 {
		t.Errorf("what is not sent of the users stays: %v", got)
	}
	w.access("PATCH", path, fields{"conditions": fields{"users": fields{"excludeUsers": []string{admin}}}}).fails(400, "BadRequest", "must include")
	w.access("PATCH", path, fields{"conditions": conditions}).fails(400, "BadRequest", "1007: ")
	w.access("PATCH", path, fields{"templateId": nil}).fails(400, "BadRequest", "1118: TemplateId is a read-only field and cannot be updated.")
	w.access("PATCH", path, fields{}).fails(400, "BadRequest", "1007: ")
	tenant := w.cloud.Tenant().ID
	provider := fields{"guestOrExternalUserTypes": "serviceProvider", "externalTenants": fields{
		"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": []string{tenant},
	}}
	w.access("PATCH", path, fields{"conditions": fields{"users": fields{"includeUsers": []string{"All"}, "excludeGuestsOrExternalUsers": provider}}}).want(204)
	if got := w.access("GET", path, nil).want(200).raw; !strings.Contains(got, "#microsoft.graph.conditionalAccessEnumeratedExternalTenants") || !strings.Contains(got, tenant) {
		t.Errorf("external tenants: %s", got)
	}
	frequency := fields{"isEnabled": true, "type": "hours", "value": 4, "frequencyInterval": "timeBased", "authenticationType": "primaryAndSecondaryAuthentication"}
	w.access("PATCH", path, fields{"grantControls": nil, "sessionControls": fields{"signInFrequency": frequency}}).want(204)
	if got := w.access("GET", path, nil).want(200).body; got["grantControls"] != nil || got["sessionControls"].(map[string]any)["signInFrequency"].(map[string]any)["value"] != 4.0 {
		t.Errorf("controls: %v", got)
	}
	w.access("DELETE", path, nil).want(204)
	w.access("DELETE", path, nil).fails(404, "ResourceNotFound", "")
	w.access("PATCH", path, fields{"state": "disabled"}).fails(404, "ResourceNotFound", "")

	// Whoever is deleted stays named, and does not get into the way of changes.
	id := w.do("POST", "/users", account(nil)).want(201).id()
	path = "/" + w.access("POST", "", rule("x", id)).want(201).id()
	w.do("DELETE", "/users/"+id, nil).want(204)
	if got := w.access("GET", path, nil).want(200).users()["includeUsers"]; fmt.Sprint(got) != "["+id+"]" {
		t.Errorf("named: %v", got)
	}
	w.access("PATCH", path, fields{"conditions": fields{"users": fields{"includeUsers": []string{id}, "excludeUsers": []string{admin}}}}).want(204)
	w.access("PATCH", path, fields{"conditions": fields{"users": fields{"includeUsers": []string{"All"}, "excludeUsers": []string{id}}}}).fails(400, "BadRequest", "invalid user ids: "+id)
	if d, _ := json.Marshal(w.cloud.Digest().Tenants["Contoso"].Policies); !strings.Contains(string(d), "deleted rewst@contoso.onmicrosoft.com") {
		t.Errorf("digest: %s", d)
	}
}

func TestAccessPolicyRefusals(t *testing.T) {
	w := managing(t, "happy")
	admin := w.do("GET", "/me", nil).want(200).id()
	path := "/" + w.access("POST", "", rule("x", admin)).want(201).id()
	w.become("megan@contoso.onmicrosoft.com", "", "5d6b6bb7-de71-4623-b4af-96380a352509") // Security Reader
	w.access("GET", path, nil).want(200)
	w.access("POST", "", rule("x", admin)).fails(403, "AccessDenied", "required scopes are missing in the token")
	w.access("DELETE", path, nil).fails(403, "AccessDenied", "")
	w.become("admin@contoso.onmicrosoft.com", "")
	w.become("adele@contoso.onmicrosoft.com", "", "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9") // Conditional Access Administrator
	w.access("PATCH", path, fields{"state": "disabled"}).want(204)
	// Each of the three permissions is needed.
	for _, missing := range []string{"Policy.Read.All", "Policy.ReadWrite.ConditionalAccess", "Application.Read.All"} {
		w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
		w.token = w.signIn(gct, strings.Replace(strings.Replace(accountScopes, missing, "", 1), "Directory.Read.All", "", 1))["access_token"].(string)
		w.access("POST", "", rule("x", admin)).fails(403, "AccessDenied", "required scopes are missing in the token")
	}
	w = managing(t, "no-p1")
	w.access("POST", "", rule("x", admin)).fails(403, "AccessDenied", "Your tenant is not licensed for this feature")
	w = managing(t, "security-defaults")
	w.access("POST", "", rule("x", admin)).fails(400, "BadRequest", "Security Defaults is enabled in the tenant. You must disable Security defaults before enabling a Conditional Access policy.")
	report := rule("x", admin)
	report["state"] = "enabledForReportingButNotEnforced"
	path = "/" + w.access("POST", "", report).want(201).id()
	w.access("PATCH", path, fields{"state": "enabled"}).fails(400, "BadRequest", "Security Defaults is enabled")
	w = managing(t, "policy-limit")
	w.access("POST", "", rule("x", admin)).fails(400, "BadRequest", "maximum of 240")
}

func TestFivePolicies(t *testing.T) {
	w := managing(t, "five-policies")
	admin := w.do("GET", "/me", nil).want(200).id()
	account := w.do("GET", "/users/rewst@contoso.onmicrosoft.com?$select=id,accountEnabled,displayName", nil).want(200)
	if account.body["accountEnabled"] != true || account.body["displayName"] != "Rewst Service Account" || len(digestOf(t, w, "rewst@contoso.onmicrosoft.com").Roles) != 0 {
		t.Errorf("account: %s", account.raw)
	}
	if sku := w.do("GET", "/subscribedSkus", nil).want(200).values()[0]["skuPartNumber"]; sku != "SPB" {
		t.Errorf("licence %v", sku)
	}
	list := w.access("GET", "", nil).want(200).values()
	var names []string
	managed := ""
	for _, p := range list {
		names = append(names, p["displayName"].(string))
		if p["templateId"] != nil {
			managed = p["id"].(string)
		}
		if p["state"] != "enabled" {
			t.Errorf("%v is %v", p["displayName"], p["state"])
		}
	}
	want := []string{
		"Microsoft-managed: Block device code flow", "Require a compliant device for everybody", "Automation accounts sign in every hour",
		"Block sign-ins from outside the offices", "Require multifactor authentication for everybody",
	}
	if !slices.Equal(names, want) {
		t.Errorf("policies: %q", names)
	}
	// Of a policy of Microsoft's only the state and the exclusions can be changed.
	p := "/" + managed
	w.access("PATCH", p, fields{"displayName": "x"}).fails(400, "BadRequest", "Microsoft-managed policies")
	w.access("PATCH", p, fields{"conditions": fields{"users": fields{"includeUsers": []string{admin}}}}).fails(400, "BadRequest", "Microsoft-managed policies")
	w.access("PATCH", p, fields{"grantControls": fields{"operator": "OR", "builtInControls": []string{"mfa"}}}).fails(400, "BadRequest", "Microsoft-managed policies")
	w.access("PATCH", p, fields{"conditions": fields{"users": fields{"includeUsers": []string{"All"}, "excludeUsers": []string{admin, account.id()}}}}).want(204)
	w.access("PATCH", p, fields{"state": "disabled"}).want(204)
	w.access("PATCH", p, fields{"state": "enabled"}).want(204)
	w.access("DELETE", p, nil).fails(400, "BadRequest", "cannot be deleted")
	policies := w.cloud.Digest().Tenants["Contoso"].Policies
	i := slices.IndexFunc(policies, func(p sandbox.PolicyDigest) bool { return p.Managed })
	text, err := json.Marshal(policies[i])
	if err != nil {
		t.Fatal(err)
	}
	const shown = `{"name":"Microsoft-managed: Block device code flow","state":"enabled","managed":true,"conditions":{"applications":{"includeApplications":["All"]},"authenticationFlows":{"transferMethods":"deviceCodeFlow"},"clientAppTypes":["all"],"users":{"excludeUsers":["admin@contoso.onmicrosoft.com","rewst@contoso.onmicrosoft.com"],"includeUsers":["All"]}},"grant":{"builtInControls":["block"],"operator":"OR"}}`
	if string(text) != shown {
		t.Errorf("digest: %s", text)
	}
	if d, _ := json.Marshal(policies); !strings.Contains(string(d), `"includeGroups":["Contoso Automation Accounts"]`) || strings.Contains(string(d), admin) {
		t.Errorf("digest: %s", d)
	}
}

// A policy that reaches the account through a group ends its sign-in after an hour.
func TestPolicyThroughGroup(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "five-policies", Approve: sandbox.ApproveManual})
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", gct, "scope", "openid offline_access User.Read").want(200).body
	if err := w.cloud.Approve(code["user_code"].(string), "rewst@contoso.onmicrosoft.com"); err == nil || !strings.Contains(err.Error(), "53003") {
		t.Fatalf("a device code: %v", err)
	}
	admin := managing(t, "five-policies")
	policies := admin.access("GET", "", nil).want(200).values()
	id := admin.do("GET", "/users/rewst@contoso.onmicrosoft.com", nil).want(200).id()
	group := admin.do("GET", "/groups?$filter=displayName eq 'Contoso Automation Accounts'", nil).want(200).values()[0]["id"].(string)
	me := admin.do("GET", "/me", nil).want(200).id()
	admin.access("PATCH", "/"+policies[0]["id"].(string), fields{"conditions": fields{"users": fields{"includeUsers": []string{"All"}, "excludeUsers": []string{me}, "excludeGroups": []string{group}}}}).want(204)
	signIn := func() (string, reply) {
		admin.cloud.SignInAs("rewst@contoso.onmicrosoft.com")
		r := admin.signIn(gct, "openid offline_access User.Read")
		admin.cloud.Advance(61 * time.Minute)
		token := r["refresh_token"].(string)
		return token, admin.form(admin.cloud.Tenant().ID, "token", "client_id", gct, "grant_type", "refresh_token", "refresh_token", token, "scope", "openid User.Read")
	}
	_, r := signIn()
	r.aadsts("invalid_grant", 70043)
	admin.become("admin@contoso.onmicrosoft.com", "")
	admin.access("PATCH", "/"+policies[2]["id"].(string), fields{"conditions": fields{"users": fields{"includeGroups": []string{group}, "excludeUsers": []string{id}}}}).want(204)
	_, r = signIn()
	r.want(200)
}

// Somebody else changes a policy after the sixth write.
func TestPolicyEdited(t *testing.T) {
	w := managing(t, "policy-edited")
	adele := w.do("GET", "/users/adele@contoso.onmicrosoft.com", nil).want(200).id()
	path := "/" + w.access("GET", "", nil).want(200).values()[1]["id"].(string)
	for i := range 7 {
		out := w.access("GET", path, nil).want(200).users()["excludeUsers"].([]any)
		if slices.Contains(out, any(adele)) != (i >= 6) {
			t.Errorf("after %d writes: %v", i, out)
		}
		w.do("PATCH", "/users/adele@contoso.onmicrosoft.com", fields{"displayName": fmt.Sprint("Adele ", i)}).want(204)
	}
}

// The app demanded of everybody is another company's.
func TestForeignMFA(t *testing.T) {
	for scenario, want := range map[string]int{"happy": 0, "duo": 1} {
		w := managing(t, scenario)
		var found []string
		for _, c := range w.do("GET", "/policies/authenticationMethodsPolicy", nil).want(200).body["authenticationMethodConfigurations"].([]any) {
			if m := c.(map[string]any); strings.HasSuffix(m["@odata.type"].(string), "externalAuthenticationMethodConfiguration") {
				found = append(found, fmt.Sprint(m["displayName"], m["state"]))
			}
		}
		if len(found) != want || want == 1 && found[0] != "Duoenabled" {
			t.Errorf("%s: %v", scenario, found)
		}
		policies := w.access("GET", "", nil).want(200).values()
		if len(policies) != want || want == 1 && !strings.Contains(fmt.Sprint(policies[0]), "RequireDuoMfa") {
			t.Errorf("%s: %v", scenario, policies)
		}
	}
}

func TestAuthenticationOfUsers(t *testing.T) {
	const beta = "https://graph.microsoft.com/beta"
	w := managing(t, "happy")
	id := w.do("POST", "/users", account(nil)).want(201).id()
	own := "/users/" + id + "/authentication/"
	state := func() any { return w.do("GET", beta+own+"requirements", nil).want(200).body["perUserMfaState"] }
	if got := state(); got != "disabled" || digestOf(t, w, "rewst@contoso.onmicrosoft.com").MFA != "" {
		t.Errorf("at first: %v", got)
	}
	w.do("PATCH", beta+own+"requirements", fields{"perUserMfaState": "enforced"}).want(204)
	if got := state(); got != "enforced" || digestOf(t, w, "rewst@contoso.onmicrosoft.com").MFA != "enforced" {
		t.Errorf("after: %v", got)
	}
	w.do("PATCH", beta+own+"requirements", fields{"perUserMfaState": "on"}).fails(400, "Request_BadRequest", "perUserMfaState")
	w.do("GET", own+"requirements", nil).fails(400, "BadRequest", "Resource not found for the segment")
	batch := w.do("POST", beta+"/$batch", fields{"requests": []any{fields{"id": "1", "method": "GET", "url": own + "requirements"}}}).want(200)
	if !strings.Contains(batch.raw, `"enforced"`) {
		t.Errorf("in a batch: %s", batch.raw)
	}
	kinds := func() (list []string) {
		for _, m := range w.do("GET", own+"methods", nil).want(200).values() {
			list = append(list, m["@odata.type"].(string))
		}
		return list
	}
	report := func() map[string]any {
		return w.do("GET", "/reports/authenticationMethods/userRegistrationDetails/"+id, nil).want(200).body
	}
	if got := kinds(); !slices.Equal(got, []string{"#microsoft.graph.passwordAuthenticationMethod"}) || report()["isMfaRegistered"] != false {
		t.Errorf("methods at first: %v, %v", got, report())
	}
	w.cloud.SignInAs("rewst@contoso.onmicrosoft.com")
	w.signIn(gct, "openid User.Read")
	if got := kinds(); len(got) != 2 || report()["isMfaRegistered"] != true {
		t.Errorf("methods after a sign-in: %v, %v", got, report())
	}
	w.become("megan@contoso.onmicrosoft.com", "")
	w.do("GET", own+"methods", nil).fails(403, "accessDenied", "Request Authorization failed")
	w.do("GET", beta+own+"requirements", nil).fails(403, "accessDenied", "Request Authorization failed")
	w.do("PATCH", beta+own+"requirements", fields{"perUserMfaState": "disabled"}).fails(403, "accessDenied", "")
	w.do("GET", "/reports/authenticationMethods/userRegistrationDetails/"+id, nil).fails(403, "Authorization_RequestDenied", "")
	w.do("GET", "/policies/authenticationMethodsPolicy", nil).fails(403, "Authorization_RequestDenied", "")
	w.do("GET", "/users/megan@contoso.onmicrosoft.com/authentication/methods", nil).want(200)
	w.become("admin@contoso.onmicrosoft.com", "")
	w.become("adele@contoso.onmicrosoft.com", "", "0526716b-113d-4c15-b2c8-68e3c22b9f80") // Authentication Policy Administrator
	w.do("PATCH", beta+own+"requirements", fields{"perUserMfaState": "disabled"}).want(204)
	w.do("GET", own+"methods", nil).fails(403, "accessDenied", "")

	w = managing(t, "no-p1")
	w.do("GET", "/reports/authenticationMethods/userRegistrationDetails/"+unknownID, nil).fails(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
	for _, u := range w.cloud.Digest().Tenants["Contoso"].Users {
		if u.MFA != "" {
			t.Errorf("%s has per-user MFA", u.Name)
		}
	}
}

// An app's directory roles are in the digest, too.
func TestDigestOfAppRoles(t *testing.T) {
	w := managing(t, "connector-ready")
	sp := w.principal(catalog.VendorConnector)
	w.do("POST", givenRoles, giving(sp, catalog.RoleApplicationAdministrator)).want(201)
	for _, p := range w.cloud.Digest().Tenants["Contoso"].ServicePrincipals {
		if want := p.Name == catalog.VendorConnectorName; want != slices.Equal(p.Directory, []string{"Application Administrator"}) {
			t.Errorf("%s: %v", p.Name, p.Directory)
		}
	}
}
