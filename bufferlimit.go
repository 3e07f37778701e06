package storage

import (
	"container/list"
	"context"
	"sync"
	"time"
)

const (
	defaultBufferLimitBytes = 128 << 20
	// stallAfter is how long nothing may move before a waiting request is granted over
	// the limit.
	stallAfter = 10 * time.Millisecond
)

// A BufferLimit bounds the transfer buffers of all buckets that share it. The blocks that [ReaderAt]
// keeps are part of the limit, and give way to transfers.
//
// No transfer waits for ever. If no granted buffer is on its way to or from a store, only a caller
// could free one: then the next request is granted 64 KiB over the limit.
type BufferLimit struct {
	limit int64

	mu       sync.Mutex
	used     int64
	promised int64     // to downloads that have grown
	inFlight int       // buffers on their way to or from a store
	stalled  bool      // the last grant was over the limit, and nothing has moved since
	favored  *buffer   // got that grant: it is granted more, until it is sent or its source stalls
	waiting  []*waiter // in order of arrival
	watch    *time.Timer
	epoch    uint64    // counts every event, so that the watch sees whether there was one
	cached   list.List // of *block: in memory and part of used, the least recently used first
	evicts   int64     // bytes of cached, which evicting them frees
}

type waiter struct {
	owner   *buffer
	bytes   int64         // wanted
	least   int64         // granted over the limit
	ready   chan struct{} // closed by the grant
	granted int64
	over    bool
}

// NewBufferLimit makes a BufferLimit of limit bytes; below 1 MiB it is 1 MiB.
func NewBufferLimit(limit int64) *BufferLimit { return &BufferLimit{limit: max(limit, 1<<20)} }

var defaultBufferLimit = sync.OnceValue(func() *BufferLimit { return NewBufferLimit(defaultBufferLimitBytes) })

// acquire grants bytes, at once or when others have released enough. If only a caller could release
// them, it grants least, over the limit. owner may be nil. over reports whether the grant exceeds
// the limit.
func (m *BufferLimit) acquire(ctx context.Context, owner *buffer, bytes, least int64) (granted int64, over bool, err error) {
	w := &waiter{owner: owner, bytes: bytes, least: least, ready: make(chan struct{})}
	m.mu.Lock()
	still := m.stalled && m.inFlight == 0
	switch {
	case len(m.waiting) == 0 && (m.fits(bytes) || m.used == 0):
		m.give(w, bytes)
	case still && (len(m.waiting) == 0 || owner != nil && owner == m.favored):
		m.giveOver(w)
	default:
		m.waiting = append(m.waiting, w)
		m.watchForStall()
	}
	m.mu.Unlock()
	select {
	case <-w.ready:
		return w.granted, w.over, nil
	case <-ctx.Done():
		m.abandon(w)
		return 0, false, ctx.Err()
	}
}

// try grants bytes if nobody has to wait. The first chunk of a buffer never waits: it holds the
// byte that shows that the part before is not the last one. Without it that part could not be
// sent and release its memory.
func (m *BufferLimit) try(bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	free := len(m.waiting) == 0 && m.fits(bytes)
	if bytes > firstChunk && !free {
		return false
	}
	m.used += bytes
	m.epoch++
	return true
}

// fits reports whether bytes may be granted within the limit. To make room it evicts blocks, the
// least recently used first. The lock is held.
func (m *BufferLimit) fits(bytes int64) bool {
	for m.used+bytes > m.limit && m.cached.Len() > 0 {
		m.cached.Front().Value.(*block).evict()
	}
	return m.used+bytes <= m.limit
}

// abandon removes w from the queue, or releases what it was granted meanwhile.
func (m *BufferLimit) abandon(w *waiter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, other := range m.waiting {
		if other == w {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			m.grant() // the next ones may want less
			return
		}
	}
	m.used -= w.granted
	m.grant()
}

// promise promises up to bytes to a download that could go on without, if more than half of
// the limit is free or has blocks that would give way. There are at most two such downloads:
// else they would all wait for each other's buffers. It returns how many bytes are promised.
func (m *BufferLimit) promise(bytes int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	bytes = min(bytes, m.limit/2)
	if len(m.waiting) > 0 || m.used-m.evicts >= m.limit/2 || m.promised+bytes > m.limit {
		return 0
	}
	m.promised += bytes
	return bytes
}

// unpromise ends a promise.
func (m *BufferLimit) unpromise(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.promised -= bytes
}

// release returns bytes to the limit.
func (m *BufferLimit) release(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(bytes)
	m.grant()
}

// forget counts bytes that were given back. The lock is held.
func (m *BufferLimit) forget(bytes int64) {
	m.epoch++
	m.used -= bytes
	if m.used <= m.limit {
		m.stalled, m.favored = false, nil
	}
}

// addInFlight counts buffers on their way to or from a store: their memory comes back
// without any action of a caller.
func (m *BufferLimit) addInFlight(buffers int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.inFlight += buffers
	if m.inFlight > 0 {
		m.stalled, m.favored = false, nil
	}
}

// grant serves the queue, in order, as far as the limit allows.
func (m *BufferLimit) grant() {
	for len(m.waiting) > 0 {
		w := m.waiting[0]
		if !m.fits(w.bytes) && m.used > 0 {
			return
		}
		m.waiting = m.waiting[1:]
		m.give(w, w.bytes)
	}
}

// give grants bytes. The lock is held.
func (m *BufferLimit) give(w *waiter, bytes int64) {
	w.granted, w.over = bytes, m.used+bytes > m.limit
	m.used += bytes
	m.epoch++
	close(w.ready)
}

// giveOver grants the least that w can use. If its source stalls too, little is lost. The lock is
// held.
func (m *BufferLimit) giveOver(w *waiter) {
	m.stalled, m.favored = true, w.owner
	m.give(w, w.least)
}

// watchForStall starts the timer that checks whether anything moves while a request
// waits.
func (m *BufferLimit) watchForStall() {
	if m.watch != nil {
		return
	}
	seen := m.epoch
	m.watch = time.AfterFunc(stallAfter, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.watch = nil
		if len(m.waiting) == 0 {
			return
		}
		if m.inFlight == 0 && m.epoch == seen {
			w := m.waiting[0]
			m.waiting = m.waiting[1:]
			m.giveOver(w)
		}
		if len(m.waiting) > 0 {
			m.watchForStall()
		}
	})
}
