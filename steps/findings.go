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
	Disabled    bool // nobody can sign in to it
	Assigned    bool // only people it is assigned to can
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

// Around is what lies around the setup: what the checks tell of and no plan is
// made from. Where a part could not be read, Unread has it.
type Around struct {
	Groups           []string // object ids of the groups the account is in
	AgentGroups      []string // object ids of the groups called AdminAgents
	Eligible         []string // template ids of roles the account could activate
	SecurityDefaults bool
	MembersRegister  bool // people without a role may register apps
	Policies         []AccessPolicy
	Plans            []string     // names of the service plans the tenant has
	Deleted          []AppSummary // deleted apps of the chosen name that can be restored
	Leftovers        []Principal  // the vendor's enterprise apps of before the bundle
	VendorApp        *Principal   // the vendor's connector, whatever was chosen
	SignInApp        *SignInApp
	Subscriptions    []Subscription
	Partner          PartnerAccount
	Unread           map[Part]Unread

	signInApp *Principal // what SignInApp tells the grants of
}

// Part is something around the setup that is read by itself.
type Part string

// The parts.
const (
	PartDirectory  Part = "directory" // apps and APIs, without which there is no plan
	PartGroups     Part = "groups"
	PartAgents     Part = "agents"
	PartEligible   Part = "eligible"
	PartDefaults   Part = "defaults"
	PartPolicies   Part = "policies"
	PartMembers    Part = "members"
	PartPlans      Part = "plans"
	PartDeleted    Part = "deleted"
	PartVendorApps Part = "vendor-apps"
	PartSignInApp  Part = "sign-in-app"
	PartAzure      Part = "azure"
	PartVaults     Part = "vaults"
	PartPartner    Part = "partner"
	PartCustomers  Part = "customers"

	PartDelegation Part = "delegation" // relationships with customers
	PartContracts  Part = "contracts"
	PartRoleGroups Part = "role-groups"

	PartMethods      Part = "methods-policy"
	PartRegistered   Part = "registered-methods"
	PartDeletedUsers Part = "deleted-users"
	PartPerUserMFA   Part = "per-user-mfa"
	PartRBAC         Part = "azure-roles"
	PartRegistration Part = "azure-provider"
)

// Unread is why a part could not be read.
type Unread struct {
	Why string // what happened
	Fix string // what would show it
}

// SignInApp is what the client people sign in through has in the tenant.
type SignInApp struct {
	Name     string
	Mine     []string // delegated permissions for this account
	Everyone []string // delegated permissions for every user
}

// Subscription is an Azure subscription the account can see.
type Subscription struct {
	ID     string
	Name   string
	State  string
	Usable bool // enabled, and of this tenant
	Vaults []string
}

// PartnerAccount is what Partner Center says of the tenant.
type PartnerAccount struct {
	Name      string // the partner's; empty when it is not shown
	Refused   bool   // nothing is shown: the tenant is no partner's, or the account no admin agent
	Customers int
	Unlisted  bool // the customers are not shown, as to an indirect reseller
}
