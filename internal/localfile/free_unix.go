//go:build linux || darwin

package localfile

import (
	"math"
	"path/filepath"
	"syscall"
)

// Free returns the number of bytes that this user may still write to the file system of dir, or -1
// if that is unknown. dir need not exist.
func Free(dir string) int64 {
	dir, err := filepath.Abs(dir)
	for err == nil {
		var system syscall.Statfs_t
		failure := syscall.Statfs(dir, &system)
		if failure == nil {
			free := float64(system.Bavail) * float64(system.Bsize)
			return int64(min(free, math.MaxInt64/2))
		}
		if failure != syscall.ENOENT || filepath.Dir(dir) == dir {
			return -1
		}
		dir = filepath.Dir(dir)
	}
	return -1
}
