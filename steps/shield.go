package steps

import (
	"cmp"
	"encoding/json"
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
	s := Shield{At: x.now, Spared: x.spared()}
	s.Notes, s.PolicyNotes = x.notes()
	add := func(proof string, state CheckState, evidence, fix string) {
		s.Checks = append(s.Checks, ShieldPart{Proof: proof, State: state, Evidence: evidence, Fix: fix, RequestID: w.seen[proof].requestID, At: x.now})
	}
	if w.token != nil {
		shade, why, fix := x.closed()
		add(ProofToken, Failed, why, fix)
		s.Shade, s.Reason, s.Fix, s.Refused = shade, why, fix, x.unspared(s.Spared)
		if shade == Unseen { // nothing was seen that would explain it
			s.Refused = x.before.Refused
		}
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

type addPart func(proof string, state CheckState, evidence, fix string)

// closed says why there is no way into the customer's tenant.
func (x *shieldFacts) closed() (Shade, string, string) {
	err := x.found.place.token
	if errors.Is(err, msclient.ErrSkipped) {
		return Unseen, "The sign-in that reads customers' tenants was skipped.", "Look again and sign in when asked."
	}
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
	if refused != nil {
		if i := slices.IndexFunc(refused.Codes, func(code int) bool { return slices.Contains(blockedCodes, code) }); i >= 0 {
			return Red, fmt.Sprintf("A Conditional Access policy of the customer keeps %s out (AADSTS%d).", x.found.Account.Username, refused.Codes[i]), excludedFix
		}
	}
	return Red, asSentence(cmp.Or(p.Cause, p.What)), p.Do
}

// blockedCodes are how the sign-in service says that a customer's policies keep
// somebody out, whatever they do.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var blockedCodes = []int{53003, 53000, 53001, 53002, 53009, 50158}

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

func (x *shieldFacts) addOrganization(add addPart) {
	a := x.found.place.seen[ProofOrganization]
	switch {
	case a.err != nil:
		add(ProofOrganization, Failed, "The tenant does not tell about itself: "+reasonOf(a.err), fixOf(a.err))
	case !strings.EqualFold(x.found.Org.ID, x.customer.TenantID):
		add(ProofOrganization, Failed, fmt.Sprintf("The token leads into another tenant: %s.", x.found.Org.Name), "Sign out and sign in again.")
	default:
		add(ProofOrganization, Passed, fmt.Sprintf("The tenant says that it is %s.", x.found.Org.Name), "")
	}
}

// rolesFix is how the partner comes to its roles at a customer.
const rolesFix = "Give them " + byGDAP + ". " + inForceUsual + "."

func (x *shieldFacts) addRoles(add addPart) {
	w := x.found.place
	if w.RolesWhy != nil {
		add(ProofRoles, Unknown, "Which roles the partner has there could not be read: "+reasonOf(w.RolesWhy), fixOf(w.RolesWhy))
		return
	}
	var missing []string
	for _, id := range x.shared.roles {
		if !containsFold(w.Roles, id) {
			missing = append(missing, catalog.RoleByID(id).Name)
		}
	}
	have := len(x.shared.roles) - len(missing)
	switch {
	case len(missing) == 0:
		add(ProofRoles, Passed, fmt.Sprintf("The partner has %s there, as told by %s.", plural(have, "role"), w.RolesFrom), "")
	case have == 0:
		add(ProofRoles, Failed, "The partner has none of the roles there.", rolesFix)
	default:
		add(ProofRoles, Failed, fmt.Sprintf("%s of %d missing there: %s.", plural(len(missing), "role"), len(x.shared.roles), some(missing)), rolesFix)
	}
}

func (x *shieldFacts) addUsers(add addPart) {
	if err := x.found.place.seen[ProofUsers].err; err != nil {
		add(ProofUsers, Failed, "The directory cannot be read: "+reasonOf(err), fixOf(err))
		return
	}
	add(ProofUsers, Passed, "Users of the tenant can be read.", "")
}

// exchangeHolds is how long Exchange Online need not be tried again once it answered.
const exchangeHolds = 30 * 24 * time.Hour

// exchangeHeld is the last answer of Exchange Online while that counts; empty when none
// does.
func (x *shieldFacts) exchangeHeld() []ShieldPart {
	last := x.before.exchange()
	if !x.answers.Has(catalog.Exchange) || len(last) == 0 || x.now.Sub(last[0].At) > exchangeHolds {
		return nil
	}
	return last
}

// addExchange adds what is known of Exchange Online. An earlier answer that still
// counts is given back instead.
func (x *shieldFacts) addExchange(add addPart) []ShieldPart {
	if !x.answers.Has(catalog.Exchange) {
		return nil
	}
	w, held := x.found.place, x.exchangeHeld()
	unread := w.unread(nil)
	noRole := held != nil && held[0].Evidence == noExchangeRole
	switch {
	case x.connector():
		add(ProofExchange, Unknown, "Exchange Online cannot be tried from here: only Rewst has the connector's key, so this does not count.", "Press the customer's shield in Rewst, which sends it a command.")
	case unread != nil && held != nil:
		return held
	case unread != nil:
		add(ProofExchange, Unknown, "Exchange Online was not tried: whether the app is there could not be read.", fixOf(unread))
	case x.found.Principal == nil:
		add(ProofExchange, Unknown, "Exchange Online was not tried: the app is not there.", x.consentFix())
	case x.exchange != nil && x.exchange.err == nil:
		add(ProofExchange, Passed, "Exchange Online answered a command of the app.", "")
	case w.appRolesKnown() && !w.reachesExchange():
		state, fix := x.withoutRole()
		add(ProofExchange, state, noExchangeRole, fix)
	case noRole && !w.appRolesKnown():
		last := held[0]
		last.State, last.Fix = x.withoutRole()
		return []ShieldPart{last}
	case x.exchange != nil && exchangeLags(x.exchange.err):
		evidence := "Exchange Online does not know of the app's role yet: " + exchangeUsual + "."
		if !w.appRolesKnown() {
			evidence = "Exchange Online refused a command of the app: it has no role there, or one that is not in force yet (" + exchangeUsual + ")."
		}
		add(ProofExchange, Unknown, evidence, "Look again later with the app's sign-in open.")
	case x.exchange != nil:
		add(ProofExchange, Failed, "Exchange Online does not take commands of the app: "+reasonOf(x.exchange.err), fixOf(x.exchange.err))
	case held != nil && !noRole:
		return held
	default:
		add(ProofExchange, Unknown, "Exchange Online was not tried: that takes the app's own sign-in.", "Consent, or look again with the app's sign-in open.")
	}
	return nil
}

// withoutRole is what it means that the app lacks its role for Exchange Online, and
// how it comes to it. Where the permission to give it was not chosen, nothing that was
// chosen is missing; Exchange then only takes what is done for the account.
func (x *shieldFacts) withoutRole() (CheckState, string) {
	need := scopesOf[KindRoleGiven]
	if !slices.Contains(x.shared.want.scopes(catalog.GraphAppID), need) {
		return Warned, fmt.Sprintf("Choose the delegated permission %s as well and consent again, or have an administrator of the customer give the app the role: Entra admin center, Roles and administrators.", need)
	}
	return Failed, "Consent again: it is given then."
}

// reachesExchange tells whether the app has a role that Exchange takes for
// everything.
func (w *place) reachesExchange() bool {
	return slices.Contains(w.AppRoles, catalog.RoleExchangeAdministrator) || slices.Contains(w.AppRoles, catalog.RoleGlobalAdministrator)
}

// appRolesKnown tells whether it was read which roles the app has there.
func (w *place) appRolesKnown() bool { return w.RolesWhy == nil && w.RolesFrom != rolesOfTheToken }

func (x *shieldFacts) addGrants(add addPart) {
	f := x.found
	if err := f.place.unread(nil); err != nil {
		add(ProofGrants, Failed, "What the app was given cannot be read: "+reasonOf(err), fixOf(err))
		return
	}
	why, fix := "", x.consentFix()
	if last := x.unmended(); last != nil {
		why, fix = " The last try failed: "+lowerFirst(last.Reason), cmp.Or(last.Fix, fix)
	}
	switch barred := x.barred(); {
	case f.Principal != nil:
	case barred != "":
		add(ProofGrants, Failed, barred, consentingFix)
		return
	default:
		add(ProofGrants, Failed, "The app is not consented to there."+why, fix)
		return
	}
	if f.Principal.Disabled {
		add(ProofGrants, Failed, "The app is switched off there.", "An administrator of the customer switches it on: Entra admin center, Enterprise applications, Properties, \"Enabled for users to sign-in\".")
		return
	}
	changes := slices.DeleteFunc(slices.Clone(x.plan.Changes), func(c Change) bool { return c.Kind == KindPolicy })
	if len(changes) == 0 {
		add(ProofGrants, Passed, "The app has what was chosen: "+x.plan.granted()+".", "")
		return
	}
	add(ProofGrants, Failed, fmt.Sprintf("%s away from what was chosen; first: %s.", plural(len(changes), "write"), lowerFirst(changes[0].Describe()))+why, fix)
}

// granted says how many permissions the app has of those that were chosen, and what
// it has besides.
func (p *Plan) granted() string {
	scopes, roles, more := 0, 0, p.customer.shared.more
	for _, id := range p.want.resources {
		for _, w := range p.want.permissions[id] {
			if w.kind == catalog.Delegated {
				scopes++
			} else {
				roles++
			}
		}
	}
	out := fmt.Sprintf("%d delegated and %d application permissions", scopes-more, roles)
	if more > 0 {
		out += fmt.Sprintf("; %d more that consenting needs", more)
	}
	if n := len(p.extras().unmade); n > 0 {
		out += fmt.Sprintf("; %d more that somebody else gave it", n)
	}
	return out
}

// consentFix is how the app comes into the customer's tenant.
func (x *shieldFacts) consentFix() string {
	if x.connector() {
		return "Press the customer's shield in Rewst (Marketplace, Integrations, Microsoft Cloud Bundle), then look again."
	}
	return "Consent to it here, or press the customer's shield in Rewst."
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
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// keptCustomer is what is remembered of a customer.
type keptCustomer struct {
	Shield  Shield   `json:"shield"`
	Domains []string `json:"domains,omitempty"` // verified ones
}

// keepShields remembers how customers stand, over what was known of others, and
// puts it into the rows.
func (s *Setup) keepShields(clientele *Clientele, p *CustomersPlan) error {
	kept := customersIn(s.store)
	for tenant, c := range kept {
		if c.Shield.Failed() { // who is no customer any more has nothing to be mended
			delete(kept, tenant)
		}
	}
	for i := range clientele.Rows {
		row := &clientele.Rows[i]
		if c := p.Of(row.TenantID); c != nil && !c.Shield.At.IsZero() {
			row.Shield = c.Shield
			row.Domains = union(row.Domains, c.domains)
		}
		if !row.Shield.At.IsZero() {
			kept[row.TenantID] = keptCustomer{row.Shield, row.Domains}
		}
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return problem(s.store.SaveShields(data), "how the customers stand could not be kept")
}

// LastShield is how a customer stood when it was looked at last; its zero when it
// never was.
func (s *Setup) LastShield(tenant string) Shield {
	if s.store == nil {
		return Shield{}
	}
	return customersIn(s.store)[tenant].Shield
}

// customersIn are what is remembered of customers, by tenant id. What cannot be read
// counts as nothing: it can be looked at again.
func customersIn(store *state.Store) map[string]keptCustomer {
	out := map[string]keptCustomer{}
	if err := json.Unmarshal(store.Shields(), &out); err != nil {
		return map[string]keptCustomer{}
	}
	return out
}
