package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// planTenant takes back what the stage about the tenant wrote, newest first. An
// account we made goes last: what names it from elsewhere, in policies and in
// Azure, does not vanish with it.
func (u *undoing) planTenant() {
	each := func(k Kind, plan func(*trail)) {
		for _, x := range slices.Backward(u.trails) {
			switch {
			case x.kind != k:
			case u.ready.unread[x.part()] != nil:
				u.kept[x] = true
			default:
				plan(x)
			}
		}
	}
	for part, err := range u.ready.unread {
		why := whyUnread(err, "")
		u.note("Kept: what this program wrote in %s, which cannot be read. %s.", unreadNames[part], why.Why)
	}
	back := u.rolesBack()
	// An administrator's account cannot be disabled with the permissions asked for
	// here: what makes it one comes after that.
	late := slices.ContainsFunc(u.trails, func(x *trail) bool { return x.kind == KindUser && !x.created() })
	if !late {
		u.giveBack(back)
	}
	each(KindRoleGiven, u.takeRole)
	each(KindAzureRole, u.takeAzureRole)
	each(KindVault, u.deleteVault)
	each(KindGroup, u.deleteGroup)
	each(KindProvider, func(x *trail) {
		u.note("Kept: %s. That costs nothing, and others may use it by now.", lowerFirst(x.first().Object))
	})
	each(KindPolicy, u.restorePolicy)
	each(KindMFA, u.restoreMFA)
	each(KindMember, u.leaveGroup)
	each(KindPassword, u.keepPassword)
	each(KindUser, u.restoreAccount)
	if late {
		u.giveBack(back)
	}
}

// unreadNames are the parts that can be hidden, in words.
var unreadNames = map[Part]string{PartAzure: "Azure", PartPolicies: "Conditional Access", PartPerUserMFA: "the per-user state of multifactor authentication", PartDelegation: "relationships with customers"}

// rest keeps what the account that is signed in rests on.
func (u *undoing) rest(x *trail) {
	u.kept[x] = true
	u.resting = append(u.resting, x.about())
}

// ---- directory roles

// rolesBack are the trails of roles that somebody else had given and that we took
// away from what stays.
func (u *undoing) rolesBack() []*trail {
	var out []*trail
	for _, x := range u.trails {
		stays := u.user(x.principal) != nil && !u.leaves(x.principal) || u.principals[x.principal] != nil && !u.goes(x.principal)
		if x.kind == KindRoleGiven && x.first().Action == string(Remove) && stays && x.given(u.ready.given[x.principal]) == nil {
			out = append(out, x)
		}
	}
	return out
}

// giveBack gives roles again.
// https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments
func (u *undoing) giveBack(trails []*trail) {
	for _, x := range trails {
		c := u.roleChange(x, x.role)
		c.Action, c.Method, c.Path = Add, "POST", roleAssignments
		c.Why = "Somebody else had given it, and this program took it away."
		if x.role == catalog.RoleGlobalAdministrator {
			c.Risk = RiskCritical
		}
		u.undo(x, c, map[string]string{"roleDefinitionId": x.role, "principalId": x.principal, "directoryScopeId": "/"}, x.intents()...)
	}
}

func (u *undoing) roleChange(x *trail, role string) Change {
	who := x.principal
	if a := u.user(x.principal); a != nil {
		who = a.UPN
	} else if p := u.principals[x.principal]; p != nil {
		who = p.Name
	}
	return Change{
		ID: "undo/directoryRole/" + x.principal + "/" + role, Kind: KindRoleGiven, Risk: RiskHigh, Reversible: true, Name: role,
		Object: fmt.Sprintf("%s, directory role of %s", catalog.RoleByID(role).Name, who),
	}
}

// takeRole takes a role away that we gave.
// https://learn.microsoft.com/graph/api/unifiedroleassignment-delete
func (u *undoing) takeRole(x *trail) {
	if u.reader {
		u.leaveRole(x)
		return
	}
	g := x.given(u.ready.given[x.principal])
	switch {
	case x.first().Action != string(Add), g == nil, !x.gave(g.ID):
		return
	case u.self(x.principal):
		u.rest(x)
		return
	}
	c := u.roleChange(x, x.role)
	c.Why = "This program gave it."
	u.takeGiven(x, c, *g, x.intents()...)
}

// leaveRole: nobody but the app may take its role at a customer away, but that goes
// with its enterprise application.
func (u *undoing) leaveRole(x *trail) {
	if u.principals[x.principal] == nil || u.goes(x.principal) {
		return
	}
	u.kept[x] = true
	u.note("Kept: %s. Nobody but the app may take it away.", x.about())
}

func (u *undoing) takeGiven(x *trail, c Change, g RoleGiven, undoes ...string) {
	u.removed[g.ID] = true
	c.Action, c.Method, c.Path = Remove, "DELETE", roleAssignments+"/"+g.ID
	c.Before = encode(map[string]string{"roleDefinitionId": g.RoleID, "principalId": g.PrincipalID, "directoryScopeId": g.Scope})
	u.undo(x, c, nil, undoes...)
}

// ---- the account

// restoreAccount removes an account we made, or disables one we enabled.
// https://learn.microsoft.com/graph/api/user-delete
func (u *undoing) restoreAccount(x *trail) {
	a := u.user(x.object)
	if a == nil {
		u.note("Gone already: account %s.", x.first().Name)
		return
	}
	back := x.valueBack("accountEnabled", a.Enabled)
	switch {
	case !x.created() && back == any(a.Enabled):
		return
	case u.self(x.object):
		u.rest(x)
		return
	}
	c := Change{
		ID: "undo/account/" + a.ID, Kind: KindUser, Name: a.UPN, Path: users + "/" + a.ID, Risk: RiskHigh, Reversible: true,
		Action: Update, Method: "PATCH", Object: "account " + a.UPN + ": disabled as before",
		Why: "It was disabled before, and this program enabled it. Whatever signs in with it is refused.", Before: encode(map[string]string{"userPrincipalName": a.UPN}),
	}
	if !x.created() {
		c.Before = json.RawMessage(fmt.Sprintf(`{"accountEnabled":%t}`, a.Enabled))
		u.undo(x, c, map[string]any{"accountEnabled": back}, x.intents()...)
		return
	}
	// An administrator's account cannot be deleted with the permissions asked for
	// here, so what makes it one goes first.
	// https://learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions
	for _, g := range u.ready.given[x.object] {
		if !u.removed[g.ID] {
			role := u.roleChange(&trail{principal: x.object}, g.RoleID)
			role.Why = "Somebody else gave it. The account cannot be deleted while it is an administrator's."
			u.takeGiven(x, role, g)
		}
	}
	c.Action, c.Method, c.Object = Delete, "DELETE", "account "+a.UPN
	c.Why = "This program made it. Rewst, and whatever else signs in with it, stops working at once."
	if strings.HasSuffix(x.first().Path, "/restore") {
		c.Why = "It was deleted before, and this program restored it. Rewst, and whatever else signs in with it, stops working at once."
	}
	u.undo(x, c, nil, u.with(x, func(other *trail) bool {
		return other.principal == x.object && !other.azure() || other.kind == KindPassword && other.object == x.object
	})...)
}

// with are the writes of a trail and of those that vanish with what it made.
func (u *undoing) with(x *trail, vanishes func(*trail) bool) []string {
	out := x.intents()
	for _, other := range u.trails {
		if vanishes(other) {
			out = append(out, other.intents()...)
		}
	}
	return out
}

// keepPassword: what the password was before, nobody here knows.
func (u *undoing) keepPassword(x *trail) {
	a := u.user(x.object)
	if a == nil || u.leaves(x.object) {
		return
	}
	u.kept[x] = true
	u.note("Kept: the password of %s that this program made. The one before is not known here.", a.UPN)
}

// leaveGroup takes an account that stays out of a group we put it into.
// https://learn.microsoft.com/graph/api/group-delete-members
func (u *undoing) leaveGroup(x *trail) {
	a := u.user(x.principal)
	if a == nil || u.leaves(x.principal) || u.removed[x.resource] || !slices.Contains(u.ready.groups[x.principal], x.resource) {
		return
	}
	u.undo(x, Change{
		ID: "undo/member/" + x.resource + "/" + a.ID, Kind: KindMember, Action: Remove, Name: x.resource,
		Object: awayFrom(x.first().Object), Why: "This program put it there.",
		Method: "DELETE", Path: "/v1.0/groups/" + x.resource + "/members/" + a.ID + "/$ref", Risk: RiskModerate, Reversible: true,
		Before: encode(map[string]string{"member": a.ID}),
	}, nil, x.intents()...)
}

// restoreMFA gives an account that stays its per-user state back.
// https://learn.microsoft.com/graph/api/authentication-update?view=graph-rest-beta
func (u *undoing) restoreMFA(x *trail) {
	a, now := u.user(x.principal), u.ready.perUser[x.principal]
	back, known := x.valueBack("perUserMfaState", now).(string)
	if a == nil || u.leaves(x.principal) || !known || back == now {
		return
	}
	u.undo(x, Change{
		ID: "undo/mfa/" + a.ID, Kind: KindMFA, Action: Update, Name: a.UPN,
		Object: fmt.Sprintf("per-user multifactor authentication of %s: %s, as before", a.UPN, back), Why: "This program changed it.",
		Method: "PATCH", Path: x.first().Path, Risk: RiskModerate, Reversible: true, Before: encode(map[string]string{"perUserMfaState": now}),
	}, map[string]string{"perUserMfaState": back}, x.intents()...)
}

// ---- Conditional Access

// restorePolicy deletes a policy of ours, and takes out of another what we put
// there. What others changed in it since stays.
func (u *undoing) restorePolicy(x *trail) {
	p, there := u.ready.policies[x.object]
	if !there {
		u.note("Gone already: Conditional Access policy %q.", x.first().Name)
		return
	}
	c := Change{
		ID: "undo/policy/" + p.ID, Kind: KindPolicy, Name: p.Name, Path: policiesPath + "/" + p.ID, Risk: RiskHigh, Reversible: true,
		Object: fmt.Sprintf("Conditional Access policy %q", p.Name),
	}
	if x.created() {
		c.Action, c.Method, c.Before = Delete, "DELETE", p.Raw
		c.Why = "This program made it. Nothing is demanded by it any more."
		u.undo(x, c, nil, x.intents()...)
		return
	}
	body := x.policyBack(p.Raw)
	conditions, _ := body["conditions"].(map[string]any)
	people, _ := conditions["users"].(map[string]any)
	switch {
	case len(body) == 0:
		return
	case people != nil && aboutNobody(people):
		u.kept[x] = true
		u.note("Kept: what this program changed in the Conditional Access policy %q. Without it the policy would be about nobody, which Microsoft does not take.", p.Name)
		return
	case people != nil && containsFold(p.Conditions.Users.Exclude, u.account.ObjectID) && !lists(people["excludeUsers"], u.account.ObjectID):
		u.rest(x)
		return
	}
	c.Action, c.Method, c.Before = Update, "PATCH", before(p.Raw, body)
	c.Object += ": " + policyWords(body)
	c.Why = "What this program changed of it is taken back; what others changed since stays."
	u.undo(x, c, body, x.intents()...)
}

// rebaseUndo brings a change that puts a policy back to what the policy is by now:
// what somebody else changed since the plan was made has to stay.
func (e *engine) rebaseUndo(ctx context.Context, c Change) ([]Change, error) {
	raw, err := msclient.Get[json.RawMessage](ctx, e.graph, c.Path)
	switch {
	case refused(err, 404): // then there is nothing to put back
		return nil, nil
	case err != nil:
		return nil, problem(err, fmt.Sprintf("%s was not done: the policy could not be read", lowerFirst(c.Describe())))
	}
	for _, x := range e.plan.traces.trails {
		if x.kind != KindPolicy || x.object != path.Base(c.Path) {
			continue
		}
		body := x.policyBack(raw)
		if len(body) == 0 && !c.Young {
			return nil, nil
		}
		if len(body) > 0 { // a replica may not show yet what is to be taken back
			c.Before, c.Body = before(raw, body), encodeAny(body)
		}
	}
	return []Change{c}, nil
}

// policyWords say what of a policy is put back.
func policyWords(body map[string]any) string {
	var what []string
	for _, s := range []struct{ name, words string }{
		{"state", "its state"}, {"conditions", "who and what it is about"}, {"grantControls", "what it demands"},
	} {
		if _, differs := body[s.name]; differs {
			what = append(what, s.words)
		}
	}
	return strings.Join(what, ", ") + " as before"
}

// aboutNobody tells whether a policy's users include nobody.
func aboutNobody(people map[string]any) bool {
	for _, name := range []string{"includeUsers", "includeGroups", "includeRoles", "includeGuestsOrExternalUsers"} {
		if !hollow(people[name]) {
			return false
		}
	}
	return true
}

func lists(list any, id string) bool {
	entries, _ := list.([]any)
	return slices.ContainsFunc(entries, func(e any) bool { text, _ := e.(string); return strings.EqualFold(text, id) })
}

// ---- Azure

// takeAzureRole takes a role in Azure away that we gave. It would not vanish with
// the account.
// https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignments-with-identity-not-found
func (u *undoing) takeAzureRole(x *trail) {
	switch {
	case u.ready.azure[x.object] == nil, u.inGoingGroup(x):
		return
	case u.self(x.principal):
		u.rest(x)
		return
	}
	u.undoAzure(x, Change{Action: Remove, Object: awayFrom(x.first().Object), Why: "This program gave it.", Risk: RiskModerate}, x.intents()...)
}

// deleteVault deletes a key vault of ours whose group stays.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/delete
func (u *undoing) deleteVault(x *trail) {
	if u.ready.azure[x.object] == nil || u.inGoingGroup(x) {
		return
	}
	u.undoAzure(x, Change{
		Action: Delete, Risk: RiskHigh,
		Why: "This program made it. Whether there are secrets in it cannot be seen from here: Azure keeps it for 90 days with all that is in it.",
	}, x.intents()...)
}

// deleteGroup deletes a resource group of ours with what is ours in it.
// https://learn.microsoft.com/rest/api/resources/resource-groups/delete
func (u *undoing) deleteGroup(x *trail) {
	thing := u.ready.azure[x.object]
	switch others := u.othersIn(x); {
	case thing == nil, thing.leaving != "":
		return
	case len(others) > 0:
		u.kept[x] = true
		u.note("Kept: the %s, which this program made: %s in it came from somebody else.", lowerFirst(x.first().Object), plural(len(others), "resource"))
		return
	}
	why := "This program made it, and there is nothing in it."
	if len(thing.contents) > 0 {
		why = "This program made it, and nothing but its own key vault is in it, which goes with it. Whether there are secrets in that cannot be seen from here: Azure keeps it for 90 days with all that is in it."
	}
	u.undoAzure(x, Change{Action: Delete, Risk: RiskHigh, Why: why}, u.with(x, x.holds)...)
}

func (u *undoing) undoAzure(x *trail, c Change, undoes ...string) {
	first := x.first()
	c.ID, c.Kind, c.Name, c.Object = "undo/azure"+x.object, x.kind, first.Name, cmp.Or(c.Object, first.Object)
	c.Method, c.Path, c.Service, c.Reversible, c.Before = "DELETE", first.Path, ServiceAzure, true, first.Body
	u.undo(x, c, nil, undoes...)
}

// holds tells whether something in Azure is in a resource group.
func (t *trail) holds(x *trail) bool { return strings.HasPrefix(x.object, t.object+"/") }

// awayFrom turns the words for what something was given to.
func awayFrom(object string) string {
	i := strings.LastIndex(object, " to ")
	if i < 0 {
		return object
	}
	return object[:i] + " from " + object[i+len(" to "):]
}

// othersIn are the paths of what is in a resource group and not of our making.
func (u *undoing) othersIn(group *trail) []string {
	thing := u.ready.azure[group.object]
	if thing == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(thing.contents), func(path string) bool {
		return slices.ContainsFunc(u.trails, func(x *trail) bool { return x.kind == KindVault && x.created() && x.object == path })
	})
}

// inGoingGroup tells whether something goes with its resource group.
func (u *undoing) inGoingGroup(x *trail) bool {
	return slices.ContainsFunc(u.trails, func(g *trail) bool {
		return g.kind == KindGroup && g.holds(x) && u.ready.azure[g.object] != nil && len(u.othersIn(g)) == 0
	})
}

// tenantNotes says what a person should know beyond the writes.
func (u *undoing) tenantNotes() {
	removes := func(k Kind) bool {
		return slices.ContainsFunc(u.Changes, func(c Change) bool { return c.Kind == k && c.Action == Delete })
	}
	if removes(KindUser) {
		u.note("A deleted account can be restored for 30 days: Entra admin center, Users, Deleted users. Its directory roles do not come back with it.")
	}
	if removes(KindVault) || removes(KindGroup) {
		u.note("A deleted key vault can be recovered for 90 days: Azure portal, Key vaults, Manage deleted vaults. Until then its name stays taken.")
	}
	if text := u.ready.underWay(); text != "" {
		u.note("%s.", UpperFirst(text))
	}
	if len(u.resting) > 0 {
		u.note("Kept, because you are signed in as %s and the undo rests on it: %s. Sign in as another administrator and undo again.", u.account.Username, strings.Join(u.resting, "; "))
	}
}

// tenantScopes are all permissions the stage about the tenant may have asked for.
func tenantScopes() []string {
	s, c, x := state.DefaultServiceAccount(), state.DefaultConditionalAccess(), state.DefaultExchange()
	a := state.DefaultAnswers()
	a.Integrations = []string{catalog.CSP}
	g := state.DefaultGDAP()
	a.ServiceAccount, a.ConditionalAccess, a.Exchange, a.GDAP = &s, &c, &x, &g
	return readyScopes(a, false)
}
