package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"unique"
)

// Request is one HTTP request that was received.
type Request struct {
	Method string         `json:"method"`
	URL    string         `json:"url"`    // absolute
	Status int            `json:"status"` // 0: no answer was sent
	Tenant string         `json:"tenant"` // id; "" when none is known
	Write  bool           `json:"write"`  // asks a resource API to change something; for a batch, any item does
	Inner  []InnerRequest `json:"inner,omitempty"`

	items []batchItem // of a batch, until it is answered
	inner []innerRow  // Inner, as it is kept
}

// InnerRequest is one item of a $batch.
type InnerRequest struct {
	Method string `json:"method"`
	URL    string `json:"url"` // absolute
	Status int    `json:"status"`
	Write  bool   `json:"write"`
}

// innerRow is an item as it is kept: a fleet of customers sends hundreds of
// thousands that are alike but for a few ids.
type innerRow struct {
	method, url unique.Handle[string]
	status      int16
	write       bool
}

// Requests lists what was received so far, in order.
func (c *Cloud) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := make([]Request, len(c.log))
	for i, row := range c.log {
		rows[i] = *row
		rows[i].inner = nil
		for _, in := range row.inner {
			rows[i].Inner = append(rows[i].Inner, InnerRequest{Method: in.method.Value(), URL: in.url.Value(), Status: int(in.status), Write: in.write})
		}
	}
	return rows
}

// begin notes a request and decides whether a fault is due for it.
func (c *Cloud) begin(r *http.Request, host string, body []byte) (*Request, *armedFault) {
	row := &Request{Method: r.Method, URL: "https://" + host + r.URL.RequestURI()}
	if isAPI(host) {
		row.Write = writes(r.Method, r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "/$batch") {
			items, refused := readBatch(body)
			if refused == nil {
				row.items = items
			}
			row.Write = slices.ContainsFunc(items, func(i batchItem) bool { return writes(i.Method, i.URL) })
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, row)
	if !serves(host) || slices.Contains(pageHosts, host) {
		return row, nil
	}
	return row, c.pickOuter(r.Method, r.URL.Path, row.Write)
}

func (c *Cloud) finish(row *Request, status int) {
	c.mu.Lock()
	row.Status, row.items = status, nil
	done := *row
	c.mu.Unlock()
	c.logLine(done)
}

// writes tells whether a request to an API changes something.
func writes(method, url string) bool {
	path, _, _ := strings.Cut(url, "?")
	switch strings.ToUpper(method) {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	search := strings.HasSuffix(path, "/Microsoft.ResourceGraph/resources") || strings.HasSuffix(path, "/InvokeCommand") || last == "checkNameAvailability"
	return last != "checkMemberGroups" && last != "getMemberGroups" && last != "$batch" && !search
}
