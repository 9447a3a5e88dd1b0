package ui

import (
	"slices"
	"strings"
	"testing"

	"msbundle/steps"
)

// typed links the customer under the cursor to an organisation nobody knows.
func (s *story) typed(name string) {
	s.keys("m")
	s.types(name)
	s.keys("enter")
}

// What a key takes from a customer is said, and z gives it back.
func TestCustomersEditTakenBack(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("home")
		s.typed("By hand")
		m, has := s.app.w.clients.mapping, func() bool { return slices.Equal(s.mapped(0), []string{"By hand"}) && s.app.w.clients.row(0).ByHand }
		for _, key := range []string{"n", "u"} {
			s.keys("home", key)
			s.sees("z takes that back.", ", before: By hand.", map[string]string{"n": "Adatum is to have none", "u": "Adatum has no organisation now"}[key])
			if has() {
				t.Fatalf("%s takes nothing", key)
			}
			s.keys("z")
			s.sees("Adatum is as before: By hand.")
			if !has() {
				t.Errorf("%s, z: linked %q", key, s.mapped(0))
			}
		}
		// Pressed twice, n hits nobody else and takes nothing.
		s.keys("n", "n")
		if at := s.app.screen.(*customers).table.current(); at != 0 || !has() {
			t.Errorf("the cursor is on %d, linked %q", at, s.mapped(0))
		}
		s.keys("n", "down", "n", "up")
		s.sees("none, by hand")
		s.keys("n") // by now something else would be taken back
		s.sees("Adatum has no organisation now. z takes that back.")
		if m.State(0) != steps.RowOpen || m.State(1) != steps.RowDeclined {
			t.Errorf("states %v and %v", m.State(0), m.State(1))
		}
		s.keys("z", "end")
		s.typed("Else")
		s.keys("z")
		if m.State(0) != steps.RowDeclined || len(s.mapped(5)) > 0 {
			t.Errorf("%v, %q", m.State(0), s.mapped(5))
		}
	})
	talking(t, nil, func(x *talk) {
		x.toCustomers()
		x.types("link 1 By hand", "none 1")
		x.hears("Adatum: none, by hand.")
		x.types("undo")
		x.hears("Adatum is as before: By hand.")
		x.types("undo")
		x.hears("not understood")
	})
}

// What was linked by itself is that again.
func TestCustomersEditTakenBackByItself(t *testing.T) {
	path := organizationsFile(t)
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.listed(path)
		was := s.app.w.clients.mapping.Kept().Links
		for _, key := range []string{"n", "u"} {
			s.keys("home", key, "z")
			if now := s.app.w.clients.mapping.Kept().Links; len(now) != len(was) || now[customerID(0)].ByHand || !slices.Equal(now[customerID(0)].Organizations, was[customerID(0)].Organizations) {
				t.Errorf("%s, z: %+v, want %+v", key, now, was)
			}
		}
		s.keys("z")
		s.sees("3 links were taken back")
	})
}

// Where something is wrong the key that mends it, and what the mark means, are on
// small screens.
func TestCustomersWrongIsMended(t *testing.T) {
	path := organizationsFile(t)
	for _, size := range [][2]int{{80, 24}, {60, 20}} {
		tell(t, nil, func(s *story) {
			s.size(size[0], size[1])
			s.toCustomers()
			s.listed(path)
			s.keys("home", "down", "m")
			s.types("adatum")
			s.keys("enter")
			s.sees("✗ shared or gone")
			lines := strings.Split(s.text(), "\n")
			if last := lines[len(lines)-1]; !strings.Contains(last, "u unlink") {
				t.Errorf("%v: the keys are %q", size, last)
			}
			s.keys("v", "down", "down", "down", "enter")
			s.sees("only wrong in the mapping: 2 customers", "✗ shared")
			s.misses("to be confirmed")
		})
	}
}

// The customers stand by name, also where they are listed anew.
func TestCustomersByName(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.clients.rows[0].Name, f.clients.rows[1].Name, f.clients.rows[2].Name = "woodgrove", "", "Alpine Ski House"
	}, func(s *story) {
		sorted := func() {
			t.Helper()
			var names []string
			for _, r := range s.app.w.clients.mapping.Rows() {
				names = append(names, shownName(r.Customer))
			}
			if want := []string{"Alpine Ski House", "customer1.example", "Proseware", "Tailspin Toys", "Wingtip Toys", "woodgrove"}; !slices.Equal(names, want) {
				t.Errorf("the customers are %q", names)
			}
		}
		s.toCustomers()
		sorted()
		s.f.clients.shut = map[string]steps.Shield{customerID(2): noWayIn()}
		s.keys("R", "f") // which lists them anew
		if s.f.clients.listed != 2 {
			t.Errorf("listed %d times", s.f.clients.listed)
		}
		sorted()
	})
}

// failing lets a consent fail at two customers, one of which can be retried.
func (s *story) failing() {
	s.toCustomers()
	s.keys("*", "c", "down", "enter", "A")
	s.sees("2 customers failed.")
}

// Who comes back to the list after a failure sees what failed, and the way to retry it.
func TestCustomersBackToFailed(t *testing.T) {
	tell(t, failTwo, func(s *story) {
		s.failing()
		shown := func() {
			t.Helper()
			s.sees("2 customers failed: f looks again, c then consents.", "only failed: 2 customers", "Fabrikam", "Tailspin Toys")
			s.misses("Adatum")
		}
		s.keys("esc")
		shown()
		s.keys("esc")
		s.sees("Adatum", "2 customers failed: f looks again")
		s.keys("esc")
		s.on(pageStart)
		s.keys("down", "down", "down", "enter")
		shown()
		s.size(60, 20)
		s.sees("2 customers failed: f looks again, c then consents.")
		delete(s.f.clients.refuse, customerID(1))
		s.keys("f")
		s.sees("Looked at 2 customers", "1 of them can be consented to, and is chosen", "1 chosen")
		s.keys("c")
		s.sees("› Consent here")
		s.keys("enter")
		if last := s.f.clients.looked[len(s.f.clients.looked)-1]; !slices.Equal(last, []string{customerID(1)}) {
			t.Errorf("planned for %q", last)
		}
		s.keys("A")
		s.sees("1 customer failed.")
		delete(s.f.clients.shut, customerID(4))
		s.keys("f", "A", "esc") // all is shown again
		s.sees("Adatum", "6 green")
		s.misses("failed")
	})
}

// A setup that is resumed for what failed at customers begins with those.
func TestCustomersResumedAtFailed(t *testing.T) {
	some := func(f *fake, c *Config) {
		earlier(f, c)
		f.resumed = c.Answers
		f.open = []steps.Unfinished{{TenantID: fakeAccount().TenantID, Name: "Contoso", About: "consent at 2 customers", Left: "what failed there", Stage: steps.StageCustomers}}
	}
	tell(t, some, func(s *story) {
		s.keys("home", "down", "enter")
		s.on(pageCustomers)
		s.sees("3 customers failed: f looks again", "only failed: 3 customers")
		s.misses("Proseware")
		s.keys("f")
		s.sees("3 of them can be consented to, and are chosen: c does that.")
	})
	tell(t, some, func(s *story) { // others see all
		s.keys("home", "down", "down", "down", "down", "enter")
		s.sees("3 customers failed: f looks again", "Proseware")
	})
	talking(t, func(f *fake, c *Config, _ *Console) { some(f, c) }, func(x *talk) {
		x.types("2")
		x.hears("3 customers failed: list failed says them")
	})
}

// A plan says how many of those that were chosen are left out, where it is seen.
func TestCustomersPlanLeavesOut(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {60, 20}} {
		tell(t, func(f *fake, c *Config) {
			f.clients.rows = clientRows(60)
			failTwo(f, c)
		}, func(s *story) {
			s.size(size[0], size[1])
			s.toCustomers()
			s.keys("*", "c", "down", "enter")
			s.sees("at 59 of 60 customers; 1 is left out, see below.", "Tailspin Toys: The relationship is terminated.")
		})
	}
}

// How long still is seen on small screens.
func TestCustomersTimeLeft(t *testing.T) {
	x := newClientWork(workPlan, epoch, 1000)
	x.left, x.rate, x.rest, x.told = 400, 1550, 3e11, epoch
	for width, want := range map[int]string{
		80: "600 of 1,000 customers, 1,550 a minute, about 5 min 0 s left",
		50: "600 of 1,000 customers, about 5 min 0 s left",
		40: "600 of 1,000, about 5 min 0 s left",
	} {
		if got := x.within(epoch, width); got != want {
			t.Errorf("%d: %q, want %q", width, got, want)
		}
	}
}
