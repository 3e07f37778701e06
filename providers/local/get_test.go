package local

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/stretchr/testify/require"
)

// Get returns the bytes of the requested range, cut off at the end of the object.
func TestGetRanges(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "0123456789")
	bucket.put("empty", "")
	tests := []struct {
		name   string
		key    string
		offset int64
		length int64 // -1 for the rest of the object
		suffix int64
		want   string
		err    error
	}{
		{name: "whole", key: "k", length: -1, want: "0123456789"},
		{name: "middle", key: "k", offset: 2, length: 3, want: "234"},
		{name: "to the end", key: "k", offset: 7, length: -1, want: "789"},
		{name: "clamped", key: "k", offset: 7, length: 100, want: "789"},
		{name: "nothing", key: "k", offset: 3, want: ""},
		{name: "at the end", key: "k", offset: 10, length: 5, want: ""},
		{name: "past the end", key: "k", offset: 11, length: 5, want: "", err: storage.RangeNotSatisfiable},
		{name: "suffix", key: "k", length: -1, suffix: 4, want: "6789"},
		{name: "suffix longer than the object", key: "k", length: -1, suffix: 40, want: "0123456789"},
		{name: "suffix of an empty object", key: "empty", length: -1, suffix: 4, want: ""},
		{name: "empty object", key: "empty", length: -1, want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &driver.GetRequest{Key: tt.key, Offset: tt.offset, Length: tt.length, Suffix: tt.suffix}
			attrs, body, err := bucket.driver.Get(context.Background(), r)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			defer func() {
				require.NoError(t, body.Close())
			}()

			// The attributes describe the whole object.
			require.Equal(t, bucket.head(tt.key), attrs)
			content, err := io.ReadAll(body)
			require.NoError(t, err)
			require.Equal(t, tt.want, string(content))
		})
	}
}

// The body of Get is an io.ReaderAt and an io.WriterTo of the requested range.
func TestGetBodyInterfaces(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "0123456789")
	_, body, err := bucket.driver.Get(context.Background(),
		&driver.GetRequest{Key: "k", Offset: 2, Length: 6})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, body.Close())
	}()

	// ReadAt counts from the beginning of the range, and does not move the body.
	buf := make([]byte, 2)
	_, err = body.(io.ReaderAt).ReadAt(buf, 1)
	require.NoError(t, err)
	require.Equal(t, "34", string(buf))
	_, err = io.ReadFull(body, buf)
	require.NoError(t, err)
	require.Equal(t, "23", string(buf))

	// WriteTo writes what Read has left.
	var rest bytes.Buffer
	n, err := body.(io.WriterTo).WriteTo(&rest)
	require.NoError(t, err)
	require.Equal(t, "4567", rest.String())
	require.Equal(t, int64(4), n)

	// Nothing is left after that.
	n, err = body.(io.WriterTo).WriteTo(&rest)
	require.NoError(t, err)
	require.Zero(t, n)
}

// Reading a missing object fails with ObjectNotFound, and removing it succeeds.
func TestGetMissing(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("dir/k", "x")
	for _, key := range []string{
		"k", "dir", "dir/", "dir/k/", "dir/k/x", "dir//k", "/dir/k", "no/such",
		strings.Repeat("x", 1024), "nul\x00",
	} {
		bucket.requireMissing(key)
		bucket.remove(key)
	}
	require.Equal(t, "x", bucket.get("dir/k"))
}

// If the directory of the bucket is missing, or is removed after the bucket was opened, calls fail with BucketNotFound.
func TestBucketMissing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "bucket")
	_, err := NewDriver(root, Config{})
	require.ErrorIs(t, err, storage.BucketNotFound)

	// With Create, NewDriver makes the directory.
	created, err := NewDriver(root, Config{Create: true})
	require.NoError(t, err)
	require.NoError(t, created.Close())

	// The directory is removed while the bucket is open.
	bucket := reopenTestBucket(t, root)
	wineCannot(t, openDirStays)
	require.NoError(t, os.Remove(root))

	_, _, err = bucket.getErr("k")
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, err = bucket.driver.Put(context.Background(), request("a/b", "x"))
	require.ErrorIs(t, err, storage.BucketNotFound)

	_, err = bucket.driver.List(context.Background(), &driver.ListRequest{Limit: 10})
	require.ErrorIs(t, err, storage.BucketNotFound)
	require.ErrorIs(t, bucket.driver.Delete(context.Background(), &driver.DeleteRequest{Key: "k"}),
		storage.BucketNotFound)
}
