package steps

import (
	"context"
	"errors"
	"sync"
	"time"

	"msbundle/msclient"
)

const (
	fleetWorkers = 16
	// fleetAhead is how many customers for each worker may be begun: those that only
	// wait make room for others.
	fleetAhead = 4
	// fleetMeasured is how many customers have to be done for the rate to tell of those
	// that are left.
	fleetMeasured = 3
)

// fleet works on many customers at a time. What goes wrong at one is told and
// stops none of the others, unless it is everybody's.
type fleet struct {
	options FleetOptions
	places  chan struct{} // taken while somebody works
	begun   time.Time
	held    time.Duration // by the gate, before it began

	mu    sync.Mutex // events come one at a time
	of    int
	done  int
	ended error // what would go wrong at all of them
}

// each calls work for every tenant, in their order as far as there are workers,
// and returns when all are done. It ends early with the context, and with what would
// go wrong at all of them: whoever is in the middle of it then is cancelled. Work gets
// a context of its own for that and for the waiting, in which others take its place.
func each(ctx context.Context, tenants []string, o FleetOptions, work func(ctx context.Context, tell func(FleetEvent), tenant string) (*Shield, error)) error {
	if o.Workers <= 0 {
		o.Workers = fleetWorkers
	}
	if o.Observe == nil {
		o.Observe = func(FleetEvent) {}
	}
	f := &fleet{options: o, places: make(chan struct{}, o.Workers), begun: time.Now(), held: o.Gate.Held(), of: len(tenants)}
	begun := make(chan struct{}, o.Workers*fleetAhead)
	var all sync.WaitGroup
	run, end := context.WithCancel(msclient.AskingOnce(ctx))
	defer end()
	for _, tenant := range tenants {
		if f.next(run, begun) != nil {
			break
		}
		all.Go(func() {
			defer func() { <-begun }()
			shield, err := work(msclient.WithParking(run, f.park), func(ev FleetEvent) {
				ev.Tenant = tenant
				f.tell(ev)
			}, tenant)
			if cause := everybodys(err); cause != nil {
				f.mu.Lock()
				f.ended = cause
				f.mu.Unlock()
				end()
				shield, err = nil, context.Canceled
			}
			<-f.places
			f.tell(FleetEvent{Tenant: tenant, Done: true, Shield: shield, Err: err})
		})
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.ended
}

// everybodys is the cause of a failure at one customer that would be the same at all: a
// sign-in of our own that did not come about, or the network; nil when it is the
// customer's own.
func everybodys(err error) error {
	var own *msclient.SignInError
	_, unreachable := msclient.Unreachable(err)
	if !errors.As(err, &own) && !unreachable {
		return nil
	}
	var p *Problem // which tells what did not work at the one
	if errors.As(err, &p) && p.Err != nil {
		return p.Err
	}
	return err
}

// next waits until another customer can be begun, and takes a place for it.
func (f *fleet) next(ctx context.Context, begun chan struct{}) error {
	if g := f.options.Gate; g != nil {
		if err := g.Wait(ctx); err != nil {
			return err
		}
	}
	select {
	case begun <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case f.places <- struct{}{}:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// park gives the place of somebody who waits to another, until it is taken back.
func (f *fleet) park() func() {
	<-f.places
	return func() { f.places <- struct{}{} }
}

// tell adds to an event how far all are.
func (f *fleet) tell(ev FleetEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ev.Done {
		f.done++
	}
	ev.Of, ev.Left = f.of, f.of-f.done
	if worked := time.Since(f.begun) - (f.options.Gate.Held() - f.held); f.done >= fleetMeasured && worked > 0 {
		ev.Rate = float64(f.done) / worked.Minutes()
		ev.Rest = time.Duration(float64(worked) / float64(f.done) * float64(ev.Left))
	}
	f.options.Observe(ev)
}
