package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
	"msbundle/state"
)

// In every scenario a run ends with the right exit code and a sentence that says
// what to do.
func TestScenarios(t *testing.T) {
	const single = "../examples/owned-single-tenant.yaml"
	for _, c := range []struct {
		scenario, setup string
		args            []string
		code            int
		says            []string
	}{
		{scenario: "happy", setup: ownedCSP, code: exitDone},
		{scenario: "single-tenant", setup: single, code: exitDone},
		{scenario: "single-tenant", setup: ownedCSP, code: exitFailed, says: []string{"Microsoft CSP", "csp:user_impersonation/delegated"}},
		{scenario: "same-name", setup: ownedCSP, code: exitUsage, says: []string{"registration.appId", "Adopt it"}},
		{scenario: "same-name-twice", setup: ownedCSP, code: exitUsage, says: []string{"2 apps called", "registration.appId"}},
		{scenario: "secrets-forbidden", setup: ownedCSP, code: exitFailed, says: []string{"forbids new client secrets", "exempted"}},
		{scenario: "secret-lifetime", setup: ownedCSP, code: exitDone, says: []string{"180 days"}},
		{scenario: "guest", setup: ownedCSP, code: exitNoSignIn, says: []string{"Global Administrator"}},
		{scenario: "no-role", setup: ownedCSP, code: exitNoSignIn, says: []string{"Global Administrator"}},
		{scenario: "app-admin", setup: ownedCSP, code: exitFailed, says: []string{"Privileged Role Administrator"}},
		{scenario: "no-mfa", setup: ownedCSP, code: exitFailed, says: []string{"without it", "https://aka.ms/mfasetup"}},
		{scenario: "api-missing", setup: ownedCSP, code: exitFailed, says: []string{"Office 365 Management APIs is not offered"}},
		{scenario: "retired-permission", setup: ownedCSP, code: exitDone, says: []string{"left out: AccessReview.Read.All"}},
		{scenario: "odd-names", setup: ownedCSP, code: exitDone},
		{scenario: "small-pages", setup: ownedCSP, code: exitDone},
		{scenario: "declined", setup: ownedCSP, code: exitNoSignIn, says: []string{"declined"}},
		{scenario: "clock-skew", setup: ownedCSP, code: exitDone, says: []string{"Set the clock"}},
		{scenario: "slow-directory", setup: ownedCSP, code: exitDone, says: []string{"waiting for"}},
		{scenario: "happy", setup: ownedCSP, args: []string{"--tenant", "nowhere.example"}, code: exitNoSignIn, says: []string{"no such tenant"}},
		{scenario: "happy", setup: ownedCSP, args: []string{"--tenant", "fabrikam.onmicrosoft.com", "--account", "admin@contoso.onmicrosoft.com"}, code: exitNoSignIn, says: []string{"was expected"}},
		{scenario: "happy", setup: ownedCSP, args: []string{"--client-id", "11111111-2222-3333-4444-555555555555"}, code: exitNoSignIn, says: []string{"--client-id"}},
	} {
		t.Run(c.scenario+" "+strings.Join(c.args, " "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: c.scenario})
				w.checked()
				secret := filepath.Join(t.TempDir(), "s")
				r := w.run(append([]string{"apply", "-f", c.setup, "--yes", "--secret-out", secret}, c.args...)...)
				r.must(t, c.code)
				for _, word := range c.says {
					if !strings.Contains(r.err, word) {
						t.Errorf("stderr does not say %q:\n%s", word, r.err)
					}
				}
				if c.code == exitUsage || c.code == exitNoSignIn {
					if got := w.writes(); len(got) > 0 {
						t.Errorf("the run was refused, and wrote: %v", got)
					}
				}
				if c.code == exitDone {
					before := len(w.writes())
					w.run("apply", "-f", c.setup, "--yes", "--secret-out", secret+"2").must(t, exitDone)
					if got := len(w.writes()); got != before {
						t.Errorf("running again wrote %d times: %v", got-before, w.writes()[before:])
					}
				}
			})
		})
	}
}

// adopting is a setup that takes over the app of the adopt scenario.
func (w *world) adopting(permissions string) string {
	w.t.Helper()
	return w.setup("version: 1\nintegrations: [graph, csp]\nregistration: {kind: owned, name: Fabrikam automation, appId: " +
		w.appID("Fabrikam automation") + "}\npermissions: {base: " + permissions + "}\n")
}

// appID finds an app's client id by its name, the way a person would in the
// portal.
func (w *world) appID(name string) string {
	w.t.Helper()
	r := w.run("plan", "-f", w.setup("version: 1\nregistration: {name: "+name+"}\n"), "--json")
	_, after, found := strings.Cut(r.err, "client id ")
	if !found {
		w.t.Fatalf("no app called %s:\n%s", name, r.err)
	}
	return after[:36]
}

func TestAdoptingTakesNothingAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "adopt"})
		w.checked()
		before := w.cloud.Digest().Tenants["Contoso"]
		setup := w.adopting("recommended")
		plan := decode[planDocument](t, w.run("plan", "-f", setup, "--json").must(t, exitChanges))
		for _, c := range plan.Changes {
			if c.Action == "remove" || c.Action == "delete" {
				t.Errorf("the plan takes away: %s", c.Describe())
			}
		}
		w.run("apply", "-f", setup, "--yes").must(t, exitDone)
		after := w.cloud.Digest().Tenants["Contoso"]

		old, app := before.Applications[0], after.Applications[0]
		for _, u := range old.RedirectURIs {
			if !slices.Contains(app.RedirectURIs, u) {
				t.Errorf("the redirect URI %s is gone", u)
			}
		}
		if !slices.Contains(app.RedirectURIs, "https://engine.rewst.io/integrations/bundles/microsoft_cloud/callback") {
			t.Error("Rewst's redirect URI is missing")
		}
		for api, list := range old.RequiredResourceAccess {
			for _, p := range list {
				if !slices.Contains(app.RequiredResourceAccess[api], p) {
					t.Errorf("%s %s is not listed any more", api, p)
				}
			}
		}
		if app.Secrets != old.Secrets {
			t.Errorf("secrets: got %d, want %d", app.Secrets, old.Secrets)
		}
		if slices.Contains(app.Tags, "msbundle") {
			t.Error("an adopted app now carries our mark")
		}
		sp, oldSP := principal(t, after), principal(t, before)
		for _, g := range oldSP.Delegated {
			for _, s := range g.Scopes {
				if !slices.Contains(scopesOf(sp, g.Resource), s) {
					t.Errorf("the delegated permission %s %s is gone", g.Resource, s)
				}
			}
		}
		for api, roles := range oldSP.Roles {
			for _, role := range roles {
				if !slices.Contains(sp.Roles[api], role) {
					t.Errorf("the application permission %s %s is gone", api, role)
				}
			}
		}
	})
}

func principal(t *testing.T, d sandbox.TenantDigest) sandbox.PrincipalDigest {
	t.Helper()
	for _, p := range d.ServicePrincipals {
		if p.Name == "Fabrikam automation" {
			return p
		}
	}
	t.Fatal("the service principal is gone")
	return sandbox.PrincipalDigest{}
}

func scopesOf(p sandbox.PrincipalDigest, resource string) []string {
	var out []string
	for _, g := range p.Delegated {
		if g.Resource == resource {
			out = append(out, g.Scopes...)
		}
	}
	return out
}

func TestOffersAreTakenOnlyWhenTicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "adopt"})
		w.checked()
		setup := w.adopting("recommended")
		plan := decode[planDocument](t, w.run("plan", "-f", setup, "--json").must(t, exitChanges))
		var ids []string
		for _, o := range plan.Offers {
			ids = append(ids, o.ID)
			if o.Ticked {
				t.Errorf("the offer %s is taken before anybody ticked it", o.ID)
			}
		}
		for _, want := range []string{"swap-look-alike", "remove-extras"} {
			if !slices.Contains(ids, want) {
				t.Fatalf("offers: got %v, want %s among them", ids, want)
			}
		}
		w.run("apply", "-f", setup, "--yes", "--take", "nothing-of-the-kind").must(t, exitUsage)
		w.run("apply", "-f", setup, "--yes", "--take", "swap-look-alike,remove-extras").must(t, exitDone)
		tenant := w.cloud.Digest().Tenants["Contoso"]
		for api := range tenant.Applications[0].RequiredResourceAccess {
			if strings.Contains(api, "fabfbdc4") || strings.Contains(api, "4990cffe") {
				t.Errorf("the app still lists %s", api)
			}
		}
		if n := len(scopesOf(principal(t, tenant), "Microsoft Graph")); n != 9 {
			t.Errorf("delegated Graph permissions: got %d, want the 9 of the answers", n)
		}
		if n := len(principal(t, tenant).Roles["Microsoft Graph"]); n != 4 {
			t.Errorf("application permissions of Graph: got %d, want the 4 of the answers", n)
		}
		before := len(w.writes())
		w.run("apply", "-f", setup, "--yes").must(t, exitDone)
		if len(w.writes()) != before {
			t.Errorf("running again wrote: %v", w.writes()[before:])
		}
	})
}

// What our journal says we granted is taken back when the answers drop it; what
// others granted is only offered.
func TestDroppedPermissionsOfOursAreTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		wide := w.setup("version: 1\nintegrations: [graph]\npermissions: {base: recommended, add: [Group.Read.All]}\n")
		narrow := w.setup("version: 1\nintegrations: [graph]\npermissions: {base: recommended}\n")
		w.run("apply", "-f", wide, "--yes").must(t, exitDone)
		w.run("apply", "-f", narrow, "--yes").must(t, exitDone)
		tenant := w.cloud.Digest().Tenants["Contoso"]
		app, sp := tenant.Applications[0], tenant.ServicePrincipals[0]
		for _, where := range [][]string{scopesOf(sp, "Microsoft Graph"), sp.Roles["Microsoft Graph"], app.RequiredResourceAccess["Microsoft Graph"]} {
			for _, name := range where {
				if strings.HasPrefix(name, "Group.Read.All") {
					t.Errorf("%s is still there: %v", name, where)
				}
			}
		}
		// Another machine knows of no journal, and may only offer.
		w.run("apply", "-f", wide, "--yes").must(t, exitDone)
		w.state = t.TempDir()
		plan := decode[planDocument](t, w.run("plan", "-f", narrow, "--json").must(t, exitDone))
		if len(plan.Offers) != 1 || plan.Offers[0].ID != "remove-extras" {
			t.Errorf("offers: got %+v, want remove-extras", plan.Offers)
		}
	})
}

func TestConnector(t *testing.T) {
	setup := "version: 1\nintegrations: [graph, exchange, csp, azure, subscriptions]\nregistration: {kind: connector}\npermissions: {base: stock}\n"
	for scenario, want := range map[string]struct {
		code int
		says string
	}{
		"happy":             {exitWaiting, "Rewst MS Cloud Connector"},
		"connector-ready":   {exitDone, "authorised"},
		"connector-partial": {exitWaiting, "48 hours"},
	} {
		t.Run(scenario, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: scenario})
				w.checked()
				r := w.run("apply", "-f", w.setup(setup), "--yes").must(t, want.code)
				if !strings.Contains(r.err, want.says) {
					t.Errorf("stderr does not say %q:\n%s", want.says, r.err)
				}
				if got := w.writes(); len(got) > 0 {
					t.Errorf("verifying wrote: %v", got)
				}
			})
		})
	}
}

func TestPlanFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		file := filepath.Join(t.TempDir(), "plan.json")
		w.run("plan", "-f", ownedCSP, "-o", file).must(t, exitChanges)
		w.run("apply", "-f", file, "--secret-out", "x", "--yes").must(t, exitUsage) // it was planned without a secret
		w.run("apply", "-f", file, "--yes").must(t, exitDone)
		w.run("apply", "-f", file, "--yes").must(t, exitDone) // all of it is so already

		// A tenant that needs other writes than were agreed to is left alone.
		other := rehearsalOf(t, sandbox.Options{Scenario: "adopt"})
		narrow := other.adopting("minimum")
		planned := filepath.Join(t.TempDir(), "other.json")
		other.run("plan", "-f", narrow, "-o", planned).must(t, exitChanges)
		other.run("apply", "-f", other.adopting("recommended"), "--yes").must(t, exitDone)
		before := len(other.writes())
		other.run("apply", "-f", planned, "--yes").must(t, exitFailed)
		if got := other.writes()[before:]; len(got) > 0 {
			t.Errorf("a plan that does not fit any more wrote: %v", got)
		}
	})
}

// A secret an earlier run made and nobody received is removed, also when no new
// one is made.
func TestUndeliveredSecretIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		missing := filepath.Join(t.TempDir(), "folder")
		secret := filepath.Join(missing, "s")
		r := w.run("apply", "-f", ownedCSP, "--yes", "--secret-out", secret)
		r.must(t, exitUsage) // the folder is not there, and that is said before anything is made
		if len(w.writes()) > 0 {
			t.Fatalf("wrote: %v", w.writes())
		}
		w.abandonUndelivered()
		w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
		if n := w.cloud.Digest().Tenants["Contoso"].Applications[0].Secrets; n != 0 {
			t.Errorf("secrets: got %d, want none", n)
		}
	})
}

// abandonUndelivered leaves a tenant with a secret that was made and not
// delivered, as a person does who leaves the result without taking it.
func (w *world) abandonUndelivered() {
	w.t.Helper()
	w.run("apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(w.t.TempDir(), "s")).must(w.t, exitDone)
	store, err := state.Open(w.state, w.identity())
	if err != nil {
		w.t.Fatal(err)
	}
	defer store.Close()
	var last state.Entry
	for _, e := range store.Entries() {
		if e.Delivered {
			last = e
		}
	}
	// The journal cannot take a delivery back, so the intent is written anew.
	again := last.Record
	again.Intent, again.At = "again", time.Now()
	receipt := last.Outcome
	receipt.Intent = "again"
	if err := store.Append(again, receipt, state.Record{Kind: state.RecordFinished, At: again.At}); err != nil {
		w.t.Fatal(err)
	}
}

// What is left of earlier runs is offered on the wizard's first screen.
func TestUnfinishedSetupsAreOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		left := func() []string {
			a := &app{env: func(string) (string, bool) { return "", false }, cloud: w.cloud}
			a.flags.sandbox, a.flags.stateDir = inProcess, w.state
			a.flags.cloudID, a.flags.auth, a.flags.color = "global", "device", "auto"
			if err := a.flags.check(); err != nil {
				t.Fatal(err)
			}
			defer a.close()
			cfg, err := a.wizardConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			list, err := cfg.Setup.Unfinished()
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, u := range list {
				out = append(out, u.Name+": "+u.Left)
			}
			if len(list) == 0 {
				if _, err := cfg.Setup.Save(cfg.Answers); err != nil {
					t.Fatal(err)
				}
			}
			return out
		}
		if got := left(); len(got) > 0 {
			t.Errorf("nothing was begun: got %v", got)
		}
		if diff := cmp.Diff([]string{"the answers saved last: answers chosen, nobody signed in yet"}, left()); diff != "" {
			t.Errorf("a draft (-want +got):\n%s", diff)
		}
		w.abandonUndelivered()
		want := []string{"Contoso: a client secret nobody received"}
		if diff := cmp.Diff(want, left()); diff != "" {
			t.Errorf("a secret nobody took (-want +got):\n%s", diff)
		}
	})
}
