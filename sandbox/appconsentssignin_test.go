package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"msbundle/catalog"
	"msbundle/sandbox"
)

func TestOwnedAppSignsIn(t *testing.T) {
	r := resale(t, sandbox.Options{}, nil)
	page := func(pairs ...string) reply {
		return r.browse(signInPage(r.home, r.appID, append([]string{"scope", "User.Read"}, pairs...)...))
	}
	for _, other := range []string{"https://localhost:51234", "http://localhost:51234/back", "http://127.0.0.1:51234", "http://localhost.contoso.com"} {
		page("redirect_uri", other).shows("(AADSTS50011)")
	}
	code := func(pairs ...string) string { t.Helper(); return page(pairs...).redirected().Get("code") }
	one := code()
	ask := func(pairs ...string) reply { return r.redeem(r.home, r.appID, one, pairs...) }
	ask().aadsts("invalid_client", 7000218)
	ask("client_secret", "wrong").aadsts("invalid_client", 7000215)
	ask("client_secret", r.secret, "redirect_uri", "http://localhost:51235").aadsts("invalid_client", 500112)
	ask("client_secret", r.secret, "code_verifier", verifier+"x").aadsts("invalid_grant", 501481)
	ask("client_secret", r.secret).want(200)
	// Without a proof key, too.
	one = code("code_challenge", "", "code_challenge_method", "")
	ask("client_secret", r.secret, "code_verifier", "").want(200)

	r.renew(r.home, graphAll, "client_secret", "").aadsts("invalid_client", 7000218)
	r.renew(r.home, graphAll, "client_secret", "wrong").aadsts("invalid_client", 7000215)
	r.renew(r.home, "https://management.azure.com/.default").aadsts("invalid_grant", 65001)
	if c := claims(t, r.renew(r.home, partnerAll).want(200).body["access_token"]); c["appid"] != r.appID || c["aud"] != "https://api.partnercenter.microsoft.com" || strings.Join(texts(c["amr"]), " ") != "pwd mfa" {
		t.Errorf("claims: %v", c)
	}

	// A secret for a day is good for a day.
	end := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	short := r.do("POST", "/applications/"+r.id+"/addPassword", fields{"passwordCredential": fields{"endDateTime": end}}).want(200).body["secretText"].(string)
	r.renew(r.home, graphAll, "client_secret", short).want(200)
	r.cloud.Advance(25 * time.Hour)
	r.renew(r.home, graphAll, "client_secret", short).aadsts("invalid_client", 7000222)
	r.renew(r.home, graphAll).want(200)
}

// A new secret is not known everywhere for a while.
func TestNewSecretIsTakenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resale(t, sandbox.Options{Delays: sandbox.DelaysRealistic}, nil)
		defer r.client.CloseIdleConnections()
		fresh := r.do("POST", "/applications/"+r.id+"/addPassword", fields{}).want(200).body["secretText"].(string)
		r.renew(r.home, graphAll, "client_secret", fresh).aadsts("invalid_client", 7000215)
		took := until(t, 2*time.Minute, "the secret", func() bool { return r.renew(r.home, graphAll, "client_secret", fresh).status == 200 })
		if took == 0 || took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// An app that asks for no scope in particular is asked about those it names in its
// registration; without any there is nothing to ask about.
func TestOwnedAppIsConsentedTo(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	tenant := w.cloud.Tenant().ID
	id, appID := w.app(fields{"web": fields{"redirectUris": []string{"http://localhost"}}})
	secret := w.do("POST", "/applications/"+id+"/addPassword", fields{}).want(200).body["secretText"].(string)
	page := signInPage(tenant, appID, "scope", "openid "+graphAll)
	w.browse(page).shows("AADSTS650057")
	w.do("PATCH", "/applications/"+id, fields{"requiredResourceAccess": []fields{{"resourceAppId": catalog.GraphAppID, "resourceAccess": []fields{
		{"id": permissionID(t, catalog.GraphAppID, "User.Read.All", catalog.Delegated), "type": "Scope"},
		{"id": permissionID(t, catalog.GraphAppID, "User.ReadWrite.All", catalog.Application), "type": "Role"},
	}}, {"resourceAppId": catalog.ExchangeAppID, "resourceAccess": []fields{
		{"id": permissionID(t, catalog.ExchangeAppID, "Exchange.Manage", catalog.Delegated), "type": "Scope"},
	}}}}).want(204)
	got := w.redeem(tenant, appID, w.browse(page).redirected().Get("code"), "client_secret", secret).want(200).body
	if c := claims(t, got["access_token"]); c["scp"] != "User.Read.All" {
		t.Errorf("scp: %v", c["scp"])
	}
}

// An app that was switched off at the customer's gets nothing there.
func TestDisabledAtTheCustomers(t *testing.T) {
	r := resale(t, sandbox.Options{}, nil)
	r.asDelegate(func() {
		r.do("POST", consentsOf(r.fabrikam), consentBody(r.appID, scopesOf(catalog.GraphAppID, "Application.ReadWrite.All"))).want(201)
	})
	token := r.renew(r.fabrikam, graphAll).want(200).body["access_token"]
	r.with(token, func() {
		r.do("PATCH", "/servicePrincipals/"+r.principal(catalog.ExchangeAppID), fields{"accountEnabled": false}).want(204)
		r.renew(r.fabrikam, exchangeScope).aadsts("invalid_resource", 500014)
		r.form(r.fabrikam, "token", "grant_type", "client_credentials", "client_id", r.appID, "client_secret", r.secret, "scope", exchangeScope).aadsts("invalid_resource", 500014)
		r.do("PATCH", "/servicePrincipals/"+r.principal(r.appID), fields{"accountEnabled": false}).want(204)
	})
	r.renew(r.fabrikam, graphAll).aadsts("unauthorized_client", 7000112)
}

// The client library is an independent judge: it signs in with the app by the
// simulated person's browser and gets tokens for a customer's tenant by itself.
func TestMSALWithOwnedApp(t *testing.T) {
	r := resale(t, sandbox.Options{}, nil)
	r.asDelegate(func() {
		r.do("POST", consentsOf(r.fabrikam), consentBody(r.appID, scopesOf(catalog.GraphAppID, "Directory.Read.All"))).want(201)
	})
	cred, err := confidential.NewCredFromSecret(r.secret)
	if err != nil {
		t.Fatal(err)
	}
	app, err := confidential.New("https://login.microsoftonline.com/"+r.home, r.appID, cred, confidential.WithHTTPClient(r.client))
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"form_post", "query"} {
		answers := make(chan url.Values, 1)
		back, stop := listenLocally(t, func(w http.ResponseWriter, req *http.Request) {
			_ = req.ParseForm()
			answers <- req.Form
		})
		page, err := app.AuthCodeURL(t.Context(), r.appID, back, []string{"https://graph.microsoft.com/User.Read"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.cloud.Browse(t.Context(), page+"&response_mode="+mode+"&state=s"); err != nil {
			t.Fatal(err)
		}
		answer := <-answers
		stop()
		if answer.Get("state") != "s" {
			t.Fatalf("%s: %v", mode, answer)
		}
		got, err := app.AcquireTokenByAuthCode(t.Context(), answer.Get("code"), back, []string{"https://graph.microsoft.com/User.Read"})
		if err != nil {
			t.Fatal(err)
		}
		there, err := app.AcquireTokenSilent(t.Context(), []string{graphAll}, confidential.WithSilentAccount(got.Account), confidential.WithTenantID(r.fabrikam))
		if err != nil {
			t.Fatal(err)
		}
		if c := claims(t, there.AccessToken); c["tid"] != r.fabrikam || c["scp"] != "Directory.Read.All" {
			t.Errorf("claims: %v", c)
		}
	}
	if err := r.cloud.Browse(t.Context(), signInPage(r.home, gct, "scope", "User.Read", "redirect_uri", "https://contoso.com")); err == nil || !strings.Contains(err.Error(), "no further") {
		t.Errorf("elsewhere: %v", err)
	}
}

// ---- Exchange Online at a customer's

func TestExchangeAtCustomers(t *testing.T) {
	r := resale(t, sandbox.Options{}, nil)
	config := command("Get-OrganizationConfig", doc{})
	const at = "https://outlook.office365.com/adminapi/beta/"
	invoke := func(token any) (got reply) {
		t.Helper()
		r.with(token, func() {
			got = r.do("POST", at+r.fabrikam+"/InvokeCommand", config, "X-AnchorMailbox", "UPN:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@"+r.fabrikam)
		})
		return got
	}
	itself := func() reply {
		return r.form(r.fabrikam, "token", "grant_type", "client_credentials", "client_id", r.appID, "client_secret", r.secret, "scope", exchangeScope)
	}
	app := func() any { t.Helper(); return itself().want(200).body["access_token"] }
	itself().aadsts("unauthorized_client", 7000229)
	r.asDelegate(func() {
		r.do("POST", consentsOf(r.fabrikam), consentBody(r.appID, scopesOf(catalog.GraphAppID, bootstrap+",RoleManagement.ReadWrite.Directory"),
			scopesOf(catalog.ExchangeAppID, "Exchange.Manage"))).want(201)
	})
	invoke(app()).says(401, "permission")
	r.with(r.renew(r.fabrikam, graphAll).want(200).body["access_token"], func() {
		own, exchange := r.principal(r.appID), r.principal(catalog.ExchangeAppID)
		r.do("POST", "/servicePrincipals/"+exchange+"/appRoleAssignedTo", fields{
			"principalId": own, "resourceId": exchange, "appRoleId": permissionID(t, catalog.ExchangeAppID, "Exchange.ManageAsApp", catalog.Application),
		}).want(201)
		invoke(app()).says(401, "isn't supported in this scenario")
		r.do("POST", "/roleManagement/directory/roleAssignments", fields{"roleDefinitionId": exchangeAdmin, "principalId": own, "directoryScopeId": "/"}).want(201)
	})
	if got := invoke(app()).want(200).values(); len(got) != 1 || got[0]["Name"] != "fabrikam.onmicrosoft.com" {
		t.Errorf("organisation: %v", got)
	}
	// A token of home is none of the customer's.
	r.with(r.form(r.home, "token", "grant_type", "client_credentials", "client_id", r.appID, "client_secret", r.secret, "scope", exchangeScope).want(200).body["access_token"], func() {
		r.do("POST", at+r.fabrikam+"/InvokeCommand", config).says(401, "another organization")
	})
	// Somebody of the partner has the roles of the relationship.
	person := r.renew(r.fabrikam, exchangeScope).want(200).body["access_token"]
	invoke(person).want(200)
	// Without a plan there is no organisation, whatever the role.
	r.cloud.WithoutExchange(r.fabrikam)
	invoke(app()).says(400, "a subscription within the tenant has lapsed")
	r.act(r.relationship, "terminate").want(201)
	invoke(person).says(400, "lapsed")

	other := resale(t, sandbox.Options{}, nil, appAdmin)
	other.asDelegate(func() {
		other.do("POST", consentsOf(other.fabrikam), consentBody(other.appID, scopesOf(catalog.ExchangeAppID, "Exchange.Manage"))).want(201)
	})
	r = other
	invoke(r.renew(r.fabrikam, exchangeScope).want(200).body["access_token"]).says(403, "is not present in the role definition")
}

// listenLocally waits for a browser on a port of this machine.
func listenLocally(t *testing.T, serve http.HandlerFunc) (address string, stop func()) {
	t.Helper()
	server := httptest.NewServer(serve)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	return "http://localhost:" + port, server.Close
}
