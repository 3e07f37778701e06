package buffer

import (
	"container/list"
	"context"
	"slices"
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
	favored   *Buffer
	tight     bool      // true after a grant over the limit, until a request fits into the limit
	waiting   []*waiter // requests that wait for memory, the longest waiting first
	watch     *time.Timer
	epoch     uint64    // number of times that memory was granted or given back, or a transfer began or ended
	cached    list.List // each Cached, the least recently used first
	evictable int64     // number of bytes that become free if all cached memory is evicted
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
func (l *Limit) Acquire(ctx context.Context, owner *Buffer, bytes, least int64) (granted int64, over bool, err error) {
	w := &waiter{
		owner:    owner,
		bytes:    bytes,
		minBytes: least,
		ready:    make(chan struct{}),
	}
	l.request(w)

	// The channel is closed when the limit has set the results in w.
	select {
	case <-w.ready:
		return w.granted, w.over, nil
	case <-ctx.Done():
		l.abandon(w)
		return 0, false, ctx.Err()
	}
}

// request grants memory to the request w at once if it is the first and the limit permits it. If waiting
// would not free memory, it grants the memory over the limit. Otherwise the request waits.
func (l *Limit) request(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()

	// After a stall, no memory becomes free until a transfer begins. This must be known before the call of
	// canGrant, which may evict cached memory and thereby reset stalled.
	isStalled := l.stalled && l.inFlight == 0
	isFirst := len(l.waiting) == 0
	if isFirst && l.canGrant(w.bytes) {
		l.grantTo(w, w.bytes)
		return
	}

	// The buffer that last got memory over the limit gets more, even before the requests that wait.
	isFavored := w.owner != nil && w.owner == l.favored
	if isStalled && (isFirst || isFavored) {
		l.grantOverLimit(w)
		return
	}

	// The request waits.
	l.waiting = append(l.waiting, w)
	l.watchForStall()
}

// Try grants bytes without waiting, and reports whether it did. It does not if the bytes exceed the
// limit, or if other requests wait.
//
// The first chunk of a buffer is granted always, even over the limit. An upload needs it for the
// first byte of the next part, which shows whether the present part is the last one and can be sent.
func (l *Limit) Try(bytes int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	isFree := len(l.waiting) == 0 && l.fits(bytes)
	if bytes > firstChunk && !isFree {
		return false
	}
	l.used += bytes
	l.epoch++
	return true
}

// canGrant reports whether a request for bytes is granted at once: if they fit, or if no other memory is
// in use, so that none can become free. The caller must hold the lock.
func (l *Limit) canGrant(bytes int64) bool { return l.fits(bytes) || l.used == 0 }

// fits reports whether the limit permits bytes more, after evicting cached memory for them if
// necessary, the least recently used first. The caller must hold the lock.
func (l *Limit) fits(bytes int64) bool {
	for l.used+bytes > l.Max && l.cached.Len() > 0 {
		oldest := l.cached.Front()
		l.Drop(oldest)
		oldest.Value.(Cached).Evicted()
	}
	return l.used+bytes <= l.Max
}

// abandon removes the request w from the queue, or releases its memory if it was granted meanwhile.
func (l *Limit) abandon(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting, w); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	} else {
		// The request is no longer in the queue, so its memory was granted.
		l.used -= w.granted
	}
	// A request behind w may now fit.
	l.grantWaiting()
}

// Reserve sets memory aside for the parallel ranges of a download, and returns how many bytes it set
// aside: at most half of the limit. It returns 0 if requests wait for memory, or if half of the limit is in
// use. The download must also work without the reserved memory.
//
// At most two downloads have a full reserve, because more would wait for each other's buffers.
func (l *Limit) Reserve(bytes int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 {
		return 0
	}

	// Cached memory does not count, because it can be evicted.
	half := l.Max / 2
	inUse := l.used - l.evictable
	if inUse >= half {
		return 0
	}

	share := min(bytes, half)
	if l.reserved+share > l.Max {
		return 0
	}
	l.reserved += share
	return share
}

// Unreserve gives back bytes that [Limit.Reserve] has set aside.
func (l *Limit) Unreserve(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reserved -= bytes
}

// Used returns how many bytes are granted at present.
func (l *Limit) Used() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used
}

// Release gives back bytes that were granted.
func (l *Limit) Release(bytes int64) {
	l.Lock()
	defer l.Unlock()
	l.Forget(bytes)
}

// Forget is like [Limit.Release] for a caller that holds the lock.
func (l *Limit) Forget(bytes int64) {
	l.epoch++
	l.used -= bytes
	if l.used <= l.Max {
		l.stalled = false
		l.favored = nil
	}
}

// AddInFlight adds buffers, which may be negative, to the number of buffers that are on their way to
// or from a store. Their memory will become free without any action of the caller.
func (l *Limit) AddInFlight(buffers int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	l.inFlight += buffers
	if l.inFlight > 0 {
		// Memory will become free, so no request needs to exceed the limit.
		l.stalled = false
		l.favored = nil
	}
}

// grantWaiting grants memory to the waiting requests in their order, as long as the next one fits
// into the limit. If it does not fit and nothing else can free memory, it gets memory over the limit.
func (l *Limit) grantWaiting() {
	for len(l.waiting) > 0 && l.canGrant(l.waiting[0].bytes) {
		w := l.nextWaiting()
		l.tight = false
		l.grantTo(w, w.bytes)
	}

	// After a stall, memory is tight until a request fits again. As long as it is tight, the next request does
	// not wait for another stall, unless a buffer in flight or the favored one will free memory.
	willFreeMemory := l.inFlight > 0 || l.favored != nil
	if len(l.waiting) > 0 && l.tight && !willFreeMemory {
		l.grantOverLimit(l.nextWaiting())
	}
}

// nextWaiting removes the request that has waited longest from the queue, and returns it. The caller
// must hold the lock.
func (l *Limit) nextWaiting() *waiter {
	w := l.waiting[0]
	l.waiting = l.waiting[1:]
	return w
}

// grantTo grants bytes to the request w, even over the limit. The caller must hold the lock.
func (l *Limit) grantTo(w *waiter, bytes int64) {
	w.granted = bytes
	w.over = l.used+bytes > l.Max
	l.used += bytes
	l.epoch++
	close(w.ready)
}

// grantOverLimit grants w.minBytes to the request w, even over the limit. It does not grant w.bytes,
// which would be wasted if the source of w sends nothing. The caller must hold the lock.
func (l *Limit) grantOverLimit(w *waiter) {
	l.stalled = true
	l.tight = true
	l.favored = w.owner
	l.grantTo(w, w.minBytes)
}

// watchForStall starts a timer, unless one is running. If nothing was granted, freed or transferred
// by the time it fires, the first waiting request gets memory over the limit.
func (l *Limit) watchForStall() {
	if l.watch != nil {
		return
	}
	epoch := l.epoch // changes whenever memory or a transfer moves
	l.watch = time.AfterFunc(stallAfter, func() {
		l.checkForStall(epoch)
	})
}

// checkForStall is called by the timer of watchForStall, which was started at the given epoch. If
// nothing has moved since then, it grants memory over the limit to the first waiting request.
func (l *Limit) checkForStall(epoch uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch = nil
	if len(l.waiting) == 0 {
		return
	}

	nothingMoved := l.inFlight == 0 && l.epoch == epoch
	if nothingMoved {
		l.grantOverLimit(l.nextWaiting())
	}
	if len(l.waiting) > 0 {
		l.watchForStall()
	}
}
