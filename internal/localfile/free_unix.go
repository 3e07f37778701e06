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
	const unknown = -1
	dir, err := filepath.Abs(dir)
	if err != nil {
		return unknown
	}

	// A missing directory would be in the file system of its parent.
	var system syscall.Statfs_t
	err = syscall.Statfs(dir, &system)
	for err == syscall.ENOENT && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		err = syscall.Statfs(dir, &system)
	}
	if err != nil {
		return unknown
	}

	// The product of the integers could overflow. The limit lets callers add two results.
	const maxFree = math.MaxInt64 / 2
	free := float64(system.Bavail) * float64(system.Bsize)
	return int64(min(free, maxFree))
}
