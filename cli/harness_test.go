package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"msbundle/sandbox"
	"msbundle/sandbox/conform"
	"msbundle/state"
)

// The tests make and drop whole tenants; memory is cheaper than collecting it
// after each.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

// world is a simulated cloud and a person who runs commands against it.
type world struct {
	t     *testing.T
	cloud *sandbox.Cloud
	state string
	vars  map[string]string
	wrap  func(http.RoundTripper) http.RoundTripper
	in    io.Reader // what is typed; nil: nothing
	// everything the runs printed, for the search for leaks
	printed lockedBuffer
}

// rehearsalOf makes the world of a test. Approvals come at the first poll.
func rehearsalOf(t *testing.T, o sandbox.Options) *world {
	t.Helper()
	if o.Approve == "" {
		o.Approve = sandbox.ApproveNow
	}
	cloud, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, cloud: cloud, state: t.TempDir(), vars: map[string]string{}}
}

// ran is what one command line led to.
type ran struct {
	code     int
	out, err string
}

// run carries out a command line against the world.
func (w *world) run(args ...string) ran {
	w.t.Helper()
	return w.runContext(context.Background(), args...)
}

func (w *world) runContext(ctx context.Context, args ...string) ran {
	w.t.Helper()
	var out, stderr lockedBuffer
	code := w.program(ctx, &out, &stderr, args)
	_, _ = w.printed.Write([]byte(out.String() + stderr.String()))
	return ran{code, out.String(), stderr.String()}
}

// start carries out a command line and drops what it prints.
func (w *world) start(args ...string) int {
	return w.program(context.Background(), io.Discard, io.Discard, args)
}

func (w *world) app(in io.Reader, out, stderr io.Writer) *app {
	return &app{
		Streams: Streams{In: in, Out: out, Err: stderr},
		env:     func(k string) (string, bool) { v, ok := w.vars[k]; return v, ok },
		cloud:   w.cloud, wrap: w.wrap,
	}
}

func (w *world) program(ctx context.Context, out, stderr io.Writer, args []string) int {
	in := w.in
	if in == nil {
		in = strings.NewReader("")
	}
	a := w.app(in, out, stderr)
	args = append(args, "--state-dir", w.state)
	if !slices.ContainsFunc(args, func(s string) bool { return strings.HasPrefix(s, "--sandbox") }) {
		args = append(args, "--sandbox")
	}
	return a.run(ctx, args)
}

// must fails the test unless the run ended with this exit code.
func (r ran) must(t *testing.T, code int) ran {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code: got %d, want %d\nstdout:\n%s\nstderr:\n%s", r.code, code, r.out, r.err)
	}
	return r
}

// setup writes a setup file and returns its path.
func (w *world) setup(text string) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "setup.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// ownedCSP is the example with everything in it.
const ownedCSP = "../examples/owned-csp.yaml"

// writes lists the requests that wrote, inner ones in place of their batch.
func (w *world) writes() []string {
	var out []string
	for _, r := range w.cloud.Requests() {
		if !r.Write {
			continue
		}
		if len(r.Inner) == 0 {
			out = append(out, r.Method+" "+pathOf(r.URL))
		}
		for _, i := range r.Inner {
			if i.Write {
				out = append(out, i.Method+" "+pathOf(i.URL))
			}
		}
	}
	return out
}

func pathOf(rawURL string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(rawURL, "https://"), "/")
	path, _, _ := strings.Cut(rest, "?")
	return "/" + path
}

// identity is whose state a run against the world keeps.
func (w *world) identity() state.Identity {
	t := w.cloud.Tenant()
	return state.Identity{Cloud: "sandbox-" + t.World, Tenant: t.ID}
}

// decode reads a run's JSON document.
func decode[T any](t *testing.T, r ran) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		t.Fatalf("stdout is not one JSON document: %v\n%s", err, r.out)
	}
	return v
}

// checked wraps every request of the world with the check against the official
// descriptions, where they are to be had.
func (w *world) checked() {
	w.t.Helper()
	dir := os.Getenv("MSBUNDLE_CONFORMANCE_DIR")
	if dir == "" {
		return // the sandbox's own conformance test says how to set it
	}
	descriptions, err := described(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	checker := descriptions.Fresh()
	w.wrap = checker.Wrap
	w.t.Cleanup(func() {
		for _, v := range checker.Violations() {
			w.t.Errorf("against the official description: %s", v)
		}
		asked := slices.ContainsFunc(w.cloud.Requests(), func(r sandbox.Request) bool { return strings.Contains(r.URL, "//graph.") })
		if asked && checker.Count() == 0 {
			w.t.Error("nothing was checked against the official descriptions")
		}
	})
}

// described reads the descriptions once for all tests.
func described(dir string) (*conform.Checker, error) {
	loading.Do(func() { loaded, loadError = conform.Load(dir) })
	return loaded, loadError
}

var (
	loading   sync.Once
	loaded    *conform.Checker
	loadError error
)

// lockedBuffer is a buffer several goroutines may write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
