//go:build !windows

package config

import (
	"os"
	"syscall"
)

const errLocked = syscall.EWOULDBLOCK

// tryLock locks a file until it is closed. If another process has locked it, it returns errLocked.
func tryLock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}
