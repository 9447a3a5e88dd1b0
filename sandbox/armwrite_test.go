package sandbox_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/sandbox"
)

const (
	groupsVersion = "?api-version=2021-04-01"
	vaultsVersion = "?api-version=2024-11-01"
	rolesVersion  = "?api-version=2022-04-01"
	vaultsOf      = "/providers/Microsoft.KeyVault/vaults/"
	deletedList   = "/providers/Microsoft.KeyVault/deletedVaults" + vaultsVersion
)

// as is the same world with somebody else in it.
func (w *world) as(account string) *world {
	w.t.Helper()
	return &world{t: w.t, cloud: w.cloud, client: w.client, token: w.signInAs(account, azureCLI, armScope)}
}

// oid is who the world's token is for.
func (w *world) oid() string {
	w.t.Helper()
	return claims(w.t, w.token)["oid"].(string)
}

type doc = map[string]any

// vaultOf is the body of an empty vault; changes are to its properties, where nil
// takes one away.
func vaultOf(w *world, changes doc) doc {
	properties := doc{"tenantId": w.cloud.Tenant().ID, "sku": doc{"family": "A", "name": "standard"}, "enableRbacAuthorization": true}
	for name, value := range changes {
		if properties[name] = value; value == nil {
			delete(properties, name)
		}
	}
	return doc{"location": "westeurope", "properties": properties}
}

func property(r reply, name string) any { return r.body["properties"].(map[string]any)[name] }

// target is where a long operation can be asked about.
func (r reply) target() string {
	r.t.Helper()
	r.want(202)
	if r.header.Get("Location") == "" || r.header.Get("Retry-After") == "" || r.raw != "" {
		r.t.Fatalf("%s: %v %s", r.what, r.header, r.raw)
	}
	return r.header.Get("Location")
}

func TestResourceGroups(t *testing.T) {
	w := azureOf(t, "happy", "")
	sub := w.production()
	group := arm + sub + "/resourceGroups/rewst (automation)_1"
	path := strings.ReplaceAll(group, " ", "%20") + groupsVersion
	w.do("PUT", path, doc{"location": "westeurope"}).fails(400, "InvalidResourceGroup", "' '")
	group, path = strings.ReplaceAll(group, " ", ""), strings.ReplaceAll(path, "%20", "")
	w.do("GET", path, nil).fails(404, "ResourceGroupNotFound", "'rewst(automation)_1'")
	w.do("HEAD", path, nil).want(404)
	w.do("PUT", path, nil).fails(400, "InvalidRequestContent", "")
	w.do("PUT", path, doc{}).fails(400, "LocationRequired", "")
	w.do("PUT", path, doc{"location": "westeurope", "colour": "red"}).fails(400, "InvalidRequestContent", "colour")
	w.do("PUT", path, `{"location":"westeurope"}{}`).fails(400, "InvalidRequestContent", "")
	w.do("PUT", path, doc{"location": "mars"}).fails(400, "LocationNotAvailableForResourceGroup", "'westeurope,northeurope,eastus")
	w.do("PUT", path, doc{"location": "usgovvirginia"}).fails(400, "LocationNotAvailableForResourceGroup", "'usgovvirginia'")
	made := w.do("PUT", path, doc{"location": "North Europe", "tags": doc{"for": "rewst"}}).want(201)
	if made.body["location"] != "northeurope" || made.id() != sub+"/resourceGroups/rewst(automation)_1" || made.body["name"] != "rewst(automation)_1" || property(made, "provisioningState") != "Succeeded" {
		t.Errorf("made: %v", made.body)
	}
	w.do("PUT", path, doc{"location": "northeurope"}).want(200)
	w.do("PUT", strings.Replace(path, "rewst(", "REWST(", 1), doc{"location": "westeurope"}).fails(409, "InvalidResourceGroupLocation", "'westeurope'. The Resource group already exists in location 'northeurope'")
	w.do("HEAD", path, nil).want(204)
	if list := w.do("GET", arm+sub+"/resourcegroups"+groupsVersion, nil).want(200).values(); len(list) != 2 || list[1]["id"] != made.id() || list[1]["tags"] != nil {
		t.Errorf("groups: %v", list)
	}
	w.do("GET", arm+sub+"/resourcegroups"+groupsVersion+"&$filter=nonsense", nil).fails(400, "InvalidFilterInQueryString", "nonsense")
	for _, bad := range []string{"ends.", strings.Repeat("x", 91), "a;b"} {
		w.do("PUT", arm+sub+"/resourceGroups/"+bad+groupsVersion, doc{"location": "westeurope"}).fails(400, "InvalidResourceGroup", bad)
	}

	// What is in a group goes with it; a vault can be brought back.
	vault := group + vaultsOf + "contoso-temporary" + vaultsVersion
	w.do("PUT", vault, vaultOf(w, nil)).want(201)
	w.do("PUT", group+"/providers/Microsoft.Authorization/roleAssignments/33333333-3333-4333-8333-333333333333"+rolesVersion, given(sub, azureReader, w.oid(), "")).want(201)
	done := w.do("DELETE", path, nil).target()
	if r := w.do("GET", done, nil).want(200); r.raw != "" {
		t.Errorf("end of the operation: %s", r.raw)
	}
	w.do("GET", path, nil).fails(404, "ResourceGroupNotFound", "")
	w.do("DELETE", path, nil).fails(404, "ResourceGroupNotFound", "")
	w.do("GET", vault, nil).fails(404, "ResourceGroupNotFound", "")
	if list := w.do("GET", arm+sub+deletedList, nil).want(200).values(); len(list) != 1 || list[0]["name"] != "contoso-temporary" {
		t.Errorf("deleted vaults: %v", list)
	}
	if list := w.do("GET", arm+sub+"/providers/Microsoft.Authorization/roleAssignments"+rolesVersion, nil).want(200).values(); len(list) != 1 {
		t.Errorf("role assignments: %v", list)
	}
	w.do("GET", arm+sub+"/operationresults/11111111-1111-4111-8111-111111111111"+groupsVersion, nil).fails(404, "NotFound", "")

	// Owner, Contributor, Reader.
	m := w.as("megan@contoso.onmicrosoft.com")
	w.cloud.GiveAzureRole(sub, m.oid())
	m.do("GET", arm+sub+"/resourceGroups/shared"+groupsVersion, nil).want(200)
	for method, action := range map[string]string{"PUT": "write", "DELETE": "delete"} {
		m.do(method, arm+sub+"/resourceGroups/shared"+groupsVersion, doc{"location": "westeurope"}).fails(403, "AuthorizationFailed", "'Microsoft.Resources/subscriptions/resourceGroups/"+action+"' over scope '"+sub+"/resourceGroups/shared'")
	}
	a := w.as("adele@contoso.onmicrosoft.com")
	a.do("GET", arm+sub+"/resourcegroups"+groupsVersion, nil).fails(403, "AuthorizationFailed", "")
	a.do("GET", arm+sub+"/resourceGroups/nowhere"+groupsVersion, nil).fails(403, "AuthorizationFailed", "")
}

// Deleting a group takes a while, and during it nothing else can be done to it.
func TestSlowGroup(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveManual, Delays: sandbox.DelaysRealistic})
	w.token = w.signInAs(w.cloud.Tenant().Admin, azureCLI, armScope)
	sub := w.production()
	path := arm + sub + "/resourceGroups/shared" + groupsVersion
	done := w.do("DELETE", path, nil).target()
	w.cloud.Advance(13 * time.Second) // replication
	if got := property(w.do("GET", path, nil).want(200), "provisioningState"); got != "Deleting" {
		t.Errorf("state: %v", got)
	}
	w.do("GET", done, nil).target()
	w.do("PUT", path, doc{"location": "westeurope"}).fails(409, "ResourceGroupBeingDeleted", "'shared'")
	w.do("DELETE", path, nil).fails(409, "ResourceGroupBeingDeleted", "'shared'")
	w.do("PUT", arm+sub+"/resourceGroups/shared"+vaultsOf+"contoso-late"+vaultsVersion, vaultOf(w, nil)).fails(409, "ResourceGroupBeingDeleted", "")
	w.cloud.Advance(2 * time.Minute)
	w.do("GET", done, nil).want(200)
	w.cloud.Advance(30 * time.Second)
	w.do("GET", path, nil).fails(404, "ResourceGroupNotFound", "")
}

func TestProviders(t *testing.T) {
	w := azureOf(t, "provider-missing", "")
	sub := w.production()
	provider := arm + sub + "/providers/Microsoft.KeyVault"
	vault := arm + sub + "/resourceGroups/shared" + vaultsOf + "rewst-contoso" + vaultsVersion
	name := provider + "/checkNameAvailability" + vaultsVersion
	check := doc{"name": "rewst-contoso", "type": "Microsoft.KeyVault/vaults"}
	state := func(want string) {
		t.Helper()
		r := w.do("GET", provider+groupsVersion, nil).want(200)
		if r.body["registrationState"] != want || r.body["namespace"] != "Microsoft.KeyVault" || r.id() != sub+"/providers/Microsoft.KeyVault" {
			t.Errorf("provider: %v, want %s", r.body, want)
		}
	}
	state("NotRegistered")
	missing := w.do("PUT", vault, vaultOf(w, nil)).fails(409, "MissingSubscriptionRegistration", "not registered to use namespace 'Microsoft.KeyVault'")
	if details := missing.body["error"].(map[string]any)["details"].([]any); details[0].(map[string]any)["target"] != "Microsoft.KeyVault" {
		t.Errorf("details: %v", details)
	}
	w.do("POST", name, check).fails(409, "MissingSubscriptionRegistration", "")
	w.do("GET", arm+sub+"/providers/Microsoft.Nonsense"+groupsVersion, nil).fails(404, "InvalidResourceNamespace", "'Microsoft.Nonsense'")
	w.do("POST", arm+sub+"/providers/Microsoft.Nonsense/register"+groupsVersion, nil).fails(404, "InvalidResourceNamespace", "'Microsoft.Nonsense'")
	m := w.as("megan@contoso.onmicrosoft.com")
	w.cloud.GiveAzureRole(sub, m.oid())
	m.do("POST", provider+"/register"+groupsVersion, nil).fails(403, "AuthorizationFailed", "Microsoft.KeyVault/register/action")
	for range 2 {
		if got := w.do("POST", provider+"/register"+groupsVersion, nil).want(200).body["registrationState"]; got != "Registering" {
			t.Errorf("registered: %v", got)
		}
	}
	w.do("PUT", vault, vaultOf(w, nil)).fails(409, "MissingSubscriptionRegistration", "'Registering' state")
	state("Registering")
	state("Registered")
	w.do("POST", name, check).want(200)
	w.do("PUT", vault, vaultOf(w, nil)).want(201)
	if got := w.do("POST", provider+"/register"+groupsVersion, nil).want(200).body["registrationState"]; got != "Registered" {
		t.Errorf("registered again: %v", got)
	}
	if got := w.do("GET", arm+sub+"/providers/microsoft.resources"+groupsVersion, nil).want(200).body; got["registrationState"] != "Registered" {
		t.Errorf("a provider that needs no registration: %v", got)
	}

	// With delays it is a matter of time only.
	w = start(t, sandbox.Options{Scenario: "empty-tenant", Approve: sandbox.ApproveManual, Delays: sandbox.DelaysRealistic})
	w.token = w.signInAs(w.cloud.Tenant().Admin, azureCLI, armScope)
	provider = arm + w.production() + "/providers/Microsoft.KeyVault"
	w.do("POST", provider+"/register"+groupsVersion, nil).want(200)
	sub = w.production()
	for range 3 {
		state("Registering")
	}
	w.cloud.Advance(3 * time.Minute)
	state("Registered")
}

func TestVaultNames(t *testing.T) {
	w := azureOf(t, "vault-name-deleted", "")
	sub := w.production()
	check := func(name string) doc {
		t.Helper()
		return w.do("POST", arm+sub+"/providers/Microsoft.KeyVault/checkNameAvailability"+vaultsVersion, doc{"name": name, "type": "Microsoft.KeyVault/vaults"}).want(200).body
	}
	put := func(name string) reply {
		return w.do("PUT", arm+sub+"/resourceGroups/shared"+vaultsOf+name+vaultsVersion, vaultOf(w, nil))
	}
	for _, bad := range []string{"ab", "1rewst", "rewst-", "rewst--contoso", "rewst_contoso", strings.Repeat("x", 25)} {
		if got := check(bad); got["nameAvailable"] != false || got["reason"] != "AccountNameInvalid" || !strings.Contains(got["message"].(string), "'"+bad+"' is invalid") {
			t.Errorf("%s: %v", bad, got)
		}
		put(bad).fails(400, "VaultNameNotValid", "'"+bad+"' is invalid. A vault's name must be between 3-24")
	}
	if got := check("rewst-contoso2"); got["nameAvailable"] != true || got["reason"] != nil {
		t.Errorf("a free name: %v", got)
	}
	w.do("POST", arm+sub+"/providers/Microsoft.KeyVault/checkNameAvailability"+vaultsVersion, doc{"name": "x", "type": "Microsoft.Web/sites"}).fails(400, "BadRequest", "type")
	taken := func(got doc) {
		t.Helper()
		if got["nameAvailable"] != false || got["reason"] != "AlreadyExists" || !strings.Contains(got["message"].(string), "is already in use") {
			t.Errorf("a name that is taken: %v", got)
		}
	}
	taken(check("REWST-contoso"))
	put("rewst-contoso").fails(409, "ConflictError", "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault.")

	// Either of the two.
	deleted := w.do("GET", arm+sub+deletedList, nil).want(200).values()
	if len(deleted) != 1 || deleted[0]["properties"].(map[string]any)["vaultId"] != sub+"/resourceGroups/shared"+vaultsOf+"rewst-contoso" {
		t.Fatalf("deleted: %v", deleted)
	}
	one := arm + deleted[0]["id"].(string)
	w.do("GET", one+vaultsVersion, nil).want(200)
	w.do("GET", strings.Replace(one, "westeurope", "eastus", 1)+vaultsVersion, nil).fails(404, "DeletedVaultNotFound", "'rewst-contoso'")
	path := arm + sub + "/resourceGroups/shared" + vaultsOf + "rewst-contoso" + vaultsVersion
	back := w.do("PUT", path, vaultOf(w, doc{"createMode": "recover"})).want(200)
	if _, told := back.body["deletedDateTime"]; told || back.body["name"] != "rewst-contoso" {
		t.Errorf("recovered: %v", back.body)
	}
	w.do("PUT", path, vaultOf(w, doc{"createMode": "recover"})).fails(400, "SoftDeletedVaultDoesNotExist", "")
	w.do("GET", one+vaultsVersion, nil).fails(404, "DeletedVaultNotFound", "")
	w.do("DELETE", path, nil).want(200)
	w.do("DELETE", path, nil).want(204)
	m := w.as("megan@contoso.onmicrosoft.com")
	w.cloud.GiveAzureRole(sub, m.oid())
	m.do("POST", one+"/purge"+vaultsVersion, nil).fails(403, "AuthorizationFailed", "deletedVaults/purge/action")
	w.do("GET", w.do("POST", one+"/purge"+vaultsVersion, nil).target(), nil).want(200)
	w.do("POST", one+"/purge"+vaultsVersion, nil).fails(404, "DeletedVaultNotFound", "")
	put("Rewst-Contoso").want(201)

	// After the days it is kept for, a name is free by itself.
	w.do("DELETE", path, nil).want(200)
	put("rewst-contoso").fails(409, "ConflictError", "")
	w.cloud.Advance(91 * 24 * time.Hour)
	w.token = w.signInAs(w.cloud.Tenant().Admin, azureCLI, armScope)
	if list := w.do("GET", arm+sub+deletedList, nil).want(200).values(); len(list) != 0 {
		t.Errorf("still recoverable: %v", list)
	}
	put("rewst-contoso").want(201)

	w = azureOf(t, "vault-name-taken", "")
	taken(check("rewst-contoso"))
	put("Rewst-contoso").fails(409, "VaultAlreadyExists", "The vault name 'Rewst-contoso' is already in use")
	put("rewst-contoso2").want(201)
	// A stranger's counts as taken, deleted or not.
	w.cloud.AddDeletedVault("fabrikam.onmicrosoft.com", "fabrikam-vault")
	put("fabrikam-vault").fails(409, "VaultAlreadyExists", "'fabrikam-vault'")
	taken(check("fabrikam-vault"))
	// So does one's own in another group.
	w.do("PUT", arm+sub+"/resourceGroups/second"+groupsVersion, doc{"location": "westeurope"}).want(201)
	w.do("PUT", arm+sub+"/resourceGroups/second"+vaultsOf+"rewst-contoso2"+vaultsVersion, vaultOf(w, nil)).fails(409, "VaultAlreadyExists", "")
}

func TestVaults(t *testing.T) {
	w := azureOf(t, "no-vault", "")
	sub := w.production()
	path := arm + sub + "/resourceGroups/shared" + vaultsOf + "rewst-contoso"
	put := func(changes doc) reply {
		t.Helper()
		return w.do("PUT", path+vaultsVersion, vaultOf(w, changes))
	}
	w.do("GET", path+vaultsVersion, nil).fails(404, "ResourceNotFound", "'Microsoft.KeyVault/vaults/rewst-contoso' under resource group 'shared'")
	w.do("PUT", strings.Replace(path, "/shared", "/nowhere", 1)+vaultsVersion, vaultOf(w, nil)).fails(404, "ResourceGroupNotFound", "'nowhere'")
	w.do("PUT", path+vaultsVersion, doc{"location": "westeurope"}).fails(400, "BadRequest", "properties is not specified")
	w.do("PUT", path+vaultsVersion, doc{"properties": doc{}}).fails(400, "LocationRequired", "")
	w.do("PUT", path+vaultsVersion, doc{"location": "mars", "properties": doc{}}).fails(400, "LocationNotAvailableForResourceType", "'mars' is not available for resource type 'Microsoft.KeyVault/vaults'")
	w.do("PUT", path+vaultsVersion, "nonsense").fails(400, "InvalidRequestContent", "")
	for _, bad := range []struct {
		changes doc
		text    string
	}{
		{doc{"tenantId": nil}, "tenantId is not specified"},
		{doc{"tenantId": "11111111-1111-4111-8111-111111111111"}, "An invalid value was provided for 'tenantId'"},
		{doc{"sku": nil}, "sku is not specified"},
		{doc{"sku": doc{"family": "A", "name": "basic"}}, "'sku'"},
		{doc{"enableRbacAuthorization": nil}, "The parameter accessPolicies is not specified."},
		{doc{"enableRbacAuthorization": false}, "The parameter accessPolicies is not specified."},
		{doc{"accessPolicies": []doc{{"tenantId": "x"}}}, "'accessPolicies'"},
		{doc{"enableSoftDelete": false}, "irreversible"},
		{doc{"enablePurgeProtection": false}, "irreversible"},
		{doc{"softDeleteRetentionInDays": 6}, "'softDeleteRetentionInDays'"},
		{doc{"softDeleteRetentionInDays": 91}, "'softDeleteRetentionInDays'"},
		{doc{"createMode": "again"}, "'createMode'"},
	} {
		put(bad.changes).fails(400, "BadRequest", bad.text)
	}
	put(doc{"enableRBAC": true}).fails(400, "InvalidRequestContent", "enableRBAC")
	put(doc{"createMode": "recover"}).fails(400, "SoftDeletedVaultDoesNotExist", "")
	made := put(doc{"enableSoftDelete": true, "softDeleteRetentionInDays": 30}).want(201)
	if property(made, "provisioningState") != "RegisteringDns" || property(made, "vaultUri") != "https://rewst-contoso.vault.azure.net/" || made.body["location"] != "westeurope" {
		t.Errorf("made: %v", made.body)
	}
	got := w.do("GET", path+vaultsVersion, nil).want(200)
	if property(got, "provisioningState") != "Succeeded" || property(got, "enableRbacAuthorization") != true || property(got, "softDeleteRetentionInDays") != 30.0 {
		t.Errorf("got: %v", got.body)
	}
	if who := got.body["systemData"].(map[string]any)["createdBy"]; who != w.cloud.Tenant().Admin {
		t.Errorf("made by %v", who)
	}
	// Once more changes nothing that cannot be changed.
	put(doc{"softDeleteRetentionInDays": 31}).fails(400, "BadRequest", "has been set already")
	body := vaultOf(w, doc{"enableRbacAuthorization": false, "accessPolicies": []doc{}})
	again := w.do("PUT", path+vaultsVersion, body).want(200)
	if property(again, "softDeleteRetentionInDays") != 30.0 || property(again, "enableRbacAuthorization") != false || property(again, "provisioningState") != "Succeeded" {
		t.Errorf("changed: %v", again.body)
	}
	body["location"] = "eastus"
	w.do("PUT", path+vaultsVersion, body).fails(409, "InvalidResourceLocation", "already exists in location 'westeurope' in resource group 'shared'")
	for _, scope := range []string{sub, sub + "/resourcegroups/SHARED"} {
		if list := w.do("GET", arm+scope+vaultList, nil).want(200).values(); len(list) != 1 || list[0]["name"] != "rewst-contoso" {
			t.Errorf("vaults in %s: %v", scope, list)
		}
	}

	// Purge protection outlives its owner's wishes.
	w.do("PUT", path+"2"+vaultsVersion, vaultOf(w, doc{"enablePurgeProtection": true})).want(201)
	w.do("DELETE", path+"2"+vaultsVersion, nil).want(200)
	w.do("POST", arm+sub+"/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/rewst-contoso2/purge"+vaultsVersion, nil).fails(405, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")

	// A Reader may look, and no more.
	m := w.as("megan@contoso.onmicrosoft.com")
	m.do("GET", path+vaultsVersion, nil).fails(403, "AuthorizationFailed", "Microsoft.KeyVault/vaults/read")
	w.cloud.GiveAzureRole(sub+"/resourceGroups/shared"+vaultsOf+"rewst-contoso", m.oid())
	m.do("GET", path+vaultsVersion, nil).want(200)
	m.do("PUT", path+vaultsVersion, vaultOf(w, nil)).fails(403, "AuthorizationFailed", "Microsoft.KeyVault/vaults/write")
	m.do("DELETE", path+vaultsVersion, nil).fails(403, "AuthorizationFailed", "Microsoft.KeyVault/vaults/delete")
	m.do("GET", arm+sub+"/providers/Microsoft.KeyVault/deletedVaults"+vaultsVersion, nil).fails(403, "AuthorizationFailed", "")
	m.do("POST", arm+sub+"/providers/Microsoft.KeyVault/checkNameAvailability"+vaultsVersion, doc{"name": "x"}).fails(403, "AuthorizationFailed", "")

	w = azureOf(t, "azure-policy", "")
	refused := put(nil).fails(403, "RequestDisallowedByPolicy", "Resource 'rewst-contoso' was disallowed by policy. Policy identifiers: '[{")
	if refused.body["error"].(map[string]any)["target"] != "rewst-contoso" {
		t.Errorf("refused: %s", refused.raw)
	}
	w.do("PUT", arm+sub+"/resourceGroups/second"+groupsVersion, doc{"location": "westeurope"}).want(201)
}

// The address of a new vault takes a moment to work.
func TestSlowVault(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "no-vault", Approve: sandbox.ApproveManual, Delays: sandbox.DelaysRealistic})
	w.token = w.signInAs(w.cloud.Tenant().Admin, azureCLI, armScope)
	path := arm + w.production() + "/resourceGroups/shared" + vaultsOf + "rewst-contoso" + vaultsVersion
	w.do("PUT", path, vaultOf(w, nil)).want(201)
	var states []string
	for range 60 {
		w.cloud.Advance(time.Second)
		if r := w.do("GET", path, nil); r.status == 200 {
			states = append(states, property(r, "provisioningState").(string))
		}
	}
	if states = slices.Compact(states); !slices.Equal(states, []string{"RegisteringDns", "Succeeded"}) {
		t.Errorf("states: %v", states)
	}
}

func TestAzureThrottle(t *testing.T) {
	w := azureOf(t, "happy", "")
	w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Method: "PUT"}, Nth: 1, Do: "429", For: sandbox.Duration(7 * time.Second)}})
	path := arm + w.production() + "/resourceGroups/second" + groupsVersion
	if r := w.do("PUT", path, doc{"location": "westeurope"}).fails(429, "TooManyRequests", ""); r.header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After: %v", r.header)
	}
	w.do("PUT", path, doc{"location": "westeurope"}).want(201)
	writes := 0
	for _, r := range w.cloud.Requests() {
		if r.Write {
			writes++
		}
	}
	if writes != 2 {
		t.Errorf("%d writes", writes)
	}
}
