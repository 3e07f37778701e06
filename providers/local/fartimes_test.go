//go:build unix

package local

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/omnibucket/storage/driver"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// List and Head return the time of a file's last change even if it is so far from 1970 that its nanoseconds do not fit
// into an int64.
func TestModifiedInFarYears(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "text")
	path := filepath.Join(bucket.root, "k")
	for _, year := range []int{1800, 2200, 2263, 2300, 2400} {
		modified := time.Date(year, 7, 1, 12, 0, 0, 123_456_700, time.UTC)
		stamp := unix.Timespec{Sec: modified.Unix(), Nsec: int64(modified.Nanosecond())}
		require.NoError(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{stamp, stamp}, 0))

		// Not every file system can store the year, so ask which time it has kept.
		info, err := os.Stat(path)
		require.NoError(t, err)
		want := info.ModTime().UTC()

		page, err := bucket.driver.List(t.Context(), &driver.ListRequest{Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Entries, 1)
		require.Equal(t, want, page.Entries[0].Modified)
		require.Equal(t, want, bucket.head("k").Modified)
	}
}
