package transfer_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// Every runs a job while it holds a lease, which is an object in a bucket. If the job works on this
// bucket, it does not remove, replace or copy the lease.
func TestJobLeavesOutItsLease(t *testing.T) {
	inAYear := transfer.WithNow(func() time.Time { return time.Now().AddDate(1, 0, 0) })
	everything := []transfer.ExpireRule{{Age: time.Hour}}
	tests := []struct {
		name string
		do   func(ctx context.Context, b storage.Bucket, dir string) error
	}{
		{
			name: "sync with delete",
			do: func(ctx context.Context, b storage.Bucket, dir string) error {
				_, err := transfer.Sync(ctx, transfer.Bucket(b), transfer.Dir(dir), transfer.WithDelete())
				return err
			},
		},
		{
			name: "sync with delete below a prefix",
			do: func(ctx context.Context, b storage.Bucket, dir string) error {
				_, err := transfer.Sync(ctx, transfer.Bucket(storage.Prefixed(b, "jobs/")),
					transfer.Dir(filepath.Join(dir, "jobs")), transfer.WithDelete())
				return err
			},
		},
		{
			name: "a source with a file of its name",
			do: func(ctx context.Context, b storage.Bucket, dir string) error {
				_, err := transfer.Upload(ctx, b, dir, transfer.WithChecksum())
				return err
			},
		},
		{
			name: "a download",
			do: func(ctx context.Context, b storage.Bucket, dir string) error {
				_, err := transfer.Download(ctx, b, dir)
				return err
			},
		},
		{
			name: "a move",
			do: func(ctx context.Context, b storage.Bucket, dir string) error {
				_, err := transfer.Sync(ctx, transfer.Dir(dir), transfer.Bucket(b), transfer.WithMove())
				return err
			},
		},
		{
			name: "a backup",
			do: func(ctx context.Context, b storage.Bucket, dir string) error {
				_, err := transfer.Sync(ctx, transfer.Dir(dir), transfer.Dir(t.TempDir()), transfer.WithDelete(),
					transfer.WithEmptySource(), transfer.WithBackup(transfer.Bucket(b)))
				return err
			},
		},
		{
			name: "expiry",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := transfer.Expire(ctx, b, everything, inAYear)
				return err
			},
		},
		{
			name: "expiry below a prefix",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := transfer.Expire(ctx, storage.Prefixed(b, "jobs/"), everything, inAYear)
				return err
			},
		},
		{
			name: "a restore",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := transfer.RestoreAt(ctx, b, time.Now().AddDate(-1, 0, 0), transfer.WithDelete())
				return err
			},
		},
		{
			name: "a removal of everything",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.RemoveMatching(ctx, b, nil)
				return err
			},
		},
		{
			name: "a removal below a prefix",
			do: func(ctx context.Context, b storage.Bucket, _ string) error {
				_, err := storage.RemoveMatching(ctx, storage.Prefixed(b, "jobs/"), nil)
				return err
			},
		},
	}
	for _, tt := range tests {
		for name, b := range newVersionedStores(t) {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				dir := t.TempDir()
				writeFiles(t, dir, map[string]string{leaseKey: "of another", "kept": "kept"})
				put(t, b, "other", "other")

				// The first run of the job ends Every.
				ctx, endEvery := context.WithCancel(t.Context())
				runs := 0
				job := func(ctx context.Context) error {
					defer endEvery()
					runs++
					before, err := b.Attrs(ctx, leaseKey)
					require.NoError(t, err)
					require.NoError(t, tt.do(ctx, b, dir))

					after, err := b.Attrs(ctx, leaseKey)
					require.NoError(t, err, "the job has removed the lease")
					require.Equal(t, before.Revision, after.Revision, "the job has replaced the lease")

					data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(leaseKey)))
					require.NoError(t, err)
					require.Equal(t, "of another", string(data), "the job has copied the lease")
					return nil
				}
				_ = transfer.Every(ctx, time.Hour, job, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
				require.Equal(t, 1, runs)
			})
		}
	}
}

// A job treats the lease of another job as an ordinary object.
func TestJobLeaseOfAnotherIsAnObject(t *testing.T) {
	src := memstore.New()
	put(t, src, "a", "a")
	dst := memstore.New()
	put(t, dst, leaseKey, "of another")
	ctx, cancel := context.WithCancel(t.Context())
	runOnce := func(ctx context.Context) error {
		defer cancel()
		_, err := transfer.Sync(ctx, transfer.Bucket(dst), transfer.Bucket(src), transfer.WithDelete(),
			transfer.WithChecksum())
		return err
	}

	_ = transfer.Every(ctx, time.Hour, runOnce, transfer.WithLease(src, "own.lease"), transfer.WithJitter(0))
	require.Equal(t, map[string]string{"a": "a"}, contents(t, dst))
}

// Expire treats old versions of a lease like those of any other object, even while the lease is held.
func TestExpireOldVersionsOfALease(t *testing.T) {
	inAYear := transfer.WithNow(func() time.Time { return time.Now().AddDate(1, 0, 0) })
	for name, b := range newVersionedStores(t) {
		t.Run(name, func(t *testing.T) {
			// The job runs while Every holds a lease in the same bucket. The first run ends Every.
			ctx, endEvery := context.WithCancel(t.Context())
			runs := 0
			runOnce := func(ctx context.Context) error {
				defer endEvery()
				runs++
				_, err := transfer.Expire(ctx, b, []transfer.ExpireRule{{OldVersionsAge: time.Hour}}, inAYear)
				require.NoError(t, err)

				versions := 0
				for _, err := range storage.Versions(ctx, b) {
					require.NoError(t, err)
					versions++
				}
				require.Equal(t, 1, versions, "that of the lease")
				return nil
			}

			err := transfer.Every(ctx, time.Hour, runOnce, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, 1, runs)
		})
	}
}
