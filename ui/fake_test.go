package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

	why, app    string
	code        steps.DeviceCode
	page        string
	account     steps.Account
	signIn      chan error // nil: signs in at once
	signInErr   error
	earlyErr    error         // before anybody is asked
	slow        chan struct{} // nil: a code or a page is there at once
	renew       chan struct{} // gives the sign-in under way a new code
	method      steps.Method
	methods     []steps.Method
	inspectAsks *steps.Prompt // a sign-in that Inspect needs
	applyAsks   *steps.Prompt // a sign-in that Apply needs, before its second event
	moreDone    chan error    // how the attempts at those end
	findings    *steps.Findings
	inspect     chan error
	inspected   []state.Answers
	events      []steps.Event
	step        chan struct{} // each event waits for one
	applyErr    error
	result      *steps.Result
	applied     []steps.Plan
	delivered   int
	ready       *steps.Readiness
	tenantReads []state.Answers
	outcome     *steps.Result // of the stages about the tenant and the customers
	delegation  *steps.Delegation
	exported    []string // sets of invitations
	reminded    []string // ids of relationships
	exportErr   error
	enoughErr   error          // of an apply that is not to wait any longer
	looks       int            // asked for while customers were waited for
	holds       bool           // an apply goes on until it is left
	passwords   int            // taken
	kept        *state.Answers // of the tenant
	saved       []state.Answers
	saveErr     error
	signedIn    bool
	open        []steps.Unfinished
	new         bool // nothing was set up yet
	openErr     error
	resumed     state.Answers
	codes       int      // given out so far, or pages
	signIns     []string // accounts expected
	signedFor   []state.Answers
	used        []steps.Method
	skips       int

	clients fakeClientele

	show    func(steps.Prompt)
	hold    bool
	asking  bool
	asks    int
	choices chan steps.Method // empty: to go on without
}

// epoch is when every test begins.
var epoch = time.Date(2026, 9, 1, 9, 30, 0, 0, time.UTC)

const (
	tenantID     = "11111111-2222-3333-4444-555555555555"
	fakePassword = "test-value-never-a-real-password"
	fakeSafe     = "test-value-Kx8Q~never-a-real-secret"
)

func newFake() *fake {
	return &fake{
		code:     steps.DeviceCode{UserCode: "FJC3T9Q2W", URL: "https://microsoft.com/devicelogin", Expires: epoch.Add(15 * time.Minute), Renews: epoch.Add(14*time.Minute + 30*time.Second)},
		findings: fakeFindings(), ready: fakeReadiness(), delegation: fakeDelegation(), account: fakeAccount(), page: fakePage,
		why: "Microsoft Graph, to look at the tenant and to make what the plan will show", app: "Microsoft Graph Command Line Tools",
		method: steps.ByDevice, methods: []steps.Method{steps.ByDevice, steps.ByBrowser, steps.ByTunnel},
		clients: fakeClientele{rows: clientRows(6)},
		choices: make(chan steps.Method, 1), renew: make(chan struct{}), moreDone: make(chan error),
	}
}

// fakePage is as long as Microsoft's are.
var fakePage = "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize?client_id=14d82eec-204b-4c2f-b7e8-296a70dab67e&scope=" +
	strings.Repeat("https%3A%2F%2Fgraph.microsoft.com%2FApplication.ReadWrite.All+", 12) + "openid&state=END"

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
		Around: steps.Around{
			Plans: []string{"AAD_PREMIUM", "EXCHANGE_S_STANDARD"}, MembersRegister: true, AgentGroups: []string{"agents"}, Groups: []string{"agents"},
			Partner:       steps.PartnerAccount{Name: "Contoso", Customers: 3},
			Subscriptions: []steps.Subscription{{Name: "Production", State: "Enabled", Usable: true, Vaults: []string{"keys"}}},
		},
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

// Prompts, Use and Skip behave as the engine's do.
func (f *fake) Prompts(show func(steps.Prompt), hold bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.show, f.hold = show, hold
}

func (f *fake) Use(_ int, m steps.Method) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.method = m
	f.used = append(f.used, m)
	f.choose(m)
}

func (f *fake) Skip(int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skips++
	f.choose("")
}

// choose tells the sign-in under way, if there is one.
func (f *fake) choose(m steps.Method) {
	if !f.asking {
		return
	}
	select {
	case <-f.choices:
	default:
	}
	f.choices <- m
}

// ask has the person sign in: wait brings how each attempt ends; without it they
// end at once as told by failure.
func (f *fake) ask(ctx context.Context, p steps.Prompt, wait <-chan error, failure func() error) error {
	f.mu.Lock()
	f.asks++
	p.N, p.Methods = f.asks, f.methods
	f.asking = true
	show, hold := f.show, f.hold
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.asking = false
		f.mu.Unlock()
		p.Ended, p.Err = true, nil
		show(p)
	}()
	for {
		f.mu.Lock()
		p.Method = f.method
		slow := f.slow
		f.mu.Unlock()
		if slow != nil {
			select {
			case <-slow:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		show(f.prompt(p))
		err := f.attempt(ctx, p, wait, failure)
		var chosen choseError
		switch {
		case errors.As(err, &chosen) && chosen.method == "":
			return msclient.ErrSkipped
		case errors.As(err, &chosen):
			continue
		case err == nil || ctx.Err() != nil || !hold:
			return err
		}
		failed := p
		failed.Err = err
		show(failed)
		select {
		case m := <-f.choices:
			if m == "" {
				return msclient.ErrSkipped
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// choseError ends an attempt because the person chose something else.
type choseError struct{ method steps.Method }

func (choseError) Error() string { return "something else was chosen" }

func (f *fake) attempt(ctx context.Context, p steps.Prompt, wait <-chan error, failure func() error) error {
	if wait == nil {
		return failure()
	}
	for {
		select {
		case err := <-wait:
			return err
		case m := <-f.choices:
			return choseError{m}
		case <-f.renew:
			f.show(f.prompt(p))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// prompt fills a code or a page in.
func (f *fake) prompt(p steps.Prompt) steps.Prompt {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.codes++
	if p.Method != steps.ByDevice {
		p.URL, p.Port = f.page, 43211
		return p
	}
	p.Code = f.code
	if f.codes > 1 {
		p.Code.UserCode, p.Code.Expires = fmt.Sprintf("NEW%06d", f.codes), f.code.Expires.Add(time.Duration(f.codes-1)*15*time.Minute)
	}
	return p
}

func (f *fake) SignIn(ctx context.Context, a state.Answers) (steps.Account, error) {
	f.mu.Lock()
	f.signIns, f.signedFor = append(f.signIns, a.Account), append(f.signedFor, a)
	p, wait, early := steps.Prompt{Why: f.why, App: f.app, Account: a.Account}, f.signIn, f.earlyErr
	f.mu.Unlock()
	if early != nil {
		return steps.Account{}, early
	}
	err := f.ask(ctx, p, wait, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.signInErr
	})
	if err != nil {
		return steps.Account{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signedIn = true
	return f.account, nil
}

// more asks for a sign-in in the middle of the work, when the story wants one.
func (f *fake) more(ctx context.Context, p *steps.Prompt) error {
	if p == nil {
		return nil
	}
	p.Account = f.account.Username
	return f.ask(ctx, *p, f.moreDone, func() error { return nil })
}

func (f *fake) Inspect(ctx context.Context, a state.Answers, _ func(steps.Event)) (*steps.Findings, error) {
	f.mu.Lock()
	f.inspected = append(f.inspected, a)
	wait, found := f.inspect, *f.findings
	f.mu.Unlock()
	if err := f.more(ctx, f.inspectAsks); err != nil && !errors.Is(err, msclient.ErrSkipped) {
		return nil, err
	}
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

// InspectTenant finds what the story says of the tenant, the account by its name.
func (f *fake) InspectTenant(ctx context.Context, a state.Answers, observe func(steps.Event)) (*steps.Findings, error) {
	found, err := f.Inspect(ctx, a, observe)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ready := *f.ready
	if s := a.ServiceAccount; s != nil {
		ready.UPN = s.Username
		if !strings.Contains(s.Username, "@") {
			ready.UPN += "@contoso.onmicrosoft.com"
		}
		if ready.User != nil && ready.User.UPN != ready.UPN {
			ready.User = nil
		}
	}
	found.Ready, found.Policies = &ready, ready.Policies
	if a.GDAP != nil {
		found.Ready, found.Delegation = nil, f.narrowed()
	}
	f.tenantReads = append(f.tenantReads, a)
	return found, nil
}

// inTenant tells whether a plan is of the stage about the tenant: authorising has
// no section about it.
func (f *fake) inTenant(p steps.Plan) bool { return p.Answers.Ready() || p.Answers.GDAP != nil }

func (f *fake) PasswordDelivered() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passwords++
	return nil
}

func (f *fake) Saved() (state.Answers, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept == nil {
		return state.Answers{}, false, nil
	}
	return *f.kept, true, nil
}

func (f *fake) Apply(ctx context.Context, p steps.Plan, o steps.ApplyOptions) (*steps.Result, error) {
	f.mu.Lock()
	f.applied = append(f.applied, p)
	events, step, result, err := f.events, f.step, f.result, f.applyErr
	if f.inTenant(p) && result == nil || f.outcome != nil && f.inTenant(p) {
		result = f.outcome
		if result == nil {
			result = tenantResult()
			if p.Answers.GDAP != nil {
				result = delegationResult(0)
			}
		}
	}
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
	for i, e := range events {
		if i == 1 {
			if err := f.more(ctx, f.applyAsks); err != nil {
				return nil, err
			}
		}
		for waits := step != nil; waits; {
			select {
			case <-step:
				waits = false
			case <-o.Look:
				f.mu.Lock()
				f.looks++
				f.mu.Unlock()
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if err := o.Gate.Wait(ctx); err != nil {
			return nil, err
		}
		o.Observe(e)
		select {
		case <-o.Enough:
			if f.enoughErr != nil {
				return f.outcome, f.enoughErr
			}
			return delegationResult(1), &steps.Waiting{Problem: steps.Problem{What: "1 customer did not approve yet"}}
		default:
		}
	}
	if f.holds && p.Answers.GDAP != nil {
		select {
		case <-o.Enough:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
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

func (f *fake) Begun() bool { return !f.new }

func (f *fake) Unfinished() ([]steps.Unfinished, error) { return f.open, f.openErr }

func (f *fake) Resume(steps.Unfinished) (state.Answers, error) { return f.resumed, nil }

func unfinishedContoso() steps.Unfinished {
	return steps.Unfinished{TenantID: tenantID, Name: "Contoso", When: epoch, Left: "12 writes done"}
}
