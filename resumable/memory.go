package resumable

import (
	"context"
	"sync"
	"time"
)

// A memory bounds buffers of all tus uploads. Buffers are granted in order.
type memory struct {
	limit int64
	wait  time.Duration // memoryWait; tests make it shorter

	mu      sync.Mutex
	used    int64
	waiting []*memoryWaiter
}

type memoryWaiter struct {
	bytes   int64
	granted chan struct{}
}

func newMemory(limit int64) *memory { return &memory{limit: limit, wait: memoryWait} }

// memoryWait is how long a request waits for a buffer.
const memoryWait = 30 * time.Second

// try returns whether there is space for bytes, and takes it. Nobody may wait for space.
func (m *memory) try(bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) > 0 || m.used+bytes > m.limit && m.used > 0 {
		return false
	}
	m.used += bytes
	return true
}

// contended reports whether a request waits for space.
func (m *memory) contended() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting) > 0
}

// acquire waits until there is space for bytes, and returns false after wait or if
// ctx is done.
func (m *memory) acquire(ctx context.Context, bytes int64) bool {
	if m.try(bytes) {
		return true
	}
	m.mu.Lock()
	w := &memoryWaiter{bytes: bytes, granted: make(chan struct{})}
	m.waiting = append(m.waiting, w)
	m.grant() // space may have come meanwhile
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
	for i, other := range m.waiting {
		if other == w {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			m.grant()
			return false
		}
	}
	return true
}

// release returns bytes.
func (m *memory) release(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= bytes
	m.grant()
}

// grant wakes those that fit. The lock is held.
func (m *memory) grant() {
	for len(m.waiting) > 0 {
		next := m.waiting[0]
		if m.used+next.bytes > m.limit && m.used > 0 {
			return
		}
		m.used += next.bytes
		m.waiting = m.waiting[1:]
		close(next.granted)
	}
}
