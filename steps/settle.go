package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"msbundle/msclient"
	"msbundle/state"
)

// replicationHorizon is how long after a write reads may still miss it.
const replicationHorizon = 10 * time.Minute

// refusalHolds is how long a refusal to provision an API is believed before it is
// tried again: long enough not to ask at every run, short enough for a licence
// bought in between.
const refusalHolds = 24 * time.Hour

// clockTolerance is how far the journal's time and the tenant's may differ.
const clockTolerance = 5 * time.Minute

// journaled is what our journal knows of the tenant.
type journaled struct {
	app     journaledApp // the setup's
	client  journaledApp // the program's own client
	made    map[string]bool
	refused map[string]string // APIs that could not be provisioned a short while ago
	secrets []state.Entry     // every secret we set out to make
	gone    map[string]bool   // names of those we removed
	deleted map[string]bool   // ids of objects we deleted a short while ago
	access  []AccessPolicy    // policies we made a short while ago

	relations []string             // ids of relationships we made a short while ago
	groups    map[string]RoleGroup // by role: groups for customers that we made a short while ago
}

// journaledApp is the app of a kind that we made last.
type journaledApp struct {
	object string // its id
	name   string
	seen   bool // it was read since, so a read that misses it only lags
}

// settleAll finds out what became of the writes an earlier run left without an
// answer, and waits until what it made is visible: one read that misses an
// object proves nothing, because replicas lag.
func (s *Setup) settleAll(ctx context.Context, observe func(Event)) (journaled, error) {
	for _, e := range s.store.Entries() {
		if s.looks || !e.Open() || !singular(Kind(e.What), Action(e.Action)) {
			continue // whoever only looks leaves it to whoever may be writing just now
		}
		refs, err := s.lookFor(ctx, e.Record, observe)
		if err != nil {
			return journaled{}, err
		}
		if err := s.store.Append(s.outcome(e.Intent, refs)); err != nil {
			return journaled{}, err
		}
	}
	k := journaled{made: map[string]bool{}, refused: map[string]string{}, deleted: map[string]bool{}, groups: map[string]RoleGroup{}}
	entries := s.store.Entries()
	for _, e := range entries {
		if e.Outcome.Kind == state.RecordUnoffered && s.client.Now().Sub(e.Outcome.At) < refusalHolds {
			k.refused[e.Name] = e.Outcome.Text
		}
		if e.Outcome.Kind != state.RecordReceipt {
			continue
		}
		recent := s.client.Now().Sub(e.Outcome.At) < replicationHorizon
		if e.Action == string(Delete) && recent {
			k.deleted[path.Base(e.Path)] = true
		}
		if e.Undone || e.Outcome.There || e.Step == stepUndo {
			continue // not there any more, or not ours
		}
		k.learn(e)
		if recent {
			k.learnDelegation(e)
		}
		created := e.Action == string(Create) && (e.What == string(KindApplication) || e.What == string(KindPrincipal) || e.What == string(KindUser))
		if recent && e.Action == string(Create) && e.What == string(KindPolicy) {
			made, err := s.awaitPolicy(ctx, e, observe)
			if err != nil {
				return k, err
			}
			k.access = append(k.access, made...)
		}
		if created && recent {
			seen, err := s.awaitVisible(ctx, e, observe)
			if err != nil {
				return k, err
			}
			if e.What == string(KindApplication) {
				k.appOf(e).seen = seen
			}
		}
	}
	k.secrets, k.gone = journaledSecrets(entries)
	return k, nil
}

// appOf is the app an entry is about.
func (k *journaled) appOf(e state.Entry) *journaledApp {
	if e.Step == stepClient {
		return &k.client
	}
	return &k.app
}

// forget drops what we deleted a moment ago and a replica still shows.
func (k *journaled) forget(f *Findings) {
	f.SameName = slices.DeleteFunc(f.SameName, func(a AppSummary) bool { return k.deleted[a.ObjectID] })
	f.ours = slices.DeleteFunc(f.ours, func(a *Application) bool { return k.deleted[a.ObjectID] })
	maps.DeleteFunc(f.Resources, func(_ string, r Resource) bool { return k.deleted[r.ObjectID] })
	k.correctPolicies(f)
}

// live is a service principal unless we deleted it a moment ago.
func (k *journaled) live(p *Principal) *Principal {
	if p != nil && k.deleted[p.ObjectID] {
		return nil
	}
	return p
}

// journaledSecrets lists the secrets a journal set out to make, and the names of
// those it removed again.
func journaledSecrets(entries []state.Entry) (made []state.Entry, gone map[string]bool) {
	gone = map[string]bool{}
	for _, e := range entries {
		switch {
		case e.What != string(KindSecret), e.Undone:
		case e.Action == string(Create):
			made = append(made, e)
		case e.Outcome.Kind == state.RecordReceipt:
			gone[e.Name] = true
		}
	}
	return made, gone
}

// singular tells whether repeating a write would make a second object. All other
// writes are refused by the service, or change nothing, when repeated.
func singular(k Kind, a Action) bool {
	return a == Create && (k == KindApplication || k == KindSecret || k == KindUser || k == KindPolicy || k == KindRoleGroup)
}

// outcome is the record that settles an intent.
func (s *Setup) outcome(intent string, refs map[string]string) state.Record {
	r := state.Record{Kind: state.RecordAbsent, At: s.client.Now(), Intent: intent}
	if refs != nil {
		r.Kind, r.Refs, r.Text = state.RecordReceipt, refs, "found by looking"
	}
	return r
}

// lookFor looks for the object a write of unknown outcome may have made, until it
// shows up or the settling time has passed with several looks. The result is nil
// when it is not there.
func (s *Setup) lookFor(ctx context.Context, intent state.Record, observe func(Event)) (map[string]string, error) {
	var refs map[string]string
	_, err := msclient.Until(ctx, s.settling(intent.Object, observe), func(ctx context.Context) (bool, error) {
		var err error
		switch Kind(intent.What) {
		case KindApplication:
			refs, err = s.lookForApp(ctx, intent)
		case KindSecret:
			refs, err = s.lookForSecret(ctx, intent)
		case KindUser:
			refs, err = s.lookForAccount(ctx, intent)
		case KindPolicy:
			refs, err = s.lookForPolicy(ctx, intent)
		case KindRoleGroup:
			refs, err = s.lookForGroup(ctx, intent)
		}
		return refs != nil, err
	})
	return refs, err
}

// settling is the patience with which something of unknown fate is looked for.
func (s *Setup) settling(object string, observe func(Event)) msclient.Patience {
	first := min(s.settle/8, 2*time.Second)
	return msclient.Patience{
		Good: 1, First: first, Max: max(first, s.settle/3), Limit: s.settle,
		Waiting: func(since time.Time, next time.Duration) {
			observe(Event{Kind: EventWaiting, At: time.Now(), Text: "Looking for " + object, Wait: &Wait{
				For:   object + " to show, if an earlier write of it took effect",
				Usual: "a few seconds; it counts as absent after " + s.settle.String(),
				Since: since, Next: next, Then: "it is taken up if it is there, and made if it is not",
			}})
		},
	}
}

func (s *Setup) lookForApp(ctx context.Context, intent state.Record) (map[string]string, error) {
	mine := map[string]bool{} // apps the journal already accounts for
	for _, e := range s.store.Entries() {
		mine[e.Outcome.Refs["app.id"]] = true
	}
	address := query(applications, "$filter", "displayName eq "+quote(intent.Name), "$select", "id,appId,displayName,createdDateTime,tags", "$top", "999")
	for w, err := range msclient.List[wireApplication](ctx, s.graph, address) {
		if err != nil {
			return nil, err
		}
		if slices.Equal(w.Tags, written(intent.Body).Tags) && !mine[w.ID] && w.Created.After(intent.At.Add(-clockTolerance)) {
			return map[string]string{"app.id": w.ID, "app.appId": w.AppID}, nil
		}
	}
	return nil, nil
}

func (s *Setup) lookForSecret(ctx context.Context, intent state.Record) (map[string]string, error) {
	address := query(strings.TrimSuffix(intent.Path, "/addPassword"), "$select", "id,passwordCredentials")
	w, err := msclient.Get[wireApplication](ctx, s.graph, address)
	var failed *msclient.Error
	if errors.As(err, &failed) && failed.Status == 404 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, p := range w.Passwords {
		if p.DisplayName == intent.Name {
			return map[string]string{"secret.keyId": p.KeyID, "app.id": w.ID}, nil
		}
	}
	return nil, nil
}

// awaitVisible waits until an object made a moment ago can be read. It is known
// to have been made, so only finding it among the deleted objects says that it is
// not there any more.
func (s *Setup) awaitVisible(ctx context.Context, e state.Entry, observe func(Event)) (bool, error) {
	id := e.Outcome.Refs["app.id"]
	address := applications + "/" + id
	if e.What == string(KindPrincipal) {
		id = e.Outcome.Refs["sp.id"]
		address = principals + "/" + id
	}
	if e.What == string(KindUser) {
		id = e.Outcome.Refs[refAccount+".id"]
		address = users + "/" + id
	}
	there := false
	known, err := msclient.Until(ctx, s.showing(e.Object, observe), func(ctx context.Context) (bool, error) {
		results, err := s.graph.Batch(ctx, []msclient.Request{
			{Path: query(address, "$select", "id")}, {Path: "/v1.0/directory/deletedItems/" + id},
		})
		if err != nil {
			return false, err
		}
		there = results[0].Err == nil
		for _, r := range results {
			var failed *msclient.Error
			if errors.As(r.Err, &failed) && failed.Status == 404 {
				continue
			}
			return r.Err == nil, r.Err
		}
		return false, nil
	})
	if err == nil && !known {
		err = &Problem{
			What: e.Object + " was made a few minutes ago and cannot be read yet", Retry: true,
			Do: "Microsoft's directory is slow to show it. Wait a few minutes, then try again; making another now would leave two.",
		}
	}
	return there, err
}

// showing is the patience with which something that is known to be there is
// looked for.
func (s *Setup) showing(object string, observe func(Event)) msclient.Patience {
	return msclient.Patience{
		Good: 1, First: firstBackoff, Max: longestWait, Limit: laggingLimit,
		Waiting: func(since time.Time, next time.Duration) {
			observe(Event{Kind: EventWaiting, At: time.Now(), Text: "Waiting for " + object, Wait: &Wait{
				For: object + " to show, which was made a moment ago", Usual: replicaUsual, Since: since, Next: next,
				Then: "this goes on with it", // a setup, or an undo
			}})
		},
	}
}

// learn takes up what a write of ours that took effect tells of the tenant.
func (k *journaled) learn(e state.Entry) {
	body, before := written(e.Body), written(e.Before)
	switch Kind(e.What) {
	case KindApplication:
		object := path.Base(e.Path)
		if e.Action == string(Create) {
			object = e.Outcome.Refs["app.id"]
			app := k.appOf(e)
			app.object, app.name = object, e.Name
		}
		listed := func(list []RequiredAccess) map[string]bool {
			out := map[string]bool{}
			for _, r := range list {
				for _, a := range r.Access {
					out[madeListed(object, r.ResourceAppID, a)] = true
				}
			}
			return out
		}
		had, has := listed(before.Required), listed(body.Required)
		if len(body.Required) > 0 { // what is listed no longer is nobody's
			k.lose(had, has)
		}
		k.gain(had, has)
	case KindRole:
		k.made[madeRole(cmp.Or(body.PrincipalID, before.PrincipalID), e.Name)] = e.Action == string(Add)
	case KindGrant:
		scopes := func(list string) map[string]bool {
			out := map[string]bool{}
			for scope := range strings.FieldsSeq(list) {
				out[madeScope(cmp.Or(body.ClientID, before.ClientID), e.Name, scope)] = true
			}
			return out
		}
		had, has := scopes(before.Scope), scopes(body.Scope)
		if e.Method == "PATCH" || e.Action == string(Remove) {
			k.lose(had, has)
		}
		k.gain(had, has)
	}
}

// gain and lose take up what was put there, and what was taken away.
func (k *journaled) gain(had, has map[string]bool) {
	for key := range has {
		if !had[key] {
			k.made[key] = true
		}
	}
}

func (k *journaled) lose(had, has map[string]bool) {
	for key := range had {
		if !has[key] {
			delete(k.made, key)
		}
	}
}

// wireWritten are the parts of what was written, or stood there before, that tell
// what a journal entry is about.
type wireWritten struct {
	Tags        []string         `json:"tags"`
	Required    []RequiredAccess `json:"requiredResourceAccess"`
	ClientID    string           `json:"clientId"`    // of a delegated grant
	PrincipalID string           `json:"principalId"` // of an application permission
	ResourceID  string           `json:"resourceId"`
	RoleID      string           `json:"appRoleId"`
	Scope       string           `json:"scope"`
}

func written(body json.RawMessage) wireWritten {
	var w wireWritten
	_ = json.Unmarshal(body, &w) // no body is like an empty one
	return w
}

// closeOpen records, of the writes left without an answer that are harmless to
// repeat, those whose effect the inspection has seen.
func (s *Setup) closeOpen(f *Findings) error {
	if f.Principal == nil {
		return nil
	}
	var records []state.Record
	for _, e := range s.store.Entries() {
		if !e.Open() {
			continue
		}
		var refs map[string]string
		body := written(e.Body)
		switch {
		case e.Action == string(Create) && e.What == string(KindResource):
			if r, ok := f.Resources[e.Name]; ok {
				refs = map[string]string{refResource + e.Name + ".id": r.ObjectID}
			}
		case e.Action == string(Create) && (e.What == string(KindPrincipal) || e.What == string(KindConsent)):
			if f.Principal.AppID == e.Name {
				refs = map[string]string{"sp.id": f.Principal.ObjectID}
			}
		case e.Action == string(Add) && cmp.Or(body.ClientID, body.PrincipalID) != f.Principal.ObjectID: // of another app
		case e.Action == string(Add) && e.What == string(KindRole):
			for _, a := range f.Principal.Assignments {
				if a.RoleID == e.Name {
					refs = map[string]string{"id": a.ID}
				}
			}
		case e.Action == string(Add) && e.What == string(KindGrant):
			for _, g := range f.Principal.Grants {
				if g.ResourceID == f.Resources[e.Name].ObjectID {
					refs = map[string]string{"id": g.ID}
				}
			}
		}
		if refs != nil {
			records = append(records, s.outcome(e.Intent, refs))
		}
	}
	if len(records) == 0 {
		return nil
	}
	return s.store.Append(records...)
}
