package keylock

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// One caller at a time holds the lock of a name, and a released lock takes no memory.
func TestLockIsHeldOnce(t *testing.T) {
	var locks Locks
	var group sync.WaitGroup
	counts := map[string]*int{"a": new(0), "b": new(0)}
	for name, count := range counts {
		for range 100 {
			group.Go(func() {
				unlock, err := locks.Lock(t.Context(), name)
				if err != nil {
					return
				}
				defer unlock()
				*count++
			})
		}
	}
	group.Wait()
	require.Equal(t, 100, *counts["a"])
	require.Equal(t, 100, *counts["b"])
	require.Empty(t, locks.all)
}

// Holding the lock of one name does not block other names. Otherwise this test would not end.
func TestLockOfOtherName(t *testing.T) {
	var locks Locks
	for _, name := range []string{"a", "b"} {
		unlock, err := locks.Lock(t.Context(), name)
		require.NoError(t, err)
		defer unlock()
	}
}
