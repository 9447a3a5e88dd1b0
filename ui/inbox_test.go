package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

func TestInbox(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { approving(3)(f) }, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.on(pageApply)
		s.steps(2)
		s.sees("3 customers have to approve.", "Litware 0000", "9 days", "never", "Who may approve: a Global Administrator of the customer's own tenant", "next look in 1 min")
		keys := s.app.screen.(*apply).inbox.keys
		s.press(keys.Link)
		if got := s.clip[len(s.clip)-1]; got != steps.InvitationLink(relationID(0)) {
			t.Errorf("copied %q", got)
		}
		s.press(keys.Open)
		if got := s.urls[len(s.urls)-1]; got != steps.InvitationLink(relationID(0)) {
			t.Errorf("opened %q", got)
		}
		s.press(keys.Mail)
		s.sees("please approve the administration of your Microsoft tenant by Contoso", "private (InPrivate")
		if got := s.clip[len(s.clip)-1]; !strings.Contains(got, steps.InvitationLink(relationID(0))) {
			t.Errorf("copied %q", got)
		}
		s.keys("esc")
		s.press(keys.Remind)
		s.sees("Noted: Litware 0000 was reminded today.", "2026-09-01")
		if !slices.Equal(s.f.reminded, []string{relationID(0)}) {
			t.Errorf("reminded %q", s.f.reminded)
		}
		s.press(keys.Look)
		s.sees("looking")
		if s.f.looks != 1 {
			t.Errorf("looked %d times, want once", s.f.looks)
		}
		s.press(keys.Export)
		s.clear()
		s.types("/tmp/mails")
		s.keys("enter")
		s.sees("3 mails and a table: /tmp/mails/invitations.csv")
		if !slices.Equal(s.f.exported, []string{"3 of Contoso to /tmp/mails"}) {
			t.Errorf("exported %q", s.f.exported)
		}
		s.press(keys.Find)
		s.types("0002")
		s.misses("Litware 0001")
		s.keys("enter", "esc")
		s.sees("Litware 0001")
		s.keys("up") // onto the second, which stays under the cursor when the first is gone
		s.steps(1)
		s.sees("2 customers have to approve. 1 approved meanwhile.", "✓ approved, 0 of 12 roles given")
		if i, _ := s.app.screen.(*apply).inbox.current(); i.ID != relationID(1) {
			t.Errorf("the cursor is on %s", i.Customer.Name)
		}
		s.keys("esc")
		s.on(pagePlan)
		s.keys("A")
		s.on(pageApply)
		s.sees("2 customers have to approve.")
		s.steps(4) // everybody has approved
		s.on(pageResult)
		s.sees("Every customer is ready.")
	})
}

func TestInboxLeft(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { approving(3)(f) }, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.steps(2)
		s.keys("ctrl+c")
		s.sees("Leave while customers are waited for?", "Nothing is lost.")
		s.keys("y")
		s.settle()
		if !s.ended || s.app.Outcome() != Waits {
			t.Errorf("ended %v with outcome %d, want Waits", s.ended, s.app.Outcome())
		}
		for _, want := range []string{"3 customers did not approve yet.", "choose Resume", "The exit code is 8", "Your answers: "} {
			if text := s.app.Summary(); !strings.Contains(text, want) {
				t.Errorf("not in the summary: %q\n%s", want, text)
			}
		}
	})
	tell(t, func(f *fake, _ *Config) { approving(3)(f) }, func(s *story) { // by the key, which proves what is there
		s.toGDAP()
		s.keys("enter", "A")
		s.steps(2)
		s.press(s.app.screen.(*apply).inbox.keys.Finish)
		s.sees("Reading back what is there")
		s.steps(1)
		s.on(pageResult)
		s.sees("1 customer has yet to approve.", "5 of 6 ready", "Who may approve", "Litware 0000, for 3 days")
		s.keys("q")
		if !s.ended || s.app.Outcome() != Waits {
			t.Errorf("ended %v with outcome %d, want Waits", s.ended, s.app.Outcome())
		}
	})
}

func awaited(f *fake) {
	g := state.DefaultGDAP()
	f.resumed = state.DefaultAnswers()
	f.resumed.GDAP = &g
	f.open = []steps.Unfinished{{
		TenantID: tenantID, Name: "Contoso", When: epoch, Left: "1 customer to approve when it was last looked at",
		Stage: steps.StageGDAP, Awaited: []string{relationID(4)},
	}}
}

func TestResumeToInbox(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { awaited(f); approving(2)(f) }, func(s *story) {
		s.sees("› Resume Contoso: customers' approvals")
		s.keys("enter")
		s.on(pageApply)
		if len(s.f.applied) != 1 || len(s.f.tenantReads) != 1 {
			t.Fatalf("%d applies and %d reads, want one of each", len(s.f.applied), len(s.f.tenantReads))
		}
		changes := s.f.applied[0].Changes
		for _, c := range changes {
			if c.Kind != steps.KindAccess || c.After != customerID(4) {
				t.Errorf("it would also %s", c.Describe())
			}
		}
		if len(changes) != len(catalog.ServiceRoles()) {
			t.Errorf("%d writes follow on the approval, want a role each", len(changes))
		}
		s.steps(2)
		s.sees("2 customers have to approve.", "other writes are left for a plan that shows them")
		s.keys("esc")
		s.on(pagePlan)
		s.keys("A")
		s.on(pageApply)
		s.steps(3)
		s.on(pageResult)
		if n := s.f.applied[0].Notes; len(n) == 0 || !strings.Contains(n[len(n)-1].Text, "left for the plan of the stage GDAP") {
			t.Errorf("notes: %+v", n)
		}
		s.sees("Not planned yet", "56 other writes about customers. Look again")
		s.keys("a")
		s.on(pageGDAP)
		s.keys("enter")
		s.on(pagePlan)
		s.sees("68 writes")
	})
}

func TestResumeToInboxFails(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { awaited(f); f.inspect = make(chan error) }, func(s *story) {
		s.keys("enter")
		s.on(pageApply)
		s.sees("Reads who has approved", "esc back")
		s.f.inspect <- &steps.Problem{What: "the tenant could not be inspected", Retry: true}
		s.settle()
		s.sees("The tenant could not be inspected.")
		s.keys("r")
		s.sees("Reads who has approved")
		s.keys("esc")
		s.on(pageStart)
		if len(s.f.applied) > 0 {
			t.Error("something was applied")
		}
		s.f.inspect = nil
		s.keys("home", "down", "down", "down", "enter") // past Resume the stage itself begins with its questions
		s.on(pageGDAP)
	})
}

func TestLinesResumeCustomers(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) { awaited(f) }, func(x *talk) {
		x.types("2")
		x.hears("There is: 6 customers")
		if len(x.f.applied) > 0 {
			t.Error("something was applied")
		}
	})
}

func TestRemindedTakenBack(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before        time.Time
		first, shown  string
		second, again string
	}{
		{"never", time.Time{}, "mark reminded", "was reminded today", "not reminded", "was not reminded yet"},
		{"earlier", epoch.AddDate(0, 0, -7), "mark reminded", "was reminded today", "not reminded", "was last reminded on 2026-08-25"},
		{"earlier today", epoch.Add(-time.Hour), "not reminded", "was not reminded yet", "mark reminded", "was reminded today"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tell(t, func(f *fake, _ *Config) {
				approving(1)(f)
				f.events[0].Invitations[0].Reminded = tt.before
			}, func(s *story) {
				s.toGDAP()
				s.keys("enter", "A")
				s.steps(2)
				does := func(want string) {
					t.Helper()
					if got := s.app.screen.(*apply).inbox.keys.Remind.Help().Desc; got != want {
						t.Errorf("d says %q, want %q", got, want)
					}
				}
				does(tt.first)
				s.keys("d")
				s.sees(tt.shown)
				does(tt.second)
				s.keys("d")
				s.sees(tt.again)
				does(tt.first)
			})
		})
	}
}

func TestInboxFailed(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { failing(f) }, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.steps(3)
		s.sees("2 customers have to approve. 1 failed.", "✗ failed: There is no reseller")
		s.keys("end")
		s.sees("Look in Partner Center")
		s.misses("copy the link")
		s.misses("approved meanwhile")
		s.keys("c", "m", "d", "o")
		if len(s.clip)+len(s.urls)+len(s.f.reminded) > 0 {
			t.Error("a link that is none was used")
		}
		s.press(s.app.screen.(*apply).inbox.keys.Finish)
		s.steps(1)
		s.on(pageResult)
		s.sees("1 customer has yet to approve, 1 failed.", "Failed", "Litware 0002: There is no reseller relationship. Look in Partner Center.")
		s.keys("q")
		if s.app.Outcome() != Partial {
			t.Errorf("outcome %d, want Partial", s.app.Outcome())
		}
		if text := s.app.Summary(); strings.Count(text, "Litware 0002") != 1 {
			t.Errorf("summary:\n%s", text)
		}
	})
	tell(t, func(f *fake, _ *Config) { failing(f) }, func(s *story) { // left while the others are waited for
		s.toGDAP()
		s.keys("enter", "A")
		s.steps(3)
		s.keys("ctrl+c", "y")
		s.settle()
		if s.app.Outcome() != Partial || !strings.Contains(s.app.Summary(), "1 customer failed, and 2 customers did not approve yet") {
			t.Errorf("outcome %d\n%s", s.app.Outcome(), s.app.Summary())
		}
	})
}

func TestInboxOfThoseOnTheWay(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		approving(3)(f)
		f.events[0].Invitations[0].Status = steps.RelationStarting
		f.events[0].Invitations[1].Status = steps.RelationCreated
		f.outcome = delegationResult(1)
		f.outcome.Delegation.Invitations[0].Status = steps.RelationApproved
	}, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.steps(2)
		s.sees("1 customer has to approve. 2 being set up.")
		s.steps(5)
		s.on(pageResult)
		s.sees("1 customer is being set up by Microsoft.")
	})
}

func TestGDAPBackAfterRun(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.outcome = delegationResult(2) }, func(s *story) {
		s.toGDAP()
		s.keys("enter", "A")
		s.on(pageResult)
		s.keys("a")
		s.on(pageGDAP)
		s.sees("esc back")
		s.keys("esc")
		s.on(pageStart)
	})
}
