package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

// wholeTenant is a setup with every section about the tenant, and the smallest app.
const wholeTenant = `version: 1
integrations: [graph, exchange, csp, azure]
registration: {kind: owned, name: Rewst Integration}
permissions: {base: minimum}
serviceAccount: {create: true, username: rewst}
conditionalAccess: {policy: enabled}
azure: {location: westeurope}
exchange: {administrator: true}
`

// alone is the setup without the app.
const alone = "version: 1\nintegrations: [graph, csp]\nserviceAccount: {username: rewst}\nconditionalAccess: {}\n"

// passworded are the arguments of an apply that delivers what it makes.
func (w *world) passworded(setup string) []string {
	w.t.Helper()
	dir := w.t.TempDir()
	return []string{
		"apply", "-f", w.setup(setup), "--yes", "--password-out", filepath.Join(dir, "password"),
	}
}

// asWritten holds a tenant against one that was written by hand.
func asWritten(t *testing.T, name string, got sandbox.TenantDigest) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var want sandbox.TenantDigest
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, got)); diff != "" {
		t.Errorf("the tenant differs from %s (-want +got):\n%s", name, diff)
	}
}

// asJSON takes a digest to plain values: what is empty in one and absent in the
// other is the same.
func asJSON(t *testing.T, d sandbox.TenantDigest) any {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The whole of it, on three tenants: what it leads to was written by hand. Run
// again it writes nothing, here and on another machine, and undone the tenant is
// as it was.
func TestTenantMadeReady(t *testing.T) {
	t.Parallel()
	for _, scenario := range []string{"security-defaults", "five-policies", "no-p1"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: scenario})
				w.checked()
				start := w.settled()
				args := w.passworded(wholeTenant)
				plan := decode[planDocument](t, w.run(append([]string{"plan"}, append(without(args[1:], "--yes"), "--json")...)...).must(t, exitChanges))
				if got := w.writes(); len(got) > 0 {
					t.Fatalf("planning wrote: %v", got)
				}
				done := decode[applyDocument](t, w.run(append(args, "--json")...).must(t, exitDone))
				if !done.Done || done.Written != len(plan.Changes) || done.Ready == nil || done.Ready.Account != "rewst@contoso.onmicrosoft.com" {
					t.Errorf("done %v with %d writes, the plan had %d: %+v", done.Done, done.Written, len(plan.Changes), done.Ready)
				}
				if diff := cmp.Diff(planned(plan), shapes(w.writes())); diff != "" {
					t.Errorf("what was planned and what was written differ (-planned +written):\n%s", diff)
				}
				asWritten(t, "ready-"+scenario+".json", w.settled())

				before := len(w.writes())
				w.run(args...).must(t, exitDone)
				journal := w.state
				w.state = t.TempDir()
				w.run(args...).must(t, exitDone)
				w.state = journal
				if got := w.writes()[before:]; len(got) > 0 {
					t.Errorf("running again wrote: %v", got)
				}
				w.run("undo", "--yes").must(t, exitDone)
				if diff := cmp.Diff(start, w.settled()); diff != "" {
					t.Errorf("undone, the tenant differs from the start (-start +undone):\n%s", diff)
				}
			})
		})
	}
}

func without(list []string, word string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == word })
}

// A file about the tenant alone makes no app; a plan file keeps to that.
func TestTenantAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		args := w.passworded(alone)
		password := args[len(args)-1]
		file := filepath.Join(t.TempDir(), "plan.json")
		w.run("plan", "-f", args[2], "-o", file, "--password-out", password).must(t, exitChanges)
		w.run("apply", "-f", file, "--yes").must(t, exitUsage) // it was planned with a password to deliver
		r := w.run("apply", "-f", file, "--yes", "--password-out", password).must(t, exitDone)
		for _, words := range []string{"Account:", "rewst@contoso.onmicrosoft.com", "AdminAgents", "in " + password, "register a method"} {
			if !strings.Contains(r.err, words) {
				t.Errorf("the result does not say %q:\n%s", words, r.err)
			}
		}
		d := w.settled()
		if len(d.Applications) > 0 || len(d.ServicePrincipals) > 0 {
			t.Errorf("an app was made: %+v", d.Applications)
		}
		if info, err := os.Stat(password); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the password's file: %v, mode %v, want 0600", err, info.Mode())
		}
	})
}

// Wherever a password goes, it goes there alone.
func TestPasswordIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		setup, log := w.setup(alone), filepath.Join(t.TempDir(), "log")
		// Nobody is to have it, then somebody is.
		r := w.run("apply", "-f", setup, "--yes", "--log", log).must(t, exitDone)
		if !strings.Contains(r.err, "--password-out") {
			t.Errorf("nothing says how to have the password:\n%s", r.err)
		}
		first := w.run("apply", "-f", setup, "--yes", "--password-out", "-", "--log", log).must(t, exitDone)
		password := strings.TrimSpace(first.out)
		if len(password) < 24 || strings.ContainsAny(password, " \n") {
			t.Fatalf("stdout is not one password: %q", first.out)
		}
		if again := w.run("apply", "-f", setup, "--yes", "--password-out", "-", "--log", log).must(t, exitDone); again.out != "" {
			t.Errorf("a second one was made: %q", again.out)
		}
		doc := decode[applyDocument](t, w.run("apply", "-f", setup, "--yes", "--json", "--password-out", "-", "--log", log, "--take", "new-password").must(t, exitDone))
		second := doc.Ready.Password.Value
		if second == "" || second == password {
			t.Fatalf("the document holds no new password: %+v", doc.Ready.Password)
		}
		file := filepath.Join(t.TempDir(), "password")
		w.run("apply", "-f", setup, "--yes", "--json", "--password-out", file, "--log", log, "--take", "new-password").must(t, exitDone)
		third, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// The two that were asked for on stdout stand there once each.
		for _, secret := range []string{password, second, strings.TrimSpace(string(third))} {
			text, _ := json.Marshal(secret)
			for _, form := range []string{secret, strings.Trim(string(text), `"`)} {
				w.nowhere(form, log)
				asked := 0
				if secret != strings.TrimSpace(string(third)) && form == secret {
					asked = 1
				}
				if n := strings.Count(w.printed.String(), form); n > 1 || n < asked {
					t.Errorf("a password was printed %d times", n)
				}
			}
		}
	})
}

// One document can hold both. With the secret at hand Exchange is tried, too.
func TestSecretAndPasswordInOneDocument(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		args := []string{"apply", "-f", w.setup(wholeTenant), "--yes", "--json", "--secret-out", "-", "--password-out", "-"}
		doc := decode[applyDocument](t, w.run(args...).must(t, exitDone))
		if doc.Secret.Value == "" || doc.Ready.Password.Value == "" || !doc.Done {
			t.Errorf("got done %v, secret made %v, password made %v", doc.Done, doc.Secret.Made, doc.Ready.Password.Made)
		}
		if !strings.Contains(doc.Ready.Exchange, "Exchange answered for") {
			t.Errorf("Exchange: got %q", doc.Ready.Exchange)
		}
		if strings.Contains(doc.Ready.Handover, doc.Ready.Password.Value) || !strings.Contains(doc.Ready.Handover, doc.Ready.ID) {
			t.Errorf("the text to hand over:\n%s", doc.Ready.Handover)
		}
		again := decode[applyDocument](t, w.run(args...).must(t, exitDone))
		if again.Secret.Made || again.Ready.Password.Made || again.Written > 0 {
			t.Errorf("run again it wrote %d times", again.Written)
		}
	})
}

// nowhere searches the state folder, and other files, for a word.
func (w *world) nowhere(word string, files ...string) {
	w.t.Helper()
	err := filepath.WalkDir(w.state, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			w.t.Fatal(err)
		}
		if strings.Contains(string(text), word) {
			w.t.Errorf("%s holds a password", f)
		}
	}
}

// Requests are counted without those of signing in; a batch is one.
func TestTenantRequestBudget(t *testing.T) {
	t.Parallel()
	const everything = "version: 1\nintegrations: [graph, exchange, csp, azure]\nserviceAccount: {username: rewst}\nconditionalAccess: {}\nazure: {location: westeurope}\nexchange: {}\n"
	for scenario, applied := range map[string]bool{"empty-tenant": true, "five-policies": false, "no-p1": false, "security-defaults": false} {
		synctest.Test(t, func(t *testing.T) {
			w := rehearsalOf(t, sandbox.Options{Scenario: scenario})
			args := w.passworded(everything)
			w.run(append([]string{"plan"}, without(args[1:], "--yes")...)...).must(t, exitChanges)
			inspect := w.requestsButSignIn()
			if inspect > 12 {
				t.Errorf("%s: %d requests to inspect, want at most 12", scenario, inspect)
			}
			if !applied {
				return
			}
			r := w.run(args...)
			apply := w.requestsButSignIn() - 2*inspect
			if apply > 45 {
				t.Errorf("%s: %d requests to apply and to prove, want at most 45", scenario, apply)
			}
			// There is no app for Exchange, which is said; the rest is done.
			r.must(t, exitFailed)
			if !strings.Contains(r.err, "Make the app registration") {
				t.Errorf("stderr does not say what is missing:\n%s", r.err)
			}
			t.Logf("%s: inspect %d, apply and proof %d", scenario, inspect, apply)
		})
	}
}

func (w *world) requestsButSignIn() int {
	n := 0
	for _, r := range w.cloud.Requests() {
		if !strings.Contains(r.URL, "//login.") {
			n++
		}
	}
	return n
}

// compliantDevice is a policy that reaches everybody.
const compliantDevice = "Require a compliant device for everybody"

// leftOut lists whom a policy leaves out.
func leftOut(t *testing.T, d sandbox.TenantDigest, policy string) []string {
	t.Helper()
	for _, p := range d.Policies {
		if p.Name != policy {
			continue
		}
		var conditions struct {
			Users struct {
				ExcludeUsers []string `json:"excludeUsers"`
			} `json:"users"`
		}
		text, err := json.Marshal(p.Conditions)
		if err == nil {
			err = json.Unmarshal(text, &conditions)
		}
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(conditions.Users.ExcludeUsers)
		return conditions.Users.ExcludeUsers
	}
	t.Fatalf("there is no policy %q", policy)
	return nil
}

// What somebody else changes in a policy meanwhile stays, then and when it is
// undone.
func TestPolicyEditedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "policy-edited"})
		w.checked()
		start := w.settled()
		args := w.passworded(alone)
		w.untilDone(args...)
		const adele, admin, rewst = "adele@contoso.onmicrosoft.com", "admin@contoso.onmicrosoft.com", "rewst@contoso.onmicrosoft.com"
		if diff := cmp.Diff([]string{adele, admin, rewst}, leftOut(t, w.settled(), compliantDevice)); diff != "" {
			t.Errorf("the policy leaves out (-want +got):\n%s", diff)
		}
		w.run("undo", "--yes").must(t, exitDone)
		got := w.settled()
		if diff := cmp.Diff([]string{adele, admin}, leftOut(t, got, compliantDevice)); diff != "" {
			t.Errorf("undone, the policy leaves out (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(start.Users, got.Users); diff != "" {
			t.Errorf("undone, the accounts differ (-start +undone):\n%s", diff)
		}
	})
}

// refusal is an answer of a service that a test puts in place of the real one.
type refusal struct {
	method, path string // path is a regular expression
	status       int
	body         string
}

// graphRefuses and azureRefuses write errors as the services do.
func graphRefuses(method, path string, status int, code, message string) refusal {
	return refusal{method, path, status, fmt.Sprintf(`{"error":{"code":%q,"message":%q,"innerError":{"date":"2026-11-02T09:10:11","request-id":"00000000-0000-0000-0000-0000000000aa","client-request-id":"00000000-0000-0000-0000-0000000000aa"}}}`, code, message)}
}

func azureRefuses(method, path string, status int, code, message string) refusal {
	return refusal{method, path, status, fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, message)}
}

// refuse has a request refused until the returned function is called, which tells
// how often it was.
func (w *world) refuse(r refusal) (stop func() int) {
	path, before, n, over := regexp.MustCompile(r.path), w.wrap, 0, false
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		if before != nil {
			next = before(next)
		}
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if over || req.Method != r.method || !path.MatchString(req.URL.Path) {
				return next.RoundTrip(req)
			}
			n++
			rec := http.Response{
				StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
				Header: http.Header{"Content-Type": {"application/json"}, "Request-Id": {"00000000-0000-0000-0000-0000000000aa"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}},
				Body:   readCloser{strings.NewReader(r.body)},
			}
			if req.Body != nil {
				_ = req.Body.Close()
			}
			return &rec, nil
		})
	}
	return func() int { over = true; return n }
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
