package steps

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// stubborn answers some of what is written for one customer in the service's
// stead. What it answers never reaches the service.
type stubborn struct {
	next     http.RoundTripper
	customer string
	mine     map[string]bool // ids of the customer's relationships
	answer   func(method, path string) *stub
	given    []string // what was answered
	body     []byte   // of the request that is to be answered
}

type stub struct {
	status        int
	code, message string
	body          string // of an answer that is no error
}

var (
	notYours = &stub{status: 403, code: "accessDenied", message: "The user (principal) does not have the required permissions to perform the specified action on the resource."}
	invalid  = &stub{status: 400, code: "badRequest", message: "The request cannot be carried out."}
	clashes  = &stub{status: 409, code: "conflict", message: "The resource is in conflict with another."}
	unknown  = &stub{status: 404, code: "notFound", message: "The resource was not found."}
	broken   = &stub{status: 500, code: "Service_InternalServerError", message: "Encountered an internal server error."}
	accepted = &stub{status: 201, body: `{"status":"created"}`}
)

func (s *stub) text() json.RawMessage {
	if s.body != "" {
		return json.RawMessage(s.body)
	}
	return encodeAny(map[string]any{"error": map[string]any{"code": s.code, "message": s.message, "innerError": map[string]string{"request-id": "11111111-2222-3333-4444-555555555555"}}})
}

type batchRow struct {
	ID      string            `json:"id"`
	Method  string            `json:"method,omitempty"`
	URL     string            `json:"url,omitempty"`
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// judge says how a request is answered; nil leaves it to the service.
func (s *stubborn) judge(method, path string, body []byte) *stub {
	var w wireRelationship
	ours := s.customer == "" || s.mine[relationshipIn("/v1.0"+path)] || json.Unmarshal(body, &w) == nil && w.Customer.TenantID == s.customer
	if !ours {
		return nil
	}
	s.body = body
	out := s.answer(method, path)
	if out != nil {
		s.given = append(s.given, method+" "+path)
	}
	return out
}

// learn takes up which relationships are the customer's.
func (s *stubborn) learn(body []byte) {
	var one struct {
		wireRelationship
		Value []wireRelationship `json:"value"`
	}
	if json.Unmarshal(body, &one) != nil {
		return
	}
	for _, w := range append(one.Value, one.wireRelationship) {
		if w.Customer.TenantID == s.customer {
			s.mine[w.ID] = true
		}
	}
}

func (s *stubborn) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != "graph.microsoft.com" {
		return s.next.RoundTrip(req)
	}
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	reply := func(status int, body []byte) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: req}
	}
	pass := func(body []byte) ([]byte, *http.Response, error) {
		next := req.Clone(req.Context())
		next.Body, next.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		res, err := s.next.RoundTrip(next)
		if err != nil {
			return nil, nil, err
		}
		got, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		res.Body = io.NopCloser(bytes.NewReader(got))
		return got, res, err
	}
	if !strings.HasSuffix(req.URL.Path, "/$batch") {
		if a := s.judge(req.Method, strings.TrimPrefix(req.URL.Path, "/v1.0"), body); a != nil {
			return reply(a.status, a.text()), nil
		}
		got, res, err := pass(body)
		s.learn(got)
		return res, err
	}
	var in struct {
		Requests []batchRow `json:"requests"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	var out struct {
		Responses []batchRow `json:"responses"`
	}
	var rest []batchRow
	for _, row := range in.Requests {
		if a := s.judge(row.Method, row.URL, row.Body); a != nil {
			out.Responses = append(out.Responses, batchRow{ID: row.ID, Status: a.status, Body: a.text(), Headers: map[string]string{"Content-Type": "application/json"}})
		} else {
			rest = append(rest, row)
		}
	}
	if len(rest) > 0 {
		in.Requests = rest
		got, res, err := pass(encodeAny(in))
		if err != nil || res.StatusCode != http.StatusOK {
			return res, err
		}
		mine := out.Responses
		if err := json.Unmarshal(got, &out); err != nil {
			return nil, err
		}
		for _, row := range out.Responses {
			s.learn(row.Body)
		}
		out.Responses = append(out.Responses, mine...)
	}
	return reply(http.StatusOK, encodeAny(out)), nil
}

// refusing has requests about a customer answered by a test; empty for about any.
func (w *partnership) refusing(customer string, answer func(method, path string) *stub) *stubborn {
	s := &stubborn{customer: customer, mine: map[string]bool{}, answer: answer}
	w.wrap = func(next http.RoundTripper) http.RoundTripper { s.next = next; return s }
	return s
}

// at answers requests whose method and path's end are these.
func at(method, end string, s *stub) func(string, string) *stub {
	return func(m, path string) *stub {
		path, _, _ = strings.Cut(path, "?")
		if m == method && strings.HasSuffix(path, end) {
			return s
		}
		return nil
	}
}
