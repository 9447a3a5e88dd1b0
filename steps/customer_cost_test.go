package steps

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// cost is what was asked of customers' tenants.
type cost struct {
	requests int // besides tokens
	writes   int
	tokens   int
	most     int // requests in one tenant
}

func (w *clientele) cost(since int) (c cost) {
	home := w.cloud.Tenant().ID
	by := map[string]int{}
	for _, r := range w.cloud.Requests()[since:] {
		if r.Write {
			c.writes++
		}
		switch {
		case strings.HasPrefix(r.URL, "https://login."):
			c.tokens++
		case r.Tenant != home:
			c.requests++
			by[r.Tenant]++
			c.most = max(c.most, by[r.Tenant])
		}
	}
	return c
}

// Looking again at customers of whom nothing changed takes at most four requests
// each besides the token, and writes nothing, with the app's sign-in open or not.
func TestLookingAgainIsCheap(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		t.Run(fmt.Sprint("with the app ", open), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customers-consented", Customers: 20})
				w.checked(1)
				ctx := t.Context()
				s := w.run()
				c, first := w.look(ctx, s)
				if open {
					if err := s.OpenApp(ctx, c.App, ApplyOptions{}); err != nil {
						t.Fatal(whole(err))
					}
				}
				begun := len(w.cloud.Requests())
				p, err := s.InspectCustomers(ctx, w.answers, c, first.tenants(func(CustomerPlan) bool { return true }), FleetOptions{})
				if err != nil {
					t.Fatal(whole(err))
				}
				if failed, err := s.ApplyCustomers(ctx, w.answers, c, p, FleetOptions{}); err != nil || len(failed) > 0 {
					t.Fatal(failed, whole(err))
				}
				got := w.cost(begun)
				t.Logf("%+v", got)
				if got.most > 4 || got.most < 1 || got.writes > 0 || got.tokens > 3*20+2 {
					t.Errorf("looking again at 20 customers took %+v", got)
				}
				if n, _ := p.Writes(); n > 0 || len(p.Customers) != 20 {
					t.Errorf("%d writes at %d customers", n, len(p.Customers))
				}
				for _, c := range p.Customers {
					if want := map[bool]Shade{false: Amber, true: Green}[open]; c.Shield.Shade != want {
						t.Errorf("%s is %s: %s", c.Customer.Name, c.Shield.Shade, c.Shield.Reason)
					}
				}
				if open {
					if err := s.CloseApp(ctx, c.App, ApplyOptions{}); err != nil {
						t.Fatal(whole(err))
					}
				}
			})
		})
	}
}

// consenting are answers that have everybody consented for.
func consenting() state.Answers {
	a := state.DefaultAnswers()
	g := state.DefaultGDAP()
	g.Account = "rewst@contoso.onmicrosoft.com"
	a.Permissions.Base = "stock"
	a.Integrations = []string{"graph", "exchange", "csp"}
	a.GDAP = &g
	a.Customers = &state.Customers{All: true}
	return a
}

// BenchmarkConsent consents for a thousand customers at 50 ms latency with 16
// workers, from looking at them to the proof. The ideal is that the workers always
// wait for an answer: requests x latency / workers, or what Partner Center lets
// through.
func BenchmarkConsent(b *testing.B) {
	const customers, latency, workers, perSecond = 1000, 50 * time.Millisecond, 16, 50
	for b.Loop() {
		b.StopTimer()
		cloud, err := sandbox.New(sandbox.Options{Scenario: "customers-ready", Customers: customers, Approve: sandbox.ApproveNow, Latency: latency})
		if err != nil {
			b.Fatal(err)
		}
		client, err := msclient.New(msclient.Options{Cloud: catalog.Clouds()[0], Transport: cloud.Transport(), Method: msclient.ByDevice})
		if err != nil {
			b.Fatal(err)
		}
		ctx, answers := b.Context(), consenting()
		s := New(Options{Client: client, StateDir: b.TempDir(), World: cloud.Tenant().World, Settle: time.Minute})
		s.Prompts(func(p Prompt) {
			if p.URL != "" && p.Err == nil && !p.Ended {
				go func() { _ = cloud.Browse(ctx, p.URL) }()
			}
		}, false)
		if _, err := s.SignIn(ctx, answers); err != nil {
			b.Fatal(whole(err))
		}
		c, err := s.LookClientele(ctx, answers, nil)
		if err != nil {
			b.Fatal(whole(err))
		}
		if err := s.OpenApp(ctx, c.App, ApplyOptions{}); err != nil {
			b.Fatal(whole(err))
		}
		since := len(cloud.Requests())
		b.StartTimer()
		begun := time.Now()
		p, err := s.InspectCustomers(ctx, answers, c, c.Tenants(func(CustomerRow) bool { return true }), FleetOptions{Workers: workers})
		if err != nil {
			b.Fatal(whole(err))
		}
		looked := time.Since(begun)
		failed, err := s.ApplyCustomers(ctx, answers, c, p, FleetOptions{Workers: workers})
		if err != nil || len(failed) > 0 {
			b.Fatal(failed, whole(err))
		}
		took := time.Since(begun)
		b.StopTimer()
		requests := len(cloud.Requests()) - since
		ideal := max(time.Duration(requests)*latency/workers, customers*time.Second/perSecond)
		b.ReportMetric(float64(requests)/customers, "requests/customer")
		b.ReportMetric(looked.Seconds(), "s-look")
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(took.Seconds()/ideal.Seconds(), "x-ideal")
		if err := s.CloseApp(ctx, c.App, ApplyOptions{}); err != nil {
			b.Fatal(whole(err))
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.Sys>>20), "MB-with-the-sandbox")
		_ = s.Close()
		b.StartTimer()
	}
}
