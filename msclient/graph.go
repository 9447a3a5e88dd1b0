package msclient

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/google/uuid"

	"msbundle/catalog"
)

// TryTimeout is how long a request that is sent once can take.
const TryTimeout = 100 * time.Second

const (
	maxRetries    = 5
	retryDelay    = time.Second
	maxRetryDelay = 5 * time.Minute // a Retry-After up to this is waited for
	maxAsks       = 3               // sign-ins a person is asked for because of one request
)

// Service is one of Microsoft's services in one tenant for one identity. It has
// its own pipeline: azcore's bearer policy holds one token and would send it to
// another tenant too.
type Service struct {
	client *Client
	name   string // in the log
	host   string
	line   runtime.Pipeline
	log    *slog.Logger
	key    *credential                       // nil where an app acts as itself
	refine func(*Error, http.Header, []byte) // adds to a refusal what stands elsewhere in its answer; nil for nothing
	stamp  func(http.Header)                 // adds to a request what stays the same each time it is sent; nil for nothing
}

// graphService is the name of Microsoft Graph's pipelines.
const graphService = "graph"

// Graph is Microsoft Graph in one tenant, which also takes requests in batches.
type Graph struct{ *Service }

// Graph gives access to Microsoft Graph in a tenant. In the tenant of the sign-in
// the token carries the scopes asked for there; elsewhere what was consented.
func (c *Client) Graph(tenant string) *Graph {
	c.mu.Lock()
	scopes := []string{c.scopeOf(catalog.GraphAppID)}
	if tenant == c.identity.tenant && len(c.identity.scopes) > 0 {
		scopes = c.graphScopes(c.identity.scopes)
	}
	c.mu.Unlock()
	return &Graph{c.service(endpoint{
		name: graphService, host: c.cloud.Graph, resource: catalog.GraphAppID, scopes: scopes,
		why: "Microsoft Graph asks for a new sign-in before it goes on",
	}, tenant)}
}

// Azure gives access to Azure Resource Manager in a tenant. Without a client of
// the person's own the first request asks for a sign-in, which may be skipped.
func (c *Client) Azure(tenant string) *Service {
	return c.service(endpoint{
		name: "azure", host: c.cloud.ARM, resource: catalog.ServiceMgmtAppID, scopes: []string{c.scopeOf(catalog.ServiceMgmtAppID)},
		why: whyFurther, skip: true,
	}, tenant)
}

// PartnerCenter gives access to Partner Center for the partner's tenant. Without a
// client of the person's own the first request asks for a sign-in, which may be
// skipped.
func (c *Client) PartnerCenter(tenant string) *Service {
	return c.service(endpoint{
		name: "partner center", host: c.cloud.PartnerCenter, resource: catalog.PartnerCenterAppID, scopes: []string{c.scopeOf(catalog.PartnerCenterAppID)},
		why: whyFurther, skip: true,
	}, tenant)
}

// whyFurther is told when another client of Microsoft's is needed, which serves all
// of these.
const whyFurther = "Azure and Partner Center, as far as you chose them, to look for subscriptions, key vaults and the partner account. The first sign-in does not reach them"

// endpoint is a service a tenant-bound pipeline is made for.
type endpoint struct {
	name, host string
	resource   string // app id
	scopes     []string
	client     string // id of the public client that serves; empty means the resource's
	delegated  bool   // by the partner's own app
	abroad     bool   // a customer's tenant
	why        string // a sign-in is needed
	skip       bool
}

// scopeOf asks for everything that was granted at a resource.
func (c *Client) scopeOf(resource string) string {
	host := map[string]string{
		catalog.GraphAppID: c.cloud.Graph, catalog.ServiceMgmtAppID: c.cloud.ARM, catalog.PartnerCenterAppID: c.cloud.PartnerCenter,
	}[resource]
	return "https://" + host + "/.default"
}

func (c *Client) service(e endpoint, tenant string) *Service {
	c.mu.Lock()
	s, made := c.services[e.name+" "+tenant]
	home := tenant == c.identity.tenant
	delegate, budget := c.delegate, c.budgetOf(tenant)
	c.mu.Unlock()
	if made {
		return s
	}
	k := &credential{client: c, tenant: tenant, scopes: e.scopes, home: home && !e.abroad, holds: e.abroad || e.delegated, why: e.why, skip: e.skip}
	switch {
	case e.delegated:
		k.signer, k.needsDelegate = delegate, true
	case c.app == nil:
		k.signer, _ = c.signerOf(cmp.Or(e.client, c.clientFor(e.resource))) // New made sure that one can be made
	}
	policies := []policy.Policy{&budget.spacer, runtime.NewBearerTokenPolicy(k, e.scopes, nil)}
	if e.abroad {
		policies = append(policies, budget.lanes)
	}
	s = &Service{client: c, name: e.name, host: e.host, log: c.log, key: k, line: runtime.NewPipeline("msbundle", "v1", runtime.PipelineOptions{
		PerCall:  []policy.Policy{requestID{}},
		PerRetry: append(policies, watcher{&c.clock, k}),
	}, &policy.ClientOptions{
		Transport: c.http,
		Telemetry: policy.TelemetryOptions{ApplicationID: "msbundle"},
		Retry: policy.RetryOptions{
			MaxRetries: maxRetries, RetryDelay: retryDelay, MaxRetryDelay: maxRetryDelay, TryTimeout: TryTimeout,
		},
	})}
	if e.resource == catalog.PartnerCenterAppID {
		s.refine, s.stamp = partnerWords, partnerHeaders(uuid.NewString())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, made := c.services[e.name+" "+tenant]; made { // by somebody meanwhile: two would ask for two tokens
		return other
	}
	c.services[e.name+" "+tenant] = s
	return s
}

// requestID gives every call an id of ours, which the service logs and echoes.
type requestID struct{}

func (requestID) Do(req *policy.Request) (*http.Response, error) {
	req.Raw().Header.Set("client-request-id", uuid.NewString())
	return req.Next()
}

// watcher learns from the service's answers: its time, and that a token is not
// valid any more.
type watcher struct {
	clock *clock
	key   *credential
}

func (w watcher) Do(req *policy.Request) (*http.Response, error) {
	res, err := req.Next()
	if err != nil {
		return res, err
	}
	w.clock.learn(res.Header)
	if res.StatusCode == http.StatusUnauthorized {
		w.key.refuse(strings.TrimPrefix(req.Raw().Header.Get("Authorization"), "Bearer "), challenged(res.Header))
	}
	return res, nil
}

// Request is one call to Graph.
type Request struct {
	Method string // empty means GET
	Path   string // with the version and query: "/v1.0/organization?$select=id"
	Body   any    // encoded as JSON; json.RawMessage is sent as it is
	Header http.Header
}

func (r Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func (r Request) reads() bool { return r.method() == http.MethodGet }

func (r Request) op() string {
	path, _, _ := strings.Cut(r.Path, "?")
	return r.method() + " " + path
}

// Response is what Graph answered.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte
	RequestID string
}

// Decode reads the answer's JSON.
func (r *Response) Decode(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return fmt.Errorf("read the service's answer: %w", err)
	}
	return nil
}

// Do sends one request and returns the answer of a success; everything else is
// an *Error. Throttled requests are repeated after the time the service names.
// Reads, and writes that may be repeated safely (PUT, PATCH, DELETE), are also
// repeated after failures; a POST is not, because it may have taken effect.
func (g *Service) Do(ctx context.Context, r Request) (*Response, error) {
	return g.send(ctx, r, r.method() != http.MethodPost)
}

func (g *Service) send(ctx context.Context, r Request, repeat bool) (res *Response, err error) {
	if g.stamp != nil {
		header := r.Header.Clone()
		if header == nil {
			header = http.Header{}
		}
		g.stamp(header)
		r.Header = header
	}
	renewed := false
	var sent bool // whatever it came to
	err = g.withPerson(ctx, func() error {
		res, err = g.once(ctx, r, repeat)
		var failed *Error
		if errors.As(err, &failed) && failed.Status == http.StatusUnauthorized && !renewed {
			// A token can be revoked before it expires. The pipeline has noticed and takes
			// another one now, once.
			renewed = true
			res, err = g.once(ctx, r, repeat)
		}
		var need *needed
		sent = !errors.As(err, &need)
		return err
	})
	if err != nil && !sent {
		return nil, fmt.Errorf("%s: %w", r.op(), err)
	}
	return res, err
}

// withPerson does what takes a token, again after each sign-in that was needed for
// it: a request for which one is needed did not leave, or was refused for its token.
func (g *Service) withPerson(ctx context.Context, do func() error) error {
	for asks := 0; ; asks++ {
		err := do()
		var need *needed
		switch {
		case !errors.As(err, &need):
			return err
		case asks == maxAsks:
			return &SignInError{need.cause}
		}
		if err := g.client.ask(unparked(asking(ctx)), need); err != nil {
			return err
		}
	}
}

func (g *Service) once(ctx context.Context, r Request, repeat bool) (*Response, error) {
	outer := ctx
	ctx = policy.WithRetryOptions(ctx, policy.RetryOptions{
		MaxRetries: maxRetries, RetryDelay: retryDelay, MaxRetryDelay: maxRetryDelay, TryTimeout: TryTimeout,
		ShouldRetry: func(res *http.Response, err error) bool {
			again := !oneTry(outer) && shouldRetry(res, err, repeat)
			if again && outer.Err() == nil {
				tellWaiting(outer, res)
			}
			return again
		},
	})
	req, err := runtime.NewRequest(ctx, r.method(), "https://"+g.host+r.Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.op(), err)
	}
	maps.Copy(req.Raw().Header, r.Header)
	req.Raw().Header.Set("Accept", "application/json")
	if r.Body != nil {
		data, err := encode(r.Body)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.op(), err)
		}
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader(data)), "application/json"); err != nil {
			return nil, fmt.Errorf("%s: %w", r.op(), err)
		}
	}
	begun := time.Now()
	res, err := g.line.Do(req)
	if err != nil {
		return nil, g.noAnswer(ctx, r, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, g.noAnswer(ctx, r, err)
	}
	out := &Response{Status: res.StatusCode, Header: res.Header, Body: body, RequestID: answerID(res.Header)}
	g.log.Debug(g.name, "op", r.op(), "status", out.Status, "request-id", out.RequestID, "took", time.Since(begun).Round(time.Millisecond))
	if res.StatusCode >= 300 {
		refused := newError(r.op(), res.StatusCode, res.Header, body)
		if g.refine != nil {
			g.refine(refused, res.Header, body)
		}
		return nil, refused
	}
	return out, nil
}

func (g *Service) noAnswer(ctx context.Context, r Request, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused *AuthError
	var need *needed
	switch {
	case errors.As(err, &need):
		return need // Service asks for it; nobody else sees it
	case errors.As(err, &refused):
		return fmt.Errorf("%s: %w", r.op(), refused)
	}
	g.log.Debug(g.name, "op", r.op(), "err", err)
	return &Error{Op: r.op(), Err: err}
}

func shouldRetry(res *http.Response, err error, repeat bool) bool {
	if err != nil {
		return (repeat || neverSent(err)) && !untrusted(err)
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return repeat
	}
	return false
}

func encode(body any) ([]byte, error) {
	if raw, ok := body.(json.RawMessage); ok {
		return raw, nil
	}
	return json.Marshal(body)
}

// Caller is a service requests can be sent to: a Graph or a Service.
type Caller interface {
	Do(ctx context.Context, r Request) (*Response, error)
	next(link string) (string, error)
}

// Get reads one object.
func Get[T any](ctx context.Context, g Caller, path string) (T, error) {
	var out T
	res, err := g.Do(ctx, Request{Path: path})
	if err != nil {
		return out, err
	}
	return out, res.Decode(&out)
}

// Page is one page of a list.
type Page[T any] struct {
	Value    []T    `json:"value"`
	NextLink string `json:"@odata.nextLink"`
}

// List reads a list page by page, as it is ranged over. The sequence ends with
// the first error.
func List[T any](ctx context.Context, g Caller, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for path != "" {
			var page Page[T]
			next, err := turn(ctx, g, path, &page, &page.NextLink)
			for _, v := range page.Value {
				if !yield(v, nil) {
					return
				}
			}
			if err != nil {
				yield(zero, err)
				return
			}
			path = next
		}
	}
}

// turn reads a page and says where the next one is. It knows nothing of what is on
// the page: what does is compiled anew for each kind of thing.
func turn(ctx context.Context, g Caller, path string, page any, link *string) (next string, err error) {
	res, err := g.Do(ctx, Request{Path: path})
	if err != nil {
		return "", err
	}
	if err := res.Decode(page); err != nil {
		return "", err
	}
	next, err = g.next(*link)
	if err == nil && next == path {
		err = fmt.Errorf("GET %s: the service named the same page again", strings.SplitN(path, "?", 2)[0])
	}
	return next, err
}

// Rest reads on from a first page that came in a batch.
func Rest[T any](ctx context.Context, g Caller, first Page[T]) ([]T, error) {
	out := first.Value
	path, err := g.next(first.NextLink)
	if err != nil || path == "" {
		return out, err
	}
	for v, err := range List[T](ctx, g, path) {
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// next turns the absolute link of the next page into a path, and refuses one
// that would take the token to another host.
func (g *Service) next(link string) (string, error) {
	if link == "" {
		return "", nil
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.Host != g.host {
		return "", fmt.Errorf("the service named a next page outside %s", g.host)
	}
	return u.RequestURI(), nil
}
