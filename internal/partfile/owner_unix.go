//go:build unix

package partfile

import (
	"os"
	"syscall"
)

// isOwnedAlone reports whether a file belongs to this user and has only one name. In a directory that
// all users may write to, another user could create a hard link to a file of this user.
func isOwnedAlone(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Geteuid()) && stat.Nlink == 1
}
