package state

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// CustomerRow is a customer a CSV file names.
type CustomerRow struct {
	TenantID string
	Domain   string
	Name     string
	Line     int
}

// customerColumns are the names of columns people and Microsoft's exports use, in
// small letters and without anything but letters.
var customerColumns = map[string][]string{
	"tenant": {"tenantid", "tenant", "customertenantid", "customerid", "microsoftid", "id"},
	"domain": {"domain", "defaultdomain", "defaultdomainname", "domainname", "primarydomain", "primarydomainname", "customerdomain"},
	"name":   {"name", "customer", "customername", "companyname", "company", "displayname"},
}

// LoadCustomers reads a CSV file of customers. Its first line names the columns:
// tenantId and domain, of which each row needs one, and name; others are not
// looked at. Commas, semicolons and tabs separate. All faults found are joined,
// each a *FileError that names the line.
func LoadCustomers(path string) ([]CustomerRow, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, &FileError{File: path, Text: "there is no such file; a relative name counts from the folder of the setup file"}
	case err != nil:
		return nil, &FileError{File: path, Text: err.Error()}
	}
	return parseCustomers(path, data)
}

func parseCustomers(file string, data []byte) ([]CustomerRow, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if line := firstLine(data, func(l []byte) bool { return !utf8.Valid(l) }); line > 0 {
		return nil, &FileError{File: file, Line: line, Text: "this is not UTF-8 text; save the file as CSV UTF-8"}
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = separator(data), -1, true, true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, &FileError{File: file, Text: "the file is empty; its first line names the columns, such as tenantId,domain,name"}
	}
	if err != nil {
		return nil, csvError(file, err)
	}
	at := columns(header)
	if at["tenant"] < 0 && at["domain"] < 0 {
		line, _ := r.FieldPos(0)
		return nil, &FileError{File: file, Line: line, Text: "none of the columns is called tenantId or domain; the first line names the columns, such as tenantId,domain,name"}
	}
	var rows []CustomerRow
	var faults []error
	seen := map[string]int{}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(append(faults, csvError(file, err))...)
		}
		line, _ := r.FieldPos(0)
		field := func(name string) string {
			if i := at[name]; i >= 0 && i < len(fields) {
				return strings.TrimSpace(fields[i])
			}
			return ""
		}
		row := CustomerRow{field("tenant"), field("domain"), field("name"), line}
		key := strings.ToLower(row.TenantID)
		if key == "" {
			key = strings.ToLower(row.Domain)
		}
		fault := ""
		switch {
		case !slices.ContainsFunc(fields, func(s string) bool { return strings.TrimSpace(s) != "" }):
			continue // an empty line of a spreadsheet
		case row.TenantID != "" && !IsGUID(row.TenantID):
			fault = quote(row.TenantID) + " is no tenant id; it looks like 00000000-0000-0000-0000-000000000000"
		case row.Domain != "" && !domain.MatchString(row.Domain):
			fault = quote(row.Domain) + " is no domain; it looks like contoso.onmicrosoft.com"
		case key == "":
			fault = "there is neither a tenant id nor a domain in this row"
		case seen[key] > 0:
			fault = fmt.Sprintf("%s stands in line %d already; keep one", quote(key), seen[key])
		}
		if fault != "" {
			faults = append(faults, &FileError{File: file, Line: line, Text: fault})
			continue
		}
		seen[key] = line
		rows = append(rows, row)
	}
	if len(rows) == 0 && len(faults) == 0 {
		return nil, &FileError{File: file, Text: "the file names no customer"}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return rows, nil
}

// separator is what separates the names of the columns: spreadsheets write what
// the country they are used in is used to.
func separator(data []byte) rune {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	best, most := ',', bytes.Count(first, []byte(","))
	for _, r := range ";\t" {
		if n := bytes.Count(first, []byte(string(r))); n > most {
			best, most = r, n
		}
	}
	return best
}

// columns finds where each column stands; -1 where it does not.
func columns(header []string) map[string]int {
	at := map[string]int{}
	for name, known := range customerColumns {
		at[name] = -1
		for _, word := range known { // the surest name first
			i := slices.IndexFunc(header, func(s string) bool { return letters(s) == word })
			if i >= 0 {
				at[name] = i
				break
			}
		}
	}
	return at
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

func csvError(file string, err error) error {
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return &FileError{File: file, Line: bad.Line, Text: "this is not CSV: " + bad.Err.Error()}
	}
	return &FileError{File: file, Text: err.Error()}
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
