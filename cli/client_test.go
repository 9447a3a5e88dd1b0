package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/steps"
)

func TestClientIsShownOffline(t *testing.T) {
	w := rehearsalOf(t, sandbox.Options{})
	r := w.run("client", "--name", "Contoso sign-in").must(t, exitDone)
	for _, p := range steps.ClientPermissions() {
		if !strings.Contains(r.out, p.Name) || !strings.Contains(r.out, p.ID) || p.ID == "" {
			t.Errorf("%s (%q) is not shown:\n%s", p.Name, p.ID, r.out)
		}
	}
	for _, word := range []string{"Contoso sign-in", "http://localhost", "this organisation only", "public client flows"} {
		if !strings.Contains(r.out, word) {
			t.Errorf("%q is not shown:\n%s", word, r.out)
		}
	}
	doc := decode[clientDocument](t, w.run("client", "--json").must(t, exitDone))
	if doc.Application["isFallbackPublicClient"] != true || doc.Application["signInAudience"] != "AzureADMyOrg" || doc.Created != nil {
		t.Errorf("as JSON: got %+v", doc)
	}
	if n := len(w.cloud.Requests()); n > 0 {
		t.Errorf("%d requests left", n)
	}
}

func TestClientIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		start := w.settled()
		w.run("client", "--create", "--no-input").must(t, exitUsage)
		made := decode[clientDocument](t, w.run("client", "--create", "--yes", "--json").must(t, exitDone)).Created
		if !made.Done || made.Written != len(w.writes()) || made.Written != len(made.Changes) {
			t.Errorf("done %v with %d writes, planned %d, wrote %v", made.Done, made.Written, len(made.Changes), w.writes())
		}
		if want := "msbundle --tenant " + made.Tenant + " --client-id " + made.AppID + " --state-dir=" + w.state; made.Command != want {
			t.Errorf("command: got %q, want %q", made.Command, want)
		}
		got := w.settled()
		app, sp := got.Applications[0], got.ServicePrincipals[0]
		if !app.PublicClient || app.SignInAudience != "AzureADMyOrg" || !slices.Equal(app.RedirectURIs, []string{"publicClient http://localhost"}) ||
			!slices.Equal(app.Tags, []string{"msbundle-client"}) || app.Name != "msbundle sign-in" || app.Secrets > 0 {
			t.Errorf("the app: got %+v", app)
		}
		want := map[string][]string{}
		for _, p := range steps.ClientPermissions() {
			want[p.Resource] = append(want[p.Resource], p.Name)
		}
		for _, g := range sp.Delegated {
			if g.ConsentType != "AllPrincipals" {
				t.Errorf("%s: granted to %s", g.Resource, g.ConsentType)
			}
		}
		for resource, name := range map[string]string{
			catalog.GraphAppID: "Microsoft Graph", catalog.PartnerCenterAppID: "Microsoft Partner Center", catalog.ServiceMgmtAppID: "Windows Azure Service Management API",
		} {
			slices.Sort(want[resource])
			if diff := cmp.Diff(want[resource], scopesOf(sp, name)); diff != "" {
				t.Errorf("%s (-want +granted):\n%s", name, diff)
			}
		}

		before := len(w.writes())
		again := func() {
			t.Helper()
			if r := w.run("client", "--create", "--yes").must(t, exitDone); !strings.Contains(r.out, made.AppID) {
				t.Errorf("another id:\n%s", r.out)
			}
		}
		again()
		journal := w.state
		w.state = t.TempDir() // another machine knows it by its mark
		again()
		if n := len(w.writes()); n != before {
			t.Errorf("running again wrote: %v", w.writes()[before:])
		}
		w.state = journal
		w.run("undo", "--yes").must(t, exitDone)
		if diff := cmp.Diff(start, w.settled()); diff != "" {
			t.Errorf("undone, the tenant differs from the start (-start +undone):\n%s", diff)
		}
	})
}

// Changed in the portal, the client is brought back; what else was put there stays.
func TestClientIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		made := decode[clientDocument](t, w.run("client", "--create", "--yes", "--json").must(t, exitDone)).Created
		want := w.settled()
		app := object[foundID](w, "/applications(appId='"+made.AppID+"')")
		w.elsewhere("PATCH", "/applications/"+app.ID, map[string]any{
			"isFallbackPublicClient": false, "publicClient": map[string]any{"redirectUris": []string{"msal://own"}},
		})
		w.run("client", "--create", "--yes").must(t, exitDone)
		want.Applications[0].RedirectURIs = []string{"publicClient http://localhost", "publicClient msal://own"}
		if diff := cmp.Diff(want, w.settled()); diff != "" {
			t.Errorf("mended (-want +got):\n%s", diff)
		}
		w.run("client", "--create", "--yes", "--name", "Something else").must(t, exitDone) // it is the same client
		w.elsewhere("POST", "/applications", map[string]any{"displayName": "Taken", "signInAudience": "AzureADMyOrg"})
		w.run("undo", "--yes").must(t, exitDone)
		w.run("client", "--create", "--yes", "--name", "Taken").must(t, exitUsage)
	})
}

// One sign-in with the client serves Graph, Azure and Partner Center.
func TestClientReachesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		made := decode[clientDocument](t, w.run("client", "--create", "--yes", "--json").must(t, exitDone)).Created
		before := w.signIns()
		c, err := msclient.New(msclient.Options{Cloud: catalog.Clouds()[0], ClientID: made.AppID, Transport: w.cloud.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		c.Prompts(func(msclient.Prompt) {}, false)
		if _, err := c.SignIn(t.Context(), msclient.Wish{Tenant: made.Tenant, Scopes: []string{"User.Read", "Application.ReadWrite.All"}}); err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]struct {
			service *msclient.Service
			path    string
		}{
			"Graph": {c.Graph(made.Tenant).Service, "/v1.0/organization"}, "Azure": {c.Azure(made.Tenant), "/subscriptions?api-version=2022-12-01"},
			"Partner Center": {c.PartnerCenter(made.Tenant), "/v1/profiles/organization"},
		} {
			if _, err := s.service.Do(t.Context(), msclient.Request{Path: s.path}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := w.signIns() - before; n != 1 {
			t.Errorf("%d sign-ins, want 1", n)
		}

		// And so does a whole setup.
		before = w.signIns()
		w.run("apply", "-f", ownedCSP, "--yes", "--tenant", made.Tenant, "--client-id", made.AppID).must(t, exitDone)
		if n := w.signIns() - before; n != 1 {
			t.Errorf("%d sign-ins of a setup, want 1", n)
		}
		// Undone with the client that goes, it goes last.
		r := decode[undoDocument](t, w.run("undo", "--yes", "--json", "--tenant", made.Tenant, "--client-id", made.AppID).must(t, exitDone))
		if last := r.Changes[len(r.Changes)-1]; !strings.Contains(last.Object, "msbundle sign-in") || len(r.Offers) > 0 {
			t.Errorf("last: %s, offers %v", last.Describe(), r.Offers)
		}
	})
}

// Making the client ends the same however it was ended before.
func TestClientEndedAtEveryWrite(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		more := false
		for _, when := range sides(n) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Delays: sandbox.DelaysRealistic, Seed: int64(n)})
				start := w.settled()
				w.endedAt(5, when, "apply", "-f", ownedCSP, "--yes")
				more = w.endedAt(n, when, "client", "--create", "--yes") || more
				w.untilDone("client", "--create", "--yes")
				if apps := w.settled().Applications; len(apps) != 2 {
					t.Errorf("ended %s write %d: got %d apps, want the setup's and one client", when, n, len(apps))
				}
				w.undone(start, fmt.Sprintf("ended %s write %d", when, n))
			})
		}
		if !more {
			if n < 4 {
				t.Errorf("only %d writes were ended; making the client has more", n-1)
			}
			return
		}
	}
}

// A tenant that is no partner's gets a client without Partner Center.
func TestClientOfNoPartner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "single-tenant"})
		w.checked()
		made := decode[clientDocument](t, w.run("client", "--create", "--yes", "--json").must(t, exitDone)).Created
		if !made.Done || !slices.ContainsFunc(made.Notes, func(n steps.Note) bool { return n.Permission == "csp:user_impersonation/delegated" }) {
			t.Errorf("that Partner Center is left out is not said: %+v", made.Notes)
		}
		before := len(w.writes())
		w.run("client", "--create", "--yes").must(t, exitDone)
		if got := w.writes()[before:]; len(got) > 0 {
			t.Errorf("running again wrote: %v", got)
		}
	})
}
