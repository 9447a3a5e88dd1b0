package ui

import (
	"testing"

	"msbundle/catalog"
	"msbundle/steps"
)

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
