package uploads

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A memory bounds buffers of all tus uploads. If some wait, the next is one whose owner has least.
type memory struct {
	limit int64
	wait  time.Duration // memoryWait; tests make it shorter
	// spare is set if an owner may not have more than is free for others. Then many owners who
	// take what they can leave something for the next one.
	spare bool

	mu      sync.Mutex
	used    int64
	owners  map[string]int64 // what each of them has of used
	waiting []*memoryWaiter
}

type memoryWaiter struct {
	owner   string
	bytes   int64
	granted chan struct{}
}

func newMemory(limit int64) *memory {
	return &memory{limit: limit, wait: memoryWait, owners: map[string]int64{}}
}

// newSharedMemory returns a memory of which each owner leaves some.
func newSharedMemory(limit int64) *memory {
	m := newMemory(limit)
	m.spare = true
	return m
}

// memoryWait is how long a request waits for a buffer.
const memoryWait = 30 * time.Second

// try returns whether there is space for bytes, and takes it. Nobody may wait for space.
func (m *memory) try(owner string, bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) > 0 || !m.fits(bytes) || !m.allows(owner, bytes) {
		return false
	}
	m.take(owner, bytes)
	return true
}

// fits reports whether there is space for bytes. The lock is held.
func (m *memory) fits(bytes int64) bool { return m.used+bytes <= m.limit || m.used == 0 }

// allows reports whether owner may have bytes more. The lock is held.
func (m *memory) allows(owner string, bytes int64) bool {
	has := m.owners[owner]
	return !m.spare || has == 0 || has+bytes <= m.limit-m.used-bytes
}

// take gives bytes to owner. The lock is held.
func (m *memory) take(owner string, bytes int64) {
	m.used += bytes
	if m.owners[owner] += bytes; m.owners[owner] == 0 {
		delete(m.owners, owner)
	}
}

// contended reports whether a request waits for space.
func (m *memory) contended() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting) > 0
}

// acquire waits until there is space for bytes, and returns false after wait or if
// ctx is done.
func (m *memory) acquire(ctx context.Context, owner string, bytes int64) bool {
	m.mu.Lock()
	w := &memoryWaiter{owner: owner, bytes: bytes, granted: make(chan struct{})}
	m.waiting = append(m.waiting, w)
	m.grant()
	m.mu.Unlock()
	timer := time.NewTimer(m.wait)
	defer timer.Stop()
	select {
	case <-w.granted:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return m.abandon(w)
}

// abandon removes w from the queue, and returns true if it was granted meanwhile.
func (m *memory) abandon(w *memoryWaiter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.waiting, w)
	if i < 0 {
		return true
	}
	m.waiting = slices.Delete(m.waiting, i, i+1)
	m.grant()
	return false
}

// release returns bytes of owner.
func (m *memory) release(owner string, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(owner, -bytes)
	m.grant()
}

// grant wakes those that fit. The lock is held.
func (m *memory) grant() {
	for i := m.next(); i >= 0 && m.fits(m.waiting[i].bytes); i = m.next() {
		w := m.waiting[i]
		m.take(w.owner, w.bytes)
		m.waiting = slices.Delete(m.waiting, i, i+1)
		close(w.granted)
	}
}

// next returns the index of the first waiter whose owner has least, or -1. The lock is held.
func (m *memory) next() int {
	next := -1
	for i, w := range m.waiting {
		if m.allows(w.owner, w.bytes) && (next < 0 || m.owners[w.owner] < m.owners[m.waiting[next].owner]) {
			next = i
		}
	}
	return next
}
