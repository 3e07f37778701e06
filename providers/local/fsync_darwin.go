package local

import "golang.org/x/sys/unix"

// fsync has the drive write, too: fsync itself stops at its cache.
func fsync(fd int) error {
	return retryEINTR(func() error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
		return err
	})
}
