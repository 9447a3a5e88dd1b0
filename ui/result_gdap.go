package ui

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
	text := ""
	switch {
	case n > 0:
		text = count(n, "customer has", "customers have") + " yet to approve"
	case others > 0:
		text = count(others, "customer is", "customers are") + " being set up by Microsoft"
	case d.Ready < d.Customers && len(d.Failed) == 0:
		return "Not every customer is ready"
	case len(d.Failed) == 0:
		return "Every customer is ready"
	default:
		return count(len(d.Failed), "customer", "customers") + " failed"
	}
	if len(d.Failed) > 0 {
		text += ", " + number(len(d.Failed)) + " failed"
	}
	return text
}

// longestListed is how many customers a result names; the inbox has them all.
const longestListed = 20

// delegationFacts say how the customers stand, who has to act first.
func delegationFacts(r *steps.Result) []fact {
	d := r.Delegation
	if d == nil {
		return nil
	}
	facts := []fact{{"Customers", fmt.Sprintf("%s of %s ready, with every role in force", number(d.Ready), number(d.Customers))}}
	facts = append(facts, failedFacts(d.Failed)...)
	if len(d.Invitations) == 0 {
		return facts
	}
	facts = append(facts,
		fact{"Left for you", "Send each of them the link, then look again or run this again: whoever has approved gets the roles by itself."},
		fact{"Who may approve", steps.WhoApproves})
	for n, i := range d.Invitations[:min(len(d.Invitations), longestListed)] {
		label := "Not approved"
		if n > 0 {
			label = ""
		}
		facts = append(facts, fact{label, fmt.Sprintf("%s, %s, lapses on %s", shownName(i.Customer), waited(i.Waits(r.Proof.At)), day(i.Until))})
	}
	if more := len(d.Invitations) - longestListed; more > 0 {
		facts = append(facts, fact{"", "and " + number(more) + " more"})
	}
	return facts
}

// failedFacts say with whom it did not work, why, and what to do.
func failedFacts(list []steps.CustomerFailure) []fact {
	var facts []fact
	for n, f := range list[:min(len(list), longestListed)] {
		label := "Failed"
		if n > 0 {
			label = ""
		}
		p := f.Problem
		facts = append(facts, fact{label, strings.TrimSpace(shownName(f.Customer) + ": " + sentence(name(p.Cause, p.What)) + " " + sentence(p.Do))})
	}
	if more := len(list) - longestListed; more > 0 {
		facts = append(facts, fact{"", "and " + number(more) + " more"})
	}
	return facts
}

func waited(days int) string {
	if days == 0 {
		return "asked today"
	}
	return "for " + count(days, "day", "days")
}

// delegationSummary is what is printed of the stage after the program has ended.
func delegationSummary(r *steps.Result) []string {
	lines := []string{fmt.Sprintf("%s: %s (%s).", delegationVerdict(r), name(r.Org.Name, r.Org.ID), count(r.Written, "write", "writes"))}
	for _, f := range slices.DeleteFunc(delegationFacts(r), func(f fact) bool { return f.label == "Left for you" }) {
		if f.label != "" {
			lines = append(lines, "  "+f.label+": "+f.text)
		} else {
			lines = append(lines, "  "+f.text)
		}
	}
	if d := r.Delegation; d != nil && len(d.Invitations) > 0 {
		lines = append(lines, "  Links: msbundle invitations lists them, and writes the mails with --export.")
	}
	return lines
}
