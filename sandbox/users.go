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
	e := q.t.find(kindUser, q.keys[0])
	if e == nil {
		e = q.t.byProperty(q.v, kindUser, "userPrincipalName", q.keys[0])
	}
	own := e != nil && e.id == q.tok.ObjectID
	wide := slices.ContainsFunc([]string{"User.Read.All", "User.ReadWrite.All", "User.ReadBasic.All", "Directory.Read.All", "Directory.ReadWrite.All", "User.ReadWrite.CrossCloud"}, q.tok.has)
	if !own && (!wide || q.member() != nil) {
		return nil, denied()
	}
	if e == nil || e.live(q.v) == nil {
		return nil, notFound(q.keys[0])
	}
	return q.one(e, e.read(q.v), kindUser, "users")
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

// memberOf lists the groups and directory roles of the signed-in person. No
// group is inside another here, so the transitive list is the same.
func (q *call) memberOf() (*result, error) {
	e, err := q.self()
	if err != nil {
		return nil, err
	}
	l := listing{kind: "directoryObject", context: "directoryObjects", mixed: true, show: q.showMember}
	kinds := []string{kindGroup, kindRole}
	switch {
	case strings.HasSuffix(q.path, ".directoryRole"):
		l = listing{kind: kindRole, context: "directoryRoles", show: q.showMember, filters: map[string]string{"displayName": "eq", "roleTemplateId": "eq"}}
		kinds = []string{kindRole}
	case strings.HasSuffix(q.path, ".group"):
		l = listing{kind: kindGroup, context: "groups", show: q.showMember, filters: groupFilters}
		kinds = []string{kindGroup}
	}
	l.source = func(v view) []*entity {
		var list []*entity
		held := q.t.rolesOf(v, e.id)
		for _, kind := range kinds {
			for _, o := range q.t.all(v, kind) {
				data := o.read(v)
				members, _ := data["_members"].([]any)
				if slices.Contains(members, any(e.id)) || kind == kindRole && slices.Contains(held, str(data, "roleTemplateId")) {
					list = append(list, o)
				}
			}
		}
		slices.SortFunc(list, func(a, b *entity) int { return a.seq - b.seq })
		return list
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

// memberReaders are the permissions that show what somebody is a member of.
// Without one, a membership comes with its id and nothing else.
// https://learn.microsoft.com/graph/permissions-overview#limited-information-returned-for-inaccessible-member-objects
var memberReaders = map[string][]string{
	kindGroup: {
		"GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All",
		"Directory.Read.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All",
	},
	kindRole: {
		"RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "RoleManagement.Read.All",
		"Directory.Read.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All",
	},
}

// showMember is a group or a role as a token may see it.
func (q *call) showMember(e *entity, v view) object {
	data := e.read(v)
	if slices.ContainsFunc(memberReaders[e.kind], q.tok.has) {
		return data
	}
	hidden := object{}
	for name, value := range data {
		hidden[name] = nil
		if _, isList := value.([]any); isList {
			hidden[name] = []any{}
		}
	}
	return hidden
}

// checkMemberGroups tells which of some groups the signed-in person is in. It
// changes nothing.
// https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups
func (q *call) checkMemberGroups() (*result, error) {
	body, err := q.read("checkMemberGroups_body")
	if err != nil {
		return nil, err
	}
	e, err := q.self()
	if err != nil {
		return nil, err
	}
	ids, _ := body["groupIds"].([]any)
	if len(ids) > 20 {
		return nil, badRequest("The number of group ids is %d. At most 20 are allowed.", len(ids))
	}
	in := []any{}
	for _, id := range ids {
		text, _ := id.(string)
		members, _ := q.t.seen(q.v, kindGroup, text)["_members"].([]any)
		if slices.Contains(members, any(e.id)) {
			in = append(in, id)
		}
	}
	return ok(object{"@odata.context": q.context("Collection(Edm.String)"), "value": in}), nil
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
	if !isGUID(q.keys[0]) {
		return nil, badRequest("Invalid object identifier '%s'.", q.keys[0])
	}
	e := q.t.find(kindGroup, q.keys[0])
	if e == nil || e.live(q.v) == nil {
		return nil, notFound(q.keys[0])
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
		source:  func(v view) []*entity { return q.t.all(v, kindRoleGiven) },
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
