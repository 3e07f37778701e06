//go:build !(aix || darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || solaris)

package localfile

import (
	"io/fs"
	"time"
)

// Written returns the zero time, because the system does not report when a file was last written.
func Written(fs.FileInfo) time.Time { return time.Time{} }
