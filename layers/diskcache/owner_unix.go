//go:build unix

package diskcache

import (
	"io/fs"
	"os"
	"syscall"
)

// isForeign reports whether a directory belongs to another user than that of this process. Root
// does not count, because root may write everywhere.
func isForeign(dir fs.FileInfo) bool {
	stat, ok := dir.Sys().(*syscall.Stat_t)
	return ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid()
}
