package sandbox_test

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// cp1 is how a client says that it can be refused a token before its end.
const cp1 = `{"access_token":{"xms_cc":{"values":["CP1"]}}}`

// byDevice signs in with a device code; pairs are sent with both requests.
func (w *world) byDevice(client, scope string, pairs ...string) map[string]any {
	w.t.Helper()
	tenant := w.cloud.Tenant().ID
	code := w.form(tenant, "devicecode", append([]string{"client_id", client, "scope", scope}, pairs...)...).want(200).body["device_code"].(string)
	return w.form(tenant, "token", append([]string{
		"grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", client, "device_code", code,
	}, pairs...)...).want(200).body
}

func (w *world) refresh(rt any, scope string, pairs ...string) reply {
	w.t.Helper()
	return w.form(w.cloud.Tenant().ID, "token", append([]string{"grant_type", "refresh_token", "client_id", gct, "refresh_token", rt.(string), "scope", scope}, pairs...)...)
}

func TestCapabilitiesComeBack(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	device := w.byDevice(gct, everything, "claims", cp1)
	browser := w.byBrowser(gct, everything, "claims", cp1)
	for name, token := range map[string]any{
		"device code": device["access_token"], "browser": browser["access_token"],
		"refresh": w.refresh(device["refresh_token"], "User.Read", "claims", cp1).want(200).body["access_token"],
	} {
		if got := strings.Join(texts(claims(t, token)["xms_cc"]), " "); got != "CP1" {
			t.Errorf("%s: xms_cc: got %q", name, got)
		}
	}
	for name, token := range map[string]any{
		"device code": w.byDevice(gct, everything)["access_token"],
		// What a client can do is said anew with each request.
		"refresh": w.refresh(device["refresh_token"], "User.Read").want(200).body["access_token"],
	} {
		if got := claims(t, token)["xms_cc"]; got != nil {
			t.Errorf("%s without claims: xms_cc: got %v", name, got)
		}
	}
	w.form("organizations", "devicecode", "client_id", gct, "scope", everything, "claims", "{").aadsts("invalid_request", 90023)
	w.refresh(device["refresh_token"], "User.Read", "claims", "[]").aadsts("invalid_request", 90023)
}

// interrupted checks the refusal of a token in the middle of its life and
// returns the claims a client has to hand in.
func (r reply) interrupted(code string) string {
	r.t.Helper()
	r.fails(401, "InvalidAuthenticationToken", code)
	header := r.header.Get("WWW-Authenticate")
	parts := regexp.MustCompile(`^Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000", error_description="[^"]*` + code + `", error="insufficient_claims", claims="([^"]+)"$`).FindStringSubmatch(header)
	if parts == nil {
		r.t.Fatalf("challenge: %s", header)
	}
	text, err := base64.StdEncoding.DecodeString(parts[1])
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func TestStepUpInTheMiddle(t *testing.T) {
	for _, way := range []string{"device", "browser"} {
		t.Run(way, func(t *testing.T) {
			w := start(t, sandbox.Options{Scenario: "step-up", Approve: sandbox.ApproveNow})
			signIn := func(pairs ...string) map[string]any {
				if way == "browser" {
					return w.byBrowser(gct, everything, pairs...)
				}
				return w.byDevice(gct, everything, pairs...)
			}
			got := signIn("claims", cp1)
			w.token = got["access_token"].(string)
			began := time.Now().Unix()
			body := map[string]any{"displayName": "x"}
			w.do("POST", "/applications", body).want(201)
			w.do("GET", "/applications", nil).want(200)
			w.do("POST", "/applications", body).want(201)
			challenge := w.do("POST", "/applications", body).interrupted("TokenCreatedWithOutdatedPolicies")
			var asked struct {
				AccessToken struct {
					NBF struct {
						Essential bool
						Value     string
					}
				} `json:"access_token"`
			}
			if err := json.Unmarshal([]byte(challenge), &asked); err != nil {
				t.Fatal(err)
			}
			if at, err := strconv.ParseInt(asked.AccessToken.NBF.Value, 10, 64); err != nil || at < began || at > time.Now().Unix() || !asked.AccessToken.NBF.Essential {
				t.Errorf("claims: %s", challenge)
			}
			// Reads are refused, too, and a refresh does not help: somebody has to sign in.
			w.do("GET", "/me", nil).interrupted("TokenCreatedWithOutdatedPolicies")
			r := w.refresh(got["refresh_token"], everything, "claims", challenge).aadsts("invalid_grant", 50076)
			if r.body["suberror"] != "basic_action" || !strings.Contains(r.body["claims"].(string), `"capolids"`) {
				t.Errorf("refresh: %s", r.raw)
			}
			merged := `{"access_token":{"xms_cc":{"values":["CP1"]},"nbf":{"essential":true,"value":"` + asked.AccessToken.NBF.Value + `"}}}`
			w.token = signIn("claims", merged)["access_token"].(string)
			for range 5 { // once is enough
				w.do("POST", "/applications", body).want(201)
			}
			if n := len(w.do("GET", "/applications", nil).want(200).values()); n != 7 {
				t.Errorf("the refused write took effect or another did not: %d applications", n)
			}
		})
	}
}

// A client that does not know about challenges goes on until its token ends.
func TestStepUpWithoutCapability(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "step-up", Approve: sandbox.ApproveNow})
	got := w.byDevice(gct, everything)
	w.token = got["access_token"].(string)
	for range 4 {
		w.do("POST", "/applications", map[string]any{"displayName": "x"}).want(201)
	}
	w.refresh(got["refresh_token"], everything).aadsts("invalid_grant", 50076)
}

func TestRevokedInTheMiddle(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "revoked", Approve: sandbox.ApproveNow})
	got := w.byDevice(gct, everything, "claims", cp1)
	w.token = got["access_token"].(string)
	body := map[string]any{"displayName": "x"}
	w.do("POST", "/applications", body).want(201)
	w.do("POST", "/applications", body).want(201)
	w.do("POST", "/applications", body).interrupted("TokenIssuedBeforeRevocationTimestamp")
	if r := w.refresh(got["refresh_token"], everything).aadsts("invalid_grant", 50173); !strings.Contains(r.raw, "TokensValidFrom") {
		t.Errorf("refresh: %s", r.raw)
	}
	// Apps that sign in by themselves are no session.
	w.token = w.byDevice(gct, everything, "claims", cp1)["access_token"].(string)
	w.do("POST", "/applications", body).want(201)
}

// The same can be had at any request, as a fault.
func TestEventsAsFaults(t *testing.T) {
	faults, err := sandbox.ParseFaults([]byte(`[{"match": {"method": "GET", "path": "/organization$"}, "do": "claims"}]`))
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, sandbox.Options{Approve: sandbox.ApproveNow, Faults: faults})
	w.token = w.byDevice(gct, everything, "claims", cp1)["access_token"].(string)
	w.do("GET", "/me", nil).want(200)
	w.do("GET", "/organization", nil).interrupted("TokenCreatedWithOutdatedPolicies")
	w.do("GET", "/me", nil).interrupted("TokenCreatedWithOutdatedPolicies")

	w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Path: "/me$"}, When: "after", Do: "revoked"}})
	w.token = w.byDevice(gct, everything, "claims", cp1)["access_token"].(string)
	w.do("GET", "/me", nil).want(200)
	w.do("GET", "/me", nil).interrupted("TokenIssuedBeforeRevocationTimestamp")

	if _, err := sandbox.ParseFaults([]byte(`[{"match": {"inner": true}, "do": "claims"}]`)); err == nil {
		t.Error("an item of a batch takes an event")
	}
}

// A policy against device codes also ends the sessions that began with one, and
// leaves the browser alone.
func TestDeviceCodeBlockFollowsTheSession(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "device-code-blocked"})
	got := w.byBrowser(azureCLI, "openid offline_access https://graph.microsoft.com/.default")
	w.form(w.cloud.Tenant().ID, "token", "grant_type", "refresh_token", "client_id", azureCLI, "refresh_token", got["refresh_token"].(string),
		"scope", "https://management.azure.com/.default").want(200)

	w = start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	device, browser := w.byDevice(gct, everything), w.byBrowser(gct, everything)
	waiting := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", gct, "scope", everything).want(200).body
	w.refresh(device["refresh_token"], "User.Read").want(200)
	w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Path: "/me$"}, Do: "device-code-blocked"}})
	w.token = device["access_token"].(string)
	w.do("GET", "/me", nil).want(200)
	r := w.refresh(device["refresh_token"], "User.Read").aadsts("invalid_grant", 53003)
	policy := w.do("GET", "/identity/conditionalAccess/policies", nil).want(200).values()[0]
	if r.body["suberror"] != "message_only" || !strings.Contains(r.body["claims"].(string), policy["id"].(string)) {
		t.Errorf("53003: %s", r.raw)
	}
	w.refresh(browser["refresh_token"], "User.Read").want(200)
	w.poll(gct, waiting["device_code"].(string)).aadsts("authorization_pending", 70016)
}

func TestSecurityDefaultsKeepDeviceCodesOut(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "security-defaults-block", Approve: sandbox.ApproveManual})
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", gct, "scope", everything).want(200).body
	w.page("user_code", code["user_code"].(string)).shows("(AADSTS530035)")
	w.poll(gct, code["device_code"].(string)).aadsts("authorization_pending", 70016)
	if q := w.browse(signInPage(w.cloud.Tenant().ID, gct), "answer", "continue").redirected(); q.Get("code") == "" {
		t.Errorf("browser: %v", q)
	}
}

// The policies of a tenant decide how long a session lasts, and for whom.
func TestSignInFrequency(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "policies", Approve: sandbox.ApproveNow})
	got := w.byDevice(gct, everything) // the administrator is exempt from the block
	w.cloud.Advance(59 * time.Minute)
	w.refresh(got["refresh_token"], "User.Read").want(200)
	w.cloud.Advance(2 * time.Minute)
	if r := w.refresh(got["refresh_token"], "User.Read").aadsts("invalid_grant", 70043); r.body["suberror"] != "token_expired" {
		t.Errorf("suberror: %s", r.raw)
	}
	w.cloud.SignInAs("megan@contoso.onmicrosoft.com")
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", azureCLI, "scope", "https://graph.microsoft.com/.default").want(200).body
	w.poll(azureCLI, code["device_code"].(string)).aadsts("authorization_pending", 70016)
	if err := w.cloud.Approve(code["user_code"].(string), ""); err == nil || !strings.Contains(err.Error(), "AADSTS53003") {
		t.Errorf("megan: %v", err)
	}
}

func TestWhoSignsIn(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "no-mfa", Approve: sandbox.ApproveNow})
	tenant := w.cloud.Tenant()
	who := func(got map[string]any) (string, string) {
		c := claims(t, got["access_token"])
		return c["upn"].(string), strings.Join(texts(c["amr"]), " ")
	}
	check := func(what string, got map[string]any, upn, amr string) {
		t.Helper()
		if u, a := who(got); u != upn || a != amr {
			t.Errorf("%s: %s by %q, want %s by %q", what, u, a, upn, amr)
		}
	}
	const owner = "owner@contoso.onmicrosoft.com"
	check("first", w.byDevice(gct, everything), tenant.Admin, "pwd")
	check("browser", w.byBrowser(gct, everything), tenant.Admin, "pwd")
	check("hint", w.byBrowser(gct, everything, "login_hint", owner, "prompt", "login"), owner, "pwd mfa")
	r := w.byBrowser(gct, "openid https://graph.microsoft.com/.default", "login_hint", owner)
	if c := claims(t, r["access_token"]); !strings.Contains(strings.Join(texts(c["wids"]), " "), catalog.RoleGlobalAdministrator) {
		t.Errorf("the other administrator's roles: %v", c["wids"])
	}
	w.token = r["access_token"].(string)
	control := func(path, body string) reply {
		return w.send(w.request("POST", "https://login.microsoftonline.com/_sandbox/"+path, body))
	}
	control("person", `{"account": "`+owner+`"}`).want(200)
	check("told", w.byDevice(gct, everything), owner, "pwd mfa")
	check("told, against a hint", w.byBrowser(gct, everything, "login_hint", tenant.Admin), owner, "pwd mfa")
	w.send(w.request("GET", "https://microsoft.com/devicelogin", nil)).shows(`value="` + owner + `"`)
	w.cloud.SignInAs("nobody@contoso.onmicrosoft.com")
	w.browse(signInPage(tenant.ID, gct)).shows("AADSTS50034")
	control("person", `{"account": ""}`).want(200)
	check("again", w.byDevice(gct, everything), tenant.Admin, "pwd")
	control("person", `{"name": "x"}`).want(400)

	manual := start(t, sandbox.Options{Scenario: "no-mfa", Approve: sandbox.ApproveManual})
	page := signInPage(tenant.ID, gct)
	manual.browse(page).shows(`name="second_factor"`)
	for given, amr := range map[string]string{"": "pwd", "done": "pwd mfa"} {
		code := manual.browse(page, "answer", "continue", "second_factor", given).redirected().Get("code")
		check("page "+given, manual.redeem(tenant.ID, gct, code).want(200).body, tenant.Admin, amr)
		dc := manual.form(tenant.ID, "devicecode", "client_id", gct, "scope", everything).want(200).body
		manual.page("user_code", dc["user_code"].(string), "second_factor", given).shows("You may close this window")
		check("device page "+given, manual.poll(gct, dc["device_code"].(string)).want(200).body, tenant.Admin, amr)
	}
	happy := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	if r := happy.browse(page); strings.Contains(r.raw, "second_factor") {
		t.Errorf("asked where it does not matter: %s", r.raw)
	}
}

func TestEligibleRole(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "eligible-role", Approve: sandbox.ApproveNow})
	tenant := w.cloud.Tenant()
	roles := func() string { return strings.Join(texts(claims(t, w.token)["wids"]), " ") }
	w.token = w.byDevice(gct, everything)["access_token"].(string)
	if strings.Contains(roles(), catalog.RoleGlobalAdministrator) {
		t.Fatalf("the role is active: %s", roles())
	}
	w.do("GET", "/policies/defaultAppManagementPolicy", nil).want(403)
	activate := func(account string) reply {
		return w.send(w.request("POST", "https://graph.microsoft.com/_sandbox/activate", `{"account": "`+account+`"}`))
	}
	if r := activate(tenant.Admin).want(200); r.body["activated"] != 1.0 {
		t.Errorf("activated: %s", r.raw)
	}
	w.do("GET", "/policies/defaultAppManagementPolicy", nil).want(403) // the token is from before
	w.token = w.byDevice(gct, everything)["access_token"].(string)
	if !strings.Contains(roles(), catalog.RoleGlobalAdministrator) {
		t.Errorf("the role is not active: %s", roles())
	}
	w.do("GET", "/policies/defaultAppManagementPolicy", nil).want(200)
	if r := activate(tenant.Admin).want(200); r.body["activated"] != 0.0 {
		t.Errorf("activated again: %s", r.raw)
	}
	if r := activate("megan@contoso.onmicrosoft.com").want(200); r.body["activated"] != 0.0 {
		t.Errorf("somebody else: %s", r.raw)
	}
	activate("nobody@contoso.onmicrosoft.com").want(400)
}

// An app that signs in by itself reads what it was given, and is nobody.
func TestReaderApp(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "reader-app"})
	id, secret := w.cloud.AppCredentials()
	token := func(scope string) reply {
		return w.form(w.cloud.Tenant().ID, "token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret, "scope", scope)
	}
	got := token("https://graph.microsoft.com/.default openid offline_access profile").want(200).body
	if c := claims(t, got["access_token"]); strings.Join(texts(c["roles"]), " ") != "Application.Read.All Directory.Read.All Policy.Read.All" || c["idtyp"] != "app" || c["sid"] != nil {
		t.Errorf("token: %v", c)
	}
	w.token = got["access_token"].(string)
	for _, path := range []string{
		"/organization", "/applications", "/servicePrincipals", "/oauth2PermissionGrants", "/users", "/domains", "/subscribedSkus",
		"/roleManagement/directory/roleDefinitions", "/policies/defaultAppManagementPolicy", "/policies/authorizationPolicy",
		"/servicePrincipals(appId='" + catalog.GraphAppID + "')",
	} {
		w.do("GET", path, nil).want(200)
	}
	for _, path := range []string{"/me", "/me?$select=id", "/me/memberOf", "/me/transitiveMemberOf/microsoft.graph.group"} {
		w.do("GET", path, nil).fails(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
	}
	w.do("POST", "/applications", map[string]any{"displayName": "x"}).fails(403, "Authorization_RequestDenied", "")
	if id, secret := start(t, sandbox.Options{}).cloud.AppCredentials(); id != "" || secret != "" {
		t.Errorf("credentials in a world without: %s", id)
	}
}

// A tenant of another cloud is found everywhere and signs in at home only.
func TestGCCHigh(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "gcc-high", Approve: sandbox.ApproveNow})
	tenant := w.cloud.Tenant()
	if tenant.DefaultDomain != "contoso.onmicrosoft.us" || tenant.Admin != "admin@contoso.onmicrosoft.us" {
		t.Errorf("tenant: %+v", tenant)
	}
	for _, name := range []string{tenant.ID, "contoso.onmicrosoft.us", "contoso.com"} {
		for _, host := range []string{"login.microsoftonline.com", "login.microsoftonline.us"} {
			r := w.send(w.request("GET", "https://"+host+"/"+name+"/v2.0/.well-known/openid-configuration", nil)).want(200)
			for key, want := range map[string]any{
				"tenant_region_scope": "USGov", "tenant_region_sub_scope": "DODCON", "cloud_instance_name": "microsoftonline.us", "msgraph_host": "graph.microsoft.us",
				"issuer": "https://login.microsoftonline.us/" + tenant.ID + "/v2.0", "token_endpoint": "https://login.microsoftonline.us/" + tenant.ID + "/oauth2/v2.0/token",
			} {
				if r.body[key] != want {
					t.Errorf("%s at %s: %s: got %v, want %v", name, host, key, r.body[key], want)
				}
			}
		}
	}
	w.form(tenant.ID, "devicecode", "client_id", gct, "scope", "User.Read").aadsts("invalid_request", 90038)
	w.form(tenant.ID, "token", "grant_type", "refresh_token", "client_id", gct, "refresh_token", "x").aadsts("invalid_request", 90038)
	w.form(tenant.ID, "token", "grant_type", "client_credentials", "client_id", gct, "client_secret", "x").aadsts("invalid_request", 900382)
	w.browse(signInPage(tenant.ID, gct)).shows("(AADSTS90038)")
	w.browse(signInPage("organizations", gct)).shows("(AADSTS90038)")
	code := w.form("organizations", "devicecode", "client_id", gct, "scope", "User.Read").want(200).body["device_code"].(string)
	w.form("organizations", "token", "grant_type", "device_code", "client_id", gct, "device_code", code).aadsts("authorization_pending", 70016)

	home := func(endpoint, body string) reply {
		return w.send(w.request("POST", "https://login.microsoftonline.us/"+tenant.ID+"/oauth2/v2.0/"+endpoint, body, "Content-Type", "application/x-www-form-urlencoded"))
	}
	signIn := func(scope string) string {
		code := home("devicecode", "client_id="+gct+"&scope="+scope).want(200).body["device_code"].(string)
		return home("token", "grant_type=device_code&client_id="+gct+"&device_code="+code).want(200).body["access_token"].(string)
	}
	w.token = signIn("https://graph.microsoft.us/User.Read")
	w.do("GET", "https://graph.microsoft.us/v1.0/me", nil).want(200)
	w.token = signIn("https://graph.microsoft.com/User.Read")
	w.do("GET", "/me", nil).fails(401, "InvalidAuthenticationToken", "InvalidCloudInstance")

	happy := start(t, sandbox.Options{})
	r := happy.send(happy.request("GET", "https://login.microsoftonline.com/contoso.com/v2.0/.well-known/openid-configuration", nil)).want(200)
	if _, has := r.body["tenant_region_sub_scope"]; has || r.body["tenant_region_scope"] != "NA" {
		t.Errorf("global: %s", r.raw)
	}
}
