package cli

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
)

// A rehearsal of a tenant that lives in another cloud does not wait for a sign-in
// that cannot come about: it says which cloud is meant.
func TestRehearsalOfAnotherCloud(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gcc-high"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		r := w.runContext(ctx, "plan", "-f", gdapExample).must(t, exitUsage)
		if !strings.Contains(r.err, "--cloud usgov") {
			t.Errorf("it does not name the cloud: %s", r.err)
		}
	})
}

// In a rehearsal the commands say what the links lead to.
func TestRehearsedLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		for _, args := range [][]string{{"invitations"}, {"apply", "-f", gdapExample, "--yes"}} {
			r := w.run(args...).must(t, exitWaiting)
			if !strings.Contains(r.err, "the links lead nowhere once this command has ended") || strings.Contains(r.err, "Mails to send to them") {
				t.Errorf("%v: %s", args, r.err)
			}
		}
	})
}

// A rehearsal that is served leads the links to its own page, and the commands that
// come next are named so that they find it again.
func TestServedLinks(t *testing.T) {
	cloud, err := sandbox.New(sandbox.Options{Scenario: "gdap-mixed", Approve: sandbox.ApproveNow})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, served := make(chan string, 1), make(chan error, 1)
	go func() {
		served <- cloud.Serve(ctx, sandbox.ServerOptions{Listen: "127.0.0.1:0", Ready: func(addr, _ string) { ready <- addr }})
	}()
	addr := <-ready
	w := &world{t: t, state: t.TempDir(), vars: map[string]string{}}
	r := w.run("invitations", "--json", "--sandbox=https://"+addr).must(t, exitWaiting)
	doc := decode[struct{ Invitations []invitationDocument }](t, r)
	link, err := url.Parse(doc.Invitations[0].Link)
	if err != nil || link.Host != addr || !strings.Contains(link.Path, "/AdminPortal/Home/partners/invitation/") {
		t.Errorf("the link: %s, %v", doc.Invitations[0].Link, err)
	}
	if text := w.run("apply", "-f", gdapExample, "--yes", "--sandbox=https://"+addr).must(t, exitWaiting); !strings.Contains(text.err, "lead to the page of the rehearsal") ||
		!strings.Contains(text.err, "msbundle invitations --sandbox=https://"+addr+" --state-dir="+w.state+" --export FOLDER") {
		t.Errorf("the result: %s", text.err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A wizard's rehearsal serves the customers' page while it is open, and its sign-ins
// go on by themselves all the same.
func TestWizardServesTheCustomersPage(t *testing.T) {
	w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
	a := w.app(strings.NewReader(""), io.Discard, io.Discard)
	a.flags.sandbox, a.flags.stateDir, a.pages = inProcess, w.state, true
	c, err := a.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if c.page != "" || c.pages == "" {
		t.Fatalf("codes at %q, pages at %q", c.page, c.pages)
	}
	r, err := http.Get(sandbox.CustomersPage(c.pages))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if !strings.Contains(string(text), "Waiting for their customers") {
		t.Errorf("%s", text)
	}
}
