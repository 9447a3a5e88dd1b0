package steps

import (
	"context"
	"encoding/json"
	"time"

	"msbundle/msclient"
)

// telling has the waits of a context's requests shown.
func (s *Setup) telling(ctx context.Context, observe func(Event)) context.Context {
	wait := func(what, usual string, next time.Duration) {
		observe(Event{Kind: EventWaiting, At: time.Now(), Text: "Asking again", Wait: &Wait{
			For: what, Usual: usual, Since: time.Now(), Next: next, Then: "it is asked again",
		}})
	}
	ctx = msclient.WithSpreading(ctx, func() { wait(spreading, "seconds", 0) })
	return msclient.WithWaiting(ctx, func(next time.Duration) {
		wait("Microsoft's service, which is busy or gave no answer", "seconds; the service may ask for a few minutes", next)
	})
}

// spreading is waited for where the sign-in service refuses as unknown what was just
// made; it is short, because it is told of many customers in a column.
const spreading = "what was just made to be known"

// takeOne decodes an answer that is one object.
func takeOne[T any](take func(T, json.RawMessage)) func(context.Context, *msclient.Response) error {
	return func(_ context.Context, r *msclient.Response) error {
		var v T
		if err := r.Decode(&v); err != nil {
			return err
		}
		take(v, r.Body)
		return nil
	}
}

// takePage decodes an answer that is a list and follows its pages.
func takePage[T any](s *Setup, take func([]T) error) func(context.Context, *msclient.Response) error {
	return func(ctx context.Context, r *msclient.Response) error {
		var page msclient.Page[T]
		if err := r.Decode(&page); err != nil {
			return err
		}
		all, err := msclient.Rest(ctx, s.graph, page)
		if err != nil {
			return err
		}
		return take(all)
	}
}
