package ui

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// gdapStops are the questions of the stage about customers: those of the page, one
// after the other, and then the checks.
func gdapStops() []stop {
	out := []stop{{page: pageGDAP, ask: (*Lines).lookAtCustomers, passing: true}}
	for _, i := range []formItem{gdapCustomers, gdapTable, gdapRoles, gdapAccount, gdapGroup, gdapRelation, gdapDays, gdapExtend} {
		out = append(out, stop{
			page: pageGDAP, ask: func(l *Lines, ctx context.Context) error { return l.gdap(ctx, i) },
			applies: func(l *Lines) bool { return l.gdapApplies(i) },
		})
	}
	return append(out, stop{page: pageGDAP, ask: (*Lines).gdapReady})
}

func (l *Lines) gdapApplies(i formItem) bool {
	g := l.w.gdap()
	switch {
	case i == gdapTable:
		return !g.All && g.File == ""
	case i == gdapCustomers && g.File != "":
		return false
	}
	return slices.Contains(gdapSheet{l.w}.questions(), i)
}

// lookAtCustomers reads the tenant, unless it was read for these answers, and says
// what there is.
func (l *Lines) lookAtCustomers(ctx context.Context) error {
	if l.w.stale() {
		if err := l.look(ctx); err != nil {
			return err
		}
	}
	l.customers()
	return nil
}

// customers says how they stand: each of a few, the numbers of many.
func (l *Lines) customers() {
	views := l.w.customerViews()
	l.say("There is: " + customerTally(state.GDAP{All: true}, views) + ".")
	if len(views) > manyWrites {
		return
	}
	for n, v := range views {
		l.say(fmt.Sprintf("%d. %s: %s. Proposed: %s.", n+1, shownName(v.Customer), v.State, v.Proposal))
	}
}

// gdap asks one question.
func (l *Lines) gdap(ctx context.Context, i formItem) error {
	switch i {
	case gdapTable:
		return l.pickCustomers(ctx)
	case gdapRoles:
		return l.pickRoles(ctx)
	}
	sheet := gdapSheet{l.w}
	if err := l.question(ctx, sheet, i); err != nil {
		return err
	}
	if text := sheet.example(i); text != "" {
		l.say(closed(steps.UpperFirst(text)))
	}
	return nil
}

// pickCustomers has customers chosen by their numbers, or by a part of their names.
func (l *Lines) pickCustomers(ctx context.Context) error {
	views := l.w.customerViews()
	list := func() {
		for n, v := range views {
			if picks(l.w.gdap(), v.Customer) {
				l.say(fmt.Sprintf("Chosen: %d. %s.", n+1, shownName(v.Customer)))
			}
		}
	}
	list()
	for {
		text, err := l.ask(ctx, query{"Type a number to take a customer or leave it, find and a part of a name, or press Enter to go on:", []string{
			"find says the customers with a text in their name, their domain or their state.",
		}, list})
		if err != nil {
			return err
		}
		verb, rest, _ := strings.Cut(text, " ")
		switch n, _ := strconv.Atoi(text); {
		case text == "" && gdapSheet{l.w}.fault(l.w.asked(), gdapTable) == "":
			return nil
		case text == "":
			l.say("Nobody is chosen yet.")
		case verb == "find" && strings.TrimSpace(rest) != "":
			l.findCustomers(views, strings.TrimSpace(rest))
		case n >= 1 && n <= len(views):
			c := views[n-1].Customer
			on := !picks(l.w.gdap(), c)
			l.w.pickCustomers(on, c)
			l.say(map[bool]string{true: "Chosen: ", false: "Left out: "}[on] + closed(shownName(c)))
		default:
			l.say("That is not understood. There are " + count(len(views), "customer", "customers") + ".")
		}
	}
}

func (l *Lines) findCustomers(views []steps.CustomerView, text string) {
	t := newCustomerTable(l.w, views)
	t.list.Filter(text)
	if len(t.list.visible) == 0 {
		l.say("No customer matches.")
	}
	for said, n := range t.list.visible {
		if said == manyWrites {
			l.say("And " + number(len(t.list.visible)-said) + " more: type more of the name.")
			break
		}
		v := views[n]
		l.say(fmt.Sprintf("%d. %s, %s: %s. Proposed: %s.", n+1, shownName(v.Customer), v.Domain, v.State, v.Proposal))
	}
}

// pickRoles has roles taken and left by their numbers.
func (l *Lines) pickRoles(ctx context.Context) error {
	list := func() {
		l.say("Roles asked for: " + roleTally(l.w.gdap()) + ".")
		for n, r := range catalog.ServiceRoles() {
			word := "not asked for"
			if hasRole(l.w.gdap(), r) {
				word = "asked for"
			}
			l.say(fmt.Sprintf("%d. %s, %s.", n+1, r.Name, word))
		}
	}
	list()
	for {
		text, err := l.ask(ctx, query{"Type a number to take a role or leave it, or press Enter to go on:", []string{addLater}, list})
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(text)
		switch {
		case text == "":
			return nil
		case n >= 1 && n <= len(catalog.ServiceRoles()):
			l.w.turnRole(catalog.ServiceRoles()[n-1])
			list()
		default:
			l.say("That is none of the numbers.")
		}
	}
}

// gdapReady says how the checks came out, and goes on to the plan.
func (l *Lines) gdapReady(ctx context.Context) error {
	told := false
	for {
		if l.w.stale() {
			told = false
			if err := l.look(ctx); err != nil {
				return err
			}
		}
		checks := l.w.gdapChecks()
		list := func() {
			for _, c := range checks {
				l.check(c)
			}
		}
		if !told {
			list()
			told = true
		}
		blocked := slices.IndexFunc(checks, blocks)
		prompt := "Press Enter to see the plan, or type again to look again, account to sign in again, back or quit:"
		if blocked >= 0 {
			prompt = "Mend that first. Type again to look again, account to sign in again, back or quit:"
		}
		if slices.ContainsFunc(checks, hopeless) {
			prompt = "The stage GDAP ends here. Type account to sign in elsewhere, back or quit:"
		}
		text, err := l.ask(ctx, query{prompt, []string{"again looks at the tenant once more. account signs in again, as the same or somebody else."}, list})
		switch {
		case err != nil:
			return err
		case text == "" && blocked < 0:
			l.w.accept()
			return nil
		case text == "" && hopeless(checks[blocked]):
			l.say(sentence(checks[blocked].Evidence))
		case text == "":
			l.say("This has to be mended first: " + checks[blocked].Title + ".")
		case text == "again":
			l.w.findings, l.w.read = nil, nil
		case text == "account":
			l.w.open(pageSignIn)
			return nil
		default:
			l.say(notUnderstood)
		}
	}
}

// invitations are what customers have yet to approve.
func (s *result) invitations() []steps.Invitation {
	if s.got.Delegation == nil {
		return nil
	}
	return s.got.Delegation.Invitations
}

// inbox does what is asked about customers who have yet to approve; false when
// nothing of the kind was.
func (l *Lines) inbox(list []steps.Invitation, text string) bool {
	verb, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	n, _ := strconv.Atoi(rest)
	one := n >= 1 && n <= len(list)
	partner := l.w.result.Org.Name
	switch {
	case text == "waiting":
		l.say(steps.WhoApproves)
		switch {
		case l.w.cfg.Sandbox == "" || len(list) == 0:
		case list[0].Link == steps.InvitationLink(list[0].ID):
			l.say("Rehearsal: nothing here reaches Microsoft, and these links lead nowhere.")
		default:
			l.say("Rehearsal: nothing here reaches Microsoft. Answer for a customer at its link.")
		}
		for n, i := range list {
			last := "not reminded yet"
			if !i.Reminded.IsZero() {
				last = "last reminded on " + day(i.Reminded)
			}
			l.say(fmt.Sprintf("%d. %s: %s, %s, lapses on %s, %s.", n+1, shownName(i.Customer), i.StatusWord(), waited(i.Waits(l.w.now)), day(i.Until), last))
			l.alone(i.Link)
		}
	case verb == "mail" && one:
		subject, body := steps.InvitationMail(list[n-1], partner)
		l.say(subject)
		l.gap()
		for text := range strings.Lines(body) {
			if text = strings.TrimRight(text, "\n"); text == "" {
				l.gap()
			} else {
				l.say(text)
			}
		}
	case verb == "export":
		dir := name(rest, l.w.cfg.Setup.InvitationsDir())
		path, err := l.w.cfg.Setup.ExportInvitations(dir, partner, list)
		if err != nil {
			l.problem(err)
			break
		}
		l.whole(count(len(list), "mail", "mails")+" and a table", path)
	case verb == "reminded" && one:
		i := &list[n-1]
		at := l.w.reminding(*i)
		if err := l.w.cfg.Setup.Remind(list[n-1:n], at); err != nil {
			l.problem(err)
			break
		}
		l.say(l.w.reminded(i, at))
	default:
		return false
	}
	return true
}
