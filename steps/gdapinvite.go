package steps

import (
	"context"
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
	d := e.plan.findings.Delegation
	by := d.byCustomer()
	for _, c := range d.Customers {
		changes := later[c.TenantID]
		if len(changes) == 0 {
			continue
		}
		id := e.relationshipOf(changes)
		r, shown := e.asked[id]
		if !shown { // made so recently that it is not listed, or the customer has just approved
			r = Relationship{ID: id, Status: RelationApproved, Roles: e.plan.Answers.GDAP.RoleIDs(), Created: e.client.Now()}
		}
		out = append(out, d.invitation(c, r, by[c.TenantID]))
	}
	sortStably(out, func(a, b Invitation) int { return a.Since.Compare(b.Since) })
	return out
}

// invitation is what a relationship, one of all with a customer, asks of that customer.
func (d *Delegation) invitation(c Customer, r Relationship, all []*Relationship) Invitation {
	older := ""
	if other := lacking(all, r.Roles); other != nil {
		older = other.Name
	}
	return Invitation{
		Customer: c, Name: r.Name, ID: r.ID, Status: r.Status, Link: d.link(r.ID), Since: r.Created, Until: r.Created.Add(invitationLapses), Roles: r.Roles,
		Older: older, Rehearsal: d.rehearsal,
	}
}

// link is where a customer approves a relationship: in a rehearsal on its own page,
// where it has one.
func (d *Delegation) link(relationship string) string {
	link := InvitationLink(relationship)
	if d.approval != nil {
		link = d.approval(link)
	}
	return link
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
func (e *engine) pause(ctx context.Context, d time.Duration) (wanted bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.options.Enough:
	case <-e.options.Look:
		wanted = true
	case <-ctx.Done():
	}
	return wanted, ctx.Err()
}
