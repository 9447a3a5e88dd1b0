package ui

import (
	"context"
	"fmt"
	"strings"
)

// authorize says everything chosen and asks whether to sign in.
func (l *Lines) authorize(ctx context.Context) error {
	s := newAuthorize(l.w).(*authorize)
	list := func() {
		for _, bad := range s.faults {
			l.say("To be mended: " + bad.Key + ": " + bad.Text)
		}
		l.say("Chosen so far:")
		l.facts(s.known())
		l.signInFor(s)
		l.say(s.kept())
	}
	list()
	about := []string{"Nothing is written to the tenant before you have seen the plan and typed yes."}
	for {
		switch {
		case len(s.faults) > 0:
			if _, err := l.ask(ctx, query{"Type back to mend that, or quit:", about, list}); err != nil {
				return err
			}
		case s.right():
			text, err := l.ask(ctx, query{"Signed in as " + l.w.account.Username + ". Press Enter to go on, or type account to sign in as somebody else:", about, list})
			switch {
			case err != nil:
				return err
			case text == "":
				s.next()
				return nil
			case text == "account":
				l.w.open(pageSignIn)
				return nil
			}
			l.say(notUnderstood)
		default:
			now, err := l.agree(ctx, query{"Sign in now?", about, list})
			switch {
			case err != nil:
				return err
			case now:
				s.next()
				return nil
			}
			l.say("Nobody is signed in then. Type back to change something, or quit to leave.")
		}
	}
}

// signInFor says what somebody signs in for.
func (l *Lines) signInFor(s *authorize) {
	if !l.owned() {
		title, todo, then := s.inRewst()
		l.say(title + ":")
		for i, text := range todo {
			l.say(fmt.Sprintf("%d. %s", i+1, text))
		}
		l.say(then)
		return
	}
	who, does, left := s.consent()
	l.say(who)
	l.say(strings.Join(does, "; ") + ".")
	l.say(left)
}

// facts says what is known, by name.
func (l *Lines) facts(facts []fact) {
	for _, f := range facts {
		switch f.label {
		case "":
			l.say(f.text)
		case factFile, factAgain:
			l.whole(f.label, f.text)
		default:
			l.say(f.label + ": " + f.text)
		}
	}
}
