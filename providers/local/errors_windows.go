package local

import "golang.org/x/sys/windows"

const (
	errDiskFull    = windows.ERROR_DISK_FULL
	errQuota       = windows.ERROR_DISK_QUOTA_EXCEEDED
	errReadOnly    = windows.ERROR_WRITE_PROTECT
	errCrossDevice = windows.ERROR_NOT_SAME_DEVICE
	errNameTooLong = windows.ERROR_FILENAME_EXCED_RANGE
)

func errNoReader(error) bool { return false }
