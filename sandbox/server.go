package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// ServerOptions say where a sandbox listens.
type ServerOptions struct {
	Listen string                       // loopback address of the TLS server
	Proxy  string                       // loopback address of a CONNECT proxy that leads every host to it; "" for none
	CAFile string                       // where to write the certificate authority; "" for nowhere
	Ready  func(addr, proxyAddr string) // called when both listen; may be nil
}

// Serve offers the sandbox to other programs until ctx ends. It listens on
// loopback addresses only: everybody who can reach it is its administrator. An option
// that cannot be used is an error that begins with the option's name.
func (c *Cloud) Serve(ctx context.Context, o ServerOptions) error {
	listener, err := listenLoopback(ctx, o.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = listener.Close() }()
	ca, err := newCertAuthority()
	if err != nil {
		return fmt.Errorf("ca: it could not be made: %w", err)
	}
	c.mu.Lock()
	c.authorityPEM = ca.pem
	c.mu.Unlock()
	if o.CAFile != "" {
		if err := os.WriteFile(o.CAFile, ca.pem, 0o644); err != nil {
			return fmt.Errorf("ca: %w", err)
		}
	}
	// Requests that hang do so until their client goes away, or this server.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := &http.Server{
		Handler: c.Handler(), TLSConfig: &tls.Config{GetCertificate: ca.certificate, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog: quietLog(c),
	}
	proxyAddr := ""
	failed := make(chan error, 2)
	if o.Proxy != "" {
		proxyListener, err := listenLoopback(ctx, o.Proxy)
		if err != nil {
			return fmt.Errorf("proxy: %w", err)
		}
		proxyAddr = proxyListener.Addr().String()
		proxy := &http.Server{
			Handler: connectProxy{ctx: requests, to: listener.Addr().String()}, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quietLog(c),
		}
		defer func() { _ = proxy.Close() }()
		go func() { failed <- proxy.Serve(proxyListener) }()
	}
	go func() { failed <- server.ServeTLS(listener, "", "") }()
	if o.Ready != nil {
		o.Ready(listener.Addr().String(), proxyAddr)
	}
	select {
	case err := <-failed:
		_ = server.Close()
		return err
	case <-ctx.Done():
	}
	cancel()
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer stop()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	_ = server.Close()
	return nil
}

// listenLoopback refuses addresses that others could reach.
func listenLoopback(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", addr, err)
	}
	if !isLoopback(host) {
		return nil, fmt.Errorf("%q is not a loopback address", addr)
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
}

// isLoopback tells whether a host is this computer, by its own word.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
