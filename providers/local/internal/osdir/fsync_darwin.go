package osdir

import "golang.org/x/sys/unix"

// fsync flushes a file to the disk, including the cache of the drive, which the system call fsync
// does not flush on macOS.
func fsync(fd int) error {
	return retryEINTR(func() error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
		return err
	})
}
