package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"msbundle/catalog"
)

// Limits of an app registration.
// https://learn.microsoft.com/entra/identity-platform/supported-accounts-validation
const (
	maxDisplayName   = 256
	maxRedirectURIs  = 256
	maxPersonalURIs  = 100
	maxRedirectURI   = 256
	maxResources     = 50
	maxTags          = 100
	maxTagLength     = 256
	maxOwnedByMember = 250
)

var applicationFilters = map[string]string{
	"displayName": "eq ne in startswith endswith", "appId": "eq ne in", "id": "eq ne in", "tags": "any", "uniqueName": "eq", "identifierUris": "any",
	"signInAudience": "eq ne", "publisherDomain": "eq ne",
}

func (q *call) listApplications() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	return q.list(listing{
		kind: kindApplication, context: "applications", filters: applicationFilters, show: q.showApplication,
		source: func(v view) []*entity { return q.t.all(v, kindApplication) },
	})
}

// showApplication adds the secrets a replica knows of.
func (q *call) showApplication(e *entity, v view) object {
	keys := []any{}
	for _, k := range q.t.all(v, kindPassword) {
		key := k.read(v)
		if str(key, "_app") == e.id {
			keys = append(keys, shownPassword(k, key, nil))
		}
	}
	return with(e.read(v), object{"passwordCredentials": keys})
}

// application finds the app a path names, on the replica of the call.
func (q *call) application() (*entity, error) {
	key := q.keys[0]
	if !isGUID(key) {
		return nil, badRequest("Invalid object identifier '%s'.", key)
	}
	if strings.HasPrefix(q.path, "/applications(") {
		if e := q.t.applicationOf(q.v, key); e != nil {
			return e, nil
		}
		return nil, notFound(key)
	}
	if e := q.t.find(kindApplication, key); e != nil && e.live(q.v) != nil {
		return e, nil
	}
	return nil, notFound(key)
}

// current is the state of an entity a write builds on. It is an error when the
// primary no longer has what a replica still shows.
func (q *call) current(e *entity) (object, error) {
	if data := e.live(q.c.master()); data != nil {
		return data, nil
	}
	return nil, notFound(e.id)
}

func (q *call) getApplication() (*result, error) {
	e, err := q.application()
	if err != nil {
		return nil, err
	}
	if err := q.manages(e.read(q.v)); err != nil && q.member() != nil {
		return nil, err
	}
	return q.one(e, q.showApplication(e, q.v), kindApplication, "applications")
}

func (q *call) createApplication() (*result, error) {
	body, err := q.read("application_create")
	if err != nil {
		return nil, err
	}
	allowed := q.t.membersCreateApps && !q.tok.guest()
	if !allowed {
		if err := q.person(append([]string{roleApplicationDeveloper}, appRoles...)...); err != nil {
			return nil, err
		}
	}
	if err := noPasswords(body); err != nil {
		return nil, err
	}
	if err := q.checkApplication(body); err != nil {
		return nil, err
	}
	owner, err := q.ownersToBe(body)
	if err != nil {
		return nil, err
	}
	if err := q.quota(); err != nil {
		return nil, err
	}
	if unique := str(body, "uniqueName"); unique != "" && q.t.byProperty(q.c.master(), kindApplication, "uniqueName", unique) != nil {
		return nil, conflict("Another object with the same value for property uniqueName already exists.")
	}
	data := q.merge(blankApplication(), body)
	data["appId"] = q.c.guid()
	data["createdDateTime"] = q.nowStamp()
	data["createdByAppId"] = q.tok.AppID
	data["publisherDomain"] = q.t.domain
	data["_owners"] = owner
	e := q.c.add(q.t, kindApplication, q.c.guid(), data, false)
	shown := q.project(with(data, object{"id": e.id}), kindApplication)
	shown["@odata.context"] = q.context("applications/$entity")
	return created(shown, q.url("/directoryObjects/"+e.id+"/Microsoft.DirectoryServices.Application")), nil
}

// ownersToBe are the owners of a new app: who makes it, unless it is an
// administrator, whom the service does not add, and those that are named.
func (q *call) ownersToBe(body object) ([]any, error) {
	owners := []any{}
	if !q.tok.holds(appRoles...) {
		owners = append(owners, q.tok.ObjectID)
	}
	named, _ := body["owners@odata.bind"].([]any)
	for _, ref := range named {
		_, id, _ := strings.Cut(ref.(string), "/"+q.version+"/")
		i := strings.LastIndexByte(id, '/')
		if i < 0 || q.anything(q.v, id[i+1:]) == nil {
			return nil, badRequest("Resource '%s' does not exist or one of its queried reference-property objects are not present.", id[i+1:])
		}
		owners = append(owners, id[i+1:])
	}
	return owners, nil
}

// quota limits what people without a role may make.
func (q *call) quota() error {
	if q.tok.IDType == "app" || q.tok.holds(appRoles...) {
		return nil
	}
	n := 0
	for _, e := range q.t.tables[kindApplication] {
		data := e.read(q.c.master())
		owners, _ := data["_owners"].([]any)
		if slices.Contains(owners, any(q.tok.ObjectID)) {
			n++
		}
	}
	if n >= maxOwnedByMember {
		return fail(http.StatusForbidden, "Directory_QuotaExceeded", "The directory object quota limit for the Principal has been exceeded. Please ask your administrator to increase the quota limit or delete objects to reduce the used quota.")
	}
	return nil
}

func conflict(format string, args ...any) *graphError {
	e := fail(http.StatusConflict, "Request_MultipleObjectsWithSameKeyValue", format, args...)
	return e.with("ObjectConflict", e.message, "")
}

// managed reads the body of a request that changes an object, and finds the object
// as it is now for somebody who may change it.
func (q *call) managed(shape string, find func() (*entity, error)) (body object, e *entity, data object, err error) {
	if body, err = q.read(shape); err != nil {
		return nil, nil, nil, err
	}
	if e, err = find(); err != nil {
		return nil, nil, nil, err
	}
	if data, err = q.current(e); err != nil {
		return nil, nil, nil, err
	}
	return body, e, data, q.manages(data, appRoles...)
}

func (q *call) patchApplication() (*result, error) {
	body, e, data, err := q.managed("application_update", q.application)
	if err != nil {
		return nil, err
	}
	if err := noPasswords(body); err != nil {
		return nil, err
	}
	merged := q.merge(data, body)
	if err := q.checkApplication(merged); err != nil {
		return nil, err
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.write(e, merged)
	// What the service principal shares with the registration follows it.
	if p := q.t.principalOf(q.c.master(), str(merged, "appId")); p != nil {
		state := p.read(q.c.master())
		follow := principalOfApp(q.t, merged, nil)
		changes := object{}
		for _, name := range []string{"appDisplayName", "displayName", "appRoles", "oauth2PermissionScopes", "replyUrls", "servicePrincipalNames", "signInAudience"} {
			changes[name] = follow[name]
		}
		q.c.write(p, with(state, changes))
	}
	return noContent(), nil
}

// noPasswords: secrets are made by addPassword only.
func noPasswords(body object) error {
	if _, sent := body["passwordCredentials"]; sent {
		return badRequest("New password credentials must be generated with service actions.").with("CredentialsNotAllowed", "Use addPassword.", "passwordCredentials")
	}
	return nil
}

// merge puts a body over an object. Collections and complex properties are
// replaced whole; what is left out inside them goes back to its default.
func (q *call) merge(data, body object) object {
	out := with(data, nil)
	for name, value := range body {
		if strings.HasSuffix(name, "@odata.bind") {
			continue
		}
		child, complex := value.(map[string]any)
		switch {
		case name == "web":
			web := with(blankWeb(), child)
			settings, _ := web["implicitGrantSettings"].(map[string]any)
			web["implicitGrantSettings"] = with(blankWeb()["implicitGrantSettings"].(object), withoutType(settings))
			out[name] = withoutType(web)
		case name == "api":
			out[name] = withoutType(with(blankAPI(), child))
		case name == "info":
			out[name] = withoutType(with(blankInfo(), child))
		case (name == "spa" || name == "publicClient") && child == nil:
			out[name] = object{"redirectUris": []any{}}
		case complex:
			out[name] = withoutType(child)
		default:
			out[name] = value
		}
	}
	return out
}

func withoutType(o object) object {
	out := with(o, nil)
	delete(out, "@odata.type")
	return out
}

// checkApplication applies the rules between and inside properties.
func (q *call) checkApplication(data object) error {
	name, isText := data["displayName"].(string)
	if !isText || name == "" {
		return invalid("displayName", "A value is required.")
	}
	if utf8.RuneCountInString(name) > maxDisplayName {
		return badRequest("Property displayName has a length of %d which exceeds the maximum of %d.", utf8.RuneCountInString(name), maxDisplayName).
			with("InvalidLength", "The value is too long.", "displayName")
	}
	audience, _ := data["signInAudience"].(string)
	if _, sent := data["signInAudience"]; sent && audience == "" {
		return invalid("signInAudience", "A value is required.")
	}
	if err := checkRedirects(data, audience); err != nil {
		return err
	}
	if err := checkAccess(data); err != nil {
		return err
	}
	tags, _ := data["tags"].([]any)
	if len(tags) > maxTags {
		return invalid("tags", "Too many values.")
	}
	for i, tag := range tags {
		if tag == "" || utf8.RuneCountInString(tag.(string)) > maxTagLength {
			return invalid("tags", "A tag has 1 to 256 characters.")
		}
		if slices.Contains(tags[:i], tag) {
			return invalid("tags", "The collection contains duplicate values.")
		}
	}
	uris, _ := data["identifierUris"].([]any)
	for _, u := range uris {
		if err := q.checkIdentifier(u.(string), str(data, "appId")); err != nil {
			return err
		}
	}
	return nil
}

func invalid(property, why string) *graphError {
	return badRequest("Invalid value specified for property '%s' of resource 'Application'.", property).with("InvalidValue", why, property)
}

// checkIdentifier: an identifier URI is api://<app id> or on a verified domain.
// https://learn.microsoft.com/entra/identity-platform/identifier-uri-restrictions
func (q *call) checkIdentifier(uri, appID string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return invalid("identifierUris", "The value is not a URI.")
	}
	if u.Scheme == "api" && (strings.EqualFold(u.Host, appID) || strings.EqualFold(u.Host, q.t.id)) || u.Hostname() == q.t.domain {
		return nil
	}
	e := fail(http.StatusBadRequest, "HostNameNotOnVerifiedDomain", "Values of identifierUris property must use a verified domain of the organization or its subdomain: '%s'", uri)
	return e.with("HostNameNotOnVerifiedDomain", e.message, "identifierUris")
}

// checkRedirects applies the rules for reply addresses.
// https://learn.microsoft.com/entra/identity-platform/reply-url
func checkRedirects(data object, audience string) error {
	limit := maxRedirectURIs
	if strings.Contains(audience, "Personal") {
		limit = maxPersonalURIs
	}
	total := 0
	for _, platform := range []string{"web", "spa", "publicClient"} {
		child, _ := data[platform].(map[string]any)
		uris, _ := child["redirectUris"].([]any)
		total += len(uris)
		for i, raw := range uris {
			uri := raw.(string)
			property := platform + ".redirectUris"
			if slices.Contains(uris[:i], raw) {
				return invalid(property, "The collection contains duplicate values.")
			}
			if !validRedirect(uri, platform) {
				return invalid(property, "The redirect URI '"+uri+"' is not valid: it is an absolute URI of at most 256 characters with https, or http for localhost, without a fragment or a wildcard.")
			}
		}
	}
	if total > limit {
		return invalid("redirectUris", "Too many redirect URIs.")
	}
	return nil
}

func validRedirect(uri, platform string) bool {
	u, err := url.Parse(uri)
	if err != nil || utf8.RuneCountInString(uri) > maxRedirectURI || strings.ContainsAny(uri, "#* \t\n") || u.Scheme == "" || u.User != nil {
		return false
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1"
	switch {
	case u.Scheme == "https", u.Scheme == "http" && local:
		return u.Hostname() != ""
	case platform == "publicClient":
		return u.Scheme != "http" && u.Scheme != "javascript" && u.Scheme != "data"
	}
	return false
}

// checkAccess applies the limits of requiredResourceAccess. It does not look
// whether an API publishes the permissions: neither does the service.
func checkAccess(data object) error {
	resources, _ := data["requiredResourceAccess"].([]any)
	if len(resources) > maxResources {
		return invalid("requiredResourceAccess", "At most 50 resources.")
	}
	total, seen := 0, map[string]bool{}
	for _, r := range resources {
		entry, _ := r.(map[string]any)
		id := strings.ToLower(str(entry, "resourceAppId"))
		access, _ := entry["resourceAccess"].([]any)
		switch {
		case !isGUID(id):
			return invalid("requiredResourceAccess.resourceAppId", "The value is not an app id.")
		case seen[id]:
			return invalid("requiredResourceAccess", "The resource "+id+" is named more than once.")
		case len(access) == 0:
			return invalid("requiredResourceAccess.resourceAccess", "A resource needs at least one permission.")
		}
		seen[id] = true
		total += len(access)
		permissions := map[string]bool{}
		for _, a := range access {
			p, _ := a.(map[string]any)
			key := strings.ToLower(str(p, "id")) + str(p, "type")
			if str(p, "id") == "" || str(p, "type") == "" || permissions[key] {
				return invalid("requiredResourceAccess.resourceAccess", "Each permission has an id and a type and is named once.")
			}
			permissions[key] = true
		}
	}
	if total > catalog.ManifestPermissionLimit {
		return invalid("requiredResourceAccess", "At most 400 permissions over all resources.")
	}
	return nil
}

func (q *call) deleteApplication() (*result, error) {
	e, err := q.application()
	if err != nil {
		return nil, err
	}
	data, err := q.current(e)
	if err != nil {
		return nil, err
	}
	if err := q.manages(data, appRoles...); err != nil {
		return nil, err
	}
	q.c.write(e, with(data, object{"deletedDateTime": q.nowStamp()}))
	if p := q.t.principalOf(q.c.master(), str(data, "appId")); p != nil {
		q.removePrincipal(p)
	}
	return noContent(), nil
}
