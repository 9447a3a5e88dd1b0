package sandbox

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// What Browse reads of the page that takes an answer back.
var (
	formTarget = regexp.MustCompile(`<form method="post" action="([^"]+)">`)
	formField  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// Browse plays the simulated person's browser in a rehearsal: it opens a sign-in
// page of this cloud and takes the answer to the port of this machine that waits
// for it. An error is what the person would see in place of it.
func (c *Cloud) Browse(ctx context.Context, page string) error {
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	_, header, text, err := visit(c.Transport(), get)
	if err != nil {
		return err
	}
	if back := header.Get("Location"); back != "" {
		return c.comeBack(ctx, back, nil, get.URL.Host)
	}
	target := formTarget.FindStringSubmatch(text)
	if target == nil {
		return errors.New("the sign-in page went no further")
	}
	form := url.Values{}
	for _, f := range formField.FindAllStringSubmatch(text, -1) {
		form.Add(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return c.comeBack(ctx, html.UnescapeString(target[1]), form, get.URL.Host)
}

// comeBack takes the answer of a sign-in host to a port of this machine: a form,
// or an address alone.
func (c *Cloud) comeBack(ctx context.Context, page string, form url.Values, from string) error {
	to, err := url.Parse(page)
	if err != nil || !isLoopback(to.Hostname()) {
		return fmt.Errorf("the sign-in page leads to %s, which is not this machine", to)
	}
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, to.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://"+from)
	}
	// It is this machine: no proxy is used, and nobody is asked what localhost is.
	status, _, _, err := visit(&http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		host := to.Hostname()
		if host == "localhost" {
			host = "127.0.0.1"
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(host, to.Port()))
	}}, req)
	if err == nil && status >= 400 {
		err = fmt.Errorf("the answer was not taken: %d", status)
	}
	return err
}

func visit(by http.RoundTripper, r *http.Request) (int, http.Header, string, error) {
	res, err := by.RoundTrip(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(body), err
}
