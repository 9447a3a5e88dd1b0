package conform_test

import (
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// gdapScopes are what groups, customers and relationships take.
const gdapScopes = "openid Group.ReadWrite.All GroupMember.ReadWrite.All RoleManagement.ReadWrite.Directory Directory.Read.All DelegatedAdminRelationship.ReadWrite.All"

const relationshipsPath = "/tenantRelationships/delegatedAdminRelationships"

func unified(roles ...string) object {
	list := []object{}
	for _, r := range roles {
		list = append(list, object{"roleDefinitionId": r})
	}
	return object{"unifiedRoles": list}
}

func mapped(group string, roles ...string) object {
	return object{"accessContainer": object{"accessContainerId": group, "accessContainerType": "securityGroup"}, "accessDetails": unified(roles...)}
}

// groups makes, changes and removes groups.
func (w *walker) groups() {
	w.t.Helper()
	me := w.want(200, "GET", "/me", nil)["id"].(string)
	plain := object{"displayName": "Rewst test", "mailEnabled": false, "mailNickname": "rewst-test", "securityEnabled": true}
	id := w.want(201, "POST", "/groups", object{
		"displayName": "Rewst GDAP-Test", "description": "for CSP GDAP role assignment", "mailEnabled": false, "mailNickname": "rewst-gdap-test", "securityEnabled": true,
		"isAssignableToRole": true, "members@odata.bind": []string{"https://graph.microsoft.com/v1.0/users/" + me},
	})["id"].(string)
	w.want(200, "GET", "/groups?$filter=startswith(displayName,'Rewst GDAP')", nil)
	w.want(200, "GET", "/groups/"+id, nil)
	w.want(200, "GET", "/groups/"+id+"/members", nil)
	w.want(204, "PATCH", "/groups/"+id, object{"description": "x"})
	w.want(400, "PATCH", "/groups/"+id, object{"isAssignableToRole": false})
	w.want(400, "POST", "/groups", object{"displayName": "x"})
	w.want(400, "POST", "/groups", object{"displayName": "x", "mailEnabled": true, "mailNickname": "x", "securityEnabled": false})
	w.want(204, "DELETE", "/groups/"+id, nil)
	w.want(404, "DELETE", "/groups/"+id, nil)
	other := w.want(201, "POST", "/groups", plain)["id"].(string)
	w.want(204, "DELETE", "/groups/"+other, nil)
	office := w.want(201, "POST", "/groups", object{"displayName": "Team", "mailEnabled": true, "mailNickname": "team", "securityEnabled": false, "groupTypes": []string{"Unified"}})["id"].(string)
	w.want(204, "DELETE", "/groups/"+office, nil)
}

// gdap lets a relationship live through everything.
func (w *walker) gdap(partner bool) {
	w.t.Helper()
	before := w.token
	w.token = w.signIn(gdapScopes)
	defer func() { w.token = before }()
	w.groups()
	contracts, _ := w.want(200, "GET", "/contracts?$top=2", nil)["value"].([]any)
	w.want(404, "GET", "/contracts/"+nobody, nil)
	pair := nobody + "-" + nobody
	if !partner {
		for _, b := range []struct{ method, path string }{
			{"GET", ""},
			{"POST", ""},
			{"GET", "/" + pair},
			{"PATCH", "/" + pair},
			{"DELETE", "/" + pair},
			{"GET", "/" + pair + "/requests"},
			{"POST", "/" + pair + "/requests"},
			{"GET", "/" + pair + "/requests/" + nobody},
			{"GET", "/" + pair + "/accessAssignments"},
			{"POST", "/" + pair + "/accessAssignments"},
			{"GET", "/" + pair + "/accessAssignments/" + nobody},
			{"PATCH", "/" + pair + "/accessAssignments/" + nobody},
			{"DELETE", "/" + pair + "/accessAssignments/" + nobody},
			{"GET", "/" + pair + "/operations"},
			{"GET", "/" + pair + "/operations/" + nobody},
		} {
			w.want(403, b.method, relationshipsPath+b.path, object{}, "If-Match", "*")
		}
		w.want(403, "GET", "/tenantRelationships/delegatedAdminCustomers", nil)
		w.want(403, "GET", "/tenantRelationships/delegatedAdminCustomers/"+nobody, nil)
		return
	}
	contract := contracts[0].(object)
	w.want(200, "GET", "/contracts/"+contract["id"].(string), nil)
	customer := contract["customerId"].(string)
	w.relationship(customer)
	w.want(200, "GET", "/tenantRelationships/delegatedAdminCustomers?$top=300&$count=true", nil)
	w.want(200, "GET", "/tenantRelationships/delegatedAdminCustomers?$select=tenantId", nil)
	w.want(200, "GET", "/tenantRelationships/delegatedAdminCustomers/"+customer, nil)
	w.want(404, "GET", "/tenantRelationships/delegatedAdminCustomers/"+nobody, nil)
	w.want(404, "GET", relationshipsPath+"/"+pair, nil)
	w.want(400, "GET", relationshipsPath+"/"+nobody, nil)
}

func (w *walker) relationship(customer string) {
	w.t.Helper()
	body := object{
		"displayName": "ABC-GDAP", "duration": "P730D", "customer": object{"tenantId": customer, "displayName": "ABC Ltd"},
		"accessDetails": unified(catalog.RoleExchangeAdministrator, catalog.RoleApplicationAdministrator, catalog.RoleGlobalAdministrator),
	}
	made := w.want(201, "POST", relationshipsPath, body)
	rel := relationshipsPath + "/" + made["id"].(string)
	tag := func(path string) string { return w.want(200, "GET", path, nil)["@odata.etag"].(string) }
	w.want(409, "POST", relationshipsPath, body)
	w.want(400, "POST", relationshipsPath, object{"displayName": "x"})
	w.want(400, "GET", relationshipsPath+"?$top=301", nil)
	w.want(200, "GET", relationshipsPath+"?$filter=status eq 'created'&$top=300&$count=true", nil)
	w.want(200, "GET", relationshipsPath+"?$filter=customer/tenantId eq '"+customer+"'&$select=id,status", nil)
	w.want(428, "PATCH", rel, object{"duration": "P100D"})
	w.want(412, "PATCH", rel, object{"duration": "P100D"}, "If-Match", `W/"x"`)
	w.want(200, "PATCH", rel, object{"duration": "P100D"}, "If-Match", tag(rel))
	w.want(400, "POST", rel+"/accessAssignments", mapped(nobody, catalog.RoleExchangeAdministrator))
	asked := w.want(201, "POST", rel+"/requests", object{"action": "lockForApproval"})["id"].(string)
	w.want(200, "GET", rel+"/requests", nil)
	w.want(200, "GET", rel+"/requests/"+asked, nil)
	w.want(400, "DELETE", rel, nil, "If-Match", "*")
	if err := w.cloud.ApproveRelationship(made["id"].(string)); err != nil {
		w.t.Fatal(err)
	}
	w.want(200, "GET", rel, nil)
	w.want(200, "PATCH", rel, object{"autoExtendDuration": "PT0S"}, "If-Match", tag(rel))
	w.want(202, "PATCH", rel, object{"accessDetails": unified(catalog.RoleExchangeAdministrator, catalog.RoleApplicationAdministrator)}, "If-Match", tag(rel))
	w.want(200, "PATCH", rel, object{"autoExtendDuration": "P180D"}, "If-Match", tag(rel))
	group := w.want(201, "POST", "/groups", object{"displayName": "Rewst GDAP-Exchange Administrator", "mailEnabled": false, "mailNickname": "rewst-gdap-exchange", "securityEnabled": true})["id"].(string)
	given := w.want(201, "POST", rel+"/accessAssignments", mapped(group, catalog.RoleExchangeAdministrator))["id"].(string)
	one := rel + "/accessAssignments/" + given
	w.want(409, "POST", rel+"/accessAssignments", mapped(group, catalog.RoleExchangeAdministrator))
	w.want(200, "GET", rel+"/accessAssignments?$top=300", nil)
	w.want(428, "PATCH", one, object{"accessDetails": unified(catalog.RoleApplicationAdministrator)})
	w.want(200, "PATCH", one, object{"accessDetails": unified(catalog.RoleExchangeAdministrator)}, "If-Match", tag(one))
	w.want(202, "PATCH", one, object{"accessDetails": unified(catalog.RoleApplicationAdministrator)}, "If-Match", tag(one))
	for _, work := range w.want(200, "GET", rel+"/operations", nil)["value"].([]any) {
		w.want(200, "GET", rel+"/operations/"+work.(object)["id"].(string), nil)
	}
	w.want(404, "GET", rel+"/operations/"+nobody, nil)
	w.want(204, "DELETE", one, nil, "If-Match", tag(one))
	w.want(200, "GET", one, nil)
	w.want(400, "DELETE", one, nil, "If-Match", "*")
	gone := w.want(201, "POST", relationshipsPath, object{"displayName": "Gone", "duration": "P1D", "accessDetails": unified(catalog.RoleExchangeAdministrator)})["id"].(string)
	w.want(204, "DELETE", relationshipsPath+"/"+gone, nil, "If-Match", tag(relationshipsPath+"/"+gone))
	w.want(200, "GET", relationshipsPath, nil)
	// A customer stays one for as long as a relationship is active, so this is
	// done with another.
	ended := w.want(201, "POST", relationshipsPath, object{"displayName": "Ended", "duration": "P1D", "customer": object{"tenantId": customer}, "accessDetails": unified(catalog.RoleExchangeAdministrator)})["id"].(string)
	w.want(201, "POST", relationshipsPath+"/"+ended+"/requests", object{"action": "lockForApproval"})
	if err := w.cloud.ApproveRelationship(ended); err != nil {
		w.t.Fatal(err)
	}
	w.want(201, "POST", relationshipsPath+"/"+ended+"/requests", object{"action": "terminate"})
	w.want(400, "POST", relationshipsPath+"/"+ended+"/requests", object{"action": "terminate"})
	w.want(200, "GET", relationshipsPath+"/"+ended, nil)
}

// The worlds full of relationships are as described, and so are refusals while
// everything takes its time.
func TestGDAPWorlds(t *testing.T) {
	c := load(t)
	w := walk(t, c, sandbox.Options{Scenario: "gdap-mixed"})
	w.token = w.signIn(gdapScopes)
	all := w.want(200, "GET", relationshipsPath+"?$top=300", nil)["value"].([]any)
	if len(all) != 40 {
		t.Errorf("%d relationships", len(all))
	}
	for _, r := range all {
		rel := relationshipsPath + "/" + r.(object)["id"].(string)
		for _, part := range []string{"", "/requests", "/accessAssignments", "/operations"} {
			w.want(200, "GET", rel+part, nil)
		}
	}
	w.want(200, "GET", "/groups", nil)
	for seed := range int64(4) {
		w = walk(t, c, sandbox.Options{Delays: sandbox.DelaysRealistic, Seed: seed})
		w.token = w.signIn(gdapScopes)
		group, _ := w.want(201, "POST", "/groups", object{"displayName": "x", "mailEnabled": false, "mailNickname": "x", "securityEnabled": true})["id"].(string)
		customer := w.want(200, "GET", "/contracts", nil)["value"].([]any)[0].(object)["customerId"].(string)
		made := w.want(201, "POST", relationshipsPath, object{
			"displayName": "Slow", "duration": "P730D", "customer": object{"tenantId": customer}, "accessDetails": unified(catalog.RoleExchangeAdministrator),
		})["id"].(string)
		rel := relationshipsPath + "/" + made
		for range 60 {
			w.cloud.Advance(3 * time.Second)
			_, seen := w.do("GET", rel, nil)
			w.do("POST", rel+"/requests", object{"action": "lockForApproval"})
			_ = w.cloud.ApproveRelationship(made)
			w.do("POST", rel+"/accessAssignments", mapped(group, catalog.RoleExchangeAdministrator))
			_, list := w.do("GET", rel+"/accessAssignments", nil)
			mappings, _ := list["value"].([]any)
			for _, m := range mappings {
				w.do("PATCH", rel+"/accessAssignments/"+m.(object)["id"].(string), object{"accessDetails": unified(catalog.RoleExchangeAdministrator)}, "If-Match", m.(object)["@odata.etag"].(string))
			}
			tag, _ := seen["@odata.etag"].(string)
			w.do("PATCH", rel, object{"autoExtendDuration": "P180D"}, "If-Match", tag)
		}
		if got := w.want(200, "GET", rel, nil); got["status"] != "active" || got["autoExtendDuration"] != "P180D" {
			t.Errorf("seed %d: %v", seed, got)
		}
	}
	for _, v := range c.Violations() {
		if strings.HasPrefix(v, "response") {
			t.Error(v)
		}
	}
}
