package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"msbundle/state"
	"msbundle/steps"
)

const invitationsSchema = "msbundle.invitations/1"

// invitationDocument is what one customer has to approve.
type invitationDocument struct {
	Customer     map[string]string `json:"customer"`
	Relationship string            `json:"relationship"` // its name
	ID           string            `json:"id"`
	State        string            `json:"state"` // Microsoft's word
	Link         string            `json:"link"`
	Since        string            `json:"since"`
	Days         int               `json:"days"` // it waits
	Lapses       string            `json:"lapses"`
	Reminded     string            `json:"reminded,omitempty"`  // last
	Rehearsal    bool              `json:"rehearsal,omitempty"` // nobody is to get it
}

// customersDocument is how far the customers of the setup have come.
type customersDocument struct {
	Chosen  int `json:"chosen"`
	Ready   int `json:"ready"` // with every role in force
	Waiting int `json:"waiting"`

	Failed []failedDocument `json:"failed,omitempty"`
	Ended  []endDocument    `json:"ended,omitempty"`  // declined, lapsed or ended in this run
	Others []endDocument    `json:"others,omitempty"` // not ready for another reason
}

// endDocument is how it stands with a customer who is not ready and not waited for.
type endDocument struct {
	Customer     string `json:"customer"`
	TenantID     string `json:"tenantId"`
	Relationship string `json:"relationship,omitempty"`
	How          string `json:"how"`
}

func endDocuments(list []steps.CustomerEnd) []endDocument {
	var out []endDocument
	for _, c := range list {
		out = append(out, endDocument{c.Customer.Name, c.Customer.TenantID, c.Relationship, c.How})
	}
	return out
}

// failedDocument is a customer with whom it did not work.
type failedDocument struct {
	Customer string `json:"customer"`
	TenantID string `json:"tenantId"`
	Text     string `json:"text"`
	Cause    string `json:"cause,omitempty"`
	Do       string `json:"do,omitempty"`
	Words    string `json:"words,omitempty"` // the service's own
}

func failedDocuments(list []steps.CustomerFailure) []failedDocument {
	var out []failedDocument
	for _, f := range list {
		out = append(out, failedDocument{f.Customer.Name, f.Customer.TenantID, f.Problem.What, f.Problem.Cause, f.Problem.Do, f.Problem.Raw})
	}
	return out
}

func invitationDocuments(list []steps.Invitation, now time.Time) []invitationDocument {
	out := []invitationDocument{}
	for _, i := range list {
		d := invitationDocument{
			Customer: customerDocument(i.Customer), Relationship: i.Name, ID: i.ID, State: i.Status, Link: i.Link,
			Since: i.Since.UTC().Format(time.RFC3339), Days: i.Waits(now), Lapses: i.Until.UTC().Format(time.RFC3339),
			Rehearsal: i.Rehearsal,
		}
		if !i.Reminded.IsZero() {
			d.Reminded = i.Reminded.UTC().Format(time.RFC3339)
		}
		out = append(out, d)
	}
	return out
}

func (a *app) invitationsCommand() *cobra.Command {
	var file, export string
	c := &cobra.Command{
		Use:   "invitations",
		Short: "List the customers who have not approved yet",
		Long: "Reads which relationships wait for their customers, the longest first, each with the link that has to be\n" +
			"opened there by a Global Administrator of the customer's own tenant. It changes nothing in any tenant, and can be\n" +
			"run beside a wizard or an apply. Exit code 8: somebody is waited for; 0: nobody is.\n\n" +
			"--export also writes a mail to each customer, which a mail program opens as a draft, and a table of all. Once a\n" +
			"customer has approved, 'msbundle apply' gives the groups their roles there.\n\n" +
			"  msbundle invitations --export mails",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.invitations(cmd.Context(), file, export) },
	}
	c.Flags().StringVarP(&file, "file", "f", "", "setup file; default: the one kept for the tenant, else every customer")
	c.Flags().StringVar(&export, "export", "", "write a mail (.eml) for each customer and "+steps.InvitationsFile+" into this folder")
	return c
}

func (a *app) invitations(ctx context.Context, file, export string) error {
	if info, err := os.Stat(export); export != "" && err == nil && !info.IsDir() {
		return usage("--export: %s is there and is no folder", export)
	}
	s, answers, err := a.lookAtCustomers(ctx, file, customersOnly)
	if err != nil {
		return err
	}
	answers = customersOnly(answers)
	f, err := s.InspectTenant(ctx, answers, a.watch())
	if err != nil {
		return err
	}
	for _, c := range steps.GDAPChecks(answers, f, steps.PlanOptions{Stage: steps.StageGDAP}) {
		if c.Blocks && (c.ID == steps.CheckRelationships || c.ID == steps.CheckCustomers) {
			return failed(c)
		}
	}
	list := s.Reminded(steps.Invitations(answers, f))
	table := ""
	if export != "" && len(list) > 0 {
		if table, err = steps.ExportInvitations(export, f.Org.Name, list); err != nil {
			return err
		}
	}
	if a.flags.json {
		err = a.printJSON(map[string]any{
			"schema": invitationsSchema, "tenant": f.Org.ID, "tenantName": f.Org.Name, "exported": table, "invitations": invitationDocuments(list, f.At),
		})
	} else {
		err = printInvitations(a.Out, list, f.At)
	}
	a.remarkRehearsal(list)
	switch {
	case err != nil:
	case table != "":
		a.remark("Written: %s, and a mail for each customer beside it.", table)
	case export != "":
		a.remark("Nothing was written to %s: there is nobody to send a mail to.", export)
	}
	if err == nil && len(list) > 0 {
		return &exitError{code: exitWaiting}
	}
	return err
}

// remarkRehearsal says what the links of a rehearsal lead to.
func (a *app) remarkRehearsal(list []steps.Invitation) {
	switch {
	case len(list) == 0 || a.flags.sandbox == "":
	case a.flags.sandbox != inProcess:
		a.remark("Rehearsal: nothing here reaches Microsoft. The links lead to the page of the rehearsal, which answers for the customers.")
	default:
		a.remark("Rehearsal: nothing here reaches Microsoft, and the links lead nowhere once this command has ended. The wizard, and 'msbundle sandbox', serve a page that answers for the customers.")
	}
}

// customersOnly leaves out what else a file is about.
func customersOnly(a state.Answers) state.Answers {
	a.ServiceAccount, a.ConditionalAccess, a.Azure, a.Exchange = nil, nil, nil, nil
	return a
}

// printInvitations prints a table of who is waited for.
func printInvitations(w io.Writer, list []steps.Invitation, now time.Time) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "No customer is waited for.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "customer\twaits\tlapses\treminded\tstate\tlink")
	for _, i := range list {
		reminded := "-"
		if !i.Reminded.IsZero() {
			reminded = i.Reminded.Format(time.DateOnly)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(cmp.Or(i.Customer.Name, i.Customer.TenantID)), plural(i.Waits(now), "day"), i.Until.Format(time.DateOnly), reminded, plain(i.StatusWord()), i.Link)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nWho approves: %s\n", steps.WhoApproves)
	return err
}

// printCustomers tells how far the customers have come after an apply; again is the
// command line that lists those who are waited for, empty when none would find them.
func printCustomers(w io.Writer, r *steps.Result, reminded func([]steps.Invitation) []steps.Invitation, again string) {
	d := r.Delegation
	if d == nil {
		return
	}
	fmt.Fprintf(w, "\nCustomers: %d of %d have every role in force.\n", d.Ready, d.Customers)
	var failed []string
	for _, f := range d.Failed {
		failed = append(failed, fmt.Sprintf("%s: %s", cmp.Or(f.Customer.Name, f.Customer.TenantID), f.Problem.What))
	}
	printNamed(w, "It did not work with", failed)
	printNamed(w, "It came to nothing with", endLines(d.Ended))
	printNamed(w, "Not ready, and not waited for", endLines(d.Others))
	if r.Tenant == nil && d.Ready > 0 {
		fmt.Fprintln(w, "Whether multifactor authentication is demanded of the account was not looked at; no customer is reached without it. 'msbundle explain --customer NAME' looks at that too.")
	}
	if len(d.Invitations) == 0 {
		return
	}
	fmt.Fprintf(w, "\nNot approved yet (%d):\n", len(d.Invitations))
	_ = printInvitations(w, reminded(d.Invitations), readAt(r)) // nothing to be done when nobody listens
	if again != "" {
		fmt.Fprintf(w, "Mails to send to them: %s --export FOLDER\n", again)
	}
}

// printNamed lists customers under a heading; nothing where there are none.
func printNamed(w io.Writer, heading string, lines []string) {
	if len(lines) > 0 {
		fmt.Fprintf(w, "\n%s (%d):\n", heading, len(lines))
	}
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", plain(line))
	}
}

// endLines say how it stands with each customer.
func endLines(list []steps.CustomerEnd) []string {
	var out []string
	for _, c := range list {
		line := cmp.Or(c.Customer.Name, c.Customer.TenantID) + ": "
		if c.Relationship != "" {
			line += fmt.Sprintf("relationship %q, ", c.Relationship)
		}
		out = append(out, line+c.How)
	}
	return out
}

// readAt is when a result was read back.
func readAt(r *steps.Result) time.Time {
	if r.Proof.At.IsZero() {
		return time.Now()
	}
	return r.Proof.At
}
