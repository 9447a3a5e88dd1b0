package steps

import (
	"errors"
	"fmt"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
)

// Refusal is how the last try to write at a customer ended that did not work.
type Refusal struct {
	Reason string    `json:"reason"`
	Fix    string    `json:"fix,omitempty"`
	Role   bool      `json:"role,omitempty"` // a role was missing there that can be seen
	Kind   Kind      `json:"kind,omitempty"` // of the write that was refused
	At     time.Time `json:"at"`
}

// consentingRoles may put an app into a customer's tenant and consent for everybody.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
var consentingRoles = []string{catalog.RoleApplicationAdministrator, catalog.RoleCloudApplicationAdministrator, catalog.RoleGlobalAdministrator}

const (
	consentingNames = "Application Administrator or Cloud Application Administrator"
	consentingFix   = "Give a group that the account is in the role " + consentingNames + " there " + byGDAP + ". " + inForceUsual + "; then look again."
	// byGDAP is what gives the partner its place at customers.
	byGDAP       = "(GDAP: msbundle apply with the section gdap, or the wizard's GDAP)"
	inForceUsual = "A role takes minutes to some hours to be in force"
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
	if out.keptOut(f.Account.Username) {
		return &out
	}
	switch p.Rule {
	case "partner.900308":
		switch given, inForce, known := f.place.mayConsent(); {
		case inForce:
			out.Cause = "The account lacks the right, says Partner Center, though its token for the customer has a role that consents. One given a short while ago may not be known to it yet."
			out.Do = "Wait an hour, then try again."
		case given && known:
			out.Cause = "The role " + consentingNames + " is given to the partner there, but the account's token does not have it: the account is not in that group, or the role is not in force yet."
			out.Do = "Put the account into the group that has it, or wait: it takes minutes to some hours to be in force. Then try again."
		case known:
			out.Cause = "The account has no role there with which it may consent: " + consentingNames + "."
			out.Do = consentingFix
		default:
			out.Cause = "The account lacks the right, says Partner Center. Whether it has the role " + consentingNames + " there could not be seen."
			out.Do = "If it has not: " + lowerFirst(consentingFix)
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

// refusalOf is what is remembered of a failed write of a kind; nil when the service
// refused nothing: what was lost on the way, or came when it was busy, says nothing of
// the next try.
func refusalOf(p *Problem, kind Kind, f *Findings, now time.Time) *Refusal {
	var failed *msclient.Error
	var denied *msclient.AuthError
	switch {
	case errors.As(p, &failed):
		if failed.Status < 400 || failed.Status >= 500 || failed.Status == 408 || failed.Status == 429 {
			return nil
		}
	case !errors.As(p, &denied) && p.Rule == "":
		return nil
	}
	reason, fix := wentWrong(p)
	_, inForce, _ := f.place.mayConsent()
	return &Refusal{Reason: reason, Fix: fix, Role: p.Rule == "partner.900308" && !inForce, Kind: kind, At: now}
}

// unmended is the last refusal of what the app is to be given, unless what was read now
// shows that it would not come again; nil when there is none.
func (x *shieldFacts) unmended() *Refusal {
	last := x.before.Refused
	if last == nil || last.Kind == KindPolicy {
		return nil
	}
	if _, inForce, _ := x.found.place.mayConsent(); last.Role && inForce {
		return nil
	}
	return last
}

// unspared is the last refusal when it was of an exclusion, until the app saw after it
// that none is missing; nil when there is none.
func (x *shieldFacts) unspared(spared time.Time) *Refusal {
	last := x.before.Refused
	if last == nil || last.Kind != KindPolicy || !x.shared.excludes || spared.After(last.At) {
		return nil
	}
	return last
}
