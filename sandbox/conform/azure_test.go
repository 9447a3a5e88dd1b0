package conform_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"msbundle/sandbox"
)

const (
	arm           = "https://management.azure.com"
	armGroups     = "?api-version=2021-04-01"
	armVaults     = "?api-version=2024-11-01"
	armRoles      = "?api-version=2022-04-01"
	armReader     = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	assignments   = "/providers/Microsoft.Authorization/roleAssignments"
	definitions   = "/providers/Microsoft.Authorization/roleDefinitions"
	vaultProvider = "/providers/Microsoft.KeyVault"
	azureCLI      = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
)

// azureWrites calls everything there is of Azure, in ways that succeed.
func (w *walker) azureWrites(sub, tenant, person string) {
	w.want(200, "GET", arm+sub+vaultProvider+armGroups, nil)
	w.want(200, "POST", arm+sub+vaultProvider+"/register"+armGroups, nil)
	w.want(200, "GET", arm+sub+vaultProvider+armGroups, nil)
	w.want(200, "GET", arm+sub+"/providers/Microsoft.Resources"+armGroups, nil)
	group := arm + sub + "/resourceGroups/rewst"
	w.want(201, "PUT", group+armGroups, object{"location": "westeurope", "tags": object{"for": "rewst"}})
	w.want(200, "PUT", strings.ToLower(group)+armGroups, object{"location": "westeurope"})
	for _, path := range []string{group, strings.ToLower(group)} {
		w.want(200, "GET", path+armGroups, nil)
		w.want(204, "HEAD", path+armGroups, nil)
		w.want(200, "GET", path+"/providers/Microsoft.Authorization/permissions"+armRoles, nil)
	}
	w.want(200, "GET", arm+sub+"/resourceGroups"+armGroups, nil)
	w.want(200, "GET", arm+sub+"/resourcegroups"+armGroups, nil)
	for _, name := range []string{"rewst-contoso", "x"} {
		w.want(200, "POST", arm+sub+vaultProvider+"/checkNameAvailability"+armVaults, object{"name": name, "type": "Microsoft.KeyVault/vaults"})
	}
	vault := group + vaultProvider + "/vaults/rewst-contoso"
	properties := object{
		"tenantId": tenant, "sku": object{"family": "A", "name": "standard"}, "enableRbacAuthorization": true, "enableSoftDelete": true, "softDeleteRetentionInDays": 90,
	}
	body := object{"location": "westeurope", "properties": properties}
	w.want(201, "PUT", vault+armVaults, body)
	w.want(200, "PUT", vault+armVaults, object{"location": "westeurope", "properties": object{
		"tenantId": tenant, "sku": object{"family": "A", "name": "premium"}, "publicNetworkAccess": "Enabled", "enabledForDeployment": true,
		"accessPolicies": []object{{"tenantId": tenant, "objectId": person, "permissions": object{"secrets": []string{"get", "list"}}}},
		"networkAcls":    object{"bypass": "AzureServices", "defaultAction": "Allow"},
	}})
	for _, path := range []string{vault, group + vaultProvider + "/vaults", arm + sub + vaultProvider + "/vaults"} {
		w.want(200, "GET", path+armVaults, nil)
	}
	w.want(200, "GET", vault+"/providers/Microsoft.Authorization/permissions"+armRoles, nil)
	for i, scope := range []string{arm + sub, group, vault} {
		path := scope + assignments + "/" + strings.Repeat(string(rune('a'+i)), 8) + "-1111-4111-8111-111111111111" + armRoles
		given := object{"properties": object{"roleDefinitionId": sub + definitions + "/" + armReader, "principalId": person, "principalType": "User"}}
		w.want(201, "PUT", path, given)
		w.want(200, "PUT", path, given)
		w.want(200, "GET", path, nil)
		for _, filter := range []string{"", "&$filter=principalId eq '" + person + "'", "&$filter=atScope()", "&$filter=assignedTo('" + person + "')"} {
			w.want(200, "GET", scope+assignments+armRoles+filter, nil)
		}
		w.want(200, "DELETE", path, nil)
		w.want(204, "DELETE", path, nil)
		w.want(200, "GET", scope+definitions+armRoles, nil)
		w.want(200, "GET", scope+definitions+armRoles+"&$filter=roleName eq 'Reader'", nil)
		w.want(200, "GET", scope+definitions+"/"+armReader+armRoles, nil)
	}
	w.want(200, "GET", arm+definitions+"/"+armReader+armRoles, nil)
	deleted := arm + sub + vaultProvider + "/locations/westeurope/deletedVaults/rewst-contoso"
	w.want(200, "DELETE", vault+armVaults, nil)
	w.want(204, "DELETE", vault+armVaults, nil)
	w.want(200, "GET", arm+sub+vaultProvider+"/deletedVaults"+armVaults, nil)
	w.want(200, "GET", deleted+armVaults, nil)
	properties["createMode"] = "recover"
	w.want(200, "PUT", vault+armVaults, body)
	w.want(200, "DELETE", vault+armVaults, nil)
	w.want(202, "POST", deleted+"/purge"+armVaults, nil)
	w.want(202, "DELETE", group+armGroups, nil)
	w.want(201, "PUT", strings.ToLower(group)+armGroups, object{"location": "westeurope"})
	w.want(202, "DELETE", strings.ToLower(group)+armGroups, nil)
}

// azureRefusals calls it in ways that do not.
func (w *walker) azureRefusals(sub, tenant string) {
	group := arm + sub + "/resourceGroups/rewst"
	good := object{"tenantId": tenant, "sku": object{"family": "A", "name": "standard"}, "enableRbacAuthorization": true}
	vault := func(properties object) object { return object{"location": "westeurope", "properties": properties} }
	given := func(role, principal string) object {
		return object{"properties": object{"roleDefinitionId": sub + definitions + "/" + role, "principalId": principal}}
	}
	// Some of these are refused in one scenario only: all have to say so in the
	// service's form.
	for _, b := range []struct {
		method, path string
		body         any
	}{
		{"GET", arm + sub + "/resourcegroups" + armGroups + "&$filter=x", nil},
		{"GET", group + armGroups, nil},
		{"HEAD", group + armGroups, nil},
		{"DELETE", group + armGroups, nil},
		{"PUT", group + armGroups, object{}},
		{"PUT", group + armGroups, object{"location": "mars"}},
		{"PUT", group + "." + armGroups, object{"location": "westeurope"}},
		{"PUT", arm + sub + "/resourceGroups/shared" + armGroups, object{"location": "eastus"}},
		{"GET", arm + sub + "/providers/Microsoft.Nonsense" + armGroups, nil},
		{"POST", arm + sub + "/providers/Microsoft.Nonsense/register" + armGroups, nil},
		{"GET", group + vaultProvider + "/vaults" + armVaults, nil},
		{"GET", group + vaultProvider + "/vaults/rewst-contoso" + armVaults, nil},
		{"PUT", group + vaultProvider + "/vaults/rewst-contoso" + armVaults, vault(good)},
		{"DELETE", group + vaultProvider + "/vaults/rewst-contoso" + armVaults, nil},
		{"GET", arm + sub + "/resourceGroups/shared" + vaultProvider + "/vaults/nothing" + armVaults, nil},
		{"PUT", arm + sub + "/resourceGroups/shared" + vaultProvider + "/vaults/rewst-contoso" + armVaults, vault(object{})},
		{"PUT", arm + sub + "/resourceGroups/shared" + vaultProvider + "/vaults/a--b" + armVaults, vault(good)},
		{"POST", arm + sub + vaultProvider + "/checkNameAvailability" + armVaults, object{}},
		{"GET", arm + sub + vaultProvider + "/locations/westeurope/deletedVaults/nothing" + armVaults, nil},
		{"POST", arm + sub + vaultProvider + "/locations/westeurope/deletedVaults/nothing/purge" + armVaults, nil},
		{"GET", group + assignments + armRoles, nil},
		{"GET", arm + sub + assignments + armRoles + "&$filter=x", nil},
		{"GET", arm + sub + assignments + "/" + nobody + armRoles, nil},
		{"PUT", arm + sub + assignments + "/" + nobody + armRoles, object{}},
		{"PUT", arm + sub + assignments + "/" + nobody + armRoles, given(armReader, nobody)},
		{"PUT", arm + sub + assignments + "/" + nobody + armRoles, given(nobody, nobody)},
		{"GET", arm + sub + definitions + armRoles + "&$filter=x", nil},
		{"GET", arm + sub + definitions + "/" + nobody + armRoles, nil},
		{"GET", arm + definitions + "/" + nobody + armRoles, nil},
		{"GET", group + "/providers/Microsoft.Authorization/permissions" + armRoles, nil},
		{"PATCH", group + armGroups, object{}},
	} {
		if status, out := w.do(b.method, b.path, b.body); status < 400 {
			w.t.Errorf("%s %s: got %d %v, want an error", b.method, b.path, status, out)
		}
	}
}

// calledAll compares the requests with the operations that are described. Secrets
// of vaults are none of the vendor's and are not simulated.
func (w *walker) calledAll() {
	w.t.Helper()
	described, err := openapi3.NewLoader().LoadFromFile(filepath.Join(folder(w.t), "arm.subset.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	key := regexp.MustCompile(`\\\{[^}]*\\\}`)
	for path, item := range described.Paths.Map() {
		pattern := regexp.MustCompile("^" + arm + key.ReplaceAllString(regexp.QuoteMeta(path), "[^/?]+") + `(\?.*)?$`)
		for method := range item.Operations() {
			called := slices.ContainsFunc(w.cloud.Requests(), func(r sandbox.Request) bool {
				return r.Method == method && r.Status < 300 && pattern.MatchString(r.URL)
			})
			if !called && !strings.Contains(path, "/secrets/") {
				w.t.Errorf("%s %s was never called", method, path)
			}
		}
	}
}

// subscribed is the path of the subscription, read as anybody would.
func (w *walker) subscribed() (sub, tenant, person string) {
	w.t.Helper()
	person, _ = w.want(200, "GET", "/me?$select=id", nil)["id"].(string)
	w.token = w.signInTo(azureCLI, arm+"/.default")
	w.want(200, "GET", arm+"/tenants?api-version=2022-12-01", nil)
	one := w.want(200, "GET", arm+"/subscriptions?api-version=2022-12-01", nil)["value"].([]any)[0].(object)
	w.want(200, "GET", arm+one["id"].(string)+"?api-version=2022-12-01", nil)
	return one["id"].(string), one["tenantId"].(string), person
}

func TestAzureWrites(t *testing.T) {
	c := load(t)
	w := walk(t, c, sandbox.Options{Scenario: "empty-tenant"})
	sub, tenant, person := w.subscribed()
	w.azureWrites(sub, tenant, person)
	w.calledAll()
	// Nothing that was asked for here was wrong.
	if wrong := c.Violations(); len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
	if c.Count() < 70 {
		t.Errorf("only %d pairs were checked", c.Count())
	}
}

func TestAzureRefusals(t *testing.T) {
	for _, scenario := range []string{"happy", "no-vault", "provider-missing", "vault-name-deleted", "vault-name-taken", "azure-reader", "azure-policy"} {
		c := load(t)
		w := walk(t, c, sandbox.Options{Scenario: scenario})
		sub, tenant, _ := w.subscribed()
		w.azureRefusals(sub, tenant)
		body := object{"location": "westeurope", "properties": object{"tenantId": tenant, "sku": object{"family": "A", "name": "standard"}, "enableRbacAuthorization": true}}
		status, _ := w.do("PUT", arm+sub+"/resourceGroups/shared"+vaultProvider+"/vaults/rewst-contoso"+armVaults, body)
		want := map[string]int{"provider-missing": 409, "vault-name-deleted": 409, "vault-name-taken": 409, "azure-reader": 403, "azure-policy": 403}[scenario]
		if want == 0 {
			want = 201
		}
		if status != want {
			t.Errorf("%s: %d, want %d", scenario, status, want)
		}
		report(t, c, 35)
	}
}

// While Azure is slow its answers have the described form too.
func TestSlowAzure(t *testing.T) {
	c := load(t)
	for seed := range int64(5) {
		w := walk(t, c, sandbox.Options{Scenario: "empty-tenant", Delays: sandbox.DelaysRealistic, Seed: seed})
		sub, tenant, person := w.subscribed()
		group := arm + sub + "/resourceGroups/rewst"
		vault := group + vaultProvider + "/vaults/rewst-contoso" + armVaults
		body := object{"location": "westeurope", "properties": object{"tenantId": tenant, "sku": object{"family": "A", "name": "standard"}, "enableRbacAuthorization": true}}
		for range 40 {
			w.cloud.Advance(4 * time.Second)
			w.do("POST", arm+sub+vaultProvider+"/register"+armGroups, nil)
			w.do("GET", arm+sub+vaultProvider+armGroups, nil)
			w.do("PUT", group+armGroups, object{"location": "westeurope"})
			w.do("GET", group+armGroups, nil)
			w.do("PUT", vault, body)
			w.do("GET", vault, nil)
			w.do("PUT", group+assignments+"/"+nobody+armRoles, object{"properties": object{"roleDefinitionId": definitions + "/" + armReader, "principalId": person}})
		}
		w.want(202, "DELETE", group+armGroups, nil)
		w.do("GET", group+armGroups, nil)
	}
	report(t, c, 1000)
}
