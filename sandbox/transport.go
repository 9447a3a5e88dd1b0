package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Transport serves requests in memory. It refuses hosts that are not simulated
// with an error, so nothing that uses it can reach the network.
func (c *Cloud) Transport() http.RoundTripper { return transport{c.Handler()} }

type transport struct{ handler http.Handler }

// RoundTrip runs the handler beside the caller, so that a request can be
// cancelled while the sandbox makes it wait.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	if req.URL.Scheme != "https" {
		return nil, fmt.Errorf("sandbox: %s addresses are not served: https only", req.URL.Scheme)
	}
	if host := strings.ToLower(req.URL.Hostname()); !serves(host) {
		return nil, fmt.Errorf("sandbox: %s is not part of the simulated cloud", host)
	}
	body := []byte{}
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	in := req.Clone(req.Context())
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.RequestURI = req.URL.RequestURI()
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	in.URL = &url.URL{Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	done := make(chan *recorder, 1)
	go func() {
		w := &recorder{header: http.Header{}}
		defer func() {
			if v := recover(); v != nil {
				if v != http.ErrAbortHandler {
					panic(v)
				}
				w.aborted = true
			}
			done <- w
		}()
		t.handler.ServeHTTP(w, in)
	}()
	select {
	case <-req.Context().Done():
		return nil, req.Context().Err()
	case w := <-done:
		if w.aborted {
			if err := req.Context().Err(); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("read %s: %w", req.URL.Host, syscall.ECONNRESET)
		}
		return w.response(req), nil
	}
}

// recorder keeps what a handler writes.
type recorder struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	aborted bool
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.header = w.header.Clone()
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *recorder) response(req *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header,
		Body: io.NopCloser(bytes.NewReader(w.body.Bytes())), ContentLength: int64(w.body.Len()), Request: req,
	}
}
