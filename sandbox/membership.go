package sandbox

import (
	"regexp"
	"slices"
	"strings"

	"msbundle/catalog"
)

// groupsOf lists the groups somebody is in. No group is inside another here, so
// the transitive list is the same.
func (t *tenant) groupsOf(v view, id string) []*entity {
	return slices.DeleteFunc(t.all(v, kindGroup), func(g *entity) bool {
		members, _ := g.read(v)["_members"].([]any)
		return !slices.Contains(members, any(id))
	})
}

// effectiveRoles are the directory roles of a principal, those of its groups
// included.
func (t *tenant) effectiveRoles(v view, id string) []string {
	roles := t.rolesOf(v, id)
	for _, g := range t.groupsOf(v, id) {
		roles = append(roles, t.rolesOf(v, g.id)...)
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// subject finds somebody a path names: by id or user principal name, or the
// signed-in person below /me. A scope without ".All" covers that one only.
func (q *call) subject() (*entity, error) {
	if strings.HasPrefix(q.path, "/me/") {
		return q.self()
	}
	e := q.userNamed(q.keys[0])
	if (e == nil || e.id != q.tok.ObjectID) && (!q.coversOthers() || q.member() != nil) {
		return nil, denied()
	}
	if e == nil {
		return nil, notFound(q.keys[0])
	}
	return e, nil
}

// coversOthers tells whether what the token is let in with is about everybody.
func (q *call) coversOthers() bool {
	rows := q.op.rows[""].delegated
	if q.tok.IDType == "app" {
		rows = q.op.rows[""].application
	}
	return slices.ContainsFunc(rows, func(all []string) bool {
		missing := func(p string) bool { return !q.tok.has(p) }
		return !slices.ContainsFunc(all, missing) && !slices.ContainsFunc(all, func(p string) bool { return own.MatchString(p) })
	})
}

// own are scopes that cover the signed-in person only.
var own = regexp.MustCompile(`^[A-Za-z]+\.Read(Write)?$`)

// memberOf lists the groups and directory roles of somebody.
// https://learn.microsoft.com/graph/api/user-list-transitivememberof
func (q *call) memberOf() (*result, error) {
	e, err := q.subject()
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
		held := q.t.rolesOf(v, e.id)
		if strings.Contains(q.path, "/transitiveMemberOf") {
			held = q.t.effectiveRoles(v, e.id)
		}
		var list []*entity
		if slices.Contains(kinds, kindGroup) {
			list = q.t.groupsOf(v, e.id)
		}
		if slices.Contains(kinds, kindRole) {
			list = append(list, slices.DeleteFunc(q.t.all(v, kindRole), func(r *entity) bool {
				return !slices.Contains(held, str(r.read(v), "roleTemplateId"))
			})...)
		}
		slices.SortFunc(list, func(a, b *entity) int { return a.seq - b.seq })
		return list
	}
	return q.list(l)
}

// memberReaders are the permissions that show what somebody is a member of, and
// who is a member. Without one, it comes with its id and nothing else.
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
	kindUser: {
		"User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All",
	},
	kindPrincipal: {
		"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All",
	},
}

// showMember is a member, or what it is a member of, as a token may see it.
func (q *call) showMember(e *entity, v view) object {
	data := e.read(v)
	if e.kind == kindUser && q.selected() == nil {
		data = q.project(data, kindUser)
	}
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

// checkMemberGroups tells which of some groups somebody is in. It changes nothing.
// https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups
func (q *call) checkMemberGroups() (*result, error) {
	body, err := q.read("checkMemberGroups_body")
	if err != nil {
		return nil, err
	}
	e, err := q.subject()
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

// getMemberGroups lists the ids of all the groups somebody is in. It changes
// nothing.
// https://learn.microsoft.com/graph/api/directoryobject-getmembergroups
func (q *call) getMemberGroups() (*result, error) {
	body, err := q.read("getMemberGroups_body")
	if err != nil {
		return nil, err
	}
	e, err := q.subject()
	if err != nil {
		return nil, err
	}
	in := []any{}
	for _, g := range q.t.groupsOf(q.v, e.id) {
		if body["securityEnabledOnly"] != true || g.read(q.v)["securityEnabled"] == true {
			in = append(in, g.id)
		}
	}
	return ok(object{"@odata.context": q.context("Collection(Edm.String)"), "value": in}), nil
}

// ---- the members of a group

// group finds the group a path names.
func (q *call) group() (*entity, error) {
	if !isGUID(q.keys[0]) {
		return nil, badRequest("Invalid object identifier '%s'.", q.keys[0])
	}
	if e := q.t.find(kindGroup, q.keys[0]); e != nil && e.live(q.v) != nil {
		return e, nil
	}
	return nil, notFound(q.keys[0])
}

// groupMembers lists who is in a group.
// https://learn.microsoft.com/graph/api/group-list-members
func (q *call) groupMembers() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	group, err := q.group()
	if err != nil {
		return nil, err
	}
	return q.list(listing{
		kind: "directoryObject", context: "directoryObjects", mixed: true, show: q.showMember,
		source: func(v view) []*entity {
			var list []*entity
			members, _ := group.read(v)["_members"].([]any)
			for _, id := range members {
				if e := q.memberNamed(v, id.(string)); e != nil {
					list = append(list, e)
				}
			}
			slices.SortFunc(list, func(a, b *entity) int { return a.seq - b.seq })
			return list
		},
	})
}

// memberNamed finds what can be in a group.
func (q *call) memberNamed(v view, id string) *entity {
	for _, kind := range []string{kindUser, kindPrincipal} {
		if e := q.t.find(kind, id); e != nil && e.live(v) != nil {
			return e
		}
	}
	return nil
}

// groupAdmins manage the members of groups, besides their owners.
var groupAdmins = []string{catalog.RoleGlobalAdministrator, roleUserAdmin, roleGroupsAdmin}

// managedGroup finds a group whose members the caller may change, as it is now.
func (q *call) managedGroup() (*entity, object, error) {
	e, err := q.group()
	if err != nil {
		return nil, nil, err
	}
	data, err := q.current(e)
	if err != nil {
		return nil, nil, err
	}
	owners, _ := data["_owners"].([]any)
	if data["isAssignableToRole"] == true {
		if !q.tok.has("RoleManagement.ReadWrite.Directory") {
			return nil, nil, denied()
		}
		err = q.person(privilegedRoles...)
	} else {
		err = q.person(groupAdmins...)
	}
	if slices.Contains(owners, any(q.tok.ObjectID)) {
		err = nil
	}
	return e, data, err
}

var reference = regexp.MustCompile(`^https?://[^/]+/(?:v1\.0|beta)/(?:directoryObjects|users|servicePrincipals)/([^/]+)$`)

// addMember puts somebody into a group.
// https://learn.microsoft.com/graph/api/group-post-members
func (q *call) addMember() (*result, error) {
	body, err := q.read("reference_create")
	if err != nil {
		return nil, err
	}
	e, data, err := q.managedGroup()
	if err != nil {
		return nil, err
	}
	link := reference.FindStringSubmatch(str(body, "@odata.id"))
	if link == nil || !isGUID(link[1]) {
		return nil, badRequest("Invalid URL format specified in @odata.id for navigation property 'members'.")
	}
	who := q.memberNamed(q.v, link[1])
	if who == nil {
		return nil, notFound(link[1])
	}
	members, _ := data["_members"].([]any)
	if slices.Contains(members, any(who.id)) {
		return nil, badRequest("One or more added object references already exist for the following modified properties: 'members'.")
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.write(e, with(data, object{"_members": append(slices.Clone(members), any(who.id))}))
	return noContent(), nil
}

// removeMember takes somebody out of a group.
// https://learn.microsoft.com/graph/api/group-delete-members
func (q *call) removeMember() (*result, error) {
	e, data, err := q.managedGroup()
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(q.keys[1])
	members, _ := data["_members"].([]any)
	if !slices.Contains(members, any(id)) {
		return nil, notFound(id)
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.write(e, withoutMember(data, id))
	return noContent(), nil
}

// withoutMember is a group somebody is no longer in.
func withoutMember(group object, id string) object {
	members, _ := group["_members"].([]any)
	return with(group, object{"_members": slices.DeleteFunc(slices.Clone(members), func(m any) bool { return m == any(id) })})
}
