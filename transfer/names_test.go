package transfer_test

import (
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// A hostileCore lists any keys, even keys that lead out of a directory.
type hostileCore struct {
	storage.Core
	keys []string // ascending
}

// List lists all keys, in ascending order.
func (e hostileCore) List(context.Context, *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for _, key := range e.keys {
			entry := storage.ListEntry{Key: key, Size: 4, Modified: time.Now(), Revision: "r"}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

func (e hostileCore) Source(key string) storage.CopySource { return storage.NewCopySource(e, key) }

func (e hostileCore) Download(_ context.Context, key string, _ *storage.DownloadOptions) (*storage.Reader, error) {
	attrs := &storage.Attrs{Key: key, Size: 4, Revision: "r"}
	return storage.NewReader(attrs, 0, 4, io.NopCloser(file("evil"))), nil
}

// newHostileSource returns a source with these keys, which are ascending.
func newHostileSource(t *testing.T, keys ...string) storage.Bucket {
	return wrapped.Bucket(t, memstore.New(), func(c storage.Core) storage.Core { return hostileCore{c, keys} })
}

// Download fails for a key that leads out of the directory, or into an internal directory of this
// library.
func TestDownloadStaysInItsDirectory(t *testing.T) {
	keys := []string{
		"../out",
		"..",
		".",
		"/etc/out",
		"a/../../out",
		"a//b",
		"./a",
		"a/",
		"a/.",
		"nul\x00",
		".omnibucket/signing.key",
		".omnibucket",
		".OmniBucket/x",
		"buckets/one/.omnibucket/signing.key",
		"a/.omnibucket-0123456789abcdef",
	}
	for _, key := range keys {
		t.Run(key, func(t *testing.T) {
			above := t.TempDir()
			dir := filepath.Join(above, "in", "dir")

			report, err := transfer.Download(t.Context(), newHostileSource(t, key), dir)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Equal(t, int64(1), report.Failed)
			require.Equal(t, key, report.Failures[0].Key)
			require.Empty(t, fingerprints(t, above))
		})
	}
}

// Download does not write through a symbolic link to a place outside of the directory.
func TestDownloadFollowsNoLink(t *testing.T) {
	outside := t.TempDir()
	dir := t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "a")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "file"), filepath.Join(dir, "link")))
	b := memstore.New()
	for _, key := range []string{"a/b", "link", "ok"} {
		put(t, b, key, "x")
	}

	report, err := transfer.Download(t.Context(), b, dir)
	require.Error(t, err)
	require.Equal(t, int64(2), report.Failed)
	require.Equal(t, int64(1), report.Transferred)
	require.Empty(t, fingerprints(t, outside))
}

// Sync does not write through a link in the destination. Otherwise the next Sync would list the
// file under the link's target, and delete it.
func TestSyncFollowsNoLinkAtDestination(t *testing.T) {
	src := newTree(t, map[string]string{"a/new": "x", "a/sub/new": "x", "keep": "x"})
	dir := newTree(t, map[string]string{"z/sub/keep": "x"})
	require.NoError(t, os.Symlink("z", filepath.Join(dir, "a")))

	for range 2 {
		report, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Dir(src))
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.ErrorContains(t, err, "link")
		require.Equal(t, int64(2), report.Failed)
		require.ElementsMatch(t, []string{"keep", "z/sub/keep"}, keysOf(fingerprints(t, dir)))
	}
}

// The source has the objects "a" and "a/b". Download stores "a", and counts "a/b" as failed,
// because it would need a directory "a".
func TestDownloadKeyBelowAFile(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{"a", "a-b", "a/b", "a/b/c", "a0", "d/e/f", "d/e"} {
		put(t, b, key, key)
	}

	// The result is the same in every run.
	for range 2 {
		dir := t.TempDir()
		report, err := transfer.Download(t.Context(), b, dir)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.Equal(t, int64(3), report.Failed)

		failures := map[string]string{}
		for _, f := range report.Failures {
			failures[f.Key] = f.Err.Error()
		}
		require.Contains(t, failures["a/b"], `"a/b" needs a directory in place of the file "a"`)
		require.Contains(t, failures["a/b/c"], `in place of the file "a"`)
		require.Contains(t, failures["d/e/f"], `in place of the file "d/e"`)
		require.Len(t, fingerprints(t, dir), 4)
	}
}

// The error of a download names the file or directory that is in its way.
func TestDownloadErrorNamesTheObstacle(t *testing.T) {
	b := memstore.New()
	for _, key := range []string{"dir", "file/below", "sound"} {
		put(t, b, key, key)
	}

	// A directory is in the way of the key "dir", and a file is in the way of the key "file/below".
	dir := newTree(t, map[string]string{"dir/x": "", "file": "mine"})

	report, err := transfer.Download(t.Context(), b, dir)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, int64(1), report.Transferred)
	require.Equal(t, int64(2), report.Failed)
	require.ErrorContains(t, err, `"file/below" needs a directory in place of the file "file"`)
	require.ErrorContains(t, err, "is the name of an existing directory")

	data, err := os.ReadFile(filepath.Join(dir, "file"))
	require.NoError(t, err)
	require.Equal(t, "mine", string(data))
}

// While Download runs, another job creates a file in the directory. Download keeps this file.
func TestDownloadKeepsAFileOfAnotherJob(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "b")

	// Another job creates "b" after the directory was listed.
	hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == "Download" && op.Key == "a" {
			require.NoError(t, os.WriteFile(path, []byte("theirs"), 0o600))
		}
		return ctx, nil, nil
	}
	b := memstore.New(storage.WithHook(hook))
	put(t, b, "a", "ours")
	put(t, b, "b", "ours")

	report, err := transfer.Download(t.Context(), b, dir, transfer.WithConcurrency(1))
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.EqualValues(t, 1, report.Transferred)
	require.EqualValues(t, 1, report.Failed)

	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "theirs", string(data))
}

// The error of a download does not show the name of the temporary file.
func TestDownloadErrorHidesTemporaryFile(t *testing.T) {
	longKey := strings.Repeat("x", 300)

	_, err := transfer.Download(t.Context(), newHostileSource(t, longKey), t.TempDir())
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, `file name too long`)
	require.NotContains(t, err.Error(), ".omnibucket-")
}

// Download ignores the marker of a folder, which consoles write.
func TestFolderMarkersAreSkipped(t *testing.T) {
	src := newMarkerBucket(t)
	put(t, src, "folder/x", "x")

	report, err := transfer.Download(t.Context(), src, t.TempDir())
	require.NoError(t, err)
	require.Equal(t, int64(1), report.Ignored)
	require.Equal(t, int64(1), report.Transferred)
}

// A markerCore lists the marker of a folder before all objects.
type markerCore struct{ storage.Core }

// newMarkerBucket returns a bucket that lists the marker of a folder before its objects.
func newMarkerBucket(t *testing.T) storage.Bucket {
	return wrapped.Bucket(t, memstore.New(), func(c storage.Core) storage.Core { return markerCore{c} })
}

// List returns the marker of a folder in front of the entries of the bucket.
func (m markerCore) List(ctx context.Context, o *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		if !yield(storage.ListEntry{Key: "folder/", Modified: time.Now()}, nil) {
			return
		}
		m.Core.List(ctx, o)(yield)
	}
}

// The internal directory of a local bucket holds the key that signs its URLs. Upload skips this
// directory.
func TestUploadSkipsInternalDirectories(t *testing.T) {
	dir := newTree(t, map[string]string{
		".omnibucket/signing.key":             "secret",
		"a":                                   "x",
		"buckets/one/.omnibucket/signing.key": "secret",
	})
	b := memstore.New()

	report, err := transfer.Upload(t.Context(), b, dir)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "x"}, contents(t, b))
	require.Equal(t, int64(2), report.Ignored)
}

// WithDelete keeps the internal directory of a local bucket.
func TestWithDeleteKeepsInternalDirectories(t *testing.T) {
	dir := newTree(t, map[string]string{
		".omnibucket/signing.key":             "secret",
		"a":                                   "x",
		"buckets/one/.omnibucket/signing.key": "secret",
	})

	report, err := transfer.Download(t.Context(), memstore.New(), dir, transfer.WithDelete(),
		transfer.WithEmptySource())
	require.NoError(t, err)
	require.Equal(t, int64(1), report.Deleted, "the file a")
	require.FileExists(t, filepath.Join(dir, ".omnibucket/signing.key"))
}

// A file may have a name like a temporary file of this library. Jobs neither upload nor delete it,
// because another program may have created it.
func TestTemporaryFilesOfOthersStay(t *testing.T) {
	foreign := map[string]string{
		".omnibucket-0123456789abcdef":     "another's",
		".omnibucket-0123456789abcdef-0":   "another's, too",
		"sub/.omnibucket-fedcba9876543210": "",
		".omnibucket-aaaaaaaaaaaaaaaa": `{"omnibucket temporary files":1,"Name":".omnibucket-bbbbbbbbbbbbbbbb"}` +
			"\n",
	}
	dir := newTree(t, foreign)

	// The names of these files are not those of temporary files.
	writeFiles(t, dir, map[string]string{"sub/x": "x", ".omnibucket-mine": "a file like another"})

	b := memstore.New()
	_, err := transfer.Upload(t.Context(), b, dir)
	require.NoError(t, err)
	require.Len(t, contents(t, b), 2, "only sub/x and .omnibucket-mine")

	// Even WithDelete does not remove a file that this library has not made.
	_, err = transfer.Download(t.Context(), b, dir, transfer.WithDelete())
	require.NoError(t, err)
	for name, text := range foreign {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err, name)
		require.Equal(t, text, string(data), name)
	}
}

// If a process dies during storage.DownloadFile, a temporary file remains. Upload skips this file,
// and WithDelete keeps it.
func TestUploadSkipsTemporaryFiles(t *testing.T) {
	b := memstore.New()
	put(t, b, "x", "text")
	empty := memstore.New()
	dir := t.TempDir()

	// The jobs run while DownloadFile reports its progress, because its temporary file exists at that time.
	called := false
	runJobs := storage.WithProgress(func(int64, int64) {
		called = true
		report, err := transfer.Upload(t.Context(), empty, dir)
		require.NoError(t, err)
		require.Zero(t, report.Transferred)

		report, err = transfer.Download(t.Context(), empty, dir, transfer.WithDelete(), transfer.WithEmptySource())
		require.NoError(t, err)
		require.Zero(t, report.Deleted)
	})

	_, err := storage.DownloadFile(t.Context(), b, "x", filepath.Join(dir, "x"), runJobs)
	require.NoError(t, err)
	require.True(t, called)
}

// plantLinks creates a tree of two files and eight symbolic links. Five of the links lead out of
// the tree, nowhere, or in a circle.
func plantLinks(t *testing.T) string {
	t.Helper()
	outside := newTree(t, map[string]string{"secret": "x"})
	dir := newTree(t, map[string]string{"a/file": "text", "z": "last"})
	for link, target := range map[string]string{
		"a/again":   "..", // a loop
		"b":         "a",
		"c":         "a/file",
		"dangling":  "nowhere",
		"out":       filepath.Join(outside, "secret"),
		"outdir":    "../" + filepath.Base(outside),
		"a/relout":  strings.Repeat("../", 20) + "etc/passwd",
		"a/sibling": "../z",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	return dir
}

// Upload ignores symbolic links by default.
func TestWithoutLinks(t *testing.T) {
	b := memstore.New()

	report, err := transfer.Upload(t.Context(), b, plantLinks(t))
	require.NoError(t, err)
	require.Equal(t, int64(8), report.Ignored)
	require.Equal(t, map[string]string{"a/file": "text", "z": "last"}, contents(t, b))
}

// With WithLinks, Upload follows symbolic links that stay in the directory, and counts the others as failed.
func TestWithLinks(t *testing.T) {
	b := memstore.New()

	report, err := transfer.Upload(t.Context(), b, plantLinks(t), transfer.WithLinks())
	require.Error(t, err)
	require.Zero(t, report.Ignored)

	// The links b to a, c to a/file and a/sibling to z stay in the directory.
	require.Equal(t, map[string]string{
		"a/file":    "text",
		"a/sibling": "last",
		"b/file":    "text",
		"b/sibling": "last",
		"c":         "text",
		"z":         "last",
	}, contents(t, b))

	// The links named "again" lead in a circle, "dangling" leads nowhere, and the others lead out
	// of the directory.
	failures := map[string]bool{}
	for _, f := range report.Failures {
		failures[f.Key] = true
	}
	require.Equal(t, map[string]bool{
		"a/again/": true,
		"b/again/": true,
		"a/relout": true,
		"b/relout": true,
		"dangling": true,
		"out":      true,
		"outdir":   true,
	}, failures)
}

// A short source returns bodies that end early.
type short struct{ storage.Core }

func (s short) Source(key string) storage.CopySource { return storage.NewCopySource(s, key) }

func (s short) Download(_ context.Context, key string, _ *storage.DownloadOptions) (*storage.Reader, error) {
	attrs := &storage.Attrs{Key: key, Size: 4, Revision: "r"}
	return storage.NewReader(attrs, 0, 4, io.NopCloser(file("evi"))), nil
}

// Download and Copy store nothing if the body of an object ends early.
func TestDownloadBodyEndsEarly(t *testing.T) {
	src := wrapped.Bucket(t, newHostileSource(t, "a"), func(c storage.Core) storage.Core { return short{c} })

	t.Run("Download", func(t *testing.T) {
		dir := t.TempDir()
		_, err := transfer.Download(t.Context(), src, dir)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Empty(t, fingerprints(t, dir))
	})

	t.Run("Copy", func(t *testing.T) {
		dst := memstore.New()
		_, err := transfer.Copy(t.Context(), dst, src)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Empty(t, contents(t, dst))
	})
}

// A throwing source panics when it is read.
type throwing struct{ storage.Core }

func (s throwing) Source(key string) storage.CopySource { return storage.NewCopySource(s, key) }

func (throwing) Download(context.Context, string, *storage.DownloadOptions) (*storage.Reader, error) {
	panic("thrown")
}

// A panic in the Core of a source reaches the caller of Download or Copy.
func TestJobPanicReachesTheCaller(t *testing.T) {
	src := wrapped.Bucket(t, newHostileSource(t, "a", "b"), func(c storage.Core) storage.Core {
		return throwing{c}
	})

	require.PanicsWithValue(t, "thrown", func() {
		_, _ = transfer.Download(t.Context(), src, t.TempDir())
	})
	require.PanicsWithValue(t, "thrown", func() {
		_, _ = transfer.Copy(t.Context(), memstore.New(), src)
	})
}
