package steps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/msclient"
)

func tenantsNamed(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i)
	}
	return out
}

// crowd counts who works at a time.
type crowd struct{ now, most, ever atomic.Int64 }

func (c *crowd) in() {
	n := c.now.Add(1)
	c.ever.Add(1)
	for {
		most := c.most.Load()
		if n <= most || c.most.CompareAndSwap(most, n) {
			return
		}
	}
}

func (c *crowd) out() { c.now.Add(-1) }

type working = func(ctx context.Context, tell func(FleetEvent), tenant string) (*Shield, error)

// occupied is work that keeps its place, as a request does that is on its way.
func occupied(c *crowd, d time.Duration) working {
	return func(context.Context, func(FleetEvent), string) (*Shield, error) {
		c.in()
		defer c.out()
		time.Sleep(d)
		return nil, nil
	}
}

func TestFleetHasSoManyWorkers(t *testing.T) {
	for workers, want := range map[int]int64{0: 16, 1: 1, 3: 3} {
		synctest.Test(t, func(t *testing.T) {
			var c crowd
			begun := time.Now()
			if err := each(t.Context(), tenantsNamed(48), FleetOptions{Workers: workers}, occupied(&c, time.Second)); err != nil {
				t.Fatal(err)
			}
			if c.most.Load() != want || c.ever.Load() != 48 || time.Since(begun) != 48/time.Duration(want)*time.Second {
				t.Errorf("%d at a time, %d altogether, in %s", c.most.Load(), c.ever.Load(), time.Since(begun))
			}
		})
	}
}

// Whoever only waits leaves the place to another, so that a slow customer does not
// hold up the rest; and so many at a time are begun, no more.
func TestFleetMakesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun, place crowd
		order := make(chan string, 100)
		err := each(t.Context(), tenantsNamed(20), FleetOptions{Workers: 2}, func(ctx context.Context, _ func(FleetEvent), tenant string) (*Shield, error) {
			begun.in()
			defer begun.out()
			place.in()
			time.Sleep(time.Second)
			if tenant == "0" || tenant == "1" {
				place.out()
				if err := msclient.Sleep(ctx, time.Minute); err != nil {
					return nil, err
				}
				place.in()
			}
			place.out()
			order <- tenant
			return nil, nil
		})
		close(order)
		var done []string
		for tenant := range order {
			done = append(done, tenant)
		}
		if err != nil || place.most.Load() > 2 || len(done) != 20 {
			t.Errorf("%v, %d places, %v", err, place.most.Load(), done)
		}
		slices.Sort(done[18:])
		if !slices.Equal(done[18:], []string{"0", "1"}) {
			t.Errorf("those that wait hold up the others: %v", done)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var begun crowd
		err := each(t.Context(), tenantsNamed(40), FleetOptions{Workers: 2}, func(ctx context.Context, _ func(FleetEvent), _ string) (*Shield, error) {
			begun.in()
			defer begun.out()
			return nil, msclient.Sleep(ctx, time.Minute)
		})
		if err != nil || begun.most.Load() != 2*fleetAhead {
			t.Errorf("%v, %d begun at a time", err, begun.most.Load())
		}
	})
}

// Nobody who waited is overtaken by those who came later.
func TestFleetIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := map[string]time.Duration{}
		begun := time.Now()
		err := each(t.Context(), tenantsNamed(30), FleetOptions{Workers: 3, Observe: func(ev FleetEvent) {
			if ev.Done {
				ended[ev.Tenant] = time.Since(begun)
			}
		}}, func(ctx context.Context, _ func(FleetEvent), tenant string) (*Shield, error) {
			for range 4 {
				time.Sleep(time.Second)
				if err := msclient.Sleep(ctx, 100*time.Millisecond); err != nil {
					return nil, err
				}
			}
			return nil, nil
		})
		// 30 customers of 4 seconds each by 3 workers take 40 seconds; with 12 begun at a
		// time each is in for about 16.
		if err != nil || ended["0"] > 20*time.Second || ended["29"] > 44*time.Second {
			t.Errorf("%v: %v", err, ended)
		}
	})
}

func TestFleetPausesAndTellsTheTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &Gate{}
		var events []FleetEvent
		var c crowd
		go func() {
			time.Sleep(2500 * time.Millisecond)
			gate.Pause()
			time.Sleep(time.Hour)
			gate.Resume()
		}()
		begun := time.Now()
		err := each(t.Context(), tenantsNamed(20), FleetOptions{Workers: 2, Gate: gate, Observe: func(ev FleetEvent) { events = append(events, ev) }}, occupied(&c, time.Second))
		if took := time.Since(begun); err != nil || took < time.Hour+7*time.Second || took > time.Hour+11*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		if len(events) != 20 {
			t.Fatalf("%d events", len(events))
		}
		for i, ev := range events {
			if ev.Of != 20 || ev.Left != 19-i || !ev.Done {
				t.Errorf("event %d is %+v", i, ev)
			}
			// Two customers a second, however long it was paused; what was under way then
			// still ended.
			want := time.Duration(ev.Left) * time.Second / 2
			if i < 2 && ev.Rest+time.Duration(ev.Rate) != 0 {
				t.Errorf("after %d: %s at %.0f a minute", i+1, ev.Rest, ev.Rate)
			}
			if i >= 2 && (ev.Rest < want/2 || ev.Rest > want*3/2) {
				t.Errorf("with %d left: %s at %.0f a minute", ev.Left, ev.Rest, ev.Rate)
			}
		}
	})
}

func TestFleetGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed, done int
		boom := errors.New("refused")
		err := each(t.Context(), tenantsNamed(30), FleetOptions{Workers: 4, Observe: func(ev FleetEvent) {
			done++
			if errors.Is(ev.Err, boom) {
				failed++
			}
		}}, func(_ context.Context, _ func(FleetEvent), tenant string) (*Shield, error) {
			time.Sleep(time.Second)
			if tenant[0] == '1' {
				return nil, boom
			}
			return nil, nil
		})
		if err != nil || failed != 11 || done != 30 {
			t.Errorf("%v, %d of %d failed", err, failed, done)
		}
	})
}

// Whoever gives up waits for what is under way and begins nothing more, whatever
// the others do at that moment: work, wait, or are held.
func TestFleetGivenUpLeavesNothingRunning(t *testing.T) {
	for _, paused := range []bool{false, true} {
		for at := range 40 {
			synctest.Test(t, func(t *testing.T) { // which fails when somebody is left
				ctx, cancel := context.WithCancel(t.Context())
				gate := &Gate{}
				after := time.Duration(at) * 100 * time.Millisecond
				end := time.Now().Add(after)
				time.AfterFunc(after, cancel)
				if paused {
					time.AfterFunc(time.Second, gate.Pause)
				}
				var c crowd
				err := each(ctx, tenantsNamed(100), FleetOptions{Workers: 3, Gate: gate}, func(ctx context.Context, _ func(FleetEvent), _ string) (*Shield, error) {
					if time.Now().After(end) {
						t.Error("begun after it was given up")
					}
					c.in()
					defer c.out()
					time.Sleep(300 * time.Millisecond)
					return nil, msclient.Sleep(ctx, 350*time.Millisecond)
				})
				if !errors.Is(err, context.Canceled) || c.now.Load() != 0 {
					t.Errorf("given up after %d: %v, %d work on", at, err, c.now.Load())
				}
			})
		}
	}
}

// What would go wrong at all of them ends the work: nobody else is begun, who is in the
// middle of it is cancelled, and it is told of nobody as a failure of its own.
func TestFleetEndsWithWhatIsEverybodys(t *testing.T) {
	declined := &msclient.SignInError{Err: &msclient.AuthError{Codes: []int{70018}}}
	unreachable := &msclient.Error{Op: "POST /v1.0/x", Err: &net.OpError{Op: "dial", Err: errors.New("network is unreachable")}}
	for name, c := range map[string]struct {
		err, want error
		ends      bool
	}{
		"a sign-in of our own":      {fmt.Errorf("GET /x: %w", declined), declined, true},
		"the network, and what for": {problem(unreachable, "consenting did not work"), unreachable, true},
		"a customer's policy":       {&msclient.AuthError{Codes: []int{53003}}, nil, false},
		"a lost answer":             {&msclient.Error{Err: io.ErrUnexpectedEOF}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var begun crowd
				var done, failed, cancelled int
				err := each(t.Context(), tenantsNamed(40), FleetOptions{Workers: 3, Observe: func(ev FleetEvent) {
					switch {
					case !ev.Done:
					case errors.Is(ev.Err, context.Canceled):
						cancelled++
					case ev.Err != nil:
						failed++
					default:
						done++
					}
				}}, func(ctx context.Context, _ func(FleetEvent), tenant string) (*Shield, error) {
					begun.in()
					defer begun.out()
					if err := msclient.Sleep(ctx, time.Second); err != nil || tenant != "1" {
						return &Shield{}, err
					}
					return &Shield{}, c.err
				})
				switch {
				case c.ends && (!errors.Is(err, c.want) || begun.ever.Load() == 40 || failed != 0 || cancelled == 0):
					t.Errorf("%v, %d begun, %d failed, %d cancelled", err, begun.ever.Load(), failed, cancelled)
				case c.ends && errors.As(err, new(*Problem)):
					t.Errorf("it tells of one customer: %v", err)
				case !c.ends && (err != nil || failed != 1 || done != 39):
					t.Errorf("%v, %d done, %d failed", err, done, failed)
				}
			})
		})
	}
}
