package sandbox

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxBody is more than any request of the simulated services holds.
const maxBody = 4 << 20

// Handler serves every simulated host, told apart by the Host header, and the
// sandbox's own address space below /_sandbox/ on all of them.
func (c *Cloud) Handler() http.Handler { return http.HandlerFunc(c.serve) }

// hostOf is the host name of a request, without a port.
func hostOf(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(host)
}

// pageHosts are where people enter device codes.
var pageHosts = []string{"microsoft.com", "www.microsoft.com"}

// serves tells whether a host is part of the simulated cloud.
func serves(host string) bool {
	_, graph := cloudOfGraph(host)
	return graph || isLogin(host) || slices.Contains(pageHosts, host)
}

func (c *Cloud) serve(w http.ResponseWriter, r *http.Request) {
	host := hostOf(r)
	w.Header().Set("Date", c.clock().Format(http.TimeFormat))
	if r.URL.Path == "/_sandbox" || strings.HasPrefix(r.URL.Path, "/_sandbox/") {
		c.control(w, r)
		return
	}
	if !pause(r.Context(), c.opts.Latency) {
		reset(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request body could not be read", http.StatusRequestEntityTooLarge)
		return
	}
	row, fault := c.begin(r, host, body)
	if !fault.after() && c.misbehave(w, r, host, row, fault) {
		return
	}
	reply := c.dispatch(r, host, body, row)
	if fault.after() && c.misbehave(w, r, host, row, fault) {
		return
	}
	c.finish(row, reply.status)
	w.Header().Set("Date", c.clock().Format(http.TimeFormat))
	reply.send(w)
}

// dispatch hands a request to the service that owns the host.
func (c *Cloud) dispatch(r *http.Request, host string, body []byte, row *Request) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, isGraph := cloudOfGraph(host); isGraph {
		return c.graph(r, host, body, row)
	}
	switch {
	case isLogin(host):
		segment, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if t := c.tenantNamed(segment); t != nil {
			row.Tenant = t.id
		}
		return c.tokenService(r, host, body)
	case slices.Contains(pageHosts, host), isLoopback(strings.Trim(host, "[]")):
		return c.page(r, body)
	}
	return &answer{
		status: http.StatusNotFound, header: map[string]string{"Content-Type": "text/plain; charset=utf-8"},
		body: []byte("sandbox: " + host + " is not part of the simulated cloud\n"),
	}
}

// pause waits, unless the client goes away first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reset ends a connection without an answer: by a TCP reset where there is a
// connection, else by the handler's way to say so.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	raw := conn
	if wrapped, isTLS := conn.(interface{ NetConn() net.Conn }); isTLS {
		raw = wrapped.NetConn()
	}
	if tcp, isTCP := raw.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// logLine tells Options.Log about a request.
func (c *Cloud) logLine(row Request) {
	if c.opts.Log != nil {
		c.opts.Log(fmt.Sprintf("%s %s %d", row.Method, row.URL, row.Status))
	}
}
