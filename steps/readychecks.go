package steps

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/state"
)

// Ids of the checks other code refers to.
const (
	CheckServiceAccount = "service-account"
	CheckStepDown       = "step-down" // passed by typing the tenant's name
)

// ReadyChecks checks whether the stage about the tenant can be done with these
// answers, in this tenant, by this account, with the offers that were taken. It is
// a pure function; empty when the answers have no section about the tenant.
func ReadyChecks(a state.Answers, f *Findings, o PlanOptions) []Check {
	if f.Ready == nil {
		return nil
	}
	if _, missing := f.unread(PartDirectory); missing {
		return nil
	}
	asked := o
	o.Stage = StageTenant
	p := MakePlan(a, f, o)
	var checks []Check
	if a.ServiceAccount != nil {
		checks = append(checks, checkServiceAccount(a, f, o), checkStepDown(a, f, &p))
	}
	checks = append(checks, checkRights(f, &p))
	checks = append(checks, mfaChecks(a, f)...)
	checks = append(checks, accessChecks(a, f)...)
	checks = append(checks, azureChecks(a, f)...)
	return append(checks, exchangeChecks(a, f, asked)...)
}

// checkServiceAccount tells whether the account can be used, or made.
func checkServiceAccount(a state.Answers, f *Findings, o PlanOptions) Check {
	r := f.Ready
	c := Check{ID: CheckServiceAccount, Title: "Service account"}
	fail := func(evidence, fix string) Check {
		c.State, c.Blocks, c.Evidence, c.Fix = Failed, true, evidence, fix
		return c
	}
	const other = "Choose another user name (serviceAccount.username)."
	u := r.User
	switch {
	case r.UPN == "":
		return fail("The tenant has no domain an account could be made at", "Name one with the user name, such as rewst@contoso.onmicrosoft.com.")
	case u != nil && u.Guest:
		return fail(u.UPN+" is a guest: its sign-in and its multifactor authentication belong to another tenant", "Rewst needs an account of the tenant itself. "+other)
	case u != nil && u.Synced:
		return fail(u.UPN+" is synchronised from the organisation's own directory, which would overwrite what is changed here", "An account with such roles should live in Microsoft's cloud only. "+other)
	case u != nil && !u.Enabled && !o.Ticked[OfferEnable]:
		c.Offer = OfferEnable
		return fail(u.UPN+" is there and disabled", "Take the offer to enable it (--take "+OfferEnable+"), or choose another user name (serviceAccount.username).")
	case u != nil:
		c.Evidence = fmt.Sprintf("%s is there, made on %s", u.UPN, u.Created.Format(time.DateOnly))
		if r.made {
			c.Evidence += " by this program"
		}
		return c
	}
	if why := r.badDomain(); why != "" {
		return fail(why, "Name a verified domain that is not federated, such as "+initialDomain(r)+", with the user name.")
	}
	switch {
	case len(r.Deleted) > 0 && !o.Ticked[OfferRestore] && (!o.Ticked[OfferReplace] || !a.ServiceAccount.Create):
		c.Offer = OfferRestore
		return fail(
			fmt.Sprintf("%s was deleted on %s and can be restored", r.UPN, r.Deleted[0].Deleted.Format(time.DateOnly)),
			"Take one of the offers: restore it (--take "+OfferRestore+"), or make a new one beside it (--take "+OfferReplace+"). Or choose another user name.",
		)
	case len(r.Deleted) == 0 && !a.ServiceAccount.Create:
		return fail("There is no account "+r.UPN, "Let it be made (serviceAccount.create: true), or name one that is there.")
	}
	c.Evidence = r.UPN + " is not there yet, and will be made"
	if len(r.Deleted) > 0 && o.Ticked[OfferRestore] {
		c.Evidence = r.UPN + " was deleted, and will be restored"
	}
	if u, missing := f.unread(PartDeletedUsers); missing {
		c.State, c.Evidence, c.Fix = Warned, c.Evidence+". Whether one of that name was deleted could not be read: "+u.Why, u.Fix
	}
	return c
}

func initialDomain(r *Readiness) string {
	for _, d := range r.Domains {
		if d.Initial {
			return d.Name
		}
	}
	return "contoso.onmicrosoft.com"
}

// checkStepDown tells whether Global Administrator can be taken away.
func checkStepDown(a state.Answers, f *Findings, p *Plan) Check {
	r := f.Ready
	c := Check{ID: CheckStepDown, Title: "Taking Global Administrator away"}
	switch {
	case a.ServiceAccount.Roles != state.RolesOperate:
		c.Evidence = "Not asked for"
		return c
	case r.adminThroughGroup() && !r.User.Holds(catalog.RoleGlobalAdministrator):
		c.State, c.Evidence, c.Fix = Warned, "The account has it through a group", UpperFirst(leaveGroupByHand)+"."
		return c
	case !r.User.Holds(catalog.RoleGlobalAdministrator):
		c.Evidence = "The account does not hold it"
		return c
	}
	why := stepDownRefused(f)
	switch {
	case why == "":
		c.Evidence = "Others hold it too, and whoever is signed in keeps it"
	case p.insisted():
		c.State, c.Evidence = Warned, UpperFirst(why)+"; the tenant's name was given to have it done all the same"
		c.Fix = "Make sure that somebody can still administer the tenant. Microsoft has the last word: it may refuse, after everything else was done."
	default:
		c.State, c.Blocks, c.Evidence = Failed, true, UpperFirst(why)
		if p.options.Insist != "" {
			c.Evidence += fmt.Sprintf("; the name that was typed, %q, is not the tenant's", p.options.Insist)
		}
		c.Fix = fmt.Sprintf("Sign in as another Global Administrator, who can do it. To have it tried all the same, last of all, give the tenant's name: --insist %q.", f.Org.Name)
	}
	return c
}

// rights are the directory roles that serve for a kind of write, besides Global
// Administrator.
// https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
var rights = map[Kind][]string{
	KindUser:      {roleUserAdministrator},
	KindPassword:  {rolePrivilegedAuthenticationAdministrator},
	KindMember:    {roleUserAdministrator, roleGroupsAdministrator},
	KindRoleGiven: {catalog.RolePrivilegedRoleAdministrator},
	KindMFA:       {roleAuthenticationPolicyAdministrator},
	KindPolicy:    {roleConditionalAccessAdministrator, roleSecurityAdministrator},
}

const (
	roleUserAdministrator                     = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	roleGroupsAdministrator                   = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
	rolePrivilegedAuthenticationAdministrator = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
	roleAuthenticationPolicyAdministrator     = "0526716b-113d-4c15-b2c8-68e3c22b9f80"
	roleConditionalAccessAdministrator        = "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9"
	roleSecurityAdministrator                 = "194ae4cb-b126-40b2-bd5b-6091b380977d"
)

// checkRights holds the person's roles against what the plan would write, so that
// nothing ends half-way with a refusal.
func checkRights(f *Findings, p *Plan) Check {
	c := Check{ID: "tenant-rights", Title: "Rights for the service account's setup"}
	var lacks []string
	for _, change := range p.Changes {
		serve, known := rights[change.Kind]
		if known && !common(f.RoleIDs, append([]string{catalog.RoleGlobalAdministrator}, serve...)) && !slices.Contains(lacks, groupTitles[change.Kind]) {
			lacks = append(lacks, groupTitles[change.Kind])
		}
	}
	switch {
	case f.Account.App:
		return c.unknown(appOnly)
	case len(lacks) == 0:
		c.Evidence = "Enough for everything this plan writes"
	case f.RolesUnknown:
		c.State, c.Evidence = Unknown, "Not every role of this account could be read"
		c.Fix = "A Global Administrator has all of them."
	default:
		c.State, c.Blocks, c.SignIn = Failed, true, true
		c.Evidence = "No active role of this account allows: " + strings.Join(lacks, ", ")
		c.Fix = "Sign in with a Global Administrator. A role that is only eligible (Privileged Identity Management) has to be activated first, and then sign in again."
	}
	return c
}
