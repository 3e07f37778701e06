package transfer

import (
	"context"
	"iter"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
)

// A shortened Core returns objects without their last bytes, like a proxy that changes responses.
// Its listing has their true sizes.
type shortened struct{ storage.Core }

func (s shortened) Source(key string) storage.CopySource {
	return storage.NewCopySource(s, key)
}

// List returns the true sizes of objects. Reads return fewer bytes.
func (s shortened) List(ctx context.Context, o *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range s.Core.List(ctx, o) {
			entry.Size += 7
			if !yield(entry, err) {
				return
			}
		}
	}
}

// If the body of an object ends before its listed size, for example because of a faulty proxy,
// Download and Copy fail for this object.
func TestDownloadShorterThanListed(t *testing.T) {
	src := memstore.New()
	_, err := src.Upload(t.Context(), "a", strings.NewReader("content"))
	require.NoError(t, err)
	wrongSize := wrapped.Bucket(t, src, func(c storage.Core) storage.Core { return shortened{c} })

	t.Run("Download", func(t *testing.T) {
		dir := t.TempDir()
		report, err := Download(t.Context(), wrongSize, dir)
		require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
		require.Zero(t, report.Transferred)
		require.NoFileExists(t, filepath.Join(dir, "a"))
	})

	t.Run("Copy", func(t *testing.T) {
		report, err := Copy(t.Context(), memstore.New(), wrongSize)
		require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
		require.Zero(t, report.Transferred)
	})
}
