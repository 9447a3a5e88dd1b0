package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestSignInInTmux looks at the sign-in the way somebody does who came here
// through ssh: in a real terminal of 80 by 24, with no display and no browser.
func TestSignInInTmux(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	k := newKiller(t)
	for _, how := range []string{"left", "killed"} {
		t.Run(how, func(t *testing.T) {
			x := &inTmux{t, filepath.Join(t.TempDir(), "s")}
			pid := filepath.Join(t.TempDir(), "pid")
			// The wizard's own screen is left by hand where it could not do that itself.
			x.tmux("-f", os.DevNull, "new-session", "-d", "-x", "80", "-y", "24",
				"sh -c 'echo $$ > "+pid+"; exec env -u CI -u DISPLAY -u WAYLAND_DISPLAY LANG=C.UTF-8 "+k.binary+" --sandbox --approve manual --interval 1s'; "+
					"printf '\\033[?1049lended\\n'; sleep 600")
			defer func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() }()
			x.tmux("set-option", "-g", "set-clipboard", "on")
			for _, page := range []string{"New setup", "Select integrations", "App registration", "Permissions", "Sign in with"} {
				x.expect(page)
				x.press("enter")
			}
			screen := x.expect("Enter this code", "Only enter this code if you started this sign-in yourself.", "New code in")
			code := codeOnScreen.FindStringSubmatch(screen)
			if code == nil {
				t.Fatalf("no code on a line of its own:\n%s", screen)
			}
			// Keys rest for a moment after the code came by itself, and the screen moves
			// anyway: whether one was taken shows in what it does.
			const taken = "Sent the code to the terminal's clipboard."
			for range 100 {
				if strings.Contains(x.screen(), taken) {
					break
				}
				x.tmux("send-keys", "c")
				x.pause()
			}
			x.expect(taken)
			if got := x.tmux("show-buffer"); got != code[1] {
				t.Errorf("got %q in the clipboard want %q", got, code[1])
			}
			if how == "left" {
				x.tmux("send-keys", "C-c")
			} else {
				text, err := os.ReadFile(pid)
				if err != nil {
					t.Fatal(err)
				}
				n, err := strconv.Atoi(strings.TrimSpace(string(text)))
				if err != nil {
					t.Fatal(err)
				}
				process, err := os.FindProcess(n)
				if err != nil {
					t.Fatal(err)
				}
				if err := process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			x.expect("ended")
			left := x.tmux("capture-pane", "-p", "-J", "-S", "-")
			if want := "msbundle sign-in (rehearsal): open http://127.0.0.1:"; !strings.Contains(left, want) || !strings.Contains(left, "/devicelogin and enter "+code[1]+" (valid until ") {
				t.Errorf("what is left on the terminal does not tell the code %s:\n%s", code[1], left)
			}
			if strings.Contains(left, "New code in") {
				t.Errorf("the wizard's own screen is left on the terminal:\n%s", left)
			}
		})
	}
}

// expect waits until all words are on the screen.
func (x *inTmux) expect(words ...string) string {
	x.t.Helper()
	return expect(x.t, x, words...)
}
