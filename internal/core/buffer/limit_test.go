package buffer

import (
	"context"
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

// Callers that wait for memory get it in the order of their calls.
func TestMemoryGrantsInOrderAsItIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Limit{Max: 2 * mib}
		require.False(t, acquire(t, m, 2*mib))
		m.AddInFlight(1) // a part is on its way to the store, so that callers wait

		// Two callers wait for memory.
		var order []int
		var group sync.WaitGroup
		for i := range 2 {
			group.Go(func() {
				_, overLimit, err := m.Acquire(t.Context(), nil, mib, mib)
				require.NoError(t, err)
				require.False(t, overLimit)
				order = append(order, i)
			})
			synctest.Wait()
		}

		time.Sleep(time.Hour)
		require.Empty(t, order, "nobody is granted anything over the limit while something moves")

		// The part has arrived, and its memory is released in two steps.
		m.AddInFlight(-1)
		m.Release(mib)
		synctest.Wait()
		m.Release(mib)
		group.Wait()
		require.Equal(t, []int{0, 1}, order)
	})
}

// If nothing is on its way to the store, memory is granted over the limit: only the caller itself could
// release some.
func TestMemoryDoesNotWaitForTheCallerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 2 * mib
		const grants = 40 // over the limit
		m := &Limit{Max: limit}
		acquire(t, m, limit) // for writers that only this goroutine fills
		for range grants {
			require.True(t, acquire(t, m, mib), "over the limit, and counted")
		}

		m.Release(limit + grants*mib)
		require.False(t, acquire(t, m, mib))
	})
}

// If the context of a caller ends while it waits, no memory is kept for it.
func TestMemoryForgetsAWaiterWhoseContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Limit{Max: mib}
		acquire(t, m, mib)
		m.AddInFlight(1)
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		var group sync.WaitGroup
		group.Go(func() {
			_, _, err = m.Acquire(ctx, nil, mib, mib)
		})
		synctest.Wait()
		cancel()

		group.Wait()
		require.ErrorIs(t, err, context.Canceled)
		m.AddInFlight(-1)
		m.Release(mib)
		require.Zero(t, m.used)
		require.Empty(t, m.waiting)
	})
}

// A request for more than the limit is granted if nothing is in use.
func TestMemoryGrantsARequestLargerThanItself(t *testing.T) {
	m := &Limit{Max: mib}
	require.True(t, acquire(t, m, 8*mib))
}

// acquire acquires memory, and returns whether it was granted over the limit.
func acquire(t *testing.T, m *Limit, bytes int64) (overLimit bool) {
	t.Helper()
	_, overLimit, err := m.Acquire(t.Context(), nil, bytes, bytes)
	require.NoError(t, err)
	return overLimit
}

// zeros is a body of any length. Each Read lets other streams run.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	runtime.Gosched()
	return len(p), nil
}

// If 32 streams share memory for three parts, they finish their parts in turn. If each took one chunk at a time,
// no part would be complete, and each chunk would wait.
func TestMemoryOfStreamsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams = 32
		const parts = 3 // of each stream
		const partSize = 5 * mib
		const sendTime = time.Millisecond
		m := &Limit{Max: 16 * mib}
		start := time.Now()
		var group sync.WaitGroup
		for range streams {
			group.Go(func() {
				for range parts {
					b := New(m, new(atomic.Int32))
					require.NoError(t, b.Fill(t.Context(), zeros{}, partSize))
					m.AddInFlight(1)
					time.Sleep(sendTime)
					m.AddInFlight(-1)
					b.Free()
				}
			})
		}
		group.Wait()
		require.Zero(t, m.used)

		// At most once for each part, all streams wait until the Limit notices that nothing moves. If each
		// chunk had to wait for that, the test would take a minute.
		require.Less(t, time.Since(start), streams*parts*(sendTime+stallAfter))
	})
}

// Streams whose beginnings take the whole limit are sent without a pause. After the first part that was granted
// over the limit, the next ones need not wait until stillness is noticed.
func TestMemoryOfBeginningsTakesNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams = 64
		const partSize = 5 * mib
		const sendTime = time.Millisecond
		m := &Limit{Max: streams * TwoChunks}
		start := time.Now()
		var group, started sync.WaitGroup
		started.Add(streams)

		for range streams {
			group.Go(func() {
				// The beginnings of all streams take the whole limit.
				b := New(m, new(atomic.Int32))
				require.NoError(t, b.Fill(t.Context(), zeros{}, TwoChunks))
				started.Done()
				started.Wait()

				require.NoError(t, b.Fill(t.Context(), zeros{}, partSize))
				require.LessOrEqual(t, m.Used(), m.Max+partSize, "one part over the limit at a time")
				m.AddInFlight(1)
				time.Sleep(sendTime)
				m.AddInFlight(-1)
				b.Free()
			})
		}
		group.Wait()
		require.Zero(t, m.used)
		require.Less(t, time.Since(start), streams*sendTime+2*stallAfter)
	})
}

// A sourceThatStalls delivers some bytes, and then blocks until the channel end is closed.
type sourceThatStalls struct {
	left int
	end  <-chan struct{}
}

// Read returns io.EOF when the test closes end.
func (s *sourceThatStalls) Read(p []byte) (int, error) {
	if s.left == 0 {
		<-s.end
		return 0, io.EOF
	}
	n := min(s.left, len(p))
	s.left -= n
	return n, nil
}

// Stalled sources take little over the limit. Clients that send the beginning of a part of unknown length hold
// little more than they have sent, however many they are.
func TestMemoryOfStalledSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 8 * mib
		const sources = 60
		const sent = 80 << 10 // bytes of each source
		m := &Limit{Max: limit}
		end := make(chan struct{})

		var group sync.WaitGroup
		for range sources {
			group.Go(func() {
				b := New(m, new(atomic.Int32))
				defer b.Free()
				require.Equal(t, io.EOF, b.Fill(t.Context(), &sourceThatStalls{sent, end}, limit+1))
				require.EqualValues(t, sent, b.Size())
			})
		}

		// All sources have stalled. None of them waits for memory.
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, m.waiting)
		require.LessOrEqual(t, m.used, int64(limit+sources*(sent+secondChunk)))

		// Another stream still gets its memory soon.
		const partSize = 5 * mib
		start := time.Now()
		b := New(m, new(atomic.Int32))
		require.NoError(t, b.Fill(t.Context(), zeros{}, partSize))
		require.Less(t, time.Since(start), 2*stallAfter)
		require.EqualValues(t, partSize, b.Size())

		b.Free()
		close(end)
		group.Wait()
		require.Zero(t, m.used)
	})
}

// A cachedThing counts how often it was evicted.
type cachedThing struct {
	bytes   int64
	evicted int
}

func (c *cachedThing) Memory() int64 { return c.bytes }
func (c *cachedThing) Evicted()      { c.evicted++ }

// keepCached takes memory for c, and returns whether there was enough.
func keepCached(m *Limit, c *cachedThing) bool {
	m.Lock()
	defer m.Unlock()
	if !m.Take(c.bytes) {
		return false
	}
	m.Keep(c)
	return true
}

// If a small buffer needs memory, the least recently used cached memory is evicted. Reserve counts cached memory
// as free.
func TestMemoryCachedGivesWay(t *testing.T) {
	m := &Limit{Max: mib}

	// Sixteen cached things fill the memory.
	things := make([]cachedThing, 16)
	for i := range things {
		things[i].bytes = mib / 16
		require.True(t, keepCached(m, &things[i]))
	}
	require.Equal(t, int64(mib), m.Used())
	require.Equal(t, int64(mib/2), m.Reserve(mib), "all of it can be evicted")

	m.Unreserve(mib / 2)
	require.True(t, m.Try(firstChunk))
	require.LessOrEqual(t, m.Used(), int64(mib))
	require.Equal(t, 1, things[0].evicted, "the least recently used")
	require.Zero(t, things[1].evicted)
	m.Release(firstChunk)
}

// If the memory for a cached block cannot be found, the block is not kept. If other cached memory can be evicted
// for it, the block is kept.
func TestMemoryCachedEvictsNone(t *testing.T) {
	const small = 64 << 10
	m := &Limit{Max: mib}
	first := &cachedThing{bytes: small}
	require.True(t, keepCached(m, first))
	require.False(t, keepCached(m, &cachedThing{bytes: 2 * mib}))

	// A transfer takes all other memory. A block of the same size then evicts the first one.
	require.True(t, m.Try(mib-small))
	require.True(t, keepCached(m, &cachedThing{bytes: small}))
	require.Equal(t, 1, first.evicted)

	// Eviction would not free enough for a larger one.
	require.False(t, keepCached(m, &cachedThing{bytes: small + 1}))
}

// If memory is granted over the limit, the counter given to New grows.
func TestMemoryCountsGrantsOverTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Limit{Max: mib}
		require.True(t, m.Try(mib))
		var overLimit atomic.Int32
		b := New(m, &overLimit)
		require.NoError(t, b.Reserve(t.Context(), mib))
		require.Positive(t, overLimit.Load())
		b.Free()
	})
}
