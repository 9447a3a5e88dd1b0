package cli

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const (
	authorising = "version: 1\nintegrations: [graph, csp]\nserviceAccount: {username: rewst, mfa: leave}\n"
	operating   = "version: 1\nintegrations: [graph, csp]\nserviceAccount: {username: rewst, mfa: leave, roles: operate}\n"
)

// rolesOf lists the directory roles of an account.
func rolesOf(t *testing.T, d sandbox.TenantDigest, name string) []string {
	t.Helper()
	for _, u := range d.Users {
		if u.Name == name {
			return u.Roles
		}
	}
	t.Fatalf("there is no account %s", name)
	return nil
}

// theTwelve are the roles of operating, by name.
func theTwelve() []string {
	var out []string
	for _, r := range catalog.ServiceRoles() {
		out = append(out, r.Name)
	}
	slices.Sort(out)
	return out
}

// After authorising the account steps down: the twelve roles first, and Global
// Administrator goes once they were read back. It comes back for the next time.
func TestStepDownAndBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		const account = "rewst@contoso.onmicrosoft.com"
		start := w.settled()
		w.run(w.passworded(authorising)...).must(t, exitDone)
		authorised := w.settled()
		if diff := cmp.Diff([]string{"Global Administrator"}, rolesOf(t, authorised, account)); diff != "" {
			t.Errorf("roles while authorising (-want +got):\n%s", diff)
		}
		before := len(w.writes())
		down := w.setup(operating)
		w.run("apply", "-f", down, "--yes").must(t, exitDone)
		if got := rolesOf(t, w.settled(), account); len(theTwelve()) != 12 || !cmp.Equal(theTwelve(), got) {
			t.Errorf("roles after stepping down (-want +got):\n%s", cmp.Diff(theTwelve(), got))
		}
		wrote := w.writes()[before:]
		if len(wrote) != 13 || !strings.HasPrefix(wrote[12], "DELETE ") || slices.ContainsFunc(wrote[:12], func(s string) bool { return !strings.HasPrefix(s, "POST ") }) {
			t.Errorf("writes: got %v, want the twelve roles and then the removal", wrote)
		}
		if got := w.readsBeforeRemoval(); got < 3 {
			t.Errorf("the roles were read %d times before Global Administrator went, want 3", got)
		}
		w.run("plan", "-f", down).must(t, exitDone)

		w.run("apply", "-f", w.setup(authorising), "--yes").must(t, exitDone)
		if got := rolesOf(t, w.settled(), account); !slices.Contains(got, "Global Administrator") {
			t.Errorf("roles for authorising again: got %v", got)
		}
		w.run("apply", "-f", down, "--yes").must(t, exitDone)
		w.run("undo", "--yes").must(t, exitDone)
		if diff := cmp.Diff(start, w.settled()); diff != "" {
			t.Errorf("undone, the tenant differs from the start (-start +undone):\n%s", diff)
		}
	})
}

// readsBeforeRemoval counts how often role assignments were read between the last
// write before the first removal and that.
func (w *world) readsBeforeRemoval() int {
	w.t.Helper()
	n := 0
	for _, r := range w.cloud.Requests() {
		switch {
		case r.Write && r.Method == http.MethodDelete:
			return n
		case r.Write:
			n = 0
		case strings.Contains(r.URL, "/roleAssignments?"):
			n++
		}
	}
	w.t.Fatal("nothing was removed")
	return 0
}

// The last Global Administrator and the account that is signed in keep the role,
// unless the person insists by the tenant's name.
func TestStepDownRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "last-admin"})
		w.checked()
		// The account that is signed in is the service account itself, and nobody
		// else is Global Administrator.
		own := w.setup("version: 1\nintegrations: [graph]\nserviceAccount: {username: admin, mfa: leave, roles: operate}\n")
		start := w.settled()
		for _, args := range [][]string{{}, {"--insist", "Fabrikam"}, {"--insist", "contoso"}} {
			r := w.run(append([]string{"apply", "-f", own, "--yes"}, args...)...).must(t, exitFailed)
			if !strings.Contains(r.err, `--insist "Contoso"`) || !strings.Contains(r.err, "Nobody else is known to be Global Administrator") {
				t.Errorf("stderr does not say why and how:\n%s", r.err)
			}
		}
		if diff := cmp.Diff(start, w.settled()); diff != "" {
			t.Errorf("a refused step-down wrote:\n%s", diff)
		}
		// Insisted on, it is planned; Microsoft has the last word about the last one.
		r := w.run("plan", "-f", own, "--insist", "Contoso").must(t, exitChanges)
		if !strings.Contains(r.out, "Remove Global Administrator from admin@contoso.onmicrosoft.com") {
			t.Errorf("the plan does not take it away:\n%s", r.out)
		}
		r = w.run("apply", "-f", own, "--yes", "--insist", "Contoso").must(t, exitFailed)
		if !strings.Contains(r.err, "Sign in as another Global Administrator") && !strings.Contains(r.err, "Make somebody else Global Administrator first") {
			t.Errorf("stderr does not say what to do:\n%s", r.err)
		}
		if got := rolesOf(t, w.settled(), "admin@contoso.onmicrosoft.com"); !slices.Contains(got, "Global Administrator") {
			t.Errorf("roles: got %v", got)
		}
	})
}

// While somebody else is Global Administrator, too, the account that is signed in
// still keeps it, unless the person insists.
func TestStepDownOfOneself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		w.run(w.passworded(authorising)...).must(t, exitDone)
		own := w.setup("version: 1\nintegrations: [graph]\nserviceAccount: {username: admin, mfa: leave, roles: operate}\n")
		r := w.run("apply", "-f", own, "--yes").must(t, exitFailed)
		if !strings.Contains(r.err, "It is the account that is signed in here") || !strings.Contains(r.err, `--insist "Contoso"`) {
			t.Errorf("stderr does not say why and how:\n%s", r.err)
		}
		file := filepath.Join(t.TempDir(), "plan.json")
		w.run("plan", "-f", own, "--insist", "Contoso", "-o", file).must(t, exitChanges)
		// What was insisted on is in the plan; Microsoft has the last word.
		r = w.run("apply", "-f", file, "--yes").must(t, exitFailed)
		if !strings.Contains(r.err, "Sign in as another Global Administrator") {
			t.Errorf("stderr does not say what to do:\n%s", r.err)
		}
	})
}

// The direct route: an administrator of the customer's tenant makes the account
// there. The connector is Rewst's to make, so the setup waits for it.
func TestDirectRoute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "wrong-tenant"}) // fabrikam's administrator signs in
		w.checked()
		start := w.cloud.Digest()
		r := w.run("apply", "-f", "../examples/direct-customer.yaml", "--yes", "--password-out", "-").must(t, exitWaiting)
		if !strings.Contains(r.err, "Rewst MS Cloud Connector") || len(strings.TrimSpace(r.out)) < 24 {
			t.Errorf("stdout %q, stderr:\n%s", r.out, r.err)
		}
		down := w.setup("version: 1\ntenant: fabrikam.onmicrosoft.com\nserviceAccount: {username: rewst, roles: operate}\n")
		w.run("apply", "-f", down, "--yes").must(t, exitDone)
		got := w.cloud.Digest()
		const account = "rewst@fabrikam.onmicrosoft.com"
		if diff := cmp.Diff(theTwelve(), rolesOf(t, got.Tenants["Fabrikam"], account)); diff != "" {
			t.Errorf("roles in the customer's tenant (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(start.Tenants["Contoso"], got.Tenants["Contoso"]); diff != "" {
			t.Errorf("the partner's tenant changed:\n%s", diff)
		}
		customer := got.Tenants["Fabrikam"]
		if len(customer.Applications) > 0 {
			t.Errorf("an app was made: %+v", customer.Applications)
		}
		before := len(w.writes())
		w.run("apply", "-f", down, "--yes").must(t, exitDone)
		if got := w.writes()[before:]; len(got) > 0 {
			t.Errorf("running again wrote: %v", got)
		}
		w.run("undo", "--yes", "--tenant", "fabrikam.onmicrosoft.com").must(t, exitDone)
		back, was := w.cloud.Digest().Tenants["Fabrikam"], start.Tenants["Fabrikam"]
		back.Clients, was.Clients = nil, nil
		if diff := cmp.Diff(was, back); diff != "" {
			t.Errorf("undone, the customer's tenant differs from the start (-start +undone):\n%s", diff)
		}
	})
}

// What could not be done is a failure, though the connector waits as well: waiting
// alone does not bring it.
func TestConnectorAndSomethingMissing(t *testing.T) {
	t.Parallel()
	const connector = "version: 1\nintegrations: [graph]\nregistration: {kind: connector}\npermissions: {base: stock}\nserviceAccount: {username: rewst}\n"
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "connector-partial"})
		w.run(w.passworded(connector)...).must(t, exitWaiting)
		w.refuse(azureRefuses("GET", "^/subscriptions$", 403, "AuthorizationFailed", "The client does not have authorization."))
		r := w.run(w.passworded(connector+"azure: {location: westeurope}\n")...).must(t, exitFailed)
		if !strings.Contains(r.err, "the result says what is left") {
			t.Errorf("stderr:\n%s", r.err)
		}
	})
}
