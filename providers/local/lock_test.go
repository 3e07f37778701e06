package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// acquired is the open directories of a driver, for as long as the test runs.
func acquired(t *testing.T, d *driver) *store {
	t.Helper()
	s, err := d.acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { d.release(s) })
	return s
}

func TestLocksExclude(t *testing.T) {
	key := func(key string) func(context.Context, *store) (func(), error) {
		return func(ctx context.Context, s *store) (func(), error) { return s.lock(ctx, key) }
	}
	all := func(ctx context.Context, s *store) (func(), error) { return s.lockAll(ctx) }
	for _, row := range []struct {
		name          string
		first, second func(context.Context, *store) (func(), error)
	}{
		{"a key itself", key("a"), key("a")},
		{"all keys each", all, key("a")},
		{"each key all", key("a"), all},
		{"all keys all", all, all},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t)
			s.put("k", "x")
			one, other := acquired(t, s.driver), acquired(t, reopen(t, s.root).driver)
			for range 2 { // the second time after the reserved directory was moved away
				unlock, err := row.first(t.Context(), one)
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
				_, err = row.second(ctx, other)
				cancel()
				require.ErrorIs(t, err, storage.DeadlineExceeded)
				unlock()
				unlock, err = row.second(t.Context(), other)
				require.NoError(t, err)
				unlock()
				windowsCannot(t, openDirStays)
				require.NoError(t, os.Rename(filepath.Join(s.root, reserved), filepath.Join(s.root, "moved-"+fmt.Sprint(time.Now().UnixNano()))))
			}
		})
	}
}

// TestABucketHasOneLockFile: one for each of 256 slots took the descriptors of a
// program with several buckets, and the last inodes of a disk.
func TestABucketHasOneLockFile(t *testing.T) {
	s := open(t)
	require.NoError(t, os.MkdirAll(filepath.Join(s.root, formerLocksPath), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(s.root, formerLocksPath, "00"), nil, 0o666))
	s.put("k", "x")
	before := descriptors(t)
	for i := range 300 {
		s.put(fmt.Sprint(i), "x")
	}
	require.Equal(t, before, descriptors(t))
	require.NoDirExists(t, filepath.Join(s.root, formerLocksPath))
	require.FileExists(t, filepath.Join(s.root, lockPath))
}

// descriptors is how many the process has; 0 where the system does not tell.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil || runtime.GOOS == "windows" { // by Wine it would be the files of Linux
		return 0
	}
	return len(entries)
}
