package buffer

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// stallAfter is the time after which waiting requests count as stalled. During that time, no memory
// was granted or given back, and no transfer began or ended. No transfer is in progress. The first
// waiting request gets memory over the limit. A transfer sends or receives the bytes of a buffer.
const stallAfter = 10 * time.Millisecond

// A Limit bounds the memory of all buffers and caches together. If a buffer needs memory, the Limit
// evicts cached memory.
//
// No buffer waits forever. A transfer to or from a store frees memory when it ends. If no transfer
// is in progress, the buffer that has waited longest gets 64 KiB over the limit.
type Limit struct {
	Max int64 // largest number of bytes; does not change

	mu       sync.Mutex
	used     int64 // bytes that are granted, including those of cached memory
	reserved int64 // bytes that downloads have reserved for parallel ranges
	inFlight int   // number of buffers that are on their way to or from a store
	stalled  bool  // true after a grant over the limit, until memory is given back or a transfer begins
	// favored is the buffer that last got memory over the limit, or nil. It gets more such memory
	// without waiting, until a transfer begins or enough memory is given back.
	favored *Buffer
	tight   bool      // true after a grant over the limit, until a request fits into the limit
	waiting []*waiter // requests that wait for memory, the longest waiting first
	watch   *time.Timer
	epoch   uint64    // number of times that memory was granted or given back, or a transfer began or ended
	cached  list.List // each Cached, the least recently used first
	evicts  int64     // number of bytes that become free if all cached memory is evicted
}

type waiter struct {
	owner    *Buffer
	bytes    int64         // number of bytes that the request needs
	minBytes int64         // number of bytes that grantOverLimit grants, even over the limit
	ready    chan struct{} // closed when memory was granted
	granted  int64
	over     bool
}

// Acquire waits until the limit permits bytes, and grants them to owner, the buffer that gets the
// memory, or nil. If no transfer in progress can free memory, Acquire grants only the smaller number
// least, even over the limit. The result over is true if the grant exceeds the limit.
func (m *Limit) Acquire(ctx context.Context, owner *Buffer, bytes, least int64) (granted int64, over bool, err error) {
	w := &waiter{
		owner:    owner,
		bytes:    bytes,
		minBytes: least,
		ready:    make(chan struct{}),
	}
	m.request(w)

	// The channel is closed when the limit has set the results in w.
	select {
	case <-w.ready:
		return w.granted, w.over, nil
	case <-ctx.Done():
		m.abandon(w)
		return 0, false, ctx.Err()
	}
}

// request grants memory to the request w at once if it is the first and the limit permits it. If waiting
// would not free memory, it grants the memory over the limit. Otherwise the request waits.
func (m *Limit) request(w *waiter) {
	m.mu.Lock()
	defer m.mu.Unlock()

	// Memory is freed when buffers move. Look at stalled before canGrant, which may set it to false.
	nothingMoves := m.stalled && m.inFlight == 0
	isFirst := len(m.waiting) == 0
	if isFirst && m.canGrant(w.bytes) {
		m.grantTo(w, w.bytes)
		return
	}

	isFavored := w.owner != nil && w.owner == m.favored // the one that may exceed the limit before others
	if nothingMoves && (isFirst || isFavored) {
		m.grantOverLimit(w)
		return
	}

	m.waiting = append(m.waiting, w)
	m.watchForStall()
}

// Try grants bytes without waiting, and reports whether it did. It does not if the bytes exceed the
// limit, or if other requests wait.
//
// The first chunk of a buffer is granted always, even over the limit. An upload needs it for the
// first byte of the next part, which shows whether the present part is the last one and can be sent.
func (m *Limit) Try(bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	isFree := len(m.waiting) == 0 && m.fits(bytes)
	if bytes > firstChunk && !isFree {
		return false
	}
	m.used += bytes
	m.epoch++
	return true
}

// canGrant reports whether a request for bytes is granted at once: if they fit, or if no other memory is
// in use, so that none can become free. The caller must hold the lock.
func (m *Limit) canGrant(bytes int64) bool { return m.fits(bytes) || m.used == 0 }

// fits reports whether the limit permits bytes more, after evicting cached memory for them if
// necessary, the least recently used first. The caller must hold the lock.
func (m *Limit) fits(bytes int64) bool {
	for m.used+bytes > m.Max && m.cached.Len() > 0 {
		oldest := m.cached.Front()
		m.Drop(oldest)
		oldest.Value.(Cached).Evicted()
	}
	return m.used+bytes <= m.Max
}

// abandon removes the request w from the queue, or releases its memory if it was granted meanwhile.
func (m *Limit) abandon(w *waiter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, queued := range m.waiting {
		if queued == w {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			// A request behind w may need less memory, and so fit.
			m.grantWaiting()
			return
		}
	}

	// The request is no longer in the queue, so its memory was granted.
	m.used -= w.granted
	m.grantWaiting()
}

// Reserve sets memory aside for the parallel ranges of a download, and returns how many bytes it set
// aside, which may be fewer than requested. It returns 0 if requests wait for memory, or if half of
// the limit or more is in use, not counting cached memory. The download must also work without the
// reserved memory.
//
// At most two downloads have a full reserve, because more would wait for each other's buffers.
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

// Unreserve gives back bytes that [Limit.Reserve] has set aside.
func (m *Limit) Unreserve(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reserved -= bytes
}

// Used returns how many bytes are granted at present.
func (m *Limit) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Release gives back bytes that were granted.
func (m *Limit) Release(bytes int64) {
	m.Lock()
	defer m.Unlock()
	m.Forget(bytes)
}

// Forget is like [Limit.Release] for a caller that holds the lock.
func (m *Limit) Forget(bytes int64) {
	m.epoch++
	m.used -= bytes
	if m.used <= m.Max {
		m.stalled = false
		m.favored = nil
	}
}

// AddInFlight adds buffers, which may be negative, to the number of buffers that are on their way to
// or from a store. Their memory will become free without any action of the caller.
func (m *Limit) AddInFlight(buffers int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.inFlight += buffers
	if m.inFlight > 0 {
		// Memory will become free, so no request needs to exceed the limit.
		m.stalled = false
		m.favored = nil
	}
}

// grantWaiting grants memory to the waiting requests in their order, as long as the next one fits
// into the limit. If it does not fit and nothing else can free memory, it gets memory over the limit.
func (m *Limit) grantWaiting() {
	for len(m.waiting) > 0 && m.canGrant(m.waiting[0].bytes) {
		w := m.nextWaiting()
		m.tight = false
		m.grantTo(w, w.bytes)
	}

	// While memory is tight, the next request does not wait for another stall, unless a buffer in flight
	// or the favored one will free memory.
	mayExceed := m.tight && m.inFlight == 0 && m.favored == nil
	if len(m.waiting) > 0 && mayExceed {
		m.grantOverLimit(m.nextWaiting())
	}
}

// nextWaiting removes the request that has waited longest from the queue, and returns it. The caller
// must hold the lock.
func (m *Limit) nextWaiting() *waiter {
	w := m.waiting[0]
	m.waiting = m.waiting[1:]
	return w
}

// grantTo grants bytes to the request w, even over the limit. The caller must hold the lock.
func (m *Limit) grantTo(w *waiter, bytes int64) {
	w.granted = bytes
	w.over = m.used+bytes > m.Max
	m.used += bytes
	m.epoch++
	close(w.ready)
}

// grantOverLimit grants w.minBytes to the request w, even over the limit. It does not grant w.bytes,
// which would be wasted if the source of w sends nothing. The caller must hold the lock.
func (m *Limit) grantOverLimit(w *waiter) {
	m.stalled = true
	m.tight = true
	m.favored = w.owner
	m.grantTo(w, w.minBytes)
}

// watchForStall starts a timer, unless one is running. If nothing was granted, freed or transferred
// by the time it fires, the first waiting request gets memory over the limit.
func (m *Limit) watchForStall() {
	if m.watch != nil {
		return
	}
	epoch := m.epoch // changes whenever memory or a transfer moves
	m.watch = time.AfterFunc(stallAfter, func() {
		m.checkForStall(epoch)
	})
}

// checkForStall is called by the timer of watchForStall, which was started at the given epoch. If
// nothing has moved since then, it grants memory over the limit to the first waiting request.
func (m *Limit) checkForStall(epoch uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = nil
	if len(m.waiting) == 0 {
		return
	}

	nothingMoved := m.inFlight == 0 && m.epoch == epoch
	if nothingMoved {
		m.grantOverLimit(m.nextWaiting())
	}
	if len(m.waiting) > 0 {
		m.watchForStall()
	}
}
