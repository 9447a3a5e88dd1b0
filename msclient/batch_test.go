package msclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inner is a request as it stands in a batch.
type inner struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// batches answers $batch requests row by row; rows of status 0 are left out of
// the answer, which comes in reverse order.
func (s *service) batches(answer func(round int, r inner) reply) {
	round := 0
	s.graph = func(r sent) reply {
		if !strings.HasSuffix(r.path, "/$batch") {
			return answer(0, inner{Method: r.method, URL: r.path})
		}
		round++
		var body struct{ Requests []inner }
		if err := json.Unmarshal([]byte(r.body), &body); err != nil {
			s.t.Error(err)
		}
		rows := []any{}
		for _, in := range body.Requests {
			a := answer(round, in)
			if a.err != nil || a.status >= 900 { // of the batch as a whole
				a.status -= 900
				return a
			}
			if a.status == 0 {
				continue
			}
			row := map[string]any{"id": in.ID, "status": a.status, "headers": a.header}
			if a.body != "" {
				row["body"] = json.RawMessage(a.body)
			}
			rows = append(rows, row)
		}
		slices.Reverse(rows)
		return ok(jsonText(map[string]any{"responses": rows}))
	}
}

// sentIn lists the addresses of each batch that was sent.
func (s *service) sentIn() [][]string {
	var out [][]string
	for _, r := range s.to("/$batch") {
		var body struct{ Requests []inner }
		_ = json.Unmarshal([]byte(r.body), &body)
		var urls []string
		for _, in := range body.Requests {
			urls = append(urls, in.Method+" "+in.URL)
		}
		out = append(out, urls)
	}
	return out
}

func gets(paths ...string) []Request {
	var out []Request
	for _, p := range paths {
		out = append(out, Request{Path: "/v1.0" + p})
	}
	return out
}

// outcomes says of each result its body, or its status and whether it is in doubt.
func outcomes(results []Result) []string {
	var out []string
	for _, r := range results {
		var e *Error
		switch {
		case r.Err == nil:
			out = append(out, string(r.Body))
		case errors.As(r.Err, &e):
			out = append(out, fmt.Sprintf("%d doubt=%t", e.Status, e.InDoubt()))
		default:
			out = append(out, r.Err.Error())
		}
	}
	return out
}

func TestBatchKeepsTheOrder(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.batches(func(_ int, r inner) reply { return ok(jsonText(r.URL)) })
		var reqs []Request
		var want []string
		for i := range BatchSize {
			reqs = append(reqs, Request{Path: fmt.Sprintf("/v1.0/x/%d?$select=id", i)})
			want = append(want, fmt.Sprintf(`"/x/%d?$select=id"`, i))
		}
		got, err := g.Batch(t.Context(), reqs)
		if diff := cmp.Diff(want, outcomes(got)); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		for i, r := range got {
			if r.RequestID == "" {
				t.Errorf("row %d has no request id", i)
			}
		}
		if got, err := g.Batch(t.Context(), nil); len(got) != 0 || err != nil || len(s.sentIn()) != 1 {
			t.Errorf("of nothing: got %v, %v", got, err)
		}
	})
}

func TestBatchSendsRowsAsTheyAre(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.batches(func(int, inner) reply { return status(204) })
		_, err := g.Batch(t.Context(), []Request{
			{Path: "/beta/x"},
			{Method: "POST", Path: "/beta/y", Body: json.RawMessage(`{"a":1}`)},
			{Method: "PATCH", Path: "/beta/z", Body: map[string]int{"b": 2}, Header: http.Header{"If-Match": {"*"}, "ConsistencyLevel": {"eventual"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		sent := s.to("/beta/$batch")
		var body struct{ Requests []inner }
		if err := json.Unmarshal([]byte(sent[0].body), &body); err != nil {
			t.Fatal(err)
		}
		want := []inner{
			{ID: "0", Method: "GET", URL: "/x"},
			{ID: "1", Method: "POST", URL: "/y", Headers: map[string]string{"Content-Type": "application/json"}, Body: json.RawMessage(`{"a":1}`)},
			{ID: "2", Method: "PATCH", URL: "/z", Headers: map[string]string{"Content-Type": "application/json", "If-Match": "*", "ConsistencyLevel": "eventual"}, Body: json.RawMessage(`{"b":2}`)},
		}
		if diff := cmp.Diff(want, body.Requests); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestBatchRows(t *testing.T) {
	after := func(code int, seconds string) reply {
		return reply{status: code, header: map[string]string{"retry-after": seconds}, body: graphError("c", "m")}
	}
	post := func(path string) Request { return Request{Method: "POST", Path: "/v1.0" + path} }
	once := func(first reply) func(int, inner) reply { // every row but /ok fails once
		return func(round int, r inner) reply {
			if round == 1 && r.URL != "/ok" {
				return first
			}
			return ok(jsonText(r.URL))
		}
	}
	for _, tt := range []struct {
		name   string
		reqs   []Request
		answer func(int, inner) reply
		want   []string
		sent   [][]string
		gaps   []time.Duration
	}{
		{
			"throttled rows go again alone", append(gets("/a", "/ok", "/b"), post("/c")),
			func(round int, r inner) reply {
				if round == 1 && r.URL != "/ok" {
					return after(429, map[string]string{"/a": "3", "/b": "17", "/c": "5"}[r.URL])
				}
				return ok(jsonText(r.URL))
			},
			[]string{`"/a"`, `"/ok"`, `"/b"`, `"/c"`},
			[][]string{{"GET /a", "GET /ok", "GET /b", "POST /c"}, {"GET /a", "GET /b", "POST /c"}},
			[]time.Duration{17 * second},
		},
		{
			"no time named", gets("/a"), once(status(429)), []string{`"/a"`}, [][]string{{"GET /a"}, {"GET /a"}}, []time.Duration{second},
		},
		{
			"two minutes", gets("/a"), once(after(429, "120")), []string{`"/a"`}, [][]string{{"GET /a"}, {"GET /a"}}, []time.Duration{120 * second},
		},
		{
			"an hour is left to the caller", append(gets("/ok"), post("/a")), once(after(429, "3600")),
			[]string{`"/ok"`, "429 doubt=false"},
			[][]string{{"GET /ok", "POST /a"}},
			nil,
		},
		{
			"reads go again after a failure, writes do not", append(gets("/a", "/ok"), post("/b"), Request{Method: "PATCH", Path: "/v1.0/c"}),
			once(status(503)),
			[]string{`"/a"`, `"/ok"`, "503 doubt=true", "503 doubt=true"},
			[][]string{{"GET /a", "GET /ok", "POST /b", "PATCH /c"}, {"GET /a"}},
			[]time.Duration{second},
		},
		{
			"refusals stand", append(gets("/a"), post("/b")), once(status(404)), []string{"404 doubt=false", "404 doubt=false"}, [][]string{{"GET /a", "POST /b"}}, nil,
		},
		{
			"rows left out are in doubt", append(gets("/ok"), post("/a")), once(reply{}), []string{`"/ok"`, "0 doubt=true"}, [][]string{{"GET /ok", "POST /a"}}, nil,
		},
		{
			"reads left out go again", gets("/a"), once(reply{}), []string{`"/a"`}, [][]string{{"GET /a"}, {"GET /a"}}, []time.Duration{second},
		},
		{
			"a row without a proper status is no success", []Request{post("/a")}, once(reply{status: 1}), []string{"0 doubt=true"}, [][]string{{"POST /a"}}, nil,
		},
		{
			"throttled without end",
			[]Request{post("/a")},
			func(int, inner) reply { return status(429) },
			[]string{"429 doubt=false"},
			slices.Repeat([][]string{{"POST /a"}}, batchRounds),
			[]time.Duration{second, 2 * second, 4 * second, 8 * second, 16 * second},
		},
		{
			"a later round is lost", append(gets("/ok"), post("/a")),
			func(round int, r inner) reply {
				switch {
				case r.URL == "/ok":
					return ok(`"/ok"`)
				case round == 1:
					return status(429)
				}
				return status(900 + 500)
			},
			[]string{`"/ok"`, "500 doubt=true"},
			[][]string{{"GET /ok", "POST /a"}, {"POST /a"}},
			[]time.Duration{second},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				g := s.signIn(c)
				s.batches(tt.answer)
				got, err := g.Batch(t.Context(), tt.reqs)
				if diff := cmp.Diff(tt.want, outcomes(got)); diff != "" || err != nil {
					t.Errorf("results, %v (-want +got):\n%s", err, diff)
				}
				if diff := cmp.Diff(tt.sent, s.sentIn()); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.gaps, gaps(times(s.to("/$batch")))); diff != "" {
					t.Errorf("gaps (-want +got):\n%s", diff)
				}
				for i, r := range got {
					var e *Error
					if errors.As(r.Err, &e) && (!strings.Contains(e.Op, tt.reqs[i].Path) && !strings.HasSuffix(e.Op, "$batch") || e.RequestID == "") {
						t.Errorf("row %d: op %q, request id %q", i, e.Op, e.RequestID)
					}
				}
			})
		})
	}
}

func TestAnAnswerToOtherRowsIsIgnored(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		round := 0
		s.graph = func(sent) reply {
			if round++; round == 1 {
				return ok(`{"responses":[{"id":"0","status":200,"body":"first"},{"id":"1","status":429},{"id":"7","status":200},{"id":"x","status":200},{"id":"-1","status":200}]}`)
			}
			return ok(`{"responses":[{"id":"0","status":500},{"id":"1","status":200,"body":"second"}]}`)
		}
		got, err := g.Batch(t.Context(), gets("/a", "/b"))
		if diff := cmp.Diff([]string{`"first"`, `"second"`}, outcomes(got)); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func TestBatchAsAWhole(t *testing.T) {
	write := append(gets("/a"), Request{Method: "POST", Path: "/v1.0/b"})
	for _, tt := range []struct {
		name    string
		reqs    []Request
		replies []reply
		want    string // of the error; empty for none
		doubt   bool
		sent    int
	}{
		{"reads, 500", gets("/a"), []reply{status(500), ok(`{"responses":[{"id":"0","status":200}]}`)}, "", false, 2},
		{"reads, reset", gets("/a"), []reply{{err: errReset}, ok(`{"responses":[{"id":"0","status":200}]}`)}, "", false, 2},
		{"writes, 429", write, []reply{throttled("1"), ok(`{"responses":[{"id":"0","status":200},{"id":"1","status":200}]}`)}, "", false, 2},
		{"writes, 500", write, []reply{status(500)}, "POST /v1.0/$batch: 500", true, 1},
		{"writes, reset", write, []reply{{err: errReset}}, "POST /v1.0/$batch: no answer: ", true, 1},
		{"writes, no host", write, []reply{{err: errDNS}}, "POST /v1.0/$batch: not sent: ", false, maxRetries + 1},
		{"writes, 400", write, []reply{status(400)}, "POST /v1.0/$batch: 400", false, 1},
		{"writes, no JSON", write, []reply{ok("<html>")}, "POST /v1.0/$batch: no answer: read the service's answer: ", true, 1},
		{"other version", []Request{{Path: "/v1.0/a"}, {Method: "POST", Path: "/beta/b"}}, nil, "POST /beta/b is not of version v1.0 like the rest of its batch", false, 0},
		{"other version, spaced", []Request{{Path: "/v1.0/identity/conditionalAccess/policies"}, {Path: "/beta/b"}}, nil, "GET /beta/b is not of version v1.0", false, 0},
		{"version alike", []Request{{Path: "/v1.0/a"}, {Path: "/v1.01/b"}}, nil, "GET /v1.01/b is not of version v1.0", false, 0},
		{"21 requests", slices.Repeat(gets("/a"), 21), nil, "a batch holds at most 20 requests, not 21", false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				g := s.signIn(c)
				before := s.count()
				if tt.replies != nil {
					s.graph = script(tt.replies...)
				}
				got, err := g.Batch(t.Context(), tt.reqs)
				if n := s.count() - before; n != tt.sent {
					t.Errorf("%d requests were sent, want %d", n, tt.sent)
				}
				if tt.want == "" {
					if err != nil || len(got) != len(tt.reqs) {
						t.Errorf("got %v, %v", got, err)
					}
					return
				}
				var e *Error
				doubt := errors.As(err, &e) && e.InDoubt()
				if got != nil || err == nil || !strings.HasPrefix(err.Error(), tt.want) || doubt != tt.doubt {
					t.Errorf("got %v, %v, in doubt %t", got, err, doubt)
				}
			})
		})
	}
}

func TestConditionalAccessRowsGoSingly(t *testing.T) {
	const policies = "/v1.0/identity/conditionalAccess/policies"
	mixed := []Request{{Path: policies + "/1"}, {Path: "/v1.0/a"}, {Method: "PATCH", Path: policies + "/2"}, {Path: policies + "/3"}}
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.batches(func(_ int, r inner) reply { return ok(jsonText(r.URL)) })
		got, err := g.Batch(t.Context(), mixed)
		want := []string{`"` + policies + `/1"`, `"/a"`, `"` + policies + `/2"`, `"` + policies + `/3"`}
		if diff := cmp.Diff(want, outcomes(got)); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if diff := cmp.Diff([]time.Duration{1100 * time.Millisecond, 1100 * time.Millisecond}, gaps(times(s.to(policies)))); diff != "" {
			t.Errorf("gaps (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([][]string{{"GET /a"}}, s.sentIn()); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
	// What they did is told, also when the batch of the others fails.
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.graph = func(r sent) reply {
			if strings.HasSuffix(r.path, "$batch") {
				return status(403)
			}
			return ok(`"done"`)
		}
		got, err := g.Batch(t.Context(), mixed)
		if diff := cmp.Diff([]string{`"done"`, "403 doubt=false", `"done"`, `"done"`}, outcomes(got)); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func TestBatchHonoursTheContext(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.batches(func(_ int, r inner) reply {
			if r.URL == "/ok" {
				return ok(`"kept"`)
			}
			return throttled("120")
		})
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		time.AfterFunc(second, cancel)
		got, err := g.Batch(ctx, gets("/ok", "/a"))
		if diff := cmp.Diff([]string{`"kept"`, "context canceled"}, outcomes(got)); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if time.Since(begun) != second {
			t.Errorf("returned after %s", time.Since(begun))
		}
	})
}

// Whoever waits for a throttled batch is told, with the time the service named.
func TestBatchTellsWhatItWaitsFor(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.batches(func(round int, r inner) reply {
			switch {
			case round == 1 && r.URL == "/a":
				return throttled("300")
			case round < 3:
				return reply{status: 429}
			}
			return ok(`"x"`)
		})
		var told []time.Duration
		ctx := WithWaiting(t.Context(), func(d time.Duration) { told = append(told, d) })
		got, err := g.Batch(ctx, gets("/a", "/b"))
		if diff := cmp.Diff([]string{`"x"`, `"x"`}, outcomes(got)); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		if diff := cmp.Diff([]time.Duration{5 * time.Minute, 0}, told); diff != "" {
			t.Errorf("it told (-want +got):\n%s", diff)
		}
	})
}
