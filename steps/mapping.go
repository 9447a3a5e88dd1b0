package steps

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"msbundle/state"
)

// RowState is how a customer stands with Rewst's organisations.
type RowState int

// The states of a customer in the mapping.
const (
	RowOpen      RowState = iota // nothing is like it in Rewst
	RowSuggested                 // there is a suggestion, which a person has to look at
	RowCertain                   // there is a suggestion that needs no look
	RowLinked                    // it has its organisation, or several
	RowDeclined                  // a person said that it has none
	RowMissing                   // an organisation it was linked to is no longer in the list
	RowShared                    // another customer is linked to the same organisation, which is an error
	rowStateCount
)

// source is where an organisation is known from.
type source uint8

const (
	sourceList  source = iota // Rewst's
	sourceTyped               // a person typed it
	sourceKept                // only a kept choice knows it
)

// Mapping is customers against Rewst's organisations. Whatever changes one row
// takes time that does not grow with the number of rows, but for rows that share an
// organisation or want the same. It belongs to one goroutine at a time.
type Mapping struct {
	rows              []CustomerRow
	organizations     []state.Organization
	source            []source           // of each organisation
	listed            bool               // somebody gave Rewst's list: what is not in it is missing
	users             [][]int32          // rows linked to each organisation
	wanted            [][]int32          // rows that are suggested each organisation
	named             map[string]int     // organisations by name, in small letters
	suggested         []*Suggestion      // of each row, also while it cannot be taken
	declined          map[int]bool       // rows a person said have no organisation
	states            []RowState         // of each row
	shared            []int32            // of each row: how many of its organisations others have too
	gone              []int32            // of each row: how many of its organisations are missing
	tally             [rowStateCount]int // rows in each state
	byTenant          map[string]int
	rowTexts          texts        // what a row is found by, besides what it is linked to
	organizationTexts texts        // what an organisation is found by
	kept              []state.Link // choices about customers that are not among the rows
	keptFor           []string     // their tenants
}

// MatchCustomers sets customers against organisations: what was chosen before is
// chosen again, and customers without a choice are suggested what they seem to be.
// An organisation that is chosen or that Rewst has under another tenant is
// suggested to nobody else.
func MatchCustomers(rows []CustomerRow, organizations []state.Organization, kept state.Mapping) *Mapping {
	m := &Mapping{
		rows: slices.Clone(rows), states: make([]RowState, len(rows)), suggested: make([]*Suggestion, len(rows)),
		shared: make([]int32, len(rows)), gone: make([]int32, len(rows)),
		declined: map[int]bool{}, byTenant: make(map[string]int, len(rows)), named: make(map[string]int, len(organizations)),
	}
	m.tally[RowOpen] = len(rows)
	for i := range m.rows {
		r := &m.rows[i]
		r.Organizations, r.ByHand, r.Suggested = nil, false, nil
		m.rowTexts.add(r.Name + "\n" + r.Domain + "\n" + strings.Join(r.Domains, "\n") + "\n" + r.TenantID)
		if _, twice := m.byTenant[strings.ToLower(r.TenantID)]; !twice {
			m.byTenant[strings.ToLower(r.TenantID)] = i
		}
	}
	m.listed = len(organizations) > 0
	for _, o := range organizations {
		m.put(o, sourceList)
	}
	for _, o := range kept.Typed {
		if _, found := m.find(state.OrganizationRef{ID: o.ID, Name: o.Name}); !found {
			m.put(o, sourceTyped)
		}
	}
	m.restore(kept)
	m.suggest()
	return m
}

func (m *Mapping) put(o state.Organization, from source) int {
	n := len(m.organizations)
	m.organizations = append(m.organizations, o)
	m.source = append(m.source, from)
	m.users, m.wanted = append(m.users, nil), append(m.wanted, nil)
	m.organizationTexts.add(o.Name)
	if key := nameKey(o.Name); key != "" {
		if _, twice := m.named[key]; !twice {
			m.named[key] = n
		}
	}
	if o.ID != "" {
		m.named[idKey(o.ID)] = n
	}
	return n
}

// Names and ids of organisations share one table; no name holds a line break.
// They are compared as exports write them.
func nameKey(s string) string { return strings.ToLower(strings.Join(strings.Fields(harmless(s)), " ")) }
func idKey(s string) string   { return "\n" + strings.ToLower(s) }

// find looks for an organisation as it was called in another list. Where both
// lists know ids, the id decides: it may have another name by now.
func (m *Mapping) find(ref state.OrganizationRef) (int, bool) {
	if ref.ID != "" {
		if n, found := m.named[idKey(ref.ID)]; found {
			return n, true
		}
	}
	n, found := m.named[nameKey(ref.Name)]
	if found && ref.ID != "" && m.organizations[n].ID != "" {
		return 0, false
	}
	return n, found
}

// restore takes up what was chosen before.
func (m *Mapping) restore(kept state.Mapping) {
	for _, tenant := range slices.Sorted(maps.Keys(kept.Links)) {
		link := kept.Links[tenant]
		row, found := m.byTenant[strings.ToLower(tenant)]
		if !found { // it may come back
			m.kept, m.keptFor = append(m.kept, link), append(m.keptFor, tenant)
			continue
		}
		for _, ref := range link.Organizations {
			n, found := m.find(ref)
			if !found {
				n = m.put(state.Organization{ID: ref.ID, Name: ref.Name}, sourceKept)
			}
			m.link(row, n)
		}
		m.rows[row].ByHand = link.ByHand
		if len(link.Organizations) == 0 && !link.Open {
			m.declined[row] = true
			m.refresh(row)
		}
	}
}

// Rows are the customers in the order they were given. They are for reading.
func (m *Mapping) Rows() []CustomerRow { return m.rows }

// Organizations are those customers can be linked to: the given ones, then typed
// ones and those that only a kept choice knows. They are for reading.
func (m *Mapping) Organizations() []state.Organization { return m.organizations }

// Missing tells whether an organisation is not in the list any more, and stands
// there because somebody chose it before.
func (m *Mapping) Missing(organization int) bool {
	return m.listed && m.source[organization] == sourceKept
}

// Wrong tells whether an organisation is missing, or several customers have it.
func (m *Mapping) Wrong(organization int) bool {
	return m.Missing(organization) || len(m.users[organization]) > 1
}

// Users are the customers linked to an organisation, by their rows. They are for
// reading.
func (m *Mapping) Users(organization int) []int32 { return m.users[organization] }

// Find is the row of a customer; -1 when there is none.
func (m *Mapping) Find(tenant string) int {
	if row, found := m.byTenant[strings.ToLower(tenant)]; found {
		return row
	}
	return -1
}

// State is how a customer stands.
func (m *Mapping) State(row int) RowState { return m.states[row] }

// Count is how many customers stand so.
func (m *Mapping) Count(s RowState) int { return m.tally[s] }

// SetShield records how a customer stands with the app.
func (m *Mapping) SetShield(row int, s Shield) { m.rows[row].Shield = s }

// Link gives a customer an organisation, besides those it has: a person's choice.
func (m *Mapping) Link(row, organization int) {
	m.link(row, organization)
	m.rows[row].ByHand = true
}

func (m *Mapping) link(row, organization int) {
	r := &m.rows[row]
	delete(m.declined, row)
	if slices.Contains(r.Organizations, organization) {
		return
	}
	r.Organizations = append(r.Organizations, organization)
	m.users[organization] = append(m.users[organization], int32(row))
	if m.Missing(organization) {
		m.gone[row]++
	}
	switch users := m.users[organization]; len(users) {
	case 1:
		m.refreshWanted(organization)
	case 2:
		m.shared[users[0]]++
		m.refresh(int(users[0]))
		fallthrough
	default:
		m.shared[row]++
	}
	m.refresh(row)
}

// Unlink takes an organisation from a customer: a person's choice. A customer that
// has none left stands as if nothing had been chosen, but for what is certain: nothing
// is linked by itself where a person unlinked. What it would be linked to again at
// once stays away, and it is to have none.
func (m *Mapping) Unlink(row, organization int) {
	r := &m.rows[row]
	at := slices.Index(r.Organizations, organization)
	if at < 0 {
		return
	}
	// A copy: whoever was handed the row still reads the old list.
	r.Organizations = append(slices.Clone(r.Organizations[:at]), r.Organizations[at+1:]...)
	users := m.users[organization]
	users = slices.Delete(users, slices.Index(users, int32(row)), slices.Index(users, int32(row))+1)
	m.users[organization] = users
	if m.Missing(organization) {
		m.gone[row]--
	}
	switch len(users) {
	case 0:
		s := m.suggested[row]
		if !r.ByHand || s != nil && s.Certain && (s.Organization == organization || slices.Contains(s.Also, organization)) {
			m.declined[row] = true
		}
		m.refreshWanted(organization)
	case 1:
		m.shared[users[0]]--
		m.refresh(int(users[0]))
		fallthrough
	default:
		m.shared[row]--
	}
	r.ByHand = true
	m.refresh(row)
}

// Decline says for a person that a customer has no organisation.
func (m *Mapping) Decline(row int) {
	for len(m.rows[row].Organizations) > 0 {
		m.Unlink(row, m.rows[row].Organizations[0])
	}
	m.declined[row], m.rows[row].ByHand = true, true
	m.refresh(row)
}

// Forget takes back every choice about a customer: it is suggested what it was.
func (m *Mapping) Forget(row int) {
	m.Decline(row)
	delete(m.declined, row)
	m.rows[row].ByHand = false
	m.refresh(row)
}

// Choice is what is chosen for a customer.
type Choice struct {
	organizations    []int
	byHand, declined bool
}

// Choice is what is chosen for a customer now.
func (m *Mapping) Choice(row int) Choice {
	return Choice{slices.Clone(m.rows[row].Organizations), m.rows[row].ByHand, m.declined[row]}
}

// Choose goes back to what was chosen for a customer.
func (m *Mapping) Choose(row int, c Choice) {
	m.Forget(row)
	for _, n := range c.organizations {
		m.link(row, n)
	}
	if c.declined {
		m.declined[row] = true
	}
	m.rows[row].ByHand = c.byHand
	m.refresh(row)
}

// Accept takes a customer's suggestion, as a person's choice. It tells whether
// there was one.
func (m *Mapping) Accept(row int) bool {
	taken := m.accept(row)
	m.rows[row].ByHand = m.rows[row].ByHand || taken
	return taken
}

func (m *Mapping) accept(row int) bool {
	s := m.rows[row].Suggested
	if s == nil || m.states[row] != RowSuggested && m.states[row] != RowCertain {
		return false
	}
	for _, n := range append([]int{s.Organization}, s.Also...) {
		m.link(row, n)
	}
	return true
}

// AcceptCertain takes all suggestions that need no look, and tells how many.
func (m *Mapping) AcceptCertain() int {
	n := 0
	for row := range m.rows {
		if m.states[row] == RowCertain && m.accept(row) {
			n++
		}
	}
	return n
}

// Add makes an organisation that was typed one of those that can be linked to, and
// tells its place. One of the same name is taken instead.
func (m *Mapping) Add(o state.Organization) (int, error) {
	o.Name, o.Line = strings.TrimSpace(o.Name), 0
	if text := state.CheckOrganizationName(o.Name); text != "" {
		return 0, fmt.Errorf("the organisation cannot be added: %s", text)
	}
	if n, found := m.find(state.OrganizationRef{ID: o.ID, Name: o.Name}); found {
		if m.source[n] == sourceKept {
			m.source[n] = sourceTyped
		}
		for _, row := range m.users[n] { // whoever has it
			m.gone[row] = 0
			for _, other := range m.rows[row].Organizations {
				if m.Missing(other) {
					m.gone[row]++
				}
			}
			m.refresh(int(row))
		}
		return n, nil
	}
	return m.put(o, sourceTyped), nil
}

// refresh decides how a row stands, and keeps count.
func (m *Mapping) refresh(row int) {
	r := &m.rows[row]
	r.Suggested = m.suggested[row]
	if r.Suggested != nil && len(r.Organizations) == 0 && (m.declined[row] || m.taken(row, r.Suggested)) {
		r.Suggested = nil
	}
	s := RowOpen
	switch {
	case m.shared[row] > 0:
		s = RowShared
	case m.gone[row] > 0:
		s = RowMissing
	case len(r.Organizations) > 0:
		s = RowLinked
	case m.declined[row]:
		s = RowDeclined
	case r.Suggested != nil && r.Suggested.Certain && !r.ByHand:
		s = RowCertain
	case r.Suggested != nil:
		s = RowSuggested
	}
	m.tally[m.states[row]]--
	m.tally[s]++
	m.states[row] = s
}

// taken tells whether another customer has what a row is suggested.
func (m *Mapping) taken(row int, s *Suggestion) bool {
	other := func(n int) bool {
		return slices.ContainsFunc(m.users[n], func(u int32) bool { return int(u) != row })
	}
	return other(s.Organization) || slices.ContainsFunc(s.Also, other)
}

func (m *Mapping) refreshWanted(organization int) {
	for _, row := range m.wanted[organization] {
		m.refresh(int(row))
	}
}

// TakenBy says for a customer without a link or a suggestion that another one has the
// organisation it is like; empty when none is.
func (m *Mapping) TakenBy(row int) string {
	name := m.rows[row].Name
	n, found := m.find(state.OrganizationRef{Name: name})
	like := []int{n}
	if s := m.suggested[row]; s != nil {
		like, found = append(slices.Clone(s.Also), s.Organization), true
	}
	if !found || m.states[row] != RowOpen {
		return ""
	}
	for _, n := range like {
		organization := m.organizations[n].Name
		for _, user := range m.users[n] {
			return fmt.Sprintf("%s is like it, but %s has that one", organization, m.toldApart(int(user), name, organization))
		}
	}
	return ""
}

// Errors says what is wrong with a customer's organisations; none when nothing is.
func (m *Mapping) Errors(row int) []string {
	if m.states[row] != RowShared && m.gone[row] == 0 {
		return nil
	}
	var out []string
	for _, n := range m.rows[row].Organizations {
		name := m.organizations[n].Name
		if users := m.users[n]; len(users) > 1 {
			other := users[0]
			if int(other) == row {
				other = users[1]
			}
			more := ""
			if len(users) > 2 {
				more = fmt.Sprintf(" and %d more", len(users)-2)
			}
			who := m.toldApart(int(other), m.rows[row].Name, name)
			out = append(out, fmt.Sprintf("%s is linked to %s%s too; in Rewst one organisation has one customer, so unlink all but one", name, who, more))
		}
		if m.Missing(n) {
			out = append(out, fmt.Sprintf("%s is not among Rewst's organisations any more; unlink it or choose another", name))
		}
	}
	return out
}

// toldApart is what to call a customer where other names stand beside it.
func (m *Mapping) toldApart(row int, beside ...string) string {
	r := &m.rows[row]
	mark := cmp.Or(r.Domain, r.TenantID)
	if r.Name == "" {
		return mark
	}
	for _, name := range beside {
		if nameKey(name) == nameKey(r.Name) {
			return r.Name + " (" + mark + ")"
		}
	}
	return r.Name
}

// Kept is what is to be remembered until the next run.
func (m *Mapping) Kept() state.Mapping {
	out := state.Mapping{Links: map[string]state.Link{}}
	for i, tenant := range m.keptFor {
		out.Links[strings.ToLower(tenant)] = m.kept[i]
	}
	for row := range m.rows {
		r := &m.rows[row]
		open := len(r.Organizations) == 0 && !m.declined[row]
		if open && !r.ByHand || r.TenantID == "" {
			continue
		}
		link := state.Link{ByHand: r.ByHand, Open: open}
		for _, n := range r.Organizations {
			link.Organizations = append(link.Organizations, state.OrganizationRef{ID: m.organizations[n].ID, Name: m.organizations[n].Name})
		}
		out.Links[strings.ToLower(r.TenantID)] = link
	}
	for n, o := range m.organizations {
		if m.source[n] == sourceTyped {
			out.Typed = append(out.Typed, o)
		}
	}
	return out
}
