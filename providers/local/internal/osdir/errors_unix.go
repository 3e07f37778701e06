//go:build linux || darwin || freebsd

package osdir

import (
	"errors"
	"syscall"
)

// The errors of a system call that a caller must distinguish.
const (
	ErrDiskFull    = syscall.ENOSPC
	ErrQuota       = syscall.EDQUOT
	ErrReadOnly    = syscall.EROFS
	ErrCrossDevice = syscall.EXDEV
	ErrNameTooLong = syscall.ENAMETOOLONG
	ErrBusy        = syscall.EBUSY
)

// isNotDirectory always returns false: here, the error is ENOTDIR.
func isNotDirectory(error) bool { return false }

// isInvalidName always returns false: here, a name is only refused for its length.
func isInvalidName(error) bool { return false }

// IsNoReader reports whether err is from opening a socket.
func IsNoReader(err error) bool {
	return errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EOPNOTSUPP)
}
