//go:build !windows

package state

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests below need a process of its own: to be killed, to run out of disk, to
// be nobody. The test binary plays it, as this variable says.
const roleVar = "MSBUNDLE_STATE_TEST_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func(root string) error{"holder": hold, "full disk": fillDisk, "nobody": beNobody}
	role, root, _ := strings.Cut(os.Getenv(roleVar), ":")
	play, ok := roles[role]
	if !ok {
		os.Exit(m.Run())
	}
	if err := play(root); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func player(t *testing.T, role, root string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleVar+"="+role+":"+root)
	return c
}

// hold opens the store, writes, says so and waits to be killed.
func hold(root string) error {
	s, err := Open(root, contoso)
	if err != nil {
		return err
	}
	if err := s.Append(intent("of the holder")); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestTheLockDiesWithItsProcess(t *testing.T) {
	root := t.TempDir()
	c := player(t, "holder", root)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	_, err = Open(root, contoso)
	wantDirError(t, err, "another msbundle is working on this tenant")
	if list := Tenants(root, contoso.Cloud); len(list) != 1 {
		t.Errorf("reading without the lock: got %v", list)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if diff := cmp.Diff([]string{"of the holder"}, intents(open(t, root, contoso).Entries())); diff != "" {
		t.Errorf("after the kill (-want +got):\n%s", diff)
	}
}

// fillDisk lets files grow to a few kilobytes only. The system then writes what
// fits and fails at the rest, as a full disk does.
func fillDisk(root string) error {
	const most = 3700
	signal.Ignore(syscall.SIGXFSZ)
	s, err := Open(root, contoso)
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		return err
	}
	kept := 0
	record := intent("x")
	record.Name = strings.Repeat("n", 700)
	for err = nil; err == nil; kept++ {
		record.Intent = fmt.Sprint("i", kept)
		err = s.Append(record)
	}
	fmt.Println(kept-1, "kept:", err)
	if got := len(s.Entries()); got != kept-1 {
		return fmt.Errorf("%d entries in memory, %d were acknowledged", got, kept-1)
	}
	small := intent("small") // and what is small enough still fits
	if err := s.Append(small); err != nil {
		return err
	}
	kept = 0
	for err = nil; err == nil; kept++ {
		err = s.AddEvidence(Evidence{What: fmt.Sprint("e", kept), Text: strings.Repeat("t", 700)})
	}
	fmt.Println(kept-1, "proofs:", err)
	path := filepath.Join(root, "plan.json")
	if err := WriteFile(path, []byte("old")); err != nil {
		return err
	}
	fmt.Println("file:", WriteFile(path, make([]byte, most+1)))
	return s.Close()
}

func TestAFullDiskLosesNothing(t *testing.T) {
	root := t.TempDir()
	out, err := player(t, "full disk", root).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said := string(out)
	if n := strings.Count(said, "the disk is full, or a limit set on it is reached; free some space or choose another"); n != 3 {
		t.Errorf("the words for a full disk stand %d times, want 3, in:\n%s", n, said)
	}
	if !strings.Contains(said, "4 kept: state folder "+Dir(root, contoso)) || !strings.Contains(said, "file: "+filepath.Join(root, "plan.json")) {
		t.Errorf("the other process said:\n%s", said)
	}
	if diff := cmp.Diff([]string{"i0", "i1", "i2", "i3", "small"}, intents(open(t, root, contoso).Entries())); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"e0", "e1", "e2", "e3"}, evidence(t, root)); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if got := read(t, filepath.Join(root, "plan.json")); got != "old" {
		t.Errorf("plan.json holds %d bytes", len(got))
	}
	if left, _ := filepath.Glob(filepath.Join(root, ".plan.json-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// beNobody gives up root's rights, which ignore modes, and tries to write where
// it may not.
func beNobody(root string) error {
	if os.Getuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	_, err := Open(filepath.Join(root, "closed"), contoso)
	fmt.Println("folder:", err)
	_, err = Open(filepath.Join(root, "open"), contoso)
	fmt.Println("journal:", err)
	fmt.Println("file:", WriteFile(filepath.Join(root, "closed", "plan.json"), nil))
	return nil
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "state")
	path := filepath.Join(Dir(filepath.Join(root, "open"), contoso), journalFile)
	write(t, path, "")
	closed := filepath.Join(root, "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	for p, mode := range map[string]os.FileMode{
		filepath.Dir(base): 0o711, base: 0o711, root: 0o711, filepath.Join(root, "open"): 0o777, filepath.Join(root, "open", "global"): 0o777,
		filepath.Dir(path): 0o777, path: 0o444, closed: 0o555,
	} {
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	out, err := player(t, "nobody", root).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const words = ": it cannot be written to; change its permissions or choose another "
	want := "folder: state folder " + Dir(closed, contoso) + words + "folder with --state-dir\n" +
		"journal: state folder " + filepath.Dir(path) + words + "folder with --state-dir\n" +
		"file: " + filepath.Join(closed, "plan.json") + words + "place\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
