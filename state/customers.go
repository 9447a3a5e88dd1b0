package state

import (
	"fmt"
	"path/filepath"
	"strings"
)

// CustomerRow is a customer a CSV file names.
type CustomerRow struct {
	TenantID string
	Domain   string
	Name     string
	Line     int
}

// customerTable has the columns people and Microsoft's exports use.
var customerTable = table{
	columns: map[string][]string{
		"tenant": {"tenantid", "tenant", "customertenantid", "customerid", "microsoftid", "id"},
		"domain": {"domain", "defaultdomain", "defaultdomainname", "domainname", "primarydomain", "primarydomainname", "customerdomain"},
		"name":   {"name", "customer", "customername", "companyname", "company", "displayname"},
	},
	needs: []string{"tenant", "domain"}, needed: "tenantId or domain", example: "tenantId,domain,name",
	nothing: "the file names no customer",
}

// LoadCustomers reads a CSV file of customers. Its first line names the columns:
// tenantId and domain, of which each row needs one, and name; others are not
// looked at. Commas, semicolons and tabs separate. All faults found are joined,
// each a *FileError that names the line.
func LoadCustomers(path string) ([]CustomerRow, error) {
	var rows []CustomerRow
	seen := map[string]int{}
	err := customerTable.load(path, func(r row, line int) string {
		c := CustomerRow{r("tenant"), r("domain"), r("name"), line}
		key := strings.ToLower(c.TenantID)
		if key == "" {
			key = strings.ToLower(c.Domain)
		}
		switch {
		case c.TenantID != "" && !IsGUID(c.TenantID):
			return quote(c.TenantID) + " is no tenant id; it looks like 00000000-0000-0000-0000-000000000000"
		case c.Domain != "" && !domain.MatchString(c.Domain):
			return quote(c.Domain) + " is no domain; it looks like contoso.onmicrosoft.com"
		case key == "":
			return "there is neither a tenant id nor a domain in this row"
		case seen[key] > 0:
			return fmt.Sprintf("%s stands in line %d already; keep one", quote(key), seen[key])
		}
		seen[key] = line
		rows = append(rows, c)
		return ""
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// beside makes the name of a file that stands in a setup file one that counts from
// where the setup file lies.
func beside(setup, file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	path, err := filepath.Abs(filepath.Join(filepath.Dir(setup), file))
	if err != nil {
		return file
	}
	return path
}
