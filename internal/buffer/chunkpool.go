package buffer

import (
	"runtime"
	"sync"
	"time"
)

// chunkIdle is how long a free chunk is kept before it is left to the garbage collector.
const chunkIdle = 5 * time.Second

// A chunkPool keeps the free chunks of one size for later transfers. A sync.Pool forgets them
// after two garbage collections, so that each upload would begin with new ones. This pool is
// trimmed after a collection, too, but only by the chunks that no transfer has needed for
// chunkIdle. A process that is idle collects every two minutes, so it keeps none.
type chunkPool struct {
	size    int // bytes of a chunk
	mu      sync.Mutex
	free    [][]byte
	unused  int       // the fewest free chunks since the last trim
	trimmed time.Time // the last trim
	watched bool      // whether trim is called after the next collection
}

func (p *chunkPool) get() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return make([]byte, p.size)
	}
	c := p.free[last]
	p.free[last] = nil
	p.free = p.free[:last]
	p.unused = min(p.unused, last)
	return c
}

func (p *chunkPool) put(c []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, c)
	p.watch()
}

// watch makes the pool call trim after the next garbage collection. The caller holds mu.
func (p *chunkPool) watch() {
	if p.watched || len(p.free) == 0 {
		return
	}
	p.watched = true
	garbage := new([64]byte) // an allocation with a block of memory of its own
	runtime.AddCleanup(garbage, func(p *chunkPool) { p.trim(time.Now()) }, p)
}

// trim drops the chunks that no transfer has needed since the last trim.
func (p *chunkPool) trim(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.trimmed) >= chunkIdle {
		kept := len(p.free) - p.unused
		clear(p.free[kept:])
		p.free = p.free[:kept]
		p.unused, p.trimmed = kept, now
	}
	p.watched = false
	p.watch()
}
