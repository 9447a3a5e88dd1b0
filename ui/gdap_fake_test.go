package ui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/steps"
)

// customerID is the tenant id of a customer of the stories.
func customerID(n int) string { return fmt.Sprintf("cccccccc-0000-0000-0000-%012d", n) }

func relationID(n int) string {
	return fmt.Sprintf("dddddddd-0000-0000-0000-%012d-eeeeeeee-0000-0000-0000-%012d", n, n)
}

// fakeDelegation is a partner of six customers: without a relationship, with
// Microsoft's own, a good one, a poor one, one that waits, and an ended one.
func fakeDelegation() *steps.Delegation {
	d := &steps.Delegation{
		UPN: "rewst@contoso.onmicrosoft.com", Account: "99999999-0000-0000-0000-000000000001", Assignable: true, Groups: map[string]*steps.RoleGroup{},
	}
	var all []string
	var given []steps.Access
	for n, r := range catalog.ServiceRoles() {
		group := fmt.Sprintf("aaaaaaaa-1111-0000-0000-%012d", n)
		d.Groups[r.TemplateID] = &steps.RoleGroup{ID: group, Name: "Rewst GDAP-" + r.Name, Assignable: true, Account: true}
		all = append(all, r.TemplateID)
		given = append(given, steps.Access{ID: group, Group: group, Status: "active", Roles: []string{r.TemplateID}})
	}
	for n, name := range []string{"Adatum", "Fabrikam", "Northwind Traders", "Proseware", "Tailspin Toys", "Wingtip Toys"} {
		d.Customers = append(d.Customers, steps.Customer{TenantID: customerID(n), Name: name, Domain: strings.ToLower(strings.Fields(name)[0]) + ".example"})
	}
	add := func(customer int, name, status string, roles []string, access []steps.Access) {
		d.Relationships = append(d.Relationships, steps.Relationship{
			ID: relationID(customer), Name: name, Status: status, Tenant: customerID(customer), Roles: roles, Access: access,
			Created: epoch.AddDate(0, 0, -12), Ends: epoch.AddDate(1, 0, 0), AutoExtend: true,
		})
	}
	add(1, "MLT_1234_CONTOSO", steps.RelationActive, all[:4], nil)
	add(2, "CON - Northwind Traders", steps.RelationActive, all, given)
	add(3, "CON - Proseware", steps.RelationActive, all[:8], given[:8])
	add(4, "CON - Tailspin Toys", steps.RelationPending, all, nil)
	add(5, "CON - Wingtip Toys", "terminated", all, nil)
	return d
}

// manyCustomers are as many as a large partner has.
func manyCustomers(n int) func(*fake) {
	return func(f *fake) {
		d := fakeDelegation()
		for i := len(d.Customers); i < n; i++ {
			d.Customers = append(d.Customers, steps.Customer{TenantID: customerID(i), Name: fmt.Sprintf("Litware %04d", i), Domain: fmt.Sprintf("litware%04d.example", i)})
		}
		f.delegation = d
	}
}

// fakeInvitations are customers who have yet to approve.
func fakeInvitations(n int) []steps.Invitation {
	var out []steps.Invitation
	for i := range n {
		since := epoch.AddDate(0, 0, -3*(n-i)).Add(-time.Hour)
		out = append(out, steps.Invitation{
			Customer: steps.Customer{TenantID: customerID(i), Name: fmt.Sprintf("Litware %04d", i), Domain: fmt.Sprintf("litware%04d.example", i)},
			Name:     fmt.Sprintf("Rewst GDAP - Litware %04d", i), ID: relationID(i), Status: steps.RelationPending, Link: steps.InvitationLink(relationID(i)),
			Since: since, Until: since.AddDate(0, 0, 90), Roles: []string{catalog.ServiceRoles()[0].TemplateID},
		})
	}
	return out
}

// waits is an apply that has customers approve: at each step one of n fewer is
// waited for.
func approving(n int) func(*fake) {
	return func(f *fake) {
		f.step = make(chan struct{})
		for left := n; left >= 0; left-- {
			f.events = append(f.events, steps.Event{Kind: steps.EventInvitations, Invitations: fakeInvitations(n)[n-left:]})
			if left > 0 {
				f.events = append(f.events, steps.Event{Kind: steps.EventWaiting, At: epoch, Text: "Waiting for customers", Wait: &steps.Wait{
					For: "customers to approve", Usual: "hours to weeks", Since: epoch, Next: time.Minute, Then: "the groups get their roles",
				}})
			}
		}
		f.outcome = delegationResult(0)
	}
}

// failing is an apply that waits for customers and meanwhile fails with one.
func failing(f *fake) {
	list := fakeInvitations(3)
	failure := steps.CustomerFailure{Customer: list[2].Customer, Problem: &steps.Problem{
		What: "granting a role did not work", Cause: "There is no reseller relationship", Do: "Look in Partner Center", Err: errors.New("refused"),
	}}
	approving(3)(f)
	f.events = []steps.Event{
		f.events[0],
		{Kind: steps.EventNote, Text: "Litware 0002 failed", Failed: &failure},
		{Kind: steps.EventInvitations, Invitations: list[:2]},
		f.events[1], f.events[1],
	}
	f.outcome = delegationResult(1)
	f.outcome.Delegation.Failed = []steps.CustomerFailure{failure}
	f.enoughErr = &steps.CustomersFailed{
		Problem: steps.Problem{What: "1 customer failed: Litware 0002; and 1 customer did not approve yet"}, Customers: f.outcome.Delegation.Failed,
	}
}

// delegationResult is what the stage about customers led to, with some who have
// yet to approve.
func delegationResult(waiting int) *steps.Result {
	return &steps.Result{
		Account: fakeAccount(), Org: steps.Organization{ID: tenantID, Name: "Contoso", DefaultDomain: "contoso.onmicrosoft.com"},
		Written: 42, Proof: steps.Proof{Reads: 3, At: epoch},
		Delegation: &steps.DelegationResult{Customers: 6, Ready: 6 - waiting, Invitations: fakeInvitations(waiting)},
	}
}

// ExportInvitations, Remind and InvitationsDir note what they were asked for.
func (f *fake) ExportInvitations(dir, partner string, list []steps.Invitation) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exported = append(f.exported, fmt.Sprintf("%d of %s to %s", len(list), partner, dir))
	return dir + "/invitations.csv", f.exportErr
}

func (f *fake) Remind(list []steps.Invitation, at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range list {
		f.reminded = append(f.reminded, i.ID)
		if at.IsZero() {
			f.reminded = slices.DeleteFunc(f.reminded, func(id string) bool { return id == i.ID })
		}
	}
	return f.exportErr
}

func (f *fake) InvitationsDir() string { return "/home/alex/.local/state/msbundle/contoso/invitations" }

// narrowed has the fake find the delegation as the engine would.
func (f *fake) narrowed() *steps.Delegation {
	d := *f.delegation
	d.Relationships = slices.Clone(d.Relationships)
	return &d
}
