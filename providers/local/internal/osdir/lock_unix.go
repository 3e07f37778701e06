//go:build linux || darwin || freebsd

package osdir

import (
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked is the error of TryLock, TryShare and TryLockRange if another open file has the lock.
const ErrLocked = unix.EWOULDBLOCK

// TryLock locks the whole file until f is closed. If another open file has a lock, it fails with
// ErrLocked.
func TryLock(f *os.File) error {
	return retryEINTR(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
}

// TryShare takes a shared lock on the whole file, which excludes only TryLock.
func TryShare(f *os.File) error {
	return retryEINTR(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) })
}

func unlock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
