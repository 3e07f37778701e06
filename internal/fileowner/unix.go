//go:build unix

package fileowner

import (
	"io/fs"
	"os"
	"syscall"
)

// IsForeign reports whether a file belongs to another user than that of this process. Root does not
// count, because root may write everywhere.
func IsForeign(file fs.FileInfo) bool {
	stat, ok := file.Sys().(*syscall.Stat_t)
	return ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid()
}
