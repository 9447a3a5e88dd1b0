package state

import (
	"strings"
)

// CustomerLink is a line of a table that says which of Rewst's organisations a
// customer is.
type CustomerLink struct {
	Tenant       string          // the customer's tenant id, in small letters
	Organization OrganizationRef // empty where the line names none
	State        string          // how the customer stood when the table was written; empty when it does not say
	ByHand       bool            // a person had chosen it
	Known        bool            // the organisation was one of Rewst's, and none that somebody typed
	Line         int
}

// linkTable has the columns of an exported mapping.
var linkTable = table{
	columns: map[string][]string{
		"tenant": {"tenantid", "customertenantid", "microsofttenantid", "tid", "tenant"},
		"name":   {"organizationname", "organisationname", "orgname", "organization", "organisation"},
		"id":     {"organizationid", "organisationid", "orgid"},
		"new":    {"neworganization"},
		"state":  {"state"},
		"hand":   {"byhand"},
	},
	needs: []string{"tenant"}, needed: "tenantId", example: "tenantId,organizationName",
	nothing: "the file links no customer",
	others:  []string{"managingorgid", "orgslug", "isenabled"},
	other:   "this is a list of Rewst's organisations, which links nobody; name it in the setup file (customers: mapping), and here an exported mapping.csv",
}

// IsMapping tells by its columns whether a file links customers to organisations,
// where a list of organisations could stand as well: it is an exported mapping, or it
// says a customer and then its organisation. That says nothing about its lines.
func IsMapping(path string) bool {
	_, header, err := linkTable.begin(path)
	if err != nil || has(header, linkTable.others) {
		return false
	}
	at, list := linkTable.find(header), organizationTable.find(header)
	switch {
	case has(header, organizationTable.others):
		return true
	case at["tenant"] < 0 || at["name"] < at["tenant"]:
		return false
	}
	return has(header, []string{"customer", "customername", "customertenantid"}) || list["domain"] < 0 && list["id"] < 0
}

// LoadLinks reads a CSV file that links customers to organisations, such as an
// exported mapping after somebody went through it. Its first line names the columns,
// of which tenantId has to be there. A customer with several organisations stands in
// several lines. A line that names no organisation counts where the table says how
// the customer stood, and says nothing elsewhere. All faults found are joined, each a
// *FileError that names the line.
func LoadLinks(path string) ([]CustomerLink, error) {
	var list []CustomerLink
	err := linkTable.load(path, func(r row, line int) string {
		l := CustomerLink{
			Tenant:       strings.ToLower(r("tenant")),
			Organization: OrganizationRef{ID: unarmed(r("id")), Name: strings.Join(strings.Fields(unarmed(r("name"))), " ")},
			State:        strings.ToLower(r("state")), ByHand: says(r("hand"), "yes", "true"), Known: says(r("new"), "no", "false"), Line: line,
		}
		switch ref := l.Organization; {
		case !IsGUID(l.Tenant):
			return quote(r("tenant")) + " is not a tenant id"
		case ref.Name == "" && l.State == "" && ref.ID != "":
			return "there is an organizationId and no organizationName"
		case ref.Name == "" && l.State == "":
			return ""
		case ref.Name == "":
			l.Organization = OrganizationRef{} // only the name was emptied
		default:
			if text := CheckOrganizationName(ref.Name); text != "" {
				return "the organisation cannot be used: " + text
			}
		}
		list = append(list, l)
		return ""
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// says tells whether a cell is one of two words.
func says(cell, word, other string) bool {
	return strings.EqualFold(cell, word) || strings.EqualFold(cell, other)
}

// unarmed is a cell as it was before an export kept spreadsheets from taking it for
// a formula.
func unarmed(s string) string {
	if rest, found := strings.CutPrefix(s, "'"); found && strings.IndexAny(strings.TrimLeft(rest, " \u00a0\u3000\ufeff"), "=+-@|%＝＋－＠") == 0 {
		return rest
	}
	return s
}
