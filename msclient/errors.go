package msclient

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Error is a request that Microsoft Graph refused or that got no answer.
// https://learn.microsoft.com/graph/errors
type Error struct {
	Op         string        // "POST /v1.0/applications"
	Status     int           // HTTP status; 0 when there was no answer
	Code       string        // "Authorization_RequestDenied"
	Message    string        // the service's words
	Details    []Detail      //
	RequestID  string        // Microsoft's id of the request
	RetryAfter time.Duration // how long the service asked to wait; 0 when it did not say
	Err        error         // why there was no answer
}

// Detail is a part of an error.
type Detail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target"`
}

func (e *Error) Error() string {
	switch {
	case e.Status == 0 && neverSent(e.Err):
		return fmt.Sprintf("%s: not sent: %v", e.Op, e.Err)
	case e.Status == 0:
		return fmt.Sprintf("%s: no answer: %v", e.Op, e.Err)
	}
	s := fmt.Sprintf("%s: %d", e.Op, e.Status)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Throttled tells whether the service asked to slow down.
func (e *Error) Throttled() bool { return e.Status == http.StatusTooManyRequests }

// InDoubt tells whether a write may have taken effect although it failed: the
// answer was lost, or the service failed while working on it.
func (e *Error) InDoubt() bool {
	if e.Status == 0 {
		return !neverSent(e.Err)
	}
	return e.Status >= 500 || e.Status == http.StatusRequestTimeout
}

// NoConnection tells whether a request did not leave because no connection could be
// made, as one may be the next time. A host that does not prove who it is will not then
// either.
func (e *Error) NoConnection() bool {
	_, dial := dialError(e.Err)
	return e.Status == 0 && dial && !untrusted(e.Err)
}

// unsent is why a request did not leave: no token was to be had for it, or its
// turn did not come.
type unsent struct{ err error }

func (e *unsent) Error() string { return e.err.Error() }

func (e *unsent) Unwrap() error { return e.err }

// neverSent recognises failures from before a request could leave.
func neverSent(err error) bool {
	var own *unsent
	_, dial := dialError(err)
	return dial || errors.As(err, &own) || untrusted(err)
}

// dialError finds a name that does not resolve, or a connection that could not
// be made, to a proxy too; with what was dialled where that is known.
func dialError(err error) (where string, found bool) {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Name, true
	}
	for op := (*net.OpError)(nil); errors.As(err, &op); err = op.Err {
		if op.Op != "dial" && op.Op != "proxyconnect" {
			continue
		}
		if op.Addr != nil {
			where = op.Addr.String()
		}
		found = true
	}
	return where, found
}

// untrusted recognises a host that does not prove who it is, as behind a proxy
// that opens connections and whose authority this machine does not know.
func untrusted(err error) bool {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &cert) || errors.As(err, &record)
}

// Unreachable tells whether an error means that no connection to a host could be
// made at all, and which host or address that was.
func Unreachable(err error) (string, bool) {
	where, found := dialError(err)
	if !found && !untrusted(err) {
		return "", false
	}
	if where == "" {
		where = "the host"
		var request *url.Error
		if errors.As(err, &request) {
			if u, err := url.Parse(request.URL); err == nil && u.Host != "" {
				where = u.Host
			}
		}
	}
	return where, true
}

func newError(op string, status int, header http.Header, body []byte) *Error {
	e := &Error{Op: op, Status: status, RequestID: answerID(header), RetryAfter: retryAfter(header)}
	var envelope struct {
		Error struct {
			Code       string   `json:"code"`
			Message    string   `json:"message"`
			Details    []Detail `json:"details"`
			InnerError struct {
				RequestID string `json:"request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &envelope) == nil {
		e.Code, e.Message, e.Details = envelope.Error.Code, envelope.Error.Message, envelope.Error.Details
		if e.RequestID == "" {
			e.RequestID = envelope.Error.InnerError.RequestID
		}
	}
	return e
}

// answerID is Microsoft's id of a request: Graph, Azure and Partner Center name it
// differently.
func answerID(h http.Header) string {
	return cmp.Or(h.Get("request-id"), h.Get("x-ms-request-id"), h.Get("MS-RequestId"))
}

func retryAfter(h http.Header) time.Duration {
	if ms, err := strconv.Atoi(h.Get("retry-after-ms")); err == nil && ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// AuthError is a sign-in or token request that the sign-in service refused.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
type AuthError struct {
	OAuth       string // "invalid_grant"
	Codes       []int  // AADSTS numbers
	Suberror    string
	Claims      string // what a new sign-in has to satisfy
	Description string // begins "AADSTSnnnnn:"
	Correlation string // correlation id, for support
}

func (e *AuthError) Error() string {
	if e.Description != "" {
		first, _, _ := strings.Cut(e.Description, "\n")
		return strings.TrimSpace(first)
	}
	return "the sign-in service refused: " + e.OAuth
}

// SignInError is a sign-in that a person had to make before the work could go on, and
// that did not come about: it was refused or skipped, or nobody made it. It says nothing
// of the tenant the token was for.
type SignInError struct{ Err error }

func (e *SignInError) Error() string { return e.Err.Error() }

func (e *SignInError) Unwrap() error { return e.Err }

func parseAuthError(body []byte) *AuthError {
	var b struct {
		Error            string `json:"error"`
		ErrorDescription string `json:"error_description"`
		ErrorCodes       []int  `json:"error_codes"`
		Suberror         string `json:"suberror"`
		Claims           string `json:"claims"`
		CorrelationID    string `json:"correlation_id"`
	}
	if json.Unmarshal(body, &b) != nil || b.Error == "" {
		return nil
	}
	return &AuthError{b.Error, b.ErrorCodes, b.Suberror, b.Claims, b.ErrorDescription, b.CorrelationID}
}
