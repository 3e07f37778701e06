//go:build linux || darwin

package localfile

import (
	"math"
	"path/filepath"
	"syscall"
)

// Free returns the number of bytes that this user may still write to the file system of dir, which
// need not exist, or -1 if it is unknown.
func Free(dir string) int64 {
	dir, err := filepath.Abs(dir)
	for err == nil {
		var system syscall.Statfs_t
		statErr := syscall.Statfs(dir, &system)
		if statErr == nil {
			// A product of integers could overflow. A sum of two results never does.
			const maxFree = math.MaxInt64 / 2
			free := float64(system.Bavail) * float64(system.Bsize)
			return int64(min(free, maxFree))
		}

		// A missing directory would be in the file system of its parent.
		parent := filepath.Dir(dir)
		if statErr != syscall.ENOENT || parent == dir {
			return -1
		}
		dir = parent
	}
	return -1
}
