package sandbox

// The properties an object has before anybody sets them. The service sends every
// property of an application and a service principal, null or empty.
// https://learn.microsoft.com/graph/api/resources/application
// https://learn.microsoft.com/graph/api/resources/serviceprincipal

func blankApplication() object {
	return object{
		"addIns": []any{}, "api": blankAPI(), "appId": nil, "appRoles": []any{}, "applicationTemplateId": nil, "certification": nil,
		"createdByAppId": nil, "createdDateTime": nil, "defaultRedirectUri": nil, "deletedDateTime": nil, "description": nil,
		"disabledByMicrosoftStatus": nil, "displayName": nil, "groupMembershipClaims": nil, "identifierUris": []any{}, "info": blankInfo(),
		"isDeviceOnlyAuthSupported": nil, "isDisabled": nil, "isFallbackPublicClient": nil, "keyCredentials": []any{}, "nativeAuthenticationApisEnabled": nil,
		"notes": nil, "optionalClaims": nil, "parentalControlSettings": object{"countriesBlockedForMinors": []any{}, "legalAgeGroupRule": "Allow"},
		"passwordCredentials": []any{}, "publicClient": object{"redirectUris": []any{}}, "publisherDomain": nil, "requestSignatureVerification": nil,
		"requiredResourceAccess": []any{}, "samlMetadataUrl": nil, "serviceManagementReference": nil, "servicePrincipalLockConfiguration": nil,
		"signInAudience": "AzureADandPersonalMicrosoftAccount", "spa": object{"redirectUris": []any{}}, "tags": []any{}, "tokenEncryptionKeyId": nil,
		"uniqueName": nil, "verifiedPublisher": object{"addedDateTime": nil, "displayName": nil, "verifiedPublisherId": nil}, "web": blankWeb(),
	}
}

func blankAPI() object {
	return object{
		"acceptMappedClaims": nil, "knownClientApplications": []any{}, "oauth2PermissionScopes": []any{},
		"preAuthorizedApplications": []any{}, "requestedAccessTokenVersion": nil,
	}
}

func blankInfo() object {
	return object{"logoUrl": nil, "marketingUrl": nil, "privacyStatementUrl": nil, "supportUrl": nil, "termsOfServiceUrl": nil}
}

func blankWeb() object {
	return object{
		"homePageUrl": nil, "logoutUrl": nil, "redirectUris": []any{}, "redirectUriSettings": []any{},
		"implicitGrantSettings": object{"enableAccessTokenIssuance": false, "enableIdTokenIssuance": false},
	}
}

// https://learn.microsoft.com/graph/api/resources/user
func blankUser() object {
	return object{
		"accountEnabled": nil, "assignedLicenses": []any{}, "assignedPlans": []any{}, "businessPhones": []any{}, "companyName": nil, "country": nil,
		"createdDateTime": nil, "creationType": nil, "deletedDateTime": nil, "department": nil, "displayName": nil, "externalUserState": nil,
		"givenName": nil, "identities": []any{}, "jobTitle": nil, "mail": nil, "mailNickname": nil, "mobilePhone": nil, "officeLocation": nil,
		"onPremisesImmutableId": nil, "onPremisesSyncEnabled": nil, "otherMails": []any{}, "preferredLanguage": nil, "proxyAddresses": []any{},
		"surname": nil, "usageLocation": nil, "userPrincipalName": nil, "userType": "Member",
	}
}

func blankPrincipal() object {
	return object{
		"accountEnabled": true, "addIns": []any{}, "alternativeNames": []any{}, "appDescription": nil, "appDisplayName": nil, "appId": nil,
		"appOwnerOrganizationId": nil, "appRoleAssignmentRequired": false, "appRoles": []any{}, "applicationTemplateId": nil, "createdByAppId": nil,
		"deletedDateTime": nil, "description": nil, "disabledByMicrosoftStatus": nil, "displayName": nil, "homepage": nil, "info": blankInfo(),
		"isDisabled": nil, "keyCredentials": []any{}, "loginUrl": nil, "logoutUrl": nil, "notes": nil, "notificationEmailAddresses": []any{},
		"oauth2PermissionScopes": []any{}, "passwordCredentials": []any{}, "preferredSingleSignOnMode": nil, "preferredTokenSigningKeyThumbprint": nil,
		"replyUrls": []any{}, "resourceSpecificApplicationPermissions": []any{}, "samlSingleSignOnSettings": nil, "servicePrincipalNames": []any{},
		"servicePrincipalType": "Application", "signInAudience": nil, "tags": []any{}, "tokenEncryptionKeyId": nil,
		"verifiedPublisher": object{"addedDateTime": nil, "displayName": nil, "verifiedPublisherId": nil},
	}
}

// principalOfApp is the service principal a tenant gets for one of its own
// apps: what it shares with the registration is copied.
func principalOfApp(t *tenant, app, changes object) object {
	web, _ := app["web"].(object)
	api, _ := app["api"].(object)
	scopes, _ := api["oauth2PermissionScopes"].([]any)
	uris, _ := app["identifierUris"].([]any)
	data := with(blankPrincipal(), object{
		"appDisplayName": app["displayName"], "appId": app["appId"], "appOwnerOrganizationId": t.id, "appRoles": app["appRoles"],
		"displayName": app["displayName"], "homepage": web["homePageUrl"], "info": app["info"], "oauth2PermissionScopes": list(scopes),
		"replyUrls": web["redirectUris"], "servicePrincipalNames": append([]any{app["appId"]}, uris...), "signInAudience": app["signInAudience"],
	})
	return with(data, changes)
}

// assignment is an application permission given to a client.
func assignment(v view, client, resource *entity, roleID, created string) bond {
	return bond{
		client: client, resource: resource, clientName: client.read(v)["displayName"], resourceName: resource.read(v)["displayName"],
		role: roleID, created: created,
	}
}
