package buffer

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// stallAfter is how long nothing may move before a waiting request is granted over the limit.
const stallAfter = 10 * time.Millisecond

// A Limit bounds buffers and cached memory together. Cached memory gives way to buffers.
//
// No buffer waits for ever. If no buffer with memory is on its way to or from a store, only a
// caller could free one: then the next request is granted 64 KiB over the limit.
type Limit struct {
	Max int64 // bytes; it does not change

	mu       sync.Mutex
	used     int64
	reserved int64     // bytes that downloads have reserved for parallel ranges
	inFlight int       // buffers on their way to or from a store
	stalled  bool      // whether the last grant was over the limit, and nothing has moved since
	favored  *Buffer   // the buffer with that grant: it is granted more, until it is sent or its source stalls
	tight    bool      // no request has fitted since that grant: the next one is granted once its part was sent
	waiting  []*waiter // the longest waiting first
	watch    *time.Timer
	epoch    uint64    // counts every event, so that the watch sees whether there was one
	cached   list.List // the Cached, whose memory is part of used; the least recently used first
	evicts   int64     // bytes that evicting all of cached would free
}

type waiter struct {
	owner   *Buffer
	bytes   int64         // bytes that it wants
	least   int64         // bytes that it may get over the limit
	ready   chan struct{} // closed when memory is granted
	granted int64
	over    bool
}

// Acquire grants bytes, at once or when others have released enough. If only a caller could release
// them, it grants least, over the limit. owner may be nil. over reports whether the grant exceeds
// the limit.
func (m *Limit) Acquire(ctx context.Context, owner *Buffer, bytes, least int64) (granted int64, over bool, err error) {
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

// Try grants bytes if nobody has to wait. The first chunk of a buffer never waits: it holds the
// byte that shows that the part before is not the last one. Without that byte, the part could
// not be sent and release its memory.
func (m *Limit) Try(bytes int64) bool {
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

// fits reports whether bytes may be granted within the limit. To make room it evicts cached memory, the
// least recently used first. The lock is held.
func (m *Limit) fits(bytes int64) bool {
	for m.used+bytes > m.Max && m.cached.Len() > 0 {
		oldest := m.cached.Front()
		m.Drop(oldest)
		oldest.Value.(Cached).Evicted()
	}
	return m.used+bytes <= m.Max
}

// abandon removes w from the queue, or releases what it was granted meanwhile.
func (m *Limit) abandon(w *waiter) {
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

// Reserve reserves up to bytes for a download that could do without them, if more than half of the
// limit is free or cached. At most two downloads have such a reserve: otherwise they would all
// wait for each other's buffers. It returns how many bytes are reserved.
func (m *Limit) Reserve(bytes int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	bytes = min(bytes, m.Max/2)
	if len(m.waiting) > 0 || m.used-m.evicts >= m.Max/2 || m.reserved+bytes > m.Max {
		return 0
	}
	m.reserved += bytes
	return bytes
}

// Unreserve ends a reserve.
func (m *Limit) Unreserve(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reserved -= bytes
}

// Used returns how many bytes are granted.
func (m *Limit) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Release returns bytes to the limit.
func (m *Limit) Release(bytes int64) {
	m.Lock()
	defer m.Unlock()
	m.Forget(bytes)
}

// Forget counts bytes that were given back. The lock is held.
func (m *Limit) Forget(bytes int64) {
	m.epoch++
	m.used -= bytes
	if m.used <= m.Max {
		m.stalled, m.favored = false, nil
	}
}

// AddInFlight counts buffers on their way to or from a store: their memory comes back
// without any action of a caller.
func (m *Limit) AddInFlight(buffers int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.inFlight += buffers
	if m.inFlight > 0 {
		m.stalled, m.favored = false, nil
	}
}

// grant serves the queue, in order, as far as the limit allows.
func (m *Limit) grant() {
	for len(m.waiting) > 0 {
		w := m.waiting[0]
		fits := m.fits(w.bytes) || m.used == 0
		if !fits && (!m.tight || m.inFlight > 0 || m.favored != nil) {
			return
		}
		m.waiting = m.waiting[1:]
		if !fits {
			m.giveOver(w)
			return
		}
		m.tight = false
		m.give(w, w.bytes)
	}
}

// give grants bytes. The lock is held.
func (m *Limit) give(w *waiter, bytes int64) {
	w.granted, w.over = bytes, m.used+bytes > m.Max
	m.used += bytes
	m.epoch++
	close(w.ready)
}

// giveOver grants the least that w can use. If its source stalls too, little is lost. The lock is
// held.
func (m *Limit) giveOver(w *waiter) {
	m.stalled, m.tight, m.favored = true, true, w.owner
	m.give(w, w.least)
}

// watchForStall starts the timer that checks whether anything moves while a request
// waits.
func (m *Limit) watchForStall() {
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
