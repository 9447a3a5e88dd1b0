package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// partnerAdministration has to be among a partner's enterprise apps before an app
// may map groups by itself.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-post-accessassignments
const partnerAdministration = "2832473f-ec63-45fb-976f-5d45a7d4bb91"

// The states of a mapping of roles to a group.
// https://learn.microsoft.com/graph/api/resources/delegatedadminaccessassignment
const (
	mapPending  = "pending"
	mapActive   = "active"
	mapDeleting = "deleting"
	mapDeleted  = "deleted"
	mapError    = "error"
)

func (q *call) listMappings() (*result, error) {
	return q.listParts(kindMapping, "accessAssignments", "status")
}

func (q *call) getMapping() (*result, error) { return q.onePart(kindMapping, "accessAssignments") }

// createMapping gives roles of an active relationship to a group of the partner.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-post-accessassignments
func (q *call) createMapping() (*result, error) {
	rel, err := q.relationship()
	if err != nil {
		return nil, err
	}
	if q.tok.IDType == "app" && q.t.principalOf(q.c.master(), partnerAdministration) == nil {
		return nil, fail(http.StatusInternalServerError, "unexpectedError", "An unexpected error occurred in the server.")
	}
	body, err := q.readDelegation("delegatedAdminAccessAssignment_create")
	if err != nil {
		return nil, err
	}
	roles, err := q.subset(rel, body)
	if err != nil {
		return nil, err
	}
	group, err := q.container(body)
	if err != nil {
		return nil, err
	}
	for _, m := range q.c.partsOf(kindMapping, rel) {
		data := m.live(q.c.master())
		if containerOf(data) == group && slices.Contains([]string{mapPending, mapActive}, str(data, "status")) {
			return nil, fail(http.StatusConflict, "conflict", "An access assignment for the access container '%s' already exists in the delegated admin relationship.", group)
		}
	}
	now := q.c.now()
	data := mapping(group, roles, mapPending, precise(now))
	e := q.c.addMapping(q.t, rel, q.c.guid(), data, false)
	q.c.inTurn(now, turn{q.c.takes(3*time.Second, 90*time.Second), func(at time.Time) {
		switch {
		case q.c.mapState(e) != mapPending:
		case q.t.seen(q.c.master(), kindGroup, group) == nil || !grantsAccess(rel.live(q.c.master())):
			q.c.change(e, at, object{"status": mapError})
		default:
			q.c.change(e, at, object{"status": mapActive})
		}
	}})
	shown := q.shownPart(withTag(e, data), kindMapping)
	shown["@odata.context"] = q.context("tenantRelationships/delegatedAdminRelationships('" + rel.id + "')/accessAssignments/$entity")
	return created(shown, q.url("/tenantRelationships/delegatedAdminRelationships/"+rel.id+"/accessAssignments/"+e.id)), nil
}

func mapping(group string, roles []string, status, made string) object {
	return object{
		"accessContainer": object{"accessContainerId": group, "accessContainerType": "securityGroup"}, "accessDetails": accessDetails(roles),
		"createdDateTime": made, "lastModifiedDateTime": made, "status": status, "_version": 1,
	}
}

func (c *Cloud) addMapping(t *tenant, rel *entity, id string, data object, settled bool) *entity {
	e := c.partNamed(t, kindMapping, id, rel, data, settled)
	group := containerOf(data)
	c.gdap.byGroup[group] = append(c.gdap.byGroup[group], e)
	return e
}

func (c *Cloud) mapState(e *entity) string { return str(e.live(c.master()), "status") }

func containerOf(mapping object) string {
	container, _ := mapping["accessContainer"].(object)
	return strings.ToLower(str(container, "accessContainerId"))
}

// subset reads the roles of a body, which the relationship has to carry.
func (q *call) subset(rel *entity, body object) ([]string, error) {
	roles, err := rolesIn(body)
	if err != nil {
		return nil, err
	}
	data := rel.live(q.c.master())
	if err := inState(data, relActive); err != nil {
		return nil, err
	}
	has := carried(data)
	for _, id := range roles {
		if !slices.Contains(has, id) {
			return nil, badDelegation("The role definition ID '%s' is not part of the access details of the delegated admin relationship.", id)
		}
	}
	return roles, nil
}

// container reads the group of a body, as far as the replica of the call knows it.
func (q *call) container(body object) (string, error) {
	id := containerOf(body)
	group := q.t.seen(q.v, kindGroup, id)
	switch {
	case !isGUID(id):
		return "", badDelegation("The access container ID '%s' is invalid.", id)
	case group == nil:
		return "", badDelegation("The access container does not exist: '%s'.", id)
	case group["securityEnabled"] != true:
		return "", badDelegation("The access container '%s' is not a security group.", id)
	}
	return id, nil
}

// currentMapping finds the mapping of a write that was seen as it is.
func (q *call) currentMapping() (rel, e *entity, data object, err error) {
	if rel, e, err = q.partNamed(kindMapping); err != nil {
		return nil, nil, nil, err
	}
	data = e.live(q.c.master())
	if err := q.matches(e, data, true); err != nil {
		return nil, nil, nil, err
	}
	return rel, e, data, nil
}

// patchMapping changes the roles of a group, which takes a while.
// https://learn.microsoft.com/graph/api/delegatedadminaccessassignment-update
func (q *call) patchMapping() (*result, error) {
	rel, e, data, err := q.currentMapping()
	if err != nil {
		return nil, err
	}
	body, err := q.readDelegation("delegatedAdminAccessAssignment_update")
	if err != nil {
		return nil, err
	}
	roles, err := q.subset(rel, body)
	if err != nil {
		return nil, err
	}
	if state := str(data, "status"); state != mapActive {
		return nil, badDelegation("The access assignment is in the status '%s' and cannot be updated.", state)
	}
	if sameSet(roles, carried(data)) {
		return q.gdapOne(withTag(e, data), kindMapping, "delegatedAdminRelationships('"+rel.id+"')/accessAssignments")
	}
	work := q.operation(rel, "delegatedAdminAccessAssignmentUpdate", with(data, object{"id": e.id, "accessDetails": accessDetails(roles)}))
	q.c.carryOut(work, q.c.now(), func(at time.Time) {
		if q.c.mapState(e) == mapActive {
			q.c.change(e, at, object{"accessDetails": accessDetails(roles)})
		}
	})
	return q.accepted(work, rel), nil
}

// deleteMapping takes the roles from a group. What was deleted stays in the list.
// https://learn.microsoft.com/graph/api/delegatedadminaccessassignment-delete
func (q *call) deleteMapping() (*result, error) {
	_, e, data, err := q.currentMapping()
	if err != nil {
		return nil, err
	}
	if state := str(data, "status"); state == mapDeleting || state == mapDeleted {
		return nil, badDelegation("The access assignment is in the status '%s' and cannot be deleted.", state)
	}
	now := q.c.now()
	q.c.change(e, now, object{"status": mapDeleting})
	q.c.inTurn(now, turn{q.c.takes(3*time.Second, 40*time.Second), func(at time.Time) {
		q.c.change(e, at, object{"status": mapDeleted})
	}})
	return noContent(), nil
}

// containerGone is the end of a group: what was mapped to it is of no use, even if
// another one of the same name is made.
func (c *Cloud) containerGone(t *tenant, group string) {
	if t != c.order[0] {
		return
	}
	c.settle()
	c.recallAll()
	for _, e := range c.gdap.byGroup[group] {
		if state := c.mapState(e); state == mapPending || state == mapActive {
			c.change(e, c.now(), object{"status": mapError})
		}
	}
}
