package msclient

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
)

const (
	homeTenant  = "00000000-0000-0000-0000-00000000000a"
	otherTenant = "00000000-0000-0000-0000-00000000000b"
	person      = "00000000-0000-0000-0000-0000000000f1"
	canary      = "canary" // is part of every token, code and secret
)

var scopes = []string{"User.Read", "Application.ReadWrite.All"}

// reply is what the fake service does with a request.
type reply struct {
	status int
	header map[string]string
	body   string
	err    error         // no answer
	hang   bool          // until the request is given up
	after  time.Duration // and then the answer
}

func ok(body string) reply { return reply{status: 200, body: body} }

func status(code int) reply { return reply{status: code} }

func throttled(seconds string) reply {
	return reply{status: 429, header: map[string]string{"Retry-After": seconds}, body: graphError("TooManyRequests", "slow down")}
}

func graphError(code, message string) string {
	return fmt.Sprintf(`{"error":{"code":%q,"message":%q,"innerError":{"request-id":"inner-id"}}}`, code, message)
}

func oauth(code string, number int) reply {
	return reply{status: 400, body: fmt.Sprintf(
		`{"error":%q,"error_description":"AADSTS%d: words\r\nTrace ID: x","error_codes":[%d],"correlation_id":"corr","suberror":"basic_action","claims":"{\"c\":1}"}`,
		code, number, number)}
}

// sent is a request the fake service received.
type sent struct {
	at     time.Duration // since the test began
	method string
	path   string
	token  string
	form   url.Values
	header http.Header
	body   string
}

// service is Microsoft's cloud as far as these tests go. It answers in memory.
type service struct {
	t     *testing.T
	begun time.Time
	skew  time.Duration
	log   *lockedBuffer

	mu       sync.Mutex
	requests []sent
	issued   int
	graph    func(r sent) reply        // nil answers {}
	codes    func(n int) reply         // answer to the n-th start of a device code; nil hands one out
	polls    func(n int) reply         // answer to the n-th poll, from 1; a zero reply grants
	redeem   func(form sent) reply     // answer to a refresh token; nil or zero grants
	config   func(tenant string) reply // of openid-configuration; nil or zero is a good one
	interval int
	lifetime int
	user     string // object id of whoever types the code

	hosts    map[string]func(sent) reply // other services than Graph
	page     func(q url.Values) reply    // of a sign-in; nil is a good one
	password bool                        // people sign in without a second factor
	filler   string                      // makes tokens longer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// test runs a test in its own time, against a fake service and with a client
// nobody is signed in to yet. What was logged is searched for secrets.
func test(t *testing.T, run func(t *testing.T, s *service, c *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		run(t, s, s.client(Options{}))
		if text := s.log.String(); strings.Contains(text, canary) {
			t.Errorf("the log tells a secret:\n%s", text)
		}
	})
}

func newService(t *testing.T) *service {
	return &service{t: t, begun: time.Now(), log: &lockedBuffer{}, interval: 5, lifetime: 900, user: person}
}

func (s *service) client(o Options) *Client {
	s.t.Helper()
	o.Cloud, _ = catalog.CloudByID("global")
	o.Transport = s
	o.Log = slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// byCode signs a person in by a code, telling of each.
func byCode(c *Client, ctx context.Context, tenant string, scopes []string, show func(DeviceCode)) (Account, error) {
	last := DeviceCode{}
	c.Prompts(func(p Prompt) {
		if p.Code != (DeviceCode{}) && p.Code != last {
			last = p.Code
			show(p.Code)
		}
	}, false)
	return c.SignIn(ctx, Wish{Tenant: tenant, Scopes: scopes})
}

func graphSigner(t *testing.T, c *Client) *signer {
	t.Helper()
	s, err := c.signer(catalog.GraphAppID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signIn signs a person of the home tenant in.
func (s *service) signIn(c *Client) *Graph {
	s.t.Helper()
	if _, err := byCode(c, context.Background(), homeTenant, scopes, func(DeviceCode) {}); err != nil {
		s.t.Fatal(err)
	}
	return c.Graph(homeTenant)
}

// RoundTrip answers, or fails as the network does.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	got := sent{
		at: time.Since(s.begun), method: r.Method, path: r.URL.RequestURI(), body: string(body), header: r.Header.Clone(),
		token: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		got.form, _ = url.ParseQuery(string(body))
	}
	a := s.answer(r.URL, got)
	switch {
	case a.hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case a.after > 0:
		if err := Sleep(r.Context(), a.after); err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if a.err != nil {
		return nil, a.err
	}
	res := &http.Response{
		Status: fmt.Sprint(a.status, " ", http.StatusText(a.status)), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}, "Request-Id": {fmt.Sprintf("id-%d", s.count())}},
		Body:   io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}
	res.Header.Set("Date", time.Now().Add(s.skew).UTC().Format(http.TimeFormat))
	for k, v := range a.header {
		res.Header.Set(k, v)
	}
	return res, nil
}

func (s *service) answer(u *url.URL, got sent) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, got)
	tenant := strings.SplitN(strings.TrimPrefix(u.Path, "/"), "/", 2)[0]
	switch {
	case u.Host == "graph.microsoft.com":
		if s.graph == nil {
			return ok("{}")
		}
		return s.graph(got)
	case s.hosts[u.Host] != nil:
		return s.hosts[u.Host](got)
	case u.Host != "login.microsoftonline.com":
		s.t.Errorf("a request left for %s", u.Host)
		return status(404)
	case strings.HasSuffix(u.Path, "/.well-known/openid-configuration"):
		if s.config != nil {
			if a := s.config(tenant); !a.zero() {
				return a
			}
		}
		id := tenant
		if tenant == "contoso.com" {
			id = homeTenant
		}
		base := "https://login.microsoftonline.com/" + tenant
		return ok(jsonText(map[string]any{
			"issuer": "https://login.microsoftonline.com/" + id + "/v2.0", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
			"token_endpoint": base + "/oauth2/v2.0/token",
		}))
	case strings.HasPrefix(u.Path, "/common/discovery/instance"):
		return ok(jsonText(map[string]any{
			"tenant_discovery_endpoint": "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
			"metadata": []any{map[string]any{
				"preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net",
				"aliases": []string{"login.microsoftonline.com", "login.windows.net"},
			}},
		}))
	case strings.HasSuffix(u.Path, "/authorize"):
		if s.page != nil {
			return s.page(u.Query())
		}
		return ok("<html>AADSTS50058: nobody is signed in</html>")
	case strings.HasSuffix(u.Path, "/devicecode"):
		n := s.countLocked("/devicecode")
		if s.codes != nil {
			if a := s.codes(n); !a.zero() {
				return a
			}
		}
		return ok(jsonText(map[string]any{
			"user_code": fmt.Sprintf("CODE%d", n), "device_code": fmt.Sprintf("%s-dc-%d", canary, n), "interval": s.interval, "expires_in": s.lifetime,
			"verification_uri": "https://microsoft.com/devicelogin", "message": "go there",
		}))
	case strings.HasSuffix(u.Path, "/token"):
		return s.tokenAnswer(tenant, got)
	}
	s.t.Errorf("unexpected request %s", u)
	return status(404)
}

func (s *service) tokenAnswer(tenant string, got sent) reply {
	if tenant == "organizations" {
		tenant = homeTenant
	}
	if got.form.Get("device_code") != "" {
		n := 0
		for _, r := range s.requests {
			if r.form.Get("device_code") != "" {
				n++
			}
		}
		if s.polls != nil {
			if a := s.polls(n); !a.zero() {
				return a
			}
		}
	} else if s.redeem != nil {
		if a := s.redeem(got); !a.zero() {
			return a
		}
	}
	return ok(s.tokens(tenant, got.form.Get("scope")))
}

// tokens is the body of a granted token request.
func (s *service) tokens(tenant, scope string) string {
	s.issued++
	id := jsonText(map[string]any{"tid": tenant, "oid": s.user, "sub": "sub", "preferred_username": "admin@contoso.com", "iss": "x", "aud": "y", "exp": 9e9})
	return jsonText(map[string]any{
		"token_type": "Bearer", "scope": scope, "expires_in": 3600, "refresh_token": fmt.Sprintf("%s-rt-%d", canary, s.issued),
		"access_token": s.accessToken(tenant, s.issued),
		"id_token":     "e30." + b64(id) + ".x",
		"client_info":  b64(jsonText(map[string]any{"uid": s.user, "utid": homeTenant})),
	})
}

// accessToken is the n-th token handed out.
func (s *service) accessToken(tenant string, n int) string {
	amr := []string{"pwd", "mfa"}
	if s.password {
		amr = amr[:1]
	}
	names := map[string]any{"tid": tenant, "amr": amr, "scp": "User.Read Application.ReadWrite.All"}
	if s.filler != "" {
		names["filler"] = s.filler
	}
	if tenant != homeTenant {
		names["wids"] = []string{"role at " + tenant}
	}
	claims := jsonText(names)
	return fmt.Sprintf("%s-at.%s.%d", canary, b64(claims), n)
}

// tokenOf says which tenant a token is for, and the how manieth it is.
func tokenOf(token string) string {
	var claims struct {
		Tenant string `json:"tid"`
	}
	decodeClaims(token, &claims)
	return claims.Tenant + "#" + token[strings.LastIndexByte(token, '.')+1:]
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *service) countLocked(suffix string) int {
	n := 0
	for _, r := range s.requests {
		if strings.HasSuffix(r.path, suffix) {
			n++
		}
	}
	return n
}

// to lists the requests whose path holds part.
func (s *service) to(part string) []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.requests), func(r sent) bool { return !strings.Contains(r.path, part) })
}

// polled lists when polls came.
func (s *service) polled() []time.Duration {
	var out []time.Duration
	for _, r := range s.to("/token") {
		if r.form.Get("device_code") != "" {
			out = append(out, r.at)
		}
	}
	return out
}

// gaps are the times between moments.
func gaps(at []time.Duration) []time.Duration {
	var out []time.Duration
	for i := range at[:max(len(at)-1, 0)] {
		out = append(out, at[i+1]-at[i])
	}
	return out
}

func times(requests []sent) []time.Duration {
	var out []time.Duration
	for _, r := range requests {
		out = append(out, r.at)
	}
	return out
}

func (r reply) zero() bool {
	return r.status == 0 && r.err == nil && !r.hang
}

func jsonText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// script answers with its replies one after another, the last one for good.
func script(replies ...reply) func(sent) reply {
	n := 0
	return func(sent) reply {
		n++
		return replies[min(n, len(replies))-1]
	}
}

func stdB64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
