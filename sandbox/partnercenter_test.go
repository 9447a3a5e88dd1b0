package sandbox_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const (
	partnerCenter = "https://api.partnercenter.microsoft.com"
	partnerScope  = "https://api.partnercenter.microsoft.com/.default openid"
)

// partnerOf is a world in which an account has a token for Partner Center.
func partnerOf(t *testing.T, o sandbox.Options, account string) *world {
	t.Helper()
	o.Approve = sandbox.ApproveManual
	w := start(t, o)
	if account == "" {
		account = w.cloud.Tenant().Admin
	}
	w.token = w.signInAs(account, azureCLI, partnerScope)
	return w
}

// refused checks an error of Partner Center.
func (r reply) refused(status int, code, text string) reply {
	r.t.Helper()
	got, _ := r.body["description"].(string)
	if data, isList := r.body["data"].([]any); r.status != status || r.body["code"] != code || !strings.Contains(got, text) || !isList || len(data) != 0 || r.body["source"] == nil {
		r.t.Fatalf("%s:\n got %d %s\nwant %d %s %q", r.what, r.status, r.raw, status, code, text)
	}
	return r
}

func TestPartnerProfiles(t *testing.T) {
	w := partnerOf(t, sandbox.Options{}, "")
	const mine, more = "3f0c0c5e-3a0e-4a55-8d0d-5d2f8e1b1c11", "3f0c0c5e-3a0e-4a55-8d0d-5d2f8e1b1c22"
	r := w.do("GET", partnerCenter+"/v1/profiles/organization", nil, "MS-RequestId", mine, "MS-CorrelationId", more, "ValidateMfa", "true").want(200)
	if r.body["tenantId"] != w.cloud.Tenant().ID || r.body["companyName"] != "Contoso" {
		t.Errorf("profile: %s", r.raw)
	}
	if h := r.header; h.Get("MS-RequestId") != mine || h.Get("MS-CorrelationId") != more || h.Get("isMfaCompliant") != "true" {
		t.Errorf("headers: %v", h)
	}
	r = w.do("GET", partnerCenter+"/v1/profiles/legalbusiness?vettingVersion=Current", nil).want(200)
	if r.body["vettingStatus"] != "authorized" || r.header.Get("MS-RequestId") == "" || r.header.Get("isMfaCompliant") != "" {
		t.Errorf("legal business: %s, headers %v", r.raw, r.header)
	}
	w.do("GET", partnerCenter+"/v1/nonsense", nil).refused(404, "404", "/v1/nonsense")
	w.do("DELETE", partnerCenter+"/v1/customers", nil).refused(405, "405", "DELETE")
	for _, row := range w.cloud.Requests() {
		if row.Write != (row.Method == "DELETE") {
			t.Errorf("%s %s: write %v", row.Method, row.URL, row.Write)
		}
	}
}

func TestPartnerCenterTokens(t *testing.T) {
	w := partnerOf(t, sandbox.Options{}, "")
	path := partnerCenter + "/v1/profiles/organization"
	good := w.token
	w.token = good[:len(good)-4] + "AAAA"
	w.do("GET", path, nil).refused(401, "401", "access token")
	w.token = w.signInAs(w.cloud.Tenant().Admin, azureCLI, "https://graph.microsoft.com/.default")
	w.do("GET", path, nil).refused(401, "900420", "https://graph.microsoft.com")
	w.token = w.signInAs("megan@contoso.onmicrosoft.com", azureCLI, partnerScope)
	w.do("GET", path, nil).refused(403, "900308", "Insufficient privileges")

	m := partnerOf(t, sandbox.Options{Scenario: "no-mfa"}, "")
	if r := m.do("GET", path, nil, "ValidateMfa", "true").refused(401, "401", "MFA required"); r.header.Get("isMfaCompliant") != "false" {
		t.Errorf("headers: %v", r.header)
	}
	a := partnerOf(t, sandbox.Options{Scenario: "not-admin-agent"}, "")
	a.do("GET", path, nil).refused(403, "900308", "Insufficient privileges")
	i := partnerOf(t, sandbox.Options{Scenario: "indirect-reseller"}, "")
	i.do("GET", path, nil).want(200)
	i.do("GET", partnerCenter+"/v1/customers?size=10", nil).refused(403, "403", "not permitted")
	i.do("GET", partnerCenter+"/v1/customers/"+w.cloud.Tenant().ID, nil).refused(403, "403", "not permitted")

	// A customer's administrator is nobody's agent.
	const customer = "fabrikam.onmicrosoft.com"
	w.cloud.Provision(customer, catalog.PartnerCenterAppID)
	code := w.form(customer, "devicecode", "client_id", azureCLI, "scope", partnerScope).want(200).body
	if err := w.cloud.Approve(code["user_code"].(string), "admin@"+customer); err != nil {
		t.Fatal(err)
	}
	w.token = w.form(customer, "token", "grant_type", "device_code", "client_id", azureCLI, "device_code", code["device_code"].(string)).want(200).body["access_token"].(string)
	w.do("GET", path, nil).refused(403, "900308", "Insufficient privileges")

	// No partner, no API.
	s := start(t, sandbox.Options{Scenario: "single-tenant", Approve: sandbox.ApproveNow})
	code = s.form(s.cloud.Tenant().ID, "devicecode", "client_id", azureCLI, "scope", partnerScope).want(200).body
	s.poll(azureCLI, code["device_code"].(string)).aadsts("invalid_resource", 500011)

	// An app that acts as itself.
	p := signedIn(t, sandbox.Options{})
	id, appID := p.app(nil)
	p.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).want(201)
	secret := p.do("POST", "/applications/"+id+"/addPassword", map[string]any{}).want(200).body["secretText"].(string)
	p.token = p.form(p.cloud.Tenant().ID, "token", "grant_type", "client_credentials", "client_id", appID, "client_secret", secret,
		"scope", catalog.PartnerCenterAppID+"/.default").want(200).body["access_token"].(string)
	p.do("GET", path, nil).refused(403, "900329", "App only")
}

func TestPartnerCustomers(t *testing.T) {
	w := partnerOf(t, sandbox.Options{Customers: 250}, "")
	var names []string
	sizes := []int{}
	next, headers := "/v1/customers?size=100", []string(nil)
	for next != "" {
		r := w.do("GET", partnerCenter+next, nil, headers...).want(200)
		if r.body["totalCount"] != 250.0 {
			t.Fatalf("totalCount %v", r.body["totalCount"])
		}
		if self := r.body["links"].(map[string]any)["self"].(map[string]any)["uri"]; self != "/v1/customers?size=100" {
			t.Fatalf("this page: %v", self)
		}
		items := r.body["items"].([]any)
		sizes = append(sizes, len(items))
		for _, v := range items {
			item := v.(map[string]any)
			profile := item["companyProfile"].(map[string]any)
			if item["id"] != profile["tenantId"] || item["relationshipToPartner"] != "reseller" {
				t.Fatalf("customer: %v", item)
			}
			names = append(names, fmt.Sprint(profile["companyName"]))
		}
		next, headers = "", nil
		if link, more := r.body["links"].(map[string]any)["next"].(map[string]any); more {
			next = link["uri"].(string)
			for _, h := range link["headers"].([]any) {
				headers = append(headers, h.(map[string]any)["key"].(string), h.(map[string]any)["value"].(string))
			}
			if !strings.Contains(next, "seekOperation=Next") {
				t.Fatalf("next page: %s", next)
			}
		}
	}
	if !slices.Equal(sizes, []int{100, 100, 50}) || len(names) != 250 || names[0] != "Fabrikam" || slices.Contains(names, "Contoso") {
		t.Errorf("pages of %v; %d customers, the first %s", sizes, len(names), names[0])
	}
	w.do("GET", partnerCenter+"/v1/customers?size=100&seekOperation=Next", nil).refused(400, "2000", "MS-ContinuationToken")
	w.do("GET", partnerCenter+"/v1/customers?size=501", nil).refused(400, "2000", "501")
	if got := w.do("GET", partnerCenter+"/v1/customers", nil).want(200).body["items"].([]any); len(got) != 100 {
		t.Errorf("without a size: %d", len(got))
	}

	find := func(filter string) reply {
		return w.do("GET", partnerCenter+"/v1/customers?size=40&filter="+url.QueryEscape(filter), nil)
	}
	for filter, want := range map[string]int{
		`{"Field":"CompanyName","Value":"wingtip","Operator":"starts_with"}`:     9,
		`{"Field":"Domain","Value":"fabrikam.onmicro","Operator":"starts_with"}`: 1,
		`{"Field":"Domain","Value":"microsoft","Operator":"starts_with"}`:        0,
	} {
		if got := find(filter).want(200).body["items"].([]any); len(got) != want {
			t.Errorf("%s: %d", filter, len(got))
		}
	}
	for _, filter := range []string{"nonsense", `{"Field":"Phone","Value":"x","Operator":"starts_with"}`, `{"Field":"Domain","Value":"x","Operator":"contains"}`} {
		find(filter).refused(400, "2000", "filter")
	}

	one := find(`{"Field":"Domain","Value":"fabrikam.onmicro","Operator":"starts_with"}`).body["items"].([]any)[0].(map[string]any)
	if got := w.do("GET", partnerCenter+"/v1/customers/"+one["id"].(string), nil).want(200).body; fmt.Sprint(got) != fmt.Sprint(one) {
		t.Errorf("by id %v, in the list %v", got, one)
	}
	w.do("GET", partnerCenter+"/v1/customers/11111111-1111-4111-8111-111111111111", nil).refused(404, "60003", "11111111")
	w.do("GET", partnerCenter+"/v1/customers/"+w.cloud.Tenant().ID, nil).refused(404, "60003", "")
	w.do("GET", partnerCenter+"/v1/customers/nonsense", nil).refused(400, "2000", "nonsense")

	p := partnerOf(t, sandbox.Options{Scenario: "small-pages"}, "")
	if got := p.do("GET", partnerCenter+"/v1/customers?size=2", nil).want(200).body["items"].([]any); len(got) != 2 {
		t.Errorf("two customers: %d", len(got))
	}
}

// What goes wrong, goes wrong in the form of the service that is asked.
func TestFaultsOfOtherServices(t *testing.T) {
	w := partnerOf(t, sandbox.Options{}, "")
	for _, f := range []struct {
		do     string
		status int
	}{{"500", 500}, {"429", 429}} {
		w.cloud.SetFaults([]sandbox.Fault{{Do: f.do, For: sandbox.Duration(3e9)}})
		w.do("GET", partnerCenter+"/v1/customers", nil).refused(f.status, f.do, "")
		if r := w.do("GET", arm+"/tenants"+armNewest, nil).want(f.status); r.body["error"].(map[string]any)["code"] == nil {
			t.Errorf("Azure: %s", r.raw)
		}
		r := w.do("POST", consentOf("11111111-1111-4111-8111-111111111111"), nil).want(f.status)
		if r.body["ClassName"] == nil || f.status == 429 && r.header.Get("Retry-After") != "3" {
			t.Errorf("portal: %s, headers %v", r.raw, r.header)
		}
	}
}
