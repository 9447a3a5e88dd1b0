package sandbox_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// everything is what an administrator asks for in these tests.
const everything = "openid offline_access User.Read Application.ReadWrite.All AppRoleAssignment.ReadWrite.All DelegatedPermissionGrant.ReadWrite.All Directory.Read.All Policy.Read.All"

// world is a sandbox and somebody who uses it.
type world struct {
	t      *testing.T
	cloud  *sandbox.Cloud
	client *http.Client
	token  string
}

func start(t *testing.T, o sandbox.Options) *world {
	t.Helper()
	c, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, cloud: c, client: &http.Client{Transport: c.Transport()}}
}

// signedIn starts a world with an administrator who has everything.
func signedIn(t *testing.T, o sandbox.Options) *world {
	t.Helper()
	if o.Approve == "" {
		o.Approve = sandbox.ApproveNow
	}
	w := start(t, o)
	w.token = w.signIn(catalog.GraphCommandLineTools, everything)["access_token"].(string)
	return w
}

// reply is what came back.
type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (w *world) send(req *http.Request) reply {
	w.t.Helper()
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := reply{t: w.t, what: req.Method + " " + req.URL.String(), status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &r.body)
	return r
}

// form posts to a sign-in endpoint of a tenant.
func (w *world) form(tenant, endpoint string, pairs ...string) reply {
	w.t.Helper()
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, "https://login.microsoftonline.com/"+tenant+"/oauth2/v2.0/"+endpoint, strings.NewReader(v.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.send(req)
}

// signIn is a whole device code flow that succeeds.
func (w *world) signIn(client, scope string) map[string]any {
	w.t.Helper()
	code := w.form(w.cloud.Tenant().ID, "devicecode", "client_id", client, "scope", scope).want(200).body
	return w.poll(client, code["device_code"].(string)).want(200).body
}

func (w *world) poll(client, code string) reply {
	w.t.Helper()
	return w.form(w.cloud.Tenant().ID, "token", "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", client, "device_code", code)
}

// request builds a call of Microsoft Graph. body is JSON text or something to
// encode; headers are pairs.
func (w *world) request(method, path string, body any, headers ...string) *http.Request {
	w.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		in = strings.NewReader(string(text))
	}
	if !strings.HasPrefix(path, "https://") {
		path = "https://graph.microsoft.com/v1.0" + strings.ReplaceAll(path, " ", "%20")
	}
	req, err := http.NewRequest(method, path, in)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

func (w *world) do(method, path string, body any, headers ...string) reply {
	w.t.Helper()
	return w.send(w.request(method, path, body, headers...))
}

func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: got %d, want %d: %s", r.what, r.status, status, r.raw)
	}
	return r
}

// fails checks an error of Microsoft Graph: status, code and part of the text.
func (r reply) fails(status int, code, text string) reply {
	r.t.Helper()
	e, _ := r.body["error"].(map[string]any)
	message, _ := e["message"].(string)
	if r.status != status || e["code"] != code || !strings.Contains(message, text) {
		r.t.Fatalf("%s:\n got %d %s\nwant %d %s %q", r.what, r.status, r.raw, status, code, text)
	}
	return r
}

// aadsts checks an error of the token service.
func (r reply) aadsts(name string, number int) reply {
	r.t.Helper()
	codes, _ := r.body["error_codes"].([]any)
	text, _ := r.body["error_description"].(string)
	if r.status < 400 || r.body["error"] != name || len(codes) != 1 || codes[0] != float64(number) || !strings.HasPrefix(text, fmt.Sprintf("AADSTS%d: ", number)) {
		r.t.Fatalf("%s:\n got %d %s\nwant %s AADSTS%d", r.what, r.status, r.raw, name, number)
	}
	return r
}

func (r reply) id() string {
	r.t.Helper()
	id, _ := r.body["id"].(string)
	if id == "" {
		r.t.Fatalf("%s: no id in %s", r.what, r.raw)
	}
	return id
}

// values are the objects of a list.
func (r reply) values() []map[string]any {
	r.t.Helper()
	list, isList := r.body["value"].([]any)
	if !isList {
		r.t.Fatalf("%s: no list in %s", r.what, r.raw)
	}
	var out []map[string]any
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

// principal is the id of the service principal of an app.
func (w *world) principal(appID string) string {
	w.t.Helper()
	return w.do("GET", "/servicePrincipals(appId='"+appID+"')?$select=id", nil).want(200).id()
}

// app makes an application and, when asked, its service principal.
func (w *world) app(changes map[string]any) (id, appID string) {
	w.t.Helper()
	body := map[string]any{"displayName": "Rewst Integration", "signInAudience": "AzureADMyOrg"}
	maps.Copy(body, changes)
	r := w.do("POST", "/applications", body).want(201)
	return r.id(), r.body["appId"].(string)
}

// claims are what a token says.
func claims(t *testing.T, token any) map[string]any {
	t.Helper()
	text, _ := token.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("not a token: %v", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// permissionID finds a permission in the catalog.
func permissionID(t *testing.T, resource, name string, kind catalog.Kind) string {
	t.Helper()
	for _, p := range catalog.Permissions() {
		if p.Resource == resource && p.Name == name && p.Kind == kind {
			return p.ID
		}
	}
	t.Fatalf("no permission %s", name)
	return ""
}

// until repeats something every second until it holds.
func until(t *testing.T, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > limit {
			t.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(time.Second)
	}
	return time.Since(began)
}
