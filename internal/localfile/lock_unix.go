//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package localfile

import (
	"os"
	"syscall"
)

// tryLock locks f. free is false if another process has locked it, and certain is false if the file
// system cannot lock files.
func tryLock(f *os.File) (free, certain bool) {
	err := flock(f)
	for err == syscall.EINTR {
		err = flock(f)
	}
	isLocked := err == syscall.EWOULDBLOCK
	return !isLocked, isLocked || err == nil
}

func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
