package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"msbundle/state"
	"msbundle/steps"
)

const customersSchema = "msbundle.customers/1"

// Words --look takes besides the names of customers.
const (
	lookAll    = "all"
	lookFailed = "failed"
)

// listing is what the command customers was asked for.
type listing struct {
	file    string
	look    []string
	mapping string
	export  string
	workers workers
	verbose bool
	close   bool
	yes     bool
}

func (a *app) customersCommand() *cobra.Command {
	var l listing
	c := &cobra.Command{
		Use:   "customers",
		Short: "List the customers: how each stands, and which organisation it is in Rewst",
		Long: "Lists the partner's customers with their shields, as they were seen last, and with the Rewst organisations they\n" +
			"are linked to. --look reads customers' tenants anew. It writes to no tenant, but for\n" +
			"--close.\n\n" +
			"A shield is green when six reads of the customer's tenant said so; amber when the way in is open and something is\n" +
			"missing; blue when it is not set up yet; red when something is refused. -v shows the six reads.\n\n" +
			"Organisations come from the file the setup file names (customers.mapping), and from a workflow of your own: its\n" +
			"trigger's address in " + webhookVar + ", its secret in " + webhookSecretVar + ". Links that are certain are made\n" +
			"and kept; others are listed with a question mark. --export writes them as a table; go through it, and give it back\n" +
			"with --mapping: customers whose organisation was emptied are unlinked, or set to none where they would be linked\n" +
			"again by themselves; those with the state \"none, by hand\" are to have none; those that are not in the table stay as\n" +
			"they are. --export also writes what Rewst is to import: organisations for customers without one, and those that\n" +
			"somebody typed.\n\n" +
			"  msbundle customers --look all\n  msbundle customers --look failed\n  msbundle customers --look fabrikam.com -v\n" +
			"  msbundle customers --export rewst\n  msbundle customers --mapping rewst/" + steps.MappingTable + "\n\n" +
			"Exit code 1: a customer failed: its shield is red, or what was written there last was refused.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.customers(cmd.Context(), l) },
	}
	c.Flags().StringVarP(&l.file, "file", "f", "", "setup file; default: the one kept for the tenant")
	c.Flags().StringSliceVar(&l.look, "look", nil, "read these customers' tenants: all, failed (red, or the last write was refused), or names, domains or tenant ids")
	c.Flags().StringVar(&l.mapping, "mapping", "", "take links from this table: an exported mapping.csv, or tenantId and organizationName")
	c.Flags().StringVar(&l.export, "export", "", "write the mapping (CSV and JSON) and the organisations Rewst lacks (CSV) into this folder")
	c.Flags().Var(&l.workers, "workers", workersUsage)
	c.Flags().BoolVar(&l.close, "close", false, "close the app's own sign-in that an ended run left open, and nothing else")
	c.Flags().BoolVar(&l.yes, "yes", false, "with --close: do not ask before writing")
	c.Flags().BoolVarP(&l.verbose, "verbose", "v", false, "show the reads behind each shield")
	return c
}

func (a *app) customers(ctx context.Context, l listing) error {
	if info, err := os.Stat(l.export); l.export != "" && err == nil && !info.IsDir() {
		return usage("--export: %s is there and is no folder", l.export)
	}
	var links []state.CustomerLink
	if l.mapping != "" {
		var err error
		if links, err = state.LoadLinks(l.mapping); err != nil {
			return &exitError{exitUsage, fmt.Errorf("--mapping: %w", err)}
		}
	}
	if a.flags.auth == authEnv {
		return usage("--auth env: %s\nSign in as a person for this: --auth device or --auth browser", appOnlyLimits)
	}
	if l.close {
		return a.closeLeft(ctx, l)
	}
	s, answers, err := a.beginCustomers(ctx, l.file, true)
	if err != nil {
		return err
	}
	r := a.customersOf(s, answers, l.workers, l.verbose)
	if err := r.list(ctx); err != nil {
		return err
	}
	r.remarkLeft(r.clientele)
	if err := r.take(links); err != nil {
		return err
	}
	if err := r.keepMapping(); err != nil {
		return err
	}
	tenants, err := r.named(l.look)
	if err != nil {
		return err
	}
	if len(tenants) > 0 {
		if err := r.read(ctx, tenants); err != nil {
			return err
		}
		if err := r.keepMapping(); err != nil {
			return err
		}
	}
	rows := slices.Clone(r.clientele.Rows)
	if len(tenants) > 0 {
		rows = r.looked()
	}
	sort.Slice(rows, func(i, j int) bool { // slices' own would be compiled anew for rows
		a, b := &rows[i].Customer, &rows[j].Customer
		return cmp.Or(strings.Compare(strings.ToLower(label(*a)), strings.ToLower(label(*b))), strings.Compare(a.TenantID, b.TenantID)) < 0
	})
	var written []string
	if l.export != "" {
		if written, err = r.mapping.Export(l.export); err != nil {
			return err
		}
	}
	if err := r.tell(rows, written); err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(row steps.CustomerRow) bool { return row.Shield.Failed() }) {
		return &exitError{code: exitFailed}
	}
	return nil
}

// beginCustomers signs in to look at customers. The answers are those of the file,
// or those kept for the tenant.
func (a *app) beginCustomers(ctx context.Context, file string, reads bool) (*steps.Setup, state.Answers, error) {
	answers, section := state.DefaultAnswers(), state.DefaultCustomers()
	answers.Tenant, answers.Account = a.flags.tenant, a.flags.account
	if file != "" {
		data, err := a.read(file)
		if err == nil {
			answers, err = a.answers(file, data)
		}
		if err != nil {
			return nil, answers, err
		}
	}
	answers.Customers = cmp.Or(answers.Customers, &section)
	if direct(answers) {
		return nil, answers, usage("-f: %s takes the direct route, on which each customer is a tenant of its own: see 'msbundle plan -f %s'", file, file)
	}
	s, _, err := a.signedIn(ctx, customersOnly(answers), reads)
	if err != nil || file != "" {
		return s, answers, err
	}
	kept, found, err := s.Saved()
	if err == nil && found {
		kept.Customers = cmp.Or(kept.Customers, &section)
		answers = kept
	}
	return s, answers, err
}

// take links customers as a table says.
func (r *atCustomers) take(links []state.CustomerLink) error {
	if len(links) == 0 {
		return nil
	}
	got, err := r.mapping.Take(links)
	switch strangers := got.Strangers; {
	case err != nil:
		return usage("--mapping: %w", err)
	case len(strangers) > 0:
		return usage("--mapping: not among the %d customers of %s: %s", len(r.clientele.Rows), r.clientele.Findings.Org.Name, strings.Join(strangers[:min(len(strangers), many)], ", "))
	}
	r.mapping.AcceptCertain() // others may be free now
	r.remark("%s as the table says.", got.Said())
	if len(got.New) > 0 {
		r.remark("New to Rewst's list: %s. --export writes them for Rewst to import.", named(got.New))
	}
	return nil
}

// named are the customers --look is about.
func (r *atCustomers) named(words []string) ([]string, error) {
	var out []string
	for _, word := range words {
		var found []string
		switch word {
		case lookAll:
			found = r.clientele.Tenants(func(steps.CustomerRow) bool { return true })
		case lookFailed:
			if found = r.clientele.Tenants(func(row steps.CustomerRow) bool { return row.Shield.Failed() }); len(found) == 0 && len(words) == 1 {
				r.remark("Nothing has failed at a customer: there is nothing to look at again.")
			}
		default:
			one := state.Customers{Consent: []string{word}}
			found = r.clientele.Tenants(func(row steps.CustomerRow) bool {
				return one.Chosen(row.TenantID, row.Domains) || strings.EqualFold(row.Name, word)
			})
			if len(found) != 1 {
				return nil, usage("--look: %s of %s is called %q; %s", count(len(found)), plural(len(r.clientele.Rows), "customer"), word, r.meant(word))
			}
		}
		for _, tenant := range found {
			if !slices.Contains(out, tenant) {
				out = append(out, tenant)
			}
		}
	}
	return out, nil
}

// meant says how to name a customer of whose name a word is a part.
func (r *atCustomers) meant(word string) string {
	var like []string
	for i := range r.clientele.Rows {
		if c := &r.clientele.Rows[i].Customer; strings.Contains(strings.ToLower(c.Name), strings.ToLower(word)) {
			like = append(like, cmp.Or(c.Domain, c.TenantID))
		}
	}
	if len(like) == 0 || len(like) > manyNames {
		return "use its domain or its tenant id"
	}
	return "did you mean " + plain(strings.Join(like, " or ")) + "?"
}

func count(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

// tell lists customers.
func (r *atCustomers) tell(rows []steps.CustomerRow, written []string) error {
	if r.flags.json {
		org := r.clientele.Findings.Org
		doc := map[string]any{
			"schema": customersSchema, "tenant": org.ID, "tenantName": org.Name, "mapping": r.mapped(), "exported": append([]string{}, written...), "customers": []any{},
		}
		return streamed(r.Out, doc, "customers", func(yield func(customerDocumentRow) bool) {
			for _, row := range rows {
				if !yield(r.listed(row)) {
					return
				}
			}
		})
	}
	w := r.fit(r.Out)
	if err := r.printTable(w, rows); err != nil {
		return err
	}
	r.printMapping(w, ".")
	for _, path := range written {
		r.remark("Written: %s", path)
	}
	if len(written) > 0 {
		r.remark("%s", r.mapping.Lacking())
	}
	return nil
}

// customerDocumentRow is a customer as the command lists it.
type customerDocumentRow struct {
	standDocument
	MappingState string   `json:"mappingState"`
	Suggestion   string   `json:"suggestion,omitempty"`
	Confidence   float64  `json:"confidence,omitempty"`
	Because      string   `json:"because,omitempty"` // why it is suggested
	Errors       []string `json:"errors,omitempty"`  // of its organisations
}

func (r *atCustomers) listed(row steps.CustomerRow) customerDocumentRow {
	d := customerDocumentRow{standDocument: r.client(row, true)}
	i := r.mapping.Find(row.TenantID)
	if i < 0 {
		return d
	}
	d.MappingState, d.Errors = r.mapping.State(i).String(), r.mapping.Errors(i)
	if s := r.mapping.Rows()[i].Suggested; s != nil && len(d.Organizations) == 0 {
		d.Suggestion, d.Confidence, d.Because = r.mapping.Organizations()[s.Organization].Name, s.Confidence, s.Reason
	}
	return d
}

// glyphs stand for the shades where colours are not seen.
var glyphs = map[steps.Shade]string{steps.Green: "+", steps.Amber: "~", steps.Blue: "o", steps.Red: "x", steps.Unseen: "?"}

// printTable lists customers in a table, with what is wrong with them below.
func (r *atCustomers) printTable(w io.Writer, rows []steps.CustomerRow) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "The partner has no customers.")
		return err
	}
	lines := make([][]string, len(rows))
	var wrong []string
	for i, row := range rows {
		d := r.listed(row)
		lines[i] = lineOf(row, d)
		for _, text := range d.Errors {
			wrong = append(wrong, d.label()+": "+text)
		}
	}
	if err := printLines(w, lines); err != nil {
		return err
	}
	if r.verbose {
		for _, row := range rows {
			printShield(w, row)
		}
	}
	fmt.Fprintf(w, "\n%s: %s\n", plural(len(rows), "customer"), shadesOf(rows))
	for _, s := range fixes(rows) {
		fmt.Fprintf(w, "  %s: %s\n    What to do: %s\n", s.shade, r.names(s.customers), plain(s.fix))
	}
	for _, text := range wrong {
		fmt.Fprintf(w, "WRONG  %s\n", plain(text))
	}
	r.printNotes(w, rows)
	return nil
}

// lineOf is what the table says of a customer: glyph, shade, name, organisation,
// domain, when it was seen, why the organisation is suggested, and the reason.
func lineOf(row steps.CustomerRow, d customerDocumentRow) []string {
	organization, seen := cmp.Or(strings.Join(d.Organizations, ", "), "-"), ""
	switch {
	case d.Suggestion != "":
		organization = d.Suggestion + "?"
	case d.MappingState == steps.RowDeclined.String():
		organization = d.MappingState
	}
	if !row.Shield.At.IsZero() {
		seen = row.Shield.At.Local().Format("2006-01-02 15:04")
	}
	line := []string{glyphs[row.Shield.Shade], row.Shield.Shade.String(), d.label(), organization, row.Domain, seen, d.Because, row.Shield.Reason}
	for i := range line {
		line[i] = plain(line[i])
	}
	return line
}

// printLines writes a line for each customer where that fits, and two in a terminal
// it is too long for.
func printLines(w io.Writer, lines [][]string) error {
	var whole bytes.Buffer
	t := tabwriter.NewWriter(&whole, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tshield\tcustomer\tdomain\tseen\torganisation in Rewst\treason")
	for _, l := range lines {
		organization := l[3]
		if l[6] != "" {
			organization += " (" + l[6] + ")"
		}
		fmt.Fprintln(t, strings.Join([]string{l[0], l[1], short(l[2]), short(l[4]), cmp.Or(l[5], "-"), short(organization), l[7]}, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	width, widest := 0, 0
	if f, is := w.(*fitted); is {
		width = f.columns()
	}
	for line := range strings.Lines(whole.String()) { // of which the end has no width
		widest = max(widest, ansi.StringWidth(line))
	}
	if width < 1 || widest <= width {
		_, err := whole.WriteTo(w)
		return err
	}
	name := max((width-18)/2, 8)
	for i := -1; i < len(lines); i++ {
		l := []string{"", "shield", "customer", "organisation in Rewst"}
		if i >= 0 {
			if l = lines[i]; l[5] != "" {
				l[5] = "seen " + l[5]
			}
		}
		var cells [4]string
		for n, width := range []int{3, 15, name, name} {
			cell := ansi.Truncate(l[n], width-2, "…")
			cells[n] = cell + strings.Repeat(" ", width-ansi.StringWidth(cell))
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells[:], ""), " "))
		about := slices.DeleteFunc(slices.Clone(l[4:]), func(s string) bool { return s == "" })
		if len(about) > 0 {
			fmt.Fprintln(w, "   "+strings.Join(about, "; "))
		}
	}
	return nil
}

// fixes are what to do about customers that are not green, the worst first.
func fixes(rows []steps.CustomerRow) []*standing {
	var out []*standing
	for _, shade := range []steps.Shade{steps.Red, steps.Amber, steps.Blue} {
		for _, row := range rows {
			s := row.Shield
			if s.Shade != shade || s.Fix == "" {
				continue
			}
			i := slices.IndexFunc(out, func(x *standing) bool { return x.shade == shade && x.fix == s.Fix })
			if i < 0 {
				i, out = len(out), append(out, &standing{shade: shade, fix: s.Fix})
			}
			out[i].customers = append(out[i].customers, label(row.Customer))
		}
	}
	return out
}

// printShield shows the reads behind a shield.
func printShield(w io.Writer, row steps.CustomerRow) {
	fmt.Fprintf(w, "\n%s (%s): %s", plain(label(row.Customer)), row.TenantID, row.Shield.Shade)
	if row.Shield.At.IsZero() {
		fmt.Fprintln(w)
		return
	}
	fmt.Fprintf(w, ", looked at on %s\n", row.Shield.At.Local().Format(time.DateTime))
	for _, c := range row.Shield.Checks {
		mark := map[steps.CheckState]string{steps.Passed: "ok", steps.Failed: "BROKEN", steps.Warned: "!", steps.Unknown: "?"}[c.State]
		fmt.Fprintf(w, "  %-7s %-13s %s\n", mark, c.Proof, plain(c.Evidence))
		if c.Fix != "" {
			fmt.Fprintf(w, "                        What to do: %s\n", plain(c.Fix))
		}
		if c.State == steps.Failed && c.RequestID != "" {
			fmt.Fprintf(w, "                        request id: %s\n", c.RequestID)
		}
	}
}

// short is a cell of a table: a name can have hundreds of letters.
func short(s string) string {
	const most = 48
	letters := []rune(plain(s))
	if len(letters) <= most {
		return string(letters)
	}
	return string(letters[:most-1]) + "…"
}
