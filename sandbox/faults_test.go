package sandbox_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
)

func TestParseFaults(t *testing.T) {
	good := `[{"match": {"method": "POST", "path": "/applications$"}, "nth": 7, "when": "after", "do": "500", "for": "30s"}, {"rate": 0.1, "do": "hang"}]`
	faults, err := sandbox.ParseFaults([]byte(good))
	if err != nil || len(faults) != 2 || faults[0].Nth != 7 || time.Duration(faults[0].For) != 30*time.Second {
		t.Fatalf("%+v, %v", faults, err)
	}
	for text, want := range map[string]string{
		`{}`: "JSON list", `[{"do": "explode"}]`: "explode", `[{}]`: "do", `[{"do":"500"},{"do": "500", "when": "later"}]`: "fault 2", `[{"do": "500", "nht": 1}]`: "nht",
		`[{"do": "500", "for": "soon"}]`: "soon", `[{"do": "500", "rate": 2}]`: "rate", `[{"do": "500", "nth": -1}]`: "nth", `[{"do": "500", "match": {"path": "("}}]`: "path",
		`[{"do": "hang", "match": {"inner": true}}]`: "batch", `[{"do": "500", "nth": 1, "rate": 0.5}]`: "exclude",
	} {
		if _, err := sandbox.ParseFaults([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want something with %q", text, err, want)
		}
	}
	if _, err := sandbox.New(sandbox.Options{Faults: []sandbox.Fault{{Do: "explode"}}}); err == nil {
		t.Error("New takes a fault it does not know")
	}
}

func TestFaults(t *testing.T) {
	apps := func(w *world) int { return len(w.do("GET", "/applications", nil).want(200).values()) }
	w := signedIn(t, sandbox.Options{})
	body := map[string]any{"displayName": "x"}

	// Reads and sign-ins do not count; the second write is hit, before it happens.
	w.cloud.SetFaults([]sandbox.Fault{{Nth: 2, Do: "500"}})
	w.do("POST", "/applications", body).want(201)
	apps(w)
	w.do("POST", "/applications", body).fails(500, "Service_InternalServerError", "")
	w.do("POST", "/applications", body).want(201)
	if n := apps(w); n != 2 {
		t.Errorf("before: %d applications", n)
	}
	// After: the write took effect exactly once, and the answer is lost.
	w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Method: "POST", Path: "/applications$"}, Nth: 1, When: "after", Do: "reset"}})
	if _, err := w.client.Do(w.request("POST", "/applications", body)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %v", err)
	}
	if n := apps(w); n != 3 {
		t.Errorf("after: %d applications", n)
	}
	w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Path: "/me$"}, Do: "429", For: sandbox.Duration(7 * time.Second)}})
	if r := w.do("GET", "/me", nil).fails(429, "TooManyRequests", ""); r.header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After: %v", r.header)
	}
	w.do("GET", "/organization", nil).want(200)
	w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Path: "/token$"}, Do: "429"}})
	w.form("organizations", "token", "client_id", gct, "grant_type", "device_code").aadsts("temporarily_unavailable", 90055)
	w.cloud.SetFaults([]sandbox.Fault{{Rate: 0.5, Do: "500"}})
	failed := 0
	for range 200 {
		if w.do("GET", "/me", nil).status == 500 {
			failed++
		}
	}
	if failed < 60 || failed > 140 {
		t.Errorf("rate 0.5: %d of 200", failed)
	}
	w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Path: "^/applications$", Inner: true}, Nth: 1, Do: "429", When: "after"}})
	w.do("POST", "/applications", body).want(201) // not an item of a batch
	r := w.batch(
		item{"id": "1", "method": "GET", "url": "/applications"},
		item{"id": "2", "method": "POST", "url": "/applications", "headers": item{"Content-Type": "application/json"}, "body": body},
	).want(200).responses()
	if r["1"]["status"] != 200.0 || r["2"]["status"] != 429.0 || r["2"]["headers"].(map[string]any)["Retry-After"] == nil {
		t.Errorf("inner: %v", r)
	}
	if n := apps(w); n != 5 {
		t.Errorf("inner after: %d applications", n)
	}
}

func TestFaultsThatTakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := signedIn(t, sandbox.Options{Latency: 50 * time.Millisecond})
		began := time.Now()
		w.do("GET", "/me", nil).want(200)
		if got := time.Since(began); got != 50*time.Millisecond {
			t.Errorf("latency: %s", got)
		}
		w.cloud.SetFaults([]sandbox.Fault{{Nth: 1, Do: "hang", When: "after"}})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		began = time.Now()
		_, err := w.client.Do(w.request("POST", "/applications", map[string]any{"displayName": "x"}).WithContext(ctx))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("hang: %v after %s", err, time.Since(began))
		}
		if n := len(w.do("GET", "/applications", nil).want(200).values()); n != 1 {
			t.Errorf("hang after: %d applications", n)
		}
		w.cloud.SetFaults([]sandbox.Fault{{Do: "slow", For: sandbox.Duration(3 * time.Second)}})
		began = time.Now()
		w.do("GET", "/me", nil).want(200)
		if got := time.Since(began); got < 3*time.Second {
			t.Errorf("slow: %s", got)
		}
		w.cloud.SetFaults([]sandbox.Fault{{Match: sandbox.Match{Method: "POST"}, Nth: 1, Do: "stale", For: sandbox.Duration(20 * time.Second)}})
		id, _ := w.app(nil)
		for range 10 {
			w.do("GET", "/applications/"+id, nil).want(404)
		}
		time.Sleep(21 * time.Second)
		for range 10 {
			w.do("GET", "/applications/"+id, nil).want(200)
		}
		synctest.Wait()
	})
}

func TestTransportStaysInside(t *testing.T) {
	w := start(t, sandbox.Options{})
	for _, address := range []string{"https://example.com/", "http://graph.microsoft.com/v1.0/me", "https://127.0.0.1/"} {
		if resp, err := w.client.Get(address); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s was answered", address)
		}
	}
	req, err := http.NewRequest("GET", "https://graph.microsoft.com/v1.0/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Request == nil || resp.Request.URL.Host != "graph.microsoft.com" {
		t.Error("Response.Request is not set")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.client.Do(req.WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
