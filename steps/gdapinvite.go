package steps

import (
	"context"
	"slices"
	"strings"
	"time"
)

// relationshipOf is the id of the relationship that changes wait for; a reference
// while it was not made.
func (e *engine) relationshipOf(changes []Change) string {
	id := relationshipIn(changes[0].Path)
	if name, isRef := strings.CutPrefix(id, "${"); isRef {
		if made, known := e.refs[strings.TrimSuffix(name, "}")]; known {
			return made
		}
	}
	return id
}

// invite tells who is waited for just now.
func (e *engine) invite(later map[string][]Change) {
	if e.options.Observe == nil {
		return
	}
	e.tell(Event{Kind: EventInvitations, Invitations: e.Reminded(e.invitations(later))})
}

func (e *engine) invitations(later map[string][]Change) []Invitation {
	var out []Invitation
	for _, c := range e.plan.findings.Delegation.Customers {
		changes := later[c.TenantID]
		if len(changes) == 0 {
			continue
		}
		id := e.relationshipOf(changes)
		r, shown := e.asked[id]
		if !shown { // made so recently that it is not listed, or the customer has just approved
			r = Relationship{ID: id, Status: RelationApproved, Created: e.client.Now()}
		}
		out = append(out, invitation(c, r))
	}
	slices.SortStableFunc(out, func(a, b Invitation) int { return a.Since.Compare(b.Since) })
	return out
}

func invitation(c Customer, r Relationship) Invitation {
	return Invitation{
		Customer: c, Name: r.Name, ID: r.ID, Status: r.Status, Link: InvitationLink(r.ID), Since: r.Created, Until: r.Created.Add(invitationLapses), Roles: r.Roles,
	}
}

// enough tells whether customers are to be waited for no longer.
func (e *engine) enough() bool {
	select {
	case <-e.options.Enough:
		return true
	default:
		return false
	}
}

// pause waits until it is time for another look at who has approved, or until that
// is not wanted any more.
func (e *engine) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.options.Enough:
	case <-ctx.Done():
	}
	return ctx.Err()
}
