package cli

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

// The program is killed at every write, before and after the service carried it
// out, and at random moments; run again it ends in the same tenant. These are
// real processes against a real server on this machine.
func TestKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	k := newKiller(t)
	want := k.undisturbed()
	var kills atomic.Int64
	var over atomic.Bool // as many writes as the setup has
	sideBySide(func(i int) bool {
		n, when := i/2+1, []string{"before", "after"}[i%2]
		if over.Load() {
			return false
		}
		killed := false
		t.Run(fmt.Sprintf("%s write %d", when, n), func(t *testing.T) {
			faults := fmt.Sprintf(`[{"match": {}, "nth": %d, "when": %q, "do": "hang"}]`, n, when)
			killed = k.kill(t, faults, want, moment{write: n})
		})
		if killed {
			kills.Add(1)
		} else {
			over.Store(true)
		}
		return true
	})
	if n := kills.Load() / 2; n < 10 {
		t.Errorf("killed at %d writes, the setup has more", n)
	}
}

// sideBySide counts up and does each, a few at a time, until one of them was the
// last. Processes spend most of their time waiting.
func sideBySide(do func(i int) (more bool)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for do(int(next.Add(1)) - 1) {
			}
		})
	}
	all.Wait()
}

func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	k := newKiller(t)
	begun := time.Now()
	want := k.undisturbed()
	usual := time.Since(begun)
	rng := rand.New(rand.NewPCG(7, 7))
	var moments [20]moment
	for i := range moments {
		moments[i].after = time.Duration(rng.Int64N(int64(usual)))
	}
	sideBySide(func(i int) bool {
		if i >= len(moments) {
			return false
		}
		t.Run(fmt.Sprint("moment ", i), func(t *testing.T) { k.kill(t, `[]`, want, moments[i]) })
		return true
	})
}

// moment is when to kill: while the sandbox holds this write, or after a time.
type moment struct {
	write int
	after time.Duration
}

// holdTime is how long a request has gone without an answer when it is held, and
// not merely on its way.
const holdTime = 50 * time.Millisecond

// killer starts the built program and kills it.
type killer struct {
	t      *testing.T
	binary string
}

func newKiller(t *testing.T) *killer {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "msbundle")
	if out, err := exec.Command("go", "build", "-o", binary, "msbundle").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return &killer{t, binary}
}

// serve opens a sandbox on this machine.
func serve(t *testing.T, o sandbox.Options) (cloud *sandbox.Cloud, url string) {
	t.Helper()
	cloud, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- cloud.Serve(ctx, sandbox.ServerOptions{Listen: "127.0.0.1:0", Ready: func(addr, _ string) { ready <- addr }})
	}()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case addr := <-ready:
		return cloud, "https://" + addr
	case err := <-done:
		t.Fatal(err)
		return nil, ""
	}
}

// start runs an apply of the example as a process of its own.
func (k *killer) start(t *testing.T, url, state, secret string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var said bytes.Buffer
	c := exec.Command(k.binary, "apply", "--sandbox="+url, "--state-dir", state, "-f", ownedCSP,
		"--yes", "--json", "--secret-out", secret, "--settle", "200ms")
	c.Env = append(os.Environ(), "CI=")
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, &said
}

func (k *killer) undisturbed() sandbox.Digest {
	cloud, url := serve(k.t, sandbox.Options{Approve: sandbox.ApproveNow})
	c, said := k.start(k.t, url, k.t.TempDir(), filepath.Join(k.t.TempDir(), "s"))
	if err := c.Wait(); err != nil {
		k.t.Fatalf("%v\n%s", err, said)
	}
	return cloud.Digest()
}

// kill starts a run, kills it at the request the sandbox holds (or after a time),
// runs again to the end, and compares the tenant. It reports whether the run was
// killed before it ended.
func (k *killer) kill(t *testing.T, faults string, want sandbox.Digest, at moment) bool {
	t.Helper()
	parsed, err := sandbox.ParseFaults([]byte(faults))
	if err != nil {
		t.Fatal(err)
	}
	cloud, url := serve(t, sandbox.Options{Approve: sandbox.ApproveNow, Faults: parsed})
	state, secret := t.TempDir(), filepath.Join(t.TempDir(), "s")
	c, said := k.start(t, url, state, secret)
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()

	killed := false
	deadline := time.Now().Add(time.Minute)
	begun, seen := time.Now(), time.Time{}
	for waiting := true; waiting; {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("the run failed by itself: %v\n%s", err, said)
			}
			waiting = false
		case <-time.After(2 * time.Millisecond):
			if at.write > 0 && seen.IsZero() && held(cloud, at.write) {
				seen = time.Now()
			}
			due := at.write == 0 && time.Since(begun) > at.after || !seen.IsZero() && time.Since(seen) > holdTime && held(cloud, at.write)
			if due {
				_ = c.Process.Kill()
				<-ended
				killed, waiting = true, false
			} else if time.Now().After(deadline) {
				_ = c.Process.Kill()
				t.Fatalf("neither held nor ended:\n%s", said)
			}
		}
	}
	cloud.SetFaults(nil)
	again, said := k.start(t, url, state, secret)
	if err := again.Wait(); err != nil {
		t.Fatalf("the second run: %v\n%s", err, said)
	}
	if got := cloud.Digest(); got.SHA256 != want.SHA256 {
		t.Errorf("the tenant differs (-undisturbed +killed):\n%s", cmp.Diff(want.Tenants["Contoso"], got.Tenants["Contoso"]))
	}
	if info, err := os.Stat(secret); err != nil || info.Size() == 0 {
		t.Errorf("no secret was delivered: %v", err)
	}
	return killed
}

// held tells whether the nth write has no answer yet.
func held(cloud *sandbox.Cloud, n int) bool {
	for _, r := range cloud.Requests() {
		if !r.Write {
			continue
		}
		if n--; n == 0 {
			return r.Status == 0
		}
	}
	return false
}
