package sandbox_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// control posts to the sandbox's own address space.
func (w *world) control(name, body string) reply {
	w.t.Helper()
	return w.send(w.request("POST", "https://graph.microsoft.com/_sandbox/"+name, body))
}

// again signs in once more: the token may have expired.
func (w *world) again() {
	w.t.Helper()
	w.token = w.signIn(gct, gdapScopes)["access_token"].(string)
}

func encoded(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// A person of the partner gets into a customer's tenant by a relationship, a
// mapping and a group, and with the roles of that way only.
func TestDelegatedToken(t *testing.T) {
	w := delegating(t, sandbox.Options{})
	fabrikam, other := w.customer("Fabrikam"), w.customer("Northwind Traders")
	session := w.signIn(azureCLI, "openid offline_access https://graph.microsoft.com/.default")["refresh_token"].(string)
	redeem := func(where string) reply {
		return w.form(where, "token", "grant_type", "refresh_token", "client_id", azureCLI, "refresh_token", session, "scope", "https://graph.microsoft.com/.default")
	}
	partner := w.token
	as := func(token string, do func()) {
		w.token = token
		do()
		w.token = partner
	}
	redeem(fabrikam).aadsts("invalid_grant", 50020)
	id := w.locked("A", fabrikam, nil)
	redeem(fabrikam).aadsts("invalid_grant", 50020)
	if err := w.cloud.ApproveRelationship(id); err != nil {
		t.Fatal(err)
	}
	redeem(fabrikam).aadsts("invalid_grant", 50020) // nothing is mapped
	group := w.groupOf("Rewst GDAP-Application Administrator")
	list := relationships + "/" + id + "/accessAssignments"
	one := list + "/" + w.do("POST", list, mapped(group, appAdmin)).want(201).id()
	redeem(fabrikam).aadsts("invalid_grant", 50020) // nobody is in the group
	me := w.do("GET", "/me", nil).want(200).id()
	w.do("POST", "/groups/"+group+"/members/$ref", member(me)).want(204)
	token := redeem(fabrikam).want(200).body["access_token"].(string)
	c := claims(t, token)
	if c["tid"] != fabrikam || c["oid"] != me || c["idp"] != "https://sts.windows.net/"+w.cloud.Tenant().ID+"/" || !slices.Equal(texts(c["wids"]), []string{appAdmin}) {
		t.Errorf("claims: %v", c)
	}
	redeem(other).aadsts("invalid_grant", 50020)
	as(token, func() {
		w.do("POST", "/applications", fields{"displayName": "made at the customer's"}).want(201)
		w.do("POST", "/users", account(fields{"userPrincipalName": "x@fabrikam.onmicrosoft.com"})).fails(403, "Authorization_RequestDenied", "")
		w.do("GET", "/me", nil).fails(404, "Request_ResourceNotFound", "")
		w.do("GET", relationships, nil).fails(403, "accessDenied", "")
	})
	if apps := w.cloud.Digest().Tenants["Fabrikam"].Applications; len(apps) != 1 {
		t.Errorf("at the customer's: %v", apps)
	}
	// At home nothing has changed.
	if home := claims(t, redeem(w.cloud.Tenant().ID).want(200).body["access_token"]); home["idp"] != nil || !slices.Contains(texts(home["wids"]), catalog.RoleGlobalAdministrator) {
		t.Errorf("at home: %v", home)
	}
	// An app needs the customer's consent, too.
	own := w.signIn(gct, "openid offline_access https://graph.microsoft.com/.default")["refresh_token"].(string)
	w.form(fabrikam, "token", "grant_type", "refresh_token", "client_id", gct, "refresh_token", own, "scope", "Directory.Read.All").aadsts("invalid_grant", 65001)

	const closed = "Unable to initialize the authorization context"
	w.do("DELETE", one, nil, "If-Match", w.tag(one)).want(204)
	as(token, func() { w.do("GET", "/applications", nil).fails(400, "Request_BadRequest", closed) })
	redeem(fabrikam).aadsts("invalid_grant", 50020)
	w.do("POST", list, mapped(group, appAdmin)).want(201)
	redeem(fabrikam).want(200)
	as(token, func() { w.do("GET", "/applications", nil).want(200) })
	w.act(id, "terminate").want(201)
	as(token, func() { w.do("GET", "/applications", nil).fails(400, "Request_BadRequest", closed) })
	redeem(fabrikam).aadsts("invalid_grant", 50020)
}

// Another administrator was there in between.
func TestRelationshipsEdited(t *testing.T) {
	w := delegating(t, sandbox.Options{})
	id := w.active("A", w.customer("Fabrikam"), nil)
	path := relationships + "/" + id
	one := path + "/accessAssignments/" + w.do("POST", path+"/accessAssignments", mapped(w.groupOf("x"), appAdmin)).want(201).id()
	for _, c := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"PATCH", path, fields{"autoExtendDuration": "P180D"}, 200},
		{"PATCH", one, fields{"accessDetails": roles(exchangeAdmin)}, 202},
		{"DELETE", one, nil, 204},
	} {
		tag := w.tag(c.path)
		w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Method: c.method}, Nth: 1, Do: "gdap-edited"}})
		w.do(c.method, c.path, c.body, "If-Match", tag).fails(412, "preconditionFailed", "")
		w.do(c.method, c.path, c.body, "If-Match", w.tag(c.path)).want(c.status)
	}
}

const invitations = "https://admin.microsoft.com/AdminPortal/Home"

func TestInvitationPage(t *testing.T) {
	w := delegating(t, sandbox.Options{})
	answer := func(id, account, answer string) reply {
		form := encoded("link", "https://admin.microsoft.com/AdminPortal/Home#/partners/invitation/granularAdminRelationships/"+id, "account", account, "answer", answer)
		return w.send(w.request("POST", invitations, form, "Content-Type", "application/x-www-form-urlencoded"))
	}
	fabrikam := w.customer("Fabrikam")
	id, open, no := w.locked("A <b>", fabrikam, nil), w.locked("B", "", nil), w.locked("C", fabrikam, nil)
	fresh := w.related("D", fabrikam, nil)
	w.send(w.request("GET", invitations, nil)).shows("/partners/invitation/granularAdminRelationships/" + id)
	page := w.send(w.request("GET", invitations+"/partners/invitation/granularAdminRelationships/"+id, nil))
	for _, text := range []string{"A &lt;b&gt;", "Contoso", "730 days", "<li>Exchange Administrator</li>", `value="admin@fabrikam.onmicrosoft.com"`, "Approve"} {
		page.shows(text)
	}
	answer(id, w.cloud.Tenant().Admin, "approve").shows("belongs to the partner")
	answer(id, "admin@northwindtraders.onmicrosoft.com", "approve").shows("for another organization")
	answer(id, "nobody@fabrikam.onmicrosoft.com", "approve").shows("does not exist")
	w.cloud.AddCustomerUser("Fabrikam", "lee")
	answer(id, "lee@fabrikam.onmicrosoft.com", "approve").shows("Ask a Global Administrator")
	w.inState(id, "approvalPending")
	answer(id, "admin@fabrikam.onmicrosoft.com", "approve").shows("You approved the roles")
	w.inState(id, "active")
	answer(id, "admin@fabrikam.onmicrosoft.com", "approve").shows("was answered before")
	answer(fresh, "admin@fabrikam.onmicrosoft.com", "approve").shows("is not there")
	answer(no, "admin@fabrikam.onmicrosoft.com", "decline").shows("You declined")
	w.inState(no, "terminated")
	// One for nobody in particular becomes that of who opens it.
	answer(open, "admin@northwindtraders.onmicrosoft.com", "approve").shows("You approved the roles")
	if got := w.do("GET", relationships+"/"+open, nil).want(200).body; got["status"] != "active" || got["customer"].(fields)["displayName"] != "Northwind Traders" {
		t.Errorf("open: %v", got)
	}
	w.do("GET", delegated+"/"+w.customer("Northwind Traders"), nil).want(200)
	if r := w.send(w.request("GET", invitations+"/elsewhere", nil)); r.status != 404 {
		t.Errorf("elsewhere: %d", r.status)
	}
	w.send(w.request("PUT", invitations, "x")).want(405)
}

// The page is where the sandbox's sign-in page is, for people without a proxy.
func TestInvitationOnLoopback(t *testing.T) {
	w := delegating(t, sandbox.Options{})
	id := w.locked("A", w.customer("Fabrikam"), nil)
	at, stop, err := w.cloud.ServePages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	page := sandbox.OnPages(at, "https://admin.microsoft.com/AdminPortal/Home#/partners/invitation/granularAdminRelationships/"+id)
	for address, says := range map[string]string{
		strings.TrimSuffix(at, "devicelogin"): `href="/AdminPortal/Home"`, sandbox.CustomersPage(at): id, page: "Approve",
	} {
		r, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if r.StatusCode != http.StatusOK || !strings.Contains(string(text), says) {
			t.Errorf("%s: %d, without %q:\n%s", address, r.StatusCode, says, text)
		}
	}
	resp, err := http.Post(page, "application/x-www-form-urlencoded", strings.NewReader(encoded("link", id, "account", "admin@fabrikam.onmicrosoft.com", "answer", "approve")))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	w.inState(id, "active")
}

// What takes time takes it: states follow each other, and replicas disagree.
func TestSlowDelegation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := delegating(t, sandbox.Options{Delays: sandbox.DelaysRealistic})
		fabrikam := w.customer("Fabrikam")
		id := w.related("A", fabrikam, nil)
		time.Sleep(30 * time.Second)
		w.act(id, "lockForApproval").want(201)
		w.act(id, "lockForApproval").fails(400, "badRequest", "")
		seen := map[string]bool{}
		watch := func(path, last string) {
			for range 600 {
				if s := w.do("GET", path, nil).body["status"]; s != nil {
					seen[s.(string)] = true
					if s == last {
						return
					}
				}
				time.Sleep(time.Second)
			}
			t.Errorf("%s never became %s: %v", path, last, seen)
		}
		watch(relationships+"/"+id, "approvalPending")
		if err := w.cloud.ApproveRelationship(id); err != nil {
			t.Fatal(err)
		}
		watch(relationships+"/"+id, "active")
		group := w.groupOf("x")
		time.Sleep(30 * time.Second)
		list := relationships + "/" + id + "/accessAssignments"
		one := list + "/" + w.do("POST", list, mapped(group, appAdmin)).want(201).id()
		watch(one, "active")
		time.Sleep(30 * time.Second)
		r := w.do("PATCH", one, fields{"accessDetails": roles(exchangeAdmin)}, "If-Match", w.tag(one)).want(202)
		watch(strings.TrimPrefix(r.header.Get("Location"), "https://graph.microsoft.com/v1.0"), "succeeded")
		time.Sleep(30 * time.Second)
		w.do("DELETE", one, nil, "If-Match", w.tag(one)).want(204)
		watch(one, "deleted")
		w.act(id, "terminate").want(201)
		watch(relationships+"/"+id, "terminated")
		for _, s := range []string{
			"created", "approvalPending", "approved", "activating", "active", "pending", "notStarted", "running", "succeeded", "deleting", "deleted",
			"terminationRequested", "terminating", "terminated",
		} {
			if !seen[s] {
				t.Errorf("%s was never seen", s)
			}
		}
	})
}

// Customers answer by themselves within ten days, all of them, and each time the
// same.
func TestApprovalsArrive(t *testing.T) {
	w := delegating(t, sandbox.Options{Scenario: "approvals-arrive"})
	contracts, _ := w.every("/contracts")
	if len(contracts) != 40 {
		t.Fatalf("%d customers", len(contracts))
	}
	for _, c := range contracts {
		w.locked("Rewst "+c["displayName"].(string), c["customerId"].(string), nil)
	}
	before := -1
	for range 10 {
		w.cloud.Advance(24 * time.Hour)
		w.again()
		there, _ := w.every(relationships + "?$filter=status eq 'active'")
		if len(there) < before {
			t.Errorf("%d after %d", len(there), before)
		}
		if before == -1 && (len(there) == 0 || len(there) > 20) {
			t.Errorf("%d on the first day", len(there))
		}
		before = len(there)
	}
	if before != 40 {
		t.Errorf("%d are active", before)
	}
}

func TestMixedRelationships(t *testing.T) {
	w := delegating(t, sandbox.Options{Scenario: "gdap-mixed"})
	all, _ := w.every(relationships)
	states, customers := map[string]int{}, map[any]int{}
	ending := 0
	for _, r := range all {
		states[r["status"].(string)]++
		customers[r["customer"].(fields)["tenantId"]]++
		if end, err := time.Parse(time.RFC3339, str(r["endDateTime"])); err == nil && r["status"] == "active" && time.Until(end) < 30*24*time.Hour && time.Until(end) > 0 {
			ending++
		}
	}
	two := 0
	for _, n := range customers {
		if n == 2 {
			two++
		}
	}
	if states["active"] != 30 || states["approvalPending"] != 5 || states["terminated"] != 5 || len(customers) != 35 || two != 5 || ending != 5 {
		t.Errorf("states %v, %d customers, %d with two, %d ending", states, len(customers), two, ending)
	}
	counts := map[[2]int]int{}
	migrated := 0
	for _, d := range w.cloud.Digest().Tenants["Contoso"].Relationships {
		counts[[2]int{len(d.Roles), len(d.Assignments)}]++
		if strings.HasPrefix(d.Name, "MLT_") && len(d.Roles) == 8 && len(d.Name) <= 50 {
			migrated++
		}
	}
	if migrated != 5 || counts[[2]int{12, 12}] != 15 || counts[[2]int{8, 8}] != 5 || counts[[2]int{8, 0}] != 5 || counts[[2]int{12, 0}] != 10 {
		t.Errorf("%d of Microsoft's, roles and assignments %v", migrated, counts)
	}
	// They go on like those that are made here.
	w.cloud.Advance(86 * 24 * time.Hour)
	w.again()
	for state, want := range map[string]int{"expired": 15, "active": 20} {
		if got, _ := w.every(relationships + "?$filter=status eq '" + state + "'"); len(got) != want {
			t.Errorf("three months later %d are %s, want %d", len(got), state, want)
		}
	}
}

func str(v any) string {
	s, _ := v.(string)
	return s
}
