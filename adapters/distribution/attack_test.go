package distribution

import (
	"context"
	"testing"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// Walk returns the error of its callback, even one that says that a path is missing. If it did not, the registry's
// garbage collection would remove layers that images need.
func TestWalkReturnsTheErrorOfItsFunction(t *testing.T) {
	d := newDriver(t, memstore.New())
	for _, path := range []string{"/a/b/c", "/a/b/d", "/a/e"} {
		require.NoError(t, d.PutContent(t.Context(), path, nil))
	}
	_, errNotFound := d.GetContent(t.Context(), "/missing")
	require.ErrorAs(t, errNotFound, &registry.PathNotFoundError{})

	// The callback fails at a folder or at a file.
	for _, failing := range []string{"/a", "/a/b", "/a/b/c", "/a/e"} {
		err := d.Walk(t.Context(), "/", func(info registry.FileInfo) error {
			if info.Path() == failing {
				return errNotFound
			}
			return nil
		})
		require.Error(t, err, failing)
	}
}

// If a folder is removed during Walk, Walk continues with the next one.
func TestWalkLeavesOutARemovedFolder(t *testing.T) {
	d := newDriver(t, memstore.New())
	for _, path := range []string{"/a/b/c", "/a/d"} {
		require.NoError(t, d.PutContent(t.Context(), path, nil))
	}

	var paths []string
	err := d.Walk(t.Context(), "/", func(info registry.FileInfo) error {
		paths = append(paths, info.Path())
		if info.Path() == "/a/b" {
			return d.Delete(t.Context(), "/a/b")
		}
		return nil
	})

	require.NoError(t, err)
	require.Equal(t, []string{"/a", "/a/b", "/a/d"}, paths)
}

// If Commit completes the file but cannot remove the state of the upload, a second Commit succeeds.
func TestCommitTwice(t *testing.T) {
	tests := []struct {
		name string
		size int
	}{
		{name: "without parts", size: 10},
		{name: "with parts", size: partSize + 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			failRemove := false
			hook := func(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
				if failRemove && op.Name == "Remove" {
					return nil, nil, &storage.Error{Code: storage.Unavailable}
				}
				return nil, nil, nil
			}
			b := memstore.New(storage.WithHook(hook))
			content := make([]byte, tt.size)

			// Close stores the state of the upload, which Commit must remove.
			const firstWrite = 5
			require.NoError(t, create(t, b, content[:firstWrite]).Close())
			w := resume(t, b, content[firstWrite:])

			failRemove = true
			require.ErrorIs(t, w.Commit(t.Context()), storage.Unavailable)
			failRemove = false
			require.NoError(t, w.Commit(t.Context()))
			require.NoError(t, w.Close())

			got, err := newDriver(t, b).GetContent(t.Context(), "/up/data")
			require.NoError(t, err)
			require.Len(t, got, tt.size)
			for entry, err := range b.List(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, "up/data", entry.Key, "no state is left")
			}
		})
	}
}

// Delete of a file also removes the state of its upload, which a registry that died at the end of Commit may have left.
func TestDeleteRemovesStateOfACommit(t *testing.T) {
	b := memstore.New()
	d := newDriver(t, b)
	// Close stores the state.
	require.NoError(t, create(t, b, []byte("text")).Close())
	require.NoError(t, d.PutContent(t.Context(), "/up/data", []byte("text")))

	require.NoError(t, d.Delete(t.Context(), "/up/data"))

	_, err := d.Writer(t.Context(), "/up/data", true)
	require.ErrorAs(t, err, &registry.PathNotFoundError{})
	require.ErrorAs(t, d.Delete(t.Context(), "/up/data"), &registry.PathNotFoundError{})
}
