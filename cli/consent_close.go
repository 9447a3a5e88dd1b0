package cli

import (
	"context"
	"fmt"

	"msbundle/steps"
)

// closing is the command that closes the sign-in with the app; empty where it would
// find nothing.
func (a *app) closing() string {
	if words := a.later("customers"); words != "" {
		return words + " --close"
	}
	return ""
}

// guard tells whoever gives up while the sign-in with the app is open what becomes of
// it. It does so at once: a second signal ends the program without another word.
func (a *app) guard(ctx context.Context) (stop func()) {
	halt := context.AfterFunc(ctx, a.tellOpen)
	return func() { halt() }
}

func (a *app) sayOpen() {
	text := "The app's own sign-in is closed before this ends. Press ctrl+c again to leave it open"
	if words := a.closing(); words != "" {
		text += "; then this closes it: " + words
	}
	a.remark("%s", text)
}

// closeApp closes the sign-in with the app, also for somebody who has given up. That
// it did not work is told here, because another error may come first.
func (a *app) closeApp(ctx context.Context, s *steps.Setup, p steps.AppPlan, opened bool) error {
	if ctx.Err() != nil {
		a.tellOpen()
	}
	if err := s.CloseApp(ctx, p, steps.ApplyOptions{Observe: a.watch()}); err != nil {
		a.explain(err)
		text := "The app's own sign-in was left open: a way back to this computer, and a secret for a day."
		if words := a.closing(); words != "" {
			text += " Close it when the cause is gone: " + words
		}
		a.remark("%s", text)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &exitError{code: exitFailed}
	}
	if opened {
		a.remark("The app's own sign-in is closed: the way back to this computer and the secret of this run are gone.")
	}
	return nil
}

// remarkLeft says that an ended run left the sign-in with the app open.
func (a *app) remarkLeft(c *steps.Clientele) {
	if c.App.Left.Empty() {
		return
	}
	text := "An ended run left the app's own sign-in open."
	if words := a.closing(); words != "" {
		text += " Close it: " + words
	}
	a.remark("%s", text)
}

// closeLeft closes the sign-in with the app that an ended run left open.
func (a *app) closeLeft(ctx context.Context, l listing) error {
	if !l.yes && !a.interactive() {
		return usage("--close writes to the tenant, and nobody can be asked here: add --yes to agree")
	}
	s, answers, err := a.beginCustomers(ctx, l.file, false)
	if err != nil {
		return err
	}
	c, err := s.LookClientele(ctx, answers, a.watch())
	if err != nil {
		return err
	}
	left := c.App.Left
	if left.Empty() {
		a.remark("The app's own sign-in is not open.")
	} else {
		if err := a.agree(ctx, left, l.yes, true); err != nil {
			return err
		}
		defer a.guard(ctx)()
		if err := a.closeApp(ctx, s, c.App, true); err != nil {
			return err
		}
	}
	if !a.flags.json {
		return nil
	}
	return a.printJSON(map[string]any{"schema": customersSchema, "tenant": left.Tenant, "tenantName": left.TenantName, "closed": true, "written": len(left.Changes)})
}

// sayStopped says how far it had come when somebody gave up.
func (r *atCustomers) sayStopped() {
	done, begun, not := 0, 0, 0
	for _, all := range r.began {
		if all {
			done++
		} else {
			begun++
		}
	}
	if r.plan != nil {
		for i := range r.plan.Customers {
			c := &r.plan.Customers[i]
			if _, began := r.began[c.Customer.TenantID]; !began && c.Writes() > 0 {
				not++
			}
		}
	}
	if done+begun+not == 0 {
		r.remark("Stopped: nothing was written at customers.")
		return
	}
	text := fmt.Sprintf("Stopped: done at %s", plural(done, "customer"))
	if begun > 0 {
		text += fmt.Sprintf(", begun at %d", begun)
	}
	r.remark("%s, not begun at %d.", text, not)
}
