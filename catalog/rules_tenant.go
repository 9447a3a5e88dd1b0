package catalog

// Pages the rules of this file rest on.
const (
	usersPage       = "https://learn.microsoft.com/graph/api/user-post-users"
	userPolicyPage  = "https://learn.microsoft.com/entra/identity/authentication/concept-sspr-policy"
	rolesPage       = "https://learn.microsoft.com/graph/api/unifiedroleassignment-delete"
	accessPage      = "https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy"
	directoryLimits = "https://learn.microsoft.com/entra/identity/users/directory-service-limits-restrictions"
	azureRolesPage  = "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting"
	azureNamesPage  = "https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"
)

// tenantRules are the refusals met while a tenant is made ready: of the service
// account, its roles and policies, and of Azure.
var tenantRules = []Rule{
	{
		ID: "user.bad-name", Where: AtGraph,
		Texts: []string{"property userprincipalname is invalid"},
		Also:  []Match{{All: []string{"invalid value specified for property"}, Any: []string{"of resource user"}}},
		Cause: "A value of the account is not accepted: its user name has a character that is not allowed, or a name is empty or too long.",
		Fix:   "Use letters, digits and ' . - _ ! # ^ ~ before the @, no dot at either end, and at most 64 characters; a display name has at most 256.",
		Who:   ByYouHere, Source: userPolicyPage,
	},
	{
		ID: "user.federated-domain", Where: AtGraph,
		Texts: []string{"sourceanchor is a required property", "required property for creation of a federated user"},
		Cause: "The account's domain is federated: its people sign in elsewhere, so Microsoft can hold no password for a new one.",
		Fix:   "Make the account at a managed domain; the one that ends in onmicrosoft.com always is.",
		Here:  "Name the account with a managed domain, such as the one that ends in onmicrosoft.com (serviceAccount.username).",
		Who:   ByYouHere, Source: "https://learn.microsoft.com/entra/identity/users/domains-manage",
	},
	{
		ID: "user.synced", Where: AtGraph,
		Texts: []string{"on premises mastered directory sync objects", "objects currently undergoing migration"},
		Cause: "The account is synchronised from the organisation's own directory, and only that can change it.",
		Fix:   "Change it there, or use an account that lives in Microsoft's cloud only, as a service account should.",
		Here:  "Choose another user name for the service account (serviceAccount.username).",
		Who:   ByYouHere, Source: "https://learn.microsoft.com/graph/api/resources/user",
	},
	{
		ID: "role.last-admin", Where: AtGraph,
		Texts: []string{"last global administrator", "removing the last global administrator"},
		Cause: "It is the tenant's last Global Administrator, and without one nobody could administer the tenant.",
		Fix:   "Make somebody else Global Administrator first, then try again.",
		Who:   ByAdmin, Source: rolesPage,
	},
	{
		ID: "role.own-admin", Where: AtGraph,
		Texts: []string{"removing self from global administrator"},
		Cause: "Nobody can take Global Administrator from the account that is signed in.",
		Fix:   "Sign in as another Global Administrator, then try again.",
		Who:   ByYou, Source: rolesPage,
	},
	{
		ID: "role.group-not-assignable", Where: AtGraph,
		Texts: []string{"groups without isassignabletorole property set cannot be assigned to roles"},
		Cause: "The group was not made for roles, and that cannot be changed later.",
		Fix:   "Give the role to the account itself, or make a group that roles can be assigned to.",
		Who:   ByAdmin, Source: "https://learn.microsoft.com/entra/identity/role-based-access-control/groups-concept",
	},
	{
		ID: "policy.limit", Where: AtGraph,
		Texts: []string{"number of conditional access policies exceeds the maximum", "maximum number of conditional access policies", "conditional access policies limit"},
		Cause: "The tenant has as many Conditional Access policies as it may have: 240, those that are off or only report included.",
		Fix:   "Delete policies that nobody needs, then try again.",
		Who:   ByAdmin, Source: directoryLimits,
	},
	{
		ID: "policy.managed", Where: AtGraph,
		Texts: []string{"microsoft managed policies cannot be", "templateid is a read only field"},
		Cause: "Microsoft made this policy and manages it: only its state and the people it leaves out can be changed.",
		Fix:   "Leave the account out of it (Exclude), or switch it off and use a policy of your own.",
		Who:   ByAdmin, Source: "https://learn.microsoft.com/entra/identity/conditional-access/managed-policies",
	},
	{
		ID: "policy.unknown-member", Where: AtGraph,
		Also:  []Match{{All: []string{"users condition contains invalid"}, Any: []string{"ids"}}},
		Cause: "The policy names an account, a group or a role that is not there: it was deleted since, or was made moments ago and is not known everywhere yet.",
		Fix:   "Wait two minutes and try again. If it stays, open the policy in Entra, remove the entries that name nobody any more, and save it there.",
		Who:   ByAdmin, Retry: true, Source: accessPage,
	},
	{
		ID: "policy.guests-twice", Where: AtGraph,
		Texts: []string{"guestsorexternalusers cannot be combined with"},
		Cause: "The policy names guests in the old way and in the new way in one list, which is refused.",
		Fix:   "Open the policy in Entra, choose the kinds of guests anew under Exclude or Include, and save it there; then try again.",
		Who:   ByAdmin, Source: accessPage,
	},
	{
		ID: "azure.no-right-to-assign", Where: AtAzure,
		Also:  []Match{{Codes: []string{"AuthorizationFailed"}, Any: []string{"microsoft authorization roleassignments write"}}},
		Cause: "The account may not give Azure roles at this scope: Contributor can make everything and cannot assign roles, and a Global Administrator has no Azure role by that alone.",
		Fix:   "Have an owner of the subscription give the account Owner or User Access Administrator at the scope the message names, wait a few minutes, sign in again; or have them assign the role to the service account themselves.",
		Who:   ByAdmin, Source: azureRolesPage,
	},
	{
		ID: "azure.subscription-off", Where: AtAzure, Codes: []string{"ReadOnlyDisabledSubscription", "DisabledSubscription", "SubscriptionNotActive"},
		Cause: "The subscription is disabled: it was cancelled, its credit is used up, or a bill was not paid. It can be looked at, not changed.",
		Fix:   "Have it reactivated in the Azure portal (Cost Management + Billing), or use another subscription.",
		Here:  "Have it reactivated in the Azure portal (Cost Management + Billing), or name another one (azure.subscription).",
		Who:   ByAdmin, Source: "https://learn.microsoft.com/azure/cost-management-billing/manage/subscription-disabled",
	},
	{
		ID: "azure.location", Where: AtAzure,
		Codes: []string{"LocationNotAvailableForResourceGroup", "LocationNotAvailableForResourceType", "InvalidLocation"},
		Cause: "There is no such region, or this subscription may not use it for this.",
		Fix:   "Choose one of the regions the message lists.",
		Here:  "Choose one of the regions the message lists (azure.location).",
		Who:   ByYouHere, Source: azurePage,
	},
	{
		ID: "azure.group-elsewhere", Where: AtAzure, Codes: []string{"InvalidResourceGroupLocation"},
		Cause: "The resource group is there already, in another region, and a group cannot move.",
		Fix:   "Use the region the message names, or another name for the group.",
		Here:  "Use the region the message names (azure.location), or another group (azure.resourceGroup).",
		Who:   ByYouHere, Source: azurePage,
	},
	{
		ID: "azure.group-deleting", Where: AtAzure, Codes: []string{"ResourceGroupBeingDeleted"},
		Cause: "The resource group is being deleted, which takes a while.",
		Fix:   "Wait some minutes until it is gone, or use another name for the group.",
		Who:   ByMicrosoft, Retry: true, Source: azurePage,
	},
	{
		ID: "azure.vault-name", Where: AtAzure, Codes: []string{"VaultNameNotValid", "AccountNameInvalid"},
		Cause: "The vault's name is not allowed.",
		Fix:   "Use 3 to 24 letters, digits and single dashes, beginning with a letter and not ending with a dash.",
		Here:  "Use 3 to 24 letters, digits and single dashes, beginning with a letter (azure.vault).",
		Who:   ByYouHere, Source: azureNamesPage,
	},
	{
		ID: "azure.vault-deleted", Where: AtAzure,
		Also: []Match{
			{Codes: []string{"ConflictError", "VaultAlreadyExists"}, Any: []string{"deleted state", "soft deleted", "recoverable state"}},
			{All: []string{"vault with the same name already exists in deleted state"}},
		},
		Cause: "A vault of this name was deleted and can still be recovered, which keeps the name taken for up to 90 days.",
		Fix:   "Choose another name, or recover or purge the deleted vault in the Azure portal (Key vaults, Manage deleted vaults).",
		Here:  "Choose another name (azure.vault), or recover or purge the deleted vault in the Azure portal (Key vaults, Manage deleted vaults).",
		Who:   ByYouHere, Source: "https://learn.microsoft.com/azure/key-vault/general/key-vault-recovery",
	},
	{
		ID: "azure.principal-type", Where: AtAzure, Codes: []string{"UnmatchedPrincipalType", "InvalidPrincipalId"},
		Cause: "The Azure role was to be given to an account, and the id belongs to something else or to nothing.",
		Fix:   "Look at the tenant again and plan anew; if it comes back, report it with the request id.",
		Who:   ByDevelopers, Source: azureRolesPage,
	},
	{
		ID: "azure.role-limit", Where: AtAzure, Codes: []string{"RoleAssignmentLimitExceeded"},
		Cause: "The subscription has as many role assignments as it may have.",
		Fix:   "Remove assignments nobody needs (Access control in the Azure portal; those of unknown identities first), then try again.",
		Who:   ByAdmin, Source: azureRolesPage,
	},
	{
		ID: "azure.locked", Where: AtAzure, Codes: []string{"ScopeLocked"},
		Cause: "A lock on the subscription, the resource group or the resource forbids changes or deletion.",
		Fix:   "Have the lock removed in the Azure portal (Locks) for as long as this takes, or use another resource group.",
		Here:  "Have the lock removed in the Azure portal (Locks) for as long as this takes, or name another group (azure.resourceGroup).",
		Who:   ByAdmin, Source: "https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources",
	},
	{
		ID: "azure.role-unknown", Where: AtAzure, Codes: []string{"RoleDefinitionDoesNotExist"},
		Cause: "The Azure role is not known in this subscription or in this cloud.",
		Fix:   "Look at the roles under Access control in the Azure portal, and give the account the one that fits there.",
		Here:  "Choose another role for the account (azure.role), or leave, and give it one in the Azure portal.",
		Who:   ByYouHere, Source: azureRolesPage,
	},
	{
		ID: "exchange.no-plan", Where: AtExchange,
		Also:  []Match{{Status: []int{400, 404}, About: exchangeAddress, Any: []string{"subscription within the tenant has lapsed"}}},
		Cause: "The tenant has no Exchange Online plan, or none that is paid for.",
		Fix:   "Give the tenant a licence with Exchange Online and wait until its mailboxes are there, or leave Exchange out.",
		Who:   ByAdmin, Source: exchangePage,
	},
	{
		ID: "exchange.app-role", Where: AtExchange,
		Texts: []string{"isn't supported in this scenario please check online documentation for assigning correct directory roles"},
		Cause: "The app calls Exchange by itself and has no directory role that serves for it, or got one moments ago.",
		Fix:   "Give its enterprise application Exchange Administrator, then wait: it takes a quarter of an hour to an hour to be effective.",
		Who:   ByMicrosoft, Retry: true, Source: exchangePage,
	},
}
