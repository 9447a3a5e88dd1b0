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

const verboseUsage = "list every write, also where there are many about customers"

// manyCustomers tells whether a heading of a plan has so many writes about
// customers that the list would hide the rest.
func manyCustomers(g steps.Group) bool {
	return len(g.Changes) > many && slices.Contains([]steps.Kind{steps.KindRelationship, steps.KindLock, steps.KindExtension, steps.KindAccess}, g.Changes[0].Kind)
}

// aboutCustomer is a relationship, or what a group has of it, that a path is about.
var aboutCustomer = regexp.MustCompile(`(/delegatedAdminRelationships|/accessAssignments)/[^/]+`)

// deed is what a change about a customer does: 3 roles given at.
type deed struct{ noun, verb, where string }

func deedOf(c steps.Change) deed {
	undo := strings.HasPrefix(c.ID, "undo/")
	switch {
	case c.Kind == steps.KindRelationship && c.Action == steps.Create:
		return deed{"relationship", "made", "with"}
	case c.Kind == steps.KindRelationship:
		return deed{"relationship", "deleted", "with"}
	case c.Kind == steps.KindLock && undo:
		return deed{"relationship", "ended", "with"}
	case c.Kind == steps.KindLock:
		return deed{"relationship", "opened for approval", "with"}
	case c.Kind == steps.KindExtension && undo:
		return deed{"relationship", "not extended any more", "with"}
	case c.Kind == steps.KindExtension:
		return deed{"relationship", "extended", "with"}
	case c.Action == steps.Remove:
		return deed{"role", "taken away", "at"}
	case c.Action == steps.Update && undo:
		return deed{"group", "set back to the earlier roles", "at"}
	case c.Action == steps.Update:
		return deed{"group", "given another role", "at"}
	}
	return deed{"role", "given", "at"}
}

// printMany prints one line for each kind of request in place of one for each
// write, with the customers they are about.
func printMany(w io.Writer, p steps.Plan, g steps.Group) {
	type line struct {
		request, when, back string
		risk                steps.Risk
		deed                deed
		writes              int
		customers           []string
	}
	var lines []*line
	for _, c := range g.Changes {
		one := line{request: c.Method + " " + aboutCustomer.ReplaceAllString(c.Path, "$1/{id}"), risk: c.Risk, deed: deedOf(c)}
		if c.After != "" {
			one.when = ", once they have approved"
		}
		if !c.Reversible {
			one.back = ", not reversible"
		}
		i := slices.IndexFunc(lines, func(l *line) bool {
			return l.request == one.request && l.when == one.when && l.back == one.back && l.risk == one.risk && l.deed == one.deed
		})
		if i < 0 {
			i, lines = len(lines), append(lines, &one)
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
		fmt.Fprintf(w, "    %-8s  %s %s %s %s%s%s: %s\n", l.risk, plural(l.writes, l.deed.noun), l.deed.verb, l.deed.where,
			plural(len(l.customers), "customer"), l.when, l.back, plain(names))
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
		return plural(len(p.Changes), "write") + "."
	}
	return fmt.Sprintf("%d writes, %d of them once customers have approved.", len(p.Changes), later)
}
