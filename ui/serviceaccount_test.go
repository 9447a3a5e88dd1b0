package ui

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// toAccount opens the stage about the tenant from the first screen.
func (s *story) toAccount() {
	s.keys("home", "down", "enter")
	s.on(pageAccount)
}

// focus moves to a question.
func (s *story) focus(i formItem) {
	s.t.Helper()
	page := s.app.screen.(*account)
	for range page.items {
		if page.focus.item == i {
			return
		}
		s.keys("tab")
	}
	s.t.Fatalf("there is no question %q:\n%s", page.label(i), s.text())
}

// toChange puts the cursor of the plan on the first change of a kind.
func (s *story) toChange(k steps.Kind, a steps.Action) {
	s.t.Helper()
	p := s.app.screen.(*plan)
	at := slices.IndexFunc(p.lines, func(l planLine) bool { return l.change != nil && l.change.Kind == k && l.change.Action == a })
	if at < 0 {
		s.t.Fatalf("the plan has no such change:\n%s", s.text())
	}
	p.list.Select(at)
	p.settle()
}

func TestTenantFromStart(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toAccount()
		s.sees("rewst@contoso.onmicrosoft.com is not there yet", "1 of 4")
		if len(s.f.saved) > 0 && s.f.saved[len(s.f.saved)-1].Ready() {
			t.Error("what was only proposed was saved")
		}
		s.press(s.app.screen.(*account).keys.Next)
		s.on(pagePlan)
		s.sees("Service account › Plan", "Create account rewst@contoso.onmicrosoft.com")
		s.misses("app registration")
		s.keys("end")
		s.sees("The password is shown on the last screen, once.")
		s.keys("A")
		s.on(pageResult)
		s.sees("Ready. 3 writes", "Left for you", "register a method", "MFA demanded by the policy")
		s.misses(fakePassword)
		s.press(s.app.screen.(*result).keys.Reveal)
		s.sees(fakePassword)
		if s.f.passwords != 1 || s.f.delivered != 0 {
			t.Errorf("noted %d passwords and %d secrets as taken, want 1 and 0", s.f.passwords, s.f.delivered)
		}
		s.keys("r")
		s.misses(fakePassword)
		s.keys("q")
		if !s.ended || s.app.Outcome() != Done {
			t.Errorf("ended %v with outcome %d, want Done", s.ended, s.app.Outcome())
		}
		if text := s.app.Summary(); !strings.Contains(text, "Ready: the tenant Contoso (3 writes).") || strings.Contains(text, fakePassword) {
			t.Errorf("summary:\n%s", text)
		}
		last := s.f.saved[len(s.f.saved)-1]
		if last.ServiceAccount == nil || last.ConditionalAccess == nil || last.Azure != nil || last.Exchange != nil {
			t.Errorf("saved: %+v", last)
		}
		if s.f.codes != 1 || len(s.f.tenantReads) != 1 {
			t.Errorf("%d sign-ins and %d reads, want one of each", s.f.codes, len(s.f.tenantReads))
		}
	})
}

// Authorising asks for nothing that only the tenant's stage takes, and keeps the
// answers about that.
func TestAuthorizeLeavesTenantOut(t *testing.T) {
	tell(t, func(_ *fake, c *Config) {
		account, azure := state.DefaultServiceAccount(), state.DefaultAzure()
		c.Answers.ServiceAccount, c.Answers.Azure = &account, &azure
	}, func(s *story) {
		s.toApply()
		s.on(pageResult)
		if s.f.signedFor[0].Ready() || s.f.inspected[0].Ready() || s.f.applied[0].Answers.Ready() {
			t.Error("a section about the tenant reached the engine while authorising")
		}
		if last := s.f.saved[len(s.f.saved)-1]; last.ServiceAccount == nil || last.Azure == nil {
			t.Errorf("saved: %+v", last)
		}
		s.keys("r", "n")
		s.on(pageAccount)
		if got := s.f.tenantReads[0]; got.ServiceAccount == nil || got.Azure == nil || got.ConditionalAccess != nil {
			t.Errorf("read for %+v", got)
		}
		s.keys("enter")
		s.on(pagePlan)
		if p := s.app.w.plan; p.Answers.ServiceAccount == nil || slices.ContainsFunc(p.Changes, func(c steps.Change) bool { return c.Kind == steps.KindApplication }) {
			t.Errorf("the plan of the stage has %d changes, and answers %+v", len(p.Changes), p.Answers)
		}
	})
}

// From one stage to the next and back, until something was written.
func TestTenantAfterAuthorize(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toApply()
		s.keys("n")
		s.sees("Leave without the client secret?")
		s.keys("n")
		s.on(pageResult)
		s.keys("n", "y")
		s.on(pageAccount)
		if s.f.codes != 1 {
			t.Errorf("%d sign-ins, want one", s.f.codes)
		}
		s.keys("esc")
		s.on(pageResult)
		s.sees("Authorised.")
		s.keys("r")
		s.sees(fakeSafe)
		s.keys("n")
		s.on(pageAccount)
		s.keys("esc")
		s.misses(fakeSafe) // shown once
		s.keys("n", "enter", "esc")
		s.on(pageAccount)
		s.keys("enter", "A")
		s.on(pageResult)
		s.sees("Ready.")
		s.keys("esc")
		s.sees("Ready.")
		s.keys("q")
		s.sees("Leave without the password?", "the next run makes a new one")
		s.keys("y")
		if s.app.Outcome() != Done {
			t.Errorf("outcome %d, want Done", s.app.Outcome())
		}
		text := s.app.Summary()
		for _, want := range []string{"Authorised: Rewst Integration in Contoso", "Ready: the tenant Contoso", "The service account's password was neither shown nor copied."} {
			if !strings.Contains(text, want) {
				t.Errorf("not in the summary: %q\n%s", want, text)
			}
		}
	})
	tell(t, nil, func(s *story) { // who went on without the secret is not asked again
		s.toApply()
		s.keys("n", "y", "enter", "A", "r", "q")
		if text := s.app.Summary(); !s.ended || !strings.Contains(text, "The client secret was neither shown nor copied.") {
			t.Errorf("ended %v:\n%s", s.ended, text)
		}
	})
	tell(t, func(f *fake, _ *Config) { f.findings.Org.Name = "Contoso" }, func(s *story) { // somebody else signs in: nothing read before counts, and another tenant has no result
		s.toApply()
		s.keys("r", "n")
		s.f.account.TenantID = "66666666-0000-0000-0000-000000000001"
		s.keys("s")
		s.on(pageAccount)
		if n := len(s.f.tenantReads); n != 2 {
			t.Errorf("read %d times, want 2", n)
		}
		s.keys("esc")
		s.on(pageStart)
	})
	tell(t, nil, func(s *story) { // the second stage was only looked at
		s.toApply()
		s.keys("r", "n", "ctrl+c")
		if text := s.app.Summary(); s.app.Outcome() != Done || !strings.Contains(text, "Authorised:") || strings.Contains(text, "Nothing was changed") {
			t.Errorf("outcome %d:\n%s", s.app.Outcome(), text)
		}
	})
	tell(t, func(f *fake, _ *Config) { f.outcome = tenantResult(); f.outcome.Proof.Reads = 0 }, func(s *story) { // the graver outcome counts
		s.toApply()
		s.keys("r", "n", "enter", "A", "r")
		s.sees("Not everything is ready.")
		s.keys("a")
		s.on(pageAccount)
		s.keys("enter", "A", "r", "q")
		if s.app.Outcome() != Partial {
			t.Errorf("outcome %d, want Partial", s.app.Outcome())
		}
	})
}

// A finished stage can be opened again, and shows what is there now.
func TestTenantAgain(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toAccount()
		s.keys("enter", "A", "r", "s")
		s.on(pageStart)
		s.f.ready.User = theAccount()
		s.f.ready.User.Roles = []steps.RoleGiven{{ID: "g2", RoleID: catalog.RoleGlobalAdministrator, Scope: "/"}}
		s.keys("down", "enter")
		s.on(pageAccount)
		s.sees("rewst@contoso.onmicrosoft.com is there")
		if len(s.f.tenantReads) != 2 || s.f.codes != 1 {
			t.Errorf("%d reads and %d sign-ins, want 2 and 1", len(s.f.tenantReads), s.f.codes)
		}
		s.keys("ctrl+c")
		if s.app.Outcome() != Done { // of the time before
			t.Errorf("outcome %d, want Done", s.app.Outcome())
		}
	})
}

// The answers of the tenant are taken up when nothing was answered here.
func TestTenantTakesKeptAnswers(t *testing.T) {
	kept := state.DefaultAnswers()
	kept.Registration.Name = "Fabrikam automation"
	account := state.DefaultServiceAccount()
	account.Username = "automation"
	kept.ServiceAccount = &account
	tell(t, func(f *fake, c *Config) { f.kept = &kept; c.Answers.Tenant = "contoso.onmicrosoft.com" }, func(s *story) {
		s.toAccount()
		s.sees("automation@contoso.onmicrosoft.com is not there yet")
		s.keys("enter")
		a := s.f.saved[len(s.f.saved)-1]
		if a.Registration.Name != "Fabrikam automation" || a.ServiceAccount.Username != "automation" || a.Tenant != "contoso.onmicrosoft.com" {
			t.Errorf("saved: %+v", a)
		}
	})
	tell(t, func(f *fake, _ *Config) { f.kept = &kept }, func(s *story) { // not over what was answered
		s.toRegistration()
		s.keys("tab", "tab")
		s.types(" 2")
		s.keys("esc", "esc")
		s.toAccount()
		if got := s.app.w.answers.Registration.Name; got != "Rewst Integration 2" {
			t.Errorf("the app is called %q", got)
		}
	})
}

// Each way an account can be there has its own answer.
func TestTenantAccountFound(t *testing.T) {
	disabled, guest, synced := theAccount(), theAccount(), theAccount()
	disabled.Enabled, guest.Guest, synced.Synced = false, true, true
	for _, tt := range []struct {
		name    string
		user    *steps.User
		deleted *steps.User
		sees    string
		keys    []string // that mend it
		write   string
	}{
		{"absent", nil, nil, "is not there yet", nil, "Create account rewst@contoso.onmicrosoft.com"},
		{"disabled", disabled, nil, "and disabled", []string{"space"}, "Change account rewst@contoso.onmicrosoft.com: enabled"},
		{"deleted, restored", nil, theAccount(), "was deleted on", []string{"space"}, "restored"},
		{"deleted, replaced", nil, theAccount(), "was deleted on", []string{"tab", "space"}, "Create account rewst@contoso.onmicrosoft.com"},
		{"guest", guest, nil, "is a guest", nil, ""},
		{"synchronised", synced, nil, "is synchronised", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tell(t, func(f *fake, _ *Config) {
				f.ready.User = tt.user
				if tt.deleted != nil {
					f.ready.Deleted = []steps.User{*tt.deleted}
				}
			}, func(s *story) {
				s.toAccount()
				s.sees(tt.sees)
				if tt.keys != nil || tt.write == "" {
					s.keys("enter")
					s.on(pageAccount)
					s.sees("This has to be mended first: Service account.")
				}
				if tt.write == "" {
					s.focus(readyUser)
					s.clear()
					s.types("automation")
					s.keys("enter", "enter")
					s.on(pagePlan)
					return
				}
				s.keys(tt.keys...)
				s.keys("enter")
				s.on(pagePlan)
				s.sees(tt.write)
			})
		})
	}
}

// Global Administrator is not taken from the last who holds it, unless the tenant's
// name is typed, to the letter.
func TestTenantStepDown(t *testing.T) {
	removes := func(s *story) bool {
		return slices.ContainsFunc(s.app.w.plan.Changes, func(c steps.Change) bool {
			return c.Kind == steps.KindRoleGiven && c.Action == steps.Remove
		})
	}
	tell(t, func(f *fake, _ *Config) { lastAdmin(f); f.findings.RoleIDs = append(f.findings.RoleIDs, "x") }, func(s *story) {
		s.toAccount()
		s.focus(readyRoles)
		s.keys("right")
		s.sees("The step-down:")
		s.keys("enter")
		s.on(pageAccount)
		s.sees("This has to be mended first: Taking Global Administrator away.")
		s.types("contoso")
		s.keys("enter")
		s.on(pageAccount)
		s.clear()
		s.types("Contoso")
		s.sees("Global Administrator will be taken away all the same.")
		s.keys("enter")
		s.on(pagePlan)
		if !removes(s) {
			t.Errorf("the plan does not remove it:\n%s", s.text())
		}
	})
	tell(t, func(f *fake, _ *Config) { // somebody else holds it, too
		lastAdmin(f)
		f.ready.Admins = append(f.ready.Admins, fakeReadiness().Admins...)
	}, func(s *story) {
		s.toAccount()
		s.focus(readyRoles)
		s.keys("right", "enter")
		s.on(pagePlan)
		if !removes(s) {
			t.Errorf("the plan does not remove it:\n%s", s.text())
		}
		s.keys("A")
		s.sees("Remove Global Administrator from", "The roles that stay are proven first.")
		s.keys("n")
		s.on(pagePlan)
		s.keys("A", "y")
		s.on(pageResult)
	})
}

// Parts can be left out and taken in again as they were; what takes another look
// at the tenant is read before the plan.
func TestTenantParts(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { noVault(f) }, func(s *story) {
		s.toAccount()
		s.focus(readyAzure)
		s.keys("right")
		s.misses("has no key vault")
		s.press(s.app.screen.(*account).keys.Read)
		s.on(pageAccount)
		s.sees("Production has no key vault yet")
		if n := len(s.f.tenantReads); n != 2 || s.f.tenantReads[1].Azure == nil {
			t.Fatalf("read %d times", n)
		}
		s.focus(readyLocation)
		s.clear()
		s.types("No Region")
		s.keys("enter")
		s.sees("Mend this first: Region.", "is no Azure region")
		s.clear()
		s.types("uksouth")
		s.focus(readyAzureRole)
		s.keys("right")
		s.focus(readyAccount)
		s.keys("right")
		if a := s.app.w.answers; a.ServiceAccount != nil || a.ConditionalAccess != nil || a.Azure.Role != state.AzureRoleLeave || len(a.Validate()) > 0 {
			t.Errorf("without the account: %+v %v", a, a.Validate())
		}
		s.keys("right")
		if a := s.app.w.answers; a.ServiceAccount == nil || a.ConditionalAccess == nil || a.Azure.Role != "Reader" || a.Azure.Location != "uksouth" {
			t.Errorf("with the account again: %+v", a)
		}
		s.keys("enter")
		s.sees("The tenant was read for this. enter goes on to the plan.")
		s.keys("enter")
		s.on(pagePlan)
	})
	tell(t, nil, func(s *story) {
		s.toAccount()
		s.keys("right", "enter")
		s.on(pageAccount)
		s.sees("Every part is left out, so there is nothing to do here.")
		s.focus(readyExchange)
		s.keys("right", "enter")
		if a := s.f.tenantReads[len(s.f.tenantReads)-1]; a.ServiceAccount != nil || a.Exchange == nil || !a.Exchange.Administrator {
			t.Errorf("read for %+v", a)
		}
	})
}

// A choice that needs a permission not asked for yet is read anew before it is
// planned.
func TestTenantWiderPermissions(t *testing.T) {
	tell(t, func(_ *fake, c *Config) {
		account := state.DefaultServiceAccount()
		account.Roles, account.MFA = state.RolesLeave, state.MFALeave
		c.Answers.ServiceAccount = &account
	}, func(s *story) {
		s.toAccount()
		s.focus(readyRoles)
		s.keys("right")
		if !s.app.w.stale() {
			t.Fatal("the permission to give roles was not asked for, and nothing is read anew")
		}
		s.keys("enter", "enter")
		s.on(pagePlan)
		if n := len(s.f.tenantReads); n != 2 || s.f.tenantReads[1].ServiceAccount.Roles != state.RolesSetup {
			t.Errorf("read %d times", n)
		}
	})
}

// A failed reading can be tried again, and left.
func TestTenantCannotBeRead(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.inspect = make(chan error, 2)
		f.inspect <- errors.New("lost")
	}, func(s *story) {
		s.toAccount()
		s.sees("r looks again, s signs in again, esc goes back.")
		s.f.inspect <- nil
		s.keys("r")
		s.sees("is not there yet")
		s.keys("esc")
		s.on(pageStart)
	})
	tell(t, func(f *fake, _ *Config) {
		f.inspectAsks = &steps.Prompt{Why: "Azure Resource Manager", App: "Microsoft Azure CLI", Skip: true}
		f.moreDone = make(chan error)
	}, func(s *story) { // a sign-in on the way
		s.toAccount()
		s.sees("Azure Resource Manager")
		s.f.moreDone <- nil
		s.settle()
		s.sees("is not there yet")
	})
}

// What was agreed to about one account says nothing about another.
func TestTenantOtherAccount(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.ready.User = theAccount(); f.ready.User.Enabled = false }, func(s *story) {
		s.toAccount()
		s.keys("space")
		if !s.app.w.ticked[steps.OfferEnable] {
			t.Fatal("the offer was not taken")
		}
		s.focus(readyUser)
		s.types("2")
		if len(s.app.w.ticked) > 0 {
			t.Errorf("taken for another account: %v", s.app.w.ticked)
		}
	})
	tell(t, func(f *fake, _ *Config) { // nor what somebody else was shown
		f.result = fakeResult()
		f.result.Integrations[0].Authorized = false
	}, func(s *story) {
		s.toApply()
		s.keys("r", "n", "esc", "a", "s")
		s.on(pagePreflight)
		s.keys("enter", "A", "r", "n")
		s.on(pageAccount)
		if n := len(s.f.tenantReads); n != 2 {
			t.Errorf("read %d times, want 2", n)
		}
	})
}
