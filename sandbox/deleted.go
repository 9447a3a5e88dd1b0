package sandbox

import (
	"slices"
	"strings"

	"msbundle/catalog"
)

// recoveryRoles see, restore and purge deleted apps.
// https://learn.microsoft.com/graph/api/directory-deleteditems-list
var recoveryRoles = append(slices.Clone(appRoles), catalog.RolePrivilegedRoleAdministrator, roleGlobalReader)

func (q *call) listDeleted() (*result, error) {
	if err := q.person(recoveryRoles...); err != nil {
		return nil, err
	}
	kind, context, filters := kindApplication, "applications", applicationFilters
	if strings.HasSuffix(q.path, kindPrincipal) {
		kind, context, filters = kindPrincipal, "servicePrincipals", principalFilters
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
	if err := q.person(recoveryRoles...); err != nil {
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
	data := e.softDeleted(q.c.master())
	if data == nil {
		return nil, notFound(e.id)
	}
	if err := q.manages(data, appRoles...); err != nil {
		return nil, err
	}
	v := q.c.master()
	if e.kind == kindPrincipal && q.t.principalOf(v, str(data, "appId")) != nil {
		return nil, inUse(str(data, "appId"))
	}
	if e.kind == kindPrincipal && q.t.applicationOf(v, str(data, "appId")) == nil && str(data, "appOwnerOrganizationId") == q.t.id {
		return nil, q.noBackingApp(str(data, "appId"))
	}
	q.c.write(e, with(data, object{"deletedDateTime": nil}))
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
	data := e.softDeleted(q.c.master())
	if data == nil {
		return nil, notFound(e.id)
	}
	if err := q.manages(data, appRoles...); err != nil {
		return nil, err
	}
	q.c.write(e, nil)
	return noContent(), nil
}
