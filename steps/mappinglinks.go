package steps

import (
	"fmt"
	"slices"

	"msbundle/state"
)

// Take links customers as a table says: what a person chose. Customers the table
// says nothing of stay as they are, and so do those that are linked like this
// already. It tells how many were linked anew, and which lines are about nobody.
func (m *Mapping) Take(links []state.CustomerLink) (linked int, strangers []string, err error) {
	byRow := map[int][]int{}
	var order []int
	for _, l := range links {
		row := m.Find(l.Tenant)
		if row < 0 {
			strangers = append(strangers, fmt.Sprintf("line %d: %s", l.Line, l.Tenant))
			continue
		}
		n, err := m.Add(state.Organization{ID: l.Organization.ID, Name: l.Organization.Name})
		if err != nil {
			return linked, strangers, fmt.Errorf("line %d: %w", l.Line, err)
		}
		if byRow[row] == nil {
			order = append(order, row)
		}
		if !slices.Contains(byRow[row], n) {
			byRow[row] = append(byRow[row], n)
		}
	}
	for _, row := range order {
		was, now := slices.Sorted(slices.Values(m.rows[row].Organizations)), slices.Sorted(slices.Values(byRow[row]))
		if slices.Equal(was, now) {
			continue
		}
		m.Forget(row)
		for _, n := range byRow[row] {
			m.Link(row, n)
		}
		linked++
	}
	return linked, strangers, nil
}
