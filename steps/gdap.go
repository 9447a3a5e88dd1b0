package steps

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
)

// stepGDAP is the step of delegated administration.
const stepGDAP = "gdap"

// endsSoon is how long before its end a relationship without automatic extension
// is looked after.
const endsSoon = 60 * 24 * time.Hour

// planGDAP works out what delegated administration takes: a group for each role, a
// relationship with each customer, and after its approval the groups' roles there.
func planGDAP(p *Plan) {
	d := p.findings.Delegation
	if d == nil {
		return
	}
	for _, u := range d.unchosen {
		p.note("Nobody knows the customer %s: it is neither the tenant id nor the default domain of one of this partner's.", u)
	}
	who := p.delegate()
	if who == "" {
		p.note("There is no account %s that could be put into the groups: nothing is done about delegated administration.", d.UPN)
		return
	}
	roles := p.want.answers.GDAP.RoleIDs()
	for _, id := range roles {
		p.planRoleGroup(id, who)
	}
	names := p.relationNames()
	for _, c := range d.Customers {
		p.planCustomer(c, roles, names[c.TenantID])
	}
	// What a batch takes at once stands together.
	slices.SortStableFunc(p.Changes, func(a, b Change) int { return gdapRank(a) - gdapRank(b) })
}

// gdapRank brings the changes of all customers into an order; those of other
// steps stay in front.
func gdapRank(c Change) int {
	if c.Step != stepGDAP {
		return 0
	}
	rank := 1 + slices.Index([]Kind{KindRoleGroup, KindMember, KindExtension, KindRelationship, KindLock, KindAccess}, c.Kind)
	if c.After != "" {
		rank += 10
	}
	return rank
}

// delegate is the service account: its id, or the reference to it.
func (p *Plan) delegate() string {
	if ref := p.accountRef(); ref != "" {
		return ref
	}
	return p.findings.Delegation.Account
}

// planRoleGroup makes the group whose members get a role at customers, or puts the
// account into the one there is.
// https://learn.microsoft.com/graph/api/group-post-groups
func (p *Plan) planRoleGroup(id, who string) {
	d := p.findings.Delegation
	role := catalog.RoleByID(id)
	object := "https://" + p.findings.Cloud.Graph + "/v1.0/directoryObjects/" + who
	if g := d.Groups[id]; g != nil {
		if !g.Account {
			p.add(Change{
				ID: "gdap/member/" + id, Step: stepGDAP, Kind: KindMember, Action: Add,
				Object: fmt.Sprintf("membership of the group %q to %s", g.Name, d.UPN), Why: "The members of the group get the role " + role.Name + " at customers.",
				Method: "POST", Path: groups + "/" + g.ID + "/members/$ref", Risk: RiskHigh, Reversible: true, Name: g.ID,
			}, map[string]string{"@odata.id": object})
		}
		return
	}
	name := groupName(p.want.answers.GDAP.GroupName, role.Name)
	why := "Its members get the role " + role.Name + " at customers, and nothing in this tenant."
	if !d.Assignable {
		why += " It is a plain security group: groups that may hold roles take Microsoft Entra ID P1, and delegated administration does not need them."
	}
	p.add(Change{
		ID: "gdap/group/" + id, Step: stepGDAP, Kind: KindRoleGroup, Action: Create, Binds: "group." + id,
		Object: fmt.Sprintf("group %q", name), Why: why, Method: "POST", Path: groups, Risk: RiskModerate, Reversible: true, Name: name,
	}, map[string]any{
		"displayName": name, "description": "for CSP GDAP role assignment", "mailEnabled": false, "mailNickname": groupNickname(name),
		"securityEnabled": true, "isAssignableToRole": d.Assignable, "members@odata.bind": []string{object},
	})
}

// groupNickname is a mail nickname made from a group's name.
func groupNickname(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == ' ':
			return '-'
		}
		return -1
	}, name)
	out = strings.Trim(out, "-")
	return out[:min(len(out), 64)]
}

// groupRef is the group of a role: its id, or the reference to it.
func (p *Plan) groupRef(role string) string {
	if g := p.findings.Delegation.Groups[role]; g != nil {
		return g.ID
	}
	return "${group." + role + ".id}"
}

// relationNames names the relationships that are to be made.
func (p *Plan) relationNames() map[string]string {
	d := p.findings.Delegation
	taken := map[string]bool{}
	for _, r := range d.Relationships {
		taken[strings.ToLower(r.Name)] = true
	}
	return relationshipNames(p.want.answers.GDAP.RelationshipName, d.Customers, taken)
}

// chosen is the relationship that serves a customer best: an active one before one
// that waits, and that before one that was only begun.
func (p *Plan) chosen(c Customer, roles []string) *Relationship {
	var best *Relationship
	rank := func(r *Relationship) int {
		return slices.Index([]string{RelationCreated, RelationPending, RelationApproved, RelationStarting, RelationActive}, r.Status)
	}
	d := p.findings.Delegation
	for i := range d.Relationships {
		r := &d.Relationships[i]
		if r.Tenant != c.TenantID || r.Microsofts() || rank(r) < 0 || !contains(r.Roles, roles) {
			continue
		}
		if best == nil || rank(r) > rank(best) || rank(r) == rank(best) && r.Ends.After(best.Ends) {
			best = r
		}
	}
	return best
}

// contains tells whether one list has all of another.
func contains(list, all []string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return !containsFold(list, s) })
}

// planCustomer works out what one customer takes.
func (p *Plan) planCustomer(c Customer, roles []string, name string) {
	r := p.chosen(c, roles)
	if r == nil {
		p.planRelationship(c, roles, name)
		p.planRolesAt(c, nil, roles)
		return
	}
	switch {
	case r.Status == RelationCreated:
		p.planLock(c, r.ID)
	case r.Status == RelationActive && p.want.answers.GDAP.AutoExtend && !r.AutoExtend && !r.Ends.IsZero() && r.Ends.Sub(p.findings.At) < endsSoon:
		p.add(Change{
			ID: "gdap/extend/" + c.TenantID, Step: stepGDAP, Kind: KindExtension, Action: Update,
			Object: fmt.Sprintf("relationship %q with %s: extended by half a year each time it would end", r.Name, c.Name),
			Why:    "It ends on " + r.Ends.Format(time.DateOnly) + ", and everything Rewst does at this customer with it.",
			Method: "PATCH", Path: relationships + "/" + r.ID, IfMatch: r.ETag, Risk: RiskModerate, Reversible: true, Name: c.TenantID,
			Before: json.RawMessage(`{"autoExtendDuration":"PT0S"}`),
		}, map[string]string{"autoExtendDuration": "P180D"})
	}
	p.planRolesAt(c, r, roles)
}

// planRelationship asks a customer for delegated administration. What it carries
// cannot be added to later.
// https://learn.microsoft.com/graph/api/tenantrelationship-post-delegatedadminrelationships
func (p *Plan) planRelationship(c Customer, roles []string, name string) {
	g := p.want.answers.GDAP
	why := fmt.Sprintf("%s has no relationship with all of the roles.", c.Name)
	for _, r := range p.findings.Delegation.Relationships {
		if r.Tenant == c.TenantID && r.Status == RelationActive {
			why = fmt.Sprintf("The relationship %q lacks roles, and none can be added to it: it takes a new one. The other is left as it is.", r.Name)
		}
	}
	access := []map[string]string{}
	for _, id := range roles {
		access = append(access, map[string]string{"roleDefinitionId": id})
	}
	extend := "PT0S"
	if g.AutoExtend {
		extend = "P180D"
	}
	p.add(Change{
		ID: "gdap/relationship/" + c.TenantID, Step: stepGDAP, Kind: KindRelationship, Action: Create, Binds: "relation." + c.TenantID,
		Object: fmt.Sprintf("relationship %q with %s", name, c.Name), Why: why,
		Method: "POST", Path: relationships, Risk: RiskModerate, Reversible: true, Name: name,
	}, map[string]any{
		"displayName": name, "duration": fmt.Sprintf("P%dD", g.Days), "autoExtendDuration": extend,
		"customer": map[string]string{"tenantId": c.TenantID, "displayName": c.Name}, "accessDetails": map[string]any{"unifiedRoles": access},
	})
	p.planLock(c, "${relation."+c.TenantID+".id}")
}

// planLock makes a relationship ready for the customer to approve.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-post-requests
func (p *Plan) planLock(c Customer, id string) {
	p.add(Change{
		ID: "gdap/lock/" + c.TenantID, Step: stepGDAP, Kind: KindLock, Action: Update,
		Object: "relationship with " + c.Name + ": open for approval", Why: "Only then can an administrator of the customer approve it. Its roles cannot be changed any more.",
		Method: "POST", Path: relationships + "/" + id + "/requests", Risk: RiskLow, Reversible: false, Name: c.TenantID,
	}, map[string]string{"action": "lockForApproval"})
}

// planRolesAt gives each group its role at a customer, once the customer approved.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-post-accessassignments
func (p *Plan) planRolesAt(c Customer, r *Relationship, roles []string) {
	id, after := "${relation."+c.TenantID+".id}", c.TenantID
	if r != nil {
		id = r.ID
		if r.Status == RelationActive {
			after = ""
		}
	}
	for _, role := range roles {
		group := p.groupRef(role)
		if r != nil && r.serves(group, role) {
			continue
		}
		p.add(Change{
			ID: "gdap/access/" + c.TenantID + "/" + role, Step: stepGDAP, Kind: KindAccess, Action: Add, After: after,
			Object: fmt.Sprintf("%s at %s to its group", catalog.RoleByID(role).Name, c.Name),
			Why:    "The members of the group, the service account among them, have the role at the customer then.",
			Method: "POST", Path: relationships + "/" + id + "/accessAssignments", Risk: RiskHigh, Reversible: true, Name: c.TenantID,
		}, map[string]any{
			"accessContainer": map[string]string{"accessContainerId": group, "accessContainerType": "securityGroup"},
			"accessDetails":   map[string]any{"unifiedRoles": []map[string]string{{"roleDefinitionId": role}}},
		})
	}
}

// serves tells whether a group has a role of the relationship, or is about to.
// Assignments that were deleted stay listed.
func (r *Relationship) serves(group, role string) bool {
	return slices.ContainsFunc(r.Access, func(a Access) bool {
		return strings.EqualFold(a.Group, group) && (a.Status == "active" || a.Status == "pending") && containsFold(a.Roles, role)
	})
}
