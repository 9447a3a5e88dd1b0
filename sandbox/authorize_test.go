package sandbox_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const (
	loopback = "http://localhost:51234"
	verifier = "0123456789abcdefghijklmnopqrstuvwxyz-._~ABCDEFG"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// signInPage is the address a client sends a browser to; pairs replace what is
// asked for by default, "" leaves it out.
func signInPage(tenant, client string, pairs ...string) string {
	q := url.Values{
		"client_id": {client}, "response_type": {"code"}, "redirect_uri": {loopback}, "scope": {everything}, "state": {"a & b"},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return "https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/authorize?" + q.Encode()
}

// browse opens a page, or sends its form; it does not follow where it leads.
func (w *world) browse(page string, form ...string) reply {
	w.t.Helper()
	method, body := http.MethodGet, any(nil)
	if len(form) > 0 {
		v := url.Values{}
		for i := 0; i < len(form); i += 2 {
			v.Set(form[i], form[i+1])
		}
		method, body = http.MethodPost, v.Encode()
	}
	req := w.request(method, page, body)
	req.Header.Del("Authorization")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	browser := *w
	client := *w.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	browser.client = &client
	return browser.send(req)
}

// redirected reads the answer an app gets by an address.
func (r reply) redirected() url.Values {
	r.t.Helper()
	to, err := url.Parse(r.want(302).header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), loopback+"?") {
		r.t.Fatalf("%s: led to %q, %v", r.what, to, err)
	}
	return to.Query()
}

var (
	formField  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
)

// posted reads the answer an app gets by a form that sends itself.
func (r reply) posted() (to string, fields url.Values) {
	r.t.Helper()
	action := formAction.FindStringSubmatch(r.want(200).raw)
	if action == nil || !strings.Contains(r.raw, "document.forms[0].submit()") {
		r.t.Fatalf("%s: no form that sends itself: %s", r.what, r.raw)
	}
	fields = url.Values{}
	for _, f := range formField.FindAllStringSubmatch(r.raw, -1) {
		fields.Set(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return html.UnescapeString(action[1]), fields
}

// redeem comes for the tokens; pairs replace what is sent by default.
func (w *world) redeem(tenant, client, code string, pairs ...string) reply {
	w.t.Helper()
	all := append([]string{
		"grant_type", "authorization_code", "client_id", client, "code", code, "redirect_uri", loopback, "code_verifier", verifier,
	}, pairs...)
	return w.form(tenant, "token", all...)
}

// byBrowser is a whole sign-in with a browser that succeeds.
func (w *world) byBrowser(client, scope string, pairs ...string) map[string]any {
	w.t.Helper()
	tenant := w.cloud.Tenant().ID
	code := w.browse(signInPage(tenant, client, append([]string{"scope", scope}, pairs...)...)).redirected().Get("code")
	return w.redeem(tenant, client, code).want(200).body
}

func TestAuthorizationCode(t *testing.T) {
	w := start(t, sandbox.Options{})
	tenant := w.cloud.Tenant()
	sent := w.browse(signInPage("organizations", gct, "nonce", "n-1", "client_info", "1")).redirected()
	if sent.Get("state") != "a & b" || sent.Get("session_state") == "" || sent.Get("client_info") == "" || sent.Get("error") != "" {
		t.Errorf("answer: %v", sent)
	}
	code := sent.Get("code")
	ask := func(pairs ...string) reply { return w.redeem("organizations", gct, code, pairs...) }

	// Nothing of this spends the code.
	ask("code", "").aadsts("invalid_request", 900144)
	ask("redirect_uri", "").aadsts("invalid_request", 900144)
	ask("code", "made up").aadsts("invalid_grant", 9002313)
	ask("client_id", azureCLI).aadsts("invalid_grant", 70000)
	w.redeem("fabrikam.com", gct, code).aadsts("invalid_grant", 700005)
	if r := ask("redirect_uri", "http://localhost:51235").aadsts("invalid_client", 500112); r.status != 401 {
		t.Errorf("status: got %d", r.status)
	}
	ask("code_verifier", "").aadsts("invalid_grant", 50148)
	ask("code_verifier", verifier+"x").aadsts("invalid_grant", 501481)
	ask("code_verifier", challengeOf(verifier)).aadsts("invalid_grant", 501481)
	ask("client_secret", "x").aadsts("invalid_client", 700025)
	ask("scope", "No.Such.Scope").aadsts("invalid_scope", 70011)
	ask("scope", "Mail.Read").aadsts("invalid_grant", 65001)
	ask("claims", "nonsense").aadsts("invalid_request", 90023)

	got := ask().want(200).body
	c, id := claims(t, got["access_token"]), claims(t, got["id_token"])
	for key, want := range map[string]any{"tid": tenant.ID, "upn": tenant.Admin, "appid": gct, "appidacr": "0", "idtyp": "user"} {
		if c[key] != want {
			t.Errorf("claim %s: got %v, want %v", key, c[key], want)
		}
	}
	if id["nonce"] != "n-1" || c["sid"] != sent.Get("session_state") || strings.Join(texts(c["amr"]), " ") != "pwd mfa" {
		t.Errorf("id token %v, access token %v", id, c)
	}
	ask().aadsts("invalid_grant", 54005)
	w.token = got["access_token"].(string)
	w.do("GET", "/me", nil).want(200)
	w.form(tenant.ID, "token", "grant_type", "refresh_token", "client_id", gct, "refresh_token", got["refresh_token"].(string), "scope", "User.Read").want(200)

	code = w.browse(signInPage(tenant.ID, gct)).redirected().Get("code")
	w.cloud.Advance(10 * time.Minute)
	w.redeem(tenant.ID, gct, code).aadsts("invalid_grant", 70008)
	// A code that was asked for without naming the tenant can be redeemed at it.
	w.redeem(tenant.ID, gct, w.browse(signInPage("organizations", gct)).redirected().Get("code")).want(200)
	plain := w.browse(signInPage(tenant.ID, gct, "code_challenge", verifier, "code_challenge_method", "plain")).redirected().Get("code")
	w.redeem(tenant.ID, gct, plain).want(200)
}

func TestAuthorizeAnswerModes(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	tenant := w.cloud.Tenant().ID
	page := w.browse(signInPage(tenant, gct, "response_mode", "form_post", "state", `"><script>alert(1)</script>`))
	to, fields := page.posted()
	if to != loopback || fields.Get("state") != `"><script>alert(1)</script>` || !strings.Contains(page.raw, `<button type="submit">`) {
		t.Errorf("form to %s: %v\n%s", to, fields, page.raw)
	}
	if strings.Contains(page.raw, "<script>alert") {
		t.Errorf("not escaped: %s", page.raw)
	}
	nonce := regexp.MustCompile(`<script nonce="([^"]{22})">`).FindStringSubmatch(page.raw)
	policy := page.header.Get("Content-Security-Policy")
	if nonce == nil || !strings.Contains(policy, "script-src 'nonce-"+nonce[1]+"'") || !strings.Contains(policy, "form-action 'self' "+loopback+";") {
		t.Errorf("policy %q for %v", policy, nonce)
	}
	w.redeem(tenant, gct, fields.Get("code")).want(200)

	r := w.browse(signInPage(tenant, gct, "response_mode", "fragment"))
	if at := r.want(302).header.Get("Location"); !strings.HasPrefix(at, loopback+"#") || !strings.Contains(at, "code=") {
		t.Errorf("fragment: %s", at)
	}
	// An error comes back the same way.
	_, fields = w.browse(signInPage(tenant, gct, "response_mode", "form_post", "scope", "No.Such.Scope")).posted()
	if fields.Get("error") != "invalid_scope" || fields.Get("state") != "a & b" || fields.Get("code") != "" {
		t.Errorf("error by form: %v", fields)
	}
}

// What is wrong with the client or its address is shown and goes nowhere.
func TestAuthorizeMistakesOnThePage(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "same-name", Approve: sandbox.ApproveNow})
	tenant := w.cloud.Tenant().ID
	foreign := w.cloud.Digest().Tenants["Contoso"].Applications[0]
	if foreign.Name != "Rewst Integration" {
		t.Fatalf("apps: %+v", foreign)
	}
	for name, at := range map[string]struct {
		page string
		code string
	}{
		"no client":         {signInPage(tenant, ""), "900144"},
		"unknown client":    {signInPage(tenant, "11111111-1111-4111-8111-111111111111"), "700016"},
		"no id":             {signInPage(tenant, "nonsense"), "700038"},
		"unknown tenant":    {signInPage("nosuchtenant.com", gct), "90002"},
		"no address":        {signInPage(tenant, gct, "redirect_uri", ""), "900971"},
		"another address":   {signInPage(tenant, gct, "redirect_uri", "https://contoso.com/back"), "50011"},
		"another path":      {signInPage(tenant, gct, "redirect_uri", "http://localhost:51234/back"), "50011"},
		"another name":      {signInPage(tenant, gct, "redirect_uri", "http://127.0.0.1:51234"), "50011"},
		"https":             {signInPage(tenant, gct, "redirect_uri", "https://localhost:51234"), "50011"},
		"with a name in it": {signInPage(tenant, gct, "redirect_uri", "http://localhost@contoso.com"), "50011"},
		"fragment":          {signInPage(tenant, gct, "redirect_uri", loopback+"/#x"), "50011"},
		"script":            {signInPage(tenant, gct, "redirect_uri", "javascript:alert(1)"), "50011"},
		"not a resource":    {signInPage(tenant, catalog.GraphAppID), "700016"},
	} {
		r := w.browse(at.page)
		if r.status != 200 || !strings.Contains(r.raw, "(AADSTS"+at.code+")") || strings.Contains(r.raw, "<form") || r.header.Get("Location") != "" {
			t.Errorf("%s: got %d %s, want AADSTS%s without a form", name, r.status, r.raw, at.code)
		}
	}
	if r := w.send(w.request("DELETE", signInPage(tenant, gct), nil)); !strings.Contains(r.raw, "(AADSTS900561)") {
		t.Errorf("DELETE: %s", r.raw)
	}
}

// What is wrong with the rest is the app's business.
func TestAuthorizeMistakesToldToTheApp(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	for name, at := range map[string]struct {
		change []string
		error  string
		code   string
	}{
		"no kind":          {[]string{"response_type", ""}, "invalid_request", "900144"},
		"implicit":         {[]string{"response_type", "token"}, "unsupported_response_type", "700051"},
		"unknown kind":     {[]string{"response_type", "magic"}, "unsupported_response_type", "70005"},
		"unknown mode":     {[]string{"response_mode", "pigeon"}, "invalid_request", "70007"},
		"no proof key":     {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request", "9002325"},
		"method only":      {[]string{"code_challenge", ""}, "invalid_request", "501491"},
		"short proof key":  {[]string{"code_challenge", "short"}, "invalid_request", "501491"},
		"unknown method":   {[]string{"code_challenge_method", "S512"}, "invalid_request", "50149"},
		"no scope":         {[]string{"scope", ""}, "invalid_request", "900144"},
		"unknown scope":    {[]string{"scope", "No.Such.Scope"}, "invalid_scope", "70011"},
		"claims":           {[]string{"claims", "{"}, "invalid_request", "90023"},
		"prompt":           {[]string{"prompt", "please"}, "invalid_request", "90023"},
		"silent":           {[]string{"prompt", "none"}, "login_required", "50058"},
		"silent with hint": {[]string{"prompt", "none", "login_hint", w.cloud.Tenant().Admin}, "login_required", "50058"},
	} {
		q := w.browse(signInPage("organizations", gct, at.change...)).redirected()
		if q.Get("error") != at.error || !strings.HasPrefix(q.Get("error_description"), "AADSTS"+at.code+": ") || q.Get("state") != "a & b" || q.Get("code") != "" ||
			q.Get("error_uri") != "https://login.microsoftonline.com/error?code="+at.code {
			t.Errorf("%s: got %v, want %s AADSTS%s", name, q, at.error, at.code)
		}
	}
	for _, prompt := range []string{"login", "select_account", "consent"} {
		if q := w.browse(signInPage("organizations", gct, "prompt", prompt)).redirected(); q.Get("code") == "" {
			t.Errorf("prompt %s: %v", prompt, q)
		}
	}
	r := w.browse(signInPage("organizations", gct, "response_type", "code id_token", "nonce", "n"))
	if at := r.want(302).header.Get("Location"); !strings.HasPrefix(at, loopback+"#") || !strings.Contains(at, "AADSTS700054") {
		t.Errorf("ID token asked of an app without: %s", at)
	}
}

// The address an app comes back to decides whether it has to show its secret.
func TestAppsOfATenantComeBack(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	tenant := w.cloud.Tenant().ID
	const web = "https://automation.fabrikam.com/callback?x=1"
	id, appID := w.app(map[string]any{"isFallbackPublicClient": false})
	if r := w.browse(signInPage(tenant, appID, "redirect_uri", "")); !strings.Contains(r.raw, "(AADSTS500113)") {
		t.Errorf("no address registered: %s", r.raw)
	}
	w.do("PATCH", "/applications/"+id, map[string]any{
		"web": map[string]any{"redirectUris": []string{web}}, "publicClient": map[string]any{"redirectUris": []string{"http://localhost/back", "http://127.0.0.1:8400"}},
	}).want(204)
	secret := w.do("POST", "/applications/"+id+"/addPassword", map[string]any{}).want(200).body["secretText"].(string)
	page := func(redirect string, pairs ...string) reply {
		return w.browse(signInPage(tenant, appID, append([]string{"redirect_uri", redirect, "scope", "User.Read openid offline_access"}, pairs...)...))
	}
	for _, other := range []string{"https://automation.fabrikam.com/callback", "https://automation.fabrikam.com/CALLBACK?x=1", "http://localhost:1234", "http://127.0.0.1:8401"} {
		if r := page(other); !strings.Contains(r.raw, "(AADSTS50011)") {
			t.Errorf("%s: got %d %s", other, r.status, r.raw)
		}
	}
	for _, own := range []string{"http://localhost:1234/back", "http://localhost/back/", "http://127.0.0.1:8400"} {
		page(own).want(302)
	}

	back, err := url.Parse(page(web).want(302).header.Get("Location"))
	if err != nil || back.Query().Get("x") != "1" || back.Query().Get("code") == "" {
		t.Fatalf("came back to %v, %v", back, err)
	}
	ask := func(pairs ...string) reply {
		return w.redeem(tenant, appID, back.Query().Get("code"), append([]string{"redirect_uri", web}, pairs...)...)
	}
	ask().aadsts("invalid_client", 7000218)
	ask("client_secret", "wrong").aadsts("invalid_client", 7000215)
	got := ask("client_secret", secret).want(200).body
	if c := claims(t, got["access_token"]); c["appidacr"] != "1" {
		t.Errorf("appidacr: %v", c["appidacr"])
	}
	refresh := func(pairs ...string) reply {
		return w.form(tenant, "token", append([]string{"grant_type", "refresh_token", "client_id", appID, "refresh_token", got["refresh_token"].(string), "scope", "User.Read"}, pairs...)...)
	}
	refresh().aadsts("invalid_client", 7000218)
	refresh("client_secret", secret).want(200)
	// The same app as a public client: no secret, and a proof key.
	public, err := url.Parse(page("http://localhost:1234/back").want(302).header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	code := public.Query().Get("code")
	w.redeem(tenant, appID, code, "redirect_uri", "http://localhost:1234/back", "client_secret", secret).aadsts("invalid_client", 700025)
	got = w.redeem(tenant, appID, code, "redirect_uri", "http://localhost:1234/back").want(200).body
	refresh().want(200)
	// With a secret the proof key may be missing, but then none is taken either.
	bare, err := url.Parse(page(web, "code_challenge", "", "code_challenge_method", "").want(302).header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	w.redeem(tenant, appID, bare.Query().Get("code"), "redirect_uri", web, "client_secret", secret).aadsts("invalid_grant", 501481)
	w.redeem(tenant, appID, bare.Query().Get("code"), "redirect_uri", web, "client_secret", secret, "code_verifier", "").want(200)

	hybrid := func(pairs ...string) url.Values {
		t.Helper()
		to, fields := page(web, append([]string{"response_type", "code id_token", "response_mode", "form_post", "nonce", "n-2"}, pairs...)...).posted()
		if to != web {
			t.Errorf("form to %s", to)
		}
		return fields
	}
	if f := hybrid(); f.Get("error") != "unsupported_response_type" || !strings.Contains(f.Get("error_description"), "AADSTS700054: ") {
		t.Errorf("ID token before it is enabled: %v", f)
	}
	w.do("PATCH", "/applications/"+id, map[string]any{"web": map[string]any{"redirectUris": []string{web}, "implicitGrantSettings": map[string]any{"enableIdTokenIssuance": true}}}).want(204)
	f := hybrid()
	if c := claims(t, f.Get("id_token")); c["nonce"] != "n-2" || c["aud"] != appID || f.Get("code") == "" {
		t.Errorf("hybrid: %v", f)
	}
	if f := hybrid("nonce", ""); !strings.Contains(f.Get("error_description"), "'nonce'") {
		t.Errorf("without a nonce: %v", f)
	}
	if at := page(web, "response_type", "id_token code", "nonce", "n", "response_mode", "query").want(302).header.Get("Location"); !strings.Contains(at, "AADSTS70007") {
		t.Errorf("ID token in a query: %s", at)
	}
}

func TestSignInPage(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	tenant := w.cloud.Tenant()
	page := signInPage(tenant.ID, gct, "scope", "openid offline_access Domain.Read.All")
	r := w.browse(page)
	for _, part := range []string{`value="` + tenant.Admin + `"`, "<li>Domain.Read.All</li>", "Microsoft Graph Command Line Tools", `name="answer" value="decline"`} {
		r.shows(part)
	}
	if strings.Contains(r.raw, "<script") || strings.Contains(r.raw, "user_code") {
		t.Errorf("page: %s", r.raw)
	}
	if policy := r.header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' "+loopback) {
		t.Errorf("browsers would not follow the form: %s", policy)
	}
	w.browse(page + "&login_hint=megan%40contoso.onmicrosoft.com").shows(`value="megan@contoso.onmicrosoft.com"`)
	w.browse(page + "&login_hint=nobody%40contoso.onmicrosoft.com").shows(`value="` + tenant.Admin + `"`)

	w.browse(page, "answer", "continue", "account", "nobody@contoso.onmicrosoft.com").shows("AADSTS50034")
	w.browse(page, "answer", "continue", "account", "admin@fabrikam.onmicrosoft.com").shows("AADSTS50020")
	w.browse(page, "answer", "continue", "account", "megan@contoso.onmicrosoft.com").shows("AADSTS90094")
	if r := w.browse(page, "answer", "continue", "account", `"><script>alert(1)</script>`); strings.Contains(r.raw, "<script") {
		t.Errorf("not escaped: %s", r.raw)
	}
	// Declining the consent is told to the app; there is none to decline with a
	// client that has it everywhere, and then the sign-in is given up.
	q := w.browse(page, "answer", "decline").redirected()
	if q.Get("error") != "consent_required" || !strings.HasPrefix(q.Get("error_description"), "AADSTS65004: ") || q.Get("state") != "a & b" {
		t.Errorf("declined: %v", q)
	}
	cli := signInPage("organizations", azureCLI, "scope", "https://management.azure.com/.default")
	if q := w.browse(cli, "answer", "decline").redirected(); q.Get("error") != "access_denied" || q.Get("error_subcode") != "cancel" || q.Has("error_description") {
		t.Errorf("given up: %v", q)
	}
	w.browse(signInPage(tenant.ID, gct, "scope", "https://management.azure.com/user_impersonation"), "answer", "continue").shows("AADSTS65002")

	q = w.browse(page, "answer", "continue", "account", tenant.Admin, "everybody", "yes").redirected()
	got := w.redeem(tenant.ID, gct, q.Get("code")).want(200).body
	if g := w.cloud.Digest().Tenants["Contoso"].Clients[0].Delegated[0]; g.ConsentType != "AllPrincipals" {
		t.Errorf("grant: %+v", g)
	}
	if c := claims(t, got["access_token"]); c["upn"] != tenant.Admin {
		t.Errorf("signed in as %v", c["upn"])
	}
	// The account of another tenant is good for that one.
	q = w.browse(cli, "answer", "continue", "account", "admin@fabrikam.onmicrosoft.com").redirected()
	if c := claims(t, w.redeem("organizations", azureCLI, q.Get("code")).want(200).body["access_token"]); c["tid"] == tenant.ID {
		t.Errorf("tenant: %v", c["tid"])
	}
}

func TestPeopleAtTheBrowser(t *testing.T) {
	for scenario, want := range map[string]string{"declined": "consent_required", "no-role": "access_denied", "guest": "access_denied"} {
		w := start(t, sandbox.Options{Scenario: scenario})
		if q := w.browse(signInPage(w.cloud.Tenant().ID, gct)).redirected(); q.Get("error") != want || q.Get("state") != "a & b" {
			t.Errorf("%s: got %v, want %s", scenario, q, want)
		}
	}
	w := start(t, sandbox.Options{Scenario: "wrong-tenant"})
	w.browse(signInPage(w.cloud.Tenant().ID, gct)).shows("AADSTS50020")
	code := w.browse(signInPage("organizations", azureCLI, "scope", "openid https://graph.microsoft.com/.default")).redirected().Get("code")
	if c := claims(t, w.redeem("organizations", azureCLI, code).want(200).body["access_token"]); c["upn"] != "admin@fabrikam.onmicrosoft.com" {
		t.Errorf("signed in as %v", c["upn"])
	}
}

// A page on this machine stands in for the sign-in hosts where names cannot be
// redirected.
func TestServePagesOfClients(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	address, stop, err := w.cloud.ServePages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	page := strings.Replace(signInPage("organizations", gct), "https:/", strings.TrimSuffix(address, "/devicelogin"), 1)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	shown, err := client.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	_ = shown.Body.Close()
	if shown.StatusCode != 200 || shown.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("%s: %d %v", page, shown.StatusCode, shown.Header)
	}
	sent, err := client.PostForm(page, url.Values{"answer": {"continue"}, "account": {w.cloud.Tenant().Admin}})
	if err != nil {
		t.Fatal(err)
	}
	_ = sent.Body.Close()
	to, err := url.Parse(sent.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("led to %v, %v", to, err)
	}
	w.redeem("organizations", gct, to.Query().Get("code")).want(200)
	token, err := client.Get(strings.TrimSuffix(address, "/devicelogin") + "/login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	_ = token.Body.Close()
	if token.StatusCode != 404 {
		t.Errorf("only pages for people are served here: got %d", token.StatusCode)
	}
}

// People may take their time at the page; the app has ten minutes from then on.
func TestManualPageThenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
		tenant := w.cloud.Tenant().ID
		page := signInPage(tenant, gct)
		time.Sleep(time.Hour) // the page itself does not expire
		code := w.browse(page, "answer", "continue").redirected().Get("code")
		time.Sleep(10*time.Minute - time.Second)
		w.redeem(tenant, gct, code).want(200)
	})
}
