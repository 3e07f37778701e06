//go:build !(aix || darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || solaris)

package localfile

import (
	"io/fs"
	"time"
)

// Written returns the zero time, because the system does not report when a file was last written.
func Written(fs.FileInfo) time.Time { return time.Time{} }

// Inode returns 0, because the system does not report the number of a file.
func Inode(fs.FileInfo) uint64 { return 0 }
