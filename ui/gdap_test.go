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

// toGDAP opens the stage about customers from the first screen.
func (s *story) toGDAP() {
	s.keys("home", "down", "down", "enter")
	s.on(pageGDAP)
}

// ask moves to a question of the stage about customers.
func (s *story) ask(i formItem) {
	s.t.Helper()
	page := s.app.screen.(*gdap)
	for range page.items {
		if page.focus.item == i {
			return
		}
		s.keys("tab")
	}
	s.t.Fatalf("there is no question %q:\n%s", page.label(i), s.text())
}

func TestGDAPFromStart(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toGDAP()
		s.sees("6 customers: 1 complete, 1 waiting, 4 to be asked", "1 of 4", "all 12 that Rewst asks for")
		if got := s.f.tenantReads[0].GDAP; got == nil || !got.All || s.f.tenantReads[0].Ready() {
			t.Errorf("read for %+v", s.f.tenantReads[0])
		}
		if len(s.f.saved) > 0 && s.f.saved[len(s.f.saved)-1].GDAP != nil {
			t.Error("what was only proposed was saved")
		}
		s.press(s.app.screen.(*gdap).keys.Next)
		s.on(pagePlan)
		s.sees("GDAP › Plan", "68 writes", "60 of them wait until 5 customers have approved")
		s.misses("app registration")
		s.keys("A")
		s.on(pageResult)
		s.sees("Every customer is ready. 42 writes", "6 of 6 ready")
		s.keys("q")
		if !s.ended || s.app.Outcome() != Done {
			t.Errorf("ended %v with outcome %d, want Done", s.ended, s.app.Outcome())
		}
		if text := s.app.Summary(); !strings.Contains(text, "Every customer is ready: Contoso (42 writes).") {
			t.Errorf("summary:\n%s", text)
		}
		if last := s.f.saved[len(s.f.saved)-1]; last.GDAP == nil || !last.GDAP.All || last.ServiceAccount != nil || !last.NoApp {
			t.Errorf("saved: %+v", last)
		}
		if text := s.app.Summary(); !strings.Contains(text, "Run it again: msbundle apply -f ") {
			t.Errorf("the file holds what was gone through, and can be applied:\n%s", text)
		}
	})
}

// What is chosen in the table is what is planned; choosing reads nothing again.
func TestGDAPChosenCustomers(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toGDAP()
		s.keys("right")
		s.sees("Nobody is chosen yet")
		s.keys("enter")
		s.on(pageGDAP)
		s.sees("Mend this first: Who is chosen.")
		s.ask(gdapTable)
		s.keys("space", "/")
		s.types("toys")
		s.sees("Tailspin Toys", "Wingtip Toys")
		s.misses("Adatum")
		s.keys("enter", "a", "esc")
		s.sees("2 of 6 customers", "Adatum")
		s.keys("/")
		s.types("tailspin")
		s.keys("enter", "space", "esc", "esc")
		s.sees("1 of 6 customers: 1 to be asked")
		s.keys("enter")
		s.on(pagePlan)
		for _, c := range s.app.w.plan.Changes {
			if who := c.Customer; who != "" && who != customerID(5) {
				t.Errorf("planned for %s: %s", who, c.Describe())
			}
		}
		if g := s.app.w.answers.GDAP; g.All || !slices.Equal(g.Customers, []string{customerID(5)}) {
			t.Errorf("answers: %+v", g)
		}
		if n := len(s.f.tenantReads); n != 1 {
			t.Errorf("read %d times, want once", n)
		}
	})
}

func TestGDAPRoles(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toGDAP()
		s.ask(gdapRoles)
		s.keys("space", "space")
		s.sees("11 of 12", "takes a new relationship")
		if g := s.app.w.answers.GDAP; len(g.Roles) != 11 || slices.Contains(g.Roles, catalog.ServiceRoles()[0].Name) {
			t.Errorf("roles: %q", g.Roles)
		}
		s.keys("space", "enter")
		s.sees("all 12 that Rewst asks for")
		if g := s.app.w.answers.GDAP; g.Roles != nil {
			t.Errorf("roles: %q", g.Roles)
		}
	})
}

func TestGDAPTexts(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toGDAP()
		s.ask(gdapRelation)
		s.sees("for Adatum: Rewst GDAP - Adatum")
		s.clear()
		s.types("MSP {customer}")
		s.sees("for Adatum: MSP Adatum")
		s.ask(gdapDays)
		s.clear()
		s.types("800")
		s.keys("enter")
		s.on(pageGDAP)
		s.sees("Mend this first: Days.", "a relationship lasts 1 to 730 days")
		s.clear()
		s.types("365")
		s.keys("enter")
		s.on(pagePlan)
		if g := s.app.w.plan.Answers.GDAP; g.Days != 365 || g.RelationshipName != "MSP {customer}" {
			t.Errorf("planned for %+v", g)
		}
	})
}

// A check that blocks is shown at the question that mends it.
func TestGDAPBlocked(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.delegation.Account = "" }, func(s *story) {
		s.toGDAP()
		if at := s.app.screen.(*gdap).focus.item; at != gdapAccount {
			t.Errorf("the cursor is on %q", s.app.screen.(*gdap).label(at))
		}
		s.keys("enter")
		s.on(pageGDAP)
		s.sees("This has to be mended first: Account for the customers.")
		s.f.delegation.Account = "99999999-0000-0000-0000-000000000001"
		s.clear()
		s.types("automation")
		s.sees("enter reads the tenant for this")
		s.keys("enter", "enter")
		s.on(pagePlan)
		if n := len(s.f.tenantReads); n != 2 {
			t.Errorf("read %d times, want twice", n)
		}
	})
}

// The stage takes the account of the stage before, and leaves the others' answers
// as they are.
func TestGDAPAfterAccount(t *testing.T) {
	tell(t, func(_ *fake, c *Config) {
		account := state.DefaultServiceAccount()
		account.Username = "automation"
		c.Answers.ServiceAccount = &account
	}, func(s *story) {
		s.toAccount()
		s.keys("enter", "A")
		s.on(pageResult)
		s.press(s.app.screen.(*result).keys.Reveal, s.app.screen.(*result).keys.Next)
		s.on(pageGDAP)
		if got := s.f.tenantReads[len(s.f.tenantReads)-1]; got.GDAP == nil || got.GDAP.Account != "automation" || got.ServiceAccount != nil {
			t.Errorf("read for %+v", got.GDAP)
		}
		s.misses("Account for")
		s.keys("enter", "A")
		s.on(pageResult)
		s.keys("q")
		if last := s.f.saved[len(s.f.saved)-1]; last.GDAP == nil || last.ServiceAccount == nil || last.ServiceAccount.Username != "automation" {
			t.Errorf("saved: %+v", last)
		}
	})
}

// A plan for a thousand customers is shown closed, and stays quick.
func TestGDAPPlanOfMany(t *testing.T) {
	tell(t, manyCase, func(s *story) {
		s.toGDAP()
		s.keys("enter")
		s.on(pagePlan)
		p := s.app.screen.(*plan)
		if n := len(p.plan.Changes); n < 13000 {
			t.Fatalf("only %d changes", n)
		}
		s.sees("▸ Relationships with customers", "▸ Roles at customers, once they approve")
		s.press(p.keys.Sort)
		s.sees("▸ Adatum", "by kind")
		s.keys("down", "down", "right", "down", "enter")
		s.sees("Method", "What the ids stand for", "role Application Administrator: 9b895d92")
		s.keys("esc", "c")
		s.sees("▸ Relationships with customers")
		begin := time.Now()
		s.keys("end")
		s.sees("[ Apply 13")
		if d := time.Since(begin); d > 0 {
			t.Errorf("took %v", d)
		}
	})
}

func manyCase(f *fake, _ *Config) { manyCustomers(1000)(f) }

// Leaving while customers are waited for loses nothing and is no failure.
func TestLinesGDAP(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) {
		f.outcome = delegationResult(2)
		f.applyErr = &steps.Waiting{Problem: steps.Problem{What: "2 customers did not approve yet"}}
	}, func(x *talk) {
		x.types("3")
		x.hears("There is: 6 customers: 1 complete, 1 waiting, 4 to be asked.", "1. Adatum: no relationship. Proposed: a new relationship.", "Customers:", "2. Chosen ones.")
		x.types("2")
		x.hears("Type a number to take a customer")
		x.types("")
		x.hears("Nobody is chosen yet.")
		x.types("find toys")
		x.hears("Wingtip Toys, wingtip.example: was ended. Proposed: a new relationship.")
		x.types("1")
		x.hears("Chosen: Adatum.")
		x.types("")
		x.hears("Roles asked for: all 12", "1. ")
		x.types("1")
		x.hears("11 of 12")
		x.types("1", "", "", "", "MSP {customer}")
		x.hears("For Adatum: MSP Adatum.")
		x.types("", "", "")
		x.hears("wait until 1 customer has approved")
		x.types("", "yes")
		x.hears("2 customers have yet to approve.", "Press Enter to finish")
		x.types("waiting")
		x.hears("A Global Administrator of the customer's own tenant", "1. Litware 0000: waits for approval, for 6 days", steps.InvitationLink(relationID(0)))
		x.types("mail 2")
		x.hears("Litware 0001: please approve")
		x.types("reminded 1")
		x.hears("Noted: Litware 0000 was reminded today.")
		x.types("export /tmp/mails")
		x.hears("2 mails and a table: /tmp/mails/invitations.csv")
		x.types("mail 9")
		x.hears("That is not understood.")
		x.types("")
		x.leaves(Waits)
		if p := x.f.applied[0]; p.Answers.GDAP == nil || len(p.Answers.GDAP.Customers) != 1 || p.Answers.GDAP.RelationshipName != "MSP {customer}" {
			t.Errorf("planned for %+v", p.Answers.GDAP)
		}
	})
}

// What the stages ask of each other's answers stays as it is.
func TestStagesKeepGDAP(t *testing.T) {
	tell(t, func(_ *fake, c *Config) {
		g := state.DefaultGDAP()
		g.Days = 100
		c.Answers.GDAP = &g
	}, func(s *story) {
		s.toAccount()
		s.focus(readyMFA)
		s.keys("right", "enter")
		s.on(pagePlan)
		if got := s.f.tenantReads[0]; got.GDAP != nil || s.app.w.plan.Answers.GDAP != nil {
			t.Error("the customers have a part in the stage before")
		}
		if g := s.f.saved[len(s.f.saved)-1].GDAP; g == nil || g.Days != 100 {
			t.Errorf("saved: %+v", g)
		}
	})
}

// awaited is a setup that was left while a customer was waited for, who has yet to
// approve, while others would be asked now.
// Whoever comes back to customers who were waited for is led to them at once, and
// nothing is written that was not agreed to before.
// A look that fails, or is not waited for, leads back.
// In lines every plan is shown before it is carried out.
// What was noted by mistake is taken back, to what it was before.
// Customers that failed stand beside those who are waited for, with what to do.
// Who has approved, or cannot yet, is not said to have to.
// After a run the questions are no dead end.
// Who the customers are does not hang on which account is to serve.
func TestGDAPCustomersStayKnown(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toGDAP()
		s.ask(gdapAccount)
		s.types("2")
		s.sees("6 customers: 1 complete", "reads the tenant for this")
		s.ask(gdapTable)
		s.keys("space")
		s.sees("Adatum")
	})
}
