package ui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"

	"msbundle/state"
	"msbundle/steps"
)

// talk is a person and the wizard in lines, in a bubble of fake time.
type talk struct {
	t     *testing.T
	f     *fake
	l     *Lines
	in    chan string
	stop  context.CancelFunc
	ended chan struct{}

	mu    sync.Mutex
	said  bytes.Buffer
	heard int // how much of what was said the test has looked at

	nasty bool // names are as long as they like
}

// talking runs a conversation. set may change the fake, the configuration and the
// console first.
func talking(t *testing.T, set func(*fake, *Config, *Console), tale func(*talk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		x := &talk{t: t, f: newFake(), in: make(chan string), ended: make(chan struct{})}
		cfg := Config{
			Undo: "msbundle undo", Invitations: "msbundle invitations",
			Again: func(file string, a state.Answers) string {
				return "msbundle apply -f " + file + map[bool]string{true: " --password-out password.txt"}[a.Ready()]
			},
			Setup: x.f, Answers: state.DefaultAnswers(), Methods: x.f.methods,
			Now:    func() time.Time { return epoch.Add(time.Since(begin)) },
			Tunnel: func(int) string { return "ssh -N -L 43211:127.0.0.1:43211 alex@server" },
		}
		con := Console{Line: x.line, Out: x, Keyboard: true}
		if set != nil {
			set(x.f, &cfg, &con)
		}
		x.l = NewLines(cfg, con)
		var ctx context.Context
		ctx, x.stop = context.WithCancel(context.Background())
		go func() {
			defer close(x.ended)
			x.l.Run(ctx)
		}()
		defer func() {
			x.stop()
			<-x.ended
			x.look()
		}()
		synctest.Wait()
		tale(x)
	})
}

func (x *talk) line(ctx context.Context) (string, error) {
	select {
	case text, more := <-x.in:
		if !more {
			return "", io.EOF
		}
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (x *talk) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.said.Write(p)
}

// types types lines, one after the other.
func (x *talk) types(lines ...string) {
	x.t.Helper()
	for _, text := range lines {
		x.heard = len(x.all())
		if x.l.con.Keyboard { // a terminal shows what is typed, and the Enter behind it
			_, _ = x.Write([]byte("\n"))
		}
		select {
		case x.in <- text:
		default:
			x.t.Fatalf("nobody waits for %q:\n%s", text, x.all())
		}
		synctest.Wait()
	}
}

func (x *talk) all() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.said.String()
}

// last is what was said since the last line was typed, without line breaks.
func (x *talk) last() string { return strings.Join(strings.Fields(x.all()[x.heard:]), " ") }

func (x *talk) hears(texts ...string) {
	x.t.Helper()
	for _, want := range texts {
		if !strings.Contains(x.last(), want) {
			x.t.Fatalf("not said: %q\n%s", want, x.all()[x.heard:])
		}
	}
}

func (x *talk) misses(text string) {
	x.t.Helper()
	if strings.Contains(x.last(), text) {
		x.t.Fatalf("said: %q\n%s", text, x.all()[x.heard:])
	}
}

// pass lets time go by.
func (x *talk) pass(d time.Duration) {
	x.heard = len(x.all())
	time.Sleep(d)
	synctest.Wait()
}

// leaves fails unless the wizard has ended, and so.
func (x *talk) leaves(want Outcome) {
	x.t.Helper()
	select {
	case <-x.ended:
	default:
		x.t.Fatalf("the wizard still runs:\n%s", x.all()[x.heard:])
	}
	if got := x.l.Outcome(); got != want {
		x.t.Fatalf("outcome: got %d want %d\n%s", got, want, x.all()[x.heard:])
	}
}

// look holds all that was said against what plain lines may hold.
func (x *talk) look() {
	x.t.Helper()
	if bad := dangerous.FindString(x.all()); bad != "" {
		x.t.Errorf("said %q:\n%q", bad, x.all())
	}
	if x.nasty {
		return
	}
	for l := range strings.SplitSeq(x.all(), "\n") {
		if ansi.StringWidth(l) > plainWidth && !unbreakable(l) {
			x.t.Errorf("a line of %d columns: %q", ansi.StringWidth(l), l)
		}
	}
}

// unbreakable tells of lines that are to be copied whole.
func unbreakable(l string) bool {
	return !strings.Contains(l, " ") || strings.HasPrefix(l, "ssh ") || strings.HasPrefix(l, "msbundle apply ") || strings.HasPrefix(l, "Multifactor authentication: ")
}

// The ways through the questions, with the answers that are offered.

func (x *talk) toIntegrations() { x.types("1") }
func (x *talk) toRegistration() { x.toIntegrations(); x.types("") }
func (x *talk) toPermissions()  { x.toRegistration(); x.types("", "", "", "", "") }
func (x *talk) toAccount()      { x.toPermissions(); x.types("") }
func (x *talk) toAuthorize()    { x.toAccount(); x.types("", "", "") }
func (x *talk) toSignIn()       { x.toAuthorize(); x.types("yes") }
func (x *talk) toPlan()         { x.toSignIn(); x.types("") }
func (x *talk) toApply()        { x.toPlan(); x.types("", "yes") }

func waitsInLines(f *fake, _ *Config, _ *Console) { f.signIn = make(chan error) }

func TestLinesFirstTimeSetup(t *testing.T) {
	talking(t, nil, func(x *talk) {
		x.hears("What do you want to do?", "1. New setup.", "2. Service account.", "3. GDAP.", "4. Customers.", "Type a number from 1 to 5, or press Enter for 1:")
		x.types("1")
		x.hears("Select integrations, step 1 of 9", "2. Microsoft Exchange Online: not chosen.")
		x.types("2, 3")
		x.hears("Microsoft Exchange Online: chosen.", "Microsoft CSP: chosen.")
		x.types("")
		x.hears("Authorise with:", "1. Owned app registration.")
		x.types("1", "1", "Fabrikam automation", "2")
		x.hears("https://engine.eu.rewst.io/integrations/bundles/microsoft_cloud/callback", "inferred")
		x.types("2")
		x.hears("That cannot be used:", "Microsoft CSP acts in customer tenants")
		x.types("1")
		x.hears("Permissions chosen: Recommended.", "of 3,850 characters", "of 8,000 bytes", "of 400 permissions")
		x.types("", "admin@contoso.onmicrosoft.com", "contoso.onmicrosoft.com")
		x.hears("How do you want to sign in?", "3. A browser on another computer.")
		x.types("")
		x.hears("Chosen so far:", "App: Fabrikam automation", "Sign in now? Type yes or no:")
		x.types("yes")
		x.hears("Enter this code: FJC3T9Q2W", "Letter by letter: F J C 3 T 9 Q 2 W", "Only enter this code if you started this sign-in yourself.", "Signed in as admin@contoso.onmicrosoft.com.")
		x.hears("Passed: Account. admin@contoso.onmicrosoft.com, a member of this tenant.")
		x.types("")
		x.hears("writes to Contoso. Nothing else is changed.", `1. Create app registration "Fabrikam automation". Risk moderate.`)
		x.types("")
		x.hears("Type yes to go ahead; anything else declines:")
		if len(x.f.applied) > 0 {
			t.Fatal("it was applied before the word")
		}
		x.types("yes")
		x.hears("Read back and right: 3 of 3.", "Authorised.", "Client ID: dddddddd-0000-0000-0000-000000000001", "The secret expires on 1 Sep 2028.")
		x.misses(fakeSafe)
		x.types("yes")
		x.hears("Client secret: "+fakeSafe, "Next: Paste the values in Rewst", "Press Enter to finish")
		x.types("")
		x.leaves(Done)
		if x.f.delivered != 1 {
			t.Errorf("the delivery was noted %d times, want once", x.f.delivered)
		}
		if got := x.f.saved[len(x.f.saved)-1]; got.Registration.Name != "Fabrikam automation" || got.Region != "uk" || got.Account != "admin@contoso.onmicrosoft.com" ||
			got.Tenant != "contoso.onmicrosoft.com" || strings.Join(got.Integrations, " ") != "graph exchange csp" {
			t.Errorf("saved: %+v", got)
		}
	})
}

// That the answers cannot be saved is said once.
func TestLinesCannotSave(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) { f.saveErr = errors.New("the disk is full") }, func(x *talk) {
		x.toSignIn()
		if n := strings.Count(x.all(), "could not be saved"); n != 1 {
			t.Errorf("said %d times, want once", n)
		}
	})
}

// Back leads to the question before, and what was answered stays.
func TestLinesBack(t *testing.T) {
	talking(t, nil, func(x *talk) {
		x.types("1", "5", "", "1", "1", "Fabrikam automation", "3", "", "", "", "", "", "yes")
		x.hears("Press Enter to see the plan")
		x.types("")
		for _, question := range []string{
			"checks passed", "Signed in as admin@contoso.onmicrosoft.com. Press Enter to go on", "press Enter for 1:", "Tenant.", "Account that is to sign in.",
			"Permissions chosen", "Who may use it", "or press Enter for 3:", "Press Enter for Fabrikam automation:", "Which app", "Authorise with",
			"5. Subscription triggers: chosen.", "What do you want to do?",
		} {
			x.types("back")
			x.hears(question)
		}
		x.types("BACK")
		x.hears("There is no way back from here.", "What do you want to do?")
	})
}

// At every question ? explains it, and what cannot be used is said, asked again
// and changes nothing.
func TestLinesAnyAnswer(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) { f.findings.SameName = sameNamed() }, func(x *talk) {
		for _, q := range []struct{ prompt, wrong, says, right string }{
			{"What do you want to do?", "6", "none of the numbers from 1 to 5", "1"},
			{"Choose the parts", "7 1", "numbers from 1 to 5", ""},
			{"Authorise with:", "owned", "none of the numbers", "1"},
			{"Which app:", "0", "none of the numbers", "3"},
			{"Client id of the app", "not an id", "not an application (client) id", "cccccccc-0000-0000-0000-000000000001"},
			{"Rewst region:", "us", "none of the numbers", "1"},
			{"Who may use it:", "-1", "none of the numbers", ""},
			{"Permissions chosen", "everything please", "not understood", ""},
			{"Account that is to sign in", "alex", "no user name", ""},
			{"Tenant.", "not a tenant", "neither a tenant id", ""},
			{"How do you want to sign in?", "4", "none of the numbers from 1 to 3", ""},
			{"Chosen so far", "maybe", "Only yes or no", "yes"},
			{"checks passed", "what", "not understood", ""},
			{"Nothing else is changed", "show 99", "not understood", ""},
			{"Type yes to go ahead", "?", "Only the whole word yes", "yes"},
			{"Show the client secret now?", "maybe", "Only yes or no", "yes"},
			{"Press Enter to finish", "what", "not understood", ""},
		} {
			x.hears(q.prompt)
			before := x.l.w.answers.Clone()
			x.types(q.wrong)
			x.hears(q.says)
			x.types("?")
			x.hears("quit to leave")
			if got := x.l.w.answers; got.Registration != before.Registration || len(got.Integrations) != len(before.Integrations) || got.Tenant != before.Tenant {
				t.Errorf("%s: a wrong answer changed the answers: %+v", q.prompt, got)
			}
			x.types(q.right)
		}
		x.leaves(Done)
	})
}

func TestLinesStart(t *testing.T) {
	other := newFake()
	talking(t, func(f *fake, c *Config, _ *Console) {
		f.open = []steps.Unfinished{unfinishedContoso()}
		f.resumed = state.DefaultAnswers()
		f.resumed.Registration.Name = "Fabrikam automation"
		c.Rehearse = rehearse(other)
		c.StateDir = "/home/alex/.local/state/msbundle"
	}, func(x *talk) {
		x.hears("2. Resume Contoso. Last worked on 1 Sep 2026 09:30. Left: 12 writes done", "3. Service account.", "4. GDAP.", "5. Customers.", "6. Rehearse in the sandbox.", "7. Quit.")
		x.types("6")
		x.hears("Preparing the simulated cloud.", "Select integrations, step 1 of 9, rehearsal.")
		x.types("back", "5")
		x.leaves(Left)
	})
	talking(t, func(f *fake, _ *Config, _ *Console) {
		f.open = []steps.Unfinished{unfinishedContoso()}
		f.resumed = state.DefaultAnswers()
		f.resumed.Registration.Name = "Fabrikam automation"
	}, func(x *talk) {
		x.types("2")
		x.hears("Authorize, step 4 of 9.", "Account that is to sign in.")
		x.types("", "", "")
		x.hears("App: Fabrikam automation")
		x.types("quit")
		x.leaves(Left)
		x.hears("Nothing was changed.")
	})
}

func TestLinesPermissions(t *testing.T) {
	talking(t, func(_ *fake, c *Config, _ *Console) { everything(&c.Answers) }, func(x *talk) {
		x.toPermissions()
		x.types("")
		x.hears("too long for Microsoft Graph.", "a chosen ReadWrite covers them:", ", covered by ", "Leave them out? Type yes or no:")
		x.types("no")
		x.hears("They stay.")
		x.types("", "yes")
		x.hears("that others cover.")
		x.types("2")
		x.hears("Required and recommended permissions are chosen.", "Permissions chosen: Recommended.")
		x.types("find nothing of the kind")
		x.hears("Nothing found with nothing of the kind.")
		x.types("find AccessReview")
		x.hears("Found 2 permissions with AccessReview:", "1. AccessReview.Read.All of Microsoft Graph: delegated not chosen, application not chosen.")
		x.types("add 1/delegated")
		x.hears("AccessReview.Read.All of Microsoft Graph: delegated chosen, application not chosen.")
		x.types("add AccessReview.Read.All")
		x.hears("delegated chosen, application chosen.")
		x.types("show accessreview.read.all")
		x.hears("Delegated: risk", "Actions that rely on it will fail")
		x.types("remove 1")
		x.hears("delegated not chosen, application not chosen.")
		x.types("remove 99")
		x.hears("No permission was found with that number.")
		x.types("add Nothing.Read.All")
		x.hears("There is no permission called Nothing.Read.All")
		x.types("find minimum")
		x.types("remove 1")
		x.hears("is required.")
		x.types("find recommended")
		x.types("remove 1")
		x.hears("Rewst's own check refuses an app without it", "Type yes or no:")
		x.types("no")
		x.hears("stays.")
		if n := len(x.l.w.answers.Permissions.Remove); n > 0 {
			t.Errorf("%d permissions were left out without a yes", n)
		}
		x.types("remove 1", "yes")
		x.hears("not chosen")
		if n := len(x.l.w.answers.Permissions.Remove); n == 0 {
			t.Error("nothing was left out")
		}
		x.types("")
		x.hears("Account that is to sign in")
	})
}
