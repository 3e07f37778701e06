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

// write opens a file in a registry of its own, and writes to it.
func write(t *testing.T, b storage.Bucket, hasMore bool, p []byte) registry.FileWriter {
	t.Helper()
	w, err := newDriver(t, b).Writer(t.Context(), "/up/data", hasMore)
	require.NoError(t, err)
	n, err := w.Write(p)
	require.NoError(t, err)
	require.Equal(t, len(p), n)
	return w
}

// uploads counts the open uploads, where the store lists them.
func uploads(t *testing.T, b storage.Bucket) (count int) {
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

// If a registry dies during a write, the next Writer continues after the last Close, and drops the parts stored
// since.
func TestWriterResumesAtTheLastClose(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			first := bytes.Repeat([]byte("a"), partSize+6<<20)
			require.NoError(t, write(t, b, false, first).Close())
			write(t, b, true, bytes.Repeat([]byte("b"), 3*partSize)) // dies

			second := bytes.Repeat([]byte("c"), 100)
			w := write(t, b, true, second)
			require.EqualValues(t, len(first)+len(second), w.Size())

			require.NoError(t, w.Commit(t.Context()))
			require.NoError(t, w.Close())
			got, err := newDriver(t, b).GetContent(t.Context(), "/up/data")
			require.NoError(t, err)
			require.True(t, bytes.Equal(append(first, second...), got))

			for entry, err := range b.List(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, "up/data", entry.Key, "no state is left")
			}
			require.Zero(t, uploads(t, b))
		})
	}
}

// After Cancel, or after Delete of an uncommitted file or its folder, nothing of the upload is left.
func TestWriterCancelLeavesNothing(t *testing.T) {
	for name, drop := range map[string]func(t *testing.T, b storage.Bucket) error{
		"Delete of its folder": func(t *testing.T, b storage.Bucket) error {
			return newDriver(t, b).Delete(t.Context(), "/up")
		},
		"Delete of the file": func(t *testing.T, b storage.Bucket) error {
			return newDriver(t, b).Delete(t.Context(), "/up/data")
		},
		"Cancel": func(t *testing.T, b storage.Bucket) error {
			return write(t, b, true, nil).Cancel(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New()
			require.NoError(t, write(t, b, false, make([]byte, partSize+1)).Close())

			require.Equal(t, 1, uploads(t, b))
			d := newDriver(t, b)
			_, err := d.Stat(t.Context(), "/up/data")
			require.ErrorAs(t, err, &registry.PathNotFoundError{}, "it is not committed")

			paths, err := d.List(t.Context(), "/up")
			require.NoError(t, err)
			require.Empty(t, paths, "a state is not a file")

			require.NoError(t, drop(t, b))
			require.Zero(t, uploads(t, b))
			_, err = d.Writer(t.Context(), "/up/data", true)
			require.ErrorAs(t, err, &registry.PathNotFoundError{})
		})
	}
}

// If the context of a request ends, Close keeps what it has written, so that the next request can append.
func TestCloseKeepsWhatACanceledRequestWrote(t *testing.T) {
	b := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	w, err := newDriver(t, b).Writer(ctx, "/up/data", false)
	require.NoError(t, err)
	_, err = w.Write([]byte("text"))
	require.NoError(t, err)
	cancel()
	require.NoError(t, w.Close())
	require.NoError(t, w.Close(), "again")

	_, err = w.Write([]byte("more"))
	require.ErrorIs(t, err, errEnded)
	require.ErrorIs(t, w.Commit(t.Context()), errEnded)
	require.ErrorIs(t, w.Cancel(t.Context()), errEnded)
	require.EqualValues(t, 4, write(t, b, true, nil).Size())
}

// A Writer cannot append to a committed file.
func TestWriterAfterCommit(t *testing.T) {
	d := newDriver(t, memstore.New())
	require.NoError(t, d.PutContent(t.Context(), "/a", []byte("text")))
	_, err := d.Writer(t.Context(), "/a", true)
	require.ErrorContains(t, err, "cannot grow")
	_, err = d.Writer(t.Context(), "/b", true)
	require.ErrorAs(t, err, &registry.PathNotFoundError{})
}

// The registry's configuration names the bucket by its address.
func TestFromParametersAddress(t *testing.T) {
	dir := t.TempDir()
	_ = local.Config{} // registers file://
	d, err := factory.Create(t.Context(), "omnibucket", map[string]any{"address": "file://" + dir})
	require.NoError(t, err)
	require.NoError(t, d.PutContent(t.Context(), "/a", nil))

	for _, parameters := range []map[string]any{
		nil, {"address": ""}, {"address": 1}, {"address": "file://" + dir, "rootdirectory": "/"},
	} {
		_, err := factory.Create(t.Context(), "omnibucket", parameters)
		require.ErrorIs(t, err, storage.InvalidArgument, "%v", parameters)
	}

	_, err = New(nil)
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Errors of the driver wrap the errors of the store.
func TestErrorsWrapThoseOfTheStore(t *testing.T) {
	d := newDriver(t, memstore.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.GetContent(ctx, "/a")

	e, ok := errors.AsType[registry.Error](err)
	require.True(t, ok, "%v", err)
	require.ErrorIs(t, e.Detail, storage.Canceled)

	for _, p := range []string{"/a b", "/ä", "a"} {
		require.ErrorAs(t, d.PutContent(t.Context(), p, nil), &registry.InvalidPathError{}, p)
	}
}
