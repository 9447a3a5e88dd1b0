package cli

import (
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/sandbox"
)

// What was taken back at a customer is not told as there any more.
func TestShieldsAfterUndo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.run("apply", "-f", w.consenting("consent: all"), "--yes").must(t, exitDone)
		w.in = strings.NewReader("yes\nyes\n") // the partner's own stays
		w.run("undo", "--accessible")
		w.in = nil
		r := w.run("customers").must(t, exitDone)
		if !strings.Contains(r.out, "3 customers: 3 not looked at") || !strings.Contains(r.out, "was taken back") {
			t.Errorf("how they stand:\n%s", r.out)
		}
		r = w.run("customers", "--look", "all").must(t, exitDone)
		if !strings.Contains(r.out, "3 customers: 3 blue") {
			t.Errorf("looked at again:\n%s", r.out)
		}
	})
}

// Where somebody deleted the app registration only the app's own part cannot be taken
// back any more, which is said.
func TestUndoAtCustomersWithoutTheApp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		scenario, section string
		code, principals  int
		says              []string
	}{
		{"customers-ready", "consent: all", exitDone, 0, []string{"There is no app registration", "3 writes at 3 customers", "Taken back at 3 customers."}},
		{"customer-policies", "consent: all, exclude: true", exitFailed, 0, []string{
			"Fabrikam: Kept: what this program wrote in Conditional Access", `left is: Conditional Access policy "Sign in every hour"`, "Only the app sees and changes that",
			"written at 1 customer is still there", "--leave-customers",
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := rehearsalOf(t, sandbox.Options{Scenario: tt.scenario, Customers: 3})
			w.run("apply", "-f", w.consenting(tt.section), "--yes").must(t, exitDone)
			w.appDeleted()
			for range 2 { // said each time
				r := w.run("undo", "--yes").must(t, tt.code)
				for _, words := range tt.says {
					if !strings.Contains(r.err, words) {
						t.Errorf("it does not say %q:\n%s", words, r.err)
					}
				}
				if tt.code == exitDone {
					tt.says = nil
				}
			}
			principals := 0
			for _, x := range w.ofCustomers() {
				principals += len(x.ServicePrincipals)
			}
			if principals != tt.principals {
				t.Errorf("%d enterprise applications are left, want %d", principals, tt.principals)
			}
			w.run("undo", "--yes", "--leave-customers").must(t, exitDone)
		})
	}
}

// appDeleted is somebody who deletes the app registration in the portal.
func (w *world) appDeleted() {
	w.t.Helper()
	apps := object[struct {
		Value []foundID `json:"value"`
	}](w, "/applications?$filter=displayName%20eq%20'Rewst%20Integration'")
	w.elsewhere("DELETE", "/applications/"+apps.Value[0].ID, nil)
}
