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

	attrs, err := bucket.driver.Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, r.Properties.Metadata, attrs.Metadata)
	require.Equal(t, attrs, bucket.head("k"))
}

// countSidecars returns the number of hidden sidecars.
func (bucket *testBucket) countSidecars() int {
	bucket.t.Helper()
	entries, err := os.ReadDir(filepath.Join(bucket.root, bucketdir.AttrsPath))
	require.NoError(bucket.t, err)
	return len(entries)
}

// The sidecar of an object's attributes is removed with the object.
func TestSidecarRemovedWithObject(t *testing.T) {
	bucket := newTestBucket(t, withoutXattrs)
	bucket.put("a", "x")
	bucket.put("b", "x")
	bucket.put("a", "y")
	require.Equal(t, 2, bucket.countSidecars(), "an overwritten object must have one sidecar")

	// The object "a/b" needs a directory "a", so that the file of "a" gets another name. It keeps its sidecar.
	bucket.put("a/b", "z")
	require.True(t, bucket.head("a").CRC32C.Known)

	// When all objects are removed, no sidecar is left.
	for _, key := range []string{"a", "b", "a/b"} {
		bucket.remove(key)
	}
	require.Zero(t, bucket.countSidecars())
}

// The attributes in a sidecar do not count for a file that another program has edited since.
func TestSidecarOfEditedFile(t *testing.T) {
	bucket := newTestBucket(t, withoutXattrs)
	r := request("k", "old")
	r.ContentType = "text/css"
	_, err := bucket.driver.Put(t.Context(), r)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(bucket.root, "k"), []byte("by hand"), 0o666))

	attrs := bucket.head("k")
	require.Empty(t, attrs.ContentType, "the engine derives it from the key")
	require.False(t, attrs.CRC32C.Known)
}

// A sidecar in the form of a later release is refused with Unsupported.
func TestSidecarOfLaterForm(t *testing.T) {
	bucket := newTestBucket(t, withoutXattrs)
	bucket.put("k", "x")
	sidecars, err := filepath.Glob(filepath.Join(bucket.root, bucketdir.AttrsPath, "*"))
	require.NoError(t, err)
	require.Len(t, sidecars, 1)

	const laterForm = 3
	require.NoError(t, os.WriteFile(sidecars[0], []byte{laterForm, 0, 0}, 0o666))
	_, err = bucket.driver.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "update this program")
}
