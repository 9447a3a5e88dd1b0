package steps

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/state"
)

// The links of the way into a customer's tenant, in the order of the way.
const (
	LinkAccount      = "account"
	LinkEnabled      = "enabled"
	LinkMFA          = "mfa"
	LinkAgent        = "agent"
	LinkGroup        = "group"
	LinkMember       = "member"
	LinkRelationship = "relationship"
	LinkState        = "state"
	LinkRole         = "role"
	LinkAssignment   = "assignment"
	LinkActive       = "active"
	LinkConsent      = "consent"
	LinkPolicy       = "policy"
	LinkLicence      = "licence"
)

// Link is one condition of the service account doing something at a customer.
type Link struct {
	ID       string
	Title    string
	State    CheckState // Passed, Failed, or Unknown when it could not be told
	Evidence string     // what was seen
	Fix      string     // what to do about it; empty when passed
}

// CustomerSide is what a customer's own tenant shows of the way into it.
type CustomerSide struct {
	AppID    string // of the app whose consent was looked for; empty when none is known
	App      bool   // its service principal is there
	Enabled  bool   // and may be used
	Policies []AccessPolicy
	Plans    []string        // service plans the customer has
	Unread   map[Part]Unread // PartDirectory (the app), PartPolicies and PartPlans
}

// Trace follows the way of the service account into a customer's tenant, for
// some of the roles a relationship carries, and names every link of it. It is a
// pure function of what was read.
func Trace(a state.Answers, f *Findings, c Customer, there CustomerSide, roles []string) []Link {
	t := &trace{answers: a, f: f, d: f.Delegation, customer: c, there: there, roles: roles}
	t.account()
	t.groups()
	t.relationship()
	t.assignments()
	t.consent()
	t.policies()
	t.licence()
	return t.links
}

// Broken are the links that are broken, the one to mend first in front: what
// follows may rest on it.
func Broken(links []Link) []Link {
	var out []Link
	for _, l := range links {
		if l.State == Failed {
			out = append(out, l)
		}
	}
	return out
}

// trace is a way being followed.
type trace struct {
	answers  state.Answers
	f        *Findings
	d        *Delegation
	customer Customer
	there    CustomerSide
	roles    []string
	chosen   *Relationship
	links    []Link
}

var linkTitles = map[string]string{
	LinkAccount: "Service account", LinkEnabled: "Account switched on", LinkMFA: "Multifactor authentication", LinkAgent: agentsGroup,
	LinkGroup: "Group for the role", LinkMember: "Account in the group", LinkRelationship: "Relationship with the customer",
	LinkState: "Relationship in force", LinkRole: "Role in the relationship", LinkAssignment: "Role given to the group",
	LinkActive: "Assignment in force", LinkConsent: "App at the customer", LinkPolicy: "Conditional Access at the customer", LinkLicence: "Licence at the customer",
}

func (t *trace) passed(id, format string, args ...any) {
	t.links = append(t.links, Link{ID: id, Title: linkTitles[id], Evidence: fmt.Sprintf(format, args...)})
}

// disabledAccount says what is wrong with an account nobody can sign in with.
func disabledAccount(upn string) (evidence, fix string) {
	return upn + " is disabled: nobody can sign in with it", "Enable it: 'msbundle apply --take " + OfferEnable + "' with the section serviceAccount, or the Entra admin center."
}

func (t *trace) broken(id, evidence, fix string) {
	t.links = append(t.links, Link{ID: id, Title: linkTitles[id], State: Failed, Evidence: evidence, Fix: fix})
}

func (t *trace) unknown(id string, u Unread) {
	t.links = append(t.links, Link{ID: id, Title: linkTitles[id], State: Unknown, Evidence: u.Why, Fix: u.Fix})
}

// rests says that links cannot be told because an earlier one is broken.
func (t *trace) rests(why string, ids ...string) {
	for _, id := range ids {
		t.unknown(id, Unread{Why: "It rests on what is broken before: " + why})
	}
}

const runApply = "Run 'msbundle apply' with the section gdap in the setup file: it is on the plan."

// account follows the links of the account itself, in the partner's tenant.
func (t *trace) account() {
	r := t.f.Ready
	if r == nil || r.User == nil {
		name := t.d.UPN
		fix := "Make it: 'msbundle apply' with the section serviceAccount, or name the account there is (gdap.account)."
		if r != nil && len(r.Deleted) > 0 {
			fix = "It was deleted on " + r.Deleted[0].Deleted.Format(time.DateOnly) + ": restore it with 'msbundle apply --take " + OfferRestore + "' and the section serviceAccount."
		}
		t.broken(LinkAccount, "There is no account "+name, fix)
		t.rests("there is no account", LinkEnabled, LinkMFA, LinkAgent)
		return
	}
	u := r.User
	t.passed(LinkAccount, "%s is there", u.UPN)
	if u.Enabled {
		t.passed(LinkEnabled, "It may sign in")
	} else {
		evidence, fix := disabledAccount(u.UPN)
		t.broken(LinkEnabled, evidence, fix)
	}
	t.mfa(u)
	switch {
	case r.Agents == "":
		t.broken(LinkAgent, "There is no group "+agentsGroup+", which every partner's tenant has", "Look whether this is the partner's tenant: relationships with customers belong to a Microsoft partner (CSP).")
	case !u.Agent:
		t.broken(LinkAgent, u.UPN+" is not a member: Partner Center shows it no customers", "Make it an Admin agent (Partner Center, Account settings, User management), or run 'msbundle apply' with the section serviceAccount and the integration csp.")
	default:
		t.passed(LinkAgent, "The account is a member")
	}
}

// mfa: a partner's sign-in without a second factor is let into no customer.
func (t *trace) mfa(u *User) {
	by := mfaNow(t.answers, t.f)
	demanded, unread := mfaDemanded(t.answers, t.f)
	methods, noMethods := t.f.unread(PartRegistered)
	switch {
	case !demanded && !unread:
		t.broken(LinkMFA, UpperFirst(by), "Have it demanded: 'msbundle apply' with the section serviceAccount does it. Then sign in once as the account, and authorise again in Rewst: a kept sign-in keeps what it was made with.")
	case !noMethods && len(u.Methods) == 0:
		t.broken(LinkMFA, UpperFirst(by)+", and nobody has registered a method yet", "Sign in once as the account, in a private window, and register a method. Then authorise again in Rewst.")
	case !demanded:
		why, _ := t.f.unread(PartDefaults, PartPolicies, PartPerUserMFA)
		t.unknown(LinkMFA, why)
	case noMethods:
		t.unknown(LinkMFA, Unread{UpperFirst(by) + ". Whether a method is registered could not be read: " + lowerFirst(methods.Why), methods.Fix})
	default:
		t.passed(LinkMFA, "%s; registered: %s", UpperFirst(by), strings.Join(u.Methods, ", "))
	}
}

// roleWords names roles in a sentence.
func roleWords(roles []string) string {
	var out []string
	for _, id := range roles {
		out = append(out, catalog.RoleByID(id).Name)
	}
	if len(out) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(out[:2], ", "), len(out)-2)
	}
	return together(out)
}

// groups follows the groups whose members get the roles.
func (t *trace) groups() {
	if u, unread := t.f.unread(PartRoleGroups); unread {
		t.unknown(LinkGroup, u)
		t.unknown(LinkMember, u)
		return
	}
	var missing, outside []string
	for _, id := range t.roles {
		switch g := t.d.Groups[id]; {
		case g == nil:
			missing = append(missing, id)
		case !g.Account:
			outside = append(outside, id)
		}
	}
	if len(missing) > 0 {
		t.broken(LinkGroup, fmt.Sprintf("There is no group for %s", roleWords(missing)), runApply)
	} else {
		t.passed(LinkGroup, "%s", t.groupNames())
	}
	switch {
	case len(outside) > 0 && t.d.Account == "":
		t.rests("there is no account", LinkMember)
	case len(outside) > 0:
		t.broken(LinkMember, fmt.Sprintf("%s is not in the group for %s", t.d.UPN, roleWords(outside)), runApply+" A sign-in made before does not know of the group: authorise again in Rewst.")
	case len(missing) == len(t.roles):
		t.rests("there is no group", LinkMember)
	default:
		t.passed(LinkMember, "It is a member")
	}
}

func (t *trace) groupNames() string {
	if len(t.roles) == 1 {
		return fmt.Sprintf("%q", t.d.Groups[t.roles[0]].Name)
	}
	return "There is one for each of " + plural(len(t.roles), "role")
}

// best is the relationship the setup itself goes on with: one that carries the
// roles, one in force before one that waits. Without any it is the one that comes
// nearest: begun before ending, and that before one that is over.
func (t *trace) best() *Relationship {
	var list []*Relationship
	for i := range t.d.Relationships {
		if r := &t.d.Relationships[i]; r.Tenant == t.customer.TenantID && !r.Microsofts() {
			list = append(list, r)
		}
	}
	if r := t.d.best(list, t.roles); r != nil {
		return r
	}
	rank := func(r *Relationship) int {
		return slices.Index([]string{
			"terminating", "terminationRequested", "expiring", RelationCreated, RelationPending, RelationApproved, RelationStarting, RelationActive,
		}, r.Status)
	}
	var nearest *Relationship
	for _, r := range list {
		if nearest == nil || rank(r) > rank(nearest) || rank(r) == rank(nearest) && r.Created.After(nearest.Created) {
			nearest = r
		}
	}
	return nearest
}

// relationship follows what the customer granted.
func (t *trace) relationship() {
	if u, unread := t.f.unread(PartDelegation); unread {
		for _, id := range []string{LinkRelationship, LinkState, LinkRole, LinkAssignment, LinkActive} {
			t.unknown(id, u)
		}
		return
	}
	r := t.best()
	if t.chosen = r; r == nil {
		evidence := "There is none with " + t.customer.Name
		if slices.ContainsFunc(t.d.Relationships, func(r Relationship) bool { return r.Tenant == t.customer.TenantID && r.Microsofts() }) {
			evidence = "There is only the one Microsoft made (MLT_), with roles that mostly read"
		}
		t.broken(LinkRelationship, evidence, runApply+" An administrator of the customer then has to approve it.")
		t.rests("there is no relationship", LinkState, LinkRole)
		return
	}
	t.passed(LinkRelationship, "%q", r.Name)
	t.state(r)
	var lacks []string
	for _, id := range t.roles {
		if !containsFold(r.Roles, id) {
			lacks = append(lacks, id)
		}
	}
	if len(lacks) > 0 {
		t.broken(LinkRole, fmt.Sprintf("%q does not carry %s", r.Name, roleWords(lacks)), "A role cannot be added to a relationship: it takes a new one beside it, which the customer approves. "+runApply)
		return
	}
	t.passed(LinkRole, "It carries %s", roleWords(t.roles))
}

// state tells how far the relationship has come, or what ended it.
func (t *trace) state(r *Relationship) {
	switch r.Status {
	case RelationActive:
		t.passed(LinkState, "Active until %s", until(r))
	case RelationCreated:
		t.broken(LinkState, "It was begun and never opened for approval", runApply)
	case RelationPending:
		t.broken(LinkState, fmt.Sprintf("The customer has not approved it since %s", r.Created.Format(time.DateOnly)),
			fmt.Sprintf("Send %s the link; a Global Administrator of theirs approves, signed in there, in a private window: %s", t.customer.Name, t.d.link(r.ID)))
	case RelationApproved, RelationStarting:
		t.broken(LinkState, "The customer has approved it, and Microsoft is putting it in force", "Wait some minutes, then run 'msbundle apply' again.")
	default:
		_, words := relationWords(r, nil)
		t.broken(LinkState, "It "+words, "It cannot be revived: it takes a new one, which the customer approves. "+runApply)
	}
}

func until(r *Relationship) string {
	text := r.Ends.Format(time.DateOnly)
	if r.AutoExtend {
		text += ", and extended then"
	}
	return text
}

// assignments follows what the groups have of the relationship.
func (t *trace) assignments() {
	if _, unread := t.f.unread(PartDelegation); unread {
		return // said above
	}
	r := t.chosen
	if r == nil || r.Status != RelationActive {
		t.rests("no relationship is in force", LinkAssignment, LinkActive)
		return
	}
	if r.Access == nil {
		u, _ := t.f.unread(PartDirectory)
		t.unknown(LinkAssignment, Unread{"What the groups have of the relationship could not be read", u.Fix})
		t.rests("it could not be read", LinkActive)
		return
	}
	var missing, elsewhere, dead, starting, told []string
	for _, role := range t.roles {
		if t.d.Groups[role] == nil || !containsFold(r.Roles, role) {
			continue // said above
		}
		told = append(told, role)
		switch own, status := t.given(role); {
		case own && status == "active":
		case own && status == "pending":
			starting = append(starting, role)
		case own:
			dead = append(dead, role)
		case status != "":
			elsewhere = append(elsewhere, role)
		default:
			missing = append(missing, role)
		}
	}
	switch {
	case len(told) == 0:
		t.rests("there is no group for it, or the relationship does not carry it", LinkAssignment, LinkActive)
		return
	case len(missing) > 0:
		t.broken(LinkAssignment, fmt.Sprintf("No group has %s at %s", roleWords(missing), t.customer.Name), runApply)
	case len(elsewhere) > 0:
		t.broken(LinkAssignment, fmt.Sprintf("%s was given to another group, or to one that was deleted and made again", roleWords(elsewhere)), runApply+" The group of that name has to be given the role.")
	default:
		t.passed(LinkAssignment, "The group has %s at %s", roleWords(told), t.customer.Name)
	}
	switch {
	case len(dead) > 0:
		t.broken(LinkActive, fmt.Sprintf("The assignment of %s failed, or was taken back", roleWords(dead)), runApply)
	case len(starting) > 0:
		t.broken(LinkActive, fmt.Sprintf("The assignment of %s is not in force yet", roleWords(starting)), "Wait some minutes. Then authorise again in Rewst: a kept sign-in does not know of it.")
	case len(missing)+len(elsewhere) > 0:
		t.rests("the role is not given to the group", LinkActive)
	default:
		t.passed(LinkActive, "In force")
	}
}

// given tells what became of giving a role: to the group that is for it, or else
// to any. Of several assignments the one in force counts; status is empty when
// there is none. Those that were deleted stay listed.
func (t *trace) given(role string) (own bool, status string) {
	g, best := t.d.Groups[role], -1
	for _, a := range t.chosen.Access {
		rank := slices.Index([]string{"error", "pending", "active"}, a.Status)
		mine := g != nil && strings.EqualFold(a.Group, g.ID)
		if mine {
			rank += 3
		}
		if strings.HasPrefix(a.Status, "delet") || !containsFold(a.Roles, role) || rank < best {
			continue
		}
		best, own, status = rank, mine, a.Status
	}
	return own, status
}

// consent: the relationship lets the account in, the consent lets the app.
func (t *trace) consent() {
	c := t.there
	u, unread := c.Unread[PartDirectory]
	switch {
	case c.AppID == "":
		t.unknown(LinkConsent, Unread{"No app registration of the setup is known whose consent could be looked for", "Name the setup file (-f): it says which app is meant."})
	case unread:
		t.unknown(LinkConsent, u)
	case !c.App:
		t.broken(LinkConsent, "The app is not among the customer's enterprise applications: nobody has consented to it there", "Authorise the customer in Rewst (the integration consents in each customer's tenant), or have the customer's administrator consent.")
	case !c.Enabled:
		t.broken(LinkConsent, "The app is switched off among the customer's enterprise applications", "Have the customer's administrator enable it (Enterprise applications, Properties, Enabled for users to sign in).")
	default:
		t.passed(LinkConsent, "It is among the customer's enterprise applications")
	}
}

// policies looks for what the customer demands of a service provider's people.
// https://learn.microsoft.com/partner-center/customers/gdap-faq
func (t *trace) policies() {
	if u, unread := t.there.Unread[PartPolicies]; unread {
		t.unknown(LinkPolicy, u)
		return
	}
	for _, p := range t.there.Policies {
		if p.State != policyOn || !p.reachesProvider(t.f.Org.ID) {
			continue
		}
		if harm := p.harm(); harm != "" {
			t.broken(LinkPolicy, fmt.Sprintf("The customer's policy %q reaches people of a service provider and %s", p.Name, harm),
				fmt.Sprintf("Have the customer's administrator exclude them from it: Users, Exclude, Guest or external users, Service provider users, tenant %s.", t.f.Org.ID))
			return
		}
	}
	t.passed(LinkPolicy, "No policy of the customer's that is on keeps a service provider out")
}

// servicePlans are what a tenant has to have bought for a role to have anything to
// run, as beginnings of the names of service plans.
// https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference
var servicePlans = map[string]struct {
	product  string
	prefixes []string
}{
	catalog.RoleExchangeAdministrator:      {"Exchange Online", []string{"EXCHANGE_S_STANDARD", "EXCHANGE_S_ENTERPRISE", "EXCHANGE_S_DESKLESS", "EXCHANGE_S_ESSENTIALS", "EXCHANGE_B_STANDARD", "EXCHANGE_L_STANDARD"}},
	"f28a1f50-f6e7-4571-818b-6a12f2af6b6c": {"SharePoint Online", []string{"SHAREPOINT"}},
	"69091246-20e8-4a56-aa4d-066075b2a7a8": {"Microsoft Teams", []string{"TEAMS"}},
	"3a2c62db-5318-420d-8d74-23affee5d9d5": {"Microsoft Intune", []string{"INTUNE"}},
	"892c5842-a9a6-463a-8041-72aa08ca3cf6": {"Microsoft Defender for Cloud Apps", []string{"ADALLOM_S"}},
}

// licence: a role over a service the customer has not bought has nothing to act on.
func (t *trace) licence() {
	if u, unread := t.there.Unread[PartPlans]; unread {
		t.unknown(LinkLicence, u)
		return
	}
	var missing []string
	for _, role := range t.roles {
		want, needs := servicePlans[role]
		has := slices.ContainsFunc(t.there.Plans, func(plan string) bool {
			return slices.ContainsFunc(want.prefixes, func(p string) bool { return strings.HasPrefix(plan, p) })
		})
		if needs && !has {
			missing = append(missing, want.product)
		}
	}
	switch {
	case len(missing) == 0:
		t.passed(LinkLicence, "The customer has what the role runs")
	case len(t.roles) > 1: // which of them is wanted there is not known
		t.unknown(LinkLicence, Unread{"The customer has no product with " + together(missing), "That matters only for what is to be done there. Name the role it is about with --role."})
	default:
		t.broken(LinkLicence, "No product of the customer has "+together(missing), "Assign or buy a product with it in the customer's tenant; without it the service has nothing to administer.")
	}
}
