package steps

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
)

// awaited is the setup that was left while customers were waited for.
func (w *partnership) awaited() []Unfinished {
	w.Helper()
	all, err := w.setup.Unfinished()
	if err != nil {
		w.Fatal(err)
	}
	for _, u := range all {
		if u.Stage != StageGDAP || len(u.Awaited) == 0 {
			w.Errorf("left in %q with %d awaited: %s", u.Stage, len(u.Awaited), u.Left)
		}
	}
	return all
}

// follow goes on with those who were waited for, and nobody else.
func (w *partnership) follow(u Unfinished) (Plan, *Result, error) {
	w.Helper()
	s := w.run()
	f, err := s.InspectTenant(w.Context(), w.answers, nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	p := MakePlan(w.answers, f, PlanOptions{Stage: StageGDAP, Awaited: u.Awaited})
	r, err := s.Apply(w.Context(), p, ApplyOptions{})
	return p, r, err
}

// Who was waited for is known to the next run, which does for whoever has approved
// what was agreed to, and nothing else that would be planned now.
func TestAwaitedAreFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := mixedWorld(t)
		w.answers.GDAP.AutoExtend = false // extending others is what would be planned later
		var waits *Waiting
		if _, err := w.apply(t.Context(), 0); !errors.As(err, &waits) {
			t.Fatal(whole(err))
		}
		if _, err := w.setup.Save(w.answers); err != nil {
			t.Fatal(err)
		}
		left := w.awaited()
		if len(left) != 1 || len(left[0].Awaited) != 25 || left[0].Left != "25 customers to approve when it was last looked at" {
			t.Fatalf("left: %+v", left)
		}
		w.answers.GDAP.AutoExtend = true
		if err := w.cloud.ApproveRelationship(left[0].Awaited[3]); err != nil {
			t.Fatal(err)
		}
		p, r, err := w.follow(left[0])
		if !errors.As(err, &waits) || r.Written != 12 || r.Delegation.Ready != 16 {
			t.Fatalf("%+v, %s", r, whole(err))
		}
		for _, c := range p.Changes {
			if c.Kind != KindAccess || !slices.Contains(left[0].Awaited, relationshipIn(c.Path)) {
				t.Errorf("it would also %s", c.Describe())
			}
		}
		if n := p.Notes[len(p.Notes)-1].Text; !strings.HasPrefix(n, "5 writes more would be planned") {
			t.Errorf("the last note is %q", n)
		}
		if left = w.awaited(); len(left) != 1 || len(left[0].Awaited) != 24 {
			t.Fatalf("left: %+v", left)
		}
		w.approveAll()
		if _, r, err = w.follow(left[0]); err != nil || r.Delegation.Ready != 40 {
			t.Fatalf("%+v, %s", r, whole(err))
		}
		if left = w.awaited(); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
	})
}

// A run that ends before anybody is waited for is resumed in its stage.
func TestUnfinishedCustomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := mixedWorld(t)
		s := w.run()
		if _, err := s.Save(w.answers); err != nil {
			t.Fatal(err)
		}
		w.endedAt(2, true, 0)
		all, err := w.setup.Unfinished()
		if err != nil || len(all) != 1 || all[0].Stage != StageGDAP || len(all[0].Awaited) > 0 {
			t.Errorf("unfinished: %+v, %v", all, err)
		}
	})
}

// A look that is asked for is had at once, and at everybody, however long it is
// until the next one.
func TestLookedAtWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := mixedWorld(t)
		p := w.plan()
		look, enough := make(chan struct{}, 1), make(chan struct{})
		var asked, seen time.Time
		waited := 0
		_, err := w.setup.Apply(t.Context(), p, ApplyOptions{Wait: 90 * 24 * time.Hour, Enough: enough, Look: look, Observe: func(e Event) {
			switch {
			case e.Kind == EventInvitations && !asked.IsZero() && len(e.Invitations) < waited && seen.IsZero():
				seen = time.Now()
				close(enough)
			case e.Kind == EventInvitations:
				waited = len(e.Invitations)
			case e.Kind == EventWaiting && asked.IsZero() && e.Wait.Next >= 10*time.Minute:
				asked = time.Now().Add(time.Second) // long before the next look
				time.AfterFunc(time.Second, func() {
					w.approveAll()
					look <- struct{}{}
				})
			}
		}})
		if asked.IsZero() || seen.IsZero() {
			t.Fatalf("asked %v, seen %v: %s", asked, seen, whole(err))
		}
		if took := seen.Sub(asked); took > 2*time.Minute { // Microsoft sets them up before they are active
			t.Errorf("it took %v", took)
		}
	})
}

// A role whose group is gone waits for the plan that makes another.
func TestAwaitedWithoutTheirGroup(t *testing.T) {
	t.Parallel()
	role := func(group string) Change {
		return Change{
			ID: group, Step: stepGDAP, Kind: KindAccess, Action: Add, Path: relationships + "/r/accessAssignments",
			Body: encodeAny(map[string]any{"accessContainer": map[string]string{"accessContainerId": group}}),
		}
	}
	p := Plan{options: PlanOptions{Awaited: []string{"r"}}, Changes: []Change{role("g"), role("${group.gone.id}")}}
	p.onlyAwaited()
	if len(p.Changes) != 1 || p.Changes[0].ID != "g" || p.Rest != 1 {
		t.Errorf("%d left for later, and now %+v", p.Rest, p.Changes)
	}
}

// Nobody is waited for any more once it was taken back.
func TestUndoneIsNotAwaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 2})
		var waits *Waiting
		if _, err := w.apply(t.Context(), 0); !errors.As(err, &waits) {
			t.Fatal(whole(err))
		}
		if left := w.awaited(); len(left) != 1 {
			t.Fatalf("left: %+v", left)
		}
		time.Sleep(time.Hour)
		w.undo()
		if left := w.awaited(); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
	})
}
