//go:build unix

package removefile

import (
	"io/fs"
	"syscall"
)

// inode returns the number of a file on its file system, or 0 if it is not known.
func inode(info fs.FileInfo) uint64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(stat.Ino)
}
