// Package fairshare limits how many bytes of memory all requests use at the same time. It divides
// them such that even an owner of many requests leaves some bytes for others.
package fairshare

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Pool is a limited number of bytes that requests share. If several requests wait, the next free
// bytes go to the request whose owner has the fewest.
type Pool struct {
	Limit  int64
	Wait   time.Duration // how long a request waits for bytes at most
	factor int64

	mu      sync.Mutex
	used    int64
	owners  map[string]int64 // number of bytes that each owner has
	waiting []*waiter
}

// A waiter is a request that waits for bytes.
type waiter struct {
	owner   string
	bytes   int64
	granted chan struct{}
}

// New returns a pool of limit bytes. A request waits for at most 30 seconds.
//
// An owner with several requests must leave some bytes free for others. The owner gets at most
// factor times the bytes that remain free. For example, if factor is 1 and nobody else has bytes,
// the owner gets at most half of the pool. An owner's first request has no such limit.
func New(limit, factor int64) *Pool {
	return &Pool{Limit: limit, Wait: 30 * time.Second, factor: factor, owners: map[string]int64{}}
}

// Used returns how many bytes all owners have together.
func (m *Pool) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Try takes bytes for owner without waiting, and reports whether it could. It returns false if
// there is no space, or if another request waits for the same space.
func (m *Pool) Try(owner string, bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.contended(owner) || !m.fits(bytes) || !m.allows(owner, bytes) {
		return false
	}
	m.take(owner, bytes)
	return true
}

// fits reports whether the pool has this many free bytes. If the pool is not in use, any number
// fits. The caller must hold m.mu.
func (m *Pool) fits(bytes int64) bool { return m.used+bytes <= m.Limit || m.used == 0 }

// allows reports whether owner may take this many more bytes without exceeding its share. The
// caller must hold m.mu.
func (m *Pool) allows(owner string, bytes int64) bool {
	has := m.owners[owner]
	return has == 0 || has+bytes <= m.factor*(m.Limit-m.used-bytes)
}

// take adds bytes to the account of owner. The caller must hold m.mu.
func (m *Pool) take(owner string, bytes int64) {
	m.used += bytes
	m.owners[owner] += bytes
	if m.owners[owner] == 0 {
		delete(m.owners, owner)
	}
}

// Contended reports whether a waiting request could use the bytes of owner. A request could use
// them if it has the same owner, or an owner whose share is not used up.
func (m *Pool) Contended(owner string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.contended(owner)
}

// contended reports whether another request should get bytes before one of owner: one that could get
// them as soon as they are free, or an older one of the same owner. The caller must hold m.mu.
func (m *Pool) contended(owner string) bool {
	if m.next() >= 0 {
		return true
	}
	return slices.ContainsFunc(m.waiting, func(w *waiter) bool { return w.owner == owner })
}

// Acquire waits until owner can take bytes, and takes them. If m.Wait has passed or ctx is done, it
// returns false.
func (m *Pool) Acquire(ctx context.Context, owner string, bytes int64) bool {
	w := &waiter{owner: owner, bytes: bytes, granted: make(chan struct{})}
	m.mu.Lock()
	m.waiting = append(m.waiting, w)
	m.grant()
	m.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, m.Wait)
	defer cancel()
	select {
	case <-w.granted:
		return true
	case <-ctx.Done():
		return m.abandon(w)
	}
}

// abandon removes w from the queue. If w has received its bytes meanwhile, it returns true.
func (m *Pool) abandon(w *waiter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.waiting, w)
	if i < 0 {
		return true
	}
	m.waiting = slices.Delete(m.waiting, i, i+1)
	// Smaller requests may have waited behind w.
	m.grant()
	return false
}

// Release returns bytes to the pool after the owner has used them.
func (m *Pool) Release(owner string, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(owner, -bytes)
	m.grant()
}

// grantWaiting gives free bytes to waiting requests, as long as the next one fits. The caller must hold
// m.mu.
func (m *Pool) grant() {
	for {
		i := m.next()
		if i < 0 || !m.fits(m.waiting[i].bytes) {
			return
		}
		w := m.waiting[i]
		m.take(w.owner, w.bytes)
		m.waiting = slices.Delete(m.waiting, i, i+1)
		close(w.granted)
	}
}

// next returns the index of the waiter that receives bytes next, or -1. It is the waiter whose
// owner has the fewest bytes. Only the oldest waiter of each owner counts. Otherwise small requests
// of an owner would delay an older, large request of that owner. The caller must hold m.mu.
func (m *Pool) next() int {
	next := -1
	var fewest int64 // bytes of the owner of the waiter next
	seen := map[string]bool{}
	// Small requests of an owner must not delay an older, large one, so look only at the oldest.
	for i, w := range m.waiting {
		if seen[w.owner] {
			continue
		}
		seen[w.owner] = true
		if !m.allows(w.owner, w.bytes) {
			continue
		}
		if has := m.owners[w.owner]; next < 0 || has < fewest {
			next = i
			fewest = has
		}
	}
	return next
}
