package osdir

import "golang.org/x/sys/unix"

func fsync(fd int) error { return retryEINTR(func() error { return unix.Fsync(fd) }) }
