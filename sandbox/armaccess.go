package sandbox

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// azureRole is a built-in role of Azure. They have nothing to do with those of
// the directory: a Global Administrator has none of them.
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
type azureRole struct {
	id, name, description            string
	actions, notActions, dataActions []string
}

const (
	azureOwner              = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	azureContributor        = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	azureReader             = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	azureUserAccessAdmin    = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
	azureVaultAdministrator = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
	azureVaultReader        = "21090545-7ca7-4776-b22c-e363652d74d2"
)

// vaultDataRole is what the roles for what is inside key vaults may do outside.
var vaultDataRole = []string{
	"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Resources/deployments/*",
	"Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*", "Microsoft.KeyVault/checkNameAvailability/read",
	"Microsoft.KeyVault/deletedVaults/read", "Microsoft.KeyVault/locations/*/read", "Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/operations/read",
}

var azureRoles = []azureRole{
	{azureOwner, "Owner", "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.", []string{"*"}, nil, nil},
	{
		azureContributor, "Contributor", "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC.",
		[]string{"*"},
		[]string{
			"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.Authorization/elevateAccess/Action",
			"Microsoft.Blueprint/blueprintAssignments/write", "Microsoft.Blueprint/blueprintAssignments/delete", "Microsoft.Compute/galleries/share/action",
		},
		nil,
	},
	{azureReader, "Reader", "View all resources, but does not allow you to make any changes.", []string{"*/read"}, nil, nil},
	{
		azureUserAccessAdmin, "User Access Administrator", "Lets you manage user access to Azure resources.",
		[]string{"*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"},
		nil, nil,
	},
	{
		azureVaultAdministrator, "Key Vault Administrator", "Perform all data plane operations on a key vault and all objects in it, including certificates, keys, and secrets.",
		vaultDataRole, nil,
		[]string{"Microsoft.KeyVault/vaults/*"},
	},
	{
		azureVaultReader, "Key Vault Reader", "Read metadata of key vaults and its certificates, keys, and secrets.",
		vaultDataRole, nil,
		[]string{"Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"},
	},
}

func azureRoleByID(id string) (azureRole, bool) {
	i := slices.IndexFunc(azureRoles, func(r azureRole) bool { return strings.EqualFold(r.id, id) })
	if i < 0 {
		return azureRole{}, false
	}
	return azureRoles[i], true
}

// actionPatterns are the patterns of all roles, ready to compare with. A star
// stands for any part of an action, with its slash also for none.
// https://learn.microsoft.com/azure/role-based-access-control/role-definitions#actions-format
var actionPatterns = sync.OnceValue(func() map[string]*regexp.Regexp {
	patterns := map[string]*regexp.Regexp{}
	for _, r := range azureRoles {
		for _, p := range slices.Concat(r.actions, r.notActions) {
			text := strings.ReplaceAll(regexp.QuoteMeta(p), `/\*/`, `/(.*/)?`)
			patterns[p] = regexp.MustCompile(`(?i)^` + strings.ReplaceAll(text, `\*`, `.*`) + `$`)
		}
	}
	return patterns
})

// allows tells whether a role includes an action.
func (r azureRole) allows(action string) bool {
	matches := func(p string) bool { return actionPatterns()[p].MatchString(action) }
	return slices.ContainsFunc(r.actions, matches) && !slices.ContainsFunc(r.notActions, matches)
}

// principals are the ids a role can have been given to for somebody to have it.
func (q *armCall) principals(id string) []string {
	ids := []string{id}
	for _, g := range q.t.all(q.v, kindGroup) {
		if members, _ := g.read(q.v)["_members"].([]any); slices.Contains(members, any(id)) {
			ids = append(ids, g.id)
		}
	}
	return ids
}

// roleAt is a role somebody has, and where.
type roleAt struct {
	azureRole
	scope string
}

// roles are the caller's.
func (q *armCall) roles() []roleAt {
	var roles []roleAt
	who := q.principals(q.tok.ObjectID)
	for _, e := range q.t.all(q.v, kindAzureRole) {
		given := e.read(q.v)
		if role, known := azureRoleByID(str(given, "roleDefinitionId")); known && slices.Contains(who, str(given, "principalId")) {
			roles = append(roles, roleAt{role, str(given, "scope")})
		}
	}
	return roles
}

// within tells whether a path is in a scope.
func within(path, scope string) bool {
	path, scope = strings.ToLower(path), strings.ToLower(strings.TrimSuffix(scope, "/"))
	return path == scope || strings.HasPrefix(path, scope+"/")
}

// may tells whether the caller can do something: a role further up counts for
// everything below.
func (q *armCall) may(action, path string) bool {
	return slices.ContainsFunc(q.roles(), func(r roleAt) bool { return within(path, r.scope) && r.allows(action) })
}

// sees: a subscription is visible to whoever has a role for anything in it.
func (q *armCall) sees(sub string) bool {
	path := "/subscriptions/" + sub
	return slices.ContainsFunc(q.roles(), func(r roleAt) bool { return within(path, r.scope) || within(r.scope, path) })
}

func (q *armCall) unauthorized(action, scope string) *armError {
	who := q.tok.UPN
	if who == "" {
		who = q.tok.AppID
	}
	return azure(http.StatusForbidden, "AuthorizationFailed",
		"The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		who, q.tok.ObjectID, action, scope)
}

// where is the scope the first n keys name, as far as it can be told without
// looking whether it is there.
func (q *armCall) where(n int) string {
	path := "/subscriptions/" + strings.ToLower(q.keys[0])
	if n > 1 {
		path += "/resourceGroups/" + q.keys[1]
	}
	if n > 2 {
		path += keyVault + "/vaults/" + q.keys[2]
	}
	return path
}

// at makes sure that the caller may do something at the subscription, the
// resource group or the vault the first n keys name, and then that it is there.
// It returns the path as it was made.
func (q *armCall) at(n int, action string) (string, *armError) {
	if _, err := q.found(); err != nil {
		return "", err
	}
	path := q.where(n)
	if !q.may(action, path) {
		return "", q.unauthorized(action, path)
	}
	if n == 1 {
		return path, nil
	}
	group := q.t.find(kindResourceGroup, q.where(2))
	if group == nil || group.live(q.v) == nil {
		return "", azure(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", q.keys[1])
	}
	if n == 2 {
		return group.id, nil
	}
	vault := q.t.find(kindVault, path)
	if vault == nil || vault.live(q.v) == nil {
		return "", azure(http.StatusNotFound, "ResourceNotFound",
			"The Resource 'Microsoft.KeyVault/vaults/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", q.keys[2], q.keys[1])
	}
	return vault.id, nil
}
