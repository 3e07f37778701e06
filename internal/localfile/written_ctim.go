//go:build aix || dragonfly || illumos || linux || openbsd || solaris

package localfile

import (
	"io/fs"
	"syscall"
	"time"
)

// Written returns when a file was written or renamed last, by the clock of its file system. A program can set the
// modification time back, but not this one. It is the zero time if the system does not tell.
func Written(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}
	}
	return time.Unix(stat.Ctim.Unix())
}
