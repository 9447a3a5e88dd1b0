package steps

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"msbundle/sandbox"
)

// What a customer's policies refuse only the customer can mend, whatever else is read
// there.
func TestBlockedByTheCustomer(t *testing.T) {
	t.Parallel()
	for _, exclude := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := clienteleOf(t, sandbox.Options{Scenario: "customer-ca-blocks", Customers: 3})
			w.excluding(exclude)
			x := w.shieldAt("Fabrikam")
			if x.Shade != Red || len(x.Checks) != 1 || x.Checks[0].Proof != ProofToken || x.Fix != excludedFix || !strings.Contains(x.Reason, "policy of the customer keeps rewst@") {
				t.Errorf("exclude %v: %s", exclude, x.told())
			}
		})
	}
}

// excluding has customers' policies be changed, or not.
func (w *clientele) excluding(yes bool) {
	if w.answers.Customers.Exclude = yes; yes {
		w.answers.Permissions.Add = append(w.answers.Permissions.Add, scopesOf[KindPolicy])
	}
}

// So it is with what came after the look: a write, and what follows a read.
func TestBlockedByTheCustomerMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ scenario, reading string }{
		"when it is written":      {"customers-ready", ""},
		"in the midst of reading": {"customers-consented", "oauth2PermissionGrants"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: tt.scenario, Customers: 3})
				var blocked atomic.Bool
				var tenant string
				w.wrap = func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(req *http.Request) (*http.Response, error) {
						if tt.reading != "" && tenant != "" && strings.HasSuffix(req.URL.Path, "/$batch") && strings.Contains(bodyOf(req), tt.reading) {
							blocked.Store(true)
							return refusing(req, 401, `{}`, `Bearer realm="", error="insufficient_claims", claims="e30="`), nil
						}
						if blocked.Load() && tenant != "" && strings.Contains(req.URL.Path, tenant) && strings.HasSuffix(req.URL.Path, "/token") {
							return refusing(req, 400, `{"error": "invalid_grant", "error_codes": [53003], "error_description": "AADSTS53003: Access has been blocked by Conditional Access policies."}`, ""), nil
						}
						return next.RoundTrip(req)
					})
				}
				s := w.run()
				c, err := s.LookClientele(t.Context(), w.answers, nil)
				if err != nil {
					t.Fatal(whole(err))
				}
				tenant = c.Rows[0].TenantID
				p, err := s.InspectCustomers(t.Context(), w.answers, c, []string{tenant}, FleetOptions{})
				if err != nil {
					t.Fatal(whole(err))
				}
				if tt.reading == "" {
					if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
						t.Fatal(whole(err))
					}
					blocked.Store(true)
					failed, err := s.ApplyCustomers(t.Context(), w.answers, c, p, FleetOptions{})
					if err != nil || len(failed) != 1 || failed[0].Problem.Do != excludedFix {
						t.Errorf("%v, %+v", whole(err), failed)
					}
				}
				if x := p.Customers[0].Shield; (x.part(ProofToken).State == Failed) != (tt.reading != "") || x.Shade != Red || x.Fix != excludedFix || !strings.Contains(x.Reason, "policy of the customer keeps rewst@") {
					t.Error(x.told())
				}
			})
		})
	}
}

// refusing is an answer that refuses a request.
func refusing(req *http.Request, status int, body, challenge string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	if challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	return &http.Response{StatusCode: status, Header: h, Request: req, Body: io.NopCloser(strings.NewReader(body))}
}

// bodyOf reads the body of a request, and leaves it as it was.
func bodyOf(req *http.Request) string {
	data, _ := io.ReadAll(req.Body)
	req.Body = io.NopCloser(strings.NewReader(string(data)))
	return string(data)
}
