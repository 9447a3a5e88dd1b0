package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"msbundle/state"
	"msbundle/steps"
)

const applySchema = "msbundle.apply/1"

type applyRun struct {
	*app
	file      string
	yes       bool
	secretOut string
	take      []string
}

func (a *app) applyCommand() *cobra.Command {
	r := &applyRun{app: a}
	c := &cobra.Command{
		Use:   "apply -f setup.yaml|plan.json",
		Short: "Carry out the plan and prove the result",
		Long: "Shows the plan, asks, writes, and reads everything back until it was right several times in a row.\n" +
			"It can be killed at any moment and run again: it goes on where it stopped.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context()) },
	}
	c.Flags().StringVarP(&r.file, "file", "f", "", "setup file, or a plan file written by 'msbundle plan -o'")
	c.Flags().BoolVar(&r.yes, "yes", false, "do not ask before writing")
	c.Flags().StringVar(&r.secretOut, "secret-out", "", "make a client secret and deliver it to this file (mode 0600), or to stdout with -")
	c.Flags().StringSliceVar(&r.take, "take", nil, "take an offer of the plan, by its id")
	return c
}

func (r *applyRun) run(ctx context.Context) error {
	answers, agreed, err := r.load()
	if err != nil {
		return err
	}
	if !r.yes && !r.interactive() {
		return usage("--yes: apply writes to the tenant; add --yes to agree without being asked (see the writes first with 'msbundle plan')")
	}
	if r.secretOut != "" && r.secretOut != "-" {
		if err := writable(r.secretOut); err != nil {
			return usage("--secret-out: a file cannot be written there: %w", err)
		}
	}
	options := steps.PlanOptions{Secret: r.secretOut != "", Ticked: ticked(r.take)}
	s, p, err := r.makePlan(ctx, answers, options, false)
	if err != nil {
		return err
	}
	if agreed != nil {
		if c, more := p.Beyond(agreed); more {
			return &exitError{exitFailed, fmt.Errorf("the tenant has changed since the plan was made (it would now also need: %s); nothing was written; make the plan again", c.Describe())}
		}
	}
	if !r.flags.json {
		printPlan(r.Err, p)
	}
	if !r.yes && agreed == nil && !p.Empty() {
		if err := r.ask(ctx, p); err != nil {
			return err
		}
	}
	return r.apply(ctx, s, p)
}

// load reads a setup file or a plan file; agreed is what the latter holds.
func (r *applyRun) load() (state.Answers, []steps.Change, error) {
	data, err := r.read(r.file)
	if err != nil {
		return state.Answers{}, nil, err
	}
	if !isPlan(data) {
		answers, err := r.answers(r.file, data)
		return answers, nil, err
	}
	doc, answers, err := loadPlan(r.file, data)
	if err != nil {
		return answers, nil, err
	}
	if r.flags.tenant != "" {
		return answers, nil, usage("--tenant: the plan file is for tenant %s; make another plan for another tenant", doc.Tenant)
	}
	if doc.Secret && r.secretOut == "" {
		return answers, nil, usage("--secret-out: the plan makes a client secret; say where to deliver it")
	}
	if !doc.Secret && r.secretOut != "" {
		return answers, nil, usage("--secret-out: the plan makes no client secret; make it again with --secret-out")
	}
	if len(r.take) > 0 {
		return answers, nil, usage("--take: the plan file has its offers already; make it again to take others")
	}
	r.take = doc.Taken
	return answers, append([]steps.Change{}, doc.Changes...), nil
}

func (a *app) ask(ctx context.Context, p steps.Plan) error {
	question := fmt.Sprintf("Write these %d changes to %s? Type yes to go ahead: ", len(p.Changes), plain(p.TenantName))
	if a.flags.json {
		a.progress(map[string]any{"event": "question", "text": question})
	} else {
		fmt.Fprint(a.Err, "\n"+question)
	}
	word, err := a.line(ctx) // the end of input declines
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil || word != "yes":
		return &exitError{exitUsage, errors.New("declined; nothing was written")}
	}
	return nil
}

func (r *applyRun) apply(ctx context.Context, s *steps.Setup, p steps.Plan) error {
	inline := r.secretOut == "-" && r.flags.json // the secret is part of the document
	o := steps.ApplyOptions{Observe: r.watch()}
	if r.secretOut != "" && !inline {
		o.Deliver = deliverTo(r.secretOut, r.Out)
	}
	result, err := s.Apply(ctx, p, o)
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	var waiting *steps.Waiting
	if result == nil {
		return err
	}
	if r.flags.json {
		doc := resultDocument(p, result)
		if inline && !result.Secret.IsZero() {
			doc.Secret.Value = result.Secret.Reveal()
		}
		if err := r.printJSON(doc); err != nil {
			return err
		}
		if inline {
			err = errors.Join(err, s.SecretDelivered())
		}
	} else {
		printResult(r.Err, result, r.secretOut)
	}
	switch {
	case errors.As(err, &waiting):
		return &exitError{exitWaiting, err}
	case err != nil:
		return err
	case !result.Done() && p.Answers.Registration.Kind == state.KindConnector:
		return &exitError{exitWaiting, errors.New("the connector does not have every permission yet; authorise again in Rewst, or wait: Microsoft may take up to 48 hours")}
	case !result.Done():
		return &exitError{exitFailed, fmt.Errorf("not authorised: %s", strings.Join(unauthorised(result), ", "))}
	}
	return nil
}

func unauthorised(r *steps.Result) []string {
	var out []string
	for _, i := range r.Integrations {
		if !i.Authorized {
			out = append(out, fmt.Sprintf("%s (missing: %s)", i.Name, strings.Join(i.Missing[:min(3, len(i.Missing))], ", ")))
		}
	}
	slices.Sort(out)
	return out
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(f.Fd())
}
