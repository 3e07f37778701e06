//go:build linux || darwin || freebsd

package osdir

import (
	"errors"
	"syscall"
)

// These are the errors of system calls that callers must distinguish.
const (
	ErrDiskFull    = syscall.ENOSPC
	ErrQuota       = syscall.EDQUOT
	ErrReadOnly    = syscall.EROFS
	ErrCrossDevice = syscall.EXDEV
	ErrNameTooLong = syscall.ENAMETOOLONG
	ErrBusy        = syscall.EBUSY
)

// isNotDirectory always returns false. On these systems the error is ENOTDIR, which IsNotExist
// recognizes.
func isNotDirectory(error) bool { return false }

// isInvalidName always returns false. These systems refuse a name only because of its length.
func isInvalidName(error) bool { return false }

// IsNoReader reports whether err is from opening a socket.
func IsNoReader(err error) bool {
	return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EOPNOTSUPP)
}
