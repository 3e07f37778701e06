//go:build unix

package encrypt

import (
	"io/fs"
	"os"
	"syscall"
)

// isForeign reports whether a file belongs to another user than that of this process. Root does not
// count, because root may write everywhere.
func isForeign(file fs.FileInfo) bool {
	stat, ok := file.Sys().(*syscall.Stat_t)
	return ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid()
}
