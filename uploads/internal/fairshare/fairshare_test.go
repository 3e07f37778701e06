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

// A user whose uploads have less memory need not wait for those of a user who has more.
func TestTheUserWithTheLeastMemoryIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fairshare.New(2)
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
