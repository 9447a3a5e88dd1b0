package ui

import (
	"slices"
	"strings"
	"testing"

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
