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

// Each makes a call for each index, several at once, but no more than the limit.
func TestEachCallsAllAndHonoursTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 3
		var called [20]atomic.Bool
		var active, maxActive atomic.Int64
		err := Each(t.Context(), len(called), limit, func(_ context.Context, i int) error {
			if now := active.Add(1); now > maxActive.Load() {
				maxActive.Store(now)
			}
			pause()
			active.Add(-1)
			called[i].Store(true)
			return nil
		})
		require.NoError(t, err)

		for i := range called {
			require.True(t, called[i].Load(), i)
		}
		require.LessOrEqual(t, maxActive.Load(), int64(limit))
		require.Greater(t, maxActive.Load(), int64(1))
	})
}

// pause lets the other goroutines of the bubble run. The bubble has a clock of its own.
func pause() { time.Sleep(time.Second) }

// If a call fails, Each cancels the others, makes no further calls, and returns the first error.
func TestEachStopsAtTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			calls   = 100
			limit   = 4 // calls at the same time
			failing = 2 // number of the call that fails
		)
		var started, finished atomic.Int64
		err := Each(t.Context(), calls, limit, func(ctx context.Context, i int) error {
			started.Add(1)
			defer finished.Add(1)
			if i == failing {
				return errBroken
			}
			<-ctx.Done()
			return ctx.Err()
		})
		require.Equal(t, errBroken, err)
		require.LessOrEqual(t, started.Load(), int64(limit), "no further calls are made")
		require.Equal(t, started.Load(), finished.Load(), "Each waits for all calls")
	})
}

// If ctx has ended before the first call, Each returns the cause and makes no call.
func TestEachReturnsTheCauseOfAContextThatEnded(t *testing.T) {
	const (
		calls = 3
		limit = 2
	)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	err := Each(ctx, calls, limit, func(context.Context, int) error {
		return errors.New("was called")
	})
	require.Equal(t, errBroken, err)
}

// If the sequence of items fails, Stream returns the error after the calls in progress, which it does not cancel.
func TestStreamWaitsForItsCallsWhenTheItemsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const itemCount = 2
		var finished atomic.Int64
		items := func(yield func(int, error) bool) {
			for item := range itemCount {
				if !yield(item, nil) {
					return
				}
			}
			yield(0, errBroken)
		}
		err := Stream(t.Context(), items, 5, func(ctx context.Context, _ int) error {
			pause()
			finished.Add(1)
			return ctx.Err()
		})
		require.Equal(t, errBroken, err)
		require.EqualValues(t, itemCount, finished.Load())
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
	err := Stream(t.Context(), items, limit, func(context.Context, int) error {
		return errBroken
	})
	require.Equal(t, errBroken, err)

	// A second item may have been taken already, and waits for the end of the first call.
	require.LessOrEqual(t, taken, 2)
}

// If the sequence of items panics, Stream cancels the calls in progress, and the panic reaches its caller.
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

// All makes all calls, even after one has failed, and returns the error of each.
func TestAllReturnsTheErrorOfEachCall(t *testing.T) {
	const (
		calls = 5
		limit = 2
	)
	errs := All(calls, limit, func(i int) error {
		if i == 3 {
			return errBroken
		}
		return nil
	})
	require.Equal(t, []error{nil, nil, nil, errBroken, nil}, errs)
}
