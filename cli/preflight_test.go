package cli

import (
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

// What the checks found goes to the person, as remarks; only what cannot go on
// ends the run, before anything is written.
func TestChecksAreRemarks(t *testing.T) {
	for _, c := range []struct {
		scenario string
		args     []string
		code     int
		says     []string
		silent   []string
	}{
		{scenario: "happy", code: exitChanges, silent: []string{"Tenant:", "Security defaults:", "Conditional Access:"}},
		{scenario: "policies", code: exitChanges, says: []string{`How long a sign-in lasts: "Sign in every hour" asks for a new sign-in every hour.`, "Exclude the account"}},
		{scenario: "security-defaults", code: exitChanges, says: []string{"Security defaults: On:"}},
		{scenario: "no-p1", code: exitChanges, says: []string{"Microsoft Entra ID P1: No product of this tenant has it."}},
		{scenario: "not-admin-agent", code: exitChanges, says: []string{"AdminAgents: admin@contoso.onmicrosoft.com is not a member."}},
		{scenario: "legacy-apps", code: exitChanges, says: []string{"Rewst Prod (06bfda05", "still used for signing in to Rewst itself", "Nothing is deleted here."}},
		{scenario: "eligible-role", code: exitFailed, says: []string{
			"Roles to be activated: Eligible, and not active: Global Administrator.", "https://entra.microsoft.com -> Privileged Identity Management -> My roles",
		}},
		{scenario: "no-mfa", code: exitFailed, says: []string{"Sign in again with multifactor authentication.", "https://aka.ms/mfasetup"}},
		{scenario: "secret-lifetime", code: exitChanges, silent: []string{"180 days"}},
		{scenario: "secret-lifetime", args: []string{"--secret-out", "-"}, code: exitChanges, says: []string{"180 days"}},
		{scenario: "secrets-forbidden", code: exitChanges, silent: []string{"forbids"}},
		{scenario: "secrets-forbidden", args: []string{"--secret-out", "-"}, code: exitFailed, says: []string{"forbids"}},
		{scenario: "odd-names", code: exitChanges},
	} {
		t.Run(c.scenario+strings.Join(c.args, " "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: c.scenario})
				w.checked()
				r := w.run(append([]string{"plan", "-f", ownedCSP}, c.args...)...).must(t, c.code)
				for _, word := range c.says {
					if !strings.Contains(r.err, word) {
						t.Errorf("stderr does not say %q:\n%s", word, r.err)
					}
				}
				for _, word := range c.silent {
					if strings.Contains(r.err, word) {
						t.Errorf("stderr says %q:\n%s", word, r.err)
					}
				}
				if got := w.writes(); len(got) > 0 {
					t.Errorf("looking wrote: %v", got)
				}
			})
		})
	}
}

// The plan as JSON has what it always had: the checks are no part of it.
func TestChecksAreNotInThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "policies"})
		r := w.run("plan", "-f", ownedCSP, "--json").must(t, exitChanges)
		var doc map[string]json.RawMessage
		if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
			t.Fatalf("stdout is not one JSON document: %v", err)
		}
		var names []string
		for name := range doc {
			names = append(names, name)
		}
		slices.Sort(names)
		want := []string{"account", "answers", "changes", "notes", "offers", "password", "schema", "secret", "stage", "taken", "tenant", "tenantName"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("fields of the plan (-want +got):\n%s", diff)
		}
	})
}

// signIns counts the codes that were asked for.
func (w *world) signIns() int {
	n := 0
	for _, r := range w.cloud.Requests() {
		if strings.HasSuffix(pathOf(r.URL), "/oauth2/v2.0/devicecode") {
			n++
		}
	}
	return n
}

// The sign-in for Azure and Partner Center is asked for where somebody is there to
// decide about it, and where one of them was chosen; what is left out says how to
// have it.
func TestFurtherSignIn(t *testing.T) {
	const graphOnly = "version: 1\nintegrations: [graph, exchange]\n"
	for name, c := range map[string]struct {
		setup   string
		args    []string
		typed   string // "" is somebody who types nothing
		signIns int
		leftOut string // why; "" when nothing is
	}{
		"somebody is there":       {ownedCSP, []string{"--accessible"}, "", 2, ""},
		"somebody presses enter":  {ownedCSP, []string{"--accessible"}, "\n", 2, ", which was left out."},
		"the input ends":          {ownedCSP, []string{"--accessible"}, "end", 2, ", which was left out."},
		"nobody is there":         {ownedCSP, nil, "", 1, ", and nobody can be asked for it here: there is no terminal."},
		"nobody is to be asked":   {ownedCSP, []string{"--accessible", "--no-input"}, "", 1, ", and nobody can be asked for it here: --no-input rules it out"},
		"nothing of it is chosen": {graphOnly, []string{"--accessible"}, "", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{})
				w.checked()
				typed, typing := io.Pipe()
				defer typing.Close()
				w.in = typed
				switch c.typed {
				case "":
				case "end":
					_ = typing.Close()
				default:
					go func() { _, _ = io.WriteString(typing, c.typed) }()
				}
				setup := c.setup
				if setup == graphOnly {
					setup = w.setup(graphOnly)
				}
				r := w.run(append([]string{"plan", "-f", setup}, c.args...)...).must(t, exitChanges)
				if got := w.signIns(); got != c.signIns {
					t.Errorf("got %d sign-ins, want %d:\n%s", got, c.signIns, r.err)
				}
				const said = "It takes one more sign-in"
				want := "Access to customers, Azure subscription, Azure key vault: " + said + c.leftOut
				switch n := strings.Count(r.err, said); {
				case c.leftOut == "" && n > 0, c.leftOut != "" && n != 1: // once, however much it would show
					t.Errorf("said %d times:\n%s", n, r.err)
				case n == 1 && (!strings.Contains(r.err, want) || !strings.Contains(r.err, "--client-id")):
					t.Errorf("does not say %q:\n%s", want, r.err)
				case strings.Contains(r.err, "no-input") != slices.Contains(c.args, "--no-input"):
					t.Errorf("whether --no-input was given:\n%s", r.err)
				}
			})
		})
	}
}

// An answer that is there already is for the question it answers, not for the
// sign-in before it. With --json there is nothing else on stderr.
func TestAnAnswerFromAPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.in = strings.NewReader("yes\n")
		r := w.run("apply", "-f", ownedCSP, "--accessible", "--secret-out", filepath.Join(t.TempDir(), "s"), "--json").must(t, exitDone)
		if got := w.signIns(); got != 2 {
			t.Errorf("got %d sign-ins", got)
		}
		for line := range strings.Lines(r.err) {
			if !json.Valid([]byte(line)) {
				t.Errorf("no JSON on stderr: %q", line)
			}
		}
	})
}

// An app that signs in by itself can look, and is told what it cannot see.
func TestChecksOfAnApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "reader-app"})
		w.checked()
		id, secret := w.cloud.AppCredentials()
		w.vars = map[string]string{tenantVar: w.cloud.Tenant().ID, clientVar: id, secretVar: secret}
		r := w.run("plan", "-f", ownedCSP, "--auth", "env").must(t, exitChanges)
		const why = "An app signed in by itself"
		titles, _, _ := strings.Cut(r.err, ": "+why)
		for _, title := range []string{"\nAccount, ", "Directory roles, ", "AdminAgents, ", "Azure subscription, "} {
			if !strings.Contains(titles, title) {
				t.Errorf("stderr does not say %q:\n%s", title, r.err)
			}
		}
		if n := strings.Count(r.err, why); n != 1 {
			t.Errorf("said %d times:\n%s", n, r.err)
		}
		if w.signIns() > 0 {
			t.Error("somebody was asked to sign in")
		}
	})
}

// What is only worth a look costs nothing when the plan is carried out: applying
// reads no policies, no Azure and no Partner Center a second time, even where an
// API that is refused has the plan made anew.
func TestApplyingDoesNotCheckAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "api-missing"})
		typed, typing := io.Pipe()
		defer typing.Close()
		w.in = typed
		w.run("apply", "-f", ownedCSP, "--yes", "--accessible", "--secret-out", filepath.Join(t.TempDir(), "s")).must(t, exitFailed)
		for _, part := range []string{"/identity/conditionalAccess/policies", "/v1/profiles/organization", "management.azure.com/subscriptions?"} {
			n := 0
			for _, r := range w.cloud.Requests() {
				if strings.Contains(r.URL, part) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s was read %d times, want once", part, n)
			}
		}
	})
}
