package msclient

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// throttleClass is a part of a service that answers only so often: to each tenant,
// or to the one that all its requests come from.
type throttleClass struct {
	part string        // of the path
	gap  time.Duration // between two requests
}

// Conditional access takes one request a second and sends no Retry-After. Partner
// Center takes fifty consents a second from one app.
// https://learn.microsoft.com/graph/throttling-limits
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
var throttleClasses = []throttleClass{{"/identity/conditionalAccess/", 1100 * time.Millisecond}, {"/applicationconsents", 21 * time.Millisecond}}

func classOf(path string) (throttleClass, bool) {
	for _, c := range throttleClasses {
		if strings.Contains(path, c.part) {
			return c, true
		}
	}
	return throttleClass{}, false
}

// spacer keeps requests of a throttle class apart, the repeated ones too. One
// belongs to one tenant.
type spacer struct {
	mu   sync.Mutex
	next map[string]time.Time
}

// Do sends a request when its turn has come.
func (s *spacer) Do(req *policy.Request) (*http.Response, error) {
	if err := s.wait(req.Raw().Context(), req.Raw().URL.Path); err != nil {
		return nil, &unsent{err}
	}
	return req.Next()
}

func (s *spacer) wait(ctx context.Context, path string) error {
	class, ok := classOf(path)
	if !ok {
		return nil
	}
	s.mu.Lock()
	if s.next == nil {
		s.next = map[string]time.Time{}
	}
	now := time.Now()
	at := s.next[class.part]
	if at.Before(now) {
		at = now
	}
	s.next[class.part] = at.Add(class.gap)
	s.mu.Unlock()
	return Sleep(ctx, at.Sub(now))
}
