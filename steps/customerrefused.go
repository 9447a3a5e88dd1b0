package steps

import (
	"fmt"
	"time"

	"msbundle/catalog"
)

// Refusal is how the last try to write at a customer ended that did not work.
type Refusal struct {
	Reason string    `json:"reason"`
	Fix    string    `json:"fix,omitempty"`
	Role   bool      `json:"role,omitempty"` // a role was missing there that can be seen
	At     time.Time `json:"at"`
}

// consentingRoles may put an app into a customer's tenant and consent for everybody.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
var consentingRoles = []string{catalog.RoleApplicationAdministrator, catalog.RoleCloudApplicationAdministrator, catalog.RoleGlobalAdministrator}

const (
	consentingNames = "Application Administrator or Cloud Application Administrator"
	consentingFix   = "Give a group that the account is in the role " + consentingNames + " there: the stage GDAP does. It takes minutes to some hours to be in force; then look again."
)

// mayConsent tells whether the account has a role at the customer with which it may
// consent: given, as far as that was read, and named by its own token. The token of
// somebody without any role names that of every guest, so none at all is not known.
func (w *place) mayConsent() (given, inForce, known bool) {
	return common(w.Roles, consentingRoles), common(w.own, consentingRoles), len(w.own) > 0
}

// barred is why a consent is bound to be refused; empty when it may work.
func (w *place) barred(account string) string {
	if given, inForce, known := w.mayConsent(); given || inForce || !known {
		return ""
	}
	return fmt.Sprintf("The app cannot be consented to there: %s does not have the role %s.", account, consentingNames)
}

// blamed is a failure at a customer with the causes that what was read leaves
// possible. That the customers could be listed shows that the account is an admin
// agent.
// https://learn.microsoft.com/partner-center/developer/error-codes
func blamed(p *Problem, f *Findings) *Problem {
	out := *p
	switch p.Rule {
	case "partner.900308":
		switch given, inForce, known := f.place.mayConsent(); {
		case inForce:
			out.Cause = "The account lacks the right, says Partner Center, though its token for the customer has a role that consents. One given a short while ago may not be known to it yet."
			out.Do = "Wait an hour, then try again."
		case given && known:
			out.Cause = "The role " + consentingNames + " is given to the partner there, but the account's token does not have it: the account is not in that group, or the role is not in force yet."
			out.Do = "Put the account into the group that has it, or wait: it takes minutes to some hours to be in force. Then try again."
		default:
			out.Cause = "The account has no role there with which it may consent: " + consentingNames + "."
			out.Do = consentingFix
		}
	case "partner.consent-forbidden":
		out.Cause = "Partner Center does not take the consent from this sign-in: it was made with another app than the one the consent is for, or the company is an indirect reseller, which this API does not serve."
		out.Do = "Run it again, and sign in when the app's own sign-in asks. An indirect reseller sets each customer up by the direct route."
	case "AADSTS50020":
		out.Cause = "The sign-in service says that the account is nobody in the customer's tenant, though it was let in a moment ago to read: its groups or their roles have changed, or are not known everywhere yet."
		out.Do = "Wait an hour, then look again."
	default:
		return p
	}
	return &out
}

// refusalOf is what is remembered of a failure.
func refusalOf(p *Problem, f *Findings, now time.Time) *Refusal {
	s := failedShield(p, now)
	_, inForce, _ := f.place.mayConsent()
	return &Refusal{Reason: s.Reason, Fix: s.Fix, Role: p.Rule == "partner.900308" && !inForce, At: now}
}

// unmended is the last refusal, unless what was read now shows that it would not come
// again; nil when there is none.
func (x shieldFacts) unmended() *Refusal {
	if last := x.before.Refused; last != nil && last.Role {
		if _, inForce, _ := x.found.place.mayConsent(); inForce {
			return nil
		}
	}
	return x.before.Refused
}
