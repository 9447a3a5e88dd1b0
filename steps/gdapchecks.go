package steps

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/state"
)

// GDAPChecks checks whether delegated administration can be set up with these
// answers, in this tenant, by this account. It is a pure function; empty when the
// answers have no section about it.
func GDAPChecks(a state.Answers, f *Findings, o PlanOptions) []Check {
	if f.Delegation == nil || a.GDAP == nil {
		return nil
	}
	checks := []Check{checkDelegation(f)}
	if checks[0].Blocks {
		return checks
	}
	return append(checks, checkDelegate(a, f, o), checkCustomers(a, f), checkGroupRights(a, f, o), checkRoleGroups(a, f, o))
}

// noDelegation says why a cloud has no delegated administration of customers.
func noDelegation(c catalog.Cloud) string {
	if c.ID == "china" {
		return c.Name + " has no delegated administration of customers (GDAP)"
	}
	return "Microsoft documents delegated administration of customers (GDAP) for its global cloud only, and not for " + c.Name
}

// checkDelegation tells whether relationships with customers are there to be seen.
func checkDelegation(f *Findings) Check {
	c := Check{ID: CheckRelationships, Title: "Delegated administration of customers", Evidence: plural(len(f.Delegation.Relationships), "relationship") + " with customers"}
	if !offersDelegation(f.Cloud) {
		c.State, c.Blocks, c.Answer, c.Evidence = Failed, true, "gdap", noDelegation(f.Cloud)
		c.Fix = "Customers are set up from a partner's tenant in Microsoft's global cloud; for this tenant there is nothing to set up, and a setup file for it does without the section gdap."
		return c
	}
	if u, unread := f.unread(PartDelegation); unread {
		c.State, c.Blocks, c.SignIn, c.Evidence, c.Fix = Failed, true, true, u.Why, u.Fix
	}
	return c
}

// checkDelegate tells whether there is an account for the groups.
func checkDelegate(a state.Answers, f *Findings, o PlanOptions) Check {
	d := f.Delegation
	c := Check{ID: CheckDelegate, Title: "Account for the customers", Evidence: d.UPN + " is put into the groups"}
	if f.Ready == nil && d.Account != "" {
		c.Evidence += ". Whether multifactor authentication is demanded of it is not looked at here; 'msbundle explain --customer' does"
	}
	p := Plan{want: desire(a, f), findings: f, options: o}
	switch {
	case d.Disabled && f.Ready == nil:
		c.State = Failed
		c.Evidence, c.Fix = disabledAccount(d.UPN)
	case p.delegate() == "":
		c.State, c.Blocks, c.Answer = Failed, true, "gdap.account"
		c.Evidence = fmt.Sprintf("There is no account %s that could be put into the groups", cmp.Or(d.UPN, a.GDAP.Account))
		c.Fix = "Let it be made (section serviceAccount, create: true), or name one that is there (gdap.account)."
	}
	return c
}

// checkCustomers tells which customers are meant, and which nobody knows.
func checkCustomers(a state.Answers, f *Findings) Check {
	d := f.Delegation
	c := Check{ID: CheckCustomers, Title: "Customers", Evidence: fmt.Sprintf("%s of %d", plural(len(d.Customers), "customer"), max(d.Contracts, len(d.Customers)))}
	u, unread := f.unread(PartContracts)
	switch {
	case unread:
		c.State, c.Blocks, c.SignIn, c.Evidence, c.Fix = Failed, true, true, "The partner's customers could not be read: "+lowerFirst(u.Why), u.Fix
	case len(d.Customers) == 0 && d.Contracts == 0:
		c.State, c.Blocks, c.Evidence = Failed, true, "The directory knows no customer of this tenant"
		c.Fix = "A customer has to accept the partner's reseller relationship first (Partner Center, Customers). A tenant that is no partner's has none."
	case len(d.Customers) == 0:
		c.State, c.Blocks, c.Answer, c.Evidence = Failed, true, "gdap.customers", "None of the customers named is one of this partner's: "+manyOf(d.Unknown)
		c.Fix = "Name customers by tenant id or default domain, or use customers: all."
	case len(d.Unknown) > 0:
		c.State, c.Blocks, c.Answer = Failed, true, "gdap.customers"
		c.Evidence = fmt.Sprintf("%s; nobody knows %s", c.Evidence, manyOf(d.Unknown))
		c.Fix = "Name customers by tenant id or default domain, or leave these out. Whoever is missing from the partner's customers needs a reseller relationship first (Partner Center, Customers)."
	case !a.GDAP.All && len(a.GDAP.Customers) == 0:
		c.Evidence += ", named by " + a.GDAP.File
	}
	return c
}

// checkGroupRights tells whether the account may make the groups.
// https://learn.microsoft.com/graph/api/group-post-groups
func checkGroupRights(a state.Answers, f *Findings, o PlanOptions) Check {
	c := Check{ID: "gdap-rights", Title: "Rights for the groups", Evidence: "Enough for the groups of this plan"}
	may := []string{catalog.RoleGlobalAdministrator, roleGroupsAdministrator, roleUserAdministrator}
	who := "a Groups Administrator or a Global Administrator"
	if f.Delegation.Assignable {
		may = []string{catalog.RoleGlobalAdministrator, catalog.RolePrivilegedRoleAdministrator}
		who = "a Privileged Role Administrator or a Global Administrator"
	}
	p := MakePlan(a, f, PlanOptions{Stage: StageGDAP, Ticked: o.Ticked})
	needs := slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == KindRoleGroup || c.Kind == KindMember })
	switch {
	case f.Account.App:
		return c.unknown(appOnly)
	case !needs:
		c.Evidence = "The groups are there, with the account in them"
	case common(f.RoleIDs, may):
	case f.RolesUnknown:
		c.State, c.Evidence, c.Fix = Unknown, "Not every role of this account could be read", "It takes "+who+"."
	default:
		c.State, c.Blocks, c.SignIn = Failed, true, true
		c.Evidence, c.Fix = "No active role of this account allows it to make them", "Sign in with "+who+". A role that is only eligible has to be activated first."
	}
	return c
}

// checkRoleGroups tells what groups there are.
func checkRoleGroups(a state.Answers, f *Findings, o PlanOptions) Check {
	c := Check{ID: "gdap-groups", Title: "Groups for the roles", Evidence: plural(len(f.Delegation.Groups), "group") + " of the twelve are there"}
	if u, unread := f.unread(PartRoleGroups); unread {
		c.State, c.Blocks, c.SignIn, c.Evidence, c.Fix = Failed, true, true, "The groups could not be read: "+lowerFirst(u.Why), u.Fix
		return c
	}
	p := Plan{want: desire(a, f), findings: f, options: o}
	if why := p.groupsBlocked(); why != "" {
		c.State, c.Blocks, c.Answer, c.Evidence = Failed, true, "gdap.groupName", UpperFirst(why)
		c.Fix = "Rename or delete one of these groups, or have the setup use other names (gdap.groupName)."
	}
	return c
}

// someOf names the first few of a list, and manyOf the first of a list that a person
// has to go through.
func someOf(list []string) string { return firstOf(list, 3) }
func manyOf(list []string) string { return firstOf(list, 30) }

func firstOf(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// gdapNotes says what a person should know of the relationships there are.
func (p *Plan) gdapNotes(by map[string][]*Relationship, roles []string) {
	var theirs, powerful, overlapping, ending, anew, several, undone, drafts, second, dead []string
	for _, c := range p.findings.Delegation.Customers {
		chosen, active := p.findings.Delegation.best(by[c.TenantID], roles), 0
		if chosen == nil && lacking(by[c.TenantID], roles) != nil {
			second = append(second, c.Name)
		}
		for _, r := range by[c.TenantID] {
			live := r.Status == RelationActive
			if r.Foreign {
				drafts = append(drafts, c.Name)
			}
			if p.leavesDead(r) {
				dead = append(dead, c.Name)
			}
			switch {
			case live && r.Microsofts():
				theirs = append(theirs, c.Name)
				continue
			case live && containsFold(r.Roles, catalog.RoleGlobalAdministrator):
				powerful = append(powerful, c.Name)
			case r.Undone && chosen == nil:
				undone = append(undone, c.Name)
			case r.over() && chosen == nil && contains(r.Roles, roles):
				several = append(several, c.Name)
			}
			if live {
				active++
			}
			if live && r != chosen && common(r.Roles, roles) {
				overlapping = append(overlapping, c.Name)
			}
		}
		switch {
		case chosen == nil && active > 0:
			anew = append(anew, c.Name)
		case chosen != nil && p.endsSoon(chosen) && (!p.want.answers.GDAP.AutoExtend || containsFold(chosen.Roles, catalog.RoleGlobalAdministrator)):
			ending = append(ending, c.Name+" ("+chosen.Ends.Format(time.DateOnly)+")")
		}
	}
	p.groupNotes(roles)
	for n, names := range [][]string{anew, second, drafts, dead, several, undone, theirs, overlapping, powerful, ending} {
		if names = slices.Compact(names); len(names) > 0 {
			p.note("%s: %s. %s", plural(len(names), "customer"), someOf(names), relationNotes[n])
		}
	}
}

// relationNotes say what is to be known of the relationships with some customers, in
// the order of gdapNotes. They are of the plan, and of what was read back as well:
// they say what there is, and promise nothing.
var relationNotes = [...]string{
	"A role cannot be added to a relationship: it takes another one beside the one there is, to be approved again.",
	"An invitation that lacks roles waits there already. It takes a second one: have the newer one approved, and leave the older one, which lapses by itself.",
	"The draft of a relationship is there that somebody else began, or that has other roles. It is left as it is: opened for approval nobody could change it any more.",
	"A group that is gone still has roles there, which this program did not give it. That is left as it is, and does no harm.",
	"The relationship there was declined, lapsed or was ended, and cannot be revived: it takes one of another name. Ask first what happened.",
	"The relationship there was ended here, by 'msbundle undo', and cannot be revived: it takes one of another name.",
	"A relationship is there that Microsoft made (MLT_). It is left as it is.",
	"Another active relationship with some of the same roles stands beside. It is left as it is; the vendor warns that such roles can get in the way of consent.",
	"A relationship there has Global Administrator among its roles. It cannot be extended automatically, and nothing here needs that role.",
	"The relationship ends soon and is not extended automatically. What Rewst does there ends with it.",
}

// leavesDead tells whether a group that is gone has roles of a relationship that
// this program did not give it.
func (p *Plan) leavesDead(r *Relationship) bool {
	d := p.findings.Delegation
	return slices.ContainsFunc(r.Access, func(x Access) bool {
		return d.gone[strings.ToLower(x.Group)] && !d.given[x.ID] && x.Status != accessDeleting && x.Status != accessDeleted
	})
}
