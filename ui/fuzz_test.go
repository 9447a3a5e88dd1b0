package ui

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// nasty is what a tenant's administrator may have put into a name.
var nasty = []string{
	"\x1b[2J\x1b]0;owned\x07Contoso\x1b[31m",
	"\u202egnimmargorp\u202c \u200f\u2066left\u2069",
	strings.Repeat("Fabrikam ", 34),
	strings.Repeat("統合アプリ", 60),
	"Z\u0351\u036b\u0343\u0360\u0341\u0342\u0351\u0343a\u0300\u0301\u0302\u0303\u0304lgo",
	"line one\nline two\r\ttab\x00nul\x7fdel\x9bcsi",
	"e\u200bm\u2060p\ufefft\u00ady",
	"\U0001F468\u200d\U0001F469\u200d\U0001F467 family \U0001F3F3\ufe0f\u200d\U0001F308",
	"\xff\xfe broken \xc3\x28",
	"",
	"\x1b_cursor\x1b\\" + cursorMark,
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// TestFrameFuzz presses random keys at random sizes in a tenant full of nasty
// names. The story checks every frame: nothing wider or taller than the terminal,
// nothing in it that acts.
func TestFrameFuzz(t *testing.T) {
	keys := []string{
		"enter", "enter", "esc", "space", "space", "tab", "shift+tab", "up", "down", "down", "left", "right", "pgup", "pgdown", "home", "end",
		"backspace", "ctrl+u", "?", "/", "a", "A", "b", "c", "d", "e", "e", "m", "m", "n", "o", "p", "r", "s", "u", "v", "x", "y", "q", "G", "*", "f", "i", "R", "P", "w", "é", "統",
	}
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			tell(t, func(f *fake, c *Config) {
				spoil(r, f)
				if r.IntN(3) == 0 {
					everything(&c.Answers)
				}
				c.NoColor = r.IntN(2) == 0
				c.Rehearse = func(context.Context) (Config, error) {
					return Config{Setup: f, Answers: c.Answers, Sandbox: pick(r, nasty), DevicePage: pick(r, nasty)}, nil
				}
			}, func(s *story) {
				start := []func(){
					func() { s.keys("down", "down", "enter") }, func() { s.keys("down", "down", "enter") },
					func() { s.keys("down", "down", "down", "enter") }, func() { s.keys("down", "down", "down", "enter") },
					func() {}, s.toIntegrations, s.toRegistration, s.toPermissions,
					func() { s.keys("down", "enter") }, func() { s.keys("down", "enter") }, // nobody knows where it leads here
				}
				start[r.IntN(len(start))]()
				for range 150 {
					switch r.IntN(12) {
					case 0:
						s.size(r.IntN(160)+1, r.IntN(50)+1)
					case 1:
						s.size(60+r.IntN(80), 20+r.IntN(30))
					case 2:
						s.send(tea.PasteMsg{Content: pick(r, nasty)})
					case 3:
						s.send(tea.BackgroundColorMsg{})
					case 4:
						s.pass(time.Duration(r.IntN(3)) * time.Second)
					case 5:
						s.answer(r)
					default:
						s.keys(pick(r, keys))
					}
					if s.ended {
						return
					}
				}
			})
		})
	}
}

// answer has the sign-in under way come to something, if there is one.
func (s *story) answer(r *rand.Rand) {
	if s.app.w.panel == nil || !s.app.w.panel.waiting() {
		return
	}
	done := s.f.signIn
	if s.app.w.panel.call.kind != callSignIn {
		done = s.f.moreDone
	}
	select {
	case done <- pick(r, []error{nil, nil, errors.New(pick(r, nasty)), &steps.Problem{What: pick(r, nasty), Raw: "AADSTS53003: " + pick(r, nasty)}}):
	case s.f.renew <- struct{}{}:
	default:
	}
	s.settle()
}

// spoilTenant gives the stage about the tenant nasty names, in any state.
func spoilTenant(r *rand.Rand, f *fake) {
	if r.IntN(2) == 0 {
		withPolicies(f)
		for i := range f.ready.Policies {
			f.ready.Policies[i].Name = pick(r, nasty)
		}
	}
	if r.IntN(2) == 0 {
		noVault(f)
		f.findings.Subscriptions[0].Name, f.ready.Azure.Name = pick(r, nasty), pick(r, nasty)
	}
	if r.IntN(4) == 0 {
		f.ready.Azure = steps.AzureFound{}
	}
	switch r.IntN(6) {
	case 0:
		lastAdmin(f)
	case 1:
		f.ready.User = theAccount()
		f.ready.User.Enabled = false
	case 2:
		f.ready.User = nil
		f.ready.Deleted = []steps.User{*theAccount()}
	case 3:
		f.ready.User = theAccount()
		f.ready.User.Guest = true
	case 4:
		f.ready.Domains = nil
	}
	if u := f.ready.User; u != nil && r.IntN(2) == 0 {
		u.Name, u.Methods = pick(r, nasty), []string{pick(r, nasty)}
	}
	f.outcome = tenantResult()
	t := f.outcome.Tenant
	t.Account, t.MFA, t.Exchange = pick(r, nasty), pick(r, nasty), pick(r, nasty)
	t.Roles, t.Policies, t.Azure, t.Left = []string{pick(r, nasty)}, []string{pick(r, nasty), pick(r, nasty)}, []string{pick(r, nasty)}, []string{pick(r, nasty)}
}

// spoilCustomers gives the stage about customers nasty names, in any state.
// spoilClients gives customers' tenants nasty names and reasons, in any state.
func spoilClients(r *rand.Rand, f *fake) {
	f.clients.rows = clientRows(pick(r, []int{0, 1, 6, 300}))
	for i := range f.clients.rows {
		c := &f.clients.rows[i]
		c.Name, c.Domain, c.Relationship = pick(r, nasty), pick(r, nasty), pick(r, nasty)
		if r.IntN(3) == 0 {
			c.Shield = steps.Shield{Shade: steps.Shade(r.IntN(5)), Reason: pick(r, nasty), Fix: pick(r, nasty), At: epoch, Checks: []steps.ShieldPart{{Proof: steps.ProofToken, Evidence: pick(r, nasty), RequestID: pick(r, nasty)}}}
		}
		if r.IntN(4) == 0 {
			s := noWayIn()
			s.Reason, s.Fix = pick(r, nasty), pick(r, nasty)
			f.clients.shut = map[string]steps.Shield{c.TenantID: s}
		}
		if r.IntN(4) == 0 {
			f.clients.refuse = map[string]*steps.Problem{c.TenantID: {What: pick(r, nasty), Cause: pick(r, nasty), Do: pick(r, nasty)}}
		}
	}
	for range r.IntN(20) {
		f.clients.keeps.Typed = append(f.clients.keeps.Typed, state.Organization{Name: pick(r, nasty)})
	}
	f.clients.policies = r.IntN(4) == 0
	if r.IntN(6) == 0 {
		f.clients.openErr, f.clients.keepErr = errors.New(pick(r, nasty)), errors.New(pick(r, nasty))
	}
}

func spoilCustomers(r *rand.Rand, f *fake) {
	spoilClients(r, f)
	d := f.delegation
	if r.IntN(3) == 0 {
		manyCustomers(200)(f)
		d = f.delegation
	}
	for i := range d.Customers {
		d.Customers[i].Name, d.Customers[i].Domain = pick(r, nasty), pick(r, nasty)
	}
	for i := range d.Relationships {
		d.Relationships[i].Name, d.Relationships[i].Status = pick(r, nasty), pick(r, []string{d.Relationships[i].Status, pick(r, nasty)})
	}
	if r.IntN(4) == 0 {
		d.Account, d.UPN = "", pick(r, nasty)
	}
	if r.IntN(5) == 0 {
		d.Customers = nil
	}
	list := fakeInvitations(r.IntN(12))
	for i := range list {
		list[i].Customer.Name, list[i].Name, list[i].Status, list[i].Link = pick(r, nasty), pick(r, nasty), pick(r, nasty), pick(r, append(nasty, list[i].Link))
	}
	if r.IntN(2) == 0 {
		f.step = nil
		f.events = []steps.Event{{Kind: steps.EventInvitations, Invitations: list}, {Kind: steps.EventNote, Text: pick(r, nasty), Failed: failedCustomer(r)}}
		if len(list) > 0 {
			f.events = append(f.events, steps.Event{Kind: steps.EventInvitations, Invitations: list[1:]})
		}
		f.holds = len(list) > 1
	}
	f.exportErr = pick(r, []error{nil, nil, errors.New(pick(r, nasty))})
}

// failedCustomer is one with whom it did not work; now and then nobody.
func failedCustomer(r *rand.Rand) *steps.CustomerFailure {
	if r.IntN(2) == 0 {
		return nil
	}
	return &steps.CustomerFailure{
		Customer: steps.Customer{TenantID: customerID(r.IntN(3)), Name: pick(r, nasty)},
		Problem:  &steps.Problem{What: pick(r, nasty), Cause: pick(r, nasty), Do: pick(r, nasty)},
	}
}

// spoil gives a tenant nasty names, and now and then a failure.
func spoil(r *rand.Rand, f *fake) {
	f.findings.Org.Name, f.findings.Org.DefaultDomain = pick(r, nasty), pick(r, nasty)
	f.findings.Account.Username = pick(r, nasty)
	f.code.UserCode = pick(r, []string{"FJC3T9Q2W", "WMWMWMWMW", pick(r, nasty)})
	f.code.URL = pick(r, append([]string{f.code.URL}, nasty...))
	f.page = pick(r, append([]string{f.page, "https://login.example/" + pick(r, nasty)}, nasty...))
	f.why, f.app, f.account.Username = pick(r, append(nasty, f.why)), pick(r, append(nasty, f.app)), pick(r, append(nasty, f.account.Username))
	f.method = pick(r, f.methods)
	if r.IntN(3) == 0 {
		f.signIn = make(chan error)
	}
	if r.IntN(2) == 0 {
		f.inspectAsks = &steps.Prompt{Why: f.why, App: f.app, Skip: r.IntN(2) == 0}
	}
	if r.IntN(2) == 0 {
		f.applyAsks = &steps.Prompt{Why: f.why, App: f.app}
	}
	for range r.IntN(4) {
		f.findings.SameName = append(f.findings.SameName, steps.AppSummary{Name: pick(r, nasty), AppID: pick(r, nasty)})
	}
	if r.IntN(3) == 0 {
		f.findings.RoleIDs = nil
	}
	for range r.IntN(3) {
		u := steps.Unfinished{Name: pick(r, nasty), Left: pick(r, nasty), Stage: pick(r, []steps.Stage{"", steps.StageTenant, steps.StageGDAP})}
		if u.Stage == steps.StageGDAP && r.IntN(2) == 0 {
			u.Awaited = []string{relationID(4), pick(r, nasty)}
		}
		f.open = append(f.open, u)
	}
	f.resumed.Tenant = pick(r, nasty)
	spoilTenant(r, f)
	spoilCustomers(r, f)
	if r.IntN(2) == 0 {
		f.outcome.Delegation = &steps.DelegationResult{Customers: 3, Invitations: fakeInvitations(2)}
		if failed := failedCustomer(r); failed != nil {
			f.outcome.Delegation.Failed = append(f.outcome.Delegation.Failed, *failed)
		}
		f.outcome.Delegation.Invitations[0].Customer.Name, f.outcome.Delegation.Invitations[1].Link = pick(r, nasty), pick(r, nasty)
	}
	f.result = fakeResult()
	f.result.AppName, f.result.Org.Name, f.result.PortalURL = pick(r, nasty), pick(r, nasty), pick(r, nasty)
	f.result.Integrations[0].Name, f.result.Integrations[0].Missing = pick(r, nasty), []string{pick(r, nasty), pick(r, nasty)}
	f.result.Values[0].Value, f.result.SecretNote = pick(r, nasty), pick(r, nasty)
	f.result.Notes = []steps.Note{{Text: pick(r, nasty), Reason: pick(r, nasty)}}
	bad := []error{nil, nil, errors.New(pick(r, nasty)), &steps.Problem{What: pick(r, nasty), Do: pick(r, nasty), Raw: pick(r, nasty), RequestID: pick(r, nasty)}}
	f.applyErr, f.saveErr, f.signInErr = pick(r, bad), pick(r, bad), pick(r, bad)
}
