package msclient

import (
	"bytes"
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

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/google/uuid"
)

const (
	maxRetries    = 5
	retryDelay    = time.Second
	maxRetryDelay = 5 * time.Minute // a Retry-After up to this is waited for
	tryTimeout    = 100 * time.Second
)

// Graph is Microsoft Graph in one tenant for one identity. It has its own
// pipeline: azcore's bearer policy holds one token and would send it to another
// tenant too.
type Graph struct {
	host string
	line runtime.Pipeline
	log  *slog.Logger
}

func newGraph(c *Client, tenant string, scopes []string) *Graph {
	k := &credential{client: c, tenant: tenant}
	line := runtime.NewPipeline("msbundle", "v1", runtime.PipelineOptions{
		PerCall:  []policy.Policy{requestID{}},
		PerRetry: []policy.Policy{&spacer{}, runtime.NewBearerTokenPolicy(k, scopes, nil), watcher{&c.clock, k}},
	}, &policy.ClientOptions{
		Transport: c.http,
		Telemetry: policy.TelemetryOptions{ApplicationID: "msbundle"},
		Retry: policy.RetryOptions{
			MaxRetries: maxRetries, RetryDelay: retryDelay, MaxRetryDelay: maxRetryDelay, TryTimeout: tryTimeout,
		},
	})
	return &Graph{host: c.cloud.Graph, line: line, log: c.log}
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
		w.key.refuse(strings.TrimPrefix(req.Raw().Header.Get("Authorization"), "Bearer "))
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
func (g *Graph) Do(ctx context.Context, r Request) (*Response, error) {
	return g.send(ctx, r, r.method() != http.MethodPost)
}

func (g *Graph) send(ctx context.Context, r Request, repeat bool) (*Response, error) {
	res, err := g.once(ctx, r, repeat)
	var failed *Error
	if errors.As(err, &failed) && failed.Status == http.StatusUnauthorized {
		// A token can be revoked before it expires. The pipeline has noticed and takes
		// another one now, once.
		return g.once(ctx, r, repeat)
	}
	return res, err
}

func (g *Graph) once(ctx context.Context, r Request, repeat bool) (*Response, error) {
	outer := ctx
	ctx = policy.WithRetryOptions(ctx, policy.RetryOptions{
		MaxRetries: maxRetries, RetryDelay: retryDelay, MaxRetryDelay: maxRetryDelay, TryTimeout: tryTimeout,
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
	out := &Response{Status: res.StatusCode, Header: res.Header, Body: body, RequestID: res.Header.Get("request-id")}
	g.log.Debug("graph", "op", r.op(), "status", out.Status, "request-id", out.RequestID, "took", time.Since(begun).Round(time.Millisecond))
	if res.StatusCode >= 300 {
		return nil, newError(r.op(), res.StatusCode, res.Header, body)
	}
	return out, nil
}

func (g *Graph) noAnswer(ctx context.Context, r Request, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused *AuthError
	if errors.As(err, &refused) {
		return fmt.Errorf("%s: %w", r.op(), refused)
	}
	g.log.Debug("graph", "op", r.op(), "err", err)
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

// Get reads one object.
func Get[T any](ctx context.Context, g *Graph, path string) (T, error) {
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
func List[T any](ctx context.Context, g *Graph, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for path != "" {
			page, err := Get[Page[T]](ctx, g, path)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, v := range page.Value {
				if !yield(v, nil) {
					return
				}
			}
			next, err := g.next(page.NextLink)
			if err == nil && next == path {
				err = fmt.Errorf("GET %s: the service named the same page again", strings.SplitN(path, "?", 2)[0])
			}
			if err != nil {
				yield(zero, err)
				return
			}
			path = next
		}
	}
}

// Rest reads on from a first page that came in a batch.
func Rest[T any](ctx context.Context, g *Graph, first Page[T]) ([]T, error) {
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
func (g *Graph) next(link string) (string, error) {
	if link == "" {
		return "", nil
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.Host != g.host {
		return "", fmt.Errorf("the service named a next page outside %s", g.host)
	}
	return u.RequestURI(), nil
}

var _ azcore.TokenCredential = (*credential)(nil)
