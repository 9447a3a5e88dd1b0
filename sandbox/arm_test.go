package sandbox_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const (
	arm       = "https://management.azure.com"
	armScope  = "https://management.azure.com/.default openid offline_access"
	armNewest = "?api-version=2022-12-01"
	vaultList = "/providers/Microsoft.KeyVault/vaults?api-version=2024-11-01"
	search    = arm + "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
	vaultKQL  = "resources | where type =~ 'microsoft.keyvault/vaults'"
)

// azureOf is a world in which an account has a token for Azure.
func azureOf(t *testing.T, scenario, account string) *world {
	t.Helper()
	w := start(t, sandbox.Options{Scenario: scenario, Approve: sandbox.ApproveManual})
	if account == "" {
		account = w.cloud.Tenant().Admin
	}
	w.token = w.signInAs(account, azureCLI, armScope)
	return w
}

// production is the path of the one subscription of the partner.
func (w *world) production() string {
	w.t.Helper()
	list := w.do("GET", arm+"/subscriptions"+armNewest, nil).want(200).values()
	if len(list) != 1 || list[0]["displayName"] != "Contoso production" || list[0]["state"] != "Enabled" {
		w.t.Fatalf("subscriptions: %v", list)
	}
	return list[0]["id"].(string)
}

func TestAzureReads(t *testing.T) {
	w := azureOf(t, "happy", "")
	sub := w.production()
	if got := w.do("GET", arm+sub+armNewest, nil).want(200).body; got["tenantId"] != w.cloud.Tenant().ID || got["subscriptionId"] != strings.TrimPrefix(sub, "/subscriptions/") {
		t.Errorf("subscription: %v", got)
	}
	tenants := w.do("GET", arm+"/tenants"+armNewest, nil).want(200).values()
	if len(tenants) != 1 || tenants[0]["tenantId"] != w.cloud.Tenant().ID || tenants[0]["defaultDomain"] != "contoso.onmicrosoft.com" {
		t.Errorf("tenants: %v", tenants)
	}
	vault := w.do("GET", arm+strings.ToUpper(sub[:15])+sub[15:]+vaultList, nil).want(200).values()[0]
	properties := vault["properties"].(map[string]any)
	if !strings.HasPrefix(vault["id"].(string), sub+"/resourceGroups/") || properties["provisioningState"] != "Succeeded" || properties["tenantId"] != w.cloud.Tenant().ID {
		t.Errorf("vault: %v", vault)
	}
	filter := "&$filter=resourceType%20eq%20'Microsoft.KeyVault/vaults'"
	for query, want := range map[string]int{"": 1, filter: 1, strings.ReplaceAll(filter, "KeyVault/vaults", "Web/sites"): 0} {
		list := w.do("GET", arm+sub+"/resources?api-version=2021-04-01"+query, nil).want(200).values()
		if len(list) != want || want == 1 && (list[0]["id"] != vault["id"] || list[0]["properties"] != nil) {
			t.Errorf("resources%s: %v", query, list)
		}
	}
	w.do("GET", arm+sub+"/resources?api-version=2021-04-01&$filter=nonsense", nil).fails(400, "InvalidFilterInQueryString", "nonsense")

	found := w.do("POST", search, map[string]any{"query": vaultKQL}).want(200).body
	row := found["data"].([]any)[0].(map[string]any)
	if found["totalRecords"] != 1.0 || row["id"] != vault["id"] || row["type"] != "microsoft.keyvault/vaults" || row["resourceGroup"] != "shared" {
		t.Errorf("Resource Graph: %v", found)
	}
	found = w.do("POST", search, map[string]any{"query": vaultKQL + " | project id, name"}).want(200).body
	if row := found["data"].([]any)[0].(map[string]any); len(row) != 2 || row["name"] != vault["name"] {
		t.Errorf("projected: %v", row)
	}
	found = w.do("POST", search, map[string]any{"query": vaultKQL, "subscriptions": []string{"11111111-1111-4111-8111-111111111111"}}).want(200).body
	if found["count"] != 0.0 {
		t.Errorf("another subscription: %v", found)
	}
	w.do("POST", search, map[string]any{"query": "resources | count"}).fails(400, "InvalidQuery", "")
	w.do("POST", search, map[string]any{}).fails(400, "BadRequest", "")
	for _, r := range w.cloud.Requests() {
		if r.Write {
			t.Errorf("%s %s counts as a write", r.Method, r.URL)
		}
	}
	if rows := w.cloud.Requests(); rows[len(rows)-1].Tenant != w.cloud.Tenant().ID {
		t.Errorf("the tenant of a request: %+v", rows[len(rows)-1])
	}
}

func TestAzureRefusals(t *testing.T) {
	w := azureOf(t, "happy", "")
	sub := w.production()
	w.do("GET", arm+"/subscriptions", nil).fails(400, "MissingApiVersionParameter", "api-version")
	w.do("GET", arm+"/subscriptions?api-version=newest", nil).fails(400, "InvalidApiVersionParameter", "newest")
	w.do("GET", arm+"/subscriptions/nonsense"+armNewest, nil).fails(400, "InvalidSubscriptionId", "nonsense")
	w.do("GET", arm+"/subscriptions/11111111-1111-4111-8111-111111111111"+armNewest, nil).fails(404, "SubscriptionNotFound", "")
	w.do("GET", arm+"/nonsense"+armNewest, nil).fails(404, "NotFound", "")
	w.do("DELETE", arm+sub+armNewest, nil).fails(405, "MethodNotAllowed", "")
	r := w.do("GET", arm+"/tenants"+armNewest, nil, "x-ms-correlation-request-id", "3f0c0c5e-3a0e-4a55-8d0d-5d2f8e1b1c11").want(200)
	if r.header.Get("x-ms-request-id") == "" || r.header.Get("x-ms-correlation-request-id") != "3f0c0c5e-3a0e-4a55-8d0d-5d2f8e1b1c11" {
		t.Errorf("headers: %v", r.header)
	}

	// A role in the directory is none in Azure.
	m := azureOf(t, "happy", "megan@contoso.onmicrosoft.com")
	if list := m.do("GET", arm+"/subscriptions"+armNewest, nil).want(200).values(); len(list) != 0 {
		t.Errorf("seen without a role: %v", list)
	}
	for _, path := range []string{sub + armNewest, sub + vaultList, sub + "/resources?api-version=2021-04-01"} {
		m.do("GET", arm+path, nil).fails(403, "AuthorizationFailed", "megan@contoso.onmicrosoft.com")
	}
	if found := m.do("POST", search, map[string]any{"query": vaultKQL}).want(200).body; found["count"] != 0.0 {
		t.Errorf("found without a role: %v", found)
	}

	good := w.token
	for code, token := range map[string]string{
		"AuthenticationFailed": "", "InvalidAuthenticationToken": good[:len(good)-4] + "AAAA",
		"InvalidAuthenticationTokenAudience": w.signInAs(w.cloud.Tenant().Admin, azureCLI, "https://graph.microsoft.com/.default"),
	} {
		req := w.request("GET", arm+"/tenants"+armNewest, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		if token == "" {
			req.Header.Del("Authorization")
		}
		if r := w.send(req).fails(401, code, ""); !strings.Contains(r.header.Get("WWW-Authenticate"), "authorization_uri") {
			t.Errorf("%s: no challenge", code)
		}
	}
	// One API, several names.
	for _, resource := range []string{"https://management.core.windows.net/", "https://management.azure.com", catalog.ServiceMgmtAppID} {
		w.token = w.signInAs(w.cloud.Tenant().Admin, azureCLI, resource+"/.default")
		w.do("GET", arm+"/tenants"+armNewest, nil).want(200)
	}
	w.cloud.Advance(2 * time.Hour)
	w.do("GET", arm+"/tenants"+armNewest, nil).fails(401, "ExpiredAuthenticationToken", "")
}

func TestAzureScopes(t *testing.T) {
	// A role further down shows the subscription, but not all of it.
	w := azureOf(t, "happy", "")
	sub := w.production()
	m := &world{t: t, cloud: w.cloud, client: w.client, token: w.signInAs("megan@contoso.onmicrosoft.com", azureCLI, armScope)}
	w.cloud.GiveAzureRole(sub+"/resourcegroups/SHARED", claims(t, m.token)["oid"].(string))
	m.do("GET", arm+m.production()+armNewest, nil).want(200)
	m.do("GET", arm+sub+vaultList, nil).fails(403, "AuthorizationFailed", "Microsoft.KeyVault/vaults/read")
	if list := m.do("GET", arm+sub+"/resources?api-version=2021-04-01", nil).want(200).values(); len(list) != 1 {
		t.Errorf("resources: %v", list)
	}
	if found := m.do("POST", search, map[string]any{"query": vaultKQL}).want(200).body; found["count"] != 1.0 {
		t.Errorf("Resource Graph: %v", found)
	}
	a := &world{t: t, cloud: w.cloud, client: w.client, token: w.signInAs("adele@contoso.onmicrosoft.com", azureCLI, armScope)}
	w.cloud.GiveAzureRole("/subscriptions/11111111-1111-4111-8111-111111111111", claims(t, a.token)["oid"].(string))
	if list := a.do("GET", arm+"/subscriptions"+armNewest, nil).want(200).values(); len(list) != 0 {
		t.Errorf("a role elsewhere shows %v", list)
	}
	w.cloud.GiveAzureRole(sub+"/resourceGroups/other", claims(t, a.token)["oid"].(string))
	if list := a.do("GET", arm+sub+"/resources?api-version=2021-04-01", nil).want(200).values(); len(list) != 0 {
		t.Errorf("resources of another group: %v", list)
	}

	// A role can be given to a group.
	g := azureOf(t, "app-admin", "")
	if list := g.do("GET", arm+"/subscriptions"+armNewest, nil).want(200).values(); len(list) != 0 {
		t.Fatalf("an Application Administrator sees %v", list)
	}
	armToken := g.token
	g.token = g.signInAs(g.cloud.Tenant().Admin, gct, everything)
	agents := g.do("GET", "/groups?$filter=displayName eq 'AdminAgents'", nil).want(200).values()[0]["id"].(string)
	g.cloud.GiveAzureRole(sub, agents)
	g.token = armToken
	g.production()
}

func TestAzureScenarios(t *testing.T) {
	w := azureOf(t, "no-subscription", "")
	if list := w.do("GET", arm+"/subscriptions"+armNewest, nil).want(200).values(); len(list) != 0 {
		t.Errorf("no-subscription: %v", list)
	}
	w = azureOf(t, "no-vault", "")
	if list := w.do("GET", arm+w.production()+vaultList, nil).want(200).values(); len(list) != 0 {
		t.Errorf("no-vault: %v", list)
	}
	if found := w.do("POST", search, map[string]any{"query": vaultKQL}).want(200).body; found["count"] != 0.0 {
		t.Errorf("no-vault: %v", found)
	}
}

// Somebody who is a guest elsewhere can go there, with the sign-in of home, and
// sees there what a guest sees.
func TestGuestElsewhere(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "guest-elsewhere", Approve: sandbox.ApproveNow})
	home := w.signIn(azureCLI, armScope)
	w.token = home["access_token"].(string)
	sub := w.production()
	var names []string
	elsewhere := ""
	for _, v := range w.do("GET", arm+"/tenants"+armNewest, nil).want(200).values() {
		names = append(names, fmt.Sprint(v["displayName"]))
		elsewhere = v["tenantId"].(string)
	}
	if !slices.Equal(names, []string{"Contoso", "Fabrikam"}) {
		t.Fatalf("tenants: %v", names)
	}
	redeem := func(tenant string, from map[string]any, scope string) reply {
		return w.form(tenant, "token", "grant_type", "refresh_token", "client_id", azureCLI, "refresh_token", from["refresh_token"].(string), "scope", scope)
	}
	away := redeem(elsewhere, home, armScope).want(200).body
	if got := claims(t, away["access_token"]); got["tid"] != elsewhere || got["acct"] != 1.0 || got["wids"] != nil {
		t.Errorf("token of a guest: %v", got)
	}
	if away["client_info"] != home["client_info"] {
		t.Error("the account is another one elsewhere")
	}
	w.token = away["access_token"].(string)
	if list := w.do("GET", arm+"/tenants"+armNewest, nil).want(200).values(); len(list) != 2 || list[0]["displayName"] != "Contoso" {
		t.Errorf("tenants, asked from elsewhere: %v", list)
	}
	if list := w.do("GET", arm+"/subscriptions"+armNewest, nil).want(200).values(); len(list) != 0 {
		t.Errorf("subscriptions elsewhere: %v", list)
	}
	r := w.do("GET", arm+sub+armNewest, nil).fails(401, "InvalidAuthenticationTokenTenant", w.cloud.Tenant().ID)
	if !strings.Contains(r.header.Get("WWW-Authenticate"), w.cloud.Tenant().ID) {
		t.Errorf("challenge: %s", r.header.Get("WWW-Authenticate"))
	}
	w.token = redeem(elsewhere, home, "https://graph.microsoft.com/.default").want(200).body["access_token"].(string)
	if got := w.do("GET", "/organization?$select=displayName", nil).want(200).values()[0]["displayName"]; got != "Fabrikam" {
		t.Errorf("organization: %v", got)
	}
	w.do("GET", "/applications", nil).fails(403, "Authorization_RequestDenied", "")
	redeem(w.cloud.Tenant().ID, away, armScope).want(200) // and back
	redeem("northwindtraders.onmicrosoft.com", home, armScope).aadsts("invalid_grant", 50020)
}

func TestAzurePages(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "small-pages", Approve: sandbox.ApproveNow})
	w.token = w.signIn(azureCLI, armScope)["access_token"].(string)
	w.do("GET", arm+"/tenants"+armNewest+"&$skiptoken=nonsense", nil).fails(400, "InvalidSkipToken", "nonsense")
	if got := w.do("GET", arm+"/tenants"+armNewest, nil).want(200).body; got["nextLink"] != nil {
		t.Errorf("one tenant on several pages: %v", got)
	}
	var pages []int
	for next := arm + w.production() + vaultList; next != ""; {
		r := w.do("GET", next, nil).want(200)
		pages = append(pages, len(r.values()))
		next, _ = r.body["nextLink"].(string)
	}
	if !slices.Equal(pages, []int{3, 2}) {
		t.Errorf("pages of %v vaults", pages)
	}
}

// Each cloud has its own host, and its own tenants.
func TestAzureHosts(t *testing.T) {
	w := azureOf(t, "happy", "")
	for _, c := range catalog.Clouds() {
		r := w.do("GET", "https://"+c.ARM+"/tenants"+armNewest, nil)
		if c.ARM == "management.azure.com" {
			r.want(200)
		} else {
			r.fails(401, "InvalidAuthenticationTokenAudience", "https://"+c.ARM)
		}
	}

	g := start(t, sandbox.Options{Scenario: "gcc-high", Approve: sandbox.ApproveNow})
	signIn := func(scope string) string {
		post := func(endpoint string, v url.Values) map[string]any {
			req, err := http.NewRequest("POST", "https://login.microsoftonline.us/"+g.cloud.Tenant().ID+"/oauth2/v2.0/"+endpoint, strings.NewReader(v.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return g.send(req).want(200).body
		}
		code := post("devicecode", url.Values{"client_id": {azureCLI}, "scope": {scope}})["device_code"].(string)
		return post("token", url.Values{"client_id": {azureCLI}, "grant_type": {"device_code"}, "device_code": {code}})["access_token"].(string)
	}
	const gov = "https://management.usgovcloudapi.net"
	g.token = signIn(gov + "/.default")
	sub := g.do("GET", gov+"/subscriptions"+armNewest, nil).want(200).values()[0]["id"].(string)
	vault := g.do("GET", gov+sub+vaultList, nil).want(200).values()[0]["properties"].(map[string]any)
	if vault["vaultUri"] != "https://contoso-rewst.vault.usgovcloudapi.net/" {
		t.Errorf("vault: %v", vault["vaultUri"])
	}
	g.token = signIn(arm + "/.default")
	g.do("GET", arm+"/subscriptions"+armNewest, nil).fails(401, "InvalidAuthenticationToken", "")
}
