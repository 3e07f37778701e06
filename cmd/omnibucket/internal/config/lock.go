package config

import (
	"context"
	"os"
	"time"

	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/running"
)

// LockBeside locks the file at path, so that other processes that call LockBeside wait. The lock is
// on a second file, whose name ends in ".lock", because a write replaces the file at path. On a
// file system without locks, LockBeside locks nothing.
func LockBeside(ctx context.Context, path string) (unlock func(), err error) {
	path += ".lock"
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err = waitForLock(ctx, f); err != nil {
			_ = f.Close()
			return nil, err
		}
		if isFileAt(f, path) {
			return func() { removeLocked(f, path) }, nil
		}
		// The process that held the lock has removed this file.
		_ = f.Close()
	}
}

// waitForLock tries to lock a file until it succeeds or ctx is done. It does not use a blocking
// system call, because ctx could not interrupt that.
func waitForLock(ctx context.Context, f *os.File) error {
	const pause = 5 * time.Millisecond
	for {
		if free, _ := localfile.TryLock(f); free {
			return nil
		}
		if err := running.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// isFileAt reports whether an open file still has this path.
func isFileAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	current, err := os.Stat(path)
	if err != nil {
		return false
	}
	return os.SameFile(opened, current)
}

// removeLocked removes the lock file before unlocking it, so that a waiting process sees that the
// file is gone. The lock file stays on a system that cannot remove an open file, such as Windows.
func removeLocked(f *os.File, path string) {
	if localfile.RemovesOpenFiles() {
		_ = os.Remove(path)
	}
	_ = f.Close()
}
