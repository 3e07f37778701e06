package local

import (
	"context"
	"errors"
	"hash/fnv"
	"os"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

// lockSlots is how many files keys are spread over. Two keys that share one
// wait for one another for as long as a rename takes.
const lockSlots = 256

// A lockTable locks keys against all processes. Every write and removal of a
// key holds its lock while it compares and renames: a plain write too, or it
// could come between the two steps of a conditional one, which would then
// overwrite it unseen. Bytes are written, and flushed to the disk, outside.
//
// The lock is one of the file (flock, LockFileEx), which ends with the process
// that has it. It belongs to the open file, so two drivers in one process
// exclude each other as two processes do; calls on one driver wait for each
// other at the slot first.
type lockTable struct {
	mu    sync.Mutex
	slots [lockSlots]*lockSlot
}

type lockSlot struct {
	turn chan struct{} // holds one value while somebody has the slot
	file *os.File      // belongs to who has the turn
}

// lock waits for key's lock. The caller calls unlock.
func (s *store) lock(ctx context.Context, key string) (unlock func(), err error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	number := int(h.Sum32() % lockSlots)
	slot := s.locks.slot(number)
	select {
	case slot.turn <- struct{}{}:
	default:
		select {
		case slot.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, interrupted(ctx)
		}
	}
	if slot.file == nil {
		if slot.file, err = s.lockFile(number); err != nil {
			<-slot.turn
			return nil, err
		}
	}
	if err := waitForFile(ctx, slot.file, tryLockFile); err != nil {
		<-slot.turn
		return nil, err
	}
	return slot.unlock, nil
}

func (l *lockSlot) unlock() {
	_ = unlockFile(l.file)
	<-l.turn
}

func (t *lockTable) slot(number int) *lockSlot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots[number] == nil {
		t.slots[number] = &lockSlot{turn: make(chan struct{}, 1)}
	}
	return t.slots[number]
}

func (t *lockTable) close() {
	for _, slot := range t.slots {
		if slot != nil && slot.file != nil {
			_ = slot.file.Close()
		}
	}
}

func (s *store) lockFile(number int) (*os.File, error) {
	path := locksPath + "/" + string([]byte{hexDigits[number>>4], hexDigits[number&15]})
	f, err := s.root.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, s.lost(err)
	}
	return f, nil
}

func noLocks(err error) error {
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
			return noLocks(err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return interrupted(ctx)
		case <-timer.C:
		}
	}
}
