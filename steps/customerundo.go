package steps

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"msbundle/msclient"
	"msbundle/state"
)

// CustomerUndo is what taking back takes at one customer. Its plan is for showing: what
// that was made from is read again when it is carried out.
type CustomerUndo struct {
	Customer Customer
	Plan     Plan
}

// undoneAsApp is what only the app's own sign-in can read at customers, and so
// take back.
var undoneAsApp = []Kind{KindPolicy, KindRoleGiven}

func (t *trail) asApp() bool { return slices.Contains(undoneAsApp, t.kind) }

// TenantID is the tenant that is signed in to; empty before.
func (s *Setup) TenantID() string { return s.account.TenantID }

// UndoTakesApp tells whether taking back what was written at customers takes the
// sign-in with the app: OpenApp before InspectCustomersUndo.
func (s *Setup) UndoTakesApp() (bool, error) {
	for _, tenant := range s.store.Customers() {
		there, err := s.at(Customer{TenantID: tenant}, false, false)
		if err != nil {
			return false, err
		}
		takes := slices.ContainsFunc(trails(there.store.Entries()), (*trail).asApp)
		if err := there.leave(); err != nil || takes {
			return takes, problem(err, "the state of a customer could not be closed")
		}
	}
	return false, nil
}

// InspectCustomersUndo reads what is there of what was written at customers, and
// says what taking it back takes. Customers of whom nothing is left are not in the
// list; those that cannot be read are told by an event.
func (s *Setup) InspectCustomersUndo(ctx context.Context, o FleetOptions) ([]CustomerUndo, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var out []CustomerUndo
	err := each(ctx, s.store.Customers(), o, func(ctx context.Context, tell func(FleetEvent), tenant string) (_ *Shield, err error) {
		there, err := s.at(Customer{TenantID: tenant}, true, false)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, there.leave()) }()
		entries := there.store.Entries()
		if len(trails(entries)) == 0 && !slices.ContainsFunc(entries, state.Entry.Open) {
			return nil, nil // all was taken back
		}
		tell(FleetEvent{What: "reading"})
		p, err := there.undoPlan(ctx, func(ev Event) { tell(FleetEvent{What: waitingFor(ev)}) })
		if err != nil || len(p.traces.trails) == 0 {
			return nil, err
		}
		at := Customer{TenantID: tenant, Name: p.traces.org.Name, Domain: p.traces.org.DefaultDomain}
		p.traces, p.undone = nil, nil // which are the most of it
		for i := range p.Notes {
			p.Notes[i].Text = at.called() + ": " + p.Notes[i].Text
		}
		mu.Lock()
		defer mu.Unlock()
		out = append(out, CustomerUndo{at, *p})
		return nil, nil
	})
	sortStably(out, func(a, b CustomerUndo) int {
		return strings.Compare(strings.ToLower(a.Customer.Name), strings.ToLower(b.Customer.Name))
	})
	return out, problem(err, "the customers could not be gone through")
}

// undoPlan reads what is there of what was written at the customer, as the app where it
// is let in, and works out what taking it back takes.
func (s *Setup) undoPlan(ctx context.Context, observe func(Event)) (*Plan, error) {
	t, err := s.inspectUndo(ctx, "", observe)
	var refused *msclient.AuthError
	if s.asApp && errors.As(err, &refused) && slices.Contains(refused.Codes, 65001) { // the consent is gone
		s.graph, s.asApp = s.client.Reader(s.account.TenantID), false
		t, err = s.inspectUndo(ctx, "", observe)
	}
	if err != nil {
		return nil, problem(err, "what was written there could not be read")
	}
	p := MakeUndoPlan(t, PlanOptions{})
	return &p, nil
}

// UndoCustomers takes back what was written at customers and proves it, one
// customer's failure never stopping the others.
func (s *Setup) UndoCustomers(ctx context.Context, list []CustomerUndo, o FleetOptions) (failed []CustomerFailure, err error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	var tenants []string
	by := map[string]*CustomerUndo{}
	since, kept := map[string]string{}, customersIn(s.store)
	const begun = "What this program wrote there was begun to be taken back."
	for i := range list {
		tenant := list[i].Customer.TenantID
		tenants = append(tenants, tenant)
		by[tenant], since[tenant] = &list[i], begun
	}
	// Before the first write, because this may end at any of them.
	if err := s.keepUnseen(customersIn(s.store), since); err != nil {
		return nil, err
	}
	clear(since)
	var mu sync.Mutex
	err = each(ctx, tenants, o, func(ctx context.Context, tell func(FleetEvent), tenant string) (*Shield, error) {
		u := by[tenant]
		touched, err := s.undoCustomer(ctx, u, o.Gate, func(ev Event) {
			if what := waitingFor(ev); what != "" {
				tell(FleetEvent{What: what})
			}
		})
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			since[tenant] = "What this program wrote there was taken back."
		case touched:
			since[tenant] = begun
		}
		if err != nil && !errors.Is(err, context.Canceled) && everybodys(err) == nil {
			p := problemOf(err)
			p.keptOut(s.account.Username)
			failed = append(failed, CustomerFailure{u.Customer, p})
		}
		return nil, err
	})
	return failed, problem(errors.Join(err, s.keepUnseen(kept, since)), "the customers could not be gone through")
}

// undoCustomer takes back what was written at one customer: first what only the
// app can read there, proven with the app's own token, then the rest, with which
// the app may go. It tells whether a write was begun.
func (s *Setup) undoCustomer(ctx context.Context, u *CustomerUndo, gate *Gate, observe func(Event)) (touched bool, err error) {
	there, err := s.at(u.Customer, true, true)
	if err != nil {
		return false, err
	}
	before := there.store.Entries()
	defer func() {
		touched = len(there.store.Entries()) > len(before)
		err = errors.Join(err, there.leave())
	}()
	o := ApplyOptions{Gate: gate, Observe: observe}
	agreed := func() (*Plan, error) {
		p, err := there.undoPlan(ctx, observe)
		if err != nil {
			return nil, err
		}
		if c, more := p.Beyond(u.Plan.Changes); more {
			return nil, &Problem{
				What: "the customer's tenant has changed since the plan was made: " + lowerFirst(c.Describe()) + " would now be needed",
				Do:   "Look again and confirm the new plan.", Retry: true,
			}
		}
		return p, nil
	}
	if there.asApp && slices.ContainsFunc(trails(before), (*trail).asApp) {
		p, err := agreed()
		if err != nil {
			return false, err
		}
		if there.asApp {
			if err := there.undoAsApp(ctx, p, o); err != nil {
				return false, problem(err, "undoing stopped")
			}
		}
	}
	there.graph, there.asApp = s.client.Reader(u.Customer.TenantID), false
	p, err := agreed()
	if err != nil {
		return false, err
	}
	if _, err := there.Undo(ctx, *p, o); err != nil {
		return false, err
	}
	return false, p.leftToApp()
}

// leftToApp says what the plan keeps because only the app could take it back.
func (p *Plan) leftToApp() error {
	var left []string
	for _, x := range p.traces.trails {
		if x.asApp() && !p.takesBack(x) {
			left = append(left, x.about())
		}
	}
	if left == nil {
		return nil
	}
	return &Problem{
		What: "what this program wrote there is not all taken back; left is: " + some(left), Cause: "Only the app sees and changes that, and it was not let in, or is gone.",
		Do: "An administrator of the customer takes it back: Entra admin center, Conditional Access, the policy, Users, Exclude; or Roles and administrators. " +
			"What is known of it here can be left then: msbundle undo --leave-customers.",
	}
}

// takesBack tells whether what a trail is about is gone once the plan is carried out.
func (p *Plan) takesBack(x *trail) bool { return slices.Contains(p.undone, x.first().Intent) }

// undoAsApp carries out the part of an undo plan that only the app can.
func (s *Setup) undoAsApp(ctx context.Context, all *Plan, o ApplyOptions) error {
	part := func(p Plan) []Change {
		return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return !slices.Contains(undoneAsApp, c.Kind) })
	}
	var done []string
	for _, x := range all.traces.trails {
		if x.asApp() && all.takesBack(x) {
			done = append(done, x.intents()...)
		}
	}
	if done == nil {
		return nil
	}
	p := *all
	p.Changes = part(p)
	e := &engine{Setup: s, options: o, plan: p}
	if err := e.run(ctx); err != nil {
		return err
	}
	now := *all.traces
	proof, missing, err := e.prove(ctx, proofLimit, func(ctx context.Context) (string, []string, error) {
		if err := s.readTraces(ctx, &now); err != nil {
			return "", nil, err
		}
		if left := part(MakeUndoPlan(&now, all.options)); len(left) > 0 {
			return "this is still to be done: " + lowerFirst(left[0].Describe()), now.requests, nil
		}
		return "", now.requests, nil
	})
	if err != nil {
		return err
	}
	if err := e.evidence("policies and roles at the customer are as they were", proof, missing); err != nil {
		return err
	}
	if missing != "" {
		return unproven(missing)
	}
	return s.store.Append(state.Record{Kind: state.RecordUndone, At: proof.At, Undoes: done})
}
