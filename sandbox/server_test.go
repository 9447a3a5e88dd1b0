package sandbox_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"msbundle/sandbox"
)

// serve runs a sandbox as a server and returns its addresses.
func serve(t *testing.T, c *sandbox.Cloud, o sandbox.ServerOptions) (addr, proxy string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan [2]string, 1), make(chan error, 1)
	o.Ready = func(a, p string) { ready <- [2]string{a, p} }
	go func() { done <- c.Serve(ctx, o) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	select {
	case a := <-ready:
		return a[0], a[1], stop
	case err := <-done:
		cancel()
		t.Fatalf("Serve: %v", err)
	}
	return "", "", nil
}

func TestRemote(t *testing.T) {
	c, err := sandbox.New(sandbox.Options{Approve: sandbox.ApproveNow})
	if err != nil {
		t.Fatal(err)
	}
	addr, _, stop := serve(t, c, sandbox.ServerOptions{Listen: "127.0.0.1:0"})
	defer stop()
	// A proxy in the environment is for the real network.
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	remote, err := sandbox.Remote(t.Context(), "https://"+addr)
	if err != nil {
		t.Fatal(err)
	}
	if remote.Tenant() != c.Tenant() {
		t.Errorf("tenant: %+v", remote.Tenant())
	}
	w := &world{t: t, cloud: c, client: &http.Client{Transport: remote.Transport()}}
	defer w.client.CloseIdleConnections()
	w.token = w.signIn(gct, everything)["access_token"].(string)
	w.do("GET", "/me", nil).want(200)
	if _, err := w.client.Get("https://example.com/"); err == nil {
		t.Error("an unknown host is dialled")
	}
	w.cloud.SetFaults([]sandbox.Fault{{Nth: 1, Do: "reset", When: "after"}})
	if resp, err := w.client.Do(w.request("POST", "/applications", map[string]any{"displayName": "x"})); err == nil {
		_ = resp.Body.Close()
		t.Error("reset: an answer came")
	}
	if n := len(w.do("GET", "/applications", nil).want(200).values()); n != 1 {
		t.Errorf("reset after: %d applications", n)
	}
	if !strings.HasPrefix(remote.DevicePage(), "https://"+addr) {
		t.Errorf("device page: %s", remote.DevicePage())
	}
	for bad, want := range map[string]string{
		"https://example.com:443": "not on this computer", "https://192.0.2.1:9443": "not on this computer", "http://" + addr: "is expected",
		"127.0.0.1:9443": "address", "https://127.0.0.1": "is expected",
	} {
		if _, err := sandbox.Remote(t.Context(), bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", bad, err, want)
		}
	}
}

func TestServeAndProxy(t *testing.T) {
	c, err := sandbox.New(sandbox.Options{Approve: sandbox.ApproveManual})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	addr, proxy, stop := serve(t, c, sandbox.ServerOptions{Listen: "localhost:0", Proxy: "127.0.0.1:0", CAFile: file})
	defer stop()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("the authority cannot be read")
	}
	through := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true,
	}}
	direct := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	get := func(client *http.Client, address string) (int, string) {
		t.Helper()
		resp, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if status, text := get(through, "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"); status != 200 || !strings.Contains(text, "token_endpoint") {
		t.Errorf("through the proxy: %d %s", status, text)
	}
	if status, text := get(through, "https://example.com/"); status != 404 || !strings.Contains(text, "not part of the simulated cloud") {
		t.Errorf("unknown host: %d %s", status, text)
	}
	if status, _ := get(through, "http://example.com/"); status != 501 {
		t.Errorf("plain http through the proxy: %d", status)
	}
	_, port, _ := strings.Cut(addr, ":")
	if status, text := get(direct, "https://localhost:"+port+"/devicelogin"); status != 200 || !strings.Contains(text, "Sandbox sign-in") {
		t.Errorf("page: %d %s", status, text)
	}
	base := "https://" + addr + "/_sandbox/"
	if status, text := get(direct, base+"ca.pem"); status != 200 || text != string(pem) {
		t.Errorf("ca.pem: %d", status)
	}
	var digest sandbox.Digest
	if _, text := get(direct, base+"digest"); json.Unmarshal([]byte(text), &digest) != nil || digest.SHA256 != c.Digest().SHA256 {
		t.Errorf("digest: %s", text)
	}
	if status, text := get(direct, base); status != 200 || !strings.Contains(text, "POST /_sandbox/clock") {
		t.Errorf("index: %d %s", status, text)
	}
	if status, _ := get(direct, base+"nonsense"); status != 404 {
		t.Errorf("unknown: %d", status)
	}
	post := func(path, body string) (int, string) {
		t.Helper()
		resp, err := direct.Post(base+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	w := &world{t: t, cloud: c, client: &http.Client{Transport: c.Transport()}}
	code := func() string {
		return w.form("organizations", "devicecode", "client_id", gct, "scope", everything).want(200).body["user_code"].(string)
	}
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"approve", `{"user_code": "` + code() + `"}`, 200},
		{"approve", `{"user_code": "WRONG"}`, 400},
		{"approve", `{"all": true}`, 200},
		{"approve", `{}`, 400},
		{"approve", `{"al": true}`, 400},
		{"clock", `{"advance": "24h"}`, 200},
		{"clock", `{"advance": "a day"}`, 400},
		{"faults", `[{"do": "500", "nth": 1}]`, 200},
		{"faults", `[{"do": "explode"}]`, 400},
		{"digest", `{}`, 405},
	} {
		if status, text := post(c.path, c.body); status != c.status {
			t.Errorf("POST %s %s: got %d %s, want %d", c.path, c.body, status, text, c.status)
		}
	}
	if resp := w.send(w.request("GET", "https://graph.microsoft.com/v1.0/me", nil)); !dateIsAhead(t, resp.header.Get("Date")) {
		t.Errorf("Date does not follow the clock: %s", resp.header.Get("Date"))
	}
	if status, text := get(direct, base+"requests"); status != 200 || strings.Contains(text, "_sandbox") || !strings.Contains(text, "https://graph.microsoft.com/v1.0/me") {
		t.Errorf("requests: %d %s", status, text)
	}
	for _, bad := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "nonsense"} {
		if err := c.Serve(t.Context(), sandbox.ServerOptions{Listen: bad}); err == nil {
			t.Errorf("%s is listened on", bad)
		}
		if err := c.Serve(t.Context(), sandbox.ServerOptions{Listen: "127.0.0.1:0", Proxy: bad}); err == nil {
			t.Errorf("%s is proxied on", bad)
		}
	}
}

func dateIsAhead(t *testing.T, date string) bool {
	t.Helper()
	when, err := http.ParseTime(date)
	if err != nil {
		t.Fatal(err)
	}
	return time.Until(when) > 23*time.Hour
}

func TestServerEndsHangingRequests(t *testing.T) {
	c, err := sandbox.New(sandbox.Options{Faults: []sandbox.Fault{{Do: "hang"}}})
	if err != nil {
		t.Fatal(err)
	}
	addr, _, stop := serve(t, c, sandbox.ServerOptions{Listen: "127.0.0.1:0"})
	remote, err := sandbox.Remote(t.Context(), "https://"+addr)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		resp, err := (&http.Client{Transport: remote.Transport()}).Get("https://graph.microsoft.com/v1.0/me")
		if err == nil {
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	for len(c.Requests()) == 0 {
		runtime.Gosched()
	}
	stop()
	if err := <-ended; err == nil {
		t.Error("a hanging request was answered")
	}
}

func TestClockSkew(t *testing.T) {
	w := start(t, sandbox.Options{Scenario: "clock-skew"})
	when, err := http.ParseTime(w.send(w.request("GET", "/me", nil)).header.Get("Date"))
	if err != nil || time.Until(when) < 119*time.Minute {
		t.Errorf("Date: %v, %v", when, err)
	}
}
