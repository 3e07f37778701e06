//go:build omnibucket_sdks

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestTour(t *testing.T) {
	tree := t.TempDir()
	for path, text := range map[string]string{
		"README.md":         "# hello\n",
		"a/b/deep file.txt": "deep",
		"a.txt":             strings.Repeat("x", 300<<10),
		"empty":             "",
		".git/config":       "not for the bucket",
		".hidden":           "a file, not a directory",
	} {
		path = filepath.Join(tree, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	for _, row := range []struct{ name, bucket string }{
		{"memory", "mem://tour-test"},
		{"an address of a directory", directoryAddress(t.TempDir())},
		{"a temporary directory", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out bytes.Buffer
			args := []string{tree}
			if row.bucket != "" {
				args = []string{"-bucket", row.bucket, tree}
			}
			require.NoError(t, run(t.Context(), args, &out))
			text := out.String()
			t.Log(text)
			for _, want := range []string{
				"5 files (300.0 KiB) in",
				"a/               1 file        4 B",
				"text/markdown; charset=utf-8",
				"uploaded-by = tour",
				"8, crc32c",
				"equal",
				`8 of 8: "# hello\n"`,
				"precondition failed",
				"permission denied",
				"5 objects in",
				"Done in",
			} {
				require.Contains(t, text, want)
			}
			require.NotContains(t, text, "\x1b", "no colors without a terminal")
			require.NotContains(t, text, "config", "hidden directories are not uploaded")
			if row.bucket != "" {
				require.Empty(t, keys(t, row.bucket))
			}
		})
	}
}

// The sample is built in.
func TestSampleIsBuiltIn(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-bucket", "mem://sample"}, &out))
	require.Contains(t, out.String(), "a sample that is built in")
	require.Contains(t, out.String(), "data/")
}

func TestKeepLeavesTheObjects(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-bucket", "mem://kept", "-keep"}, &out))
	require.Len(t, keys(t, "mem://kept"), 7)
}

// Nothing else is touched.
func TestTourTouchesNothingElse(t *testing.T) {
	bucket, err := storage.Open(t.Context(), "mem://in-use")
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "README.md", strings.NewReader("somebody else's"))
	require.NoError(t, err)
	require.NoError(t, run(t.Context(), []string{"-bucket", "mem://in-use"}, &bytes.Buffer{}))
	require.Equal(t, []string{"README.md"}, keys(t, "mem://in-use"))
}

func TestErrorsAreOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		name string
		ctx  context.Context
		args []string
		want string
	}{
		{"an unknown scheme", t.Context(), []string{"-bucket", "ftp://x"}, `scheme "ftp"; known are: azblob, file, gs, mem`},
		{"a missing bucket", t.Context(), []string{"-bucket", directoryAddress(filepath.Join(t.TempDir(), "none"))}, "bucket not found"},
		{"a missing tree", t.Context(), []string{filepath.Join(t.TempDir(), "none")}, "none"},
		{"a tree that is a file", t.Context(), []string{file}, "invalid argument"},
		{"two trees", t.Context(), []string{"a", "b"}, "want at most one directory"},
		{"an empty tree", t.Context(), []string{t.TempDir()}, "no files"},
		{"interrupted", canceled, []string{"-bucket", "mem://interrupted"}, "canceled"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := run(row.ctx, row.args, &bytes.Buffer{})
			require.ErrorContains(t, err, row.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
	require.Empty(t, keys(t, "mem://interrupted"))
}

func keys(t *testing.T, address string) []string {
	t.Helper()
	bucket, err := storage.Open(t.Context(), address)
	require.NoError(t, err)
	defer func() { require.NoError(t, storage.Close(bucket)) }()
	var all []string
	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		all = append(all, entry.Key)
	}
	return all
}

func TestFiles(t *testing.T) {
	none := &fstest.MapFile{}
	fsys := fstest.MapFS{"b": none, "a/.x/c": none, "a/d": none, ".git/e": none, ".f": none, "link": {Mode: os.ModeSymlink}}
	paths, err := tree{fsys: fsys}.files()
	require.NoError(t, err)
	require.Equal(t, []string{".f", "a/d", "b"}, paths)
}

func TestFormats(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 5 << 40: "5.0 TiB"} {
		require.Equal(t, want, size(bytes))
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		require.Equal(t, want, grouped(n))
	}
	require.Equal(t, "1 file", count(1, "file"))
	require.Equal(t, "2.5ms", duration(2512*time.Microsecond))
}
