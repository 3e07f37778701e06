package config

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/omnibucket/storage/internal/ctxtime"
)

// LockBeside waits until no other process changes a file, and keeps others from changing it. The
// lock is on another file, because the file itself is replaced. On a file system without locks it
// does nothing.
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
		if isAt(f, path) {
			return func() { removeLocked(f, path) }, nil
		}
		_ = f.Close() // its holder has removed it
	}
}

// waitForLock does not wait in a system call, which the end of ctx could not interrupt.
func waitForLock(ctx context.Context, f *os.File) error {
	const pause = 5 * time.Millisecond
	for errors.Is(tryLock(f), errLocked) {
		if err := ctxtime.Sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

func isAt(f *os.File, path string) bool {
	own, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(own, there)
}

// removeLocked removes a file while it is locked: a process that waits for the lock then sees that
// the file has been replaced. Windows does not remove an open file, so the file stays there.
func removeLocked(f *os.File, path string) {
	if runtime.GOOS != "windows" {
		_ = os.Remove(path)
	}
	_ = f.Close()
}
