//go:build !(aix || darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || solaris)

package localfile

import (
	"io/fs"
	"time"
)

// Written returns the zero time, because the system does not tell when a file was written last.
func Written(fs.FileInfo) time.Time { return time.Time{} }
