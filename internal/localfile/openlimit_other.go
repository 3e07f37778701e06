//go:build !unix

package localfile

// OpenLimit returns the number of files, including connections, that the process may have open at the same time. known is
// false if the system has no such limit.
func OpenLimit() (files uint64, known bool) { return 0, false }
