package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
)

// Put keeps attributes that are too long for an extended attribute.
func TestPutLongAttributes(t *testing.T) {
	bucket := newTestBucket(t)
	r := request("k", "x")
	r.ContentDisposition = strings.Repeat("d", 1024)
	r.CacheControl = strings.Repeat("c", 1024)
	r.ContentLanguage = strings.Repeat("l", 1024)
	r.Metadata = map[string]string{"m": strings.Repeat("v", 2000)}

	a, err := bucket.driver.Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, r.Properties.Metadata, a.Metadata)
	require.Equal(t, a, bucket.head("k"))
}

func TestSidecars(t *testing.T) {
	sidecars := func(bucket *testBucket) int {
		entries, err := os.ReadDir(bucket.root + "/" + bucketdir.AttrsPath)
		require.NoError(t, err)
		return len(entries)
	}
	t.Run("are removed with their objects", func(t *testing.T) {
		bucket := newTestBucket(t, withoutXattrs)
		bucket.put("a", "x")
		bucket.put("b", "x")

		bucket.put("a", "y")
		require.Equal(t, 2, sidecars(bucket))
		bucket.put("a/b", "z")
		require.True(t, bucket.head("a").CRC32C.Known, "at the alternate name")

		for _, key := range []string{"a", "b", "a/b"} {
			bucket.remove(key)
		}
		require.Zero(t, sidecars(bucket))
	})
	t.Run("are not used for an edited file", func(t *testing.T) {
		bucket := newTestBucket(t, withoutXattrs)
		r := request("k", "old")
		r.ContentType = "text/css"
		_, err := bucket.driver.Put(t.Context(), r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(bucket.root+"/k", []byte("by hand"), 0o666))

		a := bucket.head("k")
		require.Empty(t, a.ContentType, "the engine derives it from the key")
		require.False(t, a.CRC32C.Known)
	})
	t.Run("of a later form are refused", func(t *testing.T) {
		bucket := newTestBucket(t, withoutXattrs)
		bucket.put("k", "x")

		files, err := filepath.Glob(bucket.root + "/" + bucketdir.AttrsPath + "/*")
		require.NoError(t, err)
		require.Len(t, files, 1)

		require.NoError(t, os.WriteFile(files[0], []byte{3, 0, 0}, 0o666))
		_, err = bucket.driver.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "update this program")
	})
}
