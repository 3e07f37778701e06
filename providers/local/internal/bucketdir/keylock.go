package bucketdir

import (
	"context"
	"errors"
	"hash/fnv"
	"os"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// lockSlots is the number of bytes in the lock file. Each key is assigned to one byte. If two keys
// have the same byte, their calls wait for each other. A call holds the lock only for the time of a
// rename.
const lockSlots = 256

// Locks lock keys against the calls of all processes. A call that writes or removes an object locks
// the key of the object. The call holds the lock while it checks the condition and renames or
// removes files. An unconditional write also needs the lock. Otherwise it could change the object
// between the check and the rename of a conditional write. No lock is held while the bytes of an
// object are written and flushed.
//
// A lock covers one byte of the lock file. The system removes the lock when the process ends. Each
// driver opens the lock file itself, so the system keeps the locks of two drivers apart, even in
// one process.
//
// All calls on one driver share one open file, so the system does not keep their locks apart. The
// driver therefore has a channel for each byte, in the array slots. A call waits for the channel of
// a byte before it locks the byte. Some systems can lock only whole files (see osdir.RangesWork).
// On these systems, all keys share one lock and one channel.
//
// If another program removes the lock file, or moves the reserved directory away, the next process
// creates a new lock file. A lock on the old file protects nothing. So a call that has locked a
// byte checks that the lock file is still at its path in the bucket.
type Locks struct {
	Tree *Tree

	mu    sync.Mutex
	slots [lockSlots]chan struct{} // each channel has one value while a call of this driver has the slot
	file  *lockFile                // nil before the first lock
}

// A lockFile is an open lock file. After Locks has replaced a lockFile by a newer one, the last
// user of the old lockFile closes it.
type lockFile struct {
	os     *os.File
	ino    uint64
	ranges bool // osdir.RangesWork
	users  int
}

// Lock waits for the lock of key. The caller must call unlock.
func (l *Locks) Lock(ctx context.Context, key string) (unlock func(), err error) {
	return l.lockBytes(ctx, byteOf(key), 1)
}

// byteOf returns the offset of a key's byte in the lock file.
func byteOf(key string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	return int64(h.Sum32() % lockSlots)
}

// LockBoth waits for the locks of two keys. All calls take them in the order of their offsets, so that
// no two calls wait for each other forever.
func (l *Locks) LockBoth(ctx context.Context, key, otherKey string) (unlock func(), err error) {
	// Remember the lock file, to find out at the end whether both locks are on it.
	f, err := l.acquireLockFile()
	if err != nil {
		return nil, err
	}
	defer l.release(f)

	first := min(byteOf(key), byteOf(otherKey))
	second := max(byteOf(key), byteOf(otherKey))
	unlockFirst, err := l.lockBytes(ctx, first, 1)
	if err != nil {
		return nil, err
	}
	if first == second || !f.ranges {
		// The keys share a byte of the file, or all keys share one lock.
		return unlockFirst, nil
	}
	unlockSecond, err := l.lockBytes(ctx, second, 1)
	if err != nil {
		unlockFirst()
		return nil, err
	}

	unlock = func() {
		unlockSecond()
		unlockFirst()
	}
	if !l.isCurrent(f) {
		// The two locks may be on different files, because the file was replaced.
		unlock()
		return nil, ErrReplaced
	}
	return unlock, nil
}

// isCurrent reports whether the driver still uses f as its lock file.
func (l *Locks) isCurrent(f *lockFile) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file == f
}

// LockAll waits for the locks of all keys. No other call on this driver may hold a lock.
func (l *Locks) LockAll(ctx context.Context) (unlock func(), err error) {
	return l.lockBytes(ctx, 0, lockSlots)
}

// TryLockAll takes the locks of all keys, which are ranges of the lock file, or returns false if another
// process has one of them. The locks end only when unlock was called and the bucket is closed, which
// closes the lock file.
func (l *Locks) TryLockAll() (unlock func(), ok bool) {
	f, err := l.acquireLockFile()
	if err != nil {
		return nil, false
	}
	if osdir.TryLockRange(f.os, 0, lockSlots) != nil {
		l.release(f)
		return nil, false
	}
	return func() { l.release(f) }, true
}

// lockBytes waits for a lock of n bytes of the lock file. It starts again if another program replaces
// the file meanwhile.
func (l *Locks) lockBytes(ctx context.Context, offset, n int64) (unlock func(), err error) {
	return RetryFor(ctx, func() (func(), error) { return l.tryLockBytes(ctx, offset, n) })
}

// tryLockBytes locks n bytes of the lock file. It fails with ErrRetry if another program has replaced
// the file meanwhile.
func (l *Locks) tryLockBytes(ctx context.Context, offset, n int64) (unlock func(), err error) {
	f, err := l.acquireLockFile()
	if err != nil {
		return nil, err
	}
	unlock, err = l.lockRange(ctx, f, offset, n)
	if err != nil {
		return nil, err
	}

	// The lock counts only if the file at the path is the locked one.
	meta, err := l.Tree.Top.Stat(LockPath)
	isMissing := osdir.IsNoFile(err)
	if err != nil && !isMissing {
		unlock()
		return nil, WrapError(err)
	}
	if isMissing || meta.Ino != f.ino {
		// Open the new lock file in the next attempt.
		l.forget(f)
		unlock()
		return nil, ErrRetry
	}
	// The lock is useless if the bucket's path leads to another directory now.
	if err := l.Tree.CheckPath(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// lockRange locks n bytes of f, and returns the function that unlocks them and releases f. If it fails, it
// releases f itself.
func (l *Locks) lockRange(ctx context.Context, f *lockFile, offset, n int64) (unlock func(), err error) {
	if !f.ranges {
		// All keys share one lock.
		offset = 0
	}

	// First exclude other calls of this process, and then other processes.
	slot := l.slot(offset)
	select {
	case slot <- struct{}{}:
	case <-ctx.Done():
		l.release(f)
		return nil, ContextError(ctx)
	}

	tryLock := func(f *os.File) error { return osdir.TryLockRange(f, offset, n) }
	if err := WaitForLock(ctx, f.os, tryLock); err != nil {
		<-slot
		l.release(f)
		return nil, err
	}
	return func() {
		// If this fails, closing the file ends the lock.
		_ = osdir.UnlockRange(f.os, offset, n)
		<-slot
		l.release(f)
	}, nil
}

// slot returns the channel of the byte at offset, which excludes calls of this process from each
// other.
func (l *Locks) slot(offset int64) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slots[offset] == nil {
		l.slots[offset] = make(chan struct{}, 1)
	}
	return l.slots[offset]
}

// acquireLockFile returns the lock file, and opens it if it is not open. The caller must release it.
func (l *Locks) acquireLockFile() (*lockFile, error) {
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

// release ends the use of f, and closes it after its last use if another file has replaced it.
func (l *Locks) release(f *lockFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.users--
	if f.users == 0 && l.file != f {
		_ = f.os.Close()
	}
}

// forget makes acquireLockFile open another lock file in place of f, which its last user closes.
func (l *Locks) forget(f *lockFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == f {
		l.file = nil
	}
}

// Close closes the lock file. No call may hold a lock.
func (l *Locks) Close() {
	if l.file != nil {
		_ = l.file.os.Close()
	}
}

// openLockFile opens the lock file, and finds out whether the system can lock ranges of it.
func (l *Locks) openLockFile() (*lockFile, error) {
	f, err := l.Tree.makeLockFile()
	if err != nil {
		return nil, err
	}

	inode, err := osdir.Identity(f)
	if err != nil {
		_ = f.Close()
		return nil, WrapError(err)
	}
	return &lockFile{os: f, ino: inode, ranges: osdir.RangesWork(f)}, nil
}

// makeLockFile opens the lock file of the bucket, and creates it if it does not exist.
func (t *Tree) makeLockFile() (*os.File, error) {
	const flags = os.O_RDWR | os.O_CREATE
	f, err := t.Root.OpenFile(LockPath, flags, 0o666)
	if osdir.IsNotExist(err) {
		// Another program has moved the reserved directory away.
		if err := t.Mkdirs(TmpPath); err != nil {
			return nil, err
		}
		f, err = t.Root.OpenFile(LockPath, flags, 0o666)
	}
	if err != nil {
		return nil, t.PathLostError(err)
	}
	return f, nil
}

// noLocksError returns the error for a file system that cannot lock files.
func noLocksError(err error) error {
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  err,
		Hint: "use a file system that can lock files: writes need it",
	}
}

// WaitForLock calls try, such as osdir.TryShare, until it locks f or ctx ends. It polls, because the
// end of ctx cannot interrupt a system call that waits.
func WaitForLock(ctx context.Context, f *os.File, try func(*os.File) error) error {
	const (
		minPause = 50 * time.Microsecond
		maxPause = 2 * time.Millisecond
	)
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := try(f)
		if err == nil {
			return nil
		}
		if !errors.Is(err, osdir.ErrLocked) {
			return noLocksError(err)
		}
		if running.Sleep(ctx, pause) != nil {
			return ContextError(ctx)
		}
	}
}
