package transfer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/transfer"
)

// Sync refuses two ends that overlap in one bucket, unless the overlap is excluded.
func TestEndsInOneBucket(t *testing.T) {
	exclude := []transfer.Option{transfer.WithExclude("b/")}
	dryRun := []transfer.Option{transfer.WithDryRun()}
	tests := []struct {
		name string
		dst  string // prefix of the destination in the bucket
		src  string // prefix of the source
		opts []transfer.Option
		want error
	}{
		{name: "a folder into the whole bucket", dst: "", src: "a/", want: storage.InvalidArgument},
		{name: "the whole bucket into a folder", dst: "a/", src: "", want: storage.InvalidArgument},
		{name: "into itself", dst: "a/", src: "a/", want: storage.InvalidArgument},
		{name: "a folder into another", dst: "b/", src: "a/"},
		{name: "with the destination excluded", dst: "b/", src: "", opts: exclude},
		{name: "names that begin alike", dst: "a-old/", src: "a/"},
		{name: "also in a dry run", dst: "", src: "a/", opts: dryRun, want: storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New()
			put(t, b, "a/key", "content")

			endOf := func(prefix string) transfer.End {
				if prefix == "" {
					return transfer.Bucket(b)
				}
				return transfer.Bucket(storage.Prefixed(b, prefix))
			}

			_, err := transfer.Sync(t.Context(), endOf(tt.dst), endOf(tt.src), append(tt.opts, transfer.WithDelete())...)
			require.ErrorIs(t, err, tt.want)

			// The object of the source exists in each case.
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
	leaving := func(pattern string) []transfer.Option {
		return []transfer.Option{transfer.WithExclude(pattern)}
	}

	tests := []struct {
		name             string
		dstPath, srcPath string // below a directory with site/notes.txt, site/public/index.html
		dst, src         make
		opts             []transfer.Option
		want             error
	}{
		{
			name:    "a directory into the bucket that contains it",
			dstPath: "site",
			srcPath: "site/public",
			dst:     bucket,
			src:     dir,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a bucket into the directory that contains it",
			dstPath: "site",
			srcPath: "site/public",
			dst:     dir,
			src:     bucket,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a directory into a bucket in it",
			dstPath: "site/public",
			srcPath: "site",
			dst:     bucket,
			src:     dir,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a bucket into a directory in it",
			dstPath: "site/public",
			srcPath: "site",
			dst:     dir,
			src:     bucket,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a bucket into a new directory in it",
			dstPath: "site/new",
			srcPath: "site",
			dst:     dir,
			src:     bucket,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a bucket into the bucket that contains it",
			dstPath: "site",
			srcPath: "site/public",
			dst:     bucket,
			src:     bucket,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a bucket into a bucket in it",
			dstPath: "site/public",
			srcPath: "site",
			dst:     bucket,
			src:     bucket,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a directory into itself as a bucket",
			dstPath: "site",
			srcPath: "site",
			dst:     bucket,
			src:     dir,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a part of a bucket into that directory",
			dstPath: "site/public",
			srcPath: "site",
			dst:     dir,
			src:     part("public/"),
			want:    storage.InvalidArgument,
		},
		{
			name:    "a part of a bucket into a bucket in that part",
			dstPath: "site/public/deep",
			srcPath: "site",
			dst:     bucket,
			src:     part("public/"),
			want:    storage.InvalidArgument,
		},
		{
			name:    "through a symbolic link",
			dstPath: "link",
			srcPath: "site/public",
			dst:     bucket,
			src:     dir,
			want:    storage.InvalidArgument,
		},
		{
			name:    "through a symbolic link to the source",
			dstPath: "site",
			srcPath: "inner",
			dst:     bucket,
			src:     dir,
			want:    storage.InvalidArgument,
		},
		{
			name:    "through a symbolic link inside a bucket",
			dstPath: "site",
			srcPath: "site",
			dst:     part("public/"),
			src:     part("alias/"),
			want:    storage.InvalidArgument,
		},
		{
			name:    "through ..",
			dstPath: "other/../site",
			srcPath: "site/public",
			dst:     bucket,
			src:     dir,
			want:    storage.InvalidArgument,
		},
		{
			name:    "through .. after a symbolic link",
			dstPath: "other",
			srcPath: "site/elsewhere/../other",
			dst:     bucket,
			src:     dir,
			want:    storage.InvalidArgument,
		},
		{
			name:    "in a dry run",
			dstPath: "site",
			srcPath: "site/public",
			dst:     bucket,
			src:     dir,
			opts:    []transfer.Option{transfer.WithDryRun()},
			want:    storage.InvalidArgument,
		},
		{
			name:    "with another part excluded",
			dstPath: "site",
			srcPath: "site/public",
			dst:     bucket,
			src:     dir,
			opts:    leaving("*.tmp"),
			want:    storage.InvalidArgument,
		},
		{
			name:    "with that directory excluded",
			dstPath: "site",
			srcPath: "site/public",
			dst:     bucket,
			src:     dir,
			opts:    leaving("public/"),
			want:    nil,
		},
		{
			name:    "into an excluded directory in it",
			dstPath: "site/new",
			srcPath: "site",
			dst:     bucket,
			src:     dir,
			opts:    leaving("new"),
			want:    nil,
		},
		{
			name:    "a part of a bucket beside a directory",
			dstPath: "site/new",
			srcPath: "site",
			dst:     dir,
			src:     part("public/"),
			want:    nil,
		},
		{
			name:    "a directory into a directory in it",
			dstPath: "site/public",
			srcPath: "site",
			dst:     dir,
			src:     dir,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a directory into an excluded directory in it",
			dstPath: "site/new",
			srcPath: "site",
			dst:     dir,
			src:     dir,
			opts:    leaving("/new"),
			want:    nil,
		},
		{
			name:    "a directory into the directory that contains it",
			dstPath: "site",
			srcPath: "site/public",
			dst:     dir,
			src:     dir,
			want:    storage.InvalidArgument,
		},
		{
			name:    "a directory into the one above, excluded",
			dstPath: "site",
			srcPath: "site/public",
			dst:     dir,
			src:     dir,
			opts:    leaving("/public"),
			want:    nil,
		},
		{
			name:    "a bucket into an excluded directory in it",
			dstPath: "site/new",
			srcPath: "site",
			dst:     dir,
			src:     bucket,
			opts:    leaving("/new"),
			want:    storage.InvalidArgument,
		},
		{
			name:    "directories beside each other",
			dstPath: "other",
			srcPath: "site/public",
			dst:     bucket,
			src:     dir,
			want:    nil,
		},
		{
			name:    "names with the same prefix",
			dstPath: "site/public-old",
			srcPath: "site/public",
			dst:     bucket,
			src:     bucket,
			want:    nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := t.TempDir()
			for path, text := range map[string]string{
				"site/notes.txt":         "keep",
				"site/public/index.html": "one",
				"other/x":                "",
			} {
				path = filepath.Join(top, filepath.FromSlash(path))
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			require.NoError(t, os.Symlink("site", filepath.Join(top, "link")))
			require.NoError(t, os.Symlink("site/public", filepath.Join(top, "inner")))
			require.NoError(t, os.Symlink("public", filepath.Join(top, "site/alias")))
			require.NoError(t, os.Symlink("../other", filepath.Join(top, "site/elsewhere")))
			path := func(p string) string { return top + "/" + p } // with its ..
			opts := append([]transfer.Option{transfer.WithDelete()}, tt.opts...)

			_, err := transfer.Sync(t.Context(), tt.dst(t, path(tt.dstPath)),
				tt.src(t, path(tt.srcPath)), opts...)
			require.ErrorIs(t, err, tt.want)
			require.FileExists(t, path("site/public/index.html"), "the source still exists")

			if tt.want != nil {
				require.FileExists(t, path("site/notes.txt"))
			}
		})
	}
}

// Sync refuses ends that overlap, unless WithExclude excludes the whole overlap.
func TestWithExcludeAllowsNoOverlap(t *testing.T) {
	tests := []struct {
		name    string
		dst     string // prefix of the destination in the bucket; the whole bucket if empty
		src     string // prefix of the source in the bucket; the whole bucket if empty
		exclude string
		want    error
	}{
		{name: "some files of the source", src: "a/", exclude: "*.tmp", want: storage.InvalidArgument},
		{name: "a folder beside the destination", dst: "b/", exclude: "a/", want: storage.InvalidArgument},
		{name: "a folder in the destination", dst: "b/", exclude: "b/c/", want: storage.InvalidArgument},
		{name: "some files of the destination", dst: "b/", exclude: "b/*.tmp", want: storage.InvalidArgument},
		{name: "all of a source that is the destination", dst: "a/", src: "a/", exclude: "**", want: storage.InvalidArgument},
		{name: "the source", src: "a/", exclude: "a/"},
		{name: "a folder that contains the destination", dst: "b/c/", exclude: "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newFilledBucket(t, []string{"a/key", "other"})
			endOf := func(prefix string) transfer.End {
				if prefix == "" {
					return transfer.Bucket(b)
				}
				return transfer.Bucket(storage.Prefixed(b, prefix))
			}

			_, err := transfer.Sync(t.Context(), endOf(tt.dst), endOf(tt.src), transfer.WithDelete(),
				transfer.WithExclude(tt.exclude))
			require.ErrorIs(t, err, tt.want)

			// In each case, no object is lost.
			exists, err := b.Exists(t.Context(), "a/key")
			require.NoError(t, err)
			require.True(t, exists)
		})
	}
}

// A job refuses a directory for WithResume that is inside a local bucket of the job, where its files
// would be objects.
func TestWithResumeDirectoryInABucketOfTheJob(t *testing.T) {
	top := t.TempDir()
	b, err := local.Open(top, local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	resumeDir := filepath.Join(top, "kept")
	_, err = transfer.Upload(t.Context(), b, newTree(t, map[string]string{"a": "x"}), transfer.WithResume(resumeDir))
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "WithResume")
	require.NoDirExists(t, resumeDir)
}
