package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"msbundle/catalog"
)

// The service behind the portal's pages about apps. It is not documented; the
// Azure CLI uses it to grant what an app lists.
// https://learn.microsoft.com/cli/azure/ad/app/permission#az-ad-app-permission-admin-consent
const (
	portalHost  = "main.iam.ad.ext.azure.com"
	portalAppID = "74658136-14ec-4630-ad9b-26e160ff0fc6"
	portalName  = "ADIbizaUX"
)

// portal answers a request to that service. The caller holds mu.
func (c *Cloud) portal(r *http.Request, row *Request) *answer {
	tok, err := c.bearer(r, portalAppID)
	if err != nil {
		return &answer{status: http.StatusUnauthorized, header: err.header, body: object{"Message": "Authorization has been denied for this request."}}
	}
	row.Tenant = tok.Tenant
	appID, isConsent := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/api/RegisteredApplications/"), "/Consent")
	switch {
	case !isConsent || !isGUID(appID):
		return &answer{status: http.StatusNotFound, body: object{"Message": "No HTTP resource was found that matches the request URI."}}
	case r.Method != http.MethodPost:
		return &answer{status: http.StatusMethodNotAllowed, body: object{"Message": "The requested resource does not support http method '" + r.Method + "'."}}
	case r.URL.Query().Get("onBehalfOfAll") != "true":
		return portalRefusal(http.StatusBadRequest, "Request_BadRequest", "Only consent on behalf of all users is supported.")
	}
	if reply := c.consentForAll(c.tenants[tok.Tenant].enter(), tok, appID); reply != nil {
		return reply
	}
	return &answer{status: http.StatusNoContent}
}

// portalRefusal is an error of the service: that of Microsoft Graph, wrapped.
func portalRefusal(status int, code, message string) *answer {
	return &answer{status: status, body: object{
		"ClassName": "Microsoft.Portal.Framework.Exceptions.ClientException", "Data": object{},
		"Message":        fmt.Sprintf("Graph call failed with httpCode=%s, errorCode=%s, errorMessage=%s", http.StatusText(status), code, message),
		"HttpStatusCode": status, "ClientData": object{"errorCode": code, "localizedErrorDetails": object{"errorDetail": message}},
	}}
}

// consentForAll makes an app's grants for the whole tenant those the app lists:
// what it lists is granted, what it does not list is taken away.
// https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent
func (c *Cloud) consentForAll(t *tenant, tok *token, appID string) *answer {
	v := c.master()
	app := t.applicationOf(v, appID)
	if app == nil {
		return portalRefusal(http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+appID+"' does not exist or one of its queried reference-property objects are not present.")
	}
	lists, unknown := c.listed(t, app)
	if unknown != "" {
		return portalRefusal(http.StatusBadRequest, "Request_BadRequest", unknown)
	}
	if !mayConsent(tok, lists) {
		return portalRefusal(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	client := t.principalOf(v, appID)
	if client == nil {
		client = c.add(t, kindPrincipal, c.guid(), principalOfApp(t, app.read(v), nil), false)
	}
	for _, g := range t.all(v, kindGrant) {
		if data := g.read(v); str(data, "clientId") == client.id && data["consentType"] == "AllPrincipals" {
			c.write(g, nil)
		}
	}
	for _, a := range t.assignments(v, client, nil) {
		c.write(a, nil)
	}
	for _, l := range lists {
		resource := t.principalOf(v, l.api.appID)
		if resource == nil {
			resource = c.add(t, kindPrincipal, c.guid(), l.api.principal, false)
		}
		c.grantListed(t, client, resource, l)
	}
	return nil
}

// listedAccess is what an app lists of one API.
type listedAccess struct {
	api    *knownApp
	scopes []string // names
	roles  []string // ids
}

// listed reads what an app asks for; the second result says what is wrong with
// it.
func (c *Cloud) listed(t *tenant, app *entity) ([]listedAccess, string) {
	var all []listedAccess
	access, _ := app.read(c.master())["requiredResourceAccess"].([]any)
	for _, a := range access {
		entry := a.(object)
		id := strings.ToLower(str(entry, "resourceAppId"))
		l := listedAccess{api: t.known[id]}
		if l.api == nil || t.principalOf(c.master(), id) == nil && slices.Contains(t.notOffered, id) {
			return nil, "The resource " + id + " is not available in the tenant."
		}
		permissions, _ := entry["resourceAccess"].([]any)
		for _, p := range permissions {
			permission := p.(object)
			published := l.api.scopes
			if str(permission, "type") == "Role" {
				published = l.api.roles
			}
			name := publishedValue(published, str(permission, "id"))
			switch {
			case name == "":
				return nil, "The permission " + str(permission, "id") + " is not published by " + l.api.name + "."
			case str(permission, "type") == "Role":
				l.roles = append(l.roles, strings.ToLower(str(permission, "id")))
			default:
				l.scopes = append(l.scopes, name)
			}
		}
		all = append(all, l)
	}
	return all, ""
}

// mayConsent: application permissions of the directory itself take a privileged
// role, everything else an application administrator.
func mayConsent(tok *token, lists []listedAccess) bool {
	for _, l := range lists {
		if len(l.roles) > 0 && slices.Contains([]string{catalog.GraphAppID, directoryAppID}, l.api.appID) && !tok.holds(privilegedRoles...) {
			return false
		}
	}
	return tok.holds(consentRoles...)
}

// grantListed gives a client what it lists of an API.
func (c *Cloud) grantListed(t *tenant, client, resource *entity, l listedAccess) {
	v := c.master()
	if len(l.scopes) > 0 {
		id := grantID(client.id, resource.id, "AllPrincipals")
		data := object{
			"clientId": client.id, "consentType": "AllPrincipals", "principalId": nil, "resourceId": resource.id, "scope": strings.Join(l.scopes, " "),
		}
		if e := t.find(kindGrant, id); e != nil {
			c.write(e, data)
		} else {
			c.add(t, kindGrant, id, data, false)
		}
	}
	for _, role := range l.roles {
		c.assign(t, c.random(43), assignment(v, client, resource, role, stamp(v.now)), false)
	}
}
