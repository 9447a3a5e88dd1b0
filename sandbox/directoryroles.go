package sandbox

import (
	"net/http"
	"slices"
	"strings"

	"msbundle/catalog"
)

// activateRole makes the directory role visible that a definition stands for: a
// tenant has those only that somebody was given once.
// https://learn.microsoft.com/graph/api/resources/directoryrole
func (c *Cloud) activateRole(t *tenant, roleID string) {
	id := namedGUID(t.id + " role " + roleID)
	if t.find(kindRole, id) == nil {
		c.add(t, kindRole, id, object{
			"deletedDateTime": nil, "description": roleDescription(roleID), "displayName": roleName(roleID), "roleTemplateId": roleID,
		}, true)
	}
}

// givenID is the id of a role assignment, the same whenever it is made.
func givenID(principalID, roleID string) string {
	return strings.ReplaceAll(roleID+principalID, "-", "")[:43]
}

// given is a role assignment for the whole tenant.
func given(t *tenant, principalID, roleID string) object {
	return object{"directoryScopeId": "/", "principalId": principalID, "principalOrganizationId": t.id, "roleDefinitionId": roleID}
}

// createRoleAssignment gives a directory role to a person, a group or an app.
// https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments
func (q *call) createRoleAssignment() (*result, error) {
	body, err := q.read("unifiedRoleAssignment_create")
	if err != nil {
		return nil, err
	}
	if err := q.person(privilegedRoles...); err != nil {
		return nil, err
	}
	role, principal := strings.ToLower(str(body, "roleDefinitionId")), strings.ToLower(str(body, "principalId"))
	if body["directoryScopeId"] == nil && body["appScopeId"] == nil {
		return nil, badRequest("Either directoryScopeId or appScopeId must be specified.")
	}
	if str(body, "directoryScopeId") != "/" {
		return nil, badRequest("The directory scope '%s%s' is not valid for this role.", str(body, "directoryScopeId"), str(body, "appScopeId"))
	}
	if !slices.ContainsFunc(roleTemplates(), func(r catalog.Role) bool { return r.TemplateID == role }) {
		return nil, notFound(role)
	}
	if err := q.mayHoldRoles(principal); err != nil {
		return nil, err
	}
	if slices.Contains(q.t.rolesOf(q.c.master(), principal), role) {
		e := badRequest("A conflicting object with one or more of the specified property values is present in the directory.")
		return nil, e.with("ConflictingObjects", e.message, "")
	}
	if err := q.exclusive(principal); err != nil {
		return nil, err
	}
	q.c.activateRole(q.t, role)
	id, data := givenID(principal, role), given(q.t, principal, role)
	if e := q.t.find(kindRoleGiven, id); e != nil {
		q.c.write(e, data)
	} else {
		q.c.add(q.t, kindRoleGiven, id, data, false)
	}
	shown := q.project(with(data, object{"id": id}), kindRoleGiven)
	shown["@odata.context"] = q.context("roleManagement/directory/roleAssignments/$entity")
	return created(shown, q.url("/roleManagement/directory/roleAssignments/"+id)), nil
}

// mayHoldRoles tells whether a role can be given to something, as far as the
// replica of the call knows of it.
// https://learn.microsoft.com/entra/identity/role-based-access-control/groups-concept
func (q *call) mayHoldRoles(id string) error {
	if group := q.t.seen(q.v, kindGroup, id); group != nil {
		if group["isAssignableToRole"] != true {
			return badRequest("Groups without IsAssignableToRole property set cannot be assigned to roles.")
		}
		return nil
	}
	if q.t.seen(q.v, kindUser, id) == nil && q.t.seen(q.v, kindPrincipal, id) == nil {
		return notFound(id)
	}
	return nil
}

// roleAssignment finds the assignment a path names.
func (q *call) roleAssignment() (*entity, error) {
	if e := q.t.find(kindRoleGiven, q.keys[0]); e != nil && e.live(q.v) != nil {
		return e, nil
	}
	for _, e := range q.partnerRoles() {
		if e.id == q.keys[0] && q.method == http.MethodGet {
			return e, nil
		}
	}
	return nil, notFound(q.keys[0])
}

func (q *call) getRoleAssignment() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	e, err := q.roleAssignment()
	if err != nil {
		return nil, err
	}
	return q.one(e, e.read(q.v), kindRoleGiven, "roleManagement/directory/roleAssignments")
}

// deleteRoleAssignment takes a directory role away. An administrator cannot give
// up being Global Administrator, so that there always is one.
// https://learn.microsoft.com/entra/identity/role-based-access-control/manage-roles-portal
func (q *call) deleteRoleAssignment() (*result, error) {
	if err := q.person(privilegedRoles...); err != nil {
		return nil, err
	}
	e, err := q.roleAssignment()
	if err != nil {
		return nil, err
	}
	data, err := q.current(e)
	if err != nil {
		return nil, err
	}
	if str(data, "roleDefinitionId") == catalog.RoleGlobalAdministrator {
		if str(data, "principalId") == q.tok.ObjectID {
			return nil, badRequest("Removing self from Global Administrator built-in role is not allowed")
		}
		if err := q.notTheLast(str(data, "principalId")); err != nil {
			return nil, err
		}
	}
	if err := q.exclusive(str(data, "principalId")); err != nil {
		return nil, err
	}
	q.c.write(e, nil)
	return noContent(), nil
}

// notTheLast refuses to leave a tenant without a Global Administrator.
func (q *call) notTheLast(principal string) error {
	for _, e := range q.t.all(q.c.master(), kindRoleGiven) {
		data := e.read(q.c.master())
		if str(data, "roleDefinitionId") == catalog.RoleGlobalAdministrator && str(data, "principalId") != principal {
			return nil
		}
	}
	return badRequest("Removing the last Global Administrator of the tenant is not allowed")
}

// ---- who is mightier than whom

// plainRoles do not make their holder privileged: who may reset passwords at all
// may reset theirs.
// https://learn.microsoft.com/entra/identity/role-based-access-control/privileged-roles-permissions
var plainRoles = []string{roleUserAdmin, roleGroupsAdmin, roleReportsReader}

// accountMakers make accounts and accountAdmins change them; privilegedAccountAdmins
// also those of other administrators.
// https://learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions
var (
	accountMakers           = []string{catalog.RoleGlobalAdministrator, roleUserAdmin}
	privilegedAccountAdmins = []string{catalog.RoleGlobalAdministrator, rolePrivilegedAuthAdmin}
	accountAdmins           = append([]string{roleUserAdmin}, privilegedAccountAdmins...)
)

// privileged tells whether an account holds a role that protects it.
func (t *tenant) privileged(v view, id string) bool {
	return slices.ContainsFunc(t.effectiveRoles(v, id), func(r string) bool { return !slices.Contains(plainRoles, r) })
}

// sensitive refuses to do something to a privileged account, unless the app may
// do everything in the name of a person who is mightier, or has a permission made
// for it.
func (q *call) sensitive(id string, permissions ...string) error {
	if !q.t.privileged(q.c.master(), id) {
		return nil
	}
	permissions = append(permissions, "Directory.AccessAsUser.All")
	if q.tok.IDType == "app" || !slices.ContainsFunc(permissions, q.tok.has) {
		return denied()
	}
	return q.person(privilegedAccountAdmins...)
}
