package sandbox_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
)

// page posts the form of the device sign-in page.
func (w *world) page(pairs ...string) reply {
	w.t.Helper()
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return w.send(w.request("POST", "https://microsoft.com/devicelogin", v.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
}

func (r reply) shows(text string) {
	r.t.Helper()
	if r.status != 200 || !strings.Contains(r.raw, text) {
		r.t.Errorf("%s: got %d %s, want %q", r.what, r.status, r.raw, text)
	}
}

func TestDevicePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
		w.send(w.request("GET", "https://www.microsoft.com/devicelogin", nil)).shows(`value="` + w.cloud.Tenant().Admin + `"`)
		w.page("user_code", "WRONG").shows("AADSTS90119")
		tenant := w.cloud.Tenant()
		code := func() (user, device string) {
			r := w.form(tenant.ID, "devicecode", "client_id", gct, "scope", everything).want(200).body
			return r["user_code"].(string), r["device_code"].(string)
		}
		user, device := code()
		w.poll(gct, device).aadsts("authorization_pending", 70016)
		w.send(w.request("GET", "https://microsoft.com/devicelogin?user_code="+user, nil)).shows("<li>Application.ReadWrite.All</li>")
		w.page("user_code", user, "account", "nobody@contoso.onmicrosoft.com").shows("AADSTS50034")
		w.page("user_code", user, "account", "admin@fabrikam.onmicrosoft.com").shows("AADSTS50020")
		done := w.page("user_code", " "+strings.ToLower(user), "account", tenant.Admin)
		done.shows("You may close this window")
		done.shows("Microsoft Graph Command Line Tools")
		w.page("user_code", user).shows("AADSTS90120")
		time.Sleep(5 * time.Second)
		w.poll(gct, device).want(200)

		user, device = code()
		w.page("user_code", user, "answer", "decline").shows("You declined")
		w.page("user_code", user, "answer", "decline").shows("AADSTS90120")
		w.poll(gct, device).aadsts("authorization_declined", 70020)

		user, device = code()
		w.page("user_code", user, "account", "megan@contoso.onmicrosoft.com").shows("AADSTS90094")
		w.poll(gct, device).aadsts("invalid_grant", 90094)

		user, _ = code()
		time.Sleep(16 * time.Minute)
		w.page("user_code", user).shows("expired")
		w.page("user_code", user, "answer", "decline").shows("expired")

		blocked := start(t, sandbox.Options{Scenario: "device-code-blocked", Approve: sandbox.ApproveManual})
		r := blocked.form(tenant.ID, "devicecode", "client_id", gct, "scope", everything).want(200).body
		blocked.page("user_code", r["user_code"].(string)).shows("You cannot access this right now")
		blocked.poll(gct, r["device_code"].(string)).aadsts("authorization_pending", 70016)
	})
}

func TestDevicePageEscapes(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	const nasty = `"><script>alert(1)</script>`
	for _, r := range []reply{
		w.page("user_code", nasty, "account", nasty),
		w.send(w.request("GET", "https://microsoft.com/devicelogin?user_code="+url.QueryEscape(nasty), nil)),
	} {
		if strings.Contains(r.raw, "<script") {
			t.Errorf("not escaped: %s", r.raw)
		}
	}
	// Consent for everybody leaves a grant for all principals.
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", gct, "scope", everything).want(200).body
	w.page("user_code", code["user_code"].(string), "everybody", "yes").shows("You may close this window")
	if g := w.cloud.Digest().Tenants["Contoso"].Clients[0].Delegated[0]; g.ConsentType != "AllPrincipals" || g.Principal != "" {
		t.Errorf("grant: %+v", g)
	}
	w.send(w.request("GET", "https://microsoft.com/elsewhere", nil)).want(404)
	w.send(w.request("DELETE", "https://microsoft.com/devicelogin", nil)).want(405)
}

func TestServePages(t *testing.T) {
	w := start(t, sandbox.Options{Approve: sandbox.ApproveManual})
	address, stop, err := w.cloud.ServePages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", gct, "scope", everything).want(200).body
	resp, err := http.PostForm(address, url.Values{"user_code": {code["user_code"].(string)}, "account": {w.cloud.Tenant().Admin}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.Contains(string(text), "You may close this window") {
		t.Fatalf("%s, %v", text, err)
	}
	w.poll(gct, code["device_code"].(string)).want(200)
	stop()
	if resp, err := http.Get(address); err == nil {
		_ = resp.Body.Close()
		t.Error("still served after stop")
	}
}
