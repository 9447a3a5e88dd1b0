package ui

import (
	"context"
	"fmt"
	"sync"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
	"msbundle/steps"
)

// fake is a Setup that answers as it is told. Where a channel is set the call
// waits for it.
type fake struct {
	mu sync.Mutex

	code      steps.DeviceCode
	signIn    chan error // nil: signs in at once
	signInErr error
	findings  *steps.Findings
	inspect   chan error
	inspected []state.Answers
	events    []steps.Event
	step      chan struct{} // each event waits for one
	applyErr  error
	result    *steps.Result
	applied   []steps.Plan
	delivered int
	saved     []state.Answers
	saveErr   error
	signedIn  bool
	open      []steps.Unfinished
	openErr   error
	resumed   state.Answers
	codes     int
}

// epoch is when every test begins.
var epoch = time.Date(2026, 9, 1, 9, 30, 0, 0, time.UTC)

const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	fakeSafe = "test-value-Kx8Q~never-a-real-secret"
)

func newFake() *fake {
	return &fake{
		code:     steps.DeviceCode{UserCode: "FJC3T9Q2W", URL: "https://microsoft.com/devicelogin", Expires: epoch.Add(15 * time.Minute)},
		findings: fakeFindings(),
	}
}

func fakeAccount() steps.Account {
	return steps.Account{Username: "admin@contoso.onmicrosoft.com", ObjectID: "aaaaaaaa-0000-0000-0000-000000000001", TenantID: tenantID, MFA: true}
}

// fakeFindings is a healthy tenant in which nothing was set up yet.
func fakeFindings() *steps.Findings {
	cloud, _ := catalog.CloudByID("global")
	f := &steps.Findings{
		Cloud: cloud, Account: fakeAccount(), At: epoch,
		Org:       steps.Organization{ID: tenantID, Name: "Contoso", DefaultDomain: "contoso.onmicrosoft.com"},
		RoleIDs:   []string{catalog.RoleGlobalAdministrator},
		Resources: map[string]steps.Resource{}, Refused: map[string]string{}, Made: map[string]bool{},
		Secrets: steps.SecretPolicy{Known: true},
	}
	for i, r := range catalog.Resources() {
		f.Resources[r.AppID] = steps.Resource{
			ObjectID: fmt.Sprintf("bbbbbbbb-0000-0000-0000-%012d", i), AppID: r.AppID, Name: r.Name,
			Roles: map[string]string{}, Scopes: map[string]string{},
		}
	}
	for _, p := range catalog.Permissions() {
		if p.Kind == catalog.Application {
			f.Resources[p.Resource].Roles[p.Name] = p.ID
		} else {
			f.Resources[p.Resource].Scopes[p.Name] = p.ID
		}
	}
	return f
}

func sameNamed() []steps.AppSummary {
	return []steps.AppSummary{
		{AppID: "cccccccc-0000-0000-0000-000000000001", Name: "Rewst Integration", Created: epoch.AddDate(-1, -2, 0), Secrets: 2},
		{AppID: "cccccccc-0000-0000-0000-000000000002", Name: "Rewst Integration", Created: epoch.AddDate(0, -1, 0)},
	}
}

func fakeResult() *steps.Result {
	const app = "dddddddd-0000-0000-0000-000000000001"
	return &steps.Result{
		Account: fakeAccount(), Org: steps.Organization{ID: tenantID, Name: "Contoso", DefaultDomain: "contoso.onmicrosoft.com"},
		Written: 9, AppName: "Rewst Integration", AppID: app, PrincipalID: "eeeeeeee-0000-0000-0000-000000000001",
		PortalURL:     "https://entra.microsoft.com/#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/Overview/objectId/eeeeeeee-0000-0000-0000-000000000001",
		RedirectURI:   "https://engine.rewst.io/integrations/bundles/microsoft_cloud/callback",
		Secret:        msclient.NewSecret(fakeSafe),
		SecretExpires: epoch.AddDate(2, 0, 0),
		Integrations: []steps.IntegrationResult{
			{ID: "graph", Name: "Microsoft Graph", Authorized: true, Granted: 13, Wanted: 13},
			{ID: "csp", Name: "Microsoft CSP", Authorized: true, Granted: 1, Wanted: 1},
		},
		Values: []steps.Value{
			{Label: "Client ID", Value: app, Where: "Client ID"},
			{Label: "Auth subject", Value: "common", Where: "Auth Subject"},
			{Label: "Tenant ID", Value: tenantID, Where: "Tenant ID"},
		},
		Proof: steps.Proof{Reads: 3, At: epoch},
	}
}

func (f *fake) SignIn(ctx context.Context, _ state.Answers, show func(steps.DeviceCode)) (steps.Account, error) {
	f.mu.Lock()
	f.codes++
	wait, err, code := f.signIn, f.signInErr, f.code
	if f.codes > 1 {
		code.UserCode, code.Expires = fmt.Sprintf("NEW%06d", f.codes), code.Expires.Add(time.Duration(f.codes-1)*15*time.Minute)
	}
	f.mu.Unlock()
	show(code)
	if wait != nil {
		select {
		case err = <-wait:
		case <-ctx.Done():
			return steps.Account{}, ctx.Err()
		}
	}
	if err != nil {
		return steps.Account{}, err
	}
	f.mu.Lock()
	f.signedIn = true
	f.mu.Unlock()
	return fakeAccount(), nil
}

func (f *fake) Inspect(ctx context.Context, a state.Answers, _ func(steps.Event)) (*steps.Findings, error) {
	f.mu.Lock()
	f.inspected = append(f.inspected, a)
	wait, found := f.inspect, *f.findings
	f.mu.Unlock()
	if wait != nil {
		select {
		case err := <-wait:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if a.Registration.AppID != "" {
		found.App = &steps.Application{AppSummary: steps.AppSummary{AppID: a.Registration.AppID, Name: a.Registration.Name, ObjectID: "ffffffff-0000-0000-0000-000000000001"}}
		found.SameName = nil
	} else if a.Registration.Name != "Rewst Integration" {
		found.SameName = nil
	}
	return &found, nil
}

func (f *fake) Apply(ctx context.Context, p steps.Plan, o steps.ApplyOptions) (*steps.Result, error) {
	f.mu.Lock()
	f.applied = append(f.applied, p)
	events, step, result, err := f.events, f.step, f.result, f.applyErr
	f.mu.Unlock()
	if events == nil {
		for _, g := range p.Groups() {
			var ids []string
			for _, c := range g.Changes {
				ids = append(ids, c.ID)
			}
			events = append(events,
				steps.Event{Kind: steps.EventStarted, Changes: ids, Text: g.Changes[0].Describe()},
				steps.Event{Kind: steps.EventDone, Changes: ids})
		}
		for n := 1; n <= 3; n++ {
			events = append(events, steps.Event{Kind: steps.EventProof, Proof: n, Of: 3})
		}
	}
	for _, e := range events {
		if step != nil {
			select {
			case <-step:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if err := o.Gate.Wait(ctx); err != nil {
			return nil, err
		}
		o.Observe(e)
	}
	if err != nil {
		return result, err
	}
	if result == nil {
		result = fakeResult()
		result.Written = len(p.Changes)
	}
	return result, nil
}

func (f *fake) SecretDelivered() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delivered++
	return nil
}

func (f *fake) Save(a state.Answers) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saved = append(f.saved, a)
	if !f.signedIn {
		return "/home/alex/.local/state/msbundle/draft.yaml", f.saveErr
	}
	return "/home/alex/.local/state/msbundle/contoso/setup.yaml", f.saveErr
}

func (f *fake) Unfinished() ([]steps.Unfinished, error) { return f.open, f.openErr }

func (f *fake) Resume(steps.Unfinished) (state.Answers, error) { return f.resumed, nil }

func unfinishedContoso() steps.Unfinished {
	return steps.Unfinished{TenantID: tenantID, Name: "Contoso", When: epoch, Left: "12 writes done"}
}
