package storage

import (
	"container/list"
	"context"
	"errors"
	"io"

	"github.com/omnibucket/storage/internal/panics"
)

const (
	// defaultBlockBytes take 1.3 ms over a connection of 50 MB/s, little beside the 20 ms of
	// a request.
	defaultBlockBytes = 64 << 10
	defaultCacheBytes = 8 << 20
	// blockOverhead is what a block takes in memory besides its bytes, as the cache counts it: 357
	// bytes were measured for the block, its channel and its places in the map and the lists.
	blockOverhead = 384
	// aheadShare is the part of a cache that one request may read ahead. A sequential reader
	// has two such requests and the blocks that it has just read.
	aheadShare = 4
)

var errReaderClosed = errors.New("the reader is closed")

// A blockCache reads an object in blocks and keeps them. Blocks are fetched in runs, each by
// one request in a goroutine, and several ReadAts may wait for one block. A cache never
// waits for memory: if it gets none, ReadAt reads directly.
//
// The lock of the BufferLimit guards the cache and its blocks, because a caller that needs memory
// evicts blocks of any cache.
type blockCache struct {
	object *pinnedObject
	limit  *BufferLimit
	size   int64 // of a block, in bytes; the last has the rest too, so that it is not tiny
	count  int64 // of blocks in the object
	most   int64 // bytes of the blocks, with their overhead
	ctx    context.Context
	cancel context.CancelFunc
	group  panics.Group

	blocks map[int64]*block // in memory, or being fetched
	bytes  int64            // of blocks, with their overhead
	idle   list.List        // of *block: in memory, the least recently used first
	used   int64            // blocks that were read
	direct directReads
	scans  scans
	closed bool
}

// A block is a piece of an object, by its number.
type block struct {
	cache  *blockCache
	number int64
	data   []byte
	done   chan struct{} // closed when data is complete, or failed is set
	failed error
	isRead bool  // by a ReadAt
	since  int64 // blockCache.used when it came
	run    int64 // blocks that came by the same request
	ahead  int64 // above 0: if the block is read, so many blocks from next on are read ahead
	next   int64

	inCache, inLimit *list.Element // of idle and of BufferLimit.cached; nil while it is being fetched
}

// memory returns how many bytes the block takes.
func (b *block) memory() int64 { return int64(len(b.data)) + blockOverhead }

func newBlockCache(ctx context.Context, object *pinnedObject, size, most int64) *blockCache {
	c := &blockCache{
		object: object, limit: bufferLimitOf(object.from), size: size, most: most,
		count: max(1, object.attrs.Size/size), blocks: map[int64]*block{},
	}
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

// bufferLimitOf returns the limit of the bucket from New that b reaches, else that of the process.
func bufferLimitOf(b any) *BufferLimit {
	if own, ok := reach(b); ok {
		return own.core.bufferLimit
	}
	return defaultBufferLimit()
}

// at returns the number of the block with the byte at off.
func (c *blockCache) at(off int64) int64 { return min(off/c.size, c.count-1) }

func (c *blockCache) start(number int64) int64 { return number * c.size }

func (c *blockCache) end(number int64) int64 {
	if number == c.count-1 {
		return c.object.attrs.Size
	}
	return (number + 1) * c.size
}

// read fills p with the bytes of the object from off on, all of which exist.
func (c *blockCache) read(ctx context.Context, p []byte, off int64) (n int, err error) {
	c.limit.mu.Lock()
	expected := c.scans.add(off, int64(len(p)))
	c.limit.mu.Unlock()
	for n < len(p) && err == nil {
		var k int
		k, err = c.readSome(ctx, p[n:], off+int64(n), expected)
		n += k
	}
	return n, err
}

// readSome reads up to the end of a block, or more by one request.
func (c *blockCache) readSome(ctx context.Context, p []byte, off, expected int64) (int, error) {
	b, direct, err := c.find(off, int64(len(p)), expected)
	switch {
	case err != nil:
		return 0, err
	case b == nil:
		return c.object.readAt(ctx, c.ctx, p[:direct], off)
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-c.ctx.Done():
		return 0, located(c.object.from, "ReadAt", c.object.key, asError(c.ctx, c.ctx.Err()))
	}
	c.group.Raise()
	if b.failed != nil {
		return 0, b.failed
	}
	return copy(p, b.data[off-c.start(b.number):]), nil
}

// find returns the block with the byte at off, and begins to fetch it and its neighbors
// if necessary: up to expected, if the reader will probably read so far. If it returns none, the
// next direct bytes are to be read directly.
func (c *blockCache) find(off, length, expected int64) (b *block, direct int64, err error) {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	if c.closed {
		return nil, 0, errReaderClosed
	}
	first := c.at(off)
	if b := c.blocks[first]; b != nil {
		c.use(b)
		return b, 0, nil
	}
	needed, last := int64(1), c.at(off+length-1)
	for first+needed <= last && c.blocks[first+needed] == nil {
		needed++
	}
	direct = min(off+length, c.end(first+needed-1)) - off
	window := c.window(first)
	if expected > off {
		window = c.at(expected-1) - first + 1
	} else {
		expected = 0
	}
	window = min(window, c.maxAhead())
	if direct > c.size && needed > window { // a copy would be in vain
		c.direct.add(first+needed-1, needed)
		return nil, direct, nil
	}
	run := c.reserve(first, needed)
	if run == nil {
		return nil, direct, nil
	}
	c.fetch(append(run, c.reserveAhead(first+needed, window-needed, expected > 0)...), needed, expected)
	c.use(run[0])
	return run[0], 0, nil
}

// memory returns how many bytes n blocks from first on take.
func (c *blockCache) memory(first, n int64) int64 {
	return c.end(first+n-1) - c.start(first) + n*blockOverhead
}

// maxBlocks returns how many blocks the cache holds.
func (c *blockCache) maxBlocks() int64 {
	return c.most / max(c.size, c.size+blockOverhead) // the sum may overflow
}

// maxAhead returns how many blocks one request may read ahead.
func (c *blockCache) maxAhead() int64 { return c.maxBlocks() / aheadShare }

// window returns how many blocks to fetch from number on if access is sequential: twice as
// many as came with the block before it. Else it returns 0.
func (c *blockCache) window(number int64) int64 {
	if before := c.blocks[number-1]; before != nil {
		return 2 * before.run
	}
	return 2 * c.direct.endingAt(number)
}

// use makes b the most recently used block. The first use of some blocks begins to read
// ahead, so that the next blocks come while these are used.
func (c *blockCache) use(b *block) {
	if !b.isRead {
		b.isRead = true
		c.used++
	}
	if b.inCache != nil {
		c.idle.MoveToBack(b.inCache)
		c.limit.cached.MoveToBack(b.inLimit)
	}
	if ahead := b.ahead; ahead > 0 {
		b.ahead = 0
		c.fetch(c.reserveAhead(b.next, ahead, false), 0, 0)
	}
}

// reserve adds blocks that a ReadAt needs, to be fetched. It returns nil if there is no
// memory for all of them.
func (c *blockCache) reserve(first, n int64) []*block {
	bytes := c.memory(first, n)
	for c.bytes+bytes > c.most && c.idle.Len() > 0 {
		c.idle.Front().Value.(*block).evict()
	}
	if c.bytes+bytes > c.most || !c.take(bytes) {
		return nil
	}
	blocks := make([]*block, n)
	for i := range blocks {
		blocks[i] = c.add(first + int64(i))
	}
	return blocks
}

// reserveAhead adds up to n blocks to be read ahead. They do not replace an unread block:
// otherwise several sequential readers would evict what was read ahead for the others. If the
// new blocks are expected to be read, they replace an unread block that is old.
func (c *blockCache) reserveAhead(first, n int64, expected bool) (blocks []*block) {
	for number := first; number < min(first+n, c.count) && c.blocks[number] == nil; number++ {
		bytes := c.memory(number, 1)
		for c.bytes+bytes > c.most {
			oldest := c.idle.Front()
			if oldest == nil || !c.mayReplace(oldest.Value.(*block), expected) {
				return blocks
			}
			oldest.Value.(*block).evict()
		}
		if !c.take(bytes) {
			return blocks
		}
		blocks = append(blocks, c.add(number))
	}
	return blocks
}

// mayReplace reports whether blocks that are read ahead may replace b.
func (c *blockCache) mayReplace(b *block, expected bool) bool {
	return b.isRead || expected && c.used-b.since > c.maxBlocks()/2
}

// take takes memory from the limit, unless somebody waits for it.
func (c *blockCache) take(bytes int64) bool {
	m := c.limit
	if len(m.waiting) > 0 || m.used-m.evicts+bytes > m.limit || !m.fits(bytes) {
		return false // nothing is evicted in vain
	}
	m.used += bytes
	m.epoch++
	return true
}

func (c *blockCache) add(number int64) *block {
	b := &block{cache: c, number: number, data: make([]byte, c.end(number)-c.start(number)), done: make(chan struct{})}
	c.blocks[number] = b
	c.bytes += b.memory()
	return b
}

// fetch begins to fetch a run of blocks. Those after the first needed ones are read ahead:
// when half of them were used, twice as many follow, unless the run reaches what is expected.
func (c *blockCache) fetch(run []*block, needed, expected int64) {
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
	fetched := 0
	settle := func(err error) {
		c.settle(run[fetched], err)
		fetched++
	}
	c.group.Go(func() { c.download(run, settle) }, func() {
		for fetched < len(run) {
			settle(errPanicked(""))
		}
	})
}

// download fetches a run, and settles each of its blocks.
func (c *blockCache) download(run []*block, settle func(error)) {
	c.limit.addInFlight(1)
	defer c.limit.addInFlight(-1)
	first, last := run[0], run[len(run)-1]
	from, err := c.object.open(c.ctx, "ReadAt", c.start(first.number), c.end(last.number)-c.start(first.number))
	if err == nil {
		defer func() { _ = from.Close() }()
	}
	for _, b := range run {
		if err == nil {
			_, err = io.ReadFull(from, b.data)
		}
		if err == nil && b == last {
			err = checkEnd(c.object.from, "ReadAt", c.object.key, from)
		}
		settle(err)
	}
}

// settle ends the fetching of a block: it is in memory, or there is none.
func (c *blockCache) settle(b *block, err error) {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	if b.failed = err; err != nil {
		b.remove()
	} else {
		b.since = c.used
		b.inCache, b.inLimit = c.idle.PushBack(b), c.limit.cached.PushBack(b)
		c.limit.evicts += b.memory()
	}
	close(b.done)
	c.limit.grant() // a transfer that waits may have the memory
}

// evict removes a block that is in memory. A ReadAt may still copy from it.
func (b *block) evict() {
	b.cache.idle.Remove(b.inCache)
	b.cache.limit.cached.Remove(b.inLimit)
	b.cache.limit.evicts -= b.memory()
	b.remove()
}

func (b *block) remove() {
	c := b.cache
	delete(c.blocks, b.number)
	c.bytes -= b.memory()
	c.limit.forget(b.memory())
}

// close stops all requests, waits for them and gives the memory back.
func (c *blockCache) close() {
	c.limit.mu.Lock()
	c.closed = true
	c.limit.mu.Unlock()
	c.cancel()
	c.group.Join()
	defer c.group.Raise()
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	for c.idle.Len() > 0 {
		c.idle.Front().Value.(*block).evict()
	}
	c.limit.grant()
}

// directReads remembers where the latest reads ended that bypassed the cache, so that
// sequential ones are recognized.
type directReads struct {
	ends [8]struct{ block, run int64 }
	next int
}

func (d *directReads) add(block, run int64) {
	d.ends[d.next%len(d.ends)].block, d.ends[d.next%len(d.ends)].run = block, run
	d.next++
}

// endingAt returns the blocks of a read that ended in the given block or the one before
// it; 0 if there was none.
func (d *directReads) endingAt(block int64) int64 {
	for _, end := range d.ends {
		if end.run > 0 && (end.block == block || end.block == block-1) {
			return end.run
		}
	}
	return 0
}
