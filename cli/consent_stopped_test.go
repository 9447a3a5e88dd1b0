package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/sandbox"
)

// Whoever gives up is told how far it came, also where nothing was begun.
func TestConsentInterruptedSaysHowFar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		file := w.consenting("consent: all")
		run := func(method, path string, nth int, more ...string) ran {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			w.wrap = func(next http.RoundTripper) http.RoundTripper {
				return trip(func(r *http.Request) (*http.Response, error) {
					if r.Method == method && strings.HasSuffix(r.URL.Path, path) {
						if nth--; nth == 0 {
							stop()
						}
					}
					return next.RoundTrip(r)
				})
			}
			return w.runContext(ctx, append([]string{"apply", "-f", file, "--yes"}, more...)...).must(t, exitInterrupted)
		}
		if r := run(http.MethodPost, "/addPassword", 1); !strings.Contains(r.err, "Stopped: done at 0 customers, not begun at 3.\nmsbundle: interrupted") {
			t.Errorf("before the first:\n%s", r.err)
		}
		if r := run(http.MethodPost, "/applicationconsents", 3, "--workers", "1"); !strings.Contains(r.err, "Stopped: ") {
			t.Errorf("it says:\n%s", r.err)
		} else if n, all := stoppedAt(r.err); n[1] < 1 || all != 3 {
			t.Errorf("it stopped at %v:\n%s", n, r.err)
		}
	})
}

// stoppedAt are the numbers of customers that were done, begun and not begun, and their
// sum.
func stoppedAt(text string) (n [3]int, all int) {
	_, text, _ = strings.Cut(text, "\nStopped: ")
	for i, word := range []string{"done at ", ", begun at ", "not begun at "} {
		if _, rest, found := strings.Cut(text, word); found {
			_, _ = fmt.Sscanf(rest, "%d", &n[i])
		}
		all += n[i]
	}
	return n, all
}
