package transfer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/transfer"
)

func TestEndsInOneBucket(t *testing.T) {
	for name, c := range map[string]struct {
		dst, src string
		opts     []transfer.Option
		want     error
	}{
		"a part into the whole":     {"", "a/", nil, storage.InvalidArgument},
		"the whole into a part":     {"a/", "", nil, storage.InvalidArgument},
		"into itself":               {"a/", "a/", nil, storage.InvalidArgument},
		"a part beside another":     {"b/", "a/", nil, nil},
		"with that part left out":   {"b/", "", []transfer.Option{transfer.WithExclude("b/")}, nil},
		"of names that begin alike": {"a-old/", "a/", nil, nil},
		"also in a dry run":         {"", "a/", []transfer.Option{transfer.WithDryRun()}, storage.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New()
			_, err := b.Upload(t.Context(), "a/key", strings.NewReader("content"))
			require.NoError(t, err)
			end := func(prefix string) transfer.End {
				if prefix == "" {
					return transfer.Bucket(b)
				}
				return transfer.Bucket(storage.Prefixed(b, prefix))
			}
			_, err = transfer.Sync(t.Context(), end(c.dst), end(c.src), append(c.opts, transfer.WithDelete())...)
			require.ErrorIs(t, err, c.want)
			exists, err := b.Exists(t.Context(), "a/key")
			require.NoError(t, err)
			require.True(t, exists)
		})
	}
}

// Jobs refuse a directory and a local bucket if one contains the other.
func TestEndsOnThisMachine(t *testing.T) {
	bucket := func(t *testing.T, path string) transfer.End {
		b, err := local.Open(path, local.Config{Create: true})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return transfer.Bucket(b)
	}
	part := func(prefix string) func(t *testing.T, path string) transfer.End {
		return func(t *testing.T, path string) transfer.End {
			b, err := local.Open(path, local.Config{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
			return transfer.Bucket(storage.Prefixed(b, prefix))
		}
	}
	dir := func(_ *testing.T, path string) transfer.End { return transfer.Dir(path) }
	type make = func(t *testing.T, path string) transfer.End
	leaving := func(pattern string) []transfer.Option { return []transfer.Option{transfer.WithExclude(pattern)} }
	for _, row := range []struct {
		name             string
		dstPath, srcPath string // below a directory with site/notes.txt, site/public/index.html
		dst, src         make
		opts             []transfer.Option
		want             error
	}{
		{"a directory into the bucket that contains it", "site", "site/public", bucket, dir, nil, storage.InvalidArgument},
		{"a bucket into the directory that contains it", "site", "site/public", dir, bucket, nil, storage.InvalidArgument},
		{"a directory into a bucket in it", "site/public", "site", bucket, dir, nil, storage.InvalidArgument},
		{"a bucket into a directory in it", "site/public", "site", dir, bucket, nil, storage.InvalidArgument},
		{"a bucket into a new directory in it", "site/new", "site", dir, bucket, nil, storage.InvalidArgument},
		{"a bucket into the bucket that contains it", "site", "site/public", bucket, bucket, nil, storage.InvalidArgument},
		{"a bucket into a bucket in it", "site/public", "site", bucket, bucket, nil, storage.InvalidArgument},
		{"a directory into itself as a bucket", "site", "site", bucket, dir, nil, storage.InvalidArgument},
		{"a part of a bucket into that directory", "site/public", "site", dir, part("public/"), nil, storage.InvalidArgument},
		{"a part of a bucket into a bucket in that part", "site/public/deep", "site", bucket, part("public/"), nil, storage.InvalidArgument},
		{"through a symbolic link", "link", "site/public", bucket, dir, nil, storage.InvalidArgument},
		{"through a symbolic link to the source", "site", "inner", bucket, dir, nil, storage.InvalidArgument},
		{"through a symbolic link inside a bucket", "site", "site", part("public/"), part("alias/"), nil, storage.InvalidArgument},
		{"through ..", "other/../site", "site/public", bucket, dir, nil, storage.InvalidArgument},
		{"through .. after a symbolic link", "other", "site/elsewhere/../other", bucket, dir, nil, storage.InvalidArgument},
		{"in a dry run", "site", "site/public", bucket, dir, []transfer.Option{transfer.WithDryRun()}, storage.InvalidArgument},
		{"with another part excluded", "site", "site/public", bucket, dir, leaving("*.tmp"), storage.InvalidArgument},
		{"with that directory excluded", "site", "site/public", bucket, dir, leaving("public/"), nil},
		{"into an excluded directory in it", "site/new", "site", bucket, dir, leaving("new"), nil},
		{"a part of a bucket beside a directory", "site/new", "site", dir, part("public/"), nil, nil},
		{"a directory into a directory in it", "site/public", "site", dir, dir, nil, storage.InvalidArgument},
		{"a directory into an excluded directory in it", "site/new", "site", dir, dir, leaving("/new"), nil},
		{"a directory into the directory that contains it", "site", "site/public", dir, dir, nil, storage.InvalidArgument},
		{"a directory into the one above, excluded", "site", "site/public", dir, dir, leaving("/public"), nil},
		{"a bucket into an excluded directory in it", "site/new", "site", dir, bucket, leaving("/new"), storage.InvalidArgument},
		{"directories beside each other", "other", "site/public", bucket, dir, nil, nil},
		{"names with the same prefix", "site/public-old", "site/public", bucket, bucket, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			top := t.TempDir()
			for path, text := range map[string]string{"site/notes.txt": "keep", "site/public/index.html": "one", "other/x": ""} {
				path = filepath.Join(top, filepath.FromSlash(path))
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			require.NoError(t, os.Symlink("site", filepath.Join(top, "link")))
			require.NoError(t, os.Symlink("site/public", filepath.Join(top, "inner")))
			require.NoError(t, os.Symlink("public", filepath.Join(top, "site/alias")))
			require.NoError(t, os.Symlink("../other", filepath.Join(top, "site/elsewhere")))
			path := func(p string) string { return top + "/" + p } // with its ..
			opts := append([]transfer.Option{transfer.WithDelete()}, row.opts...)
			_, err := transfer.Sync(t.Context(), row.dst(t, path(row.dstPath)), row.src(t, path(row.srcPath)), opts...)
			require.ErrorIs(t, err, row.want)
			require.FileExists(t, path("site/public/index.html"), "the source still exists")
			if row.want != nil {
				require.FileExists(t, path("site/notes.txt"))
			}
		})
	}
}

// Jobs refuse a source that overlaps the destination, even if WithExclude excludes another part. Excluding the
// whole overlap is accepted.
func TestWithExcludeAllowsNoOverlap(t *testing.T) {
	for name, c := range map[string]struct {
		dst, src, pattern string
		want              error
	}{
		"of the source":                {"", "a/", "*.tmp", storage.InvalidArgument},
		"of the destination":           {"b/", "", "a/", storage.InvalidArgument},
		"a part of that part":          {"b/", "", "b/c/", storage.InvalidArgument},
		"files in that part":           {"b/", "", "b/*.tmp", storage.InvalidArgument},
		"the whole, of the same":       {"a/", "a/", "**", storage.InvalidArgument},
		"the source is left out there": {"", "a/", "a/", nil},
		"a directory above it":         {"b/c/", "", "b", nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := filled(t, []string{"a/key", "other"})
			end := func(prefix string) transfer.End {
				if prefix == "" {
					return transfer.Bucket(b)
				}
				return transfer.Bucket(storage.Prefixed(b, prefix))
			}
			_, err := transfer.Sync(t.Context(), end(c.dst), end(c.src), transfer.WithDelete(), transfer.WithExclude(c.pattern))
			require.ErrorIs(t, err, c.want)
			exists, err := b.Exists(t.Context(), "a/key")
			require.NoError(t, err)
			require.True(t, exists)
		})
	}
}

// Jobs refuse a WithResume directory inside a local bucket, where its files would be objects.
func TestWithResumeDirectoryInABucketOfTheJob(t *testing.T) {
	top := t.TempDir()
	b, err := local.Open(top, local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	_, err = transfer.Upload(t.Context(), b, tree(t, map[string]string{"a": "x"}), transfer.WithResume(filepath.Join(top, "kept")))
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "WithResume")
	require.NoDirExists(t, filepath.Join(top, "kept"))
}
