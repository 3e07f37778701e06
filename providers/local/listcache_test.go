package local

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/stretchr/testify/require"
)

// newSettledDirectory returns a bucket of many objects whose directory was changed long ago.
func newSettledDirectory(t *testing.T, keys ...string) *testBucket {
	t.Helper()
	bucket := newTestBucket(t)
	for i := range 2 * objectfile.MinCached {
		bucket.write(fmt.Sprintf("%04d", i), "")
	}
	for _, key := range keys {
		bucket.put(key, "")
	}
	past := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(bucket.root, past, past))
	return bucket
}

// A large directory is cached even if no name in it has the prefix, and a new name is listed nevertheless.
func TestListCacheRarePrefix(t *testing.T) {
	bucket := newSettledDirectory(t)
	require.Empty(t, bucket.list(driver.ListRequest{Prefix: "x"}))
	require.Len(t, bucket.driver.live.Reader.Cache.Items, 1)

	bucket.put("x", "")
	require.Equal(t, []string{"x"}, bucket.list(driver.ListRequest{Prefix: "x"}))
}

// List shows a long name that was just written, although that changes only the time of a nested directory.
func TestListCacheLongNames(t *testing.T) {
	longName := strings.Repeat("x", 300)
	bucket := newSettledDirectory(t, longName+"1")
	r := driver.ListRequest{Prefix: longName + "2"}
	require.Empty(t, bucket.list(r))

	bucket.put(longName+"2", "")
	require.Equal(t, []string{longName + "2"}, bucket.list(r))
}
