package sandbox

import (
	"net/http"
	"slices"
	"strings"

	"msbundle/catalog"
)

// openIDScopes say nothing about an API and go with any resource.
var openIDScopes = []string{"openid", "profile", "email", "offline_access"}

// request is what a client asks of a token: one API and some of its scopes.
type request struct {
	raw        []string // as the client wrote them
	resource   string   // as the client wrote it; "" for a bare scope
	audience   string
	api        *knownApp
	names      []string // without resource and without the OpenID ones
	everything bool     // ".default"
	openID     []string
	nonce      string // comes back in the ID token
}

// parseScopes reads the scope parameter. All scopes must be of one resource.
// https://learn.microsoft.com/entra/identity-platform/scopes-oidc
func (c *Cloud) parseScopes(host string, t *tenant, text string) (request, *stsError) {
	graph := "https://" + cloudOfLogin(host).Graph
	want := request{raw: strings.Fields(text)}
	if len(want.raw) == 0 {
		return want, refuse("invalid_request", 900144, "The request body must contain the following parameter: 'scope'.")
	}
	for _, s := range want.raw {
		if slices.Contains(openIDScopes, strings.ToLower(s)) {
			want.openID = append(want.openID, strings.ToLower(s))
			continue
		}
		resource, name := graph, s
		if i := strings.LastIndex(s, "/"); i >= 0 {
			resource, name = s[:i], s[i+1:]
		}
		resource = strings.TrimSuffix(resource, "/")
		switch {
		case name == "":
			return want, badScope(s)
		case want.resource == "":
			want.resource = resource
		case !strings.EqualFold(want.resource, resource):
			return want, refuse("invalid_request", 700022, "Provided value for the input parameter scope '%s' is not valid. Scopes of more than one resource cannot be requested at once.", text)
		}
		if name == ".default" {
			want.everything = true
			continue
		}
		want.names = append(want.names, name)
	}
	if want.everything && len(want.names) > 0 {
		return want, refuse("invalid_scope", 70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid. .default scope can't be combined with resource-specific scopes.", text)
	}
	if want.resource == "" {
		want.resource = graph
	}
	for _, app := range c.order[0].known {
		if app.answersTo(want.resource) {
			want.api = app
		}
	}
	if want.api == nil {
		if t == nil {
			t = c.order[0]
		}
		return want, c.noResource(want, t)
	}
	want.audience = want.resource
	if want.api.appID == catalog.GraphAppID && isGUID(want.resource) {
		want.audience = graph
	}
	for _, name := range want.names {
		if scopeType(want.api.scopes, name) == "" {
			return want, badScope(name)
		}
	}
	return want, nil
}

func badScope(s string) *stsError {
	return refuse("invalid_scope", 70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", s)
}

// granted lists the delegated scopes a client has for a person at an API.
func (c *Cloud) granted(cl client, t *tenant, user *entity, api *knownApp) []string {
	var names []string
	v := c.master()
	if cl.known != nil {
		names = append(names, cl.known.preauthorized[api.appID]...)
	} else {
		v = c.look()
	}
	principal, resource := t.principalOf(v, cl.id), t.principalOf(c.master(), api.appID)
	if principal != nil && resource != nil {
		for _, e := range t.all(v, kindGrant) {
			g := e.read(v)
			own := g["consentType"] == "AllPrincipals" || str(g, "principalId") == user.id
			if own && str(g, "clientId") == principal.id && str(g, "resourceId") == resource.id {
				names = append(names, strings.Fields(str(g, "scope"))...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lacking lists the scopes a request asks for that are not granted.
func lacking(want request, granted []string) []string {
	var names []string
	for _, n := range want.names {
		if !containsFold(granted, n) {
			names = append(names, n)
		}
	}
	return names
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

// consentRoles may consent to delegated permissions for everybody.
// https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent
var consentRoles = []string{
	catalog.RoleGlobalAdministrator, catalog.RolePrivilegedRoleAdministrator,
	catalog.RoleApplicationAdministrator, catalog.RoleCloudApplicationAdministrator,
}

// consent asks the person at the browser for what is not granted yet. It leaves
// the footprint the service leaves: a service principal and a grant.
func (c *Cloud) consent(cl client, t *tenant, user *entity, want request, everybody bool) *stsError {
	granted := c.granted(cl, t, user, want.api)
	missing := lacking(want, granted)
	if want.everything && len(granted) == 0 && cl.app != nil {
		if missing = registered(cl.app.read(c.master()), want.api); len(missing) == 0 {
			return refuse("invalid_resource", 650057, "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration. Client app ID: %s(%s). Resource value from request: %s. Resource app ID: %s.", cl.id, cl.name, want.resource, want.api.appID)
		}
	}
	if cl.known != nil && (!cl.known.dynamic || want.api.appID != catalog.GraphAppID) {
		if len(missing) > 0 || cl.known.preauthorized[want.api.appID] == nil {
			return refuse("invalid_grant", 65002, "Consent between first party application '%s' and first party resource '%s' must be configured via preauthorization - applications owned and operated by Microsoft must get approval from the API owner before requesting tokens for that API.", cl.id, want.api.appID)
		}
		return nil
	}
	if len(missing) == 0 {
		return nil
	}
	held := t.rolesOf(c.master(), user.id)
	admin := slices.ContainsFunc(consentRoles, func(r string) bool { return slices.Contains(held, r) })
	guest := str(user.read(c.master()), "userType") == "Guest"
	for _, name := range missing {
		if !admin && (guest || scopeType(want.api.scopes, name) == "Admin") {
			return refuse("invalid_grant", 90094, "An administrator of '%s' has set a policy that prevents you from granting '%s' the permissions it is requesting. Contact an administrator of '%s', who can grant permissions to this application on your behalf.", t.name, cl.name, t.name)
		}
	}
	resource := t.principalOf(c.master(), want.api.appID)
	if resource == nil {
		return c.noResource(want, t)
	}
	principal := t.principalOf(c.master(), cl.id)
	if principal == nil {
		principal = c.add(t, kindPrincipal, c.guid(), c.footprint(cl), false)
	}
	kind, who := "Principal", any(user.id)
	if everybody && admin {
		kind, who = "AllPrincipals", nil
	}
	c.extendGrant(t, principal, resource, kind, who, missing)
	return nil
}

// registered lists the delegated scopes of an API that an app says it needs; they
// are what is consented to when it asks for no one in particular.
// https://learn.microsoft.com/entra/identity-platform/scopes-oidc#the-default-scope
func registered(app object, api *knownApp) []string {
	var names []string
	access, _ := app["requiredResourceAccess"].([]any)
	for _, a := range access {
		entry, _ := a.(object)
		if !strings.EqualFold(str(entry, "resourceAppId"), api.appID) {
			continue
		}
		list, _ := entry["resourceAccess"].([]any)
		for _, p := range list {
			permission, _ := p.(object)
			if name := publishedValue(api.scopes, str(permission, "id")); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// footprint is the service principal that consent leaves in a tenant.
func (c *Cloud) footprint(cl client) object {
	if cl.known != nil {
		return cl.known.principal
	}
	return principalOfApp(cl.home, cl.app.read(c.master()), nil)
}

// extendGrant adds scopes to the one grant of a client, an API and a person.
func (c *Cloud) extendGrant(t *tenant, client, resource *entity, kind string, who any, scopes []string) {
	for _, e := range t.all(c.master(), kindGrant) {
		g := e.read(c.master())
		if str(g, "clientId") == client.id && str(g, "resourceId") == resource.id && g["consentType"] == kind && g["principalId"] == who {
			c.write(e, with(g, object{"scope": str(g, "scope") + " " + strings.Join(scopes, " ")}))
			return
		}
	}
	principal, _ := who.(string)
	// The service writes such grants with a leading blank.
	c.add(t, kindGrant, grantID(client.id, resource.id, kind+principal), object{
		"clientId": client.id, "consentType": kind, "principalId": who, "resourceId": resource.id, "scope": " " + strings.Join(scopes, " "),
	}, false)
}

// issue makes the tokens for a person in a tenant, with what is granted at this
// moment. can is what the client can cope with.
func (c *Cloud) issue(host string, cl client, t *tenant, user *entity, want request, s *session, can []string) (*answer, *stsError) {
	if _, err := c.resource(want, t); err != nil {
		return nil, err
	}
	if own := t.principalOf(c.master(), cl.id); own != nil && own.read(c.master())["accountEnabled"] == false {
		return nil, disabled(cl)
	}
	granted := c.granted(cl, t, user, want.api)
	missing := lacking(want, granted)
	switch {
	case cl.known != nil && (!cl.known.dynamic || want.api.appID != catalog.GraphAppID) && (len(missing) > 0 || cl.known.preauthorized[want.api.appID] == nil):
		return nil, refuse("invalid_grant", 65002, "Consent between first party application '%s' and first party resource '%s' must be configured via preauthorization - applications owned and operated by Microsoft must get approval from the API owner before requesting tokens for that API.", cl.id, want.api.appID)
	case len(missing) > 0 || len(granted) == 0 && len(want.openID) < len(want.raw):
		err := refuse("invalid_grant", 65001, "The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.", cl.id, cl.name)
		err.sub = "consent_required"
		return nil, err
	}
	scopes := slices.DeleteFunc(slices.Clone(granted), func(s string) bool { return s == "offline_access" })
	text, life := c.userToken(t, user, want.audience, scopes, s, can)
	body := object{
		"token_type": "Bearer", "scope": echo(want, scopes), "expires_in": int(life.Seconds()), "ext_expires_in": int(life.Seconds()),
		"access_token": text, "client_info": clientInfo(s.home, s.user),
	}
	if slices.Contains(want.openID, "offline_access") {
		rt := c.opaque("0.A", 80)
		c.refresh[rt] = &refreshToken{session: s, issued: c.now()}
		body["refresh_token"] = rt
	}
	if slices.Contains(want.openID, "openid") {
		body["id_token"] = c.idToken(host, t, user, cl.id, want.nonce)
	}
	return &answer{status: http.StatusOK, body: body}, nil
}

// echo is the scope of a reply: what was asked for, spelled as it was asked for,
// then what else the token carries.
func echo(want request, scopes []string) string {
	out := slices.DeleteFunc(slices.Clone(want.raw), func(s string) bool { return strings.EqualFold(s, "offline_access") })
	for _, s := range scopes {
		if !containsFold(out, s) && !slices.Contains(openIDScopes, s) && !containsFold(out, want.resource+"/"+s) {
			out = append(out, want.resource+"/"+s)
		}
	}
	return strings.Join(out, " ")
}
