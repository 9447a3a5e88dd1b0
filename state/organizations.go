package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Organization is a customer's place in Rewst.
type Organization struct {
	ID       string // Rewst's own; empty when it is not known
	Name     string
	Domain   string
	TenantID string // of its Microsoft tenant, as Rewst has it; empty when it is not linked
	Line     int    // of the file it stands in; 0 when it was typed
}

// MaxOrganizationName is how long an organisation's name may be, in characters.
const MaxOrganizationName = 255

// CheckOrganizationName says what is wrong with an organisation's name; empty when
// Rewst takes it.
func CheckOrganizationName(s string) string {
	switch {
	case strings.TrimSpace(s) == "":
		return "it has no name"
	case !utf8.ValidString(s):
		return "its name is not valid UTF-8"
	case utf8.RuneCountInString(s) > MaxOrganizationName:
		return fmt.Sprintf("its name has %d characters; Rewst allows %d", utf8.RuneCountInString(s), MaxOrganizationName)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "its name holds a control character"
	}
	return ""
}

// organizationTable has the columns of Rewst's own import and export, and those
// that lists made by hand or by a workflow have besides.
var organizationTable = table{
	columns: map[string][]string{
		"name":   {"organizationname", "organisationname", "orgname", "organization", "organisation", "name", "displayname", "companyname", "company"},
		"id":     {"organizationid", "organisationid", "orgid", "id"},
		"domain": {"domain", "primarydomain", "domainname", "defaultdomain", "website"},
		"tenant": {"microsofttenantid", "tenantid", "tid", "entratenantid", "azuretenantid", "tenant"},
	},
	needs: []string{"name"}, needed: "organizationName", example: "organizationName,domain",
	nothing: "the file names no organisation",
	others:  []string{"byhand", "neworganization"},
	other:   "this is an exported mapping and no list of Rewst's organisations; it is given back with 'msbundle customers --mapping'",
}

// LoadOrganizations reads a CSV file of Rewst's organisations, as Rewst itself
// imports and exports them: its first line names the columns, of which
// organizationName has to be there, and domain, an id and a tenant id are looked at
// where they are. Commas, semicolons and tabs separate. All faults found are
// joined, each a *FileError that names the line.
func LoadOrganizations(path string) ([]Organization, error) {
	var list []Organization
	seen := map[string]int{}
	err := organizationTable.load(path, func(r row, line int) string {
		o := organization(r)
		o.Line = line
		key := o.key()
		switch {
		case o.Name == "":
			return "there is no organizationName in this row"
		case seen[key] > 0:
			return fmt.Sprintf("%s stands in line %d already; keep one", quote(o.Name), seen[key])
		}
		seen[key] = line
		list = append(list, o)
		return ""
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// organization is what one row says. What is no domain or no tenant id, such as a
// dash, counts as not known.
func organization(r row) Organization {
	o := Organization{ID: r("id"), Name: strings.Join(strings.Fields(r("name")), " "), Domain: bareDomain(r("domain"))}
	if IsGUID(r("tenant")) {
		o.TenantID = strings.ToLower(r("tenant"))
	}
	return o
}

// key tells organisations apart: Rewst's names are unique whatever their case, and
// where it says the id that decides.
func (o Organization) key() string {
	if o.ID != "" {
		return "\n" + strings.ToLower(o.ID)
	}
	return strings.ToLower(o.Name)
}

// bareDomain is the domain of an address of any sort; empty when it is none.
func bareDomain(s string) string {
	s = strings.ToLower(s)
	if _, rest, found := strings.Cut(s, "://"); found {
		s = rest
	}
	s, _, _ = strings.Cut(s, "/")
	s = s[strings.LastIndexByte(s, '@')+1:]
	s, _, _ = strings.Cut(s, ":")
	s = strings.TrimPrefix(strings.TrimSuffix(s, "."), "www.")
	if !domain.MatchString(s) {
		return ""
	}
	return s
}

// ParseOrganizations reads what a workflow of the MSP answers: a list of Rewst's
// organisations as JSON. An organisation is an object with a name and, where they
// are known, id, domain and tenantId (or tid), called as in LoadOrganizations; or
// just its name. The list is the answer itself, or stands in it under any name, for
// instance {"organizations": [...]} or {"data": {"organizations": [...]}}.
func ParseOrganizations(data []byte) ([]Organization, error) {
	var answer any
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, errors.New("the answer is not JSON; the workflow has to answer {\"organizations\": [{\"id\", \"name\", \"domain\", \"tenantId\"}]}")
	}
	if s, is := answer.(string); is { // a workflow that answers text
		if json.Unmarshal([]byte(s), &answer) != nil {
			answer = nil
		}
	}
	items, found := listIn(answer, 4)
	if !found {
		return nil, errors.New("there is no list in the answer; the workflow has to answer {\"organizations\": [{\"id\", \"name\", \"domain\", \"tenantId\"}]}")
	}
	out := make([]Organization, 0, len(items))
	seen := map[string]bool{}
	for i, item := range items {
		o := organization(fieldsOf(item))
		if o.Name == "" {
			return nil, fmt.Errorf("entry %d of the organisations has no name", i+1)
		}
		if !seen[o.key()] { // pages overlap
			out = append(out, o)
		}
		seen[o.key()] = true
	}
	return out, nil
}

// listIn is the list that stands nearest to the surface; among several at the same
// depth, the one named after organisations.
func listIn(v any, depth int) ([]any, bool) {
	if list, is := v.([]any); is {
		return list, true
	}
	object, is := v.(map[string]any)
	if !is || depth == 0 {
		return nil, false
	}
	names := sortedKeys(object)
	slices.SortStableFunc(names, func(a, b string) int {
		return strings.Compare(strconv.FormatBool(!strings.HasPrefix(letters(a), "org")), strconv.FormatBool(!strings.HasPrefix(letters(b), "org")))
	})
	for _, name := range names {
		if list, is := object[name].([]any); is {
			return list, true
		}
	}
	for _, name := range names {
		if list, found := listIn(object[name], depth-1); found {
			return list, true
		}
	}
	return nil, false
}

// fieldsOf makes an entry of such a list what a line of a table is.
func fieldsOf(item any) row {
	object, is := item.(map[string]any)
	if name, only := item.(string); only {
		object, is = map[string]any{"name": name}, true
	}
	texts := make(map[string]string, len(object))
	for name, v := range object {
		switch v := v.(type) {
		case string:
			texts[letters(name)] = strings.TrimSpace(v)
		case float64:
			texts[letters(name)] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return func(column string) string {
		for _, word := range organizationTable.columns[column] {
			if is && texts[word] != "" {
				return texts[word]
			}
		}
		return ""
	}
}
