package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
	"msbundle/steps"
)

const (
	toFabrikam  = "version: 1\nintegrations: [graph, exchange, csp]\nregistration: {kind: connector}\ncustomers: {route: direct, consent: [fabrikam.onmicrosoft.com]}\n"
	toBoth      = "version: 1\ncustomers: {route: direct, consent: [fabrikam.onmicrosoft.com, northwindtraders.onmicrosoft.com]}\nserviceAccount: {username: rewst}\n"
	authorise   = "serviceAccount: {username: rewst}\nconditionalAccess: {}\n"
	operate     = "serviceAccount: {username: rewst, roles: operate}\nconditionalAccess: {}\n"
	fabrikam    = "fabrikam.onmicrosoft.com"
	northwind   = "northwindtraders.onmicrosoft.com"
	bothLevels  = "AADSTS65001"
	asThatAdmin = ", as an administrator of that customer, for Microsoft Graph"
)

// signedIn lists the tenants at which a sign-in was begun.
func (w *world) signedIn() []string {
	var out []string
	for _, r := range w.cloud.Requests() {
		if strings.HasSuffix(r.URL, "/devicecode") {
			out = append(out, strings.Split(strings.TrimPrefix(r.URL, "https://"), "/")[1])
		}
	}
	return out
}

// stateOf tells how a run ended at each customer.
func stateOf(t *testing.T, r ran) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, c := range decode[directDocument](t, r).Customers {
		out[c.Domain] = c.State
	}
	return out
}

// shadeOf is the shield of the first customer in a document.
func shadeOf(t *testing.T, r ran) steps.Shade {
	t.Helper()
	s := decode[directDocument](t, r).Customers[0].Shield
	if s == nil {
		t.Fatalf("there is no shield:\n%s", r.out)
	}
	return s.Shade
}

// theirs is a tenant's digest without what signing in left there, and without the
// permissions of Rewst's connector: Rewst gave itself those.
func (w *world) theirs(tenant string) sandbox.TenantDigest {
	d := w.cloud.Digest().Tenants[tenant]
	d.Clients = nil
	for i := range d.ServicePrincipals {
		d.ServicePrincipals[i].Delegated, d.ServicePrincipals[i].Roles = nil, nil
	}
	return d
}

// made tells whether a tenant has the service account.
func (w *world) made(tenant string) bool {
	return slices.ContainsFunc(w.theirs(tenant).Users, func(u sandbox.UserDigest) bool { return strings.HasPrefix(u.Name, "rewst@") })
}

// The direct route at one customer, from the sign-in to the step-down: what it leads
// to was written by hand. Run again nothing is written, and undone the tenant is as
// Rewst left it.
func TestDirectFromSignInToStepDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		start := w.cloud.Digest()
		setup, down := w.setup(toFabrikam+authorise), w.setup(toFabrikam+operate)
		place := filepath.Join(t.TempDir(), "password")

		r := w.run("plan", "-f", setup, "--password-out", place).must(t, exitChanges)
		if len(w.writes()) > 0 || !strings.Contains(r.out, "Create account rewst@"+fabrikam) {
			t.Fatalf("planning wrote %v and printed:\n%s", w.writes(), r.out)
		}
		r = w.run("apply", "-f", setup, "--yes", "--password-out", place).must(t, exitWaiting)
		for _, word := range []string{"Sign-in: " + fabrikam + asThatAdmin, "Signed in as admin@" + fabrikam, bothLevels, "without Microsoft CSP", "blue   waiting     Fabrikam"} {
			if !strings.Contains(r.err, word) {
				t.Errorf("stderr does not say %q:\n%s", word, r.err)
			}
		}
		if password, err := os.ReadFile(place); err != nil || len(password) < 24 {
			t.Errorf("the password was not delivered: %v", err)
		}
		// Authorised in Rewst; then the account steps down.
		if err := w.cloud.AuthoriseConnector(fabrikam); err != nil {
			t.Fatal(err)
		}
		before := len(w.writes())
		if got := shadeOf(t, w.run("apply", "-f", setup, "--yes", "--json").must(t, exitDone)); got != steps.Amber || len(w.writes()) > before {
			t.Errorf("authorised: %v, wrote %v", got, w.writes()[before:])
		}
		authorised := w.theirs("Fabrikam")
		down2 := w.run("apply", "-f", down, "--yes").must(t, exitDone)
		if !strings.Contains(down2.err, "amber  done") { // Exchange: only Rewst can try it
			t.Errorf("stderr:\n%s", down2.err)
		}
		asWritten(t, "direct-fabrikam.json", w.theirs("Fabrikam"))
		after := w.cloud.Digest()
		for _, other := range []string{"Contoso", "Northwind Traders", "Adventure Works"} {
			if diff := cmp.Diff(start.Tenants[other], after.Tenants[other]); diff != "" {
				t.Errorf("%s changed:\n%s", other, diff)
			}
		}

		// What is done is left out, nobody is asked; asked for by name it is looked at.
		before, signIns := len(w.writes()), w.starts()
		r = w.run("apply", "-f", down, "--yes").must(t, exitDone)
		if w.starts() > signIns || !strings.Contains(r.err, "left out    "+fabrikam) {
			t.Errorf("%d sign-ins, stderr:\n%s", w.starts()-signIns, r.err)
		}
		w.run("apply", "-f", down, "--yes", "--tenant", fabrikam).must(t, exitDone)
		if w.starts() != signIns+1 || len(w.writes()) > before {
			t.Errorf("looked at again: %d sign-ins, wrote %v", w.starts()-signIns, w.writes()[before:])
		}

		w.run("undo", "--yes", "--tenant", fabrikam).must(t, exitDone)
		was := start.Tenants["Fabrikam"]
		was.Clients, was.ServicePrincipals, was.Resources = nil, authorised.ServicePrincipals, authorised.Resources
		if diff := cmp.Diff(was, w.theirs("Fabrikam")); diff != "" {
			t.Errorf("undone, the customer's tenant differs from how it was (-was +undone):\n%s", diff)
		}
		// What was undone is not taken for done, and an offer can be taken.
		if r := w.run("plan", "-f", down).must(t, exitFailed); !strings.Contains(r.err, "--take restore-account") {
			t.Errorf("stderr does not tell the offer:\n%s", r.err)
		}
		w.run("apply", "-f", down, "--yes", "--tenant", fabrikam, "--take", "restore-account").must(t, exitDone)
	})
}

// An app of the customer's own: made in its tenant, for that tenant alone, without
// Microsoft CSP.
func TestDirectOwnedApp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		start := w.theirs("Fabrikam")
		setup := w.setup("version: 1\nintegrations: [graph, exchange, csp]\nregistration: {kind: owned}\ncustomers: {route: direct, consent: [fabrikam.com]}\nexchange: {}\n" + operate)
		r := w.run("apply", "-f", setup, "--yes", "--json", "--secret-out", "-", "--password-out", "-").must(t, exitDone)
		c := decode[directDocument](t, r).Customers[0]
		if c.State != directDone || c.Shield.Shade != steps.Green || c.Result.Secret.Value == "" || c.Result.Ready.Password.Value == "" || c.Result.Values["Auth subject"] != c.TenantID {
			t.Errorf("got %s, %+v, secret %t, values %v", c.State, c.Shield, c.Result.Secret.Value != "", c.Result.Values)
		}
		w.nowhere(c.Result.Secret.Value)
		w.nowhere(c.Result.Ready.Password.Value)
		app := w.cloud.Digest().Tenants["Fabrikam"].Applications[0]
		if _, csp := app.RequiredResourceAccess["Microsoft Partner Center"]; csp || app.SignInAudience != "AzureADMyOrg" || app.Secrets != 1 {
			t.Errorf("got %+v", app)
		}
		before := len(w.writes())
		w.run("apply", "-f", setup, "--yes", "--tenant", c.TenantID).must(t, exitDone)
		if got := w.writes()[before:]; len(got) > 0 {
			t.Errorf("running again wrote: %v", got)
		}
		w.run("undo", "--yes", "--tenant", fabrikam).must(t, exitDone)
		if diff := cmp.Diff(start, w.theirs("Fabrikam")); diff != "" {
			t.Errorf("undone (-was +undone):\n%s", diff)
		}
	})
}

// Somebody of another tenant is not let in, a tenant that is not there is told: at
// the others the work goes on, and the next run does what is left.
func TestDirectOneCustomersFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		w.cloud.SignInAs("admin@" + northwind)
		setup := w.setup(strings.Replace(toBoth, "consent: [", "consent: [nowhere.example, ", 1))
		r := w.run("apply", "-f", setup, "--yes", "--json").must(t, exitFailed)
		want := map[string]string{"nowhere.example": directFailed, fabrikam: directNobody, northwind: directDone}
		if diff := cmp.Diff(want, stateOf(t, r)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, word := range []string{"nowhere.example", "AADSTS90002", "Nobody entered the code in time"} {
			if !strings.Contains(r.err, word) {
				t.Errorf("stderr does not say %q:\n%s", word, r.err)
			}
		}
		if w.made("Fabrikam") {
			t.Error("something was written at the customer nobody signed in to")
		}
		w.cloud.SignInAs("")
		signIns := len(w.signedIn())
		r = w.run("apply", "-f", w.setup(toBoth), "--yes", "--json").must(t, exitDone)
		want = map[string]string{fabrikam: directDone, northwind: directAsBefore}
		if diff := cmp.Diff(want, stateOf(t, r)); diff != "" {
			t.Errorf("the second run (-want +got):\n%s", diff)
		}
		if got := w.signedIn()[signIns:]; len(got) != 1 {
			t.Errorf("signed in at %v, want Fabrikam only", got)
		}
	})
}

// A write that is refused at one customer is told and leaves the other; run again it
// goes on where it stopped, and both end as they would have.
func TestDirectRefusedAtOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		undisturbed := rehearsalOf(t, sandbox.Options{})
		undisturbed.run("apply", "-f", undisturbed.setup(toBoth), "--yes").must(t, exitDone)

		w := rehearsalOf(t, sandbox.Options{})
		stop := w.refuse(graphRefuses("POST", "^/v1.0/roleManagement/directory/roleAssignments$", http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."))
		refusing := w.wrap
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				res, err := refusing(next).RoundTrip(req)
				if err == nil && res.StatusCode == http.StatusForbidden {
					stop() // it is the first customer only
				}
				return res, err
			})
		}
		r := w.run("apply", "-f", w.setup(toBoth), "--yes").must(t, exitFailed)
		for _, word := range []string{"1 of 3 writes were done and are kept", "red    failed      Fabrikam", "amber  done        Northwind Traders", "at 1 of 2 customers"} {
			if !strings.Contains(r.err, word) {
				t.Errorf("stderr does not say %q:\n%s", word, r.err)
			}
		}
		w.run("apply", "-f", w.setup(toBoth), "--yes").must(t, exitDone)
		if diff := cmp.Diff(undisturbed.cloud.Digest().Tenants, w.cloud.Digest().Tenants); diff != "" {
			t.Errorf("(-undisturbed +disturbed):\n%s", diff)
		}
	})
}

// Enter leaves a customer out, anything but yes declines its plan: the next one has
// its turn either way.
func TestDirectLeftOutAndDeclined(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		typed string
		code  int
		want  map[string]string
	}{
		"left out": {"\nyes\n", exitNoSignIn, map[string]string{fabrikam: directNobody, northwind: directDone}},
		"declined": {"no\nyes\n", exitUsage, map[string]string{fabrikam: directDeclined, northwind: directDone}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{})
				w.in = strings.NewReader(c.typed)
				r := w.run("apply", "-f", w.setup(toBoth), "--accessible", "--json").must(t, c.code)
				if diff := cmp.Diff(c.want, stateOf(t, r)); diff != "" {
					t.Errorf("(-want +got):\n%s\n%s", diff, r.err)
				}
				if w.made("Fabrikam") {
					t.Error("an account was made where nobody agreed")
				}
			})
		})
	}
}

// What does not go together is said before anybody signs in.
func TestDirectRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		both := w.setup(toBoth)
		for _, c := range []struct {
			says string
			args []string
		}{
			{"customers.consent", []string{"plan", "-f", w.setup("version: 1\ncustomers: {route: direct}\n")}},
			{"customers.consent", []string{"plan", "-f", w.setup("version: 1\ncustomers: {route: direct, consent: all}\n")}},
			{"-o:", []string{"plan", "-f", both, "-o", "plan.json"}},
			{"--auth env", []string{"plan", "-f", both, "--auth", "env"}},
			{"none of the customers", []string{"plan", "-f", both, "--tenant", "contoso.onmicrosoft.com"}},
			{"--tenant", []string{"plan", "-f", both, "--take", "new-password"}},
			{"--tenant", []string{"plan", "-f", both, "--account", "admin@fabrikam.com"}},
			{"--yes", []string{"apply", "-f", both}},
			{"name a folder", []string{"apply", "-f", both, "--yes", "--password-out", filepath.Join(t.TempDir(), "file")}},
			{"--json", []string{"apply", "-f", both, "--yes", "--password-out", "-", "--secret-out", "-"}},
		} {
			if r := w.run(c.args...).must(t, exitUsage); !strings.Contains(r.err, c.says) {
				t.Errorf("%v: stderr does not say %q:\n%s", c.args, c.says, r.err)
			}
		}
		if w.starts() > 0 {
			t.Error("somebody was asked to sign in")
		}
		// A file that names nobody is about whom --tenant names.
		r := w.run("plan", "-f", w.setup("version: 1\ncustomers: {route: direct}\n"), "--tenant", fabrikam).must(t, exitChanges)
		if !strings.Contains(r.out, "Create account rewst@"+fabrikam) || w.starts() != 1 {
			t.Errorf("%d sign-ins, stdout:\n%s", w.starts(), r.out)
		}
	})
}

// Each customer's password goes to a file of its own in a folder.
func TestDirectPasswords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		dir := t.TempDir()
		w.run("apply", "-f", w.setup(toBoth), "--yes", "--password-out", dir).must(t, exitDone)
		var got []string
		for _, domain := range []string{fabrikam, northwind} {
			path := filepath.Join(dir, domain+".password.txt")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			got = append(got, strings.TrimSpace(string(text)))
			w.nowhere(got[len(got)-1])
		}
		if got[0] == got[1] || len(got[0]) < 24 {
			t.Error("the passwords are not good ones")
		}
	})
}
