package cli

import (
	"strings"
	"testing"

	"msbundle/steps"
)

func TestDeeds(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"gdap/access/tenant/role": "given another role", "undo/access/relationship/assignment": "set back to the earlier roles"} {
		if got := deedOf(steps.Change{ID: id, Kind: steps.KindAccess, Action: steps.Update}); got.noun != "group" || got.verb != want {
			t.Errorf("%s: got %q %q, want %q", id, got.noun, got.verb, want)
		}
	}
}

// Everybody who is not ready is named where the result says how many are.
func TestResultNamesWhoIsNotReady(t *testing.T) {
	named := func(name string) steps.Customer { return steps.Customer{TenantID: name, Name: name} }
	var out strings.Builder
	printCustomers(&out, &steps.Result{Delegation: &steps.DelegationResult{
		Customers: 4, Ready: 1,
		Failed: []steps.CustomerFailure{{Customer: named("Fabrikam"), Problem: &steps.Problem{What: "it was refused"}}},
		Ended:  []steps.CustomerEnd{{Customer: named("Relecloud"), Relationship: "Rewst GDAP - Relecloud", How: "declined"}},
		Others: []steps.CustomerEnd{{Customer: named("Litware"), How: "no relationship"}},
	}}, nil, "")
	for _, line := range []string{"1 of 4", "  Fabrikam: it was refused\n", "  Relecloud: relationship \"Rewst GDAP - Relecloud\", declined\n", "  Litware: no relationship\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, out.String())
		}
	}
}
