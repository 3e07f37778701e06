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

// New returns a pool of limit bytes, in which a request waits for at most 30 seconds.
//
// An owner with several requests gets at most factor times the bytes that then remain free for others. With
// a factor of 1, that is half of an otherwise unused pool. An owner's first request has no such limit.
func New(limit, factor int64) *Pool {
	return &Pool{Limit: limit, Wait: 30 * time.Second, factor: factor, owners: map[string]int64{}}
}

// Used returns how many bytes all owners have together.
func (p *Pool) Used() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

// Try takes bytes for owner without waiting, and reports whether it could. It returns false if
// there is no space, or if another request waits for the same space.
func (p *Pool) Try(owner string, bytes int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isContended(owner) || !p.fits(bytes) || !p.allows(owner, bytes) {
		return false
	}
	p.add(owner, bytes)
	return true
}

// fits reports whether the pool has this many free bytes, or is not in use, so that any number fits. The
// caller must hold p.mu.
func (p *Pool) fits(bytes int64) bool { return p.used+bytes <= p.Limit || p.used == 0 }

// allows reports whether owner may take this many more bytes without exceeding its share. The
// caller must hold p.mu.
func (p *Pool) allows(owner string, bytes int64) bool {
	owned := p.owners[owner]
	if owned == 0 {
		return true
	}
	leftForOthers := p.Limit - p.used - bytes
	return owned+bytes <= p.factor*leftForOthers
}

// add adds bytes, which may be negative, to what owner has. The caller must hold p.mu.
func (p *Pool) add(owner string, bytes int64) {
	p.used += bytes
	p.owners[owner] += bytes
	if p.owners[owner] == 0 {
		delete(p.owners, owner)
	}
}

// Contended reports whether a waiting request could use the bytes of owner. A request could use
// them if it has the same owner, or an owner whose share is not used up.
func (p *Pool) Contended(owner string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isContended(owner)
}

// isContended reports whether a waiting request must get bytes before a new one of owner: one that can get
// them once they are free, or one of the same owner. The caller must hold p.mu.
func (p *Pool) isContended(owner string) bool {
	if p.next() >= 0 {
		return true
	}
	return slices.ContainsFunc(p.waiting, func(w *waiter) bool {
		return w.owner == owner
	})
}

// Acquire takes bytes for owner as soon as it can, or returns false when p.Wait has passed or ctx is done.
func (p *Pool) Acquire(ctx context.Context, owner string, bytes int64) bool {
	w := &waiter{owner: owner, bytes: bytes, granted: make(chan struct{})}
	p.mu.Lock()
	p.waiting = append(p.waiting, w)
	p.grantWaiting() // w itself may get its bytes at once
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, p.Wait)
	defer cancel()
	select {
	case <-w.granted:
		return true
	case <-ctx.Done():
		return p.stopWaiting(w)
	}
}

// stopWaiting removes w from the queue, and reports whether it has received its bytes meanwhile.
func (p *Pool) stopWaiting(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, w)
	if i < 0 {
		// grantWaiting has removed w from the queue.
		return true
	}

	// Smaller requests may have waited behind w.
	p.waiting = slices.Delete(p.waiting, i, i+1)
	p.grantWaiting()
	return false
}

// Release returns bytes of owner to the pool.
func (p *Pool) Release(owner string, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(owner, -bytes)
	p.grantWaiting()
}

// grantWaiting gives free bytes to waiting requests, as long as the next one fits. The caller must hold
// p.mu.
func (p *Pool) grantWaiting() {
	for {
		i := p.next()
		if i < 0 || !p.fits(p.waiting[i].bytes) {
			return
		}
		w := p.waiting[i]
		p.add(w.owner, w.bytes)
		p.waiting = slices.Delete(p.waiting, i, i+1)
		close(w.granted)
	}
}

// next returns the index of the waiter that receives bytes next, or -1: the oldest one of the owner who
// has the fewest bytes. The caller must hold p.mu.
func (p *Pool) next() int {
	next := -1
	// Small requests of an owner must not delay an older, large one, so look only at the oldest.
	seen := map[string]bool{}
	for i, w := range p.waiting {
		if seen[w.owner] {
			continue
		}
		seen[w.owner] = true
		if !p.allows(w.owner, w.bytes) {
			continue
		}
		if next < 0 || p.owners[w.owner] < p.owners[p.waiting[next].owner] {
			next = i
		}
	}
	return next
}
