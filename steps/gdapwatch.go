package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

	longestPoll = time.Hour
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
	Reminded time.Time // last; zero when never
	Roles    []string
	Older    string // name of another one the customer has, in whose place this comes; empty for none

	Rehearsal bool // nobody is to get it
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
	roles, by := a.GDAP.RoleIDs(), f.Delegation.byCustomer()
	var out []Invitation
	for _, c := range f.Delegation.Customers {
		if r := f.Delegation.best(by[c.TenantID], roles); r != nil && r.Status != RelationActive && r.Status != RelationCreated {
			out = append(out, f.Delegation.invitation(c, *r, by[c.TenantID]))
		}
	}
	sortStably(out, func(a, b Invitation) int { return a.Since.Compare(b.Since) })
	return out
}

// watch waits for customers to approve and then gives the groups their roles
// there, until nobody is waited for or the time is up. How much it reads depends
// on how many are waited for, not on how many are done.
func (e *engine) watch(ctx context.Context) (err error) {
	later := map[string][]Change{}
	for _, c := range e.hopeful(e.plan.Changes) {
		if c.After != "" {
			later[c.After] = append(later[c.After], c)
		}
	}
	e.later, e.closed = later, map[string]time.Time{}
	if err := e.keepWaiting(); err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, e.keepWaiting()) }()
	begun, listed, pause := time.Now(), time.Time{}, firstPoll
	for len(later) > 0 {
		if listed.IsZero() || e.enough() || time.Since(listed) >= e.pace(begun, listed) {
			if err := e.readPending(ctx, later); err != nil {
				return err
			}
			listed = time.Now()
		}
		look, err := e.approved(ctx, later)
		if err != nil {
			return err
		}
		e.fail(look.failed...)
		var now []Change
		for _, tenant := range look.ready {
			now = append(now, later[tenant]...)
			delete(later, tenant)
		}
		for _, tenant := range slices.Sorted(maps.Keys(look.gone)) {
			end := look.gone[tenant]
			end.Customer = e.customerOf(later[tenant][0])
			delete(later, tenant)
			e.ended = append(e.ended, end)
			e.tell(Event{Kind: EventNote, Ended: &end, Text: fmt.Sprintf("%s did not come about: the relationship %q was not approved (%s)", end.Customer.called(), end.Relationship, end.How)})
		}
		sortStably(now, func(a, b Change) int { return gdapRank(a) - gdapRank(b) })
		if err := e.carryOut(ctx, now); err != nil {
			return err
		}
		e.invite(later)
		left := e.options.Wait - time.Since(begun)
		if len(later) == 0 || left <= 0 || e.enough() {
			break
		}
		next := e.pace(begun, listed) - time.Since(listed)
		if look.starting > 0 { // in a few minutes they are ready
			next = min(next, pause)
			pause = min(pause*3/2, slowPoll)
		} else {
			pause = firstPoll
		}
		next = min(max(next, time.Second), left)
		e.tell(Event{Kind: EventWaiting, Text: "Waiting for customers", Wait: &Wait{
			For: plural(len(later), "customer") + " to approve", Usual: "hours to weeks; an invitation lapses after 90 days", Since: begun,
			Next: next, Then: "the groups get their roles at whoever approved",
		}})
		wanted, err := e.pause(ctx, next)
		if err != nil {
			return err
		}
		if wanted { // by whoever watches, and at all of it
			listed, e.looks = time.Time{}, 0
		}
	}
	return nil
}

// pace is how long after one look at all that wait the next one is taken: a
// twentieth of the time waited so far. Somebody who watches sees within a minute
// or a few what happens; whoever is away for days does not need to.
func (e *engine) pace(begun, listed time.Time) time.Duration {
	return min(max(listed.Sub(begun)/20, firstPoll), longestPoll)
}

// fullLook is how many looks at how many wait stand in for one at which they are.
const fullLook = 10

// fewer tells whether others wait for approval than at the last look at them: as
// many are the same, unless one came as another one went, which a full look shows
// before long.
func (e *engine) fewer(ctx context.Context) (bool, error) {
	if e.looks++; e.looks%fullLook == 1 || e.waits == nil {
		return true, nil
	}
	page, err := msclient.Get[struct {
		Count int `json:"@odata.count"`
	}](ctx, e.graph, query(relationships, "$filter", "status eq 'approvalPending'", "$select", "id", "$count", "true", "$top", "1"))
	return page.Count != len(e.waits), err
}

// readPending reads which relationships wait for approval. What they are is read
// once; after that their ids suffice.
func (e *engine) readPending(ctx context.Context, later map[string][]Change) error {
	if changed, err := e.fewer(ctx); err != nil || !changed {
		return err
	}
	waited := map[string]bool{}
	for _, changes := range later {
		waited[e.relationshipOf(changes)] = true
	}
	if e.asked == nil {
		e.asked = map[string]Relationship{}
		for _, r := range e.plan.findings.Delegation.Relationships {
			if r.Status == RelationPending {
				e.asked[r.ID] = r
			}
		}
	}
	e.waits = map[string]bool{}
	strange := false
	for w, err := range msclient.List[wireID](ctx, e.graph, query(relationships, "$filter", "status eq 'approvalPending'", "$select", "id", "$top", "300")) {
		if err != nil {
			return err
		}
		_, known := e.asked[w.ID]
		strange = strange || waited[w.ID] && !known
		e.waits[w.ID] = true
	}
	if !strange {
		return nil
	}
	for raw, err := range msclient.List[json.RawMessage](ctx, e.graph, query(relationships, "$filter", "status eq 'approvalPending'", "$top", "300")) {
		if err != nil {
			return err
		}
		list, err := relationshipsOf([]json.RawMessage{raw})
		if err != nil {
			return err
		}
		e.asked[list[0].ID] = list[0]
	}
	return nil
}

// looked is what a look at relationships that do not wait for approval any more,
// or not yet, showed.
type looked struct {
	ready    []string               // customers whose relationship is active
	gone     map[string]CustomerEnd // those with whom it came to nothing, and why
	failed   []CustomerFailure      // those who cannot approve, or of whom nothing can be seen
	starting int                    // those on the way
}

// approved finds who of those waited for has approved, and with whom it came to
// nothing.
func (e *engine) approved(ctx context.Context, later map[string][]Change) (looked, error) {
	out := looked{gone: map[string]CustomerEnd{}}
	var bad error
	var round []reading
	for tenant, changes := range later {
		id := e.relationshipOf(changes)
		if e.waits[id] || strings.Contains(id, "${") {
			delete(e.closed, tenant)
			continue
		}
		starting := func(open bool) {
			out.starting++
			if e.notOpened(tenant, open) {
				out.failed = append(out.failed, CustomerFailure{e.customerOf(changes[0]), e.unopened(id)})
			}
		}
		round = append(round, reading{
			path: relationships + "/" + id,
			take: takeOne(func(w wireRelationship, raw json.RawMessage) {
				switch w.Status {
				case RelationActive:
					out.ready = append(out.ready, tenant)
				case RelationCreated, RelationPending, RelationApproved, RelationStarting:
					if list, err := relationshipsOf([]json.RawMessage{raw}); err == nil {
						e.asked[w.ID] = list[0]
					}
					starting(w.Status != RelationCreated)
				default:
					out.gone[tenant] = CustomerEnd{Relationship: w.Name, How: w.howItEnded()}
				}
			}),
			absent: func() { starting(false) }, // not shown yet, or removed because it was never opened
			unread: func(err error) {
				if !ownFailure(err) {
					bad = err
					return
				}
				err = problem(err, "the relationship with "+e.customerOf(changes[0]).called()+" cannot be read")
				out.failed = append(out.failed, e.failure(changes[0], err))
			},
		})
	}
	err := cmp.Or(e.readAll(ctx, round), bad)
	slices.Sort(out.ready)
	return out, err
}

// howItEnded says what became of a relationship that is over. A customer who declines
// leaves no state of its own: the relationship is ended without having been active.
func (w wireRelationship) howItEnded() string {
	switch {
	case !w.Activated.IsZero():
		return "ended"
	case w.Status == "expired":
		return "lapsed without an answer"
	}
	return "declined"
}

// longestOpening is how long a relationship that was asked to be opened for approval
// may be seen not to be.
const longestOpening = 15 * time.Minute

// notOpened tells whether a customer could not approve for so long that it will not
// come to that.
func (e *engine) notOpened(tenant string, open bool) bool {
	if open {
		delete(e.closed, tenant)
		return false
	}
	since, known := e.closed[tenant]
	if !known {
		since = time.Now()
		e.closed[tenant] = since
	}
	return time.Since(since) >= longestOpening
}

// unopened says that a relationship did not become one that can be approved.
func (e *engine) unopened(id string) *Problem {
	what := "its relationship"
	if r, known := e.asked[id]; known {
		what = fmt.Sprintf("the relationship %q", r.Name)
	}
	return &Problem{
		What: what + " is not open for approval: Microsoft was asked to open it and did not",
		Do:   "Nobody can approve it like this. The next run opens it, or makes another where Microsoft has removed it.", Retry: true,
	}
}

// withCustomers says how it stands with customers, where something is left: some
// failed, or have to approve first, or will not.
func (e *engine) withCustomers() error {
	waits := e.waitsForCustomers()
	failed, some := e.customersFailed().(*CustomersFailed)
	var others *Problem
	switch {
	case !some:
		return waits
	case errors.As(waits, &others):
		failed.What += "; and " + others.What
		failed.Do += " " + others.Do
	}
	return failed
}

// waitsForCustomers says that customers have to approve first, or that some will
// not.
func (e *engine) waitsForCustomers() error {
	ended := plural(len(e.ended), "relationship") + " did not come about: " + namesOf(e.ended)
	const anew = "Run this again: it asks those customers anew, with another name."
	waited := len(e.later)
	switch {
	case waited == 0 && len(e.ended) == 0:
		return nil
	case waited == 0:
		return &Problem{What: ended, Do: "Ask the customers what happened. " + anew, Retry: true}
	}
	p := Problem{
		What: plural(waited, "customer") + " did not approve yet",
		Do:   "Send each the link; an administrator of the customer's own tenant has to open it and approve. Then run this again: it goes on by itself.", Retry: true,
		Err: errors.New("approval pending"),
	}
	if len(e.ended) > 0 {
		p.What += ", and " + ended
		p.Do += " With whom it came to nothing, ask first what happened: the next run asks anew, with another name."
	}
	return &Waiting{p}
}

// readDelegationBack reads anew what delegated administration is proven with.
func (e *engine) readDelegationBack(ctx context.Context, f *Findings) ([]string, error) {
	a := e.plan.Answers
	listed := e.plan.findings.Delegation.listed
	round := e.delegationReadings(a, f)
	f.Plans, f.Delegation.listed = e.plan.findings.Plans, listed
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
			r.unread = nil // it could be read before
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

// notInForce lists, once for each customer, the roles that were given and do not
// serve yet.
func (p *Plan) notInForce() []lack {
	d := p.findings.Delegation
	roles := p.want.answers.GDAP.RoleIDs()
	by := d.byCustomer()
	var out []lack
	for _, c := range d.Customers {
		r := d.best(by[c.TenantID], roles)
		if r != nil && r.Status == RelationActive && slices.ContainsFunc(r.Access, func(x Access) bool { return x.Status == accessPending }) {
			out = append(out, lack{Change{Customer: c.TenantID}, "a role at " + c.Name + " is not in force yet"})
		}
	}
	return out
}
