package sandbox_test

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// served is a world in which the service account is signed in with the Azure CLI
// and with a client that has permissions at the first customer.
type served struct {
	*world
	first    string // tenant id
	sessions map[string]string
}

const servedScopes = "Directory.Read.All RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory Policy.Read.All Policy.ReadWrite.ConditionalAccess Application.Read.All"

func serving(t *testing.T, o sandbox.Options) *served {
	t.Helper()
	o.Approve = sandbox.ApproveNow
	s := &served{world: start(t, o), sessions: map[string]string{}}
	s.first = s.cloud.CustomerIDs()[0]
	s.cloud.Consent("Directory.Read.All")
	for _, client := range []string{azureCLI, gct} {
		s.sessions[client] = s.signIn(client, "openid offline_access https://graph.microsoft.com/.default")["refresh_token"].(string)
	}
	s.cloud.ConsentAt(s.first, strings.Fields(servedScopes)...)
	return s
}

func (s *served) redeem(client, where string) reply {
	return s.form(where, "token", "grant_type", "refresh_token", "client_id", client, "refresh_token", s.sessions[client], "scope", "https://graph.microsoft.com/.default")
}

// as acts at a customer with a client from now on, and returns the roles held there.
func (s *served) as(client, where string) []string {
	s.t.Helper()
	s.token = s.redeem(client, where).want(200).body["access_token"].(string)
	return texts(claims(s.t, s.token)["wids"])
}

// The client nobody has to consent to is told by its token which roles the partner
// has; it may write what the roles allow, and may not read roles or policies.
func TestCustomerByAzureCLI(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customers-ready"})
	wids := s.as(azureCLI, s.first)
	for _, r := range catalog.ServiceRoles() {
		if !slices.Contains(wids, r.TemplateID) {
			t.Errorf("the token does not name %s", r.Name)
		}
	}
	s.do("GET", "/roleManagement/directory/roleAssignments", nil).fails(403, "Authorization_RequestDenied", "")
	s.do("GET", "/identity/conditionalAccess/policies", nil).fails(403, "AccessDenied", "")
	s.do("GET", "/organization", nil).want(200)
	if got := s.do("GET", "/users?$top=1&$select=id", nil).want(200).values(); len(got) != 1 {
		t.Errorf("users: %v", got)
	}
	api := s.do("POST", "/servicePrincipals", fields{"appId": catalog.ManagementAPIsAppID}).want(201).id()
	s.cloud.PutApp(s.first)
	app := "/servicePrincipals(appId='" + s.cloud.OwnedApp() + "')"
	client, graph := s.do("GET", app, nil).want(200).id(), s.principal(catalog.GraphAppID)
	s.do("POST", "/oauth2PermissionGrants", fields{"clientId": client, "consentType": "AllPrincipals", "resourceId": api, "scope": "ActivityFeed.Read"}).want(201)
	give := fields{"principalId": client, "resourceId": graph, "appRoleId": strings.ToUpper(permissionID(t, catalog.GraphAppID, "User.ReadWrite.All", catalog.Application))}
	made := s.do("POST", "/servicePrincipals/"+graph+"/appRoleAssignedTo", give).want(201)
	if made.body["principalDisplayName"] != "Rewst Integration" || made.body["resourceDisplayName"] != "Microsoft Graph" {
		t.Errorf("assignment: %v", made.body)
	}
	s.do("POST", "/servicePrincipals/"+client+"/appRoleAssignments", give).fails(400, "Request_BadRequest", "already exists")
	give["appRoleId"] = unknownID
	s.do("POST", "/servicePrincipals/"+graph+"/appRoleAssignedTo", give).fails(400, "Request_BadRequest", "was not found on application")
	if got := s.do("GET", "/servicePrincipals/"+client+"/appRoleAssignments?$filter=resourceId eq "+graph, nil).want(200).values(); len(got) != 1 || got[0]["id"] != made.id() {
		t.Errorf("assignments: %v", got)
	}
	if got := s.do("GET", "/servicePrincipals/"+api+"/appRoleAssignedTo", nil).want(200).values(); len(got) != 0 {
		t.Errorf("of another API: %v", got)
	}
	if got := s.do("GET", "/servicePrincipals/"+client+"/oauth2PermissionGrants", nil).want(200).values(); len(got) != 1 {
		t.Errorf("grants: %v", got)
	}
	s.do("DELETE", "/servicePrincipals/"+graph+"/appRoleAssignedTo/"+made.id(), nil).want(204)
	s.do("DELETE", "/servicePrincipals/"+graph+"/appRoleAssignedTo/"+made.id(), nil).fails(404, "Request_ResourceNotFound", "")
	if got := s.do("GET", "/servicePrincipals/"+client+"/appRoleAssignments", nil).want(200).values(); len(got) != 0 {
		t.Errorf("after the deletion: %v", got)
	}
}

// What the relationship does not give is refused.
func TestCustomerWithoutRole(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customer-unassigned"})
	if wids := s.as(azureCLI, s.first); slices.Contains(wids, catalog.RoleApplicationAdministrator) || len(wids) < 11 {
		t.Errorf("roles: %v", wids)
	}
	s.do("POST", "/servicePrincipals", fields{"appId": catalog.ManagementAPIsAppID}).fails(403, "Authorization_RequestDenied", "")
}

// The partner's groups stand in the customer's list of roles, and say whose they
// are.
func TestCustomerRoleAssignments(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customers-ready"})
	s.as(gct, s.first)
	const path = "/roleManagement/directory/roleAssignments"
	partner := s.cloud.Tenant().ID
	all := s.do("GET", path+"?$expand=principal", nil).want(200).values()
	if len(all) != 13 {
		t.Fatalf("%d assignments", len(all))
	}
	one := s.do("GET", path+"?$filter=roleDefinitionId eq '"+catalog.RoleExchangeAdministrator+"'&$expand=principal", nil).want(200).values()[0]
	group := one["principal"].(fields)
	if one["principalOrganizationId"] != partner || group["organizationId"] != partner || group["displayName"] != "Rewst GDAP-Exchange Administrator" || group["@odata.type"] != "#microsoft.graph.group" {
		t.Errorf("of the partner: %v", one)
	}
	own := s.do("GET", path+"?$filter=roleDefinitionId eq '"+catalog.RoleGlobalAdministrator+"'&$expand=principal", nil).want(200).values()[0]
	if own["principalOrganizationId"] != s.first || own["principal"].(fields)["userPrincipalName"] != "admin@fabrikam.onmicrosoft.com" {
		t.Errorf("of the customer: %v", own)
	}
	s.do("GET", path+"/"+one["id"].(string), nil).want(200)
	s.do("DELETE", path+"/"+one["id"].(string), nil).fails(404, "Request_ResourceNotFound", "")
	// The app of the partner is given a role there.
	s.cloud.PutApp(s.first)
	app := s.do("GET", "/servicePrincipals(appId='"+s.cloud.OwnedApp()+"')?$select=id", nil).want(200).id()
	s.do("POST", path, fields{"principalId": app, "roleDefinitionId": catalog.RoleExchangeAdministrator, "directoryScopeId": "/"}).want(201)
	if got := s.do("GET", path+"?$filter=roleDefinitionId eq '"+catalog.RoleExchangeAdministrator+"'", nil).want(200).values(); len(got) != 2 {
		t.Errorf("after giving it to the app: %v", got)
	}
}

// The partner is taken out of a customer's policies by naming it as a service
// provider, in the form the service knows.
func TestCustomerPolicies(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customer-policies"})
	s.as(gct, s.first)
	partner := s.cloud.Tenant().ID
	policies := s.access("GET", "", nil).want(200).values()
	if len(policies) != 11 {
		t.Fatalf("%d policies", len(policies))
	}
	byName := map[string]fields{}
	for _, p := range policies {
		byName[p["displayName"].(string)] = p
	}
	enumerated := func(kind string, members ...string) fields {
		return fields{"guestOrExternalUserTypes": kind, "externalTenants": fields{
			"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": members,
		}}
	}
	spare := func(name string, strangers any) reply {
		p := byName[name]
		users := fields{}
		for k, v := range p["conditions"].(fields)["users"].(fields) {
			if v != nil {
				users[k] = v
			}
		}
		users["excludeGuestsOrExternalUsers"] = strangers
		return s.access("PATCH", "/"+p["id"].(string), fields{"conditions": fields{"users": users}})
	}
	for what, bad := range map[string]any{
		"unknown kind": enumerated("guest", partner), "twice": enumerated("serviceProvider,serviceProvider", partner), "nobody": enumerated("serviceProvider"),
		"no id": enumerated("serviceProvider", "contoso.com"), "no type": fields{"guestOrExternalUserTypes": "serviceProvider", "externalTenants": fields{"members": []string{partner}}},
		"all of some": fields{"guestOrExternalUserTypes": "serviceProvider", "externalTenants": fields{
			"@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants", "membershipKind": "all", "members": []string{partner},
		}},
	} {
		if r := spare("Sign in every hour", bad); r.status != 400 || !strings.Contains(r.raw, "1007") {
			t.Errorf("%s: %d %s", what, r.status, r.raw)
		}
	}
	spare("Sign in every hour", enumerated("serviceProvider", partner)).want(204)
	spare("Microsoft-managed: Administrators sign in every hour", enumerated("serviceProvider", partner)).want(204)
	spare("Everybody of ours signs in every two hours", enumerated("serviceProvider", partner)).fails(400, "BadRequest", "cannot be combined")
	merged := enumerated("b2bCollaborationGuest,b2bDirectConnectUser,serviceProvider", unknownID, partner)
	spare("Sign in every week", merged).want(204)
	got := s.access("GET", "/"+byName["Sign in every week"]["id"].(string), nil).want(200).body["conditions"].(fields)["users"].(fields)["excludeGuestsOrExternalUsers"].(fields)
	if got["guestOrExternalUserTypes"] != merged["guestOrExternalUserTypes"] || got["externalTenants"].(fields)["@odata.type"] != merged["externalTenants"].(fields)["@odata.type"] {
		t.Errorf("afterwards: %v", got)
	}
}

// Microsoft's own relationship lets admin agents look, and do nothing.
func TestCustomerMigrated(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customer-mlt-only"})
	if wids := s.as(gct, s.first); len(wids) != 8 || slices.Contains(wids, catalog.RoleApplicationAdministrator) {
		t.Errorf("roles: %v", wids)
	}
	s.do("GET", "/users?$top=1", nil).want(200)
	s.access("GET", "", nil).want(200)
	s.access("POST", "", fields{"displayName": "x", "state": "enabled"}).fails(403, "AccessDenied", "")
	s.as(azureCLI, s.first)
	s.do("POST", "/servicePrincipals", fields{"appId": catalog.ManagementAPIsAppID}).fails(403, "Authorization_RequestDenied", "")
}

// Of sixty customers three fail, each in its own way.
func TestCustomersMixed(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customers-mixed"})
	s.as(gct, s.cloud.Tenant().ID)
	all, _ := s.every("/contracts")
	if len(all) != 60 {
		t.Fatalf("%d customers", len(all))
	}
	custom, seen := 0, map[any]bool{}
	for _, c := range all {
		if !strings.HasSuffix(c["defaultDomainName"].(string), ".onmicrosoft.com") {
			custom++
		}
		seen[c["defaultDomainName"]], seen[c["displayName"]] = true, true
		switch r := s.redeem(azureCLI, c["customerId"].(string)); c["displayName"] {
		case "Humongous Insurance":
			r.aadsts("invalid_grant", 53003)
		case "Lucerne Publishing":
			r.aadsts("invalid_grant", 50020)
		default:
			wids := texts(claims(t, r.want(200).body["access_token"])["wids"])
			if slices.Contains(wids, catalog.RoleApplicationAdministrator) != (c["displayName"] != "Trey Research") {
				t.Errorf("%s: %v", c["displayName"], wids)
			}
		}
	}
	if custom < 50 || len(seen) != 120 {
		t.Errorf("%d domains of their own, %d names and domains", custom, len(seen))
	}
	// A domain leads to its tenant.
	s.redeem(azureCLI, "adventure-works.com").want(200)
}

// The table of organisations is the one Rewst exports, and is of the same customers.
func TestOrganizations(t *testing.T) {
	for scenario, want := range map[string]int{"customers-mixed": 50, "customers-ready": 3, "customer-drifted": 3 + 6} {
		s := serving(t, sandbox.Options{Scenario: scenario})
		r := s.send(s.request("GET", "https://graph.microsoft.com/_sandbox/organizations.csv", nil)).want(200)
		rows, err := csv.NewReader(strings.NewReader(r.raw)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(rows[0], ",") != "organizationName,managingOrgId,domain,orgSlug,isEnabled,tagNames" || len(rows)-1 != want || rows[1][0] != "Fabrikam" {
			t.Errorf("%s: %d organisations, first %v", scenario, len(rows)-1, rows[:2])
		}
		names := map[string]bool{}
		for _, row := range rows[1:] {
			names[strings.ToLower(row[0])] = true
		}
		if len(names) != want {
			t.Errorf("%s: %d different names", scenario, len(names))
		}
		if r.header.Get("Content-Type") != "text/csv; charset=utf-8" || r.raw != s.cloud.Organizations() {
			t.Errorf("%s: %v", scenario, r.header)
		}
	}
}

// Names come as they are, and none takes another's tenant or domain.
func TestCustomerNames(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customer-names"})
	s.as(gct, s.cloud.Tenant().ID)
	all, _ := s.every("/contracts")
	seen := map[any]bool{}
	for _, c := range all {
		seen[c["customerId"]], seen[c["defaultDomainName"]] = true, true
	}
	if len(all) < 12 || len(seen) != 2*len(all) {
		t.Errorf("%d customers, %d ids and domains", len(all), len(seen))
	}
	for _, part := range []string{"\x1b]0;", "=cmd|' /C calc'!A0", "\u202e", "🧸", strings.Repeat("Adventure Works ", 12), "\r\n"} {
		if !slices.ContainsFunc(all, func(c fields) bool { return strings.Contains(c["displayName"].(string), part) }) {
			t.Errorf("no customer is called %q", part)
		}
	}
}

// What was consented to before is whole, or lacks what the scenario says.
func TestCustomersConsented(t *testing.T) {
	of := func(scenario string) sandbox.TenantDigest {
		s := serving(t, sandbox.Options{Scenario: scenario})
		return s.cloud.Digest().Tenants["Fabrikam"]
	}
	app := func(d sandbox.TenantDigest) sandbox.PrincipalDigest {
		for _, p := range d.ServicePrincipals {
			if p.Name == "Rewst Integration" {
				return p
			}
		}
		t.Fatal("the app is not there")
		return sandbox.PrincipalDigest{}
	}
	roles := func(p sandbox.PrincipalDigest) (n int) {
		for _, list := range p.Roles {
			n += len(list)
		}
		return n
	}
	whole := app(of("customer-consented"))
	if roles(whole) != 141 || len(whole.Delegated) != 4 || !slices.Equal(whole.Directory, []string{"Exchange Administrator"}) {
		t.Errorf("consented: %d roles, %d grants, %v", roles(whole), len(whole.Delegated), whole.Directory)
	}
	drifted := app(of("customer-drifted"))
	if len(drifted.Delegated) != 4 || !slices.Contains(drifted.Roles["Microsoft Graph"], "Printer.Read.All") || slices.Contains(drifted.Roles["Microsoft Graph"], "User.ReadWrite.All") || drifted.Roles["Office 365 Exchange Online"] != nil {
		t.Errorf("drifted: %d grants, %v", len(drifted.Delegated), drifted.Roles)
	}
	if old := app(of("customer-old-principal")); old.App == whole.App {
		t.Errorf("the old app has the id of the new one: %s", old.App)
	}
	if len(of("customers-ready").ServicePrincipals) != 0 {
		t.Error("the app is there before anybody consented")
	}
}

// An administrator of a customer signs in to the customer's own tenant, as Global
// Administrator and with a second factor. The scenario's own person has nothing to do
// there; somebody who was told whom to be is that one, and a stranger.
func TestCustomersAdministrator(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customers-mixed"})
	const admin = "admin@adventureworkscyclesgmbh.onmicrosoft.com"
	s.cloud.SignInAs(s.cloud.Tenant().Admin)
	waiting := s.form("adventure-works.com", "devicecode", "client_id", azureCLI, "scope", "openid https://graph.microsoft.com/.default").want(200).body["device_code"].(string)
	s.form("adventure-works.com", "token", "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", azureCLI, "device_code", waiting).aadsts("authorization_pending", 70016)
	s.cloud.SignInAs("rewst@contoso.onmicrosoft.com")
	code := s.form("adventure-works.com", "devicecode", "client_id", azureCLI, "scope", "openid https://graph.microsoft.com/.default").want(200).body["device_code"].(string)
	out := s.form("adventure-works.com", "token", "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", azureCLI, "device_code", code).want(200)
	c := claims(t, out.body["access_token"])
	if c["upn"] != admin || c["idp"] != nil || !slices.Contains(texts(c["wids"]), catalog.RoleGlobalAdministrator) || !slices.Contains(texts(c["amr"]), "mfa") {
		t.Errorf("claims: %v", c)
	}
	s.token = out.body["access_token"].(string)
	org := s.do("GET", "/organization", nil).want(200).values()[0]
	domains := org["verifiedDomains"].([]any)
	if org["displayName"] != "Adventure Works Cycles GmbH" || org["partnerTenantType"] != nil || len(domains) != 2 || domains[1].(fields)["name"] != "adventure-works.com" || domains[1].(fields)["isDefault"] != true {
		t.Errorf("organization: %v", org)
	}
	s.do("POST", "/users", account(fields{"userPrincipalName": "rewst@adventure-works.com"})).want(201)
}

// A world of ten thousand customers fills the tenants that are met, and no others.
func TestCustomersAreFilledLate(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customers-mixed", Customers: sandbox.MaxCustomers})
	before := s.cloud.Filled()
	s.as(azureCLI, s.cloud.CustomerIDs()[9_000])
	s.do("GET", "/organization", nil).want(200)
	if before > 2 || s.cloud.Filled() != before+1 {
		t.Errorf("%d tenants were filled, then %d", before, s.cloud.Filled())
	}
}

// Answers are written as encoding/json writes them.
func TestEncode(t *testing.T) {
	for _, v := range []any{
		nil, true, 7, -3, "plain", `"`, `\`, "<", ">", "&", "\x7f", "\t", "é", "\u2028", "quote \" back\\slash <b>&amp; \u2028 \x00\x1b é 🧸", "bad \xff", 1.5,
		[]string{"a"},
		[]any{},
		map[string]any{},
		map[string]any{"b": []any{1, nil, map[string]any{"<": "x"}}, "a": map[string]string{"z": "1", "y": "2"}, "c": json.RawMessage(`{"d":[1,2]}`)},
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := sandbox.Encode(v); got != string(want) {
			t.Errorf("%#v:\n got %s\nwant %s", v, got, want)
		}
	}
}
