package steps

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

// RoleGroup is the group whose members get a role at customers.
type RoleGroup struct {
	ID         string
	Name       string
	Assignable bool     // it may hold roles, which is settled when it is made
	Account    bool     // the service account is a member
	Others     []string // names of the other members
	rank       int      // how likely its name is
}

type wireRoleGroup struct {
	ID              string   `json:"id"`
	Name            string   `json:"displayName"`
	Assignable      bool     `json:"isAssignableToRole"`
	SecurityEnabled bool     `json:"securityEnabled"`
	MailEnabled     bool     `json:"mailEnabled"`
	Types           []string `json:"groupTypes"`
	Synchronised    bool     `json:"onPremisesSyncEnabled"`
}

const roleGroupFields = "id,displayName,isAssignableToRole,securityEnabled,mailEnabled,groupTypes,onPremisesSyncEnabled"

// unfit says why a group cannot be the one of a role; empty when it can. Only a
// security group can be given roles at customers, and the account has to be put
// into it here.
// https://learn.microsoft.com/graph/api/resources/group
func (w wireRoleGroup) unfit() string {
	switch {
	case containsFold(w.Types, "DynamicMembership"):
		return "a rule says who its members are (dynamic membership)"
	case w.Synchronised:
		return "it is synchronised from elsewhere, and its members cannot be changed here"
	case containsFold(w.Types, "Unified"):
		return "it is a Microsoft 365 group, and only a security group can be given roles at customers"
	case !w.SecurityEnabled:
		return "it is no security group"
	case w.MailEnabled:
		return "it is a group with a mail address, and only a plain security group can be given roles at customers"
	}
	return ""
}

// vendorGroupNames are the ways the vendor's guides name the groups, all of which
// begin alike.
var vendorGroupNames = []string{"Rewst GDAP-{role}", "Rewst GDAP - {role}", "Rewst GDAP {role}", "Rewst - {role}"}

const vendorGroupStart = "Rewst "

// groupName is what the group of a role is called.
func groupName(template, role string) string { return strings.ReplaceAll(template, "{role}", role) }

// ownGroupNames are what this program calls the group of a role: the second where
// a group that cannot serve has the first.
func ownGroupNames(template, role string) []string {
	name := groupName(template, role)
	return []string{name, name + " 2"}
}

// groupRole tells which role a group is for by its name: by the template of the
// answers, or by the ways of the vendor's guides.
func groupRole(template, name string) (catalog.Role, bool) {
	role, rank := groupRank(template, name)
	return role, rank >= 0
}

// groupRank is groupRole with how likely the name is, 0 being the likeliest;
// negative when it is no role's.
func groupRank(template, name string) (catalog.Role, int) {
	name = strings.ReplaceAll(name, "–", "-") // one guide writes it so
	for _, r := range catalog.ServiceRoles() {
		names := ownGroupNames(template, r.Name)
		for _, t := range vendorGroupNames {
			names = append(names, groupName(t, r.Name))
		}
		if i := slices.IndexFunc(names, func(s string) bool { return strings.EqualFold(strings.ReplaceAll(s, "–", "-"), name) }); i >= 0 {
			return r, i
		}
	}
	return catalog.Role{}, -1
}

// mostNames is how many values one comparison may name.
// https://learn.microsoft.com/graph/filter-query-parameter
const mostNames = 15

// groupReadings read the groups that could be those of the roles: by the beginning
// of the vendor's names, and by the whole of others.
func (s *Setup) groupReadings(a state.Answers, f *Findings) []reading {
	d, template := f.Delegation, a.GDAP.GroupName
	filters := []string{"startswith(displayName," + quote(vendorGroupStart) + ")"}
	var names []string
	for _, r := range catalog.ServiceRoles() {
		for _, name := range ownGroupNames(template, r.Name) {
			if !strings.HasPrefix(name, vendorGroupStart) {
				names = append(names, quote(name))
			}
		}
	}
	for some := range slices.Chunk(names, mostNames) {
		filters = append(filters, "displayName in ("+strings.Join(some, ",")+")")
	}
	var round []reading
	for _, filter := range filters {
		round = append(round, reading{
			path:   query(groups, "$filter", filter, "$select", roleGroupFields, "$top", "999"),
			unread: unreadDelegation(f, PartRoleGroups, "the permission Group.Read.All or Directory.Read.All", &d.failed),
			take: takePage(s, func(list []wireRoleGroup) error {
				d.takeGroups(template, list)
				return nil
			}),
		})
	}
	return round
}

// takeGroups takes up the groups that a list has for roles. Of several for one
// role that with the likelier name comes first, and then that with the lower id.
func (d *Delegation) takeGroups(template string, list []wireRoleGroup) {
	for _, w := range list {
		role, rank := groupRank(template, w.Name)
		if rank < 0 {
			continue
		}
		if why := w.unfit(); why != "" {
			d.unfit[strings.ToLower(w.Name)] = why
			continue
		}
		all := append(d.candidates[role.TemplateID], &RoleGroup{ID: w.ID, Name: w.Name, Assignable: w.Assignable, rank: rank})
		slices.SortFunc(all, func(a, b *RoleGroup) int { return cmp.Or(a.rank-b.rank, strings.Compare(a.ID, b.ID)) })
		d.candidates[role.TemplateID], d.Groups[role.TemplateID] = all, all[0]
	}
}

// forgetGroups drops groups that are known to be gone.
func (d *Delegation) forgetGroups(gone map[string]bool) {
	for role, all := range d.candidates {
		d.candidates[role] = slices.DeleteFunc(all, func(g *RoleGroup) bool { return gone[g.ID] })
		if g := d.Groups[role]; g == nil || !gone[g.ID] {
			continue
		}
		delete(d.Groups, role)
		if left := d.candidates[role]; len(left) > 0 {
			d.Groups[role] = left[0]
		}
	}
}

// chooseGroups settles on one of several groups for a role: that which has the role
// at customers already, at the most of them.
func (d *Delegation) chooseGroups() {
	for role, all := range d.candidates {
		most := -1
		for _, g := range all {
			if n := d.uses(g, role); n > most && len(all) > 1 {
				most, d.Groups[role] = n, g
			}
		}
	}
}

// uses is at how many customers a group has a role.
func (d *Delegation) uses(g *RoleGroup, role string) int {
	n := 0
	for i := range d.Relationships {
		if d.Relationships[i].serves(g.ID, role) {
			n++
		}
	}
	return n
}

// memberReadings read who is in the groups.
func (s *Setup) memberReadings(d *Delegation) []reading {
	var round []reading
	for _, role := range catalog.ServiceRoles() {
		all := d.candidates[role.TemplateID]
		if g := d.Groups[role.TemplateID]; g != nil && !slices.Contains(all, g) {
			all = append(slices.Clone(all), g) // made so recently that it is not listed
		}
		for _, g := range all {
			round = append(round, reading{
				path: query(groups+"/"+g.ID+"/members", "$select", "id,displayName", "$top", "999"),
				take: takePage(s, func(list []wireMember) error {
					g.Account, g.Others = false, nil
					for _, w := range list {
						if d.Account != "" && w.ID == d.Account {
							g.Account = true
						} else {
							g.Others = append(g.Others, cmp.Or(w.Name, w.ID))
						}
					}
					return nil
				}),
				absent: func() {},
			})
		}
	}
	return round
}

type wireMember struct {
	ID   string `json:"id"`
	Name string `json:"displayName"`
}

// newGroupName is what a group that is made for a role is called; empty when groups
// that cannot serve have every name.
func (p *Plan) newGroupName(role catalog.Role) string {
	for _, name := range ownGroupNames(p.want.answers.GDAP.GroupName, role.Name) {
		if p.findings.Delegation.unfit[strings.ToLower(name)] == "" {
			return name
		}
	}
	return ""
}

// groupsBlocked names the groups that keep a role from having one; empty when none
// does.
func (p *Plan) groupsBlocked() string {
	for _, id := range p.want.answers.GDAP.RoleIDs() {
		if role := catalog.RoleByID(id); p.findings.Delegation.Groups[id] == nil && p.newGroupName(role) == "" {
			names := ownGroupNames(p.want.answers.GDAP.GroupName, role.Name)
			return fmt.Sprintf("neither the group %q nor %q can serve: %s", names[0], names[1], p.findings.Delegation.unfit[strings.ToLower(names[0])])
		}
	}
	return ""
}

// groupNotes say what a person should know of the groups: which cannot serve,
// which was chosen of several, and who gets roles at customers besides the account.
func (p *Plan) groupNotes(roles []string) {
	d := p.findings.Delegation
	var unfit, several, plain, otherwise []string
	others := map[string]int{}
	for _, id := range roles {
		g, role := d.Groups[id], catalog.RoleByID(id)
		if g == nil {
			first := groupName(p.want.answers.GDAP.GroupName, role.Name)
			if why := d.unfit[strings.ToLower(first)]; why != "" {
				unfit = append(unfit, fmt.Sprintf("%q (%s)", first, why))
			}
			continue
		}
		if all := d.candidates[id]; len(all) > 1 {
			several = append(several, fmt.Sprintf("%s: %q, %s, which has it at %s", role.Name, g.Name, g.ID, plural(d.uses(g, id), "customer")))
		}
		if g.rank >= len(ownGroupNames("", "")) {
			otherwise = append(otherwise, fmt.Sprintf("%q in place of %q", g.Name, groupName(p.want.answers.GDAP.GroupName, role.Name)))
		}
		if d.Assignable && !g.Assignable {
			plain = append(plain, fmt.Sprintf("%q", g.Name))
		}
		if p.gives(id) {
			for _, name := range g.Others {
				others[name]++
			}
		}
	}
	if len(unfit) > 0 {
		p.note("Groups that have a name of this setup and cannot serve are left as they are, and others are made whose names end in 2: %s.", someOf(unfit))
	}
	if len(otherwise) > 0 {
		p.note("Groups are used that are there already, under other names than gdap.groupName gives: %s. None is made or renamed for these roles.", someOf(otherwise))
	}
	if len(several) > 0 {
		p.note("Several groups could serve for a role. The one used is that which has the role at the most customers already, then that of the likeliest name, then that of the lowest id; the others are left as they are. %s.", someOf(several))
	}
	if len(plain) > 0 && slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == KindAccess || c.Kind == KindMember }) {
		p.note("Plain security groups are used that are there already: %s. The vendor asks for groups that may hold roles, which protect their members better; that cannot be changed later, and delegated administration works without it.", someOf(plain))
	}
	if len(others) > 0 {
		var names []string
		for name, n := range others {
			names = append(names, fmt.Sprintf("%s (%s)", name, plural(n, "group")))
		}
		slices.Sort(names)
		p.note("Warning: besides the service account, %s of the groups will have roles at customers as well: %s. Take them out of the groups first where that is not wanted.", plural(len(names), "other member"), someOf(names))
	}
}

// gives tells whether the plan gives the group of a role something at a customer.
func (p *Plan) gives(role string) bool {
	return slices.ContainsFunc(p.Changes, func(c Change) bool {
		return c.Kind == KindAccess && c.Action != Remove && strings.HasSuffix(c.ID, "/"+role)
	})
}
