package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A listing reads only the directory.
func TestListReadsOnlyTheDirectory(t *testing.T) {
	for _, row := range []struct {
		files           int
		requests, bytes int64 // at most
	}{
		{10, 2, 128 << 10},
		{3000, 4, 512 << 10}, // the directory has 207 KB, the archive 98 MB
	} {
		var seen traffic
		b := memstore.New(storage.WithHook(seen.hook))
		attrs, err := upload(t.Context(), b, "archive.zip", row.files)
		require.NoError(t, err)
		seen.reset()
		files, total, err := list(t.Context(), b, "archive.zip")
		require.NoError(t, err)
		require.Equal(t, row.files, files)
		require.Equal(t, uint64(row.files*fileBytes), total)
		t.Logf("%d files, %d bytes: %d requests, %d bytes", files, attrs.Size, seen.requests.Load(), seen.bytes.Load())
		require.LessOrEqual(t, seen.requests.Load(), row.requests)
		require.LessOrEqual(t, seen.bytes.Load(), row.bytes)
	}
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), "mem://zip-example", 50, &out))
	require.Contains(t, out.String(), "50 files of 1638400 bytes in an archive of ")
	require.Contains(t, out.String(), "listed by 2 requests and ")
}
