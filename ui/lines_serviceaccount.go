package ui

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// accountStops are the questions of the service account and what it needs of the
// tenant: those of the page, one after the other, and then the checks.
func accountStops() []stop {
	out := []stop{{page: pageAccount, ask: (*Lines).lookAtTenant, passing: true}}
	for _, i := range []formItem{
		readyAccount, readyUser, readyCreate, readyName, readyRoles, readyMFA, readyAccess, readyPolicy, readyExclude,
		readyAzure, readySubscription, readyVault, readyGroup, readyLocation, readyAzureRole, readyExchange,
	} {
		out = append(out, stop{
			page: pageAccount, ask: func(l *Lines, ctx context.Context) error { return l.ready(ctx, i) },
			applies: func(l *Lines) bool { return slices.Contains(readySheet{l.w}.questions(), i) },
		})
	}
	return append(out, stop{page: pageAccount, ask: (*Lines).readiness})
}

// lookAtTenant reads the tenant, unless it was read for these answers.
func (l *Lines) lookAtTenant(ctx context.Context) error {
	if !l.w.stale() || !l.w.asked().Ready() {
		return nil
	}
	return l.look(ctx)
}

// ready asks one question. When its answer takes another look at the tenant, that
// is had before the next one.
func (l *Lines) ready(ctx context.Context, i formItem) error {
	found := func() {
		_, text := l.w.found()
		l.say("Found: " + closed(text))
	}
	switch i {
	case readyUser:
		found()
	case readyAccess:
		l.policies()
	}
	was := l.w.asked()
	if err := l.question(ctx, readySheet{l.w}, i, "Every part can be left out."); err != nil {
		return err
	}
	now := l.w.asked()
	if text, none := l.w.noAccess(); i == readyAccess && none {
		l.say("Conditional Access: " + closed(text))
	}
	switch {
	case i == readyUser && was.ServiceAccount.Username != now.ServiceAccount.Username, i == readyAzure && now.Azure != nil, i == readySubscription:
		if err := l.lookAtTenant(ctx); err != nil {
			return err
		}
	}
	switch {
	case i == readyUser && was.ServiceAccount.Username != now.ServiceAccount.Username:
		found()
	case i == readyAzure && now.Azure != nil:
		_, text := l.w.foundAzure()
		l.say("Azure: " + closed(text))
	}
	return nil
}

// policies says which Conditional Access policies reach the account, and what is
// proposed.
func (l *Lines) policies() {
	views := l.w.policyViews()
	if len(views) == 0 {
		return
	}
	l.say("There is: " + policyTally(views) + ".")
	for _, v := range views {
		if v.Reaches == "No" {
			continue
		}
		name := v.Name
		if v.Managed {
			name += " (Microsoft's own)"
		}
		l.say(fmt.Sprintf("%s, %s. Reaches the account: %s %s Proposal: %s", name, v.State, closed(v.Reaches), closed(v.Does), closed(v.Proposal)))
	}
}

// readiness says how the checks came out, and goes on to the plan.
func (l *Lines) readiness(ctx context.Context) error {
	list := func() {
		for _, c := range l.w.readyChecks() {
			l.check(c)
		}
		for n, o := range l.w.readyOffers() {
			taken := "not taken"
			if l.w.ticked[o.ID] {
				taken = "taken"
			}
			l.say(fmt.Sprintf("Offer %d, %s: %s. Risk %s. %s", n+1, taken, o.Title, o.Risk, o.Why))
		}
	}
	told := false
	for {
		if !l.w.asked().Ready() {
			l.say(nothingAsked)
			if _, err := l.ask(ctx, query{prompt: "Type back to change that, or quit:"}); err != nil {
				return err
			}
			continue
		}
		if l.w.stale() {
			told = false
			if err := l.look(ctx); err != nil {
				return err
			}
		}
		if !told {
			list()
			told = true
		}
		blocked := slices.IndexFunc(l.w.readyChecks(), blocks)
		text, err := l.ask(ctx, query{l.readyPrompt(blocked >= 0), []string{
			"tick and a number takes an offer, or leaves it again.",
			"insist and the tenant's name has Global Administrator taken away from the last account that holds it, or from the one that is signed in.",
			"again looks at the tenant once more. account signs in again, as the same or somebody else.",
		}, list})
		if err != nil {
			return err
		}
		verb, rest, _ := strings.Cut(text, " ")
		n, _ := strconv.Atoi(strings.TrimSpace(rest))
		switch offers := l.w.readyOffers(); {
		case text == "" && blocked < 0:
			l.w.accept()
			return nil
		case text == "":
			l.say("This has to be mended first: " + l.w.readyChecks()[blocked].Title + ".")
		case verb == "tick" && n >= 1 && n <= len(offers):
			id := offers[n-1].ID
			l.w.ticked[id] = !l.w.ticked[id]
			told = false
		case verb == "insist" && l.w.stepDownStops():
			l.w.insistOn(strings.TrimSpace(rest))
			told = false
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

func (l *Lines) readyPrompt(blocked bool) string {
	text := "Press Enter to see the plan, or type again to look again"
	if blocked {
		text = "Mend that first. Type again to look again"
	}
	if len(l.w.readyOffers()) > 0 {
		text += ", tick and a number to take or leave an offer"
	}
	if l.w.stepDownStops() {
		text += ", insist and the tenant's name to have it done all the same"
	}
	return text + ", account to sign in again, back or quit:"
}
