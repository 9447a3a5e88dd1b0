package steps

import (
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

// stepCustomers is the step about customers' tenants.
const stepCustomers = "customers"

// bootstrapScopes are what the app is first given at a customer: enough to give
// it the rest there. They stay: consenting anew after the permissions have changed
// takes them again.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
var bootstrapScopes = []string{"DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All", "AppRoleAssignment.ReadWrite.All"}

// policyScope is what changing a Conditional Access policy takes beyond the
// permissions about policies. It is given where policies are to be changed, and stays
// as well.
// https://learn.microsoft.com/graph/api/conditionalaccesspolicy-update
const policyScope = "Application.Read.All"

// References of what the consent at a customer makes: the app's enterprise
// application has the one of the partner's.
const refConsent = "consent" // its grant for Microsoft Graph

// CustomerPlan is what one customer takes. It is small: its writes are worked out
// when they are asked for.
type CustomerPlan struct {
	Customer Customer
	Shield   Shield // as it was read
	Skipped  string // why nothing is done there, though something is missing; empty when something is, or nothing has to be

	shared   *sharedPlan
	findings *Findings // nil when there is nothing to be written
	writes   int
	notes    []Note
	there    bool     // the app is
	domains  []string // of the customer
	asApp    bool     // some of them take the sign-in with the app
	done     bool     // they were made, and read back
}

// sharedPlan is what the plans of all customers have in common.
type sharedPlan struct {
	want      desired // with the bootstrap scopes
	chosen    string  // stands for what was chosen of it, and for the app
	partner   string  // its tenant id
	app       Application
	resources map[string]Resource // by app id: what each API publishes
	roles     []string            // template ids of those the partner is to have at customers
	gives     bool                // the app may be given its role for Exchange Online
	policies  bool                // Conditional Access is looked at
	excludes  bool                // and may be changed
	more      int                 // of the permissions wanted, those nobody chose: consenting takes them
}

// share works out what every customer is to hold, from what the partner's own
// tenant does: a permission has the same id everywhere.
func share(a state.Answers, f *Findings) *sharedPlan {
	want := desire(a, f)
	var app Application
	switch {
	case f.App != nil:
		app = *f.App
	case f.Connector != nil:
		app.AppID, app.Name = f.Connector.AppID, f.Connector.Name
	}
	want.why = "Rewst acts there as the account that authorised it, within these permissions."
	api := want.permissions[catalog.GraphAppID]
	takes, more := bootstrapScopes, 0
	policies := a.Customers != nil && a.Customers.Exclude
	excludes := policies && slices.Contains(want.scopes(catalog.GraphAppID), scopesOf[KindPolicy])
	if excludes {
		takes = append(slices.Clone(takes), policyScope)
	}
	for _, name := range takes {
		if !slices.ContainsFunc(api, func(w wanted) bool { return w.kind == catalog.Delegated && w.name == name }) {
			api = append(api, wanted{name, delegatedID(catalog.GraphAppID, name), catalog.Delegated})
			more++
		}
	}
	want.permissions[catalog.GraphAppID] = api
	// Partner Center itself has nothing to do in a customer's tenant.
	delete(want.permissions, catalog.PartnerCenterAppID)
	want.resources = slices.DeleteFunc(want.resources, func(id string) bool { return id == catalog.PartnerCenterAppID })
	s := &sharedPlan{
		want: want, chosen: choice(a, app.AppID), partner: f.Org.ID, app: app, resources: f.Resources, roles: state.DefaultGDAP().RoleIDs(),
		policies: policies, excludes: excludes, more: more, gives: slices.Contains(want.scopes(catalog.GraphAppID), scopesOf[KindRoleGiven]),
	}
	if a.GDAP != nil {
		s.roles = a.GDAP.RoleIDs()
	}
	return s
}

// Plan is everything that will be written at the customer, in order.
func (c CustomerPlan) Plan() Plan {
	if c.findings == nil || c.Skipped != "" {
		return Plan{Tenant: c.Customer.TenantID, TenantName: c.Customer.called(), Notes: c.notes}
	}
	return makeCustomerPlan(c.shared, c.Customer, c.findings)
}

// makeCustomerPlan works out what the app is to be given at a customer. It is a
// pure function.
func makeCustomerPlan(s *sharedPlan, c Customer, f *Findings) Plan {
	p := Plan{
		Tenant: c.TenantID, TenantName: c.called(), Account: f.Account.Username, Answers: s.want.answers,
		findings: f, want: s.want, customer: &customerWorld{shared: s, customer: c},
	}
	for id := range f.Refused {
		p.leaveOut(id)
	}
	p.planConsent(c)
	planResources(&p)
	planRoles(&p)
	planGrants(&p)
	p.noteExtrasAt(c)
	if s.want.answers.Has(catalog.Exchange) {
		p.planExchangeAt(c)
	}
	p.customer.general = len(p.Notes)
	p.planExclusionsAt(c)
	for i := range p.Changes {
		p.Changes[i].Step = stepCustomers
		p.Changes[i].ID = stepCustomers + "/" + c.TenantID + "/" + strings.TrimPrefix(p.Changes[i].ID, "authorize/")
	}
	return p
}

// noteExtrasAt says what becomes of what the app has at the customer beyond what is
// wanted: what this program gave it, by the journal kept for the customer, is taken
// back, and what somebody else gave it is left alone. Nobody is asked about that at
// each of a thousand customers, so it is not offered.
func (p *Plan) noteExtrasAt(c Customer) {
	extras := p.extras()
	if n := len(extras.made); n > 0 {
		p.note("Taken back at %s: %s that an earlier run gave the app there and the answers do not ask for any more (%s).", c.called(), plural(n, "permission"), someOf(extras.made))
		p.Notes[len(p.Notes)-1].Done = true
	}
	if n := len(extras.unmade); n > 0 {
		p.note("Left alone at %s: %s of the app that the answers do not ask for and somebody else gave it (%s). They can be taken away there: Entra admin center, Enterprise applications, Permissions.",
			c.called(), plural(n, "permission"), someOf(extras.unmade))
	}
}

// leaveOut drops an API the customer is not offered.
func (p *Plan) leaveOut(resource string) {
	api, _ := catalog.ResourceByAppID(resource)
	p.want.resources = slices.DeleteFunc(slices.Clone(p.want.resources), func(id string) bool { return id == resource })
	p.note("%s is not offered to %s; its permissions are left out there.", api.Name, p.TenantName)
}

// planConsent puts the app into the customer's tenant.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
func (p *Plan) planConsent(c Customer) {
	if p.findings.Principal != nil {
		return
	}
	app := p.customer.shared.app
	p.add(Change{
		ID: "consent", Kind: KindConsent, Action: Create, Binds: refPrincipal, Service: ServicePartner,
		Object: fmt.Sprintf("consent to the app %q at %s", app.Name, c.called()),
		Why:    "It puts the app into the customer's tenant, with what it takes to give it the rest there. Rewst does not learn of it: its own shield still has to be pressed.",
		Method: "POST", Path: "/v1/customers/" + c.TenantID + "/applicationconsents", Risk: RiskCritical, Reversible: true, Name: app.AppID,
	}, map[string]any{
		"applicationId": app.AppID, "displayName": app.Name,
		"applicationGrants": []any{map[string]string{"enterpriseApplicationId": catalog.GraphAppID, "scope": strings.Join(bootstrapScopes, ",")}},
	})
}

// planExchangeAt gives the app the role without which Exchange takes no commands.
// https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2
func (p *Plan) planExchangeAt(c Customer) {
	w := p.findings.place
	if p.findings.Principal != nil && !w.appRolesKnown() && !w.roleless || w.reachesExchange() {
		return
	}
	if need := scopesOf[KindRoleGiven]; !p.customer.shared.gives {
		p.note("The app is not given the role for Exchange Online at %s: that takes the delegated permission %s, which is not among the chosen ones.", c.called(), need)
		return
	}
	const id = catalog.RoleExchangeAdministrator
	p.add(Change{
		ID: "exchange", Kind: KindRoleGiven, Action: Add, Name: id,
		Object: fmt.Sprintf("%s to the app at %s", catalog.RoleByID(id).Name, c.called()),
		Why:    "Exchange Online takes commands only from an app that has the role as well as the permission " + exchangePermission + ".",
		Method: "POST", Path: roleAssignments, Risk: RiskHigh, Reversible: true,
	}, map[string]string{"principalId": p.principalRef(), "roleDefinitionId": id, "directoryScopeId": "/"})
}

// stays tells whether the app keeps a permission at the customer that consenting there
// gave it, although it is not needed this time.
func (p *Plan) stays(resource, scope string) bool {
	return p.customer != nil && resource == catalog.GraphAppID && scope == policyScope && p.findings.Made[madeScope(p.principalRef(), resource, scope)]
}

// consentedGrant is the grant for Microsoft Graph that the consent makes, as far
// as it is known before.
func (p *Plan) consentedGrant() *Grant {
	if p.customer == nil || p.findings.Principal != nil {
		return nil
	}
	return &Grant{ID: "${" + refConsent + ".id}", Scopes: bootstrapScopes}
}

// customerWorld is what a plan for a customer's tenant knows beyond its findings.
type customerWorld struct {
	shared   *sharedPlan
	customer Customer
	general  int // notes before those about policies
}

// Writes is how many writes a customer takes.
func (c CustomerPlan) Writes() int { return c.writes }

// Done tells whether ApplyCustomers made them, and read that back.
func (c *CustomerPlan) Done() bool { return c.done }

// Again are the customers to look at again with the app's sign-in once the plan was
// carried out: those of whom only the app can see everything, and those written at, of
// whom something may show only now. Where it failed it is not looked again.
func (p *CustomersPlan) Again(failed func(tenant string) bool) []string {
	var out []string
	for _, c := range p.Customers {
		if (c.Untried() || c.Writes() > 0) && !failed(c.Customer.TenantID) {
			out = append(out, c.Customer.TenantID)
		}
	}
	return out
}
