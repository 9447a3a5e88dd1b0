//go:build !windows

package msclient

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Even where new files are open to everybody, these are not.
func TestSessionsAreTheOwnersUnderAnyUmask(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	dir := filepath.Join(t.TempDir(), "state", "sign-ins")
	s := openSessions(t, dir, passphrase("p"))
	export(t, s, holding("a", "one"))
	modes(t, dir)
	if info, err := os.Stat(filepath.Dir(dir)); err != nil || info.Mode().String() != "drwx------" {
		t.Errorf("the folder above: %v, %v", info.Mode(), err)
	}
	export(t, s, holding("a", "two"))
	modes(t, dir)
}
