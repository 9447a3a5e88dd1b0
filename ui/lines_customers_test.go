package ui

import (
	"slices"
	"testing"
	"testing/synctest"

	"msbundle/steps"
)

func (x *talk) toCustomers() { x.types("4") }

func TestLinesCustomers(t *testing.T) {
	path := organizationsFile(t)
	talking(t, func(f *fake, _ *Config, _ *Console) { refuseOne(f); shutOne(f) }, func(x *talk) {
		x.toCustomers()
		x.hears("Shields: 6 not looked at.", "1. Adatum, customer0.example. Organisation: none yet", "Type list, look, consent")
		x.types("file " + path)
		x.hears("5 organisations read")
		x.types("accept all")
		x.hears("taken", "list suggested")
		x.types("link 6 Brand new")
		x.hears("Wingtip Toys: Brand new.")
		x.types("link 5 Brand new")
		x.hears("Brand new is linked to Wingtip Toys too")
		x.types("list wrong")
		x.hears("5. Tailspin Toys", "6. Wingtip Toys")
		x.types("none 5")
		x.hears("Tailspin Toys: none, by hand.")
		x.types("look all")
		x.hears("Adatum: blue. 1 of 6.", "Shields: 5 blue, 1 red.")
		x.types("show 1")
		x.hears("The app: failed.", "Consent to it here")
		x.types("consent all")
		x.hears("its own shield still has to be pressed", "Press Enter to leave the consent to Rewst and only look, or type here")
		if len(x.f.clients.did) > 0 {
			t.Errorf("done: %v", x.f.clients.did)
		}
		x.types("here")
		x.hears("writes at 5 of 6 customers; 1 is left out, see below.", "In your own tenant, 1: Change app registration", "5. Tailspin Toys: nothing is written. The relationship is terminated.", "Type yes to go ahead")
		x.types("show 1")
		x.hears("Method: POST", "applicationconsents")
		x.types("no")
		x.hears("Declined. Nothing was written.")
		if len(x.f.clients.did) > 0 {
			t.Errorf("done: %v", x.f.clients.did)
		}
		x.types("consent all", "here", "yes")
		x.hears("Opening the app's own sign-in.", "Failed: Fabrikam: The account is not a member of AdminAgents.", "Closing the app's own sign-in.", "2 customers failed.", "Press the shield of each customer in Rewst")
		delete(x.f.clients.refuse, customerID(1))
		x.types("retry")
		x.hears("at 1 of 2 customers; 1 is left out", "5. Tailspin Toys: nothing is written.")
		if last := x.f.clients.looked[len(x.f.clients.looked)-1]; !slices.Equal(last, []string{customerID(1), customerID(4)}) {
			t.Errorf("looked at %q", last)
		}
		x.types("yes")
		x.hears("Fabrikam: green. 1 of 1.", "1 customer failed.")
		x.types("direct 1")
		x.hears("route: direct", "msbundle apply -f direct.yaml --password-out password.txt")
		x.types("nonsense")
		x.hears("not understood")
		x.types("")
		x.leaves(Partial)
		if n := len(x.f.clients.kept); n == 0 {
			t.Error("the mapping was not kept")
		}
	})
}

// Whoever only looks writes nothing, and the end of the input is no word of
// agreement.
func TestLinesCustomersDeclined(t *testing.T) {
	talking(t, nil, func(x *talk) {
		x.toCustomers()
		x.types("consent 1 2", "")
		x.hears("Adatum: blue", "Fabrikam: blue. 2 of 2.")
		x.types("consent 1", "here")
		close(x.in)
		synctest.Wait()
		x.leaves(Declined)
		if len(x.f.clients.did) > 0 {
			t.Errorf("done: %v", x.f.clients.did)
		}
	})
}

// A second plan is agreed to as well; declined, the app's sign-in is closed all the
// same.
func TestLinesCustomersPolicies(t *testing.T) {
	for _, word := range []string{"yes", "no"} {
		talking(t, func(f *fake, c *Config, _ *Console) { somePolicies(f, c) }, func(x *talk) {
			x.toCustomers()
			x.types("exclude", "consent 1", "here", "yes")
			x.hears("Seen as the app")
			if got := x.f.clients.did; slices.Contains(got, "close") {
				t.Errorf("done: %v", got)
			}
			x.types(word)
			x.hears("Closing the app's own sign-in")
			if got := x.f.clients.did; got[len(got)-1] != "close" {
				t.Errorf("done: %v", got)
			}
		})
	}
}

func TestLinesCustomersFailing(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) {
		f.clients.lookErr = &steps.Problem{What: "no list", Do: "Try again."}
	}, func(x *talk) {
		x.toCustomers()
		x.hears("No list", "Press Enter to look again")
		x.f.clients.lookErr = nil
		x.types("")
		x.hears("1. Adatum")
	})
}
