package steps

import (
	"cmp"
	"context"
	"encoding/json"
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
	Groups        map[string]*RoleGroup // by template id of the role each is for
	Customers     []Customer            // those the answers choose
	Relationships []Relationship        // with anybody
	Assignable    bool                  // groups that may hold roles can be made
	Unknown       []string              // of the answers: customers nobody knows
	Contracts     int                   // customers of the partner
	gone          map[string]bool       // ids of groups that have roles and are not there any more
	contracts     []wireContract
	listed        []state.CustomerRow // of the file
	failed        error               // what a part could not be read for, when that is no refusal
}

// RoleGroup is the group whose members get a role at customers.
type RoleGroup struct {
	ID         string
	Name       string
	Assignable bool
	Account    bool // the service account is a member
	Members    int
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
	ETag       string
	Access     []Access // nil when it is not active
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
	relationships = "/v1.0/tenantRelationships/delegatedAdminRelationships"
	groups        = "/v1.0/groups"

	roleGroupFields = "id,displayName,isAssignableToRole,securityEnabled"
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
	d := &Delegation{Groups: map[string]*RoleGroup{}, gone: map[string]bool{}}
	f.Delegation = d
	if !offersDelegation(f.Cloud) {
		return nil // its addresses are not even there
	}
	prefix, _, _ := strings.Cut(a.GDAP.GroupName, "{role}")
	prefix = strings.TrimRight(prefix, " -–")
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
		{path: query(relationships, "$top", "300"), take: takePage(s, func(list []json.RawMessage) error {
			var err error
			d.Relationships, err = relationshipsOf(list)
			return err
		}), unread: unreadDelegation(f, PartDelegation, "", &d.failed)},
	}
	if prefix != "" {
		round = append(round, reading{
			path:   query(groups, "$filter", "startswith(displayName,"+quote(prefix)+")", "$select", roleGroupFields, "$top", "999"),
			unread: unreadDelegation(f, PartRoleGroups, "the permission Group.Read.All or Directory.Read.All", &d.failed),
			take: takePage(s, func(list []wireRoleGroup) error {
				for _, w := range list {
					role, known := groupRole(a.GDAP.GroupName, w.Name)
					had := d.Groups[role.TemplateID]
					exact := known && strings.EqualFold(w.Name, groupName(a.GDAP.GroupName, role.Name))
					if known && w.SecurityEnabled && (had == nil || exact) {
						d.Groups[role.TemplateID] = &RoleGroup{ID: w.ID, Name: w.Name, Assignable: w.Assignable}
					}
				}
				return nil
			}),
		})
	}
	return round
}

// delegationAccountReadings read what takes the answers of the first round.
func (s *Setup) delegationAccountReadings(a state.Answers, f *Findings) []reading {
	d := f.Delegation
	if d == nil || !offersDelegation(f.Cloud) {
		return nil
	}
	d.Customers, d.Unknown = chosenCustomers(*a.GDAP, d)
	d.Assignable = slices.Contains(f.Plans, "AAD_PREMIUM") || slices.Contains(f.Plans, "AAD_PREMIUM_P2")
	var round []reading
	if d.UPN != "" {
		round = append(round, reading{
			path:   query(users+"/"+pathName(d.UPN), "$select", userFields),
			take:   takeOne(func(w wireAccount, _ json.RawMessage) { d.Account = w.ID }),
			absent: func() {},
		})
	}
	for _, role := range catalog.ServiceRoles() {
		g := d.Groups[role.TemplateID]
		if g == nil {
			continue
		}
		round = append(round, reading{
			path: query(groups+"/"+g.ID+"/members", "$select", "id", "$top", "999"),
			take: takePage(s, func(list []wireID) error {
				g.Members = len(list)
				g.Account = slices.ContainsFunc(list, func(w wireID) bool { return w.ID == d.Account && d.Account != "" })
				return nil
			}),
			absent: func() {},
		})
	}
	return round
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
	chosen := map[string]bool{}
	for _, c := range d.Customers {
		chosen[c.TenantID] = true
	}
	var round []reading
	for i := range d.Relationships {
		r := &d.Relationships[i]
		if r.Status == RelationActive && chosen[r.Tenant] && !r.Microsofts() {
			round = append(round, s.accessReading(r))
		}
	}
	if err := s.readAll(ctx, round); err != nil {
		return err
	}
	if err := s.readAll(ctx, d.strangers()); err != nil {
		return err
	}
	return s.closeDelegation(f)
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
// where the directory's list lacks it.
func chosenCustomers(g state.GDAP, d *Delegation) (chosen []Customer, unknown []string) {
	all := map[string]Customer{}
	domains := map[string]string{}
	for _, w := range d.contracts {
		c := Customer{strings.ToLower(w.CustomerID), w.Name, w.Domain}
		if _, twice := all[c.TenantID]; !twice {
			all[c.TenantID], domains[strings.ToLower(c.Domain)] = c, c.TenantID
		}
	}
	for _, r := range d.Relationships {
		if _, known := all[r.Tenant]; !known && r.Tenant != "" && !g.All {
			all[r.Tenant] = Customer{TenantID: r.Tenant, Name: r.Customer}
		}
	}
	wanted := map[string]bool{}
	want := func(tenant, domain, name string) {
		id := strings.ToLower(tenant)
		if id == "" {
			id = domains[strings.ToLower(domain)]
		}
		c, known := all[id]
		switch {
		case !known:
			unknown = append(unknown, cmp.Or(tenant, domain))
			return
		case strings.TrimSpace(c.Name) == "":
			c.Name = name
			all[id] = c
		}
		wanted[id] = true
	}
	for _, text := range g.Customers {
		if state.IsGUID(text) {
			want(text, "", "")
		} else {
			want("", text, "")
		}
	}
	for _, row := range d.listed {
		want(row.TenantID, row.Domain, row.Name)
	}
	for id, c := range all {
		if g.All || wanted[id] {
			chosen = append(chosen, c)
		}
	}
	slices.SortFunc(chosen, func(a, b Customer) int { return strings.Compare(a.TenantID, b.TenantID) })
	return chosen, unknown
}

type wireContract struct {
	CustomerID string `json:"customerId"`
	Name       string `json:"displayName"`
	Domain     string `json:"defaultDomainName"`
}

type wireRoleGroup struct {
	ID              string `json:"id"`
	Name            string `json:"displayName"`
	Assignable      bool   `json:"isAssignableToRole"`
	SecurityEnabled bool   `json:"securityEnabled"`
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
