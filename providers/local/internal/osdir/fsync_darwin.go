package osdir

import "golang.org/x/sys/unix"

// fsync flushes a file and also the cache of the drive. The system call fsync would not flush that
// cache.
func fsync(fd int) error {
	return retryEINTR(func() error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
		return err
	})
}
