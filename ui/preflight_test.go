package ui

import (
	"testing"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// lookAlike is a tenant whose app lists the wrong API for Partner Center.
func lookAlike(f *fake, _ *Config) {
	const app = "cccccccc-0000-0000-0000-000000000009"
	f.findings.App = &steps.Application{
		AppSummary: steps.AppSummary{AppID: app, Name: "Rewst Integration", ObjectID: "ffffffff-0000-0000-0000-000000000001", Audience: "AzureADMultipleOrgs"},
		IDTokens:   true, RedirectURIs: []string{"https://engine.rewst.io/integrations/bundles/microsoft_cloud/callback"},
		Required: []steps.RequiredAccess{{ResourceAppID: catalog.LookAlikes()[0].AppID, Access: []steps.ResourceAccess{{ID: "id", Type: "Scope"}}}},
	}
}

// What the plan can mend is mended by one key, and left out again by the same.
func TestFixItForMe(t *testing.T) {
	tell(t, lookAlike, func(s *story) {
		s.toPreflight()
		p := s.app.screen.(*preflight)
		s.sees("The right Partner Center API", "takes this into the plan")
		s.press(p.keys.Fix)
		s.sees("mended by the plan", "leaves this out of the plan again")
		s.golden("preflight-mended")
		s.press(p.keys.Fix)
		s.misses("mended by the plan")
		s.press(p.keys.Fix, p.keys.Next)
		s.on(pagePlan)
		if o := s.app.w.plan.Offers; len(o) != 1 || o[0].ID != steps.OfferSwap || !o[0].Ticked {
			t.Errorf("offers of the plan: got %+v, want the one that was taken", o)
		}
	})
}

// Where nothing can be mended by itself, there is no key for it.
func TestFixIsOnlyWhereItHelps(t *testing.T) {
	tell(t, lookAlike, func(s *story) {
		s.toPreflight()
		p := s.app.screen.(*preflight)
		if !p.keys.Fix.Enabled() {
			t.Fatal("the check that can be mended cannot")
		}
		s.keys("home")
		if p.keys.Fix.Enabled() {
			t.Error("the first check can be mended")
		}
		s.keys("f")
		if len(s.app.w.ticked) > 0 {
			t.Errorf("the key did something: %v", s.app.w.ticked)
		}
	})
}

// The cursor begins at what needs somebody most, whatever its place in the list.
func TestCursorBeginsAtTheWorst(t *testing.T) {
	full := func(c *Config) { everything(&c.Answers); c.Answers.Permissions = state.Permissions{Base: "minimum"} }
	for name, c := range map[string]struct {
		set  func(*steps.Findings)
		want string
	}{
		"in order": {func(*steps.Findings) {}, "tenant"},
		"unknown":  {func(f *steps.Findings) { f.Secrets.Known = false }, "secrets"},
		"a warning behind": {func(f *steps.Findings) {
			f.Account.App, f.Leftovers = true, []steps.Principal{{AppID: catalog.LegacyApps()[0].AppID}}
		}, "legacy"},
		"a failure that goes on":    {func(f *steps.Findings) { f.SecurityDefaults, f.Subscriptions = true, nil }, "subscription"},
		"what blocks comes first":   {func(f *steps.Findings) { f.Plans, f.SameName = nil, sameNamed() }, "same-name"},
		"and before other failures": {func(f *steps.Findings) { f.Subscriptions, f.RoleIDs = nil, nil }, "roles"},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, func(f *fake, cfg *Config) { full(cfg); c.set(f.findings) }, func(s *story) {
				s.toPreflight()
				p := s.app.screen.(*preflight)
				if got := p.checks[p.list.Current()].ID; got != c.want {
					t.Errorf("got %s want %s:\n%s", got, c.want, s.text())
				}
			})
		})
	}
}

// A text too long for its place can be read to its end.
func TestWholeText(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.findings.Account.MFA = false }, func(s *story) {
		s.toPreflight()
		p := s.app.screen.(*preflight)
		s.size(60, 20)
		s.sees("shows the whole text")
		s.misses("does not count.")
		s.press(p.keys.Whole)
		s.golden("preflight-whole")
		s.size(60, 20)
		s.keys("end")
		s.sees("A third party's does not count.")
		s.keys("esc")
		s.on(pagePreflight)
		s.sees("shows the whole text")
		s.press(p.keys.Whole, p.keys.Next) // it is blocked: the list comes back and says so
		s.sees("This has to be mended first", "shows the whole text")
	})
}

// Another account can sign in from here, also after a failure.
func TestSwitchAccount(t *testing.T) {
	for name, set := range map[string]func(*fake, *Config){
		"blocked": func(f *fake, _ *Config) { f.findings.Account.MFA = false },
		"failed": func(f *fake, _ *Config) {
			f.inspect = make(chan error, 1)
			f.inspect <- &steps.Problem{What: "the tenant could not be inspected", Do: "Sign in with a Global Administrator."}
		},
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, set, func(s *story) {
				s.toPreflight()
				s.press(s.app.screen.(*preflight).keys.Account)
				if s.page() != pageSignIn && len(s.f.inspected) < 2 {
					t.Errorf("nobody is asked to sign in:\n%s", s.text())
				}
			})
		})
	}
}
