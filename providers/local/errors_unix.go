//go:build linux || darwin || freebsd

package local

import (
	"errors"
	"syscall"
)

const (
	errDiskFull    = syscall.ENOSPC
	errQuota       = syscall.EDQUOT
	errReadOnly    = syscall.EROFS
	errCrossDevice = syscall.EXDEV
	errNameTooLong = syscall.ENAMETOOLONG
)

// errNoReader is what opening a socket meets.
func errNoReader(err error) bool {
	return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EOPNOTSUPP)
}
