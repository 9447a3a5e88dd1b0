package steps

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
)

// addPart adds one of the reads to a shield.
type addPart func(proof string, state CheckState, evidence, fix string)

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
	if more := plural(len(changes), "write"); !slices.ContainsFunc(changes, Change.gives) {
		fix := "Consent here: that takes it back."
		if x.connector() {
			fix = "Take it away there: Entra admin center, Enterprise applications, Permissions."
		}
		add(ProofGrants, Warned, fmt.Sprintf("The app has what was chosen, and more: %s would take back what is not chosen any more; first: %s.", more, lowerFirst(changes[0].Describe()))+why, fix)
		return
	}
	add(ProofGrants, Failed, fmt.Sprintf("%s away from what was chosen; first: %s.", plural(len(changes), "write"), lowerFirst(changes[0].Describe()))+why, fix)
}

// gives tells whether a write gives something that is not there yet.
func (c Change) gives() bool {
	if c.Kind != KindGrant || c.Action != Update {
		return c.Action != Remove && c.Action != Delete
	}
	had := strings.Fields(written(c.Before).Scope)
	return slices.ContainsFunc(strings.Fields(written(c.Body).Scope), func(s string) bool { return !containsFold(had, s) })
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
