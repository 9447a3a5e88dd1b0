package steps

import (
	"cmp"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"msbundle/state"
)

// trail is what our journal says we wrote to one thing and did not take back,
// oldest first.
type trail struct {
	kind      Kind   // KindApplication for an app with its secrets
	object    string // id of what it is about, in Azure its path; empty while an answer is unknown
	appID     string // of the app, or of the service principal's app
	principal string // who was given a grant or a role, or was put into a group
	resource  string // of a grant or an app role: object id of the API; of a membership: the group
	role      string // of a role: its id
	writes    []state.Entry
}

func (t *trail) first() *state.Entry { return &t.writes[0] }
func (t *trail) last() *state.Entry  { return &t.writes[len(t.writes)-1] }

// about says in words what was written last.
func (t *trail) about() string { return lowerFirst(t.last().Object) }

// created tells whether the thing itself is ours. Otherwise it was there before,
// and we changed it.
func (t *trail) created() bool {
	first := t.first()
	made := Kind(first.What)
	return first.Action == string(Create) && (made == t.kind || made == KindConsent)
}

func (t *trail) intents() []string {
	var out []string
	for _, e := range t.writes {
		out = append(out, e.Intent)
	}
	return out
}

// trails reads from a journal what is ours. A write whose outcome is unknown
// counts: what is taken back of it is only what is there. One that found its
// object there already does not.
func trails(entries []state.Entry) []*trail {
	var out []*trail
	at := map[string]*trail{}
	for _, e := range entries {
		took := e.Outcome.Kind == state.RecordReceipt && !e.Outcome.There || e.Open() && !singular(Kind(e.What), Action(e.Action))
		if !took || e.Undone || e.Step == stepUndo {
			continue
		}
		key, t := follow(e)
		if at[key] == nil {
			at[key] = &t
			out = append(out, &t)
		}
		mine := at[key]
		mine.object = cmp.Or(t.object, mine.object) // made again, it has another id
		mine.writes = append(mine.writes, e)
	}
	return out
}

// follow tells which trail an entry belongs to.
func follow(e state.Entry) (key string, t trail) {
	refs, body, before := e.Outcome.Refs, written(e.Body), written(e.Before)
	t.kind = Kind(e.What)
	switch t.kind {
	case KindApplication, KindSecret: // a secret's path is /v1.0/applications/ID/addPassword
		t.kind = KindApplication
		t.object = cmp.Or(refs["app.id"], strings.Split(e.Path+"///", "/")[3])
		t.appID = refs["app.appId"]
		key = t.object
	case KindPrincipal, KindConsent: // a consent makes one
		t.kind = KindPrincipal
		t.object, t.appID = refs[refPrincipal+".id"], e.Name
		key = t.appID
	case KindResource:
		t.object, t.appID = refs[refResource+e.Name+".id"], e.Name
		key = t.appID
	case KindGrant:
		t.principal, t.resource = cmp.Or(body.ClientID, before.ClientID), cmp.Or(body.ResourceID, before.ResourceID)
		key = t.principal + " " + t.resource
	case KindRole:
		t.principal, t.resource, t.role = cmp.Or(body.PrincipalID, before.PrincipalID), cmp.Or(body.ResourceID, before.ResourceID), e.Name
		key = t.principal + " " + t.resource + " " + t.role
	default:
		key = t.followTenant(e)
	}
	return string(t.kind) + " " + key, t
}

// takenBack is a thing as it would be without what we did to it: where it still
// holds what we wrote there stands again what stood there before. What others
// changed since stays.
func takenBack(before, ours, now any) any {
	switch ours := ours.(type) {
	case map[string]any:
		was, _ := before.(map[string]any)
		is, ok := now.(map[string]any)
		if !ok {
			return now
		}
		out := maps.Clone(is)
		for name, value := range ours {
			if _, there := is[name]; there {
				out[name] = takenBack(was[name], value, is[name])
			}
		}
		return out
	case []any:
		was, _ := before.([]any)
		is, _ := now.([]any)
		return takenBackList(was, ours, is, func(a, b any) bool { return reflect.DeepEqual(a, b) })
	}
	if reflect.DeepEqual(ours, now) {
		return before
	}
	return now
}

// takenBackList does it for a list whose order does not count.
func takenBackList[T any](before, ours, now []T, same func(a, b T) bool) []T {
	in := func(list []T, v T) bool { return slices.ContainsFunc(list, func(x T) bool { return same(x, v) }) }
	out := []T{}
	for _, v := range now {
		if in(before, v) || !in(ours, v) {
			out = append(out, v)
		}
	}
	for _, v := range before {
		if !in(ours, v) && !in(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// scopesBack does it for delegated permissions.
func scopesBack(before, ours string, now []string) []string {
	return takenBackList(strings.Fields(before), strings.Fields(ours), now, strings.EqualFold)
}

// grantsBack are the grants for one API as they would be without our writes, by
// id. A grant we removed is there again; one that others removed is not.
func (t *trail) grantsBack(now []Grant) map[string][]string {
	out := map[string][]string{}
	for _, g := range now {
		out[g.ID] = g.Scopes
	}
	for _, e := range slices.Backward(t.writes) {
		before, ours := written(e.Before).Scope, written(e.Body).Scope
		switch id := path.Base(e.Path); e.Method {
		case "POST": // there is one grant for a pair, so there is no doubt which
			for id, scopes := range out {
				out[id] = scopesBack("", ours, scopes)
			}
		case "PATCH":
			if scopes, there := out[id]; there {
				out[id] = scopesBack(before, ours, scopes)
			}
		case "DELETE":
			out[id] = scopesBack(before, "", out[id])
		}
	}
	return out
}
