package sandbox_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// gdapScopes are what it takes to make groups and relationships.
const gdapScopes = "openid offline_access User.Read Group.ReadWrite.All GroupMember.ReadWrite.All RoleManagement.ReadWrite.Directory Directory.Read.All " +
	"User.Read.All DelegatedAdminRelationship.ReadWrite.All"

// delegating starts a world with an admin agent who may do all that.
func delegating(t *testing.T, o sandbox.Options) *world {
	t.Helper()
	o.Approve = sandbox.ApproveNow
	w := start(t, o)
	w.cloud.Consent(strings.Fields(gdapScopes)...)
	w.token = w.signIn(gct, gdapScopes)["access_token"].(string)
	return w
}

func newGroup(name string, changes fields) fields {
	g := fields{"displayName": name, "mailEnabled": false, "mailNickname": "rewst-gdap", "securityEnabled": true}
	maps.Copy(g, changes)
	return g
}

func (w *world) groupOf(name string, members ...string) string {
	w.t.Helper()
	links := []string{}
	for _, m := range members {
		links = append(links, "https://graph.microsoft.com/v1.0/users/"+w.do("GET", "/users/"+m, nil).want(200).id())
	}
	return w.do("POST", "/groups", newGroup(name, fields{"members@odata.bind": links})).want(201).id()
}

func TestCreateGroup(t *testing.T) {
	w := delegating(t, sandbox.Options{})
	bind := func(n int) []string {
		var links []string
		for i := range n {
			links = append(links, fmt.Sprintf("https://graph.microsoft.com/v1.0/users/%08d-1111-4111-8111-111111111111", i))
		}
		return links
	}
	admin := w.do("GET", "/me", nil).want(200).id()
	const mailEnabled = "The service does not currently support writes of mail-enabled groups."
	for _, bad := range []struct {
		changes fields
		text    string
	}{
		{fields{"displayName": ""}, "'displayName'"},
		{fields{"displayName": strings.Repeat("x", 257)}, "'displayName' of resource 'Group'"},
		{fields{"displayName": nil}, "A value is required for property 'displayName'"},
		{fields{"mailNickname": "a b"}, "'mailNickname' of resource 'Group'"},
		{fields{"mailNickname": "a@b"}, "'mailNickname'"},
		{fields{"mailNickname": "ä"}, "'mailNickname'"},
		{fields{"mailNickname": strings.Repeat("x", 65)}, "'mailNickname'"},
		{fields{"mailEnabled": true}, mailEnabled},
		{fields{"securityEnabled": false}, mailEnabled},
		{fields{"groupTypes": []string{"DynamicMembership"}, "isAssignableToRole": true}, "'groupTypes'"},
		{fields{"isAssignableToRole": "yes"}, "'isAssignableToRole'"},
		{fields{"createdDateTime": "2026-01-01T00:00:00Z"}, "read-only"},
		{fields{"nonsense": 1}, "Invalid property 'nonsense'."},
		{fields{"members@odata.bind": bind(1)}, "queried reference-property objects"},
		{fields{"members@odata.bind": []string{"nonsense"}}, "navigation property 'members'"},
		{fields{"members@odata.bind": []string{"https://graph.microsoft.com/v1.0/users/" + admin, "https://graph.microsoft.com/v1.0/users/" + admin}}, "property values specified are invalid"},
	} {
		w.do("POST", "/groups", newGroup("Rewst GDAP", bad.changes)).fails(400, "Request_BadRequest", bad.text)
	}
	made := w.do("POST", "/groups", newGroup("Rewst GDAP-Teams Administrator", fields{
		"isAssignableToRole": true, "members@odata.bind": []string{"https://graph.microsoft.com/v1.0/users/" + admin},
	})).want(201)
	if made.body["isAssignableToRole"] != true || made.body["mailNickname"] != "rewst-gdap" || !strings.HasSuffix(made.header.Get("Location"), made.id()) {
		t.Errorf("made: %s", made.raw)
	}
	// Names are nobody's own.
	w.do("POST", "/groups", newGroup("Rewst GDAP-Teams Administrator", nil)).want(201)
	if got := w.do("GET", "/groups?$filter=displayName eq 'Rewst GDAP-Teams Administrator'", nil).want(200).values(); len(got) != 2 {
		t.Errorf("by name: %v", got)
	}
	if got := w.do("GET", "/groups?$filter=startswith(displayName,'Rewst')&$select=id,displayName,isAssignableToRole", nil).want(200).values(); len(got) != 2 {
		t.Errorf("by beginning: %v", got)
	}
	if got := w.do("GET", "/groups/"+made.id()+"/members?$select=id", nil).want(200).values(); len(got) != 1 || got[0]["id"] != admin {
		t.Errorf("members: %v", got)
	}
	groups := w.cloud.Digest().Tenants["Contoso"].Groups
	i := slices.IndexFunc(groups, func(g sandbox.GroupDigest) bool { return g.RoleAssignable })
	if i < 0 || groups[i].Name != "Rewst GDAP-Teams Administrator" || !slices.Equal(groups[i].Members, []string{"admin@contoso.onmicrosoft.com"}) {
		t.Errorf("digest: %+v", groups)
	}
	// At most twenty at once.
	var many []string
	for i := range 21 {
		id := w.cloud.AddUser(fmt.Sprintf("user%d", i))
		many = append(many, "https://graph.microsoft.com/v1.0/directoryObjects/"+id)
	}
	w.do("POST", "/groups", newGroup("x", fields{"members@odata.bind": many})).fails(400, "Request_BadRequest", "At most 20")
	w.do("POST", "/groups", newGroup("x", fields{"members@odata.bind": many[1:]})).want(201)
	w.do("PATCH", "/groups/"+made.id(), fields{"members@odata.bind": many}).fails(400, "Request_BadRequest", "At most 20")
	w.do("PATCH", "/groups/"+made.id(), fields{"members@odata.bind": many[:3], "description": "x"}).want(204)
	w.do("PATCH", "/groups/"+made.id(), fields{"members@odata.bind": many[2:4]}).fails(400, "Request_BadRequest", "already exist for the following modified properties: 'members'.")
	if got := w.do("GET", "/groups/"+made.id()+"/members", nil).want(200).values(); len(got) != 4 {
		t.Errorf("%d members", len(got))
	}
}

func TestRoleAssignableGroups(t *testing.T) {
	assignable := fields{"isAssignableToRole": true}
	w := delegating(t, sandbox.Options{Scenario: "no-p1"})
	w.do("POST", "/groups", newGroup("x", assignable)).fails(400, "Request_BadRequest", "P1 or P2 license")
	w.do("POST", "/groups", newGroup("x", nil)).want(201)

	w = delegating(t, sandbox.Options{})
	id := w.do("POST", "/groups", newGroup("x", assignable)).want(201).id()
	w.do("PATCH", "/groups/"+id, fields{"isAssignableToRole": false}).fails(400, "Request_BadRequest", "'isAssignableToRole'")
	w.do("PATCH", "/groups/"+id, fields{"securityEnabled": false}).fails(400, "Request_BadRequest", "")
	w.do("PATCH", "/groups/"+id, fields{"displayName": "y"}).want(204)
	if got := w.do("GET", "/groups/"+id, nil).want(200).body; got["displayName"] != "y" || got["isAssignableToRole"] != true {
		t.Errorf("changed: %v", got)
	}
	w.do("POST", givenRoles, giving(id, catalog.RoleApplicationAdministrator)).want(201)
	w.do("DELETE", "/groups/"+id, nil).want(204)
	w.do("GET", "/groups/"+id, nil).fails(404, "Request_ResourceNotFound", id)
	w.do("DELETE", "/groups/"+id, nil).fails(404, "Request_ResourceNotFound", id)
	if got := w.do("GET", givenRoles+"?$filter=principalId eq '"+id+"'", nil).want(200).values(); len(got) != 0 {
		t.Errorf("what the group was given stays: %v", got)
	}
	if d := w.cloud.Digest(); len(d.Deleted) != 0 {
		t.Errorf("a security group is not kept: %v", d.Deleted)
	}
	for i := range 500 {
		w.cloud.AddRoleGroup(fmt.Sprint("Role group ", i))
	}
	w.do("POST", "/groups", newGroup("x", assignable)).fails(403, "Directory_QuotaExceeded", "500")
	w.do("POST", "/groups", newGroup("x", nil)).want(201)

	// Without the permission, and without the role.
	w.token = w.signIn(azureCLI, "https://graph.microsoft.com/.default openid")["access_token"].(string)
	w.do("POST", "/groups", newGroup("x", assignable)).fails(403, "Authorization_RequestDenied", "")
	w.do("POST", "/groups", newGroup("x", nil)).want(201)
	w.token = w.signInAs("megan@contoso.onmicrosoft.com", gct, gdapScopes)
	w.do("POST", "/groups", newGroup("x", assignable)).fails(403, "Authorization_RequestDenied", "")
	// Everybody may make a plain one and manages it, but nobody else's.
	own := w.do("POST", "/groups", newGroup("Megan's", nil)).want(201).id()
	w.do("PATCH", "/groups/"+own, fields{"description": "mine"}).want(204)
	agents := w.do("GET", "/groups?$filter=displayName eq 'AdminAgents'", nil).want(200).values()[0]["id"].(string)
	w.do("PATCH", "/groups/"+agents, fields{"description": "x"}).fails(403, "Authorization_RequestDenied", "")
	w.do("DELETE", "/groups/"+agents, nil).fails(403, "Authorization_RequestDenied", "")
	w.do("DELETE", "/groups/"+own, nil).want(204)

	w = delegating(t, sandbox.Options{Scenario: "user-quota"})
	w.do("POST", "/groups", newGroup("x", nil)).fails(403, "Directory_QuotaExceeded", "object quota")
}
