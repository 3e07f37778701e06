package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The program uploads, lists, reads and removes one object, in memory and in a directory.
func TestQuickstart(t *testing.T) {
	directory := "file:///" + strings.TrimPrefix(filepath.ToSlash(t.TempDir()), "/")
	for _, address := range []string{"mem://quickstart", directory} {
		var buf bytes.Buffer
		require.NoError(t, run(t.Context(), address, &buf))
		require.Equal(t, `uploaded quickstart/hello.txt
listed quickstart/hello.txt 5 bytes
read "hello" (text/plain; charset=utf-8)
removed quickstart/hello.txt
`, buf.String())

		bucket, err := storage.Open(t.Context(), address)
		require.NoError(t, err)
		for entry, err := range bucket.List(t.Context()) {
			require.NoError(t, err)
			require.Fail(t, "an object is left", entry.Key)
		}
		require.NoError(t, storage.Close(bucket))
	}
}

// An object that exists is kept until it is read.
func TestQuickstartKeepsExistingObjects(t *testing.T) {
	const address = "mem://quickstart-again"
	bucket, err := storage.Open(t.Context(), address)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()
	_, err = bucket.Upload(t.Context(), "quickstart/hello.txt", strings.NewReader("earlier"))
	require.NoError(t, err)

	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), address, &buf))
	require.Contains(t, buf.String(), `read "earlier"`)
}
