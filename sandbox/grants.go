package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"msbundle/catalog"
)

// grantID is how the service names a relation: 43 characters made from its ends.
func grantID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(parts, " "))))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ---- application permissions

var assignmentFilters = map[string]string{
	"resourceId": "eq", "principalId": "eq", "appRoleId": "eq", "principalDisplayName": "eq startswith", "principalType": "eq", "resourceDisplayName": "eq",
}

// ends tells which side of an assignment a path is on: the resource's
// appRoleAssignedTo or the client's appRoleAssignments.
func (q *call) ends() (own, other string) {
	if strings.Contains(q.path, "/appRoleAssignedTo") {
		return "resourceId", "principalId"
	}
	return "principalId", "resourceId"
}

func (q *call) listAssignments() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	e, err := q.principal()
	if err != nil {
		return nil, err
	}
	client, resource := e, (*entity)(nil)
	if own, _ := q.ends(); own == "resourceId" {
		client, resource = nil, e
	}
	return q.list(listing{
		kind: kindAssignment, context: "appRoleAssignments", filters: assignmentFilters,
		source: func(v view) []*entity { return q.t.assignments(v, client, resource) },
	})
}

// createAssignment gives an application permission.
// https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignedto
func (q *call) createAssignment() (*result, error) {
	body, err := q.read("appRoleAssignment_create")
	if err != nil {
		return nil, err
	}
	e, err := q.principal()
	if err != nil {
		return nil, err
	}
	own, other := q.ends()
	if !strings.EqualFold(str(body, own), e.id) {
		return nil, badRequest("Not a valid reference update.")
	}
	far := q.t.find(kindPrincipal, str(body, other))
	if far == nil || far.live(q.v) == nil {
		return nil, badRequest("Not a valid reference update.")
	}
	client, resource := e, far
	if own == "resourceId" {
		client, resource = far, e
	}
	if err := q.mayAssign(resource); err != nil {
		return nil, err
	}
	role := str(body, "appRoleId")
	published := q.t.roleOf(resource.read(q.v), role)
	if published.value == "" {
		return nil, badRequest("Permission being assigned was not found on application '%s'.", str(resource.read(q.v), "appId"))
	}
	v := q.c.master()
	for _, a := range q.t.assignments(v, client, resource) {
		if a.link.role == published.id {
			dup := badRequest("Permission being assigned already exists on the object")
			return nil, dup.with("InvalidUpdate", dup.message, "")
		}
	}
	if err := q.exclusive(client.id); err != nil {
		return nil, err
	}
	a := q.c.assign(q.t, q.c.random(43), assignment(v, client, resource, published.id, q.nowStamp()), false)
	shown := q.project(with(a.read(v), object{"id": a.id}), kindAssignment)
	shown["@odata.context"] = q.context("appRoleAssignments/$entity")
	return created(shown, q.url("/servicePrincipals/"+e.id+q.path[strings.LastIndexByte(q.path, '/'):]+"/"+a.id)), nil
}

// defaultAccess is the role of an assignment that names none.
const defaultAccess = "00000000-0000-0000-0000-000000000000"

// roleOf is an application permission that an API publishes; without a value when
// it does not.
func (t *tenant) roleOf(api object, id string) permission {
	id = strings.ToLower(id)
	if id == defaultAccess {
		return permission{id, "default access"}
	}
	if known := t.known[str(api, "appId")]; known != nil {
		return known.roleByID[id]
	}
	return permission{id, publishedValue(api["appRoles"], id)}
}

// mayAssign: application permissions of the directory itself take a privileged
// role, those of other APIs an application administrator.
// https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference#cloud-application-administrator
func (q *call) mayAssign(resource *entity) error {
	roles := append(slices.Clone(appRoles), privilegedRoles...)
	switch str(resource.read(q.c.master()), "appId") {
	case catalog.GraphAppID, directoryAppID:
		roles = privilegedRoles
	}
	return q.person(roles...)
}

func (q *call) deleteAssignment() (*result, error) {
	e, err := q.principal()
	if err != nil {
		return nil, err
	}
	own, _ := q.ends()
	a := q.t.find(kindAssignment, q.keys[1])
	if a == nil || a.live(q.v) == nil || a.live(q.c.master()) == nil || str(a.live(q.c.master()), own) != e.id {
		return nil, notFound(q.keys[1])
	}
	given := a.live(q.c.master())
	if resource := q.t.find(kindPrincipal, str(given, "resourceId")); resource != nil && resource.live(q.c.master()) != nil {
		if err := q.mayAssign(resource); err != nil {
			return nil, err
		}
	}
	if err := q.exclusive(str(given, "principalId")); err != nil {
		return nil, err
	}
	q.c.write(a, nil)
	return noContent(), nil
}

// ---- delegated permissions

var grantFilters = map[string]string{"clientId": "eq", "resourceId": "eq", "consentType": "eq", "principalId": "eq", "id": "eq"}

func (q *call) listGrants() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	source := func(v view) []*entity { return q.t.all(v, kindGrant) }
	if len(q.keys) > 0 {
		e, err := q.principal()
		if err != nil {
			return nil, err
		}
		all := source
		source = func(v view) []*entity {
			return slices.DeleteFunc(all(v), func(g *entity) bool { return str(g.read(v), "clientId") != e.id })
		}
	}
	return q.list(listing{kind: kindGrant, context: "oauth2PermissionGrants", filters: grantFilters, source: source})
}

func (q *call) grant() (*entity, error) {
	if e := q.t.find(kindGrant, q.keys[0]); e != nil && e.live(q.v) != nil {
		return e, nil
	}
	return nil, notFound(q.keys[0])
}

func (q *call) getGrant() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	e, err := q.grant()
	if err != nil {
		return nil, err
	}
	return q.one(e, e.read(q.v), kindGrant, "oauth2PermissionGrants")
}

// createGrant gives delegated permissions. There is one grant for a client, an
// API, a consent type and a person.
// https://learn.microsoft.com/graph/api/oauth2permissiongrant-post
func (q *call) createGrant() (*result, error) {
	body, err := q.read("oAuth2PermissionGrant_create")
	if err != nil {
		return nil, err
	}
	if err := q.person(consentRoles...); err != nil {
		return nil, err
	}
	if err := checkScope(body); err != nil {
		return nil, err
	}
	person := body["principalId"]
	switch body["consentType"] {
	case "AllPrincipals":
		if person != nil && person != "" {
			return nil, badRequest("principalId should be null when consentType is AllPrincipals.")
		}
		person = nil
	case "Principal":
		if id, _ := person.(string); q.t.seen(q.v, kindUser, id) == nil {
			return nil, badRequest("Resource '%v' does not exist or one of its queried reference-property objects are not present.", person)
		}
	}
	for _, end := range []string{"clientId", "resourceId"} {
		id := str(body, end)
		if !isGUID(id) {
			return nil, badRequest("Invalid value specified for property '%s' of resource 'OAuth2PermissionGrant'.", end)
		}
		if q.t.seen(q.v, kindPrincipal, id) == nil {
			return nil, q.noPrincipal(id)
		}
	}
	client, resource := q.t.find(kindPrincipal, str(body, "clientId")), q.t.find(kindPrincipal, str(body, "resourceId"))
	v := q.c.master()
	for _, e := range q.t.all(v, kindGrant) {
		g := e.read(v)
		if g["clientId"] == client.id && g["resourceId"] == resource.id && g["consentType"] == body["consentType"] && same(g["principalId"], person) {
			// Both forms have been seen.
			if q.c.chance(0.5) {
				return nil, conflict("Permission entry already exists.")
			}
			return nil, badRequest("Permission entry already exists.")
		}
	}
	if err := q.exclusive(client.id); err != nil {
		return nil, err
	}
	who, _ := person.(string)
	id := grantID(client.id, resource.id, str(body, "consentType")+who)
	data := object{"clientId": client.id, "consentType": body["consentType"], "principalId": person, "resourceId": resource.id, "scope": body["scope"]}
	e := q.t.find(kindGrant, id)
	if e != nil {
		// Made again after it was removed: the service gives it the same id.
		q.c.write(e, data)
	} else {
		e = q.c.add(q.t, kindGrant, id, data, false)
	}
	shown := q.project(with(data, object{"id": e.id}), kindGrant)
	shown["@odata.context"] = q.context("oauth2PermissionGrants/$entity")
	return created(shown, q.url("/oauth2PermissionGrants/"+e.id)), nil
}

// noPrincipal is what the service says of a service principal it does not know
// yet, in one of two ways; of one that is not there at all, the second.
func (q *call) noPrincipal(id string) error {
	if q.t.seen(q.c.master(), kindPrincipal, id) != nil && q.c.chance(0.5) {
		return fail(http.StatusNotFound, "Directory_ObjectNotFound", "Unable to read the company information from the directory.")
	}
	return badRequest("Resource '%s' does not exist or one of its queried reference-property objects are not present.", id)
}

// checkScope: what is granted is not compared with what the API publishes; only
// its length counts.
// https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant
func checkScope(body object) error {
	scope, isText := body["scope"].(string)
	switch {
	case !isText || strings.TrimSpace(scope) == "":
		return badRequest("Invalid value specified for property 'scope' of resource 'OAuth2PermissionGrant'.")
	case utf8.RuneCountInString(scope) > catalog.ScopeCharLimit:
		return badRequest("Value length '%d' is out of the valid range of '1' to '%d' for property 'scope'.", utf8.RuneCountInString(scope), catalog.ScopeCharLimit).
			with("InvalidLength", "The value is too long.", "scope")
	}
	return nil
}

func (q *call) patchGrant() (*result, error) {
	body, err := q.read("oAuth2PermissionGrant_update")
	if err != nil {
		return nil, err
	}
	if err := q.person(consentRoles...); err != nil {
		return nil, err
	}
	e, err := q.grant()
	if err != nil {
		return nil, err
	}
	data, err := q.current(e)
	if err != nil {
		return nil, err
	}
	if err := checkScope(body); err != nil {
		return nil, err
	}
	if err := q.exclusive(str(data, "clientId")); err != nil {
		return nil, err
	}
	q.c.write(e, with(data, object{"scope": body["scope"]}))
	return noContent(), nil
}

func (q *call) deleteGrant() (*result, error) {
	if err := q.person(consentRoles...); err != nil {
		return nil, err
	}
	e, err := q.grant()
	if err != nil {
		return nil, err
	}
	data, err := q.current(e)
	if err != nil {
		return nil, err
	}
	if err := q.exclusive(str(data, "clientId")); err != nil {
		return nil, err
	}
	q.c.write(e, nil)
	return noContent(), nil
}
