package transfer_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// An audited bucket is a user's type that nothing may pass: it notes what is written and removed.
type audited struct {
	storage.Bucket
	mu    *sync.Mutex
	notes *[]string
}

func (a audited) note(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*a.notes = append(*a.notes, text)
}

func (a audited) Upload(ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error) {
	a.note("Upload " + key)
	return a.Bucket.Upload(ctx, key, body, opts...)
}

func (a audited) Remove(ctx context.Context, key string, opts ...storage.RemoveOption) error {
	a.note("Remove " + key)
	return a.Bucket.Remove(ctx, key, opts...)
}

func TestATransferDoesNotPassAWrapperWithoutUnwrap(t *testing.T) {
	notes := []string{}
	inner := memstore.New()
	to := audited{inner, &sync.Mutex{}, &notes}
	_, err := inner.Upload(t.Context(), "old", strings.NewReader("x"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o600))
	_, err = transfer.Upload(t.Context(), to, dir, transfer.WithDelete())
	require.NoError(t, err)
	from := memstore.New()
	_, err = from.Upload(t.Context(), "b", strings.NewReader("b"))
	require.NoError(t, err)
	_, err = transfer.Copy(t.Context(), to, from, transfer.WithDelete())
	require.NoError(t, err)
	notes = slices.DeleteFunc(notes, func(note string) bool { return strings.Contains(note, "omnibucket-question-") })
	slices.Sort(notes)
	require.Equal(t, []string{"Remove a", "Remove old", "Upload a", "Upload b"}, notes)
}
