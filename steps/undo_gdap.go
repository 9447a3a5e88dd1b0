package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"msbundle/state"
)

// OfferTerminate is the offer to end relationships with customers that this
// program made and that cannot be deleted any more.
const OfferTerminate = "terminate-relationships"

// delegationTraces is what the tenant holds now of what was written for customers.
type delegationTraces struct {
	relations map[string]*Relationship // by id, with anybody
	groups    map[string]*roleGroupUse // by id
}

// roleGroupUse is a group for a role at customers, and what it serves for besides.
type roleGroupUse struct {
	Name    string
	members []string
	others  int // directory roles it was given
}

// followDelegation tells which trail a write for customers belongs to.
func (t *trail) followDelegation(e state.Entry) {
	switch t.kind {
	case KindRoleGroup:
		t.object, t.appID = refID(e.Outcome.Refs, "group."), ""
		if t.object == "" {
			t.object = e.Name
		}
	case KindRelationship, KindLock: // both are about the relationship
		t.kind = KindRelationship
		if t.object = refID(e.Outcome.Refs, "relation."); e.What == string(KindLock) {
			t.object = relationshipIn(e.Path)
		} else if t.object == "" {
			t.role = e.Name
		}
	case KindExtension:
		t.object = relationshipIn(e.Path)
	case KindAccess:
		var w wireAccess
		_ = json.Unmarshal(e.Before, &w)
		_ = json.Unmarshal(e.Body, &w) // written by this program
		t.resource, t.principal = relationshipIn(e.Path), w.Container.ID
		if e.Action == string(Update) {
			t.role = path.Base(e.Path)
		}
	}
}

// ofCustomers tells whether a trail is about customers.
func (t *trail) ofCustomers() bool {
	return slices.Contains([]Kind{KindRoleGroup, KindRelationship, KindExtension, KindAccess}, t.kind)
}

// delegationReadings read what a trail of the stage about customers leads to.
func (t *Traces) delegationReadings(s *Setup, x *trail) []reading {
	d := &t.ready.delegation
	if x.kind == KindRoleGroup {
		g := groups + "/" + x.object
		use := func() *roleGroupUse {
			if d.groups[x.object] == nil {
				d.groups[x.object] = &roleGroupUse{}
			}
			return d.groups[x.object]
		}
		return []reading{
			{path: query(g, "$select", roleGroupFields), take: takeOne(func(w wireRoleGroup, _ json.RawMessage) { use().Name = w.Name })},
			{path: query(g+"/members", "$select", "id", "$top", "999"), take: takePage(s, func(list []wireID) error { use().members = ids(list); return nil })},
			{path: query(roleAssignments, "$filter", "principalId eq "+quote(x.object)), take: takePage(s, func(list []wireID) error { use().others += len(list); return nil })},
		}
	}
	return []reading{{
		path: query(relationships, "$top", "300"),
		take: takePage(s, func(list []json.RawMessage) error {
			all, err := relationshipsOf(list)
			for i := range all {
				d.relations[all[i].ID] = &all[i]
			}
			return err
		}),
		unread: func(err error) { t.ready.hidden(PartDelegation, err) },
	}}
}

// readAccessTraces reads who has which role through the relationships there are:
// a group of ours may have come to serve for others.
func (s *Setup) readAccessTraces(ctx context.Context, t *Traces) error {
	if !slices.ContainsFunc(t.trails, func(x *trail) bool { return x.kind == KindAccess || x.kind == KindRoleGroup }) {
		return nil
	}
	var round []reading
	for _, r := range t.ready.delegation.relations {
		if r.Status == RelationActive || r.Status == "expiring" {
			read := s.accessReading(r)
			read.absent = func() {}
			round = append(round, read)
		}
	}
	return s.readAll(ctx, t.remember(round))
}

// showsDelegation tells whether the effect of a trail's last write can be seen.
func (t *Traces) showsDelegation(x *trail) bool {
	d := t.ready.delegation
	switch x.kind {
	case KindRoleGroup:
		return d.groups[x.object] != nil && d.groups[x.object].Name != ""
	case KindRelationship:
		return !x.created() || x.object == "" || d.relations[x.object] != nil
	case KindAccess:
		r := d.relations[x.resource]
		return r == nil || r.Status != RelationActive || x.last().Action != string(Add) || slices.ContainsFunc(r.Access, func(a Access) bool { return strings.EqualFold(a.Group, x.principal) })
	}
	return true
}

// relation finds the relationship a trail is about; one whose answer was lost is
// known by what it was to be.
func (t *Traces) relation(x *trail) *Relationship {
	if r := t.ready.delegation.relations[x.object]; r != nil || x.object != "" {
		return r
	}
	for _, r := range t.ready.delegation.relations {
		if r.madeBy(x.first().Record) {
			return r
		}
	}
	return nil
}

// planDelegation takes back what was written for customers: what groups have of
// relationships, extensions, relationships nobody was asked to approve, and the
// groups. Others of our relationships are ended only when that is asked for.
func (u *undoing) planDelegation() {
	if u.ready.unread[PartDelegation] != nil {
		for _, x := range u.trails {
			if x.ofCustomers() {
				u.kept[x] = true
			}
		}
		return
	}
	ends := u.endable()
	terminate := len(ends) > 0 && u.offer(Offer{
		ID: OfferTerminate, Risk: RiskCritical, Title: fmt.Sprintf("End %s with customers", plural(len(ends), "relationship")),
		Why: "This program made them, and customers approved them. Ended, nobody of this tenant reaches those customers through them any more, and they cannot be revived: each customer would have to approve a new one.",
	})
	for _, x := range slices.Backward(u.trails) {
		if x.kind == KindAccess && (!terminate || !slices.ContainsFunc(ends, func(e *trail) bool { return e.object == x.resource })) {
			u.takeAccess(x)
		}
	}
	for _, x := range slices.Backward(u.trails) {
		if x.kind == KindExtension {
			u.takeExtension(x)
		}
	}
	left := map[string]bool{}
	for _, x := range slices.Backward(u.trails) {
		if x.kind == KindRelationship && !u.takeRelationship(x, terminate) {
			left[u.relation(x).ID] = true
		}
	}
	if left := len(left); left > 0 {
		u.note("Kept: %s with customers. Only one that nobody was asked to approve can be deleted; one that waits lapses after 90 days, and one that is active can be ended (%s), by you or by the customer.", plural(left, "relationship"), OfferTerminate)
	}
	for _, x := range slices.Backward(u.trails) {
		if x.kind == KindRoleGroup {
			u.deleteRoleGroup(x)
		}
	}
}

// endable are the trails of relationships of ours that could be ended.
func (u *undoing) endable() []*trail {
	var out []*trail
	for _, x := range u.trails { // one whose first answer was lost has two trails
		if x.kind == KindRelationship && x.object == "" {
			continue
		}
		if r := u.relation(x); x.kind == KindRelationship && x.created() && r != nil && r.Status == RelationActive {
			out = append(out, x)
		}
	}
	return out
}

// takeAccess takes from a group what we gave it at a customer.
// https://learn.microsoft.com/graph/api/delegatedadminaccessassignment-delete
func (u *undoing) takeAccess(x *trail) {
	r := u.ready.delegation.relations[x.resource]
	if r == nil || r.Status != RelationActive && r.Status != "expiring" {
		return
	}
	for _, has := range r.Access {
		if has.Status != accessActive && has.Status != accessPending && has.Status != accessFailed {
			continue
		}
		c := Change{
			ID: "undo/access/" + r.ID + "/" + has.ID, Kind: KindAccess, Path: relationships + "/" + r.ID + "/accessAssignments/" + has.ID, IfMatch: has.ETag, Name: r.Tenant, Customer: r.Tenant,
			Object: theRoles(has.Roles) + " at " + r.Customer, Risk: RiskModerate, Reversible: true,
			Before: encode(map[string]any{"accessContainer": map[string]string{"accessContainerId": has.Group}, "accessDetails": accessOf(has.Roles)}),
		}
		switch first := x.first(); {
		case first.Action == string(Update) && x.role == has.ID && has.Status == accessActive:
			var was, ours wireAccess
			_ = json.Unmarshal(first.Before, &was)
			_ = json.Unmarshal(x.last().Body, &ours)
			back := takenBackList(was.Access.ids(), ours.Access.ids(), has.Roles, strings.EqualFold)
			if sameSet(back, has.Roles) || len(back) == 0 {
				continue
			}
			c.Action, c.Method, c.Object, c.Why = Update, "PATCH", "what a group has at "+r.Customer+": as before", "This program added a role to it."
			u.undo(x, c, map[string]any{"accessDetails": accessOf(back)}, x.intents()...)
		case first.Action == string(Add) && strings.EqualFold(x.principal, has.Group) && x.gave(has.ID) && contains(x.rolesGiven(), has.Roles):
			c.Action, c.Method, c.Why = Remove, "DELETE", "This program gave it to its group."
			u.removed[has.ID] = true
			u.undo(x, c, nil, x.intents()...)
		}
	}
}

// rolesGiven are the roles a trail gave to a group at a customer: one that somebody
// else gave it may stand in their place.
func (x *trail) rolesGiven() []string {
	var out []string
	for _, e := range x.writes {
		var w wireAccess
		_ = json.Unmarshal(e.Body, &w) // written by this program
		out = append(out, w.Access.ids()...)
	}
	return out
}

// takeExtension lets a relationship that was there before end when it would have.
func (u *undoing) takeExtension(x *trail) {
	r := u.ready.delegation.relations[x.object]
	if r == nil || r.Status != RelationActive || !r.AutoExtend {
		return
	}
	u.undo(x, Change{
		ID: "undo/extend/" + r.ID, Kind: KindExtension, Action: Update, Object: fmt.Sprintf("relationship %q with %s: not extended automatically, as before", r.Name, r.Customer),
		Why: "This program had it extended.", Method: "PATCH", Path: relationships + "/" + r.ID, IfMatch: r.ETag, Risk: RiskModerate, Reversible: true, Name: r.Tenant, Customer: r.Tenant,
		Before: json.RawMessage(`{"autoExtendDuration":"P180D"}`),
	}, map[string]string{"autoExtendDuration": "PT0S"}, x.intents()...)
}

// takeRelationship takes a relationship of ours back where that is possible, and
// tells whether nothing of it stays.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-delete
func (u *undoing) takeRelationship(x *trail, terminate bool) bool {
	r := u.relation(x)
	switch {
	case r == nil || r.over() || u.removed[r.ID]:
		return true
	case !x.created():
		u.kept[x] = true
		return true // somebody else began it
	}
	c := Change{
		Kind: KindRelationship, Path: relationships + "/" + r.ID, Name: r.Name, Customer: r.Tenant, Object: fmt.Sprintf("relationship %q with %s", r.Name, r.Customer),
		Before: before(r.Raw, map[string]any{"displayName": nil, "customer": nil, "status": nil}),
	}
	switch {
	case r.Status == RelationCreated:
		c.ID, c.Action, c.Method, c.IfMatch, c.Risk = "undo/relationship/"+r.ID, Delete, "DELETE", r.ETag, RiskLow
		c.Why = "This program made it, and nobody was asked to approve it yet."
		u.removed[r.ID] = true
		u.undo(x, c, nil, x.intents()...)
		return true
	case terminate && r.Status == RelationActive:
		c.ID, c.Kind, c.Action, c.Method, c.Risk, c.Name = "undo/terminate/"+r.ID, KindLock, Update, "POST", RiskCritical, r.Tenant
		c.Path += "/requests"
		c.Object += ": ended"
		c.Why = "This program made it, and its end was asked for. It cannot be revived."
		u.removed[r.ID] = true
		u.undo(x, c, map[string]string{"action": "terminate"}, u.with(x, func(other *trail) bool { return other.kind == KindAccess && other.resource == x.object })...)
		return true
	}
	u.kept[x] = true
	return false
}

// deleteRoleGroup deletes a group of ours unless it came to serve for more.
// https://learn.microsoft.com/graph/api/group-delete
func (u *undoing) deleteRoleGroup(x *trail) {
	g := u.ready.delegation.groups[x.object]
	if g == nil || g.Name == "" {
		u.note("Gone already: group %q.", x.first().Name)
		return
	}
	used := g.others
	for _, r := range u.ready.delegation.relations {
		for _, has := range r.Access {
			ended := slices.ContainsFunc(u.Changes, func(c Change) bool { return c.ID == "undo/terminate/"+r.ID })
			if strings.EqualFold(has.Group, x.object) && (has.Status == accessActive || has.Status == accessPending) && !u.removed[has.ID] && !ended {
				used++
			}
		}
	}
	ours := u.putInto(x)
	people := len(slices.DeleteFunc(slices.Clone(g.members), func(id string) bool { return containsFold(ours, id) }))
	if used > 0 || people > 0 {
		u.kept[x] = true
		u.note("Kept: the group %q, which this program made: it came to be used by others (%s, %s).", g.Name, plural(people, "other member"), plural(used, "other use"))
		return
	}
	u.removed[x.object] = true
	u.undo(x, Change{
		ID: "undo/group/" + x.object, Kind: KindRoleGroup, Action: Delete, Name: g.Name, Object: fmt.Sprintf("group %q", g.Name),
		Why: "This program made it, and nothing else uses it.", Method: "DELETE", Path: groups + "/" + x.object, Risk: RiskModerate, Reversible: false,
		Before: encode(map[string]string{"displayName": g.Name}),
	}, nil, u.with(x, func(other *trail) bool { return other.kind == KindMember && other.resource == x.object })...)
}

// putInto are the accounts this program put into a group of its own.
func (u *undoing) putInto(x *trail) []string {
	var out []string
	for _, t := range u.trails {
		if t.kind == KindMember && t.resource == x.object {
			out = append(out, t.principal)
		}
	}
	for _, e := range x.writes {
		var body struct {
			Members []string `json:"members@odata.bind"`
		}
		_ = json.Unmarshal(e.Body, &body) // written by this program
		for _, m := range body.Members {
			out = append(out, path.Base(m))
		}
	}
	return out
}
