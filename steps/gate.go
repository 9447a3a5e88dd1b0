package steps

import (
	"context"
	"sync"
	"time"
)

// Gate lets a person pause an apply between two requests. The zero Gate is open.
type Gate struct {
	mu     sync.Mutex
	closed chan struct{} // non-nil while paused; closed on resume
	since  time.Time     // of the pause
	held   time.Duration // by the pauses before
}

// Pause stops the apply before its next request.
func (g *Gate) Pause() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed, g.since = make(chan struct{}), time.Now()
	}
}

// Resume lets the apply go on.
func (g *Gate) Resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed, g.held = nil, g.held+time.Since(g.since)
	}
}

// Paused tells whether the apply is held.
func (g *Gate) Paused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed != nil
}

// Held is how long it has been closed altogether. That of no gate is nothing.
func (g *Gate) Held() time.Duration {
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		return g.held + time.Since(g.since)
	}
	return g.held
}

// Wait returns when the gate is open, or with the context's error.
func (g *Gate) Wait(ctx context.Context) error {
	g.mu.Lock()
	held := g.closed
	g.mu.Unlock()
	if held == nil {
		return ctx.Err()
	}
	select {
	case <-held:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
