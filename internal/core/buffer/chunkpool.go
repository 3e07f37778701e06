package buffer

import (
	"runtime"
	"sync"
	"time"
)

// chunkIdle is the time after which the pool drops a chunk that no transfer has needed.
const chunkIdle = 5 * time.Second

// A chunkPool keeps the free chunks of one size for later transfers. A sync.Pool would drop them
// after two garbage collections, and the next upload would have to allocate new chunks.
//
// A chunkPool also drops chunks after a garbage collection, but only those that no transfer has
// needed for chunkIdle. Go collects at least every two minutes, so an idle process soon keeps no
// chunks.
type chunkPool struct {
	size    int // size of each chunk in bytes
	mu      sync.Mutex
	free    [][]byte
	unused  int       // smallest number of free chunks since the last trim
	trimmed time.Time // time of the last trim
	watched bool      // true if the next garbage collection will call trim
}

// get returns a chunk that was kept, or a new one if there is none.
func (p *chunkPool) get() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return make([]byte, p.size)
	}
	chunk := p.free[last]
	p.free[last] = nil
	p.free = p.free[:last]

	// The smallest number of free chunks shows how many of them no transfer needs (see trim).
	p.unused = min(p.unused, last)
	return chunk
}

// put keeps a chunk that a transfer no longer needs.
func (p *chunkPool) put(chunk []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, chunk)
	p.watch()
}

// watch makes the next garbage collection call trim, unless the pool is empty or is watched already.
// The caller holds mu.
func (p *chunkPool) watch() {
	if p.watched || len(p.free) == 0 {
		return
	}
	p.watched = true

	// The object must not be tiny: Go puts tiny objects into shared memory, and cleans them up late.
	garbage := new([64]byte)
	runtime.AddCleanup(garbage, func(p *chunkPool) { p.trim(time.Now()) }, p)
}

// trim is called after a garbage collection. It drops the chunks that no transfer has needed since the
// last trim, if that was at least chunkIdle ago.
func (p *chunkPool) trim(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.trimmed) >= chunkIdle {
		// At least p.unused chunks were free at every moment since then, so no transfer has needed them.
		kept := len(p.free) - p.unused
		clear(p.free[kept:])
		p.free = p.free[:kept]
		p.unused = kept
		p.trimmed = now
	}

	// Wait for the next garbage collection.
	p.watched = false
	p.watch()
}
