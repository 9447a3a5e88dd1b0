package steps

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

// Whoever ends an invitation while it is waited for is named, with how: in what is
// told, in the result and in what the run ends with.
func TestDeclinedIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 3})
		s := w.run()
		f, err := s.InspectTenant(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		var told []CustomerEnd
		declined := ""
		result, err := s.Apply(t.Context(), MakePlan(w.answers, f, gdapStage), ApplyOptions{Wait: 100 * 24 * time.Hour, Observe: func(e Event) {
			if e.Ended != nil {
				told = append(told, *e.Ended)
			}
			if declined == "" && len(e.Invitations) == 3 && e.Invitations[0].Status == RelationPending {
				declined = e.Invitations[0].Customer.Name
				w.decline(e.Invitations[0])
			}
		}})
		if result == nil || err == nil {
			t.Fatal(whole(err))
		}
		how := map[string]string{}
		for _, c := range told {
			how[c.Customer.Name] = c.How
		}
		if len(told) != 3 || how[declined] != "declined" || told[0].Customer.Name != declined || told[1].How != "lapsed without an answer" {
			t.Errorf("told: %+v, and %s had declined", told, declined)
		}
		if diff := cmp.Diff(told, result.Delegation.Ended); diff != "" {
			t.Errorf("(-told +result):\n%s", diff)
		}
		for _, c := range told {
			if !strings.Contains(err.Error(), c.Customer.Name+" "+c.How) {
				t.Errorf("not named: %s in %v", c.Customer.Name, err)
			}
		}
	})
}

// decline is a customer saying no.
func (w *partnership) decline(i Invitation) {
	w.Helper()
	home, _, _ := strings.Cut(i.Customer.Domain, ".")
	form := url.Values{"link": {i.Link}, "account": {"admin@" + home + ".onmicrosoft.com"}, "answer": {"decline"}}
	r := httptest.NewRequest("POST", "https://admin.microsoft.com/AdminPortal/Home", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	page := httptest.NewRecorder()
	w.cloud.Handler().ServeHTTP(page, r)
	if !strings.Contains(page.Body.String(), "You declined") {
		w.Fatalf("%s: %s", i.Customer.Domain, page.Body)
	}
}

// Whoever is neither ready nor waited for is told of with the relationship there is.
func TestStandingOf(t *testing.T) {
	t.Parallel()
	roles := []string{"a", "b", "c"}
	good := &Relationship{Name: "good", Status: RelationActive, Roles: roles, AutoExtend: true}
	poor := &Relationship{Name: "poor", Status: RelationActive, Roles: roles[:1], AutoExtend: true}
	for name, v := range map[string]struct {
		chosen *Relationship
		all    []*Relationship
		want   CustomerEnd
	}{
		"none":      {want: CustomerEnd{How: "no relationship"}},
		"poor":      {all: []*Relationship{poor}, want: CustomerEnd{Relationship: "poor", How: "active, lacks 2 roles"}},
		"not given": {chosen: good, all: []*Relationship{poor, good}, want: CustomerEnd{Relationship: "good", How: "active, 2 roles not given"}},
	} {
		if diff := cmp.Diff(v.want, standingOf(Customer{}, v.chosen, v.all, roles, 2)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// How it ended with a customer: what was never active was declined or lapsed.
func TestHowItEnded(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{
		"terminated": "declined", "expired": "lapsed without an answer", "terminating": "declined",
		"active terminated": "ended", "active expired": "ended", "active terminationRequested": "ended",
	} {
		last, active := strings.CutPrefix(status, "active ")
		w := wireRelationship{Status: last}
		if active {
			w.Activated = time.Now()
		}
		if got := w.howItEnded(); got != want {
			t.Errorf("%s: %q, want %q", status, got, want)
		}
	}
}
