package sandbox_test

import (
	"fmt"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox"
)

type item = map[string]any

func (w *world) batch(items ...item) reply {
	w.t.Helper()
	return w.do("POST", "/$batch", map[string]any{"requests": items})
}

// responses of a batch by id.
func (r reply) responses() map[string]map[string]any {
	r.t.Helper()
	out := map[string]map[string]any{}
	list, _ := r.body["responses"].([]any)
	for _, v := range list {
		entry := v.(map[string]any)
		out[entry["id"].(string)] = entry
	}
	return out
}

func TestBatchRefusedWhole(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	get := func(id string) item { return item{"id": id, "method": "GET", "url": "/me"} }
	after := func(id, on string) item {
		i := get(id)
		i["dependsOn"] = []string{on}
		return i
	}
	many := []item{}
	for i := range 21 {
		many = append(many, get(fmt.Sprint(i)))
	}
	for name, items := range map[string][]item{
		"21": many, "none": {}, "same id": {get("1"), get("1")}, "no id": {{"method": "GET", "url": "/me"}},
		"absolute": {{"id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/me"}}, "unknown field": {{"id": "1", "method": "GET", "url": "/me", "verb": "x"}},
		"unknown dependency": {get("1"), after("2", "9")}, "later dependency": {after("1", "2"), get("2")},
		"two dependencies": {get("1"), get("2"), {"id": "3", "method": "GET", "url": "/me", "dependsOn": []string{"1", "2"}}},
		"mixed order":      {get("1"), after("2", "1"), get("3"), after("4", "3")}, "number as id": {{"id": 1, "method": "GET", "url": "/me"}},
	} {
		if r := w.batch(items...); r.status != 400 {
			t.Errorf("%s: got %d %s", name, r.status, r.raw)
		}
	}
	w.do("GET", "/$batch", nil).want(405)
	w.batch(many[:20]...).want(200)
}

func TestBatchItems(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	json := map[string]string{"Content-Type": "application/json"}
	app := item{"displayName": "from a batch"}
	got := w.batch(
		item{"id": "ok", "method": "POST", "url": "/applications", "headers": json, "body": app},
		item{"id": "no type", "method": "POST", "url": "/applications", "body": app},
		item{"id": "missing", "method": "GET", "url": "/applications/11111111-1111-4111-8111-111111111111"},
		item{"id": "nested", "method": "POST", "url": "/$batch", "headers": json, "body": item{"requests": []item{}}},
		item{"id": "query", "method": "GET", "url": "/applications?$filter=displayName eq 'from a batch'&$select=id"},
	).want(200).responses()
	for id, want := range map[string]float64{"ok": 201, "no type": 400, "missing": 404, "nested": 400, "query": 200} {
		if got[id]["status"] != want {
			t.Errorf("%s: %v", id, got[id])
		}
	}
	chain := func(ids ...string) []item {
		var items []item
		for i, id := range ids {
			it := item{"id": id, "method": "GET", "url": "/me"}
			if id == "bad" {
				it["url"] = "/nonsense"
			}
			if i > 0 {
				it["dependsOn"] = []string{ids[i-1]}
			}
			items = append(items, it)
		}
		return items
	}
	got = w.batch(chain("1", "bad", "3", "4")...).want(200).responses()
	for id, want := range map[string]float64{"1": 200, "bad": 400, "3": 424, "4": 424} {
		if got[id]["status"] != want {
			t.Errorf("chain, %s: %v", id, got[id])
		}
	}
	rows := w.cloud.Requests()
	first, last := rows[len(rows)-2], rows[len(rows)-1]
	if !first.Write || len(first.Inner) != 5 || first.Inner[0].URL != "https://graph.microsoft.com/v1.0/applications" || !first.Inner[0].Write || first.Inner[0].Status != 201 {
		t.Errorf("log of the writing batch: %+v", first)
	}
	// A question that is asked by POST is no write.
	w.do("POST", "/me/checkMemberGroups", item{"groupIds": []string{}})
	if rows := w.cloud.Requests(); rows[len(rows)-1].Write {
		t.Errorf("log of a question: %+v", rows[len(rows)-1])
	}
	if last.Write || last.Tenant != w.cloud.Tenant().ID {
		t.Errorf("log of the reading batch: %+v", last)
	}
}

func TestBatchConcurrency(t *testing.T) {
	w := signedIn(t, sandbox.Options{})
	_, appID := w.app(nil)
	client := w.do("POST", "/servicePrincipals", item{"appId": appID}).want(201).id()
	graph := w.principal(catalog.GraphAppID)
	slow := signedIn(t, sandbox.Options{Delays: sandbox.DelaysRealistic})
	_, appID = slow.app(nil)
	slow.cloud.Advance(60e9)
	other := slow.do("POST", "/servicePrincipals", item{"appId": appID}).want(201).id()
	slow.cloud.Advance(60e9)
	assign := func(principal string, serial bool) (conflicts int) {
		w := w
		if principal == other {
			w = slow
		}
		var items []item
		n := 0
		for _, p := range catalog.Permissions() {
			if p.Resource == catalog.GraphAppID && p.Kind == catalog.Application {
				n++
				it := item{
					"id": fmt.Sprint(n), "method": "POST", "url": "/servicePrincipals/" + graph + "/appRoleAssignedTo", "headers": item{"Content-Type": "application/json"},
					"body": item{"principalId": principal, "resourceId": graph, "appRoleId": p.ID},
				}
				if serial && len(items) > 0 {
					it["dependsOn"] = []string{items[len(items)-1]["id"].(string)}
				}
				items = append(items, it)
			}
			if len(items) == 20 {
				for _, r := range w.batch(items...).want(200).responses() {
					if r["status"] == 409.0 {
						conflicts++
					}
				}
				items = nil
			}
		}
		return conflicts
	}
	if n := assign(client, false); n != 0 {
		t.Errorf("without delays: %d conflicts", n)
	}
	if n := assign(other, true); n != 0 {
		t.Errorf("one after the other: %d conflicts", n)
	}
	_, appID = slow.app(nil)
	slow.cloud.Advance(60e9)
	other = slow.do("POST", "/servicePrincipals", item{"appId": appID}).want(201).id()
	slow.cloud.Advance(60e9)
	if n := assign(other, false); n == 0 {
		t.Error("parallel writes on one object never conflict")
	}
}
