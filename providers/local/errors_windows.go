package local

import (
	"errors"

	"golang.org/x/sys/windows"
)

const (
	errDiskFull    = windows.ERROR_DISK_FULL
	errQuota       = windows.ERROR_DISK_QUOTA_EXCEEDED
	errReadOnly    = windows.ERROR_WRITE_PROTECT
	errCrossDevice = windows.ERROR_NOT_SAME_DEVICE
	errNameTooLong = windows.ERROR_FILENAME_EXCED_RANGE
	errBusy        = windows.ERROR_SHARING_VIOLATION
)

// isNotDirectory reports whether err is from using a file as a directory.
func isNotDirectory(err error) bool { return errors.Is(err, windows.ERROR_DIRECTORY) }

// isInvalidName reports whether err means that Windows cannot have such a name.
func isInvalidName(err error) bool {
	return errors.Is(err, windows.ERROR_INVALID_NAME) || errors.Is(err, windows.ERROR_BAD_PATHNAME)
}

func isNoReader(error) bool { return false }
