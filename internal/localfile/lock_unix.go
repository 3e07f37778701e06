//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package localfile

import (
	"os"
	"syscall"
)

func tryLock(f *os.File) (free, certain bool) {
	err := flock(f)
	for err == syscall.EINTR {
		err = flock(f)
	}
	return err != syscall.EWOULDBLOCK, err == nil || err == syscall.EWOULDBLOCK
}

func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
