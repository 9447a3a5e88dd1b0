package sandbox

import (
	"slices"
	"strings"

	"msbundle/catalog"
)

// recoveryRoles see deleted objects.
// https://learn.microsoft.com/graph/api/directory-deleteditems-list
var recoveryRoles = map[string][]string{
	kindApplication: recoverApps, kindPrincipal: recoverApps, kindUser: append([]string{roleGlobalReader}, accountAdmins...),
}

var recoverApps = append(slices.Clone(appRoles), catalog.RolePrivilegedRoleAdministrator, roleGlobalReader)

func (q *call) listDeleted() (*result, error) {
	kind, context, filters := kindApplication, "applications", applicationFilters
	switch {
	case strings.HasSuffix(q.path, "."+kindPrincipal):
		kind, context, filters = kindPrincipal, "servicePrincipals", principalFilters
	case strings.HasSuffix(q.path, "."+kindUser):
		kind, context, filters = kindUser, "users", userFilters
	}
	if err := q.person(recoveryRoles[kind]...); err != nil {
		return nil, err
	}
	return q.list(listing{kind: kind, context: context, filters: filters, source: func(v view) []*entity {
		var list []*entity
		for _, e := range q.t.tables[kind] {
			if e.softDeleted(v) != nil {
				list = append(list, e)
			}
		}
		return list
	}})
}

// deletedItem finds the object a path names among the deleted ones. Which
// permissions are needed depends on what it is.
func (q *call) deletedItem(v view) (*entity, error) {
	if !isGUID(q.keys[0]) {
		return nil, badRequest("Invalid object identifier '%s'.", q.keys[0])
	}
	allowed := false
	for _, kind := range deletable {
		if q.op.permits(q.tok, kind) {
			allowed = true
			if e := q.t.find(kind, q.keys[0]); e != nil && e.softDeleted(v) != nil {
				return e, nil
			}
		}
	}
	if !allowed {
		return nil, denied()
	}
	return nil, notFound(q.keys[0])
}

func (q *call) getDeleted() (*result, error) {
	e, err := q.deletedItem(q.v)
	if err != nil {
		return nil, err
	}
	if err := q.person(recoveryRoles[e.kind]...); err != nil {
		return nil, err
	}
	res, err := q.one(e, e.read(q.v), "directoryObject", "directoryObjects")
	if err == nil {
		res.body["@odata.type"] = "#microsoft.graph." + e.kind
	}
	return res, err
}

// restore brings an object back under its old id. A service principal comes back
// on its own and without what it was given; it cannot while another one of the
// same app is there.
func (q *call) restore() (*result, error) {
	e, err := q.deletedItem(q.v)
	if err != nil {
		return nil, err
	}
	data, err := q.recoverable(e)
	if err != nil {
		return nil, err
	}
	v := q.c.master()
	if e.kind == kindPrincipal && q.t.principalOf(v, str(data, "appId")) != nil {
		return nil, inUse(str(data, "appId"))
	}
	if e.kind == kindPrincipal && q.t.applicationOf(v, str(data, "appId")) == nil && str(data, "appOwnerOrganizationId") == q.t.id {
		return nil, q.noBackingApp(str(data, "appId"))
	}
	if e.kind == kindUser {
		if err := q.restoreUser(e, data); err != nil {
			return nil, err
		}
	} else {
		q.c.write(e, with(data, object{"deletedDateTime": nil}))
	}
	shown := q.project(with(e.read(v), object{"id": e.id}), e.kind)
	shown["@odata.context"] = q.context("directoryObjects/$entity")
	shown["@odata.type"] = "#microsoft.graph." + e.kind
	return ok(shown), nil
}

func (q *call) purge() (*result, error) {
	e, err := q.deletedItem(q.v)
	if err != nil {
		return nil, err
	}
	if _, err := q.recoverable(e); err != nil {
		return nil, err
	}
	q.c.write(e, nil)
	return noContent(), nil
}

// recoverable is a deleted object as it is now, for somebody who may bring it back
// or remove it for good.
func (q *call) recoverable(e *entity) (object, error) {
	data := e.softDeleted(q.c.master())
	switch {
	case data == nil:
		return nil, notFound(e.id)
	case e.kind == kindUser:
		return data, q.person(accountAdmins...)
	}
	return data, q.manages(data, appRoles...)
}
