package sandbox_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

const (
	appAdmin     = catalog.RoleApplicationAdministrator
	userAdmin    = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	notPermitted = "The user (principal) does not have the required permissions to perform the specified action on the resource."
)

func roles(ids ...string) fields {
	list := []fields{}
	for _, id := range ids {
		list = append(list, fields{"roleDefinitionId": id})
	}
	return fields{"unifiedRoles": list}
}

func mapped(group string, ids ...string) fields {
	return fields{"accessContainer": fields{"accessContainerId": group, "accessContainerType": "securityGroup"}, "accessDetails": roles(ids...)}
}

// customer is the tenant of one of the partner's customers, by name.
func (w *world) customer(name string) string {
	w.t.Helper()
	return w.do("GET", "/contracts?$filter=displayName eq '"+name+"'", nil).want(200).values()[0]["customerId"].(string)
}

func relation(name, customer string, changes fields) fields {
	r := fields{"displayName": name, "duration": "P730D", "accessDetails": roles(exchangeAdmin, appAdmin)}
	if customer != "" {
		r["customer"] = fields{"tenantId": customer}
	}
	maps.Copy(r, changes)
	return r
}

func (w *world) related(name, customer string, changes fields) string {
	w.t.Helper()
	return w.do("POST", relationships, relation(name, customer, changes)).want(201).id()
}

// locked is a relationship that waits for its customer, active one that does not
// any more.
func (w *world) locked(name, customer string, changes fields) string {
	w.t.Helper()
	id := w.related(name, customer, changes)
	w.act(id, "lockForApproval").want(201)
	return id
}

func (w *world) active(name, customer string, changes fields) string {
	w.t.Helper()
	id := w.locked(name, customer, changes)
	if err := w.cloud.ApproveRelationship(id); err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) act(id, action string, headers ...string) reply {
	w.t.Helper()
	return w.do("POST", relationships+"/"+id+"/requests", fields{"action": action}, headers...)
}

func (w *world) stateOf(path string) string {
	w.t.Helper()
	s, _ := w.do("GET", path, nil).want(200).body["status"].(string)
	return s
}

func (w *world) inState(id, want string) {
	w.t.Helper()
	if got := w.stateOf(relationships + "/" + id); got != want {
		w.t.Errorf("relationship is %s, want %s", got, want)
	}
}

func (w *world) tag(path string) string {
	w.t.Helper()
	return w.do("GET", path, nil).want(200).body["@odata.etag"].(string)
}

func TestCreateRelationship(t *testing.T) {
	w := delegating(t, sandbox.Options{})
	fabrikam := w.customer("Fabrikam")
	made := w.do("POST", relationships, relation("ABC-GDAP", fabrikam, fields{"autoExtendDuration": "P180D"})).want(201)
	for name, want := range map[string]any{
		"status": "created", "displayName": "ABC-GDAP", "duration": "P730D", "autoExtendDuration": "P180D", "activatedDateTime": nil, "endDateTime": nil,
	} {
		if made.body[name] != want {
			t.Errorf("%s: %v, want %v", name, made.body[name], want)
		}
	}
	if c := made.body["customer"].(fields); c["tenantId"] != fabrikam || c["displayName"] != "Fabrikam" {
		t.Errorf("customer: %v", c)
	}
	if tag, _ := made.body["@odata.etag"].(string); !strings.HasPrefix(tag, `W/"`) || len(made.id()) != 73 || !strings.HasSuffix(made.header.Get("Location"), made.id()) {
		t.Errorf("made: %s", made.raw)
	}
	for _, bad := range []struct {
		changes fields
		text    string
	}{
		{fields{"displayName": strings.Repeat("x", 51)}, "longer than 50"},
		{fields{"displayName": " "}, "cannot be empty"},
		{fields{"displayName": nil}, "displayName"},
		{fields{"duration": "P731D"}, "between P1D and P730D"},
		{fields{"duration": "P0D"}, "between P1D"},
		{fields{"duration": "P2Y"}, "duration"},
		{fields{"duration": "2 years"}, "duration"},
		{fields{"duration": "PT24H"}, "between P1D"},
		{fields{"autoExtendDuration": "P90D"}, "autoExtendDuration"},
		{fields{"autoExtendDuration": "P180D", "accessDetails": roles(catalog.RoleGlobalAdministrator, appAdmin)}, "Global Administrator"},
		{fields{"accessDetails": roles()}, "At least one unified role"},
		{fields{"accessDetails": nil}, "accessDetails"},
		{fields{"accessDetails": roles(unknownID)}, unknownID},
		{fields{"accessDetails": roles("nonsense")}, "nonsense"},
		{fields{"customer": fields{"tenantId": "nonsense"}}, "nonsense"},
		{fields{"status": "active"}, "status"},
		{fields{"nonsense": 1}, "nonsense"},
	} {
		w.do("POST", relationships, relation("x", "", bad.changes)).fails(400, "badRequest", bad.text)
	}
	// A name is taken by every relationship there is, whoever's it is.
	w.do("POST", relationships, relation("abc-gdap", w.customer("Northwind Traders"), nil)).fails(409, "conflict", "already exists")
	w.do("POST", relationships, relation("x", unknownID, nil)).fails(403, "accessDenied", notPermitted)
	w.do("POST", relationships, relation("x", w.cloud.Tenant().ID, nil)).fails(403, "accessDenied", notPermitted)
	w.related(strings.Repeat("ä", 50), "", fields{"duration": "P1D", "autoExtendDuration": "P0D"})
	open := w.do("GET", relationships+"?$filter=status eq 'created'&$select=customer,autoExtendDuration", nil).want(200).values()
	if len(open) != 2 || open[1]["customer"] != nil || open[1]["autoExtendDuration"] != "PT0S" || open[1]["@odata.etag"] == nil {
		t.Errorf("open: %v", open)
	}
	w.do("GET", relationships+"?$filter=displayName eq 'ABC-GDAP'", nil).fails(400, "badRequest", "filter")
	w.do("GET", relationships+"?$filter=status eq 'created' and customer/tenantId eq '"+fabrikam+"'", nil).fails(400, "badRequest", "filter")
	w.do("GET", relationships+"?$top=301", nil).fails(400, "badRequest", "300")
	w.do("GET", relationships+"/nonsense", nil).fails(400, "badRequest", "The passed in delegatedAdminRelationshipId is invalid.")
	w.do("GET", relationships+"/"+unknownID+"-"+unknownID, nil).fails(404, "notFound", "")

	// What was never locked can be changed and removed, by who has seen it.
	path := relationships + "/" + made.id()
	w.do("PATCH", path, fields{"displayName": "DEF"}).fails(428, "preconditionRequired", "If-Match")
	w.do("DELETE", path, nil).fails(428, "preconditionRequired", "If-Match")
	old := w.tag(path)
	changed := w.do("PATCH", path, fields{"displayName": "DEF", "duration": "P365D", "customer": fields{"tenantId": w.customer("Northwind Traders")}}, "If-Match", old).want(200)
	if changed.body["displayName"] != "DEF" || changed.body["duration"] != "P365D" || changed.body["@odata.etag"] == old {
		t.Errorf("changed: %s", changed.raw)
	}
	w.do("PATCH", path, fields{"displayName": "x"}, "If-Match", old).fails(412, "preconditionFailed", "ETag")
	w.do("DELETE", path, nil, "If-Match", old).fails(412, "preconditionFailed", "ETag")
	w.related("ABC-GDAP", fabrikam, nil) // the name is free again
	w.do("PATCH", path, fields{"displayName": "ABC-GDAP"}, "If-Match", "*").fails(409, "conflict", "already exists")
	w.do("PATCH", path, fields{"duration": "P800D"}, "If-Match", "*").fails(400, "badRequest", "P730D")
	w.do("PATCH", path, fields{}, "If-Match", "*").fails(400, "badRequest", "")
	w.do("DELETE", path, nil, "If-Match", w.tag(path)).want(204)
	w.do("GET", path, nil).fails(404, "notFound", "")
	w.related("DEF", "", nil)
}

func TestLifeOfARelationship(t *testing.T) {
	w := delegating(t, sandbox.Options{})
	fabrikam := w.customer("Fabrikam")
	id := w.related("A", fabrikam, nil)
	path := relationships + "/" + id
	w.act(id, "terminate").fails(400, "badRequest", "'created'")
	w.act(id, "approve").fails(400, "badRequest", "action")
	w.act(id, "lockForApproval", "If-Match", `W/"x"`).fails(412, "preconditionFailed", "")
	if err := w.cloud.ApproveRelationship(id); err == nil {
		t.Error("one that is not locked was approved")
	}
	asked := w.act(id, "lockForApproval").want(201)
	if asked.body["status"] != "created" || asked.body["action"] != "lockForApproval" {
		t.Errorf("request: %s", asked.raw)
	}
	if got := w.stateOf(path + "/requests/" + asked.id()); got != "succeeded" {
		t.Errorf("request: %s", got)
	}
	w.inState(id, "approvalPending")
	w.act(id, "lockForApproval").fails(400, "badRequest", "'approvalPending'")
	w.do("PATCH", path, fields{"displayName": "x"}, "If-Match", "*").fails(400, "badRequest", "'approvalPending'")
	w.do("DELETE", path, nil, "If-Match", "*").fails(400, "badRequest", "'approvalPending'")
	group := w.groupOf("Rewst GDAP-Exchange Administrator")
	w.do("POST", path+"/accessAssignments", mapped(group, exchangeAdmin)).fails(400, "badRequest", "'approvalPending'")
	w.control("approve", `{"relationship": "`+id+`"}`).want(200)
	w.control("approve", `{"relationship": "`+id+`"}`).want(400)
	w.control("approve", `{"relationship": "x", "all": true}`).want(400)
	w.inState(id, "active")
	got := w.do("GET", path, nil).want(200).body
	from, err1 := time.Parse(time.RFC3339, got["activatedDateTime"].(string))
	to, err2 := time.Parse(time.RFC3339, got["endDateTime"].(string))
	if err1 != nil || err2 != nil || to.Sub(from) != 730*24*time.Hour {
		t.Errorf("from %v to %v", got["activatedDateTime"], got["endDateTime"])
	}
	w.do("PATCH", path, fields{"displayName": "x"}, "If-Match", "*").fails(400, "badRequest", "'displayName'")
	w.do("PATCH", path, fields{"accessDetails": roles(appAdmin)}, "If-Match", "*").fails(400, "badRequest", "only Global Administrator")
	w.do("PATCH", path, fields{"autoExtendDuration": "P180D"}, "If-Match", w.tag(path)).want(200)

	// It is extended when its time is over, until it is not any more.
	w.cloud.Advance(731 * 24 * time.Hour)
	w.again()
	w.inState(id, "active")
	end, _ := time.Parse(time.RFC3339, w.do("GET", path, nil).want(200).body["endDateTime"].(string))
	if end.Sub(to) != 180*24*time.Hour {
		t.Errorf("extended by %v", end.Sub(to))
	}
	w.do("PATCH", path, fields{"autoExtendDuration": "PT0S"}, "If-Match", w.tag(path)).want(200)
	w.cloud.Advance(180 * 24 * time.Hour)
	w.again()
	w.inState(id, "expired")
	w.act(id, "terminate").fails(400, "badRequest", "'expired'")
	w.do("POST", relationships, relation("A", fabrikam, nil)).fails(409, "conflict", "") // the name stays taken

	// Nobody answers; somebody ends it; everybody answers.
	lapses, ends := w.locked("B", fabrikam, nil), w.active("C", fabrikam, nil)
	w.act(ends, "terminate").want(201)
	w.inState(ends, "terminated")
	w.act(ends, "terminate").fails(400, "badRequest", "'terminated'")
	w.cloud.Advance(89 * 24 * time.Hour)
	w.again()
	w.inState(lapses, "approvalPending")
	w.cloud.Advance(24 * time.Hour)
	w.again()
	w.inState(lapses, "expired")
	first, second, open := w.locked("D", fabrikam, nil), w.locked("E", fabrikam, nil), w.locked("F", "", nil)
	if r := w.control("approve", `{"all": true}`).want(200); r.body["approved"] != 2.0 {
		t.Errorf("all: %s", r.raw)
	}
	w.inState(first, "active")
	w.inState(second, "active")
	w.inState(open, "approvalPending")
	if err := w.cloud.ApproveRelationship(open); err == nil {
		t.Error("one for nobody in particular was approved by nobody in particular")
	}
}

// Global Administrator can be taken out of an active relationship, and then it can
// be extended.
func TestGlobalAdministratorLeaves(t *testing.T) {
	w := delegating(t, sandbox.Options{})
	id := w.active("A", w.customer("Fabrikam"), fields{"accessDetails": roles(catalog.RoleGlobalAdministrator, appAdmin)})
	path := relationships + "/" + id
	w.do("PATCH", path, fields{"autoExtendDuration": "P180D"}, "If-Match", "*").fails(400, "badRequest", "Global Administrator")
	r := w.do("PATCH", path, fields{"accessDetails": roles(appAdmin)}, "If-Match", w.tag(path)).want(202)
	where := strings.TrimPrefix(r.header.Get("Location"), "https://graph.microsoft.com/v1.0")
	if op := w.do("GET", where, nil).want(200).body; r.header.Get("Retry-After") != "10" || op["operationType"] != "delegatedAdminRelationshipUpdate" || op["status"] != "succeeded" {
		t.Errorf("operation: %v, %v", r.header, op)
	}
	w.do("PATCH", path, fields{"autoExtendDuration": "P180D"}, "If-Match", w.tag(path)).want(200)
}

func TestAccessAssignments(t *testing.T) {
	w := delegating(t, sandbox.Options{})
	id := w.active("A", w.customer("Fabrikam"), nil)
	list := relationships + "/" + id + "/accessAssignments"
	group, other := w.groupOf("Rewst GDAP-Exchange Administrator"), w.groupOf("Rewst GDAP-Application Administrator")
	office := w.do("POST", "/groups", fields{"displayName": "Team", "mailEnabled": true, "mailNickname": "team", "securityEnabled": false, "groupTypes": []string{"Unified"}}).want(201).id()
	for _, bad := range []struct {
		body fields
		text string
	}{
		{mapped(unknownID, exchangeAdmin), "access container does not exist"},
		{mapped("nonsense", exchangeAdmin), "invalid"},
		{mapped(office, exchangeAdmin), "not a security group"},
		{mapped(group), "At least one unified role"},
		{mapped(group, userAdmin), "not part of the access details"},
		{fields{"accessContainer": fields{"accessContainerId": group, "accessContainerType": "user"}, "accessDetails": roles(exchangeAdmin)}, "accessContainerType"},
		{fields{"accessDetails": roles(exchangeAdmin)}, "accessContainer"},
	} {
		w.do("POST", list, bad.body).fails(400, "badRequest", bad.text)
	}
	made := w.do("POST", list, mapped(group, exchangeAdmin)).want(201)
	if made.body["status"] != "pending" || made.body["@odata.etag"] == nil {
		t.Errorf("made: %s", made.raw)
	}
	one := list + "/" + made.id()
	if got := w.stateOf(one); got != "active" {
		t.Errorf("then it is %s", got)
	}
	w.do("POST", list, mapped(group, appAdmin)).fails(409, "conflict", "already exists")
	w.do("PATCH", one, fields{"accessDetails": roles(appAdmin)}).fails(428, "preconditionRequired", "")
	w.do("PATCH", one, fields{"accessDetails": roles(appAdmin)}, "If-Match", made.body["@odata.etag"].(string)).fails(412, "preconditionFailed", "")
	w.do("PATCH", one, fields{"accessDetails": roles(userAdmin)}, "If-Match", "*").fails(400, "badRequest", "not part of")
	w.do("PATCH", one, fields{"accessDetails": roles(exchangeAdmin)}, "If-Match", w.tag(one)).want(200)
	r := w.do("PATCH", one, fields{"accessDetails": roles(exchangeAdmin, appAdmin)}, "If-Match", w.tag(one)).want(202)
	op := w.do("GET", strings.TrimPrefix(r.header.Get("Location"), "https://graph.microsoft.com/v1.0"), nil).want(200).body
	if op["operationType"] != "delegatedAdminAccessAssignmentUpdate" || op["status"] != "succeeded" || !strings.Contains(op["data"].(string), group) {
		t.Errorf("operation: %v", op)
	}
	if got := w.do("GET", one, nil).want(200).body["accessDetails"].(fields)["unifiedRoles"].([]any); len(got) != 2 {
		t.Errorf("roles: %v", got)
	}
	w.do("DELETE", one, nil).fails(428, "preconditionRequired", "")
	w.do("DELETE", one, nil, "If-Match", w.tag(one)).want(204)
	if got := w.do("GET", list+"?$filter=status eq 'deleted'", nil).want(200).values(); len(got) != 1 || got[0]["status"] != "deleted" {
		t.Errorf("what was deleted: %v", got)
	}
	w.do("DELETE", one, nil, "If-Match", "*").fails(400, "badRequest", "'deleted'")
	w.do("PATCH", one, fields{"accessDetails": roles(appAdmin)}, "If-Match", "*").fails(400, "badRequest", "'deleted'")
	again := w.do("POST", list, mapped(group, exchangeAdmin)).want(201).id()
	w.do("POST", list, mapped(other, appAdmin)).want(201)
	w.do("GET", list+"/"+unknownID, nil).fails(404, "notFound", "")
	w.do("GET", relationships+"/"+w.related("B", "", nil)+"/accessAssignments/"+again, nil).fails(404, "notFound", "")

	// A group that is gone takes its mapping with it, whatever comes after it.
	w.do("DELETE", "/groups/"+group, nil).want(204)
	if got := w.stateOf(list + "/" + again); got != "error" {
		t.Errorf("without its group it is %s", got)
	}
	w.do("POST", list, mapped(group, exchangeAdmin)).fails(400, "badRequest", "access container does not exist")
	w.do("POST", list, mapped(w.groupOf("Rewst GDAP-Exchange Administrator"), exchangeAdmin)).want(201)
	d := w.cloud.Digest().Tenants["Contoso"].Relationships
	want := []sandbox.AssignmentDigest{
		{Group: "", Roles: []string{"Exchange Administrator"}, Status: "error"},
		{Group: "Rewst GDAP-Application Administrator", Roles: []string{"Application Administrator"}, Status: "active"},
		{Group: "Rewst GDAP-Exchange Administrator", Roles: []string{"Exchange Administrator"}, Status: "active"},
	}
	if len(d) != 2 || d[0].Name != "A" || d[0].Customer != "Fabrikam" || d[0].Status != "active" || d[0].AutoExtend || d[0].Duration != "P730D" ||
		!slices.Equal(d[0].Roles, []string{"Application Administrator", "Exchange Administrator"}) || !slices.EqualFunc(d[0].Assignments, want, sameAssignment) {
		t.Errorf("digest: %+v", d)
	}
	w.act(id, "terminate").want(201)
	w.do("POST", list, mapped(other, exchangeAdmin)).fails(400, "badRequest", "'terminated'")
}

func sameAssignment(a, b sandbox.AssignmentDigest) bool {
	return a.Group == b.Group && a.Status == b.Status && slices.Equal(a.Roles, b.Roles)
}

func TestWhoMayDelegate(t *testing.T) {
	paths := []string{relationships, delegated, relationships + "/" + unknownID + "-" + unknownID + "/accessAssignments"}
	refused := func(name string, w *world, status int, code, text string) {
		t.Helper()
		for _, path := range paths {
			if r := w.do("GET", path, nil); r.status != status || !strings.Contains(r.raw, code) || !strings.Contains(r.raw, text) {
				t.Errorf("%s, %s: %d %s", name, path, r.status, r.raw)
			}
		}
		if r := w.do("POST", relationships, relation("x", "", nil)); r.status != status || !strings.Contains(r.raw, text) {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
	w := delegating(t, sandbox.Options{})
	w.token = w.signIn(azureCLI, "https://graph.microsoft.com/.default openid")["access_token"].(string)
	refused("without the permission", w, 403, "accessDenied", notPermitted)
	w.token = w.signInAs("megan@contoso.onmicrosoft.com", gct, gdapScopes)
	refused("no agent", w, 403, "accessDenied", notPermitted)
	refused("not in AdminAgents", delegating(t, sandbox.Options{Scenario: "not-admin-agent"}), 403, "accessDenied", notPermitted)
	refused("no partner", delegating(t, sandbox.Options{Scenario: "single-tenant"}), 403, "accessDenied", notPermitted)
	refused("no second factor", delegating(t, sandbox.Options{Scenario: "no-mfa"}), 401, "unauthenticated", "Authentication failed. MFA required")
	w = start(t, sandbox.Options{Approve: sandbox.ApproveNow})
	w.token = w.signIn(gct, "openid DelegatedAdminRelationship.Read.All")["access_token"].(string)
	w.do("GET", relationships, nil).want(200)
	w.do("POST", relationships, relation("x", "", nil)).fails(403, "accessDenied", notPermitted)
}

// An app with the permission may do it by itself, but maps groups only where a
// certain app of Microsoft's is there.
func TestAppsDelegate(t *testing.T) {
	w := delegating(t, sandbox.Options{Scenario: "reader-app"})
	path := relationships + "/" + w.active("A", w.customer("Fabrikam"), nil) + "/accessAssignments"
	group := w.groupOf("x")
	w.cloud.Consent("AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All")
	w.again()
	id, secret := w.cloud.AppCredentials()
	app := w.do("GET", "/servicePrincipals(appId='"+id+"')", nil).want(200).id()
	w.do("POST", "/servicePrincipals/"+app+"/appRoleAssignments", fields{
		"principalId": app, "resourceId": w.principal(catalog.GraphAppID), "appRoleId": "cc13eba4-8cd8-44c6-b4d4-f93237adce58",
	}).want(201)
	person := w.token
	w.token = w.form(w.cloud.Tenant().ID, "token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret, "scope", "https://graph.microsoft.com/.default").
		want(200).body["access_token"].(string)
	w.do("GET", relationships, nil).want(200)
	w.do("POST", path, mapped(group, appAdmin)).fails(500, "unexpectedError", "An unexpected error occurred in the server.")
	by := w.token
	w.token = person
	w.do("POST", "/servicePrincipals", fields{"appId": "2832473f-ec63-45fb-976f-5d45a7d4bb91"}).want(201)
	w.token = by
	w.do("POST", path, mapped(group, appAdmin)).want(201)
}

// The US Government's clouds and China's have no such thing.
func TestOtherCloudsHaveNoGDAP(t *testing.T) {
	for _, cloud := range catalog.Clouds() {
		w := start(t, sandbox.Options{Approve: sandbox.ApproveNow})
		w.cloud.Consent(strings.Fields(gdapScopes)...)
		form := func(endpoint string, pairs ...string) reply {
			r := w.form(w.cloud.Tenant().ID, endpoint)
			req := w.request("POST", strings.Replace(strings.TrimPrefix(r.what, "POST "), "login.microsoftonline.com", cloud.Login, 1), encoded(pairs...), "Content-Type", "application/x-www-form-urlencoded")
			return w.send(req)
		}
		code := form("devicecode", "client_id", gct, "scope", "openid https://"+cloud.Graph+"/.default").want(200).body["device_code"].(string)
		w.token = form("token", "grant_type", "device_code", "client_id", gct, "device_code", code).want(200).body["access_token"].(string)
		r := w.do("GET", "https://"+cloud.Graph+"/v1.0"+relationships, nil)
		if cloud.ID == "global" {
			r.want(200)
		} else {
			r.fails(400, "BadRequest", "Resource not found for the segment 'delegatedAdminRelationships'.")
		}
	}
}
