package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

var principalFilters = map[string]string{
	"displayName": "eq ne in startswith endswith", "appId": "eq ne in", "id": "eq ne in", "tags": "any", "servicePrincipalType": "eq in",
	"accountEnabled": "eq", "appOwnerOrganizationId": "eq", "servicePrincipalNames": "any", "appDisplayName": "eq startswith",
}

func (q *call) listPrincipals() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	return q.list(listing{
		kind: kindPrincipal, context: "servicePrincipals", filters: principalFilters,
		source: func(v view) []*entity { return q.t.all(v, kindPrincipal) },
	})
}

// principal finds the service principal a path names, on the call's replica.
func (q *call) principal() (*entity, error) {
	key := q.keys[0]
	if !isGUID(key) {
		return nil, badRequest("Invalid object identifier '%s'.", key)
	}
	if strings.HasPrefix(q.path, "/servicePrincipals(") {
		if e := q.t.principalOf(q.v, key); e != nil {
			return e, nil
		}
		return nil, notFound(key)
	}
	if e := q.t.find(kindPrincipal, key); e != nil && e.live(q.v) != nil {
		return e, nil
	}
	return nil, notFound(key)
}

func (q *call) getPrincipal() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	e, err := q.principal()
	if err != nil {
		return nil, err
	}
	return q.one(e, e.read(q.v), kindPrincipal, "servicePrincipals")
}

// createPrincipal makes the service principal of an app: of one registered
// here, or of one the outside world offers to the tenant.
// https://learn.microsoft.com/graph/api/serviceprincipal-post-serviceprincipals
func (q *call) createPrincipal() (*result, error) {
	body, err := q.read("servicePrincipal_create")
	if err != nil {
		return nil, err
	}
	if err := noPasswords(body); err != nil {
		return nil, err
	}
	if err := checkTags(body); err != nil {
		return nil, err
	}
	id := str(body, "appId")
	if !isGUID(id) {
		return nil, invalid("appId", "The value is not an app id.")
	}
	id = strings.ToLower(id)
	var data object
	app := q.t.applicationOf(q.v, id)
	known := q.t.known[id]
	switch {
	case app != nil:
		registered := app.read(q.v)
		if err := q.manages(registered, appRoles...); err != nil {
			return nil, err
		}
		data = principalOfApp(q.t, registered, nil)
		data["_owners"] = registered["_owners"]
	case known != nil && !slices.Contains(q.t.notOffered, id):
		if err := q.person(appRoles...); err != nil {
			return nil, err
		}
		if q.tok.IDType == "app" && !q.tok.has("Application.ReadWrite.All") && !q.tok.has("Directory.ReadWrite.All") {
			return nil, foreignApp()
		}
		data = known.principal
	default:
		return nil, q.noBackingApp(id)
	}
	if q.t.principalOf(q.c.master(), id) != nil {
		return nil, inUse(id)
	}
	e := q.c.add(q.t, kindPrincipal, q.c.guid(), with(data, q.writable(body)), false)
	shown := q.project(with(e.read(q.c.master()), object{"id": e.id}), kindPrincipal)
	shown["@odata.context"] = q.context("servicePrincipals/$entity")
	return created(shown, q.url("/directoryObjects/"+e.id+"/Microsoft.DirectoryServices.ServicePrincipal")), nil
}

func inUse(appID string) *graphError {
	return conflict("The service principal cannot be created, updated, or restored because the service principal name %s is already in use.", appID)
}

// noBackingApp is how the service says that it does not know an app, or does
// not know it yet: then it may also say that something else is wrong.
func (q *call) noBackingApp(id string) error {
	pending := q.t.applicationOf(q.c.master(), id) != nil
	if err := q.person(appRoles...); err != nil || pending && q.c.chance(0.3) {
		return foreignApp()
	}
	e := badRequest("The appId '%s' of the service principal does not reference a valid application object.", id)
	return e.with("NoBackingApplicationObject", e.message, "appId")
}

// foreignApp says that a permission covers the tenant's own apps only. The
// service also says so, misleadingly, of an app that it does not know yet.
func foreignApp() *graphError {
	return fail(http.StatusForbidden, "Authorization_RequestDenied",
		"When using this permission, the backing application of the service principal being created must in the local tenant")
}

// writable leaves of a body what is stored as it was sent.
func (q *call) writable(body object) object {
	out := object{}
	for name, value := range body {
		if name == "appId" || strings.HasSuffix(name, "@odata.bind") {
			continue
		}
		if child, complex := value.(map[string]any); complex {
			value = withoutType(child)
		}
		out[name] = value
	}
	return out
}

func checkTags(body object) error {
	tags, _ := body["tags"].([]any)
	for i, tag := range tags {
		if tag == "" || slices.Contains(tags[:i], tag) {
			return invalid("tags", "The collection contains empty or duplicate values.")
		}
	}
	return nil
}

func (q *call) patchPrincipal() (*result, error) {
	body, e, data, err := q.managed("servicePrincipal_update", q.principal)
	if err != nil {
		return nil, err
	}
	if err := noPasswords(body); err != nil {
		return nil, err
	}
	if err := checkTags(body); err != nil {
		return nil, err
	}
	// What belongs to the registration is not changed here.
	for _, name := range []string{"appId", "appDisplayName", "appRoles", "oauth2PermissionScopes", "servicePrincipalType"} {
		if value, sent := body[name]; sent && !same(value, data[name]) {
			return nil, badRequest("Property '%s' is read-only and cannot be set.", name).with("ReadOnlyProperty", "The property belongs to the application.", name)
		}
	}
	if name, sent := body["displayName"]; sent && (name == nil || name == "") {
		return nil, invalid("displayName", "A value is required.")
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.write(e, with(data, q.writable(body)))
	return noContent(), nil
}

func (q *call) deletePrincipal() (*result, error) {
	e, err := q.principal()
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
	q.removePrincipal(e)
	return noContent(), nil
}

// removePrincipal soft-deletes a service principal. What it was given and what
// was given of it goes with it, for good.
func (q *call) removePrincipal(e *entity) {
	v := q.c.master()
	for _, kind := range []string{kindAssignment, kindGrant, kindRoleGiven} {
		for _, relation := range q.t.all(v, kind) {
			data := relation.read(v)
			if slices.Contains([]string{str(data, "principalId"), str(data, "clientId"), str(data, "resourceId")}, e.id) {
				q.c.write(relation, nil)
			}
		}
	}
	q.c.write(e, with(e.read(v), object{"deletedDateTime": q.nowStamp()}))
}
