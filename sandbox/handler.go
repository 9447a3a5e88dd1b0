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

// pageHosts are where people enter device codes, and where they answer partners.
var pageHosts = []string{"microsoft.com", "www.microsoft.com", invitationHost}

// serves tells whether a host is part of the simulated cloud.
func serves(host string) bool {
	return isAPI(host) || isLogin(host) || slices.Contains(pageHosts, host)
}

// isAPI tells whether a host is one that programs ask with an access token.
func isAPI(host string) bool {
	_, graph := cloudOfGraph(host)
	_, arm := cloudOfARM(host)
	return graph || arm || isPartnerCenter(host) || isExchange(host) || host == portalHost
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

// otherFault is a failure in the form of an API other than Microsoft Graph; nil
// for that one.
func otherFault(host string, throttled bool) *answer {
	_, isARM := cloudOfARM(host)
	switch {
	case isARM && throttled:
		return azure(http.StatusTooManyRequests, "TooManyRequests", "The request is being throttled as the limit has been reached for the operation.").answer()
	case isARM:
		return azure(http.StatusInternalServerError, "InternalServerError", "Encountered internal server error.").answer()
	case isPartnerCenter(host) && throttled:
		return refusePartner(http.StatusTooManyRequests, "", "Too many requests.").answer()
	case isPartnerCenter(host):
		return refusePartner(http.StatusInternalServerError, "", "An unexpected error occurred.").answer()
	case isExchange(host) && throttled:
		return refuseExchange(http.StatusTooManyRequests, "TooManyRequests", "Microsoft.Exchange.Net.ResourceUnhealthyException", "The server is busy. Please try again later.").answer()
	case isExchange(host):
		return refuseExchange(http.StatusInternalServerError, "InternalServerError", "System.Exception", "An internal server error occurred. Please try again later.").answer()
	case host == portalHost && throttled:
		return portalRefusal(http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
	case host == portalHost:
		return portalRefusal(http.StatusInternalServerError, "Service_InternalServerError", "Encountered an internal server error.")
	}
	return nil
}

// dispatch hands a request to the service that owns the host.
func (c *Cloud) dispatch(r *http.Request, host string, body []byte, row *Request) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, isGraph := cloudOfGraph(host); isGraph {
		return c.graph(r, host, body, row)
	}
	if _, isARM := cloudOfARM(host); isARM {
		return c.resourceManager(r, host, body, row)
	}
	switch {
	case isPartnerCenter(host):
		return c.partnerCenter(r, host, body, row)
	case isExchange(host):
		return c.exchange(r, host, body, row)
	case host == portalHost:
		return c.portal(r, row)
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
