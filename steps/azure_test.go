package steps

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"msbundle/msclient"
	"msbundle/state"
)

const (
	productionID = "33333333-0000-4000-8000-000000000001"
	production   = "/subscriptions/" + productionID
)

// azured are answers about Azure, and a tenant whose subscription has no key vault
// and is not registered for any; the person owns it.
func azured(change func(*state.Answers, *Findings)) (state.Answers, *Findings) {
	a, f := readied(func(s *state.ServiceAccount, r *Readiness) {
		s.Roles, r.User = state.RolesLeave, holding()
	})
	z := state.DefaultAzure()
	a.Azure = &z
	f.Subscriptions = []Subscription{{ID: productionID, Name: "Production", State: "Enabled", Usable: true}}
	f.Ready.Azure = AzureFound{
		Subscription: &f.Subscriptions[0], Provider: "NotRegistered", Name: "rewst-contoso", Regions: []string{"eastus", "westeurope"},
		Given: []AzureGiven{{azureOwner, adminID}}, read: true,
	}
	if change != nil {
		change(&a, f)
	}
	return a, f
}

func given(f *Findings, role, who string) {
	f.Ready.Azure.Given = append(f.Ready.Azure.Given, AzureGiven{role, who})
}

func TestPlanOfAzure(t *testing.T) {
	const (
		provider = "POST " + production + "/providers/Microsoft.KeyVault/register"
		group    = "PUT " + production + "/resourceGroups/rewst"
		vault    = group + "/providers/Microsoft.KeyVault/vaults/rewst-contoso"
		role     = "PUT " + production + "/providers/Microsoft.Authorization/roleAssignments/${guid " + production + " " + rewstID + " " + azureContributor + "}"
	)
	tests := []struct {
		name   string
		change func(*state.Answers, *Findings)
		want   []string
		note   string   // part of one
		checks []string // id and state of those that do not pass, and whether they block
		left   int
	}{
		{name: "nothing there", want: []string{provider, group, vault, role}},
		{name: "no section", change: func(a *state.Answers, _ *Findings) { a.Azure = nil }},
		{name: "a group", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Group = "eastus" }, want: []string{provider, vault, role}},
		{name: "registered", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Provider = registered }, want: []string{group, vault, role}},
		{name: "being registered", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Provider = "Registering" }, want: []string{provider, group, vault, role}},
		{name: "a vault", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Vault = "keys" }, want: []string{role}, note: "There is a key vault already, keys"},
		{
			name: "a vault, and no name that is free", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Vault, f.Ready.Azure.Name = "keys", "" },
			want: []string{role}, note: "There is a key vault already, keys",
		},
		{
			name: "an account that is made", change: func(_ *state.Answers, f *Findings) { f.Ready.User, f.Ready.Azure.Vault = nil, "keys" },
			want: []string{"POST /v1.0/users", "POST /v1.0/groups/agents/members/$ref", strings.ReplaceAll(role, rewstID, "${account.id}")},
		},
		{
			name: "an account that cannot be used", change: func(_ *state.Answers, f *Findings) { f.Ready.User.Guest, f.Ready.Azure.Vault = true, "keys" },
		},
		{name: "no role asked for", change: func(a *state.Answers, _ *Findings) { a.Azure.Role = state.AzureRoleLeave }, want: []string{provider, group, vault}},
		{name: "the role is there", change: func(_ *state.Answers, f *Findings) { given(f, azureContributor, rewstID) }, want: []string{provider, group, vault}},
		{name: "a greater one is", change: func(_ *state.Answers, f *Findings) { given(f, azureOwner, rewstID) }, want: []string{provider, group, vault}},
		{name: "a smaller one is", change: func(_ *state.Answers, f *Findings) { given(f, azureReader, rewstID) }, want: []string{provider, group, vault, role}},
		{name: "through a group", change: func(_ *state.Answers, f *Findings) {
			given(f, azureContributor, "g")
			f.Ready.User.Groups = []string{"g"}
		}, want: []string{provider, group, vault}},
		{name: "of somebody else", change: func(_ *state.Answers, f *Findings) { given(f, azureContributor, "other") }, want: []string{provider, group, vault, role}},
		{
			name: "a name in the answers", change: func(a *state.Answers, f *Findings) {
				a.Azure.Vault, f.Ready.Azure.Name = "contoso-keys", "contoso-keys"
			},
			want: []string{provider, group, strings.Replace(vault, "rewst-contoso", "contoso-keys", 1), role},
		},
		{
			name: "the made name is taken", change: func(_ *state.Answers, f *Findings) {
				f.Ready.Azure.Name, f.Ready.Azure.Taken = "rewst-contoso-2", []string{"rewst-contoso"}
			}, want: []string{provider, group, vault + "-2", role}, note: "The key vault is called rewst-contoso-2: rewst-contoso is taken",
		},
		{
			name: "the name in the answers is taken", change: func(a *state.Answers, f *Findings) {
				a.Azure.Vault, f.Ready.Azure.Name, f.Ready.Azure.Taken = "keys", "", []string{"keys"}
			}, want: []string{role}, note: "The name keys is taken", checks: []string{"azure-vault failed, blocks"}, left: 1,
		},
		{
			name: "by a deleted vault", change: func(a *state.Answers, f *Findings) {
				a.Azure.Vault, f.Ready.Azure.Name, f.Ready.Azure.Recoverable = "keys", "", time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)
			}, want: []string{role}, note: "A deleted key vault of this subscription has the name keys until 2027-01-02", checks: []string{"azure-vault failed, blocks"}, left: 1,
		},
		{
			name: "all names are taken", change: func(_ *state.Answers, f *Findings) {
				f.Ready.Azure.Name, f.Ready.Azure.Taken = "", []string{"rewst-contoso", "rewst-contoso-2"}
			}, want: []string{role}, note: "The names rewst-contoso, rewst-contoso-2 are all taken", checks: []string{"azure-vault failed, blocks"}, left: 1,
		},
		{
			name: "another region", change: func(a *state.Answers, _ *Findings) { a.Azure.Location = "westeurope" },
			want: []string{provider, group, vault, role},
		},
		{
			name: "no such region", change: func(a *state.Answers, _ *Findings) { a.Azure.Location = "atlantis" },
			want: []string{role}, note: "atlantis is no region", checks: []string{"azure-vault failed, blocks"}, left: 1,
		},
		{
			name: "a reader", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Given[0].RoleID = azureReader },
			note: "It takes the role Contributor at " + production, checks: []string{"azure-vault failed", "azure-role failed"}, left: 2,
		},
		{
			name: "a contributor", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Given[0].RoleID = azureContributor },
			want: []string{provider, group, vault}, note: "It takes the role Owner or User Access Administrator at " + production, checks: []string{"azure-role failed"}, left: 1,
		},
		{
			name: "who gives roles", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Given[0].RoleID = azureAccessAdmin },
			want: []string{role}, note: "It takes the role Contributor at", checks: []string{"azure-vault failed"}, left: 1,
		},
		{
			name: "a role of the organisation's own", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Given[0].RoleID = "own" },
			want: []string{provider, group, vault, role}, checks: []string{"azure-vault warning", "azure-role warning"},
		},
		{
			name: "an owner through a group", change: func(_ *state.Answers, f *Findings) { f.Ready.Azure.Given[0].PrincipalID = "agents" },
			want: []string{provider, group, vault, role},
		},
		{
			name: "groups that are not shown", change: func(_ *state.Answers, f *Findings) {
				f.Ready.Azure.Given[0].PrincipalID, f.Groups, f.Unread[PartGroups] = "agents", nil, Unread{"Why", "Fix."}
			}, want: []string{provider, group, vault, role}, checks: []string{"azure-vault warning", "azure-role warning"},
		},
		{
			name: "roles that are not shown", change: func(_ *state.Answers, f *Findings) {
				f.Unread[PartRBAC], f.Ready.Azure.Given = Unread{"Not shown", "Fix."}, nil
			},
			want: []string{provider, group, vault}, note: "could not be read: not shown", checks: []string{"azure-vault warning", "azure-role could not check"}, left: 1,
		},
		{
			name: "a provider that is not shown", change: func(_ *state.Answers, f *Findings) {
				f.Unread[PartRegistration], f.Ready.Azure.Provider, f.Ready.Azure.Name = Unread{"Not shown", "Fix."}, "", ""
			}, want: []string{role}, note: "No key vault is made. Not shown. Fix.", checks: []string{"azure-vault could not check"}, left: 1,
		},
		{
			name: "vaults that are not shown", change: func(_ *state.Answers, f *Findings) { f.Unread[PartVaults] = Unread{"Not shown", "Fix."} },
			want: []string{role}, note: "No key vault is made. Not shown. Fix.", checks: []string{"azure-vault could not check"}, left: 1,
		},
		{
			name: "the sign-in was skipped", change: func(_ *state.Answers, f *Findings) {
				f.Unread[PartAzure], f.Ready.Azure.Subscription = Unread{"It was left out", "Look again."}, nil
			}, note: "Azure is left out. It was left out. Look again.", checks: []string{"azure-subscription could not check"}, left: 1,
		},
		{
			name: "no subscription", change: func(_ *state.Answers, f *Findings) { f.Subscriptions, f.Ready.Azure.Subscription = nil, nil },
			note: "can see no Azure subscription. Buy one", checks: []string{"azure-subscription failed"}, left: 1,
		},
		{
			name: "none in force", change: func(_ *state.Answers, f *Findings) {
				f.Subscriptions, f.Ready.Azure.Subscription = []Subscription{{Name: "Old", State: "Disabled"}, {Name: "Theirs", State: "Enabled"}}, nil
			},
			note: "Old (disabled), Theirs (of another tenant)", checks: []string{"azure-subscription failed"}, left: 1,
		},
		{
			name: "none of that name", change: func(a *state.Answers, f *Findings) { a.Azure.Subscription, f.Ready.Azure.Subscription = "Test", nil },
			note: "is called Test. Name another one (azure.subscription): Production", checks: []string{"azure-subscription failed"}, left: 1,
		},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			a, f := azured(c.change)
			p := MakePlan(a, f, PlanOptions{Stage: StageTenant})
			var got []string
			for _, w := range p.Changes {
				path, version, _ := strings.Cut(w.Path, "?")
				got = append(got, w.Method+" "+path)
				if azure := !strings.HasPrefix(w.Path, "/v1.0"); azure != (w.Service == ServiceAzure) || azure != strings.HasPrefix(version, "api-version=20") {
					t.Errorf("%s is sent to %q", w.Path, w.Service)
				}
				if w.Why == "" || w.Object == "" || w.Risk == 0 || w.Step == "" || len(w.Body) > 0 && !json.Valid(w.Body) {
					t.Errorf("incomplete: %+v", w)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			if notes := fmt.Sprint(p.Notes); !strings.Contains(notes, c.note) {
				t.Errorf("the notes do not say %q: %s", c.note, notes)
			}
			var bad []string
			for _, k := range azureChecks(a, f) {
				if k.Evidence == "" || k.Title == "" || (k.State == Passed) != (k.Fix == "") {
					t.Errorf("%s is incomplete: %+v", k.ID, k)
				}
				text := fmt.Sprintf("%s %s", k.ID, k.State)
				if k.Blocks {
					text += ", blocks"
				}
				if k.State != Passed {
					bad = append(bad, text)
				}
			}
			if diff := cmp.Diff(c.checks, bad); diff != "" {
				t.Errorf("checks that do not pass (-want +got):\n%s", diff)
			}
			if left := azureLeft(a, f); a.ServiceAccount != nil && len(left) != c.left {
				t.Errorf("left for a person: %q", left)
			}
		})
	}
}

// What is sent is what Azure takes, and the id of a role given is the same at every
// try.
func TestBodiesForAzure(t *testing.T) {
	a, f := azured(nil)
	a.Azure.Role = "Owner"
	p := MakePlan(a, f, PlanOptions{Stage: StageTenant})
	want := map[Kind]string{
		KindProvider: "",
		KindGroup:    `{"location":"eastus"}`,
		KindVault: `{"location":"eastus","properties":{"enableRbacAuthorization":true,"enableSoftDelete":true,"sku":{"family":"A","name":"standard"},` +
			`"softDeleteRetentionInDays":90,"tenantId":"7c1f1f0e-0000-4000-8000-000000000001"}}`,
		KindAzureRole: `{"properties":{"principalId":"` + rewstID + `","principalType":"User","roleDefinitionId":"` + production +
			`/providers/Microsoft.Authorization/roleDefinitions/` + azureOwner + `"}}`,
	}
	got := map[Kind]string{}
	for _, c := range p.Changes {
		got[c.Kind] = string(c.Body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	last := p.Changes[len(p.Changes)-1]
	e := &engine{refs: map[string]string{}}
	name, _, _ := strings.Cut(strings.TrimPrefix(e.resolve(last.Path), production+"/providers/Microsoft.Authorization/roleAssignments/"), "?")
	if again := MakePlan(a, f, PlanOptions{}).Changes; last.Risk != RiskCritical || uuid.Validate(name) != nil || e.resolve(again[len(again)-1].Path) != e.resolve(last.Path) {
		t.Errorf("the role is given at %s", e.resolve(last.Path))
	}
}

func TestVaultNames(t *testing.T) {
	for _, c := range []struct {
		domain string
		n      int
		want   string
	}{
		{"contoso.onmicrosoft.com", 1, "rewst-contoso"},
		{"contoso.onmicrosoft.com", 2, "rewst-contoso-2"},
		{"Northwind-Traders.com", 1, "rewst-northwindtraders"},
		{"averylongcompanynameindeed.com", 1, "rewst-averylongcompanyna"},
		{"averylongcompanynameindeed.com", 3, "rewst-averylongcompany-3"},
		{"4fabrikam.com", 1, "rewst-4fabrikam"},
		{"", 1, "rewst-vault"},
	} {
		got := vaultName(c.domain, c.n)
		if got != c.want || state.CheckVault(got) != "" {
			t.Errorf("%s, %d: got %q, want %q (%s)", c.domain, c.n, got, c.want, state.CheckVault(got))
		}
	}
}

func TestChooseSubscription(t *testing.T) {
	list := []Subscription{
		{ID: "off", Name: "Off", State: "Disabled", Vaults: []string{"v"}},
		{ID: "one", Name: "One", State: "Enabled", Usable: true},
		{ID: "two", Name: "Two", State: "Enabled", Usable: true, Vaults: []string{"v"}},
		{ID: "three", Name: "Two", State: "Enabled", Usable: true, Vaults: []string{"v"}},
	}
	for want, id := range map[string]string{"": "two", "ONE": "one", "one": "one", "Two": "two", "three": "three", "off": "", "four": ""} {
		got := ""
		if s := chooseSubscription(want, list); s != nil {
			got = s.ID
		}
		if got != id {
			t.Errorf("%q: got %q, want %q", want, got, id)
		}
	}
	if s := chooseSubscription("", list[:2]); s == nil || s.ID != "one" {
		t.Errorf("without a vault: %+v", s)
	}
}

func TestJudgeAzure(t *testing.T) {
	for _, c := range []struct {
		name           string
		kind           Kind
		status         int
		code           string
		fresh, doubted bool
		want           verdict
	}{
		{"a vault of somebody's", KindVault, 409, "VaultAlreadyExists", true, false, forbidden},
		{"a vault of ours, its answer lost", KindVault, 409, "VaultAlreadyExists", false, true, already},
		{"a deleted vault", KindVault, 409, "ConflictError", true, false, forbidden},
		{"a conflict with our own try", KindVault, 409, "ConflictError", false, true, already},
		{"a group of that name being deleted", KindGroup, 409, "ResourceGroupBeingDeleted", false, false, busy},
		{"a vault's group being deleted", KindVault, 409, "ResourceGroupBeingDeleted", false, false, busy},
		{"another region", KindGroup, 409, "InvalidResourceGroupLocation", true, true, forbidden},
		{"not registered", KindVault, 409, unregistered, false, false, forbidden},
		{"registered a moment ago", KindVault, 409, unregistered, true, false, lagging},
		{"a group made a moment ago", KindVault, 404, "ResourceGroupNotFound", true, false, lagging},
		{"a group that is not there", KindVault, 404, "ResourceGroupNotFound", false, false, forbidden},
		{"a policy", KindVault, 403, "RequestDisallowedByPolicy", true, false, forbidden},
		{"no right", KindProvider, 403, "AuthorizationFailed", true, false, forbidden},
		{"no such region", KindVault, 400, "LocationNotAvailableForResourceType", true, false, forbidden},
		{"no such account yet", KindAzureRole, 400, "PrincipalNotFound", false, false, lagging},
		{"the role is there", KindAzureRole, 409, "RoleAssignmentExists", false, false, already},
		{"no right to give it", KindAzureRole, 403, "AuthorizationFailed", true, false, forbidden},
		{"busy", KindAzureRole, 429, "TooManyRequests", false, false, busy},
		{"the answer lost", KindVault, 500, "InternalServerError", false, false, doubtful},
	} {
		err := &msclient.Error{Status: c.status, Code: c.code}
		if got := judge(Change{Kind: c.kind, Action: Create, Service: ServiceAzure}, err, c.fresh, c.doubted); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
