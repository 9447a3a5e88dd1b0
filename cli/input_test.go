package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/sandbox"
	"msbundle/state"
)

// Nothing a technician can get wrong leads to a write, and each sentence says
// what to do.
func TestBadInput(t *testing.T) {
	file := func(text string) []string { return []string{"plan", "-f", "FILE:" + text} }
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no terminal":        {nil, exitUsage, []string{"needs a terminal", "msbundle plan"}},
		"json wizard":        {[]string{"--json"}, exitUsage, []string{"msbundle plan"}},
		"unknown command":    {[]string{"frobnicate"}, exitUsage, []string{"frobnicate"}},
		"unknown flag":       {[]string{"plan", "--nope"}, exitUsage, []string{"--nope"}},
		"no file":            {[]string{"plan"}, exitUsage, []string{"-f"}},
		"missing file":       {[]string{"plan", "-f", "nowhere.yaml"}, exitUsage, []string{"nowhere.yaml", "no such file"}},
		"bad cloud":          {[]string{"plan", "-f", ownedCSP, "--cloud", "mars"}, exitUsage, []string{"--cloud", "usgov"}},
		"bad tenant":         {[]string{"plan", "-f", ownedCSP, "--tenant", "not a tenant"}, exitUsage, []string{"--tenant", "contoso.onmicrosoft.com"}},
		"bad client id":      {[]string{"plan", "-f", ownedCSP, "--client-id", "x"}, exitUsage, []string{"--client-id"}},
		"bad auth":           {[]string{"plan", "-f", ownedCSP, "--auth", "telepathy"}, exitUsage, []string{"--auth", "device"}},
		"bad settle":         {[]string{"plan", "-f", ownedCSP, "--settle", "soon"}, exitUsage, []string{"settle"}},
		"not agreed to":      {[]string{"apply", "-f", ownedCSP}, exitUsage, []string{"--yes"}},
		"not asked":          {[]string{"apply", "-f", ownedCSP, "--no-input"}, exitUsage, []string{"--yes"}},
		"not YAML":           {file("version: [1\n"), exitUsage, []string{"not YAML"}},
		"newer version":      {file("version: 9\n"), exitUsage, []string{"version", "newer msbundle"}},
		"unknown key":        {file("version: 1\nregistration:\n  nmae: x\n"), exitUsage, []string{"line 3", "registration.nmae", "did you mean name"}},
		"secret in it":       {file("version: 1\nregistration:\n  clientSecret: hunter2hunter2\n"), exitUsage, []string{"line 3", "holds no secrets"}},
		"name too long":      {file("version: 1\nregistration:\n  name: " + strings.Repeat("x", 257) + "\n"), exitUsage, []string{"registration.name", "257", "256"}},
		"unknown region":     {file("version: 1\nregion: mars\n"), exitUsage, []string{"line 2", "region"}},
		"single and CSP":     {file("version: 1\nintegrations: [csp]\nregistration: {audience: single}\n"), exitUsage, []string{"registration.audience", "multitenant"}},
		"bad entry":          {file("version: 1\npermissions: {add: ['exchange:']}\n"), exitUsage, []string{"permissions.add"}},
		"required removed":   {file("version: 1\npermissions: {remove: [User.Read]}\n"), exitUsage, []string{"permissions.remove", "required"}},
		"absent API":         {file("version: 1\npermissions: {add: ['exchange:Exchange.Manage']}\n"), exitUsage, []string{"add exchange to integrations"}},
		"not a plan":         {[]string{"apply", "--yes", "-f", "FILE:{\"schema\": \"other\"}"}, exitUsage, []string{"plan"}},
		"bad environment":    {[]string{"plan", "-f", ownedCSP}, exitUsage, []string{"MSBUNDLE_SETTLE"}},
		"unknown scenario":   {[]string{"sandbox", "--scenario", "nope"}, exitUsage, []string{"--scenario", "msbundle sandbox --help"}},
		"public listener":    {[]string{"sandbox", "--listen", "0.0.0.0:0"}, exitUsage, []string{"loopback"}},
		"remote sandbox":     {[]string{"plan", "-f", ownedCSP, "--sandbox=https://graph.microsoft.com"}, exitUsage, []string{"--sandbox"}},
		"password nowhere":   {[]string{"apply", "-f", ownedCSP, "--yes", "--password-out", "/nowhere/at/all"}, exitUsage, []string{"--password-out"}},
		"both on stdout":     {[]string{"apply", "-f", ownedCSP, "--yes", "--password-out", "-", "--secret-out", "-"}, exitUsage, []string{"--password-out", "--json"}},
		"both in one file":   {[]string{"apply", "-f", ownedCSP, "--yes", "--password-out", "/tmp/./x", "--secret-out", "/tmp/x"}, exitUsage, []string{"--password-out", "--secret-out"}},
		"password in file":   {file("version: 1\nserviceAccount:\n  password: hunter2hunter2\n"), exitUsage, []string{"line 3", "holds no secrets"}},
		"policies of nobody": {file("version: 1\nconditionalAccess: {}\n"), exitUsage, []string{"line 2", "serviceAccount"}},
		"secret out nowhere": {[]string{"apply", "-f", ownedCSP, "--yes", "--secret-out", "/nowhere/at/all"}, exitUsage, []string{"--secret-out"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{})
				if name == "bad environment" {
					w.vars["MSBUNDLE_SETTLE"] = "soon"
				}
				args := append([]string{}, c.args...)
				for i, arg := range args {
					if text, ok := strings.CutPrefix(arg, "FILE:"); ok {
						args[i] = w.setup(text)
					}
				}
				r := w.run(args...)
				r.must(t, c.code)
				for _, word := range c.says {
					if !strings.Contains(r.err, word) {
						t.Errorf("stderr does not say %q:\n%s", word, r.err)
					}
				}
				if strings.Contains(r.err, "hunter2") {
					t.Errorf("stderr repeats the secret:\n%s", r.err)
				}
				if got := w.writes(); len(got) > 0 {
					t.Errorf("bad input wrote: %v", got)
				}
			})
		})
	}
}

// All 320 rows join to 3,995 characters: refused before anything is sent, with
// both limits, and what is proposed to be left out makes it fit.
func TestEverythingSelectedIsRefusedAndMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		const all = "version: 1\nintegrations: [graph, exchange, csp, azure, subscriptions]\npermissions:\n  base: stock\n  add: [" +
			"Application.ReadWrite.All, AppRoleAssignment.ReadWrite.All, DelegatedPermissionGrant.ReadWrite.All, Directory.AccessAsUser.All, " +
			"ManagedTenants.ReadWrite.All, MultiTenantOrganization.ReadWrite.All, ServicePrincipalEndpoint.ReadWrite.All, " +
			"UserAuthenticationMethod.ReadWrite, exchange:full_access_as_app, keyvault:user_impersonation, storage:user_impersonation]\n"
		r := w.run("plan", "-f", w.setup(all)).must(t, exitUsage)
		for _, word := range []string{"3995", "3850", "7990", "8000", "320", "permissions.remove: ["} {
			if !strings.Contains(r.err, word) {
				t.Errorf("stderr does not say %q:\n%s", word, r.err)
			}
		}
		if n := len(w.cloud.Requests()); n > 0 {
			t.Errorf("%d requests were sent, want none", n)
		}
		_, proposal, _ := strings.Cut(r.err, "permissions.remove: [")
		proposal, _, _ = strings.Cut(proposal, "]")
		for name := range strings.SplitSeq(proposal, ", ") {
			if !strings.Contains(name, ".Read") || strings.Contains(name, "ReadWrite") || !strings.HasSuffix(name, "/delegated") {
				t.Errorf("%s is no redundant read scope", name)
			}
		}
		w.run("plan", "-f", w.setup(all+"  remove: ["+proposal+"]\n")).must(t, exitChanges)
	})
}

func TestStateFolderTrouble(t *testing.T) {
	apply := []string{"apply", "-f", ownedCSP, "--yes"}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *world)
		says  string
	}{
		"a file in its place": {func(t *testing.T, w *world) {
			w.state = filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(w.state, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "--state-dir"},
		"used by another": {func(t *testing.T, w *world) {
			store, err := state.Open(w.state, w.identity())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
		}, "another msbundle"},
		"journal of another tenant": {func(t *testing.T, w *world) {
			other := w.identity()
			other.Tenant = "11111111-2222-3333-4444-555555555555"
			store, err := state.Open(w.state, other)
			if err != nil {
				t.Fatal(err)
			}
			_ = store.Close()
			if err := os.Rename(state.Dir(w.state, other), state.Dir(w.state, w.identity())); err != nil {
				t.Fatal(err)
			}
		}, "belongs to tenant 11111111"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{})
				c.spoil(t, w)
				r := w.run(apply...).must(t, exitFailed)
				if !strings.Contains(r.err, c.says) {
					t.Errorf("stderr does not say %q:\n%s", c.says, r.err)
				}
				if got := w.writes(); len(got) > 0 {
					t.Errorf("wrote: %v", got)
				}
			})
		})
	}
}

// The canary is part of every secret, token and device code. It may be found
// where the person asked for the secret, and nowhere else.
func TestCanaryStaysIn(t *testing.T) {
	const canary = "canaryinthemine"
	synctest.Test(t, func(t *testing.T) {
		faults, err := sandbox.ParseFaults([]byte(`[{"match": {"path": "^/v1.0/"}, "rate": 0.15, "when": "after", "do": "500"},
			{"match": {"path": "addPassword"}, "nth": 1, "when": "after", "do": "reset"}]`))
		if err != nil {
			t.Fatal(err)
		}
		w := rehearsalOf(t, sandbox.Options{Canary: canary, Faults: faults, Seed: 5})
		w.vars[passphraseVar] = "correct horse"
		dir := t.TempDir()
		secret, logFile := filepath.Join(dir, "secret"), filepath.Join(dir, "log")
		w.run("login", "--log", logFile).must(t, exitDone)
		w.run("whoami", "--log", logFile).must(t, exitDone)
		w.run("plan", "-f", ownedCSP, "--json", "--log", logFile, "-o", filepath.Join(dir, "plan.json"), "--secret-out", secret).must(t, exitChanges)
		for try := 0; ; try++ {
			if r := w.run("apply", "-f", ownedCSP, "--yes", "--log", logFile, "--secret-out", secret); r.code == exitDone || try == 10 {
				r.must(t, exitDone)
				break
			}
		}
		found := map[string]bool{}
		for _, root := range []string{dir, w.state} {
			err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				data, err := os.ReadFile(path)
				found[path] = strings.Contains(string(data), canary)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if !found[secret] {
			t.Error("the secret is not where the person asked for it")
		}
		if _, logged := found[logFile]; !logged || len(found) < 5 {
			t.Errorf("only these files were searched: %v", found)
		}
		for path, leaked := range found {
			if leaked && path != secret {
				t.Errorf("the canary is in %s", path)
			}
		}
		if strings.Contains(w.printed.String(), canary) {
			t.Error("the canary was printed")
		}
		out := w.run("apply", "-f", w.setup("version: 1\nregistration: {name: Another}\n"), "--yes", "--json", "--secret-out", "-").must(t, exitDone)
		if n := strings.Count(out.out, canary); n != 1 || strings.Contains(out.err, canary) {
			t.Errorf("asked for on stdout: found %d times there, want once; on stderr: %v", n, strings.Contains(out.err, canary))
		}
	})
}

func TestSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.run("whoami").must(t, exitNoSignIn)
		if r := w.run("login").must(t, exitDone); !strings.Contains(r.err, "not remembered") {
			t.Errorf("stderr does not say that nothing is kept:\n%s", r.err)
		}
		w.run("whoami").must(t, exitNoSignIn)
		w.vars[passphraseVar] = "correct horse"
		w.run("login").must(t, exitDone)
		if r := w.run("whoami").must(t, exitDone); !strings.Contains(r.out, "admin@contoso.onmicrosoft.com") || !strings.Contains(r.out, "Contoso") {
			t.Errorf("got %q", r.out)
		}
		if r := w.run("plan", "-f", ownedCSP).must(t, exitChanges); !strings.Contains(r.err, "remembered sign-in") {
			t.Errorf("planning signed in again:\n%s", r.err)
		}
		w.vars[passphraseVar] = "wrong"
		w.run("plan", "-f", ownedCSP).must(t, exitUsage)
		w.run("logout").must(t, exitDone)
		w.vars[passphraseVar] = "correct horse"
		w.run("whoami").must(t, exitNoSignIn)
	})
}
