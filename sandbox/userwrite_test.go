package sandbox_test

import (
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// accountScopes are what is taken to manage accounts, roles and policies.
const accountScopes = "openid User.Read User.ReadWrite.All Directory.Read.All RoleManagement.ReadWrite.Directory GroupMember.ReadWrite.All Policy.Read.All " +
	"Policy.ReadWrite.ConditionalAccess Policy.ReadWrite.AuthenticationMethod Application.Read.All UserAuthenticationMethod.Read.All AuditLog.Read.All"

const (
	goodPassword = "k7#Vt2!mQz9@LpXw"
	unknownID    = "11111111-1111-4111-8111-111111111111"
)

type fields = map[string]any

// managing starts a world with an administrator who may do all that.
func managing(t *testing.T, scenario string) *world {
	t.Helper()
	w := start(t, sandbox.Options{Scenario: scenario, Approve: sandbox.ApproveNow})
	w.cloud.Consent(strings.Fields(accountScopes)...)
	w.token = w.signIn(gct, accountScopes)["access_token"].(string)
	return w
}

// become signs in as somebody else with the same permissions and one more, who is
// given roles first.
func (w *world) become(account, more string, roles ...string) {
	w.t.Helper()
	for _, role := range roles {
		w.do("POST", givenRoles, giving(w.do("GET", "/users/"+account, nil).want(200).id(), role)).want(201)
	}
	if more != "" {
		w.cloud.Consent(strings.Fields(accountScopes + " " + more)...)
	}
	w.cloud.SignInAs(account)
	w.token = w.signIn(gct, strings.TrimSpace(accountScopes+" "+more))["access_token"].(string)
}

func account(changes fields) fields {
	a := fields{
		"accountEnabled": true, "displayName": "Rewst Service Account", "mailNickname": "rewst", "userPrincipalName": "rewst@contoso.onmicrosoft.com",
		"passwordProfile": fields{"password": goodPassword, "forceChangePasswordNextSignIn": false},
	}
	maps.Copy(a, changes)
	for name, value := range a {
		if value == nil {
			delete(a, name)
		}
	}
	return a
}

func TestCreateUser(t *testing.T) {
	w := managing(t, "happy")
	password := func(p string) fields { return fields{"passwordProfile": fields{"password": p}} }
	const weak = "The specified password does not comply with password complexity requirements. Please provide a different password."
	const domain = "The domain portion of the userPrincipalName property is invalid."
	for _, bad := range []struct {
		changes fields
		text    string
	}{
		{fields{"userPrincipalName": "rewst@fabrikam.com"}, domain},
		{fields{"userPrincipalName": "rewst"}, domain},
		{fields{"userPrincipalName": "re wst@contoso.com"}, "Property userPrincipalName is invalid."},
		{fields{"userPrincipalName": "rewst.@contoso.com"}, "Property userPrincipalName is invalid."},
		{fields{"userPrincipalName": "admin@contoso.onmicrosoft.com"}, "Another object with the same value for property userPrincipalName already exists."},
		{fields{"mail": "megan@contoso.onmicrosoft.com"}, "Another object with the same value for property proxyAddresses already exists."},
		{fields{"userPrincipalName": nil}, "A value is required for property 'userPrincipalName' of resource 'User'."},
		{fields{"passwordProfile": nil}, "A value is required for property 'passwordProfile' of resource 'User'."},
		{fields{"passwordProfile": fields{}}, "A password must be specified"},
		{fields{"mailNickname": "a b"}, "'mailNickname' of resource 'User'"},
		{fields{"mailNickname": strings.Repeat("x", 65)}, "'mailNickname' of resource 'User'"},
		{fields{"displayName": strings.Repeat("x", 257)}, "'displayName' of resource 'User'"},
		{fields{"nonsense": 1}, "Invalid property 'nonsense'."},
		{fields{"createdDateTime": "2026-01-01T00:00:00Z"}, "'createdDateTime' is read-only"},
		{password("aB3#xyz"), weak},
		{password(strings.Repeat("aB3#", 65)), weak},
		{password("abcdefgh1234"), weak},
		{password("Passw0rd!2026"), weak},
		{password("xx-REWST-2026"), weak},
		{password("My Service 2026"), weak},
	} {
		w.do("POST", "/users", account(bad.changes)).fails(400, "Request_BadRequest", bad.text)
	}
	made := w.do("POST", "/users", account(nil)).want(201)
	if made.body["userPrincipalName"] != "rewst@contoso.onmicrosoft.com" || strings.Contains(made.raw, goodPassword) || made.header.Get("Location") == "" {
		t.Errorf("made: %s", made.raw)
	}
	got := w.do("GET", "/users/rewst@contoso.onmicrosoft.com?$select=id,accountEnabled,userType,usageLocation,passwordProfile", nil).want(200)
	if got.id() != made.id() || got.body["accountEnabled"] != true || got.body["userType"] != "Member" || got.body["usageLocation"] != nil || got.body["passwordProfile"] != nil {
		t.Errorf("read: %s", got.raw)
	}
	again := w.do("POST", "/users", account(nil)).fails(400, "Request_BadRequest", "userPrincipalName already exists")
	if !strings.Contains(again.raw, `"ObjectConflict"`) {
		t.Errorf("no detail: %s", again.raw)
	}
	w.do("POST", "/users", account(fields{"userPrincipalName": "o'brien_~1@contoso.com", "mailNickname": "o.brien"})).want(201)

	// The permission alone is not enough, and neither is the role.
	w.become("megan@contoso.onmicrosoft.com", "")
	w.do("POST", "/users", account(fields{"userPrincipalName": "x@contoso.com"})).fails(403, "Authorization_RequestDenied", "")
	w.do("PATCH", "/users/"+made.id(), fields{"displayName": "x"}).fails(403, "Authorization_RequestDenied", "")
	w.do("DELETE", "/users/"+made.id(), nil).fails(403, "Authorization_RequestDenied", "")
	w.become("admin@contoso.onmicrosoft.com", "")
	w.become("adele@contoso.onmicrosoft.com", "", "fe930be7-5e62-47db-91af-98c3a49a38b1")
	w.do("POST", "/users", account(fields{"userPrincipalName": "x@contoso.com"})).want(201)
	// Somebody who signs in with the new account, and not once it is switched off.
	w.cloud.SignInAs("rewst@contoso.onmicrosoft.com")
	w.signIn(gct, "openid User.Read")
	w.do("PATCH", "/users/"+made.id(), fields{"accountEnabled": false}).want(204)
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", gct, "scope", "openid").want(200).body
	if err := w.cloud.Approve(code["user_code"].(string), "rewst@contoso.onmicrosoft.com"); err == nil || !strings.Contains(err.Error(), "50057") {
		t.Errorf("a disabled account: %v", err)
	}
}

func TestUserScenarios(t *testing.T) {
	const admin = "rewst@contoso.onmicrosoft.com"
	w := managing(t, "user-quota")
	w.do("POST", "/users", account(nil)).fails(403, "Directory_QuotaExceeded", "The directory object quota limit for the Tenant has been exceeded.")

	w = managing(t, "federated-domain")
	if got := w.cloud.Tenant(); got.DefaultDomain != "contoso.com" || got.Admin != "admin@contoso.onmicrosoft.com" {
		t.Errorf("tenant: %+v", got)
	}
	names := fields{}
	for _, d := range w.do("GET", "/domains", nil).want(200).values() {
		names[d["id"].(string)] = []any{d["authenticationType"], d["isDefault"]}
	}
	if got := names["contoso.com"].([]any); got[0] != "Federated" || got[1] != true {
		t.Errorf("domains: %v", names)
	}
	if got := names["contoso.onmicrosoft.com"].([]any); got[0] != "Managed" || got[1] != false {
		t.Errorf("domains: %v", names)
	}
	w.do("POST", "/users", account(fields{"userPrincipalName": "rewst@contoso.com"})).fails(400, "Request_BadRequest", "SourceAnchor is a required property for creation of a federated user.")
	w.do("POST", "/users", account(nil)).want(201)

	w = managing(t, "leftover-synced")
	w.do("PATCH", "/users/"+admin, fields{"displayName": "x"}).fails(400, "Request_BadRequest", "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.")
	w.do("PATCH", "/users/"+admin, fields{"usageLocation": "US"}).want(204)
	if got := w.do("GET", "/users/"+admin+"?$select=onPremisesSyncEnabled", nil).want(200).body["onPremisesSyncEnabled"]; got != true {
		t.Errorf("onPremisesSyncEnabled: %v", got)
	}

	w = managing(t, "leftover-disabled")
	w.do("POST", "/users", account(nil)).fails(400, "Request_BadRequest", "already exists")
	w.do("PATCH", "/users/"+admin, fields{"accountEnabled": nil}).fails(400, "Request_BadRequest", "'accountEnabled'")
	w.do("PATCH", "/users/"+admin, fields{"accountEnabled": true, "passwordProfile": fields{"password": goodPassword}}).want(204)
	if got := w.do("GET", "/users/"+admin+"?$select=accountEnabled", nil).want(200).body["accountEnabled"]; got != true {
		t.Errorf("accountEnabled: %v", got)
	}

	w = managing(t, "leftover-guest")
	w.do("GET", "/users/"+admin, nil).fails(404, "Request_ResourceNotFound", "")
	guest := w.do("GET", "/users/rewst_fabrikam.com%23EXT%23@contoso.onmicrosoft.com?$select=userType,mail", nil).want(200).body
	if guest["userType"] != "Guest" || guest["mail"] != "rewst@fabrikam.com" {
		t.Errorf("guest: %v", guest)
	}
	w.do("POST", "/users", account(nil)).want(201)
}

func TestDeleteAndRestoreUser(t *testing.T) {
	w := managing(t, "happy")
	id := w.do("POST", "/users", account(nil)).want(201).id()
	group := w.do("GET", "/groups?$filter=displayName eq 'AdminAgents'", nil).want(200).values()[0]["id"].(string)
	w.do("POST", "/groups/"+group+"/members/$ref", member(id)).want(204)
	w.do("POST", givenRoles, giving(id, catalog.RoleGlobalAdministrator)).want(201)
	// An administrator's account is protected.
	w.do("DELETE", "/users/"+id, nil).fails(403, "Authorization_RequestDenied", "")
	w.become("admin@contoso.onmicrosoft.com", "Directory.AccessAsUser.All")
	w.do("DELETE", "/users/"+id, nil).want(204)
	w.do("GET", "/users/"+id, nil).fails(404, "Request_ResourceNotFound", "")
	w.do("GET", "/users/rewst@contoso.onmicrosoft.com", nil).fails(404, "Request_ResourceNotFound", "")
	if got := w.do("GET", givenRoles+"?$filter=principalId eq '"+id+"'", nil).want(200).values(); len(got) != 0 {
		t.Errorf("roles of a deleted account: %v", got)
	}
	if got := w.do("GET", "/groups/"+group+"/members", nil).want(200).values(); len(got) != 1 {
		t.Errorf("members: %v", got)
	}
	gone := w.do("GET", "/directory/deletedItems/microsoft.graph.user?$select=id,userPrincipalName,deletedDateTime", nil).want(200).values()
	if len(gone) != 1 || gone[0]["userPrincipalName"] != strings.ReplaceAll(id, "-", "")+"rewst@contoso.onmicrosoft.com" || gone[0]["deletedDateTime"] == nil {
		t.Errorf("deleted: %v", gone)
	}
	if d := w.cloud.Digest().Deleted["Contoso"].Users; len(d) != 1 || d[0] != "rewst@contoso.onmicrosoft.com" {
		t.Errorf("deleted in the digest: %v", d)
	}
	// A deleted account does not keep its name, but cannot come back while it is taken.
	other := w.do("POST", "/users", account(nil)).want(201).id()
	w.become("megan@contoso.onmicrosoft.com", "")
	for method, path := range map[string]string{"POST": id + "/restore", "DELETE": id, "GET": id} {
		w.do(method, "/directory/deletedItems/"+path, nil).fails(403, "Authorization_RequestDenied", "")
	}
	w.do("GET", "/directory/deletedItems/microsoft.graph.user", nil).fails(403, "Authorization_RequestDenied", "")
	w.become("admin@contoso.onmicrosoft.com", "Directory.AccessAsUser.All")
	w.do("POST", "/directory/deletedItems/"+id+"/restore", nil).fails(400, "Request_BadRequest", "Another object with the same value for property userPrincipalName already exists.")
	w.do("DELETE", "/users/"+other, nil).want(204)
	w.do("POST", "/directory/deletedItems/"+id+"/restore", nil).want(200)
	if got := w.do("GET", "/users/rewst@contoso.onmicrosoft.com", nil).want(200).id(); got != id {
		t.Errorf("restored: %s, want %s", got, id)
	}
	if got := w.do("GET", "/groups/"+group+"/members", nil).want(200).values(); len(got) != 2 {
		t.Errorf("members after the restore: %v", got)
	}
	if got := w.do("GET", givenRoles+"?$filter=principalId eq '"+id+"'", nil).want(200).values(); len(got) != 0 {
		t.Errorf("roles after the restore: %v", got)
	}
	w.do("DELETE", "/directory/deletedItems/"+other, nil).want(204)
	w.do("DELETE", "/users/"+id, nil).want(204)
	w.cloud.Advance(31 * 24 * time.Hour)
	w.token = w.signIn(gct, accountScopes)["access_token"].(string)
	w.do("POST", "/directory/deletedItems/"+id+"/restore", nil).fails(404, "Request_ResourceNotFound", "")

	w = managing(t, "leftover-deleted")
	gone = w.do("GET", "/directory/deletedItems/graph.user", nil).want(200).values()
	if len(gone) != 1 || !strings.HasSuffix(gone[0]["userPrincipalName"].(string), "rewst@contoso.onmicrosoft.com") {
		t.Fatalf("leftover: %v", gone)
	}
	w.do("POST", "/directory/deletedItems/"+gone[0]["id"].(string)+"/restore", nil).want(200)
	w.do("GET", "/users/rewst@contoso.onmicrosoft.com", nil).want(200)
}

// The password of an administrator is reset by a mightier one, with an app that
// was made for it.
func TestPrivilegedPasswords(t *testing.T) {
	w := managing(t, "happy")
	id := w.do("POST", "/users", account(nil)).want(201).id()
	reset := fields{"passwordProfile": fields{"password": "h3%Rb8&nWc5^Ktyd"}}
	w.do("PATCH", "/users/"+id, reset).want(204)
	w.do("POST", givenRoles, giving(id, catalog.RoleApplicationAdministrator)).want(201)
	w.do("PATCH", "/users/"+id, reset).fails(403, "Authorization_RequestDenied", "Insufficient privileges")
	w.do("PATCH", "/users/"+id, fields{"accountEnabled": false}).fails(403, "Authorization_RequestDenied", "")
	w.do("PATCH", "/users/"+id, fields{"displayName": "x"}).want(204)
	for _, permission := range []string{"User-PasswordProfile.ReadWrite.All", "Directory.AccessAsUser.All"} {
		w := managing(t, "happy")
		id := w.do("POST", "/users", account(nil)).want(201).id()
		w.do("POST", givenRoles, giving(id, catalog.RoleApplicationAdministrator)).want(201)
		w.become("adele@contoso.onmicrosoft.com", permission, "fe930be7-5e62-47db-91af-98c3a49a38b1") // User Administrator
		w.do("PATCH", "/users/"+id, reset).fails(403, "Authorization_RequestDenied", "")
		w.become("admin@contoso.onmicrosoft.com", permission)
		w.do("PATCH", "/users/"+id, reset).want(204)
		enable := w.do("PATCH", "/users/"+id, fields{"accountEnabled": false})
		if permission == "Directory.AccessAsUser.All" {
			enable.want(204)
		} else {
			enable.fails(403, "Authorization_RequestDenied", "")
		}
	}
}

// Replicas take in a new account one after the other, and so everything that
// refers to it.
func TestAccountsReplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, sandbox.Options{Delays: sandbox.DelaysRealistic, Approve: sandbox.ApproveNow, Seed: 3})
		w.token = w.signIn(gct, accountScopes)["access_token"].(string)
		id := w.do("POST", "/users", account(nil)).want(201).id()
		w.do("POST", "/users", account(nil)).fails(400, "Request_BadRequest", "already exists")
		absent := map[string]int{}
		var role, group, policy bool
		agents := w.do("GET", "/groups?$filter=displayName eq 'AdminAgents'", nil).want(200).values()[0]["id"].(string)
		for range 30 {
			time.Sleep(time.Second)
			if w.do("GET", "/users/"+id, nil).status == 404 {
				absent["user"]++
			}
			try := func(done *bool, what, path string, body fields) {
				if *done {
					return
				}
				switch r := w.do("POST", path, body); {
				case r.status < 300:
					*done = true
				case strings.Contains(r.raw, id):
					absent[what]++
				default:
					t.Fatalf("%s: %s", what, r.raw)
				}
			}
			try(&role, "role", givenRoles, giving(id, catalog.RoleGlobalAdministrator))
			try(&group, "group", "/groups/"+agents+"/members/$ref", member(id))
			try(&policy, "policy", accessPolicies, rule("x", id))
		}
		if !role || !group || !policy || absent["user"] == 0 || absent["role"]+absent["group"]+absent["policy"] == 0 {
			t.Errorf("role %v, group %v, policy %v, absent %v", role, group, policy, absent)
		}
	})
}
