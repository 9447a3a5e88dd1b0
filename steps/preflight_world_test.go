package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// visit is one look at a simulated tenant, and how checks come out there.
type visit struct {
	name     string
	scenario string
	cloud    string // national cloud spoken to
	as       string // who signs in; empty for the scenario's person
	app      bool   // the app of the scenario signs in by itself
	browser  bool   // by a browser, which takes a real connection to this machine
	skip     bool   // further sign-ins are left out
	wrap     func(http.RoundTripper) http.RoundTripper
	faults   []sandbox.Fault // from the sign-in on
	prompted func(*Setup, Prompt)
	answers  func(*state.Answers)                                   // asked before the sign-in
	before   func(t *testing.T, c *sandbox.Cloud, a *state.Answers) // somebody does something in the tenant
	after    func(*state.Answers)                                   // asked after the sign-in
	want     map[string]CheckState
	blocks   []string // of those, the ones that stop the setup
}

// connector chooses the vendor's connector.
func connector(a *state.Answers) {
	a.Registration = state.Registration{Kind: state.KindConnector}
}

func stock(a *state.Answers) { a.Permissions.Base = "stock" }

const owner = "owner@contoso.onmicrosoft.com"

var visits = []visit{
	{name: "in order", scenario: "happy", want: map[string]CheckState{
		"tenant": Passed, "cloud": Passed, "account": Passed, "expected": Passed, "mfa": Passed, "directory": Passed, "roles": Passed, "eligible": Passed, "members": Passed,
		"defaults": Passed, "device-code": Passed, "access": Passed, "frequency": Passed, "premium": Passed, "exchange": Passed,
		"partner": Passed, "indirect": Passed, "agents": Passed, "subscription": Passed, "vault": Passed,
		"same-name": Passed, "app-state": Passed, "deleted": Passed, "secrets": Passed, "secret-life": Passed,
		"apis": Passed, "look-alike": Passed, "permissions": Passed, "length": Passed, "connector": Passed, "legacy": Passed, "footprint": Passed, "clock": Passed,
	}},
	{
		name: "another tenant than the answers name", scenario: "happy",
		after: func(a *state.Answers) { a.Tenant = "11111111-2222-4333-8444-555555555555" },
		want:  map[string]CheckState{"tenant": Failed}, blocks: []string{"tenant"},
	},
	{
		name: "a domain the tenant does not have", scenario: "happy", after: func(a *state.Answers) { a.Tenant = "fabrikam.com" },
		want: map[string]CheckState{"tenant": Warned},
	},
	{
		name: "another account than the answers name", scenario: "happy", after: func(a *state.Answers) { a.Account = "megan@contoso.onmicrosoft.com" },
		want: map[string]CheckState{"expected": Failed}, blocks: []string{"expected"},
	},
	{name: "the US government's cloud", scenario: "gcc-high", cloud: "usgov", want: map[string]CheckState{"cloud": Warned, "tenant": Passed}},
	{
		name: "a guest", scenario: "guest", before: consentForAll,
		want:   map[string]CheckState{"account": Failed, "directory": Failed, "roles": Failed, "apis": Unknown, "same-name": Unknown, "indirect": Unknown},
		blocks: []string{"account", "directory", "roles"},
	},
	{name: "no second factor", scenario: "no-mfa", want: map[string]CheckState{"mfa": Failed}, blocks: []string{"mfa"}},
	{
		name: "no second factor, with the connector", scenario: "no-mfa", answers: connector,
		want: map[string]CheckState{"mfa": Failed, "connector": Warned},
	},
	{
		name: "no role", scenario: "no-role", before: consentForAll,
		want: map[string]CheckState{"roles": Failed, "eligible": Passed, "members": Warned, "deleted": Unknown}, blocks: []string{"roles"},
	},
	{
		name: "a role to be activated", scenario: "eligible-role",
		want: map[string]CheckState{"roles": Failed, "eligible": Failed}, blocks: []string{"roles", "eligible"},
	},
	{
		name: "no role, and nothing to activate one with", scenario: "no-p1", as: "megan@contoso.onmicrosoft.com",
		before: func(t *testing.T, c *sandbox.Cloud, a *state.Answers) { consentBy(c.Tenant().Admin, t, c, a) },
		want:   map[string]CheckState{"roles": Failed, "eligible": Passed, "members": Passed}, blocks: []string{"roles"},
	},
	{
		name: "half of the roles", scenario: "app-admin",
		want:   map[string]CheckState{"roles": Failed, "eligible": Passed, "members": Passed, "defaults": Unknown, "access": Unknown, "device-code": Unknown, "frequency": Unknown},
		blocks: []string{"roles"},
	},
	{name: "security defaults", scenario: "security-defaults", want: map[string]CheckState{"defaults": Warned}},
	{name: "policies that spare the administrator", scenario: "policies", want: map[string]CheckState{"device-code": Passed, "access": Passed, "frequency": Warned}},
	{
		name: "policies that reach the administrator", scenario: "policies", as: owner, browser: true,
		want: map[string]CheckState{"device-code": Warned, "access": Warned, "frequency": Warned},
	},
	{name: "no premium licence", scenario: "no-p1", want: map[string]CheckState{"premium": Warned, "access": Passed, "device-code": Passed, "frequency": Passed, "exchange": Passed}},
	{
		name: "not a partner", scenario: "single-tenant",
		want: map[string]CheckState{"partner": Failed, "indirect": Unknown, "agents": Warned, "apis": Warned},
	},
	{name: "an indirect reseller", scenario: "indirect-reseller", want: map[string]CheckState{"partner": Passed, "indirect": Failed, "agents": Passed}},
	{name: "no admin agent", scenario: "not-admin-agent", want: map[string]CheckState{"partner": Warned, "indirect": Unknown, "agents": Warned}},
	{name: "no subscription", scenario: "no-subscription", want: map[string]CheckState{"subscription": Failed, "vault": Failed}},
	{name: "no vault", scenario: "no-vault", want: map[string]CheckState{"subscription": Passed, "vault": Failed}},
	{
		name: "one more sign-in left out", scenario: "happy", skip: true,
		want: map[string]CheckState{"partner": Passed, "indirect": Unknown, "agents": Passed, "subscription": Unknown, "vault": Unknown},
	},
	{
		name: "an app by itself", scenario: "reader-app", app: true,
		want: map[string]CheckState{
			"account": Unknown, "expected": Passed, "mfa": Unknown, "roles": Unknown, "eligible": Unknown, "members": Unknown, "agents": Unknown,
			"access": Unknown, "device-code": Unknown, "frequency": Unknown, "subscription": Unknown, "vault": Unknown, "indirect": Unknown,
			"tenant": Passed, "defaults": Passed, "premium": Passed, "partner": Passed, "same-name": Passed, "deleted": Passed, "footprint": Passed,
		},
	},
	{name: "an app of that name", scenario: "same-name", want: map[string]CheckState{"same-name": Failed}, blocks: []string{"same-name"}},
	{
		name: "an app to take over", scenario: "adopt", before: adopting,
		want: map[string]CheckState{"app-id": Passed, "app-state": Passed, "look-alike": Warned, "secrets": Passed, "secret-life": Passed},
	},
	{
		name: "an app that is not there", scenario: "happy", answers: func(a *state.Answers) { a.Registration.AppID = "11111111-2222-4333-8444-555555555555" },
		want: map[string]CheckState{"app-id": Failed}, blocks: []string{"app-id"},
	},
	{
		name: "an app that allows public clients", scenario: "adopt",
		before: func(t *testing.T, c *sandbox.Cloud, a *state.Answers) {
			adopting(t, c, a)
			path := applications + "(appId='" + a.Registration.AppID + "')"
			act(t, c, "", http.MethodPatch, path, map[string]any{"isFallbackPublicClient": true})
		},
		want: map[string]CheckState{"app-id": Passed, "app-state": Warned},
	},
	{
		name: "an app nobody can sign in to", scenario: "adopt",
		before: func(t *testing.T, c *sandbox.Cloud, a *state.Answers) {
			adopting(t, c, a)
			path := principals + "(appId='" + a.Registration.AppID + "')"
			act(t, c, "", http.MethodPatch, path, map[string]any{"accountEnabled": false})
		},
		want: map[string]CheckState{"app-id": Passed, "app-state": Failed},
	},
	{
		name: "a deleted app of that name", scenario: "happy",
		before: func(t *testing.T, c *sandbox.Cloud, a *state.Answers) {
			var made struct{ ID string }
			body := map[string]any{"displayName": a.Registration.Name, "signInAudience": "AzureADMyOrg"}
			if err := json.Unmarshal(act(t, c, "", http.MethodPost, applications, body), &made); err != nil {
				t.Fatal(err)
			}
			act(t, c, "", http.MethodDelete, applications+"/"+made.ID, nil)
		},
		want: map[string]CheckState{"deleted": Warned, "same-name": Passed},
	},
	{name: "no secrets", scenario: "secrets-forbidden", want: map[string]CheckState{"secrets": Failed}, blocks: []string{"secrets"}},
	{name: "short secrets", scenario: "secret-lifetime", want: map[string]CheckState{"secrets": Passed, "secret-life": Warned}},
	{name: "permissions that were retired", scenario: "retired-permission", answers: stock, want: map[string]CheckState{"permissions": Warned}},
	{
		name: "too many permissions", scenario: "happy", answers: func(a *state.Answers) {
			stock(a)
			for _, p := range catalog.Permissions() {
				if p.Tier == catalog.Optional {
					a.Permissions.Add = append(a.Permissions.Add, Entry{p.Resource, p.Name, p.Kind}.String())
				}
			}
		},
		want: map[string]CheckState{"length": Failed}, blocks: []string{"length"},
	},
	{name: "the connector beside", scenario: "connector-ready", want: map[string]CheckState{"connector": Warned}},
	{name: "the connector chosen", scenario: "connector-ready", answers: connector, want: map[string]CheckState{"connector": Passed, "permissions": Passed}},
	{name: "apps of before", scenario: "legacy-apps", want: map[string]CheckState{"legacy": Warned}},
	{
		name: "a service that fails", scenario: "happy",
		faults: []sandbox.Fault{{Match: sandbox.Match{Inner: true, Path: `/oauth2PermissionGrants|/subscribedSkus|/policies/authorizationPolicy`}, Do: "500"}},
		want:   map[string]CheckState{"footprint": Unknown, "premium": Unknown, "exchange": Unknown, "members": Unknown, "roles": Passed},
	},
	{name: "a clock that is wrong", scenario: "clock-skew", want: map[string]CheckState{"clock": Warned}},
	{
		name: "signing in with a code blocked meanwhile", scenario: "happy",
		faults: []sandbox.Fault{{Match: sandbox.Match{Path: "/conditionalAccess/policies"}, Do: "device-code-blocked"}},
		want:   map[string]CheckState{"device-code": Warned, "access": Passed, "subscription": Unknown, "indirect": Unknown},
	},
	{name: "small pages", scenario: "small-pages", want: map[string]CheckState{"roles": Passed, "agents": Passed, "apis": Passed}},
}

// Every check is shown passing and not passing.
func TestChecksInTheirScenarios(t *testing.T) {
	t.Parallel()
	passed, other := map[string]bool{}, map[string]bool{}
	seen := map[string]bool{}
	for _, v := range visits {
		t.Run(v.name, func(t *testing.T) {
			v.in(t, func(t *testing.T) {
				here := map[string]bool{}
				for _, c := range v.checks(t) {
					seen[c.ID], here[c.ID] = true, true
					want, told := v.want[c.ID]
					stops := slices.Contains(v.blocks, c.ID)
					if told && c.State != want {
						t.Errorf("%s: got %s, want %s: %s", c.ID, c.State, want, c.Evidence)
					}
					if blocks := c.Blocks && c.State == Failed; blocks != stops {
						t.Errorf("%s: blocks %v, want %v: %s", c.ID, blocks, stops, c.Evidence)
					}
					if c.Evidence == "" || c.Title == "" || (c.State == Passed) != (c.Fix == "") {
						t.Errorf("%s is incomplete: %+v", c.ID, c)
					}
					if told {
						passed[c.ID] = passed[c.ID] || want == Passed
						other[c.ID] = other[c.ID] || want != Passed
					}
				}
				for id := range v.want {
					if !here[id] {
						t.Errorf("there is no check %s here", id)
					}
				}
			})
		})
	}
	if len(seen) < 20 {
		t.Errorf("got %d checks, want at least 20", len(seen))
	}
	for id := range seen {
		if !passed[id] {
			t.Errorf("%s is in no scenario where it passes", id)
		}
		if !other[id] {
			t.Errorf("%s is in no scenario where it does not pass", id)
		}
	}
}

// in runs a test in a bubble of fake time, where there is no real connection.
func (v visit) in(t *testing.T, test func(*testing.T)) {
	if v.browser {
		test(t)
		return
	}
	synctest.Test(t, test)
}

// checks looks at the tenant of a visit.
func (v visit) checks(t *testing.T) []Check {
	t.Helper()
	c, err := sandbox.New(sandbox.Options{Scenario: v.scenario, Approve: sandbox.ApproveNow})
	if err != nil {
		t.Fatal(err)
	}
	a := everything("recommended")
	if v.answers != nil {
		v.answers(&a)
	}
	if v.before != nil {
		v.before(t, c, &a)
	}
	s := v.signIn(t, c, a)
	if v.after != nil {
		v.after(&a)
	}
	c.SetFaults(v.faults)
	f, err := s.Inspect(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Preflight(a, f, PlanOptions{})
}

// signIn signs the person of a visit in.
func (v visit) signIn(t *testing.T, c *sandbox.Cloud, a state.Answers) *Setup {
	t.Helper()
	c.SignInAs(v.as)
	cloud := catalog.Clouds()[0]
	if v.cloud != "" {
		cloud, _ = catalog.CloudByID(v.cloud)
	}
	transport := c.Transport()
	if v.wrap != nil {
		transport = v.wrap(transport)
	}
	o := msclient.Options{Cloud: cloud, Transport: transport, Method: msclient.ByDevice}
	if v.skip {
		o.Unattended = "there is no terminal"
	}
	if v.browser {
		o.Method = msclient.ByBrowser
	}
	if v.app {
		id, secret := c.AppCredentials()
		o.App = &msclient.App{TenantID: c.Tenant().ID, ClientID: id, Secret: msclient.NewSecret(secret)}
	}
	client, err := msclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Client: client, StateDir: t.TempDir(), World: c.Tenant().World, Settle: time.Minute})
	t.Cleanup(func() { _ = s.Close() })
	s.Prompts(func(p Prompt) {
		if v.prompted != nil {
			v.prompted(s, p)
		}
		if p.URL == "" {
			return
		}
		go func() {
			if err := c.Browse(context.Background(), p.URL); err != nil {
				t.Errorf("the browser shows: %v", err)
			}
		}()
	}, false)
	if _, err := s.SignIn(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return s
}

// act has somebody send one request to Graph, as a person in the portal would.
func act(t *testing.T, c *sandbox.Cloud, who, method, path string, body any) []byte {
	t.Helper()
	s := visit{as: who}.signIn(t, c, everything("minimum"))
	defer s.Close()
	res, err := s.graph.Do(t.Context(), msclient.Request{Method: method, Path: path, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return res.Body
}

// found reads the first object of a list.
func found(t *testing.T, c *sandbox.Cloud, who, path string) (first struct{ ID, AppID string }) {
	t.Helper()
	var page msclient.Page[struct{ ID, AppID string }]
	if err := json.Unmarshal(act(t, c, who, http.MethodGet, path, nil), &page); err != nil || len(page.Value) == 0 {
		t.Fatalf("%s: %v, %d found", path, err, len(page.Value))
	}
	return page.Value[0]
}

// adopting names the app of the scenario.
func adopting(t *testing.T, c *sandbox.Cloud, a *state.Answers) {
	a.Registration.Name = "Fabrikam automation"
	a.Registration.AppID = found(t, c, "", query(applications, "$filter", "displayName eq 'Fabrikam automation'")).AppID
}

// consentForAll has an administrator consent to what the sign-in asks for on
// behalf of everybody, so that people without a role can sign in here.
func consentForAll(t *testing.T, c *sandbox.Cloud, a *state.Answers) { consentBy(owner, t, c, a) }

func consentBy(admin string, t *testing.T, c *sandbox.Cloud, a *state.Answers) {
	graph := found(t, c, admin, query(principals, "$filter", "appId eq "+quote(catalog.GraphAppID)))
	client := found(t, c, admin, query(principals, "$filter", "appId eq "+quote(catalog.GraphCommandLineTools)))
	act(t, c, admin, http.MethodPost, grants, map[string]string{
		"clientId": client.ID, "consentType": "AllPrincipals", "resourceId": graph.ID, "scope": strings.Join(Scopes(*a, false), " "),
	})
}

// The fullest choice costs at most eight requests from the sign-in to the checks;
// tokens are not counted, and a batch is one.
func TestPreflightIsCheap(t *testing.T) {
	for _, v := range []visit{
		{name: "nothing there yet", scenario: "happy"},
		{name: "an app to take over", scenario: "adopt", before: adopting},
		{name: "roles missing, policies in the way", scenario: "eligible-role"},
		{name: "no secrets", scenario: "secrets-forbidden"},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := sandbox.New(sandbox.Options{Scenario: v.scenario, Approve: sandbox.ApproveNow})
				if err != nil {
					t.Fatal(err)
				}
				a := everything("stock")
				if v.before != nil {
					v.before(t, c, &a)
				}
				s := v.signIn(t, c, a)
				before := len(c.Requests())
				f, err := s.Inspect(t.Context(), a, nil)
				if err != nil {
					t.Fatal(err)
				}
				checks := Preflight(a, f, PlanOptions{})
				var asked []string
				for _, r := range c.Requests()[before:] {
					if !strings.Contains(r.URL, "/oauth2/") && !strings.Contains(r.URL, "/.well-known/") && !strings.Contains(r.URL, "/discovery/") {
						asked = append(asked, fmt.Sprintf("%s %s (%d)", r.Method, r.URL, len(r.Inner)))
					}
				}
				t.Logf("%d checks, %d requests:\n%s", len(checks), len(asked), strings.Join(asked, "\n"))
				if len(asked) > 8 {
					t.Errorf("got %d requests, want at most 8", len(asked))
				}
				if len(checks) < 20 {
					t.Errorf("got %d checks, want at least 20", len(checks))
				}
			})
		})
	}
}
