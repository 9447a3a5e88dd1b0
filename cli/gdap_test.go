package cli

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
	"msbundle/state"
	"msbundle/steps"
)

const gdapExample = "../examples/gdap.yaml"

// approveAll has every customer approve, on the sandbox's own page.
func (w *world) approveAll(r ran) int {
	w.t.Helper()
	doc := decode[applyDocument](w.t, r)
	for _, i := range doc.Invitations {
		if err := w.cloud.ApproveRelationship(i.ID); err != nil {
			w.t.Fatal(err)
		}
	}
	return len(doc.Invitations)
}

// Forty customers in mixed states: planned, asked, waited for, approved, done, and
// then nothing is left to do.
func TestCustomersFromPlanToDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		w.checked()
		short := w.run("plan", "-f", gdapExample).must(t, exitChanges)
		if n := strings.Count(short.out, "\n"); n > 60 || !strings.Contains(short.out, "at 25 customers, once they have approved") || !strings.Contains(short.out, "345 writes, 300 of them once customers have approved.") {
			t.Errorf("the plan has %d lines:\n%s", n, short.out)
		}
		if long := w.run("plan", "-f", gdapExample, "-v").must(t, exitChanges); strings.Count(long.out, "\n") < 345 || strings.Contains(long.out, "${") {
			t.Errorf("-v does not list each write:\n%s", long.out)
		}
		plan := decode[planDocument](t, w.run("plan", "-f", gdapExample, "--json").must(t, exitChanges))
		if len(plan.Changes) != 345 || len(w.writes()) > 0 {
			t.Fatalf("%d changes, and planning wrote %v", len(plan.Changes), w.writes())
		}
		first := w.run("apply", "-f", gdapExample, "--yes", "--json").must(t, exitWaiting)
		doc := decode[applyDocument](t, first)
		if got := fmt.Sprint(doc.Done, doc.Written, *doc.Customers, len(doc.Invitations)); got != "false 45 {40 15 25 [] [] []} 25" {
			t.Errorf("done, written, customers, invitations: got %s", got)
		}
		if i := doc.Invitations[0]; i.Days != 81 || i.State != "approvalPending" || i.Customer["name"] == "" || !strings.HasSuffix(i.Link, "/granularAdminRelationships/"+i.ID) {
			t.Errorf("the one that waits longest: %+v", i)
		}
		text := w.run("apply", "-f", gdapExample, "--yes").must(t, exitWaiting)
		for _, words := range []string{"15 of 40 have every role", "multifactor authentication is demanded of the account was not looked at", "Not approved yet (25)", "81 days", doc.Invitations[0].Link, "Global Administrator of the customer's own tenant", "25 customers did not approve yet"} {
			if !strings.Contains(text.err, words) {
				t.Errorf("the result does not say %q:\n%s", words, text.err)
			}
		}
		if n := w.approveAll(first); n != 25 {
			t.Fatalf("%d approved", n)
		}
		done := decode[applyDocument](t, w.run("apply", "-f", gdapExample, "--yes", "--json").must(t, exitDone))
		if got := fmt.Sprint(done.Done, done.Written, *done.Customers, len(done.Invitations)); got != "true 300 {40 40 0 [] [] []} 0" {
			t.Errorf("done, written, customers, invitations: got %s", got)
		}
		before := len(w.writes())
		w.run("plan", "-f", gdapExample).must(t, exitDone)
		w.run("apply", "-f", gdapExample, "--yes").must(t, exitDone)
		if got := w.writes()[before:]; len(got) > 0 {
			t.Errorf("running again wrote: %v", got)
		}
	})
}

// With --wait one run goes from nothing to everything, while customers approve
// within ten days; with less time it ends where it is.
func TestApplyWaitsForCustomers(t *testing.T) {
	t.Parallel()
	setup := "version: 1\nserviceAccount: {username: rewst, mfa: leave, roles: leave}\ngdap: {customers: all}\n"
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 6})
		file := w.setup(setup)
		begun := time.Now()
		part := decode[applyDocument](t, w.run("apply", "-f", file, "--yes", "--json", "--wait", "4d").must(t, exitWaiting))
		if c := part.Customers; c.Ready == 0 || c.Waiting == 0 || c.Ready+c.Waiting != 6 {
			t.Errorf("after four days: %+v", *c)
		}
		if took := time.Since(begun); took < 95*time.Hour || took > 98*time.Hour {
			t.Errorf("four days took %s", took)
		}
		rest := w.run("apply", "-f", file, "--yes", "--wait", "14d").must(t, exitDone)
		if !strings.Contains(rest.err, "6 of 6 have every role") {
			t.Errorf("the result:\n%s", rest.err)
		}
		if took := time.Since(begun); took > 11*24*time.Hour {
			t.Errorf("it waited on after the last approval: %s", took)
		}
	})
}

// A table of customers lies beside the setup file, wherever the command is run; what
// is wrong with it is said by line, before anybody signs in.
func TestCustomersOfATable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		setup := w.setup("version: 1\nserviceAccount: {username: rewst, roles: leave, mfa: leave}\ngdap: {customers: [northwindtraders.onmicrosoft.com], file: table.csv}\n")
		table := filepath.Join(filepath.Dir(setup), "table.csv")
		for _, c := range []struct{ text, says string }{
			{"", "there is no such file"},
			{"Name,Colour\nFabrikam,blue\n", "table.csv"},
			{"tenantId\nnonsense\n", "table.csv, line 2"},
		} {
			if c.text != "" {
				if err := os.WriteFile(table, []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if r := w.run("plan", "-f", setup, "--json").must(t, exitUsage); !strings.Contains(r.err, c.says) || len(w.cloud.Requests()) > 0 {
				t.Errorf("%q: does not say %q before anybody signs in:\n%s", c.text, c.says, r.err)
			}
		}
		if err := os.WriteFile(table, []byte("\ufeffName;Domain\r\nFabrikam;fabrikam.onmicrosoft.com\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		plan := filepath.Join(t.TempDir(), "plan.json")
		doc := decode[planDocument](t, w.run("plan", "-f", setup, "--json", "-o", plan).must(t, exitChanges))
		n := 0
		for _, c := range doc.Changes {
			if c.Kind == "relationship" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d relationships, want 2: one named, one of the table", n)
		}
		if r := decode[applyDocument](t, w.run("apply", "-f", plan, "--yes", "--json").must(t, exitWaiting)); r.Customers.Chosen != 2 {
			t.Errorf("from the plan file: %+v", r.Customers)
		}
	})
}

func TestWaitTakesDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "0d": 0, "14d": 14 * 24 * time.Hour, "2h": 2 * time.Hour, "1d12h": 36 * time.Hour, "90m": 90 * time.Minute, "366d": 366 * 24 * time.Hour,
	} {
		var d days
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("%q: got %s, %v, want %s", text, time.Duration(d), err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "-2h", "14", "two days", "367d", "9999999999999999999d", "1d-2h", "1.5d"} {
		var d days
		if err := d.Set(text); err == nil {
			t.Errorf("%q was taken as %s", text, time.Duration(d))
		}
	}
}

// The list of who is waited for, and what can be sent to them.
func TestInvitations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		w.checked()
		dir := filepath.Join(t.TempDir(), "mails")
		r := w.run("invitations", "--export", dir, "--json").must(t, exitWaiting)
		doc := decode[struct {
			Schema, Exported string
			Invitations      []invitationDocument
		}](t, r)
		if doc.Schema != "msbundle.invitations/1" || len(doc.Invitations) != 5 || doc.Exported != filepath.Join(dir, "invitations.csv") {
			t.Fatalf("got %+v", doc)
		}
		f, err := os.Open(doc.Exported)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil || len(rows) != 6 {
			t.Fatalf("the table has %d rows, %v", len(rows), err)
		}
		mails, _ := filepath.Glob(filepath.Join(dir, "Rehearsal *.eml"))
		if len(mails) != 5 {
			t.Errorf("%d mails: %v", len(mails), mails)
		}
		if !strings.HasPrefix(rows[1][0], "Rehearsal: ") || !doc.Invitations[0].Rehearsal {
			t.Errorf("the lists do not say that it is a rehearsal: %v, %+v", rows[1], doc.Invitations[0])
		}
		text := w.run("invitations", "-f", w.setup("version: 1\ngdap: {customers: ["+doc.Invitations[1].Customer["domain"]+"]}\n")).must(t, exitWaiting)
		if n := strings.Count(text.out, "granularAdminRelationships"); n != 1 || !strings.Contains(text.out, doc.Invitations[1].Link) {
			t.Errorf("the chosen customer: %d links\n%s", n, text.out)
		}
		for _, i := range doc.Invitations {
			if err := w.cloud.ApproveRelationship(i.ID); err != nil {
				t.Fatal(err)
			}
		}
		if r := w.run("invitations").must(t, exitDone); !strings.Contains(r.out, "No customer is waited for") {
			t.Errorf("nobody is left: %s", r.out)
		}
		if got := w.writes(); len(got) > 0 {
			t.Errorf("listing wrote: %v", got)
		}
		w.run("invitations", "-f", ownedCSP).must(t, exitUsage)
		w.run("invitations", "--export", doc.Exported).must(t, exitUsage)
	})
}

// What is not shown is not taken for nothing.
func TestCustomersNotShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "not-admin-agent"})
		for _, args := range [][]string{{"invitations"}, {"apply", "-f", gdapExample, "--yes"}} {
			if r := w.run(args...).must(t, exitFailed); !strings.Contains(r.err, "AdminAgents") {
				t.Errorf("%v does not say what is missing:\n%s", args, r.err)
			}
		}
		if r := w.run("explain", "--customer", "Fabrikam"); !strings.Contains(r.out, "?       Relationship with the customer") {
			t.Errorf("explain:\n%s", r.out)
		}
	})
}

func TestExplainCustomer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "trace-not-assigned"})
		w.checked()
		r := w.run("explain", "--customer", "fabrikam.onmicrosoft.com", "--role", "exchange administrator").must(t, exitFailed)
		for _, words := range []string{"BROKEN  Role given to the group", "First broken link: Role given to the group.", "What to do: Run 'msbundle apply'"} {
			if !strings.Contains(r.out, words) {
				t.Errorf("it does not say %q:\n%s", words, r.out)
			}
		}
		if n := strings.Count(r.err, "Sign-in: "); n != 1 {
			t.Errorf("%d sign-ins:\n%s", n, r.err)
		}
		doc := decode[traceDocument](t, w.run("explain", "--customer", "Fabrikam", "--json").must(t, exitFailed))
		if doc.Schema != "msbundle.trace/1" || doc.Broken != "assignment" || len(doc.Roles) != 12 || len(doc.Links) != 14 {
			t.Errorf("got %+v", doc)
		}
		if i := slices.IndexFunc(doc.Links, func(l linkDocument) bool { return l.State == "broken" }); i < 0 || doc.Links[i].ID != doc.Broken {
			t.Errorf("the first broken link: %+v", doc.Links)
		}
		w.run("explain", "--customer", "User Administrator at Fabrikam").must(t, exitUsage)
		if r := w.run("explain", "--customer", "fabrikam.onmicrosoft.com", "--role", "User Administrator").must(t, exitDone); !strings.Contains(r.out, "No link is broken.") {
			t.Errorf("another role: %s", r.out)
		}
		for _, role := range []string{"Teams Administrator", "Intune Administrator", "SharePoint Administrator", "Cloud App Security Administrator"} {
			w.run("explain", "--customer", "Fabrikam", "--role", role).must(t, exitDone) // it has Microsoft 365 E5
		}
		if r := w.run("explain", "--customer", "fabr", "--role", "User Administrator").must(t, exitDone); !strings.Contains(r.err, `No customer is called "fabr". The only one whose name begins so is Fabrikam.`) {
			t.Errorf("a name cut short is taken without a word: %s", r.err)
		}
		w.run("explain", "--role", "User Administrator").must(t, exitUsage)
		w.run("explain", "--customer", "Fabrikam", "--role", "Janitor").must(t, exitUsage)
		w.run("explain", "--customer", "Fabrikam", "AADSTS53003").must(t, exitUsage)
		if got := w.writes(); len(got) > 0 {
			t.Errorf("explaining wrote: %v", got)
		}
	})
}

// Every broken link is named, the one to mend first in front, each with its fix.
func TestExplainNamesAllThatIsBroken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		list := decode[struct{ Invitations []invitationDocument }](t, w.run("invitations", "--json").must(t, exitWaiting)).Invitations
		r := w.run("explain", "--customer", list[0].Customer["domain"]).must(t, exitFailed)
		first, rest, found := strings.Cut(r.out, "Broken as well: Relationship in force. The customer has not approved it")
		if !found || !strings.Contains(first, "First broken link: Multifactor authentication.") || !strings.Contains(rest, "What to do: Send "+list[0].Customer["name"]+" the link") || !strings.Contains(rest, list[0].Link) {
			t.Errorf("it hides what is broken besides:\n%s", r.out)
		}
	})
}

// An answer or a name that nobody knows is a wrong answer, and not a failure.
func TestNobodyKnowsThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		for section, key := range map[string]string{
			"account: nobody":                                   "gdap.account: ",
			"customers: [nobody.com]":                           "gdap.customers: ",
			"customers: [nobody.com, also-nobody.com]":          "gdap.customers: ",
			"customers: [nobody.com, fabrikam.onmicrosoft.com]": "gdap.customers: ",
		} {
			file := w.setup("version: 1\ngdap: {" + section + "}\n")
			for _, args := range [][]string{{"plan", "-f", file}, {"apply", "-f", file, "--yes"}} {
				if r := w.run(args...).must(t, exitUsage); !strings.Contains(r.err, "msbundle: "+key) || !strings.Contains(r.err, "nobody") {
					t.Errorf("%s: does not name %s:\n%s", section, key, r.err)
				}
			}
		}
		file := w.setup("version: 1\ngdap: {customers: [nobody.com]}\n")
		if r := w.run("invitations", "-f", file).must(t, exitUsage); !strings.Contains(r.err, "gdap.customers: ") {
			t.Errorf("invitations: %s", r.err)
		}
		for _, name := range []string{"nobody", "f"} {
			w.run("explain", "--customer", name).must(t, exitUsage)
		}
		if got := w.writes(); len(got) > 0 {
			t.Errorf("it wrote: %v", got)
		}
	})
}

// What only reads needs no possession of the tenant's folder: a wizard that is left
// open beside it does no harm, and is not harmed.
func TestLookingBesideAWizard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		w.run("apply", "-f", gdapExample, "--yes").must(t, exitWaiting)
		id := state.Identity{Cloud: "sandbox-" + w.cloud.Tenant().World, Tenant: w.cloud.Tenant().ID}
		held, err := state.Open(w.state, id)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		if err := held.Remind(time.Now(), "somebody"); err != nil {
			t.Fatal(err)
		}
		write := state.Record{ // under way just now
			Kind: state.RecordIntent, At: time.Now(), Intent: "now", Step: "gdap", What: string(steps.KindRoleGroup), Action: string(steps.Create), Change: "gdap/group/x", Name: "Rewst", Body: []byte("{}"),
		}
		if err := held.Append(write); err != nil {
			t.Fatal(err)
		}
		journal := filepath.Join(state.Dir(w.state, id), "journal.jsonl")
		before, err := os.ReadFile(journal)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if r := w.run("invitations").must(t, exitWaiting); strings.Count(r.out, "granularAdminRelationships") != 25 {
			t.Errorf("invitations:\n%s", r.out)
		}
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("it waited %v for what another run writes", took)
		}
		w.run("explain", "--customer", "fabrikam.onmicrosoft.com").must(t, exitFailed)
		if r := w.run("apply", "-f", gdapExample, "--yes").must(t, exitFailed); !strings.Contains(r.err, "a wizard that is left open") {
			t.Errorf("who holds the folder: %s", r.err)
		}
		if after, err := os.ReadFile(journal); err != nil || string(after) != string(before) {
			t.Errorf("looking wrote to the journal: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // and makes no folder
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		w.run("invitations").must(t, exitWaiting)
		if left, _ := filepath.Glob(filepath.Join(w.state, "*", "*", "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// Many writes about customers are put together, also where they are taken back.
func TestUndoOfManyIsShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		w.approveAll(w.run("apply", "-f", gdapExample, "--yes", "--json").must(t, exitWaiting))
		w.run("apply", "-f", gdapExample, "--yes").must(t, exitDone)
		r := w.run("undo", "--yes", "--take", "terminate-relationships").must(t, exitDone)
		for _, words := range []string{"60 roles taken away at 5 customers: ", "20 relationships ended with 20 customers, not reversible: ", "and 12 more"} {
			if !strings.Contains(r.err, words) {
				t.Errorf("it does not say %q:\n%s", words, r.err)
			}
		}
		if n := strings.Count(r.err, "\n"); n > 70 {
			t.Errorf("%d lines:\n%s", n, r.err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		w.approveAll(w.run("apply", "-f", gdapExample, "--yes", "--json").must(t, exitWaiting))
		w.run("apply", "-f", gdapExample, "--yes").must(t, exitDone)
		if r := w.run("undo", "--yes", "-v").must(t, exitDone); strings.Count(r.err, "Remove ") < 300 {
			t.Errorf("-v does not list each write:\n%s", r.err)
		}
	})
}

func TestNothingToExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		dir := filepath.Join(t.TempDir(), "mails")
		if r := w.run("invitations", "--export", dir).must(t, exitDone); !strings.Contains(r.err, "Nothing was written to "+dir) {
			t.Errorf("it says nothing: %s", r.err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("the folder was made")
		}
	})
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "once", 3: "3 times in a row"} {
		if got := times(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// Where Microsoft does not offer it, that is what is said, and nothing is asked of
// a service that is not there.
func TestNoGDAPForGovernment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gcc-high"})
		r := w.run("apply", "-f", gdapExample, "--yes", "--cloud", "usgov").must(t, exitUsage)
		if !strings.Contains(r.err, "GDAP") && !strings.Contains(r.err, "elegated admin") || !strings.Contains(r.err, "cloud") {
			t.Errorf("the reason: %s", r.err)
		}
		for _, words := range []string{"gdap: ", "for this tenant there is nothing to set up"} {
			if !strings.Contains(r.err, words) {
				t.Errorf("it does not say %q: %s", words, r.err)
			}
		}
		w.run("invitations", "--cloud", "usgov").must(t, exitUsage)
		w.run("explain", "--customer", "Fabrikam", "--cloud", "usgov").must(t, exitFailed)
		for _, q := range w.cloud.Requests() {
			for _, inner := range append([]sandbox.InnerRequest{{URL: q.URL}}, q.Inner...) {
				if strings.Contains(inner.URL, "tenantRelationships") {
					t.Errorf("the service was asked: %s", inner.URL)
				}
			}
		}
		if got := w.writes(); len(got) > 0 {
			t.Errorf("it wrote: %v", got)
		}
	})
}
