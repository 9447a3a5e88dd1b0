package sandbox_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const (
	azureCLI        = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	azurePowerShell = "1950a258-227b-4e31-a9cf-717495945fc2"
	gct             = catalog.GraphCommandLineTools
)

func TestDiscovery(t *testing.T) {
	w := start(t, sandbox.Options{})
	tenant := w.cloud.Tenant()
	get := func(path string) reply {
		return w.send(w.request("GET", path, nil))
	}
	for _, name := range []string{tenant.ID, tenant.DefaultDomain, "contoso.com", strings.ToUpper(tenant.ID)} {
		r := get("https://login.microsoftonline.com/" + name + "/v2.0/.well-known/openid-configuration").want(200)
		if got, want := r.body["issuer"], "https://login.microsoftonline.com/"+tenant.ID+"/v2.0"; got != want {
			t.Errorf("%s: issuer: got %v, want %s", name, got, want)
		}
	}
	for _, name := range []string{"organizations", "common"} {
		r := get("https://login.microsoftonline.com/" + name + "/v2.0/.well-known/openid-configuration").want(200)
		if got := r.body["issuer"]; got != "https://login.microsoftonline.com/{tenantid}/v2.0" {
			t.Errorf("%s: issuer: got %v", name, got)
		}
	}
	get("https://login.microsoftonline.com/nosuchtenant.com/v2.0/.well-known/openid-configuration").aadsts("invalid_tenant", 90002)
	get("https://login.microsoftonline.com/nonsense/v2.0/.well-known/openid-configuration").aadsts("invalid_request", 900023)
	for _, cloud := range catalog.Clouds() {
		r := get("https://" + cloud.Login + "/common/discovery/instance?api-version=1.1").want(200)
		if !strings.Contains(r.raw, `"`+cloud.Login+`"`) {
			t.Errorf("%s is no alias of itself: %s", cloud.Login, r.raw)
		}
	}
}

func TestDeviceCodeStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, sandbox.Options{})
		began := w.form("organizations", "devicecode", "client_id", gct, "scope", everything).want(200).body
		for _, key := range []string{"user_code", "device_code", "verification_uri", "message"} {
			if s, _ := began[key].(string); s == "" {
				t.Errorf("no %s in %v", key, began)
			}
		}
		if began["expires_in"] != 900.0 || began["interval"] != 5.0 {
			t.Errorf("expires_in and interval: %v", began)
		}
		code := began["device_code"].(string)
		poll := func() reply {
			return w.form("organizations", "token", "grant_type", "device_code", "client_id", gct, "device_code", code)
		}
		poll().aadsts("authorization_pending", 70016)
		time.Sleep(time.Second)
		if r := poll(); r.status != 400 || r.body["error"] != "slow_down" {
			t.Fatalf("too early: %s", r.raw)
		}
		time.Sleep(5 * time.Second)
		poll().aadsts("authorization_pending", 70016)
		time.Sleep(5 * time.Second)
		r := poll().want(200)
		for _, key := range []string{"access_token", "refresh_token", "id_token", "client_info", "scope", "token_type", "expires_in"} {
			if r.body[key] == nil {
				t.Errorf("no %s: %s", key, r.raw)
			}
		}
		time.Sleep(5 * time.Second)
		poll().aadsts("bad_verification_code", 70018)
		w.form("organizations", "token", "grant_type", "device_code", "client_id", gct, "device_code", "made up").aadsts("bad_verification_code", 70018)
		// A code belongs to the client and the tenant part it was made for.
		other := w.form("organizations", "devicecode", "client_id", gct, "scope", everything).want(200).body["device_code"].(string)
		w.form("common", "token", "grant_type", "device_code", "client_id", gct, "device_code", other).aadsts("bad_verification_code", 70018)
		w.form("organizations", "token", "grant_type", "device_code", "client_id", azureCLI, "device_code", other).aadsts("bad_verification_code", 70018)
		time.Sleep(15 * time.Minute)
		w.form("organizations", "token", "grant_type", "device_code", "client_id", gct, "device_code", other).aadsts("expired_token", 70020)
	})
}

func TestDeviceCodeRefusals(t *testing.T) {
	for scenario, want := range map[string]struct {
		name string
		code int
	}{
		"declined": {"authorization_declined", 70020}, "no-role": {"invalid_grant", 90094}, "guest": {"invalid_grant", 90094},
		"device-code-blocked": {"authorization_pending", 70016},
	} {
		t.Run(scenario, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, sandbox.Options{Scenario: scenario, Approve: sandbox.ApproveNow})
				tenant := w.cloud.Tenant().ID
				code := w.form(tenant, "devicecode", "client_id", gct, "scope", everything).want(200).body["device_code"].(string)
				w.poll(gct, code).aadsts(want.name, want.code)
				time.Sleep(time.Minute)
				w.poll(gct, code).aadsts(want.name, want.code)
			})
		})
	}
}

func TestScopeRules(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	start := func(client, scope string) reply {
		return w.form(w.cloud.Tenant().ID, "devicecode", "client_id", client, "scope", scope)
	}
	start(gct, "https://graph.microsoft.com/User.Read https://management.azure.com/user_impersonation").aadsts("invalid_request", 700022)
	start(gct, "https://graph.microsoft.com/.default User.Read").aadsts("invalid_scope", 70011)
	start(gct, "No.Such.Scope").aadsts("invalid_scope", 70011)
	start(gct, "").aadsts("invalid_request", 900144)
	start(gct, "https://example.com/.default").aadsts("invalid_resource", 500011)
	start("11111111-1111-4111-8111-111111111111", "User.Read").aadsts("unauthorized_client", 700016)
	start("not an id", "User.Read").aadsts("unauthorized_client", 700038)

	code := start(gct, "https://management.azure.com/user_impersonation").want(200).body["device_code"].(string)
	w.poll(gct, code).aadsts("invalid_grant", 65002)
	code = start(azureCLI, "Domain.Read.All").want(200).body["device_code"].(string)
	w.poll(azureCLI, code).aadsts("invalid_grant", 65002)
}

func TestTokensOfAPerson(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	tenant := w.cloud.Tenant()
	first := w.signIn(azureCLI, "openid offline_access https://graph.microsoft.com/.default")
	c := claims(t, first["access_token"])
	for key, want := range map[string]any{
		"tid": tenant.ID, "upn": tenant.Admin, "preferred_username": tenant.Admin, "appid": azureCLI, "idtyp": "user", "acct": 0.0,
		"aud": "https://graph.microsoft.com",
	} {
		if c[key] != want {
			t.Errorf("claim %s: got %v, want %v", key, c[key], want)
		}
	}
	if got := c["scp"].(string); !strings.Contains(got, "Application.ReadWrite.All") || strings.Contains(got, "Domain.Read.All") {
		t.Errorf("scp: %s", got)
	}
	if !strings.Contains(strings.Join(texts(c["amr"]), " "), "mfa") || !strings.Contains(strings.Join(texts(c["wids"]), " "), catalog.RoleGlobalAdministrator) {
		t.Errorf("amr %v, wids %v", c["amr"], c["wids"])
	}
	rt := first["refresh_token"].(string)
	redeem := func(where, client, scope string) reply {
		return w.form(where, "token", "grant_type", "refresh_token", "client_id", client, "refresh_token", rt, "scope", scope)
	}
	arm := redeem(tenant.ID, azureCLI, "https://management.core.windows.net//.default openid offline_access").want(200)
	if got := claims(t, arm.body["access_token"])["aud"]; got != "https://management.core.windows.net" {
		t.Errorf("aud: got %v", got)
	}
	if !strings.Contains(arm.body["scope"].(string), "https://management.core.windows.net//.default") {
		t.Errorf("scope is not echoed: %v", arm.body["scope"])
	}
	redeem(tenant.ID, azureCLI, "https://api.partnercenter.microsoft.com/user_impersonation").want(200)
	redeem(tenant.ID, azureCLI, "https://manage.office.com/.default").aadsts("invalid_resource", 500011)
	redeem(tenant.ID, gct, "https://graph.microsoft.com/.default").aadsts("invalid_grant", 70000)
	redeem("fabrikam.com", azureCLI, "https://graph.microsoft.com/.default").aadsts("invalid_grant", 50020)
	w.form(tenant.ID, "token", "grant_type", "refresh_token", "client_id", azureCLI, "refresh_token", "made up", "scope", "User.Read").aadsts("invalid_grant", 9002313)
	w.form(tenant.ID, "token", "grant_type", "refresh_token", "client_id", azureCLI, "refresh_token", rt, "scope", "User.Read", "client_secret", "x").aadsts("invalid_client", 700025)
	w.form(tenant.ID, "token", "grant_type", "password", "client_id", azureCLI).aadsts("unsupported_grant_type", 70003)
	w.cloud.Advance(91 * 24 * time.Hour)
	redeem(tenant.ID, azureCLI, "https://graph.microsoft.com/.default").aadsts("invalid_grant", 700082)
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, x := range list {
		out = append(out, x.(string))
	}
	return out
}

func TestConsentLeavesAFootprint(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	before := w.cloud.Digest()
	first := w.signIn(gct, "openid offline_access Domain.Read.All")
	rt := first["refresh_token"].(string)
	redeem := func(scope string) reply {
		return w.form(w.cloud.Tenant().ID, "token", "grant_type", "refresh_token", "client_id", gct, "refresh_token", rt, "scope", scope)
	}
	if r := redeem("Policy.Read.All").aadsts("invalid_grant", 65001); r.body["suberror"] != "consent_required" {
		t.Errorf("suberror: %s", r.raw)
	}
	second := w.signIn(gct, "openid offline_access Policy.Read.All")
	if scp := claims(t, second["access_token"])["scp"].(string); !strings.Contains(scp, "Domain.Read.All") || !strings.Contains(scp, "Policy.Read.All") {
		t.Errorf("consent does not add up: %s", scp)
	}
	if scp := claims(t, first["access_token"])["scp"].(string); strings.Contains(scp, "Policy.Read.All") {
		t.Errorf("an old token changed: %s", scp)
	}
	redeem("Policy.Read.All").want(200)
	after := w.cloud.Digest()
	clients := after.Tenants["Contoso"].Clients
	if before.SHA256 == after.SHA256 || len(before.Tenants["Contoso"].Clients) != 0 || len(clients) != 1 {
		t.Fatalf("footprint: %+v", clients)
	}
	if g := clients[0].Delegated; len(g) != 1 || g[0].ConsentType != "Principal" || g[0].Principal != w.cloud.Tenant().Admin || len(g[0].Scopes) != 2 {
		t.Errorf("grant: %+v", g)
	}
}

func TestOwnApp(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	tenant := w.cloud.Tenant().ID
	id, appID := w.app(nil)
	code := w.form(tenant, "devicecode", "client_id", appID, "scope", "User.Read openid").want(200).body["device_code"].(string)
	w.poll(appID, code).aadsts("invalid_client", 7000218)
	w.form("organizations", "devicecode", "client_id", appID, "scope", "User.Read").aadsts("invalid_request", 50194)
	w.do("PATCH", "/applications/"+id, map[string]any{"isFallbackPublicClient": true}).want(204)
	w.poll(appID, code).want(200)

	secret := w.do("POST", "/applications/"+id+"/addPassword", map[string]any{"passwordCredential": map[string]any{"displayName": "one", "endDateTime": "2100-01-01T00:00:00Z"}}).want(200).body["secretText"].(string)
	ask := func(secret, scope string) reply {
		return w.form(tenant, "token", "grant_type", "client_credentials", "client_id", appID, "client_secret", secret, "scope", scope)
	}
	const graph = "https://graph.microsoft.com/.default"
	ask("wrong", graph).aadsts("invalid_client", 7000215)
	ask("", graph).aadsts("invalid_client", 7000218)
	ask(secret, "https://graph.microsoft.com/User.Read").aadsts("invalid_scope", 1002012)
	w.form("common", "token", "grant_type", "client_credentials", "client_id", appID, "client_secret", secret, "scope", graph).aadsts("invalid_request", 50194)
	ask(secret, "https://manage.office.com/.default").aadsts("invalid_resource", 500011)

	// The consent at the browser made the service principal; without it there is no token.
	principal := w.principal(appID)
	if roles := claims(t, ask(secret, graph).want(200).body["access_token"])["roles"]; roles != nil {
		t.Errorf("roles without assignment: %v", roles)
	}
	resource := w.principal(catalog.GraphAppID)
	w.do("POST", "/servicePrincipals/"+resource+"/appRoleAssignedTo", map[string]any{
		"principalId": principal, "resourceId": resource, "appRoleId": permissionID(t, catalog.GraphAppID, "User.ReadWrite.All", catalog.Application),
	}).want(201)
	token := ask(secret, graph).want(200).body["access_token"]
	if c := claims(t, token); strings.Join(texts(c["roles"]), " ") != "User.ReadWrite.All" || c["idtyp"] != "app" || c["oid"] != principal {
		t.Errorf("app token: %v", c)
	}
	admin := w.token
	w.token = token.(string)
	w.do("GET", "/users", nil).want(200)
	w.do("GET", "/applications", nil).fails(403, "Authorization_RequestDenied", "Insufficient privileges")
	w.do("GET", "/me", nil).fails(400, "BadRequest", "only valid with delegated authentication flow")
	w.token = admin
	w.do("PATCH", "/servicePrincipals/"+principal, map[string]any{"accountEnabled": false}).want(204)
	ask(secret, graph).aadsts("unauthorized_client", 7000112)
	w.do("DELETE", "/servicePrincipals/"+principal, nil).want(204)
	ask(secret, graph).aadsts("unauthorized_client", 7000229)
	w.cloud.Advance(200 * 365 * 24 * time.Hour)
	ask(secret, graph).aadsts("invalid_client", 7000222)
}

// An app that only has Application.ReadWrite.OwnedBy manages what it made.
func TestOwnedBy(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	mine, appID := w.app(nil)
	other, _ := w.app(map[string]any{"displayName": "other"})
	sp := w.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).want(201).id()
	graph := w.do("GET", "/servicePrincipals(appId='"+catalog.GraphAppID+"')", nil).want(200)
	role := ""
	for _, r := range graph.body["appRoles"].([]any) {
		if entry := r.(map[string]any); entry["value"] == "Application.ReadWrite.OwnedBy" {
			role = entry["id"].(string)
		}
	}
	w.do("POST", "/servicePrincipals/"+graph.id()+"/appRoleAssignedTo", map[string]any{"principalId": sp, "resourceId": graph.id(), "appRoleId": role}).want(201)
	secret := w.do("POST", "/applications/"+mine+"/addPassword", map[string]any{}).want(200).body["secretText"].(string)
	w.token = w.form(w.cloud.Tenant().ID, "token", "grant_type", "client_credentials", "client_id", appID, "client_secret", secret,
		"scope", "https://graph.microsoft.com/.default").want(200).body["access_token"].(string)
	made, _ := w.app(map[string]any{"displayName": "made by an app"})
	w.do("PATCH", "/applications/"+made, map[string]any{"notes": "x"}).want(204)
	w.do("PATCH", "/applications/"+other, map[string]any{"notes": "x"}).fails(403, "Authorization_RequestDenied", "Insufficient privileges")
	w.do("POST", "/servicePrincipals", map[string]any{"appId": catalog.ManagementAPIsAppID}).fails(403, "Authorization_RequestDenied", "must in the local tenant")
	w.do("GET", "/oauth2PermissionGrants", nil).fails(403, "Authorization_RequestDenied", "")
}

// Every cloud has its own hosts; a token of one is no good in another.
func TestClouds(t *testing.T) {
	for _, cloud := range catalog.Clouds() {
		w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
		post := func(endpoint, body string) map[string]any {
			return w.send(w.request("POST", "https://"+cloud.Login+"/organizations/oauth2/v2.0/"+endpoint, body, "Content-Type", "application/x-www-form-urlencoded")).want(200).body
		}
		resource := "https://" + cloud.Graph
		code := post("devicecode", "client_id="+gct+"&scope=openid+"+resource+"/User.Read")
		got := post("token", "grant_type=device_code&client_id="+gct+"&device_code="+code["device_code"].(string))
		w.token = got["access_token"].(string)
		w.do("GET", resource+"/v1.0/me", nil).want(200)
		w.send(w.request("GET", code["verification_uri"].(string), nil)).want(200)
	}
}

// The canary is in everything secret, in the clear, and in nothing else.
func TestCanary(t *testing.T) {
	const canary = "CANARY-0815"
	w := start(t, sandbox.Options{Canary: canary, Approve: sandbox.ApproveNow})
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", gct, "scope", everything).want(200).body
	got := w.poll(gct, code["device_code"].(string)).want(200).body
	for name, text := range map[string]any{
		"authorization code": w.browse(signInPage("organizations", gct)).redirected().Get("code"),
		"device code":        code["device_code"], "access token": got["access_token"], "id token": got["id_token"], "refresh token": got["refresh_token"],
	} {
		if !strings.Contains(text.(string), canary) {
			t.Errorf("not in the %s: %v", name, text)
		}
	}
	if strings.Contains(code["user_code"].(string)+code["message"].(string), canary) {
		t.Errorf("in what a person reads: %v", code)
	}
	w.token = got["access_token"].(string)
	w.do("GET", "/me", nil).want(200)
}

func TestAccounts(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "guest", Approve: sandbox.ApproveNow})
	c := claims(t, w.signIn(gct, "openid User.Read")["access_token"])
	if c["acct"] != 1.0 || c["wids"] != nil {
		t.Errorf("guest: %v", c)
	}
	w = start(t, sandbox.Options{Scenario: "no-mfa", Approve: sandbox.ApproveNow})
	if got := strings.Join(texts(claims(t, w.signIn(gct, "openid User.Read")["access_token"])["amr"]), " "); got != "pwd" {
		t.Errorf("amr: %s", got)
	}
}

// The client library polls by a schedule of its own and needs a token service
// that it finds nothing wrong with.
func TestMSAL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := sandbox.New(sandbox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h := &http.Client{Transport: c.Transport()}
		app, err := public.New(azureCLI, public.WithAuthority("https://login.microsoftonline.com/organizations"), public.WithHTTPClient(h))
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		code, err := app.AcquireTokenByDeviceCode(ctx, []string{"https://graph.microsoft.com/.default"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := code.AuthenticationResult(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got.Account.PreferredUsername != c.Tenant().Admin || got.IDToken.TenantID != c.Tenant().ID {
			t.Errorf("account: %+v", got.Account)
		}
		for _, scope := range []string{"https://management.azure.com/.default", "https://api.partnercenter.microsoft.com/user_impersonation"} {
			second, err := app.AcquireTokenSilent(ctx, []string{scope}, public.WithSilentAccount(got.Account), public.WithTenantID(c.Tenant().ID))
			if err != nil {
				t.Fatalf("%s: %v", scope, err)
			}
			if second.AccessToken == got.AccessToken {
				t.Errorf("%s: the same token", scope)
			}
		}

		w := &world{t: t, cloud: c, client: h, token: got.AccessToken}
		id, appID := w.app(nil)
		w.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).want(201)
		secret := w.do("POST", "/applications/"+id+"/addPassword", map[string]any{}).want(200).body["secretText"].(string)
		cred, err := confidential.NewCredFromSecret(secret)
		if err != nil {
			t.Fatal(err)
		}
		own, err := confidential.New("https://login.microsoftonline.com/"+c.Tenant().ID, appID, cred, confidential.WithHTTPClient(h))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := own.AcquireTokenByCredential(ctx, []string{"https://graph.microsoft.com/.default"}); err != nil {
			t.Fatal(err)
		}
	})
}

// The client library is an independent judge of the sign-in by browser.
func TestMSALByBrowser(t *testing.T) {
	w := start(t, sandbox.Options{})
	ctx := t.Context()
	browser := func(w *world) public.AcquireInteractiveOption {
		return public.WithOpenURL(func(page string) error { return w.cloud.Browse(ctx, page) })
	}
	tenant := w.cloud.Tenant()
	app, err := public.New(azureCLI, public.WithAuthority("https://login.microsoftonline.com/organizations"), public.WithHTTPClient(w.client),
		public.WithClientCapabilities([]string{"CP1"}))
	if err != nil {
		t.Fatal(err)
	}
	graph := []string{"https://graph.microsoft.com/.default"}
	got, err := app.AcquireTokenInteractive(ctx, graph, browser(w))
	if err != nil {
		t.Fatal(err)
	}
	if got.Account.PreferredUsername != tenant.Admin || got.IDToken.TenantID != tenant.ID || !strings.Contains(strings.Join(got.GrantedScopes, " "), graph[0]) {
		t.Errorf("signed in: %+v, scopes %v", got.Account, got.GrantedScopes)
	}
	if c := claims(t, got.AccessToken); strings.Join(texts(c["xms_cc"]), " ") != "CP1" {
		t.Errorf("xms_cc: %v", c["xms_cc"])
	}
	second, err := app.AcquireTokenSilent(ctx, []string{"https://management.azure.com/.default"}, public.WithSilentAccount(got.Account), public.WithTenantID(tenant.ID))
	if err != nil || second.AccessToken == got.AccessToken {
		t.Fatalf("another resource: %v", err)
	}
	// A refusal of the sign-in page reaches the caller.
	blocked := start(t, sandbox.Options{Scenario: "no-role"})
	other, err := public.New(gct, public.WithAuthority("https://login.microsoftonline.com/"+tenant.ID), public.WithHTTPClient(blocked.client))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.AcquireTokenInteractive(ctx, []string{"Policy.Read.All"}, browser(blocked)); err == nil {
		t.Error("signed in without the right to consent")
	}

	// By hand: the page's address, and the code for it.
	page, err := app.AuthCodeURL(ctx, azureCLI, loopback, graph, public.WithLoginHint("megan@contoso.onmicrosoft.com"), public.WithTenantID(tenant.ID))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("code_challenge", challengeOf(verifier))
	q.Set("code_challenge_method", "S256")
	q.Set("scope", q.Get("scope")+" openid profile offline_access")
	u.RawQuery = q.Encode()
	code := w.browse(u.String()).redirected().Get("code")
	if _, err := app.AcquireTokenByAuthCode(ctx, code, loopback, graph, public.WithChallenge("wrong"+verifier), public.WithTenantID(tenant.ID)); err == nil || !strings.Contains(err.Error(), "AADSTS501481") {
		t.Errorf("wrong verifier: %v", err)
	}
	by, err := app.AcquireTokenByAuthCode(ctx, code, loopback, graph, public.WithChallenge(verifier), public.WithTenantID(tenant.ID))
	if err != nil {
		t.Fatal(err)
	}
	if by.Account.PreferredUsername != "megan@contoso.onmicrosoft.com" {
		t.Errorf("hint: signed in %s", by.Account.PreferredUsername)
	}
	if _, err := app.AcquireTokenByAuthCode(ctx, code, loopback, graph, public.WithChallenge(verifier), public.WithTenantID(tenant.ID)); err == nil || !strings.Contains(err.Error(), "AADSTS54005") {
		t.Errorf("second use: %v", err)
	}
}

// What a service asks for in the middle of the work can be had by the library:
// the silent way says why it does not suffice, a sign-in does.
func TestMSALAnswersAChallenge(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	ctx := t.Context()
	app, err := public.New(gct, public.WithAuthority("https://login.microsoftonline.com/"+w.cloud.Tenant().ID), public.WithHTTPClient(w.client),
		public.WithClientCapabilities([]string{"CP1"}))
	if err != nil {
		t.Fatal(err)
	}
	browser := public.WithOpenURL(func(page string) error { return w.cloud.Browse(ctx, page) })
	scopes := []string{"https://graph.microsoft.com/User.Read"}
	got, err := app.AcquireTokenInteractive(ctx, scopes, browser)
	if err != nil {
		t.Fatal(err)
	}
	w.token = got.AccessToken
	w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Path: "/me$"}, Do: "claims"}})
	challenge := w.do("GET", "/me", nil).interrupted("TokenCreatedWithOutdatedPolicies")
	w.cloud.SetFaults(nil)
	_, err = app.AcquireTokenSilent(ctx, scopes, public.WithSilentAccount(got.Account), public.WithClaims(challenge))
	if err == nil || !strings.Contains(err.Error(), "AADSTS50076") {
		t.Fatalf("silently: %v", err)
	}
	got, err = app.AcquireTokenInteractive(ctx, scopes, browser, public.WithClaims(challenge))
	if err != nil {
		t.Fatal(err)
	}
	w.token = got.AccessToken
	w.do("GET", "/me", nil).want(200)
}
