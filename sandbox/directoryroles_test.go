package sandbox_test

import (
	"slices"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const givenRoles = "/roleManagement/directory/roleAssignments"

func giving(principal, role string) fields {
	return fields{"principalId": principal, "roleDefinitionId": role, "directoryScopeId": "/"}
}

func member(id string) fields {
	return fields{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + id}
}

func TestDirectoryRoleAssignments(t *testing.T) {
	w := managing(t, "happy")
	id := w.do("POST", "/users", account(nil)).want(201).id()
	admin := w.do("GET", "/me", nil).want(200).id()
	given := w.do("POST", givenRoles, giving(id, catalog.RoleGlobalAdministrator)).want(201)
	if given.body["principalId"] != id || given.body["roleDefinitionId"] != catalog.RoleGlobalAdministrator || given.body["directoryScopeId"] != "/" {
		t.Errorf("given: %s", given.raw)
	}
	w.do("POST", givenRoles, giving(id, catalog.RoleGlobalAdministrator)).fails(400, "Request_BadRequest", "A conflicting object with one or more of the specified property values is present in the directory.")
	w.do("POST", givenRoles, giving(unknownID, catalog.RoleGlobalAdministrator)).fails(404, "Request_ResourceNotFound", "queried reference-property objects")
	w.do("POST", givenRoles, giving(id, unknownID)).fails(404, "Request_ResourceNotFound", "")
	w.do("POST", givenRoles, fields{"principalId": id, "roleDefinitionId": catalog.RoleGlobalAdministrator}).fails(400, "Request_BadRequest", "directoryScopeId")
	w.do("POST", givenRoles, fields{"principalId": id, "directoryScopeId": "/"}).fails(400, "Request_BadRequest", "'roleDefinitionId'")
	agents := w.do("GET", "/groups?$filter=displayName eq 'AdminAgents'", nil).want(200).values()[0]["id"].(string)
	w.do("POST", givenRoles, giving(agents, catalog.RoleApplicationAdministrator)).fails(400, "Request_BadRequest", "Groups without IsAssignableToRole property set cannot be assigned to roles.")
	app := w.principal(catalog.ExchangeAppID)
	w.do("POST", givenRoles, giving(app, catalog.RoleApplicationAdministrator)).want(201)

	one := w.do("GET", givenRoles+"/"+given.id()+"?$expand=roleDefinition,principal", nil).want(200).body
	if one["roleDefinition"].(fields)["displayName"] != "Global Administrator" || one["principal"].(fields)["displayName"] != "Rewst Service Account" {
		t.Errorf("one: %v", one)
	}
	list := w.do("GET", givenRoles+"?$expand=principal&$filter=roleDefinitionId eq '"+catalog.RoleGlobalAdministrator+"'", nil).want(200).values()
	if len(list) != 2 || list[1]["principal"].(fields)["@odata.type"] != "#microsoft.graph.user" ||
		list[1]["principal"].(fields)["userPrincipalName"] != "rewst@contoso.onmicrosoft.com" || list[1]["principal"].(fields)["accountEnabled"] != true {
		t.Errorf("administrators: %v", list)
	}
	for _, path := range []string{"/memberOf", "/transitiveMemberOf/microsoft.graph.directoryRole", "/transitiveMemberOf/graph.directoryRole"} {
		if held := w.do("GET", "/users/"+id+path, nil).want(200).values(); len(held) != 1 || held[0]["roleTemplateId"] != catalog.RoleGlobalAdministrator {
			t.Errorf("%s: %v", path, held)
		}
	}
	if d := digestOf(t, w, "rewst@contoso.onmicrosoft.com"); !slices.Equal(d.Roles, []string{"Global Administrator"}) || d.DisplayName != "Rewst Service Account" {
		t.Errorf("digest: %+v", d)
	}

	// Nobody gives up being Global Administrator, and there always is one.
	own := w.do("GET", givenRoles+"?$filter=principalId eq '"+admin+"'", nil).want(200).values()[0]["id"].(string)
	w.do("DELETE", givenRoles+"/"+own, nil).fails(400, "Request_BadRequest", "Removing self from Global Administrator built-in role is not allowed")
	w.do("DELETE", givenRoles+"/"+given.id(), nil).want(204)
	w.do("DELETE", givenRoles+"/"+given.id(), nil).fails(404, "Request_ResourceNotFound", "")
	w.do("POST", givenRoles, giving(id, catalog.RoleGlobalAdministrator)).want(201) // and again
	w.do("DELETE", givenRoles+"/"+given.id(), nil).want(204)
	w.become("megan@contoso.onmicrosoft.com", "Directory.AccessAsUser.All", catalog.RolePrivilegedRoleAdministrator)
	w.do("DELETE", givenRoles+"/"+own, nil).fails(400, "Request_BadRequest", "last Global Administrator")
	w.become("admin@contoso.onmicrosoft.com", "Directory.AccessAsUser.All")
	w.do("DELETE", "/users/"+admin, nil).fails(400, "Request_BadRequest", "last Global Administrator")

	w.become("adele@contoso.onmicrosoft.com", "")
	w.do("POST", givenRoles, giving(id, catalog.RoleApplicationAdministrator)).fails(403, "Authorization_RequestDenied", "")
	w.do("DELETE", givenRoles+"/"+own, nil).fails(403, "Authorization_RequestDenied", "")
	w.token = w.signIn(azureCLI, "https://graph.microsoft.com/.default openid")["access_token"].(string)
	w.do("POST", givenRoles, giving(id, catalog.RoleApplicationAdministrator)).fails(403, "Authorization_RequestDenied", "")
}

func digestOf(t *testing.T, w *world, name string) sandbox.UserDigest {
	t.Helper()
	users := w.cloud.Digest().Tenants["Contoso"].Users
	i := slices.IndexFunc(users, func(u sandbox.UserDigest) bool { return u.Name == name })
	if i < 0 {
		t.Fatalf("%s is not in %+v", name, users)
	}
	return users[i]
}

// A role that a group has is that of its members.
func TestRolesOfGroups(t *testing.T) {
	w := managing(t, "happy")
	w.cloud.AddRoleGroup("Contoso Administrators", "megan@contoso.onmicrosoft.com")
	group := w.do("GET", "/groups?$filter=displayName eq 'Contoso Administrators'", nil).want(200).values()[0]["id"].(string)
	w.do("POST", givenRoles, giving(group, catalog.RoleApplicationAdministrator)).want(201)
	const megan = "/users/megan@contoso.onmicrosoft.com"
	if got := w.do("GET", megan+"/memberOf", nil).want(200).values(); len(got) != 1 {
		t.Errorf("directly: %v", got)
	}
	if got := w.do("GET", megan+"/transitiveMemberOf/microsoft.graph.directoryRole", nil).want(200).values(); len(got) != 1 {
		t.Errorf("through the group: %v", got)
	}
	// Who manages its members gives roles.
	adele := w.do("GET", "/users/adele@contoso.onmicrosoft.com", nil).want(200).id()
	w.become("megan@contoso.onmicrosoft.com", "", "fdd7a751-b60b-444a-984c-02652fe8fa1c") // Groups Administrator
	w.do("POST", "/groups/"+group+"/members/$ref", member(adele)).fails(403, "Authorization_RequestDenied", "")
	if roles := texts(claims(t, w.token)["wids"]); !slices.Contains(roles, catalog.RoleApplicationAdministrator) {
		t.Errorf("in the token: %v", roles)
	}
	w.become("admin@contoso.onmicrosoft.com", "")
	w.do("POST", "/groups/"+group+"/members/$ref", member(adele)).want(204)
}

func TestGroupMembers(t *testing.T) {
	w := managing(t, "happy")
	id := w.do("POST", "/users", account(nil)).want(201).id()
	agents := w.do("GET", "/groups?$filter=displayName eq 'AdminAgents'", nil).want(200).values()[0]["id"].(string)
	path := "/groups/" + agents + "/members"
	w.do("POST", path+"/$ref", member(id)).want(204)
	w.do("POST", path+"/$ref", member(id)).fails(400, "Request_BadRequest", "One or more added object references already exist for the following modified properties: 'members'.")
	w.do("POST", path+"/$ref", member(unknownID)).fails(404, "Request_ResourceNotFound", unknownID)
	w.do("POST", path+"/$ref", fields{"@odata.id": id}).fails(400, "Request_BadRequest", "@odata.id")
	w.do("POST", path+"/$ref", fields{}).fails(400, "Request_BadRequest", "@odata.id")
	w.do("POST", "/groups/"+unknownID+"/members/$ref", member(id)).fails(404, "Request_ResourceNotFound", unknownID)
	for _, list := range []string{path, "/groups/" + agents + "/transitiveMembers"} {
		members := w.do("GET", list, nil).want(200).values()
		if len(members) != 2 || members[1]["id"] != id || members[1]["@odata.type"] != "#microsoft.graph.user" || members[1]["userPrincipalName"] == nil {
			t.Errorf("%s: %v", list, members)
		}
	}
	for path, body := range map[string]fields{
		"/checkMemberGroups": {"groupIds": []string{agents, unknownID}}, "/getMemberGroups": {"securityEnabledOnly": true},
	} {
		if in := w.do("POST", "/users/"+id+path, body).want(200).body["value"].([]any); !slices.Equal(in, []any{agents}) {
			t.Errorf("%s: %v", path, in)
		}
	}
	if in := w.do("GET", "/users/"+id+"/transitiveMemberOf/microsoft.graph.group?$select=id", nil).want(200).values(); len(in) != 1 {
		t.Errorf("groups: %v", in)
	}
	w.do("DELETE", path+"/"+id+"/$ref", nil).want(204)
	w.do("DELETE", path+"/"+id+"/$ref", nil).fails(404, "Request_ResourceNotFound", "")
	w.become("megan@contoso.onmicrosoft.com", "")
	w.do("POST", path+"/$ref", member(id)).fails(403, "Authorization_RequestDenied", "")
	// What somebody else is in takes more than a look at oneself.
	w = start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	w.token = w.signIn(gct, "openid User.Read")["access_token"].(string)
	w.do("GET", "/users/megan@contoso.onmicrosoft.com/memberOf", nil).fails(403, "Authorization_RequestDenied", "")
	w.do("GET", "/users/admin@contoso.onmicrosoft.com/memberOf", nil).want(200)
}
