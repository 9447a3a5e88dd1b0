package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// Traces is what our journal says we made in a tenant, and what the tenant holds
// of it now. It is the result of reads only.
type Traces struct {
	account Account
	org     Organization
	signIn  string // client id of the app signed in with, when it is the person's own
	reader  bool   // it is a customer's tenant, and not read as the app
	at      time.Time
	trails  []*trail
	tried   map[string]bool // paths of undoing writes whose outcome is unknown
	gone    map[string]bool // names of client secrets that were seen to be gone

	apps       map[string]*Application // by object id
	principals map[string]*Principal   // by object id
	resources  map[string]Resource     // by app id
	deleted    map[string]bool         // ids of objects that are among the deleted ones
	uses       map[string][]use        // by object id of an API's service principal
	footprint  []Grant                 // what this account gave Microsoft's client
	requests   []string                // ids of the requests that were read

	ready tenantTraces
}

// use is a grant or an app role of an API.
type use struct {
	id     string
	client string // who was given it
}

// wireUse is one as Graph tells it: a grant has a client, and maybe the person it
// is for; an app role has whoever it was given to.
type wireUse struct {
	ID          string `json:"id"`
	ClientID    string `json:"clientId"`
	PrincipalID string `json:"principalId"`
}

// InspectUndo reads what is there of what our journal says we made. clientID is
// the person's own app that was signed in with, or empty. Writes of an earlier run
// whose outcome is unknown are looked for first.
func (s *Setup) InspectUndo(ctx context.Context, clientID string, observe func(Event)) (*Traces, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	if observe == nil {
		observe = func(Event) {}
	}
	t, err := s.inspectUndo(s.telling(ctx, observe), clientID, observe)
	if err != nil {
		return nil, problem(err, "the tenant could not be inspected")
	}
	return t, nil
}

func (s *Setup) inspectUndo(ctx context.Context, clientID string, observe func(Event)) (*Traces, error) {
	known, err := s.settleAll(ctx, observe)
	if err != nil {
		return nil, err
	}
	entries := s.store.Entries()
	t := &Traces{signIn: clientID, reader: s.abroad && !s.asApp, account: s.account, trails: trails(entries), tried: map[string]bool{}, gone: known.gone}
	t.ready.taking = map[string]bool{}
	for _, e := range entries {
		if e.Step == stepUndo && e.Open() {
			t.tried[e.Path] = true
			for _, intent := range e.Undoes {
				t.ready.taking[intent] = true
			}
		}
		if _, tenant := undoScopes[Kind(e.What)]; tenant {
			t.ready.ever = true
		}
	}
	s.widen(t.scopes()...)
	begun := time.Now()
	// What does not show in all that time was taken away by somebody else.
	_, err = msclient.Until(ctx, s.showing("what this program wrote", observe), func(ctx context.Context) (bool, error) {
		if err := s.readTraces(ctx, t); err != nil {
			return false, err
		}
		settled := time.Since(begun) >= s.settle
		return !slices.ContainsFunc(t.trails, func(x *trail) bool {
			return t.young(x) && !t.shows(x) && (!x.last().Open() || !settled)
		}), nil
	})
	return t, err
}

// young tells whether a trail is so fresh that reads may miss it.
func (t *Traces) young(x *trail) bool { return t.at.Sub(x.last().At) < replicationHorizon }

// shows tells whether the effect of a trail's last write can be seen.
func (t *Traces) shows(x *trail) bool {
	last := x.last()
	switch x.kind {
	case KindApplication:
		app := t.apps[x.object]
		switch {
		case app == nil:
			return t.deleted[x.object] || !x.created()
		case last.What == string(KindSecret):
			key := last.Outcome.Refs["secret.keyId"]
			return key == "" || t.gone[last.Name] || slices.ContainsFunc(app.Passwords, func(p PasswordFound) bool { return p.KeyID == key })
		}
		// What was opened and closed again leaves nothing, so only the last write tells.
		only := &trail{kind: x.kind, writes: x.writes[len(x.writes)-1:]}
		return x.created() || len(only.settingsBack(app.Raw)) > 0 || len(only.settingsBack(last.Body)) == 0
	case KindPrincipal:
		return t.deleted[x.object] || t.principalOf(x) != ""
	case KindResource:
		_, there := t.resources[x.appID]
		return there || t.deleted[x.object]
	case KindGrant, KindRole:
	default:
		return t.showsTenant(x)
	}
	p := t.principals[x.principal]
	switch {
	case p == nil, t.goes(x.principal):
		return true
	case x.kind == KindRole:
		return (x.assignment(p) != "") == (last.Action == string(Add))
	}
	grants := p.grantsOf(x.resource)
	want := x.grantsBack(grants)
	return last.Method == "DELETE" || slices.ContainsFunc(grants, func(g Grant) bool { return !sameSet(want[g.ID], g.Scopes) })
}

// principalOf finds the service principal a trail made; empty when it is gone.
func (t *Traces) principalOf(x *trail) string {
	for id, p := range t.principals {
		if id == x.object || x.object == "" && p.AppID == x.appID {
			return id
		}
	}
	return ""
}

// goes tells whether a service principal is to go: by itself or with its app.
func (t *Traces) goes(principal string) bool {
	p := t.principals[principal]
	return p != nil && slices.ContainsFunc(t.trails, func(x *trail) bool {
		switch {
		case !x.created():
			return false
		case x.kind == KindApplication:
			app := t.apps[x.object]
			return app != nil && app.AppID == p.AppID
		}
		return x.kind == KindPrincipal && t.principalOf(x) == principal
	})
}

// api finds a Microsoft API by the id of its service principal.
func (t *Traces) api(objectID string) (Resource, bool) {
	for _, r := range t.resources {
		if r.ObjectID == objectID {
			return r, true
		}
	}
	return Resource{}, false
}

// assignment finds the app role a trail is about; empty when it is not given.
func (x *trail) assignment(p *Principal) string {
	for _, a := range p.Assignments {
		if a.ResourceID == x.resource && a.RoleID == x.role {
			return a.ID
		}
	}
	return ""
}

// grantsOf are the grants for one API.
func (p *Principal) grantsOf(resource string) []Grant {
	return slices.DeleteFunc(slices.Clone(p.Grants), func(g Grant) bool { return g.ResourceID != resource })
}

// readTraces reads what is there now.
func (s *Setup) readTraces(ctx context.Context, t *Traces) error {
	f := &Findings{Account: s.account, Resources: map[string]Resource{}}
	t.at, t.requests = s.client.Now(), nil
	t.apps, t.principals, t.deleted, t.uses = map[string]*Application{}, map[string]*Principal{}, map[string]bool{}, map[string][]use{}
	t.footprint, t.ready = nil, t.ready.anew()
	signInApp := ""
	round := append(s.accountReadings(f), s.apiReading(f), reading{
		path:   query(principals+"(appId="+quote(catalog.GraphCommandLineTools)+")", "$select", "id"),
		take:   takeOne(func(w wirePrincipal, _ json.RawMessage) { signInApp = w.ID }),
		absent: func() {},
	})
	if err := s.readAll(ctx, t.remember(append(round, s.trailReadings(t)...))); err != nil {
		return err
	}
	t.org, t.resources = f.Org, f.Resources
	if err := s.readAll(ctx, t.remember(s.useReadings(t, signInApp))); err != nil {
		return err
	}
	if err := s.readAccessTraces(ctx, t); err != nil {
		return err
	}
	return s.readAzureTraces(ctx, t)
}

// trailReadings read everything the trails lead to.
func (s *Setup) trailReadings(t *Traces) []reading {
	var round []reading
	asked := map[string]bool{}
	ask := func(r reading) {
		if !asked[r.path] {
			asked[r.path] = true
			r.absent = func() {}
			round = append(round, r)
		}
	}
	byApp := func(appID string) {
		ask(reading{
			path: query(principals+"(appId="+quote(appID)+")", "$select", principalFields),
			take: takeOne(func(w wirePrincipal, _ json.RawMessage) { t.found(w) }),
		})
	}
	byID := func(id string) {
		ask(reading{
			path: query(principals+"/"+id, "$select", principalFields),
			take: takeOne(func(w wirePrincipal, _ json.RawMessage) { t.found(w) }),
		})
		p := t.found(wirePrincipal{ID: id}) // its grants may be read before it
		for _, r := range s.grantReadings(p) {
			ask(r)
		}
	}
	for _, x := range t.trails {
		switch {
		case x.kind == KindApplication:
			ask(reading{
				path: query(applications+"/"+x.object, "$select", applicationFields),
				take: takeOne(func(w wireApplication, raw json.RawMessage) { t.apps[w.ID] = w.application(raw) }),
			})
			if x.created() {
				byApp(x.appID)
			}
		case x.kind == KindPrincipal && x.object == "":
			byApp(x.appID)
		case x.kind == KindPrincipal:
			byID(x.object)
		case (x.kind == KindGrant || x.kind == KindRole) && x.principal != "":
			byID(x.principal)
		default:
			for _, r := range t.tenantReadings(s, x) {
				ask(r)
			}
		}
		if x.created() && x.soft() && x.object != "" && t.young(x) {
			ask(reading{path: "/v1.0/directory/deletedItems/" + x.object, take: func(context.Context, *msclient.Response) error {
				t.deleted[x.object] = true
				return nil
			}})
		}
	}
	return round
}

// found notes a service principal. One of which only the id is known is not known
// to be there.
func (t *Traces) found(w wirePrincipal) *Principal {
	p := t.principals[w.ID]
	if p == nil {
		p = &Principal{ObjectID: w.ID}
		t.principals[w.ID] = p
	}
	if w.AppID != "" {
		p.AppID, p.Name = w.AppID, w.DisplayName
	}
	return p
}

// useReadings read who uses the APIs we provisioned, and what signing in left.
func (s *Setup) useReadings(t *Traces, signInApp string) []reading {
	for id, p := range t.principals {
		if p.AppID == "" { // it was not there
			delete(t.principals, id)
		}
	}
	var round []reading
	for _, x := range t.trails {
		api, there := t.resources[x.appID]
		if x.kind != KindResource || !there {
			continue
		}
		take := takePage(s, func(list []wireUse) error {
			for _, w := range list {
				t.uses[api.ObjectID] = append(t.uses[api.ObjectID], use{w.ID, cmp.Or(w.ClientID, w.PrincipalID)})
			}
			return nil
		})
		round = append(round, reading{
			path: query(principals+"/"+api.ObjectID+"/appRoleAssignedTo", "$top", "999"),
			take: take, absent: func() {},
		}, reading{
			path: query(grants, "$filter", "resourceId eq "+quote(api.ObjectID), "$top", "999"),
			take: take,
		})
	}
	if signInApp != "" {
		filter := "clientId eq " + quote(signInApp) + " and consentType eq 'Principal' and principalId eq " + quote(t.account.ObjectID)
		round = append(round, reading{path: query(grants, "$filter", filter), take: takePage(s, func(list []json.RawMessage) error {
			for _, raw := range list {
				var w wireGrant
				if err := json.Unmarshal(raw, &w); err != nil {
					return err
				}
				t.footprint = append(t.footprint, Grant{w.ID, w.ResourceID, strings.Fields(w.Scope), raw})
			}
			return nil
		})})
	}
	return round
}

// remember keeps the ids of requests as evidence.
func (t *Traces) remember(round []reading) []reading {
	for i, r := range round {
		round[i].take = func(ctx context.Context, res *msclient.Response) error {
			if !slices.Contains(t.requests, res.RequestID) {
				t.requests = append(t.requests, res.RequestID)
			}
			return r.take(ctx, res)
		}
	}
	return round
}

// Undo carries out an undo plan and proves by reading back that what we made is
// gone. When it returns an error the journal knows what was done: inspecting,
// planning and undoing again goes on from there.
func (s *Setup) Undo(ctx context.Context, p Plan, o ApplyOptions) (*Result, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	e := &engine{Setup: s, options: o, plan: p}
	r := &Result{Account: s.account, Org: p.traces.org, Notes: p.Notes}
	if len(p.traces.trails) == 0 && p.Empty() {
		return r, nil
	}
	ctx = s.telling(ctx, e.tell)
	if err := e.run(ctx); err != nil {
		return nil, problem(err, "undoing stopped")
	}
	r.Written = e.written
	now := *p.traces
	proof, missing, err := e.prove(ctx, proofLimit, func(ctx context.Context) (string, []string, error) {
		if err := s.readTraces(ctx, &now); err != nil {
			return "", nil, err
		}
		if left := e.hopeful(MakeUndoPlan(&now, p.options).Changes); len(left) > 0 {
			return "this is still to be done: " + lowerFirst(left[0].Describe()), now.requests, nil
		}
		return now.ready.underWay(), now.requests, nil
	})
	if err != nil {
		return nil, problem(err, "the result could not be proven")
	}
	r.Proof = proof
	if err := e.evidence("what this program made is gone", proof, cmp.Or(missing, e.left())); err != nil {
		return r, err
	}
	if missing != "" {
		return r, errors.Join(unproven(missing), e.customersFailed())
	}
	if err := e.customersFailed(); err != nil {
		return r, err
	}
	if err := s.store.Append(
		state.Record{Kind: state.RecordUndone, At: proof.At, Undoes: p.undone},
		state.Record{Kind: state.RecordFinished, At: proof.At},
	); err != nil {
		return r, problem(err, "the journal could not be written")
	}
	return r, problem(s.store.KeepWaiting(nil), "that nobody is waited for any more could not be kept")
}
