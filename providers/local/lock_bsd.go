//go:build darwin || freebsd

package local

import "os"

// FreeBSD has no range locks that belong to an open file, and macOS documents none. POSIX
// locks belong to the process.

func rangesWork(*os.File) bool { return false }

func tryLockRange(f *os.File, _, _ int64) error { return tryLockFile(f) }

func unlockRange(f *os.File, _, _ int64) error { return unlockFile(f) }
