package sandbox

import (
	"fmt"
	"slices"
)

// PolicyDigest is a Conditional Access policy. What it does not use is left out.
type PolicyDigest struct {
	Name       string         `json:"name"`
	State      string         `json:"state"`
	Managed    bool           `json:"managed,omitempty"` // by Microsoft
	Conditions map[string]any `json:"conditions"`
	Grant      map[string]any `json:"grant,omitempty"`
	Session    map[string]any `json:"session,omitempty"`
}

func (s snapshot) policies() []PolicyDigest {
	list := []PolicyDigest{}
	for _, e := range s.t.all(s.v, kindAccessPolicy) {
		data := e.read(s.v)
		part := func(name string) map[string]any { o, _ := s.readable(data[name]).(object); return o }
		list = append(list, PolicyDigest{
			Name: str(data, "displayName"), State: str(data, "state"), Managed: data["templateId"] != nil,
			Conditions: part("conditions"), Grant: part("grantControls"), Session: part("sessionControls"),
		})
	}
	sortJSON(list)
	return list
}

// readable is a part of a policy with names for ids and without what is empty; nil
// when nothing is left.
func (s snapshot) readable(v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for name, child := range v {
			if child = s.readable(child); child != nil {
				out[name] = child
			}
		}
		if len(out) > 0 {
			return out
		}
		return nil
	case []any:
		var names []string
		for _, item := range v {
			names = append(names, s.anyName(fmt.Sprint(item)))
		}
		slices.Sort(names)
		if names == nil {
			return nil
		}
		return names
	}
	return v
}

// anyName is what an id in a policy stands for: somebody, a group, a role, an app
// or an organisation. What it does not know it leaves as it is.
func (s snapshot) anyName(id string) string {
	if name := s.name(id); name != "" {
		return name
	}
	if e := s.t.find(kindUser, id); e != nil {
		if gone := e.softDeleted(s.v); gone != nil {
			return "deleted " + str(gone, "_name")
		}
	}
	if group := s.t.seen(s.v, kindGroup, id); group != nil {
		return str(group, "displayName")
	}
	if known := s.t.known[id]; known != nil {
		return apiName(known)
	}
	if other := s.tenants[id]; other != nil {
		return other.name
	}
	return roleName(id)
}
