package local

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/stretchr/testify/require"
)

// The driver of PrivateDriver keeps objects that the bucket does not show, and that are removed with the bucket.
func TestPrivateDriver(t *testing.T) {
	service, root := newService(t)
	ctx := t.Context()

	// There is no private driver without a bucket.
	const create = true
	_, err := service.PrivateDriver(ctx, "one", create)
	require.ErrorIs(t, err, storage.BucketNotFound)

	// Without create, nothing is created.
	require.NoError(t, os.Mkdir(filepath.Join(root, "one"), 0o777))
	_, err = service.PrivateDriver(ctx, "one", !create)
	require.ErrorIs(t, err, storage.BucketNotFound)
	require.NoDirExists(t, filepath.Join(root, "one", bucketdir.Reserved))

	_, err = service.PrivateDriver(ctx, "../one", create)
	require.ErrorIs(t, err, storage.BucketNotFound)

	// A later driver finds the object of an earlier one.
	d, err := service.PrivateDriver(ctx, "one", create)
	require.NoError(t, err)
	_, err = d.Put(ctx, &driver.PutRequest{Key: "record", Body: strings.NewReader("kept"), Size: 4})
	require.NoError(t, err)
	require.NoError(t, d.Close())

	d, err = service.PrivateDriver(ctx, "one", !create)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, d.Close())
	}()
	_, body, err := d.Get(ctx, &driver.GetRequest{Key: "record", Length: -1})
	require.NoError(t, err)
	content, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, "kept", string(content))

	// The bucket is empty, and can be removed.
	page, err := service.bucket(t, "one", root).driver.List(ctx, &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
	require.NoError(t, service.DeleteBucket(ctx, "one"))
	require.NoDirExists(t, filepath.Join(root, "one"))
}

// While Put reads a body, the body may still add metadata to the request.
func TestPutLateMetadata(t *testing.T) {
	service, root := newService(t)
	require.NoError(t, os.Mkdir(filepath.Join(root, "one"), 0o777))

	bucket := service.bucket(t, "one", root)
	require.NotZero(t, bucket.driver.Describe().Features&driver.LateMetadata)

	r := &driver.PutRequest{Key: "k", Size: -1, Properties: storage.Properties{Metadata: map[string]string{}}}
	// After the content, the body adds the metadata and ends.
	r.Body = io.MultiReader(strings.NewReader("content"), atEnd(func() {
		r.Metadata["late"] = "yes"
	}))
	_, err := bucket.driver.Put(t.Context(), r)
	require.NoError(t, err)

	attrs, err := bucket.driver.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"late": "yes"}, attrs.Metadata)
}

// atEnd is an empty reader that calls itself.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// The first write to a bucket of a service removes what killed writers left.
func TestSweepAtFirstWrite(t *testing.T) {
	service, root := newService(t)
	rest := filepath.Join(root, "one", filepath.FromSlash(bucketdir.TmpPath), "0123")
	require.NoError(t, os.MkdirAll(rest, 0o777))
	require.NoError(t, os.WriteFile(rest+bucketdir.MarkerSuffix, nil, 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(rest, "1"), []byte("half"), 0o666))
	bucket := service.bucket(t, "one", root)

	_, err := bucket.driver.Put(t.Context(),
		&driver.PutRequest{Key: "k", Body: strings.NewReader("whole"), Size: 5})
	require.NoError(t, err)
	require.NoDirExists(t, rest)
	require.NoFileExists(t, rest+bucketdir.MarkerSuffix)
}
