package running

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errBroken = errors.New("broken")

// Each calls do for each index, and never more calls at once than the limit.
func TestEachCallsAllAndHonoursTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flags [20]atomic.Bool
		var running, peak atomic.Int64
		err := Each(t.Context(), len(flags), 3, func(_ context.Context, i int) error {
			if now := running.Add(1); now > peak.Load() {
				peak.Store(now)
			}
			pause()
			running.Add(-1)
			flags[i].Store(true)
			return nil
		})
		require.NoError(t, err)

		for i := range flags {
			require.True(t, flags[i].Load(), i)
		}
		require.LessOrEqual(t, peak.Load(), int64(3))
		require.Greater(t, peak.Load(), int64(1), "calls overlap")
	})
}

// pause lets the other goroutines of the bubble run. The bubble has a clock of its own.
func pause() { time.Sleep(time.Second) }

// If a call fails, Each cancels the others, makes no further calls, and returns the first error.
func TestEachStopsAtTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts, finishes atomic.Int64
		err := Each(t.Context(), 100, 4, func(ctx context.Context, i int) error {
			starts.Add(1)
			defer finishes.Add(1)
			if i == 2 {
				return errBroken
			}
			<-ctx.Done() // of the calls in progress
			return ctx.Err()
		})
		require.Equal(t, errBroken, err)
		require.LessOrEqual(t, starts.Load(), int64(4), "no further calls are made")
		require.Equal(t, starts.Load(), finishes.Load(), "Each waits for all calls")
	})
}

// If ctx has ended before the first call, Each returns the cause of that.
func TestEachReturnsTheCauseOfAContextThatEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	err := Each(ctx, 3, 2, func(context.Context, int) error { return errors.New("was called") })
	require.Equal(t, errBroken, err)
}

// If the sequence of items fails, Stream returns its error after the calls in progress. It does not cancel
// them.
func TestStreamWaitsForItsCallsWhenTheItemsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		items := func(yield func(int, error) bool) {
			for item := range 2 {
				if !yield(item, nil) {
					return
				}
			}
			yield(0, errBroken)
		}
		err := Stream(t.Context(), items, 5, func(ctx context.Context, _ int) error {
			pause()
			count.Add(1)
			return ctx.Err()
		})
		require.Equal(t, errBroken, err)
		require.EqualValues(t, 2, count.Load(), "they are not canceled")
	})
}

// After a call has failed, Stream takes no further item.
func TestStreamTakesNoItemAfterAFailure(t *testing.T) {
	taken := 0
	items := func(yield func(int, error) bool) {
		for item := range 100 {
			taken++
			if !yield(item, nil) {
				return
			}
		}
	}
	const limit = 1
	err := Stream(t.Context(), items, limit, func(context.Context, int) error { return errBroken })
	require.Equal(t, errBroken, err)
	require.LessOrEqual(t, taken, 2, "the second one waits for the end of the first call")
}

// If the items of Stream panic, Stream cancels the calls in progress, and the panic reaches its caller.
func TestStreamPanicOfTheItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		items := func(yield func(int, error) bool) {
			yield(1, nil)
			pause()
			panic("items")
		}
		var canceled atomic.Bool
		require.PanicsWithValue(t, "items", func() {
			_ = Stream(t.Context(), items, 2, func(ctx context.Context, _ int) error {
				<-ctx.Done()
				canceled.Store(true)
				return nil
			})
		})
		require.True(t, canceled.Load())
	})
}

// All makes all calls and returns the error of each one.
func TestAllReturnsTheErrorOfEachCall(t *testing.T) {
	errs := All(5, 2, func(i int) error {
		if i == 3 {
			return errBroken
		}
		return nil
	})
	require.Equal(t, []error{nil, nil, nil, errBroken, nil}, errs)
}
