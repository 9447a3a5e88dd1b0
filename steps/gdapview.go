package steps

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

// CustomerView is what there is with a customer, and what the answers lead to.
type CustomerView struct {
	Customer
	Status   CheckState // Passed: nothing is missing; Unknown: the customer is waited for
	State    string     // of the relationship, in words
	Proposal string     // what the plan has for the customer
	Lacks    []string   // names of the roles that the relationship does not carry
	More     []string   // other relationships with the customer, in words
	Name     string     // of the relationship there is; empty for none
	NewName  string     // of the relationship proposed; empty for none
}

// The checks of this stage that a question of the wizard can mend.
const (
	CheckDelegate  = "gdap-account"
	CheckCustomers = "gdap-customers"

	CheckRelationships = "gdap" // whether relationships can be seen here at all
)

// Choosing is what was found, with the customers the answers choose among those it
// has. Customers of a file are left as they were read.
func (f *Findings) Choosing(g state.GDAP) *Findings {
	if f.Delegation == nil || g.All || g.File != "" {
		return f
	}
	d, out := *f.Delegation, *f
	d.Customers, d.Unknown = nil, nil
	wanted := map[string]bool{}
	for _, c := range g.Customers {
		wanted[strings.ToLower(c)] = true
	}
	known := map[string]bool{}
	for _, c := range f.Delegation.Customers {
		id, domain := strings.ToLower(c.TenantID), strings.ToLower(c.Domain)
		if wanted[id] || c.Domain != "" && wanted[domain] {
			d.Customers = append(d.Customers, c)
			known[id], known[domain] = true, true
		}
	}
	for _, name := range g.Customers {
		if !known[strings.ToLower(name)] {
			d.Unknown = append(d.Unknown, name)
		}
	}
	out.Delegation = &d
	return &out
}

// CustomerViews are the customers that were found, those first where something is
// to be done.
func CustomerViews(a state.Answers, f *Findings) []CustomerView {
	d := f.Delegation
	if d == nil || a.GDAP == nil {
		return nil
	}
	known, of := *d, *f // what nobody knows keeps nothing from being proposed to the others
	known.Unknown, of.Delegation = nil, &known
	plan := MakePlan(a, &of, PlanOptions{Stage: StageGDAP})
	changes := map[string][]Change{}
	for _, c := range plan.Changes {
		if tenant := c.Customer; tenant != "" {
			changes[tenant] = append(changes[tenant], c)
		}
	}
	by, roles := d.byCustomer(), a.GDAP.RoleIDs()
	out := make([]CustomerView, len(d.Customers))
	for n, c := range d.Customers {
		all := by[c.TenantID]
		out[n] = viewOf(c, cmp.Or(d.best(all, roles), nearest(all, roles)), all, changes[c.TenantID], roles)
	}
	sortStably(out, func(a, b CustomerView) int {
		if n := viewRank[a.Status] - viewRank[b.Status]; n != 0 {
			return n
		}
		return strings.Compare(strings.ToLower(a.Customer.Name), strings.ToLower(b.Customer.Name))
	})
	return out
}

var viewRank = map[CheckState]int{Failed: 0, Warned: 1, Unknown: 2, Passed: 3}

// nearest is the relationship among a customer's that comes nearest to serving, where
// none does.
func nearest(all []*Relationship, roles []string) *Relationship {
	var out *Relationship
	for _, r := range all {
		if out == nil || viewWeight(r, roles) > viewWeight(out, roles) {
			out = r
		}
	}
	return out
}

// viewOf puts a customer's state and proposal into words; best is the one of all
// relationships with the customer that they are about.
func viewOf(c Customer, best *Relationship, all []*Relationship, changes []Change, roles []string) CustomerView {
	v := CustomerView{Customer: c, Status: Failed, State: "no relationship"}
	if best != nil {
		v.Name = best.Name
		v.Status, v.State = relationWords(best, roles)
		if !best.over() {
			v.Lacks = best.lacks(roles)
		}
	}
	for _, r := range all {
		if r != best {
			_, words := relationWords(r, roles)
			v.More = append(v.More, fmt.Sprintf("%s: %s", r.Name, words))
		}
	}
	given, later := 0, 0
	var does []string
	for _, ch := range changes {
		switch {
		case ch.Kind == KindRelationship && ch.Action == Create:
			v.NewName = ch.Name
			does = append(does, "a new relationship")
		case ch.Kind == KindLock && !slices.Contains(does, "a new relationship"):
			does = append(does, "open it for approval")
		case ch.Kind == KindExtension:
			does = append(does, "extend it")
			v.Status = Warned
		case ch.Kind == KindAccess && ch.After != "":
			later++
		case ch.Kind == KindAccess:
			given++
		}
	}
	if given > 0 {
		does = append(does, "give "+plural(given, "role"))
	}
	switch {
	case given > 0 && v.Status == Passed:
		v.Status, v.State = Warned, fmt.Sprintf("active, %s not given", plural(given, "role"))
	case len(does) == 0 && later > 0:
		does = append(does, "wait for the approval")
	case len(does) == 0:
		does = append(does, "nothing")
	}
	v.Proposal = strings.Join(does, ", ")
	return v
}

// viewWeight orders the relationships with a customer: what serves comes first.
func viewWeight(r *Relationship, roles []string) int {
	weight := map[string]int{
		RelationActive: 40, RelationStarting: 35, RelationApproved: 30, RelationPending: 25, RelationCreated: 20,
	}[r.Status]
	if !contains(r.Roles, roles) {
		weight /= 4
	}
	if r.Microsofts() || r.Foreign {
		weight /= 2
	}
	return weight
}

// relationWords say how a relationship stands.
func relationWords(r *Relationship, roles []string) (CheckState, string) {
	missing := len(r.lacks(roles))
	lacks := ", lacks " + plural(missing, "role")
	if missing == 0 {
		lacks = ""
	}
	switch r.Status {
	case RelationActive:
		switch {
		case r.Microsofts():
			return Failed, "only Microsoft's own" + lacks
		case missing > 0:
			return Failed, "active" + lacks
		case r.AutoExtend || r.Ends.IsZero():
			return Passed, "active"
		}
		return Passed, "active until " + dateOf(r.Ends)
	case RelationPending:
		if missing > 0 {
			return Failed, "waits for approval" + lacks
		}
		return Unknown, "waits for approval"
	case RelationApproved, RelationStarting:
		return Unknown, "approved, being set up" + lacks
	case RelationCreated:
		if r.Foreign {
			return Failed, "a draft that is not this setup's"
		}
		return Warned, "not sent yet" + lacks
	}
	words := map[string]string{
		"expired": "has ended", "expiring": "is ending", "terminated": "was ended", "terminating": "is being ended", "terminationRequested": "is being ended",
	}[r.Status]
	switch {
	case r.Undone:
		words = "was ended here, by 'msbundle undo'"
	case words == "":
		words = r.Status
	}
	return Failed, words
}

// RelationshipName is what the relationship with a customer would be called, with
// the others that were found in mind; customer is an example where there is none.
func RelationshipName(g state.GDAP, f *Findings) (customer, name string) {
	list, taken := []Customer{{TenantID: "00000000-0000-0000-0000-000000000000", Name: "Fabrikam"}}, map[string]bool{}
	if f != nil && f.Delegation != nil && len(f.Delegation.Customers) > 0 {
		list = f.Delegation.Customers
		for _, r := range f.Delegation.Relationships {
			taken[strings.ToLower(r.Name)] = true
		}
	}
	names := relationshipNames(g.RelationshipName, list, taken)
	at := slices.IndexFunc(list, func(c Customer) bool { return c.Name != "" })
	c := list[max(at, 0)]
	return c.Name, names[c.TenantID]
}

// GroupName is what the group of a role would be called.
func GroupName(g state.GDAP, role catalog.Role) string { return groupName(g.GroupName, role.Name) }

// Meaning is what an id stands for.
type Meaning struct{ ID, Name string }

// anyID is what stands in requests for objects: a relationship's is made of two, and
// what is not there yet has the name of a reference.
var anyID = regexp.MustCompile(`\$\{[^${} ]+\}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?:-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?`)

// Meanings say what the ids in a change's request stand for, as far as that is
// known, in the order in which they stand there.
func (p Plan) Meanings(c Change) []Meaning {
	if p.findings == nil || p.findings.Delegation == nil {
		return nil
	}
	var out []Meaning
	for _, id := range anyID.FindAllString(c.Path+" "+string(c.Body)+" "+string(c.Before), -1) {
		name := p.meaning(id)
		if name != "" && !slices.ContainsFunc(out, func(m Meaning) bool { return m.ID == id }) {
			out = append(out, Meaning{id, name})
		}
	}
	return out
}

// meaning is what one id stands for; empty when it is not known. A plan can be of
// very many customers.
func (p Plan) meaning(id string) string {
	d := p.findings.Delegation
	if name, isRef := strings.CutPrefix(id, "${"); isRef {
		name = strings.TrimSuffix(name, ".id}")
		for i := range p.Changes {
			if p.Changes[i].Binds == name {
				return p.Changes[i].Object + ", which this plan makes"
			}
		}
		return ""
	}
	if r := catalog.RoleByID(strings.ToLower(id)); r.Name != r.TemplateID {
		return "role " + r.Name
	}
	for _, g := range d.Groups {
		if strings.EqualFold(g.ID, id) {
			return fmt.Sprintf("group %q", g.Name)
		}
	}
	if i := slices.IndexFunc(d.Relationships, func(r Relationship) bool { return strings.EqualFold(r.ID, id) }); i >= 0 {
		return fmt.Sprintf("relationship %q", d.Relationships[i].Name)
	}
	if i := slices.IndexFunc(d.Customers, func(c Customer) bool { return strings.EqualFold(c.TenantID, id) }); i >= 0 {
		return "customer " + d.Customers[i].called()
	}
	if d.Account != "" && strings.EqualFold(d.Account, id) {
		return "account " + d.UPN
	}
	return ""
}
