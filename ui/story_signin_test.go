package ui

import (
	"errors"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/steps"
)

func TestCodeIsRenewed(t *testing.T) {
	tell(t, func(f *fake, c *Config) { f.signIn, c.Accessible = make(chan error), true }, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		s.sees("FJC3T9Q2W", "New code in 15:00")
		s.pass(time.Minute)
		s.sees("New code in 14:00", "FJC3T9Q2W")
		s.jump(14*time.Minute + takeover)
		s.sees("NEW000002", "here is a new one")
		s.press(s.app.screen.(*signin).keys.New)
		s.sees("NEW000003")
		s.f.signIn <- nil
		s.settle()
		s.on(pagePreflight)
	})
}

func TestRenewalEnds(t *testing.T) {
	tell(t, func(f *fake, c *Config) { f.signIn, c.Accessible = make(chan error), true }, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		for range renewals + 1 {
			s.jump(15*time.Minute + takeover)
		}
		s.sees("Nobody signed in, and the last code has expired.")
		if s.f.codes != renewals+1 {
			t.Errorf("got %d codes want %d", s.f.codes, renewals+1)
		}
		s.keys("n")
		s.misses("expired.")
	})
}

func TestExpiryToldByTheService(t *testing.T) {
	tell(t, func(f *fake, c *Config) { f.signIn, c.Accessible = make(chan error), true }, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		s.jump(15*time.Minute - 3*time.Second)
		s.f.signIn <- errors.New("expired_token")
		s.settle()
		s.sees("NEW000002")
	})
}

func TestLateCodeOfAnotherSignIn(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.signIn = make(chan error) }, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		old := codeMsg{run: run(s.app.w.run), try: 0, code: steps.DeviceCode{UserCode: "STALECODE", Expires: epoch.Add(time.Hour)}}
		s.send(old)
		s.misses("STALECODE")
		s.send(signedInMsg{run: run(s.app.w.run - 1), try: 1, account: fakeAccount()})
		s.settle()
		s.on(pageSignIn)
		s.keys("esc")
		s.on(pageAuthorize)
		s.send(inspectedMsg{run: run(s.app.w.run - 1), findings: fakeFindings()})
		if s.app.w.findings != nil {
			t.Error("findings of an earlier screen were taken")
		}
	})
}

func TestBrowserErrorIsExplained(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.signIn = make(chan error) }, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		s.misses("Does the browser show an error?")
		s.pass(askAfter)
		s.sees("Does the browser show an error?")
		s.keys("e")
		s.types("AADSTS50105?")
		s.keys("enter")
		s.sees("takes only assigned users")
		s.keys("esc", "e")
		s.types("1")
		s.keys("enter")
		s.sees("Nothing is known here about")
		s.f.signIn <- nil
		s.settle()
		s.on(pagePreflight)
	})
}

func TestSignInFailureStays(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.signInErr = &steps.Problem{What: "nobody was signed in", Do: "try again", RequestID: "42"}
	}, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		s.sees("✗ Nobody was signed in.", "Try again.", "support: 42")
		if s.app.Outcome() != NoSignIn {
			t.Errorf("got outcome %d want NoSignIn", s.app.Outcome())
		}
		s.f.signInErr = nil
		s.keys("n")
		s.on(pagePreflight)
	})
}

func TestSignedInIsKept(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toPreflight()
		s.keys("esc")
		s.on(pageAuthorize)
		s.sees("Signed in as admin@contoso.onmicrosoft.com")
		s.keys("enter")
		s.on(pagePreflight)
		if s.f.codes != 1 {
			t.Errorf("got %d sign-ins want 1", s.f.codes)
		}
		s.keys("esc", "s")
		s.on(pagePreflight)
		if s.f.codes != 2 {
			t.Errorf("got %d sign-ins want 2", s.f.codes)
		}
	})
}

func TestFailedCheckBlocks(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.findings.RoleIDs = nil }, func(s *story) {
		s.toPreflight()
		s.keys("enter")
		s.on(pagePreflight)
		s.sees("This has to be mended first: Directory roles")
		s.f.findings.RoleIDs = []string{catalog.RoleGlobalAdministrator}
		s.press(s.app.screen.(*preflight).keys.Again)
		s.keys("enter")
		s.on(pagePlan)
	})
}

func TestSameNameIsAdoptedOrRenamed(t *testing.T) {
	same := func(f *fake, _ *Config) { f.findings.SameName = sameNamed() }
	tell(t, same, func(s *story) {
		s.toPreflight()
		p := s.app.screen.(*preflight)
		s.press(p.keys.Next)
		s.sees("2 apps are called Rewst Integration already", "2 client secrets")
		s.press(p.keys.move.Down)
		s.press(p.keys.Adopt)
		if got := s.app.w.answers.Registration.AppID; got != sameNamed()[1].AppID {
			t.Errorf("got app id %q", got)
		}
		s.press(p.keys.Next)
		s.on(pagePlan)
	})
	tell(t, same, func(s *story) {
		s.toPreflight()
		p := s.app.screen.(*preflight)
		s.press(p.keys.Choose)
		s.press(p.keys.Rename)
		s.clear()
		s.keys("enter")
		s.sees("Give the app a name")
		s.types("Rewst for Contoso")
		s.keys("enter")
		if got := s.app.w.answers.Registration.Name; got != "Rewst for Contoso" {
			t.Errorf("got name %q", got)
		}
		if n := len(s.f.inspected); n != 2 || s.f.inspected[1].Registration.Name != "Rewst for Contoso" {
			t.Errorf("got %d inspections, the last of another name", n)
		}
		s.press(p.keys.Next)
		s.on(pagePlan)
	})
}

func TestOffersAreTicked(t *testing.T) {
	tell(t, func(f *fake, c *Config) {
		c.Answers.Registration.AppID = "cccccccc-0000-0000-0000-000000000001"
		f.findings.Principal = &steps.Principal{
			ObjectID: "p", AppID: c.Answers.Registration.AppID, Name: "Rewst Integration",
			Grants: []steps.Grant{{ID: "g", ResourceID: f.findings.Resources[catalog.GraphAppID].ObjectID, Scopes: []string{"Mail.Send"}}},
		}
	}, func(s *story) {
		s.toPlan()
		p := s.app.screen.(*plan)
		before := len(p.plan.Changes)
		for p.line().offer == nil {
			s.press(p.keys.move.Down)
		}
		s.sees("Offered, only if you tick it", "[ ] ")
		s.press(p.keys.Tick)
		s.sees("[✓] ")
		if p.line().offer == nil {
			t.Error("the cursor left the offer")
		}
		if !p.plan.Offers[0].Ticked || len(p.plan.Changes) < before {
			t.Errorf("got offer %+v and %d changes want it taken", p.plan.Offers[0], len(p.plan.Changes))
		}
		s.press(p.keys.Tick)
		s.sees("[ ] ")
		if p.plan.Offers[0].Ticked || len(p.plan.Changes) != before {
			t.Errorf("got %d changes want %d as before", len(p.plan.Changes), before)
		}
	})
}
