package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"msbundle/steps"
)

// apply carries the plan out and says what is done.
func (l *Lines) apply(ctx context.Context) error {
	type outcome struct {
		result *steps.Result
		err    error
	}
	finished := make(chan outcome, 1)
	plan := *l.w.plan
	l.tick()
	a := newApplying(plan, l.w.now)
	l.w.apply = a
	if len(plan.Changes) > 0 {
		l.say("Writing. ctrl+c stops after the write in flight; what was done is kept.")
	} else {
		l.say("Nothing to write; reading back what is there.")
	}
	var wait *steps.Wait
	err := l.during(ctx, work{
		kind: callApply,
		do: func(ctx context.Context, tell func(steps.Event)) error {
			result, err := l.w.cfg.Setup.Apply(ctx, plan, steps.ApplyOptions{Gate: a.gate, Observe: tell})
			finished <- outcome{result, err}
			return err
		},
		event: func(e steps.Event) {
			now := a.current
			a.event(e)
			l.w.wrote = l.w.wrote || a.started
			if e.Kind == steps.EventWaiting {
				wait = l.waiting(wait, e.Wait)
			}
			l.progress(a, e, now)
		},
		still: func(sofar string) string { return l.stillApplying(a, sofar) },
	})
	select {
	case o := <-finished:
		l.tick()
		a.finish(l.w, o.result, o.err)
		err = o.err
	default: // it was given up in the middle
	}
	l.save()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case l.w.result != nil:
		return nil
	}
	l.problem(err)
	l.say("What was done is kept.")
	for {
		_, err := l.ask(ctx, query{
			prompt: "Press Enter to look at the tenant again and do the rest, or type quit:",
			about:  []string{"The tenant is looked at, and what is left is planned and shown before it is written."},
		})
		switch {
		case errors.Is(err, errBack): // asking this part again would be applying again
			l.say(noWayBack)
		case err != nil:
			return err
		default:
			l.w.again()
			return nil
		}
	}
}

// progress says what has happened. now is what was being written before it did.
func (l *Lines) progress(a *applying, e steps.Event, now string) {
	switch e.Kind {
	case steps.EventDone:
		l.say(fmt.Sprintf("Done: %s. That is %s of %s.", now, number(a.done), count(len(a.plan.Changes), "write", "writes")))
	case steps.EventProof:
		l.say(fmt.Sprintf("Read back and right: %d of %d.", e.Proof, e.Of))
	case steps.EventNote:
		l.say(closed(e.Text))
	}
}

func (l *Lines) stillApplying(a *applying, sofar string) string {
	text := "Still reading back"
	switch {
	case a.wait != nil:
		return "Still waiting for " + a.wait.For + ", " + spoken(l.w.now.Sub(a.wait.Since)) + " so far."
	case a.current != "":
		text = "Still writing: " + a.current
	case a.done < len(a.plan.Changes):
		text = "Still writing"
	}
	return text + ". Since the beginning: " + sofar + "."
}

// result says what came of it, and hands the values over.
func (l *Lines) result(ctx context.Context) error {
	s := newResult(l.w).(*result)
	list := func() { l.outcomeOf(s) }
	list()
	l.reported = true
	if err := l.secret(ctx, s); err != nil {
		return err
	}
	for _, f := range s.known() {
		if f.label == factNext {
			l.gap()
			l.facts([]fact{f})
		}
	}
	return l.afterwards(ctx, s, list)
}

// afterwards asks how to go on after a result. Who says nothing more has finished.
func (l *Lines) afterwards(ctx context.Context, s *result, list func()) error {
	prompt, about := "Press Enter to finish, or type start for the beginning", []string{"start leads to the first question, where a stage can be opened again."}
	switch s, _ := stageAfter(l.w.stage); s.id {
	case steps.StageTenant:
		prompt += ", next for the service account"
		about = append(about, "next goes on to the stage Service account: the account that authorises in Rewst, and what it needs of the tenant.")
	case steps.StageGDAP:
		prompt += ", next for GDAP"
		about = append(about, "next goes on to the stage GDAP: customers are asked for delegated administration.")
	case steps.StageCustomers:
		prompt += ", next for the customers"
		about = append(about, "next goes on to the stage Customers: which organisation each is, the consent there, and how each stands.")
	}
	inbox := s.invitations()
	if len(inbox) > 0 {
		prompt += ", waiting for the customers with their links, mail and a number, export and a folder, reminded and a number"
		about = append(about, "waiting says who has not approved yet, with the links. mail and a number says a text to send to that customer.",
			"export and a folder writes such a mail for each of them and a table. reminded and a number notes that you reminded that customer, or takes that back.")
	}
	if s.unfinished() {
		prompt += ", again to look at the tenant again"
		about = append(about, "again looks at the tenant, and plans what is left.")
	}
	l.gap()
	for {
		text, err := l.ask(ctx, query{prompt + ":", about, list})
		switch {
		case errors.Is(err, errBack):
			l.say(noWayBack)
		case errors.Is(err, errEnded) && s.got.Done():
			return nil
		case err != nil:
			return err
		case text == "again" && s.unfinished():
			l.w.again()
			l.reported = false
			return nil
		case len(inbox) > 0 && l.inbox(inbox, text):
		case text == "next" && nextStage(l.w.stage) != "":
			l.w.next()
			l.reported = false
			return nil
		case text == "start":
			l.w.open(pageStart)
			l.reported = false
			return nil
		case text == "" && l.stays(ctx):
		case text == "":
			return nil
		default:
			l.say(notUnderstood)
		}
	}
}

func (l *Lines) outcomeOf(s *result) {
	r := s.got
	l.say(verdictOf(l.w.stage, r) + ". " + sentence(s.proof()))
	if l.w.apply != nil && l.w.apply.err != nil && !l.w.told() {
		l.problem(l.w.apply.err)
	}
	for _, i := range s.authorised() {
		word := "authorised"
		if !i.Authorized {
			word = "incomplete"
		}
		l.say(fmt.Sprintf("%s: %s, %s of %s.", i.Name, word, number(i.Granted), count(i.Wanted, "permission", "permissions")))
		if len(i.Missing) > 0 {
			l.say("Missing: " + strings.Join(i.Missing, ", ") + ".")
		}
	}
	if len(s.rows) > 0 {
		l.say("", s.heading()+":")
	}
	for _, v := range s.rows {
		switch {
		case v.text:
			l.handover(v)
		case !v.secret:
			l.alone(v.label + ": " + v.value)
		}
	}
	if r.SecretNote != "" {
		l.say(r.SecretNote)
	}
	l.gap()
	for _, f := range s.known() {
		if f.label != factNext {
			l.facts([]fact{f})
		}
	}
}

// handover says a text of several lines as it is copied.
func (l *Lines) handover(v resultRow) {
	l.say("", v.label+", for where your team documents its accounts, without the password:")
	for text := range strings.Lines(v.value) {
		l.alone(strings.TrimRight(text, "\n"))
	}
}

// secret shows a secret once, when the person asks for it.
func (l *Lines) secret(ctx context.Context, s *result) error {
	r, h := s.got, s.handing
	if s.secret.IsZero() || l.w.revealed {
		return nil
	}
	l.gap()
	if text := s.ends(r); text != "" {
		l.say(text)
	}
	for {
		show, err := l.agree(ctx, query{prompt: "Show the " + h.title + " now? It is shown once.", about: []string{h.keep}})
		switch {
		case errors.Is(err, errBack):
			l.say(noWayBack)
			continue
		case err != nil && !errors.Is(err, errQuit):
			return err
		case show:
			l.say(h.label + ":")
			l.alone(s.secret.Reveal())
			l.w.taken, l.w.revealed = true, true
			if err := h.store(l.w.cfg.Setup); err != nil {
				l.problem(err)
			}
			return nil
		}
		q := h.question(nil)
		leave, err := l.agree(ctx, query{prompt: q.title + " " + q.text})
		switch {
		case leave || errors.Is(err, errQuit):
			return errQuit
		case err != nil && !errors.Is(err, errBack):
			return err
		}
	}
}
