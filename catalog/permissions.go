package catalog

import (
	_ "embed"
	"encoding/csv"
	"fmt"
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

// The table is checked by a test, so a row that cannot be read is a build that was
// never tested; it is left out rather than ending the program.
var permissions = sync.OnceValue(func() []Permission {
	list, _ := parsePermissions(permissionsCSV)
	return list
})

// Permissions lists every permission the vendor's bundle asks for. The slice is
// shared: do not change it.
func Permissions() []Permission { return permissions() }

func parsePermissions(text string) ([]Permission, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("permissions table: %w", err)
	}
	list := make([]Permission, 0, len(rows)-1)
	for n, row := range rows[1:] {
		tier, ok := ParseTier(row[6])
		if !ok {
			return nil, fmt.Errorf("permissions table, row %d: unknown tier %q", n+2, row[6])
		}
		privilege := 0
		if row[7] != "" {
			if privilege, err = strconv.Atoi(row[7]); err != nil {
				return nil, fmt.Errorf("permissions table, row %d: privilege level %q", n+2, row[7])
			}
		}
		list = append(list, Permission{
			Integration: row[0], Resource: row[1], Name: row[3], ID: row[4], Kind: Kind(row[5]),
			Tier: tier, Privilege: privilege, UsedFor: row[8], Note: row[9],
		})
	}
	return list, nil
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
	if strings.Contains(name, ".ReadWrite") || !hasReadPart(name) {
		return ""
	}
	return strings.Replace(name, ".Read", ".ReadWrite", 1)
}

func hasReadPart(name string) bool {
	for _, part := range strings.Split(name, ".")[1:] {
		if part == "Read" {
			return true
		}
	}
	return false
}
