package lease_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// A lease has one holder at a time, even if one dies or is paused for longer than the TTL. Each holder has a
// greater token than those before it.
func TestExploredLease(t *testing.T) {
	for _, tt := range []struct {
		name      string
		opts      []lease.Option
		isRemoval bool
	}{
		{name: "plain"},
		{name: "with removal", opts: []lease.Option{lease.WithRemoval()}, isRemoval: true},
		{name: "with handover", opts: []lease.Option{lease.WithHandover()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			explored.EachOrder(t, func(s *interleave.Scene) {
				const ttl = time.Minute
				s.Tick(ttl + time.Second)
				store := s.Store("s")
				leases := make(map[string]*lease.Lease)
				last := int64(0)

				for _, name := range []string{"a", "b"} {
					process := s.Process(name)
					bucket := process.Bucket(store)
					actor := process.Go(name, func(ctx context.Context) error {
						held, err := lease.Acquire(ctx, bucket, "lease",
							append(tt.opts, lease.WithTTL(ttl))...)
						if err != nil {
							return err
						}

						for other, otherLease := range leases {
							require.Error(s, otherLease.Context().Err(), "%s and %s hold it", name, other)
						}

						if !tt.isRemoval {
							require.Greater(s, held.Token(), last)
						}
						last = held.Token()
						leases[name] = held
						defer delete(leases, name)
						_, err = bucket.Upload(held.Context(), "work", strings.NewReader(name))
						return errors.Join(err, held.Release())
					})
					s.Check(func() {
						err := actor.Err()
						// Release takes at most ten seconds.
						finished := errors.Is(err, storage.Canceled) || errors.Is(err,
							storage.DeadlineExceeded)
						lost := errors.Is(err, storage.Changed) || errors.Is(err, storage.OutcomeUnknown)
						require.True(s, err == nil || actor.Died() || finished || lost, "%v", err)
					})
				}

				s.Check(func() {
					laterBucket := store.Bucket()
					held, err := lease.Acquire(s.Context(), laterBucket, "lease", lease.WithTTL(ttl))
					require.NoError(s, err)
					require.NoError(s, held.Release())
				})
			})
		})
	}
}
