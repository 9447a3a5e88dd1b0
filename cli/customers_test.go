package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
	"msbundle/steps"
)

// Names nobody has are wrong answers, said before anything is written; a domain that
// only the customer's tenant tells is found there.
func TestConsentNamesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		file := w.consenting("consent: [nobody.com, fabrikam.onmicrosoft.com]")
		for _, args := range [][]string{{"plan", "-f", file}, {"apply", "-f", file, "--yes"}} {
			if r := w.run(args...).must(t, exitUsage); !strings.Contains(r.err, "msbundle: customers.consent: ") || !strings.Contains(r.err, "nobody.com") {
				t.Errorf("%v says:\n%s", args, r.err)
			}
		}
		if r := w.run("customers", "--look", "nobody.com").must(t, exitUsage); !strings.Contains(r.err, "--look: none of 3 customers") {
			t.Errorf("customers: %s", r.err)
		}
		if r := w.run("customers", "--look", "fabri").must(t, exitUsage); !strings.Contains(r.err, `is called "fabri"; did you mean fabrikam.onmicrosoft.com?`) {
			t.Errorf("customers: %s", r.err)
		}
		if got := w.writes(); len(got) > 0 {
			t.Errorf("it wrote %v", got)
		}
	})
}

// Without consent customers are only looked at, and a file about customers alone
// makes nothing else.
func TestCustomersOnlyLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-consented", Customers: 3})
		w.checked()
		alone := w.setup("version: 1\ncustomers: {consent: all}\n")
		if r := w.run("plan", "-f", alone).must(t, exitFailed); !strings.Contains(r.err, "which permissions the app is to have") {
			t.Errorf("nobody knows the permissions:\n%s", r.err)
		}
		file := w.consenting("exclude: true")
		doc := decode[applyDocument](t, w.run("apply", "-f", file, "--yes", "--json").must(t, exitDone))
		if doc.Consent.Looked != 3 || doc.Consent.Customers[0].State != endLooked || len(w.writes()) > 0 {
			t.Errorf("it wrote %v: %+v", w.writes(), doc.Consent)
		}
		// The permissions are known by now; the app is signed in with to try Exchange Online.
		whole := decode[customersApplyDocument](t, w.run("apply", "-f", alone, "--yes", "--json").must(t, exitDone))
		if whole.Consent.Shades["green"] != 3 || whole.Written != 4 {
			t.Errorf("got %+v", whole)
		}
		w.closed()
		wrote := len(w.writes())
		w.run("apply", "-f", alone, "--yes").must(t, exitDone)
		if got := w.writes()[wrote:]; len(got) > 0 {
			t.Errorf("running again wrote %v", got)
		}
	})
}

// With Rewst's connector nothing is written: its shield has to be pressed.
func TestConsentOfTheConnector(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		file := w.setup("version: 1\nintegrations: [graph, exchange, csp]\nregistration: {kind: connector}\npermissions: {base: stock}\ncustomers: {consent: all}\n")
		if r := w.run("customers", "-f", file).must(t, exitFailed); !strings.Contains(r.err, "Authorise it in Rewst first") {
			t.Errorf("without the connector: %s", r.err)
		}
		if err := w.cloud.AuthoriseConnector(w.cloud.Tenant().ID); err != nil {
			t.Fatal(err)
		}
		doc := decode[applyDocument](t, w.run("apply", "-f", file, "--yes", "--json").must(t, exitWaiting))
		if len(doc.Consent.Waiting) != 3 || len(doc.Consent.Failed) > 0 || doc.Done || !strings.Contains(doc.Consent.Customers[0].Fix, "Press the customer's shield in Rewst") {
			t.Errorf("got %+v", doc.Consent)
		}
		w.run("plan", "-f", file).must(t, exitDone)
		if got := w.writes(); len(got) > 0 {
			t.Errorf("it wrote %v", got)
		}
	})
}

// The other sections come first. Whoever has not approved is waited for, and not
// said to have failed; explain tells what was seen last.
func TestConsentAfterTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed", Customers: 6})
		file := w.setup(strings.Replace(consentAll, "customers: ", "serviceAccount: {username: rewst, mfa: leave, roles: leave}\ngdap: {customers: all}\ncustomers: ", 1))
		if r := w.run("plan", "-f", file).must(t, exitChanges); !strings.Contains(r.err, "planned once the app registration is there") {
			t.Errorf("the plan:\n%s", r.err)
		}
		doc := decode[applyDocument](t, w.run("apply", "-f", file, "--yes", "--json").must(t, exitFailed))
		if doc.Consent == nil || len(doc.Consent.Waiting) != 3 || len(doc.Consent.Failed) != 3 || !strings.Contains(doc.Consent.Failed[0].Do, "Sign in as the service account") {
			t.Fatalf("got %+v", doc.Consent)
		}
		waits := doc.Consent.Waiting[0]
		only := w.setup(strings.Replace(consentAll, "all", "["+waits+"]", 1))
		if r := w.run("apply", "-f", only, "--yes").must(t, exitWaiting); !strings.Contains(r.err, "1 of 1 customer did not approve delegated administration yet") {
			t.Errorf("it says:\n%s", r.err)
		}
		trace := decode[traceDocument](t, w.run("explain", "--customer", waits, "--json").must(t, exitFailed))
		if trace.Shield == nil || trace.Shield.Shade != steps.Blue || !strings.Contains(trace.Shield.Reason, "waits for the customer's approval") {
			t.Errorf("explain: %+v", trace.Shield)
		}
		if r := w.run("explain", "--customer", waits); !strings.Contains(r.out, "blue, looked at on") {
			t.Errorf("explain:\n%s", r.out)
		}
	})
}

// The table of customers: what is linked, what is suggested, given back by hand.
func TestCustomersAreMapped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-mixed"})
		file := w.consenting("mapping: organizations.csv")
		if r := w.run("customers", "-f", file).must(t, exitUsage); !strings.Contains(r.err, "customers.mapping: ") || len(w.cloud.Requests()) > 0 {
			t.Errorf("a file that is not there: %s", r.err)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "organizations.csv"), []byte(w.cloud.Organizations()), 0o600); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		r := w.run("customers", "-f", file, "--export", dir).must(t, exitDone)
		for _, words := range []string{"Bellows Coll.? (name alike", "34 linked to their customers (34 just now), 10 suggested, 16 without one", "60 customers: 60 not looked at"} {
			if !strings.Contains(r.out, words) {
				t.Errorf("the table does not say %q:\n%s", words, r.out)
			}
		}
		rows := table(t, filepath.Join(dir, steps.MappingTable))
		tenant, name := slices.Index(rows[0], "tenantId"), slices.Index(rows[0], "organizationName")
		var edited strings.Builder
		fmt.Fprintln(&edited, "tenantId;organizationName")
		for _, row := range rows[1:] {
			switch row[0] {
			case "Bellows College":
				row[name] = "Bellows Coll."
			case "Coho Vineyard":
				row[name] = "Coho Winery" // which is another's
			case "Terra Firm":
				row[name] = "Terra Firm Inc." // which nobody knows yet
			}
			fmt.Fprintf(&edited, "%s;%s\n", row[tenant], row[name])
		}
		back := filepath.Join(dir, "back.csv")
		if err := os.WriteFile(back, []byte(edited.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		r = w.run("customers", "-f", file, "--mapping", back, "--json").must(t, exitDone)
		if !strings.Contains(r.err, "3 customers linked as the table says") {
			t.Errorf("it says: %s", r.err)
		}
		by := map[string]customerDocumentRow{}
		for _, c := range decode[struct{ Customers []customerDocumentRow }](t, r).Customers {
			by[c.Name] = c
		}
		for name, want := range map[string]string{"Bellows College": "Bellows Coll.", "Coho Vineyard": "Coho Winery", "Terra Firm": "Terra Firm Inc."} {
			if got := strings.Join(by[name].Organizations, ","); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if len(by["Coho Vineyard"].Errors) != 1 || len(by["Coho Winery"].Errors) != 1 {
			t.Errorf("two customers of one organisation: %v, %v", by["Coho Vineyard"].Errors, by["Coho Winery"].Errors)
		}
		for text, says := range map[string]string{"tenantId\nnonsense\n": "line 2", "tenantId,organizationName\n00000000-0000-0000-0000-000000000001,Nobody\n": "not among the 60 customers"} {
			if err := os.WriteFile(back, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := w.run("customers", "-f", file, "--mapping", back).must(t, exitUsage); !strings.Contains(r.err, "--mapping: ") || !strings.Contains(r.err, says) {
				t.Errorf("%q: %s", text, r.err)
			}
		}
		if got := w.writes(); len(got) > 0 {
			t.Errorf("it wrote %v", got)
		}
	})
}

// The table, the counts and the files for Rewst's import say the same, and a mapping
// that was exported can be given to somebody who begins.
func TestMappingComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type listing struct {
			Mapping   mappingDocument
			Customers []customerDocumentRow
		}
		begin := func() (*world, string) {
			w := rehearsalOf(t, sandbox.Options{Scenario: "customers-mixed"})
			file := w.consenting("mapping: organizations.csv")
			if err := os.WriteFile(filepath.Join(filepath.Dir(file), "organizations.csv"), []byte(w.cloud.Organizations()), 0o600); err != nil {
				t.Fatal(err)
			}
			return w, file
		}
		w, file := begin()
		dir := t.TempDir()
		w.run("customers", "-f", file, "--export", dir).must(t, exitDone)
		rows := table(t, filepath.Join(dir, steps.MappingTable))
		place := map[string]int{}
		for i, name := range rows[0] {
			place[name] = i
		}
		linked, open := 0, 0
		for _, row := range rows[1:] {
			switch row[place["state"]] {
			case "none":
				if open++; open == 1 {
					row[place["organizationName"]] = "Made by hand"
				} else if open < 4 {
					row[place["state"]] = "none, by hand"
				}
			case "linked":
				if linked++; linked == 1 {
					row[place["organizationName"]] = ""
				}
			case "suggested":
				row[place["organizationName"]] = row[place["suggestion"]]
			}
		}
		var edited strings.Builder
		if err := csv.NewWriter(&edited).WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		back := filepath.Join(dir, "back.csv")
		if err := os.WriteFile(back, []byte(edited.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		r := w.run("customers", "-f", file, "--mapping", back, "--export", dir).must(t, exitDone)
		for _, words := range []string{
			"11 customers linked, 3 set to none as the table says", "New to Rewst's list: Made by hand.",
			"For Rewst to import: 14 organisations, 1 of them typed by hand, the others for customers without one.",
		} {
			if !strings.Contains(r.err, words) {
				t.Errorf("it does not say %q:\n%s", words, r.err)
			}
		}
		if n := strings.Count(r.out, "none, by hand"); n != 3 {
			t.Errorf("%d are listed as to have none:\n%s", n, r.out)
		}
		if words := "42 linked to their customers (9 just now), 0 suggested, 13 without one, 3 to have none, 2 wrong.\n"; !strings.Contains(r.out, words) {
			t.Errorf("it does not say %q:\n%s", words, r.out)
		}
		imports := table(t, filepath.Join(dir, "new-organizations-1.csv"))
		if len(imports) != 1+13+1 || imports[1][0] != "Made by hand" || imports[1][1] == "" {
			t.Errorf("for Rewst to import: %v", imports)
		}
		want := decode[listing](t, w.run("customers", "-f", file, "--json").must(t, exitDone))
		if want.Mapping.None != 13 || want.Mapping.Declined != 3 || want.Mapping.Linked != 42 || want.Mapping.Wrong != 2 || want.Mapping.JustLinked != 0 {
			t.Errorf("counted %+v", want.Mapping)
		}
		another, other := begin()
		if r := another.run("customers", "-f", other, "--mapping", filepath.Join(filepath.Dir(other), "organizations.csv")).must(t, exitUsage); !strings.Contains(r.err, "a list of Rewst's organisations") {
			t.Errorf("Rewst's list as a mapping: %s", r.err)
		}
		another.run("customers", "-f", other, "--mapping", filepath.Join(dir, steps.MappingTable)).must(t, exitDone)
		if diff := cmp.Diff(want, decode[listing](t, another.run("customers", "-f", other, "--json").must(t, exitDone)), cmp.AllowUnexported(customerDocumentRow{})); diff != "" {
			t.Errorf("given to somebody who begins (-want +got):\n%s", diff)
		}
		// Who is nobody's choice any more, and certain, is linked at once.
		for _, x := range []struct{ state, byHand, says string }{
			{"none, by hand", "true", "41 linked to their customers (0 just now), 0 suggested, 13 without one, 4 to have none"},
			{"none", "false", "41 linked to their customers (0 just now), 0 suggested, 13 without one, 4 to have none"}, // as an older table has it
			{"none", "true", "42 linked to their customers (1 just now), 0 suggested, 13 without one, 3 to have none"},
		} {
			text := fmt.Sprintf("tenantId;organizationName;byHand;state\n%s;;%s;%s\n", rows[slices.IndexFunc(rows, func(r []string) bool { return r[0] == "Woodgrove Bank" })][place["tenantId"]], x.byHand, x.state)
			if err := os.WriteFile(back, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := another.run("customers", "-f", other, "--mapping", back).must(t, exitDone); !strings.Contains(r.out, x.says) {
				t.Errorf("%s: it does not say %q:\n%s", x.state, x.says, r.out)
			}
		}
		if err := os.Rename(filepath.Join(dir, steps.MappingTable), filepath.Join(filepath.Dir(other), "organizations.csv")); err != nil {
			t.Fatal(err)
		}
		if r := another.run("customers", "-f", other).must(t, exitUsage); !strings.Contains(r.err, "this is an exported mapping") {
			t.Errorf("a mapping as Rewst's list: %s", r.err)
		}
	})
}

// A look shows more of customers' domains: what is certain by them is linked, counted
// and kept.
func TestLooksLinkByDomain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-consented", Customers: 3})
		w.checked()
		file := w.consenting("mapping: organizations.csv")
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "organizations.csv"), []byte("organizationName,domain\nFabrikam Seattle,fabrikam.com\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, look := range []struct {
			args []string
			says string
		}{
			{nil, "0 linked to their customers (0 just now), 1 suggested, 2 without one.\n"},
			{[]string{"--look", "all"}, "1 linked to their customers (1 just now), 0 suggested, 2 without one.\n"},
			{nil, "1 linked to their customers (0 just now), 0 suggested, 2 without one.\n"},
		} {
			if r := w.run(append([]string{"customers", "-f", file}, look.args...)...).must(t, exitDone); !strings.Contains(r.out, look.says) {
				t.Errorf("%v does not say %q:\n%s", look.args, look.says, r.out)
			}
		}
	})
}

// A workflow of the partner's own can list Rewst's organisations; its address and
// its secret are nowhere to be seen.
func TestOrganizationsOfAWorkflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		const address, secret = "https://engine.rewst.io/webhooks/custom/trigger/c4n4ry-address", "c4n4ry-secret"
		answer, sent := `{"organizations": [{"name": "Fabrikam Ltd", "tenantId": "73678c95-98bb-4c0a-942d-f48ed6d63bed"}, {"name": "Adventure Works"}]}`, ""
		w.vars[webhookVar], w.vars[webhookSecretVar] = address, secret
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return trip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host != "engine.rewst.io" {
					return next.RoundTrip(r)
				}
				sent = r.Header.Get("x-rewst-secret")
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
			})
		}
		r := w.run("customers")
		for _, words := range []string{"Fabrikam Ltd", "2 linked to their customers"} {
			if !strings.Contains(r.out, words) {
				t.Errorf("it does not say %q:\n%s%s", words, r.out, r.err)
			}
		}
		if sent != secret {
			t.Errorf("the secret: got %q", sent)
		}
		// What stands in Rewst's file as well is one organisation.
		file := w.consenting("mapping: organizations.csv")
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "organizations.csv"), []byte("organizationName\nFABRIKAM LTD\nLitware\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		doc := decode[struct{ Mapping mappingDocument }](t, w.run("customers", "-f", file, "--json"))
		if doc.Mapping.Organizations != 3 || doc.Mapping.Linked != 2 {
			t.Errorf("with a file: %+v", doc.Mapping)
		}
		answer = "<html>"
		if r := w.run("customers").must(t, exitFailed); !strings.Contains(r.err, "Mend the workflow") && !strings.Contains(r.err, "workflow") {
			t.Errorf("an answer that is no list: %s", r.err)
		}
		if strings.Contains(w.printed.String(), "c4n4ry") {
			t.Error("the address or the secret was printed")
		}
	})
}

// What cannot be taken back at a customer keeps the partner's app, without which it
// never could be; whoever has left can be left.
func TestUndoWhereACustomerRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.run("apply", "-f", w.consenting("consent: all"), "--yes").must(t, exitDone)
		const fabrikam = "73678c95-98bb-4c0a-942d-f48ed6d63bed"
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return trip(func(r *http.Request) (*http.Response, error) {
				if strings.Contains(r.URL.Path, fabrikam) && strings.HasSuffix(r.URL.Path, "/token") {
					return &http.Response{
						StatusCode: 400, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
						Body: io.NopCloser(strings.NewReader(`{"error":"invalid_grant","error_description":"AADSTS53003: Access has been blocked by Conditional Access policies.","error_codes":[53003]}`)),
					}, nil
				}
				return next.RoundTrip(r)
			})
		}
		r := w.run("undo", "--yes").must(t, exitFailed)
		for _, words := range []string{"Conditional Access blocks", "what was written at 1 customer is still there", "--leave-customers"} {
			if !strings.Contains(r.err, words) {
				t.Errorf("it does not say %q:\n%s", words, r.err)
			}
		}
		w.closed()
		doc := decode[undoDocument](t, w.run("undo", "--yes", "--json").must(t, exitFailed))
		if len(doc.Customers) != 1 || doc.Customers[0].TenantID != fabrikam || doc.Customers[0].Done || doc.Customers[0].Do == "" || doc.Tenant != w.cloud.Tenant().ID {
			t.Errorf("got %+v", doc)
		}
		w.run("undo", "--yes", "--leave-customers").must(t, exitDone)
		w.wrap = nil
		w.run("undo", "--yes").must(t, exitDone)
		if got := w.ofCustomers()["Fabrikam"].ServicePrincipals; len(got) > 0 {
			t.Errorf("left at Fabrikam: %+v", got)
		}
	})
}

// Somebody whose last write was refused counts as failed, amber or not: in the wizard,
// for the list, and by the exit code.
func TestLookAtWhoFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customer-policies"})
		file := w.consenting("consent: all, exclude: true")
		var once atomic.Bool
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return trip(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/conditionalAccess/policies/") && once.CompareAndSwap(false, true) {
					return &http.Response{StatusCode: 403, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: http.NoBody}, nil
				}
				return next.RoundTrip(r)
			})
		}
		if r := w.run("customers", "--look", "failed").must(t, exitDone); !strings.Contains(r.err, "Nothing has failed at a customer") {
			t.Errorf("nobody has failed: %s", r.err)
		}
		w.run("apply", "-f", file, "--yes").must(t, exitFailed)
		type list struct{ Customers []customerDocumentRow }
		all := decode[list](t, w.run("customers", "--look", "all", "--json").must(t, exitFailed))
		amber := slices.DeleteFunc(all.Customers, func(c customerDocumentRow) bool { return c.Shade == steps.Green })
		if len(all.Customers) != 3 || len(amber) != 1 || amber[0].Shade != steps.Amber {
			t.Fatalf("the list: %+v", all)
		}
		failed := decode[list](t, w.run("customers", "--look", "failed", "--json").must(t, exitFailed))
		if len(failed.Customers) != 1 || failed.Customers[0].TenantID != amber[0].TenantID {
			t.Errorf("looked at: %+v", failed)
		}
	})
}
