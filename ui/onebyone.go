package ui

import (
	"context"
	"sync/atomic"
	"time"

	"msbundle/state"
	"msbundle/steps"
)

// oneByOne calls the setup engine's methods one at a time, as it demands, though
// the wizard's commands run side by side. Who gives up while standing in line
// does not call it any more.
type oneByOne struct {
	setup Setup
	turn  chan struct{}         // holds one item while a call is under way
	now   *atomic.Pointer[call] // that may ask for a sign-in
}

func newOneByOne(s Setup) oneByOne {
	return oneByOne{setup: s, turn: make(chan struct{}, 1), now: &atomic.Pointer[call]{}}
}

func (o oneByOne) wait(ctx context.Context, kind callKind) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case o.turn <- struct{}{}:
		o.now.Store(&call{ctx, kind})
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o oneByOne) next() {
	o.now.Store(nil)
	<-o.turn
}

// tell takes prompts to where the wizard reads them, with the call each is for.
func (o oneByOne) tell(p *prompts) {
	o.setup.Prompts(func(prompt steps.Prompt) { p.put(asked{prompt, o.now.Load()}) }, true)
}

func (o oneByOne) Prompts(show func(steps.Prompt), hold bool) { o.setup.Prompts(show, hold) }
func (o oneByOne) Use(n int, m steps.Method)                  { o.setup.Use(n, m) }
func (o oneByOne) Skip(n int)                                 { o.setup.Skip(n) }

func (o oneByOne) SignIn(ctx context.Context, a state.Answers) (steps.Account, error) {
	if err := o.wait(ctx, callSignIn); err != nil {
		return steps.Account{}, err
	}
	defer o.next()
	return o.setup.SignIn(ctx, a)
}

func (o oneByOne) Inspect(ctx context.Context, a state.Answers, observe func(steps.Event)) (*steps.Findings, error) {
	if err := o.wait(ctx, callInspect); err != nil {
		return nil, err
	}
	defer o.next()
	return o.setup.Inspect(ctx, a, observe)
}

func (o oneByOne) InspectTenant(ctx context.Context, a state.Answers, observe func(steps.Event)) (*steps.Findings, error) {
	if err := o.wait(ctx, callInspect); err != nil {
		return nil, err
	}
	defer o.next()
	return o.setup.InspectTenant(ctx, a, observe)
}

func (o oneByOne) Apply(ctx context.Context, p steps.Plan, opts steps.ApplyOptions) (*steps.Result, error) {
	if err := o.wait(ctx, callApply); err != nil {
		return nil, err
	}
	defer o.next()
	return o.setup.Apply(ctx, p, opts)
}

func (o oneByOne) LookClientele(ctx context.Context, a state.Answers, observe func(steps.Event)) (*steps.Clientele, error) {
	if err := o.wait(ctx, callInspect); err != nil {
		return nil, err
	}
	defer o.next()
	return o.setup.LookClientele(ctx, a, observe)
}

func (o oneByOne) InspectCustomers(ctx context.Context, a state.Answers, c *steps.Clientele, tenants []string, opts steps.FleetOptions) (*steps.CustomersPlan, error) {
	if err := o.wait(ctx, callInspect); err != nil {
		return nil, err
	}
	defer o.next()
	return o.setup.InspectCustomers(ctx, a, c, tenants, opts)
}

func (o oneByOne) OpenApp(ctx context.Context, p steps.AppPlan, opts steps.ApplyOptions) error {
	if err := o.wait(ctx, callApply); err != nil {
		return err
	}
	defer o.next()
	return o.setup.OpenApp(ctx, p, opts)
}

func (o oneByOne) ApplyCustomers(ctx context.Context, a state.Answers, c *steps.Clientele, p *steps.CustomersPlan, opts steps.FleetOptions) ([]steps.CustomerFailure, error) {
	if err := o.wait(ctx, callApply); err != nil {
		return nil, err
	}
	defer o.next()
	return o.setup.ApplyCustomers(ctx, a, c, p, opts)
}

// CloseApp stands in line for who gives up, too.
func (o oneByOne) CloseApp(ctx context.Context, p steps.AppPlan, opts steps.ApplyOptions) error {
	if err := o.wait(context.WithoutCancel(ctx), callApply); err != nil {
		return err
	}
	defer o.next()
	return o.setup.CloseApp(ctx, p, opts)
}

func (o oneByOne) KeptMapping() (state.Mapping, error)  { return o.setup.KeptMapping() }
func (o oneByOne) KeepMapping(kept state.Mapping) error { return o.setup.KeepMapping(kept) }
func (o oneByOne) MappingDir() string                   { return o.setup.MappingDir() }

func (o oneByOne) ExportMapping(m *steps.Mapping, dir string) ([]string, error) {
	return o.setup.ExportMapping(m, dir)
}

func (o oneByOne) InvitationsDir() string { return o.setup.InvitationsDir() }

func (o oneByOne) ExportInvitations(dir, partner string, list []steps.Invitation) (string, error) {
	return o.setup.ExportInvitations(dir, partner, list)
}

func (o oneByOne) Remind(list []steps.Invitation, at time.Time) error {
	return o.setup.Remind(list, at)
}

func (o oneByOne) SecretDelivered() error {
	o.turn <- struct{}{}
	defer o.next()
	return o.setup.SecretDelivered()
}

func (o oneByOne) PasswordDelivered() error {
	o.turn <- struct{}{}
	defer o.next()
	return o.setup.PasswordDelivered()
}

func (o oneByOne) Saved() (state.Answers, bool, error) {
	o.turn <- struct{}{}
	defer o.next()
	return o.setup.Saved()
}

func (o oneByOne) Save(a state.Answers) (string, error) {
	o.turn <- struct{}{}
	defer o.next()
	return o.setup.Save(a)
}

func (o oneByOne) Unfinished() ([]steps.Unfinished, error) {
	o.turn <- struct{}{}
	defer o.next()
	return o.setup.Unfinished()
}

// Begun reads only what lies in the state folder.
func (o oneByOne) Begun() bool { return o.setup.Begun() }

func (o oneByOne) Resume(u steps.Unfinished) (state.Answers, error) {
	o.turn <- struct{}{}
	defer o.next()
	return o.setup.Resume(u)
}
