package memstore

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// The driver of PrivateDriver keeps objects that the bucket does not show, and that are removed with the bucket.
func TestPrivateDriver(t *testing.T) {
	ctx := t.Context()
	service := NewServiceDriver(ServiceConfig{})
	private := service.(driver.PrivateDriver)

	// Without the bucket, there is no private driver.
	const create = true // whether PrivateDriver may create the place of private objects
	_, err := private.PrivateDriver(ctx, "one", create)
	require.ErrorIs(t, err, storage.BucketNotFound)

	// The second round creates the bucket again, which must not have the private objects of the first one.
	for range 2 {
		_, err = service.CreateBucket(ctx, &driver.BucketRequest{Name: "one"})
		require.NoError(t, err)
		writer, err := private.PrivateDriver(ctx, "one", create)
		require.NoError(t, err)
		_, err = writer.Put(ctx, &driver.PutRequest{
			Key:       "record",
			Body:      strings.NewReader("kept"),
			Size:      4,
			Condition: storage.Condition{Absent: true},
		})
		require.NoError(t, err)

		// Another private driver of the bucket finds the object.
		reader, err := private.PrivateDriver(ctx, "one", !create)
		require.NoError(t, err)
		_, err = reader.Head(ctx, &driver.GetRequest{Key: "record", Length: -1})
		require.NoError(t, err)

		// The driver of the bucket itself does not show the private object.
		bucket, err := service.Driver("one")
		require.NoError(t, err)
		page, err := bucket.List(ctx, &driver.ListRequest{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, page.Entries)

		// DeleteBucket removes the private object, too.
		require.NoError(t, service.DeleteBucket(ctx, "one"))
	}
}

// Put stores metadata that is added to its request while the end of the body is read.
func TestPutLateMetadata(t *testing.T) {
	d := NewDriver(Config{})
	require.NotZero(t, d.Describe().Features&driver.LateMetadata)

	// The last Read of the body adds to the metadata of the request.
	req := &driver.PutRequest{Key: "k", Size: -1, Properties: storage.Properties{Metadata: map[string]string{}}}
	addMetadata := atEnd(func() {
		req.Metadata["late"] = "yes"
	})
	req.Body = io.MultiReader(strings.NewReader("content"), addMetadata)

	_, err := d.Put(t.Context(), req)
	require.NoError(t, err)
	attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"late": "yes"}, attrs.Metadata)
}

// atEnd is an empty reader that calls the function when it is read.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
