package cli

import (
	"bytes"
	"context"
	"flag"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

var update = flag.Bool("update", false, "write golden files")

// wholeSetup is the owned-app journey as answers to one question after the other.
var wholeSetup = []string{
	"1",       // new setup
	"2 3 4 5", // every part of the bundle
	"",        // go on
	"1", "1",  // an app of one's own, a new one
	"",       // its name
	"1", "1", // region, and who may use it
	"3", "", // all stock permissions
	"", "", "1", // account, tenant, and a code to sign in
	"yes", // sign in
	"",    // past the checks
	"",    // past the plan
	"yes", // write
	"yes", // show the secret
}

// resumed takes up what was left.
var resumed = []string{
	"2",         // resume Contoso
	"", "", "1", // account, tenant, and a code to sign in
	"yes", "", "", "yes", "yes",
}

// lines runs the wizard in lines with all its answers in a pipe.
func (w *world) lines(in io.Reader, args ...string) ran {
	w.t.Helper()
	w.in = in
	return w.run(args...)
}

// answered is a pipe with these answers, and nothing after them.
func answered(lines ...string) io.Reader {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	return strings.NewReader(b.String())
}

// plainText fails where lines hold something that is none of plain lines: what
// acts on a terminal, or more than 80 columns of what is not to be copied whole.
func plainText(t *testing.T, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 }); i >= 0 {
		t.Errorf("said %q:\n%s", text[i], text)
	}
	for l := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(l, "msbundle apply ") || !strings.Contains(l, " ") {
			continue
		}
		if n := ansi.StringWidth(l); n > 80 {
			t.Errorf("a line of %d columns: %q", n, l)
		}
	}
}

// changing is what is another in every run.
var changing = []struct {
	what *regexp.Regexp
	word string
}{
	{regexp.MustCompile(`(?m)^\S+Q~\S+$`), "[secret]"},
	{regexp.MustCompile(`(?m)^/\S+/setup\.yaml$`), "[file]"},
	{regexp.MustCompile(`(?s)kept\s+in\s+\S+;`), "kept in [folder];"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "[id]"},
	{regexp.MustCompile(`(?m)^[A-Z0-9]{9}$`), "[code]"},
	{regexp.MustCompile(`(?m)^Letter by letter: ([A-Z0-9] ){8}[A-Z0-9]$`), "Letter by letter: [code]"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d`), "[date]"},
	{regexp.MustCompile(`\d{1,2} [A-Z][a-z]{2} \d{4}`), "[date]"},
}

func TestLinesTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		r := w.lines(answered(wholeSetup...), "--accessible").must(t, exitDone)
		plainText(t, r.out)
		checkOwned(t, w.cloud.Digest().Tenants["Contoso"])
		if n := len(regexp.MustCompile(`\S*Q~\S*`).FindAllString(r.out, -1)); n != 1 {
			t.Errorf("the secret was shown %d times, want once", n)
		}
		got := r.out
		for _, c := range changing {
			got = c.what.ReplaceAllString(got, c.word)
		}
		path := filepath.Join("testdata", "lines.golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("the transcript differs (-want +got); refresh with go test ./cli -run Transcript -update:\n%s", diff)
		}
	})
}

// Wherever the input ends, nothing is written that was not agreed to before.
func TestLinesCutAfterEveryAnswer(t *testing.T) {
	secret := regexp.MustCompile(`\S*Q~\S*`)
	agreed := len(wholeSetup) - 2
	if wholeSetup[agreed] != "yes" || wholeSetup[agreed-1] != "" {
		t.Fatal("the word is not where this test looks for it")
	}
	for n := range wholeSetup {
		synctest.Test(t, func(t *testing.T) {
			w := rehearsalOf(t, sandbox.Options{})
			w.checked()
			r := w.lines(answered(wholeSetup[:n]...), "--accessible").must(t, exitUsage)
			plainText(t, r.out)
			if !strings.Contains(r.out, "The input has ended") {
				t.Errorf("after %d answers it is not said that the input has ended:\n%s", n, r.out)
			}
			if found := secret.FindString(r.out); found != "" {
				t.Errorf("after %d answers the secret was shown", n)
			}
			if n <= agreed {
				if got := w.writes(); len(got) > 0 {
					t.Errorf("after %d answers it was written: %v", n, got)
				}
				return
			}
			checkOwned(t, w.cloud.Digest().Tenants["Contoso"])
			if !strings.Contains(r.out, "The client secret was neither shown nor copied. The next run replaces it.") {
				t.Errorf("it is not said that the secret is lost:\n%s", r.out)
			}
		})
	}
}

// A half-typed word is none.
func TestLinesCutInsideTheWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		begin := strings.Join(wholeSetup[:len(wholeSetup)-2], "\n")
		w.lines(strings.NewReader(begin+"\nye"), "--accessible").must(t, exitUsage)
		if got := w.writes(); len(got) > 0 {
			t.Errorf("it was written: %v", got)
		}
	})
}

// Answers in disorder, by the engine and the simulated tenant: nothing is written
// unless the word was typed at the question for it.
func TestLinesInDisorder(t *testing.T) {
	wrote := 0
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 5))
			w := rehearsalOf(t, sandbox.Options{})
			typed := slices.Clone(wholeSetup)
			for range r.IntN(4) {
				at := r.IntN(len(typed))
				if r.IntN(2) == 0 { // where it matters
					at = len(typed) - 1 - r.IntN(4)
				}
				switch word := []string{"", "yes", "no", "y", "back", "1", "again", "n", "show 3", "\x1b[2J"}[r.IntN(10)]; r.IntN(3) {
				case 0:
					typed = slices.Delete(typed, at, at+1)
				case 1:
					typed = slices.Insert(typed, at, word)
				default:
					typed[at] = word
				}
			}
			var out lockedBuffer
			a := w.app(answered(typed...), &out, io.Discard)
			a.run(t.Context(), []string{"--accessible", "--sandbox", "--state-dir", w.state})
			for _, err := a.line(t.Context()); err == nil; _, err = a.line(t.Context()) { // nobody took the rest
			}
			plainText(t, out.String())
			if n := len(w.writes()); n > 0 {
				wrote++
				if !strings.Contains(out.String(), "anything else declines: yes\n") {
					t.Errorf("%q: %d writes without the word:\n%s", typed, n, out.String())
				}
			}
		})
	}
	if wrote == 0 || wrote == 30 {
		t.Errorf("%d of 30 wrote: this tells nothing", wrote)
	}
}

// What the person calls for, the environment asks for, and a terminal that can do
// no more: each gets plain lines; nobody to ask gets none.
func TestLinesChosen(t *testing.T) {
	for _, c := range []struct {
		name  string
		vars  map[string]string
		args  []string
		lines bool
	}{
		{"asked for", nil, []string{"--accessible"}, true},
		{"by its variable", map[string]string{"MSBUNDLE_ACCESSIBLE": "1"}, nil, true},
		{"by everybody's", map[string]string{"ACCESSIBLE": "yes"}, nil, true},
		{"dumb terminal", map[string]string{"TERM": "dumb"}, nil, true},
		{"a pipe alone", map[string]string{"TERM": "xterm-256color"}, nil, false},
		{"nobody to ask", nil, []string{"--accessible", "--no-input"}, false},
		{"nobody to ask, dumb", map[string]string{"TERM": "dumb"}, []string{"--no-input"}, false},
		{"CI", map[string]string{"CI": "true"}, []string{"--accessible"}, false},
		{"JSON", nil, []string{"--accessible", "--json"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{})
				maps.Copy(w.vars, c.vars)
				r := w.lines(strings.NewReader(""), c.args...).must(t, exitUsage) // nothing is answered
				if got := strings.Contains(r.out, "What do you want to do?"); got != c.lines {
					t.Errorf("lines: got %v, want %v\n%s%s", got, c.lines, r.out, r.err)
				}
				if !c.lines && (r.out != "" || !strings.Contains(r.err, "msbundle plan")) {
					t.Errorf("it does not say what to do instead:\n%s%s", r.out, r.err)
				}
			})
		})
	}
}

// chat is a person at the other end of two pipes, who answers what is said.
type chat struct {
	t     *testing.T
	in    *io.PipeWriter
	out   lockedBuffer
	heard int
	ended chan int
}

func chatting(t *testing.T, o sandbox.Options, tale func(*world, *chat)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, o)
		in, typing := io.Pipe()
		x := &chat{t: t, in: typing, ended: make(chan int, 1)}
		w.in = in
		ctx, stop := context.WithCancel(t.Context())
		go func() { x.ended <- w.program(ctx, &x.out, io.Discard, []string{"--accessible"}) }()
		defer func() { stop(); _ = in.Close(); _ = typing.Close() }()
		tale(w, x)
	})
}

func (x *chat) says(text string) {
	x.t.Helper()
	for range 600 {
		synctest.Wait()
		if strings.Contains(strings.Join(strings.Fields(x.out.String()[x.heard:]), " "), text) {
			return
		}
		time.Sleep(time.Second)
	}
	x.t.Fatalf("not said: %q\n%s", text, x.out.String()[x.heard:])
}

func (x *chat) types(lines ...string) {
	for _, l := range lines {
		x.heard = len(x.out.String())
		_, _ = io.WriteString(x.in, l+"\n")
		synctest.Wait()
	}
}

func (x *chat) ends(code int) {
	x.t.Helper()
	if got := <-x.ended; got != code {
		x.t.Fatalf("exit code: got %d, want %d\n%s", got, code, x.out.String()[x.heard:])
	}
}

// A sign-in that is declined can be tried again, and left.
func TestLinesDeclinedSignIn(t *testing.T) {
	signIn := slices.Index(wholeSetup, "yes") + 1
	chatting(t, sandbox.Options{Scenario: "declined"}, func(w *world, x *chat) {
		x.types(wholeSetup[:signIn]...)
		for range 2 {
			x.says("Problem: Nobody was signed in.")
			x.says("n to try again")
			x.types("n")
		}
		x.says("n to try again")
		x.types("quit")
		x.ends(exitNoSignIn)
		if got := w.writes(); len(got) > 0 {
			t.Errorf("it was written: %v", got)
		}
	})
}

// The secret that was not taken is replaced by the next run, which offers to go
// on.
func TestLinesResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		w.checked()
		w.lines(answered(wholeSetup[:len(wholeSetup)-1]...), "--accessible").must(t, exitUsage)
		r := w.lines(answered(resumed...), "--accessible").must(t, exitDone)
		if !strings.Contains(r.out, "Resume Contoso. ") || !regexp.MustCompile(`\S+Q~\S+`).MatchString(r.out) {
			t.Errorf("it was not taken up:\n%s", r.out)
		}
		checkOwned(t, w.cloud.Digest().Tenants["Contoso"])
	})
}

// An interruption in the middle of the changes sees the write in flight through.
func TestLinesInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Latency: 2 * time.Second})
		ctx, stop := context.WithCancel(t.Context())
		out := &stopper{at: "Done: Create app registration", stop: func() { time.AfterFunc(time.Second, stop) }}
		w.in = answered(wholeSetup[:len(wholeSetup)-1]...)
		if code := w.program(ctx, out, io.Discard, []string{"--accessible"}); code != exitInterrupted {
			t.Errorf("exit code: got %d, want %d\n%s", code, exitInterrupted, out.b.String())
		}
		if !strings.Contains(out.b.String(), "Finishing the write in flight") || !strings.Contains(out.b.String(), "what was done is kept") {
			t.Errorf("it does not say what becomes of the changes:\n%s", out.b.String())
		}
		w.lines(answered(resumed...), "--accessible").must(t, exitDone)
		checkOwned(t, w.cloud.Digest().Tenants["Contoso"])
	})
}

// stopper stops when something was said.
type stopper struct {
	b    bytes.Buffer
	at   string
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	before := strings.Contains(s.b.String(), s.at)
	n, err := s.b.Write(p)
	if !before && strings.Contains(s.b.String(), s.at) {
		s.stop()
	}
	return n, err
}
