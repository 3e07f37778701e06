package transfer

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A shortenedBucket reads objects without their last bytes, as through a proxy that changes
// responses. Its listing has their true sizes.
type shortenedBucket struct{ storage.Bucket }

func (b shortenedBucket) List(ctx context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range b.Bucket.List(ctx, opts...) {
			entry.Size += 7
			if !yield(entry, err) {
				return
			}
		}
	}
}

func TestAnObjectThatIsReadShorterThanListedIsAnError(t *testing.T) {
	from := memstore.New()
	_, err := from.Upload(t.Context(), "a", strings.NewReader("content"))
	require.NoError(t, err)
	t.Run("Download", func(t *testing.T) {
		dir := t.TempDir()
		report, err := Download(t.Context(), shortenedBucket{from}, dir)
		require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
		require.Zero(t, report.Transferred)
		_, err = os.Stat(filepath.Join(dir, "a"))
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("Copy", func(t *testing.T) {
		report, err := Copy(t.Context(), memstore.New(), shortenedBucket{from})
		require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
		require.Zero(t, report.Transferred)
	})
}

func TestAnObjectThatGrowsBeforeItIsReadIsTransferred(t *testing.T) {
	from := memstore.New()
	for _, text := range []string{"short", "a longer one"} {
		_, err := from.Upload(t.Context(), "a", strings.NewReader(text))
		require.NoError(t, err)
	}
	old := entry{key: "a", size: 5, revision: "memory:before"}
	now, err := from.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, checkListedSize("Copy", old, now))
}
