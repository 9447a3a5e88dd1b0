package ui

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/msclient"
	"msbundle/state"
	"msbundle/steps"
)

// toCustomers opens the stage about customers' tenants from the first screen.
func (s *story) toCustomers() {
	s.keys("home", "down", "down", "down", "enter")
	s.on(pageCustomers)
}

// organizationsFile has the organisations of most customers, one of them twice.
func organizationsFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "organizations.csv")
	text := "organizationName,domain,tenantId\n" +
		"Adatum,," + customerID(0) + "\nFabrikam Inc,customer1.example,\nNorthwind,,\nProseware,customer3.example,\nBellows,,\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// listed gives the file with Rewst's organisations.
func (s *story) listed(path string) {
	s.keys("o")
	s.types(path)
	s.keys("enter")
}

// mapped is what a customer is linked to.
func (s *story) mapped(i int) []string {
	m := s.app.w.clients.mapping
	var out []string
	for _, n := range m.Rows()[i].Organizations {
		out = append(out, m.Organizations()[n].Name)
	}
	return out
}

func TestCustomersMapping(t *testing.T) {
	path := organizationsFile(t)
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.sees("Adatum", "6 not looked at", "0 of 6 have an organisation")
		s.listed(path)
		s.sees("5 organisations read", "suggested")
		if got := s.app.w.answers.Customers.Mapping; got != path {
			t.Errorf("the answers name %q", got)
		}
		s.keys("z", "a")
		if got := s.mapped(0); !slices.Equal(got, []string{"Adatum"}) {
			t.Errorf("accepted %q", got)
		}
		s.keys("A")
		if got := s.mapped(1); !slices.Equal(got, []string{"Fabrikam Inc"}) {
			t.Errorf("accepted %q", got)
		}
		// A second customer on one organisation is an error on both rows.
		s.keys("home", "down", "down", "enter")
		s.sees("Which organisation in Rewst is Northwind Traders?")
		s.types("adat")
		s.sees("has Adatum")
		s.keys("enter")
		s.sees("✗ Adatum")
		m := s.app.w.clients.mapping
		if m.State(0) != steps.RowShared || m.State(2) != steps.RowShared {
			t.Errorf("states %v and %v", m.State(0), m.State(2))
		}
		s.keys("home", "down", "down", "u")
		if m.State(0) != steps.RowLinked || m.State(2) != steps.RowSuggested {
			t.Errorf("states %v and %v", m.State(0), m.State(2))
		}
		// Several organisations, one of them typed.
		s.keys("end", "m")
		s.types("Brand new one")
		s.keys("tab")
		s.types("bell")
		s.keys("tab", "esc", "esc")
		if got := s.mapped(5); !slices.Equal(got, []string{"Brand new one", "Bellows"}) {
			t.Errorf("linked %q", got)
		}
		s.keys("up", "n")
		s.sees("none, by hand")
		s.pass(time.Second)
		kept := s.f.clients.kept
		if len(kept) == 0 || len(kept[len(kept)-1].Links) != 6 || len(kept[len(kept)-1].Typed) != 1 {
			t.Fatalf("kept %d times, last %+v", len(kept), kept)
		}
	})
}

// An edit is kept though the program ends at once.
func TestCustomersKeptAtTheEnd(t *testing.T) {
	var f *fake
	tell(t, func(g *fake, _ *Config) { f = g }, func(s *story) {
		s.toCustomers()
		s.keys("n", "ctrl+c")
		if !s.ended {
			t.Error("it goes on")
		}
	})
	if n := len(f.clients.kept); n != 1 {
		t.Errorf("kept %d times, want once", n)
	}
}

func TestCustomersFilter(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.clients.shut = map[string]steps.Shield{customerID(4): noWayIn()} }, func(s *story) {
		s.toCustomers()
		s.keys("/")
		s.types("toys")
		s.sees("Tailspin Toys", "Wingtip Toys")
		s.misses("Adatum")
		s.keys("esc", "R")
		s.sees("Looked at 6 customers: 5 blue, 1 red", "✗ red")
		s.keys("v")
		s.sees("Which customers are shown?")
		s.keys("end", "enter")
		s.sees("only failed: 1 customer", "Tailspin Toys")
		s.misses("Adatum")
		s.keys("f")
		if last := s.f.clients.looked[1]; !slices.Equal(last, []string{customerID(4)}) {
			t.Errorf("looked at %q", last)
		}
		s.keys("esc", "r")
		if last := s.f.clients.looked[2]; len(last) != 1 {
			t.Errorf("looked at %q, want one", last)
		}
	})
}

// A look that shows more domains makes suggestions certain, and takes no choice away.
func TestCustomersRematched(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.clients.keeps = state.Mapping{Typed: []state.Organization{{Name: "Old name of it", Domain: "fabrikam.example"}, {Name: "Other"}}}
		f.clients.domains = map[string]string{customerID(1): "fabrikam.example"}
	}, func(s *story) {
		s.toCustomers()
		s.keys("n", "R")
		m := s.app.w.clients.mapping
		if m.State(0) != steps.RowDeclined || m.State(1) != steps.RowLinked {
			t.Errorf("states %v and %v", m.State(0), m.State(1))
		}
		s.sees("6 blue")
	})
}

// The default leaves the consent to Rewst, and writes nothing.
func TestCustomersOnlyLooked(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("*", "c")
		s.sees("its own shield still", "Leave the consent to Rewst")
		s.keys("enter")
		s.sees("Looked at 6 customers")
		if c := s.f.clients; len(c.looked) != 1 || c.lookedFor[0].Consents() || len(c.did) > 0 {
			t.Errorf("looked %v for %+v and did %v", c.looked, c.lookedFor, c.did)
		}
	})
}

func TestCustomersConsent(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.clients.refuse = map[string]*steps.Problem{customerID(1): agentsMissing}
		f.clients.shut = map[string]steps.Shield{customerID(4): noWayIn()}
	}, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter")
		s.sees("at 5 of 6 customers; 1 is left out, see below.", "4 writes in your own", "Tailspin Toys: The relationship is terminated.")
		s.keys("enter")
		s.sees("sign-ins may come back to this computer", "for this run, vali")
		s.keys("esc", "down", "enter")
		s.sees("consent to the app", "critical", "POST /v1/customers/"+customerID(0)+"/applicationconsents")
		s.keys("enter")
		s.sees("Method", "applicationGrants")
		s.keys("esc", "esc")
		if len(s.f.clients.did) > 0 {
			t.Fatalf("done before it was agreed to: %v", s.f.clients.did)
		}
		s.keys("A")
		s.sees("2 customers failed.", "Fabrikam: The account is not a member of AdminAgents. Add the account", "Tailspin Toys: The relationship is terminated", "Press the shield of each customer in Rewst")
		if got := s.f.clients.did; got[0] != "open" || got[len(got)-1] != "close" || len(got) != 6 {
			t.Errorf("done: %v", got)
		}
		if a := s.app.w.answers.Customers; !a.All {
			t.Errorf("answers: %+v", a)
		}
		if s.app.Outcome() != Partial || s.app.Err() == nil || !strings.Contains(s.app.Summary(), "Fabrikam: The account is not a member") {
			t.Errorf("outcome %d, %v\n%s", s.app.Outcome(), s.app.Err(), s.app.Summary())
		}
		// One is mended; only the failed ones are gone through again.
		delete(s.f.clients.refuse, customerID(1))
		s.keys("f")
		if last := s.f.clients.looked[len(s.f.clients.looked)-1]; !slices.Equal(last, []string{customerID(1), customerID(4)}) {
			t.Errorf("looked at %q", last)
		}
		s.sees("at 1 of 2 customers; 1 is left out")
		s.keys("A")
		s.sees("1 customer failed.", "5 green, 1 red")
		s.keys("q")
		s.sees("Leave msbundle?")
		if s.ended {
			t.Error("it ended unasked")
		}
		s.keys("y")
		if !s.ended {
			t.Error("it goes on")
		}
	})
}

// Pausing holds the next customer; stopping keeps what was done, and closes the
// app's sign-in.
func TestCustomersPauseAndStop(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {}, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter")
		s.f.clients.step = make(chan struct{})
		s.keys("A")
		s.sees("Consenting: 0 of 6 customers", "Adatum", "reading")
		s.f.clients.step <- struct{}{}
		s.pass(time.Second)
		s.sees("1 of 6 customers, 60 a minute", "1 green")
		s.misses("left") // one says little
		s.f.clients.step <- struct{}{}
		s.f.clients.step <- struct{}{}
		s.pass(time.Second)
		s.sees("3 of 6 customers, 60 a minute, about 2 s left", "3 green")
		s.keys("p")
		s.sees("Paused", "p goes on")
		s.keys("p", "esc", "s")
		s.sees("3 blue")
		if got := s.f.clients.did; !slices.Equal(got, []string{"open", customerID(0), customerID(1), customerID(2), "close"}) {
			t.Errorf("done: %v", got)
		}
	})
}

// Leaving in the middle closes the app's sign-in first.
func TestCustomersLeft(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter")
		s.f.clients.step = make(chan struct{})
		s.keys("A", "ctrl+c")
		s.sees("Leave while changes are being written?")
		s.keys("y")
		if got := s.f.clients.did; !s.ended || !slices.Equal(got, []string{"open", "close"}) {
			t.Errorf("ended %v, done: %v", s.ended, got)
		}
	})
}

// Leaving before the second plan closes it, too, and so does a program that ends
// without being asked.
func TestCustomersLeftOpen(t *testing.T) {
	tell(t, somePolicies, func(s *story) {
		s.toCustomers()
		s.keys("c", "x", "down", "enter", "A", "ctrl+c")
		s.sees("The app's own sign-in is open")
		s.keys("y")
		if got := s.f.clients.did; !s.ended || got[len(got)-1] != "close" {
			t.Errorf("ended %v, done: %v", s.ended, got)
		}
	})
	var f *fake
	tell(t, func(g *fake, _ *Config) { f = g }, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter")
		s.f.clients.step = make(chan struct{})
		s.keys("A", "p")
		s.app.Stop(StopLimit)
		if text := s.app.Summary(); strings.Contains(text, "may still be open") {
			t.Errorf("summary:\n%s", text)
		}
	})
	if got := f.clients.did; !slices.Equal(got, []string{"open", "close"}) {
		t.Errorf("done: %v", got)
	}
}

// The process does not end in the middle of closing it, however long a write before
// that takes.
func TestCustomersStopWaitsForClosing(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.clients.slow = true }, func(s *story) {
		s.toCustomers()
		s.keys("*", "c", "down", "enter")
		s.f.clients.step = make(chan struct{}, 1)
		s.f.clients.step <- struct{}{} // one customer is being written at
		s.keys("A")
		s.app.Stop(StopLimit)
		got := s.f.clients.did
		time.Sleep(StopLimit) // whatever was not waited for
		if !slices.Equal(got, []string{"open", customerID(0), "close", "closed"}) {
			t.Errorf("done: %v", got)
		}
		if text := s.app.Summary(); strings.Contains(text, "may still be open") {
			t.Errorf("summary:\n%s", text)
		}
	})
	// So it is in lines.
	talking(t, func(f *fake, _ *Config, _ *Console) { f.clients.slow = true }, func(x *talk) {
		x.toCustomers()
		x.types("consent 1", "here", "yes")
		x.stop()
		<-x.ended
		got := x.f.clients.did
		time.Sleep(StopLimit)
		if !slices.Equal(got, []string{"open", customerID(0), "close", "closed"}) {
			t.Errorf("in lines: %v", got)
		}
	})
}

// With policies to be excluded from, a second plan is shown while the app's sign-in
// is open; either answer closes it.
func TestCustomersPolicies(t *testing.T) {
	for _, key := range []string{"A", "n"} {
		tell(t, somePolicies, func(s *story) {
			s.toCustomers()
			s.keys("c", "x", "down", "enter")
			s.sees("Conditional Access is looked at after that")
			s.keys("A")
			s.sees("more writes at 1 customer")
			if got := s.f.clients.did; slices.Contains(got, "close") {
				t.Errorf("done: %v", got)
			}
			s.keys("esc")
			s.sees("The app's sign-in is still open")
			s.keys(key)
			if got := s.f.clients.did; got[len(got)-1] != "close" {
				t.Errorf("done: %v", got)
			}
			s.sees("5 not looked at")
		})
	}
}

// What shows only once something was written is written in the same run.
func TestCustomersLookedAtAfterWriting(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.clients.late = true }, func(s *story) {
		s.toCustomers()
		s.keys("c", "down", "enter")
		s.misses("Conditional Access is looked at after that")
		s.keys("A")
		s.sees("more writes at 1 customer")
		s.keys("A")
		if got := s.f.clients.did; !slices.Equal(got, []string{"open", customerID(0), customerID(0), "close"}) {
			t.Errorf("done: %v", got)
		}
	})
}

func TestCustomersFailures(t *testing.T) {
	refused := &steps.Problem{What: "the sign-in with the app did not come about", Do: "Try again.", Err: errors.New("no")}
	tell(t, func(f *fake, _ *Config) { f.clients.openErr = refused; f.clients.closeErr = refused }, func(s *story) {
		s.toCustomers()
		s.keys("c", "down", "enter", "A")
		s.sees("Stopped", "Not closed", "The sign-in with the app did not come about")
		if got := s.f.clients.did; !slices.Equal(got, []string{"open", "close"}) {
			t.Errorf("done: %v", got)
		}
		if s.app.Outcome() != Partial {
			t.Errorf("outcome %d", s.app.Outcome())
		}
	})
	tell(t, func(f *fake, _ *Config) { f.clients.lookErr = refused }, func(s *story) {
		s.keys("down", "down", "down", "enter")
		s.sees("The sign-in with the app did not come about.", "looks again")
		s.f.clients.lookErr = nil
		s.keys("r")
		s.sees("Adatum")
	})
	tell(t, func(f *fake, _ *Config) { f.clients.keepErr = refused }, func(s *story) {
		s.toCustomers()
		s.keys("n")
		s.pass(time.Second)
		s.sees("✗ the sign-in with the app did not come about")
	})
}

// A sign-in asked for in the middle stands in the panel; without it nothing was
// seen, and that is said.
func TestCustomersPrompt(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.clients.asks = &steps.Prompt{Why: "customers' tenants, which Microsoft's Azure CLI reads", App: "Microsoft Azure CLI"}
	}, func(s *story) {
		s.toCustomers()
		s.keys("R")
		s.sees("Customers' tenants, which Microsoft's Azure CLI reads")
		s.f.moreDone <- nil
		s.settle()
		s.pass(time.Second)
		s.sees("6 blue")
		s.keys("R")
		s.f.moreDone <- msclient.ErrSkipped
		s.settle()
	})
}

// Without answers about an app there is nothing to consent to: the stage that asks
// for them is a key away.
func TestCustomersWithoutAnswers(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.clients.lookErr = &steps.Problem{What: "the answers do not say it", Err: steps.ErrNoPermissions}
	}, func(s *story) {
		s.toCustomers()
		s.sees("New setup comes first", "go to New setup")
		s.keys("enter")
		s.on(pageIntegrations)
	})
}

// A plan that was declined leaves the answers as they were.
func TestCustomersDeclined(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("c", "down", "enter", "esc")
		s.sees("Nothing was written.")
		if c := s.app.w.answers.Customers; c != nil && c.Consents() || len(s.f.clients.did) > 0 {
			t.Errorf("answers %+v, done %v", c, s.f.clients.did)
		}
	})
}

func TestCustomersConnector(t *testing.T) {
	tell(t, func(_ *fake, c *Config) { c.Answers.Registration.Kind = state.KindConnector }, func(s *story) {
		s.toCustomers()
		s.keys("c")
		s.sees("Rewst's connector is consented to in Rewst only")
		s.misses("through Partner Center")
		s.keys("w")
		if !slices.Contains(s.urls, "https://app.rewst.io") {
			t.Errorf("opened %q", s.urls)
		}
	})
}

func TestCustomersDetailAndDirect(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("R", "i")
		s.sees("Way in", "The app", "not consented to there", "Consent to it here")
		s.keys("esc", "d")
		s.sees("msbundle apply -f direct.yaml --password-out password.txt", "route: direct", "AADSTS65001")
		s.keys("c", "f")
		if !slices.Contains(s.clip, "msbundle apply -f direct.yaml --password-out password.txt") {
			t.Errorf("copied %q", s.clip)
		}
		if a, err := state.ParseAnswers("direct.yaml", []byte(s.clip[len(s.clip)-1])); err != nil || !a.Customers.Direct || !a.Customers.Chosen(customerID(0), []string{"customer0.example"}) {
			t.Errorf("copied %q: %v", s.clip, err)
		}
	})
}

func TestCustomersExport(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toCustomers()
		s.keys("e", "enter")
		s.sees("mapping.csv, mapping.json are in /home/alex")
		if got := s.f.exported; !slices.Equal(got, []string{"mapping to /home/alex/.local/state/msbundle/contoso/mapping"}) {
			t.Errorf("exported %q", got)
		}
		s.f.exportErr = errors.New("the disk is full")
		s.keys("e", "enter")
		s.sees("✗")
	})
}
