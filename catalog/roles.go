package catalog

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
	"sync"
)

// Template ids of the directory roles the setup itself reasons about.
// https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
const (
	RoleGlobalAdministrator           = "62e90394-69f5-4237-9190-012177145e10"
	RoleApplicationAdministrator      = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	RoleCloudApplicationAdministrator = "158c047a-c907-4556-b7ef-446551a6b5f7"
	RolePrivilegedRoleAdministrator   = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	RoleExchangeAdministrator         = "29232cdf-9323-42fd-ade2-1d097af3e4de"
)

// Role is a Microsoft Entra directory role.
type Role struct {
	Name       string
	TemplateID string
	GDAP       bool // one of the roles a GDAP relationship carries
	Purpose    string
}

//go:embed data/roles.csv
var rolesCSV string

// A table that cannot be read counts as empty, as that of the permissions does.
var roles = sync.OnceValue(func() []Role {
	list, _ := parseRoles(rolesCSV)
	return list
})

const roleColumns = "display_name,template_id,use,purpose"

func parseRoles(text string) ([]Role, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("roles table: %w", err)
	}
	if len(rows) == 0 || strings.Join(rows[0], ",") != roleColumns {
		return nil, fmt.Errorf("roles table, row 1: want the columns %s", roleColumns)
	}
	var list []Role
	for _, row := range rows[1:] {
		list = append(list, Role{Name: row[0], TemplateID: row[1], GDAP: row[2] == "gdap", Purpose: row[3]})
	}
	return list, nil
}

// Roles lists the GDAP roles and Global Administrator. The slice is shared: do
// not change it.
func Roles() []Role { return roles() }

// RoleByID finds a role by its template id. Of one that is not in the list only
// the id is known.
func RoleByID(id string) Role {
	for _, r := range roles() {
		if r.TemplateID == id {
			return r
		}
	}
	return Role{Name: id, TemplateID: id}
}

// ServiceRoles lists the roles the service account works with once the setup is
// done: those a GDAP relationship carries.
func ServiceRoles() []Role {
	var out []Role
	for _, r := range roles() {
		if r.GDAP {
			out = append(out, r)
		}
	}
	return out
}
