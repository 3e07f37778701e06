package osdir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Open file description locks (fcntl, F_OFD_SETLK) lock a range of a file, as POSIX locks do. A
// process loses its POSIX locks of a file when it closes any descriptor of the file. An open file
// description lock belongs to the open file, so closing another descriptor does not end the lock.

// rangeLock sets or ends a lock of n bytes of f from offset.
func rangeLock(f *os.File, command int, kind int16, offset, n int64) error {
	return retryEINTR(func() error {
		l := unix.Flock_t{Type: kind, Start: offset, Len: n}
		return unix.FcntlFlock(f.Fd(), command, &l)
	})
}

// RangesWork reports whether a range of f can be locked. gVisor can lock only whole files.
func RangesWork(f *os.File) bool { return rangeLock(f, unix.F_OFD_GETLK, unix.F_WRLCK, 0, 1) == nil }

// TryLockRange locks n bytes of f. offset is the offset of the first byte. If ranges
// cannot be locked, TryLockRange locks the whole file.
func TryLockRange(f *os.File, offset, n int64) error {
	err := rangeLock(f, unix.F_OFD_SETLK, unix.F_WRLCK, offset, n)
	if errors.Is(err, unix.EACCES) {
		// The call fcntl may return this error instead of EAGAIN.
		return ErrLocked
	}
	if errors.Is(err, unix.EINVAL) {
		return TryLock(f)
	}
	return err
}

// UnlockRange ends a lock of TryLockRange.
func UnlockRange(f *os.File, offset, n int64) error {
	err := rangeLock(f, unix.F_OFD_SETLK, unix.F_UNLCK, offset, n)
	if errors.Is(err, unix.EINVAL) {
		return unlock(f)
	}
	return err
}
