package steps

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

// A customer without a name is called by its domain wherever the plan names it.
func TestNamelessCustomer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 2})
		_, p := w.look(t.Context(), w.run())
		texts := func(c CustomerPlan) (out []string) {
			plan := c.Plan()
			plan.leaveOut(plan.want.resources[0])
			for _, x := range plan.Changes {
				out = append(out, x.Describe())
			}
			for _, n := range plan.Notes {
				out = append(out, n.Text)
			}
			return append(out, plan.TenantName)
		}
		c := p.Customers[0]
		want := texts(c)
		if !slices.ContainsFunc(want, func(s string) bool { return strings.Contains(s, "consent to the app") }) || !slices.ContainsFunc(want, func(s string) bool { return strings.Contains(s, "Exchange Administrator") }) {
			t.Fatalf("it takes %q", want)
		}
		for i, text := range want {
			want[i] = strings.ReplaceAll(text, c.Customer.Name, c.Customer.Domain)
		}
		c.Customer.Name = " "
		if diff := cmp.Diff(want, texts(c)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A domain that has moved to another customer is not the first one's any more once that
// was read; what was not read is still believed.
func TestDomainsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 2})
		c, p := w.look(t.Context(), w.run())
		row := &c.Rows[0]
		now := slices.Clone(row.Domains)
		if len(p.Of(row.TenantID).domains) == 0 || row.Domain == "" {
			t.Fatalf("its domains were not read: %q", now)
		}
		row.Domains = append(row.Domains, "moved.example")
		domains := func() []string {
			t.Helper()
			s := w.run()
			if err := s.keepShields(c, p); err != nil {
				t.Fatal(whole(err))
			}
			again, err := s.LookClientele(t.Context(), w.answers, nil)
			if err != nil {
				t.Fatal(whole(err))
			}
			return again.Rows[0].Domains
		}
		read := p.Of(row.TenantID).domains
		p.Of(row.TenantID).domains = nil
		p.Of(row.TenantID).Shield.At = time.Now()
		if diff := cmp.Diff(append(slices.Clone(now), "moved.example"), domains()); diff != "" {
			t.Errorf("not read (-want +got):\n%s", diff)
		}
		p.Of(row.TenantID).domains = read
		if diff := cmp.Diff(now, domains()); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
	})
}
