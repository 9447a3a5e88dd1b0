package sandbox

import (
	"net/http"
	"slices"
	"strings"

	"msbundle/catalog"
)

// methodsDenied is how the service behind people's authentication methods says no.
func methodsDenied() *graphError {
	return fail(http.StatusForbidden, "accessDenied", "Request Authorization failed")
}

// Who may see, and who may change, how people prove who they are.
// https://learn.microsoft.com/graph/api/authentication-update
// https://learn.microsoft.com/graph/api/authentication-list-methods
// https://learn.microsoft.com/graph/api/authenticationmethodspolicy-get
var (
	requirementReaders = []string{catalog.RoleGlobalAdministrator, roleAuthPolicyAdmin, roleGlobalReader}
	requirementWriters = []string{catalog.RoleGlobalAdministrator, roleAuthPolicyAdmin}
	methodReaders      = []string{catalog.RoleGlobalAdministrator, roleAuthAdmin, rolePrivilegedAuthAdmin, roleGlobalReader}
	methodPolicyRoles  = []string{catalog.RoleGlobalAdministrator, roleAuthPolicyAdmin, roleGlobalReader, roleSecurityReader, roleSecurityAdmin}
	reportReaders      = []string{catalog.RoleGlobalAdministrator, roleReportsReader, roleSecurityReader, roleSecurityAdmin, roleGlobalReader}
)

// mfaDisabled is how an account is at first.
const mfaDisabled = "disabled"

// perUserMFA is the state of the multifactor authentication an account has by
// itself.
func perUserMFA(user object) string {
	if state := str(user, "_perUserMfa"); state != "" {
		return state
	}
	return mfaDisabled
}

// register notes that somebody who signed in with a second factor has one from
// then on.
func (c *Cloud) register(user *entity, amr []string) {
	if user == nil {
		return
	}
	if data := user.live(c.master()); data != nil && data["_registered"] != true && slices.Contains(amr, "mfa") {
		c.write(user, with(data, object{"_registered": true}))
	}
}

// ofUser finds the account a path is about, for the person it is or one with one
// of these roles.
func (q *call) ofUser(roles []string) (*entity, error) {
	e := q.userNamed(q.keys[0])
	if (e == nil || e.id != q.tok.ObjectID) && (!q.coversOthers() || q.person(roles...) != nil) {
		return nil, methodsDenied()
	}
	if e == nil {
		return nil, notFound(q.keys[0])
	}
	return e, nil
}

// requirements tells whether an account has multifactor authentication of its own,
// which only the beta knows.
// https://learn.microsoft.com/graph/api/authentication-get
func (q *call) requirements() (*result, error) {
	e, err := q.ofUser(requirementReaders)
	if err != nil {
		return nil, err
	}
	return ok(object{
		"@odata.context":  q.context("users('" + e.id + "')/authentication/requirements/$entity"),
		"perUserMfaState": perUserMFA(e.read(q.v)),
	}), nil
}

func (q *call) patchRequirements() (*result, error) {
	body, err := q.read("strongAuthenticationRequirements_update")
	if err != nil {
		return nil, err
	}
	e, err := q.ofUser(requirementWriters)
	if err != nil {
		return nil, err
	}
	data, err := q.current(e)
	if err != nil {
		return nil, err
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.write(e, with(data, object{"_perUserMfa": body["perUserMfaState"]}))
	return noContent(), nil
}

// passwordMethod is the id everybody's password has.
const passwordMethod = "28c10230-6103-485e-b985-444c60001490"

// methods lists what somebody can sign in with.
// https://learn.microsoft.com/graph/api/authentication-list-methods
func (q *call) methods() (*result, error) {
	e, err := q.ofUser(methodReaders)
	if err != nil {
		return nil, err
	}
	user := e.read(q.v)
	all := []*entity{{kind: "passwordAuthenticationMethod", id: passwordMethod, seq: 1, versions: []version{{data: object{
		"createdDateTime": user["createdDateTime"], "password": nil,
	}}}}}
	if user["_registered"] == true {
		all = append(all, &entity{kind: "microsoftAuthenticatorAuthenticationMethod", id: namedGUID(e.id + " authenticator"), seq: 2, versions: []version{{data: object{
			"createdDateTime": user["createdDateTime"], "deviceTag": "SoftwareTokenActivated", "displayName": "Phone of " + str(user, "displayName"), "phoneAppVersion": "6.8.20",
		}}}})
	}
	return q.list(listing{
		kind: "authenticationMethod", context: "users('" + e.id + "')/authentication/methods", mixed: true,
		source: func(view) []*entity { return all },
	})
}

// registrationDetails is a row of the report on who has registered what.
// https://learn.microsoft.com/graph/api/userregistrationdetails-get
func (q *call) registrationDetails() (*result, error) {
	if err := q.person(reportReaders...); err != nil {
		return nil, err
	}
	if !q.t.has("AAD_PREMIUM") {
		return nil, fail(http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
	}
	e := q.t.find(kindUser, q.keys[0])
	if e == nil || e.live(q.v) == nil {
		return nil, notFound(q.keys[0])
	}
	user := e.read(q.v)
	registered := user["_registered"] == true
	methods, preferred := []any{}, "none"
	if registered {
		methods, preferred = []any{"microsoftAuthenticatorPush", "softwareOneTimePasscode"}, "push"
	}
	return q.one(e, object{
		"isAdmin": len(q.t.effectiveRoles(q.v, e.id)) > 0, "isMfaCapable": registered, "isMfaRegistered": registered, "isPasswordlessCapable": false,
		"isSsprCapable": registered, "isSsprEnabled": false, "isSsprRegistered": registered, "isSystemPreferredAuthenticationMethodEnabled": true,
		"lastUpdatedDateTime": q.nowStamp(), "methodsRegistered": methods, "systemPreferredAuthenticationMethods": []any{},
		"userDisplayName": user["displayName"], "userPreferredMethodForSecondaryAuthentication": preferred,
		"userPrincipalName": user["userPrincipalName"], "userType": strings.ToLower(str(user, "userType")),
	}, "userRegistrationDetails", "reports/authenticationMethods/userRegistrationDetails")
}

// methodsPolicy is what people may use. Another company's multifactor
// authentication is one of the methods.
// https://learn.microsoft.com/graph/api/authenticationmethodspolicy-get
// https://learn.microsoft.com/graph/api/resources/externalauthenticationmethodconfiguration
func (q *call) methodsPolicy() (*result, error) {
	if err := q.person(methodPolicyRoles...); err != nil {
		return nil, err
	}
	everybody := []any{object{"targetType": "group", "id": "all_users", "isRegistrationRequired": false}}
	configurations := []any{
		object{"@odata.type": "#microsoft.graph.fido2AuthenticationMethodConfiguration", "id": "Fido2", "state": "disabled", "excludeTargets": []any{}},
		object{"@odata.type": "#microsoft.graph.microsoftAuthenticatorAuthenticationMethodConfiguration", "id": "MicrosoftAuthenticator", "state": "enabled", "excludeTargets": []any{}},
		object{"@odata.type": "#microsoft.graph.temporaryAccessPassAuthenticationMethodConfiguration", "id": "TemporaryAccessPass", "state": "disabled", "excludeTargets": []any{}},
	}
	if name := q.t.foreignMFA; name != "" {
		configurations = append(configurations, object{
			"@odata.type": "#microsoft.graph.externalAuthenticationMethodConfiguration", "id": namedGUID(q.t.id + " external " + name), "state": "enabled",
			"displayName": name, "appId": namedGUID("external app " + name), "excludeTargets": []any{}, "includeTargets": everybody,
			"openIdConnectSetting": object{"clientId": namedGUID("external client " + name), "discoveryUrl": "https://mfa.example.com/.well-known/openid-configuration"},
		})
	}
	data := object{
		"id": "authenticationMethodsPolicy", "authenticationMethodConfigurations": configurations, "displayName": "Authentication Methods Policy",
		"description":          "The tenant-wide policy that controls which authentication methods are allowed in the tenant.",
		"lastModifiedDateTime": founded, "policyMigrationState": "migrationComplete", "policyVersion": "1.5", "reconfirmationInDays": nil,
		"registrationEnforcement": object{"authenticationMethodsRegistrationCampaign": object{
			"excludeTargets": []any{}, "includeTargets": []any{}, "snoozeDurationInDays": 1, "state": "default",
		}},
	}
	return q.one(fixed("policy", data)(q.v)[0], data, "authenticationMethodsPolicy", "policies/authenticationMethodsPolicy")
}
