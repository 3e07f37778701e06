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
	errBusy        = syscall.EBUSY
)

// noDirectory: ENOTDIR says so everywhere.
func noDirectory(error) bool { return false }

// noName: a name is refused only for its length, or before anybody asks.
func noName(error) bool { return false }

// errNoReader is what opening a socket meets.
func errNoReader(err error) bool {
	return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EOPNOTSUPP)
}
