package ui

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// consentAt says what a consent means, and plans it when it is to be given here.
func (l *Lines) consentAt(ctx context.Context, rows []int) error {
	if l.w.connector() {
		l.say(consentThird)
		l.alone(l.w.rewst())
		return l.lookAt(ctx, rows)
	}
	l.say(consentFirst, consentSecond)
	text, err := l.ask(ctx, query{"Press Enter to leave the consent to Rewst and only look, or type here to plan it:", []string{"here reads the customers and says the plan; nothing is written before you type yes."}, nil})
	switch {
	case err != nil:
		return err
	case text == "here":
		return l.plannedAt(ctx, rows)
	case text == "":
		return l.lookAt(ctx, rows)
	}
	l.say("That is not understood, so nothing is done.")
	return nil
}

// plannedAt plans a consent, says the plan, and carries it out when that is agreed
// to.
func (l *Lines) plannedAt(ctx context.Context, rows []int) error {
	c := l.w.clients
	l.w.chooseConsent(rows)
	if err := l.fleet(ctx, workPlan, workPlace{tenants: c.tenants(rows)}); err != nil || c.work.end.err != nil {
		return err
	}
	for kind := workConsent; ; kind = workExclude {
		agreed, err := l.agreedAt(ctx, kind)
		switch {
		case agreed:
			err = l.fleet(ctx, kind, l.placeOf(kind))
		case kind == workExclude: // the app's sign-in is closed whatever was said
			err = errors.Join(err, l.fleet(ctx, workClose, workPlace{}))
		}
		if err != nil || !agreed {
			return err
		}
		if !c.work.end.more {
			break
		}
	}
	l.clientFacts()
	return nil
}

// planAt is the plan that was made last, as the screen shows it.
func (l *Lines) planAt(kind workKind) *clientPlan {
	return newClientPlan(&customers{looking: looking{w: l.w}}, l.w.clients.plan, kind)
}

// placeOf is what carrying the plan out takes.
func (l *Lines) placeOf(kind workKind) workPlace {
	v := l.planAt(kind)
	return workPlace{plan: v.plan, tenants: v.tenants(), opens: v.opens()}
}

// agreedAt says a plan and asks for the word.
func (l *Lines) agreedAt(ctx context.Context, kind workKind) (bool, error) {
	v := l.planAt(kind)
	list := func() {
		l.say(v.intro())
		for n, c := range v.app().Changes {
			l.say(fmt.Sprintf("In your own tenant, %d: %s. Risk %s.", n+1, c.Describe(), c.Risk))
		}
		for i, c := range v.plan.Customers {
			switch {
			case i == manyWrites:
				l.say("And " + number(len(v.plan.Customers)-i) + " more.")
				return
			case c.Writes() > 0:
				l.say(fmt.Sprintf("%d. %s: %s.", i+1, shownName(c.Customer), count(c.Writes(), "write", "writes")))
			default:
				l.say(fmt.Sprintf("%d. %s: nothing is written. %s", i+1, shownName(c.Customer), c.Skipped))
			}
		}
	}
	list()
	if v.empty() {
		return false, nil
	}
	for {
		text, err := l.ask(ctx, query{
			"Type yes to go ahead, show and a number to hear the writes at a customer; anything else declines:",
			[]string{"Only the whole word yes lets anything be written."},
			list,
		})
		verb, rest, _ := strings.Cut(text, " ")
		n, _ := strconv.Atoi(strings.TrimSpace(rest))
		switch {
		case err != nil:
			return false, err
		case verb == "show" && n >= 1 && n <= len(v.plan.Customers):
			p := v.of(n - 1)
			for _, c := range p.Changes {
				l.inFull(&plan{w: l.w, plan: p}, c)
				l.gap()
			}
		case text == "yes":
			l.declined = false
			if kind != workTidy {
				l.w.agreeConsent()
			}
			return true, nil
		default:
			l.declined = true
			l.say("Declined. Nothing was written.")
			return false, nil
		}
	}
}
