package conform_test

import (
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// accountScopes are what the operations on accounts, roles and policies take.
const accountScopes = "openid User.ReadWrite.All Directory.Read.All Directory.AccessAsUser.All RoleManagement.ReadWrite.Directory GroupMember.ReadWrite.All " +
	"Policy.Read.All Policy.ReadWrite.ConditionalAccess Policy.ReadWrite.AuthenticationMethod Application.Read.All UserAuthenticationMethod.Read.All AuditLog.Read.All"

const (
	graphBeta    = "https://graph.microsoft.com/beta"
	accessPath   = "/identity/conditionalAccess/policies"
	givenPath    = "/roleManagement/directory/roleAssignments"
	registration = "/reports/authenticationMethods/userRegistrationDetails/"
)

// accounts makes, changes and removes an account with all that goes with it.
func (w *walker) accounts() {
	w.t.Helper()
	before := w.token
	w.token = w.signIn(accountScopes)
	defer func() { w.token = before }()
	domain := w.cloud.Tenant().DefaultDomain
	account := object{
		"accountEnabled": true, "displayName": "Rewst Service Account", "mailNickname": "rewst", "userPrincipalName": "rewst@" + domain,
		"passwordProfile": object{"password": "k7#Vt2!mQz9@LpXw", "forceChangePasswordNextSignIn": false},
	}
	id := w.want(201, "POST", "/users", account)["id"].(string)
	w.want(400, "POST", "/users", account)
	w.want(400, "POST", "/users", object{})
	w.want(204, "PATCH", "/users/"+id, object{"displayName": "x", "passwordProfile": object{"password": "h3%Rb8&nWc5^Ktyd"}})
	w.want(400, "PATCH", "/users/"+id, object{"passwordProfile": object{"password": "short"}})
	w.want(404, "PATCH", "/users/"+nobody, object{"displayName": "x"})
	w.roles(id)
	w.memberships(id)
	w.policies(id)
	w.authentication(id)
	w.want(204, "DELETE", "/users/"+id, nil)
	for _, cast := range []string{"microsoft.graph.user", "graph.user"} {
		w.want(200, "GET", "/directory/deletedItems/"+cast, nil)
	}
	w.want(200, "GET", "/directory/deletedItems/microsoft.graph.user?$filter=endswith(userPrincipalName,'rewst@"+domain+"')&$count=true", nil, "ConsistencyLevel", "eventual")
	w.want(200, "GET", "/directory/deletedItems/"+id, nil)
	w.want(200, "POST", "/directory/deletedItems/"+id+"/restore", nil)
	w.want(204, "DELETE", "/users/rewst@"+domain, nil)
	other := w.want(201, "POST", "/users", account)["id"].(string)
	w.want(400, "POST", "/directory/deletedItems/"+id+"/restore", nil)
	w.want(204, "DELETE", "/directory/deletedItems/"+id, nil)
	w.want(204, "DELETE", "/users/"+other, nil)
	w.want(404, "DELETE", "/users/"+other, nil)
}

func (w *walker) roles(id string) {
	w.t.Helper()
	body := object{"roleDefinitionId": catalog.RoleApplicationAdministrator, "principalId": id, "directoryScopeId": "/"}
	given := w.want(201, "POST", givenPath, body)["id"].(string)
	w.want(400, "POST", givenPath, body)
	w.want(404, "POST", givenPath, object{"roleDefinitionId": catalog.RoleApplicationAdministrator, "principalId": nobody, "directoryScopeId": "/"})
	w.want(400, "POST", givenPath, object{"principalId": id})
	w.want(200, "GET", givenPath+"/"+given+"?$expand=roleDefinition,principal", nil)
	w.want(404, "GET", givenPath+"/nonsense", nil)
	for _, filter := range []string{"principalId eq '" + id + "'", "roleDefinitionId eq '" + catalog.RoleApplicationAdministrator + "'"} {
		if list, _ := w.want(200, "GET", givenPath+"?$filter="+filter+"&$expand=roleDefinition", nil)["value"].([]any); len(list) != 1 {
			w.t.Errorf("%s: %v", filter, list)
		}
	}
	for _, list := range []string{"/memberOf", "/transitiveMemberOf", "/transitiveMemberOf/microsoft.graph.directoryRole", "/transitiveMemberOf/graph.directoryRole", "/transitiveMemberOf/microsoft.graph.group", "/transitiveMemberOf/graph.group"} {
		w.want(200, "GET", "/users/"+id+list, nil)
	}
	w.want(404, "GET", "/users/"+nobody+"/memberOf", nil)
	w.want(204, "DELETE", givenPath+"/"+given, nil)
	w.want(404, "DELETE", givenPath+"/"+given, nil)
}

func (w *walker) memberships(id string) {
	w.t.Helper()
	w.want(200, "POST", "/users/"+id+"/getMemberGroups", object{"securityEnabledOnly": true})
	w.want(200, "POST", "/users/"+id+"/checkMemberGroups", object{"groupIds": []string{nobody}})
	w.want(400, "POST", "/users/"+id+"/checkMemberGroups", object{})
	group, there := nobody, 404
	if list, _ := w.want(200, "GET", "/groups?$filter=displayName eq 'AdminAgents'", nil)["value"].([]any); len(list) > 0 {
		group, there = list[0].(object)["id"].(string), 200
	}
	in := object{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + id}
	path := "/groups/" + group + "/members"
	w.do("POST", path+"/$ref", in)
	w.want(map[int]int{200: 400, 404: 404}[there], "POST", path+"/$ref", in)
	w.want(map[int]int{200: 400, 404: 404}[there], "POST", path+"/$ref", object{"@odata.id": "nonsense"})
	w.want(there, "GET", path, nil)
	w.want(there, "GET", path+"?$select=id", nil)
	w.want(there, "GET", "/groups/"+group+"/transitiveMembers", nil)
	w.want(map[int]int{200: 204, 404: 404}[there], "DELETE", path+"/"+id+"/$ref", nil)
	w.want(404, "DELETE", path+"/"+id+"/$ref", nil)
}

// policies changes Conditional Access, which takes one request a second.
func (w *walker) policies(id string) {
	w.t.Helper()
	paced := func(status int, method, path string, body any) object {
		w.t.Helper()
		w.cloud.Advance(time.Second)
		return w.want(status, method, accessPath+path, body)
	}
	body := object{
		"displayName": "Rewst Conditional Access Policy", "state": "enabled", "grantControls": object{"operator": "OR", "builtInControls": []string{"mfa"}},
		"conditions": object{"clientAppTypes": []string{"all"}, "applications": object{"includeApplications": []string{"All"}}, "users": object{"includeUsers": []string{id}}},
	}
	made := "/" + paced(201, "POST", "", body)["id"].(string)
	w.want(429, "POST", accessPath, body)
	seen := paced(200, "GET", made, nil)
	paced(204, "PATCH", made, object{"conditions": object{"users": object{
		"includeUsers": []string{"All"}, "excludeUsers": []string{id}, "excludeGuestsOrExternalUsers": object{
			"guestOrExternalUserTypes": "serviceProvider", "externalTenants": object{
				"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": []string{w.cloud.Tenant().ID},
			},
		},
	}}})
	paced(204, "PATCH", made, object{"sessionControls": object{"signInFrequency": object{"isEnabled": true, "type": "hours", "value": 4, "frequencyInterval": "timeBased", "authenticationType": "primaryAndSecondaryAuthentication"}}})
	paced(200, "GET", made, nil)
	paced(200, "GET", "", nil)
	paced(400, "PATCH", made, object{"conditions": seen["conditions"]}) // with its nulls
	paced(400, "PATCH", made, object{"templateId": nil, "state": "disabled"})
	paced(400, "POST", "", object{"displayName": "x"})
	paced(204, "DELETE", made, nil)
	paced(404, "PATCH", made, object{"state": "disabled"})
	paced(404, "DELETE", made, nil)
	w.cloud.Advance(time.Second)
}

func (w *walker) authentication(id string) {
	w.t.Helper()
	own := "/users/" + id + "/authentication/"
	w.want(200, "GET", graphBeta+own+"requirements", nil)
	w.want(204, "PATCH", graphBeta+own+"requirements", object{"perUserMfaState": "enforced"})
	w.want(400, "PATCH", graphBeta+own+"requirements", object{"perUserMfaState": "nonsense"})
	w.want(404, "GET", graphBeta+"/users/"+nobody+"/authentication/requirements", nil)
	w.want(400, "GET", own+"requirements", nil)
	w.want(200, "POST", graphBeta+"/$batch", object{"requests": []object{{"id": "1", "method": "GET", "url": own + "requirements"}}})
	w.want(200, "GET", own+"methods", nil)
	w.want(200, "GET", "/users/"+w.cloud.Tenant().Admin+"/authentication/methods", nil)
	w.want(200, "GET", registration+id, nil)
	w.want(404, "GET", registration+nobody, nil)
	w.want(200, "GET", "/policies/authenticationMethodsPolicy", nil)
}

// The worlds in which an account or its policies make difficulties answer as
// described, too.
func TestAccountWorlds(t *testing.T) {
	c := load(t)
	for scenario, made := range map[string]int{
		"five-policies": 400, "policy-edited": 400, "leftover-disabled": 400, "leftover-deleted": 201, "leftover-guest": 201, "leftover-synced": 400,
		"federated-domain": 201, "user-quota": 403, "policy-limit": 201, "last-admin": 201, "duo": 201, "no-p1": 201, "security-defaults": 201,
	} {
		w := arrive(t, c, sandbox.Options{Scenario: scenario})
		// Without the permissions there is nothing.
		w.token = w.signIn("openid User.Read")
		for _, path := range []string{accessPath, "/users/x/authentication/methods", graphBeta + "/users/x/authentication/requirements", "/policies/authenticationMethodsPolicy"} {
			w.want(403, "GET", path, nil)
		}
		for _, path := range []string{accessPath, "/users", givenPath} {
			w.want(403, "POST", path, object{})
		}
		w.token = w.signIn(accountScopes)
		for _, path := range []string{
			"/domains", "/organization", "/users", "/directory/deletedItems/microsoft.graph.user", "/policies/authenticationMethodsPolicy",
			givenPath + "?$filter=roleDefinitionId eq '" + catalog.RoleGlobalAdministrator + "'&$expand=principal",
		} {
			w.want(200, "GET", path, nil)
		}
		for _, e := range w.access(map[bool]int{true: 403, false: 200}[scenario == "no-p1"], map[bool]int{true: 400, false: 200}[strings.Contains("no-p1 five-policies policy-edited", scenario)]) {
			if p := e.(object); strings.HasPrefix(p["displayName"].(string), "Microsoft-managed") {
				w.cloud.Advance(time.Second)
				w.want(400, "DELETE", accessPath+"/"+p["id"].(string), nil)
			}
		}
		w.cloud.Advance(time.Second)
		users, _ := w.want(200, "GET", "/users?$filter=userType eq 'Member'", nil)["value"].([]any)
		body := object{
			"displayName": "x", "state": "enabled", "grantControls": object{"operator": "OR", "builtInControls": []string{"mfa"}},
			"conditions": object{"clientAppTypes": []string{"all"}, "applications": object{"includeApplications": []string{"All"}}, "users": object{"includeUsers": []string{users[0].(object)["id"].(string)}}},
		}
		policy := map[string]int{"no-p1": 403, "security-defaults": 400, "policy-limit": 400}[scenario]
		if policy == 0 {
			policy = 201
		}
		w.want(policy, "POST", accessPath, body)
		w.want(made, "POST", "/users", object{
			"accountEnabled": true, "displayName": "Rewst Service Account", "mailNickname": "rewst", "userPrincipalName": "rewst@contoso.onmicrosoft.com",
			"passwordProfile": object{"password": "k7#Vt2!mQz9@LpXw"},
		})
	}
	report(t, c, 300)
}

// While replicas lag a new account may not be known yet to what refers to it; the
// answers have the service's form all the same.
func TestLaggingAccounts(t *testing.T) {
	c := load(t)
	for seed := range int64(5) {
		w := arrive(t, c, sandbox.Options{Delays: sandbox.DelaysRealistic, Seed: seed})
		w.token = w.signIn(accountScopes)
		id := w.want(201, "POST", "/users", object{
			"accountEnabled": true, "displayName": "Rewst Service Account", "mailNickname": "rewst", "userPrincipalName": "rewst@contoso.onmicrosoft.com",
			"passwordProfile": object{"password": "k7#Vt2!mQz9@LpXw"},
		})["id"].(string)
		for range 15 {
			w.cloud.Advance(time.Second)
			w.do("GET", "/users/"+id, nil)
			w.do("PATCH", "/users/"+id, object{"displayName": "x"})
			w.do("POST", givenPath, object{"roleDefinitionId": catalog.RoleGlobalAdministrator, "principalId": id, "directoryScopeId": "/"})
			w.do("GET", givenPath+"?$filter=principalId eq '"+id+"'", nil)
			w.do("PATCH", graphBeta+"/users/"+id+"/authentication/requirements", object{"perUserMfaState": "enabled"})
			w.do("GET", graphBeta+"/users/"+id+"/authentication/requirements", nil)
			w.do("GET", "/users/"+id+"/authentication/methods", nil)
			w.do("POST", accessPath, object{
				"displayName": "x", "state": "enabled", "grantControls": object{"operator": "OR", "builtInControls": []string{"mfa"}},
				"conditions": object{"clientAppTypes": []string{"all"}, "applications": object{"includeApplications": []string{"All"}}, "users": object{"includeUsers": []string{id}}},
			})
			w.do("GET", accessPath, nil)
		}
	}
	report(t, c, 600)
}
