package distribution

import (
	"bytes"
	"context"
	"errors"
	"testing"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

func newDriver(t *testing.T, b storage.Bucket) registry.StorageDriver {
	t.Helper()
	d, err := New(b)
	require.NoError(t, err)
	return d
}

// create starts an upload of a file in a new registry, and writes to it.
func create(t *testing.T, b storage.Bucket, content []byte) registry.FileWriter {
	t.Helper()
	w, err := newDriver(t, b).Writer(t.Context(), "/up/data", false)
	require.NoError(t, err)
	writeAll(t, w, content)
	return w
}

// resume continues an upload in a new registry, and writes to it.
func resume(t *testing.T, b storage.Bucket, content []byte) registry.FileWriter {
	t.Helper()
	const hasMore = true
	w, err := newDriver(t, b).Writer(t.Context(), "/up/data", hasMore)
	require.NoError(t, err)
	writeAll(t, w, content)
	return w
}

func writeAll(t *testing.T, w registry.FileWriter, content []byte) {
	t.Helper()
	n, err := w.Write(content)
	require.NoError(t, err)
	require.Equal(t, len(content), n)
}

// countUploads returns the number of open multipart uploads of a store that can list them, and 0 for other stores.
func countUploads(t *testing.T, b storage.Bucket) (count int) {
	t.Helper()
	if !storage.Supports(b, storage.ListedUploads) {
		return 0
	}
	for _, err := range storage.ListUploads(t.Context(), b) {
		require.NoError(t, err)
		count++
	}
	return count
}

// If a registry dies during a write, the next Writer continues after the last Close and drops the parts stored since.
func TestWriterResumesAtTheLastClose(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			b := open(t)

			// The first writer is closed.
			moreThanAPart := bytes.Repeat([]byte("a"), partSize+6<<20)
			require.NoError(t, create(t, b, moreThanAPart).Close())

			// The second one writes three parts and is not closed, as if the registry had died.
			resume(t, b, bytes.Repeat([]byte("b"), 3*partSize))

			// The third one continues after the bytes of the first one.
			end := bytes.Repeat([]byte("c"), 100)
			w := resume(t, b, end)
			require.EqualValues(t, len(moreThanAPart)+len(end), w.Size())
			require.NoError(t, w.Commit(t.Context()))
			require.NoError(t, w.Close())

			// The file has the bytes of the first and the third writer, and nothing else is left.
			got, err := newDriver(t, b).GetContent(t.Context(), "/up/data")
			require.NoError(t, err)
			require.True(t, bytes.Equal(append(moreThanAPart, end...), got))
			for entry, err := range b.List(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, "up/data", entry.Key, "no state is left")
			}
			require.Zero(t, countUploads(t, b))
		})
	}
}

// After Cancel, or after Delete of an uncommitted file or its folder, nothing of the upload is left.
func TestWriterCancelLeavesNothing(t *testing.T) {
	tests := []struct {
		name string
		drop func(t *testing.T, b storage.Bucket) error // drops the file /up/data, which is not committed
	}{
		{
			name: "Delete of its folder",
			drop: func(t *testing.T, b storage.Bucket) error {
				return newDriver(t, b).Delete(t.Context(), "/up")
			},
		},
		{
			name: "Delete of the file",
			drop: func(t *testing.T, b storage.Bucket) error {
				return newDriver(t, b).Delete(t.Context(), "/up/data")
			},
		},
		{
			name: "Cancel",
			drop: func(t *testing.T, b storage.Bucket) error {
				return resume(t, b, nil).Cancel(t.Context())
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New()
			d := newDriver(t, b)
			// Write more than one part to the file, so that its multipart upload is begun, and do not commit it.
			require.NoError(t, create(t, b, make([]byte, partSize+1)).Close())
			require.Equal(t, 1, countUploads(t, b))

			// Neither the uncommitted file nor its state is a file.
			_, err := d.Stat(t.Context(), "/up/data")
			require.ErrorAs(t, err, &registry.PathNotFoundError{})
			paths, err := d.List(t.Context(), "/up")
			require.NoError(t, err)
			require.Empty(t, paths)

			// After the uncommitted file is dropped, its multipart upload has ended, and no Writer
			// can continue it.
			require.NoError(t, tt.drop(t, b))
			require.Zero(t, countUploads(t, b))
			_, err = d.Writer(t.Context(), "/up/data", true)
			require.ErrorAs(t, err, &registry.PathNotFoundError{})
		})
	}
}

// If the context of a request is canceled, Close keeps what the request has written, so that the next one can append.
func TestCloseKeepsWhatACanceledRequestWrote(t *testing.T) {
	b := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	w, err := newDriver(t, b).Writer(ctx, "/up/data", false)
	require.NoError(t, err)
	_, err = w.Write([]byte("text"))
	require.NoError(t, err)

	cancel()
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())

	// The closed writer refuses further calls.
	_, err = w.Write([]byte("more"))
	require.ErrorIs(t, err, errEnded)
	require.ErrorIs(t, w.Commit(t.Context()), errEnded)
	require.ErrorIs(t, w.Cancel(t.Context()), errEnded)

	next := resume(t, b, nil)
	require.EqualValues(t, len("text"), next.Size())
}

// A Writer can append neither to a committed file nor to a missing one.
func TestWriterAfterCommit(t *testing.T) {
	const hasMore = true
	d := newDriver(t, memstore.New())
	require.NoError(t, d.PutContent(t.Context(), "/committed", []byte("text")))

	_, err := d.Writer(t.Context(), "/committed", hasMore)
	require.ErrorContains(t, err, "cannot grow")
	_, err = d.Writer(t.Context(), "/missing", hasMore)
	require.ErrorAs(t, err, &registry.PathNotFoundError{})
}

// The registry's configuration must have the parameter "address", which names the bucket, and no other.
func TestFromParametersAddress(t *testing.T) {
	dir := t.TempDir()
	// Package local registers file://.
	_ = local.Config{}

	d, err := factory.Create(t.Context(), "omnibucket", map[string]any{"address": "file://" + dir})
	require.NoError(t, err)
	require.NoError(t, d.PutContent(t.Context(), "/a", nil))

	invalid := []struct {
		name       string
		parameters map[string]any
	}{
		{name: "no parameters", parameters: nil},
		{name: "empty address", parameters: map[string]any{"address": ""}},
		{name: "address of another type", parameters: map[string]any{"address": 1}},
		{
			name:       "unknown parameter",
			parameters: map[string]any{"address": "file://" + dir, "rootdirectory": "/"},
		},
	}
	for _, tt := range invalid {
		t.Run(tt.name, func(t *testing.T) {
			_, err := factory.Create(t.Context(), "omnibucket", tt.parameters)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// New refuses a nil bucket.
func TestNewNil(t *testing.T) {
	_, err := New(nil)
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Errors of the driver wrap those of the store.
func TestErrorsWrapThoseOfTheStore(t *testing.T) {
	d := newDriver(t, memstore.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := d.GetContent(ctx, "/a")
	registryErr, ok := errors.AsType[registry.Error](err)
	require.True(t, ok, "%v", err)
	require.ErrorIs(t, registryErr.Detail, storage.Canceled)
}

// The driver refuses paths that a registry does not use.
func TestInvalidPaths(t *testing.T) {
	d := newDriver(t, memstore.New())
	for _, path := range []string{"/a b", "/ä", "a"} {
		require.ErrorAs(t, d.PutContent(t.Context(), path, nil), &registry.InvalidPathError{}, path)
	}
}
