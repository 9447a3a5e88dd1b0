package state

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
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
	group, once := fixed(g.GroupName, "{role}")
	switch {
	case !once || utf8.RuneCountInString(g.GroupName) > 120:
		bad("groupName", "use a text of up to 120 characters with {role} in it once, such as %s", DefaultGroupName)
	case strings.ContainsAny(group, "{}$") || strings.ContainsFunc(group, unicode.IsControl) || strings.TrimSpace(g.GroupName) != g.GroupName:
		bad("groupName", "%s: besides {role} use a text without braces, dollar signs and blanks at its ends, such as %s", quote(g.GroupName), DefaultGroupName)
	}
	relation, once := fixed(g.RelationshipName, "{customer}")
	switch {
	case !once || utf8.RuneCountInString(g.RelationshipName) > 40:
		bad("relationshipName", "use a text of up to 40 characters with {customer} in it once, such as %s", DefaultRelationshipName)
	case strings.ContainsFunc(relation, func(r rune) bool { return r != ' ' && !InRelationshipName(r) }) || strings.TrimSpace(g.RelationshipName) != g.RelationshipName:
		bad("relationshipName", "%s: besides {customer} use letters, digits, blanks, dashes and underscores, such as %s", quote(g.RelationshipName), DefaultRelationshipName)
	}
	if g.Days < 1 || g.Days > MaxRelationshipDays {
		bad("days", "%d is not possible; a relationship lasts 1 to %d days", g.Days, MaxRelationshipDays)
	}
	return out
}

// fixed is what a template holds besides its place, and whether it has that once.
func fixed(template, place string) (string, bool) {
	return strings.Replace(template, place, "", 1), strings.Count(template, place) == 1
}

// InRelationshipName tells whether a character, blanks aside, is one that a
// relationship's name surely takes: a letter, what belongs to one, a digit, a dash
// or an underscore.
func InRelationshipName(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.In(r, unicode.Mn, unicode.Mc) || r == '-' || r == '_'
}
