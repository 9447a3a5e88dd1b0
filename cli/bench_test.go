package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"msbundle/sandbox"
)

// BenchmarkApply is the whole owned setup with everything in it: requests after
// sign-in, how many of them waited for one another, and wall time, at several
// latencies of the service.
func BenchmarkApply(b *testing.B) {
	for _, latency := range []time.Duration{0, 50 * time.Millisecond, 100 * time.Millisecond} {
		b.Run(fmt.Sprint(latency), func(b *testing.B) {
			requests, deep := 0, 0
			for b.Loop() {
				w, dir := benchWorld(b, latency)
				stop := w.stopwatch()
				code := w.start("apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(dir, "s"))
				if code != exitDone {
					b.Fatalf("exit code %d", code)
				}
				n, d := stop(max(latency, time.Millisecond))
				requests, deep = n, d
			}
			b.ReportMetric(float64(requests), "requests/op")
			if latency > 0 {
				b.ReportMetric(float64(deep), "deep/op")
			}
		})
	}
}

func benchWorld(b *testing.B, latency time.Duration) (*world, string) {
	b.Helper()
	cloud, err := sandbox.New(sandbox.Options{Approve: sandbox.ApproveNow, Latency: latency})
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	return &world{cloud: cloud, state: filepath.Join(dir, "state"), vars: map[string]string{}}, dir
}

// BenchmarkFirstFrame is the time from starting the program to its first frame
// on a terminal, the median of 20, next to that of starting a program that does
// nothing.
func BenchmarkFirstFrame(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "msbundle")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "msbundle")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	for b.Loop() {
		var frames, nothing []time.Duration
		for range 20 {
			frames = append(frames, firstFrame(b, binary))
			begun := time.Now()
			if err := exec.Command("true").Run(); err != nil {
				b.Fatal(err)
			}
			nothing = append(nothing, time.Since(begun))
		}
		slices.Sort(frames)
		slices.Sort(nothing)
		b.ReportMetric(float64(frames[10].Microseconds())/1000, "ms-first-frame")
		b.ReportMetric(float64(nothing[10].Microseconds())/1000, "ms-true")
	}
}

func firstFrame(b *testing.B, binary string) time.Duration {
	b.Helper()
	c := exec.Command(binary, "--sandbox")
	c.Env = append(os.Environ(), "TERM=xterm-256color", "CI=")
	begun := time.Now()
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		_ = terminal.Close()
	}()
	var seen strings.Builder
	buf := make([]byte, 32<<10)
	for {
		n, err := terminal.Read(buf)
		seen.Write(buf[:n])
		if strings.Contains(seen.String(), "New setup") {
			return time.Since(begun)
		}
		if errors.Is(err, io.EOF) || err != nil {
			b.Fatalf("the program ended before its first frame: %v\n%s", err, seen.String())
		}
	}
}
