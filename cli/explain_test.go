package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
)

// explained runs explain with a text on stdin.
func explained(ctx context.Context, in io.Reader, args ...string) ran {
	var out, stderr lockedBuffer
	a := &app{Streams: Streams{In: in, Out: &out, Err: &stderr}, env: func(string) (string, bool) { return "", false }}
	code := a.run(ctx, append([]string{"explain"}, args...))
	return ran{code, out.String(), stderr.String()}
}

const browserPage = "You cannot access this right now\n\nError Code: 53003\nRequest Id: aaaaaaaa-1111-2222-3333-444444444444\n" +
	"Correlation Id: bbbbbbbb-1111-2222-3333-444444444444\nTimestamp: 2026-11-02T09:10:11Z\nApp name: Microsoft Azure CLI\n" +
	"App id: 04b07795-8ddb-461a-bbee-02f9e1bf7b46\nDevice state: Unregistered\n"

func TestExplainText(t *testing.T) {
	for name, c := range map[string]struct {
		stdin string
		args  []string
		code  int
		says  []string
		lacks []string
	}{
		"a number": {args: []string{"53003"}, says: []string{
			"Code: AADSTS53003", "Cause: Conditional Access", "What to do: ", "Who can fix it: an administrator", "May work instead: sign-in with --auth browser",
			"Where it comes from: the sign-in page", "https://learn.microsoft.com/", "The text: 53003",
		}, lacks: []string{"Request id", "Also in the text", "Trying again"}},
		"words without quotes": {args: []string{"Permission", "entry", "already", "exists."}, says: []string{"nobody has to", "The text: Permission entry already exists."}, lacks: []string{"Code:"}},
		"stdin": {stdin: browserPage, says: []string{
			"AADSTS53003", "Request id: aaaaaaaa-1111-2222-3333-444444444444", "Correlation id: bbbbbbbb", "Time: 2026-11-02T09:10:11Z",
			"App: Microsoft Azure CLI (04b07795-8ddb-461a-bbee-02f9e1bf7b46)",
		}},
		"stdin by a dash":         {stdin: "AADSTS90033: try later", args: []string{"-"}, says: []string{"AADSTS90033", "Trying again: may help", "Microsoft: wait"}},
		"an address":              {args: []string{"https://login.microsoftonline.com/error?code=50058"}, says: []string{"AADSTS50058"}},
		"two errors":              {args: []string{"AADSTS65001: a AADSTS50076: b AADSTS999999: c"}, says: []string{"Code: AADSTS65001", "Also in the text: AADSTS50076: Multifactor", "Also in the text: AADSTS999999: not known"}},
		"unknown":                 {args: []string{"AADSTS5300"}, code: exitFailed, says: []string{"This error is not known: AADSTS5300", "Similar, but not the same:", "  AADSTS53003: Conditional", "https://login.microsoftonline.com/error"}, lacks: []string{"Who can fix it", "Cause:"}},
		"nothing similar":         {args: []string{"hello"}, code: exitFailed, says: []string{"This error is not known\n"}, lacks: []string{"Similar"}},
		"no text":                 {code: exitUsage, says: []string{"msbundle explain 53003"}},
		"blank text":              {args: []string{"", "  "}, code: exitUsage, says: []string{"msbundle explain 53003"}},
		"made harmless":           {args: []string{"AADSTS53003 \x1b]0;owned\x07 \u202egnp.exe"}, says: []string{"\ufffd]0;owned\ufffd \ufffdgnp.exe"}, lacks: []string{"\x1b", "\x07", "\u202e"}},
		"secrets in JSON in JSON": {args: []string{`AADSTS53003 {\"client_secret\":\"hunter2~Q8\"} client_secret%3Dhunter2hunter2 Client secret: hunter2~Q8 "code":"1.AXoAhunter2hunter2hunter2"`}, says: []string{"[redacted]"}, lacks: []string{"hunter2"}},
		"a log of secrets":        {args: []string{`AADSTS53003 Bearer eyJ0eXAiOiJKV1QiLCJ.eyJhdWQi.c2ln client_secret=hunter2~Q8 "refresh_token":"0.AXoAhunter2" password: hunter2hunter2 https://x/?code=0.AXoAhunter2hunter2hunter2`}, says: []string{"[redacted]"}, lacks: []string{"hunter2", "eyJ0"}},
		"half a secret":           {args: []string{"AADSTS53003 " + strings.Repeat("x", maxEcho-20) + " eyJ" + strings.Repeat("hunter2", 1000)}, lacks: []string{"hunter2"}},
	} {
		r := explained(t.Context(), strings.NewReader(c.stdin), c.args...)
		if r.code != c.code {
			t.Errorf("%s: exit code %d, want %d\n%s%s", name, r.code, c.code, r.out, r.err)
		}
		for _, word := range c.says {
			if !strings.Contains(r.out+r.err, word) {
				t.Errorf("%s: does not say %q:\n%s%s", name, word, r.out, r.err)
			}
		}
		for _, word := range c.lacks {
			if strings.Contains(r.out+r.err, word) {
				t.Errorf("%s: says %q:\n%s%s", name, word, r.out, r.err)
			}
		}
	}
}

func TestExplainJSON(t *testing.T) {
	r := explained(t.Context(), strings.NewReader(browserPage), "--json").must(t, exitDone)
	d := decode[explainDocument](t, r)
	if d.Schema != "msbundle.explain/1" || !d.Found || d.ID != "AADSTS53003" || d.Code != "AADSTS53003" || d.Cause == "" || d.Fix == "" || d.Who == "" ||
		d.Method != "browser" || d.RequestID != "aaaaaaaa-1111-2222-3333-444444444444" || d.CorrelationID == "" || d.Timestamp != "2026-11-02T09:10:11Z" || len(d.Nearest) != 0 {
		t.Errorf("got %+v", d)
	}
	r = explained(t.Context(), nil, "--json", "Directory_QuotaExceed").must(t, exitFailed)
	if d := decode[explainDocument](t, r); d.Found || d.ID != "" || len(d.Nearest) == 0 || d.Nearest[0].ID != "graph.quota" {
		t.Errorf("got %+v", d)
	}
	if r.err != "" {
		t.Errorf("stderr: %q, want nothing", r.err)
	}
	r = explained(t.Context(), nil, "--json", "hello").must(t, exitFailed)
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.out), &raw); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"schema", "found", "id", "code", "cause", "fix", "who", "requestId", "correlationId", "timestamp", "nearest"} {
		if _, there := raw[key]; !there {
			t.Errorf("the document lacks %s:\n%s", key, r.out)
		}
	}
	if string(raw["nearest"]) != "[]" {
		t.Errorf("nearest: got %s, want an empty list", raw["nearest"])
	}
}

// endless is a stream without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "AADSTS53003 "[(e.read+i)%12]
	}
	e.read += len(p)
	return len(p), nil
}

func TestExplainReadsSoMuch(t *testing.T) {
	in := &endless{}
	r := explained(t.Context(), in).must(t, exitDone)
	if in.read > 2*maxExplained {
		t.Errorf("%d bytes were read", in.read)
	}
	if !strings.Contains(r.err, "Only the first megabyte") || len(r.out) > 4000 {
		t.Errorf("got %d bytes of output, and on stderr %q", len(r.out), r.err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the pipe broke") }

func TestExplainWithoutInput(t *testing.T) {
	if r := explained(t.Context(), broken{}); r.code != exitFailed || !strings.Contains(r.err, "the pipe broke") {
		t.Errorf("a broken pipe: exit code %d, %q", r.code, r.err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		silent, end := io.Pipe()
		defer end.Close()
		interrupted, stop := context.WithCancel(ctx)
		time.AfterFunc(time.Second, stop)
		if r := explained(interrupted, silent); r.code != exitInterrupted {
			t.Errorf("interrupted while waiting: exit code %d", r.code)
		}
	})
}

// explain needs neither a cloud nor a folder for the state.
func TestExplainTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.run("explain", "AADSTS53003").must(t, exitDone)
		if n := len(w.cloud.Requests()); n > 0 {
			t.Errorf("%d requests were sent", n)
		}
	})
}

// A run that fails says what the table knows, on the same words.
func TestFailuresNameCauseAndWho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "declined"})
		r := w.run("plan", "-f", ownedCSP).must(t, exitNoSignIn)
		for _, line := range []string{"  cause: The sign-in was declined in the browser.\n", "  what to do: Start the sign-in again", "  who can fix it: you, at this sign-in\n"} {
			if !strings.Contains(r.err, line) {
				t.Errorf("stderr lacks %q:\n%s", line, r.err)
			}
		}
		r = w.run("plan", "-f", ownedCSP, "--json").must(t, exitNoSignIn)
		var last map[string]any
		lines := strings.Split(strings.TrimSpace(r.err), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(last["who"], "/", last["code"]); got != "you, at this sign-in/AADSTS70020" {
			t.Errorf("got %s in %v", got, last)
		}
	})
}
