package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/stretchr/testify/require"
)

// acquireStore returns the open directories of a driver, until the test ends.
func acquireStore(t *testing.T, d *objectDriver) *bucketstore.Store {
	t.Helper()
	s, err := d.acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { d.release(s) })
	return s
}

// The lock of a key excludes other locks of that key, and the lock of all keys excludes every other lock, also between
// two drivers of one directory.
func TestLockExcludes(t *testing.T) {
	type lockFunc func(context.Context, *bucketstore.Store) (unlock func(), err error)
	lockKey := func(ctx context.Context, store *bucketstore.Store) (func(), error) {
		return store.Locks.Lock(ctx, "a")
	}
	lockAll := func(ctx context.Context, store *bucketstore.Store) (func(), error) {
		return store.Locks.LockAll(ctx)
	}
	tests := []struct {
		name   string
		first  lockFunc
		second lockFunc
	}{
		{name: "a key excludes itself", first: lockKey, second: lockKey},
		{name: "all keys exclude a key", first: lockAll, second: lockKey},
		{name: "a key excludes all keys", first: lockKey, second: lockAll},
		{name: "all keys exclude all keys", first: lockAll, second: lockAll},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			bucket.put("k", "x")
			firstStore := acquireStore(t, bucket.driver)
			secondStore := acquireStore(t, reopenTestBucket(t, bucket.root).driver)

			// Each round moves away the reserved directory, in which the locks are, at its end. So the second round
			// begins without it.
			for range 2 {
				unlock, err := tt.first(t.Context(), firstStore)
				require.NoError(t, err)

				// While the first lock is held, the second one waits, here until its context ends.
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
				_, err = tt.second(ctx, secondStore)
				cancel()
				require.ErrorIs(t, err, storage.DeadlineExceeded)

				// It is taken as soon as the first one has ended.
				unlock()
				unlock, err = tt.second(t.Context(), secondStore)
				require.NoError(t, err)
				unlock()

				windowsCannot(t, openDirStays)
				moved := filepath.Join(bucket.root, "moved-"+fmt.Sprint(time.Now().UnixNano()))
				require.NoError(t, os.Rename(filepath.Join(bucket.root, bucketdir.Reserved), moved))
			}
		})
	}
}

// A bucket uses one lock file for all its locks, so that writing many keys opens no more descriptors.
func TestLockFileOfBucket(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "x")
	descriptorsBefore := countDescriptors(t)

	for i := range 300 {
		bucket.put(fmt.Sprint(i), "x")
	}

	require.Equal(t, descriptorsBefore, countDescriptors(t))
	require.FileExists(t, filepath.Join(bucket.root, bucketdir.LockPath))
}

// If NewDriver fails because it cannot sweep the bucket, it closes the directories that it has opened.
func TestNewDriverClosesBucketThatItCannotSweep(t *testing.T) {
	if runUnprivileged(t) {
		return
	}
	bucket := newTestBucket(t)
	bucket.put("k", "x")
	const noAccess = 0 // the mode
	restoreAccess := forbidAccess(t, filepath.Join(bucket.root, bucketdir.TmpPath), noAccess)
	defer restoreAccess()
	descriptorsBefore := countDescriptors(t)

	d, err := NewDriver(bucket.root, Config{})

	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Nil(t, d)
	require.Equal(t, descriptorsBefore, countDescriptors(t))
}

// countDescriptors returns the number of open descriptors of the process, or 0 if the system
// does not report it.
func countDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil || runtime.GOOS == "windows" { // under Wine, these would be the descriptors of Linux
		return 0
	}
	return len(entries)
}
