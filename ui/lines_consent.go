package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"msbundle/steps"
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
	v, c := l.planAt(kind), l.w.clients
	list := func() {
		l.say(strings.Replace(v.intro(), "enter shows them", "show and a number says them", 1))
		for n := range v.alone {
			if n == manyWrites {
				l.say("And " + number(len(v.alone)-n) + " more reasons.")
				break
			}
			l.say(v.alone[n].who(c) + ": " + v.alone[n].text)
		}
		for n, x := range v.app().Changes {
			l.say(fmt.Sprintf("In your own tenant, %d: %s. Risk %s.", n+1, x.Describe(), x.Risk))
		}
		for i, x := range v.plan.Customers {
			if i == manyWrites {
				l.say("And " + number(len(v.plan.Customers)-i) + " more.")
				return
			}
			text := "nothing is written"
			if n := x.Writes(); n > 0 {
				text = count(n, "write", "writes")
			}
			if n := len(x.Shield.Notes); n > 0 {
				text += "; " + thingsLeft(n)
			}
			l.say(fmt.Sprintf("%d. %s: %s. %s", c.mapping.Find(x.Customer.TenantID)+1, shownName(x.Customer), text, x.Skipped))
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
		var shown *steps.CustomerPlan
		verb, rest, _ := strings.Cut(text, " ")
		if rows := c.numbered(rest); verb == "show" && len(rows) == 1 {
			shown = v.plan.Of(c.row(rows[0]).TenantID)
		}
		switch {
		case err != nil:
			return false, err
		case shown != nil:
			p := shown.Plan()
			for _, x := range p.Changes {
				l.inFull(&plan{w: l.w, plan: p}, x)
				l.gap()
			}
			l.leftAlone(shown.Shield.Notes)
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
