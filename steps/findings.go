package steps

import (
	"encoding/json"
	"time"

	"msbundle/catalog"
)

// Resource is the service principal of a Microsoft API in the tenant, with the
// permissions it publishes there.
type Resource struct {
	ObjectID string
	AppID    string
	Name     string
	Roles    map[string]string // application permissions: name to id
	Scopes   map[string]string // delegated permissions: name to id
}

// PermissionID finds the id of a permission the API publishes.
func (r Resource) PermissionID(name string, kind catalog.Kind) (string, bool) {
	m := r.Scopes
	if kind == catalog.Application {
		m = r.Roles
	}
	id, ok := m[name]
	return id, ok
}

// PermissionName finds the name of a permission id the API publishes.
func (r Resource) PermissionName(id string, kind catalog.Kind) string {
	m := r.Scopes
	if kind == catalog.Application {
		m = r.Roles
	}
	for name, have := range m {
		if have == id {
			return name
		}
	}
	return ""
}

// Application is an app registration as the tenant holds it.
type Application struct {
	AppSummary
	RedirectURIs   []string
	IDTokens       bool
	AccessTokens   bool
	PublicFallback bool
	Tags           []string
	Required       []RequiredAccess
	Passwords      []PasswordFound
	Raw            json.RawMessage // as read, for the before-image
}

// RequiredAccess is what an app lists for one API.
type RequiredAccess struct {
	ResourceAppID string           `json:"resourceAppId"`
	Access        []ResourceAccess `json:"resourceAccess"`
}

// ResourceAccess is one permission an app lists.
type ResourceAccess struct {
	ID   string `json:"id"`
	Type string `json:"type"` // "Scope" or "Role"
}

// PasswordFound is a client secret as it can be read: never its value.
type PasswordFound struct {
	KeyID   string
	Name    string
	Expires time.Time
}

// Principal is a service principal and what it was granted.
type Principal struct {
	ObjectID    string
	AppID       string
	Name        string
	Tags        []string
	Grants      []Grant
	Assignments []Assignment
}

// Grant is a delegated permission grant for the whole tenant.
type Grant struct {
	ID         string
	ResourceID string // object id of the API's service principal
	Scopes     []string
	Raw        json.RawMessage
}

// Assignment is an application permission granted to a service principal.
type Assignment struct {
	ID         string
	ResourceID string
	RoleID     string
}

// SecretPolicy is what the tenant's app management policy says of secrets.
type SecretPolicy struct {
	Known       bool          // the policy could be read
	Own         bool          // the app has a policy of its own, which may say otherwise
	Forbidden   bool          // no new secrets
	MaxLifetime time.Duration // 0 means no limit
}
