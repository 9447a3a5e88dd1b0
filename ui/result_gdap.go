package ui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/steps"
)

// nextStage is what the stage after this one is called in a line of keys; empty
// when there is none.
func nextStage(id steps.Stage) string {
	s, ok := stageAfter(id)
	switch {
	case !ok:
		return ""
	case s.id == steps.StageTenant:
		return "service account"
	}
	return s.title
}

// waitsOnly tells whether an apply ended only because somebody else has to act.
func waitsOnly(err error) bool {
	var waits *steps.Waiting
	return errors.As(err, &waits)
}

// told tells whether a result says what its apply ended with: that customers have
// yet to approve, or with whom it did not work.
func (c *course) told() bool {
	if c.stage != steps.StageGDAP || c.apply == nil || c.result == nil {
		return false
	}
	var failed *steps.CustomersFailed
	return waitsOnly(c.apply.err) || errors.As(c.apply.err, &failed) && problemOf(c.apply.err) == &failed.Problem
}

// delegationVerdict says in one sentence how the stage about customers came out.
func delegationVerdict(r *steps.Result) string {
	d := r.Delegation
	if d == nil {
		return "Not every customer is ready"
	}
	n, others := pending(d.Invitations)
	var parts []string
	add := func(n int, one, many string) {
		switch {
		case n == 0:
		case len(parts) == 0:
			parts = append(parts, count(n, "customer "+one, "customers "+many))
		case n == 1:
			parts = append(parts, "1 "+one)
		default:
			parts = append(parts, number(n)+" "+many)
		}
	}
	add(n, "has yet to approve", "have yet to approve")
	add(others, "is being set up by Microsoft", "are being set up by Microsoft")
	add(len(d.Failed), "failed", "failed")
	for _, e := range howEnded(d.Ended) {
		add(e.n, e.how, e.how)
	}
	add(len(d.Others), "is not ready", "are not ready")
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case d.Ready < d.Customers:
		return "Not every customer is ready"
	}
	return "Every customer is ready"
}

// longestListed is how many customers a result names; the inbox has them all.
const longestListed = 20

// delegationFacts say how the customers stand, who has to act first.
func delegationFacts(r *steps.Result) []fact {
	d := r.Delegation
	if d == nil {
		return nil
	}
	var facts []fact
	if len(d.Invitations) > 0 {
		facts = append(facts, fact{factSend, "Send each of them the link, then look again or run this again: whoever has approved gets the roles by itself."})
	}
	facts = append(facts, fact{"Customers", fmt.Sprintf("%s of %s ready, with every role in force", number(d.Ready), number(d.Customers))})
	facts = append(facts, failedFacts(d.Failed)...)
	facts = append(facts, endFacts("Came to nothing", d.Ended)...)
	if len(d.Ended) > 0 {
		facts = append(facts, fact{"", askAnew})
	}
	facts = append(facts, endFacts("Not ready", d.Others)...)
	if len(d.Invitations) == 0 {
		return facts
	}
	facts = append(facts, fact{"Who may approve", steps.WhoApproves})
	for n, i := range d.Invitations[:min(len(d.Invitations), longestListed)] {
		label := "Not approved"
		if n > 0 {
			label = ""
		}
		facts = append(facts, fact{label, shownName(i.Customer) + ", " + stillWaits(i, r.Proof.At)})
	}
	if more := len(d.Invitations) - longestListed; more > 0 {
		facts = append(facts, fact{"", "and " + number(more) + " more"})
	}
	return facts
}

// sendByKeys says where the links are.
const sendByKeys = "Send each of them the link: c copies all. For mails (m, or x for all) go back to the list of them: a, enter, A. Whoever has approved gets the roles then, by itself."

// failureText says in a line what went wrong at a customer, and what to do.
func failureText(who string, p *steps.Problem) string {
	return strings.TrimSpace(who + ": " + sentence(name(p.Cause, p.What)) + " " + sentence(p.Do))
}

// failedFacts say with whom it did not work, why, and what to do.
func failedFacts(list []steps.CustomerFailure) []fact {
	var facts []fact
	for n, f := range list[:min(len(list), longestListed)] {
		label := "Failed"
		if n > 0 {
			label = ""
		}
		facts = append(facts, fact{label, failureText(shownName(f.Customer), f.Problem)})
	}
	if more := len(list) - longestListed; more > 0 {
		facts = append(facts, fact{"", "and " + number(more) + " more"})
	}
	return facts
}

// endFacts name customers who are not ready, and say how it stands with them.
func endFacts(label string, list []steps.CustomerEnd) []fact {
	var facts []fact
	for _, c := range list[:min(len(list), longestListed)] {
		facts = append(facts, fact{label, shownName(c.Customer) + ": " + c.How})
		label = ""
	}
	if more := len(list) - longestListed; more > 0 {
		facts = append(facts, fact{"", "and " + number(more) + " more"})
	}
	return facts
}

// stillWaits says for how long a customer has been waited for; one who has approved
// has nothing more to do.
func stillWaits(i steps.Invitation, now time.Time) string {
	if i.Status != steps.RelationPending {
		return i.StatusWord()
	}
	return fmt.Sprintf("%s, lapses on %s", waited(i.Waits(now)), day(i.Until))
}

func waited(days int) string {
	if days == 0 {
		return "asked today"
	}
	return "for " + count(days, "day", "days")
}

// delegationSummary is what is printed of the stage after the program has ended;
// again is the command line that lists who is waited for, empty when none would.
func delegationSummary(r *steps.Result, again string) []string {
	lines := []string{fmt.Sprintf("%s: %s (%s).", delegationVerdict(r), name(r.Org.Name, r.Org.ID), count(r.Written, "write", "writes"))}
	for _, f := range slices.DeleteFunc(delegationFacts(r), func(f fact) bool { return f.label == factSend }) {
		if f.label != "" {
			lines = append(lines, "  "+f.label+": "+f.text)
		} else {
			lines = append(lines, "  "+f.text)
		}
	}
	if d := r.Delegation; d != nil && len(d.Invitations) > 0 && again != "" {
		lines = append(lines, "  Links: "+again+" lists them, and writes the mails with --export.")
	}
	return lines
}
