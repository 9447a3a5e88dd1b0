package sandbox_test

import (
	"net/http"
	"strings"
	"testing"

	"msbundle/sandbox"
)

const (
	relationships = "/tenantRelationships/delegatedAdminRelationships"
	delegated     = "/tenantRelationships/delegatedAdminCustomers"
)

// every reads a list to its end and tells in how many requests.
func (w *world) every(path string) (all []fields, requests int) {
	w.t.Helper()
	for path != "" {
		r := w.do("GET", path, nil).want(200)
		all, requests = append(all, r.values()...), requests+1
		path, _ = r.body["@odata.nextLink"].(string)
	}
	return all, requests
}

func TestContracts(t *testing.T) {
	w := delegating(t, sandbox.Options{Customers: 250})
	all, n := w.every("/contracts?$top=100")
	if len(all) != 250 || n != 3 {
		t.Fatalf("%d contracts in %d requests", len(all), n)
	}
	seen := map[any]bool{}
	for _, c := range all {
		seen[c["customerId"]] = true
	}
	if len(seen) != 250 || all[0]["displayName"] != "Fabrikam" || all[0]["defaultDomainName"] != "fabrikam.onmicrosoft.com" || all[0]["contractType"] != "ResellerPartner" {
		t.Errorf("%d customers, the first is %v", len(seen), all[0])
	}
	if got := w.do("GET", "/contracts/"+all[7]["id"].(string), nil).want(200).body["customerId"]; got != all[7]["customerId"] {
		t.Errorf("by id: %v", got)
	}
	w.do("GET", "/contracts/"+unknownID, nil).fails(404, "Request_ResourceNotFound", "")
	if got := w.do("GET", "/contracts?$filter=customerId eq '"+all[3]["customerId"].(string)+"'&$select=displayName", nil).want(200).values(); len(got) != 1 || len(got[0]) != 1 || got[0]["displayName"] != "Tailspin Toys" {
		t.Errorf("by customer: %v", got)
	}
	w.do("GET", "/contracts?$filter=startswith(displayName,'F')", nil).fails(400, "Request_UnsupportedQuery", "")
	w.do("GET", "/contracts?$top=1000", nil).fails(400, "Request_UnsupportedQuery", "between 1 and 999")
	w.do("GET", "/contracts?$skiptoken=x", nil).fails(400, "Request_UnsupportedQuery", "token")
	w.do("GET", "/contracts?$select=nonsense", nil).fails(400, "BadRequest", "nonsense")
	if got, _ := delegating(t, sandbox.Options{Scenario: "single-tenant"}).every("/contracts"); len(got) != 0 {
		t.Errorf("no partner: %v", got)
	}
	if got, n := delegating(t, sandbox.Options{Scenario: "small-pages", Customers: 7}).every("/contracts"); len(got) != 7 || n < 5 {
		t.Errorf("small pages: %d in %d requests", len(got), n)
	}
}

// A customer is a delegated one for as long as a relationship with it is active.
func TestDelegatedCustomers(t *testing.T) {
	w := delegating(t, sandbox.Options{Scenario: "gdap-mixed"})
	all, n := w.every(delegated + "?$top=7")
	if len(all) != 25 || n != 4 {
		t.Fatalf("%d customers in %d requests", len(all), n)
	}
	one := all[0]
	if one["id"] != one["tenantId"] || one["displayName"] != "Northwind Traders" || one["@odata.etag"] == nil {
		t.Errorf("the first is %v", one)
	}
	if got := w.do("GET", delegated+"/"+one["id"].(string)+"?$select=displayName", nil).want(200).body; got["displayName"] != "Northwind Traders" {
		t.Errorf("by id: %v", got)
	}
	if got := w.do("GET", delegated+"?$count=true&$top=1", nil).want(200).body["@odata.count"]; got != 25.0 {
		t.Errorf("count: %v", got)
	}
	contracts, _ := w.every("/contracts")
	w.do("GET", delegated+"/"+contracts[0]["customerId"].(string), nil).fails(404, "notFound", "")
	w.do("GET", delegated+"?$top=301", nil).fails(400, "badRequest", "between 1 and 300")
	w.do("GET", delegated+"?$expand=serviceManagementDetails", nil).fails(400, "badRequest", "$expand")
	// Microsoft's own relationship was that customer's only one.
	rel := w.do("GET", relationships+"?$filter=customer/tenantId eq '"+one["id"].(string)+"'", nil).want(200).values()[0]
	w.do("POST", relationships+"/"+rel["id"].(string)+"/requests", fields{"action": "terminate"}).want(201)
	w.do("GET", delegated+"/"+one["id"].(string), nil).fails(404, "notFound", "")
}

// Ten thousand customers with a relationship each are listed, and none of their
// tenants is filled for it. BenchmarkRelationships says how long it takes.
func TestListsOfThousands(t *testing.T) {
	w := delegating(t, sandbox.Options{Customers: sandbox.MaxCustomers, Scenario: "gdap-mixed"})
	for path, want := range map[string][2]int{
		"/contracts?$top=999": {10000, 11}, delegated + "?$top=300": {6250, 21}, relationships + "?$top=300": {10000, 34},
		relationships + "?$top=300&$filter=status eq 'approvalPending'&$select=id": {1250, 5},
	} {
		if all, n := w.every(path); len(all) != want[0] || n != want[1] {
			t.Errorf("%s: %d in %d requests, want %v", path, len(all), n, want)
		}
	}
	if n := w.cloud.Filled(); n > 1 {
		t.Errorf("%d tenants were filled", n)
	}
}

func BenchmarkRelationships(b *testing.B) {
	cloud, err := sandbox.New(sandbox.Options{Customers: sandbox.MaxCustomers, Scenario: "gdap-mixed", Approve: sandbox.ApproveNow})
	if err != nil {
		b.Fatal(err)
	}
	cloud.Consent(strings.Fields(gdapScopes)...)
	w := &world{t: &testing.T{}, cloud: cloud, client: &http.Client{Transport: cloud.Transport()}}
	w.token = w.signIn(gct, gdapScopes)["access_token"].(string)
	for b.Loop() {
		if all, _ := w.every(relationships + "?$top=300"); len(all) != 10000 {
			b.Fatal(len(all))
		}
	}
}
