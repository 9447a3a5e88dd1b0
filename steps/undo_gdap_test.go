package steps

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

// undo takes everything back.
func (w *partnership) undo(take ...string) Plan {
	w.Helper()
	s := w.run()
	traces, err := s.InspectUndo(w.Context(), "", nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	o := PlanOptions{Ticked: map[string]bool{}}
	for _, id := range take {
		o.Ticked[id] = true
	}
	p := MakeUndoPlan(traces, o)
	if _, err := s.Undo(w.Context(), p, ApplyOptions{}); err != nil {
		w.Fatalf("%s\n%s", whole(err), described(p))
	}
	if again := planUndo(w.T, s); !again.Empty() {
		w.Errorf("a second undo would write:\n%s", described(again))
	}
	return p
}

// statuses counts relationships by their state, and what groups have of them.
func statuses(d sandbox.TenantDigest) (states map[string]int, access int) {
	states = map[string]int{}
	for _, r := range d.Relationships {
		states[r.Status]++
		access += len(r.Assignments)
	}
	return states, access
}

func says(p Plan, text string) bool {
	return slices.ContainsFunc(p.Notes, func(n Note) bool { return strings.Contains(n.Text, text) })
}

func TestUndoForCustomers(t *testing.T) {
	t.Parallel()
	for _, delays := range []string{sandbox.DelaysNone, sandbox.DelaysRealistic} {
		for _, terminate := range []bool{false, true} {
			t.Run(fmt.Sprint(delays, " ", terminate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := five()
					o.Delays = delays
					w := partnershipOf(t, o)
					w.checked()
					start := w.digest()
					w.untilReady()
					want, kept := map[string]int{"active": 5}, "Kept: 5 relationships"
					var take []string
					if terminate {
						want, kept, take = map[string]int{"terminated": 5}, "", []string{OfferTerminate}
					}
					p := w.undo(take...)
					time.Sleep(time.Hour)
					states, access := statuses(w.digest())
					if !cmp.Equal(want, states) || access != 0 && !terminate {
						t.Errorf("%v, %d assignments; want %v and none", states, access, want)
					}
					if kept != "" && !says(p, kept) {
						t.Errorf("no note says %q: %v", kept, p.Notes)
					}
					if diff := cmp.Diff(start.Groups, w.digest().Groups); diff != "" {
						t.Errorf("groups (-start +undone):\n%s", diff)
					}
					if !terminate { // and what is left serves the next setup
						w.untilReady()
						if states, access := statuses(w.digest()); states["active"] != 5 || access != 60 {
							t.Errorf("set up again: %v, %d assignments", states, access)
						}
					}
				})
			})
		}
	}
}

// What ended anywhere is taken back, too: a relationship that nobody was asked to
// approve is deleted.
func TestUndoForCustomersAfterAnEnd(t *testing.T) {
	t.Parallel()
	deleted := false
	for n := 1; ; n++ {
		more := false
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 3, Delays: sandbox.DelaysRealistic})
				start := w.digest()
				more = w.endedAt(n, after, 0) || more
				p := w.undo()
				deleted = deleted || slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == KindRelationship && c.Action == Delete })
				time.Sleep(time.Hour)
				if diff := cmp.Diff(start.Groups, w.digest().Groups); diff != "" {
					t.Errorf("ended at write %d: groups (-start +undone):\n%s", n, diff)
				}
				if states, _ := statuses(w.digest()); states["created"] > 0 {
					t.Errorf("ended at write %d: left %v", n, states)
				}
			})
		}
		if !more {
			break
		}
	}
	if !deleted {
		t.Error("no relationship was deleted")
	}
}

// A group that others came to use stays, and so does what was there before.
func TestUndoKeepsWhatOthersUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 1})
		w.untilReady()
		f, err := w.run().InspectTenant(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		role := w.answers.GDAP.RoleIDs()[0]
		adele := found(t, w.cloud, "", query(users, "$filter", "userPrincipalName eq 'adele@contoso.onmicrosoft.com'"))
		w.change("POST", groups+"/"+f.Delegation.Groups[role].ID+"/members/$ref", map[string]string{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + adele.ID})
		time.Sleep(time.Hour)
		p := w.undo()
		if !says(p, "it came to be used by others") || len(w.digest().Groups) == 0 {
			t.Errorf("notes: %v", p.Notes)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := mixedWorld(t)
		w.checked()
		start := w.digest()
		var waiting *Waiting
		if _, err := w.apply(t.Context(), 0); !errors.As(err, &waiting) {
			t.Fatal(whole(err))
		}
		w.undo()
		time.Sleep(time.Hour)
		now := w.digest()
		now.Relationships = slices.DeleteFunc(now.Relationships, func(r sandbox.RelationshipDigest) bool {
			return r.Status == "approvalPending" && strings.HasPrefix(r.Name, "Rewst GDAP")
		})
		if diff := cmp.Diff(start, now); diff != "" {
			t.Errorf("(-start +undone):\n%s", diff)
		}
	})
}
