// Package filelock locks files. A lock also excludes other open files of the same process.
package filelock

import (
	"os"
	"runtime"
)

// Try locks the whole file until it is closed, and does not wait. The result free is false if
// another open file holds the lock. If the system or the file system has no locks, Try locks
// nothing. The result free is then true, and the result certain is false.
func Try(f *os.File) (free, certain bool) { return try(f) }

// RemovesOpenFiles reports whether this system can remove a file that is open.
func RemovesOpenFiles() bool {
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly":
		return true
	}
	return false
}
