package msclient

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// Every answer the service can garble, at every point where a secret travels: no
// error and no log line repeats one. The log is searched by test.
func TestNoErrorTellsASecret(t *testing.T) {
	type garble struct {
		name string
		bad  func(good string) reply
	}
	garbled := []garble{
		{"cut short", func(good string) reply { return ok(good[:len(good)-2]) }},
		{"not quite JSON", func(good string) reply { return ok(good + "}") }},
		{"in a page", func(good string) reply { return ok("<html>" + good + "</html>") }},
		{"as a list", func(good string) reply { return ok("[" + good + "]") }},
		{"with another status", func(good string) reply { return reply{status: 400, body: good} }},
		{"with a server's status", func(good string) reply { return reply{status: 500, body: good} }},
		{"with a status of success", func(good string) reply { return reply{status: 202, body: good} }},
		{"sent elsewhere", func(good string) reply {
			return reply{status: 302, body: good, header: map[string]string{"Location": "https://evil.example/?" + canary}}
		}},
		{"lost", func(string) reply { return reply{err: errors.New("connection lost")} }},
		{"numbers for texts", func(good string) reply { return ok(strings.ReplaceAll(good, `"Bearer"`, `7`)) }},
		{"no lifetime", func(good string) reply { return ok(strings.ReplaceAll(good, `"expires_in"`, `"x"`)) }},
		{"no id token", func(good string) reply { return ok(strings.ReplaceAll(good, `"id_token"`, `"x"`)) }},
		{"odd id token", func(good string) reply {
			return ok(strings.ReplaceAll(good, `"id_token":"e30.`, `"id_token":"canary.`))
		}},
		{"odd client info", func(good string) reply {
			return ok(strings.ReplaceAll(good, `"client_info":"`, `"client_info":"canary*`))
		}},
		{"other scopes", func(good string) reply { return ok(strings.ReplaceAll(good, `"scope":"`, `"scope":"x `)) }},
		{"less scopes", func(good string) reply {
			return ok(strings.ReplaceAll(good, "https://graph.microsoft.com/", "https://x/"))
		}},
	}
	check := func(t *testing.T, where string, err error) {
		t.Helper()
		for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%q", err)} {
			if strings.Contains(text, canary) {
				t.Errorf("%s: %s", where, text)
			}
		}
	}
	for _, gb := range garbled {
		t.Run(gb.name, func(t *testing.T) {
			test(t, func(t *testing.T, s *service, c *Client) {
				code := jsonText(map[string]any{"user_code": "C", "device_code": canary, "token_type": "Bearer", "interval": 5, "expires_in": 30})
				s.codes = func(int) reply { return gb.bad(code) }
				_, err := byCode(c, t.Context(), "", scopes, func(DeviceCode) {})
				check(t, "device code", err)
			})
			test(t, func(t *testing.T, s *service, c *Client) {
				s.lifetime = 30
				full := strings.Join(c.graphScopes(scopes), " ")
				s.polls = func(int) reply { return gb.bad(s.tokens(homeTenant, full)) }
				_, err := byCode(c, t.Context(), "", scopes, func(DeviceCode) {})
				check(t, "poll", err)
			})
			test(t, func(t *testing.T, s *service, c *Client) {
				s.signIn(c)
				s.redeem = func(r sent) reply { return gb.bad(s.tokens(otherTenant, r.form.Get("scope"))) }
				_, err := c.Graph(otherTenant).Do(t.Context(), Request{Method: "POST", Path: app})
				check(t, "refresh", err)
				for _, v := range []any{c, c.Graph(otherTenant), c.pacer, &c.clock} {
					check(t, "printing the client", fmt.Errorf("%v %+v %#v", v, v, v))
				}
			})
			test(t, func(t *testing.T, s *service, c *Client) {
				g := s.signIn(c)
				s.graph = func(sent) reply { return gb.bad(`{"secretText":"canary-secret","expires_in":1}`) }
				res, err := g.Do(t.Context(), Request{Method: "POST", Path: app + "/1/addPassword", Body: map[string]string{"password": canary}})
				check(t, "new secret", err)
				if err == nil {
					check(t, "decoding", res.Decode(&struct {
						SecretText int `json:"secretText"`
					}{}))
				}
				_, err = Get[struct{ SecretText []string }](t.Context(), g, app)
				check(t, "reading", err)
			})
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				f := openSessions(t, t.TempDir(), passphrase(canary))
				c := s.client(Options{Sessions: f})
				s.signIn(c)
				check(t, "printing the sessions", fmt.Errorf("%v %+v %#v", f, f, f))
				s.redeem = func(r sent) reply { return gb.bad(s.tokens(homeTenant, r.form.Get("scope"))) }
				_, _, err := s.client(Options{Sessions: f}).Restore(t.Context(), Wish{Scopes: []string{"Mail.Read"}})
				check(t, "restoring", err)
			})
		})
	}
}

// Refresh tokens and device codes travel in bodies: a redirect must not carry
// them to another host. The fake service reports any other host.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		away := reply{status: code, header: map[string]string{"Location": "https://evil.example/x"}}
		test(t, func(t *testing.T, s *service, c *Client) {
			g := s.signIn(c)
			s.graph, s.redeem, s.config = script(away), func(sent) reply { return away }, func(string) reply { return away }
			if _, err := g.Do(t.Context(), Request{Path: app}); err == nil || !strings.HasSuffix(err.Error(), fmt.Sprint(code)) {
				t.Errorf("Graph: got %v", err)
			}
			if _, err := c.Graph(otherTenant).Do(t.Context(), Request{Path: app}); err == nil {
				t.Error("token: no error")
			}
			if _, err := c.ResolveTenant(t.Context(), "contoso.com"); err == nil {
				t.Error("tenant: no error")
			}
		})
		test(t, func(t *testing.T, s *service, c *Client) {
			s.polls = pollScript(away)
			if _, err := byCode(c, t.Context(), "", scopes, func(DeviceCode) {}); err == nil {
				t.Error("poll: no error")
			}
		})
	}
}
