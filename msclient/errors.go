package msclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
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
	if e.Status == 0 {
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

// neverSent recognises failures from before a request could leave.
func neverSent(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// Unreachable tells whether an error means that a host could not be reached at
// all, and which words the system has for it.
func Unreachable(err error) (string, bool) {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Name, true
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return op.Addr.String(), true
	}
	return "", false
}

func newError(op string, status int, header http.Header, body []byte) *Error {
	e := &Error{Op: op, Status: status, RequestID: header.Get("request-id"), RetryAfter: retryAfter(header)}
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

// Has tells whether the error carries an AADSTS number.
func (e *AuthError) Has(code int) bool {
	for _, c := range e.Codes {
		if c == code {
			return true
		}
	}
	return false
}

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

// ErrSignInExpired means the person did not finish signing in while the code
// was valid.
var ErrSignInExpired = errors.New("the sign-in code expired before the sign-in was finished")

// Canceled tells whether an error only says that the work was given up.
func Canceled(err error) bool { return errors.Is(err, context.Canceled) }
