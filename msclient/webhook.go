package msclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
)

const (
	webhookLimit = 10 * time.Minute // for a workflow and its results
	webhookSize  = 16 << 20         // of an answer
	webhookHops  = 40               // redirects to its results
	webhookTries = 4                // where it asks to slow down
	webhookWait  = 2 * time.Second  // when results are not there yet
	webhookLong  = time.Minute      // a Retry-After up to this is waited for
)

// microsoftHosts are the domains of Microsoft's services, which a webhook's secret
// and answers have nothing to do with.
var microsoftHosts = []string{
	"microsoft.com", "microsoft.us", "microsoft.cn", "microsoftonline.com", "microsoftonline.us", "microsoftonline.cn", "onmicrosoft.com",
	"windows.net", "windowsazure.com", "azure.com", "azure.net", "azure.us", "azure.cn", "chinacloudapi.cn", "usgovcloudapi.net",
	"office.com", "office.net", "office365.com", "office365.us", "outlook.com", "live.com", "sharepoint.com", "sharepoint.us",
}

// Webhook starts a workflow of the partner's own by the address of its trigger and
// gives the JSON it ends with. Without a body it is a GET, otherwise a POST of the
// body as JSON. The secret goes along as x-rewst-secret; nothing of a sign-in does.
// The trigger has to wait for results: it then redirects to them.
//
// The address works like a password: errors and the log name its host only.
// https://docs.rewst.help/documentation/automations/intro-to-triggers/use-cases-and-examples/using-webhook-triggers
func (c *Client) Webhook(ctx context.Context, address Secret, secret Secret, body any) (json.RawMessage, error) {
	u, err := webhookAddress(address.Reveal())
	if err != nil {
		return nil, err
	}
	call := webhookCall{client: c, secret: secret, method: http.MethodGet, at: u, started: u}
	if body != nil {
		call.method = http.MethodPost
		if call.body, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode what the webhook is sent: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, webhookLimit)
	defer cancel()
	answer, err := call.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("webhook at %s: %w", u.Host, err)
	}
	return answer, nil
}

// webhookAddress takes an address a secret may be sent to.
func webhookAddress(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" { // the reason would quote it
		return nil, errors.New("the webhook's address is none; copy it from the trigger in Rewst, https:// included")
	}
	host := strings.ToLower(u.Hostname())
	microsofts := slices.ContainsFunc(microsoftHosts, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
	switch {
	case u.Scheme != "https":
		return nil, errors.New("the webhook's address has to begin with https://: its secret would travel in the clear")
	case u.User != nil:
		return nil, errors.New("the webhook's address must not hold a user name or password; its secret is given by itself")
	case microsofts:
		return nil, fmt.Errorf("the webhook's address leads to Microsoft (%s); it has to be that of a trigger in Rewst", host)
	case !strings.Contains(host, ".") || net.ParseIP(host) != nil:
		return nil, fmt.Errorf("the webhook's address leads to %s; it has to be that of a trigger in Rewst", host)
	}
	u.Fragment = ""
	return u, nil
}

// webhookCall is a webhook on its way to its results.
type webhookCall struct {
	client  *Client
	secret  Secret
	method  string
	body    []byte
	at      *url.URL
	started *url.URL
}

func (w *webhookCall) run(ctx context.Context) (json.RawMessage, error) {
	tries := 0
	for hops := 0; hops <= webhookHops; {
		res, body, err := w.send(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case w.later(res.StatusCode):
			wait := max(retryAfter(res.Header), webhookWait)
			if tries++; tries == webhookTries || wait > webhookLong {
				return nil, w.refusal(res)
			}
			tellWaiting(ctx, res)
			if err := Sleep(ctx, wait); err != nil {
				return nil, err
			}
		case res.Header.Get("Location") != "" && res.StatusCode < 400 && res.StatusCode != http.StatusOK:
			hops++
			if err := w.follow(ctx, res); err != nil {
				return nil, err
			}
		case res.StatusCode != http.StatusOK:
			return nil, w.refusal(res)
		case !json.Valid(body):
			return nil, errors.New("it answered without JSON; switch on \"Wait for Results\" in the trigger, and have the workflow's output be the list")
		default:
			return body, nil
		}
	}
	return nil, errors.New("it kept naming another address for its results; look in Rewst whether the workflow has ended")
}

// later tells whether an answer may be another when asked again: the trigger did not
// start the workflow, or only its results are asked for.
func (w *webhookCall) later(status int) bool {
	return status == http.StatusTooManyRequests || w.at != w.started && passingStatus(status)
}

func (w *webhookCall) send(ctx context.Context) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, TryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, w.method, w.at.String(), bytes.NewReader(w.body))
	if err != nil {
		return nil, nil, errors.New("its address cannot be used")
	}
	req.Header.Set("Accept", "application/json")
	if w.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if !w.secret.IsZero() {
		req.Header.Set("x-rewst-secret", w.secret.Reveal())
	}
	begun := time.Now()
	res, err := w.client.http.Transport.RoundTrip(req) // which follows nothing and keeps no cookie
	if err != nil {
		return nil, nil, unanswered(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, webhookSize+1))
	if err != nil {
		return nil, nil, unanswered(ctx, err)
	}
	if len(body) > webhookSize {
		return nil, nil, fmt.Errorf("its answer is larger than %d MB; have the workflow give less", webhookSize>>20)
	}
	w.client.log.Debug("webhook", "host", w.at.Host, "method", w.method, "status", res.StatusCode, "took", time.Since(begun).Round(time.Millisecond))
	return res, body, nil
}

func unanswered(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	return fmt.Errorf("no answer: %w", err)
}

// near tells whether a host is that of the trigger, one below it, or beside it in the
// vendor's domain. Whose the host beside another is nobody knows here.
func (w *webhookCall) near(host string) bool {
	vendors := slices.ContainsFunc(catalog.Regions(), func(r catalog.Region) bool { return r.Engine == w.started.Host })
	_, domain, _ := strings.Cut(w.started.Host, ".")
	return host == w.started.Host || strings.HasSuffix(host, "."+w.started.Host) || vendors && strings.HasSuffix(host, "."+domain)
}

// follow goes on where an answer says its results are, when that is near.
func (w *webhookCall) follow(ctx context.Context, res *http.Response) error {
	to, err := w.at.Parse(res.Header.Get("Location"))
	if err != nil {
		return errors.New("it named an address for its results that is none")
	}
	if to.Scheme != "https" || to.User != nil || !w.near(to.Host) {
		return fmt.Errorf("it leads to %s, which is not followed: results come from the trigger's own host or one below it", to.Host)
	}
	if res.StatusCode != http.StatusTemporaryRedirect && res.StatusCode != http.StatusPermanentRedirect {
		w.method, w.body = http.MethodGet, nil
	}
	same := to.String() == w.at.String()
	w.at = to
	if !same {
		return nil
	}
	tellWaiting(ctx, res) // the workflow has not ended
	return Sleep(ctx, min(max(retryAfter(res.Header), webhookWait), webhookLong))
}

func (w *webhookCall) refusal(res *http.Response) error {
	switch status := res.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("it refused the secret (%d); give the one of the trigger (\"Secret Key\")", status)
	case status == http.StatusNotFound || status == http.StatusGone:
		return fmt.Errorf("there is no trigger at the address (%d); copy it anew from Rewst, and see that the trigger is enabled", status)
	case status == http.StatusMethodNotAllowed:
		return fmt.Errorf("the trigger does not allow %s (%d); add it to its allowed methods", w.method, status)
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("it asks to slow down (%d); try again in some minutes", status)
	case status >= 500:
		return fmt.Errorf("the workflow's service failed at it (%d); look in Rewst how far the workflow came, and try again", status)
	case status == http.StatusAccepted || status == http.StatusNoContent:
		return fmt.Errorf("it answered without results (%d); switch on \"Wait for Results\" in the trigger", status)
	}
	return fmt.Errorf("it answered %d; look at the trigger in Rewst", res.StatusCode)
}
