package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a fault does.
const (
	fault500   = "500"
	fault429   = "429"
	faultReset = "reset"
	faultHang  = "hang"
	faultSlow  = "slow"
	faultStale = "stale"
)

var faultKinds = []string{fault500, fault429, faultReset, faultHang, faultSlow, faultStale, eventStepUp, eventRevoked, eventDeviceBlock, eventPolicyEdit, eventGDAPEdit}

// Fault is something that goes wrong.
type Fault struct {
	Match Match `json:"match,omitzero"`
	// Nth fires once, at the nth request that matches and writes. Rate fires with
	// that probability at every request that matches. With neither, every one.
	Nth  int     `json:"nth,omitempty"`
	Rate float64 `json:"rate,omitempty"`
	// When is "before" (the default: nothing has happened) or "after" (it took
	// effect, then the answer is lost).
	When string `json:"when,omitempty"`
	// Do is "500", "429", "reset", "hang" (no answer until the client goes
	// away), "slow", "stale" (replicas take in nothing), or something that happens
	// to the tenant meanwhile: "claims" (a policy changed: everybody has to sign in
	// again), "revoked" (an administrator revoked the sessions),
	// "device-code-blocked" (a policy against device codes was switched on),
	// "policy-edited" (another administrator changed a Conditional Access policy) or
	// "gdap-edited" (another administrator changed all relationships, so that what
	// was read of them is out of date).
	Do string `json:"do"`
	// For is the Retry-After of a 429, how long "slow" and "stale" last, and
	// when "hang" gives up with a reset.
	For Duration `json:"for,omitempty"`
}

// Match says which requests a fault is for. Empty parts match everything.
type Match struct {
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`  // regular expression
	Inner  bool   `json:"inner,omitempty"` // items of a $batch instead of whole requests
}

// Duration is written as "30s" in JSON.
type Duration time.Duration

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration such as "1m30s".
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err == nil && v < 0 {
		err = fmt.Errorf("duration %q is negative", text)
	}
	*d = Duration(v)
	return err
}

// ParseFaults reads a list of faults. Unknown fields and values are errors that
// name the fault they are in.
func ParseFaults(text []byte) ([]Fault, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("faults: a JSON list is expected: %w", err)
	}
	faults := make([]Fault, len(raw))
	for i, item := range raw {
		dec := json.NewDecoder(bytes.NewReader(item))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&faults[i]); err != nil {
			return nil, fmt.Errorf("fault %d: %w", i+1, err)
		}
	}
	if _, err := armFaults(faults); err != nil {
		return nil, err
	}
	return faults, nil
}

// armedFault is a fault that counts.
type armedFault struct {
	Fault
	path  *regexp.Regexp
	count int
}

func armFaults(faults []Fault) ([]*armedFault, error) {
	var armed []*armedFault
	for i, f := range faults {
		a, err := f.arm()
		if err != nil {
			return nil, fmt.Errorf("fault %d: %w", i+1, err)
		}
		armed = append(armed, a)
	}
	return armed, nil
}

func (f Fault) arm() (*armedFault, error) {
	path, err := regexp.Compile(f.Match.Path)
	inner := []string{fault500, fault429}
	switch {
	case err != nil:
		return nil, fmt.Errorf("match.path: %w", err)
	case f.Nth < 0:
		return nil, fmt.Errorf("nth: %d is negative", f.Nth)
	case f.Rate < 0 || f.Rate > 1:
		return nil, fmt.Errorf("rate: %v is not between 0 and 1", f.Rate)
	case f.Nth > 0 && f.Rate > 0:
		return nil, fmt.Errorf("nth and rate exclude each other")
	case f.When != "" && f.When != "before" && f.When != "after":
		return nil, fmt.Errorf("when: %q is neither before nor after", f.When)
	case !slices.Contains(faultKinds, f.Do):
		return nil, fmt.Errorf("do: %q is none of %s", f.Do, strings.Join(faultKinds, ", "))
	case f.Match.Inner && !slices.Contains(inner, f.Do):
		return nil, fmt.Errorf("do: an item of a batch can only fail with 500 or 429, not %q", f.Do)
	case f.For < 0:
		return nil, fmt.Errorf("for: negative")
	}
	return &armedFault{Fault: f, path: path}, nil
}

// after tells whether the fault comes after the effect. No fault does not.
func (f *armedFault) after() bool { return f != nil && f.When == "after" }

// lasts is For, or a default.
func (f *armedFault) lasts(otherwise time.Duration) time.Duration {
	if f.For > 0 {
		return time.Duration(f.For)
	}
	return otherwise
}

// seconds is the Retry-After of a 429.
func (f *armedFault) seconds() int {
	return int((f.lasts(2*time.Second) + time.Second - 1) / time.Second)
}

func (c *Cloud) pickOuter(method, path string, write bool) *armedFault {
	return c.pickFault(false, method, path, write)
}

// pickInner decides for an item of a batch. The caller holds mu.
func (c *Cloud) pickInner(method, path string, write bool) *armedFault {
	return c.pickFault(true, method, path, write)
}

// pickFault counts a request for every fault and returns the first one due.
func (c *Cloud) pickFault(inner bool, method, path string, write bool) *armedFault {
	var due *armedFault
	for _, f := range c.faults {
		if f.Match.Inner != inner || f.Match.Method != "" && !strings.EqualFold(f.Match.Method, method) || !f.path.MatchString(path) {
			continue
		}
		fires := f.Nth == 0 && f.Rate == 0
		switch {
		case f.Nth > 0 && write:
			f.count++
			fires = f.count == f.Nth
		case f.Rate > 0:
			fires = c.chance(f.Rate)
		}
		if fires && due == nil {
			due = f
		}
	}
	return due
}

// misbehave does what a fault says. It returns false when the request is to be
// carried on with.
func (c *Cloud) misbehave(w http.ResponseWriter, r *http.Request, host string, row *Request, f *armedFault) bool {
	if f == nil {
		return false
	}
	switch f.Do {
	case eventStepUp, eventRevoked, eventDeviceBlock, eventPolicyEdit, eventGDAPEdit:
		c.mu.Lock()
		c.happen(f.Do)
		c.mu.Unlock()
		return false
	case faultStale:
		c.mu.Lock()
		now := c.now()
		if !now.Before(c.stale.until) {
			c.stale.from, c.stale.seq = now, c.seq
		}
		c.stale.until = now.Add(f.lasts(30 * time.Second))
		c.mu.Unlock()
		return false
	case faultSlow:
		if pause(r.Context(), f.lasts(10*time.Second)) {
			return false
		}
		c.finish(row, 0)
		reset(w)
	case faultHang:
		if f.For > 0 {
			pause(r.Context(), time.Duration(f.For))
		} else {
			<-r.Context().Done()
		}
		c.finish(row, 0)
		reset(w)
	case faultReset:
		c.finish(row, 0)
		reset(w)
	default:
		reply := c.faultReply(r, host, f)
		c.finish(row, reply.status)
		reply.send(w)
	}
	return true
}

// faultReply is a 429 or a 500 in the form of the service that is asked.
func (c *Cloud) faultReply(r *http.Request, host string, f *armedFault) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	var reply *answer
	if isLogin(host) {
		err := &stsError{status: http.StatusInternalServerError, error: "server_error", code: 90033, text: "A transient error has occurred. Please try again."}
		if f.Do == fault429 {
			err = &stsError{status: http.StatusTooManyRequests, error: "temporarily_unavailable", code: 90055, text: "The request was throttled due to excessive load."}
		}
		reply = err.answer(c, c.guid())
	} else if other := otherFault(host, f.Do == fault429); other != nil {
		reply = other
	} else {
		q := &call{c: c, host: host, requestID: c.guid()}
		q.clientRequestID = q.requestID
		if id := r.Header.Get("Client-Request-Id"); isGUID(id) {
			q.clientRequestID = id
		}
		reply = q.failed(fail(http.StatusInternalServerError, "Service_InternalServerError", "Encountered an internal server error."))
		if f.Do == fault429 {
			reply = q.failed(throttled())
		}
		reply.header = map[string]string{"request-id": q.requestID, "client-request-id": q.clientRequestID}
	}
	if reply.header == nil {
		reply.header = map[string]string{}
	}
	// The identity endpoints do not always say when to come back.
	if f.Do == fault429 && (f.For > 0 || !c.chance(0.3)) {
		reply.header["Retry-After"] = strconv.Itoa(f.seconds())
	}
	return reply
}

// drain reads what is left of a body, within limits.
func drain(body io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(body, maxBody)) }
