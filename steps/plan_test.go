package steps

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// bare is a tenant with every API and nothing else.
func bare() *Findings {
	f := &Findings{
		Cloud: catalog.Clouds()[0], Account: Account{Username: "admin@contoso.onmicrosoft.com", MFA: true},
		Org: Organization{
			ID: "7c1f1f0e-0000-4000-8000-000000000001", Name: "Contoso", DefaultDomain: "contoso.onmicrosoft.com",
			Domains: []string{"contoso.onmicrosoft.com"}, PartnerType: "resellerPartnerDelegatedAdmin",
		},
		RoleIDs: []string{catalog.RoleGlobalAdministrator}, Secrets: SecretPolicy{Known: true},
		Resources: map[string]Resource{}, Refused: map[string]string{}, Made: map[string]bool{},
		At: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
		Around: Around{
			Groups: []string{"agents"}, AgentGroups: []string{"agents"}, MembersRegister: true, Plans: []string{"AAD_PREMIUM", "EXCHANGE_S_STANDARD"},
			Subscriptions: []Subscription{{ID: "s", Name: "Production", State: "Enabled", Usable: true, Vaults: []string{"keys"}}},
			Partner:       PartnerAccount{Name: "Contoso", Customers: 3}, Unread: map[Part]Unread{},
		},
	}
	for _, r := range catalog.Resources() {
		live := Resource{ObjectID: "sp-" + r.Prefix, AppID: r.AppID, Name: r.Name, Roles: map[string]string{}, Scopes: map[string]string{}}
		for _, p := range catalog.Permissions() {
			if p.Resource == r.AppID && p.Kind == catalog.Application {
				live.Roles[p.Name] = p.ID
			} else if p.Resource == r.AppID {
				live.Scopes[p.Name] = p.ID
			}
		}
		f.Resources[r.AppID] = live
	}
	return f
}

// done is a tenant in which a plan was carried out.
func done(t *testing.T, p Plan) *Findings {
	t.Helper()
	f := bare()
	f.App = &Application{AppSummary: AppSummary{
		ObjectID: "app-object", AppID: "app-id", Name: p.Answers.Registration.Name, Audience: p.want.audience, Ours: true,
	}, RedirectURIs: []string{p.want.redirect}, IDTokens: true, Required: p.want.required(nil, nil)}
	f.Principal = &Principal{ObjectID: "sp-object", AppID: "app-id"}
	for _, id := range p.want.resources {
		if scopes := p.want.scopes(id); len(scopes) > 0 {
			f.Principal.Grants = append(f.Principal.Grants, Grant{ID: "grant-" + id, ResourceID: f.Resources[id].ObjectID, Scopes: scopes})
		}
		for _, w := range p.want.roles(id) {
			f.Principal.Assignments = append(f.Principal.Assignments, Assignment{"a-" + w.id, f.Resources[id].ObjectID, w.id})
		}
	}
	return f
}

func TestPlanIsPureAndEmptyWhenDone(t *testing.T) {
	a, o := everything("stock"), PlanOptions{}
	p := MakePlan(a, bare(), o)
	if diff := cmp.Diff(p.Changes, MakePlan(a, bare(), o).Changes); diff != "" {
		t.Errorf("two plans of the same differ:\n%s", diff)
	}
	kinds := map[Kind]int{}
	for _, c := range p.Changes {
		kinds[c.Kind]++
		if c.Tenant == "" || c.Why == "" || c.Object == "" || c.Risk < RiskLow || c.Risk > RiskCritical || !strings.HasPrefix(c.Path, "/v1.0/") {
			t.Errorf("incomplete: %+v", c)
		}
		if len(c.Body) > 0 && !json.Valid(c.Body) {
			t.Errorf("%s: the body is not JSON", c.ID)
		}
	}
	want := map[Kind]int{KindApplication: 1, KindPrincipal: 1, KindGrant: 5, KindRole: 141}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if again := MakePlan(a, done(t, p), o); !again.Empty() {
		t.Errorf("a tenant that is done has changes: %v", again.Changes[0].Describe())
	}
}

func TestPlanSecret(t *testing.T) {
	a := everything("minimum")
	secrets := func(p Plan) (made, removed int) {
		for _, c := range p.Changes {
			if c.Kind == KindSecret && c.Action == Create {
				made++
				if strings.Contains(string(c.Body), "secretText") || !strings.Contains(string(c.Body), Generated) {
					t.Errorf("the body of the secret: %s", c.Body)
				}
			} else if c.Kind == KindSecret {
				removed++
			}
		}
		return made, removed
	}
	base := done(t, MakePlan(a, bare(), PlanOptions{}))
	ours := PasswordFound{KeyID: "k", Name: secretPrefix + "2026-01-01 abc", Expires: base.At.AddDate(1, 0, 0)}
	for name, c := range map[string]struct {
		change        func(*Findings)
		options       PlanOptions
		made, removed int
	}{
		"nowhere to deliver":   {func(*Findings) {}, PlanOptions{}, 0, 0},
		"none yet":             {func(*Findings) {}, PlanOptions{Secret: true}, 1, 0},
		"ours is there":        {func(f *Findings) { f.App.Passwords = []PasswordFound{ours} }, PlanOptions{Secret: true}, 0, 0},
		"ours has expired":     {func(f *Findings) { o := ours; o.Expires = f.At; f.App.Passwords = []PasswordFound{o} }, PlanOptions{Secret: true}, 1, 0},
		"somebody else's":      {func(f *Findings) { o := ours; o.Name = "Script"; f.App.Passwords = []PasswordFound{o} }, PlanOptions{Secret: true}, 1, 0},
		"never delivered":      {func(f *Findings) { f.Left = []PasswordFound{ours} }, PlanOptions{Secret: true}, 1, 1},
		"never, and nowhere":   {func(f *Findings) { f.Left = []PasswordFound{ours} }, PlanOptions{}, 0, 1},
		"delivered, not shown": {func(f *Findings) { f.FreshSecret = true }, PlanOptions{Secret: true}, 0, 0},
	} {
		f := done(t, MakePlan(a, bare(), PlanOptions{}))
		c.change(f)
		if made, removed := secrets(MakePlan(a, f, c.options)); made != c.made || removed != c.removed {
			t.Errorf("%s: got %d made and %d removed, want %d and %d", name, made, removed, c.made, c.removed)
		}
	}
	f := bare()
	f.Secrets.MaxLifetime = 30 * 24 * time.Hour
	p := MakePlan(a, f, PlanOptions{Secret: true})
	if end := p.secretEnd(); end.After(f.At.Add(f.Secrets.MaxLifetime)) {
		t.Errorf("the secret would live until %v, longer than the policy allows", end)
	}
}

func TestJudge(t *testing.T) {
	answer := func(status int, code, message string) error {
		return &msclient.Error{Status: status, Code: code, Message: message}
	}
	for name, c := range map[string]struct {
		change Change
		err    error
		fresh  bool
		want   verdict
	}{
		"success":             {Change{Kind: KindRole, Action: Add}, nil, false, took},
		"role exists":         {Change{Kind: KindRole, Action: Add}, answer(400, "Request_BadRequest", "Permission being assigned already exists on the object"), true, already},
		"principal exists":    {Change{Kind: KindPrincipal, Action: Create}, answer(409, "Request_MultipleObjectsWithSameKeyValue", "already in use"), true, already},
		"grant exists, 409":   {Change{Kind: KindGrant, Action: Add}, answer(409, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists."), true, already},
		"grant exists, 400":   {Change{Kind: KindGrant, Action: Add}, answer(400, "Request_BadRequest", "Permission entry already exists."), true, already},
		"app not known yet":   {Change{Kind: KindPrincipal, Action: Create}, answer(400, "Request_BadRequest", "The appId 'x' of the service principal does not reference a valid application object."), true, lagging},
		"misleading 403":      {Change{Kind: KindPrincipal, Action: Create}, answer(403, "Authorization_RequestDenied", "When using this permission, the backing application of the service principal being created must in the local tenant"), true, lagging},
		"principal not known": {Change{Kind: KindGrant, Action: Add}, answer(404, "Directory_ObjectNotFound", "Unable to read the company information from the directory."), true, lagging},
		"not offered":         {Change{Kind: KindResource, Action: Create}, answer(400, "Request_BadRequest", "does not reference a valid application object"), false, unoffered},
		"really forbidden":    {Change{Kind: KindPrincipal, Action: Create}, answer(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."), true, forbidden},
		"old app, 404":        {Change{Kind: KindApplication, Action: Update}, answer(404, "Request_ResourceNotFound", "does not exist"), false, forbidden},
		"busy":                {Change{Kind: KindRole, Action: Add}, answer(409, "Directory_ConcurrencyViolation", "concurrent"), true, busy},
		"throttled":           {Change{Kind: KindRole, Action: Add}, answer(429, "TooManyRequests", ""), true, busy},
		"server failed":       {Change{Kind: KindApplication, Action: Create}, answer(500, "Service_InternalServerError", ""), false, doubtful},
		"no answer":           {Change{Kind: KindSecret, Action: Create}, &msclient.Error{Err: fmt.Errorf("connection reset")}, true, doubtful},
		"no connection":       {Change{Kind: KindSecret, Action: Create}, &msclient.Error{Err: &net.OpError{Op: "dial", Err: fmt.Errorf("network is unreachable")}}, false, cutOff},
		"unknown authority":   {Change{Kind: KindSecret, Action: Create}, &msclient.Error{Err: &net.OpError{Op: "proxyconnect", Err: &tls.CertificateVerificationError{Err: fmt.Errorf("unknown authority")}}}, false, forbidden},
		"gone when removed":   {Change{Kind: KindRole, Action: Remove}, answer(404, "Request_ResourceNotFound", "does not exist"), true, already},
		"secret policy":       {Change{Kind: KindSecret, Action: Create}, answer(400, "CredentialTypeNotAllowedAsPerAppPolicy", "not allowed"), true, forbidden},
	} {
		if got := judge(c.change, c.err, c.fresh, false); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func TestISODuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"P180D": 180 * 24 * time.Hour, "P1Y": 365 * 24 * time.Hour, "PT12H30M": 12*time.Hour + 30*time.Minute, "P4DT12H30M5S": 4*24*time.Hour + 12*time.Hour + 30*time.Minute + 5*time.Second,
	} {
		if got, ok := parseISODuration(text); !ok || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "P", "180D", "P-1D", "PXD"} {
		if got, ok := parseISODuration(text); ok {
			t.Errorf("%q: got %v, want none", text, got)
		}
	}
}

func TestQueryEscapesLikeOData(t *testing.T) {
	got := query("/v1.0/applications", "$filter", "displayName eq "+quote("O'Brien & Söhne #1"), "$top", "5")
	want := "/v1.0/applications?$filter=displayName%20eq%20%27O%27%27Brien%20%26%20S%C3%B6hne%20%231%27&$top=5"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnitsFillBatchesAndKeepTheOrder(t *testing.T) {
	p := MakePlan(everything("stock"), bare(), PlanOptions{Secret: true})
	var flat []Change
	for _, u := range units(p.Changes) {
		if len(u) > msclient.BatchSize {
			t.Errorf("a batch of %d", len(u))
		}
		for _, c := range u {
			if c.Kind != u[0].Kind {
				t.Errorf("%s and %s in one batch", c.Kind, u[0].Kind)
			}
		}
		flat = append(flat, u...)
	}
	if diff := cmp.Diff(p.Changes, flat); diff != "" {
		t.Errorf("the order changed:\n%s", diff)
	}
	if last := flat[len(flat)-1]; last.Kind != KindSecret {
		t.Errorf("the last write is %s, want the secret", last.Kind)
	}
}

func TestCheckAnswers(t *testing.T) {
	if bad := CheckAnswers(everything("stock")); len(bad) > 0 {
		t.Errorf("stock: %v", bad)
	}
	a := everything("stock")
	for _, p := range catalog.Permissions() {
		if p.Tier == catalog.Optional {
			a.Permissions.Add = append(a.Permissions.Add, Entry{p.Resource, p.Name, p.Kind}.String())
		}
	}
	bad := CheckAnswers(a)
	if len(bad) != 1 || bad[0].Key != "permissions" {
		t.Fatalf("everything: got %v", bad)
	}
	for _, word := range []string{"3995", "3850", "7990", "8000", "permissions.remove"} {
		if !strings.Contains(bad[0].Text, word) {
			t.Errorf("%q is not said: %s", word, bad[0].Text)
		}
	}
	a.Registration.Kind = state.KindConnector // Rewst itself then keeps the limits
	a.Registration.AppID = ""
	if bad := CheckAnswers(a); len(bad) > 0 {
		t.Errorf("connector: %v", bad)
	}
}
