package msclient

import (
	"context"
	"net/http"
	"time"
)

type onceKey struct{}

type waitingKey struct{}

type personKey struct{}

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

func tellWaiting(ctx context.Context, res *http.Response) {
	told, ok := ctx.Value(waitingKey{}).(func(time.Duration))
	if !ok {
		return
	}
	if res == nil {
		told(0)
		return
	}
	told(retryAfter(res.Header))
}

// SeenThrough lets the requests of a context be finished when it ends: giving one
// up in the middle only leaves a doubt behind. A person who has to sign in first
// is not waited for any longer than the context itself lasts.
func SeenThrough(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), personKey{}, ctx)
}

// asking is the context a person is waited for under.
func asking(ctx context.Context) context.Context {
	if own, ok := ctx.Value(personKey{}).(context.Context); ok {
		return own
	}
	return ctx
}
