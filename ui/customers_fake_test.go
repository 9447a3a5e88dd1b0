package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"msbundle/state"
	"msbundle/steps"
)

// clientele is what the stories tell of customers' tenants.
type fakeClientele struct {
	rows      []steps.CustomerRow
	wait      chan struct{} // reading who they are waits for it
	listed    int           // how often the customers were listed
	left      bool          // an earlier run left the app's sign-in open
	closing   chan struct{} // closing it waits for it
	slow      bool          // a write is seen through for as long as that can take, and so is closing
	lookErr   error
	looked    [][]string // tenants that were read
	lookedFor []state.Customers
	asks      *steps.Prompt     // a sign-in that reading them needs
	domains   map[string]string // that a look shows
	refuse    map[string]*steps.Problem
	shut      map[string]steps.Shield // customers there is no way into
	lack      map[string]steps.Shield // how a consent leaves customers
	did       []string                // open, apply and close, in order
	openErr   error
	closeErr  error
	policies  bool                // a second look finds something to write
	late      bool                // so it does, at who is consented to for the first time
	notes     map[string][]string // what is left alone, by customer
	step      chan struct{}
	kept      []state.Mapping
	keeps     state.Mapping // of an earlier run
	keptErr   error
	keepErr   error
}

// fakeApp is the partner's app as a consent finds it.
func (f *fake) partner() *steps.Findings {
	found := *f.findings
	found.App = &steps.Application{
		AppSummary:   steps.AppSummary{ObjectID: "ffffffff-0000-0000-0000-000000000001", AppID: "ffffffff-0000-0000-0000-000000000002", Name: "Rewst Integration"},
		RedirectURIs: []string{"https://engine.rewst.io/integrations/bundles/microsoft_cloud/callback"},
	}
	return &found
}

var fakeNames = []string{"Adatum", "Fabrikam", "Northwind Traders", "Proseware", "Tailspin Toys", "Wingtip Toys"}

// clientRows are the customers of the stories, as many as are asked for.
func clientRows(n int) []steps.CustomerRow {
	var out []steps.CustomerRow
	for i := range n {
		name := fmt.Sprintf("Litware %04d", i)
		if i < len(fakeNames) {
			name = fakeNames[i]
		}
		domain := fmt.Sprintf("customer%d.example", i)
		out = append(out, steps.CustomerRow{
			Customer: steps.Customer{TenantID: customerID(i), Name: name, Domain: domain}, Domains: []string{domain}, Relationship: steps.RelationActive,
		})
	}
	return out
}

// shieldFor is how a customer stands after it was looked at.
func shieldFor(shade steps.Shade, at time.Time) steps.Shield {
	s := steps.Shield{Shade: shade, At: at}
	for _, id := range proofs {
		s.Checks = append(s.Checks, steps.ShieldPart{Proof: id, State: steps.Passed, Evidence: "It was seen.", At: at, RequestID: "99999999-aaaa-bbbb-cccc-dddddddddddd"})
	}
	if shade != steps.Green {
		s.Reason, s.Fix = "The app is not consented to there.", "Consent to it here, or press the customer's shield in Rewst."
		s.Checks[5].State, s.Checks[5].Evidence, s.Checks[5].Fix = steps.Failed, s.Reason, s.Fix
	}
	return s
}

func (f *fake) LookClientele(ctx context.Context, a state.Answers, _ func(steps.Event)) (*steps.Clientele, error) {
	if f.clients.wait != nil {
		select {
		case <-f.clients.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.clients.lookErr != nil {
		return nil, f.clients.lookErr
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clients.listed++
	found := f.partner()
	if f.clients.left {
		found.Left = []steps.PasswordFound{{KeyID: "dddddddd-0000-0000-0000-000000000001", Name: "msbundle left"}}
	}
	return &steps.Clientele{Findings: found, Rows: slices.Clone(f.clients.rows), App: steps.MakeAppPlan(a, found)}, nil
}

// run tells of each customer, one step at a time where the story wants that.
func (f *fake) run(ctx context.Context, tenants []string, o steps.FleetOptions, each func(string) (*steps.Shield, error)) error {
	tell := func(e steps.FleetEvent, done int) {
		e.Of, e.Left = len(tenants), len(tenants)-done
		if done > 0 {
			e.Rate, e.Rest = 60, time.Duration(e.Left)*time.Second
		}
		o.Observe(e)
	}
	for n, tenant := range tenants {
		tell(steps.FleetEvent{Tenant: tenant, What: "reading"}, n)
		if f.clients.step != nil {
			select {
			case <-f.clients.step:
			case <-ctx.Done():
				tell(steps.FleetEvent{Tenant: tenant, Done: true, Err: ctx.Err()}, n+1)
				return ctx.Err()
			}
		}
		if err := o.Gate.Wait(ctx); err != nil {
			return err
		}
		shield, err := each(tenant)
		tell(steps.FleetEvent{Tenant: tenant, Done: true, Shield: shield, Err: err}, n+1)
	}
	return nil
}

func (f *fake) InspectCustomers(ctx context.Context, a state.Answers, c *steps.Clientele, tenants []string, o steps.FleetOptions) (*steps.CustomersPlan, error) {
	f.mu.Lock()
	f.clients.looked = append(f.clients.looked, tenants)
	f.clients.lookedFor = append(f.clients.lookedFor, *a.Customers)
	again := (f.clients.policies || f.clients.late) && len(f.clients.did) > 1
	f.mu.Unlock()
	if err := f.more(ctx, f.clients.asks); err != nil {
		return nil, err
	}
	var found []steps.CustomerFound
	err := f.run(ctx, tenants, o, func(tenant string) (*steps.Shield, error) {
		x := steps.CustomerFound{Findings: &steps.Findings{Account: f.account, At: epoch, Resources: map[string]steps.Resource{}}, Shield: shieldFor(steps.Blue, epoch)}
		if f.clients.policies || again { // it was consented to before
			x.Findings.Principal = &steps.Principal{ObjectID: "x", AppID: c.Findings.App.AppID}
		}
		for n := range c.Rows {
			if r := &c.Rows[n]; r.TenantID == tenant {
				x.Customer = r.Customer
				if d := f.clients.domains[tenant]; d != "" {
					r.Domains = append(r.Domains, d)
				}
			}
		}
		switch shut, closed := f.clients.shut[tenant]; {
		case closed:
			x.Findings, x.Shield, x.Skipped = nil, shut, shut.Reason
		case f.has(tenant) && !again:
			x.Findings, x.Shield = nil, shieldFor(steps.Green, epoch)
			if lack, some := f.clients.lack[tenant]; some {
				x.Shield = lack
			}
		case !a.Customers.Chosen(tenant, nil):
			x.Skipped = "It is only looked at."
		}
		x.Shield.Notes = f.clients.notes[tenant]
		found = append(found, x)
		return &x.Shield, nil
	})
	for _, r := range c.Rows { // of the others the plan has what was known
		if slices.Contains(tenants, r.TenantID) && !slices.ContainsFunc(found, func(x steps.CustomerFound) bool { return x.Customer.TenantID == r.TenantID }) {
			found = append(found, steps.CustomerFound{Customer: r.Customer, Shield: r.Shield})
		}
	}
	return steps.MakeCustomersPlan(a, c.Findings, found), err
}

// has tells whether a consent was given at a customer.
func (f *fake) has(tenant string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.clients.did, tenant)
}

func (f *fake) did(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clients.did = append(f.clients.did, what)
}

func (f *fake) OpenApp(_ context.Context, p steps.AppPlan, o steps.ApplyOptions) error {
	f.did("open")
	o.Observe(steps.Event{Kind: steps.EventStarted, Text: p.Open.Changes[0].Describe()})
	return f.clients.openErr
}

func (f *fake) ApplyCustomers(ctx context.Context, a state.Answers, c *steps.Clientele, p *steps.CustomersPlan, o steps.FleetOptions) ([]steps.CustomerFailure, error) {
	var tenants []string
	var failed []steps.CustomerFailure
	for _, x := range p.Customers {
		if x.Writes() > 0 {
			tenants = append(tenants, x.Customer.TenantID)
		}
	}
	err := f.run(ctx, tenants, o, func(tenant string) (*steps.Shield, error) {
		s := shieldFor(steps.Green, epoch)
		if no := f.clients.refuse[tenant]; no != nil {
			s = steps.Shield{Shade: steps.Red, Reason: no.What, Fix: no.Do, At: epoch}
			failed = append(failed, steps.CustomerFailure{Customer: p.Of(tenant).Customer, Problem: no})
			return &s, no
		}
		if f.clients.slow {
			time.Sleep(steps.WriteLimit)
		}
		f.did(tenant)
		if lack, some := f.clients.lack[tenant]; some {
			s = lack
		}
		s.Notes = f.clients.notes[tenant]
		return &s, nil
	})
	return failed, err
}

func (f *fake) CloseApp(ctx context.Context, _ steps.AppPlan, _ steps.ApplyOptions) error {
	f.did("close")
	if _, limited := ctx.Deadline(); limited {
		f.did("close in a hurry") // how long it may take is its own affair
	}
	if f.clients.closing != nil {
		<-f.clients.closing
	}
	if f.clients.slow {
		time.Sleep(steps.CloseLimit)
		f.did("closed")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clients.left = f.clients.left && f.clients.closeErr != nil
	return f.clients.closeErr
}

func (f *fake) KeptMapping() (state.Mapping, error) { return f.clients.keeps, f.clients.keptErr }

func (f *fake) KeepMapping(kept state.Mapping) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clients.kept = append(f.clients.kept, kept)
	return f.clients.keepErr
}

// ExportMapping writes nothing: stories may name any folder.
func (f *fake) ExportMapping(_ *steps.Mapping, dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exported = append(f.exported, "mapping to "+dir)
	return []string{dir + "/mapping.csv", dir + "/mapping.json"}, f.exportErr
}

func (f *fake) MappingDir() string { return "/home/alex/.local/state/msbundle/contoso/mapping" }

// agentsMissing is how Partner Center refuses somebody.
var agentsMissing = &steps.Problem{
	What: "the consent was refused", Cause: "The account is not a member of AdminAgents", Do: "Add the account to AdminAgents, then sign in again",
	Err: errors.New("refused"),
}

// noWayIn is the shield of a customer who has ended the relationship.
func noWayIn() steps.Shield {
	return steps.Shield{
		Shade: steps.Red, Reason: "The relationship is terminated.", Fix: "Ask the customer for a new one: the stage GDAP does.", At: epoch,
		Checks: []steps.ShieldPart{{Proof: steps.ProofToken, State: steps.Failed, Evidence: "The relationship is terminated.", Fix: "Ask the customer for a new one.", At: epoch}},
	}
}

// someNotes has things left alone at two customers.
func someNotes(f *fake) {
	f.clients.notes = map[string][]string{
		customerID(1): {
			`The policy "Guests need MFA" of Fabrikam is left alone, though it reaches the partner's account (it is about all users) and asks for a compliant device: it excludes guests of other tenants already, and the service takes one list of kinds and one of tenants, so it would exclude more people than this partner's. ` +
				"An administrator of the customer decides: either add the kind Service provider users and the tenant id cccccccc-0000-0000-0000-000000000000 to that exclusion all the same, or leave it and have a second policy for one of the two.",
			"The app is not given the role for Exchange Online at Fabrikam.",
		},
		customerID(4): {"CSP is not offered to Tailspin Toys; its permissions are left out there."},
	}
}

// mixedClients have organisations that an earlier run was told of.
func mixedClients(f *fake) {
	f.clients.keeps = state.Mapping{Typed: []state.Organization{
		{Name: "Adatum", TenantID: customerID(0)},
		{Name: "Fabrikam Inc", Domain: "customer1.example"},
		{Name: "Northwind"},
		{Name: "Proseware", Domain: "customer3.example"},
		{Name: "Bellows College"},
	}}
}

func shutOne(f *fake) { f.clients.shut = map[string]steps.Shield{customerID(4): noWayIn()} }

func refuseOne(f *fake) { f.clients.refuse = map[string]*steps.Problem{customerID(1): agentsMissing} }

// somePolicies has a second look find policies in the way.
func somePolicies(f *fake, c *Config) {
	f.clients.policies = true
	c.Answers.Permissions.Add = append(c.Answers.Permissions.Add, "Policy.ReadWrite.ConditionalAccess")
}
