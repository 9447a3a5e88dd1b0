package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"msbundle/state"
	"msbundle/steps"
)

// The table fits a terminal, whatever customers are called; nothing is broken inside a
// word. Elsewhere each customer has its line.
func TestCustomersFitTheTerminal(t *testing.T) {
	rows := []steps.CustomerRow{
		{Customer: steps.Customer{TenantID: "11111111-0000-4000-8000-000000000001", Name: "Bellows College of Further Education", Domain: "bellowscollege.onmicrosoft.com"}},
		{Customer: steps.Customer{TenantID: "11111111-0000-4000-8000-000000000002", Name: strings.Repeat("世界", 40), Domain: "world.example"}},
		{Customer: steps.Customer{TenantID: "11111111-0000-4000-8000-000000000003", Name: "Fabrikam"}},
	}
	const reason = "The service account is not a member of the group that has the relationship's roles, so there is no way in."
	rows[0].Shield = steps.Shield{Shade: steps.Red, At: time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC), Reason: reason}
	m := steps.MatchCustomers(rows, []state.Organization{{Name: "Bellows Coll."}, {Name: "Fabrikam"}, {Name: "Fabrikam Ltd"}}, state.Mapping{})
	r := &atCustomers{app: &app{}, mapping: m}
	table := func() [][]string {
		lines := make([][]string, len(rows))
		for i := range rows {
			lines[i] = lineOf(rows[i], r.listed(m.Rows()[i]))
		}
		return lines
	}
	at := func(width int) string {
		var out strings.Builder
		if err := printLines(&fitted{Writer: &out, columns: func() int { return width }}, table()); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, width := range []int{60, 80, 100} {
		text := at(width)
		for line := range strings.Lines(text) {
			if n := ansi.StringWidth(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("%d: %d cells: %s", width, n, line)
			}
		}
		if words := strings.Join(strings.Fields(text), " "); !strings.Contains(words, "; "+reason) || !strings.Contains(text, "\n   bellowscollege.onmicrosoft.com; seen 2026-03-04 ") || !strings.Contains(words, "Fabrikam?") {
			t.Errorf("%d:\n%s", width, text)
		}
	}
	var piped strings.Builder
	if err := printLines(&piped, table()); err != nil || piped.String() != at(0) || piped.String() != at(1000) || strings.Count(piped.String(), "\n") != 4 || !strings.Contains(piped.String(), reason+"\n") {
		t.Errorf("%v:\n%s", err, piped.String())
	}
}
