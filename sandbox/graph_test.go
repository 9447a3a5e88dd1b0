package sandbox_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

func TestBearer(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	good := w.token
	for name, token := range map[string]string{
		"empty": "", "nonsense": "abc", "forged": good[:len(good)-3] + "AAA",
		"other API": w.signIn(azureCLI, "https://management.azure.com/.default openid")["access_token"].(string),
	} {
		w.token = token
		r := w.do("GET", "/me", nil).fails(401, "InvalidAuthenticationToken", "")
		if !strings.Contains(r.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: no WWW-Authenticate", name)
		}
	}
	w.token = good
	w.do("GET", "https://graph.microsoft.us/v1.0/me", nil).fails(401, "InvalidAuthenticationToken", "audience")
	w.cloud.Advance(2 * time.Hour)
	w.do("GET", "/me", nil).fails(401, "InvalidAuthenticationToken", "expired")
}

func TestEnvelope(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	const mine = "3f0c0c5e-3a0e-4a55-8d0d-5d2f8e1b1c11"
	r := w.do("GET", "/applicationz", nil, "client-request-id", mine).fails(400, "BadRequest", "Resource not found for the segment 'applicationz'.")
	inner, _ := r.body["error"].(map[string]any)["innerError"].(map[string]any)
	if inner["client-request-id"] != mine || inner["request-id"] != r.header.Get("request-id") || r.header.Get("client-request-id") != mine {
		t.Errorf("request ids: %s, headers %v", r.raw, r.header)
	}
	if r.header.Get("Date") == "" {
		t.Error("no Date")
	}
	w.do("PUT", "/applications", map[string]any{}).fails(405, "Request_BadRequest", "method is not allowed")
	w.do("GET", "https://graph.microsoft.com/v3/me", nil).fails(400, "BadRequest", "Invalid version")
	w.do("GET", "https://graph.microsoft.com/beta/me", nil).want(200)
}

func TestScopesAndRoles(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "app-admin", Approve: sandbox.ApproveNow})
	w.token = w.signIn(gct, everything)["access_token"].(string)
	id, appID := w.app(nil)
	own := w.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).want(201).id()
	give := func(resource, role string) reply {
		return w.do("POST", "/servicePrincipals/"+resource+"/appRoleAssignedTo", map[string]any{"principalId": own, "resourceId": resource, "appRoleId": role})
	}
	give(w.principal(catalog.GraphAppID), permissionID(t, catalog.GraphAppID, "User.ReadWrite.All", catalog.Application)).
		fails(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	give(w.principal(catalog.ExchangeAppID), permissionID(t, catalog.ExchangeAppID, "Exchange.ManageAsApp", catalog.Application)).want(201)
	w.do("POST", "/oauth2PermissionGrants", map[string]any{"clientId": own, "consentType": "AllPrincipals", "resourceId": w.principal(catalog.GraphAppID), "scope": "User.Read"}).want(201)

	// The scopes of a token are what was granted when it was issued.
	w.token = w.signIn(azureCLI, "https://graph.microsoft.com/.default openid")["access_token"].(string)
	w.do("GET", "/applications/"+id, nil).want(200)
	w.do("GET", "/domains", nil).fails(403, "Authorization_RequestDenied", "")
	w.do("GET", "/policies/defaultAppManagementPolicy", nil).fails(403, "Authorization_RequestDenied", "")

	// Somebody without a role: not even with every scope.
	m := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	m.token = m.signInAs("megan@contoso.onmicrosoft.com", azureCLI, "https://graph.microsoft.com/.default openid")
	other, otherID := m.app(nil) // members may register apps here
	m.do("PATCH", "/applications/"+other, map[string]any{"notes": "mine"}).want(204)
	sp := m.do("POST", "/servicePrincipals", map[string]any{"appId": otherID}).want(201).id()
	m.do("POST", "/servicePrincipals", map[string]any{"appId": catalog.ManagementAPIsAppID}).fails(403, "Authorization_RequestDenied", "")
	m.do("POST", "/oauth2PermissionGrants", map[string]any{"clientId": sp, "consentType": "AllPrincipals", "resourceId": m.principal(catalog.GraphAppID), "scope": "User.Read"}).
		fails(403, "Authorization_RequestDenied", "")
	m.token = m.signInAs("adele@contoso.onmicrosoft.com", azureCLI, "https://graph.microsoft.com/.default openid")
	m.do("PATCH", "/applications/"+other, map[string]any{"notes": "not mine"}).fails(403, "Authorization_RequestDenied", "")
	m.do("DELETE", "/applications/"+other, nil).fails(403, "Authorization_RequestDenied", "")

	g := start(t, sandbox.Options{Scenario: "guest", Approve: sandbox.ApproveNow})
	g.token = g.signIn(azureCLI, "https://graph.microsoft.com/.default openid")["access_token"].(string)
	for _, path := range []string{"/applications", "/servicePrincipals", "/users", "/oauth2PermissionGrants"} {
		g.do("GET", path, nil).fails(403, "Authorization_RequestDenied", "")
	}
	g.do("POST", "/applications", map[string]any{"displayName": "x"}).fails(403, "Authorization_RequestDenied", "")
	if got := g.do("GET", "/me?$select=userType", nil).want(200).body["userType"]; got != "Guest" {
		t.Errorf("userType: %v", got)
	}
}

// signInAs is a device code flow that a certain person answers.
func (w *world) signInAs(account, client, scope string) string {
	w.t.Helper()
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", client, "scope", scope).want(200).body
	if err := w.cloud.Approve(code["user_code"].(string), account); err != nil {
		w.t.Fatal(err)
	}
	return w.poll(client, code["device_code"].(string)).want(200).body["access_token"].(string)
}

func TestQueries(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	for _, name := range []string{"O'Brien's app", "Alpha", "alphabet", "Beta"} {
		w.app(map[string]any{"displayName": name, "tags": []string{"t " + name}})
	}
	eventual := []string{"ConsistencyLevel", "eventual"}
	names := func(query string, headers ...string) string {
		t.Helper()
		var out []string
		for _, v := range w.do("GET", "/applications?$select=displayName,id&"+query, nil, headers...).want(200).values() {
			out = append(out, v["displayName"].(string))
		}
		return strings.Join(out, "|")
	}
	filter := func(text string) string { return "$filter=" + url.QueryEscape(text) }
	for text, want := range map[string]string{
		"displayName eq 'O''Brien''s app'":                    "O'Brien's app",
		"startsWith(displayName,'alpha')":                     "Alpha|alphabet",
		"displayName in ('Beta','Alpha')":                     "Alpha|Beta",
		"tags/any(t:t eq 't Beta')":                           "Beta",
		"displayName eq 'Beta' and tags/any(x:x eq 't Beta')": "Beta",
		"displayName eq 'Beta' or displayName eq 'Alpha'":     "Alpha|Beta",
		"uniqueName eq 'none'":                                "",
	} {
		if got := names(filter(text)); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	if got := names("$orderby=displayName%20desc"); got != "O'Brien's app|Beta|alphabet|Alpha" {
		t.Errorf("order: %q", got)
	}
	if got := names("$count=true&"+filter("not startsWith(displayName,'alpha')"), eventual...); got != "O'Brien's app|Beta" {
		t.Errorf("not: %q", got)
	}
	if got := names("$search=%22displayName:pha%22", eventual...); got != "Alpha|alphabet" {
		t.Errorf("search: %q", got)
	}
	bad := func(query, code, text string, headers ...string) {
		t.Helper()
		w.do("GET", "/applications?"+query, nil, headers...).fails(400, code, text)
	}
	bad(filter("displayName ne 'x'"), "Request_UnsupportedQuery", "ConsistencyLevel")
	bad("$orderby=displayName&"+filter("displayName eq 'x'"), "Request_UnsupportedQuery", "ConsistencyLevel")
	bad("$orderby=createdDateTime", "Request_UnsupportedQuery", "Sorting not supported")
	bad("$search=%22displayName:x%22", "Request_UnsupportedQuery", "ConsistencyLevel")
	bad(filter("notes eq 'x'"), "Request_UnsupportedQuery", "'notes' of resource 'Application'")
	bad(filter("nonsense eq 'x'"), "BadRequest", "nonsense")
	bad(filter("displayName eq 'x"), "BadRequest", "Invalid filter clause")
	bad(filter("displayName eq x"), "BadRequest", "Invalid filter clause")
	bad(filter("displayName eq 'x' and"), "BadRequest", "Invalid filter clause")
	bad("$select=nonsense", "BadRequest", "Could not find a property named 'nonsense'")
	bad("$expand=nonsense", "BadRequest", "Could not find a property named 'nonsense'")
	bad("$top=1000", "Request_BadRequest", "Invalid page size")
	bad("$top=0", "Request_BadRequest", "Invalid page size")
	bad("$skip=1", "Request_BadRequest", "$skip")
	bad("$skiptoken=nonsense", "Request_BadRequest", "page token")
	bad("$count=maybe", "BadRequest", "$count")
	ids := []string{}
	for i := range 16 {
		ids = append(ids, fmt.Sprintf("'%08d-1111-4111-8111-111111111111'", i))
	}
	bad(filter("appId in ("+strings.Join(ids, ",")+")"), "Request_UnsupportedQuery", "Max allowed: 15")
	if got := w.do("GET", "/applications?$count=true", nil, eventual...).want(200).body["@odata.count"]; got != 4.0 {
		t.Errorf("count: %v", got)
	}
	only := w.do("GET", "/servicePrincipals?"+filter("appId in ('"+catalog.GraphAppID+"','"+catalog.ManagementAPIsAppID+"')")+"&$select=appId", nil).want(200).values()
	if len(only) != 1 || len(only[0]) != 1 || only[0]["appId"] != catalog.GraphAppID {
		t.Errorf("resource service principals: %v", only)
	}
}

func TestPaging(t *testing.T) {
	w := signedIn(t, sandbox.Options{Scenario: "small-pages"})
	var names []string
	pages, empty := 0, 0
	next := "https://graph.microsoft.com/v1.0/applications?$select=displayName&$filter=" + url.QueryEscape("startsWith(displayName,'Line')")
	for next != "" {
		r := w.do("GET", next, nil).want(200)
		pages++
		if len(r.values()) == 0 {
			empty++
		}
		for _, v := range r.values() {
			names = append(names, v["displayName"].(string))
		}
		link, _ := r.body["@odata.nextLink"].(string)
		if link != "" && !strings.HasPrefix(link, "https://graph.microsoft.com/v1.0/applications?") {
			t.Fatalf("nextLink: %s", link)
		}
		next = link
	}
	slices.Sort(names)
	if len(names) != 11 || len(slices.Compact(names)) != 11 || pages < 6 || empty == 0 {
		t.Errorf("%d names on %d pages, %d empty", len(names), pages, empty)
	}
	// Without a small-page scenario the service's default page is 100.
	w = signedIn(t, sandbox.Options{})
	for i := range 101 {
		w.app(map[string]any{"displayName": fmt.Sprint("app ", i)})
	}
	first := w.do("GET", "/applications", nil).want(200)
	if len(first.values()) != 100 || first.body["@odata.nextLink"] == nil {
		t.Errorf("default page: %d", len(first.values()))
	}
	if all := w.do("GET", "/applications?$top=999", nil).want(200); len(all.values()) != 101 || all.body["@odata.nextLink"] != nil {
		t.Errorf("largest page: %d", len(all.values()))
	}
	// Ordered pages do not repeat or lose anything either.
	names = nil
	for next = "/applications?$orderby=displayName&$top=40"; next != ""; {
		r := w.do("GET", next, nil).want(200)
		for _, v := range r.values() {
			names = append(names, v["displayName"].(string))
		}
		next, _ = r.body["@odata.nextLink"].(string)
	}
	if !slices.IsSorted(names) || len(names) != 101 {
		t.Errorf("ordered: %d, sorted %v", len(names), slices.IsSorted(names))
	}
}

func TestPeopleAndOrganization(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	tenant := w.cloud.Tenant()
	me := w.do("GET", "/me", nil).want(200)
	if me.body["userPrincipalName"] != tenant.Admin || me.body["accountEnabled"] != nil {
		t.Errorf("me: %s", me.raw)
	}
	if got := w.do("GET", "/me?$select=accountEnabled", nil).want(200); got.body["accountEnabled"] != true || got.body["displayName"] != nil {
		t.Errorf("selected: %s", got.raw)
	}
	for _, path := range []string{"/me/memberOf", "/me/transitiveMemberOf"} {
		kinds := []string{}
		for _, v := range w.do("GET", path, nil).want(200).values() {
			kinds = append(kinds, v["@odata.type"].(string))
		}
		if !slices.Contains(kinds, "#microsoft.graph.group") || !slices.Contains(kinds, "#microsoft.graph.directoryRole") {
			t.Errorf("%s: %v", path, kinds)
		}
		for _, cast := range []string{"/microsoft.graph.directoryRole", "/graph.directoryRole"} {
			roles := w.do("GET", path+cast, nil).want(200).values()
			if len(roles) != 1 || roles[0]["roleTemplateId"] != catalog.RoleGlobalAdministrator || roles[0]["@odata.type"] != nil {
				t.Errorf("%s%s: %v", path, cast, roles)
			}
		}
	}
	if groups := w.do("GET", "/me/transitiveMemberOf/microsoft.graph.group", nil).want(200).values(); len(groups) != 1 || groups[0]["displayName"] != "AdminAgents" {
		t.Errorf("groups: %v", groups)
	}
	w.do("GET", "/me/memberOf/microsoft.graph.directoryRoles", nil).fails(400, "BadRequest", "Resource not found for the segment")
	org := w.do("GET", "/organization", nil).want(200).values()
	if len(org) != 1 || org[0]["id"] != tenant.ID || org[0]["displayName"] != "Contoso" {
		t.Errorf("organization: %v", org)
	}
	if domains := w.do("GET", "/domains", nil).want(200).values(); domains[0]["id"] != tenant.DefaultDomain || domains[0]["isDefault"] != true {
		t.Errorf("domains: %v", domains)
	}
	w.do("GET", "/subscribedSkus", nil).want(200)
	w.do("GET", "/users/"+tenant.Admin, nil).want(200)
	w.do("GET", "/users/nobody@contoso.onmicrosoft.com", nil).fails(404, "Request_ResourceNotFound", "nobody@")
	given := w.do("GET", "/roleManagement/directory/roleAssignments?$expand=roleDefinition&$filter="+url.QueryEscape("principalId eq '"+me.id()+"'"), nil).want(200).values()
	if len(given) != 1 || given[0]["roleDefinition"].(map[string]any)["displayName"] != "Global Administrator" {
		t.Errorf("role assignments: %v", given)
	}
	w.do("GET", "/roleManagement/directory/roleDefinitions/"+catalog.RoleGlobalAdministrator, nil).want(200)
	agents := w.do("GET", "/groups?$filter="+url.QueryEscape("displayName eq 'AdminAgents'"), nil).want(200).values()
	w.do("GET", "/groups/"+agents[0]["id"].(string), nil).want(200)
}
