package steps

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/msclient"
	"msbundle/sandbox"
)

// clocked notes when requests about policies were sent.
type clocked struct {
	next http.RoundTripper
	mu   sync.Mutex
	at   map[string][]time.Time // by tenant's token
}

func (c *clocked) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.Contains(req.URL.Path, "/identity/conditionalAccess/") {
		c.mu.Lock()
		key := req.Header.Get("Authorization")
		c.at[key] = append(c.at[key], time.Now())
		c.mu.Unlock()
	}
	return c.next.RoundTrip(req)
}

// policiesOf are a customer's policies, by name.
func (w *clientele) policiesOf(name string) map[string]sandbox.PolicyDigest {
	out := map[string]sandbox.PolicyDigest{}
	for _, p := range w.cloud.Digest().Tenants[name].Policies {
		out[p.Name] = p
	}
	return out
}

// membersIn are the kinds of people a policy excludes, and of which tenants.
func membersIn(t *testing.T, policy json.RawMessage) []string {
	t.Helper()
	var w struct {
		Conditions struct {
			Users struct {
				Exclude wireOutsiders `json:"excludeGuestsOrExternalUsers"`
			} `json:"users"`
		} `json:"conditions"`
	}
	if err := json.Unmarshal(policy, &w); err != nil {
		t.Fatal(err)
	}
	out := w.Conditions.Users.Exclude.types()
	if tenants := w.Conditions.Users.Exclude.Tenants; tenants != nil {
		out = append(out, tenants.Members...)
	}
	return out
}

// Only the policies that would keep the partner out get the exclusion, with its
// tenant alone; what stood there stays, one request a second is sent, and all of it
// can be taken back.
func TestExclusionAtCustomers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-policies", Customers: 3})
		w.checked(1)
		w.answers.Customers.Exclude = true
		w.answers.Permissions.Add = append(w.answers.Permissions.Add, "Policy.ReadWrite.ConditionalAccess")
		watched := &clocked{at: map[string][]time.Time{}}
		was := w.wrap
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			if watched.next = next; was != nil {
				watched.next = was(next)
			}
			return watched
		}
		const name = "Fabrikam"
		before := w.policiesOf(name)
		o := w.visit(t.Context(), 0, name) // consents; the policies can be read from now on
		if o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		if diff := cmp.Diff(before, w.policiesOf(name)); diff != "" {
			t.Errorf("changed without having been shown:\n%s", diff)
		}
		if o = w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		want := []string{"Microsoft-managed: Administrators sign in every hour", "Sign in every day from elsewhere", "Sign in every hour", "Sign in every three days"}
		var names []string
		for _, c := range o.planned {
			names = append(names, c.Name)
			if c.Kind != KindPolicy || !strings.Contains(string(c.Body), serviceProvider) || !strings.Contains(string(c.Body), w.cloud.Tenant().ID) || strings.Contains(string(c.Before), w.cloud.Tenant().ID) {
				t.Errorf("%s\n%s\n%s", c.Object, c.Before, c.Body)
			}
		}
		for _, c := range o.planned {
			for _, id := range membersIn(t, c.Before) {
				if list := membersIn(t, c.Body); !slices.Contains(list, id) {
					t.Errorf("%s excludes %v, and excluded %s", c.Object, list, id)
				}
			}
		}
		slices.Sort(names)
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("(-want +planned):\n%s", diff)
		}
		after := w.policiesOf(name)
		for title, p := range after {
			if changed := !cmp.Equal(p, before[title]); changed != slices.Contains(want, title) {
				t.Errorf("%s changed: %v\n%s", title, changed, cmp.Diff(before[title], p))
			}
		}
		for _, at := range watched.at {
			for i := range at[1:] {
				if at[i+1].Sub(at[i]) < time.Second {
					t.Errorf("%s between two requests about policies", at[i+1].Sub(at[i]))
				}
			}
		}
		if len(watched.at) == 0 {
			t.Error("no policy was asked for")
		}
		if !slices.ContainsFunc(o.planned, func(c Change) bool { return len(membersIn(t, c.Before)) > 0 }) {
			t.Error("nobody was excluded before")
		}
		since := len(w.cloud.Requests())
		if o = w.visit(t.Context(), 0, name); o.err != nil || w.cost(since).writes > 4 || o.at(name).Writes() > 0 {
			t.Errorf("once more: %v %+v", whole(o.err), w.cost(since))
		}
		time.Sleep(time.Hour)
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		list, err := s.InspectCustomersUndo(t.Context(), FleetOptions{})
		if err != nil || len(list) != 1 {
			t.Fatal(len(list), whole(err))
		}
		if failed, err := s.UndoCustomers(t.Context(), list, FleetOptions{}); err != nil || len(failed) > 0 {
			t.Fatal(failed, whole(err))
		}
		if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		if diff := cmp.Diff(before, w.policiesOf(name)); diff != "" {
			t.Errorf("taken back (-before +after):\n%s", diff)
		}
		w.closed()
	})
}

// Nobody else is excluded by an exclusion of ours: each kind of people counts for each
// tenant.
func TestExclusionsAreExact(t *testing.T) {
	t.Parallel()
	const ours, theirs = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	some := func(ids ...string) string {
		list, _ := json.Marshal(ids)
		return `{"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": ` + string(list) + `}`
	}
	const all = `{"@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants", "membershipKind": "all"}`
	for _, tt := range []struct {
		name, types, tenants string
		want                 []string // kinds and tenants; nil when it is left alone
	}{
		{"nobody", "", "", []string{serviceProvider, ours}},
		{"none", "none", all, []string{serviceProvider, ours}},
		{"service providers of another", serviceProvider, some(theirs), []string{serviceProvider, theirs, ours}},
		{"service providers of nobody", serviceProvider, some(), []string{serviceProvider, ours}},
		{"others of ours", "b2bCollaborationGuest", some(ours), []string{"b2bCollaborationGuest", serviceProvider, ours}},
		{"others of another", "b2bCollaborationGuest", some(theirs), nil},
		{"both of another", "serviceProvider,b2bCollaborationGuest", some(theirs), nil},
		{"others of ours and another", "b2bCollaborationGuest", some(ours, theirs), nil},
		{"others of all", "b2bCollaborationGuest", all, nil},
		{"others, of no tenant in particular", "internalGuest", "", nil},
	} {
		raw, tenants := json.RawMessage("null"), tt.tenants
		if tenants == "" {
			tenants = "null"
		}
		if tt.types != "" {
			raw = json.RawMessage(`{"guestOrExternalUserTypes": "` + tt.types + `", "externalTenants": ` + tenants + `}`)
		}
		exclude, exact := withProvider(raw, ours)
		if exact != (tt.want != nil) {
			t.Errorf("%s: exact is %v", tt.name, exact)
			continue
		}
		if exact {
			body, _ := json.Marshal(map[string]any{"conditions": map[string]any{"users": map[string]any{"excludeGuestsOrExternalUsers": exclude}}})
			if diff := cmp.Diff(tt.want, membersIn(t, body)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
	}
}

// Whom a policy excludes is read again before it is written: what somebody changed
// there meanwhile stays, and a policy in which we would not be alone is left.
func TestExclusionOfAnotherMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-policies", Customers: 3})
		w.answers.Customers.Exclude = true
		w.answers.Permissions.Add = append(w.answers.Permissions.Add, "Policy.ReadWrite.ConditionalAccess")
		const name = "Fabrikam"
		if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		time.Sleep(time.Hour)
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		tenants := c.Tenants(func(r CustomerRow) bool { return r.Name == name })
		p, err := s.InspectCustomers(t.Context(), w.answers, c, tenants, FleetOptions{})
		if err != nil {
			t.Fatal(whole(err))
		}
		plan := p.Customers[0].Plan()
		var list []string
		for _, n := range plan.Notes {
			list = append(list, n.Text)
		}
		notes := strings.Join(list, "\n")
		if !strings.Contains(notes, `"Sign in every week" of Fabrikam is left alone`) || !strings.Contains(notes, "b2bCollaborationGuest and b2bDirectConnectUser") {
			t.Errorf("notes: %s", notes)
		}
		there, err := s.at(Customer{TenantID: tenants[0], Name: name}, true, false)
		if err != nil {
			t.Fatal(whole(err))
		}
		meanwhile := map[string]string{"Sign in every hour": "b2bCollaborationGuest", "Sign in every day from elsewhere": serviceProvider}
		const theirs = "22222222-2222-4222-8222-222222222222"
		for _, x := range plan.Changes {
			if kind := meanwhile[x.Name]; kind != "" {
				body := filled(x.Before)
				users, _ := body["conditions"].(map[string]any)["users"].(map[string]any)
				users["excludeGuestsOrExternalUsers"] = map[string]any{"guestOrExternalUserTypes": kind, "externalTenants": map[string]any{
					"@odata.type": someExternalTenants, "membershipKind": "enumerated", "members": []string{theirs},
				}}
				if _, err := there.graph.Do(t.Context(), msclient.Request{Method: http.MethodPatch, Path: x.Path, Body: body}); err != nil {
					t.Fatal(whole(err))
				}
				time.Sleep(2 * time.Second)
			}
		}
		failed, err := s.ApplyCustomers(t.Context(), w.answers, c, p, FleetOptions{})
		if err := errors.Join(err, s.CloseApp(t.Context(), c.App, ApplyOptions{})); err != nil || len(failed) > 0 {
			t.Fatal(whole(err), failed)
		}
		after := w.policiesOf(name)
		for title, want := range map[string][]string{
			"Sign in every hour":               {"b2bCollaborationGuest", theirs},
			"Sign in every day from elsewhere": {serviceProvider, theirs, "Contoso"},
		} {
			body, _ := json.Marshal(map[string]any{"conditions": after[title].Conditions})
			if diff := cmp.Diff(want, membersIn(t, body)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", title, diff)
			}
		}
	})
}

// Where the app is not to have the permission to change policies, its sign-in is not
// opened to look at them.
func TestPoliciesNobodyMayChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-policies", Customers: 3})
		w.answers.Integrations = []string{"graph", "csp"}
		w.answers.Permissions.Remove = []string{"Policy.ReadWrite.ConditionalAccess"}
		if o := w.visit(t.Context(), 0, "Fabrikam"); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		time.Sleep(time.Hour)
		w.answers.Customers.Exclude = true
		_, p := w.look(t.Context(), w.run())
		i := slices.IndexFunc(p.Customers, func(c CustomerPlan) bool { return c.Customer.Name == "Fabrikam" })
		if i < 0 {
			t.Fatal("it is not among the customers")
		}
		c := p.Customers[i]
		told := slices.ContainsFunc(c.Plan().Notes, func(n Note) bool {
			return strings.Contains(n.Text, "Policy.ReadWrite.ConditionalAccess, which is not among")
		})
		if c.Untried() || !told {
			t.Errorf("untried %v, notes %v", c.Untried(), c.Plan().Notes)
		}
	})
}
