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

// GrowingLimit finds the number of requests that fills the network, from 2 to 16.
func TestGrowingFollowsTheNetwork(t *testing.T) {
	tests := []struct {
		name      string
		each, all float64 // bytes a second
		want      int     // requests at the same time, at the end
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
				l := GrowingLimit(initialRequests, highestRequests, min(tt.each, tt.all))
				net := &network{each: tt.each, all: tt.all, latency: time.Millisecond}
				net.run(l, manyRequests)
				require.Equal(t, tt.want, l.Current())
			})
		})
	}
}

// FixedLimit always permits the same number of parallel requests.
func TestFixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const requests = 3
		l := FixedLimit(requests)
		net := &network{each: requestRate, all: wideLink}
		net.run(l, manyRequests)
		require.Equal(t, requests, l.Current())
		require.EqualValues(t, requests, net.peak.Load())
	})
}

// The number of requests of GrowingLimit never exceeds its maximum.
func TestGrowingNeverExceedsTheMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const highest = 12 // no power of two times the initial number
		l := GrowingLimit(5, highest, 0)
		net := &network{each: requestRate, all: wideLink}
		net.run(l, 300)
		require.Equal(t, highest, l.Current())
		require.EqualValues(t, highest, net.peak.Load())
	})
}

// If no caller waits for a slot, because the source is slower than the network, the number of requests does not
// grow.
func TestGrowingOnlyWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := GrowingLimit(initialRequests, highestRequests, 0)
		for range 50 {
			require.NoError(t, l.Acquire(t.Context()))
			time.Sleep(time.Millisecond)
			l.Moved(requestBytes)
			l.Ended()
			l.Release()
		}
		require.Equal(t, initialRequests, l.Current())
	})
}

// If the network becomes faster, the number of requests grows again after a while.
func TestGrowingTriesMoreAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := GrowingLimit(initialRequests, highestRequests, 0)
		net := &network{each: requestRate, all: requestRate}

		net.run(l, 60)
		require.Equal(t, initialRequests, l.Current())

		net.all = wideLink
		time.Sleep(tryAgain)
		net.run(l, 100)
		require.Equal(t, highestRequests, l.Current())
	})
}

// Acquire fails if its context ends before a slot is free.
func TestAcquireEndsWithItsContext(t *testing.T) {
	l := FixedLimit(1)
	require.NoError(t, l.Acquire(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Acquire(ctx), context.Canceled)
	l.Release()
	require.NoError(t, l.Acquire(t.Context()))
}

// If the number of slots shrinks while some are in use, released slots are not given out again.
func TestReleaseAfterShrinking(t *testing.T) {
	l := GrowingLimit(2, 4, 0)
	l.set(4)
	for range 4 {
		require.NoError(t, l.Acquire(t.Context()))
	}

	// The limit shrinks to two slots while four are in use.
	l.set(2)
	l.Release()
	l.Release()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, l.Acquire(canceled))

	l.Release()
	require.NoError(t, l.Acquire(t.Context()))
}

// If the server refuses a request for its load, only one request at a time remains.
func TestRefusedLeavesOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := GrowingLimit(initialRequests, highestRequests, 0)
		net := &network{each: requestRate, all: wideLink}
		net.run(l, 30)
		l.Refused()
		net.peak.Store(0)

		net.run(l, 30)
		require.Equal(t, 1, l.Current())
		require.EqualValues(t, 1, net.peak.Load())
	})
}
