package storage

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const mib = 1 << 20

func TestMemoryGrantsInOrderAsItIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewBufferLimit(2 * mib)
		require.False(t, granted(t, m, 2*mib))
		m.addInFlight(1) // on its way to the store: waiting will end
		var order []int
		var group sync.WaitGroup
		for i := range 2 {
			group.Go(func() {
				_, over, err := m.acquire(t.Context(), nil, mib, mib)
				require.NoError(t, err)
				require.False(t, over)
				order = append(order, i)
			})
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		require.Empty(t, order, "nobody is granted anything over the limit while something moves")
		m.addInFlight(-1)
		m.release(mib)
		synctest.Wait()
		m.release(mib)
		group.Wait()
		require.Equal(t, []int{0, 1}, order)
	})
}

func TestMemoryDoesNotWaitForTheCallerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewBufferLimit(2 * mib)
		granted(t, m, 2*mib) // held by writers that only this goroutine fills
		for range 40 {
			require.True(t, granted(t, m, mib), "over the limit, and counted")
		}
		m.release(42 * mib)
		require.False(t, granted(t, m, mib))
	})
}

func TestMemoryForgetsAWaiterWhoseContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewBufferLimit(mib)
		granted(t, m, mib)
		m.addInFlight(1)
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		var group sync.WaitGroup
		group.Go(func() { _, _, err = m.acquire(ctx, nil, mib, mib) })
		synctest.Wait()
		cancel()
		group.Wait()
		require.ErrorIs(t, err, context.Canceled)
		m.addInFlight(-1)
		m.release(mib)
		require.Zero(t, m.used)
		require.Empty(t, m.waiting)
	})
}

func TestMemoryGrantsARequestLargerThanItself(t *testing.T) {
	m := NewBufferLimit(mib)
	require.True(t, granted(t, m, 8*mib))
}

func granted(t *testing.T, m *BufferLimit, bytes int64) (over bool) {
	t.Helper()
	_, over, err := m.acquire(t.Context(), nil, bytes, bytes)
	require.NoError(t, err)
	return over
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Of streams that take one chunk at a time each ends up with a piece of a part,
// and none can send: every chunk then waits until stillness was noticed.
func TestStreamsThatShareAMemoryFinishTheirPartsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, parts, part, sending = 32, 3, 5 * mib, time.Millisecond
		m := NewBufferLimit(16 * mib)
		begun := time.Now()
		var group sync.WaitGroup
		for range streams {
			group.Go(func() {
				o := &operation{core: &core{bufferLimit: m}}
				for range parts {
					b := newBuffer(o)
					require.NoError(t, b.fill(t.Context(), zeros{}, part))
					m.addInFlight(1)
					time.Sleep(sending)
					m.addInFlight(-1)
					b.free()
				}
			})
		}
		group.Wait()
		require.Zero(t, m.used)
		// A tenth of what it takes where every chunk waits; how often
		// stillness is met depends on who runs first.
		require.Less(t, time.Since(begun), streams*parts*sending+40*stallAfter)
	})
}

// A sourceThatStalls delivers some bytes, and no more until the channel is closed.
type sourceThatStalls struct {
	left int
	end  <-chan struct{}
}

func (s *sourceThatStalls) Read(p []byte) (int, error) {
	if s.left == 0 {
		<-s.end
		return 0, io.EOF
	}
	n := min(s.left, len(p))
	s.left -= n
	return n, nil
}

// Clients that send the beginning of a part of unknown length hold little more than they have
// sent, however many they are. Others proceed.
func TestStalledSourcesTakeLittleOverTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, sources, sent = 8 * mib, 60, 80 << 10
		m := NewBufferLimit(limit)
		o := &operation{core: &core{bufferLimit: m}}
		end := make(chan struct{})
		var group sync.WaitGroup
		for range sources {
			group.Go(func() {
				b := newBuffer(o)
				defer b.free()
				require.Equal(t, io.EOF, b.fill(t.Context(), &sourceThatStalls{sent, end}, limit+1))
				require.EqualValues(t, sent, b.size)
			})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, m.waiting)
		require.LessOrEqual(t, m.used, int64(limit+sources*(sent+secondChunk)))

		begun := time.Now()
		b := newBuffer(o)
		require.NoError(t, b.fill(t.Context(), zeros{}, 5*mib))
		require.Less(t, time.Since(begun), 2*stallAfter)
		require.EqualValues(t, 5*mib, b.size)
		b.free()
		close(end)
		group.Wait()
		require.Zero(t, m.used)
	})
}

// A block can be fetched again, so it counts as free for whoever needs memory.
func TestBlocksGiveWayToEverySmallBuffer(t *testing.T) {
	m := NewBufferLimit(mib)
	r := openGenerated(t, &generated{size: 10 * mib}, m, WithBlockSize(64<<10-blockOverhead))
	for i := range int64(16) {
		readAt(t, r, i*mib/2, 10)
	}
	require.Equal(t, int64(mib), m.used)
	require.Equal(t, int64(mib/2), m.promise(mib), "all of it can be evicted")
	m.unpromise(mib / 2)
	require.True(t, m.try(firstChunk))
	require.LessOrEqual(t, m.used, int64(mib))
	m.release(firstChunk)
}

func TestABlockThatFindsNoMemoryEvictsNone(t *testing.T) {
	m := NewBufferLimit(mib)
	small := openGenerated(t, &generated{size: 10 * mib}, m, WithBlockSize(64<<10-blockOverhead))
	large := openGenerated(t, &generated{size: 10 * mib}, m, WithBlockSize(2*mib))
	readAt(t, small, 0, 10)
	readAt(t, large, 0, 10)
	require.Len(t, small.blocks.blocks, 1)
	require.True(t, m.try(mib-64<<10)) // a transfer
	readAt(t, small, 5*mib, 10)        // instead of the older block
	require.Len(t, small.blocks.blocks, 1)
	m.release(mib - 64<<10)
}
