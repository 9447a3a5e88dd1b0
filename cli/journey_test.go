package cli

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/vt"

	"msbundle/sandbox"
	"msbundle/ui"
)

// terminal is a screen with keys, whatever is behind it.
type terminal interface {
	press(key string)
	screen() string
	pause()
}

// expect waits until all words are on the screen.
func expect(t *testing.T, on terminal, words ...string) string {
	t.Helper()
	for range 600 {
		s := on.screen()
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s, w) }) {
			return s
		}
		on.pause()
	}
	t.Fatalf("the screen does not show %q:\n%s", words, on.screen())
	return ""
}

// journey takes the wizard from its start to the result by keys alone, the way
// the README tells it. approve types the code into the sign-in page.
func journey(t *testing.T, on terminal, approve func(code string)) {
	t.Helper()
	expect := func(words ...string) string {
		t.Helper()
		return expect(t, on, words...)
	}

	press := func(keys ...string) {
		for _, k := range keys {
			on.press(k)
		}
	}
	expect("New setup", "REHEARSAL")
	press("enter")
	expect("Select integrations")
	press("down", "space", "down", "space", "down", "space", "down", "space")
	expect("[✓] Microsoft Exchange Online", "[✓] Microsoft CSP", "[✓] Microsoft Azure", "[✓] Subscription triggers")
	press("enter")
	expect("App registration", "Rewst Integration")
	press("enter")
	expect("Permissions", "of 400")
	press("s")
	expect("3,730 of 3,850", "304 of 400")
	press("enter")
	expect("Authorize", "enter authorize")
	press("enter")
	signIn := func(words ...string) {
		t.Helper()
		code := codeOnScreen.FindStringSubmatch(expect(append(words, "Enter this code")...))
		if code == nil {
			t.Fatalf("no code on a line of its own:\n%s", on.screen())
		}
		approve(code[1])
	}
	signIn("Microsoft Graph Command Line Tools")
	signIn("Preflight › Sign in", "Microsoft Azure CLI", "esc go on without it")
	expect("checks passed", "enter continue")
	press("enter")
	expect("150 writes to Contoso")
	press("A")
	expect("Authorised", "read back 3 times in a row", "••••")
	press("r")
	secret := secretOnScreen.FindString(expect("~"))
	if len(secret) != 40 {
		t.Errorf("the secret is not shown whole on one line:\n%s", on.screen())
	}
	press("q")
	press("y") // the rehearsal is gone with it
}

var (
	codeOnScreen   = regexp.MustCompile(`(?m)^\s+([A-Z0-9]{9})\s*$`)
	secretOnScreen = regexp.MustCompile(`\S*Q~\S*`)
)

// emulated is the wizard in this process, on an emulated terminal and in the time
// of the test.
type emulated struct {
	keys io.Writer

	mu       sync.Mutex
	emulator *vt.Emulator
}

// Write draws what the program sends, ending lines the way a terminal's driver
// does.
func (e *emulated) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, err := e.emulator.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n")))
	return len(p), err
}

var keyBytes = map[string]string{"enter": "\r", "down": "\x1b[B", "space": " "}

func (e *emulated) press(key string) {
	b, named := keyBytes[key]
	if !named {
		b = key
	}
	_, _ = io.WriteString(e.keys, b)
	e.pause()
}

func (e *emulated) screen() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.emulator.String()
}

// pause lets a second pass: longer than a frame and the grace after a screen
// changed by itself.
func (e *emulated) pause() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func TestJourneyInThisProcess(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		synctest.Test(t, func(t *testing.T) {
			w := rehearsalOf(t, sandbox.Options{Approve: sandbox.ApproveManual})
			w.checked()
			a := &app{Streams: Streams{Err: io.Discard}, env: func(string) (string, bool) { return "", false }, cloud: w.cloud, wrap: w.wrap}
			a.flags.sandbox, a.flags.stateDir, a.flags.settle = inProcess, w.state, time.Minute
			a.flags.cloudID, a.flags.auth, a.flags.color = "global", "device", "auto"
			a.flags.accessible = true // somebody is there to be asked
			if err := a.flags.check(); err != nil {
				t.Fatal(err)
			}
			defer a.close()
			cfg, err := a.wizardConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			cfg.DevicePage = "http://127.0.0.1:43211/devicelogin" // a person enters the codes
			screen := ui.New(cfg)
			in, keys := io.Pipe()
			on := &emulated{keys: keys, emulator: vt.NewEmulator(size[0], size[1])}
			defer func() { _, _ = keys.Close(), on.emulator.Close() }()
			go func() { _, _ = io.Copy(keys, on.emulator) }() // a terminal answers what it is asked
			program := tea.NewProgram(screen, tea.WithContext(t.Context()), tea.WithoutSignalHandler(), tea.WithInput(in), tea.WithOutput(on),
				tea.WithWindowSize(size[0], size[1]), tea.WithColorProfile(colorprofile.TrueColor), tea.WithEnvironment([]string{"TERM=xterm-256color"}))
			ended := make(chan error, 1)
			go func() { _, err := program.Run(); ended <- err }()

			journey(t, on, func(code string) {
				if err := w.cloud.Approve(code, w.cloud.Tenant().Admin); err != nil {
					t.Error(err)
				}
			})
			if err := <-ended; err != nil {
				t.Error(err)
			}
			screen.Stop(time.Minute)
			const line = "msbundle sign-in (rehearsal): open http://"
			if left := on.screen(); strings.Count(left, line) != 1 {
				t.Errorf("the last code alone is to be on the terminal's normal screen:\n%s", left)
			}
			if _, err := io.WriteString(on, screen.Stale()); err != nil || strings.Contains(on.screen(), line) {
				t.Errorf("a used code stays: %v\n%s", err, on.screen())
			}
			if screen.Outcome() != ui.Done {
				t.Errorf("the wizard ended as %v", screen.Outcome())
			}
			checkOwned(t, w.cloud.Digest().Tenants["Contoso"])
		})
	}
}

// inTmux is the built program in a real terminal.
type inTmux struct {
	t      *testing.T
	socket string
}

func (x *inTmux) tmux(args ...string) string {
	out, err := exec.Command("tmux", append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (x *inTmux) press(key string) {
	names := map[string]string{"enter": "Enter", "down": "Down", "space": "Space"}
	if n, ok := names[key]; ok {
		key = n
	}
	// Keys are ignored for a moment after a screen has changed by itself, and it says
	// so; a person presses again.
	before := x.screen()
	for range 3 {
		x.tmux("send-keys", key)
		for range 20 {
			if now := x.screen(); now != before && !strings.Contains(now, "that key was not taken") {
				return
			}
			x.pause()
		}
	}
}

func (x *inTmux) screen() string { return x.tmux("capture-pane", "-p") }

func (x *inTmux) pause() { time.Sleep(25 * time.Millisecond) }

func TestJourneyInTmux(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	k := newKiller(t)
	for _, size := range [][2]string{{"80", "24"}, {"120", "40"}} {
		t.Run(size[0]+"x"+size[1], func(t *testing.T) {
			x := &inTmux{t, filepath.Join(t.TempDir(), "s")}
			status := filepath.Join(t.TempDir(), "status")
			x.tmux("-f", os.DevNull, "new-session", "-d", "-x", size[0], "-y", size[1],
				"env -u CI LANG=C.UTF-8 "+k.binary+" --sandbox --approve manual --interval 1s; echo $? > "+status+"; sleep 600")
			defer func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() }()
			journey(t, x, func(code string) {
				page := regexp.MustCompile(`http://\S+/devicelogin`).FindString(x.screen())
				submit(t, page, url.Values{"user_code": {code}, "account": {"admin@contoso.onmicrosoft.com"}})
			})
			for range 400 {
				if text, err := os.ReadFile(status); err == nil && strings.TrimSpace(string(text)) != "" {
					if got := strings.TrimSpace(string(text)); got != "0" {
						t.Errorf("exit code: got %s, want 0\n%s", got, x.screen())
					}
					return
				}
				x.pause()
			}
			t.Errorf("the program did not end:\n%s", x.screen())
		})
	}
}

// submit fills in the sandbox's sign-in page the way a browser does.
func submit(t *testing.T, page string, form url.Values) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(body), "You have signed in") {
		t.Fatalf("the page did not take the code: %v\n%s", err, body)
	}
}
