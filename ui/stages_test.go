package ui

import (
	"strings"
	"testing"

	"msbundle/state"
	"msbundle/steps"
)

// A part that is left out and taken in again is as it was; one that was not wanted
// does not come along with another.
func TestPartsComeBackAsTheyWere(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toAccount()
		s.focus(readyAccess)
		s.keys("right") // left out
		s.focus(readyAccount)
		s.keys("right", "right")
		if a := s.app.w.answers; a.ServiceAccount == nil || a.ConditionalAccess != nil {
			t.Errorf("Conditional Access was left out, and is %+v", a.ConditionalAccess)
		}
	})
	tell(t, nil, func(s *story) {
		s.toAccount()
		s.focus(readyPolicy)
		s.keys("right") // report-only
		s.focus(readyAccess)
		s.keys("right")
		s.focus(readyRoles)
		s.keys("right")
		s.focus(readyAccess)
		s.keys("right")
		if a := s.app.w.answers; a.ConditionalAccess == nil || a.ConditionalAccess.Policy != state.PolicyReportOnly {
			t.Errorf("Conditional Access comes back as %+v", a.ConditionalAccess)
		}
	})
	tell(t, func(f *fake, _ *Config) { noVault(f) }, func(s *story) {
		s.toAccount()
		s.keys("right") // no account
		s.focus(readyAzure)
		s.keys("right")
		s.press(s.app.screen.(*account).keys.Read)
		s.focus(readyLocation)
		s.clear()
		s.types("uksouth")
		s.focus(readyAzure)
		s.keys("right", "right")
		if a := s.app.w.answers; a.Azure == nil || a.Azure.Location != "uksouth" || a.Azure.Role != state.AzureRoleLeave {
			t.Errorf("Azure comes back as %+v", a.Azure)
		}
	})
}

// What is about an owned app waits while the connector is chosen: those answers
// can be saved, and the section is there again with an owned app.
func TestConnectorKeepsExchangeOut(t *testing.T) {
	tell(t, func(_ *fake, c *Config) {
		exchange := state.DefaultExchange()
		c.Answers.Exchange = &exchange
	}, func(s *story) {
		s.toRegistration()
		s.keys("right")
		if s.app.w.answers.Registration.Kind != state.KindConnector {
			t.Fatal("the connector was not chosen")
		}
		s.keys("enter")
		s.on(pagePermissions)
		if last := s.f.saved[len(s.f.saved)-1]; last.Registration.Kind != state.KindConnector || last.Exchange != nil {
			t.Errorf("saved: kind %s, Exchange %+v", last.Registration.Kind, last.Exchange)
		}
		s.keys("esc", "left", "enter")
		if last := s.f.saved[len(s.f.saved)-1]; last.Registration.Kind != state.KindOwned || last.Exchange == nil {
			t.Errorf("saved: kind %s, Exchange %+v", last.Registration.Kind, last.Exchange)
		}
	})
}

// A sign-in that ends when it was already left is of another account than the plan
// and the questions on screen were made for.
func TestLateSignInPlansNothingOfBefore(t *testing.T) {
	late := func(s *story) signedInMsg {
		other := fakeAccount()
		other.Username, other.ObjectID = "megan@contoso.onmicrosoft.com", "aaaaaaaa-0000-0000-0000-000000000002"
		return signedInMsg{run: run(s.app.w.run - 1), account: other}
	}
	tell(t, func(f *fake, _ *Config) { noVault(f) }, func(s *story) {
		s.toAccount()
		s.focus(readyAzure)
		s.keys("right", "enter")
		s.focus(readySubscription)
		s.send(late(s))
		s.settle()
		s.on(pageAccount)
		s.text() // draws what there is now
		if n := len(s.f.tenantReads); n != 3 {
			t.Errorf("read %d times, want once more for whoever is signed in", n)
		}
	})
	for name, to := range map[string]func(*story){
		pageAccount:   func(s *story) { s.toAccount(); s.keys("enter") },
		pagePreflight: (*story).toPlan,
	} {
		tell(t, nil, func(s *story) {
			to(s)
			s.on(pagePlan)
			s.send(late(s))
			s.settle()
			s.on(name)
			s.keys("enter", "A")
			s.on(pageResult)
		})
	}
}

// The command that runs it again does what was done here and no more.
func TestRunAgainIsWhatWasDone(t *testing.T) {
	const command = "Run it again"
	tell(t, nil, func(s *story) {
		s.toAccount()
		s.keys("enter", "A")
		s.on(pageResult)
		s.keys("r", "q")
		if text := s.app.Summary(); !strings.Contains(text, command) || !strings.Contains(text, "--password-out") || !s.f.saved[len(s.f.saved)-1].NoApp {
			t.Errorf("no app was asked for, and the file makes none:\n%s", text)
		}
	})
	tell(t, nil, func(s *story) {
		s.toApply()
		s.keys("r", "n")
		s.on(pageAccount)
		s.focus(readyRoles)
		s.keys("right", "ctrl+c")
		if text := s.app.Summary(); strings.Contains(text, command) {
			t.Errorf("no service account was made:\n%s", text)
		}
	})
	tell(t, nil, func(s *story) {
		s.toApply()
		s.keys("r", "n", "enter", "A", "r", "q")
		if text := s.app.Summary(); !strings.Contains(text, command) || !strings.Contains(text, "--password-out") {
			t.Errorf("both were done:\n%s", text)
		}
	})
}

// What was interrupted in the stage about the tenant goes on there.
func TestResumeTheTenant(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.open = []steps.Unfinished{{TenantID: tenantID, Name: "Contoso", When: epoch, Left: "3 writes done, not proven yet", Stage: steps.StageTenant}}
		f.resumed = state.DefaultAnswers()
		account := state.DefaultServiceAccount()
		f.resumed.ServiceAccount = &account
		f.resumed.ServiceAccount.Username = "automation"
	}, func(s *story) {
		s.keys("enter")
		s.on(pageAccount)
		s.sees("automation")
		if a := s.f.tenantReads[0]; a.ServiceAccount == nil || a.ServiceAccount.Username != "automation" || a.ConditionalAccess != nil {
			t.Errorf("read for %+v", a)
		}
	})
}

// What the screen shows of a text is what counts.
func TestInsistIsForgottenOnScreenToo(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { lastAdmin(f) }, func(s *story) {
		s.toAccount()
		s.focus(readyRoles)
		s.keys("right")
		s.focus(readyInsist)
		s.types("Contoso")
		s.focus(readyUser)
		s.types("2")
		s.keys("backspace")
		s.focus(readyInsist)
		page := s.app.screen.(*account)
		if shown := page.field(page.focus).Value(); shown != s.app.w.insist {
			t.Errorf("shown %q, counted %q", shown, s.app.w.insist)
		}
	})
}

// The tenant's name that was typed for one danger does not serve for another.
func TestInsistIsForOneDanger(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { lastAdmin(f) }, func(s *story) {
		s.toAccount()
		s.focus(readyRoles)
		s.keys("right")
		s.focus(readyInsist)
		s.types("Contoso")
		s.focus(readyRoles)
		s.keys("r")
		if s.app.w.insist != "Contoso" {
			t.Fatal("nothing has changed, and the name was forgotten")
		}
		signedIn := fakeAccount()
		s.f.ready.User.ID = signedIn.ObjectID
		s.f.ready.Admins = append(s.f.ready.Admins, steps.RoleGiven{ID: "g3", RoleID: s.f.ready.Admins[0].RoleID, Scope: "/", PrincipalID: "somebody", User: true})
		s.keys("r")
		if s.app.w.insist != "" {
			t.Error("the name still serves, for another danger")
		}
		s.sees("It is the account that is signed in here")
	})
}
