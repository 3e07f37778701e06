//go:build aix || dragonfly || illumos || linux || openbsd || solaris

package localfile

import (
	"io/fs"
	"syscall"
	"time"
)

// Written returns the time at which a file was last written or renamed, by the clock of the file
// system. Unlike the modification time, no program can set it back. It is zero if the system does
// not report it, and for a file with several names, because removing one of them changes the time
// although nothing was written.
func Written(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink > 1 {
		return time.Time{}
	}
	return time.Unix(stat.Ctim.Unix())
}

// Inode returns the number of a file in its file system, or 0 if the system does not report it.
func Inode(info fs.FileInfo) uint64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(stat.Ino)
}
