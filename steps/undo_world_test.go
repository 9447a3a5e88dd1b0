package steps

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// undoCase is a tenant made ready and put back.
type undoCase struct {
	scenario  string
	realistic bool
	stage     Stage
	anew      bool // the undo is another run's, signed in for nothing in particular
	change    func(*state.Answers)
	take      []string
	meanwhile func(*testing.T, *sandbox.Cloud, *Setup) // what somebody else does after the setup
	between   []sandbox.Fault                          // what happens during the undo
	stays     func(start *sandbox.TenantDigest)        // of what others did
	deleted   sandbox.DeletedDigest                    // what stands among the deleted things in the end, but for those of apps
	notes     []string
}

// ready are answers with every section about the tenant.
func ready(a *state.Answers) {
	s, c, z, x := state.DefaultServiceAccount(), state.DefaultConditionalAccess(), state.DefaultAzure(), state.DefaultExchange()
	a.ServiceAccount, a.ConditionalAccess, a.Azure, a.Exchange = &s, &c, &z, &x
}

// partner is the partner's tenant without the traces of signing in.
func partner(c *sandbox.Cloud) sandbox.TenantDigest {
	d := c.Digest().Tenants["Contoso"]
	d.Clients = nil
	return d
}

// withAdele is what the scenario's other administrator does to a policy.
func withAdele(start *sandbox.TenantDigest) {
	for _, p := range start.Policies {
		if p.Name == "Require a compliant device for everybody" {
			people := p.Conditions["users"].(map[string]any)
			list := append([]string{"adele@contoso.onmicrosoft.com"}, people["excludeUsers"].([]string)...)
			slices.Sort(list)
			people["excludeUsers"] = list
		}
	}
}

func TestUndoPutsTheTenantBack(t *testing.T) {
	t.Parallel()
	const vault, account = "rewst-contoso", rewst
	edited := []sandbox.Fault{{Match: sandbox.Match{Method: http.MethodDelete}, Nth: 1, When: "after", Do: "policy-edited"}}
	lost := []sandbox.Fault{{Match: sandbox.Match{Method: http.MethodDelete, Path: "(?i)resourceGroups/rewst"}, Nth: 1, When: "after", Do: "reset"}}
	azureAlone := func(a *state.Answers) {
		a.ServiceAccount, a.ConditionalAccess, a.Exchange, a.Azure.Role = nil, nil, nil, state.AzureRoleLeave
	}
	operating := func(a *state.Answers) { a.ServiceAccount.Roles = state.RolesOperate }
	for name, v := range map[string]undoCase{
		"an empty tenant":                     {scenario: "empty-tenant", deleted: sandbox.DeletedDigest{Users: []string{account}, Vaults: []string{vault}}},
		"an empty tenant, lagging":            {scenario: "empty-tenant", realistic: true, deleted: sandbox.DeletedDigest{Users: []string{account}, Vaults: []string{vault}}},
		"an empty tenant, to operate":         {scenario: "empty-tenant", change: operating, deleted: sandbox.DeletedDigest{Users: []string{account}, Vaults: []string{vault}}},
		"an empty tenant, by another run":     {scenario: "empty-tenant", anew: true, deleted: sandbox.DeletedDigest{Users: []string{account}, Vaults: []string{vault}}},
		"Azure alone, lagging":                {scenario: "empty-tenant", realistic: true, stage: StageTenant, change: azureAlone, deleted: sandbox.DeletedDigest{Vaults: []string{vault}}},
		"Azure alone, an answer lost":         {scenario: "empty-tenant", realistic: true, stage: StageTenant, change: azureAlone, between: lost, deleted: sandbox.DeletedDigest{Vaults: []string{vault}}},
		"Azure alone, being deleted":          {scenario: "empty-tenant", realistic: true, stage: StageTenant, change: azureAlone, meanwhile: leaving, notes: []string{"still being deleted"}, deleted: sandbox.DeletedDigest{Vaults: []string{vault}}},
		"security defaults":                   {scenario: "security-defaults", deleted: sandbox.DeletedDigest{Users: []string{account}}},
		"the per-user state":                  {scenario: "no-p1", realistic: true, deleted: sandbox.DeletedDigest{Users: []string{account}}},
		"the per-user state of somebody's":    {scenario: "leftover-disabled", take: []string{OfferEnable}, change: func(a *state.Answers) { a.ServiceAccount.MFA = state.MFAPerUser }},
		"policies":                            {scenario: "five-policies"},
		"policies, lagging":                   {scenario: "five-policies", realistic: true, change: operating},
		"policies edited during the setup":    {scenario: "policy-edited", stays: withAdele},
		"policies edited during the undo":     {scenario: "five-policies", between: edited, stays: withAdele},
		"an account that was disabled":        {scenario: "leftover-disabled", take: []string{OfferEnable}},
		"an account that was deleted":         {scenario: "leftover-deleted", take: []string{OfferRestore}, deleted: sandbox.DeletedDigest{Users: []string{account}}},
		"an account that was deleted, anew":   {scenario: "leftover-deleted", take: []string{OfferReplace}, deleted: sandbox.DeletedDigest{Users: []string{account, account}}},
		"an account with a password of ours":  {scenario: "five-policies", take: []string{OfferPassword}, notes: []string{"Kept: the password of " + account}},
		"the provider stays":                  {scenario: "provider-missing", notes: []string{"registered for key vaults"}, deleted: sandbox.DeletedDigest{Users: []string{account}, Vaults: []string{vault}}},
		"somebody made the account more":      {scenario: "empty-tenant", meanwhile: promoted, deleted: sandbox.DeletedDigest{Users: []string{account}, Vaults: []string{vault}}},
		"somebody uses the group":             {scenario: "empty-tenant", meanwhile: neighbour, stays: withNeighbour, notes: []string{"Kept: the resource group"}, deleted: sandbox.DeletedDigest{Users: []string{account}, Vaults: []string{vault}}},
		"somebody put others into our policy": {scenario: "empty-tenant", meanwhile: joinedByAdele, deleted: sandbox.DeletedDigest{Users: []string{account}, Vaults: []string{vault}}},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, v.run) })
	}
}

// another is a run after this one that takes up its journal. What was consented to
// for the setup was taken back in between.
func another(t *testing.T, c *sandbox.Cloud, s *Setup) *Setup {
	t.Helper()
	client, err := msclient.Get[wirePrincipal](t.Context(), s.graph, principals+"(appId="+quote(catalog.GraphCommandLineTools)+")")
	if err != nil {
		t.Fatal(err)
	}
	for g, err := range msclient.List[wireGrant](t.Context(), s.graph, query(grants, "$filter", "clientId eq "+quote(client.ID))) {
		if err != nil {
			t.Fatal(err)
		}
		left := slices.DeleteFunc(strings.Fields(g.Scope), func(scope string) bool { return containsFold(tenantScopes(), scope) })
		asOther(t, s.graph.Service, http.MethodPatch, grants+"/"+g.ID, map[string]string{"scope": strings.Join(left, " ")})
	}
	next := visit{}.signIn(t, c, state.DefaultAnswers())
	if err := errors.Join(s.Close(), next.Close()); err != nil {
		t.Fatal(err)
	}
	if next.store, err = state.Open(s.root, state.Identity{Cloud: s.cloudID, Tenant: s.account.TenantID}); err != nil {
		t.Fatal(err)
	}
	return next
}

// asOther sends a write of somebody else.
func asOther(t *testing.T, service *msclient.Service, method, path string, body any) {
	t.Helper()
	if _, err := service.Do(t.Context(), msclient.Request{Method: method, Path: path, Body: body}); err != nil {
		t.Fatal(err)
	}
}

func promoted(t *testing.T, _ *sandbox.Cloud, s *Setup) {
	u, err := msclient.Get[wireAccount](t.Context(), s.graph, users+"/"+rewst)
	if err != nil {
		t.Fatal(err)
	}
	asOther(t, s.graph.Service, http.MethodPost, roleAssignments, map[string]string{
		"roleDefinitionId": roleSecurityAdministrator, "principalId": u.ID, "directoryScopeId": "/",
	})
}

func joinedByAdele(t *testing.T, _ *sandbox.Cloud, s *Setup) {
	adele, err := msclient.Get[wireAccount](t.Context(), s.graph, users+"/adele@contoso.onmicrosoft.com")
	if err != nil {
		t.Fatal(err)
	}
	list, err := msclient.Get[msclient.Page[AccessPolicy]](t.Context(), s.graph, policiesPath)
	if err != nil {
		t.Fatal(err)
	}
	asOther(t, s.graph.Service, http.MethodPatch, policiesPath+"/"+list.Value[0].ID, map[string]any{
		"conditions": map[string]any{"users": map[string]any{"includeUsers": append(list.Value[0].Conditions.Users.Include, adele.ID)}},
	})
}

// leaving deletes the group of ours, which takes Azure a while.
func leaving(t *testing.T, _ *sandbox.Cloud, s *Setup) {
	for _, e := range s.store.Entries() {
		if e.What == string(KindGroup) {
			asOther(t, s.client.Azure(s.account.TenantID), http.MethodDelete, e.Path, nil)
		}
	}
	time.Sleep(19 * time.Second) // and every replica knows
}

// neighbour puts another vault into the group of ours.
func neighbour(t *testing.T, c *sandbox.Cloud, s *Setup) {
	for _, e := range s.store.Entries() {
		if e.What == string(KindVault) {
			path := strings.Replace(e.Path, "rewst-contoso", "northwind-keys", 1)
			asOther(t, s.client.Azure(s.account.TenantID), http.MethodPut, path, e.Body)
		}
	}
}

func withNeighbour(start *sandbox.TenantDigest) {
	start.Azure.ResourceGroups = append(start.Azure.ResourceGroups, sandbox.ResourceGroupDigest{Subscription: "Contoso production", Name: "rewst", Location: "eastus"})
	start.Azure.Vaults = append(start.Azure.Vaults, sandbox.VaultDigest{Name: "northwind-keys", Group: "rewst", RBAC: true})
}

// applied signs in and makes the tenant ready.
func (v undoCase) applied(t *testing.T) (*sandbox.Cloud, *Setup, sandbox.TenantDigest) {
	t.Helper()
	o := sandbox.Options{Scenario: v.scenario, Approve: sandbox.ApproveNow}
	if v.realistic {
		o.Delays = sandbox.DelaysRealistic
	}
	c, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	a := everything("minimum")
	ready(&a)
	if v.change != nil {
		v.change(&a)
	}
	start := partner(c)
	s := visit{}.signIn(t, c, a)
	options := PlanOptions{Stage: v.stage, Ticked: map[string]bool{}, Password: true}
	for _, id := range v.take {
		options.Ticked[id] = true
	}
	f, err := s.Inspect(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), MakePlan(a, f, options), ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(start, partner(c)) {
		t.Fatal("nothing was written")
	}
	return c, s, start
}

func (v undoCase) run(t *testing.T) {
	c, s, start := v.applied(t)
	if v.meanwhile != nil {
		v.meanwhile(t, c, s)
	}
	if v.stays != nil {
		v.stays(&start)
	}
	if v.anew {
		s = another(t, c, s)
	}
	p := planUndo(t, s)
	if v.between != nil {
		c.SetFaults(v.between)
	}
	if _, err := s.Undo(t.Context(), p, ApplyOptions{}); err != nil {
		t.Fatalf("%v\n%s", err, described(p))
	}
	if diff := cmp.Diff(start, partner(c)); diff != "" {
		t.Errorf("the tenant (-start +undone):\n%s\n%s", diff, described(p))
	}
	gone := c.Digest().Deleted["Contoso"]
	if !slices.Equal(gone.Users, v.deleted.Users) || !slices.Equal(gone.Vaults, v.deleted.Vaults) {
		t.Errorf("deleted: got %v and %v, want %v and %v", gone.Users, gone.Vaults, v.deleted.Users, v.deleted.Vaults)
	}
	for _, word := range v.notes {
		if !slices.ContainsFunc(p.Notes, func(n Note) bool { return strings.Contains(n.Text, word) }) {
			t.Errorf("no note says %q: %v", word, p.Notes)
		}
	}
	before := len(c.Requests())
	again := planUndo(t, s)
	if _, err := s.Undo(t.Context(), again, ApplyOptions{}); err != nil || !again.Empty() {
		t.Errorf("a second undo: %v\n%s", err, described(again))
	}
	if got := undoWrites(c, before); len(got) > 0 {
		t.Errorf("a second undo wrote %v", got)
	}
}

// undoWrites are the writes the cloud saw since.
func undoWrites(c *sandbox.Cloud, since int) []string {
	var out []string
	for _, r := range c.Requests()[since:] {
		for _, in := range r.Inner {
			if in.Method != http.MethodGet {
				out = append(out, in.Method+" "+in.URL)
			}
		}
		if r.Method != http.MethodGet && !strings.HasSuffix(r.URL, "/$batch") && !strings.Contains(r.URL, "/oauth2/") {
			out = append(out, r.Method+" "+r.URL)
		}
	}
	return out
}

func described(p Plan) string {
	var out []string
	for _, c := range p.Changes {
		out = append(out, c.Describe())
	}
	return strings.Join(out, "\n")
}

func planUndo(t *testing.T, s *Setup) Plan {
	t.Helper()
	traces, err := s.InspectUndo(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return MakeUndoPlan(traces, PlanOptions{})
}

// An undo that ends at any of its writes, whose answer never came, is taken up by
// the next and ends in the same tenant.
func TestUndoOfTheTenantEndedAtEveryWrite(t *testing.T) {
	t.Parallel()
	for scenario, whens := range map[string][]string{"five-policies": {"after"}, "empty-tenant": {"before", "after"}} {
		for _, when := range whens {
			for n, done := 1, false; !done; n++ {
				t.Run(fmt.Sprint(scenario, " ", when, " write ", n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c, s, start := undoCase{scenario: scenario}.applied(t)
						p := planUndo(t, s)
						done = n == len(units(p.Changes))
						c.SetFaults([]sandbox.Fault{{Nth: n, When: when, Do: "reset"}})
						ctx, end := context.WithCancel(t.Context())
						defer end()
						_, err := s.Undo(ctx, p, ApplyOptions{Observe: func(e Event) {
							if e.Kind == EventWaiting {
								end()
							}
						}})
						if !errors.Is(err, context.Canceled) {
							t.Fatalf("it was not ended: %v", err)
						}
						begun := time.Now()
						p = planUndo(t, s)
						if _, err := s.Undo(t.Context(), p, ApplyOptions{}); err != nil {
							t.Fatalf("%v\n%s", err, described(p))
						}
						if diff := cmp.Diff(start, partner(c)); diff != "" {
							t.Errorf("the tenant (-start +undone):\n%s", diff)
						}
						if took := time.Since(begun); took > 2*time.Minute { // what was made a moment ago is looked for
							t.Errorf("the second took %v", took)
						}
						if again := planUndo(t, s); !again.Empty() {
							t.Errorf("a third would write %s", described(again))
						}
					})
				})
			}
		}
	}
}

// A setup right after an undo meets no ghosts, and ends like the first.
func TestTheTenantIsMadeReadyAfterAnUndo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := undoCase{scenario: "five-policies", realistic: true}.applied(t)
		want := partner(c)
		if _, err := s.Undo(t.Context(), planUndo(t, s), ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		a := everything("minimum")
		ready(&a)
		f, err := s.Inspect(t.Context(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Apply(t.Context(), MakePlan(a, f, PlanOptions{Password: true}), ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, partner(c)); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}
