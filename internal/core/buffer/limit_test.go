package buffer

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const mib = 1 << 20

// While a part is on its way to the store, its memory will become free. So callers wait for this memory, and get none
// over the limit. They get it in the order of their calls.
func TestMemoryGrantsInOrderAsItIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The part takes all memory.
		limit := &Limit{Max: 2 * mib}
		overLimit := acquire(t, limit, 2*mib)
		require.False(t, overLimit)
		limit.AddInFlight(1)

		// Two callers ask for memory, the second one after the first one.
		var order []int // of the callers that have got memory
		var callers sync.WaitGroup
		for i := range 2 {
			callers.Go(func() {
				_, overLimit, err := limit.Acquire(t.Context(), nil, mib, mib)
				if err != nil || overLimit {
					t.Errorf("caller %d: over the limit %v, error %v", i, overLimit, err)
				}
				order = append(order, i)
			})
			synctest.Wait()
		}

		// However long the part takes, both callers wait.
		time.Sleep(time.Hour)
		require.Empty(t, order)

		// The part has arrived, and its memory is released in two steps.
		limit.AddInFlight(-1)
		limit.Release(mib)
		synctest.Wait()
		limit.Release(mib)
		callers.Wait()
		require.Equal(t, []int{0, 1}, order)
	})
}

// If nothing is on its way to the store, memory is granted over the limit, because only the caller itself could
// release some.
func TestMemoryDoesNotWaitForTheCallerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const maxBytes = 2 * mib
		const grants = 40 // over the limit
		limit := &Limit{Max: maxBytes}

		// All memory is in use, but nothing is sent.
		acquire(t, limit, maxBytes)
		for range grants {
			overLimit := acquire(t, limit, mib)
			require.True(t, overLimit)
		}

		// After a release, memory is within the limit again.
		limit.Release(maxBytes + grants*mib)
		overLimit := acquire(t, limit, mib)
		require.False(t, overLimit)
	})
}

// If the context of a caller ends while it waits, Acquire fails and keeps no memory for it.
func TestMemoryForgetsAWaiterWhoseContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := &Limit{Max: mib}
		acquire(t, limit, mib)
		limit.AddInFlight(1) // so that the Limit grants nothing over its maximum
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		var group sync.WaitGroup
		group.Go(func() {
			_, _, err = limit.Acquire(ctx, nil, mib, mib)
		})
		synctest.Wait()

		cancel()
		group.Wait()
		require.ErrorIs(t, err, context.Canceled)

		limit.AddInFlight(-1)
		limit.Release(mib)
		require.Zero(t, limit.used)
		require.Empty(t, limit.waiting)
	})
}

// A request for more than the limit is granted if nothing is in use.
func TestMemoryGrantsARequestLargerThanItself(t *testing.T) {
	limit := &Limit{Max: mib}
	require.True(t, acquire(t, limit, 8*mib))
}

// acquire acquires memory, and returns whether it was granted over the limit.
func acquire(t *testing.T, limit *Limit, bytes int64) (overLimit bool) {
	t.Helper()
	_, overLimit, err := limit.Acquire(t.Context(), nil, bytes, bytes)
	require.NoError(t, err)
	return overLimit
}

// zeros is a body of any length. Each Read lets other streams run.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	runtime.Gosched()
	return len(p), nil
}

// sendBuffer counts a buffer as in flight for the time that sending it takes, and then frees it.
func sendBuffer(limit *Limit, b *Buffer, sendTime time.Duration) {
	limit.AddInFlight(1)
	time.Sleep(sendTime)
	limit.AddInFlight(-1)
	b.Free()
}

// Many streams that share memory for three parts finish their parts in turn. If each took one chunk at a time,
// no part would become complete, and all streams would wait.
func TestMemoryOfStreamsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams = 32
		const parts = 3 // of each stream
		const partSize = 5 * mib
		const sendTime = time.Millisecond
		limit := &Limit{Max: 16 * mib} // three parts, and a little more

		// Each stream fills a buffer with a part, sends it, which frees the buffer, and begins the next part.
		start := time.Now()
		var sending sync.WaitGroup
		for range streams {
			sending.Go(func() {
				for range parts {
					b := New(limit, new(atomic.Int32))
					if err := b.Fill(t.Context(), zeros{}, partSize); err != nil {
						t.Error(err)
					}
					sendBuffer(limit, b, sendTime)
				}
			})
		}
		sending.Wait()
		require.Zero(t, limit.used)

		// All streams may wait once for each part, for stallAfter, until the Limit notices that nothing moves. If they
		// waited for each chunk, the test would take a minute.
		require.Less(t, time.Since(start), streams*parts*(sendTime+stallAfter))
	})
}

// The first chunks of many streams may take the whole limit. Then the streams send their parts without a pause. Only
// the first part waits until the Limit notices that nothing moves.
func TestMemoryOfBeginningsTakesNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams = 64
		const partSize = 5 * mib
		const sendTime = time.Millisecond
		limit := &Limit{Max: streams * TwoChunks} // each beginning has two chunks
		start := time.Now()
		var sending, begun sync.WaitGroup
		begun.Add(streams)
		for range streams {
			sending.Go(func() {
				// Wait until all streams have begun. Their first chunks together take the whole limit.
				b := New(limit, new(atomic.Int32))
				beginErr := b.Fill(t.Context(), zeros{}, TwoChunks)
				begun.Done()
				begun.Wait()

				// Fill the part over the limit, as at most one stream at a time may do.
				fillErr := b.Fill(t.Context(), zeros{}, partSize)
				if err := errors.Join(beginErr, fillErr); err != nil {
					t.Error(err)
				}
				if limit.Used() > limit.Max+partSize {
					t.Errorf("%d bytes are in use", limit.Used())
				}
				sendBuffer(limit, b, sendTime)
			})
		}
		sending.Wait()
		require.Zero(t, limit.used)

		// The parts are sent one after the other. Only the first one waits, for stallAfter or a little longer.
		require.Less(t, time.Since(start), streams*sendTime+2*stallAfter)
	})
}

// A stalledSource delivers some bytes, and then blocks until the channel end is closed.
type stalledSource struct {
	left int // bytes to deliver
	end  <-chan struct{}
}

// Read returns io.EOF when the test closes end.
func (s *stalledSource) Read(p []byte) (int, error) {
	if s.left == 0 {
		<-s.end
		return 0, io.EOF
	}
	n := min(s.left, len(p))
	s.left -= n
	return n, nil
}

// Sources that stall after the beginning of a part hold little more memory than they have sent, and do not keep
// another stream from getting its memory.
func TestMemoryOfStalledSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const maxBytes = 8 * mib
		const sources = 60
		const sent = 80 << 10 // bytes of each source
		limit := &Limit{Max: maxBytes}
		end := make(chan struct{}) // closed when the sources end

		// Each source sends some bytes, and then stalls. Fill asks for more bytes than will come.
		var filling sync.WaitGroup
		for range sources {
			filling.Go(func() {
				b := New(limit, new(atomic.Int32))
				defer b.Free()
				source := &stalledSource{left: sent, end: end}
				err := b.Fill(t.Context(), source, maxBytes+1)
				if err != io.EOF || b.Size() != sent {
					t.Errorf("%d bytes of %d: %v", b.Size(), sent, err)
				}
			})
		}

		// When all have stalled, none of them waits for memory.
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, limit.waiting)
		require.LessOrEqual(t, limit.used, int64(maxBytes+sources*(sent+secondChunk)))

		// Another stream still gets its memory soon.
		const partSize = 5 * mib
		start := time.Now()
		b := New(limit, new(atomic.Int32))
		require.NoError(t, b.Fill(t.Context(), zeros{}, partSize))
		require.Less(t, time.Since(start), 2*stallAfter)
		require.EqualValues(t, partSize, b.Size())
		b.Free()

		// At the end, all memory is released.
		close(end)
		filling.Wait()
		require.Zero(t, limit.used)
	})
}

// A cachedBlock is cached memory that counts how often it was evicted.
type cachedBlock struct {
	bytes   int64
	evicted int
}

func (c *cachedBlock) Memory() int64 { return c.bytes }
func (c *cachedBlock) Evicted()      { c.evicted++ }

// keepCached takes memory for c, and reports whether there was enough.
func keepCached(limit *Limit, c *cachedBlock) bool {
	limit.Lock()
	defer limit.Unlock()
	if !limit.Take(c.bytes) {
		return false
	}
	limit.Keep(c)
	return true
}

// Cached memory counts as free: Reserve may take it, and a buffer that needs memory evicts the least recently used
// block.
func TestMemoryCachedGivesWay(t *testing.T) {
	limit := &Limit{Max: mib}

	// Cached blocks fill the memory.
	const blockCount = 16
	blocks := make([]cachedBlock, blockCount)
	for i := range blocks {
		blocks[i].bytes = mib / blockCount
		require.True(t, keepCached(limit, &blocks[i]))
	}
	require.Equal(t, int64(mib), limit.Used())

	// One download may reserve at most half of the memory.
	require.Equal(t, int64(mib/2), limit.Reserve(mib))
	limit.Unreserve(mib / 2)

	// A chunk that is smaller than a block evicts the oldest block only.
	require.True(t, limit.Try(firstChunk))
	require.LessOrEqual(t, limit.Used(), int64(mib))
	require.Equal(t, 1, blocks[0].evicted)
	require.Zero(t, blocks[1].evicted)
	limit.Release(firstChunk)
}

// A cached block is kept only if there is memory for it, or other cached memory that can be evicted.
func TestMemoryCachedEvictsNone(t *testing.T) {
	const small = 64 << 10
	limit := &Limit{Max: mib}
	first := &cachedBlock{bytes: small}
	require.True(t, keepCached(limit, first))
	require.False(t, keepCached(limit, &cachedBlock{bytes: 2 * mib}))

	// A transfer takes all other memory. A block of the same size then evicts the first one.
	require.True(t, limit.Try(mib-small))
	require.True(t, keepCached(limit, &cachedBlock{bytes: small}))
	require.Equal(t, 1, first.evicted)

	// Without the small block, there would still be too little memory for a larger one.
	require.False(t, keepCached(limit, &cachedBlock{bytes: small + 1}))
}

// A buffer that gets memory over the limit adds to the counter that was given to New.
func TestMemoryCountsGrantsOverTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := &Limit{Max: mib}
		require.True(t, limit.Try(mib))
		var overLimit atomic.Int32
		b := New(limit, &overLimit)
		require.NoError(t, b.Reserve(t.Context(), mib))
		require.Positive(t, overLimit.Load())
		b.Free()
	})
}
