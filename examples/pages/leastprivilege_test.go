package pages

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A narrowed bucket uploads below its prefix.
func TestNarrowUploadsBelowItsPrefix(t *testing.T) {
	bucket := memstore.New()
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()
	_, err := narrow(bucket).Upload(t.Context(), "eva.jpg", strings.NewReader("photo"))
	require.NoError(t, err)
	exists, err := bucket.Exists(t.Context(), "users/eva.jpg")
	require.NoError(t, err)
	require.True(t, exists)
}
