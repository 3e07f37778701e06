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

// Each range of an object is read.
func TestGetRanges(t *testing.T) {
	s := open(t)
	s.put("k", "0123456789")
	s.put("empty", "")
	for _, row := range []struct {
		name                   string
		key                    string
		offset, length, suffix int64
		want                   string
		err                    error
	}{
		{"whole", "k", 0, -1, 0, "0123456789", nil},
		{"middle", "k", 2, 3, 0, "234", nil},
		{"to the end", "k", 7, -1, 0, "789", nil},
		{"clamped", "k", 7, 100, 0, "789", nil},
		{"nothing", "k", 3, 0, 0, "", nil},
		{"at the end", "k", 10, 5, 0, "", nil},
		{"past the end", "k", 11, 5, 0, "", storage.RangeNotSatisfiable},
		{"suffix", "k", 0, -1, 4, "6789", nil},
		{"suffix longer than the object", "k", 0, -1, 40, "0123456789", nil},
		{"suffix of an empty object", "empty", 0, -1, 4, "", nil},
		{"empty object", "empty", 0, -1, 0, "", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &driver.GetRequest{Key: row.key, Offset: row.offset, Length: row.length, Suffix: row.suffix}
			a, body, err := s.driver.Get(context.Background(), r)
			if row.err != nil {
				require.ErrorIs(t, err, row.err)
				return
			}
			require.NoError(t, err)
			defer func() { require.NoError(t, body.Close()) }()
			require.Equal(t, s.head(row.key), a, "the attributes describe the whole object")
			b, err := io.ReadAll(body)
			require.NoError(t, err)
			require.Equal(t, row.want, string(b))
		})
	}
}

// A body is an io.ReaderAt and an io.WriterTo.
func TestGetBodyInterfaces(t *testing.T) {
	s := open(t)
	s.put("k", "0123456789")
	_, body, err := s.driver.Get(context.Background(), &driver.GetRequest{Key: "k", Offset: 2, Length: 6})
	require.NoError(t, err)
	defer func() { require.NoError(t, body.Close()) }()
	p := make([]byte, 2)
	_, err = body.(io.ReaderAt).ReadAt(p, 1)
	require.NoError(t, err)
	require.Equal(t, "34", string(p))
	_, err = io.ReadFull(body, p)
	require.NoError(t, err)
	require.Equal(t, "23", string(p))
	var rest bytes.Buffer
	n, err := body.(io.WriterTo).WriteTo(&rest)
	require.NoError(t, err)
	require.Equal(t, "4567", rest.String())
	require.Equal(t, int64(4), n)
	n, err = body.(io.WriterTo).WriteTo(&rest)
	require.NoError(t, err)
	require.Zero(t, n)
}

// Missing objects are ObjectNotFound, and their removal succeeds.
func TestGetMissing(t *testing.T) {
	s := open(t)
	s.put("dir/k", "x")
	for _, key := range []string{"k", "dir", "dir/", "dir/k/", "dir/k/x", "dir//k", "/dir/k", "no/such", strings.Repeat("x", 1024), "nul\x00"} {
		s.missing(key)
		s.remove(key)
	}
	require.Equal(t, "x", s.get("dir/k"))
}

// If the directory of the bucket is missing, calls fail with BucketNotFound.
func TestBucketMissing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "bucket")
	_, err := NewDriver(root, Config{})
	require.ErrorIs(t, err, storage.BucketNotFound)
	d, err := NewDriver(root, Config{Create: true})
	require.NoError(t, err)
	require.NoError(t, d.Close())

	s := reopen(t, root)
	wineCannot(t, openDirStays)
	require.NoError(t, os.Remove(root))
	_, _, err = s.getErr("k")
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, err = s.driver.Put(context.Background(), request("a/b", "x"))
	require.ErrorIs(t, err, storage.BucketNotFound)
	_, err = s.driver.List(context.Background(), &driver.ListRequest{Limit: 10})
	require.ErrorIs(t, err, storage.BucketNotFound)
	require.ErrorIs(t, s.driver.Delete(context.Background(), &driver.DeleteRequest{Key: "k"}), storage.BucketNotFound)
}
