package steps

import (
	"context"
	"sync"
)

// Gate lets a person pause an apply between two requests. The zero Gate is open.
type Gate struct {
	mu     sync.Mutex
	closed chan struct{} // non-nil while paused; closed on resume
}

// Pause stops the apply before its next request.
func (g *Gate) Pause() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

// Resume lets the apply go on.
func (g *Gate) Resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

// Paused tells whether the apply is held.
func (g *Gate) Paused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed != nil
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
