package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

func TestApplyFromNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		secret := filepath.Join(t.TempDir(), "secret.txt")

		plan := decode[planDocument](t, w.run("plan", "-f", ownedCSP, "--secret-out", secret, "--json").must(t, exitChanges))
		if got := w.writes(); len(got) > 0 {
			t.Fatalf("planning wrote: %v", got)
		}
		done := decode[applyDocument](t, w.run("apply", "-f", ownedCSP, "--yes", "--json", "--secret-out", secret).must(t, exitDone))
		if !done.Done || done.Written != len(plan.Changes) {
			t.Errorf("done %v with %d writes, the plan had %d", done.Done, done.Written, len(plan.Changes))
		}
		if diff := cmp.Diff(planned(plan), shapes(w.writes())); diff != "" {
			t.Errorf("what was planned and what was written differ (-planned +written):\n%s", diff)
		}
		checkOwned(t, w.cloud.Digest().Tenants["Contoso"])

		info, err := os.Stat(secret)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the secret's file: %v, mode %v, want 0600", err, info.Mode())
		}

		before := len(w.writes())
		w.run("apply", "-f", ownedCSP, "--yes", "--json", "--secret-out", secret+"2").must(t, exitDone)
		w.state = t.TempDir()
		w.run("apply", "-f", ownedCSP, "--yes", "--json", "--secret-out", secret+"2").must(t, exitDone)
		w.run("plan", "-f", ownedCSP, "--json", "--secret-out", secret).must(t, exitDone)
		if got := len(w.writes()); got != before {
			t.Errorf("running again wrote %d times", got-before)
		}
		if _, err := os.Stat(secret + "2"); err == nil {
			t.Error("running again delivered a second secret")
		}
	})
}

// planned is the plan's writes with ids blanked out, so that they compare with
// what was sent.
func planned(p planDocument) []string {
	var out []string
	for _, c := range p.Changes {
		path, _, _ := strings.Cut(c.Path, "?")
		out = append(out, c.Method+" "+madeID.ReplaceAllString(path, "ID"))
	}
	return shapes(out)
}

// madeID is an id that is worked out from others.
var madeID = regexp.MustCompile(`\$\{guid .*\}`)

var idInPath = regexp.MustCompile(`\$\{[^}]+\}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

func shapes(writes []string) []string {
	var out []string
	for _, w := range writes {
		out = append(out, idInPath.ReplaceAllString(w, "ID"))
	}
	return out
}

// checkOwned holds a tenant against what the example asks for.
func checkOwned(t *testing.T, got sandbox.TenantDigest) {
	t.Helper()
	if len(got.Applications) != 1 || len(got.ServicePrincipals) != 1 {
		t.Fatalf("got %d apps and %d service principals, want 1 and 1", len(got.Applications), len(got.ServicePrincipals))
	}
	app, sp := got.Applications[0], got.ServicePrincipals[0]
	type facts struct {
		Name, Audience      string
		Redirects, Tags     []string
		IDTokens, Access    bool
		Secrets             int
		Scopes, Roles, APIs int
	}
	have := facts{app.Name, app.SignInAudience, app.RedirectURIs, app.Tags, app.IDTokens, app.AccessTokens, app.Secrets, 0, 0, len(app.RequiredResourceAccess)}
	for _, g := range sp.Delegated {
		have.Scopes += len(g.Scopes)
	}
	for _, roles := range sp.Roles {
		have.Roles += len(roles)
	}
	want := facts{
		"Rewst Integration", "AzureADMultipleOrgs",
		[]string{"https://engine.rewst.io/integrations/bundles/microsoft_cloud/callback"},
		[]string{"msbundle"},
		true, false, 1, 163, 141, 5,
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("the tenant differs from the answers (-want +got):\n%s", diff)
	}
}

func TestNoSecretWithoutSomewhereToDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		plan := decode[planDocument](t, w.run("plan", "-f", ownedCSP, "--json").must(t, exitChanges))
		for _, c := range plan.Changes {
			if c.Kind == "secret" {
				t.Errorf("the plan has a secret: %+v", c)
			}
		}
		w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
		if n := w.cloud.Digest().Tenants["Contoso"].Applications[0].Secrets; n != 0 {
			t.Errorf("got %d secrets, want none", n)
		}
		// Later there is somewhere: exactly the secret is missing.
		w.run("apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(t.TempDir(), "s")).must(t, exitDone)
		if n := w.cloud.Digest().Tenants["Contoso"].Applications[0].Secrets; n != 1 {
			t.Errorf("got %d secrets, want 1", n)
		}
	})
}

// The whole owned setup keeps within a budget of requests, of which only some
// have to wait for one another.
func TestRequestBudget(t *testing.T) {
	const latency = time.Second
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Latency: latency})
		stop := w.stopwatch()
		w.run("apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(t.TempDir(), "s")).must(t, exitDone)
		after, depth := stop(latency)
		if after > 30 {
			t.Errorf("%d requests after sign-in, want at most 30", after)
		}
		if depth > 22 {
			t.Errorf("%d requests deep, want at most 22", depth)
		}
		t.Logf("%d requests, %d deep", after, depth)
	})
}

// stopwatch watches a run: the returned function counts the requests after the
// token of the sign-in was handed out, and how many of them waited for one
// another, from the time that passed.
func (w *world) stopwatch() func(latency time.Duration) (requests, deep int) {
	var signedIn time.Time
	count := 0
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			switch {
			case !signedIn.IsZero():
				count++
			case err == nil && res.StatusCode == 200 && strings.HasSuffix(req.URL.Path, "/token"):
				signedIn = time.Now()
			}
			return res, err
		})
	}
	return func(latency time.Duration) (int, int) {
		return count, int((time.Since(signedIn) + latency/2) / latency)
	}
}

// Every fault the network and the service can throw ends in the same tenant.
func TestFaultsLeaveTheSameTenant(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	for seed := range int64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Seed: seed, Faults: mixed(t)})
				w.checked()
				secret := filepath.Join(t.TempDir(), "s")
				w.untilDone("apply", "-f", ownedCSP, "--yes", "--json", "--secret-out", secret)
				if got := w.cloud.Digest(); got.SHA256 != want.SHA256 {
					t.Errorf("the tenant differs from the undisturbed one:\n%s", cmp.Diff(want.Tenants["Contoso"], got.Tenants["Contoso"]))
				}
			})
		})
	}
}

// mixed are faults of every kind, here and there.
func mixed(t *testing.T) []sandbox.Fault {
	t.Helper()
	faults, err := sandbox.ParseFaults([]byte(`[
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.1, "when": "before", "do": "500"},
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.1, "when": "after", "do": "500"},
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.05, "when": "after", "do": "reset"},
		{"match": {"path": "^/(v1.0|beta)/"}, "rate": 0.1, "when": "before", "do": "429"},
		{"match": {"path": "appRoleAssignedTo", "inner": true}, "rate": 0.05, "when": "before", "do": "429"},
		{"match": {"method": "POST", "path": "applications"}, "nth": 2, "when": "after", "do": "stale", "for": "30s"}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

// undisturbed is the digest of a run without faults.
func undisturbed(t *testing.T) sandbox.Digest {
	t.Helper()
	var d sandbox.Digest
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.run("apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(t.TempDir(), "s")).must(t, exitDone)
		d = w.cloud.Digest()
	})
	return d
}

// outerWrites counts the requests so far that write.
func (w *world) outerWrites() int {
	n := 0
	for _, r := range w.cloud.Requests() {
		if r.Write {
			n++
		}
	}
	return n
}

// untilDone runs apply again and again, as a patient person would.
func (w *world) untilDone(args ...string) {
	w.t.Helper()
	for try := 1; ; try++ {
		r := w.run(args...)
		if r.code == exitDone {
			return
		}
		if r.code == exitUsage || try == 10 {
			r.must(w.t, exitDone)
		}
		time.Sleep(time.Minute)
	}
}

// A run that ends at any write, before or after the service carried it out, with
// replicas that lag, is taken up by the next and ends in the same tenant.
func TestEndedAtEveryWriteWithLaggingReplicas(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	for n := 1; ; n++ {
		more := false
		for _, when := range sides(n) {
			synctest.Test(t, func(t *testing.T) {
				faults, err := sandbox.ParseFaults(fmt.Appendf(nil, `[{"match": {}, "nth": %d, "when": %q, "do": "hang"}]`, n, when))
				if err != nil {
					t.Fatal(err)
				}
				w := rehearsalOf(t, sandbox.Options{Faults: faults, Delays: sandbox.DelaysRealistic, Seed: int64(n)})
				secret := filepath.Join(t.TempDir(), "s")
				args := []string{"apply", "-f", ownedCSP, "--yes", "--secret-out", secret}
				more = w.runUntilHeld(n, args...) || more
				// The run that takes it up ends at its own first write.
				again, err := sandbox.ParseFaults(fmt.Appendf(nil, `[{"match": {}, "nth": 1, "when": %q, "do": "hang"}]`, when))
				if err != nil {
					t.Fatal(err)
				}
				w.cloud.SetFaults(again)
				w.runUntilHeld(w.outerWrites()+1, args...)
				w.cloud.SetFaults(nil)
				w.untilDone(args...)
				if info, err := os.Stat(secret); err != nil || info.Size() == 0 {
					t.Errorf("ended %s write %d: no secret was delivered: %v", when, n, err)
				}
				// What only showed up later is put in order by the next run.
				time.Sleep(time.Hour)
				w.untilDone(args...)
				if got := w.cloud.Digest(); got.SHA256 != want.SHA256 {
					t.Errorf("ended %s write %d: the tenant differs:\n%s", when, n, cmp.Diff(want.Tenants["Contoso"], got.Tenants["Contoso"]))
				}
			})
		}
		if !more {
			if n < 10 {
				t.Errorf("only %d writes were ended; the setup has more", n-1)
			}
			return
		}
	}
}

// runUntilHeld starts a run and abandons it at the nth write, which the sandbox
// holds, the way a killed process would: no further request leaves. It reports
// whether the run was abandoned.
func (w *world) runUntilHeld(n int, args ...string) bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	network := newCut()
	w.wrap = network.wrap
	defer func() { w.wrap = nil }()
	finished := make(chan ran, 1)
	go func() { finished <- w.runContext(ctx, args...) }()
	for {
		select {
		case r := <-finished:
			r.must(w.t, exitDone)
			return false
		case <-time.After(50 * time.Millisecond): // an answer that is not held comes at once
		}
		if held(w.cloud, n) {
			network.cut()
			cancel()
			<-finished
			return true
		}
	}
}
