package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"msbundle/msclient"
	"msbundle/state"
)

const (
	firstPoll = 10 * time.Second
	slowPoll  = time.Minute
)

// Invitation is what a customer has to approve.
type Invitation struct {
	Customer Customer
	Name     string // of the relationship
	ID       string
	Status   string
	Link     string
	Since    time.Time // it waits
	Until    time.Time // it lapses
	Roles    []string
}

// invitationLapses is how long a customer can approve.
// https://learn.microsoft.com/partner-center/customers/gdap-obtain-admin-permissions-to-manage-customer
const invitationLapses = 90 * 24 * time.Hour

// InvitationLink is the page on which an administrator of the customer approves.
func InvitationLink(relationship string) string {
	return "https://admin.microsoft.com/AdminPortal/Home#/partners/invitation/granularAdminRelationships/" + url.PathEscape(relationship)
}

// Invitations are the relationships of the chosen customers that wait for their
// approval, the longest first.
func Invitations(a state.Answers, f *Findings) []Invitation {
	if f.Delegation == nil {
		return nil
	}
	p := Plan{want: desire(a, f), findings: f}
	roles := a.GDAP.RoleIDs()
	var out []Invitation
	for _, c := range f.Delegation.Customers {
		if r := p.chosen(c, roles); r != nil && r.Status != RelationActive && r.Status != RelationCreated {
			out = append(out, Invitation{
				Customer: c, Name: r.Name, ID: r.ID, Status: r.Status, Link: InvitationLink(r.ID), Since: r.Created, Until: r.Created.Add(invitationLapses), Roles: r.Roles,
			})
		}
	}
	slices.SortStableFunc(out, func(a, b Invitation) int { return a.Since.Compare(b.Since) })
	return out
}

// watch waits for customers to approve and then gives the groups their roles
// there, until nobody is waited for or the time is up. How much it reads depends
// on how many are waited for, not on how many are done.
func (e *engine) watch(ctx context.Context) error {
	later := map[string][]Change{} // by customer
	for _, c := range e.plan.Changes {
		if c.After != "" {
			later[c.After] = append(later[c.After], c)
		}
	}
	begun, pause := time.Now(), firstPoll
	for len(later) > 0 {
		ready, gone, err := e.approved(ctx, later)
		if err != nil {
			return err
		}
		var now []Change
		for _, tenant := range ready {
			now = append(now, later[tenant]...)
			delete(later, tenant)
		}
		for tenant, why := range gone {
			delete(later, tenant)
			e.tell(Event{Kind: EventNote, Text: why})
		}
		if err := e.carryOut(ctx, now); err != nil {
			return err
		}
		left := e.options.Wait - time.Since(begun)
		if len(later) == 0 || left <= 0 {
			break
		}
		if len(ready) > 0 {
			pause = firstPoll
		}
		e.tell(Event{Kind: EventWaiting, Text: "Waiting for customers", Wait: &Wait{
			For: plural(len(later), "customer") + " to approve", Usual: "hours to weeks; an invitation lapses after 90 days", Since: begun,
			Next: min(pause, left), Then: "the groups get their roles at whoever approved",
		}})
		if err := msclient.Sleep(ctx, min(pause, left)); err != nil {
			return err
		}
		pause = min(pause*3/2, slowPoll)
	}
	e.unapproved = len(later)
	return nil
}

// approved finds who of those waited for has approved, and with whom it came to
// nothing.
func (e *engine) approved(ctx context.Context, later map[string][]Change) (ready []string, gone map[string]string, err error) {
	gone = map[string]string{}
	waiting := map[string]bool{} // ids of relationships that are known to wait
	for raw, err := range msclient.List[json.RawMessage](ctx, e.graph, query(relationships, "$filter", "status eq 'approvalPending'", "$top", "300")) {
		if err != nil {
			return nil, nil, err
		}
		var w wireID
		if err := json.Unmarshal(raw, &w); err != nil {
			return nil, nil, err
		}
		waiting[w.ID] = true
	}
	ids := map[string]string{} // relationship by customer
	var round []reading
	for tenant, changes := range later {
		path := e.resolve(changes[0].Path)
		id := strings.Split(strings.TrimPrefix(path, relationships+"/"), "/")[0]
		if ids[tenant] = id; waiting[id] || strings.Contains(id, "${") {
			continue
		}
		round = append(round, reading{
			path: relationships + "/" + id,
			take: takeOne(func(w wireRelationship, _ json.RawMessage) {
				switch w.Status {
				case RelationActive:
					ready = append(ready, tenant)
				case RelationCreated, RelationPending, RelationApproved, RelationStarting:
				default:
					gone[tenant] = fmt.Sprintf("%s did not come about: the relationship %q is %s", w.Customer.Name, w.Name, w.Status)
				}
			}),
			absent: func() {}, // not shown yet
		})
	}
	if err := e.readAll(ctx, round); err != nil {
		return nil, nil, err
	}
	slices.Sort(ready)
	return ready, gone, nil
}

// adoptRelationship finds the relationship that a write of unknown outcome made.
func (e *engine) adoptRelationship(ctx context.Context, a attempt, refs map[string]string) error {
	for raw, err := range msclient.List[json.RawMessage](ctx, e.graph, query(relationships, "$top", "300")) {
		if err != nil {
			return problem(err, "the relationships could not be read")
		}
		list, err := relationshipsOf([]json.RawMessage{raw})
		if err != nil {
			return err
		}
		if r := list[0]; strings.EqualFold(r.Name, a.name) {
			e.bind(refs, a.Binds, r.ID, "")
			return nil
		}
	}
	return &Problem{What: fmt.Sprintf("the relationship %q is said to exist already, but cannot be read", a.name), Do: "Wait a few minutes, then try again.", Retry: true}
}

// lookForGroup looks for a group that a write may have made.
func (s *Setup) lookForGroup(ctx context.Context, intent state.Record) (map[string]string, error) {
	known := map[string]bool{}
	for _, e := range s.store.Entries() {
		known[e.Outcome.Refs["group"]] = true
	}
	address := query(groups, "$filter", "displayName eq "+quote(intent.Name), "$select", "id,createdDateTime")
	for w, err := range msclient.List[struct {
		ID      string    `json:"id"`
		Created time.Time `json:"createdDateTime"`
	}](ctx, s.graph, address) {
		if err != nil {
			return nil, err
		}
		if w.Created.After(intent.At.Add(-clockTolerance)) && !known[w.ID] {
			return map[string]string{"group": w.ID}, nil
		}
	}
	return nil, nil
}

// waitsForCustomers says that customers have to approve first.
func (e *engine) waitsForCustomers() error {
	if e.unapproved == 0 {
		return nil
	}
	return &Waiting{Problem{
		What: plural(e.unapproved, "customer") + " did not approve yet",
		Do:   "Send each the link; an administrator of the customer's own tenant has to open it and approve. Then run this again: it goes on by itself.", Retry: true,
		Err: errors.New("approval pending"),
	}}
}

// readDelegationBack reads anew what delegated administration is proven with.
func (e *engine) readDelegationBack(ctx context.Context, f *Findings) ([]string, error) {
	a := e.plan.Answers
	round := e.delegationReadings(a, f)
	f.Plans = e.plan.findings.Plans
	var ids []string
	remember := func(round []reading) []reading {
		for i := range round {
			r := &round[i]
			take := r.take
			r.take = func(ctx context.Context, res *msclient.Response) error {
				if !slices.Contains(ids, res.RequestID) {
					ids = append(ids, res.RequestID)
				}
				return take(ctx, res)
			}
			if r.absent == nil {
				r.absent = func() {}
			}
		}
		return round
	}
	if err := e.readAll(ctx, remember(round)); err != nil {
		return nil, err
	}
	if err := e.readAll(ctx, remember(e.delegationAccountReadings(a, f))); err != nil {
		return nil, err
	}
	return ids, e.lookDelegation(ctx, f)
}

// notInForce names an assignment that was made and does not serve yet.
func (p *Plan) notInForce() string {
	d := p.findings.Delegation
	roles := p.want.answers.GDAP.RoleIDs()
	for _, c := range d.Customers {
		r := p.chosen(c, roles)
		if r == nil || r.Status != RelationActive {
			continue
		}
		for _, x := range r.Access {
			if x.Status == "pending" {
				return "a role at " + c.Name + " is not in force yet"
			}
		}
	}
	return ""
}
