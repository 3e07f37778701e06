//go:build unix

package evidence

import (
	"os"
	"syscall"
)

// areOnOneFileSystem reports whether two directories are on the same device. If they are not, they may
// still be the same directory, for example through a network mount.
func areOnOneFileSystem(a, b string) bool {
	first, ok := device(nearestExisting(a))
	second, both := device(nearestExisting(b))
	return ok && both && first == second
}

// device returns the number of the file system of path, and false if it is unknown.
func device(path string) (uint64, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(stat.Dev), true //nolint:unconvert // its type differs between systems
}
