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

// The tour uploads a tree, shows what a bucket can do, and removes its objects. It leaves out hidden directories.
func TestTour(t *testing.T) {
	// The tree has five files outside of hidden directories.
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

	tests := []struct{ name, bucket string }{
		{name: "memory", bucket: "mem://tour-test"},
		{name: "address of a directory", bucket: directoryAddress(t.TempDir())},
		{name: "temporary directory", bucket: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{tree}
			if tt.bucket != "" {
				args = []string{"-bucket", tt.bucket, tree}
			}

			var buf bytes.Buffer
			require.NoError(t, run(t.Context(), args, &buf))
			text := buf.String()
			t.Log(text)

			for _, want := range []string{
				// Upload the tree, and list its folders.
				"5 files (300.0 KiB) in",
				"a/               1 file        4 B",
				// Get the attributes of README.md.
				"text/markdown; charset=utf-8",
				"uploaded-by = tour",
				// Read its 8 bytes, and compare their checksum. Then read a range.
				"8, crc32c",
				"equal",
				`8 of 8: "# hello\n"`,
				// Refuse to overwrite it, and to remove it by a reference that can only read.
				"precondition failed",
				"permission denied",
				// Remove all objects.
				"5 objects in",
				"Done in",
			} {
				require.Contains(t, text, want)
			}
			require.NotContains(t, text, "\x1b", "no colors without a terminal")
			require.NotContains(t, text, "config", "hidden directories are not uploaded")

			if tt.bucket != "" {
				require.Empty(t, keys(t, tt.bucket), "the tour removes its objects")
			}
		})
	}
}

// Without a directory, the tour uploads a sample that is built in.
func TestSampleIsBuiltIn(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-bucket", "mem://sample"}, &buf))
	require.Contains(t, buf.String(), "a sample that is built in")
	require.Contains(t, buf.String(), "data/")
}

// With -keep, the tour leaves its objects in the bucket.
func TestKeepLeavesTheObjects(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-bucket", "mem://kept", "-keep"}, &buf))
	require.Len(t, keys(t, "mem://kept"), 7)
}

// The tour neither changes nor removes an object that was in the bucket before.
func TestTourTouchesNothingElse(t *testing.T) {
	bucket, err := storage.Open(t.Context(), "mem://in-use")
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "README.md", strings.NewReader("somebody else's"))
	require.NoError(t, err)
	require.NoError(t, run(t.Context(), []string{"-bucket", "mem://in-use"}, &bytes.Buffer{}))
	require.Equal(t, []string{"README.md"}, keys(t, "mem://in-use"))
}

// An error is printed in one line.
func TestErrorsAreOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()

	tests := []struct {
		name string
		ctx  context.Context
		args []string
		want string
	}{
		{name: "an unknown scheme", ctx: t.Context(), args: []string{"-bucket", "ftp://x"}, want: `scheme "ftp"; known are: azblob, file, gs, mem`},
		{
			name: "a missing bucket",
			ctx:  t.Context(),
			args: []string{"-bucket", directoryAddress(filepath.Join(t.TempDir(), "none"))},
			want: "bucket not found",
		},
		{name: "a missing tree", ctx: t.Context(), args: []string{filepath.Join(t.TempDir(), "none")}, want: "none"},
		{name: "a tree that is a file", ctx: t.Context(), args: []string{file}, want: "invalid argument"},
		{name: "two trees", ctx: t.Context(), args: []string{"a", "b"}, want: "want at most one directory"},
		{name: "an empty tree", ctx: t.Context(), args: []string{t.TempDir()}, want: "no files"},
		{name: "interrupted", ctx: canceled, args: []string{"-bucket", "mem://interrupted"}, want: "canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := run(tt.ctx, tt.args, &bytes.Buffer{})
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
	require.Empty(t, keys(t, "mem://interrupted"))
}

// keys returns the keys of the bucket at an address.
func keys(t *testing.T, address string) []string {
	t.Helper()
	bucket, err := storage.Open(t.Context(), address)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()
	var all []string
	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		all = append(all, entry.Key)
	}
	return all
}

// files returns the paths of the regular files that are not in a hidden directory.
func TestFiles(t *testing.T) {
	emptyFile := &fstest.MapFile{}
	fsys := fstest.MapFS{
		"b":      emptyFile,
		"a/.x/c": emptyFile,
		"a/d":    emptyFile,
		".git/e": emptyFile,
		".f":     emptyFile,
		"link":   {Mode: os.ModeSymlink},
	}
	paths, err := tree{fsys: fsys}.files()
	require.NoError(t, err)
	require.Equal(t, []string{".f", "a/d", "b"}, paths)
}

// Sizes have units, and large numbers have commas.
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
