package osdir

import (
	"os"

	"golang.org/x/sys/windows"
)

// ErrLocked is the error of TryLock, TryShare and TryLockRange if another open file has the lock.
const ErrLocked = windows.ERROR_LOCK_VIOLATION

// TryLock locks the whole file until f is closed. If another open file has a lock, it fails with
// ErrLocked.
func TryLock(f *os.File) error { return TryLockRange(f, 0, 1) }

// TryShare takes a shared lock on the whole file, which excludes only TryLock.
func TryShare(f *os.File) error { return lockBytes(f, 0, 0, 1) }

func unlock(f *os.File) error { return UnlockRange(f, 0, 1) }

// RangesWork always returns true.
func RangesWork(*os.File) bool { return true }

// TryLockRange locks n bytes of f. offset is that of the first byte.
func TryLockRange(f *os.File, offset, n int64) error {
	return lockBytes(f, windows.LOCKFILE_EXCLUSIVE_LOCK, offset, n)
}

func lockBytes(f *os.File, flags uint32, offset, n int64) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), flags|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, uint32(n), 0,
		lockOffset(offset))
}

// UnlockRange ends a lock of TryLockRange.
func UnlockRange(f *os.File, offset, n int64) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, uint32(n), 0, lockOffset(offset))
}

// lockOffset returns the offset that is locked in place of the given offset. It is far after the
// end of every file. Windows does not let other handles read locked bytes, so the lock must not be
// on bytes of the file.
func lockOffset(offset int64) *windows.Overlapped {
	return &windows.Overlapped{Offset: uint32(offset), OffsetHigh: 1 << 30}
}
