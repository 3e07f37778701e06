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

// A lease has one holder at a time, also if one dies or is paused for longer than the TTL, and each holder has a
// greater token than those before it.
func TestExploredLease(t *testing.T) {
	for _, tt := range []struct {
		name    string
		opts    []lease.Option
		removes bool
	}{
		{name: "plain"},
		{name: "with removal", opts: []lease.Option{lease.WithRemoval()}, removes: true},
		{name: "with handover", opts: []lease.Option{lease.WithHandover()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			explored.Run(t, func(s *interleave.Scene) {
				const ttl = time.Minute
				s.Tick(ttl + time.Second)
				store := s.Store("s")
				leases := make(map[string]*lease.Lease)
				last := int64(0)

				for _, name := range []string{"a", "b"} {
					p := s.Process(name)
					b := p.Bucket(store)
					a := p.Go(name, func(ctx context.Context) error {
						l, err := lease.Acquire(ctx, b, "lease", append(tt.opts, lease.WithTTL(ttl))...)
						if err != nil {
							return err
						}

						for other, o := range leases {
							require.Error(s, o.Context().Err(), "%s and %s hold it", name, other)
						}

						if !tt.removes {
							require.Greater(s, l.Token(), last)
						}
						last = l.Token()
						leases[name] = l
						defer delete(leases, name)
						_, err = b.Upload(l.Context(), "work", strings.NewReader(name))
						return errors.Join(err, l.Release())
					})
					s.Check(func() {
						err := a.Err()
						// Release takes at most ten seconds.
						finished := errors.Is(err, storage.Canceled) || errors.Is(err,
							storage.DeadlineExceeded)
						lost := errors.Is(err, storage.Changed) || errors.Is(err, storage.OutcomeUnknown)
						require.True(s, err == nil || a.Died() || finished || lost, "%v", err)
					})
				}

				s.Check(func() {
					laterBucket := store.Bucket()
					l, err := lease.Acquire(s.Context(), laterBucket, "lease", lease.WithTTL(ttl))
					require.NoError(s, err)
					require.NoError(s, l.Release())
				})
			})
		})
	}
}
