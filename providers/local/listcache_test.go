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

// If few names in a large directory have the prefix, List reads the directory once for all pages.
func TestListCacheRarePrefix(t *testing.T) {
	s := newSettledDirectory(t)
	require.Empty(t, s.list(driver.ListRequest{Prefix: "x"}))
	require.Len(t, s.driver.live.Reader.Cache.Items, 1)
	s.put("x", "")
	require.Equal(t, []string{"x"}, s.list(driver.ListRequest{Prefix: "x"}))
}

// A long name that was just written is listed, although it does not change the time of the directory that List
// remembers.
func TestListCacheLongNames(t *testing.T) {
	long := strings.Repeat("x", 300)
	s := newSettledDirectory(t, long+"1")
	second := driver.ListRequest{Prefix: long + "2"}
	require.Empty(t, s.list(second))
	s.put(long+"2", "")
	require.Equal(t, []string{long + "2"}, s.list(second))
}
