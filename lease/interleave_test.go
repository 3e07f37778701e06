package lease_test

import (
	"context"
	"errors"
	"slices"
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
	tests := []struct {
		name          string
		opts          []lease.Option
		tokensRestart bool // whether tokens start over, because Release removes the object
	}{
		{name: "plain"},
		{name: "with removal", opts: []lease.Option{lease.WithRemoval()}, tokensRestart: true},
		{name: "with handover", opts: []lease.Option{lease.WithHandover()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// EachOrder runs this scene once for each order of the requests. In some runs, a process dies, or pauses for
			// a tick.
			explored.EachOrder(t, func(s *interleave.Scene) {
				const ttl = time.Minute
				s.Tick(ttl + time.Second) // a paused process misses more than the TTL
				store := s.Store("s")
				opts := slices.Concat(tt.opts, []lease.Option{lease.WithTTL(ttl)})
				leases := make(map[string]*lease.Lease) // that are held, by the name of the process
				lastToken := int64(0)

				// Two processes acquire the lease, write an object and release the lease.
				for _, name := range []string{"a", "b"} {
					process := s.Process(name)
					bucket := process.Bucket(store)
					actor := process.Go(name, func(ctx context.Context) error {
						held, err := lease.Acquire(ctx, bucket, "lease", opts...)
						if err != nil {
							return err
						}

						// The other process has no lease any more, and had a smaller token.
						for other, otherLease := range leases {
							require.Error(s, otherLease.Context().Err(), "%s and %s hold it", name, other)
						}
						if !tt.tokensRestart {
							require.Greater(s, held.Token(), lastToken)
						}
						lastToken = held.Token()

						// Work while the lease is held.
						leases[name] = held
						defer delete(leases, name)
						_, err = bucket.Upload(held.Context(), "work", strings.NewReader(name))
						return errors.Join(err, held.Release())
					})

					// A process succeeds unless it died, lost the lease, or released it too slowly.
					s.Check(func() {
						mayFail := actor.Died() || isLossOrTimeout(actor.Err())
						require.True(s, mayFail || actor.Err() == nil, "%v", actor.Err())
					})
				}

				// Whatever has happened, a later process can acquire the lease.
				s.Check(func() {
					held, err := lease.Acquire(s.Context(), store.Bucket(), "lease", lease.WithTTL(ttl))
					require.NoError(s, err)
					require.NoError(s, held.Release())
				})
			})
		})
	}
}

// isLossOrTimeout reports whether err says that a lease was lost or that a Release took too long.
func isLossOrTimeout(err error) bool {
	codes := []storage.Code{storage.Changed, storage.OutcomeUnknown, storage.Canceled, storage.DeadlineExceeded}
	return slices.ContainsFunc(codes, func(code storage.Code) bool { return errors.Is(err, code) })
}
