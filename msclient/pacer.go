package msclient

import (
	"bytes"
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
}

type pollWait struct {
	interval time.Duration
	next     time.Time // the earliest moment of the next poll
}

const (
	defaultInterval = 5 * time.Second
	slowDown        = 5 * time.Second // RFC 8628, section 3.5
	tokenTries      = 4
	tokenBackoff    = time.Second
	tokenTimeout    = 60 * time.Second
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
	res, body, err := p.send(req)
	if err != nil {
		return nil, err
	}
	if form.Get("client_id") != "" && res.StatusCode == http.StatusOK && !form.Has("grant_type") {
		p.remember(body)
	}
	if res.StatusCode >= 400 {
		if refused := parseAuthError(body); refused != nil {
			return nil, refused
		}
	}
	return res, nil
}

// send repeats a request that cannot do harm when repeated: discovery, the start
// of a device code, and redeeming a refresh token.
func (p *pacer) send(req *http.Request) (*http.Response, []byte, error) {
	for try := 1; ; try++ {
		res, body, err := p.once(req)
		passing := err != nil && !neverSentForGood(err) || err == nil && (res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests)
		if !passing || try == tokenTries || req.Context().Err() != nil {
			return res, body, err
		}
		wait := tokenBackoff << (try - 1)
		if err == nil {
			wait = max(wait, retryAfter(res.Header))
		}
		p.log.Debug("sign-in request repeated", "host", req.URL.Host, "path", req.URL.Path, "try", try)
		if err := sleep(req.Context(), wait); err != nil {
			return nil, nil, err
		}
	}
}

// neverSentForGood recognises a host that does not resolve: repeating at once
// does not help, and the person should hear of it soon.
func neverSentForGood(err error) bool {
	_, gone := Unreachable(err)
	return gone
}

func (p *pacer) once(req *http.Request) (*http.Response, []byte, error) {
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
	if err := sleep(req.Context(), p.untilNext(code)); err != nil {
		return nil, err
	}
	res, body, err := p.once(req)
	if err != nil && req.Context().Err() != nil {
		return nil, req.Context().Err()
	}
	if err != nil || res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests {
		p.log.Debug("sign-in poll got no answer, the code is still valid", "err", err)
		return pending(req), nil
	}
	if res.StatusCode < 400 {
		return res, nil
	}
	refused := parseAuthError(body)
	switch {
	case refused == nil:
		return nil, fmt.Errorf("the sign-in service answered %d without saying why", res.StatusCode)
	case refused.OAuth == "authorization_pending":
		return res, nil
	case refused.OAuth == "slow_down":
		p.slow(code)
		return res, nil
	}
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
	// The interval lies between two polls; the first may follow at once.
	p.waits[start.DeviceCode] = &pollWait{interval, time.Now()}
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

func (p *pacer) slow(code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.waits[code]; w != nil {
		w.interval += slowDown
		w.next = w.next.Add(slowDown)
	}
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
