package ui

import (
	"context"
	"errors"
	"time"

	"msbundle/steps"
)

const (
	// heartbeat is how long nothing is said while something is waited for.
	heartbeat = 15 * time.Second
	// lastWait is how long work that was ended is waited for, where it writes nothing.
	lastWait = 30 * time.Second
)

// work is something that takes a while.
type work struct {
	kind  callKind
	do    func(ctx context.Context, tell func(steps.Event)) error
	event func(steps.Event)         // told what happens meanwhile
	still func(sofar string) string // what goes on, said when nothing has happened for a while
}

// during waits for work and says meanwhile what happens, and that it still goes
// on. Sign-ins the engine asks for are told, and what is typed about them is
// answered. When the person leaves, the work is ended first.
func (l *Lines) during(ctx context.Context, w work) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	events, gone, done := make(chan steps.Event), make(chan struct{}), make(chan error, 1)
	defer close(gone)
	l.doing = w.kind
	go func() {
		done <- w.do(within, func(e steps.Event) {
			select {
			case events <- e:
			case <-gone:
			}
		})
	}()
	l.tick()
	begun, beat := l.w.now, time.NewTimer(heartbeat)
	defer beat.Stop()
	var left error // why the work is not wanted any more
	var limit <-chan time.Time
	leave := func(err error) {
		wait := lastWait
		if w.kind == callApply {
			wait = StopLimit
		}
		left, limit, l.prompting = err, time.After(wait), false
		cancel()
	}
	hear := func(text string, err error) {
		if err == nil {
			err = l.typed(text)
		}
		if err != nil && !l.skips(err) {
			leave(err)
		}
	}
	interrupted := ctx.Done()
	for {
		if text, early := l.early(); early {
			hear(text, nil)
		}
		select {
		case err := <-done:
			l.promptsOver()
			if left != nil && (err != nil || w.kind != callSignIn) { // whoever has signed in has signed in
				return left
			}
			return err
		case <-limit:
			return left
		case <-interrupted:
			interrupted = nil
			if w.kind == callApply {
				l.say("Finishing the write in flight, so that nothing is left in doubt. Another ctrl+c leaves at once.")
			}
			leave(ctx.Err())
		case e := <-events:
			l.tick()
			if w.event != nil {
				w.event(e)
			}
		case <-l.w.prompts.ready:
			l.tick()
			for _, a := range l.w.prompts.take() {
				if left == nil && !a.call.over() {
					l.prompted(a.prompt)
				}
			}
		case got := <-l.listening():
			l.tick()
			hear(l.took(ctx, got))
		case <-beat.C:
			l.tick()
			if l.prompting {
				l.stillAsked()
			} else {
				l.say(w.still(spoken(l.w.now.Sub(begun))))
			}
		}
		beat.Reset(heartbeat)
	}
}

// tick lets the wizard know what time it is.
func (l *Lines) tick() { l.w.now = l.w.cfg.Now() }

// listening is where lines come from while something is waited for: only when
// they can be about a sign-in, and not after one that has to be about something
// else.
func (l *Lines) listening() <-chan line {
	if !l.prompting || len(l.held) > 0 && l.prompt.Err == nil {
		return nil
	}
	return l.request()
}

// early is a line that came before the sign-in failed, and answers that.
func (l *Lines) early() (string, bool) {
	if !l.prompting || l.prompt.Err == nil || len(l.held) == 0 {
		return "", false
	}
	text := l.held[0]
	l.held = l.held[1:]
	return text, true
}

// skips gives up a sign-in the changes wait for, when there is nobody to make it:
// they end by themselves then, with what was done on record.
func (l *Lines) skips(err error) bool {
	if l.doing != callApply || errors.Is(err, context.Canceled) {
		return false
	}
	l.giveUp()
	return true
}

func (l *Lines) giveUp() {
	l.prompting = false
	l.w.cfg.Setup.Skip(l.prompt.N)
}

// promptsOver forgets what was asked by work that is over.
func (l *Lines) promptsOver() {
	l.w.prompts.take()
	l.prompting, l.erring = false, false
}
