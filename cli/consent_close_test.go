package cli

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
	"msbundle/state"
	"msbundle/steps"
)

// givingUp has the person give up when the first customer is consented for, and
// counts what is asked of the app's own object from then on.
func (w *world) givingUp(stop context.CancelFunc, refuse bool) {
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		var gone atomic.Bool
		return trip(func(r *http.Request) (*http.Response, error) {
			switch {
			case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/applicationconsents"):
				gone.Store(true)
				stop()
			case gone.Load() && refuse && r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/v1.0/applications/"):
				return &http.Response{
					StatusCode: 403, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
					Body: http.NoBody,
				}, nil
			}
			return next.RoundTrip(r)
		})
	}
}

// What was made before the customers' turn is handed over when that is given up, in
// one document as ever, and counts as delivered.
func TestSecretsOutliveGivingUpAtCustomers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		ctx, stop := context.WithCancel(t.Context())
		w.givingUp(stop, false)
		file := w.setup(strings.Replace(consentAll, "customers: ", "serviceAccount: {username: rewst-robot, mfa: leave, roles: leave}\ncustomers: ", 1))
		doc := decode[applyDocument](t, w.runContext(ctx, "apply", "-f", file, "--yes", "--json", "--secret-out", "-", "--password-out", "-").must(t, exitInterrupted))
		if doc.Done || doc.Secret.Value == "" || doc.Ready == nil || doc.Ready.Password.Value == "" || doc.Consent == nil || doc.Consent.Looked != 3 {
			t.Errorf("got %+v, consent %+v", doc, doc.Consent)
		}
		w.closed()
		w.wrap = nil
		again := decode[applyDocument](t, w.run("apply", "-f", file, "--yes", "--json", "--secret-out", "-", "--password-out", "-").must(t, exitDone))
		if again.Secret.Value != "" || again.Ready.Password.Value != "" {
			t.Errorf("they were made again: %+v, %+v", again.Secret, again.Ready)
		}
	})
}

// Whoever ends the program while the app's sign-in is open is told at once what closes
// it, and that does.
func TestSignInLeftOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		file := w.consenting("consent: all")
		ctx, stop := context.WithCancel(t.Context())
		w.givingUp(stop, true)
		r := w.runContext(ctx, "apply", "-f", file, "--yes", "--workers", "1").must(t, exitInterrupted)
		for _, words := range []string{"Press ctrl+c again to leave it open", "was left open: a way back to this computer"} {
			if !strings.Contains(r.err, words) {
				t.Errorf("it does not say %q:\n%s", words, r.err)
			}
		}
		w.wrap = nil
		if r := w.run("customers", "-f", file); !strings.Contains(r.err, "An ended run left the app's own sign-in open.") {
			t.Errorf("the list: %s", r.err)
		}
		if r := w.run("customers", "--close").must(t, exitUsage); !strings.Contains(r.err, "add --yes") {
			t.Errorf("nobody agreed: %s", r.err)
		}
		wrote := len(w.writes())
		doc := decode[struct {
			Closed  bool
			Written int
		}](t, w.run("customers", "--close", "--yes", "--json").must(t, exitDone))
		if got := w.writes()[wrote:]; !doc.Closed || doc.Written != 2 || len(got) != 2 {
			t.Errorf("got %+v, wrote %v", doc, got)
		}
		w.closed()
		if r := w.run("customers", "--close", "--yes", "-f", file).must(t, exitDone); !strings.Contains(r.err, "is not open") || len(w.writes()) != wrote+2 {
			t.Errorf("closing it again: %s", r.err)
		}
		ctx, stop = context.WithCancel(t.Context())
		w.givingUp(stop, true)
		w.runContext(ctx, "apply", "-f", file, "--yes").must(t, exitInterrupted)
		w.wrap = nil
		if r := w.run("plan", "-f", w.consenting("exclude: false")).must(t, exitChanges); !strings.Contains(r.out, "Left by an earlier run at Contoso (2)") {
			t.Errorf("the plan: %s", r.out)
		}
		w.run("apply", "-f", w.consenting("exclude: false"), "--yes").must(t, exitDone)
		w.closed()
	})
}

// Undo says it as well, and undoing again closes it.
func TestUndoLeavesTheSignInOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		before := w.ofCustomers()
		w.run("apply", "-f", w.consenting("consent: all"), "--yes").must(t, exitDone)
		ctx, stop := context.WithCancel(t.Context())
		var gone atomic.Bool
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return trip(func(r *http.Request) (*http.Response, error) {
				switch {
				case r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/roleAssignments/"):
					gone.Store(true)
					stop()
				case gone.Load() && r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/v1.0/applications/"):
					return &http.Response{StatusCode: 403, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: http.NoBody}, nil
				}
				return next.RoundTrip(r)
			})
		}
		if r := w.runContext(ctx, "undo", "--yes").must(t, exitInterrupted); !strings.Contains(r.err, "Press ctrl+c again to leave it open") || !strings.Contains(r.err, "was left open") {
			t.Errorf("it says:\n%s", r.err)
		}
		w.wrap = nil
		w.run("undo", "--yes").must(t, exitDone)
		w.closed()
		if diff := cmp.Diff(before, w.ofCustomers()); diff != "" {
			t.Errorf("undo left:\n%s", diff)
		}
	})
}

// Closing has all the time it takes, and a minute from when somebody gives up, whoever
// does it.
func TestClosingHasAMinute(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given bool // up while it hangs
		left  bool // by an earlier run
		want  int
	}{
		"given up":                 {given: true, want: exitInterrupted},
		"given up, of --close":     {given: true, left: true, want: exitInterrupted},
		"not given up":             {want: exitDone},
		"not given up, of --close": {left: true, want: exitDone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 1})
				args := []string{"apply", "-f", w.consenting("consent: all"), "--yes"}
				if c.left {
					gone, stop := context.WithCancel(t.Context())
					w.givingUp(stop, true)
					w.runContext(gone, args...).must(t, exitInterrupted)
					args = []string{"customers", "--close", "--yes"}
				}
				ctx, giveUp := context.WithCancel(t.Context())
				defer giveUp()
				var hung time.Time
				w.wrap = func(next http.RoundTripper) http.RoundTripper {
					return trip(func(r *http.Request) (*http.Response, error) {
						if strings.HasSuffix(r.URL.Path, "/removePassword") && (c.given || hung.IsZero()) {
							if hung.IsZero() {
								hung = time.Now()
								if c.given {
									giveUp()
								}
							}
							<-r.Context().Done()
							return nil, r.Context().Err()
						}
						return next.RoundTrip(r)
					})
				}
				r := w.runContext(ctx, args...).must(t, c.want)
				if took := time.Since(hung); c.given != (took == steps.CloseLimit) || !c.given && took < steps.WriteLimit {
					t.Errorf("it took %s", took)
				}
				for _, words := range []string{"Press ctrl+c again to leave it open", "was left open: a way back", "took too long"} {
					if strings.Contains(r.err, words) != c.given {
						t.Errorf("does it say %q?\n%s", words, r.err)
					}
				}
				w.wrap = nil
				if c.given {
					w.run("customers", "--close", "--yes").must(t, exitDone)
				}
				w.closed()
			})
		})
	}
}

// How many customers are worked on at a time is at least one.
func TestWorkers(t *testing.T) {
	t.Parallel()
	w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
	for _, command := range [][]string{{"plan", "-f", customersExample}, {"apply", "-f", customersExample, "--yes"}, {"customers"}, {"undo", "--yes"}} {
		for _, n := range []string{"0", "-1", "many"} {
			if r := w.run(append(command, "--workers", n)...).must(t, exitUsage); !strings.Contains(r.err, "--workers") || !strings.Contains(r.err, "from 1 on") {
				t.Errorf("%v %s: %s", command, n, r.err)
			}
		}
	}
	if n := len(w.cloud.Requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// Amber is done only where nothing that was chosen is missing by what was read back.
func TestHowItEndsAtACustomer(t *testing.T) {
	t.Parallel()
	part := func(proof string, state steps.CheckState) steps.ShieldPart {
		return steps.ShieldPart{Proof: proof, State: state}
	}
	for name, c := range map[string]struct {
		shade     steps.Shade
		part      steps.ShieldPart
		connector bool
		relation  string
		want      customerEnd
	}{
		"green":                       {shade: steps.Green, part: part(steps.ProofGrants, steps.Passed), want: endDone},
		"not tried":                   {shade: steps.Amber, part: part(steps.ProofExchange, steps.Unknown), want: endDone},
		"a permission missing":        {shade: steps.Amber, part: part(steps.ProofGrants, steps.Failed), want: endFailed},
		"Exchange refuses":            {shade: steps.Amber, part: part(steps.ProofExchange, steps.Failed), want: endFailed},
		"connector not authorised":    {shade: steps.Amber, part: part(steps.ProofGrants, steps.Failed), connector: true, want: endWaiting},
		"connector, roles missing":    {shade: steps.Amber, part: part(steps.ProofRoles, steps.Failed), connector: true, want: endFailed},
		"connector not there":         {shade: steps.Blue, part: part(steps.ProofGrants, steps.Failed), connector: true, want: endWaiting},
		"not approved":                {shade: steps.Blue, part: part(steps.ProofToken, steps.Failed), relation: steps.RelationPending, want: endWaiting},
		"never asked":                 {shade: steps.Blue, part: part(steps.ProofToken, steps.Failed), want: endFailed},
		"refused, though it approved": {shade: steps.Red, part: part(steps.ProofToken, steps.Failed), relation: steps.RelationActive, want: endFailed},
	} {
		found := &steps.Findings{}
		if c.connector {
			found.Connector = &steps.Principal{}
		}
		r := &atCustomers{
			answers: state.Answers{Customers: &state.Customers{All: true}}, clientele: &steps.Clientele{Findings: found}, plan: &steps.CustomersPlan{}, first: &steps.CustomersPlan{},
		}
		row := steps.CustomerRow{Relationship: c.relation, Shield: steps.Shield{Shade: c.shade, Checks: []steps.ShieldPart{c.part}}}
		if got := r.end(row); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// A sign-in that only a browser can make does not send anybody to a code.
func TestBrowserOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		methods []steps.Method
		says    string
	}{
		{[]steps.Method{steps.ByBrowser, steps.ByDevice}, "try --auth device"},
		{[]steps.Method{steps.ByBrowser, steps.ByTunnel}, "Only a browser can make this sign-in"},
	} {
		var out strings.Builder
		a := &app{Streams: Streams{Err: &out}}
		a.say(&connection{}, steps.Prompt{Method: steps.ByBrowser, Methods: c.methods, URL: "https://login.microsoftonline.com/"}, true)
		if !strings.Contains(out.String(), c.says) || strings.Count(out.String(), "If the browser shows an error") != 1 {
			t.Errorf("%v: %s", c.methods, out.String())
		}
	}
}

// A sentence that begins with what a service wrote keeps its first letter whole.
func TestFirstLettersOfAnyLanguage(t *testing.T) {
	t.Parallel()
	r := &atCustomers{failed: map[string]*steps.Problem{"x": {What: "élan SARL was not done"}}}
	if got := r.failedDocument(standDocument{TenantID: "x"}).Text; got != "Élan SARL was not done" {
		t.Errorf("got %q", got)
	}
}
