//go:build linux || darwin || freebsd

package local

import (
	"os"

	"golang.org/x/sys/unix"
)

const errLocked = unix.EWOULDBLOCK

func tryLockFile(f *os.File) error {
	return retryEINTR(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
}

// tryShareFile takes a lock that others may share, and that excludes tryLockFile.
func tryShareFile(f *os.File) error {
	return retryEINTR(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) })
}

func unlockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
