//go:build unix

package partfile

import (
	"os"
	"syscall"
)

// ownedAlone reports whether a file is this user's and has one name. In a directory that others may write to, they
// could make one that is another name of a file of this user.
func ownedAlone(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Geteuid()) && stat.Nlink == 1
}
