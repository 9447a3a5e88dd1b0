// Package conform checks what goes over the wire against the official
// descriptions of the simulated services. Only tests use it.
package conform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"msbundle/catalog"
)

// Env names the folder with the descriptions.
const Env = "MSBUNDLE_CONFORMANCE_DIR"

// files are the descriptions and the path prefix each is served under.
var files = []struct{ name, prefix string }{
	{"graph-v1.0.subset.yaml", "/v1.0"},
	{"graph-beta.subset.yaml", "/beta"},
	{"arm.subset.yaml", ""},
}

type description struct {
	name   string
	prefix string
	router routers.Router
	fault  *openapi3.Schema // shape of an error
}

// Checker holds the descriptions and what was found with them.
type Checker struct {
	// OneOf has every write and read of a sort checked the first few times, and of
	// more of them one in so many only. Up to 1 has all of them checked.
	OneOf int

	described []description

	mu         sync.Mutex
	violations []string
	count      int
	seen       map[string]int // by sort
}

// Fresh is a checker with the same descriptions that has seen nothing yet:
// reading them takes a while.
func (c *Checker) Fresh() *Checker { return &Checker{described: c.described} }

// Load reads the descriptions in a folder.
func Load(dir string) (*Checker, error) {
	c := &Checker{}
	for _, f := range files {
		doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(dir, f.name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if err := doc.Validate(context.Background()); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		server := f.prefix
		if server == "" {
			server = "/"
		}
		doc.Servers = openapi3.Servers{{URL: server}}
		router, err := gorillamux.NewRouter(doc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		d := description{name: f.name, prefix: f.prefix, router: router}
		if ref := doc.Components.Schemas["error"]; ref != nil {
			d.fault = ref.Value
		}
		c.described = append(c.described, d)
	}
	return c, nil
}

var options = &openapi3filter.Options{
	MultiError: true, IncludeResponseStatus: true,
	AuthenticationFunc: func(_ context.Context, in *openapi3filter.AuthenticationInput) error {
		if !strings.HasPrefix(in.RequestValidationInput.Request.Header.Get("Authorization"), "Bearer ") {
			return in.NewError(errors.New("no bearer token"))
		}
		return nil
	},
}

// of finds the description of a request; nil when its host has none.
func (c *Checker) of(u *url.URL) *description {
	host := strings.ToLower(u.Hostname())
	for i, d := range c.described {
		for _, cloud := range catalog.Clouds() {
			if d.prefix != "" && host == cloud.Graph && strings.HasPrefix(u.Path, d.prefix+"/") || d.prefix == "" && host == cloud.ARM {
				return &c.described[i]
			}
		}
	}
	return nil
}

// exchange is a request and its answer.
type exchange struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte

	status       int
	answerHeader http.Header
	answer       []byte
}

// Where a path says the same as one that is described. A segment can name the
// tenant of the token; the function gives the same objects as its list.
var (
	brackets = strings.NewReplacer("%27", "'", "%28", "(", "%29", ")")
	synonyms = strings.NewReplacer("/myorganization/", "/", "/filterByCurrentUser(on='principal')", "")
)

func (x exchange) request() (*http.Request, error) {
	u := *x.url
	// The router matches the escaped path; keys in brackets may be escaped or not.
	u.Path, u.RawPath = synonyms.Replace(u.Path), synonyms.Replace(brackets.Replace(x.url.EscapedPath()))
	req, err := http.NewRequest(x.method, u.String(), bytes.NewReader(x.body))
	if err != nil {
		return nil, err
	}
	req.URL = &u
	req.Header = x.header.Clone()
	if len(x.body) == 0 {
		req.Body, req.ContentLength = nil, 0
	}
	return req, nil
}

// checkRequest tells what is wrong with a request.
func (d *description) checkRequest(x exchange) (*openapi3filter.RequestValidationInput, error) {
	req, err := x.request()
	if err != nil {
		return nil, err
	}
	route, params, err := d.router.FindRoute(req)
	if err != nil {
		return nil, err
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	return in, openapi3filter.ValidateRequest(context.Background(), in)
}

// checkAnswer tells what is wrong with an answer. Where no operation is
// described only an error can come back, in the service's form.
func (d *description) checkAnswer(x exchange, in *openapi3filter.RequestValidationInput) error {
	if in != nil {
		return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: x.status, Header: x.answerHeader, Body: io.NopCloser(bytes.NewReader(x.answer)), Options: options,
		})
	}
	if x.status < 400 {
		return fmt.Errorf("status %d for something that is not described", x.status)
	}
	var body any
	if err := json.Unmarshal(x.answer, &body); err != nil {
		return err
	}
	if d.fault == nil {
		return nil
	}
	return d.fault.VisitJSON(body, openapi3.MultiErrors())
}

// undescribed are operations that the services have and the descriptions leave
// out.
var undescribed = regexp.MustCompile(`^/subscriptions/[^/]+/(resources|operationresults/[^/]+)$|^/providers/Microsoft\.ResourceGraph/resources$`)

// check records what is wrong with an exchange.
func (c *Checker) check(d *description, x exchange) {
	if undescribed.MatchString(x.url.Path) {
		return
	}
	// A batch has the same form in every version; only one describes it.
	envelope := d
	if strings.HasSuffix(x.url.Path, "/$batch") {
		envelope, x.url = c.versionOne(x.url)
	}
	if !c.repeated(x) {
		in, err := envelope.checkRequest(x)
		c.record("request", x, err)
		c.record("response", x, envelope.checkAnswer(x, in))
	}
	if strings.HasSuffix(x.url.Path, "/$batch") && x.status == http.StatusOK {
		c.checkBatch(d, x)
	}
}

// always is how many exchanges of a sort are checked in any case.
const always = 4

// ids are what tells two addresses of a sort apart.
var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27,}|(?i)skiptoken=[^&]*`)

// repeated tells whether an exchange is like many that were checked already: the
// same operation with the same outcome. Others are counted.
func (c *Checker) repeated(x exchange) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.OneOf > 1 {
		sort := fmt.Sprint(x.method, " ", ids.ReplaceAllString(x.url.RequestURI(), "{id}"), " ", x.status, " ", x.header.Get("If-Match") != "")
		if c.seen == nil {
			c.seen = map[string]int{}
		}
		if c.seen[sort]++; c.seen[sort] > always && c.seen[sort]%c.OneOf != 0 {
			return true
		}
	}
	c.count++
	return false
}

// versionOne is an address of Microsoft Graph in the version 1.0, and its
// description.
func (c *Checker) versionOne(u *url.URL) (*description, *url.URL) {
	one := *u
	one.Path, one.RawPath = strings.Replace(u.Path, "/beta/", "/v1.0/", 1), ""
	return c.of(&one), &one
}

// checkBatch checks every item of a batch as a request of its own.
func (c *Checker) checkBatch(d *description, x exchange) {
	var in struct {
		Requests []struct {
			ID, Method, URL string
			Headers         map[string]string
			Body            json.RawMessage
		}
	}
	var out struct {
		Responses []struct {
			ID      string
			Status  int
			Headers map[string]string
			Body    json.RawMessage
		}
	}
	if json.Unmarshal(x.body, &in) != nil || json.Unmarshal(x.answer, &out) != nil {
		return // already recorded
	}
	if len(in.Requests) != len(out.Responses) {
		c.record("response", x, fmt.Errorf("%d requests but %d responses", len(in.Requests), len(out.Responses)))
	}
	for _, item := range in.Requests {
		u, err := url.Parse("https://" + x.url.Host + d.prefix + item.URL)
		if err != nil {
			c.record("request", x, err)
			continue
		}
		inner := exchange{method: item.Method, url: u, header: http.Header{}, body: item.Body}
		inner.header.Set("Authorization", x.header.Get("Authorization"))
		for name, value := range item.Headers {
			inner.header.Set(name, value)
		}
		i := slices.IndexFunc(out.Responses, func(r struct {
			ID      string
			Status  int
			Headers map[string]string
			Body    json.RawMessage
		},
		) bool {
			return r.ID == item.ID
		})
		if i < 0 {
			c.record("response", x, fmt.Errorf("no response for item %q", item.ID))
			continue
		}
		inner.status, inner.answer, inner.answerHeader = out.Responses[i].Status, out.Responses[i].Body, http.Header{}
		for name, value := range out.Responses[i].Headers {
			inner.answerHeader.Set(name, value)
		}
		if inner.answerHeader.Get("Content-Type") == "" && len(inner.answer) > 0 {
			inner.answerHeader.Set("Content-Type", "application/json")
		}
		c.check(d, inner)
	}
}

func (c *Checker) record(what string, x exchange, err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violations = append(c.violations, fmt.Sprintf("%s %s %s (%d): %s", what, x.method, x.url.RequestURI(), x.status, strings.TrimSpace(err.Error())))
}

// Violations lists what was wrong. Each begins with "request" or "response".
func (c *Checker) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.violations)
}

// Count is how many pairs of request and answer were checked, items of batches
// included.
func (c *Checker) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Wrap checks what goes through a transport.
func (c *Checker) Wrap(next http.RoundTripper) http.RoundTripper { return checked{c, next} }

type checked struct {
	c    *Checker
	next http.RoundTripper
}

func (t checked) RoundTrip(req *http.Request) (*http.Response, error) {
	d := t.c.of(req.URL)
	if d == nil {
		return t.next.RoundTrip(req)
	}
	x := exchange{method: req.Method, url: req.URL, header: req.Header.Clone()}
	if req.Body != nil {
		var err error
		if x.body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(x.body))
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	x.answer, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(x.answer))
	x.status, x.answerHeader = resp.StatusCode, resp.Header
	t.c.check(d, x)
	return resp, nil
}

// WrapHandler checks what a handler is asked and answers.
func (c *Checker) WrapHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := *r.URL
		u.Scheme, u.Host = "https", r.Host
		d := c.of(&u)
		if d == nil {
			next.ServeHTTP(w, r)
			return
		}
		x := exchange{method: r.Method, url: &u, header: r.Header.Clone()}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		x.body = body
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		x.status, x.answerHeader, x.answer = rec.Code, rec.Header(), rec.Body.Bytes()
		c.check(d, x)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(x.answer)
	})
}

// Sample is a request with the verdict it should get.
type Sample struct {
	Name        string            `json:"name"`
	Accept      bool              `json:"accept"`
	Description string            `json:"description"`
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	Headers     map[string]string `json:"headers"`
	Body        json.RawMessage   `json:"body"`
}

// CheckSample returns what is wrong with the request of a sample, nil when it is
// accepted. The second result is false when its description is not loaded.
func (c *Checker) CheckSample(s Sample) (error, bool) {
	i := slices.IndexFunc(c.described, func(d description) bool { return d.name == s.Description })
	if i < 0 {
		return nil, false
	}
	d := &c.described[i]
	u, err := url.Parse("https://localhost" + d.prefix + s.URL)
	if err != nil {
		return err, true
	}
	x := exchange{method: s.Method, url: u, header: http.Header{"Authorization": {"Bearer x"}}, body: s.Body}
	if len(s.Body) > 0 {
		x.header.Set("Content-Type", "application/json")
	}
	for name, value := range s.Headers {
		x.header.Set(name, value)
	}
	_, err = d.checkRequest(x)
	return err, true
}
