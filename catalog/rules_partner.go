package catalog

import "slices"

// gdapAddress tells a request about GDAP by the words of its address.
var gdapAddress = []string{
	"gdap", "delegatedadminrelationships", "delegatedadminrelationship", "delegatedadmincustomers", "delegatedadminaccessassignments", "accessassignments",
}

var (
	consentAddress = []string{"applicationconsents"}
	partnerAddress = []string{"partnercenter", "partner center", "applicationconsents"}
)

// gdapRules are about granular delegated admin privileges.
var gdapRules = []Rule{
	{
		ID: "gdap.invalid", Where: AtPartnerCenter | AtGraph,
		Texts: []string{
			"delegated admin relationship cannot be longer", "duration of the delegated admin relationship", "passed in delegatedadminrelationshipid is invalid",
			"not part of the access details of the delegated admin relationship", "relationship with the global administrator role cannot be extended",
		},
		Also:  []Match{{Status: []int{400}, About: gdapAddress}, {Codes: []string{"Request_BadRequest", "BadRequest"}, About: gdapAddress}},
		Cause: "The relationship or the assignment was refused as it was asked for: a name longer than 50 characters, a duration outside one day to two years, a role that does not exist, Global Administrator together with automatic extension, or groups given before the relationship is active.",
		Fix:   "Shorten the name, keep to 730 days, leave Global Administrator out, and assign groups only once the customer has approved.",
		Who:   ByYouHere, Source: gdapPage,
	},
	{
		ID: "gdap.principal", Where: AtPartnerCenter | AtGraph,
		Texts: []string{"does not have the required permissions to perform the specified action on the resource"},
		Also:  []Match{{Status: []int{403}, About: gdapAddress}, {Codes: []string{"Authorization_RequestDenied", "accessDenied"}, About: gdapAddress}},
		Cause: "The account may not manage GDAP: it is no Admin agent (Global Administrator alone is not enough), it signed in without multifactor authentication, a policy is in the way, or there is no reseller relationship with this customer.",
		Fix:   "Put the account into AdminAgents, make sure that multifactor authentication is enforced for all partner accounts, check that the customer is yours in Partner Center, then sign in again.",
		Who:   ByAdmin, Source: gdapFAQ,
	},
	{
		ID: "gdap.not-found", Where: AtPartnerCenter | AtGraph,
		Also:  []Match{{Status: []int{404}, About: gdapAddress}},
		Cause: "There is no such relationship, or it was made moments ago and is not known everywhere yet.",
		Fix:   "Wait a minute and try again. If it stays, look in Partner Center whether the relationship was deleted or has lapsed: requests nobody approves lapse after 90 days.",
		Who:   ByMicrosoft, Retry: true, Source: gdapPage,
	},
	{
		ID: "gdap.container", Where: AtPartnerCenter | AtGraph,
		Texts: []string{"access container does not exist"},
		Cause: "The group that was to get the role is not known there yet, because it was made moments ago; or it was deleted.",
		Fix:   "Wait up to two minutes and try again. If it stays, look whether the group still exists.",
		Who:   ByMicrosoft, Retry: true, Source: gdapPage,
	},
	{
		ID: "gdap.no-cloud", Where: AtPartnerCenter | AtGraph,
		Also: []Match{{All: []string{"resource not found for the segment"}, About: gdapAddress}, {Any: []string{
			"segment delegatedadminrelationships", "segment delegatedadmincustomers", "segment tenantrelationships",
		}}},
		Cause: "This cloud does not have GDAP: Microsoft offers it in its global cloud only, not to US Government and not in China.",
		Fix:   "Customers in a national cloud are set up directly, each in its own tenant: leave the section gdap out and follow examples/direct-customer.yaml.",
		Who:   ByNobody, Source: gdapFAQ,
	},
	{
		ID: "gdap.not-active", Where: AtPartnerCenter | AtGraph,
		Also: []Match{
			{Any: []string{"relationship is in the status", "relationship is not active", "relationship must be active", "relationship is not in active"}},
			{Any: []string{"not active", "not in the active", "approvalpending"}, About: gdapAddress},
		},
		Cause: "The relationship is not in the state this takes: groups get their roles only while it is active, which it becomes after the customer's approval, and only one that was just begun can be opened for approval, changed or deleted.",
		Fix:   "Look at its state. While it waits, send the customer the link (msbundle invitations); once it is approved run msbundle apply again.",
		Who:   ByCustomerAdmin, Source: gdapPage,
	},
	{
		ID: "gdap.over", Where: AtPartnerCenter | AtGraph | AtRewst,
		Also: []Match{
			{Any: []string{"relationship has expired", "relationship is expired", "relationship expired", "request has expired", "request has lapsed", "invitation has expired", "invitation expired", "relationship was terminated", "relationship is terminated", "relationship has been terminated"}},
			{Any: []string{"expired", "terminated", "lapsed"}, About: gdapAddress},
		},
		Cause: "The relationship is over: a request nobody approves lapses after 90 days, one that is active ends after its time unless it is extended, and either side can end it. None of these can be revived.",
		Fix:   "Run msbundle apply with the section gdap: it makes a new relationship under another name, which the customer approves.",
		Who:   ByCustomerAdmin, Source: gdapPage,
	},
	{
		ID: "gdap.unsecured-group", Where: AtPartnerCenter | AtGraph,
		Also:  []Match{{All: []string{"access container", "is not a security group"}}},
		Cause: "The group that was to get a role is not a security group.",
		Fix:   "Rename or remove that group, and let msbundle make a security group of the name.",
		Who:   ByAdmin, Source: gdapPage,
	},
	{
		ID: "gdap.assigned", Where: AtPartnerCenter | AtGraph,
		Also:  []Match{{All: []string{"access assignment", "already exists"}}},
		Cause: "The group has an assignment in this relationship already, perhaps with other roles. There is one for each group.",
		Fix:   "Change the roles of the assignment that is there; msbundle does that when it plans anew.",
		Who:   ByYouHere, Retry: true, Source: gdapPage,
	},
	{
		ID: "gdap.name-taken", Where: AtPartnerCenter | AtGraph,
		Also: []Match{
			{Status: []int{409}, About: gdapAddress},
			{Codes: []string{"Request_MultipleObjectsWithSameKeyValue"}, About: gdapAddress},
			{All: []string{"delegated admin relationship", "already exists"}},
		},
		Cause: "A relationship of this name exists already (names are unique over all customers), the group has an assignment in it already, or the relationship is not active yet.",
		Fix:   "Use the relationship or assignment that is there, or choose another name; assign groups only once the customer has approved.",
		Who:   ByYouHere, Source: gdapPage,
	},
	{
		ID: "gdap.changed", Where: AtPartnerCenter | AtGraph,
		Texts: []string{"if match header is required", "if match header value does not match"},
		Also:  []Match{{Status: []int{412, 428}, About: gdapAddress}, {Codes: []string{"preconditionFailed", "preconditionRequired"}, About: gdapAddress}},
		Cause: "The relationship changed since it was read, so the change was refused.",
		Fix:   "Read it again and repeat the change; msbundle does that when it plans anew.",
		Who:   ByYouHere, Retry: true, Source: gdapPage,
	},
	{
		ID: "gdap.busy", Where: AtPartnerCenter | AtGraph,
		Also:  []Match{{Status: []int{429, 500, 502, 503, 504}, About: gdapAddress}},
		Cause: "The service behind GDAP is busy or failed. For calls as an app it also fails when \"Partner Customer Delegated Administration\" is not among the enterprise applications.",
		Fix:   "Wait a few minutes and try again, one relationship at a time.",
		Who:   ByMicrosoft, Retry: true, Source: gdapPage,
	},
	{
		ID: "gdap.migrated", Where: AtRewst | AtPartnerCenter,
		Also: []Match{
			{All: []string{"insufficient privileges"}, Any: []string{"400", "badrequest", "bad request", "migration", "mlt"}},
			{All: []string{"mlt"}, Any: []string{"relationship", "gdap"}},
		},
		Cause: "The relationship with the customer is one that Microsoft made when it moved partners to GDAP (its name begins with MLT_). It carries eight mostly reading roles, which is not enough.",
		Fix:   "Make a new relationship with all twelve roles, have the customer approve it, and assign the groups.",
		Who:   ByAdmin, Source: vendorPage,
	},
}

// partnerRules are about Partner Center itself.
var partnerRules = []Rule{
	{
		ID: "partner.mfa", Where: AtPartnerCenter | AtGraph | AtRewst,
		Texts: []string{"401 mfa required", "authentication failed mfa required"},
		Also:  []Match{{Clause: []string{"mfa required", "mfa is required"}}, {Any: []string{"mfa required"}, About: slices.Concat(partnerAddress, gdapAddress)}},
		Cause: "The sign-in carries no proof of multifactor authentication by Microsoft. Another vendor's factor, such as Duo, does not count, and a kept sign-in keeps what it was made with.",
		Fix:   "Sign in again in a private window, with an account that has Microsoft's multifactor authentication enforced and is a member of AdminAgents, and finish the second factor. In Rewst, authorise the bundle again that way.",
		Who:   ByYou, Source: partnerMFAPage,
	},
	{
		ID: "partner.900420", Where: AtPartnerCenter, Codes: []string{"900420"},
		Texts: []string{"no longer supported in partner center api"},
		Cause: "The access token was made for another service (graph.windows.net, for instance), and Partner Center does not take it.",
		Fix:   "Ask for a token of https://api.partnercenter.microsoft.com. If msbundle shows it, report it with the request id.",
		Who:   ByDevelopers, Source: partnerPage,
	},
	{
		ID: "partner.900329", Where: AtPartnerCenter, Codes: []string{"900329"},
		Cause: "This call is not open to an app by itself: it has to be made for a signed-in person.",
		Fix:   "Sign in with an account that is a member of AdminAgents.",
		Who:   ByYou, Source: partnerPage,
	},
	{
		ID: "partner.900308", Where: AtPartnerCenter, Codes: []string{"900308"},
		Also:  []Match{{Codes: []string{"900308"}, Any: []string{"insufficient privileges"}}},
		Cause: "The account lacks the right: it is not a member of AdminAgents, or has no fitting GDAP role with this customer.",
		Fix:   "Add the account to AdminAgents and to the GDAP groups (Application Administrator or Cloud Application Administrator for consent), then sign in again.",
		Who:   ByAdmin, Source: partnerPage,
	},
	{
		ID: "partner.900309", Where: AtPartnerCenter, Codes: []string{"900309"},
		Also:  []Match{{Codes: []string{"900309"}, Any: []string{"access has been blocked", "conditional access"}}},
		Cause: "Conditional Access blocks the call: a policy of your tenant, or one of the customer's.",
		Fix:   "Take the account out of that policy; in the customer's tenant have service provider users of your tenant excluded.",
		Who:   ByEitherAdmin, Source: partnerPage,
	},
	{
		ID: "partner.90000", Where: AtPartnerCenter, Codes: []string{"90000"}, Broad: true,
		Cause: "Partner Center could not get a token for the customer: the sign-in service refused. Its AADSTS number in the same message says why.",
		Fix:   "Look for the number and explain that.",
		Who:   ByEitherAdmin, Source: partnerPage,
	},
	{
		ID: "partner.20002", Where: AtPartnerCenter, Codes: []string{"20002"},
		Texts: []string{"does not have a commercial relationship"},
		Cause: "There is no reseller relationship between your partner account and this customer.",
		Fix:   "Check the customer's tenant id. If it is right, ask the customer for a reseller relationship, or treat the customer as one without CSP.",
		Who:   ByCustomerAdmin, Source: partnerPage,
	},
	{
		ID: "partner.60003", Where: AtPartnerCenter, Codes: []string{"60003"},
		Cause: "Partner Center knows no tenant of this id.",
		Fix:   "Check the id; the list of customers in Partner Center shows the right one.",
		Who:   ByYouHere, Source: partnerPage,
	},
	{
		ID: "partner.consent-forbidden", Where: AtPartnerCenter,
		Also:  []Match{{Status: []int{403}, About: consentAddress}},
		Cause: "Partner Center does not take the consent from this sign-in: it was made with another app than the one the consent is for, the account is not a member of AdminAgents, or the company is an indirect reseller, which this API does not serve.",
		Fix:   "Sign in with the very app the consent is for, by an account in AdminAgents. An indirect reseller sets each customer up without CSP.",
		Here:  "Run it again and sign in as a member of AdminAgents when the app's own sign-in asks. An indirect reseller sets each customer up without CSP.",
		Who:   ByAdmin, Source: partnerPage,
	},
	{
		ID: "partner.consent-missing", Where: AtPartnerCenter,
		Also:  []Match{{Status: []int{404}, About: consentAddress}},
		Cause: "Something the consent is about is not there: an API it names does not exist in the customer's tenant, or, when it is removed, there was none.",
		Fix:   "Have the API provisioned in the customer's tenant first (it comes with a licence or is made by its app id), then consent again.",
		Who:   ByCustomerAdmin, Source: partnerPage,
	},
	{
		ID: "partner.consent-invalid", Where: AtPartnerCenter,
		Also:  []Match{{Status: []int{400, 415}, About: consentAddress}},
		Cause: "Partner Center cannot take the consent as it is: the app is not open to other organizations, or a permission it names is not a delegated one of that API.",
		Fix:   "Make the app multitenant (AzureADMultipleOrgs), and leave out what is not a delegated permission.",
		Who:   ByAdmin, Source: partnerPage,
	},
	{
		ID: "partner.exists", Where: AtPartnerCenter,
		Also:  []Match{{Status: []int{409}, About: partnerAddress}},
		Cause: "The consent is recorded already. A second one does not extend it.",
		Fix:   "Nothing, if its permissions are complete. Otherwise extend the grants in the customer's tenant, or remove the consent and record it anew.",
		Who:   ByNobody, Source: partnerPage,
	},
	{
		ID: "partner.forbidden", Where: AtPartnerCenter,
		Also:  []Match{{Status: []int{401, 403}, About: partnerAddress}},
		Cause: "Partner Center does not accept the account: it is not a member of AdminAgents, it signed in without multifactor authentication, or the company is an indirect reseller, which this API does not serve.",
		Fix:   "Add the account to AdminAgents and sign in again with Microsoft's multifactor authentication. An indirect reseller sets each customer up without CSP.",
		Who:   ByAdmin, Source: partnerPage,
	},
	{
		ID: "partner.busy", Where: AtPartnerCenter,
		Also:  []Match{{Status: []int{429, 500, 502, 503, 504}, About: partnerAddress}},
		Cause: "Partner Center is busy or failed.",
		Fix:   "Wait some minutes and try again.",
		Who:   ByMicrosoft, Retry: true, Source: partnerPage,
	},
}
