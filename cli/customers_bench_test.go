package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"msbundle/sandbox"
)

const benchCustomers, benchWorkers, benchLatency = 1000, 16, 50 * time.Millisecond

// BenchmarkConsent is the consent for a thousand customers with its proof, by the
// built program, as a process of its own that talks to a sandbox with 50 ms of
// latency over the network of this machine; then the same again, which finds nothing
// to be done. It reports requests for each customer, the time, how that compares to
// the ideal (every worker always waits for an answer, or Partner Center's fifty
// consents a second, whichever takes longer), and the most memory the program had.
func BenchmarkConsent(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "msbundle")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "msbundle").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	for b.Loop() {
		cloud, err := sandbox.New(sandbox.Options{Scenario: "customers-ready", Customers: benchCustomers, Approve: sandbox.ApproveNow, Latency: benchLatency})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ready, done := make(chan string, 1), make(chan error, 1)
		go func() {
			done <- cloud.Serve(ctx, sandbox.ServerOptions{Listen: "127.0.0.1:0", Ready: func(addr, _ string) { ready <- addr }})
		}()
		url, dir := "https://"+<-ready, b.TempDir()
		file := filepath.Join(dir, "setup.yaml")
		if err := os.WriteFile(file, []byte(consentAll), 0o600); err != nil {
			b.Fatal(err)
		}
		for _, what := range []string{"", "-again"} {
			since := len(cloud.Requests())
			begun := time.Now()
			said := &browsing{cloud: cloud}
			c := exec.Command(binary, "apply", "--sandbox="+url, "--state-dir", filepath.Join(dir, "state"), "-f", file, "--yes", "--workers", "16")
			c.Env = append(os.Environ(), "CI=")
			c.Stdout, c.Stderr = said, said
			if err := c.Start(); err != nil {
				b.Fatal(err)
			}
			memory := make(chan int, 1)
			go func() { memory <- mostMemory(c.Process.Pid) }()
			if err := c.Wait(); err != nil {
				b.Fatalf("%v\n%s", err, said.text.String())
			}
			took := time.Since(begun)
			requests, writes := 0, 0
			for _, r := range cloud.Requests()[since:] {
				requests++
				if r.Write && r.Tenant != cloud.Tenant().ID {
					writes++
				}
			}
			ideal := time.Duration(requests) * benchLatency / benchWorkers
			if what == "" {
				ideal = max(ideal, benchCustomers*time.Second/50)
			} else if writes > 0 {
				b.Errorf("looking again wrote %d times", writes)
			}
			b.ReportMetric(float64(requests)/benchCustomers, "requests/customer"+what)
			b.ReportMetric(took.Seconds(), "s"+what)
			b.ReportMetric(took.Seconds()/ideal.Seconds(), "x-ideal"+what)
			b.ReportMetric(float64(<-memory)/1024, "MB"+what)
			b.ReportMetric((c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds(), "s-cpu"+what)
		}
		cancel()
		<-done
	}
}

// mostMemory is the most memory a process had, in KB, as Linux tells until it ends.
// What it tells of a process that has ended includes that of whoever started it.
func mostMemory(pid int) (most int) {
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		found := highWater.FindSubmatch(text)
		if err != nil || found == nil {
			return most
		}
		most, _ = strconv.Atoi(string(found[1]))
		time.Sleep(20 * time.Millisecond)
	}
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// browsing is what the program says, and the person who opens the page it names.
type browsing struct {
	cloud *sandbox.Cloud
	text  bytes.Buffer
	seen  int
}

func (s *browsing) Write(p []byte) (int, error) {
	n, err := s.text.Write(p)
	if found := signInPage.FindStringSubmatch(s.text.String()[s.seen:]); found != nil {
		s.seen = s.text.Len()
		go func() { _ = s.cloud.Browse(context.Background(), "https://"+found[1]) }()
	}
	return n, err
}

var signInPage = regexp.MustCompile(`https://127\.0\.0\.1:\d+/(\S+/authorize\?\S+)\s`)
