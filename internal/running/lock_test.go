package running_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/running"
)

// Only one goroutine at a time holds a lock.
func TestLockIsHeldOnce(t *testing.T) {
	const goroutines = 100
	lock := running.NewLock()
	count := 0 // the race detector finds two increments at the same time
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			if lock.Lock(t.Context()) == nil {
				defer lock.Unlock()
				count++
			}
		})
	}
	group.Wait()
	require.Equal(t, goroutines, count)
}

// Lock fails if ctx ends while it waits for the lock, but not if the lock is free.
func TestLockHeedsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock := running.NewLock()
		require.NoError(t, lock.Lock(t.Context()))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, lock.Lock(ctx), context.DeadlineExceeded)

		lock.Unlock()
		require.NoError(t, lock.Lock(ctx))
	})
}

// A Once calls its function once, even if that fails, and always returns the results of that call.
func TestOnceMakesOneValue(t *testing.T) {
	calls := 0
	lazy := running.NewOnce(func(context.Context) (int, error) {
		calls++
		return calls, context.Canceled
	})
	for range 3 {
		value, err := lazy.Get(t.Context())
		require.Equal(t, 1, value)
		require.ErrorIs(t, err, context.Canceled)
	}
}
