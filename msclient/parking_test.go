package msclient

import (
	"context"
	"testing"
	"time"
)

// Many wait for one token to Partner Center, each with its place. Whoever gets it
// keeps its own as well: given to one who waits for the token, it would not come
// back.
func TestATokenIsWaitedForInPlace(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		s.delegated(c)
		begun := time.Now()
		s.redeem = func(sent) reply {
			if time.Since(begun) < 5*second {
				return oauth("invalid_client", 7000215)
			}
			return reply{}
		}
		s.hosts = map[string]func(sent) reply{partnerHost: func(sent) reply { return ok("{}") }}
		place := make(chan struct{}, 1)
		done := make(chan error, 2)
		for range 2 {
			go func() {
				place <- struct{}{}
				ctx := WithParking(context.WithoutCancel(t.Context()), func() func() {
					<-place
					return func() { place <- struct{}{} }
				})
				_, err := c.Partner().Do(ctx, Request{Path: "/v1/customers"})
				<-place
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
