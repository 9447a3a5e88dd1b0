package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"msbundle/msclient"
	"msbundle/state"
)

// CustomerTrace is the way of the service account into one customer's tenant.
type CustomerTrace struct {
	Customer Customer
	Account  string   // user name of the service account
	Roles    []string // template ids of those it was followed for
	Links    []Link
}

// TraceCustomer reads what the way into a customer's tenant consists of, and
// follows it. The customer is named by tenant id, domain or name; roles are
// template ids, and none means those of the answers. It writes nothing.
func (s *Setup) TraceCustomer(ctx context.Context, a state.Answers, customer string, roles []string, observe func(Event)) (*CustomerTrace, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	if observe == nil {
		observe = func(Event) {}
	}
	ctx = s.telling(ctx, observe)
	a = Traced(a)
	s.widen(Scopes(a, s.read)...)
	f, err := s.look(ctx, a, false, observe)
	if err != nil {
		return nil, problem(err, "the way to the customer could not be followed")
	}
	if !offersDelegation(f.Cloud) {
		return nil, &Problem{What: noDelegation(f.Cloud), Do: "Sign in to the partner's tenant in the global cloud."}
	}
	if u, unread := f.unread(PartContracts, PartDirectory); unread {
		return nil, &Problem{What: "the customers could not be read: " + lowerFirst(u.Why), Do: u.Fix, Retry: true}
	}
	found, err := findCustomer(everyCustomer(f.Delegation), customer)
	if err != nil {
		return nil, err
	}
	f.Delegation.Customers = []Customer{found} // what belongs to others is not read
	err = s.lookReady(ctx, a, f, observe)
	if err == nil {
		err = s.lookDelegation(ctx, f)
	}
	var there CustomerSide
	if err == nil {
		there, err = s.lookThere(ctx, f, found)
	}
	if err != nil {
		return nil, problem(err, "the way to the customer could not be followed")
	}
	if len(roles) == 0 {
		roles = a.GDAP.RoleIDs()
	}
	return &CustomerTrace{found, f.Delegation.UPN, roles, Trace(a, f, found, there, roles)}, nil
}

// Traced are the answers a way is followed with, and signed in for: about every
// customer, with the account looked at and nothing to be changed.
func Traced(a state.Answers) state.Answers {
	a = a.Clone()
	if a.GDAP == nil {
		g := state.DefaultGDAP()
		a.GDAP = &g
	}
	a.GDAP.All, a.GDAP.Customers = true, nil
	if a.ServiceAccount == nil {
		section := state.DefaultServiceAccount()
		section.Username = a.GDAP.Account
		a.ServiceAccount = &section
	}
	a.ServiceAccount.Roles, a.ServiceAccount.MFA = state.RolesLeave, state.MFAAuto // which has the policies read
	a.ConditionalAccess, a.Azure, a.Exchange = nil, nil, nil
	return a
}

// everyCustomer are the partner's customers, and those it only has a relationship
// with.
func everyCustomer(d *Delegation) []Customer {
	list := slices.Clone(d.Customers)
	known := map[string]bool{}
	for _, c := range list {
		known[c.TenantID] = true
	}
	for _, r := range d.Relationships {
		if r.Tenant != "" && !known[r.Tenant] {
			known[r.Tenant], list = true, append(list, Customer{TenantID: r.Tenant, Name: r.Customer})
		}
	}
	return list
}

// ErrNoSuchCustomer is behind a Problem about a customer that was named and is none,
// or not one alone.
var ErrNoSuchCustomer = errors.New("no such customer")

// findCustomer finds a customer by its tenant id, its domain or its name; the beginning
// of a name serves where it is one customer's only.
func findCustomer(list []Customer, text string) (Customer, error) {
	text = strings.TrimSpace(text)
	var exact, begins []Customer
	for _, c := range list {
		switch {
		case text == "":
		case strings.EqualFold(c.TenantID, text), strings.EqualFold(c.Domain, text):
			return c, nil
		case strings.EqualFold(c.Name, text):
			exact = append(exact, c)
		case strings.HasPrefix(strings.ToLower(c.Name), strings.ToLower(text)):
			begins = append(begins, c)
		}
	}
	called := "are called"
	if len(exact) == 0 {
		exact, called = begins, "have names that begin with"
	}
	switch len(exact) {
	case 1:
		return exact[0], nil
	case 0:
		return Customer{}, &Problem{
			What: fmt.Sprintf("no customer of this partner is called %q", text),
			Do:   "Name it by its tenant id or default domain. A customer without a reseller relationship is not among Microsoft's contracts, and no relationship can be asked for.",
			Err:  ErrNoSuchCustomer,
		}
	}
	var domains []string
	for _, c := range exact[:min(len(exact), 5)] {
		domains = append(domains, cmp.Or(c.Domain, c.TenantID))
	}
	return Customer{}, &Problem{
		What: fmt.Sprintf("%d customers %s %q", len(exact), called, text),
		Do:   "Name the one by its domain or tenant id: " + strings.Join(domains, ", ") + ".",
		Err:  ErrNoSuchCustomer,
	}
}

// markUndone marks the relationships that this program ended: their customers have
// nothing to do with it.
func (s *Setup) markUndone(d *Delegation) {
	ended := map[string]bool{}
	for _, e := range s.store.Entries() {
		if e.Step == stepUndo && Kind(e.What) == KindLock && (e.Open() || e.Outcome.Kind == state.RecordReceipt) {
			ended[relationshipIn(e.Path)] = true
		}
	}
	for i := range d.Relationships {
		r := &d.Relationships[i]
		r.Undone = ended[r.ID] && r.over()
	}
}

// CustomerOf is the customer a change of a plan is about; zero when it is about none.
func (p Plan) CustomerOf(c Change) Customer {
	if p.traces != nil { // of an undo, which names relationships
		if r := p.traces.ready.delegation.relations[relationshipIn(c.Path)]; r != nil {
			return Customer{TenantID: r.Tenant, Name: r.Customer}
		}
	}
	if c.Customer == "" || p.findings == nil || p.findings.Delegation == nil {
		return Customer{}
	}
	list := p.findings.Delegation.Customers
	i, found := slices.BinarySearchFunc(list, c.Customer, func(c Customer, id string) int { return strings.Compare(c.TenantID, id) })
	if !found {
		return Customer{}
	}
	return list[i]
}

// needsThere is what the customer's tenant is read with. Nobody is asked to sign in
// for it, and consent is not asked for: this only looks.
const needsThere = "a relationship and groups that let the account that is signed in into the customer's tenant, and consent to Microsoft Graph Command Line Tools there"

// lookThere reads the customer's side with the way in that whoever is signed in has
// there, if any.
func (s *Setup) lookThere(ctx context.Context, f *Findings, c Customer) (CustomerSide, error) {
	side := CustomerSide{Unread: map[Part]Unread{}}
	switch {
	case f.App != nil:
		side.AppID = f.App.AppID
	case f.Connector != nil:
		side.AppID = f.Connector.AppID
	}
	there := *s
	there.graph = s.client.Graph(c.TenantID)
	take := func(id Part, r reading) reading {
		r.unread = func(err error) { side.Unread[id] = s.unseen(err) }
		r.absent = func() {}
		return r
	}
	round := []reading{
		take(PartPolicies, reading{path: policiesPath, take: takePage(&there, func(list []json.RawMessage) error {
			var err error
			side.Policies, err = accessPolicies(list)
			return err
		})}),
		take(PartPlans, reading{path: query("/v1.0/subscribedSkus", "$select", "capabilityStatus,servicePlans"), take: takePage(&there, func(list []wireSKU) error {
			side.Plans = plans(list)
			return nil
		})}),
	}
	if side.AppID != "" {
		round = append(round, take(PartDirectory, reading{
			path: query(principals, "$filter", "appId eq "+quote(side.AppID), "$select", "id,appId,accountEnabled"),
			take: takePage(&there, func(list []struct {
				Enabled bool `json:"accountEnabled"`
			},
			) error {
				side.App = len(list) > 0
				side.Enabled = slices.ContainsFunc(list, func(w struct {
					Enabled bool `json:"accountEnabled"`
				},
				) bool {
					return w.Enabled
				})
				return nil
			}),
		}))
	}
	err := there.readAll(ctx, round)
	if err != nil && ctx.Err() == nil { // the way in is what is missing: no part was read
		for _, id := range []Part{PartPolicies, PartPlans, PartDirectory} {
			side.Unread[id] = s.unseen(err)
		}
		err = nil
	}
	return side, err
}

// unseen says why the customer's side could not be read.
func (s *Setup) unseen(err error) Unread {
	var refused *msclient.AuthError
	if errors.As(err, &refused) && len(refused.Codes) > 0 {
		return Unread{
			fmt.Sprintf("It cannot be seen from here: %s has no way into the customer's tenant (AADSTS%d)", s.account.Username, refused.Codes[0]),
			"It takes " + needsThere + ".",
		}
	}
	return whyUnread(err, needsThere)
}

// serviceProviderUsers is what policies call people of a partner.
// https://learn.microsoft.com/graph/api/resources/conditionalaccessguestsorexternalusers
const serviceProviderUsers = "serviceProvider"

// reachesProvider tells whether a customer's policy is about people of the partner.
func (p AccessPolicy) reachesProvider(partner string) bool {
	u, apps := p.Conditions.Users, p.Conditions.Apps
	about := containsFold(u.Include, "All") || containsFold(u.Include, "GuestsOrExternalUsers") || aboutProvider(u.IncludeGuests, partner)
	spared := containsFold(u.Exclude, "GuestsOrExternalUsers") || aboutProvider(u.ExcludeGuests, partner)
	return about && !spared && len(apps.Include) > 0 && !containsFold(apps.Include, "None")
}

// aboutProvider tells whether a policy's choice of guests has the partner's people.
func aboutProvider(raw json.RawMessage, partner string) bool {
	var w struct {
		Types   string `json:"guestOrExternalUserTypes"`
		Tenants struct {
			Kind    string   `json:"membershipKind"`
			Members []string `json:"members"`
		} `json:"externalTenants"`
	}
	if json.Unmarshal(raw, &w) != nil {
		return false
	}
	types := strings.Split(w.Types, ",")
	return slices.ContainsFunc(types, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), serviceProviderUsers) }) &&
		(w.Tenants.Kind != "enumerated" || containsFold(w.Tenants.Members, partner))
}
