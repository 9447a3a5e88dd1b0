package conform_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// form posts to the token service of a tenant.
func (w *walker) form(tenant, endpoint string, v url.Values) object {
	w.t.Helper()
	resp, err := w.client.PostForm("https://login.microsoftonline.com/"+tenant+"/oauth2/v2.0/"+endpoint, v)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out object
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// enter signs in to a tenant as whoever the person is, and returns the session.
func (w *walker) enter(tenant, client, scope string) string {
	w.t.Helper()
	code, _ := w.form(tenant, "devicecode", url.Values{"client_id": {client}, "scope": {scope}})["device_code"].(string)
	out := w.form(tenant, "token", url.Values{"client_id": {client}, "grant_type": {"device_code"}, "device_code": {code}})
	w.token, _ = out["access_token"].(string)
	session, _ := out["refresh_token"].(string)
	if w.token == "" {
		w.t.Fatalf("signing in to %s: %v", tenant, out)
	}
	return session
}

// Customers' tenants answer as described, to somebody of the partner and to their
// own administrators.
func TestCustomerWorlds(t *testing.T) {
	c := load(t)
	w := arrive(t, c, sandbox.Options{Scenario: "customers-consented"})
	session := w.enter(w.cloud.Tenant().ID, azureCLI, "openid offline_access https://graph.microsoft.com/.default")
	out := w.form("fabrikam.onmicrosoft.com", "token", url.Values{
		"client_id": {azureCLI}, "grant_type": {"refresh_token"}, "refresh_token": {session}, "scope": {"https://graph.microsoft.com/.default"},
	})
	w.token, _ = out["access_token"].(string)
	w.delegated()

	w = arrive(t, c, sandbox.Options{Scenario: "customer-policies"})
	w.cloud.SignInAs("admin@fabrikam.onmicrosoft.com")
	w.enter("fabrikam.onmicrosoft.com", catalog.GraphCommandLineTools, "openid Directory.Read.All RoleManagement.Read.Directory Policy.Read.All Policy.ReadWrite.ConditionalAccess Application.Read.All")
	w.strangers(w.cloud.Tenant().ID)
	for _, v := range c.Violations() {
		t.Error(v)
	}
}

// delegated does at a customer what the partner may do there.
func (w *walker) delegated() {
	w.t.Helper()
	apps, _ := w.want(200, "GET", "/servicePrincipals?$filter=displayName eq 'Rewst Integration'&$select=id,appId,displayName,appOwnerOrganizationId", nil)["value"].([]any)
	if len(apps) != 1 {
		w.t.Fatalf("the app: %v", apps)
	}
	app := "/servicePrincipals/" + apps[0].(object)["id"].(string)
	key := "/servicePrincipals(appId='" + apps[0].(object)["appId"].(string) + "')"
	for _, path := range []string{
		key, key + "?$select=id,appId,displayName,tags,accountEnabled,appRoleAssignmentRequired", app, app + "/oauth2PermissionGrants", app + "/appRoleAssignments?$top=999",
		"/servicePrincipals(appId='" + catalog.GraphAppID + "')?$select=id,appRoles,oauth2PermissionScopes", "/servicePrincipals", "/oauth2PermissionGrants",
		"/organization", "/organization?$select=id,displayName,verifiedDomains", "/users?$top=1&$select=id",
		"/servicePrincipals?$filter=appId in ('" + catalog.ExchangeAppID + "','" + catalog.ManagementAPIsAppID + "')&$select=id,appId,appRoles",
	} {
		for next := path; next != ""; {
			out := w.want(200, "GET", next, nil)
			link, _ := out["@odata.nextLink"].(string)
			next = strings.TrimPrefix(link, "https://graph.microsoft.com/v1.0")
		}
	}
	w.want(404, "GET", "/me", nil)
	w.want(403, "GET", givenPath, nil)
	w.want(403, "GET", accessPath, nil)
	w.want(404, "GET", "/servicePrincipals(appId='"+nobody+"')", nil)
	vault := w.want(200, "GET", "/servicePrincipals(appId='"+catalog.KeyVaultAppID+"')?$select=id", nil)["id"].(string)
	id := app[len("/servicePrincipals/"):]
	grant := w.want(201, "POST", "/oauth2PermissionGrants", object{"clientId": id, "consentType": "AllPrincipals", "resourceId": vault, "scope": "user_impersonation"})["id"].(string)
	w.want(204, "PATCH", "/oauth2PermissionGrants/"+grant, object{"scope": "user_impersonation openid"})
	w.want(204, "DELETE", "/oauth2PermissionGrants/"+grant, nil)
	given := w.want(200, "GET", app+"/appRoleAssignments?$top=1", nil)["value"].([]any)[0].(object)
	resource := "/servicePrincipals/" + given["resourceId"].(string) + "/appRoleAssignedTo"
	body := object{"principalId": id, "resourceId": given["resourceId"], "appRoleId": given["appRoleId"]}
	w.want(400, "POST", resource, body)
	w.want(204, "DELETE", resource+"/"+given["id"].(string), nil)
	w.want(201, "POST", resource, body)
	items := []object{}
	for i, path := range []string{"/organization", "/users?$top=1", app + "/oauth2PermissionGrants", app + "/appRoleAssignments"} {
		items = append(items, object{"id": string(rune('1' + i)), "method": "GET", "url": path})
	}
	w.want(200, "POST", "/$batch", object{"requests": items})
	w.want(403, "POST", givenPath, object{"principalId": id, "roleDefinitionId": catalog.RoleExchangeAdministrator, "directoryScopeId": "/"})
	w.want(204, "DELETE", app, nil)
}

// strangers looks at who comes from elsewhere, and changes what policies say of
// them.
func (w *walker) strangers(partner string) {
	w.t.Helper()
	list := w.want(200, "GET", givenPath+"?$filter=roleDefinitionId eq '"+catalog.RoleExchangeAdministrator+"'&$expand=principal", nil)["value"].([]any)
	w.want(200, "GET", givenPath+"?$expand=principal,roleDefinition", nil)
	w.want(200, "GET", givenPath+"/"+list[0].(object)["id"].(string), nil)
	policies := w.want(200, "GET", accessPath, nil)["value"].([]any)
	for _, p := range policies {
		w.cloud.Advance(time.Second)
		policy := p.(object)
		users := object{}
		for name, value := range policy["conditions"].(object)["users"].(object) {
			if value != nil {
				users[name] = value
			}
		}
		users["excludeGuestsOrExternalUsers"] = object{"guestOrExternalUserTypes": "serviceProvider", "externalTenants": object{
			"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": []string{partner},
		}}
		want := 204
		if policy["displayName"] == "Everybody of ours signs in every two hours" {
			want = 400
		}
		w.want(want, "PATCH", accessPath+"/"+policy["id"].(string), object{"conditions": object{"users": users}})
		w.cloud.Advance(time.Second)
		w.want(200, "GET", accessPath+"/"+policy["id"].(string), nil)
	}
}
