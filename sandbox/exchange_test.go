package sandbox_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const (
	exchangeScope = "https://outlook.office365.com/.default"
	exchangeAdmin = "29232cdf-9323-42fd-ade2-1d097af3e4de"
	exchangeShell = "fb78d390-0c51-40cd-8e17-fdbfab77341b"
	directoryRole = " RoleManagement.ReadWrite.Directory"
)

func command(name string, parameters doc) doc {
	return doc{"CmdletInput": doc{"CmdletName": name, "Parameters": parameters}}
}

// invoke runs a cmdlet in the partner's organisation, as an app does.
func (w *world) invoke(body any, headers ...string) reply {
	w.t.Helper()
	id := w.cloud.Tenant().ID
	all := append([]string{"X-AnchorMailbox", "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@" + id}, headers...)
	return w.do("POST", "https://outlook.office365.com/adminapi/beta/"+id+"/InvokeCommand", body, all...)
}

// says checks an error of Exchange Online: it says the same in several places.
func (r reply) says(status int, text string) reply {
	r.t.Helper()
	e, _ := r.body["error"].(map[string]any)
	inner, _ := e["innererror"].(map[string]any)
	exception, _ := inner["internalException"].(map[string]any)
	details, _ := e["details"].([]any)
	if r.status != status || len(details) != 1 {
		r.t.Fatalf("%s: got %d %s, want %d", r.what, r.status, r.raw, status)
	}
	for _, place := range []any{e["message"], inner["message"], exception["message"], details[0].(map[string]any)["message"]} {
		if s, _ := place.(string); !strings.Contains(s, text) {
			r.t.Fatalf("%s: %q is not in %s", r.what, text, r.raw)
		}
	}
	return r
}

// owned is an app of the tenant with a secret and the permission for Exchange.
type owned struct {
	*world
	appID, secret, principal, permission string
}

func ownedApp(t *testing.T, o sandbox.Options) *owned {
	t.Helper()
	o.Approve = sandbox.ApproveNow
	w := start(t, o)
	w.token = w.signIn(catalog.GraphCommandLineTools, everything+directoryRole)["access_token"].(string)
	a := &owned{world: w}
	id, appID := w.app(nil)
	w.cloud.Advance(time.Minute)
	a.appID, a.principal = appID, w.do("POST", "/servicePrincipals", doc{"appId": appID}).want(201).id()
	a.secret = w.do("POST", "/applications/"+id+"/addPassword", doc{}).want(200).body["secretText"].(string)
	w.cloud.Advance(2 * time.Minute)
	return a
}

func (a *owned) permit() {
	a.t.Helper()
	resource := a.world.principal(catalog.ExchangeAppID)
	a.permission = a.do("POST", "/servicePrincipals/"+resource+"/appRoleAssignedTo", doc{
		"principalId": a.principal, "resourceId": resource, "appRoleId": permissionID(a.t, catalog.ExchangeAppID, "Exchange.ManageAsApp", catalog.Application),
	}).want(201).id()
	a.cloud.Advance(time.Minute)
}

func (a *owned) giveRole(role string) {
	a.t.Helper()
	a.do("POST", "/roleManagement/directory/roleAssignments", doc{"roleDefinitionId": role, "principalId": a.principal, "directoryScopeId": "/"}).want(201)
}

// itself is the app with a token of its own.
func (a *owned) itself(scope string) *world {
	a.t.Helper()
	r := a.form(a.cloud.Tenant().ID, "token", "grant_type", "client_credentials", "client_id", a.appID, "client_secret", a.secret, "scope", scope).want(200)
	return &world{t: a.t, cloud: a.cloud, client: a.client, token: r.body["access_token"].(string)}
}

func TestExchangeAsApp(t *testing.T) {
	a := ownedApp(t, sandbox.Options{})
	config := command("Get-OrganizationConfig", doc{})
	a.itself(exchangeScope).invoke(config).says(401, "permission")
	a.permit()
	e := a.itself(exchangeScope)
	if got := claims(t, e.token); got["aud"] != "https://outlook.office365.com" || len(got["roles"].([]any)) != 1 || got["roles"].([]any)[0] != "Exchange.ManageAsApp" {
		t.Errorf("token: %v", got)
	}
	r := e.invoke(config).says(401, "The role assigned to application "+a.appID+" isn't supported in this scenario.")
	if r.header.Get("WWW-Authenticate") == "" {
		t.Error("no challenge")
	}
	a.giveRole(catalog.RoleApplicationAdministrator)
	e.invoke(config).says(401, "isn't supported in this scenario")
	a.giveRole(exchangeAdmin)
	value := e.invoke(config).want(200).values()
	if len(value) != 1 || value[0]["Name"] != "contoso.onmicrosoft.com" || value[0]["IsDehydrated"] != false {
		t.Errorf("organisation: %v", value)
	}
	e.do("POST", "https://outlook.office365.com/AdminApi/beta/contoso.com/invokecommand", config, "X-AnchorMailbox", "UPN:"+a.cloud.Tenant().Admin).want(200)

	for _, bad := range []struct {
		body   any
		status int
		text   string
	}{
		{"nonsense", 400, "CmdletInput"},
		{doc{"CmdletInput": doc{}}, 400, "CmdletName"},
		{doc{"CmdletInput": doc{"Name": "Get-Mailbox"}}, 400, "CmdletInput"},
		{command("Set-Mailbox", nil), 400, "The term 'Set-Mailbox' is not recognized as a name of a cmdlet"},
		{command("Get-Mailbox", doc{"Colour": "red"}), 400, "parameter name 'Colour'"},
		{command("Get-Mailbox", doc{"Identity": "nobody"}), 404, "object 'nobody' couldn't be found on 'contoso.onmicrosoft.com'"},
		{command("Get-AcceptedDomain", doc{"Identity": "example.com"}), 404, "object 'example.com'"},
	} {
		e.invoke(bad.body).says(bad.status, bad.text)
	}
	for _, anchor := range []string{"", "APP:somebody", "UPN:nobody@contoso.com", "OID:" + a.principal, "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@fabrikam.onmicrosoft.com"} {
		e.invoke(config, "X-AnchorMailbox", anchor).says(400, "X-AnchorMailbox")
	}
	base := "https://outlook.office365.com/adminapi/beta/"
	e.do("POST", base+"fabrikam.onmicrosoft.com/InvokeCommand", config).says(401, "'fabrikam.onmicrosoft.com'")
	e.do("GET", base+a.cloud.Tenant().ID+"/InvokeCommand", nil).says(405, "GET")
	e.do("POST", base+a.cloud.Tenant().ID+"/Mailbox", nil).says(404, "/Mailbox")

	if got := e.invoke(command("Get-AcceptedDomain", nil)).want(200).values(); len(got) != 2 || got[0]["DomainName"] != "contoso.onmicrosoft.com" || got[0]["Default"] != true {
		t.Errorf("domains: %v", got)
	}
	if got := e.invoke(command("get-mailbox", doc{"Identity": "megan@contoso.onmicrosoft.com"})).want(200).values(); len(got) != 1 || got[0]["PrimarySmtpAddress"] != "megan@contoso.onmicrosoft.com" {
		t.Errorf("mailbox: %v", got)
	}
	if got := e.invoke(command("Get-Mailbox", doc{"ResultSize": 2})).want(200).values(); len(got) != 2 {
		t.Errorf("two mailboxes: %v", got)
	}
	first := e.invoke(command("Get-Mailbox", nil), "Prefer", "odata.maxpagesize=2").want(200)
	next, _ := first.body["@odata.nextLink"].(string)
	second := e.do("POST", next, command("Get-Mailbox", nil), "X-AnchorMailbox", "UPN:"+a.cloud.Tenant().Admin).want(200)
	if len(first.values()) != 2 || len(second.values()) != 1 || second.body["@odata.nextLink"] != nil {
		t.Errorf("pages: %s %s", first.raw, second.raw)
	}
	e.do("POST", strings.Replace(next, "=2", "=x", 1), command("Get-Mailbox", nil), "X-AnchorMailbox", "UPN:"+a.cloud.Tenant().Admin).says(400, "skip token")
	rows := a.cloud.Requests()
	if last := rows[len(rows)-1]; last.Write || last.Tenant != a.cloud.Tenant().ID {
		t.Errorf("request: %+v", last)
	}

	for text, token := range map[string]string{
		"audience": a.token, "cannot be validated": e.token[:len(e.token)-4] + "AAAA",
	} {
		(&world{t: t, cloud: a.cloud, client: a.client, token: token}).invoke(config).says(401, text)
	}
	for do, status := range map[string]int{"429": 429, "500": 500} {
		a.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Path: "InvokeCommand"}, Do: do}})
		e.invoke(config).says(status, "try again later")
	}
	a.cloud.SetFaults(nil)
	// A permission that was taken away stays in the token until it expires; a role
	// does not.
	a.do("DELETE", "/servicePrincipals/"+a.world.principal(catalog.ExchangeAppID)+"/appRoleAssignedTo/"+a.permission, nil).want(204)
	e.invoke(config).want(200)
	a.itself(exchangeScope).invoke(config).says(401, "permission")
	a.cloud.Advance(2 * time.Hour)
	e.invoke(config).says(401, "expired")
}

// A role takes a quarter of an hour to get through to Exchange Online.
func TestExchangeRoleLag(t *testing.T) {
	a := ownedApp(t, sandbox.Options{Delays: sandbox.DelaysRealistic})
	a.permit()
	a.giveRole(exchangeAdmin)
	e := a.itself(exchangeScope)
	config := command("Get-OrganizationConfig", nil)
	a.cloud.Advance(14 * time.Minute)
	e.invoke(config).says(401, "isn't supported in this scenario")
	a.cloud.Advance(2 * time.Minute)
	e.invoke(config).want(200)
}

func TestExchangeAsPerson(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	config := command("Get-OrganizationConfig", nil)
	admin := w.cloud.Tenant().Admin
	w.token = w.signInAs(admin, exchangeShell, exchangeScope)
	w.invoke(config, "X-AnchorMailbox", "UPN:"+admin).want(200)
	w.token = w.signInAs("megan@contoso.onmicrosoft.com", exchangeShell, exchangeScope)
	w.invoke(config).says(403, "is not present in the role definition of the current user")
	w.token = w.signInAs(admin, azureCLI, exchangeScope)
	w.invoke(config).says(401, "permission")

	// An app of the tenant takes the permission for people.
	w.token = w.signInAs(admin, gct, everything)
	_, appID := w.app(map[string]any{"isFallbackPublicClient": true})
	client := w.do("POST", "/servicePrincipals", doc{"appId": appID}).want(201).id()
	w.do("POST", "/oauth2PermissionGrants", doc{
		"clientId": client, "consentType": "AllPrincipals", "resourceId": w.principal(catalog.ExchangeAppID), "scope": "Exchange.Manage",
	}).want(201)
	w.token = w.signInAs(admin, appID, "https://outlook.office365.com/Exchange.Manage")
	w.invoke(config).want(200)
}

func TestExchangeElsewhere(t *testing.T) {
	// No plan, no Exchange.
	w := start(t, sandbox.Options{Scenario: "no-exchange", Approve: sandbox.ApproveManual})
	w.token = w.signInAs(w.cloud.Tenant().Admin, exchangeShell, exchangeScope)
	w.invoke(command("Get-OrganizationConfig", nil)).says(400, "a subscription within the tenant has lapsed")
	w.token = w.signInAs(w.cloud.Tenant().Admin, gct, everything)
	for _, sku := range w.do("GET", "/subscribedSkus", nil).want(200).values() {
		if sku["skuPartNumber"] != "EMSPREMIUM" {
			t.Errorf("sku: %v", sku)
		}
	}

	// Each cloud has its own host, and takes tokens for that one only.
	w = start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	hosts := []string{"outlook-dod.office365.us"}
	for _, c := range catalog.Clouds() {
		hosts = append(hosts, c.Exchange)
	}
	w.token = w.signInAs(w.cloud.Tenant().Admin, exchangeShell, exchangeScope)
	for _, host := range hosts {
		r := w.do("POST", "https://"+host+"/adminapi/beta/"+w.cloud.Tenant().ID+"/InvokeCommand", command("Get-OrganizationConfig", nil), "X-AnchorMailbox", "UPN:"+w.cloud.Tenant().Admin)
		if host == "outlook.office365.com" {
			r.want(200)
		} else {
			r.says(401, "audience")
		}
	}
	g := start(t, sandbox.Options{Scenario: "gcc-high", Approve: sandbox.ApproveManual})
	signIn := func(scope string) string {
		post := func(endpoint string, v url.Values) map[string]any {
			req, err := http.NewRequest("POST", "https://login.microsoftonline.us/"+g.cloud.Tenant().ID+"/oauth2/v2.0/"+endpoint, strings.NewReader(v.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return g.send(req).want(200).body
		}
		code := post("devicecode", url.Values{"client_id": {exchangeShell}, "scope": {scope}})
		if err := g.cloud.Approve(code["user_code"].(string), g.cloud.Tenant().Admin); err != nil {
			t.Fatal(err)
		}
		return post("token", url.Values{"client_id": {exchangeShell}, "grant_type": {"device_code"}, "device_code": {code["device_code"].(string)}})["access_token"].(string)
	}
	gov := "https://outlook.office365.us/adminapi/beta/" + g.cloud.Tenant().ID + "/InvokeCommand"
	g.do("POST", gov, nil).says(401, "missing")
	g.token = signIn("https://outlook.office365.us/.default")
	g.do("POST", gov, command("Get-OrganizationConfig", nil), "X-AnchorMailbox", "UPN:"+g.cloud.Tenant().Admin).want(200)
	g.token = signIn(exchangeScope)
	g.invoke(command("Get-OrganizationConfig", nil)).says(401, "another cloud")
}
