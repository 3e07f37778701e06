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
func isNotDirectory(error) bool { return false }

// noName: a name is refused only for its length, or before anybody asks.
func isInvalidName(error) bool { return false }

// errNoReader is what opening a socket meets.
func isNoReader(err error) bool {
	return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EOPNOTSUPP)
}
