package msclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"msbundle/catalog"
)

// quick is a service that answers at once and remembers nothing, with tokens of the
// usual size.
type quick struct{ service *service }

func (q quick) RoundTrip(r *http.Request) (*http.Response, error) {
	got := sent{path: r.URL.Path}
	if r.Body != nil {
		data, _ := io.ReadAll(r.Body)
		got.form, _ = url.ParseQuery(string(data))
	}
	a := q.service.answer(r.URL, got)
	q.service.requests = nil
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// BenchmarkCustomers gets a token for each of 1,000 customers' tenants out of one
// sign-in. It reports how long those of the first and the last hundred took, and
// what is kept for each; then the same by MSAL's cache alone, for comparison.
func BenchmarkCustomers(b *testing.B) {
	const customers, some = 1000, 100
	var msal public.Client
	var account public.Account
	for _, tt := range []struct {
		name  string
		token func(ctx context.Context, c *Client, tenant string) error
	}{
		{"here", func(ctx context.Context, c *Client, tenant string) error {
			_, err := c.Reader(tenant).Do(ctx, Request{Path: app})
			return err
		}},
		{"MSAL alone", func(ctx context.Context, c *Client, tenant string) error {
			_, err := msal.AcquireTokenSilent(ctx, []string{c.scopeOf(catalog.GraphAppID)}, public.WithSilentAccount(account), public.WithTenantID(tenant))
			return err
		}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			for range b.N {
				s := &service{begun: time.Now(), log: &lockedBuffer{}, user: person, lifetime: 900, filler: strings.Repeat("x", 2000)}
				global, _ := catalog.CloudByID("global")
				c, err := New(Options{Cloud: global, Transport: quick{s}})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := byCode(c, b.Context(), homeTenant, scopes, func(DeviceCode) {}); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Reader(homeTenant).Do(b.Context(), Request{Path: app}); err != nil {
					b.Fatal(err)
				}
				if msal, err = public.New(catalog.AzureCLI, public.WithAuthority("https://"+c.cloud.Login+"/"+homeTenant), public.WithHTTPClient(c.pacer)); err != nil {
					b.Fatal(err)
				}
				r, err := msal.AcquireTokenByAuthCode(b.Context(), "x", "http://localhost", []string{c.scopeOf(catalog.GraphAppID)})
				if err != nil {
					b.Fatal(err)
				}
				account = r.Account
				var first, last []time.Duration
				before := inUse()
				for n := range customers {
					begun := time.Now()
					if err := tt.token(b.Context(), c, fmt.Sprintf("00000000-0000-0000-0001-%012d", n)); err != nil {
						b.Fatal(err)
					}
					switch took := time.Since(begun); {
					case n < some:
						first = append(first, took)
					case n >= customers-some:
						last = append(last, took)
					}
				}
				b.ReportMetric(float64(median(first).Microseconds()), "µs/first")
				b.ReportMetric(float64(median(last).Microseconds()), "µs/last")
				b.ReportMetric(float64(inUse()-before)/customers/1024, "KB/customer")
				begun := time.Now()
				for n := range customers {
					c.Forget(fmt.Sprintf("00000000-0000-0000-0001-%012d", n))
				}
				b.ReportMetric(float64(time.Since(begun).Microseconds())/customers, "µs/forget")
				b.ReportMetric(float64(inUse()-before)/customers/1024, "KB/forgotten")
				runtime.KeepAlive(c)
				runtime.KeepAlive(msal)
			}
		})
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// inUse is how much memory holds something.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
