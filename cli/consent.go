package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"msbundle/msclient"
	"msbundle/state"
	"msbundle/steps"
)

// atCustomers is a run at the customers' tenants: what plan shows and apply carries
// out of the section customers.
type atCustomers struct {
	*app
	s       *steps.Setup
	answers state.Answers
	workers workers
	verbose bool
	yes     bool
	agreed  steps.Agreement // of a plan file; nil when there is none
	givenUp func()          // called before the app's sign-in is closed for somebody who has; may be nil
	noted   atomic.Pointer[consentDocument]

	clientele *steps.Clientele
	plan      *steps.CustomersPlan // of those that were looked at last
	first     *steps.CustomersPlan // of all
	mapping   *steps.Mapping
	before    state.Mapping        // as it was kept when this run began
	known     []state.Organization // what Rewst has
	failed    map[string]*steps.Problem
	left      map[string]string // why what was planned at a customer was not written
	began     map[string]bool   // customers written at; true where that is done
	written   int
	opened    bool            // the sign-in with the app
	about     map[string]bool // customers that were looked at
}

// workersUsage is what the flag --workers is for.
const workersUsage = "how many customers are worked on at a time; default: 16"

// onlyCustomers tells whether answers are about customers' tenants and nothing else.
func onlyCustomers(a state.Answers) bool {
	return a.Customers != nil && a.NoApp && !a.Ready() && a.GDAP == nil
}

// customersOf begins a run at customers for who has signed in.
func (a *app) customersOf(s *steps.Setup, answers state.Answers, workers workers, verbose bool) *atCustomers {
	return &atCustomers{
		app: a, s: s, answers: answers, workers: workers, verbose: verbose,
		failed: map[string]*steps.Problem{}, left: map[string]string{}, about: map[string]bool{}, began: map[string]bool{},
	}
}

// list reads who the customers are, and sets them against Rewst's organisations.
func (r *atCustomers) list(ctx context.Context) error {
	var err error
	if r.clientele, err = r.s.LookClientele(ctx, r.answers, r.watch()); err != nil {
		return err
	}
	return r.match(ctx)
}

// look reads what the chosen customers hold and plans what they take.
func (r *atCustomers) look(ctx context.Context) error {
	if err := r.list(ctx); err != nil {
		return err
	}
	tenants, sure := r.chosen()
	if !sure { // somebody is named by a domain that only their tenant tells
		tenants = r.clientele.Tenants(func(steps.CustomerRow) bool { return true })
	}
	if err := r.read(ctx, tenants); err != nil {
		return err
	}
	if sure {
		return nil
	}
	return r.nobody()
}

// read reads customers. It can be called again, for some of them.
func (r *atCustomers) read(ctx context.Context, tenants []string) error {
	p, err := r.s.InspectCustomers(ctx, r.answers, r.clientele, tenants, r.fleet("reading"))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return signInFailed(err)
	}
	r.plan, r.first = p, cmp.Or(r.first, p)
	for _, tenant := range tenants {
		r.about[tenant] = true
	}
	r.seen()
	r.note()
	return nil
}

// of is what a customer takes, by the last look at it; nil when there was none.
func (r *atCustomers) of(tenant string) *steps.CustomerPlan {
	if p := r.plan.Of(tenant); p != nil {
		return p
	}
	return r.first.Of(tenant)
}

// note keeps what has become of the customers so far, for whoever gives up while more
// is under way.
func (r *atCustomers) note() {
	if r.givenUp != nil {
		r.noted.Store(r.document())
	}
}

// chosen are the customers to be looked at: those of the list, or all. It is not
// sure when the list names somebody who is not known by that name so far.
func (r *atCustomers) chosen() (tenants []string, sure bool) {
	c := r.answers.Customers
	if c.All || !c.Consents() {
		return r.clientele.Tenants(func(steps.CustomerRow) bool { return true }), true
	}
	return r.clientele.Tenants(r.isChosen), len(r.unknown()) == 0
}

func (r *atCustomers) isChosen(row steps.CustomerRow) bool {
	return r.answers.Customers.Chosen(row.TenantID, row.Domains)
}

// unknown are the names in the answers that are nobody's.
func (r *atCustomers) unknown() []string {
	return slices.DeleteFunc(slices.Clone(r.answers.Customers.Consent), func(name string) bool {
		one := state.Customers{Consent: []string{name}}
		return slices.ContainsFunc(r.clientele.Rows, func(row steps.CustomerRow) bool { return one.Chosen(row.TenantID, row.Domains) })
	})
}

// nobody says which names in the answers are nobody's.
func (r *atCustomers) nobody() error {
	if list := r.unknown(); len(list) > 0 {
		return usage("customers.consent: not among the %d customers of %s: %s", len(r.clientele.Rows), r.clientele.Findings.Org.Name, strings.Join(list, ", "))
	}
	return nil
}

// opens tells whether the sign-in with the app is opened: for a consent, and for
// what only the app can look at.
func (r *atCustomers) opens() bool {
	return r.answers.Customers.Consents() && r.clientele.Findings.App != nil && (r.plan.Consents() || r.plan.Untried())
}

// around are the writes at the partner's before and after those at the customers.
func (r *atCustomers) around() (before, after []steps.Change) {
	if r.opens() {
		return r.clientele.App.Open.Changes, r.clientele.App.Close.Changes
	}
	return nil, r.clientele.App.Left.Changes
}

// changes are all writes, in order, each made when it is asked for.
func (r *atCustomers) changes() iter.Seq[steps.Change] {
	return func(yield func(steps.Change) bool) {
		before, after := r.around()
		for _, c := range before {
			if !yield(c) {
				return
			}
		}
		for _, customer := range r.plan.Customers {
			for _, c := range customer.Plan().Changes {
				if !yield(c) {
					return
				}
			}
		}
		for _, c := range after {
			if !yield(c) {
				return
			}
		}
	}
}

// empty tells whether there is nothing to be written.
func (r *atCustomers) empty() bool {
	before, after := r.around()
	n, _ := r.plan.Writes()
	return n+len(before)+len(after) == 0
}

// apply shows what there is to be written, asks, writes and proves. Whatever comes
// of it, the sign-in with the app is closed again.
func (r *atCustomers) apply(ctx context.Context) (err error) {
	if err := r.look(ctx); err != nil {
		return err
	}
	if err := r.keepMapping(); err != nil {
		return err
	}
	if !r.flags.json {
		r.printPlan(r.Err)
		if !r.empty() { // else the summary comes at once
			r.printNotes(r.Err, r.looked())
		}
	}
	if r.empty() {
		return r.keepAnswers()
	}
	switch {
	case r.agreed != nil:
		if err := r.beyond(); err != nil {
			return err
		}
	case !r.yes:
		if err := r.askFor(ctx); err != nil {
			return err
		}
	}
	opens := r.opens()
	if opens || !r.clientele.App.Left.Empty() {
		defer r.guard(ctx)()
	}
	defer func() {
		if closing := r.close(ctx, opens); err == nil { // it has been told
			err = closing
		}
	}()
	if opens {
		if err := r.open(ctx); err != nil {
			return err
		}
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	if opens {
		if err := r.again(ctx); err != nil {
			return err
		}
	}
	return r.keepAnswers()
}

// open opens the sign-in with the app.
func (r *atCustomers) open(ctx context.Context) error {
	r.opened = true
	r.remark("The app's own sign-in is opened. It takes a browser.")
	err := r.s.OpenApp(ctx, r.clientele.App, steps.ApplyOptions{Observe: r.watch()})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		r.written += len(r.clientele.App.Open.Changes)
	}
	return signInFailed(err)
}

// signInFailed tells a sign-in that was refused or left out from what else can go
// wrong.
func signInFailed(err error) error {
	var own *msclient.SignInError
	var refused *msclient.AuthError
	var other *msclient.OtherAccountError
	for _, is := range []bool{errors.As(err, &own), errors.As(err, &refused), errors.As(err, &other), errors.Is(err, msclient.ErrNoMFA), errors.Is(err, msclient.ErrSkipped), errors.Is(err, msclient.ErrSignInExpired)} {
		if is {
			return &exitError{exitNoSignIn, err}
		}
	}
	return err
}

// close closes it, and takes away what an earlier run left of it.
func (r *atCustomers) close(ctx context.Context, opened bool) error {
	if ctx.Err() != nil && r.givenUp != nil {
		r.givenUp()
	}
	err := r.closeApp(ctx, r.s, r.clientele.App, opened)
	switch {
	case err != nil:
	case opened:
		r.written += len(r.clientele.App.Close.Changes)
	default:
		r.written += len(r.clientele.App.Left.Changes)
	}
	return err
}

// write carries out what was agreed to.
func (r *atCustomers) write(ctx context.Context) error {
	writes := make([]int, len(r.plan.Customers))
	for i := range r.plan.Customers {
		writes[i] = r.plan.Customers[i].Writes()
	}
	fleet := r.fleet("writing")
	tell := fleet.Observe
	fleet.Observe = func(e steps.FleetEvent) {
		if !e.Done {
			r.began[e.Tenant] = false
		}
		tell(e)
	}
	failed, err := r.s.ApplyCustomers(ctx, r.answers, r.clientele, r.plan, fleet)
	for i := range r.plan.Customers {
		if c := &r.plan.Customers[i]; c.Done() {
			r.began[c.Customer.TenantID] = true
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, f := range failed {
		r.failed[f.Customer.TenantID] = f.Problem
	}
	for i, n := range writes {
		c := &r.plan.Customers[i]
		switch tenant := c.Customer.TenantID; {
		case c.Done():
			r.written += n
		case n > 0 && r.failed[tenant] == nil && err != nil:
			r.left[tenant] = "not written, or not to the end: " + cmp.Or(failure(err).Cause, failure(err).What)
		}
	}
	r.note()
	return signInFailed(err)
}

// again looks with the app's sign-in at what nobody else could see before, and has
// what that takes agreed to and written as well.
func (r *atCustomers) again(ctx context.Context) error {
	tenants := r.plan.Again(func(tenant string) bool { return r.failed[tenant] != nil })
	if len(tenants) == 0 {
		return nil
	}
	if err := r.read(ctx, tenants); err != nil {
		return err
	}
	if err := r.keepMapping(); err != nil {
		return err
	}
	n, _ := r.plan.Writes()
	if n == 0 {
		return nil
	}
	if !r.flags.json {
		fmt.Fprintln(r.Err, "\nWhat only the app could see:")
		r.printWrites(r.Err)
	}
	switch {
	case r.agreed != nil:
		r.leave("it is not in the plan file: only the app could see that it is needed; apply the setup file itself to see it and agree")
		return nil
	case r.yes:
	default:
		switch err := r.askFor(ctx); {
		case errors.Is(err, errDeclined):
			r.leave("you did not agree to it")
			return nil
		case err != nil:
			return err
		}
	}
	return r.write(ctx)
}

// leave remembers why what is planned now is not written.
func (r *atCustomers) leave(why string) {
	for _, c := range r.plan.Customers {
		if n := c.Writes(); n > 0 {
			r.left[c.Customer.TenantID] = fmt.Sprintf("%s left out: %s", plural(n, "write"), why)
		}
	}
}

// askFor has the person agree to what was shown.
func (r *atCustomers) askFor(ctx context.Context) error {
	n, customers := r.plan.Writes()
	before, after := r.around()
	question := fmt.Sprintf("Make these %s at %s", plural(n, "write"), plural(customers, "customer"))
	switch home := len(before) + len(after); {
	case home == 0, r.opened:
	case n == 0:
		question = fmt.Sprintf("Make these %s at %s", plural(home, "write"), plain(r.clientele.Findings.Org.Name))
	default:
		question += fmt.Sprintf(", and %d at %s", home, plain(r.clientele.Findings.Org.Name))
	}
	return r.confirm(ctx, question+"? Type yes to go ahead: ")
}

// beyond refuses what a plan file did not hold.
func (r *atCustomers) beyond() error {
	changed := func(p steps.Plan) error {
		c, all := r.agreed.Covers(p)
		if all {
			return nil
		}
		return &exitError{exitFailed, fmt.Errorf("%s has changed since the plan was made (it would now also need: %s); nothing was written there; make the plan again", cmp.Or(p.TenantName, p.Tenant), c.Describe())}
	}
	before, after := r.around()
	home := steps.Plan{Tenant: r.clientele.Findings.Org.ID, TenantName: r.clientele.Findings.Org.Name, Changes: slices.Concat(before, after)}
	if err := changed(home); err != nil {
		return err
	}
	for _, c := range r.plan.Customers {
		if err := changed(c.Plan()); err != nil {
			return err
		}
	}
	return nil
}

// keepAnswers remembers what the customers were to be given.
func (r *atCustomers) keepAnswers() error {
	a := r.answers
	kept, found, err := r.s.Saved()
	if err != nil {
		return err
	}
	if found {
		a = a.Over(kept)
	}
	_, err = r.s.Save(a)
	return err
}

// fleet tells of the work at customers.
func (r *atCustomers) fleet(doing string) steps.FleetOptions {
	names := map[string]string{}
	for _, row := range r.clientele.Rows {
		names[row.TenantID] = row.Name
	}
	return r.fleetOf(names, doing, r.workers)
}

// fleetOf tells of the work at customers: those that are done, how many are left,
// and how long that will take.
func (a *app) fleetOf(names map[string]string, doing string, n workers) steps.FleetOptions {
	var told time.Time
	return steps.FleetOptions{Workers: int(n), Observe: func(e steps.FleetEvent) {
		if !e.Done || errors.Is(e.Err, context.Canceled) {
			return
		}
		if a.flags.json {
			a.progress(fleetDocument(doing, names[e.Tenant], e))
			return
		}
		if e.Err != nil {
			fmt.Fprintf(a.Err, "  FAILED at %s: %s\n", plain(cmp.Or(names[e.Tenant], e.Tenant)), plain(failure(e.Err).What))
		}
		if now := time.Now(); e.Left == 0 || now.Sub(told) >= 5*time.Second {
			told = now
			fmt.Fprintf(a.Err, "- Customers, %s: %d of %d done%s\n", doing, e.Of-e.Left, e.Of, pace(e))
		}
	}}
}

// pace says how fast it goes and how long it takes.
func pace(e steps.FleetEvent) string {
	if e.Left == 0 || e.Rate == 0 {
		return ""
	}
	return fmt.Sprintf(", %d left, %.0f a minute, about %s to go", e.Left, e.Rate, e.Rest.Round(time.Second))
}

// failure is an error as a problem.
func failure(err error) *steps.Problem {
	var p *steps.Problem
	if errors.As(err, &p) {
		return p
	}
	return &steps.Problem{What: err.Error(), Err: err}
}
