package running

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	requestBytes    = 1 << 20 // size of each request
	requestRate     = 50e6    // bytes a second of one request
	wideLink        = 1e12    // bytes a second of a link that no number of requests fills
	manyRequests    = 120     // enough for a GrowingLimit to find its number
	initialRequests = 4       // at the same time
	highestRequests = 16
)

// A network moves bytes on the clock of synctest. It has a rate for each request, and one for all together.
type network struct {
	each, all float64 // bytes a second
	latency   time.Duration
	running   atomic.Int64 // requests in progress
	peak      atomic.Int64 // the highest number of them
}

// run makes this number of requests, as many at the same time as the limit permits.
func (n *network) run(limit *Limit, requests int) {
	var group sync.WaitGroup
	for range requests {
		if limit.Acquire(context.Background()) != nil {
			return
		}
		group.Go(func() {
			defer limit.Release()
			now := n.running.Add(1)
			n.peak.Store(max(n.peak.Load(), now))
			n.move()
			n.running.Add(-1)
			limit.Moved(requestBytes)
			limit.Ended()
		})
	}
	group.Wait()
}

// move takes the time of one request. It moves the bytes in small steps, because the rate depends on how many
// requests are in progress.
func (n *network) move() {
	time.Sleep(n.latency)
	const steps = 64
	for range steps {
		rate := min(n.each, n.all/float64(n.running.Load()))
		time.Sleep(time.Duration(requestBytes / steps / rate * float64(time.Second)))
	}
}

// A GrowingLimit limits how many requests run at the same time. It begins with 4 requests, and finds the number that
// fills the network, from 2 to 16.
func TestGrowingFollowsTheNetwork(t *testing.T) {
	tests := []struct {
		name string
		each float64 // bytes a second of one request
		all  float64 // bytes a second of all requests together
		want int     // the limit at the end
	}{
		{name: "each request has its own rate", each: requestRate, all: wideLink, want: highestRequests},
		{name: "one request fills the link", each: requestRate, all: requestRate, want: 2},
		{name: "two requests fill the link", each: requestRate, all: 1.8 * requestRate, want: 4},
		{name: "three requests fill the link", each: requestRate, all: 2.5 * requestRate, want: 4},
		{name: "eight requests fill the link", each: requestRate, all: 8 * requestRate, want: 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit := GrowingLimit(initialRequests, highestRequests, min(tt.each, tt.all))
				net := &network{each: tt.each, all: tt.all, latency: time.Millisecond}
				net.run(limit, manyRequests)
				require.Equal(t, tt.want, limit.Current())
			})
		})
	}
}

// A FixedLimit permits the same number of parallel requests, however fast the network is.
func TestFixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const requests = 3
		limit := FixedLimit(requests)
		net := &network{each: requestRate, all: wideLink}
		net.run(limit, manyRequests)
		require.Equal(t, requests, limit.Current())
		require.EqualValues(t, requests, net.peak.Load())
	})
}

// The number of requests of GrowingLimit never exceeds its maximum.
func TestGrowingNeverExceedsTheMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const highest = 12 // no power of two times the initial number
		limit := GrowingLimit(5, highest, 0)
		net := &network{each: requestRate, all: wideLink}
		net.run(limit, 300)
		require.Equal(t, highest, limit.Current())
		require.EqualValues(t, highest, net.peak.Load())
	})
}

// The number of requests does not grow if no caller waits for a slot, because the source is slower than the network.
func TestGrowingOnlyWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const requests = 50
		limit := GrowingLimit(initialRequests, highestRequests, 0)
		for range requests {
			require.NoError(t, limit.Acquire(t.Context()))
			time.Sleep(time.Millisecond)
			limit.Moved(requestBytes)
			limit.Ended()
			limit.Release()
		}
		require.Equal(t, initialRequests, limit.Current())
	})
}

// If the network becomes faster, the number of requests grows again after the time tryAgain.
func TestGrowingTriesMoreAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := GrowingLimit(initialRequests, highestRequests, 0)
		net := &network{each: requestRate, all: requestRate}

		net.run(limit, 60)
		require.Equal(t, initialRequests, limit.Current())

		net.all = wideLink
		time.Sleep(tryAgain)
		net.run(limit, 100)
		require.Equal(t, highestRequests, limit.Current())
	})
}

// Acquire fails if its context ends before a slot is free, and takes no slot.
func TestAcquireEndsWithItsContext(t *testing.T) {
	limit := FixedLimit(1)
	require.NoError(t, limit.Acquire(t.Context()))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, limit.Acquire(ctx), context.Canceled)

	limit.Release()
	require.NoError(t, limit.Acquire(t.Context()))
}

// If the number of slots shrinks while more are in use, released slots are not given out again.
func TestReleaseAfterShrinking(t *testing.T) {
	// All four slots are in use.
	const initial = 2
	const highest = 4
	const unknownRate = 0
	limit := GrowingLimit(initial, highest, unknownRate)
	limit.set(highest)
	for range highest {
		require.NoError(t, limit.Acquire(t.Context()))
	}

	// Only two slots remain, so after two releases, no slot is free.
	limit.set(2)
	limit.Release()
	limit.Release()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, limit.Acquire(canceled))

	// After a third release, one request may begin.
	limit.Release()
	require.NoError(t, limit.Acquire(t.Context()))
}

// After the server has refused a request because of its load, only one request at a time is made.
func TestRefusedLeavesOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := GrowingLimit(initialRequests, highestRequests, 0)
		net := &network{each: requestRate, all: wideLink}
		const requests = 30
		net.run(limit, requests)

		limit.Refused()
		net.peak.Store(0)
		net.run(limit, requests)
		require.Equal(t, 1, limit.Current())
		require.EqualValues(t, 1, net.peak.Load())
	})
}
