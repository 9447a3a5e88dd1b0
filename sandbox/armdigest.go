package sandbox

import (
	"slices"
	"strings"
)

// AzureDigest is what a tenant has of Azure.
type AzureDigest struct {
	ResourceGroups  []ResourceGroupDigest   `json:"resourceGroups"`
	Vaults          []VaultDigest           `json:"vaults"`
	RoleAssignments []AzureAssignmentDigest `json:"roleAssignments"`
}

// ResourceGroupDigest is a resource group.
type ResourceGroupDigest struct {
	Subscription string `json:"subscription"` // its display name
	Name         string `json:"name"`
	Location     string `json:"location"`
}

// VaultDigest is a key vault.
type VaultDigest struct {
	Name  string `json:"name"`
	Group string `json:"group"`
	RBAC  bool   `json:"rbac"` // access goes by roles
}

// AzureAssignmentDigest is a role of Azure that somebody has.
type AzureAssignmentDigest struct {
	Principal string `json:"principal"`
	Role      string `json:"role"`
	Scope     string `json:"scope"` // with the name of the subscription in place of its id
}

// azure is nil for a tenant without a subscription.
func (s snapshot) azure() *AzureDigest {
	if len(s.t.all(s.v, kindSubscription)) == 0 {
		return nil
	}
	d := &AzureDigest{ResourceGroups: []ResourceGroupDigest{}, Vaults: []VaultDigest{}, RoleAssignments: []AzureAssignmentDigest{}}
	for _, e := range s.t.all(s.v, kindResourceGroup) {
		subscription, group := s.azurePlace(e.id)
		d.ResourceGroups = append(d.ResourceGroups, ResourceGroupDigest{subscription, group, str(e.read(s.v), "location")})
	}
	for _, e := range s.t.all(s.v, kindVault) {
		_, group := s.azurePlace(e.id)
		data := e.read(s.v)
		d.Vaults = append(d.Vaults, VaultDigest{str(data, "name"), group, data["properties"].(object)["enableRbacAuthorization"] == true})
	}
	for _, e := range s.t.all(s.v, kindAzureRole) {
		data := e.read(s.v)
		role, _ := azureRoleByID(str(data, "roleDefinitionId"))
		who := str(data, "principalId")
		name := s.name(who)
		if group := s.t.seen(s.v, kindGroup, who); group != nil {
			name = str(group, "displayName")
		}
		scope := str(data, "scope")
		if sub, _ := s.azurePlace(scope); sub != "" {
			parts := strings.Split(scope, "/")
			parts[2] = sub
			scope = strings.Join(parts, "/")
		}
		d.RoleAssignments = append(d.RoleAssignments, AzureAssignmentDigest{name, role.name, scope})
	}
	sortJSON(d.ResourceGroups)
	sortJSON(d.Vaults)
	sortJSON(d.RoleAssignments)
	return d
}

// azurePlace is the display name of the subscription and the resource group in a
// path, both empty when they are not in it.
func (s snapshot) azurePlace(path string) (subscription, group string) {
	parts := strings.Split(path, "/")
	if len(parts) > 2 {
		subscription = str(s.t.seen(s.v, kindSubscription, parts[2]), "displayName")
	}
	if len(parts) > 4 {
		group = parts[4]
	}
	return subscription, group
}

// deletedVaults are the names of key vaults that can be recovered.
func (s snapshot) deletedVaults() []string {
	names := []string{}
	for _, e := range s.t.tables[kindVault] {
		data := e.read(s.v)
		if until, deleted := purgedOn(data); deleted && s.v.now.Before(until) {
			names = append(names, str(data, "name"))
		}
	}
	slices.Sort(names)
	return names
}
