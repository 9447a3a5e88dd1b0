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

// CustomerUndo is what taking back takes at one customer.
type CustomerUndo struct {
	Customer Customer
	Plan     Plan
}

// undoneAsApp is what only the app's own sign-in can read at customers, and so
// take back.
var undoneAsApp = []Kind{KindPolicy, KindRoleGiven}

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
		takes := slices.ContainsFunc(trails(there.store.Entries()), func(x *trail) bool { return slices.Contains(undoneAsApp, x.kind) })
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
		observe := func(ev Event) { tell(FleetEvent{What: waitingFor(ev)}) }
		t, err := there.inspectUndo(ctx, "", observe)
		var refused *msclient.AuthError
		if there.asApp && errors.As(err, &refused) && slices.Contains(refused.Codes, 65001) { // the consent is gone
			there.graph, there.asApp = s.client.Reader(tenant), false
			t, err = there.inspectUndo(ctx, "", observe)
		}
		if err != nil {
			return nil, problem(err, "what was written there could not be read")
		}
		p := MakeUndoPlan(t, PlanOptions{})
		if p.Empty() && len(p.undone) == 0 {
			return nil, nil
		}
		mu.Lock()
		defer mu.Unlock()
		out = append(out, CustomerUndo{Customer{TenantID: tenant, Name: t.org.Name, Domain: t.org.DefaultDomain}, p})
		return nil, nil
	})
	sortStably(out, func(a, b CustomerUndo) int {
		return strings.Compare(strings.ToLower(a.Customer.Name), strings.ToLower(b.Customer.Name))
	})
	return out, problem(err, "the customers could not be gone through")
}

// UndoCustomers takes back what was written at customers and proves it, one
// customer's failure never stopping the others.
func (s *Setup) UndoCustomers(ctx context.Context, list []CustomerUndo, o FleetOptions) (failed []CustomerFailure, err error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	var tenants []string
	by := map[string]CustomerUndo{}
	for _, u := range list {
		tenants = append(tenants, u.Customer.TenantID)
		by[u.Customer.TenantID] = u
	}
	var mu sync.Mutex
	err = each(ctx, tenants, o, func(ctx context.Context, tell func(FleetEvent), tenant string) (*Shield, error) {
		u := by[tenant]
		err := s.undoCustomer(ctx, u, o.Gate, func(ev Event) {
			if what := waitingFor(ev); what != "" {
				tell(FleetEvent{What: what})
			}
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			mu.Lock()
			failed = append(failed, CustomerFailure{u.Customer, problemOf(err)})
			mu.Unlock()
		}
		return nil, err
	})
	return failed, problem(err, "the customers could not be gone through")
}

// undoCustomer takes back what was written at one customer: first what only the
// app can read there, proven with the app's own token, then the rest, with which
// the app may go.
func (s *Setup) undoCustomer(ctx context.Context, u CustomerUndo, gate *Gate, observe func(Event)) (err error) {
	there, err := s.at(u.Customer, true, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, there.leave()) }()
	o := ApplyOptions{Gate: gate, Observe: observe}
	if there.asApp {
		if err := there.undoAsApp(ctx, u.Plan, o); err != nil {
			return problem(err, "undoing stopped")
		}
		there.graph, there.asApp = s.client.Reader(u.Customer.TenantID), false
	}
	t, err := there.inspectUndo(ctx, "", observe)
	if err != nil {
		return problem(err, "what was written there could not be read")
	}
	p := MakeUndoPlan(t, PlanOptions{})
	if c, more := p.Beyond(u.Plan.Changes); more {
		return &Problem{
			What: "the customer's tenant has changed since the plan was made: " + lowerFirst(c.Describe()) + " would now be needed",
			Do:   "Look again and confirm the new plan.", Retry: true,
		}
	}
	_, err = there.Undo(ctx, p, o)
	return err
}

// undoAsApp carries out the part of an undo plan that only the app can.
func (s *Setup) undoAsApp(ctx context.Context, p Plan, o ApplyOptions) error {
	part := func(p Plan) []Change {
		return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return !slices.Contains(undoneAsApp, c.Kind) })
	}
	all := p
	p.Changes = part(p)
	if p.Empty() {
		return nil
	}
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
	var done []string
	for _, x := range all.traces.trails {
		if slices.Contains(undoneAsApp, x.kind) {
			done = append(done, x.intents()...)
		}
	}
	return s.store.Append(state.Record{Kind: state.RecordUndone, At: proof.At, Undoes: done})
}
