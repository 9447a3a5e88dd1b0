package sandbox

import (
	"slices"
	"strings"
)

// RelationshipDigest is a delegated admin relationship.
type RelationshipDigest struct {
	Name        string             `json:"name"`
	Customer    string             `json:"customer"` // "" is whoever opens the link
	Status      string             `json:"status"`
	Roles       []string           `json:"roles"`
	AutoExtend  bool               `json:"autoExtend"`
	Duration    string             `json:"duration"`
	Assignments []AssignmentDigest `json:"assignments,omitempty"`
}

// AssignmentDigest is what a group of the partner has of a relationship. One that
// was deleted does not count.
type AssignmentDigest struct {
	Group  string   `json:"group"` // "" is gone
	Roles  []string `json:"roles"`
	Status string   `json:"status"`
}

// relationships describes those of a partner.
func (s snapshot) relationships(c *Cloud) []RelationshipDigest {
	var all []RelationshipDigest
	for _, e := range s.t.all(s.v, kindRelationship) {
		data := e.read(s.v)
		customer, _ := data["customer"].(object)
		d := RelationshipDigest{
			Name: str(data, "displayName"), Customer: str(customer, "displayName"), Status: str(data, "status"), Roles: carriedNames(data),
			AutoExtend: data["autoExtendDuration"] == halfYear, Duration: str(data, "duration"),
		}
		if t := c.tenants[customerOf(data)]; t != nil {
			d.Customer = t.name
		}
		for _, m := range c.partsOf(kindMapping, e) {
			a := m.read(s.v)
			if str(a, "status") != mapDeleted {
				group := s.t.seen(s.v, kindGroup, containerOf(a))
				d.Assignments = append(d.Assignments, AssignmentDigest{Group: str(group, "displayName"), Roles: carriedNames(a), Status: str(a, "status")})
			}
		}
		sortBy(d.Assignments, func(a AssignmentDigest) string {
			return strings.Join(append([]string{a.Group, a.Status}, a.Roles...), "\x00")
		})
		all = append(all, d)
	}
	// No two have the same name.
	sortBy(all, func(d RelationshipDigest) string { return d.Name })
	return all
}

func carriedNames(data object) []string {
	names := []string{}
	for _, id := range carried(data) {
		names = append(names, delegableRoles[id])
	}
	slices.Sort(names)
	return names
}
