package sandbox_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

func TestReplicasDisagreeThenConverge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := signedIn(t, sandbox.Options{Scenario: "slow-directory"})
		id, appID := w.app(nil)
		began := time.Now()
		mixed := false
		until(t, time.Minute, "the application is seen everywhere", func() bool {
			hits := 0
			for range 12 {
				if w.do("GET", "/applications/"+id, nil).status == 200 {
					hits++
				}
			}
			mixed = mixed || hits > 0 && hits < 12
			return hits == 12
		})
		if !mixed || time.Since(began) < time.Second {
			t.Errorf("replicas never disagree at one moment in %s", time.Since(began))
		}
		time.Sleep(time.Minute)
		for range 30 {
			w.do("GET", "/applications/"+id, nil).want(200)
			if n := len(w.do("GET", "/applications?$filter=appId eq '"+appID+"'", nil).want(200).values()); n != 1 {
				t.Fatalf("list and get disagree after the lag: %d", n)
			}
		}
		w.do("DELETE", "/applications/"+id, nil).want(204)
		still := 0
		until(t, time.Minute, "the deletion is seen everywhere", func() bool {
			hits := 0
			for range 12 {
				hits += len(w.do("GET", "/applications?$filter=appId eq '"+appID+"'", nil).want(200).values())
			}
			still += hits
			return hits == 0
		})
		if still == 0 {
			t.Error("a deleted object is never still listed")
		}
	})
}

// The texts of section "eventual consistency": what a client is told about what
// it has just made.
func TestReferencesToWhatIsNotThereYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[string]bool{}
		note := func(r reply) int {
			for _, text := range []string{
				"does not reference a valid application object", "must in the local tenant", "Not a valid reference update",
				"Unable to read the company information", "reference-property objects are not present",
			} {
				if r.status >= 400 && strings.Contains(r.raw, text) {
					seen[fmt.Sprint(r.status, " ", text)] = true
				}
			}
			return r.status
		}
		for seed := range int64(12) {
			w := signedIn(t, sandbox.Options{Delays: sandbox.DelaysRealistic, Seed: seed})
			graph := w.principal(catalog.GraphAppID)
			_, appID := w.app(nil)
			sp := ""
			until(t, time.Minute, "service principal", func() bool {
				r := w.do("POST", "/servicePrincipals", map[string]any{"appId": appID})
				if note(r) == 201 {
					sp = r.id()
				}
				return sp != ""
			})
			until(t, time.Minute, "assignment", func() bool {
				return note(w.do("POST", "/servicePrincipals/"+graph+"/appRoleAssignedTo", map[string]any{
					"principalId": sp, "resourceId": graph, "appRoleId": permissionID(t, catalog.GraphAppID, "Mail.Send", catalog.Application),
				})) == 201
			})
			_, appID = w.app(nil)
			until(t, time.Minute, "second service principal", func() bool {
				r := w.do("POST", "/servicePrincipals", map[string]any{"appId": appID})
				if r.status == 201 {
					sp = r.id()
				}
				return r.status == 201
			})
			until(t, time.Minute, "grant", func() bool {
				return note(w.do("POST", "/oauth2PermissionGrants", map[string]any{"clientId": sp, "consentType": "AllPrincipals", "resourceId": graph, "scope": "User.Read"})) == 201
			})
		}
		for _, want := range []string{
			"400 does not reference a valid application object", "403 must in the local tenant", "400 Not a valid reference update",
			"404 Unable to read the company information", "400 reference-property objects are not present",
		} {
			if !seen[want] {
				t.Errorf("never said: %s", want)
			}
		}
	})
}

func TestSecretTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := signedIn(t, sandbox.Options{Delays: sandbox.DelaysRealistic})
		id, appID := w.app(nil)
		time.Sleep(time.Minute)
		w.do("POST", "/servicePrincipals", map[string]any{"appId": appID}).want(201)
		time.Sleep(time.Minute)
		secret := w.do("POST", "/applications/"+id+"/addPassword", map[string]any{}).want(200).body["secretText"].(string)
		took := until(t, 2*time.Minute, "the secret is known", func() bool {
			for range 8 {
				r := w.form(w.cloud.Tenant().ID, "token", "grant_type", "client_credentials", "client_id", appID, "client_secret", secret, "scope", "https://graph.microsoft.com/.default")
				if r.status != 200 {
					r.aadsts("invalid_client", 7000215)
					return false
				}
			}
			return true
		})
		if took == 0 {
			t.Error("a new secret is known at once")
		}
	})
}

func TestParallelUse(t *testing.T) {
	w := signedIn(t, sandbox.Options{Delays: sandbox.DelaysRealistic, Latency: time.Millisecond})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 10 {
				w.do("POST", "/applications", map[string]any{"displayName": fmt.Sprint(i, " ", n)})
				w.do("GET", "/applications", nil)
				w.cloud.Digest()
				w.cloud.Requests()
				w.cloud.Advance(time.Millisecond)
			}
		})
	}
	all.Wait()
	if n := len(w.cloud.Digest().Tenants["Contoso"].Applications); n != 80 {
		t.Errorf("%d applications", n)
	}
}
