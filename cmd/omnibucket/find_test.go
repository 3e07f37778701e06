package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

// With --limit, find ends its listing at the last key that it prints, although the bucket has many more pages.
func TestFindLimitEndsTheListing(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	bucket := server.Bucket("photos")
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()
	const pages = 5
	for i := range pages * 1000 {
		_, err := bucket.Upload(t.Context(), fmt.Sprintf("%05d", i), strings.NewReader(""))
		require.NoError(t, err)
	}
	server.Reset()

	require.Equal(t, "00000\n", s.run("find", "--limit", "1", "--include", "00000", "box:"))

	const withPrefetch = 2 // the first page, and the next one, which may be requested early
	require.LessOrEqual(t, server.Count("ListObjectsV2"), withPrefetch)
}
