package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

// customersExample is the example with everything in it.
const customersExample = "../examples/customers.yaml"

// consentAll is a setup file for customers that are ready.
const consentAll = "version: 1\nintegrations: [graph, exchange, csp]\nregistration: {kind: owned, name: Rewst Integration}\npermissions: {base: stock}\ncustomers: {consent: all}\n"

// consenting is a setup file whose section about customers is the given one.
func (w *world) consenting(section string) string {
	return w.setup(strings.Replace(consentAll, "consent: all", section, 1))
}

// Three customers from nothing to green and back, and running again writes nothing.
func TestConsentFromPlanToUndo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.checked()
		short := w.run("plan", "-f", customersExample).must(t, exitChanges)
		for _, words := range []string{
			"3 customers looked at, 3 blue", "opened before and closed afterwards (4)", "critical  3 writes at 3 customers: Adventure Works, Fabrikam, Northwind Traders",
			"writes at 3 customers, and 4 at Contoso.", "its own shield has to be pressed",
		} {
			if !strings.Contains(short.out, words) {
				t.Errorf("the plan does not say %q:\n%s", words, short.out)
			}
		}
		if n := strings.Count(short.out, "\n"); n > 60 {
			t.Errorf("the plan has %d lines", n)
		}
		if long := w.run("plan", "-f", customersExample, "-v").must(t, exitChanges); strings.Count(long.out, "\n") < 400 {
			t.Errorf("-v does not list each write:\n%s", long.out)
		}
		plan := decode[planDocument](t, w.run("plan", "-f", customersExample, "--json").must(t, exitChanges))
		of := map[string]int{}
		for _, c := range plan.Changes {
			of[c.Tenant]++
		}
		if len(of) != 4 || of[plan.Tenant] != 4 || len(plan.Customers) != 3 || of[plan.Customers[0].TenantID] != plan.Customers[0].Writes {
			t.Errorf("changes by tenant: %v, customers %+v", of, plan.Customers)
		}
		if n := w.writes(); len(n) > 0 {
			t.Fatalf("planning wrote %v", n)
		}
		before := w.ofCustomers()
		done := decode[applyDocument](t, w.run("apply", "-f", customersExample, "--yes", "--json").must(t, exitDone))
		if c := done.Consent; c == nil || !done.Done || c.Shades["green"] != 3 || len(c.Failed)+len(c.Waiting) > 0 || c.Written != len(plan.Changes) {
			t.Errorf("the result: %+v", done.Consent)
		}
		wrote := len(w.writes())
		again := w.run("apply", "-f", customersExample, "--yes").must(t, exitDone)
		w.run("plan", "-f", customersExample).must(t, exitDone)
		if got := w.writes()[wrote:]; len(got) > 0 || !strings.Contains(again.err, "Customers: 3 green, 0 writes.") {
			t.Errorf("running again wrote %v:\n%s", got, again.err)
		}
		undone := decode[undoDocument](t, w.run("undo", "--yes", "--json").must(t, exitDone))
		if len(undone.Customers) != 3 || !undone.Customers[0].Done || undone.Customers[0].Writes == 0 {
			t.Errorf("undone: %+v", undone.Customers)
		}
		if diff := cmp.Diff(before, w.ofCustomers()); diff != "" {
			t.Errorf("undo left:\n%s", diff)
		}
		wrote = len(w.writes())
		w.run("undo", "--yes").must(t, exitDone)
		if got := w.writes()[wrote:]; len(got) > 0 {
			t.Errorf("undoing again wrote %v", got)
		}
	})
}

// Of sixty customers three fail, each for a reason of its own, which is said with
// what to do; the others are done, and are left alone by the next run.
func TestConsentFailsAtThree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-mixed"})
		file := w.consenting("consent: all, mapping: organizations.csv")
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "organizations.csv"), []byte(w.cloud.Organizations()), 0o600); err != nil {
			t.Fatal(err)
		}
		r := w.run("apply", "-f", file, "--yes").must(t, exitFailed)
		for _, words := range []string{
			"Customers: 57 green, 3 red", "red, failed    Humongous Insurance", "keeps rewst@contoso.onmicrosoft.com out (AADSTS53003)", "with the id of your tenant alone",
			"red, failed    Lucerne Publishing", "is terminated", "Ask the customer for a new one",
			"red, failed    Trey Research", "cannot be consented to there", "role Application Administrator or Cloud Application Administrator there (GDAP: msbundle apply with the section gdap, or the wizard's GDAP)",
			"it did not work at 3 of 60 customers", "34 linked to their customers (34 just now)",
		} {
			if !strings.Contains(r.err, words) {
				t.Errorf("the result does not say %q:\n%s", words, r.err)
			}
		}
		w.closed()
		wrote := len(w.writes())
		doc := decode[applyDocument](t, w.run("apply", "-f", file, "--yes", "--json").must(t, exitFailed))
		if c := doc.Consent; len(c.Failed) != 3 || c.Shades["green"] != 57 || doc.Done {
			t.Errorf("the second run: %+v", doc.Consent)
		}
		if got := w.writes()[wrote:]; len(got) > 0 { // nothing can be done at the three, so the app's sign-in stays shut
			t.Errorf("the second run wrote %v", got)
		}
		failed := w.run("customers", "--look", "failed", "--json").must(t, exitFailed)
		list := decode[struct{ Customers []customerDocumentRow }](t, failed)
		if len(list.Customers) != 3 || list.Customers[0].Name != "Humongous Insurance" || list.Customers[0].Checks[0].State != "failed" {
			t.Errorf("the failed ones: %+v", list.Customers)
		}
	})
}

// ofCustomers is what the customers' tenants hold.
func (w *world) ofCustomers() map[string]sandbox.TenantDigest {
	all := w.cloud.Digest().Tenants
	delete(all, w.cloud.Tenant().Name)
	return all
}

// closed fails the test unless nothing is left of the sign-in with the app.
func (w *world) closed() {
	w.t.Helper()
	text, err := json.Marshal(w.cloud.Digest())
	if err != nil || strings.Contains(string(text), "http://localhost") || strings.Contains(string(text), `"msbundle 2000`) {
		w.t.Errorf("the app's sign-in is still open: %v\n%s", err, text)
	}
}

// Only the app can read policies: what they take is shown once it is there, and
// agreed to by itself.
func TestConsentAndExclusions(t *testing.T) {
	t.Parallel()
	patches := func(w *world) int {
		return len(slices.DeleteFunc(w.writes(), func(s string) bool { return !strings.Contains(s, "/conditionalAccess/policies/") }))
	}
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customer-policies"})
		w.checked()
		file := w.consenting("consent: all, exclude: true")
		before := w.ofCustomers()
		w.in = strings.NewReader("yes\nno\n")
		r := w.run("apply", "-f", file, "--accessible").must(t, exitFailed)
		for _, words := range []string{
			"Make these 426 writes at 3 customers, and 4 at Contoso? Type yes", "What only the app could see:", "before  {", `"members":["024072f6-`,
			"Make these 4 writes at 1 customer? Type yes", "green, left out", "4 writes left out: you did not agree to it",
		} {
			if !strings.Contains(r.err, words) {
				t.Errorf("it does not say %q:\n%s", words, r.err)
			}
		}
		if n := patches(w); n > 0 {
			t.Errorf("%d policies were changed", n)
		}
		w.closed()
		plan := filepath.Join(t.TempDir(), "plan.json")
		w.run("plan", "-f", file, "-o", plan).must(t, exitChanges)
		if r := w.run("apply", "-f", plan).must(t, exitUsage); !strings.Contains(r.err, "add --yes") {
			t.Errorf("a plan file without --yes: %s", r.err)
		}
		if r := w.run("apply", "-f", plan, "--yes").must(t, exitFailed); !strings.Contains(r.err, "it is not in the plan file") || patches(w) > 0 {
			t.Errorf("the plan file:\n%s", r.err)
		}
		w.run("apply", "-f", file, "--yes").must(t, exitDone)
		if n := patches(w); n != 4 {
			t.Errorf("%d policies were changed, want 4", n)
		}
		wrote := len(w.writes())
		w.run("apply", "-f", file, "--yes").must(t, exitDone)
		if got := w.writes()[wrote:]; len(got) > 0 {
			t.Errorf("running again wrote %v", got)
		}
		w.run("undo", "--yes").must(t, exitDone)
		if diff := cmp.Diff(before, w.ofCustomers()); diff != "" {
			t.Errorf("undo left:\n%s", diff)
		}
		w.closed()
	})
}

// A plan file is carried out, and nothing beyond it.
func TestConsentFromAPlanFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		plan := filepath.Join(t.TempDir(), "plan.json")
		first := w.consenting("consent: [fabrikam.onmicrosoft.com]")
		w.run("plan", "-f", first, "-o", plan).must(t, exitChanges)
		data, err := os.ReadFile(plan)
		if err != nil {
			t.Fatal(err)
		}
		var doc planDocument
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		doc.Answers = consentAll
		if data, err = json.Marshal(doc); err != nil {
			t.Fatal(err)
		}
		more := filepath.Join(t.TempDir(), "more.json")
		if err := os.WriteFile(more, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if r := w.run("apply", "-f", more, "--yes").must(t, exitFailed); !strings.Contains(r.err, "has changed since the plan was made") || len(w.writes()) > 0 {
			t.Errorf("it went beyond its plan file: %v\n%s", w.writes(), r.err)
		}
		done := decode[applyDocument](t, w.run("apply", "-f", plan, "--yes", "--json").must(t, exitDone))
		if done.Consent.Looked != 1 || done.Consent.Shades["green"] != 1 {
			t.Errorf("got %+v", done.Consent)
		}
	})
}

// Whoever gives up in the middle leaves nothing open.
func TestConsentInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		ctx, stop := context.WithCancel(t.Context())
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return trip(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/applicationconsents") {
					stop()
				}
				return next.RoundTrip(r)
			})
		}
		file := w.consenting("consent: all")
		if r := w.runContext(ctx, "apply", "-f", file, "--yes").must(t, exitInterrupted); !strings.Contains(r.err, "is closed before this ends") {
			t.Errorf("it says:\n%s", r.err)
		} else if n, all := stoppedAt(r.err); n[0] > 0 || n[1] < 1 || all != 3 {
			t.Errorf("it stopped at %v:\n%s", n, r.err)
		}
		w.closed()
		w.run("apply", "-f", file, "--yes").must(t, exitDone)
		w.closed()
	})
}

// The app is signed in with by who signed in before, or nothing is written.
func TestConsentOfSomebodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		before := w.ofCustomers()
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return trip(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/addPassword") {
					w.cloud.SignInAs("admin@contoso.onmicrosoft.com")
				}
				return next.RoundTrip(r)
			})
		}
		if r := w.run("apply", "-f", w.consenting("consent: all"), "--yes").must(t, exitNoSignIn); !strings.Contains(r.err, "admin@contoso.onmicrosoft.com signed in, and rewst@contoso.onmicrosoft.com was expected") {
			t.Errorf("it says:\n%s", r.err)
		}
		w.closed()
		if diff := cmp.Diff(before, w.ofCustomers()); diff != "" {
			t.Errorf("written at customers:\n%s", diff)
		}
	})
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whatever Partner Center refuses is explained, at the customer it is about, and
// stops no other.
func TestConsentRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		status     int
		code, text string
		says, do   string
	}{
		"token of another app": {403, "", "The application a of the request is not the application b of the access token.", "another app than the one the consent is for", "direct route"},
		"no MFA":               {401, "", "MFA required", "multifactor", "multifactor"},
		"missing resource":     {404, "1000", "Not found: the enterprise application x does not exist in the tenant of the customer.", "does not exist in the customer's tenant", "provisioned"},
		"no relationship":      {403, "20002", "The partner ID has no commerce relationship with the customer ID.", "relationship", ""},
		"no right":             {403, "900308", "Insufficient privileges to complete the operation.", "though its token for the customer has a role that consents", "Wait an hour"},
		"blocked":              {403, "900309", "Access has been blocked by Conditional Access policies.", "A Conditional Access policy of the customer keeps", "An administrator of the customer excludes your people"},
		"unknown tenant":       {404, "60003", "Tenant not found: x.", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
				refused := ""
				w.wrap = func(next http.RoundTripper) http.RoundTripper {
					return trip(func(r *http.Request) (*http.Response, error) {
						if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/applicationconsents") || refused != "" && !strings.Contains(r.URL.Path, refused) {
							return next.RoundTrip(r)
						}
						refused = strings.Split(r.URL.Path, "/")[3]
						body, err := json.Marshal(map[string]any{"code": c.code, "description": c.text, "data": []any{}, "source": "PartnerFD"})
						return &http.Response{
							StatusCode: c.status, Header: http.Header{"Content-Type": {"application/json"}, "Ms-Requestid": {"5d1f7ee4-1a2c-4b0e-9f0a-1f6c2f2e9f10"}},
							Body: io.NopCloser(strings.NewReader(string(body))), Request: r,
						}, err
					})
				}
				r := w.run("apply", "-f", w.consenting("consent: all"), "--yes", "--workers", "1").must(t, exitFailed)
				_, summary, _ := strings.Cut(r.err, "\nCustomers: ")
				if !strings.HasPrefix(summary, "2 green, 1 red") || !strings.Contains(summary, c.says) || !strings.Contains(summary, "What to do: ") || !strings.Contains(summary, c.do) {
					t.Errorf("it says:\n%s", summary)
				}
				if strings.Contains(summary, "its own words below say why") {
					t.Errorf("nobody knows this refusal:\n%s", summary)
				}
				w.closed()
			})
		})
	}
	t.Run("throttled and there already", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
			turn := map[string]int{}
			w.wrap = func(next http.RoundTripper) http.RoundTripper {
				return trip(func(r *http.Request) (*http.Response, error) {
					if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/applicationconsents") {
						return next.RoundTrip(r)
					}
					switch turn[r.URL.Path]++; turn[r.URL.Path] {
					case 1:
						return &http.Response{
							StatusCode: 429, Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {"7"}},
							Body: io.NopCloser(strings.NewReader(`{"code":"","description":"Too many requests."}`)), Request: r,
						}, nil
					case 2: // it is carried out, and the answer is lost: the next try finds it there
						res, err := next.RoundTrip(r)
						if err == nil {
							err = errors.Join(errors.New("connection reset"), res.Body.Close())
						}
						return nil, err
					}
					return next.RoundTrip(r)
				})
			}
			doc := decode[applyDocument](t, w.run("apply", "-f", w.consenting("consent: all"), "--yes", "--json", "--workers", "1").must(t, exitDone))
			if doc.Consent.Shades["green"] != 3 {
				t.Errorf("got %+v, after %v", doc.Consent, turn)
			}
		})
	})
}

// Names of customers do no harm: not on the screen, not in documents, not in tables.
func TestConsentNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customer-names"})
		file := w.consenting("consent: all, mapping: organizations.csv")
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "organizations.csv"), []byte(w.cloud.Organizations()), 0o600); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "rewst")
		w.run("plan", "-f", file).must(t, exitChanges)
		w.run("plan", "-f", file, "-v").must(t, exitChanges)
		w.run("plan", "-f", file, "--json").must(t, exitChanges)
		w.run("apply", "-f", file, "--yes").must(t, exitDone)
		w.run("customers", "--look", "all", "-v", "--export", dir).must(t, exitDone)
		r := w.run("customers", "--json").must(t, exitDone)
		if doc := decode[struct{ Customers []customerDocumentRow }](t, r); len(doc.Customers) < 13 {
			t.Errorf("%d customers", len(doc.Customers))
		}
		w.run("undo", "--yes").must(t, exitDone)
		harmless(t, "what was printed", w.printed.String(), "\n\t")
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) != 3 {
			t.Fatalf("exported: %v, %v", files, err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			harmless(t, path, string(text), "\n")
			if filepath.Ext(path) != ".csv" {
				continue
			}
			for _, row := range table(t, path) {
				for _, cell := range row {
					if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t") {
						t.Errorf("%s: a spreadsheet takes %q for a formula", path, cell)
					}
				}
			}
		}
	})
}

// harmless fails the test where a text holds what a terminal acts upon.
func harmless(t *testing.T, what, text, allowed string) {
	t.Helper()
	for _, r := range text {
		if r < ' ' && !strings.ContainsRune(allowed, r) || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			t.Errorf("%s holds %U", what, r)
			return
		}
	}
}

// A long list is written one by one, and the document is the same.
func TestStreamed(t *testing.T) {
	t.Parallel()
	doc := map[string]any{"a": `"list":[]`, "list": []int{}, "z": map[string]any{"list": []int{7}}}
	for _, list := range [][]int{nil, {1}, {1, 2, 3}} {
		var out strings.Builder
		if err := streamed(&out, doc, "list", slices.Values(list)); err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
			t.Fatalf("%v: %v\n%s", list, err, out.String())
		}
		want := maps.Clone(doc)
		want["list"] = append([]int{}, list...)
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Errorf("got %s, want %s", a, b)
		}
	}
	if err := streamed(io.Discard, map[string]any{}, "list", slices.Values([]int{1})); err == nil {
		t.Error("a document without the list was taken")
	}
}

func table(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
