package localfile

import (
	"os"
	"syscall"
	"unsafe"
)

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

// tryLock locks one byte of f. free is false if another process has locked it, and certain is false
// if the file system cannot lock files.
//
// The byte lies beyond the end of any file, because a lock on Windows prevents other processes from
// reading and writing the locked bytes.
func tryLock(f *os.File) (free, certain bool) {
	const (
		failImmediately  = 1
		exclusive        = 2
		errLockViolation = syscall.Errno(33)
	)
	offset := syscall.Overlapped{OffsetHigh: 1 << 20} // beyond the end of any file
	locked, _, err := lockFileEx.Call(f.Fd(), failImmediately|exclusive, 0, 1, 0, uintptr(unsafe.Pointer(&offset)))
	if locked != 0 {
		// This process has locked the byte.
		return true, true
	}
	if err == errLockViolation {
		// Another process has locked the byte.
		return false, true
	}
	// The file system cannot lock files.
	return true, false
}
