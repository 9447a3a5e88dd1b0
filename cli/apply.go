package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"msbundle/state"
	"msbundle/steps"
)

const applySchema = "msbundle.apply/1"

type applyRun struct {
	*app
	file    string
	yes     bool
	verbose bool
	wait    days
	workers workers
	choices
}

func (a *app) applyCommand() *cobra.Command {
	r := &applyRun{app: a}
	c := &cobra.Command{
		Use:   "apply -f setup.yaml|plan.json",
		Short: "Carry out the plan and prove the result",
		Long: "Shows the plan, asks, writes, and reads everything back until it was right several times in a row.\n" +
			"It can be killed at any moment and run again: it goes on where it stopped.\n" +
			"What customers have to approve first is done once they have: with --wait in this run, else by running it again.\n" +
			"The customers' own tenants come last, with a plan and a question of their own.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context()) },
	}
	c.Flags().StringVarP(&r.file, "file", "f", "", "setup file, or a plan file written by 'msbundle plan -o'")
	c.Flags().BoolVar(&r.yes, "yes", false, "do not ask before writing")
	c.Flags().StringVar(&r.secretOut, "secret-out", "", "make a client secret and deliver it to this file (mode 0600), or to stdout with -")
	c.Flags().StringVar(&r.passwordOut, "password-out", "", "deliver the service account's password to this file (mode 0600), or to stdout with -")
	c.Flags().Var(&r.wait, "wait", "how long customers' approvals are waited for, for example 2h or 14d; exit code 8 when some are left")
	c.Flags().Var(&r.workers, "workers", workersUsage)
	c.Flags().BoolVarP(&r.verbose, "verbose", "v", false, verboseUsage)
	r.register(c)
	return c
}

func (r *applyRun) run(ctx context.Context) error {
	answers, options, agreed, err := r.load()
	if err != nil {
		return err
	}
	if direct(answers) {
		return (&directRun{app: r.app, answers: answers, choices: r.choices, writes: true, yes: r.yes, verbose: r.verbose}).run(ctx)
	}
	if !r.yes && !r.interactive() {
		return usage("apply writes to the tenant, and nobody can be asked here: add --yes to agree (see the writes first with 'msbundle plan')")
	}
	if err := r.checkPlaces(); err != nil {
		return err
	}
	if onlyCustomers(answers) {
		s, _, err := r.signedIn(ctx, answers, false)
		if err != nil {
			return err
		}
		return r.applyCustomers(ctx, s, answers, agreed)
	}
	s, p, err := r.makePlan(ctx, answers, options, false)
	if err != nil {
		return err
	}
	if agreed != nil {
		if c, all := agreed.Covers(p); !all {
			return &exitError{exitFailed, fmt.Errorf("the tenant has changed since the plan was made (it would now also need: %s); nothing was written; make the plan again", c.Describe())}
		}
	}
	if !r.flags.json {
		printPlan(r.Err, p, r.verbose)
	}
	if !r.yes && agreed == nil && !p.Empty() {
		if err := r.ask(ctx, p); err != nil {
			return err
		}
	}
	return r.apply(ctx, s, p, agreed)
}

// checkPlaces makes sure, before anything is made, that what is made can be
// delivered.
func (r *applyRun) checkPlaces() error {
	for _, place := range []struct{ flag, path string }{{"secret-out", r.secretOut}, {"password-out", r.passwordOut}} {
		if place.path == "" || place.path == "-" {
			continue
		}
		if err := writable(place.path); err != nil {
			return usage("--%s: a file cannot be written there: %w", place.flag, err)
		}
	}
	switch {
	case r.secretOut == "" || !samePlace(r.secretOut, r.passwordOut):
		return nil
	case r.secretOut != "-":
		return usage("--password-out: this is the file of --secret-out; name another one")
	case !r.flags.json:
		return usage("--password-out: the client secret goes to stdout already; name a file for one of them, or add --json, whose document names both")
	}
	return nil
}

func samePlace(a, b string) bool {
	if a == "-" || b == "-" || a == "" || b == "" {
		return a == b
	}
	fullA, errA := filepath.Abs(a)
	fullB, errB := filepath.Abs(b)
	if errA == nil && errB == nil && fullA == fullB {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// load reads a setup file or a plan file; agreed is what the latter holds.
func (r *applyRun) load() (answers state.Answers, o steps.PlanOptions, agreed steps.Agreement, err error) {
	file, err := open(r.file)
	if err != nil {
		return answers, o, nil, err
	}
	defer file.Close()
	data, err := beginning(file)
	if err != nil {
		return answers, o, nil, usage("-f: %s cannot be read: %w", r.file, err)
	}
	if len(data) < longest && !isPlan(data) {
		answers, err = r.answers(r.file, data)
		return answers, r.options(answers), nil, err
	}
	doc, answers, agreed, err := loadPlan(r.file, io.MultiReader(bytes.NewReader(data), file))
	if err != nil {
		return answers, o, nil, err
	}
	if r.flags.tenant != "" {
		return answers, o, nil, usage("--tenant: the plan file is for tenant %s; make another plan for another tenant", doc.Tenant)
	}
	for _, made := range []struct {
		flag, what string
		there      bool
		place      string
	}{
		{"secret-out", "a client secret", doc.Secret, r.secretOut},
		{"password-out", "a password that is delivered", doc.Password, r.passwordOut},
	} {
		if made.there && made.place == "" {
			return answers, o, nil, usage("--%s: the plan makes %s; say where to deliver it", made.flag, made.what)
		}
		if !made.there && made.place != "" {
			return answers, o, nil, usage("--%s: the plan does not make %s; make it again with --%s", made.flag, made.what, made.flag)
		}
	}
	if len(r.take) > 0 || r.insist != "" {
		return answers, o, nil, usage("--take, --insist: the plan file has its offers already; make it again to take others")
	}
	r.take, r.insist = doc.Taken, doc.Insist
	o = r.options(answers)
	o.Stage = doc.Stage
	return answers, o, agreed, nil
}

// halfWay says what an apply that failed has done.
func (r *applyRun) halfWay(p steps.Plan, done int) error {
	if r.flags.json {
		return r.printJSON(map[string]any{
			"schema": applySchema, "tenant": p.Tenant, "tenantName": p.TenantName, "account": p.Account, "done": false, "written": done, "planned": len(p.Changes),
		})
	}
	if done > 0 {
		r.remark("%d of %d writes were done and are kept; what was delivered is where you named. Run it again when the cause is gone: only the rest is written.", done, len(p.Changes))
	}
	return nil
}

// errDeclined is said of a plan nobody agreed to.
var errDeclined = errors.New("declined; nothing was written")

func (a *app) ask(ctx context.Context, p steps.Plan) error {
	return a.confirm(ctx, fmt.Sprintf("Write these %d changes to %s? Type yes to go ahead: ", len(p.Changes), plain(p.TenantName)))
}

// confirm asks for the word.
func (a *app) confirm(ctx context.Context, question string) error {
	if a.flags.json {
		a.progress(map[string]any{"event": "question", "text": question})
	} else {
		fmt.Fprint(a.Err, "\n"+question)
	}
	word, err := a.line(ctx) // the end of input declines
	if err != nil && !a.flags.json {
		fmt.Fprintln(a.Err)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil || word != "yes":
		return &exitError{exitUsage, errDeclined}
	}
	return nil
}

func (r *applyRun) apply(ctx context.Context, s *steps.Setup, p steps.Plan, agreed steps.Agreement) error {
	// In a document secret and password stand beside the rest.
	inline := func(place string) bool { return place == "-" && r.flags.json }
	watch, done := r.watch(), 0
	o := steps.ApplyOptions{Wait: time.Duration(r.wait), Observe: func(e steps.Event) {
		if e.Kind == steps.EventDone {
			done += len(e.Changes)
		}
		watch(e)
	}}
	if r.secretOut != "" && !inline(r.secretOut) {
		o.Deliver = deliverTo(r.secretOut, r.Out)
	}
	if r.passwordOut != "" && !inline(r.passwordOut) {
		o.DeliverPassword = deliverTo(r.passwordOut, r.Out)
	}
	result, err := s.Apply(ctx, p, o)
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	if result == nil {
		return errors.Join(err, r.halfWay(p, done))
	}
	if !r.flags.json {
		printResult(r.Err, result, r.secretOut)
		if result.Behind > 0 && p.Answers.Customers == nil {
			fmt.Fprintf(r.Err, "\nLast seen with what was chosen before: %s. 'msbundle plan' with the section customers shows what the new choice takes there.\n", plural(result.Behind, "customer"))
		}
		printReady(r.Err, result, r.passwordOut)
		printCustomers(r.Err, result, s.Reminded, r.later("invitations"))
	}
	if g := result.Delegation; g != nil {
		r.remarkRehearsal(g.Invitations)
	}
	var consent *consentDocument
	ended := verdict(p, result, err)
	if goesOn(p.Answers, err) {
		customers := r.customersOf(s, p.Answers, r.workers, r.verbose)
		customers.yes, customers.agreed = r.yes, agreed
		// Whoever gives up gets the document before the app's sign-in is closed, and at
		// once where secrets stand in it: a second signal would end the program with them.
		var once sync.Once
		mine := *s // the customers' work goes on meanwhile
		hand := func(consent *consentDocument) {
			once.Do(func() {
				if err := r.document(&mine, p, result, consent, ctx.Err()); err != nil {
					r.explain(err)
				}
			})
		}
		customers.givenUp = func() { hand(customers.document()) }
		stop := func() bool { return true }
		if inline(r.secretOut) || inline(r.passwordOut) {
			stop = context.AfterFunc(ctx, func() { hand(customers.noted.Load()) })
		}
		atThem := customers.carryOut(ctx)
		stop()
		if ctx.Err() != nil {
			customers.givenUp()
			return ctx.Err()
		}
		ended, consent = r.worse(ended, atThem), customers.document()
	}
	return r.worse(ended, r.document(s, p, result, consent, ended))
}

// document prints what an apply led to, with the secrets that are to stand in it, and
// records that they were delivered. Without --json there is none.
func (r *applyRun) document(s *steps.Setup, p steps.Plan, result *steps.Result, consent *consentDocument, ended error) error {
	if !r.flags.json {
		return nil
	}
	doc := resultDocument(p, result, s.Reminded)
	doc.Consent = consent
	doc.Done = doc.Done && (consent == nil || ended == nil) && !errors.Is(ended, context.Canceled)
	secret, password := r.secretOut == "-", r.passwordOut == "-"
	if secret && !result.Secret.IsZero() {
		doc.Secret.Value = result.Secret.Reveal()
	}
	if password && result.Tenant != nil && !result.Tenant.Password.IsZero() {
		doc.Ready.Password.Value = result.Tenant.Password.Reveal()
	}
	err := r.printJSON(doc)
	if err == nil && secret {
		err = s.SecretDelivered()
	}
	if err == nil && password {
		err = s.PasswordDelivered()
	}
	return err
}

// goesOn tells whether the customers' turn comes after the partner's tenant: also
// while some of them are waited for.
func goesOn(a state.Answers, err error) bool {
	var waiting *steps.Waiting
	return a.Customers != nil && (err == nil || errors.As(err, &waiting))
}

// applyCustomers carries out what a file about customers alone asks for.
func (r *applyRun) applyCustomers(ctx context.Context, s *steps.Setup, answers state.Answers, agreed steps.Agreement) error {
	customers := r.customersOf(s, answers, r.workers, r.verbose)
	customers.yes, customers.agreed = r.yes, agreed
	err := customers.carryOut(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if doc := customers.document(); r.flags.json && doc != nil {
		org := customers.clientele.Findings.Org
		err = errors.Join(err, r.printJSON(customersApplyDocument{
			Schema: applySchema, Tenant: org.ID, TenantName: org.Name, Account: customers.clientele.Findings.Account.Username,
			Done: err == nil, Written: customers.written, Consent: doc,
		}))
	}
	return err
}

// worse is how two parts ended together. Why the first did is told here.
func (a *app) worse(first, second error) error {
	if first == nil || second == nil {
		return errors.Join(first, second)
	}
	a.explain(first)
	if code := exitOf(first); exitOf(second) == exitWaiting && code != exitWaiting {
		return &exitError{code, second}
	}
	return second
}

// exitOf is the exit code an error leads to.
func exitOf(err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return exitFailed
}

// verdict is how an apply ended, by what was read back.
func verdict(p steps.Plan, result *steps.Result, err error) error {
	var waiting *steps.Waiting
	switch {
	case errors.As(err, &waiting):
		return &exitError{exitWaiting, err}
	case err != nil:
		return err
	case result.Done():
		return nil
	case result.Delegation != nil && result.Delegation.Ready < result.Delegation.Customers && len(unauthorised(result)) == 0:
		d := result.Delegation
		return &exitError{exitFailed, fmt.Errorf("%d of %d customers are not ready, and none of these is waited for; run it again, or 'msbundle explain --customer NAME' says what is missing", d.Customers-d.Ready-len(d.Invitations), d.Customers)}
	case len(unauthorised(result)) == 0, result.Tenant != nil && len(result.Tenant.Missing) > 0: // waiting alone does not help
		return &exitError{exitFailed, errors.New("not everything is ready; the result says what is left")}
	case p.Answers.Registration.Kind == state.KindConnector:
		return &exitError{exitWaiting, errors.New("the connector does not have every permission yet; authorise again in Rewst, or wait: Microsoft may take up to 48 hours")}
	}
	return &exitError{exitFailed, fmt.Errorf("not authorised: %s", strings.Join(unauthorised(result), ", "))}
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
