package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"msbundle/state"
	"msbundle/steps"
)

// preflight looks at the tenant and says what stands in the way.
func (l *Lines) preflight(ctx context.Context) error {
	told := false
	for {
		if l.w.findings == nil {
			told = false
			if err := l.look(ctx); err != nil {
				return err
			}
		}
		s := newPreflight(l.w).(*preflight)
		s.Close()
		list := func() {
			l.say(s.tally())
			l.checks(s)
		}
		if !told {
			list()
			told = true
		}
		blocked := s.blocking() >= 0
		which := s.sameName()
		text, err := l.ask(ctx, query{preflightPrompt(blocked, which, blocked && s.checks[s.blocking()].SignIn), []string{
			"again looks at the tenant once more, after something was mended there. account signs in again, as the same or somebody else.",
			"fix and a number, where one is named with a check, takes what mends it into the plan, or leaves it out again.",
		}, list})
		number, fixing := strings.CutPrefix(text, "fix ")
		switch {
		case err != nil:
			return err
		case text == "" && !blocked:
			return nil
		case which && (text == "" || text == "apps"):
			if err := l.whichApp(ctx); err != nil && !errors.Is(err, errBack) {
				return err
			}
		case text == "" || text == "again":
			l.w.forgetFindings()
		case text == "account":
			l.w.open(pageSignIn)
			return nil
		case fixing && l.fix(s, number):
		default:
			l.say(notUnderstood)
		}
	}
}

// checks says how the checks came out, those that need somebody first.
func (l *Lines) checks(s *preflight) {
	mends := s.mended()
	for _, state := range []steps.CheckState{steps.Failed, steps.Warned, steps.Unknown, steps.Passed} {
		for i, c := range s.checks {
			if c.State != state {
				continue
			}
			l.check(c)
			if n := slices.Index(mends, i); n >= 0 {
				l.say(fmt.Sprintf("The plan can do it: type fix %d. It then has: %s.", n+1, s.offers[c.Offer].Title))
			}
		}
	}
}

// mended lists the checks that an offer of the plan mends.
func (s *preflight) mended() []int {
	var out []int
	for i, c := range s.checks {
		if _, ok := s.offers[c.Offer]; ok {
			out = append(out, i)
		}
	}
	return out
}

// fix takes what mends a check into the plan, or leaves it out again.
func (l *Lines) fix(s *preflight, number string) bool {
	mends := s.mended()
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 1 || n > len(mends) {
		return false
	}
	s.list.Select(mends[n-1])
	s.fix()
	l.notice()
	return true
}

func preflightPrompt(blocked, which, signIn bool) string {
	switch {
	case signIn:
		return "Mend that first. Then type account to sign in again, or again to look again, back or quit:"
	case blocked && which:
		return "Press Enter to decide about the app, or type again to look again, account to sign in again, back or quit:"
	case blocked:
		return "Mend that first. Then press Enter to look again, or type account to sign in again, back or quit:"
	case which:
		return "Press Enter to see the plan, or type apps to choose the app, again to look again, account to sign in again, back or quit:"
	}
	return "Press Enter to see the plan, or type again to look again, account to sign in again, back or quit:"
}

// look reads the tenant.
func (l *Lines) look(ctx context.Context) error {
	inspect, asked := l.w.cfg.Setup.Inspect, l.w.toLook()
	if l.w.stage != steps.StageAuthorize {
		inspect = l.w.cfg.Setup.InspectTenant
	}
	for {
		var wait *steps.Wait
		var found *steps.Findings
		l.say("Looking at the tenant. Nothing is changed. This usually takes 5 to 20 seconds; then you hear what stands in the way, if anything.")
		err := l.during(ctx, work{
			kind: callInspect,
			do: func(ctx context.Context, tell func(steps.Event)) (err error) {
				found, err = inspect(ctx, asked.Clone(), tell)
				return err
			},
			event: func(e steps.Event) {
				if e.Wait != nil {
					wait = l.waiting(wait, e.Wait)
				}
			},
			still: func(sofar string) string {
				if wait != nil {
					return "Still waiting for " + wait.For + ", " + spoken(l.w.now.Sub(wait.Since)) + " so far."
				}
				return "Still looking at the tenant, " + sofar + " so far."
			},
		})
		switch {
		case err == nil:
			l.w.looked(found, asked)
			return nil
		case isLeaving(err), ctx.Err() != nil:
			return err
		}
		l.problem(err)
		if _, err := l.ask(ctx, query{prompt: "Press Enter to look again, or type back or quit:"}); err != nil {
			return err
		}
	}
}

// waiting says once what is waited for, and how long that usually takes.
func (l *Lines) waiting(before, w *steps.Wait) *steps.Wait {
	if before == nil || before.For != w.For {
		l.say(fmt.Sprintf("Waiting for %s. It usually takes %s; then %s.", w.For, w.Usual, w.Then))
	}
	return w
}

func (l *Lines) check(c steps.Check) {
	l.say(fmt.Sprintf("%s: %s. %s", steps.UpperFirst(c.State.String()), c.Title, closed(c.Evidence)))
	if c.Fix != "" {
		l.say("What to do: " + c.Fix)
	}
}

// whichApp has the person decide about apps of the chosen name.
func (l *Lines) whichApp(ctx context.Context) error {
	var names []string
	for _, app := range l.w.findings.SameName {
		names = append(names, "Use the app "+app.Name+": "+appFacts(app)+", client id "+app.AppID+".")
	}
	names = append(names, "Give the new app another name.", "Stop here. Nothing was changed.")
	n, err := l.choose(ctx, count(len(names)-2, "app is", "apps are")+" called "+l.w.answers.Registration.Name+" already.", names, -1,
		"An existing app is brought in line and keeps its id and its secrets.")
	if err != nil {
		return err
	}
	a := l.w.answers.Clone()
	switch n {
	case len(names) - 1:
		return errQuit
	case len(names) - 2:
		name, err := l.text(ctx, "Another name for the new app:", "", state.CheckAppName)
		if err != nil {
			return err
		}
		a.Registration.Name, a.Registration.AppID = name, ""
		l.source = createApp
	default:
		a.Registration.AppID = l.w.findings.SameName[n].AppID
		l.source = enterID
	}
	l.w.existing = false
	l.w.setAnswers(a)
	l.w.forgetFindings()
	l.save()
	return nil
}
