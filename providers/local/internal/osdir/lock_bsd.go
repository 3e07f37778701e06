//go:build darwin || freebsd

package osdir

import "os"

// FreeBSD has no range locks that belong to an open file, and macOS documents none. POSIX
// locks belong to the process.

// RangesWork always returns false.
func RangesWork(*os.File) bool { return false }

// TryLockRange locks the whole file.
func TryLockRange(f *os.File, _, _ int64) error { return TryLock(f) }

// UnlockRange unlocks the whole file.
func UnlockRange(f *os.File, _, _ int64) error { return unlock(f) }
