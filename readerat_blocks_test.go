package storage

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A generated object has size bytes. Its Download waits for held, if that is set, and
// counts the requests.
type generated struct {
	size int64
	held chan struct{}

	mu       sync.Mutex
	requests []Range
	broken   any // Download panics with it
}

func (g *generated) Attrs(context.Context, string, ...AttrsOption) (*Attrs, error) {
	return &Attrs{Key: "k", Size: g.size, Revision: "generated:1"}, nil
}

func (g *generated) Exists(context.Context, string, ...AttrsOption) (bool, error) { return true, nil }

func (g *generated) Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error) {
	var r GetRequest
	if err := r.Apply(opts...); err != nil {
		return nil, err
	}
	from, to, err := r.Span(g.size)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.requests = append(g.requests, Range{from, to - from})
	broken := g.broken
	g.mu.Unlock()
	if broken != nil {
		panic(broken)
	}
	if g.held != nil {
		select {
		case <-g.held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	attrs, _ := g.Attrs(ctx, key)
	return NewReader(attrs, from, to-from, io.NopCloser(io.NewSectionReader(numbers{}, from, to-from))), nil
}

// numbers has at each offset a byte of its own.
type numbers struct{}

func (numbers) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = byte((off + int64(i)) % 251)
	}
	return len(p), nil
}

// openGenerated opens a ReaderAt with a limit of its own.
func openGenerated(t *testing.T, g *generated, m *BufferLimit, opts ...ReaderAtOption) *ReaderAt {
	t.Helper()
	r, err := NewReaderAt(t.Context(), g, "k", opts...)
	require.NoError(t, err)
	if r.cacheBytes > 0 {
		r.starting.Do(func() {
			r.blocks = newBlockCache(t.Context(), r.object, r.blockSize, r.cacheBytes)
			r.blocks.limit = m
		})
	}
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func readAt(t *testing.T, r io.ReaderAt, at, length int64) {
	t.Helper()
	got, want := make([]byte, length), make([]byte, length)
	n, err := r.ReadAt(got, at)
	require.NoError(t, err)
	_, _ = numbers{}.ReadAt(want, at)
	require.Equal(t, length, int64(n))
	require.True(t, string(want) == string(got), "other bytes at %d", at)
}

func TestBlocksAreEvictedLeastRecentlyUsedFirst(t *testing.T) {
	g := &generated{size: 1000}
	m := NewBufferLimit(mib)
	const three = 3 * (10 + blockOverhead)
	r := openGenerated(t, g, m, WithBlockSize(10), WithBlockCache(three))
	for _, at := range []int64{0, 100, 200, 5, 300} { // 300 evicts 100
		readAt(t, r, at, 5)
	}
	require.Equal(t, int64(three), m.used)
	g.requests = nil
	for _, at := range []int64{0, 200, 300} {
		readAt(t, r, at, 5)
	}
	require.Empty(t, g.requests)
	readAt(t, r, 100, 5)
	require.Equal(t, []Range{{100, 10}}, g.requests)
	require.NoError(t, r.Close())
	require.Zero(t, m.used)
	require.Zero(t, m.inFlight)
	require.Zero(t, m.cached.Len())
}

// Most of what such a block takes is not its bytes.
func TestTheMemoryOfTinyBlocksIsBounded(t *testing.T) {
	const size, most = 4, 1 << 20
	m := NewBufferLimit(8 * mib)
	r := openGenerated(t, &generated{size: 100_000}, m, WithBlockSize(size), WithBlockCache(most))
	before := heap()
	for at := int64(0); at < r.Size(); at += size {
		readAt(t, r, at, size)
	}
	require.Less(t, heap()-before, int64(most*11/10))
	require.Greater(t, r.blocks.bytes, int64(most/2), "it keeps what fits")
	require.LessOrEqual(t, m.used, int64(most))
}

// heap returns how many bytes are in use.
func heap() int64 {
	var now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc)
}

func TestTheLastBlockIsNotTiny(t *testing.T) {
	g := &generated{size: 1003}
	r := openGenerated(t, g, NewBufferLimit(mib), WithBlockSize(10))
	readAt(t, r, 1002, 1)
	readAt(t, r, 990, 13)
	require.Equal(t, []Range{{990, 13}}, g.requests)
	p := make([]byte, 10)
	n, err := r.ReadAt(p, 1000)
	require.Equal(t, 3, n)
	require.Equal(t, io.EOF, err)
}

func TestReadAheadGrowsAndStaysWithinTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &generated{size: 10_000}
		r := openGenerated(t, g, NewBufferLimit(mib), WithBlockSize(10), WithBlockCache(40*(10+blockOverhead)))
		for at := int64(0); at < 1000; at += 5 {
			readAt(t, r, at, 5)
			synctest.Wait()
		}
		var lengths []int64
		next := int64(0)
		for _, one := range g.requests {
			require.Equal(t, next, one.Offset, "nothing is requested twice, or left out")
			next += one.Length
			lengths = append(lengths, one.Length)
		}
		require.Equal(t, []int64{10, 20, 40, 80, 100, 100}, lengths[:6])
		require.LessOrEqual(t, next, int64(1200))
	})
}

func TestSequentialReadersDoNotEvictEachOthersReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &generated{size: 100_000}
		r := openGenerated(t, g, NewBufferLimit(mib), WithBlockSize(10), WithBlockCache(40*(10+blockOverhead)))
		for at := int64(0); at < 1000; at += 5 {
			for reader := range int64(8) { // together they would read ahead more than the cache holds
				readAt(t, r, reader*10_000+at, 5)
				synctest.Wait()
			}
		}
		requested := int64(0)
		for _, one := range g.requests {
			requested += one.Length
		}
		t.Logf("%d bytes by %d requests", requested, len(g.requests))
		require.LessOrEqual(t, requested, int64(12_000), "little is read ahead in vain")
		require.LessOrEqual(t, len(g.requests), 8*1000/10)
	})
}

func TestScatteredReadsAreNotReadAhead(t *testing.T) {
	g := &generated{size: 10_000}
	r := openGenerated(t, g, NewBufferLimit(mib), WithBlockSize(10))
	for _, at := range []int64{0, 500, 100, 9000, 300} {
		readAt(t, r, at, 10)
	}
	require.Equal(t, []Range{{0, 10}, {500, 10}, {100, 10}, {9000, 10}, {300, 10}}, g.requests)
}

// Columns of a table are about as long as one another. After two of them, one request reads all
// of the next.
func TestAScanIsExpectedToBeAsLongAsTheTwoBeforeIt(t *testing.T) {
	const scan = 70
	for _, row := range []struct {
		name     string
		begins   [][]int64 // of scans that are read together
		length   int64     // of the last scans
		requests []Range   // of the last scans
	}{
		{"one after the other", [][]int64{{0}, {1000}, {2000}}, scan, []Range{{2000, scan}}},
		{"two at once before it", [][]int64{{0, 1000}, {2000}}, scan, []Range{{2000, scan}}},
		{"a longer one", [][]int64{{0}, {1000}, {2000}}, scan + 10, []Range{{2000, scan}, {2000 + scan, 2 * scan}}},
		{"after one of them", [][]int64{{0}, {1000}}, 10, []Range{{1000, 10}}},
		{"after single reads", [][]int64{{0}, {1000}, {5000, 5100}, {2000}}, 5, []Range{{2000, 10}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &generated{size: 10_000}
				r := openGenerated(t, g, NewBufferLimit(mib), WithBlockSize(10), WithBlockCache(100*(10+blockOverhead)))
				last := len(row.begins) - 1
				for i, begins := range row.begins {
					length := int64(scan)
					if i == last {
						g.requests, length = nil, row.length
					} else if begins[0] == 5000 {
						length = 5
					}
					for at := int64(0); at < length; at += 5 {
						for _, begin := range begins {
							readAt(t, r, begin+at, 5)
							synctest.Wait()
						}
					}
				}
				require.Equal(t, row.requests, g.requests)
			})
		})
	}
}

func TestTransfersEvictBlocksOfAllReaders(t *testing.T) {
	m := NewBufferLimit(mib)
	var readers []*ReaderAt
	for range 2 {
		g := &generated{size: 10 * mib}
		readers = append(readers, openGenerated(t, g, m, WithBlockSize(64<<10-blockOverhead)))
	}
	for i := range int64(8) {
		readAt(t, readers[0], i*mib, 10)
		readAt(t, readers[1], i*mib, 10)
	}
	require.Equal(t, int64(mib), m.used)
	_, over, err := m.acquire(t.Context(), nil, mib/2, mib/2)
	require.NoError(t, err)
	require.False(t, over)
	require.Equal(t, int64(mib), m.used)
	require.Len(t, readers[0].blocks.blocks, 4, "each has lost its older half")
	require.Len(t, readers[1].blocks.blocks, 4)
	require.True(t, m.try(mib/2))
	require.Zero(t, m.cached.Len())
	readAt(t, readers[0], 0, 10) // without memory, it is read directly
	require.Equal(t, int64(mib), m.used)
	m.release(mib)
	require.Zero(t, m.used)
}

func TestAWaitingTransferGetsTheMemoryOfABlockThatArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewBufferLimit(mib)
		g := &generated{size: mib - blockOverhead, held: make(chan struct{})}
		r := openGenerated(t, g, m, WithBlockSize(mib))
		var group sync.WaitGroup
		group.Go(func() { readAt(t, r, 0, 10) })
		synctest.Wait()
		require.Equal(t, int64(mib), m.used)
		granted := false
		group.Go(func() {
			_, over, err := m.acquire(t.Context(), nil, mib/2, mib/2)
			granted = err == nil && !over
		})
		synctest.Wait()
		require.False(t, granted)
		close(g.held)
		group.Wait()
		require.True(t, granted)
		m.release(mib / 2)
		require.Zero(t, m.used, "the block was evicted")
	})
}

func TestCloseInterruptsAReadAt(t *testing.T) {
	for name, length := range map[string]int{"of a block": 10, "of many": 1000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := NewBufferLimit(mib)
				g := &generated{size: 10_000, held: make(chan struct{})}
				r := openGenerated(t, g, m, WithBlockSize(100))
				var group sync.WaitGroup
				var err error
				group.Go(func() { _, err = r.ReadAt(make([]byte, length), 500) })
				synctest.Wait()
				require.NoError(t, r.Close())
				group.Wait()
				require.Equal(t, InvalidArgument, CodeOf(err), "%v", err)
				require.ErrorContains(t, err, "closed")
				require.Zero(t, m.used)
				_, err = r.ReadAt(make([]byte, 1), 0)
				require.Equal(t, InvalidArgument, CodeOf(err))
			})
		})
	}
}

func TestAContextEndsOneReadAtAndNoOther(t *testing.T) {
	for name, row := range map[string]struct {
		length int
		opts   []ReaderAtOption
	}{
		"of a block":     {10, []ReaderAtOption{WithBlockSize(100)}},
		"of many":        {1000, []ReaderAtOption{WithBlockSize(100), WithBlockCache(1000)}},
		"without blocks": {10, []ReaderAtOption{WithBlockCache(0)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &generated{size: 10_000, held: make(chan struct{})}
				r := openGenerated(t, g, NewBufferLimit(mib), row.opts...)
				canceled, cancel := context.WithCancel(t.Context())
				expired, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				var group sync.WaitGroup
				read := func(ctx context.Context, err *error) {
					group.Go(func() { _, *err = r.ReadAtContext(ctx, make([]byte, row.length), 500) })
				}
				errs := make([]error, 3)
				read(canceled, &errs[0])
				read(expired, &errs[1])
				read(t.Context(), &errs[2])
				synctest.Wait()
				cancel()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				close(g.held)
				group.Wait()
				require.NoError(t, errs[2])
				for i, code := range []Code{Canceled, DeadlineExceeded} {
					var e *Error
					require.ErrorAs(t, errs[i], &e)
					require.Equal(t, code, e.Code, "%v", e)
					require.Equal(t, "ReadAt", e.Op)
					require.Equal(t, "k", e.Key)
				}
				_, err := r.ReadAtContext(canceled, make([]byte, 1), 500)
				require.ErrorIs(t, err, context.Canceled, "what is in memory, too")
			})
		})
	}
}

func TestManyReadersTogetherGetTheirBytes(t *testing.T) {
	m := NewBufferLimit(mib)
	var readers []*ReaderAt
	for range 2 {
		readers = append(readers, openGenerated(t, &generated{size: 4*mib + 123}, m, WithBlockSize(50_000), WithBlockCache(mib)))
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 2))
			r, at := readers[i%2], int64(0)
			for range 150 {
				length := 1 + random.Int64N(1<<(3+random.IntN(16)))
				if at += length; random.IntN(4) == 0 || at+length > r.Size() {
					at = random.Int64N(r.Size() - length)
				}
				got, want := make([]byte, length), make([]byte, length)
				_, _ = numbers{}.ReadAt(want, at)
				if _, err := r.ReadAt(got, at); err != nil || string(got) != string(want) {
					t.Errorf("%d bytes at %d: %v", length, at, err)
				}
				if random.IntN(8) == 0 && m.try(mib/2) { // a transfer
					m.release(mib / 2)
				}
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, m.used, int64(mib))
	for _, r := range readers {
		require.NoError(t, r.Close())
	}
	require.Zero(t, m.used)
	require.Zero(t, m.inFlight)
}

func TestAFailedBlockIsFetchedAgain(t *testing.T) {
	m := NewBufferLimit(mib)
	g := &generated{size: 100, broken: "boom"}
	r := openGenerated(t, g, m, WithBlockSize(10))
	require.PanicsWithValue(t, "boom", func() { _, _ = r.ReadAt(make([]byte, 1), 0) }, "a panic of the user's Bucket reaches the caller")
	require.Zero(t, m.used)
	g.broken = nil
	readAt(t, r, 0, 10)
}

func TestAnyBlockSizeAndCacheSizeWork(t *testing.T) {
	for _, size := range []int64{1, 7, 1000, 1001, math.MaxInt64} {
		for _, most := range []int64{0, 1, 50, 1000, math.MaxInt64} {
			r := openGenerated(t, &generated{size: 1000}, NewBufferLimit(mib), WithBlockSize(size), WithBlockCache(most))
			for _, one := range []Range{{0, 1}, {999, 1}, {0, 1000}, {500, 7}, {507, 493}, {990, 10}} {
				readAt(t, r, one.Offset, one.Length)
			}
		}
	}
}

func TestErrorsOfAReaderAtNameIt(t *testing.T) {
	g := &generated{size: 100}
	r := openGenerated(t, g, NewBufferLimit(mib))
	ctx, cancel := context.WithCancel(t.Context())
	ended, err := NewReaderAt(ctx, g, "k")
	require.NoError(t, err)
	cancel()
	require.NoError(t, r.Close())
	for code, from := range map[Code]*ReaderAt{Canceled: ended, InvalidArgument: r} {
		var e *Error
		_, err := from.ReadAt(make([]byte, 1), 0)
		require.ErrorAs(t, err, &e)
		require.Equal(t, code, e.Code)
		require.Equal(t, "ReadAt", e.Op)
		require.Equal(t, "k", e.Key)
	}
	require.NoError(t, ended.Close())
	_, err = NewReaderAt(t.Context(), g, "k", WithBlockSize(-1))
	require.True(t, strings.Contains(err.Error(), "WithBlockSize must be at least 1"), err)
}
