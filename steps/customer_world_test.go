package steps

import (
	"context"
	"net/http"
	"testing"

	"msbundle/sandbox"
	"msbundle/state"
)

// clientele is a partner whose customers are consented for, by one run after the
// other.
type clientele struct {
	*testing.T
	cloud   *sandbox.Cloud
	answers state.Answers
	dir     string
	setup   *Setup
	wrap    func(http.RoundTripper) http.RoundTripper
}

func clienteleOf(t *testing.T, o sandbox.Options) *clientele {
	t.Helper()
	o.Approve = sandbox.ApproveNow
	c, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	a := state.DefaultAnswers()
	g := state.DefaultGDAP()
	g.Account = "rewst@contoso.onmicrosoft.com"
	a.Integrations = []string{"graph", "exchange", "csp"}
	a.GDAP = &g
	a.Customers = &state.Customers{All: true}
	return &clientele{T: t, cloud: c, answers: a, dir: t.TempDir()}
}

func (w *clientele) run() *Setup {
	w.Helper()
	if w.setup != nil {
		_ = w.setup.Close()
	}
	s := visit{as: "rewst@contoso.onmicrosoft.com", wrap: w.wrap}.signIn(w.T, w.cloud, w.answers)
	if err := s.Close(); err != nil {
		w.Fatal(whole(err))
	}
	s.root = w.dir
	var err error
	if s.store, err = state.Open(w.dir, state.Identity{Cloud: s.cloudID, Tenant: s.account.TenantID}); err != nil {
		w.Fatal(whole(err))
	}
	s.Prompts(func(p Prompt) {
		if p.URL != "" && p.Err == nil && !p.Ended {
			go func() { _ = w.cloud.Browse(w.Context(), p.URL) }()
		}
	}, false)
	w.setup = s
	w.Cleanup(func() { _ = s.Close() })
	return s
}

// look reads the partner's tenant and its customers.
func (w *clientele) look(ctx context.Context, s *Setup) (*Findings, CustomersPlan) {
	w.Helper()
	f, err := s.Inspect(ctx, w.answers, nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	p, err := s.InspectCustomers(ctx, w.answers, f, f.Delegation.Customers, FleetOptions{Observe: func(ev FleetEvent) {
		if ev.Err != nil {
			w.Logf("%s: %v", ev.Tenant, whole(ev.Err))
		}
	}})
	if err != nil {
		w.Fatal(whole(err))
	}
	return f, p
}

func TestConsentAtCustomers(t *testing.T) {
	w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
	s := w.run()
	f, p := w.look(t.Context(), s)
	for _, c := range p.Customers {
		t.Logf("%s: %s %s / %s; %d writes", c.Customer.Name, c.Shield.Shade, c.Shield.Reason, c.Shield.Fix, c.Writes())
		for _, x := range c.Shield.Checks {
			t.Logf("   %s %s %s %s", x.Proof, x.State, x.Evidence, x.Fix)
		}
	}
	t.Log(f.Account.Username, p.Customers[0].findings.place.token)
	for _, c := range p.App.Lines() {
		t.Log(c.Describe())
	}
	if err := s.OpenApp(t.Context(), p.App, ApplyOptions{}); err != nil {
		t.Fatal(whole(err))
	}
	failed, err := s.ApplyCustomers(t.Context(), w.answers, f, &p, FleetOptions{})
	for _, x := range failed {
		t.Errorf("%s: %v", x.Customer.Name, whole(x.Err))
	}
	if err != nil {
		t.Fatal(whole(err))
	}
	for _, c := range p.Customers {
		t.Logf("%s: %s %s / %s; %d writes", c.Customer.Name, c.Shield.Shade, c.Shield.Reason, c.Shield.Fix, c.Writes())
		for _, x := range c.Shield.Checks {
			t.Logf("   %s %s %s %s", x.Proof, x.State, x.Evidence, x.Fix)
		}
	}
	if err := s.CloseApp(t.Context(), p.App, ApplyOptions{}); err != nil {
		t.Fatal(whole(err))
	}
}
