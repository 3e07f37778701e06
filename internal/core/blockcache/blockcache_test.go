package blockcache

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/core/buffer"
)

const mib = 1 << 20

// A request is one call of Fetch.
type request struct{ offset, length int64 }

// A generated object has the content of the reader numbers{}. Its method fetch records the requests.
type generated struct {
	size int64
	held chan struct{} // if it is not nil, fetch waits until it is closed

	mu         sync.Mutex
	requests   []request
	panicValue any // if it is not nil, fetch panics with it
}

func (g *generated) fetch(ctx context.Context, offset, length int64, consume func(io.Reader) error) error {
	g.mu.Lock()
	g.requests = append(g.requests, request{offset, length})
	panicValue := g.panicValue
	g.mu.Unlock()
	if panicValue != nil {
		panic(panicValue)
	}
	if g.held != nil {
		select {
		case <-g.held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return consume(io.NewSectionReader(numbers{}, offset, length))
}

// numbers is a file of any size. The byte at an offset is the offset modulo 251, a prime, so that no two blocks
// are equal.
type numbers struct{}

func (numbers) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = byte((off + int64(i)) % 251)
	}
	return len(p), nil
}

// openCache returns a cache of the object that keeps up to maxBytes, in blocks of blockSize.
func openCache(t *testing.T, object *generated, memory *buffer.Limit, blockSize, maxBytes int64) *Cache {
	t.Helper()
	c := &Cache{}
	c.Init(t.Context(), Config{
		Fetch:     object.fetch,
		Size:      object.size,
		BlockSize: blockSize,
		Max:       maxBytes,
		Limit:     memory,
	})
	t.Cleanup(c.Close)
	return c
}

// requireRead reads from the cache, and requires the bytes that the reader numbers{} has at this offset.
func requireRead(t *testing.T, c *Cache, offset, length int64) {
	t.Helper()
	got := make([]byte, length)
	want := make([]byte, length)
	n, err := c.ReadAt(context.Background(), got, offset)
	require.NoError(t, err)

	_, _ = numbers{}.ReadAt(want, offset)
	require.Equal(t, length, int64(n))
	require.True(t, string(want) == string(got), "other bytes at %d", offset)
}

// A full cache evicts the least recently used block.
func TestCacheEvictsLeastRecentlyUsed(t *testing.T) {
	const blockSize = 10
	const threeBlocks = 3 * (blockSize + blockOverhead)
	object := &generated{size: 1000}
	memory := &buffer.Limit{Max: mib}
	cache := openCache(t, object, memory, blockSize, threeBlocks)

	// Read the blocks at 0, 100 and 200, and then the block at 0 again. The block at 300 then
	// evicts the block at 100.
	for _, offset := range []int64{0, 100, 200, 5, 300} {
		requireRead(t, cache, offset, 5)
	}
	require.Equal(t, int64(threeBlocks), memory.Used())

	// Only the evicted block is requested again.
	object.requests = nil
	for _, offset := range []int64{0, 200, 300} {
		requireRead(t, cache, offset, 5)
	}
	require.Empty(t, object.requests)
	requireRead(t, cache, 100, 5)
	require.Equal(t, []request{{offset: 100, length: blockSize}}, object.requests)

	cache.Close()
	require.Zero(t, memory.Used())
}

// The maximum of the cache also limits the memory for tiny blocks. Most of this memory is for bookkeeping, not for
// content.
func TestCacheOfTinyBlocks(t *testing.T) {
	const blockSize = 4
	const maxBytes = mib
	memory := &buffer.Limit{Max: 8 * mib}
	cache := openCache(t, &generated{size: 100_000}, memory, blockSize, maxBytes)

	heapBefore := heapBytes()
	for offset := int64(0); offset < cache.Size; offset += blockSize {
		requireRead(t, cache, offset, blockSize)
	}
	growth := heapBytes() - heapBefore

	const aTenthMore = maxBytes * 11 / 10
	require.Less(t, growth, int64(aTenthMore))
	require.Greater(t, cache.bytes, int64(maxBytes/2))
	require.LessOrEqual(t, memory.Used(), int64(maxBytes))
}

// heapBytes returns how many bytes of the heap are in use.
func heapBytes() int64 {
	var current runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&current)
	return int64(current.HeapAlloc)
}

// A last block that would be tiny is part of the block before it, so that one request reads both.
func TestCacheLastBlockIsNotTiny(t *testing.T) {
	const blockSize = 10
	object := &generated{size: 1003} // the last block would have 3 bytes
	cache := openCache(t, object, &buffer.Limit{Max: mib}, blockSize, 8*mib)

	requireRead(t, cache, 1002, 1)
	requireRead(t, cache, 990, 13)
	require.Equal(t, []request{{offset: 990, length: 13}}, object.requests)
}

// A sequential reader reads ahead more and more, but never more than fits in the cache, and requests each byte once.
func TestReadAheadGrowsAndStaysWithinTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blockSize = 10
		const fortyBlocks = 40 * (blockSize + blockOverhead)
		const bytesRead = 1000
		object := &generated{size: 10_000}
		cache := openCache(t, object, &buffer.Limit{Max: mib}, blockSize, fortyBlocks)

		// Read half a block at a time.
		const readSize = blockSize / 2
		for offset := int64(0); offset < bytesRead; offset += readSize {
			requireRead(t, cache, offset, readSize)
			synctest.Wait()
		}

		// The requests follow one another without a gap, and become longer until they have ten blocks.
		var lengths []int64
		requested := int64(0)
		for _, request := range object.requests {
			require.Equal(t, requested, request.offset)
			requested += request.length
			lengths = append(lengths, request.length)
		}
		require.Equal(t, []int64{10, 20, 40, 80, 100, 100}, lengths[:6])

		const maxAhead = 200 // bytes
		require.LessOrEqual(t, requested, int64(bytesRead+maxAhead))
	})
}

// Sequential readers do not evict blocks that were read ahead for one another, so few bytes are requested twice.
func TestReadAheadOfOthersIsNotEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blockSize = 10
		const fortyBlocks = 40 * (blockSize + blockOverhead)
		const readers = 8
		const bytesOfReader = 1000
		object := &generated{size: 100_000}
		cache := openCache(t, object, &buffer.Limit{Max: mib}, blockSize, fortyBlocks)

		// Each request may read ahead a fourth of the cache, so eight readers would read ahead more than it holds.
		for offset := int64(0); offset < bytesOfReader; offset += 5 {
			for reader := range int64(readers) {
				// Each reader has a range of the object for itself.
				start := reader * 10_000
				requireRead(t, cache, start+offset, 5)
				synctest.Wait()
			}
		}

		// Add up the requests.
		requested := int64(0)
		for _, request := range object.requests {
			requested += request.length
		}
		// At most half of the bytes may be requested twice, with at most one request for each block.
		const bytesRead = readers * bytesOfReader
		require.LessOrEqual(t, requested, int64(bytesRead*3/2))
		require.LessOrEqual(t, len(object.requests), bytesRead/blockSize)
	})
}

// The cache does not read ahead for scattered reads.
func TestReadAheadNotForScatteredReads(t *testing.T) {
	const blockSize = 10
	object := &generated{size: 10_000}
	cache := openCache(t, object, &buffer.Limit{Max: mib}, blockSize, 8*mib)

	var want []request
	for _, offset := range []int64{0, 500, 100, 9000, 300} {
		requireRead(t, cache, offset, blockSize)
		want = append(want, request{offset: offset, length: blockSize})
	}
	require.Equal(t, want, object.requests)
}

// A scan reads a range by many small reads, from its start to its end. After two scans of about equal length, such as
// columns of a table, one request reads ahead all of the next scan.
func TestReadAheadExpectsScansOfOneLength(t *testing.T) {
	const (
		blockSize = 10
		readSize  = blockSize / 2
		scan      = 70   // bytes of an earlier scan
		last      = 2000 // offset of the last scan
	)

	// Scans of one length, which run at the same time if there are several.
	type scans struct {
		starts []int64 // offset of each scan
		length int64
	}
	tests := []struct {
		name         string
		earlier      []scans   // one after the other
		length       int64     // of the last scan
		wantRequests []request // of the last scan
	}{
		{
			name:         "after two scans",
			earlier:      []scans{{starts: []int64{0}, length: scan}, {starts: []int64{1000}, length: scan}},
			length:       scan,
			wantRequests: []request{{offset: last, length: scan}},
		},
		{
			name:         "after two scans at the same time",
			earlier:      []scans{{starts: []int64{0, 1000}, length: scan}},
			length:       scan,
			wantRequests: []request{{offset: last, length: scan}},
		},
		{
			name:         "a longer scan after two scans",
			earlier:      []scans{{starts: []int64{0}, length: scan}, {starts: []int64{1000}, length: scan}},
			length:       scan + blockSize,
			wantRequests: []request{{offset: last, length: scan}, {offset: last + scan, length: 2 * scan}},
		},
		{
			name:         "after one scan",
			earlier:      []scans{{starts: []int64{0}, length: scan}},
			length:       blockSize,
			wantRequests: []request{{offset: last, length: blockSize}},
		},
		{
			name: "after two scans and two single reads",
			earlier: []scans{
				{starts: []int64{0}, length: scan},
				{starts: []int64{1000}, length: scan},
				{starts: []int64{5000, 5100}, length: readSize},
			},
			length:       readSize,
			wantRequests: []request{{offset: last, length: blockSize}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const hundredBlocks = 100 * (blockSize + blockOverhead)
				object := &generated{size: 10_000}
				cache := openCache(t, object, &buffer.Limit{Max: mib}, blockSize, hundredBlocks)
				run := func(s scans) {
					for offset := int64(0); offset < s.length; offset += readSize {
						for _, start := range s.starts {
							requireRead(t, cache, start+offset, readSize)
							synctest.Wait()
						}
					}
				}
				for _, s := range tt.earlier {
					run(s)
				}

				// Only the requests of the last scan count.
				object.requests = nil
				run(scans{starts: []int64{last}, length: tt.length})
				require.Equal(t, tt.wantRequests, object.requests)
			})
		})
	}
}

// A transfer that needs memory evicts the least recently used blocks of all caches that share it.
func TestCacheEvictsForTransfers(t *testing.T) {
	const blockSize = mib/16 - blockOverhead // 16 blocks take all memory
	memory := &buffer.Limit{Max: mib}
	first := openCache(t, &generated{size: 10 * mib}, memory, blockSize, 8*mib)
	second := openCache(t, &generated{size: 10 * mib}, memory, blockSize, 8*mib)

	// Two caches fill the memory with eight blocks each.
	for i := range int64(8) {
		requireRead(t, first, i*mib, 10)
		requireRead(t, second, i*mib, 10)
	}
	require.Equal(t, int64(mib), memory.Used())

	// A transfer takes half of the shared memory. Each cache then loses the older half of its
	// blocks.
	_, overLimit, err := memory.Acquire(t.Context(), nil, mib/2, mib/2)
	require.NoError(t, err)
	require.False(t, overLimit)
	require.Equal(t, int64(mib), memory.Used())
	require.Len(t, first.blocks, 4)
	require.Len(t, second.blocks, 4)

	// Try evicts the other blocks for a second transfer. When transfers have all of the shared memory, a read still
	// succeeds, but keeps no block.
	require.True(t, memory.Try(mib/2))
	requireRead(t, first, 0, 10)
	require.Equal(t, int64(mib), memory.Used())

	memory.Release(mib)
	require.Zero(t, memory.Used())
}

// If a transfer waits for memory, the cache gives it the memory of a block as soon as the block was read.
func TestCacheGivesABlockToATransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One block takes all memory.
		memory := &buffer.Limit{Max: mib}
		object := &generated{size: mib - blockOverhead, held: make(chan struct{})}
		cache := openCache(t, object, memory, mib, 8*mib)
		var group sync.WaitGroup

		// A read takes all memory for its block, and waits for the bytes.
		got := make([]byte, 10)
		var n int
		var readErr error
		group.Go(func() {
			n, readErr = cache.ReadAt(context.Background(), got, 0)
		})
		synctest.Wait()
		require.Equal(t, int64(mib), memory.Used())

		// A transfer waits for half of the memory.
		const half = mib / 2
		granted := false
		group.Go(func() {
			_, overLimit, err := memory.Acquire(t.Context(), nil, half, half)
			granted = err == nil && !overLimit
		})
		synctest.Wait()
		require.False(t, granted)

		// The bytes arrive, and the block is evicted at once.
		close(object.held)
		group.Wait()
		require.NoError(t, readErr)
		require.Equal(t, len(got), n)
		want := make([]byte, len(got))
		_, _ = numbers{}.ReadAt(want, 0)
		require.Equal(t, want, got)
		require.True(t, granted)
		memory.Release(half)
		require.Zero(t, memory.Used())
	})
}

// Many goroutines that read from two caches with one Limit get the right bytes, and Close releases all memory.
func TestCacheOfManyReaders(t *testing.T) {
	const goroutines = 8
	const readsOfEach = 150
	memory := &buffer.Limit{Max: mib}
	var caches []*Cache
	for range 2 {
		object := &generated{size: 4*mib + 123}
		caches = append(caches, openCache(t, object, memory, 50_000, mib))
	}

	var group sync.WaitGroup
	for i := range goroutines {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 2))
			cache := caches[i%len(caches)]
			offset := int64(0)
			for range readsOfEach {
				// Most reads are short, and three in four follow the one before.
				maxLength := int64(8) << random.IntN(16)
				length := 1 + random.Int64N(maxLength)
				offset += length
				jumps := random.IntN(4) == 0
				if jumps || offset+length > cache.Size {
					offset = random.Int64N(cache.Size - length)
				}

				got := make([]byte, length)
				want := make([]byte, length)
				_, _ = numbers{}.ReadAt(want, offset)
				_, err := cache.ReadAt(context.Background(), got, offset)
				if err != nil || string(got) != string(want) {
					t.Errorf("%d bytes at %d: %v", length, offset, err)
				}

				// Now and then, a transfer takes half of the memory.
				if random.IntN(8) == 0 && memory.Try(mib/2) {
					memory.Release(mib / 2)
				}
			}
		})
	}
	group.Wait()

	// The blocks of both caches are within the limit.
	require.LessOrEqual(t, memory.Used(), int64(mib))

	for _, cache := range caches {
		cache.Close()
	}
	require.Zero(t, memory.Used())
}

// A panic while a block is fetched reaches the caller, and the next read fetches the block again.
func TestCacheFetchesAFailedBlockAgain(t *testing.T) {
	const blockSize = 10
	memory := &buffer.Limit{Max: mib}
	object := &generated{size: 100, panicValue: "boom"}
	cache := openCache(t, object, memory, blockSize, 8*mib)

	require.PanicsWithValue(t, "boom", func() {
		_, _ = cache.ReadAt(context.Background(), make([]byte, 1), 0)
	})
	require.Zero(t, memory.Used())

	object.panicValue = nil
	requireRead(t, cache, 0, blockSize)
}

// The cache reads the right bytes with any block size and any maximum, even 0.
func TestCacheOfAnySize(t *testing.T) {
	const size = 1000
	reads := []request{
		{offset: 0, length: 1},
		{offset: size - 1, length: 1},
		{offset: 0, length: size},
		{offset: 500, length: 7},
		{offset: 507, length: size - 507},
		{offset: size - 10, length: 10},
	}
	for _, blockSize := range []int64{1, 7, size, size + 1, math.MaxInt64} {
		for _, maxBytes := range []int64{0, 1, 50, size, math.MaxInt64} {
			t.Run(fmt.Sprintf("blocks of %d, maximum %d", blockSize, maxBytes), func(t *testing.T) {
				cache := openCache(t, &generated{size: size}, &buffer.Limit{Max: mib}, blockSize, maxBytes)
				for _, read := range reads {
					requireRead(t, cache, read.offset, read.length)
				}
			})
		}
	}
}

// Close interrupts reads, releases all memory, and makes later reads fail.
func TestCloseInterruptsReads(t *testing.T) {
	const blockSize = 100
	tests := []struct {
		name   string
		length int
	}{
		{name: "part of a block", length: blockSize / 10},
		{name: "many blocks", length: 10 * blockSize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := &buffer.Limit{Max: mib}
				object := &generated{size: 10_000, held: make(chan struct{})}
				cache := openCache(t, object, memory, blockSize, 8*mib)

				// A read waits for its bytes.
				var group sync.WaitGroup
				var err error
				group.Go(func() {
					_, err = cache.ReadAt(context.Background(), make([]byte, tt.length), 500)
				})
				synctest.Wait()

				// Close ends it.
				cache.Close()
				group.Wait()
				require.ErrorIs(t, err, context.Canceled)
				require.Zero(t, memory.Used())

				// A later read fails.
				_, err = cache.ReadAt(context.Background(), make([]byte, 1), 0)
				require.ErrorIs(t, err, errClosed)
			})
		})
	}
}
