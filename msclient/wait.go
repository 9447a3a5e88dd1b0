package msclient

import (
	"context"
	"time"
)

// Patience says how long to look for something that replicas may not show yet.
type Patience struct {
	Good  int           // good looks in a row that are needed; at least 1
	First time.Duration // wait before the second look after a bad one; doubles each time
	Max   time.Duration // longest wait between two looks
	Limit time.Duration // give up after a last look this long after the first
	// Waiting is called before each wait after a bad look.
	Waiting func(since time.Time, next time.Duration)
	// Seen is called after each good look with how many there were in a row.
	Seen func(good int)
}

// Until looks again and again until as many looks in a row as asked for were
// good: replicas of the directory disagree for a while after a write, so a
// single good read proves little. It reports false when the limit passed first,
// and ends at the first error of look.
func Until(ctx context.Context, p Patience, look func(context.Context) (bool, error)) (bool, error) {
	begun := time.Now()
	delay := max(p.First, time.Millisecond) // no wait at all would hammer the service
	good := 0
	for {
		ok, err := look(ctx)
		if err != nil {
			return false, err
		}
		if ok {
			if good++; p.Seen != nil {
				p.Seen(good)
			}
			if good >= p.Good {
				return true, nil
			}
			continue
		}
		good = 0
		left := p.Limit - time.Since(begun)
		if left <= 0 {
			return false, nil
		}
		wait := min(delay, left) // the last look is at the limit, not before
		if p.Waiting != nil {
			p.Waiting(begun, wait)
		}
		if err := Sleep(ctx, wait); err != nil {
			return false, err
		}
		delay = max(delay, min(2*delay, p.Max))
	}
}

type parkingKey struct{}

// WithParking has every Sleep of the context call park when it begins, and what
// that returned when it ends: of many who work at a time, one who only waits
// leaves its place to another.
func WithParking(ctx context.Context, park func() (back func())) context.Context {
	return context.WithValue(ctx, parkingKey{}, park)
}

// unparked has every Sleep of the context keep its place: what comes of it is waited
// for by others, who keep theirs.
func unparked(ctx context.Context) context.Context {
	return context.WithValue(ctx, parkingKey{}, nil)
}
