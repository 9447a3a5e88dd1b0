package ui

import (
	"errors"
	"fmt"
	"slices"

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

// customersWait tells whether the open stage ended only because customers have yet to
// approve: its result says so.
func (w *wizard) customersWait() bool {
	return w.stage == steps.StageGDAP && w.apply != nil && waitsOnly(w.apply.err)
}

// delegationVerdict says in one sentence how the stage about customers came out.
func delegationVerdict(r *steps.Result) string {
	d := r.Delegation
	switch {
	case d == nil || d.Ready < d.Customers && len(d.Invitations) == 0:
		return "Not every customer is ready"
	case len(d.Invitations) > 0:
		return count(len(d.Invitations), "customer has", "customers have") + " yet to approve"
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
	facts := []fact{{"Customers", fmt.Sprintf("%s of %s ready, with every role in force", number(d.Ready), number(d.Customers))}}
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
