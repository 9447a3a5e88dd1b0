package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// control is the sandbox's own address space, for tests and for the curious.
func (c *Cloud) control(w http.ResponseWriter, r *http.Request) {
	type page struct {
		method, what string
		serve        func(*http.Request) (any, error)
	}
	pages := map[string]page{
		"/_sandbox/digest":            {http.MethodGet, "the state of the world, comparable between runs", func(*http.Request) (any, error) { return c.Digest(), nil }},
		"/_sandbox/requests":          {http.MethodGet, "what was received", func(*http.Request) (any, error) { return c.Requests(), nil }},
		"/_sandbox/tenant":            {http.MethodGet, "the partner's tenant", func(*http.Request) (any, error) { return c.Tenant(), nil }},
		"/_sandbox/organizations.csv": {http.MethodGet, "the customers' places in Rewst, as it exports them", nil},
		"/_sandbox/ca.pem":            {http.MethodGet, "the certificate authority of this server", nil},
		"/_sandbox/faults":            {http.MethodPost, "replace the faults", c.postFaults},
		"/_sandbox/approve":           {http.MethodPost, `answer sign-ins and relationships: {"all": true}, {"user_code": "...", "account": "..."} or {"relationship": "..."}`, c.postApprove},
		"/_sandbox/person":            {http.MethodPost, `who signs in from now on: {"account": "..."}; "" is the scenario's person`, c.postPerson},
		"/_sandbox/connector":         {http.MethodPost, `press Authorize in Rewst with its connector: {"tenant": "..."}`, c.postConnector},
		"/_sandbox/activate":          {http.MethodPost, `make an account's eligible roles active: {"account": "..."}`, c.postActivate},
		"/_sandbox/clock":             {http.MethodPost, `move the clock: {"advance": "24h"}`, c.postClock},
	}
	p, known := pages[r.URL.Path]
	switch {
	case r.URL.Path == "/_sandbox" || r.URL.Path == "/_sandbox/":
		index := map[string]string{}
		for path, p := range pages {
			index[p.method+" "+path] = p.what
		}
		writeJSON(w, http.StatusOK, index)
	case !known:
		writeJSON(w, http.StatusNotFound, object{"error": "there is nothing at " + r.URL.Path})
	case r.Method != p.method:
		w.Header().Set("Allow", p.method)
		writeJSON(w, http.StatusMethodNotAllowed, object{"error": r.URL.Path + " takes " + p.method})
	case r.URL.Path == "/_sandbox/organizations.csv":
		c.sendOrganizations(w)
	case r.URL.Path == "/_sandbox/ca.pem":
		c.mu.Lock()
		pem := c.authorityPEM
		c.mu.Unlock()
		if pem == nil {
			writeJSON(w, http.StatusNotFound, object{"error": "this sandbox has no certificate: it runs in process"})
			return
		}
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(pem)
	default:
		out, err := p.serve(r)
		if err != nil {
			writeJSON(w, http.StatusBadRequest, object{"error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, out)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

func decodeStrict(r *http.Request, into any) error {
	text, err := drain(r.Body)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("the body cannot be read: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("the body holds more than one value")
	}
	return nil
}

func (c *Cloud) postFaults(r *http.Request) (any, error) {
	text, err := drain(r.Body)
	if err != nil {
		return nil, err
	}
	faults, err := ParseFaults(text)
	if err != nil {
		return nil, err
	}
	c.SetFaults(faults)
	return object{"faults": len(faults)}, nil
}

func (c *Cloud) postApprove(r *http.Request) (any, error) {
	var in struct {
		All          bool   `json:"all"`
		UserCode     string `json:"user_code"`
		Account      string `json:"account"`
		Relationship string `json:"relationship"`
	}
	if err := decodeStrict(r, &in); err != nil {
		return nil, err
	}
	switch {
	case in.All && in.UserCode+in.Relationship != "", !in.All && (in.UserCode != "") == (in.Relationship != ""):
		return nil, fmt.Errorf("one of all, user_code and relationship is expected")
	case in.All:
		c.mu.Lock()
		defer c.mu.Unlock()
		return object{"approved": c.approveAll() + c.approveRelationships()}, nil
	case in.Relationship != "":
		if err := c.ApproveRelationship(in.Relationship); err != nil {
			return nil, err
		}
		return object{"approved": 1}, nil
	}
	if err := c.Approve(in.UserCode, in.Account); err != nil {
		return nil, err
	}
	return object{"approved": 1}, nil
}

func (c *Cloud) postClock(r *http.Request) (any, error) {
	var in struct {
		Advance Duration `json:"advance"`
	}
	if err := decodeStrict(r, &in); err != nil {
		return nil, err
	}
	c.Advance(time.Duration(in.Advance))
	return object{"now": stamp(c.clock())}, nil
}
