package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unique"
)

// maxBatch is how many requests a batch may hold.
// https://learn.microsoft.com/graph/json-batching
const maxBatch = 20

type batchItem struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// batch is a $batch that is being carried out.
type batch struct {
	parallel bool
	touched  map[string]bool // objects an item has written to
}

func badBatch(format string, args ...any) *graphError {
	return fail(http.StatusBadRequest, "BadRequest", format, args...)
}

// readBatch decodes the requests of a batch, or tells why the whole is refused.
// It is also used to see what a request is about to change.
func readBatch(body []byte) ([]batchItem, *graphError) {
	var in struct {
		Requests []batchItem `json:"requests"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, badBatch("Invalid batch payload format.")
	}
	if _, err := dec.Token(); err != io.EOF || len(in.Requests) == 0 {
		return nil, badBatch("Invalid batch payload format.")
	}
	if len(in.Requests) > maxBatch {
		return nil, badBatch("Number of batch request steps exceeds the maximum value of %d.", maxBatch)
	}
	seen := map[string]bool{}
	for _, item := range in.Requests {
		switch {
		case item.ID == "" || item.Method == "" || item.URL == "":
			return nil, badBatch("Invalid batch payload format.")
		case seen[item.ID]:
			return nil, badBatch("Request Id %s has to be unique in a batch.", item.ID)
		case strings.Contains(item.URL, "://"):
			return nil, badBatch("Invalid batch payload format. The url of request %s must be relative.", item.ID)
		case len(item.DependsOn) > 1:
			return nil, badBatch("Request %s depends on more than one other request.", item.ID)
		case len(item.DependsOn) == 1 && !seen[item.DependsOn[0]]:
			return nil, badBatch("The dependsOn of request %s names no request before it.", item.ID)
		}
		seen[item.ID] = true
	}
	return in.Requests, checkOrder(in.Requests)
}

// checkOrder: a batch is parallel, a chain, or everything waits for one request.
// https://learn.microsoft.com/graph/known-issues#json-batching
func checkOrder(items []batchItem) *graphError {
	chain, fan, parallel := true, true, true
	for i, item := range items {
		if len(item.DependsOn) > 0 {
			parallel = false
		}
		if i > 0 {
			on := ""
			if len(item.DependsOn) > 0 {
				on = item.DependsOn[0]
			}
			chain = chain && on == items[i-1].ID
			fan = fan && on == items[0].ID
		}
	}
	if !parallel && !chain && !fan {
		return badBatch("Invalid batch payload format. Requests must be either all parallel, all serial, or all depend on the same request.")
	}
	return nil
}

// runBatch carries out a $batch. It answers 200 even when every item failed.
func (q *call) runBatch(row *Request) *answer {
	if q.method != http.MethodPost {
		return q.failed(fail(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."))
	}
	if kind, _, _ := strings.Cut(q.header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return q.failed(badBatch("Write requests (excluding DELETE) must contain the Content-Type header declaration."))
	}
	items := row.items // as they were read when the request came in
	if items == nil {
		var refused *graphError
		if items, refused = readBatch(q.body); refused != nil {
			return q.failed(refused)
		}
	}
	state := &batch{parallel: true, touched: map[string]bool{}}
	for _, item := range items {
		state.parallel = state.parallel && len(item.DependsOn) == 0
	}
	status := map[string]int{}
	responses := make([]any, 0, len(items))
	row.inner = make([]innerRow, 0, len(items))
	for _, item := range items {
		reply := q.runItem(item, state, status)
		status[item.ID] = reply.status
		row.inner = append(row.inner, innerRow{
			method: unique.Make(item.Method), url: unique.Make(q.url(item.URL)), status: int16(reply.status), write: writes(item.Method, item.URL),
		})
		headers := map[string]string{"Cache-Control": "no-cache"}
		maps.Copy(headers, reply.header)
		entry := object{"id": item.ID, "status": reply.status, "headers": headers}
		if reply.body != nil {
			entry["body"] = reply.body
			headers["Content-Type"] = "application/json"
		}
		responses = append(responses, entry)
	}
	// The order of the answers is nobody's to rely on.
	q.c.rng.Shuffle(len(responses), func(i, j int) { responses[i], responses[j] = responses[j], responses[i] })
	return &answer{status: http.StatusOK, body: object{"responses": responses}}
}

func (q *call) runItem(item batchItem, state *batch, status map[string]int) *answer {
	inner := &call{
		c: q.c, host: q.host, version: q.version, method: strings.ToUpper(item.Method), header: http.Header{}, body: item.Body,
		tok: q.tok, t: q.t, v: q.c.look(), batched: state, requestID: q.c.guid(), clientRequestID: q.clientRequestID,
	}
	for name, value := range item.Headers {
		inner.header.Set(name, value)
	}
	if len(item.DependsOn) > 0 && status[item.DependsOn[0]] >= 400 {
		return inner.failed(fail(http.StatusFailedDependency, "FailedDependency", "Failed Dependency"))
	}
	u, err := url.Parse("/" + strings.TrimPrefix(item.URL, "/"))
	if err != nil {
		return inner.failed(badBatch("Invalid batch payload format."))
	}
	inner.path, inner.query = u.Path, u.Query()
	hasBody := len(item.Body) > 0 && string(item.Body) != "null"
	switch {
	case inner.path == "/$batch":
		return inner.failed(badBatch("Batch requests cannot be nested."))
	case !slices.Contains([]string{"GET", "POST", "PATCH", "PUT", "DELETE"}, inner.method):
		return inner.failed(badBatch("Invalid batch payload format."))
	case hasBody && !strings.HasPrefix(strings.ToLower(inner.header.Get("Content-Type")), "application/json"):
		return inner.failed(badBatch("Write request id : %s does not contain Content-Type header or body.", item.ID))
	case !hasBody && (inner.method == "PATCH" || inner.method == "PUT"):
		return inner.failed(badBatch("Write request id : %s does not contain Content-Type header or body.", item.ID))
	}
	fault := q.c.pickInner(inner.method, inner.path, writes(inner.method, inner.path))
	if fault != nil && !fault.after() {
		return inner.faulty(fault)
	}
	reply := inner.answer()
	if fault != nil {
		return inner.faulty(fault)
	}
	return reply
}

// faulty is how an item fails that a fault was made for.
func (q *call) faulty(f *armedFault) *answer {
	if f.Do == fault500 {
		return q.failed(fail(http.StatusInternalServerError, "Service_InternalServerError", "Encountered an internal server error."))
	}
	reply := q.failed(throttled())
	reply.header = map[string]string{"Retry-After": strconv.Itoa(f.seconds())}
	return reply
}

func throttled() *graphError {
	return fail(http.StatusTooManyRequests, "TooManyRequests", "Too many requests. Please try again later.")
}

// exclusive is called before a write to an object. Items of a parallel batch
// that write to the same one get into each other's way now and then.
func (q *call) exclusive(id string) error {
	if q.batched == nil || !q.batched.parallel || q.c.opts.Delays != DelaysRealistic {
		return nil
	}
	busy := q.batched.touched[id]
	q.batched.touched[id] = true
	if busy && q.c.chance(0.1) {
		return fail(http.StatusConflict, "Directory_ConcurrencyViolation", "Unable to complete the request due to concurrent changes to the object. Please try again.")
	}
	return nil
}
