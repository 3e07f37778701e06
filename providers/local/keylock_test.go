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

// The lock of a key excludes other locks of that key. The lock of all keys excludes every other lock.
func TestLockExcludes(t *testing.T) {
	key := func(key string) func(context.Context, *bucketstore.Store) (func(), error) {
		return func(ctx context.Context, bucket *bucketstore.Store) (func(), error) {
			return bucket.Locks.Lock(ctx, key)
		}
	}
	all := func(ctx context.Context, bucket *bucketstore.Store) (func(), error) {
		return bucket.Locks.LockAll(ctx)
	}
	tests := []struct {
		name          string
		first, second func(context.Context, *bucketstore.Store) (func(), error)
	}{
		{name: "a key excludes itself", first: key("a"), second: key("a")},
		{name: "all keys exclude a key", first: all, second: key("a")},
		{name: "a key excludes all keys", first: key("a"), second: all},
		{name: "all keys exclude all keys", first: all, second: all},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			bucket.put("k", "x")
			one := acquireStore(t, bucket.driver)
			other := acquireStore(t, reopenTestBucket(t, bucket.root).driver)

			for range 2 { // the second round runs after the reserved directory was moved away
				// The second lock waits until the first one has ended.
				unlock, err := tt.first(t.Context(), one)
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
				_, err = tt.second(ctx, other)
				cancel()
				require.ErrorIs(t, err, storage.DeadlineExceeded)
				unlock()
				unlock, err = tt.second(t.Context(), other)
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
