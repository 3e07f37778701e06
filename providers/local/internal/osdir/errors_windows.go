package osdir

import (
	"errors"

	"golang.org/x/sys/windows"
)

// These are the errors of system calls that callers must distinguish.
const (
	ErrDiskFull    = windows.ERROR_DISK_FULL
	ErrQuota       = windows.ERROR_DISK_QUOTA_EXCEEDED
	ErrReadOnly    = windows.ERROR_WRITE_PROTECT
	ErrCrossDevice = windows.ERROR_NOT_SAME_DEVICE
	ErrNameTooLong = windows.ERROR_FILENAME_EXCED_RANGE
	ErrBusy        = windows.ERROR_SHARING_VIOLATION
)

// isNotDirectory reports whether err is from using a file as a directory.
func isNotDirectory(err error) bool { return errors.Is(err, windows.ERROR_DIRECTORY) }

// isInvalidName reports whether err means that Windows cannot have such a name.
func isInvalidName(err error) bool {
	return errors.Is(err, windows.ERROR_INVALID_NAME) || errors.Is(err, windows.ERROR_BAD_PATHNAME)
}

// IsNoReader always returns false. On Windows, opening a name never opens a socket.
func IsNoReader(error) bool { return false }
