//go:build darwin || freebsd

package osdir

import "os"

// On these systems, a lock is always on the whole file. POSIX locks can be on a range, but they
// belong to the process, not to an open file. FreeBSD has no range locks that belong to an open
// file, and macOS does not document them.

// RangesWork always returns false, because these systems lock whole files.
func RangesWork(*os.File) bool { return false }

// TryLockRange locks the whole file.
func TryLockRange(f *os.File, _, _ int64) error { return TryLock(f) }

// UnlockRange unlocks the whole file.
func UnlockRange(f *os.File, _, _ int64) error { return unlock(f) }
