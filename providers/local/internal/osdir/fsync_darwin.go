package osdir

import "golang.org/x/sys/unix"

// fsync also flushes the cache of the drive, which the system call fsync does not.
func fsync(fd int) error {
	return retryEINTR(func() error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
		return err
	})
}
