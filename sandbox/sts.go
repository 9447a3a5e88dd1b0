package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
)

// loginAliases are other names of the global cloud's sign-in host.
var loginAliases = []string{"login.windows.net", "login.microsoft.com", "sts.windows.net"}

// isLogin tells whether a host is a token service of any cloud.
func isLogin(host string) bool {
	if slices.Contains(loginAliases, host) {
		return true
	}
	return slices.ContainsFunc(catalog.Clouds(), func(c catalog.Cloud) bool { return c.Login == host })
}

// cloudOfLogin is the cloud a sign-in host belongs to; it decides which Graph a
// bare scope means.
func cloudOfLogin(host string) catalog.Cloud {
	for _, c := range catalog.Clouds() {
		if c.Login == host {
			return c
		}
	}
	return catalog.Clouds()[0]
}

// authority is the tenant part of a token service path: a tenant, or several.
type authority struct {
	host    string
	segment string
	tenant  *tenant // nil for organizations and common
}

// tokenService answers a request to a sign-in host. The caller holds mu.
func (c *Cloud) tokenService(r *http.Request, host string, body []byte) *answer {
	segment, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	correlation := r.Header.Get("Client-Request-Id")
	if !isGUID(correlation) {
		correlation = c.guid()
	}
	a, err := c.authority(host, segment)
	switch rest {
	case "discovery/instance":
		return instanceDiscovery(host)
	case authorizePath:
		return c.signInPage(r, a, err, body)
	}
	var reply *answer
	if err == nil {
		reply, err = c.tokenEndpoint(r, a, rest, body)
	}
	if err != nil {
		reply = err.answer(c, correlation)
	}
	if reply.header == nil {
		reply.header = map[string]string{}
	}
	reply.header["Cache-Control"] = "no-store, no-cache"
	reply.header["x-ms-request-id"] = c.guid()
	if rest == "oauth2/v2.0/token" || rest == "oauth2/v2.0/devicecode" {
		reply.header["client-request-id"] = correlation
	}
	return reply
}

func (c *Cloud) tokenEndpoint(r *http.Request, a authority, path string, body []byte) (*answer, *stsError) {
	method := http.MethodPost
	if strings.Contains(path, "discovery") || strings.Contains(path, ".well-known") {
		method = http.MethodGet
	}
	if r.Method != method {
		return nil, refuse("invalid_request", 900561, "The endpoint only accepts %s requests. Received a %s request.", method, r.Method)
	}
	form, err := url.ParseQuery(string(body))
	if method == http.MethodPost && err != nil {
		return nil, refuse("invalid_request", 9002313, "Invalid request. Request is malformed or invalid.")
	}
	switch path {
	case "v2.0/.well-known/openid-configuration":
		return a.configuration(), nil
	case "discovery/v2.0/keys":
		return &answer{status: http.StatusOK, body: object{"keys": []any{}}}, nil
	}
	if a.tenant != nil && a.tenant.abroad(a.host) {
		if form.Has("client_secret") || form.Has("client_assertion") {
			return nil, refuse("invalid_request", 900382, "Confidential Client is not supported in Cross Cloud request.")
		}
		return nil, a.tenant.elsewhere(a.host)
	}
	switch path {
	case "oauth2/v2.0/devicecode":
		return c.startDeviceCode(a, form)
	case "oauth2/v2.0/token":
		return c.token(a, form)
	}
	return &answer{status: http.StatusNotFound, header: map[string]string{"Content-Type": "text/html"}, body: []byte("<!doctype html><title>Not found</title><p>AADSTS90002: There is nothing at this address.")}, nil
}

// authority reads the first segment of a path.
func (c *Cloud) authority(host, segment string) (authority, *stsError) {
	a := authority{host: host, segment: strings.ToLower(segment)}
	if a.segment == "organizations" || a.segment == "common" {
		return a, nil
	}
	if a.tenant = c.tenantNamed(a.segment); a.tenant != nil {
		return a, nil
	}
	if !isGUID(a.segment) && !strings.Contains(a.segment, ".") {
		return a, refuse("invalid_request", 900023, "Specified tenant identifier '%s' is neither a valid DNS name, nor a valid external domain.", segment)
	}
	return a, refuse("invalid_tenant", 90002, "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", segment)
}

// abroad tells whether a tenant lives in another cloud than a sign-in host
// serves. One without a cloud lives in all of them.
func (t *tenant) abroad(host string) bool {
	return t.cloud.ID != "" && t.cloud.Login != cloudOfLogin(host).Login
}

// elsewhere sends people of another cloud away.
func (t *tenant) elsewhere(host string) *stsError {
	return refuse("invalid_request", 90038, "The specified tenant '%s' belongs to the National Cloud '%s'. Current cloud instance '%s' does not federate with it.",
		t.id, instanceName(t.cloud), instanceName(cloudOfLogin(host)))
}

func instanceName(c catalog.Cloud) string { return strings.TrimPrefix(c.Login, "login.") }

// regions are the scope and the sub-scope of tenants of a cloud.
// https://learn.microsoft.com/azure/azure-government/documentation-government-plan-identity
var regions = map[string][2]any{
	"global": {"NA", nil}, "usgov": {"USGov", "DODCON"}, "usgovdod": {"USGov", "DOD"}, "china": {"AS", nil},
}

// configuration is the OpenID metadata of an authority. For a tenant of another
// cloud it leads to that one.
// https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
func (a authority) configuration() *answer {
	cloud, host, name, issuer := cloudOfLogin(a.host), a.host, a.segment, "{tenantid}"
	region := [2]any{}
	if t := a.tenant; t != nil {
		name, issuer = t.id, t.id
		if t.abroad(a.host) {
			host = t.cloud.Login
		}
		if t.cloud.ID != "" {
			cloud = t.cloud
		}
		region = regions[cloud.ID]
	}
	base := "https://" + host + "/" + name
	body := object{
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []any{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"response_modes_supported":              []any{"query", "fragment", "form_post"},
		"subject_types_supported":               []any{"pairwise"},
		"id_token_signing_alg_values_supported": []any{"RS256"},
		"response_types_supported":              []any{"code", "id_token", "code id_token", "id_token token"},
		"scopes_supported":                      []any{"openid", "profile", "email", "offline_access"},
		"issuer":                                "https://" + host + "/" + issuer + "/v2.0",
		"request_uri_parameter_supported":       false,
		"userinfo_endpoint":                     "https://" + cloud.Graph + "/oidc/userinfo",
		"authorization_endpoint":                base + "/" + authorizePath,
		"device_authorization_endpoint":         base + "/oauth2/v2.0/devicecode",
		"http_logout_supported":                 true,
		"end_session_endpoint":                  base + "/oauth2/v2.0/logout",
		"tenant_region_scope":                   region[0],
		"cloud_instance_name":                   instanceName(cloud),
		"msgraph_host":                          cloud.Graph,
	}
	if region[1] != nil {
		body["tenant_region_sub_scope"] = region[1]
	}
	return &answer{status: http.StatusOK, body: body}
}

// instanceDiscovery lists the hosts that are one and the same. A client that
// does not find its own host there cannot use its cache.
func instanceDiscovery(host string) *answer {
	metadata := []any{object{
		"preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net",
		"aliases": append([]any{"login.microsoftonline.com"}, anys(loginAliases)...),
	}}
	seen := map[string]bool{"login.microsoftonline.com": true}
	for _, c := range catalog.Clouds() {
		if !seen[c.Login] {
			seen[c.Login] = true
			metadata = append(metadata, object{"preferred_network": c.Login, "preferred_cache": c.Login, "aliases": []any{c.Login}})
		}
	}
	return &answer{status: http.StatusOK, body: object{
		"tenant_discovery_endpoint": "https://" + host + "/common/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1", "metadata": metadata,
	}}
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// token answers the token endpoint.
func (c *Cloud) token(a authority, form url.Values) (*answer, *stsError) {
	for _, needed := range []string{"client_id", "grant_type"} {
		if form.Get(needed) == "" {
			return nil, refuse("invalid_request", 900144, "The request body must contain the following parameter: '%s'.", needed)
		}
	}
	client, err := c.client(a, form.Get("client_id"))
	if err != nil {
		return nil, err
	}
	switch grant := form.Get("grant_type"); grant {
	case "authorization_code":
		return c.redeemCode(a, client, form)
	case "device_code", "urn:ietf:params:oauth:grant-type:device_code":
		return c.redeemDeviceCode(a, client, form)
	case "refresh_token":
		return c.redeemRefreshToken(a, client, form)
	case "client_credentials":
		return c.redeemSecret(a, client, form)
	default:
		return nil, refuse("unsupported_grant_type", 70003, "The app requested an unsupported grant type '%s'.", grant)
	}
}

// client is an app that asks for tokens: one of the world's, or one registered
// in a tenant.
type client struct {
	id    string
	name  string
	known *knownApp
	app   *entity
	home  *tenant // where app is registered
}

// client finds the app an authority may sign people into.
func (c *Cloud) client(a authority, id string) (client, *stsError) {
	if !isGUID(id) {
		return client{}, refuse("unauthorized_client", 700038, "%s is not a valid application identifier.", id)
	}
	if known := c.order[0].known[strings.ToLower(id)]; known != nil && known.preauthorized != nil {
		return client{id: known.appID, name: known.name, known: known}, nil
	}
	for _, t := range c.order {
		app := t.applicationOf(c.look(), id)
		if app == nil {
			continue
		}
		data := app.read(c.master())
		found := client{id: str(data, "appId"), name: str(data, "displayName"), app: app, home: t}
		switch audience := str(data, "signInAudience"); {
		case a.tenant == t, audience != "AzureADMyOrg" && a.tenant == nil:
			return found, nil
		case a.tenant == nil:
			return client{}, refuse("invalid_request", 50194, "Application '%s'(%s) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.", id, found.name)
		case audience != "AzureADMyOrg":
			return found, nil
		}
	}
	where := a.segment
	if a.tenant != nil {
		where = a.tenant.name
	}
	return client{}, refuse("unauthorized_client", 700016, "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", id, where)
}

// mustBePublic refuses flows for public clients to an app that is none.
func (c *Cloud) mustBePublic(cl client, form url.Values) *stsError {
	return c.authenticate(cl, cl.known != nil || cl.app.read(c.master())["isFallbackPublicClient"] == true, form)
}

// authenticate makes sure that a confidential client sends its secret, and a
// public one none.
func (c *Cloud) authenticate(cl client, public bool, form url.Values) *stsError {
	sent := form.Get("client_secret") != "" || form.Get("client_assertion") != ""
	switch {
	case public && sent:
		return refuse("invalid_client", 700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.")
	case !public && !sent:
		return refuse("invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	case !public:
		return c.checkSecret(cl, form.Get("client_secret"))
	}
	return nil
}

// refreshToken is a person's session with a client. It is good for every
// resource and every tenant that person can enter.
// https://learn.microsoft.com/entra/identity-platform/refresh-tokens
type refreshToken struct {
	session *session
	issued  time.Time
}

func (c *Cloud) redeemRefreshToken(a authority, cl client, form url.Values) (*answer, *stsError) {
	rt := c.refresh[form.Get("refresh_token")]
	switch {
	case form.Get("refresh_token") == "":
		return nil, refuse("invalid_request", 900144, "The request body must contain the following parameter: 'refresh_token'.")
	case rt == nil:
		return nil, refuse("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
	case rt.session.client != cl.id:
		return nil, refuse("invalid_grant", 70000, "Provided grant is invalid or malformed.")
	}
	if err := c.authenticate(cl, rt.session.public, form); err != nil {
		return nil, err
	}
	if c.now().Sub(rt.issued) > 90*24*time.Hour {
		return nil, refuse("invalid_grant", 700082, "The refresh token has expired due to inactivity. The token was issued on %s and was inactive for 90.00:00:00.", stamp(rt.issued))
	}
	s := rt.session
	where, user := s.home, s.user
	person := user.live(c.master())
	switch {
	case person == nil:
		return nil, refuse("invalid_grant", 50034, "The user account does not exist in the %s directory. To sign into this application, the account must be added to the directory.", where.name)
	case person["accountEnabled"] != true:
		return nil, refuse("invalid_grant", 50057, "The user account is disabled.")
	}
	if a.tenant != nil && a.tenant != s.home {
		name := str(person, "userPrincipalName")
		where = a.tenant
		if guest := where.guestNamed(name); guest != nil {
			user = guest
		} else if len(c.delegatedRoles(s.home, user.id, where.id)) == 0 {
			return nil, stranger(cl, name, s.home, where)
		}
	}
	want, err := c.parseScopes(a.host, where, form.Get("scope"))
	if err != nil {
		return nil, err
	}
	can, err := capabilities(form.Get("claims"))
	if err != nil {
		return nil, err
	}
	if err := c.admits(s, where, user, want.api.appID); err != nil {
		return nil, err
	}
	return c.issue(a.host, cl, where, user, want, s, can)
}

// redeemSecret is the client credentials flow.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
func (c *Cloud) redeemSecret(a authority, cl client, form url.Values) (*answer, *stsError) {
	if a.tenant == nil {
		return nil, refuse("invalid_request", 50059, "No tenant-identifying information found in either the request or implied by any provided credentials.")
	}
	if cl.app == nil || form.Get("client_secret") == "" {
		return nil, refuse("invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	}
	if err := c.checkSecret(cl, form.Get("client_secret")); err != nil {
		return nil, err
	}
	want, err := c.parseScopes(a.host, a.tenant, form.Get("scope"))
	if err != nil {
		return nil, err
	}
	if !want.everything {
		return nil, refuse("invalid_scope", 1002012, "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", form.Get("scope"))
	}
	v := c.look()
	principal := a.tenant.principalOf(v, cl.id)
	if principal == nil {
		return nil, refuse("unauthorized_client", 7000229, "The client application %s is missing service principal in the tenant %s. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119", cl.id, a.tenant.id)
	}
	if principal.read(v)["accountEnabled"] == false {
		return nil, disabled(cl)
	}
	resource, err := c.resource(want, a.tenant)
	if err != nil {
		return nil, err
	}
	var roles []string
	for _, e := range a.tenant.assignments(v, principal, resource) {
		if role := a.tenant.roleOf(resource.read(v), e.link.role); role.value != "" && role.id != defaultAccess {
			roles = append(roles, role.value)
		}
	}
	slices.Sort(roles)
	text, life := c.appToken(a.tenant, principal, cl.id, want.audience, roles)
	return &answer{status: http.StatusOK, body: object{
		"token_type": "Bearer", "expires_in": int(life.Seconds()), "ext_expires_in": int(life.Seconds()), "access_token": text,
	}}, nil
}

// checkSecret compares a secret with those of the app. One that was just made
// is not known everywhere.
func (c *Cloud) checkSecret(cl client, secret string) *stsError {
	v := c.look()
	for _, e := range cl.home.all(v, kindPassword) {
		key := e.read(v)
		if str(key, "_app") != cl.app.id || str(key, "_secret") != secret {
			continue
		}
		if end, err := time.Parse(time.RFC3339, str(key, "endDateTime")); err == nil && !c.now().Before(end) {
			return refuse("invalid_client", 7000222, "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", cl.id)
		}
		return nil
	}
	return refuse("invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", cl.id)
}

// disabled is the refusal of an app whose service principal is switched off.
func disabled(cl client) *stsError {
	return refuse("unauthorized_client", 7000112, "Application '%s'(%s) is disabled.", cl.id, cl.name)
}

// resource is the service principal of the API that a token is for. One without a
// subscription behind it is switched off.
func (c *Cloud) resource(want request, t *tenant) (*entity, *stsError) {
	e := t.principalOf(c.master(), want.api.appID)
	switch {
	case e == nil:
		return nil, c.noResource(want, t)
	case e.read(c.master())["accountEnabled"] == false:
		return nil, refuse("invalid_resource", 500014, "The service principal for resource '%s' is disabled. This indicate that a subscription within the tenant has lapsed, or that the administrator for this tenant has disabled the application, preventing tokens from being issued for it.", want.resource)
	}
	return e, nil
}

func (c *Cloud) noResource(want request, t *tenant) *stsError {
	return refuse("invalid_resource", 500011, "The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.", want.resource, t.name)
}

func publishedValue(published any, id string) string {
	entries, _ := published.([]any)
	for _, p := range entries {
		if o := p.(object); strings.EqualFold(str(o, "id"), id) {
			return str(o, "value")
		}
	}
	return ""
}
