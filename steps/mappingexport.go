package steps

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"msbundle/state"
)

// MostNewOrganizations is how many organisations Rewst takes from one file.
const MostNewOrganizations = 1000

// Words for how a customer stands, as exports have them.
var rowWords = [...]string{
	RowOpen: "none", RowSuggested: "suggested", RowCertain: "suggested, certain", RowLinked: "linked", RowDeclined: "none, by hand",
	RowMissing: "organisation missing", RowShared: "organisation shared",
}

func (s RowState) String() string { return rowWords[s] }

// newOrganizations are what Rewst is to make: organisations that somebody typed and
// linked, then one for each customer that has neither a link nor a suggestion nor is
// to have none. Each has a name, which no other has, and a domain.
func (m *Mapping) newOrganizations() (rows [][]string, typed int) {
	taken := make(map[string]bool, len(m.organizations))
	for n, o := range m.organizations {
		if m.source[n] != sourceTyped || o.ID != "" {
			taken[nameKey(o.Name)] = true
		}
	}
	add := func(name, domain string) { rows = append(rows, []string{newName(name, domain, taken), domain}) }
	for n, o := range m.organizations {
		if m.isNew(n) && len(m.users[n]) > 0 {
			add(o.Name, cmp.Or(o.Domain, m.rows[m.users[n][0]].ownDomain()))
		}
	}
	typed = len(rows)
	for i := range m.rows {
		if r := &m.rows[i]; m.states[i] == RowOpen {
			add(cmp.Or(strings.TrimSpace(r.Name), r.ownDomain(), r.TenantID), r.ownDomain())
		}
	}
	return rows, typed
}

// isNew tells whether an organisation is one that somebody typed, and not Rewst's.
func (m *Mapping) isNew(organization int) bool {
	return m.source[organization] == sourceTyped && m.organizations[organization].ID == ""
}

// NewOrganizations are the files Rewst imports organisations from, for what it
// lacks: CSV with a name and a domain, each of at most MostNewOrganizations rows. No
// name is one that Rewst has already.
func (m *Mapping) NewOrganizations() [][]byte {
	var files [][]byte
	rows, _ := m.newOrganizations()
	for part := range slices.Chunk(rows, MostNewOrganizations) {
		files = append(files, tableOf([]string{"organizationName", "domain"}, part))
	}
	return files
}

// Lacking says what those files hold.
func (m *Mapping) Lacking() string {
	rows, typed := m.newOrganizations()
	text := "Rewst lacks no organisation"
	if len(rows) > 0 {
		text = fmt.Sprintf("For Rewst to import: %s, %d of them typed by hand, the others for customers without one", plural(len(rows), "organisation"), typed)
	}
	if n := m.Count(RowSuggested) + m.Count(RowCertain); n > 0 {
		text += fmt.Sprintf("; nothing yet for %s with a suggestion to decide on", plural(n, "customer"))
	}
	return text + "."
}

// newName is a name no organisation has, and makes it taken. Rewst compares names
// whatever their case.
func newName(name, domain string, taken map[string]bool) string {
	name = strings.Join(strings.Fields(harmless(name)), " ")
	most := state.MaxOrganizationName - utf8.RuneCountInString(defused(name)) + utf8.RuneCountInString(name)
	for n := 1; ; n++ {
		mark := ""
		switch {
		case n == 2 && domain != "" && len(domain) < state.MaxOrganizationName/2:
			mark = " (" + domain + ")"
		case n > 1:
			mark = fmt.Sprintf(" (%d)", n)
		}
		full := strings.TrimSpace(cutTo(name, most-utf8.RuneCountInString(mark))) + mark
		if key := nameKey(defused(full)); !taken[key] { // as it is written
			taken[key] = true
			return full
		}
	}
}

func cutTo(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// ownDomain is a domain of the customer's that people know it by, else any.
func (r *CustomerRow) ownDomain() string {
	if all := r.allDomains(); len(all) > 0 {
		return all[0]
	}
	return strings.ToLower(r.Domain)
}

// Table is the mapping as CSV: a line for each customer and organisation. Given back
// to Take it links the same customers again, the same of them by hand.
func (m *Mapping) Table() []byte {
	var rows [][]string
	for i := range m.rows {
		r := &m.rows[i]
		line := func(organization, id, isNew string) {
			cells := []string{r.Name, r.TenantID, r.ownDomain(), organization, id, isNew, m.states[i].String(), yesNo(m.chosen(i)), "", "", ""}
			if s := r.Suggested; s != nil {
				copy(cells[8:], []string{m.organizations[s.Organization].Name, strconv.FormatFloat(s.Confidence, 'f', 2, 64), s.Reason})
			}
			rows = append(rows, cells)
		}
		for _, n := range r.Organizations {
			line(m.organizations[n].Name, m.organizations[n].ID, yesNo(m.isNew(n)))
		}
		if len(r.Organizations) == 0 {
			line("", "", "")
		}
	}
	return tableOf([]string{"customer", "tenantId", "domain", "organizationName", "organizationId", "newOrganization", "state", "byHand", "suggestion", "confidence", "reason"}, rows)
}

// chosen tells whether a person chose how a customer stands. That its organisations
// were taken away says nothing about what it is to have.
func (m *Mapping) chosen(row int) bool {
	return m.rows[row].ByHand && (len(m.rows[row].Organizations) > 0 || m.declined[row])
}

// yesNo is for tables: spreadsheets write true in the language of their user.
func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

const mappingSchema = "msbundle.mapping/1"

type mappedCustomer struct {
	Customer      string               `json:"customer"`
	TenantID      string               `json:"tenantId"`
	Domain        string               `json:"domain,omitempty"`
	Organizations []mappedOrganization `json:"organizations"`
	State         string               `json:"state"`
	ByHand        bool                 `json:"byHand"`
	Suggestion    *mappedSuggestion    `json:"suggestion,omitempty"`
	Errors        []string             `json:"errors,omitempty"`
}

type mappedOrganization struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name"`
	New  bool   `json:"new,omitempty"` // somebody typed it; Rewst does not have it
}

type mappedSuggestion struct {
	mappedOrganization
	Confidence float64 `json:"confidence"`
	Certain    bool    `json:"certain"`
	Reason     string  `json:"reason"`
}

// Document is the mapping as JSON.
func (m *Mapping) Document() []byte {
	doc := struct {
		Schema    string           `json:"schema"`
		Customers []mappedCustomer `json:"customers"`
	}{Schema: mappingSchema, Customers: make([]mappedCustomer, len(m.rows))}
	of := func(n int) mappedOrganization {
		return mappedOrganization{harmless(m.organizations[n].ID), harmless(m.organizations[n].Name), m.isNew(n)}
	}
	for i := range m.rows {
		r := &m.rows[i]
		c := mappedCustomer{
			Customer: harmless(r.Name), TenantID: r.TenantID, Domain: harmless(r.ownDomain()), Organizations: []mappedOrganization{},
			State: m.states[i].String(), ByHand: m.chosen(i),
		}
		for _, n := range r.Organizations {
			c.Organizations = append(c.Organizations, of(n))
		}
		if s := r.Suggested; s != nil {
			c.Suggestion = &mappedSuggestion{of(s.Organization), s.Confidence, s.Certain, harmless(s.Reason)}
		}
		for _, e := range m.Errors(i) {
			c.Errors = append(c.Errors, harmless(e))
		}
		doc.Customers[i] = c
	}
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil { // texts and numbers always encode
		return nil
	}
	return append(data, '\n')
}

// Names of the files of an exported mapping.
const (
	MappingTable    = "mapping.csv"
	MappingDocument = "mapping.json"
)

// newOrganizationsFile is the name of a file for Rewst's import, numbered from 1.
func newOrganizationsFile(n int) string { return fmt.Sprintf("new-organizations-%d.csv", n) }

// Export writes the mapping as CSV and JSON into a folder, and what Rewst is to
// import where organisations are lacking. It tells what it wrote.
// Files for the import that an earlier, longer export left are removed: they would
// make organisations twice.
func (m *Mapping) Export(dir string) ([]string, error) {
	var written []string
	write := func(name string, data []byte) error {
		path, err := filepath.Abs(filepath.Join(dir, name))
		if err == nil {
			err = state.WriteFile(path, data)
		}
		if err == nil {
			written = append(written, path)
		}
		return problem(err, "the mapping could not be exported")
	}
	if err := write(MappingTable, m.Table()); err != nil {
		return written, err
	}
	if err := write(MappingDocument, m.Document()); err != nil {
		return written, err
	}
	files := m.NewOrganizations()
	for i, data := range files {
		if err := write(newOrganizationsFile(i+1), data); err != nil {
			return written, err
		}
	}
	for n := len(files) + 1; ; n++ {
		switch err := os.Remove(filepath.Join(dir, newOrganizationsFile(n))); {
		case errors.Is(err, fs.ErrNotExist):
			return written, nil
		case err != nil:
			return written, problem(err, "an earlier export could not be removed")
		}
	}
}

// MappingDir is the folder a mapping is exported to unless another is named.
func (s *Setup) MappingDir() string {
	return filepath.Join(state.Dir(s.root, state.Identity{Cloud: s.cloudID, Tenant: s.account.TenantID}), "mapping")
}

// ExportMapping writes a mapping into a folder, and tells what it wrote.
func (s *Setup) ExportMapping(m *Mapping, dir string) ([]string, error) { return m.Export(dir) }

// KeptMapping is what was chosen in earlier runs.
func (s *Setup) KeptMapping() (state.Mapping, error) {
	if s.store == nil { // nothing is written, so nothing was opened
		return state.Mapping{}, nil
	}
	kept, err := s.store.Mapping()
	return kept, problem(err, "the mapping that was kept cannot be read")
}

// KeepMapping makes choices durable. It waits for the disk: a screen takes
// Mapping.Kept itself and leaves this to the background.
func (s *Setup) KeepMapping(kept state.Mapping) error {
	return problem(s.store.SaveMapping(kept), "the mapping could not be kept")
}

// ListedOrganizations are those of the file the answers name; none when they name
// no file.
func ListedOrganizations(a state.Answers) ([]state.Organization, error) {
	if a.Customers == nil || a.Customers.Mapping == "" {
		return nil, nil
	}
	list, err := state.LoadOrganizations(a.Customers.Mapping)
	return list, problem(err, "the file with Rewst's organisations cannot be used")
}
