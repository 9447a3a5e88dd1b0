package ui

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"msbundle/steps"
)

// userLists are the lists of people in a policy's conditions, and how they are
// called.
// https://learn.microsoft.com/graph/api/resources/conditionalaccessusers
var userLists = []struct{ key, name string }{
	{"includeUsers", "Included users"},
	{"excludeUsers", "Excluded users"},
	{"includeGroups", "Included groups"},
	{"excludeGroups", "Excluded groups"},
	{"includeRoles", "Included roles"},
	{"excludeRoles", "Excluded roles"},
}

// difference says in words what a change does to the people a policy is about;
// empty when it is about something else.
func (s *plan) difference(c steps.Change) string {
	if c.Kind != steps.KindPolicy || c.Action != steps.Update {
		return ""
	}
	before, after := policyUsers(c.Before), policyUsers(c.Body)
	var out []string
	for _, l := range userLists {
		had, has := texts(before[l.key]), texts(after[l.key])
		_, sent := after[l.key]
		added, gone := s.without(has, had), s.without(had, has)
		if !sent || len(added) == 0 && len(gone) == 0 {
			continue
		}
		text := fmt.Sprintf("%s: %d before, %d after", l.name, len(had), len(has))
		if len(added) > 0 {
			text += "; added " + strings.Join(added, ", ")
		}
		if len(gone) > 0 {
			text += "; removed " + strings.Join(gone, ", ")
		}
		out = append(out, text)
	}
	return strings.Join(out, ". ")
}

// policyUsers finds the people a policy is about, in a body or what was before it.
func policyUsers(raw json.RawMessage) map[string]any {
	var body struct {
		Conditions struct {
			Users map[string]any `json:"users"`
		} `json:"conditions"`
	}
	_ = json.Unmarshal(raw, &body) // another shape has none
	return body.Conditions.Users
}

func texts(list any) []string {
	all, _ := list.([]any)
	var out []string
	for _, v := range all {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// without lists what of one list is not in another, the service account by its
// name.
func (s *plan) without(list, other []string) []string {
	var out []string
	for _, id := range list {
		if slices.Contains(other, id) {
			continue
		}
		if f := s.w.findings; f != nil && f.Ready != nil && (id == "${account.id}" || f.Ready.User != nil && f.Ready.User.ID == id) {
			id = f.Ready.UPN
		}
		out = append(out, id)
	}
	return out
}
