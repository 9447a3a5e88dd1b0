package steps

import (
	"cmp"
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
	if why := p.gdapRefused(); why != "" {
		p.note("Nothing is done about delegated administration: %s.", lowerFirst(strings.TrimSuffix(why, ".")))
		return
	}
	who := p.delegate()
	roles := p.want.answers.GDAP.RoleIDs()
	for _, id := range roles {
		p.planRoleGroup(id, who)
	}
	names := p.relationNames()
	by := d.byCustomer()
	for _, c := range d.Customers {
		begun := len(p.Changes)
		p.planCustomer(c, by[c.TenantID], roles, names[c.TenantID])
		for i := range p.Changes[begun:] {
			p.Changes[begun+i].Customer = c.TenantID
		}
	}
	p.gdapNotes(by, roles)
	// What a batch takes at once stands together.
	sortStably(p.Changes, func(a, b Change) int { return gdapRank(a) - gdapRank(b) })
}

// gdapRefused says why the plan leaves delegated administration out; empty when it
// does not.
func (p *Plan) gdapRefused() string {
	f := p.findings
	if !offersDelegation(f.Cloud) {
		return noDelegation(f.Cloud)
	}
	if u, unread := f.unread(PartDelegation, PartContracts, PartRoleGroups); unread {
		return u.Why
	}
	if u := f.Delegation.Unknown; len(u) > 0 {
		return "the answers name customers that are none of this partner's: " + manyOf(u)
	}
	if len(f.Delegation.Customers) == 0 {
		return "none of the partner's customers is chosen"
	}
	if p.delegate() == "" {
		return fmt.Sprintf("there is no account %s that could be put into the groups", cmp.Or(f.Delegation.UPN, p.want.answers.GDAP.Account))
	}
	return p.groupsBlocked()
}

// byCustomer are the relationships by the customer's tenant.
func (d *Delegation) byCustomer() map[string][]*Relationship {
	out := map[string][]*Relationship{}
	for i := range d.Relationships {
		r := &d.Relationships[i]
		out[r.Tenant] = append(out[r.Tenant], r)
	}
	return out
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
	ref := p.accountRef()
	if ref != "" && (!strings.HasPrefix(ref, "${") || p.options.has(StageTenant)) { // made by another stage, it is not there yet
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
	name := p.newGroupName(role)
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

// best is the relationship among a customer's that serves best: an active one
// before one that waits, and that before one that was only begun. Of several active
// ones it is the one without Global Administrator, then that in which our groups
// have the most of the roles, then that which is extended, then that which lasts.
func (d *Delegation) best(list []*Relationship, roles []string) *Relationship {
	rank := func(r *Relationship) int {
		return slices.Index([]string{RelationCreated, RelationPending, RelationApproved, RelationStarting, RelationActive}, r.Status)
	}
	var best *Relationship
	for _, r := range list {
		if r.Microsofts() || r.Foreign || rank(r) < 0 || !contains(r.Roles, roles) {
			continue
		}
		if best == nil || cmp.Or(rank(r)-rank(best), r.powerless()-best.powerless(), d.gives(r, roles)-d.gives(best, roles),
			truth(r.AutoExtend)-truth(best.AutoExtend), r.Ends.Compare(best.Ends), strings.Compare(best.ID, r.ID)) > 0 {
			best = r
		}
	}
	return best
}

// powerless is 1 for a relationship without Global Administrator.
func (r *Relationship) powerless() int {
	return 1 - truth(containsFold(r.Roles, catalog.RoleGlobalAdministrator))
}

// gives is how many of the roles our groups have of a relationship.
func (d *Delegation) gives(r *Relationship, roles []string) int {
	n := 0
	for _, role := range roles {
		if g := d.Groups[role]; g != nil && r.serves(g.ID, role) {
			n++
		}
	}
	return n
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// contains tells whether one list has all of another.
func contains(list, all []string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return !containsFold(list, s) })
}

// planCustomer works out what one customer takes.
func (p *Plan) planCustomer(c Customer, list []*Relationship, roles []string, name string) {
	r := p.findings.Delegation.best(list, roles)
	if r == nil {
		p.planRelationship(c, list, roles, name)
		p.planRolesAt(c, nil, roles)
		return
	}
	switch {
	case r.Status == RelationCreated:
		p.planLock(c, r.ID)
	case p.want.answers.GDAP.AutoExtend && p.endsSoon(r) && !containsFold(r.Roles, catalog.RoleGlobalAdministrator):
		p.add(Change{
			ID: "gdap/extend/" + c.TenantID, Step: stepGDAP, Kind: KindExtension, Action: Update,
			Object: fmt.Sprintf("relationship %q with %s: extended by half a year each time it would end", r.Name, c.Name),
			Why:    "It ends on " + r.Ends.Format(time.DateOnly) + ", and everything Rewst does at this customer with it.",
			Method: "PATCH", Path: relationships + "/" + r.ID, IfMatch: r.ETag, Risk: RiskModerate, Reversible: true, Name: c.TenantID,
			Before: json.RawMessage(`{"autoExtendDuration":"PT0S"}`),
		}, map[string]string{"autoExtendDuration": "P180D"})
	}
	p.planDead(c, r)
	p.planRolesAt(c, r, roles)
}

// endsSoon tells whether a relationship is about to end.
func (p *Plan) endsSoon(r *Relationship) bool {
	return r.Status == RelationActive && !r.AutoExtend && !r.Ends.IsZero() && r.Ends.Sub(p.findings.At) < endsSoon
}

// planDead takes away what this program gave to a group that is gone, and what one
// of the groups was given and never got: another group of the same name has nothing
// of it.
// https://learn.microsoft.com/graph/api/delegatedadminaccessassignment-delete
func (p *Plan) planDead(c Customer, r *Relationship) {
	d := p.findings.Delegation
	for _, x := range r.Access {
		why := "The group it was given to is not there any more."
		switch gone := d.gone[strings.ToLower(x.Group)]; {
		case x.Status == accessDeleting || x.Status == accessDeleted, gone && !d.given[x.ID]:
			continue
		case gone:
		case x.Status == accessFailed && d.ours(x.Group):
			why = "It did not come about, and is made anew."
		default:
			continue
		}
		p.add(Change{
			ID: "gdap/dead/" + c.TenantID + "/" + x.ID, Step: stepGDAP, Kind: KindAccess, Action: Remove,
			Object: theRoles(x.Roles) + " at " + c.Name + " of a group that does not serve", Why: why,
			Method: "DELETE", Path: relationships + "/" + r.ID + "/accessAssignments/" + x.ID, IfMatch: x.ETag, Risk: RiskLow, Reversible: false, Name: c.TenantID,
			Before: encode(map[string]any{"accessContainer": map[string]string{"accessContainerId": x.Group}, "accessDetails": accessOf(x.Roles)}),
		}, nil)
	}
}

// ours tells whether a group is one of those for roles at customers.
func (d *Delegation) ours(group string) bool {
	for _, g := range d.Groups {
		if strings.EqualFold(g.ID, group) {
			return true
		}
	}
	return false
}

// theRoles names roles, or how many there are.
func theRoles(ids []string) string {
	if len(ids) == 1 {
		if r := catalog.RoleByID(ids[0]); r.Name != "" {
			return r.Name
		}
	}
	return plural(len(ids), "role")
}

// planRelationship asks a customer for delegated administration. What it carries
// cannot be added to later.
// https://learn.microsoft.com/graph/api/tenantrelationship-post-delegatedadminrelationships
func (p *Plan) planRelationship(c Customer, list []*Relationship, roles []string, name string) {
	g := p.want.answers.GDAP
	why := fmt.Sprintf("%s has no relationship with all of the roles.", c.Name)
	ended := ""
	for _, r := range list {
		switch {
		case r.Microsofts():
		case r.Status == RelationActive:
			why = fmt.Sprintf("The relationship %q lacks %s, and no role can be added to it: it takes a new one. The other is left as it is.", r.Name, rolesLacking(r, roles))
		case r.Foreign:
			ended = fmt.Sprintf(" The draft %q is left to whoever began it.", r.Name)
		case r.over() && contains(r.Roles, roles):
			ended = fmt.Sprintf(" The relationship %q is %s, and cannot be revived: it takes one of another name.", r.Name, r.Status)
		}
	}
	why += ended
	if older := lacking(list, roles); older != nil {
		why += fmt.Sprintf(" The invitation %q, which waits already, lacks %s: this one is to be approved in its place, and the older one lapses by itself.", older.Name, rolesLacking(older, roles))
	}
	why += " Once it is open for approval it cannot be deleted: it lapses when nobody approves it, and an active one can only be ended."
	extend := "PT0S"
	if g.AutoExtend {
		extend = "P180D"
	}
	p.add(Change{
		ID: "gdap/relationship/" + c.TenantID, Step: stepGDAP, Kind: KindRelationship, Action: Create, Binds: "relation." + c.TenantID,
		Object: fmt.Sprintf("relationship %q with %s", name, c.Name), Why: why,
		Method: "POST", Path: relationships, Risk: RiskModerate, Reversible: false, Name: name,
	}, map[string]any{
		"displayName": name, "duration": fmt.Sprintf("P%dD", g.Days), "autoExtendDuration": extend,
		"customer": map[string]string{"tenantId": c.TenantID, "displayName": c.Name}, "accessDetails": accessOf(roles),
	})
	p.planLock(c, "${relation."+c.TenantID+".id}")
}

// lacking is an invitation that a customer has and that lacks some of the roles; nil
// when there is none.
func lacking(list []*Relationship, roles []string) *Relationship {
	for _, r := range list {
		if r.Status == RelationPending && !r.Microsofts() && !contains(r.Roles, roles) {
			return r
		}
	}
	return nil
}

// lacks names the roles that a relationship does not carry.
func (r *Relationship) lacks(roles []string) []string {
	var out []string
	for _, id := range roles {
		if !containsFold(r.Roles, id) {
			out = append(out, catalog.RoleByID(id).Name)
		}
	}
	return out
}

// rolesLacking names them in a sentence: all roles, where it carries none of them.
func rolesLacking(r *Relationship, roles []string) string {
	names := r.lacks(roles)
	if len(names) == len(roles) && len(roles) > 3 {
		return "all of the roles"
	}
	return together(names)
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
		if has := r.has(group); has != nil {
			p.addRoleAt(c, r, has, role)
			continue
		}
		p.add(Change{
			ID: "gdap/access/" + c.TenantID + "/" + role, Step: stepGDAP, Kind: KindAccess, Action: Add, After: after,
			Object: fmt.Sprintf("%s at %s to its group", catalog.RoleByID(role).Name, c.Name),
			Why:    "The members of the group, the service account among them, have the role at the customer then.",
			Method: "POST", Path: relationships + "/" + id + "/accessAssignments", Risk: RiskHigh, Reversible: true, Name: c.TenantID,
		}, map[string]any{
			"accessContainer": map[string]string{"accessContainerId": group, "accessContainerType": "securityGroup"},
			"accessDetails":   accessOf([]string{role}),
		})
	}
}

// has finds what a group has of the relationship; nil without a relationship.
func (r *Relationship) has(group string) *Access {
	if r == nil {
		return nil
	}
	return r.of(group)
}

// addRoleAt adds a role to those a group has at a customer: it can be named once
// only.
// https://learn.microsoft.com/graph/api/delegatedadminaccessassignment-update
func (p *Plan) addRoleAt(c Customer, r *Relationship, has *Access, role string) {
	p.add(Change{
		ID: "gdap/access/" + c.TenantID + "/" + role, Step: stepGDAP, Kind: KindAccess, Action: Update,
		Object: fmt.Sprintf("what a group has at %s: %s as well", c.Name, catalog.RoleByID(role).Name),
		Why:    "The group for this role has another one there (" + theRoles(has.Roles) + "), which stays.",
		Method: "PATCH", Path: relationships + "/" + r.ID + "/accessAssignments/" + has.ID, IfMatch: has.ETag, Risk: RiskHigh, Reversible: true, Name: c.TenantID,
		Before: encode(map[string]any{"accessDetails": accessOf(has.Roles)}),
	}, map[string]any{"accessDetails": accessOf(union(has.Roles, []string{role}))})
}

// serves tells whether a group has a role of the relationship, or is about to.
// Assignments that were deleted stay listed.
func (r *Relationship) serves(group, role string) bool {
	return slices.ContainsFunc(r.Access, func(a Access) bool {
		return strings.EqualFold(a.Group, group) && (a.Status == accessActive || a.Status == accessPending) && containsFold(a.Roles, role)
	})
}
