package sandbox

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// ---- role definitions

const definitionsPath = authorization + "/roleDefinitions/"

func (r azureRole) permission() object {
	return object{"actions": anys(r.actions), "notActions": anys(r.notActions), "dataActions": anys(r.dataActions), "notDataActions": []any{}}
}

// describeRole shows a role as it is in a subscription, or nowhere in particular.
func describeRole(r azureRole, sub string) object {
	return object{
		"id": sub + definitionsPath + r.id, "name": r.id, "type": "Microsoft.Authorization/roleDefinitions",
		"properties": object{
			"roleName": r.name, "type": "BuiltInRole", "description": r.description, "assignableScopes": []any{"/"}, "permissions": []any{r.permission()},
		},
	}
}

var definitionFilter = regexp.MustCompile(`(?i)^(?:(roleName|type) eq '([^']*)'|atScopeAndBelow\(\))$`)

// roleDefinitions lists the roles that can be given at a scope.
// https://learn.microsoft.com/rest/api/authorization/role-definitions/list
func (q *armCall) roleDefinitions() (object, *armError) {
	if _, err := q.at(len(q.keys), "Microsoft.Authorization/roleDefinitions/read"); err != nil {
		return nil, err
	}
	property, value := "", ""
	if text := q.query.Get("$filter"); text != "" {
		m := definitionFilter.FindStringSubmatch(text)
		if m == nil {
			return nil, azure(http.StatusBadRequest, "UnsupportedQuery", "The filter '%s' is not supported.", text)
		}
		property, value = strings.ToLower(m[1]), m[2]
	}
	all := []any{}
	for _, r := range azureRoles {
		if property == "rolename" && !strings.EqualFold(value, r.name) || property == "type" && !strings.EqualFold(value, "BuiltInRole") {
			continue
		}
		all = append(all, describeRole(r, q.where(1)))
	}
	return q.page(all)
}

// roleDefinition shows a role; at no scope it takes no right.
// https://learn.microsoft.com/rest/api/authorization/role-definitions/get
func (q *armCall) roleDefinition() (object, *armError) {
	id, sub := q.keys[len(q.keys)-1], ""
	if len(q.keys) > 1 {
		if _, err := q.at(len(q.keys)-1, "Microsoft.Authorization/roleDefinitions/read"); err != nil {
			return nil, err
		}
		sub = q.where(1)
	}
	role, known := azureRoleByID(id)
	if !known {
		return nil, noRole(id)
	}
	return describeRole(role, sub), nil
}

func noRole(id string) *armError {
	return azure(http.StatusNotFound, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", hex32(id))
}

// hex32 is how the service writes ids in its texts.
func hex32(id string) string { return strings.ToLower(strings.ReplaceAll(id, "-", "")) }

// permissions are what the caller may do at a scope.
// https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource-group
func (q *armCall) permissions() (object, *armError) {
	scope, err := q.at(len(q.keys), "Microsoft.Authorization/permissions/read")
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, r := range q.roles() {
		if within(scope, r.scope) {
			all = append(all, r.permission())
		}
	}
	return q.page(all)
}

// ---- role assignments

func (q *armCall) describeAssignment(e *entity) object {
	data := e.read(q.v)
	scope := str(data, "scope")
	sub, _, _ := strings.Cut(strings.TrimPrefix(scope, "/subscriptions/"), "/")
	properties := object{
		"scope": scope, "principalId": data["principalId"], "principalType": q.typeOf(str(data, "principalId")),
		"roleDefinitionId": "/subscriptions/" + sub + definitionsPath + str(data, "roleDefinitionId"),
	}
	for _, name := range []string{"description", "condition", "conditionVersion", "createdOn", "createdBy", "updatedOn", "updatedBy"} {
		if text := str(data, name); text != "" {
			properties[name] = text
		}
	}
	return object{"id": scope + authorization + "/roleAssignments/" + e.id, "name": e.id, "type": "Microsoft.Authorization/roleAssignments", "properties": properties}
}

// typeOf is what kind of principal an id is; one that is gone is unknown.
func (q *armCall) typeOf(id string) string { return principalType(q.t, q.c.master(), id) }

func principalType(t *tenant, v view, id string) string {
	for kind, name := range map[string]string{kindUser: "User", kindGroup: "Group", kindPrincipal: "ServicePrincipal"} {
		if t.seen(v, kind, id) != nil {
			return name
		}
	}
	return "Unknown"
}

var (
	ofPrincipal = regexp.MustCompile(`(?i)^principalId eq '?([0-9a-f-]{36})'?$`)
	assignedTo  = regexp.MustCompile(`(?i)^assignedTo\('([0-9a-f-]{36})'\)$`)
)

// roleAssignments lists the roles given at a scope, above it and below it.
// https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
func (q *armCall) roleAssignments() (object, *armError) {
	scope, err := q.at(len(q.keys), "Microsoft.Authorization/roleAssignments/read")
	if err != nil {
		return nil, err
	}
	below, who := true, []string(nil)
	if text := q.query.Get("$filter"); text != "" {
		for part := range strings.SplitSeq(text, " and ") {
			part = strings.TrimSpace(part)
			one, any := ofPrincipal.FindStringSubmatch(part), assignedTo.FindStringSubmatch(part)
			switch {
			case strings.EqualFold(part, "atScope()"):
				below = false
			case one != nil && who == nil:
				who = one[1:]
			case any != nil && who == nil:
				who = q.principals(strings.ToLower(any[1]))
			default:
				return nil, azure(http.StatusBadRequest, "UnsupportedQuery",
					"The filter '%s' is not supported. Supported filters are either 'atScope()' or 'principalId eq '{value}' or assignedTo('{value}')'.", text)
			}
		}
	}
	all := []any{}
	for _, e := range q.t.all(q.v, kindAzureRole) {
		data := e.read(q.v)
		given := str(data, "scope")
		if (within(scope, given) || below && within(given, scope)) && (who == nil || containsFold(who, str(data, "principalId"))) {
			all = append(all, q.describeAssignment(e))
		}
	}
	return q.page(all)
}

// given is the assignment a path names, at the scope the path names.
func (q *armCall) given(scope string) *entity {
	e := q.t.find(kindAzureRole, q.keys[len(q.keys)-1])
	if e == nil || e.live(q.v) == nil || !strings.EqualFold(str(e.read(q.v), "scope"), scope) {
		return nil
	}
	return e
}

func (q *armCall) roleAssignment() (object, *armError) {
	scope, err := q.at(len(q.keys)-1, "Microsoft.Authorization/roleAssignments/read")
	if err != nil {
		return nil, err
	}
	e := q.given(scope)
	if e == nil {
		return nil, azure(http.StatusNotFound, "RoleAssignmentNotFound", "The role assignment '%s' is not found.", hex32(q.keys[len(q.keys)-1]))
	}
	return q.describeAssignment(e), nil
}

// assignmentBody is what a role assignment is made of.
type assignmentBody struct {
	Properties *struct {
		RoleDefinitionID string `json:"roleDefinitionId"`
		PrincipalID      string `json:"principalId"`
		PrincipalType    string `json:"principalType"`
		Description      string `json:"description"`
		Condition        string `json:"condition"`
		ConditionVersion string `json:"conditionVersion"`
	} `json:"properties"`
}

// putRoleAssignment gives a role. Repeating it under the same name is fine, under
// another one it is not.
// https://learn.microsoft.com/rest/api/authorization/role-assignments/create
func (q *armCall) putRoleAssignment() (object, *armError) {
	scope, err := q.at(len(q.keys)-1, "Microsoft.Authorization/roleAssignments/write")
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(q.keys[len(q.keys)-1])
	if !isGUID(name) {
		return nil, azure(http.StatusBadRequest, "InvalidRoleAssignmentId", "The role assignment ID '%s' is not valid. The role assignment ID must be a GUID.", name)
	}
	var in assignmentBody
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if in.Properties == nil || in.Properties.RoleDefinitionID == "" {
		return nil, azure(http.StatusBadRequest, "BadRequestFormat", "The request was incorrectly formatted.")
	}
	role, err := q.roleAt(in.Properties.RoleDefinitionID, scope)
	if err != nil {
		return nil, err
	}
	principal := strings.ToLower(in.Properties.PrincipalID)
	if err := q.principalExists(principal, in.Properties.PrincipalType); err != nil {
		return nil, err
	}
	data := object{
		"scope": scope, "principalId": principal, "roleDefinitionId": role.id, "description": in.Properties.Description, "condition": in.Properties.Condition,
		"conditionVersion": in.Properties.ConditionVersion, "updatedOn": precise(q.c.now()), "updatedBy": q.tok.ObjectID,
	}
	same := func(has object) bool {
		return strings.EqualFold(str(has, "scope"), scope) && str(has, "principalId") == principal && str(has, "roleDefinitionId") == role.id
	}
	if e := q.t.find(kindAzureRole, name); e != nil && e.live(q.v) != nil {
		has := e.read(q.v)
		if !same(has) {
			return nil, azure(http.StatusBadRequest, "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
		}
		q.c.write(e, with(data, object{"createdOn": has["createdOn"], "createdBy": has["createdBy"]}))
		return q.describeAssignment(e), nil
	}
	for _, e := range q.t.all(q.v, kindAzureRole) {
		if same(e.read(q.v)) {
			return nil, azure(http.StatusConflict, "RoleAssignmentExists", "The role assignment already exists. The ID of the existing role assignment is %s.", hex32(e.id))
		}
	}
	q.status = http.StatusCreated
	data["createdOn"], data["createdBy"] = data["updatedOn"], q.tok.ObjectID
	return q.describeAssignment(q.store(kindAzureRole, name, data)), nil
}

// roleAt reads the id of a role, which stands in a scope that reaches this one.
func (q *armCall) roleAt(id, scope string) (azureRole, *armError) {
	i := strings.LastIndex(strings.ToLower(id), strings.ToLower(definitionsPath))
	if i < 0 || i > 0 && !within(scope, id[:i]) {
		return azureRole{}, azure(http.StatusBadRequest, "BadRequestFormat", "The request was incorrectly formatted.")
	}
	role, known := azureRoleByID(id[i+len(definitionsPath):])
	if !known {
		return azureRole{}, noRole(id[i+len(definitionsPath):])
	}
	return role, nil
}

var principalTypes = []string{"", "User", "Group", "ServicePrincipal"}

// principalExists: one that was just made need not be known yet, unless the
// request says what it is.
// https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---assigning-a-role-to-a-new-principal-sometimes-fails
func (q *armCall) principalExists(id, says string) *armError {
	v := q.c.look()
	if says != "" {
		v = q.c.master()
	}
	kind := principalType(q.t, v, id)
	switch {
	case !isGUID(id):
		return azure(http.StatusBadRequest, "InvalidPrincipalId", "A valid principal ID must be provided for role assignment.")
	case !slices.Contains(principalTypes, says):
		return azure(http.StatusBadRequest, "BadRequestFormat", "The request was incorrectly formatted.")
	case kind == "Unknown":
		return azure(http.StatusBadRequest, "PrincipalNotFound",
			"Principal %s does not exist in the directory %s. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
			hex32(id), q.t.id)
	case says != "" && says != kind:
		return azure(http.StatusBadRequest, "UnmatchedPrincipalType", "The PrincipalId '%s' has type '%s' , which is different from specified PrinciaplType '%s'.", hex32(id), kind, says)
	}
	return nil
}

// deleteRoleAssignment takes a role away; there being none is fine.
// https://learn.microsoft.com/rest/api/authorization/role-assignments/delete
func (q *armCall) deleteRoleAssignment() (object, *armError) {
	scope, err := q.at(len(q.keys)-1, "Microsoft.Authorization/roleAssignments/delete")
	if err != nil {
		return nil, err
	}
	e := q.given(scope)
	if e == nil {
		q.status = http.StatusNoContent
		return nil, nil
	}
	shown := q.describeAssignment(e)
	q.c.write(e, nil)
	return shown, nil
}
