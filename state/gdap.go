package state

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"msbundle/catalog"
)

// Words and defaults of the section about delegated administration.
const (
	AllCustomers = "all"

	DefaultGroupName        = "Rewst GDAP-{role}"
	DefaultRelationshipName = "Rewst GDAP - {customer}"
	DefaultDays             = 730
)

// MaxRelationshipName is how long a relationship's name may be, in characters,
// and MaxRelationshipDays how long it may last.
// https://learn.microsoft.com/graph/api/tenantrelationship-post-delegatedadminrelationships
const (
	MaxRelationshipName = 50
	MaxRelationshipDays = 730
)

// GDAP is the section about delegated administration of customers.
type GDAP struct {
	All              bool     // every customer of the tenant
	Customers        []string // otherwise these: tenant ids or domains
	File             string   // and those of a CSV file; empty for none
	Roles            []string // template ids or names; empty means the vendor's twelve
	Account          string   // user name of the service account, as in serviceAccount.username
	GroupName        string   // holds {role}
	RelationshipName string   // holds {customer}
	Days             int
	AutoExtend       bool // by half a year, each time it would end
}

// DefaultGDAP is the section as it is without its keys.
func DefaultGDAP() GDAP {
	return GDAP{
		All: true, Account: DefaultUsername, GroupName: DefaultGroupName, RelationshipName: DefaultRelationshipName,
		Days: DefaultDays, AutoExtend: true,
	}
}

// RoleIDs are the template ids of the roles a relationship is to carry.
func (g GDAP) RoleIDs() []string {
	var out []string
	for _, r := range catalog.ServiceRoles() {
		if len(g.Roles) == 0 || slices.ContainsFunc(g.Roles, func(s string) bool {
			return strings.EqualFold(s, r.TemplateID) || strings.EqualFold(s, r.Name)
		}) {
			out = append(out, r.TemplateID)
		}
	}
	return out
}

func (a Answers) validateGDAP() []Invalid {
	g := a.GDAP
	if g == nil {
		return nil
	}
	var out []Invalid
	bad := func(key, format string, args ...any) {
		out = append(out, Invalid{"gdap." + key, fmt.Sprintf(format, args...)})
	}
	if !g.All && len(g.Customers) == 0 && g.File == "" {
		bad("customers", "name customers by tenant id or domain, or use all")
	}
	for _, c := range g.Customers {
		if text := CheckTenant(c); text != "" || c == "" {
			bad("customers", "%s: %s", quote(c), "this is neither a tenant id nor a domain")
		}
	}
	for _, role := range g.Roles {
		known := slices.ContainsFunc(catalog.ServiceRoles(), func(r catalog.Role) bool {
			return strings.EqualFold(role, r.TemplateID) || strings.EqualFold(role, r.Name)
		})
		if !known {
			bad("roles", "%s is none of the roles the vendor names; leave the key out for all twelve", quote(role))
		}
	}
	if text := CheckUsername(g.Account); text != "" {
		bad("account", "%s", text)
	}
	if strings.Count(g.GroupName, "{role}") != 1 || utf8.RuneCountInString(g.GroupName) > 120 || strings.Contains(g.GroupName, "${") {
		bad("groupName", "use a text with {role} in it once, such as %s", DefaultGroupName)
	}
	if strings.Count(g.RelationshipName, "{customer}") != 1 || utf8.RuneCountInString(g.RelationshipName) > 40 || strings.Contains(g.RelationshipName, "${") {
		bad("relationshipName", "use a text of up to 40 characters with {customer} in it once, such as %s", DefaultRelationshipName)
	}
	if g.Days < 1 || g.Days > MaxRelationshipDays {
		bad("days", "%d is not possible; a relationship lasts 1 to %d days", g.Days, MaxRelationshipDays)
	}
	return out
}
