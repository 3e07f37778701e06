//go:build darwin || freebsd || netbsd

package localfile

import (
	"io/fs"
	"syscall"
	"time"
)

// Written returns the time at which a file was last written or renamed, or the zero time if the system does not report
// it. The time comes from the clock of the file system. Unlike the modification time, no program can set it back. For a
// file with several names, Written also returns the zero time, because removing a name would change the time.
func Written(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink > 1 {
		return time.Time{}
	}
	return time.Unix(stat.Ctimespec.Unix())
}

// Inode returns the number of a file in its file system, or 0 if the system does not report it.
func Inode(info fs.FileInfo) uint64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(stat.Ino)
}
