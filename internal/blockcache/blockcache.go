// Package blockcache reads one object in blocks, and keeps them.
//
// A read begins to fetch the blocks that it needs and waits for them; others that need the same
// blocks wait too. Neighboring blocks that are not in memory are one run, which one request
// fetches in a goroutine. If access is sequential, runs are read ahead, and each is twice as long as
// the one before it. A series of reads that resembles the last two is fetched at once (scans). A
// read that needs more than a run is one request into the caller's memory, and is not kept.
//
// Blocks take memory of a [buffer.Limit], and give way to transfers. A cache never waits for
// memory: if it gets none, it reads directly. The lock of the limit guards the cache and its
// blocks, because a transfer that needs memory evicts blocks of any cache.
package blockcache

import (
	"container/list"
	"context"
	"errors"
	"io"

	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/panics"
)

// blockOverhead is what a block takes in memory besides its bytes, as the cache counts it: 357
// bytes were measured for the block, its channel and its places in the map and the lists.
const blockOverhead = 384

var errClosed = errors.New("the reader is closed")

// A Config says what a [Cache] reads, and how much it keeps.
type Config struct {
	// Fetch makes one request for length bytes from offset on, and calls read with them. It
	// fails if read does, or if the bytes are damaged.
	Fetch func(ctx context.Context, offset, length int64, read func(io.Reader) error) error

	Size      int64         // bytes of the object
	BlockSize int64         // bytes of a block; the last one also has the rest, so that no block is tiny
	Max       int64         // bytes of the blocks, with their overhead; 0 means that none is kept
	Limit     *buffer.Limit // grants the memory
}

// A Cache reads an object in blocks.
type Cache struct {
	Config
	count  int64 // blocks in the object
	ctx    context.Context
	cancel context.CancelFunc
	group  panics.Group

	blocks map[int64]*block // the blocks that are in memory or being fetched
	bytes  int64            // memory of blocks, with their overhead
	idle   list.List        // each *block that is in memory, the least recently used first
	used   int64            // blocks that were read
	scans  scans
	closed bool
}

// A block is a piece of an object, by its number.
type block struct {
	cache  *Cache
	number int64
	data   []byte
	done   chan struct{} // closed when data is complete, or failed is set
	failed error
	isRead bool  // whether a ReadAt has read it
	since  int64 // Cache.used when it came
	run    int64 // blocks that came by the same request
	ahead  int64 // if above 0, reading the block reads so many blocks from next on ahead
	next   int64

	inCache, inLimit *list.Element // its places in idle and in the Limit; nil while it is being fetched
}

// Memory returns how many bytes the block takes.
func (b *block) Memory() int64 { return int64(len(b.data)) + blockOverhead }

// Init makes c an empty Cache, whose requests end with ctx. [Cache.Close] must be called.
func (c *Cache) Init(ctx context.Context, config Config) {
	c.Config, c.count, c.blocks = config, max(1, config.Size/config.BlockSize), map[int64]*block{}
	c.ctx, c.cancel = context.WithCancel(ctx)
}

// numberAt returns the number of the block with the byte at off.
func (c *Cache) numberAt(off int64) int64 { return min(off/c.BlockSize, c.count-1) }

func (c *Cache) start(number int64) int64 { return number * c.BlockSize }

func (c *Cache) end(number int64) int64 {
	if number == c.count-1 {
		return c.Size
	}
	return (number + 1) * c.BlockSize
}

// ReadAt fills p with the bytes of the object from off on, all of which exist. It fails if ctx or
// the context of [Cache.Init] ends, or if the cache is closed. Blocks that it began to fetch are
// kept for other reads.
func (c *Cache) ReadAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	c.Limit.Lock()
	scan := c.scans.add(off, int64(len(p)))
	c.Limit.Unlock()
	for n < len(p) && err == nil {
		var k int
		k, err = c.readSome(ctx, p[n:], off+int64(n), scan)
		n += k
	}
	return n, err
}

// readSome reads up to the end of a block, or more by one request.
func (c *Cache) readSome(ctx context.Context, p []byte, off int64, s *scan) (int, error) {
	b, direct, err := c.find(off, int64(len(p)), s)
	switch {
	case err != nil:
		return 0, err
	case b == nil:
		return c.readDirect(ctx, p[:direct], off)
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-c.ctx.Done():
		return 0, c.ctx.Err()
	}
	c.group.Raise()
	if b.failed != nil {
		return 0, b.failed
	}
	return copy(p, b.data[off-c.start(b.number):]), nil
}

// readDirect fills p by one request. If ctx or that of the cache ends, it fails.
func (c *Cache) readDirect(ctx context.Context, p []byte, off int64) (n int, err error) {
	within := c.ctx
	if ctx.Done() != nil {
		both, cancel := context.WithCancel(c.ctx)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		within = both
	}
	err = c.Fetch(within, off, int64(len(p)), func(from io.Reader) (err error) {
		n, err = io.ReadFull(from, p)
		return err
	})
	return n, err
}

// find returns the block with the byte at off, and begins to fetch it and its neighbors
// if necessary: up to where the scan probably ends. If it returns none, the next direct bytes are to be
// read directly.
func (c *Cache) find(off, length int64, s *scan) (b *block, direct int64, err error) {
	c.Limit.Lock()
	defer c.Limit.Unlock()
	if c.closed {
		return nil, 0, errClosed
	}
	first := c.numberAt(off)
	if b := c.blocks[first]; b != nil {
		c.use(b)
		return b, 0, nil
	}
	needed, last := int64(1), c.numberAt(off+length-1)
	for first+needed <= last && c.blocks[first+needed] == nil {
		needed++
	}
	direct = min(off+length, c.end(first+needed-1)) - off
	window, expected := c.window(first, s), int64(0)
	if s.expected > off {
		expected = s.expected
		window = c.numberAt(expected-1) - first + 1
	}
	window = min(window, c.maxAhead())
	if direct > c.BlockSize && needed > window { // a copy in the cache would be of no use
		s.direct = needed
		return nil, direct, nil
	}
	run := c.reserve(first, needed)
	if run == nil {
		return nil, direct, nil
	}
	c.fetchRun(append(run, c.reserveAhead(first+needed, window-needed, expected > 0)...), needed, expected)
	c.use(run[0])
	return run[0], 0, nil
}

// memory returns how many bytes n blocks from first on take.
func (c *Cache) memory(first, n int64) int64 {
	return c.end(first+n-1) - c.start(first) + n*blockOverhead
}

// use makes b the most recently used block. The first use of some blocks begins to read
// ahead, so that the next blocks come while these are used.
func (c *Cache) use(b *block) {
	if !b.isRead {
		b.isRead = true
		c.used++
	}
	if b.inCache != nil {
		c.idle.MoveToBack(b.inCache)
		c.Limit.Touch(b.inLimit)
	}
	if ahead := b.ahead; ahead > 0 {
		b.ahead = 0
		c.fetchRun(c.reserveAhead(b.next, ahead, false), 0, 0)
	}
}

// reserve adds blocks that a ReadAt needs, to be fetched. It returns nil if there is no
// memory for all of them.
func (c *Cache) reserve(first, n int64) []*block {
	bytes := c.memory(first, n)
	for c.bytes+bytes > c.Max && c.idle.Len() > 0 {
		c.idle.Front().Value.(*block).evict()
	}
	if c.bytes+bytes > c.Max || !c.Limit.Take(bytes) {
		return nil
	}
	blocks := make([]*block, n)
	for i := range blocks {
		blocks[i] = c.add(first + int64(i))
	}
	return blocks
}

func (c *Cache) add(number int64) *block {
	b := &block{cache: c, number: number, data: make([]byte, c.end(number)-c.start(number)), done: make(chan struct{})}
	c.blocks[number] = b
	c.bytes += b.Memory()
	return b
}

// fetchRun begins to fetch a run of blocks. Those after the first needed ones are read ahead:
// when half of them were used, twice as many follow, unless the run reaches what is expected.
func (c *Cache) fetchRun(run []*block, needed, expected int64) {
	n := int64(len(run))
	if n == 0 {
		return
	}
	for _, b := range run {
		b.run = n
	}
	if last := run[n-1].number; n > needed && (expected == 0 || c.end(last) < expected) {
		b := run[needed+(n-needed)/2]
		b.ahead, b.next = min(2*n, c.maxAhead()), last+1
	}
	settled := 0
	settle := func(n int, err error) {
		for ; settled < n; settled++ {
			c.settle(run[settled], err)
		}
	}
	c.group.Go(func() {
		c.Limit.AddInFlight(1)
		defer c.Limit.AddInFlight(-1)
		settle(len(run), c.download(run, settle))
	}, func() { settle(len(run), panics.ErrPanicked) })
}

// download fetches a run, and settles each of its blocks except the last, which may be damaged: the
// error of Fetch shows it.
func (c *Cache) download(run []*block, settle func(n int, err error)) error {
	first, last := c.start(run[0].number), c.end(run[len(run)-1].number)
	return c.Fetch(c.ctx, first, last-first, func(from io.Reader) error {
		for i, b := range run {
			settle(i, nil)
			if _, err := io.ReadFull(from, b.data); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle ends the fetching of a block: it is in memory, or there is none.
func (c *Cache) settle(b *block, err error) {
	c.Limit.Lock()
	defer c.Limit.Unlock()
	if b.failed = err; err != nil {
		b.remove()
		c.Limit.Forget(b.Memory())
	} else {
		b.since = c.used
		b.inCache, b.inLimit = c.idle.PushBack(b), c.Limit.Keep(b)
	}
	close(b.done)
}

// evict gives the memory of the block back. A ReadAt may still copy from it.
func (b *block) evict() {
	b.cache.Limit.Drop(b.inLimit)
	b.Evicted()
}

// Evicted removes a block from the cache whose memory the Limit has taken.
func (b *block) Evicted() {
	b.cache.idle.Remove(b.inCache)
	b.remove()
}

func (b *block) remove() {
	delete(b.cache.blocks, b.number)
	b.cache.bytes -= b.Memory()
}

// Close stops all requests, waits for them and gives the memory back.
func (c *Cache) Close() {
	c.Limit.Lock()
	c.closed = true
	c.Limit.Unlock()
	c.cancel()
	c.group.Join()
	defer c.group.Raise()
	c.Limit.Lock()
	defer c.Limit.Unlock()
	for c.idle.Len() > 0 {
		c.idle.Front().Value.(*block).evict()
	}
}
