package fairshare_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads/internal/fairshare"
)

const (
	alice = "alice"
	mallo = "mallory"
)

// Of two users who wait for memory, the one who holds less gets it first.
func TestFairShareOfLeastMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fairshare.New(2, 1)
		// The first request of an owner may take all bytes.
		require.True(t, m.Acquire(t.Context(), alice, 2))
		order := make(chan string, 2)
		for _, user := range []string{alice, mallo} {
			go func() {
				if m.Acquire(t.Context(), user, 1) {
					order <- user
				}
			}()
			synctest.Wait()
		}
		m.Release(alice, 1)
		require.Equal(t, mallo, <-order)

		m.Release(alice, 1)
		require.Equal(t, alice, <-order)
	})
}

// While a user with much memory waits for more, another user gets its own share without waiting.
func TestFairShareLeavesSpaceForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// An owner of bytes gets more only if it then has at most three times the bytes that remain free.
		// So with 9 of the 12 bytes it gets no more, nor with 2 of the last 3.
		m := fairshare.New(12, 3)
		require.True(t, m.Try(mallo, 9))
		require.False(t, m.Try(mallo, 1))

		granted := make(chan bool, 1)
		go func() {
			granted <- m.Acquire(t.Context(), mallo, 1)
		}()
		synctest.Wait()
		require.False(t, m.Contended(alice))
		require.True(t, m.Contended(mallo))
		require.True(t, m.Try(alice, 2))
		require.False(t, m.Try(alice, 1))

		m.Release(mallo, 4)
		require.True(t, <-granted)
	})
}

// A request for much memory is served before later ones of the same user for little.
func TestFairShareRequestsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fairshare.New(12, 3)
		// The requests for 4 and for 9 bytes do not fit into the 12 bytes together.
		require.True(t, m.Try(alice, 4))
		order := make(chan int64, 2)
		for _, bytes := range []int64{9, 1} {
			go func() {
				if m.Acquire(t.Context(), alice, bytes) {
					order <- bytes
				}
			}()
			synctest.Wait()
		}
		require.Empty(t, order)
		require.False(t, m.Try(alice, 1))

		m.Release(alice, 4)
		require.EqualValues(t, 9, <-order)
		m.Release(alice, 9)
		require.EqualValues(t, 1, <-order)
	})
}
