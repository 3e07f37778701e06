package osdir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Locks of an open file description (fcntl, F_OFD_SETLK) are range locks like POSIX locks. But
// unlike POSIX locks, they belong to the open file: a process does not lose them when it closes
// another descriptor.

func rangeLock(f *os.File, command int, kind int16, at, n int64) error {
	return retryEINTR(func() error {
		l := unix.Flock_t{Type: kind, Start: at, Len: n}
		return unix.FcntlFlock(f.Fd(), command, &l)
	})
}

// RangesWork reports whether a range of f can be locked. gVisor only locks whole files.
func RangesWork(f *os.File) bool { return rangeLock(f, unix.F_OFD_GETLK, unix.F_WRLCK, 0, 1) == nil }

// TryLockRange locks n bytes, or the whole file if ranges do not work.
func TryLockRange(f *os.File, at, n int64) error {
	err := rangeLock(f, unix.F_OFD_SETLK, unix.F_WRLCK, at, n)
	switch {
	case errors.Is(err, unix.EACCES): // fcntl may also return this error if another has the lock
		return ErrLocked
	case errors.Is(err, unix.EINVAL):
		return TryLock(f)
	}
	return err
}

// UnlockRange ends the lock of TryLockRange.
func UnlockRange(f *os.File, at, n int64) error {
	err := rangeLock(f, unix.F_OFD_SETLK, unix.F_UNLCK, at, n)
	if errors.Is(err, unix.EINVAL) {
		return unlock(f)
	}
	return err
}
