// Package filelock locks files against other open files, also of the same process.
package filelock

import (
	"os"
	"runtime"
)

// Try locks the whole file until it is closed. It returns free false if another open file has the lock. If the
// system or the file system has no locks, nothing is locked: it returns free true, and certain false.
func Try(f *os.File) (free, certain bool) { return try(f) }

// RemovesOpenFiles reports whether this system can remove a file that is open.
func RemovesOpenFiles() bool {
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly":
		return true
	}
	return false
}
