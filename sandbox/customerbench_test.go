package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// bench is a partner's person at many customers, without a client in between:
// what is measured is the sandbox.
type bench struct {
	*world
	handler   http.Handler
	customers []string // tenant ids
	session   string   // refresh token of the Azure CLI
}

func manyCustomers(b testing.TB, scenario string, n int) *bench {
	cloud, err := sandbox.New(sandbox.Options{Scenario: scenario, Customers: n, Approve: sandbox.ApproveNow})
	if err != nil {
		b.Fatal(err)
	}
	w := &world{t: &testing.T{}, cloud: cloud, client: &http.Client{Transport: cloud.Transport()}}
	out := &bench{world: w, handler: cloud.Handler(), customers: cloud.CustomerIDs()}
	out.session = w.signIn(azureCLI, "openid offline_access https://graph.microsoft.com/.default")["refresh_token"].(string)
	return out
}

// at gets a token for a customer's tenant.
func (b *bench) at(customer string) string {
	r := b.form(customer, "token", "grant_type", "refresh_token", "client_id", azureCLI, "refresh_token", b.session, "scope", "https://graph.microsoft.com/.default")
	token, _ := r.body["access_token"].(string)
	if token == "" {
		panic(r.raw)
	}
	return token
}

type quiet struct {
	header http.Header
	status int
	size   int
	keep   *strings.Builder
}

func (q *quiet) Header() http.Header    { return q.header }
func (q *quiet) WriteHeader(status int) { q.status = status }
func (q *quiet) Write(p []byte) (int, error) {
	q.size += len(p)
	if q.keep != nil {
		q.keep.Write(p)
	}
	return len(p), nil
}

// ask sends a request past everything but the sandbox.
func (b *bench) ask(method, path, token, body string) (status, size int) {
	req := httptest.NewRequest(method, "https://graph.microsoft.com/v1.0"+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	w := &quiet{header: http.Header{}}
	b.handler.ServeHTTP(w, req)
	return w.status, w.size
}

// batchOf is the body of a $batch.
func batchOf(items []item) string {
	list := []item{}
	for i, it := range items {
		it["id"] = fmt.Sprint(i + 1)
		if it["body"] != nil {
			it["headers"] = fields{"Content-Type": "application/json"}
		}
		list = append(list, it)
	}
	text, err := json.Marshal(fields{"requests": list})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (b *bench) lookup(token, path string) string {
	w := &quiet{header: http.Header{}, keep: &strings.Builder{}}
	req := httptest.NewRequest("GET", "https://graph.microsoft.com/v1.0"+path, nil)
	req.Header.Set("Authorization", "Bearer "+token)
	b.handler.ServeHTTP(w, req)
	var out struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(w.keep.String()), &out); err != nil || out.ID == "" {
		panic(w.keep.String())
	}
	return out.ID
}

// BenchmarkCustomerWrites gives the app twenty application permissions in a batch.
func BenchmarkCustomerWrites(b *testing.B) {
	m := manyCustomers(b, "customers-ready", 2000)
	var roles []string
	for _, p := range catalog.Permissions() {
		if p.Resource == catalog.GraphAppID && p.Kind == catalog.Application {
			roles = append(roles, p.ID)
		}
	}
	next, token, bodies := 0, "", []string{}
	for b.Loop() {
		b.StopTimer()
		if len(bodies) == 0 {
			customer := m.customers[next%len(m.customers)]
			next++
			m.cloud.PutApp(customer)
			token = m.at(customer)
			client := m.lookup(token, "/servicePrincipals(appId='"+m.cloud.OwnedApp()+"')?$select=id")
			graph := m.lookup(token, "/servicePrincipals(appId='"+catalog.GraphAppID+"')?$select=id")
			for i := 0; i+20 <= len(roles); i += 20 {
				var items []item
				for _, role := range roles[i : i+20] {
					items = append(items, item{"method": "POST", "url": "/servicePrincipals/" + graph + "/appRoleAssignedTo", "body": fields{"principalId": client, "resourceId": graph, "appRoleId": role}})
				}
				bodies = append(bodies, batchOf(items))
			}
		}
		body := bodies[0]
		bodies = bodies[1:]
		b.StartTimer()
		if status, size := m.ask("POST", "/$batch", token, body); status != 200 || size < 20*300 {
			b.Fatal(status, size)
		}
	}
	b.ReportMetric(20*float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

// BenchmarkCustomerReads is a batch of twenty reads of a customer who has
// everything.
func BenchmarkCustomerReads(b *testing.B) {
	m := manyCustomers(b, "customers-consented", 3)
	token := m.at(m.customers[0])
	app := "/servicePrincipals(appId='" + m.cloud.OwnedApp() + "')"
	id := m.lookup(token, app+"?$select=id")
	var items []item
	for range 4 {
		for _, url := range []string{
			app + "?$select=id,appId,displayName", "/servicePrincipals/" + id + "/oauth2PermissionGrants", "/organization?$select=id,displayName", "/users?$top=1&$select=id",
			"/servicePrincipals?$filter=appId eq '" + catalog.ExchangeAppID + "'&$select=id,appId,displayName",
		} {
			items = append(items, item{"method": "GET", "url": strings.ReplaceAll(url, " ", "%20")})
		}
	}
	body := batchOf(items)
	for b.Loop() {
		if status, size := m.ask("POST", "/$batch", token, body); status != 200 || size < 20*100 {
			b.Fatal(status, size)
		}
	}
	b.ReportMetric(20*float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}

// BenchmarkCustomerLong reads what is long: all application permissions that were
// given, and an API with everything it publishes.
func BenchmarkCustomerLong(b *testing.B) {
	m := manyCustomers(b, "customers-consented", 3)
	token := m.at(m.customers[0])
	id := m.lookup(token, "/servicePrincipals(appId='"+m.cloud.OwnedApp()+"')?$select=id")
	for name, path := range map[string]string{
		"assignments": "/servicePrincipals/" + id + "/appRoleAssignments?$top=999",
		"api":         "/servicePrincipals(appId='" + catalog.GraphAppID + "')?$select=id,appRoles,oauth2PermissionScopes",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if status, size := m.ask("GET", path, token, ""); status != 200 || size < 10_000 {
					b.Fatal(status, size)
				}
			}
		})
	}
}

// BenchmarkCustomerToken gets a token for a customer's tenant.
func BenchmarkCustomerToken(b *testing.B) {
	m := manyCustomers(b, "customers-ready", 1000)
	i := 0
	for b.Loop() {
		m.at(m.customers[i%len(m.customers)])
		i++
	}
}

// BenchmarkCustomerDigest describes a thousand customers who have consented to
// everything, and says what memory they take.
func BenchmarkCustomerDigest(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := manyCustomers(b, "customers-consented", 1000)
	for b.Loop() {
		if n := len(m.cloud.Digest().Tenants); n != 1001 {
			b.Fatal(n)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB")
	runtime.KeepAlive(m)
}

// BenchmarkCustomerWorld is how long the largest world takes to be there.
func BenchmarkCustomerWorld(b *testing.B) {
	for b.Loop() {
		if _, err := sandbox.New(sandbox.Options{Scenario: "customers-mixed", Customers: sandbox.MaxCustomers}); err != nil {
			b.Fatal(err)
		}
	}
}
