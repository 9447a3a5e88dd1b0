package sandbox

// partnerRoles are the role assignments that stand in a customer's tenant for what
// its relationships give the groups of the partner. The groups are not there: the
// assignment says whose they are.
// https://learn.microsoft.com/graph/api/resources/unifiedroleassignment
func (q *call) partnerRoles() []*entity {
	partner := q.c.order[0]
	if q.t == partner {
		return nil
	}
	q.c.settle()
	var list []*entity
	seen := map[string]bool{}
	for _, rel := range q.c.gdap.byCustomer[q.t.id] {
		if !grantsAccess(rel.live(q.v)) {
			continue
		}
		for _, e := range q.c.partsOf(kindMapping, rel) {
			m := e.live(q.v)
			if str(m, "status") != mapActive {
				continue
			}
			group := containerOf(m)
			for _, role := range carried(m) {
				id := givenID(group, role)
				if seen[id] {
					continue
				}
				seen[id] = true
				data := given(q.t, group, role)
				data["principalOrganizationId"] = partner.id
				list = append(list, &entity{kind: kindRoleGiven, id: id, seq: lastOfAll + len(list), versions: []version{{data: data}}})
			}
		}
	}
	return list
}

// lastOfAll is a place in a list behind whatever the tenant itself has.
const lastOfAll = 1 << 40

// elsewhere is a group of the partner as a customer sees it: with the tenant it is
// at home in.
// https://learn.microsoft.com/graph/api/resources/group
func (q *call) elsewhere(id string) object {
	partner := q.c.order[0]
	if partner == q.t {
		return nil
	}
	data := partner.seen(q.v, kindGroup, id)
	if data == nil {
		return nil
	}
	return object{
		"@odata.type": "#microsoft.graph.group", "id": id, "organizationId": partner.id, "displayName": data["displayName"], "description": data["description"],
		"createdDateTime": data["createdDateTime"], "deletedDateTime": nil, "groupTypes": []any{}, "mailEnabled": false, "securityEnabled": true,
	}
}
