package catalog

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Kind says on whose behalf a permission acts.
type Kind string

const (
	Delegated   Kind = "delegated"   // on behalf of a signed-in user; "Scope" in a manifest
	Application Kind = "application" // as the app itself; "Role" in a manifest
)

// ManifestType is the word requiredResourceAccess uses for the kind.
func (k Kind) ManifestType() string {
	if k == Application {
		return "Role"
	}
	return "Scope"
}

// Tier says how much the vendor's bundle depends on a permission.
type Tier int

const (
	Minimum     Tier = iota + 1 // the integration cannot be authorised without it
	Recommended                 // removing it breaks the vendor's own checks or prebuilt automations
	Stock                       // preselected by the vendor
	Optional                    // known, but not preselected
)

var tierNames = map[Tier]string{Minimum: "minimum", Recommended: "recommended", Stock: "stock", Optional: "optional"}

func (t Tier) String() string { return tierNames[t] }

// ParseTier reads the word setup.yaml uses for a tier.
func ParseTier(s string) (Tier, bool) {
	for t, name := range tierNames {
		if name == s {
			return t, true
		}
	}
	return 0, false
}

// Permission is one permission of one kind: a name that exists as delegated and
// as application permission is two of these.
type Permission struct {
	Integration string
	Resource    string // app id of the API it belongs to
	Name        string // "User.Read.All"
	ID          string // Microsoft's id; for APIs other than Graph see Note
	Kind        Kind
	Tier        Tier
	Privilege   int // Microsoft's rating 1 (least) to 4 (most powerful); 0 when not rated
	UsedFor     string
	Note        string // what is uncertain or contradictory about this row
}

// Key names a permission uniquely across APIs and kinds.
func (p Permission) Key() string { return p.Resource + "/" + p.Name + "/" + string(p.Kind) }

//go:embed data/permissions.csv
var permissionsCSV string

// A table that cannot be read is a build that was never tested: it counts as empty
// rather than ending the program.
var permissions = sync.OnceValue(func() []Permission {
	list, _ := parsePermissions(permissionsCSV)
	return list
})

// Permissions lists every permission the vendor's bundle asks for. The slice is
// shared: do not change it.
func Permissions() []Permission { return permissions() }

const permissionColumns = "integration,resource_app_id,resource_name,permission,permission_id,type,tier,privilege_level,used_for,note"

// parsePermissions reads the table. An error names the line of the row it is
// about, counted in the file.
func parsePermissions(text string) ([]Permission, error) {
	table := csv.NewReader(strings.NewReader(text))
	header, err := table.Read()
	if err != nil {
		return nil, fmt.Errorf("permissions table: %w", err)
	}
	if got := strings.Join(header, ","); got != permissionColumns {
		return nil, fmt.Errorf("permissions table, row 1: columns %s, want %s", got, permissionColumns)
	}
	var list []Permission
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("permissions table: %w", err)
		}
		p, err := parsePermission(row)
		if err != nil {
			line, _ := table.FieldPos(0)
			return nil, fmt.Errorf("permissions table, row %d: %w", line, err)
		}
		list = append(list, p)
	}
}

func parsePermission(row []string) (Permission, error) {
	p := Permission{
		Integration: row[0], Resource: row[1], Name: row[3], ID: row[4], Kind: Kind(row[5]), UsedFor: row[8], Note: row[9],
	}
	if p.Kind != Delegated && p.Kind != Application {
		return p, fmt.Errorf("unknown type %q", row[5])
	}
	var ok bool
	if p.Tier, ok = ParseTier(row[6]); !ok {
		return p, fmt.Errorf("unknown tier %q", row[6])
	}
	if row[7] != "" {
		var err error
		if p.Privilege, err = strconv.Atoi(row[7]); err != nil || p.Privilege < 1 || p.Privilege > 4 {
			return p, fmt.Errorf("privilege level %q is none of 1 to 4", row[7])
		}
	}
	return p, nil
}

// Limits on delegated scopes and on an application's manifest.
const (
	// ScopeCharLimit is Microsoft Graph's documented limit for the scope
	// property of an oauth2PermissionGrant, in characters.
	// https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant
	ScopeCharLimit = 3850
	// ScopeByteLimit is what the sign-in service and the vendor's screen
	// accept, in bytes of UTF-16 (AADSTS650051, property DelegationScope).
	ScopeByteLimit = 8000
	// ManifestPermissionLimit is how many permissions one application object
	// may list over all APIs.
	// https://learn.microsoft.com/entra/identity-platform/supported-accounts-validation
	ManifestPermissionLimit = 400
)

// CoveredBy names the permission that includes everything name allows:
// "X.ReadWrite.All" for "X.Read.All". Empty when there is no such form.
func CoveredBy(name string) string {
	parts := strings.Split(name, ".")
	read := slices.Index(parts[1:], "Read") + 1
	if read == 0 || strings.Contains(name, ".ReadWrite") {
		return ""
	}
	parts[read] = "ReadWrite"
	return strings.Join(parts, ".")
}
