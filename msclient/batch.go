package msclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BatchSize is how many requests one $batch may hold.
// https://learn.microsoft.com/graph/json-batching
const BatchSize = 20

const (
	batchRounds  = 6
	batchBackoff = time.Second
)

// Result is what became of one request of a batch.
type Result struct {
	*Response
	Err error // an *Error; nil on success
}

type batchItem struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

type batchReply struct {
	Responses []struct {
		ID      string            `json:"id"`
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"responses"`
}

// Batch sends up to BatchSize requests of one API version as one. The results
// stand in the order of the requests. Rows the service throttles are sent again
// after the longest time it names, and so are reads it fails at. The error is
// that of the batch as a whole: its rows' writes are then in doubt when the
// error is. Once a part of the rows has an answer, what stops the others is told
// with each of them.
func (g *Graph) Batch(ctx context.Context, reqs []Request) ([]Result, error) {
	if len(reqs) > BatchSize {
		return nil, fmt.Errorf("a batch holds at most %d requests, not %d", BatchSize, len(reqs))
	}
	for _, r := range reqs {
		if want := version(reqs[0]); version(r) != want {
			return nil, fmt.Errorf("%s is not of version %s like the rest of its batch", r.op(), want)
		}
	}
	out := make([]Result, len(reqs))
	var left []int
	for i, r := range reqs {
		if _, spaced := classOf(r.Path); spaced { // rows of one batch cannot be kept apart
			out[i].Response, out[i].Err = g.Do(ctx, r)
			continue
		}
		left = append(left, i)
	}
	answered := len(left) < len(reqs)
	for round := 1; len(left) > 0; round++ {
		if err := g.batchRound(ctx, reqs, left, out); err != nil {
			if !answered {
				return nil, err
			}
			fail(out, left, err)
			return out, nil
		}
		answered = true
		if round == batchRounds || oneTry(ctx) {
			break
		}
		var again []int
		var named time.Duration
		for _, i := range left {
			if e := repeatable(reqs[i], out[i].Err); e != nil {
				again = append(again, i)
				named = max(named, e.RetryAfter)
			}
		}
		if left = again; len(left) == 0 {
			break
		}
		tellWait(ctx, named)
		if err := Sleep(ctx, max(batchBackoff<<(round-1), named)); err != nil {
			fail(out, left, err)
			break
		}
	}
	return out, nil
}

func fail(out []Result, rows []int, err error) {
	for _, i := range rows {
		out[i] = Result{Err: err}
	}
}

// version is the first part of a request's path: "v1.0".
func version(r Request) string {
	v, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
	return v
}

// repeatable tells whether a row may be sent again: throttled rows did not take
// effect, and a read can be repeated whatever happened. A row that is to wait
// longer than a single request would is left to the caller.
func repeatable(r Request, err error) *Error {
	var e *Error
	if !errors.As(err, &e) || e.RetryAfter > maxRetryDelay {
		return nil
	}
	if e.Throttled() || r.reads() && e.InDoubt() {
		return e
	}
	return nil
}

func (g *Graph) batchRound(ctx context.Context, reqs []Request, rows []int, out []Result) error {
	prefix := "/" + version(reqs[0])
	items := make([]batchItem, 0, len(rows))
	readsOnly := true
	for _, i := range rows {
		r := reqs[i]
		item := batchItem{ID: strconv.Itoa(i), Method: r.method(), URL: strings.TrimPrefix(r.Path, prefix), Body: r.Body}
		if r.Body != nil {
			item.Headers = map[string]string{"Content-Type": "application/json"}
		}
		for k, v := range r.Header {
			if item.Headers == nil {
				item.Headers = map[string]string{}
			}
			item.Headers[k] = strings.Join(v, ", ")
		}
		readsOnly = readsOnly && r.reads()
		items = append(items, item)
	}
	outer := Request{Method: http.MethodPost, Path: prefix + "/$batch", Body: map[string]any{"requests": items}}
	res, err := g.send(ctx, outer, readsOnly)
	if err != nil {
		return err
	}
	var reply batchReply
	if err := res.Decode(&reply); err != nil {
		return &Error{Op: outer.op(), Err: err, RequestID: res.RequestID}
	}
	for _, i := range rows {
		out[i] = Result{Err: &Error{Op: reqs[i].op(), Err: errors.New("the batch's answer left this request out"), RequestID: res.RequestID}}
	}
	for _, row := range reply.Responses {
		i, err := strconv.Atoi(row.ID)
		if err != nil || !slices.Contains(rows, i) {
			continue
		}
		header := http.Header{}
		for k, v := range row.Headers {
			header.Set(k, v)
		}
		if header.Get("request-id") == "" {
			header.Set("request-id", res.RequestID)
		}
		if row.Status < 200 { // left out, as if the row were
			continue
		}
		if row.Status >= 300 {
			out[i] = Result{Err: newError(reqs[i].op(), row.Status, header, row.Body)}
			continue
		}
		out[i] = Result{Response: &Response{Status: row.Status, Header: header, Body: row.Body, RequestID: header.Get("request-id")}}
	}
	return nil
}
