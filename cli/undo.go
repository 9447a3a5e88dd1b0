package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"msbundle/state"
	"msbundle/steps"
)

const undoSchema = "msbundle.undo/1"

// undoDocument is what an undo led to, with the plan it carried out.
type undoDocument struct {
	Schema     string         `json:"schema"`
	Tenant     string         `json:"tenant"`
	TenantName string         `json:"tenantName"`
	Account    string         `json:"account"`
	Done       bool           `json:"done"`
	Written    int            `json:"written"`
	Changes    []steps.Change `json:"changes"`
	Offers     []steps.Offer  `json:"offers"`
	Notes      []steps.Note   `json:"notes"`
	Proof      map[string]any `json:"proof"`
	// Customers are those at which something was taken back, or was to be.
	Customers []undoneDocument `json:"customers,omitempty"`
}

func (a *app) undoCommand() *cobra.Command {
	var yes, verbose, leave bool
	var count workers
	var take []string
	c := &cobra.Command{
		Use:   "undo",
		Short: "Take back what this program made in a tenant",
		Long: "Takes back what the journal on this machine says was made in the tenant, newest first, and proves by reading\n" +
			"back that it is gone. What others made or changed stays. Shows the plan and asks before it writes.\n" +
			"Customers' tenants come first, with a plan and a question of their own: without the app what it changed of their\n" +
			"Conditional Access policies could not be taken back any more. Where it is gone already the rest is taken back.\n" +
			"It can be killed at any moment and run again: it goes on where it stopped.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.undo(cmd.Context(), yes, verbose, leave, take, count)
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask before writing")
	c.Flags().StringSliceVar(&take, "take", nil, "take an offer of the plan, by its id")
	c.Flags().BoolVar(&leave, "leave-customers", false, "leave what was written at customers, for example where they have left you")
	c.Flags().Var(&count, "workers", workersUsage)
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, verboseUsage)
	return c
}

func (a *app) undo(ctx context.Context, yes, verbose, leave bool, take []string, count workers) error {
	s, err := a.begin(ctx, "undo", true, purpose{azure: true}) // asked for where Azure was written to
	if err != nil {
		return err
	}
	var customers []undoneDocument
	if !leave {
		customers, err = a.undoCustomers(ctx, s, yes, verbose, count)
		if err != nil && a.flags.json && len(customers) > 0 {
			err = errors.Join(err, a.printJSON(undoDocument{
				Schema: undoSchema, Tenant: s.TenantID(), Changes: []steps.Change{}, Offers: []steps.Offer{}, Notes: []steps.Note{}, Customers: customers,
			}))
		}
		if err != nil {
			return err
		}
	}
	traces, err := s.InspectUndo(ctx, a.flags.clientID, a.watch())
	if err != nil {
		return err
	}
	p := steps.MakeUndoPlan(traces, steps.PlanOptions{Ticked: ticked(take)})
	if err := takenOffers(p, take); err != nil {
		return err
	}
	if err := a.agree(ctx, p, yes, verbose); err != nil {
		return err
	}
	result, err := s.Undo(ctx, p, steps.ApplyOptions{Observe: a.watch()})
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	if result == nil {
		return err
	}
	if a.flags.json {
		return errors.Join(err, a.printJSON(undoDocument{
			Schema: undoSchema, Tenant: p.Tenant, TenantName: p.TenantName, Account: p.Account, Done: err == nil, Written: result.Written,
			Changes: append([]steps.Change{}, p.Changes...), Offers: append([]steps.Offer{}, p.Offers...),
			Notes: append([]steps.Note{}, p.Notes...), Proof: proofDocument(result.Proof), Customers: customers,
		}))
	}
	if result.Proof.Reads > 0 {
		fmt.Fprintf(a.Err, "\nUndone by %s in tenant %s (%s): %s, read back %s.\n",
			plain(result.Account.Username), plain(result.Org.Name), result.Org.ID, plural(result.Written, "write"), times(result.Proof.Reads))
	}
	return err
}

// begin signs a person in for a command that writes without a setup file. Where
// nobody can be asked, agreeing takes --yes.
func (a *app) begin(ctx context.Context, command string, yes bool, p purpose) (*steps.Setup, error) {
	if !yes && !a.interactive() {
		return nil, usage("%s writes to the tenant, and nobody can be asked here: add --yes to agree", command)
	}
	answers := state.DefaultAnswers()
	answers.Tenant, answers.Account = a.flags.tenant, a.flags.account
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.setup(ctx, c, p)
	if err != nil {
		return nil, err
	}
	_, err = a.signIn(ctx, c, s, answers)
	return s, err
}

// agree shows a plan and asks for the word, unless there is nothing to ask.
func (a *app) agree(ctx context.Context, p steps.Plan, yes, verbose bool) error {
	if a.flags.json {
		a.progress(map[string]any{"event": "plan", "changes": append([]steps.Change{}, p.Changes...), "notes": append([]steps.Note{}, p.Notes...)})
	} else {
		printPlan(a.Err, p, verbose)
	}
	switch {
	case yes || p.Empty():
		return nil
	case !a.interactive():
		return usage("nothing was written, and nobody can be asked here: add --yes to agree to these %d writes", len(p.Changes))
	}
	return a.ask(ctx, p)
}

// takenOffers refuses an offer the plan does not make.
func takenOffers(p steps.Plan, take []string) error {
	for _, id := range take {
		if !slices.ContainsFunc(p.Offers, func(o steps.Offer) bool { return o.ID == id }) {
			return usage("--take %s: the plan makes no such offer", id)
		}
	}
	return nil
}
