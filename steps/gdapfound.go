package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// Delegation is what the partner's tenant holds of the delegated administration
// of its customers.
type Delegation struct {
	UPN           string
	Account       string                // object id of the service account; empty when there is none
	Disabled      bool                  // nobody can sign in with it
	Groups        map[string]*RoleGroup // by template id of the role each is for
	Customers     []Customer            // those the answers choose
	Relationships []Relationship        // with anybody
	Assignable    bool                  // groups that may hold roles can be made
	Unknown       []string              // of the answers: customers nobody knows
	Contracts     int                   // customers of the partner
	gone          map[string]bool       // ids of groups that have roles and are not there any more
	given         map[string]bool       // ids of the assignments that this program made
	candidates    map[string][]*RoleGroup
	unfit         map[string]string // why a group cannot serve, by its name in small letters
	contracts     []wireContract
	delegated     []wireDelegated
	listed        []state.CustomerRow // of the file
	approval      func(string) string // where a rehearsal has the page of an invitation; nil in earnest
	rehearsal     bool
	failed        error // what a part could not be read for, when that is no refusal
}

// Customer is an organisation the partner may administer.
type Customer struct {
	TenantID string
	Name     string
	Domain   string
}

// Relationship is delegated administration one customer granted, or was asked for.
type Relationship struct {
	ID         string
	Name       string
	Status     string
	Tenant     string // of the customer; empty when whoever opens the link may accept
	Customer   string // its name
	Roles      []string
	Created    time.Time
	Ends       time.Time
	AutoExtend bool
	Foreign    bool // a draft that this program did not begin, or begun with other roles
	ETag       string
	Access     []Access // nil when it is not active
	Undone     bool     // this program ended it, as the journal says
	Raw        json.RawMessage
}

// Microsofts tells whether Microsoft made the relationship when it moved partners
// to this kind of administration.
func (r Relationship) Microsofts() bool { return strings.HasPrefix(r.Name, "MLT_") }

// Access is what one group has of a relationship.
type Access struct {
	ID     string
	Group  string // object id
	Status string // pending, active, ...
	Roles  []string
	ETag   string
}

// States of a relationship.
// https://learn.microsoft.com/graph/api/resources/delegatedadminrelationship
const (
	RelationCreated  = "created"
	RelationPending  = "approvalPending"
	RelationApproved = "approved"
	RelationStarting = "activating"
	RelationActive   = "active"
)

// States of what a group has of a relationship.
// https://learn.microsoft.com/graph/api/resources/delegatedadminaccessassignment
const (
	accessPending  = "pending"
	accessActive   = "active"
	accessDeleting = "deleting"
	accessDeleted  = "deleted"
	accessFailed   = "error"
)

const (
	contracts     = "/v1.0/contracts"
	delegated     = "/v1.0/tenantRelationships/delegatedAdminCustomers"
	relationships = "/v1.0/tenantRelationships/delegatedAdminRelationships"
	groups        = "/v1.0/groups"
)

// offersDelegation tells whether a cloud has delegated administration of
// customers.
// https://learn.microsoft.com/partner-center/customers/gdap-introduction
func offersDelegation(c catalog.Cloud) bool { return c.Vendor }

// unreadDelegation keeps a refusal from failing the whole inspection: a check
// tells of it.
func unreadDelegation(f *Findings, part Part, needs string, bad *error) func(error) {
	return func(err error) {
		why, refused := delegationRefused(err)
		switch {
		case !refused:
			*bad = err
			return
		case part != PartDelegation:
			why = whyUnread(err, needs)
		}
		f.Unread[part] = why
	}
}

// delegationReadings read what does not depend on another answer.
func (s *Setup) delegationReadings(a state.Answers, f *Findings) []reading {
	if a.GDAP == nil {
		return nil
	}
	d := &Delegation{Groups: map[string]*RoleGroup{}, gone: map[string]bool{}, candidates: map[string][]*RoleGroup{}, unfit: map[string]string{}, approval: s.approval, rehearsal: s.rehearsal}
	f.Delegation = d
	if !offersDelegation(f.Cloud) {
		return nil // its addresses are not even there
	}
	ofDelegation := unreadDelegation(f, PartDelegation, "", &d.failed)
	round := []reading{
		s.plansReading(f),
		{path: query("/v1.0/domains", "$select", "id,isDefault,isInitial,isVerified,authenticationType"), take: takePage(s, func(list []wireDomain) error {
			var domains []Domain
			for _, w := range list {
				domains = append(domains, w.domain())
			}
			section := state.ServiceAccount{Username: a.GDAP.Account}
			if a.ServiceAccount != nil {
				section.Username = a.ServiceAccount.Username
			}
			d.UPN, _ = accountName(section, domains)
			return nil
		})},
		{path: query(contracts, "$select", "customerId,displayName,defaultDomainName", "$top", "999"), take: takePage(s, func(list []wireContract) error {
			d.contracts, d.Contracts = list, len(list)
			return nil
		}), unread: unreadDelegation(f, PartContracts, "the permission Directory.Read.All and a member of the tenant", &d.failed)},
		{path: query(delegated, "$top", "300"), take: takePage(s, func(list []wireDelegated) error {
			d.delegated = list
			return nil
		}), unread: ofDelegation},
		{path: query(relationships, "$top", "300"), take: takePage(s, func(list []json.RawMessage) error {
			var err error
			d.Relationships, err = relationshipsOf(list)
			return err
		}), unread: ofDelegation},
	}
	return append(round, s.groupReadings(a, f)...)
}

// delegationAccountReadings read what takes the answers of the first round.
func (s *Setup) delegationAccountReadings(a state.Answers, f *Findings) []reading {
	d := f.Delegation
	if d == nil || !offersDelegation(f.Cloud) {
		return nil
	}
	s.markDrafts(*a.GDAP, d)
	d.Customers, d.Unknown = chosenCustomers(*a.GDAP, d)
	d.Assignable = slices.Contains(f.Plans, "AAD_PREMIUM") || slices.Contains(f.Plans, "AAD_PREMIUM_P2")
	var round []reading
	if d.UPN != "" {
		round = append(round, reading{
			path:   query(users+"/"+pathName(d.UPN), "$select", userFields),
			take:   takeOne(func(w wireAccount, _ json.RawMessage) { d.Account, d.Disabled = w.ID, !w.Enabled }),
			absent: func() {},
		})
	}
	return append(round, s.memberReadings(d)...)
}

// listedCustomers are the customers of the file the answers name.
func listedCustomers(a state.Answers) ([]state.CustomerRow, error) {
	if a.GDAP == nil || a.GDAP.File == "" {
		return nil, nil
	}
	rows, err := state.LoadCustomers(a.GDAP.File)
	return rows, problem(err, "the file with the customers cannot be used")
}

// lookDelegation reads who has which role through the active relationships: one
// row of a batch each.
func (s *Setup) lookDelegation(ctx context.Context, f *Findings) error {
	d := f.Delegation
	if d == nil || !offersDelegation(f.Cloud) {
		return nil
	}
	if _, unread := f.unread(PartDelegation); unread {
		return nil
	}
	s.markUndone(d)
	chosen := map[string]bool{}
	for _, c := range d.Customers {
		chosen[c.TenantID] = true
	}
	var bad error
	var round []reading
	for i := range d.Relationships {
		r := &d.Relationships[i]
		if r.Status == RelationActive && chosen[r.Tenant] && !r.Microsofts() {
			round = append(round, sparing(s.accessReading(r), &bad))
		}
	}
	if err := cmp.Or(s.readAll(ctx, round), bad); err != nil {
		return err
	}
	d.chooseGroups()
	if err := s.readAll(ctx, d.strangers()); err != nil {
		return err
	}
	d.given = map[string]bool{}
	for _, e := range s.store.Entries() {
		if e.What == string(KindAccess) && e.Action == string(Add) && e.Outcome.Kind == state.RecordReceipt && !e.Outcome.There {
			d.given[e.Outcome.Refs["id"]] = true
		}
	}
	return s.closeDelegation(f)
}

// markDrafts tells the drafts of relationships that are ours from those somebody
// else is at work on: nobody could change one any more once it is opened for
// approval. Ours is what the journal knows, or what has a name of ours; and it has
// exactly the roles that are wanted.
func (s *Setup) markDrafts(g state.GDAP, d *Delegation) {
	ours := map[string]bool{} // by id, or by name where the answer was lost
	for _, e := range s.store.Entries() {
		switch {
		case e.What != string(KindRelationship) || e.Action != string(Create) || e.Undone:
		case e.Open():
			ours[strings.ToLower(e.Name)] = true
		default:
			ours[refID(e.Outcome.Refs, "relation.")] = true
		}
	}
	delete(ours, "") // of a write that came to nothing
	roles := g.RoleIDs()
	for i := range d.Relationships {
		r := &d.Relationships[i]
		if r.Status != RelationCreated {
			continue
		}
		began := ours[r.ID] || ours[strings.ToLower(r.Name)] || nameOf(g.RelationshipName, Customer{TenantID: r.Tenant, Name: r.Customer}, r.Name)
		r.Foreign = !(began && sameSet(r.Roles, roles))
	}
}

// mostStrangers is how many groups that have roles and are not among ours are
// looked at: a partner has a few sets of them, however many customers.
const mostStrangers = 40

// strangers read whether the groups that have roles and are not ours are still
// there.
func (d *Delegation) strangers() []reading {
	ours := map[string]bool{}
	for _, g := range d.Groups {
		ours[strings.ToLower(g.ID)] = true
	}
	var round []reading
	for _, r := range d.Relationships {
		for _, x := range r.Access {
			id := strings.ToLower(x.Group)
			if ours[id] || x.Status == accessDeleting || x.Status == accessDeleted || len(round) == mostStrangers {
				continue
			}
			ours[id] = true
			round = append(round, reading{
				path: query(groups+"/"+id, "$select", "id"), absent: func() { d.gone[id] = true },
				take: func(context.Context, *msclient.Response) error { return nil }, unread: func(error) {},
			})
		}
	}
	return round
}

func (s *Setup) accessReading(r *Relationship) reading {
	return reading{
		path: relationships + "/" + r.ID + "/accessAssignments",
		take: takePage(s, func(list []wireAccess) error {
			r.Access = []Access{}
			for _, w := range list {
				r.Access = append(r.Access, w.access())
			}
			return nil
		}),
	}
}

// chosenCustomers are those the answers choose among the partner's, and what of
// the answers nobody knows. Who gave the partner a relationship is a customer even
// where the directory's list lacks it; one that is over makes nobody one of all.
func chosenCustomers(g state.GDAP, d *Delegation) (chosen []Customer, unknown []string) {
	all, wanted := map[string]Customer{}, map[string]bool{}
	domains := map[string]string{}
	know := func(c Customer, now bool) {
		c.TenantID = strings.ToLower(c.TenantID)
		if c.TenantID == "" {
			return
		}
		known := all[c.TenantID]
		all[c.TenantID] = Customer{c.TenantID, cmp.Or(strings.TrimSpace(known.Name), c.Name), cmp.Or(known.Domain, c.Domain)}
		if c.Domain != "" {
			domains[strings.ToLower(c.Domain)] = c.TenantID
		}
		if g.All && now {
			wanted[c.TenantID] = true
		}
	}
	for _, w := range d.contracts {
		know(Customer{w.CustomerID, w.Name, w.Domain}, true)
	}
	for _, w := range d.delegated {
		know(Customer{TenantID: w.TenantID, Name: w.Name}, true)
	}
	for _, r := range d.Relationships {
		know(Customer{TenantID: r.Tenant, Name: r.Customer}, !r.over() && !r.Foreign)
	}
	want := func(tenant, domain string) bool {
		id := cmp.Or(strings.ToLower(tenant), domains[strings.ToLower(domain)])
		_, known := all[id]
		wanted[id] = wanted[id] || known
		return known
	}
	for _, text := range g.Customers {
		known := false
		if state.IsGUID(text) {
			known = want(text, "")
		} else {
			known = want("", text)
		}
		if !known {
			unknown = append(unknown, text)
		}
	}
	for _, row := range d.listed {
		if row.TenantID == "" && domains[strings.ToLower(row.Domain)] == "" {
			row.TenantID = withoutDomain(all, row.Name)
		}
		if id := domains[strings.ToLower(row.Domain)]; row.TenantID != "" && id != "" && !strings.EqualFold(id, row.TenantID) {
			unknown = append(unknown, fmt.Sprintf("%s with %s, the domain of %s (line %d)", row.TenantID, row.Domain, cmp.Or(all[id].Name, id), row.Line))
			continue
		}
		if !want(row.TenantID, row.Domain) {
			unknown = append(unknown, fmt.Sprintf("%s (line %d)", cmp.Or(row.TenantID, row.Domain), row.Line))
			continue
		}
		know(Customer{cmp.Or(row.TenantID, domains[strings.ToLower(row.Domain)]), row.Name, row.Domain}, false)
	}
	for id, c := range all {
		if wanted[id] {
			chosen = append(chosen, c)
		}
	}
	sortStably(chosen, func(a, b Customer) int { return strings.Compare(a.TenantID, b.TenantID) })
	return chosen, unknown
}

// withoutDomain finds the one customer of a name among those whose domain is not
// known: a relationship tells the name alone.
func withoutDomain(all map[string]Customer, name string) string {
	found := ""
	for id, c := range all {
		if c.Domain != "" || strings.TrimSpace(name) == "" || !strings.EqualFold(strings.TrimSpace(c.Name), strings.TrimSpace(name)) {
			continue
		}
		if found != "" {
			return ""
		}
		found = id
	}
	return found
}

type wireDelegated struct {
	TenantID string `json:"tenantId"`
	Name     string `json:"displayName"`
}

type wireContract struct {
	CustomerID string `json:"customerId"`
	Name       string `json:"displayName"`
	Domain     string `json:"defaultDomainName"`
}

type wireRoles struct {
	Roles []struct {
		ID string `json:"roleDefinitionId"`
	} `json:"unifiedRoles"`
}

func (w wireRoles) ids() []string {
	var out []string
	for _, r := range w.Roles {
		out = append(out, r.ID)
	}
	return out
}

type wireRelationship struct {
	ID       string `json:"id"`
	ETag     string `json:"@odata.etag"`
	Name     string `json:"displayName"`
	Status   string `json:"status"`
	Customer struct {
		TenantID string `json:"tenantId"`
		Name     string `json:"displayName"`
	} `json:"customer"`
	Access     wireRoles `json:"accessDetails"`
	Created    time.Time `json:"createdDateTime"`
	Activated  time.Time `json:"activatedDateTime"`
	Ends       time.Time `json:"endDateTime"`
	AutoExtend string    `json:"autoExtendDuration"`
}

func relationshipsOf(list []json.RawMessage) ([]Relationship, error) {
	var out []Relationship
	for _, raw := range list {
		var w wireRelationship
		if err := json.Unmarshal(raw, &w); err != nil {
			return nil, err
		}
		extends, known := parseISODuration(w.AutoExtend)
		out = append(out, Relationship{
			ID: w.ID, Name: w.Name, Status: w.Status, Tenant: strings.ToLower(w.Customer.TenantID), Customer: w.Customer.Name, Roles: w.Access.ids(),
			Created: w.Created, Ends: w.Ends, AutoExtend: known && extends > 0, ETag: w.ETag, Raw: raw,
		})
	}
	return out, nil
}

type wireAccess struct {
	ID        string `json:"id"`
	ETag      string `json:"@odata.etag"`
	Status    string `json:"status"`
	Container struct {
		ID string `json:"accessContainerId"`
	} `json:"accessContainer"`
	Access wireRoles `json:"accessDetails"`
}

func (w wireAccess) access() Access {
	return Access{ID: w.ID, Group: w.Container.ID, Status: w.Status, Roles: w.Access.ids(), ETag: w.ETag}
}
