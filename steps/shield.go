package steps

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

var shades = map[Shade]string{Unseen: "not looked at", Red: "red", Blue: "blue", Amber: "amber", Green: "green"}

func (s Shade) String() string { return shades[s] }

// MarshalText writes a shade by its name.
func (s Shade) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads it.
func (s *Shade) UnmarshalText(text []byte) error {
	for shade, name := range shades {
		if name == string(text) {
			*s = shade
			return nil
		}
	}
	return fmt.Errorf("%q is no colour of a shield", text)
}

// shieldFacts are what a shield is made from.
type shieldFacts struct {
	customer Customer
	shared   *sharedPlan
	partner  *Findings
	found    *Findings
	answers  state.Answers
	exchange *seen  // of a command of Exchange Online; nil when none was sent
	plan     *Plan  // what the customer takes; nil when too little was read to say
	before   Shield // as it was at the last look
	now      time.Time
}

// shieldOf says how a customer stands. It is a pure function.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
func shieldOf(x shieldFacts) Shield {
	w := x.found.place
	if w.token == nil && w.unread(nil) == nil {
		p := makeCustomerPlan(x.shared, x.customer, x.found)
		x.plan = &p
	}
	s := Shield{At: x.now, Spared: x.spared(), Chosen: x.shared.chosen}
	s.Notes, s.PolicyNotes = x.notes()
	add := func(proof string, state CheckState, evidence, fix string) {
		s.Checks = append(s.Checks, ShieldPart{Proof: proof, State: state, Evidence: evidence, Fix: fix, RequestID: w.seen[proof].requestID, At: x.now})
	}
	if w.token != nil {
		shade, why, fix := x.closed()
		add(ProofToken, Failed, why, fix)
		s.Shade, s.Reason, s.Fix, s.Refused = shade, why, fix, x.unspared(s.Spared)
		s.Checks = append(s.Checks, x.exchangeHeld()...)
		return s
	}
	who := "as " + x.found.Account.Username
	if w.asApp {
		who = "as the app, on behalf of " + x.found.Account.Username
	}
	add(ProofToken, Passed, "A token for the tenant was had, "+who+".", "")
	x.addOrganization(add)
	x.addRoles(add)
	x.addUsers(add)
	s.Checks = append(s.Checks, x.addExchange(add)...)
	x.addGrants(add)
	s.Shade = Green
	worst := Passed
	for _, c := range s.Checks {
		// The worst counts, what failed before what could not be tried.
		shade := x.shadeOf(c)
		if shade < s.Shade || shade == s.Shade && worst != Failed && c.State == Failed {
			s.Shade, s.Reason, s.Fix, worst = shade, c.Evidence, c.Fix, c.State
		}
	}
	if s.part(ProofGrants).State != Passed {
		s.Refused = x.unmended()
	}
	if last := x.unspared(s.Spared); last != nil {
		s.Refused = last
		if s.Shade == Green || worst == Unknown && s.Shade == Amber {
			s.Shade, s.Reason, s.Fix = Amber, last.Reason, last.Fix
		}
	}
	// That delegated administration is not there comes before what cannot be without it.
	if status, words, fix := x.relation(); status != RelationActive && s.Shade < Amber && !x.elsewhere() && x.found.Principal == nil {
		s.Shade, s.Reason, s.Fix, s.Refused = x.unrelated(status), words, fix, nil
	}
	return s
}

// shadeOf is what one of the reads makes of the whole. Blue is for what was never set
// up; what was, and is refused, is red.
func (x *shieldFacts) shadeOf(c ShieldPart) Shade {
	w := x.found.place
	switch {
	case c.State == Passed, c.Proof == ProofExchange && x.connector():
		return Green
	case c.Proof == ProofOrganization:
		return Red
	case c.Proof != ProofGrants:
		return Amber
	case w.unread(nil) != nil, x.found.Principal != nil && x.found.Principal.Disabled:
		return Red
	case x.found.Principal == nil && (x.barred() != "" || x.unmended() != nil):
		return Red
	case x.found.Principal == nil:
		return Blue
	}
	return Amber
}

// connector tells whether the app is the vendor's, whose key nobody has here.
func (x *shieldFacts) connector() bool { return x.answers.Registration.Kind == state.KindConnector }

// elsewhere tells whether the token leads into another tenant.
func (x *shieldFacts) elsewhere() bool {
	return x.found.place.seen[ProofOrganization].err == nil && !strings.EqualFold(x.found.Org.ID, x.customer.TenantID)
}

// barred is why a consent of ours is bound to be refused; empty when it may work, or is
// somebody else's to give.
func (x *shieldFacts) barred() string {
	if x.connector() || !chosenAt(x.answers, x.customer, x.found) {
		return ""
	}
	return x.found.place.barred(x.found.Account.Username)
}

// unrelated is how a customer stands whose delegated administration is not in force:
// one that ended was set up once.
func (*shieldFacts) unrelated(status string) Shade {
	if status == "" {
		return Red
	}
	return Blue
}

// spared tells since when the customer's policies are known to let the partner's
// people be. Only the app can read them, so what was seen before counts until then.
func (x *shieldFacts) spared() time.Time {
	switch {
	case !x.shared.policies, x.plan != nil && x.found.Principal == nil:
		return time.Time{}
	case !x.policiesSeen():
		return x.before.Spared
	case slices.ContainsFunc(x.plan.Changes, func(c Change) bool { return c.Kind == KindPolicy }):
		return time.Time{}
	}
	return x.now
}

// policiesSeen tells whether the customer's policies were read, or there are none.
func (x *shieldFacts) policiesSeen() bool {
	why := x.found.place.PoliciesNo
	return x.plan != nil && !x.elsewhere() && (why == nil || unlicensed(why))
}

// notes say what is left alone at the customer, and how many of them, the last, are
// about policies. What could not be seen now is as it was seen before.
func (x *shieldFacts) notes() (list []string, policies int) {
	before, split := x.before.Notes, len(x.before.Notes)-x.before.PolicyNotes
	switch {
	case x.connector(), split < 0:
		return nil, 0
	case x.plan == nil, x.elsewhere():
		list = before[:split:split]
	default:
		for i := range x.plan.Notes {
			n := &x.plan.Notes[i]
			if n.Done {
				continue
			}
			list = append(list, n.Text)
			if i >= x.plan.customer.general && x.shared.excludes {
				policies++
			}
		}
	}
	if x.shared.excludes && !x.policiesSeen() && policies == 0 {
		list, policies = append(list, before[split:]...), x.before.PolicyNotes
	}
	return list, policies
}

// closed says why there is no way into the customer's tenant.
func (x *shieldFacts) closed() (Shade, string, string) {
	err := x.found.place.token
	why := problem(err, "there is no way into the customer's tenant")
	var p *Problem
	_ = errors.As(why, &p)
	var refused *msclient.AuthError
	if errors.As(err, &refused) && slices.Contains(refused.Codes, 65001) {
		return Blue, "The app is not consented to there.", x.consentFix()
	}
	if status, words, fix := x.relation(); status != RelationActive {
		return x.unrelated(status), words, fix
	}
	if refused != nil && slices.ContainsFunc(refused.Codes, func(code int) bool { return slices.Contains(strangerCodes, code) }) {
		return Red, fmt.Sprintf("%s is not let into the tenant: it is in none of the groups that have roles there, or they are not in force yet.", x.found.Account.Username),
			"Sign in as the service account, or give the groups their roles " + byGDAP + ". " + inForceUsual + "."
	}
	if p.keptOut(x.found.Account.Username) {
		return Red, p.Cause, p.Do
	}
	return Red, asSentence(cmp.Or(p.Cause, p.What)), p.Do
}

// blockedCodes are how the sign-in service says that a customer's policies keep
// somebody out, whatever they do.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var blockedCodes = []string{"AADSTS53003", "AADSTS53000", "AADSTS53001", "AADSTS53002", "AADSTS53009", "AADSTS50158"}

// keptOut turns what a customer's tenant was refused with into who can mend it, where
// that is the customer alone; false, and nothing changed, where it is not.
func (p *Problem) keptOut(account string) bool {
	if !slices.Contains(blockedCodes, p.Code) && p.Rule != "partner.900309" && p.Rule != blockedCodes[0] || everybodys(p.Err) != nil {
		return false
	}
	p.Cause, p.Do, p.Who = fmt.Sprintf("A Conditional Access policy of the customer keeps %s out (%s).", account, p.Code), excludedFix, string(catalog.ByCustomerAdmin)
	return true
}

// excludedFix is what to do about it: nothing of ours gets in to do it.
const excludedFix = "An administrator of the customer excludes your people from it: Entra admin center, Conditional Access, the policy, Users, Exclude, Guest or external users, " +
	"Service provider users, with the id of your tenant alone. Then look again."

// strangerCodes are how the sign-in service says that an account is nobody in a
// tenant: without delegated administration it is.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var strangerCodes = []int{50020, 50177, 90099}

// relation is how delegated administration of the customer stands.
func (x *shieldFacts) relation() (status, words, fix string) {
	d := x.partner.Delegation
	if d == nil {
		return RelationActive, "", "" // not known, so it is not to blame
	}
	list := d.byCustomer()[x.customer.TenantID]
	r := d.best(list, nil)
	switch {
	case r == nil && len(list) > 0:
		last := slices.MaxFunc(list, func(a, b *Relationship) int { return a.Created.Compare(b.Created) })
		if last.Microsofts() {
			return RelationCreated, "There is only a relationship Microsoft made, which does not suffice.", "Ask the customer for one with all roles " + byGDAP + "."
		}
		return "", fmt.Sprintf("The relationship %q is %s.", last.Name, last.Status), "Ask the customer for a new one " + byGDAP + "."
	case r == nil:
		return RelationCreated, "There is no delegated administration relationship.", "Ask the customer for one " + byGDAP + "."
	case r.Status != RelationActive:
		return r.Status, fmt.Sprintf("The relationship %q waits for the customer's approval.", r.Name), "Send the customer the link again: msbundle invitations."
	}
	return RelationActive, "", ""
}

// part finds one of the reads; its zero when there is none.
func (s Shield) part(proof string) ShieldPart {
	for _, c := range s.Checks {
		if c.Proof == proof {
			return c
		}
	}
	return ShieldPart{}
}

// fail makes it the shield of a customer something went wrong at. What was seen there
// before, and is not seen every time, still counts.
func (s *Shield) fail(err error, now time.Time) {
	s.Shade, s.At, s.Checks = Red, now, s.exchange()
	s.Reason, s.Fix = wentWrong(err)
}

// noExchangeRole is said where it was read who has which role.
const noExchangeRole = "The app does not have the role Exchange Administrator there."

// exchange is the last answer of Exchange Online, or that the app was seen to have no
// role for it; empty when there is neither.
func (s *Shield) exchange() []ShieldPart {
	for i := range s.Checks {
		c := &s.Checks[i]
		if c.Proof == ProofExchange && (c.State == Passed && c.Evidence != "" || c.Evidence == noExchangeRole) {
			return s.Checks[i : i+1 : i+1]
		}
	}
	return nil
}

// failedShield is the shield of a customer something went wrong at.
func failedShield(err error, now time.Time) (s Shield) {
	s.fail(err, now)
	return s
}

// wentWrong says in sentences what went wrong, and what to do.
func wentWrong(err error) (what, fix string) {
	p := problemOf(err)
	what = asSentence(p.What)
	if p.Cause != "" {
		what += " " + asSentence(p.Cause)
	}
	return what, p.Do
}

func problemOf(err error) *Problem {
	var p *Problem
	if !errors.As(problem(err, "something went wrong there"), &p) {
		return &Problem{What: err.Error(), Err: err}
	}
	return p
}

// reasonOf says in a few words why something was refused.
func reasonOf(err error) string {
	p := problemOf(err)
	return lowerFirst(asSentence(cmp.Or(p.Cause, p.Raw, p.What)))
}

func fixOf(err error) string { return problemOf(err).Do }

func asSentence(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return s
	}
	return UpperFirst(strings.TrimSuffix(s, ".")) + "."
}
