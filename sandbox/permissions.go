package sandbox

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"slices"
	"strings"

	"msbundle/catalog"
)

//go:embed data/operations.csv.gz
var operationsCSV []byte

// permissionRow says which permissions an operation accepts: one alternative of
// which every part must be in the token.
// https://learn.microsoft.com/graph/permissions-reference
type permissionRow struct {
	delegated   [][]string
	application [][]string
}

// permissionRows is the table, by method and path and then by kind of object.
func permissionRows() map[string]map[string]permissionRow {
	rows, err := csv.NewReader(bytes.NewReader(unpacked(operationsCSV))).ReadAll()
	if err != nil {
		panic("sandbox: embedded operations table: " + err.Error())
	}
	table := map[string]map[string]permissionRow{}
	for _, row := range rows[1:] {
		key := row[1] + " " + row[2]
		if table[key] == nil {
			table[key] = map[string]permissionRow{}
		}
		table[key][row[5]] = permissionRow{delegated: alternatives(row[3]), application: alternatives(row[4])}
	}
	return table
}

func alternatives(text string) [][]string {
	if text == "" {
		return nil
	}
	var all [][]string
	for alternative := range strings.SplitSeq(text, "|") {
		all = append(all, strings.Split(alternative, "+"))
	}
	return all
}

// permits tells whether a token carries what the operation takes.
func (op *operation) permits(t *token, kind string) bool { return t.meets(op.rows[kind]) }

func (t *token) meets(row permissionRow) bool {
	accepted := row.delegated
	if t.IDType == "app" {
		accepted = row.application
	}
	return slices.ContainsFunc(accepted, func(all []string) bool {
		return !slices.ContainsFunc(all, func(p string) bool { return !t.has(p) })
	})
}

// Template ids of roles that matter only to the rules here.
const (
	roleGlobalReader           = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	roleApplicationDeveloper   = "cf1c38e5-3621-4004-a7cb-879624dced7c"
	roleConditionalAccessAdmin = "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9"
	roleSecurityAdmin          = "194ae4cb-b126-40b2-bd5b-6091b380977d"
	roleSecurityReader         = "5d6b6bb7-de71-4623-b4af-96380a352509"
	roleAuthAdmin              = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
	roleAuthPolicyAdmin        = "0526716b-113d-4c15-b2c8-68e3c22b9f80"
	roleGroupsAdmin            = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
	rolePrivilegedAuthAdmin    = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
	roleReportsReader          = "4a5d8f65-41da-4de4-8968-e035b65339cf"
	roleUserAdmin              = "fe930be7-5e62-47db-91af-98c3a49a38b1"
)

// appRoles manage app registrations and enterprise apps.
// https://learn.microsoft.com/entra/identity/role-based-access-control/delegate-app-roles
var appRoles = []string{
	catalog.RoleGlobalAdministrator, catalog.RoleApplicationAdministrator, catalog.RoleCloudApplicationAdministrator,
}

// privilegedRoles may give application permissions of Microsoft Graph.
// https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignedto
var privilegedRoles = []string{catalog.RoleGlobalAdministrator, catalog.RolePrivilegedRoleAdministrator}

// person is the second condition of an operation, besides the scopes: the roles
// of who is signed in. An app that acts as itself has only its permissions.
func (q *call) person(roles ...string) error {
	if q.tok.IDType == "app" || q.tok.holds(roles...) {
		return nil
	}
	return denied()
}

// member refuses guests, who see little of a directory.
// https://learn.microsoft.com/entra/fundamentals/users-default-permissions
func (q *call) member() error {
	if q.tok.guest() && !q.tok.holds(append(appRoles, privilegedRoles...)...) {
		return denied()
	}
	return nil
}

// manages allows who holds a role, or owns the object. An app with only
// Application.ReadWrite.OwnedBy has to own it, too.
func (q *call) manages(data object, roles ...string) error {
	owners, _ := data["_owners"].([]any)
	owns := slices.Contains(owners, any(q.tok.ObjectID))
	switch {
	case owns, q.tok.IDType == "user" && q.tok.holds(roles...):
		return nil
	case q.tok.IDType == "app" && (q.tok.has("Application.ReadWrite.All") || q.tok.has("Directory.ReadWrite.All")):
		return nil
	}
	return denied()
}
