package steps

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/sandbox/conform"
)

const fortnight = 14 * 24 * time.Hour

// untilReady applies again and again, as somebody would who is told to try again.
func (w *partnership) untilReady() {
	w.Helper()
	var err error
	for range 8 {
		var r *Result
		if r, err = w.apply(w.Context(), fortnight); err == nil && r.Done() {
			return
		}
		time.Sleep(time.Hour)
	}
	w.Fatalf("it did not come to an end: %v", whole(err))
}

// undisturbed is what a setup leads to that nothing happens to.
func undisturbed(t *testing.T, o sandbox.Options) (d sandbox.TenantDigest) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, o)
		w.checked()
		w.untilReady()
		d = w.digest()
	})
	return d
}

func five() sandbox.Options {
	return sandbox.Options{Scenario: "approvals-arrive", Customers: 5, Delays: sandbox.DelaysRealistic}
}

// A run that ends at any write, with replicas that lag, is taken up by the next,
// and what it leads to is the same. Undone, nothing of it is left but what
// customers approved.
func TestCustomersEndedAtEveryWrite(t *testing.T) {
	t.Parallel()
	want, writes := undisturbed(t, five()), 0
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, five())
		if _, err := w.apply(t.Context(), fortnight); err != nil {
			t.Fatal(whole(err))
		}
		_, _, sent := w.graphRequests(0)
		writes = len(sent)
	})
	if writes < 8 {
		t.Errorf("%d writes; there are more", writes)
	}
	for n := 1; n <= writes; n++ {
		for _, after := range sides(n) {
			t.Run(fmt.Sprintf("write %d carried out %v", n, after), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := partnershipOf(t, five())
					w.checkedOften()
					if !w.endedAt(n, after, fortnight) {
						t.Error("there was no such write")
					}
					w.untilReady()
					if diff := cmp.Diff(want, w.digest()); diff != "" {
						t.Errorf("(-undisturbed +ended):\n%s", diff)
					}
				})
			})
		}
	}
}

// gdapFaults are the faults of networks and services, at Graph.
func gdapFaults(t *testing.T) []sandbox.Fault {
	t.Helper()
	faults, err := sandbox.ParseFaults([]byte(`[
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.06, "when": "before", "do": "500"},
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.06, "when": "before", "do": "429", "for": "3s"},
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.06, "when": "before", "do": "reset"},
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.06, "when": "after", "do": "reset"},
		{"match": {"path": "/tenantRelationships/|/groups", "inner": true}, "rate": 0.06, "when": "before", "do": "500"},
		{"match": {"path": "/tenantRelationships/|/groups", "inner": true}, "rate": 0.06, "when": "after", "do": "500"},
		{"match": {"path": "/tenantRelationships/|/groups", "inner": true}, "rate": 0.06, "when": "before", "do": "429", "for": "2s"},
		{"match": {"path": "^/v1.0/"}, "rate": 0.02, "do": "stale", "for": "40s"}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func TestCustomersThroughFaults(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, five())
	for seed := range int64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := five()
				o.Seed = seed
				w := partnershipOf(t, o)
				w.checkedOften()
				w.run()
				w.cloud.SetFaults(gdapFaults(t))
				w.untilReady()
				w.cloud.SetFaults(nil)
				if diff := cmp.Diff(want, w.digest()); diff != "" {
					t.Errorf("(-undisturbed +disturbed):\n%s", diff)
				}
			})
		})
	}
}

// mixed is the world with customers of every history, whose account is made first.
func mixedWorld(t *testing.T) *partnership {
	t.Helper()
	w := partnershipOf(t, sandbox.Options{Scenario: "gdap-mixed"})
	w.answers.GDAP.Account = "rewst"
	return w
}

// approveAll is every customer saying yes.
func (w *partnership) approveAll() int {
	w.Helper()
	n := 0
	for raw, err := range msclient.List[wireRelationship](w.Context(), w.setup.graph, query(relationships, "$filter", "status eq 'approvalPending'")) {
		if err != nil {
			w.Fatal(whole(err))
		}
		if err := w.cloud.ApproveRelationship(raw.ID); err != nil {
			w.Fatal(err)
		}
		n++
	}
	return n
}

// Whatever else happens to relationships while a run is under way, what was read
// before is read again.
func TestRelationshipsEditedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, match := range []sandbox.Match{{}, {Path: `/\$batch$`}} {
		synctest.Test(t, func(t *testing.T) {
			w := mixedWorld(t)
			w.checked()
			s := w.run()
			f, err := s.InspectTenant(t.Context(), w.answers, nil)
			if err != nil {
				t.Fatal(whole(err))
			}
			p := MakePlan(w.answers, f, gdapStage)
			tagged := slices.ContainsFunc(p.Changes, func(c Change) bool { return c.IfMatch != "" })
			if !tagged {
				t.Fatal("nothing of the plan needs a tag")
			}
			var edits []sandbox.Fault
			for n := 1; n < 4; n++ {
				edits = append(edits, sandbox.Fault{Match: match, Nth: n, Do: "gdap-edited"})
			}
			w.cloud.SetFaults(edits)
			_, err = s.Apply(t.Context(), p, ApplyOptions{})
			var waiting *Waiting
			if !errors.As(err, &waiting) {
				t.Fatal(whole(err))
			}
			if w.approveAll() < 20 {
				t.Error("few were asked")
			}
			time.Sleep(10 * time.Minute)
			w.untilReady()
			conflicts := 0
			for _, r := range w.cloud.Requests() {
				for _, in := range r.Inner {
					if in.Status == http.StatusPreconditionFailed {
						conflicts++
					}
				}
			}
			if conflicts == 0 {
				t.Error("there was no conflict")
			}
		})
	}
}

// checked holds what is sent against the services' descriptions, where they are to
// be had. Who sends to many customers has the same sort of request checked now and
// then only.
func (w *partnership) checked()      { w.Helper(); w.checkedOf(1) }
func (w *partnership) checkedOften() { w.Helper(); w.checkedOf(20) }

func (w *partnership) checkedOf(repeats int) {
	w.Helper()
	if os.Getenv(conform.Env) == "" {
		return // the sandbox's own conformance test says how to set it
	}
	c, err := descriptions()
	if err != nil {
		w.Fatal(err)
	}
	w.checker = c.Fresh()
	w.checker.OneOf = repeats
	w.Cleanup(func() {
		for _, v := range w.checker.Violations() {
			w.Errorf("against the official description: %s", v)
		}
		if w.checker.Count() == 0 {
			w.Error("nothing was checked against the official descriptions")
		}
	})
}

// change has somebody else write for customers.
func (w *partnership) change(method, path string, body any) {
	w.Helper()
	req := msclient.Request{Method: method, Path: path, Body: body, Header: http.Header{}}
	if method != http.MethodPost {
		req.Header.Set("If-Match", "*")
	}
	if _, err := w.setup.graph.Do(w.Context(), req); err != nil {
		w.Fatal(whole(err))
	}
}

// A group that is deleted and made anew gets its roles again, and what the dead one
// had is taken away.
func TestGroupsMadeAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 3})
		w.untilReady()
		want := w.digest()
		time.Sleep(time.Hour)
		f, err := w.run().InspectTenant(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		role := w.answers.GDAP.RoleIDs()[0]
		w.change(http.MethodDelete, groups+"/"+f.Delegation.Groups[role].ID, nil)
		time.Sleep(time.Hour)
		p := w.plan()
		dead := 0
		for _, c := range p.Changes {
			if c.Kind == KindAccess && c.Action == Remove && c.IfMatch != "" {
				dead++
			}
		}
		if dead != 3 {
			t.Errorf("%d dead assignments are removed:\n%s", dead, described(p))
		}
		w.untilReady()
		if diff := cmp.Diff(want, w.digest()); diff != "" {
			t.Errorf("(-before +mended):\n%s", diff)
		}
	})
}

// A group with other roles at a customer keeps them and gets the one that lacks.
func TestGroupsWithOtherRoles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 1})
		w.untilReady()
		f, err := w.run().InspectTenant(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		roles := w.answers.GDAP.RoleIDs()
		r := f.Delegation.Relationships[0]
		x := r.of(f.Delegation.Groups[roles[0]].ID)
		w.change(http.MethodPatch, relationships+"/"+r.ID+"/accessAssignments/"+x.ID, map[string]any{"accessDetails": accessOf(roles[1:2])})
		time.Sleep(time.Hour)
		p := w.plan()
		if len(p.Changes) != 1 || p.Changes[0].Method != http.MethodPatch || p.Changes[0].IfMatch == "" || !strings.Contains(string(p.Changes[0].Body), roles[1]) {
			t.Errorf("%s\n%+v", described(p), p.Changes)
		}
		w.cloud.SetFaults([]sandbox.Fault{{Nth: 1, Do: "gdap-edited"}})
		w.untilReady()
		if p := w.plan(); !p.Empty() {
			t.Errorf("still to be done: %s", described(p))
		}
	})
}

// Customers who decline are told of, and asked anew under another name.
func TestCustomersWhoDecline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 3})
		_, err := w.apply(t.Context(), 0)
		var waiting *Waiting
		if !errors.As(err, &waiting) {
			t.Fatal(whole(err))
		}
		first := w.digest().Relationships[0].Name
		time.Sleep(time.Hour)
		w.cloud.Advance(91 * 24 * time.Hour) // and the invitations lapse
		p := w.plan()
		if text := fmt.Sprint(p.Notes); !strings.Contains(text, "declined, lapsed or was ended") {
			t.Errorf("no note says what happened: %s", text)
		}
		for _, c := range p.Changes {
			if c.Kind == KindRelationship && (c.Name == first || !strings.Contains(c.Why, "expired")) {
				t.Errorf("%s: %s", c.Name, c.Why)
			}
		}
		if _, err := w.apply(t.Context(), 0); !errors.As(err, &waiting) {
			t.Fatal(whole(err))
		}
		w.approveAll()
		w.untilReady()
	})
	synctest.Test(t, func(t *testing.T) { // while they are waited for
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 3})
		s := w.run()
		f, err := s.InspectTenant(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		_, err = s.Apply(t.Context(), MakePlan(w.answers, f, gdapStage), ApplyOptions{Wait: 100 * 24 * time.Hour})
		if err == nil || !strings.Contains(err.Error(), "3 relationships did not come about") {
			t.Fatal(whole(err))
		}
	})
}

// A run that loses an answer looks for what came of it and goes on; and where a run
// ends and the replicas show nothing of its last write for minutes, the next makes
// nothing a second time.
func TestAnswersLostForCustomers(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, five())
	for n := 1; n <= 4; n++ {
		synctest.Test(t, func(t *testing.T) {
			w := partnershipOf(t, five())
			w.cloud.SetFaults([]sandbox.Fault{{Nth: n, When: "after", Do: "reset"}})
			if r, err := w.apply(t.Context(), fortnight); err != nil || !r.Done() {
				t.Fatalf("write %d: %v", n, whole(err))
			}
			if diff := cmp.Diff(want, w.digest()); diff != "" {
				t.Errorf("the answer to write %d lost (-undisturbed +lost):\n%s", n, diff)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			w := partnershipOf(t, five())
			w.cloud.SetFaults([]sandbox.Fault{{Nth: n, Do: "stale", For: sandbox.Duration(3 * time.Minute)}})
			w.endedAt(n, true, fortnight)
			if r, err := w.apply(t.Context(), fortnight); err != nil || !r.Done() {
				t.Fatalf("ended at write %d: %v", n, whole(err))
			}
			if diff := cmp.Diff(want, w.digest()); diff != "" {
				t.Errorf("ended at write %d, not shown (-undisturbed +ended):\n%s", n, diff)
			}
		})
	}
}

// A group that somebody gives another role while a run is under way is not taken
// for one that has the role.
func TestGroupsGivenOtherRolesMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 1})
		var waiting *Waiting
		if _, err := w.apply(t.Context(), 0); !errors.As(err, &waiting) {
			t.Fatal(whole(err))
		}
		w.approveAll()
		time.Sleep(time.Hour)
		s := w.run()
		f, err := s.InspectTenant(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		roles := w.answers.GDAP.RoleIDs()
		w.change(http.MethodPost, relationships+"/"+f.Delegation.Relationships[0].ID+"/accessAssignments", map[string]any{
			"accessContainer": map[string]string{"accessContainerId": f.Delegation.Groups[roles[0]].ID, "accessContainerType": "securityGroup"},
			"accessDetails":   accessOf(roles[1:2]),
		})
		var failed *CustomersFailed
		if _, err := s.Apply(t.Context(), MakePlan(w.answers, f, gdapStage), ApplyOptions{}); !errors.As(err, &failed) || !strings.Contains(failed.Cause, "other roles") {
			t.Errorf("got %v", whole(err))
		}
		w.untilReady()
	})
}
