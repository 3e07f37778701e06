package transfer_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// WithInclude and WithExclude select files by patterns. A pattern matches at any depth, or only at
// the top.
func TestPatterns(t *testing.T) {
	files := map[string]string{}
	for _, key := range []string{
		"a.jpg",
		"a.txt",
		"2026/b.jpg",
		"2026/x/c.jpg",
		".git/config",
		"sub/.git/HEAD",
		"node_modules/m/i.js",
		"build",
		"sub/build/deep/b",
	} {
		files[key] = key
	}
	dir := newTree(t, files)
	tests := []struct {
		name string
		opts []transfer.Option
		want []string
	}{
		{name: "no pattern", opts: nil, want: keysOf(files)},
		{
			name: "include: without a slash, matches at any depth",
			opts: []transfer.Option{transfer.WithInclude("*.jpg")},
			want: []string{"a.jpg", "2026/b.jpg", "2026/x/c.jpg"},
		},
		{
			name: "include: after **/, matches at any depth",
			opts: []transfer.Option{transfer.WithInclude("**/*.jpg")},
			want: []string{"a.jpg", "2026/b.jpg", "2026/x/c.jpg"},
		},
		{
			name: "include: with a slash at its start, matches at the top",
			opts: []transfer.Option{transfer.WithInclude("/*.jpg")},
			want: []string{"a.jpg"},
		},
		{
			name: "include: with a slash in it, matches from the top",
			opts: []transfer.Option{transfer.WithInclude("2026/*.jpg", "x/*.jpg")},
			want: []string{"2026/b.jpg"},
		},
		{
			name: "include: with a slash at its start and in it, matches from the top",
			opts: []transfer.Option{transfer.WithInclude("/2026/*.jpg")},
			want: []string{"2026/b.jpg"},
		},
		{
			name: "include: a tree",
			opts: []transfer.Option{transfer.WithInclude("2026/**")},
			want: []string{"2026/b.jpg", "2026/x/c.jpg"},
		},
		{
			name: "include: a tree, and names in another option",
			opts: []transfer.Option{transfer.WithInclude("2026/**"), transfer.WithInclude("*.txt")},
			want: []string{"2026/b.jpg", "2026/x/c.jpg", "a.txt"},
		},
		{
			name: "include: a tree, by a slash at its end",
			opts: []transfer.Option{transfer.WithInclude("2026/")},
			want: []string{"2026/b.jpg", "2026/x/c.jpg"},
		},
		{
			name: "include: trees at any depth",
			opts: []transfer.Option{transfer.WithInclude("build/", "x/")},
			want: []string{"2026/x/c.jpg", "sub/build/deep/b"},
		},
		{
			name: "include: trees at the top",
			opts: []transfer.Option{transfer.WithInclude("/build/", "/2026/")},
			want: []string{"2026/b.jpg", "2026/x/c.jpg"},
		},
		{
			name: "include: names without a slash match files only",
			opts: []transfer.Option{transfer.WithInclude("2026", "build", "HEAD")},
			want: []string{"build", "sub/.git/HEAD"},
		},
		{
			name: "include: files at the top",
			opts: []transfer.Option{transfer.WithInclude("/2026", "/*")},
			want: []string{"a.jpg", "a.txt", "build"},
		},
		{
			name: "exclude: without a slash, matches at any depth",
			opts: []transfer.Option{transfer.WithExclude("*.jpg", "*.js", ".git")},
			want: []string{"a.txt", "build", "sub/build/deep/b"},
		},
		{
			name: "exclude: with a slash at its start, matches at the top",
			opts: []transfer.Option{transfer.WithExclude("/*.jpg", "/.git", "/build", "/sub/build")},
			want: []string{"a.txt", "2026/b.jpg", "2026/x/c.jpg", "sub/.git/HEAD", "node_modules/m/i.js"},
		},
		{
			name: "exclude: trees",
			opts: []transfer.Option{transfer.WithExclude("**/.git/**", "node_modules/**", "sub/**")},
			want: []string{"a.jpg", "a.txt", "2026/b.jpg", "2026/x/c.jpg", "build"},
		},
		{
			name: "exclude: directories, by their names",
			opts: []transfer.Option{transfer.WithExclude("2026", ".git", "sub", "node_modules")},
			want: []string{"a.jpg", "a.txt", "build"},
		},
		{
			name: "exclude: directories, by a slash at the end",
			opts: []transfer.Option{transfer.WithExclude("2026/", ".git/", "sub/", "node_modules/")},
			want: []string{"a.jpg", "a.txt", "build"},
		},
		{
			name: "exclude: directories at any depth",
			opts: []transfer.Option{transfer.WithExclude("m/", "deep/", ".git/")},
			want: []string{"a.jpg", "a.txt", "2026/b.jpg", "2026/x/c.jpg", "build"},
		},
		{
			name: "exclude: directories at the top",
			opts: []transfer.Option{transfer.WithExclude("/.git/", "/m/", "/2026/")},
			want: []string{
				"a.jpg", "a.txt", "sub/.git/HEAD", "node_modules/m/i.js", "build", "sub/build/deep/b",
			},
		},
		{
			name: "exclude: after **/, matches at any depth",
			opts: []transfer.Option{transfer.WithExclude("**/.git", "**/*_modules/", "**/build", "2026")},
			want: []string{"a.jpg", "a.txt"},
		},
		{
			name: "exclude: directories, but no file of their name",
			opts: []transfer.Option{
				transfer.WithInclude("/*", "sub/**"),
				transfer.WithExclude("**/build/**", "build/", "**/.git/"),
			},
			want: []string{"a.jpg", "a.txt", "build"},
		},
		{
			name: "exclude: any directory, by **/",
			opts: []transfer.Option{transfer.WithExclude("**/")},
			want: []string{"a.jpg", "a.txt", "build"},
		},
		{
			name: "exclude: any directory, by */",
			opts: []transfer.Option{transfer.WithExclude("*/")},
			want: []string{"a.jpg", "a.txt", "build"},
		},
		{
			name: "exclude: the directories of an included tree",
			opts: []transfer.Option{transfer.WithInclude("2026/**"), transfer.WithExclude("2026/**/")},
			want: []string{"2026/b.jpg"},
		},
		{
			name: "include: any directory, but no file at the top",
			opts: []transfer.Option{transfer.WithInclude("**/"), transfer.WithExclude("sub", ".git")},
			want: []string{"2026/b.jpg", "2026/x/c.jpg", "node_modules/m/i.js"},
		},
		{
			name: "WithExclude overrides WithInclude",
			opts: []transfer.Option{transfer.WithInclude("**/*.jpg"), transfer.WithExclude("2026/x/*")},
			want: []string{"a.jpg", "2026/b.jpg"},
		},
		{name: "exclude: everything, by **", opts: []transfer.Option{transfer.WithExclude("**")}, want: []string{}},
		{name: "exclude: everything, by *", opts: []transfer.Option{transfer.WithExclude("*")}, want: []string{}},
		{
			name: "include: a class and alternatives, at the top",
			opts: []transfer.Option{transfer.WithInclude("/[a-c].{txt,jpg}")},
			want: []string{"a.jpg", "a.txt"},
		},
		{
			name: "include: a class and alternatives, at any depth",
			opts: []transfer.Option{transfer.WithInclude("[ac].{txt,jpg}")},
			want: []string{"a.jpg", "a.txt", "2026/x/c.jpg"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New()
			report, err := transfer.Upload(t.Context(), b, dir, tt.opts...)
			require.NoError(t, err)
			require.ElementsMatch(t, tt.want, keysOf(contents(t, b)))
			require.Equal(t, int64(len(tt.want)), report.Transferred)

			down := t.TempDir()
			_, err = transfer.Download(t.Context(), newFilledBucket(t, keysOf(files)), down, tt.opts...)
			require.NoError(t, err)
			require.ElementsMatch(t, tt.want, keysOf(fingerprints(t, down)))
		})
	}
}

// Jobs do not read an excluded directory, whatever it contains.
func TestWithExcludeReadsNoDirectory(t *testing.T) {
	dir := newTree(t, map[string]string{"a": "x", "out/b": "x"})
	// To follow these links is an error.
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "out/dangling")))
	require.NoError(t, os.Symlink("..", filepath.Join(dir, "out/loop")))

	report, err := transfer.Upload(t.Context(), memstore.New(), dir, transfer.WithLinks(),
		transfer.WithExclude("o*/**"))
	require.NoError(t, err)
	require.Equal(t, int64(1), report.Transferred)

	_, err = transfer.Upload(t.Context(), memstore.New(), dir, transfer.WithLinks())
	require.Error(t, err, "the directory is read if it is not excluded")
}

// If both buckets are of one account, Copy lets the store copy the objects. So no byte passes
// through this machine.
func TestCopyByTheStore(t *testing.T) {
	var recorder calls
	service := memstore.NewService(memstore.ServiceConfig{}, recorder.layer())
	newBucket := func(name string) storage.Bucket {
		_, err := service.CreateBucket(t.Context(), name)
		require.NoError(t, err)
		b, err := service.Bucket(name)
		require.NoError(t, err)
		return b
	}

	src := newBucket("from")
	dst := newBucket("into")
	_, err := transfer.Upload(t.Context(), src, newTree(t, map[string]string{"a": "12345", "b": "678"}))
	require.NoError(t, err)

	putsBefore := recorder.count("Put")
	getsBefore := recorder.count("Get")

	var last transfer.Progress
	progress := transfer.WithProgress(func(p transfer.Progress) {
		last = p
	})

	report, err := transfer.Copy(t.Context(), dst, src, progress)
	require.NoError(t, err)
	require.Equal(t, 2, recorder.count("Copy"))
	require.Equal(t, putsBefore, recorder.count("Put"))
	require.Equal(t, getsBefore, recorder.count("Get"))
	require.Equal(t, int64(8), report.Bytes)
	require.Equal(t, int64(8), last.Bytes, "the progress includes the bytes that the store copied")
}

// Invalid arguments are refused before any change.
func TestJobRefusesInvalidArguments(t *testing.T) {
	b := memstore.New()
	dir := newTree(t, map[string]string{"sub/a": "x"})

	// requireRefused runs a job that must fail with the code. It requires that b and dir are unchanged.
	requireRefused := func(t *testing.T, wantCode storage.Code, dst, src transfer.End, opts ...transfer.Option) {
		t.Helper()
		report, err := transfer.Sync(t.Context(), dst, src, opts...)
		require.Equal(t, wantCode, storage.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "Sync")
		require.NotNil(t, report)
		require.Empty(t, contents(t, b))
		require.Len(t, fingerprints(t, dir), 1)
	}

	options := []struct {
		name string
		opt  transfer.Option
	}{
		{name: "a malformed pattern", opt: transfer.WithInclude("[a")},
		{name: "a pattern that is only a slash", opt: transfer.WithInclude("/")},
		{name: "an empty pattern", opt: transfer.WithExclude("")},
		{name: "no concurrency", opt: transfer.WithConcurrency(0)},
		{name: "a nil option", opt: nil},
	}
	for _, tt := range options {
		t.Run(tt.name, func(t *testing.T) {
			requireRefused(t, storage.InvalidArgument, transfer.Bucket(b), transfer.Dir(dir), tt.opt)
		})
	}

	var nilBucket storage.ReadWriter
	ends := []struct {
		name     string
		dst, src transfer.End
		wantCode storage.Code
	}{
		{
			name:     "a nil bucket",
			dst:      transfer.Bucket(nilBucket),
			src:      transfer.Dir(dir),
			wantCode: storage.InvalidArgument,
		},
		{name: "no end", dst: transfer.Bucket(b), src: transfer.End{}, wantCode: storage.InvalidArgument},
		{name: "one bucket", dst: transfer.Bucket(b), src: transfer.Bucket(b), wantCode: storage.InvalidArgument},
		{
			name:     "one directory",
			dst:      transfer.Dir(dir),
			src:      transfer.Dir(dir + "/."),
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "a directory into itself",
			dst:      transfer.Dir(dir + "/sub/new/deep"),
			src:      transfer.Dir(dir),
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "a directory into one that contains it",
			dst:      transfer.Dir(dir),
			src:      transfer.Dir(dir + "/sub"),
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "a missing source",
			dst:      transfer.Dir(t.TempDir()),
			src:      transfer.Dir(dir + "/none"),
			wantCode: storage.ObjectNotFound,
		},
		{
			name:     "a source that is a file",
			dst:      transfer.Bucket(b),
			src:      transfer.Dir(dir + "/sub/a"),
			wantCode: storage.Internal,
		},
	}
	for _, tt := range ends {
		t.Run(tt.name, func(t *testing.T) {
			requireRefused(t, tt.wantCode, tt.dst, tt.src, transfer.WithLinks())
		})
	}
}

// The function of WithRule returns the options with which Upload and Copy write a file.
func TestWithRule(t *testing.T) {
	files := map[string]string{"a.html": "x", "b.css": "y"}
	rule := transfer.WithRule(func(key string) []storage.WriteOption {
		if strings.HasSuffix(key, ".html") {
			return []storage.WriteOption{storage.WithCacheControl("no-cache")}
		}
		return []storage.WriteOption{
			storage.WithCacheControl("max-age=31536000"),
			storage.WithContentType("text/x-mine"),
			storage.WithMetadata(map[string]string{"team": "web"}),
		}
	})
	uploads := memstore.New()
	copies := memstore.New()

	_, err := transfer.Upload(t.Context(), uploads, newTree(t, files), rule)
	require.NoError(t, err)
	_, err = transfer.Copy(t.Context(), copies, newBucketOf(t, files), rule)
	require.NoError(t, err)

	for name, b := range map[string]storage.Bucket{"Upload": uploads, "Copy": copies} {
		t.Run(name, func(t *testing.T) {
			html, err := b.Attrs(t.Context(), "a.html")
			require.NoError(t, err)
			require.Equal(t, "no-cache", html.CacheControl)
			require.Equal(t, "text/html; charset=utf-8", html.ContentType)

			css, err := b.Attrs(t.Context(), "b.css")
			require.NoError(t, err)
			require.Equal(t, "max-age=31536000", css.CacheControl)
			require.Equal(t, "text/x-mine", css.ContentType)

			// The job adds the time of the file to the metadata of the rule.
			require.Equal(t, map[string]string{"team": "web", "mtime": "1580702706.123456000"}, css.Metadata)
		})
	}
}

// If WithRule returns an invalid option for one file, only that file fails.
func TestWithRuleInvalid(t *testing.T) {
	dir := newTree(t, map[string]string{"a": "x", "b": "y"})
	b := memstore.New()
	rule := transfer.WithRule(func(key string) []storage.WriteOption {
		if key == "a" {
			return []storage.WriteOption{storage.WithContentType("nonsense")}
		}
		return nil
	})

	report, err := transfer.Upload(t.Context(), b, dir, rule)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, int64(1), report.Failed)
	require.Equal(t, int64(1), report.Transferred)
}

// A dry run of Upload reports what the job would do, and writes nothing.
func TestWithDryRunWritesNothing(t *testing.T) {
	dir := newTree(t, map[string]string{"new": "12345", "same": "x", "sub/changed": "longer"})
	b := newBucketOf(t, map[string]string{"same": "x", "sub/changed": "short", "spare": "y"})
	before := contents(t, b)
	changes := map[string]transfer.Action{}
	collect := transfer.WithChanges(func(c transfer.Change) {
		changes[c.Key] = c.Action
	})

	report, err := transfer.Upload(t.Context(), b, dir, transfer.WithDryRun(), transfer.WithDelete(), collect)
	require.NoError(t, err)

	require.Equal(t, before, contents(t, b))
	require.Equal(t, map[string]transfer.Action{
		"new":         transfer.Transferred,
		"sub/changed": transfer.Transferred,
		"spare":       transfer.Deleted,
	}, changes)
	require.Equal(t, int64(2), report.Transferred)
	require.Equal(t, int64(11), report.Bytes)
	require.Equal(t, int64(1), report.Skipped)
	require.Contains(t, report.String(), "dry run: 2 transferred (11 B), 1 the same, 1 deleted in")
}

// A dry run of Download does not create the directory.
func TestWithDryRunCreatesNoDirectory(t *testing.T) {
	b := newBucketOf(t, map[string]string{"same": "x", "sub/changed": "short", "spare": "y"})
	absent := t.TempDir() + "/not/there"

	report, err := transfer.Download(t.Context(), b, absent, transfer.WithDryRun())
	require.NoError(t, err)
	require.Equal(t, int64(3), report.Transferred)
	require.NoDirExists(t, absent)
}

// failuresOf returns the code and the cause of each failure by its key.
func failuresOf(r *transfer.Report) map[string]string {
	failures := map[string]string{}
	for _, f := range r.Failures {
		failures[f.Key] = string(storage.CodeOf(f.Err)) + ": " + errors.Unwrap(f.Err).Error()
	}
	return failures
}

// A dry run fails for the same names as the job. These are the names that the destination cannot
// store.
func TestWithDryRunPredictsFailuresOfNames(t *testing.T) {
	// The directory has a file, a folder and a link to the folder. These three are in the way of
	// some of the ten keys.
	dir := newTree(t, map[string]string{"file": "x"})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	require.NoError(t, os.Symlink("folder", filepath.Join(dir, "link")))
	src := newHostileSource(t, "../out", ".omnibucket/x", "a//b", "deep/er/new", "file", "file/below/it",
		"folder", "link", "link/x", "new")

	t.Run("Download", func(t *testing.T) {
		dry, err := transfer.Download(t.Context(), src, dir, transfer.WithDryRun())
		require.ErrorIs(t, err, storage.InvalidArgument)
		report, err := transfer.Download(t.Context(), src, dir)
		require.ErrorIs(t, err, storage.InvalidArgument)

		require.Len(t, report.Failures, 7, "all but deep/er/new, file and new")
		require.Equal(t, failuresOf(report), failuresOf(dry))
		require.Equal(t, report.Transferred, dry.Transferred)
	})

	t.Run("Download to a missing directory", func(t *testing.T) {
		dry, err := transfer.Download(t.Context(), src, filepath.Join(dir, "missing"), transfer.WithDryRun())
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.Len(t, dry.Failures, 5, "including keys that are in the way of each other")
	})

	t.Run("Copy", func(t *testing.T) {
		dry, err := transfer.Copy(t.Context(), memstore.New(), src, transfer.WithDryRun())
		require.ErrorIs(t, err, storage.InvalidArgument)
		report, err := transfer.Copy(t.Context(), memstore.New(), src)
		require.ErrorIs(t, err, storage.InvalidArgument)

		require.Len(t, report.Failures, 2, "keys that no bucket takes")
		require.Equal(t, failuresOf(report), failuresOf(dry))
		require.Equal(t, report.Transferred, dry.Transferred)
	})

	// Compare does not have to write a file in the place of the folder. So the key "folder" is no
	// failure.
	t.Run("Compare writes no files", func(t *testing.T) {
		b := memstore.New()
		put(t, b, "folder", "x")
		compared, err := transfer.Compare(t.Context(), transfer.Bucket(b), transfer.Dir(dir), nil)
		require.NoError(t, err)
		require.Zero(t, compared.NotCompared)
	})
}

// Upload succeeds with the largest value of WithConcurrency.
func TestWithConcurrencyIsBounded(t *testing.T) {
	b := memstore.New()
	dir := newTree(t, map[string]string{"a": "x"})

	_, err := transfer.Upload(t.Context(), b, dir, transfer.WithConcurrency(math.MaxInt))
	require.NoError(t, err)
	require.Len(t, contents(t, b), 1)
}
