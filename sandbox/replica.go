package sandbox

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// The directory is replicated: a write goes to the primary, a read to one of
// several replicas that take it in at different times. So two reads in a row can
// disagree until all of them have it, and then they agree for good.
// https://learn.microsoft.com/entra/architecture/architecture
const replicas = 3

// primary is the view a write has of the world.
const primary = -1

// object is a directory object as JSON. Keys that begin with "_" are the
// sandbox's own and never leave it. An object is never changed once it is stored.
type object = map[string]any

// version is a state of an entity and when each replica has it.
type version struct {
	data object               // nil: gone
	at   *[replicas]time.Time // nil: all had it at once
	seq  int                  // counts the writes: two can have the same time
}

// entity is everything that was ever written about one object or relation.
type entity struct {
	kind     string
	id       string
	seq      int
	versions []version
	link     *bond // of an assignment: what its data is made from

	tag    string // of GDAP: the one made last
	tagged int    // for which state
}

// bond is what an assignment of an application permission consists of. A tenant
// has well over a hundred, so that they are stored without what they share.
type bond struct {
	client, resource         *entity
	clientName, resourceName any // as they were when it was made
	role, created            string
}

// bonded stands for the data of a bond.
var bonded = object{}

// data is the assignment as the service sends it.
func (l *bond) data() object {
	return object{
		"appRoleId": l.role, "createdDateTime": l.created, "deletedDateTime": nil, "principalDisplayName": l.clientName, "principalId": l.client.id,
		"principalType": "ServicePrincipal", "resourceDisplayName": l.resourceName, "resourceId": l.resource.id,
	}
}

// staleWindow is a time in which replicas take in nothing.
type staleWindow struct {
	from, until time.Time
	seq         int // last write before it
}

// view is one look at the world: which replica, at what time.
type view struct {
	replica int
	now     time.Time
	stale   staleWindow
}

// look picks a replica for a read.
func (c *Cloud) look() view {
	return view{replica: c.rng.IntN(replicas), now: c.now(), stale: c.stale}
}

// lookIndexed reads the index behind advanced queries, which lags more than
// plain reads do.
// https://learn.microsoft.com/graph/aad-advanced-queries
func (c *Cloud) lookIndexed() view {
	v := c.look()
	if c.opts.Delays == DelaysRealistic {
		v.now = v.now.Add(-20 * time.Second)
	}
	return v
}

// master sees every write at once.
func (c *Cloud) master() view { return view{replica: primary, now: c.now()} }

func (v view) has(ver version) bool {
	if v.replica == primary {
		return true
	}
	if ver.at == nil {
		return !v.now.Before(v.stale.until) || ver.seq <= v.stale.seq
	}
	at := ver.at[v.replica]
	if v.now.Before(v.stale.until) && (at.After(v.stale.from) || ver.seq > v.stale.seq) {
		return false
	}
	return !at.After(v.now)
}

// stored returns the state a view has, nil when it has none.
func (e *entity) stored(v view) object {
	for i := len(e.versions) - 1; i >= 0; i-- {
		if v.has(e.versions[i]) {
			return e.versions[i].data
		}
	}
	return nil
}

// read returns what a view sees of an entity, nil when it sees nothing.
func (e *entity) read(v view) object {
	data := e.stored(v)
	if data != nil && e.link != nil {
		return e.link.data()
	}
	return data
}

// live is read without what is soft-deleted.
func (e *entity) live(v view) object {
	if !e.alive(v) {
		return nil
	}
	return e.read(v)
}

// alive tells whether there is anything to see that is not soft-deleted.
func (e *entity) alive(v view) bool {
	data := e.stored(v)
	return data != nil && data["deletedDateTime"] == nil
}

// softDeleted returns a deleted object during the 30 days it can be restored.
func (e *entity) softDeleted(v view) object {
	data := e.read(v)
	if data == nil {
		return nil
	}
	stamp, _ := data["deletedDateTime"].(string)
	when, err := time.Parse(time.RFC3339, stamp)
	if err != nil || v.now.Sub(when) > 30*24*time.Hour {
		return nil
	}
	return data
}

// Kinds of entities, named as Microsoft Graph names the types.
const (
	kindApplication = "application"
	kindPrincipal   = "servicePrincipal"
	kindUser        = "user"
	kindGroup       = "group"
	kindAssignment  = "appRoleAssignment"
	kindGrant       = "oAuth2PermissionGrant"
	kindPassword    = "passwordCredential"
	kindRole        = "directoryRole"
	kindRoleGiven   = "unifiedRoleAssignment"
)

// ref names an entity in a tenant.
type ref struct{ kind, id string }

// add stores a new entity. settled entities are part of the scenario and seen
// everywhere from the start.
func (c *Cloud) add(t *tenant, kind, id string, data object, settled bool) *entity {
	return c.put(t, &entity{kind: kind, id: id}, data, settled)
}

// assign stores that a client was given an application permission of an API.
func (c *Cloud) assign(t *tenant, id string, l bond, settled bool) *entity {
	return c.put(t, &entity{kind: kindAssignment, id: id, link: &l}, bonded, settled)
}

func (c *Cloud) put(t *tenant, e *entity, data object, settled bool) *entity {
	c.seq++
	e.seq = c.seq
	t.tables[e.kind] = append(t.tables[e.kind], e)
	if e.link == nil {
		t.byID[ref{e.kind, strings.ToLower(e.id)}] = e
	}
	if settled {
		e.versions = []version{{data: data}}
		return e
	}
	c.write(e, data)
	return e
}

// write stores a new state; the replicas follow after their lag, in order.
func (c *Cloud) write(e *entity, data object) {
	c.seq++
	ver := version{data: data, seq: c.seq}
	now := c.now()
	// What is seen at once needs no times. Others than assignments are few, and
	// of some it matters when they were made.
	if c.opts.Delays == DelaysRealistic || e.link == nil {
		ver.at = new([replicas]time.Time)
		for r := range replicas {
			ver.at[r] = now.Add(c.lag(e.kind, data))
			if n := len(e.versions); n > 0 && e.versions[n-1].at != nil && e.versions[n-1].at[r].After(ver.at[r]) {
				ver.at[r] = e.versions[n-1].at[r]
			}
		}
	}
	// Older states that every replica has left behind are of no use to anybody.
	if n := len(e.versions); n > 0 && settledBy(e.versions[n-1], now) && !now.Before(c.stale.until) {
		e.versions = e.versions[n-1:]
	}
	e.versions = append(e.versions, ver)
}

// everywhere is when the last replica has a state; zero for one of the scenario.
func (ver version) everywhere() time.Time {
	if ver.at == nil {
		return time.Time{}
	}
	return slices.MaxFunc(ver.at[:], time.Time.Compare)
}

func settledBy(ver version, now time.Time) bool {
	return ver.at == nil || !slices.ContainsFunc(ver.at[:], func(t time.Time) bool { return t.After(now) })
}

// lag is how long one replica needs for a write: mostly seconds, for a new
// secret up to a minute.
func (c *Cloud) lag(kind string, data object) time.Duration {
	if c.opts.Delays != DelaysRealistic {
		return 0
	}
	longest := 12 * time.Second
	switch {
	case kind == kindPassword && data != nil:
		longest = time.Minute
	case data == nil || data["deletedDateTime"] != nil:
		longest = 20 * time.Second
	}
	return time.Duration(c.rng.Int64N(int64(longest)))
}

// find returns an entity by kind and id, whatever its state.
func (t *tenant) find(kind, id string) *entity {
	if kind != kindAssignment {
		return t.byID[ref{kind, strings.ToLower(id)}]
	}
	for _, e := range t.tables[kind] {
		if strings.EqualFold(e.id, id) {
			return e
		}
	}
	return nil
}

// seen returns the live state of an object as a view has it.
func (t *tenant) seen(v view, kind, id string) object {
	if e := t.find(kind, id); e != nil {
		return e.live(v)
	}
	return nil
}

// all lists the live objects of a kind in the order they were made.
func (t *tenant) all(v view, kind string) []*entity {
	var list []*entity
	for _, e := range t.tables[kind] {
		if e.alive(v) {
			list = append(list, e)
		}
	}
	return list
}

// assignments are the application permissions of a client, or those given of an
// API; nil is any.
func (t *tenant) assignments(v view, client, resource *entity) []*entity {
	var list []*entity
	for _, e := range t.tables[kindAssignment] {
		if (client == nil || e.link.client == client) && (resource == nil || e.link.resource == resource) && e.alive(v) {
			list = append(list, e)
		}
	}
	return list
}

// principalOf finds the service principal of an app.
func (t *tenant) principalOf(v view, appID string) *entity {
	return t.byProperty(v, kindPrincipal, "appId", appID)
}

// applicationOf finds the registration of an app.
func (t *tenant) applicationOf(v view, appID string) *entity {
	return t.byProperty(v, kindApplication, "appId", appID)
}

func (t *tenant) byProperty(v view, kind, property, value string) *entity {
	for _, e := range t.tables[kind] {
		if data := e.live(v); data != nil && strings.EqualFold(str(data, property), value) {
			return e
		}
	}
	return nil
}

// str reads a string property, "" when it is missing or something else.
func str(data object, property string) string {
	s, _ := data[property].(string)
	return s
}

// with is a copy of an object with other values for some properties.
func with(data object, changes object) object {
	out := make(object, len(data)+len(changes))
	maps.Copy(out, data)
	maps.Copy(out, changes)
	return out
}

// stamp writes a time as Microsoft Graph does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
