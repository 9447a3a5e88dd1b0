package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// row is one line of a picker. What it looks like is up to whoever draws it.
type row struct {
	group  int
	head   bool   // the heading of its group
	search string // lower-cased text the filter looks in
}

// picker is a windowed list with groups and a filter: only the visible rows are
// drawn, so its cost does not grow with the list.
type picker struct {
	rows      []row
	visible   []int // rows that pass the filter and whose group is open
	cursor    int   // index into visible
	filter    string
	collapsed map[int]bool
}

func newPicker(rows []row) *picker {
	p := &picker{collapsed: map[int]bool{}}
	p.SetRows(rows)
	return p
}

// SetRows replaces the rows and keeps the cursor at the same place.
func (p *picker) SetRows(rows []row) {
	at := p.Current()
	p.rows = rows
	p.refresh(at)
}

// refresh works out what is visible and puts the cursor on a row, or on the next
// one that is visible.
func (p *picker) refresh(at int) {
	p.visible = p.visible[:0]
	p.cursor = 0
	placed := false
	head := -1
	for i, r := range p.rows {
		show := false
		switch {
		case r.head:
			head = i
			show = p.filter == ""
		case p.filter != "":
			show = strings.Contains(r.search, p.filter)
			if show && head >= 0 { // a filtered group shows its heading too
				p.visible = append(p.visible, head)
				head = -1
			}
		default:
			show = !p.collapsed[r.group]
		}
		if !show {
			continue
		}
		if !placed && i >= at && at >= 0 {
			p.cursor, placed = len(p.visible), true
		}
		p.visible = append(p.visible, i)
	}
	if !placed && at > 0 {
		p.cursor = max(len(p.visible)-1, 0)
	}
	// Someone who filters wants a row, not a heading.
	if p.filter != "" && p.cursor < len(p.visible)-1 && p.rows[p.visible[p.cursor]].head {
		p.cursor++
	}
}

// Current is the row under the cursor, -1 when there is none.
func (p *picker) Current() int {
	if p.cursor < 0 || p.cursor >= len(p.visible) {
		return -1
	}
	return p.visible[p.cursor]
}

// Select puts the cursor on a row, opening its group.
func (p *picker) Select(i int) {
	if i >= 0 && i < len(p.rows) && !p.rows[i].head {
		delete(p.collapsed, p.rows[i].group)
	}
	p.refresh(i)
}

// Filter shows only rows that contain text, in any case, with the cursor on the
// first. Without text it shows all rows and stays where it is.
func (p *picker) Filter(text string) {
	if text = strings.ToLower(strings.TrimSpace(text)); text != p.filter {
		at := p.Current()
		if p.filter = text; text != "" {
			at = -1
		}
		p.refresh(at)
	}
}

// Move moves the cursor by n rows.
func (p *picker) Move(n int) {
	p.cursor = min(max(p.cursor+n, 0), max(len(p.visible)-1, 0))
}

// Collapse closes or opens the group under the cursor.
func (p *picker) Collapse(closed bool) {
	at := p.Current()
	if at < 0 || p.filter != "" {
		return
	}
	g := p.rows[at].group
	if p.collapsed[g] == closed {
		return
	}
	if closed {
		p.collapsed[g] = true
		at = slices.IndexFunc(p.rows, func(r row) bool { return r.group == g })
	} else {
		delete(p.collapsed, g)
	}
	p.refresh(at)
}

// Collapsed tells whether a group is closed. A filter looks into closed groups.
func (p *picker) Collapsed(group int) bool { return p.filter == "" && p.collapsed[group] }

// Update moves the cursor when a key says so.
func (p *picker) Update(msg tea.KeyPressMsg, k moveKeys) bool {
	switch {
	case pressed(msg, &k.Up):
		p.Move(-1)
	case pressed(msg, &k.Down):
		p.Move(1)
	case pressed(msg, &k.PageUp):
		p.Move(-10)
	case pressed(msg, &k.PageDown):
		p.Move(10)
	case pressed(msg, &k.First):
		p.Move(-len(p.visible))
	case pressed(msg, &k.Last):
		p.Move(len(p.visible))
	default:
		return false
	}
	return true
}

// View draws the rows around the cursor, at most height of them. The window
// follows from the cursor alone, so the same state always looks the same. When a
// group's heading has left the window it takes the place of the first line.
func (p *picker) View(height int, draw func(i int, current bool) string) []string {
	if height <= 0 {
		return nil
	}
	from := min(max(p.cursor-height/2, 0), max(len(p.visible)-height, 0))
	to := min(from+height, len(p.visible))
	out := make([]string, 0, height)
	for at := from; at < to; at++ {
		i := p.visible[at]
		if at == from && at != p.cursor && !p.rows[i].head {
			if h := p.headOf(i); h >= 0 {
				i = h
			}
		}
		out = append(out, draw(i, at == p.cursor))
	}
	return out
}

func (p *picker) headOf(i int) int {
	for ; i >= 0; i-- {
		if p.rows[i].head {
			return i
		}
	}
	return -1
}

// hidden counts the rows outside a window of the given height.
func (p *picker) hidden(height int) (above, below int) {
	from := min(max(p.cursor-height/2, 0), max(len(p.visible)-height, 0))
	return from, max(len(p.visible)-from-height, 0)
}
