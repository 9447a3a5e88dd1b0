package sandbox_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const (
	graphAll   = "https://graph.microsoft.com/.default"
	partnerAll = "https://api.partnercenter.microsoft.com/.default"
	privileged = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	bootstrap  = "DelegatedPermissionGrant.ReadWrite.All,Directory.ReadWrite.All,AppRoleAssignment.ReadWrite.All"
)

// reseller is a partner with an app of its own that people sign in with, and a
// way into Fabrikam's tenant.
type reseller struct {
	*world
	id, appID, secret       string // of the app
	home, fabrikam          string // tenants
	relationship, container string
	session                 string // refresh token of the admin agent with the app
}

// resale makes that world; changes are to the app.
func resale(t *testing.T, o sandbox.Options, changes fields, held ...string) *reseller {
	t.Helper()
	w := delegating(t, o)
	w.token = w.signIn(gct, gdapScopes+" "+everything)["access_token"].(string)
	r := &reseller{world: w, home: w.cloud.Tenant().ID, fabrikam: w.customer("Fabrikam")}
	app := fields{"signInAudience": "AzureADMultipleOrgs", "isFallbackPublicClient": false, "web": fields{"redirectUris": []string{"http://localhost"}}}
	maps.Copy(app, changes)
	r.id, r.appID = w.app(app)
	w.cloud.Advance(time.Minute)
	own := w.do("POST", "/servicePrincipals", fields{"appId": r.appID}).want(201).id()
	w.cloud.Advance(time.Minute)
	for api, scope := range map[string]string{catalog.GraphAppID: "User.Read openid profile offline_access", catalog.PartnerCenterAppID: "user_impersonation"} {
		w.do("POST", "/oauth2PermissionGrants", fields{"clientId": own, "consentType": "AllPrincipals", "resourceId": w.principal(api), "scope": scope}).want(201)
	}
	r.secret = w.do("POST", "/applications/"+r.id+"/addPassword", fields{}).want(200).body["secretText"].(string)
	if len(held) == 0 {
		held = []string{appAdmin, privileged, exchangeAdmin}
	}
	later := func() { w.cloud.Advance(5 * time.Minute) } // until the replicas agree
	r.container = w.groupOf("Rewst GDAP", w.cloud.Tenant().Admin)
	r.relationship = w.related("Fabrikam", r.fabrikam, fields{"accessDetails": roles(held...)})
	later()
	w.act(r.relationship, "lockForApproval").want(201)
	later()
	if err := w.cloud.ApproveRelationship(r.relationship); err != nil {
		t.Fatal(err)
	}
	later()
	w.do("POST", relationships+"/"+r.relationship+"/accessAssignments", mapped(r.container, held...)).want(201)
	later()
	r.session = r.signsIn().want(200).body["refresh_token"].(string)
	return r
}

// signsIn is the admin agent signing in with the app by a browser.
func (r *reseller) signsIn(pairs ...string) reply {
	r.t.Helper()
	page := signInPage(r.home, r.appID, append([]string{"scope", "openid profile offline_access https://graph.microsoft.com/User.Read"}, pairs...)...)
	return r.redeem(r.home, r.appID, r.browse(page).redirected().Get("code"), "client_secret", r.secret)
}

// renew trades the app's refresh token in.
func (r *reseller) renew(where, scope string, pairs ...string) reply {
	r.t.Helper()
	return r.form(where, "token", append([]string{
		"grant_type", "refresh_token", "client_id", r.appID, "client_secret", r.secret, "refresh_token", r.session, "scope", scope,
	}, pairs...)...)
}

// with does something with another token.
func (r *reseller) with(token any, do func()) {
	r.t.Helper()
	was := r.token
	r.token = token.(string)
	do()
	r.token = was
}

// asDelegate does something with the app's token for Partner Center.
func (r *reseller) asDelegate(do func()) {
	r.t.Helper()
	r.with(r.renew(r.home, partnerAll).want(200).body["access_token"], do)
}

func consentsOf(customer string) string {
	return partnerCenter + "/v1/customers/" + customer + "/applicationconsents"
}

func consentBody(app string, grants ...fields) fields {
	return fields{"applicationId": app, "displayName": "Rewst Integration", "applicationGrants": grants}
}

func scopesOf(api, scope string) fields {
	return fields{"enterpriseApplicationId": api, "scope": scope}
}

// seenAtFabrikam is what the customer's tenant has of the app.
func (r *reseller) seenAtFabrikam() (found []sandbox.PrincipalDigest) {
	for _, p := range r.cloud.Digest().Tenants["Fabrikam"].ServicePrincipals {
		if p.Name == "Rewst Integration" {
			found = append(found, p)
		}
	}
	return found
}

func TestConsentForACustomer(t *testing.T) {
	r := resale(t, sandbox.Options{}, nil)
	path := consentsOf(r.fabrikam)
	r.renew(r.fabrikam, graphAll).aadsts("invalid_grant", 65001)
	r.asDelegate(func() {
		const mine = "3f0c0c5e-3a0e-4a55-8d0d-5d2f8e1b1c11"
		got := r.do("POST", path, consentBody(r.appID, scopesOf(catalog.GraphAppID, bootstrap)), "MS-RequestId", mine, "ValidateMfa", "true").want(201)
		grants, _ := got.body["applicationGrants"].([]any)
		if got.body["applicationId"] != r.appID || len(grants) != 1 || got.header.Get("MS-RequestId") != mine || got.header.Get("isMfaCompliant") != "true" {
			t.Errorf("consent: %s, headers %v", got.raw, got.header)
		}
		// A second one adds nothing.
		r.do("POST", path, consentBody(r.appID, scopesOf(catalog.GraphAppID, "User.Read.All"))).refused(409, "409", "Permission entry already exists")
		// .NET does not mind the case of names; commas may have blanks after them.
		r.do("POST", path, fields{"ApplicationId": strings.ToUpper(r.appID), "ApplicationGrants": []fields{{
			"EnterpriseApplicationId": catalog.ExchangeAppID, "Scope": "Exchange.Manage, full_access_as_user",
		}}}).refused(400, "800002", "'full_access_as_user'")
		r.do("POST", path, fields{"ApplicationId": strings.ToUpper(r.appID), "ApplicationGrants": []fields{{
			"EnterpriseApplicationId": catalog.ExchangeAppID, "Scope": "Exchange.Manage, user_impersonation",
		}}}).want(201)
	})
	p := r.seenAtFabrikam()
	if len(p) != 1 || len(p[0].Delegated) != 2 {
		t.Fatalf("at the customer's: %+v", p)
	}
	for _, g := range p[0].Delegated {
		want := map[string][]string{
			"Microsoft Graph":            {"AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All"},
			"Office 365 Exchange Online": {"Exchange.Manage", "user_impersonation"},
		}[g.Resource]
		if g.ConsentType != "AllPrincipals" || !slices.Equal(g.Scopes, want) {
			t.Errorf("grant: %+v", g)
		}
	}
	token := r.renew(r.fabrikam, graphAll).want(200).body["access_token"]
	c := claims(t, token)
	if c["tid"] != r.fabrikam || c["appid"] != r.appID || c["appidacr"] != "1" || c["idp"] != "https://sts.windows.net/"+r.home+"/" ||
		c["scp"] != "AppRoleAssignment.ReadWrite.All DelegatedPermissionGrant.ReadWrite.All Directory.ReadWrite.All" || !slices.Contains(texts(c["amr"]), "mfa") || !slices.Contains(texts(c["wids"]), appAdmin) {
		t.Errorf("claims: %v", c)
	}
	ids := []string{}
	principal := func() {
		r.with(token, func() { ids = append(ids, r.principal(r.appID)) })
	}
	principal()
	r.asDelegate(func() {
		r.do("DELETE", path+"/"+r.appID, nil).want(204)
		r.do("DELETE", path+"/"+r.appID, nil).refused(404, "1000", "not consented")
	})
	if p := r.seenAtFabrikam(); len(p) != 0 || !slices.Contains(r.cloud.Digest().Deleted["Fabrikam"].ServicePrincipals, "Rewst Integration") {
		t.Errorf("after it was taken away: %+v", p)
	}
	r.renew(r.fabrikam, graphAll).aadsts("invalid_grant", 65001)
	r.asDelegate(func() {
		r.do("POST", path, consentBody(r.appID, scopesOf(catalog.GraphAppID, "Directory.Read.All"))).want(201)
	})
	token = r.renew(r.fabrikam, graphAll).want(200).body["access_token"]
	principal()
	if ids[0] == ids[1] || claims(t, token)["scp"] != "Directory.Read.All" {
		t.Errorf("service principals %v, claims %v", ids, claims(t, token))
	}
	// At home there is still the one that was there.
	if home := claims(t, r.renew(r.home, graphAll).want(200).body["access_token"]); home["idp"] != nil {
		t.Errorf("at home: %v", home)
	}
}

func TestConsentsAreForAdminAgents(t *testing.T) {
	r := resale(t, sandbox.Options{Approve: sandbox.ApproveManual}, nil)
	path := consentsOf(r.fabrikam)
	good := consentBody(r.appID, scopesOf(catalog.GraphAppID, bootstrap))
	with := func(token any, status int, code, text string) {
		t.Helper()
		r.with(token, func() {
			r.do("POST", path, good).refused(status, code, text)
			r.do("DELETE", path+"/"+r.appID, nil).refused(status, code, text)
		})
	}
	with("", 401, "401", "access token")
	with(r.renew(r.home, graphAll).want(200).body["access_token"], 401, "900420", "https://graph.microsoft.com")
	with(r.signIn(azureCLI, partnerScope)["access_token"], 403, "403", "is not the application "+azureCLI)
	with(r.form(r.home, "token", "grant_type", "client_credentials", "client_id", r.appID, "client_secret", r.secret, "scope", partnerAll).want(200).body["access_token"],
		403, "900329", "App only")
	r.cloud.SignInAs("megan@contoso.onmicrosoft.com")
	megan := r.signsIn().want(200).body["refresh_token"].(string)
	with(r.renew(r.home, partnerAll, "refresh_token", megan).want(200).body["access_token"], 403, "900308", "Insufficient privileges")
	// An app of Microsoft's is not the partner's to consent to.
	r.with(r.signInAs(r.cloud.Tenant().Admin, azureCLI, partnerScope), func() {
		r.do("POST", path, consentBody(azureCLI, scopesOf(catalog.GraphAppID, bootstrap))).refused(400, "800002", "does not reference a valid application object")
	})
	if tenant := r.cloud.Digest().Tenants["Fabrikam"]; len(tenant.ServicePrincipals)+len(tenant.Clients) != 0 {
		t.Errorf("at the customer's: %+v %+v", tenant.ServicePrincipals, tenant.Clients)
	}
	r.asDelegate(func() { r.do("GET", path, nil).refused(405, "405", "GET") })
}

func TestConsentTakesTheSecondFactor(t *testing.T) {
	r := resale(t, sandbox.Options{}, nil)
	n := start(t, sandbox.Options{Scenario: "no-mfa", Approve: sandbox.ApproveNow})
	n.token = n.signIn(gct, everything)["access_token"].(string)
	id, appID := n.app(fields{"signInAudience": "AzureADMultipleOrgs", "web": fields{"redirectUris": []string{"http://localhost"}}})
	own := n.do("POST", "/servicePrincipals", fields{"appId": appID}).want(201).id()
	for api, scope := range map[string]string{catalog.GraphAppID: "User.Read", catalog.PartnerCenterAppID: "user_impersonation"} {
		n.do("POST", "/oauth2PermissionGrants", fields{"clientId": own, "consentType": "AllPrincipals", "resourceId": n.principal(api), "scope": scope}).want(201)
	}
	secret := n.do("POST", "/applications/"+id+"/addPassword", fields{}).want(200).body["secretText"].(string)
	q := &reseller{world: n, home: n.cloud.Tenant().ID, appID: appID, secret: secret}
	path, body := consentsOf(r.fabrikam), consentBody(appID, scopesOf(catalog.GraphAppID, bootstrap))
	q.session = q.signsIn().want(200).body["refresh_token"].(string)
	q.asDelegate(func() {
		if got := q.do("POST", path, body, "ValidateMfa", "true").refused(401, "401", "MFA required"); got.header.Get("isMfaCompliant") != "false" {
			t.Errorf("headers: %v", got.header)
		}
	})
	// Who asks for it gets it, and it stays with the refresh token.
	for _, claim := range []string{`{"access_token":{"amr":{"values":["mfa"]}}}`, `{"id_token":{"amr":{"essential":true,"values":["mfa"]}}}`} {
		q.session = q.signsIn("claims", claim).want(200).body["refresh_token"].(string)
		q.asDelegate(func() { q.do("POST", path, body).refused(403, "900308", "Insufficient privileges") })
	}
}

func TestConsentsThatAreRefused(t *testing.T) {
	r := resale(t, sandbox.Options{}, nil)
	stranger := r.cloud.Stranger("Woodgrove")
	path := consentsOf(r.fabrikam)
	graph := func(scope string) []fields { return []fields{scopesOf(catalog.GraphAppID, scope)} }
	long := strings.Repeat("Directory.Read.All,", 210) + "User.Read"
	r.asDelegate(func() {
		for name, c := range map[string]struct {
			path   string
			body   any
			status int
			code   string
			text   string
		}{
			"no JSON":          {path, "nonsense", 400, "800002", "JSON"},
			"more than JSON":   {path, `{"applicationId":"` + r.appID + `"} x`, 400, "800002", "JSON"},
			"no app":           {path, fields{"applicationGrants": graph("User.Read")}, 400, "800002", "applicationId"},
			"no grants":        {path, fields{"applicationId": r.appID}, 400, "800002", "applicationGrants"},
			"no API":           {path, consentBody(r.appID, fields{"scope": "User.Read"}), 400, "800002", "enterpriseApplicationId"},
			"no scope":         {path, consentBody(r.appID, graph("")...), 400, "800002", "scope"},
			"unknown scope":    {path, consentBody(r.appID, graph("User.Read,No.Such.Scope")...), 400, "800002", "'No.Such.Scope'"},
			"blanks":           {path, consentBody(r.appID, graph("User.Read Mail.Read")...), 400, "800002", "'User.Read Mail.Read'"},
			"nothing between":  {path, consentBody(r.appID, graph("User.Read,,Mail.Read")...), 400, "800002", "''"},
			"too much":         {path, consentBody(r.appID, graph(long)...), 400, "800002", "'1' to '3850'"},
			"for apps":         {path, consentBody(r.appID, scopesOf(catalog.ExchangeAppID, "Exchange.ManageAsApp")), 400, "800002", "'Exchange.ManageAsApp' is not a delegated permission"},
			"no such API":      {path, consentBody(r.appID, scopesOf(catalog.ManagementAPIsAppID, "ActivityFeed.Read")), 404, "1000", catalog.ManagementAPIsAppID},
			"Partner Center":   {path, consentBody(r.appID, scopesOf(catalog.PartnerCenterAppID, "user_impersonation")), 404, "1000", catalog.PartnerCenterAppID},
			"another app":      {path, consentBody(azureCLI, graph("User.Read")...), 403, "403", azureCLI},
			"no id":            {consentsOf("nonsense"), consentBody(r.appID, graph("User.Read")...), 400, "2000", "nonsense"},
			"unknown":          {consentsOf("11111111-1111-4111-8111-111111111111"), consentBody(r.appID, graph("User.Read")...), 404, "60003", "11111111"},
			"own tenant":       {consentsOf(r.home), consentBody(r.appID, graph("User.Read")...), 403, "20002", "no commerce relationship"},
			"no customer":      {consentsOf(stranger), consentBody(r.appID, graph("User.Read")...), 403, "20002", "no commerce relationship"},
			"no relationship":  {consentsOf(r.customer2()), consentBody(r.appID, graph("User.Read")...), 403, "900308", "Insufficient privileges"},
			"delete elsewhere": {"DELETE " + path + "/" + azureCLI, nil, 403, "403", azureCLI},
			"delete nothing":   {"DELETE " + path + "/nonsense", nil, 400, "800002", "nonsense"},
		} {
			method, at, found := strings.Cut(c.path, " ")
			if !found {
				method, at = "POST", c.path
			}
			t.Log(name)
			r.do(method, at, c.body).refused(c.status, c.code, c.text)
		}
		r.do("POST", path, "{}", "Content-Type", "text/plain").refused(415, "415", "text/plain")
		// One API after the other: the first is there, though the second is not.
		r.do("POST", path, consentBody(r.appID, scopesOf(catalog.ExchangeAppID, "Exchange.Manage"), scopesOf(catalog.ManagementAPIsAppID, "ActivityFeed.Read"))).refused(404, "1000", "")
	})
	if p := r.seenAtFabrikam(); len(p) != 1 || len(p[0].Delegated) != 1 || p[0].Delegated[0].Resource != "Office 365 Exchange Online" {
		t.Errorf("at the customer's: %+v", p)
	}
}

// customer2 is a customer without a relationship.
func (r *reseller) customer2() string {
	r.t.Helper()
	var id string
	for _, row := range r.do("GET", partnerCenter+"/v1/customers", nil).want(200).body["items"].([]any) {
		if item := row.(map[string]any); item["id"] != r.fabrikam {
			id = item["id"].(string)
		}
	}
	return id
}

// The app has to be one that other tenants can use.
func TestConsentForASingleTenantApp(t *testing.T) {
	r := resale(t, sandbox.Options{}, fields{"signInAudience": "AzureADMyOrg"})
	r.renew(r.fabrikam, graphAll).aadsts("unauthorized_client", 700016)
	r.asDelegate(func() {
		r.do("POST", consentsOf(r.fabrikam), consentBody(r.appID, scopesOf(catalog.GraphAppID, "User.Read"))).refused(400, "800002", "does not reference a valid application object")
	})
}

// Which roles the partner has at the customer decides.
func TestConsentTakesARole(t *testing.T) {
	for role, may := range map[string]bool{appAdmin: true, catalog.RoleCloudApplicationAdministrator: true, privileged: false, exchangeAdmin: false} {
		r := resale(t, sandbox.Options{}, nil, role)
		r.asDelegate(func() {
			got := r.do("POST", consentsOf(r.fabrikam), consentBody(r.appID, scopesOf(catalog.GraphAppID, "User.Read")))
			if may {
				got.want(201)
				return
			}
			got.refused(403, "900308", "Insufficient privileges")
		})
		if n := len(r.seenAtFabrikam()); n != map[bool]int{true: 1}[may] {
			t.Errorf("%s: %d service principals", role, n)
		}
	}
	r := resale(t, sandbox.Options{}, nil)
	r.act(r.relationship, "terminate").want(201)
	r.asDelegate(func() {
		r.do("POST", consentsOf(r.fabrikam), consentBody(r.appID, scopesOf(catalog.GraphAppID, "User.Read"))).refused(403, "900308", "Insufficient privileges")
	})
	r.renew(r.fabrikam, graphAll).aadsts("invalid_grant", 50020)
}

// A customer's policies hold for the partner's people unless they take service
// providers out: at the token service, and at Partner Center that asks there.
func TestCustomersPolicies(t *testing.T) {
	r := resale(t, sandbox.Options{}, nil)
	path := consentsOf(r.fabrikam)
	r.asDelegate(func() { r.do("POST", path, consentBody(r.appID, scopesOf(catalog.GraphAppID, bootstrap))).want(201) })
	everybody := fields{"includeUsers": []any{"All"}}
	providers := func(types string, members ...any) fields {
		tenants := fields{"@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants", "membershipKind": "all"}
		if members != nil {
			tenants = fields{"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": members}
		}
		return fields{"guestOrExternalUserTypes": types, "externalTenants": tenants}
	}
	without := func(excluded fields) fields {
		return fields{"includeUsers": []any{"All"}, "excludeGuestsOrExternalUsers": excluded}
	}
	demand := func(operator string, controls ...any) fields {
		return fields{"operator": operator, "builtInControls": controls}
	}
	block := demand("OR", "block")
	for name, c := range map[string]struct {
		users, grant fields
		code         int // 0: let in
	}{
		"everybody":                {everybody, block, 53003},
		"a compliant device":       {everybody, demand("OR", "compliantDevice"), 53000},
		"a domain's device":        {everybody, demand("OR", "domainJoinedDevice"), 53001},
		"a second factor":          {everybody, demand("OR", "mfa"), 0},
		"either":                   {everybody, demand("OR", "compliantDevice", "mfa"), 0},
		"both":                     {everybody, demand("AND", "mfa", "compliantDevice"), 53000},
		"either of two devices":    {everybody, demand("OR", "compliantDevice", "domainJoinedDevice"), 53000},
		"another company's factor": {everybody, fields{"operator": "OR", "builtInControls": []any{}, "customAuthenticationFactors": []any{"RequireDuoMfa"}}, 50158},
		"service providers":        {fields{"includeGuestsOrExternalUsers": providers("internalGuest,serviceProvider")}, block, 53003},
		"guests":                   {fields{"includeGuestsOrExternalUsers": providers("b2bCollaborationGuest")}, block, 0},
		"the old word":             {fields{"includeUsers": []any{"GuestsOrExternalUsers"}}, block, 53003},
		"a role they have":         {fields{"includeRoles": []any{appAdmin}}, block, 53003},
		"a role they have not":     {fields{"includeRoles": []any{catalog.RoleGlobalAdministrator}}, block, 0},
		"but providers":            {without(providers("serviceProvider")), block, 0},
		"but this provider":        {without(providers("serviceProvider", r.home)), block, 0},
		"but another provider":     {without(providers("serviceProvider", "11111111-1111-4111-8111-111111111111")), block, 53003},
		"but guests":               {without(providers("b2bCollaborationGuest,otherExternalUser")), block, 53003},
	} {
		t.Log(name)
		r.cloud.Restrict(r.fabrikam, name, c.users, c.grant)
		got := r.renew(r.fabrikam, graphAll)
		r.asDelegate(func() {
			consent := r.do("POST", path, consentBody(r.appID, scopesOf(catalog.GraphAppID, bootstrap)))
			switch c.code {
			case 0:
				got.want(200)
				consent.refused(409, "409", "already exists")
			case 53003:
				got.aadsts("invalid_grant", 53003)
				consent.refused(403, "900309", "blocked by Conditional Access")
			default:
				got.aadsts("invalid_grant", c.code)
				consent.refused(403, "90000", "AADSTS5")
			}
		})
		if c.code != 0 && !strings.Contains(got.body["claims"].(string), "capolids") {
			t.Errorf("claims: %v", got.body["claims"])
		}
		r.cloud.Unrestrict(r.fabrikam)
	}
	// At home these policies mean nothing.
	r.cloud.Restrict(r.fabrikam, "all", everybody, block)
	r.renew(r.home, graphAll).want(200)
}

// The same request twice is one request; one that failed may be repeated.
func TestConsentIsDoneOnce(t *testing.T) {
	r := resale(t, sandbox.Options{}, nil)
	path, body := consentsOf(r.fabrikam), consentBody(r.appID, scopesOf(catalog.GraphAppID, bootstrap))
	const first, second, third = "3f0c0c5e-3a0e-4a55-8d0d-5d2f8e1b1c11", "3f0c0c5e-3a0e-4a55-8d0d-5d2f8e1b1c12", "3f0c0c5e-3a0e-4a55-8d0d-5d2f8e1b1c13"
	r.asDelegate(func() {
		r.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Path: "applicationconsents"}, Nth: 1, Do: "500", When: "after"}})
		r.do("POST", path, body, "MS-RequestId", first).refused(500, "500", "")
		r.cloud.SetFaults(nil)
		again := r.do("POST", path, body, "MS-RequestId", first).want(201)
		if again.body["applicationId"] != r.appID {
			t.Errorf("again: %s", again.raw)
		}
		r.do("POST", path, body, "MS-RequestId", second).refused(409, "409", "already exists")
		r.do("POST", path, body).refused(409, "409", "already exists")
		r.do("DELETE", path+"/"+r.appID, nil, "MS-RequestId", third).want(204)
		r.do("DELETE", path+"/"+r.appID, nil, "MS-RequestId", third).want(204)
		// An old answer is not a new consent.
		r.do("POST", path, body, "MS-RequestId", first).want(201)
		if n := len(r.seenAtFabrikam()); n != 0 {
			t.Errorf("%d service principals", n)
		}
		r.do("POST", path, body, "MS-RequestId", second).want(201)
	})
}

func TestConsentBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resale(t, sandbox.Options{}, nil)
		defer r.client.CloseIdleConnections()
		path := consentsOf(r.fabrikam) + "/" + r.appID
		r.asDelegate(func() {
			for range 50 {
				r.do("DELETE", path, nil).refused(404, "1000", "")
			}
			if got := r.do("DELETE", path, nil).refused(429, "429", "Too many"); got.header.Get("Retry-After") != "1" {
				t.Errorf("headers: %v", got.header)
			}
			r.do("GET", partnerCenter+"/v1/customers", nil).want(200) // only consents are counted
			for range 100 {
				time.Sleep(time.Second / 50)
				r.do("DELETE", path, nil).refused(404, "1000", "")
			}
			r.do("DELETE", path, nil).refused(429, "429", "Too many")
		})
	})
}

func TestIndirectResellersDoNotConsent(t *testing.T) {
	w := partnerOf(t, sandbox.Options{Scenario: "indirect-reseller"}, "")
	w.do("POST", consentsOf("11111111-1111-4111-8111-111111111111"), consentBody(azureCLI, scopesOf(catalog.GraphAppID, "User.Read"))).refused(403, "403", "not permitted")
}

// What is made can be seen everywhere a little later.
func TestConsentTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resale(t, sandbox.Options{Delays: sandbox.DelaysRealistic}, nil)
		defer r.client.CloseIdleConnections()
		r.asDelegate(func() {
			r.do("POST", consentsOf(r.fabrikam), consentBody(r.appID, scopesOf(catalog.GraphAppID, bootstrap))).want(201)
		})
		took := until(t, time.Minute, "a token", func() bool { return r.renew(r.fabrikam, graphAll).status == 200 })
		if took > 30*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
