package ui

import (
	"context"
	"sync"

	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// callKind is what the engine was doing when it asked for a sign-in.
type callKind int

const (
	callSignIn callKind = iota
	callInspect
	callApply
)

// call is one of the engine's methods under way. A sign-in it asks for is of no
// use any more once its context has ended.
type call struct {
	ctx  context.Context
	kind callKind
}

func (c *call) over() bool { return c == nil || c.ctx.Err() != nil }

// asked is a prompt and the call it came from.
type asked struct {
	prompt steps.Prompt
	call   *call
}

// prompts takes the engine's prompts to the message loop. The engine never waits
// for it.
type prompts struct {
	mu    sync.Mutex
	queue []asked
	ready chan struct{} // holds one item while the queue is not empty
}

type promptsMsg struct {
	from  *prompts
	items []asked
}

func newPrompts() *prompts { return &prompts{ready: make(chan struct{}, 1)} }

func (p *prompts) put(a asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, a)
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// next waits for prompts and takes all there are.
func (p *prompts) next(ctx context.Context) tea.Cmd {
	return func() tea.Msg {
		select {
		case <-ctx.Done():
			return nil
		case <-p.ready:
		}
		return promptsMsg{p, p.take()}
	}
}

// take takes all the prompts there are.
func (p *prompts) take() []asked {
	p.mu.Lock()
	defer p.mu.Unlock()
	items := p.queue
	p.queue = nil
	return items
}
