package steps

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// An apply that waits tells who is waited for, takes up whoever approves within one
// look, and ends at once with a proof when nobody is to be waited for any more,
// although somebody approves at the last moment.
func TestInvitationsToldAndEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := mixedWorld(t)
		p := w.plan()
		enough := make(chan struct{})
		var told [][]Invitation
		var closed, stopped time.Time
		approve := func(i Invitation) {
			if err := w.cloud.ApproveRelationship(i.ID); err != nil {
				t.Error(err)
			}
		}
		r, err := w.setup.Apply(t.Context(), p, ApplyOptions{Wait: 90 * 24 * time.Hour, Enough: enough, Observe: func(e Event) {
			if e.Kind == EventWaiting && len(told) > 2 && closed.IsZero() && e.Wait.Next > 40*time.Second {
				closed = time.Now().Add(time.Second) // long before the next look
				time.AfterFunc(time.Second, func() { close(enough) })
			}
			if e.Kind != EventInvitations {
				return
			}
			told = append(told, e.Invitations)
			switch len(told) {
			case 1:
				if err := w.setup.Remind(e.Invitations[1:2], time.Now()); err != nil {
					t.Error(err)
				}
			case 2:
				approve(e.Invitations[0])
			}
			if !stopped.IsZero() {
				return
			}
			select {
			case <-enough: // the last look was had: whoever approves now is for the next run
				stopped = time.Now()
				approve(e.Invitations[1])
			default:
			}
		}})
		var waits *Waiting
		if !errors.As(err, &waits) || r == nil || r.Proof.Reads != proofReads {
			t.Fatalf("got %+v, %v", r, err)
		}
		if took := time.Since(closed); closed.IsZero() || took > 15*time.Second {
			t.Errorf("the end took %v", took)
		}
		for _, i := range told[0] {
			if i.Name == "" || i.Link != InvitationLink(i.ID) || i.Status != RelationPending || i.Since.IsZero() || i.Customer.Name == "" {
				t.Errorf("told of %+v", i)
			}
		}
		if !told[1][0].Reminded.IsZero() || told[1][1].Reminded.IsZero() || r.Delegation.Invitations[0].Reminded.IsZero() {
			t.Error("who was reminded is not told")
		}
		last := told[len(told)-1]
		if len(last) != len(told[0])-1 || last[0].ID == told[0][0].ID {
			t.Errorf("%d are waited for in the end, %d in the beginning", len(last), len(told[0]))
		}
		if n := r.Delegation.Ready; n != 16 { // those that were, and the one who approved
			t.Errorf("%d customers are ready", n)
		}
	})
}
