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

// noDirectory is what looking below a file meets.
func isNotDirectory(err error) bool { return errors.Is(err, windows.ERROR_DIRECTORY) }

// noName is what asking for a name meets that Windows cannot hold.
func isInvalidName(err error) bool {
	return errors.Is(err, windows.ERROR_INVALID_NAME) || errors.Is(err, windows.ERROR_BAD_PATHNAME)
}

func isNoReader(error) bool { return false }
