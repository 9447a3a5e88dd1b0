package steps

import (
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

func checkAccount(f *Findings) Check {
	c := Check{ID: "account", Title: "Account", Evidence: f.Account.Username + ", a member of this tenant"}
	switch {
	case f.Account.App:
		return c.unknown(appOnly)
	case f.Account.Guest:
		c.State, c.Blocks, c.SignIn, c.Evidence = Failed, true, true, f.Account.Username+" is a guest in this tenant"
		c.Fix = "Sign in with an account that lives in this tenant. Consent given by a guest is refused later."
	}
	return c
}

// checkExpected holds who signed in against whom the answers name. The sign-in
// has seen to it; answers can be changed after that.
func checkExpected(a state.Answers, f *Findings) Check {
	c := Check{ID: "expected", Title: "The right account", Evidence: "The answers name nobody in particular"}
	switch {
	case a.Account == "":
	case f.Account.App:
		return c.unknown(appOnly)
	case strings.EqualFold(a.Account, f.Account.Username):
		c.Evidence = a.Account + ", as the answers say"
	default:
		c.State, c.Blocks, c.SignIn, c.Evidence = Failed, true, true, fmt.Sprintf("%s signed in; the answers name %s", f.Account.Username, a.Account)
		c.Fix = "Sign in again as the one the answers name, in a private window if the browser keeps taking the other. Or change the account in the answers."
	}
	return c
}

// checkMFA: what is granted with a sign-in without a second factor is refused by
// Partner Center, and by tenants that demand one.
// https://learn.microsoft.com/partner-center/security/partner-security-requirements-mandating-mfa
func checkMFA(a state.Answers, f *Findings) Check {
	c := Check{ID: "mfa", Title: "Multifactor authentication", Evidence: "The sign-in was made with it"}
	switch {
	case f.Account.App:
		return c.unknown(appOnly)
	case f.Account.MFA:
		return c
	}
	c.State, c.SignIn, c.Evidence = Failed, true, "The sign-in was made without it"
	c.Fix = "Sign in again with multifactor authentication. If you were not asked for a second factor: register Microsoft Authenticator " +
		"or a key for this account at https://aka.ms/mfasetup, have it demanded of the account (security defaults, a Conditional Access " +
		"policy, or per-user multifactor authentication), and sign in again in a private window. A third party's does not count."
	c.Blocks = a.Registration.Kind != state.KindConnector || a.Ready() // the connector itself is not made with this sign-in
	return c
}

// Roles the setup can use, by what they are good for.
var (
	appRoles = []string{catalog.RoleApplicationAdministrator, catalog.RoleCloudApplicationAdministrator}

	roleNames = map[string]string{
		catalog.RoleGlobalAdministrator:           "Global Administrator",
		catalog.RoleApplicationAdministrator:      "Application Administrator",
		catalog.RoleCloudApplicationAdministrator: "Cloud Application Administrator",
		catalog.RolePrivilegedRoleAdministrator:   "Privileged Role Administrator",
	}
)

// rolesSuffice holds directory roles against what the writes need.
// https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
func (f *Findings) rolesSuffice(a state.Answers, held []string) bool {
	if slices.Contains(held, catalog.RoleGlobalAdministrator) {
		return true
	}
	privileged := slices.Contains(held, catalog.RolePrivilegedRoleAdministrator) || len(desire(a, f).roles(catalog.GraphAppID)) == 0
	return common(held, appRoles) && privileged
}

func checkRoles(a state.Answers, f *Findings) Check {
	c := Check{ID: "roles", Title: "Directory roles"}
	switch {
	case f.Account.App:
		return c.unknown(appOnly)
	case slices.Contains(f.RoleIDs, catalog.RoleGlobalAdministrator):
		c.Evidence = "Global Administrator"
	case f.rolesSuffice(a, f.RoleIDs):
		c.Evidence = "Enough for everything in this setup"
	case f.RolesUnknown:
		c.State, c.Evidence = Unknown, "Not every role of this account could be read"
		c.Fix = "The setup goes on; where a role is missing, Microsoft refuses the write and nothing else is lost. A Global Administrator has all of them."
	case common(f.RoleIDs, appRoles):
		c.State, c.Blocks, c.SignIn, c.Evidence = Failed, true, true, "May register apps, but not grant application permissions of Microsoft Graph"
		c.Fix = "Sign in with a Global Administrator, or add the role Privileged Role Administrator to this account and sign in again."
	default:
		c.State, c.Blocks, c.SignIn, c.Evidence = Failed, true, true, "No active role that may register apps and grant permissions"
		c.Fix = "Sign in with a Global Administrator. A role that is only eligible (Privileged Identity Management) has to be activated first, and then sign in again."
	}
	return c
}

// checkEligible tells a missing role from one that only waits to be activated.
// https://learn.microsoft.com/entra/id-governance/privileged-identity-management/pim-how-to-activate-role
func checkEligible(a state.Answers, f *Findings) Check {
	c := Check{ID: "eligible", Title: "Roles to be activated", Evidence: "The active roles suffice"}
	if f.Account.App {
		return c.unknown(appOnly)
	}
	if f.rolesSuffice(a, f.RoleIDs) {
		return c
	}
	if u, missing := f.unread(PartEligible); missing {
		return c.unknown(u)
	}
	var names []string
	for id, name := range roleNames {
		if containsFold(f.Eligible, id) && !containsFold(f.RoleIDs, id) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		c.Evidence = "None waits to be activated"
	case !f.rolesSuffice(a, slices.Concat(f.RoleIDs, f.Eligible)):
		c.State, c.Evidence = Warned, fmt.Sprintf("Eligible, but not enough: %s", strings.Join(names, ", "))
		c.Fix = "A Global Administrator has everything the setup needs."
	default:
		c.State, c.Blocks, c.SignIn = Failed, !f.RolesUnknown, true
		c.Evidence = fmt.Sprintf("Eligible, and not active: %s", strings.Join(names, ", "))
		c.Fix = fmt.Sprintf("Activate it at https://%s -> Privileged Identity Management -> My roles. Then sign in again: the sign-in of now does not know of it.", f.Cloud.Portal)
	}
	return c
}

// checkMembers tells whether somebody without a role could make the app. A role
// does not need it.
func checkMembers(f *Findings) Check {
	c := Check{ID: "members", Title: "Who may register apps"}
	if f.Account.App {
		return c.unknown(appOnly)
	}
	if u, missing := f.unread(PartMembers); missing {
		return c.unknown(u)
	}
	withRole := common(f.RoleIDs, append([]string{catalog.RoleGlobalAdministrator}, appRoles...))
	switch {
	case f.MembersRegister:
		c.Evidence = "Every member of the tenant"
	case withRole:
		c.Evidence = "People with a role only, which this account has"
	default:
		c.State, c.Evidence = Warned, "People with a role only, and none of this account's is known to be one"
		c.Fix = "Sign in with an Application Administrator or a Global Administrator, or have Users can register applications switched on (Entra admin center, Users, User settings)."
	}
	return c
}

// checkAgents: only members of AdminAgents reach Partner Center and customers.
func checkAgents(f *Findings) Check {
	c := Check{ID: "agents", Title: agentsGroup, Evidence: "The account is a member"}
	if f.Account.App {
		return c.unknown(appOnly)
	}
	if u, missing := f.unread(PartAgents, PartGroups); missing {
		return c.unknown(u)
	}
	switch {
	case len(f.AgentGroups) == 0:
		c.State, c.Evidence = Warned, "There is no such group, which every partner's tenant has"
		c.Fix = "When this is no Microsoft partner (CSP), leave Microsoft CSP out."
	case !common(f.AgentGroups, f.Groups):
		c.State, c.Evidence = Warned, f.Account.Username+" is not a member"
		c.Fix = "Make the account that authorises in Rewst a member: Partner Center, Account settings, User management, Admin agent. " +
			"Without it Rewst sees no customers. The app registration does not need it."
	}
	return c
}
