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

// If two users wait for memory, the one that holds less gets it first.
func TestFairShareOfLeastMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := fairshare.New(2, 1)

		// Alice holds all of the memory. The first request of an owner may take all bytes.
		require.True(t, memory.Acquire(t.Context(), alice, 2))

		// Alice waits for one more byte, and after her, Mallo waits for one byte.
		order := make(chan string, 2)
		for _, user := range []string{alice, mallo} {
			go func() {
				if memory.Acquire(t.Context(), user, 1) {
					order <- user
				}
			}()
			synctest.Wait()
		}

		// Alice releases two bytes. Mallo gets the first one, and Alice gets the second one.
		memory.Release(alice, 1)
		require.Equal(t, mallo, <-order)

		memory.Release(alice, 1)
		require.Equal(t, alice, <-order)
	})
}

// While a user with much memory waits for more, another user gets some memory without waiting.
func TestFairShareLeavesSpaceForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A user gets at most three times the bytes that remain free. Mallo has 9 of 12 bytes, so 3
		// remain free, and he gets no more.
		const limit, maxShare = 12, 3
		memory := fairshare.New(limit, maxShare)
		require.True(t, memory.Try(mallo, 9))
		require.False(t, memory.Try(mallo, 1))

		// Mallo waits for one more byte.
		granted := make(chan bool, 1)
		go func() {
			granted <- memory.Acquire(t.Context(), mallo, 1)
		}()
		synctest.Wait()
		require.True(t, memory.Contended(mallo))
		require.False(t, memory.Contended(alice))

		// Alice gets two of the 3 free bytes. A third one would leave no byte free.
		require.True(t, memory.Try(alice, 2))
		require.False(t, memory.Try(alice, 1))

		// When Mallo has released enough bytes, his waiting request is granted.
		memory.Release(mallo, 4)
		require.True(t, <-granted)
	})
}

// A request for much memory is served before later requests of the same user for less.
func TestFairShareRequestsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			limit     = 12 // bytes of memory
			maxShare  = 3  // how many times the free bytes a user may have
			heldBytes = 4
			large     = 9 // does not fit beside heldBytes
			small     = 1 // fits beside heldBytes
		)
		memory := fairshare.New(limit, maxShare)
		require.True(t, memory.Try(alice, heldBytes))

		// A request for much memory waits. After it, a request for little memory waits, too.
		order := make(chan int64, 2)
		for _, bytes := range []int64{large, small} {
			go func() {
				if memory.Acquire(t.Context(), alice, bytes) {
					order <- bytes
				}
			}()
			synctest.Wait()
		}
		require.Empty(t, order, "the small request has not waited for the large one")
		require.False(t, memory.Try(alice, small), "a request does not wait for its turn")

		// The requests get memory in their order.
		memory.Release(alice, heldBytes)
		require.EqualValues(t, large, <-order)
		memory.Release(alice, large)
		require.EqualValues(t, small, <-order)
	})
}
