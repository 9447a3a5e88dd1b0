package cli

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
	"msbundle/steps"
)

// What is left alone at customers is told where nothing is left to be written, too.
func TestNotesOfCustomers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customer-policies"})
		file := w.consenting("consent: all, exclude: true")
		const told = `of the customer is left alone, though it reaches the partner's account`
		if r := w.run("apply", "-f", file, "--yes").must(t, exitDone); !strings.Contains(r.err, told) {
			t.Errorf("the first run:\n%s", r.err)
		}
		wrote := len(w.writes())
		r := w.run("apply", "-f", file, "--yes").must(t, exitDone)
		if !strings.Contains(r.err, "Nothing to change at the customers.") || strings.Count(r.err, told) != 1 || len(w.writes()) > wrote {
			t.Errorf("the second run:\n%s", r.err)
		}
		for _, command := range [][]string{{"plan", "-f", file}, {"customers"}} {
			if r := w.run(command...).must(t, exitDone); !strings.Contains(r.out, "\nLeft alone at customers\n") || strings.Count(r.out, told) != 1 {
				t.Errorf("%v:\n%s", command, r.out)
			}
			r := w.run(append(command, "--json")...).must(t, exitDone)
			doc := decode[struct{ Customers []standDocument }](t, r)
			notes := 0
			for _, c := range doc.Customers {
				for _, text := range c.Notes {
					if strings.Contains(text, "is left alone, though") {
						notes++
					}
				}
			}
			if notes != 1 {
				t.Errorf("%v --json has %d notes:\n%s", command, notes, r.out)
			}
		}
	})
}

// A note for many customers is told once, with the first of their names.
func TestNotesOfManyCustomers(t *testing.T) {
	t.Parallel()
	var rows []steps.CustomerRow
	for i := range 20 {
		name := string(rune('A'+i)) + " of Fabrikam"
		row := steps.CustomerRow{Customer: steps.Customer{TenantID: name, Name: name}}
		row.Shield.Notes = []string{"CSP is not offered to " + name + "; its permissions are left out there.", "Only " + string(rune('a'+i)) + "."}
		rows = append(rows, row)
	}
	for _, verbose := range []bool{false, true} {
		var out strings.Builder
		(&atCustomers{verbose: verbose}).printNotes(&out, rows)
		want := "  20 customers: A of Fabrikam, B of Fabrikam, C of Fabrikam, D of Fabrikam, E of Fabrikam, F of Fabrikam, G of Fabrikam, H of Fabrikam and 12 more\n    CSP is not offered to the customer; its permissions are left out there.\n"
		last := "  and 9 more (--verbose lists them)\n"
		if verbose {
			want, last = "S of Fabrikam, T of Fabrikam\n    CSP is not offered to the customer;", "  1 customer: T of Fabrikam\n    Only t.\n"
		}
		if !strings.Contains(out.String(), want) || !strings.HasSuffix(out.String(), last) || strings.Count(out.String(), "CSP") != 1 {
			t.Errorf("verbose %v:\n%s", verbose, out.String())
		}
	}
	var none strings.Builder
	if (&atCustomers{}).printNotes(&none, make([]steps.CustomerRow, 3)); none.Len() > 0 {
		t.Errorf("nothing to say: %q", none.String())
	}
}

// So it is with what becomes of what a customer has.
func TestNotesOfManyPlans(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	printAtCustomers(&out, func(yield func(steps.Customer, steps.Plan) bool) {
		for i := range 20 {
			name := "Fabrikam " + string(rune('A'+i))
			if !yield(steps.Customer{TenantID: name, Name: name}, steps.Plan{Notes: []steps.Note{{Text: "Taken back at " + name + ": 1 permission.", Done: true}}}) {
				return
			}
		}
	}, false)
	if want := "\nNotes\n  20 customers: Fabrikam A, Fabrikam B, Fabrikam C, Fabrikam D, Fabrikam E, Fabrikam F, Fabrikam G, Fabrikam H and 12 more\n    Taken back at the customer: 1 permission.\n"; !strings.Contains(out.String(), want) || strings.Count(out.String(), "Taken") != 1 {
		t.Error(out.String())
	}
}

// Before the app is signed in with it is said what only that shows, and at how many
// customers.
func TestWhatOnlyTheAppSees(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-consented", Customers: 3})
		for section, want := range map[string]string{
			"consent: all":                "\nLooked at once the app is signed in with: whether the app has its role for Exchange Online at 3 customers. What that",
			"consent: all, exclude: true": "\nLooked at once the app is signed in with: the Conditional Access policies of 3 customers, and whether the app has its role for Exchange Online at 3 customers. What that",
		} {
			if r := w.run("plan", "-f", w.consenting(section)).must(t, exitChanges); !strings.Contains(r.out, want) || strings.Contains(r.out, "Nothing to change at the customers") {
				t.Errorf("%s:\n%s", section, r.out)
			}
		}
	})
}

// Secrets that stand in the document are handed over at the first sign of giving up:
// the second one ends the program while a write is still under way.
func TestSecretsAreHandedOverAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		ctx, stop := context.WithCancel(t.Context())
		var out, stderr lockedBuffer
		var begun atomic.Bool
		had := ""
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return trip(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/applicationconsents") && begun.CompareAndSwap(false, true) {
					stop()
					time.Sleep(time.Second) // the write takes its time
					had = out.String()
				}
				return next.RoundTrip(r)
			})
		}
		file := w.setup(strings.Replace(consentAll, "customers: ", "serviceAccount: {username: rewst-robot, mfa: leave, roles: leave}\ncustomers: ", 1))
		args := []string{"apply", "-f", file, "--yes", "--json", "--secret-out", "-", "--password-out", "-"}
		if code := w.program(ctx, &out, &stderr, args); code != exitInterrupted {
			t.Fatalf("exit code %d\n%s", code, stderr.String())
		}
		if had == "" {
			t.Fatal("nothing was handed over while the write was under way")
		}
		doc := decode[applyDocument](t, ran{out: had})
		if doc.Done || doc.Secret.Value == "" || doc.Ready == nil || doc.Ready.Password.Value == "" || doc.Consent == nil || doc.Consent.Looked != 3 {
			t.Errorf("while the write was under way there was: %q", had)
		}
		if out.String() != had {
			t.Errorf("it was handed over twice: %s", out.String())
		}
		w.closed()
		w.wrap = nil
		again := decode[applyDocument](t, w.run(args...).must(t, exitDone))
		if again.Secret.Value != "" || again.Ready.Password.Value != "" {
			t.Errorf("they were made again: %+v, %+v", again.Secret, again.Ready)
		}
	})
}

// Looking again at some customers keeps what the others still take.
func TestWritesOfThoseThatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customer-policies"})
		fine, refused := "", ""
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return trip(func(r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/applicationconsents") {
					return next.RoundTrip(r)
				}
				customer := strings.Split(r.URL.Path, "/")[3]
				if fine = cmp.Or(fine, customer); customer == fine || refused != "" && customer != refused {
					return next.RoundTrip(r)
				}
				refused = customer
				return &http.Response{
					StatusCode: 403, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
					Body: io.NopCloser(strings.NewReader(`{"code":"900309","description":"Access has been blocked by Conditional Access policies."}`)),
				}, nil
			})
		}
		doc := decode[applyDocument](t, w.run("apply", "-f", w.consenting("consent: all, exclude: true"), "--yes", "--json", "--workers", "1").must(t, exitFailed))
		for _, c := range doc.Consent.Customers {
			if failed := c.TenantID == refused; failed != (c.Writes > 0) || failed != (c.State == endFailed) {
				t.Errorf("%s still takes %d writes, %s", c.Name, c.Writes, c.State)
			}
		}
	})
}

// A tenant id that is no customer's is refused before the partner's own part is
// written; a domain is looked for at the customers first.
func TestConsentForNobody(t *testing.T) {
	t.Parallel()
	const stranger = "11111111-2222-3333-4444-555555555555"
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		file := w.consenting("consent: [" + stranger + ", nobody.example]")
		for _, command := range [][]string{{"plan", "-f", file}, {"apply", "-f", file, "--yes"}} {
			r := w.run(command...).must(t, exitUsage)
			if !strings.Contains(r.err, "customers.consent: not among the ") || !strings.Contains(r.err, stranger) || strings.Contains(r.err, "nobody.example") {
				t.Errorf("%v:\n%s", command, r.err)
			}
		}
		if got := w.writes(); len(got) > 0 {
			t.Errorf("it wrote %v", got)
		}
	})
}

// A folder is no list of organisations, and the error says what to name.
func TestFolderForAMapping(t *testing.T) {
	t.Parallel()
	w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
	file := w.consenting("mapping: .")
	for _, command := range [][]string{{"plan", "-f", file}, {"plan", "-f", w.consenting("mapping: " + t.TempDir())}, {"customers", "--mapping", t.TempDir()}} {
		if r := w.run(command...).must(t, exitUsage); !strings.Contains(r.err, "mapping: ") || !strings.Contains(r.err, "this is a folder; name the CSV file in it") {
			t.Errorf("%v: %s", command, r.err)
		}
	}
}
