package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// signIn has somebody sign in, unless the right person is.
func (l *Lines) signIn(ctx context.Context) error {
	s := newSignIn(l.w).(*signin)
	defer s.Close()
	for {
		answers := s.expecting()
		var account steps.Account
		var saved *state.Answers
		wanted := l.w.wantsSaved()
		l.say("Signing in. Microsoft usually answers within a second or two.")
		err := l.during(ctx, work{
			kind: callSignIn,
			do: func(ctx context.Context, _ func(steps.Event)) (err error) {
				account, saved, err = signInAndLoad(ctx, l.w.cfg.Setup, answers, wanted)
				return err
			},
			still: func(sofar string) string { return "Still waiting for the sign-in service, " + sofar + " so far." },
		})
		switch {
		case err == nil:
			l.gap()
			l.say("Signed in as " + account.Username + ".")
			s.done(signedInMsg{account: account, saved: saved})
			return nil
		case isLeaving(err), ctx.Err() != nil:
			l.w.noSignIn = l.w.noSignIn || errors.Is(err, errQuit)
			return err
		}
		s.done(signedInMsg{err: err})
		l.problem(err)
		if _, err := l.ask(ctx, query{prompt: "Press Enter to try again, or type back or quit:", about: []string{"back leads to the questions, where you can change the account or the tenant."}}); err != nil {
			return err
		}
	}
}

// prompted tells what the engine asks of the person.
func (l *Lines) prompted(p steps.Prompt) {
	same := l.prompting && p.N == l.prompt.N
	if p.Ended {
		if same && l.doing != callSignIn {
			l.say("Signed in. Going on.")
		}
		l.prompting, l.erring = l.prompting && !same, false
		return
	}
	if !same {
		l.began, l.erring = l.w.now, false
	}
	renewed := same && l.prompt.Err == nil && !l.again
	l.prompt, l.prompting, l.again = p, true, false
	l.w.method = p.Method
	if l.doing == callSignIn {
		l.w.noSignIn = p.Err != nil
	}
	l.gap()
	switch {
	case p.Err != nil:
		l.problem(p.Err)
		l.say(l.commands())
		return
	case renewed:
		l.say("Here is a new code. The one before serves, too, until it expires.")
	case !same:
		l.purpose()
	}
	l.instructions()
	l.say(l.commands())
	if open := l.w.cfg.Browse; p.Method == steps.ByBrowser && open != nil {
		go func() { _ = open(p.URL) }() // its success means nothing; the address was said
	}
	if l.over { // nobody answers
		l.giveUp()
	}
}

// purpose says what the sign-in is for, who is expected, and how the page calls
// this program: a person must be able to tell it from somebody else's.
func (l *Lines) purpose() {
	p := l.prompt
	l.say("Sign-in for " + p.Why + ".")
	if p.Account != "" {
		l.say("Sign in as " + p.Account + ".")
	}
	l.say("The sign-in page will name " + p.App + ".")
	if p.Skip {
		l.say("This sign-in can be left out: type s. Its checks then say that they could not be made.")
	}
}

// instructions say what to do. What is to be typed or opened elsewhere stands on
// a line of its own.
func (l *Lines) instructions() {
	p := &panel{w: l.w, prompt: l.prompt}
	switch {
	case l.prompt.Method == steps.ByDevice:
		l.code(p)
		return
	case l.prompt.Method == steps.ByTunnel:
		l.say(runThere)
		l.alone(p.command())
		l.say(openThere)
		l.alone(p.address())
	case p.played():
		l.say(playedPage)
	default:
		l.say(openHere)
		l.alone(p.address())
	}
	l.say(onlyYourPage)
}

func (l *Lines) code(p *panel) {
	switch {
	case p.played():
		l.say("Rehearsal: the simulated administrator enters the code by itself. In earnest you open this address, on any device:")
	case l.w.cfg.DevicePage != "":
		l.say(sandboxPage)
	default:
		l.say("Open this address, on any device:")
	}
	l.alone(p.address())
	code := clean(l.prompt.Code.UserCode)
	l.say("Enter this code:")
	l.alone(code)
	l.say("Letter by letter: " + strings.Join(strings.Split(code, ""), " "))
	l.say(onlyYourCode + " It serves for another " + spoken(l.prompt.Code.Expires.Sub(l.w.now)) + ", then a new one comes by itself.")
}

// commands says what can be typed about the sign-in.
func (l *Lines) commands() string {
	p := l.prompt
	var list []string
	add := func(when bool, text string) {
		if when {
			list = append(list, text)
		}
	}
	kind := "page"
	if p.Method == steps.ByDevice {
		kind = "code"
	}
	add(p.Err != nil, "n to try again")
	add(p.Err == nil, "n for a new "+kind)
	add(len(p.Methods) > 1, "m for another way to sign in")
	add(p.Err == nil, "e when the browser shows an error")
	add(p.Skip, "s to go on without it")
	add(l.doing != callApply, "back for the question before")
	add(true, "? to hear this again")
	text := "quit to stop"
	if l.doing == callApply {
		text = "quit to give up, which stops the changes"
	}
	text = "You can type " + strings.Join(list, ", ") + ", or " + text + "."
	if p.Err == nil {
		return "This program waits meanwhile. " + text
	}
	return text
}

// stillAsked says that the sign-in is waited for. After a failure the person is
// waited for, who knows it.
func (l *Lines) stillAsked() {
	p := l.prompt
	if p.Err != nil {
		return
	}
	text := "Still waiting for the sign-in, " + spoken(l.w.now.Sub(l.began)) + " so far"
	if p.Method == steps.ByDevice {
		text += "; the code serves for another " + spoken(p.Code.Expires.Sub(l.w.now))
	}
	if l.w.now.Sub(l.began) >= askAfter {
		text += ". Does the browser show an error? Type e"
	}
	l.say(text + ".")
}

// typed takes what is typed while a sign-in is waited for.
func (l *Lines) typed(text string) error {
	if l.erring {
		l.erring = false
		l.explain(text)
		return nil
	}
	verb, rest, _ := strings.Cut(text, " ")
	switch strings.ToLower(verb) {
	case "n":
		l.use(l.prompt.Method)
	case "m":
		l.otherWay(strings.TrimSpace(rest))
	case "e":
		if rest == "" {
			l.erring = true
			l.say("What does the browser show? Type the number after AADSTS, or paste the message. The sign-in goes on waiting meanwhile.")
			return nil
		}
		l.explain(rest)
	case "s":
		if !l.prompt.Skip {
			l.say("This sign-in cannot be left out.")
			return nil
		}
		l.say("Going on without this sign-in.")
		l.giveUp()
	case "?", "help":
		l.purpose()
		if l.prompt.Err == nil {
			l.instructions()
		}
		l.say(l.commands())
	case "back":
		if l.doing != callApply {
			return errBack
		}
		l.say("There is no way back while changes are being written. " + l.commands())
	case "q", "quit":
		return errQuit
	default:
		switch {
		case !l.con.Keyboard && l.prompt.Err == nil:
			l.held = append(l.held, text)
		case text == "":
			l.stillAsked()
		default:
			l.say("That is not understood. " + l.commands())
		}
	}
	return nil
}

// use begins the sign-in again by a method.
func (l *Lines) use(m steps.Method) {
	l.again, l.began, l.prompt.Err = true, l.w.now, nil
	if l.doing == callSignIn {
		l.w.noSignIn = false
	}
	l.say("The sign-in begins again, with " + methodName(m) + ".")
	l.w.use(l.prompt.N, m)
}

// otherWay begins again by another method: the one there is, or the one whose
// number is given.
func (l *Lines) otherWay(number string) {
	all := l.prompt.Methods
	n, err := strconv.Atoi(number)
	switch {
	case len(all) < 2:
		l.say("There is no other way to sign in here.")
	case err == nil && n >= 1 && n <= len(all):
		l.use(all[n-1])
	case len(all) == 2 && number == "":
		l.use(all[1-max(slices.Index(all, l.prompt.Method), 0)])
	default:
		for i, m := range all {
			name := steps.UpperFirst(methodName(m))
			if m == l.prompt.Method {
				name += ", the one in use"
			}
			l.say(fmt.Sprintf("m %d: %s. %s", i+1, name, methodHelps(m)))
		}
		l.say("Type m and a number.")
	}
}

// explain says what an error of the browser means, and what may work instead.
func (l *Lines) explain(text string) {
	e := catalog.Explain(catalog.Clues{Text: text})
	if !e.Found {
		l.say(unknownError, lookItUp)
		l.say(l.commands())
		return
	}
	if e.Code != "" {
		l.say(e.Code + ":")
	}
	l.say(e.Rule.Cause, "What to do: "+e.Rule.DoHere(), "Who can: "+string(e.Rule.Who)+".")
	if m, ok := withBrowser(l.prompt.Methods); ok && e.Rule.Method == catalog.MethodBrowser && l.prompt.Method == steps.ByDevice {
		l.say(fmt.Sprintf("Type m %d to sign in with %s instead, which may work where a code does not.", slices.Index(l.prompt.Methods, m)+1, methodName(m)))
	}
	l.say(l.commands())
}

// problem tells a failure: what happened, what to do, and what support needs.
func (l *Lines) problem(err error) {
	p := problemOf(err)
	l.say("Problem: " + sentence(p.What))
	if p.Cause != "" {
		l.say("Cause: " + sentence(p.Cause))
	}
	if p.Do != "" {
		l.say("What to do: " + sentence(p.Do))
	}
	if p.Who != "" {
		l.say("Who can: " + sentence(p.Who))
	}
	if p.Raw != "" {
		l.say("Details: " + p.Raw)
	}
	if p.RequestID != "" {
		l.say("Request id for Microsoft's support: " + p.RequestID)
	}
}

func isLeaving(err error) bool {
	return errors.Is(err, errBack) || errors.Is(err, errQuit) || errors.Is(err, errEnded)
}
