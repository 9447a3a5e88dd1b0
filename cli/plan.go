package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"msbundle/state"
	"msbundle/steps"
)

const planSchema = "msbundle.plan/1"

// planDocument is a plan as JSON: on stdout with --json, and in a plan file.
type planDocument struct {
	Schema     string         `json:"schema"`
	Tenant     string         `json:"tenant"`
	TenantName string         `json:"tenantName"`
	Account    string         `json:"account"`
	Changes    []steps.Change `json:"changes"`
	Offers     []steps.Offer  `json:"offers"`
	Notes      []steps.Note   `json:"notes"`
	Answers    string         `json:"answers"`          // the setup file it was made from
	Stage      steps.Stage    `json:"stage"`            // the one it is about; empty means everything
	Secret     bool           `json:"secret"`           // there was somewhere to deliver a secret
	Password   bool           `json:"password"`         // and one to deliver a password
	Insist     string         `json:"insist,omitempty"` // what --insist said
	Taken      []string       `json:"taken"`            // offers taken with --take
	// Customers are those that were looked at; absent when the answers have no section
	// about their tenants.
	Customers []standDocument `json:"customers,omitempty"`
}

func document(p steps.Plan, o steps.PlanOptions) planDocument {
	d := planDocument{
		Schema: planSchema, Tenant: p.Tenant, TenantName: p.TenantName, Account: p.Account, Changes: p.Changes,
		Offers: p.Offers, Notes: p.Notes, Answers: string(p.Answers.Encode()), Stage: o.Stage, Secret: o.Secret, Password: o.Password, Insist: o.Insist,
	}
	for id, on := range o.Ticked {
		if on {
			d.Taken = append(d.Taken, id)
		}
	}
	slices.Sort(d.Taken)
	// An empty list reads better than null, and is easier to work with.
	d.Changes = append([]steps.Change{}, d.Changes...)
	d.Offers = append([]steps.Offer{}, d.Offers...)
	d.Notes = append([]steps.Note{}, d.Notes...)
	d.Taken = append([]string{}, d.Taken...)
	return d
}

func (a *app) planCommand() *cobra.Command {
	var file, out string
	var verbose bool
	var count workers
	var choose choices
	c := &cobra.Command{
		Use:   "plan -f setup.yaml",
		Short: "Show every write an apply would make; writes nothing",
		Args:  cobra.NoArgs,
		Long: "Reads the tenant and lists every write an apply would make. Exit code 3 means that there are changes,\n" +
			"0 that there are none.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := a.read(file)
			if err != nil {
				return err
			}
			if isPlan(data) {
				return usage("-f: %s is a plan; carry it out with 'msbundle apply -f %s', or name a setup file", file, file)
			}
			answers, err := a.answers(file, data)
			if err != nil {
				return err
			}
			if direct(answers) {
				if out != "" {
					return usage("-o: a plan file is about one tenant; on the direct route apply the setup file itself")
				}
				return (&directRun{app: a, answers: answers, choices: choose, verbose: verbose}).run(cmd.Context())
			}
			if answers.Customers != nil {
				return a.planWithCustomers(cmd.Context(), answers, choose, count, verbose, out)
			}
			options := choose.options(answers)
			_, p, err := a.makePlan(cmd.Context(), answers, options, true)
			if err != nil {
				return err
			}
			doc := document(p, options)
			if out != "" {
				data, err := json.MarshalIndent(doc, "", "  ")
				if err != nil {
					return err
				}
				if err := state.WriteFile(out, append(data, '\n')); err != nil {
					return &exitError{exitFailed, fmt.Errorf("the plan could not be written: %w", err)}
				}
			}
			if a.flags.json {
				if err := a.printJSON(doc); err != nil {
					return err
				}
			} else {
				printPlan(a.fit(a.Out), p, verbose)
			}
			if !p.Empty() {
				return &exitError{code: exitChanges}
			}
			return nil
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "setup file")
	c.Flags().StringVarP(&out, "out", "o", "", "also write the plan to this file, for 'msbundle apply -f plan.json'")
	c.Flags().StringVar(&choose.secretOut, "secret-out", "", "plan a client secret as if it were delivered there")
	c.Flags().StringVar(&choose.passwordOut, "password-out", "", "plan as if the service account's password were delivered there")
	c.Flags().Var(&count, "workers", workersUsage)
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, verboseUsage)
	choose.register(c)
	return c
}

// choices are what a person decides about a plan besides the answers.
type choices struct {
	secretOut   string
	passwordOut string
	take        []string
	insist      string
}

func (c *choices) register(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&c.take, "take", nil, "take an offer of the plan, by its id")
	cmd.Flags().StringVar(&c.insist, "insist", "", "the tenant's name: have done what is refused for being dangerous")
}

// options are the choices for a setup file: what it has no section about is left
// untouched.
func (c *choices) options(a state.Answers) steps.PlanOptions {
	o := steps.PlanOptions{Secret: c.secretOut != "", Password: c.passwordOut != "", Insist: c.insist, Ticked: ticked(c.take)}
	if a.NoApp {
		o.Stage = steps.StageRest
	}
	return o
}

func ticked(ids []string) map[string]bool {
	m := map[string]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// makePlan signs in, inspects, checks and plans. What blocks the setup is an
// error that names the answer or the flag to change.
func (a *app) makePlan(ctx context.Context, answers state.Answers, o steps.PlanOptions, readOnly bool) (*steps.Setup, steps.Plan, error) {
	s, _, err := a.signedIn(ctx, answers, readOnly)
	if err != nil {
		return nil, steps.Plan{}, err
	}
	p, err := a.planned(ctx, s, answers, o)
	return s, p, err
}

// signedIn signs in for the work on answers. Customers' tenants are reached with the
// sign-in that serves Azure.
func (a *app) signedIn(ctx context.Context, answers state.Answers, readOnly bool) (*steps.Setup, steps.Account, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return nil, steps.Account{}, err
	}
	s, err := a.setup(ctx, c, purpose{reads: readOnly, azure: answers.Azure != nil || answers.Customers != nil})
	if err != nil {
		return nil, steps.Account{}, err
	}
	account, err := a.signIn(ctx, c, s, answers)
	return s, account, err
}

// planned inspects, checks and plans for whoever signed in.
func (a *app) planned(ctx context.Context, s *steps.Setup, answers state.Answers, o steps.PlanOptions) (steps.Plan, error) {
	watch := a.watch()
	err := s.KnowsNamed(ctx, answers, watch)
	if errors.Is(err, steps.ErrNoSuchCustomer) {
		err = &exitError{exitUsage, err}
	}
	if err != nil {
		return steps.Plan{}, err
	}
	f, err := s.Inspect(ctx, answers, watch)
	if err != nil {
		return steps.Plan{}, err
	}
	if err := a.preflight(answers, f, o); err != nil {
		return steps.Plan{}, err
	}
	p := steps.MakePlan(answers, f, o)
	return p, takenOffers(p, slices.Sorted(maps.Keys(o.Ticked)))
}

// preflight reports what the checks of the tenant found and ends the run where
// one of them blocks it.
func (a *app) preflight(answers state.Answers, f *steps.Findings, o steps.PlanOptions) error {
	var blocked []error
	var told []string
	for _, c := range steps.Preflight(answers, f, o) {
		if c.State == steps.Passed || !o.Secret && (c.ID == steps.CheckSecrets || c.ID == steps.CheckSecretLife) {
			continue
		}
		if c.Blocks {
			blocked = append(blocked, failed(c))
			continue
		}
		told = withReason(told, c.Title, ": "+c.Evidence+". "+c.Fix)
	}
	for _, line := range told {
		a.remark("%s", line)
	}
	return joined(blocked)
}

// withReason adds a line; what has the same reason as another goes into that one's.
func withReason(told []string, title, why string) []string {
	for i, line := range told {
		if titles, same := strings.CutSuffix(line, why); same {
			told[i] = titles + ", " + title + why
			return told
		}
	}
	return append(told, title+why)
}

// failed is a check that blocks, as an error; one that another answer mends names
// that answer.
func failed(c steps.Check) error {
	if c.Answer != "" {
		return usage("%s: %s: %s. %s", c.Answer, c.Title, c.Evidence, c.Fix)
	}
	return &exitError{exitFailed, fmt.Errorf("%s: %s. %s", c.Title, c.Evidence, c.Fix)}
}

// joined are several errors as one. Where an answer is wrong, that is what the exit
// code says.
func joined(errs []error) error {
	code := exitFailed
	for _, err := range errs {
		var e *exitError
		if errors.As(err, &e) && e.code == exitUsage {
			code = exitUsage
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &exitError{code, err}
	}
	return nil
}

// loadPlan reads a plan file written by plan -o. Of its writes only marks are kept,
// and they are read one by one: many customers have more than fits into memory.
func loadPlan(path string, r io.Reader) (planDocument, state.Answers, steps.Agreement, error) {
	d, agreed, err := decodePlan(r)
	switch {
	case err != nil:
		return d, state.Answers{}, nil, usage("%s: this is not a plan written by 'msbundle plan -o': %w", path, err)
	case d.Schema != planSchema:
		return d, state.Answers{}, nil, usage("%s: schema %q is not %s; make the plan again with this version", path, d.Schema, planSchema)
	}
	answers, err := state.ParseAnswers(path+" (answers)", []byte(d.Answers))
	if err != nil {
		return d, answers, nil, &exitError{exitUsage, err}
	}
	answers.Tenant = d.Tenant
	return d, answers, agreed, checked(path, answers)
}

func decodePlan(r io.Reader) (d planDocument, agreed steps.Agreement, err error) {
	agreed = steps.Agreement{}
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	rest := map[string]json.RawMessage{}
	err = within(dec, '{', func() error {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		if key != "changes" {
			var value json.RawMessage
			err := dec.Decode(&value)
			rest[fmt.Sprint(key)] = value
			return err
		}
		return within(dec, '[', func() error {
			var c steps.Change
			err := dec.Decode(&c)
			agreed.Add(c)
			return err
		})
	})
	if err != nil {
		return d, nil, err
	}
	data, err := json.Marshal(rest)
	if err != nil {
		return d, nil, err
	}
	dec = json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err = dec.Decode(&d)
	return d, agreed, err
}

// within reads a list or an object item by item.
func within(dec *json.Decoder, opens json.Delim, item func() error) error {
	if begins, err := dec.Token(); err != nil || begins != opens {
		return cmp.Or(err, fmt.Errorf("%v where %s was expected", begins, opens))
	}
	for dec.More() {
		if err := item(); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// isPlan tells a plan file from a setup file, which can be JSON too.
func isPlan(data []byte) bool {
	var d struct {
		Schema string `json:"schema"`
	}
	return json.Unmarshal(data, &d) == nil && d.Schema != ""
}
