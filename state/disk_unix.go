//go:build !windows

package state

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// diskFull recognises a full disk, a used-up quota and a limit on file sizes.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// syncDir makes the entries of a folder durable: a file that was made or renamed
// may otherwise be gone after a power cut. Some file systems do not offer it, and
// a folder above ours may not be ours to open; both are left at that.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
