package catalog

var azureAddress = []string{"management azure com", "management usgovcloudapi net", "management chinacloudapi cn", "microsoft keyvault", "key vault", "azure resource manager", "azure subscription"}

// azureRules are about subscriptions, the key vault and Azure roles.
var azureRules = []Rule{
	{
		ID: "azure.wrong-tenant", Where: AtAzure, Codes: []string{"InvalidAuthenticationTokenTenant"},
		Cause: "The sign-in belongs to another tenant than the subscription.",
		Fix:   "Sign in with an account of the tenant that owns the subscription (--tenant).",
		Who:   ByYou, Source: azurePage,
	},
	{
		ID: "azure.no-role", Where: AtAzure, Codes: []string{"AuthorizationFailed", "LinkedAuthorizationFailed"},
		Cause: "The account has no Azure role on this subscription. A Global Administrator has none by that alone.",
		Fix:   "Have the owner of the subscription assign a role (Contributor, or Reader for looking only) to the account, wait a few minutes, then sign in again.",
		Here:  "The service's words name the action and the scope. Have the owner of the subscription assign Contributor there to the account (Owner, where roles are to be given), wait a few minutes, then sign in again.",
		Who:   ByAdmin, Source: "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting",
	},
	{
		ID: "azure.subscription-not-found", Where: AtAzure, Codes: []string{"SubscriptionNotFound", "InvalidSubscriptionId"},
		Cause: "There is no such subscription, or the account may not see it.",
		Fix:   "Check the subscription's id, and that the account has a role on it.",
		Who:   ByAdmin, Source: azurePage,
	},
	{
		ID: "azure.group-not-found", Where: AtAzure, Codes: []string{"ResourceGroupNotFound"},
		Cause: "There is no such resource group in this subscription, or the account may not see it.",
		Fix:   "Check the name and the subscription, or create the resource group.",
		Who:   ByYouHere, Source: azurePage,
	},
	{
		ID: "azure.not-registered", Where: AtAzure, Codes: []string{"MissingSubscriptionRegistration"},
		Cause: "The subscription has never been prepared for this kind of resource, such as Microsoft.KeyVault.",
		Fix:   "Register the resource provider in the subscription (Resource providers in the Azure portal), wait until it says Registered, then try again.",
		Who:   ByAdmin, Source: "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-register-resource-provider",
	},
	{
		ID: "azure.vault-name-taken", Where: AtAzure, Codes: []string{"VaultAlreadyExists", "ConflictError"},
		Cause: "The vault's name is taken. Vault names are unique in the whole world, and those of deleted vaults stay taken for up to 90 days.",
		Fix:   "Choose another name, or recover or purge the deleted vault.",
		Who:   ByYouHere, Source: "https://learn.microsoft.com/azure/key-vault/general/key-vault-recovery",
	},
	{
		ID: "azure.role-exists", Where: AtAzure, Codes: []string{"RoleAssignmentExists"},
		Texts: []string{"role assignment already exists"},
		Cause: "The account has this Azure role already.",
		Fix:   "Nothing: it is as it should be.",
		Who:   ByNobody, Source: "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting",
	},
	{
		ID: "azure.principal-not-found", Where: AtAzure, Codes: []string{"PrincipalNotFound"},
		Cause: "Azure does not know the account or app yet, because it was made moments ago.",
		Fix:   "Wait two minutes and try again.",
		Who:   ByMicrosoft, Retry: true, Source: "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting",
	},
	{
		ID: "azure.policy", Where: AtAzure, Codes: []string{"RequestDisallowedByPolicy"},
		Cause: "An Azure policy of the subscription forbids this, for instance in this region or without certain tags.",
		Fix:   "Read the policy's name in the message; choose what it allows, or have an exemption made.",
		Who:   ByAdmin, Source: "https://learn.microsoft.com/azure/governance/policy/troubleshoot/general",
	},
	{
		ID: "azure.throttled", Where: AtAzure,
		Also:  []Match{{Status: []int{429}, About: azureAddress}},
		Cause: "Azure Resource Manager is busy for this subscription or account and asked to slow down.",
		Fix:   "Wait as long as it asked for, then try again.",
		Who:   ByMicrosoft, Retry: true, Source: "https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling",
	},
	{
		ID: "azure.client-401", Where: AtAzure | AtRewst,
		Texts: []string{"client error 401"},
		Also:  []Match{{Status: []int{401}, About: azureAddress}},
		Cause: "Azure does not accept the account that authorised the bundle: it has no Azure role, another account than before authorised it, or the tenant has no licensed users, so that the APIs are missing there.",
		Fix:   "Assign Azure roles to the service account on the subscriptions, or authorise the bundle with the account that has them; give the tenant at least one licence.",
		Who:   ByAdmin, Source: vendorPage,
	},
}

var exchangeAddress = []string{"outlook office365 com", "outlook office365 us", "invokecommand", "adminapi", "exchange online"}

// exchangeRules are about Exchange Online's cmdlets.
var exchangeRules = []Rule{
	{
		ID: "exchange.role-missing", Where: AtExchange | AtRewst,
		Texts: []string{"error 3 while decompressing", "3 while decompressing", "incorrect header check", "decompress error"},
		Cause: "Exchange answered with something that Rewst cannot read. It does that when the account that authorised the bundle lacks the Exchange Administrator role.",
		Fix:   "In your own tenant give the service account Exchange Administrator; for a customer make sure that the role is in the relationship and the account in its group. Then authorise again.",
		Who:   ByAdmin, Source: vendorPage,
	},
	{
		ID: "exchange.few-mailboxes", Where: AtExchange | AtRewst,
		Also: []Match{
			{All: []string{"get mailbox"}, Any: []string{"few", "limited", "not all", "missing"}},
			{Any: []string{"limited mailboxes", "too few mailboxes", "few mailboxes"}},
		},
		Cause: "The account that authorised the bundle lacks the Exchange Administrator role, so Exchange shows it only some mailboxes.",
		Fix:   "In your own tenant give the service account Exchange Administrator; for a customer make sure that the role is in the relationship and the account in its group. Then authorise again.",
		Who:   ByAdmin, Source: vendorPage,
	},
	{
		ID: "exchange.access-rights", Where: AtExchange | AtRewst,
		Texts: []string{"insufficient access rights"},
		Cause: "The account lacks the Exchange role for this.",
		Fix:   "Add it to the group that carries Exchange Administrator (in GDAP, or in your own tenant), wait up to an hour, then try again.",
		Who:   ByAdmin, Source: vendorPage,
	},
	{
		ID: "exchange.cmdlet-not-in-role", Where: AtExchange,
		Texts: []string{"is not present in the role definition", "not present in the role definition"},
		Also:  []Match{{Status: []int{403}, About: exchangeAddress}},
		Cause: "The account, or the app, has no Exchange role that contains this cmdlet, or the role was given moments ago.",
		Fix:   "Assign Exchange Administrator (to the enterprise application, too, where it calls by itself), then wait: it takes a quarter of an hour to an hour to be effective.",
		Who:   ByAdmin, Source: exchangePage,
	},
	{
		ID: "exchange.not-effective", Where: AtExchange,
		Also:  []Match{{Status: []int{401}, About: exchangeAddress}},
		Cause: "Exchange does not accept the token: it was made for another service, or the role behind it is not effective yet.",
		Fix:   "Wait a quarter of an hour to an hour after the role was assigned, then sign in again.",
		Who:   ByMicrosoft, Retry: true, Source: exchangePage,
	},
	{
		ID: "exchange.credential", Where: AtExchange | AtRewst,
		Texts: []string{"provide valid credential"},
		Cause: "Exchange finds nothing behind the token: the account is in none of the customer's GDAP groups, or the tenant has no Exchange plan.",
		Fix:   "Add the service account to all GDAP groups and sign in again; check that the tenant has a licence with mailboxes.",
		Who:   ByAdmin, Source: vendorPage,
	},
	{
		ID: "exchange.dehydrated", Where: AtExchange,
		Texts: []string{"enable organizationcustomization"},
		Also:  []Match{{All: []string{"dehydrated"}, Any: []string{"tenant", "organization", "exchange"}}},
		Cause: "The tenant's Exchange settings were never changed from the common default, and some can only be written after they have been made the tenant's own.",
		Fix:   "Run Enable-OrganizationCustomization once in the tenant, wait some minutes, then try again.",
		Who:   ByEitherAdmin, Source: "https://learn.microsoft.com/powershell/module/exchange/enable-organizationcustomization",
	},
	{
		ID: "exchange.busy", Where: AtExchange,
		Also:  []Match{{Status: []int{429, 500, 502, 503, 504}, About: exchangeAddress}},
		Cause: "Exchange is busy or failed.",
		Fix:   "Wait as long as it asked for, then try again.",
		Who:   ByMicrosoft, Retry: true, Source: exchangePage,
	},
	{
		ID: "exchange.send-mail", Where: AtExchange | AtGraph | AtRewst,
		Texts: []string{"object was not found in the store", "object not found in store", "object not found in the store"}, Codes: []string{"ErrorItemNotFound"},
		Cause: "Mail was to be sent from a mailbox that the call cannot reach: the application permission Mail.Send is not granted, or the mailbox is in a customer's tenant, where delegation does not reach.",
		Fix:   "Grant the application permission Mail.Send with admin consent in the mailbox's own tenant; for a customer's mailbox install the integration in that customer's organisation.",
		Who:   ByEitherAdmin, Source: vendorPage,
	},
}
