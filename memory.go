package storage

import (
	"context"
	"sync"
	"time"
)

const (
	defaultMemoryLimit = 128 << 20
	// stuckAfter is how long nothing may move before a request that waits is
	// granted over the limit.
	stuckAfter = 10 * time.Millisecond
)

// A Memory bounds the transfer buffers of all buckets that share it. Nobody
// waits for ever: where nothing that was granted is on its way to or from a
// store, so that only a caller could free it, the next request is granted over
// the limit.
type Memory struct {
	limit int64

	mu      sync.Mutex
	used    int64
	moving  int       // buffers on their way to or from a store
	stuck   bool      // the last grant was over the limit, and nothing moved since
	waiting []*waiter // in order of arrival
	watch   *time.Timer
	news    uint64 // counts whatever happens, so that the watch sees stillness
}

type waiter struct {
	bytes int64
	ready chan struct{} // closed by the grant
	over  bool
}

// NewMemory makes a Memory of limit bytes; below 1 MiB it is 1 MiB.
func NewMemory(limit int64) *Memory { return &Memory{limit: max(limit, 1<<20)} }

var defaultMemory = sync.OnceValue(func() *Memory { return NewMemory(defaultMemoryLimit) })

// acquire grants bytes, at once or when others have given enough back. over
// tells that the grant is beyond the limit.
func (m *Memory) acquire(ctx context.Context, bytes int64) (over bool, err error) {
	m.mu.Lock()
	if len(m.waiting) == 0 && (m.used+bytes <= m.limit || m.used == 0 || m.stuck && m.moving == 0) {
		over = m.used+bytes > m.limit
		m.used += bytes
		m.news++
		m.mu.Unlock()
		return over, nil
	}
	w := &waiter{bytes: bytes, ready: make(chan struct{})}
	m.waiting = append(m.waiting, w)
	m.watchStillness()
	m.mu.Unlock()
	select {
	case <-w.ready:
		return w.over, nil
	case <-ctx.Done():
		m.abandon(w)
		return false, ctx.Err()
	}
}

// try grants bytes if nobody has to wait for them. A buffer's first chunk never
// waits: it holds the byte that tells whether a finished part is the last, and
// without it the part could not leave and give its memory back.
func (m *Memory) try(bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bytes > firstChunk && (len(m.waiting) > 0 || m.used+bytes > m.limit) {
		return false
	}
	m.used += bytes
	m.news++
	return true
}

// abandon takes w from the queue, or gives back what it was granted meanwhile.
func (m *Memory) abandon(w *waiter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, other := range m.waiting {
		if other == w {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			m.grant() // those behind w may want less
			return
		}
	}
	m.used -= w.bytes
	m.grant()
}

// release gives bytes back.
func (m *Memory) release(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.news++
	m.used -= bytes
	if m.used <= m.limit {
		m.stuck = false
	}
	m.grant()
}

// move counts buffers that are on their way to or from a store: they come back
// without anybody's doing.
func (m *Memory) move(buffers int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.news++
	m.moving += buffers
	if m.moving > 0 {
		m.stuck = false
	}
}

// grant serves the queue, in order, as far as the limit allows.
func (m *Memory) grant() {
	for len(m.waiting) > 0 {
		w := m.waiting[0]
		if m.used+w.bytes > m.limit && m.used > 0 {
			return
		}
		m.give(w)
	}
}

func (m *Memory) give(w *waiter) {
	m.waiting = m.waiting[1:]
	w.over = m.used+w.bytes > m.limit
	m.used += w.bytes
	m.news++
	close(w.ready)
}

// watchStillness arms the timer that looks whether anything moves at all while
// somebody waits.
func (m *Memory) watchStillness() {
	if m.watch != nil {
		return
	}
	seen := m.news
	m.watch = time.AfterFunc(stuckAfter, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.watch = nil
		if len(m.waiting) == 0 {
			return
		}
		if m.moving == 0 && m.news == seen {
			m.stuck = true
			m.give(m.waiting[0])
		}
		if len(m.waiting) > 0 {
			m.watchStillness()
		}
	})
}
