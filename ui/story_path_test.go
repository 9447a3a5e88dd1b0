package ui

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

var _ Setup = (*steps.Setup)(nil)

func TestFirstTimeSetup(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.signIn = make(chan error, 1) }, func(s *story) {
		s.toIntegrations()
		in := s.app.screen.(*integrations)
		s.press(in.keys.move.Down, in.keys.move.Down, in.keys.Toggle)
		s.sees("[✓] Microsoft CSP")
		s.press(in.keys.Next)
		s.on(pageRegistration)
		s.press(s.app.screen.(*registration).keys.Next)
		s.on(pagePermissions)
		s.press(s.app.screen.(*permissions).keys.Stock)
		s.sees("3,730 of 3,850 characters")
		s.press(s.app.screen.(*permissions).keys.Next)
		s.on(pageAuthorize)
		s.sees("Microsoft Graph, Microsoft CSP", "All stock")
		s.press(s.app.screen.(*authorize).keys.Authorize)
		s.on(pageSignIn)
		s.sees("FJC3T9Q2W", "https://microsoft.com/devicelogin", "Only enter this code if you started", "this sign-in yourself.")
		s.f.signIn <- nil
		s.settle()
		s.on(pagePreflight)
		s.sees("checks passed.")
		s.press(s.app.screen.(*preflight).keys.Next)
		s.on(pagePlan)
		s.sees("writes to Contoso")
		s.keys("end", "enter")
		s.on(pageResult)
		s.sees("Authorised.", "••••••••••••")
		if len(s.f.applied) != 1 || !s.f.applied[0].Secret() {
			t.Errorf("got %d plans applied want one that makes a secret", len(s.f.applied))
		}
		if got := s.f.applied[0].Answers; got.Permissions.Base != "stock" || !got.Has(catalog.CSP) {
			t.Errorf("got answers %+v want stock with CSP", got)
		}
		if s.app.Outcome() != Done {
			t.Errorf("got outcome %d want Done", s.app.Outcome())
		}
		if n := len(s.f.saved); n == 0 || s.f.saved[n-1].Permissions.Base != "stock" {
			t.Errorf("got %d saves, the last not what was answered", n)
		}
	})
}

func TestSecretIsShownOnce(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toApply()
		s.misses(fakeSafe)
		r := s.app.screen.(*result)
		s.press(r.keys.Reveal)
		s.sees(fakeSafe)
		if s.f.delivered != 1 {
			t.Errorf("got %d deliveries recorded want 1", s.f.delivered)
		}
		s.press(r.keys.Hide)
		s.misses(fakeSafe)
		if r.keys.Reveal.Enabled() {
			t.Error("got a second reveal want none")
		}
		s.keys("r")
		s.misses(fakeSafe)
		s.press(r.keys.Copy)
		if !slices.Equal(s.clip, []string{fakeSafe}) {
			t.Errorf("got clipboard %d items want the secret", len(s.clip))
		}
		if s.f.delivered != 1 {
			t.Errorf("got %d deliveries recorded want 1", s.f.delivered)
		}
		s.press(r.keys.Finish)
		if !s.ended {
			t.Error("got a question want the end: the secret was taken")
		}
		if strings.Contains(s.app.Summary(), fakeSafe) {
			t.Error("the summary holds the secret")
		}
	})
}

func TestLeavingWithoutTheSecret(t *testing.T) {
	for _, way := range []string{"q", "ctrl+c"} {
		tell(t, nil, func(s *story) {
			s.toApply()
			s.keys(way)
			s.sees("Leave without the client secret?")
			s.keys("n")
			s.on(pageResult)
			s.keys(way, "y")
			if !s.ended {
				t.Errorf("%s: got no end after agreeing", way)
			}
			if !strings.Contains(s.app.Summary(), "neither shown nor copied") {
				t.Errorf("%s: the summary does not warn:\n%s", way, s.app.Summary())
			}
		})
	}
}

func TestBackKeepsAnswers(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toRegistration()
		s.keys("down", "down")
		s.clear()
		s.types("Fabrikam Automation?")
		s.keys("tab", "right", "esc")
		s.on(pageIntegrations)
		s.keys("enter")
		s.sees("Fabrikam Automation?", "● United Kingdom", "engine.eu.rewst.io")
		s.keys("enter", "/")
		s.types("mail.send")
		s.keys("enter", "space", "esc", "esc")
		s.on(pageRegistration)
		s.keys("enter")
		s.sees("Recommended, 2 added")
		if got := s.app.w.answers.Permissions.Add; !slices.Equal(got, []string{"Mail.Send/delegated", "Mail.Send/application"}) {
			t.Errorf("got added %v", got)
		}
	})
}

func TestRegistrationRefusesWhatCannotBeUsed(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toRegistration()
		s.keys("down", "down")
		s.clear()
		s.keys("enter")
		s.on(pageRegistration)
		s.sees("Give the app a name")
		s.types("Rewst")
		s.keys("down", "down", "down")
		s.types("not a tenant")
		s.keys("enter")
		s.on(pageRegistration)
		s.sees("neither a tenant id")
		s.clear()
		s.types("contoso.onmicrosoft.com")
		s.keys("enter")
		s.on(pagePermissions)
		if got := s.app.w.answers.Tenant; got != "contoso.onmicrosoft.com" {
			t.Errorf("got tenant %q", got)
		}
	})
}

func TestCSPNeedsMultitenant(t *testing.T) {
	tell(t, func(_ *fake, c *Config) { c.Answers.Registration.Audience = state.AudienceSingle }, func(s *story) {
		s.toIntegrations()
		s.keys("down", "down", "space")
		s.sees("The app becomes multitenant")
		s.keys("enter", "down", "down", "down", "down", "right", "enter")
		s.on(pageRegistration)
		s.sees("needs a multitenant app")
	})
}

func TestRequiredPermissionsStay(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toPermissions()
		s.keys("space")
		s.sees("email is required.", "[✓] email")
	})
}

func TestRecommendedNeedsASecondPress(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toPermissions()
		s.keys("/")
		s.types("domain.readwrite")
		s.keys("enter", "d")
		s.sees("Leave out Domain.ReadWrite.All?", "[✓] [✓] Domain.ReadWrite.All")
		s.keys("a") // another key is no confirmation of the first
		s.sees("[✓] [✓] Domain.ReadWrite.All")
		s.keys("d", "d")
		s.sees("[ ] [✓] Domain.ReadWrite.All")
		s.keys("d")
		s.sees("[✓] [✓] Domain.ReadWrite.All")
		s.keys("space", "down", "space")
		s.sees("[✓] [✓] Domain.ReadWrite.All")
	})
}

func TestOverTheLimit(t *testing.T) {
	tell(t, func(_ *fake, c *Config) { everything(&c.Answers) }, func(s *story) {
		s.toPermissions()
		p := s.app.screen.(*permissions)
		s.sees("OVER: 3,995 of 3,850 characters")
		s.press(p.keys.Next)
		s.on(pagePermissions)
		s.sees("145 characters too long")
		s.press(p.keys.Shorten)
		s.sees("3,995 → 3,838 characters")
		s.keys("esc")
		s.sees("OVER: 3,995")
		s.press(p.keys.Shorten)
		s.press(p.keys.Accept)
		s.sees("3,838 of 3,850 characters")
		s.press(p.keys.Next)
		s.on(pageAuthorize)
	})
}

func TestPermissionPresets(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toPermissions()
		p := s.app.screen.(*permissions)
		s.press(p.keys.Minimum)
		s.sees("5 of 400", "Without 8 recommended ones")
		s.press(p.keys.Recommended)
		s.sees("13 of 400")
		s.press(p.keys.Stock, p.keys.ReadOnly)
		s.sees("left out, except required ones")
		for _, c := range p.sel.Chosen() {
			if strings.Contains(c.Name, "ReadWrite") {
				t.Errorf("read only keeps %s", c.Name)
			}
		}
	})
}

func TestExtraEntriesCanGo(t *testing.T) {
	tell(t, func(_ *fake, c *Config) { c.Answers.Permissions.Add = []string{"Contoso.Read.All/delegated"} }, func(s *story) {
		s.toPermissions()
		s.keys("end", "space")
		if got := s.app.w.answers.Permissions.Add; len(got) != 0 {
			t.Errorf("got added %v want none", got)
		}
		s.keys("space")
		if got := s.app.w.answers.Permissions.Add; !slices.Equal(got, []string{"Contoso.Read.All/delegated"}) {
			t.Errorf("got added %v", got)
		}
	})
}

func TestCodeIsRenewed(t *testing.T) {
	tell(t, func(f *fake, c *Config) { f.signIn, c.Accessible = make(chan error), true }, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		s.sees("FJC3T9Q2W", "New code in 15:00")
		s.pass(time.Minute)
		s.sees("New code in 14:00", "FJC3T9Q2W")
		s.pass(14*time.Minute + 200*time.Millisecond)
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
		s.pass((renewals + 1) * (15*time.Minute + time.Second))
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
		s.pass(15*time.Minute - 3*time.Second)
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
		if len(p.plan.Offers) == 0 {
			t.Skip("this tenant gives no offers")
		}
		for i, l := range p.lines {
			if l.offer != nil {
				p.list.Select(i)
				p.settle()
				break
			}
		}
		before := len(p.plan.Changes)
		s.press(p.keys.Tick)
		s.sees("[✓]")
		ticked := p.plan.Changes
		s.press(p.keys.Tick)
		if len(p.plan.Changes) != before || len(ticked) == before && ticked[0].Path == p.plan.Changes[0].Path && string(ticked[0].Body) == string(p.plan.Changes[0].Body) && len(ticked) == len(p.plan.Changes) {
			t.Log("the offer changes a body only")
		}
	})
}

func TestPlanIsNotAppliedByAccident(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toPlan()
		s.keys("a", "enter", "esc", "space", "p")
		s.on(pagePlan)
		if len(s.f.applied) != 0 {
			t.Error("applied without being told to")
		}
		s.keys("A")
		if len(s.f.applied) != 1 {
			t.Error("not applied")
		}
	})
}

func TestApplyGoesOnBehindThePlan(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.step = make(chan struct{}) }, func(s *story) {
		s.toApply()
		s.steps(2)
		s.keys("esc")
		s.on(pagePlan)
		s.sees("Being applied just now", "applying 1 of 8")
		s.keys("esc")
		s.on(pagePlan)
		s.steps(2)
		s.sees("applying 2 of 8")
		s.keys("A")
		s.on(pageApply)
		s.keys("p")
		s.sees("Pausing")
		s.keys("p", "esc")
		close(s.f.step)
		s.settle()
		s.on(pageResult)
		s.keys("esc")
		s.on(pageResult)
	})
}

func TestLeavingWhileApplying(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.step = make(chan struct{}) }, func(s *story) {
		s.toApply()
		s.steps(1)
		s.keys("ctrl+c")
		s.sees("Leave while changes are being written?")
		s.keys("esc", "ctrl+c", "y")
		if !s.ended {
			t.Fatal("the program did not end")
		}
		if s.app.Outcome() != Interrupted {
			t.Errorf("got outcome %d want Interrupted", s.app.Outcome())
		}
		if !strings.Contains(s.app.Summary(), "choose Resume") {
			t.Errorf("the summary does not say how to go on:\n%s", s.app.Summary())
		}
	})
}

func TestFailedApplyIsLookedAtAgain(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.applyErr = &steps.Problem{What: "granting did not work", Do: "wait", Retry: true, RequestID: "77"}
	}, func(s *story) {
		s.toApply()
		s.on(pageApply)
		s.sees("✗ Granting did not work.", "support: 77")
		s.keys("esc") // no way back to the questions: something was written
		s.on(pageApply)
		if s.app.Err() == nil || s.app.Outcome() != Partial {
			t.Errorf("got %v, outcome %d want the problem, Partial", s.app.Err(), s.app.Outcome())
		}
		s.f.applyErr = nil
		s.press(s.app.screen.(*apply).keys.Again)
		s.on(pagePreflight)
		s.keys("esc")
		s.on(pagePreflight)
		s.keys("enter", "A")
		s.on(pageResult)
	})
}

func TestResultWithAnError(t *testing.T) {
	tell(t, func(f *fake, c *Config) {
		c.Answers.Registration.Kind = state.KindConnector
		f.result = &steps.Result{Account: fakeAccount(), Integrations: []steps.IntegrationResult{{ID: "graph", Name: "Microsoft Graph", Wanted: 13}}}
		f.applyErr = &steps.Waiting{Problem: steps.Problem{What: "the connector is not in this tenant yet", Do: "authorise it in Rewst", Retry: true}}
	}, func(s *story) {
		s.toApply()
		s.on(pageResult)
		s.sees("The connector is not in this tenant yet.", "Not everything is authorised.")
		if s.app.Outcome() != Waits {
			t.Errorf("got outcome %d want Waits", s.app.Outcome())
		}
		s.press(s.app.screen.(*result).keys.Again)
		s.on(pagePreflight)
	})
}

func TestResume(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.open = []steps.Unfinished{{TenantID: tenantID, Name: "Contoso", When: epoch, Left: "a client secret nobody received"}}
		f.resumed = state.DefaultAnswers()
		f.resumed.Registration.Name = "Rewst for Contoso"
	}, func(s *story) {
		s.keys("down")
		s.sees("Left: a client secret nobody received")
		s.keys("enter")
		s.on(pageAuthorize)
		s.sees("Rewst for Contoso")
	})
}

func TestKeysWaitAfterAScreenChangedByItself(t *testing.T) {
	tell(t, func(_ *fake, c *Config) { c.Grace = 400 * time.Millisecond }, func(s *story) {
		s.toPreflight()
		s.keys("enter")
		s.on(pagePreflight)
		s.pass(500 * time.Millisecond)
		s.keys("enter")
		s.on(pagePlan)
	})
}

func TestTooSmall(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toIntegrations()
		for _, size := range [][2]int{{59, 24}, {80, 19}, {20, 5}, {1, 1}} {
			s.size(size[0], size[1])
			s.keys("space")
		}
		s.size(40, 12)
		s.sees("Please make the window at least 60 x 20.")
		s.size(80, 24)
		s.sees("Choose the parts of the bundle")
	})
}

func TestTypingOwnsTheKeys(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toRegistration()
		s.keys("down", "down")
		s.types(" k? jqx")
		s.sees("Rewst Integration k? jqx")
		if v := s.app.View(); v.Cursor == nil || v.Cursor.Y != 5 {
			t.Errorf("got cursor %+v want it on line 5", v.Cursor)
		}
	})
}

func TestLeavingSavesTheAnswers(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toRegistration()
		s.keys("down", "down")
		s.types(" 2")
		s.keys("ctrl+c")
		if !s.ended {
			t.Fatal("the program did not end")
		}
		if n := len(s.f.saved); n == 0 || s.f.saved[n-1].Registration.Name != "Rewst Integration 2" {
			t.Errorf("got %d saves, the last without what was typed", n)
		}
		if got := s.app.Summary(); !strings.Contains(got, "Nothing was changed.") || !strings.Contains(got, "draft.yaml") {
			t.Errorf("got summary:\n%s", got)
		}
	})
}

func TestAnswersAreSavedForTheTenant(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toApply()
		s.size(120, 40)
		s.keys("c")
		s.sees("contoso/setup.yaml", "msbundle apply -f /home/alex/")
		s.keys("ctrl+c")
		if !strings.Contains(s.app.Summary(), "Run it again: msbundle apply -f /home/alex/.local/state/msbundle/contoso/setup.yaml") {
			t.Errorf("got summary:\n%s", s.app.Summary())
		}
	})
}

func TestAnswersThatCannotBeSaved(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.saveErr = &steps.Problem{What: "the disk is full"} }, func(s *story) {
		s.toRegistration()
		s.sees("! The answers could not be saved: the disk is full")
		s.keys("ctrl+c")
		if !s.ended {
			t.Error("the program did not end")
		}
	})
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.step = make(chan struct{}) }, func(s *story) {
		s.toApply()
		s.keys("ctrl+c")
		s.send(keyPress("ctrl+c")) // no longer asks, waits for the write in flight
		s.sees("Finishing the write in flight")
		s.send(keyPress("ctrl+c"))
		s.settle()
		if !s.ended {
			t.Error("the program did not end")
		}
	})
}

func TestBrowserAndClipboard(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.signIn = make(chan error) }, func(s *story) {
		s.toAuthorize()
		s.keys("enter", "c", "o")
		s.sees("If nothing opened, open the address yourself.")
		if !slices.Equal(s.clip, []string{"FJC3T9Q2W"}) || !slices.Equal(s.urls, []string{"https://microsoft.com/devicelogin"}) {
			t.Errorf("got clipboard %q, opened %q", s.clip, s.urls)
		}
	})
	tell(t, func(f *fake, c *Config) { f.signIn, c.OpenURL, c.Copy = make(chan error), nil, nil }, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		if s.app.screen.(*signin).keys.Open.Enabled() {
			t.Error("offers to open a browser where there is none")
		}
		s.keys("c")
		s.sees("Sent the code to the clipboard.")
	})
}

func TestNothingIsOpenedInARehearsal(t *testing.T) {
	tell(t, func(f *fake, c *Config) { f.signIn, c.Sandbox = make(chan error), "sandbox: happy" }, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		s.sees("the simulated administrator enters it")
		if s.app.screen.(*signin).keys.Open.Enabled() {
			t.Error("offers to open Microsoft's page in a rehearsal")
		}
	})
}

func TestLeavingWhilePaused(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.step = make(chan struct{}) }, func(s *story) {
		s.toApply()
		s.steps(1)
		s.keys("p")
		s.f.step <- struct{}{} // now it stands at the gate
		s.settle()
		s.keys("ctrl+c", "y")
		if !s.ended || s.app.Outcome() != Interrupted {
			t.Errorf("got ended %v, outcome %d want the end, Interrupted", s.ended, s.app.Outcome())
		}
	})
}
