package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// consentLimit is how long a consent may take to show in the customer's tenant.
const consentLimit = 2 * time.Minute

// inspectCustomer reads a customer's tenant anew, with what its journal tells.
func (s *Setup) inspectCustomer(ctx context.Context, shared *sharedPlan, observe func(Event)) (*Findings, error) {
	known, err := s.knownThere(ctx, observe)
	if err != nil {
		return nil, err
	}
	f, err := s.lookCustomer(ctx, shared, known, "")
	if err != nil {
		return nil, err
	}
	return f, s.settleThere(f)
}

// settleThere settles what the customer's journal left open. What another tenant
// shows says nothing of that.
func (s *Setup) settleThere(f *Findings) error {
	if s.store == nil || !strings.EqualFold(f.Org.ID, s.account.TenantID) {
		return nil
	}
	return s.closeOpen(f)
}

// applyCustomer carries out what one customer takes and proves it.
func (s *Setup) applyCustomer(ctx context.Context, c CustomerPlan, gate *Gate, observe func(Event)) (f *Findings, err error) {
	there, err := s.at(c.Customer, c.findings.admitsApp(), true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, there.leave()) }()
	p := c.Plan()
	e := &engine{Setup: there, options: ApplyOptions{Gate: gate, Observe: observe}, plan: p, refs: map[string]string{}, apis: maps.Clone(p.findings.Resources)}
	ctx = there.telling(ctx, e.tell)
	for replans := 0; ; replans++ {
		err := e.run(ctx)
		if err == nil {
			break
		}
		if errors.Is(err, errReplan) && replans < maxReplans {
			err = e.replan(ctx)
			if err == nil {
				continue
			}
		}
		return nil, problem(err, "the setup of "+c.Customer.called()+" stopped")
	}
	return e.proveCustomer(ctx)
}

// proveCustomer reads back until nothing is left to be written, several times in a
// row, and keeps the evidence.
func (e *engine) proveCustomer(ctx context.Context) (*Findings, error) {
	var last *Findings
	proof, missing, err := e.prove(ctx, proofLimit, func(ctx context.Context) (string, []string, error) {
		known, err := e.knownThere(ctx, e.tell)
		if err != nil {
			return "", nil, err
		}
		f, err := e.lookCustomer(ctx, e.plan.customer.shared, known, e.principalID())
		if err != nil {
			return "", nil, err
		}
		if f.place.token != nil {
			return "", nil, f.place.token
		}
		last = f
		if err := f.place.unread(e.plan.Changes); err != nil {
			return "it could not be read: " + reasonOf(err), nil, nil
		}
		for _, c := range e.plan.again(f).Changes {
			// Some things only the app can read, with what was consented to just now: what is
			// found there is another plan's.
			agreed := !slices.Contains(undoneAsApp, c.Kind) || slices.ContainsFunc(e.plan.Changes, func(x Change) bool { return x.ID == c.ID })
			if agreed {
				return lowerFirst(c.Describe()) + " does not show yet", nil, nil
			}
		}
		return "", f.place.requests(), nil
	})
	if err != nil {
		return last, problem(err, "what was written could not be read back")
	}
	if err := e.settleThere(last); err != nil {
		return last, err
	}
	if err := e.evidence("the app and its permissions at "+e.plan.TenantName, proof, missing); err != nil {
		return last, err
	}
	if missing != "" {
		return last, unproven(missing)
	}
	return last, problem(e.store.Append(state.Record{Kind: state.RecordFinished, At: proof.At, Step: stepCustomers}), "the journal could not be written")
}

// requests are the ids of the requests a look at a customer took.
func (w *place) requests() []string {
	var out []string
	for _, a := range w.seen {
		if a.requestID != "" && !slices.Contains(out, a.requestID) {
			out = append(out, a.requestID)
		}
	}
	slices.Sort(out)
	return out
}

// actAsApp has the rest be written with the app's own token, where there is one.
func (e *engine) actAsApp() {
	if e.client.Delegated() != "" {
		e.graph, e.asApp = e.client.Customer(e.account.TenantID), true
	}
}

// scopesOf are what a write at a customer takes beyond what the consent itself gave.
var scopesOf = map[Kind]string{KindRoleGiven: "RoleManagement.ReadWrite.Directory", KindPolicy: "Policy.ReadWrite.ConditionalAccess"}

// renewToken has a write be sent with a token that carries what it takes: a token
// keeps the permissions it was issued with, and those given a moment ago are not
// known to the sign-in service at once. What does not come is left to the service
// to refuse.
func (e *engine) renewToken(ctx context.Context, c Change) error {
	scope := scopesOf[c.Kind]
	if e.plan.customer == nil || scope == "" {
		return nil
	}
	if !e.asApp { // which was given too little to be begun with
		e.actAsApp()
	}
	if !e.asApp {
		return nil
	}
	_, err := msclient.Until(ctx, msclient.Patience{
		Good: 1, First: firstBackoff, Max: longestWait, Limit: laggingLimit,
		Waiting: func(since time.Time, next time.Duration) {
			e.tell(Event{Kind: EventWaiting, Text: c.Describe(), Wait: &Wait{
				For: "the sign-in service to know what the app was given", Usual: replicaUsual, Since: since, Next: next, Then: "it is written",
			}})
		},
	}, func(ctx context.Context) (bool, error) {
		scopes, err := e.graph.Scopes(ctx)
		if err != nil || slices.Contains(scopes, scope) {
			return err == nil, err
		}
		e.client.Forget(e.account.TenantID)
		e.actAsApp()
		scopes, err = e.graph.Scopes(ctx)
		return slices.Contains(scopes, scope), err
	})
	return problem(err, "there is no token for the customer's tenant")
}

// consented takes up what a consent made: the app's enterprise application at the
// customer and its grant for Microsoft Graph. The answer tells neither, and that
// of a consent that was there already tells nothing of what it holds.
func (e *engine) consented(ctx context.Context, a attempt, refs map[string]string) error {
	e.actAsApp()
	shown, err := msclient.Until(ctx, msclient.Patience{
		Good: 1, First: firstBackoff, Max: longestWait, Limit: consentLimit,
		Waiting: func(since time.Time, next time.Duration) {
			e.tell(Event{Kind: EventWaiting, Text: a.Describe(), Wait: &Wait{
				For: "the consent to show at the customer", Usual: "a few seconds, up to a minute", Since: since, Next: next, Then: "the app is given the rest there",
			}})
		},
	}, func(ctx context.Context) (bool, error) {
		var found Principal
		var graph string
		round := []reading{
			{path: query(principals+"(appId="+quote(a.name)+")", "$select", principalFields), take: takeOne(func(x wirePrincipal, _ json.RawMessage) { found = *x.principal() }), absent: func() {}},
			{
				path: query(principals, "$filter", "appId eq "+quote(catalog.GraphAppID), "$select", customerFields),
				take: takePage(e.Setup, func(list []wirePrincipal) error {
					for _, x := range list {
						graph = x.ID
					}
					return nil
				}),
			},
		}
		err := e.readAll(ctx, round)
		var refused *msclient.AuthError
		if errors.As(err, &refused) && slices.Contains(refused.Codes, 65001) { // not known to the sign-in service yet
			return false, nil
		}
		if err != nil || found.ObjectID == "" {
			return false, err
		}
		grants := e.grantReadings(&found)[0]
		grants.absent = func() {}
		if err := e.readAll(ctx, []reading{grants}); err != nil {
			return false, err
		}
		for _, g := range found.Grants {
			if g.ResourceID == graph {
				e.bind(refs, refPrincipal, found.ObjectID, found.AppID)
				e.bind(refs, refConsent, g.ID, "")
				if !sameSet(g.Scopes, bootstrapScopes) { // somebody else's, who chose otherwise: that stays
					return true, errReplan
				}
				return true, nil
			}
		}
		return false, nil
	})
	if err == nil && !shown {
		err = &Problem{
			What: fmt.Sprintf("the consent at %s was taken, and does not show in its tenant", e.plan.TenantName),
			Do:   "Wait a few minutes, then try again: what is there is kept.", Retry: true,
		}
	}
	return problem(err, "the consent could not be read back")
}
