package msclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// pacer stands between MSAL and the network. MSAL for Go polls for a device code
// faster than the service's interval, ends the wait at the first network error,
// and drops the service's words when a sign-in fails. The pacer keeps the
// interval, absorbs passing failures while the code is valid, and turns a refusal
// into an *AuthError that errors.As finds through MSAL.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
type pacer struct {
	next  *http.Client
	log   *slog.Logger
	clock *clock

	mu    sync.Mutex
	waits map[string]*pollWait // by device code
	found map[string][]byte    // where a tenant's sign-ins are, by address: several of MSAL's clients ask for the same
}

type pollWait struct {
	interval time.Duration
	next     time.Time // the earliest moment of the next poll
	end      time.Time // when the code expires
}

// statusError is an answer of the sign-in service that says nothing but its
// status; a proxy may have given it.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("the sign-in service answered %d without saying why; try again, and look at the proxy settings (HTTPS_PROXY)", e.status)
}

const (
	defaultInterval = 5 * time.Second
	slowDown        = 5 * time.Second // RFC 8628, section 3.5
	tokenTries      = 4
	tokenBackoff    = time.Second
	tokenTimeout    = 30 * time.Second // for one try
	tokenLongest    = time.Minute      // a Retry-After up to this is waited for
)

func (p *pacer) CloseIdleConnections() { p.next.CloseIdleConnections() }

// Do sends one request of MSAL.
func (p *pacer) Do(req *http.Request) (*http.Response, error) {
	form, err := peekForm(req)
	if err != nil {
		return nil, err
	}
	if code := form.Get("device_code"); code != "" {
		return p.poll(req, code)
	}
	discovery := req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/.well-known/openid-configuration")
	if known := p.known(req); discovery && known != nil {
		return known, nil
	}
	// A code of the browser serves once: what comes of using it again hides what went
	// wrong, and may end what the first use gave. RFC 6749, section 4.1.2.
	again := form.Get("grant_type") != "authorization_code"
	res, body, err := p.repeat(req, again)
	if err != nil {
		return nil, err
	}
	if form.Get("client_id") != "" && res.StatusCode == http.StatusOK && !form.Has("grant_type") {
		p.remember(body)
	}
	if discovery && res.StatusCode == http.StatusOK && json.Valid(body) {
		p.keep(req, body)
	}
	if res.StatusCode >= 400 {
		if refused := parseAuthError(body); refused != nil {
			return nil, refused
		}
	}
	return res, nil
}

// known answers what was found out before.
func (p *pacer) known(req *http.Request) *http.Response {
	p.mu.Lock()
	defer p.mu.Unlock()
	body := p.found[req.URL.String()]
	if body == nil {
		return nil
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}

func (p *pacer) keep(req *http.Request, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		p.found = map[string][]byte{}
	}
	p.found[req.URL.String()] = body
}

// send repeats a request that cannot do harm when repeated: discovery, the start
// of a device code, and redeeming a refresh token.
func (p *pacer) send(req *http.Request) (*http.Response, []byte, error) { return p.repeat(req, true) }

// repeat is send; without harmless only what certainly did not take effect is sent
// again.
func (p *pacer) repeat(req *http.Request, harmless bool) (*http.Response, []byte, error) {
	for try := 1; ; try++ {
		res, body, err := p.once(req)
		passing := err == nil && passingStatus(res.StatusCode)
		if err != nil {
			_, gone := Unreachable(err) // repeating at once does not help, and the person should hear of it soon
			passing = !gone
		}
		if !harmless {
			passing = err == nil && res.StatusCode == http.StatusTooManyRequests
		}
		wait := tokenBackoff << (try - 1)
		if err == nil {
			wait = max(wait, retryAfter(res.Header))
		}
		if !passing || try == tokenTries || wait > tokenLongest || req.Context().Err() != nil {
			return res, body, err
		}
		p.log.Debug("sign-in request repeated", "host", req.URL.Host, "path", req.URL.Path, "try", try)
		tellWaiting(req.Context(), res)
		if err := Sleep(req.Context(), wait); err != nil {
			return nil, nil, err
		}
	}
}

// passingStatus recognises answers that may be another the next time.
func passingStatus(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// once sends a request and reads its answer, all of it within tokenTimeout.
func (p *pacer) once(req *http.Request) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(req.Context(), tokenTimeout)
	defer cancel()
	req = req.WithContext(ctx)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, nil, err
		}
		req.Body = body
	}
	res, err := p.next.Do(req)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, nil, err
	}
	p.clock.learn(res.Header)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, body, nil
}

// poll asks once whether the person has signed in, no sooner than the service
// allows.
func (p *pacer) poll(req *http.Request, code string) (*http.Response, error) {
	if err := Sleep(req.Context(), p.untilNext(code)); err != nil {
		return nil, err
	}
	if p.over(code) {
		return nil, &AuthError{OAuth: "expired_token", Codes: []int{70020}, Description: "AADSTS70020: The code has expired."}
	}
	res, body, err := p.once(req)
	if err != nil && req.Context().Err() != nil {
		return nil, req.Context().Err()
	}
	if err != nil || passingStatus(res.StatusCode) {
		p.log.Debug("sign-in poll got no answer, the code is still valid", "err", err)
		if err == nil {
			p.delay(code, 0, retryAfter(res.Header))
		}
		return pending(req), nil
	}
	if res.StatusCode < 300 {
		p.forget(code)
		return res, nil
	}
	refused := parseAuthError(body)
	switch {
	case refused == nil:
		p.forget(code)
		return nil, &statusError{res.StatusCode}
	case refused.OAuth == "authorization_pending":
		return pending(req), nil
	case refused.OAuth == "slow_down":
		p.delay(code, slowDown, 0)
		return pending(req), nil
	}
	p.forget(code)
	return nil, refused
}

// pending is the answer that makes MSAL ask again.
func pending(req *http.Request) *http.Response {
	return &http.Response{
		Status: "400 Bad Request", StatusCode: http.StatusBadRequest, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(`{"error":"authorization_pending"}`)),
	}
}

func (p *pacer) remember(body []byte) {
	var start struct {
		DeviceCode string `json:"device_code"`
		Interval   int    `json:"interval"`
		ExpiresIn  int    `json:"expires_in"`
	}
	if json.Unmarshal(body, &start) != nil || start.DeviceCode == "" {
		return
	}
	interval := time.Duration(start.Interval) * time.Second
	if interval <= 0 {
		interval = defaultInterval
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits == nil {
		p.waits = map[string]*pollWait{}
	}
	// The interval lies between two polls; the first may follow at once. The end is
	// told by the wall clock, which goes on while a machine sleeps.
	now := time.Now()
	p.waits[start.DeviceCode] = &pollWait{interval, now, now.Add(time.Duration(start.ExpiresIn) * time.Second).Round(0)}
}

// over tells whether a code has expired: a machine that slept finds out before it
// asks.
func (p *pacer) over(code string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.waits[code]
	return w != nil && time.Now().Round(0).After(w.end)
}

// untilNext is how long to wait before a poll; it books the one after it.
func (p *pacer) untilNext(code string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.waits[code]
	if w == nil {
		return defaultInterval
	}
	now := time.Now()
	wait := max(0, w.next.Sub(now))
	w.next = now.Add(wait + w.interval)
	return wait
}

// delay makes the polls of a code rarer by longer from now on, and puts the next
// one off for at least wait.
func (p *pacer) delay(code string, longer, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.waits[code]
	if w == nil {
		return
	}
	w.interval += longer
	w.next = w.next.Add(longer)
	if at := time.Now().Add(wait); wait > 0 && at.After(w.next) {
		w.next = at
	}
}

// forget drops a code that is used up.
func (p *pacer) forget(code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waits, code)
}

// peekForm reads a request's form without using its body up.
func peekForm(req *http.Request) (url.Values, error) {
	if req.Body == nil || req.Method != http.MethodPost {
		return url.Values{}, nil
	}
	data, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	_ = req.Body.Close()
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	req.Body, _ = req.GetBody()
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return url.Values{}, nil
	}
	return form, nil
}
