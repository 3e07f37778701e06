package localfile

import (
	"os"
	"runtime"
)

// TryLock locks the whole file until it is closed, and does not wait. The lock also excludes other
// open files of this process. The result free is false if another open file holds the lock. If the
// system or the file system has no locks, TryLock locks nothing. The result free is then true, and the
// result certain is false.
func TryLock(f *os.File) (free, certain bool) { return tryLock(f) }

// RemovesOpenFiles reports whether this system can remove a file that is open.
func RemovesOpenFiles() bool {
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly":
		return true
	}
	return false
}
