package s3_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// Asked for what follows a key in a folder, MinIO counts the names beside the folder as part of the
// page, and says that the listing ends.
func TestMinIOListsAFolderBesideManyNames(t *testing.T) {
	s := needServer(t, "minio")
	b, err := s3.Open(t.Context(), s.config(t, s.bucket(t, false)))
	require.NoError(t, err)
	defer func() { require.NoError(t, storage.Close(b)) }()
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprintf("logs-%02d", i))
	}
	for i := range 20 {
		keys = append(keys, fmt.Sprintf("logs/%02d", i))
	}
	keys = append(keys, "z")
	for _, key := range keys {
		_, err := b.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}
	listed := func(opts ...storage.ListOption) []string {
		var got []string
		for entry, err := range b.List(t.Context(), append(opts, storage.WithPageSize(10))...) {
			require.NoError(t, err)
			got = append(got, entry.Key)
		}
		return got
	}
	require.Equal(t, keys, listed())
	require.Equal(t, keys[26:], listed(storage.WithStartAfter("logs/05")))
	require.Equal(t, keys[26:28], listed(storage.WithStartAfter("logs/05"), storage.WithLimit(2)))
	require.Equal(t, keys[26:40], listed(storage.WithStartAfter("logs/05"), storage.WithPrefix("logs/")))
	var paged []string
	for token := ""; ; {
		page, err := storage.ListPage(t.Context(), b, token, storage.WithPageSize(10))
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Entries), 10)
		for _, entry := range page.Entries {
			paged = append(paged, entry.Key)
		}
		if token = page.Token; token == "" {
			break
		}
	}
	require.Equal(t, keys, paged)
}
