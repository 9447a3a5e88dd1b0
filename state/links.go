package state

import (
	"strings"
)

// CustomerLink is a line of a table that says which of Rewst's organisations a
// customer is.
type CustomerLink struct {
	Tenant       string // the customer's tenant id, in small letters
	Organization OrganizationRef
	Line         int
}

// linkTable has the columns of an exported mapping.
var linkTable = table{
	columns: map[string][]string{
		"tenant": {"tenantid", "customertenantid", "microsofttenantid", "tid", "tenant"},
		"name":   {"organizationname", "organisationname", "orgname", "organization", "organisation"},
		"id":     {"organizationid", "organisationid", "orgid"},
	},
	needs: []string{"tenant"}, needed: "tenantId", example: "tenantId,organizationName",
	nothing: "the file links no customer",
}

// LoadLinks reads a CSV file that links customers to organisations, such as an
// exported mapping after somebody went through it. Its first line names the columns,
// of which tenantId has to be there. A customer with several organisations stands in
// several lines; a line without an organisation says nothing. All faults found are
// joined, each a *FileError that names the line.
func LoadLinks(path string) ([]CustomerLink, error) {
	var list []CustomerLink
	err := linkTable.load(path, func(r row, line int) string {
		ref := OrganizationRef{ID: unarmed(r("id")), Name: strings.Join(strings.Fields(unarmed(r("name"))), " ")}
		switch tenant := r("tenant"); {
		case !IsGUID(tenant):
			return quote(tenant) + " is not a tenant id"
		case ref.Name == "" && ref.ID != "":
			return "there is an organizationId and no organizationName"
		case ref.Name != "":
			if text := CheckOrganizationName(ref.Name); text != "" {
				return "the organisation cannot be used: " + text
			}
			list = append(list, CustomerLink{strings.ToLower(tenant), ref, line})
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// unarmed is a cell as it was before an export kept spreadsheets from taking it for
// a formula.
func unarmed(s string) string {
	if rest, found := strings.CutPrefix(s, "'"); found && strings.IndexAny(strings.TrimLeft(rest, " "), "=+-@|%＝＋－＠") == 0 {
		return rest
	}
	return s
}
