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
	tests := []struct {
		files           int
		requests, bytes int64 // at most
	}{
		{files: 10, requests: 2, bytes: 128 << 10},
		{files: 3000, requests: 4, bytes: 512 << 10}, // the directory has 207 KB, the archive 98 MB
	}
	for _, tt := range tests {
		var counts traffic
		b := memstore.New(storage.WithHook(counts.hook))
		attrs, err := upload(t.Context(), b, "archive.zip", tt.files)
		require.NoError(t, err)
		counts.reset()

		files, total, err := list(t.Context(), b, "archive.zip")
		require.NoError(t, err)
		require.Equal(t, tt.files, files)
		require.Equal(t, uint64(tt.files*fileBytes), total)

		t.Logf("%d files, %d bytes: %d requests, %d bytes", files, attrs.Size, counts.requests.Load(), counts.bytes.Load())
		require.LessOrEqual(t, counts.requests.Load(), tt.requests)
		require.LessOrEqual(t, counts.bytes.Load(), tt.bytes)
	}
}

func TestRun(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), "mem://zip-example", 50, &buf))
	require.Contains(t, buf.String(), "50 files of 1638400 bytes in an archive of ")
	require.Contains(t, buf.String(), "listed by 2 requests and ")
}
