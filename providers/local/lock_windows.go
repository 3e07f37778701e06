package local

import (
	"os"

	"golang.org/x/sys/windows"
)

const errLocked = windows.ERROR_LOCK_VIOLATION

func tryLockFile(f *os.File) error { return tryLockRange(f, 0, 1) }

// tryShareFile takes a lock that others may share, and that excludes tryLockFile.
func tryShareFile(f *os.File) error { return lockBytes(f, 0, 0, 1) }

func unlockFile(f *os.File) error { return unlockRange(f, 0, 1) }

func rangesWork(*os.File) bool { return true }

func tryLockRange(f *os.File, at, n int64) error {
	return lockBytes(f, windows.LOCKFILE_EXCLUSIVE_LOCK, at, n)
}

func lockBytes(f *os.File, flags uint32, at, n int64) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), flags|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, uint32(n), 0, lockedFrom(at))
}

func unlockRange(f *os.File, at, n int64) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, uint32(n), 0, lockedFrom(at))
}

// lockedFrom returns an offset far past the end of every locked file: on Windows, others
// cannot read locked bytes.
func lockedFrom(at int64) *windows.Overlapped {
	return &windows.Overlapped{Offset: uint32(at), OffsetHigh: 1 << 30}
}
