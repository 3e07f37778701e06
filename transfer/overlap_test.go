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

// Sync refuses two ends that overlap in one bucket, unless the common part is excluded.
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

// A localEnd describes an end of a job that is on this machine.
type localEnd struct {
	path     string // below the directory of a test, with its ".." and links
	isBucket bool   // a local bucket, and not a directory
	prefix   string // of the part of the bucket that the job sees; the whole bucket if empty
}

func dirAt(path string) localEnd { return localEnd{path: path} }

func bucketAt(path string) localEnd { return localEnd{path: path, isBucket: true} }

func partOfBucketAt(path, prefix string) localEnd {
	return localEnd{path: path, isBucket: true, prefix: prefix}
}

// open opens the end below the directory top. It creates a missing bucket, unless the end is only a
// prefix of the bucket.
func (e localEnd) open(t *testing.T, top string) transfer.End {
	t.Helper()
	path := top + "/" + e.path
	if !e.isBucket {
		return transfer.Dir(path)
	}

	b, err := local.Open(path, local.Config{Create: e.prefix == ""})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	if e.prefix == "" {
		return transfer.Bucket(b)
	}
	return transfer.Bucket(storage.Prefixed(b, e.prefix))
}

// newSite returns a directory with the files of a site and links to its directories.
func newSite(t *testing.T) (top string) {
	t.Helper()
	top = t.TempDir()
	files := map[string]string{
		"site/notes.txt":         "keep",
		"site/public/index.html": "one",
		"other/x":                "",
	}
	for name, text := range files {
		path := filepath.Join(top, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	links := map[string]string{
		"link":           "site",
		"inner":          "site/public",
		"site/alias":     "public",
		"site/elsewhere": "../other",
	}
	for name, target := range links {
		require.NoError(t, os.Symlink(target, filepath.Join(top, name)))
	}
	return top
}

// Jobs refuse a directory and a local bucket if one contains the other.
func TestEndsOnThisMachine(t *testing.T) {
	refused := []struct {
		name     string
		dst, src localEnd
		opts     []transfer.Option
	}{
		{name: "a directory into the bucket that contains it", dst: bucketAt("site"), src: dirAt("site/public")},
		{name: "a bucket into the directory that contains it", dst: dirAt("site"), src: bucketAt("site/public")},
		{name: "a directory into a bucket in it", dst: bucketAt("site/public"), src: dirAt("site")},
		{name: "a bucket into a directory in it", dst: dirAt("site/public"), src: bucketAt("site")},
		{name: "a bucket into a new directory in it", dst: dirAt("site/new"), src: bucketAt("site")},
		{name: "a bucket into the bucket that contains it", dst: bucketAt("site"), src: bucketAt("site/public")},
		{name: "a bucket into a bucket in it", dst: bucketAt("site/public"), src: bucketAt("site")},
		{name: "a directory into itself as a bucket", dst: bucketAt("site"), src: dirAt("site")},
		{
			name: "a part of a bucket into that directory",
			dst:  dirAt("site/public"),
			src:  partOfBucketAt("site", "public/"),
		},
		{
			name: "a part of a bucket into a bucket in that part",
			dst:  bucketAt("site/public/deep"),
			src:  partOfBucketAt("site", "public/"),
		},
		{name: "through a symbolic link", dst: bucketAt("link"), src: dirAt("site/public")},
		{name: "through a symbolic link to the source", dst: bucketAt("site"), src: dirAt("inner")},
		{
			name: "through a symbolic link inside a bucket",
			dst:  partOfBucketAt("site", "public/"),
			src:  partOfBucketAt("site", "alias/"),
		},
		{name: "through ..", dst: bucketAt("other/../site"), src: dirAt("site/public")},
		{name: "through .. after a symbolic link", dst: bucketAt("other"), src: dirAt("site/elsewhere/../other")},
		{
			name: "in a dry run",
			dst:  bucketAt("site"),
			src:  dirAt("site/public"),
			opts: []transfer.Option{transfer.WithDryRun()},
		},
		{
			name: "with another part excluded",
			dst:  bucketAt("site"),
			src:  dirAt("site/public"),
			opts: []transfer.Option{transfer.WithExclude("*.tmp")},
		},
		{name: "a directory into a directory in it", dst: dirAt("site/public"), src: dirAt("site")},
		{name: "a directory into the directory that contains it", dst: dirAt("site"), src: dirAt("site/public")},
		{
			name: "a bucket into an excluded directory in it",
			dst:  dirAt("site/new"),
			src:  bucketAt("site"),
			opts: []transfer.Option{transfer.WithExclude("/new")},
		},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			top := newSite(t)
			opts := append([]transfer.Option{transfer.WithDelete()}, tt.opts...)

			_, err := transfer.Sync(t.Context(), tt.dst.open(t, top), tt.src.open(t, top), opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.FileExists(t, filepath.Join(top, "site/public/index.html"))
			require.FileExists(t, filepath.Join(top, "site/notes.txt"))
		})
	}

	allowed := []struct {
		name     string
		dst, src localEnd
		opts     []transfer.Option
	}{
		{
			name: "with that directory excluded",
			dst:  bucketAt("site"),
			src:  dirAt("site/public"),
			opts: []transfer.Option{transfer.WithExclude("public/")},
		},
		{
			name: "into an excluded directory in it",
			dst:  bucketAt("site/new"),
			src:  dirAt("site"),
			opts: []transfer.Option{transfer.WithExclude("new")},
		},
		{name: "a part of a bucket beside a directory", dst: dirAt("site/new"), src: partOfBucketAt("site", "public/")},
		{
			name: "a directory into an excluded directory in it",
			dst:  dirAt("site/new"),
			src:  dirAt("site"),
			opts: []transfer.Option{transfer.WithExclude("/new")},
		},
		{
			name: "a directory into the one above, excluded",
			dst:  dirAt("site"),
			src:  dirAt("site/public"),
			opts: []transfer.Option{transfer.WithExclude("/public")},
		},
		{name: "directories beside each other", dst: bucketAt("other"), src: dirAt("site/public")},
		{name: "names with the same prefix", dst: bucketAt("site/public-old"), src: bucketAt("site/public")},
	}
	for _, tt := range allowed {
		t.Run(tt.name, func(t *testing.T) {
			top := newSite(t)
			opts := append([]transfer.Option{transfer.WithDelete()}, tt.opts...)

			_, err := transfer.Sync(t.Context(), tt.dst.open(t, top), tt.src.open(t, top), opts...)
			require.NoError(t, err)
			require.FileExists(t, filepath.Join(top, "site/public/index.html"), "the source still exists")
		})
	}
}

// Sync refuses ends that overlap, unless WithExclude excludes all that they have in common.
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

			// No object is lost, whether Sync succeeds or not.
			exists, err := b.Exists(t.Context(), "a/key")
			require.NoError(t, err)
			require.True(t, exists)
		})
	}
}

// A job refuses a directory for WithResume inside one of its local buckets, because the files of
// WithResume would be objects there.
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
