package steps

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

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

	unsold   string       // a customer Partner Center takes no consent for
	unsoldID atomic.Value // of its tenant
}

func clienteleOf(t *testing.T, o sandbox.Options) *clientele {
	t.Helper()
	if o.Approve == "" {
		o.Approve = sandbox.ApproveNow
	}
	c, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	a := state.DefaultAnswers()
	g := state.DefaultGDAP()
	g.Account = "rewst@contoso.onmicrosoft.com"
	a.Permissions.Base = "stock"
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
func (w *clientele) look(ctx context.Context, s *Setup) (*Clientele, *CustomersPlan) {
	w.Helper()
	c, err := s.LookClientele(ctx, w.answers, nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	p, err := s.InspectCustomers(ctx, w.answers, c, c.Tenants(func(CustomerRow) bool { return true }), FleetOptions{})
	if err != nil {
		w.Fatal(whole(err))
	}
	return c, p
}

// consent goes through the whole of it.
func (w *clientele) consent(ctx context.Context, s *Setup) (*CustomersPlan, []CustomerFailure, error) {
	c, p := w.look(ctx, s)
	if err := s.OpenApp(ctx, c.App, ApplyOptions{}); err != nil {
		return p, nil, err
	}
	failed, err := s.ApplyCustomers(ctx, w.answers, c, p, FleetOptions{})
	return p, failed, errors.Join(err, s.CloseApp(ctx, c.App, ApplyOptions{}))
}

func TestConsentAtCustomers(t *testing.T) {
	w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
	s := w.run()
	p, failed, err := w.consent(t.Context(), s)
	if err != nil || len(failed) > 0 {
		t.Fatal(failed, whole(err))
	}
	for _, c := range p.Customers {
		if c.Shield.Shade != Green || c.Writes() != 0 || len(c.Shield.Checks) != 6 {
			t.Errorf("%s is %s (%s), %d writes left: %+v", c.Customer.Name, c.Shield.Shade, c.Shield.Reason, c.Writes(), c.Shield.Checks)
		}
	}
}

func TestConsentUndone(t *testing.T) {
	w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
	s := w.run()
	before := w.cloud.Digest() // with what signing in leaves behind
	if _, failed, err := w.consent(t.Context(), s); err != nil || len(failed) > 0 {
		t.Fatal(failed, whole(err))
	}
	s = w.run()
	takes, err := s.UndoTakesApp()
	if err != nil || !takes {
		t.Fatal(takes, err)
	}
	c, err := s.LookClientele(t.Context(), w.answers, nil)
	if err != nil {
		t.Fatal(whole(err))
	}
	if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
		t.Fatal(whole(err))
	}
	list, err := s.InspectCustomersUndo(t.Context(), FleetOptions{Observe: func(ev FleetEvent) {
		if ev.Err != nil {
			t.Error(whole(ev.Err))
		}
	}})
	if err != nil {
		t.Fatal(whole(err))
	}
	if len(list) != 3 {
		t.Fatalf("%d customers have something to take back, want 3", len(list))
	}
	failed, err := s.UndoCustomers(t.Context(), list, FleetOptions{})
	for _, f := range failed {
		t.Error(f.Customer.Name, whole(f.Problem))
	}
	if err := errors.Join(err, s.CloseApp(t.Context(), c.App, ApplyOptions{})); err != nil {
		t.Fatal(whole(err))
	}
	if diff := cmp.Diff(before.Tenants, w.cloud.Digest().Tenants); diff != "" {
		t.Error(diff)
	}
}

// Many customers wait for one sign-in, which takes a person a while: whoever asks
// for it keeps its place meanwhile, and nobody waits for ever.
func TestManyCustomersWaitForOneSignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 20, Approve: sandbox.ApproveAuto})
		_, p := w.look(t.Context(), w.run())
		for _, c := range p.Customers {
			if c.Shield.Shade != Blue {
				t.Errorf("%s is %s: %s", c.Customer.Name, c.Shield.Shade, c.Shield.Reason)
			}
		}
	})
}
