package sandbox_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const (
	azureOwner       = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	azureContributor = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	azureReader      = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	azureAccess      = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
	vaultAdmin       = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
	vaultReader      = "21090545-7ca7-4776-b22c-e363652d74d2"
	assignments      = "/providers/Microsoft.Authorization/roleAssignments"
	definitions      = "/providers/Microsoft.Authorization/roleDefinitions"
)

// given is the body of a role assignment.
func given(sub, role, principal, kind string) doc {
	properties := doc{"roleDefinitionId": sub + definitions + "/" + role, "principalId": principal}
	if kind != "" {
		properties["principalType"] = kind
	}
	return doc{"properties": properties}
}

// named is an id that a test can tell from others.
func named(n string) string { return strings.Repeat(n, 8) + "-1111-4111-8111-111111111111" }

func TestRoleAssignments(t *testing.T) {
	w := azureOf(t, "happy", "")
	sub := w.production()
	m := w.as("megan@contoso.onmicrosoft.com")
	at := func(scope, name string) string { return arm + scope + assignments + "/" + name + rolesVersion }
	body := given(sub, azureContributor, m.oid(), "User")

	w.do("PUT", at(sub, "nonsense"), body).fails(400, "InvalidRoleAssignmentId", "must be a GUID")
	w.do("PUT", at(sub, named("a")), doc{}).fails(400, "BadRequestFormat", "")
	w.do("PUT", at(sub, named("a")), doc{"properties": doc{"role": "x"}}).fails(400, "InvalidRequestContent", "role")
	w.do("PUT", at(sub, named("a")), given(sub, named("b"), m.oid(), "")).fails(404, "RoleDefinitionDoesNotExist", "'bbbbbbbb111141118111111111111111'")
	w.do("PUT", at(sub, named("a")), given("/subscriptions/"+named("c"), azureReader, m.oid(), "")).fails(400, "BadRequestFormat", "")
	w.do("PUT", at(sub, named("a")), doc{"properties": doc{"roleDefinitionId": azureReader, "principalId": m.oid()}}).fails(400, "BadRequestFormat", "")
	w.do("PUT", at(sub, named("a")), given(sub, azureReader, "nobody", "")).fails(400, "InvalidPrincipalId", "")
	for _, kind := range []string{"", "ServicePrincipal"} {
		w.do("PUT", at(sub, named("a")), given(sub, azureReader, named("d"), kind)).fails(400, "PrincipalNotFound",
			"Principal dddddddd111141118111111111111111 does not exist in the directory "+w.cloud.Tenant().ID+". Check that you have the correct principal ID.")
	}
	w.do("PUT", at(sub, named("a")), given(sub, azureReader, m.oid(), "Group")).fails(400, "UnmatchedPrincipalType", "'User'")
	w.do("PUT", at(sub, named("a")), given(sub, azureReader, m.oid(), "Robot")).fails(400, "BadRequestFormat", "")
	w.do("PUT", at(sub+"/resourceGroups/nowhere", named("a")), body).fails(404, "ResourceGroupNotFound", "'nowhere'")
	w.do("GET", at(sub, named("a")), nil).fails(404, "RoleAssignmentNotFound", "'aaaaaaaa111141118111111111111111'")
	w.do("DELETE", at(sub, named("a")), nil).want(204)

	made := w.do("PUT", at(strings.ToUpper(sub[:20])+sub[20:], named("a")), body).want(201)
	if made.id() != sub+assignments+"/"+named("a") || property(made, "principalType") != "User" || property(made, "scope") != sub ||
		property(made, "roleDefinitionId") != sub+definitions+"/"+azureContributor || property(made, "createdBy") != w.oid() {
		t.Errorf("made: %v", made.body)
	}
	w.do("PUT", at(sub, named("a")), body).want(200)
	w.do("PUT", at(sub, named("a")), given(sub, azureReader, m.oid(), "")).fails(400, "RoleAssignmentUpdateNotPermitted", "")
	w.do("PUT", at(sub, named("b")), body).fails(409, "RoleAssignmentExists", "The role assignment already exists. The ID of the existing role assignment is aaaaaaaa111141118111111111111111.")
	w.do("GET", at(sub, named("a")), nil).want(200)
	w.do("GET", at(sub+"/resourceGroups/shared", named("a")), nil).fails(404, "RoleAssignmentNotFound", "")
	// The same further down is another one.
	group, vault := sub+"/resourceGroups/shared", sub+"/resourceGroups/shared"+vaultsOf+"contoso-rewst"
	w.do("PUT", at(group, named("b")), given("", azureContributor, m.oid(), "")).want(201)
	w.do("PUT", at(vault, named("c")), given(sub, vaultReader, m.oid(), "")).want(201)
	w.do("PUT", at(group, named("a")), body).fails(400, "RoleAssignmentUpdateNotPermitted", "")

	// A Contributor can make things and cannot give roles.
	m.do("PUT", arm+sub+"/resourceGroups/second"+groupsVersion, doc{"location": "westeurope"}).want(201)
	m.do("PUT", at(sub, named("d")), given(sub, azureReader, m.oid(), "")).fails(403, "AuthorizationFailed", "megan@contoso.onmicrosoft.com")
	m.do("DELETE", at(group, named("b")), nil).fails(403, "AuthorizationFailed", "Microsoft.Authorization/roleAssignments/delete")
	// A User Access Administrator is the other way round.
	a := w.as("adele@contoso.onmicrosoft.com")
	a.do("GET", arm+sub+assignments+rolesVersion, nil).fails(403, "AuthorizationFailed", "Microsoft.Authorization/roleAssignments/read")
	w.do("PUT", at(sub, named("e")), given(sub, azureAccess, a.oid(), "User")).want(201)
	a.do("PUT", at(sub, named("d")), given(sub, vaultAdmin, m.oid(), "")).want(201)
	a.do("PUT", arm+sub+"/resourceGroups/third"+groupsVersion, doc{"location": "westeurope"}).fails(403, "AuthorizationFailed", "")
	// Who works inside of a vault sees it from outside, and no more.
	a.do("PUT", at(vault, named("f")), given(sub, vaultReader, a.oid(), "")).want(201)
	a.do("DELETE", at(sub, named("e")), nil).want(200)
	a.do("GET", arm+vault+vaultsVersion, nil).want(200)
	a.do("PUT", arm+vault+vaultsVersion, vaultOf(w, nil)).fails(403, "AuthorizationFailed", "Microsoft.KeyVault/vaults/write")
	a.do("GET", arm+group+groupsVersion, nil).fails(403, "AuthorizationFailed", "")
	if w.do("DELETE", at(group, named("b")), nil).want(200).body["name"] != named("b") {
		t.Error("what was taken away is not told")
	}
	w.do("PUT", at(group, named("b")), given(sub, azureContributor, m.oid(), "")).want(201)
}

func TestRoleAssignmentLists(t *testing.T) {
	w := azureOf(t, "happy", "")
	sub := w.production()
	group, vault := sub+"/resourceGroups/shared", sub+"/resourceGroups/shared"+vaultsOf+"contoso-rewst"
	m := w.as("megan@contoso.onmicrosoft.com")
	graph := &world{t: t, cloud: w.cloud, client: w.client, token: w.signInAs(w.cloud.Tenant().Admin, gct, everything)}
	agents := graph.do("GET", "/groups?$filter=displayName eq 'AdminAgents'", nil).want(200).values()[0]["id"].(string)
	for n, g := range map[string]struct{ scope, role, who string }{
		"a": {sub, azureReader, m.oid()}, "b": {group, azureContributor, m.oid()}, "c": {vault, vaultReader, m.oid()}, "d": {group, azureReader, agents},
	} {
		w.do("PUT", arm+g.scope+assignments+"/"+named(n)+rolesVersion, given(sub, g.role, g.who, "")).want(201)
	}
	list := func(scope, filter string) string {
		t.Helper()
		if filter != "" {
			filter = "&$filter=" + strings.ReplaceAll(filter, " ", "%20")
		}
		var names []string
		for _, v := range w.do("GET", arm+scope+assignments+rolesVersion+filter, nil).want(200).values() {
			name := v["name"].(string)[:1]
			if v["properties"].(map[string]any)["principalId"] == w.oid() {
				name = "-" // the owner's, which the scenario made
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, "")
	}
	for _, want := range []struct{ scope, filter, names string }{
		{sub, "", "-abcd"},
		{group, "", "-abcd"},
		{vault, "", "-abcd"},
		{sub, "atScope()", "-a"},
		{group, "atScope()", "-abd"},
		{sub, "principalId eq '" + m.oid() + "'", "abc"},
		{group, "atScope() and principalId eq " + m.oid(), "ab"},
		{sub, "assignedTo('" + w.oid() + "')", "-d"},
		{sub, "principalId eq '" + w.oid() + "'", "-"},
		{group, "atScope() and assignedTo('" + m.oid() + "')", "ab"},
	} {
		if got := list(want.scope, want.filter); got != want.names {
			t.Errorf("%s %s: got %s, want %s", want.scope, want.filter, got, want.names)
		}
	}
	w.do("GET", arm+sub+assignments+rolesVersion+"&$filter=roleDefinitionId%20eq%20'x'", nil).fails(400, "UnsupportedQuery", "Supported filters are")
}

func TestRoleDefinitions(t *testing.T) {
	w := azureOf(t, "happy", "")
	sub := w.production()
	list := w.do("GET", arm+sub+definitions+rolesVersion, nil).want(200).values()
	var names []string
	for _, v := range list {
		names = append(names, v["properties"].(map[string]any)["roleName"].(string))
	}
	if !slices.Equal(names, []string{"Owner", "Contributor", "Reader", "User Access Administrator", "Key Vault Administrator", "Key Vault Reader"}) {
		t.Errorf("roles: %v", names)
	}
	named := w.do("GET", arm+sub+definitions+rolesVersion+"&$filter=roleName%20eq%20'contributor'", nil).want(200).values()
	if len(named) != 1 || named[0]["id"] != sub+definitions+"/"+azureContributor {
		t.Errorf("by name: %v", named)
	}
	for filter, want := range map[string]int{"type%20eq%20'BuiltInRole'": 6, "type%20eq%20'CustomRole'": 0, "atScopeAndBelow()": 6} {
		if got := w.do("GET", arm+sub+definitions+rolesVersion+"&$filter="+filter, nil).want(200).values(); len(got) != want {
			t.Errorf("%s: %d", filter, len(got))
		}
	}
	w.do("GET", arm+sub+definitions+rolesVersion+"&$filter=nonsense", nil).fails(400, "UnsupportedQuery", "nonsense")
	w.do("GET", arm+sub+definitions+"/"+azureOwner+rolesVersion, nil).want(200)
	w.do("GET", arm+sub+definitions+"/"+w.cloud.Tenant().ID+rolesVersion, nil).fails(404, "RoleDefinitionDoesNotExist", "")
	m := w.as("megan@contoso.onmicrosoft.com")
	m.do("GET", arm+sub+definitions+rolesVersion, nil).fails(403, "AuthorizationFailed", "Microsoft.Authorization/roleDefinitions/read")
	m.do("GET", arm+sub+definitions+"/"+azureOwner+rolesVersion, nil).fails(403, "AuthorizationFailed", "")
	if m.do("GET", arm+definitions+"/"+azureOwner+rolesVersion, nil).want(200).id() != definitions+"/"+azureOwner {
		t.Error("a role at no scope")
	}

	// What one may do, by all one's roles.
	group := arm + sub + "/resourceGroups/shared"
	w.cloud.GiveAzureRole(sub, m.oid())
	w.do("PUT", group+assignments+"/"+"44444444-4444-4444-8444-444444444444"+rolesVersion, given(sub, vaultAdmin, m.oid(), "")).want(201)
	for scope, want := range map[string]int{group: 2, group + vaultsOf + "contoso-rewst": 2} {
		if got := m.do("GET", scope+"/providers/Microsoft.Authorization/permissions"+rolesVersion, nil).want(200).values(); len(got) != want {
			t.Errorf("permissions: %v", got)
		}
	}
}

// A principal that was just made is not known yet, unless one says what it is.
func TestNewPrincipal(t *testing.T) {
	unknown := 0
	for seed := range int64(10) {
		w := start(t, sandbox.Options{Approve: sandbox.ApproveManual, Delays: sandbox.DelaysRealistic, Seed: seed})
		w.token = w.signInAs(w.cloud.Tenant().Admin, gct, everything)
		made := w.do("POST", "/servicePrincipals", doc{"appId": catalog.ManagementAPIsAppID}).want(201).id()
		w.token = w.signInAs(w.cloud.Tenant().Admin, azureCLI, armScope)
		sub := w.production()
		path := arm + sub + assignments + "/" + named("a") + rolesVersion
		if r := w.do("PUT", path, given(sub, azureReader, made, "")); r.status == 400 {
			r.fails(400, "PrincipalNotFound", "replication delay")
			unknown++
			w.do("PUT", path, given(sub, azureReader, made, "ServicePrincipal")).want(201)
		}
	}
	if unknown == 0 {
		t.Error("it was always known at once")
	}
}

// The account of the scenario looks on; the owner does.
func TestAzureReaderScenario(t *testing.T) {
	w := azureOf(t, "azure-reader", "")
	sub := w.production()
	vault := arm + sub + "/resourceGroups/shared" + vaultsOf + "rewst-contoso" + vaultsVersion
	w.do("PUT", vault, vaultOf(w, nil)).fails(403, "AuthorizationFailed", "Microsoft.KeyVault/vaults/write")
	o := w.as("owner@contoso.onmicrosoft.com")
	o.do("PUT", vault, vaultOf(w, nil)).want(201)
	o.do("PUT", arm+sub+assignments+"/"+named("a")+rolesVersion, given(sub, azureContributor, w.oid(), "User")).want(201)
	w.do("DELETE", vault, nil).want(200)
}

func TestAzureDigest(t *testing.T) {
	w := azureOf(t, "empty-tenant", "")
	sub := w.production()
	digest := func() *sandbox.AzureDigest { return w.cloud.Digest().Tenants["Contoso"].Azure }
	if got := digest(); len(got.ResourceGroups)+len(got.Vaults) != 0 || len(got.RoleAssignments) != 1 {
		t.Errorf("empty: %+v", got)
	}
	before := w.cloud.Digest().SHA256
	w.do("POST", arm+sub+"/providers/Microsoft.KeyVault/register"+groupsVersion, nil).want(200)
	for range 2 {
		w.do("GET", arm+sub+"/providers/Microsoft.KeyVault"+groupsVersion, nil).want(200)
	}
	if w.cloud.Digest().SHA256 != before {
		t.Error("a registration changes the digest")
	}
	w.do("PUT", arm+sub+"/resourceGroups/rewst"+groupsVersion, doc{"location": "eastus"}).want(201)
	vault := arm + sub + "/resourceGroups/rewst" + vaultsOf + "rewst-contoso"
	body := vaultOf(w, nil)
	body["location"] = "eastus"
	w.do("PUT", vault+vaultsVersion, body).want(201)
	m := w.as("megan@contoso.onmicrosoft.com")
	w.do("PUT", arm+sub+"/resourceGroups/rewst"+assignments+"/"+named("a")+rolesVersion, given(sub, azureReader, m.oid(), "")).want(201)
	got := digest()
	want := sandbox.AzureDigest{
		ResourceGroups: []sandbox.ResourceGroupDigest{{Subscription: "Contoso production", Name: "rewst", Location: "eastus"}},
		Vaults:         []sandbox.VaultDigest{{Name: "rewst-contoso", Group: "rewst", RBAC: true}},
		RoleAssignments: []sandbox.AzureAssignmentDigest{
			{Principal: "admin@contoso.onmicrosoft.com", Role: "Owner", Scope: "/subscriptions/Contoso production"},
			{Principal: "megan@contoso.onmicrosoft.com", Role: "Reader", Scope: "/subscriptions/Contoso production/resourceGroups/rewst"},
		},
	}
	if !slices.Equal(got.ResourceGroups, want.ResourceGroups) || !slices.Equal(got.Vaults, want.Vaults) || !slices.Equal(got.RoleAssignments, want.RoleAssignments) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	w.do("DELETE", vault+vaultsVersion, nil).want(200)
	if got := digest(); len(got.Vaults) != 0 {
		t.Errorf("deleted: %+v", got)
	}
	if gone := w.cloud.Digest().Deleted["Contoso"].Vaults; !slices.Equal(gone, []string{"rewst-contoso"}) {
		t.Errorf("deleted: %v", gone)
	}
	w.cloud.Advance(91 * 24 * time.Hour)
	if gone := w.cloud.Digest().Deleted["Contoso"].Vaults; len(gone) != 0 {
		t.Errorf("deleted for good: %v", gone)
	}
	if w.cloud.Digest().Tenants["Fabrikam"].Azure != nil {
		t.Error("a tenant without a subscription has Azure")
	}
}
