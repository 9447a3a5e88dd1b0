package ui

import (
	"errors"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// TestScreens compares every screen in its main states with golden files.
func TestScreens(t *testing.T) {
	refused := &steps.Problem{
		What: "the tenant could not be inspected", Do: "Sign in with a Global Administrator.", Retry: true,
		RequestID: "99999999-aaaa-bbbb-cccc-dddddddddddd", Raw: "Insufficient privileges to complete the operation.",
	}
	owned := func(set func(*state.Answers)) func(*Config) {
		return func(c *Config) { set(&c.Answers) }
	}
	waiting := func(f *fake) { f.signIn = make(chan error) }
	tests := []struct {
		name string
		fake func(*fake)
		cfg  func(*Config)
		tale func(*story)
	}{
		{name: "start", cfg: func(c *Config) { c.StateDir = "/home/alex/.local/state/msbundle" }, tale: func(*story) {}},
		{name: "start-resume", fake: func(f *fake) {
			f.open = []steps.Unfinished{{TenantID: tenantID, Name: "Contoso", When: epoch, Left: "12 writes done, 1 to be looked at"}}
		}, tale: func(s *story) {}},
		{name: "start-approvals", fake: awaited, tale: func(s *story) {}},
		{name: "start-failed", fake: func(f *fake) { f.openErr = errors.New("permission denied") }, tale: func(*story) {}},
		{name: "rehearsal", cfg: func(c *Config) { c.Sandbox = "sandbox: happy" }, tale: func(*story) {}},
		{name: "integrations", tale: func(s *story) { s.toIntegrations(); s.keys("down", "down", "space") }},
		{name: "registration", tale: func(s *story) { s.toRegistration() }},
		{name: "registration-id", cfg: owned(func(a *state.Answers) { a.Region = "uk" }), tale: func(s *story) {
			s.toRegistration()
			s.keys("down", "right", "right", "down")
			s.types("not-an-id")
			s.keys("enter")
		}},
		{name: "registration-connector", tale: func(s *story) { s.toRegistration(); s.keys("right") }},
		{name: "permissions", tale: func(s *story) { s.toPermissions() }},
		{name: "permissions-asked", tale: func(s *story) {
			s.toPermissions()
			s.keys("/")
			s.types("user.readwrite.all")
			s.keys("enter", "space")
		}},
		{name: "permissions-over", cfg: owned(everything), tale: func(s *story) { s.toPermissions(); s.keys("enter") }},
		{name: "permissions-shorten", cfg: owned(everything), tale: func(s *story) { s.toPermissions(); s.keys("x") }},
		{name: "permissions-nothing", tale: func(s *story) { s.toPermissions(); s.keys("/"); s.types("zzz") }},
		{name: "permissions-extra", cfg: owned(func(a *state.Answers) { a.Permissions.Add = []string{"Contoso.Read.All/delegated"} }), tale: func(s *story) { s.toPermissions(); s.keys("end") }},
		{name: "authorize", tale: func(s *story) { s.toAuthorize() }},
		{name: "authorize-connector", tale: func(s *story) {
			s.toRegistration()
			s.keys("right", "enter", "enter")
		}},
		{name: "authorize-method", cfg: func(c *Config) { c.Remember = "in the system's keyring" }, tale: func(s *story) {
			s.toAuthorize()
			s.types("admin@contoso.onmicrosoft.com")
			s.keys("tab", "tab", "right")
		}},
		{name: "authorize-mended", tale: func(s *story) { s.toAuthorize(); s.types("admin"); s.keys("enter") }},
		{name: "signin", fake: waiting, cfg: owned(func(a *state.Answers) { a.Account = "admin@contoso.onmicrosoft.com" }), tale: func(s *story) { s.toAuthorize(); s.keys("enter") }},
		{name: "signin-late", fake: waiting, tale: func(s *story) { s.toAuthorize(); s.keys("enter"); s.pass(askAfter) }},
		{name: "signin-rehearsal", fake: waiting, cfg: func(c *Config) {
			c.Sandbox, c.DevicePage = "sandbox: happy", "http://127.0.0.1:43211/devicelogin"
		}, tale: func(s *story) { s.toAuthorize(); s.keys("enter"); s.pass(askAfter) }},
		{name: "signin-browser", fake: func(f *fake) { waiting(f); f.method = steps.ByBrowser }, tale: func(s *story) { s.toAuthorize(); s.keys("enter"); s.pass(12 * time.Second) }},
		{name: "signin-tunnel", fake: func(f *fake) { waiting(f); f.method = steps.ByTunnel }, tale: func(s *story) { s.toAuthorize(); s.keys("enter") }},
		{name: "signin-address", fake: func(f *fake) { waiting(f); f.method = steps.ByTunnel }, tale: func(s *story) { s.toAuthorize(); s.keys("enter", "v") }},
		{name: "signin-methods", fake: waiting, tale: func(s *story) { s.toAuthorize(); s.keys("enter", "m", "down") }},
		{name: "signin-asking", fake: waiting, tale: func(s *story) { s.toAuthorize(); s.keys("enter", "e"); s.types("530") }},
		{name: "signin-error", fake: waiting, tale: func(s *story) {
			s.toAuthorize()
			s.keys("enter", "e")
			s.types("AADSTS53003: blocked")
			s.keys("enter")
		}},
		{name: "signin-failed", fake: func(f *fake) {
			f.signInErr = &steps.Problem{
				What: "nobody was signed in", Cause: "A policy of your organisation blocks codes.", Do: "Sign in another way.", Who: string(catalog.ByYou),
				RequestID: "99999999-aaaa-bbbb-cccc-dddddddddddd", Rule: "AADSTS53003",
				Raw: "AADSTS53003: Access has been blocked by Conditional Access policies.",
			}
		}, tale: func(s *story) { s.toAuthorize(); s.keys("enter") }},
		{name: "signin-optional", fake: func(f *fake) {
			f.inspectAsks = &steps.Prompt{Why: "Azure Resource Manager, to look for subscriptions and key vaults. Microsoft Graph's client has no access to it", App: "Microsoft Azure CLI", Skip: true}
		}, tale: func(s *story) { s.toPreflight() }},
		{name: "signin-again", fake: func(f *fake) {
			f.applyAsks = &steps.Prompt{Why: "Microsoft Graph asks for a new sign-in before it goes on", App: "Microsoft Graph Command Line Tools"}
		}, tale: func(s *story) { s.toApply() }},
		{name: "signin-give-up", fake: func(f *fake) { f.applyAsks = &steps.Prompt{Why: "x", App: "y"} }, tale: func(s *story) { s.toApply(); s.keys("esc") }},
		{name: "preflight-loading", fake: func(f *fake) { f.inspect = make(chan error) }, tale: func(s *story) { s.toPreflight(); s.pass(3 * time.Second) }},
		{name: "preflight", tale: func(s *story) { s.toPreflight() }},
		{name: "preflight-blocked", fake: func(f *fake) { f.findings.RoleIDs = nil; f.findings.Secrets.Known = false }, tale: func(s *story) { s.toPreflight(); s.keys("enter") }},
		{name: "preflight-samename", fake: func(f *fake) { f.findings.SameName = sameNamed() }, tale: func(s *story) { s.toPreflight(); s.keys("enter") }},
		{name: "preflight-failed", fake: func(f *fake) {
			f.inspect = make(chan error, 1)
			f.inspect <- refused
		}, tale: func(s *story) { s.toPreflight() }},
		{name: "plan", tale: func(s *story) { s.toPlan() }},
		{name: "plan-open", tale: func(s *story) { s.toPlan(); s.keys("enter") }},
		{name: "plan-empty", cfg: owned(func(a *state.Answers) { a.Registration.Kind = state.KindConnector }), fake: func(f *fake) {
			f.findings.Connector = &steps.Principal{ObjectID: "x", AppID: catalog.VendorConnector}
		}, tale: func(s *story) { s.toPlan() }},
		{name: "apply", fake: func(f *fake) { f.step = make(chan struct{}) }, tale: func(s *story) { s.toApply(); s.steps(3) }},
		{name: "apply-waiting", fake: func(f *fake) {
			f.step = make(chan struct{})
			f.events = []steps.Event{{Kind: steps.EventWaiting, At: epoch, Text: "Create app", Wait: &steps.Wait{
				For: "the new app to be known everywhere", Usual: "seconds, now and then a minute", Since: epoch, Then: "it is tried again", Next: 8 * time.Second,
			}}, {Kind: steps.EventNote}}
		}, tale: func(s *story) { s.toApply(); s.steps(1); s.pass(5 * time.Second) }},
		{name: "apply-failed", fake: func(f *fake) { f.applyErr = refused }, tale: func(s *story) { s.toApply() }},
		{name: "apply-quit", fake: func(f *fake) { f.step = make(chan struct{}) }, tale: func(s *story) { s.toApply(); s.keys("ctrl+c") }},
		{name: "result", tale: func(s *story) { s.toApply() }},
		{name: "result-shown", tale: func(s *story) { s.toApply(); s.keys("r") }},
		{name: "result-partial", fake: func(f *fake) {
			f.result = fakeResult()
			f.result.Integrations[0].Authorized, f.result.Integrations[0].Granted = false, 11
			f.result.Integrations[0].Missing = []string{"User.Read.All/delegated", "Group.Read.All/application"}
		}, tale: func(s *story) { s.toApply() }},
		{name: "serviceaccount-loading", fake: func(f *fake) { f.inspect = make(chan error) }, tale: func(s *story) { s.toAccount(); s.pass(3 * time.Second) }},
		{name: "serviceaccount", tale: func(s *story) { s.toAccount() }},
		{name: "serviceaccount-failed", fake: func(f *fake) {
			f.inspect = make(chan error, 1)
			f.inspect <- refused
		}, tale: func(s *story) { s.toAccount() }},
		{name: "serviceaccount-disabled", fake: func(f *fake) { f.ready.User = theAccount(); f.ready.User.Enabled = false }, tale: func(s *story) { s.toAccount() }},
		{name: "serviceaccount-stepdown", fake: lastAdmin, tale: func(s *story) { s.toAccount(); s.focus(readyRoles); s.keys("right", "enter") }},
		{name: "serviceaccount-azure", cfg: owned(func(a *state.Answers) { a.Integrations = append(a.Integrations, catalog.Azure, catalog.Exchange) }), fake: noVault, tale: func(s *story) {
			s.toAccount()
			s.focus(readyVault)
		}},
		{name: "serviceaccount-stale", tale: func(s *story) { s.toAccount(); s.focus(readyAzure); s.keys("left") }},
		{name: "serviceaccount-policies", fake: withPolicies, tale: func(s *story) { s.toAccount(); s.focus(readyPolicies); s.keys("space", "down") }},
		{name: "serviceaccount-check", tale: func(s *story) { s.toAccount(); s.focus(formPassed) }},
		{name: "serviceaccount-whole", tale: func(s *story) { s.toAccount(); s.focus(formPassed); s.keys("v") }},
		{name: "tenant-plan", fake: withPolicies, tale: func(s *story) { s.toAccount(); s.keys("enter") }},
		{name: "tenant-plan-policy", fake: withPolicies, tale: func(s *story) {
			s.toAccount()
			s.keys("enter")
			s.toChange(steps.KindPolicy, steps.Update)
			s.keys("enter")
		}},
		{name: "tenant-result", tale: func(s *story) { s.toAccount(); s.keys("enter", "A") }},
		{name: "tenant-result-shown", tale: func(s *story) { s.toAccount(); s.keys("enter", "A", "r") }},
		{name: "tenant-handover", tale: func(s *story) { s.toAccount(); s.keys("enter", "A", "v") }},
		{name: "gdap-loading", fake: func(f *fake) { f.inspect = make(chan error) }, tale: func(s *story) { s.toGDAP(); s.pass(3 * time.Second) }},
		{name: "gdap", tale: func(s *story) { s.toGDAP() }},
		{name: "gdap-failed", fake: func(f *fake) {
			f.inspect = make(chan error, 1)
			f.inspect <- refused
		}, tale: func(s *story) { s.toGDAP() }},
		{name: "gdap-blocked", fake: func(f *fake) { f.delegation.Account = "" }, tale: func(s *story) { s.toGDAP(); s.keys("enter") }},
		{name: "gdap-name", tale: func(s *story) { s.toGDAP(); s.ask(gdapRelation); s.types(" x") }},
		{name: "gdap-customers", tale: func(s *story) { s.toGDAP(); s.ask(gdapTable); s.keys("space", "down") }},
		{name: "gdap-chosen", tale: func(s *story) {
			s.toGDAP()
			s.keys("right")
			s.ask(gdapTable)
			s.keys("space", "space", "down", "space", "/")
			s.types("toys")
		}},
		{name: "gdap-roles", tale: func(s *story) { s.toGDAP(); s.ask(gdapRoles); s.keys("space", "down", "space") }},
		{name: "gdap-plan", tale: func(s *story) { s.toGDAP(); s.keys("enter") }},
		{name: "gdap-plan-many", fake: manyCustomers(1000), tale: func(s *story) { s.toGDAP(); s.keys("enter") }},
		{name: "gdap-plan-customers", fake: manyCustomers(1000), tale: func(s *story) {
			s.toGDAP()
			s.keys("enter", "c", "down", "down", "right")
		}},
		{name: "gdap-inbox", fake: approving(5), tale: func(s *story) { s.toGDAP(); s.keys("enter", "A"); s.steps(2); s.keys("down") }},
		{name: "gdap-inbox-look", fake: func(f *fake) { awaited(f); f.inspect = make(chan error) }, tale: func(s *story) {
			s.keys("enter")
			s.pass(3 * time.Second)
		}},
		{name: "gdap-inbox-failed", fake: failing, tale: func(s *story) { s.toGDAP(); s.keys("enter", "A"); s.steps(4); s.keys("end") }},
		{name: "gdap-result-failed", fake: func(f *fake) {
			failing(f)
			f.step, f.events, f.applyErr = nil, nil, f.enoughErr
		}, tale: func(s *story) { s.toGDAP(); s.keys("enter", "A") }},
		{name: "gdap-inbox-mail", fake: approving(5), tale: func(s *story) { s.toGDAP(); s.keys("enter", "A"); s.steps(2); s.keys("m") }},
		{name: "gdap-inbox-export", fake: approving(5), tale: func(s *story) { s.toGDAP(); s.keys("enter", "A"); s.steps(2); s.keys("x") }},
		{name: "gdap-result", fake: func(f *fake) { f.outcome = delegationResult(0) }, tale: func(s *story) { s.toGDAP(); s.keys("enter", "A") }},
		{name: "customers-loading", fake: func(f *fake) { f.clients.wait = make(chan struct{}) }, tale: func(s *story) { s.toCustomers(); s.pass(3 * time.Second) }},
		{name: "customers", tale: func(s *story) { s.toCustomers() }},
		{name: "customers-failed", fake: func(f *fake) { f.clients.lookErr = refused }, tale: func(s *story) { s.toCustomers() }},
		{name: "customers-mapped", fake: mixedClients, tale: func(s *story) { s.toCustomers(); s.keys("z", "a", "home", "space", "R", "down", "space") }},
		{name: "customers-open", fake: func(f *fake) { mixedClients(f); f.clients.left = true }, tale: func(s *story) { s.toCustomers() }},
		{name: "customers-close", fake: func(f *fake) { f.clients.left = true }, tale: func(s *story) { s.toCustomers(); s.keys("C") }},
		{name: "customers-help", fake: mixedClients, tale: func(s *story) { s.toCustomers(); s.keys("?") }},
		{name: "customers-shared", fake: mixedClients, tale: func(s *story) {
			s.toCustomers()
			s.keys("down", "m")
			s.types("adat")
			s.keys("tab", "esc", "esc")
		}},
		{name: "customers-filter", fake: mixedClients, tale: func(s *story) { s.toCustomers(); s.keys("z", "*", "v", "down", "down", "enter", "/"); s.types("fab") }},
		{name: "customers-states", fake: mixedClients, tale: func(s *story) { s.toCustomers(); s.keys("v", "down") }},
		{name: "customers-link", fake: mixedClients, tale: func(s *story) { s.toCustomers(); s.keys("down", "m", "tab"); s.types("o") }},
		{name: "customers-file", tale: func(s *story) { s.toCustomers(); s.keys("o") }},
		{name: "customers-looking", fake: func(f *fake) { f.clients.step = make(chan struct{}) }, tale: func(s *story) {
			s.toCustomers()
			s.keys("R")
			s.f.clients.step <- struct{}{}
			s.pass(2 * time.Second)
		}},
		{name: "customers-notice", tale: func(s *story) { s.toCustomers(); s.keys("*", "c") }},
		{name: "customers-plan", fake: shutOne, tale: func(s *story) { s.toCustomers(); s.keys("*", "c", "down", "enter", "down") }},
		{name: "customers-plan-one", tale: func(s *story) { s.toCustomers(); s.keys("c", "down", "enter", "down", "enter") }},
		{name: "customers-plan-write", tale: func(s *story) { s.toCustomers(); s.keys("c", "down", "enter", "down", "enter", "enter") }},
		{name: "customers-progress", fake: refuseOne, tale: func(s *story) {
			s.toCustomers()
			s.keys("*", "c", "down", "enter")
			s.f.clients.step = make(chan struct{})
			s.keys("A")
			for range 3 {
				s.f.clients.step <- struct{}{}
				s.pass(time.Second)
			}
		}},
		{name: "customers-paused", tale: func(s *story) {
			s.toCustomers()
			s.keys("*", "c", "down", "enter")
			s.f.clients.step = make(chan struct{})
			s.keys("A")
			s.f.clients.step <- struct{}{}
			s.pass(time.Second)
			s.keys("p")
		}},
		{name: "customers-result", fake: func(f *fake) { refuseOne(f); shutOne(f) }, tale: func(s *story) { s.toCustomers(); s.keys("*", "c", "down", "enter", "A") }},
		{name: "customers-left", fake: someNotes, tale: func(s *story) { s.toCustomers(); s.keys("R", "down", "i") }},
		{name: "customers-left-plan", fake: someNotes, tale: func(s *story) {
			s.toCustomers()
			s.keys("*", "c", "down", "enter", "A", "esc", "*", "c", "down", "enter", "down")
		}},
		{name: "customers-left-one", fake: someNotes, tale: func(s *story) {
			s.toCustomers()
			s.keys("*", "c", "down", "enter", "A", "esc", "*", "c", "down", "enter", "down", "enter")
		}},
		{name: "customers-not-excluding", tale: func(s *story) { s.toCustomers(); s.keys("*", "c", "x") }},
		{name: "customers-detail", tale: func(s *story) { s.toCustomers(); s.keys("R", "i") }},
		{name: "customers-direct", tale: func(s *story) { s.toCustomers(); s.keys("d") }},
		{name: "gdap-result-waiting", fake: func(f *fake) {
			f.outcome = delegationResult(3)
			f.applyErr = &steps.Waiting{Problem: steps.Problem{What: "3 customers did not approve yet", Retry: true}}
		}, tale: func(s *story) { s.toGDAP(); s.keys("enter", "A") }},
		{name: "help", tale: func(s *story) { s.toPermissions(); s.keys("?") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := func(f *fake, c *Config) {
				if tt.fake != nil {
					tt.fake(f)
				}
				if tt.cfg != nil {
					tt.cfg(c)
				}
			}
			tell(t, set, func(s *story) {
				tt.tale(s)
				s.golden(tt.name)
			})
		})
	}
}

// everything chooses more than the limits allow.
func everything(a *state.Answers) {
	for _, i := range catalog.Integrations() {
		if !a.Has(i.ID) {
			a.Integrations = append(a.Integrations, i.ID)
		}
	}
	a.Permissions.Base = "stock"
	for _, p := range catalog.Permissions() {
		if p.Tier == catalog.Optional {
			a.Permissions.Add = append(a.Permissions.Add, steps.Entry{Resource: p.Resource, Name: p.Name, Kind: p.Kind}.String())
		}
	}
}

// steps lets the apply tell of so many events.
func (s *story) steps(n int) {
	for range n {
		s.f.step <- struct{}{}
		s.settle()
	}
}
