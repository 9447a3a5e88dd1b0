//go:build !windows

package cli

import (
	"context"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/creack/pty"

	"msbundle/sandbox"
)

// typist is a person at a terminal.
type typist struct {
	t    *testing.T
	keys *os.File
	tty  *os.File
	rest *term.State // of the terminal when nobody asks for a passphrase
	seen lockedBuffer
	from int // what was waited for already
}

func newTypist(t *testing.T) *typist {
	t.Helper()
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	rest, err := term.GetState(tty.Fd())
	if err != nil {
		t.Fatal(err)
	}
	p := &typist{t: t, keys: keys, tty: tty, rest: rest}
	go func() {
		b := make([]byte, 1024)
		for {
			n, err := keys.Read(b)
			_, _ = p.seen.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_, _ = keys.WriteString("\n") // for a reader that was left behind
		_ = tty.Close()
		_ = keys.Close()
	})
	return p
}

// sees waits until the terminal shows something new.
func (p *typist) sees(text string) {
	p.t.Helper()
	for range 5000 {
		if i := strings.Index(p.seen.String()[p.from:], text); i >= 0 {
			p.from += i + len(text)
			return
		}
		time.Sleep(time.Millisecond)
	}
	p.t.Fatalf("the terminal never showed %q:\n%s", text, p.seen.String())
}

// types answers a question.
func (p *typist) types(question, answer string) {
	p.t.Helper()
	p.sees(question)
	if _, err := p.keys.WriteString(answer + "\n"); err != nil {
		p.t.Fatal(err)
	}
}

// hides answers a question whose answer must not show.
func (p *typist) hides(question, answer string) {
	p.t.Helper()
	p.sees(question)
	for range 5000 { // the question comes just before
		if !p.atRest() {
			p.types("", answer)
			return
		}
		time.Sleep(time.Millisecond)
	}
	p.t.Fatalf("the answer would show:\n%s", p.seen.String())
}

// atRest tells whether the terminal is as it was at first.
func (p *typist) atRest() bool {
	p.t.Helper()
	now, err := term.GetState(p.tty.Fd())
	if err != nil {
		p.t.Fatal(err)
	}
	return reflect.DeepEqual(now, p.rest)
}

// begin carries out a command line at the terminal. finish waits for its end.
func (p *typist) begin(ctx context.Context, w *world, args ...string) (finish func() int) {
	a := &app{
		Streams: Streams{In: p.tty, Out: p.tty, Err: p.tty}, cloud: w.cloud,
		env: func(k string) (string, bool) { v, ok := w.vars[k]; return v, ok },
	}
	code := make(chan int, 1)
	go func() { code <- a.run(ctx, append(args, "--sandbox", "--state-dir", w.state)) }()
	return func() int {
		p.t.Helper()
		select {
		case got := <-code:
			return got
		case <-time.After(10 * time.Second):
			p.t.Fatalf("no end:\n%s", p.seen.String())
			return 0
		}
	}
}

func TestAskedAtATerminal(t *testing.T) {
	t.Parallel()
	const ask, first, second = "on this machine? [y/N] ", "Passphrase to remember the sign-in under", "The same again: "
	const unlock = "Passphrase of the remembered sign-in"
	w := rehearsalOf(t, sandbox.Options{Interval: time.Millisecond})
	var p *typist
	ctx := t.Context()
	story := func(want int, person func(), args ...string) {
		t.Helper()
		p = newTypist(t) // a run may leave a reader behind at its terminal
		finish := p.begin(ctx, w, args...)
		person()
		if got := finish(); got != want {
			t.Fatalf("%v: exit code %d, want %d\n%s", args, got, want, p.seen.String())
		}
		for _, word := range []string{"correct", "wrong"} {
			if strings.Contains(p.seen.String(), word) {
				t.Errorf("a passphrase shows:\n%s", p.seen.String())
			}
		}
	}
	story(exitDone, func() {
		p.types(ask, "n")
		p.sees("is not remembered")
	}, "login")
	story(exitDone, func() {
		p.types(ask, "y")
		p.hides(first, "")
		p.sees("is not remembered")
	}, "login")
	if files := w.kept(); len(files) > 0 {
		t.Errorf("nobody agreed, and it is kept in %d files", len(files))
	}
	story(exitDone, func() {
		p.types(ask, "y")
		p.sees("does not use the keyring")
		p.hides(first, "correct horse")
		p.hides(second, "correct house")
		p.sees("not the same")
		p.hides(first, "correct horse")
		p.hides(second, "correct horse")
		p.sees("is remembered: encrypted")
	}, "login")
	story(exitDone, func() {
		p.hides(unlock, "wrong horse")
		p.sees("not the passphrase")
		p.hides(unlock, "correct horse")
		p.sees("a member of Contoso")
	}, "whoami")
	story(exitChanges, func() {
		p.hides(unlock, "correct horse")
		p.sees("Using the remembered sign-in")
	}, "plan", "-f", ownedCSP)
	story(exitChanges, func() {
		p.hides(unlock, "")
		p.sees("does without")
		p.sees("Signed in as")
	}, "plan", "-f", ownedCSP)
	story(exitNoSignIn, func() {
		for range 3 {
			p.hides(unlock, "wrong horse")
		}
		p.sees("does without")
	}, "whoami")
	story(exitNoSignIn, func() { p.sees(passphraseVar) }, "whoami", "--no-input")

	// Stopped in the middle of a question, the terminal shows again what is typed.
	interrupted, stop := context.WithCancel(t.Context())
	ctx = interrupted
	story(exitInterrupted, func() {
		p.sees(unlock)
		for p.atRest() {
			time.Sleep(time.Millisecond)
		}
		stop()
	}, "whoami")
	if !p.atRest() {
		t.Error("the terminal was left as it was for a passphrase")
	}
}
