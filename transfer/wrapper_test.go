package transfer_test

import (
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// An audited Core notes what is written and removed.
type audited struct {
	storage.Core
	mu    *sync.Mutex
	notes *[]string
}

func (a audited) note(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*a.notes = append(*a.notes, text)
}

func (a audited) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	a.note("Upload " + key)
	return a.Core.Upload(ctx, key, body, o)
}

func (a audited) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	a.note("CopyFrom " + key)
	return a.Core.CopyFrom(ctx, key, src, o)
}

func (a audited) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	a.note("Remove " + key)
	return a.Core.Remove(ctx, key, o)
}

func (a audited) RemoveAll(ctx context.Context, keys iter.Seq[string]) (int, error) {
	return wrapped.RemoveEach(ctx, a, keys)
}

// If a bucket wraps a Core, jobs call the wrapper for each write and removal.
func TestJobCallsAWrappedCore(t *testing.T) {
	notes := []string{}
	inner := memstore.New()
	dst := wrapped.Bucket(t, inner, func(c storage.Core) storage.Core {
		return audited{c, &sync.Mutex{}, &notes}
	})
	_, err := inner.Upload(t.Context(), "old", strings.NewReader("x"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o600))
	_, err = transfer.Upload(t.Context(), dst, dir, transfer.WithDelete())
	require.NoError(t, err)
	src := memstore.New()
	_, err = src.Upload(t.Context(), "b", strings.NewReader("b"))
	require.NoError(t, err)
	_, err = transfer.Copy(t.Context(), dst, src, transfer.WithDelete())
	require.NoError(t, err)
	notes = slices.DeleteFunc(notes, func(note string) bool {
		return strings.Contains(note, "omnibucket-question-")
	})

	slices.Sort(notes)
	require.Equal(t, []string{"CopyFrom b", "Remove a", "Remove old", "Upload a"}, notes)
}
