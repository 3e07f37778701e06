package distribution

import (
	"context"
	"testing"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// Walk returns the error of its callback. If Walk hid an error, the garbage collection would remove layers that
// images need.
func TestWalkReturnsTheErrorOfItsFunction(t *testing.T) {
	d := newDriver(t, memstore.New())
	for _, path := range []string{"/a/b/c", "/a/b/d", "/a/e"} {
		require.NoError(t, d.PutContent(t.Context(), path, nil))
	}
	for _, path := range []string{"/a", "/a/b", "/a/b/c", "/a/e"} {
		err := d.Walk(t.Context(), "/", func(info registry.FileInfo) error {
			if info.Path() == path {
				_, err := d.GetContent(t.Context(), "/removed")
				return err
			}
			return nil
		})
		require.Error(t, err, path)
	}
}

// If a folder is removed during Walk, Walk does not fail.
func TestWalkLeavesOutARemovedFolder(t *testing.T) {
	d := newDriver(t, memstore.New())
	for _, path := range []string{"/a/b/c", "/a/d"} {
		require.NoError(t, d.PutContent(t.Context(), path, nil))
	}
	var paths []string
	require.NoError(t, d.Walk(t.Context(), "/", func(info registry.FileInfo) error {
		paths = append(paths, info.Path())
		if info.Path() == "/a/b" {
			return d.Delete(t.Context(), "/a/b")
		}
		return nil
	}))
	require.Equal(t, []string{"/a", "/a/b", "/a/d"}, paths)
}

// If Commit has completed the file but cannot remove the state of the upload, calling Commit again succeeds.
func TestCommitTwice(t *testing.T) {
	for name, size := range map[string]int{"without parts": 10, "with parts": partSize + 10} {
		t.Run(name, func(t *testing.T) {
			refuse := false
			b := memstore.New(storage.WithHook(func(
				_ context.Context, o storage.Operation,
			) (context.Context, func(storage.Outcome), error) {
				if refuse && o.Name == "Remove" {
					return nil, nil, &storage.Error{Code: storage.Unavailable}
				}
				return nil, nil, nil
			}))
			content := make([]byte, size)
			require.NoError(t, write(t, b, false, content[:5]).Close())
			w := write(t, b, true, content[5:])
			refuse = true

			require.ErrorIs(t, w.Commit(t.Context()), storage.Unavailable)
			refuse = false
			require.NoError(t, w.Commit(t.Context()))
			require.NoError(t, w.Close())
			got, err := newDriver(t, b).GetContent(t.Context(), "/up/data")
			require.NoError(t, err)
			require.Len(t, got, size)

			for entry, err := range b.List(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, "up/data", entry.Key, "no state is left")
			}
		})
	}
}

// If a registry dies at the end of Commit and leaves the state of the upload, Delete of the file also removes the
// state.
func TestDeleteRemovesStateOfACommit(t *testing.T) {
	b := memstore.New()
	require.NoError(t, write(t, b, false, []byte("text")).Close())
	d := newDriver(t, b)
	require.NoError(t, d.PutContent(t.Context(), "/up/data", []byte("text")))
	require.NoError(t, d.Delete(t.Context(), "/up/data"))

	_, err := d.Writer(t.Context(), "/up/data", true)
	require.ErrorAs(t, err, &registry.PathNotFoundError{})
	require.ErrorAs(t, d.Delete(t.Context(), "/up/data"), &registry.PathNotFoundError{})
}
