package sandbox_test

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox"
)

func TestApplicationRules(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	access := func(resources, each int) []any {
		var list []any
		for r := range resources {
			var permissions []any
			for p := range each {
				permissions = append(permissions, map[string]any{"id": fmt.Sprintf("%08d-0000-4000-8000-%012d", r, p), "type": "Scope"})
			}
			list = append(list, map[string]any{"resourceAppId": fmt.Sprintf("%08d-1111-4111-8111-111111111111", r), "resourceAccess": permissions})
		}
		return list
	}
	redirects := func(uris ...string) map[string]any { return map[string]any{"redirectUris": uris} }
	many := make([]string, 257)
	for i := range many {
		many[i] = fmt.Sprintf("https://example.com/%d", i)
	}
	type m = map[string]any
	for name, change := range map[string]m{
		"no name": {"displayName": ""}, "null name": {"displayName": nil}, "long name": {"displayName": strings.Repeat("x", 257)},
		"unknown property": {"nonsense": 1}, "unknown inside": {"web": m{"redirectUri": "x"}}, "deep": {"web": m{"implicitGrantSettings": m{"enableIdTokens": true}}},
		"read-only": {"appId": "11111111-1111-4111-8111-111111111111"}, "type": {"tags": "x"}, "audience": {"signInAudience": "Everybody"}, "null audience": {"signInAudience": nil},
		"http": {"web": redirects("http://example.com/cb")}, "relative": {"web": redirects("/cb")}, "fragment": {"web": redirects("https://example.com/cb#x")},
		"wildcard": {"web": redirects("https://*.example.com/cb")}, "long uri": {"web": redirects("https://example.com/" + strings.Repeat("x", 256))},
		"twice": {"web": redirects("https://a.example/", "https://a.example/")}, "too many": {"web": redirects(many...)},
		"resources": {"requiredResourceAccess": access(51, 1)}, "permissions": {"requiredResourceAccess": access(41, 10)},
		"not an id":        {"requiredResourceAccess": []any{m{"resourceAppId": catalog.GraphAppID, "resourceAccess": []any{m{"id": "User.Read", "type": "Scope"}}}}},
		"wrong type":       {"requiredResourceAccess": []any{m{"resourceAppId": catalog.GraphAppID, "resourceAccess": []any{m{"id": "11111111-1111-4111-8111-111111111111", "type": "delegated"}}}}},
		"resource twice":   {"requiredResourceAccess": append(access(1, 1), access(1, 1)...)},
		"secret":           {"passwordCredentials": []any{m{"secretText": "x"}}},
		"tag twice":        {"tags": []string{"a", "a"}},
		"identifier":       {"identifierUris": []string{"https://example.com/x"}},
		"owner":            {"owners@odata.bind": []string{"https://graph.microsoft.com/v1.0/users/11111111-1111-4111-8111-111111111111"}},
		"number for truth": {"isFallbackPublicClient": 1},
	} {
		body := m{"displayName": "x", "signInAudience": "AzureADMyOrg"}
		maps.Copy(body, change)
		if r := w.do("POST", "/applications", body); r.status != 400 {
			t.Errorf("%s: got %d %s", name, r.status, r.raw)
		}
	}
	w.do("POST", "/applications", `{"displayName":"x"`).fails(400, "BadRequest", "Unable to read JSON")
	w.do("POST", "/applications", `{"displayName":"x"}`, "Content-Type", "text/plain").fails(400, "Request_BadRequest", "Content-Type")
	w.do("POST", "/applications", `{}`).fails(400, "Request_BadRequest", "displayName")
	w.do("POST", "/applications", m{"displayName": "x", "nonsense": 1}).fails(400, "Request_BadRequest", "Invalid property 'nonsense'.")
	w.do("POST", "/applications", m{"displayName": "x", "appId": "y"}).fails(400, "Request_BadRequest", "read-only")

	id, appID := w.app(m{
		"displayName": strings.Repeat("Ж", 256), "requiredResourceAccess": access(40, 10), "tags": []string{"msbundle"}, "uniqueName": "one",
		"web": m{"redirectUris": []string{"https://example.com/cb", "http://localhost:8400/"}, "implicitGrantSettings": m{"enableIdTokenIssuance": true}},
	})
	w.do("POST", "/applications", m{"displayName": "x", "uniqueName": "one"}).fails(409, "Request_MultipleObjectsWithSameKeyValue", "")
	w.do("PATCH", "/applications/"+id, m{}).fails(400, "Request_BadRequest", "Empty Payload")
	w.do("PATCH", "/applications/"+id, m{"appId": appID}).fails(400, "Request_BadRequest", "read-only")
	w.do("PATCH", "/applications/"+id, m{"passwordCredentials": []any{}}).fails(400, "Request_BadRequest", "service actions")
	w.do("PATCH", "/applications/"+id, m{"signInAudience": nil}).fails(400, "Request_BadRequest", "signInAudience")
	w.do("PATCH", "/applications(appId='"+appID+"')", m{"web": m{"redirectUris": []string{"https://example.com/two"}}}).want(204)
	web := w.do("GET", "/applications/"+id, nil).want(200).body["web"].(map[string]any)
	if web["implicitGrantSettings"].(map[string]any)["enableIdTokenIssuance"] != false || len(web["redirectUris"].([]any)) != 1 {
		t.Errorf("a complex property is replaced whole: %v", web)
	}
	w.do("PATCH", "/applications/11111111-1111-4111-8111-111111111111", m{"notes": "x"}).fails(404, "Request_ResourceNotFound", "does not exist or one of its queried reference-property objects are not present.")
	w.do("GET", "/applications/nonsense", nil).fails(400, "Request_BadRequest", "Invalid object identifier")
	if got := w.do("POST", "/applications", m{"displayName": "defaults"}).want(201).body["signInAudience"]; got != "AzureADandPersonalMicrosoftAccount" {
		t.Errorf("default audience: %v", got)
	}
}

func TestSecrets(t *testing.T) {
	w := signedIn(t, sandbox.Options{Canary: "CANARY-7"})
	id, _ := w.app(nil)
	add := func(body any) reply { return w.do("POST", "/applications/"+id+"/addPassword", body) }
	if raw := w.do("GET", "/applications/"+id, nil).want(200).raw; strings.Contains(raw, `"_`) {
		t.Errorf("the sandbox's own properties are sent: %s", raw)
	}
	made := add(map[string]any{"passwordCredential": map[string]any{"displayName": "one"}}).want(200)
	text := made.body["secretText"].(string)
	if len(text) != 40 || !regexp.MustCompile(`^[A-Za-z0-9~._-]+$`).MatchString(text) || !strings.Contains(text, "CANARY-7") || made.body["hint"] != text[:3] {
		t.Errorf("secret: %s", made.raw)
	}
	key := made.body["keyId"].(string)
	keys := w.do("GET", "/applications/"+id+"?$select=passwordCredentials", nil).want(200).body["passwordCredentials"].([]any)
	if got := keys[0].(map[string]any); len(keys) != 1 || got["secretText"] != nil || got["keyId"] != key || got["hint"] != text[:3] {
		t.Errorf("stored: %v", keys)
	}
	add(map[string]any{"passwordCredential": map[string]any{"secretText": "mine"}}).fails(400, "Request_BadRequest", "secretText")
	add(map[string]any{"passwordCredential": map[string]any{"endDateTime": "2001-01-01T00:00:00Z"}}).fails(400, "Request_BadRequest", "end date")
	remove := func(key string) reply {
		return w.do("POST", "/applications/"+id+"/removePassword", map[string]any{"keyId": key})
	}
	remove("11111111-1111-4111-8111-111111111111").fails(400, "Request_BadRequest", "No password credential found")
	remove(key).want(204)
	remove(key).fails(400, "Request_BadRequest", "No password credential found")

	w = signedIn(t, sandbox.Options{Scenario: "secrets-forbidden"})
	id, _ = w.app(nil)
	add(map[string]any{}).fails(400, "CredentialTypeNotAllowedAsPerAppPolicy", "")
	w = signedIn(t, sandbox.Options{Scenario: "secret-lifetime"})
	id, _ = w.app(nil)
	add(map[string]any{}).fails(400, "CredentialInvalidLifetimeAsPerAppPolicy", "")
	policy := w.do("GET", "/policies/defaultAppManagementPolicy", nil).want(200)
	if policy.body["isEnabled"] != true || !strings.Contains(policy.raw, `"maxLifetime":"P180D"`) {
		t.Errorf("policy: %s", policy.raw)
	}
	if got := w.do("GET", "/applications/"+id+"/appManagementPolicies", nil).want(200).values(); len(got) != 0 {
		t.Errorf("policies of the app: %v", got)
	}
}

func TestServicePrincipals(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	id, appID := w.app(nil)
	create := func(appID string) reply {
		return w.do("POST", "/servicePrincipals", map[string]any{"appId": appID, "tags": []string{"msbundle", catalog.PortalTag}})
	}
	sp := create(appID).want(201)
	if sp.body["displayName"] != "Rewst Integration" || len(sp.body["tags"].([]any)) != 2 {
		t.Errorf("made: %s", sp.raw)
	}
	dup := create(appID).fails(409, "Request_MultipleObjectsWithSameKeyValue",
		"The service principal cannot be created, updated, or restored because the service principal name "+appID+" is already in use.")
	if details := dup.body["error"].(map[string]any)["details"].([]any); details[0].(map[string]any)["code"] != "ObjectConflict" {
		t.Errorf("details: %s", dup.raw)
	}
	create(catalog.GraphAppID).fails(409, "Request_MultipleObjectsWithSameKeyValue", "already in use")
	create("11111111-1111-4111-8111-111111111111").fails(400, "Request_BadRequest",
		"The appId '11111111-1111-4111-8111-111111111111' of the service principal does not reference a valid application object.")
	w.do("GET", "/servicePrincipals(appId='"+catalog.ManagementAPIsAppID+"')", nil).fails(404, "Request_ResourceNotFound", "")
	if got := create(catalog.ManagementAPIsAppID).want(201).body["displayName"]; got != "Office 365 Management APIs" {
		t.Errorf("provisioned: %v", got)
	}
	create(catalog.VendorConnector).want(201)
	w.do("PATCH", "/servicePrincipals/"+sp.id(), map[string]any{"appRoleAssignmentRequired": true}).want(204)
	w.do("PATCH", "/servicePrincipals/"+sp.id(), map[string]any{"appDisplayName": "y"}).fails(400, "Request_BadRequest", "read-only")
	w.do("PATCH", "/servicePrincipals/"+sp.id(), map[string]any{"nonsense": "y"}).fails(400, "Request_BadRequest", "Invalid property")
	w.do("PATCH", "/applications/"+id, map[string]any{"displayName": "Renamed"}).want(204)
	if got := w.do("GET", "/servicePrincipals/"+sp.id(), nil).want(200).body; got["displayName"] != "Renamed" || got["appRoleAssignmentRequired"] != true {
		t.Errorf("follows the registration: %v", got["displayName"])
	}

	w = signedIn(t, sandbox.Options{Scenario: "api-missing"})
	for _, missing := range []string{catalog.StorageAppID, catalog.ManagementAPIsAppID} {
		create(missing).fails(400, "Request_BadRequest", "does not reference a valid application object.")
	}
	w = signedIn(t, sandbox.Options{Scenario: "single-tenant"})
	create(catalog.PartnerCenterAppID).fails(400, "Request_BadRequest", "does not reference a valid application object.")
}

func TestAssignments(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	_, appID := w.app(nil)
	client := w.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).want(201).id()
	graph := w.principal(catalog.GraphAppID)
	role := permissionID(t, catalog.GraphAppID, "User.ReadWrite.All", catalog.Application)
	body := map[string]any{"principalId": client, "resourceId": graph, "appRoleId": role}
	there := "/servicePrincipals/" + graph + "/appRoleAssignedTo"
	here := "/servicePrincipals/" + client + "/appRoleAssignments"
	made := w.do("POST", there, body).want(201)
	if made.body["principalDisplayName"] != "Rewst Integration" || made.body["resourceDisplayName"] != "Microsoft Graph" || made.body["principalType"] != "ServicePrincipal" {
		t.Errorf("made: %s", made.raw)
	}
	w.do("POST", there, body).fails(400, "Request_BadRequest", "Permission being assigned already exists on the object")
	w.do("POST", here, body).fails(400, "Request_BadRequest", "Permission being assigned already exists on the object")
	with := func(key, value string) map[string]any {
		out := map[string]any{}
		maps.Copy(out, body)
		out[key] = value
		return out
	}
	const nobody = "11111111-1111-4111-8111-111111111111"
	w.do("POST", there, with("principalId", nobody)).fails(400, "Request_BadRequest", "Not a valid reference update")
	w.do("POST", there, with("resourceId", client)).fails(400, "Request_BadRequest", "Not a valid reference update")
	w.do("POST", there, with("appRoleId", nobody)).fails(400, "Request_BadRequest", "Permission being assigned was not found on application")
	w.do("POST", there, with("extra", "x")).fails(400, "Request_BadRequest", "Invalid property")
	w.do("POST", there, map[string]any{"principalId": client, "resourceId": graph}).fails(400, "Request_BadRequest", "appRoleId")
	w.do("POST", "/servicePrincipals/"+nobody+"/appRoleAssignedTo", body).fails(404, "Request_ResourceNotFound", "")
	w.do("POST", here, with("appRoleId", permissionID(t, catalog.GraphAppID, "Mail.Send", catalog.Application))).want(201)
	if got := w.do("GET", here, nil).want(200).values(); len(got) != 2 {
		t.Errorf("of the client: %v", got)
	}
	if got := w.do("GET", there+"?$top=999", nil).want(200).values(); len(got) != 2 {
		t.Errorf("of the resource: %v", got)
	}
	w.do("DELETE", there+"/"+made.id(), nil).want(204)
	w.do("DELETE", there+"/"+made.id(), nil).fails(404, "Request_ResourceNotFound", "")
	if got := w.do("GET", here, nil).want(200).values(); len(got) != 1 {
		t.Errorf("after revoking: %v", got)
	}
}

func TestGrants(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	_, appID := w.app(nil)
	client := w.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).want(201).id()
	graph := w.principal(catalog.GraphAppID)
	type m = map[string]any
	body := m{"clientId": client, "consentType": "AllPrincipals", "resourceId": graph, "scope": "User.Read Mail.Read"}
	with := func(changes m) m {
		out := m{}
		maps.Copy(out, body)
		maps.Copy(out, changes)
		return out
	}
	const nobody = "11111111-1111-4111-8111-111111111111"
	w.do("POST", "/oauth2PermissionGrants", with(m{"scope": strings.Repeat("x", 3851)})).fails(400, "Request_BadRequest", "'1' to '3850'")
	w.do("POST", "/oauth2PermissionGrants", with(m{"scope": ""})).fails(400, "Request_BadRequest", "scope")
	w.do("POST", "/oauth2PermissionGrants", with(m{"consentType": "Everybody"})).fails(400, "Request_BadRequest", "consentType")
	w.do("POST", "/oauth2PermissionGrants", with(m{"principalId": nobody})).fails(400, "Request_BadRequest", "principalId")
	w.do("POST", "/oauth2PermissionGrants", with(m{"consentType": "Principal"})).fails(400, "Request_BadRequest", "reference-property")
	w.do("POST", "/oauth2PermissionGrants", with(m{"clientId": nobody})).fails(400, "Request_BadRequest", "does not exist or one of its queried reference-property objects are not present.")
	w.do("POST", "/oauth2PermissionGrants", with(m{"startTime": "2026-01-01T00:00:00Z"})).fails(400, "Request_BadRequest", "Invalid property")
	made := w.do("POST", "/oauth2PermissionGrants", with(m{"scope": strings.Repeat("x", 3850)})).want(201)
	again := w.do("POST", "/oauth2PermissionGrants", body)
	if !strings.Contains(again.raw, "Permission entry already exists.") || again.status != 400 && again.status != 409 {
		t.Errorf("duplicate: %d %s", again.status, again.raw)
	}
	path := "/oauth2PermissionGrants/" + made.id()
	w.do("PATCH", path, m{"scope": "User.Read No.Such.Scope"}).want(204)
	w.do("PATCH", path, m{"scope": "x", "clientId": client}).fails(400, "Request_BadRequest", "read-only")
	if got := w.do("GET", path, nil).want(200).body["scope"]; got != "User.Read No.Such.Scope" {
		t.Errorf("overwritten: %v", got)
	}
	filter := "/oauth2PermissionGrants?$filter=clientId eq '" + client + "' and consentType eq 'AllPrincipals'"
	if got := w.do("GET", filter, nil).want(200).values(); len(got) != 1 {
		t.Errorf("by client: %v", got)
	}
	if got := w.do("GET", "/servicePrincipals/"+client+"/oauth2PermissionGrants", nil).want(200).values(); len(got) != 1 {
		t.Errorf("of the service principal: %v", got)
	}
	w.do("GET", "/oauth2PermissionGrants?$filter=scope eq 'x'", nil).fails(400, "Request_UnsupportedQuery", "scope")
	w.do("DELETE", path, nil).want(204)
	w.do("GET", path, nil).fails(404, "Request_ResourceNotFound", "")
	w.do("POST", "/oauth2PermissionGrants", body).want(201)
}

func TestDeletedItems(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	before := w.cloud.Digest()
	id, appID := w.app(nil)
	sp := w.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).want(201).id()
	graph := w.principal(catalog.GraphAppID)
	w.do("POST", "/oauth2PermissionGrants", map[string]any{"clientId": sp, "consentType": "AllPrincipals", "resourceId": graph, "scope": "User.Read"}).want(201)
	w.do("POST", "/servicePrincipals/"+graph+"/appRoleAssignedTo", map[string]any{"principalId": sp, "resourceId": graph, "appRoleId": permissionID(t, catalog.GraphAppID, "Mail.Send", catalog.Application)}).want(201)
	w.do("DELETE", "/applications/"+id, nil).want(204)
	w.do("GET", "/applications/"+id, nil).fails(404, "Request_ResourceNotFound", "")
	w.do("GET", "/servicePrincipals/"+sp, nil).fails(404, "Request_ResourceNotFound", "")
	w.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).fails(400, "Request_BadRequest", "does not reference a valid application object.")
	if got := w.do("GET", "/servicePrincipals/"+graph+"/appRoleAssignedTo", nil).want(200).values(); len(got) != 0 {
		t.Errorf("assignments stay: %v", got)
	}
	after := w.cloud.Digest()
	if after.SHA256 != before.SHA256 {
		t.Error("soft-deleted objects count")
	}
	if gone := after.Deleted["Contoso"]; len(gone.Applications) != 1 || len(gone.ServicePrincipals) != 1 {
		t.Errorf("deleted: %+v", after.Deleted)
	}
	list := func(kind string) []map[string]any {
		return w.do("GET", "/directory/deletedItems/"+kind+"?$filter=appId eq '"+appID+"'", nil).want(200).values()
	}
	if got := list("microsoft.graph.application"); len(got) != 1 || got[0]["id"] != id || got[0]["deletedDateTime"] == nil {
		t.Errorf("deleted applications: %v", got)
	}
	if got := list("graph.servicePrincipal"); len(got) != 1 {
		t.Errorf("deleted service principals: %v", got)
	}
	w.do("GET", "/directory/deletedItems", nil).fails(400, "BadRequest", "Resource not found")
	w.do("GET", "/directory/deletedItems/"+id, nil).want(200)
	w.do("POST", "/directory/deletedItems/"+sp+"/restore", nil).want(400)
	if r := w.do("POST", "/directory/deletedItems/"+id+"/restore", nil).want(200); r.id() != id || r.body["deletedDateTime"] != nil {
		t.Errorf("restored: %s", r.raw)
	}
	w.do("GET", "/servicePrincipals/"+sp, nil).want(404)
	second := w.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).want(201).id()
	w.do("POST", "/directory/deletedItems/"+sp+"/restore", nil).fails(409, "Request_MultipleObjectsWithSameKeyValue", "already in use")
	w.do("DELETE", "/servicePrincipals/"+second, nil).want(204)
	w.do("POST", "/directory/deletedItems/"+sp+"/restore", nil).want(200)
	if got := w.do("GET", "/servicePrincipals/"+sp+"/oauth2PermissionGrants", nil).want(200).values(); len(got) != 0 {
		t.Errorf("grants come back: %v", got)
	}
	w.do("DELETE", "/directory/deletedItems/"+second, nil).want(204)
	w.do("DELETE", "/directory/deletedItems/"+second, nil).fails(404, "Request_ResourceNotFound", "")
	w.do("DELETE", "/applications/"+id, nil).want(204)
	w.cloud.Advance(31 * 24 * 60 * 60 * 1e9)
	w.token = w.signIn(gct, everything)["access_token"].(string)
	w.do("GET", "/directory/deletedItems/"+id, nil).fails(404, "Request_ResourceNotFound", "")
}
