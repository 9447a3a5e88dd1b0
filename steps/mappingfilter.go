package steps

import (
	"bytes"
	"strings"
)

// MappingFilter chooses rows. What is empty chooses all.
type MappingFilter struct {
	Text   string // words that all stand in the customer's name, domains, tenant id or organisations
	States []RowState
	Shades []Shade
}

// Filter appends the places of the chosen rows to a list.
func (m *Mapping) Filter(into []int, f MappingFilter) []int {
	found := m.found(strings.Fields(folded(f.Text)))
	var states, shades uint
	for _, s := range f.States {
		states |= 1 << s
	}
	for _, s := range f.Shades {
		shades |= 1 << s
	}
	for row := range m.rows {
		if found != nil && !found[row] || states != 0 && states&(1<<m.states[row]) == 0 ||
			shades != 0 && shades&(1<<m.rows[row].Shield.Shade) == 0 {
			continue
		}
		into = append(into, row)
	}
	return into
}

// found tells of each row whether all words stand in it or in the names of its
// organisations; nil when there are none.
func (m *Mapping) found(words []string) []bool {
	var all []bool
	for _, w := range words {
		one := make([]bool, len(m.rows))
		m.rowTexts.each(w, func(row int) { one[row] = true })
		m.organizationTexts.each(w, func(n int) {
			for _, row := range m.users[n] {
				one[row] = true
			}
		})
		if all == nil {
			all = one
			continue
		}
		for row := range all {
			all[row] = all[row] && one[row]
		}
	}
	return all
}

// texts are many short texts in one, because searching that is quicker.
type texts struct {
	all   []byte
	start []int // of each text
}

func (t *texts) add(s string) {
	t.start = append(t.start, len(t.all))
	t.all = append(append(t.all, folded(s)...), 0)
}

// each calls for every text that holds a word.
func (t *texts) each(word string, found func(n int)) {
	w := []byte(word)
	for n, from := 0, 0; ; {
		at := bytes.Index(t.all[from:], w)
		if at < 0 {
			return
		}
		for at += from; n+1 < len(t.start) && t.start[n+1] <= at; {
			n++
		}
		found(n)
		if n+1 == len(t.start) {
			return
		}
		from = t.start[n+1]
	}
}
