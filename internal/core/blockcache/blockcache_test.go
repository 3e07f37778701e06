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
	g := &generated{size: 1000}
	m := &buffer.Limit{Max: mib}
	const three = 3 * (10 + blockOverhead)
	r := open(t, g, m, 10, three)
	for _, offset := range []int64{0, 100, 200, 5, 300} { // 300 evicts 100
		readAt(t, r, offset, 5)
	}

	require.Equal(t, int64(three), m.Used())
	g.requests = nil
	for _, offset := range []int64{0, 200, 300} {
		readAt(t, r, offset, 5)
	}
	require.Empty(t, g.requests)

	readAt(t, r, 100, 5)
	require.Equal(t, []request{{100, 10}}, g.requests)
	r.Close()
	require.Zero(t, m.Used())
}

// The memory of tiny blocks is limited, too, although most of it is bookkeeping and not their bytes.
func TestCacheOfTinyBlocks(t *testing.T) {
	const size, most = 4, 1 << 20
	m := &buffer.Limit{Max: 8 * mib}
	r := open(t, &generated{size: 100_000}, m, size, most)
	heapBefore := heap()
	for offset := int64(0); offset < r.Size; offset += size {
		readAt(t, r, offset, size)
	}

	require.Less(t, heap()-heapBefore, int64(most*11/10))
	require.Greater(t, r.bytes, int64(most/2), "it keeps what fits")
	require.LessOrEqual(t, m.Used(), int64(most))
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
	g := &generated{size: 1003}
	r := open(t, g, &buffer.Limit{Max: mib}, 10, 8*mib)
	readAt(t, r, 1002, 1)
	readAt(t, r, 990, 13)
	require.Equal(t, []request{{990, 13}}, g.requests)
}

// A sequential reader reads ahead more and more, but never more than fits in the cache.
func TestReadAheadGrowsAndStaysWithinTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &generated{size: 10_000}
		r := open(t, g, &buffer.Limit{Max: mib}, 10, 40*(10+blockOverhead))
		for offset := int64(0); offset < 1000; offset += 5 {
			readAt(t, r, offset, 5)
			synctest.Wait()
		}

		// The reader has read 1000 bytes, in pieces of 5.
		var lengths []int64
		next := int64(0)
		for _, one := range g.requests {
			require.Equal(t, next, one.offset, "nothing is requested twice, or left out")
			next += one.length
			lengths = append(lengths, one.length)
		}
		require.Equal(t, []int64{10, 20, 40, 80, 100, 100}, lengths[:6])
		require.LessOrEqual(t, next, int64(1200))
	})
}

// Sequential readers do not evict blocks that were read ahead for other readers.
func TestReadAheadOfOthersIsNotEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &generated{size: 100_000}
		r := open(t, g, &buffer.Limit{Max: mib}, 10, 40*(10+blockOverhead))
		for offset := int64(0); offset < 1000; offset += 5 {
			// Together, the eight readers would read ahead more than the cache holds.
			for reader := range int64(8) {
				readAt(t, r, reader*10_000+offset, 5)
				synctest.Wait()
			}
		}

		// They have read 8000 bytes.
		requested := int64(0)
		for _, one := range g.requests {
			requested += one.length
		}

		t.Logf("%d bytes by %d requests", requested, len(g.requests))
		require.LessOrEqual(t, requested, int64(12_000), "little is read ahead in vain")
		require.LessOrEqual(t, len(g.requests), 8*1000/10)
	})
}

// Scattered reads cause no reading ahead.
func TestReadAheadNotForScatteredReads(t *testing.T) {
	g := &generated{size: 10_000}
	r := open(t, g, &buffer.Limit{Max: mib}, 10, 8*mib)
	for _, offset := range []int64{0, 500, 100, 9000, 300} {
		readAt(t, r, offset, 10)
	}
	require.Equal(t, []request{{0, 10}, {500, 10}, {100, 10}, {9000, 10}, {300, 10}}, g.requests)
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
	m := &buffer.Limit{Max: mib}
	var readers []*Cache
	for range 2 {
		g := &generated{size: 10 * mib}
		readers = append(readers, open(t, g, m, 64<<10-blockOverhead, 8*mib))
	}

	// Two readers fill the memory with eight blocks each.
	for i := range int64(8) {
		readAt(t, readers[0], i*mib, 10)
		readAt(t, readers[1], i*mib, 10)
	}
	require.Equal(t, int64(mib), m.Used())

	// A transfer takes half of it.
	_, overLimit, err := m.Acquire(t.Context(), nil, mib/2, mib/2)
	require.NoError(t, err)
	require.False(t, overLimit)
	require.Equal(t, int64(mib), m.Used())
	require.Len(t, readers[0].blocks, 4, "each has lost its older half")
	require.Len(t, readers[1].blocks, 4)

	// When transfers have all of it, a read does without the cache.
	require.True(t, m.Try(mib/2))
	readAt(t, readers[0], 0, 10)
	require.Equal(t, int64(mib), m.Used())

	m.Release(mib)
	require.Zero(t, m.Used())
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
	m := &buffer.Limit{Max: mib}
	var readers []*Cache
	for range 2 {
		readers = append(readers, open(t, &generated{size: 4*mib + 123}, m, 50_000, mib))
	}

	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 2))
			r := readers[i%2]
			offset := int64(0)
			for range 150 {
				// The next bytes, or one read in four at another offset.
				length := 1 + random.Int64N(1<<(3+random.IntN(16)))
				offset += length
				if random.IntN(4) == 0 || offset+length > r.Size {
					offset = random.Int64N(r.Size - length)
				}

				got := make([]byte, length)
				want := make([]byte, length)
				_, _ = numbers{}.ReadAt(want, offset)
				_, err := r.ReadAt(context.Background(), got, offset)
				if err != nil || string(got) != string(want) {
					t.Errorf("%d bytes at %d: %v", length, offset, err)
				}

				// Now and then, a transfer takes half of the memory.
				if random.IntN(8) == 0 && m.Try(mib/2) {
					m.Release(mib / 2)
				}
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, m.Used(), int64(mib))
	for _, r := range readers {
		r.Close()
	}
	require.Zero(t, m.Used())
}

// If fetching a block panics, the panic reaches the caller, and the next read fetches the block again.
func TestCacheFetchesAFailedBlockAgain(t *testing.T) {
	m := &buffer.Limit{Max: mib}
	g := &generated{size: 100, broken: "boom"}
	r := open(t, g, m, 10, 8*mib)
	require.PanicsWithValue(t, "boom", func() {
		_, _ = r.ReadAt(context.Background(), make([]byte, 1), 0)
	}, "a panic of the user's Bucket reaches the caller")
	require.Zero(t, m.Used())
	g.broken = nil
	readAt(t, r, 0, 10)
}

// The cache reads the right bytes with any block size and any maximum, even 0.
func TestCacheOfAnySize(t *testing.T) {
	for _, size := range []int64{1, 7, 1000, 1001, math.MaxInt64} {
		for _, maximum := range []int64{0, 1, 50, 1000, math.MaxInt64} {
			r := open(t, &generated{size: 1000}, &buffer.Limit{Max: mib}, size, maximum)
			for _, one := range []request{{0, 1}, {999, 1}, {0, 1000}, {500, 7}, {507, 493}, {990, 10}} {
				readAt(t, r, one.offset, one.length)
			}
		}
	}
}

// Close interrupts reads, and gives the memory back.
func TestCloseInterruptsReads(t *testing.T) {
	for name, length := range map[string]int{"of a block": 10, "of many": 1000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &buffer.Limit{Max: mib}
				c := open(t, &generated{size: 10_000, held: make(chan struct{})}, m, 100, 8*mib)
				var group sync.WaitGroup
				var err error
				group.Go(func() {
					_, err = c.ReadAt(context.Background(), make([]byte, length), 500)
				})
				synctest.Wait()
				c.Close()

				group.Wait()
				require.ErrorIs(t, err, context.Canceled)
				require.Zero(t, m.Used())

				_, err = c.ReadAt(context.Background(), make([]byte, 1), 0)
				require.ErrorIs(t, err, errClosed)
			})
		})
	}
}
