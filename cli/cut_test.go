package cli

import (
	"errors"
	"net/http"
	"sync"
)

// cut is a network that can be cut for good: requests under way fail, and none
// leaves afterwards.
type cut struct {
	once sync.Once
	gone chan struct{}
}

func newCut() *cut { return &cut{gone: make(chan struct{})} }

func (c *cut) cut() { c.once.Do(func() { close(c.gone) }) }

var errCut = errors.New("the network is gone")

func (c *cut) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		type answer struct {
			res *http.Response
			err error
		}
		select {
		case <-c.gone:
			return nil, errCut
		default:
		}
		got := make(chan answer, 1)
		go func() {
			res, err := next.RoundTrip(req)
			got <- answer{res, err}
		}()
		select {
		case a := <-got:
			return a.res, a.err
		case <-c.gone:
			return nil, errCut
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
