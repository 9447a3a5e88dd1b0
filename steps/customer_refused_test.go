package steps

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// altered has requests for a consent be sent otherwise than the client does.
type altered struct {
	next   http.RoundTripper
	change func(*http.Request)
}

func (a *altered) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.change != nil && strings.HasSuffix(req.URL.Path, "/applicationconsents") {
		req = req.Clone(req.Context())
		a.change(req)
	}
	return a.next.RoundTrip(req)
}

// grantsOf puts other words into the consent.
func grantsOf(change func(body map[string]any)) func(*http.Request) {
	return func(req *http.Request) {
		data, _ := io.ReadAll(req.Body)
		var body map[string]any
		_ = json.Unmarshal(data, &body)
		change(body)
		data, _ = json.Marshal(body)
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	}
}

// answering gives the answer Partner Center is documented to give, where nothing a
// client of ours sends would bring it about.
func answering(status int, code, text string) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(req.URL.Path, "/applicationconsents") {
				return next.RoundTrip(req)
			}
			body := fmt.Sprintf(`{"code":%q,"description":%q,"data":[],"source":"PartnerFD"}`, code, text)
			return &http.Response{
				StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Ms-Requestid": {"6f0a1d1e-0000-4000-8000-000000000001"}},
				Body: io.NopCloser(strings.NewReader(body)), Request: req,
			}, nil
		})
	}
}

// Every refusal of Partner Center is told with its cause and what to do, and stops
// nobody but the customer it is about.
func TestPartnerCentersRefusals(t *testing.T) {
	t.Parallel()
	graph := func(list []any) func(*http.Request) {
		return grantsOf(func(body map[string]any) { body["applicationGrants"] = list })
	}
	for _, tt := range []struct {
		name   string
		world  sandbox.Options
		change func(*http.Request)
		answer func(http.RoundTripper) http.RoundTripper
		faults string
		rule   string // which explains it; empty where it works in the end
		says   string // of cause and fix
	}{
		{name: "it takes it", rule: ""},
		{name: "throttled", faults: `[{"match": {"path": "applicationconsents"}, "nth": 1, "do": "429", "for": "2s"}, {"match": {"path": "applicationconsents"}, "nth": 2, "do": "429", "for": "2s"}]`},
		{name: "failing for a while", faults: `[{"match": {"path": "applicationconsents"}, "nth": 1, "do": "500"}]`},
		{name: "the answer is lost", faults: `[{"match": {"path": "applicationconsents"}, "nth": 1, "when": "after", "do": "reset"}]`},
		{name: "failing for good", answer: answering(503, "", "Service unavailable."), rule: "partner.busy", says: "Wait"},
		{name: "throttled for good", answer: answering(429, "", "Too many requests."), rule: "partner.busy", says: "busy"},
		{name: "for another app", change: grantsOf(func(body map[string]any) { body["applicationId"] = "2bfb92c3-0000-4000-8000-000000000001" }), rule: "partner.consent-forbidden", says: "another app"},
		{name: "without a second factor", answer: answering(401, "", "MFA required"), rule: "partner.mfa", says: "multifactor"},
		{name: "an API that is not there", change: graph([]any{map[string]string{"enterpriseApplicationId": "11111111-2222-4333-8444-555555555555", "scope": "X.Read"}}), rule: "partner.consent-missing", says: "does not exist"},
		{name: "a permission that is none", change: graph([]any{map[string]string{"enterpriseApplicationId": "00000003-0000-0000-c000-000000000000", "scope": "Nothing.Read"}}), rule: "partner.consent-invalid", says: "delegated"},
		{name: "a tenant it does not know", change: func(req *http.Request) {
			req.URL.Path = "/v1/customers/11111111-2222-4333-8444-555555555555/applicationconsents"
		}, rule: "partner.60003", says: "no tenant"},
		{name: "no relationship as a reseller", answer: answering(403, "20002", "The partner has no commerce relationship with the customer."), rule: "partner.20002", says: "reseller"},
		{name: "no right, with the role there", answer: answering(403, "900308", "Insufficient privileges to complete the operation."), rule: "partner.900308", says: "Wait an hour"},
		{name: "kept out by a policy", answer: answering(403, "900309", "AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."), rule: "partner.900309", says: "An administrator of the customer excludes"},
		{name: "asked for a managed device", answer: answering(403, "90000", "AADSTS53000: Device is not in required device state: compliant."), rule: "AADSTS53000", says: "An administrator of the customer excludes"},
		{name: "kept out by the sign-in service", answer: answering(403, "90000", "AADSTS50020: User account from identity provider does not exist in tenant."), rule: "AADSTS50020", says: "let in a moment ago"},
		{name: "with a token for another service", answer: answering(401, "900420", "Invalid token"), rule: "partner.900420", says: "token"},
		{name: "with a token of an app alone", answer: answering(403, "900329", "App only token is not supported."), rule: "partner.900329", says: "person"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := tt.world
				if o.Scenario == "" {
					o = sandbox.Options{Scenario: "customers-ready", Customers: 3}
				}
				w := clienteleOf(t, o)
				w.wrap = func(next http.RoundTripper) http.RoundTripper {
					if tt.answer != nil {
						next = tt.answer(next)
					}
					return &altered{next, tt.change}
				}
				if tt.faults != "" {
					faults, err := sandbox.ParseFaults([]byte(tt.faults))
					if err != nil {
						t.Fatal(err)
					}
					w.cloud.SetFaults(faults)
				}
				name := "Fabrikam"
				if o.Scenario == "customers-ready" {
					name = ""
					for n := range w.cloud.Digest().Tenants {
						if n != "Contoso" && (name == "" || n < name) {
							name = n
						}
					}
				}
				r := w.visit(t.Context(), 0, name)
				if r.err != nil {
					t.Fatal(whole(r.err))
				}
				w.closed()
				c := r.plan.Customers[0]
				if tt.rule == "" {
					if len(r.failed) > 0 || c.Shield.Shade != Green {
						t.Errorf("%v, %s: %s", r.failed, c.Shield.Shade, c.Shield.Reason)
					}
					return
				}
				if len(r.failed) != 1 || c.Shield.Shade != Red || c.Shield.Fix == "" || !strings.Contains(c.Shield.Reason, r.failed[0].Problem.Cause) {
					t.Fatalf("%v, %s: %s", r.failed, c.Shield.Shade, c.Shield.Reason)
				}
				p := r.failed[0].Problem
				if text := p.Cause + p.Do; strings.Contains(text, "AdminAgents") && p.Rule != "partner.900329" && p.Rule != "partner.mfa" { // of another sign-in
					t.Errorf("who lists the customers is an admin agent: %s", text)
				}
				if p.Rule != tt.rule || !strings.Contains(p.Cause+" "+p.Do, tt.says) || p.RequestID == "" {
					t.Errorf("%s: %s %s (%s) %s", p.Rule, p.Cause, p.Do, p.RequestID, p.Raw)
				}
			})
		})
	}
}

// Of the causes a refusal can have those are told that what was read leaves possible.
func TestRefusalsAreBlamedOnWhatIsLeft(t *testing.T) {
	admin := []string{catalog.RoleApplicationAdministrator}
	someone := []string{"b79fbf4d-3ef9-4689-8143-76b194e85509"}
	for name, tt := range map[string]struct {
		given, own []string
		says       string
		role       bool // which can be seen to be given
	}{
		"nothing is known":    {says: "could not be seen", role: true},
		"none":                {own: someone, says: "has no role there", role: true},
		"given to others":     {given: admin, own: someone, says: "not in that group, or the role is not in force yet", role: true},
		"given, token unread": {given: admin, says: "could not be seen", role: true},
		"in force":            {given: admin, own: admin, says: "though its token"},
	} {
		f := &Findings{place: &place{Roles: tt.given, own: tt.own}}
		p := &Problem{What: "it did not work", Rule: "partner.900308", Cause: "AdminAgents", Do: "AdminAgents", RequestID: "r"}
		got := blamed(p, f)
		if !strings.Contains(got.Cause, tt.says) || strings.Contains(got.Cause+got.Do, "AdminAgents") || got.Do == "" || got.RequestID != "r" {
			t.Errorf("%s: %s %s", name, got.Cause, got.Do)
		}
		if r := refusalOf(got, KindConsent, f, time.Now()); r.Role != tt.role || r.Kind != KindConsent || !strings.Contains(r.Reason, tt.says) || r.Fix != got.Do {
			t.Errorf("%s: %+v", name, r)
		}
		if p.Cause != "AdminAgents" {
			t.Error("what was given is changed")
		}
	}
	other := &Problem{Rule: "partner.20002", Cause: "x"}
	if blamed(other, &Findings{place: &place{}}) != other {
		t.Error("another refusal is told otherwise")
	}
}

// A consent that is bound to be refused is not tried, and the app's sign-in not opened
// for it; once the role is there it is.
func TestConsentBoundToBeRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-unassigned", Customers: 3})
		w.checked(1)
		const name = "Fabrikam"
		since := len(w.cloud.Requests())
		o := w.visit(t.Context(), 0, name)
		c := o.at(name)
		if o.err != nil || len(o.failed) > 0 || w.cost(since).writes > 0 || o.plan.Consents() || o.plan.Untried() {
			t.Errorf("%v, %v, %+v", whole(o.err), o.failed, w.cost(since))
		}
		if c.Shield.Shade != Red || !strings.Contains(c.Skipped, "Application Administrator") || c.Writes() > 0 || !strings.Contains(c.Shield.Fix, "GDAP") {
			t.Errorf("skipped %q: %s", c.Skipped, c.Shield.told())
		}
		s := w.run()
		f, err := s.Inspect(t.Context(), w.answers, func(Event) {})
		if err != nil {
			t.Fatal(whole(err))
		}
		if _, err := s.Apply(t.Context(), MakePlan(w.answers, f, PlanOptions{Stage: StageGDAP}), ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		time.Sleep(time.Hour)
		if o = w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 || o.at(name).Shield.Shade != Green {
			t.Errorf("%v, %v, %s", whole(o.err), o.failed, o.at(name).Shield.told())
		}
	})
}

// A refusal stays told, whatever is looked at meanwhile, until the consent works.
func TestARefusalIsNotForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		name := w.first()
		w.refuses(name)
		var broken atomic.Bool
		refusing := w.wrap
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			next = refusing(next)
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				if broken.Load() && strings.HasSuffix(req.URL.Path, "/$batch") {
					return nil, errKilled
				}
				return next.RoundTrip(req)
			})
		}
		o := w.visit(t.Context(), 0)
		if o.err != nil || len(o.failed) != 1 {
			t.Fatal(whole(o.err), o.failed)
		}
		look := func(when string) {
			t.Helper()
			s := w.run()
			c, p := w.look(t.Context(), s)
			for _, x := range p.Customers {
				if x.Customer.Name != name {
					continue
				}
				if x.Shield.Shade != Red || !strings.Contains(x.Shield.Reason, "no reseller relationship") || !strings.Contains(x.Shield.Fix, "reseller") || x.Writes() == 0 || x.Skipped != "" {
					t.Errorf("%s: %d writes, skipped %q, %s", when, x.Writes(), x.Skipped, x.Shield.told())
				}
				if last := s.LastShield(x.Customer.TenantID); last.Shade != Red || last.Refused == nil {
					t.Errorf("%s it is kept as %s", when, last.told())
				}
			}
			if c.Rows[0].Shield.At.IsZero() {
				t.Error("nothing was seen")
			}
		}
		look("looked at again")
		look("and again")
		s := w.run()
		c, err := s.LookClientele(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		broken.Store(true)
		p, err := s.InspectCustomers(t.Context(), w.answers, c, c.Tenants(func(r CustomerRow) bool { return r.Name == name }), FleetOptions{})
		if x := p.Customers[0].Shield; err != nil || x.Shade != Red || x.Refused == nil || strings.Contains(x.Reason, "reseller") {
			t.Errorf("%v, a look that failed: %s", whole(err), x.told())
		}
		broken.Store(false)
		look("after a look that failed")
		w.unsoldID.Store("")
		w.unsold = ""
		if o := w.visit(t.Context(), 0); o.err != nil || len(o.failed) > 0 || o.at(name).Shield.Shade != Green || o.at(name).Shield.Refused != nil {
			t.Errorf("%v, %v, %s", whole(o.err), o.failed, o.at(name).Shield.told())
		}
	})
}
