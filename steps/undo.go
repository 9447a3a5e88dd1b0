package steps

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

// stepUndo is the step of what takes earlier writes back.
const stepUndo = "undo"

// OfferFootprint is the offer to take back what signing in left in the tenant.
const OfferFootprint = "client-footprint"

// MakeUndoPlan works out what has to be written so that what our journal says we
// made is gone again: in the reverse of the order it was made in, and only what
// does not vanish with something else. It is a pure function.
//
// What we did not make is not touched; what others changed since, in something we
// changed, stays.
func MakeUndoPlan(t *Traces, o PlanOptions) Plan {
	p := Plan{Tenant: t.org.ID, TenantName: t.org.Name, Account: t.account.Username, options: o, traces: t}
	u := &undoing{Plan: &p, Traces: t, removed: map[string]bool{}, kept: map[*trail]bool{}}
	u.planDelegation()
	u.planTenant()
	for _, kind := range []Kind{KindApplication, KindRole, KindGrant, KindPrincipal} {
		for _, x := range slices.Backward(t.trails) {
			if x.kind == kind {
				u.plan(x)
			}
		}
	}
	sortStably(p.Changes, func(a, b Change) int { return u.rank(a) - u.rank(b) })
	for _, x := range slices.Backward(t.trails) {
		if x.kind == KindResource {
			u.planResource(x)
		}
	}
	p.Changes = append(p.Changes, u.last...)
	u.planFootprint()
	u.notes()
	p.undone = u.intents()
	return p
}

// undoing is an undo plan in the making.
type undoing struct {
	*Plan
	*Traces
	removed map[string]bool // ids of what is removed, or goes with what is removed
	last    []Change        // what this sign-in itself rests on
	kept    map[*trail]bool // what is ours and stays
	resting []string        // what stays because the account that is signed in rests on it
}

// rank brings changes into the reverse of the order of a setup. What the stage
// about the tenant wrote comes first, in the order it stands in.
func (u *undoing) rank(c Change) int {
	return slices.Index([]Kind{KindSecret, KindRole, KindGrant, KindPrincipal, KindApplication}, c.Kind)
}

func (u *undoing) plan(x *trail) {
	switch {
	case x.kind == KindApplication && x.created():
		u.deleteApp(x)
	case x.kind == KindApplication:
		u.restoreApp(x)
		u.removeSecrets(x)
	case x.kind == KindPrincipal:
		u.deletePrincipal(x)
	case u.principals[x.principal] == nil, u.goes(x.principal):
		// Nothing is left of what it was given, or it goes with it.
	case x.kind == KindRole:
		u.restoreRole(x)
	case x.kind == KindGrant:
		u.restoreGrants(x)
	}
}

// undo puts a change for a trail at the end of the plan. Once it took effect the
// writes it names count as taken back.
func (u *undoing) undo(x *trail, c Change, body any, undoes ...string) {
	c.Step, c.Undoes = stepUndo, undoes
	c.Young = c.Service == "" && u.young(x) && !u.tried[c.Path] // what Azure does not find is not there
	u.add(c, body)
}

// deleteApp removes an app of ours. Its service principal in this tenant, its
// secrets and all it was granted go with it.
// https://learn.microsoft.com/graph/api/application-delete
func (u *undoing) deleteApp(x *trail) {
	app := u.apps[x.object]
	if app == nil {
		u.note("Gone already: app registration %q.", x.first().Name)
		return
	}
	c := Change{
		ID: "undo/app/" + app.AppID, Kind: KindApplication, Action: Delete, Name: app.Name,
		Object: fmt.Sprintf("app registration %q with its enterprise application, secrets and permissions", app.Name),
		Why:    "This program made it. Rewst, and whatever else signs in with it, stops working at once.",
		Method: "DELETE", Path: applications + "/" + app.ObjectID, Risk: RiskHigh, Reversible: true,
		Before: before(app.Raw, map[string]any{"id": nil, "appId": nil, "displayName": nil, "tags": nil}),
	}
	if n := u.foreignSecrets(x, app); n > 0 {
		c.Why += fmt.Sprintf(" %s of it came from somebody else.", plural(n, "secret"))
	}
	if x.first().Step == stepClient {
		c.Why = "This program made it to sign in with. Sign-ins with --client-id " + app.AppID + " stop working."
	}
	u.undo(x, c, nil, x.intents()...)
	for id, p := range u.principals {
		if p.AppID == app.AppID {
			u.removed[id] = true
		}
	}
	if app.AppID == u.signIn { // the rest of the plan needs it
		n := len(u.Changes) - 1
		u.last, u.Changes = append(u.last, u.Changes[n]), u.Changes[:n]
	}
}

func (u *undoing) foreignSecrets(x *trail, app *Application) int {
	n := len(app.Passwords)
	for _, p := range app.Passwords {
		if slices.ContainsFunc(x.writes, func(e state.Entry) bool { return e.Outcome.Refs["secret.keyId"] == p.KeyID }) {
			n--
		}
	}
	return n
}

// restoreApp gives an app that was there before its settings back.
func (u *undoing) restoreApp(x *trail) {
	app := u.apps[x.object]
	if app == nil {
		return
	}
	body := x.settingsBack(app.Raw)
	if len(body) == 0 {
		return
	}
	var what []string
	for _, s := range []struct{ name, words string }{
		{"signInAudience", "who may sign in"}, {"web", "redirect URIs and tokens"}, {"requiredResourceAccess", "listed permissions"},
	} {
		if _, differs := body[s.name]; differs {
			what = append(what, s.words)
		}
	}
	u.undo(x, Change{
		ID: "undo/app/" + app.AppID, Kind: KindApplication, Action: Update, Name: app.Name,
		Object: fmt.Sprintf("app registration %q: %s as before", app.Name, strings.Join(what, ", ")),
		Why:    "The app was there before. What this program changed of it is taken back; what others changed since stays.",
		Method: "PATCH", Path: applications + "/" + app.ObjectID, Risk: RiskModerate, Reversible: true, Before: before(app.Raw, body),
	}, body, x.intents()...)
}

// settingsBack are the settings of an app that differ from what they would be
// without our writes.
func (x *trail) settingsBack(raw json.RawMessage) map[string]any {
	const required = "requiredResourceAccess"
	settings := func(raw json.RawMessage) map[string]any {
		var all map[string]any
		_ = json.Unmarshal(raw, &all) // read from the service, or written by this program
		if _, there := all[required]; there {
			all[required] = flat(written(raw).Required)
		}
		return all
	}
	now := settings(raw)
	then := maps.Clone(now)
	body := map[string]any{}
	for _, e := range slices.Backward(x.writes) {
		if e.What != string(KindApplication) {
			continue
		}
		was := settings(e.Before)
		for name, ours := range settings(e.Body) {
			then[name] = takenBack(was[name], ours, then[name])
			body[name] = then[name]
		}
	}
	for name, value := range body {
		switch web, _ := value.(map[string]any); {
		case reflect.DeepEqual(value, now[name]):
			delete(body, name)
		case name == required:
			body[name] = unflat(value)
		case name == "web":
			body[name] = sendable(web)
		}
	}
	return body
}

// flat lists permissions so that each can be told by itself; unflat is its
// reverse.
func flat(list []RequiredAccess) []any {
	out := []any{}
	for _, r := range list {
		for _, a := range r.Access {
			out = append(out, r.ResourceAppID+" "+a.ID+" "+a.Type)
		}
	}
	return out
}

func unflat(list any) []RequiredAccess {
	entries, _ := list.([]any)
	out := []RequiredAccess{}
	for _, entry := range entries {
		var resource string
		var a ResourceAccess
		_, _ = fmt.Sscan(entry.(string), &resource, &a.ID, &a.Type) // made by flat
		i := slices.IndexFunc(out, func(r RequiredAccess) bool { return r.ResourceAppID == resource })
		if i < 0 {
			i = len(out)
			out = append(out, RequiredAccess{ResourceAppID: resource})
		}
		out[i].Access = append(out[i].Access, a)
	}
	return out
}

// removeSecrets takes the secrets we made off an app that was there before.
// https://learn.microsoft.com/graph/api/application-removepassword
func (u *undoing) removeSecrets(x *trail) {
	app := u.apps[x.object]
	if app == nil {
		return
	}
	for _, e := range slices.Backward(x.writes) {
		key := e.Outcome.Refs["secret.keyId"]
		if key == "" || !slices.ContainsFunc(app.Passwords, func(p PasswordFound) bool { return p.KeyID == key }) {
			continue
		}
		u.undo(x, Change{
			ID: "undo/secret/" + key, Kind: KindSecret, Action: Remove, Name: e.Name,
			Object: fmt.Sprintf("client secret %q of %q", e.Name, app.Name),
			Why:    "This program made it. Whoever uses it, Rewst above all, is refused at once.",
			Method: "POST", Path: applications + "/" + app.ObjectID + "/removePassword", Risk: RiskHigh, Reversible: false,
		}, map[string]string{"keyId": key}, e.Intent)
	}
}

// deletePrincipal removes a service principal of ours whose app stays.
// https://learn.microsoft.com/graph/api/serviceprincipal-delete
func (u *undoing) deletePrincipal(x *trail) {
	p := u.principals[u.principalOf(x)]
	if p == nil || u.removed[p.ObjectID] {
		return
	}
	u.removed[p.ObjectID] = true
	u.undo(x, Change{
		ID: "undo/principal/" + p.AppID, Kind: KindPrincipal, Action: Delete, Name: p.AppID,
		Object: fmt.Sprintf("enterprise application (service principal) of %q with all it was granted", p.Name),
		Why:    "This program made it. Whatever signs in with its app in this tenant stops working at once.",
		Method: "DELETE", Path: principals + "/" + p.ObjectID, Risk: RiskHigh, Reversible: true,
		Before: encode(map[string]string{"appId": p.AppID, "displayName": p.Name}),
	}, nil, x.intents()...)
}

// restoreRole takes an application permission back, or gives one back that we
// took away.
func (u *undoing) restoreRole(x *trail) {
	api, there := u.api(x.resource)
	if !there {
		return
	}
	name := cmp.Or(api.PermissionName(x.role, catalog.Application), x.role)
	c := Change{
		ID: "undo/role/" + x.principal + "/" + api.AppID + "/" + name, Kind: KindRole, Risk: RiskModerate, Reversible: true, Name: x.role,
		Object: fmt.Sprintf("%s, application permission of %s", name, api.Name), Path: principals + "/" + x.resource + "/appRoleAssignedTo",
	}
	body := map[string]string{"principalId": x.principal, "resourceId": x.resource, "appRoleId": x.role}
	given := x.assignment(u.principals[x.principal])
	gave := x.first().Action == string(Add)
	switch {
	case gave && given != "" && x.gave(given):
		u.removed[given] = true
		c.Action, c.Method, c.Path, c.Before = Remove, "DELETE", c.Path+"/"+given, encode(body)
		c.Why = "This program granted it."
		u.undo(x, c, nil, x.intents()...)
	case !gave && given == "":
		c.Action, c.Method, c.Risk = Add, "POST", RiskHigh
		c.Why = "Somebody else had granted it, and this program took it away."
		u.undo(x, c, body, x.intents()...)
	}
}

// gave tells whether an assignment is one we made, and not one somebody gave anew
// since. An answer that was lost names none.
func (x *trail) gave(id string) bool {
	return slices.ContainsFunc(x.writes, func(e state.Entry) bool {
		return e.Action == string(Add) && (e.Outcome.Refs["id"] == id || e.Outcome.Refs["id"] == "")
	})
}

// restoreGrants brings the delegated permissions for one API to what they would
// be without us. Old tenants hold several grants for a pair; the first takes up
// what belongs to one that is gone.
func (u *undoing) restoreGrants(x *trail) {
	api, there := u.api(x.resource)
	if !there {
		return
	}
	have := u.principals[x.principal].grantsOf(x.resource)
	want := x.grantsBack(have)
	var gone []string // scopes of grants that are not there any more
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if !slices.ContainsFunc(have, func(g Grant) bool { return g.ID == id }) {
			gone = append(gone, want[id]...)
		}
	}
	c := Change{ID: "undo/grant/" + x.principal + "/" + api.AppID, Kind: KindGrant, Risk: RiskModerate, Reversible: true, Name: api.AppID}
	if len(have) == 0 && len(gone) > 0 {
		c.Action, c.Method, c.Path = Add, "POST", grants
		c.Object = fmt.Sprintf("%s of %s, for every user of the tenant", plural(len(gone), "delegated permission"), api.Name)
		c.Why = "Somebody else had granted them, and this program took them away."
		u.undo(x, c, map[string]string{
			"clientId": x.principal, "consentType": "AllPrincipals", "resourceId": x.resource, "scope": strings.Join(gone, " "),
		}, x.intents()...)
		return
	}
	if len(have) > 0 {
		want[have[0].ID] = takenBackList(gone, nil, want[have[0].ID], strings.EqualFold)
	}
	differ := slices.DeleteFunc(have, func(g Grant) bool { return sameSet(want[g.ID], g.Scopes) })
	for i, g := range differ {
		var undoes []string
		if i == len(differ)-1 { // only with the last of them is it done
			undoes = x.intents()
		}
		c := c
		c.ID += "/" + g.ID
		u.grantBack(x, c, g, want[g.ID], api.Name, undoes)
	}
}

// grantBack leaves of a grant what is not ours.
func (u *undoing) grantBack(x *trail, c Change, g Grant, rest []string, api string, undoes []string) {
	c.Path, c.Before = grants+"/"+g.ID, g.Raw
	c.Object = fmt.Sprintf("delegated permissions of %s: %s", api, difference(g.Scopes, rest))
	c.Why = "What this program changed is taken back; what others granted stays."
	if len(rest) == 0 {
		u.removed[g.ID] = true
		c.Action, c.Method, c.Why = Remove, "DELETE", "This program granted them, and nobody added others."
		u.undo(x, c, nil, undoes...)
		return
	}
	c.Action, c.Method = Update, "PATCH"
	u.undo(x, c, map[string]string{"scope": strings.Join(rest, " ")}, undoes...)
}

// planResource removes the service principal of an API we provisioned, unless
// something else in the tenant came to use it.
func (u *undoing) planResource(x *trail) {
	live, there := u.resources[x.appID]
	if !there || x.object != "" && live.ObjectID != x.object {
		u.note("Gone already: %s.", x.first().Object)
		return // or provisioned anew by somebody else
	}
	var others []string
	for _, use := range u.uses[live.ObjectID] {
		if !u.removed[use.client] && !u.removed[use.id] && !slices.Contains(others, use.client) {
			others = append(others, use.client)
		}
	}
	if len(others) > 0 {
		u.kept[x] = true
		u.note("Kept: the service principal of %s, which this program provisioned: it came to be used by %s of the tenant.", live.Name, plural(len(others), "other"))
		return
	}
	u.undo(x, Change{
		ID: "undo/resource/" + live.AppID, Kind: KindResource, Action: Delete, Name: live.AppID,
		Object: "service principal of " + live.Name, Why: "This program provisioned it, and nothing else was granted permissions of it.",
		Method: "DELETE", Path: principals + "/" + live.ObjectID, Risk: RiskModerate, Reversible: true,
		Before: encode(map[string]string{"appId": live.AppID}),
	}, nil, x.intents()...)
}

// planFootprint offers to take back what signing in left: the consent of this
// account to Microsoft's client. It goes last: the sign-in under way keeps what it
// was given until it ends.
func (u *undoing) planFootprint() {
	if u.signIn != "" {
		return // a client of the person's own leaves no trace of Microsoft's
	}
	asked := append(signInScopes(), "openid", "profile", "email", "offline_access")
	if u.ready.ever {
		asked = append(asked, tenantScopes()...)
	}
	for _, g := range u.footprint {
		var rest []string
		for _, scope := range g.Scopes {
			if !containsFold(asked, scope) {
				rest = append(rest, scope)
			}
		}
		if g.ResourceID != u.resources[catalog.GraphAppID].ObjectID || len(rest) == len(g.Scopes) || !u.offer(Offer{
			ID: OfferFootprint, Risk: RiskModerate, Title: "Take back what signing in left behind",
			Why: "Signing in gave the app Microsoft Graph Command Line Tools permissions for " + u.account.Username + ". Other tools of this tenant, " +
				"Microsoft Graph PowerShell above all, sign in with the same app: only this account's permissions that this program asks for are taken back, " +
				"and such a tool asks for its consent again.",
		}) {
			continue
		}
		c := Change{
			ID: "undo/footprint", Step: stepUndo, Kind: KindGrant, Action: Remove, Name: catalog.GraphAppID, Before: g.Raw,
			Object: fmt.Sprintf("delegated permissions of Microsoft Graph Command Line Tools for %s: %s", u.account.Username, difference(g.Scopes, rest)),
			Why:    "Signing in with this program made them.", Path: grants + "/" + g.ID, Risk: RiskModerate, Reversible: true,
		}
		if len(rest) == 0 {
			c.Method = "DELETE"
			u.add(c, nil)
		} else {
			c.Method = "PATCH"
			u.add(c, map[string]string{"scope": strings.Join(rest, " ")})
		}
		u.note("The enterprise application Microsoft Graph Command Line Tools stays: it cannot be told whether it was there before.")
	}
}

// notes says what a person should know beyond the writes.
func (u *undoing) notes() {
	if len(u.trails) == 0 {
		u.note("The journal on this machine holds nothing that was made in this tenant and not taken back. What was made from another machine is undone there.")
	}
	apps := func(c Change) bool { return c.Kind == KindApplication && c.Action == Delete }
	if slices.ContainsFunc(u.Changes, apps) {
		u.note("A deleted app registration can be restored for 30 days: Entra admin center, App registrations, Deleted applications.")
	}
	u.tenantNotes()
	if len(u.last) > 0 {
		u.note("You are signed in with the app %s, which is deleted last; sign in without --client-id afterwards.", u.signIn)
	}
}

// intents are the writes that are taken back once the plan is carried out.
func (u *undoing) intents() []string {
	var out []string
	for _, x := range u.trails {
		if !u.kept[x] {
			out = append(out, x.intents()...)
		}
	}
	return out
}
