package msclient

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	for _, tt := range []struct{ name, base, ours, theirs, want string }{
		{"both added", `{"A":{"x":1}}`, `{"A":{"x":1,"y":2}}`, `{"A":{"x":1,"z":3}}`, `{"A":{"x":1,"y":2,"z":3}}`},
		{"both began", ``, `{"A":{"y":2}}`, `{"A":{"z":3}}`, `{"A":{"y":2,"z":3}}`},
		{"another kind", `{"A":{"x":1}}`, `{"A":{"x":1},"B":{"y":2}}`, `{"A":{"x":1},"C":{"z":3}}`, `{"A":{"x":1},"B":{"y":2},"C":{"z":3}}`},
		{"they changed", `{"A":{"x":1}}`, `{"A":{"x":1,"y":2}}`, `{"A":{"x":9}}`, `{"A":{"x":9,"y":2}}`},
		{"both changed", `{"A":{"x":1}}`, `{"A":{"x":7}}`, `{"A":{"x":9}}`, `{"A":{"x":7}}`},
		{"they removed", `{"A":{"x":1,"w":0}}`, `{"A":{"x":1,"w":0,"y":2}}`, `{"A":{"x":1}}`, `{"A":{"x":1,"y":2}}`},
		{"we removed", `{"A":{"x":1,"w":0}}`, `{"A":{"x":1}}`, `{"A":{"x":1,"w":0,"z":3}}`, `{"A":{"x":1,"z":3}}`},
		{"we removed a kind", `{"A":{"x":1},"B":{"w":0}}`, `{"A":{"x":1}}`, `{"A":{"x":1},"B":{"w":0,"z":3}}`, `{"A":{"x":1},"B":{"z":3}}`},
		{"nothing", `{"A":null}`, `{}`, `{"A":null}`, `{"A":null}`},
	} {
		got, err := merge(NewSecret(tt.base), NewSecret(tt.ours), NewSecret(tt.theirs))
		if err != nil || got.Reveal() != tt.want {
			t.Errorf("%s: got %s, %v, want %s", tt.name, got.Reveal(), err, tt.want)
		}
	}
	for _, bad := range []string{`[]`, `{"A":1}`, `{`, canary} {
		if _, err := merge(NewSecret(`{}`), NewSecret(`{}`), NewSecret(bad)); err != ErrDamaged {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

// Two runs keep what each other kept, and see it at the next look.
func TestTwoRunsAtOnce(t *testing.T) {
	for keeping, lock := range locks() {
		t.Run(string(keeping), func(t *testing.T) {
			dir := t.TempDir()
			a, b := openSessions(t, dir, lock), openSessions(t, dir, lock) // nothing is kept yet
			export(t, a, holding("p", "one"))
			if got := load(t, b); got != "" {
				t.Errorf("the later run could not know the key, and has %s", got)
			}
			export(t, b, holding("p", "two"))
			both := holding("p", "one", "two")
			loads(t, dir, lock, canonical(t, both))
			if got := canonical(t, load(t, b)); got != canonical(t, both) {
				t.Errorf("the later run has %s", got)
			}
			if got := canonical(t, load(t, a)); got != canonical(t, both) {
				t.Errorf("the earlier run has %s", got)
			}
			export(t, a, holding("p", "one", "two", "three"))
			export(t, b, holding("p", "two", "four")) // it forgets one
			loads(t, dir, lock, canonical(t, holding("p", "two", "three", "four")))
			for _, s := range []*Sessions{a, b} {
				if s.Err() != nil {
					t.Error(s.Err())
				}
			}
		})
	}
	t.Run("another passphrase", func(t *testing.T) {
		dir := t.TempDir()
		a, b := openSessions(t, dir, passphrase("a")), openSessions(t, dir, passphrase("b"))
		export(t, a, holding("p", "one"))
		before := filesIn(t, dir)
		export(t, b, holding("p", "two"))
		if b.Err() == nil {
			t.Error("two passphrases for one key")
		}
		if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
			t.Errorf("the first run's files were changed:\n%s", diff)
		}
	})
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return jsonText(v)
}

const (
	togetherVar = "MSBUNDLE_TEST_SESSIONS" // folder, for a process of TestManyProcessesAtOnce
	numberVar   = "MSBUNDLE_TEST_NUMBER"
	tokensEach  = 20
	processes   = 4
)

// Real processes write to the same folder at once, from before there is anything
// in it; half of them open it while the others write. Nothing is damaged and no
// token is lost.
func TestManyProcessesAtOnce(t *testing.T) {
	if dir := os.Getenv(togetherVar); dir != "" {
		keepMany(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	var starters []io.Closer
	for i := range processes {
		c := exec.Command(os.Args[0], "-test.run=^TestManyProcessesAtOnce$", "-test.count=1")
		c.Env = append(os.Environ(), togetherVar+"="+dir, numberVar+"="+strconv.Itoa(i))
		// All begin at once.
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		if line, err := lines.ReadString('\n'); line != "ready\n" || err != nil {
			t.Fatalf("got %q, %v", line, err)
		}
		wg.Go(func() {
			rest, _ := bufio.NewReader(lines).ReadString(0)
			if err := c.Wait(); err != nil {
				t.Errorf("%v\n%s", err, rest)
			}
		})
		starters = append(starters, in)
	}
	for _, in := range starters {
		_ = in.Close()
	}
	wg.Wait()
	var want []string
	for i := range processes {
		for n := range tokensEach {
			want = append(want, fmt.Sprintf("%d-%d", i, n))
		}
	}
	loads(t, dir, passphrase("p"), canonical(t, holding("p", want...)))
	modes(t, dir)
}

// keepMany is a process of TestManyProcessesAtOnce.
func keepMany(t *testing.T, dir string) {
	number, err := strconv.Atoi(os.Getenv(numberVar))
	if err != nil {
		t.Fatal(err)
	}
	var s *Sessions
	if number%2 == 0 {
		s = openSessions(t, dir, passphrase("p"))
	}
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if s == nil {
		s = openSessions(t, dir, passphrase("p"))
	}
	have := map[string]map[string]any{}
	for n := range tokensEach {
		if text := load(t, s); text != "" {
			have = map[string]map[string]any{}
			if err := json.Unmarshal([]byte(text), &have); err != nil {
				t.Fatal(err)
			}
		}
		names := []string{fmt.Sprintf("%d-%d", number, n)}
		for name := range have["RefreshToken"] {
			names = append(names, name)
		}
		slices.Sort(names)
		text := holding("p", names...)
		export(t, s, text)
		if err := json.Unmarshal([]byte(text), &have); err != nil {
			t.Fatal(err)
		}
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
}
