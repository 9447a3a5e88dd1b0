package steps

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"msbundle/msclient"
	"msbundle/state"
)

// CustomerFailure is what did not work for one customer, why, and what to do.
type CustomerFailure struct {
	Customer Customer
	Problem  *Problem
}

// CustomersFailed is a Problem with some customers. What was to be done for the
// others was done.
type CustomersFailed struct {
	Problem
	Customers []CustomerFailure
}

func (f *CustomersFailed) Error() string { return f.Problem.Error() }

// Unwrap gives the Problem to be shown.
func (f *CustomersFailed) Unwrap() error { return &f.Problem }

// ownFailure tells whether what went wrong is about one customer alone: the
// service refused what was asked, or a look showed that it cannot be done. The
// network, the sign-in and the journal are everybody's.
func ownFailure(err error) bool {
	var p *Problem
	return refused(err, 400, 403, 404, 409, 412) || errors.As(err, &p) && p.Err == nil
}

// failure is what a change for a customer failed with.
func (e *engine) failure(c Change, err error) CustomerFailure {
	f := CustomerFailure{Customer: e.customerOf(c), Problem: &Problem{}}
	errors.As(problem(err, lowerFirst(c.Describe())+" did not work"), &f.Problem)
	if f.Problem.Rule == "gdap.principal" { // the account itself may, or no customer would be left
		f.Problem.Cause = "Microsoft refuses this customer. Where it accepts others, there is no reseller relationship with this one, or not any more."
		f.Problem.Do = "Look in Partner Center whether the customer is still yours; ask it for a reseller relationship, or leave it out of the answers."
	}
	return f
}

// customerOf is the customer a change is about, by whatever name is known.
func (e *engine) customerOf(c Change) Customer {
	if known := e.plan.CustomerOf(c); known.TenantID != "" {
		return known
	}
	out := Customer{TenantID: c.Customer}
	if e.plan.traces != nil {
		for _, r := range e.plan.traces.ready.delegation.relations {
			if r.Tenant == c.Customer {
				out.Name = r.Customer
			}
		}
	}
	return out
}

// called is how the customer is named: what it is called, or what is known of it.
func (c Customer) called() string {
	for _, name := range []string{c.Name, c.Domain} {
		if strings.TrimSpace(name) != "" {
			return name
		}
	}
	return c.TenantID
}

// fail gives customers up in this run: nothing more is done for them, and the
// proof leaves them out.
func (e *engine) fail(list ...CustomerFailure) {
	for _, f := range list {
		id := f.Customer.TenantID
		if e.failed[id] {
			continue
		}
		if e.failed == nil {
			e.failed = map[string]bool{}
		}
		e.failed[id] = true
		e.failures = append(e.failures, f)
		delete(e.later, id)
		e.tell(Event{Kind: EventNote, Failed: &f, Text: fmt.Sprintf("%s failed, the others go on: %s", f.Customer.called(), f.reason())})
	}
}

// reason says in a row what happened and what is behind it.
func (f CustomerFailure) reason() string {
	out := strings.TrimSuffix(f.Problem.What, ".")
	if f.Problem.Cause != "" {
		out += ". " + strings.TrimSuffix(f.Problem.Cause, ".")
	}
	if f.Problem.Raw != "" {
		out += " (" + strings.TrimSuffix(f.Problem.Raw, ".") + ")"
	}
	return out
}

// hopeful leaves out what is about customers that failed.
func (e *engine) hopeful(changes []Change) []Change {
	if len(e.failed) == 0 {
		return changes
	}
	return slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return e.failed[c.Customer] })
}

// lastRefused brings what was refused when it was last tried behind the others of
// its sort, so that these are not kept waiting.
func (e *engine) lastRefused(changes []Change) []Change {
	if e.refusals == nil {
		e.refusals = map[string]bool{}
		for _, x := range e.store.Entries() {
			e.refusals[x.Change] = x.Outcome.Kind == state.RecordRefused
		}
	}
	out := slices.Clone(changes)
	for from := 0; from < len(out); {
		to := from + 1
		for to < len(out) && out[to].Kind == out[from].Kind && out[to].Method == out[from].Method {
			to++
		}
		sortStably(out[from:to], func(a, b Change) int { return e.refusedLast(a) - e.refusedLast(b) })
		from = to
	}
	return out
}

func (e *engine) refusedLast(c Change) int {
	if c.Customer != "" && e.refusals[c.ID] {
		return 1
	}
	return 0
}

// ownRight tells whether a right of our own is missing: the first that was asked
// for customers was refused at every one of several, in the same words.
func (e *engine) ownRight(attempts []attempt, results []msclient.Result) bool {
	customers, code := map[string]bool{}, ""
	for i, a := range attempts {
		var failed *msclient.Error
		if a.Customer == "" || !errors.As(results[i].Err, &failed) || failed.Status != 403 || i > 0 && failed.Code != code {
			return false
		}
		code = failed.Code
		customers[a.Customer] = true
	}
	return !e.served && len(customers) > 1
}

// oneCustomers tells whether changes are all about the same customer.
func oneCustomers(changes []Change) bool {
	return !slices.ContainsFunc(changes, func(c Change) bool { return c.Customer == "" || c.Customer != changes[0].Customer })
}

const (
	mostNamed   = 8 // customers of one sentence
	mostReasons = 5
)

func (f CustomerFailure) inSentence() string { return f.Customer.called() }

// namesOf are the first customers of a list, in a row.
func namesOf[C interface{ inSentence() string }](list []C) string {
	var names []string
	for _, c := range list[:min(len(list), mostNamed)] {
		names = append(names, c.inSentence())
	}
	out := strings.Join(names, ", ")
	if more := len(list) - mostNamed; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

// customersFailed says with whom it did not work, for which reasons, and what to do;
// nil when it did with everybody.
func (e *engine) customersFailed() error {
	if len(e.failures) == 0 {
		return nil
	}
	var causes, fixes []string
	by := map[string][]CustomerFailure{}
	for _, f := range e.failures { // what is the same at several is said once
		cause := strings.TrimSuffix(f.Problem.Cause, ".")
		if cause == "" {
			cause = strings.TrimSuffix(f.Problem.What, ".")
		}
		if by[cause] == nil {
			causes = append(causes, cause)
		}
		by[cause] = append(by[cause], f)
		if fix := f.Problem.Do; fix != "" && !slices.Contains(fixes, fix) {
			fixes = append(fixes, fix)
		}
	}
	for i, cause := range causes {
		causes[i] = namesOf(by[cause]) + ": " + cause + "."
	}
	rest := ""
	if len(causes) > mostReasons {
		rest = fmt.Sprintf(" And %d reasons more.", len(causes)-mostReasons)
	}
	return &CustomersFailed{Customers: e.failures, Problem: Problem{
		What:  plural(len(e.failures), "customer") + " failed: " + namesOf(e.failures),
		Cause: strings.Join(causes[:min(len(causes), mostReasons)], " ") + rest,
		Do:    strings.Join(append(fixes[:min(len(fixes), mostReasons)], "Then run this again: it tries these anew, and leaves what is done for others as it is."), " "),
		Raw:   e.failures[0].Problem.Raw, RequestID: e.failures[0].Problem.RequestID, Retry: true,
	}}
}

// sparing is a reading about one customer: a refusal of it is left for the customer's
// own changes to find out, and keeps nothing else from being read.
func sparing(r reading, bad *error) reading {
	r.unread = func(err error) {
		if !ownFailure(err) && *bad == nil {
			*bad = err
		}
	}
	return r
}

// left names the customers that a proof leaves out; empty when there are none.
func (e *engine) left() string {
	if len(e.failures) == 0 {
		return ""
	}
	return plural(len(e.failures), "customer") + " left out: " + namesOf(e.failures)
}
