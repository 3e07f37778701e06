//go:build darwin || freebsd

package osdir

import "os"

// On FreeBSD, locks on a range of a file belong to the process (POSIX locks). Locks that belong to
// an open file do not exist, and macOS does not document any. So a lock is always on the whole
// file.

// RangesWork always returns false, because these systems lock whole files.
func RangesWork(*os.File) bool { return false }

// TryLockRange locks the whole file.
func TryLockRange(f *os.File, _, _ int64) error { return TryLock(f) }

// UnlockRange unlocks the whole file.
func UnlockRange(f *os.File, _, _ int64) error { return unlock(f) }
