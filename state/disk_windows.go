package state

import (
	"errors"
	"syscall"
)

// https://learn.microsoft.com/windows/win32/debug/system-error-codes
const (
	errorHandleDiskFull    = syscall.Errno(39)
	errorDiskFull          = syscall.Errno(112)
	errorDiskQuotaExceeded = syscall.Errno(1295)
)

// diskFull recognises a full disk and a used-up quota.
func diskFull(err error) bool {
	return errors.Is(err, errorDiskFull) || errors.Is(err, errorHandleDiskFull) || errors.Is(err, errorDiskQuotaExceeded)
}

// syncDir does nothing: NTFS journals its folders, and Windows cannot sync them.
func syncDir(string) error { return nil }
