package layers_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// A job does not remove, replace or copy the lease that protects it, even if it reaches the bucket of the lease by
// another address.
func TestLeaseIsKnownByOtherAddress(t *testing.T) {
	// Each function returns a bucket and the key of a lease in it, which is always the object "in/lease" of one store.
	leases := map[string]func(ts *testStores) (storage.Bucket, string){
		"of a bucket": func(ts *testStores) (storage.Bucket, string) { return ts.bucket("first"), "in/lease" },
		"of a folder": func(ts *testStores) (storage.Bucket, string) {
			return storage.Prefixed(ts.bucket("first"), "in/"), "lease"
		},
	}

	// Each function opens the store, or its folder "in/", by another address.
	addresses := map[string]func(ts *testStores) storage.Bucket{
		"a server": func(ts *testStores) storage.Bucket { return ts.served("first") },
		"a Core of one's own": func(ts *testStores) storage.Bucket {
			return wrapped.Unknown(ts.t, ts.bucket("first"))
		},
		"a folder by a server": func(ts *testStores) storage.Bucket { return storage.Prefixed(ts.served("first"), "in/") },
	}

	// Each job would remove all objects of a bucket.
	jobs := map[string]func(ctx context.Context, b storage.Bucket) error{
		"delete": func(ctx context.Context, b storage.Bucket) error {
			_, err := transfer.Copy(ctx, b, memstore.New(), transfer.WithDelete(), transfer.WithEmptySource())
			return err
		},
		"move": func(ctx context.Context, b storage.Bucket) error {
			_, err := transfer.Sync(ctx, transfer.Bucket(memstore.New()), transfer.Bucket(b),
				transfer.WithMove())
			return err
		},
		"remove": func(ctx context.Context, b storage.Bucket) error {
			_, err := transfer.Remove(ctx, b)
			return err
		},
		"remove what matches": func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.RemoveMatching(ctx, b, nil)
			return err
		},
	}

	for leaseName, newLease := range leases {
		for addressName, open := range addresses {
			for jobName, job := range jobs {
				t.Run(jobName+"/"+addressName+", lease "+leaseName, func(t *testing.T) {
					ts := newTestStores(t, "directory")
					ts.store("first", "in/old", "old")
					ts.store("first", "in/copy/lease", "a copy of a lease")

					// Run the job while the lease is held.
					b, key := newLease(ts)
					err := lease.Hold(t.Context(), b, key,
						func(ctx context.Context) error { return job(ctx, open(ts)) })
					require.NoError(t, err, "the lease is still there when it is released")

					// The job has removed everything else.
					leftovers := ts.contents(ts.bucket("first"))
					require.Len(t, leftovers, 1)
					require.Contains(t, leftovers, "in/lease")
				})
			}
		}
	}

	// The destination of this job is the directory of the store, and not a bucket.
	t.Run("a directory", func(t *testing.T) {
		ts := newTestStores(t, "directory")
		ts.store("first", "old", "old")

		err := lease.Hold(t.Context(), ts.served("first"), "lease", func(ctx context.Context) error {
			_, err := transfer.Sync(ctx, transfer.Dir(filepath.Join(ts.dir, "first")),
				transfer.Dir(t.TempDir()), transfer.WithDelete(), transfer.WithEmptySource())
			return err
		})
		require.NoError(t, err)
		require.Len(t, ts.contents(ts.bucket("first")), 1)
	})
}
