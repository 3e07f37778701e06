package local

import (
	"context"
	"errors"
	"hash/fnv"
	"os"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// lockSlots is the number of bytes of the lock file among which keys are distributed. Two
// keys that share a byte wait for each other for the time of a rename.
const lockSlots = 256

// locks lock keys against all processes. Every write and removal of a key holds
// its lock while it compares and renames. An unconditional write does so, too: otherwise
// a conditional write could compare before it and overwrite it after. Bytes are written
// and flushed without the lock.
//
// A lock is on a byte of the lock file, and ends with its process. It belongs to the open
// file, so that two drivers in one process exclude each other as two processes do. Calls
// on one driver first wait for each other at the slot. If the system has no such locks
// (see osdir.RangesWork), a lock is on the whole file, and all keys share a slot.
//
// The file stays as long as the bucket. If another program removes it, or moves it away
// with the reserved directory, the next process opens a new one. A lock is therefore only
// valid if the file still has its name, in the directory at the bucket's path.
type locks struct {
	tree *tree

	mu    sync.Mutex
	slots [lockSlots]chan struct{} // has one value while the slot is taken
	file  *lockFile                // nil before the first lock
}

// A lockFile is an open lock file. After it was replaced, the last user closes it.
type lockFile struct {
	os     *os.File
	ino    uint64
	ranges bool // osdir.RangesWork
	users  int
}

// lock waits for the lock of key. The caller must call unlock.
func (l *locks) lock(ctx context.Context, key string) (unlock func(), err error) {
	return l.lockBytes(ctx, byteOf(key), 1)
}

func byteOf(key string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int64(h.Sum32() % lockSlots)
}

// lockBoth waits for the locks of two keys. It takes them in the order of their bytes, so that no two
// calls wait for each other.
func (l *locks) lockBoth(ctx context.Context, key, other string) (unlock func(), err error) {
	f, err := l.acquireLockFile()
	if err != nil {
		return nil, err
	}
	defer l.release(f)
	first, second := min(byteOf(key), byteOf(other)), max(byteOf(key), byteOf(other))
	unlockFirst, err := l.lockBytes(ctx, first, 1)
	if err != nil || first == second || !f.ranges {
		return unlockFirst, err
	}
	unlockSecond, err := l.lockBytes(ctx, second, 1)
	if err != nil {
		unlockFirst()
		return nil, err
	}
	unlock = func() { unlockSecond(); unlockFirst() }
	if !l.has(f) { // the file was replaced: the first lock may be on another file than the second
		unlock()
		return nil, errReplaced
	}
	return unlock, nil
}

func (l *locks) has(f *lockFile) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file == f
}

// lockAll waits for the locks of all keys. No other call on this driver may hold a lock.
func (l *locks) lockAll(ctx context.Context) (unlock func(), err error) {
	return l.lockBytes(ctx, 0, lockSlots)
}

// lockBytes locks n bytes. If the lock file was replaced meanwhile, it starts over. It starts
// over once for each time that another program removes the file.
func (l *locks) lockBytes(ctx context.Context, at, n int64) (unlock func(), err error) {
	err = retry(ctx, func() error {
		f, err := l.acquireLockFile()
		if err != nil {
			return err
		}
		locked, current, err := l.lockIn(ctx, f, at, n)
		if err != nil {
			return err
		}
		if !current {
			l.drop(f)
			locked()
			return errAgain
		}
		if err := l.tree.checkPlace(); err != nil {
			locked()
			return err
		}
		unlock = locked
		return nil
	})
	return unlock, err
}

// lockIn locks n bytes of f. It releases f when it fails, and otherwise at unlock. current
// reports whether f was still the bucket's lock file when it was locked.
func (l *locks) lockIn(ctx context.Context, f *lockFile, at, n int64) (unlock func(), current bool, err error) {
	if !f.ranges {
		at = 0
	}
	turn := l.slot(at)
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		l.release(f)
		return nil, false, interrupted(ctx)
	}
	if err := waitForLock(ctx, f.os, func(f *os.File) error { return osdir.TryLockRange(f, at, n) }); err != nil {
		<-turn
		l.release(f)
		return nil, false, err
	}
	unlock = func() {
		_ = osdir.UnlockRange(f.os, at, n)
		<-turn
		l.release(f)
	}
	m, err := l.tree.top.Stat(lockPath)
	if err != nil && !osdir.IsNoFile(err) {
		unlock()
		return nil, false, failure(err)
	}
	return unlock, err == nil && m.Ino == f.ino, nil
}

func (l *locks) slot(number int64) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slots[number] == nil {
		l.slots[number] = make(chan struct{}, 1)
	}
	return l.slots[number]
}

// acquireLockFile opens the lock file, if it is not open. The caller must call release.
func (l *locks) acquireLockFile() (*lockFile, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		f, err := l.openLockFile()
		if err != nil {
			return nil, err
		}
		l.file = f
	}
	l.file.users++
	return l.file, nil
}

func (l *locks) release(f *lockFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.users--; f.users == 0 && l.file != f {
		_ = f.os.Close()
	}
}

// drop makes the next lock open the file again. The last release closes f.
func (l *locks) drop(f *lockFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == f {
		l.file = nil
	}
}

func (l *locks) close() {
	if l.file != nil {
		_ = l.file.os.Close()
	}
}

func (l *locks) openLockFile() (*lockFile, error) {
	f, err := l.tree.makeLockFile()
	if err != nil {
		return nil, err
	}
	ino, err := osdir.Identity(f)
	if err != nil {
		_ = f.Close()
		return nil, failure(err)
	}
	return &lockFile{os: f, ino: ino, ranges: osdir.RangesWork(f)}, nil
}

// makeLockFile opens the lock file, and makes it if it does not exist.
func (t *tree) makeLockFile() (*os.File, error) {
	open := func() (*os.File, error) { return t.root.OpenFile(lockPath, os.O_RDWR|os.O_CREATE, 0o666) }
	f, err := open()
	if osdir.IsNotExist(err) { // another program moved the reserved directory away
		if err := t.mkdirs(tmpPath); err != nil {
			return nil, err
		}
		f, err = open()
	}
	if err != nil {
		return nil, t.pathLostError(err)
	}
	return f, nil
}

func noLocksError(err error) error {
	return &storage.Error{
		Code: storage.Unsupported, Err: err, Hint: "use a file system that can lock files: writes need it",
	}
}

// waitForLock calls try, such as osdir.TryShare, until it succeeds. It does
// not wait in a system call, which the end of ctx could not interrupt.
func waitForLock(ctx context.Context, f *os.File, try func(*os.File) error) error {
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 2*time.Millisecond) {
		err := try(f)
		if err == nil {
			return nil
		}
		if !errors.Is(err, osdir.ErrLocked) {
			return noLocksError(err)
		}
		if ctxtime.Sleep(ctx, pause) != nil {
			return interrupted(ctx)
		}
	}
}
