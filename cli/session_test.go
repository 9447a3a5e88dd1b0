package cli

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zalando/go-keyring"

	"msbundle/sandbox"
)

// kept reads the files of the world's remembered sign-ins, the empty lock apart.
func (w *world) kept() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	dir := filepath.Join(w.state, w.identity().Cloud, "sign-ins")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			w.t.Fatal(err)
		}
		if len(data) > 0 {
			out[e.Name()] = string(data)
		}
	}
	return out
}

// says fails the test unless stderr has these words.
func (r ran) says(t *testing.T, words ...string) ran {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(r.err, word) {
			t.Errorf("stderr does not say %q:\n%s", word, r.err)
		}
	}
	return r
}

func TestRememberedUnderAPassphrase(t *testing.T) {
	const canary = "canaryinthemine"
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Canary: canary})
		w.vars[passphraseVar] = "correct horse"
		w.run("whoami").must(t, exitNoSignIn)
		if files, err := os.ReadDir(w.state); len(files) > 0 || err != nil {
			t.Errorf("asking who is signed in wrote %v, %v", files, err)
		}
		w.run("login").must(t, exitDone).says(t, "is remembered: encrypted in "+w.state, "under a passphrase", "logout")
		good := w.kept()
		if len(good) != 2 {
			t.Errorf("kept in %d files", len(good))
		}
		for name, data := range good {
			for _, word := range []string{canary, "admin@contoso", "correct horse", "SECRET"} {
				if strings.Contains(data, word) {
					t.Errorf("%s holds %q in clear", name, word)
				}
			}
		}
		w.run("whoami").must(t, exitDone)

		// Another passphrase, or none: the files stay, and the run says what to do.
		w.vars[passphraseVar] = "wrong"
		for _, args := range [][]string{{"whoami"}, {"login"}, {"plan", "-f", ownedCSP}} {
			w.run(args...).must(t, exitUsage).says(t, "the passphrase is another one", passphraseVar, "msbundle logout")
		}
		delete(w.vars, passphraseVar)
		w.run("whoami").must(t, exitNoSignIn).says(t, passphraseVar)
		w.run("plan", "-f", ownedCSP).must(t, exitChanges).says(t, passphraseVar, "Signed in as")
		w.run("login", "--remember").must(t, exitUsage).says(t, passphraseVar)
		if diff := cmp.Diff(good, w.kept()); diff != "" {
			t.Errorf("the files were changed:\n%s", diff)
		}

		// A damaged file: said, kept, and a new sign-in takes its place.
		w.vars[passphraseVar] = "correct horse"
		w.run("whoami").must(t, exitDone)
		name := ""
		for n := range good {
			if strings.HasSuffix(n, ".age") {
				name = n
			}
		}
		damaged := good[name][:len(good[name])-3]
		if err := os.WriteFile(filepath.Join(w.state, w.identity().Cloud, "sign-ins", name), []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		w.run("whoami").must(t, exitNoSignIn).says(t, name+": ", "damaged", "login --remember")
		if w.kept()[name] != damaged {
			t.Error("the damaged file was changed")
		}
		w.run("plan", "-f", ownedCSP).must(t, exitChanges).says(t, "damaged", "Signed in as")
		if w.kept()[name+".unreadable"] != damaged {
			t.Error("the damaged file is lost")
		}
		w.run("whoami").must(t, exitDone)

		r := w.run("logout", "--json").must(t, exitDone).says(t, "is forgotten")
		if doc := decode[map[string]any](t, r); doc["schema"] != logoutSchema || doc["forgotten"] != true {
			t.Errorf("got %v", doc)
		}
		if files := w.kept(); len(files) > 0 {
			t.Errorf("%d files left behind", len(files))
		}
		w.run("logout").must(t, exitDone).says(t, "No sign-in was remembered")
		w.run("whoami").must(t, exitNoSignIn)
	})
}

// A folder that cannot be used is told before anybody signs in. What goes wrong
// later is told at the end, and the rest is done.
func TestASignInThatCannotBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.vars[passphraseVar] = "correct horse"
		dir := filepath.Join(w.state, w.identity().Cloud, "sign-ins")
		if err := errors.Join(os.MkdirAll(filepath.Dir(dir), 0o700), os.WriteFile(dir, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		w.run("login").must(t, exitFailed).says(t, dir+": ")
		if n := w.starts(); n > 0 {
			t.Errorf("%d sign-ins were begun in vain", n)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
					t.Error(err)
				}
				return next.RoundTrip(r)
			})
		}
		r := w.run("login").must(t, exitFailed).says(t, "is not remembered: "+w.state)
		if !strings.Contains(r.out, "a member of Contoso") || strings.Contains(r.err, "is remembered:") {
			t.Errorf("stdout:\n%s\nstderr:\n%s", r.out, r.err)
		}
	})
}

// A rehearsal in this process leaves the machine's keyring alone, and one whose
// folder goes with it remembers nothing.
func TestARehearsalsSignIn(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	keyring.MockInitWithError(errors.New("the keyring was asked"))
	t.Cleanup(keyring.MockInit)
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.run("login", "--remember", "--no-input").must(t, exitUsage).says(t, passphraseVar, "does not use the keyring")
		if n := w.starts(); n > 0 {
			t.Errorf("%d sign-ins were begun in vain", n)
		}
		w.run("login", "--no-input").must(t, exitDone).says(t, "not remembered", "--remember")
		w.vars["MSBUNDLE_REMEMBER"] = "true"
		w.run("plan", "-f", ownedCSP).must(t, exitUsage).says(t, passphraseVar)

		var out, stderr lockedBuffer
		a := &app{
			Streams: Streams{In: strings.NewReader("y\n"), Out: &out, Err: &stderr}, cloud: w.cloud,
			env: func(string) (string, bool) { return "", false },
		}
		code := a.run(t.Context(), []string{"login", "--sandbox", "--accessible"})
		r := ran{code, out.String(), stderr.String()}
		if r.must(t, exitDone).says(t, "not remembered", "--state-dir"); strings.Contains(r.err, "[y/N]") {
			t.Errorf("a question whose answer changes nothing:\n%s", r.err)
		}
	})
}

// Against a running sandbox a rehearsal uses the keyring as in earnest.
func TestRememberedInTheKeyring(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	keyring.MockInit()
	t.Cleanup(keyring.MockInit)
	w := rehearsalOf(t, sandbox.Options{Interval: time.Millisecond})
	cloud, url := serve(t, sandbox.Options{Approve: sandbox.ApproveNow, Interval: time.Millisecond})
	w.cloud = cloud
	there := "--sandbox=" + url
	w.run("login", "--remember", "--no-input", there).must(t, exitDone).says(t, "is remembered: encrypted in "+w.state, "keyring")
	if files := w.kept(); len(files) != 1 {
		t.Errorf("kept in %d files", len(files))
	}
	begun := w.starts()
	w.run("whoami", there).must(t, exitDone)
	w.run("plan", "-f", ownedCSP, there).must(t, exitChanges).says(t, "Using the remembered sign-in")
	if n := w.starts(); n != begun {
		t.Errorf("%d more sign-ins", n-begun)
	}
	w.run("whoami").must(t, exitNoSignIn).says(t, "a rehearsal in this process does not use the keyring")

	// The key is lost: said, nothing is changed, and a new sign-in takes its place.
	keyring.MockInit()
	good := w.kept()
	const lost = "its key is not in this machine's keyring any more"
	w.run("whoami", there).must(t, exitNoSignIn).says(t, lost, "login --remember")
	w.run("plan", "-f", ownedCSP, there).must(t, exitChanges).says(t, lost, "Signed in as")
	if diff := cmp.Diff(good, w.kept()); diff != "" {
		t.Errorf("the files were changed:\n%s", diff)
	}
	w.run("login", "--remember", "--no-input", there).must(t, exitDone).says(t, lost, "is remembered: encrypted")
	w.run("whoami", there).must(t, exitDone)
	w.run("logout", there).must(t, exitDone).says(t, "its key in this machine's keyring")
	w.run("whoami", there).must(t, exitNoSignIn)

	w.run("login", "--remember", "--no-input", there).must(t, exitDone)
	keyring.MockInitWithError(errors.New("failed to unlock"))
	good = w.kept()
	w.run("whoami", there).must(t, exitNoSignIn).says(t, "keyring cannot be used", "unlock it", "login --remember")
	if r := w.run("login", "--remember", "--no-input", there).must(t, exitUsage).says(t, "unlock it", passphraseVar); strings.Contains(r.err, "takes its place") {
		t.Errorf("what may still be opened is given up:\n%s", r.err)
	}
	if diff := cmp.Diff(good, w.kept()); diff != "" {
		t.Errorf("the files were changed:\n%s", diff)
	}
	if r := w.run("logout", there).must(t, exitFailed).says(t, "forgotten", "keyring"); len(w.kept()) > 0 {
		t.Errorf("%d files left behind\n%s", len(w.kept()), r.err)
	}
}

// Through a pipe that --accessible allows there is a question too; its end is a no.
func TestAskedThroughAPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, input := range []string{"", "n\n", "yes\nmore"} {
			w := rehearsalOf(t, sandbox.Options{})
			var out, stderr lockedBuffer
			a := &app{
				Streams: Streams{In: strings.NewReader(input), Out: &out, Err: &stderr}, cloud: w.cloud,
				env: func(string) (string, bool) { return "", false },
			}
			code := a.run(t.Context(), []string{"login", "--sandbox", "--accessible", "--state-dir", w.state})
			r := ran{code, out.String(), stderr.String()}
			if input == "yes\nmore" { // there is no way to type a passphrase unseen
				r.must(t, exitUsage).says(t, passphraseVar)
				continue
			}
			r.must(t, exitDone).says(t, "[y/N]", "not remembered")
		}
	})
}
