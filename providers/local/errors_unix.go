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

// isNotDirectory always returns false: here, the error is ENOTDIR.
func isNotDirectory(error) bool { return false }

// isInvalidName always returns false: here, a name is only refused for its length.
func isInvalidName(error) bool { return false }

// isNoReader reports whether err is from opening a socket.
func isNoReader(err error) bool {
	return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EOPNOTSUPP)
}
