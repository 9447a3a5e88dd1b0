package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/sandbox"
	"msbundle/steps"
)

// starts counts the sign-ins that were begun.
func (w *world) starts() int {
	n := 0
	for _, r := range w.cloud.Requests() {
		if strings.HasSuffix(r.URL, "/devicecode") {
			n++
		}
	}
	return n
}

// Whoever cannot finish the setup is refused before anything is written, with
// what to do; done so, the same command completes.
func TestWhoSignsIn(t *testing.T) {
	const admin, owner = "admin@contoso.onmicrosoft.com", "owner@contoso.onmicrosoft.com"
	for _, c := range []struct {
		name, scenario string
		args           []string
		code           int
		says           []string
		mend           func(*testing.T, *sandbox.Cloud)
	}{
		{
			name: "wrong tenant", scenario: "wrong-tenant", args: []string{"--tenant", "contoso.onmicrosoft.com"}, code: exitNoSignIn,
			// The browser says so (AADSTS50020); this side only hears nothing.
			says: []string{"If the browser showed an error"},
			mend: func(_ *testing.T, c *sandbox.Cloud) { c.SignInAs(c.Tenant().Admin) },
		},
		{
			name: "another account than expected", scenario: "no-mfa", args: []string{"--account", owner}, code: exitNoSignIn,
			says: []string{admin + " signed in, and " + owner + " was expected", "use another account"},
			mend: func(_ *testing.T, c *sandbox.Cloud) { c.SignInAs(owner) },
		},
		{
			name: "guest", scenario: "guest", code: exitNoSignIn, says: []string{"Global Administrator"},
			mend: func(_ *testing.T, c *sandbox.Cloud) { c.SignInAs(owner) },
		},
		{
			name: "no multifactor authentication", scenario: "no-mfa", code: exitFailed, says: []string{"Multifactor authentication", "ign in again"},
			mend: func(_ *testing.T, c *sandbox.Cloud) { c.SignInAs(owner) },
		},
		{
			name: "role only eligible", scenario: "eligible-role", code: exitFailed, says: []string{"eligible", "activate"},
			mend: func(t *testing.T, c *sandbox.Cloud) {
				if n, err := c.Activate(admin); n != 1 || err != nil {
					t.Errorf("activated %d roles, %v", n, err)
				}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: c.scenario})
				w.checked()
				if c.name == "another account than expected" {
					w.cloud.SignInAs(admin) // who does not mind the hint
				}
				args := append([]string{"apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(t.TempDir(), "s")}, c.args...)
				r := w.run(args...).must(t, c.code)
				for _, word := range c.says {
					if !strings.Contains(r.err, word) {
						t.Errorf("stderr does not say %q:\n%s", word, r.err)
					}
				}
				if got := w.writes(); len(got) > 0 {
					t.Fatalf("the run was refused, and wrote: %v", got)
				}
				c.mend(t, w.cloud)
				w.run(args...).must(t, exitDone)
			})
		})
	}
}

// What the service asks of a person in the middle of the writes is done there,
// and the work goes on: the tenant ends as if nothing had happened.
func TestAChallengeInTheMiddleOfApply(t *testing.T) {
	apply := func(t *testing.T, scenario string) (digest string, starts int) {
		synctest.Test(t, func(t *testing.T) {
			w := rehearsalOf(t, sandbox.Options{Scenario: scenario, Approve: sandbox.ApproveAuto})
			w.checked()
			w.run("apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(t.TempDir(), "s")).must(t, exitDone)
			digest, starts = w.cloud.Digest().SHA256, w.starts()
		})
		return digest, starts
	}
	want, starts := apply(t, "happy")
	if starts != 1 {
		t.Errorf("happy: %d sign-ins", starts)
	}
	for _, scenario := range []string{"step-up", "revoked"} {
		if got, starts := apply(t, scenario); got != want || starts != 2 {
			t.Errorf("%s: %d sign-ins, same digest: %t", scenario, starts, got == want)
		}
	}
}

// An app that signs in by itself reads, and is told what it cannot do.
func TestAppCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "reader-app"})
		w.checked()
		id, secret := w.cloud.AppCredentials()
		r := w.run("plan", "-f", ownedCSP, "--auth", "env").must(t, exitUsage)
		for _, word := range []string{tenantVar, clientVar, secretVar} {
			if !strings.Contains(r.err, word) {
				t.Errorf("stderr does not name %s:\n%s", word, r.err)
			}
		}
		w.vars[tenantVar], w.vars[clientVar], w.vars[secretVar] = w.cloud.Tenant().ID, id, secret
		doc := decode[planDocument](t, w.run("plan", "-f", ownedCSP, "--auth", "env", "--json").must(t, exitChanges))
		if len(doc.Changes) == 0 || w.starts() != 0 {
			t.Errorf("%d changes, %d sign-ins", len(doc.Changes), w.starts())
		}
		who := decode[map[string]any](t, w.run("login", "--auth", "env", "--json").must(t, exitDone))
		if who["type"] != "app" || who["tenant"] != w.cloud.Tenant().ID {
			t.Errorf("login: %v", who)
		}
		r = w.run("apply", "-f", ownedCSP, "--auth", "env", "--yes").must(t, exitUsage)
		for _, word := range []string{"write", "Partner Center", "customer tenants"} {
			if !strings.Contains(r.err, word) {
				t.Errorf("stderr does not say %q:\n%s", word, r.err)
			}
		}
		w.vars[secretVar] = "wrong"
		if r := w.run("plan", "-f", ownedCSP, "--auth", "env").must(t, exitNoSignIn); !strings.Contains(r.err, "AADSTS7000215") {
			t.Errorf("wrong secret: %s", r.err)
		}
		if strings.Contains(w.printed.String(), secret) {
			t.Error("the secret was printed")
		}
	})
}

// A rehearsal signs in by browser too: the sandbox plays the browser.
func TestLoginByBrowser(t *testing.T) {
	w := rehearsalOf(t, sandbox.Options{Scenario: "device-code-blocked"})
	r := w.run("login", "--auth", "browser", "--json").must(t, exitDone)
	if decode[map[string]any](t, r)["account"] != w.cloud.Tenant().Admin {
		t.Errorf("got %s", r.out)
	}
	var event map[string]any
	first, _, _ := strings.Cut(r.err, "\n")
	if err := json.Unmarshal([]byte(first), &event); err != nil || event["method"] != "browser" || !strings.HasPrefix(event["address"].(string), "https://login.microsoftonline.com/") {
		t.Errorf("%v: %s", err, first)
	}
	if w.starts() != 0 {
		t.Error("a code was asked for")
	}
}

// Where the browser is on another computer, the commands say what the wizard says, in
// a rehearsal too: the way back here, and the way to the rehearsal's pages.
func TestTunnelIsTold(t *testing.T) {
	for page, want := range map[string]string{
		"":                                    "\n    ssh -N -L 41141:127.0.0.1:41141 alex@192.0.2.4\n\n",
		"https://127.0.0.1:9443/devicelogin":  "\n    ssh -N -L 41141:127.0.0.1:41141 -L 9443:127.0.0.1:9443 alex@192.0.2.4\n\n",
		"https://sandbox.contoso/devicelogin": "\n    ssh -N -L 41141:127.0.0.1:41141 alex@192.0.2.4\n\n",
	} {
		var out strings.Builder
		vars := map[string]string{"USER": "alex", "SSH_CONNECTION": "198.51.100.7 50000 192.0.2.4 22"}
		a := &app{Streams: Streams{Err: &out}, env: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
		a.say(&connection{page: page}, steps.Prompt{Method: steps.ByTunnel, Port: 41141, URL: "https://login.microsoftonline.com/x"}, true)
		if text := out.String(); !strings.Contains(text, want) || !strings.Contains(text, "On the computer whose browser you use") || strings.Contains(text, "Rehearsal") != (page != "") || strings.Contains(text, "waits until you open the page") != (page != "") {
			t.Errorf("%s:\n%s", page, text)
		}
	}
}
