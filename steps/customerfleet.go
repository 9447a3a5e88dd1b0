package steps

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// CustomersPlan is what all chosen customers take.
type CustomersPlan struct {
	App       AppPlan // of the partner's own tenant
	Customers []CustomerPlan

	shared *sharedPlan
}

// Writes is how many writes there are at customers altogether, and at how many.
func (p CustomersPlan) Writes() (writes, customers int) {
	for _, c := range p.Customers {
		if n := c.Writes(); n > 0 {
			writes, customers = writes+n, customers+1
		}
	}
	return writes, customers
}

// Consents tells whether somebody has to sign in with the app.
func (p CustomersPlan) Consents() bool {
	return slices.ContainsFunc(p.Customers, func(c CustomerPlan) bool { return c.consents() })
}

func (c CustomerPlan) consents() bool {
	return c.findings != nil && c.Skipped == "" && c.findings.Principal == nil
}

// InspectCustomers reads the customers' tenants and says what each takes. f is
// what was read of the partner's tenant, with its delegated administration. A
// customer that cannot be read is no error; its shield says why.
func (s *Setup) InspectCustomers(ctx context.Context, a state.Answers, f *Findings, customers []Customer, o FleetOptions) (CustomersPlan, error) {
	if err := s.requireSignIn(); err != nil {
		return CustomersPlan{}, err
	}
	if f.App == nil && f.Connector == nil {
		return CustomersPlan{}, noOwnApp()
	}
	f.redirectOurs = s.redirectLeft()
	before := s.Shields()
	p := CustomersPlan{App: MakeAppPlan(a, f), Customers: make([]CustomerPlan, len(customers)), shared: share(a, f)}
	at := map[string]int{}
	var tenants []string
	for i, c := range customers {
		p.Customers[i] = CustomerPlan{Customer: c, Shield: before[c.TenantID], shared: p.shared}
		at[c.TenantID] = i
		tenants = append(tenants, c.TenantID)
	}
	var mu sync.Mutex
	err := each(ctx, tenants, o, func(ctx context.Context, tell func(FleetEvent), tenant string) (*Shield, error) {
		mu.Lock()
		c := p.Customers[at[tenant]]
		mu.Unlock()
		tell(FleetEvent{What: "reading"})
		err := s.readCustomer(ctx, a, f, &c, tell)
		mu.Lock()
		p.Customers[at[tenant]] = c
		mu.Unlock()
		return &c.Shield, err
	})
	return p, problem(errors.Join(err, s.keepShields(p.Customers)), "the customers could not be looked at")
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
		c.Shield = failedShield(err, s.client.Now())
		return err
	}
	c.findings = found
	c.Shield = there.judgeCustomer(ctx, a, f, c, found)
	switch {
	case found.place.token != nil:
		c.Skipped = c.Shield.Reason
	case f.Connector != nil:
		c.Skipped = "Rewst's own app is consented to in Rewst only."
	case !a.Customers.Chosen(c.Customer.TenantID, append(slices.Clone(found.place.Domains), c.Customer.Domain)):
		c.Skipped = "It is only looked at: the answers do not ask for a consent there."
	}
	return nil
}

// judgeCustomer says how a customer stands, with a command sent to its Exchange
// Online where the app's secret is at hand.
func (s *Setup) judgeCustomer(ctx context.Context, a state.Answers, f *Findings, c *CustomerPlan, found *Findings) Shield {
	x := shieldFacts{customer: c.Customer, shared: c.shared, partner: f, found: found, answers: a, before: c.Shield, now: s.client.Now()}
	if found.place.token == nil && found.Principal != nil && a.Has(catalog.Exchange) && f.App != nil && s.made.app == f.App.ObjectID {
		x.exchange = s.tryExchangeAt(ctx, msclient.App{TenantID: c.Customer.TenantID, ClientID: f.App.AppID, Secret: s.made.value})
	}
	return shieldOf(x)
}

// tryExchangeAt sends a command that only reads to a customer's Exchange Online.
func (s *Setup) tryExchangeAt(ctx context.Context, app msclient.App) *seen {
	x, err := s.client.Exchange(app)
	if err == nil {
		var organization any
		err = x.Read(ctx, "Get-OrganizationConfig", &organization)
	}
	return &seen{err: err}
}

// ApplyCustomers carries out what the customers take and proves it, one customer's
// failure never stopping the others. It returns how many failed; the events tell
// why. Where a consent is needed OpenApp comes first.
func (s *Setup) ApplyCustomers(ctx context.Context, a state.Answers, f *Findings, p *CustomersPlan, o FleetOptions) (failed []CustomerFailure, err error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	at := map[string]int{}
	var tenants []string
	for i, c := range p.Customers {
		if c.Skipped == "" && c.Writes() > 0 {
			at[c.Customer.TenantID] = i
			tenants = append(tenants, c.Customer.TenantID)
		}
	}
	var mu sync.Mutex
	err = each(ctx, tenants, o, func(ctx context.Context, tell func(FleetEvent), tenant string) (*Shield, error) {
		mu.Lock()
		c := p.Customers[at[tenant]]
		mu.Unlock()
		found, err := s.applyCustomer(ctx, c, o.Gate, func(ev Event) {
			if what := waitingFor(ev); what != "" {
				tell(FleetEvent{What: what})
			}
		})
		switch {
		case err != nil && errors.Is(err, context.Canceled):
			return nil, err
		case err != nil:
			c.Shield = failedShield(err, s.client.Now())
		default:
			c.findings = found
			c.Shield = s.judgeCustomer(ctx, a, f, &c, found)
		}
		mu.Lock()
		defer mu.Unlock()
		p.Customers[at[tenant]] = c
		if err != nil {
			failed = append(failed, CustomerFailure{c.Customer, err})
		}
		return &c.Shield, err
	})
	slices.SortFunc(failed, func(a, b CustomerFailure) int { return strings.Compare(a.Customer.TenantID, b.Customer.TenantID) })
	return failed, problem(errors.Join(err, s.keepShields(p.Customers)), "the customers could not be gone through")
}

// CustomerFailure is a customer at which something went wrong.
type CustomerFailure struct {
	Customer Customer
	Err      error // a *Problem
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
