package sandbox

import (
	"container/heap"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Kinds of what granular delegated admin privileges (GDAP) consist of. All of it
// is kept in the partner's tenant.
// https://learn.microsoft.com/graph/api/resources/delegatedadminrelationships-api-overview
const (
	kindRelationship = "delegatedAdminRelationship"
	kindGDAPRequest  = "delegatedAdminRelationshipRequest"
	kindMapping      = "delegatedAdminAccessAssignment"
	kindGDAPWork     = "delegatedAdminRelationshipOperation"
)

// gdap finds relationships and what belongs to them, and knows what happens to
// them by itself.
type gdap struct {
	due        dueList
	names      map[string]*entity   // relationships by name in lower case
	byCustomer map[string][]*entity // relationships by the customer's tenant
	parts      map[string][]*entity // by kind and relationship
	byGroup    map[string][]*entity // mappings by group
	// Mappings from before the scenario that nobody has looked at, by relationship:
	// a world of ten thousand customers has a hundred thousand of them.
	unread map[string]func()
	old    []string // the keys of unread, in order
	usual  map[ref]object
}

func newGDAP() gdap {
	return gdap{
		names: map[string]*entity{}, byCustomer: map[string][]*entity{}, parts: map[string][]*entity{}, byGroup: map[string][]*entity{},
		unread: map[string]func(){}, usual: map[ref]object{},
	}
}

// part adds something to a relationship.
func (c *Cloud) part(t *tenant, kind string, relationship *entity, data object, settled bool) *entity {
	return c.partNamed(t, kind, c.guid(), relationship, data, settled)
}

func (c *Cloud) partNamed(t *tenant, kind, id string, relationship *entity, data object, settled bool) *entity {
	data["_relationship"] = relationship.id
	e := c.add(t, kind, id, data, settled)
	key := kind + "/" + relationship.id
	c.gdap.parts[key] = append(c.gdap.parts[key], e)
	return e
}

func (c *Cloud) partsOf(kind string, relationship *entity) []*entity {
	if kind == kindMapping {
		c.recall(relationship.id)
	}
	return c.gdap.parts[kind+"/"+relationship.id]
}

// recall makes the mappings a relationship had when the scenario began.
func (c *Cloud) recall(relationship string) {
	if do := c.gdap.unread[relationship]; do != nil {
		delete(c.gdap.unread, relationship)
		do()
	}
}

// recallAll makes those of all relationships, which takes a while.
func (c *Cloud) recallAll() {
	for _, id := range c.gdap.old {
		c.recall(id)
	}
	c.gdap.old = nil
}

// ---- time

// dueEvent is something that will happen at a time of the sandbox's clock.
type dueEvent struct {
	at  time.Time
	seq int
	do  func(at time.Time)
}

// dueList is a heap, soonest first.
type dueList []dueEvent

func (l dueList) Len() int { return len(l) }
func (l dueList) Less(i, j int) bool {
	return l[i].at.Before(l[j].at) || l[i].at.Equal(l[j].at) && l[i].seq < l[j].seq
}
func (l dueList) Swap(i, j int) { l[i], l[j] = l[j], l[i] }

// Push and Pop are what container/heap calls.
func (l *dueList) Push(v any) { *l = append(*l, v.(dueEvent)) }

// Pop takes the last one.
func (l *dueList) Pop() any {
	old := *l
	last := old[len(old)-1]
	*l = old[:len(old)-1]
	return last
}

// at lets something happen at a time.
func (c *Cloud) at(when time.Time, do func(at time.Time)) {
	c.seq++
	heap.Push(&c.gdap.due, dueEvent{at: when, seq: c.seq, do: do})
}

// turn is one of several things that happen one after the other.
type turn struct {
	wait time.Duration
	do   func(at time.Time)
}

// inTurn lets things happen one after the other.
func (c *Cloud) inTurn(from time.Time, turns ...turn) {
	if len(turns) == 0 {
		return
	}
	c.at(from.Add(turns[0].wait), func(at time.Time) {
		turns[0].do(at)
		c.inTurn(at, turns[1:]...)
	})
}

// takes is how long the service needs for something: nothing, where nothing takes
// time.
func (c *Cloud) takes(shortest, longest time.Duration) time.Duration {
	if c.opts.Delays != DelaysRealistic {
		return 0
	}
	return shortest + time.Duration(c.rng.Int64N(int64(longest-shortest)))
}

// settle brings about what was due by now. Whoever looks at relationships calls it
// first, so that nothing has to run on its own. The caller holds mu.
func (c *Cloud) settle() {
	now := c.now()
	for len(c.gdap.due) > 0 && !c.gdap.due[0].at.After(now) {
		next := heap.Pop(&c.gdap.due).(dueEvent)
		next.do(next.at)
	}
}

// change writes another state of a part of GDAP, as of a time that may be past:
// the replicas had the time since then to take it in.
func (c *Cloud) change(e *entity, at time.Time, changes object) {
	was := e.read(c.master())
	n, _ := was["_version"].(int)
	data := with(was, changes)
	data["_version"], data["lastModifiedDateTime"] = n+1, precise(at)
	c.write(e, data)
	late := c.now().Sub(at)
	ver := &e.versions[len(e.versions)-1]
	for r := range ver.at {
		ver.at[r] = ver.at[r].Add(-late)
		if k := len(e.versions) - 2; k >= 0 && e.versions[k].at != nil && ver.at[r].Before(e.versions[k].at[r]) {
			ver.at[r] = e.versions[k].at[r]
		}
	}
}

// ---- tags

// etag names a state of an object.
func etag(id string, version int) string {
	return `W/"` + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "'%s'", namedGUID(fmt.Sprint(id, " ", version)))) + `"`
}

func tagOf(e *entity, data object) string {
	n, _ := data["_version"].(int)
	if e.tag == "" || e.tagged != n {
		e.tag, e.tagged = etag(e.id, n), n
	}
	return e.tag
}

// matches holds a request to the state its sender has seen.
func (q *call) matches(e *entity, data object, required bool) error {
	sent := strings.TrimSpace(q.header.Get("If-Match"))
	switch {
	case sent == "" && required:
		return fail(http.StatusPreconditionRequired, "preconditionRequired", "The If-Match header is required for this request.")
	case sent != "" && sent != "*" && sent != tagOf(e, data):
		return fail(http.StatusPreconditionFailed, "preconditionFailed", "The If-Match header value does not match the current ETag of the resource.")
	}
	return nil
}

// ---- refusals

// The service behind GDAP has codes of its own. Of the words here those of 401, of
// 403 and of an invalid relationship id are known from the open, and so is the
// code badRequest; the others stand for those that are not.

func badDelegation(format string, args ...any) *graphError {
	return fail(http.StatusBadRequest, "badRequest", format, args...)
}

func notDelegated(format string, args ...any) *graphError {
	return fail(http.StatusNotFound, "notFound", format, args...)
}

func delegationDenied() *graphError {
	return fail(http.StatusForbidden, "accessDenied", "The user (principal) does not have the required permissions to perform the specified action on the resource.")
}

// mayDelegate: GDAP is for admin agents of a partner who signed in with a second
// factor, in the clouds that have it. An app is judged by its permissions, and by
// whether its tenant is a partner's.
// https://learn.microsoft.com/partner-center/customers/gdap-faq
func (q *call) mayDelegate() error {
	q.c.settle()
	cloud, _ := cloudOfGraph(q.host)
	switch {
	case cloud.ID != "global" || q.t.cloud.ID != "" && q.t.cloud.ID != "global":
		name, _, _ := strings.Cut(strings.TrimPrefix(q.path, "/tenantRelationships/"), "/")
		return fail(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '%s'.", name)
	case q.tok.IDType == "app" && q.t.partner:
		return nil
	case q.tok.IDType != "app" && !slices.Contains(q.tok.AMR, "mfa"):
		return fail(http.StatusUnauthorized, "unauthenticated", "Authentication failed. MFA required")
	}
	agents := q.t.seen(q.v, kindGroup, agentGroup(q.t, "AdminAgents"))
	if members, _ := agents["_members"].([]any); !slices.Contains(members, any(q.tok.ObjectID)) {
		return delegationDenied()
	}
	return nil
}

// readDelegation decodes and checks the body of a request.
func (q *call) readDelegation(shape string) (object, error) {
	body, err := q.read(shape)
	if err != nil {
		return nil, badDelegation("%s", err.(*graphError).message)
	}
	return body, nil
}

// ---- answers

// largestDelegated is how many objects a page holds.
// https://learn.microsoft.com/graph/api/tenantrelationship-list-delegatedadminrelationships
const largestDelegated = 300

// gdapPages answers a list of the service, which knows little of OData.
func (q *call) gdapPages(p pages) (*result, error) {
	p.context = "tenantRelationships/" + p.context
	p.most, p.token, p.counts = largestDelegated, "$skipToken", true
	p.refuse = func(text string) error { return badDelegation("%s", text) }
	return q.pages(p)
}

// gdapOne answers with a single object.
func (q *call) gdapOne(data object, kind, context string) (*result, error) {
	if err := q.parameters([]string{"$select"}); err != nil {
		return nil, badDelegation("%s", err.(*graphError).message)
	}
	if err := q.checkSelect(kind); err != nil {
		return nil, err
	}
	shown := q.shownPart(data, kind)
	shown["@odata.context"] = q.context("tenantRelationships/" + context + "/$entity")
	return ok(shown), nil
}

// withTag is an object as it is sent.
func withTag(e *entity, data object) object {
	return with(data, object{"id": e.id, "@odata.etag": tagOf(e, data)})
}

// listParts answers a list of what belongs to a relationship.
func (q *call) listParts(kind, context string, filters ...string) (*result, error) {
	rel, err := q.relationship()
	if err != nil {
		return nil, err
	}
	parts := q.c.partsOf(kind, rel)
	return q.gdapPages(pages{
		kind: kind, context: "delegatedAdminRelationships('" + rel.id + "')/" + context, filters: filters, count: len(parts),
		item: func(i int) object { return parts[i].live(q.v) },
		show: func(i int) object { return withTag(parts[i], parts[i].live(q.v)) },
	})
}

// onePart answers with one of them.
func (q *call) onePart(kind, context string) (*result, error) {
	rel, e, err := q.partNamed(kind)
	if err != nil {
		return nil, err
	}
	return q.gdapOne(withTag(e, e.live(q.v)), kind, "delegatedAdminRelationships('"+rel.id+"')/"+context)
}

// partNamed finds what a path names, and its relationship.
func (q *call) partNamed(kind string) (rel, e *entity, err error) {
	if rel, err = q.relationship(); err != nil {
		return nil, nil, err
	}
	if kind == kindMapping {
		q.c.recall(rel.id)
	}
	e = q.t.find(kind, q.keys[1])
	if e == nil || e.live(q.v) == nil || str(e.live(q.v), "_relationship") != rel.id {
		return nil, nil, notDelegated("The resource '%s' was not found.", q.keys[1])
	}
	return rel, e, nil
}

// accepted answers that something goes on elsewhere.
func (q *call) accepted(operation *entity, rel *entity) *result {
	return &result{status: http.StatusAccepted, header: map[string]string{
		"Location":    q.url("/tenantRelationships/delegatedAdminRelationships/" + rel.id + "/operations/" + operation.id),
		"Retry-After": "10",
	}}
}
