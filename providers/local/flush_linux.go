package local

import "golang.org/x/sys/unix"

// startFlush begins to write to the disk what is in memory of a file, and does not wait.
func startFlush(f *file) { _ = unix.SyncFileRange(f.fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }
