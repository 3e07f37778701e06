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

// If a job reaches the bucket of its lease by another address, it does not remove, replace or copy the lease.
func TestLeaseIsKnownByOtherAddress(t *testing.T) {
	leases := map[string]func(ts *testStores) (storage.Bucket, string){
		"of a bucket": func(ts *testStores) (storage.Bucket, string) { return ts.bucket("first"), "in/lease" },
		"of a folder": func(ts *testStores) (storage.Bucket, string) {
			return storage.Prefixed(ts.bucket("first"), "in/"), "lease"
		},
	}
	newBuckets := map[string]func(ts *testStores) storage.Bucket{
		"a server": func(ts *testStores) storage.Bucket { return ts.served("first") },
		"a Core of one's own": func(ts *testStores) storage.Bucket {
			return wrapped.Unknown(ts.t, ts.bucket("first"))
		},
		"a folder by a server": func(ts *testStores) storage.Bucket { return storage.Prefixed(ts.served("first"), "in/") },
	}
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

	for leaseName, makeLease := range leases {
		for endName, end := range newBuckets {
			for jobName, job := range jobs {
				t.Run(jobName+"/"+endName+", lease "+leaseName, func(t *testing.T) {
					ts := newTestStores(t, "directory")
					ts.store("first", "in/old", "old")
					ts.store("first", "in/copy/lease", "a copy of a lease")
					b, key := makeLease(ts)
					err := lease.Hold(t.Context(), b, key,
						func(ctx context.Context) error { return job(ctx, end(ts)) })
					require.NoError(t, err, "the lease is still there when it is released")

					leftovers := ts.contents(ts.bucket("first"))
					require.Len(t, leftovers, 1)
					require.Contains(t, leftovers, "in/lease")
				})
			}
		}
	}

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
