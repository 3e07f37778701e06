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
)

// lockSlots is how many bytes of the lock file keys are spread over. Two keys that
// share one wait for one another for as long as a rename takes.
const lockSlots = 256

// A lockTable locks keys against all processes. Every write and removal of a
// key holds its lock while it compares and renames: a plain write too, or it
// could come between the two steps of a conditional one, which would then
// overwrite it unseen. Bytes are written, and flushed to the disk, outside.
//
// The lock is one of a byte of the lock file, which ends with the process that has
// it. It belongs to the open file, so two drivers in one process exclude each other
// as two processes do; calls on one driver wait for each other at the slot first.
// Where a system has no such locks (see rangesWork), it is one of the whole file,
// and all keys share a slot.
//
// The file stays where it is for as long as the bucket is. One that somebody
// removed, or moved away with the reserved directory, excludes nobody who opens
// the next: so a lock counts only if the file still has its name.
type lockTable struct {
	mu    sync.Mutex
	slots [lockSlots]chan struct{} // holds one value while somebody has the slot
	file  *lockFile                // nil before the first lock
}

// A lockFile is closed when the last who uses it has let go, after it was replaced.
type lockFile struct {
	os     *os.File
	ino    uint64
	ranges bool // rangesWork
	users  int
}

// lock waits for key's lock. The caller calls unlock.
func (s *store) lock(ctx context.Context, key string) (unlock func(), err error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return s.lockBytes(ctx, int64(h.Sum32()%lockSlots), 1)
}

// lockAll waits for the locks of all keys. No other call on this driver may hold
// any.
func (s *store) lockAll(ctx context.Context) (unlock func(), err error) {
	return s.lockBytes(ctx, 0, lockSlots)
}

// lockBytes starts over where the lock turns out to be one of a file that was
// replaced. It happens once each time that somebody removes the file.
func (s *store) lockBytes(ctx context.Context, at, n int64) (unlock func(), err error) {
	var round rounds
	for {
		if err := round.next(ctx); err != nil {
			return nil, err
		}
		f, err := s.acquireLockFile()
		if err != nil {
			return nil, err
		}
		unlock, current, err := s.lockIn(ctx, f, at, n)
		if err != nil {
			return nil, err
		}
		if current {
			return unlock, nil
		}
		unlock()
		s.locks.dropReplaced(f)
	}
}

// lockIn takes over f from the caller until unlock, or until it fails. current
// reports whether the file still was the bucket's when it was locked.
func (s *store) lockIn(ctx context.Context, f *lockFile, at, n int64) (unlock func(), current bool, err error) {
	if !f.ranges {
		at = 0
	}
	turn := s.locks.slot(at)
	select {
	case turn <- struct{}{}:
	default:
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			s.locks.release(f)
			return nil, false, interrupted(ctx)
		}
	}
	releaseSlot := func() {
		<-turn
		s.locks.release(f)
	}
	if err := waitForFile(ctx, f.os, func(f *os.File) error { return tryLockRange(f, at, n) }); err != nil {
		releaseSlot()
		return nil, false, err
	}
	unlock = func() {
		_ = unlockRange(f.os, at, n)
		releaseSlot()
	}
	m, err := s.top.stat(lockPath)
	if err != nil && !isNoObject(err) {
		unlock()
		return nil, false, failure(err)
	}
	return unlock, err == nil && m.ino == f.ino, nil
}

func (t *lockTable) slot(number int64) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots[number] == nil {
		t.slots[number] = make(chan struct{}, 1)
	}
	return t.slots[number]
}

// useLockFile opens the lock file, if it is not open. The caller calls release.
func (s *store) acquireLockFile() (*lockFile, error) {
	t := &s.locks
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		f, err := s.openLockFile()
		if err != nil {
			return nil, err
		}
		t.file = f
	}
	t.file.users++
	return t.file, nil
}

func (t *lockTable) release(f *lockFile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.users--; f.users == 0 && t.file != f {
		_ = f.os.Close()
	}
}

// replaced has the next lock open the file anew.
func (t *lockTable) dropReplaced(f *lockFile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file != f {
		return
	}
	t.file = nil
	if f.users == 0 {
		_ = f.os.Close()
	}
}

func (t *lockTable) close() {
	if t.file != nil {
		_ = t.file.os.Close()
	}
}

func (s *store) openLockFile() (*lockFile, error) {
	f, err := s.root.OpenFile(lockPath, os.O_RDWR, 0)
	if isNotExist(err) {
		if err := s.makeLockFile(); err != nil {
			return nil, err
		}
		f, err = s.root.OpenFile(lockPath, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, s.pathLostError(err)
	}
	ino, err := identity(f)
	if err != nil {
		_ = f.Close()
		return nil, failure(err)
	}
	return &lockFile{os: f, ino: ino, ranges: rangesWork(f)}, nil
}

// makeLockFile makes the lock file where it is missing. It takes the place of the
// files that earlier versions locked, which may have taken the last inodes.
func (s *store) makeLockFile() error {
	create := func() error {
		f, err := s.root.OpenFile(lockPath, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		return f.Close()
	}
	_ = s.root.RemoveAll(formerLocksPath)
	err := create()
	if isNotExist(err) { // somebody moved the reserved directory away
		if err := s.makeReservedDir(); err != nil {
			return err
		}
		err = create()
	}
	if err != nil {
		return s.pathLostError(err)
	}
	return s.notDeleted()
}

func noLocksError(err error) error {
	return &storage.Error{Code: storage.Unsupported, Err: err, Hint: "the file system cannot lock files, which writes need"}
}

// waitForFile asks again and again, by tryLockFile or tryShareFile: a wait inside
// the system call could not be given up when ctx ends.
func waitForFile(ctx context.Context, f *os.File, try func(*os.File) error) error {
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 2*time.Millisecond) {
		err := try(f)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errLocked) {
			return noLocksError(err)
		}
		if ctxtime.Sleep(ctx, pause) != nil {
			return interrupted(ctx)
		}
	}
}
