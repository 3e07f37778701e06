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
	s := NewServiceDriver(ServiceConfig{})
	ctx := t.Context()
	private := s.(driver.PrivateDriver)

	_, err := private.PrivateDriver(ctx, "one", true)
	require.ErrorIs(t, err, storage.BucketNotFound)

	// In the second round, the bucket is created again. It has no private objects of the first one.
	for range 2 {
		_, err = s.CreateBucket(ctx, &driver.BucketRequest{Name: "one"})
		require.NoError(t, err)
		d, err := private.PrivateDriver(ctx, "one", true)
		require.NoError(t, err)
		_, err = d.Put(ctx, &driver.PutRequest{
			Key:       "record",
			Body:      strings.NewReader("kept"),
			Size:      4,
			Condition: storage.Condition{Absent: true},
		})
		require.NoError(t, err)
		second, err := private.PrivateDriver(ctx, "one", false)
		require.NoError(t, err)
		_, err = second.Head(ctx, &driver.GetRequest{Key: "record", Length: -1})
		require.NoError(t, err)
		open, err := s.Driver("one")
		require.NoError(t, err)

		page, err := open.List(ctx, &driver.ListRequest{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, page.Entries)
		require.NoError(t, s.DeleteBucket(ctx, "one"))
	}
}

// The body of a Put may add metadata until its end is read.
func TestPutLateMetadata(t *testing.T) {
	d := NewDriver(Config{})
	require.NotZero(t, d.Describe().Features&driver.LateMetadata)
	r := &driver.PutRequest{Key: "k", Size: -1, Properties: storage.Properties{Metadata: map[string]string{}}}
	r.Body = io.MultiReader(strings.NewReader("content"), atEnd(func() {
		r.Metadata["late"] = "yes"
	}))
	_, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	a, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"late": "yes"}, a.Metadata)
}

// atEnd is an empty reader that calls itself.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
