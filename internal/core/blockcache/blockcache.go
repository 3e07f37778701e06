// Package blockcache reads one object in blocks, and keeps the blocks in memory.
//
// A read fetches the blocks that it needs and waits for them. Other reads that need the same blocks
// wait, too. Neighboring blocks that are not in memory form a run, which one request fetches in a
// goroutine.
//
// If access is sequential, runs are read ahead, and each run is twice as long as the previous one.
// If a series of reads looks like the last two series, the whole series is fetched with one request
// (see scans). If a read needs more blocks than a run may have, one request reads its bytes
// directly into the caller's memory. These bytes are not kept.
//
// The memory of the blocks counts against a [buffer.Limit]. A transfer that needs memory evicts
// blocks. A cache never waits for memory: if the limit grants none, the cache reads directly. The
// lock of the limit guards the cache and its blocks, because a transfer may evict blocks of any
// cache.
package blockcache

import (
	"container/list"
	"context"
	"errors"
	"io"

	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/running"
)

// blockOverhead is the number of bytes that the cache counts for a block in addition to its
// content. A measurement showed 357 bytes for the block, its channel and its entries in the map and
// the lists.
const blockOverhead = 384

var errClosed = errors.New("the reader is closed")

// A Config describes the object that a [Cache] reads, and sets the limits of the cache.
type Config struct {
	// Fetch requests a range of the object. The offset and the length of the range are in bytes.
	// Fetch passes the body of the response to the given function. If the function fails, or if the
	// bytes are damaged, Fetch fails.
	Fetch func(ctx context.Context, offset, length int64, read func(io.Reader) error) error

	Size      int64         // size of the object in bytes
	BlockSize int64         // size of a block in bytes; the last block is up to twice as long, so that no block is tiny
	Max       int64         // largest total memory of the blocks in bytes; 0 means that no block is kept
	Limit     *buffer.Limit // grants the memory of the blocks
}

// A Cache reads one object in blocks, and keeps recently used blocks. Call [Cache.Init] before any
// other method.
type Cache struct {
	Config
	count  int64 // number of blocks in the object
	ctx    context.Context
	cancel context.CancelFunc
	group  running.Group

	blocks map[int64]*block // blocks that are in memory or being fetched, by number
	bytes  int64            // memory of all blocks in bytes, including their overhead
	idle   list.List        // the blocks that are in memory (*block); the least recently used block is first
	used   int64            // counts the blocks that were read for the first time; serves as a clock
	scans  scans
	closed bool
}

// A block is one of the pieces into which the object is divided. Block 0 begins at offset 0.
type block struct {
	cache  *Cache
	number int64
	data   []byte
	done   chan struct{} // closed when data is complete or failed is set
	failed error
	isRead bool  // true if a ReadAt has read the block
	since  int64 // value of Cache.used when the block arrived
	run    int64 // number of blocks that the request for this block fetched in total
	ahead  int64 // number of blocks to read ahead when this block is first read; next is the first of them
	next   int64

	inCache, inLimit *list.Element // places of the block in Cache.idle and in the Limit; nil while it is being fetched
}

// Memory returns how many bytes the block takes.
func (b *block) Memory() int64 { return int64(len(b.data)) + blockOverhead }

// Init makes c an empty Cache, whose requests end when ctx ends. The caller must call [Cache.Close].
func (c *Cache) Init(ctx context.Context, config Config) {
	c.Config = config
	c.count = max(1, config.Size/config.BlockSize)
	c.blocks = map[int64]*block{}
	c.ctx, c.cancel = context.WithCancel(ctx)
}

// numberAt returns the number of the block that contains the byte at offset off.
func (c *Cache) numberAt(off int64) int64 { return min(off/c.BlockSize, c.count-1) }

func (c *Cache) start(number int64) int64 { return number * c.BlockSize }

// end returns the offset at which the block with the number ends. The last block may be longer than
// the others.
func (c *Cache) end(number int64) int64 {
	if number == c.count-1 {
		return c.Size
	}
	return (number + 1) * c.BlockSize
}

// ReadAt fills p with the bytes of the object from off on, all of which must exist. It fails if ctx or
// the context of [Cache.Init] ends, or if the cache is closed. If it fails, the blocks that it began
// to fetch are kept for other reads.
func (c *Cache) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	c.Limit.Lock()
	scan := c.scans.add(off, int64(len(p)))
	c.Limit.Unlock()

	filled := 0
	for filled < len(p) {
		n, err := c.readSome(ctx, p[filled:], off+int64(filled), scan)
		filled += n
		if err != nil {
			return filled, err
		}
	}
	return filled, nil
}

// readSome reads at least one byte into p, either from a block that is in memory or being fetched,
// or directly with one request. s is the series of reads to which this one belongs.
func (c *Cache) readSome(ctx context.Context, p []byte, off int64, s *scan) (int, error) {
	b, directBytes, err := c.find(off, int64(len(p)), s)
	if err != nil {
		return 0, err
	}
	if b == nil {
		return c.readDirect(ctx, p[:directBytes], off)
	}

	// Wait until the block has arrived.
	select {
	case <-b.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-c.ctx.Done():
		return 0, c.ctx.Err()
	}
	c.group.Raise() // panics if Fetch has panicked
	if b.failed != nil {
		return 0, b.failed
	}
	return copy(p, b.data[off-c.start(b.number):]), nil
}

// readDirect fills p with one request, and keeps nothing in the cache. It fails if ctx or the
// context of the cache ends.
func (c *Cache) readDirect(ctx context.Context, p []byte, off int64) (int, error) {
	fetchCtx := c.ctx
	if ctx.Done() != nil {
		// The context of the request ends with that of the cache, and with ctx.
		both, cancel := context.WithCancel(c.ctx)
		defer cancel()
		stop := context.AfterFunc(ctx, cancel)
		defer stop()
		fetchCtx = both
	}

	filled := 0
	err := c.Fetch(fetchCtx, off, int64(len(p)), func(src io.Reader) error {
		n, err := io.ReadFull(src, p)
		filled = n
		return err
	})
	return filled, err
}

// find returns the block that contains the byte at off. If the block is not in memory, find begins
// to fetch it, together with its neighbors up to the probable end of the scan. If find returns no
// block, the caller must read the next directBytes bytes without the cache.
func (c *Cache) find(off, length int64, s *scan) (b *block, directBytes int64, err error) {
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

	// The read needs this many blocks in a row that are not in memory.
	needed := c.countMissing(first, c.numberAt(off+length-1))
	directBytes = min(off+length, c.end(first+needed-1)) - off

	// A large read bypasses the cache, because a copy would not help, unless the scan fetches as much anyway.
	// The next request of the scan may then read twice as many blocks (see window).
	window, expected := c.plan(first, off, s)
	isLarge := directBytes > c.BlockSize
	if isLarge && needed > window {
		s.direct = needed
		return nil, directBytes, nil
	}

	// Make room for the blocks. If there is none, the caller reads its bytes directly.
	run := c.reserve(first, needed)
	if run == nil {
		return nil, directBytes, nil
	}

	// One request fetches the needed blocks and those after them.
	ahead := c.reserveAhead(first+needed, window-needed, expected > 0)
	c.fetchRun(append(run, ahead...), needed, expected)
	c.use(run[0])
	return run[0], 0, nil
}

// countMissing returns how many blocks in a row are not in memory, from first, which is not, to at most
// last.
func (c *Cache) countMissing(first, last int64) int64 {
	count := int64(1)
	for first+count <= last && c.blocks[first+count] == nil {
		count++
	}
	return count
}

// plan returns how many blocks to fetch from first on, including those to read ahead, for a scan that
// continues at the offset off. expected is the offset at which the scan probably ends, or 0 if that is
// unknown.
func (c *Cache) plan(first, off int64, s *scan) (window, expected int64) {
	window = c.window(first, s)
	if s.expected > off {
		expected = s.expected
		window = c.numberAt(expected-1) - first + 1
	}
	return min(window, c.maxAhead()), expected
}

// memory returns how many bytes of memory n consecutive blocks take. first is the number of the
// first of these blocks.
func (c *Cache) memory(first, n int64) int64 {
	return c.end(first+n-1) - c.start(first) + n*blockOverhead
}

// use makes b the most recently used block. If b is the middle of a run that was read ahead, use also begins
// to fetch the next run, so that it arrives while b is being used. That run has b.ahead blocks from b.next on.
func (c *Cache) use(b *block) {
	if !b.isRead {
		b.isRead = true
		c.used++
	}
	if b.inCache != nil {
		c.idle.MoveToBack(b.inCache)
		c.Limit.Touch(b.inLimit)
	}
	if b.ahead == 0 {
		return
	}

	// No ReadAt waits for the blocks of the next run, and the end of the scan is not known here.
	const (
		needed      = 0
		isExpected  = false
		expectedEnd = 0
	)
	next := c.reserveAhead(b.next, b.ahead, isExpected)
	b.ahead = 0
	c.fetchRun(next, needed, expectedEnd)
}

// reserve adds n blocks without content to the cache, from the number first on, and evicts others for
// them. The caller must fetch them. It returns nil if there is not enough memory for all of them.
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

// add adds a block without content to the cache. The Limit has granted its memory.
func (c *Cache) add(number int64) *block {
	b := &block{
		cache:  c,
		number: number,
		data:   make([]byte, c.end(number)-c.start(number)),
		done:   make(chan struct{}),
	}
	c.blocks[number] = b
	c.bytes += b.Memory()
	return b
}

// fetchRun begins to fetch a run of blocks with one request. A ReadAt waits for the first needed
// blocks, and the others are read ahead. When a ReadAt reaches the middle of those, the cache begins
// to fetch the next run, with twice as many blocks if the cache is large enough.
//
// expected is the offset at which the scan probably ends, or 0 if it is unknown. If the run reaches
// this offset, no next run is fetched.
func (c *Cache) fetchRun(blocks []*block, needed, expected int64) {
	count := int64(len(blocks))
	if count == 0 {
		return
	}
	for _, b := range blocks {
		b.run = count
	}

	// When a ReadAt uses the block in the middle of those that are read ahead, it fetches the next run (see use).
	last := blocks[count-1].number
	countAhead := count - needed
	scanContinues := expected == 0 || c.end(last) < expected
	if countAhead > 0 && scanContinues {
		middle := blocks[needed+countAhead/2]
		middle.ahead = min(2*count, c.maxAhead())
		middle.next = last + 1
	}

	// If the fetch panics, the ReadAts that wait for its blocks fail.
	f := &runFetch{cache: c, blocks: blocks}
	onPanic := func() { f.settleFirst(len(blocks), running.ErrPanicked) }
	c.group.Go(f.run, onPanic)
}

// A runFetch fetches one run of blocks.
type runFetch struct {
	cache   *Cache
	blocks  []*block
	settled int // number of blocks at the beginning whose fetching has ended
}

// run fetches the blocks and settles all of them.
func (f *runFetch) run() {
	f.cache.Limit.AddInFlight(1)
	defer f.cache.Limit.AddInFlight(-1)
	err := f.download()
	f.settleFirst(len(f.blocks), err)
}

// settleFirst ends the fetching of the first blocks, up to count, except those that were settled
// before.
func (f *runFetch) settleFirst(count int, err error) {
	for ; f.settled < count; f.settled++ {
		f.cache.settle(f.blocks[f.settled], err)
	}
}

// download fetches the blocks, and settles each one when it has arrived, so that readers do not wait
// for the whole run. The last block must wait for the result of Fetch, which shows whether the bytes
// are damaged.
func (f *runFetch) download() error {
	c := f.cache
	start := c.start(f.blocks[0].number)
	end := c.end(f.blocks[len(f.blocks)-1].number)
	return c.Fetch(c.ctx, start, end-start, func(src io.Reader) error {
		for i, b := range f.blocks {
			// The blocks before this one have arrived.
			f.settleFirst(i, nil)
			if _, err := io.ReadFull(src, b.data); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle ends the fetching of a block, and lets the ReadAts that wait for the block continue. The block
// stays in memory if err is nil, and is dropped otherwise.
func (c *Cache) settle(b *block, err error) {
	c.Limit.Lock()
	defer c.Limit.Unlock()
	defer close(b.done)
	b.failed = err
	if err != nil {
		b.remove()
		c.Limit.Forget(b.Memory())
		return
	}

	// The number of blocks that were used serves as a clock.
	b.since = c.used
	b.inCache = c.idle.PushBack(b)
	b.inLimit = c.Limit.Keep(b)
}

// evict removes the block from the cache and gives its memory back. A ReadAt in progress may still
// copy from the block.
func (b *block) evict() {
	b.cache.Limit.Drop(b.inLimit)
	b.Evicted()
}

// Evicted implements [buffer.Cached]. The Limit has taken the memory of the block, so Evicted
// removes the block from the cache.
func (b *block) Evicted() {
	b.cache.idle.Remove(b.inCache)
	b.remove()
}

func (b *block) remove() {
	delete(b.cache.blocks, b.number)
	b.cache.bytes -= b.Memory()
}

// Close cancels all requests, waits for their end and gives the memory back.
func (c *Cache) Close() {
	c.Limit.Lock()
	c.closed = true
	c.Limit.Unlock()

	c.cancel()
	c.group.Join()
	defer c.group.Raise() // a panic of a request must not keep the memory

	c.Limit.Lock()
	defer c.Limit.Unlock()
	for c.idle.Len() > 0 {
		c.idle.Front().Value.(*block).evict()
	}
}
