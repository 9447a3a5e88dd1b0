package sandbox_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// setUp does in a world what a setup does, with whatever order and names are
// given.
func setUp(w *world, roles []string, secretName string) {
	w.t.Helper()
	id, appID := w.app(map[string]any{"tags": []string{"msbundle"}, "requiredResourceAccess": []any{map[string]any{
		"resourceAppId": catalog.GraphAppID, "resourceAccess": []any{map[string]any{"id": permissionID(w.t, catalog.GraphAppID, "User.Read", catalog.Delegated), "type": "Scope"}},
	}}})
	sp := w.do("POST", "/servicePrincipals", map[string]any{"appId": appID, "tags": []string{"msbundle"}}).want(201).id()
	graph := w.principal(catalog.GraphAppID)
	w.do("POST", "/oauth2PermissionGrants", map[string]any{"clientId": sp, "consentType": "AllPrincipals", "resourceId": graph, "scope": "User.Read  Mail.Read"}).want(201)
	for _, role := range roles {
		w.do("POST", "/servicePrincipals/"+graph+"/appRoleAssignedTo", map[string]any{
			"principalId": sp, "resourceId": graph, "appRoleId": permissionID(w.t, catalog.GraphAppID, role, catalog.Application),
		}).want(201)
	}
	w.do("POST", "/applications/"+id+"/addPassword", map[string]any{"passwordCredential": map[string]any{"displayName": secretName}}).want(200)
}

func TestDigestCanBeCompared(t *testing.T) {
	one, two := signedIn(t, sandbox.Options{Seed: 1, Customers: 40}), signedIn(t, sandbox.Options{Seed: 2, Customers: 40, Delays: sandbox.DelaysNone})
	two.cloud.Advance(48e9)
	if one.cloud.Digest().SHA256 != two.cloud.Digest().SHA256 {
		t.Error("two fresh worlds differ")
	}
	setUp(one, []string{"Mail.Send", "User.ReadWrite.All"}, "first")
	setUp(two, []string{"User.ReadWrite.All", "Mail.Send"}, "second")
	a, b := one.cloud.Digest(), two.cloud.Digest()
	if a.SHA256 != b.SHA256 {
		x, _ := json.Marshal(a.Tenants["Contoso"])
		y, _ := json.Marshal(b.Tenants["Contoso"])
		t.Errorf("the same setup, other order and secret name:\n%s\n%s", x, y)
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{`"first"`, "hint", "keyId", "DateTime", `\d{4}-\d\d-\d\dT`} {
		if regexp.MustCompile(what).Match(text) {
			t.Errorf("the digest holds %s", what)
		}
	}
	app := a.Tenants["Contoso"].Applications[0]
	if app.Secrets != 1 || fmt.Sprint(app.RequiredResourceAccess) != "map[Microsoft Graph:[User.Read/delegated]]" {
		t.Errorf("application: %+v", app)
	}
	sp := a.Tenants["Contoso"].ServicePrincipals[0]
	if sp.App != "Rewst Integration" || strings.Join(sp.Delegated[0].Scopes, " ") != "Mail.Read User.Read" || strings.Join(sp.Roles["Microsoft Graph"], " ") != "Mail.Send User.ReadWrite.All" {
		t.Errorf("service principal: %+v", sp)
	}
	again := one.cloud.Digest()
	if again.SHA256 != a.SHA256 {
		t.Error("looking changes it")
	}
	setUp(two, nil, "x")
	if two.cloud.Digest().SHA256 == b.SHA256 {
		t.Error("a second app is not seen")
	}
	if len(a.Tenants) != 41 {
		t.Errorf("%d tenants", len(a.Tenants))
	}
}

func TestScenarios(t *testing.T) {
	if _, err := sandbox.New(sandbox.Options{Scenario: "nonsense"}); err == nil || !strings.HasPrefix(err.Error(), "scenario: ") {
		t.Errorf("unknown scenario: %v", err)
	}
	for _, o := range []sandbox.Options{{Approve: "x"}, {Delays: "x"}, {Customers: -1}, {Customers: 10_001}, {Canary: "a b"}, {Latency: -1}} {
		if _, err := sandbox.New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	names := map[string]bool{}
	for _, s := range sandbox.Scenarios() {
		names[s.Name] = true
		if s.Title == "" {
			t.Errorf("%s has no title", s.Name)
		}
		c, err := sandbox.New(sandbox.Options{Scenario: s.Name})
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if c.Digest().SHA256 == "" || c.Tenant().Admin == "" {
			t.Errorf("%s: empty", s.Name)
		}
	}
	contoso := func(scenario string) sandbox.TenantDigest {
		c, err := sandbox.New(sandbox.Options{Scenario: scenario})
		if err != nil {
			t.Fatal(err)
		}
		for name, d := range c.Digest().Tenants {
			if strings.HasPrefix(name, "Contoso") {
				return d
			}
		}
		t.Fatal("no Contoso")
		return sandbox.TenantDigest{}
	}
	if d := contoso("same-name-twice"); len(d.Applications) != 2 || d.Applications[0].Name != "Rewst Integration" || len(d.Applications[0].Tags) != 0 {
		t.Errorf("same-name-twice: %+v", d.Applications)
	}
	if d := contoso("adopt").Applications[0]; d.Secrets != 1 || len(d.RedirectURIs) != 2 || len(d.RequiredResourceAccess["Microsoft Partner Center ("+catalog.LookAlikes()[0].AppID+")"]) != 1 {
		t.Errorf("adopt: %+v", d)
	}
	ready, partial := contoso("connector-ready").ServicePrincipals[0], contoso("connector-partial").ServicePrincipals[0]
	count := func(p sandbox.PrincipalDigest) (n int) {
		for _, g := range p.Delegated {
			n += len(g.Scopes)
		}
		for _, r := range p.Roles {
			n += len(r)
		}
		return n
	}
	want := 0
	for _, p := range catalog.Permissions() {
		if p.Tier <= catalog.Stock {
			want++
		}
	}
	if count(ready) != want || count(partial) >= want || count(partial) < want/2 || ready.Name != catalog.VendorConnectorName {
		t.Errorf("connector: %d and %d of %d", count(ready), count(partial), want)
	}
	if d := contoso("happy"); strings.Contains(strings.Join(d.Resources, " "), "Management APIs") || !strings.Contains(strings.Join(d.Resources, " "), "Microsoft Partner Center") {
		t.Errorf("happy: %v", d.Resources)
	}
	if d := contoso("single-tenant"); len(d.Groups) != 0 || strings.Contains(strings.Join(d.Resources, " "), "Partner") {
		t.Errorf("single-tenant: %v", d.Resources)
	}
	retired := signedIn(t, sandbox.Options{Scenario: "retired-permission"})
	published := retired.do("GET", "/servicePrincipals(appId='"+catalog.GraphAppID+"')", nil).want(200).raw
	missing := 0
	for _, p := range catalog.Permissions() {
		if p.Resource == catalog.GraphAppID && !strings.Contains(published, `"`+p.ID+`"`) {
			missing++
		}
	}
	if missing != 2 {
		t.Errorf("retired-permission: %d permissions missing", missing)
	}
}

func TestManyCustomers(t *testing.T) {
	c, err := sandbox.New(sandbox.Options{Customers: sandbox.MaxCustomers})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Digest().Tenants); n != sandbox.MaxCustomers+1 {
		t.Errorf("%d tenants", n)
	}
}
