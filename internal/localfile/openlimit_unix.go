//go:build unix

package localfile

import "syscall"

// OpenLimit returns the number of files, including connections, that the process may have open at
// the same time. known is false if the system has no such limit.
func OpenLimit() (files uint64, known bool) {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0, false
	}
	return uint64(limit.Cur), true
}
