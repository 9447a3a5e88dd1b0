package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	"msbundle/state"
	"msbundle/steps"
)

// planWithCustomers shows every write of a setup that has a section about customers'
// tenants.
func (a *app) planWithCustomers(ctx context.Context, answers state.Answers, choose choices, count workers, verbose bool, out string) error {
	s, account, err := a.signedIn(ctx, answers, true)
	if err != nil {
		return err
	}
	options, p := choose.options(answers), steps.Plan{Answers: answers}
	if !onlyCustomers(answers) {
		if p, err = a.planned(ctx, s, answers, options); err != nil {
			return err
		}
		if !a.flags.json {
			printPlan(a.fit(a.Out), p, verbose)
		}
	}
	r := a.customersOf(s, answers, count, verbose)
	switch {
	case account.App:
		return usage("--auth env: the customers' tenants cannot be planned: %s\nSign in as a person for this: --auth device or --auth browser", appOnlyLimits)
	case appToCome(p):
		a.remark("What the customers take is planned once the app registration is there: apply makes it first, then shows the plan for the customers and asks again.")
		r = nil
	default:
		if err := r.look(ctx); err != nil {
			return err
		}
		org, who := r.clientele.Findings.Org, r.clientele.Findings.Account
		p.Tenant, p.TenantName, p.Account = org.ID, org.Name, who.Username
	}
	doc := document(p, options)
	changes := slices.Values(p.Changes)
	if r != nil {
		doc.Customers = r.clients()
		changes = concat(changes, r.changes())
	}
	if out != "" {
		err := state.StreamFile(out, func(w io.Writer) error { return streamed(w, doc, "changes", changes) })
		if err != nil {
			return &exitError{exitFailed, fmt.Errorf("the plan could not be written: %w", err)}
		}
	}
	if a.flags.json {
		w := bufio.NewWriter(a.Out)
		if err := streamed(w, doc, "changes", changes); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	} else if r != nil {
		w := a.fit(a.Out)
		r.printPlan(w)
		r.printNotes(w, r.looked())
	}
	if !p.Empty() || r != nil && !r.empty() {
		return &exitError{code: exitChanges}
	}
	return nil
}

// appToCome tells whether a plan makes the app registration.
func appToCome(p steps.Plan) bool {
	return slices.ContainsFunc(p.Changes, func(c steps.Change) bool { return c.Kind == steps.KindApplication && c.Action == steps.Create })
}

func concat[T any](lists ...iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, list := range lists {
			for v := range list {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// streamed writes a document with the items of one of its lists one by one: those
// of a thousand customers are never in memory together. The document itself has
// that list empty or not at all filled.
func streamed[T any](w io.Writer, doc any, list string, items iter.Seq[T]) error {
	var whole bytes.Buffer
	enc := json.NewEncoder(&whole)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return err
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(whole.Bytes(), &parts); err != nil {
		return err
	}
	// In a text the quotation marks would be escaped, so this is the list itself.
	head, tail, found := bytes.Cut(whole.Bytes(), append([]byte(`"`+list+`":`), parts[list]...))
	if !found {
		return fmt.Errorf("the document has no list %q", list)
	}
	w = unarmed{w}
	var one bytes.Buffer
	enc = json.NewEncoder(&one)
	enc.SetEscapeHTML(false)
	if _, err := fmt.Fprintf(w, "%s%q:[", head, list); err != nil {
		return err
	}
	comma := ""
	for item := range items {
		one.Reset()
		if err := enc.Encode(item); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s\n  %s", comma, bytes.TrimRight(one.Bytes(), "\n")); err != nil {
			return err
		}
		comma = ","
	}
	_, err := fmt.Fprintf(w, "\n]%s", tail)
	return err
}

// printPlan shows what the customers take.
func (r *atCustomers) printPlan(w io.Writer) {
	org := r.clientele.Findings.Org
	fmt.Fprintf(w, "\nCustomers of %s (%s): %s looked at, %s\n", plain(org.Name), org.ID, plural(len(r.plan.Customers), "customer"), r.shades())
	r.printMapping(w, ". 'msbundle customers' lists them.")
	if r.empty() {
		fmt.Fprintln(w, "\nNothing to change at the customers.")
	}
	before, after := r.around()
	if r.opens() {
		fmt.Fprintf(w, "\nThe app's own sign-in at %s, opened before and closed afterwards (%d)\n", plain(org.Name), len(before)+len(after))
	} else if len(after) > 0 {
		fmt.Fprintf(w, "\nLeft by an earlier run at %s (%d)\n", plain(org.Name), len(after))
	}
	for _, c := range slices.Concat(before, after) {
		printChange(w, c)
	}
	if n, _ := r.plan.Writes(); n > 0 || r.verbose {
		r.printWrites(w)
	}
	r.printLeftOut(w)
	if n, customers := r.plan.Writes(); !r.empty() {
		fmt.Fprintf(w, "\n%s at %s, and %d at %s.\n", plural(n, "write"), plural(customers, "customer"), len(before)+len(after), plain(org.Name))
	}
	if later := r.later(); later != "" && r.opens() {
		fmt.Fprintf(w, "Looked at once the app is signed in with: %s. What that takes is shown then, and asked about.\n", later)
	}
	if r.plan.Consents() && r.opens() {
		fmt.Fprintln(w, consentSays)
	}
}

// later is what only the app can see, and at how many customers it is not known yet.
func (r *atCustomers) later() string {
	roles, policies := r.plan.Later()
	var out []string
	if policies > 0 {
		out = append(out, "the Conditional Access policies of "+plural(policies, "customer"))
	}
	if roles > 0 {
		out = append(out, "whether the app has its role for Exchange Online at "+plural(roles, "customer"))
	}
	return strings.Join(out, ", and ")
}

// consentSays is what a consent made here does not do.
const consentSays = "Rewst does not learn of a consent made here: its own shield has to be pressed for each customer as well " +
	"(Marketplace, Integrations, Microsoft Cloud Bundle). That signs Rewst in at the customer as the account that presses it."

func printChange(w io.Writer, c steps.Change) {
	back := ""
	if !c.Reversible {
		back = ", not reversible"
	}
	fmt.Fprintf(w, "  %s\n    %-8s  %s%s\n", plain(c.Method+" "+derivedID.ReplaceAllString(c.Path, "[made from what it joins]")), c.Risk, plain(c.Describe()), back)
}

// printWrites shows the writes at the customers: one line for each sort, or with
// --verbose each of them.
func (r *atCustomers) printWrites(w io.Writer) { printAtCustomers(w, r.plans(), r.verbose) }

// plans are those of the customers something is written at, each made when it is
// asked for. What is left alone is told of all customers together.
func (r *atCustomers) plans() iter.Seq2[steps.Customer, steps.Plan] {
	return func(yield func(steps.Customer, steps.Plan) bool) {
		for _, c := range r.plan.Customers {
			if c.Writes() == 0 {
				continue
			}
			p := c.Plan()
			notes := p.Notes
			p.Notes = nil
			for _, n := range notes {
				if n.Done {
					p.Notes = append(p.Notes, n)
				}
			}
			if !yield(c.Customer, p) {
				return
			}
		}
	}
}

func printAtCustomers(w io.Writer, plans iter.Seq2[steps.Customer, steps.Plan], verbose bool) {
	if verbose {
		for _, p := range plans {
			fmt.Fprintln(w)
			printPlan(w, p, true)
		}
		return
	}
	lines, notes := condensed(plans)
	title, request := "", ""
	for _, l := range lines {
		if l.title != title {
			title, request = l.title, ""
			fmt.Fprintf(w, "\n%s\n", title)
		}
		if l.request != request {
			request = l.request
			fmt.Fprintf(w, "  %s\n", plain(request))
		}
		fmt.Fprintf(w, "    %-8s  %s at %s%s: %s\n", l.risk, plural(l.writes, "write"), plural(len(l.customers), "customer"), l.back, named(l.customers))
		for _, c := range l.shown {
			printPolicy(w, c)
		}
	}
	notes.print(w, "Notes", false)
	fmt.Fprintln(w, "\n(--verbose lists each write)")
}

// printPolicy shows what happens to a policy: it is somebody else's.
func printPolicy(w io.Writer, c steps.Change) {
	fmt.Fprintf(w, "              %s\n              before  %s\n              after   %s\n", plain(c.Describe()), plain(string(c.Before)), plain(string(c.Body)))
}

// named are the first of some names, and how many more there are.
func named(names []string) string {
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	out := plain(strings.Join(names[:min(len(names), manyNames)], ", "))
	if n := len(names) - manyNames; n > 0 {
		out += fmt.Sprintf(" and %d more", n)
	}
	return out
}

// writesLine is one sort of write at customers.
type writesLine struct {
	title, request, back string
	risk                 steps.Risk
	writes               int
	customers            []string
	shown                []steps.Change // that are shown each, as long as they are few
}

// ofOne is what differs from customer to customer in a path.
var ofOne = regexp.MustCompile(`\$\{[^}]*\}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(oauth2PermissionGrants/|appRoleAssignedTo/|appRoleAssignments/|roleAssignments/)[^/?]+`)

// condensed puts the writes of one sort together, and collects the notes.
func condensed(plans iter.Seq2[steps.Customer, steps.Plan]) ([]*writesLine, *sayings) {
	var lines []*writesLine
	at := map[string]*writesLine{}
	notes := &sayings{}
	for c, p := range plans {
		for _, g := range p.Groups() {
			for _, x := range g.Changes {
				l := writesLine{title: g.Title, request: x.Method + " " + ofOne.ReplaceAllString(x.Path, "$2{id}"), risk: x.Risk}
				if !x.Reversible {
					l.back = ", not reversible"
				}
				key := strings.Join([]string{l.title, l.request, l.back, l.risk.String()}, "\n")
				if at[key] == nil {
					at[key] = &l
					lines = append(lines, &l)
				}
				one := at[key]
				one.writes++
				if n := len(one.customers); n == 0 || one.customers[n-1] != label(c) {
					one.customers = append(one.customers, label(c))
				}
				if x.Kind == steps.KindPolicy && len(one.shown) < many {
					one.shown = append(one.shown, x)
				}
			}
		}
		for _, n := range p.Notes {
			notes.add(label(c), strings.TrimSuffix(n.Text+": "+n.Reason, ": "))
		}
	}
	slices.SortStableFunc(lines, func(a, b *writesLine) int {
		first := func(l *writesLine) int {
			return slices.IndexFunc(lines, func(x *writesLine) bool { return x.title == l.title })
		}
		return cmp.Compare(first(a), first(b))
	})
	return lines, notes
}

// label is what to call a customer.
func label(c steps.Customer) string { return cmp.Or(c.Name, c.Domain, c.TenantID) }

// shades counts the shields of those that were looked at, in words.
func (r *atCustomers) shades() string { return shadesOf(r.looked()) }

func shadesOf(rows []steps.CustomerRow) string {
	of := shadeCounts(rows)
	var out []string
	for _, s := range []steps.Shade{steps.Green, steps.Amber, steps.Blue, steps.Red, steps.Unseen} {
		if n := of[s]; n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, s))
		}
	}
	return cmp.Or(strings.Join(out, ", "), "none")
}

func shadeCounts(rows []steps.CustomerRow) map[steps.Shade]int {
	of := map[steps.Shade]int{}
	for _, row := range rows {
		of[row.Shield.Shade]++
	}
	return of
}

// standing are customers that stand alike.
type standing struct {
	shade       steps.Shade
	word        string // failed, left out, waiting or done; empty where nothing was asked for
	reason, fix string
	customers   []string
}

// printLeftOut lists the customers at which nothing is written though something is
// missing, and why.
func (r *atCustomers) printLeftOut(w io.Writer) {
	at := map[string]*standing{}
	for _, c := range r.plan.Customers {
		if c.Skipped == "" || c.Shield.Shade == steps.Green {
			continue
		}
		reason := c.Skipped
		key := reason + "\n" + c.Shield.Fix
		if at[key] == nil {
			at[key] = &standing{shade: c.Shield.Shade, reason: reason, fix: c.Shield.Fix}
		}
		at[key].customers = append(at[key].customers, label(c.Customer))
	}
	if len(at) == 0 {
		return
	}
	fmt.Fprintln(w, "\nNothing is written at")
	for _, key := range slices.Sorted(maps.Keys(at)) {
		s := at[key]
		fmt.Fprintf(w, "  %-6s %s\n         %s\n", s.shade, r.names(s.customers), plain(s.reason))
		if s.fix != "" && s.shade != steps.Unseen {
			fmt.Fprintf(w, "         What to do: %s\n", plain(s.fix))
		}
	}
}

// names are customers in a row, all of them with --verbose.
func (r *atCustomers) names(list []string) string { return namedOf(list, r.verbose) }

func namedOf(list []string, verbose bool) string {
	if verbose {
		return plain(strings.Join(list, ", "))
	}
	return named(list)
}

func (r *atCustomers) printMapping(w io.Writer, end string) {
	m := r.mapped()
	if m.Organizations == 0 {
		return
	}
	fmt.Fprintf(w, "Rewst's organisations: %d linked to their customers (%d just now), %d suggested, %d without one", m.Linked, m.JustLinked, m.Suggested, m.None)
	if m.Declined > 0 {
		fmt.Fprintf(w, ", %d to have none", m.Declined)
	}
	if m.Wrong > 0 {
		fmt.Fprintf(w, ", %d wrong", m.Wrong)
	}
	if len(r.known) == 0 {
		fmt.Fprint(w, ", as they were linked before: no list is named (customers: mapping)")
	}
	fmt.Fprintln(w, end)
}
