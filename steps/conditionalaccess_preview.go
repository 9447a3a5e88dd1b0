package steps

import (
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

// treatment is what becomes of a policy.
type treatment int

const (
	policyIdle    treatment = iota // it does nothing to the account
	policyTold                     // it is left as it is, for a reason worth telling
	policyOut                      // the account is excluded from it
	policyExclude                  // the account is to be excluded from it
	policyOwn                      // it is the one made for the account
)

// assessed is a policy held against the service account.
type assessed struct {
	AccessPolicy
	reach     reach
	because   string // why it reaches the account
	harm      string // what of it breaks the account's sign-in
	treatment treatment
	word      string // what is said about it, to follow its name
}

// managed tells whether the policy is one Microsoft put into the tenant.
// https://learn.microsoft.com/entra/identity/conditional-access/managed-policies
func (p AccessPolicy) managed() bool {
	return p.TemplateID != "" && strings.HasPrefix(p.Name, "Microsoft-managed:")
}

// stepsDown tells whether the plan takes Global Administrator from the account.
func (p *Plan) stepsDown() bool {
	return stepDownRefused(p.findings) == "" || p.insisted()
}

// signInsOfAccount are those Rewst makes as the service account: in a window of a
// browser once, from its servers from then on; with the groups and roles the plan
// leaves the account with.
func signInsOfAccount(a state.Answers, f *Findings, stepsDown bool) signIns {
	r := f.Ready
	s := signIns{id: "${" + refAccount + ".id}", apps: []string{officeApps}, clients: []string{"browser", "mobileAppsAndDesktopClients"}}
	for _, api := range catalog.Resources() {
		s.apps = append(s.apps, api.AppID)
	}
	switch u := r.User; {
	case u != nil:
		s.id, s.groups = u.ID, slices.Clone(u.Groups)
		for _, g := range u.Roles {
			if g.Scope == "/" { // a role for a part of the tenant is not what policies mean
				s.roles = append(s.roles, g.RoleID)
			}
		}
		if strings.EqualFold(u.ID, f.Account.ObjectID) { // those it has through a group too
			s.roles = append(s.roles, f.RoleIDs...)
		}
	case len(r.Deleted) > 0: // restored it has what it had, which nobody shows
		s.groupsUnread, s.rolesUnread = true, true
	}
	if a.Has(catalog.CSP) && r.Agents != "" {
		s.groups = append(s.groups, r.Agents)
	}
	switch a.ServiceAccount.Roles {
	case state.RolesSetup:
		s.roles = append(s.roles, catalog.RoleGlobalAdministrator)
	case state.RolesOperate:
		if stepsDown {
			s.roles = slices.DeleteFunc(s.roles, func(id string) bool { return id == catalog.RoleGlobalAdministrator })
		}
		for _, role := range catalog.ServiceRoles() {
			s.roles = append(s.roles, role.TemplateID)
		}
	}
	if r.adminThroughGroup() {
		s.roles = append(s.roles, catalog.RoleGlobalAdministrator)
	}
	return s
}

// assess holds every policy of the tenant against the service account.
func assess(a state.Answers, f *Findings, stepsDown bool) []assessed {
	if a.ServiceAccount == nil || f.Ready == nil {
		return nil
	}
	who := signInsOfAccount(a, f, stepsDown)
	own, _ := ownPolicy(f.Ready.Policies, who.id)
	var out []assessed
	for i, p := range f.Ready.Policies {
		x := assessed{AccessPolicy: p, reach: p.reaches(who), because: p.because(who), harm: p.harm()}
		x.judge(who, own == &f.Ready.Policies[i])
		out = append(out, x)
	}
	return out
}

// judge decides what becomes of the policy: the account is excluded only from
// what is in force, reaches it for certain and breaks its sign-in.
func (x *assessed) judge(who signIns, own bool) {
	sure := min(x.person(who), x.apps(who)) == reached
	told := func(format string, args ...any) { x.treatment, x.word = policyTold, fmt.Sprintf(format, args...) }
	switch {
	case own:
		x.treatment = policyOwn
	case x.State == policyOff:
		x.word = "is off"
	case containsFold(x.Conditions.Users.Exclude, who.id):
		x.treatment, x.word = policyOut, "excludes the account"
	case x.reach == spared:
		x.word = "does not reach the account"
	case x.flows() && x.blocks():
		told("is left alone: it blocks signing in with a code or handing a sign-in on, and the sign-in to Rewst, in a window of the browser, does neither.")
	case x.harm == "" && x.asksMFA():
		told("is left alone: it asks for multifactor authentication, which the account's sign-in has.")
	case x.harm == "":
		x.word = "asks for nothing that breaks the account's sign-in"
	case x.State != policyOn:
		told("only reports so far. Once it is switched on it %s: exclude the account before that.", x.harm)
	case !sure:
		told("%s and may reach the account, which cannot be told from here. Look whether it does, and exclude the account then.", x.harm)
	case x.onRiskOnly():
		told("is left alone: it %s, and then protects the account. Should it stop Rewst, look at the risk first.", x.harm)
	default:
		x.treatment = policyExclude
		x.word = x.harm
	}
}

// flows tells whether the policy is about single ways of signing in.
func (p AccessPolicy) flows() bool {
	return p.Conditions.Flows != nil && p.Conditions.Flows.Methods != ""
}

// harm says what of the policy a sign-in that servers keep using cannot live
// with; empty when there is nothing.
func (p AccessPolicy) harm() string {
	if p.flows() {
		return ""
	}
	var out []string
	if p.blocks() {
		out = append(out, "blocks sign-ins")
	}
	if d := p.demands(); d != "" {
		out = append(out, "asks for "+d)
	}
	if often := p.frequency(); often != "" {
		out = append(out, "asks for a new sign-in "+often)
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(append([]string{together(out)}, p.narrows()...), ", ")
}

// onRiskOnly tells whether a risk is the only condition of the policy.
func (p AccessPolicy) onRiskOnly() bool {
	n := p.narrows()
	return len(n) == 1 && n[0] == onRisk
}

// asksMFA tells whether multifactor authentication is among what the policy asks
// for, demandsMFA whether nothing else serves in its place.
func (p AccessPolicy) asksMFA() bool {
	return p.Grant != nil && (containsFold(p.Grant.Controls, "mfa") || p.Grant.Strength != nil)
}

func (p AccessPolicy) demandsMFA() bool {
	if !p.asksMFA() {
		return false
	}
	asked := len(p.Grant.Controls) + len(p.Grant.Others) + len(p.Grant.Terms)
	if p.Grant.Strength != nil {
		asked++
	}
	return asked == 1 || strings.EqualFold(p.Grant.Operator, "AND")
}

// because says what of a policy's users makes it reach the account.
func (p AccessPolicy) because(who signIns) string {
	u := p.Conditions.Users
	switch {
	case containsFold(u.Include, "All"):
		return "it is about all users"
	case containsFold(u.Include, who.id):
		return "it names the account"
	case common(u.IncludeGroups, who.groups):
		return "it is about a group the account is in"
	}
	for _, id := range u.IncludeRoles {
		if containsFold(who.roles, id) {
			return "it is about the role " + catalog.RoleByID(strings.ToLower(id)).Name
		}
	}
	return "it is about groups or roles the account may have"
}

// does says what the policy asks for, for people.
func (p AccessPolicy) does() string {
	var out []string
	switch {
	case p.blocks() && p.flows():
		out = append(out, "blocks signing in with a code or handing a sign-in on")
	case p.blocks():
		out = append(out, "blocks sign-ins")
	}
	if p.asksMFA() {
		text := "multifactor authentication"
		if p.Grant.Strength != nil && p.Grant.Strength.Name != "" {
			text += fmt.Sprintf(" (%s)", p.Grant.Strength.Name)
		}
		if !p.demandsMFA() {
			text += " or something else"
		}
		out = append(out, "asks for "+text)
	}
	if d := p.demands(); d != "" {
		out = append(out, "asks for "+d)
	}
	if often := p.frequency(); often != "" {
		out = append(out, "asks for a new sign-in "+often)
	}
	if len(out) == 0 {
		out = append(out, "asks for nothing that matters here")
	}
	return strings.Join(append([]string{together(out)}, p.narrows()...), ", ")
}

// PolicyAbsent is the state of a policy that is still to be made.
const PolicyAbsent = "not there yet"

// PolicyView is a Conditional Access policy of the tenant as a person looks at it
// who thinks of the service account.
type PolicyView struct {
	Name     string
	State    string // "on", "report-only", "off", or PolicyAbsent
	Reaches  string // whether and why it reaches the account
	Does     string // what it asks for
	Proposal string // what is to become of it
	Managed  bool   // Microsoft put it into the tenant
}

var policyStates = map[string]string{policyOn: "on", policyReports: "report-only", policyOff: "off"}

// AccessPreview shows every Conditional Access policy of the tenant: whether it
// reaches the service account and why, what it asks for, and what is proposed; with
// the policy that is still to be made. It is a pure function; empty when the
// answers have no service account or the policies could not be read.
func AccessPreview(a state.Answers, f *Findings) []PolicyView {
	if _, missing := f.unread(PartPolicies); missing || a.ServiceAccount == nil || f.Ready == nil {
		return nil
	}
	way, _ := mfaFor(a, f)
	var out []PolicyView
	there := false
	for _, x := range assess(a, f, stepDownRefused(f) == "") {
		v := PolicyView{Name: x.Name, State: policyStates[x.State], Does: UpperFirst(x.does()), Managed: x.managed()}
		switch x.reach {
		case reached:
			v.Reaches = "Yes: " + x.because
		case maybe:
			v.Reaches = "At times: " + x.because
		default:
			v.Reaches = "No"
		}
		there = there || x.treatment == policyOwn
		v.Proposal = x.proposal(a, way)
		out = append(out, v)
	}
	if way == mfaByPolicy && !there {
		out = append(out, PolicyView{
			Name: accessPolicyName, State: PolicyAbsent, Reaches: "Yes: it names the account", Does: "Asks for multifactor authentication",
			Proposal: "Made, " + map[string]string{policyOn: "switched on", policyReports: "in report-only mode"}[wantedState(a)],
		})
	}
	return out
}

func (x assessed) proposal(a state.Answers, way mfaWay) string {
	switch x.treatment {
	case policyOwn:
		if way == mfaByPolicy {
			return "This is the account's own policy: brought to what is asked for"
		}
		return "This is the account's own policy: left as it is"
	case policyOut:
		return "Nothing: the account is excluded already"
	case policyExclude:
		if c := a.ConditionalAccess; c == nil || !c.Exclude {
			return "Left as it is, though it breaks the account's sign-in: exclusions were not asked for"
		}
		return "Exclude the account: it " + x.harm
	case policyTold:
		return UpperFirst(strings.TrimSuffix(x.word, "."))
	}
	return "Nothing: it " + x.word
}

// accessResult says what demands multifactor authentication of the account, and
// what became of the policies.
func accessResult(a state.Answers, f *Findings) (mfa string, policies []string) {
	for _, x := range assess(a, f, stepDownRefused(f) == "") {
		switch {
		case x.treatment == policyOut:
			policies = append(policies, x.Name+": the account is excluded")
		case x.treatment == policyOwn:
			policies = append(policies, fmt.Sprintf("%s: %s, %s", x.Name, policyStates[x.State], x.does()))
		}
	}
	return mfaNow(a, f), policies
}

// mfaDemanded tells whether multifactor authentication is demanded of the account
// as the tenant is, and whether that could not be read.
func mfaDemanded(a state.Answers, f *Findings) (demanded, unread bool) {
	_, unread = f.unread(PartDefaults, PartPolicies, PartPerUserMFA)
	unread = unread || f.noPolicies
	return strings.HasPrefix(mfaNow(a, f), "demanded by"), unread
}

// mfaNow says what demands multifactor authentication of the account.
func mfaNow(a state.Answers, f *Findings) string {
	r := f.Ready
	by := besidePerUser(a, f)
	if r.User != nil && r.User.PerUserMFA != "" && r.User.PerUserMFA != perUserDisabled {
		by = append(by, fmt.Sprintf("its per-user state (%s)", r.User.PerUserMFA))
	}
	if len(by) > 0 {
		return "demanded by " + together(by)
	}
	if _, missing := f.unread(PartDefaults, PartPolicies, PartPerUserMFA); missing {
		return "what demands it could not be read"
	}
	if f.noPolicies {
		return "no policy was looked at, and nothing else demands it of the account"
	}
	return "nothing demands it of the account"
}

// accessChecks check what this part needs.
func accessChecks(a state.Answers, f *Findings) []Check {
	way, _ := mfaFor(a, f)
	if a.ServiceAccount == nil || a.ConditionalAccess == nil && way != mfaByPolicy {
		return nil
	}
	checks := []Check{checkReached(a, f)}
	if _, missing := f.unread(PartPolicies); missing || way != mfaByPolicy {
		return checks
	}
	own, _ := ownPolicy(f.Ready.Policies, signInsOfAccount(a, f, false).id)
	c := Check{ID: "policy-limit", Title: "Room for a policy", Evidence: fmt.Sprintf("The tenant has %d of at most %d", len(f.Ready.Policies), maxAccessPolicies)}
	if own == nil && len(f.Ready.Policies) >= maxAccessPolicies {
		c.State, c.Blocks = Failed, true
		c.Fix = "Delete a Conditional Access policy nobody needs (those that are off count too), or have the per-user state demand it (serviceAccount.mfa: perUser)."
	}
	return append(checks, c)
}

// checkReached names the policies that would break the account's sign-in, and what
// is done about them.
func checkReached(a state.Answers, f *Findings) Check {
	c := Check{ID: "account-access", Title: "Conditional Access of the account", Evidence: "No policy in force breaks its sign-in"}
	if u, missing := f.unread(PartPolicies); missing {
		c = c.unknown(u)
		c.Evidence = "No exclusion can be planned: " + lowerFirst(u.Why)
		return c
	}
	var harmful, told []string
	for _, x := range assess(a, f, stepDownRefused(f) == "") {
		text := fmt.Sprintf("%q %s", x.Name, x.harm)
		switch {
		case x.treatment == policyExclude:
			harmful = append(harmful, text)
		case x.treatment == policyTold && x.harm != "":
			told = append(told, fmt.Sprintf("%q %s", x.Name, strings.TrimSuffix(x.word, ".")))
		case x.treatment == policyOwn && x.harm != "" && x.State == policyOn:
			told = append(told, text+", though it is the account's own")
		}
	}
	exclude := a.ConditionalAccess != nil && a.ConditionalAccess.Exclude
	var says []string
	switch {
	case len(harmful) > 0 && exclude:
		says = append(says, "The account will be excluded from: "+strings.Join(harmful, "; "))
	case len(harmful) > 0:
		c.State = Warned
		says = append(says, strings.Join(harmful, "; "))
		c.Fix = "Have the account excluded from them (conditionalAccess.exclude: true): its sign-in is used from Rewst's servers, which have neither your devices nor your places."
	}
	if len(told) > 0 {
		c.State = Warned
		says = append(says, strings.Join(told, ". "))
		if c.Fix == "" {
			c.Fix = "Nothing has to be done now. Should Rewst's sign-in stop working, look at these policies first."
		}
	}
	if len(says) > 0 {
		c.Evidence = strings.Join(says, ". ")
	}
	return c
}
