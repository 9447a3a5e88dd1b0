package steps

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// Clientele is the partner with its customers, as read from the partner's tenant
// alone.
type Clientele struct {
	Findings *Findings     // of the partner's tenant
	Rows     []CustomerRow // the customers, with the shields as they were seen last
	App      AppPlan       // what opens and closes the sign-in with the app
}

// LookClientele lists the partner's customers. It reads the partner's tenant and
// what was kept; customers' tenants are not touched.
func (s *Setup) LookClientele(ctx context.Context, a state.Answers, observe func(Event)) (*Clientele, error) {
	f, a, err := s.lookPartner(ctx, a, observe)
	if err != nil {
		return nil, err
	}
	if f.App == nil && f.Connector == nil {
		return nil, noOwnApp(a)
	}
	f.redirectOurs, f.Left = redirectLeft(s.store.Entries()), s.leftOfSignIn(f.App, f.Left)
	c := &Clientele{Findings: f, App: MakeAppPlan(a, f)}
	kept, by, chosen := customersIn(s.store), f.Delegation.byCustomer(), share(a, f).chosen
	for _, customer := range f.Delegation.Customers {
		row := CustomerRow{Customer: customer}
		if customer.Domain != "" {
			row.Domains = []string{customer.Domain}
		}
		if k, known := kept[customer.TenantID]; known {
			row.Shield = k.Shield.under(chosen)
			row.Domains = union(row.Domains, k.Domains)
		}
		if r := f.Delegation.best(by[customer.TenantID], nil); r != nil {
			row.Relationship = r.Status
		}
		c.Rows = append(c.Rows, row)
	}
	return c, nil
}

// lookPartner reads the partner's tenant with the list of customers. It returns the
// answers it did so with.
func (s *Setup) lookPartner(ctx context.Context, a state.Answers, observe func(Event)) (*Findings, state.Answers, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, a, err
	}
	if observe == nil {
		observe = func(Event) {}
	}
	gdap := a.GDAP
	a, err := s.completed(a)
	if err != nil {
		return nil, a, err
	}
	asked := a
	asked.GDAP = gdap // relationships are only read here
	s.widen(Scopes(asked, s.read)...)
	f, err := s.look(s.telling(ctx, observe), a, false, observe)
	if err != nil {
		return nil, a, problem(err, "the tenant could not be inspected")
	}
	if u, unread := f.unread(PartDelegation, PartContracts); unread {
		return nil, a, &Problem{What: "the customers could not be listed", Cause: asSentence(u.Why), Do: u.Fix, Retry: true, Err: errors.New("no customers")}
	}
	return f, a, nil
}

// ErrNoPermissions is what answers are refused with that do not say, here or in an
// earlier file, what the app is to have at customers.
var ErrNoPermissions = errors.New("no permissions")

// completed are answers that have the customers read, whether or not their
// delegated administration is set up here, and that say what the app is to be
// given: a file about customers alone leaves that to an earlier one.
func (s *Setup) completed(a state.Answers) (state.Answers, error) {
	a = a.Clone()
	if a.NoApp {
		kept, found, err := s.Saved()
		if err != nil {
			return a, err
		}
		if !found || kept.NoApp {
			return a, &Problem{
				What: "the answers do not say which permissions the app is to have at customers",
				Do:   "Add the sections integrations, registration and permissions that the app was made with.", Err: ErrNoPermissions,
			}
		}
		a = a.Over(kept)
	}
	all := state.DefaultGDAP()
	if a.GDAP == nil {
		a.GDAP = &all
	}
	a.GDAP.All, a.GDAP.Customers, a.GDAP.File = true, nil, ""
	if a.Customers == nil {
		none := state.DefaultCustomers()
		a.Customers = &none
	}
	return a, nil
}

// Tenants are the ids of the customers that pass.
func (c *Clientele) Tenants(pass func(CustomerRow) bool) []string {
	var out []string
	for _, r := range c.Rows {
		if pass(r) {
			out = append(out, r.TenantID)
		}
	}
	return out
}

// CustomersPlan is what customers take.
type CustomersPlan struct {
	Customers []CustomerPlan

	at map[string]int
}

// Of finds the plan of a customer; nil when it was not looked at.
func (p *CustomersPlan) Of(tenant string) *CustomerPlan {
	if i, found := p.at[tenant]; found {
		return &p.Customers[i]
	}
	return nil
}

// Writes is how many writes there are at customers altogether, and at how many.
func (p *CustomersPlan) Writes() (writes, customers int) {
	for _, c := range p.Customers {
		if n := c.Writes(); n > 0 {
			writes, customers = writes+n, customers+1
		}
	}
	return writes, customers
}

// Consents tells whether somebody has to sign in with the app.
func (p *CustomersPlan) Consents() bool {
	return slices.ContainsFunc(p.Customers, func(c CustomerPlan) bool { return c.asApp })
}

// Untried tells whether looking again with the app's sign-in open would show more
// of any customer.
func (p *CustomersPlan) Untried() bool { return slices.ContainsFunc(p.Customers, CustomerPlan.Untried) }

// Untried tells whether looking again with the app's sign-in open would show more
// of the customer: a command to Exchange Online nobody but the app can try, and
// policies nobody else can read.
func (c CustomerPlan) Untried() bool {
	if c.Skipped != "" || !c.there {
		return false
	}
	x := c.Shield.part(ProofExchange)
	seenBefore := x.State == Failed && x.At.Before(c.Shield.At)
	return x.State == Unknown || seenBefore || c.shared.excludes && c.Shield.Spared.IsZero()
}

// InspectCustomers reads the tenants of customers and says what each takes. One
// that cannot be read is no error: its shield says why.
func (s *Setup) InspectCustomers(ctx context.Context, a state.Answers, c *Clientele, tenants []string, o FleetOptions) (*CustomersPlan, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	a, err := s.completed(a)
	if err != nil {
		return nil, err
	}
	var known []CustomerFound
	asked := map[string]bool{}
	for _, tenant := range tenants {
		asked[tenant] = true
	}
	for _, row := range c.Rows {
		if asked[row.TenantID] {
			known = append(known, CustomerFound{Customer: row.Customer, Shield: row.Shield})
		}
	}
	p := MakeCustomersPlan(a, c.Findings, known)
	var mu sync.Mutex
	err = each(ctx, p.tenants(func(CustomerPlan) bool { return true }), o, func(ctx context.Context, tell func(FleetEvent), tenant string) (*Shield, error) {
		mu.Lock()
		one := *p.Of(tenant)
		mu.Unlock()
		tell(FleetEvent{What: "reading"})
		err := s.readCustomer(ctx, a, c.Findings, &one, tell)
		switch {
		case ctx.Err() != nil: // what was cut off shows nothing
			return nil, ctx.Err()
		case everybodys(err) != nil: // nor does what is nobody's own
			return nil, err
		}
		mu.Lock()
		*p.Of(tenant) = one
		mu.Unlock()
		return &one.Shield, err
	})
	return p, problem(errors.Join(err, s.keepShields(c, p)), "the customers could not be looked at")
}

func (p *CustomersPlan) tenants(pass func(CustomerPlan) bool) []string {
	var out []string
	for _, c := range p.Customers {
		if pass(c) {
			out = append(out, c.Customer.TenantID)
		}
	}
	return out
}

// readCustomer reads one customer and says how it stands.
func (s *Setup) readCustomer(ctx context.Context, a state.Answers, f *Findings, c *CustomerPlan, tell func(FleetEvent)) (err error) {
	there, err := s.at(c.Customer, c.Shield.Shade >= Amber, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, there.leave()) }()
	observe := func(ev Event) { tell(FleetEvent{What: waitingFor(ev)}) }
	found, err := there.inspectCustomer(there.telling(ctx, observe), c.shared, observe)
	if err != nil {
		if why := problemOf(err); why.keptOut(s.account.Username) {
			err = why
		}
		c.Shield.fail(err, s.client.Now())
		return err
	}
	last := c.Shield.exchange()
	found.place.roleless = len(last) > 0 && last[0].Evidence == noExchangeRole
	x := CustomerFound{Findings: found, Shield: there.judgeCustomer(ctx, a, f, c, found)}
	switch {
	case found.place.token != nil:
		x.Skipped = x.Shield.Reason
	case found.place.unread(nil) != nil:
		x.Skipped = x.Shield.part(ProofGrants).Evidence
	case !strings.EqualFold(found.Org.ID, c.Customer.TenantID): // the token leads elsewhere
		x.Skipped = x.Shield.part(ProofOrganization).Evidence
	case f.Connector != nil:
		x.Skipped = "Rewst's own app is consented to in Rewst only."
	case !chosenAt(a, c.Customer, found):
		x.Skipped = "It is only looked at: the answers do not ask for a consent there."
	case found.Principal == nil:
		x.Skipped = found.place.barred(found.Account.Username)
	}
	c.take(x)
	return nil
}

// chosenAt tells whether the answers ask for a consent at a customer.
func chosenAt(a state.Answers, c Customer, found *Findings) bool {
	return a.Customers.Chosen(c.TenantID, append(slices.Clone(found.Org.Domains), c.Domain))
}

// judgeCustomer says how a customer stands, with a command sent to its Exchange
// Online where the app's secret is at hand.
func (s *Setup) judgeCustomer(ctx context.Context, a state.Answers, f *Findings, c *CustomerPlan, found *Findings) Shield {
	x := shieldFacts{customer: c.Customer, shared: c.shared, partner: f, found: found, answers: a, before: c.Shield, now: s.client.Now()}
	if found.place.token == nil && found.Principal != nil && a.Has(catalog.Exchange) && f.App != nil && s.made.app == f.App.ObjectID {
		x.exchange = s.tryExchangeAt(ctx, msclient.App{TenantID: c.Customer.TenantID, ClientID: f.App.AppID, Secret: s.made.value})
		if ctx.Err() != nil { // nobody waited for an answer
			x.exchange = nil
		}
	}
	return shieldOf(x)
}

// tryExchangeAt sends a command that only reads to a customer's Exchange Online. A
// secret or an app that is known to a part of Microsoft's servers only, being new,
// is tried again for a while.
func (s *Setup) tryExchangeAt(ctx context.Context, app msclient.App) *seen {
	x, err := s.client.Exchange(app)
	if err != nil {
		return &seen{err: err}
	}
	var last error
	_, err = msclient.Until(ctx, msclient.Patience{Good: 1, First: firstBackoff, Max: longestWait, Limit: time.Minute}, func(ctx context.Context) (bool, error) {
		var organization any
		last = x.Read(ctx, "Get-OrganizationConfig", &organization)
		var refused *msclient.AuthError
		return !errors.As(last, &refused) || !exchangeLags(last), ctx.Err()
	})
	return &seen{err: cmp.Or(err, last)}
}

// ApplyCustomers carries out what the customers take and proves it, one customer's
// failure never stopping the others. It returns those at which something failed. The
// error is what would fail at all of them, which leaves the rest as it was.
// Where a consent is needed OpenApp comes first.
func (s *Setup) ApplyCustomers(ctx context.Context, a state.Answers, c *Clientele, p *CustomersPlan, o FleetOptions) (failed []CustomerFailure, err error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	if a, err = s.completed(a); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	err = each(ctx, p.tenants(func(c CustomerPlan) bool { return c.Writes() > 0 }), o, func(ctx context.Context, tell func(FleetEvent), tenant string) (*Shield, error) {
		mu.Lock()
		one := *p.Of(tenant)
		mu.Unlock()
		var at string // the write that was begun last
		found, err := s.applyCustomer(ctx, one, o.Gate, func(ev Event) {
			if ev.Kind == EventStarted {
				at = ev.Changes[0]
			}
			if what := waitingFor(ev); what != "" {
				tell(FleetEvent{What: what})
			}
		})
		switch {
		case errors.Is(err, context.Canceled), everybodys(err) != nil:
			return nil, err
		case err != nil:
			why := blamed(problemOf(err), one.findings)
			one.Shield.fail(why, s.client.Now())
			if r := refusalOf(why, one.kindOf(at), one.findings, s.client.Now()); r != nil {
				one.Shield.Refused = r
			}
			err = why
		default:
			one.Shield.Refused, one.done = nil, true
			one.found(found)
			one.Shield = s.judgeCustomer(ctx, a, c.Findings, &one, found)
		}
		mu.Lock()
		defer mu.Unlock()
		*p.Of(tenant) = one
		if err != nil {
			failed = append(failed, CustomerFailure{one.Customer, problemOf(err)})
		}
		return &one.Shield, err
	})
	sortStably(failed, func(a, b CustomerFailure) int { return strings.Compare(a.Customer.TenantID, b.Customer.TenantID) })
	return failed, problem(errors.Join(err, s.keepShields(c, p)), "the customers could not be gone through")
}

// kindOf is the kind of one of the customer's writes; empty when it is not planned.
func (c CustomerPlan) kindOf(id string) Kind {
	for _, x := range c.Plan().Changes {
		if x.ID == id {
			return x.Kind
		}
	}
	return ""
}

// waitingFor says in a few words what an event tells of one customer.
func waitingFor(ev Event) string {
	switch ev.Kind {
	case EventStarted, EventDone, EventProof:
		return lowerFirst(ev.Text)
	case EventWaiting:
		return "waiting for " + ev.Wait.For
	case EventPaused:
		return "paused"
	}
	return ""
}
