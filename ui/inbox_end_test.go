package ui

import (
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/steps"
)

// declining is an apply during which of four customers one declines and one
// approves.
func declining(f *fake) {
	list := fakeInvitations(4)
	approving(4)(f)
	wait := f.events[1]
	end := steps.CustomerEnd{Customer: list[1].Customer, Relationship: list[1].Name, How: "declined"}
	f.events = []steps.Event{
		f.events[0], wait,
		{Kind: steps.EventNote, Text: "Litware 0001 did not come about", Ended: &end},
		{Kind: steps.EventInvitations, Invitations: list[2:]},
		wait, wait, wait,
	}
	f.outcome = delegationResult(2)
	f.outcome.Delegation.Ready = 2
	f.outcome.Delegation.Invitations[0].Status = steps.RelationApproved
	f.outcome.Delegation.Ended = []steps.CustomerEnd{end}
	f.outcome.Delegation.Others = []steps.CustomerEnd{{Customer: list[3].Customer, How: "active, lacks 4 roles"}}
}

func TestInboxDeclined(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { declining(f) }, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.steps(2)
		s.keys("down") // onto the one that declines
		s.steps(2)
		s.sees("2 customers have to approve. 1 approved meanwhile. 1 declined.", "! declined", "It cannot be approved any more", "Ask the customer what happened")
		b := s.app.screen.(*apply).inbox
		if i, _ := b.current(); i.Customer.TenantID != customerID(1) {
			t.Errorf("the cursor is on %s", i.Customer.Name)
		}
		s.keys("c", "m", "d", "o")
		if len(s.clip)+len(s.urls)+len(s.f.reminded) > 0 {
			t.Error("the link of a customer who declined was used")
		}
		s.press(b.keys.Find)
		s.types("declined")
		s.sees("Litware 0001")
		s.misses("Litware 0002")
		s.keys("esc")
		s.steps(3)
		s.on(pageResult)
		s.sees("1 customer has yet to approve, 1 is being set up by Microsoft, 1 declined, 1", "is not ready.", "Litware 0001: declined", "Litware 0003: active, lacks 4 roles")
		s.keys("q")
		if text := s.app.Summary(); !strings.Contains(text, "Litware 0001: declined") || !strings.Contains(text, "Litware 0000, approved, being set up") {
			t.Errorf("summary:\n%s", text)
		}
	})
	tell(t, func(f *fake, _ *Config) { declining(f) }, func(s *story) { // left while the others are waited for
		s.toGDAP()
		s.keys("enter", "A")
		s.steps(4)
		s.keys("ctrl+c", "y")
		s.settle()
		if text := s.app.Summary(); s.app.Outcome() != Waits || !strings.Contains(text, "2 customers did not approve yet; Litware 0001 declined.") {
			t.Errorf("outcome %d\n%s", s.app.Outcome(), text)
		}
	})
}

// Whoever has approved stays to be seen, with the roles that were given; the next
// key is for nobody else, filter or not.
func TestInboxApproved(t *testing.T) {
	for _, filter := range []bool{false, true} {
		tell(t, func(f *fake, _ *Config) {
			approving(5)(f)
			list := fakeInvitations(6)
			wait := f.events[1]
			f.events = []steps.Event{
				{Kind: steps.EventInvitations, Invitations: list[4:]},
				wait,
				{Kind: steps.EventInvitations, Invitations: list[5:]},
				wait,
				{Kind: steps.EventDone, Changes: []string{"gdap/access/" + customerID(4) + "/" + theRole(0)}},
				wait, wait,
			}
		}, func(s *story) {
			s.toGDAP()
			s.keys("enter", "A")
			s.steps(2)
			b := s.app.screen.(*apply).inbox
			if filter {
				s.press(b.keys.Find)
				s.types("waits")
				s.keys("enter")
			}
			s.steps(2)
			s.sees("1 customer has to approve. 1 approved meanwhile.", "✓ approved, 0 of 12 roles given")
			if i, _ := b.current(); i.Customer.TenantID != customerID(4) {
				t.Errorf("the cursor is on %s", i.Customer.Name)
			}
			s.keys("c", "d", "o")
			if len(s.clip)+len(s.urls)+len(s.f.reminded) > 0 {
				t.Error("something was done about somebody else")
			}
			s.steps(1)
			s.sees("✓ approved, 1 of 12 roles given")
		})
	}
}

func theRole(n int) string { return catalog.ServiceRoles()[n].TemplateID }

// A plan that is looked at after a result and left leaves what the stage came out
// with.
func TestLeftAfterAnotherLook(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.outcome = delegationResult(2)
		f.applyErr = &steps.Waiting{Problem: steps.Problem{What: "2 customers did not approve yet"}}
	}, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.on(pageResult)
		for range 2 {
			s.keys("a")
			s.on(pageGDAP)
			s.keys("enter")
			s.on(pagePlan)
			s.keys("esc", "esc")
			s.on(pageStart)
			if o := s.app.Outcome(); o != Waits {
				t.Errorf("outcome %d, want Waits", o)
			}
			s.keys("down", "down", "enter")
			s.keys("enter")
			s.on(pagePlan)
			s.keys("A")
			s.on(pageResult)
		}
		s.keys("a", "enter")
		s.on(pagePlan)
		s.keys("ctrl+c")
		s.settle()
		if text := s.app.Summary(); s.app.Outcome() != Waits || strings.Count(text, "2 customers have yet to approve") != 1 {
			t.Errorf("outcome %d, want Waits\n%s", s.app.Outcome(), text)
		}
	})
}

// A long result is seen to its end.
func TestResultToItsEnd(t *testing.T) {
	for _, keys := range [][]string{{"end"}, {"pgdown", "pgdown", "pgdown"}} {
		tell(t, func(f *fake, _ *Config) {
			f.outcome = delegationResult(6)
			f.outcome.Notes = []steps.Note{{Text: "the last of all notes"}}
		}, func(s *story) {
			s.toGDAP()
			s.keys("enter", "A")
			s.on(pageResult)
			s.misses("the last of all notes")
			s.keys(keys...)
			s.sees("the last of all notes")
		})
	}
}

// Who comes back to the start is led to what was left in this tenant.
func TestStartOnResume(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { awaited(f); f.outcome = delegationResult(2) }, func(s *story) {
		s.sees("› Resume Contoso: customers' approvals")
		s.keys("down", "down", "enter")
		s.on(pageGDAP)
		s.keys("enter", "A")
		s.on(pageResult)
		s.keys("s")
		s.on(pageStart)
		s.sees("› Resume Contoso: customers' approvals")
	})
}

// Where there is no delegated administration nothing offers to go on.
func TestGDAPNotOffered(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.findings.Cloud, _ = catalog.CloudByID("usgov")
		f.findings.Cloud.Vendor = false
	}, func(s *story) {
		s.toGDAP()
		s.sees("global cloud only", "none can be looked at here")
		for _, text := range []string{"enter continue", "0 customers", "mended first"} {
			s.misses(text)
		}
		s.keys("enter")
		s.on(pageGDAP)
	})
}

// The words customers are counted by find them, too.
func TestCustomersFoundAsCounted(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toGDAP()
		s.ask(gdapTable)
		s.sees("1 waiting", "4 to be asked") // the whole count, under the questions
		s.keys("space", "/")
		s.types("waiting")
		s.sees("Tailspin Toys")
		s.misses("Wingtip Toys")
		s.clear()
		s.types("complete")
		s.sees("Northwind Traders")
		s.misses("Tailspin Toys")
	})
}
