package msclient

import (
	"context"
	"net/http"
	"time"
)

type onceKey struct{}

type waitingKey struct{}

type spreadingKey struct{}

type personKey struct{}

type graceKey struct{}

type fruitlessKey struct{}

// OneTry makes the requests of a context be sent once: the caller decides about
// repeating them, and tells people why it waits.
func OneTry(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

func oneTry(ctx context.Context) bool { once, _ := ctx.Value(onceKey{}).(bool); return once }

// WithWaiting has told called before each wait that comes with repeating a
// request of the context, with its length where the service named it and 0
// otherwise. It may be called from several goroutines.
func WithWaiting(ctx context.Context, told func(time.Duration)) context.Context {
	return context.WithValue(ctx, waitingKey{}, told)
}

// WithSpreading has told called in place of what WithWaiting names where the wait is for
// something just made that not all of Microsoft's servers know of yet.
func WithSpreading(ctx context.Context, told func()) context.Context {
	return context.WithValue(ctx, spreadingKey{}, told)
}

func tellSpreading(ctx context.Context) {
	if told, is := ctx.Value(spreadingKey{}).(func()); is {
		told()
		return
	}
	tellWaiting(ctx, nil)
}

// tellWaiting says that a request is about to be repeated; res is what it was answered,
// nil for nothing.
func tellWaiting(ctx context.Context, res *http.Response) {
	named := time.Duration(0)
	if res != nil {
		named = retryAfter(res.Header)
	}
	tellWait(ctx, named)
}

// tellWait is tellWaiting with the time that was named.
func tellWait(ctx context.Context, named time.Duration) {
	if told, is := ctx.Value(waitingKey{}).(func(time.Duration)); is {
		told(named)
	}
}

// SeenThrough lets the requests of a context be finished when it ends: giving one
// up in the middle only leaves a doubt behind. A person who has to sign in first
// is not waited for any longer than the context itself lasts.
func SeenThrough(ctx context.Context) context.Context {
	if graced, _ := ctx.Value(graceKey{}).(bool); graced {
		return ctx
	}
	return context.WithValue(context.WithoutCancel(ctx), personKey{}, ctx)
}

// WithGrace is a context for what is to be done to its end although ctx ends: from then
// on it has so much time. Nothing is seen through any longer than that.
func WithGrace(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	own, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), graceKey{}, true))
	halt := context.AfterFunc(ctx, func() {
		if Sleep(unparked(own), limit) == nil {
			cancel()
		}
	})
	return own, func() { halt(); cancel() }
}

// AskingOnce has a sign-in that did not come about not be asked for again by the requests
// of the context: all that need it fail with the same *SignInError. Work at many tenants
// goes on under it; whoever is to be asked again begins anew with another context.
func AskingOnce(ctx context.Context) context.Context {
	return context.WithValue(ctx, fruitlessKey{}, &fruitless{})
}

// fruitless is the last sign-in that did not come about for a context. It belongs to
// whoever has the ladder's turn.
type fruitless struct {
	signer *signer
	err    error
}

// fruitlessIn is nil where each sign-in is asked for again.
func fruitlessIn(ctx context.Context) *fruitless {
	f, _ := ctx.Value(fruitlessKey{}).(*fruitless)
	return f
}

// asking is the context a person is waited for under.
func asking(ctx context.Context) context.Context {
	if own, ok := ctx.Value(personKey{}).(context.Context); ok {
		return own
	}
	return ctx
}
