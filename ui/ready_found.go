package ui

import (
	"fmt"
	"time"

	"msbundle/steps"
)

// found says what there is of the account, with a mark.
func (w *wizard) found() (mark, text string) {
	r := w.readiness()
	switch {
	case r == nil:
		return "·", "not looked for yet"
	case r.UPN == "":
		return "✗", "the tenant has no domain it could be at"
	case r.User == nil && len(r.Deleted) > 0:
		return "!", r.UPN + " was deleted on " + r.Deleted[0].Deleted.Format(time.DateOnly)
	case r.User == nil:
		return "•", r.UPN + " is not there yet"
	}
	made := "there, made on " + r.User.Created.Format(time.DateOnly)
	switch u := r.User; {
	case u.Guest:
		return "✗", u.UPN + " is a guest"
	case u.Synced:
		return "✗", u.UPN + " is synchronised from your own directory"
	case !u.Enabled:
		return "!", u.UPN + " is " + made + ", and disabled"
	default:
		return "✓", u.UPN + " is " + made
	}
}

// noAccess says why there is nothing to decide about Conditional Access; false when
// there is.
func (w *wizard) noAccess() (string, bool) {
	r := w.readiness()
	if r == nil || len(r.Policies) > 0 {
		return "", false
	}
	for _, part := range []steps.Part{steps.PartPolicies, steps.PartPlans, steps.PartDefaults} {
		if _, unread := w.findings.Unread[part]; unread {
			return "", false
		}
	}
	switch {
	case r.Defaults:
		return "security defaults are on and there is no policy: nothing to do here", true
	case !r.Licensed:
		return "no product of the tenant has it (Microsoft Entra ID P1): nothing to do here", true
	}
	return "", false
}

// foundAzure says what there is of Azure, with a mark.
func (w *wizard) foundAzure() (mark, text string) {
	r := w.readiness()
	switch {
	case r == nil:
		return "·", "not looked at yet"
	case r.Azure.Subscription == nil:
		return "!", "no subscription that can be used was found"
	case r.Azure.Vault != "":
		return "✓", fmt.Sprintf("%s has the key vault %s", r.Azure.Subscription.Name, r.Azure.Vault)
	}
	return "•", r.Azure.Subscription.Name + " has no key vault yet"
}

// policyViews are the tenant's Conditional Access policies as the account meets
// them, with the one that would be made.
func (w *wizard) policyViews() []steps.PolicyView {
	if w.readiness() == nil {
		return nil
	}
	return steps.AccessPreview(w.asked(), w.findings)
}

// policyTally counts them.
func policyTally(list []steps.PolicyView) string {
	there, reach := 0, 0
	for _, v := range list {
		if v.State == steps.PolicyAbsent {
			continue
		}
		there++
		if v.Reaches != "No" {
			reach++
		}
	}
	text := "none yet"
	if there > 0 {
		text = fmt.Sprintf("%s, %s the account", count(there, "policy", "policies"), count(reach, "reaches", "reach"))
	}
	if there < len(list) {
		text += "; one is to be made"
	}
	return text
}

// readyOffers are what the plan of the stage offers.
func (w *wizard) readyOffers() []steps.Offer {
	if w.readiness() == nil {
		return nil
	}
	return steps.MakePlan(w.asked(), w.findings, w.options()).Offers
}

// readyChecks are the checks of the stage, those that need somebody first.
func (w *wizard) readyChecks() []steps.Check {
	if w.readiness() == nil {
		return nil
	}
	checks := steps.ReadyChecks(w.asked(), w.findings, w.options())
	order := []steps.CheckState{steps.Failed, steps.Warned, steps.Unknown, steps.Passed}
	var out []steps.Check
	for _, state := range order {
		for _, c := range checks {
			if c.State == state {
				out = append(out, c)
			}
		}
	}
	return out
}

// nothingAsked is said when every part was left out.
const nothingAsked = "Every part is left out, so there is nothing to do here. Set one up, or leave the wizard."

// blocks tells whether a check stops the stage.
func blocks(c steps.Check) bool { return c.Blocks && c.State == steps.Failed }
