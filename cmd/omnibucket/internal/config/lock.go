package config

import (
	"context"
	"os"
	"time"

	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/running"
)

// LockBeside waits until no other process holds the lock of the file at path, and takes it. Because a write replaces
// that file, the lock is on one beside it, whose name ends in ".lock". On a file system without locks, LockBeside
// locks nothing.
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
			return func() { unlockAndRemove(f, path) }, nil
		}

		// The process that held the lock before has removed this file, so lock the next one.
		_ = f.Close()
	}
}

// waitForLock tries to lock a file until it succeeds or ctx is done. It polls, because ctx could not interrupt a system
// call that blocks.
func waitForLock(ctx context.Context, f *os.File) error {
	const pollInterval = 5 * time.Millisecond
	for {
		if locked, _ := localfile.TryLock(f); locked {
			return nil
		}
		if err := running.Sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// isFileAt reports whether path still names the open file.
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

// unlockAndRemove removes a lock file, except on a system that cannot remove an open file, and releases the lock.
func unlockAndRemove(f *os.File, path string) {
	// The file goes while it is locked, so that a process that waits for the lock finds it gone.
	if localfile.RemovesOpenFiles() {
		_ = os.Remove(path)
	}
	_ = f.Close()
}
