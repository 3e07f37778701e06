package blockcache

import (
	"context"
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

// A generated object has content that numbers generates. Its fetch records the requests.
type generated struct {
	size int64
	held chan struct{} // if it is not nil, fetch waits until it is closed

	mu       sync.Mutex
	requests []request
	broken   any // if it is not nil, fetch panics with it
}

func (g *generated) fetch(ctx context.Context, offset, length int64, consume func(io.Reader) error) error {
	g.mu.Lock()
	g.requests = append(g.requests, request{offset, length})
	broken := g.broken
	g.mu.Unlock()
	if broken != nil {
		panic(broken)
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

// open returns a cache of the object that keeps up to maxBytes, in blocks of blockSize.
func open(t *testing.T, object *generated, memory *buffer.Limit, blockSize, maxBytes int64) *Cache {
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

// readAt reads from the cache and requires the bytes of numbers.
func readAt(t *testing.T, c *Cache, offset, length int64) {
	t.Helper()
	got := make([]byte, length)
	want := make([]byte, length)
	n, err := c.ReadAt(context.Background(), got, offset)
	require.NoError(t, err)

	_, _ = numbers{}.ReadAt(want, offset)
	require.Equal(t, length, int64(n))
	require.True(t, string(want) == string(got), "other bytes at %d", offset)
}

// Blocks are evicted, the least recently used first.
func TestCacheEvictsLeastRecentlyUsed(t *testing.T) {
	const blockSize = 10
	const threeBlocks = 3 * (blockSize + blockOverhead)
	object := &generated{size: 1000}
	memory := &buffer.Limit{Max: mib}
	cache := open(t, object, memory, blockSize, threeBlocks)

	// Read the blocks at 0, 100 and 200, and that at 0 again. The block at 300 then evicts that at 100.
	for _, offset := range []int64{0, 100, 200, 5, 300} {
		readAt(t, cache, offset, 5)
	}
	require.Equal(t, int64(threeBlocks), memory.Used())

	object.requests = nil
	for _, offset := range []int64{0, 200, 300} {
		readAt(t, cache, offset, 5)
	}
	require.Empty(t, object.requests)

	readAt(t, cache, 100, 5)
	require.Equal(t, []request{{offset: 100, length: blockSize}}, object.requests)
	cache.Close()
	require.Zero(t, memory.Used())
}

// The memory of tiny blocks is limited, too, although most of it is bookkeeping and not their bytes.
func TestCacheOfTinyBlocks(t *testing.T) {
	const blockSize = 4
	const maxBytes = mib
	memory := &buffer.Limit{Max: 8 * mib}
	cache := open(t, &generated{size: 100_000}, memory, blockSize, maxBytes)

	heapBefore := heap()
	for offset := int64(0); offset < cache.Size; offset += blockSize {
		readAt(t, cache, offset, blockSize)
	}
	growth := heap() - heapBefore

	require.Less(t, growth, int64(maxBytes*11/10), "at most a tenth more")
	require.Greater(t, cache.bytes, int64(maxBytes/2), "it keeps what fits")
	require.LessOrEqual(t, memory.Used(), int64(maxBytes))
}

// heap returns how many bytes are in use.
func heap() int64 {
	var current runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&current)
	return int64(current.HeapAlloc)
}

// If the last block would be tiny, its bytes belong to the block before it, and one request reads both.
func TestCacheLastBlockIsNotTiny(t *testing.T) {
	const blockSize = 10
	object := &generated{size: 1003} // the last block would have 3 bytes
	cache := open(t, object, &buffer.Limit{Max: mib}, blockSize, 8*mib)
	readAt(t, cache, 1002, 1)
	readAt(t, cache, 990, 13)
	require.Equal(t, []request{{offset: 990, length: 13}}, object.requests)
}

// A sequential reader reads ahead more and more, but never more than fits in the cache.
func TestReadAheadGrowsAndStaysWithinTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blockSize = 10
		const fortyBlocks = 40 * (blockSize + blockOverhead)
		const bytesRead = 1000
		object := &generated{size: 10_000}
		cache := open(t, object, &buffer.Limit{Max: mib}, blockSize, fortyBlocks)
		for offset := int64(0); offset < bytesRead; offset += 5 {
			readAt(t, cache, offset, 5)
			synctest.Wait()
		}

		var lengths []int64
		requested := int64(0)
		for _, request := range object.requests {
			require.Equal(t, requested, request.offset, "nothing is requested twice, or left out")
			requested += request.length
			lengths = append(lengths, request.length)
		}
		require.Equal(t, []int64{10, 20, 40, 80, 100, 100}, lengths[:6])
		require.LessOrEqual(t, requested, int64(bytesRead+200))
	})
}

// Sequential readers do not evict blocks that were read ahead for other readers.
func TestReadAheadOfOthersIsNotEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blockSize = 10
		const fortyBlocks = 40 * (blockSize + blockOverhead)
		const readers = 8
		const bytesOfReader = 1000
		object := &generated{size: 100_000}
		cache := open(t, object, &buffer.Limit{Max: mib}, blockSize, fortyBlocks)

		// Together, the readers would read ahead more than the cache holds.
		for offset := int64(0); offset < bytesOfReader; offset += 5 {
			for reader := range int64(readers) {
				start := reader * 10_000
				readAt(t, cache, start+offset, 5)
				synctest.Wait()
			}
		}

		requested := int64(0)
		for _, request := range object.requests {
			requested += request.length
		}
		t.Logf("%d bytes by %d requests", requested, len(object.requests))
		const bytesRead = readers * bytesOfReader
		require.LessOrEqual(t, requested, int64(bytesRead*3/2), "little is read ahead in vain")
		require.LessOrEqual(t, len(object.requests), bytesRead/blockSize)
	})
}

// Scattered reads cause no reading ahead.
func TestReadAheadNotForScatteredReads(t *testing.T) {
	const blockSize = 10
	object := &generated{size: 10_000}
	cache := open(t, object, &buffer.Limit{Max: mib}, blockSize, 8*mib)

	var want []request
	for _, offset := range []int64{0, 500, 100, 9000, 300} {
		readAt(t, cache, offset, blockSize)
		want = append(want, request{offset: offset, length: blockSize})
	}
	require.Equal(t, want, object.requests)
}

// After two scans of about equal length, such as columns of a table, one request reads all of the next scan.
func TestReadAheadExpectsScansOfOneLength(t *testing.T) {
	const scan = 70
	tests := []struct {
		name     string
		begins   [][]int64 // of scans that are read together
		length   int64     // of the last scans
		requests []request // of the last scans
	}{
		{
			name:     "one after the other",
			begins:   [][]int64{{0}, {1000}, {2000}},
			length:   scan,
			requests: []request{{2000, scan}},
		},
		{
			name:     "two at once before it",
			begins:   [][]int64{{0, 1000}, {2000}},
			length:   scan,
			requests: []request{{2000, scan}},
		},
		{
			name:     "a longer one",
			begins:   [][]int64{{0}, {1000}, {2000}},
			length:   scan + 10,
			requests: []request{{2000, scan}, {2000 + scan, 2 * scan}},
		},
		{
			name:     "after one of them",
			begins:   [][]int64{{0}, {1000}},
			length:   10,
			requests: []request{{1000, 10}},
		},
		{
			name:     "after single reads",
			begins:   [][]int64{{0}, {1000}, {5000, 5100}, {2000}},
			length:   5,
			requests: []request{{2000, 10}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &generated{size: 10_000}
				r := open(t, g, &buffer.Limit{Max: mib}, 10, 100*(10+blockOverhead))
				last := len(tt.begins) - 1
				for i, begins := range tt.begins {
					length := int64(scan)
					if i == last {
						g.requests = nil
						length = tt.length
					} else if begins[0] == 5000 {
						length = 5
					}
					for offset := int64(0); offset < length; offset += 5 {
						for _, begin := range begins {
							readAt(t, r, begin+offset, 5)
							synctest.Wait()
						}
					}
				}

				require.Equal(t, tt.requests, g.requests)
			})
		})
	}
}

// If a transfer needs memory, the older blocks of all readers are evicted.
func TestCacheEvictsForTransfers(t *testing.T) {
	const blockSize = mib/16 - blockOverhead // 16 blocks take all memory
	memory := &buffer.Limit{Max: mib}
	first := open(t, &generated{size: 10 * mib}, memory, blockSize, 8*mib)
	second := open(t, &generated{size: 10 * mib}, memory, blockSize, 8*mib)

	// Two readers fill the memory with eight blocks each.
	for i := range int64(8) {
		readAt(t, first, i*mib, 10)
		readAt(t, second, i*mib, 10)
	}
	require.Equal(t, int64(mib), memory.Used())

	// A transfer takes half of it.
	_, overLimit, err := memory.Acquire(t.Context(), nil, mib/2, mib/2)
	require.NoError(t, err)
	require.False(t, overLimit)
	require.Equal(t, int64(mib), memory.Used())
	require.Len(t, first.blocks, 4, "each has lost its older half")
	require.Len(t, second.blocks, 4)

	// When transfers have all of it, a read does without the cache.
	require.True(t, memory.Try(mib/2))
	readAt(t, first, 0, 10)
	require.Equal(t, int64(mib), memory.Used())

	memory.Release(mib)
	require.Zero(t, memory.Used())
}

// A waiting transfer gets the memory of a block that arrives.
func TestCacheGivesABlockToATransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &buffer.Limit{Max: mib}
		g := &generated{size: mib - blockOverhead, held: make(chan struct{})}
		r := open(t, g, m, mib, 8*mib)
		var group sync.WaitGroup

		// A read takes all memory for its block, and waits for the bytes.
		group.Go(func() {
			readAt(t, r, 0, 10)
		})
		synctest.Wait()
		require.Equal(t, int64(mib), m.Used())

		// A transfer waits for memory.
		granted := false
		group.Go(func() {
			_, overLimit, err := m.Acquire(t.Context(), nil, mib/2, mib/2)
			granted = err == nil && !overLimit
		})
		synctest.Wait()
		require.False(t, granted)

		// The block arrives.
		close(g.held)
		group.Wait()
		require.True(t, granted)

		m.Release(mib / 2)
		require.Zero(t, m.Used(), "the block was evicted")
	})
}

// If many goroutines read from two caches with one Limit, each gets the right bytes, and Close releases all
// memory.
func TestCacheOfManyReaders(t *testing.T) {
	const goroutines = 8
	const readsOfEach = 150
	memory := &buffer.Limit{Max: mib}
	var caches []*Cache
	for range 2 {
		object := &generated{size: 4*mib + 123}
		caches = append(caches, open(t, object, memory, 50_000, mib))
	}

	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 2))
			cache := caches[i%len(caches)]
			offset := int64(0)
			for range readsOfEach {
				// The next bytes, or one read in four at another offset. Most reads are short.
				maxLength := int64(8) << random.IntN(16)
				length := 1 + random.Int64N(maxLength)
				offset += length
				if random.IntN(4) == 0 || offset+length > cache.Size {
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
	all.Wait()
	require.LessOrEqual(t, memory.Used(), int64(mib))

	for _, cache := range caches {
		cache.Close()
	}
	require.Zero(t, memory.Used())
}

// If fetching a block panics, the panic reaches the caller, and the next read fetches the block again.
func TestCacheFetchesAFailedBlockAgain(t *testing.T) {
	const blockSize = 10
	memory := &buffer.Limit{Max: mib}
	object := &generated{size: 100, broken: "boom"}
	cache := open(t, object, memory, blockSize, 8*mib)

	require.PanicsWithValue(t, "boom", func() {
		_, _ = cache.ReadAt(context.Background(), make([]byte, 1), 0)
	}, "a panic of the user's Bucket reaches the caller")
	require.Zero(t, memory.Used())

	object.broken = nil
	readAt(t, cache, 0, blockSize)
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
			cache := open(t, &generated{size: size}, &buffer.Limit{Max: mib}, blockSize, maxBytes)
			for _, read := range reads {
				readAt(t, cache, read.offset, read.length)
			}
		}
	}
}

// Close interrupts reads, and gives the memory back.
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
				cache := open(t, object, memory, blockSize, 8*mib)

				// The read waits for its bytes.
				var group sync.WaitGroup
				var err error
				group.Go(func() {
					_, err = cache.ReadAt(context.Background(), make([]byte, tt.length), 500)
				})
				synctest.Wait()

				cache.Close()
				group.Wait()
				require.ErrorIs(t, err, context.Canceled)
				require.Zero(t, memory.Used())

				_, err = cache.ReadAt(context.Background(), make([]byte, 1), 0)
				require.ErrorIs(t, err, errClosed)
			})
		})
	}
}
