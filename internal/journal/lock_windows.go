package journal

import (
	"os"
	"syscall"
	"unsafe"
)

const removesOpenFiles = false

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

// tryLock locks the file against other calls until it is closed. It returns false if
// another call holds it. The locked byte is past the end of every journal: a lock on Windows
// keeps others from reading and writing.
func tryLock(f *os.File) bool {
	const (
		failImmediately  = 1
		exclusive        = 2
		errLockViolation = syscall.Errno(33)
	)
	at := syscall.Overlapped{OffsetHigh: 1 << 20}
	done, _, err := lockFileEx.Call(f.Fd(), failImmediately|exclusive, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	return done != 0 || err != errLockViolation
}
