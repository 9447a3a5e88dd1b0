package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"msbundle/state"
	"msbundle/steps"
)

// directRun goes to customers whose own administrators sign in, one after the
// other. What goes wrong at one leaves the others.
type directRun struct {
	*app
	answers state.Answers // of which each customer's are made
	choices
	writes  bool // else it is only shown what would be written
	yes     bool
	verbose bool

	connection *connection
	customers  []*directCustomer
}

// How it ended at a customer.
const (
	directDone     = "done"
	directAsBefore = "left out"   // it was done in an earlier run
	directChanges  = "changes"    // there is something to write
	directWaits    = "waiting"    // for Rewst's connector
	directFailed   = "failed"     //
	directNobody   = "no sign-in" //
	directDeclined = "declined"   //
)

// directCustomer is a customer and what became of it.
type directCustomer struct {
	steps.Customer
	answers state.Answers
	end     string // empty as long as nothing is decided
	err     error
	shield  steps.Shield
	plan    *planDocument
	result  *applyDocument

	secretOut, passwordOut string
}

// label is the customer's name as the answers have it.
func (c *directCustomer) label() string { return cmp.Or(c.Domain, c.TenantID) }

// direct is whether the answers take the direct route.
func direct(a state.Answers) bool { return a.Customers != nil && a.Customers.Direct }

func (d *directRun) run(ctx context.Context) error {
	switch {
	case d.flags.auth == authEnv:
		return usage("--auth env: an administrator of each customer has to sign in on the direct route; use device or browser")
	case d.writes && !d.yes && !d.interactive():
		return usage("apply writes to the customers' tenants, and nobody can be asked here: add --yes to agree (see the writes first with 'msbundle plan')")
	}
	var err error
	if d.connection, err = d.connect(ctx); err != nil {
		return err
	}
	if err := d.find(ctx); err != nil {
		return err
	}
	if err := d.checkPlaces(); err != nil {
		return err
	}
	d.remark("%s", steps.DirectOnly)
	for i, c := range d.customers {
		if c.end != "" {
			continue
		}
		d.begins(c, i)
		err := d.at(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err() // those before are kept, and left out by the next run
		}
		if c.err = err; err != nil {
			c.end = ended(err)
		}
		if err != nil && c.end != directWaits { // what is waited for stands at the end
			d.explain(err)
		}
	}
	return errors.Join(d.tell(), d.exit())
}

// find looks the customers up, each once, and leaves out those that an earlier run
// brought to where these answers want them: nobody is asked to sign in for nothing.
func (d *directRun) find(ctx context.Context) error {
	s, err := d.setup(ctx, d.connection, purpose{stranger: true, reads: true, looks: true})
	if err != nil {
		return err
	}
	only := ""
	if d.flags.tenant != "" {
		chosen, err := s.DirectCustomer(ctx, d.flags.tenant)
		if err != nil {
			return err
		}
		only = chosen.TenantID
	}
	names := d.answers.Customers.Consent
	if len(names) == 0 {
		names = []string{d.answers.Tenant}
	}
	for _, name := range names {
		found, err := s.DirectCustomer(ctx, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		known := slices.ContainsFunc(d.customers, func(c *directCustomer) bool { return c.TenantID != "" && c.TenantID == found.TenantID })
		if known || only != "" && found.TenantID != only {
			continue
		}
		c := &directCustomer{Customer: found, answers: steps.DirectAnswers(d.answers, found)}
		d.customers = append(d.customers, c)
		if err != nil {
			c.end, c.err = directFailed, err
			d.explain(err)
			continue
		}
		if err := checked("the answers for "+c.label(), c.answers); err != nil {
			return err
		}
		if shield, done := s.DirectKept(c.answers, found); done && only == "" {
			c.end, c.shield = directAsBefore, shield
		}
	}
	switch {
	case len(d.customers) == 0:
		return usage("--tenant: %s is none of the customers in customers.consent", d.flags.tenant)
	case len(d.customers) > 1 && (len(d.take) > 0 || d.insist != "" || d.flags.account != ""):
		return usage("--take, --insist, --account: these are about one tenant; say which customer with --tenant")
	}
	return nil
}

// checkPlaces gives each customer the files its secrets go to, and makes sure that
// they can be written before anybody signs in.
func (d *directRun) checkPlaces() error {
	if d.secretOut == "-" && d.passwordOut == "-" && !d.flags.json {
		return usage("--password-out: the client secrets go to stdout already; name a folder for one of them, or add --json")
	}
	for _, place := range []struct {
		flag, path, name string
		set              func(*directCustomer, string)
	}{
		{"secret-out", d.secretOut, "secret", func(c *directCustomer, path string) { c.secretOut = path }},
		{"password-out", d.passwordOut, "password", func(c *directCustomer, path string) { c.passwordOut = path }},
	} {
		if place.path == "" {
			continue
		}
		info, err := os.Stat(place.path)
		folder := err == nil && info.IsDir()
		if !folder && place.path != "-" && len(d.customers) > 1 {
			return usage("--%s: there are several customers; name a folder that is there, in which each gets a file", place.flag)
		}
		for _, c := range d.customers {
			path := place.path
			if folder {
				path = filepath.Join(path, fmt.Sprintf("%s.%s.txt", c.label(), place.name))
			}
			place.set(c, path)
			if path == "-" || !d.writes {
				continue
			}
			if err := writable(path); err != nil {
				return usage("--%s: a file cannot be written there: %w", place.flag, err)
			}
		}
	}
	if c := d.customers[0]; c.secretOut != "" && c.secretOut != "-" && samePlace(c.secretOut, c.passwordOut) {
		return usage("--password-out: this is the file of --secret-out; name another one")
	}
	return nil
}

func (d *directRun) begins(c *directCustomer, i int) {
	if d.flags.json {
		d.progress(map[string]any{"event": "customer", "tenantId": c.TenantID, "domain": c.Domain, "number": i + 1, "of": len(d.customers)})
		return
	}
	fmt.Fprintf(d.Err, "\nCustomer %d of %d: %s\n\n", i+1, len(d.customers), plain(c.label()))
}

// at does one customer: sign in, look, plan, agree, write, prove.
func (d *directRun) at(ctx context.Context, c *directCustomer) error {
	s, err := d.setup(ctx, d.connection, purpose{stranger: true, reads: !d.writes})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if warning := s.AlsoAtPartner(c.Customer); warning != "" {
		d.remark("%s", warning)
	}
	answers := c.answers
	answers.Account = d.flags.account
	if err := d.signIn(ctx, s, c, answers); err != nil {
		return err
	}
	o := d.options(answers)
	p, err := d.planned(ctx, s, answers, o)
	if err != nil {
		return err
	}
	if c.Name = p.TenantName; !d.writes {
		doc := document(p, o)
		c.plan, c.end = &doc, directDone
		if !p.Empty() {
			c.end = directChanges
		}
		if !d.flags.json {
			printPlan(d.fit(d.Out), p, d.verbose)
		}
		return nil
	}
	if !d.flags.json {
		printPlan(d.Err, p, d.verbose)
	}
	if !d.yes && !p.Empty() {
		if err := d.ask(ctx, p); err != nil {
			return err
		}
	}
	return d.write(ctx, s, c, p)
}

// signIn has an administrator of the customer sign in. The sign-in is the
// customer's: it is made with a code that can be read out, unless another way was
// asked for, and never remembered.
func (d *directRun) signIn(ctx context.Context, s *steps.Setup, c *directCustomer, answers state.Answers) error {
	asked, offered, leave := false, false, func() {}
	show := d.prompt(d.connection, s, &asked)
	s.Prompts(func(p steps.Prompt) {
		switch {
		case p.Ended || p.Err != nil:
			leave()
		case !offered && d.interactive():
			offered = true // a sign-in in the middle of the work is not left out
			leave = d.offerSkip(s, p.N, "Have an administrator of this customer at hand, or press enter to leave the customer out.")
		}
		p.Why = fmt.Sprintf("%s, as an administrator of that customer, for %s", c.label(), p.Why)
		show(p)
	}, false)
	account, err := s.SignIn(ctx, answers)
	if err != nil {
		return &exitError{signInExit(err), err}
	}
	d.remark("Signed in as %s.", account.Username)
	return nil
}

// write carries out the plan and remembers how the customer stands.
func (d *directRun) write(ctx context.Context, s *steps.Setup, c *directCustomer, p steps.Plan) error {
	watch, done := d.watch(), 0
	o := steps.ApplyOptions{
		Deliver: d.deliver(c, c.secretOut), DeliverPassword: d.deliver(c, c.passwordOut),
		Observe: func(e steps.Event) {
			if e.Kind == steps.EventDone {
				done += len(e.Changes)
			}
			watch(e)
		},
	}
	result, err := s.Apply(ctx, p, o)
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	var keeping error
	if c.shield, keeping = s.KeepDirect(c.answers, result, err); keeping != nil {
		err = errors.Join(err, keeping)
	}
	if result == nil {
		if done > 0 {
			d.remark("%d of %d writes were done and are kept.", done, len(p.Changes))
		}
		return err
	}
	doc := resultDocument(p, result, s.Reminded)
	c.result = &doc
	if d.flags.json {
		err = errors.Join(err, d.inline(s, c, result))
	} else {
		printResult(d.Err, result, c.secretOut)
		printReady(d.Err, result, c.passwordOut)
	}
	if err = verdict(p, result, err); err == nil {
		c.end = directDone
	}
	return err
}

// deliver sends what was made for a customer to its place; nil where it goes into
// the document, or nowhere.
func (d *directRun) deliver(c *directCustomer, place string) func(steps.Secret) error {
	switch {
	case place == "", place == "-" && d.flags.json:
		return nil
	case place != "-":
		return deliverTo(place, d.Out)
	}
	return func(secret steps.Secret) error {
		_, err := fmt.Fprintf(d.Out, "%s\t%s\n", c.label(), secret.Reveal())
		return err
	}
}

// inline puts what was made into the customer's part of the document.
func (d *directRun) inline(s *steps.Setup, c *directCustomer, r *steps.Result) error {
	var err error
	if c.secretOut == "-" && !r.Secret.IsZero() {
		c.result.Secret.Value, err = r.Secret.Reveal(), s.SecretDelivered()
	}
	if c.passwordOut == "-" && r.Tenant != nil && !r.Tenant.Password.IsZero() {
		c.result.Ready.Password.Value = r.Tenant.Password.Reveal()
		err = errors.Join(err, s.PasswordDelivered())
	}
	return err
}

// ended is the word for how it ended with an error.
func ended(err error) string {
	var exit *exitError
	switch {
	case errors.Is(err, errDeclined):
		return directDeclined
	case !errors.As(err, &exit):
		return directFailed
	case exit.code == exitNoSignIn:
		return directNobody
	case exit.code == exitWaiting:
		return directWaits
	}
	return directFailed
}

// exit is how the run ended altogether.
func (d *directRun) exit() error {
	of := map[string]int{}
	var open []string
	for _, c := range d.customers {
		of[c.end]++
		if c.end != directDone && c.end != directAsBefore {
			open = append(open, c.label())
		}
	}
	all := len(d.customers)
	var own *exitError
	if c := d.customers[0]; all == 1 && c.err != nil && c.end != directWaits { // why was told
		if errors.As(c.err, &own) {
			return &exitError{code: own.code}
		}
		return &exitError{code: exitFailed}
	}
	switch {
	case of[directFailed] > 0:
		return &exitError{exitFailed, fmt.Errorf("it did not work at %d of %s; run it again when the cause is gone: those that are done are left out", of[directFailed], plural(all, "customer"))}
	case of[directNobody] > 0:
		return &exitError{exitNoSignIn, fmt.Errorf("nobody signed in at %d of %s; run it again with their administrators: those that are done are left out", of[directNobody], plural(all, "customer"))}
	case of[directDeclined] > 0:
		return &exitError{exitUsage, fmt.Errorf("declined at %d of %s; nothing was written there", of[directDeclined], plural(all, "customer"))}
	case of[directWaits] > 0:
		return &exitError{exitWaiting, fmt.Errorf("waiting for the connector to be authorised in Rewst: %s", strings.Join(open, ", "))}
	case of[directChanges] > 0:
		return &exitError{code: exitChanges}
	}
	return nil
}
