package osdir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Open file description locks (fcntl, F_OFD_SETLK) lock a range of a file, as POSIX locks do. A
// process loses its POSIX locks of a file when it closes any descriptor of the file. An open file
// description lock belongs to the open file, so closing another descriptor does not end the lock.

// rangeLock calls fcntl with a lock command for the n bytes of f from offset.
func rangeLock(f *os.File, command int, lockType int16, offset, n int64) error {
	return retryEINTR(func() error {
		lock := unix.Flock_t{Type: lockType, Start: offset, Len: n}
		return unix.FcntlFlock(f.Fd(), command, &lock)
	})
}

// RangesWork reports whether a range of f can be locked. gVisor can lock only whole files.
func RangesWork(f *os.File) bool { return rangeLock(f, unix.F_OFD_GETLK, unix.F_WRLCK, 0, 1) == nil }

// TryLockRange locks the n bytes of f from offset, or the whole file if the system cannot lock
// ranges. It fails with ErrLocked if another open file has the lock.
func TryLockRange(f *os.File, offset, n int64) error {
	err := rangeLock(f, unix.F_OFD_SETLK, unix.F_WRLCK, offset, n)
	if errors.Is(err, unix.EACCES) {
		// POSIX permits EACCES in place of EAGAIN for a lock that is taken.
		return ErrLocked
	}
	if errors.Is(err, unix.EINVAL) {
		return TryLock(f)
	}
	return err
}

// UnlockRange releases a lock that TryLockRange took.
func UnlockRange(f *os.File, offset, n int64) error {
	err := rangeLock(f, unix.F_OFD_SETLK, unix.F_UNLCK, offset, n)
	if errors.Is(err, unix.EINVAL) {
		return unlock(f)
	}
	return err
}
