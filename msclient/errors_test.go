package msclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatWasNeverSent(t *testing.T) {
	request := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://graph.microsoft.com/v1.0/x", Err: err}
	}
	proxy := &net.OpError{Op: "proxyconnect", Net: "tcp", Err: errRefused}
	cert := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	for _, tt := range []struct {
		name  string
		err   error
		never bool
		where string // of Unreachable; empty for not
	}{
		{"no such host", request(errDNS), true, "graph.microsoft.com"},
		{"refused", request(errRefused), true, "192.0.2.1:443"},
		{"dial without an address", request(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("missing address")}), true, "graph.microsoft.com"},
		{"dial, nothing known", &net.OpError{Op: "dial", Err: errors.New("x")}, true, "the host"},
		{"proxy refused", request(proxy), true, "192.0.2.1:443"},
		{"proxy not found", request(&net.OpError{Op: "proxyconnect", Net: "tcp", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Name: "proxy.example"}}}), true, "proxy.example"},
		{"proxy spoke no TLS", request(&net.OpError{Op: "proxyconnect", Net: "tcp", Err: errors.New("tls: x")}), true, "graph.microsoft.com"},
		{"unknown authority", request(cert), true, "graph.microsoft.com"},
		{"no TLS there", request(tls.RecordHeaderError{Msg: "x"}), true, "graph.microsoft.com"},
		{"no token", &unsent{errReset}, true, ""},
		{"reset", request(errReset), false, ""},
		{"write failed", request(&net.OpError{Op: "write", Err: errors.New("broken pipe")}), false, ""},
		{"time over", request(context.DeadlineExceeded), false, ""},
		{"end of file", request(errors.New("EOF")), false, ""},
		{"nothing", nil, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wrapped := fmt.Errorf("wrapped: %w", tt.err)
			if tt.err == nil {
				wrapped = errors.New("x")
			}
			if got := neverSent(wrapped); got != tt.never {
				t.Errorf("never sent: got %t", got)
			}
			if got := (&Error{Err: wrapped}).InDoubt(); got == tt.never {
				t.Errorf("in doubt: got %t", got)
			}
			where, ok := Unreachable(wrapped)
			if where != tt.where || ok != (tt.where != "") {
				t.Errorf("unreachable: got %q, %t, want %q", where, ok, tt.where)
			}
		})
	}
}

// A host that cannot prove who it is will not the next second either.
func TestAnUntrustedHostIsNotAskedAgain(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		g := s.signIn(c)
		s.graph = script(reply{err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}})
		for _, method := range []string{"GET", "POST"} {
			_, err := g.Do(t.Context(), Request{Method: method, Path: app})
			var failed *Error
			if !errors.As(err, &failed) || failed.InDoubt() || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
				t.Errorf("got %v", err)
			}
		}
		if n := len(s.to(app)); n != 2 {
			t.Errorf("sent %d times", n)
		}
	})
}

func TestInDoubt(t *testing.T) {
	for code, want := range map[int]bool{400: false, 401: false, 403: false, 404: false, 408: true, 409: false, 412: false, 424: false, 429: false, 500: true, 502: true, 503: true, 504: true, 599: true} {
		if got := (&Error{Status: code}).InDoubt(); got != want {
			t.Errorf("%d: got %t", code, got)
		}
		if got := (&Error{Status: code}).Throttled(); got != (code == 429) {
			t.Errorf("%d throttled: got %t", code, got)
		}
	}
	if e := (&Error{Err: errReset}); !errors.Is(e, errReset) {
		t.Error("the cause is not found")
	}
}

func TestParseAuthError(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       *AuthError
		text       string
	}{
		{
			"whole", `{"error":"invalid_grant","error_description":"AADSTS50076: Due to\r\nTrace ID: 1","error_codes":[50076,1],"suberror":"s","claims":"c","correlation_id":"i","timestamp":"t"}`,
			&AuthError{"invalid_grant", []int{50076, 1}, "s", "c", "AADSTS50076: Due to\r\nTrace ID: 1", "i"}, "AADSTS50076: Due to",
		},
		{"least", `{"error":"slow_down"}`, &AuthError{OAuth: "slow_down"}, "the sign-in service refused: slow_down"},
		{"not of OAuth", `{"error":{"code":"x"}}`, nil, ""},
		{"no error", `{"access_token":"x"}`, nil, ""},
		{"no JSON", `<html>`, nil, ""},
		{"nothing", ``, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := parseAuthError([]byte(tt.body))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got != nil && got.Error() != tt.text {
				t.Errorf("text: got %q, want %q", got, tt.text)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		header, value string
		want          time.Duration
	}{
		{"Retry-After", "17", 17 * second},
		{"Retry-After", "0", 0},
		{"Retry-After", "-3", 0},
		{"Retry-After", "0.5", 0},
		{"Retry-After", "soon", 0},
		{"Retry-After", "Mon, 01 Jan 2001 00:00:00 GMT", 0},
		{"Retry-After-Ms", "250", 250 * time.Millisecond},
		{"X-Other", "5", 0},
	} {
		if got := retryAfter(http.Header{tt.header: {tt.value}}); got != tt.want {
			t.Errorf("%s: %s: got %s, want %s", tt.header, tt.value, got, tt.want)
		}
	}
}
