package steps

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// entry is a write of the journal that took effect; the time of each is a day
// after the one before.
func entry(n int, k Kind, a Action, method, path, body, before string, refs ...string) state.Entry {
	e := state.Entry{Record: state.Record{
		Kind: state.RecordIntent, At: time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC), Intent: fmt.Sprint("i", n), What: string(k), Action: string(a),
		Method: method, Path: path, Step: stepAuthorize,
	}, Outcome: state.Record{Kind: state.RecordReceipt, Refs: map[string]string{}}}
	if body != "" {
		e.Body = json.RawMessage(body)
	}
	if before != "" {
		e.Before = json.RawMessage(before)
	}
	for i := 0; i < len(refs); i += 2 {
		e.Outcome.Refs[refs[i]] = refs[i+1]
	}
	return e
}

func granted(n int, scope string) state.Entry {
	e := entry(n, KindGrant, Add, "POST", grants, `{"clientId":"sp","resourceId":"sp-graph","scope":"`+scope+`"}`, "", "id", "g")
	e.Name = catalog.GraphAppID
	return e
}

func regranted(n int, before, scope string) state.Entry {
	e := entry(n, KindGrant, Update, "PATCH", grants+"/g", `{"scope":"`+scope+`"}`, `{"id":"g","clientId":"sp","resourceId":"sp-graph","scope":"`+before+`"}`)
	e.Name = catalog.GraphAppID
	return e
}

func assigned(n int, role, id string) state.Entry {
	e := entry(n, KindRole, Add, "POST", principals+"/sp-graph/appRoleAssignedTo", `{"principalId":"sp","resourceId":"sp-graph","appRoleId":"`+role+`"}`, "", "id", id)
	e.Name = role
	return e
}

func unassigned(n int, role, id string) state.Entry {
	e := entry(n, KindRole, Remove, "DELETE", principals+"/sp-graph/appRoleAssignedTo/"+id, "", `{"principalId":"sp","resourceId":"sp-graph","appRoleId":"`+role+`"}`)
	e.Name = role
	return e
}

func createdPrincipal(n int) state.Entry {
	e := entry(n, KindPrincipal, Create, "POST", principals, `{"appId":"app-id"}`, "", "sp.id", "sp")
	e.Name = "app-id"
	return e
}

func madeAgain(n int) state.Entry {
	e := createdPrincipal(n)
	e.Outcome.Refs["sp.id"] = "sp-2"
	return e
}

func createdApp(n int) state.Entry {
	e := entry(n, KindApplication, Create, "POST", applications, `{"tags":["msbundle"]}`, "", "app.id", "app", "app.appId", "app-id")
	e.Name = "Rewst Integration"
	return e
}

func provisioned(n int) state.Entry {
	e := entry(n, KindResource, Create, "POST", principals, "", "", "resource."+catalog.StorageAppID+".id", "sp-storage")
	e.Name = catalog.StorageAppID
	return e
}

// there are the traces of writes in a tenant that has an app with its service
// principal, and every API.
func there(writes ...state.Entry) *Traces {
	t := &Traces{
		at: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), trails: trails(writes), org: Organization{ID: "tenant", Name: "Contoso"},
		account: Account{Username: "admin@contoso.onmicrosoft.com"}, resources: bare().Resources, uses: map[string][]use{},
		apps:       map[string]*Application{"app": {AppSummary: AppSummary{ObjectID: "app", AppID: "app-id", Name: "Rewst Integration"}, Raw: json.RawMessage(`{}`)}},
		principals: map[string]*Principal{"sp": {ObjectID: "sp", AppID: "app-id", Name: "Rewst Integration"}},
	}
	return t
}

func (t *Traces) holding(scopes string, assignments ...Assignment) *Traces {
	if scopes != "" {
		t.principals["sp"].Grants = []Grant{{ID: "g", ResourceID: "sp-graph", Scopes: strings.Fields(scopes)}}
	}
	t.principals["sp"].Assignments = assignments
	return t
}

func TestUndoPlan(t *testing.T) {
	role := func(id string) Assignment { return Assignment{ID: id, ResourceID: "sp-graph", RoleID: "r"} }
	without := func(t *Traces, drop func(*Traces)) *Traces { drop(t); return t }
	for name, c := range map[string]struct {
		traces *Traces
		want   []string // method, path and body
	}{
		"nothing": {there(), nil},
		"an app of ours takes everything with it": {
			there(createdApp(1), createdPrincipal(2), granted(3, "A"), assigned(4, "r", "a")).holding("A", role("a")),
			[]string{"DELETE /v1.0/applications/app"},
		},
		"an app of ours that is gone, its principal is not": {
			without(there(createdApp(1), createdPrincipal(2), assigned(3, "r", "a")).holding("", role("a")), func(t *Traces) { delete(t.apps, "app") }),
			[]string{"DELETE /v1.0/servicePrincipals/sp"},
		},
		"all gone": {
			without(there(createdApp(1), createdPrincipal(2), assigned(3, "r", "a")), func(t *Traces) { clear(t.apps); clear(t.principals) }), nil,
		},
		"a principal of ours, of an app that was there": {
			there(createdPrincipal(1), granted(2, "A"), assigned(3, "r", "a")).holding("A", role("a")),
			[]string{"DELETE /v1.0/servicePrincipals/sp"},
		},
		"a grant nobody added to": {there(granted(1, "A B")).holding("B A"), []string{"DELETE /v1.0/oauth2PermissionGrants/g"}},
		"a grant others added to": {there(granted(1, "A B")).holding("A C B"), []string{`PATCH /v1.0/oauth2PermissionGrants/g {"scope":"C"}`}},
		"a grant of others":       {there(regranted(1, "A", "A B")).holding("A B"), []string{`PATCH /v1.0/oauth2PermissionGrants/g {"scope":"A"}`}},
		"added, then dropped":     {there(regranted(1, "A", "A B"), regranted(2, "A B", "A")).holding("A C"), nil},
		"dropped what others gave": {
			there(regranted(1, "A B", "A")).holding("A C"), []string{`PATCH /v1.0/oauth2PermissionGrants/g {"scope":"A C B"}`},
		},
		"taken away by others since": {there(regranted(1, "A", "A B")).holding("A"), nil},
		"a grant others removed":     {there(regranted(1, "A", "A B")), nil},
		"a grant we removed": {
			there(entry(1, KindGrant, Remove, "DELETE", grants+"/g", "", `{"clientId":"sp","resourceId":"sp-graph","scope":"A"}`)),
			[]string{`POST /v1.0/oauth2PermissionGrants {"clientId":"sp","consentType":"AllPrincipals","resourceId":"sp-graph","scope":"A"}`},
		},
		"two grants made one": {
			there(regranted(1, "A", "A B C"), entry(2, KindGrant, Delete, "DELETE", grants+"/second", "", `{"clientId":"sp","resourceId":"sp-graph","scope":"B"}`)).holding("A B C"),
			[]string{`PATCH /v1.0/oauth2PermissionGrants/g {"scope":"A B"}`},
		},
		"a role":                    {there(assigned(1, "r", "a")).holding("", role("a")), []string{"DELETE /v1.0/servicePrincipals/sp-graph/appRoleAssignedTo/a"}},
		"a role somebody gave anew": {there(assigned(1, "r", "a")).holding("", role("b")), nil},
		"a role, answer lost":       {there(assigned(1, "r", "")).holding("", role("b")), []string{"DELETE /v1.0/servicePrincipals/sp-graph/appRoleAssignedTo/b"}},
		"a role we took away": {
			there(unassigned(1, "r", "a")), []string{`POST /v1.0/servicePrincipals/sp-graph/appRoleAssignedTo {"appRoleId":"r","principalId":"sp","resourceId":"sp-graph"}`},
		},
		"a role we took away and gave again": {there(unassigned(1, "r", "a"), assigned(2, "r", "b")).holding("", role("b")), nil},
		"an API":                             {there(provisioned(1)), []string{"DELETE /v1.0/servicePrincipals/sp-storage"}},
		"an API that was provisioned anew": {
			without(there(provisioned(1)), func(t *Traces) {
				t.resources[catalog.StorageAppID] = Resource{ObjectID: "other", AppID: catalog.StorageAppID}
			}), nil,
		},
		"an API in use": {
			without(there(provisioned(1)), func(t *Traces) { t.uses["sp-storage"] = []use{{"g", "somebody"}} }), nil,
		},
		"a principal that was made again": {
			without(there(createdPrincipal(1), madeAgain(2)), func(t *Traces) {
				t.principals = map[string]*Principal{"sp-2": {ObjectID: "sp-2", AppID: "app-id"}}
			}),
			[]string{"DELETE /v1.0/servicePrincipals/sp-2"},
		},
		"an API used by what goes": {
			without(there(provisioned(1), createdApp(2)), func(t *Traces) { t.uses["sp-storage"] = []use{{"g", "sp"}} }),
			[]string{"DELETE /v1.0/applications/app", "DELETE /v1.0/servicePrincipals/sp-storage"},
		},
	} {
		var got []string
		for _, change := range MakeUndoPlan(c.traces, PlanOptions{}).Changes {
			got = append(got, strings.TrimSpace(change.Method+" "+change.Path+" "+string(change.Body)))
			if change.Step != stepUndo || len(change.Undoes) == 0 || change.Why == "" || change.Risk < RiskLow || change.Tenant == "" || change.Young {
				t.Errorf("%s: incomplete: %+v", name, change)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The order of undoing is the reverse of the order of a setup, and what was made
// a moment ago is waited for.
func TestUndoPlanOrder(t *testing.T) {
	secret := entry(5, KindSecret, Create, "POST", applications+"/app/addPassword", "", "", "secret.keyId", "key", "app.id", "app")
	patched := entry(2, KindApplication, Update, "PATCH", applications+"/app", `{"signInAudience":"AzureADMultipleOrgs"}`, `{"signInAudience":"AzureADMyOrg"}`)
	x := there(provisioned(1), patched, granted(3, "A"), assigned(4, "r", "a"), secret).holding("A", Assignment{ID: "a", ResourceID: "sp-graph", RoleID: "r"})
	x.apps["app"].Raw = json.RawMessage(`{"signInAudience":"AzureADMultipleOrgs"}`)
	x.apps["app"].Passwords = []PasswordFound{{KeyID: "key"}, {KeyID: "somebody's"}}
	x.at = patched.At.AddDate(0, 0, 3).Add(time.Minute)
	x.tried = map[string]bool{principals + "/sp-graph/appRoleAssignedTo/a": true}
	p := MakeUndoPlan(x, PlanOptions{})
	var got []string
	for _, c := range p.Changes {
		got = append(got, fmt.Sprint(c.Kind, " ", c.Action, " ", c.Young))
	}
	want := []string{"secret remove true", "appRole remove false", "delegatedGrant remove false", "application update true", "resource delete false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"i1", "i2", "i5", "i3", "i4"}, p.undone); diff != "" {
		t.Errorf("what counts as taken back (-want +got):\n%s", diff)
	}
}

func TestTrailsAreOurs(t *testing.T) {
	lost, refused, theirs, undone, undo := granted(1, "A"), granted(2, "A"), granted(3, "A"), granted(4, "A"), granted(5, "A")
	lost.Outcome = state.Record{}
	refused.Outcome.Kind = state.RecordRefused
	theirs.Outcome.There = true
	undone.Undone = true
	undo.Step = stepUndo
	app := createdApp(6)
	app.Outcome = state.Record{} // whether there is an app is looked for before
	got := trails([]state.Entry{lost, refused, theirs, undone, undo, app})
	if len(got) != 1 || len(got[0].writes) != 1 || got[0].writes[0].Intent != "i1" {
		t.Errorf("got %+v, want the grant whose answer was lost", got)
	}
}

func TestTakenBack(t *testing.T) {
	const web = `{"redirectUris":["a"],"logoutUrl":null,"redirectUriSettings":[],"implicitGrantSettings":{"enableIdTokenIssuance":false}}`
	const ours = `{"redirectUris":["a","ours"],"implicitGrantSettings":{"enableIdTokenIssuance":true}}`
	listed := func(ids ...string) string {
		var access []string
		for _, id := range ids {
			access = append(access, `{"id":"`+id+`","type":"Scope"}`)
		}
		return `{"requiredResourceAccess":[{"resourceAppId":"api","resourceAccess":[` + strings.Join(access, ",") + `]}]}`
	}
	for name, c := range map[string]struct{ before, ours, now, want string }{
		"as we left it":      {`{"signInAudience":"one"}`, `{"signInAudience":"many"}`, `{"signInAudience":"many"}`, `{"signInAudience":"one"}`},
		"others changed it":  {`{"signInAudience":"one"}`, `{"signInAudience":"many"}`, `{"signInAudience":"all"}`, `{}`},
		"it never happened":  {`{"signInAudience":"one"}`, `{"signInAudience":"many"}`, `{"signInAudience":"one"}`, `{}`},
		"web, others' URI":   {`{"web":` + web + `}`, `{"web":` + ours + `}`, `{"web":{"redirectUris":["ours","a","later"],"logoutUrl":"x","redirectUriSettings":[{"uri":"ours"}],"implicitGrantSettings":{"enableIdTokenIssuance":true}}}`, `{"web":{"redirectUris":["a","later"],"logoutUrl":"x","implicitGrantSettings":{"enableIdTokenIssuance":false}}}`},
		"web, as before":     {`{"web":` + web + `}`, `{"web":` + ours + `}`, `{"web":` + web + `}`, `{}`},
		"listed by us":       {listed("a"), listed("a", "b"), listed("a", "b", "c"), listed("a", "c")},
		"taken off by us":    {listed("a", "b"), listed("a"), listed("a", "c"), listed("a", "c", "b")},
		"all of it was ours": {`{"requiredResourceAccess":[]}`, listed("a"), listed("a"), `{"requiredResourceAccess":[]}`},
	} {
		x := &trail{kind: KindApplication, writes: []state.Entry{entry(1, KindApplication, Update, "PATCH", applications+"/app", c.ours, c.before)}}
		got, err := json.Marshal(x.settingsBack(json.RawMessage(c.now)))
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(c.want), &b) != nil || !cmp.Equal(a, b) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

// What our journal holds for one app says nothing about another.
func TestMadeIsPerApp(t *testing.T) {
	k := journaled{made: map[string]bool{}}
	k.learn(granted(1, "Group.Read.All"))
	k.learn(assigned(2, "r", "a"))
	if !k.made[madeScope("sp", catalog.GraphAppID, "group.read.all")] || !k.made[madeRole("sp", "r")] {
		t.Errorf("made: got %v", k.made)
	}
	if k.made[madeScope("other", catalog.GraphAppID, "group.read.all")] || k.made[madeRole("other", "r")] {
		t.Errorf("made for another app: got %v", k.made)
	}
	client := createdApp(3)
	client.Step, client.Outcome.Refs["app.id"] = stepClient, "client"
	k.learn(createdApp(4))
	k.learn(client)
	if k.app.object != "app" || k.client.object != "client" {
		t.Errorf("apps: got %q and %q", k.app.object, k.client.object)
	}
}

func TestGoneOrNotThereYet(t *testing.T) {
	gone := &msclient.Error{Status: 404, Code: "Request_ResourceNotFound"}
	for young, want := range map[bool]verdict{true: lagging, false: already} {
		if got := judge(Change{Kind: KindRole, Action: Remove, Young: young}, gone, false, false); got != want {
			t.Errorf("made a moment ago %v: got %d, want %d", young, got, want)
		}
	}
}

// Of what this account gave Microsoft's client only what this program asks for is
// offered to be taken back, and of Graph only.
func TestUndoPlanOffersTheFootprint(t *testing.T) {
	x := there()
	x.footprint = []Grant{
		{ID: "g", ResourceID: "sp-graph", Scopes: []string{"openid", "User.Read", "Mail.Read"}}, {ID: "other", ResourceID: "sp-exchange", Scopes: []string{"User.Read"}},
	}
	take := PlanOptions{Ticked: map[string]bool{OfferFootprint: true}}
	p := MakeUndoPlan(x, take)
	if len(p.Changes) != 1 || p.Changes[0].Path != grants+"/g" || string(p.Changes[0].Body) != `{"scope":"Mail.Read"}` {
		t.Errorf("got %+v", p.Changes)
	}
	x.signIn = "own"
	if p := MakeUndoPlan(x, take); len(p.Offers) > 0 || !p.Empty() {
		t.Errorf("signed in with a client of one's own: got %+v", p.Offers)
	}
}

// A replica may show for a while what we deleted.
func TestGhostsAreForgotten(t *testing.T) {
	k := journaled{deleted: map[string]bool{"ghost": true}}
	app := func(id string) *Application { return &Application{AppSummary: AppSummary{ObjectID: id}} }
	f := &Findings{
		SameName: []AppSummary{{ObjectID: "ghost"}, {ObjectID: "app"}}, ours: []*Application{app("ghost"), app("app")},
		Resources: map[string]Resource{"a": {ObjectID: "ghost"}, "b": {ObjectID: "sp"}},
	}
	k.forget(f)
	if len(f.SameName) != 1 || len(f.ours) != 1 || f.ours[0].ObjectID != "app" || len(f.Resources) != 1 {
		t.Errorf("got %+v", f)
	}
	if k.live(&Principal{ObjectID: "ghost"}) != nil || k.live(&Principal{ObjectID: "sp"}) == nil || k.live(nil) != nil {
		t.Error("service principals: want the one that was not deleted")
	}
}

// An inspection settles the open writes it sees the effect of: those of its own
// app, and none that removes something.
func TestCloseOpen(t *testing.T) {
	c, err := msclient.New(msclient.Options{Cloud: catalog.Clouds()[0]})
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.Open(t.TempDir(), state.Identity{Cloud: "global", Tenant: "7c1f1f0e-0000-4000-8000-000000000001"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	mine, other, removal := granted(1, "A").Record, granted(2, "A").Record, provisioned(3).Record
	other.Body = json.RawMessage(strings.ReplaceAll(string(other.Body), `"sp"`, `"client"`))
	removal.Action = string(Delete)
	if err := store.Append(mine, other, removal); err != nil {
		t.Fatal(err)
	}
	f := bare()
	f.Principal = &Principal{ObjectID: "sp", Grants: []Grant{{ID: "g", ResourceID: "sp-graph"}}}
	if err := (&Setup{client: c, store: store}).closeOpen(f); err != nil {
		t.Fatal(err)
	}
	for _, e := range store.Entries() {
		if want := e.Intent != "i1"; e.Open() != want {
			t.Errorf("%s %s of %s: open %v, want %v", e.Action, e.What, e.Body, e.Open(), want)
		}
	}
}

// secretOf is a client secret of the app that was there before, made or removed.
func secretOf(n int, a Action, key string, there bool) state.Entry {
	e := entry(n, KindSecret, a, "POST", applications+"/app/addPassword", "", "")
	e.Name = "msbundle-" + key
	if a == Create {
		e.Outcome.Refs["secret.keyId"] = key
	}
	e.Outcome.There = there
	return e
}

func redirected(n int, before, to string) state.Entry {
	web := func(list string) string { return `{"web":{"redirectUris":[` + list + `]}}` }
	return entry(n, KindApplication, Update, "PATCH", applications+"/app", web(to), web(before))
}

// Whether the last write to an app shows is not asked of what was taken back by then.
func TestShowsTheApp(t *testing.T) {
	const rewst, here = `"https://rewst.example"`, `"https://rewst.example","http://localhost"`
	opened, closed := redirected(1, rewst, here), redirected(2, here, rewst)
	for name, c := range map[string]struct {
		writes    []state.Entry
		redirects string
		key       string
		want      bool
	}{
		"opened":                      {[]state.Entry{opened}, here, "", true},
		"opened, not yet":             {[]state.Entry{opened}, rewst, "", false},
		"closed":                      {[]state.Entry{opened, closed}, rewst, "", true},
		"closed, not yet":             {[]state.Entry{opened, closed}, here, "", false},
		"closed by another before us": {[]state.Entry{opened, redirected(2, rewst, rewst)}, rewst, "", true},
		"a secret":                    {[]state.Entry{secretOf(1, Create, "k", false)}, rewst, "k", true},
		"a secret, not yet":           {[]state.Entry{secretOf(1, Create, "k", false)}, rewst, "", false},
		"a secret, removed":           {[]state.Entry{secretOf(1, Create, "k", false), secretOf(2, Remove, "k", false)}, rewst, "", true},
		"removed by another before":   {[]state.Entry{secretOf(1, Create, "k", false), secretOf(2, Remove, "k", true)}, rewst, "", true},
	} {
		x := there(c.writes...)
		_, x.gone = journaledSecrets(c.writes)
		app := x.apps["app"]
		app.Raw = json.RawMessage(`{"web":{"redirectUris":[` + c.redirects + `]}}`)
		if c.key != "" {
			app.Passwords = []PasswordFound{{KeyID: c.key}}
		}
		if got := x.shows(x.trails[0]); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
