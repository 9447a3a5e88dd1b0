package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// RemoteCloud is a sandbox that another process serves on this computer.
type RemoteCloud struct {
	addr   string
	tenant TenantInfo
	wire   *http.Transport
}

// Remote connects to a sandbox that runs elsewhere on this computer. It trusts
// the authority that one publishes, and only that; it ignores proxies.
func Remote(ctx context.Context, rawURL string) (*RemoteCloud, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("sandbox address: %w", err)
	case u.Scheme != "https" || u.Port() == "":
		return nil, fmt.Errorf("sandbox address %q: https://127.0.0.1:PORT is expected", rawURL)
	case !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("sandbox address %q is not on this computer", rawURL)
	}
	r := &RemoteCloud{addr: u.Host}
	// What identifies the server is that it listens on this computer; from then
	// on it is its authority.
	first := r.transport(&tls.Config{InsecureSkipVerify: true}) //nolint:gosec // loopback only, see above
	defer first.CloseIdleConnections()
	text, err := r.fetch(ctx, first, "/_sandbox/ca.pem")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("sandbox %s: its certificate authority cannot be read", rawURL)
	}
	r.wire = r.transport(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	if text, err = r.fetch(ctx, r.wire, "/_sandbox/tenant"); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &r.tenant); err != nil {
		return nil, fmt.Errorf("sandbox %s: %w", rawURL, err)
	}
	return r, nil
}

// transport dials the one address, whatever host is asked for.
func (r *RemoteCloud) transport(config *tls.Config) *http.Transport {
	return &http.Transport{
		TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, r.addr)
		},
	}
}

func (r *RemoteCloud) fetch(ctx context.Context, wire *http.Transport, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+r.addr+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := wire.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("sandbox at %s: %w", r.addr, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("sandbox at %s: %w", r.addr, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("sandbox at %s: %s answered %s", r.addr, path, resp.Status)
	}
	return text, nil
}

// Transport reaches the simulated hosts. It refuses others with an error.
func (r *RemoteCloud) Transport() http.RoundTripper { return remoteTransport{r.wire} }

type remoteTransport struct{ wire *http.Transport }

func (t remoteTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if host := strings.ToLower(req.URL.Hostname()); req.URL.Scheme != "https" || !serves(host) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("sandbox: %s://%s is not part of the simulated cloud", req.URL.Scheme, host)
	}
	return t.wire.RoundTrip(req)
}

// CloseIdleConnections lets go of the connections that are not in use.
func (t remoteTransport) CloseIdleConnections() { t.wire.CloseIdleConnections() }

// Tenant is the partner's tenant of that sandbox.
func (r *RemoteCloud) Tenant() TenantInfo { return r.tenant }

// DevicePage is where a browser on this computer finds the device sign-in page.
func (r *RemoteCloud) DevicePage() string { return "https://" + r.addr + "/devicelogin" }
