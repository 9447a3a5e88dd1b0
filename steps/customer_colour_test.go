package steps

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// Fewer permissions: at customers as at the partner's, what this program gave is taken
// back, of either kind, and what somebody else gave is left, and said.
func TestFewerPermissionsAtCustomers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.checked(1)
		name := w.first()
		if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		const ours, theirs = "TeamSettings.ReadWrite.All", "Printer.Read.All"
		for _, kind := range []string{ours, theirs} {
			if d, a := w.has(name, kind, kind); d != (kind == ours) || a != (kind == ours) {
				t.Fatalf("%s: %v, %v", kind, d, a)
			}
		}
		w.somebody(name, theirs)
		time.Sleep(time.Hour)
		w.answers.Permissions.Remove = []string{ours}
		_, p := w.look(t.Context(), w.run())
		i := slices.IndexFunc(p.Customers, func(c CustomerPlan) bool { return c.Customer.Name == name })
		plan := p.Customers[i].Plan()
		var notes []string
		for _, n := range plan.Notes {
			notes = append(notes, n.Text)
		}
		text := strings.Join(notes, "\n")
		for _, part := range []string{"Taken back at " + name + ": 2 permissions", ours, "Left alone at " + name + ": 2 permissions", theirs} {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not said:\n%s", part, text)
			}
		}
		if len(plan.Changes) != 2 {
			for _, c := range plan.Changes {
				t.Error(c.Method, c.Path, c.Object)
			}
		}
		if o := w.visit(t.Context(), 0, name); o.err != nil || len(o.failed) > 0 {
			t.Fatal(whole(o.err), o.failed)
		}
		for _, kind := range []string{ours, theirs} {
			if d, a := w.has(name, kind, kind); d != (kind == theirs) || a != (kind == theirs) {
				t.Errorf("%s: %v, %v", kind, d, a)
			}
		}
		time.Sleep(time.Hour)
		since := len(w.cloud.Requests())
		o := w.visit(t.Context(), 0, name)
		grants := o.at(name).Shield.part(ProofGrants)
		if w.cost(since).writes > 0 || grants.State != Passed || !strings.Contains(grants.Evidence, "; 2 more that somebody else gave it.") {
			t.Errorf("once more: %+v, %+v", w.cost(since), grants)
		}
		if plan := o.at(name).Plan(); len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0].Text, theirs) {
			t.Errorf("%+v", plan.Notes)
		}
	})
}

// Nobody's journal says that we gave what Rewst's own shield gave: it is left alone.
func TestFewerPermissionsWhereRewstConsented(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-consented", Customers: 3})
		w.answers.Permissions.Base = "minimum"
		_, p := w.look(t.Context(), w.run())
		i := slices.IndexFunc(p.Customers, func(c CustomerPlan) bool { return c.Customer.Name == "Fabrikam" })
		c := p.Customers[i]
		if c.Writes() > 0 || len(c.Plan().Notes) != 1 || !strings.Contains(c.Plan().Notes[0].Text, "somebody else gave") {
			t.Errorf("%d writes, %+v", c.Writes(), c.Plan().Notes)
		}
	})
}

// What is told is how many were chosen; what consenting takes besides is told apart.
func TestShieldCountsWhatWasChosen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customer-consented", Customers: 3})
		scopes, roles, more := 0, 0, len(bootstrapScopes)
		sel, _ := Select(w.answers)
		for _, p := range sel.Chosen() {
			switch {
			case p.Resource == catalog.PartnerCenterAppID:
			case p.Kind == catalog.Delegated:
				scopes++
				if slices.Contains(bootstrapScopes, p.Name) {
					more--
				}
			default:
				roles++
			}
		}
		_, p := w.look(t.Context(), w.run())
		i := slices.IndexFunc(p.Customers, func(c CustomerPlan) bool { return c.Customer.Name == "Fabrikam" })
		want := fmt.Sprintf("The app has what was chosen: %d delegated and %d application permissions; %d more that consenting needs.", scopes, roles, more)
		if got := p.Customers[i].Shield.part(ProofGrants).Evidence; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Rewst alone has the connector's key, so that Exchange Online cannot be tried here
// keeps nobody from being green.
func TestConnectorCanBeGreen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		connector(&w.answers)
		w.connectorThere()
		c, p := w.look(t.Context(), w.run())
		x := shieldFacts{
			customer: p.Customers[0].Customer, shared: p.Customers[0].shared, partner: c.Findings, answers: w.answers, now: time.Now(),
			found: &Findings{
				Account: c.Findings.Account, Org: Organization{ID: p.Customers[0].Customer.TenantID, Name: "Fabrikam"}, Resources: map[string]Resource{}, Principal: &Principal{ObjectID: "sp"},
				place: &place{seen: map[string]seen{}, Roles: p.Customers[0].shared.roles, RolesFrom: "the roles given in the tenant"},
			},
		}
		x.shared.want.resources, x.shared.want.permissions, x.shared.gives = nil, nil, false
		s := shieldOf(x)
		got := s.part(ProofExchange)
		if s.Shade != Green || got.State != Unknown || !strings.Contains(got.Evidence, "only Rewst has the connector's key") || s.Reason != "" || s.Missing() {
			t.Error(s.told())
		}
		x.answers.Registration.Kind = state.KindOwned
		if s := shieldOf(x); s.Shade != Amber {
			t.Errorf("an app of one's own: %s", s.told())
		}
	})
}

// Blue is for what was not set up yet; what is refused is red, also where the app is
// not there.
func TestRedIsNotHiddenByBlue(t *testing.T) {
	t.Parallel()
	refused := &msclient.Error{Status: 403, Code: "Authorization_RequestDenied"}
	for name, tt := range map[string]struct {
		org       string
		orgErr    error
		partner   *Findings
		want      Shade
		mentioned string
	}{
		"nothing but the consent is missing":     {org: "c", want: Blue, mentioned: "not consented"},
		"another tenant":                         {org: "other", want: Red, mentioned: "another tenant"},
		"it tells nothing about itself":          {orgErr: refused, want: Red, mentioned: "does not tell"},
		"that, without delegated administration": {orgErr: refused, partner: &Findings{Delegation: &Delegation{}}, want: Blue, mentioned: "no delegated administration"},
		"another tenant, without":                {org: "other", partner: &Findings{Delegation: &Delegation{}}, want: Red, mentioned: "another tenant"},
	} {
		x := shieldFacts{
			customer: Customer{TenantID: "c"}, shared: &sharedPlan{want: desired{permissions: map[string][]wanted{}}}, partner: whose(tt.partner), now: time.Now(),
			found: &Findings{Org: Organization{ID: tt.org}, place: &place{seen: map[string]seen{ProofOrganization: {err: tt.orgErr}}}},
		}
		if s := shieldOf(x); s.Shade != tt.want || !strings.Contains(s.Reason, tt.mentioned) || s.Fix == "" {
			t.Errorf("%s: %s", name, s.told())
		}
	}
}

func whose(f *Findings) *Findings {
	if f == nil {
		return &Findings{}
	}
	return f
}

// Within a sentence names stay names.
func TestLowerFirst(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "A": "a", "The service refused.": "the service refused.", "Grant User.Read.All to the app": "grant User.Read.All to the app",
		"Microsoft refuses this.": "Microsoft refuses this.", "Microsoft's service gave no answer": "Microsoft's service gave no answer",
		"Exchange Online does not know.": "Exchange Online does not know.", "Partner Center: no.": "Partner Center: no.", "Conditional Access policy": "Conditional Access policy",
		"Rewst's shield": "Rewst's shield", "AADSTS50020: no": "AADSTS50020: no", "Authorization_RequestDenied: no": "Authorization_RequestDenied: no",
		"GDAP gives it": "GDAP gives it", "Azure, too": "Azure, too", "Login.microsoftonline.com could not be reached.": "login.microsoftonline.com could not be reached.",
		"Échec de la demande": "échec de la demande",
	} {
		if got := lowerFirst(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// What a service says is said in any language.
func TestAsSentence(t *testing.T) {
	for in, want := range map[string]string{
		"": "", " ": "", "a": "A.", "échec de la demande": "Échec de la demande.", " Übung. ": "Übung.", "5 of 6": "5 of 6.",
	} {
		if got := asSentence(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}
