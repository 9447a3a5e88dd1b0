package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// answer is what a service says, before it is written.
type answer struct {
	status int
	header map[string]string
	body   any // encoded as JSON; []byte is sent as it is; nil is no body
}

// graphError is an error of Microsoft Graph.
// https://learn.microsoft.com/graph/errors
type graphError struct {
	status  int
	code    string
	message string
	details []any
	header  map[string]string
}

func (e *graphError) Error() string { return e.code + ": " + e.message }

func fail(status int, code, format string, args ...any) *graphError {
	return &graphError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// badRequest is the directory's answer to a body or a parameter it cannot take.
func badRequest(format string, args ...any) *graphError {
	return fail(http.StatusBadRequest, "Request_BadRequest", format, args...)
}

func (e *graphError) with(code, message, target string) *graphError {
	e.details = append(e.details, object{"code": code, "message": message, "target": target})
	return e
}

func notFound(id string) *graphError {
	return fail(http.StatusNotFound, "Request_ResourceNotFound",
		"Resource '%s' does not exist or one of its queried reference-property objects are not present.", id)
}

func denied() *graphError {
	return fail(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

func unauthorized(format string, args ...any) *graphError {
	e := fail(http.StatusUnauthorized, "InvalidAuthenticationToken", format, args...)
	e.header = map[string]string{"WWW-Authenticate": `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`}
	return e
}

func unsupportedFilter(property, kind string) *graphError {
	return fail(http.StatusBadRequest, "Request_UnsupportedQuery",
		"Unsupported or invalid query filter clause specified for property '%s' of resource '%s'.", property, upperFirst(kind))
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// answer puts the error into the service's envelope.
func (e *graphError) answer(date, requestID, clientRequestID string) *answer {
	body := object{"code": e.code, "message": e.message, "innerError": object{
		"date": date, "request-id": requestID, "client-request-id": clientRequestID,
	}}
	if e.details != nil {
		body["details"] = e.details
	}
	return &answer{status: e.status, header: maps.Clone(e.header), body: object{"error": body}}
}

// stsError is an error of the token service.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
type stsError struct {
	status int
	error  string
	code   int
	text   string
	claims string
	sub    string
}

func (e *stsError) Error() string { return e.error + ": AADSTS" + strconv.Itoa(e.code) }

func refuse(name string, code int, format string, args ...any) *stsError {
	status := http.StatusBadRequest
	if name == "invalid_client" {
		status = http.StatusUnauthorized
	}
	return &stsError{status: status, error: name, code: code, text: fmt.Sprintf(format, args...)}
}

// answer puts the error into the token service's envelope.
func (e *stsError) answer(c *Cloud, correlation string) *answer {
	now := c.now()
	trace := c.guid()
	text := fmt.Sprintf("%s Trace ID: %s Correlation ID: %s Timestamp: %s", e.text, trace, correlation, now.Format("2006-01-02 15:04:05Z"))
	body := object{
		"error": e.error, "error_description": text, "timestamp": now.Format("2006-01-02 15:04:05Z"),
		"trace_id": trace, "correlation_id": correlation,
	}
	if e.code != 0 {
		body["error_description"] = fmt.Sprintf("AADSTS%d: %s", e.code, text)
		body["error_codes"] = []any{e.code}
		body["error_uri"] = fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", e.code)
	}
	if e.claims != "" {
		body["claims"] = e.claims
	}
	if e.sub != "" {
		body["suberror"] = e.sub
	}
	return &answer{status: e.status, body: body}
}

// send writes an answer.
func (a *answer) send(w http.ResponseWriter) {
	for _, k := range slices.Sorted(maps.Keys(a.header)) {
		w.Header().Set(k, a.header[k])
	}
	var body []byte
	switch b := a.body.(type) {
	case nil:
	case []byte:
		body = b
	default:
		body = encode(nil, b)
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
	}
	if body != nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}
