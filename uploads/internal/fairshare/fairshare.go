// Package fairshare bounds how much of a resource all requests take at once, so that no owner of
// many requests keeps it from the others.
package fairshare

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Pool has the bytes of memory that requests share. If several wait, the next is one whose owner has
// least.
type Pool struct {
	Limit int64
	Wait  time.Duration // how long a request waits for bytes
	spare int64

	mu      sync.Mutex
	used    int64
	owners  map[string]int64 // how many of the used bytes each owner has
	waiting []*waiter
}

type waiter struct {
	owner   string
	bytes   int64
	granted chan struct{}
}

// New returns a pool of this many bytes. An owner may have at most spare times the bytes that are free for
// others. So even many owners that take all they can leave bytes for the next one. A request waits for at most
// 30 seconds.
func New(limit, spare int64) *Pool {
	return &Pool{Limit: limit, Wait: 30 * time.Second, spare: spare, owners: map[string]int64{}}
}

// Used returns how many bytes are taken.
func (m *Pool) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Try returns whether there is space for bytes, and takes it. It returns false if a request waits that owner
// would keep waiting.
func (m *Pool) Try(owner string, bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.contended(owner) || !m.fits(bytes) || !m.allows(owner, bytes) {
		return false
	}
	m.take(owner, bytes)
	return true
}

// fits reports whether there is space for bytes. The lock is held.
func (m *Pool) fits(bytes int64) bool { return m.used+bytes <= m.Limit || m.used == 0 }

// allows reports whether owner may have bytes more. The lock is held.
func (m *Pool) allows(owner string, bytes int64) bool {
	has := m.owners[owner]
	return has == 0 || has+bytes <= m.spare*(m.Limit-m.used-bytes)
}

// take gives bytes to owner. The lock is held.
func (m *Pool) take(owner string, bytes int64) {
	m.used += bytes
	if m.owners[owner] += bytes; m.owners[owner] == 0 {
		delete(m.owners, owner)
	}
}

// Contended reports whether a request waits that could use the space of owner: either a request of owner,
// or a request that lacks nothing but space.
func (m *Pool) Contended(owner string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.contended(owner)
}

func (m *Pool) contended(owner string) bool {
	return m.next() >= 0 || slices.ContainsFunc(m.waiting, func(w *waiter) bool { return w.owner == owner })
}

// Acquire waits until there is space for bytes, and returns false after Wait or if
// ctx is done.
func (m *Pool) Acquire(ctx context.Context, owner string, bytes int64) bool {
	m.mu.Lock()
	w := &waiter{owner: owner, bytes: bytes, granted: make(chan struct{})}
	m.waiting = append(m.waiting, w)
	m.grant()
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, m.Wait)
	defer cancel()
	select {
	case <-w.granted:
		return true
	case <-ctx.Done():
	}
	return m.abandon(w)
}

// abandon removes w from the queue, and returns true if it was granted meanwhile.
func (m *Pool) abandon(w *waiter) bool {
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

// Release returns bytes of owner.
func (m *Pool) Release(owner string, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(owner, -bytes)
	m.grant()
}

// grant wakes the waiters that fit. The lock is held.
func (m *Pool) grant() {
	for i := m.next(); i >= 0 && m.fits(m.waiting[i].bytes); i = m.next() {
		w := m.waiting[i]
		m.take(w.owner, w.bytes)
		m.waiting = slices.Delete(m.waiting, i, i+1)
		close(w.granted)
	}
}

// next returns the index of the first waiter whose owner has least, or -1. The waiters of one owner take
// turns, because otherwise small requests would keep a large one waiting. The lock is held.
func (m *Pool) next() int {
	next, seen := -1, map[string]bool{}
	for i, w := range m.waiting {
		if !seen[w.owner] && m.allows(w.owner, w.bytes) && (next < 0 || m.owners[w.owner] < m.owners[m.waiting[next].owner]) {
			next = i
		}
		seen[w.owner] = true
	}
	return next
}
