package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/stretchr/testify/require"
)

// A file of another program has the content type that its extension implies.
func TestAttrsContentTypeOfForeignFile(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "page.html"), []byte("<p>"), 0o600))
	b, err := local.Open(root, local.Config{})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()

	_, attrs, err := storage.ReadAll(t.Context(), b, "page.html")
	require.NoError(t, err)
	require.Equal(t, "text/html; charset=utf-8", attrs.ContentType)
}
