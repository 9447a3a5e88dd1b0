package cli

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"msbundle/steps"
)

const (
	// many is how many writes of a kind about customers are listed one by one.
	many = 12
	// manyNames is how many customers are named in a row.
	manyNames = 8
)

// manyCustomers tells whether a heading of a plan has so many writes about
// customers that the list would hide the rest.
func manyCustomers(g steps.Group) bool {
	return len(g.Changes) > many && slices.Contains([]steps.Kind{steps.KindRelationship, steps.KindLock, steps.KindExtension, steps.KindAccess}, g.Changes[0].Kind)
}

// relationshipInPath is the relationship a path is about.
var relationshipInPath = regexp.MustCompile(`(/delegatedAdminRelationships)/[^/]+`)

// printMany prints one line for each kind of request in place of one for each
// write, with the customers they are about.
func printMany(w io.Writer, p steps.Plan, g steps.Group) {
	type line struct {
		request, when string
		risk          steps.Risk
		writes        int
		customers     []string
	}
	var lines []*line
	for _, c := range g.Changes {
		request, when := c.Method+" "+relationshipInPath.ReplaceAllString(c.Path, "$1/{id}"), ""
		if c.After != "" {
			when = ", once they have approved"
		}
		i := slices.IndexFunc(lines, func(l *line) bool { return l.request == request && l.when == when && l.risk == c.Risk })
		if i < 0 {
			i, lines = len(lines), append(lines, &line{request: request, when: when, risk: c.Risk})
		}
		l := lines[i]
		l.writes++
		if name := p.CustomerOf(c).Name; name != "" && !slices.Contains(l.customers, name) {
			l.customers = append(l.customers, name)
		}
	}
	request := ""
	for _, l := range lines {
		if l.request != request {
			request = l.request
			fmt.Fprintf(w, "  %s\n", plain(request))
		}
		slices.Sort(l.customers)
		names := strings.Join(l.customers[:min(len(l.customers), manyNames)], ", ")
		if n := len(l.customers) - manyNames; n > 0 {
			names += fmt.Sprintf(" and %d more", n)
		}
		fmt.Fprintf(w, "    %-8s  %d at %s%s: %s\n", l.risk, l.writes, plural(len(l.customers), "customer"), l.when, plain(names))
	}
	fmt.Fprintln(w, "    (--verbose lists each)")
}

// writes counts the writes of a plan.
func writes(p steps.Plan) string {
	later := 0
	for _, c := range p.Changes {
		if c.After != "" {
			later++
		}
	}
	if later == 0 {
		return fmt.Sprintf("%d writes.", len(p.Changes))
	}
	return fmt.Sprintf("%d writes, %d of them once customers have approved.", len(p.Changes), later)
}
