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

const unit = 1 << 20

// A network moves bytes at a rate of each request, and of all together.
type network struct {
	each, all float64 // bytes a second
	latency   time.Duration
	running   atomic.Int64
	most      atomic.Int64
}

// run makes n requests of one unit each, as many at once as the limit allows.
func (w *network) run(l *Limit, n int) {
	var group sync.WaitGroup
	for range n {
		if l.Acquire(context.Background()) != nil {
			return
		}
		group.Go(func() {
			defer l.Release()
			now := w.running.Add(1)
			w.most.Store(max(w.most.Load(), now))
			w.move()
			w.running.Add(-1)
			l.Moved(unit)
			l.Ended()
		})
	}
	group.Wait()
}

func (w *network) move() {
	time.Sleep(w.latency)
	const step = unit / 64
	for range 64 {
		rate := min(w.each, w.all/float64(w.running.Load()))
		time.Sleep(time.Duration(step / rate * float64(time.Second)))
	}
}

// Growing finds the number of requests that fills the network, from 2 to 16.
func TestGrowingFollowsTheNetwork(t *testing.T) {
	tests := []struct {
		name        string
		each, all   float64
		least, most int // at the end
	}{
		{name: "each request has its own rate", each: 50e6, all: 1e12, least: 16, most: 16},
		{name: "one request fills the link", each: 50e6, all: 50e6, least: 2, most: 2},
		{name: "two requests fill the link", each: 50e6, all: 90e6, least: 4, most: 4},
		{name: "three requests fill the link", each: 50e6, all: 125e6, least: 4, most: 4},
		{name: "eight requests fill the link", each: 50e6, all: 400e6, least: 8, most: 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := GrowingLimit(4, 16, min(tt.each, tt.all))
				w := &network{each: tt.each, all: tt.all, latency: time.Millisecond}
				w.run(l, 120)
				require.GreaterOrEqual(t, l.Current(), tt.least)
				require.LessOrEqual(t, l.Current(), tt.most)
			})
		})
	}
}

// FixedLimit always permits the same number of parallel requests.
func TestFixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := FixedLimit(3)
		w := &network{each: 50e6, all: 1e12}
		w.run(l, 100)
		require.Equal(t, 3, l.Current())
		require.EqualValues(t, 3, w.most.Load())
	})
}

// The number of requests of Growing never exceeds its maximum.
func TestGrowingNeverExceedsTheMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := GrowingLimit(5, 12, 0)
		w := &network{each: 50e6, all: 1e12}
		w.run(l, 300)
		require.Equal(t, 12, l.Current())
		require.EqualValues(t, 12, w.most.Load())
	})
}

// If no caller waits for a slot, because the source is slower than the network, the number of requests does not
// grow.
func TestGrowingOnlyWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := GrowingLimit(4, 16, 0)
		for range 50 {
			require.NoError(t, l.Acquire(t.Context()))
			time.Sleep(time.Millisecond)
			l.Moved(unit)
			l.Ended()
			l.Release()
		}
		require.Equal(t, 4, l.Current())
	})
}

// If the network becomes faster, the number of requests grows again after a while.
func TestGrowingTriesMoreAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := GrowingLimit(4, 16, 0)
		w := &network{each: 50e6, all: 50e6}

		w.run(l, 60)
		require.Equal(t, 4, l.Current())
		w.all = 1e12
		time.Sleep(tryAgain)
		w.run(l, 100)
		require.Equal(t, 16, l.Current())
	})
}

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
		l := GrowingLimit(4, 16, 0)
		w := &network{each: 50e6, all: 1e12}
		w.run(l, 30)
		l.Refused()
		w.most.Store(0)

		w.run(l, 30)
		require.Equal(t, 1, l.Current())
		require.EqualValues(t, 1, w.most.Load())
	})
}
