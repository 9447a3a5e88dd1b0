package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"msbundle/state"
	"msbundle/steps"
)

// undoneDocument is what became of one customer.
type undoneDocument struct {
	TenantID string `json:"tenantId"`
	Name     string `json:"name"`
	Writes   int    `json:"writes"`
	Done     bool   `json:"done"`
	Text     string `json:"text,omitempty"` // why it was not
	Cause    string `json:"cause,omitempty"`
	Do       string `json:"do,omitempty"`
}

// undoCustomers takes back what was written at customers. It fails when something is
// left: the partner's app may be needed to take that back.
func (a *app) undoCustomers(ctx context.Context, s *steps.Setup, yes, verbose bool, count workers) (out []undoneDocument, err error) {
	takes, err := s.UndoTakesApp()
	if err != nil {
		return nil, err
	}
	gone := false
	if takes {
		end, opening := a.openForUndo(ctx, s, yes)
		if opening != nil {
			return nil, opening
		}
		if gone = end == nil; !gone {
			defer func() {
				if closing := end(); err == nil { // it has been told
					err = closing
				}
			}()
		}
	}
	failed := map[string]*steps.Problem{}
	var order []string
	lost := func(tenant string, p *steps.Problem) {
		if failed[tenant] == nil {
			order = append(order, tenant)
		}
		failed[tenant] = p
	}
	look := a.fleetOf(nil, "reading", count)
	tell := look.Observe
	look.Observe = func(e steps.FleetEvent) {
		if e.Err != nil && !errors.Is(e.Err, context.Canceled) {
			lost(e.Tenant, failure(e.Err))
		}
		tell(e)
	}
	list, err := s.InspectCustomersUndo(ctx, look)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil || len(list)+len(failed) == 0 {
		return nil, signInFailed(err)
	}
	names := map[string]string{}
	for _, u := range list {
		names[u.Customer.TenantID] = u.Customer.Name
	}
	if err := a.agreeAtCustomers(ctx, list, yes, verbose); err != nil {
		return nil, err
	}
	more, err := s.UndoCustomers(ctx, list, a.fleetOf(names, "taking back", count))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, f := range more {
		lost(f.Customer.TenantID, f.Problem)
	}
	if err != nil {
		return nil, signInFailed(err)
	}
	at := 0
	for _, u := range list {
		out = append(out, undoneDocument{TenantID: u.Customer.TenantID, Name: u.Customer.Name, Writes: len(u.Plan.Changes), Done: failed[u.Customer.TenantID] == nil})
		if !u.Plan.Empty() {
			at++
		}
	}
	if len(failed) == 0 {
		if at > 0 {
			a.remark("Taken back at %s.", plural(at, "customer"))
		}
		return out, nil
	}
	for _, tenant := range order {
		at := slices.IndexFunc(out, func(d undoneDocument) bool { return d.TenantID == tenant })
		if at < 0 {
			at, out = len(out), append(out, undoneDocument{TenantID: tenant})
		}
		out[at].Text, out[at].Cause, out[at].Do = failed[tenant].What, failed[tenant].Cause, failed[tenant].Do
		a.explain(&steps.Problem{
			What: fmt.Sprintf("%s: %s", cmp.Or(names[tenant], tenant), failed[tenant].What), Cause: failed[tenant].Cause, Do: failed[tenant].Do,
			Who: failed[tenant].Who, Raw: failed[tenant].Raw, RequestID: failed[tenant].RequestID,
		})
	}
	why := ": without the app it could not be any more. Run it again"
	if gone {
		why = ". Do what is said for each"
	}
	return out, &exitError{exitFailed, fmt.Errorf("what was written at %s is still there, so nothing was taken back in the partner's tenant%s, or leave them with --leave-customers", plural(len(failed), "customer"), why)}
}

// openForUndo has the person agree to opening the sign-in with the app, without which
// nobody sees what is there to be taken back, and opens it. end closes it; it is nil
// where there is no app any more.
func (a *app) openForUndo(ctx context.Context, s *steps.Setup, yes bool) (end func() error, err error) {
	answers, found, err := s.Saved()
	if err != nil {
		return nil, err
	}
	if !found {
		answers = state.DefaultAnswers()
	}
	c, err := s.LookClientele(ctx, answers, a.watch())
	if errors.Is(err, steps.ErrNoApp) || err == nil && c.Findings.App == nil {
		a.remark("There is no app registration of the setup any more. What this program wrote at customers is taken back without it; what only the app sees there, in Conditional Access above all, stays.")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if a.flags.json {
		a.progress(map[string]any{"event": "plan", "changes": c.App.Lines()})
	} else {
		org := c.Findings.Org
		fmt.Fprintf(a.Err, "\nWhat was written at customers is seen and taken back with the app's own sign-in at %s (%d)\n", plain(org.Name), len(c.App.Lines()))
		for _, x := range c.App.Lines() {
			printChange(a.Err, x)
		}
	}
	if !yes {
		question := fmt.Sprintf("Make these %s at %s, to look at the customers? Type yes to go ahead: ", plural(len(c.App.Lines()), "write"), plain(c.Findings.Org.Name))
		if err := a.confirm(ctx, question); err != nil {
			return nil, err
		}
	}
	given := a.guard(ctx)
	end = func() error {
		defer given()
		return a.closeApp(ctx, s, c.App, true)
	}
	if err := s.OpenApp(ctx, c.App, steps.ApplyOptions{Observe: a.watch()}); err != nil {
		_ = end() // that it did not work is told there
		return nil, signInFailed(err)
	}
	return end, nil
}

// agreeAtCustomers shows what is taken back at customers, and asks.
func (a *app) agreeAtCustomers(ctx context.Context, list []steps.CustomerUndo, yes, verbose bool) error {
	writes := 0
	for _, u := range list {
		writes += len(u.Plan.Changes)
		if a.flags.json {
			a.progress(map[string]any{"event": "plan", "customer": customerDocument(u.Customer), "changes": append([]steps.Change{}, u.Plan.Changes...), "notes": append([]steps.Note{}, u.Plan.Notes...)})
		}
	}
	if !a.flags.json {
		printUndoAt(a.Err, list, writes, verbose)
	}
	if yes || writes == 0 {
		return nil
	}
	return a.confirm(ctx, fmt.Sprintf("Make these %s at %s? Type yes to go ahead: ", plural(writes, "write"), plural(len(list), "customer")))
}

func printUndoAt(w io.Writer, list []steps.CustomerUndo, writes int, verbose bool) {
	var plans iter.Seq2[steps.Customer, steps.Plan] = func(yield func(steps.Customer, steps.Plan) bool) {
		for _, u := range list {
			if !yield(u.Customer, u.Plan) {
				return
			}
		}
	}
	fmt.Fprintf(w, "\nTo be taken back at customers: %s at %s\n", plural(writes, "write"), plural(len(list), "customer"))
	printAtCustomers(w, plans, verbose)
}
