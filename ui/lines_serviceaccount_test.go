package ui

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/state"
	"msbundle/steps"
)

// toTenant opens the stage about the tenant, toTenantChecks answers its questions
// as they are offered.
func (x *talk) toTenant() { x.types("2") }

func (x *talk) toTenantChecks() {
	x.toTenant()
	for !strings.Contains(x.last(), "Press Enter to see the plan") {
		x.types("")
	}
}

func TestLinesTenant(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) { withPolicies(f); f.ready.User = nil; noVault(f) }, func(x *talk) {
		x.toTenant()
		x.hears("Service account: Sign in.", "Signed in as admin@contoso.onmicrosoft.com.", "Service account, step 1 of 4.", "Service account:", "1. Set up.", "2. Leave out.")
		x.types("")
		x.hears("Found: rewst@contoso.onmicrosoft.com is not there yet.", "User name. Press Enter for rewst:")
		x.types("no name")
		x.hears("That cannot be used:")
		x.types("automation")
		x.hears("Looking at the tenant.", "Found: automation@contoso.onmicrosoft.com is not there yet.", "If it is absent:")
		x.types("", "Fabrikam automation")
		x.hears("Directory roles:", "1. For setting up. Global Administrator,", "2. For operating. The step-down: twelve roles")
		x.types("3")
		x.hears("MFA:", "1. Automatic. In this tenant: Multifactor authentication of the account is demanded by a Conditional Access policy")
		x.types("")
		x.hears("There is: 3 policies, 2 reach the account; one is to be made.", "Require a compliant device for everybody, on. Reaches the account: Yes:", "Exclude the account", "Conditional Access:")
		x.misses("Block guests")
		x.types("", "2", "")
		x.hears("Azure:", "2. Leave out.")
		x.types("1")
		x.hears("Looking at the tenant.", "Azure: Production has no key vault yet.", "Subscription:", "2. Production. 77777777-0000-0000-0000-000000000001.")
		x.types("3", "rewst--", "fabrikam-keys", "", "nowhere at all", "uksouth", "2")
		x.hears("Exchange:")
		x.types("")
		x.hears("Looking at the tenant.", "Passed: Service account. automation@contoso.onmicrosoft.com is not there yet, and will be made.", "Press Enter to see the plan")
		a := x.l.w.answers
		if s := a.ServiceAccount; s.Username != "automation" || s.DisplayName != "Fabrikam automation" || s.Roles != state.RolesLeave || !s.Create {
			t.Errorf("service account: %+v", s)
		}
		if c, z := a.ConditionalAccess, a.Azure; c.Policy != state.PolicyReportOnly || !c.Exclude || z.Vault != "fabrikam-keys" || z.Location != "uksouth" || z.Role != "Reader" ||
			z.Subscription != "77777777-0000-0000-0000-000000000002" || a.Exchange != nil {
			t.Errorf("%+v %+v %+v", c, z, a.Exchange)
		}
		x.types("")
		x.hears("Service account: Plan, step 2 of 4.", "The password is shown at the end, once.")
		x.types("", "yes")
		x.hears("Ready. ", "User name: rewst@contoso.onmicrosoft.com", "Hand-over text, for where your team documents its accounts, without the password:", "Left for you: Sign in once", "Show the password now? It is shown once.")
		x.misses(fakePassword)
		x.types("no")
		x.hears("Leave without the password?")
		x.types("no", "yes")
		x.hears("Password: " + fakePassword)
		x.types("")
		x.leaves(Done)
		if x.f.passwords != 1 || x.f.delivered != 0 {
			t.Errorf("noted %d passwords and %d secrets as taken, want 1 and 0", x.f.passwords, x.f.delivered)
		}
	})
}

// From authorising on to the tenant, and through it again.
func TestLinesNextStage(t *testing.T) {
	talking(t, nil, func(x *talk) {
		x.toApply()
		x.types("yes", "?")
		x.hears("next goes on to the stage Service account")
		x.types("next")
		x.hears("Service account, step 1 of 4.")
		x.misses("Sign-in for")
		x.types("back")
		x.hears("What do you want to do?")
		x.types("2")
		for !strings.Contains(x.last(), "Press Enter to see the plan") {
			x.types("")
		}
		x.types("", "", "yes", "yes", "start")
		x.hears("What do you want to do?")
		x.types("2")
		x.hears("Service account, step 1 of 4.", "Looking at the tenant.")
		x.types("quit")
		x.leaves(Done)
		x.hears("Authorised: Rewst Integration in Contoso", "Ready: the tenant Contoso")
		x.misses("Nothing was changed")
	})
}

// What stands in the way is told, and can be mended there.
func TestLinesTenantBlocked(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) { f.ready.User = theAccount(); f.ready.User.Enabled = false }, func(x *talk) {
		x.toTenant()
		for !strings.Contains(x.last(), "Mend that first") {
			x.types("")
		}
		x.hears("Failed: Service account. rewst@contoso.onmicrosoft.com is there and disabled.", "Offer 1, not taken: Enable the account", "tick and a number to take or leave an offer")
		x.types("")
		x.hears("This has to be mended first: Service account.")
		x.types("insist Contoso")
		x.hears("That is not understood.")
		x.types("tick 1")
		x.hears("Offer 1, taken:", "Press Enter to see the plan")
		x.types("")
		x.hears("account rewst@contoso.onmicrosoft.com: enabled")
	})
	talking(t, func(f *fake, _ *Config, _ *Console) { lastAdmin(f) }, func(x *talk) {
		x.toTenant()
		x.types("", "", "2")
		for !strings.Contains(x.last(), "Mend that first") {
			x.types("")
		}
		x.hears("insist and the tenant's name to have it done all the same")
		x.types("insist contoso")
		x.hears("Mend that first")
		x.types("insist Contoso")
		x.hears("Press Enter to see the plan")
		x.types("")
		x.hears("Remove Global Administrator from rewst@contoso.onmicrosoft.com")
	})
	talking(t, func(f *fake, _ *Config, _ *Console) { f.inspect = make(chan error, 2); f.inspect <- errors.New("lost") }, func(x *talk) {
		x.toTenant()
		x.hears("Press Enter to look again, or type back or quit:")
		x.f.inspect <- nil
		x.types("")
		x.hears("1. Set up.")
	})
	talking(t, nil, func(x *talk) { // nothing at all
		x.toTenant()
		x.types("2", "", "")
		x.hears("Every part is left out")
		x.types("")
		x.hears("Every part is left out")
		x.types("back")
		x.hears("Exchange:")
	})
}

// The end of the input declines wherever it comes, and never shows the password.
func TestLinesTenantEndOfInput(t *testing.T) {
	var answers []string
	talking(t, nil, func(x *talk) { // as many as there are questions
		x.toTenant()
		answers = append(answers, "2")
		for !strings.Contains(x.last(), "Press Enter to see the plan") {
			x.types("")
			answers = append(answers, "")
		}
	})
	answers = append(answers, "", "", "yes", "yes")
	for n := range answers {
		talking(t, nil, func(x *talk) {
			x.types(answers[:n]...)
			close(x.in)
			synctest.Wait()
			x.leaves(Declined)
			yes := n > len(answers)-2
			if applied := len(x.f.applied) > 0; applied != yes {
				t.Errorf("after %d answers: applied %v, want %v", n, applied, yes)
			}
			x.heard = 0
			x.misses(fakePassword)
			if yes {
				x.hears("The service account's password was neither shown nor copied. The next run makes a new one.")
			}
		})
	}
}

// The change of a policy is said in words, too.
func TestLinesPolicyDifference(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) { withPolicies(f) }, func(x *talk) {
		x.toTenantChecks()
		x.types("")
		n := 0
		for i, c := range x.l.w.plan.Changes {
			if c.Kind == steps.KindPolicy && c.Action == steps.Update {
				n = i
			}
		}
		x.types("show " + string(rune('1'+n)))
		x.hears("Difference: Excluded users: 1 before, 2 after; added rewst@contoso.onmicrosoft.com.", "As it is now:")
	})
}
