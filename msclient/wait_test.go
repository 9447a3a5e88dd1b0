package msclient

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUntil(t *testing.T) {
	p := Patience{Good: 3, First: second, Max: 4 * second, Limit: 20 * second}
	for _, tt := range []struct {
		name     string
		patience Patience
		looks    string // + good, - bad; the last one goes on
		want     bool
		at       []time.Duration // of the looks
		seen     []int
	}{
		{"at once", p, "+", true, []time.Duration{0, 0, 0}, []int{1, 2, 3}},
		{"one is enough", Patience{Good: 1, Limit: second}, "+", true, []time.Duration{0}, []int{1}},
		{"after a while", p, "--+", true, []time.Duration{0, second, 3 * second, 3 * second, 3 * second}, []int{1, 2, 3}},
		{"a bad one begins anew", p, "++-+", true, []time.Duration{0, 0, 0, second, second, second}, []int{1, 2, 1, 2, 3}},
		{
			"never", p, "-", false,
			[]time.Duration{0, 1 * second, 3 * second, 7 * second, 11 * second, 15 * second, 19 * second, 20 * second},
			nil,
		},
		{"never quite", p, "++-++-++-++-++-++-++-++-", false, nil, []int{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2}},
		{"no limit given", Patience{Good: 1, First: second}, "-", false, []time.Duration{0}, nil},
		{"longest wait left out", Patience{Good: 1, First: second, Limit: 3 * second}, "-", false, []time.Duration{0, 1 * second, 2 * second, 3 * second}, nil},
		{"limit under the first wait", Patience{Good: 1, First: 10 * second, Max: 10 * second, Limit: second}, "-", false, []time.Duration{0, second}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				var at, told []time.Duration
				var seen []int
				tt.patience.Seen = func(n int) { seen = append(seen, n) }
				tt.patience.Waiting = func(since time.Time, next time.Duration) {
					if !since.Equal(begun) {
						t.Errorf("waiting since %s", since)
					}
					told = append(told, time.Since(begun)+next)
				}
				got, err := Until(t.Context(), tt.patience, func(context.Context) (bool, error) {
					at = append(at, time.Since(begun))
					return tt.looks[min(len(at), len(tt.looks))-1] == '+', nil
				})
				if got != tt.want || err != nil {
					t.Errorf("got %t, %v", got, err)
				}
				if diff := cmp.Diff(tt.at, at); diff != "" && tt.at != nil {
					t.Errorf("looks (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.seen, seen); diff != "" {
					t.Errorf("seen (-want +got):\n%s", diff)
				}
				for _, when := range told { // each wait ends where it was said to
					if !slices.Contains(at, when) {
						t.Errorf("a look was announced for %s, they came at %v", when, at)
					}
				}
			})
		})
	}
}

// No wait at all is not taken for leave to look without pause.
func TestUntilNeverSpins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		got, err := Until(t.Context(), Patience{Good: 1, Limit: second}, func(context.Context) (bool, error) {
			looks++
			return false, nil
		})
		if got || err != nil || looks > 1001 {
			t.Errorf("got %t, %v after %d looks", got, err, looks)
		}
	})
}

func TestUntilEndsAtAnErrorAndWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		p := Patience{Good: 1, First: time.Hour, Max: time.Hour, Limit: 5 * time.Hour}
		if got, err := Until(t.Context(), p, func(context.Context) (bool, error) { return true, broken }); got || !errors.Is(err, broken) {
			t.Errorf("got %t, %v", got, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		time.AfterFunc(second, cancel)
		got, err := Until(ctx, p, func(context.Context) (bool, error) { return false, nil })
		if got || !errors.Is(err, context.Canceled) || time.Since(begun) != second {
			t.Errorf("got %t, %v after %s", got, err, time.Since(begun))
		}
	})
}

// Whoever waits for a token is told why, as with any other request.
func TestATokenThatIsWaitedForIsTold(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		tries := 0
		s.redeem = func(sent) reply {
			if tries++; tries == 1 {
				return throttled("40")
			}
			return reply{}
		}
		var told []time.Duration
		begun := time.Now()
		_, err := c.Graph(otherTenant).Do(WithWaiting(t.Context(), func(d time.Duration) { told = append(told, d) }), Request{Path: "/v1.0/x"})
		if err != nil || tries != 2 || len(told) != 1 || told[0] != 40*time.Second || time.Since(begun) != 40*time.Second {
			t.Errorf("%v after %d tries and %s, told %v", err, tries, time.Since(begun), told)
		}
	})
}

// What is finished although its context ended has a limit from then on, which holds for
// its writes too; as long as nobody ends it, it has all the time there is.
func TestGraceEndsWritesToo(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: time.Minute, 10 * time.Second: 70 * time.Second, time.Hour: TryTimeout} {
		test(t, func(t *testing.T, s *service, c *Client) {
			g := s.signIn(c)
			s.graph = func(sent) reply { return reply{hang: true} }
			outer, giveUp := context.WithCancel(t.Context())
			defer time.AfterFunc(given, giveUp).Stop()
			if given == 0 {
				giveUp()
			}
			ctx, cancel := WithGrace(outer, time.Minute)
			defer cancel()
			begun := time.Now()
			_, err := g.Do(OneTry(SeenThrough(ctx)), Request{Method: "POST", Path: app})
			if took := time.Since(begun); err == nil || took != want || (ctx.Err() != nil) != (want < TryTimeout) {
				t.Errorf("given up after %s: %v after %s, want %s; %v", given, err, took, want, ctx.Err())
			}
		})
	}
}
