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
	CheckSecrets    = "secrets"
	CheckSecretLife = "secret-life"
	CheckAppID      = "app-id"
)

// maxSkew is how wrong this machine's clock may be before sign-ins suffer.
const maxSkew = 5 * time.Minute

// Preflight checks whether the setup can be done with these answers in this
// tenant by this account. It is a pure function of what was found.
//
// Only what would end in a refusal blocks. What is about the account or about
// later parts of the setup is told, and left to the person.
func Preflight(a state.Answers, f *Findings, o PlanOptions) []Check {
	checks := preflight(a, f, o)
	if o.has(StageTenant) {
		checks = append(checks, ReadyChecks(a, f, o)...)
	}
	if o.has(StageGDAP) {
		checks = append(checks, GDAPChecks(a, f, o)...)
	}
	return checks
}

// preflight are the checks besides those of the stage about the tenant.
func preflight(a state.Answers, f *Findings, o PlanOptions) []Check {
	checks := []Check{
		checkTenant(a, f), checkCloud(a, f), checkAccount(f), checkExpected(a, f), checkMFA(a, f), checkDirectory(f),
	}
	owned := a.Registration.Kind != state.KindConnector && o.has(StageAuthorize)
	if owned {
		checks = append(checks, checkRoles(a, f), checkEligible(a, f), checkMembers(f))
	}
	checks = append(checks, checkDefaults(f), checkDeviceCode(a, f), checkAccess(a, f), checkFrequency(a, f), checkPremium(f))
	if a.Has(catalog.Exchange) {
		checks = append(checks, checkExchange(f))
	}
	if a.Has(catalog.CSP) {
		checks = append(checks, checkPartner(f), checkIndirect(f), checkAgents(f))
	}
	if a.Has(catalog.Azure) {
		checks = append(checks, checkSubscription(f), checkVault(f))
	}
	if owned {
		checks = append(checks, checkApp(a, f), checkAppState(a, f), checkDeleted(a, f), checkSecrets(f), checkSecretLife(f), checkAPIs(a, f), checkLookAlike(f))
	}
	if o.has(StageAuthorize) {
		checks = append(checks, checkPermissions(a, f))
	}
	if owned {
		checks = append(checks, checkLength(a, f))
	}
	if o.has(StageAuthorize) {
		checks = append(checks, checkConnector(a, f))
	}
	checks = append(checks, checkLegacy(f), checkFootprint(f), checkClock(f))
	if u, missing := f.unread(PartDirectory); missing {
		for i, c := range checks {
			if slices.Contains(ofDirectory, c.ID) {
				checks[i] = c.unknown(u)
			}
		}
	}
	return checks
}

// ofDirectory are the checks that say nothing when apps and APIs are not shown.
var ofDirectory = []string{
	CheckSameName, CheckAppID, CheckSecrets, CheckSecretLife, "app-state", "apis", "look-alike", "permissions", "length", "connector",
}

// checkDirectory stops a setup that cannot see what is there: it would make it
// again.
func checkDirectory(f *Findings) Check {
	c := Check{ID: "directory", Title: "What the account is shown", Evidence: "The tenant's apps and APIs"}
	if u, missing := f.unread(PartDirectory); missing {
		c.State, c.Blocks, c.SignIn, c.Evidence, c.Fix = Failed, true, true, u.Why, u.Fix
	}
	return c
}

// unknown makes a check one that could not be made.
func (c Check) unknown(u Unread) Check {
	c.State, c.Evidence, c.Fix, c.Blocks = Unknown, u.Why, u.Fix, false
	return c
}

// unread finds why one of the parts a check rests on could not be read.
func (f *Findings) unread(parts ...Part) (Unread, bool) {
	for _, p := range parts {
		if u, missing := f.Unread[p]; missing {
			return u, true
		}
	}
	return Unread{}, false
}

// checkTenant holds the tenant of the sign-in against the one of the answers.
func checkTenant(a state.Answers, f *Findings) Check {
	c := Check{ID: "tenant", Title: "Tenant", Evidence: fmt.Sprintf("%s (%s), %s; %s", f.Org.Name, f.Org.DefaultDomain, f.Org.ID, f.Cloud.Name)}
	switch {
	case a.Tenant == "" || strings.EqualFold(a.Tenant, f.Org.ID) || containsFold(f.Org.Domains, a.Tenant):
	case state.IsGUID(a.Tenant):
		c.State, c.Blocks, c.SignIn, c.Evidence = Failed, true, true, fmt.Sprintf("%s; the answers name the tenant %s", c.Evidence, a.Tenant)
		c.Fix = "Sign in with an account of that tenant, or change the tenant in the answers."
	default:
		c.State, c.Evidence = Warned, fmt.Sprintf("%s; the answers name the domain %s, which is not among its domains", c.Evidence, a.Tenant)
		c.Fix = "Make sure that this is the tenant that is meant: everything is made here."
	}
	return c
}

// checkCloud says before it is tried what a national cloud does not offer.
// https://learn.microsoft.com/graph/deployments
func checkCloud(a state.Answers, f *Findings) Check {
	c := Check{ID: "cloud", Title: "What this cloud offers", Evidence: f.Cloud.Name + ": everything the setup uses"}
	if f.Cloud.Vendor {
		return c
	}
	lacks := []string{"Rewst documents its bundle and its connector for the global cloud only"}
	if a.Has(catalog.CSP) {
		gdap := "Microsoft documents delegated access to customers (GDAP) for the global cloud only"
		if f.Cloud.ID == "china" {
			gdap = "there is no delegated access to customers (GDAP)"
		}
		lacks = append(lacks, gdap, "Partner Center may not answer")
	}
	c.State, c.Evidence = Warned, f.Cloud.Name+": "+strings.Join(lacks, "; ")
	c.Fix = "Ask Rewst before you rely on it here. The app registration itself can be made."
	return c
}

func checkClock(f *Findings) Check {
	c := Check{ID: "clock", Title: "Clock of this machine", Evidence: "Right to within a few minutes"}
	if f.Skew.Abs() > maxSkew {
		direction := "behind"
		if f.Skew < 0 {
			direction = "ahead of"
		}
		c.State, c.Evidence = Warned, fmt.Sprintf("%s %s Microsoft's", f.Skew.Abs().Round(time.Minute), direction)
		c.Fix = "Set the clock of this machine. Sign-ins and expiry dates depend on it; the plan uses Microsoft's time."
	}
	return c
}
