package msclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	hookHost = "engine.rewst.io"
	hookPath = "/webhooks/custom/trigger/" + canary + "/org"
	hook     = "https://" + hookHost + hookPath
	list     = `{"organizations":[{"id":"1","name":"Contoso"}]}`
)

func leadsTo(status int, location string) reply {
	return reply{status: status, header: map[string]string{"Location": location}, body: "<html>moved</html>"}
}

// webhook calls a webhook that answers so, one answer after another.
func webhook(t *testing.T, body any, answers ...reply) (got string, calls []sent, took time.Duration, err error) {
	t.Helper()
	test(t, func(t *testing.T, s *service, c *Client) {
		s.signIn(c)
		before := s.count()
		answer := script(answers...)
		s.hosts = map[string]func(sent) reply{hookHost: answer, "results.rewst.io": answer}
		begun := time.Now()
		var raw []byte
		raw, err = c.Webhook(t.Context(), NewSecret(hook), NewSecret(canary+"-secret"), body)
		got, took = string(raw), time.Since(begun)
		calls = s.to("")[before:]
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
			t.Errorf("the error tells the address or the secret: %v", err)
		}
		for _, r := range calls {
			if r.header.Get("x-rewst-secret") != canary+"-secret" || r.token != "" || len(r.header.Values("Cookie")) > 0 {
				t.Errorf("sent %v", r.header)
			}
		}
	})
	return got, calls, took, err
}

func TestWebhook(t *testing.T) {
	cookie := map[string]string{"Set-Cookie": "session=x; Path=/", "Location": "/results/1"}
	for _, tt := range []struct {
		name    string
		body    any
		answers []reply
		want    []string // requests
		took    time.Duration
	}{
		{"at once", nil, []reply{ok(list)}, []string{"GET " + hookPath}, 0},
		{"with a body", map[string]string{"do": "list"}, []reply{ok(list)}, []string{"POST " + hookPath + ` {"do":"list"}`}, 0},
		{"results", nil, []reply{leadsTo(302, "/results/1"), ok(list)}, []string{"GET " + hookPath, "GET /results/1"}, 0},
		{"results of a POST", 1, []reply{leadsTo(303, "https://results.rewst.io/1"), ok(list)}, []string{"POST " + hookPath + " 1", "GET /1"}, 0},
		{"moved for good", 1, []reply{leadsTo(307, "/other"), ok(list)}, []string{"POST " + hookPath + " 1", "POST /other 1"}, 0},
		{
			"results that take time", nil,
			[]reply{leadsTo(302, "/r"), leadsTo(302, "/r"), leadsTo(302, "/r"), ok(list)},
			[]string{"GET " + hookPath, "GET /r", "GET /r", "GET /r"},
			4 * second,
		},
		{"accepted first", nil, []reply{leadsTo(202, "/r"), ok(list)}, []string{"GET " + hookPath, "GET /r"}, 0},
		{"throttled", 1, []reply{throttled("7"), ok(list)}, []string{"POST " + hookPath + " 1", "POST " + hookPath + " 1"}, 7 * second},
		{"results not to be had for a moment", nil, []reply{leadsTo(302, "/r"), status(503), ok(list)}, []string{"GET " + hookPath, "GET /r", "GET /r"}, 2 * second},
		{"a cookie is not kept", nil, []reply{{status: 302, header: cookie}, ok(list)}, []string{"GET " + hookPath, "GET /results/1"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, calls, took, err := webhook(t, tt.body, tt.answers...)
			if got != list || err != nil || took != tt.took {
				t.Errorf("after %s: %q, %v", took, got, err)
			}
			var asked []string
			for _, r := range calls {
				asked = append(asked, strings.TrimSpace(r.method+" "+r.path+" "+r.body))
			}
			if diff := cmp.Diff(tt.want, asked); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWebhookRefusals(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []reply
		says    string
		calls   int
	}{
		{"wrong secret", []reply{status(401)}, `it refused the secret (401); give the one of the trigger ("Secret Key")`, 1},
		{"no trigger", []reply{status(404)}, "there is no trigger at the address (404)", 1},
		{"method", []reply{status(405)}, "the trigger does not allow GET (405)", 1},
		{"throttled for long", []reply{throttled("3600")}, "slow down (429)", 1},
		{"throttled for good", []reply{throttled("1")}, "slow down (429)", 4},
		{"failing: the workflow may have begun", []reply{status(502)}, "failed at it (502)", 1},
		{"no results", []reply{{status: 202, body: `{}`}}, `switch on "Wait for Results"`, 1},
		{"no JSON", []reply{ok("<html>")}, "answered without JSON", 1},
		{"nothing", []reply{ok("")}, "answered without JSON", 1},
		{"too large", []reply{ok(strings.Repeat(" ", webhookSize+1))}, "larger than 16 MB", 1},
		{"elsewhere", []reply{leadsTo(302, "https://evil.example/x")}, "leads to evil.example, which is not followed", 1},
		{"to a host like it", []reply{leadsTo(302, "https://evilrewst.io/x")}, "not followed", 1},
		{"in the clear", []reply{leadsTo(302, "http://engine.rewst.io/x")}, "not followed", 1},
		{"nowhere", []reply{leadsTo(302, "https://a b:%zz/"+canary)}, "named an address for its results that is none", 1},
		{"in circles", []reply{leadsTo(302, "/a"), leadsTo(302, "/b"), leadsTo(302, "/a")}, "kept naming another address", 41},
		{"lost", []reply{{err: errReset}}, "no answer: ", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, calls, _, err := webhook(t, nil, tt.answers...)
			if err == nil || !strings.HasPrefix(err.Error(), "webhook at "+hookHost+": ") || !strings.Contains(err.Error(), tt.says) || len(calls) != tt.calls {
				t.Errorf("after %d requests: %v", len(calls), err)
			}
		})
	}
}

// Hosts side by side may be two companies', so the secret goes no further than the
// trigger's, but for the vendor's own.
func TestWebhookFollowsNobodyElse(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		follows  bool
	}{
		{"hooks.contoso.co.uk", "hooks.contoso.co.uk", true},
		{"hooks.contoso.co.uk", "results.hooks.contoso.co.uk", true},
		{"contoso.co.uk", "fabrikam.co.uk", false},
		{"hooks.contoso.com", "results.contoso.com", false},
		{"engine.eu.rewst.io", "results.eu.rewst.io", true},
		{"engine.rewst.asia", "results.rewst.asia", true},
	} {
		test(t, func(t *testing.T, s *service, c *Client) {
			reached := false
			s.hosts = map[string]func(sent) reply{
				tt.from: func(r sent) reply {
					if r.path == "/r" {
						reached = true
						return ok(list)
					}
					return leadsTo(302, "https://"+tt.to+"/r")
				},
			}
			if tt.to != tt.from {
				s.hosts[tt.to] = func(sent) reply { reached = true; return ok(list) }
			}
			_, err := c.Webhook(t.Context(), NewSecret("https://"+tt.from+"/hook"), NewSecret("secret"), nil)
			if reached != tt.follows || (err == nil) != tt.follows {
				t.Errorf("from %s to %s: followed %v, %v", tt.from, tt.to, reached, err)
			}
		})
	}
}

func TestWebhookAddresses(t *testing.T) {
	test(t, func(t *testing.T, s *service, c *Client) {
		for address, says := range map[string]string{
			"":                                       "none",
			"engine.rewst.io/webhooks/canary":        "none",
			"https://%zz/canary":                     "none",
			"http://engine.rewst.io/canary":          "https://",
			"ftp://engine.rewst.io/canary":           "https://",
			"https://user:canary@engine.rewst.io/":   "user name",
			"https://graph.microsoft.com/canary":     "leads to Microsoft (graph.microsoft.com)",
			"https://LOGIN.microsoftonline.com/":     "leads to Microsoft",
			"https://x.logic.azure.com:443/canary":   "leads to Microsoft",
			"https://localhost/canary":               "localhost",
			"https://127.0.0.1/canary":               "127.0.0.1",
			"https://[::1]/canary":                   "::1",
			"https://login.microsoftonline.us/x":     "leads to Microsoft",
			"https://contoso.sharepoint.com/webhook": "leads to Microsoft",
		} {
			_, err := c.Webhook(t.Context(), NewSecret(address), Secret{}, nil)
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: got %v", address, err)
			}
		}
		if s.count() != 0 {
			t.Errorf("%d requests", s.count())
		}
		s.hosts = map[string]func(sent) reply{hookHost: func(r sent) reply {
			if len(r.header.Values("x-rewst-secret")) != 0 {
				t.Error("an empty secret was sent")
			}
			return reply{hang: true}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := c.Webhook(ctx, NewSecret(" "+hook+"\n"), Secret{}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: got %v", err)
		}
	})
}
