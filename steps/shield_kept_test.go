package steps

import (
	"testing"
	"testing/synctest"

	"msbundle/sandbox"
)

// A shield says how a customer stands towards what is chosen. Once something else is
// chosen it says so, until the customer is looked at again; what failed still did.
func TestShieldsOfAnEarlierChoice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		if o := w.visit(t.Context(), 0, w.first()); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		shade := func(what string, want Shade) {
			t.Helper()
			c, err := w.run().LookClientele(t.Context(), w.answers, nil)
			if err != nil {
				t.Fatal(whole(err))
			}
			for _, r := range c.Rows {
				if s := r.Shield; r.Name == w.first() && (s.Shade != want || (want == Unseen) != (s.Reason != "" && s.Fix != "") || len(s.Checks) == 0) {
					t.Errorf("%s: %s, %q, %q, %d reads", what, s.Shade, s.Reason, s.Fix, len(s.Checks))
				}
			}
		}
		shade("the same choice", Green)
		w.answers.Customers.Exclude = true
		shade("policies are looked at as well", Green)
		w.answers.Permissions.Remove = []string{"TeamSettings.ReadWrite.All"}
		shade("less is chosen", Unseen)
		w.answers.Permissions.Remove = nil
		w.answers.Permissions.Base = "recommended"
		shade("something else is chosen", Unseen)
		w.answers.Permissions.Base = "stock"
		shade("what was chosen first", Green)
	})
	chosen := func(shade Shade, chosen string, refused *Refusal) Shield {
		return Shield{Shade: shade, Reason: "as it was", Chosen: chosen, Refused: refused}
	}
	for name, s := range map[string]Shield{
		"red": chosen(Red, "a", nil), "blue": chosen(Blue, "a", nil), "refused": chosen(Amber, "a", &Refusal{}),
		"judged by something else altogether": chosen(Green, "", nil), "the same": chosen(Amber, "b", nil),
	} {
		if got := s.under("b"); got.Shade != s.Shade || got.Reason != s.Reason {
			t.Errorf("%s became %s: %s", name, got.Shade, got.Reason)
		}
	}
}
