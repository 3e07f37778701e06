package keylock

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Only one caller at a time holds the lock of a name, and released locks take no memory.
func TestLockIsHeldOnce(t *testing.T) {
	const callers = 100
	var locks Locks
	var wg sync.WaitGroup
	counts := map[string]*int{"a": new(0), "b": new(0)}
	for name, count := range counts {
		for range callers {
			wg.Go(func() {
				unlock, err := locks.Lock(t.Context(), name)
				if err != nil {
					return
				}
				defer unlock()
				*count++
			})
		}
	}
	wg.Wait()

	require.Equal(t, callers, *counts["a"])
	require.Equal(t, callers, *counts["b"])
	require.Empty(t, locks.all)
}

// The lock of one name does not block other names. Otherwise, this test would not end.
func TestLockOfOtherName(t *testing.T) {
	var locks Locks
	for _, name := range []string{"a", "b"} {
		unlock, err := locks.Lock(t.Context(), name)
		require.NoError(t, err)
		defer unlock()
	}
}
