package sandbox

import (
	"slices"
	"strings"

	"msbundle/catalog"
)

// self is the signed-in person.
// https://learn.microsoft.com/graph/api/user-get
func (q *call) self() (*entity, error) {
	e := q.t.find(kindUser, q.tok.ObjectID)
	if e == nil || e.live(q.v) == nil {
		return nil, notFound(q.tok.ObjectID)
	}
	return e, nil
}

func (q *call) me() (*result, error) {
	e, err := q.self()
	if err != nil {
		return nil, err
	}
	return q.one(e, e.read(q.v), kindUser, "users")
}

var userFilters = map[string]string{
	"userPrincipalName": "eq in startswith endswith", "displayName": "eq in startswith", "mail": "eq in startswith endswith", "id": "eq in",
	"accountEnabled": "eq", "userType": "eq", "mailNickname": "eq startswith", "givenName": "eq startswith", "surname": "eq startswith",
}

func (q *call) listUsers() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	return q.list(listing{
		kind: kindUser, context: "users", filters: userFilters,
		source: func(v view) []*entity { return q.t.all(v, kindUser) },
	})
}

// getUser takes an id or a user principal name. A scope without ".All" covers
// the signed-in person only.
func (q *call) getUser() (*result, error) {
	e, err := q.subject()
	if err != nil {
		return nil, err
	}
	return q.one(e, e.read(q.v), kindUser, "users")
}

// userNamed finds somebody by id or user principal name, on the replica of the
// call.
func (q *call) userNamed(key string) *entity {
	if e := q.t.find(kindUser, key); e != nil && e.live(q.v) != nil {
		return e
	}
	return q.t.byProperty(q.v, kindUser, "userPrincipalName", key)
}

// ownedObjects lists what the signed-in person owns.
func (q *call) ownedObjects() (*result, error) {
	e, err := q.self()
	if err != nil {
		return nil, err
	}
	l := listing{kind: kindApplication, context: "applications", filters: applicationFilters, show: q.showApplication}
	kinds := []string{kindApplication}
	if strings.HasSuffix(q.path, "/ownedObjects") {
		kinds = append(kinds, kindPrincipal)
		l = listing{kind: "directoryObject", context: "directoryObjects", mixed: true, show: func(e *entity, v view) object {
			if e.kind == kindApplication {
				return q.showApplication(e, v)
			}
			return e.read(v)
		}}
	}
	l.source = func(v view) []*entity {
		var owned []*entity
		for _, kind := range kinds {
			for _, o := range q.t.all(v, kind) {
				owners, _ := o.read(v)["_owners"].([]any)
				if slices.Contains(owners, any(e.id)) {
					owned = append(owned, o)
				}
			}
		}
		slices.SortFunc(owned, func(a, b *entity) int { return a.seq - b.seq })
		return owned
	}
	return q.list(l)
}

// tenantsOf lists where somebody can go: home first, then as a guest. Only
// tenants that were entered can have one.
func (c *Cloud) tenantsOf(t *tenant, person *entity) []*tenant {
	data := person.read(c.master())
	name := str(data, "userPrincipalName")
	if str(data, "userType") == "Guest" {
		name = str(data, "mail")
	}
	var homes, visited []*tenant
	for _, other := range c.order {
		switch {
		case other.fill != nil:
		case other.guestNamed(name) != nil:
			visited = append(visited, other)
		case other.userNamed(name) != nil:
			homes = append(homes, other)
		}
	}
	return append(homes, visited...)
}

// setupGuestElsewhere makes the account a guest of the first customer.
func setupGuestElsewhere(c *Cloud, t *tenant) {
	admin := t.userNamed(t.admin)
	c.addGuest(c.order[1].enter(), t.admin, str(admin.read(c.master()), "displayName"))
}

var groupFilters = map[string]string{"displayName": "eq in startswith", "id": "eq in", "mailNickname": "eq startswith", "securityEnabled": "eq", "mailEnabled": "eq"}

func (q *call) listGroups() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	return q.list(listing{
		kind: kindGroup, context: "groups", filters: groupFilters,
		source: func(v view) []*entity { return q.t.all(v, kindGroup) },
	})
}

func (q *call) getGroup() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	e, err := q.group()
	if err != nil {
		return nil, err
	}
	return q.one(e, e.read(q.v), kindGroup, "groups")
}

// roleAssignments lists who holds which directory role.
// https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments
func (q *call) roleAssignments() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	return q.list(listing{
		kind: kindRoleGiven, context: "roleManagement/directory/roleAssignments",
		filters: map[string]string{"principalId": "eq in", "roleDefinitionId": "eq in"},
		source:  func(v view) []*entity { return append(q.t.all(v, kindRoleGiven), q.partnerRoles()...) },
	})
}

func definition(r catalog.Role) object {
	return object{
		"description": r.Purpose, "displayName": r.Name, "id": r.TemplateID, "isBuiltIn": true, "isEnabled": true,
		"resourceScopes": []any{"/"}, "rolePermissions": []any{}, "templateId": r.TemplateID, "version": "1",
	}
}

func (q *call) roleDefinitions() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	var all []object
	for _, r := range roleTemplates() {
		all = append(all, definition(r))
	}
	return q.list(listing{
		kind: "unifiedRoleDefinition", context: "roleManagement/directory/roleDefinitions",
		filters: map[string]string{"displayName": "eq startswith", "id": "eq", "templateId": "eq", "isBuiltIn": "eq"},
		source:  fixed("unifiedRoleDefinition", all...),
	})
}

func (q *call) roleDefinition() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	for _, r := range roleTemplates() {
		if strings.EqualFold(r.TemplateID, q.keys[0]) {
			data := definition(r)
			return q.one(fixed("unifiedRoleDefinition", data)(q.v)[0], data, "unifiedRoleDefinition", "roleManagement/directory/roleDefinitions")
		}
	}
	return nil, notFound(q.keys[0])
}
