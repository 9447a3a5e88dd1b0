package steps

import (
	"fmt"
	"slices"

	"msbundle/state"
)

// Taken is what came of a table of links.
type Taken struct {
	Linked    int      // customers that were linked anew
	Unlinked  int      // customers whose choice was taken back
	None      int      // customers that are to have none now
	New       []string // organisations nobody knew so far
	Strangers []string // lines about nobody
}

// Said says in words what came of the table's lines about customers.
func (t Taken) Said() string {
	text := plural(t.Linked, "customer") + " linked"
	if t.Unlinked > 0 {
		text += fmt.Sprintf(", %d unlinked", t.Unlinked)
	}
	if t.None > 0 {
		text += fmt.Sprintf(", %d set to none", t.None)
	}
	return text
}

// taking is what a table says of one customer.
type taking struct {
	row           int
	organizations []int
	byHand        bool
	says          bool   // it says how the customer stood
	state         string // of lines without an organisation
	chose         bool   // a person chose that, by those lines
	line          int
}

// Take links customers as a table says. Customers the table says nothing of stay as
// they are. An organisation that was emptied is taken away, and the customer is not
// linked again by itself. One that had none is to have none when the table says so;
// otherwise it stays as it is, but for a customer that was to have none, by hand: that
// is taken back.
func (m *Mapping) Take(links []state.CustomerLink) (Taken, error) {
	var out Taken
	var all []*taking
	of := map[int]*taking{}
	for _, l := range links {
		row := m.Find(l.Tenant)
		if row < 0 {
			out.Strangers = append(out.Strangers, fmt.Sprintf("line %d: %s", l.Line, l.Tenant))
			continue
		}
		t := of[row]
		if t == nil {
			t = &taking{row: row}
			of[row] = t
			all = append(all, t)
		}
		t.says = t.says || l.State != ""
		if l.Organization.Name == "" {
			t.state, t.line, t.chose = l.State, l.Line, l.ByHand
			continue
		}
		known := len(m.organizations)
		n, err := m.given(row, l)
		if err != nil {
			return out, fmt.Errorf("line %d: %w", l.Line, err)
		}
		if n == known && m.isNew(n) {
			out.New = append(out.New, m.organizations[n].Name)
		}
		t.byHand = t.byHand || l.ByHand || !heldOne(l.State)
		if !slices.Contains(t.organizations, n) {
			t.organizations = append(t.organizations, n)
		}
	}
	for _, t := range all {
		if err := m.take(t, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// TakeFile does what a file says that is a mapping. Every line has to be about a
// customer.
func (m *Mapping) TakeFile(path string) (Taken, error) {
	var got Taken
	links, err := state.LoadLinks(path)
	if err == nil {
		switch got, err = m.Take(links); {
		case err != nil:
			err = &state.FileError{File: path, Text: err.Error()}
		case len(got.Strangers) > 0:
			err = &state.FileError{File: path, Text: "not among the customers: " + some(got.Strangers)}
		}
	}
	return got, problem(err, "the mapping cannot be taken")
}

// given is the organisation a line names. What was Rewst's when the table was
// written stays that where this mapping does not know better.
func (m *Mapping) given(row int, l state.CustomerLink) (int, error) {
	n, found := m.find(l.Organization)
	o := state.Organization{ID: l.Organization.ID, Name: l.Organization.Name}
	switch {
	case found && l.Known:
		return n, nil
	case !found && l.Known && len(m.rows[row].Organizations) == 0 && (!m.listed || l.State == rowWords[RowMissing]):
		return m.put(o, sourceKept), nil
	}
	return m.Add(o)
}

func (m *Mapping) take(t *taking, out *Taken) error {
	r := &m.rows[t.row]
	had, declined := len(r.Organizations) > 0, m.declined[t.row]
	if len(t.organizations) > 0 {
		if was, now := slices.Sorted(slices.Values(r.Organizations)), slices.Sorted(slices.Values(t.organizations)); slices.Equal(was, now) {
			r.ByHand = r.ByHand || t.byHand && t.says
			return nil
		}
		m.Forget(t.row)
		for _, n := range t.organizations {
			m.Link(t.row, n)
		}
		r.ByHand = t.byHand || had
		out.Linked++
		return nil
	}
	switch {
	case t.state == rowWords[RowDeclined]:
		m.Decline(t.row)
	case heldOne(t.state):
		for len(r.Organizations) > 0 {
			m.Unlink(t.row, r.Organizations[0])
		}
		if s := r.Suggested; s != nil && s.Certain {
			m.Decline(t.row)
		}
	case !slices.Contains(rowWords[:], t.state):
		return fmt.Errorf("line %d: %q is not a state; without an organisation it is %q, or stays as it was exported", t.line, t.state, rowWords[RowDeclined])
	case declined && t.chose: // it was exported so, and is to be nobody's choice
		m.Forget(t.row)
	}
	switch now := m.declined[t.row]; {
	case now && !declined:
		out.None++
	case had && len(r.Organizations) == 0, declined && !now:
		out.Unlinked++
	}
	return nil
}

// heldOne tells whether a customer that stood so had an organisation.
func heldOne(state string) bool {
	return state == rowWords[RowLinked] || state == rowWords[RowShared] || state == rowWords[RowMissing]
}
