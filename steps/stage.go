package steps

import (
	"slices"

	"msbundle/catalog"
	"msbundle/state"
)

// Stage is a part of the setup that is gone through by itself.
type Stage string

// The stages.
const (
	StageAuthorize Stage = "authorize" // the app registration and what it is granted
	StageTenant    Stage = "tenant"    // the service account and what it needs of the tenant
	StageGDAP      Stage = "gdap"      // delegated administration of customers
	StageCustomers Stage = "customers" // customers' tenants: which organisation each is, the consent, the shields
	StageRest      Stage = "rest"      // everything but the app registration
)

// has tells whether a plan is about a stage: about all the answers name when
// nothing else was said.
func (o PlanOptions) has(s Stage) bool {
	return o.Stage == "" || o.Stage == s || o.Stage == StageRest && s != StageAuthorize
}

// readyScopes are the delegated Graph permissions the stage about the tenant asks
// for beyond those of every sign-in.
// https://learn.microsoft.com/graph/permissions-reference
func readyScopes(a state.Answers, readOnly bool) []string {
	var scopes []string
	add := func(more ...string) {
		for _, s := range more {
			if !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	if a.GDAP != nil || a.Customers != nil {
		add("DelegatedAdminRelationship.Read.All")
		if !readOnly && a.GDAP != nil {
			add("DelegatedAdminRelationship.ReadWrite.All", "Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory")
		}
	}
	s := a.ServiceAccount
	if s != nil {
		add("UserAuthenticationMethod.Read.All")
	}
	if readOnly || !a.Ready() {
		return scopes
	}
	if s != nil {
		add("User.ReadWrite.All", "User-PasswordProfile.ReadWrite.All")
		if a.Has(catalog.CSP) {
			add("GroupMember.ReadWrite.All")
		}
		if s.Roles != state.RolesLeave {
			add("RoleManagement.ReadWrite.Directory")
		}
		if s.MFA == state.MFAAuto || s.MFA == state.MFAPolicy {
			add("Policy.ReadWrite.ConditionalAccess")
		}
		if s.MFA == state.MFAAuto || s.MFA == state.MFAPerUser {
			add("Policy.ReadWrite.AuthenticationMethod")
		}
	}
	if a.ConditionalAccess != nil {
		add("Policy.ReadWrite.ConditionalAccess")
	}
	if a.Exchange != nil && a.Exchange.Administrator {
		add("RoleManagement.ReadWrite.Directory")
	}
	return scopes
}
