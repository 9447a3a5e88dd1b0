package conform_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
	"msbundle/sandbox/conform"
)

// walker calls every operation of the sandbox, in ways that succeed and in ways
// that do not.
type walker struct {
	t      *testing.T
	cloud  *sandbox.Cloud
	client *http.Client
	token  string
}

func walk(t *testing.T, c *conform.Checker, o sandbox.Options) *walker {
	t.Helper()
	w := arrive(t, c, o)
	w.token = w.signIn("openid Application.ReadWrite.All AppRoleAssignment.ReadWrite.All DelegatedPermissionGrant.ReadWrite.All Directory.Read.All Policy.Read.All RoleManagement.Read.Directory")
	return w
}

// arrive is a walker who has not signed in yet.
func arrive(t *testing.T, c *conform.Checker, o sandbox.Options) *walker {
	t.Helper()
	o.Approve = sandbox.ApproveNow
	cloud, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &walker{t: t, cloud: cloud, client: &http.Client{Transport: c.Wrap(cloud.Transport())}}
}

func (w *walker) signIn(scope string) string { return w.signInTo(catalog.GraphCommandLineTools, scope) }

func (w *walker) signInTo(client, scope string) string {
	w.t.Helper()
	base := "https://login.microsoftonline.com/" + w.cloud.Tenant().ID + "/oauth2/v2.0/"
	post := func(endpoint string, v url.Values) map[string]any {
		resp, err := w.client.PostForm(base+endpoint, v)
		if err != nil {
			w.t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var out map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			w.t.Fatal(err)
		}
		return out
	}
	code, _ := post("devicecode", url.Values{"client_id": {client}, "scope": {scope}})["device_code"].(string)
	out := post("token", url.Values{"client_id": {client}, "grant_type": {"device_code"}, "device_code": {code}})
	token, _ := out["access_token"].(string)
	return token
}

type object = map[string]any

// do calls an operation and returns what came back.
func (w *walker) do(method, path string, body any, headers ...string) (int, object) {
	w.t.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		in = strings.NewReader(string(text))
	}
	if !strings.HasPrefix(path, "https://") {
		path = "https://graph.microsoft.com/v1.0" + path
	}
	req, err := http.NewRequest(method, strings.ReplaceAll(path, " ", "%20"), in)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out object
	_ = json.NewDecoder(resp.Body).Decode(&out)
	return resp.StatusCode, out
}

func (w *walker) want(status int, method, path string, body any, headers ...string) object {
	w.t.Helper()
	got, out := w.do(method, path, body, headers...)
	if got != status {
		w.t.Errorf("%s %s: got %d %v, want %d", method, path, got, out, status)
	}
	return out
}

func permission(t *testing.T, name string, kind catalog.Kind) string {
	t.Helper()
	for _, p := range catalog.Permissions() {
		if p.Resource == catalog.GraphAppID && p.Name == name && p.Kind == kind {
			return p.ID
		}
	}
	t.Fatalf("no permission %s", name)
	return ""
}

const nobody = "11111111-1111-4111-8111-111111111111"

// reads calls everything that changes nothing.
func (w *walker) reads(appID, app, sp string) {
	for _, path := range []string{
		"/applications", "/applications?$select=id,displayName,passwordCredentials,tags", "/applications?$top=1", "/applications?$expand=owners",
		"/applications/" + app, "/applications(appId='" + appID + "')", "/applications(appId=%27" + appID + "%27)", "/applications/" + app + "/appManagementPolicies",
		"/servicePrincipals?$top=999", "/servicePrincipals/" + sp, "/servicePrincipals(appId='" + catalog.GraphAppID + "')", "/servicePrincipals(appId='" + appID + "')?$select=id,appId",
		"/servicePrincipals?$filter=appId in ('" + catalog.GraphAppID + "','" + appID + "')&$select=id,appId,displayName,appRoles,oauth2PermissionScopes",
		"/servicePrincipals/" + sp + "/appRoleAssignments", "/servicePrincipals/" + sp + "/appRoleAssignedTo", "/servicePrincipals/" + sp + "/oauth2PermissionGrants",
		"/oauth2PermissionGrants", "/oauth2PermissionGrants?$filter=clientId eq '" + sp + "'", "/me", "/me?$select=id,userType,accountEnabled,userPrincipalName",
		"/me/ownedObjects", "/me/ownedObjects/microsoft.graph.application", "/me/ownedObjects/graph.application", "/me/memberOf", "/me/transitiveMemberOf",
		"/me/memberOf/microsoft.graph.directoryRole", "/me/memberOf/graph.directoryRole", "/me/transitiveMemberOf/microsoft.graph.directoryRole?$select=id,roleTemplateId",
		"/me/transitiveMemberOf/graph.directoryRole", "/me/transitiveMemberOf/microsoft.graph.group", "/me/transitiveMemberOf/graph.group",
		"/users", "/users?$select=id,displayName,identities,assignedPlans,proxyAddresses,onPremisesSyncEnabled", "/users/" + w.cloud.Tenant().Admin, "/groups", "/organization", "/domains",
		"/organization?$select=id,displayName,verifiedDomains,assignedPlans", "/subscribedSkus", "/subscribedSkus?$select=skuPartNumber,servicePlans,capabilityStatus",
		"/roleManagement/directory/roleAssignments?$expand=roleDefinition,principal", "/roleManagement/directory/roleDefinitions",
		"/roleManagement/directory/roleDefinitions/" + catalog.RoleGlobalAdministrator, "/policies/defaultAppManagementPolicy", "/policies/defaultAppManagementPolicy?$select=isEnabled",
		"/directory/deletedItems/microsoft.graph.application", "/directory/deletedItems/graph.application", "/directory/deletedItems/microsoft.graph.servicePrincipal", "/directory/deletedItems/graph.servicePrincipal",
		"/policies/authorizationPolicy", "/policies/authorizationPolicy?$select=defaultUserRolePermissions",
		"/policies/identitySecurityDefaultsEnforcementPolicy", "/policies/identitySecurityDefaultsEnforcementPolicy?$select=isEnabled",
		"/myorganization/applications", "/myorganization/applications(appId='" + appID + "')",
	} {
		next := path
		for next != "" {
			status, out := w.do("GET", next, nil)
			if status != 200 {
				w.t.Errorf("GET %s: %d %v", next, status, out)
			}
			link, _ := out["@odata.nextLink"].(string)
			next = strings.TrimPrefix(link, "https://graph.microsoft.com/v1.0")
		}
	}
	groups := w.want(200, "GET", "/groups?$filter=displayName eq 'AdminAgents'", nil)
	if list, _ := groups["value"].([]any); len(list) > 0 {
		w.want(200, "GET", "/groups/"+list[0].(object)["id"].(string), nil)
	}
	w.want(200, "GET", "/applications?$count=true&$filter=displayName ne 'x'", nil, "ConsistencyLevel", "eventual")
}

// access reads what decides about sign-ins and roles: what is answered depends on
// what the tenant has bought. It returns the policies it saw.
func (w *walker) access(policies, eligibility int) []any {
	w.t.Helper()
	const path = "/identity/conditionalAccess/policies"
	list := w.want(policies, "GET", path, nil)
	w.want(429, "GET", path+"?$select=id,state,displayName", nil) // one request a second
	entries, _ := list["value"].([]any)
	for _, e := range entries {
		w.cloud.Advance(time.Second)
		w.want(200, "GET", path+"/"+e.(object)["id"].(string), nil)
	}
	w.cloud.Advance(time.Second)
	if status, out := w.do("GET", path+"/"+nobody, nil); status != policies && status != 404 {
		w.t.Errorf("a policy that is not there: %d %v", status, out)
	}
	for _, query := range []string{"", "?$expand=roleDefinition,principal", "/filterByCurrentUser(on='principal')", "/filterByCurrentUser(on=%27principal%27)?$select=roleDefinitionId"} {
		w.want(eligibility, "GET", "/roleManagement/directory/roleEligibilityScheduleInstances"+query, nil)
	}
	w.want(200, "POST", "/me/checkMemberGroups", object{"groupIds": []string{nobody}})
	w.want(400, "POST", "/me/checkMemberGroups", object{})
	return entries
}

// refusals calls operations in ways that are answered with errors.
func (w *walker) refusals(app, sp, graph string) {
	type bad struct {
		method, path string
		body         any
	}
	for _, b := range []bad{
		{"GET", "/applications/" + nobody, nil},
		{"GET", "/applications/nonsense", nil},
		{"GET", "/applications?$select=nonsense", nil},
		{"GET", "/applications?$filter=notes eq 'x'", nil},
		{"GET", "/applications?$filter=displayName ne 'x'", nil},
		{"GET", "/applications?$top=5000", nil},
		{"GET", "/nonsense", nil},
		{"PUT", "/applications", object{}},
		{"POST", "/applications", object{}},
		{"POST", "/applications", object{"displayName": "x", "nonsense": 1}},
		{"POST", "/applications", object{"displayName": "x", "signInAudience": "x"}},
		{"POST", "/applications", object{"displayName": "x", "web": object{"redirectUris": []string{"http://example.com"}}}},
		{"PATCH", "/applications/" + app, object{}},
		{"PATCH", "/applications/" + nobody, object{"notes": "x"}},
		{"DELETE", "/applications/" + nobody, nil},
		{"POST", "/applications/" + app + "/addPassword", object{"passwordCredential": object{"endDateTime": "2001-01-01T00:00:00Z"}}},
		{"POST", "/applications/" + app + "/removePassword", object{"keyId": nobody}},
		{"POST", "/servicePrincipals", object{"appId": nobody}},
		{"POST", "/servicePrincipals", object{"appId": catalog.GraphAppID}},
		{"GET", "/servicePrincipals/" + nobody, nil},
		{"PATCH", "/servicePrincipals/" + sp, object{"nonsense": 1}},
		{"DELETE", "/servicePrincipals/" + nobody, nil},
		{"POST", "/servicePrincipals/" + graph + "/appRoleAssignedTo", object{"principalId": nobody, "resourceId": graph, "appRoleId": permission(w.t, "Mail.Send", catalog.Application)}},
		{"POST", "/servicePrincipals/" + graph + "/appRoleAssignedTo", object{"principalId": sp, "resourceId": graph, "appRoleId": nobody}},
		{"POST", "/servicePrincipals/" + nobody + "/appRoleAssignments", object{"principalId": sp, "resourceId": graph, "appRoleId": nobody}},
		{"DELETE", "/servicePrincipals/" + sp + "/appRoleAssignments/nonsense", nil},
		{"DELETE", "/servicePrincipals/" + graph + "/appRoleAssignedTo/nonsense", nil},
		{"POST", "/oauth2PermissionGrants", object{"clientId": nobody, "consentType": "AllPrincipals", "resourceId": graph, "scope": "x"}},
		{"POST", "/oauth2PermissionGrants", object{"clientId": sp, "consentType": "AllPrincipals", "resourceId": graph, "scope": strings.Repeat("x", 3851)}},
		{"GET", "/oauth2PermissionGrants/nonsense", nil},
		{"PATCH", "/oauth2PermissionGrants/nonsense", object{"scope": "x"}},
		{"DELETE", "/oauth2PermissionGrants/nonsense", nil},
		{"GET", "/users/nobody@example.com", nil},
		{"GET", "/groups/" + nobody, nil},
		{"GET", "/roleManagement/directory/roleDefinitions/" + nobody, nil},
		{"GET", "/directory/deletedItems/" + nobody, nil},
		{"DELETE", "/directory/deletedItems/" + nobody, nil},
		{"POST", "/directory/deletedItems/" + nobody + "/restore", nil},
		{"POST", "/$batch", object{"requests": []object{}}},
		{"POST", "/$batch", object{"requests": []object{{"id": "1", "method": "GET", "url": "/me"}, {"id": "1", "method": "GET", "url": "/me"}}}},
	} {
		if status, out := w.do(b.method, b.path, b.body); status < 400 {
			w.t.Errorf("%s %s: got %d %v, want an error", b.method, b.path, status, out)
		}
	}
}

// writes makes, changes and removes an app and everything it is given.
func (w *walker) writes() (appID, app, sp, graph string) {
	made := w.want(201, "POST", "/applications", object{
		"displayName": "Rewst Integration", "signInAudience": "AzureADMultipleOrgs", "tags": []string{catalog.OwnTag}, "isFallbackPublicClient": false,
		"web":                    object{"redirectUris": []string{"https://engine.rewst.io/integrations/bundles/microsoft_cloud/callback"}, "implicitGrantSettings": object{"enableIdTokenIssuance": true, "enableAccessTokenIssuance": false}},
		"requiredResourceAccess": []object{{"resourceAppId": catalog.GraphAppID, "resourceAccess": []object{{"id": permission(w.t, "User.Read", catalog.Delegated), "type": "Scope"}}}},
	})
	app, appID = made["id"].(string), made["appId"].(string)
	w.want(204, "PATCH", "/applications/"+app, object{"notes": "x", "api": object{"requestedAccessTokenVersion": 2}, "info": object{"marketingUrl": "https://example.com"}})
	w.want(204, "PATCH", "/applications(appId='"+appID+"')", object{"spa": object{"redirectUris": []string{"https://example.com/"}}, "optionalClaims": nil})
	sp = w.want(201, "POST", "/servicePrincipals", object{"appId": appID, "tags": []string{catalog.OwnTag}})["id"].(string)
	w.want(204, "PATCH", "/servicePrincipals/"+sp, object{"appRoleAssignmentRequired": false, "notes": "x"})
	graph = w.want(200, "GET", "/servicePrincipals(appId='"+catalog.GraphAppID+"')", nil)["id"].(string)
	for _, path := range []string{"/servicePrincipals/" + graph + "/appRoleAssignedTo", "/servicePrincipals/" + sp + "/appRoleAssignments"} {
		for _, name := range []string{"User.ReadWrite.All", "Mail.Send"} {
			body := object{"principalId": sp, "resourceId": graph, "appRoleId": permission(w.t, name, catalog.Application)}
			id, _ := w.want(201, "POST", path, body)["id"].(string)
			w.want(400, "POST", path, body)
			w.want(204, "DELETE", path+"/"+id, nil)
			if strings.HasSuffix(path, "Assignments") {
				w.want(201, "POST", path, body)
			}
		}
	}
	grant := object{"clientId": sp, "consentType": "AllPrincipals", "resourceId": graph, "scope": "User.Read"}
	id, _ := w.want(201, "POST", "/oauth2PermissionGrants", grant)["id"].(string)
	for range 6 {
		w.do("POST", "/oauth2PermissionGrants", grant)
	}
	w.want(204, "PATCH", "/oauth2PermissionGrants/"+id, object{"scope": "User.Read Mail.Read"})
	w.want(200, "GET", "/oauth2PermissionGrants/"+id, nil)
	w.want(204, "DELETE", "/oauth2PermissionGrants/"+id, nil)
	w.want(201, "POST", "/oauth2PermissionGrants", grant)
	for range 2 {
		key := w.want(200, "POST", "/applications/"+app+"/addPassword", object{"passwordCredential": object{"displayName": "x"}})["keyId"]
		w.want(204, "POST", "/applications/"+app+"/removePassword", object{"keyId": key})
		w.want(200, "POST", "/applications/"+app+"/addPassword", object{})
	}
	json := object{"Content-Type": "application/json"}
	w.want(200, "POST", "/$batch", object{"requests": []object{
		{"id": "1", "method": "POST", "url": "/applications", "headers": json, "body": object{"displayName": "two"}},
		{"id": "2", "method": "GET", "url": "/applications/" + nobody},
		{"id": "3", "method": "GET", "url": "/me?$select=id"},
		{"id": "4", "method": "PATCH", "url": "/applications/" + app, "headers": json, "body": object{"notes": "y"}},
	}})
	w.want(200, "POST", "/$batch", object{"requests": []object{
		{"id": "1", "method": "GET", "url": "/nonsense"}, {"id": "2", "method": "GET", "url": "/me", "dependsOn": []string{"1"}},
	}})
	return appID, app, sp, graph
}

func (w *walker) removals(appID, app, sp string) {
	w.want(204, "DELETE", "/applications/"+app, nil)
	w.want(200, "GET", "/directory/deletedItems/"+app, nil)
	w.want(200, "GET", "/directory/deletedItems/"+sp, nil)
	w.want(200, "GET", "/directory/deletedItems/microsoft.graph.application", nil)
	w.want(200, "GET", "/directory/deletedItems/microsoft.graph.servicePrincipal", nil)
	w.want(200, "POST", "/directory/deletedItems/"+app+"/restore", nil)
	w.want(200, "POST", "/directory/deletedItems/"+sp+"/restore", nil)
	w.want(409, "POST", "/servicePrincipals", object{"appId": appID})
	w.want(204, "DELETE", "/servicePrincipals/"+sp, nil)
	w.want(204, "DELETE", "/applications(appId='"+appID+"')", nil)
	w.want(204, "DELETE", "/directory/deletedItems/"+app, nil)
}

// report fails for every answer that is not as described. Requests are wrong on
// purpose here.
func report(t *testing.T, c *conform.Checker, atLeast int) {
	t.Helper()
	for _, v := range c.Violations() {
		if strings.HasPrefix(v, "response") {
			t.Error(v)
		}
	}
	if c.Count() < atLeast {
		t.Errorf("only %d pairs were checked", c.Count())
	}
}

// everythingWasCalled compares the requests with the operations there are.
func (w *walker) everythingWasCalled() {
	w.t.Helper()
	key := regexp.MustCompile(`\\\{[^}]*\\\}`)
	for _, row := range table(w.t, "../data/operations.csv") {
		pattern := regexp.MustCompile("^https://graph.microsoft.com/" + row["version"] + key.ReplaceAllString(regexp.QuoteMeta(row["path"]), "[^/]+") + `(\?.*)?$`)
		if !slices.ContainsFunc(w.cloud.Requests(), func(r sandbox.Request) bool { return r.Method == row["method"] && pattern.MatchString(r.URL) }) {
			w.t.Errorf("%s %s was never called", row["method"], row["path"])
		}
	}
}

func TestEveryOperation(t *testing.T) {
	for _, scenario := range []string{"happy", "single-tenant", "small-pages", "adopt", "connector-ready", "secret-lifetime", "odd-names"} {
		t.Run(scenario, func(t *testing.T) {
			c := load(t)
			w := walk(t, c, sandbox.Options{Scenario: scenario})
			if scenario == "secret-lifetime" {
				w.want(200, "GET", "/policies/defaultAppManagementPolicy", nil)
				report(t, c, 1)
				return
			}
			appID, app, sp, graph := w.writes()
			w.reads(appID, app, sp)
			eligibility := 200
			if scenario == "single-tenant" { // has no P2
				eligibility = 400
			}
			w.access(200, eligibility)
			w.refusals(app, sp, graph)
			w.accounts()
			w.gdap(scenario != "single-tenant")
			w.removals(appID, app, sp)
			w.token = "nonsense"
			w.want(401, "GET", "/me", nil)
			report(t, c, 140)
			w.everythingWasCalled()
		})
	}
}

func TestAccess(t *testing.T) {
	for _, s := range []struct {
		name                  string
		policies, eligibility int
		seen                  int
	}{
		{"policies", 200, 200, 5},
		{"no-p1", 403, 400, 0},
		{"security-defaults", 200, 200, 0},
		{"legacy-apps", 200, 200, 0},
		{"indirect-reseller", 200, 200, 0},
		{"not-admin-agent", 200, 200, 0},
	} {
		c := load(t)
		w := walk(t, c, sandbox.Options{Scenario: s.name})
		if got := len(w.access(s.policies, s.eligibility)); got != s.seen {
			t.Errorf("%s: %d policies, want %d", s.name, got, s.seen)
		}
		for _, path := range []string{
			"/policies/authorizationPolicy", "/policies/identitySecurityDefaultsEnforcementPolicy", "/organization", "/subscribedSkus", "/servicePrincipals",
		} {
			w.want(200, "GET", path, nil)
		}
		// Without the permission for what one is a member of, there are ids only.
		w = arrive(t, c, sandbox.Options{Scenario: s.name})
		w.token = w.signIn("openid User.Read")
		for _, path := range []string{
			"/me/memberOf", "/me/transitiveMemberOf/microsoft.graph.group", "/me/transitiveMemberOf/microsoft.graph.directoryRole",
		} {
			w.want(200, "GET", path, nil)
		}
		for _, path := range []string{"/policies/authorizationPolicy", "/policies/identitySecurityDefaultsEnforcementPolicy", "/identity/conditionalAccess/policies"} {
			w.want(403, "GET", path, nil)
		}
		report(t, c, 20)
	}
}

// What is read of Azure has the described form, refusals too.
func TestAzure(t *testing.T) {
	for _, scenario := range []string{"happy", "small-pages", "no-vault", "no-subscription", "guest-elsewhere"} {
		c := load(t)
		w := walk(t, c, sandbox.Options{Scenario: scenario})
		graph := w.token
		w.token = w.signInTo("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "https://management.azure.com/.default")
		const arm, version = "https://management.azure.com", "?api-version=2022-12-01"
		w.want(200, "GET", arm+"/tenants"+version, nil)
		subscriptions, _ := w.want(200, "GET", arm+"/subscriptions"+version, nil)["value"].([]any)
		if want := map[bool]int{true: 0, false: 1}[scenario == "no-subscription"]; len(subscriptions) != want {
			t.Errorf("%s: %d subscriptions, want %d", scenario, len(subscriptions), want)
		}
		for _, s := range subscriptions {
			id := arm + s.(object)["id"].(string)
			w.want(200, "GET", id+version, nil)
			w.want(200, "GET", id+"/providers/Microsoft.KeyVault/vaults?api-version=2024-11-01", nil)
		}
		w.want(404, "GET", arm+"/subscriptions/"+nobody+version, nil)
		w.want(404, "GET", arm+"/subscriptions/"+nobody+"/providers/Microsoft.KeyVault/vaults?api-version=2024-11-01", nil)
		w.want(400, "GET", arm+"/subscriptions", nil)
		w.token = graph
		w.want(401, "GET", arm+"/tenants"+version, nil)
		for _, do := range []string{"500", "429"} {
			w.cloud.SetFaults([]sandbox.Fault{{Do: do}})
			if status, _ := w.do("GET", arm+"/tenants"+version, nil); fmt.Sprint(status) != do {
				t.Errorf("fault %s: %d", do, status)
			}
		}
		report(t, c, 8)
	}
}

func TestRefusedPeopleAndFaults(t *testing.T) {
	c := load(t)
	w := walk(t, c, sandbox.Options{Scenario: "guest"})
	w.token = w.signIn("openid User.Read")
	for _, path := range []string{"/me", "/me/memberOf", "/me/ownedObjects", "/organization"} {
		w.want(200, "GET", path, nil)
	}
	for _, path := range []string{"/applications", "/servicePrincipals", "/users", "/domains", "/directory/deletedItems/" + nobody} {
		w.want(403, "GET", path, nil)
	}
	w = walk(t, c, sandbox.Options{Scenario: "secrets-forbidden"})
	w.want(200, "GET", "/policies/defaultAppManagementPolicy", nil)
	app := w.want(201, "POST", "/applications", object{"displayName": "x"})["id"].(string)
	w.want(400, "POST", "/applications/"+app+"/addPassword", object{})
	for _, do := range []string{"500", "429"} {
		w.cloud.SetFaults([]sandbox.Fault{{Do: do}})
		for _, b := range []struct{ method, path string }{{"GET", "/me"}, {"DELETE", "/applications/" + app}, {"POST", "/applications"}} {
			if status, _ := w.do(b.method, b.path, object{"displayName": "x"}); fmt.Sprint(status) != do {
				t.Errorf("%s %s: %d", b.method, b.path, status)
			}
		}
		w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Inner: true}, Do: do}})
		w.want(200, "POST", "/$batch", object{"requests": []object{{"id": "1", "method": "GET", "url": "/me"}, {"id": "2", "method": "DELETE", "url": "/applications/" + app}}})
	}
	report(t, c, 20)
}

// While replicas lag everything can be answered with an error; each must have
// the service's form.
func TestLaggingDirectory(t *testing.T) {
	c := load(t)
	for seed := range int64(10) {
		w := walk(t, c, sandbox.Options{Delays: sandbox.DelaysRealistic, Seed: seed})
		_, out := w.do("POST", "/applications", object{"displayName": "x"})
		app, appID := out["id"].(string), out["appId"].(string)
		for range 20 {
			w.cloud.Advance(2e9)
			w.do("GET", "/applications/"+app, nil)
			w.do("PATCH", "/applications/"+app, object{"notes": "x"})
			w.do("POST", "/applications/"+app+"/addPassword", object{})
			w.do("POST", "/servicePrincipals", object{"appId": appID})
			w.do("GET", "/servicePrincipals?$filter=appId eq '"+appID+"'", nil)
		}
	}
	report(t, c, 900)
}

// What the sandbox's other APIs publish is what the catalog says of them.
func TestCatalogAgainstOtherAPIs(t *testing.T) {
	c := load(t)
	w := walk(t, c, sandbox.Options{})
	w.want(201, "POST", "/servicePrincipals", object{"appId": catalog.ManagementAPIsAppID})
	checked := 0
	for _, p := range catalog.Permissions() {
		if p.Resource == catalog.GraphAppID {
			continue
		}
		api := w.want(200, "GET", "/servicePrincipals(appId='"+p.Resource+"')", nil)
		list := "oauth2PermissionScopes"
		if p.Kind == catalog.Application {
			list = "appRoles"
		}
		published := false
		entries, _ := api[list].([]any)
		for _, e := range entries {
			entry := e.(object)
			published = published || entry["id"] == p.ID && entry["value"] == p.Name && entry["isEnabled"] == true
		}
		if !published {
			t.Errorf("%s does not publish %s (%s) in %s", api["displayName"], p.Name, p.ID, list)
		}
		checked++
	}
	if checked != 13 {
		t.Errorf("%d permissions of other APIs", checked)
	}
}

// The checker sees what is wrong.
func TestCheckerBites(t *testing.T) {
	c := load(t)
	wrong := c.WrapHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"value": [{"id": "x", "nonsense": 1}]}`)
	}))
	server := &http.Client{Transport: roundTripper{wrong}}
	req, err := http.NewRequest("GET", "https://graph.microsoft.com/v1.0/applications?$select=nonsense", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	all := strings.Join(c.Violations(), "\n")
	for _, want := range []string{"request GET", "response GET", "nonsense", "no bearer token"} {
		if !strings.Contains(all, want) {
			t.Errorf("not seen: %s in\n%s", want, all)
		}
	}
}

type roundTripper struct{ http.Handler }

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	in.Host = req.URL.Host
	in.Body = http.NoBody
	w := &answer{header: http.Header{}}
	r.ServeHTTP(w, in)
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(strings.NewReader(w.body.String())), Request: req}, nil
}

type answer struct {
	header http.Header
	status int
	body   strings.Builder
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
