package steps

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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
		want := []string{"Microsoft-managed: Administrators sign in every hour", "Sign in every day from elsewhere", "Sign in every hour", "Sign in every week"}
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
