package certmagic

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// If several servers call Lock, one at a time holds the lock, and the last Unlock leaves no object.
func TestLockHasOneHolder(t *testing.T) {
	const lockName = "issue_cert_a.example"
	const servers = 3
	for store, open := range stores {
		t.Run(store, func(t *testing.T) {
			b := open(t)
			var holders atomic.Int64
			var lockCount atomic.Int64
			var group sync.WaitGroup
			for range servers {
				s := newStorage(t, b)
				group.Go(func() {
					if err := s.Lock(t.Context(), lockName); err != nil {
						t.Error(err)
						return
					}
					if holders.Add(1) != 1 {
						t.Error("two hold the lock")
					}
					lockCount.Add(1)
					holders.Add(-1)
					if err := s.Unlock(t.Context(), lockName); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()

			require.EqualValues(t, servers, lockCount.Load())
			keys, err := newStorage(t, b).List(t.Context(), "", true)
			require.NoError(t, err)
			require.Empty(t, keys)
		})
	}
}

// If the server that holds a lock dies, another server gets the lock when the lease ends. A late Unlock of the first
// server does not release the lock of the second.
func TestLockOfADeadServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// maxDelay is the time that requests and the pauses between them may take.
		const maxDelay = 2 * time.Second
		// Two servers use the same bucket. The first one loses its connection.
		firstBucket, bucket, disconnectFirst := newSwitch()
		first := newStorage(t, firstBucket)
		second := newStorage(t, bucket)
		require.NoError(t, first.Lock(t.Context(), "a"))
		disconnectFirst()

		// The second server gets the lock when the lease ends.
		start := time.Now()
		require.NoError(t, second.Lock(t.Context(), "a"))
		require.LessOrEqual(t, time.Since(start), ttl+maxDelay)

		// The second server keeps the lock.
		require.NoError(t, first.Unlock(t.Context(), "a"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, newStorage(t, bucket).Lock(ctx, "a"), storage.DeadlineExceeded)
		require.NoError(t, second.Unlock(t.Context(), "a"))
	})
}

// If a caller has lost its lease and another caller of the same server has locked the name, the first Unlock keeps the
// new lease and the second one releases it.
func TestLockOfTwoCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		s := newStorage(t, b)

		// The first caller locks the name.
		require.NoError(t, s.Lock(t.Context(), "a"))

		// The lock is removed from the bucket. The first lease notices that at its next renewal,
		// and ends.
		require.NoError(t, b.Remove(t.Context(), lockKey("a")))
		time.Sleep(ttl)

		// The second caller locks the name.
		require.NoError(t, s.Lock(t.Context(), "a"))

		// The first caller unlocks it, and the second lease stays.
		require.NoError(t, s.Unlock(t.Context(), "a"))
		exists, err := b.Exists(t.Context(), lockKey("a"))
		require.NoError(t, err)
		require.True(t, exists)

		// The second caller unlocks it, after which nobody holds a lease.
		require.NoError(t, s.Unlock(t.Context(), "a"))
		require.ErrorIs(t, s.Unlock(t.Context(), "a"), storage.InvalidArgument)
	})
}

// If ctx is done, Lock fails and there is no lock to release.
func TestLockHonorsItsContext(t *testing.T) {
	s := newStorage(t, memstore.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Lock(ctx, "a"), storage.Canceled)
	require.ErrorIs(t, s.Unlock(t.Context(), "a"), storage.InvalidArgument)
}

// newSwitch returns two handles of one bucket. After cut, each call of the first one fails with Unavailable, as if its
// server had died.
func newSwitch() (first, second storage.Bucket, cut func()) {
	var isCut atomic.Bool
	failAfterCut := func(context.Context, storage.Operation) (context.Context, func(storage.Outcome), error) {
		if isCut.Load() {
			return nil, nil, &storage.Error{Code: storage.Unavailable}
		}
		return nil, nil, nil
	}
	d := memstore.NewDriver(memstore.Config{})
	first = engine.New(d, storage.WithHook(failAfterCut))
	second = engine.New(d)
	return first, second, func() { isCut.Store(true) }
}

// Lock ignores the lock file of a server with FileStorage that has died.
func TestLockIgnoresFilesOfFileStorage(t *testing.T) {
	b := memstore.New()
	_, err := b.Upload(t.Context(), "locks/a.lock",
		strings.NewReader(`{"created":"2026-01-01T00:00:00Z","updated":"2026-01-01T00:00:05Z"}`))
	require.NoError(t, err)
	s := newStorage(t, b)
	require.NoError(t, s.Lock(t.Context(), "a"))
	require.NoError(t, s.Unlock(t.Context(), "a"))
}
