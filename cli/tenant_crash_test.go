package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

// The worlds in which the writes about the tenant are disturbed: between them they
// have every kind.
var disturbed = []struct {
	scenario, setup string
	least           int // writes
}{
	{"five-policies", "version: 1\nintegrations: [graph, csp]\nserviceAccount: {username: rewst}\nconditionalAccess: {}\n", 6},
	{"no-p1", "version: 1\nintegrations: [graph, csp]\nserviceAccount: {username: rewst}\n", 4},
	{"empty-tenant", "version: 1\nintegrations: [graph, csp]\nserviceAccount: {username: rewst}\nazure: {location: westeurope}\n", 8},
	{"happy", "version: 1\nintegrations: [graph]\nserviceAccount: {username: rewst, roles: operate, mfa: leave}\nregistration: {kind: owned}\n" +
		"permissions: {base: minimum}\nexchange: {}\n", 6},
}

// undisturbedTenant is what a run without faults leads to.
func undisturbedTenant(t *testing.T, scenario, setup string) sandbox.TenantDigest {
	t.Helper()
	var d sandbox.TenantDigest
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: scenario})
		w.run(w.passworded(setup)...).must(t, exitDone)
		d = w.settled()
	})
	return d
}

// A run that ends at any write about the tenant, before or after the service
// carried it out, with replicas that lag, is taken up by the next; and so is one
// that ends while it does that. Undone, the tenant is as it was.
func TestTenantEndedAtEveryWrite(t *testing.T) {
	t.Parallel()
	for _, c := range disturbed {
		t.Run(c.scenario, func(t *testing.T) {
			t.Parallel()
			want := undisturbedTenant(t, c.scenario, c.setup)
			for n := 1; ; n++ {
				more := false
				for _, when := range sides(n) {
					synctest.Test(t, func(t *testing.T) {
						w := rehearsalOf(t, sandbox.Options{Scenario: c.scenario, Delays: sandbox.DelaysRealistic, Seed: int64(n)})
						args := w.passworded(c.setup)
						more = w.endedAt(n, when, args...) || more
						w.endedAt(1, when, args...)
						w.untilDone(args...)
						time.Sleep(time.Hour) // what only showed up later is put in order by the next run
						w.untilDone(args...)
						what := fmt.Sprintf("ended %s write %d", when, n)
						if diff := cmp.Diff(want, w.settled()); diff != "" {
							t.Errorf("%s: the tenant differs (-undisturbed +ended):\n%s", what, diff)
						}
						if c.scenario == "five-policies" { // the account was there before
							return
						}
						password, err := os.ReadFile(args[len(args)-1])
						if err != nil || len(password) == 0 {
							t.Fatalf("%s: no password was delivered: %v", what, err)
						}
						w.nowhere(strings.TrimSpace(string(password)))
					})
				}
				if !more {
					if n <= c.least {
						t.Errorf("only %d writes were ended; the setup has more", n-1)
					}
					return
				}
			}
		})
	}
}

// Undoing a run that ended anywhere leads back to the start.
func TestTenantUndoneAfterAnEnd(t *testing.T) {
	t.Parallel()
	for _, c := range disturbed {
		t.Run(c.scenario, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n += 3 {
				more := false
				for _, when := range sides(n) {
					synctest.Test(t, func(t *testing.T) {
						w := rehearsalOf(t, sandbox.Options{Scenario: c.scenario, Delays: sandbox.DelaysRealistic, Seed: int64(n)})
						start := w.settled()
						more = w.endedAt(n, when, w.passworded(c.setup)...) || more
						time.Sleep(time.Hour)
						w.undone(start, fmt.Sprintf("ended %s write %d", when, n))
					})
				}
				if !more {
					return
				}
			}
		})
	}
}

// Every fault of the network and the services ends in the same tenant, undone too.
func TestTenantThroughFaults(t *testing.T) {
	t.Parallel()
	for _, c := range disturbed {
		t.Run(c.scenario, func(t *testing.T) {
			t.Parallel()
			want := undisturbedTenant(t, c.scenario, c.setup)
			for seed := range int64(3) {
				synctest.Test(t, func(t *testing.T) {
					w := rehearsalOf(t, sandbox.Options{Scenario: c.scenario, Seed: seed, Faults: everywhere(t)})
					w.checked()
					w.cloud.SetFaults(nil)
					start := w.settled()
					w.cloud.SetFaults(everywhere(t))
					w.untilDone(w.passworded(c.setup)...)
					if diff := cmp.Diff(want, w.settled()); diff != "" {
						t.Errorf("seed %d: the tenant differs (-undisturbed +disturbed):\n%s", seed, diff)
					}
					w.untilDone("undo", "--yes")
					w.cloud.SetFaults(nil)
					if diff := cmp.Diff(start, w.settled()); diff != "" {
						t.Errorf("seed %d: undone, the tenant differs from the start (-start +undone):\n%s", seed, diff)
					}
				})
			}
		})
	}
}

// everywhere are faults of every kind at Graph and at Azure.
func everywhere(t *testing.T) []sandbox.Fault {
	t.Helper()
	azure, err := sandbox.ParseFaults([]byte(`[
		{"match": {"path": "^/subscriptions/"}, "rate": 0.1, "when": "before", "do": "500"},
		{"match": {"path": "^/subscriptions/"}, "rate": 0.1, "when": "after", "do": "reset"},
		{"match": {"path": "^/subscriptions/"}, "rate": 0.1, "when": "before", "do": "429", "for": "3s"}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	return append(mixed(t), azure...)
}
