package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
)

// settled is the partner's tenant without the traces of signing in.
func (w *world) settled() sandbox.TenantDigest {
	d := w.cloud.Digest().Tenants["Contoso"]
	d.Clients = nil
	return d
}

func TestUndoTakesEverythingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		start := w.settled()
		w.run("apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(t.TempDir(), "s")).must(t, exitDone)
		before := len(w.writes())

		done := decode[undoDocument](t, w.run("undo", "--yes", "--json").must(t, exitDone))
		wrote := w.writes()[before:]
		if diff := cmp.Diff(planned(planDocument{Changes: done.Changes}), shapes(wrote)); diff != "" {
			t.Errorf("what was planned and what was written differ (-planned +written):\n%s", diff)
		}
		if !done.Done || done.Written != len(wrote) {
			t.Errorf("done %v with %d writes, want %d", done.Done, done.Written, len(wrote))
		}
		// The app takes all it was given with it.
		want := []string{"DELETE /v1.0/applications/ID", "DELETE /v1.0/servicePrincipals/ID"}
		if diff := cmp.Diff(want, shapes(wrote)); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(start, w.settled()); diff != "" {
			t.Errorf("the tenant differs from the start (-start +undone):\n%s", diff)
		}
		again := decode[undoDocument](t, w.run("undo", "--yes", "--json").must(t, exitDone))
		if len(again.Changes) > 0 || again.Written > 0 || len(w.writes()) != before+len(wrote) {
			t.Errorf("a second undo wrote: %v", w.writes()[before+len(wrote):])
		}
	})
}

// elsewhere is what somebody else's tool does to the tenant.
func (w *world) elsewhere(method, path string, body any) []byte {
	w.t.Helper()
	c, err := msclient.New(msclient.Options{Cloud: catalog.Clouds()[0], ClientID: catalog.AzureCLI, Transport: w.cloud.Transport()})
	if err != nil {
		w.t.Fatal(err)
	}
	c.Prompts(func(msclient.Prompt) {}, false)
	who, err := c.SignIn(w.t.Context(), msclient.Wish{Scopes: []string{
		"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All",
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := c.Graph(who.TenantID).Do(w.t.Context(), msclient.Request{Method: method, Path: "/v1.0" + path, Body: body})
	if err != nil {
		w.t.Fatal(err)
	}
	return res.Body
}

// object reads one object as somebody else.
func object[T any](w *world, path string) T {
	w.t.Helper()
	var v T
	if err := json.Unmarshal(w.elsewhere("GET", path, nil), &v); err != nil {
		w.t.Fatal(err)
	}
	return v
}

type foundID struct {
	ID string `json:"id"`
}

type grantFound struct {
	ID         string `json:"id"`
	ResourceID string `json:"resourceId"`
	Scope      string `json:"scope"`
}

// What others did since in an app that was there before stays; what they did
// before is there again.
func TestUndoKeepsWhatOthersDid(t *testing.T) {
	for name, take := range map[string]string{"plain": "", "with the offers taken": "swap-look-alike,remove-extras"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: "adopt"})
				w.checked()
				want := w.settled()
				args := []string{"apply", "-f", w.adopting("stock"), "--yes", "--secret-out", filepath.Join(t.TempDir(), "s")}
				if take != "" {
					args = append(args, "--take", take)
				}
				w.run(args...).must(t, exitDone)
				w.foreignEdits("Fabrikam automation")
				w.run("undo", "--yes").must(t, exitDone)

				app, sp := &want.Applications[0], &want.ServicePrincipals[0]
				app.RedirectURIs = append(app.RedirectURIs, "https://fabrikam.example/later")
				slices.Sort(app.RedirectURIs)
				app.RequiredResourceAccess["Microsoft Graph"] = append(app.RequiredResourceAccess["Microsoft Graph"], "User.ReadBasic.All/delegated")
				slices.Sort(app.RequiredResourceAccess["Microsoft Graph"])
				app.Secrets++
				for i, g := range sp.Delegated {
					if g.Resource == "Microsoft Graph" {
						sp.Delegated[i].Scopes = append(g.Scopes, "User.ReadBasic.All")
						slices.Sort(sp.Delegated[i].Scopes)
					}
				}
				if diff := cmp.Diff(want, w.settled()); diff != "" {
					t.Errorf("the tenant (-start and others' edits +undone):\n%s", diff)
				}
				before := len(w.writes())
				w.run("undo", "--yes").must(t, exitDone)
				if got := w.writes()[before:]; len(got) > 0 {
					t.Errorf("a second undo wrote: %v", got)
				}
			})
		})
	}
}

// foreignEdits is somebody else at work on an app after us: a redirect URI, a
// permission asked for and granted, a secret.
func (w *world) foreignEdits(name string) {
	w.t.Helper()
	apps := object[struct {
		Value []struct {
			ID    string `json:"id"`
			AppID string `json:"appId"`
			Web   struct {
				RedirectURIs []string `json:"redirectUris"`
				Implicit     any      `json:"implicitGrantSettings"`
			} `json:"web"`
			Required []struct {
				AppID  string           `json:"resourceAppId"`
				Access []map[string]any `json:"resourceAccess"`
			} `json:"requiredResourceAccess"`
		} `json:"value"`
	}](w, "/applications?$filter=displayName%20eq%20'"+url.PathEscape(name)+"'")
	app := apps.Value[0]
	const readBasic = "b340eb25-3456-403f-be2f-af7a0d370277"
	for i, r := range app.Required {
		if r.AppID == catalog.GraphAppID {
			app.Required[i].Access = append(r.Access, map[string]any{"id": readBasic, "type": "Scope"})
		}
	}
	w.elsewhere("PATCH", "/applications/"+app.ID, map[string]any{
		"web": map[string]any{
			"redirectUris": append(app.Web.RedirectURIs, "https://fabrikam.example/later"), "implicitGrantSettings": app.Web.Implicit,
		},
		"requiredResourceAccess": app.Required,
	})
	w.elsewhere("POST", "/applications/"+app.ID+"/addPassword", map[string]any{"passwordCredential": map[string]any{"displayName": "Fabrikam's"}})
	sp := object[foundID](w, "/servicePrincipals(appId='"+app.AppID+"')")
	graph := object[foundID](w, "/servicePrincipals(appId='"+catalog.GraphAppID+"')")
	grants := object[struct {
		Value []grantFound `json:"value"`
	}](w, "/servicePrincipals/"+sp.ID+"/oauth2PermissionGrants")
	for _, g := range grants.Value {
		if g.ResourceID == graph.ID {
			w.elsewhere("PATCH", "/oauth2PermissionGrants/"+g.ID, map[string]any{"scope": g.Scope + " User.ReadBasic.All"})
		}
	}
}

// An undo that ends at any of its writes, before or after the service carried it
// out, with replicas that lag, is taken up by the next and ends in the same tenant.
// What an apply left behind that ended at any of its writes is taken back.
// Every fault the network and the service can throw ends in the same tenant.
// What was made a moment ago, and is not known everywhere yet, is undone without
// another try; a setup right after it meets no ghosts.
// A removal whose answer was lost, and things somebody else deleted, are not
// waited for.
// An undo that was ended does not mislead the setup after it.
// What was granted by a write whose answer was lost, and repeated, is ours.
// After an undo a setup starts afresh, and ends like the first.
// An API we provisioned stays while something else uses it.
func TestUndoKeepsAnAPIOthersUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		start := w.settled()
		w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
		var app struct{ ID, AppID string }
		if err := json.Unmarshal(w.elsewhere("POST", "/applications", map[string]any{"displayName": "Northwind reports", "signInAudience": "AzureADMyOrg"}), &app); err != nil {
			t.Fatal(err)
		}
		var sp foundID
		if err := json.Unmarshal(w.elsewhere("POST", "/servicePrincipals", map[string]any{"appId": app.AppID}), &sp); err != nil {
			t.Fatal(err)
		}
		api := object[foundID](w, "/servicePrincipals(appId='"+catalog.ManagementAPIsAppID+"')")
		w.elsewhere("POST", "/oauth2PermissionGrants", map[string]any{
			"clientId": sp.ID, "consentType": "AllPrincipals", "resourceId": api.ID, "scope": "ActivityFeed.Read",
		})

		for range 2 { // said each time
			r := w.run("undo", "--yes").must(t, exitDone)
			if !strings.Contains(r.err, "Kept: the service principal of Office 365 Management APIs") || !strings.Contains(r.err, "by 1 other") {
				t.Errorf("what is kept is not said:\n%s", r.err)
			}
		}
		if !slices.Contains(w.settled().Resources, "Office 365 Management APIs") {
			t.Error("the API is gone, and somebody uses it")
		}
		w.elsewhere("DELETE", "/applications/"+app.ID, nil)
		w.run("undo", "--yes").must(t, exitDone)
		if diff := cmp.Diff(start, w.settled()); diff != "" {
			t.Errorf("once nobody uses it (-start +undone):\n%s", diff)
		}
	})
}

// What signing in leaves behind is taken back for this account, when asked to.
func TestUndoOffersTheFootprint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
		mine := func() []sandbox.GrantDigest { return w.cloud.Digest().Tenants["Contoso"].Clients[0].Delegated }
		grown := mine()
		plain := decode[undoDocument](t, w.run("undo", "--yes", "--json").must(t, exitDone))
		if len(plain.Offers) != 1 || plain.Offers[0].ID != "client-footprint" || plain.Offers[0].Ticked {
			t.Errorf("offers: got %+v, want client-footprint, not ticked", plain.Offers)
		}
		if !strings.Contains(plain.Offers[0].Why, "Microsoft Graph PowerShell") {
			t.Errorf("who else uses the app is not said: %s", plain.Offers[0].Why)
		}
		if diff := cmp.Diff(grown, mine()); diff != "" {
			t.Errorf("it was not asked for (-before +after):\n%s", diff)
		}
		// Somebody's PowerShell asked for more with the same app.
		client := object[foundID](w, "/servicePrincipals(appId='"+catalog.GraphCommandLineTools+"')")
		grants := object[struct {
			Value []grantFound `json:"value"`
		}](w, "/servicePrincipals/"+client.ID+"/oauth2PermissionGrants")
		w.elsewhere("PATCH", "/oauth2PermissionGrants/"+grants.Value[0].ID, map[string]any{"scope": grants.Value[0].Scope + " Mail.ReadBasic"})
		r := w.run("undo", "--yes", "--take", "client-footprint").must(t, exitDone)
		if len(mine()) != 1 || !slices.Equal(mine()[0].Scopes, []string{"Mail.ReadBasic"}) {
			t.Errorf("left: got %+v, want only what the other tool asked for", mine())
		}
		if !strings.Contains(r.err, "it cannot be told whether it was there before") {
			t.Errorf("why the enterprise application stays is not said:\n%s", r.err)
		}
		w.elsewhere("DELETE", "/oauth2PermissionGrants/"+grants.Value[0].ID, nil)
		w.run("undo", "--yes", "--take", "client-footprint").must(t, exitDone)
		if len(mine()) > 0 {
			t.Errorf("left: got %+v, want none", mine())
		}
		w.run("undo", "--yes", "--take", "nothing-of-the-kind").must(t, exitUsage)
	})
}

func TestUndoAsksFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		r := w.run("undo", "--yes").must(t, exitDone)
		if !strings.Contains(r.err, "holds nothing that was made in this tenant") {
			t.Errorf("that there is nothing is not said:\n%s", r.err)
		}
		w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
		before := len(w.writes())
		r = w.run("undo", "--accessible").must(t, exitUsage) // the end of input declines
		for _, word := range []string{"Delete app registration", "can be restored for 30 days", "Type yes", ": \nmsbundle: declined"} {
			if !strings.Contains(r.err, word) {
				t.Errorf("stderr does not say %q:\n%s", word, r.err)
			}
		}
		r = w.run("undo", "--no-input").must(t, exitUsage) // where nobody can be asked it is shown, and not done
		for _, word := range []string{"Delete app registration", "nothing was written, and nobody can be asked here: add --yes"} {
			if !strings.Contains(r.err, word) {
				t.Errorf("stderr does not say %q:\n%s", word, r.err)
			}
		}
		if got := w.writes()[before:]; len(got) > 0 {
			t.Errorf("declined, and wrote: %v", got)
		}
	})
}

// The wizard's first screen offers no setup that was undone, and says what an undo
// left that was not finished.
func TestUnfinishedAfterUndo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
		w.endedAt(2, "after", "client", "--create", "--yes") // beside the setup, which is finished
		if got := w.unfinished(); len(got) > 0 {
			t.Errorf("a client that was ended: got %v", got)
		}
		w.abandonUndelivered()
		w.endedAt(2, "after", "undo", "--yes") // the setup's app is gone, and no answer said so
		if got := w.unfinished(); len(got) != 1 || !strings.Contains(got[0], "msbundle undo") {
			t.Errorf("an undo that was ended: got %v", got)
		}
		w.untilDone("undo", "--yes")
		if got := w.unfinished(); len(got) > 0 {
			t.Errorf("undone: got %v", got)
		}
		// A client made beside a setup does not finish that.
		w.endedAt(3, "after", "apply", "-f", ownedCSP, "--yes")
		w.endedAt(2, "after", "client", "--create", "--yes")
		w.untilDone("client", "--create", "--yes")
		if got := w.unfinished(); len(got) != 1 || !strings.HasPrefix(got[0], "authorize: ") || !strings.Contains(got[0], "writes done") {
			t.Errorf("a setup that was ended: got %v", got)
		}
		w.untilDone("apply", "-f", ownedCSP, "--yes")
		if got := w.unfinished(); len(got) > 0 {
			t.Errorf("a setup that was finished: got %v", got)
		}
		// What is left of the tenant's stage goes on there.
		w.endedAt(2, "after", w.passworded(alone)...)
		if got := w.unfinished(); len(got) != 1 || !strings.HasPrefix(got[0], "tenant: ") {
			t.Errorf("a tenant that is half ready: got %v", got)
		}
	})
}

// unfinished is what the wizard's first screen offers to go on with.
func (w *world) unfinished() []string {
	w.t.Helper()
	a := &app{env: func(string) (string, bool) { return "", false }, cloud: w.cloud}
	a.flags.sandbox, a.flags.stateDir = inProcess, w.state
	a.flags.cloudID, a.flags.auth, a.flags.color = "global", "device", "auto"
	if err := a.flags.check(); err != nil {
		w.t.Fatal(err)
	}
	defer a.close()
	cfg, err := a.wizardConfig(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := cfg.Setup.Unfinished()
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, u := range list {
		out = append(out, string(u.Stage)+": "+u.Left)
	}
	return out
}

// What somebody else grants between the plan and the write is theirs.
func TestUndoLeavesWhatSomebodyElseGrantedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "adopt"})
		start := w.settled()
		setup := w.adopting("recommended")
		done := false
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				if !done && strings.HasSuffix(req.URL.Path, "/$batch") {
					body, err := io.ReadAll(req.Body)
					if err != nil {
						return nil, err
					}
					req.Body = io.NopCloser(bytes.NewReader(body))
					var batch struct {
						Requests []struct {
							Method, URL string
							Body        map[string]string
						} `json:"requests"`
					}
					if err := json.Unmarshal(body, &batch); err != nil {
						return nil, err
					}
					if first := batch.Requests[0]; first.Method == "POST" && strings.HasSuffix(first.URL, "/appRoleAssignedTo") {
						done = true
						w.elsewhere("POST", first.URL, first.Body)
					}
				}
				return next.RoundTrip(req)
			})
		}
		w.run("apply", "-f", setup, "--yes").must(t, exitDone)
		given := len(w.settled().ServicePrincipals[0].Roles["Microsoft Graph"])
		r := decode[undoDocument](t, w.run("undo", "--yes", "--json").must(t, exitDone))
		had := len(start.ServicePrincipals[0].Roles["Microsoft Graph"])
		if left := len(w.settled().ServicePrincipals[0].Roles["Microsoft Graph"]); !done || left != had+1 || given <= left {
			t.Errorf("%d application permissions are left of %d, want the %d from before and somebody else's: %+v", left, given, had, r.Changes)
		}
	})
}
