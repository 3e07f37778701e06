//go:build aix || dragonfly || illumos || linux || openbsd || solaris

package localfile

import (
	"io/fs"
	"syscall"
	"time"
)

// Written returns when a file was written or renamed last, or the zero time if the system does not report it. The
// time is by the clock of the file system: no program can set it back, unlike the modification time. It is zero, too,
// for a file with several names, because removing one of them sets it.
func Written(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink > 1 {
		return time.Time{}
	}
	return time.Unix(stat.Ctim.Unix())
}
