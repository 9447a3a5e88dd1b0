package ui

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"msbundle/steps"
)

// plan says every write before it happens, and asks for the word.
func (l *Lines) plan(ctx context.Context) error {
	s := newPlan(l.w).(*plan)
	list := func() { l.planned(s) }
	list()
	for {
		text, err := l.ask(ctx, query{planPrompt(s.plan), []string{
			"show and a number says a write in full: its method, its path and what is sent.",
			"tick and a number takes an offer, or leaves it again.",
			"account signs in as somebody else.",
			"Enter does not write yet: you are asked once more.",
		}, list})
		if err != nil {
			return err
		}
		verb, rest, _ := strings.Cut(text, " ")
		switch n, _ := strconv.Atoi(strings.TrimSpace(rest)); {
		case text == "" && s.plan.Empty():
			return nil
		case text == "":
			sure, err := l.confirm(ctx, s.plan)
			if sure || err != nil && !errors.Is(err, errBack) {
				return err
			}
		case verb == "show" && n >= 1 && n <= len(s.plan.Changes):
			l.inFull(s, s.plan.Changes[n-1])
		case verb == "tick" && n >= 1 && n <= len(s.plan.Offers):
			s.take(s.plan.Offers[n-1].ID)
			l.planned(s)
		case text == "list":
			list()
		case text == "account":
			l.w.open(pageSignIn)
			return nil
		default:
			l.say("That is not understood. There are " + count(len(s.plan.Changes), "write", "writes") + " and " + count(len(s.plan.Offers), "offer", "offers") + ".")
		}
	}
}

func planPrompt(p steps.Plan) string {
	text := "Press Enter to apply it"
	if p.Empty() {
		text = "Press Enter to read back and prove it"
	} else {
		text += ", or type show and a number to hear a write in full"
	}
	if len(p.Offers) > 0 {
		text += ", tick and a number to take or leave an offer"
	}
	return text + ", list to hear it again, back or quit:"
}

// planned says the plan: its writes by number, offers and notes.
func (l *Lines) planned(s *plan) {
	l.say(s.intro())
	n := 0
	many := len(s.plan.Changes) > manyWrites
	for _, g := range s.groups() {
		common := undoOfAll(g.Changes)
		l.say("", strings.TrimSpace(fmt.Sprintf("%s, %s. %s", g.Title, count(len(g.Changes), "write", "writes"), common)))
		for i, c := range g.Changes {
			n++
			if left := len(g.Changes) - i; many && c.Customer != "" && i >= fewSaid && left > 1 {
				l.say(fmt.Sprintf("And %s more, numbers %d to %d.", number(left), n, n+left-1))
				n += left - 1
				break
			}
			text := fmt.Sprintf("%d. %s. Risk %s.", n, c.Describe(), c.Risk)
			if common == "" {
				text += " " + undoText(c)
			}
			l.say(text)
		}
	}
	if len(s.plan.Offers) > 0 {
		l.say("", "Offers, only if you tick them:")
	}
	for i, o := range s.plan.Offers {
		taken := "not taken"
		if l.w.ticked[o.ID] {
			taken = "taken"
		}
		l.say(fmt.Sprintf("Offer %d, %s: %s. Risk %s. %s", i+1, taken, o.Title, o.Risk, o.Why))
	}
	if len(s.plan.Notes) > 0 {
		l.say("", "Worth knowing:")
	}
	for _, note := range s.plan.Notes {
		l.say(closed(noteText(note)))
	}
	if h, makes := makes(s.plan); makes {
		l.say("", "The "+h.title+" is shown at the end, once. "+keepSecret)
	}
}

// fewSaid is how many writes about customers are said of each kind when there are
// many.
const fewSaid = 3

// undoOfAll says for several writes at once whether they can be undone; empty
// when some can and some cannot.
func undoOfAll(changes []steps.Change) string {
	for _, c := range changes {
		if c.Reversible != changes[0].Reversible {
			return ""
		}
	}
	switch text := undoText(changes[0]); {
	case len(changes) == 1:
		return text
	case changes[0].Reversible:
		return "Each can be undone."
	default:
		return "None can be undone."
	}
}

// undoText is undoWord without its mark, which is for the eye.
func undoText(c steps.Change) string { return strings.TrimPrefix(undoWord(c), "! ") }

// inFull says one write to the last letter.
func (l *Lines) inFull(s *plan, c steps.Change) {
	l.say(c.Describe()+".", "Why: "+c.Why)
	if text := s.difference(c); text != "" {
		l.say("Difference: " + closed(text))
	}
	l.say("Risk: "+c.Risk.String()+".", undoText(c), "Method: "+c.Method, "Path:")
	l.alone(c.Path)
	if ids := s.plan.Meanings(c); len(ids) > 0 {
		l.say("What the ids stand for:")
		for _, m := range ids {
			l.alone(m.Name + ": " + m.ID)
		}
	}
	for _, part := range []struct {
		title string
		body  []byte
	}{{"Body:", c.Body}, {"As it is now:", c.Before}} {
		if len(part.body) > 0 {
			l.say(part.title)
			for _, text := range pretty(part.body, l.columns()) {
				l.alone(text)
			}
		}
	}
}

// confirm asks for the word that lets the changes happen. Nothing else does.
func (l *Lines) confirm(ctx context.Context, p steps.Plan) (bool, error) {
	text, err := l.ask(ctx, query{
		prompt: fmt.Sprintf("Write %s to %s? Type yes to go ahead; anything else declines:", count(len(p.Changes), "change", "changes"), name(p.TenantName, p.Tenant)),
		about:  []string{"Only the whole word yes lets anything be written. back leads to the plan."},
	})
	if err != nil {
		return false, err
	}
	l.declined = text != "yes"
	if l.declined {
		l.say("Declined. Nothing was written.")
	}
	return !l.declined, nil
}
