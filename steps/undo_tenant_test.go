package steps

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

const (
	someSubscription = "/subscriptions/s"
	groupPut         = someSubscription + "/resourceGroups/Rewst?api-version=1"
	vaultPut         = someSubscription + "/resourceGroups/Rewst/providers/Microsoft.KeyVault/vaults/rewst-contoso?api-version=2"
	rolePut          = someSubscription + "/providers/Microsoft.Authorization/roleAssignments/r?api-version=3"
)

func tracePath(path string) string {
	path, _, _ = strings.Cut(strings.ToLower(path), "?")
	return path
}

func named(e state.Entry, name, object string) state.Entry {
	e.Name, e.Object = name, object
	return e
}

// What the stage about the tenant writes, as the journal keeps it.

func madeAccount(n int) state.Entry {
	return named(entry(n, KindUser, Create, "POST", users, `{"passwordProfile":{"password":"[generated]"}}`, "", "account.id", rewstID), rewst, "account "+rewst)
}

func restoredAccount(n int) state.Entry {
	return named(entry(n, KindUser, Create, "POST", "/v1.0/directory/deletedItems/"+rewstID+"/restore", "", "", "account.id", rewstID), rewst, "deleted account "+rewst)
}

func enabledAccount(n int) state.Entry {
	return named(entry(n, KindUser, Update, "PATCH", users+"/"+rewstID, `{"accountEnabled":true}`, `{"accountEnabled":false}`), rewst, "account "+rewst+": enabled")
}

func newPasswordOf(n int) state.Entry {
	return named(entry(n, KindPassword, Update, "PATCH", users+"/"+rewstID, `{"passwordProfile":{"password":"[generated]"}}`, "", "account.id", rewstID), rewst, "password of "+rewst)
}

func roleBody(role string) string {
	return `{"roleDefinitionId":"` + role + `","principalId":"` + rewstID + `","directoryScopeId":"/"}`
}

func gaveRole(n int, role string) state.Entry {
	return named(entry(n, KindRoleGiven, Add, "POST", roleAssignments, roleBody(role), "", "id", "given-"+role), role, "a role to "+rewst)
}

func tookRole(n int, role string) state.Entry {
	return named(entry(n, KindRoleGiven, Remove, "DELETE", roleAssignments+"/given-"+role, "", roleBody(role)), role, "a role from "+rewst)
}

func joinedAgents(n int) state.Entry {
	return named(entry(n, KindMember, Add, "POST", "/v1.0/groups/agents/members/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/`+rewstID+`"}`, ""), "agents", rewst+" to the group AdminAgents")
}

func perUser(n int, before, after string) state.Entry {
	return named(entry(n, KindMFA, Update, "PATCH", "/beta/users/"+rewstID+"/authentication/requirements", `{"perUserMfaState":"`+after+`"}`, `{"perUserMfaState":"`+before+`"}`), rewst, "per-user state")
}

func madePolicy(n int) state.Entry {
	return named(entry(n, KindPolicy, Create, "POST", policiesPath, `{"displayName":"Ours"}`, "", "id", "p"), "Ours", "policy")
}

func patchedPolicy(n int, before, body string) state.Entry {
	return named(entry(n, KindPolicy, Update, "PATCH", policiesPath+"/p", body, before), "Theirs", "policy Theirs")
}

func excluding(ids ...string) string {
	return `{"conditions":{"users":{"includeUsers":["All"],"excludeUsers":["` + strings.Join(ids, `","`) + `"]}}}`
}

func madeGroup(n int) state.Entry {
	return named(entry(n, KindGroup, Create, "PUT", groupPut, `{"location":"westeurope"}`, ""), "Rewst", "resource group Rewst")
}

func madeVault(n int) state.Entry {
	return named(entry(n, KindVault, Create, "PUT", vaultPut, `{"location":"westeurope"}`, ""), "rewst-contoso", "key vault rewst-contoso")
}

func gaveAzureRole(n int) state.Entry {
	return named(entry(n, KindAzureRole, Add, "PUT", rolePut, `{"properties":{"principalId":"`+rewstID+`"}}`, "", "id", "r"), "r", "Contributor to "+rewst)
}

func registeredProvider(n int) state.Entry {
	return named(entry(n, KindProvider, Update, "POST", someSubscription+"/providers/Microsoft.KeyVault/register?api-version=1", "", ""), "Microsoft.KeyVault", "Resource provider Microsoft.KeyVault")
}

// standing are the traces of writes in a tenant where everything they lead to is
// as they left it.
func standing(writes ...state.Entry) *Traces {
	t := there(writes...)
	t.ready = t.ready.anew()
	account := holding()
	t.account.ObjectID = adminID
	t.ready.users[rewstID] = account
	for _, e := range writes {
		switch Kind(e.What) {
		case KindRoleGiven:
			t.ready.given[rewstID] = nil
			if e.Action == string(Add) {
				t.ready.given[rewstID] = append(t.ready.given[rewstID], RoleGiven{ID: "given-" + e.Name, RoleID: e.Name, Scope: "/", PrincipalID: rewstID})
			}
		case KindMember:
			t.ready.groups[rewstID] = []string{"agents", "others"}
		case KindMFA:
			t.ready.perUser[rewstID] = "enforced"
		case KindPolicy:
			t.policy(string(e.Body))
		case KindGroup:
			t.ready.azure[tracePath(groupPut)] = &azureThing{}
		case KindVault:
			t.ready.azure[tracePath(vaultPut)] = &azureThing{}
			if g := t.ready.azure[tracePath(groupPut)]; g != nil {
				g.contents = append(g.contents, tracePath(vaultPut))
			}
		case KindAzureRole:
			t.ready.azure[tracePath(rolePut)] = &azureThing{}
		}
	}
	return t
}

// policy is what the policy the writes are about holds by now.
func (t *Traces) policy(raw string) *Traces {
	list, err := accessPolicies([]json.RawMessage{json.RawMessage(raw)})
	if err != nil {
		panic(err)
	}
	list[0].ID, list[0].Name = "p", "Theirs"
	t.ready.policies["p"] = list[0]
	return t
}

func (t *Traces) but(change func(*Traces)) *Traces {
	change(t)
	return t
}

func TestUndoPlanOfTheTenant(t *testing.T) {
	const ga, reader = catalog.RoleGlobalAdministrator, "role-reader"
	const deletes, disables = "DELETE /v1.0/users/" + rewstID, `PATCH /v1.0/users/` + rewstID + ` {"accountEnabled":false}`
	const takesGA, takesReader = "DELETE " + roleAssignments + "/given-" + ga, "DELETE " + roleAssignments + "/given-" + reader
	givesGA := "POST " + roleAssignments + ` {"directoryScopeId":"/","principalId":"` + rewstID + `","roleDefinitionId":"` + ga + `"}`
	patches := func(body string) string { return "PATCH " + policiesPath + "/p " + body }
	deletesVault, deletesGroup, deletesRole := "DELETE "+vaultPut, "DELETE "+groupPut, "DELETE "+rolePut
	signedInAsIt := func(t *Traces) { t.account = Account{Username: rewst, ObjectID: rewstID} }
	const leaves = "DELETE /v1.0/groups/agents/members/" + rewstID + "/$ref"

	for name, c := range map[string]struct {
		traces *Traces
		want   []string
		notes  string // a word of each, with blanks between
		kept   []string
	}{
		"an account of ours": {traces: standing(madeAccount(1)), want: []string{deletes}, notes: "30"},
		"an account of ours, what it was given and where it was put": {
			traces: standing(madeAccount(1), gaveRole(2, ga), joinedAgents(3), perUser(4, "disabled", "enforced")), want: []string{takesGA, deletes}, notes: "30",
		},
		"an account of ours that others made more of": {
			traces: standing(madeAccount(1), gaveRole(2, ga)).but(func(t *Traces) {
				t.ready.given[rewstID] = append(t.ready.given[rewstID], RoleGiven{ID: "given-" + reader, RoleID: reader, Scope: "/administrativeUnits/a", PrincipalID: rewstID})
			}), want: []string{takesGA, takesReader, deletes}, notes: "30",
		},
		"an account of ours that is gone": {
			traces: standing(madeAccount(1), gaveRole(2, ga), joinedAgents(3), perUser(4, "disabled", "enforced"), newPasswordOf(5)).but(func(t *Traces) {
				t.ready = t.ready.anew()
			}), notes: "Gone",
		},
		"a restored account":                {traces: standing(restoredAccount(1), enabledAccount(2)), want: []string{deletes}, notes: "30"},
		"an enabled account":                {traces: standing(enabledAccount(1)), want: []string{disables}},
		"an account others disabled since":  {traces: standing(enabledAccount(1)).but(func(t *Traces) { t.ready.users[rewstID].Enabled = false })},
		"an account whose password we made": {traces: standing(newPasswordOf(1)), notes: "password", kept: []string{"i1"}},
		"our own account's first password":  {traces: standing(madeAccount(1), newPasswordOf(2)), want: []string{deletes}, notes: "30"},

		"a role":                          {traces: standing(gaveRole(1, ga)), want: []string{takesGA}},
		"a role, its answer lost":         {traces: standing(gaveRole(1, ga)).but(func(t *Traces) { t.trails[0].writes[0].Outcome = state.Record{} }), want: []string{takesGA}},
		"a role others took since":        {traces: standing(gaveRole(1, ga)).but(func(t *Traces) { t.ready.given[rewstID] = nil })},
		"a role others gave anew":         {traces: standing(gaveRole(1, ga)).but(func(t *Traces) { t.ready.given[rewstID][0].ID = "anew" })},
		"a role for a part of the tenant": {traces: standing(gaveRole(1, ga)).but(func(t *Traces) { t.ready.given[rewstID][0].Scope = "/administrativeUnits/a" })},
		"stepped down from others' role": {traces: standing(gaveRole(1, reader), tookRole(2, ga)).but(func(t *Traces) {
			t.ready.given[rewstID] = []RoleGiven{{ID: "given-" + reader, RoleID: reader, Scope: "/"}}
		}), want: []string{givesGA, takesReader}},
		"stepped down from our own role":   {traces: standing(gaveRole(1, ga), tookRole(2, ga))},
		"stepped down and up again":        {traces: standing(tookRole(1, ga), gaveRole(2, ga))},
		"stepped down, others gave it":     {traces: standing(tookRole(1, ga)).but(func(t *Traces) { t.ready.given[rewstID] = []RoleGiven{{ID: "x", RoleID: ga, Scope: "/"}} })},
		"stepped down, an account of ours": {traces: standing(madeAccount(1), tookRole(2, ga)), want: []string{deletes}, notes: "30"},
		"stepped down, the account is gone": {
			traces: standing(tookRole(1, ga)).but(func(t *Traces) { clear(t.ready.users) }),
		},
		"enabled and stepped down: an administrator cannot be disabled": {
			traces: standing(enabledAccount(1), tookRole(2, ga)), want: []string{disables, givesGA},
		},
		"a role of an app that goes": {
			traces: standing(createdPrincipal(1), named(entry(2, KindRoleGiven, Add, "POST", roleAssignments, `{"roleDefinitionId":"`+reader+`","principalId":"sp","directoryScopeId":"/"}`, "", "id", "x"), reader, "")).but(func(t *Traces) {
				t.ready.given["sp"] = []RoleGiven{{ID: "x", RoleID: reader, Scope: "/", PrincipalID: "sp"}}
			}), want: []string{"DELETE " + roleAssignments + "/x", "DELETE /v1.0/servicePrincipals/sp"},
		},
		"a role of an app that stays": {
			traces: standing(named(entry(2, KindRoleGiven, Add, "POST", roleAssignments, `{"roleDefinitionId":"`+reader+`","principalId":"sp","directoryScopeId":"/"}`, "", "id", "x"), reader, "")).but(func(t *Traces) {
				t.ready.given["sp"] = []RoleGiven{{ID: "x", RoleID: reader, Scope: "/", PrincipalID: "sp"}}
			}), want: []string{"DELETE " + roleAssignments + "/x"},
		},

		"a membership":                  {traces: standing(joinedAgents(1)), want: []string{leaves}},
		"a membership others ended":     {traces: standing(joinedAgents(1)).but(func(t *Traces) { t.ready.groups[rewstID] = nil })},
		"the per-user state":            {traces: standing(perUser(1, "enabled", "enforced")), want: []string{"PATCH /beta/users/" + rewstID + `/authentication/requirements {"perUserMfaState":"enabled"}`}},
		"the per-user state, twice":     {traces: standing(perUser(1, "disabled", "enabled"), perUser(2, "enabled", "enforced")), want: []string{"PATCH /beta/users/" + rewstID + `/authentication/requirements {"perUserMfaState":"disabled"}`}},
		"the per-user state of others":  {traces: standing(perUser(1, "disabled", "enforced")).but(func(t *Traces) { t.ready.perUser[rewstID] = "enabled" })},
		"the per-user state is hidden":  {traces: standing(perUser(1, "disabled", "enforced")).but(func(t *Traces) { t.ready.unread[PartPerUserMFA] = &msclient.Error{Status: 403} }), notes: "per-user", kept: []string{"i1"}},
		"a policy of ours":              {traces: standing(madePolicy(1), patchedPolicy(2, `{"state":"enabled"}`, `{"state":"disabled"}`)), want: []string{"DELETE " + policiesPath + "/p"}},
		"a policy of ours that is gone": {traces: standing(madePolicy(1)).but(func(t *Traces) { clear(t.ready.policies) }), notes: "Gone"},
		"an exclusion":                  {traces: standing(patchedPolicy(1, excluding("a"), excluding("a", rewstID))), want: []string{patches(`{"conditions":{"users":{"excludeUsers":["a"],"includeUsers":["All"]}}}`)}},
		"an exclusion, others excluded more": {
			traces: standing(patchedPolicy(1, excluding("a"), excluding("a", rewstID))).policy(excluding("a", rewstID, "b")),
			want:   []string{patches(`{"conditions":{"users":{"excludeUsers":["a","b"],"includeUsers":["All"]}}}`)},
		},
		"an exclusion others ended": {traces: standing(patchedPolicy(1, excluding("a"), excluding("a", rewstID))).policy(excluding("a"))},
		"an exclusion, the policy is gone": {
			traces: standing(patchedPolicy(1, excluding("a"), excluding("a", rewstID))).but(func(t *Traces) { clear(t.ready.policies) }), notes: "Gone",
		},
		"an exclusion of an account of ours goes before the account": {
			traces: standing(madeAccount(1), patchedPolicy(2, excluding("a"), excluding("a", rewstID))),
			want:   []string{patches(`{"conditions":{"users":{"excludeUsers":["a"],"includeUsers":["All"]}}}`), deletes}, notes: "30",
		},
		"a policy that would be about nobody": {
			traces: standing(patchedPolicy(1, `{"conditions":{"users":{"includeUsers":["a"]}}}`, `{"conditions":{"users":{"includeUsers":["a","`+rewstID+`"]}}}`)).policy(`{"conditions":{"users":{"includeUsers":["` + rewstID + `"]}}}`),
			notes:  "nobody", kept: []string{"i1"},
		},
		"policies are hidden": {
			traces: standing(patchedPolicy(1, excluding("a"), excluding("a", rewstID))).but(func(t *Traces) { t.ready.unread[PartPolicies] = &msclient.Error{Status: 403} }),
			notes:  "Conditional", kept: []string{"i1"},
		},

		"in Azure":                             {traces: standing(registeredProvider(1), madeGroup(2), madeVault(3), gaveAzureRole(4)), want: []string{deletesRole, deletesGroup}, notes: "provider 90"},
		"a vault in a group that was there":    {traces: standing(madeVault(1)), want: []string{deletesVault}, notes: "90"},
		"a group that is empty":                {traces: standing(madeGroup(1)), want: []string{deletesGroup}, notes: "90"},
		"a group others use":                   {traces: standing(madeGroup(1), madeVault(2)).but(func(t *Traces) { g := t.ready.azure[tracePath(groupPut)]; g.contents = append(g.contents, "other") }), want: []string{deletesVault}, notes: "Kept 90", kept: []string{"i1"}},
		"a group that is going already":        {traces: standing(madeGroup(1), madeVault(2)).but(func(t *Traces) { t.ready.azure[tracePath(groupPut)] = &azureThing{leaving: "the group"} }), notes: "being"},
		"nothing is left in Azure":             {traces: standing(madeGroup(1), madeVault(2), gaveAzureRole(3)).but(func(t *Traces) { clear(t.ready.azure) })},
		"Azure is hidden":                      {traces: standing(madeGroup(1), gaveAzureRole(2), gaveRole(3, ga)).but(func(t *Traces) { t.ready.unread[PartAzure] = msclient.ErrSkipped }), want: []string{takesGA}, notes: "Azure", kept: []string{"i1", "i2"}},
		"a role in Azure goes before its user": {traces: standing(madeAccount(1), gaveAzureRole(2)), want: []string{deletesRole, deletes}, notes: "30"},

		"the account itself is signed in": {
			traces: standing(madeAccount(1), gaveRole(2, ga), joinedAgents(3), patchedPolicy(4, excluding("a"), excluding("a", rewstID)), madeVault(5), gaveAzureRole(6)).but(signedInAsIt),
			want:   []string{deletesVault, leaves}, notes: "90 signed", kept: []string{"i1", "i2", "i4", "i6"},
		},
		"the enabled account is signed in": {traces: standing(enabledAccount(1)).but(signedInAsIt), notes: "signed", kept: []string{"i1"}},
		"everything": {
			traces: standing(createdApp(1), createdPrincipal(2), madeAccount(3), gaveRole(4, ga), madePolicy(5), madeGroup(6), gaveAzureRole(7)),
			want:   []string{takesGA, deletesRole, deletesGroup, "DELETE " + policiesPath + "/p", deletes, "DELETE /v1.0/applications/app"}, notes: "registration 30 90",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := MakeUndoPlan(c.traces, PlanOptions{})
			var got []string
			for _, change := range p.Changes {
				got = append(got, strings.TrimSpace(change.Method+" "+change.Path+" "+string(change.Body)))
				switch {
				case change.Step != stepUndo, change.Why == "", change.Risk < RiskLow, change.Tenant == "", change.Object == "", change.Young, change.Method != http.MethodPost && change.Before == nil:
					t.Errorf("incomplete: %+v", change)
				case strings.HasPrefix(change.Path, "/subscriptions/") != (change.Service == ServiceAzure):
					t.Errorf("sent to the wrong service: %+v", change)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			words := strings.Fields(c.notes)
			for i, n := range p.Notes {
				if i >= len(words) || !strings.Contains(n.Text, words[i]) {
					t.Errorf("notes: got %q, want those with %q", n.Text, words)
				}
			}
			if len(p.Notes) < len(words) {
				t.Errorf("notes: got %d, want those with %q", len(p.Notes), words)
			}
			undone := map[string]bool{}
			for _, id := range p.undone {
				undone[id] = true
			}
			kept := map[string]bool{}
			for _, id := range c.kept {
				kept[id] = true
			}
			for _, x := range c.traces.trails {
				for _, id := range x.intents() {
					if undone[id] == kept[id] {
						t.Errorf("%s counts as taken back: %v", id, undone[id])
					}
				}
			}
		})
	}
}

// What a policy holds by now is told from what we wrote, whatever parts it has.
func TestPolicyBack(t *testing.T) {
	const mfa, block = `{"operator":"OR","builtInControls":["mfa"]}`, `{"operator":"OR","builtInControls":["block"],"termsOfUse":["t"]}`
	const blank = `{"operator":"OR","builtInControls":["mfa"],"termsOfUse":[],"customAuthenticationFactors":[],"authenticationStrength":null,"authenticationStrength@odata.context":"x"}`
	users := func(list string) string { return `{"conditions":{"users":` + list + `}}` }
	for name, c := range map[string]struct{ before, ours, now, want string }{
		"as we left it":       {`{"state":"disabled"}`, `{"state":"enabled"}`, `{"state":"enabled"}`, `{"state":"disabled"}`},
		"others changed it":   {`{"state":"disabled"}`, `{"state":"enabled"}`, `{"state":"enabledForReportingButNotEnforced"}`, `{}`},
		"it never happened":   {`{"state":"disabled"}`, `{"state":"enabled"}`, `{"state":"disabled"}`, `{}`},
		"nothing is known":    {``, `{"state":"enabled"}`, `{"state":"enabled"}`, `{}`},
		"no controls before":  {`{"grantControls":null}`, `{"grantControls":` + mfa + `}`, `{"grantControls":` + blank + `}`, `{"grantControls":null}`},
		"controls before":     {`{"grantControls":` + block + `}`, `{"grantControls":` + mfa + `}`, `{"grantControls":` + blank + `}`, `{"grantControls":{"operator":"OR","builtInControls":["block"],"termsOfUse":["t"],"customAuthenticationFactors":[]}}`},
		"a strength before":   {`{"grantControls":{"operator":"OR","authenticationStrength":{"id":"s","displayName":"Strong"}}}`, `{"grantControls":` + mfa + `}`, `{"grantControls":` + blank + `}`, `{"grantControls":{"operator":"OR","builtInControls":[],"termsOfUse":[],"customAuthenticationFactors":[],"authenticationStrength":{"id":"s"}}}`},
		"controls of others":  {`{"grantControls":null}`, `{"grantControls":` + mfa + `}`, `{"grantControls":{"operator":"AND","builtInControls":["mfa","compliantDevice"]}}`, `{}`},
		"with its empty ones": {users(`{"includeUsers":["All"],"excludeUsers":[],"includeGuestsOrExternalUsers":null}`), users(`{"includeUsers":["All"],"excludeUsers":["me"]}`), users(`{"includeUsers":["All"],"excludeUsers":["me"],"excludeRoles":[],"includeGuestsOrExternalUsers":null}`), users(`{"includeUsers":["All"],"excludeUsers":[],"excludeRoles":[]}`)},
		"guests stay whole": {
			users(`{"includeUsers":["All"],"excludeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider","externalTenants":{"@odata.type":"#t","members":["x"]}}}`),
			users(`{"includeUsers":["All"],"excludeUsers":["me"],"excludeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider","externalTenants":{"@odata.type":"#t","members":["x"]}}}`),
			users(`{"includeUsers":["All"],"excludeUsers":["me"],"excludeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider","externalTenants":{"@odata.type":"#t","members":["x"]}}}`),
			users(`{"includeUsers":["All"],"excludeUsers":[],"excludeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider","externalTenants":{"@odata.type":"#t","members":["x"]}}}`),
		},
		"apps that were replaced": {
			`{"conditions":{"applications":{"includeApplications":["a"],"excludeApplications":["b"]}}}`, `{"conditions":{"applications":{"includeApplications":["All"]}}}`,
			`{"conditions":{"applications":{"includeApplications":["All"],"excludeApplications":[]},"users":{"includeUsers":["All"]}}}`,
			`{"conditions":{"applications":{"includeApplications":["a"],"excludeApplications":["b"]}}}`,
		},
		"out of the excluded": {users(`{"includeUsers":["a"],"excludeUsers":["me"]}`), users(`{"includeUsers":["a","me"],"excludeUsers":[]}`), users(`{"includeUsers":["a","me"],"excludeUsers":["b"]}`), users(`{"includeUsers":["a"],"excludeUsers":["b","me"]}`)},
	} {
		x := &trail{kind: KindPolicy, writes: []state.Entry{patchedPolicy(1, c.before, c.ours)}}
		got, err := json.Marshal(x.policyBack(json.RawMessage(c.now)))
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(c.want), &b) != nil || !cmp.Equal(a, b) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

// Whoever undoes is asked for what that takes, and for nothing else.
func TestUndoAsksForWhatItTakes(t *testing.T) {
	for name, c := range map[string]struct {
		writes []state.Entry
		want   []string
	}{
		"an app":     {[]state.Entry{createdApp(1), granted(2, "A")}, nil},
		"an account": {[]state.Entry{madeAccount(1), newPasswordOf(2)}, []string{"User.ReadWrite.All", "RoleManagement.ReadWrite.Directory"}},
		"everything but the account": {
			[]state.Entry{gaveRole(1, "r"), joinedAgents(2), perUser(3, "a", "b"), madePolicy(4), madeVault(5)},
			[]string{"RoleManagement.ReadWrite.Directory", "GroupMember.ReadWrite.All", "Policy.ReadWrite.AuthenticationMethod", "Policy.ReadWrite.ConditionalAccess"},
		},
	} {
		if diff := cmp.Diff(c.want, there(c.writes...).scopes()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A read that misses what was written a moment ago is told from one that does not.
func TestShowsTheTenant(t *testing.T) {
	exclusion := patchedPolicy(1, excluding("a"), excluding("a", rewstID))
	gone := func(t *Traces) { t.ready = t.ready.anew() }
	there := func(t *Traces) { t.ready = t.ready.anew(); t.ready.users[rewstID] = holding() }
	for name, c := range map[string]struct {
		traces *Traces
		want   bool
	}{
		"account":             {standing(madeAccount(1)), true},
		"account, not yet":    {standing(madeAccount(1)).but(gone), false},
		"account, deleted":    {standing(madeAccount(1)).but(gone).but(func(t *Traces) { t.deleted = map[string]bool{rewstID: true} }), true},
		"enabled":             {standing(enabledAccount(1)), true},
		"enabled, not yet":    {standing(enabledAccount(1)).but(func(t *Traces) { t.ready.users[rewstID].Enabled = false }), false},
		"password":            {standing(newPasswordOf(1)), true},
		"role":                {standing(gaveRole(1, "r")), true},
		"role, not yet":       {standing(gaveRole(1, "r")).but(there), false},
		"role taken":          {standing(tookRole(1, "r")), true},
		"role taken, not yet": {standing(tookRole(1, "r")).but(func(t *Traces) { t.ready.given[rewstID] = []RoleGiven{{RoleID: "r", Scope: "/"}} }), false},
		"member":              {standing(joinedAgents(1)), true},
		"member, not yet":     {standing(joinedAgents(1)).but(there), false},
		"per user":            {standing(perUser(1, "disabled", "enforced")), true},
		"per user, not yet":   {standing(perUser(1, "disabled", "enforced")).but(func(t *Traces) { t.ready.perUser[rewstID] = "disabled" }), false},
		"policy":              {standing(madePolicy(1)), true},
		"policy, not yet":     {standing(madePolicy(1)).but(gone), false},
		"excluded":            {standing(exclusion), true},
		"excluded, not yet":   {standing(exclusion).policy(excluding("a")), false},
		"hidden":              {standing(exclusion).but(gone).but(func(t *Traces) { t.ready.unread[PartPolicies] = msclient.ErrSkipped }), true},
		"vault":               {standing(madeVault(1)), true},
		"vault, not yet":      {standing(madeVault(1)).but(gone), false},
		"vault, being taken":  {standing(madeVault(1)).but(gone).but(func(t *Traces) { t.ready.taking = map[string]bool{"i1": true} }), true},
		"provider":            {standing(registeredProvider(1)), true},
	} {
		if got := c.traces.shows(c.traces.trails[0]); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// What the tenant did a moment ago is not taken for gone.
func TestUndoOfWhatIsYoung(t *testing.T) {
	x := standing(madeAccount(1), gaveRole(2, "r"))
	x.at = time.Date(2026, 1, 2, 0, 1, 0, 0, time.UTC)
	var got []string
	for _, c := range MakeUndoPlan(x, PlanOptions{}).Changes {
		got = append(got, fmt.Sprint(c.Kind, c.Young))
	}
	if diff := cmp.Diff([]string{"directoryRoletrue", "userfalse"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is not shown to this account is told from what could not be read just now.
func TestHiddenTraces(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		hidden bool
	}{
		"left out":    {msclient.ErrSkipped, true},
		"nobody came": {msclient.ErrSignInExpired, true},
		"refused":     {&msclient.AuthError{}, true},
		"denied":      {&msclient.Error{Status: 403}, true},
		"unknown":     {&msclient.Error{Status: 401}, true},
		"down":        {&msclient.Error{Status: 503}, false},
		"no answer":   {&msclient.Error{}, false},
	} {
		r := tenantTraces{}.anew()
		r.hidden(PartAzure, c.err)
		if got := r.unread[PartAzure] != nil; got != c.hidden || got == (r.failed != nil) {
			t.Errorf("%s: hidden %v, failed %v", name, got, r.failed)
		}
	}
}
