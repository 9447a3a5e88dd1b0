package steps

import (
	"cmp"
	"encoding/json"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"msbundle/state"
)

// undoScopes are the delegated Graph permissions it takes to take back what the
// stage about the tenant wrote, beyond those of every sign-in. What is empty takes
// none.
// https://learn.microsoft.com/graph/permissions-reference
var undoScopes = map[Kind][]string{
	// An account with a powerful role is deleted once that is gone from it.
	KindUser:      {"User.ReadWrite.All", "RoleManagement.ReadWrite.Directory"},
	KindPassword:  nil,
	KindMember:    {"GroupMember.ReadWrite.All"},
	KindRoleGiven: {"RoleManagement.ReadWrite.Directory"},
	KindMFA:       {"Policy.ReadWrite.AuthenticationMethod"},
	KindPolicy:    {"Policy.ReadWrite.ConditionalAccess"},
	KindProvider:  nil,
	KindGroup:     nil,
	KindVault:     nil,
	KindAzureRole: nil,

	KindRoleGroup:    {"Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory", relationsScope},
	KindRelationship: {relationsScope},
	KindExtension:    {relationsScope},
	KindAccess:       {relationsScope},
}

const relationsScope = "DelegatedAdminRelationship.ReadWrite.All"

// scopes are the permissions that undoing the trails takes.
func (t *Traces) scopes() []string {
	var out []string
	for _, x := range t.trails {
		needs := undoScopes[x.kind]
		if x.kind == KindMember && x.first().Step == stepGDAP { // it may be one that can hold roles
			needs = append(slices.Clone(needs), "RoleManagement.ReadWrite.Directory")
		}
		for _, s := range needs {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// followTenant tells which trail an entry of the stage about the tenant belongs
// to.
func (t *trail) followTenant(e state.Entry) (key string) {
	refs := e.Outcome.Refs
	segments := strings.Split(e.Path+"/////", "/")
	switch t.kind {
	case KindUser, KindPassword: // /v1.0/users/ID
		t.object = cmp.Or(refs[refAccount+".id"], segments[3])
	case KindMember: // /v1.0/groups/ID/members/$ref
		var body struct {
			Member string `json:"@odata.id"`
		}
		_ = json.Unmarshal(e.Body, &body) // written by this program
		t.principal, t.resource = path.Base(body.Member), segments[3]
	case KindRoleGiven:
		var w wireRoleGiven
		_ = json.Unmarshal(e.Before, &w)
		_ = json.Unmarshal(e.Body, &w)
		t.principal, t.role = w.PrincipalID, w.RoleID
	case KindMFA: // /beta/users/ID/authentication/requirements
		t.principal = segments[3]
	case KindPolicy:
		t.object = cmp.Or(refs["id"], refs["policy.id"])
		if e.Action != string(Create) {
			t.object = path.Base(e.Path)
		}
	case KindProvider, KindGroup, KindVault, KindAzureRole:
		t.object, _, _ = strings.Cut(strings.ToLower(e.Path), "?")
		var body struct {
			Properties struct {
				PrincipalID string `json:"principalId"`
			} `json:"properties"`
		}
		_ = json.Unmarshal(e.Body, &body)
		t.principal = body.Properties.PrincipalID
	default:
		t.followDelegation(e)
	}
	return strings.Join([]string{t.object, t.principal, t.resource, t.role}, " ")
}

// soft tells whether what a trail made is kept for a while among the deleted
// objects of the directory.
func (t *trail) soft() bool {
	return slices.Contains([]Kind{KindApplication, KindPrincipal, KindResource, KindUser}, t.kind)
}

// azure tells whether a trail is about something in Azure that can be taken back.
func (t *trail) azure() bool {
	return t.kind == KindGroup || t.kind == KindVault || t.kind == KindAzureRole
}

// given is the directory role a trail is about, for the whole tenant; nil when it
// is not given.
func (t *trail) given(roles []RoleGiven) *RoleGiven {
	for i, g := range roles {
		if g.RoleID == t.role && g.Scope == "/" {
			return &roles[i]
		}
	}
	return nil
}

// valueBack is a single value as it would be without our writes.
func (t *trail) valueBack(name string, now any) any {
	then := now
	for _, e := range slices.Backward(t.writes) {
		ours, was := filled(e.Body), filled(e.Before)
		if value, wrote := ours[name]; wrote {
			then = takenBack(was[name], value, then)
		}
	}
	return then
}

// policyBack are the parts of a Conditional Access policy that differ from what
// they would be without our writes. A part that is sent takes the place of what
// was there, so each stands there whole.
// https://learn.microsoft.com/graph/api/conditionalaccesspolicy-update
func (t *trail) policyBack(raw json.RawMessage) map[string]any {
	now := filled(raw)
	then := maps.Clone(now)
	for _, e := range slices.Backward(t.writes) {
		was, ours, known := filled(e.Before), filled(e.Body), keysOf(e.Before)
		for name := range ours {
			if !slices.Contains(known, name) { // nobody knows what it was
				continue
			}
			if name == "conditions" {
				then[name] = partsBack(was[name], ours[name], then[name])
			} else {
				then[name] = replacedBack(was[name], ours[name], then[name])
			}
		}
	}
	return differing(now, then)
}

// partsBack are the conditions of a policy: of them, each part is replaced.
func partsBack(was, ours, now any) any {
	is, _ := now.(map[string]any)
	had, _ := was.(map[string]any)
	sent, _ := ours.(map[string]any)
	out := cloned(is)
	for name, part := range sent {
		put(out, name, replacedBack(had[name], part, is[name]))
	}
	return out
}

// replacedBack is takenBack for what was replaced as a whole: what we did not send
// we emptied.
func replacedBack(was, ours, now any) any {
	sent, isMap := ours.(map[string]any)
	if !isMap {
		return takenBack(was, ours, now)
	}
	had, _ := was.(map[string]any)
	is, _ := now.(map[string]any)
	out := cloned(is)
	for _, name := range slices.Concat(slices.Collect(maps.Keys(had)), slices.Collect(maps.Keys(sent))) {
		before, isList := had[name].([]any)
		mine, listed := sent[name].([]any)
		if isList || listed {
			there, _ := is[name].([]any)
			put(out, name, takenBackList(before, mine, there, func(a, b any) bool { return reflect.DeepEqual(a, b) }))
		} else {
			back := takenBack(had[name], sent[name], is[name])
			if had[name] == nil && hollow(back) { // all of it was ours
				back = nil
			}
			put(out, name, back)
		}
	}
	switch {
	case was != nil:
		return out
	case hollow(out): // all of it was ours
		return nil
	}
	return now
}

func cloned(o map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, o)
	return out
}

// put sets a part of an object. Without a value there is none, and an empty one
// that is not there stays away.
func put(o map[string]any, name string, value any) {
	if _, there := o[name]; there && value != nil || !hollow(value) {
		o[name] = value
	} else if value == nil {
		delete(o, name)
	}
}

// differing are the parts of a policy to be sent so that it becomes what it was.
func differing(now, then map[string]any) map[string]any {
	body := map[string]any{}
	for name, value := range then {
		if !reflect.DeepEqual(value, now[name]) {
			body[name] = value
		}
	}
	if conditions, differ := body["conditions"].(map[string]any); differ {
		had, _ := now["conditions"].(map[string]any)
		maps.DeleteFunc(conditions, func(name string, part any) bool { return reflect.DeepEqual(part, had[name]) })
	}
	if grant, differ := body["grantControls"].(map[string]any); differ {
		if strength, _ := grant["authenticationStrength"].(map[string]any); strength != nil {
			grant["authenticationStrength"] = map[string]any{"id": strength["id"]}
		}
	}
	return body
}

// hollow tells whether there is nothing in a value.
func hollow(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, child := range v {
			if !hollow(child) {
				return false
			}
		}
		return true
	}
	return false
}

func keysOf(raw json.RawMessage) []string {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(raw, &all) // written by this program
	return slices.Collect(maps.Keys(all))
}

// filled are the parts of an object that are not empty: the service does not take
// back the nulls and the notes it sends.
func filled(raw json.RawMessage) map[string]any {
	var all map[string]any
	_ = json.Unmarshal(raw, &all) // read from the service, or written by this program
	out, _ := withoutNulls(all).(map[string]any)
	return out
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, child := range v {
			if child != nil && (name == "@odata.type" || !strings.Contains(name, "@odata")) {
				out[name] = withoutNulls(child)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, child := range v {
			out = append(out, withoutNulls(child))
		}
		return out
	}
	return v
}
