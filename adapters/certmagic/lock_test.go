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

// If several servers call Lock, one of them holds the lock at a time.
func TestLockHasOneHolder(t *testing.T) {
	for store, open := range stores {
		t.Run(store, func(t *testing.T) {
			b := open(t)
			var holders, count atomic.Int64
			var servers sync.WaitGroup
			for range 3 {
				s := newStorage(t, b)
				servers.Go(func() {
					if err := s.Lock(t.Context(), "issue_cert_a.example"); err != nil {
						t.Error(err)
						return
					}
					if holders.Add(1) != 1 {
						t.Error("two hold the lock")
					}
					count.Add(1)
					holders.Add(-1)
					if err := s.Unlock(t.Context(), "issue_cert_a.example"); err != nil {
						t.Error(err)
					}
				})
			}
			servers.Wait()
			require.EqualValues(t, 3, count.Load())
			keys, err := newStorage(t, b).List(t.Context(), "", true)
			require.NoError(t, err)
			require.Empty(t, keys, "a lock that is released leaves no object")
		})
	}
}

// If the holder of a lock dies, and so neither renews its lease nor calls Unlock, another server gets the lock.
func TestLockOfADeadServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, b, cut := newSwitch()
		first := newStorage(t, dead)
		require.NoError(t, first.Lock(t.Context(), "a"))
		cut()
		start := time.Now()
		second := newStorage(t, b)

		require.NoError(t, second.Lock(t.Context(), "a"))
		require.LessOrEqual(t, time.Since(start), ttl+2*time.Second)
		require.NoError(t, first.Unlock(t.Context(), "a"), "the other one has it")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, newStorage(t, b).Lock(ctx, "a"), storage.DeadlineExceeded, "it keeps it")
		require.NoError(t, second.Unlock(t.Context(), "a"))
	})
}

// If a caller lost its lease and another caller locked the name, the first Unlock keeps the current lease, and the
// second ends it.
func TestLockOfTwoCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		s := newStorage(t, b)
		require.NoError(t, s.Lock(t.Context(), "a"))
		require.NoError(t, b.Remove(t.Context(), lockKey("a")))
		time.Sleep(ttl)
		require.NoError(t, s.Lock(t.Context(), "a"))
		require.NoError(t, s.Unlock(t.Context(), "a"))

		exists, err := b.Exists(t.Context(), lockKey("a"))
		require.NoError(t, err)
		require.True(t, exists, "one of both still works")

		require.NoError(t, s.Unlock(t.Context(), "a"))
		require.ErrorIs(t, s.Unlock(t.Context(), "a"), storage.InvalidArgument)
	})
}

// If ctx has ended, Lock fails, and there is no lock to release.
func TestLockHonorsItsContext(t *testing.T) {
	s := newStorage(t, memstore.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Lock(ctx, "a"), storage.Canceled)
	require.ErrorIs(t, s.Unlock(t.Context(), "a"), storage.InvalidArgument)
}

// newSwitch returns two handles of one bucket. The calls of the first fail after cut.
func newSwitch() (dead, b storage.Bucket, cut func()) {
	var off atomic.Bool
	d := memstore.NewDriver(memstore.Config{})
	hook := storage.WithHook(func(
		context.Context, storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		if off.Load() {
			return nil, nil, &storage.Error{Code: storage.Unavailable}
		}
		return nil, nil, nil
	})
	return engine.New(d, hook), engine.New(d), func() {
		off.Store(true)
	}
}

// If a server with FileStorage has died and left its lock file, Lock still succeeds.
func TestLockIgnoresFilesOfFileStorage(t *testing.T) {
	b := memstore.New()
	_, err := b.Upload(t.Context(), "locks/a.lock",
		strings.NewReader(`{"created":"2026-01-01T00:00:00Z","updated":"2026-01-01T00:00:05Z"}`))
	require.NoError(t, err)
	s := newStorage(t, b)
	require.NoError(t, s.Lock(t.Context(), "a"))
	require.NoError(t, s.Unlock(t.Context(), "a"))
}
