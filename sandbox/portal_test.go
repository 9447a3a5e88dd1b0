package sandbox_test

import (
	"slices"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const portalScope = "74658136-14ec-4630-ad9b-26e160ff0fc6/.default"

func consentOf(appID string) string {
	return "https://main.iam.ad.ext.azure.com/api/RegisteredApplications/" + appID + "/Consent?onBehalfOfAll=true"
}

// listing is what an app asks for, as its registration has it.
func listing(t *testing.T, resource string, delegated, application []string) map[string]any {
	t.Helper()
	access := []any{}
	for _, name := range delegated {
		access = append(access, map[string]any{"id": permissionID(t, resource, name, catalog.Delegated), "type": "Scope"})
	}
	for _, name := range application {
		access = append(access, map[string]any{"id": permissionID(t, resource, name, catalog.Application), "type": "Role"})
	}
	return map[string]any{"resourceAppId": resource, "resourceAccess": access}
}

// asPortal sends a request with a token for the portal, and puts the other back.
func (w *world) asPortal(account, method, address string) reply {
	w.t.Helper()
	other := w.token
	defer func() { w.token = other }()
	w.token = w.signInAs(account, azureCLI, portalScope)
	return w.do(method, address, nil)
}

// given is what an app has been given, by the digest.
func (w *world) given(name string) (delegated, application map[string][]string) {
	w.t.Helper()
	delegated = map[string][]string{}
	for _, p := range w.cloud.Digest().Tenants["Contoso"].ServicePrincipals {
		if p.Name == name {
			for _, g := range p.Delegated {
				if g.ConsentType == "AllPrincipals" {
					delegated[g.Resource] = g.Scopes
				}
			}
			return delegated, p.Roles
		}
	}
	return nil, nil
}

func TestPortalConsent(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	admin := w.cloud.Tenant().Admin
	w.token = w.signInAs(admin, gct, everything)
	id, appID := w.app(map[string]any{"requiredResourceAccess": []any{
		listing(t, catalog.GraphAppID, []string{"User.Read", "Mail.Send"}, []string{"User.ReadWrite.All"}),
		listing(t, catalog.ManagementAPIsAppID, []string{"ActivityFeed.Read"}, nil),
	}})
	w.asPortal(admin, "POST", consentOf(appID)).want(204)
	delegated, application := w.given("Rewst Integration")
	if !slices.Equal(delegated["Microsoft Graph"], []string{"Mail.Send", "User.Read"}) || !slices.Equal(application["Microsoft Graph"], []string{"User.ReadWrite.All"}) {
		t.Errorf("granted %v, %v", delegated, application)
	}
	if !slices.Equal(delegated["Office 365 Management APIs"], []string{"ActivityFeed.Read"}) {
		t.Errorf("an API that was not there: %v", delegated)
	}
	rows := w.cloud.Requests()
	if last := rows[len(rows)-1]; !last.Write || last.Tenant != w.cloud.Tenant().ID {
		t.Errorf("the request: %+v", last)
	}
	// Twice is as good as once.
	before := w.cloud.Digest().SHA256
	w.asPortal(admin, "POST", consentOf(appID)).want(204)
	if w.cloud.Digest().SHA256 != before {
		t.Error("the second consent changed something")
	}
	// What is not listed any more is taken away.
	w.do("PATCH", "/applications/"+id, map[string]any{"requiredResourceAccess": []any{listing(t, catalog.GraphAppID, []string{"User.Read"}, nil)}}).want(204)
	w.asPortal(admin, "POST", consentOf(appID)).want(204)
	delegated, application = w.given("Rewst Integration")
	if !slices.Equal(delegated["Microsoft Graph"], []string{"User.Read"}) || len(delegated) != 1 || len(application) != 0 {
		t.Errorf("left: %v, %v", delegated, application)
	}
}

func TestPortalRefusals(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "app-admin", Approve: sandbox.ApproveManual})
	admin, owner := w.cloud.Tenant().Admin, "owner@contoso.onmicrosoft.com"
	w.token = w.signInAs(admin, azureCLI, "https://graph.microsoft.com/.default")
	_, appID := w.app(map[string]any{"requiredResourceAccess": []any{listing(t, catalog.GraphAppID, []string{"User.Read"}, []string{"User.ReadWrite.All"})}})
	_, plain := w.app(map[string]any{"displayName": "Plain", "requiredResourceAccess": []any{
		listing(t, catalog.GraphAppID, []string{"User.Read"}, nil), listing(t, catalog.ExchangeAppID, nil, []string{"Exchange.ManageAsApp"}),
	}})
	denied := func(r reply) {
		t.Helper()
		if text, _ := r.body["Message"].(string); r.status != 403 || !strings.Contains(text, "Authorization_RequestDenied") {
			t.Errorf("got %d %s", r.status, r.raw)
		}
	}
	// Application permissions of Microsoft Graph take more than an application
	// administrator; the rest does not.
	denied(w.asPortal(admin, "POST", consentOf(appID)))
	denied(w.asPortal("megan@contoso.onmicrosoft.com", "POST", consentOf(plain)))
	if delegated, _ := w.given("Rewst Integration"); delegated != nil {
		t.Errorf("granted all the same: %v", delegated)
	}
	w.asPortal(admin, "POST", consentOf(plain)).want(204)
	if _, application := w.given("Plain"); !slices.Equal(application["Office 365 Exchange Online"], []string{"Exchange.ManageAsApp"}) {
		t.Errorf("granted: %v", application)
	}
	w.asPortal(owner, "POST", consentOf(appID)).want(204)

	w.asPortal(owner, "POST", consentOf("11111111-1111-4111-8111-111111111111")).want(404)
	w.asPortal(owner, "GET", consentOf(appID)).want(405)
	w.asPortal(owner, "POST", strings.Replace(consentOf(appID), "true", "false", 1)).want(400)
	w.asPortal(owner, "POST", "https://main.iam.ad.ext.azure.com/api/nonsense").want(404)
	w.do("POST", consentOf(appID), nil).want(401) // a token for Microsoft Graph

	for what, access := range map[string]map[string]any{
		"unknown API":        {"resourceAppId": "11111111-1111-4111-8111-111111111111", "resourceAccess": []any{map[string]any{"id": "11111111-1111-4111-8111-111111111111", "type": "Scope"}}},
		"unknown permission": {"resourceAppId": catalog.GraphAppID, "resourceAccess": []any{map[string]any{"id": "11111111-1111-4111-8111-111111111111", "type": "Scope"}}},
	} {
		_, odd := w.app(map[string]any{"displayName": what, "requiredResourceAccess": []any{access}})
		if r := w.asPortal(owner, "POST", consentOf(odd)).want(400); !strings.Contains(r.raw, "11111111-1111") {
			t.Errorf("%s: %s", what, r.raw)
		}
	}
	m := start(t, sandbox.Options{Scenario: "api-missing", Approve: sandbox.ApproveManual})
	m.token = m.signInAs(m.cloud.Tenant().Admin, gct, everything)
	_, storage := m.app(map[string]any{"requiredResourceAccess": []any{listing(t, catalog.StorageAppID, []string{"user_impersonation"}, nil)}})
	m.asPortal(m.cloud.Tenant().Admin, "POST", consentOf(storage)).want(400)
}

// Some programs name the tenant of the token in the path.
func TestMyOrganization(t *testing.T) {
	w := signedIn(t, sandbox.Options{Scenario: "small-pages"})
	const base = "https://graph.microsoft.com/v1.0/myorganization"
	made := w.do("POST", base+"/applications", map[string]any{"displayName": "x"}).want(201)
	if got := w.do("GET", "/applications/"+made.id(), nil).want(200).body["displayName"]; got != "x" {
		t.Errorf("made as %v", got)
	}
	n := 0
	for next := base + "/applications?$select=id"; next != ""; {
		r := w.do("GET", next, nil).want(200)
		n += len(r.values())
		next, _ = r.body["@odata.nextLink"].(string)
	}
	if n != 12 {
		t.Errorf("%d applications", n)
	}
	w.do("GET", base+"/nonsense", nil).fails(400, "BadRequest", "nonsense")
}
